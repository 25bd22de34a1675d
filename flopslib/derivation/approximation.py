"""How far a short formula is from the full one, and where it is close enough."""

from __future__ import annotations

from typing import Any

__all__ = ["relative_error", "where_equal"]


def relative_error(approximation: Any, full: Any) -> Any:
    """Return what an approximation misses, as a share of the full figure.

    >>> from flopslib.notation import L, d
    >>> relative_error(24 * d**2, 24 * d**2 + 4 * L * d)
    L/(L + 6*d)
    """
    import sympy

    approximation, full = sympy.sympify(approximation), sympy.sympify(full)
    return sympy.factor(sympy.simplify((full - approximation) / full))


def where_equal(expression: Any, value: Any, letter: Any) -> Any:
    """Return the positive number, whole or not, at which an expression has a value.

    Raises:
        ValueError: the expression has the value at no positive number, or at several.

    >>> from sympy import Rational
    >>> from flopslib.notation import L, d
    >>> where_equal(L / (L + 6 * d), Rational(1, 4), L)
    2*d
    >>> where_equal(L / (L + 6 * d), 1, L)
    Traceback (most recent call last):
    ...
    ValueError: L/(L + 6*d) is 1 at 0 positive values of L
    """
    import sympy

    unknown = sympy.Symbol("x", positive=True)  # the letters of the notation are whole numbers
    expression = sympy.sympify(expression)
    solutions = sympy.solve(expression.subs(letter, unknown) - value, unknown)
    if len(solutions) != 1:
        raise ValueError(f"{expression} is {value} at {len(solutions)} positive values of {letter}")
    return solutions[0]
