"""Reading an answer that anybody may have typed: exact types, or one sentence that says why not.

An object of another class may call itself equal to everything. So nothing that a reader
hands in is ever compared: it is first read into a plain integer, fraction or text, and only
types that are known to be what they seem are read.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from flopslib.derivation import Derivation
from flopslib.opcount import OpCount

__all__ = ["Unreadable", "exactly", "is_sympy", "read_number", "read_whole", "shown"]

#: No answer of the book is longer, and Python refuses to write numbers of a few thousand digits.
MOST_DIGITS = 400

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
    if not (exactly(answer, _WRITTEN) or exactly(answer, _numpy_numbers()) or _is_plain(answer)):
        return _of_type(answer)
    try:
        written = " ".join(repr(answer).split()).replace("`", "'")
    except ValueError:  # an integer too long to write
        return _of_type(answer)
    return f"`{written if len(written) <= 40 else written[:32] + '…'}`"


def _of_type(answer: object) -> str:
    return f"an object of type `{_name(type(answer))[:40]}`"


def _numpy_numbers() -> tuple[type, ...]:
    """Return NumPy's classes of whole and real numbers, if NumPy is there."""
    if not (numpy := sys.modules.get("numpy")):
        return ()
    codes = numpy.typecodes["AllInteger"] + numpy.typecodes["Float"]
    return tuple(numpy.dtype(code).type for code in codes)


def _is_plain(answer: object) -> bool:
    """Return whether an answer is a SymPy expression of known classes alone."""
    if not is_sympy(answer):
        return False
    from flopslib.exercises.algebra import is_plain

    return is_plain(answer)


def is_sympy(answer: object) -> bool:
    """Return whether an answer is an object of SymPy, of whatever class."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and issubclass(type(answer), sympy.Basic)


def read_number(answer: object, wanted: str) -> Fraction:
    """Read any real number, exactly.

    Args:
        answer: what the reader handed in.
        wanted: what is asked for, such as "a whole number".

    Raises:
        Unreadable: it is something else.

    >>> read_number(0.75, "a ratio")
    Fraction(3, 4)
    """
    number = _plain_number(answer)
    if number is None:
        raise Unreadable(not_a_number(answer, wanted))
    if isinstance(number, float) and not math.isfinite(number):
        raise Unreadable(f"{shown(answer)} is no count of anything; please give {wanted}.")
    if isinstance(number, int) and abs(number).bit_length() > MOST_DIGITS * 10 // 3:
        raise Unreadable(f"That has more than {MOST_DIGITS} digits; please give {wanted}.")
    return Fraction(number)


def read_whole(answer: object, wanted: str) -> int:
    """Read a whole number: an integer of Python, NumPy or SymPy.

    Raises:
        Unreadable: it is something else, such as 12.0.

    >>> read_whole(12.0, "a whole number")
    Traceback (most recent call last):
    ...
    flopslib.exercises.reading.Unreadable: `12.0` is a float; an integer, please, because a \
count is exact: divide with `//` rather than `/`.
    """
    number = _plain_number(answer)
    if isinstance(number, float):
        raise Unreadable(
            f"{shown(answer)} is a float; an integer, please, because a count is exact: "
            "divide with `//` rather than `/`."
        )
    whole = read_number(answer, wanted)
    if isinstance(number, Fraction):
        raise Unreadable(f"{shown(answer)} is a fraction; please give {wanted}.")
    return int(whole)


def _plain_number(answer: Any) -> int | float | Fraction | None:
    if exactly(answer, (int, float, Fraction)):
        number: int | float | Fraction = answer
        return number
    if exactly(answer, _numpy_numbers()):
        item = answer.item()
        return item if exactly(item, (int, float)) else float(item)
    return _sympy_number(answer) if is_sympy(answer) else None


def _sympy_number(answer: Any) -> int | float | Fraction:
    import sympy

    from flopslib.exercises.algebra import letters_in, read_expression

    value = read_expression(answer)
    if letters := letters_in(value):
        raise Unreadable(
            f"There are letters in your answer ({', '.join(letters)}); put the numbers in."
        )
    if value.is_Integer and not answer.atoms(sympy.Float):
        return int(value.p)
    if value.is_Rational and not answer.atoms(sympy.Float):
        return Fraction(int(value.p), int(value.q))
    return float(value)


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
    if callable(answer):
        return f"That is a function (or a class); call it, and give {wanted}."
    return f"That is {_of_type(answer)}; please give {wanted}."
