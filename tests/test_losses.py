"""Specification of `bnlib.losses`."""

import numpy as np
import pytest

from bnlib.gradcheck import check_gradient
from bnlib.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy

RNG = np.random.default_rng(2)
LOGITS = RNG.normal(0, 3, (6, 4))
COLUMN = RNG.normal(0, 3, (6, 1))
CASES = {
    "softmax": (softmax_cross_entropy, LOGITS, np.array([0, 1, 2, 3, 0, 2])),
    "binary": (binary_cross_entropy, COLUMN, np.array([0, 1, 1, 0, 0, 1])),
    "squares": (mean_squared_error, LOGITS, RNG.normal(size=(6, 4))),
}
every_loss = pytest.mark.parametrize(
    ("loss", "outputs", "y"), CASES.values(), ids=CASES
)


@every_loss
def test_the_gradient_of_every_loss_matches_finite_differences(loss, outputs, y):
    check_gradient(
        lambda v: loss(v, y)[0], outputs, loss(outputs, y)[1], name="outputs"
    )


@every_loss
def test_a_loss_is_an_average_over_the_batch(loss, outputs, y):
    twice = loss(np.vstack([outputs, outputs]), np.concatenate([y, y]))[0]
    assert twice == pytest.approx(loss(outputs, y)[0], rel=1e-12)


@every_loss
def test_the_gradient_keeps_the_dtype_of_the_outputs(loss, outputs, y):
    assert loss(outputs.astype(np.float32), y)[1].dtype == np.float32


def test_every_loss_is_its_formula_averaged_over_the_batch():
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    labels = CASES["softmax"][2]
    of_the_labels = probabilities[np.arange(6), labels]
    loss, _ = softmax_cross_entropy(LOGITS, labels)
    assert loss == pytest.approx(-np.log(of_the_labels).mean(), rel=1e-12)

    labels = CASES["binary"][2]
    of_one = 1 / (1 + np.exp(-COLUMN.ravel()))
    of_the_labels = np.where(labels == 1, of_one, 1 - of_one)
    loss, _ = binary_cross_entropy(COLUMN, labels)
    assert loss == pytest.approx(-np.log(of_the_labels).mean(), rel=1e-12)

    targets = CASES["squares"][2]
    loss, _ = mean_squared_error(LOGITS, targets)
    assert loss == pytest.approx(((LOGITS - targets) ** 2).mean(), rel=1e-12)


def test_a_row_of_large_logits_leaves_the_other_rows_as_they_are():
    logits = LOGITS + np.array([[0.0], [1e4], [0], [-1e4], [0], [0]])
    labels = CASES["softmax"][2]
    with np.errstate(all="raise", under="ignore"):
        loss, dlogits = softmax_cross_entropy(logits, labels)
    expected, gradient = softmax_cross_entropy(LOGITS, labels)
    assert loss == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(dlogits, gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_a_float32_loss_is_averaged_in_float64(size):
    value = np.float32(0.1)
    predictions = np.full((size, 1), value)
    square = float(np.square(value))
    loss, _ = mean_squared_error(predictions, np.zeros((size, 1)))
    assert loss == pytest.approx(square, rel=1e-12)

    cost = float(np.logaddexp(np.float32(0), value))
    loss, _ = binary_cross_entropy(predictions, np.zeros(size))
    assert loss == pytest.approx(cost, rel=1e-12)

    logits = np.repeat(np.array([[0.1, 0.0]], np.float32), size, axis=0)
    loss, _ = softmax_cross_entropy(logits, np.zeros(size, int))
    assert loss == pytest.approx(softmax_cross_entropy(logits[:1], [0])[0], rel=1e-12)


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    assert softmax_cross_entropy(np.zeros((3, 10)), [1, 2, 3])[0] == pytest.approx(
        np.log(10)
    )
    assert binary_cross_entropy(np.zeros((2, 1)), [0, 1])[0] == pytest.approx(np.log(2))


@pytest.mark.parametrize("size", [1e3, 1e300])
def test_huge_logits_neither_overflow_nor_take_the_logarithm_of_zero(size):
    with np.errstate(all="raise", under="ignore"):
        assert softmax_cross_entropy([[size, 0.0]], [0])[0] == 0
        assert softmax_cross_entropy([[size, 0.0]], [1])[0] == size
        assert binary_cross_entropy([[size]], [1])[0] == 0
        assert binary_cross_entropy([[size]], [0])[0] == size


@pytest.mark.parametrize("labels", [[0, 4], [-1, 0]])
def test_a_label_out_of_range_is_refused(labels):
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 3\]"):
        softmax_cross_entropy(np.zeros((2, 4)), labels)


def test_labels_of_another_length_or_kind_are_refused():
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\)"):
        softmax_cross_entropy(np.zeros((2, 4)), [0])
    with pytest.raises(TypeError, match="must be integers"):
        softmax_cross_entropy(np.zeros((2, 4)), [0.0, 1.0])
    with pytest.raises(ValueError, match="must be 0 or 1"):
        binary_cross_entropy(np.zeros((2, 1)), [0, 2])
    with pytest.raises(ValueError, match="targets must have shape"):
        mean_squared_error(np.zeros((2, 1)), [0.0, 2.0])


@every_loss
def test_outputs_of_one_axis_are_refused_by_name(loss, outputs, y):
    with pytest.raises(ValueError, match=r"^(logits|predictions) must have at least 2"):
        loss(outputs[:, 0], y)


def test_arguments_that_are_not_numbers_are_refused_by_name():
    with pytest.raises(TypeError, match=r"^labels must hold"):
        binary_cross_entropy([[0.0]], ["a"])
    with pytest.raises(TypeError, match=r"^targets must hold"):
        mean_squared_error([[0.0]], [["a"]])


def test_a_binary_cross_entropy_of_two_columns_is_refused():
    with pytest.raises(ValueError, match=r"^logits must have shape \(2, 1\)"):
        binary_cross_entropy(np.zeros((2, 2)), [0, 1])
    with pytest.raises(ValueError, match=r"Received: \[0. 2.\]$"):
        binary_cross_entropy(np.zeros((2, 1)), [2, 0])
