"""What a chapter and the ledger read from an experiment: arrays over seeds, and their spread."""

from typing import NamedTuple

import numpy as np

from bnlib.experiments.record import load


class Spread(NamedTuple):
    """A median with its range over the seeds; `f"{spread:.3f}"` writes it."""

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __format__(self, spec):
        """Write "median [low, high]", each by the same format."""
        median, low, high = (format(value, spec) for value in self)
        return f"{median} [{low}, {high}]"


class Paired(NamedTuple):
    """The difference of two arms, seed by seed; `f"{paired:.3f}"` writes it."""

    mean: np.ndarray
    standard_error: np.ndarray
    wins: np.ndarray  # seeds in which the first is larger
    ties: np.ndarray
    losses: np.ndarray

    def __format__(self, spec):
        """Write the mean with its sign, the standard error and the count of seeds."""
        mean, error = format(self.mean, f"+{spec}"), format(self.standard_error, spec)
        return f"{mean} (SE {error}), {self.wins}/{self.ties}/{self.losses}"


def runs_of(name):
    """Return the results of all recorded seeds, a list of dicts.

    Parameters
    ----------
    name : str
        See `bnlib.experiments.record.load`.
    """
    return list(load(name)["runs"].values())


def stack(runs, *path, missing=np.nan):
    """Stack one value of each seed's result into an array.

    Parameters
    ----------
    runs : iterable of dict
        Results of an experiment, one a seed: from `runs_of`, or fresh from `run`.
    *path : str or int
        Keys, and positions in lists, that lead to the value: a number, or a list of them.
    missing : float
        What stands for None, such as infinity where a number was never reached.

    Returns
    -------
    ndarray of shape (seeds, ...)

    Examples
    --------
    >>> runs = [{"none": {"steps": [1, 2]}}, {"none": {"steps": [3, None]}}]
    >>> stack(runs, "none", "steps", missing=np.inf)
    array([[ 1.,  2.],
           [ 3., inf]])
    >>> stack(runs, "none", "steps", 0)
    array([1., 3.])
    """
    values = []
    for run in runs:
        for key in path:
            run = run[key]
        values.append(_number(run, missing))
    return np.array(values, dtype=float)


def spread(values):
    """Median, least and greatest over the first axis, which is that of the seeds.

    Examples
    --------
    >>> f"{spread([3.0, 1.0, 2.0]):.2f}"
    '2.00 [1.00, 3.00]'
    """
    values = np.asarray(values, dtype=float)
    return Spread(
        np.median(values, axis=0)[()], values.min(axis=0)[()], values.max(axis=0)[()]
    )


def paired(first, second):
    """Difference `first - second`, paired by seed along the first axis.

    Examples
    --------
    >>> difference = paired([5, 2, 1], [1, 2, 2])
    >>> f"{difference:.3f}"
    '+1.000 (SE 1.528), 1/1/1'
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.shape != second.shape or len(first) < 2:
        raise ValueError(
            "paired needs two arrays of one shape, with two seeds or more. "
            f"Received: shapes {first.shape} and {second.shape}"
        )
    difference = first - second
    return Paired(
        difference.mean(axis=0),
        difference.std(axis=0, ddof=1) / np.sqrt(len(difference)),
        (difference > 0).sum(axis=0),
        (difference == 0).sum(axis=0),
        (difference < 0).sum(axis=0),
    )


def _number(value, missing):
    if isinstance(value, list):
        return [_number(item, missing) for item in value]
    return missing if value is None else value
