"""What an instructor looks at: recognised mistakes, how questions went, notebooks that are alike."""

import html
import json
import re
from random import Random

import pytest
from grading import classroom
from grading.commands import grade

from assignments.grading import alike, overview
from assignments.grading.by_hand import template
from assignments.grading.examine import GRADED, NOT_SUBMITTED, Record
from assignments.grading.roster import Person
from assignments.grading.totals import Total
from assignments.question import recognised
from assignments.questions import SETS, load
from flopsbook.exercises.personal import personal

confined = pytest.mark.needs("bwrap")
QUESTIONS = [question for name in SETS for question in load(name)]
MISTAKES = [(question, mistake) for question in QUESTIONS for mistake in question.mistakes]
NO_GROUPS = (
    "def layers_4(in_channels, out_channels, kernel_size, out_height, out_width, groups):\n"
    "    return 2 * in_channels * kernel_size**2 * out_channels * out_height * out_width"
)


def cases(question, student, gives):
    if question.is_function:
        asked = [*question.examples, *question.hidden_arguments("a seed", student)]
        return [(given, gives(**given)) for given in asked]
    numbers = personal(question.name, student)
    return [(numbers, gives(**numbers))]


@pytest.mark.parametrize(
    ("question", "mistake"), MISTAKES, ids=[f"{q.name}, {m.name}" for q, m in MISTAKES]
)
def test_a_usual_mistake_is_recognised_and_no_other(question, mistake):
    for student in ("s1", "s2", "s3"):
        assert recognised(question, cases(question, student, mistake.gives)) == [mistake]
        assert recognised(question, cases(question, student, question.expected)) == []


def test_every_question_with_one_right_answer_knows_a_mistake():
    assert all(question.mistakes or question.conditions for question in QUESTIONS)
    for question in QUESTIONS:
        names = [mistake.name for mistake in question.mistakes]
        assert len(set(names)) == len(names)
        assert all(mistake.sentence.endswith(".") for mistake in question.mistakes)


@pytest.mark.parametrize("found", [None, ..., [], "x", [1, 2], [1.5, True, None], {}])
def test_an_answer_of_another_kind_shows_no_mistake(found):
    (question,) = [one for one in QUESTIONS if one.name == "layers-1"]
    assert recognised(question, [(personal("layers-1", "s1"), found)]) == []


@confined
def test_the_report_names_what_half_of_the_class_has_not_understood(dist, make, tmp_path):
    lines = planted(make, tmp_path, people=12, wrong=6)
    done = grade(dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    check_report(tmp_path / "out", lines, wrong=6, people=12)
    assert "class.html" in done.stdout
    for path in (tmp_path / "out" / "feedback").iterdir():  # for the teacher alone
        assert "forgot" not in path.read_text()


def planted(make, folder, people, wrong):
    """Write a class in which some forget the groups, one a factor of two, and one is absent."""
    (folder / "submissions").mkdir()
    ids = [f"s{number:03}" for number in range(people)]
    for number, who in enumerate(ids):
        notebook = make.solved(who)
        if number < wrong:
            notebook = make.replaced(who, "layers_4", NO_GROUPS)
        elif number == wrong:
            notebook = make.after(who, "layers_2 = [layers_2[0], layers_2[1] // 2]")
        (folder / "submissions" / f"{who}.ipynb").write_text(json.dumps(notebook))
    (folder / "roster.csv").write_text("id\n" + "\n".join([*ids, "absent"]) + "\n")
    return ids


def check_report(out, ids, wrong, people):
    page = html.unescape((out / "class.html").read_text())
    section = page[page.index("Mistakes that many share") : page.index("Who has not handed in")]
    rows = [re.findall(r">([^<]*)</t[hd]>", row) for row in section.split("<tr>")[2:]]
    assert rows[0][:4] == ["layers-4", "groups forgotten", str(wrong), "50 %"]
    assert "You forgot to divide by the groups" in rows[0][4]
    assert rows[0][5].startswith(f"{ids[0]}, {ids[1]}")
    assert rows[1][:3] == ["layers-2", "MACs for FLOPs", "1"]
    assert len(rows) == 2
    assert "<li>absent</li>" in page
    (line,) = [row for row in page.split("<tr>") if row.startswith('<th scope="row">layers-4</th>')
               and "of 4" in row]  # fmt: skip
    assert "<td>2.00 of 4</td><td>50 %</td>" in line
    assert f"<td>{people - wrong}</td><td>{wrong}</td>" in line


def record(who, points, own="", status=GRADED):
    questions = [
        {"name": f"q{number}", "points": one, "possible": 2, "mistakes": []}
        for number, one in enumerate(points)
    ]
    return Record(who, status, "Every cell ran.", questions=questions, own=own)


def test_difficulty_and_discrimination_are_what_they_are_called():
    # q0 follows the others, q1 goes against them, q2 is the same for all
    points = [(0, 2, 1, 0), (1, 1, 1, 1), (2, 0, 1, 2), (2, 0, 1, 2)]
    easy, against, flat, _ = overview.asked(
        [record(f"s{number}", one) for number, one in enumerate(points)]
    )
    assert (easy.mean, easy.full, easy.none, easy.share) == (1.25, 2, 1, 0.625)
    # its points with those of the rest, (3, 3, 3, 3): nothing to go with
    assert easy.apart is None
    assert against.apart == pytest.approx(-1)
    assert flat.apart is None
    assert overview.asked([]) == []


def test_a_class_that_has_handed_in_nothing_has_a_report(tmp_path):
    people = [Person("anna", "<b>"), Person("bert")]
    records = {one.id: Record(one.id, NOT_SUBMITTED, "There is no file.") for one in people}
    page = overview.page("layers", people, records, {one.id: Total(0) for one in people})
    assert "2 not submitted" in page
    assert "<li>anna &lt;b&gt;</li>" in page
    assert "<script" not in page


# --- alike ------------------------------------------------------------------------------------


def essay(seed, words=80):
    """Words and code of somebody's own."""
    random = Random(seed)
    letters = "abcdefghij"
    return " ".join("".join(random.choices(letters, k=5)) for _ in range(words))


def test_who_has_copied_is_found_though_the_numbers_are_others():
    given = template(None)
    texts = {
        f"s{number}": alike.own([("code", f"x = {number}{number}7\n{essay(number)}", {})], given)
        for number in range(10)
    }
    texts["copy"] = alike.own([("code", f"x = 5\n{essay(3)}", {})], given)
    (pair,) = alike.pairs(texts)
    assert {pair.one, pair.other} == {"s3", "copy"}
    assert pair.share > 0.9
    assert pair.sample in texts["s3"]


def test_what_many_have_is_nobodys_own():
    taught = essay("the book's formula")
    texts = {f"s{number}": f"{taught} {essay(number, 40)}" for number in range(10)}
    assert alike.pairs(texts) == []
    assert alike.pairs({"a": "x = 0", "b": "x = 0"}) == []  # too little to say anything


def test_the_notebook_that_was_handed_out_is_nobodys_own(dist, make):
    given = template(dist / "layers" / "student" / "layers.ipynb")
    cells = [
        (cell["cell_type"], classroom.text(cell), {}) for cell in make.untouched("anna")["cells"]
    ]
    assert alike.own(cells, given) == ""
