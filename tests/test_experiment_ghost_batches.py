"""Specification of the experiment on ghost batches."""

import pytest

from bnlib.deployment import reestimate
from bnlib.experiments.common import flat, network, streams, train
from bnlib.experiments.data import load_data
from bnlib.experiments.ghost_batches import run
from bnlib.training import evaluate

IMAGES = 100
NUMBERS = {"accuracy", "loss", "train_accuracy", "train_loss"}


@pytest.fixture(scope="module")
def result():
    """Run the experiment on few images."""
    return run(
        load_data("digits", seed=0),
        seed=0,
        images=IMAGES,
        ghost_sizes=(10, IMAGES),
        steps=40,
        longer=(40, 80),
        ordinary_steps=40,
    )


def test_train_and_test_numbers_stand_apart_for_each_arm(result):
    assert set(result["ghost"]) == {"10", str(IMAGES)}
    assert set(result["longer"]) == {"40", "80"}
    assert set(result["ordinary"]) == {"none", "batchnorm", "layernorm"}
    for arms in result.values():
        assert all(set(arm) == NUMBERS for arm in arms.values())


def test_a_network_fits_its_training_images_better_than_the_test_images(result):
    for arms in result.values():
        assert all(arm["train_loss"] < arm["loss"] for arm in arms.values())


@pytest.fixture(scope="module")
def plain():
    """Train the same network with ordinary batch norm."""
    data = flat(load_data("digits", seed=0))
    rows = streams(0).noise.permutation(len(data.x_train))[:IMAGES]
    data = data._replace(x_train=data.x_train[rows], y_train=data.y_train[rows])
    model = network(data, (64, 64), seed=0, batchnorm="before")
    options = {"learning_rate": 0.2, "batch_size": IMAGES, "evaluate_at": []}
    train(model, data, steps=40, seed=0, **options)
    reestimate(model, data.x_train)
    return evaluate(model, data.x_test, data.y_test)


def test_a_ghost_as_large_as_the_batch_is_batch_norm(result, plain):
    whole = result["ghost"][str(IMAGES)]
    assert whole["accuracy"] == plain.accuracy
    assert whole["loss"] == pytest.approx(plain.loss, rel=1e-5)


def test_smaller_ghosts_train_another_network(result, plain):
    assert abs(result["ghost"]["10"]["loss"] / plain.loss - 1) > 0.001


def test_the_control_without_noise_is_the_largest_ghost_trained_for_longer(result):
    assert result["longer"]["40"] == result["ghost"][str(IMAGES)]
    assert result["longer"]["80"]["train_loss"] < result["longer"]["40"]["train_loss"]
