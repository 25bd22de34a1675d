"""The normal form of the chapters' notebooks: run, and without anything that changes by itself.

    python -m flopsbook.build.notebooks --run chapters/linear.ipynb
    python -m flopsbook.build.notebooks --check chapters/*.ipynb

nbval compares what is stored with what a cell prints now, and silently skips a
cell that was never run. So every code cell is stored with its outputs and a
sequential execution count; cell ids are fixed, metadata is reduced to tags and
mystnb, and images (whose data is tested instead) are dropped.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flopsbook.build.kernels import environment

#: Kept out of the stored notebook, and out of nbval's comparison.
DROPPED = ("image/png", "image/jpeg", "image/svg+xml")
KEPT_CELL_METADATA = ("tags", "mystnb")
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def normalised(notebook: Any) -> Any:
    """Return a copy of a notebook in the normal form."""
    import copy

    notebook = copy.deepcopy(notebook)
    notebook["metadata"] = NOTEBOOK_METADATA
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    for at, cell in enumerate(notebook["cells"], start=1):
        cell["id"] = f"cell-{at:02d}"
        kept = {k: v for k, v in cell["metadata"].items() if k in KEPT_CELL_METADATA}
        cell["metadata"] = kept
        cell.pop("attachments", None)
    for count, cell in enumerate(_code_cells(notebook), start=1):
        if cell["execution_count"] is not None:
            cell["execution_count"] = count
        cell["outputs"] = [_normalised_output(output, count) for output in cell["outputs"]]
    return notebook


def _code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _normalised_output(output: Any, count: int) -> Any:
    if "data" in output:
        output["data"] = {k: v for k, v in output["data"].items() if k not in DROPPED}
        kept = {k: v for k, v in output["metadata"].items() if k == "scrapbook"}
        output["metadata"] = kept
    if output["output_type"] == "execute_result":
        output["execution_count"] = count
    return output


def faults(notebook: Any) -> list[str]:
    """Return what keeps a notebook from being in the normal form, one sentence each."""
    found = []
    for cell in _code_cells(notebook):
        if cell["execution_count"] is None:
            found.append(f"{cell.get('id')} was never run, so nbval would compare nothing")
        if any(output["output_type"] == "error" for output in cell["outputs"]):
            found.append(f"{cell.get('id')} ends in an error")
    if normalised(notebook) != notebook:
        found.append("its ids, metadata, counts or images are not in the normal form")
    return found


def read(path: Path) -> Any:
    """Read a notebook."""
    import nbformat

    return nbformat.read(path, as_version=4)


def write(path: Path, notebook: Any) -> None:
    """Write a notebook in the normal form, with a line feed at its end."""
    import nbformat

    path.write_text(nbformat.writes(normalised(notebook), indent=1).rstrip("\n") + "\n")


def run(path: Path) -> None:
    """Run a notebook from a fresh kernel, and store it in the normal form."""
    from nbclient import NotebookClient

    notebook = read(path)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": path.parent}}).execute()
    write(path, notebook)


def _check(paths: Iterable[Path]) -> int:
    wrong = [f"{path}: {fault}" for path in paths for fault in faults(read(path))]
    print("\n".join(wrong) or "every notebook is run and in the normal form")
    if wrong:
        print("mend it with: make notebooks")
    return bool(wrong)


def main(arguments: list[str] | None = None) -> int:
    """Check, normalise or run notebooks; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flopsbook.build.notebooks")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="say what is not in the normal form")
    action.add_argument("--run", action="store_true", help="run afresh and store")
    parser.add_argument("notebooks", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    if given.check:
        return _check(given.notebooks)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment(Path(folder)))
        for path in given.notebooks:
            run(path)
            print(f"ran {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
