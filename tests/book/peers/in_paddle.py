"""The subjects in Paddle, each inside a network: the outermost layer is not counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle as framework
from paddle import nn

PACKAGES = ("paddlepaddle", "numpy")
Answer = dict[str, int]


def one_layer_twice() -> Any:
    """Return a layer that is called and called again."""
    layer = nn.Linear(4, 4, bias_attr=False)
    return nn.Sequential(layer, layer)


ACTIVATIONS = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "leaky_relu": nn.LeakyReLU, "gelu": nn.GELU,
    "silu": nn.Silu, "hardswish": nn.Hardswish, "hardsigmoid": nn.Hardsigmoid,
    "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "softmax": nn.Softmax,
}  # fmt: skip

MODULES: dict[str, Callable[[], Any]] = {
    "conv_net": lambda: nn.Sequential(
        nn.Conv2D(3, 5, 3, padding=1), nn.BatchNorm2D(5), nn.ReLU(), nn.MaxPool2D(2),
        nn.Flatten(), nn.Linear(80, 10),
    ),
    "post_norm_layer": lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0),
    "linear": lambda: nn.Linear(5, 7),
    "conv2d": lambda: nn.Conv2D(3, 5, 3, stride=2, padding=1),
    "conv2d_grouped": lambda: nn.Conv2D(6, 10, 3, groups=2),
    "conv2d_depthwise": lambda: nn.Conv2D(6, 6, 3, padding=1, groups=6),
    "conv2d_pointwise": lambda: nn.Conv2D(3, 5, 1),
    "conv1d": lambda: nn.Conv1D(3, 5, 4),
    "conv3d": lambda: nn.Conv3D(3, 5, (2, 3, 3)),
    "conv_transpose2d": lambda: nn.Conv2DTranspose(3, 5, 3, stride=2),
    "multihead_attention": lambda: nn.MultiHeadAttention(6, 2),
    "layer_norm": lambda: nn.LayerNorm(7),
    "batch_norm2d": lambda: nn.BatchNorm2D(3),
    "batch_norm1d": lambda: nn.BatchNorm1D(3),
    "group_norm": lambda: nn.GroupNorm(3, 6),
    **ACTIVATIONS,
    "max_pool2d": lambda: nn.MaxPool2D(3, 2),
    "avg_pool2d": lambda: nn.AvgPool2D(3, 2),
    "adaptive_avg_pool2d": lambda: nn.AdaptiveAvgPool2D(1),
    "feed_forward": lambda: nn.Sequential(nn.Linear(6, 24), nn.GELU(), nn.Linear(24, 6)),
    "one_layer_twice": one_layer_twice,
    "same_padding": lambda: nn.Conv2D(4, 5, 3, padding=1, bias_attr=False),
}  # fmt: skip


def paddle(name: str, shape: tuple[int, ...], device: str) -> Answer:
    """Ask about a layer inside a network."""
    return {"FLOPs": framework.flops(nn.Sequential(MODULES[name]()), list(shape))}


TOOLS = {"paddle": paddle}
