"""Chapter 6. Starts over five decades: all hidden kernels times one factor.

Three hidden layers of 64 ReLUs start by He et al. (2015), times the factor; the output layer starts
alike everywhere. Plain gradient descent for a few epochs.
"""

from bnlib.experiments.common import ARMS, flat, network, train
from bnlib.initializers import scaled

SCALES = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)


def run(
    data,
    *,
    seed,
    scales=SCALES,
    hidden=(64, 64, 64),
    learning_rate=0.1,
    steps=200,
    batch_size=64,
):
    """Train a network a scale and an arm.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    scales : sequence of float
        Factors of the hidden kernels; a seed's kernels differ in nothing else.
    hidden : sequence of int
    learning_rate : float
        Of plain gradient descent.
    steps, batch_size : int

    Returns
    -------
    dict
        `result[arm]`: the test accuracy, one number a scale; that of chance where the run diverged.
        The arms are "none" and "batchnorm".
    """
    split = flat(data)

    def accuracy(place, scale):
        start = scaled("he_normal", scale)
        model = network(
            split, hidden, seed=seed, batchnorm=place, kernel_initializer=start
        )
        how = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
        return train(model, split, seed=seed, **how)["accuracy"][-1]

    return {
        arm: [accuracy(place, scale) for scale in scales] for arm, place in ARMS.items()
    }
