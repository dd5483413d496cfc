"""Chapters 2 to 5. The training loop: minibatches, gradient descent, `fit` and `evaluate`."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bnlib.checks import NonFiniteError, as_count, as_floats, as_number
from bnlib.losses import softmax_cross_entropy


class Evaluation(NamedTuple):
    """What `evaluate` found."""

    loss: float
    accuracy: (
        float  # share of rows classified rightly; NaN where the targets are not classes
    )


@dataclass
class History:
    """One number an epoch in each list.

    `loss` and `accuracy` are means over the epoch's batches, as they were trained on; `val_loss`
    and `val_accuracy` are taken at its end, in inference mode.
    """

    loss: list = field(default_factory=list)
    accuracy: list = field(default_factory=list)
    val_loss: list = field(default_factory=list)
    val_accuracy: list = field(default_factory=list)
    diverged: bool = (
        False  # training stopped early because a number was no longer finite
    )


class SGD:
    """Stochastic gradient descent, by Keras's formulas.

    Parameters
    ----------
    learning_rate : float
    momentum : float in [0, 1]
        The weight of the past steps in the next one (not the momentum of batch normalization).
    nesterov : bool
    weight_decay : float
        Before each step every parameter shrinks by the factor `1 - learning_rate * weight_decay`.

    Examples
    --------
    >>> SGD(learning_rate=0.1, momentum=0.9, nesterov=True).momentum
    0.9
    """

    def __init__(
        self, learning_rate=0.01, *, momentum=0.0, nesterov=False, weight_decay=0.0
    ):
        self.learning_rate = as_number(learning_rate, "learning_rate", open_low=True)
        self.momentum = as_number(momentum, "momentum", high=1)
        self.nesterov = bool(nesterov)
        self.weight_decay = as_number(weight_decay, "weight_decay")
        self._velocities = {}

    def step(self, model):
        """Move every parameter of `model` against its gradient."""
        shrink = 1 - self.learning_rate * self.weight_decay
        for i, layer in enumerate(model.layers):
            for name, parameter in layer.params.items():
                move = self._move(f"{i}/{name}", layer.grads[name])
                kept = parameter if shrink == 1 else parameter * shrink
                # A new array, so that whoever holds the old one still has it.
                layer.params[name] = (kept + move).astype(parameter.dtype, copy=False)

    def _move(self, key, gradient):
        step = -self.learning_rate * gradient
        if self.momentum == 0:
            return step
        if key not in self._velocities:
            self._velocities[key] = np.zeros_like(step)
        velocity = self._velocities[key]
        velocity *= self.momentum
        velocity += step
        return self.momentum * velocity + step if self.nesterov else velocity


def minibatches(m, batch_size, *, rng, drop_remainder=False):
    """Yield index arrays that together hold 0 to m - 1 once, in random order.

    Parameters
    ----------
    m, batch_size : int
    rng : numpy.random.Generator
    drop_remainder : bool
        Leave out a smaller last batch: batch normalization learns nothing from a batch of one.

    Examples
    --------
    >>> [len(rows) for rows in minibatches(7, 3, rng=np.random.default_rng(0))]
    [3, 3, 1]
    """
    m, batch_size = as_count(m, "m"), as_count(batch_size, "batch_size")
    order = rng.permutation(m)
    stop = m - m % batch_size if drop_remainder else m
    for start in range(0, stop, batch_size):
        yield order[start : start + batch_size]


def train_step(model, x, y, *, loss, optimizer):
    """Run forward, backward and one step; return the loss and the outputs before the step."""
    outputs = model.forward(x, training=True)
    value, doutputs = loss(outputs, y)
    model.backward(doutputs, input_gradient=False)
    optimizer.step(model)
    return value, outputs


def fit(
    model, x, y, *, epochs, optimizer, rng, batch_size=32, loss=softmax_cross_entropy,
    validation_data=None, drop_remainder=False, on_step=None, verbose=False,
):  # fmt: skip
    """Train a network.

    Parameters
    ----------
    model : Sequential
    x, y : array_like with m rows
    epochs, batch_size : int
    optimizer : SGD
    rng : numpy.random.Generator
        Shuffles the rows.
    loss : function of (outputs, y) that returns the loss and its gradient
    validation_data : tuple (x, y), optional
        Evaluated after each epoch.
    drop_remainder : bool
        See `minibatches`.
    on_step : function of (step, model), optional
        Called after each step, counted from 1.
    verbose : bool
        Show a progress bar (tqdm).

    Returns
    -------
    History
        Shorter than `epochs`, and marked `diverged`, if a loss or a statistic stopped being finite.

    Examples
    --------
    >>> from bnlib.layers import Dense, Sequential
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 2))
    >>> model = Sequential([Dense(2, 2, rng=rng)])
    >>> y = (x[:, 0] > 0).astype(int)
    >>> history = fit(model, x, y, epochs=20, optimizer=SGD(0.5), rng=rng)
    >>> history.accuracy[-1] > 0.95
    True
    """
    x, y = _as_examples(x, y)
    history, step = History(), 0
    for _ in _progress(as_count(epochs, "epochs"), verbose):
        seen = []
        for rows in minibatches(
            len(x), batch_size, rng=rng, drop_remainder=drop_remainder
        ):
            try:
                with np.errstate(over="ignore", invalid="ignore"):
                    value, outputs = train_step(
                        model, x[rows], y[rows], loss=loss, optimizer=optimizer
                    )
            except NonFiniteError:
                value = np.nan
            if not np.isfinite(value):
                history.diverged = True
                return history
            seen.append((len(rows), value, _accuracy(outputs, y[rows])))
            step += 1
            if on_step is not None:
                on_step(step, model)
        _record(history, model, seen, validation_data, loss)
    return history


def evaluate(model, x, y, *, loss=softmax_cross_entropy, batch_size=1024):
    """Loss and accuracy in inference mode.

    Returns
    -------
    Evaluation
    """
    x, y = _as_examples(x, y)
    seen = []
    for start in range(0, len(x), as_count(batch_size, "batch_size")):
        rows = slice(start, start + batch_size)
        outputs = model.forward(x[rows], training=False)
        seen.append(
            (len(outputs), loss(outputs, y[rows])[0], _accuracy(outputs, y[rows]))
        )
    return _mean(seen)


def _as_examples(x, y):
    x, y = as_floats(x, "x", min_ndim=2), np.asarray(y)
    if len(x) != len(y):
        raise ValueError(
            f"x and y must have one row each an example. Received: {len(x)} and {len(y)} rows"
        )
    return x, y


def _accuracy(outputs, y):
    if outputs.shape[1] > 1 and y.ndim == 1:
        return float(np.mean(outputs.argmax(axis=1) == y))
    if outputs.shape[1] == 1 and np.isin(y, (0, 1)).all():
        return float(np.mean((outputs > 0).ravel() == (y.ravel() == 1)))
    return np.nan


def _mean(seen):
    """Average (rows, loss, accuracy) over batches, each by its rows."""
    rows, losses, accuracies = np.array(seen).T
    return Evaluation(
        float(np.average(losses, weights=rows)),
        float(np.average(accuracies, weights=rows)),
    )


def _record(history, model, seen, validation_data, loss):
    trained = _mean(seen)
    history.loss.append(trained.loss)
    history.accuracy.append(trained.accuracy)
    if validation_data is not None:
        validated = evaluate(model, *validation_data, loss=loss)
        history.val_loss.append(validated.loss)
        history.val_accuracy.append(validated.accuracy)


def _progress(epochs, verbose):
    if not verbose:
        return range(epochs)
    from tqdm.auto import trange

    return trange(epochs, unit="epoch")
