"""Copies of the chapters for places that have neither the repository nor its library.

The stored notebooks stay as they are. A copy has no outputs, begins with the one line that
installs what it needs there, and says in plain words what only the book's builder understands.
JupyterLite's copies are made by ``lite.py``; ``python _ext/copies.py FOLDER`` writes Colab's,
which the workflow puts on a branch of their own, since Colab opens notebooks from GitHub alone.
"""

import ast
import os
import re
import sys
from pathlib import Path

import nbformat
from nbformat import v4

from address import branch, repository

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = "chapters/*.ipynb"
HEAVY = {"keras", "tensorflow"}  # runs on a machine of one's own, not in a browser


def imports(source):
    """Return the full names of the modules that the code imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def needs_tensorflow(notebook, root=ROOT):
    """Tell whether the chapter's code, or an experiment that it runs, imports TensorFlow."""
    code = (cell.source for cell in notebook.cells if cell.cell_type == "code")
    used = set().union(*map(imports, code))
    experiments = [name for name in used if name.startswith("bnlib.experiments.")]
    for name in experiments:
        path = root / f"{name.replace('.', '/')}.py"
        used |= imports(path.read_text(encoding="utf-8"))
    return any(name.split(".")[0] in HEAVY for name in used)


def in_plain_words(text, absent):
    """Return the Markdown without roles of the builder and without links to absent notebooks."""
    text = re.sub(r"\{[\w:]+\}`([^`<]+?)(?:\s*<[^`]*>)?`", r"\1", text)
    return re.sub(
        r"\[([^\]]+)\]\(([^)#]+\.ipynb)(?:#[^)]*)?\)",
        lambda link: link[1] if link[2] in absent else link[0],
        text,
    )


def copy_of(notebook, install, absent=()):
    """Return a copy without outputs that begins by installing what it needs."""
    cells = [v4.new_code_cell(install, id="install")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cells.append(v4.new_code_cell(cell.source, id=cell.id))
        else:
            text = in_plain_words(cell.source, absent)
            cells.append(v4.new_markdown_cell(text, id=cell.id))
    return v4.new_notebook(cells=cells, metadata=notebook.metadata)


def chapters(root=ROOT):
    """Return every chapter as it is stored, by its file's name."""
    paths = sorted(root.glob(CHAPTERS))
    return {path.name: nbformat.read(path, as_version=4) for path in paths}


def write(copies, folder):
    """Write the notebooks into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, notebook in copies.items():
        nbformat.write(notebook, folder / name)


def for_colab(environment):
    """Return a copy of every chapter that installs bnlib from the repository."""
    address = repository(environment)
    if address is None:
        raise ValueError(
            "Colab's copies install bnlib from the repository: BOOK_REPOSITORY_URL must be "
            "its address. Received: none"
        )
    install = f"%pip install --quiet git+{address}@{branch(environment)}"
    return {name: copy_of(chapter, install) for name, chapter in chapters().items()}


if __name__ == "__main__":
    write(for_colab(os.environ), Path(sys.argv[1]))
