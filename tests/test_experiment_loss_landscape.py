"""Specification of the experiment on the loss along the gradient."""

import numpy as np
import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.loss_landscape import look_around, run
from bnlib.experiments.probes import as_vector, loss_and_gradients
from bnlib.layers import Dense, Sequential, dense_network


@pytest.fixture(scope="module")
def result():
    """Run the experiment with one network, looking seldom."""
    digits = load_data("digits", seed=0)
    return run(digits, seed=0, networks=["relu"], steps=80, interval=8)["relu"]


def test_each_arm_is_looked_at_from_the_start_on(result):
    assert set(result) == {"none", "batchnorm"}
    for arm in result.values():
        assert arm["steps"] == list(range(0, 81, 8))
        assert {len(v) for key, v in arm.items() if key != "accuracy"} == {11}
        assert (np.array(arm["lowest"]) <= arm["highest"]).all()


def test_with_batch_norm_the_loss_of_relus_is_smoother_along_the_gradient(result):
    ranges, smoothness = (
        {arm: np.median(of(numbers)) for arm, numbers in result.items()}
        for of in (
            lambda arm: np.subtract(arm["highest"], arm["lowest"]),
            lambda arm: arm["smoothness"],
        )
    )
    assert ranges["batchnorm"] < ranges["none"] / 2
    assert smoothness["batchnorm"] < smoothness["none"]


X = np.random.default_rng(1).normal(size=(30, 4))
Y = np.random.default_rng(2).integers(0, 3, 30)


@pytest.mark.parametrize("place", [None, "before"])
def test_a_short_step_lowers_the_loss_by_its_length_times_the_slope(place):
    model = dense_network([4, 6, 3], rng=np.random.default_rng(0), batchnorm=place)
    weights = model.get_weights()
    look = look_around(model, X, Y, sizes=[1e-5])
    for name, value in model.get_weights().items():
        np.testing.assert_array_equal(value, weights[name])
    loss, gradients = loss_and_gradients(model, X, Y)
    assert look["loss"] == loss
    slope = np.square(as_vector(gradients)).sum()
    assert loss - look["lowest"] == pytest.approx(1e-5 * slope, rel=1e-3)


def test_smoothness_lies_between_the_curvatures_of_the_loss():
    # The loss of one dense layer is convex with a Hessian of at most half the largest
    # eigenvalue of the inputs' second moments, the bias's 1 among them.
    model = Sequential([Dense(4, 3, rng=np.random.default_rng(0))])
    look = look_around(model, X, Y, sizes=[0.1, 1.0])
    inputs = np.column_stack([X, np.ones(30)])
    largest = np.linalg.eigvalsh(inputs.T @ inputs / 30).max() / 2
    assert 0 < look["smoothness"] <= largest
    _, gradients = loss_and_gradients(model, X, Y)
    length = np.linalg.norm(as_vector(gradients))
    assert look["relative_change"] == pytest.approx(look["gradient_change"] / length)
    one = look_around(model, X, Y, sizes=[0.5])
    assert one["smoothness"] == pytest.approx(one["gradient_change"] / (0.5 * length))
