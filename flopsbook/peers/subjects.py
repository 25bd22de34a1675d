"""The layers and networks that the tools are asked about, as we describe them.

``tests/book/peers/subjects.py`` has the same ones as modules of PyTorch, and ``in_jax.py``
and its neighbours those that their ecosystems have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from typing import Any

from flopslib import layers as nn
from flopslib import matmul
from flopslib.counters import WRITTEN, kind_of, rules
from flopslib.counters.ecosystems import GROUPED, LOOPED
from flopslib.derivation.derivation import Derivation
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
        written: how the program writes a layer, where it is not by the module or the
            function that the tools look out for; by its path or the name of its class.
        elsewhere: the same for the programs of other frameworks than PyTorch.
        frameworks: whose tools are asked about it.
        one_operation: whether PyTorch runs all of it as one operation, where
            no gradients are kept.
    """

    title: str
    build: Callable[[], Layer]
    input_shape: Shape
    written: Mapping[str, str] = field(default_factory=dict)
    one_operation: bool = False
    elsewhere: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    frameworks: tuple[str, ...] = ("torch",)

    @cached_property
    def report(self) -> Report:
        """What we count.

        >>> MODELS["resnet18"].report.macs
        1814073344
        """
        return count(self.build(), self.input_shape)

    def kind(self, row: Row, framework: str = "torch") -> str:
        """Return what the tools of a framework meet in the place of a row.

        >>> MODELS["gpt2_layer"].kind(MODELS["gpt2_layer"].report.rows[1])
        'Conv1D of transformers'
        """
        written = self.written if framework == "torch" else self.elsewhere.get(framework, {})
        return kind_of(row, written)


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


