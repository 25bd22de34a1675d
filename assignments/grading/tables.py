"""What comes out: the table of grades, and a page for every student."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from .examine import NOT_SUBMITTED, UNREADABLE_FILE, Record
from .roster import Person
from .totals import Part, Total

#: What stands in the column `name` of the row of the most points; its id is empty.
MOST = "points possible"
#: A spreadsheet would take a cell that begins so for a formula.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def grades(
    people: Sequence[Person],
    records: Mapping[str, Record],
    questions: Sequence[Mapping[str, Any]],
    by_hand: Sequence[str],
    totals: Mapping[str, Total],
    most_by_hand: float = 0,
    policy: bool = False,
) -> str:
    """Return the table: the most points there are, then everybody on the roster in its order.

    It begins with a byte order mark, by which a spreadsheet knows that it is UTF-8.

    Args:
        people: the roster.
        records: identifier → record, for everybody.
        questions: name and points of what is graded here.
        by_hand: headings of what a person reads; such a column is empty until all is given.
        totals: identifier → what the person gets.
        most_by_hand: the points that a person can give.
        policy: whether lateness costs something, and is shown.
    """
    out = io.StringIO("\ufeff", newline="")
    out.seek(0, io.SEEK_END)
    table = csv.writer(out, lineterminator="\n")
    names = [question["name"] for question in questions]
    table.writerow(
        ["id", "name", "status", "reason", *names, *(f"{h} (by hand)" for h in by_hand)]
        + (["days late", "taken off"] if policy else [])
        + ["total"]
    )
    possible = [question["possible"] for question in questions]
    most = sum(possible) + most_by_hand
    hands = [number(most_by_hand) for _ in by_hand]
    table.writerow(
        ["", MOST, "", "", *map(number, possible), *hands]
        + (["", ""] if policy else [])
        + [number(most)]
    )
    for person in people:
        record = records[person.id]
        points = {one["name"]: one["points"] for one in record.questions}
        earned = [points.get(name, 0) for name in names]
        given = totals[person.id]
        hand = given.by_hand
        table.writerow(
            [
                person.id,
                harmless(person.name),
                record.status,
                harmless(record.reason),
                *map(number, earned),
                *(number(hand.total) if hand.is_complete else "" for _ in by_hand),
                *([str(given.days), number(given.taken)] if policy else []),
                number(given.total),
            ]
        )
    return out.getvalue()


def number(points: float) -> str:
    """Return points without needless digits.

    >>> number(3.0), number(0.1 + 0.2), number(2)
    ('3', '0.3', '2')
    """
    return f"{points:.4f}".rstrip("0").rstrip(".") if isinstance(points, float) else str(points)


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    text = " ".join(text.split())
    return "'" + text if text.startswith(FORMULAS) else text


def feedback(
    name: str,
    person: Person,
    record: Record,
    by_hand: Sequence[str],
    given: Total,
    rubric: Sequence[Part] = (),
) -> str:
    """Return what a student may read: of hidden tests nothing but the points."""
    total = sum(one["points"] for one in record.questions)
    possible = sum(one["possible"] for one in record.questions)
    lines = [f"# {name}: {code(person.id)}", "", f"**{record.status}**: {escaped(record.reason)}"]
    if record.file and record.status != NOT_SUBMITTED:
        lines += ["", f"Graded was the file {code(record.file)}."]
    lines += ["", f"**{number(total)} of {number(possible)} points** that a program gives."]
    if given.by_hand.is_complete:
        lines += _read(by_hand, given, rubric)
    elif by_hand:
        lines += ["", f"Read by a person, and not in these points: {escaped('; '.join(by_hand))}."]
    if given.days:
        late = "1 day" if given.days == 1 else f"{given.days} days"
        lines += ["", f"Handed in {late} late: {number(given.taken)} points are taken off."]
    if given.by_hand.is_complete or given.days:
        lines += ["", f"**{number(given.total)} points in all.**"]
    if record.notes:
        lines += ["", "## What may help", ""]
        lines += [f"- {escaped(note)}" for note in record.notes[:50]]
    if record.status not in (NOT_SUBMITTED, UNREADABLE_FILE):
        for question in record.questions:
            lines += ["", *_question(question)]
    return "\n".join(lines) + "\n"


def _read(by_hand: Sequence[str], given: Total, rubric: Sequence[Part]) -> list[str]:
    """Return the points and the words of the person who has read the answer."""
    hand = given.by_hand
    most = sum(part.points for part in rubric)
    lines = ["", f"## {escaped('; '.join(by_hand))}: {number(hand.total)} of {number(most)} points"]
    lines += [""] + [
        f"- {escaped(part.title)}: {number(points or 0.0)} of {number(part.points)} points"
        for part, points in zip(rubric, hand.points, strict=True)
    ]
    return [*lines, *(["", escaped(hand.comment)] if hand.comment else [])]


def _question(question: Mapping[str, Any]) -> list[str]:
    lines = [
        f"## {escaped(question['name'])}: {number(question['points'])} of "
        f"{number(question['possible'])} points",
        "",
    ]
    for test in question["public"]:
        said = f": {code(test['message'])}" if test["message"] else ""
        points = ""
        if test["possible"]:
            points = f" ({number(test['points'])} of {number(test['possible'])} points)"
        verdict = "passed" if test["passed"] else "failed"
        lines.append(f"- a test that you have: {verdict}{points}{said}")
    hidden = question["hidden"]
    if hidden["possible"]:
        lines.append(
            f"- tests that you do not have: {number(hidden['points'])} of "
            f"{number(hidden['possible'])} points"
        )
    return lines


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is; code between backticks stays code.

    >>> escaped("a <b> [c](d) `e`")
    'a &lt;b> \\\\[c](d) `e`'
    """
    text = " ".join(text.split())
    for character in "\\[*_#!":
        text = text.replace(character, "\\" + character) if "`" not in text else text
    if "`" in text:
        text = text.replace("[", "\\[")
    return text.replace("&", "&amp;").replace("<", "&lt;")


def code(text: str) -> str:
    """Return a text as code in Markdown, whatever it holds.

    >>> code("x"), code("a`b")
    ('`x`', '`` a`b ``')
    """
    text = " ".join(text.split())
    if "`" not in text:
        return f"`{text}`"
    fence = "`" * (max(map(len, "".join(c if c == "`" else " " for c in text).split())) + 1)
    return f"{fence} {text} {fence}"
