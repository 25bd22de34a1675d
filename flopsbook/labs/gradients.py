"""The way back of a layer as something that a lab can show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from flopslib.costs.registry import CostFunction, registered
from flopslib.derivation.derivation import Derivation

__all__ = ["backward_of"]


def backward_of(function: Callable[..., Derivation]) -> CostFunction:
    """Return what the registry knows of a cost function, for its gradients in its place.

    >>> from flopslib import linear
    >>> backward_of(linear).function(3, 2, bias=False).flops
    24
    """
    cost = registered()[function.__name__]

    @wraps(cost.function)
    def backward(*args: Any, **kwargs: Any) -> Derivation:
        return cost.function(*args, **kwargs).backward()

    return replace(cost, name=f"{cost.name}_backward", function=backward)
