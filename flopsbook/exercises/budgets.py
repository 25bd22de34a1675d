"""What a budget pays for: the largest size whose cost stays within it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["largest_within"]


def largest_within(budget: int, cost: Callable[[int], Any], *, step: int = 1) -> int:
    """Return the largest multiple of a step whose cost is within a budget, or 0.

    Args:
        budget: the most it may cost.
        cost: the cost of a size; a larger size must not cost less.
        step: what the size has to be a multiple of.

    >>> largest_within(100, lambda n: n * n), largest_within(100, lambda n: n * n, step=4)
    (10, 8)
    """
    low, high = 0, 1
    while cost(high * step) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle * step) <= budget else (low, middle)
    return low * step
