"""Points by hand, lateness, and a second run: what somebody gets in the end."""

import csv
import io
import json
import os
from datetime import datetime

import pytest
from grading.commands import grade, table
from grading.masters import blocks, master
from test_exchange import CANVAS, MOODLE

from assignments.grading.roster import Person
from assignments.grading.totals import (
    ByHand,
    Part,
    Policy,
    Total,
    TotalsError,
    moment,
    read_sheet,
    sheet,
)
from assignments.questions import SETS
from assignments.questions.rubrics import RUBRICS

confined = pytest.mark.needs("bwrap")
RUBRIC = [Part("the one, and why", 2), Part("the other", 1.5)]


@pytest.mark.parametrize("name", SETS)
def test_a_rubric_gives_the_points_of_its_question(name):
    (block,) = [block for block in blocks(master(name)).values() if block.manual]
    assert sum(points for _, points in RUBRICS[name]) == block.points
    assert len(RUBRICS[name]) >= 3


def test_what_a_teacher_fills_in_is_read_again(tmp_path):
    path = tmp_path / "by-hand.csv"
    people = [("S1", "Zoë"), ("s2", "Pat")]
    path.write_text(sheet(people, RUBRIC, {}))
    empty = read_sheet(path, ["S1", "s2"], RUBRIC)
    assert not any(one.is_complete or one.total for one in empty.values())
    filled = path.read_text().replace("s2,Pat,,,", "s2,Pat,1.5,0,Say why")
    path.write_text(filled)
    known = read_sheet(path, ["S1", "s2"], RUBRIC)
    assert known["s2"] == ByHand((1.5, 0), "Say why")
    assert sheet(people, RUBRIC, known) == filled
    # as Excel saves it where decimals have a comma
    path.write_text("\ufeff" + filled.replace(",", ";").replace("1.5;", "1,5;"), "utf-8")
    excel = [Part(part.title.replace(",", ";"), part.points) for part in RUBRIC]
    assert excel[0].title != RUBRIC[0].title
    path.write_text(
        "\ufeffid;name;" + ";".join(f'"{p.column}"' for p in RUBRIC) + ";comment\nS2;Pat;1,5;0;\n",
        "utf-8",
    )
    assert read_sheet(path, ["s1", "s2"], RUBRIC)["s2"].points == (1.5, 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("s2,Pat,,,", "s2,Pat,3,,", "s2 has '3' for 'the one, and why (of 2)'"),
        ("s2,Pat,,,", "s2,Pat,-1,,", "numbers from 0 to 2"),
        ("s2,Pat,,,", "s2,Pat,nan,,", "numbers from 0 to 2"),
        ("s2,Pat,,,", "s2,Pat,good,,", "s2 has 'good'"),
        ("s2,Pat,,,", "s3,Pat,1,1,", "'s3', who is not on the roster"),
        ("comment", "remark", "needs a column 'comment'"),
    ],
)
def test_what_cannot_be_points_gets_a_sentence(old, new, said, tmp_path):
    path = tmp_path / "by-hand.csv"
    text = sheet([("s1", ""), ("s2", "Pat")], RUBRIC, {})
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(TotalsError) as raised:
        read_sheet(path, ["s1", "s2"], RUBRIC)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("handed_in", "own", "days"),
    [
        ("2026-11-06 23:59", "", 0),
        ("2026-11-07 00:14", "", 0),  # within the grace
        ("2026-11-07 00:15", "", 1),
        ("2026-11-08 00:13", "", 1),
        ("2026-11-08 00:15", "", 2),
        ("2026-11-09 12:00", "2026-11-10", 0),
        ("2026-11-10 01:00", "2026-11-10", 1),
        ("2026-11-01", "", 0),
    ],
)
def test_days_late_begin_after_the_grace_and_an_extension_is_a_persons_own(handed_in, own, days):
    policy = Policy(moment("2026-11-06 23:59"), grace=15, percent=10)
    person = Person("s1", row={"due": own})
    assert policy.days(person, datetime.fromisoformat(handed_in).timestamp()) == days


