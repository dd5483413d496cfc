"""Data for the chapters: real images, and tables of people made up to the articles' ranges.

`load_digits` needs no network. The MNIST loaders read Keras's cache (`~/.keras`, or the folder
named by KERAS_HOME) and fill it through Keras where it is empty.
"""

import gzip
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnlib.checks import as_count


class Split(NamedTuple):
    """Examples to train on and examples to test on."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def load_digits(*, rng, test_size=500):
    """1,797 images of handwritten digits, 8 x 8, from scikit-learn's package.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws which images are tested on.
    test_size : int

    Returns
    -------
    Split
        `x` of shape (m, 64), float64, from 0 (white) to 1 (black); `y` of shape (m,), 0 to 9.

    References
    ----------
    Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository.

    Examples
    --------
    >>> digits = load_digits(rng=np.random.default_rng(0))
    >>> digits.x_train.shape, digits.y_test.shape
    ((1297, 64), (500,))
    """
    from sklearn.datasets import load_digits as load

    x, y = load(return_X_y=True)
    x = x / 16
    if not 1 <= as_count(test_size, "test_size") < len(x):
        raise ValueError(
            f"test_size must lie in [1, {len(x) - 1}]. Received: {test_size}"
        )
    order = rng.permutation(len(x))
    test, train = order[:test_size], order[test_size:]
    return Split(x[train], y[train], x[test], y[test])


def load_fashion_mnist():
    """60,000 + 10,000 images of clothing in ten classes, 28 x 28 (Xiao, Rasul and Vollgraf, 2017).

    Returns
    -------
    Split
        `x` of shape (m, 28, 28), float32, from 0 to 1; `y` of shape (m,), 0 to 9. A smaller set
        in the same files is returned as it is.

    Raises
    ------
    FileNotFoundError
        With what to do, where neither the cache nor the network has it.
    """
    folder = _keras_home() / "datasets" / "fashion-mnist"
    names = [
        "train-images-idx3",
        "train-labels-idx1",
        "t10k-images-idx3",
        "t10k-labels-idx1",
    ]
    paths = [folder / f"{name}-ubyte.gz" for name in names]
    if not all(path.exists() for path in paths):
        _download("fashion_mnist", folder)
    x_train, y_train, x_test, y_test = (_read_idx(path) for path in paths)
    return Split(_as_unit_interval(x_train), y_train, _as_unit_interval(x_test), y_test)


def load_mnist():
    """60,000 + 10,000 images of handwritten digits, 28 x 28 (LeCun et al., 1998).

    Returns
    -------
    Split
        As `load_fashion_mnist`.

    Raises
    ------
    FileNotFoundError
        With what to do, where neither the cache nor the network has it.
    """
    path = _keras_home() / "datasets" / "mnist.npz"
    if not path.exists():
        _download("mnist", path)
    with np.load(path, allow_pickle=False) as file:
        x_train, y_train, x_test, y_test = (file[key] for key in Split._fields)
    return Split(_as_unit_interval(x_train), y_train, _as_unit_interval(x_test), y_test)


def age_and_miles(m=500, *, rng):
    """People made up: age 18 to 90 years, 1,000 to 100,000 miles driven in five years.

    Parameters
    ----------
    m : int
    rng : numpy.random.Generator

    Returns
    -------
    x : ndarray of shape (m, 2)
        Age in years, miles driven.
    y : ndarray of shape (m, 1)
        A score that depends as much on the one as on the other, with noise of a tenth of its
        spread.

    Examples
    --------
    >>> x, y = age_and_miles(rng=np.random.default_rng(0))
    >>> x.shape, y.shape
    ((500, 2), (500, 1))
    """
    return _people(m, (18, 90), (1e3, 1e5), rng)


def age_and_salary(m=500, *, rng):
    """People made up: age 1 to 100 years, a salary of 10,000 to 1,000,000; as `age_and_miles`.

    Examples
    --------
    >>> x, y = age_and_salary(3, rng=np.random.default_rng(0))
    >>> x.shape, y.shape
    ((3, 2), (3, 1))
    """
    return _people(m, (1, 100), (1e4, 1e6), rng)


def two_moons(m=500, *, rng, noise=0.1):
    """Two interleaved half circles: the smallest problem that a straight line cannot solve.

    Parameters
    ----------
    m : int
    rng : numpy.random.Generator
    noise : float
        Standard deviation of the points around their circle, whose radius is 1.

    Returns
    -------
    x : ndarray of shape (m, 2)
    y : ndarray of shape (m,), 0 or 1

    Examples
    --------
    >>> x, y = two_moons(200, rng=np.random.default_rng(0))
    >>> int(y.sum())
    100
    """
    from sklearn.datasets import make_moons

    return make_moons(
        as_count(m, "m"), noise=noise, random_state=int(rng.integers(2**31))
    )


def _people(m, first, second, rng):
    m = as_count(m, "m")
    x = np.column_stack([rng.uniform(*first, m), rng.uniform(*second, m)])
    unit = (x - x.mean(axis=0)) / x.std(axis=0) if m > 1 else np.zeros_like(x)
    y = unit.sum(axis=1, keepdims=True) + rng.normal(0, 0.1 * np.sqrt(2), (m, 1))
    return x, y


def _keras_home():
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()


def _download(name, place):
    try:
        from keras import datasets

        getattr(datasets, name).load_data()
    except Exception as error:
        raise FileNotFoundError(
            f"{name} is not in {place} and could not be downloaded: connect once to the network, "
            "set KERAS_HOME to a folder that holds it, or use load_digits, which needs neither"
        ) from error


def _read_idx(path):
    # The IDX format: two zeros, a type, the rank; the shape, big-endian; then the bytes.
    with gzip.open(path, "rb") as file:
        data = file.read()
    rank = data[3]
    shape = np.frombuffer(data, ">i4", count=rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _as_unit_interval(images):
    return images.astype(np.float32) / 255
