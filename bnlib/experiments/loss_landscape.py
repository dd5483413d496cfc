"""Chapter 9. The loss along the gradient: how far it swings, and how fast the gradient turns.

After Santurkar et al. (2018), section 3.1 and their Figure 4: now and then in training a step of
several sizes is tried against the gradient of one batch, and the loss and the gradient of the same
batch are taken there.
"""

import copy

import numpy as np

from bnlib.experiments.common import (
    ACTIVATIONS,
    ARMS,
    every,
    flat,
    network,
    streams,
    train,
)
from bnlib.experiments.probes import (
    as_vector,
    get_params,
    loss_and_gradients,
    set_params,
    stepped,
)

NETWORKS = {
    # name: (activation, hidden widths, learning rate)
    "relu": ("relu", 3 * (64,), 0.1),
    "sigmoid": ("sigmoid", 3 * (64,), 0.5),
    "deep_relu": ("relu", 10 * (64,), 0.1),
}


def run(
    data,
    *,
    seed,
    networks=("relu", "sigmoid", "deep_relu"),
    steps=120,
    batch_size=64,
    interval=4,
    sizes=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0),
):
    """Train with batch norm and without, and look around every few steps.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    networks : sequence of {"relu", "sigmoid", "deep_relu"}
    steps, batch_size : int
    interval : int
        Steps between two looks.
    sizes : sequence of float
        Of the steps that are tried, in units of the learning rate.

    Returns
    -------
    dict
        `result[network][arm]`, with the arms "none" and "batchnorm". Each has, one number a look:
        `steps`; `loss`, where the network stands; `lowest` and `highest` loss over the sizes;
        `gradient_change`, the largest distance of a gradient from the one where it stands;
        `relative_change`, the same over that gradient's length; `smoothness`, the largest distance
        of a gradient over the length of the step (effective beta). And `accuracy` at the end.
    """
    split = flat(data)
    how = {"steps": steps, "batch_size": batch_size, "seed": seed}
    result = {}
    for name in networks:
        activation, hidden, rate = NETWORKS[name]
        result[name] = {}
        for arm, place in ARMS.items():
            options = {"batchnorm": place, **ACTIVATIONS[activation]}
            model = network(split, hidden, seed=seed, **options)
            probe = Probe(
                split, [rate * size for size in sizes], every(interval, steps), seed, batch_size
            )  # fmt: skip
            trained = train(model, split, learning_rate=rate, on_step=probe, **how)
            looks = {key: [look[key] for look in probe.looks] for key in probe.looks[0]}
            result[name][arm] = {**looks, "accuracy": trained["accuracy"][-1]}
    return result


class Probe:
    """Look along the gradient of a fresh batch: give it to `train` as `on_step`.

    Attributes
    ----------
    looks : list of dict, one a look; see `run`
    """

    def __init__(self, split, sizes, steps, seed, batch_size):
        self.split, self.sizes, self.steps = split, sizes, {0, *steps}
        self.batch_size, self.rng = batch_size, streams(seed).noise
        self.looks = []

    def __call__(self, step, model):
        """Look, if it is time to."""
        if step in self.steps:
            rows = self.rng.choice(len(self.split.x_train), self.batch_size, False)
            batch = self.split.x_train[rows], self.split.y_train[rows]
            self.looks.append({"steps": step, **look_around(model, *batch, self.sizes)})


def look_around(model, x, y, sizes):
    """Return what `run` says of one look; the network is left as it is.

    Parameters
    ----------
    model : Sequential
    x, y : ndarray
        One batch.
    sizes : sequence of float
        Of the steps, in units of the gradient.
    """
    model = copy.deepcopy(model)
    here = get_params(model)
    loss, gradients = loss_and_gradients(model, x, y)
    start = as_vector(gradients)
    losses, distances = [], []
    for size in sizes:
        set_params(model, stepped(here, gradients, size))
        there, slopes = loss_and_gradients(model, x, y)
        losses.append(there)
        distances.append(np.linalg.norm(as_vector(slopes) - start))
    length = np.linalg.norm(start)
    return {
        "loss": loss,
        "lowest": min(losses),
        "highest": max(losses),
        "gradient_change": max(distances),
        "relative_change": max(distances) / length,
        "smoothness": max(np.array(distances) / (np.array(sizes) * length)),
    }
