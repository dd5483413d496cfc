"""What the numbers were measured on: processor, caches, and the versions of all that took part."""

import contextlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
PACKAGES = [
    "numpy",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "torch",
    "numba",
    "jax",
    "flax",
]
PACKAGES += ["onnx", "onnxruntime", "threadpoolctl", "mpmath"]


def describe():
    """Return a dict that JSON can hold.

    Examples
    --------
    >>> sorted(describe())
    ['caches', 'cores', 'load', 'processor', 'roofline', 'system', 'versions']
    """
    from benchmarks.roofline import how

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "caches": _caches(),
        "system": platform.platform(),
        "load": _load(),
        "roofline": how(),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _processor():
    if CPUINFO.exists():
        for line in CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return platform.processor() or platform.machine()


def _caches():
    """Return the size of each cache of the first core, where the system tells it."""
    found = {}
    for folder in sorted(CACHES.glob("index*")):
        with contextlib.suppress(OSError):
            level, kind, size = (
                (folder / name).read_text(encoding="utf-8").strip()
                for name in ("level", "type", "size")
            )
            found[f"L{level} {kind.lower()}"] = size
    return found


def _load():
    """Return how many programs wanted to run in the last minute; None where it is not told."""
    with contextlib.suppress(AttributeError, OSError):
        return round(os.getloadavg()[0], 2)
    return None


def _versions():
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
