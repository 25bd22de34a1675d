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
from functools import cache
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from sources import sources

from flopsbook.build.downloads import ARCHIVE, Source, main, pages, write_notebooks
from flopsbook.build.launch import addresses
from flopsbook.build.plain import Book, NoPlainFormError, plain, without_glue
from flopsbook.build.site import BUILD, ROOT
from flopsbook.build.wheels import build_wheels
from flopsbook.roles import IN_THE_BOOK

FOLDER = BUILD / "html" / "notebooks"
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
CHAPTERS = [page for page, path in pages().items() if path.suffix == ".ipynb"]
every_chapter = pytest.mark.parametrize("chapter", [Path(page).name for page in CHAPTERS])


pytestmark = pytest.mark.usefixtures("fresh_pages")


def wheels():
    """Return the wheels of the library and of the book's code."""
    return next(FOLDER.glob("flopslib-*.whl")), next(FOLDER.glob("flopsbook-*.whl"))


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
    library, book = wheels()
    assert f"`{library.name}` and `{book.name}`" in first.source
    installed = f'"./{library.name}" "./{book.name}[figures,frames]"'
    assert second.source == f"%pip install --quiet {installed}"
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
    (opening,) = [text for text in texts("conv2d") if "has only 9,408 weights" in text]
    assert "takes 118,013,952 multiplications" in opening


def test_what_only_served_the_text_is_gone():
    code = "\n".join(codes("transformer"))
    assert "all_outside" not in code
    assert "limits" not in code
    assert "trained = {" in code  # hidden in the book, and needed


# --- running them ----------------------------------------------------------------------

RUN = """
import sys, nbformat
from nbclient import NotebookClient
path, installs = sys.argv[1:]
notebook = nbformat.read(path, as_version=4)
if installs == "installed":
    del notebook.cells[1]
notebook.cells.append(nbformat.v4.new_code_cell("import flopslib; print(flopslib.__file__)"))
NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
shown = [o["data"] for c in notebook.cells for o in c.get("outputs", []) if "data" in o]
# a timer of the kernel may cut what a cell prints in two
print("".join(output["text"] for output in notebook.cells[-1].outputs).strip())
print("roles:", sum("}`" in data.get("text/markdown", "") for data in shown))
"""

# the first installs the library, by its own first cell; what .ci/run does beyond these is
# to run every chapter, which takes minutes
SOME = ("linear", "cost_table", "why_tools_disagree")


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
        if not {"flopslib", "flopsbook"} & set(re.split(r"\W|_", package.name)):
            (packages / package.name).symlink_to(package)
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", IN_THE_BOOK}}
    environment |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment |= {"JUPYTER_PATH": str(place), "IPYTHONDIR": str(place / "ipython")}
    probe = subprocess.run([python, "-c", "import flopslib"], capture_output=True, cwd=place)
    assert b"No module named 'flopslib'" in probe.stderr
    return place / Path(ARCHIVE).stem, python, environment


