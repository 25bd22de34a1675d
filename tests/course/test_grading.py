"""`make grade`, on a class that hands in everything."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from codecs import BOM_UTF8
from pathlib import Path

import psutil
import pytest
from grading import classroom
from grading.commands import command, grade, rows, table
from grading.masters import SEED

from assignments.grading import answers, autograder, kept
from assignments.grading.__main__ import _again, main
from assignments.grading.roster import Person
from assignments.grading.sandbox import Sandbox
from assignments.questions import load

ROOT = Path(__file__).parents[2]
confined = pytest.mark.needs("bwrap")


@pytest.fixture(scope="module")
def graded(tmp_path_factory, dist, make):
    """The whole class, graded in one run."""
    folder = tmp_path_factory.mktemp("class")
    submissions, out = folder / "submissions", folder / "out"
    submissions.mkdir()
    cases = classroom.cases(make)
    for case in cases:
        case.write(submissions)
    (submissions / "stranger_layers.ipynb").write_text("{}")
    (submissions / ".DS_Store").write_text("")
    roster = folder / "roster.csv"
    roster.write_text("id,name\n" + "".join(f"{case.id},=Name of {case.id}\n" for case in cases))
    done = grade(dist, submissions, roster, out)
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        "cases": cases, "out": out, "rows": table(out / "grades.csv"), "done": done,
        "submissions": submissions, "roster": roster,
    }  # fmt: skip


# --- a whole class, in one run -------------------------------------------------


@confined
def test_everybody_has_the_right_row(graded):
    wrong = []
    for case in graded["cases"]:
        row = graded["rows"].get(case.id)
        if row is None:
            wrong.append(f"{case.id} is missing")
            continue
        points = {name: int(row[name]) for name in classroom.ALL}
        expected = case.points or classroom.NONE
        if row["status"] != case.status or points != expected or case.reason not in row["reason"]:
            wrong.append(f"{case.id}: {row}; expected {case.status}, {expected}, {case.reason!r}")
        if int(row["total"]) != sum(points.values()):
            wrong.append(f"{case.id}: total {row['total']}")
    assert not wrong, "\n".join(wrong)
    assert [*graded["rows"]] == [case.id for case in graded["cases"]]


@confined
def test_the_table_has_columns_for_a_person_to_fill(graded):
    (column,) = [name for name in graded["rows"]["right"] if name.endswith("(by hand)")]
    assert column.startswith("Question 8")
    assert all(row[column] == "" for row in graded["rows"].values())


@confined
def test_the_first_row_of_the_table_has_the_most_points(graded):
    table = graded["out"] / "grades.csv"
    first, *people = rows(table)
    assert len(people) == len(graded["cases"])
    assert (first["id"], first["name"], first["status"]) == ("", "points possible", "")
    assert {name: int(first[name]) for name in classroom.ALL} == classroom.ALL
    assert [first[name] for name in first if name.endswith("(by hand)")] == ["6"]
    assert first["total"] == str(classroom.FULL + 6)
    # a spreadsheet knows by it that the names are UTF-8
    for name in ("grades.csv", "by-hand.csv"):
        assert (graded["out"] / name).read_bytes().startswith(BOM_UTF8)


@confined
def test_reasons_are_one_line_and_no_formula(graded):
    for row in graded["rows"].values():
        assert row["reason"].endswith(".")
        assert "\n" not in row["reason"]
        assert row["name"].startswith("'=")  # a spreadsheet would compute it otherwise


@confined
def test_what_belongs_to_nobody_is_reported(graded):
    assert "1 files belong to nobody" in graded["done"].stdout
    assert (graded["out"] / "nobodys.txt").read_text() == "stranger_layers.ipynb\n"


@confined
def test_progress_is_told_line_by_line_where_there_is_no_terminal(graded):
    count = len(graded["cases"])
    lines = graded["done"].stdout.splitlines()
    assert sum(line.startswith(f"{count}/{count} ") for line in lines) == 1
    assert "\x1b" not in graded["done"].stdout


@confined
def test_feedback_gives_nothing_away(graded, dist):
    seed = SEED.text
    for case in graded["cases"]:
        text = (graded["out"] / "feedback" / f"{case.id}.md").read_text()
        assert f"**{case.status}**" in text
        assert seed not in text
        assert "assignments" not in text
        assert "holds" not in text
        for question in load("layers"):
            given = question.hidden_arguments(seed, case.id)
            assert not any(repr(arguments) in text for arguments in given)
            if not question.is_function:
                answer = question.right_answer(case.id)
                assert not any(str(number) in text for number in answer if number > 999)
    text = (graded["out"] / "feedback" / "half.md").read_text()
    assert "tests that you do not have: 0 of 4 points" in text
    assert "must return an integer" not in text
    assert "`layers_4` is not a function." in text


@confined
def test_feedback_shows_what_a_student_wrote_as_text(graded):
    text = (graded["out"] / "feedback" / "newline.md").read_text()
    assert "`newline_a\N{REPLACEMENT CHARACTER}b*[x](y)<z>.ipynb`" in text


@confined
def test_what_a_person_reads_is_on_one_page_and_nothing_but_text(graded):
    page = (graded["out"] / "to-be-read.html").read_text()
    assert "Question 8" in page
    assert '&lt;script&gt;alert(1)&lt;/script&gt; <span class="katex">' in page
    assert "<script>alert" not in page
    assert page.count("An answer written elsewhere") == 1
    assert "Type your answer here" not in page
    assert "Content-Security-Policy" in page
    assert "<script" not in page
    sheet = re.search(r'<link rel="stylesheet" href="([^"]*)">', page)[1]
    assert "KaTeX_Main" in (graded["out"] / sheet).read_text()
    assert list((graded["out"] / sheet).parent.glob("fonts/*.woff2"))
    assert page.count("<h3>") >= len(graded["cases"])


@confined
def test_nothing_is_left_half_written(graded):
    assert not list(graded["out"].rglob(".writing-*"))
    for path in (graded["out"] / "results").glob("*.json"):
        json.loads(path.read_text())


@confined
def test_a_second_run_grades_only_what_has_changed(graded, dist, make, tmp_path):
    out, submissions = tmp_path / "out", tmp_path / "submissions"
    shutil.copytree(graded["out"], out)
    shutil.copytree(
        graded["submissions"], submissions, symlinks=True, ignore=lambda *_: ["pipe.ipynb"]
    )
    os.mkfifo(submissions / "pipe.ipynb")
    changed = submissions / "half_layers.ipynb"
    changed.write_text(json.dumps(make.solved("half")))
    done = grade(dist, submissions, graded["roster"], out)
    lines = [line for line in done.stdout.splitlines() if "/" in line and ": " in line[:40]]
    afresh = {line.split()[1] for line in lines if line.split()[0].count("/") == 1} - {
        line.split()[1] for line in lines if line.endswith(("(as before)", "not submitted"))
    }
    assert "half:" in afresh
    assert afresh <= {"half:", "grades:", "feedback:"}
    rows = table(out / "grades.csv")
    assert rows["half"]["total"] == str(classroom.FULL)
    assert {who: row for who, row in rows.items() if who != "half"} == {
        who: row for who, row in graded["rows"].items() if who != "half"
    }


@confined
def test_a_table_that_was_changed_by_hand_is_left_alone(graded, dist, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(graded["out"], out)
    mine = (out / "grades.csv").read_text("utf-8").replace("Every cell ran.", "Well done.")
    (out / "grades.csv").write_text(mine)
    for _ in range(2):
        done = grade(dist, graded["submissions"], graded["roster"], out)
        assert (out / "grades.csv").read_text() == mine
        assert table(out / "grades-2.csv") == graded["rows"]
        assert "grades-2.csv" in done.stdout
        assert "left alone" in done.stdout
    assert not (out / "grades-3.csv").exists()


@confined
def test_one_question_is_graded_afresh_and_the_others_keep_their_points(
    dist, make, tmp_path, capsys
):
    (tmp_path / "submissions").mkdir()
    for who in ("anna", "bert"):
        (tmp_path / "submissions" / f"{who}.ipynb").write_text(json.dumps(make.solved(who)))
    (tmp_path / "roster.csv").write_text("id\nanna\nbert\n")
    inputs = (tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    assert grade(dist, *inputs).returncode == 0

    other = tmp_path / "dist"  # every question is worth twice as much now
    shutil.copytree(dist / "layers", other / "layers")
    (archive,) = (other / "layers" / "autograder").glob("*.zip")
    with zipfile.ZipFile(archive) as old:
        files = {name: old.read(name).decode("latin-1") for name in old.namelist()}
    with zipfile.ZipFile(archive, "w") as new:
        for name, text in files.items():
            if name.startswith("tests/"):
                text = re.sub(r"points=(\d+)", lambda found: f"points={2 * int(found[1])}", text)
            new.writestr(name, text.encode("latin-1"))

    def points(who):
        row = table(tmp_path / "out" / "grades.csv")[who]
        return {name: int(row[name]) for name in classroom.ALL}

    twice = {name: 2 * most for name, most in classroom.ALL.items()}
    done = grade(other, *inputs, "--regrade", "Anna layers-4")
    assert done.returncode == 0, done.stderr
    assert points("anna") == classroom.ALL | {"layers-4": twice["layers-4"]}
    assert points("bert") == twice  # other tests, and nothing of him is to be kept
    done = grade(other, *inputs)
    assert done.stdout.count("(as before)") == 2
    assert points("anna")["layers-1"] == classroom.ALL["layers-1"]
    assert main([*command(other, *inputs)[5:], "--regrade", "layers-9"]) == 2
    said = capsys.readouterr().err
    assert "REGRADE names 'layers-9', who is not on the roster and no question of layers" in said


@pytest.mark.parametrize(
    ("regrade", "people", "questions"),
    [
        ("", set(), set()),
        ("S1 layers-4", {"s1"}, {"layers-4"}),
        ("layers-4 layers-5", set(), {"layers-4", "layers-5"}),
        ("Ann Lee", {"ann lee"}, set()),
    ],
)
def test_regrade_tells_people_from_questions(regrade, people, questions):
    task = autograder.Set(
        name="layers", tests=Path(), template=None, questions=("layers-4", "layers-5"),
        is_public_seed=False, digest="",
    )  # fmt: skip
    again = _again(regrade, [Person("s1"), Person("ann lee")], task)
    assert (again.people, again.questions) == (people, questions)
    whole_class = bool(questions) and not people
    assert again.names(Person("s1")) == (whole_class or "s1" in people)


# --- interrupted -----------------------------------------------------------------


@pytest.fixture(scope="module")
def few(tmp_path_factory, make):
    folder = tmp_path_factory.mktemp("few")
    (folder / "submissions").mkdir()
    ids = [f"s{number:03}" for number in range(8)]
    for who in ids:
        notebook = make.with_cells(who, "import time\ntime.sleep(0.1)")
        (folder / "submissions" / f"{who}.ipynb").write_text(json.dumps(notebook))
    (folder / "roster.csv").write_text("id\n" + "\n".join(ids) + "\n")
    return folder


@confined
def test_killed_half_way_it_goes_on_and_comes_to_the_same(few, dist, tmp_path):
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    inputs = (dist, few / "submissions", few / "roster.csv")
    process = subprocess.Popen(
        command(*inputs, broken), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("3/8"):
            break
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    _, alive = psutil.wait_procs(below, timeout=10)
    assert below
    assert not alive, "a sandbox outlives the grader"
    assert not (broken / "grades.csv").exists()
    kept = list((broken / "results").glob("*.json"))
    assert 3 <= len(kept) < 8
    for path in kept:
        json.loads(path.read_text())

    done = grade(*inputs, broken)
    assert done.stdout.count("(as before)") == len(kept)
    assert grade(*inputs, whole).returncode == 0
    assert (broken / "grades.csv").read_bytes() == (whole / "grades.csv").read_bytes()


@confined
def test_no_sandbox_outlives_a_grader_that_is_killed():
    endless = """
        from assignments.grading.sandbox import Limits, Sandbox, notebook
        job = {"set": "", "skip": [], "skip_calls": [], "values": [], "calls": {}}
        limits = Limits(cell_seconds=900, seconds=900)
        Sandbox().run(notebook("import time; time.sleep(900)"), job, limits, flopslib=False)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(endless)], cwd=ROOT)
    below = []
    for _ in range(600):
        below = psutil.Process(process.pid).children(recursive=True)
        if any("python" in one.name() for one in below):
            break
        time.sleep(0.1)
    time.sleep(2)  # the cell has begun, so that no broken pipe ends it
    process.kill()
    process.wait()
    assert below
    assert not psutil.wait_procs(below, timeout=10)[1]


