"""Chapter 9. Scale invariance: exact identities, and what becomes of the learning rate.

With epsilon 0 a network does not change when a kernel before batch norm is multiplied by a. So the
kernel's gradient is divided by a and stands at a right angle to the kernel, each step of plain
gradient descent makes the kernel longer, and what counts is the effective rate: the learning rate
divided by the squared norm of the kernel (van Laarhoven, 2017). The identities are measured as
residuals, which would be zero in exact arithmetic; networks compute in float64.
"""

from typing import NamedTuple

import numpy as np

from bnlib.datasets import Split
from bnlib.experiments.common import flat, network, train
from bnlib.initializers import scaled
from bnlib.layers import Dense
from bnlib.losses import softmax_cross_entropy
from bnlib.training import SGD


class Setting(NamedTuple):
    """What all networks of a seed share."""

    data: Split
    seed: int
    hidden: tuple
    learning_rate: float
    batch_size: int


def run(
    data,
    *,
    seed,
    factors=(0.1, 10, 1000),
    path_factor=7,
    path_steps=100,
    starts=(0.03, 0.1, 0.3, 1, 3),
    decays=(0, 0.01, 0.1),
    checkpoints=(0, 1, 2, 5, 10, 20, 50, 100, 200, 400, 800),
    hidden=(64, 64, 64),
    learning_rate=0.1,
    batch_size=64,
):
    """Measure the identities, then follow the norm of a kernel from several starting scales.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    factors : sequence of float
        What all hidden kernels are multiplied by, each in turn.
    path_factor : float
        The same before a whole training, in which the kernels' rate is multiplied by its square.
    path_steps : int
    starts : sequence of float
        Factors of He's standard deviation to start from.
    decays : sequence of float
        Weight decay of the hidden kernels, for each start.
    checkpoints : sequence of int
        Steps after which to note the norm; the last ends the training.
    hidden : sequence of int
        Widths of the hidden layers, of ReLU units.
    learning_rate : float
    batch_size : int

    Returns
    -------
    dict
        Residuals, the largest over kernels and factors: `function` and `gradient`, the relative
        change of the logits and of the gradient times the factor; `angle`, the cosine between a
        kernel and its gradient; `path`, the relative change of the logits after the training;
        `growth`, of a kernel's squared norm against the sum of its squared steps. `curves`: for
        each start and decay, as text, the `steps`, the `norm` of the first kernel and its
        `effective_rate` at each, the share of steps in which a kernel became longer, `growing`, and
        the `accuracy` on the test images at the end.
    """
    setting = Setting(flat(data, "float64"), seed, hidden, learning_rate, batch_size)
    path = _follow(setting, path_steps)
    twin = _follow(setting, path_steps, start=path_factor, factor=path_factor**2)
    curves = {}
    for start in starts:
        curves[str(start)] = {
            str(decay): _curve(setting, checkpoints, start=start, decay=decay)
            for decay in decays
        }
    return {
        **_identities(setting, factors),
        "path": _change(twin.logits, path.logits),
        "growth": _change(path.squares[-1] - path.squares[0], path.moves.sum(axis=0)),
        "curves": curves,
    }


class _KernelSGD(SGD):
    """Gradient descent whose hidden kernels have a rate and a decay of their own."""

    def __init__(self, learning_rate, *, factor, decay):
        super().__init__(learning_rate)
        self.factor, self.decay = factor, decay

    def step(self, model):
        for layer in _hidden(model):
            penalty = self.decay * layer.params["kernel"]
            layer.grads["kernel"] = self.factor * (layer.grads["kernel"] + penalty)
        super().step(model)


class _Path(NamedTuple):
    squares: np.ndarray  # (steps + 1, kernels) squared norm of every hidden kernel
    moves: np.ndarray  # (steps, kernels) squared norm of every step
    accuracy: float
    logits: np.ndarray  # of one batch, at the end


def _network(setting, start):
    return network(
        setting.data,
        setting.hidden,
        seed=setting.seed,
        dtype="float64",
        batchnorm="before",
        kernel_initializer=scaled("he_normal", start),
        epsilon=0,
    )


def _follow(setting, steps, *, start=1, factor=1, decay=0):
    """Train a network whose hidden kernels start `start` times as long."""
    model = _network(setting, start)
    squares, moves = [], []

    def note(step, model):
        squares.append(_squares(model, "params"))
        if step > 0:
            moves.append(setting.learning_rate**2 * _squares(model, "grads"))

    curve = train(
        model,
        setting.data,
        steps=steps,
        seed=setting.seed,
        learning_rate=setting.learning_rate,
        batch_size=setting.batch_size,
        optimizer=_KernelSGD(setting.learning_rate, factor=factor, decay=decay),
        on_step=note,
    )
    logits = model.forward(setting.data.x_train[: setting.batch_size], training=True)
    return _Path(np.array(squares), np.array(moves), curve["accuracy"][-1], logits)


def _curve(setting, checkpoints, **options):
    path = _follow(setting, max(checkpoints), **options)
    squares = path.squares[list(checkpoints), 0]
    return {
        "steps": list(checkpoints),
        "norm": np.sqrt(squares).tolist(),
        "effective_rate": (setting.learning_rate / squares).tolist(),
        "growing": float(np.mean(np.diff(path.squares, axis=0) > 0)),
        "accuracy": path.accuracy,
    }


def _identities(setting, factors):
    logits, kernels, gradients = _look(setting, 1)
    functions, slopes = [], []
    for factor in factors:
        other_logits, _, other_gradients = _look(setting, factor)
        functions.append(_change(other_logits, logits))
        for other, gradient in zip(other_gradients, gradients, strict=True):
            slopes.append(_change(factor * other, gradient))
    angles = [
        abs(np.vdot(kernel, gradient))
        / (np.linalg.norm(kernel) * np.linalg.norm(gradient))
        for kernel, gradient in zip(kernels, gradients, strict=True)
    ]
    return {
        "function": max(functions),
        "gradient": max(slopes),
        "angle": float(max(angles)),
    }


def _look(setting, factor):
    """Logits of one batch, and the hidden kernels with their gradients."""
    model = _network(setting, factor)
    rows = slice(setting.batch_size)
    logits = model.forward(setting.data.x_train[rows], training=True)
    model.backward(softmax_cross_entropy(logits, setting.data.y_train[rows])[1])
    layers = _hidden(model)
    kernels = [layer.params["kernel"] for layer in layers]
    return logits, kernels, [layer.grads["kernel"] for layer in layers]


def _hidden(model):
    return [layer for layer in model.layers if isinstance(layer, Dense)][:-1]


def _squares(model, kind):
    """Squared norm of every hidden kernel ("params") or of its gradient ("grads")."""
    kernels = [getattr(layer, kind)["kernel"] for layer in _hidden(model)]
    return np.array([np.sum(kernel**2) for kernel in kernels])


def _change(new, old):
    """Largest difference, relative to the largest value."""
    return float(np.abs(new - old).max() / np.abs(old).max())
