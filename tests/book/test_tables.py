"""Tables of formulas: typeset, in the book's colours, and able to wrap."""

import pytest
import sympy

from flopsbook.palette import ADDITION, MULTIPLICATION
from flopsbook.tables import RELATIONS, Table, formulas
from flopslib.notation import B, L, d


def cell(*row):
    """Return what stands beside the name."""
    return formulas([("name", *row)]).rows[0][1]


@pytest.mark.parametrize(
    ("row", "written"),
    [
        ((2 * B * L * d**2, "FLOPs"), "$2 B L d^{2}$ FLOPs"),
        ((61100840,), "$61{,}100{,}840$"),
        ((0, "MACs"), "$0$ MACs"),
        ((sympy.Rational(1, 9),), r"$\frac{1}{9}$"),
        # a sum wraps between its terms, a product of sums stays one
        ((2 * d - 1,), "$2 d$ ${} - 1$"),
        ((B * (L - 1),), r"$B \left(L - 1\right)$"),
        # not within a fraction
        ((1 / (1 - L) + 2,), r"$2$ ${} + \frac{1}{1 - L}$"),
        ((sympy.Le(L, 12 * d / 19),), r"$L \le \frac{12 d}{19}$"),
        ((sympy.Eq(L, 2 * d), "tokens"), "$L = 2 d$ tokens"),
    ],
    ids=str,
)
def test_a_formula_is_typeset(row, written):
    assert cell(*row) == written


def test_every_relation_has_a_sign():
    kinds = (sympy.Eq, sympy.Ne, sympy.Lt, sympy.Le, sympy.Gt, sympy.Ge)
    assert {kind(L, d).rel_op for kind in kinds} == set(RELATIONS)


def test_operations_are_in_their_colours():
    table = formulas([("a", d, "multiplications"), ("b", d, "additions"), ("c", d, "FLOPs")])
    shown = table._repr_markdown_()
    assert rf"$\textcolor{{{MULTIPLICATION[0]}}}{{d}}$ multiplications" in shown
    assert rf"$\textcolor{{{ADDITION[0]}}}{{d}}$ additions" in shown
    assert "| c | $d$ FLOPs |" in shown


def test_as_text_it_is_the_table():
    table = formulas([("scores", 2 * L**2 * d)], header=("step", "FLOPs"))
    assert repr(table) == "| step | FLOPs |\n| --- | --- |\n| scores | $2 L^{2} d$ |"


@pytest.mark.parametrize(
    "row",
    [
        ("scores",),
        ("scores", d, "FLOPs", "more"),
        ("scores", 1.5),
        ("scores", True),
        ("scores", "2*d"),
        (d, "scores"),
        ("scores", d, 3),
        "ab",
        3,
    ],
    ids=repr,
)
def test_anything_else_is_refused(row):
    with pytest.raises(TypeError, match=r"every row of formulas must be .*, got ") as refused:
        formulas([("right", d), row])
    assert repr(row) in str(refused.value)


@pytest.mark.parametrize("header", [["", "MACs"], ["layer", " "]])
def test_a_column_without_a_name_is_refused(header):
    with pytest.raises(ValueError, match="header must name every column, got"):
        Table(header, [["a", "b"]])
