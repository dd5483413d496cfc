"""Specification of `bnlib.fused`: the passes of `bnlib.blocks`, with the same results."""

import subprocess
import sys

import numpy as np
import pytest

from bnlib import blocks, fused
from bnlib.checks import NonFiniteError
from bnlib.fastnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
)

SHAPES = [
    (1, 1), (2, 3), (31, 5), (32, 100), (33, 1), (257, 8), (513, 3), (1000, 64), (1029, 2),
    (40, 2500),
]  # fmt: skip
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def batch(shape, dtype=np.float64, *, axis=-1, mean=1.5):
    """Draw x, dy, gamma and beta, with no mean at 0 and no scale at 1."""
    rng = np.random.default_rng(0)
    d = shape[axis]
    x = (mean + 2.5 * rng.normal(size=shape)).astype(dtype)
    gamma, beta = rng.uniform(0.5, 2, d) * rng.choice([-1, 1], d), rng.normal(3, 2, d)
    return x, rng.normal(size=shape).astype(dtype), gamma, beta


def by_the_textbook(x, dy, gamma, beta, epsilon=1e-3):
    """Return y, dx, dgamma and dbeta, computed in float64."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    inverse_std = 1 / np.sqrt(x.var(axis=0) + epsilon)
    x_hat = (x - x.mean(axis=0)) * inverse_std
    dgamma, dbeta = (dy * x_hat).sum(axis=0), dy.sum(axis=0)
    dx = gamma * inverse_std * (dy - (dbeta + x_hat * dgamma) / len(x))
    return gamma * x_hat + beta, dx, dgamma, dbeta


def by_the_library(x, dy, gamma, beta, *, engine=fused, **options):
    """Return y, dx, dgamma and dbeta."""
    y, cache = batchnorm_forward(x, gamma, beta, engine=engine, **options)
    return y, *batchnorm_backward(dy, cache)


def assert_close(results, expected, dtype, *, roundings=20):
    """Compare arrays in pairs, to a few roundings of the largest entry of each."""
    for result, other in zip(results, expected, strict=True):
        assert result.shape == other.shape
        atol = roundings * np.finfo(dtype).eps * np.abs(other).max()
        np.testing.assert_allclose(result, other, rtol=0, atol=atol)


# Each pass by itself


@every_shape
@every_dtype
@pytest.mark.parametrize("work", [None, np.dtype(np.float64)], ids=str)
def test_each_pass_equals_that_of_blocks(shape, dtype, work):
    rows, dy, scale, shift = batch(shape, dtype)
    centre = blocks.split(rows.mean(axis=0, dtype=np.float64), work or dtype)
    for name, arguments, out in [
        ("standardize", (rows, centre, scale, shift), dtype),
        ("gradient_sums", (dy, rows, centre), np.float64),
        ("gradient", (dy, rows, centre, scale, shift, scale / 2), dtype),
    ]:
        ours, theirs = (
            np.asarray(getattr(engine, name)(*arguments)) for engine in (fused, blocks)
        )
        assert ours.dtype == theirs.dtype == out
        assert_close([ours], [theirs], dtype)


@every_shape
@every_dtype
@pytest.mark.parametrize("work", [None, np.dtype(np.float64)], ids=str)
def test_the_moments_equal_those_of_blocks(shape, dtype, work):
    rows, *_ = batch(shape, dtype)
    ours, theirs = (engine.moments(rows, work=work) for engine in (fused, blocks))
    assert [v.dtype for v in ours] == [v.dtype for v in theirs]
    assert ours[0].dtype == (work or dtype)
    assert_close([mean_of(ours), ours[2]], [mean_of(theirs), theirs[2]], work or dtype)


def mean_of(moments):
    return moments[0] + moments[1]


def test_wide_work_is_not_rounded_to_the_dtype_of_the_rows():
    rows, dy, *_ = batch((1000, 4), np.float32)
    mean = (rows[0] / 3).astype(np.float64)
    wide = fused.gradient_sums(dy, rows, blocks.split(mean, np.float64))
    dy, rows = dy.astype(np.float64), rows.astype(np.float64)
    assert_close(wide, (dy.sum(axis=0), (dy * (rows - mean)).sum(axis=0)), np.float64)


def test_a_wide_gradient_is_not_rounded_to_the_dtype_of_the_rows():
    rows, dy, *_ = batch((1000, 4))
    sums, _ = fused.gradient_sums(
        dy, rows.astype(np.float32), blocks.split(np.ones(4), np.float32)
    )
    assert_close([sums], [dy.sum(axis=0)], np.float64)


def test_a_square_that_overflows_the_work_leaves_no_finite_variance():
    rows = np.array([[1e30], [-1e30], [0.0]], np.float32)
    assert not np.isfinite(fused.moments(rows)[2]).any()
    _, _, variance = fused.moments(rows, work=np.dtype(np.float64))
    np.testing.assert_allclose(variance, 2e60 / 3, rtol=1e-6)


def assert_moments(rows, dtype):
    exact, found = rows.astype(np.float64), fused.moments(rows)
    expected = exact.mean(axis=0), exact.var(axis=0)
    assert_close((mean_of(found), found[2]), expected, dtype)


@every_dtype
def test_first_rows_that_lie_far_from_the_rest_cost_no_digits(dtype):
    rows = batch((500, 3), dtype)[0]
    rows[:40] += 1e5 * np.array([1, 0, -1], dtype)
    assert_moments(rows, dtype)
    rows[40:] += 1e5 * np.array(
        [1, 0, -1], dtype
    )  # now only the pivot's few rows are noise
    rows[:40] = rows[:40] - 2e5 * np.array([1, 0, -1], dtype)
    assert_moments(rows, dtype)


def seals(rows, changed, work=None):
    """Return the seals of the rows on the way forward, and of the changed rows on the way back."""
    forward, backward = np.zeros((2, rows.shape[1]))
    mean = rows.mean(axis=0, dtype=np.float64)
    centre = blocks.split(mean, work or rows.dtype)
    fused.standardize(rows, centre, np.ones_like(mean), mean, seal=forward)
    fused.gradient_sums(rows, changed, centre, seal=backward)
    return forward, backward


@every_shape
@every_dtype
@pytest.mark.parametrize("work", [None, np.dtype(np.float64)], ids=str)
def test_the_seal_of_unchanged_rows_is_the_same_to_the_bit(shape, dtype, work):
    rows = batch(shape, dtype)[0]
    np.testing.assert_array_equal(*seals(rows, rows.copy(), work))


@pytest.mark.parametrize(("a", "b"), [(3, 4), (0, 32), (0, 512), (5, 999), (640, 672)])
@every_dtype
def test_the_seal_tells_a_change_and_rows_that_changed_places(dtype, a, b):
    rows = batch((1000, 6), dtype)[0]
    moved, changed = rows.copy(), rows.copy()
    moved[[a, b]] = rows[[b, a]]
    changed[a] *= 1.001
    for other in (moved, changed):
        forward, backward = seals(rows, other)
        assert (forward != backward).all()


def test_the_seal_changes_no_result():
    rows, dy, scale, shift = batch((70, 5), np.float32)
    centre = blocks.split(shift, rows.dtype)
    for name, arguments in [
        ("standardize", (rows, centre, scale, shift)),
        ("gradient_sums", (dy, rows, centre)),
    ]:
        run = getattr(fused, name)
        sealed = run(*arguments, seal=np.zeros(5))
        np.testing.assert_array_equal(run(*arguments), sealed)


# As the engine of batch normalization


@every_shape
@every_dtype
@pytest.mark.parametrize("mean", [1.5, -1e4])
def test_both_passes_equal_the_textbook(shape, dtype, mean):
    x, *others = batch(shape, dtype, mean=mean)
    centred = x.astype(np.float64) - mean  # the textbook loses digits to a large mean
    expected = by_the_textbook(centred, *others)
    assert_close(by_the_library(x, *others), expected, dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1, -2, -1])
def test_both_passes_equal_those_of_blocks_along_every_axis(axis, dtype):
    data = batch((4, 6, 3, 5), dtype, axis=axis)
    results = by_the_library(*data, axis=axis)
    expected = by_the_library(*data, axis=axis, engine=blocks)
    assert [v.dtype for v in results] == [v.dtype for v in expected]
    assert_close(results, expected, dtype)


@pytest.mark.parametrize(
    "see",
    [
        lambda v: np.asfortranarray(v),
        lambda v: np.repeat(v, 2, axis=1)[:, ::2],
        lambda v: v[::-1],
        lambda v: v.astype(v.dtype.newbyteorder()),
        lambda v: np.broadcast_to(v[:, :1], v.shape),
    ],
    ids=["fortran", "strided", "reversed", "swapped bytes", "broadcast"],
)
def test_the_layout_in_memory_makes_no_difference(see):
    x, dy, gamma, beta = batch((70, 4), np.float32)
    x, dy = see(x), see(dy)
    plain = x.astype(np.float32, order="C"), dy.astype(np.float32, order="C")
    pairs = zip(
        by_the_library(x, dy, gamma, beta),
        by_the_library(*plain, gamma, beta),
        strict=True,
    )
    for result, expected in pairs:
        np.testing.assert_array_equal(result, expected)


def test_nothing_writes_to_its_arguments_not_even_to_be_read_only():
    data = batch((70, 4), np.float32)
    expected = by_the_library(*data)
    for v in data:
        v.flags.writeable = False
    for result, other in zip(by_the_library(*data), expected, strict=True):
        np.testing.assert_array_equal(result, other)


@every_dtype
@pytest.mark.parametrize("value", [0.0, 0.1, -3e7, 1e-30])
def test_a_constant_column_yields_beta_and_a_zero_dx(dtype, value):
    x, beta = np.full((77, 2), value, dtype), np.array([5.0, 7.0])
    y, cache = batchnorm_forward(x, [2.0, -3.0], beta, epsilon=0, engine=fused)
    np.testing.assert_array_equal(y, np.tile(beta, (77, 1)).astype(dtype))
    dx, _, dbeta = batchnorm_backward(np.ones_like(x), cache)
    np.testing.assert_array_equal(dx, 0)
    np.testing.assert_array_equal(dbeta, 77)


@pytest.mark.parametrize("mean", [1e3, 1e6, 1e8])
def test_a_large_mean_costs_no_digits(mean):
    x, dy, gamma, beta = batch((4096, 3), np.float32, mean=mean)
    centred = x.astype(np.float64) - mean
    assert_close(
        by_the_library(x, dy, gamma, beta),
        by_the_textbook(centred, dy, gamma, beta),
        np.float32,
    )


@pytest.mark.parametrize("scale", [1e-25, 1e-16, 1e20, 1e37])
def test_float32_at_its_limits_is_computed_in_float64(scale):
    x, dy, gamma, beta = batch((64, 3), np.float32)
    x = (x * scale).astype(np.float32)
    y, _ = batchnorm_forward(x, gamma, beta, epsilon=0, engine=fused)
    exact, *_ = by_the_textbook(x / np.float64(scale), dy, gamma, beta, epsilon=0)
    assert_close([y], [exact], np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(bad):
    x, _, gamma, beta = batch((64, 3), np.float32)
    x[50, 1] = bad
    with pytest.raises(NonFiniteError, match="in feature 1"):
        batchnorm_forward(x, gamma, beta, engine=fused)


def test_a_change_of_x_between_the_passes_is_noticed():
    x, dy, gamma, beta = batch((64, 3), np.float32)
    _, cache = batchnorm_forward(x, gamma, beta, engine=fused)
    x[:] = x[::-1].copy()
    with pytest.raises(RuntimeError, match="changed since the forward pass"):
        batchnorm_backward(dy, cache)


@every_dtype
def test_inference_equals_that_of_blocks(dtype):
    x, _, gamma, beta = batch((70, 5), dtype)
    ours, theirs = (
        batchnorm_inference(x, gamma, beta, beta, gamma**2, engine=engine)
        for engine in (fused, blocks)
    )
    assert_close([ours], [theirs], dtype)


# Its place in the house


def test_importing_bnlib_leaves_the_engine_and_numba_alone():
    code = "import sys, bnlib; print({'numba', 'bnlib.fused'} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == "set()"


def test_without_numba_the_import_says_in_one_sentence_what_to_do():
    code = "import sys; sys.modules['numba'] = None; import bnlib.fused"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = run.stderr.splitlines()[-1]
    assert last.startswith(
        "ImportError: bnlib.fused needs numba: install it with pip install"
    )
    assert "During handling" not in run.stderr
