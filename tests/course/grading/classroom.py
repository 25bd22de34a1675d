"""A class that hands in everything a grader may be given: made here, graded in test_grading."""

import copy
import json
import os
import re
from dataclasses import dataclass, field

ALL = {
    "layers-1": 3, "layers-2": 3, "layers-3": 3, "layers-4": 4, "layers-5": 4, "layers-6": 3,
    "layers-7": 5,
}  # fmt: skip
FULL = sum(ALL.values())
NONE = dict.fromkeys(ALL, 0)


@dataclass
class Case:
    """A person, what is handed in, and what has to come of it.

    `content` is bytes or a notebook; a function takes the folder and the id and writes there.
    """

    id: str
    content: object
    status: str
    points: dict = field(default_factory=dict)
    reason: str = ""
    file: str = ""

    def write(self, folder):
        if self.content is None:
            return
        if callable(self.content):
            self.content(folder, self.id)
            return
        data = self.content
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        (folder / (self.file or f"{self.id}_layers.ipynb")).write_bytes(data)


def code(source):
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def markdown(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


class Maker:
    """Makes notebooks from the solved one and from the one that students get."""

    def __init__(self, solved, student):
        self._solved = json.loads(solved.read_text())
        self._student = json.loads(student.read_text())

    def solved(self, student):
        return named(self._solved, student)

    def untouched(self, student):
        return named(self._student, student)

    def with_cells(self, student, *sources, first=False, base="solved"):
        """A notebook with more code cells, before everything or after the fifth cell."""
        notebook = getattr(self, base)(student)
        place = 0 if first else 5
        notebook["cells"][place:place] = [code(source) for source in sources]
        return notebook

    def after(self, student, *sources, base="solved"):
        notebook = getattr(self, base)(student)
        notebook["cells"] += [code(source) for source in sources]
        return notebook

    def replaced(self, student, answer, source):
        """The solved notebook with another cell where an answer is defined."""
        notebook = self.solved(student)
        pattern = re.compile(rf"^(def )?{answer}\b( =|\()", re.MULTILINE)
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        (cell,) = [cell for cell in cells if pattern.search(text(cell))]
        cell["source"] = source
        return notebook


def text(cell):
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def named(notebook, student):
    notebook = copy.deepcopy(notebook)
    for cell in notebook["cells"]:
        if text(cell).lstrip().startswith("STUDENT ="):
            cell["source"] = f"STUDENT = {student!r}"
    return notebook


def without(*questions):
    return ALL | dict.fromkeys([f"layers-{number}" for number in questions], 0)


def version_3(notebook):
    """The same notebook as programs of 2014 wrote it."""
    cells = [
        {
            "cell_type": "code",
            "language": "python",
            "input": text(cell),
            "outputs": [],
            "metadata": {},
        }
        if cell["cell_type"] == "code"
        else {"cell_type": "markdown", "source": text(cell), "metadata": {}}
        for cell in notebook["cells"]
        if cell["cell_type"] != "raw"
    ]
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


def stripped(notebook):
    notebook = copy.deepcopy(notebook)
    notebook["metadata"] = {}
    notebook["nbformat_minor"] = 2
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)
    return notebook


def without_tests(notebook):
    notebook = copy.deepcopy(notebook)
    notebook["metadata"].pop("otter", None)
    notebook["cells"] = [
        cell
        for cell in notebook["cells"]
        if "grader" not in text(cell) and cell["cell_type"] == "code"
    ]
    return notebook


def shuffled(notebook):
    """Backwards, every code cell twice, each with the id of another."""
    notebook = copy.deepcopy(notebook)
    cells = []
    for cell in reversed(notebook["cells"]):
        cells += [cell, copy.deepcopy(cell)] if cell["cell_type"] == "code" else [cell]
    for number, cell in enumerate(cells):
        cell["id"] = f"renamed-{number // 2}"
    notebook["cells"] = cells
    return notebook


def sparse(folder, student):
    """100 MB that take no room on the disk."""
    with open(folder / f"{student}.ipynb", "wb") as file:
        file.truncate(100 * 10**6)


def link(folder, student):
    os.symlink("/etc/passwd", folder / f"{student}.ipynb")


def pipe(folder, student):
    os.mkfifo(folder / f"{student}.ipynb")


EQUAL = """
class Equal(list):
    def __init__(self):
        super().__init__([1, 2, 3])
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    def __hash__(self):
        return 0
    __class__ = list
layers_1 = Equal()
layers_2 = [Equal(), Equal()]
"""

