"""The models of the book as trees to click through: where are the operations?

What the page gets is counted when it is built. Equal parts are written once, whichever
models they are in, and refer to one another by number; every figure is a decimal text,
since a number would lose its last digits in a browser.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

from flopsbook.labs.presets import title
from flopsbook.labs.view import as_json, html_table
from flopsbook.tables import Table
from flopslib.derivation.rendering import text
from flopslib.layers.layer import NO_COUNTS, Node, measured
from flopslib.models.model_list import catalogue, find
from flopslib.report.report import Report
from flopslib.report.views import derivation_line, named_parts, shape_text

__all__ = ["Explorer", "explorer"]

#: The figures of a part, in the order in which its list has them; FLOPs are twice the MACs.
FIGURES = {"macs": "MACs", "exact_flops": "exact FLOPs", "parameters": "parameters"}


class Run(NamedTuple):
    """Equal neighbours inside a layer: the first one's name, the last one's, how many, which."""

    first: str
    last: str
    times: int
    part: int


class Parts:
    """All parts of all models, equal ones once."""

    def __init__(self) -> None:
        """Begin with none."""
        self.numbers: dict[tuple[Any, ...], int] = {}
        self.seen: dict[int, tuple[int, Node]] = {}

    def number(self, node: Node) -> int:
        """Return the number of a part, and note it if it is new."""
        if id(node) not in self.seen:  # the node is kept, so no other one can get its id
            self.seen[id(node)] = self._number(node), node
        return self.seen[id(node)][0]

    def _number(self, node: Node) -> int:
        inside = [(name, self.number(part)) for name, part, _ in named_parts(node)]
        runs = []
        for part, alike in groupby(inside, key=lambda entry: entry[1]):
            names = [name for name, _ in alike]
            runs.append(Run(names[0], names[-1], len(names), part))
        layer = node.layer
        how = "" if runs else derivation_line(layer.cost(node.input_shape, node.output_shape))
        key = (repr(layer), shape_text(node.output_shape), how, _figures(node), tuple(runs))
        return self.numbers.setdefault(key, len(self.numbers))

    def listed(self) -> list[list[Any]]:
        """Return all parts for JSON, in the order of their numbers."""
        return [[*about, list(figures), runs] for *about, figures, runs in self.numbers]


def _figures(node: Node) -> tuple[str, ...]:
    if node.parts and node.own != NO_COUNTS:
        raise ValueError(f"{node.layer!r} computes something besides its parts: show that as well")
    report = Report(node)
    return tuple(str(getattr(report, figure)) for figure in FIGURES)


class Explorer:
    """A table of the models, which the book's script makes something to click through.

    Attributes:
        table: the models and their totals.
        data: what the script has to know, as plain values for JSON.
    """

    def __init__(self, first: str) -> None:
        """Count all models; ``first`` is open to begin with."""
        self.first = find(first).name
        parts = Parts()
        models, rows = [], []
        for name, entry in catalogue().items():
            root = measured(entry.build(), entry.input_shape)
            shape, report = shape_text(entry.input_shape), Report(root)
            models.append(
                {"name": name, "title": title(entry), "input": shape, "part": parts.number(root)}
            )
            rows.append([f"`{name}`", text(report.macs), text(report.parameters), shape])
        header = ["model", "MACs", "parameters", "input"]
        self.table = Table(header, rows, ["left", "right", "right", "left"])
        self.data = {"figures": FIGURES, "models": models, "parts": parts.listed()}

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_markdown_(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        rows = ([cell.strip("`") for cell in row] for row in self.table.rows)
        table = html_table(
            Table(self.table.header, rows, self.table.align), "models and their cost"
        )
        return (
            f'<div class="explorer" data-first="{self.first}" id="explorer" role="group" '
            f'aria-label="the models of the book, part by part">\n{table}\n'
            f'<script type="application/json">{as_json(self.data)}</script>\n</div>'
        )


def explorer(first: str = "resnet50") -> Explorer:
    """Return the model explorer, with a model to begin with.

    Raises:
        ValueError: no model is called ``first``.

    >>> explorer().table.rows[0]
    ['`alexnet`', '714,188,480', '61,100,840', '1×3×224×224']
    """
    return Explorer(first)
