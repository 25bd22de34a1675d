"""Every size of every layer refuses what is no size, and says which, what and what instead."""

import decimal
import fractions
import inspect

import numpy as np
import pytest
import sympy

from flopslib import (
    conv2d,
    conv_output_size,
    formula,
    linear,
    multihead_attention,
    registered,
    run_and_count,
    transformer_layer,
)
from flopslib.costs.registry import Default, cost_function

COSTS = list(registered().values())
SIZES = [(cost, name) for cost in COSTS for name in cost.sizes]
every_size = pytest.mark.parametrize(("cost", "name"), SIZES, ids=lambda v: getattr(v, "name", v))

BAD = [
    0, -1, -(10**30), 1.5, 3.0, float("nan"), float("inf"), 2j, True, False, None, "3", b"3",
    [], [3, 3, 3], {3}, {"size": 3}, object(), decimal.Decimal(3), fractions.Fraction(6, 2),
    np.float64(3), np.int64(0), np.int32(-3), np.bool_(True), np.timedelta64(3, "s"),
    np.array([3.0]), np.array([True]), np.array(["3"]), np.array(0), np.array(3.0),
    np.array([np.timedelta64(2, "s")], dtype=object), np.ma.array([1, 2], mask=[0, 1]), np.array([3, None], dtype=object), np.array([1, True], dtype=object),
    sympy.Rational(1, 2), sympy.Float(3), sympy.nan, sympy.oo, sympy.zoo, sympy.Integer(0), sympy.I,
    sympy.pi, sympy.true, sympy.Symbol("x", negative=True), sympy.Symbol("x", zero=True),
    sympy.Symbol("x", integer=False), sympy.Symbol("x", nonpositive=True), sympy.Symbol("x", imaginary=True),
    -sympy.Symbol("x", positive=True), sympy.Symbol("n", integer=True) + sympy.Rational(1, 2),
    sympy.Matrix([[1]]), range(3), (3, 3),
]  # fmt: skip


def good_arguments(cost):
    parameters = inspect.signature(cost.function).parameters
    return {n: 2 for n, p in parameters.items() if p.default is p.empty}


@every_size
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{type(bad).__name__} {bad!r:.20}")
def test_refused(cost, name, bad):
    parameter = inspect.signature(cost.function).parameters[name]
    right = isinstance(bad, tuple | list) and len(bad) == cost.axes(name) > 1
    right |= name in cost.from_zero and repr(bad) in ("0", "np.int64(0)", "array(0)", "x")
    if right or (bad is None and parameter.default is None):
        pytest.skip("that is right here")
    with pytest.raises((TypeError, ValueError)) as caught:
        cost.function(**good_arguments(cost) | {name: bad})
    message = str(caught.value)
    assert name in message
    assert "integer" in message
    assert caught.traceback[-1].path.name == "checks.py"


@pytest.mark.parametrize("bad", [0, -2, 1.5, 3.0, True, "7", None, np.array([2.0])])
def test_the_value_is_shown(bad):
    with pytest.raises(
        (TypeError, ValueError), match=r"in_features must be a positive integer"
    ) as e:
        linear(bad, 2)
    shown = "float64" if isinstance(bad, np.ndarray) else repr(bad)
    assert shown in str(e.value)


@pytest.mark.parametrize("bad", ["no", 0, 1, None, 1.0, [], np.array(True)])
@pytest.mark.parametrize("cost", [c for c in COSTS if c.flags], ids=lambda cost: cost.name)
def test_flags(cost, bad):
    for flag in cost.flags:
        with pytest.raises(TypeError, match=f"^{flag} must be True or False, got"):
            cost.function(**good_arguments(cost) | {flag: bad})


def test_a_numpy_bool_is_a_flag():
    assert linear(3, 2, bias=np.bool_(False)) == linear(3, 2, bias=False)


@pytest.mark.parametrize(
    "kernel",
    [
        (3,),
        (3, 3, 3),
        (),
        [1, 2, 3],
        "33",
        (3, "3"),
        (3, 0),
        ((3, 3), 3),
        (3, None),
        {3, 5},
        (3, 2.0),
    ],
)
def test_kernels_that_are_neither_an_int_nor_a_pair(kernel):
    with pytest.raises((TypeError, ValueError), match="kernel_size"):
        conv2d(3, 4, kernel, 5, 5)


def test_a_list_is_a_pair():
    assert conv2d(3, 4, [3, 5], 5, 5) == conv2d(3, 4, (3, 5), 5, 5)


@pytest.mark.parametrize(
    ("channels", "groups", "named"),
    [((6, 8), 4, "in_channels=6"), ((8, 6), 4, "out_channels=6"), ((3, 3), 5, "in_channels=3")],
)
def test_groups_that_do_not_divide(channels, groups, named):
    with pytest.raises(ValueError, match=f"groups must divide .*groups={groups} and {named}"):
        conv2d(*channels, 3, 5, 5, groups=groups)


