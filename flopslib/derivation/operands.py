"""What a step multiplies and adds up: tensors, each with a name, a shape and a role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from flopslib.sizes.checks import shown, whole_number
from flopslib.sizes.exact import plain, product

__all__ = ["ROLES", "Operand"]

#: What an operand can be, and what that means.
ROLES = {
    "input": "an activation, computed from the sample",
    "weight": "learnt",
    "cache": "kept from positions that came before",
    "constant": "made beforehand, and never learnt",
}


@dataclass(frozen=True, eq=False)
class Operand:
    """A tensor that goes into a step or comes out of it.

    An operand is equal to itself alone: two layers with weights of the same shape have two.

    Attributes:
        name: what it is called, such as "weight".
        shape: its sizes, whole numbers of at least 0, letters or arrays.
        role: "input", "weight", "cache" or "constant".
        of: what it is made of without an operation, such as the new keys and those of a
            cache; empty: it is there as it is.

    Raises:
        TypeError: a size that is not a whole number.
        ValueError: a negative size, a role that there is not.

    >>> Operand("weight", (2, 3), "weight").size
    6
    """

    name: str
    shape: tuple[Any, ...]
    role: str = "input"
    of: tuple[Operand, ...] = ()

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {shown(self.role)}")
        sizes = (whole_number("an entry of shape", size, minimum=0) for size in self.shape)
        object.__setattr__(self, "shape", tuple(map(plain, sizes)))
        object.__setattr__(self, "of", tuple(self.of))

    @property
    def size(self) -> Any:
        """How many numbers it holds."""
        return product(self.shape)

    def sources(self) -> Iterator[Operand]:
        """Yield what it is made of, down to what is there as it is.

        >>> new, past = Operand("new", (1, 4)), Operand("past", (7, 4), "cache")
        >>> [part.role for part in Operand("keys", (8, 4), of=(new, past)).sources()]
        ['input', 'cache']
        """
        if not self.of:
            yield self
        for part in self.of:
            yield from part.sources()


class Replacing:
    """Puts operands in the place of others, wherever they occur, each time the same ones."""

    def __init__(self, instead: dict[Operand, Operand] | None = None) -> None:
        """Take what stands for which operand."""
        self._instead = dict(instead or {})

    def __call__(self, operand: Operand) -> Operand:
        """Return what stands for an operand, and for what that is made of."""
        if operand not in self._instead:
            self._instead[operand] = self._made(operand, tuple(map(self, operand.of)))
        return self._instead[operand]

    def _made(self, operand: Operand, of: tuple[Operand, ...]) -> Operand:
        return operand if of == operand.of else replace(operand, of=of)


class Copies(Replacing):
    """Puts as many copies of an operand, side by side, in its place: each one has its own."""

    def __init__(self, times: Any) -> None:
        """Take how many copies there are."""
        super().__init__()
        self._times = times

    def _made(self, operand: Operand, of: tuple[Operand, ...]) -> Operand:
        return replace(operand, shape=(self._times, *operand.shape), of=of)


def external(steps: Iterable[Any]) -> tuple[Operand, ...]:
    """Return what steps read and none of them wrote before, in the order of reading."""
    found: dict[Operand, None] = {}
    written: set[Operand] = set()
    for step in steps:
        sources = (source for operand in step.reads for source in operand.sources())
        found |= dict.fromkeys(source for source in sources if source not in written)
        written.add(step.writes)
    return tuple(found)
