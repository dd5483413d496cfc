"""Specification of `bnlib.fastnorm`: `bnlib.batchnorm`, faster, and with the same errors."""

import numpy as np
import pytest

from bnlib import batchnorm, blocks, fastnorm, whole
from bnlib.checks import NonFiniteError

SHAPES = [
    ((6, 3), -1),
    ((6, 3), 0),
    ((4, 2, 3, 5), 1),
    ((4, 2, 3, 5), -2),
    ((700, 2), 1),
]
TOLERANCE = {np.float16: 2e-3, np.float32: 3e-6, np.float64: 1e-13}


def batch(shape, axis, dtype=np.float64):
    """Draw x, gamma, beta, dy and stored statistics, away from 0 and 1."""
    rng = np.random.default_rng(0)
    d = shape[axis]
    x, dy = (rng.normal(1.5, 2.5, shape).astype(dtype) for _ in range(2))
    gamma, beta = rng.uniform(0.5, 2, d) * rng.choice([-1, 1], d), rng.normal(3, 2, d)
    return x, gamma, beta, dy, rng.normal(size=d), rng.uniform(0.5, 2, d)


@pytest.fixture(params=[whole, blocks], ids=["whole", "blocks"])
def engine(request):
    """Run the test in both ways, whatever the size of the batch."""
    return request.param


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("options", [{}, {"epsilon": 0.5}])
def test_all_three_functions_return_what_those_of_batchnorm_do(
    shape, axis, dtype, options, engine
):
    x, gamma, beta, dy, *statistics = batch(shape, axis, dtype)
    results = []
    for norm, extra in ((batchnorm, {}), (fastnorm, {"engine": engine})):
        more = {"axis": axis, **options, **extra}
        y, cache = norm.batchnorm_forward(x, gamma, beta, **more)
        dx, dgamma, dbeta = norm.batchnorm_backward(dy, cache)
        inferred = norm.batchnorm_inference(x, gamma, beta, *statistics, **more)
        vectors = cache.mean, cache.variance, cache.x_hat, dgamma, dbeta
        results.append([y, dx, inferred, *vectors])
    for plain, fast in zip(*results, strict=True):
        assert (fast.shape, fast.dtype) == (plain.shape, plain.dtype)
        atol = TOLERANCE[dtype] * np.abs(plain).max()
        np.testing.assert_allclose(fast, plain, rtol=0, atol=atol)


def test_a_small_batch_is_copied_and_a_large_one_referred_to():
    x, gamma, beta, *_ = batch((6, 3), -1)
    large = np.tile(x, (20_000, 1))
    for rows, shared in ((x, False), (large, True)):
        _, cache = fastnorm.batchnorm_forward(rows, gamma, beta)
        assert np.shares_memory(cache.rows, rows) == shared
        assert not np.shares_memory(cache.gamma, gamma)


# An x that changes between the passes


def change_one_number(x):
    x[2, 1] += 1e-6


def swap_two_rows(x):
    x[[0, 1]] = x[[1, 0]]  # the deviations from the mean would still sum to zero


def scale_around_the_mean(x):
    x[:] = 2 * x - x.mean(axis=0)


@pytest.mark.parametrize(
    "change", [change_one_number, swap_two_rows, scale_around_the_mean]
)
@pytest.mark.parametrize("m", [6, 5000])
def test_an_x_that_changes_between_the_passes_is_told(change, m):
    x, gamma, beta, dy, *_ = batch((m, 3), -1)
    _, cache = fastnorm.batchnorm_forward(x, gamma, beta, engine=blocks)
    change(x)
    with pytest.raises(
        RuntimeError,
        match=r"^x must stay as it was .* Received: an x that has changed since the forward pass$",
    ):
        fastnorm.batchnorm_backward(dy, cache)


