"""The rows of the exactness table: batches that are hard to normalize, each with a name.

A case draws its numbers from a seed that is its name, in as many columns as it is asked for, and
already rounded to its dtype: what is measured is the error of batch normalization, not that of
its input. epsilon, gamma, beta and the stored statistics are float32 numbers, so that every
contestant gets the same ones.
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

EPSILON = float(np.float32(1e-3))  # ONNX has no other than float32 ones
HALF, SINGLE, DOUBLE = np.float16, np.float32, np.float64


class Case(NamedTuple):
    """One row of the table."""

    name: str
    dtype: type
    draw: Callable  # (rng, (rows, columns)) to x
    rows: int = 200
    epsilon: float = EPSILON
    gamma: float = 1.0  # times numbers of both signs from 0.5 to 2
    beta: float = 1.0  # times normal numbers
    dy: float = 1.0  # times normal numbers of mean 0.3
    moving: tuple = ()  # mean and variance, for inference; each column's is a little off them


class Batch(NamedTuple):
    """The numbers of a case."""

    x: np.ndarray  # (m, d)
    dy: np.ndarray  # (m, d) of the dtype of x
    gamma: np.ndarray  # (d,) float32, as the next three
    beta: np.ndarray
    moving_mean: np.ndarray | None  # None in training
    moving_variance: np.ndarray | None


def draw(case, columns):
    """Return the `Batch` of a case; long batches have fewer columns."""
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    columns = max(1, min(columns, 2**18 // case.rows))
    x = case.draw(rng, (case.rows, columns)).astype(case.dtype)
    dy = (case.dy * rng.normal(0.3, 1, x.shape)).astype(case.dtype)
    gamma = case.gamma * rng.uniform(0.5, 2, columns) * rng.choice([-1, 1], columns)
    beta = case.beta * rng.normal(size=columns)
    stored = (None, None)
    if case.moving:
        mean, variance = case.moving
        off = rng.uniform(-1, 1, (2, columns))
        stored = mean + np.sqrt(variance) * off[0], variance * (1.5 + off[1])
    vectors = (None if v is None else v.astype(SINGLE) for v in (gamma, beta, *stored))
    return Batch(x, dy, *vectors)


def normal(mean, deviation=1.0):
    """Draw normal numbers."""
    return lambda rng, shape: rng.normal(mean, deviation, shape)


def constant(rng, shape):
    """Every row the same, from 1e-30 to 1e30."""
    values = rng.choice([-1, 1], shape[1]) * 10.0 ** rng.uniform(-30, 30, shape[1])
    return np.tile(values, (shape[0], 1))


def one_step(rng, shape):
    """Constant columns with one number moved by one unit in its last place."""
    x = constant(rng, shape).astype(SINGLE)
    x[shape[0] // 3] = np.nextafter(x[0], np.float32(np.inf))
    return x


def mixed(low, high):
    """Columns whose deviations and means lie many powers of ten apart."""

    def of(rng, shape):
        mean, deviation = 10.0 ** rng.uniform(low, high, (2, shape[1]))
        return np.minimum(mean, 1e4 * deviation) + deviation * rng.normal(size=shape)

    return of


def outlier(row, size):
    """Normal numbers, one row far away."""

    def of(rng, shape):
        x = rng.normal(2, 1, shape)
        x[row] *= size
        return x

    return of


def jump(size, share):
    """Normal numbers; the first share of the rows lies at `size`."""

    def of(rng, shape):
        x = rng.normal(0, 1, shape)
        x[: round(share * shape[0])] += size
        return x

    return of


def trend(size):
    """Normal numbers on a slope from 0 to `size`."""
    return lambda rng, shape: (
        rng.normal(0, 1, shape) + size * np.linspace(0, 1, shape[0])[:, None]
    )


def ordered(mean):
    """Sorted normal numbers."""
    return lambda rng, shape: np.sort(rng.normal(mean, 1, shape), axis=0)


def alternating(size):
    """Normal numbers that lie at plus and minus `size` in turn."""
    return lambda rng, shape: (
        rng.normal(0, 1, shape) + size * (1 - 2 * (np.arange(shape[0]) % 2))[:, None]
    )


def sparse(rng, shape):
    """What a ReLU yields when nine in ten are at rest."""
    return np.maximum(0, rng.normal(-1.28, 1, shape))


def lognormal(rng, shape):
    """A few numbers far above the rest."""
    return rng.lognormal(0, 4, shape)


CASES = [
    # float32: a mean that is large beside the deviation
    Case("mean 0", SINGLE, normal(0)),
    Case("mean 0, epsilon 0", SINGLE, normal(0), epsilon=0),
    Case("mean 0, epsilon 1e-5", SINGLE, normal(0), epsilon=float(np.float32(1e-5))),
    Case("4,096 rows, mean 0.9", SINGLE, normal(0.9), rows=4096),
    Case("4,096 rows, mean 1.9", SINGLE, normal(1.9), rows=4096),
    Case("4,096 rows, mean 2.1", SINGLE, normal(2.1), rows=4096),
    Case("mean 1e3", SINGLE, normal(1e3)),
    Case("mean 1e4", SINGLE, normal(1e4)),
    Case("mean 1e5", SINGLE, normal(-1e5)),
    Case("mean 1e6", SINGLE, normal(1e6)),
    Case("mean 1e6, epsilon 0, beta 0", SINGLE, normal(1e6), epsilon=0, beta=0),
    Case("mean 1e7", SINGLE, normal(1e7)),
    Case("mean 1e8", SINGLE, normal(1e8, 8)),
    Case("mean 1, deviation 1e-6", SINGLE, normal(1, 1e-6), epsilon=0),
    # tiny and no variances
    Case("variance 1e-10, epsilon 0", SINGLE, normal(0, 1e-5), epsilon=0, dy=1e-3),
    Case("variance 1e-10", SINGLE, normal(0, 1e-5)),
    Case("variance 1e-20, epsilon 0", SINGLE, normal(0, 1e-10), epsilon=0, dy=1e-3),
    Case("variance 1e-30, epsilon 0", SINGLE, normal(1e-12, 1e-15), epsilon=0, dy=1e-3),
    Case("variance 1e-40, epsilon 0", SINGLE, normal(0, 1e-20), epsilon=0, dy=1e-3),
    Case("variance 1e-40", SINGLE, normal(0, 1e-20)),
    Case("constant", SINGLE, constant),
    Case("constant, epsilon 0", SINGLE, constant, epsilon=0),
    Case("constant but for one last place", SINGLE, one_step, epsilon=0, dy=1e-6),
    Case("subnormal", SINGLE, normal(0, 1e-40)),
    Case("subnormal, epsilon 0", SINGLE, normal(0, 1e-40), epsilon=0, dy=1e-6),
    # near overflow
    Case("deviation 1e15", SINGLE, normal(0, 1e15)),
    Case("deviation 1e19", SINGLE, normal(0, 1e19)),
    Case("deviation 1e20, mean 1e22", SINGLE, normal(1e22, 1e20)),
    Case("deviation 1e25", SINGLE, normal(0, 1e25), dy=1e10),
    Case("deviation 1e30", SINGLE, normal(0, 1e30), dy=1e10),
    Case("deviation 5e37", SINGLE, normal(0, 5e37), dy=1e20),
    Case("plus and minus 3.4e38", SINGLE, alternating(3.4e38), dy=1e20),
    Case("mixed scales", SINGLE, mixed(-6, 6)),
    Case("very mixed scales, epsilon 0", SINGLE, mixed(-18, 18), epsilon=0),
    # short and long batches
    Case("batch of 2", SINGLE, normal(3), rows=2),
    Case("batch of 2, mean 1e6", SINGLE, normal(1e6), rows=2),
    Case("batch of 3", SINGLE, normal(3), rows=3),
    Case("batch of 17", SINGLE, normal(3), rows=17),
    Case("65,536 rows, mean 1e4", SINGLE, normal(1e4), rows=2**16),
    Case("65,536 rows, mean 1e6", SINGLE, normal(1e6), rows=2**16),
    Case("a million rows", SINGLE, normal(0), rows=10**6),
    Case("a million rows, mean 1e4", SINGLE, normal(1e4), rows=10**6),
    # rows that are not alike
    Case("first row an outlier", SINGLE, outlier(0, 1e6), rows=1000),
    Case("last row an outlier", SINGLE, outlier(-1, 1e6), rows=1000),
    Case("sorted, mean 1e3", SINGLE, ordered(1e3), rows=4096),
    Case("trend to 1e4", SINGLE, trend(1e4), rows=4096),
    Case("jump of 1e6 half way", SINGLE, jump(1e6, 0.5), rows=1000),
    Case("first 1 % at 1e6", SINGLE, jump(1e6, 0.01), rows=20_000),
    Case("plus and minus 1e6", SINGLE, alternating(1e6), rows=1000),
    Case("nine in ten are 0", SINGLE, sparse),
    Case("lognormal", SINGLE, lognormal, rows=1000),
    # gamma and beta
    Case("gamma 1e-6", SINGLE, normal(2), gamma=1e-6),
    Case("gamma 1e6", SINGLE, normal(2), gamma=1e6),
    Case("gamma 1e-6, beta 0, mean 1e5", SINGLE, normal(1e5), gamma=1e-6, beta=0),
    Case("beta 1e4", SINGLE, normal(2), beta=1e4),
    # float16
    Case("float16", HALF, normal(0)),
    Case("float16, mean 100", HALF, normal(100)),
    Case("float16, mean 1000", HALF, normal(1000)),
    Case("float16, near 6e4", HALF, normal(6e4, 500)),
    Case("float16, plus and minus 6e4", HALF, alternating(6e4), dy=1e3),
    Case("float16, variance 1e-6, epsilon 0", HALF, normal(0, 1e-3), epsilon=0),
    Case("float16, subnormal", HALF, normal(0, 1e-6)),
    Case("float16, subnormal, epsilon 0", HALF, normal(0, 1e-6), epsilon=0, dy=1e-3),
    Case("float16, batch of 2", HALF, normal(3), rows=2),
    Case("float16, 65,536 rows, mean 100", HALF, normal(100), rows=2**16),
    # float64
    Case("float64", DOUBLE, normal(0)),
    Case("float64, 4,096 rows, mean 0.5", DOUBLE, normal(0.5), rows=4096),
    Case("float64, 4,096 rows, mean 1.9", DOUBLE, normal(1.9), rows=4096),
    Case("float64, sorted", DOUBLE, ordered(1), rows=4096),
    Case("float64, mean 1e8", DOUBLE, normal(1e8)),
    Case("float64, mean 1e15", DOUBLE, normal(1e15)),
    Case("float64, 65,536 rows, mean 1e6", DOUBLE, normal(1e6), rows=2**16),
    Case("float64, jump of 1e9 half way", DOUBLE, jump(1e9, 0.5), rows=1000),
    Case("float64, deviation 1e150", DOUBLE, normal(0, 1e150), dy=1e100),
    Case("float64, deviation 1e200", DOUBLE, normal(0, 1e200), dy=1e100),
    Case("float64, deviation 1e-120, epsilon 0", DOUBLE, normal(0, 1e-120), epsilon=0),
    Case("float64, deviation 1e-170, epsilon 0", DOUBLE, normal(0, 1e-170), epsilon=0),
    Case("float64, subnormal", DOUBLE, normal(0, 1e-310)),
    # inference
    Case("inference, mean 0", SINGLE, normal(0), moving=(0, 1)),
    Case("inference, mean 1e3", SINGLE, normal(1e3), moving=(1e3, 1)),
    Case("inference, mean 1e6", SINGLE, normal(1e6), moving=(1e6, 1)),
    Case("inference, mean 1e8", SINGLE, normal(1e8, 8), moving=(1e8, 64)),
    Case("inference, variance 1e-37, epsilon 0", SINGLE, normal(0, 3e-19), epsilon=0,
         moving=(0, 1e-37)),
    Case("inference, deviation 1e19", SINGLE, normal(0, 1e19), moving=(0, 1e38)),
    Case("inference, float16, mean 1000", HALF, normal(1000), moving=(1000, 1)),
    Case("inference, float16, near 6e4", HALF, normal(6e4, 500), moving=(6e4, 25e4)),
    Case("inference, float64, mean 1e6", DOUBLE, normal(1e6), moving=(1e6, 1)),
]  # fmt: skip
