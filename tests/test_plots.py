"""Specification of `bnlib.plots`: figures show the data that they were given, and can be read."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb

from bnlib import plots

# The linear map of CSS's filter hue-rotate(180deg), from the specification of its filter effects.
LUMA = np.array([0.213, 0.715, 0.072])
HALF_TURN = 2 * np.tile(LUMA, (3, 1)) - np.eye(3)
PAPER = {"light": np.ones(3), "dark": np.full(3, 0x12 / 255)}


def shown(color, theme):
    """Return the colour as the page shows it: in the dark theme inverted, its hue turned back."""
    rgb = np.array(to_rgb(color))
    return rgb if theme == "light" else np.clip(HALF_TURN @ (1 - rgb), 0, 1)


def contrast(one, other):
    """Return the contrast of two colours, from 1 to 21, as WCAG 2 defines it."""
    linear = [
        np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        for c in (one, other)
    ]
    low, high = sorted(c @ [0.2126, 0.7152, 0.0722] for c in linear)
    return (high + 0.05) / (low + 0.05)


@pytest.fixture
def ax():
    with plt.style.context(plots.STYLE):
        fig, ax = plt.subplots()
        yield ax
        fig.canvas.draw()
        plt.close(fig)


def test_with_and_without_differ_in_more_than_colour():
    assert plots.WITH["color"] != plots.WITHOUT["color"]
    assert plots.WITH["linestyle"] != plots.WITHOUT["linestyle"]


@pytest.mark.parametrize("theme", PAPER)
@pytest.mark.parametrize("style", [plots.WITH, plots.WITHOUT], ids=["with", "without"])
def test_with_and_without_stand_out_from_the_page_in_either_theme(style, theme):
    assert contrast(shown(style["color"], theme), PAPER[theme]) > 3


@pytest.mark.parametrize("style", [plots.WITH, plots.WITHOUT], ids=["with", "without"])
def test_blue_stays_blue_and_vermillion_red_in_the_dark(style):
    drawn, dark = (shown(style["color"], theme) for theme in PAPER)
    assert drawn.argmax() == dark.argmax()
    assert drawn.argmin() == dark.argmin()


def test_type_in_a_figure_is_as_large_as_the_text_around_it(ax):
    plots.plot_percentiles([1, 2], [[0, 1, 2], [3, 4, 5]], ax, **plots.WITHOUT)
    ax.set(title="title", xlabel="x", ylabel="y")
    legend = ax.legend().get_texts()
    texts = [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *legend]
    assert {text.get_size() for text in texts} == {12}
    assert min(text.get_size() for text in ax.texts) >= 10


def test_seeds_are_drawn_as_their_median_in_a_band_from_least_to_most(ax):
    runs = np.array([[1.0, 5.0], [2.0, 9.0], [10.0, 6.0]])
    plots.plot_seeds([0, 1], runs, ax, **plots.WITH)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2, 6])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1, 10)


def test_percentiles_are_three_lines_of_which_one_is_in_the_legend(ax):
    plots.plot_percentiles([1, 2], [[0, 1, 2], [3, 4, 5]], ax, **plots.WITHOUT)
    drawn = sorted(line.get_ydata().tolist() for line in ax.lines)
    assert drawn == [[0, 3], [1, 4], [2, 5]]
    assert len(ax.get_legend_handles_labels()[1]) == 1
    assert [text.get_text() for text in ax.texts] == ["15%", "50%", "85%"]


def test_a_descent_is_drawn_on_the_contours_of_its_loss(ax):
    path = np.array([[4.0, 1.0], [0.0, 0.5]])
    plots.plot_descent(np.diag([1.0, 10.0]), path, ax)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), path)
    assert ax.get_xlim()[0] < -4 < 4 < ax.get_xlim()[1]


def test_the_graph_of_batch_norm_names_every_value_with_its_shape(ax):
    vectors = ["mean", "variance", "inverse_std", "gamma", "beta"]
    tables = ["x", "centred", "x_hat", "y"]
    values = {name: np.ones(2) for name in vectors} | {
        name: np.ones((4, 2)) for name in tables
    }
    plots.plot_batchnorm_graph(values, ax)
    labels = {text.get_text() for text in ax.texts} - {""}
    assert labels == {f"{n}  (2,)" for n in vectors} | {f"{n}  (4, 2)" for n in tables}
    assert sum(not text.get_text() for text in ax.texts) == 10  # arrows


def test_a_projection_leaves_a_vector_at_a_right_angle_to_the_direction(ax):
    plots.plot_projection([3.0, 4.0], [2.0, 0.0], ax, names=["v", "along", "left"])
    tips = [text.xy for text in ax.texts if not text.get_text()]
    np.testing.assert_allclose(tips, [(3, 4), (3, 0), (0, 4)])
