"""A few whole networks as sums of derivations, for the figures people quote.

Images are 224×224. Only what has a weight is here: convolutions, linear layers
and attention. Each function returns the cost of one image or one token.
"""

from __future__ import annotations

from flopslib.costs import (
    conv2d,
    depthwise_conv2d,
    linear,
    multihead_attention,
    transformer_layer,
)
from flopslib.derivation import Derivation
from flopslib.sizes import whole_number

__all__ = ["llama_7b_token", "mobilenet_v2", "resnet18", "resnet50", "vit_b_16"]


def _conv(c_in: int, c_out: int, kernel: int, size: int) -> Derivation:
    return conv2d(c_in, c_out, kernel, size, size, bias=False)


def basic_block(c_in: int, width: int, size: int) -> Derivation:
    """Two convolutions, and one on the shortcut where the width changes."""
    block = _conv(c_in, width, 3, size) + _conv(width, width, 3, size)
    return block if c_in == width else block + _conv(c_in, width, 1, size)


def resnet18() -> Derivation:
    """Count ResNet-18.

    >>> f"{resnet18().macs:,}"
    '1,814,073,344'
    """
    network, c_in = _conv(3, 64, 7, 112), 64
    for width, size in [(64, 56), (128, 28), (256, 14), (512, 7)]:
        network += basic_block(c_in, width, size) + basic_block(width, width, size)
        c_in = width
    return network + linear(512, 1000)


def bottleneck(c_in: int, width: int, size: int, stride: int, stride_on: str) -> Derivation:
    """Three convolutions, and one on the shortcut where the width changes."""
    before = size * stride
    between = size if stride_on == "1x1" else before
    block = conv2d(c_in, width, 1, between, between, bias=False)
    block += conv2d(width, width, 3, size, size, bias=False)
    block += conv2d(width, 4 * width, 1, size, size, bias=False)
    if c_in != 4 * width:
        block += conv2d(c_in, 4 * width, 1, size, size, bias=False)
    return block


def resnet50(stride_on: str = "3x3") -> Derivation:
    """Count ResNet-50, with the strides in its 3×3 convolutions or in its first 1×1.

    >>> f"{resnet50().macs:,}", f"{resnet50(stride_on='1x1').macs:,}"
    ('4,089,184,256', '3,857,973,248')

    Raises:
        ValueError: ``stride_on`` is neither "3x3" nor "1x1".
    """
    if stride_on not in ("3x3", "1x1"):
        raise ValueError(f"stride_on must be '3x3' or '1x1', got {stride_on!r}")
    network, c_in = conv2d(3, 64, 7, 112, 112, bias=False), 64
    stages = [(64, 3, 56), (128, 4, 28), (256, 6, 14), (512, 3, 7)]
    for width, blocks, size in stages:
        for block in range(blocks):
            stride = 2 if block == 0 and width > 64 else 1
            network += bottleneck(c_in, width, size, stride, stride_on)
            c_in = 4 * width
    return network + linear(2048, 1000)


def inverted_residual(c_in: int, c_out: int, widen: int, size: int, stride: int) -> Derivation:
    """Widen by a pointwise convolution, look around depthwise, narrow again."""
    inner = c_in * widen
    block = _conv(c_in, inner, 1, size * stride) if widen > 1 else Derivation(())
    block += depthwise_conv2d(inner, 3, size, size, bias=False)
    return block + _conv(inner, c_out, 1, size)


def mobilenet_v2() -> Derivation:
    """Count MobileNetV2.

    >>> f"{mobilenet_v2().macs:,}"
    '300,774,272'
    """
    network, c_in, size = _conv(3, 32, 3, 112), 32, 112
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    stages += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for widen, c_out, blocks, first_stride in stages:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            size //= stride
            network += inverted_residual(c_in, c_out, widen, size, stride)
            c_in = c_out
    return network + _conv(320, 1280, 1, 7) + linear(1280, 1000)


def vit_b_16() -> Derivation:
    """Count ViT-B/16: patches of 16×16, and one position more for the class.

    >>> f"{vit_b_16().macs:,}"
    '17,563,828,224'
    """
    patches = conv2d(3, 768, 16, 14, 14)
    layers = 12 * transformer_layer(14 * 14 + 1, 768, num_heads=12)
    return patches + layers + linear(768, 1000)


def llama_7b_token(context: int = 1) -> Derivation:
    """Count one token of LLaMA-7B that sees ``context`` positions, itself among them.

    >>> f"{llama_7b_token(2048).flops:,}"
    '14,287,896,576'

    Raises:
        TypeError, ValueError: a context that is not a positive integer.
    """
    context = whole_number("context", context)
    attention = multihead_attention(1, 4096, num_heads=32, kv_seq_len=context, bias=False)
    gated = 2 * linear(4096, 11008, bias=False) + linear(11008, 4096, bias=False)
    return 32 * (attention + gated) + linear(4096, 32000, bias=False)
