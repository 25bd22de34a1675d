"""What other tools report for the same networks, and why it differs from our figures.

The figures were measured once and are stored with the versions that gave them;
``make peers`` measures them again. Nothing here needs PyTorch.

>>> from flopsbook.peers import figures
>>> (figure,) = figures("resnet18", "fvcore", "cpu")
>>> figure.value - figure.ours
4992512
>>> [(term.name, term.amount) for term in figure.terms]
[('batch norms: 2 for each number', 4967424), ('adaptive pooling: 1 for each number', 25088)]
>>> figure.remainder
0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from flopsbook.peers.subjects import FURTHER, LAYERS, MODELS, SUBJECTS, Subject
from flopsbook.quotes import data
from flopslib.counters import DEVICES, TOOLS, Term, rules, terms_of
from flopslib.counters.tools import check_known
from flopslib.report.report import Report

__all__ = [
    "FURTHER",
    "LAYERS",
    "MODELS",
    "SUBJECTS",
    "Figure",
    "Subject",
    "figures",
    "versions",
]


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
        return terms_of(habits, [(row, subject.kind(row)) for row in subject.report.rows])

    @property
    def explained(self) -> int:
        """What the terms add up to."""
        return sum(term.amount for term in self.terms)

    @property
    def remainder(self) -> int:
        """What of the difference no habit explains."""
        return self.difference - self.explained


@cache
def _stored() -> Any:
    return data("peers.json")


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
    check_known(subject=(subject, SUBJECTS), tool=(tool, TOOLS), device=(device, DEVICES))
    found = (Figure(**record) for record in _stored()["figures"])
    return [
        figure
        for figure in found
        if subject in (None, figure.subject)
        and tool in (None, figure.tool)
        and device in (None, figure.device)
    ]
