"""A lab in a notebook: a table that is always there, and what a page makes sliders of."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from flopsbook.labs.presets import presets as real_layers
from flopsbook.labs.spec import FIGURES, Preset, specification
from flopsbook.tables import Table
from flopslib.costs.registry import CostFunction, registered
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.rendering import text

__all__ = ["Lab", "lab"]

T = TypeVar("T")

#: The figures of the table that stands there without JavaScript.
IN_THE_TABLE = ("macs", "flops", "exact_flops")


class Lab:
    """A table of counted layers, with sliders where the book's script runs.

    Attributes:
        name: what the lab is called, in its address too.
        table: the table.
        data: what the script has to know, as plain values for JSON.
    """

    def __init__(self, name: str, table: Table, data: Mapping[str, Any]) -> None:
        """Take the name, the table, and what the script has to know."""
        self.name = name
        self.table = table
        self.data = data

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_markdown_(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        name = html.escape(self.name, quote=True)
        table = html_table(self.table, "real layers and their cost")
        return (
            f'<div class="lab" data-lab="{name}" id="lab-{name}" role="group" '
            f'aria-label="Try it: {name.replace("_", " ")}" style="{self._room()}">\n{table}\n'
            f'<script type="application/json">{as_json(self.data)}</script>\n</div>'
        )

    def _room(self) -> str:
        """Say how much the lab will hold, so that a page keeps room until its script has run."""
        first = self.data["functions"][0]
        usual = sum("usual" in letter for letter in first["letters"])
        zero = first["formulas"].index("0n") if "0n" in first["formulas"] else None
        steps = min(
            sum(step["macs"] != zero for step in variant["steps"])
            for variant in first["variants"].values()
        )
        choices = int(len(self.data["functions"]) > 1)  # which of several functions
        room = {"letters": len(first["letters"]), "usual": usual, "steps": steps}
        return ";".join(f"--{what}:{n}" for what, n in (room | {"choices": choices}).items())


def lab(
    *functions: Callable[..., Derivation] | CostFunction,
    preset: str | None = None,
    presets: Mapping[str, Preset] | None = None,
    series: Mapping[str, Sequence[str]] | None = None,
    name: str | None = None,
) -> Lab:
    """Make a lab of one cost function, or of several to choose from.

    Args:
        functions: registered cost functions, or entries such as the registry holds.
        preset: the name of the example of the first function that the lab opens with. None:
            the first one.
        presets: what to begin with, by what it is called: arguments of the first
            function. None: real layers, read off the library's models.
        series: which steps to add up to curves of their own, by the curve's name.
        name: what the lab is called in the page and its address. None: the first function's.

    Raises:
        TypeError: nothing to try, or not a registered cost function.
        ValueError: no example is called ``preset``; a formula of the page would count other
            than the library does.

    >>> from flopslib import matmul
    >>> lab(matmul)
    | matmul | MACs | FLOPs | exact FLOPs |
    | --- | ---: | ---: | ---: |
    | the scores of one head of GPT-2 small, 1024 tokens | 67,108,864 | 134,217,728 | 133,169,152 |
    """
    costs = [_entry(function) for function in functions]
    if not costs:
        raise TypeError("lab takes at least one cost function, such as flopslib.conv2d")
    specs, rows = [], []
    for cost in costs:
        known = presets if presets is not None and cost is costs[0] else real_layers(cost.name)
        if not known:
            raise ValueError(f"{cost.name} has no example: give presets={{'…': {{arguments}}}}")
        if cost is costs[0]:
            known = beginning_with(preset, known)
        title = _title(cost)
        specs.append(specification(cost, known, series) | {"title": title})
        rows += [
            _row(cost, what if len(costs) == 1 else f"{title}: {what}", arguments)
            for what, arguments in known.items()
        ]
    head = _title(costs[0]) if len(costs) == 1 else "layer"
    header = [head, *(FIGURES[figure] for figure in IN_THE_TABLE)]
    table = Table(header, rows, ["left"] + ["right"] * len(IN_THE_TABLE))
    return Lab(name or costs[0].name, table, {"figures": FIGURES, "functions": specs})


def beginning_with(preset: str | None, known: Mapping[str, T]) -> Mapping[str, T]:
    """Return what is known with one of it first.

    Raises:
        ValueError: nothing is called that.

    >>> list(beginning_with("second", {"first": 1, "second": 2}))
    ['second', 'first']
    """
    if preset is None:
        return known
    if preset not in known:
        names = ", ".join(map(repr, known))
        raise ValueError(f"preset must be one of {names}, got {preset!r}")
    return {preset: known[preset], **known}


def _entry(function: Any) -> CostFunction:
    if isinstance(function, CostFunction):
        return function
    cost = registered().get(getattr(function, "__name__", ""))
    if cost is None or cost.function is not function:
        raise TypeError(f"lab takes registered cost functions, got {function!r}")
    return cost


def _title(cost: CostFunction) -> str:
    return cost.name.replace("_", " ")


def _row(cost: CostFunction, what: str, arguments: Preset) -> list[str]:
    counted = cost.function(**arguments)
    return [what, *(text(getattr(counted, figure)) for figure in IN_THE_TABLE)]


def html_table(table: Table, label: str) -> str:
    """Return the table that stands in a page until a script has something better."""

    kinds = [' class="number"' if align == "right" else "" for align in table.align]

    def cells(tag: str, row: Sequence[str], more: str = "") -> str:
        entries = zip(kinds, row, strict=True)
        return "".join(f"<{tag}{more}{kind}>{html.escape(cell)}</{tag}>" for kind, cell in entries)

    head = cells("th", table.header, ' scope="col"')
    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in table.rows)
    return (
        f'<div class="lab-fallback" tabindex="0" role="group" aria-label="{html.escape(label)}">'
        f'<table class="table"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def as_json(data: Mapping[str, Any]) -> str:
    """Return plain values as JSON that may stand in a script element."""
    written = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return written.replace("</", "<\\/")  # nothing in it may end the script element
