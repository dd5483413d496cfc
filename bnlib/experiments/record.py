"""Record an experiment with its provenance, and tell whether a record is what the code says.

A record is written after every seed, by way of a second file: an interruption loses nothing.
"""

import ast
import hashlib
import importlib
import inspect
import json
import os
import platform
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from bnlib import datasets

INSIDE = Path(__file__).parents[1] / "results"  # where an installed library has them
FOLDER = INSIDE if INSIDE.is_dir() else Path(__file__).parents[2] / "results"
DATA = {
    "digits": lambda: datasets.load_digits(rng=np.random.default_rng(0)),
    "fashion_mnist": datasets.load_fashion_mnist,
    "mnist": datasets.load_mnist,
}


def record(name, *, seeds, data, folder=FOLDER):
    """Run an experiment for the seeds that are not recorded yet, and write its record.

    Parameters
    ----------
    name : str
        A module of `bnlib.experiments` with a function `run(data, *, seed, ...)`.
    seeds : iterable of int
    data : {"digits", "fashion_mnist", "mnist"}
    folder : path

    Yields
    ------
    int
        Each seed, when it is recorded.
    """
    run = importlib.import_module(f"bnlib.experiments.{name}").run
    split = DATA[data]()
    path = Path(folder) / f"{name}.json"
    provenance = {
        "experiment": name,
        "code": code_hash(f"bnlib.experiments.{name}"),
        "settings": _settings(run),
        "data": {"name": data, **describe(split)},
    }
    kept = load(name, folder=folder) if path.exists() else {}
    same = {key: kept.get(key) for key in provenance} == provenance
    runs = kept["runs"] if same else {}
    for seed in seeds:
        if str(seed) not in runs:
            start = time.process_time()
            result = run(split, seed=seed)
            runs[str(seed)] = {
                "cpu_seconds": round(time.process_time() - start, 1),
                **result,
            }
            _write(path, {**provenance, "versions": _versions(), "runs": runs})
        yield seed


def load(name, *, folder=FOLDER):
    """Return a record as it was written."""
    return json.loads((Path(folder) / f"{name}.json").read_text(encoding="utf-8"))


def describe(split):
    """Sizes and checksum of a data set."""
    digest = hashlib.sha256()
    for array in split:
        digest.update(np.ascontiguousarray(array).tobytes())
    return {
        "train": len(split.x_train),
        "test": len(split.x_test),
        "sha256": digest.hexdigest()[:16],
    }


def code_hash(module):
    """Hash of a module and of all of bnlib that it imports, without comments and docstrings.

    Examples
    --------
    >>> code_hash("bnlib.losses") == code_hash("bnlib.losses")
    True
    """
    digest = hashlib.sha256()
    for name in sorted(_closure(module)):
        digest.update(repr(_skeleton(_tree(name))).encode())
    return digest.hexdigest()[:16]


def _closure(module):
    """Names of `module` and of the modules of bnlib that it imports, directly or not."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return found


def _imports(name):
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.ImportFrom) and node.module == "bnlib":
            yield from (f"bnlib.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "bnlib."
        ):
            yield node.module


def _tree(name):
    return ast.parse(inspect.getsource(importlib.import_module(name)))


def _skeleton(node):
    """Return the code as nested tuples, without docstrings, the same in every Python version."""
    if isinstance(node, list):
        return [_skeleton(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = {
        name: value for name, value in ast.iter_fields(node) if value not in (None, [])
    }
    body = fields.get("body")
    if isinstance(body, list) and _is_text(body[0]):
        fields["body"] = body[1:]
    return type(node).__name__, [
        (name, _skeleton(value)) for name, value in fields.items()
    ]


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(
        getattr(node.value, "value", None), str
    )


def _settings(run):
    """Return the defaults that the experiment runs with."""
    parameters = inspect.signature(run).parameters.values()
    settings = {p.name: p.default for p in parameters if p.default is not p.empty}
    return json.loads(json.dumps(settings))


def _versions():
    names = ["numpy", "tensorflow", "tensorflow-cpu", "keras", "scikit-learn"]
    found = {name: _version(name) for name in names}
    return {
        "python": platform.python_version(),
        **{k: v for k, v in found.items() if v},
    }


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _write(path, content):
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
