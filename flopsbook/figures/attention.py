"""The figures of attention."""

from __future__ import annotations

from typing import Any

from flopsbook.figures.drawing import FAINT, QUIET, blank
from flopsbook.figures.transformer import SQUARE, SQUARE_TINT
from flopsbook.picture import Picture, canvas, finished
from flopslib.costs import multihead_attention
from flopslib.derivation.steps import Derivation


def attention_square_data(seq_len: int, kv_seq_len: int | None = None) -> dict[str, Any]:
    """Return which keys each query sees without and with a causal mask, and how many pairs.

    >>> attention_square_data(3)
    {'keys': 3, 'seen': {'full': [3, 3, 3], 'causal': [1, 2, 3]}, 'pairs': {'full': 9, 'causal': 6}}
    """
    keys = kv_seq_len or seq_len
    seen = {
        "full": [keys] * seq_len,
        "causal": [keys - seq_len + i + 1 for i in range(seq_len)],
    }
    pairs = {
        mask: _scores(multihead_attention(seq_len, 1, kv_seq_len=keys, causal=mask == "causal"))
        for mask in seen
    }
    return {"keys": keys, "seen": seen, "pairs": pairs}


def _scores(attention: Derivation) -> Any:
    return next(step.outputs for step in attention.steps if step.name == "scores")


def attention_square(seq_len: int, kv_seq_len: int | None = None) -> Picture:
    """Draw the square of scores without and with a causal mask."""
    data = attention_square_data(seq_len, kv_seq_len)
    keys, pairs = data["keys"], data["pairs"]
    with canvas(5.4, 0.9 + 2.2 * (seq_len + 1.2) / keys) as (figure, axes):
        blank(axes, 2 * keys + 2.4, seq_len + 1.8)
        for left, (mask, seen) in zip((0.6, keys + 2), data["seen"].items(), strict=True):
            title = "every pair" if mask == "full" else "causal"
            axes.text(left, 0.4, f"{title}: {pairs[mask]} scores", va="center")
            for row, visible in enumerate(seen):
                axes.text(left - 0.15, row + 1.5, str(row + 1), ha="right", va="center",
                          color=QUIET, fontsize=9)  # fmt: skip
                _row(axes, left, row + 1, visible, keys)
            axes.text(left, seq_len + 1.45, "keys →", va="center", color=QUIET, fontsize=9)
        cached = f" (the first {keys - seq_len} from a cache)" if keys > seq_len else ""
        return finished(
            figure,
            caption=f"A cell is one pair of a query (row) and a key (column){cached}, and "
            f"so one score. With a causal mask a position sees itself and what is before it: "
            f"{pairs['causal']} of {pairs['full']} pairs. That is half the square and half "
            f"of its diagonal."
            if keys == seq_len
            else f"A cell is one pair of a query (row) and a key (column){cached}. Only the new "
            f"positions ask: {pairs['causal']} of {pairs['full']} pairs are visible.",
            alt=f"Two grids of {seq_len} rows and {keys} columns. In the first every cell is "
            f"filled, {pairs['full']}. In the second the rows have "
            f"{', '.join(map(str, data['seen']['causal']))} filled cells from the left, "
            f"{pairs['causal']} together.",
            data=data,
        )


def _row(axes: Any, x: float, y: float, visible: int, keys: int) -> None:
    from matplotlib.patches import Rectangle

    for at in range(keys):
        filled: Any = {"facecolor": SQUARE_TINT, "edgecolor": SQUARE, "linewidth": 1, "zorder": 2}
        empty: Any = {"facecolor": "none", "edgecolor": FAINT, "linewidth": 0.8}
        axes.add_patch(Rectangle((x + at, y), 1, 1, **(filled if at < visible else empty)))