PATCH = """
import builtins, unittest, doctest
import otter
from otter.test_files import ok_test, exception_test
otter.Notebook.check = lambda *a, **k: "passed"
ok_test.run_doctest = lambda *a, **k: (True, "")
exception_test.ExceptionTestFile.run = lambda *a, **k: None
unittest.TestCase.assertEqual = lambda *a, **k: None
builtins.all = lambda things: True
"""

FROM_DISK = """
import glob, os
found = []
for place in ("/autograder/source/tests/layers-1.py", "/autograder/source/files/assignments/seed"):
    try:
        found.append(open(place).read())
    except OSError:
        pass
found += glob.glob("/**/*.py", recursive=True)[:10]
try:
    from assignments.hidden import seed
    from assignments.questions import load
    for question in load("layers"):
        globals()[question.answer] = question.right_answer(STUDENT)
except ImportError:
    pass
"""

NETWORK = """
import urllib.request
try:
    urllib.request.urlopen("http://example.com", timeout=2)
except OSError:
    pass
"""

FORK_BOMB = """
import os
for _ in range(1000):
    try:
        if os.fork() == 0:
            while True:
                pass
    except OSError:
        pass
"""

FORGE = """
import json, os
report = {"values": {}, "functions": {}, "failed": []}
line = json.dumps(report).encode() + b"\\n"
for descriptor in range(3, 64):
    try:
        os.write(descriptor, line)
    except OSError:
        pass
os._exit(0)
"""

HONEST = """
%matplotlib inline
import numpy as np, sympy as sp, pandas as pd
import matplotlib.pyplot as plt
import platform, uuid, random, subprocess, ctypes, socket
from IPython.display import display
!pip install numpy
figure, axes = plt.subplots()
axes.plot(np.arange(3))
figure.savefig("picture.png")
display(pd.DataFrame({"a": [1]}))
with open("notes.txt", "w") as file:
    file.write("mine")
platform.platform(), uuid.uuid4(), sp.factorint(2**20 - 1)
"""

HONEST_END = """
layers_1 = [np.int64(layers_1[0]), sp.Integer(layers_1[1]), layers_1[2]]
assert open("notes.txt").read() == "mine"
"""


