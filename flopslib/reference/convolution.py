"""The naive loops of convolutions."""

from __future__ import annotations

from typing import Any

from flopslib.exact import exact_quotient
from flopslib.reference.loop import Operands, dot, runs_on


def window_starts(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> range:
    """Return where a window may start along one side of a padded input.

    This is the definition of the output size: one output for each start.

    >>> list(window_starts(5, 3, stride=2, padding=1))
    [0, 2, 4]
    """
    reach = dilation * (kernel - 1) + 1
    return range(0, size + 2 * padding - reach + 1, stride)


def padded(channel: Any, padding: int) -> Any:
    """Return one channel with zeros on all four sides.

    >>> padded([[1, 2]], 1)
    [[0, 0, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]]
    """
    side = [0] * padding
    edge = [[0] * (len(channel[0]) + 2 * padding)] * padding
    return [*edge, *([*side, *row, *side] for row in channel), *edge]


def slide(kernel: Any, channels: Any, padding: int = 0, **window: int) -> Any:
    """Compute one dot product at every place of the window."""
    cells = [padded(channel, padding) for channel in channels]
    rows, columns = len(kernel[0]), len(kernel[0][0])
    weights = [w for plane in kernel for row in plane for w in row]
    return [
        [
            dot(weights, covered(cells, top, left, rows, columns, **window))
            for left in window_starts(len(cells[0][0]), columns, **window)
        ]
        for top in window_starts(len(cells[0]), rows, **window)
    ]


def covered(
    cells: Any, top: int, left: int, rows: int, columns: int, dilation: int = 1, stride: int = 1
) -> list[Any]:
    """Return the cells that lie under the window; its stride has been taken already."""
    return [
        plane[top + dilation * i][left + dilation * j]
        for plane in cells
        for i in range(rows)
        for j in range(columns)
    ]


def shifted(plane: Any, bias: Any) -> Any:
    """Add a bias to every pixel of a plane."""
    return [[pixel + bias for pixel in row] for row in plane]


def _conv2d_operands(
    in_channels: int,
    out_channels: int,
    kernel_size: tuple[int, int],
    out_height: int,
    out_width: int,
    groups: int,
    batch: int,
    bias: bool,
) -> Operands:
    rows, columns = kernel_size
    return {
        "x": (batch, in_channels, out_height + rows - 1, out_width + columns - 1),
        "weight": (out_channels, exact_quotient(in_channels, groups), rows, columns),
        "bias": (out_channels,) if bias else None,
    }, {"groups": groups}


@runs_on(_conv2d_operands)
def conv2d(x: Any, weight: Any, bias: Any = None, *, groups: int = 1, **window: int) -> Any:
    """Slide each kernel over the channels of its group."""
    inputs, outputs = len(x[0]) // groups, len(weight) // groups
    y = []
    for image in x:
        planes = []
        for c, kernel in enumerate(weight):
            first = c // outputs * inputs
            plane = slide(kernel, image[first : first + inputs], **window)
            planes.append(plane if bias is None else shifted(plane, bias[c]))
        y.append(planes)
    return y


def _depthwise_operands(channels: int, **sizes: Any) -> Operands:
    shapes, _ = _conv2d_operands(channels, channels, groups=channels, **sizes)
    return shapes, {}


@runs_on(_depthwise_operands)
def depthwise_conv2d(x: Any, weight: Any, bias: Any = None) -> Any:
    """Slide each kernel over the one channel that is its own."""
    y = []
    for image in x:
        planes = []
        for c, channel in enumerate(image):
            plane = slide(weight[c], [channel])
            planes.append(plane if bias is None else shifted(plane, bias[c]))
        y.append(planes)
    return y


def _pointwise_operands(
    in_channels: int, out_channels: int, out_height: int, out_width: int, batch: int, bias: bool
) -> Operands:
    return {
        "x": (batch, in_channels, out_height, out_width),
        "weight": (out_channels, in_channels),
        "bias": (out_channels,) if bias else None,
    }, {}


@runs_on(_pointwise_operands)
def pointwise_conv2d(x: Any, weight: Any, bias: Any = None) -> Any:
    """Apply one linear layer to the channels of every pixel."""
    y = []
    for image in x:
        # the channels of each pixel, row by row
        pixels = [list(zip(*rows, strict=True)) for rows in zip(*image, strict=True)]
        planes = []
        for c, row in enumerate(weight):
            plane = [[dot(row, pixel) for pixel in line] for line in pixels]
            planes.append(plane if bias is None else shifted(plane, bias[c]))
        y.append(planes)
    return y


def _separable_operands(
    in_channels: int, out_channels: int, kernel_size: tuple[int, int], bias: bool, **sizes: int
) -> Operands:
    depthwise, _ = _depthwise_operands(in_channels, kernel_size=kernel_size, bias=bias, **sizes)
    pointwise, _ = _pointwise_operands(in_channels, out_channels, bias=bias, **sizes)
    return {
        "x": depthwise["x"],
        "w_depthwise": depthwise["weight"],
        "b_depthwise": depthwise["bias"],
        "w_pointwise": pointwise["weight"],
        "b_pointwise": pointwise["bias"],
    }, {}


@runs_on(_separable_operands)
def depthwise_separable_conv2d(
    x: Any, w_depthwise: Any, b_depthwise: Any, w_pointwise: Any, b_pointwise: Any
) -> Any:
    """Look around in each channel, then mix the channels of a pixel."""
    seen = depthwise_conv2d(x, w_depthwise, b_depthwise)
    return pointwise_conv2d(seen, w_pointwise, b_pointwise)
