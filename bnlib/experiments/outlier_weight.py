"""Chapter 6. One weight grows a thousandfold: what becomes of the network, and of the weight.

A network is trained; then the first layer's weight from the pixel that varies most to one unit
becomes `factor` times as large, and positive, so that its ReLU stays alive. The network is used in
training mode, in inference, with re-estimated statistics, and after more training.
"""

import copy

import numpy as np

from bnlib.deployment import reestimate
from bnlib.diagnostics import layer_outputs
from bnlib.experiments.common import flat, network, train
from bnlib.experiments.probes import (
    accuracy_by_batch,
    as_vector,
    loss_and_gradients,
)
from bnlib.norms import LayerNormalization
from bnlib.training import evaluate

ARMS = {
    "none": {},
    "batchnorm": {"batchnorm": "before"},
    "layernorm": {"batchnorm": "before", "normalization": LayerNormalization},
}


def run(
    data,
    *,
    seed,
    hidden=(64, 64),
    steps=300,
    more_steps=60,
    learning_rate=0.1,
    batch_size=64,
    factor=1000,
):
    """Compare three networks before and after.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    hidden : sequence of int
    steps, more_steps : int
        Of training before, and after.
    learning_rate : float
    batch_size : int
    factor : float

    Returns
    -------
    dict
        For each of "none", "batchnorm" and "layernorm": accuracies on the test images `before`,
        then with the large weight by `batch_statistics` (all test images as one batch), in
        `inference`, with `reestimated` statistics, and after `more_steps` in inference
        (`retrained`). `gradient_ratio` and `activation_ratio`: by which the largest gradient, and
        the largest output after the first dense layer, have grown in training mode. `weight_kept`:
        the weight after `more_steps` over what it was set to.
    """
    split = flat(data)
    options = {"learning_rate": learning_rate, "batch_size": batch_size, "seed": seed}
    pixel = int(split.x_train.var(axis=0).argmax())
    result = {}
    for name, arm in ARMS.items():
        model = network(split, hidden, seed=seed, **arm)
        before = train(model, split, steps=steps, **options)["accuracy"][-1]
        healthy = copy.deepcopy(model)
        weight = enlarge(model, pixel, factor)
        result[name] = {
            "before": before,
            **look(model, split),
            **compare(model, healthy, split, batch_size),
        }
        after = train(model, split, steps=more_steps, **options)
        result[name]["retrained"] = after["accuracy"][-1]
        kept = model.layers[0].params["kernel"][pixel, 0] / weight
        result[name]["weight_kept"] = float(kept)
    return result


def enlarge(model, pixel, factor):
    """Make the weight from `pixel` to unit 0 that many times as large, and positive; return it."""
    kernel = model.layers[0].params["kernel"].copy()
    kernel[pixel, 0] = factor * abs(kernel[pixel, 0])
    model.layers[0].params["kernel"] = kernel
    return kernel[pixel, 0]


def look(model, split):
    """Return the accuracies of a network by three kinds of statistics."""
    x, y = split.x_test, split.y_test
    one_batch = accuracy_by_batch(copy.deepcopy(model), x, y, batch_size=len(x))
    fresh = copy.deepcopy(model)
    reestimate(fresh, split.x_train)
    return {
        "batch_statistics": one_batch,
        "inference": evaluate(model, x, y).accuracy,
        "reestimated": evaluate(fresh, x, y).accuracy,
    }


def compare(model, healthy, split, batch_size):
    """Return how the largest gradient and the largest activation differ, in training mode."""
    x, y = split.x_train[:batch_size], split.y_train[:batch_size]
    gradients, activations = [], []
    for net in (model, healthy):
        _, slopes = loss_and_gradients(copy.deepcopy(net), x, y)
        gradients.append(np.abs(as_vector(slopes)).max())
        outputs = layer_outputs(net, x, training=True)
        activations.append(max(np.abs(y).max() for y in outputs[1:]))
    return {
        "gradient_ratio": float(gradients[0] / gradients[1]),
        "activation_ratio": float(activations[0] / activations[1]),
    }
