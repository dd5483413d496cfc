"""Chapters 1 and 6. Inputs on unlike scales: age in years beside miles driven.

A linear model, where the condition number of the Hessian tells all; and a small network, with batch
norm inside it and as its first layer.
"""

import math

import numpy as np

from bnlib.datasets import Split, age_and_miles
from bnlib.experiments.common import network, streams, train
from bnlib.layers import BatchNormalization, Sequential
from bnlib.standardization import limits, min_max_scale, moments, standardize

# What is done to the inputs, and where batch norm stands in the network.
NETWORKS = {
    "raw": ("raw", None),
    "raw, batch norm inside": ("raw", "inside"),
    "raw, batch norm first": ("raw", "first"),
    "min-max": ("min-max", None),
    "standardized": ("standardized", None),
}
RATES = (1e-9, 1e-7, 1e-5, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0)


def run(
    data=None,
    *,
    seed,
    m=500,
    goal=1e-6,
    most=2000,
    hidden=(32, 32),
    rates=RATES,
    steps=300,
    batch_size=64,
):
    """Measure the linear model's descent, and train the networks.

    Parameters
    ----------
    data : None
        People are made up from the seed, as in chapter 1.
    seed : int
    m : int
        How many, to train on and as many again to test on.
    goal : float
        The share of the excess loss, the loss above its minimum, that the descent is to reach.
    most : int
        Steps of gradient descent after which to give up.
    hidden : sequence of int
    rates : sequence of float
        Learning rates, tried on each network.
    steps, batch_size : int
        Of the networks.

    Returns
    -------
    dict
        `linear[features]`, for each of `treatments`: the `condition` number of the Hessian, bias
        included; the `largest_rate` that is stable; at the best rate, the `iterations` to the goal
        (None where `most` did not reach it), the `bound` that theory sets on them, and the excess
        that is `left` at the end.
        `network[name]`, for each of `NETWORKS`: the test accuracy, one number a rate, on a question
        that needs both features: are age and miles on the same side of their middles?
    """
    x, y = age_and_miles(m, rng=np.random.default_rng(seed))
    return {
        "linear": {
            name: descent(features, y, goal=goal, most=most)
            for name, features in treatments(x).items()
        },
        "network": {
            name: [
                _accuracy(
                    people(m, inputs, seed=seed),
                    place,
                    hidden,
                    seed=seed,
                    steps=steps,
                    learning_rate=rate,
                    batch_size=batch_size,
                )
                for rate in rates
            ]
            for name, (inputs, place) in NETWORKS.items()
        },
    }


def treatments(x):
    """Return the same features in five ways.

    Examples
    --------
    >>> list(treatments(np.array([[1.0], [3.0]])))
    ['raw', 'centred', 'divided by sd', 'min-max', 'standardized']
    """
    _, mean, variance = moments(x)
    return {
        "raw": x,
        "centred": x - mean,
        "divided by sd": x / np.sqrt(variance),
        "min-max": min_max_scale(x),
        "standardized": standardize(x),
    }


def descent(x, y, *, goal, most):
    """Run gradient descent on a linear model with a bias, at its best rate, from zero weights.

    Parameters
    ----------
    x : ndarray of shape (m, d)
    y : ndarray of shape (m, 1)
    goal : float
    most : int

    Returns
    -------
    dict
        See `run`.
    """
    a = np.column_stack([x, np.ones(len(x))])
    hessian = 2 * a.T @ a / len(a)  # of the mean squared error
    smallest, *_, largest = np.linalg.eigvalsh(hessian)
    step = np.eye(len(hessian)) - 2 / (smallest + largest) * hessian
    error = -np.linalg.lstsq(a, y)[0].ravel()  # from the best weights
    start, left, iterations = error @ hessian @ error, 1.0, 0
    while left > goal and iterations < most:
        error = step @ error
        left = error @ hessian @ error / start
        iterations += 1
    condition = largest / smallest
    return {
        "condition": condition,
        "largest_rate": 2 / largest,
        "iterations": iterations if left <= goal else None,
        "bound": math.ceil(condition / 4 * math.log(1 / goal)),
        "left": left,
    }


def people(m, inputs, *, seed):
    """Return people to train and to test on, and whether both features lie on the same side.

    Parameters
    ----------
    m : int
    inputs : {"raw", "min-max", "standardized"}
        What is done to the features, by the statistics of those to train on.
    seed : int

    Returns
    -------
    bnlib.datasets.Split
        `x` of shape (m, 2), float64; `y` of shape (m,), 0 or 1.
    """
    x, _ = age_and_miles(2 * m, rng=streams(seed).noise)
    middle = (18 + 90) / 2, (1e3 + 1e5) / 2
    y = (np.sign(x - middle).prod(axis=1) > 0).astype(int)
    scale = {
        "raw": lambda rows: rows,
        "min-max": lambda rows: min_max_scale(rows, limits(x[:m])),
        "standardized": lambda rows: standardize(rows, moments(x[:m])),
    }[inputs]
    return Split(scale(x[:m]), y[:m], scale(x[m:]), y[m:])


def _accuracy(split, place, hidden, *, seed, **how):
    """Train one network, in float64, so that the size of the miles costs no digits."""
    inside = "before" if place == "inside" else None
    model = network(split, hidden, seed=seed, batchnorm=inside, dtype="float64")
    if place == "first":
        norm = BatchNormalization(split.x_train.shape[1], momentum=0.9)
        model = Sequential([norm, *model.layers])
    return train(model, split, seed=seed, **how)["accuracy"][-1]
