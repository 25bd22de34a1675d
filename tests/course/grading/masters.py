"""The master notebooks, taken apart."""

import re
from pathlib import Path

import nbformat

from assignments import build

ROOT = Path(__file__).parents[3]
CANARY = "canary-4711"
SEED = build.Secret(f"{CANARY}-seed")


def master(name):
    return nbformat.read(ROOT / "assignments" / name / f"{name}.ipynb", as_version=4)


class Block:
    """A question of a master notebook, with its cells by the block that they stand in."""

    def __init__(self, config):
        self.manual = "manual: true" in config
        self.points = sum(map(int, re.findall(r"points: (\d+)", config)))
        self.statement, self.solution, self.tests = [], [], []


def blocks(notebook):
    found, into = {}, None
    for cell in notebook.cells:
        config = cell.source if cell.cell_type == "raw" else ""
        if config.startswith("# BEGIN QUESTION"):
            block = found[re.search(r"name: (\S+)", config)[1]] = Block(config)
        if config.startswith(("# BEGIN SOLUTION", "# BEGIN TESTS")):
            into = block.solution if "SOLUTION" in config else block.tests
        elif config:
            into = block.statement if found else None
        elif into is not None:
            into.append(cell)
    return {name: block for name, block in found.items() if not name.endswith("-identifier")}
