"""The passes of batch normalization over a batch's rows, at the speed of the cache.

NumPy runs one operation after the other. On a whole batch each of them fetches every number from
memory again; on a block of rows that fits the processor's cache only the first one does. So each
pass here finishes a block, in one small scratch array, before it takes the next. A column sum is a
product with a vector of ones, the fastest that NumPy has: it adds eight rows in the rows' own
precision, and all the eights in float64. An operation on a block and a vector is slow where the
vector is short, so several rows count as one long row, and the vector is repeated along it.

The mean is never rounded before it is subtracted. It comes in two parts, its centre: the pivot,
rounded to the precision that the passes compute in, and the rest, in float64. Then x - mean is
(x - pivot) - rest, and the small rest joins the shift that follows.
"""

from functools import lru_cache

import numpy as np

BLOCK = 2**18  # bytes of a block: a few of them fit the cache of one core
CHAIN = 8  # rows that are added without float64
FIRST = 32  # rows whose mean is the first pivot
WIDTH = 2**14  # numbers of a long row: NumPy repeats a shorter vector at half the speed


def moments(rows, *, work=None):
    """Mean, in two parts, and biased variance of each column.

    Parameters
    ----------
    rows : ndarray of shape (m, d), float32 or float64
    work : dtype, optional
        What to compute in; that of `rows` where missing.

    Returns
    -------
    pivot : ndarray of shape (d,), of the dtype of the work
    rest, variance : ndarray of shape (d,), float64
        The mean is pivot + rest. Not finite where a square overflows the work.
    """
    pivot = _first_mean(rows[:FIRST], work or rows.dtype)
    rest, variance = _moments_around(pivot, rows)
    if (rest * rest > variance).any():
        # The first rows lie far from the others: start from the right place.
        pivot = (pivot + rest).astype(pivot.dtype)
        rest, variance = _moments_around(pivot, rows)
    return pivot, rest, variance


def split(mean, work):
    """Return a mean in its two parts: the pivot, of this dtype, and the rest.

    Examples
    --------
    >>> pivot, rest = split(np.array([1e6 + 0.01]), np.float32)
    >>> pivot, rest.round(3)
    (array([1.e+06], dtype=float32), array([0.01]))
    """
    pivot = mean.astype(work)
    return pivot, mean - pivot


def standardize(rows, centre, scale, shift, *, seal=None):
    """Return `(rows - mean) * scale + shift`.

    Parameters
    ----------
    rows : ndarray of shape (m, d)
    centre : tuple (pivot, rest)
        The mean; the passes compute in the dtype of the pivot.
    scale, shift : ndarray of shape (d,), float64
    seal : ndarray of shape (d,), float64, optional
        Receives the sum of the deviations, each row weighed by its place: it tells whether a row
        has changed or moved since.

    Returns
    -------
    ndarray of the shape and dtype of `rows`
    """
    pivot, rest = centre
    y = np.empty_like(rows)
    blocks = _blocks((pivot, scale, shift - rest * scale), rows, y)
    for number, (scratch, (pivot, scale, shift), x, out) in enumerate(blocks, 1):
        np.subtract(x, pivot, out=scratch)
        if seal is not None:
            seal += _weighted_sums(scratch, number, len(seal))
        np.multiply(scratch, scale, out=scratch)
        np.add(scratch, shift, out=out, casting="same_kind")
    return y


def gradient_sums(dy, rows, centre, *, seal=None):
    """Column sums of `dy` and of `dy * (rows - mean)`.

    Parameters
    ----------
    dy, rows : ndarray of shape (m, d)
    centre, seal
        As in `standardize`.

    Returns
    -------
    ndarray of shape (d,), float64, twice
    """
    pivot, rest = centre
    sums, products = np.zeros((2, len(pivot)))
    blocks = _blocks((pivot,), rows, dy)
    for number, (scratch, (pivot,), x, gradient) in enumerate(blocks, 1):
        np.subtract(x, pivot, out=scratch)
        if seal is not None:
            seal += _weighted_sums(scratch, number, len(seal))
        np.multiply(scratch, gradient, out=scratch)
        sums += _column_sums(gradient, len(sums))
        products += _column_sums(scratch, len(sums))
    return sums, products - rest * sums


