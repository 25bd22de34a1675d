"""No result is typed: what a page says in numbers comes from ``glue`` or stands in an output.

    python -m flopsbook.build.prose --check
    python -m flopsbook.build.prose --check chapters/linear.ipynb

:mod:`flopsbook.build.results` says what a result is. One of more than three digits is *given*,
and free, if code of the same page takes it in: if it stands in a code cell, other than
beside ``==``. (There it is an outcome, and to repeat it in prose would be to type it twice.)
The sizes in the library's descriptions of networks, ``flopslib/models``, are given on every
page.

Strings in code are prose, too: what a cell prints, a caption, an alternative text. Of an
f-string the expressions are computed, and the rest is read. ``glue`` may not be handed a
value that was typed.

What has to be typed all the same stands in ``chapters/typed_results.json``, an entry each with
``file``, ``text`` (the words around it) and ``reason``. An entry that excuses nothing is an
error, and so is one too many.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from flopsbook.build.results import results

ROOT = Path(__file__).parents[2]
REVIEWED = ROOT / "chapters" / "typed_results.json"
#: With more than this, the list is a way around the rule.
MOST_REVIEWED = 20

Values = frozenset[float]
_NOTHING: Values = frozenset()


class Passage(NamedTuple):
    """A piece of prose: where it stands, its text, and the values that its page takes in."""

    file: str
    place: str
    text: str
    given: Values


class Fault(NamedTuple):
    """A result that was typed: where it stands, its words, and the prose around it."""

    file: str
    place: str
    words: str
    passage: str
    start: int

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: a result is typed: {' '.join(self.words.split())!r}"


def faults(passages: Iterable[Passage]) -> Iterator[Fault]:
    """Find the results in prose that are not given.

    >>> given = frozenset({4096.0})
    >>> for fault in faults([Passage("a.md", "line 1", "4096 wide, 5 % faster", given)]):
    ...     print(fault)
    a.md: line 1: a result is typed: '5 %'
    """
    for file, place, text, given in passages:
        for found in results(text):
            if found.value not in given:
                yield Fault(file, place, found.text, text, found.start)


def inputs(code: str) -> Values:
    """Return the numbers that a piece of code takes in.

    Products and powers of numbers are worked out; what stands beside ``==`` is an outcome.

    >>> sorted(inputs("budget = 50 * 10**6; assert linear(1024, 512).macs == 524_288"))
    [6, 10, 50, 512, 1024, 1000000, 50000000]
    """
    values = map(_constant, _without_outcomes(_parsed(code)))
    return frozenset(value for value in values if value is not None)


def _without_outcomes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree, past the numbers and strings that stand beside ``==``."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not _is_outcome(child, node):
            yield from _without_outcomes(child)


def _is_outcome(child: ast.AST, parent: ast.AST) -> bool:
    if not (isinstance(parent, ast.Compare) and any(isinstance(op, ast.Eq) for op in parent.ops)):
        return False
    return isinstance(child, ast.Constant) or _constant(child) is not None


def _constant(node: ast.AST) -> float | None:
    """Return the value of an expression that is made of numbers alone."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) in (int, float) else None  # type: ignore[return-value]
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _constant(node.left), _constant(node.right)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Mult):
        return left * right
    if isinstance(node.op, ast.Pow) and 0 < right <= 30:
        return left**right  # type: ignore[no-any-return]
    return None


def _parsed(code: str) -> ast.Module:
    """Parse a cell, less the lines that are for the notebook only."""
    lines = code.split("\n")
    return ast.parse("\n".join("" if line.startswith(("%", "!", ":")) else line for line in lines))


@cache
def sizes_of_models() -> Values:
    """Return the sizes in the library's descriptions of networks.

    >>> 12288 in sizes_of_models()
    True
    """
    paths = sorted((ROOT / "flopslib" / "models").glob("*.py"))
    return _NOTHING.union(*(inputs(path.read_text(encoding="utf-8")) for path in paths))


