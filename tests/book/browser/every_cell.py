"""Every code cell of every chapter in the Python of a page, in order, against the build.

By name alone: ``make test-python``. With ``--record`` the cells that take long are stored, so that
a page can warn of them.
"""

import json
import time
from pathlib import Path

import pytest
from python import ask

from flopsbook.build import python_in_page
from flopsbook.build.downloads import pages
from flopsbook.build.notebooks import DROPPED, read

NOTEBOOKS = {Path(name).name: path for name, path in pages().items() if path.suffix == ".ipynb"}
#: Cells whose output in a page is another: for each chapter their ids, and why.
REVIEWED = json.loads((Path(__file__).parent / "other_in_a_page.json").read_text())
#: At most one cell in so many is another.
FEW = 15
SLOW = python_in_page.HERE / "page" / "slow.json"
#: What takes longer is worth a warning.
LONG = 4.0

SEEN, TIMES = {}, {}


def stored(cell):
    """Return what the build shows of a cell: its text, and each of its outputs."""
    printed, shown = "", []
    for output in cell.outputs:
        if output.output_type == "stream":
            printed += output.text
        else:
            shown.append({k: v for k, v in output.data.items() if k not in DROPPED})
    return printed, shown


def differs(page, cell, place):
    result = ask(page, "run", source=cell.source, name=f"cell {place}")
    if result["error"]:
        return result["missing"] or result["error"].splitlines()[-1]
    found = (result["printed"], result["outputs"])
    return None if found == stored(cell) else f"{found} is not {stored(cell)}"


@pytest.mark.parametrize("chapter", NOTEBOOKS)
def test_the_cells_of_a_chapter_do_what_they_do_in_the_build(reader, chapter):
    page = reader.open(f"chapters/{chapter}.html")
    ask(page, "load")
    found, times = {}, {}
    cells = [cell for cell in read(NOTEBOOKS[chapter]).cells if cell.cell_type == "code"]
    for place, cell in enumerate(cells, start=1):
        start = time.monotonic()
        if why := differs(page, cell, place):
            found[cell.id] = why
        if (seconds := time.monotonic() - start) > LONG:
            times[cell.id] = round(seconds)
    SEEN[chapter], TIMES[chapter] = len(cells), times
    print(json.dumps({chapter: found}, indent=1))
    assert set(found) == set(REVIEWED.get(chapter, {})), found
    for cell, why in REVIEWED.get(chapter, {}).items():
        assert why in found[cell]


def test_few_cells_are_another(request):
    if len(SEEN) < len(NOTEBOOKS):
        pytest.skip("not all chapters were run")
    assert FEW * sum(map(len, REVIEWED.values())) <= sum(SEEN.values())
    if request.config.option.record:
        SLOW.write_text(json.dumps({c: t for c, t in TIMES.items() if t}, indent=1) + "\n")
