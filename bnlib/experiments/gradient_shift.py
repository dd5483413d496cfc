"""Chapter 9. How much the gradient of a layer changes when the layers below it have moved.

Internal covariate shift as defined by Santurkar et al. (2018), definition 2.1: take a batch's
gradients, move the layers below one layer by their step, and take that layer's gradient again on
the same batch. Networks of ReLUs and of tanh on images, and their deep linear network, which learns
a linear map of Gaussian data.
"""

import copy
from functools import partial

import numpy as np

from bnlib.checks import NonFiniteError
from bnlib.experiments.common import (
    ACTIVATIONS,
    ARMS,
    endless_batches,
    flat,
    network,
    streams,
)
from bnlib.experiments.probes import (
    get_params,
    loss_and_gradients,
    set_params,
    stepped,
)
from bnlib.experiments.variants import Identity
from bnlib.layers import Dense, dense_network
from bnlib.losses import mean_squared_error, softmax_cross_entropy
from bnlib.training import SGD, train_step

RATES = {
    "relu": (0.01, 0.03, 0.1, 0.3, 1.0),
    "tanh": (0.01, 0.03, 0.1, 0.3, 1.0),
    "linear": (0.003, 0.01, 0.03, 0.1, 0.3),
}


def run(
    data,
    *,
    seed,
    networks=("relu", "tanh", "linear"),
    hidden=(64, 64, 64, 64),
    linear=(10, 20),
    steps=120,
    batch_size=64,
    interval=10,
):
    """Train a network for each rate, with batch norm and without, and look every few steps.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    networks : sequence of {"relu", "tanh", "linear"}
    hidden : sequence of int
        Widths of the networks on images.
    linear : (layers, width)
        Of the deep linear network.
    steps, batch_size : int
    interval : int
        Steps between two looks.

    Returns
    -------
    dict
        `result[network]["rates"]`, and `result[network][arm]` with the arms "none" and
        "batchnorm". Each has, one entry a rate: `change`, the length of the difference of the two
        gradients over that of the first, and `cosine` of the two, both the median over the looks
        and over all dense layers but the first; `loss`, the mean of the last tenth of the steps;
        `diverged`.
    """
    result = {}
    for name in networks:
        task = (
            _deep_linear(linear, seed)
            if name == "linear"
            else _images(data, name, hidden, seed)
        )
        result[name] = {"rates": list(RATES[name])}
        for arm, place in ARMS.items():
            rows = [
                follow(
                    *task(place), rate=rate, steps=steps, batch_size=batch_size, interval=interval,
                    seed=seed,
                )
                for rate in RATES[name]
            ]  # fmt: skip
            result[name][arm] = {key: [row[key] for row in rows] for key in rows[0]}
    return result


def follow(model, x, y, loss, *, rate, steps, batch_size, interval, seed):
    """Train, look at the shift every `interval` steps, and return a row of `run`'s result."""
    batches = endless_batches(len(x), batch_size, rng=streams(seed).batches)
    looks, losses, diverged = [], [], False
    for step in range(steps):
        rows = next(batches)
        with np.errstate(all="ignore"):
            try:
                if step % interval == 0:
                    looks += shifts(model, x[rows], y[rows], loss, rate)
                value, _ = train_step(
                    model, x[rows], y[rows], loss=loss, optimizer=SGD(rate)
                )
            except NonFiniteError:
                value = np.nan
        losses.append(value)
        if not np.isfinite(value):
            diverged = True
            break
    looks = np.array([look for look in looks if np.isfinite(look).all()])
    change, cosine = np.median(looks, axis=0)
    final = np.inf if diverged else np.mean(losses[-max(steps // 10, 1) :])
    return {"change": change, "cosine": cosine, "loss": final, "diverged": diverged}


def shifts(model, x, y, loss, rate):
    """Return the relative change and the cosine for each dense layer but the first.

    The network is left as it is.

    Parameters
    ----------
    model : Sequential
    x, y : ndarray
        One batch.
    loss : function of (outputs, y) that returns the loss and its gradient
    rate : float
        Of the step of the layers below.

    Returns
    -------
    list of (change, cosine)
    """
    model = copy.deepcopy(model)
    old = get_params(model)
    _, gradients = loss_and_gradients(model, x, y, loss=loss)
    new = stepped(old, gradients, rate)
    found = []
    for i, layer in enumerate(model.layers):
        if i > 0 and isinstance(layer, Dense):
            set_params(model, new[:i] + old[i:])
            _, moved = loss_and_gradients(model, x, y, loss=loss)
            found.append(compare(gradients[i]["kernel"], moved[i]["kernel"]))
    return found


def compare(before, after):
    """Return the relative change and the cosine of two gradients.

    Examples
    --------
    >>> compare(np.array([3.0, 4.0]), np.array([-4.0, 3.0]))
    (1.4142135623730951, 0.0)
    """
    before, after = (v.ravel().astype(np.float64) for v in (before, after))
    lengths = np.linalg.norm(before), np.linalg.norm(after)
    change = np.linalg.norm(after - before) / lengths[0]
    return float(change), float(before @ after / np.prod(lengths))


def _images(data, activation, hidden, seed):
    """Return what makes a network with its data and loss."""
    split = flat(data)

    def task(place):
        model = network(
            split, hidden, seed=seed, batchnorm=place, **ACTIVATIONS[activation]
        )
        return model, split.x_train, split.y_train, softmax_cross_entropy

    return task


def _deep_linear(shape, seed):
    """Return the same for a deep linear network and a random linear map."""
    layers, width = shape
    rng = streams(seed).noise
    x = rng.normal(size=(1000, width))
    y = x @ rng.normal(0, 1 / np.sqrt(width), (width, width))
    build = partial(
        dense_network,
        [width] * (layers + 1),
        activation=Identity,
        kernel_initializer="glorot_normal",
        momentum=0.9,
    )
    return lambda place: (
        build(rng=streams(seed).kernels, batchnorm=place), x, y, mean_squared_error,
    )  # fmt: skip
