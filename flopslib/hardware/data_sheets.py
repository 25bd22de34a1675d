"""Chips: what a data sheet says of one, and never more than it says.

A peak is *dense*: where a maker prints a rate "with sparsity", which skips half of the weights,
the rate without it is the one here. No kernel reaches a peak; it is a bound.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from flopslib.sizes.checks import shown, whole_number

__all__ = ["Chip", "chip", "chips"]

TERA, GIGA = 10**12, 10**9


@dataclass(frozen=True)
class Chip:
    """A chip: how fast it computes, and how fast and how large its memory is.

    A chip of your own takes one line.

    Attributes:
        name: what it is called.
        peak: FLOP/s of matrix products, dense, by precision, such as "bf16".
        bandwidth: bytes/s between memory and chip.
        capacity: bytes of memory; None: not said.
        vector: FLOP/s of all that is no matrix product; None: not said.
        source: where the figures are from.
        date: when that was published, as in "2022-03".

    Raises:
        TypeError, ValueError: a rate that is no positive whole number, no precision.

    >>> mine = Chip("my laptop", {"fp32": 2 * 10**12}, bandwidth=100 * 10**9)
    >>> mine.balance("fp32")
    Fraction(20, 1)
    """

    name: str
    peak: Mapping[str, int]
    bandwidth: int
    capacity: int | None = None
    vector: int | None = None
    source: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.peak, Mapping) or not self.peak:
            raise TypeError(
                f'peak must be FLOP/s by precision, such as {{"bf16": 989 * 10**12}}, '
                f"got {shown(self.peak)}"
            )
        peak = {p: int(whole_number(f"peak[{p!r}]", rate)) for p, rate in self.peak.items()}
        object.__setattr__(self, "peak", MappingProxyType(peak))
        object.__setattr__(self, "bandwidth", int(whole_number("bandwidth", self.bandwidth)))
        for name in ("capacity", "vector"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, int(whole_number(name, value)))

    def rate(self, precision: str) -> int:
        """Return the FLOP/s of matrix products at a precision.

        Raises:
            ValueError: a precision for which no peak is known.

        >>> chip("H100 SXM").rate("int4")
        Traceback (most recent call last):
        ...
        ValueError: precision must be one of tf32, bf16, fp16, fp8, int8 on H100 SXM, got 'int4'
        """
        if precision not in self.peak:
            known = ", ".join(self.peak)
            raise ValueError(
                f"precision must be one of {known} on {self.name}, got {shown(precision)}"
            )
        return self.peak[precision]

    def balance(self, precision: str) -> Fraction:
        """Return the FLOPs for each byte at which computing takes as long as moving."""
        return Fraction(self.rate(precision), self.bandwidth)

    def __hash__(self) -> int:
        return hash((self.name, self.bandwidth, self.capacity, self.vector, *self.peak.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.bandwidth, self.capacity, self.vector, self.source, self.date)
        return Chip, (self.name, dict(self.peak), *fields)


def _tera(**rates: float) -> dict[str, int]:
    return {precision: round(rate * 1000) * GIGA for precision, rate in rates.items()}


def _giga(number: float) -> int:
    return round(number * 1000) * 10**6


_CHIPS = (
    Chip(
        "A100 SXM 80GB", _tera(tf32=156, bf16=312, fp16=312, int8=624),
        _giga(2039), 80 * GIGA, _giga(19_500),
        "NVIDIA A100 Tensor Core GPU data sheet", "2021-06",
    ),
    Chip(
        "H100 SXM", _tera(tf32=494.7, bf16=989.4, fp16=989.4, fp8=1978.9, int8=1978.9),
        _giga(3350), 80 * GIGA, _giga(66_900),
        "NVIDIA H100 Tensor Core GPU Architecture, and data sheet", "2022-11",
    ),
    Chip(
        "H200 SXM", _tera(tf32=494.7, bf16=989.4, fp16=989.4, fp8=1978.9, int8=1978.9),
        _giga(4800), 141 * GIGA, _giga(66_900),
        "NVIDIA H200 Tensor Core GPU data sheet", "2023-11",
    ),
    Chip(
        "L4", _tera(tf32=60, bf16=121, fp16=121, fp8=242.5, int8=242.5),
        _giga(300), 24 * GIGA, _giga(30_300),
        "NVIDIA L4 Tensor Core GPU data sheet, half of its rates with sparsity", "2023-03",
    ),
    Chip(
        "RTX 4090", _tera(tf32=82.6, bf16=165.2, fp16=165.2, fp8=330.3, int8=660.6),
        _giga(1008), 24 * GIGA, _giga(82_600),
        "NVIDIA Ada GPU Architecture, sums kept in fp32", "2022-09",
    ),
    Chip(
        "MI300X", _tera(tf32=653.7, bf16=1307.4, fp16=1307.4, fp8=2614.9, int8=2614.9),
        _giga(5300), 192 * GIGA, _giga(163_400),
        "AMD Instinct MI300X data sheet", "2023-12",
    ),
    Chip(
        "TPU v5e", _tera(bf16=197), _giga(819), 16 * GIGA, None,
        "Google Cloud TPU v5e documentation", "2023-08",
    ),
    Chip(
        "TPU v6e", _tera(bf16=918, int8=1836), _giga(1638), 32 * GIGA, None,
        "Google Cloud TPU v6e documentation", "2024-10",
    ),
)  # fmt: skip


def chips() -> Mapping[str, Chip]:
    """Return the chips by name.

    >>> "TPU v5e" in chips()
    True
    """
    return MappingProxyType({each.name: each for each in _CHIPS})


def chip(name: str) -> Chip:
    """Return a chip by its name.

    Raises:
        ValueError: no chip here is called that.

    >>> chip("H100 SXM").bandwidth
    3350000000000
    """
    found = chips().get(name) if isinstance(name, str) else None
    if found is None:
        near = difflib.get_close_matches(str(name), chips(), n=1, cutoff=0.3)
        hint = f"; is it {near[0]!r}?" if near else ""
        raise ValueError(
            f"no chip is called {shown(name)}{hint} There are {', '.join(chips())}; "
            f"one of your own is Chip(name, peak, bandwidth)"
        )
    return found
