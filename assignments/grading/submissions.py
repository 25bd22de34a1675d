"""Whose is which file: names of files and folders, and what a notebook says, against the roster.

The rule, first to last:

1. A file or folder belongs to the person whose id its name begins with, if the name ends
   there or goes on with "_", "-", a space, "(" or "+" (`anna.ipynb`, `anna_layers.ipynb`,
   `anna (1).ipynb`, `anna/layers.ipynb`). The longest such id wins: `anna` does not catch
   `anna2.ipynb`, nor `anna-lee.ipynb` where anna-lee is in the class.
2. Otherwise, if Canvas or Moodle has named it, to the person with the number that it has there
   (the roster's column `lms`), or else with the name, where one person alone has that name.
3. Otherwise to the person whose identifier the notebook has as its STUDENT.
4. Otherwise to the person whose id of four characters or more stands in the name as a word, if
   that is true of one person only.
5. Whatever belongs to nobody is listed.

Of several notebooks of one person, one that names this person as its STUDENT goes before one
that names nobody, and that before one that names somebody else, so that nobody's file takes the
place of another's. Among equals the one that was changed last is graded; of those changed at the
same time the last in the order of names. Links are not followed.
"""

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flopsbook.exercises.personal import PLACEHOLDER, folded

from .roster import Person

AFTER = "_- (+"
WORD = r"(?<![^\W_]){}(?![^\W_])"  # no letter or digit beside it; "_" is neither
SHORTEST_WORD = 4
MOST_FOUND = 100_000
MOST_READ = 60 * 10**6  # bytes of one notebook
#: What Moodle makes of a person's submission, and Canvas.
MOODLE = re.compile(r"(?P<name>[^_]+)_(?P<number>\d+)_assignsubmission_")
CANVAS = re.compile(r"(?P<name>[^\W_]+)(?:_LATE)?_(?P<number>\d+)_\d+_")
#: An assignment at the beginning of a line of a cell, as JSON writes it.
STUDENT = re.compile(
    rb'(?:"|\\n)[ \t]*STUDENT[ \t]*=[ \t]*'
    rb'(?:\\"((?:[^"\\]|\\u[0-9a-fA-F]{4})*)\\"|\'((?:[^"\'\\]|\\u[0-9a-fA-F]{4})*)\')'
)
BEGINNINGS = {
    b"%PDF": "a PDF",
    b"PK\3\4": "a zip archive",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"<!DOCTYPE": "a web page",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<HTML": "a web page",
}
NOISE = {"__macosx", "thumbs.db", "desktop.ini", "submission_metadata.yml"}


class SubmissionsError(ValueError):
    """The folder cannot be used; the text says what would be right."""


@dataclass(frozen=True)
class Claim:
    """Why a file is somebody's.

    Attributes:
        person: whose it is.
        by: "name", "number", "full name", "STUDENT" or "word".
        fits: how well: 3 if its name and its STUDENT agree, 2 if one of them says so and the
            other says nothing, 1 if its STUDENT is somebody else.
        account: the folder or the number under which a course system kept it.
    """

    person: Person
    by: str
    fits: int
    account: str = ""


@dataclass
class Found:
    """What lies in a folder of submissions.

    Attributes:
        of: the id of a person → their files, the one to be graded first.
        claims: file → why it is theirs.
        nobodys: files and folders that belong to nobody, or could belong to several.
    """

    of: dict[str, list[Path]] = field(default_factory=dict)
    claims: dict[Path, Claim] = field(default_factory=dict)
    nobodys: list[Path] = field(default_factory=list)

    def rivals(self, person: str) -> list[Path]:
        """Return other accounts' files that are this person's by their STUDENT alone."""
        files = self.of.get(person, [])
        by_word = [path for path in files if self.claims[path].by == "STUDENT"]
        if len(by_word) < 2 or len(by_word) < len(files):
            return []
        first = self.claims[by_word[0]].account
        return [path for path in by_word if self.claims[path].account != first]


