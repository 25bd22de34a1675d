"""`make grade`, on a class that hands in everything."""

import ast
import contextlib
import csv
import doctest
import importlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from grading import classroom

from assignments import build
from assignments.grading import answers, autograder, by_hand, kept, sandbox
from assignments.grading.__main__ import main
from assignments.grading.roster import Person, RosterError, read_roster
from assignments.grading.sandbox import Limits, Sandbox
from assignments.grading.submissions import Names, find, stem
from assignments.questions import load

ROOT = Path(__file__).parents[2]
confined = pytest.mark.needs("bwrap")
LIMITS = ["--cell-seconds", "3", "--call-seconds", "1", "--seconds", "30", "--memory", "700"]


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The set `layers`, as `make assignments` packs it."""
    folder = tmp_path_factory.mktemp("dist")
    packages = build.build_wheels(tmp_path_factory.mktemp("wheels"))
    seed = build.Secret("a seed for the tests of the grader")
    build.build("layers", dist=folder, seed=seed, packages=packages)
    return folder


@pytest.fixture(scope="module")
def make(dist):
    return classroom.Maker(
        dist / "layers" / "autograder" / "layers-solved.ipynb",
        dist / "layers" / "student" / "layers.ipynb",
    )


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
    return {row["id"]: row for row in csv.DictReader(io.StringIO(path.read_text("utf-8")))}


@pytest.fixture(scope="module")
def graded(tmp_path_factory, dist, make):
    """The whole class, graded in one run."""
    folder = tmp_path_factory.mktemp("class")
    submissions, out = folder / "submissions", folder / "out"
    submissions.mkdir()
    cases = classroom.cases(make)
    for case in cases:
        case.write(submissions)
    (submissions / "stranger_layers.ipynb").write_text("{}")
    (submissions / ".DS_Store").write_text("")
    roster = folder / "roster.csv"
    roster.write_text("id,name\n" + "".join(f"{case.id},=Name of {case.id}\n" for case in cases))
    done = grade(dist, submissions, roster, out)
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        "cases": cases, "out": out, "rows": table(out / "grades.csv"), "done": done,
        "submissions": submissions, "roster": roster,
    }  # fmt: skip


# --- a whole class, in one run -------------------------------------------------


@confined
def test_everybody_has_the_right_row(graded):
    wrong = []
    for case in graded["cases"]:
        row = graded["rows"].get(case.id)
        if row is None:
            wrong.append(f"{case.id} is missing")
            continue
        points = {name: int(row[name]) for name in classroom.ALL}
        expected = case.points or classroom.NONE
        if row["status"] != case.status or points != expected or case.reason not in row["reason"]:
            wrong.append(f"{case.id}: {row}; expected {case.status}, {expected}, {case.reason!r}")
        if int(row["total"]) != sum(points.values()):
            wrong.append(f"{case.id}: total {row['total']}")
    assert not wrong, "\n".join(wrong)
    assert [*graded["rows"]] == [case.id for case in graded["cases"]]


@confined
def test_the_table_has_columns_for_a_person_to_fill(graded):
    (column,) = [name for name in graded["rows"]["right"] if name.endswith("(by hand)")]
    assert column.startswith("Question 8")
    assert all(row[column] == "" for row in graded["rows"].values())


@confined
def test_reasons_are_one_line_and_no_formula(graded):
    for row in graded["rows"].values():
        assert row["reason"].endswith(".")
        assert "\n" not in row["reason"]
        assert row["name"].startswith("'=")  # a spreadsheet would compute it otherwise


@confined
def test_what_belongs_to_nobody_is_reported(graded):
    assert "1 files belong to nobody" in graded["done"].stdout
    assert (graded["out"] / "nobodys.txt").read_text() == "stranger_layers.ipynb\n"


@confined
def test_progress_is_told_line_by_line_where_there_is_no_terminal(graded):
    count = len(graded["cases"])
    lines = graded["done"].stdout.splitlines()
    assert sum(line.startswith(f"{count}/{count} ") for line in lines) == 1
    assert "\x1b" not in graded["done"].stdout


@confined
def test_feedback_gives_nothing_away(graded, dist):
    seed = "a seed for the tests of the grader"
    for case in graded["cases"]:
        text = (graded["out"] / "feedback" / f"{case.id}.md").read_text()
        assert f"**{case.status}**" in text
        assert seed not in text
        assert "assignments" not in text
        assert "holds" not in text
        for question in load("layers"):
            given = question.hidden_arguments(seed, case.id)
            assert not any(repr(arguments) in text for arguments in given)
            if not question.is_function:
                answer = question.right_answer(case.id)
                assert not any(str(number) in text for number in answer if number > 999)
    text = (graded["out"] / "feedback" / "half.md").read_text()
    assert "tests that you do not have: 0 of 4 points" in text
    assert "must return an integer" not in text
    assert "`layers_4` is not a function." in text


@confined
def test_feedback_shows_what_a_student_wrote_as_text(graded):
    text = (graded["out"] / "feedback" / "newline.md").read_text()
    assert "`newline_a\N{REPLACEMENT CHARACTER}b*[x](y)<z>.ipynb`" in text


@confined
def test_what_a_person_reads_is_on_one_page_and_nothing_but_text(graded):
    page = (graded["out"] / "to-be-read.html").read_text()
    assert "Question 8" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x^2$" in page
    assert "<script>alert" not in page
    assert page.count("An answer written elsewhere") == 1
    assert "Type your answer here" not in page
    assert "Content-Security-Policy" in page
    assert page.count("<h3>") >= len(graded["cases"])


@confined
def test_nothing_is_left_half_written(graded):
    assert not list(graded["out"].rglob(".writing-*"))
    for path in (graded["out"] / "results").glob("*.json"):
        json.loads(path.read_text())


@confined
def test_a_second_run_grades_only_what_has_changed(graded, dist, make, tmp_path):
    out, submissions = tmp_path / "out", tmp_path / "submissions"
    shutil.copytree(graded["out"], out)
    shutil.copytree(
        graded["submissions"], submissions, symlinks=True, ignore=lambda *_: ["pipe.ipynb"]
    )
    os.mkfifo(submissions / "pipe.ipynb")
    changed = submissions / "half_layers.ipynb"
    changed.write_text(json.dumps(make.solved("half")))
    done = grade(dist, submissions, graded["roster"], out)
    lines = [line for line in done.stdout.splitlines() if "/" in line and ": " in line[:40]]
    afresh = {line.split()[1] for line in lines if line.split()[0].count("/") == 1} - {
        line.split()[1] for line in lines if line.endswith(("(as before)", "not submitted"))
    }
    assert "half:" in afresh
    assert afresh <= {"half:", "grades:", "feedback:"}
    rows = table(out / "grades.csv")
    assert rows["half"]["total"] == str(classroom.FULL)
    assert {who: row for who, row in rows.items() if who != "half"} == {
        who: row for who, row in graded["rows"].items() if who != "half"
    }


@confined
def test_a_table_that_was_changed_by_hand_is_left_alone(graded, dist, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(graded["out"], out)
    mine = (out / "grades.csv").read_text().replace("Every cell ran.", "Well done.")
    (out / "grades.csv").write_text(mine)
    for _ in range(2):
        done = grade(dist, graded["submissions"], graded["roster"], out)
        assert (out / "grades.csv").read_text() == mine
        assert table(out / "grades-2.csv") == graded["rows"]
        assert "grades-2.csv" in done.stdout
        assert "left alone" in done.stdout
    assert not (out / "grades-3.csv").exists()


# --- interrupted -----------------------------------------------------------------


@pytest.fixture(scope="module")
def few(tmp_path_factory, make):
    folder = tmp_path_factory.mktemp("few")
    (folder / "submissions").mkdir()
    ids = [f"s{number:03}" for number in range(8)]
    for who in ids:
        notebook = make.with_cells(who, "import time\ntime.sleep(0.1)")
        (folder / "submissions" / f"{who}.ipynb").write_text(json.dumps(notebook))
    (folder / "roster.csv").write_text("id\n" + "\n".join(ids) + "\n")
    return folder


@confined
def test_killed_half_way_it_goes_on_and_comes_to_the_same(few, dist, tmp_path):
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    inputs = (dist, few / "submissions", few / "roster.csv")
    process = subprocess.Popen(
        command(*inputs, broken), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("3/8"):
            break
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    _, alive = psutil.wait_procs(below, timeout=10)
    assert below
    assert not alive, "a sandbox outlives the grader"
    assert not (broken / "grades.csv").exists()
    kept = list((broken / "results").glob("*.json"))
    assert 3 <= len(kept) < 8
    for path in kept:
        json.loads(path.read_text())

    done = grade(*inputs, broken)
    assert done.stdout.count("(as before)") == len(kept)
    assert grade(*inputs, whole).returncode == 0
    assert (broken / "grades.csv").read_bytes() == (whole / "grades.csv").read_bytes()


@confined
def test_no_sandbox_outlives_a_grader_that_is_killed():
    endless = """
        from assignments.grading.sandbox import Limits, Sandbox
        job = {"cells": [[1, "import time; time.sleep(900)"]], "skip": [], "skip_calls": [],
               "values": [], "calls": {}, "cell_seconds": 900, "call_seconds": 900}
        Sandbox().run(job, Limits(cell_seconds=900, seconds=900), flopslib=False)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(endless)], cwd=ROOT)
    below = []
    for _ in range(600):
        below = psutil.Process(process.pid).children(recursive=True)
        if any("python" in one.name() for one in below):
            break
        time.sleep(0.1)
    time.sleep(2)  # the cell has begun, so that no broken pipe ends it
    process.kill()
    process.wait()
    assert below
    assert not psutil.wait_procs(below, timeout=10)[1]