@confined
def test_interrupted_it_stops_at_once_and_says_how_to_go_on(dist, make, tmp_path):
    (tmp_path / "submissions").mkdir()
    endless = make.with_cells("anna", "import time\ntime.sleep(1000)")
    (tmp_path / "submissions" / "anna.ipynb").write_text(json.dumps(endless))
    (tmp_path / "submissions" / "bert.ipynb").write_text(json.dumps(make.solved("bert")))
    (tmp_path / "roster.csv").write_text("id\nbert\nanna\n")
    inputs = (dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    process = subprocess.Popen(
        command(*inputs, "--seconds", "600", "--cell-seconds", "600"),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # where the tests run in the background, the shell has made them deaf to it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("1/2 bert"):
            break
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert not psutil.wait_procs(below, timeout=10)[1]
    assert [path.name[:4] for path in (tmp_path / "out" / "results").glob("*.json")] == ["bert"]


@confined
def test_a_failure_of_the_grader_costs_nobody_else(dist, make, tmp_path, monkeypatch, capsys):
    (tmp_path / "submissions").mkdir()
    for who in ("anna", "bert"):
        (tmp_path / "submissions" / f"{who}.ipynb").write_text(json.dumps(make.solved(who)))
    (tmp_path / "roster.csv").write_text("id\nanna\nbert\n")
    run = Sandbox.run

    def fails(self, notebook, job, limits, **options):
        if b"'anna'" in notebook:
            raise ZeroDivisionError
        return run(self, notebook, job, limits, **options)

    monkeypatch.setattr(Sandbox, "run", fails)
    inputs = (dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out")
    assert main(command(*inputs)[5:]) == 0
    rows = table(tmp_path / "out" / "grades.csv")
    assert rows["anna"]["status"] == "crashed"
    assert "grader itself failed" in rows["anna"]["reason"]
    assert rows["bert"]["total"] == str(classroom.FULL)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / "results").glob("bert.*"))) == 1


