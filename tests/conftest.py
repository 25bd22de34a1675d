"""What a whole run did, for the page "How this book is checked".

A run of all the tests may do more than the page says, never less; what it skipped because a
program is missing, it names. With --record it stores what it did (`make record`), unless it
skipped something.
"""

import json
import tomllib
from collections import Counter
from pathlib import Path

import needs
import pytest
from witnesses import NOTEBOOKS, PASSED, SEEN, shortfalls, unchecked

from flopsbook import checked

MUTANTS = Path(__file__).parent / "library" / "mutants"
PAGE = '"How this book is checked"'
FAULTS = pytest.StashKey[list]()
LEFT_OUT = pytest.StashKey[list]()


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
    config.pluginmanager.register(needs)


@pytest.fixture(scope="session")
def fresh_pages():
    """See that the built pages are those of the present sources; say which files differ."""
    from flopsbook.build.site import stale

    if differing := stale():
        pytest.fail(needs.make_book(differing), pytrace=False)


def is_whole(config):
    options = config.option
    chosen = options.keyword or options.markexpr or options.deselect or options.ignore
    return config.args == config.getini("testpaths") and not chosen and not options.collectonly


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Add what one of several processes has compared (pytest-xdist)."""
    SEEN.update(getattr(node, "workeroutput", {}).get("seen", {}))


def pytest_sessionfinish(session, exitstatus):
    config = session.config
    if hasattr(config, "workeroutput"):  # this is one of several processes
        config.workeroutput["seen"] = dict(SEEN)
    elif not exitstatus and is_whole(config):
        faults = record() if config.option.record else compare(config)
        config.stash[FAULTS] = faults
        if faults:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def record():
    """Store what a run did, or return why not."""
    if number := needs.SKIPS.total():
        return [f"nothing was recorded, because {needs.tests(number)} skipped"]
    checked.record(compared=SEEN, passed=PASSED, notebooks=len(NOTEBOOKS), mutants=mutants())
    return []


def compare(config):
    """Return how a run falls short of the page; note what it skipped for want of a program."""
    skipped = Counter()
    for (_, _, path), number in needs.SKIPS.items():
        skipped[checked.kind_of_test(path)] += number
    claims = checked.stored()
    config.stash[LEFT_OUT] = unchecked(claims, PASSED, skipped)
    missing = shortfalls(claims, SEEN, PASSED, skipped)
    return [f"{PAGE} claims more than this run did: {line}" for line in missing]


def mutants():
    """Return what the last run of `make mutants` found, and how many survivors have a reason."""
    run = json.loads((MUTANTS / "results.json").read_text())
    survivors = tomllib.loads((MUTANTS / "survivors.toml").read_text())["survivor"]
    return run | {"reviewed": len(survivors)}


def pytest_terminal_summary(terminalreporter, config):
    if left_out := config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(
            f"This run did not check all that {PAGE} claims: {'; '.join(left_out)}", yellow=True
        )
    for line in config.stash.get(FAULTS, []):
        terminalreporter.write_line(f"FAILED: {line}", red=True)
