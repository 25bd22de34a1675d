"""Pooling: one number for each window of a plane."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, ClassVar

from flopslib.derivation import primitives
from flopslib.derivation.steps import Part
from flopslib.layers.arguments import flag, per_axis, size
from flopslib.layers.convolution import INPUTS
from flopslib.layers.layer import Formula, Layer, Shape
from flopslib.layers.operations import windows
from flopslib.sizes.checks import TUPLES
from flopslib.sizes.shapes import room_to_move


class _Pool(Layer):
    AXES: ClassVar[int] = 2
    OPTIONS: ClassVar[tuple[tuple[str, Callable[..., Part]], ...]]

    def output_shape(self, input_shape: Shape) -> Shape:
        """Count the places of the window along each axis."""
        axes = self.AXES
        self._check_rank(input_shape, INPUTS[axes])
        places = (len(self._starts(*of)) for of in enumerate(input_shape[-axes:]))
        return (*input_shape[:-axes], *places)

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
        axes = self.AXES
        planes = math.prod(x[:-axes])
        if not self.ceil_mode:  # no window reaches over the end
            places = math.prod(y[-axes:])
            return windows, (planes, math.prod(self.kernel_size), places), self.OPTIONS
        classes = _classes(*(self._cells(*of) for of in enumerate(x[-axes:])))
        return windows, (planes, *classes), self.OPTIONS


def _classes(*sides: Iterable[int]) -> list[int]:
    counted: Counter[int] = Counter()
    for lengths in product(*(Counter(side).items() for side in sides)):
        cells, times = map(math.prod, zip(*lengths, strict=True))
        counted[cells] += times
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
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self._set(
            kernel_size=per_axis("kernel_size", kernel_size, self.AXES),
            stride=per_axis("stride", kernel_size if stride is None else stride, self.AXES),
            padding=per_axis("padding", padding, self.AXES, minimum=0),
            dilation=per_axis("dilation", dilation, self.AXES),
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
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self._set(
            kernel_size=per_axis("kernel_size", kernel_size, self.AXES),
            stride=per_axis("stride", kernel_size if stride is None else stride, self.AXES),
            padding=per_axis("padding", padding, self.AXES, minimum=0),
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

    AXES: ClassVar[int] = 2
    OPTIONS: ClassVar[Any] = (("operation", primitives.average_pool),)

    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        self._set(output_size=self._sides(output_size))

    def _sides(self, output_size: Any) -> tuple[int | None, ...]:
        axes = self.AXES
        sides = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * axes
        if len(sides) != axes:
            raise TypeError(
                f"output_size must be one integer or {TUPLES[axes]}, got {output_size!r}"
            )
        checked = per_axis("output_size", [1 if side is None else side for side in sides], axes)
        kept = (None if s is None else c for s, c in zip(sides, checked, strict=True))
        return tuple(kept)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Replace the sides of the plane."""
        axes = self.AXES
        self._check_rank(input_shape, INPUTS[axes])
        sides = zip(self.output_size, input_shape[-axes:], strict=True)
        return (*input_shape[:-axes], *(old if new is None else new for new, old in sides))

    def _formula(self, x: Shape, y: Shape) -> Formula:
        axes = self.AXES
        classes = _classes(*map(_adaptive, x[-axes:], y[-axes:]))
        return windows, (math.prod(x[:-axes]), *classes), self.OPTIONS


