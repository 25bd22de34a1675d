"""No result is typed into the book, and whoever types one is told where."""

import doctest
import json
import re
from pathlib import Path

import pytest

from flopsbook.build import prose
from flopsbook.build.prose import Passage, Reviewed, complaints, faults, inputs, passages, strings
from flopsbook.build.results import results, spoken

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))

# one line for each rule: what is a result, and what is not though it looks much like one
TYPED = {
    "digits and a unit": ("it needs 72 FLOPs", "72 FLOPs"),
    "a prefix": ("about 1.8 GFLOPs in all", "1.8 GFLOPs"),
    "a small count that is no whole number": ("4.5 operations each", "4.5 operations"),
    "a prefix beside a small number": ("only 2 GFLOPs", "2 GFLOPs"),
    "a rate": ("at 312 TFLOP/s", "312 TFLOP/s"),
    "memory": ("it fills 14 GiB", "14 GiB"),
    "parameters": ("7 billion parameters", "7 billion parameters"),
    "a letter for the scale": ("175B parameters", "175B parameters"),
    "a word in between": ("16 more multiplications", "16 more multiplications"),
    "a count in words": ("none of the twelve operations", "twelve operations"),
    "emphasis in between": ("**240** MACs", "240** MACs"),
    "italics": ("altogether *240* MACs", "240* MACs"),
    "mathematics": ("$378$ MACs", "378$ MACs"),
    "a percent sign": ("12.5 % of it", "12.5 %"),
    "a percent sign close by": ("12.5% of it", "12.5%"),
    "a percent sign in mathematics": (r"$12.5\,\%$ of it", r"12.5\,\%"),
    "percent in digits": ("5 percent of it", "5 percent"),
    "percent in words": ("Twelve percent of it", "Twelve percent"),
    "a part of a percent": ("a third of a percent", "a third of a percent"),
    "thousands with commas": ("118,013,952 times", "118,013,952"),
    "thousands with spaces": ("118\u202f013\u202f952 times", "118\u202f013\u202f952"),
    "thousands in mathematics": (r"$118\,013\,952$", r"118\,013\,952"),
    "no separators": ("that makes 118013952", "118013952"),
    "four digits and a point": ("it says 17.56 here", "17.56"),
    "a scale": ("you are told 24.6 billion", "24.6 billion"),
    "a scale in words": ("half a billion of them", "half a billion"),
    "a power of ten": ("$10^{12}$ of them", "10^{12}"),
    "a number and a power of ten": (r"$3.14 \cdot 10^{23}$", r"3.14 \cdot 10^{23}"),
    "a programmer's power of ten": ("some 1.8e9 of them", "1.8e9"),
    "a year with a unit": ("2016 multiplications", "2016 multiplications"),
    "the title of an exercise": ("```{exercise} Find the bug: 5.1 billion\n```", "5.1 billion"),
    "an image's words": ("![378 MACs](a.png)", "378 MACs"),
}
FREE = {
    "fingers": "two FLOPs for each MAC, 9 multiplications",
    "a unit without a number": "so many billion operations, a few percent, in percent",
    "sizes without a unit": "a window of 7×7, 64 channels, 224×224 pixels, 128 tokens",
    "an ordinal": "it is not a third operation",
    "a part": "half the operations, a quarter of the parameters",
    "products that are written out": "2·16·64 FLOPs, `2*16*64` FLOPs, 16 * 64 MACs, $12 \\cdot 48$ MACs",
    "letters": "$24d^2$ FLOPs, $6PD$, $2 \\cdot L/d$ operations",
    "names": "ResNet-50 FLOPs, LLaMA-7B parameters, ViT-B/16 MACs, R3D-18",
    "versions": "PyTorch 2.13.0, Python 3.11",
    "years": "in 2015 and in 1998",
    "citations": "the paper {cite}`he2016deep` and {cite:t}`kaplan2020scaling`",
    "references to pages": "see {doc}`top5000` and {ref}`label-1234`",
    "glue": "{glue:text}`conv1-118013952` multiplications, {glue:text}`share-5` of them",
    "labels": ":label: exercise-2048\n{solution-start} exercise-2048",
    "links": "[here](https://host/issues/123456) and https://host/123456",
}


@pytest.mark.parametrize(("text", "words"), TYPED.values(), ids=TYPED)
def test_results_are_found(text, words):
    assert [found.text for found in results(text)] == [words]


