# ruff: noqa: D102  the docstring of the module, and Kind, say what the four methods do
"""The kinds of answers: how each is read, compared, and said to be off.

A kind has four methods:

- ``read(answer)`` returns a plain value, or raises :class:`Unreadable` with a sentence;
- ``agrees(value, declared)``: is a read value what a declaration of the catalogue gives?
- ``off(value, expected)``: how far off it is, in one sentence;
- ``sample(declared)``: the answer that a reader would type who thinks what is declared.

What is *declared* is the right answer or a mistake: a callable without arguments, and
where a function is asked for, that function itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flopsbook.exercises import algebra
from flopsbook.exercises.reading import read_number, read_whole
from flopsbook.exercises.showing import (
    Unreadable,
    is_sympy,
    not_a_number,
    shown,
)

__all__ = ["Amount", "Expression", "Function", "Kind", "OneDigit", "Ratio", "Whole", "Word"]

Declared = Callable[..., Any]


class Kind:
    """What all kinds share: a declaration is called, and gives what it stands for."""

    @property
    def form(self) -> str:
        """What is asked for, as in "please give a whole number"."""
        raise NotImplementedError

    def read(self, answer: object) -> Any:
        """Read an answer into a plain value."""
        raise NotImplementedError

    def agrees(self, value: Any, declared: Declared) -> bool:
        """Return whether a read value is what is declared."""
        raise NotImplementedError

    def off(self, value: Any, expected: Declared) -> str:
        """Say how far off a read value is."""
        return too_large_or_small(Fraction(value), Fraction(expected()))

    def sample(self, declared: Declared) -> Any:
        """Return the answer of a reader who thinks what is declared."""
        return declared()

    def reveal(self, expected: Declared) -> str:
        """Return the figure to the last digit: nothing, where the answer had it already."""
        return ""


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number, to the last digit."""

    form: str = "a whole number"

    def read(self, answer: object) -> int:
        return read_whole(answer, self.form)

    def agrees(self, value: int, declared: Declared) -> bool:
        return value == int(declared())


@dataclass(frozen=True)
class OneDigit(Kind):
    """A number that rounds to the right leading digit, with the right number of digits after it.

    >>> OneDigit().agrees(OneDigit().read(4e7), lambda: 44_236_800)
    True
    """

    form: str = "a number, of which one digit is enough"

    def read(self, answer: object) -> Fraction:
        return read_number(answer, self.form)

    def agrees(self, value: Fraction, declared: Declared) -> bool:
        return leading(value) == leading(Fraction(declared()))

    def reveal(self, expected: Declared) -> str:
        right = Fraction(expected())
        if right.denominator == 1:
            return f"{right.numerator:,}"
        return f"{right}, about {float(right):.3g}"


@dataclass(frozen=True)
class Ratio(Kind):
    """A ratio, within a share of its value; not a percentage.

    >>> Ratio().agrees(Ratio().read(0.333), lambda: Fraction(1, 3))
    True
    """

    within: Fraction = Fraction(1, 100)

    @property
    def form(self) -> str:
        return f"a ratio such as 0.5, to within {100 * float(self.within):.3g} %"

    def read(self, answer: object) -> Fraction:
        return read_number(answer, self.form)

    def agrees(self, value: Fraction, declared: Declared) -> bool:
        right = Fraction(declared())
        return abs(value - right) <= self.within * abs(right)

    def off(self, value: Fraction, expected: Declared) -> str:
        if self.agrees(value / 100, expected):
            return "That is a percentage; the question asks for the ratio itself."
        return super().off(value, expected)


@dataclass(frozen=True)
class Amount(Ratio):
    """An amount of anything, such as tokens or days, within a share of its value.

    >>> Amount().agrees(Amount().read(1.2e9), lambda: 1_195_000_000)
    True
    """

    @property
    def form(self) -> str:
        return f"a number such as 1.2e9, to within {100 * float(self.within):.3g} %"

    def off(self, value: Fraction, expected: Declared) -> str:
        return too_large_or_small(value, Fraction(expected()))