def _adaptive(side: int, cells: int) -> list[int]:
    """Return the length of each window along a side, from one whole end to the next.

    >>> _adaptive(7, 1), _adaptive(7, 3)
    ([7], [3, 3, 3])
    """
    return [-(-(at + 1) * side // cells) - at * side // cells for at in range(cells)]


class MaxPool1d(MaxPool2d):
    """The largest number of each stretch, as torch.nn.MaxPool1d.

    Shapes:
        (N, C, L_in) → (N, C, L_out); the N may be left out

    >>> MaxPool1d(2).output_shape((1, 64, 100))
    (1, 64, 50)
    """

    AXES = 1


class MaxPool3d(MaxPool2d):
    """The largest number of each block, as torch.nn.MaxPool3d.

    Shapes:
        (N, C, D_in, H_in, W_in) → (N, C, D_out, H_out, W_out); the N may be left out

    >>> MaxPool3d(2).output_shape((1, 64, 8, 10, 12))
    (1, 64, 4, 5, 6)
    """

    AXES = 3


class AvgPool1d(AvgPool2d):
    """The mean of each stretch, as torch.nn.AvgPool1d.

    Shapes:
        (N, C, L_in) → (N, C, L_out); the N may be left out

    >>> AvgPool1d(2).output_shape((1, 64, 100))
    (1, 64, 50)
    """

    AXES = 1

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)


class AvgPool3d(AvgPool2d):
    """The mean of each block, as torch.nn.AvgPool3d, which refuses a side below the kernel's.

    Shapes:
        (N, C, D_in, H_in, W_in) → (N, C, D_out, H_out, W_out); the N may be left out

    >>> AvgPool3d(2).output_shape((1, 64, 8, 10, 12))
    (1, 64, 4, 5, 6)
    """

    AXES = 3

    def output_shape(self, input_shape: Shape) -> Shape:
        """Count the places of the window along each axis."""
        y = super().output_shape(input_shape)
        if any(side < k for side, k in zip(input_shape[-3:], self.kernel_size, strict=True)):
            self._refuse(f"has a window that is larger than the sides of {input_shape}")
        return y


class AdaptiveAvgPool1d(AdaptiveAvgPool2d):
    """Means of as many stretches as the output has cells, as torch.nn.AdaptiveAvgPool1d.

    Shapes:
        (N, C, L_in) → (N, C, output_size); the N may be left out

    >>> AdaptiveAvgPool1d(1).output_shape((1, 64, 100))
    (1, 64, 1)
    """

    AXES = 1


class AdaptiveAvgPool3d(AdaptiveAvgPool2d):
    """Means of as many blocks as the output has cells, as torch.nn.AdaptiveAvgPool3d.

    Shapes:
        (N, C, D_in, H_in, W_in) → (N, C, output_size); the N may be left out

    >>> AdaptiveAvgPool3d(1).output_shape((1, 64, 8, 7, 7))
    (1, 64, 1, 1, 1)
    """

    AXES = 3


class AdaptiveMaxPool1d(AdaptiveAvgPool2d):
    """Maxima of as many windows as the output has cells, as torch.nn.AdaptiveMaxPool1d.

    Shapes:
        (N, C, L_in) → (N, C, output_size); the N may be left out

    >>> AdaptiveMaxPool1d(1).output_shape((1, 64, 100))
    (1, 64, 1)
    """

    AXES = 1
    OPTIONS = (("operation", primitives.max_pool),)

    def __init__(
        self, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False
    ) -> None:
        indices = flag("return_indices", return_indices)
        self._set(output_size=self._sides(output_size), return_indices=indices)


class AdaptiveMaxPool2d(AdaptiveAvgPool2d):
    """Maxima of as many windows as the output has cells, as torch.nn.AdaptiveMaxPool2d.

    Shapes:
        (N, C, H_in, W_in) → (N, C, output_size); the N may be left out

    >>> AdaptiveMaxPool2d(1).output_shape((1, 64, 7, 7))
    (1, 64, 1, 1)
    """

    AXES = 2
    OPTIONS = (("operation", primitives.max_pool),)

    def __init__(
        self, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False
    ) -> None:
        indices = flag("return_indices", return_indices)
        self._set(output_size=self._sides(output_size), return_indices=indices)


class AdaptiveMaxPool3d(AdaptiveAvgPool2d):
    """Maxima of as many windows as the output has cells, as torch.nn.AdaptiveMaxPool3d.

    Shapes:
        (N, C, D_in, H_in, W_in) → (N, C, output_size); the N may be left out

    >>> AdaptiveMaxPool3d(1).output_shape((1, 64, 8, 7, 7))
    (1, 64, 1, 1, 1)
    """

    AXES = 3
    OPTIONS = (("operation", primitives.max_pool),)

    def __init__(
        self, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False
    ) -> None:
        indices = flag("return_indices", return_indices)
        self._set(output_size=self._sides(output_size), return_indices=indices)
