"""Specification of the experiment on the scale of the start."""

import numpy as np
import pytest

from bnlib.experiments.common import flat, network
from bnlib.experiments.data import load_data
from bnlib.experiments.initial_scale import run
from bnlib.initializers import scaled
from bnlib.layers import ReLU


@pytest.fixture(scope="module")
def result():
    """Run the experiment at three scales."""
    return run(load_data("digits", seed=0), seed=0, scales=(0.1, 1.0, 10.0))


def test_there_is_an_accuracy_for_each_scale_of_each_arm(result):
    assert {arm: len(values) for arm, values in result.items()} == {
        "none": 3,
        "batchnorm": 3,
        "layernorm": 3,
    }


def test_a_tenth_of_the_usual_start_is_too_small_without_batch_norm_only(result):
    assert result["batchnorm"][0] > 0.95
    assert result["none"][0] < 0.2
    assert min(arm[1] for arm in result.values()) > 0.9


def test_batch_norm_hides_the_scale_of_the_start_from_the_first_forward_pass():
    split = flat(load_data("digits", seed=0), "float64")
    outputs = {}
    for place in (None, "before"):
        for scale in (1.0, 10.0):
            model = network(
                split,
                [8, 8],
                seed=1,
                dtype="float64",
                activation=ReLU,
                batchnorm=place,
                kernel_initializer=scaled("he_normal", scale),
                epsilon=0.0,
            )
            outputs[place, scale] = model.forward(split.x_train[:64], training=True)
    np.testing.assert_allclose(outputs["before", 10.0], outputs["before", 1.0])
    np.testing.assert_allclose(outputs[None, 10.0], 100 * outputs[None, 1.0])
