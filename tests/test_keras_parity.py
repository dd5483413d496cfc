"""The same numbers as Keras: forward, backward, moving statistics, optimizer and losses."""

import numpy as np
import pytest

from bnlib import losses
from bnlib.batchnorm import batchnorm_backward, batchnorm_forward, batchnorm_inference
from bnlib.layers import BatchNormalization, dense_network
from bnlib.norms import (
    BatchRenormalization,
    layernorm_backward,
    layernorm_forward,
)
from bnlib.training import SGD, train_step

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
SHAPES = [
    ((16, 5), -1),
    ((16, 5), 0),
    ((4, 3, 2, 5), -1),
    ((4, 3, 2, 5), 0),
    ((4, 3, 2, 5), 1),
    ((4, 3, 2, 5), 2),
    ((3, 5), -1),  # a batch of two has a dx that is all cancellation
]
every_case = pytest.mark.parametrize(("shape", "axis"), SHAPES)
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def batch(shape, axis, dtype, seed=0):
    rng = np.random.default_rng(seed)
    d = shape[axis]
    x, dy = rng.normal(1, 2, shape), rng.normal(size=shape)
    gamma, beta = rng.uniform(0.5, 2, d), rng.normal(size=d)
    return [v.astype(dtype) for v in (x, gamma, beta, dy)]


def keras_layer(shape, axis, dtype, gamma, beta, **options):
    layer = keras.layers.BatchNormalization(axis=axis, dtype=dtype, **options)
    layer.build(shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    return layer


def assert_same(ours, theirs, dtype):
    """Compare relative to the largest entry: no single entry near zero decides."""
    theirs = np.asarray(theirs)
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(
        ours, theirs, rtol=0, atol=TOLERANCE[dtype] * max(scale, 1e-3)
    )


@every_case
@every_dtype
def test_forward_and_backward_agree_with_keras(shape, axis, dtype):
    x, gamma, beta, dy = batch(shape, axis, dtype)
    layer = keras_layer(shape, axis, dtype, gamma, beta)
    with tf.GradientTape() as tape:
        variable = tf.Variable(x)
        y = layer(variable, training=True)
        loss = tf.reduce_sum(y * dy)
    expected = tape.gradient(loss, [variable, layer.gamma.value, layer.beta.value])

    ours, cache = batchnorm_forward(x, gamma, beta, axis=axis)
    assert_same(ours, y, dtype)
    for gradient, keras_gradient in zip(
        batchnorm_backward(dy, cache), expected, strict=True
    ):
        assert_same(gradient, keras_gradient, dtype)


@every_case
@every_dtype
def test_inference_agrees_with_keras(shape, axis, dtype):
    x, gamma, beta, _ = batch(shape, axis, dtype)
    layer = keras_layer(shape, axis, dtype, gamma, beta)
    mean, variance = beta + 1, gamma**2
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    ours = batchnorm_inference(x, gamma, beta, mean, variance, axis=axis)
    assert_same(ours, layer(x, training=False), dtype)


@every_dtype
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "epsilon": 1e-5}])
def test_moving_statistics_agree_with_keras_over_50_steps(dtype, options):
    x, gamma, beta, _ = batch((16, 5), -1, dtype)
    layer = keras_layer(x.shape, -1, dtype, gamma, beta, **options)
    ours = BatchNormalization(5, **options)
    ours.params.update(gamma=gamma.astype(np.float64), beta=beta.astype(np.float64))
    for seed in range(50):
        x = batch((16, 5), -1, dtype, seed)[0]
        assert_same(ours.forward(x, training=True), layer(x, training=True), dtype)
    assert_same(ours.moving_mean, layer.moving_mean, dtype)
    assert_same(ours.moving_variance, layer.moving_variance, dtype)
    assert_same(ours.forward(x, training=False), layer(x, training=False), dtype)


def test_a_float16_batch_agrees_with_keras_to_the_precision_of_float16():
    x, gamma, beta, _ = batch((16, 5), -1, "float16")
    layer = keras_layer(x.shape, -1, "float16", gamma, beta)
    ours, _ = batchnorm_forward(x, gamma, beta)
    np.testing.assert_allclose(ours, layer(x, training=True), rtol=4e-3, atol=4e-3)


