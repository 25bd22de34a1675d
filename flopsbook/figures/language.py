"""The figures of language models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flopsbook.figures.drawing import INK, plain_ticks, stacked
from flopsbook.figures.transformer import SQUARE, in_order, look
from flopsbook.picture import Picture, canvas, finished
from flopslib.layers import Layer
from flopslib.models.language import next_token, parts
from flopslib.models.model_list import catalogue

__all__ = [
    "model_shares",
    "model_shares_data",
    "token_context",
    "token_context_data",
]

ORDER = in_order(["logits"])
BILLION = 10**9


def _flops(build: Callable[..., Layer], seen: int) -> dict[str, int]:
    found = parts(next_token(build, seen - 1))
    return {name: 2 * found[name].macs for name in ORDER}


# --- one token -----------------------------------------------------------------


def token_context_data(
    build: Callable[..., Layer], contexts: Sequence[int], usual: int
) -> dict[str, Any]:
    """Return the FLOPs of one token over the positions that it sees, by part.

    "crossing" is how many it has to see for the scores and the weighted sum to cost
    as much as all the rest of its layers, without the logits.

    >>> from flopslib.models import llama_7b
    >>> data = token_context_data(llama_7b, [1, 2], usual=2048)
    >>> data["flops"]["scores and weighted sum"], data["crossing"]
    ([524288, 1048576], 24704)
    """
    found = [_flops(build, seen) for seen in contexts]
    one = _flops(build, 1)
    layers = one["projections"] + one["feed-forward"]
    return {
        "model": build.__name__,
        "contexts": list(contexts),
        "usual": usual,
        "usual flops": sum(_flops(build, usual).values()),
        "flops": {name: [flops[name] for flops in found] for name in ORDER},
        "crossing": layers // one["scores and weighted sum"],
    }


def token_context(build: Callable[..., Layer], contexts: Sequence[int], usual: int) -> Picture:
    """Draw the FLOPs of one token over the positions that it sees."""
    data = token_context_data(build, contexts, usual)
    with canvas(5.4, 3.8) as (figure, axes):
        base = [0.0] * len(contexts)
        for name, flops in data["flops"].items():
            colour, tint = look(name)
            top = [low + part / BILLION for low, part in zip(base, flops, strict=True)]
            axes.fill_between(contexts, base, top, facecolor=tint, edgecolor="none")
            axes.plot(contexts, top, color=colour, linewidth=1.6)
            base = top
        levels = _middles(data)
        for name, (x, y) in levels.items():
            axes.text(x, y, name, color=look(name)[0], ha="center", va="center")
        axes.plot([usual] * 2, [0, data["usual flops"] / BILLION], ":", color=INK)
        axes.annotate(f"{usual:,}", (usual, data["usual flops"] / BILLION), xytext=(0, 12),
                      textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
        _mark(axes, data)
        axes.set_xlim(contexts[0], contexts[-1])
        axes.set_ylim(0)
        axes.set_xlabel("positions that the token sees, itself among them")
        axes.set_title(f"{_named(data['model'])}: GFLOPs of one token")
        plain_ticks(axes, [0, *contexts[-1:], contexts[-1] // 2], lambda n: f"{n:,}")
        first, last = ((sum(f[at] for f in data["flops"].values())) / BILLION for at in (0, -1))
        at_usual = data["usual flops"] / BILLION
        return finished(
            figure,
            caption=f"What is multiplied by weights costs the same for every token; what the "
            f"token sees adds a little for each position. At {usual:,}, the length that the model "
            f"was trained on, that is still a thin wedge. It takes {data['crossing']:,} positions "
            f"for it to equal the rest of the layers (the dot).",
            alt=f"Bands on top of each other over the number of positions. Feed-forward, "
            f"projections and logits are level; above them the scores and the weighted sum rise "
            f"in a straight line. Together {first:.2f} GFLOPs for {contexts[0]:,} position, "
            f"{at_usual:.2f} for {usual:,}, {last:.2f} for {contexts[-1]:,}.",
            data=data,
        )


def _mark(axes: Any, data: dict[str, Any]) -> None:
    """Put a dot where the scores and the weighted sum equal the rest of the layers."""
    at, rest = data["crossing"], (data["flops"][name][0] for name in ORDER[:2])
    height = (2 * sum(rest) + data["flops"]["logits"][0]) / BILLION
    if at <= data["contexts"][-1]:
        axes.plot([at], [height], "o", color=SQUARE, markersize=8)
        axes.annotate(f"{at:,}", (at, height), xytext=(-6, 6), textcoords="offset points",
                      ha="right", color=SQUARE, fontsize=9)  # fmt: skip


def _middles(data: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return a place in the middle of each band for its name, where it is thick enough."""
    places, low = {}, 0.0
    for name, flops in data["flops"].items():
        high = flops[-1] / BILLION
        # the wedge is thick only on the right
        where, part = (0.68, 0.66) if flops[0] < flops[-1] else (0.45, 1.0)
        if high > 1:
            places[name] = (where * data["contexts"][-1], low + high * part / 2)
        low += high
    return places


# --- several models --------------------------------------------------------------


def _named(model: str) -> str:
    names = {"gpt": "GPT", "llama": "LLaMA", "llama2": "Llama-2", "llama3": "Llama-3"}
    family, _, size = model.partition("_")
    sized = size.upper() if size[:1].isdigit() else size.replace("xl", "XL")
    written = names.get(family) or family.replace("gpt", "GPT-")
    return f"{written}{'-' if size[:1].isdigit() else ' '}{sized}".strip()


def model_shares_data(models: Sequence[str], seen: int) -> dict[str, Any]:
    """Return which share of one token's FLOPs each part of a model has.

    >>> data = model_shares_data(["gpt2_small"], seen=1)
    >>> [round(share, 3) for share in data["shares"]["logits"]]
    [0.312]
    """
    found = [_flops(catalogue()[model].build, seen) for model in models]
    shares = {name: [f[name] / sum(f.values()) for f in found] for name in ORDER}
    return {"models": list(models), "seen": seen, "shares": shares}


def model_shares(models: Sequence[str], seen: int) -> Picture:
    """Draw, for each model, how one token's FLOPs divide into parts."""
    data = model_shares_data(models, seen)
    with canvas(5.4, 1.0 + 0.42 * len(models)) as (figure, axes):
        stacked(axes, [_named(model) for model in models], data["shares"], look)
        rows = (
            f"{_named(model)}: "
            + ", ".join(f"{name} {100 * s[at]:.0f} %" for name, s in data["shares"].items())
            for at, model in enumerate(models)
        )
        logits = data["shares"]["logits"]
        most, least = (logits.index(bound(logits)) for bound in (max, min))
        return finished(
            figure,
            caption=f"Where the FLOPs of one token are, if it sees {seen:,} positions. The "
            f"logits grow with the vocabulary and not with the depth: they are "
            f"{100 * logits[most]:.2g} % in {_named(models[most])} and {100 * logits[least]:.1g} % "
            f"in {_named(models[least])}.",
            alt="Bars divided into shares. " + "; ".join(rows) + ".",
            data=data,
        )
