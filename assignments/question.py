"""What one question asks, and what its answer has to be.

A set's questions are the one place that knows the expected answers. The hidden tests of
the master notebook, the zip for Gradescope and `make grade` all ask them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any

from flopsbook.exercises.exercise import Mistake
from flopsbook.exercises.personal import as_python, folded, personal

Plain = int | str | list[Any]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question that a program grades.

    Args:
        name: The set and a number: "layers-1". `personal` knows its numbers by this name.
        answer: The variable, or the function, that a student defines: "layers_1".
        expected: What is right: a function of the student's numbers, or, where a function
            is asked for, of that function's arguments. Plain data: integers, text, lists.
            Where many answers are right, one of them.
        examples: Arguments that the statement itself shows, for a question that asks for
            a function.
        draw: Draws hidden arguments for a function; None where a value is asked for.
        draws: How many are drawn.
        conditions: What a design has to fulfil, for a question to which many answers are
            right: a function of the answer and of the student's numbers for each name.
            Such a function is given plain data, and nothing else is known about it.
        mistakes: The usual ones; what each gives is a function of the same arguments as
            `expected`. They take no points away: they tell a teacher what a class has not
            understood.
    """

    name: str
    answer: str
    expected: Callable[..., Plain]
    examples: tuple[Mapping[str, Any], ...] = ()
    draw: Callable[[Random], Mapping[str, Any]] | None = None
    draws: int = 5
    conditions: Mapping[str, Callable[..., bool]] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()

    @property
    def is_function(self) -> bool:
        """Whether a function is asked for, rather than a value."""
        return self.draw is not None

    def right_answer(self, student: str) -> Plain:
        """Return the value that this student has to find."""
        return self.expected(**personal(self.name, student))

    def hidden_arguments(self, seed: str, student: str) -> list[Mapping[str, Any]]:
        """Return the arguments that only who holds the seed can know."""
        if self.draw is None:
            return []
        digest = sha256(f"{seed}\n{self.name}\n{folded(student)}".encode()).hexdigest()
        random = Random(digest)
        return [self.draw(random) for _ in range(self.draws)]


def recognised(
    question: Question, cases: Sequence[tuple[Mapping[str, Any], object]]
) -> list[Mistake]:
    """Return the usual mistakes that a wrong answer shows.

    Args:
        question: What was asked.
        cases: (arguments, what was found for them) pairs: one with a student's numbers where a
            value is asked for, or one for each call of a function.

    A mistake shows in a list if one of its entries is what the mistake gives; in the results of
    a function, if all of them are.
    """
    cases = [(given, found) for given, found in cases]
    right = [question.expected(**given) for given, _ in cases]
    answers = [as_python(found) for _, found in cases]
    if not question.is_function:
        (answer,), (expected,) = answers, right
        if not isinstance(answer, list) or not isinstance(expected, list):
            return []
        if len(answer) != len(expected):
            return []
        answers, right = answer, expected
    if all(map(same, answers, right)):
        return []
    found = []
    for mistake in question.mistakes:
        gives = [mistake.gives(**given) for given, _ in cases]
        gives = gives if question.is_function else gives[0]
        shows = [
            same(one, wrong) and not same(wrong, good)
            for one, wrong, good in zip(answers, gives, right, strict=True)
        ]
        kept = all(map(same, answers, gives)) if question.is_function else True
        if any(shows) and kept:
            found.append(mistake)
    return found


def same(found: object, expected: Plain) -> bool:
    """Return whether an answer is the expected one, in type and in value.

    Not `==`: an object of a student's own class may equal everything, True equals 1, and
    1.0 equals 1. Whole numbers of NumPy and SymPy are as good as Python's own.

    >>> same(6, 6), same(6.0, 6), same(True, 1), same([1, "a"], [1, "a"])
    (True, False, False, True)
    """
    found = as_python(found)
    if type(found) is not type(expected):
        return False
    if type(found) is list:
        return len(found) == len(expected) and all(map(same, found, expected))
    return type(found) in (int, str) and found == expected


def is_plain(found: object) -> bool:
    """Return whether something is made of integers, text and lists alone.

    >>> is_plain([1, ["a"]]), is_plain([True]), is_plain(...)
    (True, False, False)
    """
    if type(found) is list:
        return all(map(is_plain, found))
    return type(found) in (int, str)
