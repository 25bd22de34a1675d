"""Each chapter as a notebook to take along, with the library it needs.

    python -m flopsbook.build.downloads notebooks

writes them into a folder. The build of the pages publishes them by itself, under
``notebooks/``: every chapter, the library and the book's code as wheels, and all of it as one
archive, with a button at the head of each page. What they look like inside is decided in
:mod:`flopsbook.build.plain`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flopsbook.build.notebooks import NOTEBOOK_METADATA, read
from flopsbook.build.plain import Book, NoPlainFormError, plain
from flopsbook.build.references import TheBook, label
from flopsbook.build.wheels import build_wheels, kept_wheels

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "notebooks"
ARCHIVE = "counting-flops-notebooks.zip"
EXTRAS = "figures,frames"


@dataclass(frozen=True)
class Source:
    """Where a notebook's links lead, and where its library comes from.

    Attributes:
        wheels: the file names of the library and of the book's code, beside the notebook.
        repository: the address of the public repository; "": there is none yet.
        branch: its branch.
        site: the address of the published pages; "": there is none yet.
        installed: whether the library is there already, as on Binder.
    """

    wheels: tuple[str, str] = ("", "")
    repository: str = ""
    branch: str = "main"
    site: str = ""
    installed: bool = False

    def head(self) -> list[dict[str, str]]:
        """Return the cells that stand before the chapter."""
        book = f"[Counting FLOPs]({self.site})" if self.site else "Counting FLOPs"
        what = (
            f"*A chapter of the book {book}, as a notebook to run and to change. "
            "Text under CC BY 4.0, code under BSD-3-Clause.*"
        )
        if self.installed:
            return [{"cell_type": "markdown", "source": what}]
        library, book = self.wheels
        if self.repository:
            at = f"git+{self.repository}@{self.branch}"
            packages = (f"flopslib @ {at}", f"flopsbook[{EXTRAS}] @ {at}#subdirectory=flopsbook")
            where = ""
        else:
            packages = (f"./{library}", f"./{book}[{EXTRAS}]")
            where = f", from `{library}` and `{book}`, which have to lie in the same folder"
        how = (
            "It needs Python 3.11 or newer. This cell installs flopslib, the library, and "
            f"flopsbook, the figures and exercises of the book{where}:"
        )
        written = " ".join(f'"{package}"' for package in packages)
        return [
            {"cell_type": "markdown", "source": f"{what}\n\n{how}"},
            {"cell_type": "code", "source": f"%pip install --quiet {written}"},
        ]

    def address(self, page: str, notebooks: Iterable[str]) -> str | None:
        """Return where a link to a page of the book leads; None: nowhere."""
        if self.site:
            return f"{self.site.rstrip('/')}/{page}.html"
        return f"{Path(page).name}.ipynb" if page in notebooks else None


# --- what the book says about its pages ------------------------------------------------


def pages(root: Path = ROOT) -> dict[str, Path]:
    """Return the pages of the book in their order, and the file of each."""
    import yaml

    contents = yaml.safe_load((root / "_toc.yml").read_text())
    chapters = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    names = [contents["root"], *chapters]
    return {
        name: next(
            path for suffix in (".ipynb", ".md") if (path := root / f"{name}{suffix}").exists()
        )
        for name in names
    }


def title(path: Path) -> str:
    """Return the first heading of a page."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    found = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    return found[1].strip() if found else path.stem


def references(root: Path = ROOT) -> tuple[dict[str, str], dict[str, str]]:
    """Return for each reference its label, "He et al., 2016", and its entry as Markdown."""
    return _references_in((root / "chapters" / "references.bib").read_text())


@cache
def _references_in(bibliography: str) -> tuple[dict[str, str], dict[str, str]]:
    from pybtex.backends.markdown import Backend
    from pybtex.database import parse_string

    entries = parse_string(bibliography, "bibtex").entries
    labels = {key: label(entry) for key, entry in entries.items()}
    written = {
        entry.key: re.sub(r"\\([-.()])", r"\1", entry.text.render(Backend())).replace("\n", " ")
        for entry in TheBook().format_entries(entries.values())
    }
    return labels, written


# --- the files -----------------------------------------------------------------------


