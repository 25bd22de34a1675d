"""How many bits a number takes up in memory, by the role that it plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flopslib.derivation.operands import Operand
from flopslib.sizes.checks import whole_number
from flopslib.sizes.exact import floor_quotient, plain, product, wrapped

__all__ = ["BF16", "FP32", "Widths", "whole_bytes"]

BITS_OF_A_BYTE = 8


def whole_bytes(bits: Any) -> Any:
    """Return how many bytes so many bits fill, the last one perhaps in part.

    >>> whole_bytes(24), whole_bytes(4 * 7)
    (3, 4)
    """
    return plain(_quotient_up(wrapped(bits), BITS_OF_A_BYTE))


def _quotient_up(size: Any, whole: Any) -> Any:
    return floor_quotient(size + (whole - 1), whole)


@dataclass(frozen=True, kw_only=True)
class Widths:
    """The bits of a number, by role.

    Attributes:
        activation: numbers that are computed from the sample.
        weight: numbers that are learnt.
        cache: keys and values that are kept; None: as activations.
        accumulator: sums of products, as they leave their step; None: rounded to activations.
        index: the numbers of rows that are looked up.
        state: each number that an optimiser keeps of a parameter.
        group_size: how many weights in a row share a scale; None: no scales.
        scale: the bits of such a scale, with its zero point if it has one.

    Raises:
        TypeError, ValueError: a width that is not a positive whole number.

    >>> int4 = Widths(weight=4, group_size=128)
    >>> int4.bytes(Operand("weight", (4096, 4096), "weight")) * 8 / 4096**2
    4.125
    """

    activation: int = 16
    weight: int = 16
    cache: int | None = None
    accumulator: int | None = None
    index: int = 64
    state: int = 32
    group_size: int | None = None
    scale: int = 16

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is None and name in ("cache", "accumulator", "group_size"):
                continue
            object.__setattr__(self, name, int(whole_number(name, value)))

    def bits(self, role: str) -> int:
        """Return the bits of a number, by the role of its operand.

        >>> Widths(activation=8, cache=16).bits("cache")
        16
        """
        if role == "weight":
            return self.weight
        if role == "cache" and self.cache is not None:
            return self.cache
        return self.activation

    def bytes(self, operand: Operand, *, size: Any = None, bits: int | None = None) -> Any:
        """Return how many bytes an operand takes up, the scales of its groups included.

        Args:
            operand: the tensor.
            size: how many of its numbers there are; None: all.
            bits: the width of a number; None: that of the operand's role.
        """
        count = wrapped(operand.size if size is None else size)
        stored = _stored(count, self.bits(operand.role) if bits is None else bits)
        if operand.role != "weight" or self.group_size is None or len(operand.shape) < 2:
            return plain(stored)
        return plain(stored + self._scales(operand, count, self.group_size))

    def _scales(self, operand: Operand, count: Any, group_size: int) -> Any:
        """Return the bytes of the scales: every row of a matrix begins a group of its own."""
        row = wrapped(product(operand.shape[1:]))
        return _stored(_quotient_up(count, row) * _quotient_up(row, group_size), self.scale)


def _stored(count: Any, bits: int) -> Any:
    """Return the bytes of so many numbers: a plain product where a number fills its bytes."""
    if bits % BITS_OF_A_BYTE == 0:
        return count * (bits // BITS_OF_A_BYTE)
    return wrapped(whole_bytes(plain(count * bits)))


#: Two bytes for every number.
BF16 = Widths()
#: Four bytes for every number.
FP32 = Widths(activation=32, weight=32)
