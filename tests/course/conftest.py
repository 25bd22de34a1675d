"""The problem sets, built once for all the processes that test the course."""

import fcntl
import json
import os
import re

import nbformat
import pytest
from grading import classroom
from grading.masters import CANARY, SEED, blocks, master

from assignments import build
from assignments.questions import SETS


def planted(folder):
    """Write the masters with a canary in every solution and every hidden test."""
    for name in SETS:
        notebook = master(name)
        for block in blocks(notebook).values():
            for cell in block.solution:
                if cell.cell_type == "markdown":
                    cell.source += f"\n\n{CANARY}-words"
                else:
                    cell.source = f"{CANARY!r}  # SOLUTION NO PROMPT\n{cell.source}"
            for cell in block.tests:
                if "hidden: true" in cell.source:
                    cell.source += f"\n    assert {CANARY!r}"
        (folder / name).mkdir(parents=True)
        nbformat.write(notebook, folder / name / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """The sets as `make assignments` builds them, from masters with canaries.

    Whoever comes first builds them; the other processes wait for it.
    """
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    place = root / "course"
    folder, said = place / "dist", place / "built.json"
    folder.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            masters = planted(place / "masters")
            built = build.build_all(SETS, dist=folder, seed=SEED, masters=masters)
            said.write_text(json.dumps({name: str(result) for name, result in built.items()}))
    for name, result in json.loads(said.read_text()).items():
        assert re.fullmatch(rf"{name}: \d\d points, all for the solved notebook .*", result), result
    return folder


@pytest.fixture(scope="session")
def make(dist):
    """Makes notebooks of the set `layers`."""
    return classroom.Maker(
        dist / "layers" / "autograder" / "layers-solved.ipynb",
        dist / "layers" / "student" / "layers.ipynb",
    )


@pytest.fixture(scope="session")
def other_set(dist):
    """Makes notebooks of the set `transformers`."""
    folder = dist / "transformers"
    solved = folder / "autograder" / "transformers-solved.ipynb"
    return classroom.Maker(solved, folder / "student" / "transformers.ipynb").solved
