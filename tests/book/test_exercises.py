"""Every exercise accepts its right answer in every form, and knows each of its mistakes.

All tests here go over the whole catalogue: a new chapter is tested by being there.
"""

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import sympy

from flopsbook.build.notebooks import read
from flopsbook.exercises import catalogue, check, hint
from flopsbook.exercises.kinds import Expression, Function, OneDigit, Ratio, Whole, Word

CHAPTERS = Path(__file__).parents[2] / "chapters"

EXERCISES = {
    f"{name}-{number}": exercise
    for name in catalogue.chapters()
    for number, exercise in enumerate(catalogue.chapter(name), start=1)
}
QUESTIONS = [
    pytest.param(key, at, question, id=f"{key}, {question.asks}")
    for key, exercise in EXERCISES.items()
    for at, question in enumerate(exercise.questions)
]
MISTAKES = [
    pytest.param(key, at, mistake, id=f"{key}, {mistake.name}")
    for key, exercise in EXERCISES.items()
    for at, question in enumerate(exercise.questions)
    for mistake in question.mistakes
]
every_exercise = pytest.mark.parametrize("key", EXERCISES)
every_question = pytest.mark.parametrize(("key", "at", "question"), QUESTIONS)
every_mistake = pytest.mark.parametrize(("key", "at", "mistake"), MISTAKES)
every_chapter = pytest.mark.parametrize("name", catalogue.chapters())


def right_answers(key):
    return [q.kind.sample(q.expected) for q in EXERCISES[key].questions]


def with_one(key, at, answer):
    """The right answers, but for one."""
    answers = right_answers(key)
    answers[at] = answer
    return answers


def page(name):
    """The Markdown of a chapter."""
    cells = read(CHAPTERS / f"{name}.ipynb").cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def labels_on(name):
    return re.findall(r"^```+{exercise}.*\n:label: (\S+)", page(name), flags=re.MULTILINE)


# ------------------------------------------------------------------ the catalogue


@every_exercise
def test_the_right_answer_is_right(key):
    verdict = check(key, *right_answers(key))
    assert verdict.right
    assert verdict.message.startswith("Right. ")
    assert verdict.message.endswith(EXERCISES[key].worth_knowing)
    if len(EXERCISES[key].questions) > 1:
        assert check(key, tuple(right_answers(key))).right
        assert check(key, right_answers(key)).right


@every_mistake
def test_each_mistake_is_named_and_refused(key, at, mistake):
    question = EXERCISES[key].questions[at]
    verdict = check(key, *with_one(key, at, question.kind.sample(mistake.gives)))
    assert not verdict.right
    assert mistake.sentence in verdict.message
    for group in question.coincide:
        if mistake.name in group:  # then all of them are named
            named = [m.sentence for m in question.mistakes if m.name in group]
            assert len(named) == len(group)
            assert all(sentence in verdict.message for sentence in named)


@every_question
def test_right_answer_and_mistakes_are_told_apart(key, at, question):
    values = {"right": question.expected} | {m.name: m.gives for m in question.mistakes}
    assert len(values) == 1 + len(question.mistakes), "two mistakes have one name"
    read_values = {
        name: question.kind.read(question.kind.sample(gives)) for name, gives in values.items()
    }
    for one, other in combinations(values, 2):
        equal = question.kind.agrees(read_values[one], values[other])
        declared = any({one, other} <= set(group) for group in question.coincide)
        assert equal == declared, f"{one!r} and {other!r}"


@every_mistake
def test_a_factor_that_a_sentence_names_is_true(key, at, mistake):
    question = EXERCISES[key].questions[at]
    if mistake.times is None:
        assert "exactly half" not in mistake.sentence
        assert "exactly double" not in mistake.sentence
        return
    if isinstance(question.kind, Function):
        for sizes in question.kind.grid():
            assert mistake.gives(*sizes) == mistake.times * question.expected(*sizes)
    else:
        assert mistake.gives() == mistake.times * question.expected()


@every_question
def test_equal_forms_of_the_right_answer_are_right(key, at, question):
    right = question.kind.sample(question.expected)
    for form in equal_forms(question.kind, right):
        assert check(key, *with_one(key, at, form)).right, form


