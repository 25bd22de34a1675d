"""The naive loop of a whole layer of a Transformer."""

from __future__ import annotations

from typing import Any

from flopslib.loops.attention import multihead_attention, multihead_operands
from flopslib.loops.loop import Operands, runs_on
from flopslib.loops.mlp import feed_forward, feed_forward_operands
from flopslib.loops.primitives import gelu, layer_norm, residual_sum


def normalised(x: Any, gamma: Any, beta: Any) -> Any:
    """Normalise every position of every sequence."""
    return [[layer_norm(position, gamma, beta) for position in tokens] for tokens in x]


def added(x: Any, y: Any) -> Any:
    """Add two arrays of the same shape, number by number."""
    if isinstance(x, list):
        return [added(a, b) for a, b in zip(x, y, strict=True)]
    return residual_sum(x, y)


def _layer_operands(
    seq_len: int, d_model: int, d_ff: int, batch: int, bias: bool, tanh_gelu: bool = False,
    **options: Any,
) -> Operands:  # fmt: skip
    common: dict[str, Any] = {"seq_len": seq_len, "d_model": d_model, "batch": batch, "bias": bias}
    attention, choices = multihead_operands(**common, **options)
    ffn, bend = feed_forward_operands(**common, d_ff=d_ff, tanh_gelu=tanh_gelu)
    beta = (d_model,) if bias else None
    norms = {"gamma_1": (d_model,), "beta_1": beta, "gamma_2": (d_model,), "beta_2": beta}
    return {**attention, **ffn, **norms}, {**choices, **bend}


@runs_on(_layer_operands, inputs=("x", "past_keys", "past_values"))
def transformer_layer(
    x: Any, gamma_1: Any, beta_1: Any, gamma_2: Any, beta_2: Any,
    w_1: Any, b_1: Any, w_2: Any, b_2: Any, bend: Any = gelu, **attention: Any,
) -> Any:  # fmt: skip
    """Let the tokens look at each other, then work on each of them."""
    found = multihead_attention(normalised(x, gamma_1, beta_1), **attention)
    seen = added(x, found)
    made = feed_forward(normalised(seen, gamma_2, beta_2), w_1, b_1, w_2, b_2, bend)
    return added(seen, made)
