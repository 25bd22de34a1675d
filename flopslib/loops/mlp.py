"""The naive loop of the feed-forward network of a Transformer."""

from __future__ import annotations

from typing import Any

from flopslib.loops.dense import linear
from flopslib.loops.loop import Operands, runs_on
from flopslib.loops.primitives import elementwise_product, gelu, gelu_tanh, silu


def feed_forward_operands(
    seq_len: int, d_model: int, d_ff: int, batch: int, bias: bool, tanh_gelu: bool = False
) -> Operands:
    """Return the shapes of the operands of the loop, its weights among them, and its option."""
    return {
        "x": (batch, seq_len, d_model),
        "w_1": (d_ff, d_model),
        "b_1": (d_ff,) if bias else None,
        "w_2": (d_model, d_ff),
        "b_2": (d_model,) if bias else None,
    }, {"bend": gelu_tanh if tanh_gelu else gelu}


@runs_on(feed_forward_operands)
def feed_forward(x: Any, w_1: Any, b_1: Any, w_2: Any, b_2: Any, bend: Any = gelu) -> Any:
    """Widen every position, bend every number, and narrow the position again."""
    y = []
    for tokens in x:
        hidden = linear(tokens, w_1, b_1)
        bent = [[bend(number) for number in vector] for vector in hidden]
        y.append(linear(bent, w_2, b_2))
    return y


def _gated_operands(seq_len: int, d_model: int, d_ff: int, batch: int, bias: bool) -> Operands:
    shapes: dict[str, tuple[int, ...] | None] = {"x": (batch, seq_len, d_model)}
    for name, shape in {"gate": (d_ff, d_model), "up": (d_ff, d_model)}.items():
        shapes[f"w_{name}"] = shape
        shapes[f"b_{name}"] = shape[:1] if bias else None
    return shapes | {"w_down": (d_model, d_ff), "b_down": (d_model,) if bias else None}, {}


@runs_on(_gated_operands)
def gated_feed_forward(
    x: Any, w_gate: Any, b_gate: Any, w_up: Any, b_up: Any, w_down: Any, b_down: Any
) -> Any:
    """Let a gate decide how much of each hidden number passes."""
    y = []
    for tokens in x:
        gates = [[silu(n) for n in vector] for vector in linear(tokens, w_gate, b_gate)]
        hidden = linear(tokens, w_up, b_up)
        passed = [
            [elementwise_product(n, g) for n, g in zip(*both, strict=True)]
            for both in zip(hidden, gates, strict=True)
        ]
        y.append(linear(passed, w_down, b_down))
    return y
