"""Specification of the facts about Keras: each can come out otherwise."""

import pytest

pytest.importorskip("keras")

from bnlib.experiments import keras_facts


@pytest.fixture(scope="module")
def facts():
    """Return the facts of one seed, without the large networks."""
    return keras_facts.run(None, seed=0, applications=())


def test_a_layer_holds_two_arrays_to_learn_and_two_to_store(facts):
    layer = facts["layer"]
    assert (layer["arrays"], layer["trainable"], layer["not_trainable"]) == (4, 2, 2)
    assert layer["names_as_expected"] == layer["trainable_are_gamma_and_beta"] == 1


def test_gamma_and_beta_move_when_there_is_something_to_learn(facts):
    assert facts["layer"]["learned"] > 0.01


def test_the_stored_variance_is_told_from_the_unbiased_one(facts):
    stored = facts["stored_variance"]
    assert stored["biased"] < 1e-5 < stored["unbiased"]
    assert stored["unbiased"] == pytest.approx(1 - 7 / 8, rel=1e-4)  # 8 rows


def test_the_kept_axis_is_told_from_the_others(facts):
    axis = facts["axis"]
    assert axis["mean_over_others"] < 1e-5 < axis["mean_along"]
    assert (axis["gammas_of_axis_1"], axis["gammas_of_last_axis"]) == (1, 32)


def test_a_call_that_works_is_not_counted_as_refused():
    keras = pytest.importorskip("keras")
    assert not keras_facts._is_refused(keras.optimizers.SGD, learning_rate=0.01)
    assert keras_facts._is_refused(keras.optimizers.SGD, lr=0.01)


def test_the_layers_of_a_large_network_are_counted():
    assert keras_facts._count("MobileNet") == 27
