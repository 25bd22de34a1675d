"""A chapter as a plain notebook, for a reader who takes it along.

A chapter is written in MyST, for the book. Elsewhere its directives and roles
would stand there as they are typed, its hidden cells would look as if they did
not exist, and its solutions would lie open under the questions. Here is the same
chapter in the Markdown that every notebook program knows: roles become text and
links, no cell is hidden, nothing has been run, and the solutions are at the end.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPENING = re.compile(r"^(?P<fence>`{3,}|:{3,})(?:\{(?P<name>[\w:-]+)\}[ ]*(?P<argument>.*))?")
OPTION = re.compile(r"^:[\w-]+:")
TARGET = re.compile(r"^\([\w-]+\)=$")
# code first, so that a role in it is left as it is
MARKUP = re.compile(
    r"(?P<block>^(?P<mark>`{3,}).*?^(?P=mark)[ ]*$)"
    r"|\{(?P<name>[\w:]+)\}`(?P<body>[^`]+)`"
    r"|(?P<span>(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    r"|(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[\w./-]+)\)",
    flags=re.MULTILINE | re.DOTALL,
)
WITH_TARGET = re.compile(r"^(?P<text>.*\S)\s*<(?P<target>[^<>]+)>$", flags=re.DOTALL)

#: Directives whose body is Markdown and stands apart from the text around it.
BOXES = ("div", "admonition", "note", "tip", "hint", "important", "warning", "seealso", "margin")


@dataclass(frozen=True)
class Book:
    """What a chapter refers to.

    Attributes:
        titles: for each page of the book, as in ``_toc.yml``, its title.
        labels: for each reference, what stands in the text, such as "He et al., 2016".
        address: maps the name of a page to where a link should lead; None: nowhere.
    """

    titles: Mapping[str, str]
    labels: Mapping[str, str]
    address: Callable[[str], str | None]


class NoPlainFormError(ValueError):
    """Something in a chapter cannot be said in plain Markdown yet."""


@dataclass
class Exercise:
    """An exercise of a chapter, and the cells of its solution."""

    number: int
    title: str
    solution: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Chapter:
    # what is known about the chapter while its cells are read one after another
    page: str
    book: Book
    glued: Mapping[str, str]
    exercises: dict[str, Exercise] = field(default_factory=dict)
    cited: dict[str, None] = field(default_factory=dict)
    solving: Exercise | None = None
    cells: list[dict[str, Any]] = field(default_factory=list)

    def add(self, cell: dict[str, Any]) -> None:
        if cell["source"].strip():
            (self.solving.solution if self.solving else self.cells).append(cell)


def plain(notebook: Any, page: str, book: Book) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the cells of a chapter in plain Markdown and Python, and the references it cites.

    Args:
        notebook: the chapter as it is stored, with what its cells printed.
        page: its name in ``_toc.yml``.
        book: what it refers to.

    Raises:
        NoPlainFormError: a directive or a role has no plain form here.
    """
    chapter = _Chapter(page, book, glued(notebook))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            hidden = "remove-cell" in cell["metadata"].get("tags", [])
            source = without_glue(cell["source"])
            chapter.add({"cell_type": "code", "source": source, "hidden": hidden})
            chapter.cited.update(_cited_in_output(cell))
        elif cell["cell_type"] == "markdown":
            _read(cell["source"], chapter)
    solved = [exercise for exercise in chapter.exercises.values() if exercise.solution]
    cells = chapter.cells
    if solved:
        cells.append({"cell_type": "markdown", "source": "## Solutions"})
    for exercise in solved:
        heading = f"### Solution {exercise.number}: {exercise.title}"
        cells.append({"cell_type": "markdown", "source": heading})
        cells.extend(exercise.solution)
    return list(_joined(without_idle_code(cells))), list(chapter.cited)


