"""Python for the pages: Pyodide, the library, the code of the cells, and boxes for answers.

Nothing of it is loaded before a reader presses a button. ``page/runner.js`` and ``page/worker.js``
then fetch, from the folder ``python`` beside the pages and from nowhere else, Pyodide's core as
published on npm, the two wheels of this checkout, and SymPy, packed from the packages that the
book is built with, once something imports it.

Pyodide is fetched once, held to its hash, and kept in the environment, so that a later build needs
no network.
"""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.metadata
import io
import json
import os
import shutil
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flopsbook.build.cells import needs
from flopsbook.build.downloads import FOLDER as WHEELS
from flopsbook.build.downloads import pages
from flopsbook.build.notebooks import read
from flopsbook.build.wheels import LONG_AGO
from flopsbook.exercises import catalogue
from flopsbook.exercises.exercise import Exercise, Question
from flopsbook.exercises.kinds import Function, Word

HERE = Path(__file__).resolve().parent
FOLDER = "python"
VERSION = "314.0.7"
#: npm's own digest of the package.
SHA512 = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
REGISTRY = "https://registry.npmjs.org"
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
#: Pyodide's own, and that of the Python in it.
LICENCES = ("MPL-2.0.txt", "Python-2.0.txt")
#: What the page's own scripts are called.
SCRIPTS = ("runner.js", "worker.js")
HIDDEN = {"remove-cell", "remove-input"}


# --- Pyodide ------------------------------------------------------------------------------


def pyodide() -> bytes:
    """Return Pyodide's package, from the environment or, the first time, from npm.

    Raises:
        RuntimeError: it cannot be fetched, or is not what it was when it was chosen.
    """
    name = f"pyodide-{VERSION}.tgz"
    kept = Path(sys.prefix) / "share" / "flopsbook" / name
    if kept.exists() and _is_right(package := kept.read_bytes()):
        return package
    address = f"{REGISTRY}/pyodide/-/{name}"
    try:
        with urllib.request.urlopen(address, timeout=120) as answer:
            package = bytes(answer.read())
    except OSError as fault:
        raise RuntimeError(
            f"Pyodide, Python for the pages, could not be fetched from {address} ({fault}). "
            f"It is needed once; where there is no network, put the file at {kept}."
        ) from fault
    if not _is_right(package):
        raise RuntimeError(f"{address} is not the Pyodide {VERSION} that the book was made with")
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f"{name}.{os.getpid()}")
    part.write_bytes(package)
    part.replace(kept)
    return package


def _is_right(package: bytes) -> bool:
    return base64.b64encode(hashlib.sha512(package).digest()).decode() == SHA512


def write_core(folder: Path) -> dict[str, Any]:
    """Unpack Pyodide's core into a folder; return what it calls its platform."""
    with tarfile.open(fileobj=io.BytesIO(pyodide())) as archive:
        for name in CORE:
            member = archive.extractfile(f"package/{name}")
            assert member is not None
            (folder / name).write_bytes(member.read())
        lock = archive.extractfile("package/pyodide-lock.json")
        assert lock is not None
        info: dict[str, Any] = json.load(lock)["info"]
    return info


# --- packages -----------------------------------------------------------------------------


