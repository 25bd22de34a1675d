"""Time `count` of two checkouts by turns, each round in a process of its own.

    python tests/library/bench/compare_count.py BEFORE AFTER [--rounds 9]

What is timed is processor time of `count` and its totals, of networks that are built beforehand,
of another size each time. A round takes the quickest of its calls: on a busy machine the others
say what else was running. Nothing of the checkouts is installed; this Python runs both.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

CALLS = 120
SIZES = 8

TIMED = """
import importlib, json, sys, time
from flopslib import count, models
from flopslib.models.vit import vision_transformer

def subjects():
    for package in ("flopsbook", "flopslib"):  # where they were before
        try:
            return importlib.import_module(f"{package}.peers.subjects")
        except ModuleNotFoundError:
            pass

def resnet50(number):
    side = 224 + 8 * number
    return models.resnet50(width_per_group=64 + 2 * number), (1, 3, side, side)

def vit_b_16(number):
    side, width = 224 + 16 * number, 12 * (64 + number)
    return vision_transformer(side, 16, 12, 12, width, 4 * width), (1, 3, side, side)

def gpt2_layer(number):
    width = 12 * (64 + number)
    return subjects().gpt2_layer(width), (1, 128 + number, width)

def quickest(build, calls, sizes):
    best = float("inf")
    for call in range(calls):
        model, shape = build(call % sizes)
        begun = time.process_time_ns()
        report = count(model, shape)
        report.macs, report.exact_flops, report.parameters
        best = min(best, time.process_time_ns() - begun)
    return best / 1e3

calls, sizes = map(int, sys.argv[1:])
found = {build.__name__: quickest(build, calls, sizes) for build in (resnet50, gpt2_layer, vit_b_16)}
print(json.dumps(found))
"""


def timed(tree):
    """Return the microseconds of one round in a checkout, by network."""
    done = subprocess.run(
        [sys.executable, "-c", TIMED, str(CALLS), str(SIZES)],
        cwd=tree, env={"PYTHONPATH": str(tree.resolve())}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    rounds = [(timed(given.before), timed(given.after)) for _ in range(given.rounds)]
    print(f"{'':12}{'before':>12}{'after':>12}{'ratio':>8}")
    for name in rounds[0][0]:
        before, after = ([side[name] for side in sides] for sides in zip(*rounds, strict=True))
        ratio = statistics.median(b / a for b, a in zip(before, after, strict=True))
        old, new = statistics.median(before), statistics.median(after)
        print(f"{name:12}{old:9.1f} µs{new:9.1f} µs{ratio:8.2f}")


if __name__ == "__main__":
    main()
