"""Floor 5. Experiments that take longer than a reader will wait, run by one command and recorded.

`python -m bnlib.experiments` lists them; `python -m bnlib.experiments NAME` runs one and writes
`results/NAME.json`. Each is a module with one function::

    run(data, *, seed, ...) -> dict

The result consists of numbers, lists and dicts of them with text for keys; figures are drawn
elsewhere. The settings have defaults, which the record is made with; a chapter calls the same
function with fewer steps. `data` is a `Split` of images, drawn for this seed where the set has no
split of its own, or None where the experiment makes its own data from the seed
(`bnlib.experiments.data`). The arms of a comparison are paired: same data, same starting kernels,
same batches, one knob changed.
"""

from typing import NamedTuple


class Experiment(NamedTuple):
    """What is known of an experiment before it is run."""

    data: str  # what it is recorded on
    seeds: int  # how many it is recorded for
    minutes: float  # of one core, for all of them; an estimate until there is a record
    question: str


# One line each, in the order of the alphabet.
# fmt: off
# ruff: noqa: E501
EXPERIMENTS = {
    "batch_size": Experiment("digits", 10, 1.5, "From which batch size on are the batch's statistics good enough, and what helps below it?"),
    "depth": Experiment("digits", 5, 1.2, "Does the gradient reach the first of 2 to 50 layers, and do they learn?"),
    "fashion_mnist": Experiment("fashion_mnist", 5, 5, "What does batch norm bring the 300-200-100 network of the tutorials?"),
    "ghost_batches": Experiment("digits", 10, 2, "Does batch norm regularize by the noise of its statistics? Train and test loss apart"),
    "gradient_shift": Experiment("digits", 10, 0.5, "How much does a layer's gradient change when the layers below it move, with batch norm and without?"),
    "identities": Experiment("synthetic", 5, 0.1, "What is exactly so, as measured residuals?"),
    "initial_scale": Experiment("digits", 5, 0.2, "Over how many decades of starting kernels does a network train?"),
    "input_scales": Experiment("synthetic", 10, 0.4, "Age and miles: does batch norm inside a network, or as its first layer, replace scaling its inputs?"),
    "keras_facts": Experiment("synthetic", 5, 0.2, "What does Keras's layer hold, count, compute and refuse?"),
    "learning_rates": Experiment("digits", 5, 0.4, "Over how many decades of learning rates does a network train, with batch norm and without?"),
    "loss_landscape": Experiment("digits", 10, 0.2, "Is the loss smoother along the gradient with batch norm?"),
    "moving_averages": Experiment("digits", 5, 0.1, "How wrong are the moving statistics after few steps?"),
    "noisy_batchnorm": Experiment("digits", 10, 0.5, "Does batch norm still help when noise moves the units more than they move without it?"),
    "outlier_weight": Experiment("digits", 10, 0.1, "What becomes of a network when one weight is a thousand times too large, and of the weight?"),
    "paper": Experiment("mnist", 5, 12, "The 2015 paper's own: three layers of 100 sigmoids on MNIST, accuracy against steps and what enters one unit"),
    "partial_batchnorm": Experiment("digits", 10, 1, "Which part of batch norm does the work: the mean, the variance, or their gradient?"),
    "placement": Experiment("digits", 10, 0.4, "Before the activation, after it or none: early and late, on paired seeds"),
    "scale_invariance": Experiment("digits", 5, 0.6, "What does a kernel's scale change, and how does its norm set the effective rate?"),
    "shifted_data": Experiment("digits", 5, 0.1, "Do stored or re-estimated statistics stand changed test images, and does no batch norm?"),
    "sorted_batches": Experiment("digits", 5, 0.1, "What do batch statistics make of test batches that hold one class?"),
}
# fmt: on
