"""Helpers for reading the book's own code in a chapter."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

ANNOTATION = re.compile(
    r"(: | -> )(Any|int|float|bool|str|Derivation|Shape|Run|Sequence\[Any\]|list\[Any\])"
    r"( \| None)?( = )?"
)

DETAILS = re.compile(r'("""[^\n"]+)\n\n.*?"""', re.DOTALL)


def _default(annotation: re.Match[str]) -> str:
    return "=" if annotation[4] else ""


class Source:
    """The source of a function, shown as highlighted code in a notebook.

    Decorators, plain annotations and all but the first line of the docstring
    are left out.

    >>> from flopslib.loops.loop import dot
    >>> print(Source(dot).code.splitlines()[0])
    def dot(left, right):
    """

    def __init__(self, thing: Any) -> None:
        """Take a function, or a naive loop."""
        function = getattr(thing, "function", thing)
        lines = textwrap.dedent(inspect.getsource(function)).splitlines()
        code = "\n".join(line for line in lines if not line.startswith("@"))
        code = code.replace("  # fmt: skip", "")
        code = DETAILS.sub(r'\1"""', code)
        self.code = ANNOTATION.sub(_default, code)

    def __repr__(self) -> str:
        return self.code

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.code}\n```"
