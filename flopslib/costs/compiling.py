"""A cost function as a plain function of integers, made by running it once on stand-ins.

A whole network asks the same few cost functions hundreds of times. A stand-in
takes the place of each size, notes what is done to it, and the notes become a
Python function: the same formula, without the records around it. The checks are
the caller's: a stand-in is taken for a valid size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from flopslib.derivation.opcount import MAIN_KINDS, OTHER_KINDS
from flopslib.sizes.exact import integer_quotient
from flopslib.sizes.traced import Trace, Traced, code

__all__ = ["KINDS", "compiled"]

#: The order of the counts that a compiled cost function returns.
KINDS = (*MAIN_KINDS, *OTHER_KINDS)


@cache
def compiled(
    derive: Callable[..., Any], sizes: int, options: tuple[tuple[str, Any], ...] = ()
) -> Callable[..., tuple[int, ...]]:
    """Return a function from sizes to counts, in the order of ``KINDS``.

    Only the formula is kept, never a result.

    Args:
        derive: a function that returns a derivation, of so many sizes in this
            order. It must not ask what a size is.
        sizes: how many there are.
        options: further keyword arguments, fixed, as (name, value) pairs.

    >>> from flopslib import linear
    >>> count = compiled(linear, 2, (("bias", False),))
    >>> dict(zip(KINDS, count(3, 2), strict=True))["additions"]
    4
    """
    names = [f"s{place}" for place in range(sizes)]
    trace, derivation = traced(derive, names, options)
    total = derivation.total.kinds()
    counts = ", ".join(code(total.get(kind, 0)) for kind in KINDS)
    body = "".join(f"    {line}\n" for line in _needed(trace, counts))
    source = f"def counts({', '.join(names)}):\n{body}    return ({counts})\n"
    made: dict[str, Any] = {"integer_quotient": integer_quotient}
    exec(source, made)
    function: Callable[..., tuple[int, ...]] = made["counts"]
    return function


def traced(
    derive: Callable[..., Any], names: Sequence[str], options: tuple[tuple[str, Any], ...] = ()
) -> tuple[Trace, Any]:
    """Return the derivation of stand-ins of such names, and what was noted about them."""
    trace = Trace()
    return trace, derive(*(Traced(trace, name) for name in names), **dict(options))


def _needed(trace: Trace, result: str) -> list[str]:
    """Return the assignments that a result rests on: sizes of operands are noted, too."""
    names = set(_NAME.findall(result))
    lines = []
    for expression, name in reversed(trace.lines.items()):
        if name in names:
            names.update(_NAME.findall(expression))
            lines.append(f"{name} = {expression}")
    return lines[::-1]


_NAME = re.compile(r"\bt\d+\b")
