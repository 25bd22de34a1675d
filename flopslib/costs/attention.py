"""What attention costs: projections, a square of scores, a weighted sum."""

from __future__ import annotations

from typing import Any

from flopslib.costs.dense import linear, matmul
from flopslib.costs.registry import Default, Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.steps import Derivation, Part, Step
from flopslib.sizes.exact import Size, exact_quotient

DIVIDES = {"num_kv_heads": ("num_heads",)}
AT_LEAST = {"kv_seq_len": "seq_len"}
DEFAULTS = {
    "num_kv_heads": Default("num_heads"),
    "head_dim": Default("d_model", over="num_heads"),
    "kv_seq_len": Default("seq_len"),
}


@cost_function(
    DIVIDES,
    at_least=AT_LEAST,
    defaults=DEFAULTS,
    chapter="attention",
    example=Example(
        "GPT-2 small, 1024 tokens, no mask", {"seq_len": 1024, "d_model": 768, "num_heads": 12}
    ),
)
def multihead_attention(
    seq_len: Size,
    d_model: Size,
    *,
    num_heads: Size = 1,
    num_kv_heads: Size | None = None,
    head_dim: Size | None = None,
    kv_seq_len: Size | None = None,
    causal: bool = False,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count multi-head attention of a sequence to itself, and to what a cache holds of it.

    Args:
        seq_len: L, the new positions, which ask.
        d_model: d, the width of a position.
        num_heads: h, the heads of the queries.
        num_kv_heads: the heads of keys and values, each shared by equally many
            query heads; None: as many as ``num_heads``.
        head_dim: the width of a head; None: d_model / num_heads.
        kv_seq_len: all positions that can be attended to, the new ones and
            those in the cache before them; None: ``seq_len``, no cache.
        causal: whether a position sees only itself and what is before it. The
            visible pairs are then counted exactly.
        batch: B, how many sequences.
        bias: whether the four projections have biases.

    Shapes:
        the input and the output are (B, L, d). The queries are
        (B, num_heads, L, head_dim), keys and values
        (B, num_kv_heads, kv_seq_len, head_dim), the scores
        (B, num_heads, L, kv_seq_len). Keys and values are projected for the L
        new positions only.

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: a size below 1, num_heads that do not divide d_model (unless
            head_dim is given), num_kv_heads that do not divide num_heads, a
            kv_seq_len below seq_len.

    Source:
        Section 10.4 of the notes, steps 1 to 4; the chapter *Attention*.

    >>> multihead_attention(5, 12, num_heads=3).macs
    3480
    >>> multihead_attention(1, 12, num_heads=3, kv_seq_len=5, causal=True).macs
    696
    """
    sizes: Any = (num_heads, seq_len, kv_seq_len, head_dim)  # the registry has filled in each
    heads, queries, keys, width = sizes
    every: Any = {"batch": batch * queries, "bias": bias}
    kv_width: Any = num_kv_heads * width
    steps = [
        linear(d_model, heads * width, **every).named("query projection"),
        linear(d_model, kv_width, **every).named("key projection"),
        linear(d_model, kv_width, **every).named("value projection"),
        scaled_dot_product_attention(
            queries, width, num_heads=heads, kv_seq_len=keys, causal=causal, batch=batch
        ),
        linear(heads * width, d_model, **every).named("output projection"),
    ]
    return sum(steps, start=Derivation(())).named("attention")


@cost_function(
    at_least=AT_LEAST,
    defaults={"kv_seq_len": DEFAULTS["kv_seq_len"]},
    chapter="more_layers",
    example=Example(
        "all heads of GPT-2 small, 1024 tokens, no mask",
        {"seq_len": 1024, "head_dim": 64, "num_heads": 12},
    ),
)
def scaled_dot_product_attention(
    seq_len: Size,
    head_dim: Size,
    *,
    num_heads: Size = 1,
    kv_seq_len: Size | None = None,
    causal: bool = False,
    batch: Size = 1,
) -> Derivation:
    """Count attention without its projections: scores, softmax, weighted sum.

    It is what one fused kernel computes, and what a counter misses that does
    not look inside.

    Args:
        seq_len: L, the new positions, which ask.
        head_dim: d_k, the width of a head.
        num_heads: h, the heads of the queries. How many heads the keys and
            values have changes what is stored, and nothing here.
        kv_seq_len: all positions that can be attended to; None: ``seq_len``.
        causal: whether a position sees only itself and what is before it.
        batch: B, how many sequences.

    Shapes:
        the queries and the output are (B, h, L, d_k), the scores (B, h, L, L_kv).

    Raises:
        TypeError: a size that is not a whole number, a causal that is not a bool.
        ValueError: a size below 1, a kv_seq_len below seq_len.

    Source:
        Section 10.4 of the notes, steps 2 and 3; the chapter *More layers*.

    >>> scaled_dot_product_attention(1024, 64, num_heads=12).macs
    1610612736
    """
    attend = _attend_causally if causal else _attend
    return attend(batch, num_heads, seq_len, kv_seq_len, head_dim).named("scores and sums")


def _attend(batch: Any, heads: Any, queries: Any, keys: Any, width: Any) -> Derivation:
    scaling = Step("scaling", (primitives.scaling(),), (batch, heads, queries, keys), unit="score")
    softmax = Step(
        "softmax", (primitives.softmax(keys),), (batch, heads, queries), unit="score row"
    )
    return (
        matmul(queries, width, keys, batch=batch * heads).named("scores")
        + Derivation((scaling, softmax))
        + matmul(queries, keys, width, batch=batch * heads).named("weighted sum")
    )


def _attend_causally(batch: Any, heads: Any, queries: Any, keys: Any, width: Any) -> Derivation:
    # the last position sees all keys, each one before it sees one fewer
    visible = exact_quotient(queries * (2 * keys - queries + 1), 2)
    further = exact_quotient(queries * (2 * keys - queries - 1), 2)

    def step(name: str, part: Part, *shape: Any, unit: str) -> Step:
        return Step(name, (part,), (batch, heads, *shape), unit)

    first, more = "output's first product", "further product"
    return Derivation(
        (
            step("scores", primitives.dot_product(width), visible, unit="visible pair"),
            step("scaling", primitives.scaling(), visible, unit="visible pair"),
            step("softmax, first", primitives.softmax(1), queries, unit="row's first score"),
            step("softmax, further", ONE_MORE_SCORE, further, unit="further score"),
            step("weighted sum, first", primitives.dot_product(1), queries, width, unit=first),
            step("weighted sum, further", ONE_MORE_TERM, further, width, unit=more),
        )
    )


ONE_MORE_SCORE = primitives.one_more(primitives.softmax)
ONE_MORE_TERM = primitives.one_more(primitives.dot_product)
