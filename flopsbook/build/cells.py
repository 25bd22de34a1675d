"""Which earlier cells of a chapter a cell needs, told from their code.

A page runs a cell on its own, and first those that make what it uses. Names decide: a cell needs
the last cell before it that makes a name it uses, and those since then that may have changed what
the name stands for. This errs on the side of running too much. Of a name that was imported it
needs the import alone: the first cell of a chapter imports much, and a page takes its time.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Needs", "needs"]


@dataclass
class Needs:
    """What has to be run before a cell: whole cells, by their places, and single imports."""

    cells: list[int]
    imports: list[str]


@dataclass
class Uses(ast.NodeVisitor):
    """The names that a cell makes, uses, and changes the contents of."""

    makes: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)

    def visit_Name(self, node: ast.Name) -> None:
        """Tell whether a name is made or used."""
        (self.uses if isinstance(node.ctx, ast.Load) else self.makes).add(node.id)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """An import makes the names that it brings."""
        for each in node.names:
            name = (each.asname or each.name).partition(".")[0]
            where = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
            renamed = f" as {each.asname}" if each.asname else ""
            self.makes.add(name)
            self.imports[name] = f"{where}import {each.name}{renamed}"

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        """A definition makes its name; what it uses counts, and what is its own does not."""
        self.makes.add(node.name)
        inside = Uses()
        inside.generic_visit(node)
        own = inside.makes | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
        self.uses |= inside.uses - own
        self.changes |= inside.changes - own

    visit_ClassDef = visit_FunctionDef  # noqa: N815

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """``x += 1`` needs what it makes."""
        self.generic_visit(node)
        self._change(node.target)
        if isinstance(node.target, ast.Name):
            self.uses.add(node.target.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        """``x[0] = 1`` and ``x.y = 1`` change what x stands for."""
        self.generic_visit(node)
        for target in node.targets:
            self._change(target)

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call for its effect, ``x.append(1)``, may change what x stands for."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            self._change(node.value.func)

    def _change(self, target: ast.expr) -> None:
        while isinstance(target, (ast.Attribute, ast.Subscript)):
            target = target.value
            if isinstance(target, ast.Name):
                self.changes.add(target.id)


def needs(sources: Sequence[str]) -> list[Needs]:
    """Return for each cell what it needs itself of the cells before it.

    >>> found = needs(["from math import pi", "x = []", "x.append(pi)", "y = 1", "print(x, pi)"])
    >>> found[2], found[4].cells
    (Needs(cells=[1], imports=['from math import pi']), [1, 2])
    """
    cells: list[Uses] = []
    found = []
    for source in sources:
        cell = Uses()
        cell.visit(ast.parse(source))
        found.append(_needed(cells, cell))
        cells.append(cell)
    return found


def _needed(before: Sequence[Uses], cell: Uses) -> Needs:
    places, imports = set(), set()
    for name in cell.uses:
        for place in reversed(range(len(before))):
            earlier = before[place]
            if name in earlier.changes:
                places.add(place)
            if name in earlier.makes:
                if name in earlier.imports:
                    imports.add(earlier.imports[name])
                else:
                    places.add(place)
                break
    return Needs(sorted(places), sorted(imports))
