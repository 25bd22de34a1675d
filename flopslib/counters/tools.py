"""The other programs that count, and what each would report for a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flopslib.counters import rules
from flopslib.counters.rules import Rule
from flopslib.report.report import Report
from flopslib.report.rows import Row

__all__ = ["DEVICES", "TOOLS", "WRITTEN", "Term", "Tool", "kind_of", "predict", "terms_of"]

DEVICES = ("cpu", "meta")


@dataclass(frozen=True)
class Tool:
    """Another program that counts.

    Attributes:
        title: its name, and how it was asked where there is more than one way.
        package: the package that has it.
        means: what it calls its figures, and which of ours each of them is.
        rules: the habits of the tool, for what it calls a figure and a device.
        devices: where it can run, or the ways to ask it.
    """

    title: str
    package: str
    means: Mapping[str, str]
    rules: Callable[[str, str], tuple[Rule, ...]]
    devices: tuple[str, ...] = DEVICES


TOOLS = {
    "flop_counter": Tool("FlopCounterMode", "torch", {"FLOPs": "flops"}, rules.flop_counter),
    "flop_counter_no_grad": Tool(
        "FlopCounterMode, no gradients", "torch", {"FLOPs": "flops"}, rules.flop_counter_no_grad
    ),
    "fvcore": Tool("fvcore", "fvcore", {"flops": "macs"}, rules.fvcore),
    "ptflops": Tool("ptflops", "ptflops", {"MACs": "macs"}, rules.ptflops),
    "ptflops_aten": Tool("ptflops, aten", "ptflops", {"MACs": "macs"}, rules.ptflops_aten),
    "calflops": Tool("calflops", "calflops", {"MACs": "macs", "FLOPs": "flops"}, rules.calflops),
    "thop": Tool("THOP", "thop", {"MACs": "macs"}, rules.thop),
    "torchinfo": Tool("torchinfo", "torchinfo", {"mult-adds": "macs"}, rules.torchinfo),
}


#: How the program that most people run writes a model of ours, where a layer is not the module
#: or the function that the tools look out for; by the layer's path or the name of its class.
WRITTEN: Mapping[str, Mapping[str, str]] = {
    "mobilenet_v2": {"AdaptiveAvgPool2d": "adaptive_avg_pool2d, a function"},
    "gpt2_layer": {"Linear": "Conv1D of transformers", "GELU": "arithmetic"},
}


@dataclass(frozen=True)
class Term:
    """A part of a difference that has a name."""

    name: str
    amount: int


def terms_of(habits: Iterable[Rule], rows: Sequence[tuple[Row, str]]) -> tuple[Term, ...]:
    """Return what the habits of a tool make of rows, each with what the tool meets there."""
    terms = []
    for habit in habits:
        concerned = (row for row, kind in rows if not habit.kinds or kind in habit.kinds)
        terms.append(Term(habit.name, sum(habit.amount(row) for row in concerned)))
    return tuple(term for term in terms if term.amount)


def predict(
    report: Report, tool: str, device: str = "cpu", *, written: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Return what a tool would report for a network of yours, by its own word.

    The network is taken to be written in PyTorch with the modules that our layers
    are named after. Where it is not, ``written`` says what takes the place of a
    layer, by the layer's path or the name of its class.

    Raises:
        KeyError: no tool or device has the name.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> report = count(Linear(5, 7), (1, 5))
    >>> predict(report, "flop_counter"), predict(report, "ptflops")
    ({'FLOPs': 70}, {'MACs': 42})
    """
    check_known(tool=(tool, TOOLS))
    asked = TOOLS[tool]
    check_known(device=(device, asked.devices))
    rows = [(row, kind_of(row, written or {})) for row in report.rows]
    return {
        called: int(getattr(report, ours))
        + sum(term.amount for term in terms_of(asked.rules(called, device), rows))
        for called, ours in asked.means.items()
    }


def kind_of(row: Row, written: Mapping[str, str]) -> str:
    """Return what a tool meets in the place of a row."""
    return written.get(row.path, written.get(row.type, row.type))


def check_known(**asked: tuple[str | None, Iterable[str]]) -> None:
    """Raise a KeyError for a name that is given and not known."""
    for what, (name, known) in asked.items():
        if name is not None and name not in known:
            raise KeyError(f"no {what} {name!r}; there are {', '.join(known)}")
