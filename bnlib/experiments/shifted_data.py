"""Chapter 8. Test images unlike the training images, by stored and by re-estimated statistics.

Three networks, without normalization, with batch norm and with layer norm, from the same kernels
and batches, label test images that were changed. Batch norm does so with the statistics of
training, with those of the changed images (Li et al., 2016, adaptive batch normalization; no label
is used), and with those of small batches of them.
"""

import copy

import numpy as np

from bnlib.deployment import reestimate
from bnlib.diagnostics import layer_outputs
from bnlib.experiments.common import flat, network, streams, train
from bnlib.norms import LayerNormalization
from bnlib.training import evaluate

NETWORKS = {
    "none": {"batchnorm": None},
    "batchnorm": {"batchnorm": "before"},
    "layernorm": {"batchnorm": "before", "normalization": LayerNormalization},
}


def _translate(x):
    side = int(np.sqrt(x.shape[1]))
    images = np.pad(x.reshape(-1, side, side), ((0, 0), (0, 0), (1, 0)))
    return images[:, :, :side].reshape(x.shape)


SHIFTS = {
    # name: a function of images as rows, from 0 to 1, and of a generator
    "unchanged": lambda x, rng: x,
    "brightness": lambda x, rng: x + 0.5,
    "gain": lambda x, rng: 0.3 * x,
    "gain and brightness": lambda x, rng: 3 * x + 1,
    "pixel gain": lambda x, rng: (
        rng.uniform(0.3, 2, x.shape[1]) * x + rng.uniform(-0.5, 0.5, x.shape[1])
    ),
    "noise": lambda x, rng: x + rng.normal(0, 0.3, x.shape),
    "translation": lambda x, rng: _translate(x),
    "inversion": lambda x, rng: 1 - x,
}


def run(
    data,
    *,
    seed,
    shifts=tuple(SHIFTS),
    steps=400,
    small_batch=10,
    hidden=(64, 64),
    learning_rate=0.1,
    batch_size=64,
):
    """Train the three networks and test them on every kind of changed images.

    Parameters
    ----------
    data : bnlib.datasets.Split
        Of square images.
    seed : int
    shifts : sequence of str
        Of `SHIFTS`.
    steps : int
    small_batch : int
    hidden : sequence of int
        Widths of the hidden layers, of ReLU units.
    learning_rate : float
    batch_size : int
        In training.

    Returns
    -------
    dict
        For each shift the accuracies `none`, `layernorm`, `batchnorm` (by stored statistics),
        `reestimated` (by those of all changed images) and `small` (by those of small batches); and
        `agreement`, the share of images that re-estimated statistics give the same label as before
        the change.
    """
    data = flat(data)
    models = {}
    for name, options in NETWORKS.items():
        models[name] = network(data, hidden, seed=seed, **options)
        train(
            models[name],
            data,
            steps=steps,
            seed=seed,
            learning_rate=learning_rate,
            batch_size=batch_size,
            evaluate_at=[],
        )
    # Exact statistics of the training images: what follows is no fault of a moving average.
    reestimate(models["batchnorm"], data.x_train)
    before = _adapted(models["batchnorm"], data.x_test)
    return {
        name: _test(models, data, SHIFTS[name], small_batch, seed, before)
        for name in shifts
    }


def _test(models, data, shift, small_batch, seed, before):
    x = shift(data.x_test, streams(seed).noise).astype(data.x_test.dtype)
    adapted = _adapted(models["batchnorm"], x)
    small = [
        layer_outputs(models["batchnorm"], rows, training=True)[-1]
        for rows in np.split(x, range(small_batch, len(x), small_batch))
    ]
    return {
        **{
            name: evaluate(model, x, data.y_test).accuracy
            for name, model in models.items()
        },
        "reestimated": _share(adapted == data.y_test),
        "small": _share(np.concatenate(small).argmax(axis=1) == data.y_test),
        "agreement": _share(adapted == before),
    }


def _adapted(model, x):
    """Labels by the statistics of `x` itself."""
    model = copy.deepcopy(model)
    reestimate(model, x)
    return model.forward(x, training=False).argmax(axis=1)


def _share(values):
    return float(np.mean(values))