def strings(code: str) -> Iterator[tuple[int, str]]:
    """Find the strings that a piece of code may show, each with its line.

    Docstrings of functions are not shown, nor is what stands beside ``==``.

    >>> list(strings("print(f'{macs} MACs, 4 %')"))
    [(1, '\ufffc MACs, 4 %')]
    """
    yield from _strings(_parsed(code))


def _strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    elif isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "\ufffc" for part in node.values)
        yield node.lineno, "".join(map(str, parts))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _strings(part.value)
    else:
        for child in ast.iter_child_nodes(node):
            if not (_is_docstring(child, node) or _is_outcome(child, node)):
                yield from _strings(child)


def _is_docstring(child: ast.AST, parent: ast.AST) -> bool:
    if not isinstance(parent, (ast.FunctionDef, ast.ClassDef)):
        return False
    return child is parent.body[0] and ast.get_docstring(parent) is not None


def typed_into_glue(code: str) -> Iterator[str]:
    """Find the calls of ``glue`` that are handed a typed value.

    >>> list(typed_into_glue("glue('macs', '4.1', display=False)"))
    ["glue('macs', '4.1', display=False)"]
    >>> list(typed_into_glue("glue('macs', f'{report.macs / 10**9:.1f}')"))
    []
    """
    calls = (node for node in ast.walk(_parsed(code)) if isinstance(node, ast.Call))
    for call in calls:
        is_glue = isinstance(call.func, ast.Name) and call.func.id == "glue"
        if is_glue and not any(map(_is_computed, ast.walk(call.args[1]))):
            yield ast.unparse(call)


def _is_computed(node: ast.AST) -> bool:
    """Is there anything to compute here, beyond writing a number as text?"""
    named = isinstance(node, ast.Name) and node.id not in ("str", "int", "float", "round")
    return named or isinstance(node, ast.BinOp)


def passages(path: Path) -> list[Passage]:
    """Return the prose of a notebook, a Markdown page or a module."""
    read = {".ipynb": _of_notebook, ".md": _of_page, ".py": _of_module}[path.suffix]
    return list(read(name(path), path.read_text(encoding="utf-8")))


def name(path: Path) -> str:
    """Return what a page is called in a complaint."""
    file = path.resolve()
    return file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else str(path)


def _of_notebook(name: str, text: str) -> Iterator[Passage]:
    cells = json.loads(text)["cells"]
    pieces = [(cell["id"], cell["cell_type"] == "code", "".join(cell["source"])) for cell in cells]
    yield from _of_pieces(name, pieces)
    for cell in cells:
        for words in _texts(cell["metadata"].get("mystnb", {})):
            yield Passage(name, cell["id"], words, sizes_of_models())


def _texts(metadata: Any) -> Iterator[str]:
    """Find the texts in a cell's metadata, such as captions."""
    if isinstance(metadata, str):
        yield metadata
    elif isinstance(metadata, dict):
        for value in metadata.values():
            yield from _texts(value)


