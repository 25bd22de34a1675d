"""Answers that are typed into a box of a page, read as the Python that they are.

A notebook hands :func:`~flopsbook.exercises.check` values; a box has text. Here the text becomes
the value that the same text has in a notebook, and the same checker judges it.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from flopsbook.exercises.checking import found_exercise, named, verdict_on
from flopsbook.exercises.kinds import Expression, Function, Kind, Word
from flopsbook.exercises.showing import Unreadable, shown
from flopsbook.exercises.verdict import Verdict

__all__ = ["check_typed", "value_of"]

#: No answer of the book is near this, and Python would read for ever.
LONGEST = 4000

#: What people type, and what Python calls it.
SIGNS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "−": "-", "–": "-", "÷": "/", "\xa0": " "})
GROUPED = re.compile(r"\d{1,3}(?:([,\u2009\u202f ])\d{3})(?:\1\d{3})*(?!\d)")


def check_typed(
    exercise: str, texts: Sequence[str], names: Mapping[str, Any] | None = None
) -> Verdict:
    """Check answers that were typed into a box, one text for each question.

    Args:
        exercise: the exercise's id, such as ``"conv2d-3"``.
        texts: the answers as they were typed, in order.
        names: the values of names that an answer may use, beside those of the library.

    >>> check_typed("conv2d-1", ["40,000,000"]).right
    True
    >>> check_typed("conv2d-1", ["forty million"])
    Not yet. `forty million` is nothing that Python can read; please give a
    number, of which one digit is enough.
    """
    try:
        key, found = found_exercise(exercise)
        questions = found.questions
        if len(texts) != len(questions):
            raise Unreadable(f"{key} asks for {len(questions)} answers, and got {len(texts)}.")
        values = [
            named(question, questions, partial(_read, question.kind, names or {}), text)
            for question, text in zip(questions, texts, strict=True)
        ]
    except Unreadable as problem:
        return Verdict(False, f"Not yet. {problem}")
    return verdict_on(found, values)


def _read(kind: Kind, names: Mapping[str, Any], text: str) -> Any:
    return kind.read(value_of(kind, text, names))


def value_of(kind: Kind, text: str, names: Mapping[str, Any]) -> Any:
    """Return the value of a typed answer, not yet judged by its kind.

    Raises:
        Unreadable: there is no such value; the message is a sentence for the reader.

    >>> from flopsbook.exercises.kinds import Whole
    >>> value_of(Whole(), "2 × 1,024^2", {})
    2097152
    """
    if not text.strip():
        raise Unreadable(f"Your answer is missing; please give {kind.form}.")
    if len(text) > LONGEST:
        raise Unreadable(f"Your answer has more than {LONGEST} characters.")
    if isinstance(kind, Word):
        return text
    if isinstance(kind, Function):
        return _run(kind, text, {**_library(), **names})
    python = GROUPED.sub(_joined, text.strip().translate(SIGNS)).replace("^", "**")
    known = _Letters(names) if isinstance(kind, Expression) else {**_library(), **names}
    return _guarded(kind, text, lambda: eval(_compiled(python, "eval"), {}, known))


def _joined(digits: re.Match[str]) -> str:
    """Return a number without what separates its thousands: 1,024 is no pair."""
    return digits[0].replace(digits[1], "")


def _library() -> dict[str, Any]:
    import flopslib

    return {name: getattr(flopslib, name) for name in flopslib.__all__}


class _Letters(dict[str, Any]):
    """The names in a formula: letters of the notation before anything of the page's cells."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        super().__init__()
        self.names = {**_library(), **names}

    def __missing__(self, name: str) -> Any:
        import sympy

        from flopslib import notation

        letters = {row.letter for row in notation.TABLE}
        letters |= {argument for row in notation.TABLE for argument in row.arguments}
        if name not in letters:
            if name in self.names:
                return self.names[name]
            if hasattr(builtins, name):
                return getattr(builtins, name)
            if name in ("Rational", "sqrt", "log", "floor", "ceiling", "Max", "Min"):
                return getattr(sympy, name)
        return sympy.Symbol(name, positive=True, integer=True)


def _compiled(python: str, mode: str) -> Any:
    return compile(python, "<your answer>", mode)


def _run(kind: Function, text: str, names: dict[str, Any]) -> Any:
    """Run the lines of an answer, and return what the last of them names or gives."""

    def run() -> Any:
        tree = ast.parse(text, "<your answer>")
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, (ast.FunctionDef, ast.Expr, ast.Assign)):
            raise Unreadable(f"The last of your lines is no function; please give {kind.form}.")
        if isinstance(last, ast.Expr):
            exec(_compiled(ast.Module(tree.body[:-1], []), "exec"), names)  # type: ignore[arg-type]
            return eval(_compiled(ast.Expression(last.value), "eval"), names)  # type: ignore[arg-type]
        exec(_compiled(tree, "exec"), names)  # type: ignore[arg-type]
        name = last.name if isinstance(last, ast.FunctionDef) else ast.unparse(last.targets[0])
        return names[name]

    return _guarded(kind, text, run)


def _guarded(kind: Kind, text: str, evaluate: Callable[[], Any]) -> Any:
    """Return a value, or say in a sentence why there is none."""
    try:
        return evaluate()
    except Unreadable:
        raise
    except SyntaxError:
        short = shown(text).strip("`").strip("'\"")
        raise Unreadable(
            f"`{short}` is nothing that Python can read; please give {kind.form}."
        ) from None
    except NameError as error:
        raise Unreadable(
            f"There is no name `{error.name}` here; please give {kind.form}."
        ) from None
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:120].replace("`", "'")
        raise Unreadable(f"Your answer raised `{said}`; please give {kind.form}.") from None
