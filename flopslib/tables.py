"""The tables of the book, generated: nothing in them is typed by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flopslib import notation
from flopslib.derivation import Part
from flopslib.opcount import OpCount
from flopslib.primitives import PRIMITIVES, layer_norm, on_symbols
from flopslib.rendering import (
    additions_in_colour,
    latex,
    multiplications_in_colour,
    text,
)


class Table:
    """A table that shows as Markdown in a notebook and as text everywhere else.

    >>> Table(["layer", "MACs"], [["linear", "6"]])
    | layer | MACs |
    | --- | --- |
    | linear | 6 |
    """

    def __init__(
        self, header: Sequence[str], rows: Iterable[Sequence[str]], align: Sequence[str] = ()
    ) -> None:
        """Take the header, the rows, and for each column "left" or "right"."""
        self.header = list(header)
        self.rows = [list(row) for row in rows]
        self.align = list(align) or ["left"] * len(self.header)

    def __repr__(self) -> str:
        rules = ["---:" if align == "right" else "---" for align in self.align]
        lines = [self.header, rules, *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _repr_markdown_(self) -> str:
        return repr(self)


def comparison(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table whose first column is text and whose other columns are figures.

    >>> comparison(["layer", "MACs"], [["linear", 60000]])
    | layer | MACs |
    | --- | ---: |
    | linear | 60,000 |
    """
    written = [
        [str(first), *(v if isinstance(v, str) else text(v) for v in rest)] for first, *rest in rows
    ]
    return Table(header, written, ["left"] + ["right"] * (len(header) - 1))


def agreement(printed: float, digits: int, ours: int) -> str:
    """Return how far a printed figure is from ours, at the digits it was printed with.

    >>> agreement(4.09e9, 3, 4089184256), agreement(3.8e9, 2, 3857973248)
    ('–', '−1.50\xa0%')
    """
    agrees = f"{printed:.{digits - 1}e}" == f"{ours:.{digits - 1}e}"
    return "–" if agrees else percent(printed / ours - 1, signed=True)


def percent(share: float, digits: int = 2, *, signed: bool = False) -> str:
    """Write a share in percent, with a true minus and a space that does not break.

    >>> percent(0.12345, 1)
    '12.3\xa0%'
    """
    sign = "+" if signed else ""
    return f"{share:{sign}.{digits}%}".replace("%", "\N{NO-BREAK SPACE}%").replace("-", "−")


def notation_table() -> Table:
    """Return the notation table: letter, arguments, meaning."""
    rows = (
        [f"${row.latex}$", ", ".join(f"`{name}`" for name in row.arguments), row.meaning]
        for row in notation.TABLE
    )
    return Table(["letter", "argument", "meaning"], rows)


def conventions_table() -> Table:
    """Return what each elementary operation costs, and the algorithm behind the figures."""
    parts = [_labelled(primitive) for primitive in PRIMITIVES.values()]
    at = next(i for i, (label, _) in enumerate(parts) if "layer norm" in label)
    parts.insert(at + 1, ("**layer norm of $n$, no β**", on_symbols(layer_norm, bias=False)))
    header = ["operation", "multiplications", "additions", "MACs", "other"]
    return Table(header, ([label, *_figures(part.operations)] for label, part in parts))


def _labelled(primitive: Callable[..., Part]) -> tuple[str, Part]:
    part = on_symbols(primitive)
    sized = {"n", "terms"} & set(inspect.signature(primitive).parameters)
    name = f"{part.name} of $n$" if sized else part.name
    algorithm = (inspect.getdoc(primitive) or "").partition("\n")[0]
    return f"**{name}**: {algorithm[0].lower()}{algorithm[1:]}", part


def _figures(operations: OpCount) -> list[str]:
    other = (
        f"${latex(n)}$ {_noun(kind, n)}".replace("_", " ") for kind, n in operations.other.items()
    )
    return [
        _nonzero(operations.multiplications, multiplications_in_colour),
        _nonzero(operations.additions, additions_in_colour),
        _nonzero(operations.macs, str),
        ", ".join(other) or "–",
    ]


def _noun(kind: str, count: Any) -> str:
    return kind[:-1] if count == 1 else kind


def _nonzero(count: Any, coloured: Callable[[str], str]) -> str:
    return f"${coloured(latex(count))}$" if count != 0 else "–"
