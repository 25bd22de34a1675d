"""The book speaks as it says it does, as far as a program can tell."""

import json
import re
from pathlib import Path

import pytest

from flopsbook.build import style, visible
from flopsbook.build.prose import Reviewed
from flopsbook.build.style import complaints, faults, formulas, separators, titles, words

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))

# one line for each entry of the list of words, and what is left alone though it looks alike
FOUND = {
    "zero": ("a difference of nought", "nought"),
    "expensive": ("the dearest layer", "dearest"),
    "expensive, at the start": ("Dear as it is", "Dear"),
    "for nothing": ("counts it in vain", "in vain"),
    "anyone who": ("Whoever takes it", "Whoever"),
    "a fraction": ("costs one part in nine", "one part in"),
    "a fraction in two lines": ("costs one part\nin nine", "one part in"),
    "fractions": ("and 2 parts in a hundred", "2 parts in"),
    "you will meet": ("three others can be met", "can be met"),
    "quoted for": ("the numbers that are told of it", "are told of"),
    "no verb": ("So many products, so many sums.", "So many products, so many"),
    "our": ("a number of ours", "of ours"),
    "your": ("problems of one's own", "of one's own"),
    "one thing is certain": ("Certain is only", "Certain is"),
    "a verb": ("what a tool makes of it", "makes of it"),
    "next to": ("the text beside a formula", "beside"),
    "besides": ("Beside 2 for each MAC", "Beside"),
    "is": ("it stands in the report", "stands"),
    "has": ("the layer owns weights", "owns"),
    "everyday words": ("amid the layers", "amid"),
    "in an exercise": ("```{exercise} A title\nA nought.\n```", "nought"),
    "after an exercise": ("```{exercise} A title\n:label: a\n```\n\nA nought.", "nought"),
    "after code": ("```python\na\n```\nA nought.\n```\nb\n```", "nought"),
    "of a link": ("{doc}`the dear layer <linear>`", "dear"),
    "in emphasis": ("**nought** of them", "nought"),
}
ALONE = {
    "code": "`whoever` and ``beside``, and\n```python\nbeside = nought\n```\n",
    "names of exercises": "```{exercise} A title\n:label: dear-beside\n```\n```{solution-start} dear-beside\n```\n",
    "keys and targets": "{cite}`beside2020` {glue:text}`dear` [here](beside.html) https://dear.org/",
    "parts of words": "besides, dearth, understands, town, drown",
    "own": "a row of its own, your own network",
    "parts that take part": "it takes part in nine sums; the parts in the middle",
    "so many once": "so many operations for one token, and so many more",
    "a letter's meaning": "$d$ stands for the width, one vector stands in for many, it stands out",
    "an idiom": "hold as they stand, nearly as it stands, a stand-in",
    "met otherwise": "the target was met",
}


@pytest.mark.parametrize(("text", "found"), FOUND.values(), ids=FOUND)
def test_words_are_found(text, found):
    assert [slip.words for slip in words(text)] == [found.replace("\n", " ")]


@pytest.mark.parametrize("text", ALONE.values(), ids=ALONE)
def test_what_is_no_such_word_is_left_alone(text):
    assert list(words(text)) == []


def test_every_entry_of_the_list_is_tried():
    for pattern, _ in style.banned():
        assert any(pattern.search(text.replace("\n", " ")) for text, _ in FOUND.values()), pattern


def test_it_says_what_would_be_right():
    (slip,) = words("whoever reads this")
    assert slip.instead == "say anyone who, or: if you"


@pytest.mark.parametrize(
    "text",
    [
        "the table of {doc}`conventions`.",
        "Attention and {doc}`feed_forward` are",
        "as {doc}`linear` has shown",
        "{doc}`linear` has shown",
        "(see {doc}`model_table`)",
        "By {doc}`chapters/linear`, the first",
        "- **Why?** {doc}`linear` says",
        "| 60 | six programs, from {doc}`linear`. Guess. |",
    ],
)
def test_a_title_in_a_sentence_is_found(text):
    (slip,) = titles(text)
    assert text[slip.start :].startswith(slip.words)
    assert slip.instead == "give the link words of its own"


