"""A step as a value: what one output costs, times how many outputs there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add as plus
from typing import Any

from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.rendering import (
    displayed,
    step_latex,
    step_text,
)
from flopslib.sizes.checks import whole_number
from flopslib.sizes.exact import plain, product, same

__all__ = ["Part", "Step"]


def all_of(kind: type, name: str, things: Any) -> tuple[Any, ...]:
    listed = tuple(things) if isinstance(things, (tuple, list)) else (things,)
    for thing in listed:
        if not isinstance(thing, kind):
            wanted = f"a tuple of {kind.__name__}s"
            raise TypeError(f"{name} must be {wanted}, got a {type(thing).__name__} in it")
    return listed


class Figures:
    """The six figures of anything that has a ``total``."""

    __slots__ = ()

    @property
    def total(self) -> OpCount:
        """All operations together, as one record."""
        raise NotImplementedError

    @property
    def multiplications(self) -> Any:
        """Multiplications, exactly as performed."""
        return self.total.multiplications

    @property
    def additions(self) -> Any:
        """Additions and subtractions, exactly as performed."""
        return self.total.additions

    @property
    def macs(self) -> Any:
        """Multiply-accumulates, one per term of every dot product."""
        return self.total.macs

    @property
    def flops(self) -> Any:
        """FLOPs by the usual convention, 2 for each MAC."""
        return self.total.flops

    @property
    def exact_flops(self) -> Any:
        """Multiplications plus additions, exactly as performed."""
        return self.total.exact_flops

    @property
    def other(self) -> Any:
        """A read-only mapping from every other kind of operation to its count."""
        return self.total.other


@dataclass(frozen=True, eq=False)
class Part:
    """One reason why an output costs what it costs, such as its dot product or its bias.

    Attributes:
        name: what the operations are for.
        operations: the record of them, for one output.
        terms: where the operations are a dot product, the factors of its length.
        takes: how each operand that it reads is taken: as a factor of a "product" that is
            summed up, as a "factor" of its own number, as a "term", or through a "function".
        back: where there is a function, what its gradient costs for one output, when called.

    >>> Part("shift", OpCount(additions=1)).operations.exact_flops
    1
    """

    name: str
    operations: OpCount
    terms: tuple[Any, ...] = ()
    takes: tuple[str, ...] = ("function",)
    back: Callable[[], OpCount] | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        return self.name == other.name and self.operations == other.operations

    def __hash__(self) -> int:
        return hash((self.name, self.operations))


@dataclass(frozen=True, eq=False)
class Step(Figures):
    """A class of equal outputs: what one costs, and how many there are.

    Two steps are equal when name, unit, cost of one output and outputs agree,
    however the factors are written.

    Attributes:
        name: what the step computes.
        parts: what one output costs, reason by reason.
        shape: how many outputs there are, factor by factor.
        unit: what one output is called, in the singular.
        reads: the operands that go in, those of a product first.
        writes: the operand that comes out; None: it is not said.
        windowed: whether the first operand is read through a window that slides, so that its
            numbers take part unequally often.
        uneven: the places in ``reads`` of operands whose numbers take part unequally often for
            another reason, such as a mask.
        chosen: the places in ``reads`` of operands of which only a part is read, and which
            part is known only when it runs, such as the experts of a router; each with how
            many numbers that are, counted as often as they are read.

    >>> from flopslib.derivation.primitives import dot_product
    >>> step = Step("scores", (dot_product(4),), shape=(2, 5), unit="pair")
    >>> step.per_output.macs, step.outputs, step.macs
    (4, 10, 40)
    """

    name: str
    parts: tuple[Part, ...]
    shape: tuple[Any, ...]
    unit: str = "output element"
    reads: tuple[Operand, ...] = ()
    writes: Operand | None = None
    windowed: bool = False
    uneven: tuple[int, ...] = ()
    chosen: Mapping[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = (whole_number("an entry of shape", size, minimum=0) for size in self.shape)
        object.__setattr__(self, "parts", all_of(Part, "parts", self.parts))
        object.__setattr__(self, "reads", all_of(Operand, "reads", self.reads))
        object.__setattr__(self, "shape", tuple(map(plain, sizes)))

    @cached_property
    def per_output(self) -> OpCount:
        """What one output costs."""
        return reduce(plus, (part.operations for part in self.parts), OpCount())

    @cached_property
    def outputs(self) -> Any:
        """How many outputs there are."""
        return product(self.shape)

    @property  # not kept: of a sweep it would be an array for each kind and step
    def total(self) -> OpCount:
        """What one output costs, times the outputs."""
        total: OpCount = self.per_output * self.outputs
        return total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Step):
            return NotImplemented
        return (
            (self.name, self.unit) == (other.name, other.unit)
            and self.per_output == other.per_output
            and same(self.outputs, other.outputs)
        )

    def __hash__(self) -> int:
        return hash((self.name, self.unit, self.per_output, self.outputs))

    def __repr__(self) -> str:
        return step_text(self)

    def _repr_latex_(self) -> str:
        return displayed(step_latex(self))
