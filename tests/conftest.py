"""What several test files share: the chapters, the built site, a server for it and a browser."""

import os
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

import fresh
from chromium import MISSING, find_browser, flags

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PAGES = sorted(name.removesuffix(".md") for name in parse_toc_yaml(ROOT / "_toc.yml"))


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


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files and say nothing."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="session")
def address(site):
    """Serve the site on this machine and return its address."""
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(QuietHandler, directory=site)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """Start a headless Chromium."""
    from playwright.sync_api import (
        sync_playwright,
    )  # a heavy import that most tests do without

    with sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            ci = os.environ.get("CI") == "true"
            pytest.fail(MISSING) if ci else pytest.skip(MISSING)
        with playwright.chromium.launch(executable_path=path, args=flags()) as chromium:
            yield chromium
