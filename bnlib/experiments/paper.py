"""Chapter 6. The experiment of Ioffe and Szegedy (2015), section 4.1 and figure 1.

Their network: binary images, three hidden layers of 100 sigmoids, kernels that start as small
normal random numbers, batches of 60 and 50,000 steps, with batch norm on each hidden layer and
without. They name neither the standard deviation of the start nor the learning rate. Here the
hidden kernels start at two standard deviations, the output layer by Glorot and Bengio (2010), and
the rate is 0.5, the same for both arms. An image is binary once each pixel is cut at a half.
"""

import numpy as np

from bnlib.diagnostics import layer_outputs
from bnlib.experiments.common import ARMS, every, flat, network, schedule, train
from bnlib.initializers import random_normal
from bnlib.layers import Sigmoid

PERCENTILES = (15, 50, 85)
LAST_HIDDEN_INPUT = -3  # what enters the last sigmoid: after it stands the output layer


def run(
    data,
    *,
    seed,
    starts=(0.01, 0.1),
    steps=50_000,
    learning_rate=0.5,
    hidden=(100, 100, 100),
    batch_size=60,
    unit=0,
    watched=1000,
):
    """Train with batch norm and without, from each start.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    starts : sequence of float
        Standard deviations of the hidden kernels.
    steps : int
    learning_rate : float
        Of plain gradient descent.
    hidden : sequence of int
    batch_size : int
    unit : int
        Which unit of the last hidden layer to follow.
    watched : int
        On how many of the test images, the same at all times.

    Returns
    -------
    dict
        `result[start][arm]`, with the start as text and the arms "none" and "batchnorm": `steps`,
        the test `accuracy` and `loss`, `diverged`; and of the inputs of the last hidden layer's
        sigmoids, on the watched images and normalized by these: `percentiles`, the 15th, 50th and
        85th of one unit, and `width`, the distance from the 15th to the 85th, the median over all
        units.
    """
    split = binary(data)
    measured = sorted({0, *schedule(steps, 40), *every(max(steps // 50, 1), steps)})
    result = {}
    for start in starts:
        arms = result[f"{start:g}"] = {}
        for arm, place in ARMS.items():
            model = network(
                split,
                hidden,
                seed=seed,
                batchnorm=place,
                activation=Sigmoid,
                kernel_initializer=random_normal(start),
            )
            watch = Watch(split.x_test[:watched], unit, measured)
            curve = train(
                model,
                split,
                steps=steps,
                seed=seed,
                learning_rate=learning_rate,
                batch_size=batch_size,
                evaluate_at=measured,
                on_step=watch,
            )
            arms[arm] = {
                **curve,
                "percentiles": watch.percentiles,
                "width": watch.width,
            }
    return result


def binary(data):
    """Return the images as rows of 0 and 1."""
    split = flat(data)
    return split._replace(
        x_train=(split.x_train >= 0.5).astype("float32"),
        x_test=(split.x_test >= 0.5).astype("float32"),
    )


class Watch:
    """Percentiles of what enters the last hidden layer's sigmoids, at the steps asked for.

    Parameters
    ----------
    x : ndarray of shape (m, d)
        The rows to watch. Batch norm takes its statistics from them, since at the first steps its
        stored ones still tell of their start.
    unit : int
    steps : sequence of int
    """

    def __init__(self, x, unit, steps):
        self.x, self.unit, self.steps = x, unit, steps
        self.percentiles, self.width = [], []

    def __call__(self, step, model):
        """Record, if it is time to."""
        if step in self.steps:
            values = layer_outputs(model, self.x, training=True)[LAST_HIDDEN_INPUT]
            low, middle, high = np.percentile(values, PERCENTILES, axis=0)
            self.percentiles.append([float(p[self.unit]) for p in (low, middle, high)])
            self.width.append(float(np.median(high - low)))
