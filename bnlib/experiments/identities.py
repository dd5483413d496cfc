"""Chapters 3 to 5, 8 and 10 to 12. What is exactly so: identities, each as a measured residual.

A residual is the largest difference, divided by the largest value that is compared: zero in exact
arithmetic. Beside the residuals stand numbers that show the opposite case, such as the bias whose
gradient is not zero. Batches are made up from the seed, away from mean 0 and variance 1, and so are
gamma and beta, away from 1 and 0.
"""

import numpy as np

from bnlib.batchnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
    update_moving_average,
)
from bnlib.experiments.common import streams
from bnlib.gradcheck import numerical_gradient
from bnlib.initializers import initialize
from bnlib.layers import BatchNormalization, Dense, ReLU, Sequential, dense_network
from bnlib.norms import layernorm_forward
from bnlib.standardization import merge_moments, moments, standardize

ROWS, FEATURES = 64, 20
EPSILON = 1e-3
IDENTITIES = {}


def run(data, *, seed, names=None):
    """Measure the identities.

    Parameters
    ----------
    data : None
    seed : int
    names : sequence of str, optional
        Of `IDENTITIES`. Default: all.

    Returns
    -------
    dict
        For each name a dict of numbers: see the function of that name.
    """
    # Each starts from the same random numbers: none depends on which others were asked for.
    return {name: IDENTITIES[name](streams(seed).noise) for name in names or IDENTITIES}


def identity(measure):
    """Put a function of a generator into `IDENTITIES`, by its name."""
    IDENTITIES[measure.__name__] = measure
    return measure


@identity
def bias(rng):
    """Return a bias's largest gradient, as a part of the kernel's: `before` batch norm it is zero.

    `after`: where the activation stands between the two, it is not.
    """
    result = {}
    for place in ("before", "after"):
        dense, norm = Dense(FEATURES, FEATURES, rng=rng), _layer(rng)
        model = Sequential(
            [dense, norm] if place == "before" else [dense, ReLU(), norm]
        )
        y = model.forward(_batch(rng), training=True)
        model.backward(rng.normal(size=y.shape))
        slopes = dense.grads
        result[place] = _size(slopes["bias"]) / _size(slopes["kernel"])
    return result


@identity
def one_row(rng):
    """In a batch of one the `output` is beta, and the `gradient` of the kernel is zero."""
    dense, norm = Dense(FEATURES, FEATURES, rng=rng), _layer(rng)
    model = Sequential([dense, norm])
    y = model.forward(_batch(rng, 1), training=True)
    model.backward(rng.normal(size=y.shape))
    return {
        "output": _residual(y[0], norm.params["beta"]),
        "gradient": _size(dense.grads["kernel"]),
    }


@identity
def two_rows(rng):
    """In a batch of two the `output` is beta plus or minus gamma / sqrt(1 + epsilon / variance)."""
    x, (gamma, beta) = _batch(rng, 2), _gamma_and_beta(rng)
    y, cache = batchnorm_forward(x, gamma, beta, epsilon=EPSILON)
    side = np.sign(x - x[::-1])
    expected = beta + side * gamma / np.sqrt(1 + EPSILON / cache.variance)
    return {"output": _residual(y, expected)}


@identity
def output_moments(rng):
    """Return residuals: `mean` against beta, `variance` against gamma^2 v / (v + epsilon)."""
    gamma, beta = _gamma_and_beta(rng)
    y, cache = batchnorm_forward(_batch(rng), gamma, beta, epsilon=EPSILON)
    expected = gamma**2 * cache.variance / (cache.variance + EPSILON)
    return {
        "mean": _residual(y.mean(axis=0), beta),
        "variance": _residual(y.var(axis=0), expected),
    }


@identity
def bound(rng):
    """Return the `largest` |x_hat| of 4,000 features with heavy tails, in units of sqrt(m - 1).

    `attained`: how far from that unit it lies where one row differs from all others.
    """
    largest, attained = [], []
    for m in (2, 3, 10, 100):
        x = rng.standard_t(1, (m, 1000))
        one_apart = np.zeros((m, 1000))
        one_apart[0] = x[0]
        largest.append(_size(_normalized(x)) / np.sqrt(m - 1))
        attained.append(
            _residual(_normalized(one_apart)[0], np.sign(x[0]) * np.sqrt(m - 1))
        )
    return {"largest": max(largest), "attained": max(attained)}


