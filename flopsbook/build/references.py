"""How a reference is called, in a chapter and in the list: "He et al., 2016"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style
from pybtex.style.labels import BaseLabelStyle

STYLE = "the_book"


def label(entry: Any) -> str:
    """Return what a chapter calls a reference.

    >>> from pybtex.database import Entry, Person
    >>> he, others = Person("He, Kaiming"), Person("others")
    >>> label(Entry("misc", {"year": "2016"}, {"author": [he]}))
    'He, 2016'
    >>> label(Entry("misc", {"year": "2016"}, {"author": [he, Person("de Jong, Michiel")]}))
    'He and de Jong, 2016'
    >>> label(Entry("misc", {"year": "2016"}, {"author": [he, he, others]}))
    'He et al., 2016'
    """
    names = [
        " ".join([*person.prelast_names, *person.last_names]).replace("{", "").replace("}", "")
        for person in entry.persons["author"]
    ]
    authors = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    return f"{authors}, {entry.fields['year']}"


class AuthorYear(BaseLabelStyle):  # type: ignore[misc]
    """Labels of the list; two of the same get the letters a and b."""

    def format_labels(self, entries: Iterable[Any]) -> Iterator[str]:
        """Yield the label of each entry."""
        labels = [label(entry) for entry in entries]
        often, seen = Counter(labels), Counter[str]()
        for of in labels:
            seen[of] += 1
            yield of + ("abcdefgh"[seen[of] - 1] if often[of] > 1 else "")


class TheBook(Style):  # type: ignore[misc]
    """The usual entries under the labels of the chapters."""

    default_label_style = AuthorYear
    default_sorting_style = "author_year_title"


register_plugin("pybtex.style.formatting", STYLE, TheBook)
