"""Whose is which file: names of files and folders against the roster.

The rule, first to last:

1. A file or folder belongs to the person whose id its name begins with, if the name ends
   there or goes on with "_", "-", a space, "(" or "+" (`anna.ipynb`, `anna_layers.ipynb`,
   `anna (1).ipynb`, `anna/layers.ipynb`). The longest such id wins: `anna` does not catch
   `anna2.ipynb`, nor `anna-lee.ipynb` where anna-lee is in the class.
2. Otherwise to the person whose id of four characters or more stands in the name as a word
   (`smithanna_LATE_4711_s12345_layers.ipynb` for s12345, as Canvas and Moodle name them), if
   that is true of one person only.
3. Whatever belongs to nobody is listed.

Large and small letters are alike. Of several notebooks of one person the one that was
changed last is graded; of those changed at the same time the last in the order of names.
Links are not followed.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flopsbook.exercises.personal import folded

from .roster import Person

AFTER = "_- (+"
WORD = r"(?<![^\W_]){}(?![^\W_])"  # no letter or digit beside it; "_" is neither
SHORTEST_WORD = 4
MOST_FOUND = 100_000
BEGINNINGS = {b"%PDF": "a PDF", b"PK\3\4": "a zip archive", b"\x89PNG": "an image"}
NOISE = {"__macosx", "thumbs.db", "desktop.ini", "submission_metadata.yml"}


class SubmissionsError(ValueError):
    """The folder cannot be used; the text says what would be right."""


@dataclass
class Found:
    """What lies in a folder of submissions.

    Attributes:
        of: the id of a person → their files, the one to be graded first.
        nobodys: files and folders that belong to nobody, or could belong to several.
    """

    of: dict[str, list[Path]] = field(default_factory=dict)
    nobodys: list[Path] = field(default_factory=list)


def find(folder: Path, people: Sequence[Person]) -> Found:
    """Return whose is which file.

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
        person = names.owner(entry.name if is_folder(entry) else stem(entry.name))
        if is_folder(entry):
            files = list(_below(entry))
            if person is None:  # a folder of a tool's own making: its files may have names
                for file in files or [entry]:
                    _give(found, names.owner(stem(file.name)), file)
            else:
                for file in files or [entry]:
                    _give(found, person, file)
        else:
            _give(found, person, entry)
    for files in found.of.values():
        files.sort(key=_rank)
    return found


def _give(found: Found, person: Person | None, file: Path) -> None:
    if person is None:
        found.nobodys.append(file)
    else:
        found.of.setdefault(person.id, []).append(file)


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


def _rank(path: Path) -> tuple[bool, float, list[tuple[int, int | str]]]:
    """Sort notebooks first, then what was changed last, then the last name."""
    try:
        changed = path.lstat().st_mtime
    except OSError:
        changed = 0.0
    return not is_notebook(path), -changed, [(-kind, _minus(part)) for kind, part in natural(path)]


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
    """Finds the person whom a name belongs to."""

    def __init__(self, people: Sequence[Person]):
        self.people = sorted(people, key=lambda person: -len(person.key))
        self.words = {
            person.id: re.compile(WORD.format(re.escape(person.key)))
            for person in people
            if len(person.key) >= SHORTEST_WORD
        }

    def owner(self, name: str) -> Person | None:
        """Return the person, or None where there is none or more than one."""
        name = folded(name)
        for person in self.people:
            if name == person.key or (
                name.startswith(person.key) and name[len(person.key)] in AFTER
            ):
                return person
        inside = [
            person
            for person in self.people
            if person.id in self.words and self.words[person.id].search(name)
        ]
        # anna-lee contains anna
        contained = {one.id for one in inside for two in inside if one.key in two.key != one.key}
        inside = [one for one in inside if one.id not in contained]
        return inside[0] if len(inside) == 1 else None


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
        if found.startswith(beginning):
            raise NotReadError(f"it is {kind}, whatever its name says")
    if len(found) > most:
        raise NotReadError("it grew while it was read")
    return found
