"""Where a program is missing the tests are green all the same, and say what they left out."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from needs import make_book

HERE = Path(__file__).parent
ROOT = HERE.parent
BWRAP = """#!/bin/sh
[ "$1" = --help ] || echo tried >> {note}
echo 'bwrap: No permissions to create new namespace' >&2
exit 1
"""
CHROMIUM = "#!/bin/sh\necho 'Missing X server or $DISPLAY' >&2\nexit 1\n"
#: With pytest-xdist, where it is installed, it has to be the same.
PROCESSES = [[], ["-p", "xdist.plugin", "-n", "2"]] if find_spec("xdist") else [[]]
processes = pytest.mark.parametrize("more", PROCESSES, ids=lambda more: "two" if more else "one")

SOME_TESTS = """
import pytest

@pytest.fixture(scope="module")
def sandbox():
    raise RuntimeError("a fixture was set up for tests that are skipped")

@pytest.mark.needs("bwrap")
@pytest.mark.parametrize("number", range(3))
def test_inside(sandbox, number):
    pass

@pytest.mark.needs("chromium")
def test_a_page():
    pass

@pytest.mark.skip(reason="of another reason")
def test_later():
    pass

def test_without():
    pass
"""
MISSING = [
    "3 tests were skipped: bwrap was not found; install it with: sudo apt install bubblewrap",
    "1 test was skipped: chromium was not found; install it with: sudo apt install chromium",
]


class Elsewhere:
    """A machine with few programs, and a small project with the hooks of this one."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.add("pytest.ini", "[pytest]\ntestpaths = tests\n")
        self.add("tests/test_some.py", SOME_TESTS)
        self.add("flopsbook/__init__.py", "")
        self.add("flopsbook/checked.py", CLAIMS)
        self.add("tests/library/mutants/results.json", "{}")
        self.add("tests/library/mutants/survivors.toml", "survivor = []")
        self.add("pytest_playwright.py", "")  # what drives a browser
        (folder / "assignments").symlink_to(ROOT / "assignments")
        numbers = "flopsbook/exercises/personal.py"  # which the sandbox has at hand
        self.add(numbers, (ROOT / numbers).read_text())
        for name in ("conftest.py", "needs.py", "witnesses.py"):
            shutil.copy(HERE / name, folder / "tests")

    def add(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def program(self, name, text):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, *arguments, **variables):
        paths = {"PATH": self.programs, "PYTHONPATH": self.folder}
        return run_pytest(*arguments, cwd=self.folder, **paths, **variables)


def run_pytest(*arguments, cwd, **variables):
    """Run some tests without the plugins that they do without: most of the time is theirs."""
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    environment = kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment |= {name: str(value) for name, value in variables.items()}
    options = ["-o", "addopts=-q --strict-markers", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


#: A page that claims what the small project does, and notes that something was recorded.
CLAIMS = """
from pathlib import Path

COMPARED = {}

def stored():
    return {"compared": {}, "passed": {"small tests": 5}}

def kind_of_test(path):
    return "small tests"

def record(**run):
    Path("recorded").write_text(str(run["passed"]))
"""


@pytest.fixture
def elsewhere(tmp_path):
    return Elsewhere(tmp_path)


@processes
def test_what_is_missing_is_skipped_and_named(elsewhere, more):
    done = elsewhere.run("tests/test_some.py", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if "skipped:" in line] == MISSING


@processes
def test_what_cannot_start_is_quoted(elsewhere, more):
    note = elsewhere.folder / "note"
    elsewhere.program("bwrap", BWRAP.format(note=note))
    elsewhere.program("chromium", CHROMIUM)
    done = elsewhere.run("tests/test_some.py", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "3 tests were skipped: bwrap could not start: bwrap: No permissions to create new "
        "namespace; install it with: sudo apt install bubblewrap\n" in done.stdout
    )
    assert "chromium could not start: Missing X server or $DISPLAY; install it" in done.stdout
    assert 1 <= note.read_text().count("tried") <= (2 if more else 1)  # once in each process


@processes
def test_where_ci_is_true_nothing_is_skipped(elsewhere, more):
    done = elsewhere.run("tests/test_some.py", *more, CI="true")
    assert done.returncode == 1
    said = (
        "this test needs bwrap, which was not found; install it with: sudo apt install bubblewrap"
    )
    assert len(re.findall(f"^{re.escape(said)}$", done.stdout, re.MULTILINE)) == 3
    assert "skipped:" not in done.stdout


def test_what_starts_is_used_and_what_no_chosen_test_needs_is_not_even_tried(elsewhere):
    elsewhere.program("bwrap", "#!/bin/sh\n: > tried\nexit 1\n")
    elsewhere.program("chromium", "#!/bin/sh\necho '<html><p>started</p></html>'\n")
    done = elsewhere.run("tests/test_some.py", "-k", "page or without")
    assert "2 passed, 4 deselected" in done.stdout
    assert "skipped:" not in done.stdout
    assert not list(elsewhere.folder.rglob("tried"))


# --- what the page says --------------------------------------------------------------


@processes
def test_a_run_that_skipped_does_not_vouch_for_the_page(elsewhere, more):
    done = elsewhere.run(*more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        'This run did not check all that "How this book is checked" claims: '
        "small tests (5 claimed, 1 passed, 4 skipped)\n" in done.stdout
    )


def test_a_test_that_is_gone_is_missed_beside_those_that_were_skipped(elsewhere):
    elsewhere.add("tests/test_some.py", SOME_TESTS.replace("range(3)", "range(2)"))
    done = elsewhere.run()
    assert done.returncode == 1
    assert "FAILED: " in done.stdout
    assert "small tests: 5 claimed, 1 passed, 3 skipped" in done.stdout


@processes
def test_a_run_that_skipped_is_not_recorded(elsewhere, more):
    done = elsewhere.run("--record", *more)
    assert done.returncode == 1
    assert "FAILED: nothing was recorded, because 4 tests were skipped\n" in done.stdout
    assert not (elsewhere.folder / "recorded").exists()
    elsewhere.add("tests/test_some.py", "def test_one():\n    pass\n")
    assert elsewhere.run("--record", *more).returncode == 0
    assert (elsewhere.folder / "recorded").read_text() == "Counter({'small tests': 1})"


# --- in this repository ----------------------------------------------------------------


def test_the_graders_tests_that_need_no_sandbox_run_without_it(tmp_path):
    few = [
        "tests/course/test_sandbox.py::test_a_network_of_its_own_leads_nowhere",
        "tests/course/test_submissions.py::test_whose_is_a_file",
    ]
    done = run_pytest(*few, cwd=ROOT, PATH=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 test was skipped: bwrap was not found" in done.stdout
    assert done.stdout.count(".") > 20


def test_pages_that_are_stale_name_the_files():
    said = make_book([f"chapters/{number}.ipynb (changed)" for number in range(12)])
    assert said.startswith("the pages are not those of the present sources: chapters/0.ipynb (")
    assert said.endswith("chapters/9.ipynb (changed), and 2 more; run make book")
    assert make_book(["index.md (added)"]).endswith(": index.md (added); run make book")
