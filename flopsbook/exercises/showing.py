"""Showing an answer that anybody may have typed, in the words of a sentence about it.

An object of another class may call itself equal to everything, so only types that are known
to be what they seem are written out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from itertools import islice
from typing import Any

from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount

__all__ = ["Unreadable", "exactly", "is_plain", "is_sympy", "not_a_number", "parts", "shown"]

#: Longer expressions are refused: no formula of the book is near.
MOST_NODES = 400

_WRITTEN = (int, float, complex, bool, str, bytes, Fraction, type(None))
_HOLD = (tuple, list, set, dict)

#: The name of a class, even of one that answers to that question in its own way.
_name = type.__dict__["__name__"].__get__


class Unreadable(Exception):  # noqa: N818  it is no error of the program
    """An answer that cannot be read; the message is a sentence for the reader."""


def exactly(answer: object, kinds: Iterable[type]) -> bool:
    """Return whether an answer is of one of these types, and of no subclass.

    By identity: a class, too, may call itself equal to everything.
    """
    return any(type(answer) is kind for kind in kinds)


def shown(answer: object) -> str:
    """Write an answer in a few words, whatever it is, and the same words in every process.

    >>> shown(12), shown("eight" * 99), shown([len])
    ('`12`', "`'eighteighteighteighteighteighte…`", 'a list')
    """
    if exactly(answer, _HOLD):
        return f"a {_name(type(answer))}"
    if not (exactly(answer, _WRITTEN) or exactly(answer, numpy_numbers()) or _is_plain(answer)):
        return _of_type(answer)
    try:
        written = " ".join(repr(answer).split()).replace("`", "'")
    except ValueError:  # an integer too long to write
        return _of_type(answer)
    return f"`{written if len(written) <= 40 else written[:32] + '…'}`"


def _of_type(answer: object) -> str:
    return f"an object of type `{_name(type(answer))[:40]}`"


def numpy_numbers() -> tuple[type, ...]:
    """Return NumPy's classes of whole and real numbers, if NumPy is there."""
    if not (numpy := sys.modules.get("numpy")):
        return ()
    codes = numpy.typecodes["AllInteger"] + numpy.typecodes["Float"]
    return tuple(numpy.dtype(code).type for code in codes)


def _is_plain(answer: object) -> bool:
    """Return whether an answer is a SymPy expression of known classes alone."""
    return is_sympy(answer) and is_plain(answer)


def is_sympy(answer: object) -> bool:
    """Return whether an answer is an object of SymPy, of whatever class."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and issubclass(type(answer), sympy.Basic)


@cache
def known_classes() -> frozenset[type]:
    """Return the classes that an answer may be made of.

    Exactly these: a subclass could call itself equal to everything.
    """
    import sympy as s

    numbers = (s.Integer, s.Rational, s.Float, *map(type, (s.S.Zero, s.S.One, s.S.NegativeOne)))
    made = (s.Add, s.Mul, s.Pow, s.Sum, s.Tuple, s.Max, s.Min, s.floor, s.ceiling)
    return frozenset({*numbers, type(s.S.Half), *made, s.Symbol, s.Dummy})


def parts(expression: Any) -> list[Any]:
    """Return the parts of an expression, from the whole downwards; one too many if too long."""
    import sympy

    return list(islice(sympy.preorder_traversal(expression), MOST_NODES + 1))


def is_plain(expression: Any) -> bool:
    """Return whether an expression is short and made of known classes alone."""
    found = parts(expression)
    return len(found) <= MOST_NODES and all(exactly(part, known_classes()) for part in found)


def not_a_number(answer: object, wanted: str) -> str:
    """Return the sentence for an answer that is no number."""
    kind = type(answer)
    if answer is ...:
        return f"Replace the `...` by your answer: {wanted}."
    if answer is None:
        return (
            "Your answer is `None`: if it comes from a function, does the function `return` it? "
            f"Please give {wanted}."
        )
    if kind is bool:
        return f"{shown(answer)} is a truth value, not a number; please give {wanted}."
    if kind is str:
        return f"{shown(answer)} is text in quotes; please give {wanted}, without quotes."
    if issubclass(kind, (Derivation, OpCount)):
        return (
            "That is a whole record of operations; give the one of its figures that is asked "
            "for, such as `.macs` or `.flops`."
        )
    if numpy := sys.modules.get("numpy"):
        if issubclass(kind, numpy.ndarray):
            return f"That is an array; please give {wanted}."
        if issubclass(kind, numpy.bool_):
            return f"That is a truth value, not a number; please give {wanted}."
    if exactly(answer, _HOLD):
        return f"That is {shown(answer)}; please give {wanted}."
    if callable(answer) and not isinstance(answer, int):
        return f"That is a function (or a class); call it, and give {wanted}."
    return f"That is {_of_type(answer)}; please give {wanted}."
