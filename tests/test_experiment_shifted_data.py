"""Specification of the experiment on changed test images."""

import numpy as np
import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.shifted_data import SHIFTS, run

ACCURACIES = {"none", "batchnorm", "layernorm", "reestimated", "small"}


@pytest.fixture(scope="module")
def result():
    """Run the experiment with a short training."""
    return run(load_data("digits", seed=0), seed=0, steps=150)


def test_each_change_is_met_by_five_networks_and_an_agreement(result):
    assert set(result) == set(SHIFTS)
    assert all(set(row) == {*ACCURACIES, "agreement"} for row in result.values())


def test_unchanged_images_are_labelled_well_by_all(result):
    assert min(result["unchanged"].values()) > 0.8
    assert result["unchanged"]["agreement"] == 1


@pytest.mark.parametrize("change", ["brightness", "gain", "gain and brightness"])
def test_re_estimation_undoes_what_is_the_same_in_every_pixel(result, change):
    assert result[change]["agreement"] > 0.99
    assert result[change]["reestimated"] > result[change]["batchnorm"] + 0.2


def test_nothing_undoes_an_inversion(result):
    assert max(result["inversion"].values()) < 0.2


def test_a_translation_moves_each_pixel_one_place_to_the_right():
    image = np.arange(9.0).reshape(1, 9)
    moved = SHIFTS["translation"](image, None)
    np.testing.assert_array_equal(moved, [[0, 0, 1, 0, 3, 4, 0, 6, 7]])


@pytest.mark.parametrize("change", sorted(set(SHIFTS) - {"unchanged"}))
def test_a_change_leaves_the_images_it_was_given_alone(change):
    image = np.random.default_rng(0).random((2, 9))
    kept = image.copy()
    changed = SHIFTS[change](image, np.random.default_rng(1))
    np.testing.assert_array_equal(image, kept)
    assert changed.shape == image.shape
    assert not np.array_equal(changed, image)
