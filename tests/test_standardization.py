"""Specification of `bnlib.standardization`."""

import numpy as np
import pytest

from bnlib.checks import NonFiniteError
from bnlib.standardization import (
    Moments,
    limits,
    merge_moments,
    min_max_scale,
    moments,
    standardize,
)

RNG = np.random.default_rng(1)
TABLE = RNG.normal([3, -40, 1e3], [0.1, 5, 200], (60, 3))


def test_moments_are_the_mean_and_the_biased_variance_of_each_feature():
    count, mean, variance = moments(TABLE)
    assert (count, type(count)) == (60, int)
    np.testing.assert_allclose(mean, TABLE.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(variance, TABLE.var(axis=0), rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -2, -3, -4])
def test_axis_is_the_axis_that_keeps_its_own_statistics(axis):
    x = RNG.normal(size=(4, 3, 2, 5))
    others = tuple(a for a in range(4) if a != axis % 4)
    count, mean, variance = moments(x, axis=axis)
    assert count == x.size // x.shape[axis]
    np.testing.assert_allclose(mean, x.mean(axis=others), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(variance, x.var(axis=others), rtol=1e-12)


def test_the_variance_of_float32_rows_survives_a_large_mean():
    deviations = RNG.normal(size=(65_536, 2))
    x = (1e4 + deviations).astype(np.float32)
    exact = x.astype(np.longdouble).var(axis=0).astype(float)
    np.testing.assert_allclose(moments(x).variance, exact, rtol=1e-10)


def test_the_variance_of_a_constant_is_exactly_zero():
    assert (moments(np.full((7, 2), 0.1)).variance == 0).all()


@pytest.mark.parametrize("sizes", [(30, 30), (1, 59), (10, 20, 30), (60,)])
def test_moments_of_parts_merge_into_the_moments_of_the_whole(sizes):
    parts = np.split(TABLE, np.cumsum(sizes)[:-1])
    merged = merge_moments(*[moments(part) for part in parts])
    whole = moments(TABLE)
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.variance, whole.variance, rtol=1e-12)


def test_averaging_the_variances_of_parts_is_not_their_variance():
    a, b = moments([[0.0], [1.0]]), moments([[10.0], [11.0]])
    assert merge_moments(a, b).variance[0] > 100 * (a.variance + b.variance)[0] / 2


def test_moments_of_different_lengths_do_not_merge():
    with pytest.raises(
        ValueError, match=r"^moments must have one length\. Received: \(3,\)"
    ):
        merge_moments(moments(TABLE), moments(TABLE[:, :2]))
    with pytest.raises(
        ValueError, match=r"^merge_moments needs .* moments\. Received: none$"
    ):
        merge_moments()


def test_standardized_features_have_mean_zero_and_standard_deviation_one():
    z = standardize(TABLE)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-13)


def test_standardize_applies_the_training_statistics_to_another_set():
    train, test = TABLE[:40], TABLE[40:]
    expected = (test - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(standardize(test, moments(train)), expected, rtol=1e-12)


def test_one_test_row_is_standardized_as_among_others():
    statistics = moments(TABLE[:40])
    among = standardize(TABLE[40:], statistics)
    alone = standardize(TABLE[45:46], statistics)
    np.testing.assert_array_equal(alone, among[5:6])


def test_a_constant_feature_is_standardized_to_zero():
    assert (standardize(np.full((5, 1), 0.1)) == 0).all()
    assert (min_max_scale(np.full((5, 1), 0.1)) == 0).all()


def test_a_feature_constant_in_the_statistics_is_shifted_and_divided_by_one():
    constant = [[4.0], [4.0]]
    assert standardize([[7.0]], moments(constant)) == [[3.0]]
    assert min_max_scale([[7.0]], limits(constant)) == [[3.0]]


def test_min_max_scaling_maps_each_range_onto_zero_to_one():
    scaled = min_max_scale(TABLE)
    np.testing.assert_array_equal(scaled.min(axis=0), 0)
    np.testing.assert_array_equal(scaled.max(axis=0), 1)


def test_min_max_scaling_by_the_training_limits_lets_another_set_leave_the_range():
    bounds = limits([[0.0], [10.0]])
    np.testing.assert_array_equal(
        min_max_scale([[-5.0], [20.0]], bounds).ravel(), [-0.5, 2]
    )


@pytest.mark.parametrize("scale", [standardize, min_max_scale])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scaling_keeps_the_dtype_and_the_shape_and_the_argument(scale, dtype):
    x = RNG.normal(size=(4, 3, 2)).astype(dtype)
    before = x.copy()
    y = scale(x, axis=1)
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_statistics_of_a_number_that_is_not_finite_are_refused(bad):
    x = TABLE.copy()
    x[3, 1] = bad
    with pytest.raises(NonFiniteError, match=r"feature 1"):
        moments(x)
    with pytest.raises(NonFiniteError, match=r"^x must be finite. Received: a NaN or"):
        limits(x)


def test_a_variance_that_overflows_is_told():
    with pytest.raises(NonFiniteError, match="variance beyond float64"):
        moments([[1e200], [-1e200]])


def test_statistics_of_another_number_of_features_are_refused():
    with pytest.raises(ValueError, match=r"must have shape \(3,\)"):
        standardize(TABLE, Moments(1, np.zeros(2), np.ones(2)))
    with pytest.raises(ValueError, match=r"^shift must have shape \(3,\)"):
        standardize(TABLE, Moments(1, np.zeros(2), np.ones(3)))
    with pytest.raises(ValueError, match=r"^scale must have shape \(3,\)"):
        standardize(TABLE, Moments(1, np.zeros(3), np.ones(2)))


@pytest.mark.parametrize("function", [moments, limits, standardize, min_max_scale])
def test_rows_without_features_are_refused_by_name(function):
    with pytest.raises(ValueError, match=r"^x must have at least 2 axes"):
        function([1.0, 2.0])
    with pytest.raises(TypeError, match=r"^x must hold"):
        function([["a"]])


@pytest.mark.parametrize("apply", [standardize, min_max_scale])
def test_rows_without_features_are_refused_where_the_statistics_are_given(apply):
    statistics = moments([[1.0]]) if apply is standardize else limits([[1.0]])
    with pytest.raises(ValueError, match=r"^x must have at least 2 axes"):
        apply(
            [1.0, 2.0], statistics
        )  # as the rows, and not as another number of features
