"""Specification of `bnlib.layers`."""

import copy
import os
import pickle
from functools import partial

import numpy as np
import pytest

from bnlib.gradcheck import check_direction, check_gradient
from bnlib.initializers import initialize, random_normal, scaled
from bnlib.layers import (
    BatchNormalization,
    Dense,
    Flatten,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    dense_network,
)
from bnlib.losses import softmax_cross_entropy
from bnlib.training import SGD, fit, train_step


def rng(seed=0):
    return np.random.default_rng(seed)


def small_network(seed=0, **options):
    return dense_network([4, 6, 5, 3], rng=rng(seed), **options)


def examples(m=8):
    return rng(5).normal(1, 2, (m, 4)), rng(6).integers(0, 3, m)


# Each layer alone


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(4, 3, rng=rng()),
        lambda: Dense(4, 3, rng=rng(), use_bias=False),
        ReLU,
        Sigmoid,
        Tanh,
        Flatten,
        lambda: BatchNormalization(4),
        lambda: BatchNormalization(6, axis=0, epsilon=0.1),
    ],
    ids=[
        "Dense",
        "Dense without bias",
        "ReLU",
        "Sigmoid",
        "Tanh",
        "Flatten",
        "BN",
        "BN axis 0",
    ],
)
def test_the_gradients_of_every_layer_match_finite_differences(make):
    layer = make()
    x = rng(1).normal(0.3, 1, (6, 4))
    weights = rng(2).normal(size=layer.forward(x, training=True).shape)
    for name, value in layer.params.items():  # away from the start
        layer.params[name] = value + rng(3).normal(size=value.shape)
    layer.forward(x, training=True)
    dx = layer.backward(weights)

    def loss(v):
        return np.sum(weights * layer.forward(v, training=True))

    check_gradient(loss, x, dx)
    for name, gradient in layer.grads.items():
        value = layer.params[name]

        def loss_of_parameter(v, name=name):
            layer.params[name] = v
            return loss(x)

        check_gradient(loss_of_parameter, value, gradient, name=name)
        layer.params[name] = value


@pytest.mark.parametrize(
    "make", [lambda: Dense(2, 2, rng=rng()), ReLU, lambda: BatchNormalization(2)]
)
@pytest.mark.parametrize("inferred", [False, True])
def test_backward_without_a_training_forward_is_a_clear_error(make, inferred):
    layer = make()
    if inferred:
        layer.forward(np.eye(2), training=True)
        layer.forward(np.eye(2), training=False)
    with pytest.raises(
        RuntimeError,
        match=rf"^{type(layer).__name__}\.backward needs forward\(x, training=True\) before "
        r"it\. Received: no forward pass, or one with training=False$",
    ):
        layer.backward(np.eye(2))


