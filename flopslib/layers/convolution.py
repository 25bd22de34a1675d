"""Convolutions along one, two and three axes, and the transposed one."""

from __future__ import annotations

from typing import Any, ClassVar

from flopslib.costs.convolution import conv1d, conv2d, conv3d, transposed
from flopslib.derivation.derivation import Derivation
from flopslib.layers.arguments import divides, flag, per_axis, size
from flopslib.layers.layer import Formula, Layer, Shape
from flopslib.sizes.shapes import room_to_move

MODES = ("zeros", "reflect", "replicate", "circular")
INPUTS = {
    1: {2: "(C, L)", 3: "(N, C, L)"},
    2: {3: "(C, H, W)", 4: "(N, C, H, W)"},
    3: {4: "(C, D, H, W)", 5: "(N, C, D, H, W)"},
}


def _conv1d(batch: Any, c_in: Any, c_out: Any, k: Any, length: Any, groups: Any, bias: bool) -> Any:
    return conv1d(c_in, c_out, k, length, groups=groups, batch=batch, bias=bias)


def _conv2d(
    batch: Any, c_in: Any, c_out: Any, k_h: Any, k_w: Any, height: Any, width: Any, groups: Any,
    bias: bool,
) -> Derivation:  # fmt: skip
    return conv2d(c_in, c_out, (k_h, k_w), height, width, groups=groups, batch=batch, bias=bias)


def _conv3d(
    batch: Any, c_in: Any, c_out: Any, k_d: Any, k_h: Any, k_w: Any, depth: Any, height: Any,
    width: Any, groups: Any, bias: bool,
) -> Derivation:  # fmt: skip
    window = (k_d, k_h, k_w)
    return conv3d(c_in, c_out, window, depth, height, width, groups=groups, batch=batch, bias=bias)


def _transposed(batch: Any, c_in: Any, c_out: Any, groups: Any, *sides: Any, bias: bool) -> Any:
    axes = len(sides) // 3
    window, inputs, outputs = (sides[at : at + axes] for at in range(0, 3 * axes, axes))
    return transposed((batch, c_in, *inputs), (c_out, *outputs), window, groups, bias)


