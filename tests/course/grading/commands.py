"""The command that grades a class, as a test gives it."""

import csv
import io
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LIMITS = ["--cell-seconds", "3", "--call-seconds", "1", "--seconds", "30", "--memory", "700"]


def command(dist, submissions, roster, out, *more):
    return [
        sys.executable, "-W", "error", "-m", "assignments.grading", "layers",
        "--submissions", str(submissions), "--roster", str(roster), "--out", str(out),
        "--dist", str(dist), *LIMITS, *more,
    ]  # fmt: skip


def grade(*arguments, env=None):
    done = subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=300, env=env
    )
    return done


def table(path):
    """Return id → row, of everybody."""
    return {row["id"]: row for row in rows(path) if row["id"]}


def rows(path):
    """Return every row, that of the most points as well."""
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"))))
