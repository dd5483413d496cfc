"""Chapter 8. Batch statistics at test time: what a row gets depends on its companions.

One trained network labels the same test images by its stored statistics, by those of random
batches, and by those of batches of one class. The mean of such a batch is what its images have in
common, and they are told from other classes by nothing else: batch norm subtracts it.
"""

import numpy as np

from bnlib.diagnostics import layer_outputs
from bnlib.experiments.common import classes, flat, network, streams, train


def run(
    data,
    *,
    seed,
    test_sizes=(10, 25, 50),
    hidden=(64, 64),
    steps=400,
    learning_rate=0.1,
    batch_size=64,
):
    """Train one network, then test it by stored statistics and by two kinds of batches.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    test_sizes : sequence of int
        Sizes of the batches at test time.
    hidden : sequence of int
        Widths of the hidden layers, of ReLU units.
    steps : int
    learning_rate : float
    batch_size : int
        In training.

    Returns
    -------
    dict
        Test accuracies: `stored`; `shuffled` and `sorted`, for each of the `sizes`. The last batch
        of a class may be smaller than the others.
    """
    data = flat(data)
    model = network(data, hidden, seed=seed, batchnorm="before")
    curve = train(
        model,
        data,
        steps=steps,
        seed=seed,
        learning_rate=learning_rate,
        batch_size=batch_size,
    )
    order = streams(seed).noise.permutation(len(data.x_test))
    by_class = [order[data.y_test[order] == label] for label in range(classes(data))]
    return {
        "sizes": list(test_sizes),
        "stored": curve["accuracy"][-1],
        "shuffled": [_accuracy(model, data, [order], size) for size in test_sizes],
        "sorted": [_accuracy(model, data, by_class, size) for size in test_sizes],
    }


def _accuracy(model, data, groups, size):
    """Accuracy by batch statistics, in batches of up to `size` rows of one group."""
    right = 0
    for group in groups:
        for rows in np.split(group, range(size, len(group), size)):
            logits = layer_outputs(model, data.x_test[rows], training=True)[-1]
            right += np.sum(logits.argmax(axis=1) == data.y_test[rows])
    return float(right / len(data.y_test))
