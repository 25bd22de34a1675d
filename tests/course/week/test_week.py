"""A class of more than sixty with all its accidents, and one in which half made one mistake.

Run by `make class`: the tests of the course grade a sample of both.
"""

import pytest
from grading import accidents, classroom
from grading.commands import grade, table
from test_overview import check_report, planted

confined = pytest.mark.needs("bwrap")


@confined
def test_nobody_of_a_class_of_sixty_has_undeserved_or_missing_points(
    dist, make, other_set, tmp_path
):
    people = [one for number in range(3) for one in accidents.class_of(make, other_set, number)]
    people += [
        accidents.Accident("nothing", f"plain{number}", {f"plain{number}.ipynb": make.solved(f"plain{number}")}, classroom.ALL)
        for number in range(10)
    ]  # fmt: skip
    assert len(people) >= 60
    (tmp_path / "submissions").mkdir()
    for one in people:
        one.write(tmp_path / "submissions")
    (tmp_path / "roster.csv").write_text(accidents.roster(people), encoding="utf-8")
    done = grade(dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    wrong = accidents.undeserved(people, table(tmp_path / "out" / "grades.csv"))
    assert not wrong, "\n".join(wrong)
    assert not (tmp_path / "out" / "nobodys.txt").exists()


@confined
def test_the_report_names_what_thirty_of_sixty_have_not_understood(dist, make, tmp_path):
    ids = planted(make, tmp_path, people=60, wrong=30)
    done = grade(dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    check_report(tmp_path / "out", ids, wrong=30, people=60)
