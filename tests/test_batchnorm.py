"""Specification of `bnlib.batchnorm`: theorems, each proved away from the identity."""

import numpy as np
import pytest

from bnlib.batchnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
    update_moving_average,
)
from bnlib.checks import NonFiniteError
from bnlib.gradcheck import check_gradient

SHAPES = [
    ((6, 3), -1),
    ((6, 3), 0),
    ((4, 2, 3, 5), -1),
    ((4, 2, 3, 5), 0),
    ((4, 2, 3, 5), 1),
    ((4, 2, 3, 5), -2),
    ((3, 4, 2), 1),
]
every_shape = pytest.mark.parametrize(("shape", "axis"), SHAPES)


def batch(shape, axis, *, seed=0, dtype=np.float64):
    """Draw x, gamma, beta and dy, with no mean at 0 and no scale at 1."""
    rng = np.random.default_rng(seed)
    d = shape[axis]
    x = rng.normal(1.5, 2.5, shape).astype(dtype)
    gamma, beta = rng.uniform(0.5, 2, d) * rng.choice([-1, 1], d), rng.normal(3, 2, d)
    return x, gamma, beta, rng.normal(size=shape).astype(dtype)


def others(x, axis):
    return tuple(a for a in range(x.ndim) if a != axis % x.ndim)


def along(v, x, axis):
    """Shape a vector of features so that it broadcasts over x."""
    return v.reshape([-1 if a == axis % x.ndim else 1 for a in range(x.ndim)])


# Forward


@every_shape
def test_output_has_mean_beta_and_standard_deviation_absolute_gamma(shape, axis):
    x, gamma, beta, _ = batch(shape, axis)
    y, _ = batchnorm_forward(x, gamma, beta, axis=axis, epsilon=0)
    np.testing.assert_allclose(y.mean(others(x, axis)), beta, rtol=1e-12)
    np.testing.assert_allclose(y.std(others(x, axis)), np.abs(gamma), rtol=1e-12)


def test_epsilon_stands_inside_the_root():
    x = np.array([[1.0], [3.0]])  # variance 1
    y, _ = batchnorm_forward(x, [1.0], [0.0], epsilon=3.0)
    np.testing.assert_allclose(y.ravel(), [-0.5, 0.5], rtol=1e-15)


@every_shape
def test_output_ignores_the_shift_and_positive_scale_of_its_input(shape, axis):
    x, gamma, beta, _ = batch(shape, axis)
    y, _ = batchnorm_forward(x, gamma, beta, axis=axis, epsilon=0)
    moved, _ = batchnorm_forward(7 * x + 11, gamma, beta, axis=axis, epsilon=0)
    np.testing.assert_allclose(moved, y, rtol=1e-12, atol=1e-12)


def test_a_negative_scale_of_the_input_mirrors_the_output():
    x, gamma, _, _ = batch((6, 3), -1)
    y, _ = batchnorm_forward(x, gamma, np.zeros(3), epsilon=0)
    mirrored, _ = batchnorm_forward(-2 * x, gamma, np.zeros(3), epsilon=0)
    np.testing.assert_allclose(mirrored, -y, rtol=1e-12)