def equal_forms(kind, right):
    if isinstance(kind, (Whole, OneDigit)) and isinstance(right, int):
        yield sympy.Integer(right)
        yield sympy.Mul(3, sympy.Add(right, 0), sympy.Rational(1, 3), evaluate=False)
        if abs(right) < 2**63:
            yield np.int64(right)
            yield np.asarray([right]).sum()
    if isinstance(kind, OneDigit):
        yield float(f"{float(right):.0e}")
        yield np.float64(right)
    if isinstance(kind, Ratio):
        yield float(right)
        yield float(right) * 1.004
        yield sympy.Rational(right.numerator, right.denominator) if right != int(right) else right
    if isinstance(kind, Word):
        yield f" {right.upper()} "
    if isinstance(kind, Expression):
        own = {s: sympy.Symbol(s.name) for s in right.free_symbols}
        yield right.xreplace(own)
        yield sympy.expand(right)
        yield sympy.factor(right)
        yield sympy.Mul(right, sympy.Add(7, -6, evaluate=False), evaluate=False)
    if isinstance(kind, Function):
        yield lambda *sizes: sympy.Integer(right(*sizes))


@every_question
def test_a_question_has_mistakes_and_says_what_it_asks(key, at, question):
    assert question.mistakes
    assert not question.asks.endswith((".", "?"))
    assert question.asks[0].islower()


@every_exercise
def test_sentences_are_sentences(key):
    exercise = EXERCISES[key]
    sentences = [m.sentence for q in exercise.questions for m in q.mistakes]
    assert len(exercise.hints) >= 2
    for sentence in [exercise.worth_knowing, *exercise.hints, *sentences]:
        assert sentence[0].isupper() or sentence[0] == "`"
        assert sentence.endswith((".", "?", "!"))


@every_exercise
def test_no_sentence_gives_the_answer_away(key):
    exercise = EXERCISES[key]
    for question in exercise.questions:
        right = question.kind.sample(question.expected)
        if not isinstance(right, int) or right < 10:
            continue
        sentences = [*exercise.hints, *(m.sentence for m in question.mistakes)]
        for number in re.findall(r"\d[\d,_]*", " ".join(sentences)):
            assert int(re.sub(r"\D", "", number)) != right


def test_there_are_many_mistakes():
    assert len(MISTAKES) >= 40


# ------------------------------------------------------------------ the chapters


@every_chapter
def test_catalogue_and_chapter_agree(name):
    assert [exercise.label for exercise in catalogue.chapter(name)] == labels_on(name)
    assert len(labels_on(name)) >= 5


def test_every_chapter_with_exercises_is_enrolled():
    with_exercises = {path.stem for path in CHAPTERS.glob("*.ipynb") if labels_on(path.stem)}
    assert with_exercises == set(catalogue.chapters())


@every_chapter
def test_the_chapter_says_how_to_check_and_does_so(name):
    cells = read(CHAPTERS / f"{name}.ipynb").cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert any("from flopsbook.exercises import check, hint" in cell.source for cell in code)
    statements = re.findall(r"```+{exercise}.*?\n```+(?:\n|$)", page(name), flags=re.DOTALL)
    for number, statement in enumerate(statements, start=1):
        call = f'check("{name}-{number}", '
        assert f"`{call}" in statement
        checked = [cell for cell in code if call in cell.source]
        assert checked, f"no solution calls {call}"
        for cell in checked:
            [shown] = [output for output in cell.outputs if output.output_type != "stream"]
            assert shown.data["text/plain"].startswith("Right. ")


@every_chapter
def test_labels_are_aliases(name):
    for number, exercise in enumerate(catalogue.chapter(name), start=1):
        assert catalogue.find(exercise.label) == (f"{name}-{number}", exercise)


# ------------------------------------------------------------------ hints


@every_exercise
def test_hints_come_in_steps(key):
    hints = EXERCISES[key].hints
    for step, text in enumerate(hints, start=1):
        assert hint(key, step=step).message == f"Hint {step} of {len(hints)}. {text}"
    assert "No more hints" in hint(key).message
    assert hint(key, step=1).message.endswith(hints[0])
    assert hint(key).message.endswith(hints[1])


@pytest.mark.parametrize("step", [0, -1, "one", 1.0, True])
def test_a_step_that_is_none(step):
    assert "counts from 1" in hint("conv2d-1", step=step).message


def test_nothing_heavy_is_imported():
    code = (
        "import sys, flopslib; assert 'flopsbook.exercises' not in sys.modules;"
        "from flopsbook.exercises import check; check('conv2d-1', 7), check('nothing', 7);"
        "print(*{'numpy', 'matplotlib', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
