"""The passes of batch normalization over a small batch: in one piece, and in float64.

On a few thousand numbers the time goes into NumPy's calls, not into the numbers: the fewer calls,
the better, and float64 costs nothing. So the batch is copied into float64 once, as its deviations
from the mean; no float32 is rounded before the end, none overflows, and what becomes of x
afterwards does no harm.

Where x is float64 itself, roundings count. Then sums are those of `bnlib.sums`, and the deviations
keep a tiny mean, the rest: what rounding left of the mean of x. The shift of y takes it off.
"""

import numpy as np

from bnlib.sums import column_sums, ones


def centre(rows):
    """Take the moments, and keep what they were taken from.

    Parameters
    ----------
    rows : ndarray of shape (m, d)

    Returns
    -------
    deviations : ndarray of shape (m, d), float64
        x less the mean, but for the rest.
    rest : ndarray of shape (d,), float64, or None
        Mean of the deviations, where there is one.
    mean, variance : ndarray of shape (d,), float64
        The variance is biased.
    """
    m = len(rows)
    if rows.dtype == np.float64:
        # From the first row on, no digits are lost to a large common mean, and the
        # deviations of a constant column are exactly 0.
        mean = rows[0] + column_sums(rows - rows[0]) / m
        deviations = rows - mean
        rest = column_sums(deviations) / m
        variance = column_sums(deviations * deviations) / m - rest * rest
        return deviations, rest, mean + rest, variance
    deviations = rows.astype(np.float64)
    add = ones(m, np.float64).dot  # however many: there are digits to spare
    mean = add(deviations) / m
    deviations -= mean
    return deviations, None, mean, add(deviations * deviations) / m


def standardize(deviations, scale, shift):
    """Return `deviations * scale + shift`, in float64."""
    result = deviations * scale
    result += shift
    return result


def gradients(dy, x_hat, gamma, inverse_std):
    """Gradients of the loss: the closed form.

    Parameters
    ----------
    dy, x_hat : ndarray of shape (m, d)
    gamma, inverse_std : ndarray of shape (d,), float64

    Returns
    -------
    dx : ndarray of shape (m, d), float64
    dgamma, dbeta : ndarray of shape (d,), float64
    """
    m, exact = len(dy), dy.astype(np.float64)
    add = column_sums if dy.dtype == np.float64 else ones(m, np.float64).dot
    dbeta, dgamma = add(exact), add(exact * x_hat)
    # dx = gamma * inverse_std * (dy - dbeta / m - x_hat * dgamma / m)
    dx = x_hat * (dgamma / -m)
    dx -= dbeta / m
    dx += exact
    dx *= gamma * inverse_std
    return dx, dgamma, dbeta
