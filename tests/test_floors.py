"""Specification of the house: who may import whom, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bnlib

FOLDER = Path(bnlib.__file__).parent
FLOORS = {
    "checks": 0,
    "sums": 0,
    "standardization": 1,
    "blocks": 1,
    "whole": 1,
    "fused": 1,
    "losses": 1,
    "gradcheck": 1,
    "initializers": 1,
    "batchnorm": 2,
    "fastnorm": 2,
    "training": 2,
    "layers": 3,
    "norms": 4,
    "diagnostics": 4,
    "deployment": 4,
    "experiments": 5,
    # At the side: anything may use them but the floors.
    "datasets": 4,
    "plots": 4,
    "source": 4,
}
# What an optional module needs beside NumPy; `import bnlib` leaves such a module alone.
EXTRAS = {"fused": {"numba"}}
MODULES = sorted(
    path
    for path in FOLDER.rglob("*.py")
    if path.parent == FOLDER and path.stem != "__init__"
)


def imports(path, *, only_at_import=False):
    """Return the names of the modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attempts = [node for node in tree.body if isinstance(node, ast.Try)]
    at_import = tree.body + [node for attempt in attempts for node in attempt.body]
    nodes = at_import if only_at_import else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_from_floors_below_its_own(path):
    used = {name.split(".")[1] for name in imports(path) if name.startswith("bnlib.")}
    assert all(FLOORS[name] < FLOORS[path.stem] for name in used)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_needs_nothing_but_numpy_when_it_is_imported(path):
    top = {name.split(".")[0] for name in imports(path, only_at_import=True)}
    extras = EXTRAS.get(path.stem, set())
    assert top <= {"bnlib", "numpy"} | extras | sys.stdlib_module_names


def test_importing_bnlib_loads_numpy_and_nothing_else():
    code = (
        "import sys, numpy; before = set(sys.modules); import bnlib; "
        "new = {n.split('.')[0] for n in set(sys.modules) - before}; "
        "print(*sorted(new - {'bnlib', 'numpy'} - set(sys.stdlib_module_names)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == ""


def test_every_public_name_exists():
    assert all(hasattr(bnlib, name) for name in bnlib.__all__)


def test_every_public_function_and_class_has_a_docstring():
    for path in FOLDER.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(
                node, ast.FunctionDef | ast.ClassDef
            ) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def lines_of_code(path):
    """Count the lines that are neither blank nor of a docstring."""
    source = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    lines = enumerate(source.splitlines(), 1)
    return sum(bool(text.strip()) and n not in docstrings for n, text in lines)


def test_the_code_of_bnlib_can_be_read_in_an_hour():
    # An experiment is a reading of its own, and nothing depends on the extra.
    modules = [path for path in FOLDER.glob("*.py") if path.stem != "fused"]
    assert sum(map(lines_of_code, modules)) < 1600


def test_a_docstring_and_a_blank_line_are_no_code(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        '"""Two\nlines."""\n\nx = 1\n\n\ndef f():\n    """One."""\n    return x\n'
    )
    assert lines_of_code(path) == 3
