"""Specification of the paper's own experiment."""

import numpy as np
import pytest

from bnlib.experiments.data import load_data
from bnlib.experiments.paper import binary, run


@pytest.fixture(scope="module")
def result():
    """Run the experiment on the digits for a few steps."""
    return run(load_data("digits", seed=0), seed=0, steps=150, starts=(0.1,))["0.1"]


def test_images_are_binary_as_in_the_paper():
    data = load_data("digits", seed=0)
    split = binary(data)
    assert set(np.unique(split.x_train)) == {0, 1}
    np.testing.assert_array_equal(split.x_test, data.x_test >= 0.5)


def test_accuracy_and_percentiles_are_measured_at_the_same_steps(result):
    for arm in result.values():
        assert arm["steps"][0] == 0
        assert arm["steps"][-1] == 150
        for name in ("accuracy", "loss", "percentiles", "width"):
            assert len(arm[name]) == len(arm["steps"])


def test_the_percentiles_are_in_order(result):
    for arm in result.values():
        assert np.all(np.diff(arm["percentiles"], axis=1) >= 0)


def test_a_units_input_varies_between_images_only_with_batch_norm(result):
    # A standard normal variable has 2.07 between its 15th and 85th percentiles.
    assert result["batchnorm"]["width"][0] == pytest.approx(2.07, abs=0.15)
    assert result["none"]["width"][0] < 0.1
    assert result["batchnorm"]["accuracy"][-1] > 0.8
    assert result["none"]["accuracy"][-1] < 0.5


def test_watching_a_network_does_not_change_what_it_learns():
    data = load_data("digits", seed=0)
    curves = [
        run(data, seed=0, steps=20, starts=(0.1,), watched=rows)["0.1"]["batchnorm"]
        for rows in (50, 500)
    ]
    assert curves[0]["loss"] == curves[1]["loss"]
    assert curves[0]["width"] != curves[1]["width"]