def cases(make):
    """The class; every id says what is wrong, or right, with that person's notebook."""
    wrong = "layers_4 = layers_5 = layers_6 = layers_7 = 3"
    loop = "while True:\n    pass"
    deaf = (
        "import signal\nfor name in (signal.SIGPROF, signal.SIGALRM):\n"
        "    signal.signal(name, signal.SIG_IGN)\n" + loop
    )
    exits = "import os\nos._exit(0)\nlayers_1 = [1, 2, 3]"
    forever = "def layers_4(**sizes):\n    while True:\n        pass"
    imports = (
        "def layers_4(**sizes):\n    from flopslib import conv2d\n"
        "    return conv2d(**sizes, bias=False).flops"
    )
    thread = "import threading\nthreading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()"
    segfault = "import faulthandler\nfaulthandler._sigsegv()"
    huge = "layers_1 = 10**10_000\nlayers_2 = 'x' * 10**8\nlayers_3 = [layers_1] * 10**6\nwhile True:\n    layers_6 = [layers_6]\n    if len(str(layers_6)) > 200: break"
    odd = "layers_1 = float('nan')\nlayers_2 = ['\\ud800', '\\ud800']\nlayers_3 = (1, 2, 3)\nlayers_6 = [True, 1.0, None]"

    def text_of(notebook):
        return json.dumps(notebook).encode()

    def graded(who, content, points=ALL, reason="", **more):
        return Case(who, content, "graded", points, reason, **more)

    def suspicious(who, content, points=ALL, reason="", **more):
        return Case(who, content, "suspicious", points, reason, **more)

    def unreadable(who, content, reason, **more):
        return Case(who, content, "unreadable", NONE, reason, **more)

    return [
        graded("right", make.solved("right"), reason="Every cell ran."),
        graded("half", make.after("half", wrong), without(4, 5, 6, 7)),
        graded("untouched", make.untouched("untouched"), NONE),
        graded("syntax", make.replaced("syntax", "layers_1", "layers_1 = [1, 2"), without(1), "SyntaxError"),
        Case("loopcell", make.with_cells("loopcell", loop), "timed out", ALL, "did not end within"),
        Case("loopcall", make.replaced("loopcall", "layers_4", forever), "timed out", without(4), "layers_4"),
        Case("loopdeaf", make.with_cells("loopdeaf", deaf), "timed out", ALL, "could not be stopped"),
        graded("testless", without_tests(make.solved("testless"))),
        graded("shuffled", shuffled(make.solved("shuffled"))),
        graded("stripped", stripped(make.solved("stripped"))),
        graded("version3", version_3(make.solved("version3"))),
        unreadable("empty", b"", "empty"),
        unreadable("pdf", b"%PDF-1.7\n" + bytes(range(256)), "PDF"),
        unreadable("othershape", b'{"cells": 3, "name": "x"}', "not a notebook"),
        unreadable("truncated", text_of(make.solved("truncated"))[:-2000], "breaks off"),
        unreadable("sparse", sparse, "100 MB"),
        unreadable("nested", b"[" * 100_000, "nested"),
        unreadable("latin", "überall".encode("latin-1"), "not text"),
        unreadable("link", link, "link"),
        unreadable("pipe", pipe, "not a regular file"),
        unreadable("otherfile", b"print(1)", "not JSON", file="otherfile.py"),
        graded("noisy", make.with_cells("noisy", "for _ in range(5):\n    print('x' * 10**8)")),
        Case("memory", make.with_cells("memory", "bomb = bytearray(10**11)"), "crashed", ALL, "memory"),
        Case("exit", make.replaced("exit", "layers_1", exits), "crashed", without(1), "ended Python"),
        Case("segfault", make.with_cells("segfault", segfault), "crashed", ALL, "ended Python"),
        suspicious("equal", make.after("equal", EQUAL), without(1, 2), "equality"),
        suspicious("patched", make.with_cells("patched", PATCH, base="untouched"), NONE, "change the grader"),
        suspicious("fromdisk", make.after("fromdisk", FROM_DISK, base="untouched"), NONE, "files"),
        suspicious("network", make.with_cells("network", NETWORK), ALL, "network"),
        graded("imports", make.replaced("imports", "layers_4", imports), without(4)),
        suspicious("copied", make.solved("right"), without(1, 2, 3, 6, 7), "somebody else"),
        suspicious("forkbomb", make.with_cells("forkbomb", FORK_BOMB), ALL, "another program"),
        suspicious("forged", make.with_cells("forged", FORGE), NONE, "report"),
        graded("honest", honest(make), reason="Every cell ran."),
        graded("thread", make.with_cells("thread", thread)),
        graded("huge", make.after("huge", huge), without(1, 2, 3, 6)),
        graded("odd", make.after("odd", odd), without(1, 2, 3, 6)),
        Case("absent", None, "not submitted", {}, "no file"),
        graded("folder", in_folder(make)),
        graded("byhand", by_hand(make)),
        graded("elsewhere", stripped(by_hand(make, marked=False))),
        graded("newline", make.solved("newline"), file="newline_a\nb*[x](y)<z>.ipynb"),
        graded("twice", twice(make), reason="twice (1).ipynb, and not twice.ipynb"),
    ]  # fmt: skip


def honest(make):
    notebook = make.after("honest", HONEST_END)
    notebook["cells"][0:0] = [code(HONEST)]
    return notebook


def by_hand(make, marked=True):
    """A derivation in the cell for it; or the marks are gone, and it stands at the end."""
    notebook = make.solved("byhand" if marked else "elsewhere")
    (place,) = [n for n, cell in enumerate(notebook["cells"]) if "BEGIN QUESTION" in text(cell)]
    if marked:
        notebook["cells"].insert(place + 1, markdown("<script>alert(1)</script> $x^2$"))
        return notebook
    del notebook["cells"][place:]
    notebook["cells"].insert(3, markdown("An answer written elsewhere"))
    return notebook


def in_folder(make):
    def write(folder, student):
        (folder / student / "deeper").mkdir(parents=True)
        path = folder / student / "deeper" / "my work.ipynb"
        path.write_text(json.dumps(make.solved(student)))

    return write


def twice(make):
    def write(folder, student):
        for name, notebook, when in (
            ("twice (1).ipynb", make.solved(student), 2_000_000_000),
            ("twice.ipynb", make.untouched(student), 1_900_000_000),
        ):
            (folder / name).write_text(json.dumps(notebook))
            os.utime(folder / name, (when, when))

    return write
