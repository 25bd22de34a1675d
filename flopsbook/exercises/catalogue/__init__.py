"""Every exercise of the book whose answer can be checked: a module a chapter, of its name.

A chapter's module has one tuple ``EXERCISES``, in the order of the page. A new module is
found by itself.
"""

from __future__ import annotations

import difflib
import pkgutil
from functools import cache
from importlib import import_module

from flopsbook.exercises.exercise import Exercise

__all__ = ["chapter", "chapters", "find", "near"]


@cache
def chapters() -> tuple[str, ...]:
    """Return the names of the chapters that have exercises here, sorted.

    >>> "conv2d" in chapters()
    True
    """
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def chapter(name: str) -> tuple[Exercise, ...]:
    """Return the exercises of a chapter, in the order of its page."""
    exercises: tuple[Exercise, ...] = import_module(f"{__name__}.{name}").EXERCISES
    return exercises


@cache
def _every() -> dict[str, tuple[str, Exercise]]:
    """Return every exercise by its id and by its label, with its id."""
    numbered = [
        (f"{name}-{number}", exercise)
        for name in chapters()
        for number, exercise in enumerate(chapter(name), start=1)
    ]
    ids = {key: (key, exercise) for key, exercise in numbered}
    return {exercise.label: (key, exercise) for key, exercise in numbered} | ids


def _written(key: str) -> str:
    stem, _, number = key.strip().lower().rpartition("-")
    return f"{stem.replace('-', '_')}-{number}"


def find(key: str) -> tuple[str, Exercise] | None:
    """Find an exercise by its id, such as ``conv2d-3``, or its label; with its id.

    >>> found = find("conv2d-3")
    >>> found[0], found[1].label, find("conv2d-dilation") == found
    ('conv2d-3', 'conv2d-dilation', True)
    """
    written = _written(key)
    stem, _, number = written.rpartition("-")
    if stem in chapters() and number.isdecimal():  # without importing the other chapters
        exercises = dict(enumerate(chapter(stem), start=1))
        exercise = exercises.get(int(number)) if len(number) < 4 else None
        return (f"{stem}-{int(number)}", exercise) if exercise else None
    return _every().get(key.strip().lower())


def near(key: str) -> list[str]:
    """Return ids that resemble one that does not exist: a chapter's first and last, or near ones.

    >>> near("conv2d-99"), near("convd2-3")[0]
    (['conv2d-1', 'conv2d-6'], 'conv2d-3')
    """
    stem = _written(key[:60]).rpartition("-")[0]
    if stem in chapters():
        return [f"{stem}-1", f"{stem}-{len(chapter(stem))}"]
    close = difflib.get_close_matches(_written(key[:60]), _every(), n=6, cutoff=0.5)
    return list(dict.fromkeys(_every()[name][0] for name in close))[:3]
