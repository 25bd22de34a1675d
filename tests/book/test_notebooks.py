"""The chapters are notebooks that were run, in the normal form, and nbval sees every change."""

import copy
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from flopsbook.build.notebooks import faults, main, normalised, read

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
# pages to look things up in
TABLES = {
    "notation",
    "cost_table",
    "corrections",
    "model_table",
    "explorer",
    "checked",
    "findings",
}
DERIVATIONS = [path for path in CHAPTERS if path.stem not in TABLES]
every_notebook = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
every_derivation = pytest.mark.parametrize("path", DERIVATIONS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path):
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


@every_notebook
def test_normal_form(path):
    assert faults(read(path)) == []
    assert path.read_text() == nbformat.writes(read(path), indent=1).rstrip("\n") + "\n"


@every_notebook
def test_cells_are_short(path):
    lengths = [len(list(filter(str.strip, c.source.splitlines()))) for c in code_cells(path)]
    assert max(lengths) <= 15
    assert statistics.median(lengths) <= 6


@every_notebook
def test_no_cell_fails_or_warns(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


@every_notebook
def test_the_first_cell_needs_no_package_that_a_page_lacks(path):
    # in a page there is no NumPy, and all other cells would fail with the first
    first = code_cells(path)[0].source
    assert not re.search(r"\b(?:numpy|matplotlib|pandas)\b", first)


@every_derivation
def test_the_anatomy_of_a_chapter(path):
    text = prose(path)
    assert "::::{div} opening" in text
    assert len(re.findall(r"^- \*\*\w", text.split("##")[0], flags=re.MULTILINE)) == 3
    headings = re.findall(r"^## (.*)", text, flags=re.MULTILINE)
    assert headings[0] == "A case for your fingers"
    assert headings[-2:] == ["Summary", "Exercises"]
    exercises = re.findall(r"^:label: (\S+)", text, flags=re.MULTILINE)
    solutions = re.findall(r"{solution-start} (\S+)", text)
    assert len(exercises) >= 5
    assert exercises == solutions
    assert text.count("{solution-end}") == len(solutions)


@every_derivation
def test_every_solution_runs_code(path):
    inside = False
    ran = 0
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for mark in re.findall(r"{solution-(start|end)}", cell.source):
                assert inside == (mark == "end")
                if mark == "end":
                    assert ran, cell.source
                inside, ran = mark == "start", 0
        elif inside:
            ran += 1


def test_faults_are_found():
    notebook = read(CHAPTERS[0])
    stripped = copy.deepcopy(notebook)
    for cell in stripped.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    assert any("never run" in fault for fault in faults(stripped))
    skewed = copy.deepcopy(notebook)
    next(cell for cell in skewed.cells if cell.cell_type == "code").execution_count = 99
    assert faults(skewed)
    renamed = copy.deepcopy(notebook)
    renamed.cells[0].id = "something-else"
    assert faults(renamed)
    assert faults(normalised(renamed)) == []


def test_the_check_says_no(tmp_path, capsys):
    notebook = read(CHAPTERS[0])
    next(cell for cell in notebook.cells if cell.cell_type == "code").execution_count = None
    nbformat.write(notebook, tmp_path / "stripped.ipynb")
    assert main(["--check", str(tmp_path / "stripped.ipynb")]) == 1
    assert "never run" in capsys.readouterr().out
    assert main(["--check", *map(str, CHAPTERS)]) == 0


@pytest.mark.parametrize("edit", ["nothing", "text", "html"])
def test_an_edited_output_turns_nbval_red(tmp_path, edit):
    notebook = read(ROOT / "chapters" / "notation.ipynb")
    data = [output.data for cell in notebook.cells for output in cell.get("outputs", [])]
    if edit == "text":
        data[-1]["text/plain"] = data[-1]["text/plain"].replace("1", "2") + "0"
    if edit == "html":
        data[0]["text/markdown"] = data[0]["text/markdown"].replace("samples", "examples")
    nbformat.write(notebook, tmp_path / "copy.ipynb")
    plugins = ["-p", "xdist", "-p", "nbval"]  # in `make test` none is loaded by itself
    command = [sys.executable, "-m", "pytest", *plugins, "-c", ROOT / "pyproject.toml"]
    command += ["--rootdir", ROOT]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider", tmp_path / "copy.ipynb"], capture_output=True, cwd=ROOT
    )
    assert result.returncode == (0 if edit == "nothing" else 1), result.stdout.decode()
