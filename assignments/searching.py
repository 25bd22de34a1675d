"""What the questions of several sets share: the largest number that fits, twice, half."""

from collections.abc import Callable
from typing import Any


def largest(fits: Callable[[int], bool]) -> int:
    """Return the largest number that fits, where all smaller ones do too.

    Raises:
        ValueError: Not even 1 fits.

    >>> largest(lambda n: n * n <= 50)
    7
    """
    if not fits(1):
        raise ValueError("fits must hold for 1 at least, and it does not")
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def doubled(gives: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives twice as much, entry by entry.

    >>> doubled(lambda n: [n, 3])(n=2)
    [4, 6]
    """

    def twice(**sizes: Any) -> Any:
        found = gives(**sizes)
        return [2 * one for one in found] if isinstance(found, list) else 2 * found

    return twice


def halved(gives: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives half as much, entry by entry; an odd number is nobody's.

    >>> halved(lambda n: [n, 3])(n=2)
    [1, None]
    """

    def half(**sizes: Any) -> Any:
        found = gives(**sizes)
        return [_half(one) for one in found] if isinstance(found, list) else _half(found)

    return half


def _half(number: int) -> int | None:
    return None if number % 2 else number // 2
