"""Python in a page of the book: cells that are run and answers that are checked where one reads.

The page's own script starts Pyodide in a worker, unpacks the library and this package there, and
calls :func:`check`, :func:`hint` and :func:`run`. Each returns plain data; what becomes of it on
the page is decided there, and nothing that a cell prints is ever markup.

There is no IPython in a page. What the book's cells use of it stands here under its names, and
writes an output as IPython would: :func:`install` puts it where ``import`` looks.
"""

from __future__ import annotations

import ast
import io
import json
import linecache
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import ModuleType, SimpleNamespace
from typing import Any

__all__ = ["check", "hint", "install", "names", "run"]

#: What a cell may print, in characters, and what one of its outputs may have.
MOST_PRINTED = 100_000
MOST_SHOWN = 300_000
#: Seconds between two looks at what a cell that is still running has printed.
EVERY = 0.2
#: The last of these have no text in a page, and cells that use them keep their built output.
MISSING = ("matplotlib", "numpy", "pandas")

#: The names of the page's cells: one namespace a page, as in a notebook.
names: dict[str, Any] = {"__name__": "__main__"}

Bundle = dict[str, str]
_shown: list[Bundle] = []


# --- what the cells use of IPython ------------------------------------------------------


class Formatter:
    """Writes a value in one form: by its type, if that was asked for, or by its own method."""

    def __init__(self, method: str) -> None:
        """Take the name of the method, such as ``_repr_latex_``."""
        self.method = method
        self.by_type: dict[type, Callable[..., Any]] = {}

    def for_type(self, kind: type, function: Callable[..., Any]) -> None:
        """Write values of a type by a function from now on."""
        self.by_type[kind] = function

    def __call__(self, value: Any) -> str | None:
        """Return a value in this form, or None if it has none."""
        for kind in type(value).__mro__:
            if kind in self.by_type:
                return _text(self.by_type[kind](value))
        method = getattr(type(value), self.method, None)
        return _text(method(value)) if method else None


def _text(written: Any) -> str | None:
    return written if isinstance(written, str) else None


class PlainFormatter(Formatter):
    """Writes a value as text, in lines of a terminal's width."""

    def __call__(self, value: Any) -> str:
        """Return a value as IPython prints it."""
        from IPython.lib import pretty

        pretty_print: Any = pretty

        stream = io.StringIO()
        writers = {
            **pretty_print._type_pprinters,
            float: lambda x, p, _: p.text(repr(x)),
            **self.by_type,
        }
        printer = pretty_print.RepresentationPrinter(stream, type_pprinters=writers)
        printer.pretty(value)
        printer.flush()
        return stream.getvalue()


FORMATTERS: dict[str, Formatter] = {
    "text/plain": PlainFormatter("__repr__"),
    "text/html": Formatter("_repr_html_"),
    "text/markdown": Formatter("_repr_markdown_"),
    "text/latex": Formatter("_repr_latex_"),
}


def bundle(value: Any) -> Bundle:
    """Return a value in every form that it has.

    >>> bundle([1, 2])
    {'text/plain': '[1, 2]'}
    """
    written = {kind: formatter(value) for kind, formatter in FORMATTERS.items()}
    return {kind: _capped(text) for kind, text in written.items() if text is not None}


def _capped(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


class Written:
    """Text that says of what kind it is."""

    def __init__(self, data: str) -> None:
        """Hold the text."""
        self.data = data

    def __repr__(self) -> str:
        return f"<IPython.core.display.{type(self).__name__} object>"


class Math(Written):
    """A formula."""

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.data.strip('$')}$"


class Latex(Written):
    """LaTeX with its dollar signs."""

    def _repr_latex_(self) -> str:
        return self.data


class Markdown(Written):
    """Markdown."""

    def _repr_markdown_(self) -> str:
        return self.data


class HTML(Written):
    """HTML, of which a page keeps the tables and the text."""

    def _repr_html_(self) -> str:
        return self.data


def display(*values: Any) -> None:
    """Show values below the cell."""
    _shown.extend(map(bundle, values))


def glue(name: str, variable: Any, display: bool = True) -> None:
    """Keep a value for the text of a chapter, and show it if that is asked for.

    In a page the text has it already.
    """
    prefix = "" if display else "application/papermill.record/"
    _shown.append({prefix + kind: text for kind, text in bundle(variable).items()})


