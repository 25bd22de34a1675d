"""The naive loop of multi-head attention."""

from __future__ import annotations

from itertools import chain
from typing import Any

from flopslib.loops.dense import linear
from flopslib.loops.loop import dot, loop
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


@loop()
def multihead_attention(
    x: Any, w_q: Any, b_q: Any, w_k: Any, b_k: Any, w_v: Any, b_v: Any, w_out: Any, b_out: Any,
    past_keys: Any, past_values: Any, *, num_heads: int, num_kv_heads: int, causal: bool,
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


@loop()
def scaled_dot_product_attention(queries: Any, keys: Any, values: Any, *, causal: bool) -> Any:
    """Let every head attend to keys and values of its own."""
    return [
        [attend(*head, causal) for head in zip(*sample, strict=True)]
        for sample in zip(queries, keys, values, strict=True)
    ]
