"""Derivations and records: values that add, multiply and read well."""

import copy
import dataclasses
import pickle

import pytest
import sympy

from flopslib import Derivation, OpCount, Part, Step, conv2d, formula, linear, matmul
from flopslib.derivation.opcount import OTHER_KINDS
from flopslib.notation import B, C_in, C_out, G, H_out, I, K_h, K_w, O, W_out


def test_the_boxes_of_the_source():
    assert formula(linear).flops == 2 * B * I * O
    assert formula(conv2d, bias=False).flops == 2 * B * C_in * C_out * K_h * K_w * H_out * W_out / G
    boxed = formula(conv2d, groups=1).flops
    assert boxed == 2 * B * C_in * C_out * K_h * K_w * H_out * W_out


def test_a_bias_makes_the_box_exact():
    for layer in (linear, conv2d):
        with_bias, without = formula(layer), formula(layer, bias=False)
        assert sympy.expand(with_bias.exact_flops - with_bias.flops) == 0
        outputs = without.steps[0].outputs
        assert sympy.expand(without.flops - without.exact_flops - outputs) == 0


def test_overrides():
    n = sympy.Symbol("n", positive=True, integer=True)
    assert formula(linear, out_features=n, batch=1).flops == 2 * I * n
    assert formula(conv2d, kernel_size=3, groups=1).macs == 9 * B * C_in * C_out * H_out * W_out
    assert formula(linear, in_features=3, out_features=2, batch=1).flops == 12


def test_steps_hold_what_one_output_costs():
    step = conv2d(3, 64, (7, 5), 112, 110, batch=2).steps[0]
    assert step.per_output == OpCount(multiplications=105, additions=105, macs=105)
    assert step.outputs == 2 * 64 * 112 * 110
    assert [part.name for part in step.parts] == ["dot product", "bias"]
    assert step.unit == "output pixel"


def test_adding_and_multiplying():
    a, b = linear(3, 2), matmul(2, 3, 5)
    assert (a + b).steps == a.steps + b.steps
    assert (a + b).flops == a.flops + b.flops
    assert (3 * a).flops == (a * 3).flops == 3 * a.flops
    assert (a * 3).steps[0].per_output == a.steps[0].per_output
    assert sum([a, b, a]).macs == 2 * a.macs + b.macs
    assert (a * 0).flops == 0
    assert (a + b).name == "linear + matmul"
    assert (a + a).name == a.name
    assert a * 2 == linear(3, 2, batch=2)
    layers = sympy.Symbol("N", positive=True, integer=True)
    assert (layers * formula(linear)).flops == 2 * layers * B * I * O


@pytest.mark.parametrize("factor", [1.5, 2.0, True, "2", None, linear(3, 2)])
def test_only_whole_numbers_multiply(factor):
    with pytest.raises(TypeError):
        linear(3, 2) * factor
    with pytest.raises(TypeError):
        factor * OpCount(multiplications=1)


def test_no_negative_repetition():
    with pytest.raises(ValueError, match="factor of a derivation must be a non-negative integer"):
        linear(3, 2) * -1


@pytest.mark.parametrize("other", [1, 2.5, "x", None, True])
def test_only_derivations_add(other):
    with pytest.raises(TypeError):
        linear(3, 2) + other
    with pytest.raises(TypeError):
        linear(3, 2).total + other


def test_immutable():
    layer = linear(3, 2)
    for thing, name in ((layer, "steps"), (layer.steps[0], "shape"), (layer.total, "macs")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, ())
    with pytest.raises(TypeError):
        layer.total.other["divisions"] = 3
    kinds = {"divisions": 1}
    record = OpCount(other=kinds)
    kinds["divisions"] = 5
    assert record.other["divisions"] == 1


def test_equal_hashable_copyable():
    assert linear(3, 2) == linear(3, 2)
    assert linear(3, 2) != linear(2, 3)
    assert linear(3, 2) != 12
    assert len({linear(3, 2), linear(3, 2), linear(3, 2, bias=False)}) == 2
    full = OpCount(multiplications=1, other={"erfs": 2}) * 3
    for copied in (copy.deepcopy(full), pickle.loads(pickle.dumps(full))):
        assert copied == full
        assert hash(copied) == hash(full)
    layer = pickle.loads(pickle.dumps(conv2d(3, 4, 3, 5, 5)))
    assert layer == conv2d(3, 4, 3, 5, 5)


