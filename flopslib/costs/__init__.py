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

from flopslib.costs.attending import (  # isort: skip
    attention,
    cross_attention,
    multihead_attention,
    scaled_dot_product_attention,
    windowed_attention,
)
from flopslib.costs.experts import mixture_of_experts, shared_mixture_of_experts
from flopslib.costs.latent import latent_attention
from flopslib.costs.mlp import feed_forward, gated_feed_forward
from flopslib.costs.recurrent import gru_cell, lstm_cell, rnn_cell
from flopslib.costs.transformer import transformer_layer

__all__ = [
    "attention",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose2d",
    "cross_attention",
    "depthwise_conv2d",
    "depthwise_separable_conv2d",
    "feed_forward",
    "gated_feed_forward",
    "gru_cell",
    "latent_attention",
    "linear",
    "lstm_cell",
    "matmul",
    "mixture_of_experts",
    "multihead_attention",
    "pointwise_conv2d",
    "rnn_cell",
    "scaled_dot_product_attention",
    "shared_mixture_of_experts",
    "transformer_layer",
    "windowed_attention",
]
