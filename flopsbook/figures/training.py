"""The figures of the chapter on training: the gradients of a linear layer, and a whole step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flopsbook.figures.drawing import BLUE, BLUE_TINT, INK, QUIET, blank, stacked, subscript
from flopsbook.palette import FFN, FFN_TINT, PROJECTION, PROJECTION_TINT, SQUARE, SQUARE_TINT
from flopsbook.picture import Picture, canvas, finished
from flopslib import linear
from flopslib.report import Report

__all__ = ["gradient_grids", "gradient_grids_data", "step_parts", "step_parts_data"]


def gradient_grids_data(in_features: int, out_features: int) -> dict[str, int]:
    """Return the products of a linear layer on one vector, and those of its two gradients.

    >>> gradient_grids_data(3, 2)
    {'y': 6, 'gradient of x': 6, 'gradient of weight': 6}
    """
    layer = linear(in_features, out_features, bias=False)
    back = {step.name.partition(", ")[2]: step.multiplications for step in layer.backward().steps}
    return {"y": layer.multiplications} | back


def gradient_grids(in_features: int, out_features: int) -> Picture:
    """Draw every product of a linear layer on one vector, and of its two gradients."""
    data = gradient_grids_data(in_features, out_features)
    columns, rows = in_features, out_features
    grids: dict[str, Callable[[int, int], str]] = {
        "y, a row each": lambda i, j: f"{_w(i, j)}·x{subscript(j)}",
        "gradient of x, a column each": lambda i, j: f"{_w(i, j)}·g{subscript(i)}",
        "gradient of W, a cell each": lambda i, j: f"g{subscript(i)}·x{subscript(j)}",
    }
    height = 1.25 * rows + 1.1
    with canvas(3.8, 0.62 * height * len(grids) / 1.1) as (figure, axes):
        blank(axes, 1.5 * columns + 0.2, height * len(grids))
        for at, (title, label) in enumerate(grids.items()):
            top = height * at
            axes.text(0.1, top + 0.45, title, color=INK, va="center")
            for i in range(rows):
                for j in range(columns):
                    _product(axes, 0.1 + 1.5 * j, top + 0.9 + 1.25 * i, label(i + 1, j + 1))
        return finished(
            figure,
            caption=f"The products of a linear layer from {columns} inputs to {rows} outputs, and "
            "of its two gradients: each weight takes part once in each of the three.",
            alt=f"Three grids of {rows} rows and {columns} columns. In the first a cell holds a "
            "weight times an input, in the second the same weight times the gradient of an output, "
            f"in the third that gradient times the input: {data['y']} products each.",
            data=data,
        )


def _w(i: int, j: int) -> str:
    return f"w{subscript(i)}{subscript(j)}"


def _product(axes: Any, x: float, y: float, label: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), 1.3, 1, linewidth=1.2, facecolor=BLUE_TINT, edgecolor=BLUE))
    axes.text(x + 0.65, y + 0.52, label, ha="center", va="center", color=BLUE)


PASSES = {
    "forward": (PROJECTION[0], PROJECTION_TINT[0]),
    "gradients of weights": (FFN[0], FFN_TINT[0]),
    "gradients of inputs": (SQUARE[0], SQUARE_TINT[0]),
}


def step_parts_data(reports: Mapping[str, Report]) -> dict[str, dict[str, int]]:
    """Return the MACs of a training step of each network: forward, and the two kinds of gradients.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear, Sequential
    >>> net = count(Sequential(Linear(4, 4), Linear(4, 2)), (1, 4))
    >>> step_parts_data({"two layers": net})["two layers"]
    {'forward': 24, 'gradients of weights': 24, 'gradients of inputs': 8}
    """
    found = {}
    for name, report in reports.items():
        back = report.backward()
        steps = [step for row in back.rows for step in row.derivation.steps if step.macs]
        weights = sum(step.macs for step in steps if _is_of_a_weight(step.name))
        parts = (report.macs, weights, back.macs - weights)
        found[name] = dict(zip(PASSES, parts, strict=True))
    return found


def _is_of_a_weight(name: str) -> bool:
    of = name.partition(", gradient of ")[2].partition(",")[0]
    return of == "weight" or of.startswith("w_")


def step_parts(reports: Mapping[str, Report]) -> Picture:
    """Draw of what a training step of each network consists, in parts of its MACs."""
    data = step_parts_data(reports)
    shares = {
        part: [parts[part] / sum(parts.values()) for parts in data.values()] for part in PASSES
    }
    first, *_ = data
    with canvas(5.4, 1.2 + 0.55 * len(data)) as (figure, axes):
        stacked(axes, list(data), shares, PASSES.__getitem__)
        axes.tick_params(axis="y", colors=QUIET)
        thirds = ", ".join(f"{part} {100 * shares[part][0]:.1f} %" for part in PASSES)
        return finished(
            figure,
            caption="A training step has three parts of nearly the same size. In a network of "
            "convolutions the gradients of the inputs are a little fewer, because the first layer "
            "needs none. In a Transformer they are more, because both factors in the products of "
            "attention are inputs.",
            alt=f"A bar for each network in three parts. {first}: {thirds}.",
            data=data,
        )
