"""Checking what a caller passes in: the argument, the value and what would be right.

A size that gets past this module is a positive whole number in one of the three
forms of :mod:`flopslib.sizes.exact`, so nothing behind it has to ask again.
"""

from __future__ import annotations

import operator
import sys
from functools import lru_cache
from typing import Any

from flopslib.sizes.exact import (
    Sweep,
    entry_at,
    exact_quotient,
    first_place,
    is_array,
    is_expression,
    plain,
)
from flopslib.sizes.traced import Traced

ACCEPTED = "an int, a SymPy expression or a NumPy integer array"
LONGEST_REPR = 60


def shown(value: object) -> str:
    """Write a value for an error message, cut short where it would fill the screen.

    >>> shown("224")
    "'224'"
    """
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        sign = "a negative" if isinstance(value, int) and value < 0 else "a"
        text = f"{sign} {type(value).__name__} too long to write"
    return text if len(text) <= LONGEST_REPR else f"{text[:LONGEST_REPR]}…"


def whole_number(name: str, value: Any, *, minimum: int = 1) -> Any:
    """Return ``value`` as an exact whole number of at least ``minimum``.

    Raises:
        TypeError: not a whole-number type (a float, 3.0 too; a bool; text; None).
        ValueError: a whole number below ``minimum``, or an expression that cannot be one.

    >>> whole_number("batch", 3)
    3
    >>> whole_number("batch", 3.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    TypeError: batch must be a positive integer (...), got 3.0 of type float
    """
    if type(value) is int and value >= minimum:  # nearly always, and so without a detour
        return value
    if isinstance(value, Sweep):
        if value.least < minimum:
            _refuse_entry(name, value.values, value.values < minimum, minimum)
        return value
    if isinstance(value, Traced):
        return value
    if is_expression(value):
        return _expression(name, value, minimum)
    if is_array(value) and value.ndim:
        return _array(name, value, minimum)
    return _integer(name, value, minimum)


def _wanted(minimum: int) -> str:
    kinds = {0: "a non-negative integer", 1: "a positive integer"}
    return f"{kinds[minimum]} ({ACCEPTED})"


def _is_integer(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    integers = (int,) if numpy is None else (int, numpy.integer)
    # timedelta64 is a subclass of NumPy's signed integers, but a duration is not a size
    odd = isinstance(value, bool) or type(value).__name__ == "timedelta64"
    return isinstance(value, integers) and not odd


def _integer(name: str, value: Any, minimum: int) -> int:
    if is_array(value):
        value = value[()]
    if not _is_integer(value):
        raise TypeError(
            f"{name} must be {_wanted(minimum)}, got {shown(value)} of type {type(value).__name__}"
        )
    number = operator.index(value)
    if number < minimum:
        raise ValueError(f"{name} must be {_wanted(minimum)}, got {shown(number)}")
    return number


def _expression(name: str, value: Any, minimum: int) -> Any:
    if value.is_Integer:
        return _integer(name, int(value), minimum)
    if not _may_be(value, minimum):
        raise ValueError(
            f"{name} must be {_wanted(minimum)}; the expression {shown(value)} cannot be one"
        )
    return value


@lru_cache(maxsize=4096)  # the same letters come in again and again
def _may_be(value: Any, minimum: int) -> bool:
    """Whether an expression may stand for a whole number of at least ``minimum``."""
    import sympy

    too_small = value.is_nonpositive if minimum else value.is_negative
    impossible = value.has(sympy.Float, sympy.nan) or False in (value.is_integer, value.is_finite)
    return not (too_small or impossible)


def _array(name: str, value: Any, minimum: int) -> Sweep:
    import numpy as np

    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be {_wanted(minimum)}, got a masked array; pass its compressed() entries"
        )
    if value.dtype.kind not in "iuO":
        raise TypeError(
            f"{name} must be {_wanted(minimum)}, got an array of dtype {value.dtype}; "
            f"convert it with astype(int) if its entries are whole"
        )
    entries: Any = np.array(value, subok=False)
    if entries.dtype.kind == "O":
        _refuse_entry(name, entries, [not _is_integer(entry) for entry in entries.flat], minimum)
        whole = [operator.index(entry) for entry in entries.flat]
        entries = np.array(whole, dtype=object).reshape(entries.shape)
    _refuse_entry(name, entries, entries < minimum, minimum)
    return Sweep(entries)


def _refuse_entry(name: str, entries: Any, wrong: Any, minimum: int) -> None:
    import numpy as np

    place = first_place(np.asarray(wrong, dtype=bool).reshape(entries.shape))
    if place is not None:
        index = ", ".join(map(str, place))
        entry = entries[place]
        error = ValueError if _is_integer(entry) else TypeError
        raise error(
            f"{name} must be {_wanted(minimum)}, got {shown(entry)} "
            f"of type {type(entry).__name__} at {name}[{index}]"
        )


