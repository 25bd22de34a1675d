"""Whose figure is this? A figure that somebody quotes, taken back to the rules that give it.

Every tool whose rules we know is asked what it would report, and so is this library. What
comes to the figure is a match: as it is, or by a usual step from there (two FLOPs for each
MAC, three forward passes for a training step, one sample of a batch), or as a product of
figures that were rounded before. If nothing does, the nearest are named with what is missing.
No stored figure takes part.

>>> from flopslib import count
>>> from flopslib.models import resnet50
>>> found = reconcile("8,178,368,512", count(resnet50(), (1, 3, 224, 224)))
>>> found.matches[0].whose
('flopslib: FLOPs', 'FlopCounterMode: FLOPs', 'FlopCounterMode, no gradients: FLOPs')
>>> int(found.matches[0].remainder)
0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any
from weakref import WeakKeyDictionary

from flopslib.counters.quoting import Quoted, quoted
from flopslib.counters.tools import FORETOLD, MEANINGS, TOOLS, check_known, predict
from flopslib.derivation.rendering import text
from flopslib.report.comparing import signed_text
from flopslib.report.report import Report

__all__ = ["Match", "Reading", "Reconciliation", "readings", "reconcile"]

OURS = "flopslib"

#: How a match was found, the strictest first.
AS_IT_IS, BY_A_STEP, ROUNDED_BEFORE, CUT = (
    "as it is",
    "by a step",
    "a product of rounded figures",
    "cut off, not rounded",
)


@dataclass(frozen=True)
class Reading:
    """What somebody would report for a network.

    Attributes:
        tool: a name of ``TOOLS``, or "flopslib".
        called: the word for the figure.
        means: "MACs", "FLOPs" or another word of ours.
        value: the figure.
        devices: where the tool would say so.
        network: which version of the network it is, where there are several.
        step: what was done to the figure, such as "two FLOPs for each MAC".
    """

    tool: str
    called: str
    means: str
    value: Fraction
    devices: tuple[str, ...] = ()
    network: str = ""
    step: str = ""

    @property
    def whose(self) -> str:
        """Who says so, in which word, where.

        >>> Reading("ptflops", "MACs", "MACs", Fraction(7), ("meta",)).whose
        'ptflops: MACs (meta)'
        """
        title = TOOLS[self.tool].title if self.tool in TOOLS else self.tool
        all_of_them = self.tool not in TOOLS or self.devices == TOOLS[self.tool].devices
        notes = ([] if all_of_them else [*self.devices]) + ([self.network] if self.network else [])
        return f"{title}: {self.called}" + (f" ({', '.join(notes)})" if notes else "")


@dataclass(frozen=True)
class Match:
    """One number that the quoted figure may be, and all who come to it.

    Attributes:
        how: "as it is", "by a step", "a product of rounded figures" or "cut off, not rounded".
        readings: who reports the number, or what it was made from.
        value: the number before it was rounded to the digits of the figure; an integer, but
            for a half or a mean.
        remainder: the quoted figure less that number.
        product: the product as somebody typed it, such as "6 × 4.1 G".
    """

    how: str
    readings: tuple[Reading, ...]
    value: Fraction
    remainder: Fraction
    product: str = ""

    @property
    def whose(self) -> tuple[str, ...]:
        """Who comes to it."""
        return tuple(reading.whose for reading in self.readings)

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools that come to it, by their names in ``TOOLS``."""
        return tuple(dict.fromkeys(reading.tool for reading in self.readings))

    @property
    def steps(self) -> tuple[str, ...]:
        """What was done to their figures."""
        return tuple(dict.fromkeys(r.step for r in self.readings if r.step))

    def __str__(self) -> str:
        number = self.product or _text(self.value)
        left = f", {_signed(self.remainder)} left" if self.remainder else ""
        people = [
            f"    {reading.whose}{f', {reading.step}' if reading.step else ''}"
            for reading in self.readings
        ]
        return "\n".join([f"  {number} ({self.how}{left})", *people])


@dataclass(frozen=True)
class Reconciliation:
    """What a quoted figure may be.

    Attributes:
        figure: the figure as it was read.
        matches: what comes to it, the strictest first.
        nearest: where nothing does, the nearest numbers.
    """

    figure: Quoted
    matches: tuple[Match, ...]
    nearest: tuple[Match, ...] = field(default=())

    @property
    def named(self) -> tuple[str, ...]:
        """The tools that come to the figure, and "flopslib" where our own counts do."""
        return tuple(dict.fromkeys(tool for match in self.matches for tool in match.tools))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        plain = {"figure": self.figure.written, "value": _plain(self.figure.value)}
        lists = {"matches": self.matches, "nearest": self.nearest}
        return plain | {name: [*map(_match_dict, found)] for name, found in lists.items()}

    def __str__(self) -> str:
        if self.matches:
            return "\n".join([f"{self.figure.written} is", *map(str, self.matches)])
        lines = [f"{self.figure.written} is no figure that these rules give; the nearest:"]
        return "\n".join([*lines, *map(str, self.nearest)])

    __repr__ = __str__


