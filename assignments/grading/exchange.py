"""Grades back into the file that the roster came from: Canvas, Moodle or Gradescope.

The file keeps its columns, their order, its lines and its separator; nothing is changed but the
cells that hold this set's grade, and what a person's feedback may say.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flopsbook.exercises.personal import folded

from .roster import Table
from .tables import harmless, number

#: Columns of Moodle's worksheet and of Gradescope's table, as they are compared.
GRADE, MOST, COMMENTS = "grade", "maximum grade", "feedback comments"
SCORE, POSSIBLE = "total score", "max points"
POINTS_POSSIBLE = "points possible"


@dataclass(frozen=True)
class Given:
    """What somebody gets.

    Attributes:
        points: the total; None for somebody who has handed in nothing.
        comment: one line for the student.
    """

    points: float | None
    comment: str = ""


def file_name(table: Table) -> str | None:
    """Return what the file with grades is called, or None if no course system wrote the roster.

    >>> from .roster import SHAPES
    >>> file_name(Table([], [], ",", SHAPES[0]))
    'for-canvas.csv'
    """
    return f"for-{table.shape.name.casefold()}.csv" if table.shape.name else None


def filled(table: Table, name: str, most: float, given: Mapping[str, Given]) -> str:
    """Return the table with the grades of a set in it.

    Args:
        table: the roster, as it was read.
        name: the set.
        most: the points that there are.
        given: folded identifier → what the person gets.
    """
    header, rows = [*table.header], [[*row] for row in table.rows]
    column = table.identifiers()
    people = {place: given[folded(cells[column])] for place, cells in table.people()}
    fill = {"Canvas": _canvas, "Moodle": _moodle, "Gradescope": _gradescope}[table.shape.name]
    fill(header, rows, name, most, people)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=table.separator, lineterminator="\n")
    writer.writerows([header, *rows])
    return table.mark + out.getvalue()


People = Mapping[int, Given]


def _canvas(
    header: list[str], rows: list[list[str]], name: str, most: float, people: People
) -> None:
    """Fill the column of the assignment, "layers (4711)", or add one with the set's name."""
    exact = rf"{re.escape(name)}( \(\d+\))?"
    patterns = (exact, rf"(.*\W)?{exact}", rf"(.*\W)?{re.escape(name)}(\W.*)?")
    found = (
        place
        for pattern in patterns
        for place, title in enumerate(header)
        if re.fullmatch(pattern, title.strip(), re.IGNORECASE)
    )
    place = next(found, -1)
    place = _added(header, name) if place < 0 else place
    for row in rows:
        if folded(row[0]) == POINTS_POSSIBLE:
            _put(row, place, number(most))
    for line, one in people.items():
        if one.points is not None:
            _put(rows[line], place, number(one.points))


def _moodle(
    header: list[str], rows: list[list[str]], name: str, most: float, people: People
) -> None:
    """Fill Grade and Feedback comments of the worksheet; else add a column of the set's name."""
    columns = [folded(title) for title in header]
    grade = columns.index(GRADE) if GRADE in columns else _added(header, name)
    comments = columns.index(COMMENTS) if COMMENTS in columns else None
    for line, one in people.items():
        if MOST in columns:
            _check_most(rows[line], columns.index(MOST), most, name)
        if one.points is not None:
            _put(rows[line], grade, number(one.points))
        if comments is not None and one.comment:
            _put(rows[line], comments, harmless(one.comment))


def _gradescope(
    header: list[str], rows: list[list[str]], name: str, most: float, people: People
) -> None:
    """Fill Total Score and Max Points; else add a column of the set's name."""
    columns = [folded(title) for title in header]
    score = columns.index(SCORE) if SCORE in columns else _added(header, name)
    for line, one in people.items():
        if POSSIBLE in columns:
            _put(rows[line], columns.index(POSSIBLE), number(most))
        if one.points is not None:
            _put(rows[line], score, number(one.points))


class ScaleError(ValueError):
    """The course system expects other points than the set has."""


def _check_most(row: Sequence[str], place: int, most: float, name: str) -> None:
    said = row[place].strip().replace(",", ".") if place < len(row) else ""
    if said and float(said) != most:
        raise ScaleError(
            f"Moodle's Maximum Grade for {name} is {said}, and the set has {number(most)} points: "
            "set it there, and export the worksheet again"
        )


def _added(header: list[str], title: str) -> int:
    if title not in header:
        header.append(title)
    return header.index(title)


def _put(row: list[str], place: int, text: str) -> None:
    row += [""] * (place + 1 - len(row))
    row[place] = text