def write_zip(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files into an archive that is the same whenever they are the same."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in files:
            archive.writestr(zipfile.ZipInfo(name), contents, zipfile.ZIP_DEFLATED)


def sources_of(*packages: str) -> Iterable[tuple[str, bytes]]:
    """Yield the files of installed packages that run, and their licences; no tests."""
    for package in packages:
        for path in sorted(importlib.metadata.files(package) or (), key=str):
            parts = path.parts
            is_code = parts[0] == package and path.suffix == ".py" and not _is_test(parts)
            if is_code or _is_licence(path.name):
                yield path.as_posix(), Path(str(path.locate())).read_bytes()


def _is_test(parts: tuple[str, ...]) -> bool:
    # sympy.testing is imported by sympy itself; what tries SymPy out is not
    return bool({"tests", "benchmarks"} & set(parts))


def _is_licence(name: str) -> bool:
    return name.upper().startswith(("LICENSE", "COPYING"))


def pretty() -> Iterable[tuple[str, bytes]]:
    """Yield what the pages have of IPython: how it prints a value, and its licence."""
    for name in ("IPython/__init__.py", "IPython/lib/__init__.py"):
        yield name, b""
    for path in importlib.metadata.files("ipython") or ():
        if path.as_posix() == "IPython/lib/pretty.py" or _is_licence(path.name):
            yield path.as_posix(), Path(str(path.locate())).read_bytes()


# --- cells ---------------------------------------------------------------------------------


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    """Return the code cells of a chapter: source, place among those shown, and what each needs."""
    cells = [cell for cell in read(notebook).cells if cell.cell_type == "code"]
    sources = [cell.source for cell in cells]
    seconds = slow().get(notebook.stem, {})
    shown = 0
    found = []
    for cell, before in zip(cells, needs(sources), strict=True):
        is_shown = not HIDDEN & set(cell.metadata.get("tags", []))
        found.append(
            {
                "source": cell.source,
                "shown": shown if is_shown else None,
                "needs": before.cells,
                "imports": before.imports,
                "seconds": seconds.get(cell.id, 0),
            }
        )
        shown += is_shown
    return found


def slow() -> dict[str, dict[str, float]]:
    """Return how many seconds the cells take in a page that take long, by chapter and cell."""
    measured: dict[str, dict[str, float]] = json.loads((HERE / "page" / "slow.json").read_text())
    return measured


# --- answers -------------------------------------------------------------------------------


def box(key: str, exercise: Exercise) -> str:
    """Return the form for the answers to an exercise, as HTML."""
    fields = "".join(map(_field, exercise.questions))
    return (
        f'<form class="answer" data-exercise="{key}" autocomplete="off">{fields}'
        '<button type="submit">Check</button> '
        '<button type="button" class="hint-button">Hint</button>'
        '<output aria-live="polite"></output></form>\n'
    )


def _field(question: Question) -> str:
    asks = html.escape(question.asks[0].upper() + question.asks[1:])
    kind = question.kind
    if isinstance(kind, Word):
        choices = "".join(f"<option>{html.escape(choice)}</option>" for choice in kind.choices)
        field = f'<select name="answer"><option value="">…</option>{choices}</select>'
    elif isinstance(kind, Function):
        start = f"def f({', '.join(kind.arguments)}):\n    return ..."
        field = f'<textarea name="answer" rows="4" spellcheck="false">{start}</textarea>'
    else:
        field = '<input name="answer" spellcheck="false" autocapitalize="off">'
    return f"<label>{asks} {field}</label>"


def make_boxes(app: Any) -> None:
    """Make the boxes of all chapters: once Sphinx has read the API, it has other modules loaded."""
    app.checked_exercises = {name: catalogue.chapter(name) for name in catalogue.chapters()}
    app.answer_boxes = {
        name: {
            exercise.label: box(f"{name}-{number}", exercise)
            for number, exercise in enumerate(exercises, start=1)
        }
        for name, exercises in app.checked_exercises.items()
    }


def add_boxes(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Put a box under each exercise of a page, and load the script of its buttons."""
    body, name = context.get("body", ""), Path(page).name
    if not _is_our_book(app) or not page.startswith("chapters/"):
        return
    for label, form in app.answer_boxes.get(name, {}).items():
        start = body.index(f'<div class="exercise admonition" id="{label}">')
        end = body.index("</section>", start)
        body = body[:end] + form + body[end:]
    if name == PROGRESS:
        body = body.replace(HERE_GOES_THE_LIST, _progress(app, context["pathto"]))
        app.add_js_file("progress.js", loading_method="defer")
        app.add_css_file("python.css")
    context["body"] = body
    if 'class="cell_input' in body:
        app.add_js_file("python.js", loading_method="defer", **{"data-cells": name})
        app.add_css_file("python.css")


#: The page that lists all exercises, and where on it.
PROGRESS = "progress"
HERE_GOES_THE_LIST = '<div class="answers-kept"></div>'


def _progress(app: Any, link: Callable[[str], str]) -> str:
    """Return a list of all exercises, chapter by chapter, which the page's script ticks."""
    parts = []
    for page in pages(Path(app.srcdir)):
        name = Path(page).name
        if not app.answer_boxes.get(name):
            continue
        items = "".join(
            f'<li data-exercise="{name}-{number}"><a href="{link(page)}#{exercise.label}">'
            f"{html.escape('; '.join(q.asks for q in exercise.questions))}</a></li>"
            for number, exercise in enumerate(app.checked_exercises[name], start=1)
        )
        title = html.escape(app.env.titles[page].astext())
        parts.append(f"<h2>{title}</h2><ol>{items}</ol>")
    return f'<div class="answers-kept"><div class="answers-bar"></div>{"".join(parts)}</div>'


def _is_our_book(app: Any) -> bool:
    return (Path(app.srcdir) / "pyproject.toml").exists()  # and no test's


# --- the files -----------------------------------------------------------------------------


def publish(app: Any, exception: Exception | None) -> None:
    """Write all that a press needs into the folder ``python`` beside the pages."""
    if exception or app.builder.format != "html" or not _is_our_book(app):
        return
    folder = Path(app.outdir) / FOLDER
    if not folder.exists():
        _write_packages(folder)
    (folder / "cells").mkdir(exist_ok=True)
    for notebook in (Path(app.srcdir) / "chapters").glob("*.ipynb"):
        cells = json.dumps(cells_of(notebook), ensure_ascii=False, separators=(",", ":"))
        (folder / "cells" / f"{notebook.stem}.json").write_text(cells)


def _write_packages(folder: Path) -> None:
    """Write what changes with the library or the packages alone."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    packages = write_core(part)
    write_zip(part / "sympy.zip", sources_of("sympy", "mpmath"))
    write_zip(part / "python.zip", pretty())
    for name in SCRIPTS:
        shutil.copy(HERE / "page" / name, part)
    shutil.copy(HERE / "vendor" / "katex" / "katex.min.js", part)
    for licence in LICENCES:
        shutil.copy(HERE.parents[1] / "LICENSES" / licence, part)
    wheels = sorted((folder.parent / WHEELS).glob("*.whl"), reverse=True)
    weights = {path: _weight(path) for path in [*part.iterdir(), *wheels]}
    later = ("sympy.zip", "katex.min.js")
    settings = {
        "packages": packages,
        "wheels": [f"../{WHEELS}/{wheel.name}" for wheel in wheels],
        "bytes": sum(weight for path, weight in weights.items() if path.name not in later),
        "sympy": weights[part / "sympy.zip"],
    }
    (part / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")
    part.rename(folder)


def _weight(path: Path) -> int:
    """Return what a file weighs on its way, compressed as web hosts do."""
    import gzip

    return len(gzip.compress(path.read_bytes(), mtime=LONG_AGO))


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx, after the wheels."""
    app.connect("builder-inited", make_boxes)
    app.connect("html-page-context", add_boxes, priority=585)
    app.connect("build-finished", publish, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
