"""Specification of `bnlib.diagnostics`."""

import numpy as np
import pytest

from bnlib.datasets import load_digits
from bnlib.diagnostics import (
    PercentileRecorder,
    activation_percentiles,
    gradient_norms,
    layer_outputs,
)
from bnlib.initializers import scaled
from bnlib.layers import dense_network
from bnlib.losses import softmax_cross_entropy
from bnlib.training import SGD, fit


def rng(seed=0):
    return np.random.default_rng(seed)


DIGITS = load_digits(rng=rng())
X, Y = DIGITS.x_train[:100], DIGITS.y_train[:100]


def network(depth=3, scale=1.0, **options):
    widths = [64, *depth * [32], 10]
    start = scaled("he_normal", scale)
    return dense_network(widths, rng=rng(), kernel_initializer=start, **options)


def test_the_last_layers_output_is_the_networks():
    model = network(batchnorm="before")
    outputs = layer_outputs(model, X, training=True)
    np.testing.assert_array_equal(outputs[-1], model.forward(X, training=True))
    assert len(outputs) == len(model.layers)


@pytest.mark.parametrize(
    "look",
    [
        lambda model: layer_outputs(model, X, training=True),
        lambda model: activation_percentiles(model, X, layer=1, unit=0),
        lambda model: gradient_norms(model, X, Y),
    ],
    ids=["outputs", "percentiles", "gradients"],
)
def test_a_diagnostic_leaves_the_network_as_it_was(look):
    model = network(batchnorm="before")
    fit(model, X, Y, epochs=1, optimizer=SGD(0.1), rng=rng())
    weights = model.get_weights()
    gradients = [dict(layer.grads) for layer in model.layers]
    look(model)
    for name, value in model.get_weights().items():
        np.testing.assert_array_equal(value, weights[name])
    for layer, before in zip(model.layers, gradients, strict=True):
        assert layer.grads == before


@pytest.mark.parametrize("training", [True, False])
def test_percentiles_are_those_of_one_units_output_in_either_mode(training):
    model = network(batchnorm="before")
    values = layer_outputs(model, X, training=training)[2][:, 5]
    found = activation_percentiles(
        model, X, layer=2, unit=5, percentiles=(0, 50, 100), training=training
    )
    np.testing.assert_allclose(found, [values.min(), np.median(values), values.max()])


def test_a_recorder_follows_a_unit_over_training():
    recorder = PercentileRecorder(X, layer=1, unit=0, every=4)
    fit(network(), X, Y, epochs=3, optimizer=SGD(0.1), rng=rng(), on_step=recorder)
    assert recorder.steps == [1, 4, 8, 12]
    assert np.shape(recorder.values) == (4, 3)
    assert (np.diff(recorder.values, axis=1) >= 0).all()


def test_where_nothing_else_is_said_every_step_gives_three_percentiles_in_training_mode():
    model = network(batchnorm="before")
    values = layer_outputs(model, X, training=True)[1][:, 0]
    expected = np.percentile(values, (15, 50, 85))
    found = activation_percentiles(model, X, layer=1, unit=0)
    np.testing.assert_array_equal(found, expected)
    recorder = PercentileRecorder(X, layer=1, unit=0)
    for step in (1, 2, 3):
        recorder(step, model)
    assert recorder.steps == [1, 2, 3]
    np.testing.assert_array_equal(recorder.values, [expected] * 3)


def test_a_recorder_refuses_to_record_never():
    with pytest.raises(ValueError, match=r"^every must be at least 1\. Received: 0$"):
        PercentileRecorder(X, layer=1, unit=0, every=0)


def test_gradient_norms_are_those_of_the_backward_pass():
    model = network(depth=1)
    norms = gradient_norms(model, X, Y)
    _, dy = softmax_cross_entropy(model.forward(X, training=True), Y)
    model.backward(dy)
    kernels = [np.linalg.norm(model.layers[i].grads["kernel"]) for i in (0, 2)]
    np.testing.assert_allclose(norms.kernels, kernels)
    assert norms.outputs[-1] == pytest.approx(np.linalg.norm(dy))
    assert len(norms.outputs) == 2


@pytest.mark.parametrize(("scale", "grows"), [(0.5, False), (2.0, True)])
def test_a_wrong_starting_scale_makes_gradients_vanish_or_explode_by_that_factor_a_layer(
    scale, grows
):
    outputs = gradient_norms(network(depth=20, scale=scale), X, Y).outputs
    factor = (outputs[0] / outputs[-2]) ** (1 / 19)
    assert factor == pytest.approx(scale, rel=0.15)
    assert (outputs[0] > outputs[-2]) == grows


def test_with_batch_norm_the_gradients_do_not_depend_on_the_starting_scale():
    ratios = []
    for scale in (0.5, 1.0, 2.0):
        outputs = gradient_norms(
            network(10, scale, batchnorm="before", epsilon=0), X, Y
        ).outputs
        ratios.append(outputs[-2] * scale / outputs[-1])
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)
