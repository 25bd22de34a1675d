"""A class whose honest members have the usual accidents: with names, copies, letters, formats."""

import json
import os
import unicodedata
from dataclasses import dataclass

from grading.classroom import ALL, NONE, code, markdown, stripped, without

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass
class Accident:
    """A person on the roster, the files that came of it, and what is deserved.

    Attributes:
        kind: which accident it is.
        id: as the roster writes it.
        files: path within the folder → a notebook, or bytes; the later ones are newer.
        points: what every question has to earn.
        status: and the status, with a part of its reason.
    """

    kind: str
    id: str
    files: dict
    points: dict
    status: str = "graded"
    reason: str = ""
    name: str = ""
    lms: str = ""
    at_once: bool = False

    def write(self, folder):
        for number, (name, content) in enumerate(self.files.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            path.write_bytes(data)
            when = 1_900_000_000 + (0 if self.at_once else number)
            os.utime(path, (when, when))


def class_of(make, other_set, number=0):
    """Return one person for each kind of accident; each number is another class."""
    count = iter(range(100 * number, 100 * number + 100))

    def who(letters="s"):
        return f"{letters}{7000 + next(count)}"

    def moodle(name, lms):
        return f"{name}_{lms}_assignsubmission_file_/layers.ipynb"

    a, b, c, d, e = (who() for _ in range(5))
    found = [
        Accident("Moodle's folder", a, {moodle("Anna Smith", f"88{a[1:]}"): make.solved(a)}, ALL,
                 reason="its STUDENT is this person"),
        Accident("Canvas's name", b, {f"jonesbob_99{b[1:]}_33445_layers.ipynb": make.solved(b)}, ALL),
        Accident("Canvas's name, late", c, {f"jonesjim_LATE_99{c[1:]}_44556_layers-2.ipynb": make.solved(c)}, ALL),
        Accident("Moodle's number on the roster", d, {moodle("Zed", f"77{d[1:]}"): make.untouched("your identifier")}, NONE,
                 lms=f"Participant 77{d[1:]}"),
        Accident("Moodle's name on the roster", e, {moodle(f"Maria{e} Lopez", f"66{e[1:]}"): make.untouched("")}, NONE,
                 name=f"Lopez, Maria{e}"),
    ]  # fmt: skip
    a, b, c, d, e = (
        who("S"),
        f"Ann{next(count)}@Uni.Example",
        f"zoë-åström{next(count)}",
        who(),
        who(),
    )
    decomposed = unicodedata.normalize("NFD", c)
    found += [
        Accident("capital letters", a, {f"{a.lower()}.ipynb": make.solved(a.lower())}, ALL, reason="Every cell ran."),
        Accident("capital letters of an address", b, {f"{b}_layers.ipynb": make.solved(b.lower())}, ALL),
        Accident("another form of Unicode", c, {f"{decomposed}.ipynb": make.solved(decomposed)}, ALL, reason="Every cell ran."),
        Accident("blanks that nobody sees", d, {f"{d} .ipynb": make.solved(f" {d}\u200b\u00a0")}, ALL, reason="Every cell ran."),
        Accident("what Excel makes of it", f'="{e}"', {f"{e}.ipynb": make.solved(e)}, ALL),
    ]  # fmt: skip
    a, b, c, d, e = (who("anna"), who("evilbobb"), who(), who(), who())
    found += [
        Accident("a name that a friend's file has", a, {f"smith_99{next(count)}1_55100_{a}_layers.ipynb": make.solved(a)}, ALL),
        Accident("a friend's name in the file's", b, {f"evil_99{next(count)}2_55200_{a}_layers.ipynb": make.solved(b)}, ALL),
        Accident("the notebook of another set", c, {f"{c}.ipynb": other_set(c)}, NONE, "unreadable", "notebook of the set transformers"),
        Accident("another set, without its mark", d, {f"{d}.ipynb": stripped(other_set(d))}, NONE, "graded", "no answer of this set in it"),
        Accident("an untouched copy of the same time", e,
                 {f"{e}.ipynb": make.solved(e), f"{e}_layers.ipynb": make.untouched("your identifier")}, ALL, at_once=True),
    ]  # fmt: skip
    a, b, c, d, e = (who() for _ in range(5))
    found += [
        Accident("a web page", a, {f"{a}.ipynb": b"\n<!DOCTYPE html><html><body>Sign in"}, NONE, "unreadable", "a web page"),
        Accident("a picture of 30 MB as an output", b, {f"{b}.ipynb": with_output(make.solved(b), 30 * 10**6)}, ALL),
        Accident("a file of its own", c, {f"{c}.ipynb": make.with_cells(
            c, "%%writefile helper.py\nfactor = 2", "from helper import factor\nassert factor == 2")}, ALL),
        Accident("whole numbers of NumPy", d, {f"{d}.ipynb": make.after(
            d, "import numpy as np\nlayers_1 = [np.int64(one) for one in layers_1]")}, ALL),
        Accident("fractions", e, {f"{e}.ipynb": make.after(
            e, "from fractions import Fraction\nlayers_1 = [Fraction(one) for one in layers_1]\nlayers_2 = [float(one) for one in layers_2]")},
            without(1, 2)),
    ]  # fmt: skip
    a, b, c, d = (who() for _ in range(4))
    found += [
        Accident("from Colab", d, {f"{d}.ipynb": make.with_cells(
            d, '!unzip -oqj layers.zip\n%pip install -q "otter-grader>=7,<8" *.whl', first=True)}, ALL, reason="Every cell ran."),
        Accident("a photo of the derivation", a, {f"{a}.ipynb": with_answer(make.solved(a), "![image.png](attachment:image.png)", PIXEL)}, ALL),
        Accident("a derivation in a cell of code", b, {f"{b}.ipynb": with_answer(make.solved(b), "N*K - p*(p+1)  # zeros", kind="code")}, ALL),
        Accident("the library inside functions", c, {f"{c}.ipynb": make.replaced(
            c, "layers_4", "from flopslib import conv2d\ndef layers_4(**sizes):\n    return conv2d(**sizes, bias=False).flops")}, without(4)),
    ]  # fmt: skip
    return found


def undeserved(people, rows):
    """Return a line for everybody whose row is not what they deserve."""
    wrong = []
    for one in people:
        row = rows[one.id.removeprefix('="').removesuffix('"')]
        points = {name: int(row[name]) for name in ALL}
        if (points, row["status"]) != (one.points, one.status) or one.reason not in row["reason"]:
            wrong.append(f"{one.kind}: {row}, expected {one.status} {one.points} {one.reason}")
    return wrong


def roster(people):
    """Return the roster of a class as Excel would save it."""
    lines = ["sep=;", "id;name;lms"]
    for one in people:
        quoted = one.id.replace('"', '""')
        lines.append(f'"{quoted}";"{one.name}";{one.lms}')
    return "\r\n".join(lines) + "\r\n"


def with_output(notebook, size):
    """A notebook with a large picture as an output."""
    cell = code("1")
    cell["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * size}}
    ]
    notebook["cells"].append(cell)
    return notebook


def with_answer(notebook, text, picture=None, kind="markdown"):
    """A notebook with a derivation below the question that a person reads."""
    cell = markdown(text) if kind == "markdown" else code(text)
    if picture:
        cell["attachments"] = {"image.png": {"image/png": picture}}
    sources = ["".join(one["source"]) for one in notebook["cells"]]
    (place,) = [number for number, source in enumerate(sources) if "BEGIN QUESTION" in source]
    notebook["cells"].insert(place + 1, cell)
    return notebook
