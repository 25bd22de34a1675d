"""The subjects in Keras; the profiler counts the operations of the graph that is traced."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import tensorflow as tf
from keras import layers as nn

PACKAGES = ("tensorflow-cpu", "keras")
Answer = dict[str, int]


class TransformerLayer(nn.Layer):
    """Attention and a feed-forward network, each with a norm behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiHeadAttention(2, 4)
        self.norms = [nn.LayerNormalization(), nn.LayerNormalization()]
        self.wide, self.narrow = nn.Dense(16, activation="relu"), nn.Dense(8)

    def call(self, x: Any) -> Any:
        """Run it on (N, L, d)."""
        x = self.norms[0](x + self.attention(x, x))
        return self.norms[1](x + self.narrow(self.wide(x)))


class Loop(nn.Layer):
    """Ten linear layers, run by a loop of TensorFlow's."""

    def build(self, shape: Any) -> None:
        """Make ten matrices."""
        self.matrices = self.add_weight(shape=(10, 4, 4))

    def call(self, x: Any) -> Any:
        """Multiply by one after the other."""
        return tf.while_loop(
            lambda step, x: step < 10,
            lambda step, x: (step + 1, x @ self.matrices[step]),
            (0, x),
        )[1]


class Twice(nn.Layer):
    """One linear layer, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Dense(4, use_bias=False)

    def call(self, x: Any) -> Any:
        """Call it, and again."""
        return self.layer(self.layer(x))


class ByMatrix(nn.Layer):
    """The product with a batch of matrices."""

    def call(self, x: Any) -> Any:
        """Multiply."""
        return x @ tf.zeros((2, 4, 5))


class ByVector(nn.Layer):
    """The product with a vector."""

    def call(self, x: Any) -> Any:
        """Multiply."""
        return tf.linalg.matvec(x, tf.zeros(4))


ACTIVATIONS = {
    "relu": "relu", "relu6": "relu6", "leaky_relu": "leaky_relu", "gelu": "gelu", "silu": "silu",
    "hardswish": "hard_silu", "hardsigmoid": "hard_sigmoid", "sigmoid": "sigmoid", "tanh": "tanh",
}  # fmt: skip

MODULES: dict[str, Callable[[], list[Any]]] = {
    "conv_net": lambda: [
        nn.Conv2D(5, 3, padding="same"), nn.BatchNormalization(), nn.ReLU(), nn.MaxPool2D(2),
        nn.Flatten(), nn.Dense(10),
    ],
    "post_norm_layer": lambda: [TransformerLayer()],
    "linear": lambda: [nn.Dense(7)],
    "conv2d_grouped": lambda: [nn.Conv2D(10, 3, groups=2)],
    "conv2d_depthwise": lambda: [nn.DepthwiseConv2D(3, padding="same")],
    "conv2d_pointwise": lambda: [nn.Conv2D(5, 1)],
    "conv1d": lambda: [nn.Conv1D(5, 4)],
    "conv3d": lambda: [nn.Conv3D(5, (2, 3, 3))],
    "conv_transpose2d": lambda: [nn.Conv2DTranspose(5, 3, strides=2)],
    "layer_norm": lambda: [nn.LayerNormalization()],
    "rms_norm": lambda: [nn.RMSNormalization()],
    "batch_norm2d": lambda: [nn.BatchNormalization()],
    "batch_norm1d": lambda: [nn.BatchNormalization()],
    **{name: (lambda its=its: [nn.Activation(its)]) for name, its in ACTIVATIONS.items()},
    "softmax": lambda: [nn.Softmax()],
    "max_pool2d": lambda: [nn.MaxPool2D(3, 2)],
    "avg_pool2d": lambda: [nn.AveragePooling2D(3, 2)],
    "adaptive_avg_pool2d": lambda: [nn.GlobalAveragePooling2D()],
    "embedding": lambda: [nn.Embedding(11, 7)],
    "feed_forward": lambda: [nn.Dense(24, activation="gelu"), nn.Dense(6)],
    "loop_of_ten": lambda: [Loop()],
    "one_layer_twice": lambda: [Twice()],
    "same_padding": lambda: [nn.Conv2D(5, 3, padding="same", use_bias=False)],
    "padding_before": lambda: [nn.ZeroPadding2D(1), nn.Conv2D(5, 3, use_bias=False)],
    "broadcast_product": lambda: [ByMatrix()],
    "matrix_vector": lambda: [ByVector()],
    "bfloat16": lambda: [nn.Dense(5, use_bias=False, dtype="bfloat16")],
}  # fmt: skip


def tensorflow(name: str, shape: tuple[int, ...], device: str) -> Answer:
    """Trace a model with its batch fixed or left open, and profile the graph."""
    if (len(shape) > 3 and name != "broadcast_product") or name in ("conv1d", "batch_norm1d"):
        shape = (shape[0], *shape[2:], shape[1])
    kind = {"embedding": tf.int32, "bfloat16": tf.bfloat16}.get(name, tf.float32)
    batch = shape[0] if device == "batch fixed" else None
    first = keras.Input(shape[1:], batch_size=batch, dtype=kind.name)
    last = first
    for layer in MODULES[name]():
        last = layer(last)
    model = keras.Model(first, last)
    call = tf.function(partial(model, training=False))
    graph = call.get_concrete_function(tf.TensorSpec((batch, *shape[1:]), kind)).graph
    chosen = tf.compat.v1.profiler.ProfileOptionBuilder
    options = chosen(chosen.float_operation()).with_empty_output().build()
    found = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    return {"float_ops": found.total_float_ops}


TOOLS = {"tensorflow": tensorflow}
