"""The naive loops of attention: to itself, through a window, to another sequence."""

from __future__ import annotations

from itertools import chain
from typing import Any

from flopslib.loops.dense import linear
from flopslib.loops.loop import dot, loop
from flopslib.loops.primitives import rms_norm, scaling, softmax


def in_heads(vectors: Any, heads: int) -> Any:
    """Cut every vector into equal pieces, and collect the pieces of each head.

    >>> in_heads([[1, 2, 3, 4], [5, 6, 7, 8]], 2)
    [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    """
    width = len(vectors[0]) // heads
    return [[v[head * width : (head + 1) * width] for v in vectors] for head in range(heads)]


def visible(
    i: int, queries: int, keys: int, *, causal: bool, window: int | None = None, sinks: int = 0
) -> list[int]:
    """Return the keys that a query sees; the queries are the last positions.

    >>> visible(4, 5, 5, causal=True, window=2, sinks=1)
    [0, 3, 4]
    """
    at = keys - queries + i

    def sees(j: int) -> bool:
        near = window is None or abs(at - j) < window
        return (near and (j <= at or not causal)) or j < min(sinks, at)

    return [j for j in range(keys) if sees(j)]


def attend(
    queries: Any, keys: Any, values: Any, causal: bool = False, window: int | None = None,
    sinks: int = 0, scaled: bool = True, sink: Any = None,
) -> Any:  # fmt: skip
    """For each query, compute a weighted average of the values that it sees."""
    outputs = []
    for i, query in enumerate(queries):
        seen = visible(i, len(queries), len(keys), causal=causal, window=window, sinks=sinks)
        scores = [dot(query, keys[j]) for j in seen]
        if scaled:
            scores = [scaling(score, len(query)) for score in scores]
        weights = softmax(scores if sink is None else [*scores, sink])
        columns = zip(*[values[j] for j in seen], strict=True)
        outputs.append([dot(weights[: len(seen)], column) for column in columns])
    return outputs


def projected(tokens: Any, weight: Any, bias: Any, heads: int, gamma: Any = None) -> Any:
    """Project every token, cut it into heads, and normalise each, if it is asked for."""
    cut = in_heads(linear(tokens, weight, bias), heads)
    if gamma is None:
        return cut
    return [[rms_norm(vector, gamma) for vector in head] for head in cut]


@loop()
def multihead_attention(
    x: Any, w_q: Any, b_q: Any, w_k: Any, b_k: Any, w_v: Any, b_v: Any, w_out: Any, b_out: Any,
    past_keys: Any, past_values: Any, *, num_heads: int, num_kv_heads: int, causal: bool,
) -> Any:  # fmt: skip
    """Project, let every head attend, and project the joined results."""
    return windowed_attention(
        x, w_q, b_q, w_k, b_k, w_v, b_v, w_out, b_out, past_keys, past_values,
        num_heads=num_heads, num_kv_heads=num_kv_heads, causal=causal,
    )  # fmt: skip


@loop()
def attention(
    x: Any, w_q: Any, b_q: Any, w_k: Any, b_k: Any, w_v: Any, b_v: Any, w_out: Any, b_out: Any,
    past_keys: Any, past_values: Any, gamma_q: Any, gamma_k: Any, sink: Any,
    *, num_heads: int, num_kv_heads: int, causal: bool, scaled: bool,
) -> Any:  # fmt: skip
    """The same, with norms, without a scale, with a logit that has no value."""
    return windowed_attention(
        x, w_q, b_q, w_k, b_k, w_v, b_v, w_out, b_out, past_keys, past_values, gamma_q, gamma_k,
        sink, num_heads=num_heads, num_kv_heads=num_kv_heads, causal=causal, scaled=scaled,
    )  # fmt: skip


@loop()
def windowed_attention(
    x: Any, w_q: Any, b_q: Any, w_k: Any, b_k: Any, w_v: Any, b_v: Any, w_out: Any, b_out: Any,
    past_keys: Any, past_values: Any, gamma_q: Any = None, gamma_k: Any = None, sink: Any = None,
    *, num_heads: int, num_kv_heads: int, causal: bool, scaled: bool = True,
    window: int | None = None, sinks: int = 0,
) -> Any:  # fmt: skip
    """Let every position see those of its window, and the first ones."""
    y = []
    samples = zip(x, past_keys, past_values, strict=True)
    for tokens, old_keys, old_values in samples:
        queries = projected(tokens, w_q, b_q, num_heads, gamma_q)
        keys = projected(tokens, w_k, b_k, num_kv_heads, gamma_k)
        values = projected(tokens, w_v, b_v, num_kv_heads)
        found = []
        for head in range(num_heads):
            shared = head * num_kv_heads // num_heads
            k = old_keys[shared] + keys[shared]
            v = old_values[shared] + values[shared]
            own = None if sink is None else sink[head]
            found.append(attend(queries[head], k, v, causal, window, sinks, scaled, own))
        joined = [list(chain(*pieces)) for pieces in zip(*found, strict=True)]
        y.append(linear(joined, w_out, b_out))
    return y


@loop()
def cross_attention(
    x: Any, memory: Any, w_q: Any, b_q: Any, w_k: Any, b_k: Any, w_v: Any, b_v: Any,
    w_out: Any, b_out: Any, gamma_q: Any, gamma_k: Any, sink: Any,
    *, num_heads: int, num_kv_heads: int, scaled: bool,
) -> Any:  # fmt: skip
    """Let the positions of one sequence see those of another."""
    y = []
    for tokens, others in zip(x, memory, strict=True):
        queries = projected(tokens, w_q, b_q, num_heads, gamma_q)
        keys = projected(others, w_k, b_k, num_kv_heads, gamma_k)
        values = projected(others, w_v, b_v, num_kv_heads)
        found = []
        for head in range(num_heads):
            shared = head * num_kv_heads // num_heads
            own = None if sink is None else sink[head]
            k, v = keys[shared], values[shared]
            found.append(attend(queries[head], k, v, scaled=scaled, sink=own))
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
