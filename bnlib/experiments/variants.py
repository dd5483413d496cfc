"""Chapter 9. Batch normalization varied to see what it is for.

A part of it taken away, noise added, or the statistics taken over parts of the batch.
"""

import numpy as np

from bnlib.batchnorm import update_moving_average
from bnlib.checks import as_count, as_number, check_shape
from bnlib.fastnorm import batchnorm_backward, batchnorm_forward
from bnlib.layers import Activation, BatchNormalization, Layer
from bnlib.standardization import Moments, merge_moments, moments


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


class GhostBatchNormalization(BatchNormalization):
    """Batch normalization over parts of the batch (Hoffer, Hubara and Soudry, 2017).

    Each part is normalized by its own statistics. The moving statistics are those of the whole
    batch, merged from its parts.

    Parameters
    ----------
    num_features : int
    ghost_size : int
        The largest number of rows in a part. The parts are as equal as can be: 5 rows in parts of
        at most 2 are 2, 2 and 1.
    **options
        As `BatchNormalization`. `axis` must not be 0, along which the parts lie.

    Examples
    --------
    >>> layer = GhostBatchNormalization(1, ghost_size=2, epsilon=0)
    >>> layer.forward([[1.0], [3.0], [10.0], [50.0]], training=True).ravel()
    array([-1.,  1., -1.,  1.])
    """

    def __init__(self, num_features, *, ghost_size, **options):
        super().__init__(num_features, **options)
        self.ghost_size = as_count(ghost_size, "ghost_size")

    def _forward(self, x, training):
        if not training:
            return super()._forward(x, training)
        if self.axis in (0, -x.ndim):
            raise ValueError(
                "axis must not be 0, along which the parts lie. "
                f"Received: {self.axis} for an array of {x.ndim} axes"
            )
        gamma = self.params.get("gamma", np.ones(self.num_features))
        beta = self.params.get("beta", np.zeros(self.num_features))
        options = {"axis": self.axis, "epsilon": self.epsilon}
        parts = np.array_split(x, -(-len(x) // self.ghost_size))
        passes = [batchnorm_forward(part, gamma, beta, **options) for part in parts]
        whole = merge_moments(
            *(
                Moments(part.size // self.num_features, cache.mean, cache.variance)
                for part, (_, cache) in zip(parts, passes, strict=True)
            )
        )
        slow = {"momentum": self.momentum}
        self.state = {
            "moving_mean": update_moving_average(self.moving_mean, whole.mean, **slow),
            "moving_variance": update_moving_average(
                self.moving_variance, whole.variance, **slow
            ),
        }
        return np.concatenate([y for y, _ in passes]), [cache for _, cache in passes]

    def _backward(self, dy, caches):
        parts = np.array_split(dy, len(caches))
        gradients = [
            batchnorm_backward(part, cache)
            for part, cache in zip(parts, caches, strict=True)
        ]
        dx, dgamma, dbeta = zip(*gradients, strict=True)
        grads = {"gamma": sum(dgamma), "beta": sum(dbeta)}
        self.grads = {name: grads[name] for name in self.params}
        return np.concatenate(dx)

    def describe(self):
        """Return one line for the summary."""
        return f"GhostBatchNormalization {self.num_features}"
