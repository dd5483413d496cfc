"""Specification of the experiment on one weight that is much too large."""

import numpy as np
import pytest

from bnlib.experiments.common import flat, network
from bnlib.experiments.data import load_data
from bnlib.experiments.outlier_weight import ARMS, enlarge, run

DIGITS = load_data("digits", seed=0)


@pytest.fixture(scope="module")
def result():
    """Run the experiment with less training."""
    return run(DIGITS, seed=0, steps=150, more_steps=30)


def test_each_arm_is_measured_before_and_after(result):
    assert set(result) == {"none", "batchnorm", "layernorm"}
    for arm in result.values():
        assert set(arm) == {
            "before", "batch_statistics", "inference", "reestimated", "retrained",
            "gradient_ratio", "activation_ratio", "weight_kept",
        }  # fmt: skip


def test_only_batch_norm_stands_the_weight_and_only_with_statistics_that_know_of_it(
    result,
):
    lost = {
        arm: {
            key: numbers["before"] - numbers[key]
            for key in ("batch_statistics", "inference", "reestimated")
        }
        for arm, numbers in result.items()
    }
    assert min(lost["none"].values()) > 0.2
    assert min(lost["layernorm"].values()) > 0.2
    assert lost["batchnorm"]["batch_statistics"] < 0.03
    assert lost["batchnorm"]["reestimated"] < 0.03
    assert lost["batchnorm"]["inference"] > 0.2


def test_gradients_and_activations_grow_without_batch_norm_only(result):
    assert result["none"]["gradient_ratio"] > 20
    assert result["none"]["activation_ratio"] > 5
    assert result["batchnorm"]["gradient_ratio"] < 4
    assert result["batchnorm"]["activation_ratio"] < 2


def test_batch_norm_hides_the_weight_and_does_not_repair_it(result):
    assert result["batchnorm"]["weight_kept"] == pytest.approx(1, abs=1e-3)


def test_one_weight_becomes_large_and_positive_and_no_other_changes():
    model = network(flat(DIGITS), (5,), seed=0)
    before = model.layers[0].params["kernel"].copy()
    before[20, 0] = -0.5
    model.layers[0].params["kernel"] = before
    assert enlarge(model, 20, 1000) == 500
    changed = np.argwhere(model.layers[0].params["kernel"] != before)
    assert changed.tolist() == [[20, 0]]
    assert before[20, 0] == -0.5


def test_the_arms_start_from_the_same_kernels():
    kernels = [
        network(flat(DIGITS), (5,), seed=0, **arm).layers[0].params["kernel"]
        for arm in ARMS.values()
    ]
    for kernel in kernels[1:]:
        np.testing.assert_array_equal(kernel, kernels[0])
