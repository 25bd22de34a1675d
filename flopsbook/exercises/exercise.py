"""How an exercise is declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from flopsbook.exercises.kinds import Kind

__all__ = ["Exercise", "Mistake", "Question"]


def once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that computes an answer once, however often it is asked for.

    A function that is the answer itself, and so takes arguments, is returned as it is.

    >>> once(len) is len, once(lambda: 6)()
    (True, 6)
    """
    return function if inspect.signature(function).parameters else cache(function)


@dataclass(frozen=True)
class Mistake:
    """A usual mistake: what it gives, and what to say about it.

    Attributes:
        name: a few words, unlike those of the question's other mistakes.
        gives: a callable that returns the wrong answer; where a function is asked for,
            the wrong function itself.
        sentence: what is wrong, without the right answer.
        times: the wrong answer over the right one, if the sentence names it; a test compares.
    """

    name: str
    gives: Callable[..., Any]
    sentence: str
    times: Fraction | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "gives", once(self.gives))


@dataclass(frozen=True, kw_only=True)
class Question:
    """One answer that is asked for.

    Attributes:
        asks: what it is, as in "the MACs of the layer".
        kind: how it is read and compared.
        expected: a callable that computes the right answer with the library; where a
            function is asked for, the right function itself.
        mistakes: the usual ones.
        coincide: names of mistakes that give the same wrong answer here. Any others have
            to differ, and a test says so.
    """

    asks: str
    kind: Kind
    expected: Callable[..., Any]
    mistakes: tuple[Mistake, ...] = ()
    coincide: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "expected", once(self.expected))

    def fitting(self, value: Any) -> list[Mistake]:
        """Return the mistakes that give a read value."""
        return [mistake for mistake in self.mistakes if self.kind.agrees(value, mistake.gives)]


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """An exercise of a chapter; its number is its place in the chapter's tuple.

    Attributes:
        label: its label in the notebook.
        questions: what it asks for, in order; mostly one.
        worth_knowing: what is said after a right answer.
        hints: from a nudge to all but the answer.
    """

    label: str
    questions: tuple[Question, ...]
    worth_knowing: str
    hints: tuple[str, ...]
