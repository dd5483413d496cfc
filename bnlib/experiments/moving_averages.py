"""Chapter 8. Moving averages after few steps, and how much of their start they still hold.

The moving statistics start at 0 and 1 and keep `momentum**t` of that start after t steps. At each
checkpoint the same weights are tested twice: by the stored statistics, as in inference, and by
those of the test images as one batch. The momentum does not touch the weights, so all arms of a
seed hold the same ones; only what they stored differs.
"""

import numpy as np

from bnlib.diagnostics import layer_outputs
from bnlib.experiments.common import flat, network, train


def run(
    data,
    *,
    seed,
    momenta=(0.9, 0.99),
    checkpoints=(10, 50, 200, 500),
    hidden=(64, 64),
    learning_rate=0.1,
    batch_size=64,
):
    """Train one network a momentum and test it at the checkpoints.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    momenta : sequence of float
    checkpoints : sequence of int
        Steps after which to test.
    hidden : sequence of int
        Widths of the hidden layers, of ReLU units.
    learning_rate : float
    batch_size : int

    Returns
    -------
    dict
        For each momentum, as text: `steps`, `stored` and `batch`, the test accuracies by the stored
        and by the batch's statistics, one number a checkpoint.
    """
    data = flat(data)
    result = {}
    for momentum in momenta:
        model = network(data, hidden, seed=seed, batchnorm="before", momentum=momentum)
        batch = []

        def by_batch(step, model, batch=batch):
            if step in checkpoints:
                logits = layer_outputs(model, data.x_test, training=True)[-1]
                batch.append(float(np.mean(logits.argmax(axis=1) == data.y_test)))

        curve = train(
            model,
            data,
            steps=max(checkpoints),
            seed=seed,
            learning_rate=learning_rate,
            batch_size=batch_size,
            evaluate_at=checkpoints,
            on_step=by_batch,
        )
        result[str(momentum)] = {
            "steps": curve["steps"],
            "stored": curve["accuracy"],
            "batch": batch,
        }
    return result
