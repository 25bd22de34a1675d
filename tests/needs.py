"""What some tests need besides Python: the sandbox of the grader, and a browser.

A test under `@pytest.mark.needs("bwrap")` is skipped where the program is missing or cannot
start, and the end of the run says how many were, why, and how to install it. Where CI=true
such a test fails instead. A program is tried once in a run, when the first test asks for it.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from functools import cache

import pytest

BWRAP = "install it with: sudo apt install bubblewrap"
CHROMIUM = "install it with: sudo apt install chromium"

#: Chromium's options; without the later ones it looks for its maker at every start.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: A skip's reason, as a report has it.
SKIPPED = re.compile(r"Skipped: needs (\w+), which (.*)", re.DOTALL)
#: How many tests were skipped: by program, what is wrong with it, and the file of the tests.
SKIPS = Counter()


# --- the programs --------------------------------------------------------------


@cache
def trouble(program):
    """Start a program once; return what is wrong with it and what to do about it, or None."""
    return {"bwrap": _sandbox, "chromium": _browser}[program]()


def _sandbox():
    from assignments.grading import sandbox

    wrong = sandbox.trouble()
    return wrong and f"{wrong.rstrip('.')}; {BWRAP}"


def _browser():
    program = shutil.which("chromium")
    if program is None:
        return f"was not found; {CHROMIUM}"
    if not importlib.util.find_spec("pytest_playwright"):
        return "was found, but not what drives it; install that with: make test"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = ["--headless", *QUIET, f"--user-data-dir={folder}"]
        command = [program, *options, "--dump-dom", "data:text/html,<p>started</p>"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except OSError as error:
            return f"could not start: {error}; {CHROMIUM}"
        except subprocess.TimeoutExpired:
            return f"could not start: no answer within a minute; {CHROMIUM}"
    if done.returncode == 0 and "<p>started</p>" in done.stdout:
        return None
    said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return f"could not start: {said[0]}; {CHROMIUM}"


# --- the mark ------------------------------------------------------------------


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "needs(program): skip the test where a program is missing or cannot start"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Skip a test before any of its fixtures is set up."""
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if wrong := trouble(program):
                _leave_out(f"needs {program}, which {wrong}")


def _leave_out(reason):
    if os.environ.get("CI") == "true":
        pytest.fail(f"this test {reason}", pytrace=False)
    pytest.skip(reason)


# --- the end of the run --------------------------------------------------------


def pytest_runtest_logreport(report):
    """Count a test that was skipped for want of a program, in whatever process it was."""
    match = report.skipped and SKIPPED.match(_reason(report))
    if match:
        SKIPS[(*match.groups(), report.nodeid.partition("::")[0])] += 1


def _reason(report):
    # a skip is (path, line, reason); an expected failure has another form
    return report.longrepr[2] if isinstance(report.longrepr, tuple | list) else ""


def pytest_terminal_summary(terminalreporter):
    for program in sorted({program for program, _, _ in SKIPS}):
        wrongs = Counter()
        for (name, wrong, _), number in SKIPS.items():
            if name == program:
                wrongs[wrong] += number
        ((wrong, _),) = wrongs.most_common(1)  # another process may hear another message
        line = f"{tests(wrongs.total())} skipped: {program} {wrong}"
        terminalreporter.write_line(line, yellow=True)


def tests(number):
    return f"{number} test was" if number == 1 else f"{number} tests were"


# --- pages that are built ------------------------------------------------------


def make_book(differing, most=10):
    """Return a sentence that names the files which the pages were not built from."""
    more = [f"and {len(differing) - most} more"] if len(differing) > most else []
    named = ", ".join([*differing[:most], *more])
    return f"the pages are not those of the present sources: {named}; run make book"
