"""Notebooks that are alike: a place to look, and never a verdict.

Compared are the words and the code that a student has added to the notebook that was handed out.
Numbers are left out, since everybody has other ones, and so is whatever many of the class have
written: a formula that the book teaches is nobody's.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from .answers import Cell
from .by_hand import PLACEHOLDER, Template, squeezed

RUN = 6  # words and signs in a row
FEWEST = 25  # such runs: less than that is alike by chance
COMMON = 0.2  # of the class: what so many have is nobody's own
LEAST = 0.5  # of the runs of the shorter one
LONGEST = 20_000
WORD = re.compile(r"\d[\d_.,]*|\w+|[^\w\s]")


@dataclass(frozen=True)
class Pair:
    """Two notebooks that are alike.

    Attributes:
        one: an identifier.
        other: another.
        share: of the shorter one's own text that is in the other, from 0 to 1.
        sample: a piece that both have, numbers as 0.
    """

    one: str
    other: str
    share: float
    sample: str


def own(cells: Iterable[Cell], given: Template) -> str:
    """Return the words and the code of a notebook that the given one does not have.

    >>> from .by_hand import template
    >>> own([("code", "x_1 = 17 * width", {}), ("code", "STUDENT = 'ada'", {})], template(None))
    'x_1 = 0 * width'
    """
    found = []
    for _, source, _ in cells:
        text = squeezed(source)
        if text in given.texts or text in given.codes or text == PLACEHOLDER:
            continue
        if text.startswith("STUDENT"):
            continue
        found += ["0" if word[0].isdigit() else word for word in WORD.findall(source)]
    return " ".join(found)[:LONGEST]


def pairs(texts: Mapping[str, str], most: int = 20) -> list[Pair]:
    """Return the pairs that are most alike, the most first.

    >>> text = " ".join(f"word{chr(97 + n)}" for n in range(26)) + " and that is all of it so far"
    >>> [(pair.one, pair.other, pair.share) for pair in pairs({"a": text, "b": text, "c": "x"})]
    [('a', 'b', 1.0)]
    """
    runs = {who: _runs(text) for who, text in texts.items()}
    owners = Counter(run for found in runs.values() for run in found)
    limit = max(2, COMMON * len(texts))
    rare = {who: {run for run in found if owners[run] <= limit} for who, found in runs.items()}
    by_run: dict[tuple[str, ...], list[str]] = {}
    for who, found in rare.items():
        for run in found:
            by_run.setdefault(run, []).append(who)
    shared = Counter(pair for who in by_run.values() for pair in combinations(sorted(who), 2))
    result = []
    for (one, other), count in shared.items():
        share = count / min(len(rare[one]), len(rare[other]))
        if count >= FEWEST and share >= LEAST:
            result.append(Pair(one, other, share, _sample(texts[one], rare[one] & rare[other])))
    return sorted(result, key=lambda pair: (-pair.share, pair.one, pair.other))[:most]


def _runs(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[place : place + RUN]) for place in range(len(words) - RUN + 1)}


def _sample(text: str, both: set[tuple[str, ...]], most: int = 30) -> str:
    """Return the longest piece of a text that the other one has as well, or its beginning."""
    words = text.split()
    best, begun = (0, 0), None
    for place in range(len(words) - RUN + 2):
        inside = tuple(words[place : place + RUN]) in both
        if inside and begun is None:
            begun = place
        if not inside and begun is not None:
            best = max(best, (place + RUN - 1 - begun, begun))
            begun = None
    length, begin = best
    return " ".join(words[begin : begin + min(length, most)])