@identity
def input_gradient(rng):
    """Return residuals of two sums over the batch: of `dx`, and with epsilon 0 of `dx_x_hat`."""
    x, (gamma, beta) = _batch(rng), _gamma_and_beta(rng)
    dy = rng.normal(size=x.shape)
    cache = batchnorm_forward(x, gamma, beta, epsilon=0)[1]
    dx = batchnorm_backward(dy, cache)[0]
    with_epsilon = batchnorm_backward(dy, batchnorm_forward(x, gamma, beta)[1])[0]
    return {
        "dx": _size(with_epsilon.sum(axis=0)) / _size(with_epsilon),
        "dx_x_hat": _size((dx * cache.x_hat).sum(axis=0)) / _size(dx),
    }


@identity
def affine_input(rng):
    """With epsilon 0 nothing of a common gain and offset remains: `batch`, `layer` norm, residuals.

    Batch norm forgets one of each feature, layer norm one of each row.
    """
    x, (gamma, beta) = _batch(rng), _gamma_and_beta(rng)
    gain, offset = rng.uniform(0.1, 10, FEATURES), rng.normal(0, 10, FEATURES)
    row_gain, row_offset = rng.uniform(0.1, 10, (ROWS, 1)), rng.normal(0, 10, (ROWS, 1))
    result = {}
    for name, forward, changed in (
        ("batch", batchnorm_forward, gain * x + offset),
        ("layer", layernorm_forward, row_gain * x + row_offset),
    ):
        y, _ = forward(x, gamma, beta, epsilon=0)
        result[name] = _residual(forward(changed, gamma, beta, epsilon=0)[0], y)
    return result


@identity
def sign(rng):
    """With beta 0 an inverted input gives the inverted output: `batch`, `layer` norm, residuals."""
    x, (gamma, _) = _batch(rng), _gamma_and_beta(rng)
    result = {}
    for name, forward in (("batch", batchnorm_forward), ("layer", layernorm_forward)):
        y, inverted = (
            forward(sign * x, gamma, np.zeros(FEATURES))[0] for sign in (1, -1)
        )
        result[name] = _residual(-inverted, y)
    return result


@identity
def companions(rng):
    """Return the range of one row's output over 100 batches, in `training` and in `inference`."""
    row, layer = _batch(rng, 1), _layer(rng)
    others = _batch(rng, 100 * (ROWS - 1)).reshape(100, ROWS - 1, FEATURES)
    batches = [np.vstack([row, rows]) for rows in others]
    result = {}
    for name, training in (("inference", False), ("training", True)):
        outputs = [layer.forward(batch, training=training)[0] for batch in batches]
        result[name] = float(np.ptp(outputs, axis=0).max())
    return result


@identity
def parameters(rng):
    """Count the numbers in the 300-200-100 network on 28 x 28 images, and the arrays in a layer."""
    result = {}
    for name, place in (("none", None), ("before", "before")):
        model = dense_network([784, 300, 200, 100, 10], rng=rng, batchnorm=place)
        trained, stored = model.count_params()
        result[name] = {"trained": trained, "stored": stored}
    layer = BatchNormalization(FEATURES)
    result["layer"] = {"trained": len(layer.params), "stored": len(layer.state)}
    return result


@identity
def merged_variance(rng):
    """Return the error of a whole's variance, made of those of its shards, relative to the whole's.

    For each choice of sizes: `merged` with the means; `weighted` average; plain `average`.
    """
    result = {}
    for sizes in ((500, 500), (10, 90, 900), (1, 1, 1, 1, 1, 995)):
        shards = [_batch(rng, size) for size in sizes]
        parts = [moments(shard) for shard in shards]
        variances = [part.variance for part in parts]
        whole = np.concatenate(shards).var(axis=0)
        result["/".join(map(str, sizes))] = {
            "merged": _size(merge_moments(*parts).variance / whole - 1),
            "weighted": _size(np.average(variances, axis=0, weights=sizes) / whole - 1),
            "average": _size(np.mean(variances, axis=0) / whole - 1),
        }
    return result


