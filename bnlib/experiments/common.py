"""What the experiments share: paired networks, and training that is looked at on the way.

Networks compute in float32, as in practice, unless an experiment says why not.
"""

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from bnlib.checks import NonFiniteError
from bnlib.layers import ReLU, Sigmoid, Tanh, dense_network
from bnlib.losses import softmax_cross_entropy
from bnlib.training import SGD, evaluate, minibatches, train_step

# The two arms that most comparisons have, and where batch norm stands in them.
ARMS = {"none": None, "batchnorm": "before"}
# An activation by name, with the start that suits it.
ACTIVATIONS = {
    "relu": {"activation": ReLU, "kernel_initializer": "he_normal"},
    "sigmoid": {"activation": Sigmoid, "kernel_initializer": "glorot_uniform"},
    "tanh": {"activation": Tanh, "kernel_initializer": "glorot_uniform"},
}


class Streams(NamedTuple):
    """Random numbers of a run, one generator a purpose, none of which disturbs another."""

    kernels: np.random.Generator
    batches: np.random.Generator
    noise: np.random.Generator


def streams(seed):
    """Return fresh generators: call it once an arm, and all arms draw the same.

    Examples
    --------
    >>> streams(3).kernels.random() == streams(3).kernels.random()
    True
    >>> streams(3).kernels.random() == streams(3).batches.random()
    False
    """
    return Streams(*np.random.default_rng(seed).spawn(3))


def flat(split, dtype="float32"):
    """Return the images as rows of that dtype.

    Examples
    --------
    >>> from bnlib.datasets import Split
    >>> images, labels = np.zeros((2, 28, 28)), np.arange(2)
    >>> flat(Split(images, labels, images, labels)).x_test.shape
    (2, 784)
    """
    return split._replace(
        x_train=split.x_train.reshape(len(split.x_train), -1).astype(dtype),
        x_test=split.x_test.reshape(len(split.x_test), -1).astype(dtype),
    )


def network(split, hidden, *, seed, dtype="float32", **options):
    """Return a dense network from the images to their classes.

    Parameters
    ----------
    split : bnlib.datasets.Split
        With `x` of shape (m, d).
    hidden : sequence of int
        Widths of the hidden layers.
    seed : int
        The same seed gives the same kernels, whatever stands between the layers.
    dtype : str
    **options
        For `dense_network`. The `momentum` of batch norm's moving averages is 0.9 where nothing
        else is asked for: most runs are shorter than 0.99 remembers. Another `normalization` gets
        only what is asked for.

    Returns
    -------
    Sequential
    """
    widths = [split.x_train.shape[1], *hidden, classes(split)]
    if "normalization" not in options:
        options = {"momentum": 0.9, **options}
    return dense_network(widths, rng=streams(seed).kernels, dtype=dtype, **options)


def classes(split):
    """Return the number of classes."""
    return int(split.y_train.max()) + 1


def schedule(steps, count):
    """Return about `count` steps from 1 to `steps`, in constant ratio: denser at the start.

    Examples
    --------
    >>> schedule(100, 5)
    [1, 3, 10, 32, 100]
    """
    return np.unique(np.geomspace(1, steps, count).round().astype(int)).tolist()


def every(interval, steps):
    """Return the multiples of `interval` up to `steps`, and `steps` itself.

    Examples
    --------
    >>> every(40, 100)
    [40, 80, 100]
    """
    return sorted({*range(interval, steps + 1, interval), steps})


def train(
    model,
    split,
    *,
    steps,
    seed,
    learning_rate,
    batch_size,
    evaluate_at=None,
    optimizer=None,
    on_step=None,
):
    """Train for a number of steps and measure on the test images on the way.

    A run whose numbers stop being finite has diverged: from there on its accuracy is that of
    chance, one in the number of classes, and it has no loss.

    Parameters
    ----------
    model : Sequential
    split : bnlib.datasets.Split
    steps : int
    seed : int
        The same seed gives the same batches.
    learning_rate : float
        Of plain gradient descent.
    batch_size : int
        A smaller last batch of an epoch is left out.
    evaluate_at : sequence of int, optional
        Steps after which to measure, 0 for the start. Default: after the last.
    optimizer : SGD, optional
        In place of plain gradient descent at `learning_rate`.
    on_step : function of (step, model), optional
        Called after each step, counted from 1, and before the first with 0.

    Returns
    -------
    dict
        `steps`, `accuracy` and `loss` (in inference mode, on the test images), one number an
        evaluation, and `diverged`.
    """
    optimizer = optimizer or SGD(learning_rate)
    evaluate_at = [steps] if evaluate_at is None else list(evaluate_at)
    result = {"steps": evaluate_at, "accuracy": [], "loss": [], "diverged": False}
    batches = endless_batches(len(split.x_train), batch_size, rng=streams(seed).batches)
    # A bar for who waits at a terminal; a chapter stays clean.
    for step in tqdm(range(steps + 1), disable=None, leave=False, delay=2, unit="step"):
        with np.errstate(all="ignore"):
            try:
                if step > 0:
                    rows = next(batches)
                    _step(model, split.x_train[rows], split.y_train[rows], optimizer)
                if on_step is not None:
                    on_step(step, model)
                if step in evaluate_at:
                    _measure(model, split, result)
            except NonFiniteError:
                result["diverged"] = True
                break
    missing = len(evaluate_at) - len(result["accuracy"])
    result["accuracy"] += [1 / classes(split)] * missing
    result["loss"] += [None] * missing
    return result


def steps_to(curve, accuracy):
    """Return the first measured step at which a run is that accurate, or None.

    Examples
    --------
    >>> curve = {"steps": [10, 20, 30], "accuracy": [0.2, 0.9, 0.8]}
    >>> steps_to(curve, 0.5), steps_to(curve, 0.95)
    (20, None)
    """
    for step, reached in zip(curve["steps"], curve["accuracy"], strict=True):
        if reached >= accuracy:
            return step
    return None


def endless_batches(m, batch_size, *, rng):
    """Yield index arrays of batches of one size, epoch after epoch.

    Examples
    --------
    >>> batches = endless_batches(5, 2, rng=np.random.default_rng(0))
    >>> [len(next(batches)) for _ in range(4)]
    [2, 2, 2, 2]
    """
    while True:
        yield from minibatches(m, min(batch_size, m), rng=rng, drop_remainder=True)


def _step(model, x, y, optimizer):
    loss, _ = train_step(model, x, y, loss=softmax_cross_entropy, optimizer=optimizer)
    if not np.isfinite(loss):
        raise NonFiniteError(f"the loss must be finite. Received: {loss}")


def _measure(model, split, result):
    measured = evaluate(model, split.x_test, split.y_test)
    if not np.isfinite(measured.loss):
        raise NonFiniteError(f"the loss must be finite. Received: {measured.loss}")
    result["accuracy"].append(measured.accuracy)
    result["loss"].append(measured.loss)
