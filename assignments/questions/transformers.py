"""Transformers: attention, its mask and its cache, feed-forward networks, whole layers."""

from functools import partial
from random import Random
from typing import Any

from assignments.question import Question
from assignments.searching import doubled, halved, largest
from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Mistake
from flopslib import (
    Derivation,
    feed_forward,
    gated_feed_forward,
    multihead_attention,
    scaled_dot_product_attention,
    transformer_layer,
)

SQUARE = ("scores", "weighted sum")


def _square(layer: Derivation) -> int:
    """Return the MACs of numbers with numbers: what grows with the square of the length."""
    return sum(step.macs for step in layer.steps if step.name.startswith(SQUARE))


def _parts(seq_len: int, num_heads: int, d_model: int, *, causal: bool = False) -> list[int]:
    layer = multihead_attention(seq_len, d_model, num_heads=num_heads, causal=causal)
    return [layer.macs - _square(layer), _square(layer)]


def _with_a_cache(
    new_tokens: int, cached_tokens: int, num_kv_heads: int, num_heads: int, d_model: int,
    *, causal: bool = True,
) -> list[int]:  # fmt: skip
    layer = multihead_attention(
        new_tokens,
        d_model,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        kv_seq_len=cached_tokens + new_tokens,
        causal=causal,
    )
    return [layer.flops - 2 * _square(layer), 2 * _square(layer)]


def _gate(d_model: int, multiple: int) -> list[int]:
    plain = feed_forward(1, d_model).macs

    def gated(steps: int) -> int:
        macs: int = gated_feed_forward(1, d_model, multiple * steps).macs
        return macs

    steps = largest(lambda n: gated(n) <= plain)
    return [multiple * steps, plain - gated(steps)]


def _attention(seq_len: int, d_model: int, num_heads: int, num_kv_heads: int, causal: bool) -> int:
    layer = multihead_attention(
        seq_len, d_model, num_heads=num_heads, num_kv_heads=num_kv_heads, causal=causal
    )
    flops: int = layer.flops
    return flops


def _draw_attention(random: Random) -> dict[str, Any]:
    kv_heads, shared = random.sample((2, 3, 4, 5), 2)
    return {
        "seq_len": random.randrange(20, 200),
        "d_model": kv_heads * shared * random.choice((6, 8, 10, 14)),
        "num_heads": kv_heads * shared,
        "num_kv_heads": kv_heads,
        "causal": random.choice((False, True)),
    }


def _crossing(d_model: int, d_ff: int, causal: bool) -> int:
    weights = _with_weights(d_model, d_ff)

    def is_behind(seq_len: int) -> bool:
        square = scaled_dot_product_attention(seq_len, d_model, causal=causal).macs
        return bool(square <= weights * seq_len)

    return largest(is_behind) + 1


def _with_weights(d_model: int, d_ff: int) -> int:
    """Return the MACs that a token costs in a layer, however many others there are."""
    layer = transformer_layer(1, d_model, d_ff=d_ff)
    return layer.macs - _square(layer)


def _draw_crossing(random: Random) -> dict[str, Any]:
    d_model = random.randrange(40, 1000)
    return {
        "d_model": d_model,
        "d_ff": random.randrange(d_model + 1, 6 * d_model),
        "causal": random.choice((False, True)),
    }


def _neither(seq_len: int, num_heads: int, d_model: int) -> list[int]:
    other = transformer_layer(seq_len, d_model, num_heads=num_heads, causal=True).other
    return [other["exponentials"], other["divisions"], other["erfs"]]


def _longest(d_model: int, giga_flops: int) -> list[int]:
    weights = _with_weights(d_model, 4 * d_model)

    def length(causal: bool) -> int:
        def fits(seq_len: int) -> bool:
            square = scaled_dot_product_attention(seq_len, d_model, causal=causal)
            return bool(2 * weights * seq_len + square.flops <= giga_flops * 10**9)

        return largest(fits)

    return [length(causal=True), length(causal=False)]