def test_records():
    record = OpCount(multiplications=3, additions=2, macs=3, other={"comparisons": 1, "erfs": 0})
    assert (record.flops, record.exact_flops) == (6, 5)
    assert record.other == {"comparisons": 1}
    assert record.other["erfs"] == 0
    assert record + record == record * 2 == 2 * record
    assert record != OpCount(multiplications=3, additions=2, macs=3)
    assert OpCount(macs=1) != OpCount()
    assert OpCount(macs=1).kinds() == {"multiplications": 0, "additions": 0, "macs": 1}
    assert repr(OpCount(macs=1)) == "OpCount(macs=1)"
    twice = record + OpCount(other={"divisions": 4})
    assert twice.other == {"comparisons": 1, "divisions": 4}
    assert list(twice.other) == [kind for kind in OTHER_KINDS if kind in twice.other]


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"multiplications": -1}, ValueError, "multiplications must be a non-negative integer"),
        ({"additions": 1.0}, TypeError, "additions must be a non-negative integer.*got 1.0"),
        ({"macs": True}, TypeError, "macs must be"),
        ({"other": {"divisions": -1}}, ValueError, "divisions must be"),
        ({"other": {"sneezes": 1}}, ValueError, "unknown kind 'sneezes'; known are comparisons"),
        ({"other": 3}, TypeError, "other must be a mapping"),
    ],
)
def test_bad_records(bad, error, message):
    with pytest.raises(error, match=message):
        OpCount(**bad)


def test_renaming():
    assert linear(3, 2).named("up").steps[0].name == "up"
    pair = (linear(3, 2) + matmul(1, 2, 3)).named("both")
    assert [step.name for step in pair.steps] == ["linear", "matmul"]
    assert pair.name == "both"


def test_text():
    assert repr(linear(3, 2)).splitlines() == [
        "linear: each output element 3 multiplications, 3 additions; output elements 1 × 2 = 2",
        "total: 6 multiplications, 6 additions; 6 MACs, 12 FLOPs (12 exactly)",
    ]
    assert "C_in*K_h*K_w/G multiplications" in repr(formula(conv2d))


def test_latex_of_numbers_is_worked_out():
    body = conv2d(3, 64, 7, 112, 112, bias=False)._repr_latex_()
    assert body.startswith("$$\n\\begin{array}")
    assert r"3 \times 7 \times 7 = " in body
    assert r"1 \times 64 \times 112 \times 112 = 802{,}816" in body
    assert r"\boxed{236{,}027{,}904}" in body


def test_latex_of_letters_keeps_the_order_of_the_notation():
    assert formula(conv2d, groups=1).box() == (
        r"\boxed{\text{FLOPs}_{\text{conv2d}} = "
        r"2 B C_{\text{in}} C_{\text{out}} K_h K_w H_{\text{out}} W_{\text{out}}}"
    )
    assert (
        r"\left(C_{\text{in}} K_h K_w - 1\right)" in formula(conv2d, groups=1, bias=False).latex()
    )


def test_latex_of_several_steps_has_a_line_for_each():
    lines = (linear(3, 2) + matmul(2, 3, 5)).latex().splitlines()
    assert r"\quad\text{linear} & \displaystyle 6 \times 2 = 12 \\" in lines
    assert r"\quad\text{matmul} & \displaystyle 6 \times 10 = 60 \\[6pt]" in lines


def test_latex_of_arrays_and_other_kinds():
    import numpy as np

    assert r"\text{2 … 6 in an array of shape (2,)}" in linear(np.array([1, 3]), 1).latex()
    step = Step("x", (Part("p", OpCount(other={"square_roots": 1})),), shape=(2,))
    assert r"\text{square roots} & \displaystyle 2" in Derivation((step,)).latex()
    assert r"1\text{ square root}" in step._repr_latex_()


def test_an_empty_derivation_costs_nothing():
    assert Derivation(()).total == OpCount()


def test_latex_shows_where_the_bias_comes_in():
    assert r"{\left(2 + 1\right)} \times 2" in linear(3, 2).latex()
    assert r"{\left(I - 1 + 1\right)} \times B O" in formula(linear).latex()


def test_a_size_whose_default_is_none_keeps_its_meaning():
    def widened(in_features, *, out_features=None, batch=1):
        assert out_features is None or out_features == 5
        return linear(in_features, out_features or 4 * in_features, batch=batch)

    assert formula(widened).flops == 8 * B * I**2
    assert formula(widened, out_features=5).flops == 10 * B * I


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Derivation((1, 2)), "steps must be a tuple of Steps, got a int"),
        (lambda: Derivation([linear(3, 2)]), "got a Derivation"),
        (lambda: Step("x", OpCount(macs=1), (2,)), "parts must be a tuple of Parts, got a OpCount"),
    ],
)
def test_what_a_derivation_is_made_of(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_parts_are_equal_by_what_they_say():
    assert linear(3, 2).steps[0].parts == linear(3, 2).steps[0].parts
    assert linear(3, 2).steps[0].parts != linear(4, 2).steps[0].parts


def test_large_numbers_in_formulas_have_their_thousands_apart():
    wide = formula(linear, in_features=12288, out_features=4)
    assert "98,304*B FLOPs" in repr(wide)
    assert r"\boxed{98{,}304 B}" in wide.latex()


def test_integers_nobody_could_read():
    huge = linear(10**3000, 10**3000)
    assert "about 2^9965 multiplications" in repr(huge)
    assert r"\approx 2^{19931}" in huge.latex()
