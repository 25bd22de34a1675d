"""Blocks that many networks share."""

from __future__ import annotations

from typing import Any

from flopslib.layers.arguments import flag, size
from flopslib.layers.combinators import PRODUCT
from flopslib.layers.convolution import Conv2d
from flopslib.layers.elementwise import ReLU, Sigmoid, SiLU
from flopslib.layers.layer import Layer, Run, Shape
from flopslib.layers.linear import Linear
from flopslib.layers.pooling import AdaptiveAvgPool2d

SILU = SiLU()


class SwiGLU(Layer):
    """A gated feed-forward network: down(SiLU(gate(x)) · up(x)).

    Shapes:
        (…, in_features) → (…, out_features)

    >>> SwiGLU(4096, 11008, bias=False).parameters
    135266304
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        out_features: int | None = None,
        bias: bool = True,
    ) -> None:
        outer, inner = size("in_features", in_features), size("hidden_features", hidden_features)
        back = outer if out_features is None else size("out_features", out_features)
        widen = Linear(outer, inner, bias)
        self._set(
            in_features=outer,
            hidden_features=inner,
            out_features=out_features,
            bias=flag("bias", bias),
            parts=(widen, widen, Linear(inner, back, bias)),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Widen twice, bend one of the two, multiply, narrow."""
        gate, up, down = self.parts
        hidden = run("gate_proj", gate, x)
        run("act", SILU, hidden)
        run("up_proj", up, x)
        run("product", PRODUCT, hidden)
        return run("down_proj", down, hidden)


class SqueezeExcitation(Layer):
    """Weigh the channels by what a small network makes of their means, as torchvision.ops has it.

    Shapes:
        (N, C, H, W) → the same

    >>> SqueezeExcitation(64, 16).parameters
    2128
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Any = ReLU,
        scale_activation: Any = Sigmoid,
    ) -> None:
        channels = size("input_channels", input_channels)
        narrow = size("squeeze_channels", squeeze_channels)
        self._set(
            input_channels=channels,
            squeeze_channels=narrow,
            activation=activation,
            scale_activation=scale_activation,
            parts=(
                ("avgpool", AdaptiveAvgPool2d(1)),
                ("fc1", Conv2d(channels, narrow, 1)),
                ("activation", _built("activation", activation)),
                ("fc2", Conv2d(narrow, channels, 1)),
                ("scale_activation", _built("scale_activation", scale_activation)),
            ),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Squeeze every plane to its mean, and weigh the planes."""
        weight = x
        for name, layer in self.parts:
            weight = run(name, layer, weight)
        return run("product", PRODUCT, x)


def _built(name: str, activation: Any) -> Layer:
    layer = activation() if isinstance(activation, type) else activation
    if not isinstance(layer, Layer):
        raise TypeError(f"{name} must be a layer of flopslib such as ReLU, got {activation!r}")
    return layer
