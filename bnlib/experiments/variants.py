"""Chapter 9. Batch normalization with a part taken away or noise added, to see what it is for."""

import numpy as np

from bnlib.batchnorm import update_moving_average
from bnlib.checks import as_number, check_shape
from bnlib.layers import Activation, BatchNormalization, Layer
from bnlib.standardization import moments


class PartialBatchNormalization(Layer):
    """Batch normalization of (m, d) batches whose steps can be left out one by one.

    With all of them it is `BatchNormalization`.

    Parameters
    ----------
    num_features : int
    subtract : bool
        Whether the batch's mean is subtracted.
    divide : bool
        Whether the batch's deviation is divided by.
    detach : bool
        Take the mean and the variance for constants in the backward pass: the gradient is then not
        that of the forward pass (Ioffe and Szegedy, 2015, section 2).
    momentum, epsilon : float

    Examples
    --------
    >>> x = [[1.0], [5.0]]
    >>> PartialBatchNormalization(1, divide=False).forward(x, training=True).ravel()
    array([-2.,  2.])
    >>> PartialBatchNormalization(1, subtract=False, epsilon=0).forward(x, training=True).ravel()
    array([0.5, 2.5])
    """

    def __init__(
        self,
        num_features,
        *,
        subtract=True,
        divide=True,
        detach=False,
        momentum=0.99,
        epsilon=1e-3,
    ):
        super().__init__()
        self.subtract, self.divide, self.detach = subtract, divide, detach
        self.momentum, self.epsilon = momentum, epsilon
        self.axis = -1
        self.params = {"gamma": np.ones(num_features), "beta": np.zeros(num_features)}
        self.state = {
            "moving_mean": np.zeros(num_features),
            "moving_variance": np.ones(num_features),
        }

    def _forward(self, x, training):
        check_shape(x, "x", (len(x), len(self.params["gamma"])))
        mean, variance = self.state["moving_mean"], self.state["moving_variance"]
        if training:
            _, mean, variance = moments(x)
            self.state = {
                name: update_moving_average(self.state[name], value, momentum=self.momentum)
                for name, value in (("moving_mean", mean), ("moving_variance", variance))
            }  # fmt: skip
        scale = 1 / np.sqrt(variance + self.epsilon) if self.divide else 1.0
        x_hat = (x - mean if self.subtract else x) * scale
        y = self.params["gamma"] * x_hat + self.params["beta"]
        return y.astype(x.dtype), (x_hat, x - mean, scale, x.dtype)

    def _backward(self, dy, cache):
        x_hat, centred, scale, dtype = cache
        check_shape(dy, "dy", x_hat.shape)
        dy = dy.astype(np.float64)
        self.grads = {"gamma": (dy * x_hat).sum(axis=0), "beta": dy.sum(axis=0)}
        dx_hat = dy * self.params["gamma"]
        dx = dx_hat * scale
        if self.subtract and not self.detach:
            dx -= scale * dx_hat.mean(axis=0)
        if self.divide and not self.detach:
            dx -= scale**2 * centred * (dx_hat * x_hat).mean(axis=0)
        return dx.astype(dtype)


class NoisyBatchNormalization(BatchNormalization):
    """Batch normalization that is undone at once by a random shift and scale, new at every step.

    Algorithm 1 in the appendix of Santurkar et al. (2018): in training each unit draws a shift in
    [-amplitude, amplitude] and a scale in [1, 1 + amplitude / 2] for the step, and each number in
    the batch its own close to them. Their noise has the amplitude 0.5. In inference there is none.

    Parameters
    ----------
    num_features : int
    amplitude : float
    rng : numpy.random.Generator
        Draws the noise.
    jitter : float
        How far a number's shift lies from its unit's, and the deviation of its scale from its
        unit's.
    **options
        As `BatchNormalization`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> layer = NoisyBatchNormalization(2, amplitude=0, rng=rng, jitter=0, epsilon=0)
    >>> layer.forward([[1.0, 2.0], [3.0, 6.0]], training=True)
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    def __init__(self, num_features, *, amplitude, rng, jitter=0.1, **options):
        super().__init__(num_features, **options)
        self.amplitude = as_number(amplitude, "amplitude")
        self.jitter = as_number(jitter, "jitter")
        self.rng = rng

    def _forward(self, x, training):
        y, cache = super()._forward(x, training)
        if not training:
            return y, None
        shift, scale = self._noise(y.shape)
        return (y * scale + shift).astype(y.dtype), (cache, scale)

    def _backward(self, dy, cache):
        cache, scale = cache
        return super()._backward(dy * scale, cache)

    def _noise(self, shape):
        units = shape[-1]
        shift = self.rng.uniform(-self.amplitude, self.amplitude, units)
        scale = self.rng.uniform(1, 1 + self.amplitude / 2, units)
        shifts = shift + self.rng.uniform(-self.jitter, self.jitter, shape)
        return shifts, scale + self.rng.normal(0, self.jitter, shape)


class Identity(Activation):
    """Give back what comes: the activation of a linear network.

    Examples
    --------
    >>> Identity().forward([[-1.0, 2.0]], training=False)
    array([[-1.,  2.]])
    """

    @staticmethod
    def function(x):
        """Return x."""
        return x

    @staticmethod
    def slope(x, y):
        """Return 1."""
        return np.ones_like(x)