def as_keras(model):
    """Build the same network in Keras, with the same start."""
    network = keras.Sequential([keras.Input((6,), dtype="float64")])
    for layer in model.layers:
        name = type(layer).__name__
        if name == "Dense":
            units = layer.params["kernel"].shape[1]
            network.add(
                keras.layers.Dense(
                    units, use_bias="bias" in layer.params, dtype="float64"
                )
            )
        elif name == "BatchNormalization":
            network.add(keras.layers.BatchNormalization(dtype="float64"))
        else:
            network.add(keras.layers.Activation(name.lower(), dtype="float64"))
    network.set_weights(list(model.get_weights().values()))
    return network


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.0},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ],
    ids=["plain", "momentum", "nesterov", "decay"],
)
def test_a_network_trains_as_in_keras_for_50_steps(place, options):
    rng = np.random.default_rng(0)
    model = dense_network([6, 8, 7, 3], rng=rng, batchnorm=place)
    network = as_keras(model)
    ours = SGD(0.05, **options)
    theirs = keras.optimizers.SGD(learning_rate=0.05, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def keras_step(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, network(x, training=True))
        gradients = tape.gradient(value, network.trainable_variables)
        theirs.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    for _ in range(50):
        x, y = rng.normal(size=(16, 6)), rng.integers(0, 3, 16)
        train_step(model, x, y, loss=losses.softmax_cross_entropy, optimizer=ours)
        keras_step(tf.constant(x), tf.constant(y))
    # The learning rate is a float32 in Keras, which is where the two part.
    for weight, keras_weight in zip(
        model.get_weights().values(), network.get_weights(), strict=True
    ):
        np.testing.assert_allclose(weight, keras_weight, rtol=1e-5, atol=1e-6)


def test_losses_agree_with_keras():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (8, 4)), rng.integers(0, 4, 8)
    column, binary = logits[:, :1], labels % 2
    targets = rng.normal(size=(8, 4))
    pairs = [
        (
            losses.softmax_cross_entropy(logits, labels),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
                labels, logits
            ),
        ),
        (
            losses.binary_cross_entropy(column, binary),
            keras.losses.BinaryCrossentropy(from_logits=True)(binary[:, None], column),
        ),
        (
            losses.mean_squared_error(logits, targets),
            keras.losses.MeanSquaredError()(targets, logits),
        ),
    ]
    for (ours, _), theirs in pairs:
        assert ours == pytest.approx(float(theirs), rel=1e-6)


@every_dtype
@pytest.mark.parametrize(("shape", "axis"), [((16, 5), -1), ((4, 3, 2, 5), 1)])
def test_layer_normalization_agrees_with_keras(shape, axis, dtype):
    x, gamma, beta, dy = batch(shape, axis, dtype)
    layer = keras.layers.LayerNormalization(axis=axis, dtype=dtype)
    layer.build(shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    with tf.GradientTape() as tape:
        variable = tf.Variable(x)
        y = layer(variable)
        loss = tf.reduce_sum(y * dy)
    expected = tape.gradient(loss, [variable, layer.gamma.value, layer.beta.value])

    ours, cache = layernorm_forward(x, gamma, beta, axis=axis)
    assert_same(ours, y, dtype)
    for gradient, keras_gradient in zip(
        layernorm_backward(dy, cache), expected, strict=True
    ):
        assert_same(gradient, keras_gradient, dtype)


@pytest.mark.parametrize(("shape", "axis"), [((16, 5), -1), ((4, 3, 2, 5), 1)])
@pytest.mark.parametrize("clipping", [None, {"rmax": 1.2, "rmin": 0.9, "dmax": 0.3}])
def test_batch_renormalization_agrees_with_keras_over_20_steps(shape, axis, clipping):
    _, gamma, beta, _ = batch(shape, axis, "float64")
    options = {"momentum": 0.8, "renorm_momentum": 0.7, "renorm_clipping": clipping}
    theirs = keras_layer(shape, axis, "float64", gamma, beta, renorm=True, **options)
    # Keras starts the moving variance and the moving deviation at 1, epsilon apart.
    theirs.moving_stddev.assign(np.full(shape[axis], np.sqrt(1 + 1e-3)))
    ours = BatchRenormalization(shape[axis], axis=axis, **options)
    ours.params.update(gamma=gamma, beta=beta)
    for seed in range(20):
        x, _, _, dy = batch(shape, axis, "float64", seed)
        with tf.GradientTape() as tape:
            variable = tf.Variable(x)
            y = theirs(variable, training=True)
            loss = tf.reduce_sum(y * dy)
        expected = tape.gradient(
            loss, [variable, theirs.gamma.value, theirs.beta.value]
        )
        assert_same(ours.forward(x, training=True), y, "float64")
        gradients = [ours.backward(dy), ours.grads["gamma"], ours.grads["beta"]]
        for gradient, keras_gradient in zip(gradients, expected, strict=True):
            assert_same(gradient, keras_gradient, "float64")
    for name in ("renorm_mean", "renorm_stddev", "moving_mean", "moving_variance"):
        assert_same(ours.state[name], getattr(theirs, name), "float64")
    assert_same(ours.forward(x, training=False), theirs(x, training=False), "float64")
