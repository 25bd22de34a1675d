"""What a whole run did, for the page "How this book is checked".

A run of all the tests may do more than the page says, never less. With --record it
stores what it did (`make record`).
"""

import json
import tomllib
from pathlib import Path

import pytest
from witnesses import NOTEBOOKS, PASSED, SEEN, shortfalls

from flopsbook import checked

MUTANTS = Path(__file__).parent / "library" / "mutants"
MISSING = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption(
        "--record", action="store_true", help="store what was checked, for the book's page"
    )


class Counted:
    """Counts what passed; a conftest by itself hears of the tests below it alone."""

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            path = report.nodeid.partition("::")[0]
            PASSED[checked.kind_of_test(path)] += 1
            if path.endswith(".ipynb"):
                NOTEBOOKS.add(path)


def pytest_configure(config):
    config.pluginmanager.register(Counted())


def is_whole(config):
    options = config.option
    chosen = options.keyword or options.markexpr or options.deselect or options.ignore
    return config.args == config.getini("testpaths") and not chosen and not options.collectonly


def pytest_sessionfinish(session, exitstatus):
    if exitstatus or not is_whole(session.config):
        return
    if session.config.option.record:
        checked.record(compared=SEEN, passed=PASSED, notebooks=len(NOTEBOOKS), mutants=mutants())
        return
    missing = shortfalls(checked.stored(), SEEN, PASSED)
    session.config.stash[MISSING] = missing
    if missing:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def mutants():
    """Return what the last run of `make mutants` found, and how many survivors have a reason."""
    run = json.loads((MUTANTS / "results.json").read_text())
    survivors = tomllib.loads((MUTANTS / "survivors.toml").read_text())["survivor"]
    return run | {"reviewed": len(survivors)}


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(MISSING, []):
        terminalreporter.write_line(
            f'FAILED: "How this book is checked" claims more than this run did: {line}', red=True
        )
