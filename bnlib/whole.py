"""The passes of batch normalization over a small batch: in one piece, and in float64.

On a few thousand numbers the time goes into NumPy's calls, not into the numbers: the fewer calls,
the better, and float64 costs nothing. So the batch is copied into float64 once, as its deviations
from the mean; nothing is rounded before the end, nothing overflows that float32 can hold, and what
becomes of x afterwards does no harm.
"""

from functools import lru_cache

import numpy as np


def centre(rows):
    """Take the moments, and keep what they were taken from.

    Parameters
    ----------
    rows : ndarray of shape (m, d)

    Returns
    -------
    deviations : ndarray of shape (m, d), float64
        From the mean.
    mean, variance : ndarray of shape (d,), float64
        The variance is biased.
    """
    deviations = rows.astype(np.float64)
    # From the first row on, no digits are lost to a large common mean, and the
    # deviations of a constant column are exactly 0.
    first = deviations[0].copy()
    deviations -= first
    shift = _average(deviations)
    deviations -= shift
    return deviations, first + shift, _average(deviations * deviations)


def standardize(deviations, scale, shift, dtype):
    """Return `deviations * scale + shift` in this dtype."""
    result = deviations * scale
    result += shift
    return result.astype(dtype, copy=False)


def gradients(dy, deviations, gamma, inverse_std):
    """Gradients of the loss: the closed form.

    Parameters
    ----------
    dy, deviations : ndarray of shape (m, d)
    gamma, inverse_std : ndarray of shape (d,), float64

    Returns
    -------
    dx : ndarray of the shape and dtype of `dy`
    dgamma, dbeta : ndarray of shape (d,), float64
    """
    m, exact = len(dy), dy.astype(np.float64, copy=False)
    dbeta = _ones(m).dot(exact)
    dgamma = _ones(m).dot(exact * deviations) * inverse_std
    # dx = gamma * inverse_std * (dy - dbeta / m - x_hat * dgamma / m)
    dx = deviations * (inverse_std * dgamma / -m)
    dx -= dbeta / m
    dx += exact
    dx *= gamma * inverse_std
    return dx.astype(dy.dtype, copy=False), dgamma, dbeta


def _average(rows):
    average = _ones(len(rows)).dot(rows)  # the quickest column sum that NumPy has
    average /= len(rows)
    return average


@lru_cache(maxsize=64)
def _ones(n):
    return np.ones(n)
