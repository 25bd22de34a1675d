"""Where attention overtakes the FFN: two curves, and the length at which they meet."""

from __future__ import annotations

from typing import Any

from flopsbook.labs.presets import presets
from flopsbook.labs.view import Lab, lab
from flopslib.costs import feed_forward, gated_feed_forward, multihead_attention
from flopslib.costs.mlp import DEFAULTS as FFN_DEFAULTS
from flopslib.costs.registry import CostFunction, Default
from flopslib.costs.symbolic import formula
from flopslib.derivation.derivation import Derivation
from flopslib.sizes.exact import Size

__all__ = ["crossover"]


def attention_and_ffn(
    seq_len: Size,
    d_model: Size,
    *,
    num_heads: Size = 1,
    num_kv_heads: Size | None = None,
    d_ff: Size | None = None,
    causal: bool = False,
    gated: bool = False,
    batch: Size = 1,
    bias: bool = True,
    tanh_gelu: bool = False,
) -> Derivation:
    """Count the two halves of a Transformer layer, without norms and residual sums.

    Args:
        seq_len: L, the tokens.
        d_model: d, the width of a token.
        num_heads: h, the heads of the queries.
        num_kv_heads: the heads of keys and values; None: as many.
        d_ff: the width inside the FFN; None: 4 · d_model.
        causal: whether a token sees only itself and the tokens before it.
        gated: whether the FFN has a gate, and so three matrices.
        batch: B, how many sequences.
        bias: whether the linear layers have biases.
        tanh_gelu: whether GELU is computed by tanh; a gated FFN has none.

    >>> attention_and_ffn(5, 12, num_heads=3).macs
    9240
    """
    attention = multihead_attention(
        seq_len, d_model, num_heads=num_heads, num_kv_heads=num_kv_heads, causal=causal,
        batch=batch, bias=bias,
    )  # fmt: skip
    width: Any = FFN_DEFAULTS["d_ff"].value({"d_model": d_model}) if d_ff is None else d_ff
    options: Any = {"d_ff": width, "batch": batch, "bias": bias}
    if gated:
        return attention + gated_feed_forward(seq_len, d_model, **options)
    return attention + feed_forward(seq_len, d_model, **options, tanh_gelu=tanh_gelu)


# it is made of layers and is none itself, so the registry does not have it
BOTH = CostFunction(
    "attention_and_ffn",
    attention_and_ffn,
    divides={"num_kv_heads": ("num_heads",), "num_heads": ("d_model",)},
    defaults={"num_kv_heads": Default("num_heads")} | FFN_DEFAULTS,
)


def crossover(preset: str | None = None) -> Lab:
    """Make a lab of attention against the FFN.

    Args:
        preset: the name of the layer that it opens with. None: the first one.

    Raises:
        ValueError: no layer is called that.

    >>> print(repr(crossover()).splitlines()[2])
    | GPT-2 small | 8,858,370,048 | 17,716,740,096 | 17,759,981,568 |
    """
    series = {
        "attention": _names(
            formula(multihead_attention), formula(multihead_attention, causal=True)
        ),
        "the FFN": _names(formula(feed_forward), formula(gated_feed_forward)),
    }
    return lab(BOTH, preset=preset, presets=_layers(), series=series, name="crossover")


def _names(*derivations: Derivation) -> list[str]:
    return list(dict.fromkeys(step.name for d in derivations for step in d.steps))


def _layers() -> dict[str, dict[str, Any]]:
    """Return real layers, from what the two halves are tried with."""
    halves = presets("multihead_attention")
    plain, gated = presets("feed_forward"), presets("gated_feed_forward")
    return {
        what.partition(",")[0]: halves[what] | network | {"gated": what in gated}
        for what, network in (plain | gated).items()
        if what in halves
    }
