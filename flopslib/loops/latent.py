"""The naive loop of multi-head latent attention, in both of its forms."""

from __future__ import annotations

from itertools import chain
from typing import Any

from flopslib.loops.attending import in_heads, visible
from flopslib.loops.dense import linear
from flopslib.loops.loop import dot, loop
from flopslib.loops.primitives import rms_norm, scaling, softmax


@loop()
def latent_attention(
    x: Any, w_q_down: Any, gamma_q: Any, w_q_up: Any, w_q_rope: Any, w_kv_down: Any,
    gamma_kv: Any, w_k_rope: Any, w_k_up: Any, w_v_up: Any, w_out: Any,
    past_latents: Any, past_turned_keys: Any, *, num_heads: int, causal: bool, absorbed: bool,
) -> Any:  # fmt: skip
    """Make a latent for each token, and attend to the latents of all."""
    y = []
    for tokens, old, old_turned in zip(x, past_latents, past_turned_keys, strict=True):
        narrow = [rms_norm(vector, gamma_q) for vector in linear(tokens, w_q_down)]
        queries = in_heads(linear(narrow, w_q_up), num_heads)
        asked = in_heads(linear(narrow, w_q_rope), num_heads)
        new = [rms_norm(vector, gamma_kv) for vector in linear(tokens, w_kv_down)]
        latents = old + new
        turned = old_turned + linear(tokens, w_k_rope)
        found = latent_heads(
            queries, asked, latents, turned, w_k_up, w_v_up, causal=causal, absorbed=absorbed
        )
        joined = [list(chain(*pieces)) for pieces in zip(*found, strict=True)]
        y.append(linear(joined, w_out))
    return y


def latent_heads(
    queries: Any, asked: Any, latents: Any, turned: Any, w_k: Any, w_v: Any,
    *, causal: bool, absorbed: bool,
) -> Any:  # fmt: skip
    """Let every head attend to the latents, in one of the two forms."""
    way = _absorbed if absorbed else _projected
    return way(queries, asked, latents, turned, w_k, w_v, causal)


def _projected(
    queries: Any, asked: Any, latents: Any, turned: Any, w_k: Any, w_v: Any, causal: bool
) -> Any:
    """Make keys and values of all heads from the latents."""
    heads = len(queries)
    keys = in_heads(linear(latents, w_k), heads)
    values = in_heads(linear(latents, w_v), heads)
    scaled_by = len(queries[0][0]) + len(asked[0][0])
    return [
        _average(queries[head], keys[head], asked[head], turned, values[head], scaled_by, causal)
        for head in range(heads)
    ]


def _absorbed(
    queries: Any, asked: Any, latents: Any, turned: Any, w_k: Any, w_v: Any, causal: bool
) -> Any:
    """Take the queries to the latents, and sums of latents to the values."""
    heads = len(queries)
    scaled_by = len(queries[0][0]) + len(asked[0][0])
    found = []
    for head, vectors in enumerate(queries):
        up_k = w_k[head * len(w_k) // heads : (head + 1) * len(w_k) // heads]
        up_v = w_v[head * len(w_v) // heads : (head + 1) * len(w_v) // heads]
        columns = list(zip(*up_k, strict=True))
        taken = [[dot(vector, column) for column in columns] for vector in vectors]
        sums = _average(taken, latents, asked[head], turned, latents, scaled_by, causal)
        found.append(linear(sums, up_v))
    return found


def _average(
    queries: Any, keys: Any, asked: Any, turned: Any, values: Any, scaled_by: int, causal: bool
) -> Any:
    """Score by content and by position, and average the values."""
    outputs = []
    for i, (query, of_position) in enumerate(zip(queries, asked, strict=True)):
        seen = visible(i, len(queries), len(keys), causal=causal)
        scores = [dot(query, keys[j]) for j in seen]
        both = [
            linear([of_position], [turned[j]], [score])[0][0]
            for j, score in zip(seen, scores, strict=True)
        ]
        weights = softmax([scaling(score, scaled_by) for score in both])
        columns = zip(*[values[j] for j in seen], strict=True)
        outputs.append([dot(weights, column) for column in columns])
    return outputs
