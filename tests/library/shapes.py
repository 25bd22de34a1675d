"""Sizes to test every registered cost function with, made from what the registry knows of it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from flopslib.costs.registry import CostFunction

PRIMES = (2, 3, 5, 7)
SPREAD = 4  # how many of the sizes are above 1 in one case: a loop runs all of them
CASES = 60
MOST = 20_000  # operations of one case, so that all of them run in seconds


def axes(cost: CostFunction) -> list[str]:
    """Return the independent sizes of a cost function; a pair is two of them."""
    return [
        axis
        for name in cost.sizes
        for axis in (
            [f"{name}.{at}" for at in range(cost.axes(name))] if cost.axes(name) > 1 else [name]
        )
    ]


def arguments(cost: CostFunction, sizes: dict[str, int | None]) -> dict[str, Any]:
    """Turn independent sizes into arguments: pairs paired, multiples multiplied, ends moved.

    A size that may be None is left out where it is.
    """
    made: dict[str, Any] = {}
    for axis, size in sizes.items():
        name = axis.partition(".")[0]
        if size is not None:
            made[name] = (*made.get(name, ()), size) if cost.axes(name) > 1 else size
    for divisor, name in cost.divisions(made):
        made[name] *= made[divisor]
    for name, least in cost.at_least.items():
        if name in made:
            made[name] += made[least] - 1
    for name in cost.from_zero:
        made[name] -= 1
    return made


def cases(cost: CostFunction) -> list[dict[str, Any]]:
    """Return cases of distinct primes and ones in which every two sizes meet above 1.

    Where one size must divide another, the other is a product of the two, and
    the divisor is above 1 in most cases. A size that may be None often is.
    """
    pick = random.Random(cost.name)
    names = axes(cost)
    made = [arguments(cost, dict.fromkeys(names, 1))]
    while len(made) <= max(CASES, 9 * len(names)):
        above = pick.sample(names, min(SPREAD, len(names)))
        primes = pick.sample(PRIMES, len(above))
        sizes: dict[str, int | None] = dict.fromkeys(names, 1) | dict(
            zip(above, primes, strict=True)
        )
        for divisor in cost.divides:
            if sizes[divisor] == 1 and pick.random() < 0.7:
                sizes[divisor] = pick.choice((2, 3))
        for name in cost.defaults:
            if pick.random() < (0.3 if name in above else 0.9):
                sizes[name] = None
        case = arguments(cost, sizes)
        if cost.function(**case).exact_flops <= MOST:
            made.append(case)
    return made


def flag_settings(cost: CostFunction) -> Iterator[dict[str, bool]]:
    """Return every combination of a cost function's flags, the minor ones at their defaults."""
    for values in itertools.product((True, False), repeat=len(cost.major)):
        yield dict(cost.flags) | dict(zip(cost.major, values, strict=True))


def calls(cost: CostFunction, fewer: int = 3) -> Iterator[tuple[dict[str, Any], dict[str, bool]]]:
    """Return cases with flags: each combination, and a few with each minor flag turned.

    Where there are minor flags, one case of so many is taken.
    """
    for flags in flag_settings(cost):
        yield from ((sizes, flags) for sizes in cases(cost)[:: fewer if cost.minor else 1])
    for at, flags in enumerate(turned(cost)):
        yield from ((sizes, flags) for sizes in cases(cost)[at::19])


def turned(cost: CostFunction) -> Iterator[dict[str, bool]]:
    """Return the flags with each minor one turned, once with all others True and once not."""
    for name in cost.minor:
        for values in (True, False) if cost.major else (True,):
            yield (
                dict(cost.flags) | dict.fromkeys(cost.major, values) | {name: not cost.flags[name]}
            )
