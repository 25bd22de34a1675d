"""What convolutions cost, from the sizes of their outputs."""

from __future__ import annotations

from typing import Any

from flopslib import primitives
from flopslib.costs.linear import biased
from flopslib.derivation import Derivation, Step
from flopslib.exact import Size, SizeOrPair, exact_quotient
from flopslib.registry import Example, cost_function


@cost_function(
    divides={"groups": ("in_channels", "out_channels")},
    chapter="conv2d",
    example=Example(
        "the first convolution of ResNet-50",
        {"in_channels": 3, "out_channels": 64, "kernel_size": 7}
        | {"out_height": 112, "out_width": 112, "bias": False},
    ),
)
def conv2d(
    in_channels: Size,
    out_channels: Size,
    kernel_size: SizeOrPair,
    out_height: Size,
    out_width: Size,
    *,
    groups: Size = 1,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count a two-dimensional convolution.

    Stride, padding and dilation decide the size of the output
    (:func:`flopslib.conv_output_size`) and nothing else about the cost.

    Args:
        in_channels: C_in, the channels of the input.
        out_channels: C_out, the channels of the output.
        kernel_size: the pair (K_h, K_w), or one number for both.
        out_height: H_out, the height of the output.
        out_width: W_out, the width of the output.
        groups: G, the groups that both channels are split into; an output
            channel sees the C_in / G input channels of its own group.
        batch: B, how many images.
        bias: whether one number is added to each output.

    Shapes:
        the input is (B, C_in, H_in, W_in), the weight (C_out, C_in / G, K_h, K_w),
        the output (B, C_out, H_out, W_out).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1, groups that do not divide both channels.

    Source:
        Section 10.2 of the notes; the chapter *Convolution*.

    >>> conv2d(3, 64, 7, 112, 112, bias=False).macs
    118013952
    >>> conv2d(64, 64, (3, 3), 56, 56, groups=2, bias=False).macs
    57802752
    """
    kernel_height, kernel_width = _sides(kernel_size)
    terms = (exact_quotient(in_channels, groups), kernel_height, kernel_width)
    part = primitives.dot_product(*terms)
    shape = (batch, out_channels, out_height, out_width)
    step = Step("conv2d", biased(part, bias), shape, unit="output pixel")
    return Derivation((step,), "conv2d")


def _sides(kernel_size: Any) -> tuple[Any, Any]:
    height, width = kernel_size  # the registry has made it a pair
    return height, width


@cost_function(
    chapter="conv2d",
    example=Example(
        "the first depthwise convolution of MobileNetV1",
        {"channels": 32, "kernel_size": 3, "out_height": 112, "out_width": 112, "bias": False},
    ),
)
def depthwise_conv2d(
    channels: Size,
    kernel_size: SizeOrPair,
    out_height: Size,
    out_width: Size,
    *,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count a depthwise convolution: each channel is convolved with a kernel of its own.

    It is a convolution with as many groups as channels.

    Args:
        channels: C_in, the channels of the input and of the output.
        kernel_size: the pair (K_h, K_w), or one number for both.
        out_height: H_out, the height of the output.
        out_width: W_out, the width of the output.
        batch: B, how many images.
        bias: whether one number is added to each output.

    Shapes:
        the input is (B, C_in, H_in, W_in), the weight (C_in, 1, K_h, K_w),
        the output (B, C_in, H_out, W_out).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1.

    Source:
        Section 10.3 (1) of the notes; the chapter *Convolution*.

    >>> depthwise_conv2d(32, 3, 112, 112, bias=False).macs
    3612672
    """
    return conv2d(
        channels, channels, kernel_size, out_height, out_width,
        groups=channels, batch=batch, bias=bias,
    ).named("depthwise conv2d")  # fmt: skip


@cost_function(
    chapter="conv2d",
    example=Example(
        "the pointwise convolution after it",
        {"in_channels": 32, "out_channels": 64, "out_height": 112, "out_width": 112, "bias": False},
    ),
)
def pointwise_conv2d(
    in_channels: Size,
    out_channels: Size,
    out_height: Size,
    out_width: Size,
    *,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count a pointwise convolution: the kernel is 1 × 1, a linear layer at each pixel.

    Args:
        in_channels: C_in, the channels of the input.
        out_channels: C_out, the channels of the output.
        out_height: H_out, the height of the output.
        out_width: W_out, the width of the output.
        batch: B, how many images.
        bias: whether one number is added to each output.

    Shapes:
        the input is (B, C_in, H_out, W_out), the weight (C_out, C_in, 1, 1),
        the output (B, C_out, H_out, W_out).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1.

    Source:
        Section 10.3 (2) of the notes; the chapter *Convolution*.

    >>> pointwise_conv2d(32, 16, 112, 112, bias=False).macs
    6422528
    """
    return conv2d(
        in_channels, out_channels, 1, out_height, out_width, batch=batch, bias=bias
    ).named("pointwise conv2d")


@cost_function(
    chapter="depthwise_separable",
    example=Example(
        "these two together",
        {"in_channels": 32, "out_channels": 64, "kernel_size": 3}
        | {"out_height": 112, "out_width": 112, "bias": False},
    ),
)
def depthwise_separable_conv2d(
    in_channels: Size,
    out_channels: Size,
    kernel_size: SizeOrPair,
    out_height: Size,
    out_width: Size,
    *,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count a depthwise convolution followed by a pointwise one.

    Args:
        in_channels: C_in, the channels of the input.
        out_channels: C_out, the channels of the output.
        kernel_size: the pair (K_h, K_w) of the depthwise part, or one number for both.
        out_height: H_out, the height of the output.
        out_width: W_out, the width of the output.
        batch: B, how many images.
        bias: whether each of the two parts has a bias.

    Shapes:
        the input is (B, C_in, H_in, W_in), between the parts
        (B, C_in, H_out, W_out), the output (B, C_out, H_out, W_out); the weights
        are (C_in, 1, K_h, K_w) and (C_out, C_in, 1, 1).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1.

    Source:
        Section 10.3 of the notes; the chapter *Depthwise separable convolution*.

    >>> depthwise_separable_conv2d(32, 64, 3, 112, 112, bias=False).macs
    29302784
    """
    depthwise = depthwise_conv2d(
        in_channels, kernel_size, out_height, out_width, batch=batch, bias=bias
    )
    pointwise = pointwise_conv2d(
        in_channels, out_channels, out_height, out_width, batch=batch, bias=bias
    )
    return (depthwise + pointwise).named("separable conv2d")
