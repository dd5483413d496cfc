"""The goals, each a bound on how many times as long one contestant takes as another."""

import math
from collections.abc import Callable
from typing import NamedTuple

from benchmarks import least
from benchmarks.timing import ratio

PAST_CACHE = 1_000_000  # elements
MIDDLE = math.prod((512, 1024))
LARGE = math.prod((4096, 1024))


def everywhere(shape):
    """Hold for every shape."""
    return True


class Goal(NamedTuple):
    """`least <= time of slow / time of fast <= most`, for the shapes that it speaks of."""

    slow: str
    fast: str
    least: float = 0
    most: float = math.inf
    where: Callable = everywhere

    def __str__(self):
        """Name the ratio and its bound."""
        bound = f">= {self.least:.3g}" if self.least else f"<= {self.most:.3g}"
        return f"{self.slow} / {self.fast} {bound}"


def up_to(*shape):
    """Return whether a shape has at most as many elements as this one."""
    return lambda other: math.prod(other) <= math.prod(shape)


def past_cache(shape):
    """Tell the shapes of a million elements and of 64 features or more."""
    return math.prod(shape) >= PAST_CACHE and shape[-1] >= 64


def middle(shape):
    """Tell the shape between small and large."""
    return math.prod(shape) == MIDDLE


PASSES = [
    Goal("Keras", "bnlib", least=10, where=up_to(60, 100)),
    Goal("Keras", "bnlib", least=6, where=lambda shape: shape == (128, 256)),
    Goal("Keras", "bnlib", least=1, where=lambda shape: not up_to(128, 256)(shape)),
    Goal("PyTorch", "bnlib", least=1.5, where=up_to(128, 256)),
    Goal("bnlib", "PyTorch", most=1.3, where=lambda shape: not up_to(128, 256)(shape)),
    Goal("bnlib", "roofline", most=3, where=middle),
    Goal("bnlib", "roofline", most=2.2, where=past_cache),
    Goal("staged", "bnlib", least=4, where=lambda shape: math.prod(shape) >= MIDDLE),
    Goal("bnlib fused", "roofline", most=1.3, where=past_cache),
    Goal("bnlib fused", "PyTorch", most=1),
]
INFERENCE = [
    Goal("bnlib", "np.copyto", most=2, where=lambda shape: math.prod(shape) >= LARGE),
]
MEMORY = [Goal("bnlib", "x", most=2.05)]
TRAINING = [
    Goal("Keras fit", "bnlib", least=3),
    Goal("Keras train_on_batch", "bnlib", least=2),
    Goal("PyTorch", "bnlib", least=1.3),
]
EPOCH = [Goal("Keras fit", "bnlib", least=2.5)]
COLD_START = [Goal("Keras", "bnlib", least=20)]


def judge(goals, shape, times):
    """Judge the goals that speak of a shape, as far as both sides of each have run.

    Parameters
    ----------
    goals : list of Goal
    shape : tuple of int
    times : dict of str to ndarray of shape (rounds,)

    Returns
    -------
    list of dict
        `goal`, the measured `ratio`, whether it is `met` by its median and `met_by_minima`, and
        by what share it is `missed` (0 where met). Where the goal is bnlib's and not met,
        `numpy_least` is the ratio with the least that NumPy can do in bnlib's place, and
        `in_reach` whether that meets the goal.
    """
    verdicts = []
    for goal in goals:
        if goal.where(shape) and {goal.slow, goal.fast} <= set(times):
            measured = ratio(times[goal.slow], times[goal.fast])
            verdict = {
                "goal": str(goal),
                "ratio": measured,
                "met": _miss(goal, measured["median"]) == 0,
                "met_by_minima": _miss(goal, measured["minima"]) == 0,
                "missed": _miss(goal, measured["median"]),
            }
            if not verdict["met"]:
                verdict |= _reach(goal, times)
            verdicts.append(verdict)
    return verdicts


def _reach(goal, times):
    """Return what the least that NumPy can do would reach in bnlib's place."""
    slow, fast = (
        least.NAME if side == "bnlib" else side for side in (goal.slow, goal.fast)
    )
    if least.NAME not in {slow, fast} & set(times):
        return {}
    value = ratio(times[slow], times[fast])["median"]
    return {"numpy_least": value, "in_reach": _miss(goal, value) == 0}


def _miss(goal, value):
    """Return the share by which a ratio lies outside its bounds."""
    return max(goal.least / value - 1, value / goal.most - 1, 0.0)
