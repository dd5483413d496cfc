"""Find a Chromium: the tests look at the site with it, and ``tools/pdf.py`` prints the book."""

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = "No Chromium found: install one, or set BOOK_CHROMIUM to its path."


def find_browser(playwright):
    """Return the path of a Chromium, or None."""
    candidates = [
        os.environ.get("BOOK_CHROMIUM"),
        *map(shutil.which, NAMES),
        playwright.chromium.executable_path,
    ]
    return next((path for path in candidates if path and Path(path).is_file()), None)


def flags():
    """Return what it is started with, to run without a screen and to ask no other host."""
    always = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
    is_root = getattr(os, "geteuid", lambda: 1)() == 0
    return [*always, "--no-sandbox"] if is_root else always  # root has no sandbox
