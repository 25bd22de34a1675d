"""The library's derivations in the book's colours, in every notebook that uses the book's code."""

from __future__ import annotations

import sys
from typing import Any

from flopsbook.palette import in_colour
from flopslib.derivation import Derivation, Step


def use_colours() -> None:
    """Show derivations in colour from now on, if this is a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        shown: Any = shell.display_formatter.formatters["text/latex"]
        for kind in (Derivation, Step):
            shown.for_type(kind, lambda derivation: in_colour(derivation._repr_latex_()))
