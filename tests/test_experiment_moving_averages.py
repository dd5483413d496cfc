"""Specification of the experiment on moving averages after few steps."""

import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.moving_averages import run

CHECKPOINTS = (10, 60)


@pytest.fixture(scope="module")
def result():
    """Run the experiment for few steps."""
    return run(
        load_data("digits", seed=0),
        seed=0,
        momenta=(0.0, 0.9, 0.99),
        checkpoints=CHECKPOINTS,
    )


def test_each_momentum_has_two_accuracies_a_checkpoint(result):
    assert set(result) == {"0.0", "0.9", "0.99"}
    for arm in result.values():
        assert list(arm["steps"]) == list(CHECKPOINTS)
        assert len(arm["stored"]) == len(arm["batch"]) == 2


def test_the_momentum_does_not_touch_the_weights(result):
    assert result["0.0"]["batch"] == result["0.9"]["batch"] == result["0.99"]["batch"]


def test_after_ten_steps_a_momentum_of_99_hundredths_has_hardly_left_its_start(result):
    assert result["0.99"]["stored"][0] < result["0.99"]["batch"][0] - 0.1


def test_after_sixty_steps_a_momentum_of_nine_tenths_has_forgotten_its_start(result):
    assert abs(result["0.9"]["stored"][1] - result["0.9"]["batch"][1]) < 0.05


def test_the_same_seed_gives_the_same_numbers(result):
    again = run(
        load_data("digits", seed=0), seed=0, momenta=[0.9], checkpoints=CHECKPOINTS
    )
    assert again["0.9"] == result["0.9"]