def find(folder: Path, people: Sequence[Person], most: int = MOST_READ) -> Found:
    """Return whose is which file.

    Args:
        folder: what was handed in.
        people: the roster.
        most: bytes of a file that is looked into.

    Raises:
        SubmissionsError: there is no such folder, or it cannot be read.
    """
    if not folder.is_dir():
        raise SubmissionsError(f"SUBMISSIONS={folder} is not a folder")
    found = Found()
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise SubmissionsError(f"SUBMISSIONS={folder} cannot be read: {error.strerror}") from None
    names = Names(people)
    for entry in entries:
        if is_noise(entry):
            continue
        if not is_folder(entry):
            _give(found, names, entry, names.owner(stem(entry.name)), most)
            continue
        owner = names.owner(entry.name)
        for file in list(_below(entry)) or [entry]:
            # a folder of a tool's own making: its files may have names
            _give(found, names, file, owner or names.owner(stem(file.name)), most, entry.name)
    for files in found.of.values():
        files.sort(key=lambda path: (not is_notebook(path), -found.claims[path].fits, *_age(path)))
    return found


def _give(
    found: Found,
    names: "Names",
    file: Path,
    owner: tuple[Person, str] | None,
    most: int,
    folder: str = "",
) -> None:
    named = names.named(file, most)
    account = "".join(account_of(folder or file.name))
    claim = None
    if owner is not None and named not in (None, owner[0]) and _may_be_namesakes(owner, named):
        owner = None
    if owner is not None and (owner[1] != "word" or named in (None, owner[0])):
        fits = 2 if named is None else 3 if named is owner[0] else 1
        claim = Claim(owner[0], owner[1], fits - (owner[1] == "word" and named is None), account)
    elif named is not None:
        claim = Claim(named, "STUDENT", 2, account)
    if claim is None:
        found.nobodys.append(file)
        return
    found.claims[file] = claim
    found.of.setdefault(claim.person.id, []).append(file)


def _may_be_namesakes(owner: tuple[Person, str], named: Person | None) -> bool:
    """Whether a full name may be that of the person whom the notebook names.

    The roster does not say what that person is called.
    """
    return owner[1] == "full name" and named is not None and not named.name


def account_of(name: str) -> tuple[str, str]:
    """Return the name and the number of a person as Canvas or Moodle writes them, or nothing.

    >>> account_of("Anna Smith_884422_assignsubmission_file_")
    ('Anna Smith', '884422')
    >>> account_of("smithanna_LATE_99001_551001_layers.ipynb")
    ('smithanna', '99001')
    >>> account_of("anna_layers.ipynb")
    ('', '')
    """
    found = MOODLE.match(name) or CANVAS.match(name)
    return (found["name"], found["number"]) if found else ("", "")


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and the folders in it, in the order of their names."""
    count = 0
    for place, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not is_noise(Path(name)))
        for name in sorted(files):
            if not is_noise(Path(name)):
                count += 1
                if count > MOST_FOUND:
                    raise SubmissionsError(f"{folder} holds more than {MOST_FOUND:,} files")
                yield Path(place, name)


def is_noise(path: Path) -> bool:
    """Whether a name is what systems leave behind, rather than something handed in."""
    return path.name.startswith(".") or path.name.casefold() in NOISE


def is_folder(path: Path) -> bool:
    """Whether a path is a folder itself, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def is_notebook(path: Path) -> bool:
    """Whether a path is named like a notebook."""
    return path.suffix.casefold() == ".ipynb"


def stem(name: str) -> str:
    """Return a file's name without its ending.

    >>> stem("anna.b.ipynb"), stem("anna.tar.gz"), stem("anna")
    ('anna.b', 'anna.tar', 'anna')
    """
    return Path(name).stem if name else name


def _age(path: Path) -> tuple[float, list[tuple[int, int | str]]]:
    """Sort what was changed last first, then the last name."""
    return -changed(path), [(-kind, _minus(part)) for kind, part in natural(path)]