@pytest.mark.parametrize("text", FREE.values(), ids=FREE)
def test_what_is_no_result_is_left_alone(text):
    assert list(results(text)) == []


def test_numbers_in_words():
    assert spoken("a dozen") == 12
    assert spoken("two hundred") == 200
    assert spoken("ninety-nine") == 99
    values = [found.value for found in results("half a billion, twenty million, 3 TFLOPs, 3 GiB")]
    assert values == [500 * 10**6, 20 * 10**6, 3 * 10**12, 3 * 2**30]


@pytest.mark.parametrize(
    ("text", "code", "is_given"),
    [
        ("a width of 12,288", "linear(12_288, 8)", True),
        ("a width of 12,288", "linear(12_289, 8)", False),
        ("you may spend 50 million MACs", "budget = 50 * 10**6", True),
        ("you may spend half a billion FLOPs", "limit = 5e8", True),
        ("it could do 20 TFLOP/s", "chip = 20 * 10**12", True),
        ("that makes 24,576", "assert linear(12, 2048).macs == 24_576", False),
        ("that makes 24,576", "assert linear(12, 2048).macs == 24 * 1024", False),
        ("that makes 24,576", "assert linear(12, 2048).macs == spent(24_576)", True),
        ("that makes 24,576", "shown = '24,576 MACs'", False),
        ("48 MACs", "linear(48, 2)", False),  # short numbers are everywhere
        ("5 %", "bound = 5", False),
        ("1,200 %", "bound = 1200", False),
    ],
)
def test_what_is_given(text, code, is_given):
    found = list(faults([Passage("page", "cell-01", text, inputs(code))]))
    assert (found == []) == is_given


def test_the_strings_of_code_are_read():
    code = (
        'def f():\n    """1,000,000 MACs"""\n    return f"{macs} MACs, 4 %"\n'
        'assert f() == "12 MACs"\nprint("5 %", f"{share(\'6 %\')}")\n'
    )
    shown = [found.text for _, text in strings(code) for found in results(text)]
    assert shown == ["4 %", "5 %", "6 %"]


def notebook(tmp_path, *cells):
    """A page of cells, each its kind and its source, perhaps with metadata."""
    page = tmp_path / "page.ipynb"
    written = [
        {"id": f"cell-{at:02d}", "cell_type": kind, "source": source, "metadata": dict(*metadata)}
        for at, (kind, source, *metadata) in enumerate(cells, start=1)
    ]
    page.write_text(json.dumps({"cells": written}))
    return page


def test_notebooks(tmp_path):
    page = notebook(
        tmp_path,
        ("markdown", "Given: 4321 tokens. Typed: 9876 tokens."),
        ("code", "%matplotlib inline\nlinear(4321, 2)\nprint('about 2.5 %')"),
        ("code", "glue('told', '24.6')"),
        ("code", "draw()", {"mystnb": {"image": {"alt": "a bar of 33 %"}}}),
    )
    assert [line.split(": ", 1)[1] for line in complaints([page], [])] == [
        "cell-01: a result is typed: '9876'",
        "cell-02: a result is typed: '2.5 %'",
        "cell-04: a result is typed: '33 %'",
        "cell-03: a value is typed into glue: glue('told', '24.6')",
    ]


@pytest.mark.parametrize(
    ("value", "is_typed"),
    [
        ("'4.1'", True),
        ("4.1", True),
        ("f'4.1'", True),
        ("f'{4.1}'", True),
        ("str(4.1)", True),
        ("f'{macs:,}'", False),
        ("str(report.macs)", False),
        ("f'{384**2 / 224**2:.2f}'", False),
    ],
)
def test_glue_wants_something_computed(value, is_typed):
    assert bool(list(prose.typed_into_glue(f"glue('name', {value}, display=False)"))) == is_typed


def test_markdown_pages(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\nGiven: 4321. Typed: 9876.\n\n```{code-cell}\n:tags: [x]\n\nlinear(4321, 2)\n"
        "print('7 %')\n```\n\n```python\n>>> 6000 + 1\n6001\n```\n\n```\nin a block: 8 %\n```\n"
    )
    found = [line.split(": ", 1)[1] for line in complaints([page], [])]
    assert found == [
        "line 3: a result is typed: '9876'",
        "line 5: a result is typed: '7 %'",
        "line 17: a result is typed: '8 %'",
    ]


