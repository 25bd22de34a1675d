"""What a reader takes along: plain notebooks that run where nothing but their library is."""

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

from flopslib.book import build
from flopslib.book.downloads import ARCHIVE, Source, build_wheel, main, pages, write_notebooks
from flopslib.book.launch import addresses
from flopslib.book.plain import Book, NoPlainForm, plain, without_glue
from flopslib.roles import IN_THE_BOOK

ROOT = build.ROOT
FOLDER = build.BUILD / "html" / "notebooks"
CHAPTERS = [page for page, path in pages().items() if path.suffix == ".ipynb"]
every_chapter = pytest.mark.parametrize("chapter", [Path(page).name for page in CHAPTERS])


@pytest.fixture(scope="module", autouse=True)
def fresh():
    assert build.is_fresh(), "the pages are not those of the present sources: run make book"


def read(chapter):
    return nbformat.read(FOLDER / f"{chapter}.ipynb", as_version=4)


def texts(chapter):
    return [cell.source for cell in read(chapter).cells if cell.cell_type == "markdown"]


def codes(chapter):
    return [cell.source for cell in read(chapter).cells if cell.cell_type == "code"]


# --- their form ------------------------------------------------------------------------


def test_every_chapter_can_be_taken_along():
    assert len(CHAPTERS) >= 17
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {Path(page).name for page in CHAPTERS}


@every_chapter
def test_it_is_a_notebook_that_was_never_run(chapter):
    notebook = read(chapter)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.metadata
        assert cell.source.strip()
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@every_chapter
def test_it_says_nothing_in_the_language_of_the_book(chapter):
    for source in texts(chapter):
        assert not re.search(r"^\s*(`{3,}|:{3,})\{", source, flags=re.MULTILINE), source
        assert ":::" not in source
        assert not re.search(r"\{[\w:-]+\}`", source), source
        assert not re.search(r"^:\w+:|^\(\S+\)=$", source, flags=re.MULTILINE), source
    assert not any("glue" in source or "myst" in source for source in codes(chapter))


@every_chapter
def test_it_begins_with_how_to_install_its_library(chapter):
    first, second, third = read(chapter).cells[:3]
    (wheel,) = FOLDER.glob("*.whl")
    assert wheel.name in first.source
    assert second.source == f'%pip install --quiet "./{wheel.name}[figures,frames]"'
    assert third.source.startswith("# ")


@every_chapter
def test_its_solutions_stand_at_the_end(chapter):
    notebook = json.loads((ROOT / "chapters" / f"{chapter}.ipynb").read_text())
    prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    number = len(re.findall(r"\{exercise\}", prose))
    headings = [h for text in texts(chapter) for h in re.findall(r"^#+ .*", text, re.MULTILINE)]
    numbered = [re.sub(r"^### (\w+ \d+): .*", r"\1", h) for h in headings if h[:4] == "### "]
    exercises = [name for name in numbered if name.startswith("Exercise ")]
    solutions = [name for name in numbered if name.startswith("Solution ")]
    assert len(exercises) == len(solutions) == number
    if number:
        last = headings.index(next(h for h in reversed(headings) if "### Exercise" in h))
        assert headings[last + 1] == "## Solutions"


@every_chapter
def test_it_lost_no_visible_code(chapter):
    notebook = json.loads((ROOT / "chapters" / f"{chapter}.ipynb").read_text())
    taken = codes(chapter)
    for cell in notebook["cells"]:
        hidden = "remove-cell" in cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and not hidden:
            taken.remove("".join(cell["source"]))  # each once


@every_chapter
def test_its_links_lead_to_its_neighbours(chapter):
    for source in texts(chapter):
        for target in re.findall(r"\]\((?!http)([^)]+)\)", source):
            assert (FOLDER / target).exists(), target


def test_the_references_are_words():
    text = "\n".join(texts("conv2d"))
    assert "VGG (Simonyan and Zisserman, 2015)." in text
    assert "- Karen Simonyan and Andrew Zisserman. Very deep" in text
    assert "(Brown et al., 2020)" in "\n".join(texts("linear"))


def test_numbers_of_the_text_are_in_it():
    (opening,) = [text for text in texts("conv2d") if "slides 64 kernels" in text]
    assert "spends 118,013,952 multiplications" in opening


def test_what_only_served_the_text_is_gone():
    code = "\n".join(codes("transformer"))
    assert "all_outside" not in code
    assert "limits" not in code
    assert "words = 50257" in code  # hidden in the book, and needed


# --- running them ----------------------------------------------------------------------

RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell("import flopslib; print(flopslib.__file__)"))
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
shown = [o["data"] for c in notebook.cells for o in c.get("outputs", []) if "data" in o]
print(notebook.cells[-1].outputs[-1]["text"].strip())
print("roles:", sum("}`" in data.get("text/markdown", "") for data in shown))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder outside the repository with the archive in it, and an environment of its own.

    The environment sees the locked packages, one by one, but not the repository's library.
    """
    place = tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(FOLDER / ARCHIVE) as archive:
        archive.extractall(place)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "env"], check=True)
    python = place / "env" / "bin" / "python"
    command = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(command, capture_output=True, text=True).stdout.strip())
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if "flopslib" not in package.name:
            (packages / package.name).symlink_to(package)
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", IN_THE_BOOK}}
    environment |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment |= {"JUPYTER_PATH": str(place), "IPYTHONDIR": str(place / "ipython")}
    probe = subprocess.run([python, "-c", "import flopslib"], capture_output=True, cwd=place)
    assert b"No module named 'flopslib'" in probe.stderr
    return place / Path(ARCHIVE).stem, python, environment


def run(elsewhere, chapter):
    folder, python, environment = elsewhere
    result = subprocess.run(
        [python, "-c", RUN, f"{chapter}.ipynb"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    return chapter, result


def test_they_run_outside_the_repository(elsewhere):
    # the first installs the library, by its own first cell; two at a time do the rest
    names = [Path(page).name for page in CHAPTERS]
    results = [run(elsewhere, names[0])]
    with ThreadPoolExecutor(2) as pool:
        results += pool.map(lambda name: run(elsewhere, name), names[1:])
    for name, result in results:
        assert result.returncode == 0, f"{name}: {result.stderr[-3000:]}"
        library, roles = result.stdout.splitlines()[-2:]
        assert library.startswith(str(elsewhere[0].parent / "env")), name
        assert roles == "roles: 0", name