def changed(path: Path) -> float:
    """Return when a file was changed, in seconds since 1970."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _minus(part: int | str) -> int | str:
    if isinstance(part, int):
        return -part
    return "".join(chr(0x10FFFF - ord(character)) for character in part) + chr(0x10FFFF)


def natural(path: Path | str) -> list[tuple[int, int | str]]:
    """Return a key that sorts file2 before file10.

    >>> sorted(["q10", "q2", "q1"], key=natural)
    ['q1', 'q2', 'q10']
    """
    parts: Iterable[str] = re.split(r"([0-9]+)", str(path))
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts if part]


class Names:
    """Finds the person whom a file belongs to."""

    def __init__(self, people: Sequence[Person]):
        self.people = sorted(people, key=lambda person: -len(person.key))
        self.words = {
            person.id: re.compile(WORD.format(re.escape(person.key)))
            for person in people
            if len(person.key) >= SHORTEST_WORD
        }
        self.by_key = {person.key: person for person in people}
        self.by_number = only((number, person) for person in people for number in person.numbers)
        self.by_name = only((name, person) for person in people for name in written(person.name))

    def owner(self, name: str) -> tuple[Person, str] | None:
        """Return the person and why, or None where there is none or more than one."""
        plain = folded(name)
        for person in self.people:
            if plain == person.key or (
                plain.startswith(person.key) and plain[len(person.key)] in AFTER
            ):
                return person, "name"
        full, number = account_of(name)
        if number in self.by_number:
            return self.by_number[number], "number"
        if letters(full) in self.by_name:
            return self.by_name[letters(full)], "full name"
        inside = [
            person
            for person in self.people
            if person.id in self.words and self.words[person.id].search(plain)
        ]
        # anna-lee contains anna
        contained = {one.id for one in inside for two in inside if one.key in two.key != one.key}
        inside = [one for one in inside if one.id not in contained]
        return (inside[0], "word") if len(inside) == 1 else None

    def named(self, file: Path, most: int) -> Person | None:
        """Return the person whom a notebook has as its STUDENT, as far as its text tells."""
        if not is_notebook(file):
            return None
        try:
            data = content(file, most)
        except NotReadError:
            return None
        people = {self.by_key.get(name) for name in students(data)} - {None}
        return people.pop() if len(people) == 1 else None


def only(pairs: Iterable[tuple[str, Person]]) -> dict[str, Person]:
    """Return text → person, for texts that belong to one person alone."""
    found: dict[str, Person | None] = {}
    for text, person in pairs:
        if text:
            found[text] = person if found.get(text, person) is person else None
    return {text: person for text, person in found.items() if person is not None}


def written(name: str) -> set[str]:
    """Return the ways in which Canvas and Moodle write a name, as letters.

    >>> sorted(written("Smith, Anna"))
    ['annasmith', 'smithanna']
    """
    last, _, first = name.partition(",")
    if not first:
        *rest, last = name.split() or [""]
        first = " ".join(rest)
    return {letters(f"{last} {first}"), letters(f"{first} {last}")}


def letters(text: str) -> str:
    """Return the letters and digits of a text, folded."""
    return "".join(one for one in folded(text) if one.isalnum())


def students(notebook: bytes) -> set[str]:
    """Return what the cells of a notebook assign to STUDENT, folded.

    Found in the bytes, without taking the file for JSON or for a notebook, which it need not be.

    >>> students(b'{"source": ["x = 1\\\\n", "STUDENT = \\\\"S1001\\\\""]}')
    {'s1001'}
    """
    found = set()
    for written in STUDENT.findall(notebook):
        try:
            text = json.loads(b'"' + (written[0] or written[1]) + b'"')
        except ValueError:
            continue
        found.add(folded(text))
    return found - {"", folded(PLACEHOLDER)}


class NotReadError(Exception):
    """A file cannot be graded; the text goes on after "could not be read: "."""


def content(path: Path, most: int) -> bytes:
    """Return what a file holds, if it is a file of a reasonable size; no link is followed.

    Raises:
        NotReadError: it is a link, a folder, a device, empty, too large or not readable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise NotReadError("it is a link, which is not followed") from None
        raise NotReadError(f"the system says “{error.strerror}”") from None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise NotReadError("it is a folder without a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise NotReadError("it is not a regular file")
        if status.st_size > most:
            raise NotReadError(
                f"it has {status.st_size / 10**6:,.0f} MB, and more than "
                f"{most / 10**6:,.0f} MB is not a notebook with outputs as they should be"
            )
        found = file.read(most + 1)
    if not found.strip():
        raise NotReadError("it is empty")
    for beginning, kind in BEGINNINGS.items():
        if found.lstrip().startswith(beginning):
            raise NotReadError(f"it is {kind}, whatever its name says")
    if len(found) > most:
        raise NotReadError("it grew while it was read")
    return found
