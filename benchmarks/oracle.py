"""What batch normalization is, to fifty digits: the yardstick of the exactness tests and tables.

A float is an integer times a power of two, and Python's integers have no end. So the sums, the
mean, the deviations and the variance of a column are computed without any rounding, as integers
with one common unit, and only 1 / sqrt(variance + epsilon) is rounded, to 300 bits (90 digits). A
million rows take seconds; mpmath, which the tests check this file against, would take minutes.
Results come as the unevaluated sum of two float64, about 32 digits, wide enough to measure the
error of a float64 in thousandths of a unit in its last place.
"""

from fractions import Fraction
from math import floor, isqrt
from typing import NamedTuple

import numpy as np

BITS = 300  # of everything that is rounded at all


class Exact(NamedTuple):
    """Numbers to twice the precision of float64: the sum of both fields."""

    high: np.ndarray  # the nearest float64
    low: np.ndarray  # what is missing


class ExactForward(NamedTuple):
    """The forward pass without rounding errors."""

    y: Exact  # (m, d)
    mean: Exact  # (d,)
    variance: Exact  # (d,) biased


class ExactBackward(NamedTuple):
    """The backward pass without rounding errors."""

    dx: Exact  # (m, d)
    dgamma: Exact  # (d,)
    dbeta: Exact  # (d,)
    condition: (
        np.ndarray
    )  # (d,) largest |gamma dy| / std over largest |dx|: digits that dy loses


def exact_forward(x, gamma, beta, *, epsilon):
    """Batch normalization of the columns of `x`, an (m, d) array of floats."""
    columns = [_forward(*column, epsilon) for column in _columns(x, gamma, beta)]
    return ExactForward(*(_stack(results) for results in zip(*columns, strict=True)))


def exact_backward(dy, x, gamma, *, epsilon):
    """Gradients with respect to `x`, gamma and beta, given that with respect to y."""
    columns = [
        _backward(column, *others, epsilon)
        for column, others in zip(dy.T, _columns(x, gamma), strict=True)
    ]
    *gradients, condition = zip(*columns, strict=True)
    return ExactBackward(*map(_stack, gradients), np.array(condition))


def exact_inference(x, gamma, beta, moving_mean, moving_variance, *, epsilon):
    """Normalize the columns of `x` by stored statistics; returns an `Exact` y."""
    columns = _columns(x, gamma, beta, moving_mean, moving_variance)
    return _stack([_inference(*column, epsilon) for column in columns])


def error(value, exact):
    """Absolute error of each number; infinite where `value` is not finite.

    Examples
    --------
    >>> third = Exact(np.array([1 / 3]), np.array([1.850371707708594e-17]))
    >>> error(np.array([1 / 3, np.nan]), third)
    array([1.85037171e-17,            inf])
    """
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs((np.asarray(value, np.float64) - exact.high) - exact.low)
    return np.where(np.isfinite(value), distance, np.inf)


def column_ulps(value, exact):
    """Largest error of each column, in units in the last place of its largest exact number.

    The unit is the spacing of the dtype of `value` at that number, so a column whose every
    number is correctly rounded has at most 0.5.
    """
    unit = spacing(np.abs(exact.high).max(axis=0), value.dtype)
    return error(value, exact).max(axis=0) / unit


def element_ulps(value, exact):
    """Error of each number in units in its own last place, however close to zero it lies."""
    return error(value, exact) / spacing(exact.high, value.dtype)


def column_relative(value, exact):
    """Largest error of each column over its largest exact number; 0 / 0 counts as 0."""
    errors, largest = error(value, exact).max(axis=0), np.abs(exact.high).max(axis=0)
    return np.divide(
        errors, largest, out=np.where(errors > 0, np.inf, 0), where=largest > 0
    )


def spacing(number, dtype):
    """Distance from `number` to the next of its binade in `dtype`.

    Examples
    --------
    >>> spacing(np.array([1.0, 1.9999999999, 1000.0]), np.float16)
    array([0.00097656, 0.00097656, 0.5       ])
    """
    info = np.finfo(dtype)
    _, exponent = np.frexp(number)  # number < 2**exponent, and at least half of it
    unit = np.ldexp(1.0, exponent - 1 - info.nmant)
    return np.maximum(unit, np.float64(info.smallest_subnormal))


