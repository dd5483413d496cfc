"""Never silently wrong: batch norm against a plain float64 reference, on arrays of every kind.

Hypothesis draws the shape, the axis, the dtype, how the array lies in memory and how large its
numbers are; the examples are the same in every run. A result may differ from the reference by
`ROUNDINGS` roundings of the work (float32 or float64), relative to the largest term of its column.
"""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bnlib import batchnorm, blocks, fastnorm, fused
from bnlib.checks import NonFiniteError
from bnlib.layers import BatchNormalization
from bnlib.standardization import limits, merge_moments, moments, standardize

ROUNDINGS = 16
FLOATS = ["float16", "float32", "float64", ">f2", ">f4", ">f8"]
INTEGERS = ["int8", "uint8", "int32", "int64", ">i4"]
DECADES = [(0, 0), (-3, 3), (-30, -30), (30, 30), (-30, 30)]  # of the features' scales

steady = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    # All examples of a test run with the same engine.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Batch(NamedTuple):
    """A drawn case: the arguments of the forward pass, and a gradient for the backward pass."""

    x: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    dy: np.ndarray
    axis: int
    epsilon: float


# How an array may lie in memory. What a view skips is NaN, so that whoever reads it is found.


def sliced(x):
    """Every second entry along each axis of a larger array; integers have no NaN to hide."""
    filler = np.nan if x.dtype.kind == "f" else 99
    large = np.full([2 * size for size in x.shape], filler, x.dtype)
    view = large[(slice(None, None, 2),) * x.ndim]
    view[...] = x
    return view


def backwards(x):
    """Return a view with negative strides."""
    return np.flip(np.flip(x).copy())


def read_only(x):
    """Return a copy that refuses to be written to."""
    x = x.copy()
    x.flags.writeable = False
    return x


def repeated(x):
    """Return the first entry along axis 0 again and again, in place: a stride of zero."""
    return np.broadcast_to(x[:1], x.shape)


def last_axis_first(x):
    """Return a view of an array whose last axis was stored first."""
    return np.moveaxis(np.moveaxis(x, -1, 0).copy(), 0, -1)


LAYOUTS = [
    np.ascontiguousarray,
    np.asfortranarray,
    sliced,
    backwards,
    read_only,
    repeated,
    last_axis_first,
]
layouts = st.sampled_from(LAYOUTS)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def shapes_and_axes(draw):
    shape = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    longest = draw(st.integers(-len(shape), len(shape) - 1))
    if longest % len(shape) != axis % len(shape):  # some batches have hundreds of rows
        shape[longest] *= draw(st.sampled_from([1, 1, 30, 130]))
    return tuple(shape), axis


@st.composite
def batches(draw, dtypes=(*FLOATS, *INTEGERS), decades=DECADES):
    shape, axis = draw(shapes_and_axes())
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    rng = np.random.default_rng(draw(seeds))
    low, high = draw(st.sampled_from(decades))
    offset = draw(st.sampled_from([0, -3, 100]))  # the mean, in standard deviations
    d = shape[axis]

    x = offset + rng.normal(size=shape)
    if dtype.kind != "f":
        x = rng.integers(0, 100, shape)
    elif dtype.itemsize == 2:
        x = x * 10.0 ** along(rng.uniform(0, 2, d), shape, axis)
    else:
        x = x * 10.0 ** along(rng.uniform(low, high, d), shape, axis)
    # The gradient may be of another precision.
    dy_dtype = np.dtype(float)
    if dtype.kind == "f":
        dy_dtype = draw(st.sampled_from([dtype, dtype, dy_dtype]))
    # As small or as large, as long as dx, which is about dy / std, is neither.
    decade = np.clip(draw(st.sampled_from([0, -30, 30])), high - 30, low + 30)
    if dtype.itemsize < 4 or dtype.kind != "f":
        decade = 0
    dy = (rng.normal(0.5, 1, shape) * 10.0**decade).astype(dy_dtype)
    gamma = rng.uniform(0.5, 2, d) * rng.choice([-1, 1], d)
    return Batch(
        draw(layouts)(x.astype(dtype)),
        draw(layouts)(gamma),
        draw(layouts)(rng.normal(3, 2, d).astype(">f8")),
        draw(layouts)(dy),
        axis,
        draw(st.sampled_from([0.0, 1e-5, 1e-3])),
    )


