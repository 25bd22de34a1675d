"""Layers that enlarge a plane: by copying, by interpolating, by rearranging channels."""

from __future__ import annotations

import math
from typing import Any

from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.steps import Step
from flopslib.layers.arguments import per_axis, size
from flopslib.layers.layer import Formula, Layer, Shape

#: How many axes a mode interpolates along; None: it copies, along any.
MODES = {"nearest": None, "nearest-exact": None, "linear": 1, "bilinear": 2, "trilinear": 3}


def _interpolated(*shape: Any, axes: int) -> Derivation:
    """Weigh two neighbours by constants, along one axis after the other, for every number.

    Along two axes that is three times: twice along the first, once along the second.

    >>> _interpolated(10, axes=2).multiplications, _interpolated(10, axes=2).additions
    (60, 30)
    """
    times = 2**axes - 1
    scaled = Step("weights", (primitives.scaling(),), (*shape, 2 * times), "neighbour")
    added = Step("sums", (primitives.residual_sum(),), (*shape, times), "pair")
    return Derivation((scaled, added), "interpolation")


class Upsample(Layer):
    """Make a plane larger (or smaller), as torch.nn.Upsample and torch's interpolate.

    Copying the nearest number costs nothing. Interpolating weighs two neighbours along each
    axis, by constants that are computed beforehand.

    Args:
        size: the sides that come out, one number or one for each axis.
        scale_factor: what the sides are multiplied by, in place of ``size``.
        mode: "nearest", "nearest-exact", "linear", "bilinear" or "trilinear".
        align_corners: where the neighbours are, which changes no count.

    Shapes:
        (N, C, sides) → (N, C, other sides), with one, two or three sides

    >>> from flopslib import count
    >>> report = count(Upsample(scale_factor=2, mode="bilinear"), (1, 3, 4, 4))
    >>> report.output_shape, report.multiplications, report.additions
    ((1, 3, 8, 8), 1152, 576)
    """

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        if (size is None) == (scale_factor is None):
            raise ValueError(
                f"either size or scale_factor must be given, "
                f"got size={size} and scale_factor={scale_factor}"
            )
        given: Any = size if scale_factor is None else scale_factor
        listed = given if isinstance(given, (tuple, list)) else (given,)
        if scale_factor is None:
            per_axis("size", tuple(listed), len(listed))
        elif not all(_is_factor(each) for each in listed):
            raise ValueError(f"scale_factor must be numbers above 0, got {scale_factor!r}")
        self._set(size=size, scale_factor=scale_factor, mode=mode, align_corners=align_corners)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Replace the sides."""
        axes = MODES[self.mode]
        if not (len(input_shape) == axes + 2 if axes else 3 <= len(input_shape) <= 5):
            wanted = f"{axes} sides" if axes else "one to three sides"
            self._refuse(f"needs an input of shape (N, C, …) with {wanted}, got {input_shape}")
        sides = input_shape[2:]
        given = self.size if self.scale_factor is None else self.scale_factor
        listed = given if isinstance(given, tuple) else (given,) * len(sides)
        if len(listed) != len(sides):
            self._refuse(f"has {len(listed)} numbers for the {len(sides)} sides of {input_shape}")
        if self.scale_factor is None:
            return (*input_shape[:2], *listed)
        found = tuple(math.floor(side * by) for side, by in zip(sides, listed, strict=True))
        if min(found) < 1:
            self._refuse(f"leaves nothing of {input_shape}")
        return (*input_shape[:2], *found)

    def _formula(self, x: Shape, y: Shape) -> Formula | None:
        axes = MODES[self.mode]
        return None if axes is None else (_interpolated, y, (("axes", axes),))


def _is_factor(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


class PixelShuffle(Layer):
    """Make pixels of channels, as torch.nn.PixelShuffle; that is a move, for nothing.

    Shapes:
        (…, C · r², H, W) → (…, C, H · r, W · r)

    >>> PixelShuffle(2).output_shape((1, 12, 8, 8))
    (1, 3, 16, 16)
    """

    def __init__(self, upscale_factor: int) -> None:
        self._set(upscale_factor=size("upscale_factor", upscale_factor))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Divide the channels, and multiply the sides."""
        r = self.upscale_factor
        if len(input_shape) < 3 or input_shape[-3] % r**2:
            self._refuse(f"needs channels in groups of {r**2}, got {input_shape}")
        channels, height, width = input_shape[-3:]
        return (*input_shape[:-3], channels // r**2, height * r, width * r)


class PixelUnshuffle(Layer):
    """Make channels of pixels, as torch.nn.PixelUnshuffle; that is a move, for nothing.

    Shapes:
        (…, C, H · r, W · r) → (…, C · r², H, W)

    >>> PixelUnshuffle(2).output_shape((1, 3, 16, 16))
    (1, 12, 8, 8)
    """

    def __init__(self, downscale_factor: int) -> None:
        self._set(downscale_factor=size("downscale_factor", downscale_factor))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Multiply the channels, and divide the sides."""
        r = self.downscale_factor
        if len(input_shape) < 3 or input_shape[-1] % r or input_shape[-2] % r:
            self._refuse(f"needs sides that {r} divides, got {input_shape}")
        channels, height, width = input_shape[-3:]
        return (*input_shape[:-3], channels * r**2, height // r, width // r)
