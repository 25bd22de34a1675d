"""MobileNetV2: Sandler et al., "Inverted residuals and linear bottlenecks", 2018."""

from __future__ import annotations

from flopslib.layers import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    ReLU6,
    Residual,
    Sequential,
)
from flopslib.layers.arguments import size
from flopslib.layers.layer import Layer
from flopslib.models.model_list import model

#: widen the channels so many times, channels, blocks, stride of the first block
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _conv(c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Layer:
    padding = (kernel - 1) // 2
    conv = Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=False)
    return Sequential(conv, BatchNorm2d(c_out), ReLU6())


def inverted_residual(c_in: int, c_out: int, widen: int, stride: int = 1) -> Layer:
    """Widen by a pointwise convolution, look around depthwise, narrow again, without bending."""
    inner = c_in * widen
    layers = [_conv(c_in, inner)] if widen > 1 else []
    layers.append(_conv(inner, inner, 3, stride, groups=inner))
    body = Sequential(*layers, Conv2d(inner, c_out, 1, bias=False), BatchNorm2d(c_out))
    return Residual(body) if stride == 1 and c_in == c_out else body


def rounded(channels: float, divisor: int = 8) -> int:
    """Return the nearest multiple of a divisor, but never less than 90 % of what was asked.

    >>> rounded(32 * 0.35), rounded(24 * 0.75)
    (16, 24)
    """
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


@model()
def mobilenet_v2(num_classes: int = 1000, width_mult: float = 1.0, round_nearest: int = 8) -> Layer:
    """MobileNetV2, with a width multiplier.

    Args:
        num_classes: how many classes the last layer tells apart.
        width_mult: a factor for the channels of every layer; the last one is
            never narrowed.
        round_nearest: every number of channels is a multiple of it.

    Raises:
        ValueError: a ``width_mult`` that is not above 0.

    >>> mobilenet_v2().parameters
    3504872
    """
    if isinstance(width_mult, bool) or not isinstance(width_mult, int | float):
        raise TypeError(f"width_mult must be a number above 0, got {width_mult!r}")
    if not 0 < width_mult < float("inf"):
        raise ValueError(f"width_mult must be a number above 0, got {width_mult!r}")
    round_nearest = size("round_nearest", round_nearest)
    c_in = rounded(32 * width_mult, round_nearest)
    last = rounded(1280 * max(1.0, width_mult), round_nearest)
    features = [_conv(3, c_in, 3, stride=2)]
    for widen, channels, blocks, stride in STAGES:
        c_out = rounded(channels * width_mult, round_nearest)
        features.append(inverted_residual(c_in, c_out, widen, stride))
        features += [inverted_residual(c_out, c_out, widen)] * (blocks - 1)
        c_in = c_out
    return Sequential(
        features=Sequential(*features, _conv(c_in, last)),
        avgpool=AdaptiveAvgPool2d(1),
        flatten=Flatten(),
        classifier=Sequential(Dropout(0.2), Linear(last, size("num_classes", num_classes))),
    )
