"""The two textbook versions in plain NumPy, in the precision of x: staged, and in closed form.

Staged goes back through the graph one operation at a time, as courses teach it. The closed form
is chapter 4's, on whole arrays.
"""

import numpy as np


def forward(x, gamma, beta, *, epsilon):
    """Return y and what either backward pass needs; x has shape (m, d)."""
    mean = x.mean(axis=0)
    centred = x - mean
    variance = np.square(centred).mean(axis=0)
    std = np.sqrt(variance + x.dtype.type(epsilon))
    inverse_std = 1 / std
    x_hat = centred * inverse_std
    y = gamma * x_hat + beta
    return y, (centred, std, inverse_std, x_hat, gamma, mean, variance)


def staged_backward(dy, saved):
    """Return dx, dgamma and dbeta, one step of the graph at a time."""
    centred, std, inverse_std, x_hat, gamma, _, _ = saved
    m = len(dy)
    # y = scaled + beta, scaled = gamma * x_hat
    dbeta = dy.sum(axis=0)
    dgamma = (dy * x_hat).sum(axis=0)
    dx_hat = dy * gamma
    # x_hat = centred * inverse_std, inverse_std = 1 / std
    dinverse_std = (dx_hat * centred).sum(axis=0)
    dcentred = dx_hat * inverse_std
    dstd = -dinverse_std / np.square(std)
    # std = sqrt(variance + epsilon), variance = mean of squares, squares = centred ** 2
    dvariance = 0.5 * dstd / std
    dsquares = np.ones_like(dy) * dvariance / m
    dcentred = dcentred + 2 * centred * dsquares
    # centred = x - mean, mean = mean of x
    dmean = -dcentred.sum(axis=0)
    return dcentred + np.ones_like(dy) * dmean / m, dgamma, dbeta


def closed_backward(dy, saved):
    """Return dx, dgamma and dbeta by the simplified formula."""
    _, _, inverse_std, x_hat, gamma, _, _ = saved
    m = len(dy)
    dbeta = dy.sum(axis=0)
    dgamma = (dy * x_hat).sum(axis=0)
    dx = gamma * inverse_std * (dy - dbeta / m - x_hat * dgamma / m)
    return dx, dgamma, dbeta
