"""Whose is which file, and what a person reads."""

import csv
import doctest
import importlib
import io
import json
import os
import re
from pathlib import Path

import pytest

from assignments.grading import by_hand, sandbox
from assignments.grading.roster import Person, RosterError, read_roster
from assignments.grading.submissions import Names, find, stem

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
    found = Names([Person(one) for one in ids]).owner(stem(name))
    assert (found and found[0].id) == owner


@pytest.mark.parametrize(
    ("name", "owner"), [("", "asmith"), ("Zed Young", "s1001")], ids=["namesake", "known by name"]
)
def test_a_full_name_is_not_enough_where_a_namesake_says_it_is_theirs(name, owner, tmp_path):
    file = tmp_path / "smithanna_99001_551001_layers.ipynb"
    file.write_text(json.dumps({"cells": [{"source": 'STUDENT = "asmith"'}]}))
    people = [Person("s1001", "Anna Smith"), Person("asmith", name)]
    assert [*find(tmp_path, people).of] == [owner]


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
    found = by_hand.answers([("markdown", cell, {}) for cell in cells], TEMPLATE)
    assert [[title, " ".join(text.split())] for title, text, _ in found] == [
        [title, " ".join(text.split())] for title, text in expected
    ]


def test_a_page_without_names_has_a_key():
    people = [
        (f"s{number}", f"Name {number}", [["Question 8: zeros", f"text {number}", {}]])
        for number in range(9)
    ]
    page = by_hand.page("layers", TEMPLATE, people, None, "secret")
    assert "Name" not in page
    assert not re.search(r"\bs\d\b", page)
    rows = list(csv.DictReader(io.StringIO(by_hand.key("secret", [who for who, _, _ in people]))))
    for row in rows:
        code = re.escape(row["code"])
        assert re.search(
            rf"<h3>{code}</h3>\n<div class=\"answer\"><p>text {row['id'][1:]}</p>\n</div>", page
        )
    order = re.findall(r"text (\d)", page)
    assert sorted(order) == list("012345678") != order


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("- **so** $x^2$", ["<strong>so</strong>", "<mi>x</mi>"]),
        ("$$2 \\sum_{i=0}^{p-1} (p - i) = p(p+1),$$", ["katex-display", "<mo>∑</mo>"]),
        ("$$\na &= b \\\\ c &= d\n$$", ["katex-display", "<mtable"]),
        ("\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}", ["katex-display", "<mtable"]),
        ("| a | b |\n| - | - |\n| $y$ | 3 |", ["<table>", "<mi>y</mi>"]),
    ],
)
def test_formulas_are_typeset_wherever_they_stand(text, parts):
    shown = by_hand.rendered(text, {})
    assert all(part in shown for part in parts)
    assert "<code>" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "$\\frac{1$",
        "$\\href{javascript:alert(1)}{x}$",
        "$\\htmlStyle{color:red}{x}$",
        "$\\includegraphics{http://example.com/x.png}$",
        "$\\def\\a{\\a\\a}\\a$",
        "$" + "x" * 6000 + "$",
    ],
)
def test_what_cannot_be_typeset_does_nothing_and_is_shown(text):
    shown = by_hand.rendered(text, {})
    # KaTeX writes the name of a command that it does not trust in red
    assert "<code>$" in shown or "color:#cc0000" in shown
    assert "href=" not in shown
    assert "<img" not in shown


def test_nothing_of_a_student_is_markup():
    text = "<script>x</script> [a](http://x) <http://y> ![b](http://z/p.png) $<b>$\n\n<b>c</b>\n\n[r]: http://w"
    shown = by_hand.rendered(text, {})
    assert not re.search(r"<(script|a|b|img)\b", shown)
    assert "a picture that is not in the notebook" in shown
    page = by_hand.page(
        "layers", TEMPLATE, [("s1", "", [["Question 8: zeros", text, {}]])], "x.css"
    )
    assert "script" not in re.sub(r"&lt;/?script", "", page)  # neither a student's nor ours


PACKAGE = Path(sandbox.__file__).parent
MODULES = sorted({path.stem for path in PACKAGE.glob("*.py")} - {"runner", "worker", "__init__"})


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    results = doctest.testmod(importlib.import_module(f"assignments.grading.{module}"))
    assert not results.failed
