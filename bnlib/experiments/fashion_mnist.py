"""Chapter 5. The Fashion-MNIST network of the Keras tutorials, with batch norm and without.

Dense layers of 300, 200 and 100 ReLU units, gradient descent with Nesterov momentum, batches of
32. The arms of a seed start from the same kernels and see the same batches; only batch
normalization differs.
"""

import time

import numpy as np

WIDTHS = (300, 200, 100)
PLACES = (None, "before", "after")
BATCH_SIZE = 32


def build_model(input_shape, *, batchnorm, seed):
    """Return the compiled Keras model.

    Parameters
    ----------
    input_shape : tuple of int
    batchnorm : {None, "before", "after"}
        Where batch normalization stands, seen from the activation.
    seed : int
        Of the kernels, the same for each place of batch normalization.

    Returns
    -------
    keras.Sequential
    """
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(input_shape), layers.Flatten()])
    seeds = iter(np.random.SeedSequence(seed).generate_state(4))
    for units in WIDTHS:
        start = keras.initializers.GlorotUniform(seed=int(next(seeds)))
        use_bias = batchnorm != "before"
        model.add(layers.Dense(units, use_bias=use_bias, kernel_initializer=start))
        if batchnorm == "before":
            model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.Activation("relu"))
        if batchnorm == "after":
            model.add(layers.BatchNormalization(momentum=0.9))
    start = keras.initializers.GlorotUniform(seed=int(next(seeds)))
    model.add(layers.Dense(10, kernel_initializer=start))
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.01, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def run(data, *, seed, epochs=5, places=PLACES, timed=5):
    """Train one network a place on the same images, with a fifth of them held out.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    epochs : int
    places : sequence of {None, "before", "after"}
    timed : int
        Epochs that are run again for their time, the places taking turns.

    Returns
    -------
    dict
        For each place, as text: `accuracy`, `val_accuracy`, `loss` and `val_loss`, one number an
        epoch; `half_epochs`, the held-out `accuracy` after `steps` of half an epoch;
        `test_accuracy`; and `epoch_seconds`, the CPU time of an epoch, the median over those timed,
        which means something beside that of another place only.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.x_train))
    held_out, train = np.split(order, [len(order) // 5])
    validation = data.x_train[held_out], data.y_train[held_out]
    # Drawn here: after set_random_seed, Keras 3.15 repeats one order in every epoch.
    orders = [rng.permutation(train) for _ in range(epochs)]
    result, models = {}, {}
    for place in places:
        model = models[str(place)] = build_model(
            data.x_train.shape[1:], batchnorm=place, seed=seed
        )
        halves = [_fit(model, data, rows, validation) for rows in _halves(orders)]
        test_accuracy = model.evaluate(data.x_test, data.y_test, verbose=0)[1]
        result[str(place)] = {**_history(halves), "test_accuracy": test_accuracy}
    for place, seconds in _time_epochs(models, data, train, timed).items():
        result[place]["epoch_seconds"] = seconds
    return result


def _halves(orders):
    """Cut each epoch in two, between batches."""
    for order in orders:
        yield from np.split(order, [len(order) // (2 * BATCH_SIZE) * BATCH_SIZE])


def _fit(model, data, rows, validation):
    """Train on these rows, in their order; return what was measured."""
    x, y = data.x_train[rows], data.y_train[rows]
    history = model.fit(x, y, batch_size=BATCH_SIZE, shuffle=False, verbose=0).history
    val_loss, val_accuracy = model.evaluate(*validation, verbose=0)
    return {
        "rows": len(rows),
        "loss": history["loss"][0],
        "accuracy": history["accuracy"][0],
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
    }


def _history(halves):
    """Return epochs, from their halves."""
    table = {name: np.array([half[name] for half in halves]) for name in halves[0]}
    pairs = {name: values.reshape(-1, 2) for name, values in table.items()}
    epochs = {
        name: np.average(pairs[name], axis=1, weights=pairs["rows"]).tolist()
        for name in ("accuracy", "loss")
    }
    return {
        **epochs,
        **{name: pairs[name][:, 1].tolist() for name in ("val_accuracy", "val_loss")},
        "half_epochs": {
            "steps": (np.arange(1, len(halves) + 1) / 2).tolist(),
            "accuracy": table["val_accuracy"].tolist(),
        },
    }


def _time_epochs(models, data, rows, timed):
    """Return the median CPU seconds of an epoch of each model, None if none is timed."""
    x, y = data.x_train[rows], data.y_train[rows]
    seconds = {place: [] for place in models}
    for _ in range(timed):
        for place, model in models.items():
            start = time.process_time()
            model.fit(x, y, batch_size=BATCH_SIZE, shuffle=False, verbose=0)
            seconds[place].append(time.process_time() - start)
    return {
        place: float(np.median(each)) if each else None
        for place, each in seconds.items()
    }
