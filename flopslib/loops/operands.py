"""What a layer owns and what it moves, read off the operands of its naive loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flopslib.derivation.steps import Derivation
from flopslib.loops.running import loop_of
from flopslib.sizes.exact import plain, product, wrapped

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
    cost, loop = loop_of(function)
    shapes, _ = loop.operands(**cost.arguments(*args, **kwargs))
    return {name: product(map(plain, shape)) for name, shape in shapes.items() if shape is not None}


def parameters(function: Callable[..., Derivation], *args: Any, **kwargs: Any) -> Any:
    """Return how many numbers of a layer are learnt: its weights, biases, γ and β.

    Symbols give a formula.

    Raises:
        TypeError, ValueError: as the cost function does; a function without a loop.

    >>> from flopslib import linear
    >>> parameters(linear, 3, 2), parameters(linear, 3, 2, bias=False)
    (8, 6)
    """
    inputs = loop_of(function)[1].inputs
    sizes = operand_sizes(function, *args, **kwargs)
    return plain(sum(wrapped(size) for name, size in sizes.items() if name not in inputs))
