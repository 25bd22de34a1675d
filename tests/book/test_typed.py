"""What is typed into a box of a page is read as the Python that it is."""

import inspect

import pytest

from flopsbook.exercises import catalogue, check
from flopsbook.exercises.kinds import Expression, Function, OneDigit, Ratio, Whole, Word
from flopsbook.exercises.showing import Unreadable
from flopsbook.exercises.typed import LONGEST, check_typed, value_of

EXERCISES = {
    f"{name}-{number}": exercise
    for name in catalogue.chapters()
    for number, exercise in enumerate(catalogue.chapter(name), start=1)
}


def text_of(question):
    if isinstance(question.kind, Function):
        return question.kind.sample(question.expected)  # it has no text
    return str(question.kind.sample(question.expected))


@pytest.mark.parametrize("key", EXERCISES)
def test_a_typed_right_answer_is_judged_as_in_a_notebook(key):
    questions = EXERCISES[key].questions
    functions = {f"f{at}": q.expected for at, q in enumerate(questions)}
    texts = [
        f"f{at}" if isinstance(q.kind, Function) else text_of(q) for at, q in enumerate(questions)
    ]
    typed = check_typed(key, texts, functions)
    assert typed == check(key, *(q.kind.sample(q.expected) for q in questions))
    assert typed.right


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("200704", 200704),
        (" 200,704 ", 200704),
        ("1,236,950,581,248", 1236950581248),
        ("1\u202f236\u202f950", 1236950),
        ("1 236 950", 1236950),
        ("2 * 28*28 * 128", 200704),
        ("2·28×28·128", 200704),
        ("2^10", 1024),
        ("2**10", 1024),
        ("−3", -3),
        ("1e6", 1e6),
        ("linear(784, 128).flops", 200704),
        ("max(1,2)", 2),
        ("(1,234)", 1234),
        ("x + 1", 8),
    ],
)
def test_numbers_are_read_as_people_write_them(text, value):
    assert value_of(Whole(), text, {"x": 7}) == value


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (Whole(), "", "missing; please give a whole number"),
        (Whole(), "   ", "missing"),
        (Whole(), "forty million", "`forty million` is nothing that Python can read"),
        (Whole(), "nosuch + 1", "There is no name `nosuch` here"),
        (Whole(), "1/0", "`ZeroDivisionError: division by zero`"),
        (Whole(), "x = 1", "nothing that Python can read"),
        (Whole(), "1" * (LONGEST + 1), f"more than {LONGEST} characters"),
        (OneDigit(), "exit()", "raised `SystemExit"),
        (Ratio(), "50 %", "nothing that Python can read"),
        (Function(("m",)), "x = ", "nothing that Python can read"),
        (Function(("m",)), "# nothing", "no function"),
        (Function(("m",)), "import math", "no function"),
        (Function(("m",)), "f", "There is no name `f`"),
        (Expression(("I", "O")), "2*I*", "nothing that Python can read"),
    ],
)
def test_what_cannot_be_read_is_said(kind, text, said):
    with pytest.raises(Unreadable) as problem:
        kind.read(value_of(kind, text, {}))
    assert said in str(problem.value)


def test_one_of_several_answers_that_cannot_be_read_is_named():
    key = next(key for key, e in EXERCISES.items() if len(e.questions) > 1)
    asks = EXERCISES[key].questions[0].asks
    texts = [""] * len(EXERCISES[key].questions)
    assert check_typed(key, texts).message.startswith(f"Not yet. {asks[0].upper()}{asks[1:]}: Your")
    assert "got 0" in check_typed(key, []).message
    assert "There is no exercise" in check_typed("nosuch-1", ["1"]).message


def test_letters_of_a_formula_come_before_the_names_of_the_cells():
    kind = Expression(("B", "I", "O"))
    value = kind.read(value_of(kind, "2·B*I*O - x*O", {"I": 3, "x": 5}))
    assert kind.agrees(value, lambda: value_of(kind, "O*(2*B*I - 5)", {}))
    assert kind.agrees(
        kind.read(value_of(kind, "batch*in_features^2", {})), lambda: value_of(kind, "B*I**2", {})
    )
    with pytest.raises(Unreadable, match="no letter Q"):
        kind.read(value_of(kind, "I*Q", {}))


@pytest.mark.parametrize(
    "text",
    [
        "def f(m, n):\n    return m + n",
        "lambda m, n: m + n",
        "one = 1\ng = lambda m, n: m + n * one",
        "import operator\noperator.add",
    ],
)
def test_a_function_is_the_last_thing_that_its_lines_make(text):
    made = value_of(Function(("m", "n")), text, {})
    assert callable(made)
    assert made(2, 3) == 5


def test_a_word_is_taken_as_it_is():
    assert value_of(Word(("yes", "no")), "yes", {}) == "yes"


def test_an_answer_cannot_change_the_names_of_the_cells():
    names = {"x": 1}
    value_of(Function(()), "x = 2\nf = lambda: x", names)
    assert names == {"x": 1}
    assert not inspect.signature(value_of(Function(()), "lambda: 1", names)).parameters
