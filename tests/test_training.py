"""Specification of `bnlib.training`."""

import numpy as np
import pytest

from bnlib.datasets import load_digits, two_moons
from bnlib.layers import Dense, ReLU, Sequential, dense_network
from bnlib.losses import binary_cross_entropy, mean_squared_error
from bnlib.training import SGD, evaluate, fit, minibatches


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


def test_evaluation_does_not_depend_on_the_batch_size():
    model = dense_network([64, 32, 10], rng=rng(), batchnorm="before")
    fit(model, *DIGITS[:2], epochs=1, optimizer=SGD(0.1), rng=rng())
    results = [evaluate(model, *DIGITS[2:], batch_size=size) for size in (1, 7, 500)]
    for result in results:
        assert result == pytest.approx(results[0], rel=1e-9)


def test_binary_classification_reports_an_accuracy():
    x, y = two_moons(rng=rng())
    model = dense_network([2, 16, 16, 1], rng=rng(), batchnorm="before", momentum=0.9)
    options = {"optimizer": SGD(0.1, momentum=0.9), "loss": binary_cross_entropy}
    assert fit(model, x, y, epochs=30, rng=rng(), **options).accuracy[-1] > 0.95


def test_regression_has_a_loss_and_no_accuracy():
    x = rng().normal(size=(200, 3))
    y = x @ np.array([[1.0], [2.0], [3.0]])
    model = Sequential([Dense(3, 1, rng=rng())])
    history = fit(
        model, x, y, epochs=20, optimizer=SGD(0.1), rng=rng(), loss=mean_squared_error
    )
    assert history.loss[-1] < 1e-3
    assert np.isnan(history.accuracy[-1])


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
    model = dense_network([64, 8, 10], rng=rng())
    fit(model, *DIGITS[:2], epochs=2, optimizer=SGD(0.1), rng=rng())
    assert capfd.readouterr() == ("", "")
    fit(model, *DIGITS[:2], epochs=2, optimizer=SGD(0.1), rng=rng(), verbose=True)
    assert "2/2" in capfd.readouterr().err


def test_data_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="Received: 5 and 4 rows"):
        fit(
            Sequential([ReLU()]),
            np.ones((5, 2)),
            np.ones(4),
            epochs=1,
            optimizer=SGD(),
            rng=rng(),
        )


@pytest.mark.parametrize(
    "bad", [{"learning_rate": 0}, {"momentum": 1.5}, {"weight_decay": -1}]
)
def test_an_optimizer_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match="must be finite and lie in"):
        SGD(**bad)


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_step_follows_the_formula_and_leaves_the_old_parameters_as_they_were(
    nesterov,
):
    layer = Dense(2, 3, rng=rng())
    model, old = Sequential([layer]), layer.params["kernel"]
    start, gradients = old.copy(), rng(1).normal(size=(2, 2, 3))
    optimizer = SGD(0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.5)
    expected, velocity = start, 0
    for gradient in gradients:
        layer.grads = {"kernel": gradient, "bias": np.zeros(3)}
        optimizer.step(model)
        velocity = 0.9 * velocity - 0.1 * gradient
        move = 0.9 * velocity - 0.1 * gradient if nesterov else velocity
        expected = expected * (1 - 0.1 * 0.5) + move
    np.testing.assert_allclose(layer.params["kernel"], expected, rtol=1e-14)
    np.testing.assert_array_equal(old, start)
