"""The data that an experiment is handed, by name and seed, and what a record says of it."""

import hashlib
from functools import cache

import numpy as np

from bnlib import datasets

# Digits come as one heap, so that every seed draws a split of its own; the others were split by
# those who published them.
LOADERS = {
    "digits": lambda seed: datasets.load_digits(rng=np.random.default_rng(seed)),
    "fashion_mnist": lambda seed: _published("load_fashion_mnist"),
    "mnist": lambda seed: _published("load_mnist"),
    "synthetic": lambda seed: None,  # the experiment makes its own data from its seed
}
IMAGES = [name for name in LOADERS if name != "synthetic"]


def load_data(name, *, seed):
    """Return what `run` takes as its data.

    Parameters
    ----------
    name : {"digits", "fashion_mnist", "mnist", "synthetic"}
    seed : int
        Draws which of the digits are tested on; the other sets have a split of their own.

    Returns
    -------
    bnlib.datasets.Split, or None for "synthetic"

    Raises
    ------
    FileNotFoundError
        With what to do, where the images are not on this machine and cannot be had.

    Examples
    --------
    >>> [len(part) for part in load_data("digits", seed=0)]
    [1297, 1297, 500, 500]
    """
    return LOADERS[name](seed)


def describe(name):
    """Return a data set's name, sizes and checksum (of the split that seed 0 gets).

    Examples
    --------
    >>> describe("synthetic")
    {'name': 'synthetic'}
    """
    split = load_data(name, seed=0)
    if split is None:
        return {"name": name}
    digest = hashlib.sha256()
    for array in split:
        digest.update(np.ascontiguousarray(array).tobytes())
    return {
        "name": name,
        "train": len(split.x_train),
        "test": len(split.x_test),
        "sha256": digest.hexdigest()[:16],
    }


@cache
def _published(loader):
    return getattr(datasets, loader)()
