"""Batch normalization as in `bnlib.batchnorm`, at the speed of the cache.

The same three functions, arguments, results and errors. What differs is how. A small batch is
normalized in one piece and in float64 (`bnlib.whole`). The rows of a larger one go through the
passes of `bnlib.blocks` (or of `bnlib.fused`, where numba is installed and it is asked for) in the
precision of x, with the sums in float64; where float32 has not the range, they compute in float64.
Their cache refers to x, where it is contiguous and its features are last, rather than copy it.
Layers use this module.
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from bnlib import blocks, whole
from bnlib.checks import (
    as_floats,
    as_vector,
    check_batchnorm_arguments,
    check_finite_moments,
    check_shape,
    check_underflow,
    underflows,
)

SMALL = 2**15  # numbers of a batch that is normalized in one piece


class BatchNormCache(NamedTuple):
    """What the backward pass needs of the forward pass, and the batch's own statistics."""

    rows: np.ndarray  # (m, d) x as rows, features last; of a small batch, x_hat
    centre: (
        tuple | None
    )  # pivot and rest, to be subtracted from the rows; None for x_hat
    gamma: np.ndarray  # (d,) float64
    inverse_std: np.ndarray  # (d,) 1 / sqrt(variance + epsilon)
    mean: np.ndarray  # (d,) of this batch
    variance: np.ndarray  # (d,) of this batch, biased
    seal: np.ndarray | None  # (d,) tells whether x has changed since
    layout: tuple  # shape, axis and dtype of x, and so of y and dx
    engine: ModuleType  # what runs the passes

    @property
    def x_hat(self):
        """The normalized batch, in float64, features last; of a large batch, of x as it is now."""
        x_hat = self.rows
        if self.centre is not None:
            pivot, rest = self.centre
            x_hat = (x_hat.astype(np.float64) - pivot - rest) * self.inverse_std
        shape, axis, _ = self.layout
        return x_hat.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis])


def batchnorm_forward(x, gamma, beta, *, axis=-1, epsilon=1e-3, engine=None):
    """`bnlib.batchnorm.batchnorm_forward` at speed.

    Parameters
    ----------
    x, gamma, beta, axis, epsilon
        As there.
    engine : module, optional
        What runs the passes over the rows: `bnlib.blocks`, or `bnlib.fused` where numba is. Where
        missing, `bnlib.whole` for a small batch and `bnlib.blocks` for others.

    Returns
    -------
    y, cache
        As there; the cache is for the `batchnorm_backward` of this module.

    Raises
    ------
    TypeError, ValueError, NonFiniteError
        As there.

    Examples
    --------
    >>> y, cache = batchnorm_forward([[1.0, 5.0], [3.0, 5.0]], gamma=[1, 1], beta=[0, 7], epsilon=0)
    >>> y
    array([[-1.,  7.],
           [ 1.,  7.]])
    """
    x, axis, gamma, beta, epsilon = check_batchnorm_arguments(
        x, axis, gamma, beta, epsilon
    )
    rows, layout = _as_rows(x, axis)
    engine = engine or _engine(rows)
    if engine is whole:
        y, statistics = _forward_whole(rows, gamma, beta, epsilon)
    else:
        y, statistics = _forward_in_passes(rows, gamma, beta, epsilon, engine)
    return _like(y, layout), BatchNormCache(*statistics, layout, engine)


def batchnorm_backward(dy, cache):
    """`bnlib.batchnorm.batchnorm_backward` at speed.

    Raises
    ------
    RuntimeError
        If the cache refers to an x that has changed since the forward pass.

    Examples
    --------
    >>> y, cache = batchnorm_forward([[0.0], [2.0], [4.0]], gamma=[1], beta=[0])
    >>> dx, dgamma, dbeta = batchnorm_backward([[1.0], [1.0], [1.0]], cache)
    >>> dx.ravel(), dbeta
    (array([0., 0., 0.]), array([3.]))
    """
    shape, axis, _ = cache.layout
    dy = as_floats(dy, "dy")
    check_shape(dy, "dy", shape)
    dy, _ = _as_rows(dy, axis)
    if cache.engine is whole:
        dx, dgamma, dbeta = whole.gradients(
            dy, cache.rows, cache.gamma, cache.inverse_std
        )
    else:
        dx, dgamma, dbeta = _backward_in_passes(dy, cache)
    return _like(dx, cache.layout), dgamma, dbeta