@confined
def test_interrupted_it_stops_at_once_and_says_how_to_go_on(dist, make, tmp_path):
    (tmp_path / "submissions").mkdir()
    endless = make.with_cells("anna", "import time\ntime.sleep(1000)")
    (tmp_path / "submissions" / "anna.ipynb").write_text(json.dumps(endless))
    (tmp_path / "submissions" / "bert.ipynb").write_text(json.dumps(make.solved("bert")))
    (tmp_path / "roster.csv").write_text("id\nbert\nanna\n")
    inputs = (dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    process = subprocess.Popen(
        command(*inputs, "--seconds", "600", "--cell-seconds", "600"),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # where the tests run in the background, the shell has made them deaf to it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("1/2 bert"):
            break
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert not psutil.wait_procs(below, timeout=10)[1]
    assert [path.name[:4] for path in (tmp_path / "out" / "results").glob("*.json")] == ["bert"]


@confined
def test_a_failure_of_the_grader_costs_nobody_else(dist, make, tmp_path, monkeypatch, capsys):
    (tmp_path / "submissions").mkdir()
    for who in ("anna", "bert"):
        (tmp_path / "submissions" / f"{who}.ipynb").write_text(json.dumps(make.solved(who)))
    (tmp_path / "roster.csv").write_text("id\nanna\nbert\n")
    run = Sandbox.run

    def fails(self, job, limits, **options):
        if "'anna'" in str(job["cells"]):
            raise ZeroDivisionError
        return run(self, job, limits, **options)

    monkeypatch.setattr(Sandbox, "run", fails)
    inputs = (dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    assert main(command(*inputs)[5:]) == 0
    rows = table(tmp_path / "out" / "grades.csv")
    assert rows["anna"]["status"] == "crashed"
    assert "grader itself failed" in rows["anna"]["reason"]
    assert rows["bert"]["total"] == str(classroom.FULL)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / "results").glob("bert.*"))) == 1


