"""From nothing to the first normalized batch: a new Python, the import, one batch norm."""

import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks import goals
from benchmarks.passes import row
from benchmarks.timing import Contestant, installed, run_rounds

ROOT = Path(__file__).parents[1]
BATCH = "import numpy as np; x = np.ones((32, 100), np.float32); "
BNLIB = "import bnlib; bnlib.batchnorm_forward(x, np.ones(100), np.zeros(100))"
KERAS = "import keras; keras.layers.BatchNormalization()(x, training=True)"
TORCH = "import torch; torch.nn.BatchNorm1d(100)(torch.from_numpy(x))"


def run_coldstart(*, quick=False):
    """Yield one row: seconds from the start of Python to its end."""
    present, _ = installed(CONTESTANTS)
    calls = {contestant.name: contestant.build() for contestant in present}
    times = run_rounds(calls, 1 if quick else 3)
    yield row((32, 100), "float32", times, goals.COLD_START)


def _start(code):
    command = [sys.executable, "-c", code]
    return lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT)


CONTESTANTS = [
    Contestant("Python alone", partial(_start, "pass")),
    Contestant("bnlib", partial(_start, BATCH + BNLIB)),
    Contestant("Keras", partial(_start, BATCH + KERAS), ("keras", "tensorflow")),
    Contestant("PyTorch", partial(_start, BATCH + TORCH), ("torch",)),
]