def batchnorm_inference(
    x,
    gamma,
    beta,
    moving_mean,
    moving_variance,
    *,
    axis=-1,
    epsilon=1e-3,
    engine=None,
):
    """`bnlib.batchnorm.batchnorm_inference` at speed.

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

    rows, layout = _as_rows(x, axis)
    _, scale = _scales(gamma, variance, epsilon, rows.dtype)
    engine = engine or _engine(rows)
    if engine is whole:
        y = whole.standardize(rows - mean, scale, beta)
    else:
        work = rows.dtype if _fit_float32(mean, scale, beta) else np.dtype(np.float64)
        centre = blocks.split(mean, work, variance=variance)
        y = engine.standardize(rows, centre, scale, beta)
    return _like(y, layout)


def _engine(rows):
    return whole if rows.size <= SMALL else blocks


def _forward_whole(rows, gamma, beta, epsilon):
    with np.errstate(over="ignore", invalid="ignore"):
        deviations, rest, mean, variance = whole.centre(rows)
    check_finite_moments(rows, variance)
    check_underflow(rows, variance, epsilon)
    inverse_std, scale = _scales(gamma, variance, epsilon, rows.dtype)
    shift = beta if rest is None else beta - rest * scale
    y = whole.standardize(deviations, scale, shift)
    if rest is not None:
        deviations -= rest
    x_hat = np.multiply(deviations, inverse_std, out=deviations)
    return y, (x_hat, None, gamma, inverse_std, mean, variance, None)


def _forward_in_passes(rows, gamma, beta, epsilon, engine, work=None):
    work = work or rows.dtype
    with np.errstate(over="ignore", invalid="ignore"):
        pivot, rest, variance = engine.moments(rows, work=work)
        mean = pivot + rest
        inverse_std, scale = _scales(gamma, variance, epsilon, work)
    if work != np.float64 and (
        not _fit_float32(variance, scale, beta) or underflows(rows, variance)
    ):
        return _forward_in_passes(
            rows, gamma, beta, epsilon, engine, np.dtype(np.float64)
        )
    check_finite_moments(rows, variance)
    check_underflow(rows, variance, epsilon)
    centre, seal = (pivot, rest), np.zeros(len(gamma))
    y = engine.standardize(rows, centre, scale, beta, seal=seal)
    return y, (rows, centre, gamma, inverse_std, mean, variance, seal)


def _backward_in_passes(dy, cache):
    rows, centre, gamma, inverse_std, *_, seal, _, engine = cache
    seal_now = np.zeros(len(seal))
    with np.errstate(over="ignore", invalid="ignore"):
        dbeta, products = engine.gradient_sums(dy, rows, centre, seal=seal_now)
        _refuse_changed(seal, seal_now)
        scale, share, slope = _shares(dbeta, products, gamma, inverse_std, len(rows))
    if centre[0].dtype != np.float64 and (
        not _fit_float32(dbeta, products, slope) or _is_lost(dy, products)
    ):
        centre = centre[0].astype(np.float64), centre[1]
        dbeta, products = engine.gradient_sums(dy, rows, centre)
        scale, share, slope = _shares(dbeta, products, gamma, inverse_std, len(rows))
    dx = engine.gradient(dy, rows, centre, scale, share, slope)
    return dx, products * inverse_std, dbeta


def _shares(dbeta, products, gamma, inverse_std, m):
    # dx = gamma * inverse_std * (dy - dbeta / m - x_hat * dgamma / m): the mean and the
    # variance depend on every row, so each row's gradient loses its share of both.
    dgamma = products * inverse_std
    return gamma * inverse_std, dbeta / m, inverse_std * dgamma / m


def _scales(gamma, variance, epsilon, dtype):
    """1 / std and gamma / std; for float64 rows in the widest precision that the machine has."""
    wide = np.longdouble if dtype == np.float64 else np.float64
    std = np.sqrt(variance.astype(wide, copy=False) + epsilon)
    if epsilon == 0:
        # A constant feature has no scale: 0 lets it yield beta there too.
        std = np.where(std > 0, std, np.inf)
    inverse_std, scale = 1 / std, gamma / std
    if wide == np.float64:
        return inverse_std, scale
    return inverse_std.astype(np.float64), scale.astype(np.float64)


def _fit_float32(*vectors):
    """Tell whether float32 holds these numbers with all digits, and stays clear of its limits."""
    sizes = np.abs(np.concatenate(vectors))
    return sizes.max() < 1e30 and not sizes[sizes < 1e-30].any()


def _is_lost(dy, products):
    """Tell a sum of products that were too small for float32 from that of a dy of zeros."""
    zero = products == 0
    return np.count_nonzero(zero) > 0 and bool(dy[:, zero].any())


def _refuse_changed(seal, seal_now):
    if np.count_nonzero(seal != seal_now):
        raise RuntimeError(
            "x must stay as it was until the backward pass is done. "
            "Received: an x that has changed since the forward pass"
        )


def _as_rows(x, axis):
    """See x as rows with the features last, and remember how it was; float16 becomes float32."""
    layout = x.shape, axis, x.dtype
    features_last = x if axis == x.ndim - 1 else np.moveaxis(x, axis, -1)
    if x.dtype == np.float16:
        features_last = features_last.astype(np.float32)
    return np.ascontiguousarray(features_last).reshape(-1, x.shape[axis]), layout


def _like(rows, layout):
    """Put the features back on their axis, in the caller's shape and dtype."""
    shape, axis, dtype = layout
    if axis == len(shape) - 1:
        return rows.reshape(shape).astype(dtype, copy=False)
    features_last = rows.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis])
    return np.ascontiguousarray(np.moveaxis(features_last, -1, axis)).astype(
        dtype, copy=False
    )
