"""The one test of every registered layer: the closed form is what a naive loop performs."""

import inspect
import itertools

import pytest
import shapes
import sympy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from witnesses import saw

from flopslib import formula, registered, run_and_count
from flopslib.loops import loops
from flopslib.loops.running import outputs_of_run
from flopslib.notation import symbols_for

COSTS = list(registered().values())
every_cost = pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.name)
FIGURES = ("multiplications", "additions", "macs", "flops", "exact_flops")


@every_cost
def test_closed_form_is_the_executed_tally(cost):
    for sizes, flags in shapes.calls(cost):
        closed = cost.function(**sizes, **flags)
        tally = run_and_count(cost.function, **sizes, **flags)
        for figure in FIGURES:
            assert getattr(closed, figure) == getattr(tally, figure), (figure, sizes, flags)
        assert dict(closed.other) == dict(tally.other)
        saw("loops")


@every_cost
def test_the_loop_makes_as_many_outputs_as_the_step_says(cost):
    for sizes in shapes.cases(cost):
        derivation = cost.function(**sizes)
        if len(derivation.steps) == 1:
            assert outputs_of_run(cost.function, **sizes) == derivation.steps[0].outputs


@every_cost
def test_the_cases_tell_any_two_sizes_apart(cost):
    made = [dict(_axes(case)) for case in shapes.cases(cost)]
    for first, second in itertools.combinations(shapes.axes(cost), 2):
        pairs = [(case.get(first, 1), case.get(second, 1)) for case in made]
        assert any(one != other and min(one, other) > 1 for one, other in pairs), (first, second)
    for divisor in cost.divides:
        given = [case[divisor] for case in made if divisor in case]
        assert sum(size > 1 for size in given) > len(given) / 2
    for name in cost.defaults:
        assert 5 < sum(name in case for case in made) < len(made) - 5


@every_cost
def test_the_formula_gives_the_integer_by_substitution(cost):
    formulas = {}
    for sizes, flags in shapes.calls(cost, fewer=8):
        given = tuple(name for name in (*cost.defaults, *cost.from_zero) if name in sizes)
        known = (given, *flags.values())
        if known not in formulas:
            letters = {name: symbols_for(name)[0] for name in given}
            formulas[known] = formula(cost.function, **flags, **letters)
        symbolic = formulas[known]
        numeric = cost.function(**sizes, **flags)
        values = {s: sympy.Integer(n) for s, n in _symbol_values(cost, sizes)}
        for figure in FIGURES:
            value = sympy.sympify(getattr(symbolic, figure)).xreplace(values)
            assert value == getattr(numeric, figure), (figure, sizes, flags)
        other = {
            kind: sympy.sympify(count).xreplace(values) for kind, count in symbolic.other.items()
        }
        assert {k: n for k, n in other.items() if n} == dict(numeric.other)
        saw("letters")


def _symbol_values(cost, sizes):
    for name, value in sizes.items():
        values = value if cost.axes(name) > 1 else (value,)
        yield from zip(cost.symbols(name), values, strict=True)


def _axes(sizes):
    for name, value in sizes.items():
        if isinstance(value, tuple):
            yield from ((f"{name}.{at}", entry) for at, entry in enumerate(value))
        else:
            yield name, value


@every_cost
def test_random_shapes(cost):
    names = shapes.axes(cost)
    flags = st.fixed_dictionaries({flag: st.booleans() for flag in cost.flags})
    small = st.fixed_dictionaries(
        {name: st.integers(1, 6) | (st.none() if name in cost.defaults else st.nothing())
         for name in names}
    )  # fmt: skip

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
    @given(small, flags)
    def check(sizes, flags):
        made = shapes.arguments(cost, sizes)
        closed = cost.function(**made, **flags)
        assume(closed.exact_flops <= 2 * shapes.MOST)
        assert closed.total == run_and_count(cost.function, **made, **flags)
        saw("random loops")

    check()


@every_cost
def test_steps_sum_to_the_total_and_are_per_output_times_outputs(cost):
    for sizes in shapes.cases(cost)[:10]:
        derivation = cost.function(**sizes)
        assert sum(step.macs for step in derivation.steps) == derivation.macs
        for step in derivation.steps:
            assert step.total == step.per_output * step.outputs
            assert isinstance(step.outputs, int)


@every_cost
def test_bias_never_changes_the_macs(cost):
    if "bias" not in cost.flags:
        pytest.skip("the layer has no bias")
    for sizes in shapes.cases(cost):
        with_bias, without = (cost.function(**sizes, bias=bias) for bias in (True, False))
        assert with_bias.macs == without.macs
        assert with_bias.additions > without.additions


def test_every_layer_has_a_loop_in_the_module_of_the_same_name():
    assert set(loops()) == {cost.name for cost in COSTS}
    for cost in COSTS:
        loop = loops()[cost.name].function
        assert loop.__module__ == cost.function.__module__.replace("costs", "loops")


@every_cost
def test_the_public_interface(cost):
    import flopslib

    assert getattr(flopslib, cost.name) is cost.function
    parameters = inspect.signature(cost.function).parameters.values()
    optional = [p for p in parameters if p.default is not p.empty]
    assert all(p.kind is p.KEYWORD_ONLY for p in optional)
