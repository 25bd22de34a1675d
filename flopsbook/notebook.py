"""What a notebook shows once it uses the book's code: colours, and whole numbers one can read.

Both are how a notebook *displays* what a cell ends with. No value changes, nor what ``print``,
``str`` and the files of a report make of it.
"""

from __future__ import annotations

import sys
from typing import Any

from flopsbook.palette import in_colour
from flopslib.derivation import Derivation, Step


def use_colours() -> None:
    """Show derivations in colour from now on, if this is a notebook."""
    shown = _formatter("text/latex")
    if shown is not None:
        for kind in (Derivation, Step):
            shown.for_type(kind, lambda derivation: in_colour(derivation._repr_latex_()))


def use_separators() -> None:
    """Show an int that a cell ends with as 4,089,184,256 from now on, if this is a notebook."""
    shown = _formatter("text/plain")
    if shown is not None:
        shown.for_type(int, _readable)


def _formatter(kind: str) -> Any:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell.display_formatter.formatters[kind] if shell is not None else None


def _readable(value: int, printer: Any, _is_cycle: bool) -> None:
    # IPython asks here for bools and enumerations, too, and for what stands in a container: there
    # a comma would look like the next entry of a shape
    alone = type(value).__repr__ is int.__repr__ and len(printer.stack) == 1
    printer.text(f"{value:,}" if alone else repr(value))
