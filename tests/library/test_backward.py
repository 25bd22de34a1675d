"""Backward passes: what is derived is what a naive loop performs, and the loop is right."""

import itertools
import math

import pytest
import shapes
import sympy
from witnesses import saw

from flopslib import (
    Derivation,
    Step,
    conv2d,
    conv_transpose2d,
    feed_forward,
    formula,
    linear,
    matmul,
    multihead_attention,
    registered,
    scaled_dot_product_attention,
    transformer_layer,
)
from flopslib.derivation.gradients import GRADIENTS, summed, weighed
from flopslib.derivation.operands import Operand
from flopslib.derivation.primitives import PRIMITIVES, dot_product
from flopslib.loops import gradients
from flopslib.loops.backward import BACKWARD, flat, run_backward, small
from flopslib.loops.counting import CountingNumber, Tally
from flopslib.loops.running import bound, loop_of, loops
from flopslib.notation import B, C_in, C_out, H_out, I, K_h, K_w, L, O, W_out, d, h

COSTS = list(registered().values())
every_cost = pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.name)


def training_cases(cost):
    """Small cases without a cache, which no training pass has."""
    step = 25 if cost.minor else 16 if "causal" in cost.flags else 5
    for sizes in shapes.cases(cost)[::step]:
        kept = cost.name in ("scaled_dot_product_attention", "cross_attention")
        yield sizes if kept else {k: n for k, n in sizes.items() if k != "kv_seq_len"}


@every_cost
def test_what_is_derived_is_what_is_executed(cost):
    settings = [*shapes.flag_settings(cost), *shapes.turned(cost)]
    for flags, input_gradient in itertools.product(settings, (True, False)):
        for sizes in training_cases(cost):
            closed = cost.function(**sizes, **flags).backward(input_gradient=input_gradient)
            executed = run_backward(cost.function, **sizes, **flags, input_gradient=input_gradient)
            assert closed.total == executed, (sizes, flags, input_gradient)
            saw("loops")


@every_cost
def test_every_weight_can_be_frozen_by_itself(cost):
    sizes = next(training_cases(cost))
    learnt = [each.name for each in cost.function(**sizes).operands if each.role == "weight"]
    for name, input_gradient in itertools.product(learnt, (True, False)):
        given = {"frozen": [name], "input_gradient": input_gradient}
        assert cost.function(**sizes).backward(**given).total == run_backward(
            cost.function, **sizes, **given
        )
        saw("loops")
    nothing = cost.function(**sizes).backward(frozen=learnt, input_gradient=False)
    assert nothing.steps == ()


def test_every_layer_has_a_backward_loop():
    assert BACKWARD.keys() == registered().keys() == loops().keys()


@every_cost
def test_the_gradients_are_right(cost):
    """The executed gradients are those of finite differences, for every operand."""
    flags = {"causal": True} if "causal" in cost.flags else {}
    small_ones = [s for s in training_cases(cost) if _macs(cost, s) < 400] or [
        min(training_cases(cost), key=lambda s: _macs(cost, s))
    ]
    sizes = max(small_ones, key=lambda s: _macs(cost, s))
    arguments = cost.arguments(**sizes, **flags)
    derivation = cost.function(**arguments)
    _, loop = loop_of(cost.function)
    operands = {each.name: each.shape for each in derivation.operands if each.size}
    given, options = bound(loop, {o.name: o.shape for o in derivation.operands}, arguments)
    tally = Tally()
    numbers = {n: None if shape is None else small(tally, shape) for n, shape in given.items()}
    y, back = BACKWARD[cost.name](**numbers, **options)
    ways = [0.1 + at % 3 - at % 5 * 0.7 for at, _ in enumerate(flat(y))]
    found = back(_weighted(y, iter(ways), tally), set(operands))
    assert found.keys() == operands.keys()
    for name, gradient in found.items():
        cells = dict(flat(numbers[name]))
        for place, computed in itertools.islice(flat(gradient), 0, None, 3):
            slope = _slope(lambda: loop(**numbers, **options), cells[place], ways)
            assert math.isclose(_value(computed), slope, rel_tol=1e-4, abs_tol=1e-6), (name, place)


def _value(number):
    return number.value if isinstance(number, CountingNumber) else number


def _macs(cost, sizes):
    return cost.function(**sizes).macs


