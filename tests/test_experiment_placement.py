"""Specification of the experiment on the place of batch norm."""

import numpy as np
import pytest

from bnlib.experiments import placement
from bnlib.experiments.data import load_data
from bnlib.experiments.placement import CASES, run

CASE = ("relu", 0.01, (20, 60))


@pytest.fixture(scope="module")
def result():
    """Run one case with short budgets."""
    return run(load_data("digits", seed=0), seed=0, cases=[CASE])


def test_each_arm_of_a_case_is_tested_at_both_budgets(result):
    assert set(result) == {"relu 0.01"}
    assert set(result["relu 0.01"]) == {"none", "before", "after"}
    for arm in result["relu 0.01"].values():
        assert list(arm["steps"]) == [20, 60]
        assert len(arm["accuracy"]) == len(arm["loss"]) == 2
        assert not arm["diverged"]


def test_at_a_small_rate_either_place_beats_none(result):
    losses = {name: arm["loss"][-1] for name, arm in result["relu 0.01"].items()}
    assert max(losses["before"], losses["after"]) < losses["none"] - 0.1


def test_the_arms_start_from_the_same_kernels_and_see_the_same_batches(monkeypatch):
    starts, seen = [], []

    def watch(model, data, *, seed, **options):
        kernels = [layer.params.get("kernel") for layer in model.layers]
        starts.append([kernel for kernel in kernels if kernel is not None])
        seen.append((seed, options, data.x_train.sum()))
        return {}

    monkeypatch.setattr(placement, "train", watch)
    run(load_data("digits", seed=0), seed=3, cases=[CASE])
    assert seen[0] == seen[1] == seen[2]
    for none, before, after in zip(*starts, strict=True):
        np.testing.assert_array_equal(none, before)
        np.testing.assert_array_equal(none, after)


def test_an_earlier_budget_is_a_stop_on_the_way_to_the_later(result):
    shorter = run(load_data("digits", seed=0), seed=0, cases=[("relu", 0.01, (20, 40))])
    for name, arm in result["relu 0.01"].items():
        assert shorter["relu 0.01"][name]["loss"][0] == arm["loss"][0]


def test_every_case_has_an_early_and_a_late_budget():
    assert len(CASES) == 4
    assert all(early < late for _, _, (early, late) in CASES)
