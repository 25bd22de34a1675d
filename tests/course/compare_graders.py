"""Grade one class with the graders of two checkouts by turns: seconds, memory, and whether they agree.

    python tests/course/compare_graders.py BEFORE AFTER [--people 200] [--rounds 3] [--jobs 2]

Both trees need their environment (`make book` once). Each round grades the whole class from the
beginning. The processor's seconds are the grader's own, without what the sandboxes take, whose
processes Linux counts elsewhere. Memory is the largest sum over all processes of a run, shared pages shared out (PSS).
Run it on an idle machine: what else runs there is measured, too.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
from grading.classroom import Maker

BUILD = """
import sys
from pathlib import Path
from assignments import build
built = build.build_all(["layers"], dist=Path(sys.argv[1]), seed=build.Secret("to compare graders"))
sys.exit(not all(isinstance(one, str) for one in built.values()))
"""
#: What the class adds to a notebook with all answers; most add nothing.
HABITS = (
    "",
    "",
    "",
    "from flopslib import conv2d, linear\ncheck = linear(3, 4).macs",
    "import numpy as np\nprint(np.arange(3))",
    "import sympy as sp\nx = sp.symbols('x')\nprint(sp.expand((x + 1) ** 2))",
    "1 / 0",
    "",
)


def made(dist, people, folder):
    """Write a class's notebooks and its roster."""
    solved = dist / "layers" / "autograder" / "layers-solved.ipynb"
    make = Maker(solved, dist / "layers" / "student" / "layers.ipynb")
    (folder / "submissions").mkdir()
    ids = [f"s{number:07}" for number in range(people)]
    for number, who in enumerate(ids):
        habit = HABITS[number % len(HABITS)]
        notebook = make.with_cells(who, habit) if habit else make.solved(who)
        (folder / "submissions" / f"{who}.ipynb").write_text(json.dumps(notebook))
    (folder / "roster.csv").write_text("id\n" + "\n".join(ids) + "\n")


def graded(tree, dist, folder, out, jobs):
    """Grade the class once; return (seconds, seconds of the processor, bytes)."""
    command = [tree / ".venv/bin/python", "-m", "assignments.grading", "layers", "--dist", dist]
    command += ["--submissions", folder / "submissions", "--roster", folder / "roster.csv"]
    command += ["--out", out, "--jobs", jobs]
    before, begun = os.times(), time.perf_counter()
    process = subprocess.Popen(
        [*map(str, command)], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    most = [0]
    watching = threading.Thread(target=watch, args=(process, most))
    watching.start()
    said = process.communicate()[0]
    taken, after = time.perf_counter() - begun, os.times()
    watching.join()
    if process.returncode:
        raise SystemExit(f"grading failed in {tree}:\n{said}")
    processor = sum(after[2:4]) - sum(before[2:4])
    return taken, processor, most[0]


def watch(process, most):
    """Keep the largest memory of a process and all below it."""
    while process.poll() is None:
        total = 0
        with suppress(psutil.Error):
            parent = psutil.Process(process.pid)
            for one in (parent, *parent.children(recursive=True)):
                with suppress(psutil.Error, OSError):
                    total += one.memory_full_info().pss
        most[0] = max(most[0], total)
        time.sleep(0.2)


def rows(out):
    """Return the points of everybody."""
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        people = [row for row in csv.DictReader(file) if row["id"]]  # "": the most points
    return {row["id"]: (row["status"], row["total"]) for row in people}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    trees = {"before": given.before.resolve(), "after": given.after.resolve()}
    found = {name: [] for name in trees}
    with tempfile.TemporaryDirectory(prefix="graders-") as place:
        place = Path(place)
        for name, tree in trees.items():  # each with tests of its own, from the same seed
            python = tree / ".venv/bin/python"
            subprocess.run([python, "-c", BUILD, place / f"dist-{name}"], cwd=tree, check=True)
        made(place / "dist-before", given.people, place)
        outcome = {}
        for number in range(given.rounds):
            for name, tree in trees.items():
                out = place / f"out-{name}-{number}"
                one = graded(tree, place / f"dist-{name}", place, out, given.jobs)
                found[name].append(one)
                outcome[name] = rows(out)
                print(f"{name:7} {one[0]:7.1f} s {one[1]:7.1f} s of its own processor time "
                      f"{one[2] / 2**20:6.0f} MiB", flush=True)  # fmt: skip
    if outcome["before"] != outcome["after"]:
        raise SystemExit("the graders disagree")
    for at, what in enumerate(("seconds", "seconds of its own processor time", "bytes")):
        old, new = (statistics.median(one[at] for one in found[name]) for name in trees)
        print(f"{what}, medians: {old:,.0f} before, {new:,.0f} after, ratio {new / old:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
