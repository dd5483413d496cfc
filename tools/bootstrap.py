"""Make .venv and install what the course needs, with nothing but a Python that is already there.

``make`` calls it; ``python tools/bootstrap.py`` does the same where there is no make.
"""

import importlib.util
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ((3, 11), (3, 13))  # TensorFlow has no wheel outside of these


def fault(version, has_ensurepip):
    """Say why this Python cannot make the environment, or return None."""
    shown = ".".join(map(str, version))
    if not SUPPORTED[0] <= version <= SUPPORTED[1]:
        return f"The course needs Python 3.11, 3.12 or 3.13. Received: Python {shown}"
    if not has_ensurepip:
        return (
            f"Python {shown} comes without the module ensurepip, so it cannot make an environment. "
            f"On Debian and Ubuntu: apt install python{shown}-venv"
        )
    return None


def install(folder):
    """Make the environment and install the pinned requirements into it."""
    if not (folder / "pyvenv.cfg").is_file():
        print(f"Making {folder.name} with Python {sys.version.split()[0]}", flush=True)
        venv.create(folder, with_pip=True)
    python = next(
        path
        for path in (folder / "bin/python", folder / "Scripts/python.exe")
        if path.exists()
    )
    print(
        "Installing the requirements (TensorFlow is large: this takes a minute or two)",
        flush=True,
    )
    pip = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "-r",
        "requirements.txt",
    ]
    subprocess.run(pip, check=True, cwd=ROOT)
    (folder / "installed").touch()  # make compares its date with the requirements'


def main():
    """Install, or say in one sentence what is missing; return the exit status."""
    if reason := fault(
        sys.version_info[:2], importlib.util.find_spec("ensurepip") is not None
    ):
        print(reason, file=sys.stderr)
        return 1
    try:
        install(ROOT / ".venv")
    except subprocess.CalledProcessError as error:
        print(
            f"The requirements could not be installed: pip ended with {error.returncode}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
