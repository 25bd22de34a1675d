"""The problem sets: they are right, they can be assigned, and they give nothing away."""

import ast
import builtins
import doctest
import html
import io
import json
import re
import subprocess
import sys
import warnings
import zipfile
from itertools import combinations, pairwise
from pathlib import Path

import nbformat
import pytest
import yaml
from grading.masters import CANARY, SEED, blocks, master
from packaging.requirements import Requirement

from assignments import build, hidden, searching
from assignments import question as question_module
from assignments.grading import runner
from assignments.grading.roster import Person
from assignments.grading.worker import otters_tests
from assignments.question import same
from assignments.questions import SETS, load, networks
from flopsbook.exercises.personal import (
    PLACEHOLDER,
    TABLE,
    Multiple,
    as_python,
    choices,
    is_whole,
    personal,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what otter imports has some of its own
    ExceptionTestFile = otters_tests()

ROOT = Path(__file__).parents[2]
SOLVER = "ada"  # whose numbers the masters solve
CLASS = [f"s{number:07}" for number in range(1000000, 1000060)]
QUESTIONS = {question.name: question for name in SETS for question in load(name)}
VALUES = [question for question in QUESTIONS.values() if not question.is_function]
FUNCTIONS = [question for question in QUESTIONS.values() if question.is_function]
every_set = pytest.mark.parametrize("name", SETS)
every_value = pytest.mark.parametrize("question", VALUES, ids=lambda q: q.name)
every_function = pytest.mark.parametrize("question", FUNCTIONS, ids=lambda q: q.name)


# --- the student's own numbers ----------------------------------------------


@pytest.mark.parametrize("question", TABLE)
def test_no_size_is_one_and_no_two_sizes_of_a_question_are_equal(question):
    multiples = {name: of.of for name, of in TABLE[question].items() if isinstance(of, Multiple)}
    for numbers in choices(question):
        assert set(numbers) == set(TABLE[question])
        assert 1 not in numbers.values()
        assert len(set(numbers.values())) == len(numbers)
        assert all(numbers[name] % numbers[of] == 0 for name, of in multiples.items())


@pytest.mark.parametrize("question", TABLE)
def test_all_choices_are_different_and_somebody_gets_each_candidate(question):
    everything = [tuple(numbers.values()) for numbers in choices(question)]
    assert len(set(everything)) == len(everything) >= 250
    got = [personal(question, f"student {number}") for number in range(2000)]
    if len(everything) < 1000:
        assert len({tuple(numbers.values()) for numbers in got}) > 0.8 * len(everything)
    for name, given in TABLE[question].items():
        most = len(given) if isinstance(given, tuple) else len(given.times)
        assert len({numbers[name] for numbers in got}) >= min(most, 300)


def test_nobody_in_a_class_has_the_numbers_of_somebody_else():
    everybody = [tuple(str(personal(q, student)) for q in TABLE) for student in CLASS]
    assert len(set(everybody)) == len(CLASS)
    alike = max(
        sum(a == b for a, b in zip(one, other, strict=True))
        for one, other in combinations(everybody, 2)
    )
    assert alike <= 2  # of all the questions of all sets


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (" ada\n", "ada"),
        ("Ada", "ada"),
        ("S1234567", "s1234567"),
        ("Ann@Uni.Example", "ann@uni.example"),
        ("zoe\u0308-a\u030astro\u0308m", "ZOË-åström"),
        ("anna\u00a0 lee", "anna lee"),
        ("\ufeffada\u200b", "ada"),
        ("STRASSE", "straße"),
    ],
)
def test_what_nobody_sees_or_means_makes_no_difference_to_an_identifier(one, other, seeded):
    for question in ("layers-1", "transformers-1", "networks-7"):
        assert personal(question, one) == personal(question, other)
    for question in FUNCTIONS:
        drawn = question.hidden_arguments(SEED.text, one)
        assert drawn == question.hidden_arguments(SEED.text, other)
    assert hidden.holds("layers-1", QUESTIONS["layers-1"].right_answer(one), other)
    assert Person(one).key == Person(other).key


def test_everything_else_makes_a_difference_to_an_identifier():
    for one, other in (("ada", "ada2"), ("ada", "adá"), ("a da", "ada"), ("l0", "lO")):
        assert personal("layers-3", one) != personal("layers-3", other)


