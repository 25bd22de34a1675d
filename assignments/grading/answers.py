"""What comes back from the sandbox, checked as if the student had written it by hand.

A student's code can write to the same channel as the runner, so nothing here is believed:
a report has exactly the expected shape, holds plain data within bounds, and answers what
was asked; or else it is forged, and counts for nothing.
"""

import builtins
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: What an attempt is called in a report, and what a teacher reads.
ATTEMPTS = {
    "network": "tried to reach the network",
    "program": "tried to start another program",
    "files": "looked for files outside its own folder",
    "tests": "tried to import the tests",
    "ctypes": "tried to load a library of the system",
    "memory": "searched Python's memory",
    "patch": "tried to change the grader or Python itself",
    "equal": "has a class with its own idea of equality where an answer should be",
}

#: Why a notebook has no cells, as the runner calls it, and what a teacher reads.
UNREADABLE = {
    "binary": "it is not text",
    "not json": "it is not JSON",
    "truncated": "it breaks off in the middle",
    "deep": "its lists are nested too deeply",
    "shape": "it is JSON, but not a notebook",
    "long": "it holds more than two million characters, or five thousand cells",
}

#: Types that are no answer, by the names that may be repeated.
TYPES = frozenset(
    {"NoneType", "bool", "float", "complex", "tuple", "dict", "set", "frozenset", "bytes"}
    | {"bytearray", "range", "function", "builtin_function_or_method", "method", "type"}
    | {"module", "ellipsis", "generator", "slice", "property", "ndarray", "float64", "float32"}
)

MOST_DIGITS = 4_000
LONGEST_TEXT = 10_000
MOST_ITEMS = 10_000
DEEPEST = 20
MOST_CELLS = 5_000

#: Types of pictures that a page may show: they hold no script.
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")

Plain = int | str | list[Any]
Cell = tuple[str, str, dict[str, tuple[str, str]]]


class ForgedError(Exception):
    """Something other than the runner has written the report."""


@dataclass
class Answers:
    """What a notebook gave.

    Attributes:
        values: variable → {"value": plain} | {"other": a type} | {"missing": True}.
        functions: name → {"state": …, "results": [{"value": …} | {"other": …} | {"error": …}]}.
        failed: code cell → the kind of error.
        suspicions: (what, where) pairs; what is a key of ATTEMPTS.
    """

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    suspicions: list[tuple[str, int | str]] = field(default_factory=list)


def loads(text: str) -> Any:
    """Return JSON without floats, without doubled keys, and without anything odd.

    >>> loads('{"a": [1, "b"]}')
    {'a': [1, 'b']}

    Raises:
        ForgedError: anything else.
    """
    try:
        return json.loads(
            text, parse_float=_refuse, parse_constant=_refuse, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError, MemoryError):
        raise ForgedError from None


