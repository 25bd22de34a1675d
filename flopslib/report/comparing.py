"""Holding a report against limits, and two reports against each other.

Reports are taken as the plain values that :meth:`Report.as_dict` returns, so that one which
was saved as JSON is as good as one that was just counted.

>>> from flopslib.models import resnet18, resnet34
>>> from flopslib.report import count
>>> image = (1, 3, 224, 224)
>>> small, large = (count(net(), image).as_dict() for net in (resnet18, resnet34))
>>> print(Limit("macs", small["macs"], 2 * 10**9))
MACs: 1,814,073,344, at most 2,000,000,000 allowed: holds
>>> Comparison("resnet18", small, "resnet34", large).totals["macs"].difference
1849688064
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from flopslib.derivation.opcount import OTHER_KINDS
from flopslib.derivation.rendering import text
from flopslib.report.views import FIELDS, SCHEMA_VERSION, SPACE, aligned_lines, shape_text
from flopslib.sizes.checks import shown

__all__ = ["FIGURES", "Change", "Comparison", "Limit", "Total", "limit", "saved"]

#: A report, or a layer of it, as plain values.
Plain: TypeAlias = Mapping[str, Any]

#: The totals that are compared and may have a limit, and how a table calls them.
FIGURES = {
    "parameters": "parameters",
    "macs": "MACs",
    "flops": "FLOPs",
    "exact_flops": "exact FLOPs",
}

# --- limits ----------------------------------------------------------------

LIMIT = re.compile(r"([0-9]+(?:_[0-9]+)*)(?:\.([0-9]+))?([kMGTP]?)")
ZEROS = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}


def limit(name: str, written: str) -> int:
    """Read a limit, exactly.

    Raises:
        ValueError: no positive whole number; the message names the argument and the value.

    >>> limit("--max-macs", "4.1G"), limit("--max-macs", "25_600_000")
    (4100000000, 25600000)
    >>> limit("--max-macs", "1.5")
    Traceback (most recent call last):
    ...
    ValueError: --max-macs must be a positive whole number such as 4100000000, 4_100_000_000, \
