"""Specification of the experiment on depth."""

import numpy as np
import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.depth import GROWTH, STARTS, growth, run

DEPTHS = (2, 10, 20)


@pytest.fixture(scope="module")
def result():
    """Measure the gradients at three depths, and train at none but the first."""
    return run(
        load_data("digits", seed=0),
        seed=0,
        depths=DEPTHS,
        trained_depths=(2,),
        rates=(0.1,),
        steps=5,
    )


def test_each_start_has_a_ratio_for_each_depth_of_each_arm(result):
    for name in ("ratio", "kernel_ratio"):
        assert list(result[name]) == list(STARTS)
        for arms in result[name].values():
            assert {arm: len(ratios) for arm, ratios in arms.items()} == {
                "none": 3,
                "batchnorm": 3,
            }
    assert np.shape(result["accuracy"]["sigmoid"]["batchnorm"]) == (1, 1)


def test_without_batch_norm_the_gradient_has_the_starts_factor_in_each_layer(result):
    plain, half, double = (
        np.array(result["ratio"][start]["none"])
        for start in ("relu", "relu, half", "relu, double")
    )
    each = 1 / (np.array(DEPTHS) - 1)  # to the power of: the factor of one layer
    np.testing.assert_allclose((half / plain) ** each, 0.5, rtol=0.05)
    np.testing.assert_allclose((double / plain) ** each, 2.0, rtol=0.05)


def test_with_batch_norm_the_gradient_does_not_feel_the_scale_of_the_start(result):
    plain = result["ratio"]["relu"]["batchnorm"]
    for start in ("relu, half", "relu, double"):
        np.testing.assert_allclose(result["ratio"][start]["batchnorm"], plain)


def test_the_gradient_of_sigmoids_vanishes_with_depth_only_without_batch_norm(result):
    assert result["kernel_ratio"]["sigmoid"]["none"][-1] < 1e-9
    assert 0.2 < result["kernel_ratio"]["sigmoid"]["batchnorm"][-1] < 5


def test_batch_norm_lets_the_gradient_of_relus_grow_with_depth(result):
    assert np.all(np.diff(result["ratio"]["relu"]["batchnorm"]) > 0)
    rate = growth(result["ratio"]["relu"]["batchnorm"], DEPTHS, low=10, high=20)
    assert rate == pytest.approx(GROWTH, rel=0.15)


def test_growth_is_taken_a_layer_in_the_square_for_each_seed():
    ratios = [[1.5**depth for depth in DEPTHS], [1.0, 1.0, 1.0]]
    np.testing.assert_allclose(growth(ratios, DEPTHS, low=2, high=20), [1.5**2, 1.0])