@pytest.mark.parametrize("shape", [(40_000, 1), (65_536, 2), (33_000, 3)], ids=str)
def test_two_neighbours_of_a_long_float32_batch_that_change_places_are_told(shape):
    x, gamma, beta, dy, *_ = batch(shape, -1, np.float32)
    _, cache = fastnorm.batchnorm_forward(x, gamma, beta)
    for i in np.random.default_rng(1).integers(shape[0] - 1, size=20):
        x[[i, i + 1]] = x[[i + 1, i]]
        with pytest.raises(RuntimeError, match=r"^x must stay"):
            fastnorm.batchnorm_backward(dy, cache)
        x[[i, i + 1]] = x[[i + 1, i]]
    fastnorm.batchnorm_backward(dy, cache)


def test_a_small_x_that_changes_between_the_passes_does_no_harm():
    x, gamma, beta, dy, *_ = batch((6, 3), -1)
    _, cache = fastnorm.batchnorm_forward(x, gamma, beta)
    expected = fastnorm.batchnorm_backward(dy, cache)
    x[:] = 7
    for again, before in zip(
        fastnorm.batchnorm_backward(dy, cache), expected, strict=True
    ):
        np.testing.assert_array_equal(again, before)


def test_a_batch_goes_in_one_piece_up_to_its_size():
    for rows, engine in [(fastnorm.SMALL, whole), (fastnorm.SMALL + 1, blocks)]:
        x = np.random.default_rng(0).normal(size=(rows, 1))
        _, cache = fastnorm.batchnorm_forward(x, [1.0], [0.0])
        assert cache.engine is engine


# Where float32 has not the range


def test_ordinary_float32_numbers_are_computed_in_float32():
    x, gamma, *_ = batch((6, 3), -1, np.float32)
    _, cache = fastnorm.batchnorm_forward(x, gamma, np.zeros(3), engine=blocks)
    assert cache.centre[0].dtype == np.float32


def test_a_constant_whose_sum_is_no_float32_yields_beta(engine):
    x = np.full((300, 2), [3e38, -3e38], np.float32)
    y, cache = fastnorm.batchnorm_forward(x, [1.0, 2.0], [5.0, 7.0], engine=engine)
    np.testing.assert_array_equal(y, np.tile([5.0, 7.0], (300, 1)))
    np.testing.assert_array_equal(cache.mean, x[0])


def test_a_tiny_scale_loses_no_digits_to_float32(engine):
    x = np.array([[1e12], [3e12]] * 20, np.float32)
    gamma = [1e-31]  # the scale, 1e-43, is a float32 with three digits
    y, _ = fastnorm.batchnorm_forward(x, gamma, [0.0], engine=engine)
    np.testing.assert_allclose(y, [[-1e-31], [1e-31]] * 20, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "gamma", "beta", "mean", "variance", "y"),
    [
        (3e38, 1.0, 0.0, -3e38, 1e58, 6e9),  # x - mean is no float32
        (-1e10, 1e29, 1e39, 0.0, 1.0, 0.0),  # beta is none
        (2.0, 1e38, 1.0, 2.0, 1e-4, 1.0),  # the scale is none
    ],
)
def test_inference_is_right_where_a_step_of_it_is_beyond_float32(
    x, gamma, beta, mean, variance, y, engine
):
    result = fastnorm.batchnorm_inference(
        np.array([[x]], np.float32), [gamma], [beta], [mean], [variance],
        epsilon=0, engine=engine,
    )  # fmt: skip
    np.testing.assert_allclose(result, [[y]], rtol=1e-6)


