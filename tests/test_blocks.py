"""Specification of `bnlib.blocks`: each pass is its formula, in blocks of any size."""

import numpy as np
import pytest

from bnlib import blocks

DTYPES = [np.float32, np.float64]
ROWS = [1, 2, 127, 128, 129, 255, 256, 300, 1000]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_length = pytest.mark.parametrize("m", ROWS)


@pytest.fixture(params=[(2**18, 2**14), (8000, 2**8), (40, 1)], autouse=True, ids=str)
def block(request, monkeypatch):
    """Run every test in one block, in a few blocks of long rows, and in blocks of eight rows."""
    size, width = request.param
    monkeypatch.setattr(blocks, "BLOCK", size)
    monkeypatch.setattr(blocks, "WIDTH", width)


def moments(rows, work=None):
    """Return mean and variance as float64 vectors."""
    pivot, rest, variance = blocks.moments(rows, work=work)
    assert pivot.dtype == (work or rows.dtype)
    assert rest.dtype == variance.dtype == np.float64
    return pivot + rest, variance


def arguments(m, dtype, d=3):
    """Draw rows, dy, and vectors away from 0 and 1; the mean is none that `dtype` can hold."""
    rng = np.random.default_rng(m)
    rows = rng.normal(2, 3, (m, d)).astype(dtype)
    mean, scale, shift, slope = rng.normal([[2], [0], [5], [1]], 1, (4, d))
    return rows, rng.normal(1, 2, (m, d)).astype(dtype), mean, scale, shift, slope


def assert_near(result, expected, size, dtype):
    """Compare to a few roundings of the terms that were added."""
    assert (np.abs(result - expected) <= 8 * np.finfo(dtype).eps * size).all()


# Moments


@every_length
@every_dtype
@pytest.mark.parametrize("offset", [0, 100])
def test_the_moments_are_the_mean_and_the_biased_variance(m, dtype, offset):
    rows = arguments(m, dtype)[0] + dtype(offset)
    mean, variance = moments(rows)
    exact = rows.astype(np.longdouble)
    allowed = 30 * np.finfo(dtype).eps + np.spacing(300.0)  # its mean is a float64
    assert (np.abs(mean - exact.mean(axis=0)) <= allowed).all()
    np.testing.assert_allclose(
        variance, exact.var(axis=0).astype(float), rtol=20 * np.finfo(dtype).eps
    )


@every_dtype
@pytest.mark.parametrize("value", [0.1, -3e7, 1e-30])
def test_the_variance_of_a_constant_is_exactly_zero_and_its_mean_exact(dtype, value):
    rows = np.full((300, 2), value, dtype)
    mean, variance = moments(rows)
    np.testing.assert_array_equal(mean, rows[0])
    np.testing.assert_array_equal(variance, 0)


@every_dtype
@pytest.mark.parametrize("far", [1, 200, 800])
def test_first_rows_far_from_the_rest_cost_no_digits(dtype, far):
    rows = np.random.default_rng(0).normal(size=(10_000, 1)).astype(dtype)
    rows[:far] += dtype(1e5)
    mean, variance = moments(rows)
    exact = rows.astype(np.float64)
    assert abs(mean - exact.mean()) <= 3e-6 * exact.std()
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=3e-6)


def test_a_large_mean_costs_the_variance_of_float32_no_digits():
    rows = np.random.default_rng(0).normal(1e4, 1, (65_536, 2)).astype(np.float32)
    mean, variance = moments(rows)
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=0, atol=1e-7)
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=2e-6)


def test_long_columns_are_added_in_float64():
    rows = np.full((50_000, 1), 0.1, np.float32)
    rows[0] = 0
    sums, products = blocks.gradient_sums(
        rows, rows, blocks.split(np.zeros(1), rows.dtype)
    )
    value = float(rows[1, 0])
    np.testing.assert_allclose(sums, 49_999 * value, rtol=3e-7)
    np.testing.assert_allclose(products, 49_999 * value**2, rtol=3e-7)
    np.testing.assert_allclose(moments(rows)[0], value * 49_999 / 50_000, rtol=1e-9)


