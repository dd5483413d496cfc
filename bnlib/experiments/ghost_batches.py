"""Chapter 9. Regularization by the noise of the batch's statistics, with nothing else changed.

Gradient descent on all of a few training images at once, so that the gradient has no noise. Only
the statistics are taken over parts of the batch, ghost batches, dealt anew at each step: the
smaller they are, the more noise (Hoffer, Hubara and Soudry, 2017). Before the test the statistics
are re-estimated on all training images, in every arm. Noise may also just train faster; so a
control without noise trains for longer. Beside it the comparison that is usually made: small
batches, without normalization, with batch norm and with layer norm, at more than one rate.
"""

from functools import partial

from bnlib.deployment import reestimate
from bnlib.experiments.common import flat, network, streams, train
from bnlib.experiments.variants import GhostBatchNormalization
from bnlib.norms import LayerNormalization
from bnlib.training import evaluate

ORDINARY = {
    "none": {"batchnorm": None},
    "batchnorm": {"batchnorm": "before"},
    "layernorm": {"batchnorm": "before", "normalization": LayerNormalization},
}


def run(
    data,
    *,
    seed,
    images=300,
    ghost_sizes=(5, 15, 60, 300),
    steps=200,
    longer=(400, 800),
    learning_rate=0.2,
    ordinary_steps=250,
    ordinary_rate=0.1,
    other_rates=(0.05, 0.2),
    ordinary_batch=16,
    hidden=(64, 64),
):
    """Train one network a ghost size, and the three of the ordinary comparison.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    images : int
        How many of the training images to use, all of them at each step.
    ghost_sizes : sequence of int
        The last may be all images: no noise.
    steps, learning_rate
        Of the arms with ghost batches.
    longer : sequence of int
        Steps of the arms without noise that train for longer.
    ordinary_steps, ordinary_rate, ordinary_batch
        Of the ordinary comparison.
    other_rates : sequence of float
        To make it again at.
    hidden : sequence of int
        Widths of the hidden layers, of ReLU units.

    Returns
    -------
    dict
        `ghost`, by size as text; `longer`, by steps as text; and `ordinary`, by what normalizes:
        "none", "batchnorm" and "layernorm"; the same at another rate, "ordinary 0.05". Each arm has
        `accuracy` and `loss` on the test images, `train_accuracy` and `train_loss` on the training
        images, all in inference mode.
    """
    data = flat(data)
    chosen = streams(seed).noise.permutation(len(data.x_train))[:images]
    data = data._replace(x_train=data.x_train[chosen], y_train=data.y_train[chosen])

    def arm(steps, learning_rate, batch_size, options):
        model = network(data, hidden, seed=seed, **options)
        train(
            model,
            data,
            steps=steps,
            seed=seed,
            learning_rate=learning_rate,
            batch_size=batch_size,
            evaluate_at=[],
        )
        reestimate(model, data.x_train)
        return _both(model, data)

    ghost = {
        str(size): arm(steps, learning_rate, images, _ghost(size))
        for size in ghost_sizes
    }
    without_noise = {
        str(more): arm(more, learning_rate, images, _ghost(images)) for more in longer
    }

    def ordinary(rate):
        return {
            name: arm(ordinary_steps, rate, ordinary_batch, options)
            for name, options in ORDINARY.items()
        }

    return {
        "ghost": ghost,
        "longer": without_noise,
        "ordinary": ordinary(ordinary_rate),
        **{f"ordinary {rate:g}": ordinary(rate) for rate in other_rates},
    }


def _ghost(size):
    return {
        "batchnorm": "before",
        "normalization": partial(GhostBatchNormalization, ghost_size=size),
    }


def _both(model, data):
    test = evaluate(model, data.x_test, data.y_test)
    train = evaluate(model, data.x_train, data.y_train)
    return {
        "accuracy": test.accuracy,
        "loss": test.loss,
        "train_accuracy": train.accuracy,
        "train_loss": train.loss,
    }
