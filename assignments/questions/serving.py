"""Serving: prefill and decode, the cache, the batch that pays, windows, experts, a design."""

from collections.abc import Callable
from math import prod
from random import Random

from assignments.question import Question
from assignments.searching import halved, largest
from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Mistake
from flopslib import (
    gated_feed_forward,
    linear,
    mixture_of_experts,
    transformer_layer,
    windowed_attention,
)
from flopslib.traffic import traffic

GIGA, MILLI = 10**9, 1000
NUMBER = 2  # bytes


def _phases(
    num_layers: int, num_kv_heads: int, num_heads: int, d_model: int, prompt: int,
    *, causal: bool = True,
) -> list[int]:  # fmt: skip
    def flops(new: int, seen: int, causal: bool) -> int:
        layer = transformer_layer(
            new, d_model, num_heads=num_heads, num_kv_heads=num_kv_heads, kv_seq_len=seen,
            causal=causal,
        )  # fmt: skip
        found: int = num_layers * layer.flops
        return found

    return [flops(prompt, prompt, causal), flops(1, prompt + 1, True)]


def _own_keys(**sizes: int) -> list[int]:
    return _phases(**{**sizes, "num_kv_heads": sizes["num_heads"]})


def _without_a_cache(**sizes: int) -> list[int]:
    again = _phases(**{**sizes, "prompt": sizes["prompt"] + 1})[0]
    return [_phases(**sizes)[0], again]


def _token_bytes(num_layers: int, num_kv_heads: int, head_dim: int) -> int:
    """Return the bytes of a token's keys and values in all layers."""
    layer = transformer_layer(
        1, num_kv_heads * head_dim, num_heads=num_kv_heads, head_dim=head_dim, bias=False
    )
    made = {step.name: step.outputs for step in layer.steps}
    return NUMBER * num_layers * (made["key projection"] + made["value projection"])


