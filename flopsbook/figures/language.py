"""The figures of language models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any

from flopsbook import palette
from flopsbook.figures.drawing import HATCHES, INK, QUIET, blank, plain_ticks, stacked
from flopsbook.figures.transformer import SQUARE, in_order, look
from flopsbook.picture import Picture, canvas, finished
from flopslib.layers import Layer
from flopslib.models.language import Piece, next_token, parts, summed
from flopslib.models.model_list import catalogue
from flopslib.report.pieces import Pieces, Share

__all__ = [
    "model_path",
    "model_path_data",
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


# --- a small model, block by block ---------------------------------------------

#: A part of a model -> the block that it is drawn in, where that has another name.
BLOCKS = {"norms": "norm", "projections": "attention", "scores and weighted sum": "attention"}
#: The height of a bar and of the way between two blocks, in cells.
BAR, WAY = 0.6, 0.5
#: Where the blocks are and how wide, where the two bars of a part begin, how long the longest is.
LEFT, WIDE, KEPT, MADE, LONGEST = 0.2, 4.6, 5.4, 10.8, 3.9


def model_path_data(build: Callable[..., Layer]) -> dict[str, Any]:
    """Return the blocks that a token goes through, with the parameters and MACs of their parts.

    Raises:
        ValueError: the model has more or less than one layer.

    >>> from flopslib.models import llama
    >>> data = model_path_data(lambda **of: llama(1, 2, 1, 4, vocab_size=3, **of))
    >>> block, pieces = data["blocks"][2]
    >>> block, pieces["projections"].macs, data["parameters"], data["macs"]
    ('attention', 16, 58, 50)
    """
    report = next_token(build)
    shares = chain.from_iterable(Pieces(report).shares)
    blocks = [(block, summed(found)) for block, found in groupby(shares, _block)]
    layers = [block for block, _ in blocks].count("attention")
    if layers != 1:
        raise ValueError(f"build must make a model of one layer, got {layers} layers")
    return {"blocks": blocks, "parameters": report.parameters, "macs": report.macs}


def _block(share: Share) -> str:
    return BLOCKS.get(share.name, share.name)


def model_path(build: Callable[..., Layer]) -> Picture:
    """Draw the blocks that a token goes through: what is stored there, and what is computed."""
    data = model_path_data(build)
    most = max(max(piece) for _, pieces in data["blocks"] for piece in pieces.values())
    height = 1.9 + WAY + sum(WAY + _tall(pieces) for _, pieces in data["blocks"])
    with canvas(5.4, 5.4 * height / 15.6) as (figure, axes):
        blank(axes, 15.6, height)
        for x, title in ((KEPT, "parameters"), (MADE, "MACs")):
            axes.text(x, 0.45, title, va="center", color=QUIET)
        _written(axes, 0.45, "a token")
        y = 0.8
        for block, pieces in data["blocks"]:
            _onward(axes, y)
            y = _boxed(axes, block, pieces, y + WAY, LONGEST / most)
        _onward(axes, y)
        _written(axes, y + WAY + 0.4, "predictions")
        said = "; ".join(f"{name} {has:,} and {macs:,}" for name, has, macs in _named_parts(data))
        return finished(
            figure,
            caption="The way of a token through the model. Each part has two bars: on the left its "
            "parameters, on the right its MACs. They differ for the table and the norms, which are "
            "in no matrix product, and for the scores and the weighted sum, which have no "
            f"weights. All parts together have {data['parameters']:,} parameters and "
            f"{data['macs']:,} MACs. The bypasses around attention and the feed-forward network "
            "are left out.",
            alt="From top to bottom: token table, norm, attention, norm, feed-forward, norm, "
            f"logits. Parameters and MACs: {said}.",
            data=data,
        )


def _named_parts(data: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    for _, pieces in data["blocks"]:
        for name, piece in pieces.items():
            yield (name, *piece)


def _tall(pieces: Mapping[str, Piece]) -> float:
    """Return the height of a block: a line for its name, or for each part a name and a bar."""
    return 1.0 if len(pieces) == 1 else 0.3 + 1.35 * len(pieces)


def _written(axes: Any, y: float, words: str) -> None:
    axes.text(LEFT + WIDE / 2, y, words, ha="center", va="center")


def _onward(axes: Any, y: float) -> None:
    """Draw the way to the next block."""
    style = {"arrowstyle": "->", "color": QUIET, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    middle = LEFT + WIDE / 2
    axes.annotate("", xy=(middle, y + WAY), xytext=(middle, y), arrowprops=style)


def _boxed(axes: Any, block: str, pieces: Mapping[str, Piece], top: float, scale: float) -> float:
    """Draw a block and the bars of its parts; return where it ends."""
    from matplotlib.patches import Rectangle

    height = _tall(pieces)
    box: Any = {"facecolor": "none", "edgecolor": INK, "linewidth": 1.4}
    axes.add_patch(Rectangle((LEFT, top), WIDE, height, **box))
    _written(axes, top + height / 2, block)
    for at, (part, piece) in enumerate(pieces.items()):
        y = top + (height - BAR) / 2
        if len(pieces) > 1:
            y = top + 0.8 + 1.35 * at
            axes.text(KEPT, y - 0.35, part, va="center", color=look(part)[0], fontsize=9)
        for x, number, (colour, tint) in (
            (KEPT, piece.parameters, (QUIET, palette.FAINT[0])),
            (MADE, piece.macs, look(part)),
        ):
            hatch = HATCHES.get(part) if x == MADE else None
            bar: Any = {"facecolor": tint, "edgecolor": colour, "linewidth": 1.4, "hatch": hatch}
            if number:
                axes.add_patch(Rectangle((x, y), scale * number, BAR, **bar))
            axes.text(x + scale * number + 0.15, y + BAR / 2, f"{number:,}", va="center",
                      fontsize=9)  # fmt: skip
    return top + height


# --- one token -----------------------------------------------------------------


def token_context_data(
    build: Callable[..., Layer], contexts: Sequence[int], usual: int
) -> dict[str, Any]:
    """Return the FLOPs of one token over the tokens that it sees, by part.

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
    """Draw the FLOPs of one token over the tokens that it sees."""
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
        axes.set_xlabel("tokens that the token sees, itself included")
        axes.set_title(f"{_named(data['model'])}: GFLOPs of one token")
        plain_ticks(axes, [0, *contexts[-1:], contexts[-1] // 2], lambda n: f"{n:,}")
        first, last = ((sum(f[at] for f in data["flops"].values())) / BILLION for at in (0, -1))
        at_usual = data["usual flops"] / BILLION
        return finished(
            figure,
            caption="The products with weights cost the same for every token. The scores and the "
            "weighted sum cost a little more for each token that is seen. "
            f"At {usual:,}, the length that the model was trained on, they are still a thin "
            f"wedge. Only at {data['crossing']:,} tokens do they cost as much as the rest of the "
            "layers (the dot).",
            alt="Bands on top of each other over the number of tokens that are seen. Feed-forward, "
            "projections and logits are level; above them the scores and the weighted sum rise "
            f"in a straight line. Together {first:.2f} GFLOPs for {contexts[0]:,} token, "
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
            caption=f"The parts of the FLOPs of one token that sees {seen:,} tokens. The "
            f"logits grow with the vocabulary and not with the depth: they are "
            f"{100 * logits[most]:.2g} % in {_named(models[most])} and {100 * logits[least]:.1g} % "
            f"in {_named(models[least])}.",
            alt="Bars divided into shares. " + "; ".join(rows) + ".",
            data=data,
        )
