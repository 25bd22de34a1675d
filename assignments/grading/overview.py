"""What an instructor looks at: one page about the class, for nobody else's eyes."""

import html
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import alike
from .examine import GRADED, NOT_SUBMITTED, UNREADABLE_FILE, Record
from .roster import Person
from .tables import number
from .totals import Total

BANDS = 10
EASY, HARD, BLUNT = 0.9, 0.4, 0.2  # shares of the points, and of a correlation


@dataclass(frozen=True)
class Asked:
    """How a question went.

    Attributes:
        name: the question.
        possible: the points that it can give.
        mean: of the points, over all who were graded.
        full: how many got all points.
        none: how many got none.
        apart: the correlation of its points with those of the other questions; None where
            either of them is the same for everybody.
    """

    name: str
    possible: float
    mean: float
    full: int
    none: int
    apart: float | None

    @property
    def share(self) -> float:
        """The mean as a share of the points: low for a hard question."""
        return self.mean / self.possible


def asked(records: Sequence[Record]) -> list[Asked]:
    """Return how each question went, among those whose notebook was graded."""
    if not records:
        return []
    points = [{one["name"]: one["points"] for one in record.questions} for record in records]
    found = []
    for question in records[0].questions:
        name, possible = question["name"], question["possible"]
        earned = [float(one[name]) for one in points]
        rest = [sum(one.values()) - one[name] for one in points]
        full, none = earned.count(possible), earned.count(0)
        found.append(
            Asked(name, possible, statistics.fmean(earned), full, none, _together(earned, rest))
        )
    return found


def _together(one: Sequence[float], other: Sequence[float]) -> float | None:
    if len(one) < 3 or len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return statistics.correlation(one, other)


@dataclass(frozen=True)
class Misconception:
    """A usual mistake that was recognised in a question."""

    question: str
    name: str
    sentence: str
    people: tuple[str, ...]


def misconceptions(records: Sequence[Record]) -> list[Misconception]:
    """Return the mistakes that were recognised, the commonest first."""
    who: dict[tuple[str, str], list[str]] = {}
    said = {}
    for record in records:
        for question in record.questions:
            for mistake in question.get("mistakes", ()):
                who.setdefault((question["name"], mistake["name"]), []).append(record.id)
                said[mistake["name"]] = mistake["sentence"]
    found = [
        Misconception(question, name, said[name], tuple(people))
        for (question, name), people in who.items()
    ]
    return sorted(found, key=lambda one: (-len(one.people), one.question, one.name))


def page(
    name: str,
    people: Sequence[Person],
    records: Mapping[str, Record],
    totals: Mapping[str, Total],
) -> str:
    """Return the page.

    Args:
        name: the set.
        people: the roster.
        records: identifier → record, for everybody.
        totals: identifier → what the person gets.
    """
    everybody = [records[person.id] for person in people]
    graded = [one for one in everybody if one.status not in (NOT_SUBMITTED, UNREADABLE_FILE)]
    sections = [
        _numbers(everybody, graded, totals),
        _distribution(graded, totals),
        _questions(graded),
        _mistakes(graded),
        _absent(people, records),
        _odd(everybody),
        _alike(graded),
    ]
    title = html.escape(f"{name}: the class")
    return PAGE.format(title=title, style=STYLE, sections="\n".join(sections))


def _numbers(
    everybody: Sequence[Record], graded: Sequence[Record], totals: Mapping[str, Total]
) -> str:
    counts = Counter(one.status for one in everybody)
    said = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    lines = [f"<p>{len(everybody)} people on the roster: {html.escape(said)}.</p>"]
    if graded:
        got = sorted(totals[one.id].total for one in graded)
        low, middle, high = (
            statistics.quantiles(got, method="inclusive") if len(got) > 1 else got * 3
        )
        lines.append(
            f"<p>Of those who were graded the mean is {number(round(statistics.fmean(got), 2))} "
            f"points and the median {number(middle)}; the middle half has {number(low)} to "
            f"{number(high)}.</p>"
        )
    return "\n".join(lines)


