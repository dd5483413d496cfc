"""Record an experiment with its provenance, and tell whether a record is what the code says.

A record is written after every seed, by way of a second file: an interruption loses nothing.
"""

import hashlib
import importlib
import inspect
import json
import math
import os
import platform
import shutil
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from bnlib.experiments import EXPERIMENTS
from bnlib.experiments.code import code_hash
from bnlib.experiments.data import describe, load_data

INSIDE = Path(__file__).parents[1] / "results"  # where an installed library has them
FOLDER = INSIDE if INSIDE.is_dir() else Path(__file__).parents[2] / "results"
PACKAGES = ("numpy", "tensorflow", "tensorflow-cpu", "keras", "scikit-learn")


class DamagedRecordError(ValueError):
    """A record that does not parse, or whose digest is not that of its content."""


def record(name, *, seeds, data=None, folder=FOLDER):
    """Run an experiment for the seeds that are not recorded yet, and write its record.

    A record that other code, settings or data made, or that was damaged, is begun anew; the old one
    is set aside as `NAME.old`.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    seeds : iterable of int
    data : {"digits", "fashion_mnist", "mnist"}, optional
        Default: what `EXPERIMENTS` says. Any other has a record of its own, `NAME-DATA.json`.
    folder : path

    Yields
    ------
    int
        Each seed, when it is recorded.
    """
    data = data or EXPERIMENTS[name].data
    run = importlib.import_module(f"bnlib.experiments.{name}").run
    path = Path(folder) / f"{stem(name, data)}.json"
    made_by = {**provenance(name), "data": describe(data)}
    runs = _kept(path, made_by)
    for seed in seeds:
        if str(seed) not in runs:
            split = load_data(data, seed=seed)
            start = time.process_time()
            result = run(split, seed=seed)
            seconds = round(time.process_time() - start, 1)
            if not runs and path.exists():
                shutil.copyfile(path, path.with_suffix(".old"))
            runs[str(seed)] = plain({"cpu_seconds": seconds, **result})
            _write(path, {**made_by, "versions": _versions(), "runs": runs})
        yield seed


def load(name, *, folder=FOLDER):
    """Return a record as it was written.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`, or "NAME-DATA" for a record on other data.
    folder : path

    Returns
    -------
    dict
        `experiment`, `code`, `settings`, `data`, `versions` and `runs`: the result of each seed,
        by the seed as text.

    Raises
    ------
    FileNotFoundError
    DamagedRecordError
    """
    path = Path(folder) / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        written = content.pop("digest")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path.name} is not there: {how_to_make(name)}"
        ) from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedRecordError(
            f"{path.name} is not a record that parses: {how_to_make(name)}"
        ) from error
    if written != _digest(content):
        raise DamagedRecordError(
            f"{path.name} was edited after it was recorded: {how_to_make(name)}"
        )
    return content


def stem(name, data):
    """Name of a record's file, without its ending.

    Examples
    --------
    >>> stem("fashion_mnist", "fashion_mnist"), stem("fashion_mnist", "digits")
    ('fashion_mnist', 'fashion_mnist-digits')
    """
    return name if data == EXPERIMENTS[name].data else f"{name}-{data}"


def how_to_make(stem):
    """Return the sentence that tells how to make a record.

    Examples
    --------
    >>> how_to_make("paper-digits")
    'record it with python -m bnlib.experiments paper --data digits'
    """
    name, _, data = stem.partition("-")
    option = f" --data {data}" if data else ""
    return f"record it with python -m bnlib.experiments {name}{option}"


def provenance(name):
    """Return the parts of a record that the code alone decides."""
    module = f"bnlib.experiments.{name}"
    run = importlib.import_module(module).run
    parameters = inspect.signature(run).parameters.values()
    settings = {p.name: p.default for p in parameters if p.default is not p.empty}
    return {"experiment": name, "code": code_hash(module), "settings": plain(settings)}


def plain(value):
    """Return a result as JSON can hold it: to six digits, None for what is not finite.

    Examples
    --------
    >>> plain({"loss": np.array([0.12345678, np.inf]), 32: True})
    {'loss': [0.123457, None], '32': True}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(
        "a result must consist of numbers, text, lists and dicts. "
        f"Received: {type(value).__name__}"
    )


def _kept(path, made_by):
    """Return the runs that need not be done again."""
    try:
        content = load(path.stem, folder=path.parent)
    except (FileNotFoundError, DamagedRecordError):
        return {}
    same = {key: content.get(key) for key in made_by} == made_by
    return content["runs"] if same else {}


def _digest(content):
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _versions():
    found = {name: _version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        **{name: version for name, version in found.items() if version},
    }


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _write(path, content):
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    text = _layout({**content, "digest": _digest(content)})
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _layout(value, margin=""):
    """Return JSON with a line for each innermost list, so that a difference can be read."""
    inner = margin + " "
    if isinstance(value, dict) and value:
        rows = [
            f"{inner}{json.dumps(key)}: {_layout(item, inner)}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(rows) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        rows = [inner + _layout(item, inner) for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{margin}]"
    return json.dumps(value)
