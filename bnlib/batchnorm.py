"""Chapters 3 and 4. Batch normalization: forward, backward, inference, the moving averages.

`batchnorm_forward` is Algorithm 1 of Ioffe and Szegedy (2015); `batchnorm_inference` is step 11
of their Algorithm 2; `batchnorm_backward` is the closed form of the six gradients that stand
before their section 3.1.
"""

from typing import NamedTuple

import numpy as np

from bnlib.checks import (
    NonFiniteError,
    as_floats,
    as_number,
    as_vector,
    check_batchnorm_arguments,
    check_shape,
    check_underflow,
    is_finite,
)
from bnlib.standardization import moments


class BatchNormCache(NamedTuple):
    """What the backward pass needs of the forward pass, and the batch's own statistics."""

    x_hat: np.ndarray  # (..., d) float64, features last; no view of x
    gamma: np.ndarray  # (d,) float64
    inverse_std: np.ndarray  # (d,) 1 / sqrt(variance + epsilon)
    mean: np.ndarray  # (d,) of this batch
    variance: np.ndarray  # (d,) of this batch, biased
    axis: int  # the axis of x and y that holds the features
    dtype: np.dtype  # of x, and so of y and dx


def batchnorm_forward(x, gamma, beta, *, axis=-1, epsilon=1e-3):
    """Normalize each feature by this batch's own mean and variance, then scale and shift.

    Parameters
    ----------
    x : array_like of rank 2 or more
        A batch, its d features along `axis`: (m, d) for a dense layer, (m, height, width, d)
        for images.
    gamma, beta : array_like of shape (d,)
        The new standard deviation and the new mean of each feature; both are learned.
    axis : int
        The axis that keeps its own statistics; all others are averaged over.
    epsilon : float
        Added to the variance, inside the root. Keras's default; PyTorch's is 1e-5.

    Returns
    -------
    y : ndarray of the shape and dtype of `x`
    cache : BatchNormCache
        For `batchnorm_backward`; `cache.mean` and `cache.variance` (biased) feed the averages.

    Raises
    ------
    TypeError, ValueError
        For arrays that are not numbers, empty batches, wrong shapes, axes or epsilon.
    NonFiniteError
        If `x` holds a NaN or an infinity, or varies too much or, where epsilon is 0, too little
        for its variance to be a float64.

    Examples
    --------
    >>> y, cache = batchnorm_forward([[1.0, 5.0], [3.0, 5.0]], gamma=[1, 1], beta=[0, 7], epsilon=0)
    >>> y
    array([[-1.,  7.],
           [ 1.,  7.]])
    >>> cache.mean, cache.variance
    (array([2., 5.]), array([1., 0.]))
    """
    x, axis, gamma, beta, epsilon = check_batchnorm_arguments(
        x, axis, gamma, beta, epsilon
    )
    features_last = np.moveaxis(x, axis, -1)

    _, mean, variance = moments(x, axis=axis)
    check_underflow(features_last, variance, epsilon)
    inverse_std = _inverse_std(variance, epsilon)
    x_hat = (features_last - mean) * inverse_std
    y = gamma * x_hat + beta

    return _like(y, axis, x.dtype), BatchNormCache(
        x_hat, gamma, inverse_std, mean, variance, axis, x.dtype
    )


def batchnorm_backward(dy, cache):
    """Gradients of the loss, through the batch's statistics too.

    Parameters
    ----------
    dy : array_like of the shape of y
        Gradient of the loss with respect to y.
    cache : BatchNormCache
        From the forward pass on the same batch.

    Returns
    -------
    dx : ndarray of the shape and dtype of x
    dgamma, dbeta : ndarray of shape (d,), float64

    Examples
    --------
    >>> y, cache = batchnorm_forward([[0.0], [2.0], [4.0]], gamma=[1], beta=[0])
    >>> dx, dgamma, dbeta = batchnorm_backward([[1.0], [1.0], [1.0]], cache)
    >>> dx.ravel(), dbeta
    (array([0., 0., 0.]), array([3.]))
    """
    dy = as_floats(dy, "dy")
    check_shape(dy, "dy", np.moveaxis(cache.x_hat, -1, cache.axis).shape)
    dy = np.moveaxis(dy, cache.axis, -1).astype(np.float64)
    rows = tuple(range(dy.ndim - 1))
    m = dy.size // dy.shape[-1]

    dbeta = dy.sum(axis=rows)
    dgamma = (dy * cache.x_hat).sum(axis=rows)
    # The mean and the variance depend on every row, so each row's gradient loses its
    # share of both: the two subtracted terms.
    dx = cache.gamma * cache.inverse_std * (dy - dbeta / m - cache.x_hat * dgamma / m)

    return _like(dx, cache.axis, cache.dtype), dgamma, dbeta


def batchnorm_inference(
    x, gamma, beta, moving_mean, moving_variance, *, axis=-1, epsilon=1e-3
):
    """Normalize each row by stored statistics: what a row gets does not depend on its companions.

    Parameters
    ----------
    x : array_like of rank 2 or more
    gamma, beta, moving_mean, moving_variance : array_like of shape (d,)
    axis, epsilon
        As in `batchnorm_forward`.

    Returns
    -------
    y : ndarray of the shape and dtype of `x`

    Examples
    --------
    >>> batchnorm_inference([[5.0]], [2], [1], moving_mean=[3], moving_variance=[4], epsilon=0)
    array([[3.]])
    """
    x, axis, gamma, beta, epsilon = check_batchnorm_arguments(
        x, axis, gamma, beta, epsilon
    )
    mean = as_vector(moving_mean, "moving_mean", gamma.size)
    variance = as_vector(moving_variance, "moving_variance", gamma.size)
    if (variance < 0).any():
        raise ValueError(
            f"moving_variance must not be negative. Received: {variance.min()}"
        )

    x_hat = (np.moveaxis(x, axis, -1) - mean) * _inverse_std(variance, epsilon)
    return _like(gamma * x_hat + beta, axis, x.dtype)


def update_moving_average(moving, value, *, momentum=0.99):
    """Move a stored statistic a little towards this batch's.

    Parameters
    ----------
    moving, value : array_like of shape (d,)
    momentum : float in [0, 1]
        The weight of the past. Keras's convention: PyTorch's `momentum` is one minus this.

    Returns
    -------
    ndarray of shape (d,), float64; neither argument is written to

    Raises
    ------
    NonFiniteError
        If either holds a NaN or an infinity, which would stay in the average for good.

    Examples
    --------
    >>> update_moving_average([0.0], [10.0], momentum=0.9)
    array([1.])
    """
    momentum = as_number(momentum, "momentum", high=1)
    value = as_floats(value, "value")
    if not is_finite(value):
        raise NonFiniteError(
            f"a moving average takes in finite values only. Received: {value}"
        )
    moving = as_vector(moving, "moving", value.size)
    return momentum * moving + (1 - momentum) * value


def _inverse_std(variance, epsilon):
    # Without epsilon a constant feature has no scale: 0 lets it yield beta there too.
    std = np.sqrt(variance + epsilon)
    return np.divide(1, std, out=np.zeros_like(std), where=std > 0)


def _like(features_last, axis, dtype):
    """Put the features back on their axis, in the caller's dtype."""
    return np.moveaxis(features_last, -1, axis).astype(dtype)
