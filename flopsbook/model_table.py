"""The source notes' table of models, counted: what they say, what is published, what is ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flopsbook.quotes import Quotation, published
from flopsbook.tables import Table, percent
from flopslib import models
from flopslib.derivation.rendering import short, text
from flopslib.models.language import next_token, training
from flopslib.report.report import Report, count

__all__ = ["TABLE", "Entry", "model_table", "remainder_table"]

IMAGE = (1, 3, 224, 224)
TOKENS, LENGTH = 300 * 10**9, 2048
ASTRONOMIC = 10**15


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Attributes:
        claim: the name of the notes' claim.
        name: the model, and what is counted of it.
        counted: what gives the figures.
        reason: why the notes' figure is not ours, in a few words.
        figures: the key of what others publish, if anybody does.
    """

    claim: str
    name: str
    counted: Callable[[], Any]
    reason: str
    figures: str | None = None

    @cached_property
    def _result(self) -> Any:
        return self.counted()

    @property
    def macs(self) -> int:
        """The MACs; of a training run, half of the exact FLOPs, which is whole."""
        return int(self._result.macs if isinstance(self._result, Report) else self.flops // 2)

    @property
    def flops(self) -> int:
        """The FLOPs, 2 for each MAC."""
        return int(self._result.flops)

    @property
    def published(self) -> list[dict[str, Any]]:
        """What others publish."""
        return published(self.figures) if self.figures else []

    @property
    def says(self) -> int:
        """What the notes say."""
        value = Quotation(self.claim).value
        assert value is not None
        return value

    @property
    def nearest(self) -> str:
        """Which of our figures the notes' one is nearest to, "MACs" or "FLOPs"."""
        ours = {"MACs": self.macs, "FLOPs": self.flops}
        return min(ours, key=lambda kind: abs(ours[kind] / self.says - 1))

    @property
    def remainder(self) -> int:
        """The notes' figure less the nearest of ours."""
        return self.says - (self.macs if self.nearest == "MACs" else self.flops)

    @property
    def kind(self) -> str | None:
        """What the notes' figure is, "MACs" or "FLOPs"; None if it is neither within a tenth.

        >>> [entry.kind for entry in TABLE]
        ['MACs', 'MACs', 'MACs', 'MACs', 'FLOPs', None]
        """
        return self.nearest if abs(self.remainder) < self.says / 10 else None


TABLE = (
    Entry(
        "resnet18",
        "ResNet-18",
        lambda: count(models.resnet18(), IMAGE),
        "rounded",
        "resnet18",
    ),
    Entry(
        "resnet50",
        "ResNet-50",
        lambda: count(models.resnet50(), IMAGE),
        "rounded",
        "resnet50",
    ),
    Entry(
        "mobilenet-v2",
        "MobileNetV2",
        lambda: count(models.mobilenet_v2(), IMAGE),
        "rounded",
        "mobilenet_v2",
    ),
    Entry(
        "vit",
        "ViT-B/16",
        lambda: count(models.vit_b_16(), IMAGE),
        "cut, or scores left out",
        "vit_b_16",
    ),
    Entry(
        "gpt3",
        "GPT-3, training",
        lambda: training(models.gpt3, tokens=TOKENS, seq_len=LENGTH),
        "the rule, scores left out, rounded",
        "gpt3-training",
    ),
    Entry(
        "llama",
        "LLaMA-7B, a token",
        lambda: next_token(models.llama_7b, cache=LENGTH - 1),
        "very likely 12 times the parameters",
    ),
)


def _printed(value: int) -> str:
    """Write a number that somebody printed, to the digits that it has.

    >>> _printed(1_800_000_000), _printed(3 * 10**8), _printed(3 * 10**23)
    ('1.8\xa0G', '300\xa0M', '3·10²³')
    """
    return short(value, len(str(value).rstrip("0")))


def _digits(value: int) -> str:
    # all digits, unless there are more than anybody reads
    return text(value) if value < ASTRONOMIC else short(value, 4)


def model_table() -> Table:
    """Return the table: the notes, one published figure, and ours."""
    rows = []
    for entry in TABLE:
        figures = sorted(entry.published, key=lambda row: row["cite"] != "torchvision")
        said = "–"
        for row in figures[:1]:
            said = f"{_printed(row['value'])} {{cite}}`{row['cite']}`"
        notes = f"{_printed(entry.says)}, {entry.kind or 'neither'}"
        rows.append([entry.name, notes, said, _digits(entry.macs), _digits(entry.flops)])
    return Table(
        ["model", "notes, nearest unit", "published", "our MACs", "our FLOPs"],
        rows,
        ["left", "left", "left", "right", "right"],
    )


def remainder_table() -> Table:
    """Return the differences between the notes and ours, each with its share and its reason."""
    rows = []
    for entry in TABLE:
        left = entry.remainder
        share = percent(left / (entry.says - left), 1, signed=True)
        sign = "−" if left < 0 else "+"
        rows.append([entry.name, entry.nearest, f"{sign}{_digits(abs(left))}", share, entry.reason])
    align = ["left", "left", "right", "right", "left"]
    return Table(["model", "minus our", "remainder", "in %", "reason"], rows, align)