# --- no sandbox ------------------------------------------------------------------


def test_without_bubblewrap_nothing_is_graded(few, dist, tmp_path):
    done = grade(
        dist, few / "submissions", few / "roster.csv", tmp_path, env={"PATH": str(tmp_path)}
    )
    assert done.returncode == 2
    assert "bwrap was not found: install bubblewrap" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "grades.csv").exists()


def test_a_bubblewrap_that_does_not_work_is_quoted(few, dist, tmp_path):
    fake = tmp_path / "bin" / "bwrap"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    done = grade(
        dist, few / "submissions", few / "roster.csv", tmp_path / "out",
        env={"PATH": f"{fake.parent}:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "uid map: Permission denied" in done.stderr
    assert "install bubblewrap" in done.stderr


def test_unsafe_is_asked_for_and_marked(make, dist, tmp_path):
    (tmp_path / "submissions").mkdir()
    for who in ("anna", "bert"):
        path = tmp_path / "submissions" / f"{who}.ipynb"
        path.write_text(json.dumps(make.solved(who)))
    (tmp_path / "roster.csv").write_text("id\nanna\nbert\n")
    done = grade(
        dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out", "--unsafe",
        env={"PATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "UNSAFE" in done.stdout
    rows = table(tmp_path / "out" / "grades.csv")
    assert [row["total"] for row in rows.values()] == [str(classroom.FULL)] * 2
    assert all("without confinement" in row["reason"] for row in rows.values())


# --- what is inside the sandbox -----------------------------------------------------


def inside(*cells, flopslib=False, values=("found",), calls=None, limits=None):
    """Run cells in the sandbox, and return (the answers, how it ended)."""
    limits = limits or Limits(cell_seconds=8, call_seconds=2, seconds=20, memory=600 * 2**20)
    calls = calls or {}
    job = {
        "cells": [*enumerate(map(textwrap.dedent, cells), start=1)], "skip": [], "skip_calls": [],
        "values": [*values], "calls": calls, "cell_seconds": limits.cell_seconds,
        "call_seconds": limits.call_seconds,
    }  # fmt: skip
    outcome = sandbox.Sandbox().run(job, limits, flopslib=flopslib)
    if outcome.report is None or outcome.ended:
        return None, outcome
    reported = answers.checked_run(outcome.report, values, calls)
    reported.suspicions = answers.checked_notes(outcome.noted, values, calls)
    return reported, outcome


def found(*cells, **options):
    reported, outcome = inside(*cells, **options)
    assert reported is not None, outcome
    assert not reported.failed
    return reported.values["found"]["value"]


@confined
def test_the_sandbox_holds():
    sandbox.check()


def test_every_test_that_starts_a_sandbox_says_so():
    for test in ast.parse(Path(__file__).read_text()).body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            called = {
                ast.unparse(node.func) for node in ast.walk(test) if isinstance(node, ast.Call)
            }
            used = called | {argument.arg for argument in test.args.args}
            if used & {"graded", "inside", "found", "sandbox.check"}:
                assert "confined" in map(ast.unparse, test.decorator_list), test.name


@confined
def test_only_one_small_place_can_be_written_to():
    writable = found(
        """
        import os
        found = []
        for place, folders, files in os.walk("/"):
            folders[:] = [f for f in folders if os.path.join(place, f) not in ("/proc", "/packages")]
            try:
                open(os.path.join(place, "trial"), "w").close()
                found.append(place)
            except OSError:
                pass
        """
    )
    assert writable == ["/tmp"]
    kept = found(
        """
        found = 0
        try:
            for number in range(100):
                with open(f"/tmp/{number}", "wb") as file:
                    file.write(bytes(2**20))
                found += 1
        except OSError:
            pass
        """
    )
    assert 8 < kept <= 32


@confined
def test_nothing_of_the_repository_or_its_owner_can_be_seen():
    seen = found(
        f"""
        import os, sys
        found = [path for path in {[str(ROOT), str(Path.home() / ".ssh"), "/etc/passwd", "/var"]!r}
                 if os.path.exists(path)]
        for name, value in os.environ.items():
            if name not in ("HOME", "TMPDIR", "PATH", "LANG", "LC_CTYPE", "PWD") + tuple(
                    n for n in os.environ if n.startswith("MPL") or n.endswith("_THREADS")):
                found.append(name)
        for number in os.listdir("/proc"):
            if number.isdigit():
                try:
                    text = open(f"/proc/{{number}}/environ").read()
                    if "PYTEST" in text or "PATH=/usr/local" in text:
                        found.append(f"environment of {{number}}")
                except OSError:
                    pass
        for number in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{{number}}")
            except OSError:
                continue
            if not target.startswith(("/dev/null", "pipe:", "/proc/")):
                found.append(target)
        try:
            import flopslib
            found.append("flopslib")
        except ImportError:
            pass
        """
    )
    assert seen == []


@confined
def test_values_may_be_computed_with_flopslib_but_nothing_else_of_the_repository():
    assert found(
        """
        from flopslib import linear
        found = [linear(3, 4).macs]
        try:
            import assignments
            found.append("assignments")
        except ImportError:
            pass
        """,
        flopslib=True,
    ) == [12]


@confined
def test_the_kernel_refuses_what_no_limit_would_see():
    refused = found(
        """
        import ctypes, os, socket
        found = []
        libc = ctypes.CDLL(None, use_errno=True)
        for name, arguments in {
            "unshare": (0x10000000,), "ptrace": (0, 0, 0, 0), "shmget": (0, 10**9, 0o1600),
            "chroot": (b"/tmp",), "memfd_create": (b"x", 0), "mount": (b"x", b"/tmp", b"tmpfs", 0, 0),
        }.items():
            if getattr(libc, name)(*arguments) != -1:
                found.append(name)
        try:
            socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
            found.append("vsock")
        except OSError:
            pass
        try:
            socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10**9)
            found.append("large buffers")
        except OSError:
            pass
        try:
            os.setuid(0)
            found.append("root")
        except OSError:
            pass
        """
    )
    assert refused == []


@confined
def test_a_network_of_its_own_leads_nowhere():
    assert found(
        """
            import os
            found = sorted(os.listdir("/sys/class/net")) if os.path.exists("/sys") else []
            lines = open("/proc/net/dev").read().splitlines()[2:]
            found += [line.split(":")[0].strip() for line in lines]
            """
    ) == ["lo"]


@confined
def test_processes_are_few_and_end_with_the_notebook():
    reported, _ = inside(
        """
        import os, time
        found = 0
        for _ in range(200):
            try:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
                found += 1
            except OSError:
                break
        """
    )
    assert reported.values["found"]["value"] < sandbox.MOST_PROCESSES
    assert ("program", 1) in reported.suspicions


@confined
@pytest.mark.parametrize(
    "greed",
    [
        """
        import os, time
        for _ in range(12):
            if os.fork() == 0:
                block = bytearray(b"x" * 100 * 2**20)
                time.sleep(60)
        time.sleep(6)
        """,
        """
        import mmap, os, time
        for _ in range(12):
            if os.fork() == 0:
                block = mmap.mmap(-1, 100 * 2**20)
                block.write(bytes(len(block)))
                time.sleep(60)
        time.sleep(6)
        """,
        """
        import os
        for number in range(10**6):
            os.mkdir(f"/tmp/{number}")
        """,
    ],
    ids=["forks", "shared", "empty folders"],
)
def test_memory_is_counted_wherever_it_is(greed):
    reported, outcome = inside(
        greed,
        limits=Limits(cell_seconds=8, call_seconds=2, seconds=20, memory=300 * 2**20),
    )
    assert reported is None
    assert outcome.ended == "memory"


@confined
def test_an_alarm_that_is_swallowed_does_not_help():
    started = time.monotonic()
    reported, outcome = inside(
        """
        import signal
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        while True:
            pass
        """,
        limits=Limits(cell_seconds=1, call_seconds=1, seconds=20),
    )
    assert reported is None
    assert outcome.ended == "late"
    assert outcome.step == ["cell", 1]
    assert time.monotonic() - started < 10


@confined
def test_who_only_waits_is_not_waited_for():
    reported, _ = inside(
        "import time\ntime.sleep(1000)", limits=Limits(cell_seconds=0.5, call_seconds=1, seconds=20)
    )
    assert reported.failed == {1: "OutOfTime"}


@confined
def test_an_attempt_is_remembered_though_python_ends():
    _, outcome = inside("import os\nos.system('ls')\nos._exit(0)")
    assert outcome.ended == "died"
    assert ["program", 1] in outcome.noted


@confined
def test_a_flood_of_reports_is_cut():
    reported, outcome = inside(
        """
        import os
        for descriptor in range(3, 30):
            try:
                while True:
                    os.write(descriptor, b"x" * 65536)
            except OSError:
                pass
        """
    )
    assert reported is None
    assert outcome.ended in ("flood", "late")


@confined
def test_cells_know_magics_await_and_the_cells_below_them():
    reported, _ = inside(
        "total = base + 1",
        "%matplotlib inline\n!rm -rf /\nfiles = !ls\nbase = 1",
        "%%time\ntimed = base + 10",
        "%%bash\nexit 1",
        "import asyncio\nawait asyncio.sleep(0)\nfound = [base, timed, total]",
        "get_ipython().run_line_magic('load_ext', 'x')",
        "import otter\ngrader = otter.Notebook('x.ipynb')\ngrader.check('q1')\ngrader.check_all()",
    )
    assert reported.values["found"] == {"value": [1, 11, 2]}
    assert not reported.failed
    assert not reported.suspicions


@confined
@pytest.mark.parametrize(
    "honest",
    [
        "import numpy, sympy, pandas, matplotlib.pyplot",
        "import ctypes, multiprocessing, subprocess, socket, urllib.request, asyncio, sqlite3",
        "import IPython, nbformat, rich",
        "open('/home/anna/numbers.csv')",
        "open('data.csv')",
        "import os\nos.listdir('.')\nos.path.exists('/autograder')",
        "import platform\nplatform.platform(), platform.processor()",
        "import pandas\npandas.read_csv('numbers.csv')",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\nfound = A(1)",
        "import numpy as np\nfound = np.arange(3)",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(1, 1)",
        "import random\nrandom.seed(1)\nx = {}\nx['builtins'] = 1",
        "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'x')",
        "exit()",
        "raise KeyboardInterrupt",
        "input()",
        "import timeit\ntimeit.timeit('1', number=1)",
    ],
)
def test_what_is_honest_is_not_suspicious(honest):
    reported, outcome = inside(honest)
    assert reported is not None, outcome
    assert not reported.suspicions


@confined
@pytest.mark.parametrize(
    ("what", "cell"),
    [
        ("network", "import socket\nsocket.create_connection(('192.0.2.1', 80), 1)"),
        ("network", "import urllib.request as u\nu.urlopen('http://example.com')"),
        ("network", "import pandas\npandas.read_csv('http://example.com/x.csv')"),
        ("program", "import os\nos.system('ls')"),
        ("program", "import subprocess\nsubprocess.run(['ls'])"),
        ("program", "exec('import os; os.popen(\"ls\")')"),
        ("files", "open('/autograder/source/tests/q1.py')"),
        ("files", "open('../assignments/hidden.py')"),
        ("files", "import pathlib\npathlib.Path('/etc/passwd').read_text()"),
        ("files", "open('/proc/1/environ')"),
        ("files", "import os\nos.listdir('/')"),
        ("tests", "import assignments.questions"),
        ("ctypes", "import ctypes\nctypes.CDLL(None)"),
        ("memory", "import gc\ngc.get_objects()"),
        ("patch", "import otter\notter.Notebook.check = print"),
        ("patch", "from otter.check import notebook\nnotebook.x = 1"),
        ("patch", "import doctest as d\nd.DocTestRunner.run = print"),
        ("patch", "__builtins__.x = print"),
        ("equal", "class A:\n    def __eq__(self, other): return True\nfound = A()"),
        ("equal", "class A(int):\n    def __eq__(self, other): return True\nfound = [[A(3)]]"),
    ],
)
def test_an_attempt_is_noted(what, cell):
    reported, outcome = inside(cell)
    assert reported is not None, outcome
    assert {found for found, _ in reported.suspicions} >= {what}


@confined
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("found = 3", {"value": 3}),
        ("found = -10**3000", {"value": -(10**3000)}),
        ("found = ['é', [1, []]]", {"value": ["é", [1, []]]}),
        ("import numpy\nfound = numpy.int64(7)", {"value": 7}),
        ("import sympy\nfound = [sympy.Integer(7)]", {"value": [7]}),
        ("found = True", {"other": "bool"}),
        ("found = 1.0", {"other": "float"}),
        ("found = (1, 2)", {"other": "tuple"}),
        ("class A(int): pass\nfound = A(3)", {"other": "object"}),
        ("class int: __module__ = 'builtins'\nfound = int()", {"other": "object"}),
        ("found = 10**5000", {"other": "an integer that is too large"}),
        ("found = 'x' * 10**6", {"other": "a text that is too long"}),
        ("found = [0] * 10**5", {"other": "a list that is too long or too deep"}),
        ("found = []\nfound.append(found)", {"other": "a list that is too long or too deep"}),
        ("found = ...", {"other": "ellipsis"}),
        ("pass", {"missing": True}),
        ("ﬁ = 1\nfound = fi", {"value": 1}),
    ],
)
def test_answers_are_plain_data(source, expected):
    reported, outcome = inside(source)
    assert reported is not None, outcome
    assert reported.values["found"] == expected


@confined
def test_functions_are_called_in_the_sandbox():
    reported, _ = inside(
        "def f(a, b=1):\n    return [a, b]",
        "def g(a):\n    while True:\n        pass",
        "def h(a):\n    raise ZeroDivisionError(a)",
        "class Leak_7(Exception): pass\ndef i(a):\n    raise Leak_7",
        "def j(a):\n    exit()",
        "k = 3",
        values=(),
        calls={name: [{"a": 5}, {"a": "x"}] for name in "fghijkl"},
    )
    assert reported.functions["f"]["results"] == [{"value": [5, 1]}, {"value": ["x", 1]}]
    assert reported.functions["g"]["results"] == [{"error": "OutOfTime"}] * 2
    assert reported.functions["h"]["results"] == [{"error": "ZeroDivisionError"}] * 2
    assert reported.functions["i"]["results"] == [{"error": "Exception"}] * 2
    assert reported.functions["j"]["results"] == [{"error": "SystemExit"}] * 2
    assert reported.functions["k"] == {"state": "not a function"}
    assert reported.functions["l"] == {"state": "missing"}


# --- what comes back is not believed ------------------------------------------------


GOOD = {"values": {"x": {"value": 1}}, "functions": {}, "failed": []}


@pytest.mark.parametrize(
    "report",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        json.dumps(GOOD | {"more": 1}),
        json.dumps(GOOD | {"values": {}}),
        json.dumps(GOOD | {"values": {"x": {"value": 1}, "y": {"value": 2}}}),
        json.dumps(GOOD | {"values": {"x": 1}}),
        json.dumps(GOOD | {"values": {"x": {"value": 1.0}}}),
        json.dumps(GOOD | {"values": {"x": {"value": True}}}),
        json.dumps(GOOD | {"values": {"x": {"value": None}}}),
        json.dumps(GOOD | {"values": {"x": {"value": {"a": 1}}}}),
        json.dumps(GOOD | {"values": {"x": {"value": [[1], [float("nan")]]}}}),
        json.dumps(GOOD | {"values": {"x": {"value": [0] * 20_000}}}),
        json.dumps(GOOD | {"values": {"x": {"value": "x" * 20_000}}}),
        json.dumps(GOOD | {"values": {"x": {"value": "\ud800"}}}),
        json.dumps(GOOD | {"values": {"x": {"value": 1, "other": "int"}}}),
        json.dumps(GOOD | {"values": {"x": {"error": "ValueError"}}}),
        json.dumps(GOOD | {"values": {"x": {"missing": 1}}}),
        json.dumps(GOOD | {"functions": {"f": {"state": "missing"}}}),
        json.dumps(GOOD | {"functions": []}),
        json.dumps(GOOD | {"failed": [[1, "Leak"]]}),
        json.dumps(GOOD | {"failed": [[0, "ValueError"]]}),
        json.dumps(GOOD | {"failed": {"1": "ValueError"}}),
        '{"values": {"x": {"value": 1}}, "values": {}, "functions": {}, "failed": []}',
        json.dumps(GOOD).replace("1}", "1" * 5000 + "}"),
        json.dumps(GOOD).replace("1}", "1e5}"),
        json.dumps(GOOD).replace("1}", "Infinity}"),
    ],
)
def test_a_forged_report_counts_for_nothing(report):
    answers.checked_run(json.dumps(GOOD), ["x"], {})
    with pytest.raises(answers.ForgedError):
        answers.checked_run(report, ["x"], {})


def test_notes_that_make_no_sense_are_left_out():
    noted = [["network", 3], ["network", 3], ["network", True], ["network", 0], ["nothing", 1]]
    noted += [["network", "a long story"], ["equal", "x"], 7, ["network"], []]
    assert answers.checked_notes(noted, ["x"], {}) == [("network", 3), ("equal", "x")]


# --- the tests run elsewhere ----------------------------------------------------------


@pytest.fixture
def tester(dist, tmp_path):
    autograder.unpack(next((dist / "layers" / "autograder").glob("*.zip")), tmp_path)
    tester = autograder.Tester(tmp_path, "layers")
    yield tester
    tester.close()


def test_a_test_that_does_not_end_costs_its_own_question_only(tester, monkeypatch):
    path = tester.folder / "tests" / "layers-2.py"
    loop = "while type(layers_2) is list:\n        pass\n    "
    path.write_text(path.read_text().replace("from assignments", loop + "from assignments", 1))
    tester.plan("anna")  # so that only the tests are timed
    monkeypatch.setattr(autograder, "SECONDS", 2.5)
    given = {
        q.answer: {"value": q.right_answer("anna")} for q in load("layers") if not q.is_function
    }
    found = answers.Answers(values=given)
    points = {one["name"]: one["points"] for one in tester.grade("anna", found)}
    assert points == classroom.without(2, 4, 5)


def test_a_stand_in_knows_exactly_what_was_recorded(tester):
    _, calls = tester.plan("anna")
    assert calls["layers_4"] != tester.plan("bert")[1]["layers_4"][:]
    questions = {q.answer: q for q in load("layers") if q.is_function}

    def points(change):
        functions = {
            name: {
                "state": "function",
                "results": [{"value": questions[name].expected(**one)} for one in given],
            }
            for name, given in calls.items()
        }
        change(functions["layers_4"]["results"])
        found = answers.Answers(functions=functions)
        return {one["name"]: one["points"] for one in tester.grade("anna", found)}

    assert points(lambda results: None)["layers-4"] == 4
    for wrong in (
        {"value": 1},
        {"error": "OutOfTime"},
        {"error": "ValueError"},
        {"other": "float"},
    ):
        assert points(lambda results, wrong=wrong: results.__setitem__(-1, wrong))["layers-4"] == 0


def test_the_digest_of_the_tests_does_not_depend_on_when_they_were_packed(tmp_path):
    for number in (1, 2):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("a.py", (1990 + number, 1, 1, 0, 0, 0)), "x = 1")
    with zipfile.ZipFile(tmp_path / "3.zip", "w") as archive:
        archive.writestr("a.py", "x = 2")
    one, two, three = (autograder.fingerprint(tmp_path / f"{n}.zip") for n in (1, 2, 3))
    assert one == two != three


