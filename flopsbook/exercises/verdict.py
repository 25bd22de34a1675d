"""What the checker says: a verdict on an answer, and a hint."""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import dataclass

__all__ = ["Hint", "Verdict"]

#: As wide as a line of code in a chapter.
WIDTH = 74


def _wrapped(message: str) -> str:
    return textwrap.fill(message, WIDTH, break_long_words=False, break_on_hyphens=False)


def _marked(found: re.Match[str]) -> str:
    """Mark code and emphasis; a star inside code is a star."""
    code, word = found.groups()
    return f"<code>{code}</code>" if code else f"<em>{word}</em>"


def _as_html(message: str, kind: str) -> str:
    """Write a message as a box in the colours that the book has for it."""
    marked = re.sub(r"`([^`]+)`|\*(\w+)\*", _marked, html.escape(message, quote=False))
    title, stop, rest = marked.partition(". ")
    return (
        f'<div class="admonition {kind}"><p class="admonition-title">{title}</p>'
        f"<p>{rest if stop else ''}</p></div>"
    )


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether an answer is right, and what there is to say about it.

    It is true exactly when the answer is right.

    >>> Verdict(True, "Right. Half of these are additions.")
    Right. Half of these are additions.
    >>> assert not Verdict(False, "Not yet. It is exactly 2 times too large.")
    """

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return _wrapped(self.message)

    def _repr_html_(self) -> str:
        return _as_html(self.message, "tip" if self.right else "warning")


@dataclass(frozen=True, repr=False)
class Hint:
    """One step towards an answer, without the answer.

    >>> Hint("Hint 1 of 2. How many terms has the window?")
    Hint 1 of 2. How many terms has the window?
    """

    message: str

    def __repr__(self) -> str:
        return _wrapped(self.message)

    def _repr_html_(self) -> str:
        return _as_html(self.message, "hint")
