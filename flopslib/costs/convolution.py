"""What convolutions cost, from the sizes of their outputs."""

from __future__ import annotations

from typing import Any

from flopslib.costs.dense import biased, biases
from flopslib.costs.registry import Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Step
from flopslib.sizes.exact import Size, SizeOrPair, exact_quotient


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
    window: Any = kernel_size  # the registry has made it a pair
    places = (out_height, out_width)
    return _convolution(
        "conv2d", in_channels, out_channels, window, places, groups, batch, bias, "output pixel"
    )


def _convolution(
    name: str, in_channels: Any, out_channels: Any, window: tuple[Any, ...],
    places: tuple[Any, ...], groups: Any, batch: Any, bias: bool, unit: str,
) -> Derivation:  # fmt: skip
    seen = exact_quotient(in_channels, groups)
    part = primitives.dot_product(seen, *window)
    # as far as the windows reach at stride 1; a layer that knows its input says its own shape
    sides = (place + side - 1 for place, side in zip(places, window, strict=True))
    weight = Operand("weight", (out_channels, seen, *window), "weight")
    reads = (Operand("x", (batch, in_channels, *sides)), weight, *biases(bias, out_channels))
    y = Operand("y", (batch, out_channels, *places))
    step = Step(name, biased(part, bias), y.shape, unit, reads, y, windowed=True)
    return Derivation((step,), name)


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
    matrix = Operand("weight", (out_channels, in_channels), "weight")  # its window is one cell
    return (
        conv2d(in_channels, out_channels, 1, out_height, out_width, batch=batch, bias=bias)
        .named("pointwise conv2d")
        .on(weight=matrix)
    )


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
    depthwise = depthwise.on(weight="w_depthwise", bias="b_depthwise", y="seen")
    pointwise = pointwise.on(x=depthwise.result, weight="w_pointwise", bias="b_pointwise")
    return (depthwise + pointwise).named("separable conv2d")