def along(v, shape, axis):
    """Shape a vector of features so that it broadcasts over an array of this shape."""
    return v.reshape([-1 if a == axis % len(shape) else 1 for a in range(len(shape))])


def as_rows(x, axis, dtype=np.float64):
    """Return the array as rows, features last; each column is contiguous, and so added in pairs."""
    rows = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
    return np.asfortranarray(rows, dtype)


# The reference


def reference_forward(x, gamma, beta, epsilon):
    deviations = x - x[0]  # costs no digits at a large mean
    deviations -= deviations.mean(axis=0)
    std = np.sqrt(np.square(deviations).mean(axis=0) + epsilon)
    x_hat = deviations / np.where(std > 0, std, 1)
    return gamma * x_hat + beta, x_hat, std


def reference_backward(dy, gamma, x_hat, std):
    dbeta, dgamma = dy.sum(axis=0), (dy * x_hat).sum(axis=0)
    scale = gamma / np.where(std > 0, std, np.inf)  # a constant feature has no slope
    dx = scale * (dy - dbeta / len(dy) - x_hat * dgamma / len(dy))
    return dx, dgamma, dbeta


def tolerances(x, rows, std):
    """Return a relative tolerance for each column.

    Some roundings of the work, and of a float64 mean, which count more where it is large.
    """
    work = np.float32 if x.dtype.kind == "f" and x.dtype.itemsize < 8 else np.float64
    condition = largest(rows) / np.where(std > 0, std, np.inf)
    return ROUNDINGS * (np.finfo(work).eps + np.finfo(float).eps * condition)


def assert_near(result, expected, allowed):
    """Compare rows; what is `allowed` does not include the last rounding, to the output's dtype."""
    out = np.finfo(result.dtype)
    allowed = allowed + out.eps * np.abs(expected) + out.smallest_subnormal
    assert (np.abs(result.astype(np.float64) - expected) <= allowed).all()


def largest(rows):
    return np.abs(rows).max(axis=0)


FAST = [
    "fastnorm",
    "fastnorm in a block",
    "fastnorm in many blocks",
    "fastnorm fused",
]


@pytest.fixture(params=["batchnorm", *FAST])
def norm(request, monkeypatch):
    """Return the module to test, with each engine; in blocks so small, most arrays have several."""
    if "block" in request.param:
        monkeypatch.setattr(fastnorm, "SMALL", 0)
    if "many" in request.param:
        monkeypatch.setattr(blocks, "BLOCK", 64)
        monkeypatch.setattr(blocks, "WIDTH", 1)
    if "fused" in request.param:
        monkeypatch.setattr(fastnorm, "_engine", lambda rows: fused)
    return batchnorm if request.param == "batchnorm" else fastnorm


with_each_engine = pytest.mark.parametrize("norm", FAST, indirect=True)


# Right, whatever the array


@steady
@given(batches())
def test_the_forward_pass_is_that_of_the_reference(norm, batch):
    x, gamma, beta, _, axis, epsilon = batch
    y, cache = norm.batchnorm_forward(x, gamma, beta, axis=axis, epsilon=epsilon)

    rows = as_rows(x, axis)
    expected, x_hat, std = reference_forward(rows, gamma, beta, epsilon)
    tolerance = tolerances(x, rows, std)
    native = x.dtype.newbyteorder("=")
    assert (y.shape, y.dtype) == (x.shape, native if native.kind == "f" else float)
    size = np.abs(gamma) * largest(x_hat) + np.abs(beta)
    assert_near(as_rows(y, axis, y.dtype), expected, tolerance * size)

    deviations = rows - rows[0]
    shift = cache.mean - rows[0]
    spacing = np.spacing(largest(rows))  # of float64, whatever the dtype of x
    allowed = tolerance * largest(deviations) + 2 * spacing
    assert (np.abs(shift - deviations.mean(axis=0)) <= allowed).all()
    variance = deviations.var(axis=0)
    assert (np.abs(cache.variance - variance) <= tolerance * variance).all()


