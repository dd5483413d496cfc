"""Specification of `bnlib.whole`: a small batch in float64, each pass its formula."""

import math

import numpy as np
import pytest

from bnlib import whole

DTYPES = [np.float32, np.float64]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_length = pytest.mark.parametrize("m", [1, 2, 7, 32, 100])


def arguments(m, dtype, d=3):
    """Draw rows, dy, and vectors away from 0 and 1."""
    rng = np.random.default_rng(m)
    rows, dy = (rng.normal(2, 3, (m, d)).astype(dtype) for _ in range(2))
    return rows, dy, *rng.normal([[1], [5]], 1, (2, d))


def centre(rows):
    """Return the deviations from the mean, the mean and the variance."""
    deviations, rest, mean, variance = whole.centre(rows)
    return deviations if rest is None else deviations - rest, mean, variance


@every_length
@every_dtype
def test_the_deviations_are_those_from_the_mean_in_float64(m, dtype):
    rows, *_ = arguments(m, dtype)
    deviations, mean, variance = centre(rows)
    exact = rows.astype(np.longdouble)
    assert deviations.dtype == mean.dtype == variance.dtype == np.float64
    np.testing.assert_allclose(mean, exact.mean(axis=0).astype(float), rtol=1e-14)
    expected = (exact - exact.mean(axis=0)).astype(float)
    np.testing.assert_allclose(deviations, expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(variance, exact.var(axis=0).astype(float), atol=1e-13)


@every_dtype
@pytest.mark.parametrize("value", [0.1, -3e7, 1e-30])
def test_the_deviations_of_a_constant_are_exactly_zero_and_its_mean_exact(dtype, value):
    rows = np.full((77, 2), value, dtype)
    deviations, mean, variance = centre(rows)
    np.testing.assert_array_equal(mean, rows[0])
    np.testing.assert_array_equal(deviations, 0)
    np.testing.assert_array_equal(variance, 0)


def test_the_mean_of_float64_rows_is_right_to_its_last_place_and_the_rest_is_less():
    rows = 1 + np.random.default_rng(0).uniform(size=(5000, 40))
    exact = np.array([math.fsum(column) for column in rows.T]) / len(rows)
    _, rest, mean, _ = whole.centre(rows)
    assert (np.abs(mean - exact) <= np.spacing(exact)).all()
    assert (np.abs(rest) <= 4 * np.spacing(exact)).all()


def test_sums_of_float64_are_never_long():
    dy, x_hat, one = np.full((8000, 2), 0.1), np.ones((8000, 2)), np.ones(2)
    _, dgamma, dbeta = whole.gradients(dy, x_hat, one, one)
    np.testing.assert_allclose([dgamma, dbeta], 800, rtol=1e-15)


def test_a_mean_that_float64_cannot_hold_is_subtracted_all_the_same():
    rows = 1e15 + np.array([[0.0], [0.25], [0.5], [1.0]])  # all are float64 numbers
    deviations, _, variance = centre(rows)
    exact = np.array([0.0, 0.25, 0.5, 1.0])
    np.testing.assert_array_equal(deviations[:, 0], exact - exact.mean())
    np.testing.assert_allclose(variance, exact.var(), rtol=1e-15)


@every_length
@every_dtype
def test_each_pass_is_its_formula_in_float64(m, dtype):
    rows, dy, scale, shift = arguments(m, dtype)
    deviations, _, variance = centre(rows)
    y = whole.standardize(deviations, scale, shift)
    np.testing.assert_array_equal(y, deviations * scale + shift)

    inverse_std = 1 / np.sqrt(variance + 0.5)
    wide, x_hat = dy.astype(np.float64), deviations * inverse_std
    dx, dgamma, dbeta = whole.gradients(dy, x_hat, scale, inverse_std)
    np.testing.assert_allclose(dbeta, wide.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(dgamma, (wide * x_hat).sum(axis=0), atol=1e-12)
    expected = scale * inverse_std * (wide - dbeta / m - x_hat * dgamma / m)
    atol = np.finfo(float).eps * np.abs(wide).max() * np.abs(scale * inverse_std).max()
    np.testing.assert_allclose(dx, expected, rtol=0, atol=4 * atol)


def test_no_pass_writes_to_its_arguments_nor_returns_them():
    rows, dy, scale, shift = arguments(20, np.float64)
    for array in (rows, dy, scale, shift):
        array.flags.writeable = False
    deviations, *_ = whole.centre(rows)
    deviations.flags.writeable = False
    results = (
        deviations,
        whole.standardize(deviations, scale, shift),
        whole.gradients(dy, deviations, scale, scale)[0],
    )
    for result in results:
        assert not any(np.shares_memory(result, array) for array in (rows, dy))
    assert not np.shares_memory(results[0], results[1])
