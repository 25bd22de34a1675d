"""What attention costs: projections, a square of scores, a weighted sum."""

from __future__ import annotations

from typing import Any

from flopslib.costs.dense import linear, matmul
from flopslib.costs.registry import Default, Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
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
    kv_width: Any = num_kv_heads * width
    x, y = (Operand(name, (batch, queries, d_model)) for name in ("x", "y"))

    def projection(name: str, letter: str, inner: Any, outer: Any, x: Operand) -> Derivation:
        project = linear(inner, outer, batch=batch * queries, bias=bias).named(f"{name} projection")
        return project.on(x=x, weight=f"w_{letter}", bias=f"b_{letter}", y=f"projected_{letter}")

    def with_past(name: str, new: Operand) -> Operand:
        past = (batch, num_kv_heads, keys - queries, width)
        parts = (new, Operand(f"past_{name}", past, "cache"))
        return Operand(name, (batch, num_kv_heads, keys, width), of=parts)

    q = projection("query", "q", d_model, heads * width, x)
    k = projection("key", "k", d_model, kv_width, x)
    v = projection("value", "v", d_model, kv_width, x)
    attend = scaled_dot_product_attention(
        queries, width, num_heads=heads, kv_seq_len=keys, causal=causal, batch=batch
    ).on(
        queries=Operand("queries", (batch, heads, queries, width), of=(q.result,)),
        keys=with_past("keys", k.result),
        values=with_past("values", v.result),
    )
    joined = Operand("joined", (batch, queries, heads * width), of=(attend.result,))
    out = projection("output", "out", heads * width, d_model, joined).on(projected_out=y)
    steps = [q, k, v, attend, out]
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


def _operands(
    batch: Any, heads: Any, queries: Any, keys: Any, width: Any, *square: Any
) -> tuple[Operand, ...]:
    """Return queries, keys, values, scores, scaled scores, weights of the values, and the sums."""
    asked, seen = (batch, heads, queries, width), (batch, heads, keys, width)
    inputs = Operand("queries", asked), Operand("keys", seen), Operand("values", seen)
    squares = (Operand(name, (batch, heads, *square)) for name in ("scores", "scaled", "attention"))
    return *inputs, *squares, Operand("sums", asked)


def _attend(batch: Any, heads: Any, queries: Any, keys: Any, width: Any) -> Derivation:
    q, k, v, scores, scaled, weights, sums = _operands(
        batch, heads, queries, keys, width, queries, keys
    )
    scaling = Step("scaling", (primitives.scaling(),), scores.shape, "score", (scores,), scaled)
    rows, part = (batch, heads, queries), primitives.softmax(keys)
    softmax = Step("softmax", (part,), rows, "score row", (scaled,), weights)
    score = matmul(queries, width, keys, batch=batch * heads).named("scores")
    sum_up = matmul(queries, keys, width, batch=batch * heads).named("weighted sum")
    return (
        score.on(left=q, right=k, y=scores)
        + Derivation((scaling, softmax))
        + sum_up.on(left=weights, right=v, y=sums)
    )


def _attend_causally(batch: Any, heads: Any, queries: Any, keys: Any, width: Any) -> Derivation:
    # the last position sees all keys, each one before it sees one fewer
    visible = exact_quotient(queries * (2 * keys - queries + 1), 2)
    further = exact_quotient(queries * (2 * keys - queries - 1), 2)
    q, k, v, scores, scaled, weights, sums = _operands(batch, heads, queries, keys, width, visible)

    def step(name: str, part: Part, *shape: Any, unit: str, **operands: Any) -> Step:
        return Step(name, (part,), (batch, heads, *shape), unit, **operands)

    score: Any = {"unit": "visible pair", "reads": (q, k), "writes": scores, "uneven": (0, 1)}
    scale: Any = {"unit": "visible pair", "reads": (scores,), "writes": scaled}
    row: Any = {"reads": (scaled,), "writes": weights}
    add: Any = {"reads": (weights, v), "writes": sums, "uneven": (1,)}
    first, more = "output's first product", "further product"
    return Derivation(
        (
            step("scores", primitives.dot_product(width), visible, **score),
            step("scaling", primitives.scaling(), visible, **scale),
            step("softmax, first", primitives.softmax(1), queries, unit="row's first score", **row),
            step("softmax, further", ONE_MORE_SCORE, further, unit="further score", **row),
            step(
                "weighted sum, first", primitives.dot_product(1), queries, width, unit=first, **add
            ),
            step("weighted sum, further", ONE_MORE_TERM, further, width, unit=more, **add),
        )
    )


ONE_MORE_SCORE = primitives.one_more(primitives.softmax)
ONE_MORE_TERM = primitives.one_more(primitives.dot_product)
