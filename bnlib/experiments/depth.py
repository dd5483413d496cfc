"""Chapter 6. Depth from 2 to 50: the gradient at the start, and the accuracy after training.

The gradient with respect to the first hidden layer's `x @ kernel + bias`, over that of the last
hidden layer. A ratio near 1 is a signal that arrives; below, it vanishes on its way back; above,
it explodes. Batch norm itself lets it grow, in a network of ReLUs by pi / (pi - 1) a layer in the
square, as the width grows (Yang et al., 2019).
"""

import numpy as np

from bnlib.diagnostics import gradient_norms
from bnlib.experiments.common import (
    ACTIVATIONS,
    ARMS,
    flat,
    network,
    streams,
    train,
)
from bnlib.initializers import scaled

# Activation, and the factor on the start that suits it.
STARTS = {
    "relu": ("relu", 1.0),
    "relu, half": ("relu", 0.5),
    "relu, double": ("relu", 2.0),
    "sigmoid": ("sigmoid", 1.0),
    "tanh": ("tanh", 1.0),
}
DEPTHS = (2, 5, 10, 20, 30, 40, 50)
GROWTH = np.pi / (np.pi - 1)


def run(
    data,
    *,
    seed,
    depths=DEPTHS,
    width=64,
    rows=256,
    trained_depths=(2, 5, 10, 20, 50),
    trained_width=48,
    rates=(0.03, 0.1, 0.3),
    steps=150,
    batch_size=64,
):
    """Measure the gradients of fresh networks, and train others.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    depths : sequence of int
        Numbers of hidden layers to measure the gradient at, 2 or more.
    width : int
        Of these layers.
    rows : int
        How many images the gradient is taken on.
    trained_depths : sequence of int
        Numbers of hidden layers to train.
    trained_width : int
    rates : sequence of float
        Learning rates, tried on each.
    steps, batch_size : int

    Returns
    -------
    dict
        `ratio[start][arm]`, for each of `STARTS` and the arms "none" and "batchnorm": the gradient
        norm at the first hidden layer over that at the last, one number a depth.
        `kernel_ratio[start][arm]`: the same for the gradients of the two kernels.
        `accuracy[activation][arm]`, for "relu" and "sigmoid": on the test images, after training,
        one row a depth with one number a rate.
    """
    result = {"ratio": {}, "kernel_ratio": {}, "accuracy": {}}
    for start in STARTS:
        norms = {
            arm: [
                _norms(data, start, place, depth, width=width, rows=rows, seed=seed)
                for depth in depths
            ]
            for arm, place in ARMS.items()
        }
        result["ratio"][start] = {
            arm: [_first_over_last(of.outputs) for of in each]
            for arm, each in norms.items()
        }
        result["kernel_ratio"][start] = {
            # The first kernel multiplies the images, which have another size than units have.
            arm: [_first_over_last(of.kernels) for of in each]
            for arm, each in norms.items()
        }
    split = flat(data)

    def accuracy(activation, place, depth, rate):
        options = {"batchnorm": place, **ACTIVATIONS[activation]}
        model = network(split, [trained_width] * depth, seed=seed, **options)
        how = {"steps": steps, "batch_size": batch_size, "learning_rate": rate}
        return train(model, split, seed=seed, **how)["accuracy"][-1]

    for activation in ("relu", "sigmoid"):
        result["accuracy"][activation] = {
            arm: [
                [accuracy(activation, place, depth, rate) for rate in rates]
                for depth in trained_depths
            ]
            for arm, place in ARMS.items()
        }
    return result


def growth(ratio, depths=DEPTHS, *, low=20, high=50):
    """Growth of the squared gradient a layer, between two depths.

    Parameters
    ----------
    ratio : array_like of shape (..., depths)
    depths : sequence of int
    low, high : int
        Two of the depths.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> round(float(growth([10.0, 1000.0], [1, 3], low=1, high=3)), 6)
    100.0
    """
    depths, ratio = list(depths), np.asarray(ratio)
    factor = ratio[..., depths.index(high)] / ratio[..., depths.index(low)]
    return factor ** (2 / (high - low))


def _norms(data, start, place, depth, *, width, rows, seed):
    """Gradient norms of one fresh network, in float64: they may span thirty decades."""
    activation, scale = STARTS[start]
    options = dict(ACTIVATIONS[activation])
    options["kernel_initializer"] = scaled(options["kernel_initializer"], scale)
    split = flat(data, "float64")
    model = network(
        split,
        [width] * depth,
        seed=seed,
        batchnorm=place,
        dtype="float64",
        epsilon=0.0,  # the scale of the start then drops out exactly
        **options,
    )
    batch = streams(seed).batches.permutation(len(split.x_train))[:rows]
    return gradient_norms(model, split.x_train[batch], split.y_train[batch])


def _first_over_last(norms):
    return float(norms[0] / norms[-2])  # the very last is the output layer's