def _scores_alone(**sizes: int) -> list[int]:
    weights, square = _parts(**sizes)
    return [weights, square // 2]


def _own_keys(num_kv_heads: int, num_heads: int, **sizes: int) -> list[int]:
    return _with_a_cache(num_kv_heads=num_heads, num_heads=num_heads, **sizes)


def _two_matrices(d_model: int, multiple: int) -> list[int]:
    """As if a gated network had two matrices: it could be as wide as the plain one."""
    inner = 4 * d_model // multiple * multiple
    return [inner, feed_forward(1, d_model).macs - feed_forward(1, d_model, d_ff=inner).macs]


def _unmasked(seq_len: int, num_heads: int, d_model: int) -> list[int]:
    other = transformer_layer(seq_len, d_model, num_heads=num_heads).other
    return [other["exponentials"], other["divisions"], other["erfs"]]


SEPARATE_KEYS = (
    "every head with keys of its own",
    "You gave each head of queries keys and values of its own; here several heads share them.",
)

QUESTIONS = (
    Question(
        name="transformers-1",
        answer="transformers_1",
        expected=_parts,
        mistakes=(
            mistakes.counted_flops(doubled(_parts)),
            Mistake(
                "a mask that is not there",
                partial(_parts, causal=True),
                "You counted the pairs that a causal mask leaves; here every token sees all.",
            ),
            mistakes.one_of_two(_scores_alone),
            mistakes.heads_multiplied(
                lambda num_heads, **sizes: [
                    num_heads * one for one in _parts(num_heads=num_heads, **sizes)
                ]
            ),
        ),
    ),
    Question(
        name="transformers-2",
        answer="transformers_2",
        expected=_with_a_cache,
        mistakes=(
            mistakes.counted_macs(halved(_with_a_cache)),
            mistakes.full_square(partial(_with_a_cache, causal=False)),
            Mistake(SEPARATE_KEYS[0], _own_keys, SEPARATE_KEYS[1]),
        ),
    ),
    Question(
        name="transformers-3",
        answer="transformers_3",
        expected=_gate,
        mistakes=(
            Mistake(
                "two matrices for a gate",
                _two_matrices,
                "A gated network has three matrices, so it has to be narrower than the plain one.",
            ),
            mistakes.over_the_budget(
                lambda d_model, multiple: [_gate(d_model, multiple)[0] + multiple, 0]
            ),
        ),
    ),
    Question(
        name="transformers-4",
        answer="transformers_4",
        expected=_attention,
        examples=tuple(
            {"seq_len": 3, "d_model": 8, "num_heads": 4, "num_kv_heads": 2, "causal": causal}
            for causal in (False, True)
        ),
        draw=_draw_attention,
        draws=6,
        mistakes=(
            mistakes.counted_macs(halved(_attention)),
            mistakes.full_square(lambda **sizes: _attention(**{**sizes, "causal": False})),
            Mistake(
                SEPARATE_KEYS[0],
                lambda **sizes: _attention(**{**sizes, "num_kv_heads": sizes["num_heads"]}),
                SEPARATE_KEYS[1],
            ),
        ),
    ),
    Question(
        name="transformers-5",
        answer="transformers_5",
        expected=_crossing,
        examples=tuple({"d_model": 4, "d_ff": 10, "causal": causal} for causal in (False, True)),
        draw=_draw_crossing,
        draws=6,
        mistakes=(
            mistakes.full_square(lambda **sizes: _crossing(**{**sizes, "causal": False})),
            Mistake(
                "one token too few",
                lambda **sizes: _crossing(**sizes) - 1,
                "That is the last number of tokens at which the square is not ahead.",
            ),
        ),
    ),
    Question(
        name="transformers-6",
        answer="transformers_6",
        expected=_neither,
        mistakes=(
            mistakes.full_square(_unmasked),
            mistakes.one_head(lambda **sizes: _neither(**{**sizes, "num_heads": 1})),
        ),
    ),
    Question(
        name="transformers-7",
        answer="transformers_7",
        expected=_longest,
        mistakes=(
            mistakes.budget_in_macs(lambda d_model, giga_flops: _longest(d_model, 2 * giga_flops)),
        ),
    ),
)
