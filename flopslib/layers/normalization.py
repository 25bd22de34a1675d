"""Normalisations: over a batch, a position, a group of channels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from flopslib.derivation import primitives
from flopslib.derivation.steps import Part
from flopslib.layers.arguments import divides, flag, size, untouched
from flopslib.layers.layer import Formula, Layer, Shape
from flopslib.layers.operations import by_channel, of_batch, rows


def _learnt(shape: Shape, weight: bool, bias: bool = False) -> dict[str, Shape]:
    if weight and bias:
        return {"weight": shape, "bias": shape}
    return ({"weight": shape} if weight else {}) | ({"bias": shape} if bias else {})


class BatchNorm2d(Layer):
    """At inference x · s + t for every number, as torch.nn.BatchNorm2d.

    The running mean and variance are not learnt, and so no parameters. In training, mean and
    variance are those of the batch, and the running ones follow them.

    Shapes:
        (N, C, H, W) → (N, C, H, W)

    >>> BatchNorm2d(64).parameters
    128
    """

    INPUTS: ClassVar[Mapping[int, str]] = {4: "(N, C, H, W)"}

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        self._set(
            num_features=size("num_features", num_features),
            eps=eps,
            momentum=momentum,
            affine=flag("affine", affine),
            track_running_stats=flag("track_running_stats", track_running_stats),
            bias=flag("bias", bias),
        )
        if not self.track_running_stats:
            raise ValueError(
                "track_running_stats must be True, got False: "
                "the statistics of a batch are not counted"
            )

    @property
    def weights(self) -> dict[str, Shape]:
        """γ and β, if they are learnt."""
        return _learnt((self.num_features,), self.affine, self.affine and self.bias)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        self._check_rank(input_shape, self.INPUTS)
        self._check_size(input_shape, 1, self.num_features, "channels")
        return input_shape

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return by_channel, x, _BATCH_NORM

    def _training_formula(self, x: Shape, y: Shape) -> Formula:
        flags = (("weight", self.affine), ("bias", self.affine and self.bias))
        sizes = (math.prod(x) // x[1], x[1])
        return of_batch, sizes, flags


class BatchNorm1d(BatchNorm2d):
    """At inference x · s + t for every number, as torch.nn.BatchNorm1d.

    Shapes:
        (N, C) or (N, C, L) → the same

    >>> BatchNorm1d(64).output_shape((8, 64))
    (8, 64)
    """

    INPUTS: ClassVar = {2: "(N, C)", 3: "(N, C, L)"}


_BATCH_NORM = (("operation", primitives.batch_norm),)


class _OverLast(Layer):
    OPERATION: ClassVar[Callable[..., Part]]

    @property
    def weights(self) -> dict[str, Shape]:
        """The factors (and terms) of the normalised axes, if they are learnt."""
        return _learnt(self.normalized_shape, *(present for _, present in self._flags()))

    def _flags(self) -> tuple[tuple[str, bool], ...]:
        raise NotImplementedError

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        axes = self.normalized_shape
        if input_shape[-len(axes) :] != axes:
            self._refuse(f"needs an input that ends in {axes}, got {input_shape}")
        return input_shape

    def _formula(self, x: Shape, y: Shape) -> Formula:
        axes = self.normalized_shape
        sizes = (math.prod(axes), *x[: -len(axes)])
        options = (("operation", type(self).OPERATION), ("unit", "position"))
        return rows, sizes, options + self._flags()


def _axes(normalized_shape: Any) -> Shape:
    if isinstance(normalized_shape, (tuple, list)):
        if not normalized_shape:
            raise ValueError("normalized_shape must have at least one axis, got ()")
        named = enumerate(normalized_shape)
        return tuple(size(f"normalized_shape[{at}]", side) for at, side in named)
    return (size("normalized_shape", normalized_shape),)


class LayerNorm(_OverLast):
    """Layer normalisation over the last axes, as torch.nn.LayerNorm.

    Shapes:
        (…, normalized_shape) → the same

    >>> LayerNorm(768).parameters, LayerNorm(768, bias=False).parameters
    (1536, 768)
    """

    OPERATION = staticmethod(primitives.layer_norm)

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-05,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        self._set(
            normalized_shape=_axes(normalized_shape),
            eps=eps,
            elementwise_affine=flag("elementwise_affine", elementwise_affine),
            bias=flag("bias", bias),
        )

    def _flags(self) -> tuple[tuple[str, bool], ...]:
        learnt = self.elementwise_affine
        return (("weight", learnt), ("bias", learnt and self.bias))


class LayerNorm2d(LayerNorm):
    """Layer normalisation over the channels of every pixel, as ConvNeXt has it.

    Shapes:
        (N, C, H, W) → the same

    >>> LayerNorm2d(96).output_shape((1, 96, 56, 56))
    (1, 96, 56, 56)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        self._check_rank(input_shape, {4: "(N, C, H, W)"})
        channels, *others = self.normalized_shape
        if others:
            self._refuse("normalises the channels alone, which are one axis")
        self._check_size(input_shape, 1, channels, "channels")
        return input_shape

    def _formula(self, x: Shape, y: Shape) -> Formula:
        samples, channels, height, width = x
        options = (("operation", primitives.layer_norm), ("unit", "pixel"))
        return rows, (channels, samples, height, width), options + self._flags()


