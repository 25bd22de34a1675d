"""Sizes to test every registered cost function with, made from what the registry knows of it."""

from __future__ import annotations

import inspect
import itertools
import random
from collections.abc import Iterator
from typing import Any

from flopslib.registry import PAIRS, CostFunction

PRIMES = (2, 3, 5, 7)
SPREAD = 4  # how many of the sizes are above 1 in one case: a loop runs all of them
CASES = 60


def axes(cost: CostFunction) -> list[str]:
    """Return the independent sizes of a cost function; a pair is two of them."""
    parameters = inspect.signature(cost.function).parameters
    names = [name for name in cost.sizes if parameters[name].default is not None]
    return [
        axis for name in names for axis in ([f"{name}.0", f"{name}.1"] if name in PAIRS else [name])
    ]


def arguments(cost: CostFunction, sizes: dict[str, int]) -> dict[str, Any]:
    """Turn independent sizes into arguments: pairs paired, and multiples multiplied."""
    made: dict[str, Any] = {}
    for axis, size in sizes.items():
        name = axis.partition(".")[0]
        made[name] = (*made.get(name, ()), size) if name in PAIRS else size
    for divisor, multiples in cost.divides.items():
        for name in multiples:
            made[name] *= made[divisor]
    return made


def cases(cost: CostFunction) -> list[dict[str, Any]]:
    """Return cases of distinct primes and ones in which every two sizes meet above 1.

    Where one size must divide another, the other is a product of the two, and
    the divisor is above 1 in most cases.
    """
    pick = random.Random(cost.name)
    names = axes(cost)
    made = [dict.fromkeys(names, 1)]
    for _ in range(CASES):
        above = pick.sample(names, min(SPREAD, len(names)))
        primes = pick.sample(PRIMES, len(above))
        sizes = dict.fromkeys(names, 1) | dict(zip(above, primes, strict=True))
        for divisor in cost.divides:
            if sizes[divisor] == 1 and pick.random() < 0.7:
                sizes[divisor] = pick.choice((2, 3))
        made.append(sizes)
    return [arguments(cost, sizes) for sizes in made]


def flag_settings(cost: CostFunction) -> Iterator[dict[str, bool]]:
    """Return every combination of a cost function's flags."""
    for values in itertools.product((True, False), repeat=len(cost.flags)):
        yield dict(zip(cost.flags, values, strict=True))
