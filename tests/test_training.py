"""Specification of `bnlib.training`."""

from functools import partial
from threading import RLock

import numpy as np
import pytest
from tqdm.auto import tqdm

from bnlib.datasets import load_digits, two_moons
from bnlib.layers import Dense, ReLU, Sequential, dense_network
from bnlib.losses import (
    binary_cross_entropy,
    mean_squared_error,
    softmax_cross_entropy,
)
from bnlib.training import SGD, evaluate, fit, minibatches, train_step


def rng(seed=0):
    return np.random.default_rng(seed)


DIGITS = load_digits(rng=rng())


@pytest.mark.parametrize(("m", "size"), [(10, 3), (10, 10), (10, 20), (9, 3), (1, 1)])
def test_minibatches_hold_every_row_once(m, size):
    batches = list(minibatches(m, size, rng=rng()))
    assert sorted(np.concatenate(batches)) == list(range(m))
    assert {len(b) for b in batches[:-1]} <= {size}


def test_minibatches_may_drop_a_smaller_last_batch():
    assert [len(b) for b in minibatches(10, 3, rng=rng(), drop_remainder=True)] == [
        3,
        3,
        3,
    ]


def test_minibatches_of_another_seed_come_in_another_order():
    orders = [
        np.concatenate(list(minibatches(50, 7, rng=rng(seed)))) for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batchnorm": "before", "momentum": 0.9},
        {"batchnorm": "after", "momentum": 0.9},
    ],
    ids=["without", "before", "after"],
)
def test_a_small_network_learns_the_digits(options):
    model = dense_network([64, 32, 10], rng=rng(), **options)
    history = fit(
        model,
        *DIGITS[:2],
        epochs=10,
        optimizer=SGD(0.1, momentum=0.9),
        rng=rng(1),
        validation_data=DIGITS[2:],
    )
    assert history.val_accuracy[-1] > 0.93
    assert {len(v) for v in (history.loss, history.accuracy, history.val_loss)} == {10}
    assert not history.diverged
    last = (pytest.approx(history.val_loss[-1]), history.val_accuracy[-1])
    assert evaluate(model, *DIGITS[2:]) == last


@pytest.mark.parametrize("size", [1, 7, 500])
def test_evaluation_is_that_of_all_rows_whatever_the_batch_size(size):
    model = dense_network([64, 32, 10], rng=rng(), batchnorm="before")
    fit(model, *DIGITS[:2], epochs=1, optimizer=SGD(0.1), rng=rng())
    x, labels = DIGITS[2:]
    logits = model.forward(x, training=False)
    loss, _ = softmax_cross_entropy(logits, labels)
    accuracy = np.mean(logits.argmax(axis=1) == labels)
    found = evaluate(model, x, labels, batch_size=size)
    assert found == pytest.approx((loss, accuracy), rel=1e-9)


def test_32_rows_are_trained_on_at_once_and_1024_evaluated_where_nothing_else_is_said():
    sizes, labels = [], np.zeros(1030, int)

    def loss(outputs, y):
        sizes.append(len(outputs))
        return softmax_cross_entropy(outputs, y)

    model, x = dense_network([2, 3], rng=rng()), np.ones((1030, 2))
    evaluate(model, x, labels, loss=loss)
    options = {"epochs": 1, "optimizer": SGD(), "rng": rng(), "loss": loss}
    fit(model, x[:70], labels[:70], **options)
    fit(model, x[:70], labels[:70], drop_remainder=True, **options)
    assert sizes == [1024, 6, 32, 32, 6, 32, 32]


def test_accuracy_is_the_share_of_rows_whose_largest_logit_or_whose_sign_is_right():
    nothing = Sequential([])
    two = [[1.0, 0.0], [0.0, 1.0], [2.0, 3.0], [0.0, 5.0]]
    assert evaluate(nothing, two, [0, 1, 1, 0]).accuracy == 0.75
    one, options = [[-0.5], [0.0], [0.5], [2.0]], {"loss": binary_cross_entropy}
    assert evaluate(nothing, one, [0, 0, 1, 1], **options).accuracy == 1
    assert evaluate(nothing, one, [1, 1, 0, 1], **options).accuracy == 0.25


def test_binary_classification_reports_an_accuracy():
    x, y = two_moons(rng=rng())
    model = dense_network([2, 16, 16, 1], rng=rng(), batchnorm="before", momentum=0.9)
    options = {"optimizer": SGD(0.1, momentum=0.9), "loss": binary_cross_entropy}
    options["validation_data"] = x[:50], y[:50]
    history = fit(model, x, y, epochs=30, rng=rng(), **options)
    assert history.accuracy[-1] > 0.95
    last = evaluate(model, x[:50], y[:50], loss=binary_cross_entropy)
    assert (history.val_loss[-1], history.val_accuracy[-1]) == last


def test_regression_has_a_loss_and_no_accuracy():
    x = rng().normal(size=(200, 3))
    y = x @ np.array([[1.0], [2.0], [3.0]])
    model = Sequential([Dense(3, 1, rng=rng())])
    history = fit(
        model, x, y, epochs=20, optimizer=SGD(0.1), rng=rng(), loss=mean_squared_error
    )
    assert history.loss[-1] < 1e-3
    assert np.isnan(history.accuracy[-1])
    two = [[1.0, 0.0], [0.0, 1.0]]  # targets that might be taken for classes
    assert np.isnan(
        evaluate(Sequential([]), two, two, loss=mean_squared_error).accuracy
    )