@identity
def folding(rng):
    """Batch norm in inference folds into the layer `before` or `after` it: residuals."""
    x, (gamma, beta) = _batch(rng), _gamma_and_beta(rng)
    kernel, bias = rng.normal(size=(FEATURES, FEATURES)), rng.normal(size=FEATURES)
    mean, variance = rng.normal(size=FEATURES), rng.uniform(0.5, 2, FEATURES)
    scale = gamma / np.sqrt(variance + EPSILON)
    shift = beta - mean * scale

    def norm(x):
        return batchnorm_inference(x, gamma, beta, mean, variance, epsilon=EPSILON)

    before = x @ (kernel * scale) + (bias * scale + shift)
    after = x @ (scale[:, None] * kernel) + (shift @ kernel + bias)
    return {
        "before": _residual(before, norm(x @ kernel + bias)),
        "after": _residual(after, norm(x) @ kernel + bias),
    }


@identity
def he_uniform(rng):
    """Return the variance of 100,000 weights drawn by he_uniform, by fan-in: it is 2 / fan-in."""
    return {
        str(fan_in): float(
            initialize("he_uniform", fan_in, 100_000 // fan_in, rng=rng).var()
        )
        for fan_in in (2, 10, 100)
    }


@identity
def start_share(rng):
    """Two averages that differ by 1 at the start differ by momentum^t after t steps of any values.

    `difference` after 10, 100 and 500 steps at momentum 0.99, and its largest relative `residual`.
    """
    low, high = np.zeros(1), np.ones(1)
    found = {}
    for step in range(1, 501):
        value = rng.normal(size=1)
        low, high = (
            update_moving_average(m, value, momentum=0.99) for m in (low, high)
        )
        if step in (10, 100, 500):
            found[step] = float((high - low)[0])
    expected = [0.99**step for step in found]
    errors = np.divide(list(found.values()), expected) - 1
    return {
        "difference": {str(step): share for step, share in found.items()},
        "residual": _size(errors),
    }


@identity
def standardized(rng):
    """Standardizing a lopsided feature: residuals of `mean`, `sd` and `skewness`, and the `shape`.

    Mean and standard deviation become 0 and 1; the skewness, of value `shape`, stays.
    """
    x = rng.exponential(3, (1000, 1))
    z = standardize(x)
    return {
        "mean": float(abs(z.mean())),
        "sd": float(abs(z.std() - 1)),
        "skewness": abs(_skewness(z) - _skewness(x)) / _skewness(x),
        "shape": _skewness(z),
    }


@identity
def x_hat(rng):
    """Mean and standard deviation of normalized values, before gamma and beta.

    `mean` and `sd`: residuals with epsilon 0. `sd_of_one` and `sd_of_small`: with Keras's epsilon,
    of features whose standard deviation is 1 and 0.02.
    """
    z = _normalized(_batch(rng))
    x = np.array([1, 0.02]) * standardize(rng.normal(size=(ROWS, 2)))
    y, _ = batchnorm_forward(x, np.ones(2), np.zeros(2), epsilon=EPSILON)
    of_one, of_small = y.std(axis=0).tolist()
    return {
        "mean": _size(z.mean(axis=0)),
        "sd": _size(z.std(axis=0) - 1),
        "sd_of_one": of_one,
        "sd_of_small": of_small,
    }


@identity
def textbook(rng):
    """The formula in one line against the library's `forward` pass in training: a residual."""
    x, (gamma, beta) = _batch(rng), _gamma_and_beta(rng)
    expected = gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + EPSILON) + beta
    return {"forward": _residual(_forward(x, gamma, beta), expected)}


@identity
def other_features(rng):
    """By how much the `output` of all other features changes when one feature changes."""
    x, (gamma, beta) = _batch(rng), _gamma_and_beta(rng)
    changed = x.copy()
    changed[:, 0] = 5 * changed[::-1, 0] + 1
    difference = _forward(changed, gamma, beta) - _forward(x, gamma, beta)
    return {"output": _size(difference[:, 1:])}


@identity
def gradient_check(rng):
    """The gradient `dx` against a numerical one, a residual: statistics in the gradient."""
    x, (gamma, beta) = _batch(rng), _gamma_and_beta(rng)
    dy = rng.normal(size=x.shape)
    cache = batchnorm_forward(x, gamma, beta, epsilon=EPSILON)[1]
    numerical = numerical_gradient(lambda x: np.sum(dy * _forward(x, gamma, beta)), x)
    return {"dx": _residual(batchnorm_backward(dy, cache)[0], numerical)}


