"""Who is in the class: a table with a column `id`, or what Canvas, Moodle or Gradescope exports."""

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flopsbook.exercises.personal import folded

SEPARATORS = (",", ";", "\t")
#: What may stand in a cell beside the number that a course system has for a person.
NUMBER = re.compile(r"\d+")
#: The second and third lines of a grade book of Canvas are nobody's.
NOBODY = ("points possible", "manual posting", "student, test", "test student")


class RosterError(ValueError):
    """The roster cannot be used; the text says where, and what would be right."""


@dataclass(frozen=True)
class Shape:
    """A table that another program writes, by the names of its columns.

    Attributes:
        name: the program.
        marks: columns by which it is recognised.
        ids: columns that may hold the identifier, the best first; one that is empty for
            somebody is not used.
        names: columns that make up a name.
        number: the column with the program's own number of a person, if it has one.
    """

    name: str
    marks: tuple[str, ...]
    ids: tuple[str, ...]
    names: tuple[str, ...]
    number: str = ""


SHAPES = (
    Shape(
        name="Canvas",
        marks=("student", "id", "section"),
        ids=("sis login id", "sis user id", "id"),
        names=("student",),
        number="id",
    ),
    Shape(
        name="Moodle",
        marks=("identifier", "full name"),
        ids=("id number", "username", "email address", "identifier"),
        names=("full name",),
        number="identifier",
    ),
    Shape(
        name="Moodle",
        marks=("first name", "last name", "id number"),
        ids=("id number", "username", "email address"),
        names=("first name", "last name"),
    ),
    Shape(
        name="Moodle",
        marks=("first name", "surname", "id number"),
        ids=("id number", "username", "email address"),
        names=("first name", "surname"),
    ),
    Shape(
        name="Gradescope",
        marks=("name", "sid", "email"),
        ids=("email", "sid"),
        names=("name",),
    ),
    Shape(
        name="Gradescope",
        marks=("first name", "last name", "sid", "email"),
        ids=("email", "sid"),
        names=("first name", "last name"),
    ),
    Shape(name="", marks=("id",), ids=("id",), names=("name",), number="lms"),
)


@dataclass(frozen=True)
class Table:
    """A table as it was read.

    Attributes:
        header: the names of the columns as they are written.
        rows: the lines below, as they are written; nobody's lines are among them.
        separator: what stands between two cells.
        shape: whose table it is.
        mark: a byte order mark, if the file begins with one.
    """

    header: list[str]
    rows: list[list[str]]
    separator: str
    shape: Shape
    mark: str = ""

    @property
    def columns(self) -> list[str]:
        """The names of the columns as they are compared."""
        return [folded(name) for name in self.header]

    def people(self) -> list[tuple[int, dict[str, str]]]:
        """Return the place of each person's line, and what stands in it by column."""
        found = []
        for place, row in enumerate(self.rows):
            cells = dict(zip(self.columns, map(plain, row), strict=False))
            first = folded(row[0]) if row else ""
            if self.shape.name and (first in NOBODY or cells[self.columns[0]] == ""):
                continue
            found.append((place, cells))
        return found

    def identifiers(self) -> str:
        """Return the column that holds everybody's identifier: the best that has no gap."""
        people = [cells for _, cells in self.people()]
        there = [name for name in self.shape.ids if name in self.columns]
        full = [name for name in there if all(cells.get(name) for cells in people)]
        return (full or there)[0]


@dataclass(frozen=True)
class Person:
    """One row of the roster.

    Attributes:
        id: the identifier that belongs into a notebook's STUDENT, and into a file's name.
        name: as the roster has it; empty without such a column.
        numbers: what the course system calls the person in the names of files.
        row: everything the roster says.
    """

    id: str
    name: str = ""
    numbers: tuple[str, ...] = ()
    row: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> str:
        """The identifier as it is compared with names of files."""
        return folded(self.id)


def plain(cell: str) -> str:
    """Return what a cell says, without what a spreadsheet puts around it.

    >>> plain('="s100"'), plain(" anna "), plain("'=1+1")
    ('s100', 'anna', '=1+1')
    """
    cell = cell.strip()
    quoted = re.fullmatch(r'="(.*)"', cell)
    return quoted[1] if quoted else cell.removeprefix("'") if cell[:2] == "'=" else cell


def read_table(path: Path, what: str = "roster") -> Table:
    """Return a table of a class, whoever wrote it.

    A byte order mark and Excel's line `sep=;` are skipped, and semicolons or tabs may separate
    the columns.

    Raises:
        RosterError: the file cannot be read, or no column of it holds identifiers.
    """
    text = _text(path, what)
    lines = text.splitlines()
    if lines and lines[0].strip().casefold().startswith("sep="):
        text = text.split("\n", 1)[1] if "\n" in text else ""
        lines = lines[1:]
    first = next((line for line in lines if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if any(row)]
    except csv.Error as error:
        raise RosterError(f"the {what} {path} is not a table: {error}") from None
    if not rows:
        raise RosterError(
            f"the {what} {path} is empty; its first line names the columns, one of them id"
        )
    columns = [folded(name) for name in rows[0]]
    shape = next((one for one in SHAPES if set(one.marks) <= set(columns)), None)
    if shape is None or (not shape.name and columns.count("id") != 1):
        raise RosterError(
            f"the {what} {path} needs one column named id, or has to be what Canvas, Moodle or "
            f"Gradescope exports; its first line reads {rows[0]!r}"
        )
    mark = "\ufeff" if path.read_bytes().startswith(BOM_UTF8) else ""
    return Table(rows[0], rows[1:], separator, shape, mark)


def _text(path: Path, what: str) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RosterError(f"the {what} {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise RosterError(
            f"the {what} {path} is not UTF-8 (line {line}); save it as “CSV UTF-8”, or convert "
            "it, so that no name is spoilt"
        ) from None
    if "\0" in text:
        raise RosterError(f"the {what} {path} is not text; save it as “CSV UTF-8”")
    return text


def read_roster(path: Path) -> list[Person]:
    """Return everybody on the roster, in its order.

    Raises:
        RosterError: the file cannot be read, has no column of identifiers, nobody in it, an
            empty identifier, or two that are the same.
    """
    table = read_table(path)
    rows = table.people()
    if not rows:
        raise RosterError(f"the roster {path} names nobody: there is nothing below its first line")
    column = table.identifiers()
    people: dict[str, Person] = {}
    for number, (place, cells) in enumerate(rows, start=1):
        person = _person(table.shape, cells, column)
        if not person.id:
            raise RosterError(
                f"the roster {path} has no id for person {number} ({table.rows[place]!r})"
            )
        if not any(character.isalnum() for character in person.id):
            raise RosterError(
                f"the roster {path} has the id {person.id!r}; one letter or digit at least "
                "has to be in it"
            )
        if person.key in people:
            raise RosterError(
                f"the roster {path} has the id {person.id!r} twice"
                + ("" if people[person.key].id == person.id else f" (as {people[person.key].id!r})")
                + "; give everybody one of their own"
            )
        people[person.key] = person
    return list(people.values())


def _person(shape: Shape, cells: Mapping[str, str], column: str) -> Person:
    name = " ".join(filter(None, (cells.get(part, "") for part in shape.names)))
    numbers = tuple(NUMBER.findall(cells.get(shape.number, ""))) if shape.number else ()
    return Person(cells.get(column, ""), name, numbers, cells)