def _refuse(text: str) -> None:
    raise ForgedError(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ForgedError
    return found


@dataclass(frozen=True)
class Read:
    """What a notebook holds.

    Attributes:
        cells: (kind, source, name → (type, Base64) of its pictures) of every cell.
        set: the problem set that it names, if any.
    """

    cells: list[Cell]
    set: str = ""

    @property
    def code(self) -> list[str]:
        """The sources of the code cells."""
        return [source for kind, source, _ in self.cells if kind == "code"]


def checked_cells(report: str) -> Read | str:
    """Return what a notebook holds, or why nothing can be read.

    Raises:
        ForgedError: no such report.
    """
    content = loads(report)
    match content:
        case {"unreadable": str(reason)} if len(content) == 1 and reason in UNREADABLE:
            return reason
        case {"cells": list(cells), "set": str(name)} if len(content) == 2:
            return Read([_cell(cell) for cell in cells], _text(name, 100))
    raise ForgedError


def _cell(cell: Any) -> Cell:
    match cell:
        case ["code" | "markdown" as kind, str(source), dict(pictures)]:
            found = {}
            for name, picture in pictures.items():
                match picture:
                    case [str(of), str(data)] if of in PICTURES and BASE64.fullmatch(data):
                        found[_text(name, 200)] = (of, data)
            return kind, _text(source, len(source)), found
    raise ForgedError


def checked_run(report: str, values: Sequence[str], calls: Mapping[str, Sequence[Any]]) -> Answers:
    """Return what a run found, if it answers what was asked and nothing else.

    Raises:
        ForgedError: it does not.
    """
    content = loads(report)
    if not isinstance(content, dict) or content.keys() != {"values", "functions", "failed"}:
        raise ForgedError
    if not all(isinstance(content[key], dict) for key in ("values", "functions")):
        raise ForgedError
    if content["values"].keys() != set(values) or content["functions"].keys() != set(calls):
        raise ForgedError
    return Answers(
        values={name: _result(content["values"][name], "missing") for name in values},
        functions={name: _function(content["functions"][name], len(calls[name])) for name in calls},
        failed=dict(map(_failure, _list(content["failed"], MOST_CELLS))),
    )


def _list(thing: Any, most: int) -> list[Any]:
    if type(thing) is not list or len(thing) > most:
        raise ForgedError
    return thing


def _function(thing: Any, count: int) -> dict[str, Any]:
    match thing:
        case {"state": "missing" | "not a function"} if len(thing) == 1:
            return dict(thing)
        case {"state": "function", "results": list(results)} if len(thing) == 2:
            if len(results) != count:
                raise ForgedError
            return {"state": "function", "results": [_result(one, "error") for one in results]}
    raise ForgedError


def _result(thing: Any, otherwise: str) -> dict[str, Any]:
    if type(thing) is not dict or len(thing) != 1:
        raise ForgedError
    match thing:
        case {"value": value}:
            plain(value)
            return dict(thing)
        case {"other": str(kind)}:
            return {"other": kind if kind in TYPES or " " in _text(kind, 60) else "object"}
        case {"error": str(kind)} if otherwise == "error":
            return {"error": _error(kind)}
        case {"missing": True} if otherwise == "missing":
            return {"missing": True}
    raise ForgedError


def plain(value: Any) -> None:
    """Check that an answer is an integer, text or a list of these, within bounds.

    Raises:
        ForgedError: it is not.
    """
    left = [(value, DEEPEST)]
    items = 0
    while left:
        thing, depth = left.pop()
        items += 1
        if items > MOST_ITEMS or depth < 0:
            raise ForgedError
        if type(thing) is list and len(thing) <= MOST_ITEMS:
            left += [(item, depth - 1) for item in thing]
        elif type(thing) is str:
            if _text(thing, LONGEST_TEXT) != thing:
                raise ForgedError
        elif type(thing) is not int or abs(thing) >= 10**MOST_DIGITS:
            raise ForgedError


def _text(text: str, longest: int) -> str:
    """Return a text that can be written to a file: no half of a surrogate pair."""
    if len(text) > longest:
        raise ForgedError
    return text.encode("utf-8", "replace").decode()


def _error(kind: str) -> str:
    """Return the name of one of Python's own errors: other names could say anything."""
    found = getattr(builtins, kind, None)
    if kind != "OutOfTime" and not (isinstance(found, type) and issubclass(found, BaseException)):
        raise ForgedError
    return kind


def _failure(pair: Any) -> tuple[int, str]:
    match pair:
        case [int(cell), str(kind)] if 0 < cell <= MOST_CELLS:
            return cell, _error(kind)
    raise ForgedError


def checked_notes(
    noted: Sequence[Any], values: Sequence[str], calls: Mapping[str, Any]
) -> list[tuple[str, int | str]]:
    """Return the attempts that make sense: (what, where) pairs, each once."""
    found: list[tuple[str, int | str]] = []
    for pair in noted:
        match pair:
            case [str(what), bool()]:
                continue
            case [str(what), int(where)] if what in ATTEMPTS and 0 < where <= MOST_CELLS:
                found.append((what, where))
            case [str(what), str(where)] if what in ATTEMPTS and (
                where in calls or where in values
            ):
                found.append((what, where))
    return list(dict.fromkeys(found))