@pytest.mark.parametrize("first", [Dense, BatchNormalization])
@pytest.mark.parametrize("batchnorm", [None, "before"])
def test_without_the_gradient_of_the_input_all_others_are_the_same(batchnorm, first):
    rng = np.random.default_rng(0)
    model = dense_network([4, 6, 3], rng=rng, batchnorm=batchnorm)
    if first is BatchNormalization:
        model.layers.insert(0, BatchNormalization(4))
    x, dy = rng.normal(size=(8, 4)), rng.normal(size=(8, 3))
    model.forward(x, training=True)
    grads = []
    for wanted in (True, False):
        for layer in model.layers:
            layer.grads = {}
        dx = model.backward(dy, input_gradient=wanted)
        assert (dx is not None) == wanted
        grads.append([g for layer in model.layers for g in layer.grads.values()])
    for one, other in zip(*grads, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_has_no_default():
    with pytest.raises(TypeError, match="training"):
        ReLU().forward(np.eye(2))


def test_sigmoid_and_tanh_do_not_overflow():
    x = np.array([[-1e4, 0.0, 1e4]])
    np.testing.assert_array_equal(Sigmoid().forward(x, training=False), [[0, 0.5, 1]])
    np.testing.assert_array_equal(Tanh().forward(x, training=False), [[-1, 0, 1]])


def test_the_slope_of_relu_at_zero_is_zero():
    layer = ReLU()
    layer.forward([[-1.0, 0.0, 1e-300]], training=True)
    np.testing.assert_array_equal(layer.backward([[2.0, 3.0, 5.0]]), [[0, 0, 5]])


def test_flattening_and_back_leaves_every_number_in_its_place():
    layer, x = Flatten(), rng(1).normal(size=(2, 3, 4, 5))
    y = layer.forward(x, training=True)
    np.testing.assert_array_equal(y, [x[0].ravel(), x[1].ravel()])
    np.testing.assert_array_equal(layer.backward(y), x)


@pytest.mark.parametrize("make", [ReLU, Sigmoid, Tanh, Flatten])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_layer_without_parameters_keeps_the_dtype(make, dtype):
    layer, x = make(), np.ones((6, 4), dtype)
    assert layer.forward(x, training=True).dtype == dtype
    assert layer.backward(x).dtype == dtype


@pytest.mark.parametrize("given", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_dense_layer_computes_in_its_own_dtype_whatever_it_is_given(dtype, given):
    layer = Dense(4, 3, rng=rng(), dtype=dtype)
    y = layer.forward(np.ones((6, 4), given), training=True)
    dx = layer.backward(np.ones((6, 3), given))
    results = y, dx, *layer.params.values(), *layer.grads.values()
    assert {v.dtype for v in results} == {np.dtype(dtype)}


def test_a_dense_layer_is_not_fooled_by_an_x_that_changes_between_the_passes():
    layer, x = Dense(4, 3, rng=rng()), rng(1).normal(size=(6, 4))
    layer.forward(x, training=True)
    expected = x.T @ np.ones((6, 3))
    x[:] = 0
    layer.backward(np.ones((6, 3)))
    np.testing.assert_allclose(layer.grads["kernel"], expected)


def test_a_bias_just_before_batch_norm_changes_nothing_in_training():
    dense, norm = Dense(4, 3, rng=rng()), BatchNormalization(3)
    x = rng(1).normal(size=(6, 4))
    y = norm.forward(dense.forward(x, training=True), training=True)
    dense.backward(norm.backward(rng(2).normal(size=y.shape)))
    assert np.abs(dense.grads["bias"]).max() < 1e-13
    dense.params["bias"] = np.array([100.0, -50.0, 3.0])
    shifted = norm.forward(dense.forward(x, training=True), training=True)
    np.testing.assert_allclose(shifted, y, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "name", "bad", "allowed"),
    [
        (partial(Dense, units=3, rng=rng()), "num_inputs", 0, "at least 1"),
        (partial(Dense, 4, rng=rng()), "units", 0, "at least 1"),
        (BatchNormalization, "num_features", 0, "at least 1"),
        (partial(BatchNormalization, 4), "momentum", 1.5, r"\[0, 1\]"),
        (partial(BatchNormalization, 4), "epsilon", -1, r"\[0, inf\]"),
    ],
    ids=["num_inputs", "units", "num_features", "momentum", "epsilon"],
)
def test_an_argument_out_of_range_is_refused_by_name(make, name, bad, allowed):
    with pytest.raises(ValueError, match=f"^{name} must .*{allowed}. Received: {bad}$"):
        make(**{name: bad})


@pytest.mark.parametrize(
    "make",
    [lambda: Dense(4, 4, rng=rng()), ReLU, Flatten, lambda: BatchNormalization(4)],
    ids=["Dense", "ReLU", "Flatten", "BN"],
)
def test_a_dy_that_is_not_numbers_or_of_another_shape_is_refused_by_name(make):
    layer = make()
    layer.forward(np.ones((6, 4)), training=True)
    with pytest.raises(TypeError, match=r"^dy must hold"):
        layer.backward([["a"]])
    with pytest.raises(ValueError, match=r"^dy must have shape \(6, 4\)"):
        layer.backward(np.ones((4, 6)))


def test_rows_of_another_width_are_refused_by_a_dense_layer():
    with pytest.raises(ValueError, match=r"^x must have shape \(6, 4\)"):
        Dense(4, 3, rng=rng()).forward(np.ones((6, 5)), training=False)


# Batch normalization as a layer


@pytest.mark.parametrize(
    ("num_features", "options"),
    [(4, {}), (8, {"axis": 0}), (4, {"epsilon": 0.5})],
    ids=["plain", "axis", "epsilon"],
)
def test_with_momentum_zero_inference_after_one_training_step_equals_training(
    num_features, options
):
    layer = BatchNormalization(num_features, momentum=0, **options)
    x, _ = examples()
    trained = layer.forward(x, training=True)
    np.testing.assert_allclose(
        layer.forward(x, training=False), trained, rtol=1e-13, atol=1e-13
    )


def test_inference_leaves_the_moving_statistics_alone():
    layer = BatchNormalization(4)
    x, _ = examples()
    layer.forward(x, training=True)
    before = layer.moving_mean.copy(), layer.moving_variance.copy()
    layer.forward(3 * x, training=False)
    np.testing.assert_array_equal(layer.moving_mean, before[0])
    np.testing.assert_array_equal(layer.moving_variance, before[1])


def test_the_moving_variance_is_the_biased_one():
    layer = BatchNormalization(1, momentum=0)
    layer.forward([[0.0], [2.0]], training=True)
    assert layer.moving_variance[0] == 1  # the unbiased one would be 2


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_center_and_scale_say_which_of_beta_and_gamma_are_learned(center, scale):
    layer = BatchNormalization(4, center=center, scale=scale)
    x, _ = examples()
    layer.forward(x, training=True)
    layer.backward(np.ones_like(x))
    assert set(layer.params) == set(layer.grads)
    assert ("beta" in layer.params, "gamma" in layer.params) == (center, scale)


# Networks


def test_the_same_seed_gives_the_same_kernels_with_batch_norm_and_without():
    kernels = [
        [
            layer.params["kernel"]
            for layer in small_network(batchnorm=place).layers
            if isinstance(layer, Dense)
        ]
        for place in (None, "before", "after")
    ]
    for plain, before, after in zip(*kernels, strict=True):
        np.testing.assert_array_equal(plain, before)
        np.testing.assert_array_equal(plain, after)


@pytest.mark.parametrize("place", [None, "before", "after"])
@pytest.mark.parametrize("activation", [ReLU, Sigmoid, Tanh])
def test_the_gradient_of_a_whole_network_matches_finite_differences(place, activation):
    model = small_network(batchnorm=place, activation=activation)
    x, labels = examples()
    dx = model.backward(
        softmax_cross_entropy(model.forward(x, training=True), labels)[1]
    )

    def loss(v):
        return softmax_cross_entropy(model.forward(v, training=True), labels)[0]

    check_direction(loss, x, dx, rng=rng(4), step=1e-6, tolerance=1e-5)


@pytest.mark.parametrize(
    ("place", "hidden"),
    [
        (None, ["Dense 4 -> 6", "ReLU"]),
        ("before", ["Dense 4 -> 6, no bias", "BatchNormalization 6", "ReLU"]),
        ("after", ["Dense 4 -> 6", "ReLU", "BatchNormalization 6"]),
    ],
)
def test_batch_norm_stands_before_or_after_the_activation(place, hidden):
    model = dense_network([4, 6, 3], rng=rng(), batchnorm=place)
    described = [layer.describe() for layer in model.layers]
    assert described == [*hidden, "Dense 6 -> 3"]


def test_parameters_are_counted_trainable_and_not():
    model = dense_network([784, 300, 200, 100, 10], rng=rng(), batchnorm="before")
    plain = dense_network([784, 300, 200, 100, 10], rng=rng())
    assert plain.count_params() == (316_810, 0)
    # gamma and beta instead of the biases, and two stored statistics a unit
    assert model.count_params() == (316_810 + 600, 1200)


def test_a_summary_is_a_table_of_the_layers_and_their_parameter_counts():
    model = dense_network([784, 300, 10], rng=rng(), batchnorm="before")
    assert model.summary().split("\n") == [
        "layer                          trainable  not trainable",
        "0 Dense 784 -> 300, no bias      235,200              0",
        "1 BatchNormalization 300             600            600",
        "2 ReLU                                 0              0",
        "3 Dense 300 -> 10                  3,010              0",
        "total                            238,810            600",
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_computes_in_the_dtype_it_was_built_with(dtype):
    model = small_network(batchnorm="before", dtype=dtype)
    x, labels = examples()
    train_step(
        model, x.astype(dtype), labels, loss=softmax_cross_entropy, optimizer=SGD(0.1)
    )
    assert model.forward(x.astype(dtype), training=False).dtype == dtype
    assert {
        layer.params["kernel"].dtype
        for layer in model.layers
        if "kernel" in layer.params
    } == {np.dtype(dtype)}
    norms = [layer for layer in model.layers if isinstance(layer, BatchNormalization)]
    assert {layer.params["gamma"].dtype for layer in norms} == {np.dtype(np.float64)}
    assert {layer.moving_mean.dtype for layer in norms} == {np.dtype(np.float64)}


def test_an_unknown_place_of_batch_norm_is_refused():
    with pytest.raises(
        ValueError, match=r'must be None, "before" or "after"\. Received: \'middle\''
    ):
        small_network(batchnorm="middle")


# Save and load


def trained(steps=5):
    model, optimizer = small_network(batchnorm="before"), SGD(0.1, momentum=0.9)
    x, labels = examples()
    for _ in range(steps):
        train_step(model, x, labels, loss=softmax_cross_entropy, optimizer=optimizer)
    return model


def test_a_saved_network_loads_to_the_same_bits(tmp_path):
    model, fresh = trained(), small_network(seed=9, batchnorm="before")
    model.save(tmp_path / "model.npz")
    fresh.load(tmp_path / "model.npz")
    x, _ = examples()
    for training in (False, True):
        np.testing.assert_array_equal(
            fresh.forward(x, training=training), model.forward(x, training=training)
        )
    assert os.listdir(tmp_path) == ["model.npz"]


def test_weights_of_another_network_are_refused_and_change_nothing(tmp_path):
    trained().save(tmp_path / "model.npz")
    for other, message in (
        (
            Sequential(small_network(batchnorm="before").layers[:-1]),
            r"weights must be those of this network\. "
            r"Received: \['6/bias', '6/kernel'\] differ$",
        ),
        (
            dense_network([4, 6, 6, 3], rng=rng(), batchnorm="before"),
            r"3/kernel must have shape \(6, 6\)\. Received: shape \(6, 5\)$",
        ),
    ):
        before = other.get_weights()
        with pytest.raises(ValueError, match=f"^{message}"):
            other.load(tmp_path / "model.npz")
        for name, value in other.get_weights().items():
            np.testing.assert_array_equal(value, before[name])


def test_weights_are_taken_over_in_the_dtype_of_the_network():
    model, other = small_network(dtype="float32"), small_network(seed=9)
    model.set_weights(other.get_weights())
    for name, value in model.get_weights().items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, other.get_weights()[name], rtol=1e-6)


def test_a_file_with_pickled_objects_is_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", **{"0/kernel": np.array([object()])})
    with pytest.raises(ValueError, match="allow_pickle"):
        small_network().load(tmp_path / "evil.npz")


def test_an_interrupted_save_leaves_the_old_file_whole(tmp_path, monkeypatch):
    model, path = trained(), tmp_path / "model.npz"
    model.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", lambda file, **_: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.npz"]