def test_rows_that_are_alike_are_gone_through_once_and_others_twice(monkeypatch):
    gone_through, around = [], blocks._moments_around
    monkeypatch.setattr(
        blocks,
        "_moments_around",
        lambda pivot, rows: gone_through.append(pivot) or around(pivot, rows),
    )
    near = np.random.default_rng(0).normal(1.5, 1, (500, 1000))
    near[:, 1] = 0
    far = near + 100
    jump = near + 100 * (np.arange(500) >= 250)[:, None]
    for rows, dtype, times in [
        (near, np.float32, 1),
        (far, np.float32, 2),  # it starts at 0
        (near, np.float64, 1),
        (far, np.float64, 1),  # it starts at the mean of the first rows
        (jump, np.float64, 2),
    ]:
        gone_through.clear()
        blocks.moments(rows.astype(dtype))
        assert len(gone_through) == times


@every_dtype
def test_what_the_mean_loses_when_it_is_rounded_is_taken_off_the_variance(dtype):
    rows = (3e6 + np.random.default_rng(0).normal(size=(200, 5))).astype(dtype)
    exact = rows.astype(np.float64) - 3e6
    mean, variance = moments(rows)
    np.testing.assert_allclose(mean - 3e6, exact.mean(axis=0), rtol=0, atol=2e-7)
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=3e-6)


# The other passes


@every_length
@every_dtype
@pytest.mark.parametrize("work", [None, np.dtype(np.float64)])
@pytest.mark.parametrize("variance", [0, 100])
def test_each_pass_is_its_formula(m, dtype, work, variance):
    rows, dy, mean, scale, shift, slope = arguments(m, dtype)
    work_dtype = work or dtype
    given = {"variance": variance} if variance else {}
    centre = blocks.split(mean, work_dtype, **given)
    assert centre[0].any() == (variance == 0)  # whether there is something to subtract
    assert centre[0].dtype == work_dtype
    deviations = rows.astype(np.float64) - mean
    longest = np.abs(deviations).max(axis=0)

    y = blocks.standardize(rows, centre, scale, shift)
    assert (y.dtype, y.shape) == (rows.dtype, rows.shape)
    size = longest * np.abs(scale) + np.abs(shift)
    assert_near(y, deviations * scale + shift, size, dtype)

    dx = blocks.gradient(dy, rows, centre, scale, shift, slope)
    assert (dx.dtype, dx.shape) == (rows.dtype, rows.shape)
    inner = dy.astype(np.float64) - shift - slope * deviations
    size = np.abs(dy).max(axis=0) + np.abs(shift) + np.abs(slope) * longest
    assert_near(dx, scale * inner, np.abs(scale) * size, dtype)

    sums, products = blocks.gradient_sums(dy, rows, centre)
    assert sums.dtype == products.dtype == np.float64
    wide = dy.astype(np.float64)
    assert_near(sums, wide.sum(axis=0), np.abs(wide).sum(axis=0), dtype)
    terms = np.abs(wide * deviations).sum(axis=0)
    exactly = dtype if variance else work_dtype  # the rest is taken off by the sums
    assert_near(products, (wide * deviations).sum(axis=0), 2 * terms, exactly)


def test_a_pivot_is_0_only_beside_a_variance_that_says_so():
    pivot, rest = blocks.split(np.array([0.5]), np.float32)
    assert (pivot, rest) == (0.5, 0)
    pivot, rest = blocks.split(np.array([0.5]), np.float32, variance=np.array([1.0]))
    assert (pivot, rest) == (0, 0.5)