@steady
@given(batches())
def test_the_backward_pass_is_the_closed_form_of_the_reference(norm, batch):
    x, gamma, beta, dy, axis, epsilon = batch
    _, cache = norm.batchnorm_forward(x, gamma, beta, axis=axis, epsilon=epsilon)
    dx, dgamma, dbeta = norm.batchnorm_backward(dy, cache)

    rows, slopes = as_rows(x, axis), as_rows(dy, axis)
    _, x_hat, std = reference_forward(rows, gamma, beta, epsilon)
    expected = reference_backward(slopes, gamma, x_hat, std)
    tolerance = tolerances(x, rows, std)
    assert (dx.shape, dgamma.dtype, dbeta.dtype) == (x.shape, float, float)
    scale = np.abs(gamma) / np.where(std > 0, std, np.inf)
    share = largest(x_hat) * np.abs(slopes * x_hat).mean(axis=0)
    size = scale * (largest(slopes) + share)
    assert_near(as_rows(dx, axis, dx.dtype), expected[0], tolerance * size)
    terms = np.abs(slopes).sum(axis=0)
    products = terms * largest(x_hat)
    assert (np.abs(dgamma - expected[1]) <= tolerance * products).all()
    assert (np.abs(dbeta - expected[2]) <= tolerance * terms).all()


@with_each_engine
@steady
@given(batches(), layouts, layouts)
def test_how_an_array_lies_in_memory_changes_no_bit_of_the_fast_path(
    norm, batch, of_x, of_dy
):
    x, gamma, beta, dy, axis, epsilon = batch
    x, dy = of_x(x), of_dy(dy)

    def results(x, dy):
        y, cache = norm.batchnorm_forward(x, gamma, beta, axis=axis, epsilon=epsilon)
        return y, cache.mean, cache.variance, *norm.batchnorm_backward(dy, cache)

    plain = [np.array(v, v.dtype.newbyteorder("="), order="C") for v in (x, dy)]
    for one, other in zip(results(x, dy), results(*plain), strict=True):
        np.testing.assert_array_equal(one, other)


@steady
@given(batches())
def test_no_argument_is_ever_changed(norm, batch):
    x, gamma, beta, dy, axis, epsilon = batch
    mean, variance = np.asarray(beta), np.square(gamma)
    arguments = x, gamma, beta, dy, mean, variance
    bases = [v if v.base is None else v.base for v in arguments]
    before = [v.tobytes() for v in bases]

    _, cache = norm.batchnorm_forward(x, gamma, beta, axis=axis, epsilon=epsilon)
    norm.batchnorm_backward(dy, cache)
    norm.batchnorm_inference(x, gamma, beta, mean, variance, axis=axis)
    batchnorm.update_moving_average(mean, variance)
    standardize(x, moments(x, axis=axis), axis=axis)
    limits(x, axis=axis)
    assert [v.tobytes() for v in bases] == before


# Theorems


@steady
@given(
    shapes_and_axes(),
    seeds,
    st.integers(-10_000, 10_000),
    st.integers(-40, 40),
    st.sampled_from([-1, 1]),
)
def test_output_ignores_shift_and_scale_and_follows_the_sign(
    norm, shape_and_axis, seed, shift, exponent, sign
):
    shape, axis = shape_and_axis
    rng = np.random.default_rng(seed)
    x = rng.integers(-100, 100, shape).astype(np.float32)
    moved = (x + np.float32(shift)) * np.float32(sign * 2.0**exponent)  # exact
    gamma, zero = rng.uniform(0.5, 2, shape[axis]), np.zeros(shape[axis])
    y, _ = norm.batchnorm_forward(x, gamma, zero, axis=axis, epsilon=0)
    y_moved, _ = norm.batchnorm_forward(moved, sign * gamma, zero, axis=axis, epsilon=0)
    y, y_moved = as_rows(y, axis), as_rows(y_moved, axis, y.dtype)
    assert_near(y_moved, y, ROUNDINGS * np.finfo(np.float32).eps * largest(y))