def test_a_save_is_written_in_the_folder_of_the_file_that_it_replaces(
    tmp_path, monkeypatch
):
    folders, replace = [], os.replace

    def watch(source, target):
        folders.append(os.path.dirname(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    trained().save(tmp_path / "model.npz")
    assert folders == [str(tmp_path)]


@pytest.mark.parametrize(
    "clone",
    [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))],
    ids=["deepcopy", "pickle"],
)
def test_a_clone_in_mid_training_continues_to_the_same_bits(clone):
    x, labels = examples(64)
    model, optimizer = (
        small_network(batchnorm="before"),
        SGD(0.1, momentum=0.9, nesterov=True),
    )
    fit(model, x, labels, epochs=2, optimizer=optimizer, rng=rng())
    model_2, optimizer_2 = clone((model, optimizer))
    for a, b in ((model, optimizer), (model_2, optimizer_2)):
        fit(a, x, labels, epochs=2, optimizer=b, rng=rng(1))
    for name, value in model_2.get_weights().items():
        np.testing.assert_array_equal(value, model.get_weights()[name])


# Starts


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_normal", 2 / 700),
        ("glorot_uniform", 2 / 700),
        ("he_normal", 2 / 400),
        ("he_uniform", 2 / 400),
    ],
)
def test_a_start_has_the_variance_of_its_formula(name, variance):
    kernel = initialize(name, 400, 300, rng=rng())
    np.testing.assert_allclose(kernel.var(), variance, rtol=0.02)
    assert abs(kernel.mean()) < 4 * np.sqrt(variance / kernel.size)


