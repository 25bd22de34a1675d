"""The lab of bytes: what a layer moves, and which of the two limits of a chip it meets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sympy

from flopsbook.labs.form import Choice, Form, Group, Ratio, Size
from flopslib import (
    conv2d,
    depthwise_conv2d,
    feed_forward,
    linear,
    scaled_dot_product_attention,
)
from flopslib.derivation.derivation import Derivation
from flopslib.hardware import chip
from flopslib.traffic import Widths, traffic

__all__ = ["roofline_lab"]


def _symbols(names: str) -> Any:
    return sympy.symbols(names, positive=True, integer=True)


BATCH, INPUTS, OUTPUTS, SIDE, KERNEL, LENGTH, HEADS, WIDTH, BYTES, PEAK, BANDWIDTH = _symbols(
    "batch inputs outputs side kernel length heads width bytes peak bandwidth"
)
LINEAR, CONV, DEPTHWISE, ATTENTION, FFN = range(5)
LAYERS = (
    "linear layer", "convolution", "depthwise convolution", "attention without projections", "FFN",
)  # fmt: skip
ONE_BYTE = Widths(activation=8, weight=8)


def _layer(kind: int) -> Derivation:
    square = {"out_height": SIDE, "out_width": SIDE, "batch": BATCH, "bias": False}
    made = {
        LINEAR: lambda: linear(INPUTS, OUTPUTS, batch=BATCH, bias=False),
        CONV: lambda: conv2d(INPUTS, OUTPUTS, KERNEL, **square),
        DEPTHWISE: lambda: depthwise_conv2d(INPUTS, KERNEL, **square),
        ATTENTION: lambda: scaled_dot_product_attention(
            LENGTH, WIDTH, num_heads=HEADS, batch=BATCH
        ),
        FFN: lambda: feed_forward(LENGTH, WIDTH, batch=BATCH, bias=False),
    }
    return made[kind]()


@cache
def _values() -> Mapping[str, Mapping[tuple[int, ...], Any]]:
    found: dict[str, dict[tuple[int, ...], Any]] = {}
    for kind in range(len(LAYERS)):
        layer = _layer(kind)
        for fused in range(2):
            moved = traffic(layer, ONE_BYTE, fused=bool(fused))
            values = {
                "flops": layer.flops,
                "read": BYTES * moved.read,
                "written": BYTES * moved.written,
                "moved": BYTES * moved.bytes,
                "peak_": PEAK,
                "bandwidth_": BANDWIDTH,
            }
            for name, value in values.items():
                found.setdefault(name, {})[kind, fused] = sympy.expand(value)
    return found


GROUPS = (
    Group("bytes", ("number",), (
        ("read", ("read",)), ("written", ("written",)), ("both", ("moved",)), ("FLOPs", ("flops",)),
    )),
    Group("the two limits", ("this layer", "the chip"), (
        ("FLOPs for each byte", (Ratio("flops", "moved"), Ratio("peak_", "bandwidth_"))),
        ("time of the products, at least", (Ratio("flops", "peak_", time=True), None)),
        ("time of the bytes, at least", (Ratio("moved", "bandwidth_", time=True), None)),
    )),
)  # fmt: skip


def _presets() -> dict[str, dict[str, Any]]:
    h100 = chip("H100 SXM")
    usual = {
        "batch": 1, "inputs": 4096, "outputs": 4096, "side": 56, "kernel": 3, "length": 2048,
        "heads": 32, "width": 128, "bytes": 2, "fused": 0,
        "peak": h100.rate("bf16"), "bandwidth": h100.bandwidth,
    }  # fmt: skip
    return {
        "one token, 4,096 to 4,096": usual | {"kind": LINEAR},
        "512 tokens, 4,096 to 4,096": usual | {"kind": LINEAR, "batch": 512},
        "3×3 convolution, 64 channels": usual | {"kind": CONV, "inputs": 64, "outputs": 64},
        "depthwise, 64 channels": usual | {"kind": DEPTHWISE, "inputs": 64},
        "attention, step by step": usual | {"kind": ATTENTION},
        "attention, fused": usual | {"kind": ATTENTION, "fused": 1},
    }


def roofline_lab() -> Form:
    """Make the lab of bytes.

    >>> print(repr(roofline_lab()).splitlines()[2])
    | one token, 4,096 to 4,096 | 33,554,432 | 33,570,816 |
    """

    return Form(
        "roofline",
        "Try it: what a layer moves",
        (
            Choice("kind", "layer", LAYERS),
            Choice("fused", "steps", ("each by itself", "fused")),
            Size("batch", "samples, or tokens"),
            Size("inputs", "inputs, or channels in"),
            Size("outputs", "outputs, or channels out"),
            Size("side", "height and width of the output"),
            Size("kernel", "height and width of the kernel"),
            Size("length", "positions of a sequence"),
            Size("heads", "heads"),
            Size("width", "width of a head, or of an FFN"),
            Size("bytes", "bytes of a number"),
            Size("peak", "FLOP/s of the chip"),
            Size("bandwidth", "bytes/s of its memory"),
        ),
        _values(),
        GROUPS,
        _presets(),
        {"FLOPs": "flops", "bytes": "moved"},
        note="Each operand is read once and each result written once. A kernel that has no room "
        "for that on the chip moves more. Of the sizes, a layer uses those that it has.",
        room=("56.3rem", "73.8rem"),
    )
