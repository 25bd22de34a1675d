"""What `check` says to answers of every kind: the odd ones, the mistaken ones, the malicious ones."""

import decimal
import enum
import math
import random
from fractions import Fraction

import numpy as np
import pytest
import sympy

import flopslib
from flopsbook.exercises import catalogue, check, exercises, hint
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Amount, Expression, Function, OneDigit, Ratio, Whole, Word
from flopsbook.exercises.verdict import Verdict
from flopslib.notation import B, I, O

#: A chapter of its own, one exercise of each kind, so that these tests need no other.
OF_EACH_KIND = {
    "whole": Question(
        asks="the FLOPs",
        kind=Whole(),
        expected=lambda: flopslib.linear(3, 5, batch=7).flops,
        mistakes=(
            Mistake("half", lambda: flopslib.linear(3, 5, batch=7).macs, "Half of it."),
            Mistake("one sample", lambda: flopslib.linear(3, 5).flops, "One sample."),
            Mistake("same as half", lambda: 3 * 5 * 7, "Half as well."),
        ),
        coincide=(("half", "same as half"),),
    ),
    "digit": Question(asks="about", kind=OneDigit(), expected=lambda: 44_236_800),
    "ratio": Question(asks="the ratio", kind=Ratio(), expected=lambda: Fraction(18, 25)),
    "word": Question(asks="the unit", kind=Word(("MACs", "FLOPs")), expected=lambda: "FLOPs"),
    "expression": Question(
        asks="the exact FLOPs",
        kind=Expression(("B", "I", "O")),
        expected=lambda: flopslib.formula(flopslib.linear, bias=False).exact_flops,
        mistakes=(Mistake("box", lambda: 2 * B * I * O, "One addition too many."),),
    ),
    "function": Question(
        asks="the MACs",
        kind=Function(("m", "n")),
        expected=lambda m, n: flopslib.linear(m, n).macs,
        mistakes=(Mistake("double", lambda m, n: flopslib.linear(m, n).flops, "Twice of it."),),
    ),
}
RIGHT = {
    "whole": 210,
    "digit": 4e7,
    "ratio": 0.72,
    "word": "FLOPs",
    "expression": B * O * (2 * I - 1),
    "function": lambda m, n: m * n,
}


def ask(monkeypatch, *questions):
    made = Exercise(
        label="made-up", questions=questions, worth_knowing="Good to know.", hints=("Think.", "So.")
    )
    monkeypatch.setattr(catalogue, "find", lambda key: ("made-1", made))


@pytest.fixture
def verdict(monkeypatch):
    """Check an answer to the exercise of a kind."""

    def checked(kind, answer):
        ask(monkeypatch, OF_EACH_KIND[kind])
        found = check("made-1", answer)
        assert type(found) is Verdict
        assert found.message.endswith(".")
        assert found.message.startswith("Right. " if found.right else "Not yet. ")
        return found

    return checked


@pytest.mark.parametrize("kind", OF_EACH_KIND)
def test_right(verdict, kind):
    assert verdict(kind, RIGHT[kind]).right


# ------------------------------------------------------------------ answers of a wrong type


class Agreeable:
    """Equal to everything."""

    __hash__ = None

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


class EqualsEverything(Agreeable):
    """Equal to everything, of any value, and right about all."""

    free_symbols = frozenset()
    numerator, denominator = 210, 1

    def __int__(self):
        return 210

    def __float__(self):
        return 0.72

    def __call__(self, *sizes):
        return EqualsEverything()

    def __sub__(self, other):
        return 0

    def __le__(self, other):
        return True

    __index__ = __int__
    __rsub__ = __abs__ = __add__ = __mul__ = __truediv__ = __sub__
    __lt__ = __ge__ = __gt__ = __le__

    def __getattr__(self, name):
        if name.startswith("is_"):
            return True
        raise AttributeError(name)


class EqualInteger(Agreeable, int):
    """An integer that is equal to everything."""

    __hash__ = int.__hash__

    def __int__(self):
        return 210


class EqualFloat(Agreeable, float):
    """A float that is equal to everything."""

    __hash__ = float.__hash__


class EqualText(Agreeable, str):
    """A word that is equal to everything."""

    __hash__ = str.__hash__

    def strip(self):
        return self

    casefold = strip


class EqualSymbol(Agreeable, sympy.Symbol):
    """A letter that is equal to everything."""

    __hash__ = sympy.Symbol.__hash__


class EqualExpression(Agreeable, sympy.Expr):
    """An expression that is no different from any other."""

    __hash__ = sympy.Expr.__hash__
    is_zero = True

    def __sub__(self, other):
        return sympy.S.Zero

    __rsub__ = __sub__