@cost_function(
    divides={"groups": ("in_channels", "out_channels")},
    chapter="more_layers",
    kernel_axes=1,
    example=Example(
        "the second convolution of Whisper small",
        {"in_channels": 768, "out_channels": 768, "kernel_size": 3, "out_length": 1500},
    ),
)
def conv1d(
    in_channels: Size,
    out_channels: Size,
    kernel_size: Size,
    out_length: Size,
    *,
    groups: Size = 1,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count a convolution along one axis, such as time.

    Args:
        in_channels: C_in, the channels of the input.
        out_channels: C_out, the channels of the output.
        kernel_size: K, the length of the kernel.
        out_length: L_out, the length of the output.
        groups: G, the groups that both channels are split into.
        batch: B, how many samples.
        bias: whether one number is added to each output.

    Shapes:
        the input is (B, C_in, L_in), the weight (C_out, C_in / G, K), the output
        (B, C_out, L_out).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1, groups that do not divide both channels.

    Source:
        Section 10.2 of the notes, with one axis less; the chapter *More layers*.

    >>> conv1d(80, 384, 3, 3000).macs
    276480000
    """
    return _convolution(
        "conv1d", in_channels, out_channels, (kernel_size,), (out_length,), groups, batch, bias,
        "output element",
    )  # fmt: skip


@cost_function(
    divides={"groups": ("in_channels", "out_channels")},
    chapter="more_layers",
    kernel_axes=3,
    example=Example(
        "the first convolution of R3D-18, 16 frames",
        {"in_channels": 3, "out_channels": 64, "kernel_size": (3, 7, 7)}
        | {"out_depth": 16, "out_height": 56, "out_width": 56, "bias": False},
    ),
)
def conv3d(
    in_channels: Size,
    out_channels: Size,
    kernel_size: SizeOrPair,
    out_depth: Size,
    out_height: Size,
    out_width: Size,
    *,
    groups: Size = 1,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count a convolution along three axes, such as time, height and width.

    Args:
        in_channels: C_in, the channels of the input.
        out_channels: C_out, the channels of the output.
        kernel_size: the triple (K_d, K_h, K_w), or one number for all three.
        out_depth: D_out, the depth of the output.
        out_height: H_out, the height of the output.
        out_width: W_out, the width of the output.
        groups: G, the groups that both channels are split into.
        batch: B, how many samples.
        bias: whether one number is added to each output.

    Shapes:
        the input is (B, C_in, D_in, H_in, W_in), the weight
        (C_out, C_in / G, K_d, K_h, K_w), the output (B, C_out, D_out, H_out, W_out).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1, groups that do not divide both channels.

    Source:
        Section 10.2 of the notes, with one axis more; the chapter *More layers*.

    >>> conv3d(3, 64, (3, 7, 7), 16, 56, 56, bias=False).macs
    1416167424
    """
    window: Any = kernel_size  # the registry has made it a triple
    places = (out_depth, out_height, out_width)
    return _convolution(
        "conv3d", in_channels, out_channels, window, places, groups, batch, bias, "output voxel"
    )


@cost_function(
    divides={"groups": ("in_channels", "out_channels")},
    chapter="more_layers",
    example=Example(
        "the last layer of a DCGAN generator",
        {"in_channels": 64, "out_channels": 3, "kernel_size": 4, "in_height": 32}
        | {"in_width": 32, "out_height": 64, "out_width": 64, "bias": False},
    ),
)
def conv_transpose2d(
    in_channels: Size,
    out_channels: Size,
    kernel_size: SizeOrPair,
    in_height: Size,
    in_width: Size,
    out_height: Size,
    out_width: Size,
    *,
    groups: Size = 1,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count a transposed convolution: each input pixel is scattered over a window of outputs.

    Every product is formed and added to an output that began at 0, also where
    the padding crops it away afterwards. So the size of the *input* decides;
    that of the output matters for the biases only.

    Args:
        in_channels: C_in, the channels of the input.
        out_channels: C_out, the channels of the output.
        kernel_size: the pair (K_h, K_w), or one number for both.
        in_height: H_in, the height of the input.
        in_width: W_in, the width of the input.
        out_height: H_out, the height of the output.
        out_width: W_out, the width of the output.
        groups: G, the groups that both channels are split into; an input
            channel reaches the C_out / G output channels of its own group.
        batch: B, how many images.
        bias: whether one number is added to each output.

    Shapes:
        the input is (B, C_in, H_in, W_in), the weight (C_in, C_out / G, K_h, K_w),
        the output (B, C_out, H_out, W_out).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1, groups that do not divide both channels.

    Source:
        not in the notes; the chapter *More layers*.

    >>> conv_transpose2d(64, 3, 4, 32, 32, 64, 64, bias=False).macs
    3145728
    """
    window: Any = kernel_size  # the registry has made it a pair
    return transposed(
        (batch, in_channels, in_height, in_width), (out_channels, out_height, out_width),
        window, groups, bias,
    )  # fmt: skip


#: What one place of a transposed convolution is called, by the number of axes.
PLACES = {1: "position", 2: "pixel", 3: "voxel"}


def transposed(
    inputs: tuple[Any, ...], outputs: tuple[Any, ...], window: tuple[Any, ...], groups: Any,
    bias: bool,
) -> Derivation:  # fmt: skip
    """Count a transposed convolution along any axes, from (B, C_in, …) to (C_out, …).

    >>> transposed((1, 2, 5), (3, 11), (3,), 1, False).macs
    90
    """
    place = PLACES[len(window)]
    batch, in_channels, *_ = inputs
    reached = exact_quotient(outputs[0], groups)
    part = primitives.scatter(reached, *window)
    x = Operand("x", inputs)
    weight = Operand("weight", (in_channels, reached, *window), "weight")
    y = Operand("y", (batch, *outputs))
    made = Operand("sums", y.shape) if bias else y
    steps = [Step("scatter", (part,), x.shape, f"input {place}", (x, weight), made)]
    if bias:
        reads = (made, *biases(bias, outputs[0]))
        steps.append(Step("bias", (primitives.bias(),), y.shape, f"output {place}", reads, y))
    return Derivation(tuple(steps), f"transposed conv{len(window)}d")
