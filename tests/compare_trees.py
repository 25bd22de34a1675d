"""Measure `make book` and `make test` of two checkouts by turns: raw times, medians and ratios.

    python tests/compare_trees.py BEFORE AFTER [--rounds 3] [--only book]

Both need their environment (`make book` once). For the book everything that was built is removed
before each run. Run it on an idle machine: what else runs there is measured, too.
"""

import argparse
import shutil
import statistics
import subprocess
import time
from pathlib import Path


def built(tree):
    shutil.rmtree(tree / "_build", ignore_errors=True)
    return timed(tree, "book")


def tested(tree):
    timed(tree, "book")  # brought up to date beforehand
    return timed(tree, "test")


def timed(tree, target):
    begun = time.perf_counter()
    done = subprocess.run(["make", target], cwd=tree, capture_output=True, text=True)
    taken = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"make {target} failed in {tree}:\n{done.stdout[-3000:]}{done.stderr}")
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["book", "test"])
    given = parser.parse_args()
    measures = {"book": built, "test": tested}
    for name in [given.only] if given.only else measures:
        before, after = [], []
        for _ in range(given.rounds):
            before.append(measures[name](given.before))
            after.append(measures[name](given.after))
            print(f"make {name}: {before[-1]:.1f} s before, {after[-1]:.1f} s after", flush=True)
        old, new = statistics.median(before), statistics.median(after)
        print(f"make {name}, medians: {old:.1f} s, {new:.1f} s, ratio {new / old:.2f}", flush=True)


if __name__ == "__main__":
    main()
