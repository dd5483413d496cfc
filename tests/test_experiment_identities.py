"""Specification of the identities: each is checked to rounding, and so is what shows its limit."""

import numpy as np
import pytest

from bnlib.experiments.identities import IDENTITIES, run

EXACT = 1e-12
RESIDUALS = [
    ("bias", "before"),
    ("one_row", "output"),
    ("one_row", "gradient"),
    ("two_rows", "output"),
    ("output_moments", "mean"),
    ("output_moments", "variance"),
    ("bound", "attained"),
    ("input_gradient", "dx"),
    ("input_gradient", "dx_x_hat"),
    ("affine_input", "batch"),
    ("affine_input", "layer"),
    ("sign", "batch"),
    ("sign", "layer"),
    ("companions", "inference"),
    ("folding", "before"),
    ("folding", "after"),
    ("start_share", "residual"),
    ("standardized", "mean"),
    ("standardized", "sd"),
    ("standardized", "skewness"),
    ("x_hat", "mean"),
    ("x_hat", "sd"),
    ("textbook", "forward"),
    ("other_features", "output"),
    ("gradient_norm", "dx"),
    ("passed_down", "dx"),
    ("restored", "batch"),
]


@pytest.fixture(scope="module")
def result():
    """Measure all identities once."""
    return run(None, seed=0)


def test_every_identity_is_measured(result):
    assert set(result) == set(IDENTITIES)


@pytest.mark.parametrize(("name", "residual"), RESIDUALS)
def test_an_identity_holds_to_rounding(result, name, residual):
    assert 0 <= result[name][residual] < EXACT


def test_an_identity_does_not_depend_on_which_others_are_measured(result):
    assert run(None, seed=0, names=["sign", "bound"])["bound"] == result["bound"]


def test_a_bias_before_the_activation_after_which_batch_norm_stands_has_a_gradient(
    result,
):
    assert result["bias"]["after"] > 0.01


def test_no_normalized_value_exceeds_the_root_of_the_batch_size_less_one(result):
    assert 0.99 < result["bound"]["largest"] < 1 + EXACT


def test_an_output_depends_on_its_companions_in_training_only(result):
    assert result["companions"]["training"] > 0.1


def test_batch_norm_brings_the_network_of_the_tutorials_1800_numbers(result):
    counts = result["parameters"]
    assert counts["none"] == {"trained": 316_810, "stored": 0}
    assert sum(counts["before"].values()) == 318_610
    assert counts["before"]["stored"] == 1_200
    assert counts["layer"] == {"trained": 2, "stored": 2}


def test_shards_merge_exactly_only_with_their_means(result):
    for errors in result["merged_variance"].values():
        assert errors["merged"] < EXACT
        assert min(errors["weighted"], errors["average"]) > 0.1


@pytest.mark.parametrize("fan_in", [2, 10, 100])
def test_he_uniform_draws_weights_of_variance_two_over_fan_in(result, fan_in):
    np.testing.assert_allclose(result["he_uniform"][str(fan_in)], 2 / fan_in, rtol=0.02)


def test_half_a_thousand_steps_leave_less_than_a_hundredth_of_the_start(result):
    assert result["start_share"]["difference"]["10"] == pytest.approx(0.99**10)
    assert result["start_share"]["difference"]["500"] < 0.01


def test_a_lopsided_feature_stays_lopsided(result):
    assert result["standardized"]["shape"] > 1  # 2 for an exponential distribution


def test_epsilon_shrinks_a_feature_whose_variance_is_as_small(result):
    small = 0.02 / np.sqrt(0.02**2 + 1e-3)
    assert result["x_hat"]["sd_of_small"] == pytest.approx(small)
    assert result["x_hat"]["sd_of_one"] == pytest.approx(1 / np.sqrt(1.001))


def test_the_gradient_agrees_with_a_numerical_one(result):
    assert result["gradient_check"]["dx"] < 1e-6


def test_a_batch_of_8_does_not_give_its_input_back(result):
    assert 0.3 < result["restored"]["of_8"] < 0.5


def test_the_variance_of_a_batch_of_8_is_an_eighth_too_small_on_average(result):
    assert result["batches_of_8"]["biased"] == pytest.approx(7 / 8, abs=0.01)
    assert result["batches_of_8"]["unbiased"] == pytest.approx(1, abs=0.01)


def test_twice_the_rows_are_twice_the_memory(result):
    assert result["cache_size"]["ratio"] == 2
