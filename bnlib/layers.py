"""Chapters 2 to 5. Layers that own parameters, and the chain of them that is a network.

A layer has `params` and `grads`, dicts with the same keys; `forward(x, training=...)` and
`backward(dy)`. The mathematics of batch normalization is in `bnlib.batchnorm`, and at
speed in `bnlib.fastnorm`; here is only the bookkeeping. Names are Keras's.
"""

import os
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

from bnlib.batchnorm import update_moving_average
from bnlib.checks import as_count, as_floats, as_number, check_shape
from bnlib.fastnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
)
from bnlib.initializers import initialize


class Layer:
    """What all layers share. A training forward pass leaves a cache for the backward pass."""

    def __init__(self):
        self.params = {}  # name: array, changed by the optimizer
        self.grads = {}  # the same names: gradient of the loss, after backward
        self.state = {}  # name: array, saved with the parameters but not trained
        self._cache = None

    def forward(self, x, *, training):
        """Return the layer's output; with `training=True` also keep what `backward` needs."""
        y, cache = self._forward(as_floats(x, "x", min_ndim=2), training)
        self._cache = cache if training else None
        return y

    def backward(self, dy, *, input_gradient=True):
        """Fill `grads` and return the gradient of the loss with respect to the layer's input.

        Below a network's first layer nobody asks for it: `input_gradient=False` returns None.
        """
        if self._cache is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward needs forward(x, training=True) before it. "
                "Received: no forward pass, or one with training=False"
            )
        dy = as_floats(dy, "dy")
        if input_gradient:
            return self._backward(dy, self._cache)
        return self._fill_grads(dy, self._cache)

    def _fill_grads(self, dy, cache):
        """Fill `grads` alone: what `_backward` does, unless a layer can do with less."""
        self._backward(dy, cache)

    def describe(self):
        """Return one line for the summary."""
        return type(self).__name__

    def __getstate__(self):
        """Copy and pickle everything but the cache, which belongs to one forward pass."""
        return {**self.__dict__, "_cache": None}


class Dense(Layer):
    """`y = x @ kernel + bias`.

    Parameters
    ----------
    num_inputs, units : int
    use_bias : bool
        Leave it out just before batch normalization, which subtracts it again.
    kernel_initializer : str or callable
        See `bnlib.initializers.initialize`.
    rng : numpy.random.Generator
    dtype : str
        Of the parameters, and so of the output and of all gradients.

    Examples
    --------
    >>> layer = Dense(3, 2, rng=np.random.default_rng(0))
    >>> layer.forward(np.ones((4, 3)), training=False).shape
    (4, 2)
    """

    def __init__(
        self,
        num_inputs,
        units,
        *,
        rng,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        dtype="float64",
    ):
        super().__init__()
        num_inputs, units = as_count(num_inputs, "num_inputs"), as_count(units, "units")
        self.params["kernel"] = initialize(
            kernel_initializer, num_inputs, units, rng=rng
        ).astype(dtype)
        if use_bias:
            self.params["bias"] = np.zeros(units, dtype)

    def _forward(self, x, training):
        kernel = self.params["kernel"]
        check_shape(x, "x", (len(x), kernel.shape[0]))
        x = np.array(x, kernel.dtype)  # a copy: x may change before the backward pass
        y = x @ kernel
        if "bias" in self.params:
            y += self.params["bias"]
        return y, x

    def _backward(self, dy, x):
        self._fill_grads(dy, x)
        kernel = self.params["kernel"]
        return dy.astype(kernel.dtype, copy=False) @ kernel.T

    def _fill_grads(self, dy, x):
        kernel = self.params["kernel"]
        check_shape(dy, "dy", (len(x), kernel.shape[1]))
        dy = dy.astype(kernel.dtype, copy=False)
        self.grads["kernel"] = x.T @ dy
        if "bias" in self.params:
            self.grads["bias"] = dy.sum(axis=0)

    def describe(self):
        """Return one line for the summary."""
        num_inputs, units = self.params["kernel"].shape
        return f"Dense {num_inputs} -> {units}" + (
            "" if "bias" in self.params else ", no bias"
        )


class Activation(Layer):
    """A function of each number alone; a subclass gives the function and its slope."""

    def _forward(self, x, training):
        y = self.function(x)
        return y, self.slope(x, y)

    def _backward(self, dy, slope):
        check_shape(dy, "dy", slope.shape)
        return dy * slope


