"""SymPy formulas as JavaScript that counts with BigInt, so that no digit is lost in a browser.

A double is exact up to 2**53, and a training run of GPT-3 is past 10**23. So a formula is
written with whole numbers only, with at most one division, the last thing done, by a
function ``q`` that has to find no remainder; ``least`` is the smaller of two.

>>> from flopslib import conv2d, formula
>>> javascript(formula(conv2d).flops)
'q(2n*B*C_in*C_out*K_h*K_w*H_out*W_out, G)'
>>> sizes = dict(B=1, C_in=4, C_out=6, K_h=3, K_w=3, H_out=5, W_out=5, G=2)
>>> evaluate(javascript(formula(conv2d).flops), sizes) == 2 * 4 * 6 * 9 * 25 // 2
True
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from flopslib.notation import TABLE
from flopslib.sizes.exact import is_expression

__all__ = ["evaluate", "javascript"]

_PLACES = {row.letter: place for place, row in enumerate(TABLE)}


@cache
def javascript(value: Any) -> str:
    """Write a whole number or a formula as a JavaScript expression of BigInts.

    Raises:
        TypeError: the formula holds something that whole numbers cannot express.

    >>> from flopslib.notation import L, d
    >>> javascript(L * (L + 1) / 2 * d - d), javascript(7)
    ('q((2n + L)*(L - 1n)*d, 2n)', '7n')
    """
    if not is_expression(value):
        return f"{int(value)}n"
    import sympy

    value = value.replace(sympy.Min, lambda *sizes: _smaller(sorted(sizes, key=_place)))
    numerator, denominator = value, sympy.S.One
    if not _is_whole(value):
        numerator, denominator = sympy.fraction(sympy.together(sympy.cancel(value)))
    if denominator == 1:
        return _written(_shortest(numerator))
    return f"q({_written(_shortest(numerator))}, {_written(denominator)})"


def _smaller(sizes: list[Any]) -> Any:
    """Return a symbol that is written as a call of ``least``, for the smaller of two sizes."""
    import sympy

    return sympy.Symbol(f"least({', '.join(map(_written, sizes))})", positive=True, integer=True)


def _is_whole(value: Any) -> bool:
    """Return whether a formula is a polynomial with whole coefficients: nothing cancels in it."""
    import sympy

    numbers = value.atoms(sympy.Number)
    return bool(value.is_polynomial() and all(number.is_Integer for number in numbers))


def _shortest(expression: Any) -> Any:
    import sympy

    forms = (sympy.expand(expression), sympy.factor(expression))
    return min(forms, key=lambda form: (len(_written(form)), _written(form)))


def _written(expression: Any) -> str:
    if expression.is_Integer:
        return f"{int(expression)}n"
    if expression.is_Symbol:
        return str(expression.name)
    if expression.is_Add:
        return _sum(expression)
    if expression.is_Mul:
        return "*".join(map(_factor, sorted(expression.args, key=_place)))
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 1:
        return f"{_factor(expression.base)}**{int(expression.exp)}n"
    raise TypeError(f"whole numbers cannot express {expression}")


def _factor(expression: Any) -> str:
    written = _written(expression)
    return f"({written})" if expression.is_Add else written


def _sum(expression: Any) -> str:
    # a positive term leads, since JavaScript refuses a minus before a power
    terms = sorted(expression.args, key=lambda term: (_is_negative(term), _place(term)))
    first, *others = terms
    return _written(first) + "".join(
        f" - {_written(-term)}" if _is_negative(term) else f" + {_written(term)}" for term in others
    )


def _is_negative(term: Any) -> bool:
    return bool(term.as_coeff_Mul()[0] < 0)


def _place(expression: Any) -> tuple[int, str]:
    letters = [_PLACES.get(symbol.name, len(_PLACES)) for symbol in expression.free_symbols]
    return min(letters, default=-1), str(expression)


OPERATIONS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
}


def evaluate(code: str, sizes: Mapping[str, int]) -> int:
    """Work out what :func:`javascript` wrote, as a browser would.

    It reads the text and knows nothing of SymPy, so it is a witness of its own.

    Raises:
        ValueError: the text is not of that kind, or its division leaves a remainder.
        KeyError: it names a size that is not given.

    >>> evaluate("q(L**2n + L, 2n)", {"L": 4})
    10
    >>> evaluate("q(L, 2n)", {"L": 5})
    Traceback (most recent call last):
    ...
    ValueError: 2 does not divide 5
    """
    return _evaluated(_read(code), sizes)


@cache
def _read(code: str) -> ast.expr:
    if re.search(r"(?<![\w.])\d+(?![\dn])", code):
        raise ValueError(f"a number without the n of a BigInt in {code!r}")
    # a literal of Python has no n at its end; `*` and `**` bind as they do in JavaScript
    return ast.parse(re.sub(r"\b(\d+)n\b", r"\1", code), mode="eval").body


def _evaluated(node: ast.expr, sizes: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return sizes[name]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            return OPERATIONS[type(op)](_evaluated(left, sizes), _evaluated(right, sizes))
        case ast.Call(func=ast.Name(id="q"), args=[above, below], keywords=[]):
            return _quotient(_evaluated(above, sizes), _evaluated(below, sizes))
        case ast.Call(func=ast.Name(id="least"), args=[left, right], keywords=[]):
            return min(_evaluated(left, sizes), _evaluated(right, sizes))
    raise ValueError(
        f"{ast.unparse(node)} is not made of whole numbers, letters, + - * **, q and least"
    )


def _quotient(numerator: int, denominator: int) -> int:
    quotient, remainder = divmod(numerator, denominator)
    if remainder:
        raise ValueError(f"{denominator} does not divide {numerator}")
    return quotient
