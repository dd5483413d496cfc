"""Chapter 9. Batch norm with random shifts of its outputs: does training suffer from the shift.

After Santurkar et al. (2018), section 2.1: every batch norm is followed by a shift and a scale that
are new at every step, so that what the units receive moves more than without any batch norm.
"""

import copy
from functools import partial

import numpy as np

from bnlib.diagnostics import layer_outputs
from bnlib.experiments.common import (
    ACTIVATIONS,
    every,
    flat,
    network,
    streams,
    train,
)
from bnlib.experiments.variants import NoisyBatchNormalization
from bnlib.layers import Activation

PERCENTILES = (15, 50, 85)


def run(
    data,
    *,
    seed,
    cases=(("sigmoid", 0.5), ("relu", 0.1)),
    amplitudes=(0.5, 1.5),
    hidden=(100, 100, 100),
    steps=240,
    batch_size=64,
    interval=6,
    watched=256,
):
    """Train without batch norm, with it, and with noise after it.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    cases : sequence of (activation, learning rate)
    amplitudes : sequence of float
        Of the noise; 0.5 is that of the paper.
    hidden : sequence of int
    steps, batch_size : int
    interval : int
        Steps between two looks.
    watched : int
        The number of training images that the units are watched on.

    Returns
    -------
    dict
        `result[activation][arm]`, with the arms "none", "batchnorm" and one an amplitude, such as
        "noisy_0.5". Each has `steps`, and at each of them `accuracy` on the test images, in
        inference, where there is no noise; `percentiles`, the 15th, 50th and 85th of what the first
        unit of the last hidden layer receives, in training mode; and `instability`, one number a
        hidden layer: the standard deviation over the steps of the mean of what a unit receives,
        averaged over the units.
    """
    split = flat(data)
    how = {"steps": steps, "batch_size": batch_size, "seed": seed}
    looks = [0, *every(interval, steps)]
    result = {}
    for activation, rate in cases:
        result[activation] = {}
        for arm, options in arms(amplitudes, seed).items():
            model = network(
                split, hidden, seed=seed, **ACTIVATIONS[activation], **options
            )
            watch = Watch(split.x_train[:watched], looks)
            trained = train(
                model, split, learning_rate=rate, evaluate_at=looks, on_step=watch, **how
            )  # fmt: skip
            result[activation][arm] = {
                "steps": looks,
                "accuracy": trained["accuracy"],
                "percentiles": watch.percentiles,
                "instability": np.std(watch.means, axis=0).mean(axis=1),
            }
    return result


def arms(amplitudes, seed):
    """Return what `dense_network` builds each arm with."""
    return {
        "none": {},
        "batchnorm": {"batchnorm": "before"},
        **{
            f"noisy_{amplitude:g}": {
                "batchnorm": "before",
                "normalization": partial(
                    NoisyBatchNormalization,
                    amplitude=amplitude,
                    rng=streams(seed).noise,
                    momentum=0.9,
                ),
            }
            for amplitude in amplitudes
        },
    }


class Watch:
    """Look at what the hidden units receive: give it to `train` as `on_step`.

    Attributes
    ----------
    means : list of ndarray of shape (hidden layers, units), one a look
    percentiles : list of ndarray of shape (3,), one a look
    """

    def __init__(self, x, steps):
        self.x, self.steps = x, set(steps)
        self.means, self.percentiles = [], []

    def __call__(self, step, model):
        """Look, if it is time to."""
        if step not in self.steps:
            return
        # The copy draws the noise of the next step, and leaves it to that step.
        outputs = layer_outputs(copy.deepcopy(model), self.x, training=True)
        received = [
            outputs[i - 1]
            for i, layer in enumerate(model.layers)
            if isinstance(layer, Activation)
        ]
        self.means.append(np.array([values.mean(axis=0) for values in received]))
        self.percentiles.append(np.percentile(received[-1][:, 0], PERCENTILES))
