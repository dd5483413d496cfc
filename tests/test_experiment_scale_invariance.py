"""Specification of the experiment on scale invariance."""

import numpy as np
import pytest

from bnlib.experiments.common import flat, network
from bnlib.experiments.data import load_data
from bnlib.experiments.scale_invariance import run

RESIDUALS = ("function", "gradient", "angle", "path", "growth")
CHECKPOINTS = (0, 1, 10, 100)


@pytest.fixture(scope="module")
def result():
    """Run the experiment from two scales, with a short training."""
    return run(
        load_data("digits", seed=0),
        seed=0,
        path_steps=30,
        starts=(0.03, 1),
        decays=(0, 0.3),
        checkpoints=CHECKPOINTS,
        hidden=(32, 32),
    )


@pytest.mark.parametrize("name", RESIDUALS)
def test_an_identity_holds_to_rounding(result, name):
    assert 0 <= result[name] < 1e-10


def test_the_effective_rate_is_the_rate_over_the_squared_norm(result):
    for by_decay in result["curves"].values():
        for curve in by_decay.values():
            assert list(curve["steps"]) == list(CHECKPOINTS)
            norm = np.array(curve["norm"])
            np.testing.assert_allclose(curve["effective_rate"], 0.1 / norm**2)


def test_starts_are_the_same_kernel_on_other_scales(result):
    small, plain = (result["curves"][start]["0"]["norm"][0] for start in ("0.03", "1"))
    assert small / plain == pytest.approx(0.03)


def test_without_decay_a_kernel_grows_at_every_step_and_with_decay_a_long_one_shrinks(
    result,
):
    assert result["curves"]["0.03"]["0"]["growing"] == 1
    assert result["curves"]["1"]["0"]["growing"] == 1
    decayed = result["curves"]["1"]["0.3"]["norm"]
    assert decayed[-1] < decayed[0] / 2


def test_a_short_kernel_becomes_long_in_one_step(result):
    norms = result["curves"]["0.03"]["0"]["norm"]
    assert norms[1] > 5 * norms[0]
    assert norms[3] < 1.5 * norms[1]


def test_the_norm_that_is_followed_is_that_of_the_first_kernel(result):
    data = flat(load_data("digits", seed=0), "float64")
    model = network(
        data, (32, 32), seed=0, dtype="float64", kernel_initializer="he_normal"
    )
    first = np.linalg.norm(model.layers[0].params["kernel"])
    assert result["curves"]["1"]["0"]["norm"][0] == pytest.approx(first)
