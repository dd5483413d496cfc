"""Specification of `bnlib.layers`."""

import copy
import os
import pickle

import numpy as np
import pytest

from bnlib.gradcheck import check_direction, check_gradient
from bnlib.initializers import initialize, random_normal, scaled
from bnlib.layers import (
    BatchNormalization,
    Dense,
    Flatten,
    ReLU,
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
        RuntimeError, match=r"needs forward\(x, training=True\) before it"
    ):
        layer.backward(np.eye(2))


@pytest.mark.parametrize("batchnorm", [None, "before"])
def test_without_the_gradient_of_the_input_all_others_are_the_same(batchnorm):
    rng = np.random.default_rng(0)
    model = dense_network([4, 6, 3], rng=rng, batchnorm=batchnorm)
    x, dy = rng.normal(size=(8, 4)), rng.normal(size=(8, 3))
    model.forward(x, training=True)
    grads = []
    for wanted in (True, False):
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


# Batch normalization as a layer


def test_with_momentum_zero_inference_after_one_training_step_equals_training():
    layer = BatchNormalization(4, momentum=0)
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


def test_parameters_are_counted_trainable_and_not():
    model = dense_network([784, 300, 200, 100, 10], rng=rng(), batchnorm="before")
    plain = dense_network([784, 300, 200, 100, 10], rng=rng())
    assert plain.count_params() == (316_810, 0)
    # gamma and beta instead of the biases, and two stored statistics a unit
    assert model.count_params() == (316_810 + 600, 1200)
    assert "317,410" in model.summary()


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
    for other in (
        small_network(),
        dense_network([4, 6, 6, 3], rng=rng(), batchnorm="before"),
    ):
        before = other.get_weights()
        with pytest.raises(ValueError, match="Received"):
            other.load(tmp_path / "model.npz")
        for name, value in other.get_weights().items():
            np.testing.assert_array_equal(value, before[name])


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


def test_a_start_may_be_a_function_and_may_be_scaled():
    assert initialize(random_normal(0.01), 400, 300, rng=rng()).std() == pytest.approx(
        0.01, rel=0.02
    )
    plain = initialize("he_normal", 4, 3, rng=rng())
    np.testing.assert_allclose(
        initialize(scaled("he_normal", 5), 4, 3, rng=rng()), 5 * plain
    )


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match="Received: 'lecun'"):
        Dense(2, 2, rng=rng(), kernel_initializer="lecun")