_FENCE = re.compile(r"^```(?:\{code-cell\}[^\n]*|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _of_page(name: str, text: str) -> Iterator[Passage]:
    pieces, at = [], 0
    for fence in [*_FENCE.finditer(text), None]:
        for line in text[at : fence.start() if fence else None].split("\n\n"):
            pieces.append((f"line {1 + text.count(chr(10), 0, text.index(line, at))}", False, line))
        if fence and ">>>" not in fence[1]:  # a doctest is run, outputs and all
            pieces.append((f"line {1 + text.count(chr(10), 0, fence.start())}", True, fence[1]))
        at = fence.end() if fence else at
    yield from _of_pieces(name, pieces)


def _of_module(name: str, text: str) -> Iterator[Passage]:
    given = inputs(text)
    shown = strings(text)
    if ast.get_docstring(ast.parse(text)) is not None:
        next(shown)
    for line, words in shown:
        yield Passage(name, f"line {line}", words, given)


def _of_pieces(name: str, pieces: list[tuple[str, bool, str]]) -> Iterator[Passage]:
    """Make passages of pieces of a page, each with its place, whether it is code, and its text."""
    given = sizes_of_models().union(*(inputs(text) for _, is_code, text in pieces if is_code))
    for place, is_code, text in pieces:
        for words in [words for _, words in strings(text)] if is_code else [text]:
            yield Passage(name, place, words, given)


def typed_glue(path: Path) -> list[str]:
    """Say which values a notebook hands to ``glue`` as they were typed."""
    if path.suffix != ".ipynb":
        return []
    return [
        f"{name(path)}: {cell['id']}: a value is typed into glue: {' '.join(call.split())}"
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
        for call in typed_into_glue("".join(cell["source"]))
    ]


def pages() -> list[Path]:
    """Return everything that readers see: the pages, and the words of tables and figures."""
    chapters = ROOT / "chapters"
    markdown = [ROOT / "index.md", ROOT / "README.md", *sorted(chapters.glob("*.md"))]
    modules = [ROOT / "flopsbook" / name for name in ("tables.py", "model_table.py")]
    modules += sorted((ROOT / "flopsbook" / "figures").glob("*.py"))
    return [*markdown, *sorted(chapters.glob("*.ipynb")), *modules]


class Excusable(Protocol):
    """What has to be known of a fault to excuse it."""

    @property
    def file(self) -> str:
        """Where it is."""
        ...

    @property
    def words(self) -> str:
        """What is wrong."""
        ...

    @property
    def passage(self) -> str:
        """The text around it."""
        ...

    @property
    def start(self) -> int:
        """Where in that text it starts."""
        ...


class Reviewed(NamedTuple):
    """Something that may stay: its file, the words it is part of, and why."""

    file: str
    text: str
    reason: str

    def excuses(self, fault: Excusable) -> bool:
        """Is the fault within these words?"""
        starts = (m.start() for m in re.finditer(re.escape(self.text), fault.passage))
        end = fault.start + len(fault.words)
        return self.file == fault.file and any(
            start <= fault.start and end <= start + len(self.text) for start in starts
        )


def reviewed() -> list[Reviewed]:
    """Read the list of results that may stay typed."""
    return [Reviewed(**entry) for entry in json.loads(REVIEWED.read_text(encoding="utf-8"))]


def complaints(paths: list[Path], entries: list[Reviewed]) -> list[str]:
    """Say what is wrong with pages and with the list, a line each."""
    found = [fault for path in paths for fault in faults(passages(path))]
    wrong = [str(fault) for fault in found if not any(e.excuses(fault) for e in entries)]
    wrong += [call for path in paths for call in typed_glue(path)]
    read = {name(path) for path in paths}
    return wrong + list_faults(entries, found, read, REVIEWED.name, MOST_REVIEWED)


def list_faults(
    entries: list[Reviewed], found: Sequence[Any], read: set[str], listed: str, most: int
) -> list[str]:
    """Say what is wrong with a list of exceptions, ``listed``, a line each."""
    wrong = []
    for entry in entries:
        if entry.file in read and not any(map(entry.excuses, found)):
            wrong.append(f"{listed}: nothing is excused by {entry.text!r} of {entry.file}")
        if not (ROOT / entry.file).exists():
            wrong.append(f"{listed}: there is no such page as {entry.file}")
        if not entry.reason.strip():
            wrong.append(f"{listed}: no reason is given for {entry.text!r} of {entry.file}")
    if len(entries) > most:
        wrong.append(f"{listed}: {len(entries)} entries, and {most} are allowed")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Check that no result is typed; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flopsbook.build.prose")
    parser.add_argument("--check", action="store_true", required=True, help="say what is typed")
    parser.add_argument("pages", nargs="*", type=Path, help="all, if none is named")
    given = parser.parse_args(arguments)
    wrong = complaints(given.pages or pages(), reviewed())
    print("\n".join(wrong) or "no result is typed")
    if wrong:
        print("mend it with glue, as CONTRIBUTING.md says under 'Writing a chapter'")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
