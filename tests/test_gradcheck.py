"""Specification of `bnlib.gradcheck`: right gradients pass, each typical wrong one is found."""

from contextlib import nullcontext as does_not_raise

import numpy as np
import pytest

from bnlib.batchnorm import batchnorm_backward, batchnorm_forward
from bnlib.gradcheck import (
    GradientError,
    check_direction,
    check_gradient,
    numerical_gradient,
)

RNG = np.random.default_rng(7)
X = RNG.normal(2, 3, (5, 4))
GAMMA, BETA, DY = RNG.uniform(0.5, 2, 4), RNG.normal(size=4), RNG.normal(size=(5, 4))
EPSILON = 0.5  # large enough that misplacing it shows
M = len(X)


def parts():
    centred = X - X.mean(axis=0)
    inverse_std = 1 / np.sqrt(X.var(axis=0) + EPSILON)
    return centred * inverse_std, inverse_std, DY.mean(axis=0)


def statistics_as_constants():
    _, inverse_std, _ = parts()
    return DY * GAMMA * inverse_std


def mean_term_missing():
    x_hat, inverse_std, _ = parts()
    return GAMMA * inverse_std * (DY - x_hat * (DY * x_hat).mean(axis=0))


def variance_term_missing():
    _, inverse_std, mean = parts()
    return GAMMA * inverse_std * (DY - mean)


def gamma_missing():
    x_hat, inverse_std, mean = parts()
    return inverse_std * (DY - mean - x_hat * (DY * x_hat).mean(axis=0))


def divided_by_n_minus_one():
    x_hat, inverse_std, _ = parts()
    mean = DY.sum(axis=0) / (M - 1)
    return (
        GAMMA * inverse_std * (DY - mean - x_hat * (DY * x_hat).sum(axis=0) / (M - 1))
    )


def epsilon_outside_the_root():
    centred = X - X.mean(axis=0)
    inverse_std = 1 / (X.std(axis=0) + EPSILON)
    x_hat = centred * inverse_std
    mean = DY.mean(axis=0)
    return GAMMA * inverse_std * (DY - mean - x_hat * (DY * x_hat).mean(axis=0))


def wrong_axis():
    x_hat, inverse_std, _ = parts()
    mean = DY.mean(axis=1, keepdims=True)
    share = (DY * x_hat).mean(axis=1, keepdims=True)
    return GAMMA * inverse_std * (DY - mean - x_hat * share)


def sign_of_the_variance_term_flipped():
    x_hat, inverse_std, mean = parts()
    return GAMMA * inverse_std * (DY - mean + x_hat * (DY * x_hat).mean(axis=0))


WRONG = [
    statistics_as_constants,
    mean_term_missing,
    variance_term_missing,
    gamma_missing,
    divided_by_n_minus_one,
    epsilon_outside_the_root,
    wrong_axis,
    sign_of_the_variance_term_flipped,
]


def loss(x=X, gamma=GAMMA, beta=BETA):
    return np.sum(DY * batchnorm_forward(x, gamma, beta, epsilon=EPSILON)[0])


@pytest.fixture
def right():
    _, cache = batchnorm_forward(X, GAMMA, BETA, epsilon=EPSILON)
    return batchnorm_backward(DY, cache)


def test_the_right_backward_pass_goes_through(right):
    dx, dgamma, dbeta = right
    check_gradient(lambda v: loss(x=v), X, dx)
    check_gradient(lambda v: loss(gamma=v), GAMMA, dgamma)
    check_gradient(lambda v: loss(beta=v), BETA, dbeta)
    check_direction(lambda v: loss(x=v), X, dx, rng=np.random.default_rng(0))


@pytest.mark.parametrize("wrong", WRONG)
def test_each_typical_wrong_dx_is_found_entry_by_entry_and_along_a_direction(wrong):
    with pytest.raises(GradientError):
        check_gradient(loss, X, wrong())
    with pytest.raises(GradientError):
        check_direction(loss, X, wrong(), rng=np.random.default_rng(0))


def test_x_for_x_hat_in_dgamma_is_found():
    with pytest.raises(GradientError, match="gradient of gamma"):
        check_gradient(
            lambda v: loss(gamma=v), GAMMA, (DY * X).sum(axis=0), name="gamma"
        )


def test_the_message_names_the_place_and_both_numbers():
    x, gradient = np.array([[1.0], [2.0]]), np.array([[2.0], [7.0]])
    place = r"^gradient of x differs at \[1, 0\]: analytic 7, numerical 4"
    with pytest.raises(GradientError, match=place + r" \(relative error 4.3e-01"):
        check_gradient(lambda x: (x**2).sum(), x, gradient)


