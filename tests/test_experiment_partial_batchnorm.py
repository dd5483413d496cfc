"""Specification of the experiment on the parts of batch norm."""

import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.partial_batchnorm import run

DIGITS = load_data("digits", seed=0)
ARMS = {"none", "batchnorm", "mean_only", "variance_only", "detached"}


@pytest.fixture(scope="module")
def result():
    """Run the experiment at one rate with fewer steps."""
    options = {"rates": [1.0], "activations": ["sigmoid"], "steps": 200}
    return run(DIGITS, seed=0, **options)["sigmoid"]


def test_each_arm_has_a_number_a_rate(result):
    assert set(result) == ARMS
    for arm in result.values():
        assert {key: len(values) for key, values in arm.items()} == {
            "accuracy": 1,
            "largest_bias": 1,
            "diverged": 1,
        }


def test_a_bias_stays_where_it_started_if_the_gradient_knows_of_the_mean(result):
    for arm in ("batchnorm", "mean_only"):
        assert max(result[arm]["largest_bias"]) < 1e-5
    for arm in ("none", "variance_only", "detached"):
        assert min(result[arm]["largest_bias"]) > 1e-3


def test_detached_batch_norm_fails_at_a_rate_where_batch_norm_does_not(result):
    assert result["batchnorm"]["accuracy"][0] > 0.9
    assert result["detached"]["accuracy"][0] < 0.6


def test_arms_that_compute_the_same_at_the_start_start_the_same():
    # Stored means of 0 and variances of 1 leave the inputs alone but for epsilon.
    start = run(DIGITS, seed=0, rates=[0.1], activations=["relu"], steps=0)["relu"]
    accuracy = {arm: numbers["accuracy"] for arm, numbers in start.items()}
    assert accuracy["none"] == accuracy["mean_only"]
    assert accuracy["batchnorm"] == accuracy["variance_only"] == accuracy["detached"]
