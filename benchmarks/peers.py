"""The contestants of one forward and one backward pass, and those of inference.

Each takes a `Batch` and returns a function without arguments. A forward pass also moves the moving
averages, in the libraries as in the textbook versions: nobody is spared it. Keras is compiled by
`tf.function` and uses all cores, as it does by default; all others run on one.
"""

from typing import NamedTuple

import numpy as np

from benchmarks import least, textbook
from benchmarks.timing import Contestant
from bnlib import update_moving_average
from bnlib.fastnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
)

EPSILON = 1e-3
MOMENTUM = 0.99


class Batch(NamedTuple):
    """What all contestants are given; each may convert it before its time runs."""

    x: np.ndarray  # (..., d)
    dy: np.ndarray  # (..., d)
    gamma: np.ndarray  # (d,) float64
    beta: np.ndarray  # (d,) float64


def make_batch(shape, dtype, *, rng):
    """Draw a batch away from the identity."""
    d = shape[-1]
    x = rng.normal(3, 2, shape).astype(dtype)
    dy = rng.normal(0, 1, shape).astype(dtype)
    return Batch(x, dy, rng.uniform(0.5, 2, d), rng.normal(0, 1, d))


def check_agreement(calls, *, tolerance=1e-3):
    """Refuse a contestant whose numbers are not those of the first one.

    Raises
    ------
    ValueError
        With the name of the contestant and the result that is off.
    """
    (leader, call), *others = calls.items()
    expected = [np.asarray(value, np.float64) for value in call()]
    for name, other in others:
        for which, (value, want) in enumerate(zip(other(), expected, strict=True)):
            error = np.linalg.norm(np.asarray(value, np.float64) - want)
            if not error <= tolerance * np.linalg.norm(want):
                raise ValueError(
                    f"{name} must compute what {leader} computes. "
                    f"Received: result {which} off by {error:.2g}"
                )


def _bnlib(batch, **options):
    x, dy, gamma, beta = batch
    moving = [np.zeros(len(gamma)), np.ones(len(gamma))]

    def step():
        y, cache = batchnorm_forward(x, gamma, beta, epsilon=EPSILON, **options)
        for i, value in enumerate((cache.mean, cache.variance)):
            moving[i] = update_moving_average(moving[i], value, momentum=MOMENTUM)
        return y, *batchnorm_backward(dy, cache)

    return step


def _bnlib_fused(batch):
    from bnlib import fused

    return _bnlib(batch, engine=fused)


def _textbook(batch, backward):
    x, dy = (a.reshape(-1, a.shape[-1]) for a in batch[:2])
    gamma, beta = (a.astype(x.dtype) for a in batch[2:])
    moving = np.stack([np.zeros_like(gamma), np.ones_like(gamma)])

    def step():
        y, saved = textbook.forward(x, gamma, beta, epsilon=EPSILON)
        for i, value in enumerate(saved[-2:]):
            moving[i] = MOMENTUM * moving[i] + (1 - MOMENTUM) * value
        dx, dgamma, dbeta = backward(dy, saved)
        return y.reshape(batch.x.shape), dx.reshape(batch.x.shape), dgamma, dbeta

    return step


def _staged(batch):
    return _textbook(batch, textbook.staged_backward)


def _closed(batch):
    return _textbook(batch, textbook.closed_backward)


def _least(batch):
    return least.build_passes(batch, EPSILON)


def _keras_layer(batch):
    import keras

    layer = keras.layers.BatchNormalization(
        epsilon=EPSILON, momentum=MOMENTUM, dtype=batch.x.dtype.name
    )
    layer.build(batch.x.shape)
    moving = np.zeros(len(batch.beta)), np.ones(len(batch.beta))
    layer.set_weights([batch.gamma, batch.beta, *moving])
    return layer


def _keras(batch):
    import tensorflow as tf

    layer = _keras_layer(batch)
    x, dy = tf.constant(batch.x), tf.constant(batch.dy)

    @tf.function
    def step(x, dy):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        sources = [x, layer.gamma.value, layer.beta.value]
        return y, *tape.gradient(y, sources, output_gradients=dy)

    return lambda: step(x, dy)


def _torch_tensors(batch):
    """Return the batch as tensors, features second as PyTorch wants them, without a copy."""
    import torch

    torch.set_num_threads(1)
    gamma, beta = (torch.tensor(a.astype(batch.x.dtype)) for a in batch[2:])
    moving = torch.zeros_like(gamma), torch.ones_like(gamma)
    x, dy = (torch.movedim(torch.from_numpy(a), -1, 1) for a in batch[:2])
    return x, dy, gamma, beta, moving


def _torch(batch):
    import torch

    x, dy, gamma, beta, moving = _torch_tensors(batch)
    sources = [tensor.requires_grad_() for tensor in (x, gamma, beta)]
    options = {"training": True, "momentum": 1 - MOMENTUM, "eps": EPSILON}

    def step():
        y = torch.nn.functional.batch_norm(x, *moving, gamma, beta, **options)
        dx, dgamma, dbeta = torch.autograd.grad(y, sources, dy)
        return y.detach().movedim(1, -1), dx.movedim(1, -1), dgamma, dbeta

    return step


def _bnlib_inference(batch, **options):
    x, _, gamma, beta = batch
    moving = np.full(len(gamma), 3.0), np.full(len(gamma), 4.0)
    return lambda: (
        batchnorm_inference(x, gamma, beta, *moving, epsilon=EPSILON, **options),
    )


def _bnlib_fused_inference(batch):
    from bnlib import fused

    return _bnlib_inference(batch, engine=fused)


def _least_inference(batch):
    ones = np.ones(len(batch.gamma))
    return least.build_inference(batch, 3 * ones, 4 * ones, EPSILON)


def _keras_inference(batch):
    import tensorflow as tf

    layer, x = _keras_layer(batch), tf.constant(batch.x)
    layer.moving_mean.assign(np.full(len(batch.gamma), 3.0))
    layer.moving_variance.assign(np.full(len(batch.gamma), 4.0))
    step = tf.function(lambda x: layer(x, training=False))
    return lambda: (step(x),)


def _torch_inference(batch):
    import torch

    x, _, gamma, beta, (mean, variance) = _torch_tensors(batch)
    mean, variance = torch.full_like(mean, 3), torch.full_like(variance, 4)

    def step():
        with torch.inference_mode():
            y = torch.nn.functional.batch_norm(
                x, mean, variance, gamma, beta, eps=EPSILON
            )
            return (y.movedim(1, -1),)

    return step


FUSED = ("numba", "bnlib.fused")
KERAS = ("keras", "tensorflow")
PASSES = [
    Contestant("bnlib", _bnlib),
    Contestant("bnlib fused", _bnlib_fused, FUSED),
    Contestant("staged", _staged),
    Contestant("closed form", _closed),
    Contestant(least.NAME, _least),
    Contestant("Keras", _keras, KERAS),
    Contestant("PyTorch", _torch, ("torch",)),
]
INFERENCE = [
    Contestant("bnlib", _bnlib_inference),
    Contestant("bnlib fused", _bnlib_fused_inference, FUSED),
    Contestant(least.NAME, _least_inference),
    Contestant("Keras", _keras_inference, KERAS),
    Contestant("PyTorch", _torch_inference, ("torch",)),
]