4.1G, 25.6M or 300k, got '1.5'
    """
    found = LIMIT.fullmatch(written)
    number = _whole(*found.groups(default="")) if found else 0
    if number < 1:
        raise ValueError(
            f"{name} must be a positive whole number such as 4100000000, 4_100_000_000, "
            f"4.1G, 25.6M or 300k, got {shown(written)}"
        )
    return number


def _whole(before: str, after: str, unit: str) -> int:
    """Return the number, and 0 if it is not whole or too long for Python to read."""
    try:
        number, rest = divmod(int(before + after) * 10 ** ZEROS[unit], 10 ** len(after))
    except ValueError:
        return 0
    return 0 if rest else number


@dataclass(frozen=True)
class Limit:
    """A figure of a report, and how much of it is allowed.

    Attributes:
        figure: one of ``FIGURES``.
        value: what was counted.
        most: the limit.
    """

    figure: str
    value: int
    most: int

    @property
    def holds(self) -> bool:
        """Whether no more was counted than is allowed."""
        return self.value <= self.most

    def __str__(self) -> str:
        told = "holds" if self.holds else f"exceeded by {text(self.value - self.most)}"
        return (
            f"{FIGURES[self.figure]}: {text(self.value)}, at most {text(self.most)} allowed: {told}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        figures = {"figure": self.figure, "value": self.value, "limit": self.most}
        return figures | {"holds": self.holds}


# --- reports that were saved -----------------------------------------------


@cache
def _schema() -> dict[str, Any]:
    written = files("flopslib.report").joinpath("report.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(written)
    return schema


def saved(path: str) -> dict[str, Any]:
    """Read a report that was saved with ``flopslib count MODEL --json``.

    Raises:
        ValueError: it cannot be read, or is no report, or one of another version; the message
            says which.
    """
    wanted = f"{path} must be a report saved with `flopslib count MODEL --json`"
    try:
        report: dict[str, Any] = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise ValueError(f"{wanted}; it cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{wanted}; it is not JSON: {error}") from None
    for fault in _faults("", report, _schema()):
        raise ValueError(f"{wanted}; {fault}")
    for layer in report["layers"]:  # a kind that was not counted yet when it was saved
        for kind in OTHER_KINDS:
            layer.setdefault(kind, 0)
    return report


#: A type of JSON: how Python reads it, and what it is called.
TYPES: Mapping[str, tuple[type, str]] = {
    "integer": (int, "a whole number"),
    "string": (str, "text"),
    "array": (list, "a list"),
    "object": (dict, "an object"),
    "null": (type(None), "null"),
}


def _faults(place: str, value: Any, schema: Plain) -> Iterator[str]:
    """Yield where a value is not as the schema says, for what our own schema uses."""
    if "$ref" in schema:
        schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:  # one shape, or several
        nested = isinstance(value, list) and bool(value) and isinstance(value[0], list)
        yield from _faults(place, value, schema["anyOf"][nested])
        return
    wanted = _wanted(value, schema)
    if wanted:
        yield f"{place or 'it'} must be {wanted}, got {shown(value)}"
    elif isinstance(value, dict):
        yield from _faults_inside(place, value, schema)
    elif isinstance(value, list):
        for at, entry in enumerate(value):
            yield from _faults(f"{place}[{at}]", entry, schema["items"])


def _wanted(value: Any, schema: Plain) -> str:
    """Return what a value by itself should be, and nothing if it is."""
    if "const" in schema:
        right = schema["const"]
        return "" if (type(value), value) == (type(right), right) else repr(right)
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if type(value) not in [TYPES[kind][0] for kind in kinds]:
        return " or ".join(TYPES[kind][1] for kind in kinds)
    least = schema.get("minimum")
    return f"at least {least}" if least is not None and value is not None and value < least else ""


def _faults_inside(place: str, value: dict[str, Any], schema: Plain) -> Iterator[str]:
    inside: dict[str, Any] = schema.get("properties") or dict.fromkeys(
        value, schema.get("additionalProperties")
    )
    for name, inner in inside.items():
        at = f"{place}.{name}" if place else name
        if name in value:
            yield from _faults(at, value[name], inner)
        elif name in schema.get("required", ()):
            yield f"{at} is missing"


# --- two reports -----------------------------------------------------------


def signed_text(number: int) -> str:
    """Write a difference with its sign.

    >>> signed_text(1234), signed_text(-1234), signed_text(0)
    ('+1,234', '-1,234', '0')
    """
    return f"{_sign(number)}{text(abs(number))}"


def _sign(number: int) -> str:
    return "+" if number > 0 else "-" if number < 0 else ""


@dataclass(frozen=True)
class Total:
    """A figure of two reports.

    >>> total = Total(1000, 1125)
    >>> total.difference, total.percent
    (125, 12.5)
    """

    a: int
    b: int

    @property
    def difference(self) -> int:
        """How much more the second has."""
        return self.b - self.a

    @property
    def percent(self) -> float | None:
        """The same in percent of the first, to one place.

        None where the first has none of it, and where no float has so many digits.
        """
        tenths = self._tenths
        return None if tenths is None or abs(tenths) > 2**53 else tenths / 10

    @property
    def _tenths(self) -> int | None:
        # in integers, which are exact at any size, and rounded to the nearest
        size = (2000 * abs(self.difference) + self.a) // (2 * self.a) if self.a else None
        return -size if size and self.difference < 0 else size

    @property
    def percent_text(self) -> str:
        """The percentage as a table has it.

        >>> [Total(8, b).percent_text for b in (9, 4, 8)]
        ['+12.5\\xa0%', '-50.0\\xa0%', '0.0\\xa0%']
        >>> Total(0, 8).percent_text, Total(10**6, 10**6 - 1).percent_text
        ('', '-<0.1\\xa0%')
        """
        if self._tenths is None:
            return ""
        whole, tenth = divmod(abs(self._tenths), 10)
        small = self.difference and not self._tenths
        size = "<0.1" if small else f"{text(whole)}.{tenth}"
        return f"{_sign(self.difference)}{size}{SPACE}%"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        figures = {"a": self.a, "b": self.b, "difference": self.difference}
        return figures | {"percent": self.percent}


class Change(NamedTuple):
    """A layer that two reports do not have alike.

    Attributes:
        path: where it is.
        kind: "differs", "removed" (only the first has it) or "added" (only the second has it).
        a: the layer in the first report, as plain values; None if it is not there.
        b: the layer in the second.
    """

    path: str
    kind: str
    a: Plain | None
    b: Plain | None

    def difference(self, figure: str) -> int:
        """Return how much more of a figure the second has."""
        before, after = (layer[figure] if layer else 0 for layer in (self.a, self.b))
        return int(after - before)


class Table(NamedTuple):
    """What a table has: its header, its rows, and which columns are figures."""

    header: list[str]
    rows: list[list[str]]
    figures: list[bool]

    def __str__(self) -> str:
        head, *rows = aligned_lines([self.header, *self.rows], self.figures)
        return "\n".join([head, "─" * max(map(len, [head, *rows])), *rows])


class Comparison:
    """Two reports: their totals, and the layers that they do not have alike.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear, ReLU, Sequential
    >>> a = count(Sequential(fc=Linear(3, 2), act=ReLU()), (1, 3)).as_dict()
    >>> b = count(Sequential(fc=Linear(3, 5)), (1, 3)).as_dict()
    >>> [(change.path, change.kind) for change in Comparison("a", a, "b", b).layers]
    [('fc', 'differs'), ('act', 'removed')]
    """

    def __init__(self, name_a: str, a: Plain, name_b: str, b: Plain) -> None:
        """Take two reports as plain values, and what each is called.

        Raises:
            ValueError: their layers go to different depths.
        """
        if a["depth"] != b["depth"]:
            raise ValueError(
                f"the layers must go to the same depth, got {_depth_text(a)} in {name_a} "
                f"and {_depth_text(b)} in {name_b}"
            )
        self.names = (name_a, name_b)
        self.a, self.b = a, b

    @cached_property
    def totals(self) -> dict[str, Total]:
        """The totals by the names in ``FIGURES``."""
        return {figure: Total(self.a[figure], self.b[figure]) for figure in FIGURES}

    @cached_property
    def layers(self) -> list[Change]:
        """The layers that differ or were removed, and then those that were added."""
        before, after = _by_path(self.a["layers"]), _by_path(self.b["layers"])
        pairs = [(place[0], before.get(place), after.get(place)) for place in before | after]
        return [Change(path, _kind(a, b), a, b) for path, a, b in pairs if not _alike(a, b)]

    @property
    def equal(self) -> bool:
        """Whether all totals are equal and all layers are alike."""
        return not self.layers and not any(total.difference for total in self.totals.values())

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "equal": self.equal,
            **self._about,
            "depth": self.a["depth"],
            "totals": {figure: total.as_dict() for figure, total in self.totals.items()},
            "layers": [
                {"path": change.path, "change": change.kind, "a": change.a, "b": change.b}
                for change in self.layers
            ],
        }

    @property
    def _about(self) -> dict[str, dict[str, Any]]:
        sides = zip("ab", self.names, (self.a, self.b), strict=True)
        return {
            side: {"name": name} | {key: report[key] for key in ("model", "input_shape")}
            for side, name, report in sides
        }

    # --- showing it

    @property
    def inputs(self) -> list[str]:
        """What is compared, and what goes into it."""
        return [
            f"{side.upper()}: {about['name']}, input {shape_text(about['input_shape'])}"
            for side, about in self._about.items()
        ]

    @property
    def totals_table(self) -> Table:
        """The totals of both."""
        header = ["total", "A", "B", "difference", "percent"]
        rows = [
            [FIGURES[figure], text(t.a), text(t.b), signed_text(t.difference), t.percent_text]
            for figure, t in self.totals.items()
        ]
        return Table(header, rows, [False, True, True, True, True])

    @property
    def layers_table(self) -> Table:
        """The layers that are not alike, and how much more of each figure B has."""
        header = ["layer", "change", "in A", "in B", *FIGURES.values(), "other operations"]
        rows = [_change_row(change) for change in self.layers]
        return Table(header, rows, [name in FIGURES.values() for name in header])

    @property
    def summary(self) -> str:
        """How many layers are alike and how many are not."""
        if self.equal:
            return "A and B are equal."
        every = _by_path(self.a["layers"]).keys() | _by_path(self.b["layers"]).keys()
        return (
            f"Layers that differ, were removed or were added: "
            f"{text(len(self.layers))} of {text(len(every))}."
        )

    def __repr__(self) -> str:
        parts = ["\n".join(self.inputs), str(self.totals_table), self.summary]
        tables = [str(self.layers_table)] if self.layers else []
        return "\n\n".join([*parts, *tables]).replace(SPACE, " ")


def _depth_text(report: Plain) -> str:
    return "every layer" if report["depth"] is None else f"depth {report['depth']}"


def _by_path(layers: Sequence[Plain]) -> dict[tuple[str, int], Plain]:
    """Return layers by their path; one that is there again is the second of it, and so on."""
    seen: Counter[str] = Counter()
    found = {}
    for layer in layers:
        found[layer["path"], seen[layer["path"]]] = layer
        seen[layer["path"]] += 1
    return found


def _kind(a: Plain | None, b: Plain | None) -> str:
    return "added" if a is None else "removed" if b is None else "differs"


#: What makes a layer another one. How a derivation words it does not.
COMPARED = [name for name in FIELDS if name != "derivation"]


def _alike(a: Plain | None, b: Plain | None) -> bool:
    if a is None or b is None:
        return False
    return all(_value(a[name]) == _value(b[name]) for name in COMPARED)


def _value(value: Any) -> Any:
    return tuple(map(_value, value)) if isinstance(value, list) else value  # JSON has no tuples


def _change_row(change: Change) -> list[str]:
    figures = [signed_text(change.difference(figure)) for figure in FIGURES]
    other = {kind.replace("_", " "): change.difference(kind) for kind in OTHER_KINDS}
    named = ", ".join(f"{signed_text(n)} {kind}" for kind, n in other.items() if n)
    return [change.path, change.kind, _layer_text(change.a), _layer_text(change.b), *figures, named]


def _layer_text(layer: Plain | None) -> str:
    if layer is None:
        return ""
    before, after = (shape_text(layer[name]) for name in ("input_shape", "output_shape"))
    return f"{layer['layer']}: {before} → {after}"
