"""Bytes: what is derived from operands is what a loop on numbers that know their place moves."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import shapes
import sympy
from witnesses import saw

from flopslib import (
    Derivation,
    Operand,
    Step,
    conv2d,
    conv_transpose2d,
    depthwise_conv2d,
    feed_forward,
    formula,
    gated_feed_forward,
    linear,
    matmul,
    multihead_attention,
    registered,
    scaled_dot_product_attention,
    transformer_layer,
)
from flopslib.derivation.primitives import dot_product
from flopslib.loops.moving import run_and_move
from flopslib.notation import B, C_in, C_out, G, H_out, I, K_h, K_w, L, O, W_out, d, h
from flopslib.traffic import BF16, FP32, Widths, traffic

COSTS = list(registered().values())
every_cost = pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.name)
#: One byte a number, whatever it is: bytes are numbers then.
NUMBERS = Widths(activation=8, weight=8)


def cases(cost):
    quick = [s for s in shapes.cases(cost) if cost.function(**s).exact_flops < 3_000]
    return quick[::4][: 2 if len(cost.flags) > 1 else 7]


def occurring(moved):
    return {role: n for role, n in moved.items() if n}


def agree(derivation, derived, executed):
    """Whether both move the same; of weights that a router chooses, at most what is derived."""
    derived, executed = occurring(derived), occurring(executed)
    if any(step.chosen for step in derivation.steps) and derivation.operands[0].shape[:2] != (1, 1):
        return executed.pop("weight") <= derived.pop("weight") and derived == executed
    return derived == executed


@every_cost
def test_what_is_derived_is_what_is_moved(cost):
    for flags in shapes.flag_settings(cost):
        for sizes in cases(cost):
            derivation = cost.function(**sizes, **flags)
            moves = run_and_move(cost.function, **sizes, **flags)
            for fused in (False, True):
                derived = traffic(derivation, NUMBERS, fused=fused).by_role
                executed = moves.moved(fused=fused)
                assert agree(derivation, derived, executed), (sizes, flags, fused)
                saw("loops")


@every_cost
def test_any_steps_side_by_side_can_be_fused(cost):
    sizes = cases(cost)[1]
    derivation = cost.function(**sizes)
    names = [each.name for each in traffic(derivation).passes]
    moves = run_and_move(cost.function, **sizes)
    assert len(names) == len(moves.passes)
    for start, end in itertools.combinations(range(len(names) + 1), 2):
        fused = traffic(derivation, NUMBERS, fused=[tuple(names[start:end])])
        groups = [start if start <= at < end else at for at in range(len(names))]
        assert len(fused.passes) == len(set(groups))
        assert agree(derivation, fused.by_role, moves.moved(fused=groups)), (start, end)
        saw("loops")


@every_cost
def test_the_formula_gives_the_bytes_by_substitution(cost):
    for flags in list(shapes.flag_settings(cost))[:2]:
        for sizes in cases(cost)[1:2]:
            given = {n: cost.symbols(n)[0] for n in cost.defaults if n in sizes}
            symbolic = formula(cost.function, **flags, **given)
            values = {}
            for name, value in sizes.items():
                entries = value if cost.axes(name) > 1 else (value,)
                values |= dict(zip(cost.symbols(name), map(sympy.Integer, entries), strict=True))
            numeric = cost.function(**sizes, **flags)
            for fused in (False, True):
                letters = sympy.sympify(traffic(symbolic, fused=fused).bytes)
                assert letters.xreplace(values) == traffic(numeric, fused=fused).bytes
                saw("letters")


@every_cost
def test_fusing_never_moves_more(cost):
    derivation = cost.function(**cases(cost)[-1])
    assert traffic(derivation, fused=True).bytes <= traffic(derivation).bytes


# --- formulas ------------------------------------------------------------------------------


def test_a_linear_layer_moves_its_weights_its_input_and_its_output():
    moved = traffic(formula(linear, bias=False))
    assert sympy.expand(moved.bytes - 2 * (B * I + I * O + B * O)) == 0
    assert sympy.simplify(moved.intensity - B * I * O / (B * I + I * O + B * O)) == 0


def test_a_convolution_reads_each_pixel_once():
    moved = traffic(formula(conv2d, bias=False), FP32)
    pixels = B * C_in * (H_out + K_h - 1) * (W_out + K_w - 1)
    weights = C_out * (C_in / G) * K_h * K_w
    assert sympy.expand(moved.bytes - 4 * (pixels + weights + B * C_out * H_out * W_out)) == 0


def test_attention_unfused_moves_its_square_six_times():
    square = 2 * B * h * L**2
    attention = formula(scaled_dot_product_attention, head_dim=d / h)
    alone, fused = traffic(attention), traffic(attention, fused=True)
    assert sympy.expand(fused.bytes - 2 * 4 * B * L * d) == 0  # q, k, v in, the sums out
    # the square is written by scores, scaling, softmax and read by the next step each time
    assert sympy.expand(alone.bytes - fused.bytes - 6 * square) == 0


def test_a_cache_is_read_and_has_a_width_of_its_own():
    token = multihead_attention(1, 64, num_heads=4, num_kv_heads=2, kv_seq_len=9, bias=False)
    moved = traffic(token, Widths(cache=8), fused=True).by_role
    # 8 positions kept, keys and values, 2 heads of 16 numbers
    assert moved["cache"] == 8 * 2 * 2 * 16
    assert traffic(token, fused=True).by_role["cache"] == 2 * moved["cache"]


def test_copies_have_weights_of_their_own():
    assert traffic(3 * linear(5, 7, batch=2)).bytes == 3 * traffic(linear(5, 7, batch=2)).bytes


# --- widths --------------------------------------------------------------------------------


def test_widths_by_role():
    layer = linear(6, 4, batch=5, bias=False)
    widths = Widths(activation=8, weight=4, accumulator=32)
    # 5·6 bytes in, 24 half bytes of weights, 5·4 sums of 4 bytes out
    assert traffic(layer, widths).by_role == {"input": 30, "weight": 12, "result": 80}
    two = feed_forward(3, 4, bias=False)
    assert [(p.read, p.written) for p in traffic(two, widths).passes] == [
        # 3·4 numbers and 64 half bytes in, 3·16 sums out; these in, rounded out; these in …
        (12 + 32, 48 * 4), (48 * 4, 48), (48 + 32, 12 * 4),
    ]  # fmt: skip


def test_groups_of_weights_have_scales():
    weight = Operand("weight", (3, 200), "weight")
    int4 = Widths(weight=4, group_size=128)
    assert int4.bytes(weight) == 300 + 3 * 2 * 2  # two groups in each row, the second half full
    assert Widths(weight=8, group_size=100, scale=32).bytes(weight) == 600 + 3 * 2 * 4
    assert int4.bytes(Operand("bias", (200,), "weight")) == 100  # a vector has no groups
    assert int4.bytes(Operand("x", (3, 200))) == 1200
    letters = int4.bytes(Operand("weight", (O, I), "weight"))
    assert letters.subs({O: 3, I: 200}) == int4.bytes(weight)
    assert Widths(weight=4).bytes(Operand("weight", (3, 5), "weight")) == 8  # 7½, rounded up


@pytest.mark.parametrize("name", ["activation", "weight", "cache", "group_size", "scale", "state"])
@pytest.mark.parametrize("value", [0, -8, 2.5, True, "16"])
def test_a_width_is_a_positive_whole_number(name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be a positive integer"):
        Widths(**{name: value})
    if name in ("activation", "weight"):
        with pytest.raises(TypeError, match=f"{name} must be a positive integer"):
            Widths(**{name: None})


# --- arrays --------------------------------------------------------------------------------


def test_a_sweep_moves_what_each_of_its_entries_moves():
    lengths = np.array([1, 77, 2048])
    swept = traffic(transformer_layer(lengths, 768, num_heads=12))
    each = [traffic(transformer_layer(int(n), 768, num_heads=12)) for n in lengths]
    assert swept.bytes.tolist() == [one.bytes for one in each]
    assert swept.other.tolist() == [one.other for one in each]
    assert np.allclose(swept.intensity, [float(one.intensity) for one in each])
    huge = traffic(matmul(np.array([2, 2**40]), 2**40, 2**40))
    assert huge.bytes[1] == 2 * 3 * 2**80


# --- figures -------------------------------------------------------------------------------


def test_intensity_is_exact():
    layer = traffic(linear(4, 6, batch=3, bias=False))
    assert layer.intensity == Fraction(2 * 3 * 4 * 6, 2 * (12 + 24 + 18))
    assert layer.passes[0].intensity == layer.intensity
    assert traffic(depthwise_conv2d(64, 3, 56, 56)).intensity < 5


def test_operations_beside_the_products():
    ffn = traffic(feed_forward(3, 4))
    # 48 hidden numbers: bias, GELU of 3 + 1 + 1 operations; 12 outputs with a bias
    assert [each.other for each in ffn.passes] == [48, 48 * 5, 12]
    assert ffn.other == 48 + 240 + 12
    assert ffn.flops == 2 * 2 * 3 * 4 * 16


def test_how_it_shows():
    assert repr(traffic(linear(3, 2, batch=5))) == "Traffic(66 bytes, 60 FLOPs: linear)"
    assert repr(traffic(gated_feed_forward(1, 2, 3))).endswith(
        "SiLU, up projection, gate and 1 more)"
    )
    fused = traffic(scaled_dot_product_attention(2, 3, causal=True), fused=True)
    assert [each.name for each in fused.passes] == ["scores … weighted sum"]


def test_groups_by_the_names_of_layers():
    def inside(path):
        made = linear(4, 4, bias=False) + linear(4, 4, bias=False)
        first, second = made.steps
        chained = made.on(x=Operand("x", (1, 4)))
        first, second = chained.steps
        steps = [
            Step(f"{path}.one", first.parts, first.shape, reads=first.reads, writes=first.writes)
        ]
        reads = (steps[0].writes, second.reads[1])
        return [
            *steps,
            Step(f"{path}.two", second.parts, second.shape, reads=reads, writes=second.writes),
        ]

    network = Derivation((*inside("h.0.mlp"), *inside("h.1.mlp")))
    assert [each.name for each in traffic(network, fused="h.0.mlp").passes] == [
        "h.0.mlp.one … h.0.mlp.two", "h.1.mlp.one", "h.1.mlp.two",
    ]  # fmt: skip
    assert len(traffic(network, fused="mlp").passes) == 1  # all of them are side by side
    assert len(traffic(network, fused=["h.0", "h.1"]).passes) == 2
    assert len(traffic(network, fused=[("one", "two")]).passes) == 1


# --- what is refused -----------------------------------------------------------------------


def test_what_cannot_be_told_is_refused():
    with pytest.raises(ValueError, match="the step 'x' does not say what it reads and writes"):
        traffic(Step("x", (dot_product(3),), (2,)))
    with pytest.raises(TypeError, match="derivation must be a derivation such as"):
        traffic(linear)
    with pytest.raises(ValueError, match="fused names 'flash', and no step is called that"):
        traffic(scaled_dot_product_attention(3, 4), fused="flash")
    for wrong in (1, None, ["scores", 3]):
        with pytest.raises(TypeError, match="fused must be True, False or names of steps"):
            traffic(scaled_dot_product_attention(3, 4), fused=wrong)


def test_a_run_on_numbers_refuses_what_is_none():
    with pytest.raises(TypeError, match="out_features must be an int"):
        run_and_move(linear, 3, O)
    moves = run_and_move(feed_forward, 2, 3)
    with pytest.raises(ValueError, match="fused must have a group for each of the 3 passes"):
        moves.moved(fused=[0, 1])


def test_the_watch_is_gone_after_a_run():
    import sys

    before = sys.getprofile()
    run_and_move(conv_transpose2d, 2, 3, 2, 2, 2, 3, 3)
    with pytest.raises(TypeError):
        run_and_move(len)
    assert sys.getprofile() is before


def test_a_step_by_itself():
    step = linear(3, 2, batch=5).steps[0]
    assert traffic(step, BF16).bytes == traffic(linear(3, 2, batch=5)).bytes
    assert traffic(Derivation(())).bytes == 0
