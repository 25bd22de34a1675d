"""A command that a page shows has run, and a page whose command prints something else is red."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from flopsbook.build.notebooks import run
from flopsbook.console import source, terminal

ROOT = Path(__file__).parents[2]
HEAD = "from flopslib.layers import Linear\n\nhead = Linear(3, 2)\n"


def test_commands_and_what_they_print():
    count = "flopslib count head.py:head --input 1,3 --json > head.json"
    check = "flopslib check head.json --max-macs 6"
    session = terminal(count, check, files={"head.py": HEAD})
    assert repr(session) == f"$ {count}\n$ {check}\nMACs: 6, at most 6 allowed: holds"
    assert session._repr_markdown_() == f"```console\n{session!r}\n```"


def test_complaints_are_shown_too():
    assert "nonsense" in repr(terminal("flopslib count nonsense || echo refused"))


@pytest.mark.parametrize("command", ["flopslib check alexnet --max-macs 1", "no-such-program"])
def test_a_command_that_fails_is_an_error(command):
    with pytest.raises(RuntimeError, match=r"must return 0, got [1-9]\d*; it printed: \S"):
        terminal(command)


def test_a_file_of_functions():
    assert source(test_a_file_of_functions, imports="import os").startswith(
        "import os\n\n\ndef test_a_file_of_functions():\n"
    )


@pytest.mark.parametrize("edit", [False, True])
def test_a_changed_session_turns_nbval_red(tmp_path, edit):
    cell = "from flopsbook.console import terminal\n\nterminal('flopslib explain linear 3 2')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    path = tmp_path / "session.ipynb"
    nbformat.write(notebook, path)
    run(path)
    text = path.read_text()
    assert text.count("6 MACs") == 2
    path.write_text(text.replace("6 MACs", "7 MACs") if edit else text)
    plugins = ["-p", "xdist", "-p", "nbval"]  # in `make test` none is loaded by itself
    command = [sys.executable, "-m", "pytest", *plugins, "-c", ROOT / "pyproject.toml"]
    command += ["--rootdir", ROOT]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider", path], capture_output=True, cwd=ROOT
    )
    assert result.returncode == edit, result.stdout.decode()
