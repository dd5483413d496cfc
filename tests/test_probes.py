"""Specification of `bnlib.experiments.probes`."""

import numpy as np

from bnlib.experiments.probes import (
    accuracy_by_batch,
    as_vector,
    get_params,
    loss_and_gradients,
    set_params,
    stepped,
)
from bnlib.layers import dense_network
from bnlib.losses import softmax_cross_entropy
from bnlib.training import SGD, train_step

X = np.random.default_rng(1).normal(size=(20, 4))
Y = np.random.default_rng(2).integers(0, 3, 20)


def model():
    return dense_network([4, 6, 3], rng=np.random.default_rng(0), batchnorm="before")


def test_a_step_from_the_gradients_is_the_step_of_gradient_descent():
    by_hand, trained = model(), model()
    loss, gradients = loss_and_gradients(by_hand, X, Y)
    set_params(by_hand, stepped(get_params(by_hand), gradients, 0.3))
    value, _ = train_step(trained, X, Y, loss=softmax_cross_entropy, optimizer=SGD(0.3))
    assert loss == value
    for ours, theirs in zip(get_params(by_hand), get_params(trained), strict=True):
        for name, parameter in theirs.items():
            np.testing.assert_allclose(ours[name], parameter, rtol=1e-12)


def test_parameters_that_were_taken_are_not_changed_by_later_steps():
    network = model()
    taken = get_params(network)
    before = as_vector(taken)
    train_step(network, X, Y, loss=softmax_cross_entropy, optimizer=SGD(0.3))
    np.testing.assert_array_equal(as_vector(taken), before)
    set_params(network, taken)
    np.testing.assert_array_equal(as_vector(get_params(network)), before)


def test_each_batch_is_judged_by_its_own_statistics():
    network = model()
    expected = [
        network.forward(X[rows], training=True).argmax(axis=1) == Y[rows]
        for rows in (slice(0, 6), slice(6, 12), slice(12, 18))
    ]
    assert accuracy_by_batch(network, X, Y, batch_size=6) == np.mean(expected)
