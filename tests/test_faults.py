"""A book with a fault is not built: its build ends with the page's name and with what is wrong."""

import os
import subprocess
import sys

import nbformat
import pytest
from nbformat import v4

from conftest import ROOT

CONFIG = f"""title: Faults
bibtex_bibfiles: [all.bib]
execute:
  execute_notebooks: cache
sphinx:
  local_extensions:
    complete: {ROOT.as_posix()}/_ext
  config:
    bibtex_reference_style: author_year
"""
PAGES = {  # a page, and what the build must say about it
    "figure": ("![A curve](none.png)", "none.png"),
    "link": ("[The other](none.md)", "none.md"),
    "anchor": ("[Below](#none)", "none"),
    "page": ("{doc}`none`", "none"),
    "number": ("{eq}`none`", "none"),
    "citation": ("{cite:t}`none1999`", "none1999"),
    "term": ("{term}`none`", "none"),
    "directive": ("```{none}\n```", "none"),
}
BUILD = "from jupyter_book.cli.main import main; main()"
CELLS = {"error": "1 / 0", "kernel": "import os\nos._exit(1)"}


def build(folder, pages, cells=()):
    """Build a book of these pages and notebooks; return the exit status and what it said."""
    (folder / "_config.yml").write_text(CONFIG, encoding="utf-8")
    (folder / "all.bib").touch()
    toc = ["format: jb-book", "root: index", "chapters:"]
    for name in ["index", *pages, *cells]:
        if name != "index":
            toc.append(f"  - file: {name}")
        if name in cells:
            code = [v4.new_markdown_cell(f"# A {name}"), v4.new_code_cell(CELLS[name])]
            kernel = {"name": "python3", "display_name": "Python 3"}
            notebook = v4.new_notebook(cells=code, metadata={"kernelspec": kernel})
            nbformat.write(notebook, folder / f"{name}.ipynb")
        else:
            text = f"# A {name}\n\n{pages.get(name, ['Text.'])[0]}\n"
            (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / "_toc.yml").write_text("\n".join(toc), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, "build", str(folder)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1"},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Return how the build of a book ended that has all faults at once."""
    return build(tmp_path_factory.mktemp("book"), PAGES, ["error"])


def warnings_about(said, page):
    """Return what was said about the page."""
    lines = said.splitlines()
    return [line for line in lines if "WARNING" in line and page in line]


def test_a_book_with_faults_is_not_built(faulty):
    assert faulty[0] != 0


@pytest.mark.parametrize("page", PAGES)
def test_a_fault_is_told_with_the_name_of_its_page(faulty, page):
    told = warnings_about(faulty[1], f"{page}.md")
    assert any(PAGES[page][1] in line for line in told)


def test_a_cell_that_fails_is_told_with_the_name_of_its_page(faulty):
    assert "error, cell 2 failed: ZeroDivisionError" in faulty[1]


def test_a_kernel_that_dies_ends_the_build_with_the_name_of_its_page(tmp_path):
    status, said = build(tmp_path, {}, ["kernel"])
    assert status != 0
    assert any("Kernel died" in line for line in warnings_about(said, "kernel"))


def test_a_book_without_faults_is_built(tmp_path):
    assert build(tmp_path, {"good": ("Text.", "")})[0] == 0
