"""Specification of `bnlib.sums`: column sums in float64, of any number of rows."""

import numpy as np
import pytest

from bnlib.sums import column_sums, weighted_sums

LENGTHS = [1, 7, 8, 15, 16, 17, 23, 64, 100, 129, 5000]
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.mark.parametrize("m", LENGTHS)
@every_dtype
def test_every_row_of_every_column_counts_once(m, dtype):
    rows = np.arange(3 * m, dtype=dtype).reshape(m, 3)
    sums = column_sums(rows)
    assert sums.dtype == np.float64
    np.testing.assert_array_equal(sums, rows.sum(axis=0, dtype=np.float64))


def test_a_float32_is_added_to_seven_others_before_float64_takes_over():
    rows = np.full((50_000, 3), 2**20 + 1, np.float32)
    rows[::128] += 1  # the sum of eight is still a float32, that of sixteen is not
    exact = rows.sum(axis=0, dtype=np.float64)
    np.testing.assert_array_equal(column_sums(rows), exact)


def test_a_float64_is_never_added_to_a_long_sum():
    rows = np.full((100_000, 2), 0.1)
    one_after_the_other = rows.cumsum(axis=0)[-1]
    assert (np.abs(column_sums(rows) - 1e4) < 1e-11).all()
    assert (np.abs(one_after_the_other - 1e4) > 1e-9).all()


@pytest.mark.parametrize("m", LENGTHS)
@every_dtype
def test_in_a_weighted_sum_no_two_rows_weigh_the_same(m, dtype):
    weights = np.sort(weighted_sums(np.eye(min(m, 500), dtype=dtype)))
    assert weights[0] >= 1
    assert (np.diff(weights) > 1e-9).all()
