"""Build the wheel of bnlib from the sources as they are now, without a network.

It is built in a copy, so that nothing is left in the repository, and with one fixed date, so
that the same sources give the same bytes.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

SOURCES = ("pyproject.toml", "LICENSE", "bnlib", "results")
PATTERNS = ("pyproject.toml", "LICENSE", "bnlib/**/*", "results/*.json")
BUILD = (
    "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
)
FIRST_DATE_OF_A_ZIP = "315532800"  # 1 January 1980, in seconds since 1970


def wheel_name(root):
    """Return the file's name: it carries the version."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return f"bnlib-{project['project']['version']}-py3-none-any.whl"


def build_wheel(root, folder):
    """Build the wheel into the folder and return its path, or raise with setuptools' words."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as copy:
        for name in SOURCES:
            source, target = root / name, Path(copy) / name
            if source.is_dir():
                shutil.copytree(
                    source, target, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copyfile(source, target)
        done = subprocess.run(
            [sys.executable, "-c", BUILD, str(folder.resolve())],
            cwd=copy,
            env={**os.environ, "SOURCE_DATE_EPOCH": FIRST_DATE_OF_A_ZIP},
            capture_output=True,
            text=True,
            check=False,
        )
    wheel = folder / wheel_name(root)
    if done.returncode or not wheel.is_file():
        raise RuntimeError(f"the wheel of bnlib cannot be built:\n{done.stderr}")
    return wheel
