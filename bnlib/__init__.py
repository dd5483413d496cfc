"""Batch normalization in NumPy: the library that the course teaches, shows and tests.

The names below cost NumPy and nothing else; `bnlib.datasets`, `bnlib.plots`, `bnlib.source` and
`bnlib.experiments` are imported by name and bring what they need.
"""

from bnlib.batchnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
    update_moving_average,
)
from bnlib.diagnostics import activation_percentiles, gradient_norms
from bnlib.gradcheck import check_direction, check_gradient
from bnlib.layers import (
    BatchNormalization,
    Dense,
    Flatten,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    dense_network,
)
from bnlib.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy
from bnlib.standardization import (
    limits,
    merge_moments,
    min_max_scale,
    moments,
    standardize,
)
from bnlib.training import SGD, evaluate, fit

__all__ = [
    "SGD",
    "BatchNormalization",
    "Dense",
    "Flatten",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "activation_percentiles",
    "batchnorm_backward",
    "batchnorm_forward",
    "batchnorm_inference",
    "binary_cross_entropy",
    "check_direction",
    "check_gradient",
    "dense_network",
    "evaluate",
    "fit",
    "gradient_norms",
    "limits",
    "mean_squared_error",
    "merge_moments",
    "min_max_scale",
    "moments",
    "softmax_cross_entropy",
    "standardize",
    "update_moving_average",
]
