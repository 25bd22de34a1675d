"""A derivation as a value: the sum of its steps, and the steps of its gradients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import add as plus
from typing import Any

from flopslib.derivation.backward import backward_steps
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Copies, Operand, Replacing, external
from flopslib.derivation.rendering import box_latex, derivation_latex, derivation_text, displayed
from flopslib.derivation.steps import Figures, Step, all_of
from flopslib.sizes.checks import flag, whole_number
from flopslib.sizes.exact import plain

__all__ = ["Derivation"]


@dataclass(frozen=True)
class Derivation(Figures):
    """The cost of a computation as a sum of steps, each "per output × outputs".

    Derivations add (their steps follow one another) and multiply by a whole
    number (every step has that many times the outputs).

    Attributes:
        steps: the steps, in the order in which they are computed.
        name: what is computed. Two derivations with equal steps are equal under any name.

    >>> from flopslib import linear
    >>> layer = linear(3, 2)
    >>> layer.multiplications, layer.additions, layer.macs, layer.flops
    (6, 6, 6, 12)
    >>> (layer + layer).flops == (2 * layer).flops == 24
    True
    """

    steps: tuple[Step, ...]
    name: str = field(default="", compare=False)

    __array_ufunc__ = None  # an array times a derivation is a derivation of arrays

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", all_of(Step, "steps", self.steps))

    @cached_property
    def total(self) -> OpCount:
        """All steps together, as one record of operations."""
        return reduce(plus, (step.total for step in self.steps), OpCount())

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The operands that go in from outside, those that no step wrote before one read them.

        >>> from flopslib import linear
        >>> [(operand.name, operand.shape, operand.role) for operand in linear(3, 2).operands]
        [('x', (1, 3), 'input'), ('weight', (2, 3), 'weight'), ('bias', (2,), 'weight')]
        """
        return external(self.steps)

    @property
    def result(self) -> Operand:
        """What comes out of the last step.

        Raises:
            ValueError: the last step does not say what it writes.

        >>> from flopslib import linear
        >>> linear(3, 2).result.shape
        (1, 2)
        """
        result = self.steps[-1].writes if self.steps else None
        if result is None:
            raise ValueError(f"the last step of {self.name!r} does not say what it writes")
        return result

    def backward(self, *, input_gradient: bool = True, frozen: Iterable[str] = ()) -> Derivation:
        """Return what the gradients cost, given that of the result.

        Args:
            input_gradient: whether those of the inputs are computed, too; the first layer of a
                network needs none.
            frozen: the names of weights that are not learnt. What nothing learnt lies before
                has no gradient either.

        Raises:
            TypeError: an ``input_gradient`` that is not a bool.
            ValueError: a frozen name that no weight has; a step that does not say what it reads
                and writes; an operand from a cache.

        >>> from flopslib import formula, linear
        >>> back = formula(linear, bias=False).backward()
        >>> [step.name for step in back.steps]
        ['linear, gradient of x', 'linear, gradient of weight']
        >>> [step.flops for step in back.steps]
        [2*B*I*O, 2*B*I*O]
        """
        flag("input_gradient", input_gradient)
        left_out = set(frozen)
        weights = {each.name for each in self.operands if each.role == "weight"}
        for name in left_out - weights:
            known = ", ".join(sorted(weights)) or "none"
            raise ValueError(f"frozen must be weights of {self.name!r}: {known}, got {name!r}")

        def wanted(operand: Operand) -> bool:
            if operand.role == "weight":
                return operand.name not in left_out
            return operand.role == "input" and input_gradient

        return Derivation(backward_steps(self.steps, wanted), f"backward of {self.name}")

    def on(self, **operands: Operand | str) -> Derivation:
        """Return the same derivation on other operands: each by its name, or under a new name.

        A name that none of its operands has is passed over, as that of a bias where there is none.

        >>> from flopslib import linear
        >>> [operand.name for operand in linear(3, 2).on(weight="w_q", bias="b_q").operands]
        ['x', 'w_q', 'b_q']
        """
        instead = {}
        for old in {each for step in self.steps for each in (*step.reads, step.writes)}:
            if old is not None and old.name in operands:
                new = operands[old.name]
                instead[old] = replace(old, name=new) if isinstance(new, str) else new
        return Derivation(_replaced(self.steps, Replacing(instead)), self.name)

    def named(self, name: str) -> Derivation:
        """Return the same derivation under another name, which a single step takes too.

        >>> from flopslib import linear
        >>> linear(3, 2).named("query projection").steps[0].name
        'query projection'
        """
        if len(self.steps) != 1:
            return replace(self, name=name)
        (step,) = self.steps
        return Derivation((replace(step, name=name),), name)

    def __add__(self, other: object) -> Derivation:
        """Do one after the other; ``0 + derivation`` lets ``sum`` begin."""
        if isinstance(other, int) and not isinstance(other, bool) and other == 0:
            return self
        if not isinstance(other, Derivation):
            return NotImplemented
        names = dict.fromkeys(name for name in (self.name, other.name) if name)
        return Derivation(self.steps + other.steps, " + ".join(names))

    __radd__ = __add__

    def __mul__(self, times: Any) -> Derivation:
        """Do it a whole number of times, 0 included.

        Raises:
            TypeError: the factor is not a whole number.
            ValueError: the factor is negative.
        """
        if isinstance(times, (Derivation, OpCount)):
            return NotImplemented
        times = plain(whole_number("the factor of a derivation", times, minimum=0))
        steps = (replace(step, shape=(times, *step.shape)) for step in self.steps)
        return Derivation(_replaced(steps, Copies(times)), self.name)

    __rmul__ = __mul__

    def latex(self) -> str:
        r"""Return the worked derivation as LaTeX, without the dollar signs.

        >>> from flopslib import formula, linear
        >>> r"\boxed{2 B I O}" in formula(linear).latex()
        True
        """
        return derivation_latex(self)

    def box(self) -> str:
        r"""Return the boxed result alone, FLOPs = ..., as LaTeX without the dollar signs.

        >>> from flopslib import formula, linear
        >>> formula(linear).box()
        '\\boxed{\\text{FLOPs}_{\\text{linear}} = 2 B I O}'
        """
        return box_latex(self)

    def __repr__(self) -> str:
        return derivation_text(self)

    def _repr_latex_(self) -> str:
        return displayed(self.latex())


def _replaced(steps: Iterable[Step], replacing: Replacing) -> tuple[Step, ...]:
    return tuple(
        replace(
            step,
            reads=tuple(map(replacing, step.reads)),
            writes=None if step.writes is None else replacing(step.writes),
        )
        for step in steps
    )
