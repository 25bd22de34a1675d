"""Helpers for reading the book's own code in a chapter."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any


class Source:
    """The source of a function, shown as highlighted code in a notebook.

    Decorators and plain annotations are left out: they are for
    machines.

    >>> from flopslib.reference.loop import dot
    >>> print(Source(dot).code.splitlines()[0])
    def dot(left: Sequence[Any], right: Sequence[Any]):
    """

    def __init__(self, thing: Any) -> None:
        """Take a function, or a naive loop."""
        function = getattr(thing, "function", thing)
        lines = textwrap.dedent(inspect.getsource(function)).splitlines()
        code = "\n".join(line for line in lines if not line.startswith("@"))
        self.code = re.sub(r"(: | -> )(Any|int)\b( =)?", lambda m: "=" if m[3] else "", code)

    def __repr__(self) -> str:
        return self.code

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.code}\n```"