def _weighted(y, ways, tally):
    return (
        [_weighted(part, ways, tally) for part in y]
        if isinstance(y, list)
        else tally.number(next(ways))
    )


def _slope(run, number, ways, step=1e-5):
    kept, sums = number.value, []
    for moved in (kept + step, kept - step):
        number.value = moved
        sums.append(sum(way * n.value for way, (_, n) in zip(ways, flat(run()), strict=True)))
    number.value = kept
    return (sums[0] - sums[1]) / (2 * step)


# --- elementary operations ---------------------------------------------------------------


def run_of(name, n=5):
    """Run an elementary operation on n numbers or on one, whichever it takes."""
    tally = Tally()
    numbers = [tally.number(0.3 * at - 0.5) for at in range(n)]
    learnt = [tally.number(1 + at / 10) for at in range(n)]
    many = {
        "softmax": (numbers,), "log_softmax": (numbers,), "glu": ([numbers[0], learnt[0]],),
        "layer_norm": (numbers, learnt, learnt),
        "top_k": (numbers,), "proportions": (numbers,),
        "cross_entropy": (numbers,),
        "rms_norm": (numbers, learnt), "max_pool": (numbers,), "average_pool": (numbers,),
    }  # fmt: skip
    two = {"batch_norm": (numbers[0], learnt[0], learnt[0]), "prelu": (numbers[0], learnt[0])}
    given = many.get(name) or two.get(name) or (numbers[0],)
    y, back = getattr(gradients, name)(*given)
    tally.forget()
    return tally, given[0], y, back


SIZED = {
    "softmax",
    "log_softmax",
    "cross_entropy",
    "top_k",
    "proportions",
    "layer_norm",
    "rms_norm",
    "max_pool",
    "average_pool",
}


@pytest.mark.parametrize("name", sorted(GRADIENTS.keys() - {"rotary"}))
@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_gradient_of_an_operation_is_what_is_executed(name, n):
    tally, _, y, back = run_of(name, n)
    back([tally.number(0.7)] * len(y) if isinstance(y, list) else tally.number(0.7))
    assert GRADIENTS[name](*([n] if name in SIZED else [])) == tally.record()
    saw("loops")


@pytest.mark.parametrize("name", sorted(GRADIENTS.keys() - {"rotary"}))
def test_the_gradient_of_an_operation_is_right(name):
    tally, x, y, back = run_of(name)
    ways = [0.3 + 0.4 * at for at in range(len(y))] if isinstance(y, list) else [0.7]
    g = [tally.number(way) for way in ways] if isinstance(y, list) else tally.number(0.7)
    found = dict(flat(back(g)))
    for place, number in flat(x):
        kept, sums = number.value, []
        for moved in (kept + 1e-6, kept - 1e-6):
            number.value = moved
            again = _again(name, x)
            sums.append(sum(w * _value(n) for w, (_, n) in zip(ways, flat(again), strict=True)))
        number.value = kept
        assert math.isclose(
            _value(found[place]), (sums[0] - sums[1]) / 2e-6, rel_tol=1e-4, abs_tol=1e-6
        )


def _again(name, x):
    tally = Tally()
    learnt = [tally.number(1 + at / 10) for at in range(5)]
    more = {"layer_norm": (learnt, learnt), "rms_norm": (learnt,), "batch_norm": 2 * learnt[:1]}
    more["prelu"] = learnt[:1]
    return getattr(gradients, name)(x, *more.get(name, ()))[0]


def test_a_pair_is_turned_back():
    tally = Tally()
    x, y = tally.number(0.2), tally.number(0.5)
    _, back = gradients.rotary(x, y)
    tally.forget()
    assert back([tally.number(1.0), tally.number(0.0)]).value == 0.6
    assert tally.record() == GRADIENTS["rotary"]()


def test_sums_of_gradients():
    tally = Tally()
    numbers = [tally.number(n) for n in (1.0, 2.0, 4.0)]
    assert gradients.summed(numbers).value == 7
    assert tally.record() == summed(3)
    tally.forget()
    assert gradients.weighed(numbers, numbers).value == 21
    assert tally.record() == weighed(3)


def test_every_operation_has_a_gradient_or_is_a_sum_or_a_product():
    plain = {"dot_product", "scatter", "bias", "residual_sum", "elementwise_product"}
    plain |= {"difference"}
    assert GRADIENTS.keys() == PRIMITIVES.keys() - plain