@pytest.mark.parametrize(
    "text",
    [
        "as {doc}`the chapter on linear layers <linear>` has shown.",
        "- {doc}`linear`",
        "- {doc}`linear`: one product for each weight",
        "1. {doc}`linear`, {doc}`conv2d` and {doc}`attention`",
        "{doc}`linear`",
        "| {doc}`linear`, {doc}`conv2d` | 25 points |",
        "| 25 | {doc}`linear` at the board |",
    ],
)
def test_a_title_by_itself_is_left_alone(text):
    assert list(titles(text)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("61100840 parameters", ["61100840"]),
        ("-61100840", ["61100840"]),
        ("[115605504, 61100840]", ["115605504", "61100840"]),
        ("a width of 12288.", ["12288"]),
        ("$3 d \\cdot 11008$", ["11008"]),
        ("(1, 115605504)", ["115605504"]),
        ("layer1 (1, 64, 56, 56) 462422016", ["462422016"]),
        ("10922.67 → 11008", ["10922", "11008"]),
        ("61,100,840 or 61{,}100{,}840, and $61\\,100\\,840$", []),
        ("1024 and 2048", []),
        ("of shape (1, 50257), of (65536,)", []),
        ("0.12345 and 1.0000407", []),
        ("2026-11-28, v2.13.00000, arXiv 1706.03762", []),
        ("sha-12345 and layer12345, 12345abc, #123456", []),
        ("`Embedding(50257, 768)` and {glue:text}`key-12345`", []),
        ("https://host/12345 and [it](a/12345)", []),
    ],
)
def test_separators(text, found):
    assert [slip.words for slip in separators(text)] == found


def test_it_says_how_a_number_is_written():
    assert [slip.instead for slip in separators("61100840")] == ["write 61,100,840"]


@pytest.mark.parametrize(
    ("text", "in_prose", "in_outputs"),
    [
        ("query projection: 2*B*L*d**2 FLOPs", ["d**2"], ["2*B*L*d**2"]),
        ("d ** 2 of them", ["d ** 2"], []),
        ("(a + b)**2", ["b)**2"], ["b)**2"]),
        ("equal at 8*d/3", [], ["8*d"]),
        ("4*B*L*d*(-L + 2*d)", [], ["4*B*L*d*(", "2*d"]),
        ("**FLOPs** of **two** layers, *one* too", [], []),
        ("**2** for *each* MAC", [], []),
        ("`2*B*L*d**2` and $2 B L d^2$", [], []),
        ("- **a**: 2\n- **b**: 3", [], []),
        ("a * b", [], []),
    ],
)
def test_formulas(text, in_prose, in_outputs):
    assert [slip.words for slip in formulas(text)] == in_prose
    assert [slip.words for slip in formulas(text, is_output=True)] == in_outputs


# --- what is read ---------------------------------------------------------------------------


def code(output=None, tags=(), source="print(1)"):
    """A code cell with one output: a text that was printed, or the forms of one."""
    stream = {"output_type": "stream", "name": "stdout", "text": output}
    shown = {"output_type": "execute_result", "data": output, "metadata": {}}
    outputs = [] if output is None else [stream if isinstance(output, str) else shown]
    metadata = {"tags": list(tags)}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": outputs}


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        (code("61100840"), ["61100840"]),
        (code("61100840", ["remove-input"]), ["61100840"]),
        (code("61100840", ["hide-output"]), ["61100840"]),
        (code("61100840", ["remove-output"]), []),
        (code("61100840", ["remove_cell"]), []),
        (code({"text/plain": "2*d", "text/latex": "$2 d$"}), ["$2 d$"]),
        (code({"text/plain": "61100840", "text/markdown": "| 1 |"}), ["| 1 |"]),
        (code({"text/markdown": "a\n```python\n12345\n```\n"}), ["a\n"]),
        (code({"text/html": "<p id='12345'>a<script>12345</script></p>"}), ["a"]),
        # a value for the prose is read there
        (
            code({"application/papermill.record/text/plain": "'12345'"}, ["remove-cell"]),
            ["'12345'"],
        ),
        (code(), []),
    ],
)
def test_what_is_seen_of_a_cell(cell, seen):
    texts = [text.replace("\ufffc", "").rstrip(" \n") for text in visible.outputs(cell)]
    assert texts == [text.rstrip("\n") for text in seen]


def test_which_code_is_seen():
    assert visible.shows_code(code())
    assert visible.shows_code(code(tags=["remove-output"]))
    for tag in ("remove-cell", "remove-input", "hide-input", "hide_cell"):
        assert not visible.shows_code(code(tags=[tag]))
    assert not visible.shows_code({"cell_type": "markdown", "metadata": {}})


