"""Figures of the chapters, in one style. A plot takes data and an `ax`; it computes no result.

Without batch normalization is always vermillion and dashed, with it always blue and solid.
"""

from pathlib import Path

import numpy as np

from bnlib.checks import as_floats

STYLE = Path(__file__).with_name("course.mplstyle")
WITHOUT = {"color": "#D55E00", "linestyle": "--", "label": "without batch norm"}
WITH = {"color": "#0072B2", "linestyle": "-", "label": "with batch norm"}


def use_style():
    """Draw all further figures in the course's style, sharp on a dense screen."""
    import matplotlib.pyplot as plt

    plt.style.use(STYLE)
    _sharpen()


def plot_seeds(x, runs, ax, **style):
    """Draw the median of several runs, with a band from the smallest to the largest.

    Parameters
    ----------
    x : array_like of shape (n,)
    runs : array_like of shape (seeds, n)
    ax : matplotlib.axes.Axes
    **style
        Of the line: `WITH`, `WITHOUT` or Matplotlib's own keywords.
    """
    runs = as_floats(runs, "runs", min_ndim=2)
    (line,) = ax.plot(x, np.median(runs, axis=0), **style)
    ax.fill_between(
        x, runs.min(axis=0), runs.max(axis=0), color=line.get_color(), alpha=0.2, lw=0
    )


def plot_percentiles(steps, values, ax, *, percentiles=(15, 50, 85), **style):
    """Draw percentiles over training: the middle one heavy, the outer ones light, a band between.

    Parameters
    ----------
    steps : array_like of shape (n,)
    values : array_like of shape (n, 3)
        From `bnlib.diagnostics.PercentileRecorder`.
    ax : matplotlib.axes.Axes
    percentiles : sequence of 3 float
        Named at the right end of the lines.
    **style
        `WITH`, `WITHOUT` or Matplotlib's own keywords.
    """
    low, middle, high = np.transpose(values)
    (line,) = ax.plot(steps, middle, **style)
    outer = {**style, "linewidth": 1, "label": None}
    ax.plot(steps, low, **outer)
    ax.plot(steps, high, **outer)
    ax.fill_between(steps, low, high, color=line.get_color(), alpha=0.15, lw=0)
    for percentile, value in zip(percentiles, np.asarray(values)[-1], strict=True):
        place = {
            "xy": (steps[-1], value),
            "xytext": (4, 0),
            "textcoords": "offset points",
        }
        ax.annotate(f"{percentile}%", **place, va="center", fontsize=9)


def plot_descent(hessian, path, ax, *, color="#0072B2", levels=12):
    """Draw the contours of a quadratic loss around its minimum at 0, and a path towards it.

    Parameters
    ----------
    hessian : array_like of shape (2, 2)
    path : array_like of shape (steps + 1, 2)
        Distances of the two weights from the minimum.
    ax : matplotlib.axes.Axes
    color : str
    levels : int
        How many contours, at equal ratios of the loss.
    """
    hessian, path = np.asarray(hessian), np.asarray(path)
    reach = 1.15 * np.abs(path).max()
    first, second = np.meshgrid(*2 * [np.linspace(-reach, reach, 201)])
    points = np.stack([first, second], axis=-1)
    loss = 0.5 * np.einsum("...i,ij,...j", points, hessian, points)
    heights = loss.max() * np.geomspace(1e-4, 1, levels)
    ax.contour(first, second, loss, levels=heights, colors="#9A9A9A", linewidths=0.8)
    ax.plot(*path.T, "o-", color=color, markersize=3, linewidth=1.2)
    ax.plot(0, 0, "+", color="black", markersize=10)
    ax.set(
        xlabel="first weight, from its best value",
        ylabel="second weight",
        aspect="equal",
    )


def plot_history(histories, ax, *, name="val_accuracy"):
    """Draw one list of several training histories against the epoch.

    Parameters
    ----------
    histories : list of (history, style)
        `bnlib.training.History` or Keras's own, each with `WITH`, `WITHOUT` or another style.
    ax : matplotlib.axes.Axes
    name : str
        Which list: "loss", "accuracy", "val_loss", "val_accuracy".
    """
    for history, style in histories:
        recorded = getattr(history, "history", None) or vars(history)
        values = recorded[name]
        ax.plot(np.arange(1, len(values) + 1), values, **style)
    ax.set(xlabel="epoch", ylabel=name.replace("val_", "validation ").replace("_", " "))


def _sharpen():
    """Ask a notebook, where there is one, for figures of twice as many dots."""
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    set_matplotlib_formats("png", dpi=200)
