"""The passes of `bnlib.blocks` once more, each one fused into a loop by numba.

NumPy runs one operation after the other, and each goes over its block again. Compiled, a pass does
all of them while the number is at hand: memory is read once, written once, and on a large batch
that is the whole cost. Nothing depends on this module and `import bnlib` leaves it alone; it is
there for who asks: `fastnorm.batchnorm_forward(..., engine=fused)`. A first call compiles, for some
seconds; the machine code is kept for the next process.

The arithmetic is that of `bnlib.blocks`: a chunk of rows is added in the precision of the work, the
chunks in float64, and the mean is subtracted in two parts, a pivot that the precision can hold and
the rest. Neighbouring columns are added side by side, never the rows of one column, so no sum
changes its order: the same rows give the same bits, of which the seal makes use.
"""

import numpy as np

try:
    import numba
except ModuleNotFoundError:
    raise ImportError(
        "bnlib.fused needs numba: install it with pip install 'bnlib[fused]', or use bnlib.blocks"
    ) from None

CHUNK = 32  # rows that are added without float64; the first of them make the pivot
# As in NumPy, 0 / 0 is no exception.
compiled = numba.njit(cache=True, error_model="numpy")


def moments(rows, *, work=None):
    """Mean, in two parts, and biased variance of each column: `bnlib.blocks.moments`."""
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
    pivot = _first_mean(rows, zero)
    rest, variance, is_near = _moments_around(pivot, rows)
    if not is_near:  # the first rows lie far from the rest
        pivot = _as(pivot, pivot + rest)
        rest, variance, _ = _moments_around(pivot, rows)
    return pivot, rest, variance


@compiled
def _moments_around(pivot, rows):
    """Rest of the mean, variance, and whether every pivot is within a standard deviation."""
    m, d = rows.shape
    sums, squares = np.zeros_like(pivot), np.zeros_like(pivot)
    rest, variance = np.zeros(d), np.zeros(d)
    for start in range(0, m, CHUNK):
        for i in range(start, min(start + CHUNK, m)):
            for j in range(d):
                deviation = rows[i, j] - pivot[j]
                sums[j] += deviation
                squares[j] += deviation * deviation
        _move(sums, rest)
        _move(squares, variance)
    is_near = True
    for j in range(d):
        rest[j] /= m
        square = rest[j] * rest[j]
        variance[j] = np.maximum(variance[j] / m - square, 0)
        # A NaN counts as near: a second pass would only find it again.
        is_near &= not square > variance[j]
    return rest, variance, is_near


@compiled
def _first_mean(rows, zero):
    """Mean of the first rows: of a constant column exactly its constant."""
    sums = np.full(rows.shape[1], zero)
    first = _as(sums, rows[0])
    count = min(CHUNK, len(rows))
    for i in range(count):
        for j in range(first.size):
            sums[j] += rows[i, j] - first[j]
    return first + _as(sums, sums / count)


@compiled
def _standardize(rows, pivot, rest, scale, shift, seal, result):
    m, d = rows.shape
    shift, scale = _as(pivot, shift - rest * scale), _as(pivot, scale)
    sealed = np.zeros_like(pivot)
    for start in range(0, m, CHUNK):
        for i in range(start, min(start + CHUNK, m)):
            place = pivot.dtype.type(1 + (i - start) / CHUNK)
            for j in range(d):
                deviation = rows[i, j] - pivot[j]
                result[i, j] = deviation * scale[j] + shift[j]
                if seal is not None:
                    sealed[j] += place * deviation
        if seal is not None:
            _move(sealed, seal, 1 + start / m)


@compiled
def _gradient_sums(dy, rows, pivot, rest, seal):
    m, d = rows.shape
    sums, products = np.zeros_like(pivot), np.zeros_like(pivot)
    sealed = np.zeros_like(pivot)
    sum_dy, sum_products = np.zeros(d), np.zeros(d)
    for start in range(0, m, CHUNK):
        for i in range(start, min(start + CHUNK, m)):
            place = pivot.dtype.type(1 + (i - start) / CHUNK)
            for j in range(d):
                deviation = rows[i, j] - pivot[j]
                sums[j] += dy[i, j]
                products[j] += dy[i, j] * deviation
                if seal is not None:
                    sealed[j] += place * deviation
        _move(sums, sum_dy)
        _move(products, sum_products)
        if seal is not None:
            _move(sealed, seal, 1 + start / m)
    return sum_dy, sum_products - rest * sum_dy


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
def _move(sums, totals, weight=1.0):
    """Add the sums of a chunk to those of all rows, and let them begin anew."""
    for j in range(totals.size):
        totals[j] += weight * sums[j]
        sums[j] = 0


@compiled
def _as(model, vector):
    """Copy a vector into the dtype of another one."""
    result = np.empty_like(model)
    for j in range(vector.size):
        result[j] = vector[j]
    return result