def test_groups_that_do_not_divide_an_array_entry():
    with pytest.raises(
        ValueError, match=r"groups must divide in_channels.*9 is not divisible by 4"
    ):
        conv2d(np.array([4, 8, 9]), 8, 3, 5, 5, groups=4)


def test_groups_that_cannot_divide_an_expression():
    n = sympy.Symbol("n", positive=True, integer=True)
    with pytest.raises(ValueError, match="groups must divide in_channels"):
        conv2d(2 * n + 1, 4, 3, 5, 5, groups=2)
    assert conv2d(2 * n, 4, 3, 5, 5, groups=2, bias=False).macs == 2700 * n / 3


def test_an_array_entry_is_named_by_its_place():
    with pytest.raises(ValueError, match=r"got .*0.* at in_features\[1, 2\]"):
        linear(np.array([[1, 2, 3], [4, 5, 0]]), 2)
    with pytest.raises(TypeError, match=r"kernel_size\[1\].*got 'x'.*kernel_size\[1\]\[1\]"):
        conv2d(1, 1, (3, np.array([3, "x"], dtype=object)), 2, 2)


def test_arrays_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"in_features \(2,\), out_features \(3,\)"):
        linear(np.array([1, 2]), np.array([1, 2, 3]))


def test_arrays_and_expressions_do_not_mix():
    with pytest.raises(
        TypeError, match="in_features is an array and out_features a SymPy expression"
    ):
        linear(np.array([1, 2]), sympy.Symbol("n"))


def test_calls_that_do_not_fit_the_signature_name_the_function():
    with pytest.raises(TypeError, match=r"linear\(\): missing a required argument: 'out_features'"):
        linear(3)
    with pytest.raises(TypeError, match=r"linear\(\): got an unexpected keyword argument 'groups'"):
        linear(3, 2, groups=1)


def test_a_huge_number_does_not_fill_the_screen():
    with pytest.raises(ValueError, match="in_features") as caught:
        linear(-(10**6000), 2)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["size", "kernel", "stride", "padding", "dilation"])
@pytest.mark.parametrize("bad", [-1, 2.0, True, "3", None])
def test_output_sizes(name, bad):
    with pytest.raises((TypeError, ValueError), match=name):
        conv_output_size(**{"size": 9, "kernel": 3} | {name: bad})


@pytest.mark.parametrize("size", [2, np.array([5, 2]), sympy.Integer(2)])
def test_a_window_wider_than_the_input(size):
    with pytest.raises(ValueError, match="does not fit"):
        conv_output_size(size, 3)


def test_formula():
    with pytest.raises(
        TypeError, match="linear has no argument 'groups' to override; it takes in_features"
    ):
        formula(linear, groups=2)
    with pytest.raises(TypeError, match="formula takes a cost function, got 3"):
        formula(3)
    with pytest.raises(ValueError, match="no row of the notation table is for 'wings'"):
        formula(lambda wings: linear(wings, 1))


def test_running_needs_numbers_and_a_loop():
    with pytest.raises(TypeError, match="in_features must be an int"):
        run_and_count(linear, sympy.Symbol("n"), 2)
    with pytest.raises(TypeError, match="has no naive loop"):
        run_and_count(conv_output_size, 3, 2)
    with pytest.raises(ValueError, match="groups must divide"):
        run_and_count(conv2d, 3, 2, 1, 1, 1, groups=2)


def test_running_takes_what_the_layer_takes():
    kernels = (3, np.int64(3), (3, 3), [3, 3], (np.int8(3), 3))
    assert len({run_and_count(conv2d, 2, np.int64(4), kernel, 2, 2) for kernel in kernels}) == 1
    with pytest.raises(TypeError, match=r"linear\(\): missing a required argument"):
        run_and_count(linear, 3)


def test_running_takes_only_the_registered_function():
    def linear(in_features, out_features):
        raise AssertionError

    with pytest.raises(TypeError, match="linear has no naive loop"):
        run_and_count(linear, 3, 2)


def test_small_numpy_integers_do_not_wrap_in_a_run():
    assert run_and_count(linear, np.uint8(16), np.uint8(17)) == linear(16, 17).total


@pytest.mark.parametrize("layer", [multihead_attention, transformer_layer])
class TestAttention:
    def test_heads_that_do_not_divide(self, layer):
        with pytest.raises(
            ValueError, match="num_heads must divide d_model, got num_heads=3 and d"
        ):
            layer(5, 8, num_heads=3)
        with pytest.raises(ValueError, match="num_kv_heads must divide num_heads, got num_kv_hea"):
            layer(5, 8, num_heads=4, num_kv_heads=3)
        with pytest.raises(ValueError, match="num_kv_heads must divide num_heads"):
            layer(5, 8, num_kv_heads=2)

    def test_a_head_of_its_own_width_need_not_divide(self, layer):
        assert layer(5, 8, num_heads=3, head_dim=2).macs > 0

    def test_a_cache_holds_no_fewer_than_the_new_positions(self, layer):
        with pytest.raises(
            ValueError, match="kv_seq_len must be at least seq_len, got kv_seq_len=4 a"
        ):
            layer(5, 8, kv_seq_len=4)
        lengths = np.array([[5, 7, 4]])
        with pytest.raises(ValueError, match=r"kv_seq_len=4 and seq_len=5 \(entry \[0, 2\]\)"):
            layer(5, 8, kv_seq_len=lengths)
        n = sympy.Symbol("n", positive=True, integer=True)
        with pytest.raises(ValueError, match="kv_seq_len must be at least seq_len"):
            layer(n + 1, 8, kv_seq_len=n)
        assert layer(n, 8, kv_seq_len=n + 1).macs

    def test_none_is_the_default_only_where_it_says_so(self, layer):
        with pytest.raises(TypeError, match="num_heads must be a positive integer"):
            layer(5, 8, num_heads=None)
        assert layer(5, 8, num_heads=2, num_kv_heads=None, head_dim=None) == layer(
            5, 8, num_heads=2, num_kv_heads=2, head_dim=4, kv_seq_len=5
        )


