"""Specification of the experiment on the size of the batch."""

import numpy as np
import pytest

from bnlib.experiments.batch_size import batch_statistics, options_of, run
from bnlib.experiments.common import flat, network
from bnlib.experiments.data import load_data

DIGITS = load_data("digits", seed=0)


@pytest.fixture(scope="module")
def result():
    """Run the experiment at two sizes on fewer images."""
    return run(
        DIGITS,
        seed=0,
        sizes=(1, 8),
        images=200,
        hidden=(32, 32),
        rate_of_32=0.3,
        draws=200,
    )


def test_each_arm_has_a_number_a_size(result):
    assert result["sizes"] == [1, 8]
    assert set(result) == {
        "sizes", "statistics", "none", "batchnorm", "layernorm", "renorm",
    }  # fmt: skip
    for arm in ("batchnorm", "renorm"):
        assert set(result[arm]) == {
            "accuracy", "diverged", "batch_statistics", "reestimated",
        }  # fmt: skip
        assert all(len(values) == 2 for values in result[arm].values())


@pytest.mark.parametrize("size", [1, 2, 8, 32])
def test_a_batchs_mean_errs_by_one_over_root_m_and_its_variance_by_one_part_in_m(size):
    features = np.random.default_rng(0).normal(5, 3, (1000, 20))
    found = batch_statistics(features, size, 3000, rng=np.random.default_rng(1))
    assert found["mean_error"] == pytest.approx(1 / np.sqrt(size), rel=0.02)
    assert found["variance_share"] == pytest.approx(1 - 1 / size, rel=0.02)


def test_batches_of_one_teach_batch_norm_nothing_and_the_others_something(result):
    assert result["batchnorm"]["accuracy"][0] < 0.3
    for arm in ("none", "layernorm", "renorm"):
        assert result[arm]["accuracy"][0] > 0.5


def test_batches_of_eight_are_enough_for_batch_norm(result):
    assert result["batchnorm"]["accuracy"][1] > 0.7
    assert (
        result["batchnorm"]["batch_statistics"][1] < result["batchnorm"]["accuracy"][1]
    )


def test_the_moving_averages_remember_the_same_number_of_images_at_every_size():
    memories = []
    for size in (1, 8, 128):
        norm = options_of("batchnorm", size)["normalization"](4)
        memories.append(norm.momentum ** (640 / size))  # what is left after 640 images
    np.testing.assert_allclose(memories, memories[0])
    assert memories[0] == pytest.approx(0.9**20)


def test_the_arms_start_from_the_same_kernels():
    kernels = [
        network(flat(DIGITS), (5,), seed=0, **options_of(arm, 8)).layers[0].params["kernel"]
        for arm in ("none", "batchnorm", "layernorm", "renorm")
    ]  # fmt: skip
    for kernel in kernels[1:]:
        np.testing.assert_array_equal(kernel, kernels[0])
