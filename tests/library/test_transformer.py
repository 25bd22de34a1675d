"""The Transformer: what is computed, what it costs, and the identities of the book."""

import math

import numpy as np
import pytest
import sympy

from flopsbook.tables import steps_table
from flopslib import (
    conv2d,
    depthwise_conv2d,
    depthwise_separable_conv2d,
    feed_forward,
    formula,
    linear,
    multihead_attention,
    pointwise_conv2d,
    run_and_count,
    transformer_layer,
)
from flopslib.derivation.approximation import relative_error, where_equal
from flopslib.loops import loops
from flopslib.loops.operands import operand_sizes, parameters
from flopslib.loops.primitives import gelu, gelu_tanh
from flopslib.loops.running import bound, loop_of
from flopslib.notation import B, C_in, C_out, L, L_kv, d, d_ff, d_k, h, h_kv

FIGURES = ("multiplications", "additions", "macs", "flops", "exact_flops", "other")


class TestIdentities:
    def test_the_boxes(self):
        assert formula(multihead_attention).flops == 4 * B * L**2 * d + 8 * B * L * d**2
        assert formula(feed_forward).flops == 16 * B * L * d**2
        assert formula(transformer_layer).flops == 4 * B * L**2 * d + 24 * B * L * d**2

    def test_attention_exactly(self):
        attention = formula(multihead_attention)
        conventional = 8 * B * L * d**2 + 4 * B * L**2 * d
        rest = 2 * B * h * L**2 - B * h * L - B * L * d
        assert sympy.expand(attention.exact_flops - conventional - rest) == 0
        assert {kind: sympy.expand(n) for kind, n in attention.other.items()} == {
            "exponentials": B * h * L**2,
            "divisions": B * h * L**2,
            "comparisons": sympy.expand(B * h * L * (L - 1)),
        }

    def test_heads_cancel_in_the_matmuls_alone(self):
        attention = formula(multihead_attention)
        assert h not in attention.macs.free_symbols
        assert h in attention.additions.free_symbols

    def test_causal_is_half_and_a_diagonal(self):
        full, causal = (formula(multihead_attention, causal=flag) for flag in (False, True))
        pairs = sympy.expand(full.flops - causal.flops)
        # L² - L(L + 1)/2 = L(L - 1)/2 pairs of 4d FLOPs fewer
        assert pairs == sympy.expand(2 * B * L * (L - 1) * d)

    def test_one_token_with_a_cache(self):
        step = formula(multihead_attention, seq_len=1, kv_seq_len=L_kv)
        assert step.flops == 8 * B * d**2 + 4 * B * L_kv * d
        causal = formula(multihead_attention, seq_len=1, kv_seq_len=L_kv, causal=True)
        assert sympy.expand(causal.flops - step.flops) == 0

    def test_fewer_key_value_heads_shrink_two_projections(self):
        grouped = formula(multihead_attention, num_kv_heads=h_kv)
        saved = formula(multihead_attention).flops - grouped.flops
        # two projections of d · (h - h_kv) · d / h
        assert sympy.simplify(saved - 4 * B * L * d**2 * (1 - h_kv / h)) == 0

    def test_a_head_of_its_own_width(self):
        wide = formula(multihead_attention, head_dim=d_k)
        assert sympy.expand(wide.flops - 8 * B * L * d * h * d_k - 4 * B * L**2 * h * d_k) == 0

    def test_the_ffn_has_its_own_width(self):
        assert formula(feed_forward, d_ff=d_ff).flops == 4 * B * L * d * d_ff

    def test_the_layer_is_the_sum_of_its_parts(self):
        parts = formula(multihead_attention) + formula(feed_forward)
        layer = formula(transformer_layer)
        assert layer.flops == parts.flops
        # two norms of 2d and 4d - 1, two sums of d, for each position
        assert sympy.expand(layer.multiplications - parts.multiplications) == 4 * B * L * d
        extra = sympy.expand(layer.additions - parts.additions)
        assert extra == sympy.expand(2 * B * L * (4 * d - 1) + 2 * B * L * d)

    @pytest.mark.parametrize("bias", [True, False])
    def test_the_separable_convolution_is_the_sum_of_its_parts(self, bias):
        layer = formula(depthwise_separable_conv2d, bias=bias)
        parts = formula(depthwise_conv2d, bias=bias) + formula(pointwise_conv2d, bias=bias)
        for figure in FIGURES:
            assert getattr(layer, figure) == getattr(parts, figure)
        assert layer.steps == parts.steps

    def test_the_saving(self):
        layer = formula(depthwise_separable_conv2d)
        ordinary = formula(conv2d, groups=1)
        from flopslib.notation import K_h, K_w

        assert sympy.simplify(layer.macs / ordinary.macs - 1 / C_out - 1 / (K_h * K_w)) == 0
        assert C_in not in sympy.simplify(layer.macs / ordinary.macs).free_symbols