class _Convolution(Layer):
    AXES: ClassVar[int]
    DERIVE: ClassVar[Any]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        axes = self.AXES
        self._set(
            in_channels=size("in_channels", in_channels),
            out_channels=size("out_channels", out_channels),
            kernel_size=per_axis("kernel_size", kernel_size, axes),
            stride=per_axis("stride", stride, axes),
            padding=_padding(padding, axes),
            dilation=per_axis("dilation", dilation, axes),
            groups=size("groups", groups),
            bias=flag("bias", bias),
            padding_mode=padding_mode,
        )
        divides("groups", self.groups, in_channels=self.in_channels, out_channels=self.out_channels)
        if padding == "same" and self.stride != (1,) * axes:
            raise ValueError(f"padding='same' needs stride 1, got stride={stride}")
        if padding_mode not in MODES:
            raise ValueError(f"padding_mode must be one of {MODES}, got {padding_mode!r}")

    @property
    def weights(self) -> dict[str, Shape]:
        """The kernels, and the bias if there is one."""
        kernels = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        return {"weight": kernels} | ({"bias": (self.out_channels,)} if self.bias else {})

    def output_shape(self, input_shape: Shape) -> Shape:
        """Count the places of the window along each axis."""
        axes = self.AXES
        if len(input_shape) - axes not in (1, 2):
            self._check_rank(input_shape, INPUTS[axes])
        self._check_size(input_shape, -axes - 1, self.in_channels, "channels", INPUTS[axes])
        return (*input_shape[: -axes - 1], self.out_channels, *self._places(input_shape[-axes:]))

    def _places(self, sides: Shape) -> list[int]:
        if self.padding == "same":
            return list(sides)
        places = []
        sizes = zip(sides, self.kernel_size, self.padding, self.dilation, self.stride, strict=True)
        for side, kernel, padding, dilation, stride in sizes:
            room = room_to_move(side, kernel, 2 * padding, dilation)
            if room < 0:
                self._refuse(f"has a window that does not fit into the padded sides of {sides}")
            places.append(room // stride + 1)
        return places

    def _formula(self, x: Shape, y: Shape) -> Formula:
        axes = self.AXES
        batch = x[0] if len(x) == axes + 2 else 1
        sizes = (
            batch,
            self.in_channels,
            self.out_channels,
            *self.kernel_size,
            *y[-axes:],
            self.groups,
        )
        return self.DERIVE, sizes, (("bias", self.bias),)


def _padding(padding: Any, axes: int) -> Any:
    if padding == "valid":
        return (0,) * axes
    if isinstance(padding, str) and padding != "same":
        raise ValueError(f"padding must be integers, 'valid' or 'same', got {padding!r}")
    return padding if padding == "same" else per_axis("padding", padding, axes, minimum=0)


class Conv1d(_Convolution):
    """A convolution along one axis, as torch.nn.Conv1d.

    Shapes:
        (N, C_in, L_in) → (N, C_out, L_out); the N may be left out

    >>> Conv1d(80, 384, 3, padding=1).output_shape((1, 80, 3000))
    (1, 384, 3000)
    """

    AXES = 1
    DERIVE = staticmethod(_conv1d)


class Conv2d(_Convolution):
    """A convolution along two axes, as torch.nn.Conv2d.

    Shapes:
        (N, C_in, H_in, W_in) → (N, C_out, H_out, W_out); the N may be left out

    >>> Conv2d(3, 64, 7, stride=2, padding=3, bias=False).output_shape((1, 3, 224, 224))
    (1, 64, 112, 112)
    """

    AXES = 2
    DERIVE = staticmethod(_conv2d)


class Conv3d(_Convolution):
    """A convolution along three axes, as torch.nn.Conv3d.

    Shapes:
        (N, C_in, D_in, H_in, W_in) → (N, C_out, D_out, H_out, W_out); the N may be left out

    >>> Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3)).output_shape((1, 3, 16, 112, 112))
    (1, 64, 16, 56, 56)
    """

    AXES = 3
    DERIVE = staticmethod(_conv3d)


class _Transposed(Layer):
    AXES: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
    ) -> None:
        self._set(
            in_channels=size("in_channels", in_channels),
            out_channels=size("out_channels", out_channels),
            kernel_size=per_axis("kernel_size", kernel_size, self.AXES),
            stride=per_axis("stride", stride, self.AXES),
            padding=per_axis("padding", padding, self.AXES, minimum=0),
            output_padding=per_axis("output_padding", output_padding, self.AXES, minimum=0),
            groups=size("groups", groups),
            bias=flag("bias", bias),
            dilation=per_axis("dilation", dilation, self.AXES),
            padding_mode=padding_mode,
        )
        divides("groups", self.groups, in_channels=self.in_channels, out_channels=self.out_channels)
        if padding_mode != "zeros":
            raise ValueError(f"padding_mode must be 'zeros', got {padding_mode!r}")
        for extra, stride_, dilation_ in zip(
            self.output_padding, self.stride, self.dilation, strict=True
        ):
            if extra >= max(stride_, dilation_):
                raise ValueError(
                    f"output_padding must be smaller than stride or dilation, "
                    f"got output_padding={extra}, stride={stride_} and dilation={dilation_}"
                )

    @property
    def weights(self) -> dict[str, Shape]:
        """The kernels, and the bias if there is one."""
        kernels = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        return {"weight": kernels} | ({"bias": (self.out_channels,)} if self.bias else {})

    def output_shape(self, input_shape: Shape) -> Shape:
        """Find the input size that a convolution would need, along each axis."""
        layouts, axes = INPUTS[self.AXES], self.AXES
        self._check_rank(input_shape, layouts)
        self._check_size(input_shape, -axes - 1, self.in_channels, "channels", layouts)
        sides = []
        for side, kernel, stride, padding, extra, dilation in zip(
            input_shape[-axes:], self.kernel_size, self.stride, self.padding, self.output_padding,
            self.dilation, strict=True,
        ):  # fmt: skip
            sides.append((side - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1)
        if min(sides) < 1:
            self._refuse(f"crops everything away from an input of shape {input_shape}")
        return (*input_shape[: -axes - 1], self.out_channels, *sides)

    def _formula(self, x: Shape, y: Shape) -> Formula:
        axes = self.AXES
        batch = x[0] if len(x) == axes + 2 else 1
        head = (batch, self.in_channels, self.out_channels, self.groups)
        sizes = (*head, *self.kernel_size, *x[-axes:], *y[-axes:])
        return _transposed, sizes, (("bias", self.bias),)


class ConvTranspose1d(_Transposed):
    """A transposed convolution along one axis, as torch.nn.ConvTranspose1d.

    Shapes:
        (N, C_in, L_in) → (N, C_out, L_out); the N may be left out

    >>> ConvTranspose1d(64, 3, 4, stride=2, padding=1).output_shape((1, 64, 32))
    (1, 3, 64)
    """

    AXES = 1


class ConvTranspose2d(_Transposed):
    """A transposed convolution, as torch.nn.ConvTranspose2d.

    Every product of an input pixel with a kernel is counted, those that the
    padding crops away included.

    Shapes:
        (N, C_in, H_in, W_in) → (N, C_out, H_out, W_out); the N may be left out

    >>> ConvTranspose2d(64, 3, 4, stride=2, padding=1).output_shape((1, 64, 32, 32))
    (1, 3, 64, 64)
    """

    AXES = 2


class ConvTranspose3d(_Transposed):
    """A transposed convolution along three axes, as torch.nn.ConvTranspose3d.

    Shapes:
        (N, C_in, D_in, H_in, W_in) → (N, C_out, D_out, H_out, W_out); the N may be left out

    >>> ConvTranspose3d(64, 3, 4, stride=2, padding=1).output_shape((1, 64, 4, 32, 32))
    (1, 3, 8, 64, 64)
    """

    AXES = 3
