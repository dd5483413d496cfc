"""The bound that no implementation on one core can pass by much: the bytes that must move.

The forward pass must read x twice, since the mean is known only at the end, and write y; the
backward pass must read x and dy twice and write dx. At the very shape, so with the very caches,
four loops that compute next to nothing do just this: a sum of x, a copy to y, the product of x and
dy, and dx = dy + a x. Together they read or write an array of x's size eight times.

Without numba, four times `np.copyto`, which reads one array and writes one, stand for them.
"""

import importlib.util

import numpy as np

MOVES = 8  # arrays of x's size that a forward and a backward pass read or write


def build_roofline(batch, *, anew=False):
    """Return a function that moves the bytes of one forward and one backward pass.

    They go into arrays that are there already, or, `anew`, into new ones each time, as those of
    every contestant do: what the operating system takes for the pages is then part of it.
    """
    x, dy = batch.x.reshape(-1), batch.dy.reshape(-1)
    results = np.empty_like(x), np.empty_like(x)
    move = _copies if importlib.util.find_spec("numba") is None else _moves

    def run():
        y, dx = (np.empty_like(x), np.empty_like(x)) if anew else results
        move(x, dy, y, dx)

    return run


def build_roofline_anew(batch):
    """Return the same, into new arrays."""
    return build_roofline(batch, anew=True)


def how():
    """Say in words how the bound is measured here."""
    if importlib.util.find_spec("numba") is None:
        return "4 x np.copyto (numba is not installed)"
    return "sum(x) + copy(x -> y) + dot(x, dy) + triad(x, dy -> dx), as compiled loops"


def _copies(x, dy, y, dx):
    for _ in range(MOVES // 4):
        np.copyto(y, x)
        np.copyto(dx, dy)


def _moves(x, dy, y, dx):
    read, copy, dot, triad = _loops()
    read(x)
    copy(x, y)
    dot(x, dy)
    triad(x, dy, dx, x.dtype.type(0.5))


def _loops():
    global _compiled
    if _compiled is None:
        _compiled = _compile()
    return _compiled


_compiled = None


def _compile():
    import numba

    @numba.njit(fastmath=True)
    def read(x):
        total = x.dtype.type(0)
        for i in range(x.size):
            total += x[i]
        return total

    @numba.njit
    def copy(x, y):
        for i in range(x.size):
            y[i] = x[i]

    @numba.njit(fastmath=True)
    def dot(x, dy):
        total = x.dtype.type(0)
        for i in range(x.size):
            total += x[i] * dy[i]
        return total

    @numba.njit
    def triad(x, dy, dx, a):
        for i in range(x.size):
            dx[i] = dy[i] + a * x[i]

    return read, copy, dot, triad
