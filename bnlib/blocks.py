"""The passes of batch normalization over a batch's rows, at the speed of the cache.

NumPy runs one operation after the other. On a whole batch each of them fetches every number from
memory again; on a block of rows that fits the processor's cache only the first one does. So each
pass here finishes a block, in one small scratch array, before it takes the next. A column sum is a
product with a vector of ones, the fastest that NumPy has: it adds a chunk of rows in the rows' own
precision, and the chunks are added in float64.

The mean is never rounded before it is subtracted: with the pivot, which is the mean rounded to the
precision of x, x - mean is (x - pivot) - rest, and the small rest joins the shift that follows.
"""

from functools import lru_cache

import numpy as np

BLOCK = 2**17  # bytes of a block: a few of them fit the cache of one core
CHUNK = 128  # rows that are added without float64


def moments(rows, *, work=None):
    """Mean and biased variance of each column.

    Parameters
    ----------
    rows : ndarray of shape (m, d), float32 or float64
    work : dtype, optional
        What to compute in; that of `rows` where missing.

    Returns
    -------
    mean, variance : ndarray of shape (d,), float64
        Not finite where a square overflows `work`.
    """
    work = work or rows.dtype
    first = rows[: _step(rows, work)]
    mean, variance = _moments_of_block(first, work)
    if len(first) < len(rows):
        pivot = mean.astype(work)
        mean, variance = _moments_around(pivot, rows, work)
        if (np.square(mean - pivot) > variance).any():
            # The first block lies far from the others: start from the right place.
            mean, variance = _moments_around(mean.astype(work), rows, work)
    return mean, variance


def standardize(rows, mean, scale, shift, *, work=None, seal=None):
    """Return `(rows - mean) * scale + shift`.

    Parameters
    ----------
    rows : ndarray of shape (m, d)
    mean, scale, shift : ndarray of shape (d,), float64
    work : dtype, optional
        What to compute in; that of `rows` where missing.
    seal : ndarray of shape (d,), float64, optional
        Receives the sum of the deviations, each row weighed by its place: it tells whether a row
        has changed or moved since.

    Returns
    -------
    ndarray of the shape and dtype of `rows`
    """
    work = work or rows.dtype
    pivot, rest = _split(mean, work)
    result = np.empty_like(rows)
    vectors = pivot, scale, shift - rest * scale
    for block, scratch, (pivot, scale, shift) in _blocks(rows, work, *vectors):
        np.subtract(rows[block], pivot, out=scratch)
        if seal is not None:
            seal += _weighted_sums(scratch, block.start)
        np.multiply(scratch, scale, out=scratch)
        np.add(scratch, shift, out=result[block], casting="same_kind")
    return result


def gradient_sums(dy, rows, mean, *, work=None, seal=None):
    """Column sums of `dy` and of `dy * (rows - mean)`.

    Parameters
    ----------
    dy, rows : ndarray of shape (m, d)
    mean : ndarray of shape (d,), float64
    work, seal
        As in `standardize`.

    Returns
    -------
    ndarray of shape (d,), float64, twice
    """
    work = work or rows.dtype
    pivot, rest = _split(mean, work)
    sums, products = np.zeros((2, rows.shape[1]))
    for block, scratch, (near,) in _blocks(rows, work, pivot):
        np.subtract(rows[block], near, out=scratch)
        if seal is not None:
            seal += _weighted_sums(scratch, block.start)
        np.multiply(scratch, dy[block], out=scratch)
        sums += _column_sums(dy[block])
        products += _column_sums(scratch)
    return sums, products - rest * sums


def gradient(dy, rows, mean, scale, share, slope, *, work=None):
    """Return `scale * (dy - share - slope * (rows - mean))`.

    Parameters
    ----------
    dy, rows : ndarray of shape (m, d)
    mean, scale, share, slope : ndarray of shape (d,), float64
    work : dtype, optional

    Returns
    -------
    ndarray of the shape and dtype of `rows`
    """
    work = work or rows.dtype
    pivot, rest = _split(mean, work)
    result = np.empty_like(rows)
    vectors = pivot, slope, share - rest * slope, scale
    for block, scratch, (pivot, slope, share, scale) in _blocks(rows, work, *vectors):
        np.subtract(rows[block], pivot, out=scratch)
        np.multiply(scratch, slope, out=scratch)
        np.add(scratch, share, out=scratch)
        np.subtract(dy[block], scratch, out=scratch)
        np.multiply(scratch, scale, out=result[block], casting="same_kind")
    return result


def _moments_of_block(block, work):
    start = block[0].astype(work)  # the deviations of a constant column are exactly 0
    pivot = start + (_column_sums(block - start) / len(block)).astype(work)
    centred = block - pivot
    shift = _column_sums(centred) / len(block)
    centred *= centred
    square = _exact_sums(centred) / len(block)
    return pivot + shift, np.maximum(square - shift * shift, 0)


def _moments_around(pivot, rows, work):
    shifts, squares = np.zeros((2, rows.shape[1]))
    for block, scratch, (near,) in _blocks(rows, work, pivot):
        np.subtract(rows[block], near, out=scratch)
        shifts += _column_sums(scratch)
        np.multiply(scratch, scratch, out=scratch)
        squares += _exact_sums(scratch)
    shifts /= len(rows)
    squares /= len(rows)
    return pivot + shifts, np.maximum(squares - shifts * shifts, 0)


def _split(mean, work):
    """Round the mean to the precision of the work, and keep the rest."""
    pivot = mean.astype(work)
    return pivot, mean - pivot


def _step(rows, work):
    """Count the rows of a block."""
    return max(1, BLOCK // (rows.shape[1] * work.itemsize))


def _blocks(rows, work, *vectors):
    """Return each block's rows, a scratch array of its shape, and the vectors in its precision.

    Where many blocks come, the vectors are repeated over a block's rows: an operation on two
    blocks is quicker than one on a block and a vector.
    """
    step = _step(rows, work)
    vectors = [v.astype(work) for v in vectors]
    if len(rows) <= step:
        return [(slice(0, len(rows)), np.empty(rows.shape, work), vectors)]
    if len(rows) > 8 * step:
        vectors = [np.tile(v, (step, 1)) for v in vectors]
    return _walk(rows, step, np.empty((step, rows.shape[1]), work), vectors)


def _walk(rows, step, scratch, vectors):
    for start in range(0, len(rows), step):
        n = min(step, len(rows) - start)
        fitting = [v if v.ndim == 1 else v[:n] for v in vectors]
        yield slice(start, start + n), scratch[:n], fitting


def _column_sums(block):
    """Sum each column: chunks of rows in the block's dtype, the chunks in float64."""
    whole = CHUNK * (len(block) // CHUNK)
    rest = (_ones(len(block) - whole, block.dtype) @ block[whole:]).astype(np.float64)
    if not whole:
        return rest
    chunks = block[:whole].reshape(-1, CHUNK, block.shape[1])
    return (_ones(CHUNK, block.dtype) @ chunks).sum(axis=0, dtype=np.float64) + rest


def _exact_sums(block):
    """Sum each column in float64: beside one large square the small ones would all be cut alike."""
    exact = block.astype(np.float64, copy=False)
    return _ones(len(exact), exact.dtype) @ exact


def _weighted_sums(block, start):
    """Sum each column with weights that differ from row to row and from block to block."""
    return (_ramp(len(block), block.dtype) @ block) * (1 + start % 1009)


@lru_cache(maxsize=64)
def _ones(n, dtype):
    return np.ones(n, dtype)


@lru_cache(maxsize=64)
def _ramp(n, dtype):
    return np.linspace(1, 2, n, dtype=dtype)
