"""Chapters 8 and 10. What else can stand where batch normalization stands.

Layer normalization (Ba, Kiros and Hinton, 2016) takes its statistics over the features of one row.
Batch renormalization (Ioffe, 2017) corrects the batch's statistics towards stored ones.
"""

from typing import NamedTuple

import numpy as np

from bnlib.batchnorm import update_moving_average
from bnlib.checks import (
    NonFiniteError,
    as_count,
    as_floats,
    as_number,
    check_batchnorm_arguments,
    check_shape,
)
from bnlib.fastnorm import batchnorm_backward, batchnorm_forward
from bnlib.layers import BatchNormalization, Layer
from bnlib.standardization import moments


class LayerNormCache(NamedTuple):
    """What the backward pass needs of the forward pass."""

    x_hat: np.ndarray  # (rows, d) features last, in the dtype of x
    gamma: np.ndarray  # (d,) float64
    transposed: NamedTuple  # the cache of the batch norm of x transposed
    shape: tuple  # of x with its features last
    axis: int  # the axis of x that holds the features


def layernorm_forward(x, gamma, beta, *, axis=-1, epsilon=1e-3):
    """Normalize each row by the mean and variance of its own features, then scale and shift.

    It is batch normalization of the transposed batch: no row depends on its companions.

    Parameters
    ----------
    x : array_like of rank 2 or more
        A batch, its d features along `axis`.
    gamma, beta : array_like of shape (d,)
    axis : int
        The axis that is averaged over, and that `gamma` and `beta` lie along.
    epsilon : float
        Added to the variance. Keras's default; PyTorch's is 1e-5.

    Returns
    -------
    y : ndarray of the shape and dtype of `x`
    cache : LayerNormCache

    Raises
    ------
    TypeError, ValueError
        As `bnlib.batchnorm.batchnorm_forward`.
    NonFiniteError
        If `x` holds a NaN or an infinity.

    Examples
    --------
    >>> y, _ = layernorm_forward([[1.0, 3.0], [7.0, 7.0]], gamma=[1, 2], beta=[0, 0], epsilon=0)
    >>> y
    array([[-1.,  2.],
           [ 0.,  0.]])
    """
    x, axis, gamma, beta, epsilon = check_batchnorm_arguments(
        x, axis, gamma, beta, epsilon
    )
    features_last = np.moveaxis(x, axis, -1)
    rows = features_last.reshape(-1, len(gamma))
    _refuse_nonfinite(rows)

    ones, zeros = np.ones(len(rows)), np.zeros(len(rows))
    x_hat, transposed = batchnorm_forward(rows, ones, zeros, axis=0, epsilon=epsilon)
    y = (gamma * x_hat + beta).reshape(features_last.shape)

    cache = LayerNormCache(x_hat, gamma, transposed, features_last.shape, axis)
    return np.moveaxis(y, -1, axis).astype(x.dtype), cache


def layernorm_backward(dy, cache):
    """Gradients of the loss, through each row's statistics too.

    Parameters
    ----------
    dy : array_like of the shape of y
    cache : LayerNormCache

    Returns
    -------
    dx : ndarray of the shape and dtype of x
    dgamma, dbeta : ndarray of shape (d,), float64

    Examples
    --------
    >>> y, cache = layernorm_forward([[0.0, 2.0, 4.0]], gamma=[1, 1, 1], beta=[0, 0, 0])
    >>> dx, dgamma, dbeta = layernorm_backward([[1.0, 1.0, 1.0]], cache)
    >>> dx, dbeta
    (array([[0., 0., 0.]]), array([1., 1., 1.]))
    """
    dy = as_floats(dy, "dy")
    x_hat, gamma, transposed, shape, axis = cache
    check_shape(dy, "dy", np.moveaxis(np.empty(shape, bool), -1, axis).shape)
    rows = np.moveaxis(dy, axis, -1).reshape(x_hat.shape).astype(np.float64)

    dbeta = rows.sum(axis=0)
    dgamma = (rows * x_hat).sum(axis=0)
    dx, _, _ = batchnorm_backward(gamma * rows, transposed)

    return np.moveaxis(dx.reshape(shape), -1, axis), dgamma, dbeta


class LayerNormalization(Layer):
    """Normalize each row by its own features; training and inference are the same.

    Parameters
    ----------
    num_features : int
    axis : int
        The axis that is averaged over.
    epsilon : float
    center, scale : bool
        Whether to learn beta and gamma.

    Examples
    --------
    >>> layer = LayerNormalization(2, epsilon=0)
    >>> layer.forward([[1.0, 3.0], [10.0, 30.0]], training=False)
    array([[-1.,  1.],
           [-1.,  1.]])
    """

    def __init__(self, num_features, *, axis=-1, epsilon=1e-3, center=True, scale=True):
        super().__init__()
        self.num_features = as_count(num_features, "num_features")
        self.axis = axis
        self.epsilon = as_number(epsilon, "epsilon")
        if scale:
            self.params["gamma"] = np.ones(num_features)
        if center:
            self.params["beta"] = np.zeros(num_features)

    def _forward(self, x, training):
        options = {"axis": self.axis, "epsilon": self.epsilon}
        return layernorm_forward(x, *_gamma_and_beta(self), **options)

    def _backward(self, dy, cache):
        dx, dgamma, dbeta = layernorm_backward(dy, cache)
        _keep_gradients(self, dgamma, dbeta)
        return dx

    def describe(self):
        """Return one line for the summary."""
        return f"LayerNormalization {self.num_features}"


