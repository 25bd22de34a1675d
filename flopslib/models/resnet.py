"""The ResNet family, with ResNeXt and Wide ResNet.

He et al., "Deep residual learning for image recognition", 2015; Xie et al.,
"Aggregated residual transformations", 2017; Zagoruyko and Komodakis, "Wide
residual networks", 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from flopslib.layers import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
)
from flopslib.layers.arguments import size
from flopslib.layers.layer import Layer
from flopslib.models.model_list import model

RELU = ReLU()


@dataclass(frozen=True)
class Parts:
    """What blocks are built from: layers that are alike are one value, which is counted once."""

    conv: Callable[..., Layer] = field(default_factory=lambda: cache(Conv2d))
    norm: Callable[..., Layer] = field(default_factory=lambda: cache(BatchNorm2d))


def _shortcut(parts: Parts, c_in: int, c_out: int, stride: int) -> Layer | None:
    if stride == 1 and c_in == c_out:
        return None
    return Sequential(parts.conv(c_in, c_out, 1, stride, bias=False), parts.norm(c_out))


def basic_block(c_in: int, width: int, stride: int = 1, *, parts: Parts | None = None) -> Layer:
    """Two 3×3 convolutions and a shortcut."""
    parts = parts or Parts()
    body = Sequential(
        conv1=parts.conv(c_in, width, 3, stride, padding=1, bias=False),
        bn1=parts.norm(width),
        relu=RELU,
        conv2=parts.conv(width, width, 3, padding=1, bias=False),
        bn2=parts.norm(width),
    )
    return Residual(body, _shortcut(parts, c_in, width, stride), then=RELU)


def bottleneck(
    c_in: int,
    width: int,
    stride: int = 1,
    *,
    inner: int | None = None,
    groups: int = 1,
    stride_on: str = "3x3",
    parts: Parts | None = None,
) -> Layer:
    """Narrow by a 1×1 convolution, look around by a 3×3, widen by a 1×1; and a shortcut."""
    parts = parts or Parts()
    inner = width if inner is None else inner
    first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
    body = Sequential(
        conv1=parts.conv(c_in, inner, 1, first, bias=False),
        bn1=parts.norm(inner),
        relu1=RELU,
        conv2=parts.conv(inner, inner, 3, second, padding=1, groups=groups, bias=False),
        bn2=parts.norm(inner),
        relu2=RELU,
        conv3=parts.conv(inner, 4 * width, 1, bias=False),
        bn3=parts.norm(4 * width),
    )
    return Residual(body, _shortcut(parts, c_in, 4 * width, stride), then=RELU)


Block = Callable[..., Layer]


def _stage(block: Block, c_in: int, width: int, c_out: int, depth: int, stride: int) -> Layer:
    # all blocks after the first are alike, and so one value
    return Sequential(block(c_in, width, stride), *[block(c_out, width)] * (depth - 1))


def _resnet(block: Block, widen: int, depths: tuple[int, ...], num_classes: int) -> Layer:
    stages, c_in, parts = {}, 64, Parts()

    def alike(*sizes: int) -> Layer:
        return block(*sizes, parts=parts)

    for at, depth in enumerate(depths):
        width = 64 * 2**at
        stages[f"layer{at + 1}"] = _stage(alike, c_in, width, widen * width, depth, min(at + 1, 2))
        c_in = widen * width
    return Sequential(
        conv1=Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        bn1=BatchNorm2d(64),
        relu=RELU,
        maxpool=MaxPool2d(3, stride=2, padding=1),
        **stages,
        avgpool=AdaptiveAvgPool2d(1),
        flatten=Flatten(),
        fc=Linear(c_in, size("num_classes", num_classes)),
    )


def _of_bottlenecks(
    depths: tuple[int, ...], num_classes: int, groups: int, width_per_group: int, stride_on: str
) -> Layer:
    if stride_on not in ("3x3", "1x1"):
        raise ValueError(f"stride_on must be '3x3' or '1x1', got {stride_on!r}")
    size("groups", groups)
    size("width_per_group", width_per_group)

    def block(c_in: int, width: int, stride: int = 1, **more: Any) -> Layer:
        inner = width * width_per_group // 64 * groups
        return bottleneck(
            c_in, width, stride, inner=inner, groups=groups, stride_on=stride_on, **more
        )

    return _resnet(block, 4, depths, num_classes)


@model()
def resnet18(num_classes: int = 1000) -> Layer:
    """ResNet-18, of basic blocks."""
    return _resnet(basic_block, 1, (2, 2, 2, 2), num_classes)


@model()
def resnet34(num_classes: int = 1000) -> Layer:
    """ResNet-34, of basic blocks."""
    return _resnet(basic_block, 1, (3, 4, 6, 3), num_classes)


@model()
def resnet50(
    num_classes: int = 1000, groups: int = 1, width_per_group: int = 64, stride_on: str = "3x3"
) -> Layer:
    """ResNet-50, of bottlenecks.

    Args:
        num_classes: how many classes the last layer tells apart.
        groups: the groups of every 3×3 convolution.
        width_per_group: the channels of a group in the first stage.
        stride_on: where a stage is halved: on the "3x3", as libraries do it
            today, or on the first "1x1", as in the paper.

    Raises:
        ValueError: another ``stride_on``.

    >>> resnet50().parameters
    25557032
    """
    return _of_bottlenecks((3, 4, 6, 3), num_classes, groups, width_per_group, stride_on)


@model()
def resnet101(
    num_classes: int = 1000, groups: int = 1, width_per_group: int = 64, stride_on: str = "3x3"
) -> Layer:
    """ResNet-101, of bottlenecks."""
    return _of_bottlenecks((3, 4, 23, 3), num_classes, groups, width_per_group, stride_on)


@model()
def resnet152(
    num_classes: int = 1000, groups: int = 1, width_per_group: int = 64, stride_on: str = "3x3"
) -> Layer:
    """ResNet-152, of bottlenecks."""
    return _of_bottlenecks((3, 8, 36, 3), num_classes, groups, width_per_group, stride_on)


@model()
def resnext50_32x4d(
    num_classes: int = 1000, groups: int = 32, width_per_group: int = 4, stride_on: str = "3x3"
) -> Layer:
    """ResNeXt-50, 32 groups of 4 channels."""
    return _of_bottlenecks((3, 4, 6, 3), num_classes, groups, width_per_group, stride_on)


@model()
def resnext101_32x8d(
    num_classes: int = 1000, groups: int = 32, width_per_group: int = 8, stride_on: str = "3x3"
) -> Layer:
    """ResNeXt-101, 32 groups of 8 channels."""
    return _of_bottlenecks((3, 4, 23, 3), num_classes, groups, width_per_group, stride_on)


@model()
def resnext101_64x4d(
    num_classes: int = 1000, groups: int = 64, width_per_group: int = 4, stride_on: str = "3x3"
) -> Layer:
    """ResNeXt-101, 64 groups of 4 channels."""
    return _of_bottlenecks((3, 4, 23, 3), num_classes, groups, width_per_group, stride_on)


@model()
def wide_resnet50_2(
    num_classes: int = 1000, groups: int = 1, width_per_group: int = 128, stride_on: str = "3x3"
) -> Layer:
    """Wide ResNet-50, twice the inner width."""
    return _of_bottlenecks((3, 4, 6, 3), num_classes, groups, width_per_group, stride_on)


@model()
def wide_resnet101_2(
    num_classes: int = 1000, groups: int = 1, width_per_group: int = 128, stride_on: str = "3x3"
) -> Layer:
    """Wide ResNet-101, twice the inner width."""
    return _of_bottlenecks((3, 4, 23, 3), num_classes, groups, width_per_group, stride_on)
