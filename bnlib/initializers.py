"""Where a kernel starts, after Glorot and Bengio (2010) and He et al. (2015); Keras's names."""

from collections.abc import Callable

import numpy as np

_VARIANCES = {
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
}
_SHAPES = ("normal", "uniform")


def initialize(initializer, fan_in, fan_out, *, rng):
    """Draw a kernel of shape (fan_in, fan_out).

    Parameters
    ----------
    initializer : str or callable
        "glorot_normal", "glorot_uniform" (variance 2 / (fan_in + fan_out)), "he_normal",
        "he_uniform" (variance 2 / fan_in), or a function of `(shape, rng)`.
    fan_in, fan_out : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (fan_in, fan_out), float64

    Examples
    --------
    >>> kernel = initialize("he_normal", 1000, 500, rng=np.random.default_rng(0))
    >>> print(f"{kernel.var():.5f}")
    0.00200
    """
    if isinstance(initializer, Callable):
        return np.asarray(initializer((fan_in, fan_out), rng), np.float64)
    names = [f"{scale}_{shape}" for scale in _VARIANCES for shape in _SHAPES]
    if initializer not in names:
        raise ValueError(
            f"kernel_initializer must be a function or one of {names}. Received: {initializer!r}"
        )
    scale, shape = initializer.split("_")
    std = np.sqrt(_VARIANCES[scale](fan_in, fan_out))
    if shape == "normal":
        return rng.normal(0, std, (fan_in, fan_out))
    # A uniform variable on [-limit, limit] has variance limit**2 / 3.
    limit = np.sqrt(3) * std
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def random_normal(stddev):
    """Return an initializer that draws from a normal distribution around 0.

    Examples
    --------
    >>> initialize(random_normal(0.01), 2, 3, rng=np.random.default_rng(0)).shape
    (2, 3)
    """
    return lambda shape, rng: rng.normal(0, stddev, shape)


def scaled(initializer, factor):
    """Return another initializer's kernels, times `factor`."""
    return lambda shape, rng: factor * initialize(initializer, *shape, rng=rng)
