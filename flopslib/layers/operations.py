"""Derivations of layers that are one elementary operation, many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flopslib.derivation.derivation import Derivation
from flopslib.derivation.steps import Part, Step

__all__ = ["each", "rows", "windows"]


def each(*shape: Any, operation: Callable[[], Part], name: str = "") -> Derivation:
    """Do one operation for every number of a shape.

    >>> from flopslib.derivation.primitives import relu
    >>> each(2, 3, operation=relu).other["comparisons"]
    6
    """
    part = operation()
    step = Step(name or part.name, (part,), shape, unit="number")
    return Derivation((step,), name or part.name)


def rows(
    n: Any, *shape: Any, operation: Callable[..., Part], unit: str, **flags: Any
) -> Derivation:
    """Do one operation on n numbers for every entry of a shape.

    >>> from flopslib.derivation.primitives import softmax
    >>> rows(4, 2, 3, operation=softmax, unit="row").other["exponentials"]
    24
    """
    part = operation(n, **flags)
    return Derivation((Step(part.name, (part,), shape, unit),), part.name)


def windows(channels: Any, *classes: Any, operation: Callable[..., Part]) -> Derivation:
    """Do one operation on every window, for classes of equal windows.

    Args:
        channels: how many planes there are, over all samples.
        classes: alternately the cells of a window, and how many such windows
            there are in a plane.
        operation: what is done, from the cells of a window.

    >>> from flopslib.derivation.primitives import max_pool
    >>> windows(2, 9, 4, 6, 1, operation=max_pool).other["comparisons"]
    74
    """
    steps = []
    for cells, count in zip(classes[::2], classes[1::2], strict=True):
        part = operation(cells)
        name = part.name if len(classes) == 2 else f"{part.name} of {cells} cells"
        steps.append(Step(name, (part,), (channels, count), unit="window"))
    return Derivation(tuple(steps), steps[0].parts[0].name)