# --- no sandbox ------------------------------------------------------------------


def test_without_bubblewrap_nothing_is_graded(few, dist, tmp_path):
    done = grade(
        dist, few / "submissions", few / "roster.csv", tmp_path, env={"PATH": str(tmp_path)}
    )
    assert done.returncode == 2
    assert "bwrap was not found: install bubblewrap" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "grades.csv").exists()


def test_a_bubblewrap_that_does_not_work_is_quoted(few, dist, tmp_path):
    fake = tmp_path / "bin" / "bwrap"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    done = grade(
        dist, few / "submissions", few / "roster.csv", tmp_path / "out",
        env={"PATH": f"{fake.parent}:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "uid map: Permission denied" in done.stderr
    assert "install bubblewrap" in done.stderr


def test_unsafe_is_asked_for_and_marked(make, dist, tmp_path):
    (tmp_path / "submissions").mkdir()
    for who in ("anna", "bert"):
        path = tmp_path / "submissions" / f"{who}.ipynb"
        path.write_text(json.dumps(make.solved(who)))
    (tmp_path / "roster.csv").write_text("id\nanna\nbert\n")
    done = grade(
        dist, tmp_path / "submissions", tmp_path / "roster.csv", tmp_path / "out", "--unsafe",
        env={"PATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "UNSAFE" in done.stdout
    rows = table(tmp_path / "out" / "grades.csv")
    assert [row["total"] for row in rows.values()] == [str(classroom.FULL)] * 2
    assert all("without confinement" in row["reason"] for row in rows.values())


# --- the tests run elsewhere ----------------------------------------------------------


@pytest.fixture
def tester(dist):
    tester = autograder.Tester(next((dist / "layers" / "autograder").glob("*.zip")), "layers")
    yield tester
    tester.close()


def test_a_test_that_does_not_end_costs_its_own_question_only(tester, tmp_path, monkeypatch):
    loop = b"while type(layers_2) is list:\n        pass\n    from assignments"
    with (
        zipfile.ZipFile(tester.archive) as old,
        zipfile.ZipFile(tmp_path / "changed.zip", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "tests/layers-2.py":
                content = content.replace(b"from assignments", loop, 1)
            new.writestr(name, content)
    tester.archive = tmp_path / "changed.zip"
    tester.plan("anna")  # so that only the tests are timed
    monkeypatch.setattr(autograder, "SECONDS", 2.5)
    given = {
        q.answer: {"value": q.right_answer("anna")} for q in load("layers") if not q.is_function
    }
    found = answers.Answers(values=given)
    points = {one["name"]: one["points"] for one in tester.grade("anna", found)}
    assert points == classroom.without(2, 4, 5)


def test_a_stand_in_knows_exactly_what_was_recorded(tester):
    _, calls = tester.plan("anna")
    assert calls["layers_4"] != tester.plan("bert")[1]["layers_4"][:]
    questions = {q.answer: q for q in load("layers") if q.is_function}

    def points(change):
        functions = {
            name: {
                "state": "function",
                "results": [{"value": questions[name].expected(**one)} for one in given],
            }
            for name, given in calls.items()
        }
        change(functions["layers_4"]["results"])
        found = answers.Answers(functions=functions)
        return {one["name"]: one["points"] for one in tester.grade("anna", found)}

    assert points(lambda results: None)["layers-4"] == 4
    for wrong in (
        {"value": 1},
        {"error": "OutOfTime"},
        {"error": "ValueError"},
        {"other": "float"},
    ):
        assert points(lambda results, wrong=wrong: results.__setitem__(-1, wrong))["layers-4"] == 0


def test_the_digest_of_the_tests_does_not_depend_on_when_they_were_packed(tmp_path):
    for number in (1, 2):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("a.py", (1990 + number, 1, 1, 0, 0, 0)), "x = 1")
    with zipfile.ZipFile(tmp_path / "3.zip", "w") as archive:
        archive.writestr("a.py", "x = 2")
    one, two, three = (autograder.fingerprint(tmp_path / f"{n}.zip") for n in (1, 2, 3))
    assert one == two != three


# --- the command --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "SET, SUBMISSIONS, ROSTER are missing; say make grade SET=layers"),
        (["layers", "--submissions", "x"], "ROSTER is missing"),
        (["layers", "--submissions", "x", "--roster", "y"], "the roster y cannot be read"),
        (
            ["layers", "--submissions", "x", "--roster", "roster.csv"],
            "SUBMISSIONS=x is not a folder",
        ),
        (
            ["nothing", "--submissions", ".", "--roster", "roster.csv", "--dist", "."],
            "SET=nothing has no tests",
        ),
        (["layers", "--jobs", "0"], "must be a whole number above 0, got '0'"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roster.csv").write_text("id\nanna\n")
    with contextlib.suppress(SystemExit):  # argparse ends by itself
        assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_identifiers_make_names_of_files_that_cannot_clash_or_leave():
    ids = [
        "anna",
        "../../x",
        "a/b",
        "a_b",
        "a b",
        "x" * 300,
        "é",
        ".hidden",
        "a@b.c",
        "A\nB",
        "-rf",
    ]
    names = [kept.slug(one) for one in ids]
    assert len(set(names)) == len(ids)
    assert all("/" not in name and "\n" not in name and len(name) < 100 for name in names)
    assert not any(name.startswith((".", "-")) for name in names)
