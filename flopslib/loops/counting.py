"""A number that counts what is done to it.

Run a naive loop on such numbers and the tally holds what the loop really did:
no formula is involved. There is no hidden state; every number carries its tally.

>>> tally = Tally()
>>> x, y = tally.number(3), tally.number(4)
>>> (x * y + x).value
15
>>> tally.record()
OpCount(multiplications=1, additions=1)
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from flopslib.derivation.opcount import MAIN_KINDS, OpCount

__all__ = ["CountingNumber", "Tally", "constant", "term"]


class Tally:
    """A count of the operations that the numbers made from it have taken part in."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._counts: Counter[str] = Counter()

    def count(self, kind: str) -> None:
        """Count one operation of a kind."""
        self._counts[kind] += 1

    def number(self, value: Any) -> CountingNumber:
        """Return a number that counts on this tally."""
        return CountingNumber(value, self)

    def numbers(self, shape: tuple[int, ...]) -> Any:
        """Return nested lists of small numbers, of the given shape.

        >>> [[n.value for n in row] for row in Tally().numbers((2, 3))]
        [[1, 2, 3], [4, 5, 6]]
        """
        values = iter(range(1, math.prod(shape) + 1))
        return nested(shape, lambda: self.number(next(values)))

    def forget(self) -> None:
        """Begin again at nothing, as between a forward and a backward pass."""
        self._counts.clear()

    def record(self) -> OpCount:
        """Return what has been counted so far."""
        main = {kind: self._counts[kind] for kind in MAIN_KINDS}
        other = {kind: count for kind, count in self._counts.items() if kind not in main}
        return OpCount(**main, other=other)


def nested(shape: tuple[int, ...], make: Callable[[], Any]) -> Any:
    """Return nested lists of a shape, each entry made anew, in order."""
    if not shape:
        return make()
    return [nested(shape[1:], make) for _ in range(shape[0])]


def _value(number: Any) -> Any:
    return number.value if isinstance(number, CountingNumber) else number


#: What a float can take the exponential of.
LARGEST = math.log(sys.float_info.max)


class CountingNumber:
    """A number whose operations are counted; create it with :meth:`Tally.number`.

    A subtraction counts as an addition; a negation counts as nothing. Powers are
    refused, because how many multiplications one takes is a choice of algorithm.
    Python's own ``sum`` begins at 0 and so performs one addition for every number.
    """

    __slots__ = ("tally", "value")

    def __init__(self, value: Any, tally: Tally) -> None:
        """Hold a value and the tally that its operations go to."""
        self.value = value
        self.tally = tally

    def _counted(self, kind: str, value: Any) -> CountingNumber:
        self.tally.count(kind)
        return CountingNumber(value, self.tally)

    def __add__(self, other: Any) -> CountingNumber:
        """Count one addition."""
        return self._counted("additions", self.value + _value(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> CountingNumber:
        """Count one addition: a subtraction is one."""
        return self._counted("additions", self.value - _value(other))

    def __rsub__(self, other: Any) -> CountingNumber:
        """Count one addition: a subtraction is one."""
        return self._counted("additions", _value(other) - self.value)

    def __mul__(self, other: Any) -> CountingNumber:
        """Count one multiplication."""
        return self._counted("multiplications", self.value * _value(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> CountingNumber:
        """Count one division."""
        return self._counted("divisions", self.value / _value(other))

    def __rtruediv__(self, other: Any) -> CountingNumber:
        """Count one division."""
        return self._counted("divisions", _value(other) / self.value)

    def __neg__(self) -> CountingNumber:
        """Count nothing: a sign costs no operation."""
        return CountingNumber(-self.value, self.tally)

    def __gt__(self, other: Any) -> bool:
        """Count one comparison."""
        self.tally.count("comparisons")
        return bool(self.value > _value(other))

    def __lt__(self, other: Any) -> bool:
        """Count one comparison."""
        self.tally.count("comparisons")
        return bool(self.value < _value(other))

    def __ge__(self, other: Any) -> bool:
        """Count one comparison."""
        self.tally.count("comparisons")
        return bool(self.value >= _value(other))

    def __le__(self, other: Any) -> bool:
        """Count one comparison."""
        self.tally.count("comparisons")
        return bool(self.value <= _value(other))

    def exp(self) -> CountingNumber:
        """Count one exponential, which is infinite where a float is too small for it."""
        value = math.exp(self.value) if self.value < LARGEST else math.inf
        return self._counted("exponentials", value)

    def sqrt(self) -> CountingNumber:
        """Count one square root."""
        return self._counted("square_roots", math.sqrt(self.value))

    def erf(self) -> CountingNumber:
        """Count one erf."""
        return self._counted("erfs", math.erf(self.value))

    def log(self) -> CountingNumber:
        """Count one logarithm."""
        return self._counted("logarithms", math.log(self.value))

    def __repr__(self) -> str:
        return f"CountingNumber({self.value!r})"


def term(left: Any, right: Any) -> Any:
    """Return one term of a dot product: a multiplication that is also counted as a MAC.

    Whether a multiplication belongs to a dot product cannot be seen from the
    numbers, so the loop says it. Plain numbers are simply multiplied.

    >>> tally = Tally()
    >>> term(tally.number(3), 4).value, tally.record()
    (12, OpCount(multiplications=1, macs=1))
    """
    for number in (left, right):
        if isinstance(number, CountingNumber):
            number.tally.count("macs")
            break
    return left * right


def constant(like: Any, value: Any) -> Any:
    """Return a constant that counts where ``like`` does, for a result that came of choosing."""
    return like.tally.number(value) if isinstance(like, CountingNumber) else value
