"""Put JupyterLite into the site: the NumPy chapters run in the reader's browser.

The application, the notebooks and the wheel of bnlib are files of the site. Python itself comes
from its usual address, cdn.jsdelivr.net, when a reader opens a notebook, and not before.
"""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_core.paths import jupyter_path
from sphinx.errors import ExtensionError

import copies
from bnlib_wheel import PATTERNS, build_wheel
from fresh import digest, holds

INSTALL = "%pip install -q bnlib matplotlib scikit-learn"
KERNEL = "@jupyterlite/pyodide-kernel-extension"
PACKAGES = ("jupyterlite-core", "jupyterlite-pyodide-kernel")
MADE_FROM = (*PATTERNS, copies.CHAPTERS, "_ext/*.py")


def lite_copies(root):
    """Return a copy of every chapter that runs in a browser, by its file's name."""
    chapters = copies.chapters(root)
    absent = {
        name
        for name, chapter in chapters.items()
        if copies.needs_tensorflow(chapter, root)
    }
    return {
        name: copies.copy_of(chapter, INSTALL, absent)
        for name, chapter in chapters.items()
        if name not in absent
    }


def settings(wheel, target):
    """Return JupyterLite's configuration: one application, one kernel, nothing to debug it with."""
    extension = next(
        path
        for folder in jupyter_path("labextensions")
        if (path := Path(folder) / KERNEL).is_dir()
    )
    return {
        "LiteBuildConfig": {
            "apps": ["notebooks"],
            "contents": ["chapters"],
            "federated_extensions": [str(extension)],
            "ignore_sys_prefix": True,  # what else is installed here is nobody's concern
            "no_libarchive": True,
            "no_sourcemaps": True,
            "no_unused_shared_packages": True,
            "output_dir": str(target.resolve()),
        },
        "PipliteAddon": {"piplite_urls": [str(wheel)]},
    }


def build_lite(root, target):
    """Build the application with its notebooks and its wheel into the folder `target`."""
    shutil.rmtree(target, ignore_errors=True)
    with TemporaryDirectory() as folder:
        work = Path(folder).resolve()
        copies.write(lite_copies(root), work / "chapters")
        config = settings(build_wheel(root, work), target)
        (work / "jupyter_lite_config.json").write_text(
            json.dumps(config), encoding="utf-8"
        )
        done = subprocess.run(
            [sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", work],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"JupyterLite cannot be built:\n{done.stdout}{done.stderr}")


def add_lite(app, exception):
    """Bring the site's JupyterLite up to date."""
    if exception is not None or app.builder.name != "html":
        return
    root, target = Path(app.srcdir), Path(app.outdir) / "lite"
    versions = " ".join(f"{name} {version(name)}" for name in PACKAGES)
    now = f"{digest(root, MADE_FROM)} {versions}"
    stamp = Path(app.outdir).parent / "lite-built-from"
    if holds(stamp, now) and target.is_dir():
        return
    stamp.unlink(missing_ok=True)
    try:
        build_lite(root, target)
    except (OSError, RuntimeError) as error:
        raise ExtensionError(str(error)) from error
    stamp.write_text(now, encoding="utf-8")


def setup(app):
    """Build it when the pages are written."""
    app.connect("build-finished", add_lite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
