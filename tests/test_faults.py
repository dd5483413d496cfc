"""A fault in the book ends its build, and the message names the page: tried on small books."""

import subprocess
import sys

import pytest

from conftest import ROOT

SETTINGS = """
import sys
sys.path.insert(0, {extensions!r})
extensions = ["myst_nb", "sphinxcontrib.bibtex", "sphinx_external_toc", "complete", "mathml"]
external_toc_path = "_toc.yml"
bibtex_bibfiles = ["references.bib"]
html_theme = "sphinx_book_theme"
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "cache"
nitpicky = True
suppress_warnings = ["bibtex.missing_file"]
"""
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
GOOD = """(top)=
# Title

{term}`batch`, {cite}`known`, [a section](#top), $x^2$

![A square](square.svg)

```{glossary}
batch
  Some rows.
```

```{bibliography}
```
"""
FAULTS = {  # what is on the page of this name, and what the message says
    "missing_figure": ("![A circle](circle.svg)", "circle.svg"),
    "link_to_no_page": ("[elsewhere](other.md)", "other.md"),
    "link_to_no_section": ("[elsewhere](#nowhere)", "nowhere"),
    "reference_to_no_page": ("{doc}`other`", "other"),
    "unknown_citation": ("{cite}`unknown`", "unknown"),
    "unknown_term": ("{term}`minibatch`", "minibatch"),
    "image_without_words": ("![](square.svg)", "without alternative text"),
    "formula_that_is_none": (r"$\nonsense$", "nonsense"),
    "failing_cell": ("```{code-cell}\n1 / 0\n```", "ZeroDivisionError"),
}
DEADLY = "```{code-cell}\nimport os\nos._exit(1)\n```"
NOTEBOOK = """---
file_format: mystnb
kernelspec: {name: python3}
---
"""


def build(folder, pages):
    """Build a book of these pages; return (exit status, all that was said)."""
    book = folder / "book"
    book.mkdir()
    (book / "conf.py").write_text(SETTINGS.format(extensions=str(ROOT / "_ext")))
    (book / "references.bib").write_text(
        "@misc{known, author={A}, title={T}, year=2000}"
    )
    (book / "square.svg").write_text(PICTURE)
    chapters = "".join(f"  - file: {name}\n" for name in pages)
    (book / "_toc.yml").write_text(
        f"root: index\nentries:\n{chapters}" if pages else "root: index"
    )
    (book / "index.md").write_text(GOOD)
    for name, text in pages.items():
        (book / f"{name}.md").write_text(f"{NOTEBOOK}# Title\n\n{text}\n")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    run = subprocess.run(
        [*command, book, folder / "html"], capture_output=True, text=True
    )
    return run.returncode, run.stdout + run.stderr


def test_a_book_without_a_fault_is_built(tmp_path):
    assert build(tmp_path, {}) == (0, "")


@pytest.fixture(scope="module")
def broken_book(tmp_path_factory):
    """Return what the builder says of a book that has every fault, each on its own page."""
    pages = {name: text for name, (text, _) in FAULTS.items()}
    return build(tmp_path_factory.mktemp("broken"), pages)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_the_build_and_names_the_page(broken_book, name):
    status, said = broken_book
    assert status != 0
    words = FAULTS[name][1]
    messages = said.split("\x1b[39;49;00m\n") if "\x1b" in said else said.splitlines()
    assert any(name in message and words in message for message in messages), said


def test_a_kernel_that_dies_ends_the_build_and_its_page_is_named(tmp_path):
    status, said = build(tmp_path, {"deadly_page": DEADLY})
    assert status != 0
    assert "the build stopped at deadly_page: DeadKernelError" in said