def test_the_cache_carries_the_mean_and_the_biased_variance_of_the_batch():
    x, gamma, beta, _ = batch((6, 3), -1)
    _, cache = batchnorm_forward(x, gamma, beta)
    np.testing.assert_allclose(cache.mean, x.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(cache.variance, x.var(axis=0), rtol=1e-13)


@pytest.mark.parametrize("epsilon", [0, 1e-3])
@pytest.mark.parametrize("value", [0.0, 0.1, -3e7, 1e-300])
def test_a_constant_feature_yields_beta_and_a_zero_dx(value, epsilon):
    x = np.full((7, 2), value)
    y, cache = batchnorm_forward(x, [2.0, -3.0], [5.0, 7.0], epsilon=epsilon)
    np.testing.assert_array_equal(y, np.tile([5.0, 7.0], (7, 1)))
    dx, _, dbeta = batchnorm_backward(np.ones_like(x), cache)
    np.testing.assert_array_equal(dx, 0)
    np.testing.assert_array_equal(dbeta, 7)


@pytest.mark.parametrize("d", [1, 200])
def test_without_epsilon_the_inverse_deviation_of_a_constant_feature_counts_as_zero(d):
    _, cache = batchnorm_forward(np.ones((3, d)), np.ones(d), np.ones(d), epsilon=0)
    np.testing.assert_array_equal(cache.inverse_std, 0)


def test_a_batch_of_one_yields_beta_and_a_zero_dx():
    y, cache = batchnorm_forward([[3.0, -8.0]], [2.0, 4.0], [5.0, 6.0])
    np.testing.assert_array_equal(y, [[5.0, 6.0]])
    dx, dgamma, dbeta = batchnorm_backward([[1.0, -2.0]], cache)
    np.testing.assert_array_equal(dx, 0)
    np.testing.assert_array_equal(dgamma, 0)
    np.testing.assert_array_equal(dbeta, [1, -2])


def test_a_batch_of_two_is_plus_and_minus_one_whatever_the_data():
    x = np.array([[1.0, 1e6], [1.001, -4.0]])
    y, _ = batchnorm_forward(x, np.ones(2), np.zeros(2), epsilon=0)
    np.testing.assert_allclose(y, [[-1, 1], [1, -1]], rtol=1e-12)


@pytest.mark.parametrize("m", [2, 3, 10, 100])
def test_no_normalized_value_exceeds_the_root_of_m_minus_one(m):
    x = np.zeros((m, 1))
    x[0] = 1e9  # one outlier reaches the bound
    y, _ = batchnorm_forward(x, [1.0], [0.0], epsilon=0)
    np.testing.assert_allclose(np.abs(y).max(), np.sqrt(m - 1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@every_shape
def test_output_and_dx_have_the_dtype_of_x_and_statistics_are_float64(
    shape, axis, dtype
):
    x, gamma, beta, dy = batch(shape, axis, dtype=dtype)
    y, cache = batchnorm_forward(x, gamma, beta, axis=axis)
    dx, dgamma, dbeta = batchnorm_backward(dy, cache)
    assert (y.dtype, dx.dtype) == (dtype, dtype)
    assert (y.shape, dx.shape) == (x.shape, x.shape)
    vectors = cache.mean, cache.variance, dgamma, dbeta
    assert {v.dtype for v in vectors} == {np.dtype(np.float64)}


def test_a_large_mean_costs_no_digits():
    rng = np.random.default_rng(0)
    x = (1e6 + rng.normal(size=(64, 5))).astype(np.float32)
    y, _ = batchnorm_forward(x, np.ones(5), np.zeros(5))
    exact, _ = batchnorm_forward(x.astype(np.float64) - 1e6, np.ones(5), np.zeros(5))
    np.testing.assert_allclose(y, exact, rtol=1e-6, atol=1e-7)


# Backward


@every_shape
@pytest.mark.parametrize("epsilon", [0.0, 1e-3, 0.7])
def test_the_backward_pass_matches_finite_differences(shape, axis, epsilon):
    x, gamma, beta, dy = batch(shape, axis)
    options = {"axis": axis, "epsilon": epsilon}

    def loss(x=x, gamma=gamma, beta=beta):
        return np.sum(dy * batchnorm_forward(x, gamma, beta, **options)[0])

    _, cache = batchnorm_forward(x, gamma, beta, **options)
    dx, dgamma, dbeta = batchnorm_backward(dy, cache)
    check_gradient(lambda v: loss(x=v), x, dx, name="x")
    check_gradient(lambda v: loss(gamma=v), gamma, dgamma, name="gamma")
    check_gradient(lambda v: loss(beta=v), beta, dbeta, name="beta")


@every_shape
def test_dx_is_orthogonal_to_ones_and_to_x_hat(shape, axis):
    x, gamma, beta, dy = batch(shape, axis)
    _, cache = batchnorm_forward(x, gamma, beta, axis=axis, epsilon=0)
    dx, _, _ = batchnorm_backward(dy, cache)
    x_hat = np.moveaxis(cache.x_hat, -1, axis)
    size = np.linalg.norm(dx)
    assert np.abs(dx.sum(others(x, axis))).max() < 1e-12 * size
    assert np.abs((dx * x_hat).sum(others(x, axis))).max() < 1e-12 * size


def test_with_epsilon_the_part_of_dx_along_x_hat_is_epsilon_over_the_variance_of_dgamma():
    x, gamma, beta, dy = batch((6, 3), -1)
    _, cache = batchnorm_forward(x, gamma, beta, epsilon=0.5)
    dx, dgamma, _ = batchnorm_backward(dy, cache)
    shrink = 0.5 / (cache.variance + 0.5)
    along_x_hat = (dx * cache.x_hat).sum(axis=0)
    np.testing.assert_allclose(
        along_x_hat, gamma * cache.inverse_std * dgamma * shrink, rtol=1e-10
    )


@every_shape
def test_the_gradient_of_a_bias_just_before_batch_norm_is_zero(shape, axis):
    x, gamma, beta, dy = batch(shape, axis)
    _, cache = batchnorm_forward(x, gamma, beta, axis=axis)
    dx, _, _ = batchnorm_backward(dy, cache)
    assert np.abs(dx.sum(others(x, axis))).max() < 1e-13


@pytest.mark.parametrize("a", [0.1, 10.0, 1000.0])
def test_scaling_the_kernel_before_batch_norm_leaves_the_output_and_divides_the_gradient(
    a,
):
    rng = np.random.default_rng(3)
    u, kernel = rng.normal(size=(8, 4)), rng.normal(size=(4, 3))
    gamma, beta, dy = rng.normal(size=3), rng.normal(size=3), rng.normal(size=(8, 3))

    def run(kernel):
        y, cache = batchnorm_forward(u @ kernel, gamma, beta, epsilon=0)
        return y, u.T @ batchnorm_backward(dy, cache)[0]

    y, gradient = run(kernel)
    scaled_y, scaled_gradient = run(a * kernel)
    np.testing.assert_allclose(scaled_y, y, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(
        scaled_gradient, gradient / a, rtol=1e-10, atol=1e-14 / a
    )
    assert abs(np.sum(kernel * gradient)) < 1e-12  # no step along the kernel itself


def test_changing_x_between_the_passes_does_not_change_the_gradient():
    x, gamma, beta, dy = batch((6, 3), -1)
    _, cache = batchnorm_forward(x, gamma, beta)
    expected = batchnorm_backward(dy, cache)
    x[:] = x[::-1].copy()  # the deviations from the mean would still sum to zero
    gamma *= 2
    for now, before in zip(batchnorm_backward(dy, cache), expected, strict=True):
        np.testing.assert_array_equal(now, before)


@every_shape
def test_nothing_writes_to_its_arguments(shape, axis):
    x, gamma, beta, dy = batch(shape, axis)
    arguments = x, gamma, beta, dy, np.abs(gamma)
    copies = [v.copy() for v in arguments]
    _, cache = batchnorm_forward(x, gamma, beta, axis=axis)
    batchnorm_backward(dy, cache)
    batchnorm_inference(x, gamma, beta, beta, np.abs(gamma), axis=axis)
    update_moving_average(gamma, beta)
    for now, before in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(now, before)


def test_the_results_are_no_views_of_the_arguments():
    x, gamma, beta, dy = batch((6, 3), -1)
    y, cache = batchnorm_forward(x, gamma, beta)
    dx, dgamma, dbeta = batchnorm_backward(dy, cache)
    for result in (y, dx, dgamma, dbeta, *cache[:5]):
        assert not any(np.shares_memory(result, v) for v in (x, gamma, beta, dy))


# Inference and the moving averages


@every_shape
def test_inference_with_the_batchs_own_statistics_equals_the_training_output(
    shape, axis
):
    x, gamma, beta, _ = batch(shape, axis)
    y, cache = batchnorm_forward(x, gamma, beta, axis=axis)
    inferred = batchnorm_inference(
        x, gamma, beta, cache.mean, cache.variance, axis=axis
    )
    np.testing.assert_allclose(inferred, y, rtol=1e-13, atol=1e-13)


def test_inference_treats_each_row_alone():
    x, gamma, beta, _ = batch((6, 3), -1)
    statistics = np.array([1.0, 2.0, 3.0]), np.array([4.0, 0.5, 1.0])
    together = batchnorm_inference(x, gamma, beta, *statistics)
    alone = [
        batchnorm_inference(x[i : i + 1], gamma, beta, *statistics) for i in range(6)
    ]
    np.testing.assert_array_equal(np.concatenate(alone), together)


def test_training_does_not_treat_each_row_alone():
    x, gamma, beta, _ = batch((6, 3), -1)
    with_companions, _ = batchnorm_forward(x, gamma, beta)
    with_others, _ = batchnorm_forward(np.vstack([x[:1], 2 * x[1:]]), gamma, beta)
    assert np.abs(with_companions[0] - with_others[0]).max() > 0.1


def test_a_moving_average_keeps_momentum_of_the_past():
    np.testing.assert_allclose(
        update_moving_average([8.0], [0.0], momentum=0.75), [6.0]
    )
    np.testing.assert_array_equal(
        update_moving_average([8.0], [3.0], momentum=0), [3.0]
    )
    np.testing.assert_array_equal(
        update_moving_average([8.0], [3.0], momentum=1), [8.0]
    )


def test_after_100_updates_at_0_99_more_than_a_third_of_the_start_is_left():
    moving = np.array([1.0])
    for _ in range(100):
        moving = update_moving_average(moving, [0.0], momentum=0.99)
    np.testing.assert_allclose(moving, 0.99**100)
    assert 0.36 < moving[0] < 0.37


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_moving_average_refuses_what_is_not_finite(bad):
    with pytest.raises(NonFiniteError):
        update_moving_average([0.0], [bad])


# Errors


@pytest.mark.parametrize("name", ["x", "gamma", "beta"])
def test_an_argument_of_the_forward_pass_that_is_not_numbers_is_refused_by_name(name):
    arguments = {"x": np.eye(2), "gamma": np.ones(2), "beta": np.ones(2)}
    with pytest.raises(TypeError, match=f"^{name} must hold"):
        batchnorm_forward(**(arguments | {name: [["a", "b"]]}))


@pytest.mark.parametrize("name", ["gamma", "beta", "moving_mean", "moving_variance"])
def test_a_vector_of_another_length_is_refused_by_name(name):
    names = "gamma", "beta", "moving_mean", "moving_variance"
    vectors = {other: [1, 2] for other in names}
    with pytest.raises(ValueError, match=rf"^{name} must have shape \(2,\)"):
        batchnorm_inference(np.eye(2), **(vectors | {name: [1]}))


def test_rows_without_features_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^x must have at least 2 axes"):
        batchnorm_forward([1.0, 2.0], [1, 1], [0, 0])


def test_a_dy_that_is_not_numbers_or_of_another_shape_is_refused_by_name():
    _, cache = batchnorm_forward(np.zeros((2, 3)), np.ones(3), np.zeros(3))
    with pytest.raises(TypeError, match=r"^dy must hold"):
        batchnorm_backward([["a"]], cache)
    with pytest.raises(ValueError, match=r"^dy must have shape \(2, 3\)"):
        batchnorm_backward(np.zeros((3, 2)), cache)


def test_a_negative_epsilon_or_moving_variance_is_refused_and_zero_is_not():
    with pytest.raises(ValueError, match=r"^epsilon must be finite and lie in \[0"):
        batchnorm_forward(np.eye(2), [1, 1], [0, 0], epsilon=-1e-9)
    with pytest.raises(ValueError, match=r"^moving_variance must not be .*: -3\.0$"):
        batchnorm_inference([[1.0, 2.0]], [1, 1], [0, 0], [0, 0], [-2, -3])
    y = batchnorm_inference([[5.0]], [3.0], [1.0], [4.0], [0.0], epsilon=0.25)
    np.testing.assert_array_equal(y, [[7.0]])


def test_a_moving_average_refuses_what_it_cannot_average_by_name():
    with pytest.raises(
        ValueError, match=r"^momentum must be finite and lie in \[0, 1\]"
    ):
        update_moving_average([0.0], [1.0], momentum=1.5)
    with pytest.raises(TypeError, match=r"^value must hold"):
        update_moving_average([0.0], ["a"])
    with pytest.raises(ValueError, match=r"^moving must have shape \(2,\)"):
        update_moving_average([0.0], [1.0, 2.0])
    with pytest.raises(NonFiniteError, match=r"finite values only\. Received: \[nan\]"):
        update_moving_average([0.0], [np.nan])


def test_a_moving_average_keeps_99_hundredths_where_nothing_else_is_said():
    np.testing.assert_allclose(update_moving_average([1.0], [0.0]), 0.99, rtol=1e-15)


def test_epsilon_is_a_thousandth_where_nothing_else_is_said():
    x = np.array([[0.0], [2e-3]])  # variance 1e-6
    y, _ = batchnorm_forward(x, [1.0], [0.0])
    np.testing.assert_allclose(
        y.ravel(), [-1e-3 / np.sqrt(1.001e-3), 1e-3 / np.sqrt(1.001e-3)]
    )
    y = batchnorm_inference([[1.0]], [1.0], [0.0], [0.0], [3e-3])
    np.testing.assert_allclose(y, 1 / np.sqrt(4e-3), rtol=1e-12)
