"""Draw the record: how near each contestant comes to the roofline, and its time against size."""

from benchmarks.roofline import MOVES
from bnlib import plots

STYLES = {
    "bnlib": {"color": "#0072B2", "marker": "o"},
    "bnlib fused": {"color": "#56B4E9", "marker": "s"},
    "staged": {"color": "#D55E00", "marker": "^", "linestyle": "--"},
    "closed form": {"color": "#E69F00", "marker": "v", "linestyle": "--"},
    "NumPy least": {"color": "#999999", "marker": "x", "linestyle": ":"},
    "Keras": {"color": "#CC79A7", "marker": "D", "linestyle": "-."},
    "PyTorch": {"color": "#009E73", "marker": "P", "linestyle": ":"},
    "roofline": {"color": "black", "linewidth": 1.2},
}
WIDTH = {"float32": 4, "float64": 8}  # bytes of a number


def draw(tables, folder):
    """Draw what the tables hold, as PNG files.

    Parameters
    ----------
    tables : dict of str to list of dict
        Of the record; `sizes` is drawn against size, `passes` under the roofline.
    folder : path

    Returns
    -------
    list of path
        The files.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plots.use_style()
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, table, plot in [
        ("time_against_size", "sizes", plot_time),
        ("roofline", "passes", plot_roofline),
    ]:
        if tables.get(table):
            fig, ax = plt.subplots(figsize=(8, 4.4))
            plot(tables[table], ax)
            drawn.append(folder / f"{name}.png")
            fig.savefig(drawn[-1])
            plt.close(fig)
    return drawn


def plot_time(rows, ax):
    """Draw nanoseconds an element against the number of elements, a line a contestant.

    The band holds the middle half of the rounds.
    """
    for name, style in STYLES.items():
        points = [(row["elements"], row["values"].get(name)) for row in rows]
        points = [(n, value) for n, value in points if value]
        if points:
            sizes = [n for n, _ in points]
            low, middle, high = (
                [1e9 * value[which] / n for n, value in points]
                for which in ("p25", "median", "p75")
            )
            ax.plot(sizes, middle, label=name, markersize=5, **style)
            ax.fill_between(sizes, low, high, color=style["color"], alpha=0.15, lw=0)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="elements of x (rows x 64, float32)",
        ylabel="nanoseconds an element",
        title="Forward and backward pass",
    )
    _legend(ax)


def plot_roofline(rows, ax):
    """Draw the bytes that must move, over the time, against the size of x: float32 only.

    The line is the roof, the bandwidth of loops that move these bytes and do nothing else.
    """
    rows = [row for row in rows if row["dtype"] == "float32"]
    rows.sort(key=lambda row: row["elements"])
    for name, style in STYLES.items():
        points = [
            (
                row["elements"] * WIDTH[row["dtype"]] / 2**20,
                bandwidth(row, name),
            )
            for row in rows
            if name in row["values"]
        ]
        marks = {} if name == "roofline" else {"linestyle": "none", "markersize": 6}
        if points:
            ax.plot(*zip(*points, strict=True), label=name, **{**style, **marks})
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="size of x, MiB",
        ylabel="GB/s of the bytes that must move",
        title="Under the roofline: forward and backward pass, float32",
    )
    _legend(ax)


def bandwidth(row, name):
    """Return how many GB/s of the bytes that must move a contestant gets through."""
    moved = MOVES * row["elements"] * WIDTH[row["dtype"]]
    return moved / row["values"][name]["median"] / 1e9


def _legend(ax):
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))  # beside the points
