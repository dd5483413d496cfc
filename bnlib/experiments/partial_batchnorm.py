"""Chapter 9. Which part of batch norm does the work: the mean, the variance, or their gradient.

The same network without batch norm, with it, with its mean only, with its variance only, and with
statistics that the gradient takes for constants, at several learning rates.
"""

from functools import partial

import numpy as np

from bnlib.experiments.common import ACTIVATIONS, flat, network, train
from bnlib.experiments.variants import PartialBatchNormalization
from bnlib.layers import Dense

PARTS = {
    "batchnorm": {},
    "mean_only": {"divide": False},
    "variance_only": {"subtract": False},
    "detached": {"detach": True},
}


def run(
    data,
    *,
    seed,
    hidden=(100, 100, 100),
    rates=(0.1, 0.3, 1.0, 3.0),
    activations=("sigmoid", "relu"),
    steps=300,
    batch_size=60,
):
    """Train a network for each activation, arm and rate.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    hidden : sequence of int
    rates : sequence of float
    activations : sequence of {"relu", "sigmoid", "tanh"}
    steps, batch_size : int

    Returns
    -------
    dict
        `result[activation][arm]`, with the arms "none", "batchnorm", "mean_only", "variance_only"
        and "detached". Each has, one entry a rate, `accuracy` on the test images, in inference;
        `largest_bias` of the hidden dense layers, which stays 0 where the mean is subtracted and
        the gradient knows it; and `diverged`.
    """
    split = flat(data)
    how = {"steps": steps, "batch_size": batch_size, "seed": seed}

    def rows(activation, arm):
        for rate in rates:
            options = {**ACTIVATIONS[activation], **options_of(arm)}
            model = network(split, hidden, seed=seed, **options)
            trained = train(model, split, learning_rate=rate, **how)
            yield {
                "accuracy": trained["accuracy"][-1],
                "largest_bias": largest_bias(model),
                "diverged": trained["diverged"],
            }

    return {
        activation: {arm: transposed(rows(activation, arm)) for arm in ("none", *PARTS)}
        for activation in activations
    }


def options_of(arm):
    """Return what `dense_network` builds an arm with."""
    if arm == "none":
        return {}
    normalization = partial(PartialBatchNormalization, momentum=0.9, **PARTS[arm])
    return {"batchnorm": "before", "normalization": normalization}


def largest_bias(model):
    """Return the largest size of a bias of the hidden dense layers."""
    hidden = [layer for layer in model.layers if isinstance(layer, Dense)][:-1]
    return float(max(np.abs(layer.params["bias"]).max() for layer in hidden))


def transposed(rows):
    """Turn dicts of numbers into a dict of lists.

    Examples
    --------
    >>> transposed([{"a": 1}, {"a": 2}])
    {'a': [1, 2]}
    """
    rows = list(rows)
    return {key: [row[key] for row in rows] for key in rows[0]}
