"""The sandbox of `make grade`: what gets in, what gets out, and what comes back."""

import ast
import json
import textwrap
import time
from pathlib import Path

import pytest

from assignments.grading import answers, sandbox
from assignments.grading.sandbox import Limits

ROOT = Path(__file__).parents[2]
confined = pytest.mark.needs("bwrap")


# --- what is inside the sandbox -----------------------------------------------------


def inside(*cells, flopslib=False, values=("found",), calls=None, limits=None):
    """Run cells in the sandbox, and return (the answers, how it ended)."""
    limits = limits or Limits(cell_seconds=8, call_seconds=2, seconds=20, memory=600 * 2**20)
    calls = calls or {}
    job = {"set": "", "skip": [], "skip_calls": [], "values": [*values], "calls": calls}
    notebook = sandbox.notebook(*map(textwrap.dedent, cells))
    outcome = sandbox.Sandbox().run(notebook, job, limits, flopslib=flopslib)
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