def _distribution(graded: Sequence[Record], totals: Mapping[str, Total]) -> str:
    if not graded:
        return ""
    most = max(
        [sum(one["possible"] for one in graded[0].questions)]
        + [totals[one.id].total for one in graded]
    )
    bands = Counter(
        min(BANDS - 1, int(BANDS * totals[one.id].total / most)) if most else 0 for one in graded
    )
    rows = []
    for band in range(BANDS):
        low, high = (number(round(most * place / BANDS, 1)) for place in (band, band + 1))
        to = f"{low} to {high}" if band == BANDS - 1 else f"{low} to below {high}"
        rows.append([to, str(bands[band]), _bar(bands[band] / max(bands.values()))])
    return "<h2>Distribution</h2>\n" + _table(("points", "people", ""), rows)


def _questions(graded: Sequence[Record]) -> str:
    rows = []
    for one in asked(graded):
        apart = "–" if one.apart is None else f"{one.apart:.2f}"
        notes = []
        if one.share >= EASY:
            notes.append("easy")
        if one.share <= HARD:
            notes.append("hard")
        if one.apart is not None and one.apart < BLUNT:
            notes.append("hardly tells strong from weak")
        mean = f"{one.mean:.2f} of {number(one.possible)}"
        rows.append([one.name, mean, _percent(one.share), f"{one.full}", f"{one.none}", apart,
                     ", ".join(notes)])  # fmt: skip
    head = ("question", "mean", "of the points", "all points", "no points", "discrimination", "")
    return (
        "<h2>Points by question</h2>\n" + _table(head, rows) + "\n<p>The discrimination is the "
        "correlation of a question's points with those of all other questions: near 1 where "
        "the same people do well, near 0 where a question tells nothing about the rest.</p>"
    )


def _mistakes(graded: Sequence[Record]) -> str:
    rows = []
    for one in misconceptions(graded):
        who = ", ".join(one.people[:10]) + (", …" if len(one.people) > 10 else "")
        rows.append([one.question, one.name, f"{len(one.people)}",
                     _percent(len(one.people) / len(graded)), one.sentence, who])  # fmt: skip
    head = ("question", "mistake", "people", "of those graded", "what the book says to it", "who")
    body = _table(head, rows) if rows else "<p>No usual mistake was recognised.</p>"
    return f"<h2>Mistakes that many share</h2>\n{body}"


def _absent(people: Sequence[Person], records: Mapping[str, Record]) -> str:
    absent = [one for one in people if records[one.id].status == NOT_SUBMITTED]
    items = "".join(f"<li>{html.escape(f'{one.id} {one.name}'.strip())}</li>" for one in absent)
    body = f"<ul>{items}</ul>" if absent else "<p>Everybody has handed in something.</p>"
    return f"<h2>Who has not handed in</h2>\n{body}"


def _odd(everybody: Sequence[Record]) -> str:
    rows = [
        [one.id, one.status, one.reason]
        for one in everybody
        if one.status not in (GRADED, NOT_SUBMITTED)
    ]
    body = _table(("id", "status", "reason"), rows) if rows else "<p>Nothing.</p>"
    return f"<h2>What to look at</h2>\n{body}"


def _alike(graded: Sequence[Record]) -> str:
    found = alike.pairs({one.id: one.own for one in graded})
    rows = [[f"{one.one} and {one.other}", _percent(one.share), one.sample] for one in found]
    head = ("notebooks", "of the shorter one's own text", "a piece of it, numbers as 0")
    body = _table(head, rows) if rows else "<p>No two are alike beyond what many have written.</p>"
    return (
        "<h2>Notebooks that are alike</h2>\n<p>A place to look, and no verdict: two people who "
        "learn together write alike, and a friend's program that was rewritten is not found. "
        f"Compared is what each has added to the notebook, without its numbers.</p>\n{body}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _bar(share: float) -> str:
    """Return a bar; a number beside it says the same in figures."""
    return f'<span class="bar" style="width: {10 * share:.2f}rem"></span>'


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    titles = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row">{html.escape(str(row[0]))}</th>'
        + "".join(f"<td>{_cell(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in rows
    )
    return f'<div class="wide"><table>\n<tr>{titles}</tr>\n{body}</table></div>'


def _cell(cell: str) -> str:
    return cell if cell.startswith('<span class="bar"') else html.escape(cell)


STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
         border-bottom: 1px solid #ccc; }
th[scope=row] { font-weight: normal; }
.bar { display: inline-block; height: .8rem; background: #2f6f9f; }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>For whoever teaches: nothing on this page is for the class.</p>
{sections}
</body>
</html>
"""
