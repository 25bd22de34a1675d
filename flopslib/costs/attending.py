"""What attention costs: projections, a square of scores, a weighted sum."""

from __future__ import annotations

from typing import Any

from flopslib.costs.heads import ALL, Heads, Projected, lettered, seen_before, seen_in_window
from flopslib.costs.registry import Default, Example, cost_function
from flopslib.derivation.derivation import Derivation
from flopslib.sizes.exact import Size, smaller

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
    keys: Any = kv_seq_len  # the registry has filled in each
    visible = seen_before(seq_len, keys) if causal else None
    inside = Heads(batch, num_heads, seq_len, keys, head_dim, head_dim, visible)
    return Projected(inside, d_model, num_kv_heads, ALL if bias else frozenset()).derivation()


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
    keys: Any = kv_seq_len
    visible = seen_before(seq_len, keys) if causal else None
    attend = Heads(batch, num_heads, seq_len, keys, head_dim, head_dim, visible).attend()
    return attend.named("scores and sums")


MINOR = ("qk_norm", "scaled", "sink_logits", "q_bias", "k_bias", "v_bias", "out_bias")
GENERAL = DEFAULTS | {"value_dim": Default("head_dim")}


@cost_function(
    DIVIDES,
    at_least=AT_LEAST,
    defaults=GENERAL,
    minor=MINOR,
    chapter="attention_today",
    example=Example(
        "Qwen3-4B, one token after 4,095",
        {"seq_len": 1, "kv_seq_len": 4096, "d_model": 2560, "num_heads": 32, "num_kv_heads": 8,
         "head_dim": 128, "causal": True, "bias": False},
    ),
)  # fmt: skip
def attention(
    seq_len: Size,
    d_model: Size,
    *,
    num_heads: Size = 1,
    num_kv_heads: Size | None = None,
    head_dim: Size | None = None,
    value_dim: Size | None = None,
    kv_seq_len: Size | None = None,
    causal: bool = False,
    batch: Size = 1,
    bias: bool = True,
    qk_norm: bool = False,
    scaled: bool = True,
    sink_logits: bool = False,
    q_bias: bool = True,
    k_bias: bool = True,
    v_bias: bool = True,
    out_bias: bool = True,
) -> Derivation:
    """Count the attention of a sequence to itself, with what today's models change in it.

    Args:
        seq_len: L, the new positions, which ask.
        d_model: d, the width of a position.
        num_heads: h, the heads of the queries.
        num_kv_heads: the heads of keys and values; None: as many as ``num_heads``.
        head_dim: the width of a head of queries and keys; None: d_model / num_heads.
        value_dim: the width of a head of the values; None: ``head_dim``.
        kv_seq_len: all positions that can be attended to; None: ``seq_len``, no cache.
        causal: whether a position sees only itself and what is before it.
        batch: B, how many sequences.
        bias: whether the projections have biases; those of one of them are left out
            with ``q_bias=False``, and likewise for k, v and out.
        qk_norm: whether every head of queries and keys is normalised (RMS norm).
        scaled: whether the scores are multiplied by 1/√d_k.
        sink_logits: whether a learnt logit of each head takes part in its softmax,
            and has no value, as in gpt-oss.
        q_bias: False: no biases of the queries.
        k_bias: False: no biases of the keys, as in Whisper.
        v_bias: False: no biases of the values.
        out_bias: False: no biases of the output projection.

    Shapes:
        the input and the output are (B, L, d), the queries (B, h, L, head_dim), the
        keys (B, num_kv_heads, kv_seq_len, head_dim), the values
        (B, num_kv_heads, kv_seq_len, value_dim).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: as :func:`flopslib.multihead_attention` does.

    Source:
        not in the notes; the chapter *Attention today*.

    >>> attention(5, 12, num_heads=3).macs == multihead_attention(5, 12, num_heads=3).macs
    True
    >>> attention(5, 12, num_heads=3, value_dim=2).macs
    2610
    """
    keys: Any = kv_seq_len
    visible = seen_before(seq_len, keys) if causal else None
    inside = Heads(
        batch, num_heads, seq_len, keys, head_dim, value_dim, visible, scaled, sink_logits
    )
    biases = lettered(bias, q=q_bias, k=k_bias, v=v_bias, out=out_bias)
    return Projected(inside, d_model, num_kv_heads, biases, qk_norm).derivation()


