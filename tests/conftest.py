"""What several test files share: the chapters, the built site, a server for it and a browser."""

import os
from functools import cache
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

import fresh
from chromium import MISSING, find_browser, flags
from server import serving
from visit import DESK, Visit

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PAGES = sorted(name.removesuffix(".md") for name in parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTER_PAGES = [name for name in PAGES if name.startswith("chapters/")]
# With those that the builder adds, and one of the library's sources for all of them.
ALL_PAGES = [*PAGES, "genindex", "search", "_modules/bnlib/batchnorm"]


def read_notebook(path):
    """Return the chapter as it is stored."""
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="session")
def site():
    """Return the folder of the built site, built from the sources as they are now."""
    if not (SITE / "index.html").is_file():
        pytest.fail(
            "The site is not built: run 'make book' (or 'jupyter-book build .') before the tests."
        )
    if not fresh.is_current(ROOT):
        pytest.fail(
            "The site was not built from the present sources: run 'make book' before the tests."
        )
    return SITE


@cache
def parsed(page):
    """Return the parsed HTML file; a file is parsed once."""
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="session")
def address(site):
    """Serve the site on this machine and return its address."""
    with serving(site) as address:
        yield address


@pytest.fixture(scope="session")
def playwright():
    """Start what drives browsers."""
    from playwright.sync_api import (
        sync_playwright,
    )  # a heavy import that most tests do without

    with sync_playwright() as driver:
        yield driver


def leave_out(reason):
    """Skip what lacks a tool of this machine; fail it in CI, where no test may be left out."""
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture(scope="session")
def browser_path(playwright):
    """Return the path of a Chromium."""
    path = find_browser(playwright)
    if path is None:
        leave_out(MISSING)
    return path


@pytest.fixture(scope="session")
def browser(playwright, browser_path):
    """Start a headless Chromium."""
    with playwright.chromium.launch(
        executable_path=browser_path, args=flags()
    ) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def visits(browser, address):
    """Return a function from a name to that page, opened once for all tests that only look."""
    opened = {}

    def visit(name):
        if name not in opened:
            opened[name] = Visit(browser, address).open(name)
        opened[name].resize(DESK)
        return opened[name]

    yield visit
    for opened_visit in opened.values():
        opened_visit.close()


@pytest.fixture
def fresh_page(browser, address):
    """Return a function that opens a page to click about in."""
    return lambda name, **options: Visit(browser, address, **options).open(name).page