def notebook(path, *cells):
    """Write a page of cells; a text is a cell of prose."""
    cells = [
        cell
        if isinstance(cell, dict)
        else {"cell_type": "markdown", "source": cell, "metadata": {}}
        for cell in cells
    ]
    cells = [{"id": f"cell-{at:02d}", **cell} for at, cell in enumerate(cells, start=1)]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_a_page_is_read_whole(tmp_path):
    caption = code()
    caption["metadata"]["mystnb"] = {"figure": {"caption": "a dear bar"}}
    page = notebook(
        tmp_path / "page.ipynb",
        "It costs one part in nine.",
        code("61100840", source="print('nought')"),
        code("2*B*L*d**2", source="# whoever\nwhoever = 61100840 * 12**3"),
        caption,
    )
    assert [line.split(": ", 1)[1] for line in complaints([page], [])] == [
        "cell-01: 'one part in': say the fraction, 1/9, or the percentage",
        "cell-02: 'nought': say zero",
        "cell-04: 'dear': say expensive, or: costs more",
        "cell-02: '61100840': write 61,100,840",
        "cell-03: '2*B*L*d**2': typeset it, with latex(…) or tables.formulas",
    ]


def test_the_words_of_exercises_are_read(tmp_path):
    module = tmp_path / "exercise.py"
    module.write_text('"""Whoever reads this."""\n\nHINT = "Which is the dearest?"\n')
    assert [fault.words for fault in faults(module)] == ["dearest"]


PLANTED = {
    "It costs one part in nine.": "'one part in'",
    "2*B*L*d**2": "'2*B*L*d**2'",
    "61100840": "'61100840'",
}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_what_is_planted_into_a_chapter_is_found(path, tmp_path):
    page = json.loads(path.read_text())
    copy = tmp_path / path.name
    copy.write_text(json.dumps(page))
    before = complaints([copy], [])
    prose = [cell for cell in page["cells"] if cell["cell_type"] == "markdown"][1]
    prose["source"] = [*prose["source"], "\nIt costs one part in nine."]
    for at, text in enumerate(("2*B*L*d**2", "61100840")):
        page["cells"].append(code(text) | {"id": f"planted-{at}"})
    copy.write_text(json.dumps(page))
    new = [line for line in complaints([copy], []) if line not in before]
    assert {re.search(r"'.*?'", line)[0] for line in new} == set(PLANTED.values())


def test_the_command_says_where(tmp_path, capsys):
    page = notebook(tmp_path / "page.ipynb", "It is in vain.")
    assert style.main(["--check", str(page)]) == 1
    assert "cell-01: 'in vain': say for nothing" in capsys.readouterr().out
    assert style.main(["--check", str(notebook(page, "It is for nothing."))]) == 0
    assert "every page speaks as the book does" in capsys.readouterr().out


def test_the_list_excuses_what_stands_in_it(tmp_path):
    page = notebook(tmp_path / "page.ipynb", "Counted in vain, and again in vain.")
    name = faults(page)[0].file
    assert len(faults(page)) == 2
    assert complaints([page], [Reviewed(name, "in vain", "a quotation")]) == []
    first = Reviewed(name, "Counted in vain", "a quotation")
    assert len(complaints([page], [first])) == 1
    unused = complaints([page], [Reviewed(name, "nought", "a quotation")])
    assert any("style_exceptions.json: nothing is excused by 'nought'" in line for line in unused)
    silent = complaints([page], [Reviewed(name, "in vain", " ")])
    assert any("no reason is given" in line for line in silent)
    many = [Reviewed(name, "in vain", "a quotation")] * (style.MOST_REVIEWED + 1)
    assert "16 entries, and 15 are allowed" in complaints([page], many)[-1]


def test_everything_that_is_shown_is_read():
    names = {path.relative_to(ROOT).as_posix() for path in style.pages()}
    assert {"index.md", "README.md", "chapters/teaching.md", "chapters/linear.ipynb"} <= names
    assert {"assignments/layers/layers.ipynb", "flopsbook/tables.py"} <= names
    assert {"flopsbook/exercises/catalogue/linear.py", "flopsbook/figures/dense.py"} <= names
    assert not any("build/" in name for name in names)


def test_the_book_speaks_as_it_says():
    assert complaints(style.pages(), style.reviewed()) == []


def test_make_check_runs_it():
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "-m flopsbook.build.style --check" in recipe[1]