@pytest.mark.parametrize(
    "size", [3e38, 1e25, 1e16, 1e14, 1e-14, 1e-16, 1e-21, 1e-25, 1e-44]
)
@pytest.mark.parametrize("lengths", [(1, 1), (1, 300)])
def test_numbers_of_any_size_are_normalized_in_float32(size, lengths, engine):
    signs = np.repeat([1, -1, 1, -1], [*lengths, *lengths])[:, None]
    x = (signs * size).astype(np.float32)
    exact = x.astype(np.float64)
    y, cache = fastnorm.batchnorm_forward(x, [2.0], [1.0], epsilon=0, engine=engine)
    x_hat = (exact - exact.mean()) / exact.std()
    np.testing.assert_allclose(y, 2 * x_hat + 1, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(cache.variance, exact.var(), rtol=1e-5)
    y = fastnorm.batchnorm_inference(
        x, [2.0], [1.0], cache.mean, cache.variance, epsilon=0, engine=engine
    )
    np.testing.assert_allclose(y, 2 * x_hat + 1, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "dy_size", "gamma_size", "dy_dtype", "epsilon"),
    [
        (1e10, 1e30, 1, np.float32, 1e-3),
        (1e14, 1e25, 1, np.float32, 1e-3),
        (1.0, 5e37, 1, np.float32, 1e-3),  # the sum of eight dy is no float32
        (1.0, 1e39, 1, np.float64, 1e20),  # dy is none
        (1e-10, 1e-36, 1, np.float32, 0),
        (1e-15, 1e-28, 1, np.float32, 0),  # a product of dy and x - mean has two digits
        (5e-16, 1e27, 1e-12, np.float32, 0),  # the slope is no float32
    ],
)
def test_the_backward_pass_has_the_range_that_dy_needs(
    size, dy_size, gamma_size, dy_dtype, epsilon, engine
):
    x, gamma, beta, dy, *_ = batch((4096, 3), -1)
    gamma = gamma_size * gamma
    x, dy = (size * x).astype(np.float32), (dy_size * dy / np.abs(dy).max())
    results = []
    for norm, rows, gradient, more in (
        (fastnorm, x, dy.astype(dy_dtype), {"engine": engine}),
        (batchnorm, x.astype(np.float64), dy.astype(dy_dtype).astype(float), {}),
    ):
        _, cache = norm.batchnorm_forward(rows, gamma, beta, epsilon=epsilon, **more)
        results.append(norm.batchnorm_backward(gradient, cache))
    for fast, plain in zip(*results, strict=True):
        scale = np.abs(plain).max()
        np.testing.assert_allclose(fast / scale, plain / scale, atol=1e-6)