def renorm_correction(
    batch, renorm_mean, renorm_stddev, *, epsilon=1e-3, rmin=0.0, rmax=np.inf, dmax=np.inf
):  # fmt: skip
    """Scale and shift that turn what the batch normalized into what stored statistics would give.

    `x_hat * r + d = (x - renorm_mean) / renorm_stddev`, as long as nothing is clipped.

    Parameters
    ----------
    batch : Moments
        Of this batch.
    renorm_mean, renorm_stddev : ndarray of shape (d,)
        Stored; a deviation includes epsilon.
    epsilon, rmin, rmax, dmax : float
        `r` is clipped to [rmin, rmax] and `d` to [-dmax, dmax].

    Returns
    -------
    r, d : ndarray of shape (d,)

    Examples
    --------
    >>> batch = moments([[2.0], [6.0]])
    >>> renorm_correction(batch, np.array([3.0]), np.array([4.0]), epsilon=0)
    (array([0.5]), array([0.25]))
    """
    stored = np.maximum(renorm_stddev, np.sqrt(epsilon))  # Keras's guard
    r = np.sqrt(batch.variance + epsilon) / stored
    d = (batch.mean - renorm_mean) / stored
    return np.clip(r, rmin, rmax), np.clip(d, -dmax, dmax)


class BatchRenormalization(BatchNormalization):
    """Batch normalization whose training sees, nearly, what inference will.

    In training the normalized batch is multiplied by `r` and shifted by `d`
    (`renorm_correction`), which count as constants for the gradient. Keras's
    `BatchNormalization(renorm=True)`.

    Parameters
    ----------
    num_features : int
    renorm_clipping : dict, optional
        Any of "rmin", "rmax" and "dmax"; not clipped where missing. With all of r = 1 and d = 0
        it is batch normalization.
    renorm_momentum : float in [0, 1]
        Of the statistics that training corrects towards.
    **options
        As `BatchNormalization`.

    Attributes
    ----------
    state : dict
        `moving_mean` and `moving_variance` for inference; `renorm_mean` and `renorm_stddev` for
        training. Deviations are averaged, epsilon included, and not variances: the moving
        variance is the square of a moving deviation, as in Keras.

    Examples
    --------
    >>> layer = BatchRenormalization(1, epsilon=0)
    >>> layer.forward([[5.0], [7.0]], training=True).ravel()  # towards mean 0, deviation 1
    array([5., 7.])
    """

    def __init__(
        self, num_features, *, renorm_clipping=None, renorm_momentum=0.99, **options
    ):
        super().__init__(num_features, **options)
        self.renorm_clipping = _as_clipping(renorm_clipping or {})
        self.renorm_momentum = as_number(renorm_momentum, "renorm_momentum", high=1)
        self.state["renorm_mean"] = np.zeros(num_features)
        self.state["renorm_stddev"] = np.ones(num_features)

    def _forward(self, x, training):
        if not training:
            return super()._forward(x, training)
        x, axis, gamma, beta, epsilon = check_batchnorm_arguments(
            x, self.axis, *_gamma_and_beta(self), self.epsilon
        )
        batch = moments(x, axis=axis)
        stored = self.state["renorm_mean"], self.state["renorm_stddev"]
        r, d = renorm_correction(
            batch, *stored, epsilon=epsilon, **self.renorm_clipping
        )
        # gamma * (x_hat * r + d) + beta
        y, cache = batchnorm_forward(
            x, gamma * r, gamma * d + beta, axis=axis, epsilon=epsilon
        )
        self._remember(batch)
        return y, (cache, r, d)

    def _backward(self, dy, cache):
        cache, r, d = cache
        dx, dscale, dshift = batchnorm_backward(dy, cache)
        _keep_gradients(self, r * dscale + d * dshift, dshift)
        return dx

    def _remember(self, batch):
        stddev = np.sqrt(batch.variance + self.epsilon)
        moving_stddev = np.sqrt(self.moving_variance + self.epsilon)
        slow, fast = {"momentum": self.momentum}, {"momentum": self.renorm_momentum}
        stddev_now = update_moving_average(moving_stddev, stddev, **slow)
        self.state = {
            "moving_mean": update_moving_average(self.moving_mean, batch.mean, **slow),
            "moving_variance": np.maximum(stddev_now**2 - self.epsilon, 0),
            "renorm_mean": update_moving_average(
                self.state["renorm_mean"], batch.mean, **fast
            ),
            "renorm_stddev": update_moving_average(
                self.state["renorm_stddev"], stddev, **fast
            ),
        }

    def describe(self):
        """Return one line for the summary."""
        return f"BatchRenormalization {self.num_features}"


def _gamma_and_beta(layer):
    gamma = layer.params.get("gamma", np.ones(layer.num_features))
    return gamma, layer.params.get("beta", np.zeros(layer.num_features))


def _keep_gradients(layer, dgamma, dbeta):
    grads = {"gamma": dgamma, "beta": dbeta}
    layer.grads = {name: grads[name] for name in layer.params}


def _refuse_nonfinite(rows):
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise NonFiniteError(
            f"x must be finite. Received: a NaN or an infinity in row {finite.argmin()}"
        )


def _as_clipping(clipping):
    allowed = {"rmin": 0.0, "rmax": np.inf, "dmax": np.inf}
    if unknown := sorted(set(clipping) - set(allowed)):
        raise ValueError(
            f"renorm_clipping may hold {list(allowed)}. Received: {unknown}"
        )
    clipping = {name: as_number(value, name) for name, value in clipping.items()}
    rmin, rmax = ({**allowed, **clipping}[name] for name in ("rmin", "rmax"))
    if rmin > rmax:
        raise ValueError(f"rmin must be at most rmax. Received: {rmin:g} and {rmax:g}")
    return clipping
