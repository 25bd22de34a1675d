"""The naive loop of multi-head attention."""

from __future__ import annotations

from itertools import chain
from typing import Any

from flopslib.loops.dense import linear
from flopslib.loops.loop import Operands, dot, runs_on
from flopslib.loops.primitives import scaling, softmax


def in_heads(vectors: Any, heads: int) -> Any:
    """Cut every vector into equal pieces, and collect the pieces of each head.

    >>> in_heads([[1, 2, 3, 4], [5, 6, 7, 8]], 2)
    [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    """
    width = len(vectors[0]) // heads
    return [[v[head * width : (head + 1) * width] for v in vectors] for head in range(heads)]


def attend(queries: Any, keys: Any, values: Any, causal: bool = False) -> Any:
    """For each query, compute a weighted average of the values."""
    outputs = []
    for i, query in enumerate(queries):
        visible = len(keys)
        if causal:  # the queries are the last positions
            visible -= len(queries) - 1 - i
        seen = keys[:visible]
        scores = [scaling(dot(query, key), len(query)) for key in seen]
        weights = softmax(scores)
        columns = zip(*values[:visible], strict=True)
        outputs.append([dot(weights, column) for column in columns])
    return outputs


def multihead_operands(
    seq_len: int,
    d_model: int,
    num_heads: int,
    num_kv_heads: int,
    head_dim: int,
    kv_seq_len: int,
    causal: bool,
    batch: int,
    bias: bool,
) -> Operands:
    """Return the shapes of the operands of the loop, the projections' weights among them."""
    inner, kv_inner = num_heads * head_dim, num_kv_heads * head_dim
    past = (batch, num_kv_heads, kv_seq_len - seq_len, head_dim)
    widths = {"q": inner, "k": kv_inner, "v": kv_inner}
    shapes: dict[str, tuple[int, ...] | None] = {"x": (batch, seq_len, d_model)}
    for name, width in widths.items():
        shapes[f"w_{name}"] = (width, d_model)
        shapes[f"b_{name}"] = (width,) if bias else None
    shapes["w_out"] = (d_model, inner)
    shapes["b_out"] = (d_model,) if bias else None
    options = {"num_heads": num_heads, "num_kv_heads": num_kv_heads, "causal": causal}
    return shapes | {"past_keys": past, "past_values": past}, options


@runs_on(multihead_operands, inputs=("x", "past_keys", "past_values"))
def multihead_attention(
    x: Any, w_q: Any, b_q: Any, w_k: Any, b_k: Any, w_v: Any, b_v: Any, w_out: Any, b_out: Any,
    past_keys: Any, past_values: Any, num_heads: int, num_kv_heads: int, causal: bool,
) -> Any:  # fmt: skip
    """Project, let every head attend, and project what the heads found."""
    y = []
    samples = zip(x, past_keys, past_values, strict=True)
    for tokens, old_keys, old_values in samples:
        queries = in_heads(linear(tokens, w_q, b_q), num_heads)
        keys = in_heads(linear(tokens, w_k, b_k), num_kv_heads)
        values = in_heads(linear(tokens, w_v, b_v), num_kv_heads)
        found = []
        for head in range(num_heads):
            shared = head * num_kv_heads // num_heads
            k = old_keys[shared] + keys[shared]
            v = old_values[shared] + values[shared]
            found.append(attend(queries[head], k, v, causal))
        joined = [list(chain(*pieces)) for pieces in zip(*found, strict=True)]
        y.append(linear(joined, w_out, b_out))
    return y


def _scaled_operands(
    seq_len: int, head_dim: int, num_heads: int, kv_seq_len: int, causal: bool, batch: int
) -> Operands:
    past = (batch, num_heads, kv_seq_len, head_dim)
    queries = (batch, num_heads, seq_len, head_dim)
    return {"queries": queries, "keys": past, "values": past}, {"causal": causal}


@runs_on(_scaled_operands, inputs=("queries", "keys", "values"))
def scaled_dot_product_attention(queries: Any, keys: Any, values: Any, causal: bool) -> Any:
    """Let every head attend to keys and values of its own."""
    return [
        [attend(*head, causal) for head in zip(*sample, strict=True)]
        for sample in zip(queries, keys, values, strict=True)
    ]