class EqualNumpy(Agreeable, np.int64):
    """A NumPy integer that is equal to everything."""

    def item(self):
        return 210


class Colour(enum.IntEnum):
    """Names for integers."""

    RED = 210


class NoRepr:
    """It cannot be shown."""

    def __repr__(self):
        raise RuntimeError("no")


class Metaclass(type):
    """Classes that claim to be those that are trusted."""

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return hash(int)


class Impostor(Agreeable, metaclass=Metaclass):
    """An object whose class says that it is int."""

    __class__ = int
    numerator, denominator = 210, 1


ODD = {
    "equals everything": EqualsEverything(),
    "integer subclass": EqualInteger(7),
    "float subclass": EqualFloat(7),
    "text subclass": EqualText("no"),
    "symbol subclass": EqualSymbol("x"),
    "expression subclass": EqualExpression(),
    "NumPy subclass": EqualNumpy(7),
    "impostor": Impostor(),
    "enum": Colour.RED,
    "true": True,
    "NumPy true": np.True_,
    "SymPy true": sympy.true,
    "none": None,
    "ellipsis": ...,
    "text": "210",
    "empty text": "",
    "long text": "2" * 10**6,
    "bytes": b"210",
    "list": [210],
    "nested": [[210]],
    "tuple": (),
    "dict": {210: 210},
    "set": {210},
    "array": np.array([210]),
    "array of objects": np.array([EqualsEverything()]),
    "zero-dimensional array": np.array(210),
    "decimal": decimal.Decimal(210),
    "complex": 210 + 0j,
    "NumPy complex": np.complex128(210),
    "SymPy complex": 210 + sympy.I,
    "nan": math.nan,
    "infinity": math.inf,
    "NumPy nan": np.float64("nan"),
    "SymPy nan": sympy.nan,
    "SymPy infinity": sympy.oo,
    "zoo": sympy.zoo,
    "derivation": flopslib.linear(3, 5, batch=7),
    "record": flopslib.linear(3, 5, batch=7).total,
    "equation": sympy.Eq(sympy.Symbol("x"), 210),
    "unknown function": sympy.Function("f")(I),
    "Function class": sympy.Function("f"),
    "matrix": sympy.Matrix([[210]]),
    "piecewise": sympy.Piecewise((210, I > 3), (0, True)),
    "dummy": sympy.Dummy(),
    "huge": 10**10_000,
    "huge power": sympy.Pow(2, sympy.Symbol("I") ** 99, evaluate=False),
    "huge SymPy": sympy.Integer(10) ** 10_000,
    "minus": -210,
    "zero": 0,
    "class": int,
    "module": math,
    "no repr": NoRepr(),
    "generator": (n for n in (210,)),
    "range": range(210),
    "dice": random.Random(0),
}


@pytest.mark.parametrize("kind", OF_EACH_KIND)
@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_gets_a_sentence(verdict, kind, name):
    found = verdict(kind, ODD[name])
    assert not found.right
    assert len(found.message) < 400
    assert "0x" not in found.message  # no address, which is another each time
    assert repr(found)
    assert found._repr_html_().count("<p") == 2


@pytest.mark.parametrize(
    ("kind", "answer", "part"),
    [
        ("whole", 210.0, "an integer, please"),
        ("whole", np.float64(210), "an integer, please"),
        ("whole", sympy.Float(210), "an integer, please"),
        ("whole", Fraction(421, 2), "a fraction"),
        ("whole", "210", "without quotes"),
        ("whole", True, "a truth value"),
        ("whole", ..., "Replace the `...`"),
        ("whole", None, "`return`"),
        ("whole", np.array([210]), "an array"),
        ("whole", flopslib.linear(3, 5), "`.macs`"),
        ("whole", 2 * I * O, "letters in your answer (I, O)"),
        ("whole", lambda: 210, "call it"),
        ("word", "operations", '"MACs", "FLOPs"'),
        ("word", 7, '"MACs", "FLOPs"'),
        ("expression", "2*B*I*O", "without quotes"),
        ("expression", lambda: 7, "call it"),
        ("expression", sympy.Eq(O, I), "right-hand side"),
        ("expression", sympy.Symbol("zeta") * B, "no letter zeta"),
        ("function", 210, "a function of (m, n)"),
        ("function", RIGHT["expression"], "a function of (m, n)"),
        ("function", None, "`return`"),
    ],
)
def test_a_sentence_that_helps(verdict, kind, answer, part):
    assert part in verdict(kind, answer).message


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (630, "exactly 3 times too large"),
        (70, "exactly 3 times too small"),
        (300, "1.43 times too large"),
        (211, "a little too large"),
        (209, "a little too small"),
        (10_000, "47.6 times too large"),
        (100_001, "more than a hundred times too large"),
        (1, "more than a hundred times too small"),
        (10**6, "more than a thousand times too large"),
        (10**12, "more than a million times too large"),
        (-210, "negative"),
        (0, "too small"),
    ],
)
def test_how_far_off(verdict, answer, part):
    found = verdict("whole", answer)
    assert part in found.message
    assert "No usual mistake gives this." in found.message
    assert "210" not in found.message


