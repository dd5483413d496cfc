"""Floor 0. Sums of columns: quick, because they are products; accurate, because they are short.

A product with a vector of ones is the fastest column sum that NumPy has. It adds one row after the
other, though, and in the precision of the rows: after 100,000 of them the sum of a float32 is off
in its fourth digit, as the example shows. Added eight at a time, it is right to a few last places.
"""

from functools import lru_cache

import numpy as np

CHAIN = 8  # rows that are added without float64


def column_sums(rows):
    """Sum each column in float64; eight rows at a time, which are added in the rows' own dtype.

    The rows are folded into eight long rows, which one product adds. Sums in float64 round too, so
    there the result is folded again.

    Parameters
    ----------
    rows : ndarray of shape (m, d), float32 or float64

    Returns
    -------
    ndarray of shape (d,), float64

    Examples
    --------
    >>> tenths = np.full((100_000, 2), 0.1, np.float32)
    >>> column_sums(tenths).round(2), tenths.sum(axis=0).round(2)
    (array([10000., 10000.]), array([9998.56, 9998.56], dtype=float32))
    """
    whole = len(rows) // CHAIN * CHAIN
    if whole < 2 * CHAIN:
        return ones(len(rows), np.float64).dot(rows)
    eights = _fold(rows[:whole], ones(CHAIN, rows.dtype))
    if rows.dtype == np.float64:
        sums = column_sums(eights)
    else:
        sums = ones(len(eights), np.float64).dot(eights)
    return sums if whole == len(rows) else sums + column_sums(rows[whole:])


def weighted_sums(rows):
    """Sum each column with a weight for each row: rows that change places change the sum.

    Eight rows at a time, as in `column_sums`, so that no change is lost in a long sum of float32.

    Parameters
    ----------
    rows : ndarray of shape (m, d), float32 or float64

    Returns
    -------
    ndarray of shape (d,), float64
    """
    whole = len(rows) // CHAIN * CHAIN
    eights = _fold(rows[:whole], _weights(CHAIN, rows.dtype, seed=0))
    sums = _weights(len(eights), np.float64, seed=1).dot(eights)
    left = rows[whole:]
    return sums + _weights(len(left), np.float64, seed=2).dot(left)


def _fold(rows, weights):
    """Fold rows, a multiple of eight, into eight long ones, and add those with their weights."""
    return weights.dot(rows.reshape(CHAIN, -1)).reshape(-1, rows.shape[1])


@lru_cache(maxsize=64)
def ones(n, dtype):
    """Return a vector of ones, the same one each time."""
    vector = np.ones(n, dtype)
    vector.flags.writeable = False
    return vector


@lru_cache(maxsize=64)
def _weights(n, dtype, *, seed):
    return np.random.default_rng(seed).uniform(1, 2, n).astype(dtype)
