"""Chapter 6. Learning rates over five decades, with batch norm and without.

Three hidden layers of 64 units, plain gradient descent for a few epochs; one run a rate.
"""

import numpy as np

from bnlib.experiments.common import ACTIVATIONS, ARMS, flat, network, train

RATES = tuple(10 ** (half / 2) for half in range(-6, 5))


def run(
    data,
    *,
    seed,
    rates=RATES,
    activations=("relu", "sigmoid"),
    hidden=(64, 64, 64),
    steps=200,
    batch_size=64,
):
    """Train a network a rate, an activation and an arm.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    rates : sequence of float
    activations : sequence of {"relu", "sigmoid", "tanh"}
    hidden : sequence of int
    steps, batch_size : int

    Returns
    -------
    dict
        `result[activation][arm]`: the test accuracy, one number a rate; that of chance where the
        run diverged. The arms are "none" and "batchnorm".
    """
    split = flat(data)

    def accuracy(activation, place, rate):
        options = {"batchnorm": place, **ACTIVATIONS[activation]}
        model = network(split, hidden, seed=seed, **options)
        how = {"steps": steps, "batch_size": batch_size, "learning_rate": rate}
        return train(model, split, seed=seed, **how)["accuracy"][-1]

    return {
        activation: {
            arm: [accuracy(activation, place, rate) for rate in rates]
            for arm, place in ARMS.items()
        }
        for activation in activations
    }


def workable_decades(accuracy, rates=RATES, *, level=0.9):
    """Decades of rates at which a network gets that accurate: each rate counts for its spacing.

    Parameters
    ----------
    accuracy : array_like of shape (..., rates)
    rates : sequence of float
        In constant ratio.
    level : float

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> float(workable_decades([0.5, 0.95, 0.96, 0.1], [0.01, 0.1, 1, 10]))
    2.0
    """
    spacing = np.diff(np.log10(rates)).mean()
    return (np.asarray(accuracy) >= level).sum(axis=-1) * spacing
