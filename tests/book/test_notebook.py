"""What a notebook shows: with the book's code in the book's way, without it in its own."""

import enum
import os
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flopsbook import notebook
from flopsbook.palette import MULTIPLICATION
from flopslib import linear


class Answer(enum.IntEnum):
    YES = 40_000


@pytest.fixture
def shown(monkeypatch):
    """Return what a notebook shows of a value, by MIME type."""
    shell = InteractiveShell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)

    def use(value):
        notebook.use_colours()
        notebook.use_separators()
        return shell.display_formatter.format(value)[0]

    yield use
    shell.history_manager.end_session()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4089184256, "4,089,184,256"),
        (-61100840, "-61,100,840"),
        (1000, "1,000"),
        (224, "224"),
        (0, "0"),
        (True, "True"),
        (Answer.YES, "<Answer.YES: 40000>"),
        (40000.0, "40000.0"),
        ("40000", "'40000'"),
        ((1, 3, 4096, 12288), "(1, 3, 4096, 12288)"),
        ([40000], "[40000]"),
        ({40000: 50000}, "{40000: 50000}"),
        ([[40000], 1], "[[40000], 1]"),
    ],
    ids=repr,
)
def test_only_an_int_by_itself_gets_separators(shown, value, text):
    assert shown(value) == {"text/plain": text}


def test_the_value_stays_what_it_is(shown):
    macs = linear(4096, 4096).macs
    shown(macs)
    assert (str(macs), f"{macs}", type(macs)) == ("16777216", "16777216", int)


def test_a_derivation_is_in_colour(shown):
    assert MULTIPLICATION[0] in shown(linear(3, 2))["text/latex"]


def run(folder, *lines):
    """Return what the last line shows in an IPython of its own, where none of ours has run."""
    code = "\n".join(lines[:-1])
    program = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        f"shell.run_cell({code!r}).raise_error()\n"
        f"print(shell.display_formatter.format(shell.ev({lines[-1]!r}))[0]['text/plain'])"
    )
    environment = os.environ | {"IPYTHONDIR": str(folder)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_notebook_without_the_book_s_code_is_left_alone(tmp_path):
    uses = "from flopslib import linear"
    assert run(tmp_path, uses, "linear(4096, 4096).macs") == "16777216"
    assert run(tmp_path, uses, "import flopsbook", "linear(4096, 4096).macs") == "16,777,216"
