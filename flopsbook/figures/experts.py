"""The figures of mixtures of experts: who visits whom, and what a batch has to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flopsbook.figures.drawing import BLUE, BLUE_TINT, FAINT, INK, QUIET, blank, plain_ticks
from flopsbook.picture import Picture, canvas, finished
from flopslib.loops.experts import places_of
from flopslib.loops.primitives import top_k

__all__ = ["bytes_of_experts", "bytes_of_experts_data", "visits", "visits_data"]

#: Scores of six tokens, made up; a router would compute them.
SCORES = (
    (2, 9, 1, 4), (7, 3, 8, 1), (1, 6, 2, 5), (8, 2, 3, 1), (3, 9, 4, 2), (2, 8, 7, 1),
)  # fmt: skip


def visits_data(visited: int = 2) -> dict[str, Any]:
    """Return which experts each token visits, and how many tokens each expert has.

    >>> visits_data(2)["load"]
    [2, 4, 4, 2]
    """
    chosen = [sorted(places_of(row, top_k(row, visited))) for row in SCORES]
    load = [sum(expert in row for row in chosen) for expert in range(len(SCORES[0]))]
    return {"scores": [list(row) for row in SCORES], "chosen": chosen, "load": load}


def visits(visited: int = 2) -> Picture:
    """Draw the scores of tokens, and which experts they visit."""
    from matplotlib.patches import Rectangle

    data = visits_data(visited)
    tokens, experts = len(data["chosen"]), len(data["load"])
    left, top = 2.2, 1.4
    with canvas(4.4, 4.4 * (tokens + 3) / (experts + 3.4)) as (figure, axes):
        blank(axes, experts + 3.4, tokens + 3)
        for expert in range(experts):
            axes.text(left + expert + 0.5, 0.9, f"expert {expert + 1}", ha="center", fontsize=7.5,
                      color=QUIET)  # fmt: skip
        for token, (row, chosen) in enumerate(zip(data["scores"], data["chosen"], strict=True)):
            axes.text(left - 0.2, top + token + 0.6, f"token {token + 1}", ha="right", color=QUIET)
            for expert, score in enumerate(row):
                is_chosen = expert in chosen
                axes.add_patch(
                    Rectangle((left + expert + 0.06, top + token + 0.06), 0.88, 0.88,
                              facecolor=BLUE_TINT if is_chosen else "none",
                              edgecolor=BLUE if is_chosen else FAINT)
                )  # fmt: skip
                axes.text(left + expert + 0.5, top + token + 0.6, str(score), ha="center",
                          color=INK if is_chosen else QUIET)  # fmt: skip
        for expert, load in enumerate(data["load"]):
            axes.text(left + expert + 0.5, top + tokens + 0.7, f"{load}", ha="center", color=BLUE)
        axes.text(left - 0.2, top + tokens + 0.7, "tokens", ha="right", color=BLUE)
        loads = data["load"]
        return finished(
            figure,
            caption=f"A row has the scores of a token, made up here. The {visited} experts with "
            "the largest scores are visited (blue). Below is how many tokens each expert works "
            f"on: from {min(loads)} to {max(loads)}, where {sum(loads) // experts} would be even.",
            alt=f"A grid of {tokens} tokens and {experts} experts with a score in each cell; "
            f"{visited} cells of each row are filled. Column sums: {', '.join(map(str, loads))}.",
            data=data,
        )


def bytes_of_experts_data(experts: int, visited: int, batches: Sequence[int]) -> dict[str, Any]:
    """Return the share of the experts that a batch visits: at most, and by chance.

    >>> bytes_of_experts_data(8, 2, [1, 2, 16])["most"]
    [0.25, 0.5, 1.0]
    """
    most = [min(experts, visited * tokens) / experts for tokens in batches]
    chance = [1 - (1 - visited / experts) ** tokens for tokens in batches]
    return {"tokens": list(batches), "most": most, "chance": chance}


def bytes_of_experts(experts: int, visited: int, batches: Sequence[int]) -> Picture:
    """Draw how soon a batch has to read all experts."""
    data = bytes_of_experts_data(experts, visited, batches)
    with canvas(5.2, 3) as (figure, axes):
        axes.plot(data["tokens"], data["most"], color=BLUE, marker="o", label="at most")
        axes.plot(data["tokens"], data["chance"], color=INK, marker="s", linestyle="--",
                  label="if all experts are equally likely")  # fmt: skip
        axes.set_xscale("log", base=2)
        plain_ticks(axes, data["tokens"], "{:,}".format)
        axes.set(xlabel="tokens at once", ylabel="share of the experts read", ylim=(0, 1.05))
        axes.legend(loc="lower right", fontsize=9)
        half = next(
            t for t, share in zip(data["tokens"], data["chance"], strict=True) if share > 0.5
        )
        return finished(
            figure,
            caption=f"How much of {experts} experts a batch reads, if each token visits {visited}. "
            f"With {half} tokens it is more than half already.",
            alt=f"Two rising curves over {data['tokens'][0]} to {data['tokens'][-1]:,} tokens. At "
            f"most: {', '.join(f'{share:.0%}' for share in data['most'])}. By chance: "
            f"{', '.join(f'{share:.0%}' for share in data['chance'])}.",
            data=data,
        )