def reconcile(
    figure: str | int,
    report: Report,
    tool: str | None = None,
    *,
    written: Mapping[str, str] | None = None,
    others: Mapping[str, Report] | None = None,
) -> Reconciliation:
    """Say which tool's rules give a figure that somebody quotes for a network, in which unit.

    A figure of k digits is matched to half a unit of its last digit; one that is written out
    is matched exactly, and read as rounded only if it ends in three or more zeros and nothing
    comes to it exactly.

    Args:
        figure: as it is quoted, such as "4.1 GFLOPs", "3.8e9", "8,178,368,512", or an integer.
        report: what we count.
        tool: try one tool of ``TOOLS`` alone, or "flopslib"; None tries all whose rules
            foretell a figure.
        written: how a program writes a layer, as for :func:`predict`.
        others: reports of other versions of the network, by what tells them apart.

    Raises:
        ValueError: a text that is no positive figure.
        TypeError: a figure that is neither text nor an integer.
        KeyError: no tool has the name.

    >>> from flopslib import count
    >>> from flopslib.models import resnet50
    >>> report = count(resnet50(), (1, 3, 224, 224))
    >>> found = reconcile("24.5 G", report, "flopslib")
    >>> found.matches[0].steps, int(found.matches[0].value)
    (('three forward passes, as a training step',), 24535105536)
    >>> [match.product for match in reconcile("24.6G", report, "flopslib").matches]
    ['6 × 4.1 G', '3 × 8.2 G']
    >>> print(reconcile(8_178_368_513, report, "flop_counter"))
    8178368513 is no figure that these rules give; the nearest:
      8,178,368,512 (as it is, +1 left)
        FlopCounterMode: FLOPs
    """
    check_known(tool=(tool, (OURS, *TOOLS)))
    asked = quoted(figure)
    known = [*readings(report, tool, written=written)]
    for network, other in (others or {}).items():
        known += [replace(r, network=network) for r in readings(other, tool, written=written)]
    steps = [*_steps(known, report.input_shape[0])]
    exactly = _matches(asked, known, steps)
    if not exactly and (rounded := asked.rounded()):
        exactly, asked = _matches(rounded, known, steps), rounded
    if exactly:
        return Reconciliation(asked, tuple(exactly))
    asked = quoted(figure)
    by_distance = sorted(_together(AS_IT_IS, asked, known), key=lambda m: abs(m.remainder))
    return Reconciliation(asked, (), tuple(by_distance[:3]))


def _matches(asked: Quoted, known: list[Reading], steps: list[Reading]) -> list[Match]:
    """Return what comes to the figure; looser ways only where the stricter find nothing."""
    direct = _together(AS_IT_IS, asked, (r for r in known if asked.holds(r.value)))
    derived = _together(BY_A_STEP, asked, (r for r in steps if asked.holds(r.value)))
    products = [*_products(asked, known)]
    if direct:
        return direct
    if derived or products:
        return derived + products
    return _together(CUT, asked, (r for r in known if asked.cuts(r.value)))


# --- what would be reported ---------------------------------------------------------


def readings(
    report: Report, tool: str | None = None, *, written: Mapping[str, str] | None = None
) -> Iterator[Reading]:
    """Yield what this library and every tool would report for a network.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> [(r.whose, int(r.value)) for r in readings(count(Linear(5, 7), (2, 5)), "ptflops")]
    [('ptflops: MACs (cpu)', 42), ('ptflops: MACs (meta)', 112)]
    """
    if tool in (None, OURS):
        ours = {"MACs": report.macs, "FLOPs": report.flops}
        ours["exact FLOPs, multiplications and additions as performed"] = report.exact_flops
        with suppress(ValueError):  # not all gradients are derived
            ours["FLOPs of a training step, without a gradient of the input"] = training_step(
                report
            )
        ours["parameters, which are no operations"] = report.parameters
        for called, value in ours.items():
            means = called.partition(",")[0]
            if value:
                usual = means if means in ("MACs", "FLOPs") else ""
                yield Reading(OURS, called, usual, Fraction(value))
    for name in FORETOLD if tool is None else {tool} - {OURS}:
        yield from _of_a_tool(report, name, written)


#: What the tools would say of a report, as long as somebody has it.
_SAID: WeakKeyDictionary[Report, dict[Any, tuple[Reading, ...]]] = WeakKeyDictionary()