def run(elsewhere, chapter, *, installs=False):
    folder, python, environment = elsewhere
    result = subprocess.run(
        [python, "-c", RUN, f"{chapter}.ipynb", "installs" if installs else "installed"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    return chapter, result


def test_they_run_outside_the_repository(elsewhere):
    every = [Path(page).name for page in CHAPTERS]
    first, *others = every if os.environ.get("EVERY_CHAPTER") else SOME
    results = [run(elsewhere, first, installs=True)]
    with ThreadPoolExecutor(2) as pool:
        results += pool.map(lambda chapter: run(elsewhere, chapter), others)
    for chapter, result in results:
        assert result.returncode == 0, f"{chapter}: {result.stderr[-3000:]}"
        library, roles = result.stdout.splitlines()[-2:]
        assert library.startswith(str(elsewhere[0].parent / "env")), chapter
        assert roles == "roles: 0", chapter


def test_no_cell_uses_a_name_that_was_left_behind():
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", FOLDER]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_they_import_nothing_but_what_is_installed_with_the_library():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    book = tomllib.loads((ROOT / "flopsbook" / "pyproject.toml").read_text())["project"]
    book = book["optional-dependencies"]
    wanted = [*project["dependencies"], *book["figures"], *book["frames"]]
    installed = {Requirement(text).name for text in wanted} | {"flopslib", "flopsbook", "IPython"}
    for chapter in (Path(page).name for page in CHAPTERS):
        for source in codes(chapter)[1:]:
            for node in ast.walk(ast.parse(source)):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) else []
                for name in (name.partition(".")[0] for name in names):
                    assert name in installed | sys.stdlib_module_names, (chapter, name)


# --- the library and the archive -------------------------------------------------------


def test_the_wheels_have_each_its_part_and_nothing_else():
    library, book = map(contents, wheels())
    assert library == sources("flopslib")
    # what makes the pages needs the repository, and so does what makes the wheel
    stays = {"flopsbook/pyproject.toml", *sources("flopsbook/build")}
    assert book == sources("flopsbook") - stays


def contents(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if ".dist-info/" not in name}


def test_no_answer_of_a_graded_question_is_in_a_wheel():
    questions = {name for name in sources("assignments") if name.endswith(".py")}
    for wheel in wheels():
        assert not {Path(name).name for name in contents(wheel)} & {"hidden.py", "question.py"}
        assert not any("assignments" in name for name in contents(wheel))
    assert len(questions) > 5


def test_equal_sources_are_equal_files(tmp_path):
    one, two = (build_wheels(tmp_path / name) for name in ("one", "two"))
    assert [wheel.read_bytes() for wheel in one] == [wheel.read_bytes() for wheel in two]


def test_the_archive_has_all_of_it():
    with zipfile.ZipFile(FOLDER / ARCHIVE) as archive:
        names = {Path(name).name for name in archive.namelist()}
    notebooks = {f"{Path(page).name}.ipynb" for page in CHAPTERS}
    assert names == notebooks | {wheel.name for wheel in wheels()}


# --- what the conversion refuses and keeps ---------------------------------------------

BOOK = Book({"chapters/linear": "The linear layer"}, {"he2016deep": "He et al., 2016"}, str)


def cells_of(*sources, tags=()):
    notebook = nbformat.v4.new_notebook()
    for kind, source in sources:
        notebook.cells.append(getattr(nbformat.v4, f"new_{kind}_cell")(source))
        notebook.cells[-1].metadata["tags"] = list(tags) if kind == "code" else []
    cells, _ = plain(notebook, "chapters/page", BOOK)
    return [cell["source"] for cell in cells]


@pytest.mark.parametrize("source", ["```{figure} a.png\n```", "see {numref}`x`"])
def test_what_has_no_plain_form_is_named(source):
    with pytest.raises(NoPlainFormError, match=r"chapters/page: the (directive|role) \{\w+\}"):
        cells_of(("markdown", source))


def test_directives_become_plain():
    (text,) = cells_of(
        ("markdown", "::::{div} takeaway\nTwo for each.\n::::\n\n```\n{doc}`x`\n```")
    )
    assert text == "> Two for each.\n\n```\n{doc}`x`\n```"


def test_links_and_citations_become_plain():
    (text,) = cells_of(
        (
            "markdown",
            "{doc}`linear`, {doc}`it <linear>`, [that](linear), {cite}`he2016deep`, [b](c)",
        )
    )
    linear = "(chapters/linear)"
    assert (
        text
        == f"[The linear layer]{linear}, [it]{linear}, [that]{linear}, (He et al., 2016), [b](c)"
    )


def test_a_solution_moves_to_the_end_with_its_code():
    cells = cells_of(
        (
            "markdown",
            "Text\n\n```{exercise} One\n:label: a\n\nHow many?\n```\n\n```{solution-start} a\n```",
        ),
        ("code", "print(2)"),
        ("markdown", "So two.\n\n```{solution-end}\n```\n\nMore text"),
        ("code", "print(3)"),
    )
    assert cells == [
        "Text\n\n### Exercise 1: One\n\nHow many?\n\nMore text",
        "print(3)",
        "## Solutions\n\n### Solution 1: One",
        "print(2)",
        "So two.",
    ]


def test_a_hidden_cell_keeps_what_is_used():
    hidden = "from myst_nb import glue\nimport math\nn = [bound for bound in (1, 2)]\nm = math.pi\nassert n"
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(hidden, metadata={"tags": ["remove-cell"]}),
        nbformat.v4.new_code_cell("bound = m\nprint(bound)"),
    ]
    cells, _ = plain(notebook, "chapters/page", BOOK)
    assert cells[0]["source"] == "import math\nm = math.pi"


def test_a_loop_that_only_hands_over_is_left_out_and_another_is_not():
    assert without_glue("for a in b:\n    glue('x', a)\nc = 1") == "c = 1"
    assert without_glue("for a in b:\n    glue('x', a)\n    d(a)") == "for a in b:\n    d(a)"


# --- buttons ---------------------------------------------------------------------------


