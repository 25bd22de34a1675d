"""The witnesses: numbers that count, the elementary operations, and loops that are right."""

import inspect
import math

import numpy as np
import pytest

from flopslib import OpCount, Tally
from flopslib.derivation.opcount import OTHER_KINDS
from flopslib.derivation.primitives import PRIMITIVES
from flopslib.loops import loops
from flopslib.loops import primitives as reference
from flopslib.loops.convolution import window_starts
from flopslib.loops.counting import term
from flopslib.sizes.shapes import conv_output_size

OPERATIONS = {
    "x + y": ("additions", 5), "x + 2": ("additions", 5), "2 + x": ("additions", 5),
    "x - y": ("additions", 1), "x - 2": ("additions", 1), "2 - x": ("additions", -1),
    "x * y": ("multiplications", 6), "x * 2": ("multiplications", 6), "2 * x": ("multiplications", 6),
    "x / y": ("divisions", 1.5), "x / 2": ("divisions", 1.5), "6 / x": ("divisions", 2),
    "x.exp()": ("exponentials", math.exp(3)), "x.sqrt()": ("square_roots", math.sqrt(3)),
    "x.erf()": ("erfs", math.erf(3)),
}  # fmt: skip


@pytest.mark.parametrize("expression", OPERATIONS)
def test_each_operation_counts_once_under_its_name(expression):
    kind, value = OPERATIONS[expression]
    tally = Tally()
    result = eval(expression, {"x": tally.number(3), "y": tally.number(2)})
    assert result.value == value
    assert result.tally is tally
    assert tally.record().kinds() == OpCount().kinds() | {kind: 1}


@pytest.mark.parametrize(
    "expression", ["x > y", "x < y", "x > 2", "2 < x", "max(x, y)", "min(x, y)"]
)
def test_each_comparison_counts_once(expression):
    tally = Tally()
    eval(expression, {"x": tally.number(3), "y": tally.number(2)})
    assert tally.record() == OpCount(other={"comparisons": 1})


def test_a_sign_costs_nothing_and_a_power_is_refused():
    tally = Tally()
    assert (-tally.number(3)).value == -3
    assert tally.record() == OpCount()
    with pytest.raises(TypeError):
        tally.number(3) ** 2


def test_tallies_do_not_share_anything():
    one, two = Tally(), Tally()
    one.number(1) + one.number(2)
    assert two.record() == OpCount()


def test_a_term_is_a_multiplication_and_a_mac():
    tally = Tally()
    for left, right in [
        (tally.number(3), 4),
        (4, tally.number(3)),
        (tally.number(3), tally.number(4)),
    ]:
        assert term(left, right).value == 12
    assert tally.record() == OpCount(multiplications=3, macs=3)
    assert term(3, 4) == 12


# what each loop is given, for n numbers
GIVEN = {
    "dot_product": lambda t, n: (t.numbers((n,)), t.numbers((n,))),
    "scatter": lambda t, n: (t.number(1), t.numbers((n,))),
    "bias": lambda t, n: (t.number(1), t.number(2)),
    "scaling": lambda t, n: (t.number(1),),
    "residual_sum": lambda t, n: (t.number(1), t.number(2)),
    "softmax": lambda t, n: (t.numbers((n,)),),
    "cross_entropy": lambda t, n: (t.numbers((n,)),),
    "log_softmax": lambda t, n: (t.numbers((n,)),),
    "layer_norm": lambda t, n: (t.numbers((n,)), t.numbers((n,)), t.numbers((n,))),
    "difference": lambda t, n: (t.number(1), t.number(2)),
    "elementwise_product": lambda t, n: (t.number(1), t.number(2)),
    "rotary": lambda t, n: (t.number(1), t.number(2)),
    "rms_norm": lambda t, n: (t.numbers((n,)), t.numbers((n,))),
    "gelu": lambda t, n: (t.number(1),),
    "gelu_tanh": lambda t, n: (t.number(1),),
    "sigmoid": lambda t, n: (t.number(1),),
    "silu": lambda t, n: (t.number(1),),
    "tanh": lambda t, n: (t.number(1),),
    "softplus": lambda t, n: (t.number(30),),
    "elu": lambda t, n: (t.number(1),),
    "mish": lambda t, n: (t.number(1),),
    "glu": lambda t, n: (t.numbers((2,)),),
    "prelu": lambda t, n: (t.number(-1), t.number(2)),
    "leaky_relu": lambda t, n: (t.number(-1),),
    "hardsigmoid": lambda t, n: (t.number(-9),),
    "hardswish": lambda t, n: (t.number(9),),
    "batch_norm": lambda t, n: (t.number(1), t.number(2), t.number(3)),
    "dropout": lambda t, n: (t.number(1),),
    "relu": lambda t, n: (t.number(1),),
    "relu6": lambda t, n: (t.number(-1),),
    "top_k": lambda t, n: (t.numbers((n,)),),
    "proportions": lambda t, n: (t.numbers((n,)),),
    "max_pool": lambda t, n: (t.numbers((n,)),),
    "average_pool": lambda t, n: (t.numbers((n,)),),
}


@pytest.mark.parametrize("n", [1, 2, 3, 7, 13])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_an_elementary_operation_is_what_its_loop_performs(name, n):
    tally = Tally()
    getattr(reference, name)(*GIVEN[name](tally, n))
    sized = {"n", "terms"} & set(inspect.signature(PRIMITIVES[name]).parameters)
    stated = PRIMITIVES[name](n) if sized else PRIMITIVES[name]()
    assert stated.operations.kinds() == tally.record().kinds()