@pytest.mark.parametrize("dy_size", [1e-37, 2e-37])  # whose sum is 0, and is not
def test_products_that_are_all_lost_to_float32_are_taken_in_float64(dy_size, engine):
    x = np.array([[1e-10], [-1e-10]] * 50, np.float32)  # its mean is exactly 0
    dy = np.array([[dy_size], [-1e-37]] * 50, np.float32)
    _, cache = fastnorm.batchnorm_forward(x, [1.0], [0.0], epsilon=1e-20, engine=engine)
    _, dgamma, _ = fastnorm.batchnorm_backward(dy, cache)
    np.testing.assert_allclose(dgamma, 50 * (dy_size + 1e-37) / np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize(("size", "dy_size"), [(1e120, 1e200), (1e-150, 1e-200)])
def test_a_small_batch_of_float64_has_all_of_its_range(size, dy_size):
    x, gamma, beta, dy, *_ = batch((40, 3), -1)
    expected = fastnorm.batchnorm_backward(
        dy, fastnorm.batchnorm_forward(x, gamma, beta, epsilon=0)[1]
    )
    _, cache = fastnorm.batchnorm_forward(size * x, gamma, beta, epsilon=0)
    dx, dgamma, dbeta = fastnorm.batchnorm_backward(dy_size * dy, cache)
    for result, factor, other in zip(
        (dx, dgamma, dbeta), (dy_size / size, dy_size, dy_size), expected, strict=True
    ):
        np.testing.assert_allclose(result / factor, other, rtol=1e-9, atol=1e-13)


def test_a_float32_dy_of_a_float64_batch_is_added_in_float64():
    x, gamma, beta, dy, *_ = batch((50_000, 3), -1)
    _, cache = fastnorm.batchnorm_forward(x, gamma, beta)
    _, _, dbeta = fastnorm.batchnorm_backward(dy.astype(np.float32), cache)
    exact = dy.astype(np.float32).astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(dbeta, exact, rtol=1e-13)


def test_the_shift_may_be_beyond_float32_where_the_result_is_not(engine):
    x = np.array([[1e10], [-1e10]] * 4, np.float32)
    with np.errstate(over="ignore"):  # every other row does overflow
        y, _ = fastnorm.batchnorm_forward(x, [1e39], [1e39], engine=engine)
    np.testing.assert_array_equal(y[1::2], 0)


@pytest.mark.parametrize("size", [1e37, 1e25, 1e16, 1e-16, 1e-21, 1e-25, 1e-35])
def test_the_backward_pass_of_numbers_of_any_size_is_that_of_batchnorm(size, engine):
    x, gamma, beta, dy, *_ = batch((40, 3), -1)
    x = (size * x).astype(np.float32)
    results = []
    for norm, rows, more in (
        (fastnorm, x, {"engine": engine}),
        (batchnorm, x.astype(np.float64), {}),
    ):
        _, cache = norm.batchnorm_forward(rows, gamma, beta, epsilon=0, **more)
        results.append(norm.batchnorm_backward(dy.astype(np.float32), cache))
    for fast, plain in zip(*results, strict=True):
        atol = 1e-5 * np.abs(plain).max()
        np.testing.assert_allclose(fast, plain, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("epsilon", [0, 1e-3])
def test_a_batch_of_one_yields_beta_and_a_zero_dx(dtype, epsilon, engine):
    x, gamma, beta, dy, *_ = batch((1, 3), -1, dtype)
    y, cache = fastnorm.batchnorm_forward(
        x, gamma, beta, epsilon=epsilon, engine=engine
    )
    dx, dgamma, _ = fastnorm.batchnorm_backward(dy, cache)
    np.testing.assert_array_equal(y, [beta.astype(dtype)])
    np.testing.assert_array_equal(dx, 0)
    np.testing.assert_array_equal(dgamma, 0)


@pytest.mark.parametrize("norm", [batchnorm, fastnorm])
@pytest.mark.parametrize("size", [0.01, 100.0])
def test_without_epsilon_a_constant_feature_has_no_slope_and_harms_no_other(norm, size):
    x, gamma, beta, dy, *_ = batch((6, 3), -1)
    x *= size
    together = x.copy()
    together[:, 1] = 7
    _, alone = norm.batchnorm_forward(x, gamma, beta, epsilon=0)
    y, cache = norm.batchnorm_forward(together, gamma, beta, epsilon=0)
    dx, _, _ = norm.batchnorm_backward(dy, cache)
    expected, _, _ = norm.batchnorm_backward(dy, alone)
    np.testing.assert_array_equal(y[:, 1], beta[1])
    np.testing.assert_array_equal(dx[:, 1], 0)
    np.testing.assert_allclose(dx[:, [0, 2]], expected[:, [0, 2]], rtol=1e-12)
    inferred = norm.batchnorm_inference(
        together, gamma, beta, cache.mean, cache.variance, epsilon=0
    )
    np.testing.assert_allclose(inferred, y, rtol=1e-12, atol=1e-12)


def test_one_feature_beyond_the_range_of_float32_does_not_harm_the_others(engine):
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    x[:, 1] *= 1e30
    y, _ = fastnorm.batchnorm_forward(
        x, np.ones(3), np.zeros(3), epsilon=0, engine=engine
    )
    exact = x.astype(np.float64)
    np.testing.assert_allclose(
        y, (exact - exact.mean(axis=0)) / exact.std(axis=0), rtol=0, atol=1e-6
    )


def test_a_constant_feature_is_no_underflow(engine):
    x = np.full((7, 2), 1e-30, np.float32)
    y, _ = fastnorm.batchnorm_forward(
        x, [2.0, 3.0], [5.0, 7.0], epsilon=0, engine=engine
    )
    np.testing.assert_array_equal(y, np.tile([5.0, 7.0], (7, 1)))


def test_a_variance_below_float64_is_told_where_epsilon_does_not_cover_it(engine):
    x, more = np.array([[1.0, 1e-200], [2.0, -1e-200]]), {"engine": engine}
    with pytest.raises(NonFiniteError, match=r"^x must vary enough for float64\. Rec"):
        fastnorm.batchnorm_forward(x, np.ones(2), np.zeros(2), epsilon=0, **more)
    y, _ = fastnorm.batchnorm_forward(x, np.ones(2), np.zeros(2), **more)
    np.testing.assert_allclose(y[:, 1], x[:, 1] / np.sqrt(1e-3))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_statistics_of_a_number_that_is_not_finite_are_refused(bad, dtype, engine):
    x, gamma, beta, *_ = batch((6, 3), -1, dtype)
    x[4, 2] = bad
    with pytest.raises(NonFiniteError, match="a NaN or an infinity in feature 2"):
        fastnorm.batchnorm_forward(x, gamma, beta, engine=engine)


# Arguments


@pytest.mark.parametrize("name", ["gamma", "beta", "moving_mean", "moving_variance"])
def test_a_vector_of_another_length_is_refused_by_name(name):
    names = "gamma", "beta", "moving_mean", "moving_variance"
    vectors = {other: [1, 2] for other in names}
    with pytest.raises(ValueError, match=rf"^{name} must have shape \(2,\)"):
        fastnorm.batchnorm_inference(np.eye(2), **(vectors | {name: [1]}))


def test_a_dy_that_is_not_numbers_or_of_another_shape_is_refused_by_name():
    _, cache = fastnorm.batchnorm_forward(np.zeros((2, 3)), np.ones(3), np.zeros(3))
    with pytest.raises(TypeError, match=r"^dy must hold"):
        fastnorm.batchnorm_backward([["a"]], cache)
    with pytest.raises(ValueError, match=r"^dy must have shape \(2, 3\)"):
        fastnorm.batchnorm_backward(np.zeros((3, 2)), cache)


def test_a_negative_moving_variance_is_refused_and_zero_is_not():
    with pytest.raises(ValueError, match=r"^moving_variance must not be .*: -3\.0$"):
        fastnorm.batchnorm_inference([[1.0, 2.0]], [1, 1], [0, 0], [0, 0], [-2, -3])
    y = fastnorm.batchnorm_inference([[5.0]], [3.0], [1.0], [4.0], [0.0], epsilon=0.25)
    np.testing.assert_array_equal(y, [[7.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_passes_are_those_of_the_engine_that_is_asked_for(dtype):
    class Engine:
        """The passes of `blocks`, and a note of each that ran."""

        def __init__(self):
            self.ran = []

        def __getattr__(self, name):
            self.ran.append(name)
            return getattr(blocks, name)

    x, gamma, beta, dy, *statistics = batch((6, 3), -1, dtype)
    engine = Engine()
    _, cache = fastnorm.batchnorm_forward(x, gamma, beta, engine=engine)
    fastnorm.batchnorm_backward(dy, cache)
    fastnorm.batchnorm_inference(x, gamma, beta, *statistics, engine=engine)
    assert engine.ran == [
        "moments", "standardize", "gradient_sums", "gradient", "standardize",
    ]  # fmt: skip


@pytest.mark.parametrize("norm", [batchnorm, fastnorm])
@pytest.mark.parametrize("scale", [1e-160, 1e-170])
def test_a_variance_below_float64_is_told_where_epsilon_is_zero(scale, norm):
    x = scale * np.array([[1.0], [2.0], [4.0]])
    with pytest.raises(NonFiniteError, match="a variance below it"):
        norm.batchnorm_forward(x, [1.0], [0.0], epsilon=0)
    y, _ = norm.batchnorm_forward(x, [1.0], [7.0])
    np.testing.assert_array_equal(y, 7)
