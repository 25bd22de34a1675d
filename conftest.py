"""What pytest has to know about the notebooks, and how the tests are shared among processes."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from flopsbook.build.kernels import environment, warm
from flopsbook.build.notebooks import DROPPED

# they need what the tests do without, or a while: see `make peers`, `make mutants`,
# `make bench`, `make class` and `make pdf`
collect_ignore = [
    "tests/course/week",
    "tests/library/bench",
    "tests/library/mutants",
    "tests/book/pdf",
    "tests/book/peers",
]
# they need a browser, and are run by name: see `make test-browser`
BROWSER = "tests/book/browser"

#: What takes longest, in the order in which it is begun; a file is run by one process.
FIRST = (
    "tests/course/",
    "tests/book/test_downloads.py",
    "chapters/",
    "tests/library/test_costs.py",
    "tests/book/test_exercises.py",
    "tests/book/",
)
#: Of what the problem sets are graded with, what takes long to import.
ALSO_LOADED = ("otter",)
OPEN = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep a user's IPython start-up files out of the chapters; start their kernels quickly."""
    folder = Path(config.rootpath) / "_build"
    config.stash[OPEN] = ExitStack()
    if _runs_notebooks(config):
        os.environ.update(config.stash[OPEN].enter_context(warm(folder, *ALSO_LOADED)))
    elif not _is_one_of_several(config):  # those have the environment of the first
        os.environ.update(environment(folder))
    if not any(BROWSER in argument for argument in config.args):
        collect_ignore.append(BROWSER)


def _is_one_of_several(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _runs_notebooks(config: pytest.Config) -> bool:
    named = any("chapters" in argument for argument in config.args)
    return named and not _is_one_of_several(config) and not config.option.collectonly


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what starts the kernels."""
    config.stash[OPEN].close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compare everything that a notebook stores, all but the images; begin with what is long."""
    for notebook in {item.parent for item in items if hasattr(item.parent, "skip_compare")}:
        notebook.skip_compare += DROPPED
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    places = (at for at, start in enumerate(FIRST) if item.nodeid.startswith(start))
    return next(places, len(FIRST))
