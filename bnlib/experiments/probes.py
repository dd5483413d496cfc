"""What several experiments look at: gradients of one batch, and accuracy by batch statistics.

A forward pass in training mode moves the moving statistics: hand in a copy of the network.
"""

import numpy as np

from bnlib.losses import softmax_cross_entropy


def loss_and_gradients(model, x, y, *, loss=softmax_cross_entropy):
    """Return the loss of one batch in training mode, and each layer's dict of gradients."""
    value, doutputs = loss(model.forward(x, training=True), y)
    model.backward(doutputs, input_gradient=False)
    return value, [dict(layer.grads) for layer in model.layers]


def as_vector(arrays):
    """Return all numbers of a list of dicts of arrays as one vector, in float64.

    Examples
    --------
    >>> as_vector([{"a": np.ones((1, 2))}, {}, {"b": np.zeros(1)}])
    array([1., 1., 0.])
    """
    return np.concatenate(
        [array.ravel() for layer in arrays for array in layer.values()],
        dtype=np.float64,
    )


def stepped(params, gradients, size):
    """Return the parameters after a step of that size against the gradients.

    Examples
    --------
    >>> stepped([{"a": np.array([1.0])}], [{"a": np.array([2.0])}], 0.25)
    [{'a': array([0.5])}]
    """
    return [
        {
            name: (value - size * slope[name]).astype(value.dtype)
            for name, value in layer.items()
        }
        for layer, slope in zip(params, gradients, strict=True)
    ]


def get_params(model):
    """Return each layer's dict of parameters, which no later step writes to."""
    return [dict(layer.params) for layer in model.layers]


def set_params(model, params):
    """Give the layers these parameters."""
    for layer, values in zip(model.layers, params, strict=True):
        layer.params = dict(values)


def accuracy_by_batch(model, x, y, *, batch_size):
    """Accuracy where each batch, in its order, is normalized by its own statistics.

    A smaller last batch is left out.
    """
    stop = len(x) - len(x) % batch_size
    right = [
        model.forward(x[start : start + batch_size], training=True).argmax(axis=1)
        == y[start : start + batch_size]
        for start in range(0, stop, batch_size)
    ]
    return float(np.mean(right))
