"""Specification of `bnlib.deployment`."""

import numpy as np
import pytest

from bnlib.checks import NonFiniteError
from bnlib.datasets import load_digits
from bnlib.deployment import reestimate
from bnlib.layers import BatchNormalization, ReLU, Sequential, dense_network
from bnlib.norms import BatchRenormalization
from bnlib.training import SGD, fit


def rng(seed=0):
    return np.random.default_rng(seed)


DIGITS = load_digits(rng=rng())
X, Y = DIGITS.x_train[:300], DIGITS.y_train[:300]


def trained(**options):
    model = dense_network([64, 20, 20, 10], rng=rng(), batchnorm="before", **options)
    fit(model, X, Y, epochs=2, optimizer=SGD(0.1), rng=rng())
    return model


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7, 300, 1000])
def test_inference_then_gives_what_training_gives_on_all_rows_as_one_batch(batch_size):
    model = trained()
    expected = model.forward(X, training=True)
    reestimate(model, X, batch_size=batch_size)
    assert_close(model.forward(X, training=False), expected)


@pytest.mark.parametrize("place", ["before", "after"])
def test_every_layer_has_the_moments_of_what_it_sees_in_inference(place):
    model = dense_network([64, 20, 20, 10], rng=rng(), batchnorm=place)
    reestimate(model, X, batch_size=50)
    x = X
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            assert_close(layer.moving_mean, x.mean(axis=0))
            assert_close(layer.moving_variance, x.var(axis=0))
        x = layer.forward(x, training=False)


@pytest.mark.parametrize(("axis", "others"), [(-1, (0, 1, 2)), (1, (0, 2, 3))])
def test_images_keep_one_statistic_a_channel(axis, others):
    x = rng(1).normal(3, 2, (10, 2, 4, 2))
    model = Sequential([BatchNormalization(2, axis=axis), ReLU()])
    reestimate(model, x, batch_size=3)
    assert_close(model.layers[0].moving_mean, x.mean(axis=others))
    assert_close(model.layers[0].moving_variance, x.var(axis=others))


def test_1024_rows_go_through_a_layer_at_once_where_nothing_else_is_said():
    sizes = []

    class Watch(ReLU):
        def _forward(self, x, training):
            sizes.append(len(x))
            return super()._forward(x, training)

    reestimate(Sequential([Watch()]), np.ones((1030, 1)))
    assert sizes == [1024, 6]


def test_the_old_statistics_do_not_matter_and_nothing_else_changes():
    model = trained()
    before = model.get_weights()
    model.layers[1].state["moving_mean"] = np.full(20, 1e6)
    reestimate(model, X)
    first = model.get_weights()
    reestimate(model, X)
    for name, value in model.get_weights().items():
        np.testing.assert_array_equal(value, first[name])
        if "moving" not in name:
            np.testing.assert_array_equal(value, before[name])


def test_a_renormalized_network_keeps_its_training_statistics():
    model = trained(normalization=BatchRenormalization)
    before = {k: v for k, v in model.get_weights().items() if "renorm" in k}
    reestimate(model, X)
    assert before
    for name, value in before.items():
        np.testing.assert_array_equal(model.get_weights()[name], value)


def test_a_network_without_batch_norm_is_left_as_it_is():
    model = dense_network([64, 20, 10], rng=rng())
    before = model.get_weights()
    reestimate(model, X)
    for name, value in model.get_weights().items():
        np.testing.assert_array_equal(value, before[name])


def test_an_error_leaves_all_statistics_as_they_were():
    model = trained()
    model.layers[3].params["kernel"][0, 0] = np.inf
    before = model.get_weights()
    with np.errstate(invalid="ignore"), pytest.raises(NonFiniteError, match="Received"):
        reestimate(model, X)
    for name, value in model.get_weights().items():
        np.testing.assert_array_equal(value, before[name])


def test_impossible_rows_and_batch_sizes_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^batch_size must be at least 1\. .*: 0$"):
        reestimate(trained(), X, batch_size=0)
    with pytest.raises(TypeError, match=r"^x must hold"):
        reestimate(trained(), [["a"]])
    with pytest.raises(
        ValueError, match=r"^x must have at least 2 axes\. .* \(300,\)$"
    ):
        reestimate(trained(), X[:, 0], batch_size=7)