class ReLU(Activation):
    """`max(x, 0)`.

    Examples
    --------
    >>> ReLU().forward([[-1.0, 2.0]], training=False)
    array([[0., 2.]])
    """

    @staticmethod
    def function(x):
        """Return the positive part."""
        return np.maximum(x, 0)

    @staticmethod
    def slope(x, y):
        """Return 1 where x is positive, else 0."""
        return (x > 0).astype(x.dtype)


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`.

    Examples
    --------
    >>> Sigmoid().forward([[0.0, -1000.0]], training=False)
    array([[0.5, 0. ]])
    """

    @staticmethod
    def function(x):
        """Return the logistic function by way of tanh, which never overflows."""
        return 0.5 * (1 + np.tanh(0.5 * x))

    @staticmethod
    def slope(x, y):
        """Return y (1 - y): at most a quarter."""
        return y * (1 - y)


class Tanh(Activation):
    """Hyperbolic tangent.

    Examples
    --------
    >>> Tanh().forward([[0.0]], training=False)
    array([[0.]])
    """

    @staticmethod
    def function(x):
        """Return tanh."""
        return np.tanh(x)

    @staticmethod
    def slope(x, y):
        """Return 1 - y**2: at most 1."""
        return 1 - np.square(y)


class Flatten(Layer):
    """(m, ...) to (m, the product of the rest).

    Examples
    --------
    >>> Flatten().forward(np.zeros((2, 28, 28)), training=False).shape
    (2, 784)
    """

    def _forward(self, x, training):
        return x.reshape(len(x), -1), x.shape

    def _backward(self, dy, shape):
        check_shape(dy, "dy", (shape[0], int(np.prod(shape[1:]))))
        return dy.reshape(shape)


class BatchNormalization(Layer):
    """Normalize each feature: by the batch in training, by stored statistics in inference.

    During training (`training=True`) each feature is normalized by the mean and the biased variance
    of the batch, and `moving_mean` and `moving_variance` move towards them. During inference
    (`training=False`) the moving statistics are used and left alone, so that a row's output does
    not depend on its companions.

    Parameters
    ----------
    num_features : int
    axis : int
        The axis that keeps its own statistics.
    momentum : float in [0, 1]
        The weight of the past in the moving averages. PyTorch's `momentum` is one minus this.
    epsilon : float
        Added to the variance. PyTorch's default is 1e-5.
    center, scale : bool
        Whether to learn beta and gamma.

    Attributes
    ----------
    params : dict
        `gamma` and `beta`, shape (num_features,), float64, where they are learned.
    moving_mean, moving_variance : ndarray of shape (num_features,), float64
        Start at 0 and 1. The variance is biased, as in Keras; PyTorch's is not.

    Examples
    --------
    >>> layer = BatchNormalization(1, momentum=0.5, epsilon=0)
    >>> layer.forward([[1.0], [3.0]], training=True).ravel()
    array([-1.,  1.])
    >>> layer.moving_mean, layer.moving_variance
    (array([1.]), array([1.]))
    """

    def __init__(
        self,
        num_features,
        *,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
    ):
        super().__init__()
        self.num_features = as_count(num_features, "num_features")
        self.axis = axis
        self.momentum = as_number(momentum, "momentum", high=1)
        self.epsilon = as_number(epsilon, "epsilon")
        if scale:
            self.params["gamma"] = np.ones(num_features)
        if center:
            self.params["beta"] = np.zeros(num_features)
        self.state["moving_mean"] = np.zeros(num_features)
        self.state["moving_variance"] = np.ones(num_features)

    @property
    def moving_mean(self):
        """The stored mean, shape (num_features,)."""
        return self.state["moving_mean"]

    @property
    def moving_variance(self):
        """The stored biased variance, shape (num_features,)."""
        return self.state["moving_variance"]

    def _forward(self, x, training):
        gamma = self.params.get("gamma", np.ones(self.num_features))
        beta = self.params.get("beta", np.zeros(self.num_features))
        options = {"axis": self.axis, "epsilon": self.epsilon}
        if not training:
            return batchnorm_inference(
                x, gamma, beta, self.moving_mean, self.moving_variance, **options
            ), None
        y, cache = batchnorm_forward(x, gamma, beta, **options)
        self.state = {
            "moving_mean": update_moving_average(
                self.moving_mean, cache.mean, momentum=self.momentum
            ),
            "moving_variance": update_moving_average(
                self.moving_variance, cache.variance, momentum=self.momentum
            ),
        }
        return y, cache

    def _backward(self, dy, cache):
        dx, dgamma, dbeta = batchnorm_backward(dy, cache)
        grads = {"gamma": dgamma, "beta": dbeta}
        self.grads = {name: grads[name] for name in self.params}
        return dx

    def describe(self):
        """Return one line for the summary."""
        return f"BatchNormalization {self.num_features}"


class Sequential:
    """Layers in a row.

    Parameters
    ----------
    layers : list of Layer

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dense = Dense(64, 10, rng=rng, use_bias=False)
    >>> model = Sequential([dense, BatchNormalization(10), ReLU()])
    >>> print(model.summary())
    layer                       trainable  not trainable
    0 Dense 64 -> 10, no bias         640              0
    1 BatchNormalization 10            20             20
    2 ReLU                              0              0
    total                             660             20
    """

    def __init__(self, layers):
        self.layers = list(layers)

    def forward(self, x, *, training):
        """Return the last layer's output."""
        for layer in self.layers:
            x = layer.forward(x, training=training)
        return x

    def backward(self, dy, *, input_gradient=True):
        """Fill every layer's `grads` and return the gradient with respect to the input.

        Training needs no gradient of the data: `input_gradient=False` saves it, and returns None.
        """
        first, *others = self.layers
        for layer in reversed(others):
            dy = layer.backward(dy)
        return first.backward(dy, input_gradient=input_gradient)

    def summary(self):
        """Return a table of the layers with their parameter counts."""
        rows = [
            (f"{i} {layer.describe()}", *_counts(layer))
            for i, layer in enumerate(self.layers)
        ]
        rows.append(("total", *self.count_params()))
        width = max(len(row[0]) for row in rows)
        lines = [f"{'layer':<{width}}  {'trainable':>11}  {'not trainable':>13}"]
        lines += [
            f"{name:<{width}}  {trainable:>11,}  {fixed:>13,}"
            for name, trainable, fixed in rows
        ]
        return "\n".join(lines)

    def count_params(self):
        """Return how many numbers are trained, and how many are only stored."""
        counts = [_counts(layer) for layer in self.layers]
        return sum(trainable for trainable, _ in counts), sum(
            fixed for _, fixed in counts
        )

    def get_weights(self):
        """Return a dict of copies of all parameters and moving statistics, by `"layer/name"`.

        Examples
        --------
        >>> list(Sequential([BatchNormalization(2)]).get_weights())
        ['0/gamma', '0/beta', '0/moving_mean', '0/moving_variance']
        """
        return {name: holder[key].copy() for name, holder, key in self._arrays()}

    def set_weights(self, weights):
        """Take over such a dict. Nothing is changed unless every name and shape fits."""
        arrays = list(self._arrays())
        expected, received = {name for name, _, _ in arrays}, set(weights)
        if expected != received:
            raise ValueError(
                "weights must be those of this network. "
                f"Received: {sorted(expected ^ received)} differ"
            )
        for name, holder, key in arrays:
            check_shape(np.asarray(weights[name]), name, holder[key].shape)
        for name, holder, key in arrays:
            holder[key] = np.array(weights[name], holder[key].dtype)

    def save(self, path):
        """Write all parameters and moving statistics to an npz file.

        An interrupted save leaves the old file whole.
        """
        path = Path(path)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **self.get_weights())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def load(self, path):
        """Read back what `save` wrote, into a network of the same shape."""
        with np.load(path, allow_pickle=False) as file:
            self.set_weights(dict(file))

    def _arrays(self):
        for i, layer in enumerate(self.layers):
            for holder in (layer.params, layer.state):
                for key in holder:
                    yield f"{i}/{key}", holder, key


def dense_network(
    widths,
    *,
    rng,
    activation=ReLU,
    batchnorm=None,
    normalization=BatchNormalization,
    kernel_initializer="he_normal",
    dtype="float64",
    **options,
):
    """Dense layers with an activation between them, with or without batch normalization.

    Parameters
    ----------
    widths : list of int
        Inputs, hidden widths, outputs: `[64, 100, 10]`. The output layer is Dense alone: it gives
        logits.
    rng : numpy.random.Generator
        Draws the kernels only: the same seed gives the same kernels with batch normalization and
        without.
    activation : type
        ReLU, Sigmoid or Tanh.
    batchnorm : {None, "before", "after"}
        Where batch normalization stands, seen from the activation.
    normalization : callable
        Makes what stands there of the number of units: `bnlib.norms.LayerNormalization`, say.
    kernel_initializer : str or callable
        Of the hidden layers; the output layer starts by "glorot_uniform".
    **options
        For `normalization`: momentum, epsilon, center, scale.

    Returns
    -------
    Sequential

    Examples
    --------
    >>> model = dense_network([2, 3, 1], rng=np.random.default_rng(0), batchnorm="before")
    >>> [layer.describe() for layer in model.layers]
    ['Dense 2 -> 3, no bias', 'BatchNormalization 3', 'ReLU', 'Dense 3 -> 1']
    """
    if batchnorm not in (None, "before", "after"):
        raise ValueError(
            f'batchnorm must be None, "before" or "after". Received: {batchnorm!r}'
        )
    layers = []
    for num_inputs, units in pairwise(widths[:-1]):
        norm = normalization(units, **options) if batchnorm else None
        # Just before batch norm a bias would be subtracted again.
        use_bias = batchnorm != "before" or not isinstance(norm, BatchNormalization)
        dense = {"kernel_initializer": kernel_initializer, "dtype": dtype, "rng": rng}
        layers.append(Dense(num_inputs, units, use_bias=use_bias, **dense))
        pair = [norm, activation()] if batchnorm == "before" else [activation(), norm]
        layers += [layer for layer in pair if layer is not None]
    layers.append(Dense(widths[-2], widths[-1], rng=rng, dtype=dtype))
    return Sequential(layers)


def _counts(layer):
    return tuple(
        sum(array.size for array in holder.values())
        for holder in (layer.params, layer.state)
    )
