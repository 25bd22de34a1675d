"""The figures of the conventions and of the linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flopsbook.figures.drawing import (
    BLUE,
    BLUE_TINT,
    INK,
    ORANGE,
    ORANGE_TINT,
    QUIET,
    arrow,
    blank,
    disc,
    plain_ticks,
    subscript,
)
from flopsbook.picture import Picture, canvas, finished
from flopslib.costs import linear
from flopslib.derivation import primitives

__all__ = [
    "convention_gap",
    "convention_gap_data",
    "dot_product_data",
    "dot_product_picture",
    "linear_grid",
    "linear_grid_data",
    "linear_growth",
    "linear_growth_data",
]


def dot_product_data(terms: int) -> dict[str, Any]:
    """Return how many multiplications and additions a dot product draws.

    >>> dot_product_data(3)
    {'terms': 3, 'multiplications': 3, 'additions': 2}
    """
    cost = primitives.dot_product(terms).operations
    return {
        "terms": terms,
        "multiplications": cost.multiplications,
        "additions": cost.additions,
    }


def dot_product_picture(terms: int) -> Picture:
    """Draw a dot product as a circuit: a disc for every operation."""
    data = dot_product_data(terms)
    products, sums = data["multiplications"], data["additions"]
    with canvas(5, 2.6) as (figure, axes):
        blank(axes, 2 * products + 1.2, 4)
        for j in range(products):
            x = 2 * j + 1
            axes.text(x, 0.35, f"w{subscript(j + 1)}   x{subscript(j + 1)}", ha="center")
            arrow(axes, (x - 0.3, 0.6), (x - 0.12, 1.2))
            arrow(axes, (x + 0.3, 0.6), (x + 0.12, 1.2))
            disc(axes, x, 1.5, "×")
            if j:
                arrow(axes, (x, 1.84), (x, 2.66))
                arrow(axes, (x - 1.66, 3), (x - 0.34, 3))
            else:
                axes.plot([x, x, x + 0.34], [1.84, 3, 3], color=QUIET, linewidth=1)
        for j in range(sums):
            disc(axes, 2 * j + 3, 3, "+")
        arrow(axes, (2 * products - 0.66, 3), (2 * products + 0.2, 3))
        axes.text(2 * products + 0.35, 3.04, "y", ha="left", va="center")
        return finished(
            figure,
            caption=f"A dot product of {products} terms: {products} multiplications, "
            f"but only {sums} additions, because the first product is not added to anything.",
            alt=f"A circuit. {products} discs marked × each take one weight and one input. "
            f"Their results are joined from left to right by {sums} discs marked +, giving y.",
            data=data,
        )


def convention_gap_data(terms: Sequence[int]) -> dict[str, list[Any]]:
    """Return by how much 2·MACs exceeds the exact count of one output without a bias.

    >>> convention_gap_data([3, 50])["percent"]
    [20.0, 1.0101010101010102]
    """
    layers = [linear(size, 1, bias=False) for size in terms]
    excess = [layer.flops - layer.exact_flops for layer in layers]
    percent = [100 * gap / layer.exact_flops for gap, layer in zip(excess, layers, strict=True)]
    return {"terms": list(terms), "excess": excess, "percent": percent}


def convention_gap(terms: Sequence[int]) -> Picture:
    """Draw how fast the difference between the two conventions vanishes."""
    data = convention_gap_data(terms)
    first, last = (f"{data['percent'][at]:.2g} %" for at in (0, -1))
    with canvas(5, 3) as (figure, axes):
        axes.loglog(data["terms"], data["percent"], color=ORANGE, marker="o", markersize=5)
        axes.set_xlabel("n, terms of the dot product")
        axes.set_title("2·MACs above the exact count, %")
        plain_ticks(axes, data["terms"])
        axes.set_yticks([10, 1, 0.1, 0.01], ["10", "1", "0.1", "0.01"])
        return finished(
            figure,
            caption="By how much 2·MACs exceeds the exact count of a dot product without a bias: "
            "it is one addition, and the more terms there are, the less it matters.",
            alt=f"A falling straight line on logarithmic axes, from {first} at "
            f"n = {terms[0]} to {last} at n = {terms[-1]:,}.",
            data=data,
        )


def linear_grid_data(in_features: int, out_features: int) -> dict[str, int]:
    """Return what the grid of a linear layer draws: a × in each cell, + signs between.

    >>> linear_grid_data(3, 2)
    {'rows': 2, 'columns': 3, 'multiplications': 6, 'additions': 6}
    """
    layer = linear(in_features, out_features)
    return {
        "rows": layer.steps[0].outputs,
        "columns": layer.steps[0].per_output.multiplications,
        "multiplications": layer.multiplications,
        "additions": layer.additions,
    }


def linear_grid(in_features: int, out_features: int) -> Picture:
    """Draw every product of a linear layer, an output a row."""
    data = linear_grid_data(in_features, out_features)
    columns, rows = data["columns"], data["rows"]
    step = 1.5
    with canvas(4, 0.3 + 0.6 * rows) as (figure, axes):
        blank(axes, step * (columns + 1) + 1.1, 1.25 * rows + 0.2)
        for i in range(rows):
            y = 0.1 + 1.25 * i
            for j in range(columns):
                label = f"w{subscript(i + 1)}{subscript(j + 1)}·x{subscript(j + 1)}"
                style = {"facecolor": BLUE_TINT, "edgecolor": BLUE, "colour": BLUE}
                _wide_cell(axes, 0.1 + step * j, y, label, **style)
                _plus(axes, 0.1 + step * j + 1.35, y)
            style = {"facecolor": ORANGE_TINT, "edgecolor": ORANGE, "colour": ORANGE}
            _wide_cell(axes, 0.1 + step * columns, y, f"b{subscript(i + 1)}", **style)
            axes.text(step * (columns + 1) + 0.1, y + 0.52, f"=  y{subscript(i + 1)}", va="center")
        return finished(
            figure,
            caption=f"The arithmetic of a linear layer from {columns} inputs to {rows} outputs: a "
            f"row is one output, a blue cell one multiplication, a plus sign one addition.",
            alt=f"{rows} rows of {columns} blue cells, each holding a product of a weight and "
            f"an input, and one orange cell with the bias. A plus sign follows every blue "
            f"cell: {data['multiplications']} products and {data['additions']} plus signs.",
            data=data,
        )


def _wide_cell(axes: Any, x: float, y: float, label: str, *, colour: str, **look: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), 1.2, 1, linewidth=1.2, **look))
    axes.text(x + 0.6, y + 0.52, label, ha="center", va="center", color=colour)


def _plus(axes: Any, x: float, y: float) -> None:
    axes.text(x, y + 0.5, "+", ha="center", va="center", color=ORANGE, fontsize=13)


def linear_growth_data(widths: Sequence[int], batches: Sequence[int]) -> dict[str, Any]:
    """Return the FLOPs of square linear layers, for each batch a list over the widths.

    >>> linear_growth_data([10, 20], [1])["flops"]
    {1: [200, 800]}
    """
    flops = {
        batch: [linear(width, width, batch=batch).flops for width in widths] for batch in batches
    }
    return {"widths": list(widths), "flops": flops}


def linear_growth(widths: Sequence[int], batches: Sequence[int]) -> Picture:
    """Draw how the FLOPs of a square linear layer grow with its width and batch."""
    data = linear_growth_data(widths, batches)
    with canvas(5, 3.4) as (figure, axes):
        styles = ("-", "--", ":")
        for (batch, flops), style in zip(data["flops"].items(), styles, strict=False):
            axes.loglog(widths, flops, style, color=BLUE, marker="o", markersize=4)
            axes.annotate(
                f"B = {batch}", (widths[-1], flops[-1]), xytext=(6, 0),
                textcoords="offset points", va="center", color=INK,
            )  # fmt: skip
        axes.set_xlabel("I = O, the width of the layer")
        axes.set_title("FLOPs of one forward pass")
        plain_ticks(axes, widths)
        growth = data["flops"][batches[0]][1] / data["flops"][batches[0]][0]
        return finished(
            figure,
            caption=f"Doubling the width of a square layer multiplies its FLOPs by "
            f"{growth:.0f}, whatever the batch.",
            alt=f"Parallel rising lines on logarithmic axes, for batches of "
            f"{', '.join(map(str, batches))}, from width {widths[0]} to {widths[-1]}.",
            data=data,
        )
