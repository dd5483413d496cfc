"""Specification of what bad input gets: one clear error, before anything is changed."""

import numpy as np
import pytest

from bnlib.batchnorm import batchnorm_backward, batchnorm_forward, batchnorm_inference
from bnlib.layers import BatchNormalization, Dense

ONE, ZERO = [1.0, 1.0], [0.0, 0.0]
FUNCTIONS = {
    "forward": lambda x, **options: batchnorm_forward(x, ONE, ZERO, **options),
    "inference": lambda x, **options: batchnorm_inference(
        x, ONE, ZERO, ZERO, ONE, **options
    ),
}
BAD_ARRAYS = {
    "rank 0": (3.0, ValueError, "at least 2 axes"),
    "rank 1": ([1.0, 2.0], ValueError, "at least 2 axes"),
    "empty batch": (np.zeros((0, 2)), ValueError, "must not be empty"),
    "text": ([["a", "b"]], TypeError, "dtype <U1"),
    "complex": (np.ones((3, 2), complex), TypeError, "dtype complex128"),
    "objects": (np.ones((3, 2), object), TypeError, "dtype object"),
    "masked": (np.ma.masked_invalid(np.ones((3, 2))), TypeError, "masked"),
    "ragged": ([[1.0, 2.0], [3.0]], TypeError, "ragged"),
    "dates": (np.zeros((3, 2), "datetime64[s]"), TypeError, "datetime64"),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize(("x", "error", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_an_array_that_is_no_batch_of_numbers_is_refused(function, x, error, message):
    with pytest.raises(error, match=message) as told:
        function(x)
    assert "Received: " in str(told.value)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("axis", [2, -3, 1.0, "1", None, True, (0,)])
def test_an_axis_out_of_range_or_not_an_integer_is_refused(function, axis):
    with pytest.raises((TypeError, ValueError), match=r"^axis must .* Received: "):
        function(np.ones((3, 2)), axis=axis)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("epsilon", [-1e-3, np.nan, np.inf, "1e-3", None, True])
def test_an_epsilon_out_of_range_is_refused(function, epsilon):
    with pytest.raises((TypeError, ValueError), match=r"^epsilon must .* Received: "):
        function(np.ones((3, 2)), epsilon=epsilon)


@pytest.mark.parametrize("momentum", [-0.1, 1.1, np.nan, np.inf, "0.9", None])
def test_a_momentum_out_of_range_is_refused(momentum):
    with pytest.raises((TypeError, ValueError), match=r"^momentum must .* Received: "):
        BatchNormalization(2, momentum=momentum)


@pytest.mark.parametrize("shape", [(1,), (), (3,), (1, 2), (2, 1)])
def test_gamma_and_beta_are_never_broadcast(shape):
    x, wrong = np.ones((3, 2)), np.ones(shape)
    with pytest.raises(
        ValueError, match=r"gamma must have shape \(2,\), one value a feature"
    ):
        batchnorm_forward(x, wrong, ZERO)
    with pytest.raises(ValueError, match=r"beta must have shape \(2,\)"):
        batchnorm_forward(x, ONE, wrong)
    with pytest.raises(ValueError, match=r"moving_mean must have shape"):
        batchnorm_inference(x, ONE, ZERO, wrong, ONE)
    with pytest.raises(ValueError, match=r"moving_variance must have shape"):
        batchnorm_inference(x, ONE, ZERO, ZERO, wrong)


def test_a_negative_moving_variance_is_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        batchnorm_inference(np.ones((3, 2)), ONE, ZERO, ZERO, [1.0, -1.0])


@pytest.mark.parametrize("shape", [(3, 1), (1, 2), (2,), (3, 2, 1), (4, 2)])
def test_a_dy_of_another_shape_than_y_is_refused(shape):
    _, cache = batchnorm_forward(np.arange(6.0).reshape(3, 2), ONE, ZERO)
    with pytest.raises(ValueError, match=r"dy must (have shape \(3, 2\)|.*axes)"):
        batchnorm_backward(np.ones(shape), cache)


def test_a_changed_number_of_features_is_refused_and_changes_nothing():
    layer = BatchNormalization(2)
    layer.forward(np.arange(6.0).reshape(3, 2), training=True)
    mean = layer.moving_mean.copy()
    with pytest.raises(ValueError, match=r"Received: "):
        layer.forward(np.ones((3, 4)), training=True)
    np.testing.assert_array_equal(layer.moving_mean, mean)
    with pytest.raises(ValueError, match=r"must have shape \(3, 5\)"):
        Dense(5, 2, rng=np.random.default_rng(0)).forward(
            np.ones((3, 4)), training=True
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_never_reaches_the_moving_statistics(bad):
    layer = BatchNormalization(2)
    x = np.arange(6.0).reshape(3, 2)
    x[1, 0] = bad
    with pytest.raises(ValueError, match="must be finite"):
        layer.forward(x, training=True)
    assert (layer.moving_mean == 0).all()
    assert (layer.moving_variance == 1).all()


@pytest.mark.parametrize(
    "x",
    [
        [[1, 2], [3, 5]],
        np.array([[1, 2], [3, 5]]),
        np.array([[1, 2], [3, 5]], np.uint8),
    ],
    ids=["list", "integers", "bytes"],
)
def test_integers_and_lists_of_numbers_work_as_float64(x):
    y, _ = batchnorm_forward(x, ONE, ZERO)
    expected, _ = batchnorm_forward(np.array([[1.0, 2.0], [3.0, 5.0]]), ONE, ZERO)
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    "arrange",
    [
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f8"),
        lambda x: np.array(x, copy=True).view(np.ndarray),
    ],
    ids=["fortran", "strided", "reversed", "big-endian", "copy"],
)
def test_the_memory_layout_of_x_does_not_matter(arrange):
    x = np.random.default_rng(0).normal(size=(5, 2))
    y, cache = batchnorm_forward(arrange(x), ONE, ZERO)
    dx, _, _ = batchnorm_backward(arrange(x), cache)
    expected, expected_cache = batchnorm_forward(x, ONE, ZERO)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(dx, batchnorm_backward(x, expected_cache)[0])


def test_a_read_only_array_works():
    x = np.arange(6.0).reshape(3, 2)
    x.flags.writeable = False
    y, cache = batchnorm_forward(x, ONE, ZERO)
    batchnorm_backward(x, cache)
    assert np.isfinite(y).all()