# by hand, d = 4 in 2 heads, 3 positions, no cache
PINNED = [
    # 4 projections of 3*4*4 = 48: 192; scores 2*9*2 = 36; sums 2*3*3*2 = 36
    # multiplications: 264 and a scaling for each of 18 scores: 282
    # additions: projections with biases 192; scores 18*1; softmax 6 rows of 2*3 - 1 = 30;
    # sums 24 outputs of 2 = 24 * ... 2*3*2 = 12 outputs of 2 = 24
    (multihead_attention(3, 4, num_heads=2), (282, 192 + 18 + 30 + 24, 264)),
    # causal: 6 of 9 pairs: scores 2*6*2 = 24, sums 24, scaling 12
    # additions: 192; scores 12; softmax 2*(1 + 3 + 5) = 18; sums 2*2*(0 + 1 + 2) = 12
    (multihead_attention(3, 4, num_heads=2, causal=True), (252, 192 + 12 + 18 + 12, 240)),
    # one token after 4 others, one shared head of keys: projections 16 + 8 + 8 + 16 = 48
    # scores 2*5*2 = 20, sums 20, scaling 10; no bias: 12 outputs of 3 sums = 36;
    # scores 10, softmax 2*9, sums 4*4
    (
        multihead_attention(1, 4, num_heads=2, num_kv_heads=1, kv_seq_len=5, bias=False),
        (98, 36 + 10 + 18 + 16, 88),
    ),
    # 2 positions: 3 -> 5 -> 3: 15 each way, 5 GELUs of 3 products and 1 sum
    (feed_forward(2, 3, d_ff=5), (2 * (15 + 15 + 15), 2 * (15 + 5 + 15), 60)),
    # the same with GELUs by tanh, of 4 products and 2 sums
    (feed_forward(2, 3, d_ff=5, tanh_gelu=True), (2 * (15 + 20 + 15), 2 * (15 + 10 + 15), 60)),
    # 3 channels, a 2x2 kernel, 5 out, 7 pixels: 3*4*7 = 84 and 3*5*7 = 105
    # additions: 3*7 of 3, 5*7 of 2
    (depthwise_separable_conv2d(3, 5, 2, 7, 1, bias=False), (189, 63 + 70, 189)),
]


@pytest.mark.parametrize(("derivation", "expected"), PINNED, ids=lambda value: str(value)[:30])
def test_pinned(derivation, expected):
    found = (derivation.multiplications, derivation.additions, derivation.macs)
    assert found == expected


def test_other_operations_of_a_layer():
    # d = 4, 3 positions, 2 heads: 18 scores in 6 rows; 2*3 norms of 4 + 2 divisions; 3*16 erfs
    other = transformer_layer(3, 4, num_heads=2).other
    assert dict(other) == {
        "comparisons": 12,
        "divisions": 18 + 36,
        "exponentials": 18,
        "square_roots": 6,
        "erfs": 48,
    }


def test_a_gelu_by_tanh_has_an_exponential_and_a_division_in_place_of_an_erf():
    by_erf, by_tanh = (transformer_layer(3, 4, num_heads=2, tanh_gelu=t) for t in (False, True))
    bent = 3 * 16
    assert by_tanh.macs == by_erf.macs
    assert by_tanh.exact_flops == by_erf.exact_flops + 2 * bent
    others = {"exponentials": 18 + bent, "divisions": 18 + 36 + bent}
    assert dict(by_tanh.other) == {"comparisons": 12, "square_roots": 6} | others


def operands_and_options(function, *args, **kwargs):
    cost, loop = loop_of(function)
    shapes = {each.name: each.shape for each in function(*args, **kwargs).operands}
    return bound(loop, shapes, cost.arguments(*args, **kwargs))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("past", [0, 4])