def test_two_mistakes_of_one_value_are_both_named(verdict):
    message = verdict("whole", 105).message
    assert "Several mistakes give this" in message
    assert "(1) Half of it. (2) Half as well." in message


@pytest.mark.parametrize("answer", [40_000_000, 4e7, 44_236_800, 4.4e7, sympy.Float("4.1e7")])
def test_one_digit(verdict, answer):
    assert verdict("digit", answer).message == (
        "Right. To the last digit it is 44,236,800. Good to know."
    )


def test_two_rounded_answers_are_told_to_the_last_digit_in_one_sentence(monkeypatch):
    first = Question(asks="the first, to one digit", kind=OneDigit(), expected=lambda: 1234)
    second = Question(asks="the second", kind=OneDigit(), expected=lambda: Fraction(1, 3))
    ask(monkeypatch, first, OF_EACH_KIND["word"], second)
    assert check("made-1", 1000, "FLOPs", 0.3).message == (
        "Right. To the last digit: 1,234 (the first) and 1/3, about 0.333 (the second). "
        "Good to know."
    )


@pytest.mark.parametrize("answer", [4, 4e6, 4e8, 3.4e7, 4.5e7, 5e7, -4e7])
def test_not_that_digit(verdict, answer):
    assert not verdict("digit", answer).right


@pytest.mark.parametrize("answer", [0.72, 18 / 25, Fraction(18, 25), sympy.Rational(18, 25), 0.725])
def test_a_ratio(verdict, answer):
    assert verdict("ratio", answer).right


@pytest.mark.parametrize("answer", [0.73, 0.71, 1, 72, 0.0])
def test_another_ratio(verdict, answer):
    assert not verdict("ratio", answer).right


def test_a_percentage_for_a_ratio(verdict):
    assert "percentage" in verdict("ratio", 72).message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (1.128e11, "Right."),
        (112_700_000_000, "Right."),
        (1.1e11, "1.02 times too small"),
        (1.127e13, "exactly 100 times too large"),
        (1.127e9, "exactly 100 times too small"),
    ],
)
def test_an_amount_may_be_rounded_and_is_no_percentage(monkeypatch, answer, said):
    tokens = Question(asks="the tokens", kind=Amount(), expected=lambda: 112_700_000_000)
    ask(monkeypatch, tokens)
    message = check("made-1", answer).message
    assert said in message
    assert "percentage" not in message


# ------------------------------------------------------------------ expressions

x, y = sympy.symbols("x y")
plain_b, plain_i, plain_o = sympy.symbols("B I O")


@pytest.mark.parametrize(
    "answer",
    [
        2 * B * I * O - B * O,
        plain_b * plain_o * (2 * plain_i - 1),
        sympy.Symbol("batch")
        * sympy.Symbol("out_features")
        * (2 * sympy.Symbol("in_features") - 1),
        B * I * O + B * (I - 1) * O,
        plain_b * O * (2 * I - 1),  # the same letter, assumed differently
        2.0 * B * O * (I - 0.5),
        B * O * (4 * I**2 - 1) / (2 * I + 1),
        sympy.Add(B * I * O, B * O * (I - 1), evaluate=False),
        B * O * sympy.sqrt((2 * I - 1) ** 2),
        sympy.Symbol("B", real=True) * O * (2 * I - 1),
        O * (2 * I - 1) * ((B**2 - 9) / (B - 3) - 3),  # which has no value where B is 3
        O * (2 * I - 1) * sympy.Sum(1, (sympy.Symbol("k"), 1, B)),
        O * (2 * I - 1) * sympy.Max(B, 0),
        (B * O * (2 * I - 1)) ** 3 / (B * O * (2 * I - 1)) ** 2,
    ],
)
def test_an_equal_form(verdict, answer):
    assert verdict("expression", answer).right


