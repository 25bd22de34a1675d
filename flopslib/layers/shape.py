"""Layers that move numbers and compute nothing."""

from __future__ import annotations

import math
from typing import Any

from flopslib.derivation.primitives import average_pool
from flopslib.layers.arguments import axes, axis, flag, size
from flopslib.layers.layer import Layer, Shape
from flopslib.layers.operations import rows


class _Moves(Layer):
    def _place(self, x: Shape, dim: int) -> int:
        if not -len(x) <= dim < len(x):
            self._refuse(f"has no dimension {dim} in an input of shape {x}")
        return dim % len(x)


class Flatten(_Moves):
    """Join neighbouring axes into one, as torch.nn.Flatten.

    >>> Flatten().output_shape((1, 512, 7, 7))
    (1, 25088)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self._set(start_dim=axis("start_dim", start_dim), end_dim=axis("end_dim", end_dim))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Multiply the joined axes."""
        first = self._place(input_shape, self.start_dim)
        last = self._place(input_shape, self.end_dim)
        if first > last:
            self._refuse(f"ends before it starts in an input of shape {input_shape}")
        joined = math.prod(input_shape[first : last + 1])
        return (*input_shape[:first], joined, *input_shape[last + 1 :])


class Unflatten(_Moves):
    """Cut one axis into several, as torch.nn.Unflatten; one of them may be -1.

    >>> Unflatten(1, (3, -1)).output_shape((1, 2304))
    (1, 3, 768)
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        sides = axes("unflattened_size", unflattened_size)
        if sides.count(-1) > 1 or any(side < 1 and side != -1 for side in sides):
            raise ValueError(
                f"unflattened_size must be positive integers and at most one -1, got {sides}"
            )
        self._set(dim=axis("dim", dim), unflattened_size=sides)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Replace the axis by several."""
        at = self._place(input_shape, self.dim)
        known = math.prod(side for side in self.unflattened_size if side != -1)
        rest, left = divmod(input_shape[at], known)
        if left or (-1 not in self.unflattened_size and rest != 1):
            self._refuse(f"cannot cut dimension {at} of {input_shape}")
        cut = (rest if side == -1 else side for side in self.unflattened_size)
        return (*input_shape[:at], *cut, *input_shape[at + 1 :])


class Permute(_Moves):
    """Put the axes into another order, as torchvision.ops.Permute.

    >>> Permute((0, 2, 3, 1)).output_shape((1, 96, 56, 56))
    (1, 56, 56, 96)
    """

    def __init__(self, dims: tuple[int, ...]) -> None:
        self._set(dims=axes("dims", dims))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Permute the shape."""
        order = [self._place(input_shape, dim) for dim in self.dims]
        if sorted(order) != list(range(len(input_shape))):
            self._refuse(f"does not name each dimension of {input_shape} once")
        return tuple(input_shape[dim] for dim in order)


class ChannelShuffle(_Moves):
    """Interleave the groups of channels, as torch.nn.ChannelShuffle."""

    def __init__(self, groups: int) -> None:
        self._set(groups=size("groups", groups))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        if len(input_shape) < 3:
            self._refuse(f"needs an input of shape (N, C, L) or (N, C, H, W) …, got {input_shape}")
        if input_shape[1] % self.groups:
            self._refuse(f"needs channels in {self.groups} equal groups, got {input_shape}")
        return input_shape


class Slice(_Moves):
    """Keep a stretch of one axis, such as half of the channels; Python's rules for the ends.

    >>> Slice(0, 58).output_shape((1, 116, 28, 28)), Slice(58, None).output_shape((1, 116, 28, 28))
    ((1, 58, 28, 28), (1, 58, 28, 28))
    """

    def __init__(
        self, start: int | None, stop: int | None, step: int | None = None, dim: int = 1
    ) -> None:
        ends = {"start": start, "stop": stop, "step": step}
        checked = {n: None if v is None else axis(n, v) for n, v in ends.items()}
        if checked["step"] is not None and checked["step"] < 1:
            raise ValueError(f"step must be a positive integer, got {step}")
        self._set(**checked, dim=axis("dim", dim))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shorten the axis."""
        at = self._place(input_shape, self.dim)
        kept = len(range(*slice(self.start, self.stop, self.step).indices(input_shape[at])))
        if not kept:
            self._refuse(f"keeps nothing of dimension {at} of {input_shape}")
        return (*input_shape[:at], kept, *input_shape[at + 1 :])


