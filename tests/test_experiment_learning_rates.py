"""Specification of the experiment on learning rates."""

import numpy as np
import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.learning_rates import RATES, run, workable_decades


@pytest.fixture(scope="module")
def result():
    """Run the experiment at three rates."""
    return run(
        load_data("digits", seed=0),
        seed=0,
        rates=(1e-3, 1.0, 100.0),
        activations=["relu"],
        steps=60,
    )


def test_there_is_an_accuracy_for_each_rate_of_each_arm(result):
    assert set(result) == {"relu"}
    assert {arm: len(values) for arm, values in result["relu"].items()} == {
        "none": 3,
        "batchnorm": 3,
    }


def test_a_network_of_relus_trains_at_rate_one_only_with_batch_norm(result):
    assert result["relu"]["batchnorm"][1] > 0.9
    assert result["relu"]["none"][1] < 0.5


def test_no_network_trains_at_a_rate_of_a_hundred_or_a_thousandth(result):
    for accuracies in result["relu"].values():
        assert max(accuracies[0], accuracies[-1]) < 0.5


def test_the_rates_lie_half_a_decade_apart_over_five_decades():
    assert len(RATES) == 11
    np.testing.assert_allclose(np.diff(np.log10(RATES)), 0.5)


def test_workable_decades_are_counted_for_each_seed():
    accuracy = [[0.1, 0.9, 0.95, 0.2], [0.1, 0.2, 0.3, 0.4]]
    decades = workable_decades(accuracy, [1, 100, 1e4, 1e6])
    np.testing.assert_allclose(decades, [4, 0])
