"""How the chapters read is measured, and what is counted is what one would count by hand."""

import json

import pytest

from flopsbook.build import reading
from flopsbook.build.reading import Reading, complaints, mentions, whats


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("It adds what came in to what is left.", 2),
        ("What came in is added.", 1),
        ("Somewhat, whatever", 0),
        ("## What goes wrong\n\nNothing.", 0),
        ("```{exercise} What a layer costs\n:label: what\n```", 0),
        ("```{exercise} A layer\nSay what it costs.\n```", 1),
        ("What does it cost?", 0),
        ("**What does it cost?** It is what it is.", 1),
        ("Then what? That is what.", 1),
        ('She asks: "what is it?" Nobody knows what.', 1),
        ("`what` and {glue:text}`what`", 0),
        ("In {doc}`what a layer costs <linear>`", 1),
        ("one line\nof what two lines say\n\nWhat next?", 1),
    ],
)
def test_whats(text, number):
    assert whats(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The source notes say so.", 1),
        ("as the notes have it, and the notes' table", 2),
        ("the lecture notes", 1),
        ("> a claim\n>\n> — *the source notes, section 2*", 1),
        ("She notes it in her notebook; see {doc}`the appendix <corrections>`.", 0),
    ],
)
def test_mentions(text, number):
    assert mentions(text) == number


def cell(source, *, kind="code", tags=(), printed=""):
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else []
    metadata = {"tags": list(tags)}
    return {"cell_type": kind, "source": source, "metadata": metadata, "outputs": outputs}


def test_a_chapter(tmp_path):
    cells = [
        cell("It is what the notes say.", kind="markdown"),
        cell("import flopslib", tags=["remove-cell"]),
        cell("draw()", tags=["hide-input"]),
        cell("linear(3, 2)"),
        cell("print(notes)", printed="the source notes: 24"),
        cell("## Exercises\n\nSay what.", kind="markdown"),
        cell("linear(4, 2)"),
    ]
    page = tmp_path / "page.ipynb"
    page.write_text(json.dumps({"cells": cells}))
    assert reading.reading(page) == Reading("page", whats=2, code=2, notes=2)


def test_the_limits():
    fine = Reading("fine", whats=60, code=16, notes=1, figure=2600)
    assert complaints([fine], figures=True) == []
    assert len(complaints([fine, Reading("more", 1, 0, 0, 1)], figures=True)) == 1
    for wrong in ({"code": 17}, {"notes": 2}, {"figure": 2601}, {"figure": None}):
        (line,) = complaints([fine._replace(**wrong)], figures=True)
        assert line.startswith("fine: ")
    assert complaints([fine._replace(figure=None)]) == []


def test_the_table_has_every_chapter_and_the_sum(capsys):
    reading.main([])
    lines = capsys.readouterr().out.splitlines()
    names = [path.stem for path in reading.chapters()]
    assert len(names) >= 13
    assert [line.split()[0] for line in lines[1 : len(names) + 1]] == names
    assert lines[len(names) + 1].split()[2] == str(
        sum(int(line.split()[1]) for line in lines[1 : len(names) + 1])
    )


def test_the_chapters_keep_the_limits():
    assert complaints(map(reading.reading, reading.chapters())) == []
