"""Specification of `bnlib.norms`."""

from functools import partial

import numpy as np
import pytest

from bnlib.batchnorm import batchnorm_forward
from bnlib.checks import NonFiniteError
from bnlib.experiments.variants import GhostBatchNormalization
from bnlib.gradcheck import check_direction, check_gradient
from bnlib.layers import BatchNormalization, Dense, dense_network
from bnlib.losses import softmax_cross_entropy
from bnlib.norms import (
    BatchRenormalization,
    LayerNormalization,
    layernorm_backward,
    layernorm_forward,
    renorm_correction,
)
from bnlib.standardization import Moments, moments
from bnlib.training import SGD, fit


def rng(seed=0):
    return np.random.default_rng(seed)


def away_from_the_start(layer, seed=3):
    """Give the layer parameters that are not 1 and 0."""
    for name, value in layer.params.items():
        layer.params[name] = value + rng(seed).normal(size=value.shape)
    return layer


def batch(shape=(6, 4), seed=1):
    return rng(seed).normal(0.3, 2, shape)


# What all layers share


@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 5, 4)])
@pytest.mark.parametrize(
    "make",
    [
        LayerNormalization,
        partial(LayerNormalization, epsilon=0.1, center=False),
        partial(LayerNormalization, scale=False),
        partial(GhostBatchNormalization, ghost_size=4),
        partial(GhostBatchNormalization, ghost_size=2, scale=False),
    ],
    ids=[
        "layer",
        "layer without beta",
        "layer without gamma",
        "ghost",
        "ghost without gamma",
    ],
)
def test_the_gradients_match_finite_differences(make, shape):
    layer, x = away_from_the_start(make(4)), batch(shape)
    weights = rng(2).normal(size=shape)

    def loss(v):
        return np.sum(weights * layer.forward(v, training=True))

    loss(x)
    check_gradient(loss, x, layer.backward(weights))
    assert set(layer.grads) == set(layer.params)
    for name, gradient in layer.grads.items():
        value = layer.params[name]

        def loss_of_parameter(v, name=name):
            layer.params[name] = v
            return loss(x)

        check_gradient(loss_of_parameter, value, gradient, name=name)
        layer.params[name] = value


@pytest.mark.parametrize("axis", [1, -2])
def test_layer_normalization_along_another_axis_is_that_of_the_moved_array(axis):
    x, dy = batch((3, 4, 5)), batch((3, 4, 5), 2)
    layer = away_from_the_start(LayerNormalization(4, axis=axis))
    last = away_from_the_start(LayerNormalization(4))
    y = layer.forward(x, training=True)
    moved = last.forward(np.moveaxis(x, axis, -1), training=True)
    np.testing.assert_array_equal(np.moveaxis(y, axis, -1), moved)
    dx, dmoved = layer.backward(dy), last.backward(np.moveaxis(dy, axis, -1))
    np.testing.assert_array_equal(np.moveaxis(dx, axis, -1), dmoved)


NORMS = [
    LayerNormalization,
    BatchRenormalization,
    partial(GhostBatchNormalization, ghost_size=3),
]
every_norm = pytest.mark.parametrize("make", NORMS, ids=["layer", "renorm", "ghost"])


@every_norm
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_network_is_built_with_any_normalization_from_the_same_kernels(make, place):
    plain = dense_network([4, 6, 3], rng=rng())
    model = dense_network([4, 6, 3], rng=rng(), batchnorm=place, normalization=make)
    kernels = [
        [layer.params["kernel"] for layer in network.layers if isinstance(layer, Dense)]
        for network in (plain, model)
    ]
    for ours, theirs in zip(*kernels, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    x = batch((40, 4))
    labels = x[:, :3].argmax(axis=1)
    history = fit(model, x, labels, epochs=30, optimizer=SGD(0.1), rng=rng())
    assert history.loss[-1] < 0.8 * history.loss[0]


def test_a_bias_stands_before_layer_norm_which_does_not_subtract_it():
    model = dense_network(
        [4, 6, 3], rng=rng(), batchnorm="before", normalization=LayerNormalization
    )
    assert "bias" in model.layers[0].params
    x = batch()
    before = model.forward(x, training=False)
    model.layers[0].params["bias"] = rng(4).normal(size=6)
    assert np.abs(model.forward(x, training=False) - before).max() > 0.1


@every_norm
def test_the_dtype_of_the_input_is_kept_and_the_parameters_are_float64(make):
    layer, x = away_from_the_start(make(4)), batch().astype(np.float32)
    assert layer.forward(x, training=True).dtype == np.float32
    assert layer.backward(x).dtype == np.float32
    holders = (layer.params, layer.grads, layer.state)
    assert {v.dtype for holder in holders for v in holder.values()} == {
        np.dtype(np.float64)
    }


@every_norm
def test_the_callers_arrays_are_never_written_to(make):
    layer, x, dy = away_from_the_start(make(4)), batch(), batch(seed=2)
    before = x.copy(), dy.copy()
    layer.forward(x, training=True)
    layer.backward(dy)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dy, before[1])


