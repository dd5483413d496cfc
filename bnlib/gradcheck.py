"""Chapter 4. Gradients checked against finite differences, in every entry or in one direction.

A check is only as good as its loss. sum(y) and sum(y**2) hardly depend on x through batch
normalization: some wrong backward passes go through, and rounding may refuse the right one. Weigh
the outputs with random numbers instead.
"""

import numpy as np


class GradientError(AssertionError):
    """The analytic gradient is not the slope of the function."""


def numerical_gradient(f, x, *, step=1e-5):
    """Slope of `f` in every entry of `x`, by central differences; the error falls with step**2.

    Parameters
    ----------
    f : function of an array like `x` that returns a number
    x : ndarray of float64
        Not changed.
    step : float

    Returns
    -------
    ndarray of the shape of `x`

    Examples
    --------
    >>> numerical_gradient(lambda x: (x**2).sum(), np.array([1.0, 2.0])).round(6)
    array([2., 4.])
    """
    x = _as_float64(x)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[index] = step
        gradient[index] = _slope(f, x, shift, step)
    return gradient


def check_gradient(f, x, gradient, *, step=1e-5, tolerance=1e-6, name="x"):
    """Raise unless `gradient` is the slope of `f` in every entry of `x`.

    Parameters
    ----------
    f : function of an array like `x` that returns a number
    x : ndarray of float64
    gradient : ndarray of the shape of `x`
        What the backward pass says.
    step : float
    tolerance : float
        Largest difference, relative to the largest entry of either gradient.
    name : str
        For the message.

    Raises
    ------
    GradientError
        With the place, and both numbers, of the entry that differs most.

    Examples
    --------
    >>> check_gradient(lambda x: (x**2).sum(), np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    >>> check_gradient(lambda x: (x**2).sum(), np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    Traceback (most recent call last):
    bnlib.gradcheck.GradientError: gradient of x differs at [1]: analytic 3, numerical 4 ...
    """
    numerical = numerical_gradient(f, x, step=step)
    gradient = np.asarray(gradient)
    if gradient.shape != numerical.shape:
        raise GradientError(
            f"gradient of {name} must have shape {numerical.shape}. "
            f"Received: shape {gradient.shape}"
        )
    difference = np.abs(gradient - numerical)
    worst = np.unravel_index(np.argmax(difference), difference.shape)
    scale = max(np.abs(gradient).max(), np.abs(numerical).max())
    place = f"gradient of {name} differs at {[int(i) for i in worst]}"
    _compare(gradient[worst], numerical[worst], scale, tolerance, place)


def check_direction(f, x, gradient, *, rng, step=1e-5, tolerance=1e-6, name="x"):
    """Raise unless `gradient` gives the slope of `f` along one random direction.

    Two evaluations, whatever the size.

    Parameters
    ----------
    f, x, gradient, step, tolerance, name
        As in `check_gradient`.
    rng : numpy.random.Generator
        Draws the direction.

    Examples
    --------
    >>> x = np.arange(1000.0)
    >>> check_direction(lambda x: (x**2).sum(), x, 2 * x, rng=np.random.default_rng(0))
    """
    x = _as_float64(x)
    direction = rng.normal(size=x.shape)
    direction /= np.linalg.norm(direction)
    numerical = _slope(f, x, step * direction, step)
    analytic = float(np.sum(gradient * direction))
    # Along a random direction a gradient of norm g has a slope of about g / sqrt(size).
    typical = np.linalg.norm(gradient) / np.sqrt(x.size)
    scale = max(abs(numerical), abs(analytic), typical)
    place = f"gradient of {name} differs along a random direction"
    _compare(analytic, numerical, scale, tolerance, place)


def _slope(f, x, shift, step):
    return float((f(x + shift) - f(x - shift)) / (2 * step))


def _compare(analytic, numerical, scale, tolerance, place):
    error = abs(analytic - numerical) / scale if scale != 0 else 0.0
    if not error <= tolerance:  # "not <=" rather than ">", so that a NaN fails too
        raise GradientError(
            f"{place}: analytic {analytic:.6g}, numerical {numerical:.6g} "
            f"(relative error {error:.1e}, tolerance {tolerance:.0e})"
        )


def _as_float64(x):
    x = np.asarray(x)
    if x.dtype != np.float64:
        raise TypeError(
            f"finite differences need float64, to have digits left. Received: dtype {x.dtype}"
        )
    return x
