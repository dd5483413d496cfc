"""The passes of `bnlib.blocks` once more, each one fused into a loop by numba.

NumPy runs one operation after the other, and each goes over its block again. Compiled, a pass does
all of them while the number is at hand: it reads its arrays once and writes its result once, and on
a large batch that is most of what it costs. Nothing depends on this module and `import bnlib`
leaves it alone; it is there for who asks: `fastnorm.batchnorm_forward(..., engine=fused)`. A first
call compiles, for some seconds; the machine code is kept for the next process.

Sums are taken as in `bnlib.blocks`: eight rows in the precision of the work, the eights in float64,
those of a stretch of rows first and then the stretches, so that no sum is long. The mean is
subtracted in two parts, a pivot that the precision can hold and the rest; here that costs little,
so it is always done. The innermost loop of a sum goes over a few rows. Where their number is a
constant, the compiler unrolls it and adds neighbouring columns side by side, in registers; so the
rows that are left at the end are added by themselves. No sum changes its order: the same rows give
the same bits, and the seal relies on that.
"""

import numpy as np

try:
    import numba
except ModuleNotFoundError:
    raise ImportError(
        "bnlib.fused needs numba: install it with pip install 'bnlib[fused]', or use bnlib.blocks"
    ) from None

from bnlib.sums import CHAIN

# Rows of two arrays that are read at once: rows that lie a power of two apart share few places in
# the cache, and more of them would push each other out.
GROUP = 4
STRETCH = 512  # rows whose sums are complete before they join the others
FIRST = 32  # rows whose mean is the first pivot
WEIGHTS = tuple((1 + np.arange(CHAIN)) ** 0.3)  # of the rows of a chain, in the seal
# As in NumPy, 0 / 0 is no exception. Kept code is that of this file: where CHAIN changes, save it.
compiled = numba.njit(cache=True, error_model="numpy")
inlined = numba.njit(inline="always", error_model="numpy")


def moments(rows, *, work=None):
    """Mean, in two parts, and biased variance of each column: `bnlib.blocks.moments`.

    The pivot is near the mean, also where that is near 0.
    """
    return _moments(rows, np.dtype(work or rows.dtype).type(0))


def standardize(rows, centre, scale, shift, *, seal=None):
    """Return `(rows - mean) * scale + shift`: `bnlib.blocks.standardize`."""
    y = np.empty_like(rows)
    _standardize(rows, *centre, scale, shift, seal, y)
    return y


def gradient_sums(dy, rows, centre, *, seal=None):
    """Column sums of `dy` and of `dy * (rows - mean)`: `bnlib.blocks.gradient_sums`."""
    return _gradient_sums(dy, rows, *centre, seal)


def gradient(dy, rows, centre, scale, share, slope):
    """Return `scale * (dy - share - slope * (rows - mean))`: `bnlib.blocks.gradient`."""
    dx = np.empty_like(rows)
    _gradient(dy, rows, *centre, scale, share, slope, dx)
    return dx


@compiled
def _moments(rows, zero):
    first = _as(np.full(rows.shape[1], zero), rows[0])
    # The mean of the first rows is near; that of a constant column is its constant.
    rest, _, _ = _moments_around(first, rows[:FIRST])
    pivot = first + _as(first, rest)
    rest, variance, is_near = _moments_around(pivot, rows)
    if not is_near:  # the first rows lie far from the rest
        pivot = _as(pivot, pivot + rest)
        rest, variance, _ = _moments_around(pivot, rows)
    return pivot, rest, variance


@compiled
def _moments_around(pivot, rows):
    """Rest of the mean, variance, and whether every pivot is within a standard deviation."""
    m, d = rows.shape
    sums = np.zeros((2, d))
    for first in range(0, m, STRETCH):
        _add_moments(rows[first : first + STRETCH], pivot, sums)
    rest, variance, is_near = sums[0] / m, sums[1] / m, True
    for j in range(d):
        square = rest[j] * rest[j]
        variance[j] = np.maximum(variance[j] - square, 0)
        # A NaN counts as near: a second pass would only find it again.
        is_near &= not square > variance[j]
    return rest, variance, is_near