@identity
def gradient_norm(rng):
    """With epsilon 0 the squared norm of dx is that of dy less two components, a residual `dx`.

    Times (gamma / sd)^2, a feature at a time (Santurkar et al., 2018, theorem 4.1).
    """
    x, (gamma, beta) = _batch(rng), _gamma_and_beta(rng)
    dy = rng.normal(size=x.shape)
    _, cache = batchnorm_forward(x, gamma, beta, epsilon=0)
    dx = batchnorm_backward(dy, cache)[0]
    along = dy.mean(axis=0) ** 2 + (dy * cache.x_hat).mean(axis=0) ** 2
    left = (dy**2).sum(axis=0) - len(x) * along
    expected = gamma**2 / cache.variance * left
    return {"dx": _residual((dx**2).sum(axis=0), expected)}


@identity
def passed_down(rng):
    """The gradient passed below a kernel seven times as large, with epsilon 0: a residual `dx`."""
    x, dy = _batch(rng), rng.normal(size=(ROWS, FEATURES))
    dense, norm = Dense(FEATURES, FEATURES, rng=rng), _layer(rng)
    norm.epsilon = 0
    model = Sequential([dense, norm])
    passed = []
    for factor in (1, 7):
        dense.params["kernel"] = factor * dense.params["kernel"]
        model.forward(x, training=True)
        passed.append(model.backward(dy))
    return {"dx": _residual(*passed)}


@identity
def restored(rng):
    """Gamma the standard deviation and beta the mean, to give the input back; epsilon 0.

    `batch`: a residual, with those of the batch itself. `of_8`: the error in batches of 8, with
    those of the population, relative to its standard deviation, in the root of the mean square.
    """
    x = _batch(rng)
    batch = batchnorm_forward(x, x.std(0), x.mean(0), epsilon=0)[0]
    eights = rng.normal(3, 2, (8, 10_000))
    sd, mean = np.full(10_000, 2.0), np.full(10_000, 3.0)
    errors = batchnorm_forward(eights, sd, mean, epsilon=0)[0] - eights
    return {
        "batch": _residual(batch, x),
        "of_8": float(np.sqrt(np.mean(errors**2)) / 2),
    }


@identity
def batches_of_8(rng):
    """Mean variance of 100,000 batches of 8 rows, as a share of the true one.

    `biased`: as it is; `unbiased`: times m / (m - 1).
    """
    variances = moments(rng.normal(3, 2, (8, 100_000))).variance / 4
    return {"biased": variances.mean(), "unbiased": variances.mean() * 8 / 7}


@identity
def cache_size(rng):
    """Bytes that the forward pass keeps for the backward pass: 64 rows over 32, as `ratio`."""
    kept = [
        batchnorm_forward(_batch(rng, m), *_gamma_and_beta(rng))[1] for m in (64, 32)
    ]
    rows, half = (cache.x_hat.nbytes for cache in kept)
    return {"ratio": rows / half}


def _forward(x, gamma, beta):
    return batchnorm_forward(x, gamma, beta, epsilon=EPSILON)[0]


def _skewness(x):
    return float(np.mean(((x - x.mean()) / x.std()) ** 3))


def _batch(rng, rows=ROWS):
    """Rows of a mean and a spread of their own."""
    mean, std = rng.normal(0, 3, FEATURES), rng.uniform(0.5, 2, FEATURES)
    return rng.normal(mean, std, (rows, FEATURES))


def _gamma_and_beta(rng):
    return rng.uniform(0.5, 2, FEATURES), rng.normal(0, 1, FEATURES)


def _layer(rng):
    layer = BatchNormalization(FEATURES, epsilon=EPSILON)
    layer.params = dict(zip(("gamma", "beta"), _gamma_and_beta(rng), strict=True))
    return layer


def _normalized(x):
    ones, zeros = np.ones(x.shape[1]), np.zeros(x.shape[1])
    return batchnorm_forward(x, ones, zeros, epsilon=0)[0]


def _size(values):
    return float(np.abs(values).max())


def _residual(found, expected):
    return _size(found - expected) / _size(expected)
