"""The subjects as modules of PyTorch, by the names they have in ``flopsbook.peers``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from language import LlamaLayer, gpt2_layer
from torch import nn
from torch.nn import functional
from vision import torchvision


class SelfAttention(nn.Module):
    """nn.MultiheadAttention on one input, and no weights returned."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend."""
        return self.attention(x, x, x, need_weights=False)[0]


class ScaledDotProductAttention(nn.Module):
    """The function, on 2 heads of width 3."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend."""
        heads = x.unflatten(-1, (2, 3)).transpose(1, 2)
        found = functional.scaled_dot_product_attention(heads, heads, heads)
        return found.transpose(1, 2).flatten(2)


class GatedFeedForward(nn.Module):
    """down(SiLU(gate(x)) · up(x)), as nearly everybody writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(6, 16)
        self.up_proj = nn.Linear(6, 16)
        self.down_proj = nn.Linear(16, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Widen twice, bend one of the two, multiply, narrow."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class MatrixProduct(nn.Module):
    """The product with a batch of matrices or a vector."""

    def __init__(self, *other: int) -> None:
        super().__init__()
        self.other = nn.Parameter(torch.empty(other))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        return x @ self.other


class CausalAttention(nn.Module):
    """The function, on 2 heads of width 3, where no position sees a later one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend."""
        heads = x.unflatten(-1, (2, 3)).transpose(1, 2)
        found = functional.scaled_dot_product_attention(heads, heads, heads, is_causal=True)
        return found.transpose(1, 2).flatten(2)


class InBfloat16(nn.Module):
    """A linear layer without a bias, in half the bits."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 5, bias=False, dtype=torch.bfloat16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run it."""
        return self.linear(x.bfloat16())


def conv_net() -> nn.Module:
    """Return a convolutional network of six layers."""
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(80, 10),
    )  # fmt: skip


def one_layer_twice() -> nn.Module:
    """Return a layer that is called and called again."""
    layer = nn.Linear(4, 4, bias=False)
    return nn.Sequential(layer, layer)


def transformer_layer() -> nn.Module:
    """Return torch's own Transformer layer."""
    return nn.TransformerEncoderLayer(6, 2, 24, activation="gelu", batch_first=True)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "resnet18": torchvision.models.resnet18,
    "resnet50": torchvision.models.resnet50,
    "mobilenet_v2": torchvision.models.mobilenet_v2,
    "vit_b_16": torchvision.models.vit_b_16,
    "alexnet": torchvision.models.alexnet,
    "gpt2_layer": gpt2_layer,
    "llama_layer": LlamaLayer,
    "resnet34": torchvision.models.resnet34,
    "resnext50_32x4d": torchvision.models.resnext50_32x4d,
    "vit_b_32": torchvision.models.vit_b_32,
    "conv_net": conv_net,
    "post_norm_layer": lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
    "linear": lambda: nn.Linear(5, 7),
    "conv2d": lambda: nn.Conv2d(3, 5, 3, stride=2, padding=1),
    "conv2d_grouped": lambda: nn.Conv2d(6, 10, 3, groups=2),
    "conv2d_depthwise": lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6),
    "conv2d_pointwise": lambda: nn.Conv2d(3, 5, 1),
    "conv1d": lambda: nn.Conv1d(3, 5, 4),
    "conv3d": lambda: nn.Conv3d(3, 5, (2, 3, 3)),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(3, 5, 3, stride=2),
    "multihead_attention": SelfAttention,
    "scaled_dot_product_attention": ScaledDotProductAttention,
    "layer_norm": lambda: nn.LayerNorm(7),
    "batch_norm2d": lambda: nn.BatchNorm2d(3),
    "batch_norm1d": lambda: nn.BatchNorm1d(3),
    "rms_norm": lambda: nn.RMSNorm(7),
    "group_norm": lambda: nn.GroupNorm(3, 6),
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(dim=-1),
    "max_pool2d": lambda: nn.MaxPool2d(3, 2),
    "avg_pool2d": lambda: nn.AvgPool2d(3, 2),
    "adaptive_avg_pool2d": lambda: nn.AdaptiveAvgPool2d(1),
    "squeeze_excitation": lambda: torchvision.ops.SqueezeExcitation(6, 2),
    "embedding": lambda: nn.Embedding(11, 7),
    "feed_forward": lambda: nn.Sequential(nn.Linear(6, 24), nn.GELU(), nn.Linear(24, 6)),
    "gated_feed_forward": GatedFeedForward,
    "transformer_layer": transformer_layer,
    "loop_of_ten": lambda: nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(10))),
    "one_layer_twice": one_layer_twice,
    "same_padding": lambda: nn.Conv2d(4, 5, 3, padding=1, bias=False),
    "padding_before": lambda: nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(4, 5, 3, bias=False)),
    "broadcast_product": lambda: MatrixProduct(2, 4, 5),
    "matrix_vector": lambda: MatrixProduct(4),
    "causal_attention": CausalAttention,
    "bfloat16": InBfloat16,
}