def install() -> None:
    """Put all this where the cells of a chapter import it from."""
    shell = SimpleNamespace(display_formatter=SimpleNamespace(formatters=FORMATTERS))
    kinds = {kind.__name__: kind for kind in (Math, Latex, Markdown, HTML)}
    modules: dict[str, dict[str, Any]] = {
        "IPython": {"get_ipython": lambda: shell},
        "IPython.display": {**kinds, "display": display},
        "myst_nb": {"glue": glue},
    }
    import IPython.lib.pretty  # all of IPython that a page has

    for name, contents in modules.items():
        module = sys.modules[name] = sys.modules.get(name) or ModuleType(name)
        vars(module).update(contents)
    vars(IPython)["display"] = sys.modules["IPython.display"]
    names.update(display=display, get_ipython=lambda: shell)
    from flopsbook.notebook import use_colours, use_separators

    use_colours()
    use_separators()


# --- running a cell -----------------------------------------------------------------------


class Printed(io.TextIOBase):
    """What a cell prints: kept up to a limit, and handed on every now and then."""

    def __init__(self, listener: Callable[[str], Any]) -> None:
        """Take what is called with each piece."""
        self.listener = listener
        self.waiting: list[str] = []
        self.room = MOST_PRINTED
        self.told = time.monotonic()

    def write(self, text: str) -> int:
        """Keep a text, as far as there is room."""
        if self.room > 0 and text:
            self.waiting.append(text[: self.room])
            self.room -= len(text)
            if self.room <= 0:
                self.waiting.append("\n… more was printed than a page shows.\n")
            if self.room <= 0 or time.monotonic() - self.told > EVERY:
                self.hand_on()
        return len(text)

    def hand_on(self) -> None:
        """Tell what has been printed since the last time."""
        if self.waiting:
            self.listener("".join(self.waiting))
        self.waiting.clear()
        self.told = time.monotonic()


def run(source: str, name: str, tell: Callable[[str], Any]) -> str:
    """Run a cell in the page's namespace.

    Args:
        source: its code.
        name: what a traceback calls it, such as ``"cell 3"``.
        tell: is called with what the cell prints, piece by piece.

    Returns:
        JSON: ``outputs``, each in all its forms; ``error``, the traceback, or null;
        ``missing``, a package that the cell wants and a page does not have, or null.
    """
    printed = Printed(tell)
    error = missing = None
    with _streams(printed):
        try:
            _execute(source, f"<{name}>")
        except (Exception, SystemExit, KeyboardInterrupt) as problem:
            missing = _missing(problem)
            error = _traceback(problem, f"<{name}>")
        printed.hand_on()
    outputs = [*_shown]
    _shown.clear()
    return json.dumps({"outputs": outputs, "error": error, "missing": missing})


@contextmanager
def _streams(printed: Printed) -> Iterator[None]:
    with redirect_stdout(printed), redirect_stderr(printed):
        yield


def _execute(source: str, name: str) -> None:
    """Run statements, and show the value of an expression that ends them."""
    # a traceback, and whoever asks for the source of a function, reads it here
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    tree = ast.parse(source, name)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, name, "exec"), names)
        return
    before = ast.Module(tree.body[:-1], [])
    exec(compile(before, name, "exec"), names)
    value = eval(compile(ast.Expression(last.value), name, "eval"), names)
    if value is not None and not source.rstrip().endswith(";"):
        names["_"] = value
        display(value)


def _missing(problem: BaseException) -> str | None:
    """Return which package an error is about that no page has."""
    name = problem.name if isinstance(problem, ModuleNotFoundError) else None
    return name.partition(".")[0] if name and name.partition(".")[0] in MISSING else None


def _traceback(problem: BaseException, name: str) -> str:
    """Write an error with the lines of the cell, and without those that ran it."""
    frames = problem.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != name:
        frames = frames.tb_next
    lines = traceback.format_exception(type(problem), problem, frames)
    return "".join(lines)[-MOST_PRINTED:].rstrip()


# --- answers -----------------------------------------------------------------------------


def check(exercise: str, texts: str) -> str:
    """Check answers that were typed, a JSON list; return a verdict as JSON."""
    from flopsbook.exercises.typed import check_typed

    with _streams(Printed(lambda text: None)):
        verdict = check_typed(exercise, json.loads(texts), names)
    return json.dumps({"right": verdict.right, "message": verdict.message})


def hint(exercise: str, step: int) -> str:
    """Return a hint, from 1, as JSON."""
    from flopsbook.exercises import hint as given

    return json.dumps({"message": given(exercise, step).message})