def test_the_mean_is_not_rounded_before_it_is_subtracted():
    rows = (1e6 + np.random.default_rng(0).normal(size=(300, 2))).astype(np.float32)
    mean, ones, zeros = (
        rows.mean(axis=0, dtype=np.float64) + 0.02,
        np.ones(2),
        np.zeros(2),
    )
    exact = rows - mean
    centre = blocks.split(mean, rows.dtype)
    y = blocks.standardize(rows, centre, ones, zeros)
    np.testing.assert_allclose(y, exact, rtol=0, atol=1e-6)
    dx = blocks.gradient(rows, rows, centre, ones, mean, -ones)
    np.testing.assert_allclose(dx, 2 * exact, rtol=0, atol=0.2)  # dy itself is 1e6
    dx = blocks.gradient(np.zeros_like(rows), rows, centre, ones, zeros, -3 * ones)
    np.testing.assert_allclose(dx, 3 * exact, rtol=0, atol=3e-6)
    _, products = blocks.gradient_sums(np.ones_like(rows), rows, centre)
    np.testing.assert_allclose(products, exact.sum(axis=0), rtol=1e-5)


def test_what_the_scale_loses_when_it_is_rounded_costs_nothing_at_the_mean():
    rng = np.random.default_rng(0)
    mean = rng.uniform(1, 2, 1000).astype(np.float32).astype(np.float64)
    rows, centre = mean[None].astype(np.float32), (np.zeros(1000, np.float32), mean)
    scale, one = rng.uniform(1, 2, 1000), np.ones(1000)
    np.testing.assert_array_equal(blocks.standardize(rows, centre, scale, 0 * one), 0)
    dx = blocks.gradient(0 * rows, rows, centre, one, 0 * one, scale)
    np.testing.assert_array_equal(dx, 0)


def test_wider_work_keeps_what_float32_cannot_hold():
    rows = np.array([[3e38, 1e-38], [-3e38, -1e-38]] * 200, np.float32)
    mean, variance = moments(rows, work=np.dtype(np.float64))
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=1e-12)
    centre = blocks.split(mean, np.float64)
    y = blocks.standardize(rows, centre, 1 / np.sqrt(variance), np.ones(2))
    np.testing.assert_allclose(y, np.sign(exact) + 1, atol=1e-6)
    _, products = blocks.gradient_sums(np.sign(rows), rows, centre)
    np.testing.assert_allclose(products, np.abs(exact).sum(axis=0), rtol=1e-6)
    dx = blocks.gradient(rows, rows, centre, 1 / variance, mean, np.ones(2) / 2)
    np.testing.assert_allclose(dx, exact / 2 / variance, rtol=1e-6)


def test_no_pass_writes_to_its_arguments():
    vectors = arguments(300, np.float64)
    for vector in vectors:
        vector.flags.writeable = False
    rows, dy, mean, scale, shift, slope = vectors
    blocks.moments(rows)
    blocks.standardize(rows, (mean, shift), scale, shift)
    blocks.gradient_sums(dy, rows, (mean, shift))
    blocks.gradient(dy, rows, (mean, shift), scale, shift, slope)


# The seal


def seals(rows, mean):
    """Return the seal that each of the two passes leaves."""
    forward, backward = np.zeros((2, rows.shape[1]))
    ones, centre = np.ones(rows.shape[1]), blocks.split(mean, rows.dtype)
    blocks.standardize(rows, centre, ones, ones, seal=forward)
    blocks.gradient_sums(rows, rows, centre, seal=backward)
    return forward, backward


@every_length
@every_dtype
def test_both_passes_leave_the_same_seal_on_the_same_rows(m, dtype):
    rows, _, mean, *_ = arguments(m, dtype)
    forward, backward = seals(rows, mean)
    np.testing.assert_array_equal(forward, backward)
    assert (forward != 0).all()


@every_dtype
@pytest.mark.parametrize(("i", "j"), [(0, 1), (0, 299), (7, 8), (150, 151), (100, 228)])
def test_a_changed_row_and_two_swapped_rows_break_the_seal(dtype, i, j):
    rows, _, mean, *_ = arguments(300, dtype)
    before, _ = seals(rows, mean)
    swapped, changed = rows.copy(), rows.copy()
    swapped[[i, j]] = rows[[j, i]]
    changed[j] += 0.01
    for other in (swapped, changed):
        assert (seals(other, mean)[0] != before).all()
    changed[:, 1:] = rows[:, 1:]
    broken = seals(changed, mean)[0] != before
    np.testing.assert_array_equal(broken, [True, False, False])