@cost_function(
    DIVIDES,
    at_least=AT_LEAST,
    defaults=GENERAL,
    minor=MINOR,
    chapter="attention_today",
    from_zero=("sinks",),
    example=Example(
        "a window of Gemma 3 4B, 8,192 tokens",
        {"seq_len": 8192, "d_model": 2560, "window": 1024, "num_heads": 8, "num_kv_heads": 4,
         "head_dim": 256, "bias": False},
    ),
)  # fmt: skip
def windowed_attention(
    seq_len: Size,
    d_model: Size,
    window: Size,
    *,
    sinks: Size = 0,
    num_heads: Size = 1,
    num_kv_heads: Size | None = None,
    head_dim: Size | None = None,
    value_dim: Size | None = None,
    kv_seq_len: Size | None = None,
    causal: bool = True,
    batch: Size = 1,
    bias: bool = True,
    qk_norm: bool = False,
    scaled: bool = True,
    sink_logits: bool = False,
    q_bias: bool = True,
    k_bias: bool = True,
    v_bias: bool = True,
    out_bias: bool = True,
) -> Derivation:
    """Count attention through a sliding window: each position sees a few before it.

    The visible pairs are counted exactly. Without a cache there are w·L − w·(w − 1)/2 of
    them, with w the smaller of the window and L; the first positions see fewer.

    Args:
        seq_len: L, the new positions, which ask.
        d_model: d, the width of a position.
        window: w, how many positions one sees at most, itself counted. It may be longer
            than the sequence.
        sinks: s, so many of the first positions are seen from everywhere after them, besides
            the window.
        num_heads: as in :func:`flopslib.attention`, like all that follow but one.
        num_kv_heads: as there.
        head_dim: as there.
        value_dim: as there.
        kv_seq_len: as there.
        causal: False: a position sees as many after it, too.
        batch: as there.
        bias: as there.
        qk_norm: as there.
        scaled: as there.
        sink_logits: as there.
        q_bias: as there.
        k_bias: as there.
        v_bias: as there.
        out_bias: as there.

    Shapes:
        as in :func:`flopslib.attention`; of the cache no more is kept than a window and the
        sinks.

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: as :func:`flopslib.multihead_attention` does.

    Source:
        not in the notes; the chapter *Attention today*.

    >>> steps = windowed_attention(2048, 64, 1024).steps
    >>> next(step.outputs for step in steps if step.name == "scores")
    1573376
    """
    all_keys: Any = kv_seq_len
    visible = seen_in_window(seq_len, all_keys, window, sinks, causal)
    keys = seq_len + smaller(all_keys - seq_len, window - 1 + sinks)  # no others are kept
    inside = Heads(
        batch, num_heads, seq_len, keys, head_dim, value_dim, visible, scaled, sink_logits
    )
    biases = lettered(bias, q=q_bias, k=k_bias, v=v_bias, out=out_bias)
    return Projected(inside, d_model, num_kv_heads, biases, qk_norm).derivation()


@cost_function(
    DIVIDES,
    defaults={name: GENERAL[name] for name in ("num_kv_heads", "head_dim", "value_dim")}
    | {"kv_dim": Default("d_model")},
    minor=MINOR,
    chapter="attention_today",
    example=Example(
        "Whisper tiny, one token to a recording of 30 seconds",
        {"seq_len": 1, "kv_seq_len": 1500, "d_model": 384, "num_heads": 6, "k_bias": False},
    ),
)
def cross_attention(
    seq_len: Size,
    kv_seq_len: Size,
    d_model: Size,
    *,
    kv_dim: Size | None = None,
    num_heads: Size = 1,
    num_kv_heads: Size | None = None,
    head_dim: Size | None = None,
    value_dim: Size | None = None,
    batch: Size = 1,
    bias: bool = True,
    qk_norm: bool = False,
    scaled: bool = True,
    sink_logits: bool = False,
    q_bias: bool = True,
    k_bias: bool = True,
    v_bias: bool = True,
    out_bias: bool = True,
) -> Derivation:
    """Count the attention of a sequence to another one, such as a translation's to its source.

    Keys and values are projected for all positions of the other sequence; where they are
    kept from an earlier call, :func:`flopslib.scaled_dot_product_attention` and two linear
    layers are left.

    Args:
        seq_len: L, the positions that ask.
        kv_seq_len: the positions of the other sequence, more or fewer.
        d_model: d, the width of a position that asks.
        kv_dim: the width of a position of the other sequence; None: ``d_model``.
        num_heads: as in :func:`flopslib.attention`, like all that follow.
        num_kv_heads: as there.
        head_dim: as there.
        value_dim: as there.
        batch: as there.
        bias: as there.
        qk_norm: as there.
        scaled: as there.
        sink_logits: as there.
        q_bias: as there.
        k_bias: as there.
        v_bias: as there.
        out_bias: as there.

    Shapes:
        the input and the output are (B, L, d), the memory (B, kv_seq_len, kv_dim).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: a size below 1, heads that do not divide what they must.

    Source:
        not in the notes; the chapter *Attention today*.

    >>> cross_attention(2, 5, 12, kv_dim=7, num_heads=3).macs
    1656
    """
    inside = Heads(
        batch, num_heads, seq_len, kv_seq_len, head_dim, value_dim, None, scaled, sink_logits
    )
    biases = lettered(bias, q=q_bias, k=k_bias, v=v_bias, out=out_bias)
    memory = (kv_dim, kv_seq_len)
    return Projected(inside, d_model, num_kv_heads, biases, qk_norm, memory).derivation()
