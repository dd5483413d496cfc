"""Specification of `bnlib.datasets`."""

import gzip
import subprocess
import sys

import numpy as np
import pytest

from bnlib import datasets


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_digits_are_split_without_overlap_and_by_the_seed():
    digits = datasets.load_digits(rng=rng())
    again, other = datasets.load_digits(rng=rng()), datasets.load_digits(rng=rng(1))
    assert [len(part) for part in digits] == [1297, 1297, 500, 500]
    np.testing.assert_array_equal(digits.x_test, again.x_test)
    assert (digits.y_test != other.y_test).any()
    together = np.vstack([digits.x_train, digits.x_test])
    assert len(np.unique(together, axis=0)) == 1797
    assert (together.min(), together.max()) == (0, 1)


@pytest.mark.parametrize("size", [0, 1797])
def test_a_test_set_of_no_or_all_digits_is_refused(size):
    with pytest.raises(ValueError, match="test_size must"):
        datasets.load_digits(rng=rng(), test_size=size)


@pytest.mark.parametrize(
    ("load", "first", "second"),
    [
        (datasets.age_and_miles, (18, 90), (1e3, 1e5)),
        (datasets.age_and_salary, (1, 100), (1e4, 1e6)),
    ],
)
def test_the_tables_of_people_span_the_articles_ranges(load, first, second):
    x, y = load(2000, rng=rng())
    assert (x.shape, y.shape) == ((2000, 2), (2000, 1))
    for column, (low, high) in zip(x.T, (first, second), strict=True):
        assert low <= column.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < column.max() <= high
    correlations = [np.corrcoef(column, y.ravel())[0, 1] for column in x.T]
    np.testing.assert_allclose(correlations, np.sqrt(0.5), atol=0.05)


def test_two_moons_are_balanced_and_named_by_the_seed():
    x, y = datasets.two_moons(100, rng=rng())
    assert x.shape == (100, 2)
    assert np.bincount(y).tolist() == [50, 50]
    np.testing.assert_array_equal(x, datasets.two_moons(100, rng=rng())[0])


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return a Keras cache with a few images of our own making."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    images = rng().integers(0, 256, (6, 28, 28)).astype(np.uint8)
    labels = np.arange(6, dtype=np.uint8)
    write_idx(folder / "train-images-idx3-ubyte.gz", images[:4])
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels[:4])
    write_idx(folder / "t10k-images-idx3-ubyte.gz", images[4:])
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", labels[4:])
    names = ["x_train", "y_train", "x_test", "y_test"]
    parts = images[:4], labels[:4], images[4:], labels[4:]
    np.savez(
        tmp_path / "datasets" / "mnist.npz", **dict(zip(names, parts, strict=True))
    )
    return images, labels


@pytest.mark.parametrize("load", [datasets.load_fashion_mnist, datasets.load_mnist])
def test_images_come_from_the_folder_that_keras_home_names(cache, load):
    images, labels = cache
    split = load()
    np.testing.assert_allclose(split.x_train, images[:4] / 255, rtol=1e-6)
    assert split.x_train.dtype == np.float32
    np.testing.assert_array_equal(split.y_test, labels[4:])


def test_keras_itself_reads_the_same_images(cache):
    pytest.importorskip("keras")
    code = (  # in a process of its own: Keras looks at KERAS_HOME when it is imported
        "import numpy as np; from keras.datasets import fashion_mnist; from bnlib import datasets; "
        "(x, y), _ = fashion_mnist.load_data(); split = datasets.load_fashion_mnist(); "
        "np.testing.assert_allclose(split.x_train, x / 255, rtol=1e-6); "
        "np.testing.assert_array_equal(split.y_train, y)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_without_cache_and_network_one_sentence_says_what_to_do(
    name, tmp_path, monkeypatch
):
    keras = pytest.importorskip("keras")

    def no_network():
        raise OSError("no route to host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", no_network)
    with pytest.raises(
        FileNotFoundError, match="set KERAS_HOME to a folder that holds it"
    ) as told:
        getattr(datasets, f"load_{name}")()
    assert "\n" not in str(told.value)


def test_the_digits_need_neither_keras_nor_a_network():
    code = (
        "import sys, numpy as np; from bnlib.datasets import load_digits; "
        "load_digits(rng=np.random.default_rng(0)); assert 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