@every_norm
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ones((3, 5)), ValueError, r"gamma must have shape \(5,\).*Received"),
        (np.full((3, 4), np.nan), NonFiniteError, "x must be finite.*Received: a NaN"),
        ([["a", "b"]], TypeError, "x must hold float16.*Received"),
        (np.ones(4), ValueError, "at least 2 axes.*Received"),
    ],
    ids=["width", "NaN", "text", "rank"],
)
def test_bad_input_gets_a_clear_error_and_changes_nothing(make, x, error, message):
    layer = away_from_the_start(make(4))
    before = dict(layer.state)
    with pytest.raises(error, match=message):
        layer.forward(x, training=True)
    assert layer.state == before


@pytest.mark.parametrize(
    ("make", "name", "bad", "allowed"),
    [
        (LayerNormalization, "num_features", 0, "at least 1"),
        (partial(LayerNormalization, 4), "epsilon", -1, r"\[0, inf\]"),
        (partial(BatchRenormalization, 4), "renorm_momentum", 1.5, r"\[0, 1\]"),
    ],
    ids=["num_features", "epsilon", "renorm_momentum"],
)
def test_an_argument_out_of_range_is_refused_by_name(make, name, bad, allowed):
    with pytest.raises(ValueError, match=f"^{name} must .*{allowed}. Received: {bad}$"):
        make(**{name: bad})


# Layer normalization


def test_layer_norm_learns_both_and_adds_a_thousandth_where_nothing_else_is_said():
    layer = LayerNormalization(2)
    y = layer.forward([[0.0, 2e-3]], training=False)  # variance 1e-6
    np.testing.assert_allclose(y * np.sqrt(1.001e-3), [[-1e-3, 1e-3]])
    np.testing.assert_array_equal(layer.params["gamma"], [1, 1])
    np.testing.assert_array_equal(layer.params["beta"], [0, 0])


def test_every_row_has_mean_beta_and_deviation_gamma_whatever_its_companions():
    layer, x = LayerNormalization(50, epsilon=0), batch((8, 50))
    layer.params.update(gamma=np.full(50, 3.0), beta=np.full(50, -2.0))
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(y.mean(axis=1), -2)
    np.testing.assert_allclose(y.std(axis=1), 3)
    alone = layer.forward(x[2:3] * 7 + 5, training=False)
    np.testing.assert_allclose(alone, y[2:3], rtol=1e-12, atol=1e-12)


def test_layer_norm_is_batch_norm_of_the_transposed_batch():
    x = batch()
    ours, _ = layernorm_forward(x, np.ones(4), np.zeros(4))
    theirs, _ = batchnorm_forward(x.T, np.ones(6), np.zeros(6))
    np.testing.assert_allclose(ours, theirs.T, rtol=1e-14, atol=1e-14)


def test_layer_norm_names_the_row_that_is_not_finite():
    x = batch()
    x[4, 2] = np.inf
    with pytest.raises(NonFiniteError, match="in row 4"):
        layernorm_forward(x, np.ones(4), np.zeros(4))


def test_a_dy_that_is_not_numbers_or_of_another_shape_is_refused_by_name():
    _, cache = layernorm_forward(batch((2, 4, 3)), np.ones(4), np.zeros(4), axis=1)
    with pytest.raises(TypeError, match=r"^dy must hold"):
        layernorm_backward([["a"]], cache)
    with pytest.raises(ValueError, match=r"^dy must have shape \(2, 4, 3\)"):
        layernorm_backward(np.zeros((2, 3, 4)), cache)


