"""Chapter 6. Starts over five decades: all hidden kernels times one factor.

Three hidden layers of 64 ReLUs start by He et al. (2015), times the factor; the output layer starts
alike everywhere. Plain gradient descent for a few epochs.
"""

from bnlib.experiments.common import flat, network, train
from bnlib.initializers import scaled
from bnlib.norms import LayerNormalization

ARMS = {
    "none": {},
    "batchnorm": {"batchnorm": "before"},
    "layernorm": {
        "batchnorm": "before",
        "normalization": lambda units, **_: LayerNormalization(units),
    },
}
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
        The arms are "none", "batchnorm" and "layernorm".
    """
    split = flat(data)

    def accuracy(options, scale):
        start = scaled("he_normal", scale)
        model = network(split, hidden, seed=seed, kernel_initializer=start, **options)
        how = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
        return train(model, split, seed=seed, **how)["accuracy"][-1]

    return {
        arm: [accuracy(options, scale) for scale in scales]
        for arm, options in ARMS.items()
    }