def test_the_mistake_of_an_expression(verdict):
    assert "One addition too many." in verdict("expression", 2 * O * plain_b * plain_i).message


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (I * O, "depends on B"),
        (4 * B * I * O - 2 * B * O, "exactly 2 times too large"),
        (B * I * O * 3, "With B ="),
        (B * I * O / (B - 3), "With B ="),
        (sympy.sqrt(1 - B * I * O), "no value for ordinary sizes"),
        (sympy.sqrt(-B * I * O), "`ImaginaryUnit`"),
        (B * I * O * sympy.Symbol("L"), "no letter L"),
        (7, "depends on B and I and O"),
    ],
)
def test_how_far_off_an_expression_is(verdict, answer, part):
    assert part in verdict("expression", answer).message


def test_an_expression_that_is_right_only_where_it_was_tried(verdict):
    from flopsbook.exercises.algebra import points

    wrong = B * O * (2 * I - 1)
    vanishing = sympy.prod([I - sizes["I"] for sizes in points(["B", "I", "O"])])
    assert not verdict("expression", wrong + vanishing).right
    assert not verdict("expression", wrong + vanishing * B).right


@pytest.mark.parametrize(
    "answer",
    [
        sympy.nan * B,
        sympy.zoo * B,
        B * I * O / (B - 3),
        sympy.sqrt(-B) * I * O,
        sympy.sqrt(B - 30) * I * O,
        sympy.Pow(0, -1, evaluate=False) * B * I * O,
        B * I * O * (I - O) / sympy.Add(I, -O, O, -I, evaluate=False),
    ],
)
def test_an_expression_without_a_value(verdict, answer):
    assert not verdict("expression", answer).right


def test_towers_of_powers_are_refused_before_they_are_computed(verdict):
    tower = sympy.Integer(10)
    for _ in range(30):
        tower = sympy.Pow(tower, 12, evaluate=False)
    long = sympy.Add(*sympy.symbols("x:999"))
    for kind in OF_EACH_KIND:
        assert not verdict(kind, tower).right
        assert not verdict(kind, B * (I + O) ** 99).right
        assert not verdict(kind, B**I).right
        assert not verdict(kind, long).right


def test_a_letter_of_a_subclass_hidden_in_an_expression(verdict):
    assert not verdict("expression", EqualSymbol("B") * EqualSymbol("I")).right
    assert not verdict("expression", B * O * (2 * EqualSymbol("I") - 1)).right


