"""What pytest has to know about the notebooks."""

import os
from pathlib import Path

import pytest

from flopsbook.build.kernels import environment
from flopsbook.build.notebooks import DROPPED

# they need what the tests do without, or a while: see `make peers`, `make mutants`,
# `make bench` and `make pdf`
collect_ignore = [
    "tests/library/bench",
    "tests/library/mutants",
    "tests/book/pdf",
    "tests/book/peers",
]
# they need a browser, and are run by name: see `make test-browser`
BROWSER = "tests/book/browser"


def pytest_configure(config: pytest.Config) -> None:
    """Keep a user's IPython start-up files out of the chapters."""
    os.environ.update(environment(Path(config.rootpath) / "_build"))
    if not any(BROWSER in argument for argument in config.args):
        collect_ignore.append(BROWSER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compare everything that a notebook stores, and it stores all but the images."""
    for notebook in {item.parent for item in items if hasattr(item.parent, "skip_compare")}:
        notebook.skip_compare += DROPPED
