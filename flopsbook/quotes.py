"""What others wrote: the notes this book grew out of, and published figures."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from flopslib import notation


def data(name: str) -> Any:
    """Return a file of the book's data."""
    return json.loads(files("flopsbook").joinpath("data", name).read_text(encoding="utf-8"))


class Quotation:
    """A claim of the source notes, shown with its section.

    Attributes:
        section: the section of the notes.
        original: the claim in Chinese or as a formula.
        english: our translation, empty where a formula needs none.
        value: the figure it gives, if it gives one.
    """

    def __init__(self, claim: str) -> None:
        """Take the name of a claim in ``data/source_notes.json``.

        Raises:
            KeyError: no claim has the name.
        """
        claims = data("source_notes.json")["claims"]
        if claim not in claims:
            raise KeyError(f"no claim {claim!r}; there are {', '.join(claims)}")
        self.section: str = claims[claim]["section"]
        self.original: str = claims[claim]["original"]
        self.english: str = claims[claim]["english"]
        self.value: int | None = claims[claim].get("value")
        self._formula: str | None = claims[claim].get("formula")

    @property
    def formula(self) -> Any:
        """The formula it gives, in the symbols of the notation table; None if it gives none.

        >>> Quotation("linear").formula
        2*B*I*O
        """
        if self._formula is None:
            return None
        import sympy

        letters = {row.letter: getattr(notation, row.letter) for row in notation.TABLE}
        layers = sympy.Symbol("N", positive=True, integer=True)
        return sympy.sympify(self._formula, locals=letters | {"N": layers})

    @property
    def words(self) -> str:
        """The claim in English, or its formula."""
        return self.english or self.original

    def __repr__(self) -> str:
        return f"The source notes, section {self.section}: {self.words}"

    def _repr_markdown_(self) -> str:
        # a reader of Chinese unfolds the original; many a machine has no letters for it
        original = f'<span lang="zh">{self.original}</span>'
        folded = ["<details><summary>in Chinese</summary>", original, "</details>"]
        lines = [self.english, *folded] if self.english else [self.original]
        body = "\n>\n> ".join(lines)
        return f"> {body}\n>\n> — *the source notes, section {self.section}*"


def claims() -> list[str]:
    """Return the names of all claims, in the order of the notes.

    >>> claims()[0]
    'unit'
    """
    return list(data("source_notes.json")["claims"])


def published(model: str) -> list[dict[str, Any]]:
    """Return the figures that others publish for a model.

    >>> published("resnet50")[0]["value"]
    3800000000
    """
    figures: list[dict[str, Any]] = data("published.json")[model]
    return figures
