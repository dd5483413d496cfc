"""Chapter 2. What happens inside a network while it learns: its activations and its gradients.

A diagnostic looks and leaves everything as it was: parameters, gradients and moving statistics.
"""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from bnlib.checks import as_count
from bnlib.layers import Dense
from bnlib.losses import softmax_cross_entropy


class GradientNorms(NamedTuple):
    """Norms of the loss's gradient at each dense layer, first layer first."""

    outputs: np.ndarray  # with respect to the layer's output x @ kernel + bias
    kernels: np.ndarray  # with respect to the layer's kernel


def layer_outputs(model, x, *, training):
    """Outputs of every layer on one batch.

    Parameters
    ----------
    model : Sequential
    x : array_like with m rows
    training : bool
        Whether batch normalization uses this batch's statistics or the stored ones.

    Returns
    -------
    list of ndarray, one a layer

    Examples
    --------
    >>> from bnlib.layers import dense_network
    >>> model = dense_network([2, 5, 3], rng=np.random.default_rng(0))
    >>> [y.shape for y in layer_outputs(model, np.ones((4, 2)), training=False)]
    [(4, 5), (4, 5), (4, 3)]
    """
    outputs = []
    with _unchanged(model):
        for layer in model.layers:
            x = layer.forward(x, training=training)
            outputs.append(x)
    return outputs


def activation_percentiles(
    model, x, *, layer, unit, percentiles=(15, 50, 85), training=True
):
    """Percentiles of one unit's output over the rows of `x`.

    One point of Figure 1 of Ioffe and Szegedy (2015).

    Parameters
    ----------
    model : Sequential
    x : array_like with m rows
    layer, unit : int
        Which layer of `model.layers`, and which of its outputs.
    percentiles : sequence of float
    training : bool
        See `layer_outputs`.

    Returns
    -------
    ndarray, one value a percentile
    """
    values = layer_outputs(model, x, training=training)[layer][:, unit]
    return np.percentile(values, percentiles)


class PercentileRecorder:
    """Record `activation_percentiles` over training: give it to `fit` as `on_step`.

    Parameters
    ----------
    x : array_like with m rows
        The rows to watch, the same at every step.
    layer, unit : int
    every : int
        Record each this many steps, and the first.
    percentiles, training
        See `activation_percentiles`.

    Attributes
    ----------
    steps : list of int
    values : list of ndarray, one a recorded step
    """

    def __init__(
        self, x, *, layer, unit, every=1, percentiles=(15, 50, 85), training=True
    ):
        self.x = x
        self.every = as_count(every, "every")
        self.options = {
            "layer": layer,
            "unit": unit,
            "percentiles": percentiles,
            "training": training,
        }
        self.steps, self.values = [], []

    def __call__(self, step, model):
        """Record, if it is time to."""
        if step == 1 or step % self.every == 0:
            self.steps.append(step)
            self.values.append(activation_percentiles(model, self.x, **self.options))


def gradient_norms(model, x, y, *, loss=softmax_cross_entropy):
    """Norms of the gradient at every dense layer, for one batch in training mode.

    Look at `outputs` for vanishing and exploding gradients: in a network of ReLUs whose kernels are
    all scaled alike, the gradients of the kernels keep one size and hide both.

    Parameters
    ----------
    model : Sequential
    x, y : array_like with m rows
    loss : function of (outputs, y) that returns the loss and its gradient

    Returns
    -------
    GradientNorms

    Examples
    --------
    >>> from bnlib.layers import dense_network
    >>> model = dense_network([2, 5, 5, 3], rng=np.random.default_rng(0))
    >>> gradient_norms(model, np.ones((4, 2)), [0, 1, 2, 0]).outputs.shape
    (3,)
    """
    outputs, kernels = [], []
    with _unchanged(model):
        _, dy = loss(model.forward(x, training=True), y)
        for layer in reversed(model.layers):
            output_norm = np.linalg.norm(dy)
            dy = layer.backward(dy)
            if isinstance(layer, Dense):
                outputs.append(output_norm)
                kernels.append(np.linalg.norm(layer.grads["kernel"]))
    return GradientNorms(np.array(outputs[::-1]), np.array(kernels[::-1]))


@contextmanager
def _unchanged(model):
    # Layers replace their arrays and never write into them: holding on to the old is enough.
    before = [(layer.state, dict(layer.grads), layer._cache) for layer in model.layers]
    try:
        yield
    finally:
        for layer, (state, grads, cache) in zip(model.layers, before, strict=True):
            layer.state, layer.grads, layer._cache = state, grads, cache
