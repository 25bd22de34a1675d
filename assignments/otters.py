"""A command of otter in a process of its own, which need not load otter again.

Loading otter takes longer than much of what it does. So one process loads it, and
each command runs in a child that is forked from that one.
"""

import multiprocessing
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

LOADED = multiprocessing.get_context("forkserver")
LOADED.set_forkserver_preload(["otter.cli"])


def otter(arguments: Sequence[str], cwd: Path, variables: Mapping[str, str], said: Path) -> int:
    """Run a command of otter and return its exit code; what it says goes to a file."""
    child = LOADED.Process(target=_run, args=(arguments, cwd, variables, said))
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def _run(arguments: Sequence[str], cwd: Path, variables: Mapping[str, str], said: Path) -> None:
    with said.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["otter", *arguments]
    warnings.simplefilter("ignore")
    from otter.cli import cli

    cli()
