"""Specification of the experiment on test batches of one class."""

import numpy as np
import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.sorted_batches import run

SIZES = (10, 50, 500)


@pytest.fixture(scope="module")
def result():
    """Run the experiment with a short training."""
    return run(load_data("digits", seed=0), seed=0, test_sizes=SIZES, steps=150)


def test_there_is_an_accuracy_for_each_size_of_batch(result):
    assert result["sizes"] == list(SIZES)
    assert len(result["shuffled"]) == len(result["sorted"]) == len(SIZES)


def test_a_batch_of_one_class_is_labelled_no_better_than_by_chance(result):
    assert max(result["sorted"]) < 0.3
    assert result["stored"] > 0.9


def test_the_larger_a_random_batch_the_nearer_it_comes_to_the_stored_statistics(result):
    distance = np.abs(np.array(result["shuffled"]) - result["stored"])
    assert distance[0] > distance[1] > distance[2] - 0.01
    assert distance[2] < 0.02


def test_a_batch_of_all_test_images_does_not_depend_on_their_order(result):
    data = load_data("digits", seed=0)
    turned = data._replace(x_test=data.x_test[::-1], y_test=data.y_test[::-1])
    again = run(turned, seed=0, test_sizes=[500], steps=150)
    assert again["shuffled"][0] == pytest.approx(result["shuffled"][2], abs=0.003)
