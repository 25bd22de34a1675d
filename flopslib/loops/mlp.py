"""The naive loop of the feed-forward network of a Transformer."""

from __future__ import annotations

from typing import Any

from flopslib.loops.dense import linear
from flopslib.loops.loop import loop
from flopslib.loops.primitives import elementwise_product, gelu, gelu_tanh, silu


@loop()
def feed_forward(x: Any, w_1: Any, b_1: Any, w_2: Any, b_2: Any, *, tanh_gelu: bool = False) -> Any:
    """Widen every token, apply GELU, and narrow the token again."""
    bend = gelu_tanh if tanh_gelu else gelu
    y = []
    for tokens in x:
        hidden = linear(tokens, w_1, b_1)
        bent = [[bend(number) for number in vector] for vector in hidden]
        y.append(linear(bent, w_2, b_2))
    return y


@loop()
def gated_feed_forward(
    x: Any, w_gate: Any, b_gate: Any, w_up: Any, b_up: Any, w_down: Any, b_down: Any
) -> Any:
    """Let a gate decide how much of each hidden number passes."""
    y = []
    for tokens in x:
        gates = linear(tokens, w_gate, b_gate)
        gates = [[silu(number) for number in vector] for vector in gates]
        hidden = linear(tokens, w_up, b_up)
        passed = [
            [elementwise_product(n, g) for n, g in zip(*both, strict=True)]
            for both in zip(hidden, gates, strict=True)
        ]
        y.append(linear(passed, w_down, b_down))
    return y