class RMSNorm(_OverLast):
    """Root-mean-square normalisation over the last axes, as torch.nn.RMSNorm.

    Shapes:
        (…, normalized_shape) → the same

    >>> RMSNorm(4096).parameters
    4096
    """

    OPERATION = staticmethod(primitives.rms_norm)

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
    ) -> None:
        self._set(
            normalized_shape=_axes(normalized_shape),
            eps=eps,
            elementwise_affine=flag("elementwise_affine", elementwise_affine),
        )

    def _flags(self) -> tuple[tuple[str, bool], ...]:
        return (("weight", self.elementwise_affine),)


class GroupNorm(Layer):
    """Normalisation over groups of channels, as torch.nn.GroupNorm: a layer norm of each group.

    Shapes:
        (N, C, …) → the same

    >>> GroupNorm(32, 256).parameters
    512
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-05,
        affine: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        self._set(
            num_groups=size("num_groups", num_groups),
            num_channels=size("num_channels", num_channels),
            eps=eps,
            affine=flag("affine", affine),
            bias=flag("bias", bias),
        )
        divides("num_groups", self.num_groups, num_channels=self.num_channels)

    @property
    def weights(self) -> dict[str, Shape]:
        """γ and β of every channel, if they are learnt."""
        return _learnt((self.num_channels,), self.affine, self.affine and self.bias)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        if len(input_shape) < 2:
            self._refuse(f"needs an input of shape (N, C, …), got {input_shape}")
        self._check_size(input_shape, 1, self.num_channels, "channels")
        return input_shape

    def _formula(self, x: Shape, y: Shape) -> Formula:
        numbers = math.prod(x[1:]) // self.num_groups
        flags = (("weight", self.affine), ("bias", self.affine and self.bias))
        about = (("operation", primitives.layer_norm), ("unit", "group"), ("per", "channel"))
        return rows, (numbers, x[0], self.num_groups, self.num_channels), about + flags


class BatchNorm3d(BatchNorm2d):
    """At inference x · s + t for every number, as torch.nn.BatchNorm3d.

    Shapes:
        (N, C, D, H, W) → the same

    >>> BatchNorm3d(64).parameters
    128
    """

    INPUTS: ClassVar = {5: "(N, C, D, H, W)"}


class InstanceNorm2d(Layer):
    """Normalisation of every plane by itself, as torch.nn.InstanceNorm2d: a layer norm of each.

    Shapes:
        (N, C, H, W) → the same; the N may be left out

    >>> InstanceNorm2d(64).parameters, InstanceNorm2d(64, affine=True).parameters
    (0, 128)
    """

    INPUTS: ClassVar[Mapping[int, str]] = {3: "(C, H, W)", 4: "(N, C, H, W)"}

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        untouched("InstanceNorm", track_running_stats=(track_running_stats, False))
        self._set(
            num_features=size("num_features", num_features),
            eps=eps,
            momentum=momentum,
            affine=flag("affine", affine),
            track_running_stats=flag("track_running_stats", track_running_stats),
        )

    @property
    def weights(self) -> dict[str, Shape]:
        """γ and β of every channel, if they are learnt."""
        return _learnt((self.num_features,), self.affine, self.affine)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        self._check_rank(input_shape, self.INPUTS)
        channels = len(input_shape) - min(self.INPUTS)  # 1 behind a batch, else 0
        self._check_size(input_shape, channels, self.num_features, "channels")
        return input_shape

    def _formula(self, x: Shape, y: Shape) -> Formula:
        sides = min(self.INPUTS) - 1
        flags = (("weight", self.affine), ("bias", self.affine))
        about = (("operation", primitives.layer_norm), ("unit", "plane"), ("per", "row"))
        return rows, (math.prod(x[-sides:]), *x[:-sides]), about + flags


class InstanceNorm1d(InstanceNorm2d):
    """Normalisation of every channel of a sequence by itself, as torch.nn.InstanceNorm1d.

    Shapes:
        (N, C, L) → the same; the N may be left out

    >>> InstanceNorm1d(64).output_shape((1, 64, 100))
    (1, 64, 100)
    """

    INPUTS: ClassVar = {2: "(C, L)", 3: "(N, C, L)"}


class InstanceNorm3d(InstanceNorm2d):
    """Normalisation of every block by itself, as torch.nn.InstanceNorm3d.

    Shapes:
        (N, C, D, H, W) → the same; the N may be left out

    >>> InstanceNorm3d(64).output_shape((1, 64, 8, 7, 7))
    (1, 64, 8, 7, 7)
    """

    INPUTS: ClassVar = {4: "(C, D, H, W)", 5: "(N, C, D, H, W)"}
