"""Chapters 8 and 12. What is done to a trained network before it is used.

Re-estimation replaces the moving statistics, which remember old weights and old data, by exact
ones.
"""

from bnlib.checks import as_count, as_floats
from bnlib.standardization import merge_moments, moments


def reestimate(model, x, *, batch_size=1024):
    """Set all moving statistics to the exact moments of what each layer sees of `x` in inference.

    Layer by layer from the front: each layer's moments are merged over the batches before the next
    layer sees anything. So every layer is measured on the inputs that inference will give it, and
    the result does not depend on `batch_size`: `model` then gives `x` what training mode gives it
    as one batch. One pass in training mode would normalize each batch by its own statistics
    instead, and leave a trace of their noise in all layers but the first.

    Parameters
    ----------
    model : Sequential
        Changed in place: its moving means and variances (biased), nothing else. Nothing at all is
        changed where an error is raised.
    x : array_like with m rows
        Training images, or those of the place where the network will be used.
    batch_size : int
        How many rows go through a layer at once.

    Raises
    ------
    NonFiniteError
        If what a layer sees is not finite.

    References
    ----------
    Ioffe and Szegedy (2015), Algorithm 2, steps 8 to 10; Li et al. (2016) for other data.

    Examples
    --------
    >>> from bnlib.layers import BatchNormalization, Sequential
    >>> model = Sequential([BatchNormalization(1)])
    >>> reestimate(model, [[1.0], [3.0], [5.0]], batch_size=2)
    >>> print(model.layers[0].moving_mean, model.layers[0].moving_variance.round(4))
    [3.] [2.6667]
    """
    x, size = as_floats(x, "x", min_ndim=2), as_count(batch_size, "batch_size")
    batches = [x[start : start + size] for start in range(0, len(x), size)]
    before = [layer.state for layer in model.layers]
    try:
        for layer in model.layers:
            if "moving_mean" in layer.state:
                _measure(layer, batches)
            batches = [layer.forward(batch, training=False) for batch in batches]
    except BaseException:
        for layer, state in zip(model.layers, before, strict=True):
            layer.state = state
        raise


def _measure(layer, batches):
    # The sum of the parts: averaging the variances would forget that the means differ.
    whole = merge_moments(*(moments(batch, axis=layer.axis) for batch in batches))
    layer.state = {
        **layer.state,
        "moving_mean": whole.mean,
        "moving_variance": whole.variance,
    }