class MatrixProduct(Layer):
    """The product with a matrix, a batch of them or a vector, as ``x @ other``."""

    def __init__(self, other: tuple[int, ...]) -> None:
        self._set(other=other)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Broadcast the batch, and put the columns in place of what is summed over."""
        batches = (input_shape[-3::-1], self.other[-3::-1])
        batch = [max(pair) for pair in zip_longest(*batches, fillvalue=1)][::-1]
        columns = self.other[-1:] if len(self.other) > 1 else ()
        return (*batch, input_shape[-2], *columns)

    def cost(self, input_shape: Shape, output_shape: Shape) -> Derivation:
        """Return that of as many products of matrices as there are in the batch."""
        columns = self.other[-1] if len(self.other) > 1 else 1
        batch = math.prod(output_shape) // (input_shape[-2] * columns)
        return matmul(input_shape[-2], input_shape[-1], columns, batch=batch)


def conv_net() -> Layer:
    """Return a convolutional network of six layers."""
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(80, 10),
    )  # fmt: skip


def post_norm_layer() -> Layer:
    """Return a Transformer layer as it was published: width 8, ReLU, norms behind the sums."""
    attention = nn.Residual(nn.MultiheadAttention(8, 2, batch_first=True))
    mlp = nn.Residual(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)))
    return nn.Sequential(attention, nn.LayerNorm(8), mlp, nn.LayerNorm(8))


def in_a_loop(steps: int = 10) -> dict[str, str]:
    """Return what the layers of a sequence are, where a loop of the framework runs them."""
    later = {str(step): "a later step of a loop" for step in range(1, steps)}
    return {"0": "the first step of a loop", **later}


#: The networks whose every figure has to be explained to the last operation.
MODELS = {
    "resnet18": Subject("ResNet-18", resnet18, IMAGE, WRITTEN["resnet18"]),
    "resnet50": Subject("ResNet-50", resnet50, IMAGE, WRITTEN["resnet50"]),
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
    "llama_layer": Subject(
        "a layer of LLaMA-7B", llama_layer, (1, 128, 4096), written=WRITTEN["llama_7b"]
    ),
}

#: Networks that were measured after the rules were written, to try them.
FURTHER = {
    "resnet34": Subject("ResNet-34, 3 pictures", resnet34, (3, *IMAGE[1:]), WRITTEN["resnet34"]),
    "resnext50_32x4d": Subject("ResNeXt-50", resnext50_32x4d, IMAGE, WRITTEN["resnext50_32x4d"]),
    "vit_b_32": Subject("ViT-B/32", vit_b_32, IMAGE),
}

EVERYWHERE = ("torch", "jax", "tensorflow", "paddle", "onnx", "tinygrad")

#: Two small networks that every ecosystem is asked about.
NETWORKS = {
    "conv_net": Subject(
        "a convolutional network",
        conv_net,
        (2, 3, 8, 8),
        elsewhere={"tinygrad": {"Linear": LOOPED}},
        frameworks=EVERYWHERE,
    ),
    "post_norm_layer": Subject(
        "a Transformer layer",
        post_norm_layer,
        (2, 5, 8),
        written={"ReLU": "a function kept when the layer is built"},
        one_operation=True,
        elsewhere={
            "jax": {"1": "LayerNorm that others need", "3": "LayerNorm behind a sum"},
            "tinygrad": {"2.2": LOOPED},
        },
        frameworks=EVERYWHERE,
    ),
}

#: What shows a habit: programs of a layer or two, which some tools take for less or for more.
HABITS = {
    "loop_of_ten": Subject(
        "ten layers in a loop",
        lambda: nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(10))),
        (4, 4),
        elsewhere={"jax": in_a_loop(), "tensorflow": in_a_loop()},
        frameworks=("torch", "jax", "tensorflow"),
    ),
    "one_layer_twice": Subject(
        "one layer, called twice",
        lambda: nn.Sequential(nn.Linear(4, 4, bias=False), nn.Shared(nn.Linear(4, 4, bias=False))),
        (3, 4),
        written={"Shared": "Linear", "0": "Linear, called again later"},
        elsewhere={framework: {"Shared": "Linear"} for framework in EVERYWHERE[1:]},
        frameworks=("torch", "jax", "tensorflow", "paddle"),
    ),
    "same_padding": Subject(
        "padding in a convolution",
        lambda: nn.Conv2d(4, 5, 3, padding=1, bias=False),
        (1, 4, 8, 8),
        frameworks=EVERYWHERE,
    ),
    "padding_before": Subject(
        "padding before a convolution",
        lambda: nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(4, 5, 3, bias=False)),
        (1, 4, 8, 8),
        elsewhere={"jax": {"Conv2d": "Conv2d behind a padding"}},
        frameworks=("torch", "jax", "tensorflow"),
    ),
    "broadcast_product": Subject(
        "a product of two batches",
        lambda: MatrixProduct((2, 4, 5)),
        (6, 1, 3, 4),
        written={"MatrixProduct": "a product that is broadcast"},
        frameworks=("torch", "jax", "tensorflow", "onnx", "tinygrad"),
    ),
    "matrix_vector": Subject(
        "a matrix by a vector",
        lambda: MatrixProduct((4,)),
        (3, 4),
        written={"MatrixProduct": "a matrix by a vector"},
        frameworks=("torch", "jax", "tensorflow", "tinygrad"),
    ),
    "causal_attention": Subject(
        "causal attention",
        lambda: nn.ScaledDotProductAttention(2, 3, causal=True),
        (2, 5, 6),
        frameworks=("torch", "jax"),
    ),
    "bfloat16": Subject(
        "a product in bfloat16",
        lambda: nn.Linear(4, 5, bias=False),
        (3, 4),
        elsewhere={"jax": {"Linear": "Linear in bfloat16"}},
        frameworks=("torch", "jax", "tensorflow", "tinygrad"),
    ),
}

PLANE = (2, 3, 5, 7)

#: One small example of each layer, with biases, and with sizes that cannot be confused.
LAYERS = {
    "linear": Subject("Linear", lambda: nn.Linear(5, 7), (2, 3, 5)),
    "conv2d": Subject("Conv2d", lambda: nn.Conv2d(3, 5, 3, stride=2, padding=1), (2, 3, 11, 13)),
    "conv2d_grouped": Subject(
        "Conv2d, grouped",
        lambda: nn.Conv2d(6, 10, 3, groups=2),
        (2, 6, 5, 7),
        elsewhere={"tensorflow": {"Conv2d": GROUPED}},
    ),
    "conv2d_depthwise": Subject(
        "Conv2d, depthwise", lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6), (2, 6, 5, 7)
    ),
    "conv2d_pointwise": Subject(
        "Conv2d, pointwise",
        lambda: nn.Conv2d(3, 5, 1),
        PLANE,
        elsewhere={"tinygrad": {"Conv2d": "Conv2d of one cell"}},
    ),
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
        "SqueezeExcitation",
        lambda: nn.SqueezeExcitation(6, 2),
        (2, 6, 5, 7),
        written={"Product": rules.BY_CHANNEL},
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

#: The single layers that other ecosystems than PyTorch are asked about.
ELSEWHERE = {
    "jax": (
        "linear", "conv2d", "conv2d_grouped", "conv2d_depthwise", "conv2d_pointwise", "conv1d",
        "conv3d", "conv_transpose2d", "scaled_dot_product_attention", "layer_norm", "rms_norm",
        "batch_norm2d", "batch_norm1d", "relu", "relu6", "leaky_relu", "gelu", "silu",
        "hardswish", "hardsigmoid", "sigmoid", "tanh", "softmax", "max_pool2d", "avg_pool2d",
        "adaptive_avg_pool2d", "embedding", "feed_forward",
    ),
    "tensorflow": (
        "linear", "conv2d_grouped", "conv2d_depthwise", "conv2d_pointwise", "conv1d", "conv3d",
        "conv_transpose2d", "layer_norm", "rms_norm", "batch_norm2d", "batch_norm1d", "relu",
        "relu6", "leaky_relu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh",
        "softmax", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "embedding",
        "feed_forward",
    ),
    "paddle": (
        "linear", "conv2d", "conv2d_grouped", "conv2d_depthwise", "conv2d_pointwise", "conv1d",
        "conv3d", "conv_transpose2d", "multihead_attention", "layer_norm", "batch_norm2d",
        "batch_norm1d", "group_norm", "relu", "relu6", "leaky_relu", "gelu", "silu", "hardswish",
        "hardsigmoid", "sigmoid", "tanh", "softmax", "max_pool2d", "avg_pool2d",
        "adaptive_avg_pool2d", "feed_forward",
    ),
    "onnx": (
        "linear", "conv2d", "conv2d_grouped", "conv2d_depthwise", "conv2d_pointwise", "conv1d",
        "conv_transpose2d", "batch_norm2d", "relu", "leaky_relu", "gelu", "hardswish",
        "hardsigmoid", "sigmoid", "tanh", "softmax", "max_pool2d", "avg_pool2d",
        "adaptive_avg_pool2d", "layer_norm", "feed_forward",
    ),
    "tinygrad": (
        "linear", "conv2d_grouped", "conv2d_pointwise", "relu", "max_pool2d",
        "adaptive_avg_pool2d", "feed_forward",
    ),
}  # fmt: skip

for _framework, _names in ELSEWHERE.items():
    for _name in _names:
        _known = LAYERS[_name].frameworks
        LAYERS[_name] = replace(LAYERS[_name], frameworks=(*_known, _framework))

SUBJECTS = MODELS | FURTHER | NETWORKS | LAYERS | HABITS
