"""A figure as somebody quotes it: its value, and how many of its digits are meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flopslib.sizes.checks import shown

__all__ = ["Quoted", "quoted"]

POWERS = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9, "B": 9, "T": 12, "P": 15, "E": 18}
POWERS |= {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
WORDS = (
    r"(?:FLOP|FLOPs|FLOPS|flop|flops|MAC|MACs|Mac|Macs|macs|mult-adds|MAdds|ops|params|parameters)"
)
WRITTEN = re.compile(
    r"(?P<whole>[0-9]+|[0-9]{1,3}(?:[,_ ][0-9]{3})+)(?:\.(?P<part>[0-9]+))?"
    r"\s*(?:[eE]\+?(?P<power>[0-9]+)|[·×x*]\s*10\s*(?:\^|\*\*)?\s*(?P<raised>[0-9⁰¹²³⁴⁵⁶⁷⁸⁹]+))?"
    rf"\s*(?P<unit>[kKMGBTPE]|thousand|million|billion|trillion)?\s*{WORDS}?"
)
EXAMPLES = "'4.1G', '24.6 GFLOPs', '3.8e9', '3.8·10^9' or '8,178,368,512'"


@dataclass(frozen=True)
class Quoted:
    """A figure of so many digits.

    Attributes:
        written: how it was quoted.
        value: the number.
        unit: what one unit of its last digit is worth.

    >>> quoted("24.6 GFLOPs").unit, quoted("24.6 GFLOPs").digits
    (Fraction(100000000, 1), 3)
    """

    written: str
    value: Fraction
    unit: Fraction

    @property
    def digits(self) -> int:
        """How many digits there are, leading zeros apart."""
        return len(str(int(self.value / self.unit)))

    @property
    def is_exact(self) -> bool:
        """Whether the last digit stands for single operations, or for less."""
        return self.unit <= 1

    def holds(self, value: Any) -> bool:
        """Say whether a number is this one, to half a unit of the last digit.

        >>> quoted("4.1G").holds(4_089_184_256), quoted("4.08G").holds(4_089_184_256)
        (True, False)
        """
        if self.is_exact:
            return bool(value == self.value)
        return bool(2 * abs(self.value - value) <= self.unit)

    def cuts(self, value: Any) -> bool:
        """Say whether a number is this one where what follows is cut off.

        >>> quoted("3.8G").cuts(3_857_973_248)
        True
        """
        return not self.is_exact and bool(0 <= value - self.value < self.unit)

    def rounded(self) -> Quoted | None:
        """Return a number that ends in three or more zeros as one of fewer digits.

        >>> quoted(4_100_000_000).rounded().digits, quoted(4_089_184_256).rounded()
        (2, None)
        """
        if self.unit != 1:
            return None
        zeros = len(str(int(self.value))) - len(str(int(self.value)).rstrip("0"))
        return Quoted(self.written, self.value, Fraction(10**zeros)) if zeros >= 3 else None

    @classmethod
    def of(cls, value: Any, digits: int) -> Quoted:
        """Round a number to so many digits, as it would be quoted.

        >>> Quoted.of(4_089_184_256, 2)
        Quoted(written='4.1 G', value=Fraction(4100000000, 1), unit=Fraction(100000000, 1))
        """
        number = Fraction(value)
        unit = Fraction(10) ** (len(str(int(number))) - digits)
        units = (2 * number + unit) // (2 * unit)  # halves are rounded up, as by hand
        rounded = units * unit
        letter, power = max(
            ((k, v) for k, v in {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}.items()
             if rounded >= 10**v or not v),
            key=lambda pair: pair[1],
        )  # fmt: skip
        places = max(0, digits - len(str(int(rounded / 10**power))))
        return cls(f"{float(rounded / 10**power):.{places}f} {letter}".strip(), rounded, unit)


def quoted(figure: Any) -> Quoted:
    """Read a figure that somebody quotes.

    Raises:
        ValueError: a text that is no positive figure; the message shows what would be.
        TypeError: neither text nor an integer.

    >>> int(quoted("3.8·10^9").value), int(quoted("4.1 GMACs").value), int(quoted("17").value)
    (3800000000, 4100000000, 17)
    >>> quoted("-3G")
    Traceback (most recent call last):
    ...
    ValueError: figure must be a positive number such as '4.1G', '24.6 GFLOPs', '3.8e9', \
'3.8·10^9' or '8,178,368,512', got '-3G'
    """
    if isinstance(figure, bool) or not isinstance(figure, (str, int)):
        raise TypeError(
            f"figure must be an integer, or text such as {EXAMPLES}, got {shown(figure)}"
        )
    found = WRITTEN.fullmatch(str(figure).strip())
    read = _read(**found.groupdict(default="")) if found else None
    if read is None or read[0] <= 0:
        raise ValueError(
            f"figure must be a positive number such as {EXAMPLES}, got {shown(figure)}"
        )
    return Quoted(str(figure).strip(), *read)


def _read(
    whole: str, part: str, power: str, raised: str, unit: str
) -> tuple[Fraction, Fraction] | None:
    exponent = int((power or raised or "0").translate(SUPERSCRIPTS)[:3]) + POWERS[unit]
    digits = re.sub("[,_ ]", "", whole) + part
    if exponent > 99 or len(digits) > 99:
        return None
    last = Fraction(10) ** (exponent - len(part))
    return int(digits) * last, last
