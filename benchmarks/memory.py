"""The most memory that a forward and a backward pass hold beside their inputs.

Tracemalloc sees what NumPy asks for, and so NumPy's contestants only.
"""

import tracemalloc

import numpy as np

from benchmarks import goals, peers
from benchmarks.passes import row
from benchmarks.timing import installed

SHAPE = (65536, 256)
NUMPY = ("bnlib", "bnlib fused", "staged", "closed form")


def run_memory(*, quick=False):
    """Yield one row: bytes at the peak, beside the bytes of x."""
    shape = (16384, 256) if quick else SHAPE
    batch = peers.make_batch(shape, "float32", rng=np.random.default_rng(0))
    present, _ = installed([c for c in peers.PASSES if c.name in NUMPY])
    bytes_of = {c.name: np.array([peak(c.build(batch))]) for c in present}
    bytes_of["x"] = np.array([float(batch.x.nbytes)])
    yield row(shape, "float32", bytes_of, goals.MEMORY, unit="bytes")


def peak(call):
    """Return how many bytes a call holds at once, its result included.

    The first call, which may compile or import, is not counted.
    """
    call()
    tracemalloc.start()
    try:
        call()
        return float(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
