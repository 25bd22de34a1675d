"""flopslib: what a neural network costs, derived once and counted for real.

A cost function returns a derivation, "what one output costs × how many
outputs", from which every figure, formula and table of the book comes.

>>> from flopslib import conv2d, formula
>>> conv2d(3, 64, 7, 112, 112, bias=False).macs
118013952
>>> formula(conv2d, bias=False, groups=1).flops
2*B*C_in*C_out*H_out*K_h*K_w*W_out
"""

from flopslib.costs import (
    attention,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose2d,
    cross_attention,
    depthwise_conv2d,
    depthwise_separable_conv2d,
    feed_forward,
    gated_feed_forward,
    gru_cell,
    latent_attention,
    linear,
    lstm_cell,
    matmul,
    mixture_of_experts,
    multihead_attention,
    pointwise_conv2d,
    rnn_cell,
    scaled_dot_product_attention,
    shared_mixture_of_experts,
    transformer_layer,
    windowed_attention,
)
from flopslib.costs.registry import cost_function, registered
from flopslib.costs.symbolic import formula
from flopslib.derivation import Derivation, OpCount, Operand, Part, Step
from flopslib.loops import CountingNumber, Tally, run_and_count
from flopslib.report import Report, count
from flopslib.sizes import conv_output_size

from flopslib import moved  # isort: skip  last: it answers for names that are gone

__version__ = "0.2.0"

__all__ = [
    "CountingNumber",
    "Derivation",
    "OpCount",
    "Operand",
    "Part",
    "Report",
    "Step",
    "Tally",
    "attention",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_output_size",
    "conv_transpose2d",
    "cost_function",
    "count",
    "cross_attention",
    "depthwise_conv2d",
    "depthwise_separable_conv2d",
    "feed_forward",
    "formula",
    "gated_feed_forward",
    "gru_cell",
    "latent_attention",
    "linear",
    "lstm_cell",
    "matmul",
    "mixture_of_experts",
    "multihead_attention",
    "pointwise_conv2d",
    "registered",
    "rnn_cell",
    "run_and_count",
    "scaled_dot_product_attention",
    "shared_mixture_of_experts",
    "transformer_layer",
    "windowed_attention",
]

moved.install()
