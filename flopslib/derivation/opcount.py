"""The record of operations: what was computed, under its own name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from flopslib.sizes.checks import shown, whole_number
from flopslib.sizes.exact import is_array, is_expression, plain, same, wrapped

__all__ = ["OTHER_KINDS", "OpCount"]

#: The figures that every record has.
MAIN_KINDS = ("multiplications", "additions", "macs")

#: The operations that are neither a multiplication nor an addition, and that no
#: FLOP figure of this library contains.
OTHER_KINDS = ("comparisons", "divisions", "exponentials", "square_roots", "erfs", "logarithms")

NOTHING_ELSE: Mapping[str, Any] = MappingProxyType(Counter())


@dataclass(frozen=True, eq=False, kw_only=True)
class OpCount:
    """How many operations of each kind a computation performs.

    Two records of SymPy expressions are equal when they are written alike;
    compare ``sympy.expand`` of their figures for a proof.

    All figures are exact and count operations (no unit, never a rate).

    Attributes:
        multiplications: products of two numbers, wherever they happen.
        additions: sums of two numbers; a subtraction is an addition.
        macs: multiply-accumulates: one per term of every dot product. They are
            a second reading of operations already counted above, not extra ones.
        other: a read-only mapping from a kind in ``OTHER_KINDS`` to its count.
            Kinds that do not occur are left out, and read as 0.

    Raises:
        TypeError: a count that is not a whole number.
        ValueError: a negative count, or a kind nobody knows.

    >>> dot = OpCount(multiplications=3, additions=2, macs=3)
    >>> dot.flops, dot.exact_flops
    (6, 5)
    >>> dot + OpCount(additions=1)
    OpCount(multiplications=3, additions=3, macs=3)
    >>> OpCount(other={"divisions": 4}).other["comparisons"]
    0
    """

    multiplications: Any = 0
    additions: Any = 0
    macs: Any = 0
    other: Mapping[str, Any] = field(default_factory=dict)

    __array_ufunc__ = None  # an array times a record is a record of arrays

    def __post_init__(self) -> None:
        for name in MAIN_KINDS:
            object.__setattr__(self, name, _count(name, getattr(self, name)))
        if not self.other and type(self.other) is dict:
            object.__setattr__(self, "other", NOTHING_ELSE)
            return
        if not isinstance(self.other, Mapping):
            raise TypeError(f"other must be a mapping from kind to count, got {shown(self.other)}")
        unknown = [kind for kind in self.other if kind not in OTHER_KINDS]
        if unknown:
            known = ", ".join(OTHER_KINDS)
            raise ValueError(f"other has the unknown kind {shown(unknown[0])}; known are {known}")
        counts = {k: _count(k, self.other[k]) for k in OTHER_KINDS if k in self.other}
        object.__setattr__(self, "other", _occurring(counts))

    @property
    def flops(self) -> Any:
        """FLOPs by the usual convention, in which a MAC is 2 of them."""
        return plain(2 * wrapped(self.macs))

    @property
    def exact_flops(self) -> Any:
        """Multiplications plus additions, exactly as performed."""
        return plain(wrapped(self.multiplications) + wrapped(self.additions))

    def kinds(self) -> dict[str, Any]:
        """Every figure under its name, for going through them kind by kind.

        >>> OpCount(multiplications=2, macs=2).kinds()
        {'multiplications': 2, 'additions': 0, 'macs': 2}
        """
        counted = {name: getattr(self, name) for name in MAIN_KINDS}
        return counted | dict(self.other)

    def __add__(self, other: object) -> OpCount:
        """Add two records, kind by kind; ``0 + record`` lets ``sum`` begin."""
        if isinstance(other, int) and not isinstance(other, bool) and other == 0:
            return self
        if not isinstance(other, OpCount):
            return NotImplemented
        kinds = {**self.other, **other.other}
        return _derived(
            wrapped(self.multiplications) + wrapped(other.multiplications),
            wrapped(self.additions) + wrapped(other.additions),
            wrapped(self.macs) + wrapped(other.macs),
            {k: wrapped(self.other[k]) + wrapped(other.other[k]) for k in kinds},
        )

    __radd__ = __add__

    def __mul__(self, times: Any) -> OpCount:
        """Repeat the computation: every figure times a whole number of at least 0."""
        if isinstance(times, OpCount):
            return NotImplemented
        times = wrapped(_count("the factor of an OpCount", times))
        return _derived(
            wrapped(self.multiplications) * times,
            wrapped(self.additions) * times,
            wrapped(self.macs) * times,
            {kind: wrapped(count) * times for kind, count in self.other.items()},
        )

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        """Whether every figure agrees; arrays agree in shape and in every entry."""
        if not isinstance(other, OpCount):
            return NotImplemented
        mine, theirs = self.kinds(), other.kinds()
        return mine.keys() == theirs.keys() and all(same(mine[k], theirs[k]) for k in mine)

    def __hash__(self) -> int:
        return hash(tuple(self.kinds().items()))

    def __repr__(self) -> str:
        figures = {name: count for name, count in self.kinds().items() if name not in self.other}
        parts = [f"{name}={n!r}" for name, n in figures.items() if is_array(n) or n != 0]
        if self.other:
            parts.append(f"other={dict(self.other)!r}")
        return f"OpCount({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.multiplications, self.additions, self.macs, dict(self.other))


def _count(name: str, value: Any) -> Any:
    if type(value) is int and value >= 0:  # nearly always, and so without a detour
        return value
    return plain(whole_number(name, value, minimum=0))


def _occurring(counts: dict[str, Any]) -> Mapping[str, Any]:
    occurring = {kind: n for kind, n in counts.items() if is_array(n) or n != 0}
    return MappingProxyType(Counter(occurring)) if occurring else NOTHING_ELSE


def _derived(multiplications: Any, additions: Any, macs: Any, other: dict[str, Any]) -> OpCount:
    """Return a record of sums or products of counts that were checked when they came in."""
    named = {"multiplications": multiplications, "additions": additions, "macs": macs}
    counts = {name: _checked_again(name, count) for name, count in named.items()}
    more = {k: _checked_again(k, other[k]) for k in OTHER_KINDS if k in other}
    made = object.__new__(OpCount)
    made.__dict__.update(counts, other=_occurring(more))
    return made


def _checked_again(name: str, value: Any) -> Any:
    # SymPy takes long to tell the sign of a long sum, and has told it of every term
    return value if is_expression(value) and not value.is_Integer else _count(name, value)


def _restore(multiplications: Any, additions: Any, macs: Any, other: dict[str, Any]) -> OpCount:
    return OpCount(multiplications=multiplications, additions=additions, macs=macs, other=other)
