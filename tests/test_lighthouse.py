"""Lighthouse, Google's judge of pages, on a slow phone: 95 or more of 100 in all it judges."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import ROOT, leave_out

VERSION = "12.8.2"  # the last that runs under node 18
TOOLS = ROOT / "_build" / "node"
# The first page, the chapters with most formulas, code and figures, the longest pages.
HEAVIEST = [
    "index",
    "chapters/03_the_algorithm",
    "chapters/05_keras",
    "chapters/06_promises",
    "chapters/09_why_it_works",
    "reference/api",
    "reference/claims",
]


@pytest.fixture(scope="module")
def lighthouse():
    """Return the program, installed from npm where node is found."""
    npm = shutil.which("npm")
    if not (npm and shutil.which("node")):
        leave_out("Lighthouse needs node and npm, which are not here.")
    program = TOOLS / "node_modules" / "lighthouse" / "cli" / "index.js"
    version = TOOLS / "node_modules" / "lighthouse" / "package.json"
    if not (
        version.is_file() and json.loads(version.read_text())["version"] == VERSION
    ):
        TOOLS.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", TOOLS]
        subprocess.run(
            [*command, f"lighthouse@{VERSION}"], check=True, capture_output=True
        )
    return ["node", program]


@pytest.mark.parametrize("name", HEAVIEST)
def test_lighthouse_gives_95_or_more_in_all_four_categories(
    lighthouse, browser_path, address, name
):
    flags = "--headless=new --no-sandbox --disable-gpu"
    options = [
        "--quiet",
        "--output=json",
        "--output-path=stdout",
        f"--chrome-flags={flags}",
    ]
    run = subprocess.run(
        [*lighthouse, f"{address}/{name}.html", *options],
        env={**os.environ, "CHROME_PATH": str(browser_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    categories = json.loads(run.stdout)["categories"]
    scores = {key: round(100 * value["score"]) for key, value in categories.items()}
    assert len(scores) == 4
    assert {key: score for key, score in scores.items() if score < 95} == {}, name
