"""Chapter 5. The Fashion-MNIST network of the Keras tutorials, with batch norm and without.

Dense layers of 300, 200 and 100 ReLU units, gradient descent with Nesterov momentum, batches of
32. The arms of a seed start from the same kernels and see the same batches; only batch
normalization differs.
"""

import numpy as np

WIDTHS = (300, 200, 100)
PLACES = (None, "before", "after")


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


def run(data, *, seed, epochs=5, places=PLACES):
    """Train one network a place on the same images, with a fifth of them held out.

    Parameters
    ----------
    data : bnlib.datasets.Split
    seed : int
    epochs : int
    places : sequence of {None, "before", "after"}

    Returns
    -------
    dict
        For each place, as text: `accuracy`, `val_accuracy`, `loss` and `val_loss`, one number an
        epoch, and `test_accuracy`.
    """
    import keras

    order = np.random.default_rng(seed).permutation(len(data.x_train))
    held_out, train = np.split(order, [len(order) // 5])
    validation = data.x_train[held_out], data.y_train[held_out]
    result = {}
    for place in places:
        keras.utils.set_random_seed(seed)  # the same order of batches
        model = build_model(data.x_train.shape[1:], batchnorm=place, seed=seed)
        history = model.fit(
            data.x_train[train],
            data.y_train[train],
            batch_size=32,
            epochs=epochs,
            validation_data=validation,
            verbose=0,
        )
        test_accuracy = model.evaluate(data.x_test, data.y_test, verbose=0)[1]
        result[str(place)] = {**history.history, "test_accuracy": test_accuracy}
    return result
