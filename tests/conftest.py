"""What several test files share: the chapters, the built site, a server for it and a browser."""

import os
import shutil
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

import fresh

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


def find_browser(playwright):
    """Return the path of a Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    candidates = [
        os.environ.get("BOOK_CHROMIUM"),
        *map(shutil.which, names),
        playwright.chromium.executable_path,
    ]
    return next((path for path in candidates if path and Path(path).is_file()), None)


@pytest.fixture(scope="session")
def browser():
    """Start a headless Chromium."""
    from playwright.sync_api import (
        sync_playwright,
    )  # a heavy import that most tests do without

    with sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            reason = "No Chromium found: install one, or set BOOK_CHROMIUM to its path."
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(
                reason
            )
        flags = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
        if getattr(os, "geteuid", lambda: 1)() == 0:
            flags.append(
                "--no-sandbox"
            )  # Chromium refuses to run as root in its sandbox
        with playwright.chromium.launch(executable_path=path, args=flags) as chromium:
            yield chromium
