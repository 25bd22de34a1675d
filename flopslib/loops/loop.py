"""What a naive loop is, and the dot product that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flopslib.loops.counting import term

Operands = tuple[Mapping[str, tuple[int, ...] | None], Mapping[str, Any]]


@dataclass(frozen=True)
class Loop:
    """A naive loop and the operands it runs on.

    Attributes:
        function: the loop itself, on nested lists.
        operands: from the arguments of the cost function, the shape of each
            operand of the loop (None where it is left out), and its options.
        inputs: the operands that are computed from a sample; all others are
            weights, which are learnt.
    """

    function: Callable[..., Any]
    operands: Callable[..., Operands]
    inputs: tuple[str, ...] = ("x",)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the loop."""
        return self.function(*args, **kwargs)


def runs_on(
    operands: Callable[..., Operands], inputs: tuple[str, ...] = ("x",)
) -> Callable[[Callable[..., Any]], Loop]:
    """Say which operands a loop runs on, and which of them are no weights."""
    return lambda function: Loop(function, operands, inputs)


def dot(left: Sequence[Any], right: Sequence[Any]) -> Any:
    """Multiply pairs and sum the products, from left to right.

    >>> dot([1, 2, 3], [4, 5, 6])
    32
    """
    total = term(left[0], right[0])
    for a, b in zip(left[1:], right[1:], strict=True):
        total = total + term(a, b)
    return total
