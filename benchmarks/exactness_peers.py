"""The contestants of the exactness table, each behind one function: (batch, epsilon) to (y, dx).

A contestant is called the way its own documentation does, on the processor, with float32
parameters (float64 ones for a float64 batch). Where `batch` carries stored statistics it
normalizes by them, and dx is None; dx is None too where a contestant has no backward pass.
"""

import importlib
import os
from functools import partial

import numpy as np


class NotOfferedError(Exception):
    """The contestant has no kernel for the dtype."""


def load(*, peers=True):
    """Return the contestants by name, bnlib first, and the names of those not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found, missing = {}, []
    for name, (module, make) in (OURS | PEERS if peers else OURS).items():
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(name)
        else:
            found[name] = make()
    return found, missing


def bnlib(engine=None):
    """Return the library of this course: as it is, or with one engine (its name) at any size."""
    options = {"engine": importlib.import_module(engine)} if engine else {}
    from bnlib.fastnorm import (
        batchnorm_backward,
        batchnorm_forward,
        batchnorm_inference,
    )

    def run(batch, epsilon):
        x, dy, gamma, beta, mean, variance = batch
        if mean is not None:
            return batchnorm_inference(
                x, gamma, beta, mean, variance, epsilon=epsilon, **options
            ), None
        y, cache = batchnorm_forward(x, gamma, beta, epsilon=epsilon, **options)
        return y, batchnorm_backward(dy, cache)[0]

    return run


def keras():
    """`keras.layers.BatchNormalization` on TensorFlow."""
    import tensorflow as tf
    from keras.layers import BatchNormalization

    def run(batch, epsilon):
        x, dy, *vectors = batch
        training = vectors[2] is None
        layer = BatchNormalization(epsilon=epsilon, dtype=_policy(x.dtype))
        layer.build(x.shape)
        for variable, value in zip(layer.weights, vectors, strict=True):
            if value is not None:
                variable.assign(value)
        with tf.GradientTape() as tape:
            source = tf.constant(x)
            tape.watch(source)
            y = layer(source, training=training)
        dx = tape.gradient(y, source, tf.constant(dy)).numpy() if training else None
        return y.numpy(), dx

    return run


def tensorflow():
    """TensorFlow's fused kernel, which Keras uses for images only."""
    import tensorflow as tf

    def run(batch, epsilon):
        x, dy, *vectors = batch
        if x.dtype == np.float64:
            raise NotOfferedError
        training = vectors[2] is None
        empty = np.empty(0, np.float32)
        gamma, beta, mean, variance = (empty if v is None else v for v in vectors)
        with tf.GradientTape() as tape:
            source = tf.constant(x[:, None, None, :])
            tape.watch(source)
            y = tf.raw_ops.FusedBatchNormV3(
                x=source, scale=gamma, offset=beta, mean=mean, variance=variance,
                epsilon=epsilon, is_training=training,
            ).y  # fmt: skip
        if not training:
            return y.numpy().reshape(x.shape), None
        dx = tape.gradient(y, source, tf.constant(dy[:, None, None, :]))
        return y.numpy().reshape(x.shape), dx.numpy().reshape(x.shape)

    return run


def torch():
    """`torch.nn.functional.batch_norm`."""
    from torch import tensor
    from torch.nn.functional import batch_norm

    def run(batch, epsilon):
        vectors = [None if v is None else tensor(v) for v in _parameters(batch)]
        gamma, beta, mean, variance = vectors
        x = tensor(batch.x, requires_grad=True)
        y = batch_norm(
            x, mean, variance, gamma, beta, mean is None, 0.1, epsilon or TINY
        )
        if mean is not None:
            return y.detach().numpy(), None
        y.backward(tensor(batch.dy))
        return y.detach().numpy(), x.grad.numpy()

    return run


def onnxruntime():
    """ONNX Runtime's BatchNormalization; it has no backward pass."""
    import onnxruntime as ort
    from onnx import TensorProto, helper

    def session(dtype, training, epsilon):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        vector = TensorProto.FLOAT if kind == TensorProto.FLOAT16 else kind
        value = helper.make_tensor_value_info
        inputs = [value("x", kind, "nd")] + [
            value(name, vector, "d") for name in VECTORS
        ]
        outputs = [value("y", kind, "nd")]
        if training:
            outputs += [
                value("new_mean", vector, "d"),
                value("new_variance", vector, "d"),
            ]
        node = helper.make_node(
            "BatchNormalization", ["x", *VECTORS], [output.name for output in outputs],
            epsilon=float(epsilon), training_mode=int(training),
        )  # fmt: skip
        model = helper.make_model(
            helper.make_graph([node], "batchnorm", inputs, outputs),
            opset_imports=[helper.make_opsetid("", 15)],
            ir_version=10,
        )
        return ort.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def run(batch, epsilon):
        training = batch.moving_mean is None
        gamma, beta, mean, variance = _parameters(batch)
        if training:
            mean, variance = np.zeros_like(gamma), np.ones_like(gamma)
        vectors = dict(zip(VECTORS, (gamma, beta, mean, variance), strict=True))
        model = session(batch.x.dtype, training, epsilon)
        return model.run(["y"], {"x": batch.x, **vectors})[0], None

    return run


def flax():
    """`flax.linen.BatchNorm`, with float64 switched on in JAX."""
    import jax
    from flax.linen import BatchNorm

    jax.config.update("jax_enable_x64", True)

    def run(batch, epsilon):
        gamma, beta, mean, variance = _parameters(batch)
        training = mean is None
        layer = BatchNorm(use_running_average=not training, epsilon=epsilon)
        if training:
            mean, variance = np.zeros_like(gamma), np.ones_like(gamma)
        variables = {
            "params": {"scale": gamma, "bias": beta},
            "batch_stats": {"mean": mean, "var": variance},
        }

        def forward(x):
            y, _ = layer.apply(variables, x, mutable=["batch_stats"])
            return y.astype(x.dtype)

        if not training:
            return np.asarray(jax.jit(forward)(batch.x)), None

        @jax.jit
        def both(x, dy):
            y, pull = jax.vjp(forward, x)
            return y, pull(dy)[0]

        return tuple(np.asarray(result) for result in both(batch.x, batch.dy))

    return run


TINY = float(np.finfo(np.float64).tiny)  # for PyTorch, which refuses an epsilon of 0
VECTORS = ("gamma", "beta", "mean", "variance")
OURS = {
    "bnlib": ("bnlib", bnlib),
    "bnlib blocks": ("bnlib.blocks", partial(bnlib, "bnlib.blocks")),
    "bnlib fused": ("bnlib.fused", partial(bnlib, "bnlib.fused")),
}
PEERS = {
    "Keras": ("keras", keras),
    "TF fused": ("tensorflow", tensorflow),
    "PyTorch": ("torch", torch),
    "ONNX Runtime": ("onnxruntime", onnxruntime),
    "Flax": ("flax", flax),
}


def _policy(dtype):
    """Return Keras's policy: float16 batches go with float32 parameters."""
    return {"float16": "mixed_float16"}.get(dtype.name, dtype.name)


def _parameters(batch):
    """Return gamma, beta, mean and variance in float32, or in float64 for a float64 batch."""
    dtype = np.float64 if batch.x.dtype == np.float64 else np.float32
    return [None if v is None else v.astype(dtype) for v in batch[2:]]
