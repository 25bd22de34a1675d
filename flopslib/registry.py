"""The registry of cost functions: to enrol in it is to be tested, tabled and drawn.

The decorator checks and normalises every argument by its role, so a cost
function is nothing but its formula.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ParamSpec

from flopslib.derivation import Derivation
from flopslib.sizes import check_broadcast, check_divides, flag, pair, whole_number

__all__ = ["CostFunction", "cost_function", "registered"]

P = ParamSpec("P")

PAIRS = frozenset({"kernel_size"})

_REGISTRY: dict[str, CostFunction] = {}


@dataclass(frozen=True)
class CostFunction:
    """What the registry knows of a cost function.

    Attributes:
        name: the function's name.
        function: the function itself, checks included.
        divides: for a size that must divide others, the names of those others.
        sizes: the names of the arguments that are sizes.
        flags: the names of the arguments that are True or False, with their defaults.
    """

    name: str
    function: Callable[..., Derivation]
    divides: Mapping[str, tuple[str, ...]]
    sizes: tuple[str, ...] = field(init=False)
    flags: Mapping[str, bool] = field(init=False)

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.function).parameters
        flags = {n: p.default for n, p in parameters.items() if isinstance(p.default, bool)}
        object.__setattr__(self, "flags", MappingProxyType(flags))
        object.__setattr__(self, "sizes", tuple(n for n in parameters if n not in flags))
        for name in {*self.divides, *(n for names in self.divides.values() for n in names)}:
            if name not in self.sizes:
                raise ValueError(f"{self.name}: divides names {name!r}, which is not a size of it")

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of a call, checked, with the defaults filled in.

        Raises:
            TypeError, ValueError: as the cost function does.
        """
        signature = inspect.signature(self.function)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}") from None
        bound.apply_defaults()
        return _checked(signature, bound.arguments, self.divides)


def registered() -> Mapping[str, CostFunction]:
    """Return every enrolled cost function by name, in the order of the book.

    >>> "conv2d" in registered()
    True
    """
    import flopslib.costs  # noqa: F401  enrols them all

    return MappingProxyType(_REGISTRY)


def cost_function(
    divides: Mapping[str, tuple[str, ...]] | None = None,
) -> Callable[[Callable[P, Derivation]], Callable[P, Derivation]]:
    """Enrol a cost function, and check its arguments before it sees them.

    Sizes become positive whole numbers, ``kernel_size`` a pair of them, flags
    bools; a size whose default is None may be None. What ``divides`` names is
    checked to divide.

    A layer may be enrolled again from where it came, as a notebook cell does
    that is run twice.

    Raises:
        ValueError: the name is taken, or ``divides`` names what is not a size.

    >>> @cost_function()
    ... def linear(in_features):
    ...     "Another layer by the name of one that is there."
    Traceback (most recent call last):
    ...
    ValueError: a cost function named 'linear' is registered already
    """
    rules = MappingProxyType(dict(divides or {}))

    def enrol(function: Callable[P, Derivation]) -> Callable[P, Derivation]:
        unchecked: Callable[..., Derivation] = function

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> Derivation:
            return unchecked(**cost.arguments(*args, **kwargs))

        cost = CostFunction(function.__name__, checked, rules)
        known = _REGISTRY.get(cost.name)
        if known is not None and _home(known.function) != _home(function):
            raise ValueError(f"a cost function named {cost.name!r} is registered already")
        _REGISTRY[cost.name] = cost
        return checked

    return enrol


def _home(function: Callable[..., Any]) -> tuple[str, str]:
    return function.__module__, function.__qualname__


def _checked(
    signature: inspect.Signature,
    arguments: Mapping[str, Any],
    rules: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    values = {
        name: _checked_one(name, value, signature.parameters[name].default)
        for name, value in arguments.items()
    }
    check_broadcast(dict(_flattened(values)))
    for divisor, names in rules.items():
        for name in names:
            if None not in (values[divisor], values[name]):
                check_divides(divisor, values[divisor], name, values[name])
    return values


def _checked_one(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        return flag(name, value)
    if value is None and default is None:
        return None
    return pair(name, value) if name in PAIRS else whole_number(name, value)


def _flattened(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, tuple):
            yield from ((f"{name}[{at}]", entry) for at, entry in enumerate(value))
        else:
            yield name, value
