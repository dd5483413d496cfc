"""Specification of the experiment on the Fashion-MNIST network."""

import numpy as np
import pytest

from bnlib.datasets import Split
from bnlib.experiments.common import steps_to
from bnlib.experiments.fashion_mnist import PLACES, build_model, run


def stripes(m=400):
    """Return noisy images, 4 x 4, whose class is the row that is bright."""
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=2 * m)
    x = rng.normal(0, 0.3, (2 * m, 4, 4)).astype("float32")
    x[np.arange(2 * m), y] += 1
    return Split(x[:m], y[:m], x[m:], y[m:])


@pytest.fixture(scope="module")
def result():
    """Run the experiment for two epochs, with and without batch norm."""
    pytest.importorskip("keras")
    return run(stripes(), seed=1, epochs=2, places=(None, "before"), timed=1)


def test_the_arms_of_a_seed_start_from_the_same_kernels():
    pytest.importorskip("keras")
    starts = []
    for place in PLACES:
        model = build_model((28, 28), batchnorm=place, seed=1)
        starts.append(
            [w.numpy() for w in model.trainable_variables if w.name == "kernel"]
        )
    for plain, before, after in zip(*starts, strict=True):
        np.testing.assert_array_equal(plain, before)
        np.testing.assert_array_equal(plain, after)


def test_each_epoch_has_its_numbers_and_each_half_epoch_an_accuracy(result):
    assert set(result) == {"None", "before"}
    for arm in result.values():
        for name in ("accuracy", "loss", "val_accuracy", "val_loss"):
            assert len(arm[name]) == 2
        assert arm["half_epochs"]["steps"] == [0.5, 1, 1.5, 2]
        assert arm["half_epochs"]["accuracy"][1::2] == arm["val_accuracy"]
        assert arm["epoch_seconds"] > 0


def test_both_networks_learn(result):
    for arm in result.values():
        assert arm["loss"][-1] < arm["loss"][0]
    assert result["before"]["test_accuracy"] > 0.5
    assert steps_to(result["before"]["half_epochs"], 0.5) <= 2


def test_a_seed_decides_everything_but_the_time(result):
    again = run(stripes(), seed=1, epochs=1, places=(None,), timed=0)["None"]
    other = run(stripes(), seed=2, epochs=1, places=(None,), timed=0)["None"]
    np.testing.assert_allclose(again["loss"], result["None"]["loss"][:1], rtol=1e-5)
    assert abs(other["loss"][0] - again["loss"][0]) > 1e-3


def test_an_epoch_holds_every_training_row_once_and_no_held_out_row(monkeypatch):
    from bnlib.experiments import fashion_mnist

    seen = []

    def fit(model, data, rows, validation):
        seen.append(rows)
        return dict.fromkeys(
            ("rows", "loss", "accuracy", "val_loss", "val_accuracy"), 1.0
        )

    pytest.importorskip("keras")
    monkeypatch.setattr(fashion_mnist, "_fit", fit)
    run(stripes(), seed=1, epochs=2, places=(None,), timed=0)
    first, second = np.concatenate(seen[:2]), np.concatenate(seen[2:])
    assert len(first) == len(set(first)) == 320
    assert set(first) == set(second)
    assert (first != second).any()
    assert len(seen[0]) % 32 == 0


@pytest.mark.parametrize("place", [None, "before"])
def test_keras_counts_the_same_numbers_as_the_identities(place):
    pytest.importorskip("keras")
    from bnlib.experiments import identities
    from bnlib.experiments.fashion_mnist import build_model

    model = build_model((28, 28), batchnorm=place, seed=1)
    counted = identities.run(None, seed=0, names=["parameters"])["parameters"]
    assert counted["before" if place else "none"] == {
        "trained": sum(w.numpy().size for w in model.trainable_variables),
        "stored": sum(w.numpy().size for w in model.non_trainable_variables),
    }


def test_keras_trains_gamma_and_beta_and_only_stores_the_moving_statistics():
    layers = pytest.importorskip("keras").layers
    norm = layers.BatchNormalization()
    norm.build((None, 3))
    assert {w.name for w in norm.trainable_variables} == {"gamma", "beta"}
    assert {w.name for w in norm.non_trainable_variables} == {
        "moving_mean",
        "moving_variance",
    }
