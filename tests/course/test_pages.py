"""The pages for teachers and for students, done command by command as they say."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from grading import classroom
from grading.commands import rows, table
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
confined = pytest.mark.needs("bwrap")


def commands(page, language="sh"):
    """Return the blocks of a page that are to be typed, or to be seen, in their order."""
    text = (ROOT / "chapters" / f"{page}.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def block(page, words, language="sh"):
    """Return the one block that has some words."""
    (found,) = [one for one in commands(page, language) if words in one]
    return found


def typed(lines, folder, **programs):
    """Type lines into a shell, in which some programs are others."""
    bin_ = folder / ".programs"
    bin_.mkdir(exist_ok=True)
    for name, source in programs.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{source}\n")
        (bin_ / name).chmod(0o755)
    places = [str(bin_), str(Path(sys.executable).parent), os.environ["PATH"]]
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.example"}
    who |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b.example"}
    return subprocess.run(
        ["bash", "-e", "-c", lines], cwd=folder, env=os.environ | who | {"PATH": ":".join(places)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture
def desk(dist, tmp_path):
    """A teacher's copy of the project, in which the sets are built."""
    leave = shutil.ignore_patterns("__pycache__", "seed")
    for room in ("assignments", "flopsbook", "flopslib"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=leave)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "dist").symlink_to(dist)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    return tmp_path


#: The sets of the copy are built, and there is an environment.
MAKE = f"""
case "$1" in
  assignments) test -d dist/layers ;;
  *) exec {shutil.which("make")} -o .venv/installed "$@" ;;
esac
"""


@confined
def test_a_teachers_first_day_is_as_the_page_says(desk):
    done = typed(block("teaching", "make assignments"), desk, make=MAKE)
    assert done.returncode == 0
    assert {path.name for path in (desk / "dist" / "layers").iterdir()} == {
        "layers.zip", "student", "autograder",
    }  # fmt: skip
    line = block("teaching", "all for the solved", "text").strip()
    assert line in (desk / "dist" / ".." / "built.json").read_text()

    done = typed(block("teaching", "mkdir trial"), desk, make=MAKE)
    assert done.returncode == 0, done.stderr
    assert "2 graded" in done.stdout
    found = table(desk / "grades" / "trial" / "grades.csv")
    assert [found[who]["total"] for who in ("ada", "bob")] == [str(classroom.FULL), "0"]
    first = rows(desk / "grades" / "trial" / "grades.csv")[0]
    assert first["total"] == str(classroom.FULL + 6)


def test_the_link_for_nbgitpuller_leads_to_the_notebook(desk):
    done = typed(block("teaching", "git -C course"), desk)
    assert done.returncode == 0, done.stderr
    link = block("teaching", "git-pull", "text").strip()
    asked = parse_qs(urlsplit(link).query)
    assert set(asked) == {"repo", "branch", "urlpath"}
    # nbgitpuller names the folder as the repository
    folder = urlsplit(asked["repo"][0]).path.rpartition("/")[2]
    tree = f"git -C course ls-tree -r --name-only {asked['branch'][0]}"
    files = {f"lab/tree/{folder}/{file}" for file in typed(tree, desk).stdout.splitlines()}
    assert asked["urlpath"][0] in files
    assert not [file for file in files if "autograder" in file or "solved" in file]


@confined
def test_a_student_hands_in_as_the_page_says_and_a_hub_is_collected(desk, dist, make):
    home = desk / "home" / "ada"
    home.mkdir(parents=True)
    with zipfile.ZipFile(dist / "layers" / "layers.zip") as archive:
        archive.extractall(home)
    folder = home / "layers"
    done = typed(block("handing_in", "pip install"), folder, pip='echo "$@" > asked')
    assert (folder / "asked").read_text() == "install -r requirements.txt\n"
    for line in (folder / "requirements.txt").read_text().splitlines():
        assert (folder / line).is_file() if line.startswith("./") else Requirement(line)

    path = folder / "layers.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.source.startswith("STUDENT = ")]
    assert cell.source == block("handing_in", "STUDENT", "python").strip()
    answered = make.solved("ada")  # with the tests that a student has
    answered["metadata"]["otter"] = dict(notebook.metadata.otter)
    path.write_text(json.dumps(answered))
    done = typed(block("handing_in", "nbconvert"), folder)
    assert done.returncode == 0, done.stderr
    outputs = [
        cell["outputs"] for cell in json.loads(path.read_text())["cells"] if "outputs" in cell
    ]
    said = json.dumps(outputs)
    assert said.count("All test cases passed!") == len(classroom.ALL)

    collect = block("teaching", "for home in").replace("/home/", f"{desk}/home/")
    assert typed(collect, desk).returncode == 0
    (desk / "roster.csv").write_text("id\nada\n")
    done = typed(block("teaching", "SUBMISSIONS=submissions"), desk, make=MAKE)
    assert done.returncode == 0, done.stderr
    found = table(desk / "grades" / "layers" / "grades.csv")["ada"]
    assert (found["total"], found["status"]) == (str(classroom.FULL), "graded")


def test_every_command_of_the_pages_is_tried():
    tried = (
        "make assignments",
        "mkdir trial",
        "git -C course",
        "for home in",
        "SUBMISSIONS=submissions",
    )
    assert len(commands("teaching")) == len(tried)
    assert all(block("teaching", words) for words in tried)
    assert len(commands("handing_in")) == 2


def test_students_are_told_the_same_on_the_page_and_in_the_readme(dist):
    readme = (dist / "layers" / "student" / "README.md").read_text()
    assert block("handing_in", "unzip", "text") in readme
    assert block("handing_in", "pip install").strip() in readme
    assert block("handing_in", "STUDENT", "python").strip() in readme
    assert "How to hand in" in readme
