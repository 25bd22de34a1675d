"""The layers and networks that every tool is asked about, as we describe them.

``tests/book/peers/subjects.py`` has the same ones as modules of PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from flopslib import layers as nn
from flopslib.counters import WRITTEN, kind_of
from flopslib.layers.layer import Layer, Run, Shape
from flopslib.models import (
    alexnet,
    llama,
    mobilenet_v2,
    resnet18,
    resnet34,
    resnet50,
    resnext50_32x4d,
    vit_b_16,
    vit_b_32,
)
from flopslib.models.vit import encoder_layer
from flopslib.report.report import Report, Row, count

IMAGE = (1, 3, 224, 224)


@dataclass(frozen=True)
class Subject:
    """A layer or a network that every tool is asked about.

    Attributes:
        title: what it is called in a table.
        build: gives our description of it.
        input_shape: what goes in.
        written: how the PyTorch program writes a layer, where it is not by the
            module or the function that the tools look out for.
        one_operation: whether PyTorch runs all of it as one operation, where
            no gradients are kept.
    """

    title: str
    build: Callable[[], Layer]
    input_shape: Shape
    written: Mapping[str, str] = field(default_factory=dict)
    one_operation: bool = False

    @cached_property
    def report(self) -> Report:
        """What we count.

        >>> MODELS["resnet18"].report.macs
        1814073344
        """
        return count(self.build(), self.input_shape)

    def kind(self, row: Row) -> str:
        """Return what a tool meets in the place of a row.

        >>> MODELS["gpt2_layer"].kind(MODELS["gpt2_layer"].report.rows[1])
        'Conv1D of transformers'
        """
        return kind_of(row, self.written)


class OneMatrixAttention(Layer):
    """Self-attention whose queries, keys and values come from one matrix, as in GPT-2's program."""

    def __init__(self, embed_dim: int, num_heads: int) -> None:
        self._set(
            c_attn=nn.Linear(embed_dim, 3 * embed_dim),
            attend=nn.ScaledDotProductAttention(num_heads, embed_dim // num_heads),
            c_proj=nn.Linear(embed_dim, embed_dim),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Project to all three, attend, project."""
        run("c_attn", self.c_attn, x)
        return run("c_proj", self.c_proj, run("attend", self.attend, x))


def gpt2_layer(width: int = 768) -> Layer:
    """Return one layer of GPT-2 small, or of another width."""
    attention = nn.Sequential(ln_1=nn.LayerNorm(width), attn=OneMatrixAttention(width, 12))
    mlp = nn.Sequential(
        ln_2=nn.LayerNorm(width),
        c_fc=nn.Linear(width, 4 * width),
        act=nn.GELU("tanh"),
        c_proj=nn.Linear(4 * width, width),
    )
    return nn.Sequential(attention=nn.Residual(attention), mlp=nn.Residual(mlp))


def llama_layer(width: int = 4096, inner: int = 11008) -> Layer:
    """Return one layer of LLaMA-7B, or of another width."""
    model: Any = llama(1, width, 32, inner)
    (layer,) = model["layers"]
    assert isinstance(layer, Layer)
    return layer


def feed_forward() -> Layer:
    """Return a feed-forward network of width 6."""
    return nn.Sequential(nn.Linear(6, 24), nn.GELU(), nn.Linear(24, 6))


#: The networks whose every figure has to be explained to the last operation.
MODELS = {
    "resnet18": Subject("ResNet-18", resnet18, IMAGE),
    "resnet50": Subject("ResNet-50", resnet50, IMAGE),
    "mobilenet_v2": Subject(
        "MobileNetV2",
        mobilenet_v2,
        IMAGE,
        written=WRITTEN["mobilenet_v2"],
    ),
    "vit_b_16": Subject("ViT-B/16", vit_b_16, IMAGE),
    "alexnet": Subject("AlexNet", alexnet, IMAGE),
    "gpt2_layer": Subject(
        "a layer of GPT-2",
        gpt2_layer,
        (1, 128, 768),
        written=WRITTEN["gpt2_layer"],
    ),
    "llama_layer": Subject("a layer of LLaMA-7B", llama_layer, (1, 128, 4096)),
}

#: Networks that were measured after the rules were written, to try them.
FURTHER = {
    "resnet34": Subject("ResNet-34, 3 pictures", resnet34, (3, *IMAGE[1:])),
    "resnext50_32x4d": Subject("ResNeXt-50", resnext50_32x4d, IMAGE),
    "vit_b_32": Subject("ViT-B/32", vit_b_32, IMAGE),
}

PLANE = (2, 3, 5, 7)

#: One small example of each layer, with biases, and with sizes that cannot be confused.
LAYERS = {
    "linear": Subject("Linear", lambda: nn.Linear(5, 7), (2, 3, 5)),
    "conv2d": Subject("Conv2d", lambda: nn.Conv2d(3, 5, 3, stride=2, padding=1), (2, 3, 11, 13)),
    "conv2d_grouped": Subject(
        "Conv2d, grouped", lambda: nn.Conv2d(6, 10, 3, groups=2), (2, 6, 5, 7)
    ),
    "conv2d_depthwise": Subject(
        "Conv2d, depthwise", lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6), (2, 6, 5, 7)
    ),
    "conv2d_pointwise": Subject("Conv2d, pointwise", lambda: nn.Conv2d(3, 5, 1), PLANE),
    "conv1d": Subject("Conv1d", lambda: nn.Conv1d(3, 5, 4), (2, 3, 17)),
    "conv3d": Subject("Conv3d", lambda: nn.Conv3d(3, 5, (2, 3, 3)), (2, 3, 5, 7, 11)),
    "conv_transpose2d": Subject(
        "ConvTranspose2d", lambda: nn.ConvTranspose2d(3, 5, 3, stride=2), PLANE
    ),
    "multihead_attention": Subject(
        "MultiheadAttention", lambda: nn.MultiheadAttention(6, 2, batch_first=True), (1, 5, 6)
    ),
    "scaled_dot_product_attention": Subject(
        "fused attention", lambda: nn.ScaledDotProductAttention(2, 3), (2, 5, 6)
    ),
    "layer_norm": Subject("LayerNorm", lambda: nn.LayerNorm(7), (2, 3, 7)),
    "batch_norm2d": Subject("BatchNorm2d", lambda: nn.BatchNorm2d(3), PLANE),
    "batch_norm1d": Subject("BatchNorm1d", lambda: nn.BatchNorm1d(3), (2, 3, 5)),
    "rms_norm": Subject("RMSNorm", lambda: nn.RMSNorm(7), (2, 3, 7)),
    "group_norm": Subject("GroupNorm", lambda: nn.GroupNorm(3, 6), (2, 6, 5)),
    "relu": Subject("ReLU", nn.ReLU, PLANE),
    "relu6": Subject("ReLU6", nn.ReLU6, PLANE),
    "leaky_relu": Subject("LeakyReLU", nn.LeakyReLU, PLANE),
    "gelu": Subject("GELU", nn.GELU, PLANE),
    "silu": Subject("SiLU", nn.SiLU, PLANE),
    "hardswish": Subject("Hardswish", nn.Hardswish, PLANE),
    "hardsigmoid": Subject("Hardsigmoid", nn.Hardsigmoid, PLANE),
    "sigmoid": Subject("Sigmoid", nn.Sigmoid, PLANE),
    "tanh": Subject("Tanh", nn.Tanh, PLANE),
    "softmax": Subject("Softmax", lambda: nn.Softmax(dim=-1), (2, 3, 7)),
    "max_pool2d": Subject("MaxPool2d", lambda: nn.MaxPool2d(3, 2), (2, 3, 11, 13)),
    "avg_pool2d": Subject("AvgPool2d", lambda: nn.AvgPool2d(3, 2), (2, 3, 11, 13)),
    "adaptive_avg_pool2d": Subject("AdaptiveAvgPool2d", lambda: nn.AdaptiveAvgPool2d(1), PLANE),
    "squeeze_excitation": Subject(
        "SqueezeExcitation", lambda: nn.SqueezeExcitation(6, 2), (2, 6, 5, 7)
    ),
    "embedding": Subject("Embedding", lambda: nn.Embedding(11, 7), (2, 5)),
    "feed_forward": Subject("feed-forward network", feed_forward, (2, 5, 6)),
    "gated_feed_forward": Subject(
        "gated feed-forward network", lambda: nn.SwiGLU(6, 16), (2, 5, 6)
    ),
    "transformer_layer": Subject(
        "Transformer layer",
        lambda: encoder_layer(6, 2, 24),
        (1, 5, 6),
        written={"GELU": "a function kept when the layer is built"},
        one_operation=True,
    ),
}

SUBJECTS = MODELS | FURTHER | LAYERS
