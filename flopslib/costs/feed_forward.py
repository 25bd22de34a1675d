"""What the feed-forward network of a Transformer costs."""

from __future__ import annotations

from typing import Any

from flopslib import primitives
from flopslib.costs.linear import linear
from flopslib.derivation import Derivation, Step
from flopslib.exact import Size
from flopslib.registry import Default, Example, cost_function

DEFAULTS = {"d_ff": Default("d_model", times=4)}


@cost_function(
    defaults=DEFAULTS,
    chapter="feed_forward",
    example=Example("GPT-2 small, 1024 tokens", {"seq_len": 1024, "d_model": 768}),
)
def feed_forward(
    seq_len: Size,
    d_model: Size,
    *,
    d_ff: Size | None = None,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count a feed-forward network: linear, exact GELU, linear, at every position.

    Args:
        seq_len: L, the positions.
        d_model: d, the width of a position.
        d_ff: the width in between; None: 4 · d_model.
        batch: B, how many sequences.
        bias: whether the two linear layers have biases.

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
    gelu = Step("GELU", (primitives.gelu(),), (positions, hidden), unit="hidden number")
    return (
        linear(d_model, hidden, batch=positions, bias=bias).named("first linear")
        + Derivation((gelu,))
        + linear(hidden, d_model, batch=positions, bias=bias).named("second linear")
    ).named("FFN")
