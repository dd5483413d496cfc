"""Chapter 7. Before the activation or after it: ten paired seeds, and two budgets for each case.

The arms of a seed start from the same kernels and see the same batches; only the place of batch
normalization differs. Each arm is tested early and late: a lead may be a head start.
"""

from bnlib.experiments.common import ACTIVATIONS, flat, network, train

PLACES = {"none": None, "before": "before", "after": "after"}
CASES = (
    # activation, learning rate, steps of the two budgets
    ("relu", 0.01, (60, 240)),
    ("relu", 0.1, (100, 400)),
    ("sigmoid", 0.5, (60, 240)),
    ("tanh", 0.1, (60, 240)),
)


def run(data, *, seed, cases=CASES, hidden=(64, 64, 64), batch_size=64):
    """Train one network a case and place.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    cases : sequence of (activation, learning rate, steps)
        "relu", "sigmoid" or "tanh"; and after how many steps to test.
    hidden : sequence of int
        Widths of the hidden layers.
    batch_size : int

    Returns
    -------
    dict
        For each case, "relu 0.1", and each place, "none", "before" and "after": `steps`,
        `accuracy` and `loss` on the test images, one number a budget, and `diverged`.
    """
    data = flat(data)
    result = {}
    for activation, learning_rate, steps in cases:
        arms = result[f"{activation} {learning_rate:g}"] = {}
        for name, place in PLACES.items():
            options = {"batchnorm": place, **ACTIVATIONS[activation]}
            model = network(data, hidden, seed=seed, **options)
            arms[name] = train(
                model,
                data,
                steps=max(steps),
                seed=seed,
                learning_rate=learning_rate,
                batch_size=batch_size,
                evaluate_at=steps,
            )
    return result
