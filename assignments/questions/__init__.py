"""The questions of the problem sets: what each asks, and how the library answers it."""

from importlib import import_module

from assignments.question import Question

SETS = ("layers", "transformers", "networks", "training", "serving")


def load(set_name: str) -> tuple[Question, ...]:
    """Return the questions of a set that a program grades.

    Raises:
        ValueError: There is no such set.
    """
    if set_name not in SETS:
        raise ValueError(f"set_name must be one of {', '.join(SETS)}, got {set_name!r}")
    questions: tuple[Question, ...] = import_module(f"{__name__}.{set_name}").QUESTIONS
    return questions
