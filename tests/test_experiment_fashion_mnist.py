"""Specification of the experiment on the Fashion-MNIST network."""

import numpy as np
import pytest


def test_the_arms_of_a_seed_start_from_the_same_kernels():
    pytest.importorskip("keras")
    from bnlib.experiments.fashion_mnist import PLACES, build_model

    starts = []
    for place in PLACES:
        model = build_model((28, 28), batchnorm=place, seed=1)
        starts.append(
            [w.numpy() for w in model.trainable_variables if w.name == "kernel"]
        )
    for plain, before, after in zip(*starts, strict=True):
        np.testing.assert_array_equal(plain, before)
        np.testing.assert_array_equal(plain, after)
