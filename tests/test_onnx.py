"""The standard conformance cases of ONNX's BatchNormalization, in both modes.

ONNX keeps the features on axis 1. Its `momentum` weighs the past and its running variance is
biased: Keras's conventions, and ours.
"""

import numpy as np
import pytest

from bnlib.layers import BatchNormalization

onnx = pytest.importorskip("onnx")
CASES = [
    "test_batchnorm_example",
    "test_batchnorm_epsilon",
    "test_batchnorm_example_training_mode",
    "test_batchnorm_epsilon_training_mode",
]


@pytest.fixture(scope="module")
def cases():
    """Return ONNX's own cases by name: importing the module that holds them lists them."""
    node = pytest.importorskip("onnx.backend.test.case.node")
    pytest.importorskip("onnx.backend.test.case.node.batch_normalization")
    return {case.name: case for case in node._NodeTestCases}


def attributes(node):
    """Return the operator's attributes: what the node says, else the default of the standard."""
    schema = onnx.defs.get_schema(node.op_type)
    said = {a.name: a for a in node.attribute}
    return {
        name: onnx.helper.get_attribute_value(said.get(name, attribute.default_value))
        for name, attribute in schema.attributes.items()
    }


@pytest.mark.parametrize("name", CASES)
def test_the_layer_passes_the_conformance_case(cases, name):
    case = cases[name]
    (node,) = case.model.graph.node
    options = attributes(node)
    ((x, scale, bias, mean, variance), expected) = case.data_sets[0]

    layer = BatchNormalization(
        x.shape[1], axis=1, momentum=options["momentum"], epsilon=options["epsilon"]
    )
    layer.params.update(gamma=scale, beta=bias)
    layer.state.update(moving_mean=mean, moving_variance=variance)
    y = layer.forward(x, training=bool(options["training_mode"]))

    assert len(expected) == (3 if options["training_mode"] else 1)
    results = y, layer.moving_mean, layer.moving_variance
    for result, value in zip(results, expected, strict=False):
        np.testing.assert_allclose(result, value, rtol=1e-5, atol=1e-6)


def test_every_case_of_the_operator_is_run(cases):
    assert sorted(name for name in cases if "batchnorm" in name) == sorted(CASES)
