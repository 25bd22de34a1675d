"""The naive loop of a whole layer of a Transformer."""

from __future__ import annotations

from typing import Any

from flopslib.loops.attending import multihead_attention
from flopslib.loops.loop import loop
from flopslib.loops.mlp import feed_forward
from flopslib.loops.primitives import layer_norm, residual_sum


def normalised(x: Any, gamma: Any, beta: Any) -> Any:
    """Normalise every position of every sequence."""
    return [[layer_norm(position, gamma, beta) for position in tokens] for tokens in x]


def added(x: Any, y: Any) -> Any:
    """Add two arrays of the same shape, number by number."""
    if isinstance(x, list):
        return [added(a, b) for a, b in zip(x, y, strict=True)]
    return residual_sum(x, y)


@loop(inside=multihead_attention)
def transformer_layer(
    x: Any, gamma_1: Any, beta_1: Any, gamma_2: Any, beta_2: Any,
    w_1: Any, b_1: Any, w_2: Any, b_2: Any, *, tanh_gelu: bool = False, **attention: Any,
) -> Any:  # fmt: skip
    """Let the tokens look at each other, then work on each of them."""
    found = multihead_attention(normalised(x, gamma_1, beta_1), **attention)
    seen = added(x, found)
    x = normalised(seen, gamma_2, beta_2)
    made = feed_forward(x, w_1, b_1, w_2, b_2, tanh_gelu=tanh_gelu)
    return added(seen, made)
