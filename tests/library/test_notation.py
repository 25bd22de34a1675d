"""One table of letters, and nothing imported before it is needed."""

import subprocess
import sys

import pytest

from flopslib import conv_output_size, formula, notation, registered
from flopslib.derivation.rendering import latex, simplest, text


def test_letters_are_unique_and_every_argument_has_one_meaning():
    letters = [row.letter for row in notation.TABLE]
    assert len(set(letters)) == len(letters)
    arguments = [name for row in notation.TABLE for name in row.arguments]
    assert arguments.count("kernel_size") == 2  # a height and a width
    for name in set(arguments) - {"kernel_size"}:
        assert arguments.count(name) == 1


def test_every_row_is_used_by_some_function():
    used = {name for cost in registered().values() for name in cost.sizes}
    used |= {"size", "kernel", "kernel_depth", "stride", "padding", "dilation"}
    assert {name for row in notation.TABLE for name in row.arguments} == used


def test_symbols_are_positive_integers_and_always_the_same():
    from flopslib.notation import C_in, batch

    assert C_in is notation.C_in
    assert batch is notation.B
    assert C_in.is_positive
    assert C_in.is_integer
    assert notation.kernel_size == (notation.K_h, notation.K_w)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        notation.nonsense  # noqa: B018
    assert {"C_in", "batch", "TABLE"} <= set(dir(notation))


def test_the_output_size_as_a_formula():
    assert latex(formula(conv_output_size)) == (
        r"\left\lfloor{\frac{H_{\text{in}} + 2 P - D \left(K - 1\right) - 1}{S}}\right\rfloor + 1"
    )
    values = {"size": 224, "kernel": 7, "stride": 2, "padding": 3, "dilation": 1}
    symbols = {notation.symbols_for(name)[0]: value for name, value in values.items()}
    assert formula(conv_output_size).subs(symbols) == conv_output_size(**values) == 112


def test_expressions_print_in_the_order_of_the_table():
    from flopslib.notation import B, I, K_h, O, W_out

    assert text(W_out * K_h * O * I * B) == "B*I*O*K_h*W_out"
    assert simplest(I * O + O * (I - 1)) == 2 * I * O - O


@pytest.mark.parametrize("module", ["sympy", "numpy", "matplotlib", "IPython", "myst_nb"])
def test_importing_the_package_imports_no_heavy_one(module):
    code = (
        "import sys, flopslib; flopslib.conv2d(3, 64, 7, 112, 112, groups=1).flops; "
        f"repr(flopslib.linear(3, 2)); sys.exit({module!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
