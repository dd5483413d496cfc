"""The chapters in the reader's browser: the application opens, its Python starts, bnlib installs.

Python for the browser comes from another host, which the tests do without: they hand the page
what npm's package ``pyodide`` and the Python Package Index have. NumPy for the browser is in
neither, so no chapter is run here.
"""

import hashlib
import json
import mimetypes
import shutil
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
from jupyterlite_pyodide_kernel.constants import PYODIDE_VERSION
from packaging.utils import canonicalize_name, parse_wheel_filename
from playwright.sync_api import TimeoutError

import bnlib_wheel
from chromium import flags
from conftest import ROOT, leave_out

PYTHON = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE_VERSION}/full/"
STARTED_WITH = [
    "micropip",
    "ipython",
    "jedi",
]  # by the kernel, from Pyodide's own packages
BESIDE = ["comm"]  # by the kernel, from the Python Package Index
CHAPTER = "lite/notebooks/index.html?path=01_standardization.ipynb"
PATIENCE = 180_000  # milliseconds, for a machine that does other things as well
CELL = """%pip install --no-deps bnlib
from importlib.metadata import version
print("bnlib", version("bnlib"), "in", __import__("sys").platform)"""
mimetypes.add_type("text/javascript", ".mjs")
mimetypes.add_type("application/wasm", ".wasm")


def closure(packages, names):
    """Return these packages of the lock file and all that they depend on."""
    found, waiting = set(), list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            waiting += packages[name]["depends"]
    return sorted(found)


def fetch_python(folder):
    """Fill the folder with Pyodide and with the wheels that its kernel starts with.

    Pyodide's own builds of these wheels differ from those of the Python Package Index in their
    checksums, so the lock file gets the latter's.
    """
    npm = [
        shutil.which("npm"),
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]
    work = folder.with_suffix(".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    subprocess.run([*npm, "--prefix", work, f"pyodide@{PYODIDE_VERSION}"], check=True)
    package = work / "node_modules" / "pyodide"
    lock = json.loads((package / "pyodide-lock.json").read_text(encoding="utf-8"))
    needed = closure(lock["packages"], STARTED_WITH)
    pinned = [f"{name}=={lock['packages'][name]['version']}" for name in needed]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    options = ["--only-binary=:all:", "--ignore-requires-python", "--dest", package]
    subprocess.run([*pip, *options, *pinned, *BESIDE], check=True)
    for wheel in package.glob("*.whl"):
        entry = lock["packages"].get(parse_wheel_filename(wheel.name)[0])
        if entry:
            entry["file_name"], entry["sha256"] = wheel.name, sha256(wheel)
    (package / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    package.rename(folder)
    shutil.rmtree(work)


def sha256(path):
    """Return the checksum of the file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def python_of_the_browser():
    """Return a folder with Pyodide, filled once and kept until `make clean`."""
    folder = ROOT / "_build" / f"pyodide-{PYODIDE_VERSION}"
    if not folder.is_dir():
        try:
            fetch_python(folder)
        except (OSError, TypeError, subprocess.CalledProcessError) as error:
            leave_out(f"Pyodide {PYODIDE_VERSION} needs npm and a network: {error}")
    return folder


class Hosts:
    """Stands for all other hosts: it gives out the files of one folder, and notes who asked."""

    def __init__(self, address, folder=None):
        self.address, self.folder, self.asked = address, folder, []

    def watch(self, page):
        """Answer every request that leaves the site, those of the page's workers as well."""
        page.context.route(lambda url: not url.startswith(self.address), self.answer)
        return page

    def answer(self, route):
        """Give out the file, or the list of the wheels of one package, or nothing."""
        self.asked.append(route.request.url)
        headers = {"access-control-allow-origin": "*"}
        *_, name = urlsplit(route.request.url).path.rstrip("/").split("/")
        file = self.folder and self.folder / name
        if file and file.is_file():
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            route.fulfill(path=file, headers={**headers, "content-type": kind})
        elif file and "/simple/" in route.request.url:
            kind = "application/vnd.pypi.simple.v1+json"
            route.fulfill(
                body=self.listing(name, route.request.url),
                headers={**headers, "content-type": kind},
            )
        else:
            route.fulfill(status=404, headers=headers)

    def listing(self, package, url):
        """Return the package's wheels as the Python Package Index lists them."""
        files = [
            {
                "filename": wheel.name,
                "url": f"{url.split('/simple/')[0]}/{wheel.name}",
                "hashes": {"sha256": sha256(wheel)},
                "size": wheel.stat().st_size,
            }
            for wheel in self.folder.glob(f"{package}-*.whl")
        ]
        versions = [str(parse_wheel_filename(file["filename"])[1]) for file in files]
        meta = {"api-version": "1.1"}
        listing = {"meta": meta, "name": package, "versions": versions, "files": files}
        return json.dumps(listing)


def wait_until(page, condition):
    """Let the page go on until the condition holds, or fail."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        if condition():
            return
        page.wait_for_timeout(100)
    pytest.fail("waited in vain")


def output_of(page, address, code):
    """Open a chapter anew, run code in its first cell, and return what it printed, or None."""
    page.goto(f"{address}/{CHAPTER}")
    idle = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
    output = page.locator(".jp-OutputArea-output").first
    try:
        page.locator(idle).wait_for(timeout=PATIENCE / 3, state="attached")
        page.locator(".jp-Cell .cm-content").first.click(timeout=10_000)
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.insert_text(code)
        page.keyboard.press("Control+Enter")
        output.wait_for(timeout=PATIENCE / 3)
    except TimeoutError:
        print("the page asks:", page.locator("dialog.jp-Dialog").all_inner_texts())
        return None
    return output.inner_text().strip()


@pytest.fixture
def own_browser(playwright, browser_path):
    """Start a browser for this test alone: Python in it wants much memory."""
    options = [*flags(), "--disable-dev-shm-usage"]
    with playwright.chromium.launch(
        executable_path=browser_path, args=options
    ) as browser:
        yield browser


def test_the_application_shows_a_chapter_and_asks_another_host_for_python_alone(
    browser, address
):
    hosts = Hosts(address)
    page = hosts.watch(browser.new_page())
    page.goto(f"{address}/{CHAPTER}")
    page.locator(".jp-Notebook h1", has_text="Standardization").wait_for(
        timeout=PATIENCE
    )
    wait_until(page, lambda: hosts.asked)  # for Python, of its own accord
    page.close()
    assert [url for url in hosts.asked if not url.startswith(PYTHON)] == []


def test_python_starts_in_the_browser_and_installs_the_wheel_of_the_site(
    own_browser, address, python_of_the_browser
):
    hosts = Hosts(address, python_of_the_browser)
    page = hosts.watch(own_browser.new_page())
    printed = output_of(page, address, CELL) or output_of(page, address, CELL)
    version = bnlib_wheel.wheel_name(ROOT).split("-")[1]
    assert printed == f"bnlib {version} in emscripten"
