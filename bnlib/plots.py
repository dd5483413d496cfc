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
        ax.annotate(f"{percentile}%", **place, va="center", fontsize=10)


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


def plot_batchnorm_graph(values, ax):
    """Draw batch normalization as a graph: each value a box with its shape, arrows forward.

    What a row goes through alone is blue and solid; the detours by way of the batch's statistics,
    where all rows meet, are vermillion and dashed.

    Parameters
    ----------
    values : dict of str to array_like
        Of the forward pass: x, mean, centred, variance, inverse_std, x_hat, gamma, beta, y.
    ax : matplotlib.axes.Axes
    """
    places = {
        "x": (0, 6), "mean": (1, 5), "centred": (0, 4), "variance": (1, 3), "inverse_std": (1, 2),
        "x_hat": (0, 1), "gamma": (1, 0.5), "beta": (1, -0.5), "y": (0, 0),
    }  # fmt: skip
    road, detour = (
        {"color": WITH["color"]},
        {"color": WITHOUT["color"], "linestyle": "--"},
    )
    arrows = [
        (road, ["x-centred", "centred-x_hat", "x_hat-y"]),
        (detour, ["x-mean", "mean-centred", "centred-variance"]),
        (detour, ["variance-inverse_std", "inverse_std-x_hat"]),
        ({"color": "#666666"}, ["gamma-y", "beta-y"]),
    ]
    look = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "black"}
    boxes = {}
    for name, place in places.items():
        label = f"{name}  {np.shape(values[name])}"
        text = ax.text(*place, label, ha="center", va="center", bbox=look)
        boxes[name] = text.get_bbox_patch()
    common = {"arrowstyle": "-|>", "linewidth": 1.8, "mutation_scale": 14}
    for style, pairs in arrows:
        for start, end in (pair.split("-") for pair in pairs):
            ends = {
                "patchA": boxes[start],
                "patchB": boxes[end],
                "shrinkA": 0,
                "shrinkB": 0,
            }
            ax.annotate(
                "", places[end], places[start], arrowprops={**common, **style, **ends}
            )
    ax.set(xlim=(-0.4, 1.45), ylim=(-0.9, 6.4))
    ax.axis("off")


def plot_projection(vector, direction, ax, *, names):
    """Draw a vector, its part along a direction, and what is left, in the plane of the two.

    Parameters
    ----------
    vector, direction : array_like of shape (n,)
    ax : matplotlib.axes.Axes
    names : sequence of 3 str
        Of the vector, of its part along the direction, of what is left.
    """
    vector, direction = np.asarray(vector), np.asarray(direction)
    unit = direction / np.linalg.norm(direction)
    along = vector @ unit
    left = np.linalg.norm(vector - along * unit)
    ax.plot([along, along], [0, left], ":", color="#666666", linewidth=1)
    ax.plot([0, along], [left, left], ":", color="#666666", linewidth=1)
    whole, part, rest = "black", WITHOUT["color"], WITH["color"]
    for tip, color, dash in (
        ((along, left), whole, "-"),
        ((along, 0), part, "--"),
        ((0, left), rest, "-"),
    ):
        look = {"color": color, "linestyle": dash, "linewidth": 2, "mutation_scale": 16}
        ends = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", tip, (0, 0), arrowprops={**look, **ends})
    at = {"textcoords": "offset points", "ha": "center"}
    ax.annotate(names[0], (along, left), (0, 5), color=whole, **at)
    ax.annotate(names[1], (along / 2, 0), (0, -8), color=part, va="top", **at)
    ax.annotate(names[2], (0, left), (0, 5), color=rest, **at)
    ax.set(
        xlim=(-0.35 * along, 1.25 * along),
        ylim=(-0.25 * left, 1.25 * left),
    )
    ax.set_aspect("equal")
    ax.axis("off")


def _sharpen():
    """Ask a notebook, where there is one, for figures of twice as many dots, shown as wide."""
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    set_matplotlib_formats("retina", pil_kwargs={"optimize": True})
