"""Floor 5. Experiments that take longer than a reader will wait, run by one command and recorded.

`python -m bnlib.experiments` lists them; `python -m bnlib.experiments NAME` runs one and writes
`results/NAME.json`. Each is a module with one function,

    run(data, *, seed, ...) -> dict

of numbers, lists and dicts of them: no figures. The settings have defaults, which the record is
made with; a chapter calls the same function with fewer steps. `data` is a `Split` of images, drawn
for this seed where the set has no split of its own, or None where the experiment makes its own
data from the seed (`bnlib.experiments.data`). The arms of a comparison are paired: same data, same
starting kernels, same batches, one knob changed.
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
    "fashion_mnist": Experiment("fashion_mnist", 5, 5, "What does batch norm bring the 300-200-100 network of the tutorials?"),
    "keras_facts": Experiment("synthetic", 5, 0.2, "What does Keras's layer hold, count, compute and refuse?"),
}
# fmt: on