class Select(_Moves):
    """Keep one entry of an axis, and drop the axis: the class token, the last position.

    >>> Select(1, 0).output_shape((1, 197, 768)), Select(1, -1).output_shape((1, 197, 768))
    ((1, 768), (1, 768))
    """

    def __init__(self, dim: int, index: int) -> None:
        self._set(dim=axis("dim", dim), index=axis("index", index))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Drop the axis."""
        at = self._place(input_shape, self.dim)
        if not -input_shape[at] <= self.index < input_shape[at]:
            self._refuse(f"has no entry {self.index} at dimension {at} of {input_shape}")
        return (*input_shape[:at], *input_shape[at + 1 :])


class Mean(_Moves):
    """Average over axes, which are dropped or kept at 1, as x.mean(dim, keepdim) does.

    >>> Mean((2, 3)).output_shape((1, 1280, 7, 7))
    (1, 1280)
    >>> Mean(1, keepdim=True).output_shape((1, 50, 768))
    (1, 1, 768)
    """

    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:
        dims = axes("dim", dim if isinstance(dim, (tuple, list)) else (dim,))
        self._set(dim=dims, keepdim=flag("keepdim", keepdim))
        if not self.dim:
            raise ValueError("dim must name at least one dimension, got ()")

    def output_shape(self, input_shape: Shape) -> Shape:
        """Drop the axes."""
        dropped = {self._place(input_shape, dim) for dim in self.dim}
        if len(dropped) < len(self.dim):
            self._refuse(f"names a dimension of {input_shape} twice")
        if self.keepdim:
            return tuple(1 if at in dropped else side for at, side in enumerate(input_shape))
        return tuple(side for at, side in enumerate(input_shape) if at not in dropped)

    def _formula(self, x: Shape, y: Shape) -> Any:
        numbers = math.prod(x) // max(math.prod(y), 1)
        return rows, (numbers, *y), (("operation", average_pool), ("unit", "mean"))


class Pad(_Moves):
    """Add zeros around the last axes, as torch.nn.functional.pad: (left, right, top, bottom, …).

    A negative number takes away as many numbers.

    >>> Pad((0, 1, 0, 1)).output_shape((1, 32, 112, 112))
    (1, 32, 113, 113)
    >>> Pad((-1, -1)).output_shape((1, 32, 112))
    (1, 32, 110)
    """

    def __init__(self, pad: tuple[int, ...]) -> None:
        ends = axes("pad", pad)
        if len(ends) % 2:
            raise ValueError(f"pad must have two numbers for each axis, got {ends}")
        self._set(pad=ends)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Lengthen the axes, the last one first."""
        sides = list(input_shape)
        for back, (before, after) in enumerate(
            zip(self.pad[::2], self.pad[1::2], strict=True), start=1
        ):
            at = self._place(input_shape, -back)
            sides[at] += before + after
            if sides[at] < 1 or min(before, after) < -input_shape[at]:
                self._refuse(f"leaves nothing of dimension {at} of {input_shape}")
        return tuple(sides)


class ZeroPad2d(Pad):
    """Add zeros around a plane, as torch.nn.ZeroPad2d: one number, or (left, right, top, bottom).

    >>> ZeroPad2d(1).output_shape((1, 32, 112, 112))
    (1, 32, 114, 114)
    """

    def __init__(self, padding: int | tuple[int, int, int, int]) -> None:
        ends = padding if isinstance(padding, (tuple, list)) else (padding,) * 4
        if len(ends) != 4:
            raise TypeError(f"padding must be one integer or four of them, got {padding!r}")
        checked = axes("padding", ends)
        self._set(padding=checked, pad=checked)


class ClassToken(_Moves):
    """Put one learnt position in front of every sequence, as ViT does.

    Shapes:
        (N, L, embed_dim) → (N, L + 1, embed_dim)

    >>> ClassToken(768).output_shape((1, 196, 768))
    (1, 197, 768)
    """

    def __init__(self, embed_dim: int) -> None:
        self._set(embed_dim=size("embed_dim", embed_dim))

    @property
    def weights(self) -> dict[str, Shape]:
        """The learnt position."""
        return {"class_token": (1, 1, self.embed_dim)}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Add one position."""
        self._check_rank(input_shape, {3: "(N, L, E)"})
        self._check_size(input_shape, -1, self.embed_dim, "features")
        samples, length, width = input_shape
        return (samples, length + 1, width)