@dataclass(frozen=True)
class Word(Kind):
    """One of a few words, in either case."""

    choices: tuple[str, ...]

    @property
    def form(self) -> str:
        return "one of " + ", ".join(f'"{choice}"' for choice in self.choices)

    def read(self, answer: object) -> str:
        if type(answer) is not str:
            raise Unreadable(f"That is {shown(answer)}, and no word; please give {self.form}.")
        for choice in self.choices:
            if len(answer) < 99 and answer.strip().casefold() == choice.casefold():
                return choice
        raise Unreadable(f"{shown(answer)} is not among the answers; please give {self.form}.")

    def agrees(self, value: str, declared: Declared) -> bool:
        return value == str(declared())

    def off(self, value: str, expected: Declared) -> str:
        return f'"{value}" is not it.'


@dataclass(frozen=True)
class Expression(Kind):
    """A formula in some letters of the notation table, in any equal form."""

    letters: tuple[str, ...]

    @property
    def form(self) -> str:
        return f"a SymPy expression in the letters {', '.join(self.letters)}"

    def read(self, answer: object) -> Any:
        return algebra.read_expression(answer, self.letters)

    def agrees(self, value: Any, declared: Declared) -> bool:
        return algebra.equal(value, algebra.read_expression(declared(), self.letters))

    def off(self, value: Any, expected: Declared) -> str:
        right = algebra.read_expression(expected(), self.letters)
        there, wanted = algebra.letters_in(value), algebra.letters_in(right)
        if missing := [letter for letter in wanted if letter not in there]:
            return f"The answer depends on {' and '.join(missing)} too."
        if extra := [letter for letter in there if letter not in wanted]:
            return f"The answer does not depend on {' or '.join(extra)}."
        tried = [
            (sizes, algebra.value_at(value, sizes), algebra.value_at(right, sizes))
            for sizes in algebra.points(self.letters)
        ]
        finite = [(s, v, r) for s, v, r in tried if v is not None and r is not None]
        if not finite:
            return "It has no value for ordinary sizes."
        at = ", ".join(f"{letter} = {finite[0][0][letter]}" for letter in wanted)
        return _off_everywhere([v for _, v, _ in finite], [r for _, _, r in finite], f"With {at}")


@dataclass(frozen=True)
class Function(Kind):
    """A function of some sizes, called on many of them.

    Attributes:
        arguments: their names, in the order in which they are handed over.
        draw: takes a source of distinct sizes and returns the arguments, so that one may be
            a multiple of another, or a pair. None: each argument is a size.
        largest: the largest size that is drawn.
    """

    arguments: tuple[str, ...]
    draw: Callable[[Iterator[int]], tuple[Any, ...]] | None = None
    largest: int = 60

    @property
    def form(self) -> str:
        return f"a function of ({', '.join(self.arguments)}) that returns a whole number"

    def read(self, answer: object) -> Callable[..., int]:
        if not callable(answer) or is_sympy(answer):  # SymPy's letters can be called, too
            raise Unreadable(not_a_function(answer, self.form))
        function: Callable[..., Any] = answer

        def whole(*sizes: Any) -> int:
            return self._called(function, sizes)

        for sizes in self.grid():
            whole(*sizes)
        return whole

    def _called(self, function: Callable[..., Any], sizes: tuple[Any, ...]) -> int:
        call = f"`f({', '.join(map(str, sizes))})`"
        try:
            returned = function(*sizes)
        except Unreadable:
            raise
        except (Exception, SystemExit) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:120].replace("`", "'")
            raise Unreadable(f"Your function failed: {call} raised `{said}`.") from None
        try:
            return read_whole(returned, "a whole number")
        except Unreadable as problem:
            raise Unreadable(f"{call} returned something else than a count. {problem}") from None

    def grid(self) -> list[tuple[Any, ...]]:
        """Return the sizes that every answer is called on: distinct primes, always the same."""
        dice = random.Random(0)
        return [self._drawn(dice, algebra.PRIMES[:10]) for _ in range(12)]

    def fresh(self) -> list[tuple[Any, ...]]:
        """Return sizes that nobody could know before."""
        dice = random.SystemRandom()
        return [self._drawn(dice, range(2, self.largest)) for _ in range(8)]

    def _drawn(self, dice: random.Random, sizes: Sequence[int]) -> tuple[Any, ...]:
        distinct = iter(dice.sample(sizes, 10))
        if self.draw is not None:
            return self.draw(distinct)
        return tuple(next(distinct) for _ in self.arguments)

    def agrees(self, value: Callable[..., int], declared: Declared) -> bool:
        return self.differs_at(value, declared, self.grid() + self.fresh()) is None

    @staticmethod
    def differs_at(
        value: Callable[..., int], declared: Declared, grid: Sequence[tuple[Any, ...]]
    ) -> tuple[Any, ...] | None:
        """Return the first sizes at which two functions differ, or None."""
        for sizes in grid:
            if value(*sizes) != int(declared(*sizes)):
                return sizes
        return None

    def off(self, value: Callable[..., int], expected: Declared) -> str:
        grid = self.grid()
        right = [Fraction(int(expected(*sizes))) for sizes in grid]
        found = [Fraction(value(*sizes)) for sizes in grid]
        if found == right:
            return "It is right at some sizes and wrong at others, such as larger ones."
        wrong = next(at for at, (f, r) in enumerate(zip(found, right, strict=True)) if f != r)
        found, right = found[wrong:] + found[:wrong], right[wrong:] + right[:wrong]
        return _off_everywhere(found, right, f"`f({', '.join(map(str, grid[wrong]))})`")

    def sample(self, declared: Declared) -> Any:
        return declared


