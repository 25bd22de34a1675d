"""The registry of cost functions: to enrol in it is to be tested, tabled and drawn.

The decorator checks and normalises every argument by its role, so a cost
function is nothing but its formula.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ParamSpec

from flopslib.derivation.derivation import Derivation
from flopslib.notation import symbols_for
from flopslib.sizes.checks import (
    check_at_least,
    check_broadcast,
    check_divides,
    flag,
    several,
    whole_number,
)
from flopslib.sizes.exact import exact_quotient, wrapped

__all__ = ["CostFunction", "Default", "Example", "cost_function", "registered"]

P = ParamSpec("P")

#: The arguments of the notation table that make up the kernel of so many axes.
KERNELS = {1: ("kernel",), 2: ("kernel_size",), 3: ("kernel_depth", "kernel_size")}

_REGISTRY: dict[str, CostFunction] = {}


@dataclass(frozen=True)
class Default:
    """What a size left at None means: ``times`` · the size ``of``, divided by ``over``.

    >>> Default("d_model", times=4).value({"d_model": 768})
    3072
    """

    of: str
    times: int = 1
    over: str | None = None

    def value(self, sizes: Mapping[str, Any]) -> Any:
        """Return the size, from the others."""
        value = wrapped(sizes[self.of]) * self.times
        return value if self.over is None else exact_quotient(value, sizes[self.over])


@dataclass(frozen=True)
class Example:
    """A real layer to show a cost function with.

    Attributes:
        what: what the layer is, in a few words.
        arguments: the arguments of the cost function.
    """

    what: str
    arguments: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))


@dataclass(frozen=True)
class CostFunction:
    """What the registry knows of a cost function.

    Attributes:
        name: the function's name.
        function: the function itself, checks included.
        divides: for a size that must divide others, the names of those others.
        at_least: for a size with a lower end, the name of the size it is at least.
        defaults: for a size that may be None, what None means; it may rest on one before it.
        chapter: the file stem of the chapter that derives it.
        example: a real layer to show it with.
        kernel_axes: how many sizes ``kernel_size`` stands for, where there is one.
        minor: the flags that change little: the tests turn each by itself, and a lab leaves
            them at their defaults.
        from_zero: the names of the sizes that may be 0.
        sizes: the names of the arguments that are sizes.
        flags: the names of the arguments that are True or False, with their defaults.
    """

    name: str
    function: Callable[..., Derivation]
    divides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at_least: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Default] = field(default_factory=dict)
    chapter: str | None = None
    example: Example | None = None
    kernel_axes: int = 2
    minor: tuple[str, ...] = ()
    from_zero: tuple[str, ...] = ()
    sizes: tuple[str, ...] = field(init=False)
    flags: Mapping[str, bool] = field(init=False)

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.function).parameters
        flags = {n: p.default for n, p in parameters.items() if isinstance(p.default, bool)}
        object.__setattr__(self, "flags", MappingProxyType(flags))
        object.__setattr__(self, "sizes", tuple(n for n in parameters if n not in flags))
        for rule, names in self._named_by_rules().items():
            for name in sorted(names):
                if name not in self.sizes or self.axes(name) > 1:
                    raise ValueError(
                        f"{self.name}: {rule} names {name!r}, which is not a single size of it"
                    )
        for name in set(self.minor) - set(flags):
            raise ValueError(f"{self.name}: minor names {name!r}, which is not a flag of it")
        explained: set[str] = set()
        for name, default in self.defaults.items():
            if name not in self.sizes or parameters[name].default is not None:
                raise ValueError(
                    f"{self.name}: defaults names {name!r}, which is not a size that may be None"
                )
            for base in (default.of, default.over):
                if base is None or base in explained:
                    continue
                if parameters[base].default is None:
                    raise ValueError(
                        f"{self.name}: the default of {name!r} rests on {base!r}, "
                        f"which may be None itself"
                    )
            explained.add(name)

    @property
    def major(self) -> dict[str, bool]:
        """The flags that are not minor, with their defaults."""
        return {name: default for name, default in self.flags.items() if name not in self.minor}

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def axes(self, name: str) -> int:
        """Return how many sizes an argument stands for: 1, or the axes of a kernel."""
        return self.kernel_axes if name == "kernel_size" else 1

    def symbols(self, name: str) -> tuple[Any, ...]:
        """Return the symbols of an argument, as many as it stands for.

        >>> from flopslib import registered
        >>> registered()["conv2d"].symbols("kernel_size")
        (K_h, K_w)
        """
        names = KERNELS[self.kernel_axes] if name == "kernel_size" else (name,)
        return tuple(symbol for each in names for symbol in symbols_for(each))

    def _named_by_rules(self) -> dict[str, set[str]]:
        defaults = self.defaults.values()
        return {
            "divides": {*self.divides, *(n for names in self.divides.values() for n in names)},
            "at_least": {*self.at_least, *self.at_least.values()},
            "defaults": {n for d in defaults for n in (d.of, d.over) if n is not None},
            "from_zero": {*self.from_zero},
        }

    def divisions(self, given: Container[str]) -> list[tuple[str, str]]:
        """Return every pair (divisor, multiple) that must hold when ``given`` are not None.

        >>> from flopslib import registered
        >>> attention = registered()["multihead_attention"]
        >>> attention.divisions(given=["num_kv_heads"])
        [('num_kv_heads', 'num_heads'), ('num_heads', 'd_model')]
        >>> attention.divisions(given=["head_dim"])
        []
        """
        stated = [(d, n) for d, names in self.divides.items() for n in names]
        assumed = [
            (default.over, default.of)
            for name, default in self.defaults.items()
            if default.over is not None and name not in given
        ]
        known = [rule for rule in stated if rule[0] in given or rule[0] not in self.defaults]
        return known + assumed

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of a call, checked, with the defaults filled in.

        Raises:
            TypeError, ValueError: as the cost function does.
        """
        signature = self._signature
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}") from None
        bound.apply_defaults()
        values = {
            name: self._checked(name, value, signature.parameters[name].default)
            for name, value in bound.arguments.items()
        }
        check_broadcast(dict(_flattened(values)))
        return self._completed(values)

    def _checked(self, name: str, value: Any, default: Any) -> Any:
        if isinstance(default, bool):
            return flag(name, value)
        if value is None and default is None:
            return None
        axes = self.axes(name)
        if axes > 1:
            return several(name, value, axes)
        return whole_number(name, value, minimum=0 if name in self.from_zero else 1)

    def _completed(self, values: dict[str, Any]) -> dict[str, Any]:
        given = [name for name, value in values.items() if value is not None]
        for divisor, name in self.divisions(given):
            if None not in (values[divisor], values[name]):
                check_divides(divisor, values[divisor], name, values[name])
        whole = dict(values)
        for name, default in self.defaults.items():
            if name not in given:
                whole[name] = default.value(whole)
        for divisor, names in self.divides.items():
            for name in names:
                if None not in (whole[divisor], whole[name]):
                    check_divides(divisor, whole[divisor], name, whole[name])
        for name, least in self.at_least.items():
            if None not in (whole[name], whole[least]):
                check_at_least(name, whole[name], least, whole[least])
        return whole


