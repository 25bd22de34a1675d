"""The loops of the chapter of further layers compute what the layers are defined to compute.

That a tally equals its formula says nothing about a loop that computes the wrong
thing. So the values are compared here with NumPy, by another route than the loop
takes, and counts with integers that were derived by hand.
"""

import math

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from flopslib import (
    Tally,
    conv1d,
    conv3d,
    conv_transpose2d,
    count,
    gated_feed_forward,
    run_and_count,
    scaled_dot_product_attention,
)
from flopslib import layers as nn
from flopslib.derivation.opcount import OpCount
from flopslib.loops import loops, primitives

SPOTS = (-9.5, -6.5, -3.0, -1.25, -0.01, 0.0, 0.3, 1.0, 2.75, 3.0, 7.5)


def whole(*shape, seed=0):
    """Return an array of small whole numbers, so that sums of products are exact."""
    return np.random.default_rng(seed).integers(-5, 6, shape)


def real(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def counting(array):
    """Return an array as nested lists of numbers that can be exponentiated."""
    tally = Tally()
    if np.ndim(array) == 0:
        return tally.number(float(array))
    return [counting(part) for part in array]


def values(nested):
    if isinstance(nested, list):
        return np.array([values(part) for part in nested])
    return getattr(nested, "value", nested)


# --- convolutions ----------------------------------------------------------------


def correlated(x, weight, groups=1):
    """Slide kernels over all axes after the channels: windows of the whole array, one einsum."""
    axes = weight.ndim - 2
    windows = sliding_window_view(x, weight.shape[2:], axis=tuple(range(2, 2 + axes)))
    inputs, outputs = weight.shape[1], len(weight) // groups
    places, cells = "uvw"[:axes], "ijk"[:axes]
    return np.concatenate(
        [
            np.einsum(
                f"bc{places}{cells},oc{cells}->bo{places}",
                windows[:, group * inputs : (group + 1) * inputs],
                weight[group * outputs : (group + 1) * outputs],
            )
            for group in range(groups)
        ],
        axis=1,
    )


def on_channels(bias, axes):
    return bias.reshape(-1, *[1] * axes)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_conv1d(groups):
    x, weight, bias = whole(2, 4, 9), whole(8, 4 // groups, 3, seed=1), whole(8, seed=2)
    y = loops()["conv1d"](x.tolist(), weight.tolist(), bias.tolist(), groups=groups)
    assert np.array_equal(y, correlated(x, weight, groups) + on_channels(bias, 1))
    y = loops()["conv1d"](x.tolist(), weight.tolist(), groups=groups)
    assert np.array_equal(y, correlated(x, weight, groups))


def test_conv1d_with_one_channel_is_numpy_s_correlate():
    x, weight = whole(11), whole(4, seed=1)
    (y,) = loops()["conv1d"]([[x.tolist()]], [[weight.tolist()]])[0]
    assert y == np.correlate(x, weight, mode="valid").tolist()


@pytest.mark.parametrize("groups", [1, 2])
def test_conv3d(groups):
    x, weight = whole(2, 4, 4, 5, 6), whole(6, 4 // groups, 2, 3, 4, seed=1)
    bias = whole(6, seed=2)
    y = loops()["conv3d"](x.tolist(), weight.tolist(), bias.tolist(), groups=groups)
    assert np.array_equal(y, correlated(x, weight, groups) + on_channels(bias, 3))


def enlarged(x, weight, groups, stride, padding, dilation):
    """Return a transposed convolution as a convolution, which is another algorithm.

    Zeros between the pixels stand for the stride and zeros between the weights for
    the dilation; the kernel is turned round and slides over as many zeros around the
    image as it has reach, and what the padding crops is cut off at the end.
    """
    spread = np.zeros((*x.shape[:2], *((side - 1) * stride + 1 for side in x.shape[2:])), int)
    spread[:, :, ::stride, ::stride] = x
    reach = [dilation * (side - 1) for side in weight.shape[2:]]
    kernel = np.zeros((*weight.shape[:2], *(n + 1 for n in reach)), int)
    kernel[:, :, ::dilation, ::dilation] = weight
    inputs = len(weight) // groups
    turned = np.concatenate(
        [
            kernel[group * inputs : (group + 1) * inputs].swapaxes(0, 1)[:, :, ::-1, ::-1]
            for group in range(groups)
        ]
    )
    y = correlated(np.pad(spread, [(0, 0), (0, 0), *((n, n) for n in reach)]), turned, groups)
    inside = [slice(padding, side - padding) for side in y.shape[2:]]
    return y[:, :, *inside]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dilation", [1, 2])
def test_conv_transpose2d(groups, stride, padding, dilation):
    x, weight = whole(2, 4, 3, 4), whole(4, 6 // groups, 3, 2, seed=1)
    bias = whole(6, seed=2)
    expected = enlarged(x, weight, groups, stride, padding, dilation) + on_channels(bias, 2)
    y = loops()["conv_transpose2d"](
        x.tolist(), weight.tolist(), bias.tolist(), size=expected.shape[2:], groups=groups,
        stride=stride, padding=padding, dilation=dilation,
    )  # fmt: skip
    assert np.array_equal(y, expected)
    layer = nn.ConvTranspose2d(4, 6, (3, 2), stride, padding, groups=groups, dilation=dilation)
    assert layer.output_shape(x.shape) == expected.shape


@pytest.mark.parametrize(
    "window", [{}, {"stride": 2}, {"padding": 1}, {"stride": 2, "padding": 1}, {"dilation": 2}]
)
@pytest.mark.parametrize("groups", [1, 2])
def test_a_transposed_convolution_is_the_transpose_of_a_convolution(window, groups):
    # ⟨conv(x), y⟩ = ⟨x, transposed(y)⟩ with the same weight, which is what the backward pass uses
    x, weight = whole(1, 4, 7, 7), whole(6, 4 // groups, 3, 3, seed=1)
    forward = np.array(loops()["conv2d"](x.tolist(), weight.tolist(), groups=groups, **window))
    y = whole(*forward.shape, seed=2)
    back = loops()["conv_transpose2d"](
        y.tolist(), weight.tolist(), size=(7, 7), groups=groups, **window
    )
    assert np.sum(forward * y) == np.sum(x * np.array(back))


def test_output_padding_crops_less_at_the_end_and_adds_no_product():
    x, weight = whole(1, 1, 3, 3), whole(1, 1, 3, 3, seed=1)
    options = {"stride": 2, "padding": 1}
    small, large = (
        np.array(loops()["conv_transpose2d"](x.tolist(), weight.tolist(), size=n, **options))
        for n in ((5, 5), (6, 6))
    )
    assert np.array_equal(large[:, :, :5, :5], small)
    for extra in (0, 1):
        layer = nn.ConvTranspose2d(1, 1, 3, 2, 1, output_padding=extra, bias=False)
        report = count(layer, (1, 1, 3, 3))
        assert report.output_shape == (1, 1, 5 + extra, 5 + extra)
        assert report.macs == 9 * 9


@pytest.mark.parametrize("window", [{"stride": 3}, {"padding": 2}, {"dilation": 2}])
def test_nothing_but_the_input_decides_what_a_scatter_costs(window):
    tally = Tally()
    x, weight = tally.numbers((1, 2, 3, 4)), tally.numbers((2, 5, 2, 3))
    loops()["conv_transpose2d"](x, weight, size=(4, 4), **window)
    # 2*3*4 pixels, 5*2*3 weights for each
    assert tally.record() == OpCount(multiplications=720, additions=720, macs=720)


# --- attention and the gate ------------------------------------------------------


def softmax(scores):
    weights = np.exp(scores)
    return weights / weights.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("seen", [4, 7])
def test_scaled_dot_product_attention(causal, seen):
    q, k, v = real(2, 3, 4, 5), real(2, 3, seen, 5, seed=1), real(2, 3, seen, 5, seed=2)
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(5)
    if causal:  # the four queries are the last four positions
        later = np.arange(seen) > np.arange(seen - 4, seen)[:, None]
        scores = np.where(later, -np.inf, scores)
    y = loops()["scaled_dot_product_attention"](*map(counting, (q, k, v)), causal=causal)
    assert values(y) == pytest.approx(softmax(scores) @ v)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_gated_feed_forward():
    x = real(2, 3, 4)
    w_gate, w_up, w_down = real(5, 4, seed=1), real(5, 4, seed=2), real(4, 5, seed=3)
    b_gate, b_up, b_down = real(5, seed=4), real(5, seed=5), real(4, seed=6)
    gate = x @ w_gate.T + b_gate
    expected = (gate * sigmoid(gate) * (x @ w_up.T + b_up)) @ w_down.T + b_down
    y = loops()["gated_feed_forward"](
        *map(counting, (x, w_gate, b_gate, w_up, b_up, w_down, b_down))
    )
    assert values(y) == pytest.approx(expected)
    gate = x @ w_gate.T
    expected = (gate * sigmoid(gate) * (x @ w_up.T)) @ w_down.T
    x, w_gate, w_up, w_down = map(counting, (x, w_gate, w_up, w_down))
    y = loops()["gated_feed_forward"](x, w_gate, None, w_up, None, w_down, None)
    assert values(y) == pytest.approx(expected)


# --- the small rows --------------------------------------------------------------


def test_rms_norm():
    x, gamma = real(7), real(7, seed=1)
    expected = x / np.sqrt(np.mean(x**2) + 1e-5)
    assert values(primitives.rms_norm(counting(x))) == pytest.approx(expected)
    y = primitives.rms_norm(counting(x), counting(gamma))
    assert values(y) == pytest.approx(expected * gamma)


def test_layer_norm():
    x, gamma, beta = real(7), real(7, seed=1), real(7, seed=2)
    expected = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * gamma + beta
    assert values(primitives.layer_norm(*map(counting, (x, gamma, beta)))) == pytest.approx(
        expected
    )


TEXTBOOK = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    # Hendrycks and Gimpel, 2016
    "gelu_tanh": lambda x: (
        0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    # Howard et al., 2019
    "hardsigmoid": lambda x: min(max(x + 3, 0), 6) / 6,
    "hardswish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "leaky_relu": lambda x: max(x, 0.01 * x),
    # Dugas et al., 2000; Clevert et al., 2015; Misra, 2019
    "softplus": lambda x: math.log1p(math.exp(x)),
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
}


@pytest.mark.parametrize("name", TEXTBOOK)
@pytest.mark.parametrize("x", SPOTS)
def test_activations(name, x):
    found = values(getattr(primitives, name)(counting(x)))
    assert found == pytest.approx(TEXTBOOK[name](x), abs=1e-12)


def test_a_softplus_has_a_slope_of_its_own_and_a_threshold():
    assert values(primitives.softplus(counting(0.5), 3.0)) == pytest.approx(
        math.log1p(math.exp(1.5)) / 3
    )
    assert values(primitives.softplus(counting(7.5), 3.0)) == 7.5
    assert values(primitives.softplus(counting(7.5), 3.0, 30.0)) == pytest.approx(7.5)
    assert values(primitives.softplus(counting(1000.0))) == 1000.0
    assert values(primitives.mish(counting(1000.0))) == 1000.0


def test_a_slope_below_0_is_given_or_learnt():
    assert values(primitives.elu(counting(-1.0), 2.0)) == pytest.approx(2 * math.expm1(-1))
    assert values(primitives.prelu(counting(-3.0), 0.25)) == -0.75
    assert values(primitives.prelu(counting(3.0), 0.25)) == 3.0


def test_a_gate_lets_its_half_through():
    assert values(primitives.glu([counting(3.0), counting(0.4)])) == pytest.approx(
        3 / (1 + math.exp(-0.4))
    )


def test_a_log_softmax_is_the_logarithm_of_a_softmax():
    x = [counting(number) for number in SPOTS]
    logs = [math.log(number) for number in values(primitives.softmax(x))]
    assert values(primitives.log_softmax(x)) == pytest.approx(logs)


def test_a_rotation_turns_a_pair():
    # a table that holds −sin beside sin costs nothing: (x + iy)·(cos + i·sin)
    turned = complex(3, 4) * complex(0.6, 0.8)
    assert primitives.rotary(3, 4, 0.6, -0.8) == pytest.approx(turned.real)
    assert primitives.rotary(4, 3, 0.6, 0.8) == pytest.approx(turned.imag)


# --- integers by hand ------------------------------------------------------------

PINNED = [
    # 6*5 outputs: (4/2)*3 = 6 products, 5 sums, no bias
    (
        (conv1d, (4, 6, 3, 5), {"groups": 2, "bias": False}),
        OpCount(multiplications=180, additions=150, macs=180),
    ),
    # 3 channels of 7*2*4 = 56 outputs: 2*(2*3*5) = 60 products, 59 sums and a bias
    (
        (conv3d, (2, 3, (2, 3, 5), 7, 2, 4), {}),
        OpCount(multiplications=10080, additions=10080, macs=10080),
    ),
    # 6*5*7 = 210 pixels: (4/2)*2*3 = 12 products, 12 additions; 4*6*9 = 216 biases
    (
        (conv_transpose2d, (6, 4, (2, 3), 5, 7, 6, 9), {"groups": 2}),
        OpCount(multiplications=2520, additions=2736, macs=2520),
    ),
    # 2*3*7 = 42 scores: 5 products, 4 sums, 1 scaling; 6 rows of softmax: 7 - 1 and 7 additions,
    # 6 comparisons, 7 exponentials, 7 divisions; 2*3*5 = 30 outputs: 7 products, 6 sums
    (
        (scaled_dot_product_attention, (3, 5), {"num_heads": 2, "kv_seq_len": 7}),
        OpCount(
            multiplications=42 * 6 + 30 * 7,
            additions=42 * 4 + 6 * 13 + 30 * 6,
            macs=420,
            other={"comparisons": 36, "exponentials": 42, "divisions": 42},
        ),
    ),
    # the three queries see 5, 6 and 7 of the seven: 2*18 = 36 scores; a row of n has 2n - 1
    # additions and n - 1 comparisons, 9 + 11 + 13 = 33 and 15 in a head; 5 outputs a row
    (
        (scaled_dot_product_attention, (3, 5), {"num_heads": 2, "kv_seq_len": 7, "causal": True}),
        OpCount(
            multiplications=36 * 6 + 36 * 5,
            additions=36 * 4 + 2 * 33 + 2 * 15 * 5,
            macs=360,
            other={"comparisons": 30, "exponentials": 36, "divisions": 36},
        ),
    ),
    # 6 tokens, 42 hidden numbers: twice 5 products, 4 sums and a bias; SiLU 1 and 1, gate 1;
    # 30 outputs: 7 products, 6 sums and a bias
    (
        (gated_feed_forward, (3, 5, 7), {"batch": 2}),
        OpCount(
            multiplications=42 * (5 + 5 + 1 + 1) + 30 * 7,
            additions=42 * (5 + 5 + 1) + 30 * 7,
            macs=630,
            other={"divisions": 42, "exponentials": 42},
        ),
    ),
    # the same without biases: one addition less for each of 42, 42 and 30
    (
        (gated_feed_forward, (3, 5, 7), {"batch": 2, "bias": False}),
        OpCount(
            multiplications=714,
            additions=672 - 114,
            macs=630,
            other={"divisions": 42, "exponentials": 42},
        ),
    ),
]


@pytest.mark.parametrize(("call", "record"), PINNED, ids=[case[0][0].__name__ for case in PINNED])
def test_pinned(call, record):
    function, sizes, options = call
    assert function(*sizes, **options).total == record
    assert run_and_count(function, *sizes, **options) == record


def test_real_layers():
    # Whisper small, the second convolution: 768 * 768 * 3 weights at 1500 places
    assert conv1d(768, 768, 3, 1500).macs == 2_654_208_000
    # R3D-18, the first: 3*64 kernels of 3*7*7 at 16*56*56 places
    assert conv3d(3, 64, (3, 7, 7), 16, 56, 56, bias=False).macs == 192 * 147 * 50_176
    # DCGAN's generator, the last: 64*3 kernels of 4*4 for 32*32 pixels of the input
    assert conv_transpose2d(64, 3, 4, 32, 32, 64, 64).macs == 192 * 16 * 1024 == 3_145_728
    # LLaMA-7B, one token: three matrices of 4096 * 11008
    assert gated_feed_forward(1, 4096, 11008).macs == 3 * 45_088_768


def test_a_scatter_counted_by_its_output():
    # 16*8 kernels of 3*3 for 7*7 pixels of the input, not for 15*15 of the output
    report = count(nn.ConvTranspose2d(16, 8, 3, stride=2, bias=False), (1, 16, 7, 7))
    assert report.output_shape == (1, 8, 15, 15)
    assert report.macs == 16 * 8 * 9 * 49 == 56_448
    assert 16 * 8 * 9 * 15 * 15 == 259_200


def test_a_squeeze_has_many_weights_and_little_work():
    # 12 -> 3 -> 12 on one pixel; means of 4*5 cells; ReLU 3, sigmoid 12; 12*20 products
    report = count(nn.SqueezeExcitation(12, 3), (1, 12, 4, 5))
    assert report.parameters == 36 + 3 + 36 + 12
    assert report.macs == 72
    assert report.multiplications == 72 + 240
    assert report.additions == 12 * 19 + 72 + 12
    assert dict(report.other) == {"divisions": 12 + 12, "comparisons": 3, "exponentials": 12}


def test_an_embedding_has_weights_and_does_nothing():
    report = count(nn.Embedding(1000, 16), (2, 7))
    assert (report.output_shape, report.parameters) == ((2, 7, 16), 16000)
    assert (report.macs, report.exact_flops, dict(report.other)) == (0, 0, {})