@pytest.mark.parametrize("kv_heads", [1, 2])
def test_the_loop_computes_attention(causal, past, kv_heads):
    batch, new, heads, width, d_model = 2, 3, 4, 2, 5
    rng = np.random.default_rng(7)
    shapes, options = operands_and_options(
        multihead_attention, new, d_model, num_heads=heads, num_kv_heads=kv_heads,
        head_dim=width, kv_seq_len=new + past, causal=causal, batch=batch,
    )  # fmt: skip
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}

    def project(name, count):
        flat = given["x"] @ given[f"w_{name}"].T + given[f"b_{name}"]
        return flat.reshape(batch, new, count, width).transpose(0, 2, 1, 3)

    q = project("q", heads)
    k = np.concatenate([given["past_keys"], project("k", kv_heads)], axis=2)
    v = np.concatenate([given["past_values"], project("v", kv_heads)], axis=2)
    k, v = (np.repeat(one, heads // kv_heads, axis=1) for one in (k, v))
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(width)
    if causal:
        hidden = np.triu(np.ones((new, new + past)), past + 1).astype(bool)
        scores = np.where(hidden, -np.inf, scores)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    joined = (weights @ v).transpose(0, 2, 1, 3).reshape(batch, new, heads * width)
    expected = joined @ given["w_out"].T + given["b_out"]

    lists = {name: array.tolist() for name, array in given.items()}
    with_exp = {n: _floats(value) for n, value in lists.items()}
    found = loops()["multihead_attention"](**with_exp, **options)
    assert np.allclose(_values(found), expected)


def _floats(value):
    from flopslib import Tally

    tally = Tally()
    return [_floats(v) for v in value] if isinstance(value, list) else tally.number(value)


def _values(value):
    return [_values(v) for v in value] if isinstance(value, list) else value.value


@pytest.mark.parametrize(("tanh_gelu", "bend"), [(False, gelu), (True, gelu_tanh)])
def test_the_loop_computes_a_layer(tanh_gelu, bend):
    loop = loops()["transformer_layer"]
    sizes = {"num_heads": 2, "d_ff": 8, "tanh_gelu": tanh_gelu}
    shapes, options = operands_and_options(transformer_layer, 3, 4, **sizes)
    assert options.pop("tanh_gelu") is tanh_gelu
    rng = np.random.default_rng(3)
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    lists = {name: _floats(array.tolist()) for name, array in given.items()}

    def norm(x, at):
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return centred / deviation * given[f"gamma_{at}"] + given[f"beta_{at}"]

    x = given["x"]
    attention = {
        n: v for n, v in lists.items() if n[:2] in ("w_", "b_", "pa") and n[2:] not in "12"
    }
    seen = x + _values(
        loops()["multihead_attention"](_floats(norm(x, 1).tolist()), **attention, **options)
    )
    hidden = norm(seen, 2) @ given["w_1"].T + given["b_1"]
    bent = np.array(_values([[[bend(n) for n in p] for p in s] for s in _floats(hidden.tolist())]))
    expected = seen + bent @ given["w_2"].T + given["b_2"]
    assert np.allclose(_values(loop(**lists, **options, tanh_gelu=tanh_gelu)), expected)


def test_a_sweep_over_layers_is_its_entries():
    lengths, widths = np.array([[1, 5], [7, 12]]), np.array([4, 6])
    for options in ({}, {"causal": True}, {"num_heads": 2, "num_kv_heads": 1, "bias": False}):
        swept = transformer_layer(lengths, widths, **options)
        for figure in FIGURES[:-1]:
            expected = [
                [getattr(transformer_layer(int(n), int(w), **options), figure) for n, w in rows]
                for rows in [zip(row, widths, strict=True) for row in lengths]
            ]
            assert getattr(swept, figure).tolist() == expected


class TestOperands:
    def test_a_layer_has_12_d_squared_and_13_d_parameters(self):
        assert parameters(transformer_layer, L, d, num_heads=h) == 12 * d**2 + 13 * d
        assert parameters(transformer_layer, L, d, bias=False) == 12 * d**2 + 2 * d
        assert parameters(feed_forward, L, d, d_ff=d_ff) == 2 * d * d_ff + d_ff + d
        assert parameters(multihead_attention, L, d, num_heads=h) == 4 * d**2 + 4 * d

    def test_convolutions(self):
        # 64*3*7*7, and 64 biases
        assert parameters(conv2d, 3, 64, 7, 112, 112) == 9408 + 64
        assert parameters(conv2d, 6, 9, 1, 2, 2, groups=3, bias=False) == 18
        # 3*2*2 + 3 and 5*3 + 5
        assert parameters(depthwise_separable_conv2d, 3, 5, 2, 7, 1) == 15 + 20

    def test_a_cache_is_not_learnt(self):
        sizes = operand_sizes(multihead_attention, 1, 8, num_heads=2, kv_seq_len=5)
        assert sizes["past_keys"] == sizes["past_values"] == 4 * 8
        assert parameters(multihead_attention, 1, 8, kv_seq_len=5) == 4 * 72

    def test_an_array_of_widths(self):
        widths = np.array([8, 2**40])
        expected = [12 * 64 + 104, 12 * 2**80 + 13 * 2**40]
        assert parameters(transformer_layer, 1, widths).tolist() == expected

    def test_what_has_no_loop(self):
        with pytest.raises(TypeError, match="has no naive loop"):
            parameters(run_and_count, 3)
        with pytest.raises(ValueError, match="in_features"):
            parameters(linear, 0, 3)

    def test_it_is_exact_past_int64(self):
        width = 2**31 - 1
        swept = parameters(multihead_attention, 1, np.array([width]), bias=False)
        assert swept.tolist() == [4 * width**2]


class TestApproximations:
    def test_where_an_expression_has_a_value(self):
        assert where_equal(L**2 / d, 4 * d, L) == 2 * d
        assert where_equal(L / d, sympy.Rational(1, 2), L) == d / 2
        with pytest.raises(ValueError, match="at 2 positive values of L"):
            where_equal((L - 2) * (L - 5), 0, L)
        with pytest.raises(ValueError, match="at 0 positive values of L"):
            where_equal(L + 3, 1, L)

    def test_the_error_is_exact(self):
        assert relative_error(3, 4) == sympy.Rational(1, 4)
        assert relative_error(24 * d**2, 24 * d**2 + 4 * L * d) == L / (6 * d + L)


NAMES = {
    False: ["query projection", "key projection", "value projection", "scores", "scaling",
            "softmax", "weighted sum", "output projection"],
    True: ["query projection", "key projection", "value projection", "scores", "scaling",
           "softmax, first", "softmax, further", "weighted sum, first", "weighted sum, further",
           "output projection"],
}  # fmt: skip


@pytest.mark.parametrize("causal", [True, False])
def test_the_names_of_the_steps(causal):
    attention = multihead_attention(1, 4, causal=causal)
    assert attention.name == "attention"
    assert [step.name for step in attention.steps] == NAMES[causal]
    layer = transformer_layer(1, 4, causal=causal)
    assert layer.name == "Transformer layer"
    assert [step.name for step in layer.steps] == [
        "first norm", *NAMES[causal], "first residual sum",
        "second norm", "first linear", "GELU", "second linear", "second residual sum",
    ]  # fmt: skip
    assert feed_forward(1, 4).name == "FFN"
    assert depthwise_separable_conv2d(1, 1, 1, 1, 1).name == "separable conv2d"
    units = {step.name: step.unit for step in multihead_attention(2, 4).steps}
    assert (units["scaling"], units["softmax"]) == ("score", "score row")


def test_a_sweep_counts_the_other_operations_entry_by_entry():
    lengths, widths = np.array([[1, 5], [7, 12]]), np.array([4, 6])
    swept = transformer_layer(lengths, widths, num_heads=2, causal=True).other
    for kind, counts in swept.items():
        expected = [
            [transformer_layer(int(n), int(w), num_heads=2, causal=True).other[kind]
             for n, w in zip(row, widths, strict=True)]
            for row in lengths
        ]  # fmt: skip
        assert np.broadcast_to(counts, lengths.shape).tolist() == expected


def test_the_steps_of_a_sweep_can_be_tabled():
    assert "in an array" in repr(steps_table(multihead_attention(np.array([1, 2]), 2)))