# --- who is in the class ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (b"id,name\nanna,Anna\n", ["anna"]),
        (b"\xef\xbb\xbfid,name\r\nanna,\r\nbert,\r\n", ["anna", "bert"]),
        (b"name;ID\nLee, Anna;anna\n", ["anna"]),
        (b"Name\tId\nA\tanna\n\n", ["anna"]),
        ("id\nmüller\n".encode(), ["müller"]),
    ],
)
def test_rosters_that_can_be_read(content, ids, tmp_path):
    (tmp_path / "roster.csv").write_bytes(content)
    assert [person.id for person in read_roster(tmp_path / "roster.csv")] == ids


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"id,name\n", "names nobody"),
        (b"name,mail\nanna,x\n", "needs one column named id"),
        (b"id,id\na,b\n", "needs one column named id"),
        (b"anna\nbert\n", "needs one column named id"),
        (b"id,name\nanna,1\nanna,2\n", "'anna' twice"),
        (b"id\nanna\nAnna\n", "(as 'anna')"),
        (b"id,name\n,Anna\n", "no id for person 1"),
        (b"id\n...\n", "letter or digit"),
        ("id\nanna\nmüller\n".encode("latin-1"), "not UTF-8 (line 3)"),
        ("id\nanna\n".encode("utf-16-le"), "not text"),
        (None, "cannot be read: No such file"),
    ],
)
def test_rosters_that_cannot_be_used_get_a_sentence(content, said, tmp_path):
    path = tmp_path / "roster.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RosterError, match=re.escape(said)) as error:
        read_roster(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("anna.ipynb", "anna"),
        ("Anna_layers.IPYNB", "anna"),
        ("anna (1).ipynb", "anna"),
        ("anna-final.ipynb", "anna"),
        ("anna2.ipynb", "anna2"),
        ("anna2_layers.ipynb", "anna2"),
        ("anna-lee_layers.ipynb", "anna-lee"),
        ("anna3.ipynb", None),
        ("annabel.ipynb", None),
        ("b.smith@school.edu_layers.ipynb", "b.smith@school.edu"),
        ("leeanna_LATE_4711_0815_s12345_layers.ipynb", "s12345"),
        ("leeanna_4711_s12345-1.ipynb", "s12345"),
        ("for anna-lee.ipynb", "anna-lee"),
        ("s12345x.ipynb", None),
        ("layers of anna2 and s12345.ipynb", None),
        ("submission_7.ipynb", None),
        ("7.ipynb", "7"),
        ("7_layers.ipynb", "7"),
        ("layers.ipynb", None),
        ("MÜLLER_1.ipynb", "müller"),
        ("mu\u0308ller.ipynb", "müller"),
        ("", None),
    ],
)
def test_whose_is_a_file(name, owner):
    ids = ["anna", "anna2", "anna-lee", "s12345", "7", "b.smith@school.edu", "müller"]
    person = Names([Person(one) for one in ids]).owner(stem(name))
    assert (person and person.id) == owner