@pytest.mark.parametrize("form", [I * (I - 1) // 2, O - O + (I**2 - I) // 2])
def test_a_floor_of_what_is_whole_anyway(monkeypatch, form):
    pairs = Question(asks="pairs", kind=Expression(("I", "O")), expected=lambda: I * (I - 1) / 2)
    ask(monkeypatch, pairs)
    assert check("made-1", form).right
    for other in (I**2 // 2, I * (I - 1) // 3, I * (I - 1) / 2 + I // 1000):
        assert not check("made-1", other).right, other


def test_a_floor_that_takes_something_away(monkeypatch):
    ask(monkeypatch, Question(asks="half", kind=Expression(("I",)), expected=lambda: I / 2))
    assert not check("made-1", I // 2).right


# ------------------------------------------------------------------ functions


def raising(m, n):
    raise ValueError("not with me")


def exiting(m, n):
    raise SystemExit(0)


def growing(m, n, seen=[]):  # noqa: B006
    seen.append(m)
    return m * n if len(seen) <= 12 else m


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (lambda m, n: 2 * m * n, "Twice of it."),
        (lambda m, n: 3 * m * n, "exactly 3 times too large"),
        (lambda m, n: m * n + 1, "a little too large"),
        (lambda m, n: m * m, "`f("),
        (lambda m, n: m * n / 1, "is a float"),
        (lambda m, n: str(m * n), "text in quotes"),
        (lambda m, n: None, "`return`"),
        (lambda m, n: flopslib.linear(m, n), "`.macs`"),
        (lambda m, n: EqualsEverything(), "returned something else"),
        (lambda m, n: EqualInteger(7), "returned something else"),
        (lambda m, n: m * n == m * n, "a truth value"),
        (lambda m: m, "raised `TypeError"),
        (lambda m, n, k: m, "raised `TypeError"),
        (raising, "raised `ValueError: not with me`"),
        (exiting, "raised `SystemExit"),
        (lambda m, n: 10**5000, "more than 400 digits"),
        (growing, "No usual mistake gives this."),
    ],
)
def test_a_function_that_is_wrong(verdict, answer, part):
    found = verdict("function", answer)
    assert not found.right
    assert part in found.message


def test_forms_of_a_function(verdict):
    class Layer:
        def macs(self, m, n):
            return np.int64(m) * np.int64(n)

    assert verdict("function", Layer().macs).right
    assert verdict("function", lambda *sizes: sympy.prod(sizes)).right
    assert verdict("function", lambda m, n, scale=1: scale * m * n).right
    assert verdict("function", lambda m, n: sum(m for _ in range(n))).right


def test_a_function_that_is_right_only_where_it_was_tried(verdict):
    learnt = {sizes: math.prod(sizes) for sizes in OF_EACH_KIND["function"].kind.grid()}
    found = verdict("function", lambda m, n: learnt.get((m, n), 7))
    assert not found.right
    assert "right at some sizes" in found.message


def test_a_function_that_is_right_at_small_sizes_alone(verdict):
    assert not verdict("function", lambda m, n: m * n if m < 30 and n < 30 else 7).right


# ------------------------------------------------------------------ several answers


def test_several_answers(monkeypatch):
    ask(monkeypatch, OF_EACH_KIND["whole"], OF_EACH_KIND["ratio"])
    for answers in [(210, 0.72), ((210, 0.72),), ([210, 0.72],)]:
        assert check("made-1", *answers).right
    assert check("made-1", 105, 0.72).message.startswith("Not yet. The FLOPs: Several mistakes")
    assert check("made-1", 105, 0.72).message.endswith("The ratio: right.")
    for answers in [(210,), (210, 0.72, 3), ((210,),)]:
        assert "asks for 2 answers, in this order" in check("made-1", *answers).message
    assert "is missing" in check("made-1").message
    assert check("made-1", 210, "x").message.startswith("Not yet. The ratio: ")
    assert not check("made-1", EqualsEverything(), EqualsEverything()).right
    assert not check("made-1", 210, EqualsEverything()).right


def test_several_answers_in_the_wrong_order(monkeypatch):
    other = Question(asks="the MACs", kind=Whole(), expected=lambda: 7)
    ask(monkeypatch, OF_EACH_KIND["whole"], other)
    assert check("made-1", 210, 7).right
    assert "in the wrong order" in check("made-1", 7, 210).message
    assert "in the wrong order" not in check("made-1", 7, 7).message


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("conv2d-99", '`"conv2d-1"` or `"conv2d-6"`'),
        ("convd2-3", '"conv2d-3"'),
        ("conv2d-heads", '"conv2d-1"'),
        ("conv2d", "There is no exercise"),
        ("conv2d-0", "There is no exercise"),
        ("conv2d--1", "There is no exercise"),
        ("conv2d-²", "There is no exercise"),
        ("conv2d-" + "9" * 9999, "There is no exercise"),
        ("", "There is no exercise"),
        ("-", "There is no exercise"),
        ("x" * 10**5, "`exercises()` lists them all"),
        (3, "not the name of an exercise"),
        (None, "not the name of an exercise"),
        (EqualText("conv2d-1"), "not the name of an exercise"),
    ],
)
def test_a_name_that_is_none(key, part):
    found = check(key, 44_236_800)
    assert not found.right
    assert part in found.message
    assert part in hint(key).message


@pytest.mark.parametrize(
    "key", ["conv2d-1", "conv2d-head", " CONV2D-1 ", "Conv2D-Head", "conv2d-01"]
)
def test_other_ways_to_write_a_name(key):
    assert check(key, 44_236_800).right


def test_the_table_of_exercises():
    assert exercises("conv2d").rows[0] == ["`conv2d-1`", "the MACs, to one digit"]
    assert len(exercises().rows) == sum(len(catalogue.chapter(n)) for n in catalogue.chapters())
    with pytest.raises(ValueError, match=r"chapter must be one of .*conv2d.*, got 'conv3d'"):
        exercises("conv3d")


# ------------------------------------------------------------------ the verdict


def test_a_verdict_cannot_be_changed():
    found = check("conv2d-1", 7)
    with pytest.raises(AttributeError):
        found.right = True
    assert not found
    assert bool(check("conv2d-1", 4e7)) is True


def test_a_verdict_is_safe_in_a_page(verdict):
    shown = verdict("word", "<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize("kind", OF_EACH_KIND)
def test_what_is_shown_is_the_same_again(verdict, kind):
    for answer in (RIGHT[kind], object(), lambda m, n: m):
        assert verdict(kind, answer) == verdict(kind, answer)


def test_code_and_emphasis_are_marked_in_a_page():
    shown = Verdict(False, "Not yet. Count `2*m*n` for *each* output.")._repr_html_()
    assert "<p>Count <code>2*m*n</code> for <em>each</em> output.</p>" in shown
    assert ">Not yet</p>" in shown
