"""The naive loops of convolutions."""

from __future__ import annotations

from typing import Any

from flopslib.loops.counting import term
from flopslib.loops.loop import dot, loop


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


@loop()
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


@loop()
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


@loop()
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


@loop()
def depthwise_separable_conv2d(
    x: Any, w_depthwise: Any, b_depthwise: Any, w_pointwise: Any, b_pointwise: Any
) -> Any:
    """Look around in each channel, then mix the channels of a pixel."""
    seen = depthwise_conv2d(x, w_depthwise, b_depthwise)
    return pointwise_conv2d(seen, w_pointwise, b_pointwise)


def _without_row(shape: Any) -> tuple[int, ...]:
    samples, channels, _, length = shape
    return samples, channels, length


@loop()
def conv1d(x: Any, weight: Any, bias: Any = None, *, groups: int = 1) -> Any:
    """Slide each kernel along the one axis of the channels of its group."""
    inputs, outputs = len(x[0]) // groups, len(weight) // groups
    length = len(weight[0][0])
    y = []
    for sample in x:
        lines = []
        for c, kernel in enumerate(weight):
            seen = sample[c // outputs * inputs :][:inputs]
            weights = [w for line in kernel for w in line]
            line = [
                dot(weights, [cell for row in seen for cell in row[start : start + length]])
                for start in window_starts(len(seen[0]), length)
            ]
            lines.append(line if bias is None else [cell + bias[c] for cell in line])
        y.append(lines)
    return y


@loop()
def conv3d(x: Any, weight: Any, bias: Any = None, *, groups: int = 1) -> Any:
    """Slide each kernel over the volumes of its group, plane by plane."""
    inputs, outputs = len(x[0]) // groups, len(weight) // groups
    y = []
    for sample in x:
        volumes = []
        for c, kernel in enumerate(weight):
            seen = sample[c // outputs * inputs :][:inputs]
            planes = [plane for volume in kernel for plane in volume]
            depth = len(kernel[0])
            volume = [
                slide(planes, [plane for v in seen for plane in v[start : start + depth]])
                for start in window_starts(len(seen[0]), depth)
            ]
            volumes.append(volume if bias is None else [shifted(p, bias[c]) for p in volume])
        y.append(volumes)
    return y


@loop(size=("out_height", "out_width"))
def conv_transpose2d(
    x: Any, weight: Any, bias: Any = None, *, size: tuple[int, int], groups: int = 1,
    stride: int = 1, padding: int = 0, dilation: int = 1,
) -> Any:  # fmt: skip
    """Scatter every input pixel over a window of each output plane, then crop to ``size``."""
    inputs, outputs = len(weight) // groups, len(weight[0])
    y = []
    for image in x:
        planes = []
        for c in range(outputs * groups):
            first = c // outputs * inputs
            channels = range(first, first + inputs)
            kernels = [(image[i], weight[i][c % outputs]) for i in channels]
            plane = transposed(kernels, size, stride, padding, dilation)
            planes.append(plane if bias is None else shifted(plane, bias[c]))
        y.append(planes)
    return y


def transposed(
    kernels: Any, size: tuple[int, int], stride: int, padding: int, dilation: int
) -> Any:
    """Scatter the pixels of all input channels over one output plane, and crop it."""
    return cropped(scattered(kernels, stride, dilation), size, padding)


def scattered(kernels: Any, stride: int = 1, dilation: int = 1) -> Any:
    """Add up the products of pixels and kernels in a plane of zeros.

    >>> scattered([([[1, 2]], [[3, 4]])], stride=2)
    [[3, 4, 6, 8]]
    """
    cells, kernel = kernels[0]
    sides = ((len(cells), len(kernel)), (len(cells[0]), len(kernel[0])))
    ends = ((n - 1) * stride + dilation * (k - 1) for n, k in sides)
    height, width = (end + 1 for end in ends)
    plane: Any = [[0] * width for _ in range(height)]
    for cells, kernel in kernels:
        for top, row in enumerate(cells):
            for left, pixel in enumerate(row):
                for i, weights in enumerate(kernel):
                    for j, weight in enumerate(weights):
                        y = top * stride + i * dilation
                        x = left * stride + j * dilation
                        plane[y][x] = plane[y][x] + term(pixel, weight)
    return plane


def cropped(plane: Any, size: tuple[int, int], padding: int) -> Any:
    """Cut ``size`` out of a plane, ``padding`` from its edge; there are zeros around it.

    >>> cropped([[1, 2, 3]], (1, 3), padding=0), cropped([[1, 2, 3]], (2, 2), padding=0)
    ([[1, 2, 3]], [[1, 2], [0, 0]])
    """
    rows, columns = (range(padding, padding + side) for side in size)
    return [
        [plane[y][x] if y < len(plane) and x < len(plane[0]) else 0 for x in columns] for y in rows
    ]