def test_every_file_is_somebodys_or_nobodys(tmp_path):
    files = [
        "anna.ipynb", "anna_2.ipynb", "bert/layers.ipynb", "bert/notes.txt", "zoe.ipynb",
        "submission_1/anna_3.ipynb", "submission_1/x.ipynb", "unknown/y.ipynb", "roster.csv",
    ]  # fmt: skip
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("x")
    (tmp_path / "carl").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = find(tmp_path, [Person("anna"), Person("bert"), Person("carl")])
    named = {
        who: [str(path.relative_to(tmp_path)) for path in paths] for who, paths in found.of.items()
    }
    assert sorted(named["anna"]) == ["anna.ipynb", "anna_2.ipynb", "submission_1/anna_3.ipynb"]
    assert named["bert"] == ["bert/layers.ipynb", "bert/notes.txt"]
    assert named["carl"] == ["carl"]
    nobodys = sorted(str(path.relative_to(tmp_path)) for path in found.nobodys)
    assert nobodys == ["loop", "roster.csv", "submission_1/x.ipynb", "unknown/y.ipynb", "zoe.ipynb"]


def test_of_several_the_one_changed_last_is_graded(tmp_path):
    for name, when in (
        ("anna.ipynb", 5),
        ("anna_10.ipynb", 5),
        ("anna_9.ipynb", 5),
        ("anna_x.pdf", 9),
    ):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (when, when))
    files = find(tmp_path, [Person("anna")]).of["anna"]
    assert [path.name for path in files] == [
        "anna_10.ipynb", "anna_9.ipynb", "anna.ipynb", "anna_x.pdf",
    ]  # fmt: skip


