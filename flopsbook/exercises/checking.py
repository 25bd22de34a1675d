"""Checking an answer, giving a hint, and listing what can be checked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import TYPE_CHECKING, Any

from flopsbook.exercises import catalogue
from flopsbook.exercises.exercise import Exercise, Question
from flopsbook.exercises.showing import Unreadable, shown
from flopsbook.exercises.verdict import Hint, Verdict

if TYPE_CHECKING:
    from flopsbook.tables import Table

__all__ = ["check", "exercises", "hint"]

#: For each exercise, the last hint that was given in this process.
_given: dict[str, int] = {}


def check(exercise: str, *answers: object) -> Verdict:
    """Check an answer to an exercise of the book.

    Args:
        exercise: its id, such as ``"conv2d-3"``: the chapter and the place in it; or its label.
        answers: the answer, or several where several are asked for, as a tuple if you like.

    Returns:
        The verdict, right, or what is likely to have gone wrong. Nothing is raised, whatever
        the answer is.

    >>> check("conv2d-1", 90_000_000)
    Not yet. That is exactly double: you counted FLOPs, and MACs are asked
    for; a multiplication and its addition are one MAC.
    >>> check("conv2d-1", "forty million")
    Not yet. `'forty million'` is text in quotes; please give a number, of
    which one digit is enough, without quotes.
    >>> check("conv2d-1", 4e7).right
    True
    """
    try:
        key, found = found_exercise(exercise)
        values = _values(key, found, answers)
    except Unreadable as problem:
        return Verdict(False, f"Not yet. {problem}")
    return verdict_on(found, values)


def hint(exercise: str, step: int | None = None) -> Hint:
    """Give the next hint for an exercise, or a certain one.

    Args:
        exercise: its id, such as ``"conv2d-3"``, or its label.
        step: which hint, from 1; None: the next one.

    >>> hint("conv2d-1", step=1)
    Hint 1 of 2. One output pixel is a dot product over the window: how many
    terms has it?
    """
    try:
        key, found = found_exercise(exercise)
    except Unreadable as problem:
        return Hint(f"No hint. {problem}")
    hints = found.hints
    if step is None:
        step = _given.get(key, 0) + 1
    elif type(step) is not int or step < 1:
        return Hint(f"No hint. `step` counts from 1, and {shown(step)} is no such number.")
    if step > len(hints):
        return Hint(
            f"No more hints. That was the last of {len(hints)}; "
            f'`hint("{key}", step=1)` gives the first again.'
        )
    _given[key] = step
    return Hint(f"Hint {step} of {len(hints)}. {hints[step - 1]}")


def exercises(chapter: str | None = None) -> Table:
    """Return a table of the exercises that can be checked, and what each asks for.

    Args:
        chapter: a chapter's name, such as ``"conv2d"``; None: all of them.

    Raises:
        ValueError: there is no such chapter.
    """
    from flopsbook.tables import Table

    known = catalogue.chapters()
    chapter = chapter.replace("-", "_") if isinstance(chapter, str) else chapter
    if chapter is not None and chapter not in known:
        raise ValueError(f"chapter must be one of {', '.join(known)}, got {chapter!r}")
    rows = [
        [f"`{name}-{number}`", "; ".join(question.asks for question in exercise.questions)]
        for name in ([chapter] if chapter else known)
        for number, exercise in enumerate(catalogue.chapter(name), start=1)
    ]
    return Table(["exercise", "asks for"], rows)


def found_exercise(key: object) -> tuple[str, Exercise]:
    """Return an exercise and its id, or say that there is none."""
    if type(key) is not str:
        raise Unreadable(
            f'{shown(key)} is not the name of an exercise, which looks like `"conv2d-3"`.'
        )
    if found := catalogue.find(key):
        return found
    near = " or ".join(f'`"{name}"`' for name in catalogue.near(key))
    where = f"did you mean one like {near}?" if near else "`exercises()` lists them all."
    raise Unreadable(f"There is no exercise {shown(key)}; {where}")


def _values(key: str, exercise: Exercise, answers: tuple[object, ...]) -> list[Any]:
    """Read the answers, or say which of them cannot be read."""
    questions = exercise.questions
    if len(answers) == 1 and len(questions) > 1 and type(answers[0]) in (tuple, list):
        answers = tuple(answers[0])  # type: ignore[arg-type]  # exactly a tuple or a list
    if not answers:
        raise Unreadable(f'Your answer is missing: `check("{key}", answer)`.')
    if len(answers) != len(questions):
        asks = "; ".join(question.asks for question in questions)
        few = "one answer" if len(questions) == 1 else f"{len(questions)} answers, in this order"
        raise Unreadable(f"{key} asks for {few}: {asks}. You gave {len(answers)}.")
    return [
        named(question, questions, question.kind.read, answer)
        for question, answer in zip(questions, answers, strict=True)
    ]


def named(
    question: Question, questions: tuple[Question, ...], read: Callable[[Any], Any], answer: Any
) -> Any:
    """Read an answer; one of several that cannot be read is named."""
    try:
        return read(answer)
    except Unreadable as problem:
        where = f"{_capital(question.asks)}: " if len(questions) > 1 else ""
        raise Unreadable(f"{where}{problem}") from None


def verdict_on(exercise: Exercise, values: list[Any]) -> Verdict:
    """Judge answers that have been read."""
    questions = exercise.questions
    right = [
        question.kind.agrees(value, question.expected)
        for question, value in zip(questions, values, strict=True)
    ]
    if all(right):
        return Verdict(True, f"Right. {_revealed(questions)}{exercise.worth_knowing}")
    if len(questions) == 1:
        return Verdict(False, f"Not yet. {_what_went_wrong(questions[0], values[0])}")
    if not any(right) and _swapped(questions, values):
        return Verdict(False, "Not yet. These are the right answers, in the wrong order.")
    said = [
        f"{_capital(question.asks)}: "
        + ("right." if is_right else _what_went_wrong(question, value))
        for question, value, is_right in zip(questions, values, right, strict=True)
    ]
    return Verdict(False, f"Not yet. {' '.join(said)}")


def _revealed(questions: tuple[Question, ...]) -> str:
    """Say in one sentence what the rounded answers are to the last digit, if any was rounded."""
    figures = [
        (q.asks.removesuffix(", to one digit"), q.kind.reveal(q.expected)) for q in questions
    ]
    exact = [(asks, figure) for asks, figure in figures if figure]
    if len(exact) > 1:
        listed = " and ".join(f"{figure} ({asks})" for asks, figure in exact)
        return f"To the last digit: {listed}. "
    return f"To the last digit it is {exact[0][1]}. " if exact else ""


def _what_went_wrong(question: Question, value: Any) -> str:
    fitting = question.fitting(value)
    if not fitting:
        return f"{question.kind.off(value, question.expected)} No usual mistake gives this."
    if len(fitting) == 1:
        return fitting[0].sentence
    listed = " ".join(f"({n}) {mistake.sentence}" for n, mistake in enumerate(fitting, start=1))
    return f"Several mistakes give this, and only you can know which was yours: {listed}"


def _swapped(questions: tuple[Question, ...], values: list[Any]) -> bool:
    if len({question.kind for question in questions}) > 1:
        return False
    return any(
        all(q.kind.agrees(v, q.expected) for q, v in zip(questions, order, strict=True))
        for order in permutations(values)
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
