"""What a naive loop is, and the dot product that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from flopslib.loops.counting import term


@dataclass(frozen=True)
class Loop:
    """A naive loop; it runs on the operands that its cost function names.

    Attributes:
        function: the loop itself, on nested lists. What stands after the star is an option.
        options: for an option that the cost function has no argument for, those that make it up.
        inside: the loop that gets whatever keywords this one does not name itself.
    """

    function: Callable[..., Any]
    options: Mapping[str, tuple[str, ...]]
    inside: Loop | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the loop."""
        return self.function(*args, **kwargs)

    def names(self) -> tuple[set[str], set[str]]:
        """Return the names of the operands, and those of the options.

        >>> from flopslib.loops.convolution import conv1d
        >>> conv1d.names()[1]
        {'groups'}
        """
        operands, options = self.inside.names() if self.inside else (set(), set())
        for name, parameter in signature(self.function).parameters.items():
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                operands.add(name)
            elif parameter.kind is parameter.KEYWORD_ONLY:
                options.add(name)
        return operands, options


def loop(
    *, inside: Loop | None = None, **options: tuple[str, ...]
) -> Callable[[Callable[..., Any]], Loop]:
    """Make a naive loop of a function, which has the name of its cost function."""
    return lambda function: Loop(function, options, inside)


def dot(left: Sequence[Any], right: Sequence[Any]) -> Any:
    """Multiply pairs and sum the products, from left to right.

    >>> dot([1, 2, 3], [4, 5, 6])
    32
    """
    total = term(left[0], right[0])
    for a, b in zip(left[1:], right[1:], strict=True):
        total = total + term(a, b)
    return total