def _cache(
    num_kv_heads: int, num_heads: int, num_layers: int, head_dim: int, length: int,
    giga_parameters: int, giga_bytes: int,
    *, giga: int = GIGA, weight: int = NUMBER, parts: int = 2,
) -> list[int]:  # fmt: skip
    token = _token_bytes(num_layers, num_kv_heads, head_dim) * parts // 2
    room = giga_bytes * giga - weight * giga_parameters * GIGA
    return [token, room // (token * length)]


def _keys_of_all_heads(**sizes: int) -> list[int]:
    return _cache(**{**sizes, "num_kv_heads": sizes["num_heads"]})


def _batch(in_features: int, out_features: int, balance: int, *, per_mac: int = 2) -> int:
    """Return the smallest batch of a layer that keeps the chip's arithmetic busy, 0 if none."""

    def is_busy(batch: int) -> bool:
        moved = traffic(linear(in_features, out_features, batch=batch, bias=False))
        return bool(per_mac * moved.flops >= 2 * balance * moved.bytes)

    # more than this is never needed: the two grow by at least one apart with each sample
    most = 2 * balance * in_features * out_features
    if not is_busy(most):
        return 0
    return 1 if is_busy(1) else largest(lambda batch: not is_busy(batch)) + 1


def _draw_batch(random: Random) -> dict[str, int]:
    in_features, out_features = random.sample(range(900, 4000), 2)
    return {
        "in_features": in_features,
        "out_features": out_features,
        "balance": random.randrange(30, 200),
    }


def _result_not_written(in_features: int, out_features: int, balance: int) -> int:
    left = in_features * out_features - balance * in_features
    return -(-balance * in_features * out_features // left) if left > 0 else 0


def _rounded_down(**sizes: int) -> int:
    return max(0, _batch(**sizes) - 1)


def _window(num_layers: int, num_heads: int, d_model: int, window: int, tokens: int) -> list[int]:
    layer = windowed_attention(tokens, d_model, window, num_heads=num_heads, bias=False)
    pairs = next(step.outputs for step in layer.steps if step.name == "scores") // num_heads
    square = sum(
        step.macs for step in layer.steps if step.name.startswith(("scores", "weighted sum"))
    )
    kept = min(window, tokens)
    made = {step.name: step.outputs for step in layer.steps}
    token = (made["key projection"] + made["value projection"]) // tokens
    return [pairs, num_layers * square, num_layers * NUMBER * kept * token]


def _seen(pairs: Callable[[int, int], int], **sizes: int) -> list[int]:
    """Return what another number of visible pairs would give."""
    right, macs, cache = _window(**sizes)
    wrong = pairs(sizes["tokens"], sizes["window"])
    return [wrong, macs // right * wrong, cache]


def _no_window(**sizes: int) -> list[int]:
    return _window(**{**sizes, "window": sizes["tokens"]})


def _expert(d_model: int, d_ff: int) -> int:
    """Return the numbers of an expert's matrices."""
    steps = gated_feed_forward(1, d_model, d_ff, bias=False).steps
    read = [operand for step in steps for operand in step.reads if operand.role == "weight"]
    return sum(prod(operand.shape) for operand in read)


def _experts(
    top_k: int, tokens: int, num_experts: int, d_model: int, d_ff: int,
    *, visited: int | None = None,
) -> list[int]:  # fmt: skip
    expert = _expert(d_model, d_ff)
    layer = mixture_of_experts(tokens, d_model, d_ff, num_experts, top_k, bias=False)
    read = min(num_experts, tokens * top_k) if visited is None else visited
    return [
        num_experts * (expert + d_model),
        layer.macs,
        NUMBER * read * expert,
    ]


def _all_work(**sizes: int) -> list[int]:
    parameters, _, read = _experts(**sizes)
    return [parameters, sizes["tokens"] * parameters, read]


def _no_router(**sizes: int) -> list[int]:
    parameters, macs, read = _experts(**sizes)
    router = sizes["num_experts"] * sizes["d_model"]
    return [parameters - router, macs - sizes["tokens"] * router, read]


def _two_matrices(**sizes: int) -> list[int]:
    router = sizes["num_experts"] * sizes["d_model"]
    parameters, macs, read = _experts(**sizes)
    routers = sizes["tokens"] * router
    return [
        router + (parameters - router) * 2 // 3, routers + (macs - routers) * 2 // 3, read * 2 // 3,
    ]  # fmt: skip


def _all_read(**sizes: int) -> list[int]:
    return _experts(**sizes, visited=sizes["num_experts"])


def _step(
    giga_parameters: int, kilo_bytes: int, length: int, texts: int, giga_bandwidth: int,
    *, weights: int = 1, caches: int | None = None,
) -> list[int]:  # fmt: skip
    """Return the bytes of one decode step, and the tokens a second that they allow."""
    cache = 1000 * kilo_bytes * length
    moved = (
        weights * NUMBER * giga_parameters * GIGA + (texts if caches is None else caches) * cache
    )
    return [moved, texts * giga_bandwidth * GIGA // moved]


def _one_text(**sizes: int) -> list[int]:
    moved, _ = _step(**sizes)
    return [moved, sizes["giga_bandwidth"] * GIGA // moved]


def _served(
    giga_parameters: int, kilo_bytes: int, length: int, giga_bytes: int, giga_bandwidth: int,
    milli_seconds: int,
    *, giga: int = GIGA, weight: int = NUMBER,
) -> list[int]:  # fmt: skip
    """Return how many texts fit into the memory, and into the time of a step."""
    weights, text = weight * giga_parameters * GIGA, 1000 * kilo_bytes * length
    moved = giga_bandwidth * GIGA * milli_seconds // MILLI
    return [(giga_bytes * giga - weights) // text, (moved - weights) // text]


QUESTIONS = (
    Question(
        name="serving-1",
        answer="serving_1",
        expected=_phases,
        mistakes=(
            mistakes.counted_macs(halved(_phases)),
            mistakes.one_layer(lambda **sizes: _phases(**{**sizes, "num_layers": 1})),
            mistakes.full_square(lambda **sizes: _phases(**sizes, causal=False)),
            Mistake(
                "every head with keys of its own",
                _own_keys,
                "You gave each head of queries keys and values of its own; here several heads "
                "share them.",
            ),
            Mistake(
                "everything again",
                _without_a_cache,
                "You ran the whole text again for the next token; the cache has the keys and "
                "values of the others.",
            ),
        ),
    ),
    Question(
        name="serving-2",
        answer="serving_2",
        expected=_cache,
        mistakes=(
            Mistake(
                "keys alone",
                lambda **sizes: _cache(**sizes, parts=1),
                "That is the keys alone; the values are kept, too.",
            ),
            Mistake(
                "keys of all heads",
                _keys_of_all_heads,
                "You kept keys and values for each head of queries; those that are shared are "
                "kept once.",
            ),
            mistakes.powers_of_two(lambda **sizes: _cache(**sizes, giga=2**30)),
            Mistake(
                "no weights",
                lambda **sizes: _cache(**sizes, weight=0),
                "You left no room for the weights, which are in the same memory.",
            ),
        ),
    ),
    Question(
        name="serving-3",
        answer="serving_3",
        expected=_batch,
        examples=(
            {"in_features": 40, "out_features": 60, "balance": 20},
            {"in_features": 40, "out_features": 60, "balance": 30},
        ),
        draw=_draw_batch,
        mistakes=(
            Mistake(
                "weights alone",
                lambda in_features, out_features, balance: balance,
                "You moved the weights alone; the inputs and the results of the layer are "
                "moved, too.",
            ),
            mistakes.counted_macs(lambda **sizes: _batch(**sizes, per_mac=1)),
            Mistake(
                "results not written",
                _result_not_written,
                "You left out the results, which are written to memory.",
            ),
            Mistake(
                "rounded down",
                _rounded_down,
                "With that batch the layer is just not there yet: round up.",
            ),
        ),
    ),
    Question(
        name="serving-4",
        answer="serving_4",
        expected=_window,
        mistakes=(
            Mistake(
                "no window",
                _no_window,
                "That is without the window: a token sees no more than so many, itself counted.",
            ),
            Mistake(
                "every window full",
                lambda **sizes: _seen(lambda tokens, window: tokens * window, **sizes),
                "The first tokens have fewer before them than the window is long.",
            ),
            Mistake(
                "itself not seen",
                lambda **sizes: _seen(
                    lambda tokens, window: (window - 1) * tokens - window * (window - 1) // 2,
                    **sizes,
                ),
                "Every token sees itself, too.",
            ),
            mistakes.counted_flops(
                lambda **sizes: [
                    _window(**sizes)[0],
                    2 * _window(**sizes)[1],
                    _window(**sizes)[2],
                ]
            ),
        ),
    ),
    Question(
        name="serving-5",
        answer="serving_5",
        expected=_experts,
        mistakes=(
            Mistake(
                "all experts work",
                _all_work,
                "You let every expert work on every token; only those do that the router chose.",
            ),
            Mistake(
                "no router",
                _no_router,
                "The router is a matrix, too: a score for each expert.",
            ),
            Mistake(
                "two matrices",
                _two_matrices,
                "An expert with a gate has three matrices: up, gate and down.",
            ),
            Mistake(
                "all experts read",
                _all_read,
                "So few tokens cannot visit all experts, and nobody reads one that is not visited.",
            ),
        ),
    ),
    Question(
        name="serving-6",
        answer="serving_6",
        expected=_step,
        mistakes=(
            Mistake(
                "no cache",
                lambda **sizes: _step(**sizes, caches=0),
                "You left out the cache, which is read at every step.",
            ),
            Mistake(
                "weights for each text",
                lambda **sizes: _step(**sizes, weights=sizes["texts"]),
                "The weights are read once for all texts of the batch.",
            ),
            Mistake(
                "one cache",
                lambda **sizes: _step(**sizes, caches=1),
                "Each text has a cache of its own, and all of them are read.",
            ),
            Mistake(
                "one text",
                _one_text,
                "That is for one text; a step makes a token for each of them.",
            ),
        ),
    ),
    Question(
        name="serving-7",
        answer="serving_7",
        expected=_served,
        mistakes=(
            mistakes.powers_of_two(lambda **sizes: _served(**sizes, giga=2**30)),
            Mistake(
                "no weights",
                lambda **sizes: _served(**sizes, weight=0),
                "You left out the weights, which take room and time.",
            ),
            Mistake(
                "one byte a weight",
                lambda **sizes: _served(**sizes, weight=1),
                "You gave each weight one byte, and it has two.",
            ),
            Mistake(
                "the two exchanged",
                lambda **sizes: _served(**sizes)[::-1],
                "You exchanged the two: the memory is asked for first.",
            ),
        ),
    ),
)
