"""The converter: a number of MACs or FLOPs in the other unit, and the least time that it takes."""

from __future__ import annotations

from typing import Any

import sympy

from flopsbook.labs.form import Choice, Form, Group, Ratio, Rule, Size
from flopsbook.labs.presets import title
from flopslib.models.language import FLOPS_PER_MAC
from flopslib.models.model_list import catalogue
from flopslib.report.report import count

__all__ = ["converter"]

AMOUNT, RATE = sympy.symbols("amount rate", positive=True, integer=True)
MACS, FLOPS = range(2)
UNITS = ("MACs", "FLOPs")
#: 10 TFLOP/s, as an example of a processor.
EXAMPLE_RATE = 10 * 10**12
EXAMPLES = (("ResNet-50", MACS), ("ResNet-50", FLOPS), ("LLaMA-7B", MACS), ("GPT-3 175B", FLOPS))


def known() -> dict[str, int]:
    """Return the MACs of every model of the library, for its usual input.

    >>> known()["ResNet-50"]
    4089184256
    """
    costs: dict[str, int] = {}
    for entry in catalogue().values():
        # two models may have one title, and then their whole line tells them apart
        what = title(entry) if title(entry) not in costs else entry.about.rstrip(".")
        costs[what] = count(entry.build(), entry.input_shape).macs
    return costs


def _values() -> dict[str, dict[tuple[int, ...], Any]]:
    per_mac = FLOPS_PER_MAC
    readings = {MACS: (AMOUNT, per_mac * AMOUNT), FLOPS: (AMOUNT / per_mac, AMOUNT)}
    values: dict[str, dict[tuple[int, ...], Any]] = {}
    for unit, (macs, flops) in readings.items():
        for name, value in (("macs", macs), ("flops", flops), ("rate", RATE)):
            values.setdefault(name, {})[unit,] = value
    return values


GROUPS = (
    Group(
        "the same cost",
        ("number",),
        (
            ("MACs", ("macs",)),
            ("FLOPs", ("flops",)),
            ("time at that rate, at least", (Ratio("flops", "rate", time=True),)),
        ),
    ),
)


def converter() -> Form:
    """Make the converter of MACs, FLOPs and FLOP/s.

    >>> print(repr(converter()).splitlines()[2])
    | the MACs of ResNet-50 | 4,089,184,256 | 8,178,368,512 |
    """
    costs = known()
    presets = {
        f"the {UNITS[unit]} of {what}": {
            "amount": costs[what] * (FLOPS_PER_MAC if unit == FLOPS else 1),
            "unit": unit,
            "rate": EXAMPLE_RATE,
        }
        for what, unit in EXAMPLES
    }
    return Form(
        "converter",
        "Try it: MACs, FLOPs and FLOP/s",
        (
            Size("amount", "a number"),
            Choice("unit", "read as", UNITS),
            Size("rate", "FLOP/s of a chip"),
        ),
        _values(),
        GROUPS,
        presets,
        {"MACs": "macs", "FLOPs": "flops"},
        divides=(
            Rule(
                AMOUNT,
                sympy.Integer(FLOPS_PER_MAC),
                "FLOPs are two for each MAC, so their number is even, got {amount}",
                {"unit": FLOPS},
            ),
        ),
        known=costs,
        note="The time is a lower bound: no run uses every cycle of its processor, and reading "
        "and writing numbers takes time as well.",
        room=("24.6rem", "34rem"),
    )
