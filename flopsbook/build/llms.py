"""``llms.txt``: what is in the book and in the library, in one file for programs that read.

    python -m flopsbook.build.llms

prints it. The build of the pages writes it beside ``index.html``. Chapters come from ``_toc.yml``,
each with its opening question; names of the library from the directives of ``chapters/api.md``,
each with the first sentence of its docstring.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flopsbook.build.downloads import ROOT, pages, references, title
from flopsbook.build.notebooks import read
from flopsbook.build.pages import shortened
from flopsbook.build.plain import Book, plain

FILE = "llms.txt"
API = "chapters/api"
HEADING = re.compile(r"^(?P<level>##+) (?P<text>.+)$")
DIRECTIVE = re.compile(r"^\.\. auto(?P<kind>function|class|module):: (?P<name>\S+)$")
MEMBERS = re.compile(r"^ +:members:(?P<names>.*)$")
#: What opens a chapter, and any other paragraph of plain words.
OPENING = re.compile(r"^:{3,}\{\w+\} opening\n(?P<text>.+?)\n:{3,}$", re.DOTALL | re.MULTILINE)
PARAGRAPH = re.compile(r'(?:^|\n\n)(?P<text>[A-Z"](?:[^\n]|\n(?!\n))+)')
#: About as many characters as the longest opening question has.
LONGEST = 480


def llms(root: Path = ROOT, base: str = "") -> str:
    """Return the whole file.

    Args:
        root: the folder of the book's sources.
        base: the address of the published pages; "": links are relative to the file.
    """
    base = base and base.rstrip("/") + "/"
    sections = [*_chapters(root), *_library(root)]
    texts = [
        f"## {heading}\n\n" + "\n".join(_entry(text, base + page, note) for text, page, note in of)
        for heading, of in sections
        if of
    ]
    return "\n\n".join([*_head(root), *texts]) + "\n"


def _entry(text: str, page: str, note: str) -> str:
    return f"- [{text}]({page})" + (f": {note}" if note else "")


def _head(root: Path) -> list[str]:
    first = pages(root)[_contents(root)["root"]]
    return [f"# {title(first)}", f"> {_about(first.read_text())}"]


def _contents(root: Path) -> Any:
    import yaml

    return yaml.safe_load((root / "_toc.yml").read_text())


# --- the chapters -----------------------------------------------------------------------


Section = tuple[str, list[tuple[str, str, str]]]  # a heading, and its texts, pages and notes


def _chapters(root: Path) -> Iterator[Section]:
    files = pages(root)
    titles = {page: title(path) for page, path in files.items()}
    book = Book(titles, references(root)[0], address=lambda page: None)
    for part in _contents(root)["parts"]:
        names = [chapter["file"] for chapter in part["chapters"]]
        notes = {page: _about(_source(files[page], page, book)) for page in names}
        yield (
            part.get("caption", "Chapters"),
            [(titles[page], f"{page}.html", notes[page]) for page in names],
        )


def _source(path: Path, page: str, book: Book) -> str:
    if path.suffix != ".ipynb":
        return path.read_text()
    notebook = read(path)
    for cell in notebook.cells[1:]:  # the first one opens the chapter, with numbers of the others
        cell.source = ""
    cells, _ = plain(notebook, page, book)
    return re.sub("^> ?", "", str(cells[0]["source"]), flags=re.MULTILINE)


def _about(text: str) -> str:
    """Return what a page is about: its opening question, or else its first paragraph.

    >>> _about("# Cost\\n\\n:::{div} opening\\nWhat is\\nthe cost?\\n:::\\n\\nIt is this.")
    'What is the cost?'
    >>> _about("# Terms\\n\\n```{glossary}\\nCost\\n  A price.\\n```")
    ''
    """
    text = re.sub(r"(?s)\A---\n.*?\n---\n", "", text)
    text = OPENING.sub(lambda opening: opening["text"], text)
    text = re.sub(r"(?ms)^(`{3,}|:{3,}).*?^\1$", "", text)
    found = PARAGRAPH.search(text)
    return shortened(found["text"], LONGEST) if found else ""


# --- the library ------------------------------------------------------------------------


def _library(root: Path) -> Iterator[Section]:
    path = root / f"{API}.md"
    outer = heading = title(path)
    found: list[tuple[str, str, str]] = []
    for line, after in _with_the_next(path.read_text().splitlines()):
        if new := HEADING.match(line):
            yield heading, found
            found = []
            if len(new["level"]) == 2:
                outer = heading = f"{title(path)}: {new['text']}"
            else:
                heading = f"{outer}, {new['text']}"
        elif directive := DIRECTIVE.match(line):
            found += [
                (name, f"{API}.html#{name}", first_sentence(inspect.getdoc(_named(name))))
                for name in documented(directive["kind"], directive["name"], after)
            ]
    yield heading, found


def _with_the_next(lines: list[str]) -> Iterator[tuple[str, str]]:
    return zip(lines, [*lines[1:], ""], strict=True)


def documented(kind: str, name: str, option: str = "") -> list[str]:
    """Return the names that a directive documents, less the members of classes.

    >>> documented("function", "flopslib.count")
    ['flopslib.count']
    >>> documented("module", "flopslib.command_line", "   :members: main")
    ['flopslib.command_line.main']
    >>> documented("module", "flopslib.notation", "   :members:")
    ['flopslib.notation.Row', 'flopslib.notation.symbols_for']
    """
    if kind != "module":
        return [name]
    chosen = MEMBERS.match(option)
    if not chosen:
        return []
    members = [member.strip() for member in chosen["names"].split(",")]
    return [f"{name}.{member}" for member in (members if any(members) else _public(name))]


def _public(module: str) -> list[str]:
    of = importlib.import_module(module)
    return [
        name
        for name, thing in vars(of).items()
        if name in getattr(of, "__all__", [name])
        and not name.startswith("_")
        and getattr(thing, "__module__", "") == module
    ]


def _named(name: str) -> Any:
    first, *rest = name.split(".")
    thing: Any = importlib.import_module(first)
    for part in rest:
        if not hasattr(thing, part):
            importlib.import_module(f"{thing.__name__}.{part}")
        thing = getattr(thing, part)
    return thing


def first_sentence(docstring: str | None) -> str:
    r"""Return the first sentence of a docstring, in Markdown.

    >>> first_sentence("Return :class:`~a.B`, or ``None``.\n\nArgs:\n    x: a size.")
    'Return `B`, or `None`.'
    >>> first_sentence("Count the cost: what one output costs,\ntimes how many. More follows.")
    'Count the cost: what one output costs, times how many.'
    """
    paragraph = " ".join((docstring or "").partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[.?!])\s", paragraph, maxsplit=1)[0]
    sentence = re.sub(r":[\w:]+:`(?:~[\w.]*\.)?([^`]+)`", r"`\1`", sentence)
    return sentence.replace("``", "`")


# --- the pages --------------------------------------------------------------------------


def write(app: Any, failure: Exception | None) -> None:
    """Write the file beside the built pages."""
    root = Path(app.srcdir)
    if failure or app.builder.format != "html" or not (root / f"{API}.md").exists():
        return
    text = llms(root, app.config.html_baseurl or "")
    (Path(app.outdir) / FILE).write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    print(llms(), end="")