@pytest.mark.parametrize("scale", ["glorot", "he"])
def test_a_uniform_start_ends_at_root_three_deviations_and_a_normal_one_does_not(scale):
    normal, uniform = (
        np.abs(initialize(f"{scale}_{shape}", 400, 300, rng=rng()))
        for shape in ("normal", "uniform")
    )
    deviation = np.sqrt(np.mean(uniform**2))
    assert uniform.max() == pytest.approx(np.sqrt(3) * deviation, rel=0.01)
    deviation = np.sqrt(np.mean(normal**2))
    assert np.mean(normal > 2 * deviation) == pytest.approx(0.0455, rel=0.05)


def test_a_start_may_be_a_function_and_may_be_scaled():
    normal = initialize(random_normal(0.01), 400, 300, rng=rng())
    assert normal.std() == pytest.approx(0.01, rel=0.02)
    assert abs(normal.mean()) < 4 * 0.01 / np.sqrt(normal.size)
    ones = initialize(lambda shape, rng: np.ones(shape, "float32"), 4, 3, rng=rng())
    np.testing.assert_array_equal(ones, np.ones((4, 3)), strict=True)  # float64
    plain = initialize("he_normal", 4, 3, rng=rng())
    np.testing.assert_allclose(
        initialize(scaled("he_normal", 5), 4, 3, rng=rng()), 5 * plain
    )


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match="Received: 'lecun'"):
        Dense(2, 2, rng=rng(), kernel_initializer="lecun")