@steady
@given(
    batches(FLOATS),
    st.data(),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 6e4]),
)
def test_in_inference_a_row_gets_the_same_bits_whatever_its_companions(
    norm, batch, data, companions
):
    x, gamma, beta, _, axis, epsilon = batch
    rows = np.moveaxis(x, axis, -1)
    keep = data.draw(st.integers(0, len(rows) - 1))
    rng = np.random.default_rng(data.draw(seeds))
    mean, variance = rng.normal(size=gamma.size), rng.uniform(0.5, 2, gamma.size)
    statistics = gamma / 10, beta, mean, variance

    def infer(rows):
        return norm.batchnorm_inference(rows, *statistics, epsilon=epsilon)[place]

    changed = rows.copy()
    changed[np.arange(len(rows)) != keep] = companions
    place = keep
    together, among_others = infer(rows), infer(changed)
    place = 0
    alone = infer(rows[keep : keep + 1])
    np.testing.assert_array_equal(among_others, together)
    np.testing.assert_array_equal(alone, together)


@steady
@given(
    st.lists(st.integers(1, 40), min_size=3, max_size=3),
    seeds,
    st.sampled_from(DECADES),
    st.sampled_from([0, -3, 100]),
)
def test_moments_merge_in_any_grouping_and_any_order(sizes, seed, decades, offset):
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(*decades, 4)
    x = scales * (offset + rng.normal(rng.normal(size=4), 1, (sum(sizes), 4)))
    a, b, c = map(moments, np.split(x, np.cumsum(sizes)[:-1]))
    whole = moments(x)
    for merged in (
        merge_moments(a, b, c),
        merge_moments(merge_moments(a, b), c),
        merge_moments(a, merge_moments(b, c)),
        merge_moments(c, a, b),
    ):
        assert merged.count == whole.count
        np.testing.assert_allclose(
            merged.mean / scales, whole.mean / scales, 1e-13, 1e-12
        )
        np.testing.assert_allclose(merged.variance, whole.variance, rtol=1e-11)


# Told, not silent


@with_each_engine
@steady
@given(
    batches(FLOATS, [(0, 0), (-3, 3)]),
    st.sampled_from([np.nan, np.inf, -np.inf]),
    st.data(),
)
def test_what_is_not_finite_is_told_and_never_reaches_the_moving_statistics(
    norm, batch, bad, data
):
    x, _, _, _, axis, _ = batch
    layer = BatchNormalization(x.shape[axis], axis=axis, momentum=0.5)
    layer.forward(x, training=True)
    before = {name: value.copy() for name, value in layer.state.items()}

    broken = x.copy()
    place = tuple(data.draw(st.integers(0, size - 1)) for size in x.shape)
    broken[place] = bad
    with pytest.raises(
        NonFiniteError, match=f"a NaN or an infinity in feature {place[axis]}"
    ):
        layer.forward(
            data.draw(layouts.filter(lambda f: f is not repeated))(broken),
            training=True,
        )
    for name, value in before.items():
        np.testing.assert_array_equal(layer.state[name], value)


@with_each_engine
@steady
@given(st.floats(155, 308), st.integers(2, 300), st.integers(0, 2))
def test_a_variance_that_overflows_is_told_and_not_turned_into_beta(
    norm, exponent, m, feature
):
    x = np.random.default_rng(m).normal(size=(m, 3))
    x[0, feature], x[-1, feature] = 10.0**exponent, -(10.0**exponent)
    layer = BatchNormalization(3)
    with pytest.raises(
        NonFiniteError, match=f"variance beyond float64 in feature {feature}"
    ):
        layer.forward(x, training=True)
    np.testing.assert_array_equal(layer.moving_variance, 1)


EXTREMES = ["max", "smallest_normal", "smallest_subnormal", "eps"]


@steady
@given(
    st.sampled_from(["float16", "float32"]),
    st.lists(st.sampled_from(EXTREMES), min_size=1, max_size=4),
    st.integers(1, 100),
    seeds,
)
def test_the_largest_and_the_smallest_numbers_of_a_dtype_are_normalized_like_others(
    norm, dtype, extremes, pairs, seed
):
    info = np.finfo(dtype)
    sizes = np.array([getattr(info, name) for name in extremes])
    signs = np.random.default_rng(seed).permutation(np.tile([1, -1], pairs))
    x = (signs[:, None] * sizes).astype(dtype)
    d = len(sizes)
    y, cache = norm.batchnorm_forward(x, np.ones(d), np.zeros(d), epsilon=0)
    np.testing.assert_allclose(y.T, np.tile(signs, (d, 1)), rtol=ROUNDINGS * info.eps)
    np.testing.assert_allclose(cache.variance, sizes.astype(float) ** 2, rtol=1e-5)
