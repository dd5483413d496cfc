"""A training step of the paper's kind of network, and an epoch, beside Keras and PyTorch.

The network is 784-300-200-100-10, ReLU, batch norm before each activation, float32, gradient
descent with momentum 0.9. All data are random: a step takes as long on any.
"""

from itertools import pairwise

import numpy as np

from benchmarks import goals, least
from benchmarks.passes import row
from benchmarks.timing import Contestant, compare, installed, run_rounds
from bnlib import SGD, dense_network, fit, softmax_cross_entropy
from bnlib.training import train_step

WIDTHS = [784, 300, 200, 100, 10]
BATCH = 32
STEPS = 20  # of one call of `model.fit`, whose own start is spread over them
EPOCH_BATCH = 128
OPTIONS = {"learning_rate": 0.01, "momentum": 0.9}


def run_training(*, quick=False):
    """Yield one row: a training step at batch 32."""
    present, _ = installed(STEP)
    calls = {contestant.name: contestant.build() for contestant in present}
    times = compare(calls, seconds=2 if quick else 15, least=3)
    if "Keras fit" in times:
        times["Keras fit"] /= STEPS
    yield row((BATCH, WIDTHS[0]), "float32", times, goals.TRAINING)


def run_epoch(*, quick=False):
    """Yield one row: an epoch of 60,000 rows at batch 128."""
    m = 3_000 if quick else 60_000
    present, _ = installed(EPOCH)
    calls = {contestant.name: contestant.build(m) for contestant in present}
    times = run_rounds(calls, 2 if quick else 3)
    yield row((m, WIDTHS[0]), "float32", times, goals.EPOCH)


def _data(m):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(m, WIDTHS[0])).astype(np.float32)
    return x, rng.integers(0, WIDTHS[-1], m)


def _bnlib_network():
    rng = np.random.default_rng(0)
    return dense_network(WIDTHS, rng=rng, batchnorm="before", dtype="float32")


def _bnlib_step():
    model, optimizer = _bnlib_network(), SGD(**OPTIONS)
    x, y = _data(BATCH)
    return lambda: train_step(
        model, x, y, loss=softmax_cross_entropy, optimizer=optimizer
    )


def _bnlib_epoch(m):
    model, optimizer, rng = _bnlib_network(), SGD(**OPTIONS), np.random.default_rng(0)
    options = {"optimizer": optimizer, "batch_size": EPOCH_BATCH, "rng": rng}
    fit(model, *_data(2 * EPOCH_BATCH), epochs=1, **options)
    x, y = _data(m)
    return lambda: fit(model, x, y, epochs=1, **options)


def _epoch_of_products(m):
    products = least.build_products(WIDTHS, EPOCH_BATCH)
    return lambda: [products() for _ in range(m // EPOCH_BATCH)]


def _keras_network(metrics=()):
    import keras

    layers = [keras.Input((WIDTHS[0],))]
    for units in WIDTHS[1:-1]:
        layers += [
            keras.layers.Dense(units, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    model = keras.Sequential([*layers, keras.layers.Dense(WIDTHS[-1])])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(**OPTIONS)
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))
    return model


def _keras_fit_steps():
    model, (x, y) = _keras_network(), _data(STEPS * BATCH)
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def _keras_train_on_batch():
    model, (x, y) = _keras_network(), _data(BATCH)
    return lambda: model.train_on_batch(x, y)


def _keras_epoch(m):
    model = _keras_network(metrics=["accuracy"])  # `bnlib.fit` counts it too
    options = {"batch_size": EPOCH_BATCH, "epochs": 1, "verbose": 0}
    model.fit(*_data(2 * EPOCH_BATCH), **options)
    x, y = _data(m)
    return lambda: model.fit(x, y, **options)


def _torch_step():
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers = []
    for inputs, units in pairwise(WIDTHS[:-1]):
        dense = nn.Linear(inputs, units, bias=False)
        layers += [dense, nn.BatchNorm1d(units, eps=1e-3, momentum=0.01), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(*WIDTHS[-2:]))
    optimizer = torch.optim.SGD(
        model.parameters(), OPTIONS["learning_rate"], OPTIONS["momentum"]
    )
    x, y = map(torch.from_numpy, _data(BATCH))

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


KERAS = ("keras", "tensorflow")
STEP = [
    Contestant("bnlib", _bnlib_step),
    Contestant(least.NAME, lambda: least.build_products(WIDTHS, BATCH)),
    Contestant("Keras fit", _keras_fit_steps, KERAS),
    Contestant("Keras train_on_batch", _keras_train_on_batch, KERAS),
    Contestant("PyTorch", _torch_step, ("torch",)),
]
EPOCH = [
    Contestant("bnlib", _bnlib_epoch),
    Contestant(least.NAME, _epoch_of_products),
    Contestant("Keras fit", _keras_epoch, KERAS),
]