@pytest.mark.parametrize("batchnorm", [None, "before"])
def test_training_that_diverges_stops_and_says_so(batchnorm):
    model = dense_network([64, 32, 32, 10], rng=rng(), batchnorm=batchnorm)
    history = fit(model, *DIGITS[:2], epochs=50, optimizer=SGD(1e200), rng=rng())
    assert history.diverged
    assert len(history.loss) < 50


def test_a_callback_sees_every_step():
    seen = []
    model = dense_network([64, 8, 10], rng=rng())
    options = {"optimizer": SGD(0.1), "rng": rng(), "batch_size": 100}
    fit(
        model,
        *DIGITS[:2],
        epochs=2,
        on_step=lambda step, m: seen.append((step, m)),
        **options,
    )
    assert seen == [(step, model) for step in range(1, 27)]


def test_a_progress_bar_is_shown_on_demand(capfd):
    # tqdm's own lock is one for all forks: a fork that ends with it, as under mutmut, stops all.
    tqdm.set_lock(RLock())
    model = dense_network([64, 8, 10], rng=rng())
    fit(model, *DIGITS[:2], epochs=2, optimizer=SGD(0.1), rng=rng())
    assert capfd.readouterr() == ("", "")
    fit(model, *DIGITS[:2], epochs=2, optimizer=SGD(0.1), rng=rng(), verbose=True)
    shown = capfd.readouterr().err
    assert "2/2" in shown
    assert "?epoch/s" in shown


fit_and_evaluate = pytest.mark.parametrize(
    "run",
    [partial(fit, epochs=1, optimizer=SGD(), rng=rng()), evaluate],
    ids=["fit", "evaluate"],
)


@fit_and_evaluate
def test_rows_that_are_no_table_of_numbers_are_refused_by_name(run):
    nothing = Sequential([])
    with pytest.raises(TypeError, match=r"^x must hold"):
        run(nothing, [["a"]], [0])
    with pytest.raises(ValueError, match=r"^x must have at least 2 axes"):
        run(nothing, [1.0, 2.0], [0, 1])


def test_a_count_below_one_is_refused_by_name():
    one_row = Sequential([ReLU()]), [[1.0]], [0]
    train = partial(fit, *one_row, optimizer=SGD(), rng=rng())
    with pytest.raises(ValueError, match=r"^epochs must be at least 1"):
        train(epochs=0)
    with pytest.raises(ValueError, match=r"^batch_size must be at least 1"):
        train(epochs=1, batch_size=0)
    with pytest.raises(ValueError, match=r"^batch_size must be at least 1"):
        evaluate(*one_row, batch_size=0)
    with pytest.raises(ValueError, match=r"^m must be at least 1"):
        next(minibatches(0, 1, rng=rng()))


def test_a_step_of_training_asks_for_no_gradient_of_the_data():
    class First(Dense):
        def _backward(self, dy, x):
            raise AssertionError("the gradient of the data was computed")

    model = Sequential([First(2, 3, rng=rng())])
    options = {"loss": softmax_cross_entropy, "optimizer": SGD()}
    train_step(model, np.ones((1, 2)), [0], **options)
    assert model.layers[0].grads


@fit_and_evaluate
@pytest.mark.parametrize("rows", [3, 5])
def test_data_of_different_lengths_are_refused(run, rows):
    with pytest.raises(ValueError, match=f"^x and y must .*: 4 and {rows} rows$"):
        run(Sequential([ReLU()]), np.ones((4, 2)), np.ones(rows), batch_size=2)


@pytest.mark.parametrize(
    ("name", "bad", "allowed"),
    [
        ("learning_rate", 0, r"\(0, inf\]"),
        ("momentum", 1.5, r"\[0, 1\]"),
        ("weight_decay", -1, r"\[0, inf\]"),
    ],
)
def test_an_optimizer_out_of_range_is_refused_by_name(name, bad, allowed):
    with pytest.raises(
        ValueError, match=rf"^{name} must be finite and lie in {allowed}"
    ):
        SGD(**{name: bad})


def test_a_step_is_a_hundredth_of_the_gradient_where_nothing_else_is_said():
    model = Sequential([Dense(2, 3, rng=rng())])
    start, gradient = model.layers[0].params["kernel"], rng(1).normal(size=(2, 3))
    model.layers[0].grads = {"kernel": gradient, "bias": np.zeros(3)}
    optimizer = SGD()
    for steps in (1, 2):
        optimizer.step(model)
        expected = start - steps * 0.01 * gradient
        np.testing.assert_allclose(model.layers[0].params["kernel"], expected)


@pytest.mark.parametrize("options", [{}, {"nesterov": True}], ids=["plain", "nesterov"])
@pytest.mark.parametrize("momentum", [0.9, 1.0])
def test_a_step_follows_the_formula_and_leaves_the_old_parameters_as_they_were(
    momentum, options
):
    layer = Dense(2, 3, rng=rng())
    model, old = Sequential([layer]), layer.params["kernel"]
    start, gradients = old.copy(), rng(1).normal(size=(2, 2, 3))
    optimizer = SGD(0.1, momentum=momentum, weight_decay=0.5, **options)
    expected, velocity = start, 0
    for gradient in gradients:
        layer.grads = {"kernel": gradient, "bias": np.zeros(3)}
        optimizer.step(model)
        velocity = momentum * velocity - 0.1 * gradient
        move = momentum * velocity - 0.1 * gradient if options else velocity
        expected = expected * (1 - 0.1 * 0.5) + move
    np.testing.assert_allclose(layer.params["kernel"], expected, rtol=1e-14)
    np.testing.assert_array_equal(old, start)
