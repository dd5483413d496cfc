"""The passes of batch normalization over a batch's rows, at the speed of the cache.

NumPy runs one operation after the other. On a whole batch each of them fetches every number from
memory again; on a block of rows that fits the processor's cache only the first one does. So each
pass here finishes a block, in one small scratch array, before it takes the next. An operation on a
block and a vector is slow where the vector is short, so several rows count as one long row, and the
vector is repeated along it.

The mean is never rounded before it is subtracted. It comes in two parts, its centre: the pivot,
rounded to the precision that the passes compute in, and the rest, in float64. Then x - mean is
(x - pivot) - rest, and the rest joins the shift that follows. Where every mean lies within two
standard deviations of 0, not subtracting it costs a bit or two at most, so the pivot is 0.
"""

import numpy as np

from bnlib.sums import CHAIN, column_sums, weighted_sums

BLOCK = 2**19  # bytes of a block: it stays in the cache of one core
FIRST = 32  # rows whose mean is the first pivot in float64
NEAR = 2  # standard deviations from 0 of a mean that need not be subtracted
START = 1  # the same from the pivot of float64 that needs no second pass
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
        Zeros where every mean is near 0.
    rest, variance : ndarray of shape (d,), float64
        The mean is pivot + rest. Not finite where a square overflows the work.
    """
    work = np.dtype(work or rows.dtype)
    pivot = _first_mean(rows) if work == np.float64 else np.zeros(rows.shape[1], work)
    rest, variance = _moments_around(pivot, rows)
    if not _is_near(rest, variance, START if work == np.float64 else NEAR):
        # A mean far from the pivot costs digits: start again from it.
        pivot = (pivot + rest).astype(work)
        rest, variance = _moments_around(pivot, rows)
    if _is_near(pivot + rest, variance):
        pivot, rest = np.zeros_like(pivot), pivot + rest
    return pivot, rest, variance


def split(mean, work, *, variance=0):
    """Return a mean in its two parts: the pivot, of this dtype, and the rest.

    The pivot is 0 where the variance is given, and every mean small beside its standard deviation.

    Examples
    --------
    >>> pivot, rest = split(np.array([1e6 + 0.01]), np.float32)
    >>> pivot, rest.round(3)
    (array([1.e+06], dtype=float32), array([0.01]))
    """
    pivot = mean.astype(work)
    if _is_near(mean, variance):
        pivot = np.zeros_like(pivot)
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
    scale = scale.astype(pivot.dtype)
    y = np.empty_like(rows)
    blocks = _blocks(rows, pivot, (scale, shift - rest * scale), y)
    for number, (deviations, scratch, (scale, shift), out) in enumerate(blocks, 1):
        if seal is not None:
            seal += _block_seal(deviations, number, len(seal))
        np.multiply(deviations, scale, out=scratch)
        np.add(scratch, shift, out=out)
    return y


def gradient_sums(dy, rows, centre, *, seal=None):
    """Column sums of `dy` and of `dy * (rows - mean)`, whose products must be floats.

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
    blocks = _blocks(rows, pivot, (), dy)
    for number, (deviations, scratch, _, gradient) in enumerate(blocks, 1):
        if seal is not None:
            seal += _block_seal(deviations, number, len(seal))
        np.multiply(deviations, gradient, out=scratch)
        if gradient.dtype != scratch.dtype:  # one of them is float64
            gradient = gradient.astype(np.float64, copy=False)
        sums += column_sums(gradient.reshape(-1, len(sums)))
        products += column_sums(scratch.reshape(-1, len(sums)))
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
    slope = slope.astype(pivot.dtype)
    dx = np.empty_like(rows)
    vectors = slope, share - rest * slope, scale
    blocks = _blocks(rows, pivot, vectors, dy, dx)
    for deviations, scratch, (slope, share, scale), gradient, out in blocks:
        np.multiply(deviations, slope, out=scratch)
        np.add(scratch, share, out=scratch)
        np.subtract(gradient, scratch, out=scratch)
        np.multiply(scratch, scale, out=out)
    return dx


def _is_near(mean, variance, limit=NEAR):
    """Tell whether every mean is so many standard deviations from 0 at most; a NaN is not."""
    return (np.abs(mean) <= limit * np.sqrt(variance)).all()


def _first_mean(rows):
    """Mean of the first rows: of a constant column exactly its constant."""
    first = rows[0].astype(np.float64)
    return first + column_sums(rows[:FIRST] - first) / min(FIRST, len(rows))


def _moments_around(pivot, rows):
    sums, squares = np.zeros((2, len(pivot)))
    for deviations, scratch, _ in _blocks(rows, pivot, ()):
        sums += column_sums(deviations.reshape(-1, len(pivot)))
        np.multiply(deviations, deviations, out=scratch)
        squares += column_sums(scratch.reshape(-1, len(pivot)))
    rest = sums / len(rows)
    return rest, np.maximum(squares / len(rows) - rest * rest, 0)


def _blocks(rows, pivot, vectors, *others):
    """Go through the rows of the arrays, a block at a time.

    Yields
    ------
    deviations : ndarray
        The block of the rows, less the pivot; in the scratch array, or the rows themselves where
        the pivot is 0.
    scratch : ndarray
        Of the block's shape and of the dtype of the pivot.
    vectors : list of ndarray
        In the same dtype, and repeated where several rows of the block are seen as one.
    *blocks : ndarray
        One of each other array.
    """
    (m, d), work = rows.shape, pivot.dtype
    is_apart = rows.dtype != work or pivot.any()
    vectors = [v.astype(work, copy=False) for v in vectors]
    joined = max(1, WIDTH // (d * CHAIN)) * CHAIN  # rows that are seen as one
    step = max(1, BLOCK // (joined * d * work.itemsize))  # such rows in a block
    arrays, wide = (rows, *others), m // joined if m > joined * step else 0
    if wide:
        views = [a[: wide * joined].reshape(wide, -1) for a in arrays]
        longer = [np.broadcast_to(v, (joined, d)).ravel() for v in (pivot, *vectors)]
        yield from _steps(views, step, is_apart, *longer)
    if wide * joined < m:
        views = [a[wide * joined :] for a in arrays]
        yield from _steps(views, m, is_apart, pivot, *vectors)


def _steps(views, step, is_apart, pivot, *vectors):
    scratch = np.empty((min(step, len(views[0])), len(pivot)), pivot.dtype)
    for start in range(0, len(views[0]), step):
        x, *others = (view[start : start + step] for view in views)
        part = scratch[: len(x)]
        deviations = np.subtract(x, pivot, out=part) if is_apart else x
        yield deviations, part, vectors, *others


def _block_seal(block, number, d):
    # No whole power: a row does not weigh what one of another block does.
    return number**0.7 * weighted_sums(block.reshape(-1, d))