def test_lateness_takes_a_part_of_all_points_and_never_more_than_all():
    assert Total(20, ByHand((4, None)), days=2, percent=10).total == pytest.approx(19.2)
    assert Total(20, days=20, percent=10).total == 0
    assert Total(20, ByHand((1, 2))).total == 23


def test_a_date_that_is_none_gets_a_sentence():
    with pytest.raises(TotalsError, match='DUE must be like "2026-11-06 23:59", got'):
        moment("next Friday")


@confined
@pytest.mark.parametrize(
    ("book", "name", "place", "files"),
    [
        (CANVAS, "for-canvas.csv", 6, {"S1001": "astromzoe_99001_1_layers.ipynb",
                                       "s1002": "obrienpat_LATE_99002_2_layers.ipynb"}),
        (MOODLE.replace("25.00", "31.00"), "for-moodle.csv", 5,
         {"S1001": "Zoë Åström_884422_assignsubmission_file_/x.ipynb",
          "s1002": "Pat O'Brien_884423_assignsubmission_file_/layers.ipynb"}),
    ],
    ids=["Canvas", "Moodle"],
)  # fmt: skip
def test_from_a_course_systems_files_back_into_its_grade_book(
    book, name, place, files, dist, make, tmp_path
):
    submissions, out = tmp_path / "submissions", tmp_path / "out"
    for who, file in files.items():
        path = submissions / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make.solved(who.lower())))
        late = who == "s1002"
        when = datetime(2026, 11, 7 if late else 6, 12).timestamp()
        os.utime(path, (when, when))
    (tmp_path / "book.csv").write_text(book, "utf-8")
    inputs = (dist, submissions, tmp_path / "book.csv", out)
    due = ["--due", "2026-11-06 23:59", "--penalty", "20"]
    done = grade(*inputs, *due)
    if "Moodle" in name or name == "for-moodle.csv":  # 31 points need those by hand
        assert "Maximum Grade for layers is 31.00, and the set has 25 points" in done.stdout
    rows = table(out / "grades.csv")
    assert (rows["S1001"]["total"], rows["s1002"]["total"]) == ("25", "20")
    assert (rows["s1002"]["days late"], rows["s1002"]["taken off"]) == ("1", "5")

    hand = (out / "by-hand.csv").read_text()
    lines = list(csv.reader(io.StringIO(hand)))
    assert [line[0] for line in lines[1:]] == ["S1001", "s1002"]
    for line, points in zip(lines[1:], (("3", "2", "1"), ("0.5", "0", "0")), strict=True):
        line[2:5] = points
        line[5] = "Clear, and short" if points[0] == "3" else "=Why?"
    with (out / "by-hand.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    filled = (out / "by-hand.csv").read_bytes()
    for _ in range(2):  # what was filled in survives
        done = grade(*inputs, *due)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("(as before)") == 2
        assert (out / "by-hand.csv").read_bytes() == filled
    rows = table(out / "grades.csv")
    (column,) = [title for title in rows["S1001"] if title.endswith("(by hand)")]
    assert [rows[who][column] for who in files] == ["6", "0.5"]
    assert [rows[who]["total"] for who in files] == ["31", "20.4"]
    text = (out / "feedback" / "s1002.md").read_text()
    assert "Handed in 1 day late: 5.1 points are taken off." in text
    assert "0.5 of 3 points" in text
    assert "=Why?" in text
    assert "**20.4 points in all.**" in text
    assert "Clear, and short" in (out / "feedback" / "S1001.md").read_text()
    back = list(csv.reader(io.StringIO((out / name).read_text("utf-8"))))
    assert [row[place] for row in back if row[place] in ("31", "20.4")][-2:] == ["31", "20.4"]
    assert f"to be imported into {name[4:10].title()}: {out / name}" in done.stdout

    # afresh for one person alone
    done = grade(*inputs, *due, "--regrade", "S1002")
    assert done.stdout.count("(as before)") == 1
    done = grade(*inputs, *due, "--regrade", "nobody")
    assert done.returncode == 2
    assert "REGRADE names 'nobody'" in done.stderr
