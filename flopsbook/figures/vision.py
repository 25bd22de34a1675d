"""The figures of the Vision Transformer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flopsbook.figures.drawing import (
    BLUE,
    BLUE_TINT,
    FAINT,
    INK,
    QUIET,
    blank,
    frame,
    plain_ticks,
    stacked,
)
from flopsbook.figures.transformer import GROUPS, SQUARE, in_order, look
from flopsbook.picture import Picture, canvas, finished
from flopslib.layers import ClassToken, Conv2d, Flatten, Layer, Permute, Sequential
from flopslib.models.vit import vision_transformer
from flopslib.report.report import Report, Row, count

__all__ = [
    "patches_data",
    "patches_picture",
    "vit_growth",
    "vit_growth_data",
    "vit_parts",
    "vit_shares",
    "vit_shares_data",
]


# --- the image in pieces -----------------------------------------------------


def patches_data(side: int, patch: int, width: int) -> dict[str, int]:
    """Return how a grey square image becomes tokens, and the MACs that this takes.

    >>> patches_data(4, 2, width=2)
    {'across': 2, 'pixels': 4, 'width': 2, 'tokens': 5, 'macs': 32}
    """
    cut = Sequential(
        patches=Conv2d(1, width, patch, stride=patch),
        flatten=Flatten(2),
        turn=Permute((0, 2, 1)),
        token=ClassToken(width),
    )
    report = count(cut, (1, 1, side, side))
    patches = report["patches"]
    (step,) = patches.derivation.steps  # type: ignore[union-attr]
    return {
        "across": patches.output_shape[-1],  # type: ignore[index]
        "pixels": step.per_output.macs,
        "width": report.output_shape[2],
        "tokens": report.output_shape[1],
        "macs": report.macs,
    }


def patches_picture(side: int, patch: int, width: int) -> Picture:
    """Draw an image, its patches, and the tokens that are made of them."""
    data = patches_data(side, patch, width)
    across, tokens = data["across"], data["tokens"]
    with canvas(5.4, 2.9) as (figure, axes):
        height = 1.3 * tokens + 1.3
        blank(axes, 13.4, height)
        top = (height + 0.8 - side) / 2
        _image(axes, 0.4, top, side, patch)
        for at in range(tokens):
            y, made = 1.3 * at + 1.2, at > 0
            _vector(axes, 8.6, y, width, made)
            label = f"patch {at}" if made else "class token"
            axes.text(8.9 + width, y + 0.5, label, va="center", color=INK if made else QUIET)
        for at in range(across**2):
            row, column = divmod(at, across)
            middle = (0.4 + (column + 0.5) * patch, top + (row + 0.5) * patch)
            axes.text(*middle, str(at + 1), ha="center", va="center", fontsize=14)
        style = {"arrowstyle": "->", "color": BLUE, "linewidth": 1.5}
        ends: Any = {"xy": (8.3, top + side / 2), "xytext": (0.8 + side, top + side / 2)}
        axes.annotate("", **ends, arrowprops=style)
        for line, below in ((f"{data['pixels']} × {width} products", -0.5), ("each", 0.6)):
            axes.text(4.5 + side / 2, top + side / 2 + below, line, ha="center", va="center",
                      color=BLUE)  # fmt: skip
        axes.text(0.4, 0.4, f"{side}×{side} pixels", va="center")
        axes.text(8.6, 0.4, f"{tokens} tokens", va="center")
        return finished(
            figure,
            caption=f"Each patch of {patch}×{patch} pixels becomes a token of {width} numbers, "
            f"each a dot product with all {data['pixels']} pixels of the patch; together "
            f"{data['macs']} MACs. The class token is put in front, without any "
            f"product.",
            alt=f"A square of {side} by {side} pixels in {across} by {across} framed patches. "
            f"An arrow, {data['pixels']} × {width} products for each patch, leads to "
            f"{tokens - 1} rows of {width} cells, one for each patch; one more row, the class "
            f"token, is above them, dashed.",
            data=data,
        )


def _image(axes: Any, x: float, y: float, side: int, patch: int) -> None:
    from matplotlib.patches import Rectangle

    for row in range(side):
        for column in range(side):
            corner = (x + column, y + row)
            look: Any = {"facecolor": "none", "edgecolor": FAINT, "linewidth": 1}
            axes.add_patch(Rectangle(corner, 1, 1, **look))
    for row in range(0, side, patch):
        for column in range(0, side, patch):
            frame(axes, x + column, y + row, patch, patch)


def _vector(axes: Any, x: float, y: float, width: int, made: bool) -> None:
    from matplotlib.patches import Rectangle

    look: Any = {"facecolor": "none", "edgecolor": QUIET, "linewidth": 1, "linestyle": "--"}
    if made:
        look = {"facecolor": BLUE_TINT, "edgecolor": BLUE, "linewidth": 1.2}
    for at in range(width):
        axes.add_patch(Rectangle((x + at, y), 1, 1, **look))


# --- where the operations are ------------------------------------------------

ENDS = "patches and head"


def vit_parts(report: Report) -> dict[str, int]:
    """Return the MACs of a Vision Transformer, by what they are for.

    >>> from flopslib.models import vit_b_16
    >>> parts = vit_parts(count(vit_b_16(), (1, 3, 224, 224)))
    >>> parts["scores and weighted sum"], sum(parts.values())
    (715327488, 17563828224)
    """
    parts = dict.fromkeys(in_order([ENDS]), 0)
    for row in report.rows:
        for step in row.derivation.steps:
            parts[_part(row, step.name)] += step.macs
    return parts


def _part(row: Row, step: str) -> str:
    if row.type == "MultiheadAttention":
        return next((name for name, (_, _, has) in GROUPS.items() if has(step)), ENDS)
    return "feed-forward" if ".mlp." in row.path else ENDS


# --- how it grows ------------------------------------------------------------


def vit_shares_data(build: Callable[..., Layer], sides: Sequence[int]) -> dict[str, Any]:
    """Return the share of each part of a Vision Transformer, for images of several sizes.

    >>> from flopslib.models import vit_b_16
    >>> data = vit_shares_data(vit_b_16, [224, 1088])
    >>> data["tokens"], [round(s, 3) for s in data["shares"]["scores and weighted sum"]]
    ([197, 4625], [0.041, 0.499])
    """
    reports = [count(build(image_size=side), (1, 3, side, side)) for side in sides]
    parts = [vit_parts(report) for report in reports]
    return {
        "sides": list(sides),
        "tokens": [report["class_token"].output_shape[1] for report in reports],  # type: ignore[index]
        "shares": {
            name: [part[name] / report.macs for part, report in zip(parts, reports, strict=True)]
            for name in parts[0]
        },
    }


def vit_shares(build: Callable[..., Layer], sides: Sequence[int]) -> Picture:
    """Draw, for images of several sizes, how the MACs divide into parts."""
    data = vit_shares_data(build, sides)
    with canvas(5.4, 1.0 + 0.42 * len(sides)) as (figure, axes):
        stacked(axes, [f"{side} px" for side in sides], data["shares"], look)
        rows = (
            f"{side} pixels, {tokens:,} tokens: "
            + ", ".join(f"{name} {100 * s[at]:.0f} %" for name, s in data["shares"].items())
            for at, (side, tokens) in enumerate(zip(sides, data["tokens"], strict=True))
        )
        return finished(
            figure,
            caption="Where the MACs are, for square images of growing side. A larger image "
            "has more tokens, and only the scores and the weighted sum grow with their square.",
            alt="Bars divided into shares. " + "; ".join(rows) + ".",
            data=data,
        )


def vit_growth_data(patches: Sequence[int], sides: Sequence[int]) -> dict[str, Any]:
    """Return the MACs of a ViT-Base over the side of the image, for each size of its patches.

    "crossings" are the sides at which scores and weighted sum are half of a layer:
    there are 6d tokens, one of them the class token.

    >>> vit_growth_data([16], [224])["macs"]
    {16: [17563828224]}
    """
    width = 768
    return {
        "sides": list(sides),
        "macs": {patch: [_base(side, patch, width).macs for side in sides] for patch in patches},
        "crossings": {patch: patch * (6 * width - 1) ** 0.5 for patch in patches},
    }


def _base(side: int, patch: int, width: int) -> Report:
    model = vision_transformer(side, patch, 12, 12, width, 4 * width)
    return count(model, (1, 3, side, side))


def vit_growth(patches: Sequence[int], sides: Sequence[int]) -> Picture:
    """Draw how the MACs of a ViT-Base grow with the image, a line for each size of patches."""
    data = vit_growth_data(patches, sides)
    with canvas(5.4, 3.6) as (figure, axes):
        for (patch, macs), style in zip(data["macs"].items(), ("-", "--", ":"), strict=False):
            axes.loglog(sides, macs, style, color=BLUE, label=f"{patch}×{patch}", base=2)
            at = data["crossings"][patch]
            if sides[0] < at < sides[-1]:
                axes.plot([at], [_between(sides, macs, at)], "o", color=SQUARE, markersize=8)
        axes.set_yscale("log")
        axes.legend(loc="upper left", title="patches of")
        axes.set_xlabel("side of the image, pixels")
        axes.set_title("MACs of a ViT-Base")
        plain_ticks(axes, sides)
        first, last = ((m[1] / m[0], m[-1] / m[-2]) for m in (data["macs"][patches[0]],) * 2)
        marks = ", ".join(f"{data['crossings'][patch]:.0f}" for patch in patches)
        return finished(
            figure,
            caption=f"Twice the side is four times the tokens. With patches of "
            f"{patches[0]}×{patches[0]} the first doubling multiplies the MACs by "
            f"{first[0]:.1f}, the last by {last[1]:.1f}: beyond the dot, where there are 6d "
            f"tokens, the scores and the weighted sum are more than half of the layers.",
            alt=f"Rising lines on logarithmic axes, one for each size of patches, which bend "
            f"upwards. Smaller patches lie higher. The dots are at {marks} pixels.",
            data=data,
        )


def _between(sides: Sequence[int], macs: Sequence[int], at: float) -> float:
    from math import exp, log

    for (left, low), (right, high) in zip(
        zip(sides, macs, strict=True), list(zip(sides, macs, strict=True))[1:], strict=False
    ):
        if left <= at <= right:
            part = log(at / left) / log(right / left)
            return exp(log(low) + part * log(high / low))
    raise ValueError(f"{at} is not between {sides[0]} and {sides[-1]}")
