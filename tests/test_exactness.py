"""Batch normalization against exact arithmetic, on batches that are hard to normalize."""

import mpmath
import numpy as np
import pytest

from benchmarks.exactness import (
    GOAL,
    GOAL_DX,
    REFUSED,
    Row,
    Score,
    is_lost,
    record,
    score,
)
from benchmarks.exactness_cases import CASES, HALF, SINGLE
from benchmarks.exactness_peers import OURS, load
from benchmarks.oracle import (
    column_relative,
    column_ulps,
    error,
    exact_backward,
    exact_forward,
    exact_inference,
    spacing,
)
from bnlib import blocks, whole
from bnlib.fastnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
)

QUICK = [case for case in CASES if case.rows <= 2**16]
NARROW = [case for case in QUICK if case.dtype in (HALF, SINGLE)]
BEYOND = [case for case in QUICK if "1e200" in case.name or "1e-170" in case.name]
WIDE = [case for case in QUICK if case not in NARROW + BEYOND]
LAST = {SINGLE: GOAL_DX, HALF: np.finfo(HALF).eps, np.float64: 1e-15}


def by_name(*cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def named(name):
    return next(case for case in CASES if case.name == name)


@pytest.fixture(params=OURS)
def bnlib(request):
    """Return what scores a case: the library as it is, in blocks whatever the size, compiled."""
    contestant = {request.param: load(peers=False)[0][request.param]}

    def of(case):
        columns = np.clip(2**14 // case.rows, 1, 12)
        return score(case, contestant, int(columns)).scores[request.param]

    return of


# The oracle


@pytest.mark.parametrize(
    ("dtype", "size", "epsilon"),
    [
        (np.float16, 3, 1e-5),
        (np.float32, 1, 1e-3),
        (np.float32, 1e-40, 0.0),
        (np.float64, 1e200, 0.0),
        (np.float64, 1e-130, 1e-3),
    ],
)
def test_the_oracle_agrees_with_the_textbook_at_fifty_digits(dtype, size, epsilon):
    rng = np.random.default_rng(0)
    x = (size * rng.normal(3, 1, (9, 1))).astype(dtype)
    dy = rng.normal(size=(9, 1)).astype(dtype)
    y, mean, _ = exact_forward(x, [-0.3], [1e-3], epsilon=epsilon)
    dx, dgamma, dbeta, _ = exact_backward(dy, x, [-0.3], epsilon=epsilon)
    stored = exact_inference(x, [-0.3], [1e-3], [2.5 * size], [0.7], epsilon=epsilon)

    with mpmath.workdps(50):
        rows, gradients = (
            [mpmath.mpf(float(v)) for v in part[:, 0]] for part in (x, dy)
        )
        mu = mpmath.fsum(rows) / 9
        variance = mpmath.fsum((row - mu) ** 2 for row in rows) / 9
        scale = 1 / mpmath.sqrt(variance + epsilon)
        x_hat = [(row - mu) * scale for row in rows]
        total, product = mpmath.fsum(gradients), mpmath.fdot(gradients, x_hat)
        gamma, beta = mpmath.mpf(-0.3), mpmath.mpf(1e-3)
        pairs = zip(gradients, x_hat, strict=True)
        stored_scale = gamma / mpmath.sqrt(mpmath.mpf(0.7) + epsilon)
        expected = [
            [gamma * v + beta for v in x_hat],
            [mu],
            [gamma * scale * (g - total / 9 - v * product / 9) for g, v in pairs],
            [product],
            [total],
            [stored_scale * (row - 2.5 * size) + beta for row in rows],
        ]
        for exact, numbers in zip(
            (y, mean, dx, dgamma, dbeta, stored), expected, strict=True
        ):
            assert_agree(exact, numbers)


def assert_agree(exact, numbers):
    """Compare to 30 digits, which is what an `Exact` holds."""
    halves = zip(exact.high.ravel(), exact.low.ravel(), numbers, strict=True)
    for high, low, number in halves:
        assert abs((mpmath.mpf(high) + mpmath.mpf(low)) / number - 1) < 1e-30


def test_a_correctly_rounded_result_is_half_a_unit_off_at_most():
    x = np.random.default_rng(0).normal(3, 1, (50, 4)).astype(np.float32)
    y = exact_forward(x, np.ones(4), np.zeros(4), epsilon=0).y
    ulps = column_ulps(y.high.astype(np.float32), y)
    assert (ulps <= 0.5).all()
    assert (ulps > 0.2).all()
    assert (column_ulps(np.full((50, 4), np.nan, np.float32), y) == np.inf).all()


# y and dx


@by_name(*NARROW, *WIDE)
def test_y_and_dx_lose_no_digits(case, bnlib):
    y, _, dx = bnlib(case)
    assert y <= GOAL
    assert case.moving or dx <= LAST[case.dtype]


@by_name(*BEYOND)
def test_a_variance_beyond_float64_is_told_or_right(case, bnlib):
    y = bnlib(case).y
    assert y == REFUSED or y <= GOAL


@pytest.mark.parametrize("m", [500, 30_000])
def test_a_mean_that_float64_cannot_hold_costs_no_digits_either(m):
    x = np.random.default_rng(0).normal(1e8, 1, (m, 4))
    y, _ = batchnorm_forward(x, np.ones(4), np.zeros(4))
    exact = exact_forward(x, np.ones(4), np.zeros(4), epsilon=1e-3).y
    assert column_ulps(y, exact).max() <= GOAL


@pytest.mark.skipif(
    np.finfo(np.longdouble).eps == np.finfo(np.float64).eps,
    reason="this machine has no floats wider than float64",
)
def test_the_scale_of_float64_rows_is_rounded_once():
    rng = np.random.default_rng(0)
    gamma, variance = rng.uniform(0.5, 2, (2, 2000))
    x, zero = np.ones((20, 2000)), np.zeros(2000)
    exact = exact_inference(x, gamma, zero, zero, variance, epsilon=1e-3)
    for engine in (whole, blocks):
        y = batchnorm_inference(x, gamma, zero, zero, variance, engine=engine)
        assert column_ulps(y, exact).max() <= 0.51
    x[::2] = -1  # a mean of 0 and a variance of 1, exactly
    half = 0.5  # the root of 1.5 lies almost half way between two float64
    exact = exact_forward(x, gamma, zero, epsilon=half).y
    for engine in (whole, blocks):
        y, _ = batchnorm_forward(x, gamma, zero, epsilon=half, engine=engine)
        assert column_ulps(y, exact).max() <= 0.51


def test_inference_at_a_mean_of_a_million_is_as_exact_as_at_0(bnlib):
    at_0, at_1e6 = (bnlib(named(f"inference, mean {mean}")) for mean in ("0", "1e6"))
    assert at_1e6.y <= at_0.y + 0.5


# dgamma, dbeta, mean and variance


@pytest.mark.parametrize("mean", [0, 1e4, 1e6])
def test_dgamma_and_dbeta_are_exact_to_1e_6_of_the_sum_of_their_terms(mean):
    rng = np.random.default_rng(1)
    x = rng.normal(mean, 1, (3000, 4)).astype(np.float32)
    dy = rng.normal(0.3, 1, x.shape).astype(np.float32)
    _, cache = batchnorm_forward(x, np.ones(4), np.zeros(4))
    _, dgamma, dbeta = batchnorm_backward(dy, cache)
    exact = exact_backward(dy, x, np.ones(4), epsilon=1e-3)
    terms = np.abs(dy * cache.x_hat).sum(axis=0)
    assert (error(dgamma, exact.dgamma) <= 1e-6 * terms).all()
    assert (error(dbeta, exact.dbeta) <= 1e-6 * np.abs(dy).sum(axis=0)).all()


def test_the_variance_of_a_long_batch_keeps_six_digits_and_that_of_numpy_none():
    x = np.random.default_rng(0).normal(1e4, 1, (65_536, 2)).astype(np.float32)
    _, cache = batchnorm_forward(x, np.ones(2), np.zeros(2))
    exact = exact_forward(x, np.ones(2), np.zeros(2), epsilon=1e-3)
    assert (
        column_relative(cache.variance[None], stacked(exact.variance)) <= 1e-6
    ).all()
    assert (column_relative(x.var(axis=0)[None], stacked(exact.variance)) > 1).all()
    assert (error(cache.mean, exact.mean) < spacing(1e4, np.float32) / 1000).all()


def stacked(exact):
    """View one number a column as a batch of one row."""
    return type(exact)(exact.high[None], exact.low[None])


# The table


def made_row(**errors):
    """Return a float32 row in which each contestant's y is off by so many last places."""
    scores = {name: Score(y, y, 1e-8) for name, y in errors.items()}
    return Row(named("mean 0"), 3, scores)


def test_a_row_is_lost_where_another_is_right_and_closer_by_more_than_a_rounding():
    assert is_lost(made_row(bnlib=2.0, peer=1.0), "y")
    assert not is_lost(made_row(bnlib=1.5, peer=1.0), "y")
    assert not is_lost(made_row(bnlib=1.0, peer=2.0), "y")
    ours = {"bnlib": 2.0, "bnlib fused": 1.0}
    assert not is_lost(made_row(**ours), "y")
    assert is_lost(made_row(**ours, peer=1.4), "y")
    assert is_lost(made_row(bnlib=REFUSED, peer=1.0), "y")
    assert not is_lost(made_row(bnlib=REFUSED, peer=1e8), "y")  # no digit is right


def test_a_record_keeps_numbers_and_says_the_rest_in_words():
    kept = record(made_row(bnlib=REFUSED, peer=np.inf, other=0.5, none=None))
    assert (kept["case"], kept["dtype"], kept["rows"]) == ("mean 0", "float32", 200)
    assert kept["y"] == {
        "bnlib": REFUSED, "peer": "not finite", "other": 0.5, "none": "-",
    }  # fmt: skip
    assert kept["most_exact_y"] == ["other"]