def not_a_function(answer: object, wanted: str) -> str:
    """Return the sentence for an answer that is no function."""
    if answer is ... or answer is None or type(answer) is str:
        return not_a_number(answer, wanted)
    return f"That is {shown(answer)}, and no function; please give {wanted}, and do not call it."


def leading(value: Fraction) -> tuple[int, int]:
    """Return the leading digit after rounding to one, and the power of ten that it stands at.

    >>> leading(Fraction(44_236_800)), leading(Fraction(96, 100))
    ((4, 7), (1, 0))
    """
    if value <= 0:
        return (0, 0)
    power = len(str(value.numerator)) - len(str(value.denominator))
    power -= value < Fraction(10) ** power
    digit = int(value / Fraction(10) ** power + Fraction(1, 2))
    return (digit, power) if digit < 10 else (1, power + 1)


def too_large_or_small(value: Fraction, right: Fraction) -> str:
    """Say by what factor a value is off, to three digits, or how large it is at least.

    >>> too_large_or_small(Fraction(30), Fraction(10)), too_large_or_small(Fraction(3), Fraction(8))
    ('It is exactly 3 times too large.', 'It is 2.67 times too small.')
    >>> too_large_or_small(Fraction(1), Fraction(960))
    'It is more than a hundred times too small.'
    """
    if value < 0 < right:
        return "It is negative, and that cannot be."
    if value == 0 or right == 0:
        return f"It is too {'small' if value < right else 'large'}."
    factor, way = (value / right, "large") if value > right else (right / value, "small")
    if factor < Fraction(101, 100):
        return f"It is close, but a little too {way}: by less than a hundredth."
    for much, words in ((10**6, "a million"), (1000, "a thousand"), (100, "a hundred")):
        if factor > much:  # a factor to the last digit would give the answer away
            return f"It is more than {words} times too {way}."
    if factor.denominator == 1:
        return f"It is exactly {factor} times too {way}."
    return f"It is {float(factor):.{2 if factor < 10 else 1}f} times too {way}."


def _off_everywhere(found: Sequence[Fraction], right: Sequence[Fraction], where: str) -> str:
    """Say how far off values are: by one factor everywhere, or at the first."""
    if 0 not in right and 0 not in found and len({f / r for f, r in zip(found, right)}) == 1:  # noqa: B905
        return too_large_or_small(found[0], right[0])
    sentence = too_large_or_small(found[0], right[0]).removeprefix("It ")
    return f"{where} {'it ' if where.startswith('With') else ''}{sentence}"