def registered() -> Mapping[str, CostFunction]:
    """Return every enrolled cost function by name, in the order of the book.

    >>> "conv2d" in registered()
    True
    """
    return MappingProxyType(_REGISTRY)


def cost_function(
    divides: Mapping[str, tuple[str, ...]] | None = None,
    *,
    at_least: Mapping[str, str] | None = None,
    defaults: Mapping[str, Default] | None = None,
    chapter: str | None = None,
    example: Example | None = None,
    kernel_axes: int = 2,
    minor: tuple[str, ...] = (),
    from_zero: tuple[str, ...] = (),
) -> Callable[[Callable[P, Derivation]], Callable[P, Derivation]]:
    """Enrol a cost function, and check its arguments before it sees them.

    Sizes become positive whole numbers, those in ``from_zero`` from 0 on,
    ``kernel_size`` a pair of them (or as many as ``kernel_axes`` says), flags bools.
    What ``divides`` names is checked to divide, and what ``at_least`` names not to be
    smaller. A size whose default is None may be None; what ``defaults`` says it then
    means is what the cost function sees.

    A layer may be enrolled again from where it came, as a notebook cell does
    that is run twice.

    Raises:
        ValueError: the name is taken, or a rule names what is not a size.

    >>> @cost_function()
    ... def linear(in_features):
    ...     "Another layer by the name of one that is there."
    Traceback (most recent call last):
    ...
    ValueError: a cost function named 'linear' is registered already
    """
    rules: dict[str, Any] = {"divides": divides, "at_least": at_least, "defaults": defaults}
    frozen: dict[str, Any] = {
        name: MappingProxyType(dict(rule or {})) for name, rule in rules.items()
    }

    def enrol(function: Callable[P, Derivation]) -> Callable[P, Derivation]:
        unchecked: Callable[..., Derivation] = function

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> Derivation:
            return unchecked(**cost.arguments(*args, **kwargs))

        about: dict[str, Any] = {"chapter": chapter, "example": example, "kernel_axes": kernel_axes}
        about |= {"minor": minor, "from_zero": from_zero}
        cost = CostFunction(function.__name__, checked, **about, **frozen)
        known = _REGISTRY.get(cost.name)
        if known is not None and _home(known.function) != _home(function):
            raise ValueError(f"a cost function named {cost.name!r} is registered already")
        _REGISTRY[cost.name] = cost
        return checked

    return enrol


def _home(function: Callable[..., Any]) -> tuple[str, str]:
    return function.__module__, function.__qualname__


def _flattened(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, tuple):
            yield from ((f"{name}[{at}]", entry) for at, entry in enumerate(value))
        else:
            yield name, value
