"""The naive loop of the feed-forward network of a Transformer."""

from __future__ import annotations

from typing import Any

from flopslib.reference.linear import linear
from flopslib.reference.loop import Operands, runs_on
from flopslib.reference.primitives import gelu


def feed_forward_operands(
    seq_len: int, d_model: int, d_ff: int, batch: int, bias: bool
) -> Operands:
    """Return the shapes of the operands of the loop, its weights among them."""
    return {
        "x": (batch, seq_len, d_model),
        "w_1": (d_ff, d_model),
        "b_1": (d_ff,) if bias else None,
        "w_2": (d_model, d_ff),
        "b_2": (d_model,) if bias else None,
    }, {}


@runs_on(feed_forward_operands)
def feed_forward(x: Any, w_1: Any, b_1: Any, w_2: Any, b_2: Any) -> Any:
    """Widen every position, bend every number, and narrow the position again."""
    y = []
    for tokens in x:
        hidden = linear(tokens, w_1, b_1)
        bent = [[gelu(number) for number in vector] for vector in hidden]
        y.append(linear(bent, w_2, b_2))
    return y