def test_a_layer_whose_sizes_may_be_none(monkeypatch):
    monkeypatch.setattr("flopslib.costs.registry._REGISTRY", {})

    @cost_function(divides={"groups": ("out_features",)})
    def widened(in_features, *, out_features=None, groups=None):
        return linear(in_features, out_features or 4 * in_features)

    assert widened(3).macs == 36
    assert widened(3, out_features=5, groups=None).macs == 15
    with pytest.raises(ValueError, match="groups must divide out_features, got groups=2"):
        widened(3, out_features=5, groups=2)
    with pytest.raises(ValueError, match="defaults names 'in_features', which is not a size that"):

        @cost_function(defaults={"in_features": Default("out_features")})
        def narrowed(in_features, *, out_features=2):
            raise AssertionError

    with pytest.raises(ValueError, match="divides names 'wings', which is not a single size of it"):

        @cost_function(divides={"wings": ("in_features",)})
        def winged(in_features):
            raise AssertionError


def test_a_layer_may_be_enrolled_again_from_where_it_came(monkeypatch):
    monkeypatch.setattr("flopslib.costs.registry._REGISTRY", {})

    def enrol():
        @cost_function()
        def mine(in_features):
            return linear(in_features, 1)

        return mine

    assert enrol()(3) == enrol()(3)


def test_the_registry_refuses_a_second_layer_of_the_same_name():
    with pytest.raises(ValueError, match="'linear' is registered already"):

        @cost_function()
        def linear(in_features):
            raise AssertionError


def test_a_rule_holds_for_a_default_too(monkeypatch):
    monkeypatch.setattr("flopslib.costs.registry._REGISTRY", {})

    @cost_function(
        {"g": ("a",)}, at_least={"a": "least"}, defaults={"a": Default("c"), "b": Default("c")}
    )
    def layer(c, g=1, least=1, *, a=None, b=None):
        return linear(c, a)

    assert layer(4, g=2).macs == 16
    with pytest.raises(ValueError, match="g must divide a, got g=2 and a=3"):
        layer(3, g=2)
    with pytest.raises(ValueError, match="a must be at least least, got a=3 and least=5"):
        layer(3, least=5)
    with pytest.raises(ValueError, match="rests on 'a', which may be None itself"):

        @cost_function(defaults={"b": Default("a"), "a": Default("c")})
        def chained(c, *, a=None, b=None):
            raise AssertionError

    @cost_function(defaults={"a": Default("c"), "b": Default("a", times=2)})
    def in_order(c, *, a=None, b=None):
        return linear(a, b)

    assert [in_order(3).macs, in_order(3, a=5).macs, in_order(3, b=7).macs] == [18, 50, 21]
    with pytest.raises(ValueError, match="in_order: minor names 'c', which is not a flag"):
        cost_function(minor=("c",))(in_order)

    for rules in (
        {"divides": {"g": ("c", "wings")}},
        {"at_least": {"g": "wings"}},
        {"at_least": {"wings": "g"}},
        {"defaults": {"a": Default("wings")}},
        {"defaults": {"a": Default("c", over="wings")}},
        {"divides": {"g": ("kernel_size",)}},
    ):
        with pytest.raises(ValueError, match="which is not a single size of it"):

            @cost_function(**rules)
            def winged(c, kernel_size, g=1, *, a=None):
                raise AssertionError


def test_divisions_of_expressions_are_cancelled_before_they_are_judged():
    n = sympy.Symbol("n", positive=True, integer=True)
    assert multihead_attention(5, 4 * n + 2, num_heads=2 * n + 1).steps[3].per_output.macs == 2
    assert conv2d(4 * n + 2, 4 * n + 2, 3, 5, 5, groups=2 * n + 1).steps[0].per_output.macs == 18


def test_a_length_is_compared_when_multiplied_out():
    n = sympy.Symbol("n", positive=True, integer=True)
    with pytest.raises(ValueError, match="kv_seq_len must be at least seq_len"):
        multihead_attention((n + 1) ** 2, 4, kv_seq_len=n**2, causal=True)


def test_an_example_cannot_be_changed():
    with pytest.raises(TypeError):
        registered()["linear"].example.arguments["in_features"] = 1