def as_integers(v):
    """Return Python integers n (in an object array) and an exponent e: v = n 2**e, exactly.

    Examples
    --------
    >>> n, e = as_integers(np.array([0.75, -3.0]))
    >>> list(n * Fraction(2) ** e)
    [Fraction(3, 4), Fraction(-3, 1)]
    """
    mantissa, exponent = np.frexp(np.asarray(v, np.float64))
    digits = np.finfo(v.dtype).nmant + 1
    exponent = np.where(mantissa == 0, exponent.max(), exponent)
    lowest = int(exponent.min())
    integers = np.ldexp(mantissa, digits).astype(np.int64).astype(object)
    return integers << (exponent - lowest).astype(object), lowest - digits


def _columns(x, *vectors):
    """Yield each column of `x` with its number of each vector, a Python float."""
    return zip(x.T, *(np.asarray(v, np.float64).tolist() for v in vectors), strict=True)


def _statistics(x, epsilon):
    """Return m times the deviations as integers, their unit, mean, variance, 1 / std."""
    n, exponent = as_integers(x)
    total = n.sum()
    deviations, unit = len(n) * n - total, Fraction(2) ** exponent / len(n)
    variance = (deviations * deviations).sum() * unit**2 / len(n)
    inverse_std = _inverse_root(variance + Fraction(epsilon))
    return deviations, unit, total * unit, variance, inverse_std


def _forward(x, gamma, beta, epsilon):
    deviations, unit, mean, variance, inverse_std = _statistics(x, epsilon)
    y = _combine([(Fraction(gamma) * inverse_std * unit, deviations)], Fraction(beta))
    return y, _combine([], mean), _combine([], variance)


def _backward(dy, x, gamma, epsilon):
    m = len(x)
    deviations, unit, _, _, inverse_std = _statistics(x, epsilon)
    n, exponent = as_integers(dy)
    total = n.sum()
    centered, dy_unit = m * n - total, Fraction(2) ** exponent / m
    product = (centered * deviations).sum() * dy_unit * unit  # sum of dy (x - mean)

    scale = Fraction(gamma) * inverse_std
    slope = scale * inverse_std**2 * product / m
    dx = _combine([(scale * dy_unit, centered), (-slope * unit, deviations)])
    largest = np.abs(dx.high).max()
    by_dy = float(abs(scale)) * np.abs(dy.astype(np.float64)).max()
    condition = by_dy / largest if largest else 1.0
    dgamma, dbeta = inverse_std * product, total * dy_unit * m
    return dx, _combine([], dgamma), _combine([], dbeta), condition


def _inference(x, gamma, beta, mean, variance, epsilon):
    n, exponent = as_integers(x)
    scale = Fraction(gamma) * _inverse_root(Fraction(variance) + Fraction(epsilon))
    terms = [(scale * Fraction(2) ** exponent, n)]
    return _combine(terms, Fraction(beta) - scale * Fraction(mean))


def _inverse_root(q):
    """Return 1 / sqrt(q) to `BITS` bits; 0 for 0, so that a constant column yields beta."""
    if q == 0:
        return Fraction(0)
    shift = BITS + (q.numerator.bit_length() - q.denominator.bit_length()) // 2
    return isqrt(floor(Fraction(4) ** shift / q)) / Fraction(2) ** shift


def _combine(terms, constant=Fraction(0)):
    """Add factors times integers to a constant, each factor rounded to `BITS` bits or more."""
    numbers = [
        number for number in (constant, *(factor for factor, _ in terms)) if number
    ]
    shift = BITS + max((_size(1 / number) for number in numbers), default=0)
    total = np.array(round(constant * Fraction(2) ** shift), dtype=object)
    for factor, integers in terms:
        total = total + round(factor * Fraction(2) ** shift) * integers
    return _as_two_floats(np.asarray(total, dtype=object), shift)


def _size(number):
    return number.numerator.bit_length() - number.denominator.bit_length()


def _as_two_floats(integers, shift):
    """Split integers / 2**shift into the nearest float64 and the rest."""
    excess = max(0, int(np.max(np.abs(integers))).bit_length() - 2 * BITS)
    integers = np.asarray(integers >> excess, dtype=object)
    high = integers.astype(np.float64)
    low = np.asarray(integers - _to_int(high), dtype=object).astype(np.float64)
    with np.errstate(
        over="ignore", under="ignore"
    ):  # a variance of 1e400 is infinite here
        return Exact(np.ldexp(high, excess - shift), np.ldexp(low, excess - shift))


def _stack(columns):
    """Put columns (or numbers) side by side."""
    return Exact(*(np.stack(parts, axis=-1) for parts in zip(*columns, strict=True)))


_to_int = np.frompyfunc(int, 1, 1)
