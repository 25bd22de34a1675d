"""How a chapter reads, in numbers: noun or "what", code before the ideas, the first figure.

    python -m flopsbook.build.reading
    python -m flopsbook.build.reading --figures

The first prints a line for each chapter with exercises, the second looks into the built pages, too,
with Debian's Chromium, and needs what `make test-browser` installs. A test holds the chapters to
the limits.

- **whats**: how often the word is used outside headings and questions, where a noun is plainer;
- **code**: the cells whose code is in sight before the exercises;
- **notes**: how often the text speaks of the source notes, which a reader has never seen;
- **figure**: where on the page the first figure begins, in pixels on a screen.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from flopsbook.build import visible
from flopsbook.build.prose import ROOT

#: In all chapters together.
MOST_WHATS = 60
#: In each chapter.
MOST_CODE = 16
MOST_NOTES = 1
LATEST_FIGURE = 2600
#: The width of the screen on which a figure's place is measured.
SCREEN = 1280

_HEADING = re.compile(r"^(#+ |:{3,}|`{3,}\{[\w:-]+\}).*$", re.MULTILINE)
_SENTENCE = re.compile(r".*?(?:[.!?:;]+[\"'”’)*_]*(?=\s|$)|\n\s*\n|\Z)", re.DOTALL)
_FIGURE = "figure.picture, article img"


class Reading(NamedTuple):
    """How a chapter reads; ``figure`` is None where nobody looked, or where there is none."""

    chapter: str
    whats: int
    code: int
    notes: int
    figure: int | None = None


def whats(text: str) -> int:
    """Count how often Markdown says "what" outside headings and questions.

    >>> whats("## What it costs\\n\\nIt adds what came in. What is left? See `what`.")
    1
    """
    read = visible.in_words(_HEADING.sub(r"\1", text))
    sentences = (sentence for sentence in _SENTENCE.findall(read))
    stated = (sentence for sentence in sentences if "?" not in sentence[-4:])
    return sum(len(re.findall(r"\bwhat\b", sentence, re.IGNORECASE)) for sentence in stated)


def mentions(text: str) -> int:
    """Count how often a text speaks of the source notes.

    >>> mentions("The notes say so, in the source notes' table. She notes it in a notebook.")
    2
    """
    spoken = r"\b(?:the|source|lecture)\s+notes\b"
    return len(re.findall(spoken, visible.in_words(text), re.IGNORECASE))


def chapters() -> list[Path]:
    """Return the chapters that derive something: those with exercises."""
    notebooks = sorted((ROOT / "chapters").glob("*.ipynb"))
    return [path for path in notebooks if _exercises(_cells(path)) is not None]


def _cells(path: Path) -> list[Any]:
    cells: list[Any] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return cells


def _exercises(cells: list[Any]) -> int | None:
    """Return the number of the cell in which the exercises begin."""
    starts = (
        at
        for at, cell in enumerate(cells)
        if cell["cell_type"] == "markdown"
        and re.search(r"^## Exercises$", "".join(cell["source"]), re.MULTILINE)
    )
    return next(starts, None)


def reading(path: Path) -> Reading:
    """Measure a notebook, all but what needs a browser."""
    cells = _cells(path)
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    outputs = [
        text for cell in cells if cell["cell_type"] == "code" for text in visible.outputs(cell)
    ]
    before = cells[: _exercises(cells)]
    return Reading(
        path.stem,
        sum(map(whats, prose)),
        sum(map(visible.shows_code, before)),
        sum(map(mentions, [*prose, *outputs])),
    )


def first_figure(page: Any) -> int | None:
    """Return where the first figure begins on a page that a browser shows, or None."""
    figure = page.query_selector(_FIGURE)
    box = figure and figure.bounding_box()
    return round(box["y"]) if box else None


def first_figures(names: Iterable[str]) -> dict[str, int | None]:
    """Return where the first figure of each built page begins, in pixels from its top."""
    from playwright.sync_api import sync_playwright

    tops: dict[str, int | None] = {}
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": SCREEN, "height": 800})
        for name in names:
            page.goto((ROOT / "_build" / "html" / "chapters" / f"{name}.html").as_uri())
            tops[name] = first_figure(page)
        browser.close()
    return tops


def complaints(readings: Iterable[Reading], *, figures: bool = False) -> list[str]:
    """Say which limits are passed, a line each."""
    readings = list(readings)
    wrong = []
    for read in readings:
        if read.code > MOST_CODE:
            wrong.append(f"{read.chapter}: {read.code} cells of code before the exercises")
        if read.notes > MOST_NOTES:
            wrong.append(f"{read.chapter}: the source notes are mentioned {read.notes} times")
        if figures and (read.figure is None or read.figure > LATEST_FIGURE):
            wrong.append(f"{read.chapter}: the first figure begins at {read.figure} px")
    total = sum(read.whats for read in readings)
    if total > MOST_WHATS:
        wrong.append(f"all chapters: the word 'what' {total} times outside headings and questions")
    return wrong


def table(readings: Iterable[Reading]) -> str:
    """Write what was measured, a line each, and the sum of the whats."""
    readings = list(readings)
    total = ("all chapters", sum(read.whats for read in readings))
    rows: list[Iterable[Any]] = [("chapter", "whats", "code", "notes", "figure"), *readings, total]
    return "\n".join(
        f"{name:24}" + "".join(f"{'-' if n is None else n:>8}" for n in numbers)
        for name, *numbers in rows
    )


def main(arguments: list[str] | None = None) -> int:
    """Print how the chapters read; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flopsbook.build.reading")
    parser.add_argument("--figures", action="store_true", help="look into the built pages, too")
    parser.add_argument("chapters", nargs="*", type=Path, help="all, if none is named")
    given = parser.parse_args(arguments)
    readings = [reading(path) for path in given.chapters or chapters()]
    if given.figures:
        tops = first_figures(read.chapter for read in readings)
        readings = [read._replace(figure=tops[read.chapter]) for read in readings]
    print(table(readings))
    wrong = complaints(readings, figures=given.figures)
    print("\n".join(wrong) or "within all limits")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
