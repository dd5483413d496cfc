"""Time contestants side by side, so that what disturbs one disturbs all.

In each round every contestant has one turn, and each round starts with another one. A ratio is
taken within a round and its median over the rounds: a slow minute of the machine divides out. The
first call of a turn is not timed: it meets the caches and the freed memory that the contestant
before it left, not those of its own last call, as in training.
"""

import contextlib
import gc
import importlib.util
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

TURN = 1e-3  # seconds: a shorter call is repeated until its turn lasts as long


class Contestant(NamedTuple):
    """Somebody who can do the work, if all that it needs is installed."""

    name: str
    build: Callable  # the work in, a function without arguments out
    needs: tuple = ()  # modules


def installed(contestants):
    """Split contestants into those that can run here and those that cannot.

    Returns
    -------
    present, missing : list of Contestant
    """
    present, missing = [], []
    for contestant in contestants:
        found = all(_is_there(module) for module in contestant.needs)
        (present if found else missing).append(contestant)
    return present, missing


def compare(calls, *, seconds, least=5, most=200):
    """Time functions without arguments, as often as the seconds allow.

    Parameters
    ----------
    calls : dict of str to callable
    seconds : float
        About how long all of it may take; the first call of each, which compiles, not counted.
    least, most : int
        Rounds at least and at most.

    Returns
    -------
    dict of str to ndarray of shape (rounds,)
        Seconds for one call.
    """
    repeats, cost = {}, 0.0
    for name, call in calls.items():
        call()
        once = _seconds(call, 1, time.perf_counter)
        repeats[name] = max(1, math.ceil(TURN / once))
        cost += once * (1 + repeats[name])
    rounds = min(max(int(seconds / cost), least), most)
    return run_rounds(calls, rounds, repeats)


def run_rounds(calls, rounds, repeats=None, *, clock=time.perf_counter):
    """Give every function a turn in every round; round r starts with function r.

    Parameters
    ----------
    calls : dict of str to callable
    rounds : int
    repeats : dict of str to int, optional
        How often each is called in a turn; once where missing.
    clock : function that returns seconds

    Returns
    -------
    dict of str to ndarray of shape (rounds,)
        Seconds for one call.
    """
    times = {name: np.empty(rounds) for name in calls}
    for r in range(rounds):
        for name in rotated(list(calls), r):
            times[name][r] = _seconds(calls[name], (repeats or {}).get(name, 1), clock)
    return times


def rotated(names, r):
    """Return the names in order, from the one at place r on.

    Examples
    --------
    >>> rotated(["a", "b", "c"], 4)
    ['b', 'c', 'a']
    """
    start = r % len(names)
    return names[start:] + names[:start]


def summary(values):
    """Return median, quartiles and minimum over the rounds, and how many rounds there were."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    spread = {"median": middle, "p25": low, "p75": high, "min": np.min(values)}
    return {name: float(value) for name, value in spread.items()} | {
        "rounds": len(values)
    }


def ratio(slow, fast):
    """Compare two contestants of the same rounds.

    Parameters
    ----------
    slow, fast : ndarray of shape (rounds,)

    Returns
    -------
    dict
        `median`, `p25` and `p75` of slow / fast within each round, and `minima`, the ratio of the
        best rounds of both.
    """
    within = summary(slow / fast)
    spread = {name: within[name] for name in ("median", "p25", "p75")}
    return spread | {"minima": float(np.min(slow) / np.min(fast))}


@contextlib.contextmanager
def one_blas_thread():
    """Keep the linear algebra on one thread, also where NumPy was imported before."""
    if _is_there("threadpoolctl"):
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            yield
    else:  # then the variables that __main__ sets before NumPy is imported do it
        yield


def _is_there(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent of it is missing
        return False


def _seconds(call, repeats, clock):
    collecting = gc.isenabled()
    gc.disable()
    try:
        call()
        start = clock()
        for _ in range(repeats):
            call()
        return (clock() - start) / repeats
    finally:
        if collecting:
            gc.enable()
