"""The passes of `bnlib.blocks` once more, each one fused into a loop by numba.

NumPy runs one operation after the other, and each goes over its block again. Compiled, a pass does
all of them while the number is at hand: memory is read once, written once, and on a large batch
that is the whole cost. Nothing depends on this module and `import bnlib` leaves it alone; it is
there for who asks: `fastnorm.batchnorm_forward(..., engine=fused)`. A first call compiles, for some
seconds; the machine code is kept for the next process.

Sums are taken as in `bnlib.blocks`: eight rows in the precision of the work, all the eights in
float64, where what a rounding leaves out is carried to the next. The mean is subtracted in two
parts, a pivot that the precision can hold and the rest; here that is free, so it is always done.
The loop over the eight rows is the innermost one, of a fixed length, so the compiler unrolls it and
adds neighbouring columns side by side, in registers. No sum changes its order: the same rows give
the same bits, and the seal relies on that.

What a loop reads again in each row, and what it writes, starts where a line of the cache does: the
widest registers are a line long, and one that lies across two lines takes two accesses to fill.
"""

import numpy as np

try:
    import numba
except ModuleNotFoundError:
    raise ImportError(
        "bnlib.fused needs numba: install it with pip install 'bnlib[fused]', or use bnlib.blocks"
    ) from None

from bnlib.sums import CHAIN

LINE = 64  # bytes of a line of the cache
FIRST = 32  # rows whose mean is the first pivot
WEIGHTS = tuple((1 + np.arange(CHAIN)) ** 0.3)  # of the rows of a chain, in the seal
# As in NumPy, 0 / 0 is no exception.
compiled = numba.njit(cache=True, error_model="numpy")
inlined = numba.njit(inline="always", error_model="numpy")


def moments(rows, *, work=None):
    """Mean, in two parts, and biased variance of each column: `bnlib.blocks.moments`.

    The pivot is near the mean, also where that is near 0.
    """
    return _moments(rows, np.dtype(work or rows.dtype).type(0))


def standardize(rows, centre, scale, shift, *, seal=None):
    """Return `(rows - mean) * scale + shift`: `bnlib.blocks.standardize`."""
    return _standardize(rows, *centre, scale, shift, seal, _room(rows))


def gradient_sums(dy, rows, centre, *, seal=None):
    """Column sums of `dy` and of `dy * (rows - mean)`: `bnlib.blocks.gradient_sums`."""
    return _gradient_sums(dy, rows, *centre, seal)


def gradient(dy, rows, centre, scale, share, slope):
    """Return `scale * (dy - share - slope * (rows - mean))`: `bnlib.blocks.gradient`."""
    return _gradient(dy, rows, *centre, scale, share, slope, _room(rows))