def test_the_place_is_that_of_the_largest_difference_not_of_the_largest_entry():
    x = np.array([10.0, 1.0])
    with pytest.raises(
        GradientError, match=r"differs at \[1\]: analytic 3, numerical 2"
    ):
        check_gradient(lambda x: (x**2).sum(), x, np.array([20.0, 3.0]))


def test_a_direction_that_differs_is_told_with_both_numbers():
    x = np.array([3.0])
    told = r"^gradient of {} differs along a random direction: analytic -?7, numerical -?6 "
    with pytest.raises(GradientError, match=told.format("x")):
        check_direction(lambda x: (x**2).sum(), x, np.array([7.0]), rng=RNG)
    with pytest.raises(GradientError, match=told.format("gamma")):
        check_direction(
            lambda x: (x**2).sum(), x, np.array([7.0]), rng=RNG, name="gamma"
        )


@pytest.mark.parametrize("step", [1e-2, 0.5])
def test_the_step_is_the_one_that_was_asked_for(step):
    x = np.array([1.0])  # the slope of x**3 over [1 - step, 1 + step] is 3 + step**2
    check_gradient(lambda x: (x**3).sum(), x, 3 + np.array([step**2]), step=step)
    slope = numerical_gradient(lambda x: (x**3).sum(), x)
    np.testing.assert_allclose(slope, 3, rtol=1e-8)


def test_a_gradient_of_zero_is_right_where_the_function_is_constant():
    check_gradient(lambda x: 5.0, np.ones(3), np.zeros(3), tolerance=0)
    check_direction(lambda x: 5.0, np.ones(3), np.zeros(3), rng=RNG, tolerance=0)


class Along:
    """In place of a random generator: the direction along the first entry."""

    def normal(self, size):
        return np.eye(1, *size)[0]


@pytest.mark.parametrize(("error", "passes"), [(0.00995, True), (0.01005, False)])
@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_the_tolerance_is_relative_to_the_larger_of_the_two_slopes(size, error, passes):
    x, smaller = np.zeros(4), size * (1 - error)
    for slope, said in ((size, smaller), (smaller, size)):
        gradient = np.array([said, 0, 0, 0])
        outcome = does_not_raise() if passes else pytest.raises(GradientError)
        with outcome:
            check_gradient(lambda x, a=slope: a * x[0], x, gradient, tolerance=0.01)
        with outcome:
            check_direction(
                lambda x, a=slope: a * x[0], x, gradient, rng=Along(), tolerance=0.01
            )


def test_along_a_direction_the_scale_is_the_typical_slope_of_a_gradient_of_that_size():
    gradient = np.full(101, 3.0)
    gradient[0] = 0  # the typical slope is 3: an error of 0.1 is one of 3.3 percent
    options = {"rng": Along(), "step": 1e-3}
    check_direction(
        lambda x: 0.1 * x[0], np.zeros(101), gradient, tolerance=0.034, **options
    )
    with pytest.raises(GradientError):
        check_direction(
            lambda x: 0.1 * x[0], np.zeros(101), gradient, tolerance=0.033, **options
        )


def test_a_gradient_of_another_shape_or_with_a_nan_is_found():
    with pytest.raises(GradientError, match="must have shape"):
        check_gradient(np.sum, np.ones(3), np.ones((3, 1)))
    with pytest.raises(GradientError):
        check_gradient(np.sum, np.ones(3), np.array([1, np.nan, 1]))


def test_float32_is_refused_since_too_few_digits_would_be_left():
    with pytest.raises(TypeError, match="float64"):
        check_gradient(np.sum, np.ones(3, np.float32), np.ones(3))


def test_the_checked_point_is_not_changed():
    x = X.copy()
    numerical_gradient(lambda v: (v**3).sum(), x)
    np.testing.assert_array_equal(x, X)


def test_the_error_of_central_differences_falls_with_the_square_of_the_step():
    def error(step):
        return abs(
            numerical_gradient(lambda v: np.exp(v).sum(), np.zeros(1), step=step)[0] - 1
        )

    assert 90 < error(1e-2) / error(1e-3) < 110


def test_a_right_gradient_passes_along_a_direction_that_hardly_changes_the_function():
    x = np.array([1.0, 2.0])  # gradient of the sum of cubes: (3, 12)

    class Across:
        def normal(self, size):
            return np.array([12.0, -3.0])

    check_direction(lambda v: (v**3).sum(), x, 3 * x**2, rng=Across(), step=1e-3)