@pytest.mark.parametrize(
    ("question", "student", "error", "words"),
    [
        ("layers-1", "", ValueError, "got ''"),
        ("layers-1", "  ", ValueError, "got '  '"),
        ("layers-1", PLACEHOLDER, ValueError, f"got '{PLACEHOLDER}'"),
        ("layers-1", 1234567, TypeError, "got 1234567"),
        ("layers-1", ..., TypeError, "quotation marks, got Ellipsis"),
        ("layer-1", "ada", ValueError, "layers-1"),
        ("layers_2", "ada", ValueError, "layers-2"),
        ("networks-3", "ada", ValueError, "networks-"),
        (3, "ada", ValueError, "got 3"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(question, student, error, words):
    with pytest.raises(error) as raised:
        personal(question, student)
    message = str(raised.value)
    assert words in message
    assert message.startswith(("question must be", "student must be"))
    assert "\n" not in message


# --- questions and masters belong together ----------------------------------


@every_set
def test_a_set_has_six_questions_for_the_program_and_one_for_the_teacher(name):
    found = blocks(master(name))
    by_hand = [block for block in found.values() if block.manual]
    assert [n for n, block in found.items() if not block.manual] == [q.name for q in load(name)]
    assert len(found) >= 7
    assert len(by_hand) == 1
    assert by_hand[0].points > 0
    solution, *checks = by_hand[0].solution
    assert solution.cell_type == "markdown"
    assert {check.cell_type for check in checks} == {"code"}
    assert solution.source.count("$$") >= 4
    assert {question.is_function for question in load(name)} == {True, False}


@every_set
def test_the_claims_of_a_key_are_counted_by_the_cell_below_it(name):
    (key,) = [block for block in blocks(master(name)).values() if block.manual]
    check = "\n".join(cell.source for cell in key.solution[1:])
    exec(check, {})
    # a formula of the key that is wrong would be noticed: each stands in the cell, too
    for right, wrong in WRONG_KEYS[name].items():
        assert check.count(right) == 1
        with pytest.raises(AssertionError):
            exec(check.replace(right, wrong), {})


@pytest.mark.parametrize("name", ["training", "serving"])
def test_each_question_names_the_page_that_prepares_it(name):
    named = [
        re.findall(r"The chapter \*([^*]+)\* prepares this question\.", cell.source)
        for cell in master(name).cells
        if cell.source.startswith("## Question ")
    ]
    assert len(named) == 8
    assert all(len(chapters) == 1 for chapters in named)


@every_set
def test_a_solution_is_shown_in_short_cells(name):
    cells = [cell for block in blocks(master(name)).values() for cell in block.solution]
    long = [cell.source for cell in cells if len(cell.source.splitlines()) > 15]
    assert not [source for source in long if not source.startswith("**")], long


#: What a key could say instead, and does not.
WRONG_KEYS = {
    "layers": {
        "met == N * K - p * (p + 1)": "met == N * K - p * p",
        "image == met**2": "image == met * N * K",
        "== 12 * N - 4": "== 12 * N",
    },
    "transformers": {
        "== 2 * T * d * (r + 1)": "== 2 * T * d * r",
        "== 2 * d * r + 2 * h * T * r": "== 2 * d * r + h * T * r",
        "(from_here > 1) == (r > d_k)": "(from_here > 1)",  # what the key once said
        "(1 if r < d_k else 2)": "2",
    },
    "networks": {
        "3 * sum(forward) - B * n[1] * n[0]": "3 * sum(forward)",
        "factors[0] == Fraction(6, 5)": "factors[0] == 1",
        "Fraction(3 * n + 3, 2 * n + 3)": "Fraction(3, 2)",
    },
    "training": {
        "== B * O * I * (J + 1)": "== B * O * I * J",
        "of_w.per_output.macs == B": "of_w.per_output.macs == O",
        "3 * F - B * O * I * J": "3 * F - B * O * I",
        "Fraction(7, 6)": "Fraction(4, 3)",
        "kept(second) == B * (I + J + O * I)": "kept(second) == B * (I + J)",
    },
    "serving": {
        "shared == 2 * d * (P + n * S)": "shared == 2 * d * (P + S)",
        "(n >= Fraction(P, S))": "(n > Fraction(P, S))",
        "Fraction(40 + 3, 3)": "Fraction(40, 3)",
        "(2 * d, d + 1)": "(2 * d, d)",
        "/ W for one, two": "/ W_2 for one, two",
    },
}


@every_set
def test_the_page_for_teachers_knows_the_points(name):
    found = blocks(master(name)).values()
    by_program = sum(points_of(cell) for block in found for cell in block.tests)
    by_hand = sum(block.points for block in found if block.manual)
    page = (ROOT / "chapters" / "teaching.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert row.endswith(f"| {by_program} points | {by_hand} points |")


@every_set
def test_the_chapters_that_a_set_names_are_in_the_book(name):
    pages = (ROOT / "chapters").glob("*.ipynb")
    titles = {nbformat.read(page, as_version=4).cells[0].source.splitlines()[0] for page in pages}
    words = " ".join(cell.source for cell in master(name).cells if cell.cell_type == "markdown")
    named = {
        title for title in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", words) if title[0].isupper()
    }
    chapters = {title for title in named if not title.endswith(("one.", "**"))}
    assert len(chapters) >= 3
    assert {f"# {title}" for title in chapters} <= titles


def points_of(test):
    return int(re.search(r"points: (\d+)", test.source)[1])


def test_an_unknown_set_is_refused():
    with pytest.raises(
        ValueError, match="one of layers, transformers, networks, training, serving, got"
    ):
        load("layer")


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_the_tests_of_a_question_ask_for_its_answer_and_nothing_else(question):
    block = blocks(master(question.name.partition("-")[0]))[question.name]
    public = [cell.source for cell in block.tests if "hidden: true" not in cell.source]
    secret = [cell.source for cell in block.tests if "hidden: true" in cell.source]
    assert len(public) == 1
    assert "points: 0\n" in public[0]
    assert secret
    assert all(re.search(r"points: [1-9]", source) for source in secret)
    for source in public + secret:
        (function,) = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
        names = {argument.arg for argument in function.args.args}
        assert names <= {question.answer, "STUDENT"}
        assert question.answer in names
    for source in secret:
        tree = ast.parse(source)
        (call,) = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
        assert [ast.unparse(a) for a in call.args] == [f"'{question.name}'", *names_of(question)]
        numbers = [
            n for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) is int
        ]
        keywords = {k.arg: k.value for k in call.keywords}
        assert set(keywords) <= {"entry", "condition"}
        assert numbers == [keywords[word] for word in ("entry",) if word in keywords]
        if "condition" in keywords:
            assert keywords["condition"].value in question.conditions


def names_of(question):
    return [question.answer, "STUDENT"]


@every_function
def test_public_tests_call_a_function_with_the_examples_and_nothing_else(question):
    block = blocks(master(question.name.partition("-")[0]))[question.name]
    (public,) = [cell.source for cell in block.tests if "hidden: true" not in cell.source]
    calls = [
        node
        for node in ast.walk(ast.parse(public))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == question.answer
    ]
    assert not any(call.args for call in calls)
    arguments = [{k.arg: ast.literal_eval(k.value) for k in call.keywords} for call in calls]
    assert arguments == [dict(given) for given in question.examples]
    statement = " ".join(cell.source for cell in block.statement)
    for given in question.examples:
        assert str(question.expected(**given)) in statement


@every_function
def test_hidden_arguments_depend_on_the_seed_and_on_the_student(question):
    drawn = question.hidden_arguments("a seed", "ada")
    assert drawn == question.hidden_arguments("a seed", "ada")
    assert drawn != question.hidden_arguments("another", "ada")
    assert drawn != question.hidden_arguments("a seed", "bob")
    assert len(drawn) == question.draws
    assert {tuple(given) for given in drawn} == {tuple(question.examples[0])}
    expected = [question.expected(**given) for given in drawn]
    assert len(set(expected)) == len(expected)
    assert not any(given in drawn for given in question.examples)


@every_function
def test_no_argument_of_a_function_can_be_left_unread(question):
    for student in CLASS:
        asked = [*question.examples, *question.hidden_arguments(SEED.text, student)]
        for name in question.examples[0]:
            assert len({str(given[name]) for given in asked}) > 1


@pytest.mark.parametrize("question", [q for q in VALUES if not q.conditions], ids=lambda q: q.name)
def test_a_copied_answer_is_wrong(question):
    answers = [question.right_answer(student) for student in CLASS[:30]]
    pairs = list(combinations(answers, 2))
    assert sum(one == other for one, other in pairs) < 0.03 * len(pairs)


@pytest.mark.parametrize("question", [q for q in VALUES if q.conditions], ids=lambda q: q.name)
def test_a_design_fulfils_its_conditions_and_a_poor_one_does_not(question):
    for student in CLASS[:2]:
        numbers, design = personal(question.name, student), question.right_answer(student)
        for condition in question.conditions.values():
            assert condition(design, **numbers)
            poor = [[], "x", 3, [1, 64, 1], [10**9] * 3, [0, 0, 0], [-1, -64, -1], [design] * 3]
            assert not any(condition(answer, **numbers) for answer in poor)
            assert not condition([*design, 1], **numbers)
            assert not condition([design[0] * 2, *design[1:]], **numbers)
    fits, fits_well = question.conditions.values()
    shallower = [design[0] * 5 // 6, *design[1:]]
    assert fits(shallower, **numbers)
    assert not fits_well(shallower, **numbers)
    layers, _, heads = shallower
    assert not fits([layers, 64 * heads, heads - 1], **numbers)
    assert not fits([layers, 64 * heads - 1, heads], **numbers)
    deep = [4 * layers, 64 * (heads // 2), heads // 2]
    budget = numbers["exa_flops"] * 10**18
    assert budget // 2 < networks._run_of(deep).flops < budget
    assert not fits(deep, **numbers)


# --- what the hidden tests accept -------------------------------------------


class EqualsEverything:
    """Wins every comparison with == and isinstance."""

    __hash__ = None
    __class__ = int

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __len__(self):
        return 3

    def __getitem__(self, place):
        return self


class Longer(int):
    """An int of a student's own."""

    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


@pytest.fixture
def seeded(monkeypatch):
    monkeypatch.setattr(hidden, "seed", lambda: SEED.text)


@every_value
def test_only_plain_right_values_hold(question, seeded):
    right = question.right_answer(SOLVER)
    options = [{"condition": name} for name in question.conditions]
    for option in options or [{}, *({"entry": at} for at in range(len(right)))]:
        assert hidden.holds(question.name, right, SOLVER, **option)
        cheats = [
            EqualsEverything(),
            [EqualsEverything()] * len(right),
            ...,
            None,
            {},
            tuple(right),
        ]
        cheats += [list(map(float, right)), list(map(str, right)), list(map(Longer, right))]
        cheats += [[*right, right[-1]], right[:-1], [], str(right)]
        for cheat in cheats:
            assert not hidden.holds(question.name, cheat, SOLVER, **option)
        for nobody in ("", PLACEHOLDER, None, 7, EqualsEverything()):
            assert not hidden.holds(question.name, right, nobody, **option)


class Replay:
    """Knows a function's results for the arguments that a grader has recorded, and no others."""

    def __init__(self, question, student):
        asked = [*question.examples, *question.hidden_arguments(SEED.text, student)]
        self.known = [(dict(given), question.expected(**given)) for given in asked]

    def __call__(self, **given):
        return next(result for known, result in self.known if known == given)


@every_function
def test_only_right_functions_hold(question, seeded):
    right = Replay(question, SOLVER)

    def knows_the_examples(**given):
        return right(**given) if given in question.examples else 0

    def is_a_float(**given):
        return float(right(**given))

    def equals_everything(**given):
        return EqualsEverything()

    def is_off_by_one(**given):
        return right(**given) + 1

    def raises(**given):
        raise RuntimeError(given)

    assert hidden.holds(question.name, right, SOLVER)
    for wrong in (knows_the_examples, is_a_float, equals_everything, is_off_by_one, raises):
        assert not hidden.holds(question.name, wrong, SOLVER)
    for wrong in (..., None, 5, EqualsEverything(), lambda: 5):
        assert not hidden.holds(question.name, wrong, SOLVER)


USES_THE_LIBRARY = """
import flopslib
from flopslib import linear

def imports_it(**given):
    from flopslib import linear
    return known(**given)

def has_it_imported(**given):
    linear(1, 1)
    return known(**given)

def has_the_module(**given):
    flopslib.linear(1, 1)
    return known(**given)

def needs_nothing(**given):
    return known(**given)
"""


@every_function
def test_a_function_is_graded_where_the_library_cannot_be_used(question, seeded):
    names = {"known": Replay(question, SOLVER)}
    exec(USES_THE_LIBRARY, names)
    before = {name for name in sys.modules if name.startswith("flops")}
    for wrong in ("imports_it", "has_it_imported", "has_the_module"):
        assert not hidden.holds(question.name, names[wrong], SOLVER), wrong
    assert hidden.holds(question.name, names["needs_nothing"], SOLVER)
    assert {name for name in sys.modules if name.startswith("flops")} == before
    assert names["has_it_imported"](**question.examples[0]) is not None  # everything is back


NUMBERS = ["3", "np.int64(3)", "sp.Integer(0)", "sp.Integer(7)", "True", "3.0", "np.float64(3)",
           "np.bool_(True)", "sp.Rational(1, 2)", "[np.int8(3)]", "(3,)", "Longer(3)", "None"]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
def test_all_graders_agree_on_what_a_whole_number_is(number):
    import numpy as np
    import sympy as sp

    found = eval(number, {"np": np, "sp": sp, "Longer": Longer})
    one = as_python(found)
    run = runner.Run({}, [], [], lambda _: None)
    inside = run.plain(found)
    assert inside.get("value", "no answer") == (
        one if question_module.is_plain(one) else "no answer"
    )
    assert is_whole(found) is (type(inside.get("value")) is int)


@pytest.mark.parametrize("module", [question_module, searching], ids=lambda m: m.__name__)
def test_the_examples_of_the_docstrings_run(module):
    tried = doctest.testmod(module)
    assert tried.attempted
    assert not tried.failed


def test_true_is_not_one():
    assert not same(True, 1)
    assert not same([1, [True]], [1, [1]])


def test_gradescope_says_who_has_handed_in(tmp_path, monkeypatch, seeded):
    file = tmp_path / "submission_metadata.json"
    monkeypatch.setattr(hidden, "GRADESCOPE", file)
    right = QUESTIONS["layers-1"].right_answer(SOLVER)
    for metadata, holds in [
        ({}, True),
        ({"users": []}, True),
        ({"users": [{"email": "Ada", "name": "Ada L."}]}, True),
        ({"users": [{"email": "a@x.org", "sid": "ada"}]}, True),
        ({"users": [{"email": "a@x.org"}, {"email": "ada"}]}, True),
        ({"users": [{"email": "bob"}]}, False),
    ]:
        file.write_text(json.dumps(metadata))
        assert hidden.holds("layers-1", right, SOLVER) is holds


# --- the seed ---------------------------------------------------------------


@pytest.fixture
def seed_file(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "SEED", tmp_path / "seed")
    return tmp_path / "seed"


def answering(monkeypatch, *typed):
    answers = iter(typed)
    monkeypatch.setattr(builtins, "input", lambda _: next(answers))


def test_without_a_terminal_the_seed_is_the_public_one(seed_file):
    seed = build.secret(ask=False)
    assert seed.is_public
    assert seed.text == (ROOT / "assignments" / "test-seed").read_text().strip()
    assert not seed_file.exists()


def test_on_a_terminal_the_seed_is_asked_for_once(seed_file, monkeypatch):
    answering(monkeypatch, "too short", "a long enough secret")
    assert build.secret(ask=True) == build.Secret("a long enough secret")
    assert seed_file.stat().st_mode & 0o777 == 0o600
    answering(monkeypatch)
    assert build.secret(ask=True) == build.secret(ask=False) == build.Secret("a long enough secret")


def test_enter_draws_a_seed(seed_file, monkeypatch):
    answering(monkeypatch, "")
    one = build.secret(ask=True).text
    seed_file.unlink()
    answering(monkeypatch, "")
    assert build.secret(ask=True).text != one
    assert len(one) >= 24


def test_no_answer_builds_nothing(seed_file, monkeypatch, capsys):
    def interrupted(_):
        raise EOFError

    monkeypatch.setattr(builtins, "input", interrupted)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert build.main(["layers", "--dist", str(seed_file.parent / "dist")]) == 130
    assert "Stopped" in capsys.readouterr().err
    assert not seed_file.exists()
    assert not (seed_file.parent / "dist").exists()


def test_an_empty_seed_is_refused(seed_file):
    seed_file.write_text("\n")
    with pytest.raises(build.SetError, match="12 characters or more, got 0"):
        build.secret(ask=True)


def test_git_ignores_what_is_secret():
    # read, not asked of git: a copy of the sources need not be a repository
    assert {"assignments/seed", "dist/"} <= set((ROOT / ".gitignore").read_text().splitlines())


# --- built, with canaries planted -------------------------------------------


def texts(path):
    """Yield whatever text a file holds, of archives and notebooks what is inside."""
    yield path.name
    yield from inside(path.read_bytes())


def inside(data):
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name
                yield from inside(archive.read(name))
        return
    text = data.decode("utf-8", errors="replace")
    yield text
    if text.lstrip().startswith(("{", "[")):
        try:
            yield from strings(json.loads(text))
        except ValueError:
            return
    elif "<html" in text[:2000]:
        yield html.unescape(re.sub(r"<[^>]*>", "", text))


def strings(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        if value and all(isinstance(line, str) for line in value):
            yield "".join(value)
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value
        if value.lstrip().startswith("{"):
            try:
                yield from strings(json.loads(value))
            except ValueError:
                return


def squeezed(text):
    """Return a text without white space, and with one kind of quotation marks."""
    return "".join(text.split()).replace('"', "'")


#: What a page for teachers may say, and a student's folder has no use for.
NAMES = {"assignments.hidden", "hidden_arguments", "hidden:true", "hidden=True"}


def giveaways(name):
    """Return what must not be read by a student: lines of solutions, hidden tests, answers."""
    found = set(NAMES)
    for block in blocks(master(name)).values():
        for cell in block.solution:
            # what stands above is the head of a function, which the student has
            source = cell.source.rpartition("    # BEGIN SOLUTION\n")[2]
            lines = map(squeezed, source.splitlines())
            kept = {re.sub(r"#SOLUTION(NOPROMPT)?$", "", line) for line in lines}
            # what is shorter is found anywhere
            common = ("def", "from", "import")
            found |= {line for line in kept if len(line) >= 25 and not line.startswith(common)}
        for cell in block.tests:
            if "hidden: true" in cell.source:
                found |= {squeezed(line) for line in cell.source.splitlines() if "assert" in line}
    for question in load(name):
        if not question.is_function:
            numbers = [n for n in question.right_answer(SOLVER) if n >= 10**5]
            found |= {str(n) for n in numbers} | {f"{n:,}" for n in numbers}
    return found


def leaks(folder, wanted):
    """Return each giveaway with the file that it is found in."""
    found = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            squeezed_texts = [squeezed(text) for text in texts(path)]
            found |= {
                (str(path.relative_to(folder)), what)
                for what in wanted
                if any(what in text for text in squeezed_texts)
            }
    return found


@every_set
def test_a_students_folder_gives_nothing_away(dist, name):
    assert giveaways(name) > {"assignments.hidden"}
    assert len(giveaways(name)) > 20
    assert leaks(dist / name / "student", giveaways(name) | {CANARY}) == set()


@every_set
def test_the_search_finds_what_is_there(dist, name):
    # the same search has to find the canaries where they belong
    found = {what for _, what in leaks(dist / name / "autograder", giveaways(name) | {CANARY})}
    assert {CANARY, "assignments.hidden", "hidden=True"} <= found
    assert {what for what in giveaways(name) - found if re.search("[a-z]", what)} == {"hidden:true"}


def test_the_built_book_gives_nothing_away():
    pages = ROOT / "_build" / "html"
    assert (pages / "index.html").exists(), "build the book first: make book"
    wanted = {what for name in SETS for what in giveaways(name)} - NAMES
    # scripts are full of digits: a shorter number proves nothing there
    wanted = {what for what in wanted if re.search("[a-z]", what) or len(what) >= 9}
    for file in (ROOT / "assignments" / "questions").glob("*.py"):
        lines = map(squeezed, file.read_text().splitlines())
        wanted |= {line for line in lines if line.startswith("def_") and len(line) >= 25}
    assert leaks(pages, wanted) == set()


@every_set
def test_a_students_notebook_can_be_read_by_everybody(dist, name):
    cells = nbformat.read(dist / name / "student" / f"{name}.ipynb", as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert unreadable(texts) == []
    # planted: each rule finds its fault
    for fault, bad in INACCESSIBLE.items():
        assert [said for said in unreadable([*texts, bad]) if fault in said], fault


INACCESSIBLE = {
    "one first heading": "# Another title",
    "a level is left out": "#### Deep",
    "has the same words": "## Question 1: a\n\n## Question 1: a",
    "no alternative text": "![](picture.png)",
    "says where it leads": "[here](https://example.org)",
    "HTML": 'The <span style="color:red">red</span> ones are wrong.',
    "colour": "Fill in the red cells.",
    "no heading row": "| a |",
}


def unreadable(texts):
    """Return what a screen reader, or somebody who sees no colours, could not make sense of."""
    text = "\n\n".join(texts)
    prose = re.sub(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|<!--.*?-->", "", text, flags=re.DOTALL)
    headings = re.findall(r"^(#+) +(.+)", prose, re.MULTILINE)
    levels = [len(marks) for marks, _ in headings]
    titles = [title for _, title in headings]
    found = []
    if levels[:1] != [1] or levels.count(1) != 1:
        found.append("there must be one first heading")
    if any(after > before + 1 for before, after in pairwise(levels)):
        found.append("a level is left out")
    found += [f"{title} has the same words" for title in titles if titles.count(title) > 1]
    found += ["no alternative text"] * len(re.findall(r"!\[\s*\]|<img", prose))
    links = re.findall(r"(?<!!)\[([^\]]*)\]\(", prose)
    found += [f"{said!r} hardly says where it leads" for said in links if len(said.split()) < 2]
    found += ["HTML can look any way"] * bool(re.search(r"<[a-z/]", prose))
    colours = "red|green|blue|yellow|orange|grey|gray|purple|colou?red"
    found += ["colour alone"] * bool(re.search(rf"\b({colours})\b", prose, re.IGNORECASE))
    for table in re.findall(r"(?:^\|.*\n?)+", prose, re.MULTILINE):
        lines = table.splitlines()
        if len(lines) < 2 or not re.fullmatch(r"[|:\- ]+", lines[1]):
            found.append("a table has no heading row")
    return found


@every_set
def test_a_students_folder_has_all_that_a_student_needs(dist, name):
    folder = dist / name / "student"
    wheels = sorted(folder.glob("*.whl"))
    packages = [wheel.name for wheel in wheels]
    assert [package.partition("-")[0] for package in packages] == ["flopsbook", "flopslib"]
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{name}.ipynb", "README.md", "requirements.txt", *packages}
    steps = re.findall(r"^[0-9]\.", (folder / "README.md").read_text(), re.MULTILINE)
    assert steps == ["1.", "2.", "3."]
    required = (folder / "requirements.txt").read_text().splitlines()
    assert {f"./{package}" for package in packages} <= set(required)
    files = {file for wheel in wheels for file in zipfile.ZipFile(wheel).namelist()}
    assert {"flopsbook/exercises/personal.py", "flopsbook/data/published.json"} <= files
    assert not [file for file in files if "assignments" in file]
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    sources = [cell.source for cell in notebook.cells]
    assert all(sources)
    assert f'STUDENT = "{PLACEHOLDER}"' in sources
    assert not any(cell.get("outputs") for cell in notebook.cells)
    for question in load(name):
        assert any(re.match(rf"(def )?{question.answer}\b", source) for source in sources)
        assert f'grader.check("{question.name}")' in sources
    assert set(notebook.metadata.otter.tests) == {question.name for question in load(name)}
    assert sum("_Type your answer here" in source for source in sources) == 1
    assert not any("_Points:_ 0" in source for source in sources)


def zipped_tests(dist, name):
    with zipfile.ZipFile(dist / name / "autograder" / f"{name}-autograder.zip") as archive:
        files = [file for file in archive.namelist() if file.startswith("tests/")]
        return [ExceptionTestFile.from_string(archive.read(file).decode()) for file in files]


def points(dist, name, environment):
    total = possible = 0
    for file in zipped_tests(dist, name):
        file.run(environment)
        total, possible = total + file.score, possible + file.possible
    return total, possible


def right_environment(name, student):
    return {"STUDENT": student} | {
        question.answer: Replay(question, student)
        if question.is_function
        else question.right_answer(student)
        for question in load(name)
    }


@every_set
def test_recorded_results_and_plain_data_are_all_that_the_tests_need(dist, name, seeded):
    for student in (SOLVER, *CLASS[:2]):
        total, possible = points(dist, name, right_environment(name, student))
        assert total == possible >= 20


@every_set
def test_who_copies_gets_the_functions_and_next_to_nothing_else(dist, name, seeded):
    functions = sum(
        file.possible for file in zipped_tests(dist, name) if QUESTIONS[file.name].is_function
    )
    for own, other in zip(CLASS[:3], CLASS[3:6], strict=True):
        copied = right_environment(name, other) | {"STUDENT": own}
        for question in load(name):
            if question.is_function:
                copied[question.answer] = Replay(question, own)
        total, possible = points(dist, name, copied)
        assert functions <= total <= functions + 4 < possible


@every_set
def test_who_answers_nothing_gets_nothing(dist, name, seeded):
    assert points(dist, name, {})[0] == 0
    untouched = {question.answer: ... for question in load(name)}
    assert points(dist, name, untouched | {"STUDENT": PLACEHOLDER})[0] == 0
    assert points(dist, name, untouched | {"STUDENT": SOLVER})[0] == 0


@every_set
def test_the_autograder_has_the_seed_the_questions_and_the_wheels(dist, name):
    with zipfile.ZipFile(dist / name / "autograder" / f"{name}-autograder.zip") as archive:
        files = archive.namelist()
        wheels = [file for file in files if file.endswith(".whl")]
        assert len(wheels) == 2
        assert archive.read("files/assignments/seed").decode().strip() == SEED.text
        environment = archive.read("environment.yml").decode()
        assert all(f"/autograder/source/{wheel}" in environment for wheel in wheels)
        assert f"files/assignments/questions/{name}.py" in files
        assert {"setup.sh", "run_autograder", "otter_config.json"} <= set(files)
        config = json.loads(archive.read("otter_config.json"))
        assert not config.get("show_hidden")
        assert not config.get("show_stdout")
        assert not [file for file in files if "__pycache__" in file or "test-seed" in file]
        assert {info.date_time for info in archive.infolist()} == {build.NO_DATE}
    assert not (dist / name / build.MARK).exists()
    assert {path.name for path in (dist / name).iterdir()} == {
        "student", "autograder", f"{name}.zip",
    }  # fmt: skip


@every_set
def test_the_zip_for_the_class_is_the_students_folder(dist, name):
    with zipfile.ZipFile(dist / name / f"{name}.zip") as archive:
        found = {file: archive.read(file) for file in archive.namelist()}
    folder = dist / name / "student"
    assert found == {f"{name}/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_gradescopes_image_gets_the_versions_of_the_lock(dist):
    with zipfile.ZipFile(dist / "layers" / "autograder" / "layers-autograder.zip") as archive:
        environment = yaml.safe_load(archive.read("environment.yml"))
    (packages,) = [one["pip"] for one in environment["dependencies"] if isinstance(one, dict)]
    pinned = [one for one in packages if "==" in one and "[" not in one]
    lock = {line.rstrip(" \\") for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert set(pinned) < lock
    names = {Requirement(one).name for one in pinned}
    # those that are asked for, and what these need in turn
    assert {"sympy", "mpmath", "ipykernel", "pandas", "numpy", "jupyter-core"} <= names
    assert "jupyter-book" not in names


def make_assignments(name, dist, masters):
    options = f"{name} --dist {dist} --masters {masters}"
    # -o: the environment is there, and a test must not make another
    return subprocess.run(
        ["make", "-o", ".venv/installed", "assignments", f"ASSIGNMENTS_ARGS={options}"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_wrong_master_fails_and_leaves_nothing(tmp_path):
    notebook = master("layers")
    (cell,) = blocks(notebook)["layers-3"].solution
    assert "depthwise, pointwise]" in cell.source
    cell.source = cell.source.replace("depthwise, pointwise]", "pointwise, depthwise]")
    (tmp_path / "masters" / "layers").mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "masters" / "layers" / "layers.ipynb")
    earlier = tmp_path / "dist" / "layers" / "student"
    earlier.mkdir(parents=True)
    done = make_assignments("layers", tmp_path / "dist", tmp_path / "masters")
    assert done.returncode != 0
    assert "the solved notebook must get all points; layers-3 got 1 of 3" in done.stderr
    assert list((tmp_path / "dist").iterdir()) == []


def test_points_for_nothing_fail_too(dist, tmp_path, monkeypatch):
    graded = {"solved": [("layers-1", 4, 4)], "untouched": [("layers-1", 1, 4)]}
    monkeypatch.setattr(build, "grade", lambda notebook, archive, work: graded[notebook.stem])
    with pytest.raises(build.SetError, match="must get no points; layers-1 got 1 of 4"):
        build._prove(dist / "layers", "layers", tmp_path)
    graded["untouched"] = [("layers-1", 0, 4)]
    assert build._prove(dist / "layers", "layers", tmp_path) == 4
    graded["solved"] = []
    with pytest.raises(build.SetError, match="must get all points"):
        build._prove(dist / "layers", "layers", tmp_path)


def test_the_public_seed_is_marked(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(build, "SEED", tmp_path / "no seed here")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(build, "build_wheels", lambda folder: (folder, folder))
    monkeypatch.setattr(build, "_prove", lambda made, name, work: 25)
    monkeypatch.setattr(build, "_stage", lambda stage, *_: None)
    monkeypatch.setattr(build, "_otter", lambda *_, **__: None)
    monkeypatch.setattr(build, "_student", lambda folder, *_: folder.mkdir(parents=True))
    monkeypatch.setattr(build, "_autograder", lambda folder, *_: folder.mkdir())
    assert build.main(["layers", "--dist", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert build.MARK in said
    assert f"For the class:  {tmp_path}/layers/student" in said
    assert "make grade SET=layers" in said
    assert "everybody can read" in (tmp_path / "layers" / build.MARK).read_text()


def test_unknown_sets_are_refused(capsys):
    with pytest.raises(SystemExit):
        build.main(["layer"])
    assert "sets must be among layers, transformers, networks, training, serving, got 'layer'" in (
        capsys.readouterr().err
    )
