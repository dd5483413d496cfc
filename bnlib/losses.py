"""Losses, each with its gradient with respect to the network's output: averages over the batch.

Cross-entropies take logits, not probabilities: only so can they be computed without overflow and
without log(0).
"""

import numpy as np

from bnlib.checks import as_floats, check_shape


def softmax_cross_entropy(logits, labels):
    """Cross-entropy of the softmax; Keras's `SparseCategoricalCrossentropy(from_logits=True)`.

    Parameters
    ----------
    logits : array_like of shape (m, k)
    labels : array_like of int, shape (m,), each in [0, k)

    Returns
    -------
    loss : float, in nats
    dlogits : ndarray of shape (m, k), in the dtype of `logits`

    Examples
    --------
    >>> loss, dlogits = softmax_cross_entropy([[0.0, 0.0]], [1])
    >>> print(f"{loss:.4f}", dlogits)
    0.6931 [[ 0.5 -0.5]]
    """
    logits = as_floats(logits, "logits", min_ndim=2)
    labels = np.asarray(labels)
    check_shape(labels, "labels", logits.shape[:1])
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"labels must be integers, one class a row. Received: dtype {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        allowed = f"[0, {logits.shape[1] - 1}]"
        raise ValueError(
            f"labels must lie in {allowed}. Received: [{labels.min()}, {labels.max()}]"
        )
    m = len(labels)
    # The largest exponent becomes exp(0).
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probabilities[np.arange(m), labels].mean(dtype=np.float64)
    dlogits = np.exp(log_probabilities)
    dlogits[np.arange(m), labels] -= 1
    return float(loss), dlogits / m


def binary_cross_entropy(logits, labels):
    """Cross-entropy of the sigmoid; Keras's `BinaryCrossentropy(from_logits=True)`.

    Parameters
    ----------
    logits : array_like of shape (m, 1)
    labels : array_like of 0 and 1, shape (m,) or (m, 1)

    Returns
    -------
    loss : float, in nats
    dlogits : ndarray of shape (m, 1), in the dtype of `logits`

    Examples
    --------
    >>> loss, dlogits = binary_cross_entropy([[0.0], [1000.0]], [1, 1])
    >>> print(f"{loss:.4f}", dlogits.ravel())
    0.3466 [-0.25  0.  ]
    """
    logits = as_floats(logits, "logits", min_ndim=2)
    labels = as_floats(labels, "labels").reshape(-1, 1).astype(logits.dtype)
    check_shape(logits, "logits", labels.shape)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1. Received: {np.unique(labels)}")
    loss = np.logaddexp(0, logits) - labels * logits
    probabilities = 0.5 * (1 + np.tanh(0.5 * logits))
    return float(loss.mean(dtype=np.float64)), (probabilities - labels) / len(labels)


def mean_squared_error(predictions, targets):
    """Mean of the squared differences, over rows and columns; Keras's `MeanSquaredError`.

    Parameters
    ----------
    predictions, targets : array_like of shape (m, k)

    Returns
    -------
    loss : float, in the square of the targets' unit
    dpredictions : ndarray of shape (m, k)

    Examples
    --------
    >>> mean_squared_error([[1.0], [3.0]], [[0.0], [0.0]])
    (5.0, array([[1.],
           [3.]]))
    """
    predictions = as_floats(predictions, "predictions", min_ndim=2)
    targets = as_floats(targets, "targets").astype(predictions.dtype)
    check_shape(targets, "targets", predictions.shape)
    difference = predictions - targets
    loss = np.square(difference).mean(dtype=np.float64)
    return float(loss), 2 * difference / difference.size
