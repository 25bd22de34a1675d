"""The same cost functions, run on letters instead of numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from flopslib.costs.registry import registered
from flopslib.notation import symbols_for

__all__ = ["formula"]

T = TypeVar("T")


def formula(function: Callable[..., T], **overrides: Any) -> T:
    """Call a cost function on symbols, and return its derivation as a formula.

    Any function whose sizes are in the notation table will do,
    :func:`flopslib.conv_output_size` among them.

    Every size becomes its symbol of the notation table, ``kernel_size`` the pair
    (K_h, K_w). Flags keep their defaults, and a size whose default is None keeps
    its meaning. Anything may be overridden, by a number or another expression.

    Args:
        function: a cost function, such as ``flopslib.conv2d``.
        overrides: arguments to use in place of their symbols or defaults.

    Raises:
        TypeError: an override that the function has no argument for; a
            ``function`` that is not callable.
        ValueError: an argument that the notation table has no letter for.

    >>> from flopslib import conv2d
    >>> formula(conv2d, bias=False, groups=1)
    conv2d: each output pixel C_in*K_h*K_w multiplications, C_in*K_h*K_w - 1 additions; \
output pixels B × C_out × H_out × W_out = B*C_out*H_out*W_out
    total: ...
    """
    if not callable(function):
        raise TypeError(f"formula takes a cost function, got {function!r}")
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        raise TypeError(f"formula takes a cost function, got {function!r}") from None
    name = getattr(function, "__name__", repr(function))
    for override in overrides:
        if override not in parameters:
            raise TypeError(
                f"{name} has no argument {override!r} to override; it takes {', '.join(parameters)}"
            )
    free = {n: p for n, p in parameters.items() if n not in overrides and not _keeps(p)}
    arguments = {argument: _symbol(function, argument) for argument in free} | overrides
    positional = [
        arguments.pop(n)
        for n, p in parameters.items()
        if p.kind is p.POSITIONAL_ONLY and n in arguments
    ]
    return function(*positional, **arguments)


def _keeps(parameter: inspect.Parameter) -> bool:
    return parameter.default is None or isinstance(parameter.default, bool)


def _symbol(function: Callable[..., Any], argument: str) -> Any:
    cost = registered().get(function.__name__)
    try:
        known = cost is not None and cost.function is function
        symbols = cost.symbols(argument) if cost and known else symbols_for(argument)
    except KeyError as error:
        name = function.__name__
        raise ValueError(
            f"{name}: {error.args[0]}; override it: formula({name}, {argument}=...)"
        ) from None
    return symbols[0] if len(symbols) == 1 else symbols
