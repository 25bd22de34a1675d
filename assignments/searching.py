"""The largest number that still fits: what every question about a budget comes down to."""

from collections.abc import Callable


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
