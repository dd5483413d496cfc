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
    """Mean and biased variance of each column: `bnlib.blocks.moments`."""
    return _moments(rows, _zero(rows, work))


def standardize(rows, mean, scale, shift, *, work=None, seal=None):
    """Return `(rows - mean) * scale + shift`: `bnlib.blocks.standardize`."""
    result = np.empty_like(rows)
    _standardize(rows, mean, scale, shift, _zero(rows, work), seal, result)
    return result


def gradient_sums(dy, rows, mean, *, work=None, seal=None):
    """Column sums of `dy` and of `dy * (rows - mean)`: `bnlib.blocks.gradient_sums`."""
    return _gradient_sums(dy, rows, mean, _zero(rows, work), seal)


def gradient(dy, rows, mean, scale, share, slope, *, work=None):
    """Return `scale * (dy - share - slope * (rows - mean))`: `bnlib.blocks.gradient`."""
    result = np.empty_like(rows)
    _gradient(dy, rows, mean, scale, share, slope, _zero(rows, work), result)
    return result


@compiled
def _moments(rows, zero):
    mean, variance, is_near = _moments_around(_first_mean(rows, zero), rows)
    if not is_near:  # the first rows lie far from the rest
        mean, variance, _ = _moments_around(_as(zero, mean), rows)
    return mean, variance


@compiled
def _moments_around(pivot, rows):
    """Mean, variance, and whether the pivot is within a standard deviation of every mean."""
    m, d = rows.shape
    sums, squares = np.zeros_like(pivot), np.zeros_like(pivot)
    mean, variance = np.zeros(d), np.zeros(d)
    for start in range(0, m, CHUNK):
        for i in range(start, min(start + CHUNK, m)):
            for j in range(d):
                deviation = rows[i, j] - pivot[j]
                sums[j] += deviation
                squares[j] += deviation * deviation
        _move(sums, mean)
        _move(squares, variance)
    is_near = True
    for j in range(d):
        shift = mean[j] / m
        mean[j] = pivot[j] + shift
        variance[j] = np.maximum(variance[j] / m - shift * shift, 0)
        # A NaN counts as near: a second pass would only find it again.
        is_near &= not shift * shift > variance[j]
    return mean, variance, is_near


@compiled
def _first_mean(rows, zero):
    """Mean of the first rows: of a constant column exactly its constant."""
    first, sums = _as(zero, rows[0]), np.full(rows.shape[1], zero)
    count = min(CHUNK, len(rows))
    for i in range(count):
        for j in range(first.size):
            sums[j] += rows[i, j] - first[j]
    return first + _as(zero, sums / count)


@compiled
def _standardize(rows, mean, scale, shift, zero, seal, result):
    m, d = rows.shape
    pivot = _as(zero, mean)
    shift = _as(zero, shift - (mean - pivot) * scale)
    scale = _as(zero, scale)
    sealed = np.full(d, zero)
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
def _gradient_sums(dy, rows, mean, zero, seal):
    m, d = rows.shape
    pivot = _as(zero, mean)
    sums, products, sealed = np.full(d, zero), np.full(d, zero), np.full(d, zero)
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
    return sum_dy, sum_products - (mean - pivot) * sum_dy


@compiled
def _gradient(dy, rows, mean, scale, share, slope, zero, result):
    m, d = rows.shape
    pivot = _as(zero, mean)
    share = _as(zero, share - (mean - pivot) * slope)
    scale, slope = _as(zero, scale), _as(zero, slope)
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
def _as(zero, vector):
    """Copy a vector into the dtype of `zero`, that of the work."""
    result = np.full(vector.size, zero)
    for j in range(vector.size):
        result[j] = vector[j]
    return result


def _zero(rows, work):
    """Return a zero of the dtype to work in: by its type numba knows which loop to compile."""
    return np.dtype(work or rows.dtype).type(0)
