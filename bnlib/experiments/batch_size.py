"""Chapter 8. Batches of 1 to 128: what their statistics are worth, and what training is.

At equal epochs and with the learning rate in proportion to the batch, and the moving averages
remember the same number of images at every size.
"""

import copy
from functools import partial

import numpy as np

from bnlib.deployment import reestimate
from bnlib.experiments.common import flat, network, streams, train
from bnlib.experiments.probes import accuracy_by_batch
from bnlib.layers import BatchNormalization
from bnlib.norms import BatchRenormalization, LayerNormalization
from bnlib.training import evaluate

CLIPPING = {"rmin": 1 / 3, "rmax": 3.0, "dmax": 5.0}


def run(
    data,
    *,
    seed,
    sizes=(1, 2, 4, 8, 16, 32, 64, 128),
    arms=("none", "batchnorm", "layernorm", "renorm"),
    hidden=(64, 64),
    images=800,
    epochs=4,
    rate_of_32=0.1,
    draws=2000,
):
    """Train a network for each size and arm, and draw batches to see their statistics.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    sizes : sequence of int
        Of the batches.
    arms : sequence of {"none", "batchnorm", "layernorm", "renorm"}
    hidden : sequence of int
    images : int
        How many to train on.
    epochs : int
    rate_of_32 : float
        The learning rate at batches of 32.
    draws : int
        How many batches the statistics are taken of.

    Returns
    -------
    dict
        `sizes`, and one number a size in all else. `statistics`: `mean_error`, the standard
        deviation of the batch's mean over that of the images, and `variance_share`, the mean of the
        batch's biased variance over that of the images, each the average over the first layer's
        units. Each arm has `accuracy` on the test images, in inference, and `diverged`; those with
        moving statistics also `batch_statistics`, the accuracy where the test images come in
        batches of that size, each normalized by its own statistics, and `reestimated`, by
        statistics of all training images.
    """
    split = flat(data)
    split = split._replace(
        x_train=split.x_train[:images], y_train=split.y_train[:images]
    )
    first = network(split, hidden, seed=seed).layers[0]
    features = first.forward(split.x_train, training=False).astype(np.float64)
    rng = streams(seed).noise
    result = {
        "sizes": list(sizes),
        "statistics": _columns(
            batch_statistics(features, size, draws, rng=rng) for size in sizes
        ),
    }
    for arm in arms:
        result[arm] = _columns(
            train_one(split, arm, size, hidden, epochs, rate_of_32, seed)
            for size in sizes
        )
    return result


def batch_statistics(features, size, draws, *, rng):
    """Spread of the batch's mean and bias of its variance, over batches drawn with replacement.

    Parameters
    ----------
    features : ndarray of shape (m, d)
        What the batches are drawn from.
    size, draws : int
    rng : numpy.random.Generator

    Returns
    -------
    dict
        See `run`. In theory 1 / sqrt(size), and 1 - 1 / size.

    Examples
    --------
    >>> features = np.random.default_rng(0).normal(size=(500, 10))
    >>> found = batch_statistics(features, 2, 2000, rng=np.random.default_rng(1))
    >>> {name: round(value, 1) for name, value in found.items()}
    {'mean_error': 0.7, 'variance_share': 0.5}
    """
    drawn = rng.integers(len(features), size=(draws, size))
    means = np.empty((draws, features.shape[1]))
    variances = np.zeros_like(means)
    for i, rows in enumerate(drawn):
        means[i], variances[i] = features[rows].mean(axis=0), features[rows].var(axis=0)
    return {
        "mean_error": float((means.std(axis=0) / features.std(axis=0)).mean()),
        "variance_share": float((variances.mean(axis=0) / features.var(axis=0)).mean()),
    }


def train_one(split, arm, size, hidden, epochs, rate_of_32, seed):
    """Train one network and return its row of numbers."""
    model = network(split, hidden, seed=seed, **options_of(arm, size))
    trained = train(
        model,
        split,
        steps=epochs * (len(split.x_train) // size),
        seed=seed,
        learning_rate=rate_of_32 * size / 32,
        batch_size=size,
    )
    row = {"accuracy": trained["accuracy"][-1], "diverged": trained["diverged"]}
    if arm not in ("batchnorm", "renorm"):
        return row
    x, y = split.x_test, split.y_test
    row["batch_statistics"] = accuracy_by_batch(
        copy.deepcopy(model), x, y, batch_size=size
    )
    reestimate(model, split.x_train)
    return {**row, "reestimated": evaluate(model, x, y).accuracy}


def options_of(arm, size):
    """Return what `dense_network` builds an arm with."""
    momentum = 0.9 ** (size / 32)  # the same number of images is remembered
    normalizations = {
        "batchnorm": partial(BatchNormalization, momentum=momentum),
        "layernorm": LayerNormalization,
        "renorm": partial(
            BatchRenormalization,
            momentum=momentum,
            renorm_momentum=momentum,
            renorm_clipping=CLIPPING,
        ),
    }
    if arm == "none":
        return {}
    return {"batchnorm": "before", "normalization": normalizations[arm]}


def _columns(rows):
    rows = list(rows)
    return {key: [row[key] for row in rows] for key in rows[0]}