def test_modules(tmp_path):
    module = tmp_path / "figure.py"
    module.write_text(
        'def draw():\n    """1.8 GFLOPs."""\n'
        '    return finished(caption="A bar of "\n    f"{n} MACs, 12 % of all.", alt=f"{n} bars")\n'
    )
    assert [line.split(": ", 1)[1] for line in complaints([module], [])] == [
        "line 3: a result is typed: '12 %'"
    ]


PLANTED = ("It needs 1.8 GFLOPs.", "That is 118,013,952 in all.", "It saves 12.5 %.")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("words", PLANTED)
def test_a_result_planted_into_a_chapter_is_found(path, words, tmp_path):
    copy = tmp_path / path.name
    text = json.loads(path.read_text())
    cell = [cell for cell in text["cells"] if cell["cell_type"] == "markdown"][1]
    cell["source"] = "".join(cell["source"]) + "\n" + words
    copy.write_text(json.dumps(text))
    (line,) = complaints([copy], [])
    planted = re.search(r"\d[\d.,]*\d( GFLOPs| %)?", words)[0]
    assert line == f"{copy}: {cell['id']}: a result is typed: {planted!r}"


def test_the_command_says_where(tmp_path, capsys):
    page = notebook(tmp_path, ("markdown", "It needs 1.8\nGFLOPs."))
    assert prose.main(["--check", str(page)]) == 1
    assert "cell-01: a result is typed: '1.8 GFLOPs'" in capsys.readouterr().out
    page = notebook(tmp_path, ("markdown", "It needs {glue:text}`flops` FLOPs."))
    assert prose.main(["--check", str(page)]) == 0
    assert "no result is typed" in capsys.readouterr().out


def test_the_list_excuses_what_stands_in_it(tmp_path):
    page = notebook(tmp_path, ("markdown", "Within five percent, and again within five percent."))
    name = passages(page)[0].file
    assert len(complaints([page], [])) == 2
    assert complaints([page], [Reviewed(name, "within five percent", "a bound")]) != []
    assert complaints([page], [Reviewed(name, "ithin five percent", "a bound")]) == []
    elsewhere = Reviewed("index.md", "ithin five percent", "a bound")
    assert len(complaints([page], [elsewhere])) == 2
    assert len(complaints([page], [Reviewed(name, "five", "a bound")])) == 3


def test_the_list_is_kept_short(tmp_path):
    page = notebook(tmp_path, ("markdown", "Within five percent."))
    name = passages(page)[0].file
    entry = Reviewed(name, "five percent", "a bound that was chosen")
    assert complaints([page], [entry] * prose.MOST_REVIEWED) == []
    (many,) = complaints([page], [entry] * (prose.MOST_REVIEWED + 1))
    assert "21 entries, and 20 are allowed" in many
    (unused,) = complaints([page], [entry, Reviewed(name, "six percent", "a bound")])
    assert "nothing is excused by 'six percent'" in unused
    (silent,) = complaints([page], [Reviewed(name, "five percent", " ")])
    assert "no reason is given" in silent
    (lost,) = complaints([page], [entry, Reviewed("no/such/page.md", "7 %", "a bound")])
    assert "there is no such page as no/such/page.md" in lost


def test_the_book_has_no_typed_result():
    assert complaints(prose.pages(), prose.reviewed()) == []


def test_everything_that_is_shown_is_read():
    names = {path.relative_to(ROOT).as_posix() for path in prose.pages()}
    assert {"index.md", "README.md", "chapters/glossary.md", "chapters/linear.ipynb"} <= names
    assert {"flopsbook/figures/dense.py", "flopsbook/tables.py"} <= names
    toc = re.findall(r"file: (\S+)|root: (\S+)", (ROOT / "_toc.yml").read_text())
    pages = {Path(name).with_suffix("").as_posix() for name in names}
    assert {a or b for a, b in toc} <= pages


def test_make_check_runs_it():
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "-m flopsbook.build.prose --check" in recipe[1]


def test_the_readme_s_examples_are_run():
    # its numbers are free because they are
    text = re.sub(r"^```.*", "", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, "README.md", "README.md", 0)
    outcome = doctest.DocTestRunner().run(examples)
    assert outcome.attempted > 5
    assert not outcome.failed
