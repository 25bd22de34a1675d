"""Blocks that many networks share."""

from __future__ import annotations

from typing import Any

from flopslib.layers.arguments import divides, flag, per_axis, size
from flopslib.layers.attention import MultiheadAttention
from flopslib.layers.combinators import PRODUCT, SUM, Sequential
from flopslib.layers.convolution import Conv2d
from flopslib.layers.dense import Linear
from flopslib.layers.elementwise import GELU, Dropout, ReLU, Sigmoid, SiLU, probability
from flopslib.layers.layer import Layer, Run, Shape
from flopslib.layers.normalization import BatchNorm2d, LayerNorm
from flopslib.layers.pooling import AdaptiveAvgPool2d

SILU, MEAN = SiLU(), AdaptiveAvgPool2d(1)


class SwiGLU(Layer):
    """A gated feed-forward network: down(SiLU(gate(x)) · up(x)).

    Args:
        in_features: the width of what comes in.
        hidden_features: the width of the gate, and of what it lets through.
        out_features: the width of what goes out; None: ``in_features``.
        bias: whether the three linear layers have biases.
        activation: what bends the gate, such as ``GELU("tanh")``; None: SiLU.

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
        activation: Layer | None = None,
    ) -> None:
        outer, inner = size("in_features", in_features), size("hidden_features", hidden_features)
        back = outer if out_features is None else size("out_features", out_features)
        widen = Linear(outer, inner, bias)
        self._set(
            in_features=outer,
            hidden_features=inner,
            out_features=out_features,
            bias=flag("bias", bias),
            activation=None if activation is None else _built("activation", activation),
            parts=(widen, widen, Linear(inner, back, bias)),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Widen twice, bend one of the two, multiply, narrow."""
        gate, up, down = self.parts
        bent = run("act", self.activation or SILU, run("gate_proj", gate, x))
        hidden = run("up_proj", up, x)
        return run("down_proj", down, run("product", PRODUCT, bent, hidden))


#: What torch calls the activations of its Transformer layers.
BENDS: dict[str, Layer] = {"relu": ReLU(), "gelu": GELU()}


class TransformerEncoderLayer(Layer):
    """Self-attention and a feed-forward network, as torch.nn.TransformerEncoderLayer.

    Args:
        d_model: the width of a position.
        nhead: how many heads there are.
        dim_feedforward: the width between the two linear layers.
        dropout: the share of numbers that training drops, after each of the two parts and
            between the linear layers.
        activation: "relu", "gelu" or a layer, such as ``SiLU()``.
        layer_norm_eps: is kept, and changes no count.
        batch_first: whether the batch is the first axis; if not, the position is.
        norm_first: whether the norms come before the parts; if not, after the sums.
        bias: whether linear layers and norms have biases.

    Shapes:
        (L, N, d_model) → the same; with ``batch_first`` (N, L, d_model);
        without a batch (L, d_model)

    >>> TransformerEncoderLayer(512, 8).parameters
    3152384
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Layer = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        width, inner = size("d_model", d_model), size("dim_feedforward", dim_feedforward)
        if not isinstance(activation, Layer) and activation not in BENDS:
            raise ValueError(f"activation must be 'relu', 'gelu' or a layer, got {activation!r}")
        divides("nhead", size("nhead", nhead), d_model=width)
        self._set(
            d_model=width,
            nhead=nhead,
            dim_feedforward=inner,
            dropout=probability(dropout),
            activation=activation,
            layer_norm_eps=layer_norm_eps,
            batch_first=flag("batch_first", batch_first),
            norm_first=flag("norm_first", norm_first),
            bias=flag("bias", bias),
            self_attn=MultiheadAttention(width, nhead, dropout, bias, batch_first=batch_first),
            linear1=Linear(width, inner, bias),
            linear2=Linear(inner, width, bias),
            norm1=LayerNorm(width, layer_norm_eps, bias=bias),
            norm2=LayerNorm(width, layer_norm_eps, bias=bias),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Attend, and go through the feed-forward network, each with a way around it."""
        dropping = Dropout(self.dropout)

        def feed_forward(y: Shape) -> Shape:
            bend = self.activation if isinstance(self.activation, Layer) else BENDS[self.activation]
            bent = run("activation", bend, run("linear1", self.linear1, y))
            return run("linear2", self.linear2, run("dropout", dropping, bent))

        def attention(y: Shape) -> Shape:
            return run("self_attn", self.self_attn, y)

        for at, part in ((1, attention), (2, feed_forward)):
            norm = f"norm{at}", getattr(self, f"norm{at}")
            y = part(run(*norm, x) if self.norm_first else x)
            x = run(f"sum{at}", SUM, x, run(f"dropout{at}", dropping, y))
            x = x if self.norm_first else run(*norm, x)
        return x


class Conv2dNormActivation(Sequential):
    """A convolution, a norm and an activation, as torchvision.ops has it.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: one number or a pair.
        stride: one number or a pair.
        padding: None keeps the plane as it is at stride 1.
        groups: the groups of the convolution.
        norm_layer: what takes the channels and gives a norm; None: no norm.
        activation_layer: what gives an activation; None: none.
        dilation: one number or a pair.
        inplace: is kept, and changes no count.
        bias: None: a bias if, and only if, there is no norm.

    >>> Conv2dNormActivation(3, 32, stride=2).output_shape((1, 3, 224, 224))
    (1, 32, 112, 112)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str | None = None,
        groups: int = 1,
        norm_layer: Any = BatchNorm2d,
        activation_layer: Any = ReLU,
        dilation: int | tuple[int, int] = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        kernel = per_axis("kernel_size", kernel_size, 2)
        spread = per_axis("dilation", dilation, 2)
        if padding is None:
            padding = ((kernel[0] - 1) // 2 * spread[0], (kernel[1] - 1) // 2 * spread[1])
        biased = norm_layer is None if bias is None else bias
        layers: list[Layer] = [
            Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, groups, biased)
        ]
        if norm_layer is not None:
            layers.append(_built("norm_layer", norm_layer, out_channels))
        if activation_layer is not None:
            layers.append(_built("activation_layer", activation_layer))
        super().__init__(*layers)

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self))
        return f"Conv2dNormActivation({inside})"


class SqueezeExcitation(Layer):
    """Weigh the channels by what a small network makes of their means, as torchvision.ops has it.

    The activations are layers, or anything that returns one when it is called.

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
            activation=_built("activation", activation),
            scale_activation=_built("scale_activation", scale_activation),
            fc1=Conv2d(channels, narrow, 1),
            fc2=Conv2d(narrow, channels, 1),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Squeeze every plane to its mean, and weigh the planes."""
        weight = run("avgpool", MEAN, x)
        for name in ("fc1", "activation", "fc2", "scale_activation"):
            weight = run(name, getattr(self, name), weight)
        return run("product", PRODUCT, weight, x)


def _built(name: str, given: Any, *arguments: int) -> Layer:
    """Return a layer as it is, or call what gives one."""
    layer = given(*arguments) if callable(given) and not isinstance(given, Layer) else given
    if not isinstance(layer, Layer):
        raise TypeError(f"{name} must be a layer of flopslib such as ReLU, got {given!r}")
    return layer
