"""Who is in the class: a table with at least a column `id`."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flopsbook.exercises.personal import folded

SEPARATORS = (",", ";", "\t")


class RosterError(ValueError):
    """The roster cannot be used; the text says where, and what would be right."""


@dataclass(frozen=True)
class Person:
    """One row of the roster.

    Attributes:
        id: the identifier that belongs into a notebook's STUDENT, and into a file's name.
        name: as the roster has it; empty without such a column.
        row: everything the roster says.
    """

    id: str
    name: str = ""
    row: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> str:
        """The identifier as it is compared with names of files."""
        return folded(self.id)


def read_roster(path: Path) -> list[Person]:
    """Return everybody on the roster, in its order.

    A byte order mark is skipped, and semicolons or tabs may separate the columns.

    Raises:
        RosterError: the file cannot be read, has no column id, nobody in it, an empty
            identifier, or two that are the same.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RosterError(f"the roster {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise RosterError(
            f"the roster {path} is not UTF-8 (line {line}); save it as “CSV UTF-8”, or convert "
            "it, so that no name is spoilt"
        ) from None
    if "\0" in text:
        raise RosterError(f"the roster {path} is not text; save it as “CSV UTF-8”")
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if any(row)]
    except csv.Error as error:
        raise RosterError(f"the roster {path} is not a table: {error}") from None
    if not rows:
        raise RosterError(
            f"the roster {path} is empty; its first line names the columns, one of them id"
        )
    header = [name.strip().casefold() for name in rows[0]]
    if header.count("id") != 1:
        raise RosterError(
            f"the roster {path} needs one column named id; its first line reads {rows[0]!r}"
        )
    return _people(path, header, rows[1:])


def _people(path: Path, header: list[str], rows: list[list[str]]) -> list[Person]:
    if not rows:
        raise RosterError(f"the roster {path} names nobody: there is nothing below its first line")
    people: dict[str, Person] = {}
    for number, row in enumerate(rows, start=1):
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        person = Person(cells.get("id", ""), cells.get("name", ""), cells)
        if not person.id:
            raise RosterError(f"the roster {path} has no id for person {number} ({row!r})")
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
