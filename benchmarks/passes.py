"""Forward and backward over the course's shapes, over sizes, and inference: one row a case."""

import math

import numpy as np

from benchmarks import goals, pages, peers
from benchmarks.roofline import build_roofline, build_roofline_anew
from benchmarks.timing import Contestant, compare, installed, summary

SHAPES = [
    (32, 100),
    (60, 100),
    (128, 256),
    (512, 1024),
    (32, 28, 28, 64),
    (4096, 1024),
    (65536, 64),
    (64, 32, 32, 128),
    (65536, 256),
]
SIZES = [(rows, 64) for rows in (32, 128, 512, 2048, 8192, 32768, 131072)]
CASES = [(shape, dtype) for dtype in ("float32", "float64") for shape in SHAPES]
QUICK = [(SHAPES[0], "float32"), (SHAPES[3], "float32"), (SHAPES[4], "float64")]
ROOFLINES = [
    Contestant("roofline", build_roofline),
    Contestant("roofline, new arrays", build_roofline_anew),
]
PASSES = [*peers.PASSES, *ROOFLINES]


def run_passes(*, quick=False):
    """Yield a row for each shape and dtype: one forward and one backward pass."""
    yield from _time_all(QUICK if quick else CASES, quick)


def run_sizes(*, quick=False):
    """Yield a row for each number of rows of 64 features: the data of the figures."""
    for shape in SIZES[:5:2] if quick else SIZES:
        yield time_passes(shape, "float32", [], 0.3 if quick else 2, quick)


def run_kept(*, quick=False):
    """Yield the rows of the large shapes again, from here on with freed memory that stays."""
    if not pages.keep():
        print("left out: only glibc can be told to keep it")
        return
    large = [case for case in CASES if goals.past_cache(case[0])]
    yield from _time_all(large[:1] if quick else large, quick)


def run_inference(*, quick=False):
    """Yield a row for each shape and dtype: inference beside a copy of x."""
    contestants = [*peers.INFERENCE, Contestant("np.copyto", _copyto)]
    for shape, dtype in QUICK if quick else CASES:
        batch = peers.make_batch(shape, dtype, rng=np.random.default_rng(0))
        calls = _build(contestants, batch)
        peers.check_agreement({n: c for n, c in calls.items() if n != "np.copyto"})
        times = compare(calls, seconds=0.2 if quick else 1.5, least=3)
        yield row(shape, dtype, times, goals.INFERENCE)


def time_passes(shape, dtype, wanted, seconds, quick):
    """Return the row of one shape; the contestants' numbers are compared before their times."""
    batch = peers.make_batch(shape, dtype, rng=np.random.default_rng(0))
    calls = _build(PASSES, batch)
    peers.check_agreement({n: c for n, c in calls.items() if "roofline" not in n})
    times = compare(calls, seconds=seconds, least=2 if quick else 5)
    return row(shape, dtype, times, wanted)


def row(shape, dtype, values, wanted, *, unit="seconds"):
    """Return a row of a table: the case, what each contestant took, and the goals judged."""
    return {
        "shape": list(shape),
        "dtype": dtype,
        "elements": math.prod(shape),
        "unit": unit,
        "values": {name: summary(rounds) for name, rounds in values.items()},
        "goals": goals.judge(wanted, tuple(shape), values),
    }


def missing():
    """Return the names of the contestants that cannot run here."""
    return [contestant.name for contestant in installed(PASSES)[1]]


def _time_all(cases, quick):
    for shape, dtype in cases:
        seconds = 0.3 if quick else _seconds(shape)
        yield time_passes(shape, dtype, goals.PASSES, seconds, quick)


def _build(contestants, batch):
    present, _ = installed(contestants)
    return {contestant.name: contestant.build(batch) for contestant in present}


def _copyto(batch):
    y = np.empty_like(batch.x)
    return lambda: np.copyto(y, batch.x)


def _seconds(shape):
    """Return how long a row may take: large ones need more, for their rounds are few."""
    return 4 if math.prod(shape) < goals.LARGE else 8
