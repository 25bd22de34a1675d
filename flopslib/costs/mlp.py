"""What the feed-forward network of a Transformer costs."""

from __future__ import annotations

from typing import Any

from flopslib.costs.dense import linear
from flopslib.costs.registry import Default, Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
from flopslib.sizes.exact import Size

DEFAULTS = {"d_ff": Default("d_model", times=4)}


@cost_function(
    defaults=DEFAULTS,
    chapter="feed_forward",
    example=Example(
        "GPT-2 small, 1024 tokens", {"seq_len": 1024, "d_model": 768, "tanh_gelu": True}
    ),
)
def feed_forward(
    seq_len: Size,
    d_model: Size,
    *,
    d_ff: Size | None = None,
    batch: Size = 1,
    bias: bool = True,
    tanh_gelu: bool = False,
) -> Derivation:
    """Count a feed-forward network: linear, GELU, linear, at every position.

    Args:
        seq_len: L, the positions.
        d_model: d, the width of a position.
        d_ff: the width in between; None: 4 · d_model.
        batch: B, how many sequences.
        bias: whether the two linear layers have biases.
        tanh_gelu: whether GELU is computed by tanh, as GPT-2 does; False: by erf, exactly.

    Shapes:
        the input and the output are (B, L, d), in between (B, L, d_ff).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1.

    Source:
        Section 10.4 of the notes, step 5; the chapter *The feed-forward network*.

    >>> feed_forward(5, 12).macs
    5760
    >>> feed_forward(5, 12, d_ff=32).macs
    3840
    """
    hidden: Any = d_ff  # the registry has filled it in
    positions = batch * seq_len
    x, y = (Operand(name, (batch, seq_len, d_model)) for name in ("x", "y"))
    first = linear(d_model, hidden, batch=positions, bias=bias).named("first linear")
    first = first.on(x=x, weight="w_1", bias="b_1", y="hidden")
    bent = Operand("bent", (positions, hidden))
    bend = primitives.gelu_tanh() if tanh_gelu else primitives.gelu()
    gelu = Step("GELU", (bend,), bent.shape, "hidden number", (first.result,), bent)
    second = linear(hidden, d_model, batch=positions, bias=bias).named("second linear")
    second = second.on(x=bent, weight="w_2", bias="b_2", y=y)
    return (first + Derivation((gelu,)) + second).named("FFN")


@cost_function(
    chapter="more_layers",
    example=Example(
        "LLaMA-7B, one token",
        {"seq_len": 1, "d_model": 4096, "d_ff": 11008, "bias": False},
    ),
)
def gated_feed_forward(
    seq_len: Size, d_model: Size, d_ff: Size, *, batch: Size = 1, bias: bool = True
) -> Derivation:
    """Count a gated feed-forward network (SwiGLU): three linear layers, SiLU, one product.

    Args:
        seq_len: L, the positions.
        d_model: d, the width of a position.
        d_ff: the width in between, of the gate and of what it lets through.
        batch: B, how many sequences.
        bias: whether the three linear layers have biases.

    Shapes:
        the input and the output are (B, L, d), in between (B, L, d_ff) twice.

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1.

    Source:
        not in the notes; the chapter *More layers*.

    >>> gated_feed_forward(1, 4096, 11008, bias=False).macs
    135266304
    """
    positions: Any = batch * seq_len
    x, y = (Operand(name, (batch, seq_len, d_model)) for name in ("x", "y"))
    bent, passed = (Operand(name, (positions, d_ff)) for name in ("bent", "passed"))

    def hidden(part: Part, reads: tuple[Operand, ...], writes: Operand, name: str) -> Derivation:
        return Derivation((Step(name, (part,), writes.shape, "hidden number", reads, writes),))

    widen = linear(d_model, d_ff, batch=positions, bias=bias).on(x=x)
    gate = widen.named("gate projection").on(weight="w_gate", bias="b_gate", y="gates")
    up = widen.named("up projection").on(weight="w_up", bias="b_up", y="hidden")
    down = linear(d_ff, d_model, batch=positions, bias=bias).named("down projection")
    return (
        gate
        + hidden(primitives.silu(), (gate.result,), bent, "SiLU")
        + up
        + hidden(primitives.elementwise_product(), (up.result, bent), passed, "gate")
        + down.on(x=passed, weight="w_down", bias="b_down", y=y)
    ).named("gated FFN")
