"""Specification of the experiment on inputs of unlike scales."""

import numpy as np
import pytest

from bnlib.experiments.input_scales import NETWORKS, descent, people, run, treatments


@pytest.fixture(scope="module")
def result():
    """Run the experiment at two rates."""
    return run(seed=0, rates=(0.1, 0.3))


def test_each_treatment_has_a_descent_and_each_network_an_accuracy_a_rate(result):
    assert list(result["linear"]) == list(treatments(np.eye(2)))
    assert {name: len(values) for name, values in result["network"].items()} == (
        dict.fromkeys(NETWORKS, 2)
    )


def test_standardized_inputs_are_well_conditioned_and_raw_ones_are_not(result):
    assert result["linear"]["raw"]["condition"] > 1e10
    assert result["linear"]["raw"]["iterations"] is None
    assert result["linear"]["standardized"]["condition"] < 1.2
    assert result["linear"]["standardized"]["iterations"] <= 3


def test_no_descent_takes_longer_than_theory_allows(result):
    for measured in result["linear"].values():
        if measured["iterations"] is not None:
            assert measured["iterations"] <= measured["bound"]


def test_a_condition_number_of_one_needs_one_step():
    x = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    y = np.array([[3.0], [1.0], [2.0], [5.0]])
    measured = descent(x, y, goal=1e-6, most=10)
    assert measured["condition"] == pytest.approx(1)
    assert measured["largest_rate"] == pytest.approx(1)
    assert measured["iterations"] == 1
    assert measured["left"] == pytest.approx(0, abs=1e-12)


def test_batch_norm_replaces_scaling_as_the_first_layer_and_not_inside(result):
    best = {name: max(values) for name, values in result["network"].items()}
    assert best["raw"] < 0.6
    assert best["raw, batch norm inside"] < 0.6
    assert best["raw, batch norm first"] > 0.95
    assert best["standardized"] > 0.95


def test_the_question_to_the_network_needs_both_features():
    split = people(2000, "standardized", seed=3)
    assert abs(split.y_train.mean() - 0.5) < 0.05
    for feature in split.x_train.T:
        assert abs(split.y_train[feature > 0].mean() - 0.5) < 0.05
    sides = np.sign(split.x_train).prod(axis=1) > 0
    assert (sides == split.y_train).mean() > 0.95


def test_all_networks_see_the_same_people_scaled_by_the_training_set_alone():
    raw, scaled = (people(20, inputs, seed=0) for inputs in ("raw", "min-max"))
    np.testing.assert_array_equal(raw.y_test, scaled.y_test)
    low, high = raw.x_train.min(axis=0), raw.x_train.max(axis=0)
    assert scaled.x_test.max() > 1  # some lie beyond the people trained on
    np.testing.assert_allclose(scaled.x_test, (raw.x_test - low) / (high - low))
