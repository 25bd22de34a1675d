"""The naive loops of one step of a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flopslib.loops import primitives
from flopslib.loops.dense import linear
from flopslib.loops.loop import loop


def each(function: Callable[..., Any], *vectors: Any) -> Any:
    """Do an operation with the numbers at every place of some states."""
    return [
        [function(*numbers) for numbers in zip(*rows, strict=True)]
        for rows in zip(*vectors, strict=True)
    ]


def summed(x: Any, w_i: Any, b_i: Any, h: Any, w_h: Any, b_h: Any) -> Any:
    """Add what a gate makes of the input to what it makes of the state."""
    return each(primitives.residual_sum, linear(x, w_i, b_i), linear(h, w_h, b_h))


def gate(bend: Callable[..., Any], x: Any, h: Any, w_i: Any, b_i: Any, w_h: Any, b_h: Any) -> Any:
    """Mix the input with the state, and bend it."""
    return each(bend, summed(x, w_i, b_i, h, w_h, b_h))


@loop()
def rnn_cell(x: Any, h: Any, w_ih: Any, b_ih: Any, w_hh: Any, b_hh: Any) -> Any:
    """Mix the input with the state, and bend it."""
    return gate(primitives.tanh, x, h, w_ih, b_ih, w_hh, b_hh)


def remember(x: Any, h: Any, c: Any, gates: Any) -> tuple[Any, Any]:
    """Return the new state and the new memory; ``gates`` has w_i, b_i, w_h, b_h for i, f, g, o."""
    of_i, of_f, of_g, of_o = gates
    i = gate(primitives.sigmoid, x, h, *of_i)
    f = gate(primitives.sigmoid, x, h, *of_f)
    g = gate(primitives.tanh, x, h, *of_g)
    o = gate(primitives.sigmoid, x, h, *of_o)
    kept = each(primitives.elementwise_product, f, c)
    new = each(primitives.elementwise_product, i, g)
    memory = each(primitives.residual_sum, kept, new)
    return each(primitives.elementwise_product, o, each(primitives.tanh, memory)), memory


@loop()
def lstm_cell(
    x: Any, h: Any, c: Any,
    w_ii: Any, b_ii: Any, w_hi: Any, b_hi: Any, w_if: Any, b_if: Any, w_hf: Any, b_hf: Any,
    w_ig: Any, b_ig: Any, w_hg: Any, b_hg: Any, w_io: Any, b_io: Any, w_ho: Any, b_ho: Any,
) -> Any:  # fmt: skip
    """Forget a part of the memory, add a new part, and let a part of it out."""
    gates = (
        (w_ii, b_ii, w_hi, b_hi), (w_if, b_if, w_hf, b_hf),
        (w_ig, b_ig, w_hg, b_hg), (w_io, b_io, w_ho, b_ho),
    )  # fmt: skip
    return remember(x, h, c, gates)[0]


@loop()
def gru_cell(
    x: Any, h: Any,
    w_ir: Any, b_ir: Any, w_hr: Any, b_hr: Any, w_iz: Any, b_iz: Any, w_hz: Any, b_hz: Any,
    w_in: Any, b_in: Any, w_hn: Any, b_hn: Any,
) -> Any:  # fmt: skip
    """Keep a part of the state, and replace the rest by a candidate."""
    r = gate(primitives.sigmoid, x, h, w_ir, b_ir, w_hr, b_hr)
    z = gate(primitives.sigmoid, x, h, w_iz, b_iz, w_hz, b_hz)
    of_x = linear(x, w_in, b_in)
    reset = each(primitives.elementwise_product, r, linear(h, w_hn, b_hn))
    n = each(primitives.tanh, each(primitives.residual_sum, of_x, reset))
    apart = each(primitives.difference, h, n)
    part = each(primitives.elementwise_product, z, apart)
    return each(primitives.residual_sum, n, part)
