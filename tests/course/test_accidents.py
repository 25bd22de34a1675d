"""What goes wrong in a class of honest people: nobody has undeserved points, or misses any."""

import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grading import accidents, classroom
from grading.commands import LIMITS, command, grade, table

from assignments import build
from assignments.grading import kept
from assignments.grading.__main__ import main, parser
from assignments.grading.sandbox import Limits
from assignments.questions import SETS

ROOT = Path(__file__).parents[2]
every_set = pytest.mark.parametrize("name", SETS)
confined = pytest.mark.needs("bwrap")


@pytest.fixture(scope="module")
def graded(tmp_path_factory, dist, make, other_set):
    folder = tmp_path_factory.mktemp("accidents")
    (folder / "submissions").mkdir()
    people = accidents.class_of(make, other_set)
    for one in people:
        one.write(folder / "submissions")
    (folder / "roster.csv").write_text(accidents.roster(people), encoding="utf-8")
    done = grade(dist, folder / "submissions", folder / "roster.csv", folder / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    return people, table(folder / "out" / "grades.csv"), folder, done


@confined
def test_everybody_has_what_they_deserve(graded):
    people, rows, *_ = graded
    assert len({one.kind for one in people}) == len(people) > 20
    wrong = accidents.undeserved(people, rows)
    assert not wrong, "\n".join(wrong)


@confined
def test_a_photo_and_a_derivation_in_code_are_shown(graded):
    page = (graded[2] / "out" / "to-be-read.html").read_text()
    assert f'src="data:image/png;base64,{accidents.PIXEL}"' in page
    assert "<pre><code>N*K - p*(p+1)  # zeros" in page


# --- the same notebooks with otter's own runner, as Gradescope runs it ------------------------


def in_capitals(make, who):
    """Letters, NumPy's and SymPy's whole numbers, a file of its own: all honest."""
    notebook = make.with_cells(
        who.upper(), "%%writefile helper.py\nfactor = 1", "from helper import factor"
    )
    more = (
        "import numpy as np\nimport sympy as sp\n"
        "layers_1 = [np.int64(one) * factor for one in layers_1]\n"
        "layers_2 = [sp.Integer(one) for one in layers_2]"
    )
    notebook["cells"].append(classroom.code(more))
    return notebook


def with_fractions(make, who):
    """Numbers that are right and of the wrong type."""
    return make.after(
        who,
        "from fractions import Fraction\nfrom decimal import Decimal\n"
        "layers_1 = [Fraction(one) for one in layers_1]\n"
        "layers_2 = [Decimal(one) for one in layers_2]\n"
        "layers_3 = [float(one) for one in layers_3]",
    )


def with_the_library(make, who):
    """Functions that use the library: imported inside, above the function, and as a module."""
    notebook = make.replaced(
        who,
        "layers_4",
        "def layers_4(**sizes):\n    from flopslib import conv2d\n"
        "    return conv2d(**sizes, bias=False).flops",
    )
    more = (
        "from flopslib import conv2d, conv_output_size\nimport flopslib as fl\n"
        "def layers_5(in_channels, out_channels, kernel_size, in_height, in_width, stride,"
        " padding, dilation, bias):\n"
        "    height, width = (conv_output_size(side, kernel_size, stride=stride, padding=padding,"
        " dilation=dilation) for side in (in_height, in_width))\n"
        "    return conv2d(in_channels, out_channels, kernel_size, height, width, bias=bias)"
        ".exact_flops\n"
        "layers_1 = [layers_1[0], layers_1[1], fl.linear(1, 1).flops // 2 * layers_1[2]]"
    )
    notebook["cells"].append(classroom.code(more))
    return notebook


@confined
def test_both_graders_give_the_same_points(dist, make, tmp_path):
    kinds = {"s8001": in_capitals, "s8002": with_fractions, "s8003": with_the_library}
    (tmp_path / "submissions").mkdir()
    for who, kind in kinds.items():
        path = tmp_path / "submissions" / f"{who}.ipynb"
        path.write_text(json.dumps(kind(make, who)))
        shutil.copy(path, tmp_path)
    (tmp_path / "roster.csv").write_text("id\n" + "\n".join(kinds) + "\n")
    done = grade(dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = table(tmp_path / "out" / "grades.csv")
    (archive,) = (dist / "layers" / "autograder").glob("*.zip")

    def by_otter(who):
        return build.grade(tmp_path / f"{who}.ipynb", archive, tmp_path)

    with ThreadPoolExecutor(2) as pool:
        otters = dict(zip(kinds, pool.map(by_otter, kinds), strict=True))
    ours = {who: {name: int(rows[who][name]) for name in classroom.ALL} for who in kinds}
    assert ours == {who: {name: score for name, score, _ in otters[who]} for who in kinds}
    assert ours["s8001"] == classroom.ALL
    assert ours["s8002"] == classroom.without(1, 2, 3)
    assert ours["s8003"] == classroom.without(4, 5)


# --- whose file it is, when two claim the same ------------------------------------------------


@confined
def test_nobodys_file_takes_the_place_of_another_persons(dist, make, tmp_path):
    folder = tmp_path / "submissions"
    folder.mkdir()
    for number, (name, notebook) in enumerate(
        {
            "jones_501_7001_layers.ipynb": make.solved("s9001"),
            "adams_502_7002_layers.ipynb": make.untouched("s9001"),  # another account
            "s9002.ipynb": make.solved("s9002"),
            "s9002 (1).ipynb": make.solved("s9003"),  # newer, and a friend's
            "s9003.ipynb": make.solved("s9003"),
        }.items()
    ):
        (folder / name).write_text(json.dumps(notebook))
        os.utime(folder / name, (2 * 10**9 + number,) * 2)
    (tmp_path / "roster.csv").write_text("id\ns9001\ns9002\ns9003\n")
    assert grade(dist, folder, tmp_path / "roster.csv", tmp_path / "out").returncode == 0
    rows = table(tmp_path / "out" / "grades.csv")
    assert rows["s9001"]["status"] == "suspicious"
    assert "two accounts have handed in" in rows["s9001"]["reason"].lower()
    assert [rows[who]["total"] for who in ("s9002", "s9003")] == [str(classroom.FULL)] * 2
    assert (
        "whose STUDENT is this person, s9002.ipynb, and not s9002 (1).ipynb"
        in (rows["s9002"]["reason"])
    )


@confined
def test_files_of_the_same_time_are_not_called_older(dist, make, tmp_path):
    folder = tmp_path / "submissions"
    folder.mkdir()
    for name in ("anna.ipynb", "anna_2.ipynb"):
        (folder / name).write_text(json.dumps(make.solved("anna")))
        os.utime(folder / name, (2 * 10**9,) * 2)
    (tmp_path / "roster.csv").write_text("id\nanna\n")
    assert grade(dist, folder, tmp_path / "roster.csv", tmp_path / "out").returncode == 0
    reason = table(tmp_path / "out" / "grades.csv")["anna"]["reason"]
    assert "the last by name of those with the same time, anna_2.ipynb" in reason


# --- limits, full disks, and what is handed out -------------------------------------------------


@confined
def test_a_longer_run_makes_longer_cells(dist, make, tmp_path):
    (tmp_path / "submissions").mkdir()
    slow = "import time\nstart = time.process_time()\nwhile time.process_time() < start + 1.8: pass"
    for who in ("anna",):
        path = tmp_path / "submissions" / f"{who}.ipynb"
        path.write_text(json.dumps(make.with_cells(who, slow)))
    (tmp_path / "roster.csv").write_text("id\nanna\n")
    inputs = command(dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    inputs = [one for one in inputs[5:] if one not in LIMITS]
    found = {}
    for seconds in ("3", "10"):
        assert main([*inputs, "--seconds", seconds]) == 0
        found[seconds] = table(tmp_path / "out" / "grades.csv")["anna"]
    assert found["3"]["status"] == "timed out"
    assert "within 1.5 s" in found["3"]["reason"]
    assert found["10"]["status"] == "graded"


def test_the_limits_are_explained_and_can_be_set_by_make():
    said = " ".join(parser().format_help().split())
    for option in ("TIMEOUT", "CELL_TIMEOUT", "CALL_TIMEOUT", "MEMORY", "JOBS"):
        assert f"({option})" in said
    for default in ("default: 60 ", "half of the above, 30 ", "a twelfth, 5 ", "default: 1024 "):
        assert default in said
    assert (Limits().cell_seconds, Limits().call_seconds) == (30, 5)
    assert Limits.of() == Limits()
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/installed", "grade", "SET=layers", "SUBMISSIONS=a b",
         "ROSTER=r", "TIMEOUT=7", "CELL_TIMEOUT=8", "CALL_TIMEOUT=9", "MEMORY=10"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for part in ("--seconds", "--cell-seconds", "--call-seconds", "--memory"):
        assert part in done.stdout


@confined
def test_a_full_disk_gets_a_sentence(dist, make, tmp_path, monkeypatch, capsys):
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / "anna.ipynb").write_text(json.dumps(make.solved("anna")))
    (tmp_path / "roster.csv").write_text("id\nanna\n")
    inputs = command(dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")[5:]

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(kept, "write", full)
        assert main(inputs) == 1
        said = capsys.readouterr().err
        assert "The disk is full" in said
        assert "the same command goes on" in said
        assert "Traceback" not in said
    assert main(inputs) == 0


@every_set
def test_a_renamed_notebook_works_from_its_first_cell(dist, name, tmp_path):
    copy = tmp_path / f"s1001_{name} (1).ipynb"
    shutil.copy(dist / name / "student" / f"{name}.ipynb", copy)
    (tmp_path / "another.ipynb").write_text("{}")
    cells = json.loads(copy.read_text())["cells"]
    first = "".join(cells[0]["source"])
    assert "otter.Notebook" in first
    last = f"print(grader.check('{name}-1'))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{first}\n{last}"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{name}-1 results" in done.stdout  # the test was found, and the answer is missing


COLAB = """
import sys, types
sys.modules["google.colab"] = types.ModuleType("google.colab")
import otter.check.utils
otter.check.utils.get_ipython = lambda: "<google.colab._shell.Shell object>"
"""


def on_colab(source, folder):
    """Run Python where otter believes that it is on Colab."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COLAB + source],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip


def test_the_checks_work_on_colab_where_the_open_notebook_is_no_file(dist, tmp_path):
    student = dist / "layers" / "student"
    first = "".join(json.loads((student / "layers.ipynb").read_text())["cells"][0]["source"])
    (line,) = [one for one in (student / "README.md").read_text().splitlines() if "unzip" in one]
    done = on_colab(first, tmp_path)
    assert "FileNotFoundError: the session's files must have layers.ipynb" in done.stderr
    assert line in done.stderr  # the error says what the README says
    assert line == "!unzip -oqj layers.zip"
    with zipfile.ZipFile(dist / "layers" / "layers.zip") as archive:
        for file in archive.namelist():
            (tmp_path / Path(file).name).write_bytes(archive.read(file))
    last = "\nlayers_1 = [1, 2]\nprint(grader.check('layers-1'))"
    done = on_colab(first + last, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "layers_1 must be a list of three integers" in done.stdout


@every_set
def test_students_are_told_where_their_identifier_goes_and_what_they_will_see(dist, name):
    folder = dist / name / "student"
    readme = (folder / "README.md").read_text()
    assert 'The cell `STUDENT = "your identifier"`' in readme
    assert "says nothing about the numbers" in readme
    assert "Public Tests" in readme
    assert "1 GB" in readme
    cells = json.loads((folder / f"{name}.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    place = next(number for number, source in enumerate(sources) if source.startswith("STUDENT ="))
    assert "Put your identifier between the quotation marks" in sources[place - 1]
    assert any("says nothing about the numbers" in source for source in sources[:place])
