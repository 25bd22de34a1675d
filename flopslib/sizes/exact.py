"""Exact arithmetic on the three kinds of number a count can be.

A size, and so a count, is a Python ``int``, a SymPy expression or a NumPy
integer array. Integers and expressions are exact by themselves. An array is
not: ``int64`` wraps round at 2**63 without a word. Inside the library an array
therefore travels as a ``Sweep``, whose arithmetic switches to Python integers
as soon as a bound no longer proves that ``int64`` is enough.

NumPy and SymPy are recognised without being imported: a value can only be
theirs if somebody has imported them already.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Size", "Sweep", "exact_quotient", "floor_quotient", "plain", "product", "smaller"]

INT64_MAX = 2**63 - 1


class Size(Protocol):
    """What a size may be: an ``int``, a SymPy expression, a NumPy integer or integer array."""

    def __add__(self, other: Any, /) -> Any:
        """Add exactly."""

    def __sub__(self, other: Any, /) -> Any:
        """Subtract exactly."""

    def __mul__(self, other: Any, /) -> Any:
        """Multiply exactly."""

    def __pow__(self, other: Any, /) -> Any:
        """Raise to a power exactly."""

    def __radd__(self, other: Any, /) -> Any:
        """Add exactly."""

    def __rmul__(self, other: Any, /) -> Any:
        """Multiply exactly."""


#: One size for both sides, or a pair (height, width).
SizeOrPair: TypeAlias = Size | Sequence[Size]


def is_array(value: object) -> bool:
    """Whether ``value`` is a NumPy array, asked without importing NumPy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def is_expression(value: object) -> bool:
    """Whether ``value`` is a SymPy expression, asked without importing SymPy."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and isinstance(value, sympy.Expr)


class Sweep:
    """An integer array whose arithmetic is exact.

    The entries are ``int64`` where the largest ones prove that a result fits,
    and Python integers otherwise, so a sweep is as fast as NumPy until it must
    be slower to stay right.

    >>> import numpy
    >>> sizes = Sweep(numpy.array([2**20, 2**40]))
    >>> (sizes * sizes).values.tolist() == [2**40, 2**80]
    True
    """

    __slots__ = ("bound", "least", "values")
    __array_ufunc__ = None  # NumPy hands its operators over to us

    def __init__(self, values: NDArray[Any]) -> None:
        """Take an array of integers of any dtype; entries must be exact integers."""
        self.least, most = (int(values.min()), int(values.max())) if values.size else (0, 0)
        self.bound = max(abs(self.least), abs(most))
        self.values = values.astype("int64" if self.bound <= INT64_MAX else object, copy=False)

    def _combine(
        self, other: Any, operate: Callable[[Any, Any], Any], bound: Callable[[int, int], int]
    ) -> Sweep:
        right = other if isinstance(other, Sweep) else _scalar_sweep(other)
        fits = max(self.bound, right.bound, bound(self.bound, right.bound)) <= INT64_MAX
        kind = "int64" if fits else object
        try:
            result = operate(
                self.values.astype(kind, copy=False), right.values.astype(kind, copy=False)
            )
        except ValueError:
            shapes = f"{self.values.shape} and {right.values.shape}"
            raise ValueError(f"arrays of shapes {shapes} do not broadcast together") from None
        return Sweep(result)

    def __add__(self, other: Any) -> Sweep:
        """Add entry by entry; where one side is all zeros, the sum is the other side."""
        if _is_zero(other):
            return self
        if isinstance(other, Sweep) and self.values.shape == other.values.shape:
            if not other.bound:
                return self
            if not self.bound:
                return other
        return self._combine(other, operator.add, operator.add)

    def __sub__(self, other: Any) -> Sweep:
        """Subtract entry by entry."""
        return self._combine(other, operator.sub, operator.add)

    def __rsub__(self, other: Any) -> Sweep:
        """Subtract from a scalar, entry by entry."""
        return _scalar_sweep(other) - self

    def __mul__(self, other: Any) -> Sweep:
        """Multiply entry by entry; nothing is computed where the factor is 0."""
        if _is_zero(other):
            import numpy as np

            return Sweep(np.zeros(self.values.shape, dtype="int64"))
        return self._combine(other, operator.mul, operator.mul)

    def __pow__(self, exponent: int) -> Sweep:
        """Raise each entry to a fixed power."""
        return self._combine(exponent, operator.pow, operator.pow)

    def smaller(self, other: Any) -> Sweep:
        """Keep the smaller of two, entry by entry."""
        import numpy as np

        return self._combine(other, np.minimum, max)

    __radd__ = __add__
    __rmul__ = __mul__

    def __repr__(self) -> str:
        """Show the entries, as NumPy does."""
        return f"Sweep({self.values!r})"


def _is_zero(value: Any) -> bool:
    return isinstance(value, int) and value == 0


def _scalar_sweep(value: Any) -> Sweep:
    import numpy as np

    if is_expression(value):
        raise TypeError(f"an array and the SymPy expression {value} do not mix: use one kind")
    return Sweep(np.array(value, dtype=object))


def wrapped(value: Any) -> Any:
    """Turn an array into a ``Sweep`` and a whole number of any library into an ``int``.

    >>> import numpy
    >>> wrapped(numpy.int64(2**62)) * 4 == 2**64
    True
    """
    if type(value) is int:  # nearly always, and so without a detour
        return value
    numpy = sys.modules.get("numpy")
    if is_array(value) and value.ndim:
        return Sweep(value)
    if is_expression(value):
        return int(value) if value.is_Integer else value
    if numpy is not None and isinstance(value, (numpy.integer, numpy.ndarray)):
        return operator.index(value)
    return value


def plain(value: Any) -> Any:
    """Turn a ``Sweep`` back into a read-only NumPy array; leave every other value alone.

    >>> import numpy
    >>> plain(Sweep(numpy.array([1, 2])) * 3)
    array([3, 6])
    >>> plain(7)
    7
    """
    if not isinstance(value, Sweep):
        return value
    value.values.flags.writeable = False  # the owner too, or a view could be thawed
    return value.values.view()


def product(factors: Iterable[Any]) -> Any:
    """Multiply plain values exactly; the empty product is 1.

    >>> product([2, 3, 7])
    42
    """
    return plain(math.prod((wrapped(factor) for factor in factors), start=1))


def same(left: Any, right: Any) -> bool:
    """Whether two plain values are equal: arrays in shape and in every entry."""
    if is_array(left) and is_array(right):
        return bool(left.shape == right.shape and (left == right).all())
    if is_array(left) or is_array(right):
        return False
    return bool(left == right)


def exact_quotient(numerator: Any, denominator: Any) -> Any:
    """Divide where the division leaves no remainder, and refuse to where it would.

    Integers and arrays are checked; SymPy expressions become a plain fraction,
    which still cancels (``//`` would turn it into a floor that never does).

    Raises:
        ValueError: the denominator does not divide the numerator.
        ZeroDivisionError: the denominator is 0, or has an entry that is.

    >>> exact_quotient(12, 4)
    3
    >>> exact_quotient(12, 5)
    Traceback (most recent call last):
    ...
    ValueError: 12 is not divisible by 5
    """
    numerator, denominator = wrapped(numerator), wrapped(denominator)
    if is_expression(numerator) or is_expression(denominator):
        if denominator == 0:
            raise ZeroDivisionError("the denominator is 0")
        quotient = numerator / denominator
        # SymPy calls (4n + 2)/(2n + 1) no integer until it is cancelled
        return quotient.cancel() if quotient.is_integer is False else quotient
    if isinstance(numerator, Sweep) or isinstance(denominator, Sweep):
        quotient = floor_quotient(numerator, denominator)
        place = first_place((quotient * denominator - numerator).values != 0)
        if place is not None:
            shape = quotient.values.shape
            raise ValueError(
                f"{entry_at(numerator, place, shape)} is not divisible by "
                f"{entry_at(denominator, place, shape)} (entry {list(place)})"
            )
        return quotient
    return integer_quotient(numerator, denominator)


def integer_quotient(numerator: Any, denominator: Any) -> Any:
    """Divide whole numbers, and refuse to where something is left over."""
    quotient, remainder = divmod(numerator, denominator)
    if remainder:
        raise ValueError(f"{numerator} is not divisible by {denominator}")
    return quotient


def floor_quotient(numerator: Any, denominator: Any) -> Any:
    """Divide and round down: for counting how often a window fits, never for a cost.

    >>> floor_quotient(7, 2)
    3
    """
    if is_expression(numerator) or is_expression(denominator):
        import sympy

        return sympy.floor(numerator / denominator)
    zero = (denominator.values == 0).any() if isinstance(denominator, Sweep) else denominator == 0
    if zero:
        raise ZeroDivisionError("the denominator is 0, or has an entry that is")
    if isinstance(numerator, Sweep):
        return numerator._combine(denominator, operator.floordiv, max)
    if isinstance(denominator, Sweep):
        return _scalar_sweep(numerator)._combine(denominator, operator.floordiv, max)
    return numerator // denominator


def smaller(left: Any, right: Any) -> Any:
    """Return the smaller of two sizes, entry by entry where there are arrays.

    >>> smaller(1024, 7)
    7
    >>> from flopslib.notation import L
    >>> smaller(L, 7)
    Min(7, L)
    """
    left, right = wrapped(left), wrapped(right)
    if type(left) is int and type(right) is int:
        return min(left, right)
    if is_expression(left) or is_expression(right):
        import sympy

        return sympy.Min(left, right)
    return left.smaller(right) if hasattr(left, "smaller") else right.smaller(left)


def first_place(mask: NDArray[np.bool_]) -> tuple[int, ...] | None:
    """Return the index of the first true entry of ``mask``, or None where there is none."""
    if not mask.any():
        return None
    import numpy as np

    return tuple(int(axis[0]) for axis in np.nonzero(np.asarray(mask)))


def entry_at(value: Any, place: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Return the entry of a size at a place of the shape it is broadcast to."""
    if not isinstance(value, Sweep):
        return int(value)
    import numpy as np

    return int(np.broadcast_to(value.values, shape)[place])
