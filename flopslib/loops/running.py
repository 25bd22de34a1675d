"""Running a naive loop on counting numbers, found by the name of its cost function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flopslib.costs.registry import CostFunction, registered
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.loops import (
    attending,
    convolution,
    dense,
    experts,
    latent,
    mlp,
    recurrent,
    transformer,
)
from flopslib.loops.counting import Tally
from flopslib.loops.loop import Loop
from flopslib.sizes.checks import shown
from flopslib.sizes.exact import Sweep, is_expression, plain

__all__ = ["loop_of", "loops", "outputs_of_run", "run_and_count"]


def loops() -> Mapping[str, Loop]:
    """Return the naive loop of every layer, by the name of its cost function.

    >>> loops()["linear"].function([[1, 2, 3]], [[4, 5, 6]], [7])
    [[39]]
    """
    modules = (dense, convolution, attending, latent, mlp, experts, recurrent, transformer)
    found = (value for module in modules for value in vars(module).values())
    return {loop.function.__name__: loop for loop in found if isinstance(loop, Loop)}


def run_and_count(function: Callable[..., Derivation], *args: Any, **kwargs: Any) -> OpCount:
    """Run the naive loop of a layer on counting numbers, and return the tally.

    Args:
        function: a cost function, such as ``flopslib.linear``; its arguments
            follow. Use small sizes: every single operation is executed.

    Raises:
        TypeError: a function that has no naive loop, or a size that is not an int.
        ValueError: sizes the cost function refuses.

    >>> from flopslib import linear
    >>> run_and_count(linear, 3, 2) == linear(3, 2).total
    True
    """
    return _run(function, *args, **kwargs)[0]


def outputs_of_run(function: Callable[..., Derivation], *args: Any, **kwargs: Any) -> int:
    """Run the naive loop of a layer, and return how many output elements it made.

    >>> from flopslib import linear
    >>> outputs_of_run(linear, 3, 2, batch=5)
    10
    """
    return _run(function, *args, **kwargs)[1]


def loop_of(function: Callable[..., Derivation]) -> tuple[CostFunction, Loop]:
    """Return what the registry knows of a cost function, and its naive loop.

    Raises:
        TypeError: a function that has no naive loop.
    """
    name = getattr(function, "__name__", shown(function))
    cost = registered().get(name)
    if cost is None or cost.function is not function or name not in loops():
        raise TypeError(f"{name} has no naive loop; there are {', '.join(loops())}")
    return cost, loops()[name]


def _run(function: Callable[..., Derivation], *args: Any, **kwargs: Any) -> tuple[OpCount, int]:
    cost, loop = loop_of(function)
    arguments = checked_arguments(cost, *args, **kwargs)
    tally = Tally()
    operands = {operand.name: operand.shape for operand in cost.function(**arguments).operands}
    shapes, options = bound(loop, operands, arguments)
    numbers = {n: None if shape is None else tally.numbers(shape) for n, shape in shapes.items()}
    result = loop.function(**numbers, **options)
    return tally.record(), _size(result)


def checked_arguments(cost: CostFunction, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the arguments of a run: those of the cost function, all of them numbers.

    Raises:
        TypeError: a size that is not an int.
    """
    arguments = cost.arguments(*args, **kwargs)
    for argument, value in arguments.items():
        for entry in value if isinstance(value, tuple) else (value,):
            if isinstance(entry, Sweep) or is_expression(entry):
                raise TypeError(
                    f"a loop runs on numbers: {argument} must be an int, got {shown(plain(entry))}"
                )
    return arguments


def bound(
    loop: Loop, operands: Mapping[str, Any], arguments: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a loop is given: its operands, None for one that is left out, and its options."""
    names, options = loop.names()
    made = {name: tuple(arguments[each] for each in of) for name, of in loop.options.items()}
    given = {name: arguments[name] for name in options if name in arguments}
    return {name: operands.get(name) for name in names}, given | made


def _size(nested: Any) -> int:
    return sum(map(_size, nested)) if isinstance(nested, list) else 1
