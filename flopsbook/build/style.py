"""How the book speaks, as far as a program can hold it to that.

    python -m flopsbook.build.style --check
    python -m flopsbook.build.style --check chapters/linear.ipynb

Four rules, for what a reader sees: prose, the words of figures, tables and exercises, and the
outputs of the cells. Code is left alone.

- **words**: none of ``words.json``, the one list of words and forms that the book does without.
- **titles**: a link inside a sentence has words of its own. The title of a page is a name, and
  as a noun it collides with the sentence around it: "the table of What counts as one
  operation?." Alone in its line or at the start of a cell it may stay.
- **separators**: a number of five digits or more has its thousands apart. Sizes in a tuple such
  as a shape have no room for them.
- **formulas**: mathematics is typeset, never shown as ``2*B*L*d**2``.

:mod:`flopsbook.build.prose` finds the prose, and its list of exceptions has the same form as
``chapters/style_exceptions.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flopsbook.build import prose, visible
from flopsbook.build.prose import ROOT, Reviewed

REVIEWED = ROOT / "chapters" / "style_exceptions.json"
WORDS = Path(__file__).with_name("words.json")
#: With more than this, the list is a way around the rules.
MOST_REVIEWED = 15
# what stands for something that a program computes, or that is no prose
_HOLE = "\ufffc"


class Slip(NamedTuple):
    """Words that break a rule, where they start, and what would be right."""

    words: str
    start: int
    instead: str


class Text(NamedTuple):
    """A text that a reader sees: its file, its place, and whether it is an output."""

    file: str
    place: str
    text: str
    is_output: bool


class Fault(NamedTuple):
    """A slip and where it was found; the form of :class:`flopsbook.build.prose.Fault`."""

    file: str
    place: str
    words: str
    passage: str
    start: int
    instead: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {' '.join(self.words.split())!r}: {self.instead}"


@cache
def banned() -> list[tuple[re.Pattern[str], str]]:
    """Return the words that the book does without, and what it says instead."""
    entries = json.loads(WORDS.read_text(encoding="utf-8"))
    return [
        (re.compile(rf"\b{entry['words']}\b", re.IGNORECASE), f"say {entry['instead']}")
        for entry in entries
    ]


def words(text: str) -> Iterator[Slip]:
    """Find the words that the book does without.

    >>> [slip.words for slip in words("It costs one part in nine, and whoever `whoever`")]
    ['whoever', 'one part in']
    """
    read = visible.in_words(text).replace("\n", " ")
    for pattern, instead in banned():
        for found in pattern.finditer(read):
            yield Slip(found[0], found.start(), instead)


_BARE = r"\{doc\}`[^`<]+`"
_LIST = rf"(?:{_BARE}|[\s,;·–]|and\b)*"
_ITEM = re.compile(r"^[\s>]*(?:(?:[-*+]|\d+\.)\s)?")


def titles(text: str) -> Iterator[Slip]:
    """Find the links inside sentences that have no words of their own.

    >>> [slip.words for slip in titles("as {doc}`linear` has shown, in {doc}`here <linear>`.")]
    ['{doc}`linear`']
    """
    at = 0
    for line in text.split("\n"):
        is_row = line.lstrip().startswith("|")
        for piece in line.split("|") if is_row else [line]:
            for found in re.finditer(_BARE, piece):
                if not _alone(piece, found, is_row):
                    yield Slip(found[0], at + found.start(), "give the link words of its own")
            at += len(piece) + 1


def _alone(piece: str, link: re.Match[str], is_cell: bool) -> bool:
    """Does nothing but links stand around, or at least before it in a cell?"""
    before = _ITEM.sub("", piece[: link.start()], count=1)
    after = piece[link.end() :]
    ends = is_cell or after.lstrip().startswith(":") or re.fullmatch(_LIST, after)
    return bool(re.fullmatch(_LIST, before) and ends)


_LONG = re.compile(r"(?<![\w./#])(?<!\w-)\d{5,}(?!\w)")
_SIZES = re.compile(r"\(\d{1,6}(?:, ?\d{1,6})*,?\)")


def separators(text: str) -> Iterator[Slip]:
    """Find the long numbers whose thousands are not apart.

    >>> [slip.words for slip in separators("61100840 of shape (1, 50257), 1,000,000, `12288`")]
    ['61100840']
    """
    read = _SIZES.sub(lambda sizes: _HOLE * len(sizes[0]), visible.in_words(text))
    for found in _LONG.finditer(read):
        yield Slip(found[0], found.start(), f"write {int(found[0]):,}")


_POWER = re.compile(r"[\w)\]]+ ?\*\* ?[\w(]+")
_PRODUCT = re.compile(r"[\w)\]]+(?:\*{1,2}[\w(]+)+")


def formulas(text: str, *, is_output: bool = False) -> Iterator[Slip]:
    """Find formulas in the signs of a program; in an output, a single asterisk is one, too.

    >>> [slip.words for slip in formulas("2*B*L*d**2 FLOPs of **bold** `d**2`", is_output=True)]
    ['2*B*L*d**2']
    """
    read = _without_emphasis(visible.in_words(text))
    for found in (_PRODUCT if is_output else _POWER).finditer(read):
        yield Slip(found[0], found.start(), "typeset it, with latex(…) or tables.formulas")


def _without_emphasis(text: str) -> str:
    """Blank the signs of **bold** words and of *italics*."""
    signs = r"(?<![\w)\]*])(\*{1,2})(?=[^\s*])([^*\n]*?[^\s*])\1(?![\w(*])"
    return re.sub(signs, lambda m: f"{_HOLE * len(m[1])}{m[2]}{_HOLE * len(m[1])}", text)


def slips(text: Text) -> Iterator[Slip]:
    """Find everything that breaks a rule in a text."""
    rules: list[Callable[[str], Iterable[Slip]]] = [words, titles, separators]
    for rule in rules:
        yield from rule(text.text)
    yield from formulas(text.text, is_output=text.is_output)


def texts(path: Path) -> Iterator[Text]:
    """Return what a reader sees of a page or of a module."""
    for passage in prose.passages(path):
        yield Text(passage.file, passage.place, passage.text, is_output=False)
    if path.suffix == ".ipynb":
        file = prose.name(path)
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in visible.outputs(cell):
                yield Text(file, cell["id"], output, is_output=True)


def faults(path: Path) -> list[Fault]:
    """Return what breaks a rule; what a string of code has said, its output need not say again."""
    found, said = [], set()
    for text in texts(path):
        for slip in slips(text):
            if not (text.is_output and (text.place, slip.words) in said):
                found.append(Fault(text.file, text.place, slip.words, text.text, *slip[1:]))
                if not text.is_output:
                    said.add((text.place, slip.words))
    return found


def pages() -> list[Path]:
    """Return everything that readers see: pages, problem sets, and the book's own code."""
    modules = [
        path
        for path in sorted((ROOT / "flopsbook").rglob("*.py"))
        if "build" not in path.relative_to(ROOT).parts
    ]
    sets = sorted((ROOT / "assignments").glob("*/*.ipynb"))
    return [path for path in prose.pages() if path.suffix != ".py"] + sets + modules


def reviewed() -> list[Reviewed]:
    """Read the list of what may stay."""
    return [Reviewed(**entry) for entry in json.loads(REVIEWED.read_text(encoding="utf-8"))]


def complaints(paths: list[Path], entries: list[Reviewed]) -> list[str]:
    """Say what is wrong with pages and with the list, a line each."""
    found = [fault for path in paths for fault in faults(path)]
    wrong = [str(fault) for fault in found if not any(e.excuses(fault) for e in entries)]
    read = {prose.name(path) for path in paths}
    return wrong + prose.list_faults(entries, found, read, REVIEWED.name, MOST_REVIEWED)


def main(arguments: list[str] | None = None) -> int:
    """Check how pages speak; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flopsbook.build.style")
    parser.add_argument("--check", action="store_true", required=True, help="say what to mend")
    parser.add_argument("pages", nargs="*", type=Path, help="all, if none is named")
    given = parser.parse_args(arguments)
    wrong = complaints(given.pages or pages(), reviewed())
    print("\n".join(wrong) or "every page speaks as the book does")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
