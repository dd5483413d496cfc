"""Run the benchmarks: `python -m benchmarks [--quick] [--only NAME]`."""

import argparse
import os
import sys
from pathlib import Path

# One thread for the linear algebra, said before NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks import exactness, figures, report
from benchmarks.coldstart import run_coldstart
from benchmarks.machine import describe
from benchmarks.memory import run_memory
from benchmarks.passes import missing, run_inference, run_kept, run_passes, run_sizes
from benchmarks.timing import one_blas_thread
from benchmarks.training import run_epoch, run_training

ROOT = Path(__file__).parents[1]
RECORD = Path(__file__).with_name("record.json")
BUILD = ROOT / "_build" / "benchmarks"
TABLES = {
    "passes": run_passes,
    "sizes": run_sizes,
    "inference": run_inference,
    "memory": run_memory,
    "training": run_training,
    "epoch": run_epoch,
    "coldstart": run_coldstart,
    "kept": run_kept,  # the last one: all that follows would keep its memory too
}


def main(arguments=None):
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    names = [options.only] if options.only else list(TABLES)
    machine = describe()
    report.print_machine(machine)
    _print_missing()
    tables = {}
    with one_blas_thread():
        for name in names:
            if name in TABLES:
                tables[name] = _run(name, options.quick)
    if tables:
        report.print_summary(tables)
    if options.only in (None, "exactness") and not options.quick:
        tables["exactness"] = [exactness.record(row) for row in exactness.main([])]
    # Only a whole run is the record; a part of one lies beside the figures.
    whole = not (options.quick or options.only)
    path = RECORD if whole else BUILD / "record.json"
    if tables:
        report.write_record(path, machine, tables)
        for file in [path, *figures.draw(tables, BUILD)]:
            print(f"written: {file.relative_to(ROOT)}")
    return 0


def _print_missing():
    for name in missing():
        print(f"{name}: not installed, skipped")
    if missing():
        print(f"To add them: {sys.executable} -m pip install -e '.[bench]' torch")


def _run(name, quick):
    report.print_title(name)
    rows = []
    for row in TABLES[name](quick=quick):
        report.print_row(row)
        sys.stdout.flush()
        rows.append(row)
    return rows


def _parser():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="few rounds, to see that all runs"
    )
    parser.add_argument("--only", choices=[*TABLES, "exactness"], help="one table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