# --- a person reads -----------------------------------------------------------------------


TEMPLATE = by_hand.Template(
    texts=frozenset({"# Set", "<!-- BEGIN QUESTION --> ## Question 8: zeros Show it.", "## Question 9: more"}),
    questions={
        "<!-- BEGIN QUESTION --> ## Question 8: zeros Show it.": "Question 8: zeros",
        "<!-- BEGIN QUESTION --> ## Question 9: more": "Question 9: more",
    },
    points={},
)  # fmt: skip
QUESTION = "<!-- BEGIN QUESTION -->\n\n## Question 8: zeros\n\nShow it."


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([QUESTION, "mine", "<!-- END QUESTION -->"], [["Question 8: zeros", "mine"]]),
        ([QUESTION, by_hand.PLACEHOLDER, "<!-- END QUESTION -->"], []),
        ([QUESTION, "one", "two", "# Set", "x"], [["Question 8: zeros", "one\n\ntwo"], [by_hand.ELSEWHERE, "x"]]),
        ([QUESTION + "\n\n  mine  "], [["Question 8: zeros", "mine"]]),
        (["## Question 8: zeros\n\nMy own words."], [["Question 8: zeros", "## Question 8: zeros\n\nMy own words."]]),
        (["# Question  8: zeros\n", "mine"], [["Question 8: zeros", "# Question  8: zeros\n\nmine"]]),
        (["## Question 9: more", "b", QUESTION, "a"], [["Question 8: zeros", "a"], ["Question 9: more", "b"]]),
        (["mine"], [[by_hand.ELSEWHERE, "mine"]]),
        ([], []),
    ],
)  # fmt: skip
def test_answers_in_words_are_found(cells, expected):
    found = by_hand.answers([("markdown", cell) for cell in cells], TEMPLATE)
    assert [[title, " ".join(text.split())] for title, text in found] == [
        [title, " ".join(text.split())] for title, text in expected
    ]


