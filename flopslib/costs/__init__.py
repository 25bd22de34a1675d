"""The cost functions, one module for each family of layers."""

from flopslib.costs.dense import linear, matmul  # isort: skip  the order of the book
from flopslib.costs.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose2d,
    depthwise_conv2d,
    depthwise_separable_conv2d,
    pointwise_conv2d,
)

from flopslib.costs.attention import multihead_attention, scaled_dot_product_attention  # isort: skip
from flopslib.costs.mlp import feed_forward, gated_feed_forward
from flopslib.costs.transformer import transformer_layer

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose2d",
    "depthwise_conv2d",
    "depthwise_separable_conv2d",
    "feed_forward",
    "gated_feed_forward",
    "linear",
    "matmul",
    "multihead_attention",
    "pointwise_conv2d",
    "scaled_dot_product_attention",
    "transformer_layer",
]
