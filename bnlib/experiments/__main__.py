"""List the experiments, or run one and record it: `python -m bnlib.experiments [NAME]`."""

import argparse
import sys

from tqdm import tqdm

from bnlib.experiments import EXPERIMENTS
from bnlib.experiments.record import DATA, FOLDER, record


def main(arguments=None):
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    if options.name is None:
        for name, (data, question, minutes) in EXPERIMENTS.items():
            print(f"{name}  on {data}, about {minutes} CPU minutes: {question}")
        return 0
    data = options.data or EXPERIMENTS[options.name][0]
    try:
        for _ in tqdm(
            record(options.name, seeds=range(options.seeds), data=data),
            total=options.seeds,
            unit="seed",
        ):
            pass
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"recorded in {FOLDER / options.name}.json")
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bnlib.experiments", description=__doc__
    )
    parser.add_argument(
        "name", nargs="?", choices=EXPERIMENTS, help="leave out to list them"
    )
    parser.add_argument(
        "--seeds", type=_positive, default=5, help="how many (default: 5)"
    )
    parser.add_argument(
        "--data", choices=DATA, help="default: what the record was made on"
    )
    return parser


def _positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more. Received: {text}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
