"""Checking the arguments of layers: whole numbers, for each axis or for all."""

from __future__ import annotations

import operator
from typing import Any

from flopslib.sizes.checks import TUPLES, shown
from flopslib.sizes.checks import flag as true_or_false

__all__ = ["axes", "axis", "divides", "flag", "per_axis", "size", "untouched"]


def size(name: str, value: Any, minimum: int = 1) -> int:
    """Return a whole number of at least ``minimum``.

    Raises:
        TypeError: not a whole number (3.0 and True are none).
        ValueError: below ``minimum``.

    >>> size("in_features", 0)
    Traceback (most recent call last):
    ...
    ValueError: in_features must be a positive integer, got 0
    """
    if type(value) is not int:
        value = _whole(name, value, minimum)
    if value < minimum:
        raise ValueError(f"{name} must be {_wanted(minimum)}, got {value}")
    whole: int = value
    return whole


def _wanted(minimum: int) -> str:
    return {0: "a non-negative integer", 1: "a positive integer"}[minimum]


def _whole(name: str, value: Any, minimum: int) -> int:
    try:
        if isinstance(value, bool) or getattr(value, "ndim", False):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be {_wanted(minimum)}, got {shown(value)} of type {type(value).__name__}"
        ) from None


def flag(name: str, value: Any) -> bool:
    """Return a bool. No bias may be written as None, too, as torch lets one.

    Raises:
        TypeError: neither True nor False.

    >>> flag("bias", None), flag("bias", True)
    (False, True)
    """
    return true_or_false(name, False if value is None and name.endswith("bias") else value)


def per_axis(name: str, value: Any, axes: int, minimum: int = 1) -> tuple[int, ...]:
    """Return a whole number for each axis; a single one is taken for all.

    Raises:
        TypeError, ValueError: as :func:`size` does, or a tuple of another length.

    >>> per_axis("stride", 2, 2), per_axis("stride", (2, 1), 2)
    ((2, 2), (2, 1))
    """
    if isinstance(value, (tuple, list)):
        if len(value) != axes:
            raise TypeError(
                f"{name} must be one integer or {TUPLES[axes]} of them, got {shown(value)}"
            )
        return tuple(size(f"{name}[{at}]", entry, minimum) for at, entry in enumerate(value))
    return (size(name, value, minimum),) * axes


def axis(name: str, value: Any) -> int:
    """Return a whole number of any sign, such as the number of a dimension.

    Raises:
        TypeError: not a whole number.

    >>> axis("dim", -1)
    -1
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None


def axes(name: str, value: Any) -> tuple[int, ...]:
    """Return several whole numbers of any sign.

    Raises:
        TypeError: not a tuple or a list of whole numbers.

    >>> axes("dims", (0, 2, -1))
    (0, 2, -1)
    """
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} must be a tuple of integers, got {shown(value)}")
    return tuple(axis(f"{name}[{at}]", entry) for at, entry in enumerate(value))


def divides(divisor_name: str, divisor: int, **values: int) -> None:
    """Check that one size divides others.

    Raises:
        ValueError: it does not; the message names both.

    >>> divides("groups", 4, in_channels=6)
    Traceback (most recent call last):
    ...
    ValueError: groups must divide in_channels, got groups=4 and in_channels=6
    """
    for name, value in values.items():
        if value % divisor:
            raise ValueError(
                f"{divisor_name} must divide {name}, "
                f"got {divisor_name}={divisor} and {name}={value}"
            )


def untouched(layer: str, **options: tuple[Any, Any]) -> None:
    """Refuse options of torch that would change the count and are not counted here.

    Raises:
        ValueError: an option is not at the one value that is counted.
    """
    for name, (value, counted) in options.items():
        if value != counted:
            raise ValueError(
                f"{name} must be {counted!r}, got {shown(value)}: {layer} is not counted otherwise"
            )
