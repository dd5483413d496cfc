"""Execute the chapters and write them in one normal form, so that a diff reads like a diff.

``python tools/notebooks.py`` executes every chapter in place; ``--check`` only lists those out
of form. What is stored is the code and its text outputs: they are the contract that nbval
checks. Images and everything that varies from run to run are left out; the site is built from a
fresh execution.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from environment import prepare

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
TIMEOUT = 300  # seconds for one cell
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}
KEPT_OF_A_CELL = {"mystnb", "tags"}
KEPT_OF_A_NOTEBOOK = {"mystnb", "myst"}


class ChapterError(Exception):
    """A cell failed; the message names the chapter and the cell."""


def normalise(notebook):
    """Return a copy of the notebook in normal form: same text, same outputs, nothing volatile."""
    normal = nbformat.from_dict(notebook)
    kept = {
        key: value
        for key, value in normal.metadata.items()
        if key in KEPT_OF_A_NOTEBOOK
    }
    normal.metadata = nbformat.from_dict(
        {**kept, "kernelspec": KERNEL, "language_info": LANGUAGE}
    )
    normal.nbformat, normal.nbformat_minor = 4, 5
    normal.cells = [cell for cell in normal.cells if cell.source.strip()]
    for number, cell in enumerate(normal.cells, start=1):
        cell.id = f"cell-{number:02}"
        cell.metadata = nbformat.from_dict(
            {k: v for k, v in cell.metadata.items() if k in KEPT_OF_A_CELL}
        )
        cell.source = cell.source.strip("\n")
    code = (cell for cell in normal.cells if cell.cell_type == "code")
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count  # nbval takes a cell without one for never run
        cell.outputs = [_normal_output(output, count) for output in cell.outputs]
    return normal


def _normal_output(output, count):
    """Return the output without its images and without what varies from run to run."""
    if "data" in output:
        output.data = {
            kind: value
            for kind, value in output.data.items()
            if not kind.startswith("image/")
        }
        output.metadata = {}
    if "execution_count" in output:
        output.execution_count = count
    output.pop("transient", None)
    return output


def to_text(notebook):
    """Return the file's text: sorted keys, one indent, one final newline."""
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def is_normal(path):
    """Tell whether the file holds exactly what `normalise` would write."""
    return path.read_text(encoding="utf-8") == to_text(
        normalise(nbformat.read(path, as_version=4))
    )


def execute(path):
    """Execute one chapter in its own folder and write it in normal form."""
    notebook = nbformat.read(path, as_version=4)
    normal = normalise(notebook)
    reached = {"index": 0}
    client = NotebookClient(
        normal,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
        on_cell_start=lambda cell, cell_index: reached.update(index=cell_index),
    )
    try:
        client.execute()
    except Exception as error:
        raise ChapterError(
            _describe(path, normal.cells[reached["index"]], error)
        ) from None
    path.write_text(to_text(normalise(normal)), encoding="utf-8", newline="\n")
    return path


def _describe(path, cell, error):
    """Say which chapter and cell failed, with the cell's source and the error's last words."""
    words = (
        f"{error.ename}: {error.evalue}"
        if isinstance(error, CellExecutionError)
        else str(error)
    )
    source = "\n".join("    " + line for line in cell.source.splitlines())
    return (
        f"{path.parent.name}/{path.name}, {cell.id}, failed: {words.strip()}\n{source}"
    )


def execute_all(paths):
    """Execute the chapters, two at a time; return how many failed."""
    failures = 0
    with ProcessPoolExecutor(max_workers=2) as pool:
        for path, future in [(path, pool.submit(execute, path)) for path in paths]:
            try:
                future.result()
                print(f"executed {path.name}", flush=True)
            except ChapterError as error:
                failures += 1
                print(error, file=sys.stderr, flush=True)
    return failures


def check_all(paths):
    """Name every notebook that is out of form; return how many there are."""
    wrong = [path for path in paths if not is_normal(path)]
    for path in wrong:
        print(
            f"{path.name} is not in normal form: run 'python tools/notebooks.py {path}'",
            file=sys.stderr,
        )
    return len(wrong)


def main(arguments=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "paths", nargs="*", type=Path, help="notebooks (default: every chapter)"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="list notebooks out of form; execute nothing",
    )
    options = parser.parse_args(arguments)
    prepare()
    paths = options.paths or sorted(CHAPTERS.glob("*.ipynb"))
    wrong = (
        check_all(paths)
        if options.check
        else execute_all([path.resolve() for path in paths])
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