@compiled
def _add_moments(rows, pivot, sums):
    """Add the deviations of a stretch of rows, and their squares."""
    stretch = np.zeros_like(sums)
    m = len(rows)
    for start in range(0, m, CHAIN):
        if start + CHAIN <= m:
            _add_chain(rows, pivot, start, CHAIN, stretch)
        else:
            _add_chain(rows, pivot, start, m - start, stretch)
    sums += stretch


@inlined
def _add_chain(rows, pivot, start, count, sums):
    for j in range(pivot.size):
        total = square = pivot.dtype.type(0)
        for i in range(count):
            deviation = rows[start + i, j] - pivot[j]
            total += deviation
            square += deviation * deviation
        sums[0, j] += total
        sums[1, j] += square


@compiled
def _standardize(rows, pivot, rest, scale, shift, seal, result):
    m, d = rows.shape
    shift, scale = _as(pivot, shift - rest * scale), _as(pivot, scale)
    weighted = np.zeros_like(pivot)
    for start in range(0, m, CHAIN):
        for i in range(start, min(start + CHAIN, m)):
            weight = pivot.dtype.type(WEIGHTS[i - start])
            for j in range(d):
                deviation = rows[i, j] - pivot[j]
                result[i, j] = deviation * scale[j] + shift[j]
                if seal is not None:
                    weighted[j] += weight * deviation
        if seal is not None:
            _add_weighted(weighted, start, seal)


@compiled
def _gradient_sums(dy, rows, pivot, rest, seal):
    m, d = rows.shape
    sums = np.zeros((2, d))
    for first in range(0, m, STRETCH):
        part = slice(first, first + STRETCH)
        _add_gradients(dy[part], rows[part], pivot, sums, seal, first)
    return sums[0], sums[1] - rest * sums[0]


@compiled
def _add_gradients(dy, rows, pivot, sums, seal, offset):
    """Add dy of a stretch of rows, and dy times the deviations; `offset` rows came before."""
    stretch = np.zeros_like(sums)
    wide = np.zeros_like(dy[0] * pivot)
    chain = wide, wide.copy(), np.zeros_like(pivot)
    whole = len(rows) // CHAIN * CHAIN
    for start in range(0, whole, CHAIN):
        for place in range(0, CHAIN, GROUP):
            _add_group(dy, rows, pivot, start, place, GROUP, chain, seal)
        _end_chain(chain, offset + start, stretch, seal)
    if whole < len(rows):
        _add_group(dy, rows, pivot, whole, 0, len(rows) - whole, chain, seal)
        _end_chain(chain, offset + whole, stretch, seal)
    sums += stretch


@inlined
def _add_group(dy, rows, pivot, start, place, count, chain, seal):
    chain_sums, chain_products, weighted = chain
    for j in range(pivot.size):
        total, product, sealed = chain_sums[j], chain_products[j], weighted[j]
        for i in range(count):
            row = start + place + i
            deviation = rows[row, j] - pivot[j]
            total += dy[row, j]
            product += dy[row, j] * deviation
            if seal is not None:
                sealed += pivot.dtype.type(WEIGHTS[place + i]) * deviation
        chain_sums[j], chain_products[j] = total, product
        if seal is not None:
            weighted[j] = sealed


@inlined
def _end_chain(chain, start, sums, seal):
    """Add what the chain that starts here has come to, and set it to 0."""
    chain_sums, chain_products, weighted = chain
    for j in range(chain_sums.size):
        sums[0, j] += chain_sums[j]
        sums[1, j] += chain_products[j]
        chain_sums[j] = chain_products[j] = 0
    if seal is not None:
        _add_weighted(weighted, start, seal)


@inlined
def _add_weighted(weighted, start, seal):
    weight = (1 + start) ** 0.7  # with it, no row weighs what another one does
    for j in range(seal.size):
        seal[j] += weight * weighted[j]
        weighted[j] = 0


@compiled
def _gradient(dy, rows, pivot, rest, scale, share, slope, result):
    m, d = rows.shape
    share = _as(pivot, share - rest * slope)
    scale, slope = _as(pivot, scale), _as(pivot, slope)
    for i in range(m):
        for j in range(d):
            deviation = rows[i, j] - pivot[j]
            result[i, j] = scale[j] * (dy[i, j] - (deviation * slope[j] + share[j]))


@compiled
def _as(model, vector):
    """Copy a vector into the dtype of another one."""
    result = np.empty_like(model)
    for j in range(vector.size):
        result[j] = vector[j]
    return result