# Batch renormalization


def renorm(shape=(6, 4), **options):
    layer = away_from_the_start(BatchRenormalization(4, **options))
    layer.state["renorm_mean"] = rng(8).normal(size=4)
    layer.state["renorm_stddev"] = rng(9).uniform(0.5, 4, 4)
    return layer


@pytest.mark.parametrize(
    ("shape", "options"),
    [((6, 4), {}), ((3, 4, 5), {"axis": 1, "epsilon": 0.2})],
    ids=["rows", "another axis and epsilon"],
)
def test_without_clipping_renormalization_in_training_is_the_stored_statistics(
    shape, options
):
    layer, x = renorm(momentum=0, renorm_momentum=0, **options), batch(shape)
    mean, stddev = layer.state["renorm_mean"], layer.state["renorm_stddev"]
    y, x = (
        np.moveaxis(v, layer.axis, -1) for v in (layer.forward(x, training=True), x)
    )
    expected = layer.params["gamma"] * (x - mean) / stddev + layer.params["beta"]
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_deviations_are_averaged_and_not_variances_with_epsilon_in_them():
    layer, x = renorm(momentum=0.5, renorm_momentum=0.25, epsilon=0.2), batch()
    layer.state["moving_variance"] = rng(10).uniform(0.5, 4, 4)
    deviation = np.sqrt(x.var(axis=0) + 0.2)
    moving = 0.5 * np.sqrt(layer.moving_variance + 0.2) + 0.5 * deviation
    stored = 0.25 * layer.state["renorm_stddev"] + 0.75 * deviation
    layer.forward(x, training=True)
    np.testing.assert_allclose(layer.moving_variance, moving**2 - 0.2, rtol=1e-12)
    np.testing.assert_allclose(layer.state["renorm_stddev"], stored, rtol=1e-12)


def test_clipped_to_r_1_and_d_0_renormalization_is_batch_norm():
    layer = renorm(renorm_clipping={"rmin": 1, "rmax": 1, "dmax": 0})
    plain, x, dy = BatchNormalization(4), batch(), batch(seed=2)
    plain.params = dict(layer.params)
    for ours, theirs in (
        (layer.forward(x, training=True), plain.forward(x, training=True)),
        (layer.backward(dy), plain.backward(dy)),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13)
    for name, gradient in plain.grads.items():
        np.testing.assert_allclose(layer.grads[name], gradient)


@pytest.mark.parametrize("clipping", [{}, {"rmin": 0.8, "rmax": 1.1, "dmax": 0.2}])
def test_r_and_d_are_constants_for_the_gradient(clipping):
    layer, x, dy = renorm(renorm_clipping=clipping), batch(), batch(seed=2)
    stored = layer.state["renorm_mean"], layer.state["renorm_stddev"]
    r, d = renorm_correction(moments(x), *stored, **clipping)
    gamma, beta = layer.params["gamma"], layer.params["beta"]

    def loss(v, gamma=gamma, beta=beta):
        x_hat, _ = batchnorm_forward(v, np.ones(4), np.zeros(4))
        return np.sum(dy * (gamma * (x_hat * r + d) + beta))

    assert np.sum(dy * layer.forward(x, training=True)) == pytest.approx(loss(x))
    check_gradient(loss, x, layer.backward(dy))
    check_gradient(lambda v: loss(x, gamma=v), gamma, layer.grads["gamma"])
    check_gradient(lambda v: loss(x, beta=v), beta, layer.grads["beta"])


def test_r_and_d_are_clipped_to_their_limits():
    batch_moments = Moments(10, np.array([9.0, -9.0]), np.array([100.0, 0.01]))
    r, d = renorm_correction(
        batch_moments, np.zeros(2), np.ones(2), epsilon=0, rmin=0.5, rmax=3, dmax=5
    )
    np.testing.assert_array_equal(r, [3, 0.5])
    np.testing.assert_array_equal(d, [5, -5])


def test_r_alone_may_be_held_below_one():
    layer = BatchRenormalization(4, epsilon=0, renorm_clipping={"rmax": 0.5})
    y = layer.forward(batch(), training=True)  # of deviations above a half
    np.testing.assert_allclose(y.std(axis=0), 0.5)


