"""List the experiments, or run one and record it: `python -m bnlib.experiments [NAME]`."""

import argparse
import os
import sys

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from bnlib.experiments import EXPERIMENTS
from bnlib.experiments.data import IMAGES
from bnlib.experiments.record import (
    FOLDER,
    DamagedRecordError,
    load,
    provenance,
    record,
    stem,
)


class Parser(argparse.ArgumentParser):
    """Argparse, with an error in one line."""

    def error(self, message):
        """Say what is wrong and stop."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments=None):
    """Run the command line; return its exit status."""
    # As in the chapters: no notices of TensorFlow, and numbers that do not depend on oneDNN.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.name is None:
        print(*_table(), sep="\n")
        return 0
    made_on = EXPERIMENTS[options.name].data
    if options.data and made_on == "synthetic":
        parser.error(
            f"argument --data: {options.name} makes its own data. Received: {options.data}"
        )
    data, seeds = (
        options.data or made_on,
        options.seeds or EXPERIMENTS[options.name].seeds,
    )
    seeds_done = tqdm(
        record(options.name, seeds=range(seeds), data=data), total=seeds, unit="seed"
    )
    try:
        with threadpool_limits(limits=1):  # small matrices gain nothing from more
            for _ in seeds_done:
                pass
    except FileNotFoundError as error:
        print(f"{error}. Or add: --data digits", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the seeds that had finished are recorded", file=sys.stderr)
        return 130
    print(f"recorded in {FOLDER / stem(options.name, data)}.json")
    return 0


def _table():
    """Yield a line an experiment."""
    yield f"{'name':16} {'data':14} {'seeds':>5} {'CPU minutes':>11}  {'record':8} question"
    for name, experiment in EXPERIMENTS.items():
        state, seeds, minutes = _state(name)
        yield (
            f"{name:16} {experiment.data:14} {seeds:5} {minutes:>11}  {state:8} "
            f"{experiment.question}"
        )


def _state(name):
    """Return the state of a record, its number of seeds and the time that they took."""
    experiment = EXPERIMENTS[name]
    estimate = experiment.seeds, f"about {experiment.minutes:g}"
    try:
        content = load(name)
    except FileNotFoundError:
        return "none", *estimate
    except DamagedRecordError:
        return "damaged", *estimate
    runs = content["runs"].values()
    minutes = sum(run["cpu_seconds"] for run in runs) / 60
    now = provenance(name)
    state = "current" if {key: content[key] for key in now} == now else "stale"
    return state, len(runs), f"{minutes:.1f}"


def _parser():
    parser = Parser(prog="python -m bnlib.experiments", description=__doc__)
    parser.add_argument(
        "name", nargs="?", choices=EXPERIMENTS, help="leave out to list them"
    )
    parser.add_argument(
        "--seeds", type=_positive, help="how many (default: as many as are recorded)"
    )
    parser.add_argument(
        "--data",
        choices=IMAGES,
        help="default: what the record is made on; any other has a record of its own",
    )
    return parser


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"must be a whole number, 1 or more. Received: {text}"
        )
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
