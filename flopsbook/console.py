"""A terminal on a page: commands that are run where the page is built, and all that they print.

A page that shows a command has run it. What the command prints is an output of its cell like any
other: the tests of the notebooks compare it with what is stored, and a command that fails fails
its page.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

__all__ = ["Session", "source", "terminal"]


class Session:
    """Commands as they are typed, each followed by the lines that it printed."""

    def __init__(self, text: str) -> None:
        """Take everything that the terminal shows."""
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return f"```console\n{self.text}\n```"


def terminal(*commands: str, files: Mapping[str, str] | None = None) -> Session:
    """Run commands in a shell, one after another, in a folder of their own.

    Args:
        commands: as they are typed; ``flopslib`` is the one of this Python.
        files: what is in the folder, the name of each file and its text.

    Raises:
        RuntimeError: a command did not return 0; the message has what it printed.

    >>> head = "from flopslib.layers import Linear\\n\\nhead = Linear(3, 2)\\n"
    >>> limit = "flopslib check head.py:head --input 1,3 --max-macs"
    >>> terminal(f"{limit} 6", f"{limit} 5 || echo too expensive", files={"head.py": head})
    $ flopslib check head.py:head --input 1,3 --max-macs 6
    MACs: 6, at most 6 allowed: holds
    $ flopslib check head.py:head --input 1,3 --max-macs 5 || echo too expensive
    MACs: 6, at most 5 allowed: exceeded by 1
    too expensive
    """
    lines = []
    with TemporaryDirectory() as folder:
        for name, text in (files or {}).items():
            Path(folder, name).write_text(text, encoding="utf-8")
        for command in commands:
            lines += [f"$ {command}", _printed(command, folder)]
    return Session("\n".join(filter(None, lines)))


def _printed(command: str, folder: str) -> str:
    path = [sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]
    ended = subprocess.run(
        command, shell=True, cwd=folder, env=os.environ | {"PATH": os.pathsep.join(path)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8",
    )  # fmt: skip
    printed = ended.stdout.rstrip()
    if ended.returncode:
        raise RuntimeError(
            f"{command!r} must return 0, got {ended.returncode}; it printed: {printed}"
        )
    return printed


def source(*functions: Callable[..., Any], imports: str) -> str:
    """Return a file with the functions that a notebook has defined, below their imports.

    >>> from flopslib.loops.loop import dot
    >>> source(dot, imports="import math").splitlines()[0]
    'import math'
    """
    return "\n\n\n".join([imports, *(inspect.getsource(one).strip() for one in functions)]) + "\n"
