"""Grade books of Canvas, Moodle and Gradescope: in as a roster, and out again with the grades.

The shapes are those of the documentation of the three; the people are made up.
"""

import csv
import io

import pytest

from assignments.grading.exchange import Given, ScaleError, file_name, filled
from assignments.grading.roster import read_roster, read_table

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,warm-up (4701),layers (4702),Assignments Current Score
    Points Possible,,,,,10,25,(read only)
"Åström, Zoë",99001,u-1,S1001,Group A,8,,80
"O'Brien, Pat",99002,u-2,s1002,"Group A, Group B",,3,
"Student, Test",99009,,abc123,Group A,,,
"""
MOODLE = """\
Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),Last modified (grade),Feedback comments
Participant 884422,Zoë Åström,S1001,zoe@uni.example,Submitted for grading,,25.00,Yes,"Friday, 6 November 2026, 10:12 AM",-,
Participant 884423,Pat O'Brien,s1002,pat@uni.example,No submission,,25.00,Yes,-,-,"See me, please"
"""
MOODLE_BOOK = """\
First name;Last name;ID number;Institution;Department;Email address;Assignment: warm-up (Real)
Zoë;Åström;S1001;;;zoe@uni.example;8,00
Pat;O'Brien;s1002;;;pat@uni.example;-
"""
GRADESCOPE = """\
Name,SID,Email,Total Score,Max Points,Status,Submission ID,Submission Time,Lateness (H:M:S)
Zoë Åström,S1001,zoe@uni.example,,25.0,Missing,,,
Pat O'Brien,s1002,pat@uni.example,,25.0,Missing,,,
"""


def table_of(text, tmp_path):
    (tmp_path / "book.csv").write_text(text, encoding="utf-8")
    return read_table(tmp_path / "book.csv")


def cells(text, separator=","):
    return list(csv.reader(io.StringIO(text), delimiter=separator))


@pytest.mark.parametrize(
    ("book", "ids", "numbers", "name"),
    [
        (CANVAS, ["S1001", "s1002"], ["99001", "99002"], "for-canvas.csv"),
        (MOODLE, ["S1001", "s1002"], ["884422", "884423"], "for-moodle.csv"),
        (MOODLE_BOOK, ["S1001", "s1002"], [None, None], "for-moodle.csv"),
        (GRADESCOPE, ["zoe@uni.example", "pat@uni.example"], [None, None], "for-gradescope.csv"),
        ("id,name\nS1001,Zoë\ns1002,Pat\n", ["S1001", "s1002"], [None, None], None),
    ],
)
def test_a_grade_book_is_a_roster(book, ids, numbers, name, tmp_path):
    table = table_of(book, tmp_path)
    people = read_roster(tmp_path / "book.csv")
    assert [person.id for person in people] == ids
    assert [next(iter(person.numbers), None) for person in people] == numbers
    assert all("o" in person.name.casefold() or person.name == "Pat" for person in people)
    assert file_name(table) == name


def test_a_column_with_gaps_is_no_identifier(tmp_path):
    table_of(CANVAS.replace(",S1001,", ",,"), tmp_path)
    assert [person.id for person in read_roster(tmp_path / "book.csv")] == ["u-1", "u-2"]


@pytest.mark.parametrize(
    ("book", "separator", "changed"),
    [
        (CANVAS, ",", {(2, 6): "24.5", (3, 6): "3"}),
        (MOODLE, ",", {(1, 5): "24.5", (1, 10): "Well done"}),
        (MOODLE_BOOK, ";", {(0, 7): "layers", (1, 7): "24.5"}),
        (GRADESCOPE, ",", {(1, 3): "24.5", (1, 4): "25", (2, 4): "25"}),
    ],
    ids=["Canvas", "Moodle's worksheet", "Moodle's grade book", "Gradescope"],
)
def test_grades_come_back_into_the_file_and_nothing_else_changes(
    book, separator, changed, tmp_path
):
    table = table_of(book, tmp_path)
    people = read_roster(tmp_path / "book.csv")
    given = {people[0].key: Given(24.5, "Well done"), people[1].key: Given(None)}
    before, after = cells(book, separator), cells(filled(table, "layers", 25, given), separator)
    assert len(after) == len(before)
    for line, (old, new) in enumerate(zip(before, after, strict=True)):
        for place, cell in enumerate(new):
            was = old[place] if place < len(old) else ""
            assert cell == changed.get((line, place), was), (line, place)
    for (line, place), cell in changed.items():
        assert after[line][place] == cell
    # and once more: what came out goes in
    again = table_of(filled(table, "layers", 25, given), tmp_path)
    assert filled(again, "layers", 25, given) == filled(table, "layers", 25, given)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_stays_as_it_was(mark, tmp_path):
    book = tmp_path / "book.csv"
    book.write_bytes((mark + CANVAS).encode())
    table = read_table(book)
    given = {person.key: Given(None) for person in read_roster(book)}
    assert filled(table, "layers", 25, given).encode() == (mark + CANVAS).encode()


def test_canvas_keeps_its_second_line_and_learns_the_points(tmp_path):
    book = CANVAS.replace(",25,", ",,")
    table = table_of(book, tmp_path)
    given = {person.key: Given(7) for person in read_roster(tmp_path / "book.csv")}
    lines = cells(filled(table, "layers", 31, given))
    assert lines[1][0].strip() == "Points Possible"
    assert lines[1][6] == "31"
    assert [line[6] for line in lines[2:]] == ["7", "7", ""]  # Canvas's own test student


def test_an_assignment_that_canvas_does_not_have_gets_a_column(tmp_path):
    table = table_of(CANVAS, tmp_path)
    given = {person.key: Given(7) for person in read_roster(tmp_path / "book.csv")}
    lines = cells(filled(table, "networks", 24, given))
    assert [line[8:] for line in lines] == [["networks"], ["24"], ["7"], ["7"], []]


def test_moodle_with_another_maximum_is_refused_in_a_sentence(tmp_path):
    table = table_of(MOODLE.replace("25.00", "100.00"), tmp_path)
    given = {person.key: Given(7) for person in read_roster(tmp_path / "book.csv")}
    with pytest.raises(ScaleError, match=r"is 100\.00, and the set has 31 points: set it there"):
        filled(table, "layers", 31, given)


def test_a_comment_is_no_formula_in_a_spreadsheet(tmp_path):
    table = table_of(MOODLE, tmp_path)
    people = read_roster(tmp_path / "book.csv")
    given = {person.key: Given(7, "=HYPERLINK(1)") for person in people}
    assert cells(filled(table, "layers", 25, given))[1][10] == "'=HYPERLINK(1)"
