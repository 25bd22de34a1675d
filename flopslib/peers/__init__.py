"""What other tools report for the same networks, and why it differs from our figures.

The figures were measured once and are stored with the versions that gave them;
``make peers`` measures them again. Nothing here needs PyTorch.

>>> from flopslib.peers import figures
>>> (figure,) = figures("resnet18", "fvcore", "cpu")
>>> figure.value - figure.ours
4992512
>>> [(term.name, term.amount) for term in figure.terms]
[('batch norms: 2 for each number', 4967424), ('adaptive pooling: 1 for each number', 25088)]
>>> figure.remainder
0
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from flopslib.peers import rules
from flopslib.peers.rules import Rule
from flopslib.peers.subjects import FURTHER, LAYERS, MODELS, SUBJECTS, Subject
from flopslib.quotes import _data
from flopslib.report import Report, Row

__all__ = [
    "DEVICES",
    "FURTHER",
    "LAYERS",
    "MODELS",
    "SUBJECTS",
    "TOOLS",
    "Figure",
    "Subject",
    "Term",
    "Tool",
    "figures",
    "predict",
    "versions",
]

DEVICES = ("cpu", "meta")


@dataclass(frozen=True)
class Tool:
    """Another program that counts.

    Attributes:
        title: its name, and how it was asked where there is more than one way.
        package: the package that has it.
        means: what it calls its figures, and which of ours each of them is.
        rules: the habits of the tool, for what it calls a figure and a device.
    """

    title: str
    package: str
    means: Mapping[str, str]
    rules: Callable[[str, str], tuple[Rule, ...]]


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


@dataclass(frozen=True)
class Term:
    """A part of a difference that has a name."""

    name: str
    amount: int


@dataclass(frozen=True)
class Figure:
    """What one tool reports for one subject.

    Attributes:
        subject: the name of the subject.
        tool: the name of the tool.
        device: where it ran, "cpu" or "meta", on which only shapes are computed.
        called: the tool's own word for the figure; None if it failed.
        value: the figure; None if it failed.
        error: the error with which it failed.
    """

    subject: str
    tool: str
    device: str
    called: str | None
    value: int | None
    error: str | None = None

    @property
    def means(self) -> str:
        """Which of our figures it is, "MACs" or "FLOPs"."""
        return {"macs": "MACs", "flops": "FLOPs"}[self._attribute]

    @property
    def _attribute(self) -> str:
        assert self.called is not None, f"{self.tool} has no figure for {self.subject}"
        return TOOLS[self.tool].means[self.called]

    @property
    def report(self) -> Report:
        """Our report of the subject."""
        return SUBJECTS[self.subject].report

    @property
    def ours(self) -> int:
        """That figure as we count it."""
        return int(getattr(self.report, self._attribute))

    @property
    def difference(self) -> int:
        """Its figure less ours."""
        assert self.value is not None
        return self.value - self.ours

    @property
    def equals(self) -> tuple[str, ...]:
        """Which of our three figures it equals.

        >>> figures("conv2d", "flop_counter", "cpu")[0].equals
        ('FLOPs', 'exact FLOPs')
        """
        report = self.report
        named = {"MACs": report.macs, "FLOPs": report.flops, "exact FLOPs": report.exact_flops}
        return tuple(name for name, ours in named.items() if ours == self.value)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """What the tool's habits make of the difference, computed from the rows of our report."""
        assert self.called is not None
        subject = SUBJECTS[self.subject]
        habits = TOOLS[self.tool].rules(self.called, self.device)
        if subject.one_operation and self.tool == "flop_counter_no_grad" and habits:
            habits = (rules.ONE_OPERATION,)
        return _terms(habits, [(row, subject.kind(row)) for row in subject.report.rows])

    @property
    def explained(self) -> int:
        """What the terms add up to."""
        return sum(term.amount for term in self.terms)

    @property
    def remainder(self) -> int:
        """What of the difference no habit explains."""
        return self.difference - self.explained


def _terms(habits: Iterable[Rule], rows: Sequence[tuple[Row, str]]) -> tuple[Term, ...]:
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
    layer, by the layer's name, as in ``SUBJECTS``.

    Raises:
        KeyError: no tool or device has the name.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> report = count(Linear(5, 7), (1, 5))
    >>> predict(report, "flop_counter"), predict(report, "ptflops")
    ({'FLOPs': 70}, {'MACs': 42})
    """
    _check(tool=(tool, TOOLS), device=(device, DEVICES))
    asked = TOOLS[tool]
    kinds = written or {}
    rows = [(row, kinds.get(row.type, row.type)) for row in report.rows]
    return {
        called: int(getattr(report, ours))
        + sum(term.amount for term in _terms(asked.rules(called, device), rows))
        for called, ours in asked.means.items()
    }


def _check(**asked: tuple[str | None, Iterable[str]]) -> None:
    for what, (name, known) in asked.items():
        if name is not None and name not in known:
            raise KeyError(f"no {what} {name!r}; there are {', '.join(known)}")


@cache
def _stored() -> Any:
    return _data("peers.json")


def versions() -> dict[str, str]:
    """Return the versions that gave the figures.

    >>> versions()["torchinfo"]
    '1.8.0'
    """
    return dict(_stored()["versions"])


def figures(
    subject: str | None = None, tool: str | None = None, device: str | None = None
) -> list[Figure]:
    """Return the stored figures of a subject, a tool, a device, or all of them.

    Raises:
        KeyError: no subject, tool or device has the name.

    >>> [figure.value for figure in figures("vit_b_16", "flop_counter")]
    [33697001472, 35127656448]
    """
    _check(subject=(subject, SUBJECTS), tool=(tool, TOOLS), device=(device, DEVICES))
    found = (Figure(**record) for record in _stored()["figures"])
    return [
        figure
        for figure in found
        if subject in (None, figure.subject)
        and tool in (None, figure.tool)
        and device in (None, figure.device)
    ]