def _room(rows):
    # NumPy asks for large pages, where a compiled function does not.
    return np.empty(rows.size + LINE // rows.itemsize, rows.dtype)


@compiled
def _moments(rows, zero):
    first = _as(np.full(rows.shape[1], zero), rows[0])
    # The mean of the first rows is near; that of a constant column is its constant.
    rest, _, _ = _moments_around(first, rows[:FIRST])
    pivot = _as(first, first + rest)
    rest, variance, is_near = _moments_around(pivot, rows)
    if not is_near:  # the first rows lie far from the rest
        pivot = _as(pivot, pivot + rest)
        rest, variance, _ = _moments_around(pivot, rows)
    return pivot, rest, variance


@compiled
def _moments_around(pivot, rows):
    """Rest of the mean, variance, and whether every pivot is within a standard deviation."""
    m, d = rows.shape
    sums, squares = np.zeros((2, d)), np.zeros((2, d))
    for start in range(0, m, CHAIN):
        if start + CHAIN <= m:
            _add_moments(rows, pivot, start, CHAIN, sums, squares)
        else:
            _add_moments(rows, pivot, start, m - start, sums, squares)
    rest, variance, is_near = sums[0] / m, squares[0] / m, True
    for j in range(d):
        square = rest[j] * rest[j]
        variance[j] = np.maximum(variance[j] - square, 0)
        # A NaN counts as near: a second pass would only find it again.
        is_near &= not square > variance[j]
    return rest, variance, is_near


@inlined
def _add_moments(rows, pivot, start, count, sums, squares):
    for j in range(pivot.size):
        total = square = pivot.dtype.type(0)
        for i in range(count):
            deviation = rows[start + i, j] - pivot[j]
            total += deviation
            square += deviation * deviation
        _add(total, sums, j)
        _add(square, squares, j)


@compiled
def _standardize(rows, pivot, rest, scale, shift, seal, room):
    m, d = rows.shape
    result = _on_line(room, rows.size).reshape(m, d)
    shift, scale = _as(pivot, shift - rest * scale), _as(pivot, scale)
    pivot, weighted = _as(pivot, pivot), _as(pivot, np.zeros(d))
    for start in range(0, m, CHAIN):
        for i in range(start, min(start + CHAIN, m)):
            weight = pivot.dtype.type(WEIGHTS[i - start])
            for j in range(d):
                deviation = rows[i, j] - pivot[j]
                result[i, j] = deviation * scale[j] + shift[j]
                if seal is not None:
                    weighted[j] += weight * deviation
        if seal is not None:
            for j in range(d):
                seal[j] += (1 + start) ** 0.7 * weighted[j]
                weighted[j] = 0
    return result


@compiled
def _gradient_sums(dy, rows, pivot, rest, seal):
    m, d = rows.shape
    sums, products = np.zeros((2, d)), np.zeros((2, d))
    pivot = _as(pivot, pivot)
    for start in range(0, m, CHAIN):
        if start + CHAIN <= m:
            _add_gradients(dy, rows, pivot, start, CHAIN, sums, products, seal)
        else:
            _add_gradients(dy, rows, pivot, start, m - start, sums, products, seal)
    return sums[0], products[0] - rest * sums[0]


@inlined
def _add_gradients(dy, rows, pivot, start, count, sums, products, seal):
    weight = (1 + start) ** 0.7  # no row weighs what another one does
    for j in range(pivot.size):
        total = product = weighted = pivot.dtype.type(0)
        for i in range(count):
            deviation = rows[start + i, j] - pivot[j]
            total += dy[start + i, j]
            product += dy[start + i, j] * deviation
            if seal is not None:
                weighted += pivot.dtype.type(WEIGHTS[i]) * deviation
        _add(total, sums, j)
        _add(product, products, j)
        if seal is not None:
            seal[j] += weight * weighted


@inlined
def _add(number, sums, j):
    """Add to a sum, and carry what its rounding leaves out to the next time (Kahan, 1965)."""
    number = number - sums[1, j]
    total = sums[0, j] + number
    sums[1, j] = (total - sums[0, j]) - number
    sums[0, j] = total


@compiled
def _gradient(dy, rows, pivot, rest, scale, share, slope, room):
    m, d = rows.shape
    result = _on_line(room, rows.size).reshape(m, d)
    share = _as(pivot, share - rest * slope)
    scale, slope, pivot = _as(pivot, scale), _as(pivot, slope), _as(pivot, pivot)
    for i in range(m):
        for j in range(d):
            deviation = rows[i, j] - pivot[j]
            result[i, j] = scale[j] * (dy[i, j] - (deviation * slope[j] + share[j]))
    return result


@compiled
def _as(model, vector):
    """Copy a vector into the dtype of another one, and to the start of a line."""
    n = vector.size
    result = _on_line(np.empty(n + LINE // model.itemsize, model.dtype), n)
    for j in range(n):
        result[j] = vector[j]
    return result


@compiled
def _on_line(room, n):
    """Return `n` numbers of a longer vector, from the first one on that starts a line."""
    start = -(room.ctypes.data // room.itemsize) % (LINE // room.itemsize)
    return room[start : start + n]