# --- formulas ------------------------------------------------------------------------------


def test_a_linear_layer_has_two_products():
    back = formula(linear, bias=False).backward()
    assert [step.flops for step in back.steps] == [2 * B * I * O] * 2
    assert sympy.expand(back.additions - (B * I * (O - 1) + I * O * (B - 1))) == 0


def test_a_convolution_scatters_one_and_sums_the_other():
    of_x, of_weight = formula(conv2d, bias=False, groups=1).backward().steps
    macs = B * C_in * C_out * K_h * K_w * H_out * W_out
    assert of_x.macs == of_weight.macs == macs
    assert of_x.additions == macs
    assert sympy.expand(of_weight.additions - (macs - C_in * C_out * K_h * K_w)) == 0
    first = conv2d(3, 64, 7, 112, 112, bias=False)
    assert first.backward(input_gradient=False).macs == first.macs


def test_attention_has_twice_the_products_and_a_softmax():
    forward = formula(multihead_attention, bias=False)
    back = forward.backward()
    assert sympy.expand(back.flops - 2 * forward.flops) == 0
    steps = {step.name: step for step in back.steps}
    assert steps["scores, gradient of keys"].flops == 2 * B * L**2 * d
    assert (
        sympy.expand(steps["softmax, gradient of scaled"].multiplications - 2 * B * h * L**2) == 0
    )
    causal = formula(multihead_attention, bias=False, causal=True)
    assert sympy.expand(causal.backward().flops - 2 * causal.flops) == 0


@every_cost
def test_twice_the_products_wherever_the_input_needs_a_gradient(cost):
    for sizes in training_cases(cost):
        forward = cost.function(**sizes)
        assert forward.backward().macs == 2 * forward.macs


def test_a_formula_gives_the_integer():
    back = formula(transformer_layer, num_heads=2).backward()
    numbers = transformer_layer(3, 4, num_heads=2, batch=5).backward()
    values = {L: 3, d: 4, B: 5}
    for kind, count in numbers.total.kinds().items():
        assert sympy.sympify(back.total.kinds()[kind]).xreplace(values) == count


def test_gradients_through_frozen_weights():
    assert [step.name for step in feed_forward(3, 4).backward(frozen=["w_1", "b_1"]).steps] == [
        "second linear, gradient of bent", "second linear, gradient of w_2",
        "second linear, gradient of b_2", "GELU, gradient of hidden", "first linear, gradient of x",
    ]  # fmt: skip
    back = feed_forward(3, 4).backward(frozen=["w_1", "b_1"], input_gradient=False)
    assert [step.name for step in back.steps] == [
        "second linear, gradient of w_2", "second linear, gradient of b_2",
    ]  # fmt: skip


def test_copies_have_gradients_each():
    assert (3 * linear(5, 7, batch=2)).backward().total == linear(
        5, 7, batch=2
    ).backward().total * 3


# --- what is refused ------------------------------------------------------------------------


def test_what_has_no_gradient_is_named():
    with pytest.raises(ValueError, match=r"the step 'x' does not say what it reads and writes"):
        Derivation((Step("x", (dot_product(3),), (2,)),)).backward()
    with pytest.raises(ValueError, match=r"past_keys is from a cache of shape \(1, 1, 4, 8\)"):
        multihead_attention(1, 8, kv_seq_len=5).backward()
    with pytest.raises(
        ValueError, match=r"frozen must be weights of 'linear': bias, weight, got 'w'"
    ):
        linear(3, 2).backward(frozen=["w"])
    with pytest.raises(TypeError, match="input_gradient must be True or False, got 1"):
        linear(3, 2).backward(input_gradient=1)
    with pytest.raises(
        ValueError, match=r"role must be one of input, weight, cache, constant, got 'w'"
    ):
        Operand("x", (3,), "w")


def test_attention_to_another_sequence():
    back = scaled_dot_product_attention(3, 4, kv_seq_len=5).backward()
    # three queries, five keys, four numbers: two products each for the scores and for the sums
    assert back.macs == 4 * 3 * 5 * 4
    assert matmul(2, 3, 5).backward().macs == 60


def test_cropped_outputs_of_a_transposed_convolution_have_products_too():
    back = conv_transpose2d(1, 1, 3, 2, 2, 2, 2, bias=False).backward()
    assert back.macs == 2 * 4 * 9
