"""Reading a SymPy expression, and telling whether two are the same formula."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flopsbook.exercises.showing import (
    MOST_NODES,
    Unreadable,
    exactly,
    is_sympy,
    known_classes,
    not_a_number,
    parts,
    shown,
)
from flopslib import notation

__all__ = ["equal", "letters_in", "points", "read_expression", "value_at"]

#: Higher powers are refused: a power of a power of a power would take for ever.
HIGHEST_POWER = 24

#: What is left of a difference of nothing between roots, to 40 digits.
TINY = Fraction(1, 10**20)

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)


def read_expression(answer: object, letters: Sequence[str] | None = None) -> Any:
    """Read an expression into one whose letters are those of the notation table.

    A letter is known by its name, whatever is assumed about it; the name of an argument,
    such as ``in_channels``, stands for its letter.

    Args:
        answer: a SymPy expression or a whole number.
        letters: the letters it may have; None: any.

    Raises:
        Unreadable: it is something else, or has other letters in it.

    >>> import sympy
    >>> read_expression(sympy.Symbol("batch") * sympy.Symbol("I"), ["B", "I", "O"])
    B*I
    """
    import sympy

    wanted = "a SymPy expression" + (f" in the letters {', '.join(letters)}" if letters else "")
    if type(answer) is int:
        return sympy.Integer(answer)
    if not is_sympy(answer):
        raise Unreadable(not_a_number(answer, wanted))
    if issubclass(type(answer), sympy.Rel):
        raise Unreadable("That is an equation; give its right-hand side alone.")
    _refuse_strangers(answer)
    canonical = _in_canonical_letters(answer, letters)
    if letters is not None and (strange := sorted(set(letters_in(canonical)) - set(letters))):
        raise Unreadable(
            f"There is no letter {', '.join(strange)} in this question; "
            f"its letters are {', '.join(letters)}."
        )
    return canonical


def _refuse_strangers(answer: Any) -> None:
    found = parts(answer)
    for part in found:
        if not exactly(part, known_classes()):
            raise Unreadable(
                f"Your expression contains {shown(part)}; please use numbers, letters, sums, "
                "products and powers alone."
            )
    if len(found) > MOST_NODES:
        raise Unreadable("That expression is too long to be compared; simplify it first.")
    if _highest_power(answer) > HIGHEST_POWER:
        raise Unreadable(
            f"Your expression has a power above {HIGHEST_POWER}, or a letter in an exponent."
        )


def _highest_power(node: Any) -> Any:
    """Return the highest power in an expression; a power of a power is their product."""
    import sympy

    inside = max((_highest_power(part) for part in node.args), default=1)
    if type(node) is not sympy.Pow:
        return inside
    exponent = node.exp
    return max(1, abs(exponent)) * inside if exponent.is_Rational else HIGHEST_POWER + 1


def _in_canonical_letters(answer: Any, letters: Sequence[str] | None) -> Any:
    import sympy

    aliases = {
        argument: row.letter
        for row in notation.TABLE
        for argument in row.arguments
        if argument != "kernel_size" and (letters is None or row.letter in letters)
    }
    exact = {f: sympy.Rational(str(f)) for f in answer.atoms(sympy.Float)}
    swaps: dict[Any, Any] = {s: _letter(aliases.get(s.name, s.name)) for s in _symbols(answer)}
    return answer.xreplace(exact | swaps).doit()


def _symbols(expression: Any) -> list[Any]:
    import sympy

    return sorted(expression.atoms(sympy.Symbol), key=lambda symbol: str(symbol.name))


def _letter(name: str) -> Any:
    import sympy

    return sympy.Symbol(name, positive=True, integer=True)


def letters_in(expression: Any) -> list[str]:
    """Return the names of the letters of an expression, sorted."""
    return sorted({str(symbol.name) for symbol in expression.free_symbols})


def points(letters: Sequence[str], *, seed: int = 0) -> list[dict[str, int]]:
    """Return sizes to try for some letters: distinct primes, then any distinct numbers."""
    dice = random.Random(seed)
    primes = [dict(zip(letters, dice.sample(PRIMES, len(letters)), strict=True)) for _ in range(6)]
    some = range(2, 400)
    others = [dict(zip(letters, dice.sample(some, len(letters)), strict=True)) for _ in range(12)]
    return primes + others


def value_at(expression: Any, sizes: dict[str, int]) -> Fraction | None:
    """Return the value of an expression at some sizes, or None where it has none.

    Exact where it is rational, else to 40 digits.
    """
    import sympy

    value = expression.xreplace({_letter(n): sympy.Integer(size) for n, size in sizes.items()})
    value = value.doit()
    if not value.is_Rational:
        value = value.evalf(40)
    if not (value.is_number and value.is_real and value.is_finite):
        return None
    return Fraction(int(value.p), int(value.q)) if value.is_Rational else Fraction(str(value))


def _without_idle_floors(expression: Any) -> Any:
    """Leave out a floor of what is whole anyway, as in ``w * (w - 1) // 2``."""
    import sympy

    def is_whole(inside: Any) -> bool:
        values = [value_at(inside, sizes) for sizes in points(letters_in(inside))]
        return all(value is not None and value.denominator == 1 for value in values)

    floors = expression.atoms(sympy.floor)
    return expression.xreplace({f: f.args[0] for f in floors if is_whole(f.args[0])})


def equal(left: Any, right: Any) -> bool:
    """Return whether two expressions are the same formula, however they are written.

    They have to agree at many sizes, and their difference has to simplify to nothing.

    >>> from flopslib.notation import I, O
    >>> equal(2 * I * O - O, O * (2 * I - 1)), equal(I * O, I + O)
    (True, False)
    >>> equal(I * (I - 1) // 2, I * (I - 1) / 2), equal(I // 2, I / 2)
    (True, False)
    """
    import sympy

    difference = _without_idle_floors(left) - _without_idle_floors(right)
    tried = [value_at(difference, sizes) for sizes in points(letters_in(difference))]
    values = [value for value in tried if value is not None]
    # a form such as (n² − 9) / (n − 3) has no value here and there
    if 2 * len(values) < len(tried) or any(abs(value) > TINY for value in values):
        return False
    if sympy.expand(sympy.numer(sympy.together(difference))) == 0:
        return True
    return bool(sympy.simplify(difference) == 0)
