"""Chapter 5. What Keras really does: facts about its layer that articles state, one number each.

Nothing is trained to be good; the data are made up from the seed. Residuals are of float32.
"""

from functools import cache

import numpy as np

NAMES = ["gamma", "beta", "moving_mean", "moving_variance"]
APPLICATIONS = ("ResNet50", "InceptionV3", "Xception")


def run(data, *, seed, rows=64, features=8, steps=10, applications=APPLICATIONS):
    """Look at what Keras builds, counts, computes and refuses.

    Parameters
    ----------
    data : None
    seed : int
    rows, features : int
        Of a batch.
    steps : int
        Of training, after which gamma and beta have been learned.
    applications : sequence of str
        Networks of `keras.applications`, built without their weights, whose layers are counted.

    Returns
    -------
    dict
        One dict of numbers for each function of this module that starts with `_of_`, which says
        what they are, and `textbook`, the largest difference of the layer's output in training from
        the formula. A fact is 1 or 0.
    """
    x = np.random.default_rng(seed).normal(3, 2, (rows, features)).astype("float32")
    return {
        "layer": _of_layer(x, steps),
        "textbook": _textbook(x),
        "stored_variance": _of_stored_variance(x),
        "parameters": _of_parameters(),
        "axis": _of_axis(x),
        "calls": _of_calls(x),
        "he_uniform": _of_he_uniform(seed),
        "applications": {name: _count(name) for name in applications},
    }


def _of_layer(x, steps):
    """What a layer holds and how it starts, and how far gamma and beta go in a few steps."""
    import keras

    layer = _built(x.shape)
    weights, trainable = layer.weights, [w.name for w in layer.trainable_weights]
    gamma, beta = layer.gamma.numpy().mean(), layer.beta.numpy().mean()
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="mse")
    start = np.concatenate([layer.gamma.numpy(), layer.beta.numpy()])
    for _ in range(steps):
        model.train_on_batch(x, x[::-1])
    end = np.concatenate([layer.gamma.numpy(), layer.beta.numpy()])
    return {
        "arrays": len(weights),
        "names_as_expected": int([w.name for w in weights] == NAMES),
        "trainable": len(trainable),
        "not_trainable": len(layer.non_trainable_weights),
        "trainable_are_gamma_and_beta": int(trainable == NAMES[:2]),
        "gamma": float(gamma),
        "beta": float(beta),
        "epsilon": layer.epsilon,
        "momentum": layer.momentum,
        "learned": float(np.abs(end - start).max()),
    }


def _textbook(x):
    layer = _built(x.shape)
    expected = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + layer.epsilon)
    return float(np.abs(layer(x, training=True).numpy() - expected).max())


def _of_stored_variance(x):
    """The variance stored after one batch, momentum 0, against both conventions."""
    x = x[:8]
    layer = _built(x.shape, momentum=0.0)
    layer(x, training=True)
    stored = layer.moving_variance.numpy()
    return {
        "biased": float(np.abs(stored / x.var(axis=0) - 1).max()),
        "unbiased": float(np.abs(stored / x.var(axis=0, ddof=1) - 1).max()),
    }


def _of_parameters():
    """How many numbers gamma and beta are, after 128 units and after 8 channels on 5 x 5 places."""
    return {
        "dense": sum(w.shape[0] for w in _built((2, 128)).trainable_weights),
        "convolution": sum(w.shape[0] for w in _built((2, 5, 5, 8)).trainable_weights),
    }


def _of_axis(x):
    """Largest mean over the axes that `axis` does not name, and along the one that it names."""
    y = _built(x.shape)(x, training=True).numpy()
    return {
        "mean_over_others": float(np.abs(y.mean(axis=0)).max()),
        "mean_along": float(np.abs(y.mean(axis=1)).max()),
        "gammas_of_axis_1": _built((2, 1, 32), axis=1).gamma.shape[0],
        "gammas_of_last_axis": _built((2, 1, 32), axis=-1).gamma.shape[0],
    }


def _of_calls(x):
    """What becomes of calls that articles print."""
    import keras

    row = keras.Sequential([keras.Input((1, 5)), keras.layers.Dense(2)])
    relu = keras.layers.Dense(4, activation="relu")
    model = keras.Sequential([keras.Input(x.shape[1:]), relu])
    return {
        "lr_is_refused": int(_is_refused(keras.optimizers.SGD, lr=0.01)),
        "rank_of_output": len(row.output_shape),
        "smallest_input_after_relu": float(model(x - x.mean()).numpy().min()),
    }


def _of_he_uniform(seed):
    """Variance of many kernels with two inputs, as He and others (2015) start them."""
    import keras

    start = keras.initializers.HeUniform(seed=seed)
    return {"variance": float(np.var(start((2, 20_000)).numpy()))}


@cache
def _count(name):
    """Batch norm layers of a network of `keras.applications`."""
    import keras

    model = getattr(keras.applications, name)(weights=None)
    return sum(
        isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers
    )


def _built(shape, **options):
    import keras

    layer = keras.layers.BatchNormalization(**options)
    layer.build(shape)
    return layer


def _is_refused(call, **arguments):
    try:
        call(**arguments)
    except (TypeError, ValueError):
        return True
    return False
