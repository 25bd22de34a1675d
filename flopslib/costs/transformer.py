"""What a whole layer of a Transformer costs."""

from __future__ import annotations

from flopslib.costs.attending import AT_LEAST, DIVIDES, multihead_attention
from flopslib.costs.attending import DEFAULTS as ATTENTION_DEFAULTS
from flopslib.costs.mlp import DEFAULTS as FFN_DEFAULTS
from flopslib.costs.mlp import feed_forward
from flopslib.costs.registry import Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Step
from flopslib.sizes.exact import Size


@cost_function(
    DIVIDES,
    at_least=AT_LEAST,
    defaults=ATTENTION_DEFAULTS | FFN_DEFAULTS,
    chapter="transformer",
    example=Example(
        "GPT-2 small, 1024 tokens, no mask",
        {"seq_len": 1024, "d_model": 768, "num_heads": 12, "tanh_gelu": True},
    ),
)
def transformer_layer(
    seq_len: Size,
    d_model: Size,
    *,
    num_heads: Size = 1,
    num_kv_heads: Size | None = None,
    head_dim: Size | None = None,
    kv_seq_len: Size | None = None,
    causal: bool = False,
    d_ff: Size | None = None,
    batch: Size = 1,
    bias: bool = True,
    tanh_gelu: bool = False,
) -> Derivation:
    """Count a Transformer layer: attention and FFN, each with a norm and a residual sum.

    Norms before or after cost the same. There is no final norm.

    Args:
        seq_len: L, the new positions.
        d_model: d, the width of a position.
        num_heads: h, the heads of the queries.
        num_kv_heads: the heads of keys and values; None: as many as ``num_heads``.
        head_dim: the width of a head; None: d_model / num_heads.
        kv_seq_len: all positions that can be attended to; None: ``seq_len``.
        causal: whether a position sees only itself and what is before it.
        d_ff: the width inside the FFN; None: 4 · d_model.
        batch: B, how many sequences.
        bias: whether the linear layers and both norms have biases, as in torch.
        tanh_gelu: whether GELU is computed by tanh, as GPT-2 does; False: by erf, exactly.

    Shapes:
        the input and the output are (B, L, d).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: as :func:`flopslib.multihead_attention` does.

    Source:
        Section 10.4 of the notes; the chapter *The Transformer layer*.

    >>> transformer_layer(5, 12, num_heads=3).macs
    9240
    """
    positions = batch * seq_len
    x, seen, y = (Operand(name, (batch, seq_len, d_model)) for name in ("x", "seen", "y"))

    def norm(which: str, number: int, x: Operand) -> Derivation:
        learnt = (f"gamma_{number}", f"beta_{number}")[: 2 if bias else 1]
        weights = (Operand(name, (d_model,), "weight") for name in learnt)
        part, y = primitives.layer_norm(d_model, bias), Operand(f"normalised_{number}", x.shape)
        step = Step(f"{which} norm", (part,), (positions,), "token", (x, *weights), y)
        return Derivation((step,), step.name)

    def residual(which: str, reads: tuple[Operand, ...], y: Operand) -> Derivation:
        name, shape = f"{which} residual sum", (positions, d_model)
        step = Step(name, (primitives.residual_sum(),), shape, reads=reads, writes=y)
        return Derivation((step,), name)

    first, second = norm("first", 1, x), norm("second", 2, seen)
    attention = multihead_attention(
        seq_len, d_model, num_heads=num_heads, num_kv_heads=num_kv_heads, head_dim=head_dim,
        kv_seq_len=kv_seq_len, causal=causal, batch=batch, bias=bias,
    ).on(x=first.result, y="found")  # fmt: skip
    ffn = feed_forward(seq_len, d_model, d_ff=d_ff, batch=batch, bias=bias, tanh_gelu=tanh_gelu)
    ffn = ffn.on(x=second.result, y="made")
    summed = residual("first", (x, attention.result), seen)
    steps = [first, attention, summed, second, ffn, residual("second", (seen, ffn.result), y)]
    return sum(steps, start=Derivation(())).named("Transformer layer")