def write_notebooks(
    folder: Path, source: Source, root: Path = ROOT, changed: Container[str] | None = None
) -> list[Path]:
    """Write every chapter as a plain notebook; return their paths.

    Where it is known which pages have ``changed``, the notebooks of all others stay.

    Raises:
        NoPlainFormError: something in a chapter cannot be said in plain Markdown yet.
    """
    import nbformat

    files = pages(root)
    notebooks = {page: path for page, path in files.items() if path.suffix == ".ipynb"}
    labels, entries = references(root)
    book = Book(
        titles={page: title(path) for page, path in files.items()},
        labels=labels,
        address=lambda page: source.address(page, notebooks),
    )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for page, path in notebooks.items():
        target = folder / path.name
        written.append(target)
        if changed is None or page in changed or not target.exists():
            cells, cited = plain(read(path), page, book)
            cells = [*source.head(), *cells, *_references(cited, entries)]
            target.write_text(nbformat.writes(_notebook(cells), indent=1) + "\n")
    return written


def _references(cited: list[str], entries: dict[str, str]) -> list[dict[str, str]]:
    lines = [f"- {entries[key]} (`{key}`)" for key in cited]
    text = "\n".join(["## References", "", *lines])
    return [{"cell_type": "markdown", "source": text}] if lines else []


def _notebook(cells: list[dict[str, str]]) -> Any:
    import nbformat

    numbered = [
        OF_ITS_KIND[cell["cell_type"]] | {"source": cell["source"], "id": f"cell-{at:02d}"}
        for at, cell in enumerate(cells, start=1)
    ]
    return nbformat.from_dict(
        {"cells": numbered, "metadata": NOTEBOOK_METADATA, "nbformat": 4, "nbformat_minor": 5}
    )


OF_ITS_KIND: dict[str, dict[str, Any]] = {
    "markdown": {"cell_type": "markdown", "metadata": {}},
    "code": {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []},
}


def write_archive(path: Path, files: Iterable[Path]) -> None:
    """Put files into an archive that is the same whenever they are the same."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"{path.stem}/{file.name}")
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


# --- the pages -----------------------------------------------------------------------


def publish(app: Any, exception: Exception | None) -> None:
    """Write the notebooks, the wheel and the archive beside the built pages."""
    if exception or app.builder.format != "html":
        return
    from sphinx.errors import ExtensionError

    root, folder = Path(app.srcdir), Path(app.outdir) / FOLDER
    if not (root / "pyproject.toml").exists():  # a book without a library, such as a test's
        return
    options = app.config.html_theme_options
    library, book = kept_wheels(folder, root)
    source = Source(
        wheels=(library.name, book.name),
        repository=options.get("repository_url", "").rstrip("/"),
        branch=options.get("repository_branch") or "main",
        site=app.config.html_baseurl or "",
    )
    try:
        notebooks = write_notebooks(folder, source, root, getattr(app, "changed_pages", None))
    except NoPlainFormError as fault:
        raise ExtensionError(str(fault)) from fault
    write_archive(folder / ARCHIVE, [*notebooks, library, book])


def add_buttons(app: Any, page: str, template: str, context: Any, doctree: Any) -> None:
    """Offer the chapter for download, at the head of its page."""
    if "header_buttons" not in context or not is_notebook(app, page):
        return
    link = context["pathto"]
    offers = [
        ("Notebook", "This chapter as a Jupyter notebook", f"{Path(page).name}.ipynb", "code"),
        ("All notebooks", "All chapters and the library", ARCHIVE, "file"),
    ]
    buttons = [
        {
            "type": "link",
            "url": link(f"{FOLDER}/{name}", 1),
            "text": text,
            "tooltip": tooltip,
            "icon": f"fas fa-{icon}",
        }
        for text, tooltip, name, icon in offers
    ]
    printing = {
        "type": "javascript",
        "javascript": "window.print()",
        "text": "Print",
        "tooltip": "Print this page, or save it as PDF",
        "icon": "fas fa-file-pdf",
    }
    context["header_buttons"].append(
        {
            "type": "group",
            "tooltip": "Take this chapter along",
            "icon": "fas fa-download",
            "buttons": [*buttons, printing],
            "label": "download-buttons",
        }
    )


def is_notebook(app: Any, page: str) -> bool:
    """Whether a page is written as a notebook."""
    return page in app.env.found_docs and app.env.doc2path(page).endswith(".ipynb")


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", add_buttons, priority=600)
    app.connect("build-finished", publish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def main(arguments: list[str] | None = None) -> int:
    """Write the notebooks into a folder; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flopsbook.build.downloads")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--installed", action="store_true", help="the library is installed already: do not ask to"
    )
    given = parser.parse_args(arguments)
    library, book = ("", "") if given.installed else (w.name for w in build_wheels(given.folder))
    try:
        source = Source((library, book), installed=given.installed)
        written = write_notebooks(given.folder, source)
    except NoPlainFormError as fault:
        print(fault, file=sys.stderr)
        return 1
    print(f"wrote {len(written)} notebooks into {given.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
