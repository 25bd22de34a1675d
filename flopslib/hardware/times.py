"""Two bounds of the time that a computation takes on a chip, and how near a kernel comes.

Both are bounds from below. *Step by step*, each step goes to memory and back by itself, and
takes as long as the slowest of its three needs: products, other operations, bytes. *As a whole*
everything is fused and overlaps, and the slowest of the three totals decides. A program that
fuses some of its steps is between the two, less whatever its kernels miss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flopslib.hardware.data_sheets import Chip
from flopslib.sizes.checks import shown
from flopslib.sizes.exact import is_array, is_expression
from flopslib.traffic.passes import Pass, Traffic, traffic
from flopslib.traffic.widths import BF16, Widths

__all__ = ["Bounds", "Span", "bounds", "mbu", "mfu"]


@dataclass(frozen=True)
class Span:
    """How long a computation takes at least, by what it needs.

    Attributes:
        products: seconds of matrix products at the peak.
        other: seconds of other operations at the peak of the vector units; None: not known.
        memory: seconds of moving its bytes.
    """

    products: Any
    other: Any
    memory: Any

    @property
    def seconds(self) -> Any:
        """The longest of them, since they can overlap."""
        known = [each for each in (self.products, self.other, self.memory) if each is not None]
        return _longest(known)

    @property
    def bound_by(self) -> str:
        """What takes longest, "products", "other" or "memory"."""
        if is_array(self.seconds):
            raise ValueError("bound_by is for one computation, and this is a sweep of them")
        return next(name for name in NEEDS if getattr(self, name) == self.seconds)


NEEDS = ("memory", "products", "other")


@dataclass(frozen=True)
class Bounds:
    """Two bounds from below of the time that a computation takes.

    Attributes:
        chip: the chip.
        precision: the precision of the products.
        steps: each step by itself, with its name.
        whole: all of it fused.
    """

    chip: Chip
    precision: str
    steps: tuple[tuple[str, Span], ...]
    whole: Span

    @property
    def step_by_step(self) -> Any:
        """The seconds of all steps, each by itself, which is a sum of maxima with unfused bytes."""
        return sum((span.seconds for _, span in self.steps), start=Fraction(0))

    @property
    def at_once(self) -> Any:
        """The seconds of the whole, which is a maximum of totals with fused bytes."""
        return self.whole.seconds

    @property
    def without(self) -> str:
        """What is left out because no data sheet says it, and empty if nothing is."""
        return "" if self.chip.vector else "operations outside of the products"

    def __repr__(self) -> str:
        left_out = f", without {self.without}" if self.without else ""
        return (
            f"Bounds on {self.chip.name}, {self.precision}: "
            f"{float(self.step_by_step):.3g} s step by step, "
            f"{float(self.at_once):.3g} s as a whole{left_out}"
        )


def bounds(derivation: Any, chip: Chip, precision: str = "bf16", widths: Widths = BF16) -> Bounds:
    """Return two bounds from below of the time that a computation takes on a chip.

    2·MACs are done at the peak of the matrix units, every other operation as one at that of
    the vector units, where the data sheet has one.

    Args:
        derivation: a derivation.
        chip: the chip.
        precision: that of the products, which has to have a peak on the chip.
        widths: the bits of a number, by role.

    Raises:
        TypeError: no derivation, no chip; letters, which have no time.
        ValueError: a precision without a peak, a step that does not say what it reads.

    >>> from flopslib import linear
    >>> from flopslib.hardware import chip
    >>> found = bounds(linear(4096, 4096, bias=False), chip("H100 SXM"))
    >>> found.whole.bound_by, f"{float(found.at_once) * 1e6:.1f} µs"
    ('memory', '10.0 µs')
    """
    if not isinstance(chip, Chip):
        raise TypeError(f"chip must be a Chip such as chip('H100 SXM'), got {shown(chip)}")
    alone, fused = (traffic(derivation, widths, fused=whole) for whole in (False, True))
    if is_expression(alone.bytes):
        raise TypeError("bounds are for numbers: a formula has no time until its sizes are given")
    rate = chip.rate(precision)
    steps = tuple((each.name, _span(each, chip, rate)) for each in alone.passes)
    return Bounds(chip, precision, steps, _span(fused, chip, rate))


def _span(moved: Pass | Traffic, chip: Chip, rate: int) -> Span:
    other = None if chip.vector is None else _seconds(moved.other, chip.vector)
    return Span(_seconds(moved.flops, rate), other, _seconds(moved.bytes, chip.bandwidth))


def _seconds(amount: Any, rate: int) -> Any:
    return amount / rate if is_array(amount) else Fraction(amount, rate)


def _longest(times: Iterable[Any]) -> Any:
    times = list(times)
    if not any(is_array(each) for each in times):
        return max(times)
    import numpy

    longest = times[0]
    for each in times[1:]:
        longest = numpy.maximum(longest, each)
    return longest


def mfu(flops: Any, seconds: Any, chip: Chip, precision: str = "bf16") -> float:
    """Return the model FLOPs utilisation: the share of the peak that a measured time makes.

    Args:
        flops: what the model needs, as counted; never what a program performs besides.
        seconds: the time that was measured.
        chip: the chip that it was measured on.
        precision: that of the products.

    Raises:
        ValueError: a time that is not positive.

    >>> from flopslib.hardware import chip
    >>> round(mfu(14_287_896_576, 0.006, chip("H100 SXM")), 4)
    0.0024
    """
    return float(flops / _measured(seconds) / chip.rate(precision))


def mbu(bytes: Any, seconds: Any, chip: Chip) -> float:
    """Return the memory bandwidth utilisation: the share of the bandwidth that is used.

    Args:
        bytes: what has to be moved, such as the weights and the cache of a token.
        seconds: the time that was measured.
        chip: the chip that it was measured on.

    Raises:
        ValueError: a time that is not positive.

    >>> from flopslib.hardware import chip
    >>> round(mbu(14_288_429_056, 0.006, chip("H100 SXM")), 2)
    0.71
    """
    return float(bytes / _measured(seconds) / chip.bandwidth)


def _measured(seconds: Any) -> Any:
    if not seconds > 0:
        raise ValueError(f"seconds must be a positive time, got {shown(seconds)}")
    return seconds
