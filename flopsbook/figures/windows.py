"""The figures of today's attention: which pairs are seen, and what each form costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flopsbook.figures.attention import EMPTY, SCORE, _cell
from flopsbook.figures.drawing import BLUE, INK, QUIET, blank, plain_ticks, subscript
from flopsbook.picture import Picture, canvas, finished
from flopslib import latent_attention
from flopslib.loops.attending import visible

__all__ = ["latent_forms", "latent_forms_data", "window_squares", "window_squares_data"]


def window_squares_data(seq_len: int, window: int, sinks: int) -> dict[str, Any]:
    """Return which keys each query sees through a window, and with sinks besides.

    >>> window_squares_data(5, 2, 1)["pairs"]
    {'window': 9, 'window and sinks': 12}
    """
    kinds = {"window": 0, "window and sinks": sinks}
    seen = {
        name: [
            visible(i, seq_len, seq_len, causal=True, window=window, sinks=first)
            for i in range(seq_len)
        ]
        for name, first in kinds.items()
    }
    pairs = {name: sum(map(len, rows)) for name, rows in seen.items()}
    return {"keys": seq_len, "window": window, "sinks": sinks, "seen": seen, "pairs": pairs}


def window_squares(seq_len: int, window: int, sinks: int = 1) -> Picture:
    """Draw the pairs that a window leaves, without sinks and with them."""
    data = window_squares_data(seq_len, window, sinks)
    wide = 2 * seq_len + 3.4
    with canvas(5.4, 5.4 * (seq_len + 2.1) / wide) as (figure, axes):
        blank(axes, wide, seq_len + 1.9)
        for at, (name, rows) in enumerate(data["seen"].items()):
            left = 1.0 + at * (seq_len + 2.2)
            axes.text(left, 0.3, f"{name}: {data['pairs'][name]} pairs", va="center")
            for i, row in enumerate(rows):
                number = subscript(i + 1)
                axes.text(left - 0.15, i + 1.8, f"q{number}", ha="right", va="center", color=QUIET)
                axes.text(left + i + 0.5, 0.95, f"k{number}", ha="center", va="center", color=QUIET)
                for j in range(seq_len):
                    _cell(axes, left + j, i + 1.3, SCORE if j in row else EMPTY)
        first, second = data["pairs"].values()
        return finished(
            figure,
            caption=f"A window of {window} tokens: each sees itself and the {window - 1} before "
            f"it, as far as there are any, which makes {first} pairs. With {sinks} sink"
            f"{'' if sinks == 1 else 's'} the beginning is seen from everywhere: {second} pairs.",
            alt=f"Two grids of {seq_len} queries and {seq_len} keys with filled cells along the "
            f"diagonal, {first} and {second}. In the second, keys up to k{subscript(sinks)} are "
            "filled for all queries below them, too.",
            data=data,
        )


#: DeepSeek-V3, whose latents the figure is about.
LATENT: dict[str, Any] = {
    "d_model": 7168, "q_rank": 1536, "kv_rank": 512, "rope_dim": 64, "num_heads": 128,
    "head_dim": 128, "causal": True,
}  # fmt: skip


def latent_forms_data(cached: int, new: Sequence[int]) -> dict[str, Any]:
    """Return the MACs of each form of latent attention for so many new tokens after others.

    >>> data = latent_forms_data(4096, [1, 4096])
    >>> [a < b for a, b in zip(data["absorbed"], data["projected"])]
    [True, False]
    """
    forms = {"projected": False, "absorbed": True}
    found = {
        name: [
            latent_attention(n, kv_seq_len=cached + n, absorbed=absorbed, **LATENT).macs
            for n in new
        ]
        for name, absorbed in forms.items()
    }
    return {"new": list(new), "cached": cached, **found}


def latent_forms(cached: int, new: Sequence[int]) -> Picture:
    """Draw what both forms of latent attention cost, by the number of new tokens."""
    data = latent_forms_data(cached, new)
    with canvas(5.2, 3) as (figure, axes):
        axes.plot(data["new"], data["projected"], color=BLUE, marker="o", label="projected")
        axes.plot(data["new"], data["absorbed"], color=INK, marker="s", linestyle="--",
                  label="absorbed")  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        plain_ticks(axes, data["new"], "{:,}".format)
        axes.set(xlabel="new tokens", ylabel="MACs of a layer")
        axes.legend(loc="upper left", fontsize=9)
        both = zip(data["new"], data["projected"], data["absorbed"], strict=True)
        last = max(n for n, projected, absorbed in both if absorbed < projected)
        return finished(
            figure,
            caption=f"Both forms of latent attention of DeepSeek-V3, after {cached:,} tokens whose "
            f"latents are kept. Up to {last:,} new tokens at once the absorbed form is cheaper.",
            alt="Two rising curves. The projected form begins much higher and is the lower one at "
            f"the end; the absorbed form is lower up to {last:,} new tokens.",
            data=data,
        )
