"""Layers that know their shapes: torch's names, arguments and defaults, and no numbers inside.

>>> from flopslib import count
>>> from flopslib.layers import Conv2d
>>> count(Conv2d(3, 64, 7, stride=2, padding=3, bias=False), (1, 3, 224, 224)).macs
118013952
"""

import importlib.util
import sys
from typing import Any

from flopslib.layers.attention import (
    CrossAttention,
    LatentAttention,
    LatentHeads,
    MultiheadAttention,
    RelativePositionBias,
    RotaryEmbedding,
    ScaledDotProductAttention,
    SelfAttention,
    ShiftedWindowAttention,
)
from flopslib.layers.blocks import (
    Conv2dNormActivation,
    SqueezeExcitation,
    SwiGLU,
    TransformerEncoderLayer,
)
from flopslib.layers.combinators import (
    Add,
    Concat,
    Multiply,
    NotRun,
    Residual,
    Sequential,
    Shared,
)
from flopslib.layers.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from flopslib.layers.dense import Embedding, Linear
from flopslib.layers.elementwise import (
    ELU,
    GELU,
    GLU,
    ConstantFactor,
    Dropout,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    Identity,
    LeakyReLU,
    LearnedPositions,
    LogSoftmax,
    Mish,
    PositionEmbedding,
    PReLU,
    Product,
    ReLU,
    ReLU6,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    StochasticDepth,
    Sum,
    Tanh,
)
from flopslib.layers.experts import Experts, MixtureOfExperts
from flopslib.layers.graph import Cat, Graph, MatMul
from flopslib.layers.habits import missing
from flopslib.layers.layer import Layer, ShapeError
from flopslib.layers.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    LayerNorm2d,
    RMSNorm,
)
from flopslib.layers.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)
from flopslib.layers.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from flopslib.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from flopslib.layers.shape import (
    ChannelShuffle,
    ClassToken,
    Flatten,
    Mean,
    Pad,
    Permute,
    Select,
    Slice,
    Unflatten,
    ZeroPad2d,
)
from flopslib.layers.values import view

__all__ = [
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "Add",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Cat",
    "ChannelShuffle",
    "ClassToken",
    "Concat",
    "ConstantFactor",
    "Conv1d",
    "Conv2d",
    "Conv2dNormActivation",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CrossAttention",
    "Dropout",
    "Embedding",
    "Experts",
    "Flatten",
    "GRUCell",
    "Graph",
    "GroupNorm",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LSTMCell",
    "LatentAttention",
    "LatentHeads",
    "Layer",
    "LayerNorm",
    "LayerNorm2d",
    "LeakyReLU",
    "LearnedPositions",
    "Linear",
    "LogSoftmax",
    "MatMul",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Mean",
    "Mish",
    "MixtureOfExperts",
    "MultiheadAttention",
    "Multiply",
    "NotRun",
    "PReLU",
    "Pad",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "PositionEmbedding",
    "Product",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "RelativePositionBias",
    "Residual",
    "RotaryEmbedding",
    "Scale",
    "ScaledDotProductAttention",
    "Select",
    "SelfAttention",
    "Sequential",
    "ShapeError",
    "Shared",
    "ShiftedWindowAttention",
    "SiLU",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "SqueezeExcitation",
    "StochasticDepth",
    "Sum",
    "SwiGLU",
    "Tanh",
    "TransformerEncoderLayer",
    "Unflatten",
    "Upsample",
    "ZeroPad2d",
    "view",
]


def __getattr__(name: str) -> Any:
    """Name what is near a layer that there is not."""
    if name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise missing(__name__, name, __all__, sys._getframe(1).f_code.co_filename)
