"""What the tests of this book did when they last ran, as tables.

The figures are stored by a whole run of the tests that skipped nothing for want of a program
(`make record`). Every later run fails that does less than they say, but for what it had to
skip, which it names.

>>> from flopsbook.checked import stored
>>> stored()["compared"]["loops"] > 1000
True
"""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flopsbook import peers
from flopsbook.quotes import data
from flopsbook.tables import Table, comparison, percent
from flopslib.counters import TOOLS
from flopslib.derivation.rendering import text

__all__ = ["COMPARED", "PASSED", "compared", "kind_of_test", "mutants", "passed", "stored", "tools"]

#: What is compared with what. A test counts each comparison where it makes it.
COMPARED = {
    "loops": "a cost function and its naive loop, every operation, at sizes we chose",
    "random loops": "the same at random sizes",
    "letters": "a formula with its letters replaced, and the integer",
    "layers": "a layer of a network and a loop with its weights, every operation",
    "random layers": "the same for random layers",
    "networks": "a whole small network, run layer by layer, and its report",
    "published": "a network's parameters or FLOPs, and what torchvision publishes",
}

#: Kinds of tests, and what the paths of their files begin with.
PASSED: Mapping[str, str | tuple[str, ...]] = {
    "refusals of bad input": "tests/library/test_bad_input",
    "checks of built pages": "tests/book/test_book",
    "checks of figures' data": "tests/book/test_figures",
    "checks of other tools' figures": "tests/book/test_peers",
    "checks of the formula labs": ("tests/book/test_labs", "tests/book/test_calculators"),
    "answers to exercises, right and wrong": "tests/book/test_exercises",
    "checks of the problem sets and their grader": "tests/course/",
    "cells of notebooks, run again": "chapters/",
    "examples in docstrings": ("flopslib/", "flopsbook/"),
}


def kind_of_test(path: str) -> str:
    """Return the kind of a test in a file.

    >>> kind_of_test("chapters/linear.ipynb::Cell 3"), kind_of_test("tests/library/test_costs.py")
    ('cells of notebooks, run again', 'others')
    """
    return next((kind for kind, start in PASSED.items() if path.startswith(start)), "others")


def stored() -> dict[str, Any]:
    """Return what the last recorded run did."""
    run: dict[str, Any] = data("checked.json")
    return run


def record(
    *,
    compared: Mapping[str, int],
    passed: Mapping[str, int],
    notebooks: int,
    mutants: Mapping[str, Any],
) -> None:
    """Store what a run did."""
    run = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "compared": {kind: compared[kind] for kind in COMPARED},
        "passed": {kind: passed[kind] for kind in (*PASSED, "others")},
        "notebooks": notebooks,
        "mutants": dict(mutants),
    }
    path = Path(__file__).parent / "data" / "checked.json"
    path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def compared() -> Table:
    """Return a table of what was compared with what, and how often."""
    times = stored()["compared"]
    return comparison(
        ["compared", "times"], [[what, times[kind]] for kind, what in COMPARED.items()]
    )


def passed() -> Table:
    """Return a table of how many tests of each kind passed."""
    tests = stored()["passed"]
    rows = [*tests.items(), ("together", sum(tests.values()))]
    return comparison(["tests", "passed"], rows)


def mutants() -> Table:
    """Return a table of what became of every mutant, place by place."""
    header = ["broken on purpose", "mutants", "noticed", "survived", "timed out", "noticed, share"]
    rows = []
    for place, found in stored()["mutants"]["places"].items():
        alive, late = found["survived"], found["timeout"]
        made = found["killed"] + alive + late
        share = percent(found["killed"] / made, 1)
        rows.append([f"`{place}`", made, found["killed"], alive, late, share])
    return comparison(header, rows)


def tools() -> Table:
    """Return a table of the other tools, how many of their figures are stored and explained."""
    versions, rows = peers.versions(), []
    for key, tool in TOOLS.items():
        figures = [figure for figure in peers.figures(tool=key) if figure.value is not None]
        left = sum(figure.remainder != 0 for figure in figures)
        rows.append([tool.title, versions[tool.package], text(len(figures)), text(left)])
    return comparison(["tool", "version", "figures", "unexplained"], rows)
