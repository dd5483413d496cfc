"""Specification of the experiment on batch norm with noise after it."""

import numpy as np
import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.noisy_batchnorm import run


@pytest.fixture(scope="module")
def result():
    """Run the experiment with one activation, one noise and smaller networks."""
    return run(
        load_data("digits", seed=0), seed=0, cases=[("sigmoid", 0.5)], amplitudes=[1.0],
        hidden=(50, 50, 50), steps=120, interval=3,
    )["sigmoid"]  # fmt: skip


def test_each_arm_is_followed_over_the_steps(result):
    assert set(result) == {"none", "batchnorm", "noisy_1"}
    for arm in result.values():
        assert arm["steps"] == list(range(0, 121, 3))
        assert len(arm["accuracy"]) == 41
        assert np.shape(arm["percentiles"]) == (41, 3)
        assert (np.diff(arm["percentiles"], axis=1) >= 0).all()
        assert np.shape(arm["instability"]) == (3,)


def test_noise_moves_the_units_by_its_amplitude_and_batch_norm_holds_them(result):
    np.testing.assert_allclose(
        result["noisy_1"]["instability"], 1 / np.sqrt(3), rtol=0.1
    )
    assert max(result["batchnorm"]["instability"]) < 0.05


def test_the_noisy_network_learns_as_well_where_the_plain_one_does_not(result):
    assert result["noisy_1"]["accuracy"][-1] > 0.85
    assert result["none"]["accuracy"][-1] < 0.5


def test_with_and_without_noise_it_starts_from_the_same_network(result):
    assert result["noisy_1"]["accuracy"][0] == result["batchnorm"]["accuracy"][0]


def test_looking_more_often_does_not_change_the_noise():
    options = {
        "seed": 0, "cases": [("relu", 0.1)], "amplitudes": [0.5], "hidden": (20,), "steps": 12,
    }  # fmt: skip
    digits = load_data("digits", seed=0)
    often, seldom = (
        run(digits, interval=interval, **options)["relu"]["noisy_0.5"]
        for interval in (1, 12)
    )
    assert often["accuracy"][-1] == seldom["accuracy"][-1]
    np.testing.assert_array_equal(often["percentiles"][-1], seldom["percentiles"][-1])