def pair(name: str, value: Any, *, minimum: int = 1) -> tuple[Any, Any]:
    """Return ``value`` as a pair (height, width): a pair as it is, a number twice.

    Raises:
        TypeError: neither a number nor a tuple or list of two.
        ValueError: a number below ``minimum``.

    >>> pair("kernel_size", 3)
    (3, 3)
    >>> pair("kernel_size", (3, 5))
    (3, 5)
    >>> pair("kernel_size", (3, 5, 7))
    Traceback (most recent call last):
    ...
    TypeError: kernel_size must be one integer or a pair of them, got (3, 5, 7)
    """
    height, width = several(name, value, 2, minimum=minimum)
    return height, width


TUPLES = {1: "a tuple of one", 2: "a pair", 3: "a triple"}


def several(name: str, value: Any, count: int, *, minimum: int = 1) -> tuple[Any, ...]:
    """Return ``value`` as a tuple of sizes, one for each axis; a number is taken for all.

    Raises:
        TypeError: neither a number nor a tuple or list of ``count``.
        ValueError: a number below ``minimum``.

    >>> several("kernel_size", 3, 3)
    (3, 3, 3)
    """
    if isinstance(value, (tuple, list)):
        if len(value) != count:
            raise TypeError(
                f"{name} must be one integer or {TUPLES[count]} of them, got {shown(value)}"
            )
        return tuple(
            whole_number(f"{name}[{at}]", entry, minimum=minimum) for at, entry in enumerate(value)
        )
    try:
        side = whole_number(name, value, minimum=minimum)
    except TypeError as error:
        raise TypeError(f"{error}; {TUPLES[count]} of integers is right too") from None
    return (side,) * count


def flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool.

    Raises:
        TypeError: not True or False.

    >>> flag("bias", "no")
    Traceback (most recent call last):
    ...
    TypeError: bias must be True or False, got 'no' of type str
    """
    numpy = sys.modules.get("numpy")
    if isinstance(value, bool) or (numpy is not None and isinstance(value, numpy.bool_)):
        return bool(value)
    raise TypeError(
        f"{name} must be True or False, got {shown(value)} of type {type(value).__name__}"
    )


def check_divides(divisor_name: str, divisor: Any, name: str, value: Any) -> None:
    """Check that one size divides another.

    Raises:
        ValueError: it does not; the message names both.

    >>> check_divides("groups", 4, "in_channels", 6)
    Traceback (most recent call last):
    ...
    ValueError: groups must divide in_channels, got groups=4 and in_channels=6
    """
    try:
        quotient = exact_quotient(value, divisor)
    except ValueError as error:
        place = f": {error}" if Sweep in (type(value), type(divisor)) else ""
        raise ValueError(
            f"{divisor_name} must divide {name}, "
            f"got {divisor_name}={shown(plain(divisor))} and {name}={shown(plain(value))}{place}"
        ) from None
    if is_expression(quotient) and quotient.is_integer is False:
        raise ValueError(
            f"{divisor_name} must divide {name}, got {divisor_name}={divisor} and {name}={value}"
        )


def check_at_least(name: str, value: Any, least_name: str, least: Any) -> None:
    """Check that one size is not smaller than another.

    Raises:
        ValueError: it is smaller; the message names both.

    >>> check_at_least("kv_seq_len", 3, "seq_len", 5)
    Traceback (most recent call last):
    ...
    ValueError: kv_seq_len must be at least seq_len, got kv_seq_len=3 and seq_len=5
    """
    room, place = value - least, None
    if isinstance(room, Sweep):
        place = first_place(room.values < 0)
        if place is None:
            return
        value, least = (entry_at(size, place, room.values.shape) for size in (value, least))
    elif not (room.expand().is_negative if is_expression(room) else room < 0):
        return
    where = f" (entry {list(place)})" if place else ""
    raise ValueError(
        f"{name} must be at least {least_name}, "
        f"got {name}={shown(value)} and {least_name}={shown(least)}{where}"
    )


def check_broadcast(sizes: dict[str, Any]) -> None:
    """Check that the arrays among ``sizes`` fit together, and that no expression joins them.

    Raises:
        TypeError: an array and a SymPy expression in one call.
        ValueError: arrays whose shapes do not broadcast; the message names them.
    """
    arrays = {name: plain(size).shape for name, size in sizes.items() if isinstance(size, Sweep)}
    expressions = [name for name, size in sizes.items() if is_expression(size)]
    if arrays and expressions:
        raise TypeError(
            f"{next(iter(arrays))} is an array and {expressions[0]} a SymPy expression: "
            f"use one kind in a call"
        )
    if len(arrays) > 1:
        import numpy as np

        try:
            np.broadcast_shapes(*arrays.values())
        except ValueError:
            listed = ", ".join(f"{name} {shape}" for name, shape in arrays.items())
            raise ValueError(f"the arrays do not broadcast together: {listed}") from None
