"""Stand-ins for sizes: they note what is done to them, and are taken for valid ones."""

from __future__ import annotations

from typing import Any

__all__ = ["Trace", "Traced", "code"]


class Trace:
    """The notes: one line of Python for each operation, no operation twice."""

    def __init__(self) -> None:
        """Begin with an empty page."""
        self.lines: dict[str, str] = {}

    def number(self, expression: str) -> Traced:
        """Return the stand-in for an expression, noting it where it is new."""
        return Traced(self, self.lines.setdefault(expression, f"t{len(self.lines)}"))


class Traced:
    """A stand-in for a positive whole number that notes what is done to it."""

    __slots__ = ("code", "trace")

    def __init__(self, trace: Trace, code: str) -> None:
        """Take the page to write to, and the name of this number."""
        self.trace = trace
        self.code = code

    def _note(self, left: Any, sign: str, right: Any) -> Any:
        return self.trace.number(f"{code(left)} {sign} {code(right)}")

    def __add__(self, other: Any) -> Any:
        """Note a sum, unless nothing is added."""
        return self if _is(other, 0) else self._note(self, "+", other)

    def __radd__(self, other: Any) -> Any:
        """Note a sum, unless nothing is added."""
        return self + other

    def __sub__(self, other: Any) -> Any:
        """Note a difference, unless it is one to itself."""
        return 0 if code(self) == code(other) else self._note(self, "-", other)

    def __rsub__(self, other: Any) -> Any:
        """Note a difference."""
        return self._note(other, "-", self)

    def __mul__(self, other: Any) -> Any:
        """Note a product, unless one factor is 1 or 0."""
        if _is(other, 0):
            return 0
        return self if _is(other, 1) else self._note(self, "*", other)

    def __rmul__(self, other: Any) -> Any:
        """Note a product, unless one factor is 1 or 0."""
        return self * other

    def __divmod__(self, other: Any) -> tuple[Any, int]:
        """Note an exact division; it is checked whenever the note is run."""
        return self.trace.number(f"integer_quotient({code(self)}, {code(other)})"), 0

    def __rdivmod__(self, other: Any) -> tuple[Any, int]:
        """Note an exact division; it is checked whenever the note is run."""
        return self.trace.number(f"integer_quotient({code(other)}, {code(self)})"), 0

    def smaller(self, other: Any) -> Any:
        """Note which of two is the smaller, to be found whenever the note is run."""
        return self.trace.number(f"min({code(self)}, {code(other)})")

    def __lt__(self, other: Any) -> bool:
        """Say no: whoever gave the size has checked that it is not too small."""
        return False


def _is(value: Any, number: int) -> bool:
    return isinstance(value, int) and value == number


def code(value: Any) -> str:
    """Write a number as Python: the name of a stand-in, or the digits."""
    return value.code if isinstance(value, Traced) else repr(value)