def gradient(dy, rows, centre, scale, share, slope):
    """Return `scale * (dy - share - slope * (rows - mean))`.

    Parameters
    ----------
    dy, rows : ndarray of shape (m, d)
    centre
        As in `standardize`.
    scale, share, slope : ndarray of shape (d,), float64

    Returns
    -------
    ndarray of the shape and dtype of `rows`
    """
    pivot, rest = centre
    dx = np.empty_like(rows)
    blocks = _blocks((pivot, slope, share - rest * slope, scale), rows, dy, dx)
    for scratch, (pivot, slope, share, scale), x, gradient, out in blocks:
        np.subtract(x, pivot, out=scratch)
        np.multiply(scratch, slope, out=scratch)
        np.add(scratch, share, out=scratch)
        np.subtract(gradient, scratch, out=scratch)
        np.multiply(scratch, scale, out=out, casting="same_kind")
    return dx


def _first_mean(rows, work):
    """Mean of these rows: of a constant column exactly its constant."""
    first = rows[0].astype(work)
    shift = _column_sums(rows - first, len(first)) / len(rows)
    return first + shift.astype(work)


def _moments_around(pivot, rows):
    sums, squares = np.zeros((2, len(pivot)))
    for scratch, (near,), x in _blocks((pivot,), rows):
        np.subtract(x, near, out=scratch)
        sums += _column_sums(scratch, len(pivot))
        np.multiply(scratch, scratch, out=scratch)
        squares += _column_sums(scratch, len(pivot))
    rest = sums / len(rows)
    return rest, np.maximum(squares / len(rows) - rest * rest, 0)


def _blocks(vectors, *arrays):
    """Go through the rows of the arrays, a block at a time.

    The first vector has the dtype that is computed in.

    Yields
    ------
    scratch : ndarray
        Of the block's shape.
    vectors : list of ndarray
        In the same dtype, and repeated where several rows of the block are seen as one.
    *blocks : ndarray
        One of each array.
    """
    (m, d), work = arrays[0].shape, vectors[0].dtype
    vectors = [v.astype(work, copy=False) for v in vectors]
    joined = max(1, WIDTH // (d * CHAIN)) * CHAIN  # rows that are seen as one
    step = max(1, BLOCK // (joined * d * work.itemsize))  # such rows in a block
    wide = m // joined if m > joined * step else 0
    if wide:
        scratch = np.empty((step, joined * d), work)
        longer = [np.broadcast_to(v, (joined, d)).ravel() for v in vectors]
        views = [a[: wide * joined].reshape(wide, -1) for a in arrays]
        for start in range(0, wide, step):
            blocks = [view[start : start + step] for view in views]
            yield scratch[: len(blocks[0])], longer, *blocks
    left = [a[wide * joined :] for a in arrays]
    if len(left[0]):
        yield np.empty(left[0].shape, work), vectors, *left


def _column_sums(block, d):
    """Sum each of d columns, eight rows at a time in the block's dtype: seven roundings at most.

    The eights are as many columns of a longer row, and are summed in one product.
    """
    block = block.reshape(-1, d)
    whole = len(block) - len(block) % CHAIN
    eights = _ones(CHAIN, block.dtype).dot(block[:whole].reshape(CHAIN, -1))
    sums = _exact_sums(eights.reshape(-1, d))
    return sums if whole == len(block) else sums + _exact_sums(block[whole:])


def _exact_sums(rows):
    return _ones(len(rows), np.float64).dot(rows)


def _weighted_sums(block, number, d):
    """Sum each of d columns with weights that differ from row to row and from block to block."""
    rows = block.reshape(-1, d)
    # Its odd power, so that no row weighs what a row of another block does.
    return number**0.7 * _ramp(len(rows), rows.dtype).dot(rows)


@lru_cache(maxsize=64)
def _ones(n, dtype):
    return np.ones(n, dtype)


@lru_cache(maxsize=64)
def _ramp(n, dtype):
    return np.linspace(1, 2, n, dtype=dtype)