def _joined(cells: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    # a directive splits a cell of text in two; together again they read better
    before: dict[str, Any] | None = None
    for cell in cells:
        if before and before["cell_type"] == cell["cell_type"] == "markdown":
            before["source"] += "\n\n" + cell["source"]
            continue
        if before:
            yield before
        before = dict(cell)
    if before:
        yield before


# --- text ----------------------------------------------------------------------------


def _read(source: str, chapter: _Chapter) -> None:
    lines: list[str] = []
    at = source.splitlines()
    while at:
        line = at.pop(0)
        opened = OPENING.match(line)
        if not opened or not opened["name"]:
            lines += [] if TARGET.match(line) else [line]
            if opened:  # code, which is left alone
                lines += _taken(at, opened["fence"], closing=True)
            continue
        body, label = _taken(at, opened["fence"]), ""
        while body and (OPTION.match(body[0]) or not body[0].strip()):
            option = body.pop(0)
            if option.startswith(":label:"):
                label = option.removeprefix(":label:").strip()
        name, argument = opened["name"], opened["argument"].strip()
        if name in {"solution-start", "solution-end"}:
            _write(lines, chapter)
            lines = []
            chapter.solving = chapter.exercises[argument] if name == "solution-start" else None
        elif name == "exercise":
            exercise = Exercise(len(chapter.exercises) + 1, argument or "without a name")
            chapter.exercises[label] = exercise
            lines += [f"### Exercise {exercise.number}: {exercise.title}", "", *body]
        elif name in BOXES:
            titled = [f"**{argument}**", ""] if name == "admonition" else []
            lines += [f"> {line}".rstrip() for line in [*titled, *body]]
        else:
            raise NoPlainFormError(_missing(chapter, "directive", name))
        for inner in map(OPENING.match, body):
            if inner and inner["name"]:
                raise NoPlainFormError(
                    _missing(chapter, "directive inside another,", inner["name"])
                )
    _write(lines, chapter)


def _missing(chapter: _Chapter, what: str, name: str) -> str:
    return f"{chapter.page}: the {what} {{{name}}} has no plain form yet; give it one in {__name__}"


def _taken(at: list[str], fence: str, *, closing: bool = False) -> list[str]:
    """Take the lines up to the fence off the front of a list, and the fence with them."""
    taken: list[str] = []
    while at:
        line = at.pop(0)
        if line.strip() == fence:
            return [*taken, line] if closing else taken
        taken.append(line)
    return taken


def _write(lines: list[str], chapter: _Chapter) -> None:
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    text = MARKUP.sub(lambda found: _marked(found, chapter), text)
    chapter.add({"cell_type": "markdown", "source": text})


def _marked(found: re.Match[str], chapter: _Chapter) -> str:
    if found["name"]:
        return _said(found["name"], found["body"], chapter)
    if found["text"]:
        return _linked(found["text"], found["target"], chapter, found[0])
    return found[0]


def _said(name: str, body: str, chapter: _Chapter) -> str:
    if name.partition(":")[0] == "glue":
        return chapter.glued[body]
    if name in {"cite", "cite:p", "cite:t"}:
        keys = [key.strip() for key in body.split(",")]
        chapter.cited.update(dict.fromkeys(keys))
        said = "; ".join(chapter.book.labels[key] for key in keys)
        return said if name == "cite:t" else f"({said})"
    if name == "doc":
        titled = WITH_TARGET.match(body)
        text, target = (titled["text"], titled["target"]) if titled else ("", body)
        return _linked(text, target, chapter, "")
    if name == "term":
        titled = WITH_TARGET.match(body)
        return titled["text"] if titled else body
    raise NoPlainFormError(_missing(chapter, "role", name))


def _linked(text: str, target: str, chapter: _Chapter, otherwise: str) -> str:
    """Return a link to another page of the book; ``otherwise`` if it is not a page."""
    page = str((Path("/", chapter.page).parent / target).resolve().relative_to("/"))
    if page not in chapter.book.titles:
        return otherwise or f"*{text or target}*"
    said = text or chapter.book.titles[page]
    address = chapter.book.address(page)
    return f"[{said}]({address})" if address else f"*{said}*"


def glued(notebook: Any) -> dict[str, str]:
    """Return what a chapter's cells handed over to its text, as the text shows it."""
    values = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                values[name] = _shown(output["data"])
    return values


def _shown(data: Mapping[str, str]) -> str:
    kind = "application/papermill.record/text/"
    if kind + "latex" in data:
        return data[kind + "latex"].replace("$\\displaystyle ", "$")
    written = data[kind + "plain"]
    return str(ast.literal_eval(written)) if written[0] in "'\"" else written


def _cited_in_output(cell: Any) -> dict[str, None]:
    # tables cite too, and a reader finds the key of a reference in them
    texts = (output.get("data", {}).get("text/markdown", "") for output in cell["outputs"])
    return dict.fromkeys(key for text in texts for key in re.findall(r"\{cite\}`([^`]+)`", text))


# --- code ----------------------------------------------------------------------------


def without_glue(source: str) -> str:
    """Leave out what hands values over to the text, where they now stand.

    >>> print(without_glue("x = 2\\nglue('x', str(x), display=False)\\nprint(x)"))
    x = 2
    print(x)
    """
    if "glue" not in source:
        return source
    unwanted: set[int] = set()
    for statement in ast.parse(source).body:
        unwanted |= _glue_lines(statement)
    kept = (line for at, line in enumerate(source.splitlines(), start=1) if at not in unwanted)
    return "\n".join(kept).strip()


def _glue_lines(statement: ast.stmt) -> set[int]:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="glue"))):
            return _lines(statement)
        case ast.ImportFrom(module="myst_nb"):
            return _lines(statement)
        case ast.For(body=body) | ast.With(body=body) | ast.If(body=body):
            inside: set[int] = set().union(*map(_glue_lines, body))
            nothing_else = all(_lines(inner) <= inside for inner in body)
            return _lines(statement) if nothing_else else inside
    return set()


def _lines(statement: ast.stmt) -> set[int]:
    return set(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))


def without_idle_code(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out of the hidden cells what nothing uses once the text holds its numbers.

    >>> cells = [
    ...     {"cell_type": "code", "source": "a = 1\\nb = 2", "hidden": True},
    ...     {"cell_type": "code", "source": "print(b)", "hidden": False},
    ... ]
    >>> [cell["source"] for cell in without_idle_code(cells)]
    ['b = 2', 'print(b)']
    """
    wanted: set[str] = set()
    kept = []
    for cell in reversed(cells):
        if cell["cell_type"] == "code":
            source = cell["source"]
            if cell["hidden"]:
                source = _used(source, wanted)
            for node in ast.walk(ast.parse(_without_magic(source))):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    wanted.add(node.id)
            if not source:
                continue
            cell = {"cell_type": "code", "source": source}
        kept.append(cell)
    return kept[::-1]


def _without_magic(source: str) -> str:
    return re.sub(r"^[ ]*[%!].*$", "", source, flags=re.MULTILINE)


def _used(source: str, wanted: set[str]) -> str:
    wanted = set(wanted)
    idle: set[int] = set()
    for statement in reversed(ast.parse(source).body):
        names = set(_bound(statement))
        if isinstance(statement, ast.Assert) or (names and not names & wanted):
            idle |= _lines(statement)
        else:
            wanted |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    kept = (line for at, line in enumerate(source.splitlines(), start=1) if at not in idle)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds, or changes something in."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=other):
            yield (other or name).partition(".")[0]
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
            yield name
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() | ast.Lambda():
            pass  # their names are their own
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _bound(child)
