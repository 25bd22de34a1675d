"""The bytes that a computation moves, from the operands of its steps.

A *pass* is one trip of the data from memory to the chip and back: what it reads from outside
comes in once, what it writes and others need goes out once. Unfused, every step is a pass of
its own. Fused, a group of steps is one, and what they hand to one another stays on the chip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from typing import Any, TypeAlias

from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Step
from flopslib.sizes.checks import shown
from flopslib.sizes.exact import Sweep, is_expression, plain, wrapped
from flopslib.traffic.widths import BF16, Widths

__all__ = ["Moved", "Pass", "Traffic", "traffic"]

#: Every step by itself, all of them together, or the groups by the names of their steps.
Fused: TypeAlias = bool | str | Sequence[str | Sequence[str]]


@dataclass(frozen=True, eq=False)
class Moved:
    """An operand that is read or written, and how much of it.

    Attributes:
        operand: the tensor.
        bytes: how many bytes of it.
    """

    operand: Operand
    bytes: Any


@dataclass(frozen=True, eq=False)
class Pass:
    """Steps that run without going to memory in between.

    Attributes:
        name: what the first of them computes, and the last.
        steps: the steps.
        reads: what they read from memory, each operand once.
        writes: what they write to memory: what others read, and what nobody does.
    """

    name: str
    steps: tuple[Step, ...]
    reads: tuple[Moved, ...]
    writes: tuple[Moved, ...]

    @property
    def read(self) -> Any:
        """The bytes that are read."""
        return _sum(moved.bytes for moved in self.reads)

    @property
    def written(self) -> Any:
        """The bytes that are written."""
        return _sum(moved.bytes for moved in self.writes)

    @property
    def bytes(self) -> Any:
        """The bytes that are read, and those that are written."""
        return plain(wrapped(self.read) + wrapped(self.written))

    @cached_property
    def flops(self) -> Any:
        """FLOPs by the usual convention, 2 for each MAC."""
        return _sum(step.flops for step in self.steps)

    @cached_property
    def other(self) -> Any:
        """Operations outside of the products, such as additions, comparisons and exponentials."""
        return _sum(beside_products(step) for step in self.steps)

    @property
    def intensity(self) -> Any:
        """FLOPs for each byte, as a fraction, a formula, or an array of floats."""
        return ratio(self.flops, self.bytes)


@dataclass(frozen=True, eq=False)
class Traffic:
    """What a computation moves, pass by pass.

    Attributes:
        passes: the passes, in order.
        widths: the bits of a number, by role.
    """

    passes: tuple[Pass, ...]
    widths: Widths

    @property
    def read(self) -> Any:
        """The bytes that all passes read."""
        return _sum(each.read for each in self.passes)

    @property
    def written(self) -> Any:
        """The bytes that all passes write."""
        return _sum(each.written for each in self.passes)

    @property
    def bytes(self) -> Any:
        """The bytes that all passes read and write."""
        return _sum(each.bytes for each in self.passes)

    @property
    def flops(self) -> Any:
        """FLOPs by the usual convention, 2 for each MAC."""
        return _sum(each.flops for each in self.passes)

    @property
    def other(self) -> Any:
        """Operations outside of the products, such as additions, comparisons and exponentials."""
        return _sum(each.other for each in self.passes)

    @property
    def intensity(self) -> Any:
        """Arithmetic intensity, FLOPs for each byte, as a fraction, a formula, or an array.

        >>> from flopslib import linear
        >>> traffic(linear(4096, 4096, bias=False)).intensity < 1
        True
        """
        return ratio(self.flops, self.bytes)

    @property
    def by_role(self) -> dict[str, Any]:
        """The bytes by what they are, each role that is read and "result" for what is written.

        >>> from flopslib import linear
        >>> traffic(linear(3, 2, batch=5)).by_role
        {'input': 30, 'weight': 16, 'result': 20}
        """
        found: dict[str, Any] = {}
        for each in self.passes:
            for moved in each.reads:
                role = moved.operand.role
                found[role] = wrapped(found.get(role, 0)) + wrapped(moved.bytes)
        return {role: plain(n) for role, n in found.items()} | {"result": self.written}

    def __repr__(self) -> str:
        names = ", ".join(each.name for each in self.passes[:4])
        more = "" if len(self.passes) <= 4 else f" and {len(self.passes) - 4} more"
        return f"Traffic({self.bytes} bytes, {self.flops} FLOPs: {names}{more})"


def traffic(derivation: Any, widths: Widths = BF16, *, fused: Fused = False) -> Traffic:
    """Return what a computation moves between memory and chip.

    Every operand of a pass is read once and every result written once, as if the chip had
    room for all of a pass. A real kernel moves at least that, and more where it has not.

    Args:
        derivation: a derivation, or a step.
        widths: the bits of a number, by role.
        fused: False: each step by itself. True: all together, so that only what enters and
            what leaves is moved. A name, or a list of them: steps side by side of that name
            are one pass, and where an entry is a list of names itself, steps of any of them
            are. A step has the name of its layer, too: "attend" fuses "h.0.attend.softmax"
            with its neighbours in "h.0.attend".

    Raises:
        TypeError: no derivation.
        ValueError: a step that does not say what it reads and writes, a name that no step has.

    >>> from flopslib import scaled_dot_product_attention
    >>> attention = scaled_dot_product_attention(1024, 64)
    >>> traffic(attention).bytes, traffic(attention, fused=True).bytes
    (13107200, 524288)
    """
    steps = (derivation,) if isinstance(derivation, Step) else getattr(derivation, "steps", None)
    if not isinstance(steps, tuple):
        raise TypeError(
            f"derivation must be a derivation such as flopslib.linear(…) returns, "
            f"got {shown(derivation)}"
        )
    known = list(steps)
    groups = list(step_groups(known, fused))
    stored = _Stored(known, widths)
    needed = _read_in(groups)
    return Traffic(tuple(_pass(at, g, needed, stored) for at, g in enumerate(groups)), widths)


def _checked(step: Step) -> None:
    if not step.reads or step.writes is None:
        raise ValueError(
            f"the step {step.name!r} does not say what it reads and writes, so nobody knows what "
            f"it moves: give it reads=(Operand(…), …) and writes=Operand(…)"
        )


# --- passes -------------------------------------------------------------------------

Group: TypeAlias = list[Step]


def step_groups(steps: list[Step], fused: Fused, argument: str = "fused") -> Iterator[Group]:
    """Yield the steps of each pass; those that write one result together are never apart.

    Raises:
        TypeError, ValueError: as :func:`traffic` does.
    """
    for step in steps:
        _checked(step)
    if fused is True:
        yield from [steps] if steps else []
        return
    together = [list(group) for _, group in groupby(steps, key=lambda step: step.writes)]
    names = _names(fused, argument)
    found = [_place(group[0], names) for group in together]
    for at, wanted in enumerate(names):
        if at not in found:
            raise ValueError(f"{argument} names {wanted[0]!r}, and no step is called that")
    places = (at if at is not None else -1 - n for n, at in enumerate(found))
    for _, run in groupby(zip(places, together, strict=True), key=lambda pair: pair[0]):
        yield [step for _, group in run for step in group]


def _names(fused: Fused, argument: str) -> list[tuple[str, ...]]:
    if fused is False:
        return []
    if isinstance(fused, str):
        fused = [fused]
    if not isinstance(fused, list | tuple):
        raise TypeError(f"{argument} must be True, False or names of steps, got {shown(fused)}")
    names = [tuple(each) if isinstance(each, list | tuple) else (each,) for each in fused]
    for name in (name for group in names for name in group):
        if not isinstance(name, str):
            raise TypeError(
                f"{argument} must be True, False or names of steps, got {shown(name)} in it"
            )
    return names


def _place(step: Step, names: list[tuple[str, ...]]) -> int | None:
    """Return the first group that a step belongs to by a name of its own or of its layers."""
    own = f".{step.name}."
    kind = f".{step.name.partition(',')[0]}."
    for at, group in enumerate(names):
        if any(f".{name}." in own or f".{name}." in kind for name in group):
            return at
    return None


def _read_in(groups: list[Group]) -> dict[Operand, set[int]]:
    """Return in which passes each operand is read, down to what is there as it is."""
    found: dict[Operand, set[int]] = {}
    for at, group in enumerate(groups):
        for step in group:
            for operand in step.reads:
                for source in operand.sources():
                    found.setdefault(source, set()).add(at)
    return found


class _Stored:
    """Knows how many bytes of memory an operand takes up."""

    def __init__(self, steps: Iterable[Step], widths: Widths) -> None:
        self._widths = widths
        self._bits: dict[Operand, int] = {}
        for step in steps:
            if step.writes and any("product" in part.takes for part in step.parts):
                self._bits[step.writes] = widths.accumulator or widths.activation
            indices = (operand for operand, take in readings(step) if take == "index")
            self._bits |= dict.fromkeys(indices, widths.index)

    def __call__(self, operand: Operand, size: Any = None) -> Any:
        return self._widths.bytes(operand, size=size, bits=self._bits.get(operand))


def _pass(at: int, group: Group, needed: dict[Operand, set[int]], stored: _Stored) -> Pass:
    made = dict.fromkeys(step.writes for step in group if step.writes)
    reads = [Moved(source, stored(source, n)) for source, n in _from_outside(group, set(made))]
    writes = [Moved(each, stored(each)) for each in made if needed.get(each, {-1}) - {at}]
    first, last = (step.name.partition(",")[0] for step in (group[0], group[-1]))
    name = first if len(made) == 1 else f"{first} … {last}"
    return Pass(name, tuple(group), tuple(reads), tuple(writes))


def _from_outside(group: Group, own: set[Operand]) -> Iterator[tuple[Operand, Any]]:
    """Yield each operand that a pass reads from memory, and how many numbers of it."""
    parts: dict[Operand, dict[Operand | None, Any]] = {}
    for step in group:
        for place, (operand, take) in enumerate(readings(step)):
            sources = [*operand.sources()]
            part = step.writes if take == "row" else operand
            for source in (each for each in sources if each not in own):
                used = _used(part, source, len(sources))
                if place in step.chosen:
                    used = _at_most(used, plain(step.chosen[place]))
                parts.setdefault(source, {})[part] = used
    for source, used in parts.items():
        yield source, _at_most(source.size, _sum(used.values()))


def readings(step: Step) -> Iterator[tuple[Operand, str]]:
    """Yield each operand that a step reads, and how it is taken."""
    takes = [take for part in step.parts for take in part.takes]
    through = len(step.reads) - len(takes)  # what a bias alone is added to
    yield from zip(step.reads, ["term"] * through + takes, strict=True)


def _used(part: Operand | None, source: Operand, sources: int) -> Any:
    """Return how much of a source is read: no more than the part that is cut out of it."""
    if sources > 1 or part is None:
        return source.size
    return _at_most(source.size, part.size)


def _at_most(most: Any, size: Any) -> Any:
    """Return the smaller of two sizes; where letters or arrays leave it open, the whole."""
    return min(most, size) if isinstance(most, int) and isinstance(size, int) else most


# --- figures ------------------------------------------------------------------------


def beside_products(step: Step) -> Any:
    """Return the operations of a step that are in no product: each kind counts one.

    >>> from flopslib import linear
    >>> beside_products(linear(3, 2, batch=5).steps[0])
    10
    """
    counts = (
        wrapped(n)
        for part in step.parts
        if "product" not in part.takes
        for kind, n in part.operations.kinds().items()
        if kind != "macs"
    )
    return plain(wrapped(plain(sum(counts, start=0))) * wrapped(step.outputs))


def ratio(above: Any, below: Any) -> Any:
    """Divide exactly where there is a way to: integers into a fraction, letters into a formula."""
    above, below = plain(above), plain(below)
    if is_expression(above) or is_expression(below):
        return above / below
    if isinstance(above, int) and isinstance(below, int):
        return Fraction(above, below)
    return above / below


def _sum(values: Iterable[Any]) -> Any:
    return plain(sum((_wrapped(value) for value in values), start=0))


def _wrapped(value: Any) -> Any:
    return value if isinstance(value, Sweep) else wrapped(value)
