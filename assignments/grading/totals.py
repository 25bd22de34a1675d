"""What somebody gets in the end: a program's points, a person's points, and what lateness costs."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from pathlib import Path

from flopsbook.exercises.personal import folded

from .roster import Person, plain

DAY = 24 * 3600
COMMENT = "comment"


class TotalsError(ValueError):
    """A table of points, or a date, cannot be used; the text says what would be right."""


@dataclass(frozen=True)
class Part:
    """A part of an answer that a person reads, and the points that it can get."""

    title: str
    points: float

    @property
    def column(self) -> str:
        """The heading of its column: the points are in it."""
        return f"{self.title} (of {self.points:g})"


@dataclass(frozen=True)
class ByHand:
    """What a person has given.

    Attributes:
        points: one for each part of the rubric; None where nothing was given yet.
        comment: for the student.
    """

    points: tuple[float | None, ...] = ()
    comment: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every part has its points."""
        return bool(self.points) and None not in self.points

    @property
    def total(self) -> float:
        """The points that were given so far."""
        return sum(one for one in self.points if one is not None)


def sheet(
    people: Iterable[tuple[str, str]], rubric: Sequence[Part], known: Mapping[str, ByHand]
) -> str:
    """Return the table that a teacher fills: a line for everybody, with what is known already.

    Args:
        people: what a line is called, and a name or nothing.
        rubric: the parts of the answer.
        known: folded name of a line → what was given.
    """
    out = io.StringIO("\ufeff", newline="")  # a spreadsheet knows by it that this is UTF-8
    out.seek(0, io.SEEK_END)
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["id", "name", *(part.column for part in rubric), COMMENT])
    for identifier, name in people:
        given = known.get(folded(identifier), ByHand((None,) * len(rubric)))
        points = ["" if one is None else f"{one:g}" for one in given.points]
        table.writerow([identifier, name, *points, given.comment])
    return out.getvalue()


def read_sheet(path: Path, known: Iterable[str], rubric: Sequence[Part]) -> dict[str, ByHand]:
    """Return folded name of a line → what a teacher has given there.

    Raises:
        TotalsError: a column is missing, a line is nobody's, or points are none or too many.
    """
    text = path.read_bytes().decode("utf-8-sig", "replace")
    first = text.partition("\n")[0]
    rows = list(csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count)))
    columns = [title.strip() for title in rows[0]] if rows else []
    wanted = ["id", *(part.column for part in rubric), COMMENT]
    missing = [title for title in wanted if title not in columns]
    if missing:
        raise TotalsError(f"{path} needs a column {missing[0]!r}; its first line reads {columns}")
    people = {folded(one) for one in known}
    found = {}
    for row in rows[1:]:
        cells = dict(zip(columns, map(plain, row), strict=False))
        if not any(cells.values()):
            continue
        who = folded(cells["id"])
        if who not in people:
            raise TotalsError(f"{path} has a line for {cells['id']!r}, who is not on the roster")
        points = tuple(
            _points(path, cells["id"], part, cells.get(part.column, "")) for part in rubric
        )
        found[who] = ByHand(points, cells.get(COMMENT, ""))
    return found


def _points(path: Path, who: str, part: Part, text: str) -> float | None:
    if not text:
        return None
    try:
        given = float(text.replace(",", "."))
    except ValueError:
        given = -1.0
    if not 0 <= given <= part.points:
        raise TotalsError(
            f"{path}: {who} has {text!r} for {part.column!r}; points are numbers from 0 to "
            f"{part.points:g}"
        )
    return given


@dataclass(frozen=True)
class Policy:
    """What lateness costs.

    Attributes:
        due: when everybody has to hand in, in the time of this machine.
        grace: minutes that nobody asks about.
        percent: of the points, for each day that has begun.
    """

    due: datetime
    grace: float = 0
    percent: float = 10

    def days(self, person: Person, handed_in: float) -> int:
        """Return how many days late somebody is, with an extension of their own."""
        own = person.row.get("due", "")
        due = moment(own, f"the due date of {person.id} on the roster") if own else self.due
        return max(0, ceil((handed_in - due.timestamp() - 60 * self.grace) / DAY))


def moment(text: str, what: str = "DUE") -> datetime:
    """Return a moment that is written as in ISO 8601.

    >>> moment("2026-11-06 23:59").hour
    23

    Raises:
        TotalsError: it is none.
    """
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise TotalsError(f'{what} must be like "2026-11-06 23:59", got {text!r}') from None


@dataclass(frozen=True)
class Total:
    """What somebody gets.

    Attributes:
        program: points that the program gives.
        by_hand: what a person gives.
        days: how many days late it was handed in.
        percent: of the points that this costs.
    """

    program: float
    by_hand: ByHand = field(default_factory=ByHand)
    days: int = 0
    percent: float = 0

    @property
    def earned(self) -> float:
        """Points before anything is taken off."""
        return self.program + self.by_hand.total

    @property
    def taken(self) -> float:
        """Points that lateness costs."""
        return self.earned * min(100, self.days * self.percent) / 100

    @property
    def total(self) -> float:
        """Points in the end."""
        return self.earned - self.taken
