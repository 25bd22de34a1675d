"""Reading an answer that anybody may have typed: exact types, or one sentence that says why not.

An object of another class may call itself equal to everything. So nothing that a reader
hands in is ever compared: it is first read into a plain integer, fraction or text, and only
types that are known to be what they seem are read.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from flopsbook.exercises.algebra import letters_in, read_expression
from flopsbook.exercises.showing import (
    Unreadable,
    exactly,
    is_sympy,
    not_a_number,
    numpy_numbers,
    shown,
)
from flopslib.layers.habits import ParameterCount

__all__ = ["read_number", "read_whole"]

#: No answer of the book is longer, and Python refuses to write numbers of a few thousand digits.
MOST_DIGITS = 400


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
    flopsbook.exercises.showing.Unreadable: `12.0` is a float; an integer, please, because a \
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
    if exactly(answer, (int, float, Fraction, ParameterCount)):
        number: int | float | Fraction = answer
        return number
    if exactly(answer, numpy_numbers()):
        item = answer.item()
        return item if exactly(item, (int, float)) else float(item)
    return _sympy_number(answer) if is_sympy(answer) else None


def _sympy_number(answer: Any) -> int | float | Fraction:
    import sympy

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