def test_a_stored_deviation_counts_as_at_least_the_root_of_epsilon():
    part = Moments(2, np.array([3.0]), np.array([0.75]))
    r, d = renorm_correction(part, np.zeros(1), np.zeros(1), epsilon=0.25)
    np.testing.assert_array_equal([*r, *d], [2, 6])


def test_repeated_on_one_batch_training_and_inference_agree():
    layer, x = renorm(momentum=0, renorm_momentum=0), batch()
    layer.forward(x, training=True)
    trained = layer.forward(x, training=True)
    np.testing.assert_allclose(layer.forward(x, training=False), trained, rtol=1e-10)


@pytest.mark.parametrize(
    ("clipping", "message"),
    [
        ({"max": 3}, r"may hold \['rmin', 'rmax', 'dmax'\]\. Received: \['max'\]"),
        ({"rmin": 2, "rmax": 1}, "rmin must be at most rmax. Received: 2 and 1"),
        ({"dmax": -1}, "dmax must be finite and lie in .* Received: -1"),
    ],
)
def test_impossible_clipping_is_refused(clipping, message):
    with pytest.raises(ValueError, match=message):
        BatchRenormalization(4, renorm_clipping=clipping)


# Ghost batches


def test_each_part_is_normalized_as_a_batch_of_its_own():
    layer = away_from_the_start(GhostBatchNormalization(4, ghost_size=3))
    x = batch((9, 4)) + np.arange(9)[:, None]
    y = layer.forward(x, training=True)
    for rows in (slice(0, 3), slice(3, 6), slice(6, 9)):
        alone, _ = batchnorm_forward(x[rows], **layer.params)
        np.testing.assert_allclose(y[rows], alone, rtol=1e-12, atol=1e-12)


def test_parts_are_as_equal_as_can_be():
    layer, x = GhostBatchNormalization(1, ghost_size=4, epsilon=0), batch((10, 1))
    y = layer.forward(x, training=True)
    for rows in (slice(0, 4), slice(4, 7), slice(7, 10)):
        assert y[rows].mean() == pytest.approx(0)


def test_a_ghost_as_large_as_the_batch_is_batch_norm():
    ghost, plain = GhostBatchNormalization(4, ghost_size=6), BatchNormalization(4)
    x, dy = batch(), batch(seed=2)
    for ours, theirs in (
        (ghost.forward(x, training=True), plain.forward(x, training=True)),
        (ghost.backward(dy), plain.backward(dy)),
        (ghost.moving_variance, plain.moving_variance),
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(10, 4), (10, 3, 4)])
def test_the_moving_statistics_are_those_of_the_whole_batch(shape):
    layer = GhostBatchNormalization(4, ghost_size=3, momentum=0)
    x = batch(shape) + np.arange(10).reshape(-1, *[1] * (len(shape) - 1))
    layer.forward(x, training=True)
    _, mean, variance = moments(x)
    np.testing.assert_allclose(layer.moving_mean, mean)
    np.testing.assert_allclose(layer.moving_variance, variance)


def test_parts_along_the_feature_axis_are_refused():
    layer = GhostBatchNormalization(4, ghost_size=2, axis=0)
    with pytest.raises(ValueError, match=r"axis must not be 0.*Received: 0"):
        layer.forward(np.ones((4, 6)), training=True)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (2.5, TypeError)])
def test_an_impossible_ghost_size_is_refused(size, error):
    with pytest.raises(error, match="ghost_size must be"):
        GhostBatchNormalization(4, ghost_size=size)


def test_the_gradient_of_a_network_of_ghosts_matches_finite_differences():
    model = dense_network(
        [4, 6, 5, 3], rng=rng(), batchnorm="before",
        normalization=GhostBatchNormalization, ghost_size=3,
    )  # fmt: skip
    x, labels = batch((8, 4)), rng(6).integers(0, 3, 8)

    def loss(v):
        return softmax_cross_entropy(model.forward(v, training=True), labels)[0]

    outputs = model.forward(x, training=True)
    dx = model.backward(softmax_cross_entropy(outputs, labels)[1])
    check_direction(loss, x, dx, rng=rng(4), step=1e-6, tolerance=1e-5)
