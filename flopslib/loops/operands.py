"""What a layer owns and what it moves, read off the operands of its derivation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand
from flopslib.loops.running import loop_of
from flopslib.sizes.exact import plain, wrapped

__all__ = ["operand_sizes", "parameters"]


def operand_sizes(function: Callable[..., Derivation], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return how many numbers each operand of a layer holds, its input first.

    Args:
        function: a cost function, such as ``flopslib.linear``; its arguments follow.

    Raises:
        TypeError, ValueError: as the cost function does; a function without a loop.

    >>> from flopslib import linear
    >>> operand_sizes(linear, 3, 2, batch=5)
    {'x': 15, 'weight': 6, 'bias': 2}
    """
    return {operand.name: operand.size for operand in _operands(function, *args, **kwargs)}


def parameters(function: Callable[..., Derivation], *args: Any, **kwargs: Any) -> Any:
    """Return how many numbers of a layer are learnt: its weights, biases, γ and β.

    Symbols give a formula.

    Raises:
        TypeError, ValueError: as the cost function does; a function without a loop.

    >>> from flopslib import linear
    >>> parameters(linear, 3, 2), parameters(linear, 3, 2, bias=False)
    (8, 6)
    """
    operands = _operands(function, *args, **kwargs)
    return plain(sum(wrapped(each.size) for each in operands if each.role == "weight"))


def _operands(function: Callable[..., Derivation], *args: Any, **kwargs: Any) -> Iterable[Operand]:
    loop_of(function)
    return function(*args, **kwargs).operands