def _of_a_tool(report: Report, name: str, written: Mapping[str, str] | None) -> tuple[Reading, ...]:
    said = _SAID.setdefault(report, {})
    asked = (name, *sorted((written or {}).items()))
    if asked not in said:
        said[asked] = tuple(_asked(report, name, written))
    return said[asked]


def _asked(report: Report, name: str, written: Mapping[str, str] | None) -> Iterator[Reading]:
    found: dict[tuple[str, int], list[str]] = {}
    for device in TOOLS[name].devices:
        for called, value in predict(report, name, device, written=written).items():
            found.setdefault((called, value), []).append(device)
    for (called, value), devices in found.items():
        means = MEANINGS[TOOLS[name].means[called]]
        if value > 0:
            yield Reading(name, called, means, Fraction(value), tuple(devices))


def training_step(report: Report) -> int:
    """Return the FLOPs of a forward and a backward pass, 2 for each MAC.

    The backward pass is that of :meth:`flopslib.Report.backward`: all weights are learnt, and
    nobody needs the gradient of the network's input.

    Raises:
        ValueError: a layer whose gradients are not derived.

    >>> from flopslib import count
    >>> from flopslib.models import resnet50
    >>> training_step(count(resnet50(), (1, 3, 224, 224)))
    24299077632
    """
    return report.flops + report.backward().flops


# --- usual steps from there ---------------------------------------------------------

TWICE, HALF, THRICE = (
    "two FLOPs for each MAC",
    "half of it, a MAC for two FLOPs",
    "three forward passes, as a training step",
)


def _steps(known: list[Reading], batch: int) -> Iterator[Reading]:
    """Yield what people make of readings, by one or two usual steps."""
    said = {(r.tool, r.network, r.value) for r in known if r.means == "FLOPs"}
    for reading in (r for r in known if r.means):
        twice = (reading.tool, reading.network, 2 * reading.value)
        if reading.means == "MACs" and twice not in said:
            yield _multiplied(reading, Fraction(2), "FLOPs", TWICE)
            yield _multiplied(reading, Fraction(6), "FLOPs", f"{TWICE}, {THRICE}")
        elif reading.means == "FLOPs":
            yield _multiplied(reading, Fraction(1, 2), "MACs", HALF)
        yield _multiplied(reading, Fraction(3), reading.means, THRICE)
        if batch > 1:
            one = f"for one of {batch} samples"
            yield _multiplied(reading, Fraction(1, batch), reading.means, one)


def _multiplied(reading: Reading, by: Fraction, means: str, step: str) -> Reading:
    return replace(reading, value=reading.value * by, means=means, step=step)


def _products(asked: Quoted, known: list[Reading]) -> Iterator[Match]:
    """Yield products of a small factor and a figure that was rounded to as many digits or fewer."""
    if asked.is_exact or asked.digits > 4:
        return
    wanted = ((2, "MACs"), (3, "MACs"), (6, "MACs"), (3, "FLOPs"))
    found: dict[tuple[int, str], list[Reading]] = {}
    for reading in known:
        for factor in (n for n, means in wanted if means == reading.means):
            for digits in range(2, asked.digits + 1):
                short = Quoted.of(reading.value, digits)
                if factor * short.value == asked.value and not asked.holds(factor * reading.value):
                    found.setdefault((factor, short.written), []).append(reading)
    for (factor, typed), people in found.items():
        product = f"{factor} × {typed}"
        yield Match(ROUNDED_BEFORE, tuple(people), asked.value, Fraction(0), product)


def _together(how: str, asked: Quoted, found: Iterable[Reading]) -> list[Match]:
    """Return one match for each number; the nearest first."""
    by_value: dict[Fraction, list[Reading]] = {}
    for reading in found:
        by_value.setdefault(reading.value, []).append(reading)
    made = [Match(how, tuple(same), value, asked.value - value) for value, same in by_value.items()]
    return sorted(made, key=lambda match: abs(match.remainder))


def _text(value: Fraction) -> str:
    return text(int(value)) if value.denominator == 1 else f"{float(value):,}"


def _signed(value: Fraction) -> str:
    return signed_text(int(value)) if value.denominator == 1 else f"{float(value):+,}"


def _plain(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _match_dict(match: Match) -> dict[str, Any]:
    about = {"how": match.how, "product": match.product or None}
    numbers = {"value": _plain(match.value), "remainder": _plain(match.remainder)}
    people = [
        {
            "tool": r.tool,
            "called": r.called,
            "means": r.means or None,
            "devices": list(r.devices),
            "network": r.network or None,
            "step": r.step or None,
        }
        for r in match.readings
    ]
    return about | numbers | {"readings": people}