@pytest.mark.parametrize("n", [1, 2, 7])
def test_layer_norm_without_beta(n):
    tally = Tally()
    reference.layer_norm(tally.numbers((n,)), tally.numbers((n,)))
    assert PRIMITIVES["layer_norm"](n, bias=False).operations == tally.record()


def test_the_comparisons_of_relu6_do_not_depend_on_the_number():
    for value, expected in ((-1, 0), (3, 3), (9, 6)):
        tally = Tally()
        result = reference.relu6(tally.number(value))
        assert getattr(result, "value", result) == expected
        assert tally.record() == OpCount(other={"comparisons": 2})


def test_the_elementary_operations_compute_what_they_are_named_after():
    def values(numbers):
        return [n.value for n in numbers]

    x = np.array([1.0, 2.0, 5.0])
    t = Tally()
    counted = [t.number(v) for v in x]
    soft = np.exp(x) / np.exp(x).sum()
    assert values(reference.softmax(counted)) == pytest.approx(soft)
    norm = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * 2 + 3
    assert values(reference.layer_norm(counted, [2, 2, 2], [3, 3, 3])) == pytest.approx(norm)
    gelu = 0.5 * 1.5 * (1 + math.erf(1.5 / math.sqrt(2)))
    assert reference.gelu(t.number(1.5)).value == pytest.approx(gelu)
    assert reference.scaling(8.0, 16) == 2.0
    assert (reference.relu(-1), reference.relu(2)) == (0, 2)
    assert (reference.max_pool([3, 9, 4]), reference.average_pool([3, 9, 6])) == (9, 6)
    assert (reference.batch_norm(2, 3, 4), reference.bias(2, 3)) == (10, 5)
    assert reference.dot_product([1, 2], [3, 4]) == 11


def test_every_other_kind_is_performed_by_some_loop():
    performed = set()
    for primitive in PRIMITIVES:
        tally = Tally()
        getattr(reference, primitive)(*GIVEN[primitive](tally, 3))
        performed |= set(tally.record().other)
    assert performed == set(OTHER_KINDS)


rng = np.random.default_rng(0)


def whole(*shape):
    return rng.integers(-5, 6, shape)


def test_the_linear_loop_computes_a_linear_layer():
    x, w, b = whole(2, 3), whole(5, 3), whole(5)
    assert loops()["linear"](x.tolist(), w.tolist(), b.tolist()) == (x @ w.T + b).tolist()


def test_the_matmul_loop_computes_a_product():
    a, b = whole(2, 3, 5), whole(2, 5, 7)
    assert loops()["matmul"](a.tolist(), b.tolist()) == (a @ b).tolist()


def convolved(x, w, b, stride, padding, dilation, groups):
    """The convolution by its definition, with array slices."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = (
        len(window_starts(x.shape[2 + at], w.shape[2 + at], stride, 0, dilation)) for at in (0, 1)
    )
    y = np.zeros((x.shape[0], w.shape[0], height, width), dtype=int)
    per_in, per_out = x.shape[1] // groups, w.shape[0] // groups
    for c in range(w.shape[0]):
        mine = x[:, c // per_out * per_in :][:, :per_in]
        for i, j in np.ndindex(w.shape[2:]):
            patch = mine[:, :, i * dilation :: stride, j * dilation :: stride][
                :, :, :height, :width
            ]
            y[:, c] += np.einsum("bchw,c->bhw", patch, w[c, :, i, j])
    return y + b[:, None, None]


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [(1, 0, 1, 1), (2, 1, 1, 1), (1, 2, 2, 3), (3, 1, 2, 1), (1, 1, 1, 3)],
)
def test_the_conv2d_loop_computes_a_convolution(stride, padding, dilation, groups):
    x, w, b = whole(2, 6, 7, 9), whole(3, 6 // groups, 3, 2), whole(3)
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = loops()["conv2d"](x.tolist(), w.tolist(), b.tolist(), **settings)
    assert y == convolved(x, w, b, **settings).tolist()
    assert len(y[0][0]) == conv_output_size(7, 3, stride=stride, padding=padding, dilation=dilation)


def test_the_depthwise_and_pointwise_loops_are_special_convolutions():
    x, b = whole(2, 5, 4, 3), whole(5)
    depthwise, pointwise = whole(5, 1, 2, 3), whole(5, 5)
    apart = loops()["depthwise_conv2d"](x.tolist(), depthwise.tolist(), b.tolist())
    assert apart == convolved(x, depthwise, b, 1, 0, 1, 5).tolist()
    mixed = loops()["pointwise_conv2d"](x.tolist(), pointwise.tolist(), b.tolist())
    assert mixed == convolved(x, pointwise[:, :, None, None], b, 1, 0, 1, 1).tolist()


def test_output_sizes_are_the_number_of_windows():
    for size in range(1, 12):
        for kernel, stride, padding, dilation in np.ndindex(4, 3, 3, 3):
            starts = window_starts(size, kernel + 1, stride + 1, padding, dilation + 1)
            if starts:
                settings = {"stride": stride + 1, "padding": padding, "dilation": dilation + 1}
                assert conv_output_size(size, kernel + 1, **settings) == len(starts)
