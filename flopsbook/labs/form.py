"""A calculator in a notebook: fields to fill in, and formulas that say what follows from them.

No formula is typed here or in the page's script. A result is an expression of the library, or a
number that the library counted, for every position of the switches (boxes and choices).
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from flopsbook.labs.bigint import evaluate, javascript
from flopsbook.labs.view import as_json, html_table
from flopsbook.tables import Table
from flopslib.derivation.rendering import text

__all__ = ["Choice", "Flag", "Form", "Group", "Ratio", "Rule", "Size"]

Switches = tuple[int, ...]


@dataclass(frozen=True)
class Size:
    """A whole number to fill in; ``only`` says at which positions of switches it is used."""

    name: str
    label: str
    only: Mapping[str, int] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"kind": "size", "name": self.name, "label": self.label, "only": dict(self.only)}


@dataclass(frozen=True)
class Flag:
    """A box to tick."""

    name: str
    label: str

    def described(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"kind": "flag", "name": self.name, "label": self.label}


@dataclass(frozen=True)
class Choice:
    """One of several things to choose."""

    name: str
    label: str
    options: tuple[str, ...]

    def described(self) -> dict[str, Any]:
        """Return it for JSON."""
        options = list(self.options)
        return {"kind": "choice", "name": self.name, "label": self.label, "options": options}


@dataclass(frozen=True)
class Rule:
    """What a setting has to keep: ``below`` divides ``above``, or is at least ``above``."""

    above: Any
    below: Any
    says: str
    only: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """One value over another one; as ``time`` it is a number of seconds."""

    name: str
    over: str
    time: bool = False


#: A row of results: its label, and a value, a ratio or nothing in every column.
Row = tuple[str, tuple[str | Ratio | None, ...]]


@dataclass(frozen=True)
class Group:
    """A table of results."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def described(self) -> dict[str, Any]:
        """Return it for JSON."""
        rows = [{"label": label, "cells": list(map(_cell, cells))} for label, cells in self.rows]
        return {"title": self.title, "columns": list(self.columns), "rows": rows}


def _cell(shown: str | Ratio | None) -> dict[str, Any] | None:
    if isinstance(shown, Ratio):
        return {"name": shown.name, "over": shown.over, "time": shown.time}
    return None if shown is None else {"name": shown}


@dataclass(frozen=True)
class Form:
    """A table of counted settings, which the book's script makes a calculator of.

    Attributes:
        name: what the calculator is called in the page.
        about: what it is, for those who hear the page.
        fields: what can be filled in.
        values: every result by its name, and for each position of the switches as an
            expression of the sizes, or as a number.
        groups: the tables that the results are shown in.
        presets: settings to begin with, by what they are called.
        columns: the results of the table that stands there without the script, by their headings.
        divides: what has to be divisible.
        limits: what has to be small enough.
        known: numbers of MACs that the page recognises, by what costs them.
        begin: what the list of presets is called.
        pick: whether a preset can be chosen from that list.
        note: a sentence below the results.
        room: how high the calculator is on a wide page and on a phone.
    """

    name: str
    about: str
    fields: Sequence[Size | Flag | Choice]
    values: Mapping[str, Mapping[Switches, Any]]
    groups: Sequence[Group]
    presets: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, str]
    divides: Sequence[Rule] = ()
    limits: Sequence[Rule] = ()
    known: Mapping[str, int] = field(default_factory=dict)
    begin: str = "begin with"
    pick: bool = True
    note: str = ""
    room: tuple[str, str] = ("40rem", "60rem")

    @property
    def table(self) -> Table:
        """The settings to begin with and what they cost."""
        counted = {what: self.count(point) for what, point in self.presets.items()}
        rows = [
            [what, *(text(values[name]) for name in self.columns.values())]
            for what, values in counted.items()
        ]
        return Table([self.begin, *self.columns], rows, ["left"] + ["right"] * len(self.columns))

    @property
    def data(self) -> dict[str, Any]:
        """What the script has to know, as plain values for JSON."""
        formulas: dict[str, int] = {}

        def at(value: Any) -> int:
            return formulas.setdefault(javascript(value), len(formulas))

        values = {
            name: {".".join(map(str, key)): at(value) for key, value in of.items()}
            for name, of in self.values.items()
        }
        divides = [
            {"above": at(r.above), "below": at(r.below), "says": r.says, "only": dict(r.only)}
            for r in self.divides
        ]
        limits = [
            {"less": at(r.above), "more": at(r.below), "says": r.says, "only": dict(r.only)}
            for r in self.limits
        ]
        return {
            "name": self.name,
            "begin": self.begin if self.pick else "",
            "note": self.note,
            "fields": [one.described() for one in self.fields],
            "switches": list(self._switches()),
            "values": values,
            "formulas": list(formulas),
            "rules": divides,
            "limits": limits,
            "groups": [group.described() for group in self.groups],
            "presets": [
                {"what": what, "values": texts(point)} for what, point in self.presets.items()
            ],
            "known": [[title, str(macs)] for title, macs in self.known.items()],
            "checks": [
                {"at": texts(point), "is": [str(n) for n in self.count(point).values()]}
                for point in list(self.presets.values())[:2]
            ],
        }

    def _switches(self) -> dict[str, range]:
        return {
            one.name: range(2 if isinstance(one, Flag) else len(one.options))
            for one in self.fields
            if not isinstance(one, Size)
        }

    def positions(self) -> Iterator[Switches]:
        """Yield every position of the switches."""
        yield from product(*self._switches().values())

    def count(self, point: Mapping[str, Any]) -> dict[str, int]:
        """Count what the page would, with the reader of expressions that knows no SymPy."""
        key = tuple(int(point[name]) for name in self._switches())
        return {
            name: evaluate(javascript(of[key]), dict(point)) for name, of in self.values.items()
        }

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_markdown_(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        wide, narrow = self.room
        table = html_table(self.table, self.about)
        return (
            f'<div class="calculator" id="calculator-{self.name}" role="group" '
            f'aria-label="{html.escape(self.about)}" '
            f'style="--room-wide:{wide};--room-narrow:{narrow}">\n{table}\n'
            f'<script type="application/json">{as_json(self.data)}</script>\n</div>'
        )


def texts(point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting for JSON: sizes are texts, since JavaScript's numbers are doubles."""
    return {
        name: str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in point.items()
    }
