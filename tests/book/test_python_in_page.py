"""What a press on a button of a page fetches, and that a page without a press stays light."""

import gzip
import json
import re
import zipfile
from pathlib import Path

import pytest

from flopsbook.build import python_in_page
from flopsbook.build.cells import needs
from flopsbook.build.downloads import pages
from flopsbook.build.notebooks import read
from flopsbook.exercises import catalogue

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
NOTEBOOKS = {name: path for name, path in pages().items() if path.suffix == ".ipynb"}
every_notebook = pytest.mark.parametrize("page", NOTEBOOKS)
#: What a page may weigh more than one without Python, compressed.
ROOM = 3 * 1024


@pytest.fixture(autouse=True)
def fresh(fresh_pages):
    """No test looks at pages that are older than their sources."""


@every_notebook
def test_the_cells_of_a_page_are_those_of_its_notebook(page):
    stem = Path(page).name
    cells = json.loads((HTML / "python" / "cells" / f"{stem}.json").read_text())
    sources = [cell.source for cell in read(NOTEBOOKS[page]).cells if cell.cell_type == "code"]
    assert [cell["source"] for cell in cells] == sources
    shown = [cell["shown"] for cell in cells if cell["shown"] is not None]
    written = (HTML / f"{page}.html").read_text()
    assert shown == list(range(written.count('<div class="cell_input')))
    assert all(each < at for at, cell in enumerate(cells) for each in cell["needs"])


@every_notebook
def test_a_page_without_a_press_is_hardly_heavier(page):
    written = (HTML / f"{page}.html").read_text()
    without = re.sub(r'<form class="answer".*?</form>', "", written, flags=re.DOTALL)
    more = len(gzip.compress(written.encode())) - len(gzip.compress(without.encode()))
    if "python.js" in written:
        more += sum(
            len(gzip.compress((HTML / "_static" / name).read_bytes()))
            for name in ("python.js", "python.css")
        )
    assert more <= ROOM


def test_every_exercise_with_an_answer_has_a_box():
    for name in catalogue.chapters():
        written = (HTML / "chapters" / f"{name}.html").read_text()
        found = re.findall(r'<form class="answer" data-exercise="([^"]*)"', written)
        assert found == [f"{name}-{at}" for at in range(1, 1 + len(catalogue.chapter(name)))]


def test_sympy_is_packed_whole_with_its_licence_and_always_the_same(tmp_path):
    for name in ("one.zip", "other.zip"):
        python_in_page.write_zip(tmp_path / name, python_in_page.sources_of("mpmath"))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()
    names = zipfile.ZipFile(HTML / "python" / "sympy.zip").namelist()
    assert {"sympy/__init__.py", "mpmath/__init__.py"} <= set(names)
    assert sum("LICENSE" in name for name in names) >= 2
    assert not any("/tests/" in name for name in names)
    for licence in python_in_page.LICENCES:
        assert (HTML / "python" / licence).stat().st_size > 10_000


def test_another_pyodide_than_the_chosen_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(python_in_page.sys, "prefix", str(tmp_path))
    (tmp_path / f"pyodide/-/pyodide-{python_in_page.VERSION}.tgz").parent.mkdir(parents=True)
    monkeypatch.setattr(python_in_page, "REGISTRY", tmp_path.as_uri())
    with pytest.raises(RuntimeError, match="could not be fetched"):
        python_in_page.pyodide()
    (tmp_path / f"pyodide/-/pyodide-{python_in_page.VERSION}.tgz").write_bytes(b"another")
    with pytest.raises(RuntimeError, match="is not the Pyodide"):
        python_in_page.pyodide()
    assert not (tmp_path / "share").exists()


def test_what_a_cell_needs():
    sources = [
        "import math\nfrom itertools import product as pairs",
        "rows = []",
        "rows.append(math.pi)",
        "rows[0] = 2",
        "def f(x):\n    return x + len(rows)",
        "total = 0",
        "total += f(1)",
        "list(pairs(rows, [total]))",
        "rows = [1]\nrows",
        "[x for x in rows]",
    ]
    found = needs(sources)
    assert found[2].cells == [1]
    assert found[2].imports == ["import math"]
    assert found[3].cells == [1, 2]
    assert found[4].cells == [1, 2, 3]
    assert found[6].cells == [4, 5]
    assert found[7].cells == [1, 2, 3, 6]  # and 6 needs 5
    assert found[7].imports == ["from itertools import product as pairs"]
    assert found[9].cells == [8]
