"""Specification of `bnlib.experiments.variants`."""

import copy
from functools import partial

import numpy as np
import pytest

from bnlib.experiments.variants import (
    Identity,
    NoisyBatchNormalization,
    PartialBatchNormalization,
)
from bnlib.gradcheck import check_gradient
from bnlib.layers import BatchNormalization


def rng(seed=0):
    return np.random.default_rng(seed)


X, DY = rng(1).normal(0.3, 2, (7, 3)), rng(2).normal(size=(7, 3))


def away_from_the_start(layer):
    layer.params = {
        "gamma": np.array([0.5, 2.0, -1.5]),
        "beta": np.array([1.0, -2.0, 0.3]),
    }
    return layer


def weighted_sum(layer, x=X):
    return np.sum(DY * layer.forward(x, training=True))


def test_with_all_its_parts_it_is_batch_norm():
    ours = away_from_the_start(PartialBatchNormalization(3))
    theirs = away_from_the_start(BatchNormalization(3))
    for layer in (ours, theirs):
        layer.forward(X, training=True)
    np.testing.assert_allclose(ours.backward(DY), theirs.backward(DY), rtol=1e-12)
    for name in ("gamma", "beta"):
        np.testing.assert_allclose(ours.grads[name], theirs.grads[name])
    for training in (False, True):
        np.testing.assert_allclose(
            ours.forward(X, training=training),
            theirs.forward(X, training=training),
            rtol=1e-12,
        )


@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize("divide", [True, False])
def test_the_gradient_of_any_choice_of_parts_matches_finite_differences(
    subtract, divide
):
    layer = PartialBatchNormalization(3, subtract=subtract, divide=divide)
    away_from_the_start(layer)
    weighted_sum(layer)
    check_gradient(partial(weighted_sum, layer), X, layer.backward(DY))
    for name, gradient in layer.grads.items():
        value = layer.params[name]

        def loss(v, name=name):
            layer.params[name] = v
            return weighted_sum(layer)

        check_gradient(loss, value, gradient, name=name)
        layer.params[name] = value


@pytest.mark.parametrize(
    ("parts", "mean", "deviation"),
    [
        ({"divide": False}, 0.0, X.std(axis=0)),
        ({"subtract": False, "epsilon": 0}, X.mean(axis=0) / X.std(axis=0), 1.0),
    ],
    ids=["mean only", "variance only"],
)
def test_a_part_does_its_own_half(parts, mean, deviation):
    y = PartialBatchNormalization(3, **parts).forward(X, training=True)
    np.testing.assert_allclose(y.mean(axis=0), mean, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), deviation, atol=1e-12)


def test_detached_it_computes_the_same_and_differentiates_as_if_its_statistics_were_fixed():
    layer = away_from_the_start(PartialBatchNormalization(3, detach=True))
    full = away_from_the_start(PartialBatchNormalization(3))
    assert weighted_sum(layer) == weighted_sum(full)
    mean, deviation = X.mean(axis=0), np.sqrt(X.var(axis=0) + layer.epsilon)

    def with_fixed_statistics(x):
        gamma, beta = layer.params["gamma"], layer.params["beta"]
        return np.sum(DY * (gamma * (x - mean) / deviation + beta))

    check_gradient(with_fixed_statistics, X, layer.backward(DY))


def test_a_detached_mean_sends_a_bias_off_although_it_changes_no_output():
    # Section 2 of Ioffe and Szegedy (2015): the sum over the rows is a bias's gradient.
    gradients = {}
    for detach in (False, True):
        layer = PartialBatchNormalization(3, detach=detach)
        outputs = layer.forward(X, training=True)
        gradients[detach] = layer.backward(DY).sum(axis=0)
        np.testing.assert_allclose(layer.forward(X + 5, training=True), outputs)
    np.testing.assert_allclose(gradients[False], 0, atol=1e-12)
    assert np.abs(gradients[True]).min() > 0.05


# Noise


def noisy(amplitude=0.5, **options):
    return NoisyBatchNormalization(3, amplitude=amplitude, rng=rng(3), **options)


def test_without_noise_it_is_batch_norm():
    ours, theirs = (
        away_from_the_start(layer)
        for layer in (noisy(amplitude=0, jitter=0), BatchNormalization(3))
    )
    np.testing.assert_array_equal(
        ours.forward(X, training=True), theirs.forward(X, training=True)
    )
    np.testing.assert_array_equal(ours.backward(DY), theirs.backward(DY))


def test_the_gradient_is_that_of_the_step_with_its_noise():
    layer = away_from_the_start(noisy(amplitude=1.5))

    def loss(x):
        return weighted_sum(copy.deepcopy(layer), x)  # draws the same noise again

    before = copy.deepcopy(layer)
    weighted_sum(before)
    check_gradient(loss, X, before.backward(DY))


def test_in_inference_there_is_no_noise():
    layer, plain = noisy(), BatchNormalization(3)
    for _ in range(2):
        np.testing.assert_array_equal(
            layer.forward(X, training=False), plain.forward(X, training=False)
        )


@pytest.mark.parametrize("amplitude", [0.5, 1.5])
def test_a_units_mean_and_deviation_move_from_step_to_step_as_far_as_the_amplitude_says(
    amplitude,
):
    layer = noisy(amplitude=amplitude, jitter=0, epsilon=0)
    steps = np.array([layer.forward(X, training=True) for _ in range(3000)])
    means, deviations = steps.mean(axis=1), steps.std(axis=1)
    assert np.abs(means).max() <= amplitude
    np.testing.assert_allclose(means.std(), amplitude / np.sqrt(3), rtol=0.03)
    assert deviations.min() >= 1 - 1e-12
    assert deviations.max() <= 1 + amplitude / 2 + 1e-12
    np.testing.assert_allclose(deviations.mean(), 1 + amplitude / 4, rtol=0.01)


def test_jitter_makes_the_noise_differ_between_the_rows():
    layer = noisy(amplitude=0, jitter=0.1, epsilon=0)
    noise = np.array(
        [layer.forward(X, training=True) for _ in range(3000)]
    ) - BatchNormalization(3, epsilon=0).forward(X, training=True)
    x_hat = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = 0.1 * np.sqrt(1 / 3 + x_hat**2)
    np.testing.assert_allclose(noise.std(axis=0), expected, rtol=0.05)
    rows_of_a_unit = np.corrcoef(noise[:, :, 0], rowvar=False)
    np.testing.assert_allclose(rows_of_a_unit, np.eye(len(X)), atol=0.1)


def test_the_identity_changes_nothing_either_way():
    layer = Identity()
    np.testing.assert_array_equal(layer.forward(X, training=True), X)
    np.testing.assert_array_equal(layer.backward(DY), DY)
