"""That the benchmarks run: each of them once, small and untimed."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmarks_run_and_agree():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "benchmark",
        "tests/library/bench",
        "--benchmark-disable",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert int(passed[1]) >= 15, done.stdout
