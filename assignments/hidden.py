"""What the hidden tests ask: does an answer hold for this student?

The tests themselves contain no numbers. The expected ones come from the questions, and
the arguments for a student's function are drawn from a seed that the teacher keeps.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from assignments.question import Plain, Question, is_plain, same
from assignments.questions import load
from flopsbook.exercises.personal import as_python, folded, personal

#: What a student's function is called without.
OURS = ("flopslib", "flopsbook")
HERE = Path(__file__).resolve().parent
#: Gradescope writes beside the submission who has handed it in.
GRADESCOPE = HERE.parents[1] / "submission_metadata.json"


def seed() -> str:
    """Return the teacher's seed, or the repository's own where there is none."""
    files = (HERE / "seed", HERE / "test-seed")
    return next(file for file in files if file.exists()).read_text().strip()


def holds(
    name: str,
    answer: object,
    student: object,
    *,
    entry: int | None = None,
    condition: str | None = None,
) -> bool:
    """Return whether an answer is right.

    Args:
        name: The question, such as "layers-1".
        answer: What the student has: a value, or a function.
        student: The identifier that the notebook names.
        entry: Ask about one entry of a list alone.
        condition: Ask whether a design fulfils this condition.
    """
    if type(student) is not str or not _is_theirs(student):
        return False
    question = _question(name)
    if question.is_function:
        arguments = [*question.examples, *question.hidden_arguments(seed(), student)]
        return all(_returns(answer, given, question) for given in arguments)
    answer = as_python(answer)
    if not is_plain(answer):
        return False
    try:
        numbers = personal(name, student)
    except ValueError:  # nobody's identifier
        return False
    if condition is not None:
        return question.conditions[condition](answer, **numbers)
    expected = _right(name, folded(student))
    if entry is None:
        return same(answer, expected)
    return (
        type(answer) is list
        and len(answer) == len(expected)
        and same(answer[entry], expected[entry])
    )


@lru_cache(maxsize=64)
def _right(name: str, student: str) -> Plain:
    """Return the right value: several tests of a question ask for it, one for each entry."""
    return _question(name).right_answer(student)


def _question(name: str) -> Question:
    return next(q for q in load(name.rpartition("-")[0]) if q.name == name)


def _returns(function: Any, arguments: Mapping[str, Any], question: Question) -> bool:
    expected = question.expected(**deepcopy(dict(arguments)))
    try:
        with without_library(function):
            returned = function(**arguments)
        return same(returned, expected)
    except Exception:  # whatever a student's code does, it is not the right answer
        return False


@contextmanager
def without_library(function: object) -> Iterator[None]:
    """Take flopslib away from a function while it runs, as `make grade` does.

    It cannot be imported, and what a notebook has imported from it has no name. A student's
    own numbers stay.
    """
    names = getattr(function, "__globals__", {})
    taken = {name: thing for name, thing in names.items() if _is_of_library(thing)}
    modules = {name: there for name, there in sys.modules.items() if name.split(".")[0] in OURS}
    try:
        for name in taken:
            del names[name]
        sys.modules.update(dict.fromkeys(modules))  # type: ignore[arg-type]
        yield
    finally:
        sys.modules.update(modules)
        names.update(taken)


def _is_of_library(thing: object) -> bool:
    """Whether a module, a function, a class or an object comes from our packages."""
    if type(thing) is ModuleType:
        module = thing.__name__
    elif type(thing) in (FunctionType, type):
        module = str(thing.__module__)
    else:
        module = str(type(thing).__module__)
    return module.split(".")[0] in OURS and module != personal.__module__


def _is_theirs(student: str) -> bool:
    """Whether an identifier belongs to one who has handed in, where Gradescope says who that is."""
    if not GRADESCOPE.exists():
        return True
    users = json.loads(GRADESCOPE.read_text()).get("users", [])
    known = {folded(str(user[key])) for user in users for key in ("email", "sid") if key in user}
    return not known or folded(student) in known