@cache
def links(chapter, html=BUILD / "html"):
    """Return the links of a page that lead to its notebook, by where they stand: read once."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup((html / "chapters" / f"{chapter}.html").read_text(), "html.parser")
    places = {
        "download": ".dropdown-download-buttons .dropdown-item",
        "launch": ".dropdown-launch-buttons .dropdown-item",
        "exercises": "h2 + .to-run a",
    }
    return {
        place: [tag["href"] for tag in page.select(found) if tag.get("href")]
        for place, found in places.items()
    }


@every_chapter
def test_the_page_offers_it(chapter):
    found = links(chapter)
    assert found["download"] == [f"../notebooks/{chapter}.ipynb", f"../notebooks/{ARCHIVE}"]
    assert found["launch"] == []


@every_chapter
def test_the_exercises_say_where_answers_are_checked(chapter):
    asks = any("check(" in text for text in texts(chapter))
    notebook = f"../notebooks/{chapter}.ipynb"
    assert links(chapter)["exercises"] == ["progress.html", notebook] * asks


SERVICES = yaml.safe_load((ROOT / "_config.yml").read_text())["launch_buttons"]


def test_where_a_chapter_can_be_run():
    found = dict(addresses("chapters/linear", "https://github.com/a/b/", "main", SERVICES))
    notebook = "notebooks/linear.ipynb"
    assert found == {
        "Binder": f"https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/{notebook}",
        "Colab": f"https://colab.research.google.com/github/a/b/blob/gh-pages/{notebook}",
    }
    elsewhere = dict(addresses("chapters/linear", "https://git.example.net/a/b", "main", SERVICES))
    assert elsewhere == {
        "Binder": "https://mybinder.org/v2/git/https%3A%2F%2Fgit.example.net%2Fa%2Fb/main"
        f"?urlpath=lab/tree/{notebook}"
    }
    gitlab = dict(addresses("chapters/linear", "https://gitlab.com/a/b", "main", SERVICES))
    assert gitlab["Binder"].startswith("https://mybinder.org/v2/gl/a%2Fb/main")
    assert addresses("chapters/linear", "", "main", SERVICES) == []
    assert addresses("chapters/linear", "https://github.com/a/b", "main", {}) == []


def test_one_address_switches_the_buttons_on(tmp_path):
    copy = tmp_path / "book"
    copy.mkdir()
    for name in ("flopslib", "flopsbook", "pyproject.toml", "README.md", "LICENSE"):
        (copy / name).symlink_to(ROOT / name)
    config = (ROOT / "_config.yml").read_text()
    assert 'url: ""' in config
    (copy / "_config.yml").write_text(config.replace('url: ""', 'url: "https://github.com/a/b"'))
    (copy / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n  - chapters:\n      - file: chapters/notation\n"
    )
    (copy / "index.md").write_text("# Book\n")
    chapters = copy / "chapters"
    chapters.mkdir()
    (chapters / "_static").symlink_to(ROOT / "chapters" / "_static")
    (chapters / "references.bib").symlink_to(ROOT / "chapters" / "references.bib")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Notation")])
    nbformat.write(notebook, chapters / "notation.ipynb")
    subprocess.run(
        [sys.executable, "-c", JUPYTER_BOOK, "build", str(copy), "-W", "-n", "--keep-going"],
        cwd=copy,
        check=True,
        capture_output=True,
    )
    html = copy / "_build" / "html"
    assert links("notation", html)["launch"] == [
        address
        for _, address in addresses("chapters/notation", "https://github.com/a/b", "main", SERVICES)
    ]
    taken = nbformat.read(html / "notebooks" / "notation.ipynb", as_version=4)
    at = "git+https://github.com/a/b@main"
    book = f"flopsbook[figures,frames] @ {at}#subdirectory=flopsbook"
    assert taken.cells[1].source == f'%pip install --quiet "flopslib @ {at}" "{book}"'


def test_the_site_address_makes_links_to_the_pages(tmp_path):
    write_notebooks(tmp_path, Source(wheels=("x.whl", "y.whl"), site="https://a.github.io/b/"))
    text = (tmp_path / "conv2d.ipynb").read_text()
    assert "](https://a.github.io/b/chapters/depthwise_separable.html)" in text


# --- Binder ----------------------------------------------------------------------------


def test_binder_installs_what_the_lock_pins():
    pinned = (ROOT / ".binder" / "requirements.txt").read_text().split()
    locked = re.findall(r"^[\w.-]+==\S+", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert set(pinned) <= set(locked)
    wanted = (ROOT / ".binder" / "requirements.in").read_text().splitlines()
    names = {pin.partition("==")[0] for pin in pinned}
    assert {name for name in wanted if not name.startswith("#")} <= names


def test_binder_writes_the_notebooks_the_buttons_open(tmp_path, capsys):
    script = ROOT / ".binder" / "postBuild"
    assert os.access(script, os.X_OK)
    assert "flopsbook.build.downloads --installed notebooks" in script.read_text()
    assert main(["--installed", str(tmp_path)]) == 0
    assert f"wrote {len(CHAPTERS)} notebooks" in capsys.readouterr().out
    assert {path.stem for path in tmp_path.iterdir()} == {Path(page).name for page in CHAPTERS}
    assert not any("%pip" in path.read_text() for path in tmp_path.iterdir())
