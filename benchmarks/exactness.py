"""How exact batch normalization is: bnlib and the frameworks against exact arithmetic.

`python -m benchmarks.exactness` prints two tables, one for y and one for dx, counts the rows in
which each contestant stays within the goal, and names those in which a peer is more exact
than bnlib.
"""

import argparse
import warnings
from typing import NamedTuple

import numpy as np

from benchmarks.exactness_cases import CASES, draw
from benchmarks.exactness_peers import OURS, NotOfferedError, load
from benchmarks.oracle import (
    column_relative,
    column_ulps,
    element_ulps,
    exact_backward,
    exact_forward,
    exact_inference,
)
from bnlib.checks import NonFiniteError

GOAL = 4  # units in the last place of a column's largest output
GOAL_DX = 1e-6  # of a column's largest dx in float32, times its condition number
TIE = 0.5  # units in the last place: what rounding a right result may cost
TITLE = "y: largest error in units in the last place of the column's largest number"
TITLE_DX = (
    "dx: largest error over the column's largest dx and over its condition number"
)
REFUSED = "refused"  # an error told the user


class Score(NamedTuple):
    """How far one contestant is off in one case: the worst of all columns."""

    y: float | str | None  # in units in the last place; None where not offered
    element: float | None = None  # the same, each number in units of its own last place
    dx: float | None = None  # over the column's largest dx, and its condition number


class Row(NamedTuple):
    """One case and everybody's score in it."""

    case: object
    columns: int
    scores: dict  # name of the contestant to Score


def score(case, contestants, columns=64):
    """Run every contestant on one case.

    Parameters
    ----------
    case : Case
    contestants : dict
        Name to function, from `exactness_peers.load`.
    columns : int
        How many columns to draw; fewer in long batches.

    Returns
    -------
    Row
    """
    batch = draw(case, columns)
    x, dy, *vectors = batch
    if case.moving:
        exact, backward = exact_inference(x, *vectors, epsilon=case.epsilon), None
    else:
        exact = exact_forward(x, *vectors[:2], epsilon=case.epsilon).y
        backward = exact_backward(dy, x, vectors[0], epsilon=case.epsilon)
    scores = {
        name: _score(run, batch, case.epsilon, exact, backward)
        for name, run in contestants.items()
    }
    return Row(case, x.shape[1], scores)


def worst_dx(dx, backward):
    """Largest error of dx over its column's largest dx and over the condition number."""
    relative = column_relative(dx, backward.dx)
    return float((relative / np.maximum(1, backward.condition)).max())


def most_exact(row, field):
    """Names of those at most a rounding behind the best; empty where nobody has a right digit."""
    eps = np.finfo(row.case.dtype).eps
    tie, wrong = (TIE, 0.5 / eps) if field == "y" else (TIE * eps, 0.5)
    numbers = {name: getattr(one, field) for name, one in row.scores.items()}
    right = {
        name: off
        for name, off in numbers.items()
        if isinstance(off, float) and off < wrong
    }
    best = min(right.values(), default=0)
    return [name for name, off in right.items() if off <= best + tie]


def sweep(contestants, *, columns=64, names=""):
    """Yield the `Row` of every case whose name contains `names`."""
    for case in CASES:
        if names in case.name:
            yield score(case, contestants, columns)


def main(arguments=None):
    """Print the tables and return the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="?", default="", help="only cases named so")
    parser.add_argument("--columns", type=int, default=64, help="drawn in each case")
    parser.add_argument("--alone", action="store_true", help="bnlib without its peers")
    options = parser.parse_args(arguments)

    if not any(options.names in case.name for case in CASES):
        parser.error(f"no case is named so: {options.names!r}")
    contestants, missing = load(peers=not options.alone)
    if missing:
        print("Not installed, left out:", ", ".join(missing))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what comes of an overflow is measured
        rows = list(sweep(contestants, columns=options.columns, names=options.names))
    print_table(TITLE, rows, "y")
    print_table(TITLE_DX, [row for row in rows if not row.case.moving], "dx")
    print_counts(rows)
    print_losses(rows)
    return rows


def print_table(title, rows, field):
    """Print one line a case: everybody's error and who is the most exact."""
    if not rows:
        return
    contestants = list(rows[0].scores)
    print("", title, "", sep="\n")
    print(f"{'':40}" + "".join(f"{name:>13}" for name in contestants) + "  most exact")
    for row in rows:
        numbers = (_text(getattr(row.scores[name], field)) for name in contestants)
        best = ", ".join(most_exact(row, field)) or "nobody"
        print(
            f"{row.case.name:40}" + "".join(f"{n:>13}" for n in numbers) + f"  {best}"
        )


def print_counts(rows):
    """Print in how many cases each contestant is within the goal."""
    columns = sum(row.columns for row in rows)
    print(
        f"\ny within {GOAL} units in the last place, of {len(rows)} cases, {columns} columns:"
    )
    for name in rows[0].scores:
        scores = [row.scores[name].y for row in rows]
        within = sum(isinstance(y, float) and y <= GOAL for y in scores)
        refused, missing = scores.count(REFUSED), scores.count(None)
        print(f"{name:>13}{within:4}, refused {refused}, not offered {missing}")


def print_losses(rows):
    """Name the cases in which somebody is more exact than bnlib."""
    for field in ("y", "dx"):
        found = [row.case.name for row in rows if is_lost(row, field)]
        names = "; ".join(found) or "nowhere"
        print(f"{field} of a peer is more exact than bnlib's: {names}")


def is_lost(row, field):
    """Tell whether a peer is right and more exact than bnlib by more than a rounding."""
    rivals = {
        name: one
        for name, one in row.scores.items()
        if name == "bnlib" or name not in OURS
    }
    best = most_exact(row._replace(scores=rivals), field)
    return bool(best) and "bnlib" not in best


def record(row):
    """Return a row as it is kept in the record.

    Returns
    -------
    dict
        `case`, `dtype`, `rows`, `columns`; of `y` and of `dx` each contestant's error, as a number
        or in words, and who is the `most_exact`.
    """
    kept = {
        "case": row.case.name,
        "dtype": np.dtype(row.case.dtype).name,
        "rows": row.case.rows,
        "columns": row.columns,
    }
    for field in ("y", "dx"):
        numbers = {name: getattr(one, field) for name, one in row.scores.items()}
        kept[field] = {
            name: off if _is_finite(off) else _text(off)
            for name, off in numbers.items()
        }
        kept[f"most_exact_{field}"] = most_exact(row, field)
    return kept


def _is_finite(off):
    return isinstance(off, float) and np.isfinite(off)


def _score(run, batch, epsilon, exact, backward):
    try:
        y, dx = run(batch, epsilon)
    except NotOfferedError:
        return Score(None)
    except NonFiniteError:
        return Score(REFUSED)
    if y.dtype != batch.x.dtype:
        raise TypeError(f"y must have the dtype of x. Received: {y.dtype}")
    ulps, elements = column_ulps(y, exact).max(), element_ulps(y, exact).max()
    return Score(
        float(ulps), float(elements), None if dx is None else worst_dx(dx, backward)
    )


def _text(number):
    if number is None:
        return "-"
    if isinstance(number, str):
        return number
    if not np.isfinite(number):
        return "not finite"
    return (
        f"{number:.2f}" if 0.01 <= number < 1000 or number < 1e-30 else f"{number:.1e}"
    )


if __name__ == "__main__":
    main()
