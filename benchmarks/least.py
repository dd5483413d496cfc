"""The least that NumPy can do: no batch normalization written in it is much quicker.

The two passes forward and the two backward need twelve operations on numbers of the size of x:
three for the sums of x and of its squares, two for y, three for the sums of dy and of x dy, four
for dx. Here they are, and nothing else: on blocks that stay in the cache, in the precision of x,
into arrays that are there already. Nothing is checked, means are rounded, no sum is taken in
float64, no moving average moves. So it is not for use; but a goal that it does not reach is out of
the reach of NumPy on the machine that it ran on. (It is the least where the rows can be folded
evenly into long ones, as in the shapes of the benchmark.)

Of a training step, the least is its matrix products.
"""

import math
from itertools import pairwise

import numpy as np

NAME = "NumPy least"
BLOCK = 2**17  # numbers of a block: as many bytes in float32 as `bnlib.blocks` takes
WIDTH = 2**14  # numbers of a row: NumPy repeats a shorter vector at half the speed


def build_passes(batch, epsilon):
    """Return a function that runs the twelve operations, block by block."""
    d, dtype = len(batch.gamma), batch.x.dtype
    x, dy = (a.reshape(-1, d) for a in batch[:2])
    y, dx = np.empty_like(x), np.empty_like(x)
    m, gamma, beta = len(x), *(v.astype(dtype) for v in batch[2:])
    blocks, scratch, longer = _blocks(x, y, dy, dx)
    sums = _column_sums(scratch.size // d, d, dtype)

    def step():
        total = squares = dbeta = products = 0
        for part, x, *_ in blocks:
            total = total + sums(x)
            squares = squares + sums(np.multiply(x, x, out=part))
        mean = total / m
        inverse_std = 1 / np.sqrt(squares / m - mean * mean + dtype.type(epsilon))
        scale = gamma * inverse_std
        scales, shifts = longer(scale), longer(beta - mean * scale)
        for part, x, y, *_ in blocks:
            np.add(np.multiply(x, scales, out=part), shifts, out=y)

        for part, x, _, dy, _ in blocks:
            dbeta = dbeta + sums(dy)
            products = products + sums(np.multiply(x, dy, out=part))
        dgamma = (products - mean * dbeta) * inverse_std
        slope = inverse_std * dgamma / m
        slopes, shares = longer(slope), longer(dbeta / m - mean * slope)
        for part, x, _, dy, dx in blocks:
            np.add(np.multiply(x, slopes, out=part), shares, out=part)
            np.multiply(np.subtract(dy, part, out=part), scales, out=dx)
        return dgamma, dbeta

    results = [a.reshape(batch.x.shape) for a in (y, dx)]
    return lambda: (*results, *step())


def build_inference(batch, mean, variance, epsilon):
    """Return a function that runs the two operations that one factor and one shift need."""
    d, dtype = len(batch.gamma), batch.x.dtype
    result = np.empty_like(batch.x)
    blocks, _, longer = _blocks(batch.x.reshape(-1, d), result.reshape(-1, d))

    def step():
        scale = batch.gamma / np.sqrt(variance + epsilon)
        shift = batch.beta - mean * scale
        scales, shifts = (longer(v.astype(dtype)) for v in (scale, shift))
        for part, x, y in blocks:
            np.add(np.multiply(x, scales, out=part), shifts, out=y)
        return (result,)

    return step


def build_products(widths, rows):
    """Return a function that runs the matrix products of one training step."""
    rng = np.random.default_rng(0)
    inputs, kernels = (
        [rng.normal(size=shape).astype(np.float32) for shape in shapes]
        for shapes in ([(rows, width) for width in widths], pairwise(widths))
    )

    def step():
        for x, kernel in zip(inputs, kernels, strict=False):
            x @ kernel
        for i, kernel in enumerate(kernels):
            inputs[i].T @ inputs[i + 1]
            if i:  # nobody asks for the gradient with respect to the data
                inputs[i + 1] @ kernel.T

    return step


def _blocks(*arrays):
    """Cut arrays of one shape into blocks, each behind a scratch array of its shape."""
    m, d = arrays[0].shape
    joined = math.gcd(m, max(1, WIDTH // d))  # rows that are seen as one
    views = [a.reshape(m // joined, joined * d) for a in arrays]
    step = max(1, BLOCK // (joined * d))
    scratch = np.empty((min(step, len(views[0])), joined * d), arrays[0].dtype)
    cuts = [slice(start, start + step) for start in range(0, m // joined, step)]
    blocks = [
        (scratch[: len(views[0][cut])], *(view[cut] for view in views)) for cut in cuts
    ]
    return blocks, scratch, lambda vector: np.tile(vector, joined)


def _column_sums(rows, d, dtype):
    ones = np.ones(rows, dtype)
    return lambda block: ones[: block.size // d].dot(block.reshape(-1, d))
