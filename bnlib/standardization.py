"""Chapter 1. Features on one scale: moments, standardization, min-max scaling.

Statistics are taken on the training set once and applied to every other set:
`standardize(x_test, moments(x_train))`. Merging the moments of parts is the update of Chan, Golub
and LeVeque (1983).
"""

from typing import NamedTuple

import numpy as np

from bnlib.checks import (
    NonFiniteError,
    as_axis,
    as_floats,
    as_vector,
    check_finite_moments,
)


class Moments(NamedTuple):
    """Count, mean and biased variance of each feature."""

    count: int  # how many values each feature's statistics were taken over
    mean: np.ndarray  # (d,) float64
    variance: np.ndarray  # (d,) float64, biased: divided by count, not by count - 1


class Limits(NamedTuple):
    """Smallest and largest value of each feature."""

    minimum: np.ndarray  # (d,) float64
    maximum: np.ndarray  # (d,) float64


def moments(x, *, axis=-1):
    """Mean and biased variance of every feature.

    Parameters
    ----------
    x : array_like of rank 2 or more
        One feature for each index of `axis`; all other axes are averaged over.
    axis : int
        The axis that keeps its own statistics, as in Keras.

    Returns
    -------
    Moments
        `count`, and `mean` and `variance` of shape (d,), in float64 whatever the dtype of `x`.

    Raises
    ------
    NonFiniteError
        If `x` holds a NaN or an infinity, or a variance overflows float64.

    Examples
    --------
    >>> moments([[1.0, 10.0], [3.0, 10.0]])
    Moments(count=2, mean=array([ 2., 10.]), variance=array([1., 0.]))
    """
    rows = _features_last(x, axis).astype(np.float64)
    # Deviations from the first row lose no digits to a large common mean, and
    # those of a constant feature are exactly zero.
    first = rows[(0,) * (rows.ndim - 1)]
    with np.errstate(over="ignore", invalid="ignore"):
        shift = _average(rows - first)
        mean = first + shift
        variance = _average(np.square(rows - first - shift))
    check_finite_moments(rows, variance)
    return Moments(rows.size // rows.shape[-1], mean, variance)


def merge_moments(*parts):
    """Moments of several sets of rows together, from the moments of each.

    Exact: no row is needed again. Averaging the variances instead forgets that the means differ.

    Parameters
    ----------
    *parts : Moments
        One or more, of the same number of features.

    Returns
    -------
    Moments

    Examples
    --------
    >>> merge_moments(moments([[1.0]]), moments([[3.0], [5.0]]))
    Moments(count=3, mean=array([3.]), variance=array([2.66666667]))
    """
    if not parts:
        raise ValueError(
            "merge_moments needs at least one set of moments. Received: none"
        )
    total = parts[0]
    for part in parts[1:]:
        if part.mean.shape != total.mean.shape:
            raise ValueError(
                "moments must have one length. "
                f"Received: {total.mean.shape} and {part.mean.shape}"
            )
        total = _merge_two(total, part)
    return total


def standardize(x, statistics=None, *, axis=-1):
    """Subtract each feature's mean and divide by its standard deviation.

    Parameters
    ----------
    x : array_like of rank 2 or more
    statistics : Moments, optional
        Of the training set, so that nothing of another set leaks in. Taken on `x` itself where
        missing.
    axis : int
        The axis that keeps its own statistics.

    Returns
    -------
    ndarray of the shape and dtype of `x`
        In standard deviations. A feature that was constant in `statistics` is divided by 1.

    Examples
    --------
    >>> standardize([[1.0, 7.0], [3.0, 7.0]])
    array([[-1.,  0.],
           [ 1.,  0.]])
    >>> standardize([[5.0]], moments([[1.0], [3.0]]))
    array([[3.]])
    """
    x = as_floats(x, "x", min_ndim=2)
    _, mean, variance = moments(x, axis=axis) if statistics is None else statistics
    return _shift_and_divide(x, mean, np.sqrt(variance), axis)


def limits(x, *, axis=-1):
    """Smallest and largest value of every feature.

    Examples
    --------
    >>> limits([[1.0, 10.0], [3.0, 10.0]])
    Limits(minimum=array([ 1., 10.]), maximum=array([ 3., 10.]))
    """
    rows = _features_last(x, axis).astype(np.float64)
    if not np.isfinite(rows).all():
        raise NonFiniteError("x must be finite. Received: a NaN or an infinity")
    others = tuple(range(rows.ndim - 1))
    return Limits(rows.min(axis=others), rows.max(axis=others))


def min_max_scale(x, bounds=None, *, axis=-1):
    """Map each feature's range onto [0, 1].

    Parameters
    ----------
    x : array_like of rank 2 or more
    bounds : Limits, optional
        Of the training set. Taken on `x` itself where missing; values outside it
        leave [0, 1].
    axis : int
        The axis that keeps its own limits.

    Returns
    -------
    ndarray of the shape and dtype of `x`
        A feature that was constant in `bounds` is divided by 1.

    Examples
    --------
    >>> min_max_scale([[1.0], [2.0], [5.0]]).ravel()
    array([0.  , 0.25, 1.  ])
    """
    x = as_floats(x, "x", min_ndim=2)
    minimum, maximum = limits(x, axis=axis) if bounds is None else bounds
    return _shift_and_divide(x, minimum, maximum - minimum, axis)


def _features_last(x, axis):
    x = as_floats(x, "x", min_ndim=2)
    return np.moveaxis(x, as_axis(axis, x.ndim), -1)


def _average(rows):
    return rows.mean(axis=tuple(range(rows.ndim - 1)))


def _merge_two(a, b):
    count = a.count + b.count
    weight = b.count / count
    delta = b.mean - a.mean
    variance = (
        (1 - weight) * a.variance
        + weight * b.variance
        + weight * (1 - weight) * delta**2
    )
    return Moments(count, a.mean + weight * delta, variance)


def _shift_and_divide(x, shift, scale, axis):
    features = x.shape[as_axis(axis, x.ndim)]
    shift, scale = (
        as_vector(shift, "shift", features),
        as_vector(scale, "scale", features),
    )
    scaled = (_features_last(x, axis) - shift) / np.where(scale > 0, scale, 1)
    return np.moveaxis(scaled, -1, axis).astype(x.dtype)
