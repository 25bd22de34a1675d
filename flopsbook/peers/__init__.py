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

from flopsbook.peers.subjects import FURTHER, HABITS, LAYERS, MODELS, NETWORKS, SUBJECTS, Subject
from flopsbook.quotes import data
from flopslib.counters import MEANINGS, TOOLS, Term, rules, terms_of
from flopslib.counters.tools import check_known
from flopslib.report.report import Report

__all__ = [
    "CLASSIC",
    "FURTHER",
    "HABITS",
    "LAYERS",
    "MODELS",
    "NETWORKS",
    "SUBJECTS",
    "Figure",
    "Subject",
    "asked",
    "environments",
    "figures",
    "versions",
]


#: The counters of PyTorch that people quote, each asked in its usual way.
CLASSIC = ("flop_counter", "fvcore", "ptflops", "ptflops_aten", "calflops", "thop", "torchinfo")


@dataclass(frozen=True)
class Figure:
    """What one tool reports for one subject.

    Attributes:
        subject: the name of the subject.
        tool: the name of the tool.
        device: where it ran, such as "cpu" or "meta", on which only shapes are computed, or
            how it was asked.
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
        """Which of our figures it is, "MACs", "FLOPs" or "exact FLOPs"."""
        return MEANINGS[self._attribute]

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
        named = {word: int(getattr(report, ours)) for ours, word in MEANINGS.items()}
        return tuple(name for name, ours in named.items() if ours == self.value)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """What the tool's habits make of the difference, computed from the rows of our report."""
        assert self.called is not None
        subject = SUBJECTS[self.subject]
        habits = TOOLS[self.tool].rules(self.called, self.device)
        if subject.one_operation and self.device == "cpu":
            habits = rules.WHOLE_LAYER.get(self.tool, habits)
        framework = TOOLS[self.tool].framework
        kinds = [(row, subject.kind(row, framework)) for row in subject.report.rows]
        return terms_of(habits, kinds)

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


def environments() -> dict[str, dict[str, Any]]:
    """Return where the figures were measured: each environment's Python and versions.

    >>> environments()["jax"]["versions"]["flax"]
    '0.12.12'
    """
    return dict(_stored()["environments"])


def versions() -> dict[str, str]:
    """Return the versions that gave the figures, those of the first environment before others.

    >>> versions()["torchinfo"]
    '1.8.0'
    """
    found: dict[str, str] = {}
    for environment in environments().values():
        found = environment["versions"] | found
    return found


def asked() -> list[tuple[str, str, str]]:
    """Return every question: a tool, a subject, and a device or a way to ask.

    >>> ("flop_counter", "resnet18", "meta") in asked(), ("xla", "resnet18", "lowered") in asked()
    (True, False)
    """
    return [
        (key, name, device)
        for key, tool in TOOLS.items()
        for name, subject in SUBJECTS.items()
        if tool.framework in subject.frameworks
        for device in tool.devices
    ]


def figures(
    subject: str | None = None, tool: str | None = None, device: str | None = None
) -> list[Figure]:
    """Return the stored figures of a subject, a tool, a device, or all of them.

    Raises:
        KeyError: no subject, tool or device has the name.

    >>> [figure.value for figure in figures("vit_b_16", "flop_counter")]
    [33697001472, 35127656448]
    """
    known = {device for asked_tool in TOOLS.values() for device in asked_tool.devices}
    check_known(subject=(subject, SUBJECTS), tool=(tool, TOOLS), device=(device, sorted(known)))
    found = (Figure(**record) for record in _stored()["figures"])
    return [
        figure
        for figure in found
        if subject in (None, figure.subject)
        and tool in (None, figure.tool)
        and device in (None, figure.device)
    ]
