"""Specification of `bnlib.plots`: the figures show the data that they were given."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from bnlib import plots


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
