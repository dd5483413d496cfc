"""Specification of the experiment on the shift of a layer's gradient."""

import numpy as np
import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.gradient_shift import RATES, run, shifts
from bnlib.layers import Dense, Sequential, dense_network
from bnlib.losses import mean_squared_error, softmax_cross_entropy


@pytest.fixture(scope="module")
def result():
    """Run the experiment with smaller networks."""
    digits = load_data("digits", seed=0)
    return run(
        digits, seed=0, networks=["relu", "linear"], hidden=(32, 32, 32), linear=(5, 10),
        steps=60,
    )  # fmt: skip


def test_each_arm_has_a_number_a_rate(result):
    assert set(result) == {"relu", "linear"}
    for name, network in result.items():
        assert network["rates"] == list(RATES[name])
        for arm in ("none", "batchnorm"):
            assert {key: len(values) for key, values in network[arm].items()} == {
                key: len(RATES[name]) for key in ("change", "cosine", "loss", "diverged")
            }  # fmt: skip


def test_larger_steps_below_turn_the_gradient_further(result):
    for network in result.values():
        change = network["batchnorm"]["change"]
        assert change[0] < change[2] < change[4]
        assert network["batchnorm"]["cosine"][0] > 0.97


def test_batch_norm_lessens_the_shift_of_relus_only_at_high_rates(result):
    plain, normalized = (result["relu"][arm]["change"] for arm in ("none", "batchnorm"))
    assert normalized[0] / plain[0] > 0.7
    assert normalized[3] / plain[3] < 0.85


X = np.random.default_rng(1).normal(size=(30, 4))
LABELS = np.random.default_rng(2).integers(0, 3, 30)


def test_the_shift_is_that_of_the_layers_below_and_of_no_other():
    # Two linear layers: the gradient of the second, by hand, before and after a step of the first.
    rng = np.random.default_rng(0)
    model = Sequential(
        [Dense(4, 5, rng=rng, use_bias=False), Dense(5, 2, rng=rng, use_bias=False)]
    )
    first, second = (layer.params["kernel"] for layer in model.layers)
    y, rate = rng.normal(size=(30, 2)), 0.3

    def gradient(kernel):
        hidden = X @ kernel
        return 2 * hidden.T @ (hidden @ second - y) / y.size

    step = 2 * X.T @ (X @ first @ second - y) @ second.T / y.size
    before, after = gradient(first), gradient(first - rate * step)
    change = np.linalg.norm(after - before) / np.linalg.norm(before)
    cosine = np.sum(before * after) / np.linalg.norm(before) / np.linalg.norm(after)
    found = shifts(model, X, y, mean_squared_error, rate)
    np.testing.assert_allclose(found, [(change, cosine)], rtol=1e-10)


@pytest.mark.parametrize("place", [None, "before"])
def test_the_shift_is_in_proportion_to_a_small_rate_and_looking_changes_nothing(place):
    model = dense_network([4, 6, 5, 3], rng=np.random.default_rng(0), batchnorm=place)
    weights = model.get_weights()
    small, double = (
        np.array(shifts(model, X, LABELS, softmax_cross_entropy, rate))
        for rate in (1e-6, 2e-6)
    )
    assert small.shape == (2, 2)
    np.testing.assert_allclose(double[:, 0] / small[:, 0], 2, rtol=1e-3)
    np.testing.assert_allclose(small[:, 1], 1)
    for name, value in model.get_weights().items():
        np.testing.assert_array_equal(value, weights[name])


def test_a_run_that_diverges_says_so_and_has_no_loss(monkeypatch):
    monkeypatch.setitem(RATES, "linear", (1e3,))
    row = run(None, seed=0, networks=["linear"], linear=(5, 10), steps=60)["linear"]
    assert row["none"]["diverged"] == [True]
    assert row["none"]["loss"] == [np.inf]
