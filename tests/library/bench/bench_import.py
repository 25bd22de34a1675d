"""What it takes to import flopslib, beside NumPy."""

from conftest import Turns, program

ROUNDS = 21
TIMED = """
import time
start = time.process_time()
import {package}
print(time.process_time() - start)
"""


def test_import(by_turns, table):
    ours, theirs = (TIMED.format(package=package) for package in ("flopslib", "numpy"))
    whole, answers = by_turns(lambda _: ((ours,), (theirs,)), program, program, ROUNDS)
    if whole:
        sides = zip(*answers[-ROUNDS:], strict=True)
        alone = Turns(*([float(printed) for printed, _ in side] for side in sides))
        peaks = zip(*answers[-ROUNDS:], strict=True)
        table("import", "the import alone", alone, "numpy")
        table("import", "from the start of Python to its end", whole, "numpy")
        table("import: peak memory", "from the start of Python to its end",
              Turns(*([peak for _, peak in side] for side in peaks)), "numpy")  # fmt: skip
