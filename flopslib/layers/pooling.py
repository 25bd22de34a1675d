"""Pooling: one number for each window of a plane."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import product
from typing import ClassVar

from flopslib.derivation import primitives
from flopslib.derivation.steps import Part
from flopslib.layers.arguments import flag, per_axis, size
from flopslib.layers.convolution import INPUTS
from flopslib.layers.layer import Formula, Layer, Shape
from flopslib.layers.operations import windows
from flopslib.sizes.shapes import room_to_move


class _Pool(Layer):
    OPTIONS: ClassVar[tuple[tuple[str, Callable[..., Part]], ...]]

    def output_shape(self, input_shape: Shape) -> Shape:
        """Count the places of the window along each axis."""
        self._check_rank(input_shape, INPUTS[2])
        sides = input_shape[-2:]
        return (*input_shape[:-2], *(len(self._starts(axis, sides[axis])) for axis in (0, 1)))

    def _starts(self, axis: int, side: int) -> range:
        padding, stride = self.padding[axis], self.stride[axis]
        room = room_to_move(side, self.kernel_size[axis], 2 * padding, self._reach(axis))
        places = -(-room // stride) + 1 if self.ceil_mode else room // stride + 1
        if (places - 1) * stride >= side + padding:
            places -= 1  # the last window would see nothing but padding
        if places < 1:
            self._refuse(f"has a window that does not fit into a padded side of {side}")
        return range(0, places * stride, stride)

    def _reach(self, axis: int) -> int:
        return 1

    def _cells(self, axis: int, side: int) -> list[int]:
        # a window may reach over the end only where ceil_mode let it start
        end, reach = side + 2 * self.padding[axis], self._reach(axis)
        kernel = self.kernel_size[axis]
        return [min(kernel, -((start - end) // reach)) for start in self._starts(axis, side)]

    def _formula(self, x: Shape, y: Shape) -> Formula:
        planes = math.prod(x[:-2])
        if not self.ceil_mode:  # no window reaches over the end
            return windows, (planes, math.prod(self.kernel_size), math.prod(y[-2:])), self.OPTIONS
        classes = _classes(self._cells(0, x[-2]), self._cells(1, x[-1]))
        return windows, (planes, *classes), self.OPTIONS


def _classes(heights: Iterable[int], widths: Iterable[int]) -> list[int]:
    counted: Counter[int] = Counter()
    for (h, n), (w, m) in product(Counter(heights).items(), Counter(widths).items()):
        counted[h * w] += n * m
    return [number for pair in sorted(counted.items(), reverse=True) for number in pair]


def _check_padding(padding: Shape, kernel: Shape) -> None:
    for pad, side in zip(padding, kernel, strict=True):
        if 2 * pad > side:
            raise ValueError(
                f"padding must be at most half of kernel_size, "
                f"got padding={pad} and kernel_size={side}"
            )


class MaxPool2d(_Pool):
    """The largest number of each window, as torch.nn.MaxPool2d.

    Padding counts as ordinary cells.

    Shapes:
        (N, C, H_in, W_in) → (N, C, H_out, W_out); the N may be left out

    >>> MaxPool2d(3, stride=2, ceil_mode=True).output_shape((1, 64, 112, 112))
    (1, 64, 56, 56)
    """

    OPTIONS = (("operation", primitives.max_pool),)

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self._set(
            kernel_size=per_axis("kernel_size", kernel_size, 2),
            stride=per_axis("stride", kernel_size if stride is None else stride, 2),
            padding=per_axis("padding", padding, 2, minimum=0),
            dilation=per_axis("dilation", dilation, 2),
            return_indices=flag("return_indices", return_indices),
            ceil_mode=flag("ceil_mode", ceil_mode),
        )
        _check_padding(self.padding, self.kernel_size)

    def _reach(self, axis: int) -> int:
        reach: int = self.dilation[axis]
        return reach


class AvgPool2d(_Pool):
    """The mean of each window, as torch.nn.AvgPool2d.

    Padding counts as ordinary zeros. With ``count_include_pad=False`` the
    divisor changes, and not the count.

    Shapes:
        (N, C, H_in, W_in) → (N, C, H_out, W_out); the N may be left out

    >>> AvgPool2d(2).output_shape((1, 64, 7, 7))
    (1, 64, 3, 3)
    """

    OPTIONS = (("operation", primitives.average_pool),)

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self._set(
            kernel_size=per_axis("kernel_size", kernel_size, 2),
            stride=per_axis("stride", kernel_size if stride is None else stride, 2),
            padding=per_axis("padding", padding, 2, minimum=0),
            ceil_mode=flag("ceil_mode", ceil_mode),
            count_include_pad=flag("count_include_pad", count_include_pad),
            divisor_override=(
                None if divisor_override is None else size("divisor_override", divisor_override)
            ),
        )
        _check_padding(self.padding, self.kernel_size)


class AdaptiveAvgPool2d(Layer):
    """Means of as many windows as the output has cells, as torch.nn.AdaptiveAvgPool2d.

    Where the output does not divide the input, the windows differ in size and
    overlap; each is counted with its own cells. ``None`` keeps a side.

    Shapes:
        (N, C, H_in, W_in) → (N, C, output_size); the N may be left out

    >>> AdaptiveAvgPool2d((1, 1)).output_shape((1, 2048, 7, 7))
    (1, 2048, 1, 1)
    """

    def __init__(self, output_size: int | tuple[int | None, int | None] | None) -> None:
        sides = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * 2
        if len(sides) != 2:
            raise TypeError(f"output_size must be one integer or a pair, got {output_size!r}")
        checked = per_axis("output_size", [1 if side is None else side for side in sides], 2)
        kept = (None if s is None else c for s, c in zip(sides, checked, strict=True))
        self._set(output_size=tuple(kept))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Replace the sides of the plane."""
        self._check_rank(input_shape, INPUTS[2])
        sides = zip(self.output_size, input_shape[-2:], strict=True)
        return (*input_shape[:-2], *(old if new is None else new for new, old in sides))

    def _formula(self, x: Shape, y: Shape) -> Formula:
        classes = _classes(_adaptive(x[-2], y[-2]), _adaptive(x[-1], y[-1]))
        sizes = (math.prod(x[:-2]), *classes)
        return windows, sizes, (("operation", primitives.average_pool),)


def _adaptive(side: int, cells: int) -> list[int]:
    """Return the length of each window along a side, from one whole end to the next.

    >>> _adaptive(7, 1), _adaptive(7, 3)
    ([7], [3, 3, 3])
    """
    return [-(-(at + 1) * side // cells) - at * side // cells for at in range(cells)]
