"""Floor 0. What every function asks of its arguments, in one place and in one grammar.

Each message says what is wrong, what is allowed and what came.
"""

import math
from numbers import Integral, Real

import numpy as np

FLOATS = (np.float16, np.float32, np.float64)
TINY = np.finfo(np.float64).tiny


class NonFiniteError(ValueError):
    """Statistics of a NaN or an infinity, or a variance that overflows."""


def as_floats(x, name, *, min_ndim=0):
    """Return `x` as a float16, float32 or float64 array; integers become float64.

    Nothing is copied that is already such an array.

    Raises
    ------
    TypeError
        For text, complex, object, masked or extended-precision arrays, and for ragged lists.
    ValueError
        For fewer than `min_ndim` axes, or no elements at all.

    Examples
    --------
    >>> as_floats([[1, 2], [3, 4]], "x").dtype
    dtype('float64')
    """
    if (
        type(x) is np.ndarray
        and x.dtype.type in FLOATS
        and x.dtype.isnative
        and x.ndim >= min_ndim
        and x.size
    ):
        return x  # the common case, without a detour
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must not be masked: fill or drop the masked values. Received: a masked array"
        )
    try:
        array = np.asarray(x)
    except ValueError:
        raise TypeError(
            f"{name} must be a full array of numbers. Received: a ragged sequence"
        ) from None
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    elif array.dtype.type not in FLOATS:
        raise TypeError(
            f"{name} must hold float16, float32, float64 or integers. "
            f"Received: dtype {array.dtype}"
        )
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim < min_ndim:
        raise ValueError(
            f"{name} must have at least {min_ndim} axes. Received: shape {array.shape}"
        )
    if array.size == 0:
        raise ValueError(f"{name} must not be empty. Received: shape {array.shape}")
    return array


def as_axis(axis, ndim):
    """Return `axis` counted from the front, for an array of `ndim` axes.

    Examples
    --------
    >>> as_axis(-1, 4)
    3
    """
    if not isinstance(axis, Integral) or isinstance(axis, bool):
        raise TypeError(f"axis must be an integer. Received: {axis!r}")
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"axis must lie in [{-ndim}, {ndim - 1}] for an array of {ndim} axes. Received: {axis}"
        )
    return int(axis) % ndim


def as_vector(v, name, num_features):
    """Return `v` as a float64 vector with one finite value a feature; nothing is broadcast."""
    array = as_floats(v, name).astype(np.float64)
    if array.shape != (num_features,):
        raise ValueError(
            f"{name} must have shape ({num_features},), one value a feature. "
            f"Received: shape {array.shape}"
        )
    if not is_finite(array):
        raise NonFiniteError(f"{name} must be finite. Received: {array}")
    return array


def is_finite(array):
    """Tell whether an array holds neither a NaN nor an infinity."""
    return np.count_nonzero(np.isfinite(array)) == array.size  # twice as quick as all()


def as_number(value, name, *, low=0.0, high=math.inf, open_low=False):
    """Return `value` as a finite float in [`low`, `high`], without `low` itself where `open_low`.

    Examples
    --------
    >>> as_number(0.99, "momentum", high=1)
    0.99
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number. Received: {value!r}")
    number = float(value)
    if (
        not math.isfinite(number)
        or not low <= number <= high
        or (open_low and number == low)
    ):
        bracket = "(" if open_low else "["
        raise ValueError(
            f"{name} must be finite and lie in {bracket}{low:g}, {high:g}]. "
            f"Received: {value!r}"
        )
    return number


def as_count(value, name, *, low=1):
    """Return `value` as an integer of at least `low`."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer. Received: {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}. Received: {value}")
    return int(value)


def check_shape(array, name, shape):
    """Raise a ValueError unless `array` has exactly this shape."""
    if array.shape != tuple(shape):
        raise ValueError(
            f"{name} must have shape {tuple(shape)}. Received: shape {array.shape}"
        )


def check_finite_moments(rows, variance):
    """Raise a NonFiniteError that names the feature, unless all moments of `rows` are finite.

    The variance is taken around the mean, so it is not finite where the mean is not.
    """
    if not is_finite(variance):
        feature = int(np.isfinite(variance).argmin())
        numbers = np.isfinite(rows[..., feature]).all()
        cause = "a variance beyond float64" if numbers else "a NaN or an infinity"
        raise NonFiniteError(
            "x must be finite, and so must its variance. "
            f"Received: {cause} in feature {feature}"
        )


def check_underflow(rows, variance, epsilon):
    """Raise a NonFiniteError where a feature varies, its variance is lost, and epsilon is 0."""
    if epsilon == 0 and underflows(rows, variance):
        raise NonFiniteError(
            "x must vary enough for float64. Received: a variance below it"
        )


def underflows(rows, variance):
    """Tell a variance too small for float64, or lost on the way, from that of a constant."""
    small = variance < TINY  # 0, or with digits lost
    if not np.count_nonzero(small):
        return False
    lost = rows.reshape(-1, len(variance))[:, small]
    return bool((lost != lost[0]).any())


def check_batchnorm_arguments(x, axis, gamma, beta, epsilon):
    """Check what the forward pass and inference of batch normalization have in common."""
    x = as_floats(x, "x", min_ndim=2)
    axis = as_axis(axis, x.ndim)
    gamma = as_vector(gamma, "gamma", x.shape[axis])
    beta = as_vector(beta, "beta", x.shape[axis])
    return x, axis, gamma, beta, as_number(epsilon, "epsilon")
