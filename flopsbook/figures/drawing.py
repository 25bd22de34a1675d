"""The strokes that the figures share, and their colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import digits
from typing import Any

from flopsbook import palette

BLUE, ORANGE = palette.MULTIPLICATION[0], palette.ADDITION[0]
INK, QUIET, FAINT = palette.INK[0], palette.QUIET[0], palette.FAINT[0]
BLUE_TINT, ORANGE_TINT = palette.MULTIPLICATION_TINT[0], palette.ADDITION_TINT[0]


def blank(axes: Any, width: float, height: float) -> None:
    """Give the axes a size in cells, and hide them."""
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.axis("off")


def cell(axes: Any, x: float, y: float, label: str, **style: Any) -> None:
    """Draw one square cell with a label."""
    from matplotlib.patches import Rectangle

    colour = style.pop("colour", INK)
    look: Any = {"facecolor": "none", "edgecolor": FAINT, "linewidth": 1} | style
    axes.add_patch(Rectangle((x, y), 1, 1, **look))
    axes.text(x + 0.5, y + 0.52, label, ha="center", va="center", color=colour)


def frame(axes: Any, x: float, y: float, width: float, height: float) -> None:
    """Draw a thick frame."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((x, y), width, height, facecolor="none", edgecolor=BLUE, linewidth=2.5)
    )


def disc(axes: Any, x: float, y: float, sign: str) -> None:
    """Draw an operation: a disc with its sign."""
    from matplotlib.patches import Circle

    colour, tint = (BLUE, BLUE_TINT) if sign == "×" else (ORANGE, ORANGE_TINT)
    axes.add_patch(Circle((x, y), 0.34, facecolor=tint, edgecolor=colour, linewidth=1.5))
    axes.text(x, y + 0.02, sign, ha="center", va="center", color=colour, fontsize=12)


def arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a thin connection."""
    style = {"arrowstyle": "-", "color": QUIET, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def plain_ticks(axes: Any, values: Sequence[int], label: Callable[[int], str] = str) -> None:
    """Put ticks at the values and nowhere else."""
    axes.set_xticks(values, [label(value) for value in values])
    axes.minorticks_off()


#: A second mark of each part, for paper without colours.
HATCHES = {"scores and weighted sum": "///", "feed-forward": ".."}


def stacked(
    axes: Any,
    names: Sequence[str],
    shares: Mapping[str, Sequence[float]],
    look: Callable[[str], tuple[str, str]],
) -> None:
    """Draw a bar for each name, divided into shares; ``look`` gives a part's colour and tint."""
    starts = [0.0] * len(names)
    for part, sizes in shares.items():
        colour, tint = look(part)
        axes.barh(range(len(names)), sizes, left=starts, height=0.72, facecolor=tint,
                  edgecolor=colour, linewidth=1.4, hatch=HATCHES.get(part), label=part)  # fmt: skip
        for row, (start, share) in enumerate(zip(starts, sizes, strict=True)):
            if share > 0.11:
                axes.text(start + share / 2, row, f"{100 * share:.0f} %", ha="center", va="center",
                          color=colour, bbox={"facecolor": tint, "edgecolor": "none", "pad": 1.5},
                          zorder=3)  # fmt: skip
        starts = [start + share for start, share in zip(starts, sizes, strict=True)]
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.01)
    axes.set_xticks([])
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    # more than two would not fit in one line of the legend
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2, fontsize=9,
                handlelength=1.8, handleheight=1, columnspacing=1.2)  # fmt: skip


def subscript(number: int) -> str:
    """Write a number in small digits below the line."""
    return str(number).translate(str.maketrans(digits, "₀₁₂₃₄₅₆₇₈₉"))