def test_a_page_without_names_has_a_key():
    people = [
        (f"s{number}", f"Name {number}", [["Question 8: zeros", f"text {number}"]])
        for number in range(9)
    ]
    page = by_hand.page("layers", TEMPLATE, people, None, "secret")
    assert "Name" not in page
    assert not re.search(r"\bs\d\b", page)
    rows = list(csv.DictReader(io.StringIO(by_hand.key("secret", [who for who, _, _ in people]))))
    for row in rows:
        code = re.escape(row["code"])
        assert re.search(
            rf"<h3>{code}</h3>\n<div class=\"answer\">text {row['id'][1:]}</div>", page
        )
    order = re.findall(r"text (\d)", page)
    assert sorted(order) == list("012345678") != order


PACKAGE = Path(sandbox.__file__).parent
MODULES = sorted({path.stem for path in PACKAGE.glob("*.py")} - {"runner", "worker", "__init__"})


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    results = doctest.testmod(importlib.import_module(f"assignments.grading.{module}"))
    assert not results.failed


# --- the command --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "SET, SUBMISSIONS, ROSTER are missing; say make grade SET=layers"),
        (["layers", "--submissions", "x"], "ROSTER is missing"),
        (["layers", "--submissions", "x", "--roster", "y"], "the roster y cannot be read"),
        (
            ["layers", "--submissions", "x", "--roster", "roster.csv"],
            "SUBMISSIONS=x is not a folder",
        ),
        (
            ["nothing", "--submissions", ".", "--roster", "roster.csv", "--dist", "."],
            "SET=nothing has no tests",
        ),
        (["layers", "--jobs", "0"], "must be a whole number above 0, got '0'"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roster.csv").write_text("id\nanna\n")
    with contextlib.suppress(SystemExit):  # argparse ends by itself
        assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_identifiers_make_names_of_files_that_cannot_clash_or_leave():
    ids = [
        "anna",
        "../../x",
        "a/b",
        "a_b",
        "a b",
        "x" * 300,
        "é",
        ".hidden",
        "a@b.c",
        "A\nB",
        "-rf",
    ]
    names = [kept.slug(one) for one in ids]
    assert len(set(names)) == len(ids)
    assert all("/" not in name and "\n" not in name and len(name) < 100 for name in names)
    assert not any(name.startswith((".", "-")) for name in names)
