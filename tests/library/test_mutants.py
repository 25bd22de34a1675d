"""What only a mutant asked for: changes of the code that no other test noticed (`make mutants`).

Each test says what is right by another route than the code, or refuses what is
wrong. The changes that nothing can notice are in tests/library/mutants/survivors.toml.
"""

import dataclasses
import inspect
import math
import re
from collections import Counter
from typing import ClassVar
from unittest import mock

import numpy as np
import pytest
import sympy

from flopslib import count, linear, models, registered
from flopslib import layers as nn
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.primitives import relu
from flopslib.derivation.steps import Figures, Part, Step
from flopslib.layers.arguments import untouched
from flopslib.layers.normalization import _OverLast
from flopslib.layers.operations import each
from flopslib.models.language import next_token, parts, prompt, training


def text(*parts):
    """Return a text that is not the same object as any that the code has."""
    return "".join(parts)


# --- the examples of the cost functions -------------------------------------------

PIXELS = 112 * 112
LENGTH, WIDTH = 1024, 768  # GPT-2 small
EXAMPLES = {
    # name: MACs, additions, both from the published sizes of the layer that is named
    "linear": (2048 * 1000, 2048 * 1000),
    "matmul": (LENGTH * 64 * LENGTH, LENGTH * 63 * LENGTH),
    "conv2d": (64 * PIXELS * 147, 64 * PIXELS * 146),
    "depthwise_conv2d": (32 * PIXELS * 9, 32 * PIXELS * 8),
    "pointwise_conv2d": (64 * PIXELS * 32, 64 * PIXELS * 31),
    "depthwise_separable_conv2d": (PIXELS * (32 * 9 + 64 * 32), PIXELS * (32 * 8 + 64 * 31)),
    "conv1d": (768 * 1500 * 3 * 768, 768 * 1500 * 3 * 768),
    "conv3d": (64 * 16 * 56 * 56 * 441, 64 * 16 * 56 * 56 * 440),
    "conv_transpose2d": (64 * 32 * 32 * 48, 64 * 32 * 32 * 48),
    "multihead_attention": (
        4 * LENGTH * WIDTH**2 + 2 * LENGTH**2 * WIDTH,
        # four biased projections; scores and sums lack one term each; a softmax of n scores has 2n - 1
        4 * LENGTH * WIDTH**2
        + 12 * LENGTH * (LENGTH * 63 + 2 * LENGTH - 1 + 64 * (LENGTH - 1)),
    ),
    "scaled_dot_product_attention": (
        2 * LENGTH**2 * WIDTH,
        12 * LENGTH * (LENGTH * 63 + 2 * LENGTH - 1 + 64 * (LENGTH - 1)),
    ),
    # biases make the sums as many as the products; a GELU by tanh adds twice
    "feed_forward": (8 * LENGTH * WIDTH**2, 8 * LENGTH * WIDTH**2 + 2 * 4 * LENGTH * WIDTH),
    # no biases: the sums lack one term an output; SiLU adds once
    "gated_feed_forward": (3 * 4096 * 11008, 2 * 11008 * 4095 + 4096 * 11007 + 11008),
    "transformer_layer": (12 * LENGTH * WIDTH**2 + 2 * LENGTH**2 * WIDTH, None),
    # 32 heads of 128 beside a width of 2,560, 8 of them for keys; each of 4,096 positions twice
    "attention": (2560 * 128 * (2 * 32 + 2 * 8) + 2 * 32 * 128 * 4096, None),
    # a window of 1,024 sees wL − w(w − 1)/2 pairs of 8,192 tokens
    "windowed_attention": (
        8192 * 2560 * 256 * (2 * 8 + 2 * 4)
        + 2 * 8 * 256 * (1024 * 8192 - 1024 * 1023 // 2), None,
    ),
    # the recording is projected twice, the token twice, and they meet twice
    "cross_attention": (2 * 384**2 * (1500 + 1) + 2 * 384 * 1500, None),
    # a router, and two experts of three matrices
    "mixture_of_experts": (4096 * 8 + 2 * 3 * 4096 * 14336, None),
    # a router, and eight experts and a shared one of three matrices
    "shared_mixture_of_experts": (7168 * 256 + 9 * 3 * 7168 * 2048, None),
    # down, up and absorbed for 128 heads; 4,096 latents of 512, and 64 for the position
    "latent_attention": (
        7168 * (1536 + 512 + 64) + 1536 * 128 * (128 + 64) + 2 * 128 * 128 * 512
        + 128 * 4096 * (2 * 512 + 64) + 128 * 128 * 7168, None,
    ),
    "rnn_cell": (2 * 650**2, None),
    "lstm_cell": (4 * 2 * 650**2, None),
    "gru_cell": (3 * 2 * 650**2, None),
}  # fmt: skip


@pytest.mark.parametrize("name", registered())
def test_an_example_is_the_layer_that_it_names(name):
    cost = registered()[name]
    derivation = cost.function(**cost.example.arguments)
    macs, additions = EXAMPLES[name]
    assert derivation.macs == macs
    assert additions in (derivation.additions, None)


ELEMENT, PAIR, PIXEL = "output element", "visible pair", "output pixel"
PROJECTIONS = [
    ("query projection", ELEMENT),
    ("key projection", ELEMENT),
    ("value projection", ELEMENT),
]
SQUARE = [
    ("scores", ELEMENT),
    ("scaling", "score"),
    ("softmax", "score row"),
    ("weighted sum", ELEMENT),
]
TRIANGLE = [
    ("scores", PAIR), ("scaling", PAIR), ("softmax, first", "row's first score"),
    ("softmax, further", "further score"), ("weighted sum, first", "output's first product"),
    ("weighted sum, further", "further product"),
]  # fmt: skip
ATTENTION = [*PROJECTIONS, ..., ("output projection", ELEMENT)]
FFN = [("first linear", ELEMENT), ("GELU", "hidden number"), ("second linear", ELEMENT)]
GATED = [
    ("gate projection", ELEMENT), ("SiLU", "hidden number"), ("up projection", ELEMENT),
    ("gate", "hidden number"), ("down projection", ELEMENT),
]  # fmt: skip
#: With norms of queries and keys, and the logits of sinks between scores and softmax.
NORMED = [
    PROJECTIONS[0], ("query norm", "head"), PROJECTIONS[1], ("key norm", "head"), PROJECTIONS[2],
    ..., ("output projection", ELEMENT),
]  # fmt: skip
EXPERTS = [
    ("router", ELEMENT), ("sigmoid of the scores", "score"), ("choice", "position"),
    ("shares", "position"), ("expert gate", ELEMENT), ("expert SiLU", "number"),
    ("expert up", ELEMENT), ("expert product", "number"), ("expert down", ELEMENT),
    ("share of each", "number"), ("sum over experts", "number"),
]  # fmt: skip
#: The absorbed form; the scores have two parts.
LATENT = [
    ("query down", ELEMENT), ("query norm", "position"), ("query up", ELEMENT),
    ("position query up", ELEMENT), ("latent", ELEMENT), ("latent norm", "position"),
    ("position key", ELEMENT), ("query to latents", ELEMENT), ("scores of the content", PAIR),
    ("scores of the position", PAIR), ..., ("value up", ELEMENT), ("output projection", ELEMENT),
]  # fmt: skip


def _gate(letter, bent="sigmoid"):
    of = [(f"W_i{letter} x", ELEMENT), (f"W_h{letter} h", ELEMENT)]
    return [*of, (f"sum {letter}", "number"), (f"{bent} {letter}", "number")]


STEPS = {
    # name: the name of the derivation, and of every step with what it calls an output
    "linear": ("linear", [("linear", ELEMENT)]),
    "matmul": ("matmul", [("matmul", ELEMENT)]),
    "conv2d": ("conv2d", [("conv2d", PIXEL)]),
    "depthwise_conv2d": ("depthwise conv2d", [("depthwise conv2d", PIXEL)]),
    "pointwise_conv2d": ("pointwise conv2d", [("pointwise conv2d", PIXEL)]),
    "depthwise_separable_conv2d": (
        "separable conv2d", [("depthwise conv2d", PIXEL), ("pointwise conv2d", PIXEL)],
    ),
    "conv1d": ("conv1d", [("conv1d", ELEMENT)]),
    "conv3d": ("conv3d", [("conv3d", "output voxel")]),
    "conv_transpose2d": ("transposed conv2d", [("scatter", "input pixel"), ("bias", PIXEL)]),
    "multihead_attention": ("attention", ATTENTION),
    "scaled_dot_product_attention": ("scores and sums", [...]),
    "feed_forward": ("FFN", FFN),
    "gated_feed_forward": (
        "gated FFN", GATED,
    ),
    "transformer_layer": (
        "Transformer layer",
        [("first norm", "token"), *ATTENTION, ("first residual sum", ELEMENT),
         ("second norm", "token"), *FFN, ("second residual sum", ELEMENT)],
    ),
    "attention": ("attention", NORMED),
    "windowed_attention": ("attention", NORMED),
    "cross_attention": ("attention", NORMED),
    "mixture_of_experts": ("mixture of experts", EXPERTS),
    "shared_mixture_of_experts": (
        "mixture of experts with a shared one",
        [*EXPERTS, *GATED, ("shared gate", ELEMENT), ("sigmoid", "position"),
         ("shared share", ELEMENT), ("sum", ELEMENT)],
    ),
    "latent_attention": ("latent attention", LATENT),
    "rnn_cell": ("RNN cell", [*_gate("h", "tanh")[:-1], ("tanh", "number")]),
    "lstm_cell": (
        "LSTM cell",
        [*_gate("i"), *_gate("f"), *_gate("g", "tanh"), *_gate("o"),
         *((name, "number") for name in ("forget", "remember", "memory", "tanh of the memory", "output"))],
    ),
    "gru_cell": (
        "GRU cell",
        [*_gate("r"), *_gate("z"), *_gate("n", "tanh")[:2], ("reset", "number"),
         *_gate("n", "tanh")[2:],
         *((name, "number") for name in ("difference", "update", "new state"))],
    ),
}  # fmt: skip


def steps(derivation):
    return [(step.name, step.unit) for step in derivation.steps]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", registered())
def test_a_step_says_what_it_counts(name, causal):
    cost = registered()[name]
    flags = {flag: True for flag in cost.flags if flag != "causal"}
    flags |= {"causal": causal} if "causal" in cost.flags else {}
    derivation = cost.function(**{**cost.example.arguments, **flags})
    title, expected = STEPS[name]
    seen = list(TRIANGLE if causal and "causal" in cost.flags else SQUARE)
    if name == "latent_attention":
        seen = seen[1:]  # its scores have parts of their own
    if "sink_logits" in cost.flags:
        windowed = name == "windowed_attention"
        seen = list(TRIANGLE) if windowed else seen
        seen.insert(2, ("sink logits", "score row"))
    assert derivation.name == title
    assert steps(derivation) == [
        step for entry in expected for step in (seen if entry is ... else [entry])
    ]


@pytest.mark.parametrize(
    ("layer", "x", "expected"),
    [
        (nn.ReLU(), (3,), [("ReLU", "number")]),
        (nn.Sum(), (3,), [("residual sum", "number")]),
        (nn.Scale(3), (3,), [("learnt factor", "number")]),
        (nn.PositionEmbedding(3), (3,), [("position sum", "number")]),
        (nn.LearnedPositions(3, 3), (3, 3), [("position sum", "number")]),
        (nn.RelativePositionBias(2, 3), (1, 3, 4, 4), [("position bias", "number")]),
        (nn.RotaryEmbedding(2), (4,), [("rotation", "number")]),
        (nn.Softmax(0), (3,), [("softmax", "row")]),
        (nn.LogSoftmax(0), (3,), [("log softmax", "row")]),
        (nn.Softplus(), (3,), [("softplus", "number")]),
        (nn.PReLU(), (3,), [("PReLU", "number")]),
        (nn.ELU(), (3,), [("ELU", "number")]),
        (nn.Mish(), (3,), [("Mish", "number")]),
        (nn.GLU(), (4,), [("GLU", "number")]),
        (nn.BatchNorm1d(3), (1, 3), [("batch norm", "number")]),
        (nn.LayerNorm(3), (3,), [("layer norm", "position")]),
        (nn.LayerNorm2d(3), (1, 3, 3, 3), [("layer norm", "pixel")]),
        (nn.GroupNorm(1, 3), (1, 3), [("layer norm", "group")]),
        (nn.RMSNorm(3), (3,), [("RMS norm", "position")]),
        (nn.Mean(0), (3,), [("average pooling", "mean")]),
        (nn.MaxPool2d(2), (1, 2, 2), [("max pooling", "window")]),
        (nn.AvgPool2d(2), (1, 2, 2), [("average pooling", "window")]),
        (nn.AdaptiveAvgPool2d(2), (1, 3, 3), [("average pooling", "window")]),
        (nn.MaxPool2d(2, ceil_mode=True), (1, 3, 3), [(f"max pooling of {n} cells", "window") for n in (4, 2, 1)]),
    ],
)  # fmt: skip
def test_a_step_of_a_layer_says_what_it_counts(layer, x, expected):
    assert steps(layer.derivation(x)) == steps(layer.cost(x, layer.output_shape(x))) == expected


def test_every_cost_function_says_where_it_is_derived():
    chapters = Counter(cost.chapter for cost in registered().values())
    assert chapters == {
        "linear": 2, "conv2d": 3, "depthwise_separable": 1, "attention": 1, "feed_forward": 1,
        "transformer": 1, "more_layers": 8, "attention_today": 4, "experts": 2,
    }  # fmt: skip


NORMS = (
    "qk_norm=False, scaled=True, sink_logits=False, "
    "q_bias=True, k_bias=True, v_bias=True, out_bias=True"
)
CONVOLVED, SHARED = "groups=1, batch=1, bias=True", "kv_seq_len=None, causal=False"
ASKED = {
    "linear": "in_features, out_features, batch=1, bias=True",
    "matmul": "rows, inner, columns, batch=1",
    "conv2d": f"in_channels, out_channels, kernel_size, out_height, out_width, {CONVOLVED}",
    "depthwise_conv2d": "channels, kernel_size, out_height, out_width, batch=1, bias=True",
    "pointwise_conv2d": "in_channels, out_channels, out_height, out_width, batch=1, bias=True",
    "depthwise_separable_conv2d": "in_channels, out_channels, kernel_size, out_height, out_width, "
    "batch=1, bias=True",
    "conv1d": f"in_channels, out_channels, kernel_size, out_length, {CONVOLVED}",
    "conv3d": "in_channels, out_channels, kernel_size, out_depth, out_height, out_width, "
    f"{CONVOLVED}",
    "conv_transpose2d": "in_channels, out_channels, kernel_size, in_height, in_width, out_height, "
    f"out_width, {CONVOLVED}",
    "multihead_attention": "seq_len, d_model, num_heads=1, num_kv_heads=None, head_dim=None, "
    f"{SHARED}, batch=1, bias=True",
    "scaled_dot_product_attention": f"seq_len, head_dim, num_heads=1, {SHARED}, batch=1",
    "feed_forward": "seq_len, d_model, d_ff=None, batch=1, bias=True, tanh_gelu=False",
    "gated_feed_forward": "seq_len, d_model, d_ff, batch=1, bias=True",
    **dict.fromkeys(
        ("rnn_cell", "lstm_cell", "gru_cell"), "input_size, hidden_size, batch=1, bias=True"
    ),
    "attention": "seq_len, d_model, num_heads=1, num_kv_heads=None, head_dim=None, value_dim=None, "
    f"{SHARED}, batch=1, bias=True, {NORMS}",
    "windowed_attention": "seq_len, d_model, window, sinks=0, num_heads=1, num_kv_heads=None, "
    "head_dim=None, value_dim=None, kv_seq_len=None, causal=True, batch=1, bias=True, "
    f"{NORMS}",
    "cross_attention": "seq_len, kv_seq_len, d_model, kv_dim=None, num_heads=1, num_kv_heads=None, "
    f"head_dim=None, value_dim=None, batch=1, bias=True, {NORMS}",
    "mixture_of_experts": "seq_len, d_model, d_ff, num_experts, top_k, batch=1, bias=True, "
    "all_experts=False, sigmoid=False",
    "shared_mixture_of_experts": "seq_len, d_model, d_ff, shared_ff, num_experts, top_k, batch=1, "
    "bias=True, all_experts=False, sigmoid=False, shared_gate=False",
    "latent_attention": "seq_len, d_model, q_rank, kv_rank, rope_dim, num_heads=1, head_dim=None, "
    "value_dim=None, kv_seq_len=None, causal=False, absorbed=False, batch=1",
    "transformer_layer": "seq_len, d_model, num_heads=1, num_kv_heads=None, head_dim=None, "
    f"{SHARED}, d_ff=None, batch=1, bias=True, tanh_gelu=False",
}


@pytest.mark.parametrize("name", registered())
def test_what_a_cost_function_asks_for(name):
    cost = registered()[name]
    parameters = inspect.signature(cost.function).parameters.values()
    written = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    assert ", ".join(written) == ASKED[name]
    assert {p.kind for p in parameters if p.default is not p.empty} == {
        inspect.Parameter.KEYWORD_ONLY
    }
    assert not [p for p in parameters if p.kind is p.POSITIONAL_ONLY]
    assert cost.kernel_axes == {"conv1d": 1, "conv3d": 3}.get(name, 2)


def test_the_generator_of_dcgan_doubles_the_sides():
    given = registered()["conv_transpose2d"].example.arguments
    assert given["out_height"] == given["out_width"] == 2 * given["in_height"] == 64


# --- the arguments of layers ----------------------------------------------------------

# every layer with arguments of its own, each of them away from its default
GIVEN = [
    (nn.Linear, {"in_features": 3, "out_features": 5, "bias": False}),
    *(
        (kind, {"in_channels": 4, "out_channels": 6, "kernel_size": (3,) * axes, "stride": (2,) * axes}
        | {"padding": (1,) * axes, "dilation": (3,) * axes, "groups": 2, "bias": False}
        | {"padding_mode": "reflect"})
        for axes, kind in enumerate((nn.Conv1d, nn.Conv2d, nn.Conv3d), start=1)
    ),
    (nn.ConvTranspose2d, {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 3), "stride": (2, 2)}
        | {"padding": (1, 1), "output_padding": (1, 1), "groups": 2, "bias": False, "dilation": (3, 3)}),
    *(
        (kind, {"num_features": 3, "eps": 1e-3, "momentum": None, "affine": False, "bias": False})
        for kind in (nn.BatchNorm1d, nn.BatchNorm2d)
    ),
    *(
        (kind, {"normalized_shape": (3,), "eps": 1e-3, "elementwise_affine": False, "bias": False})
        for kind in (nn.LayerNorm, nn.LayerNorm2d)
    ),
    (nn.RMSNorm, {"normalized_shape": (3, 5), "eps": 1e-3, "elementwise_affine": False}),
    (nn.GroupNorm, {"num_groups": 2, "num_channels": 4, "eps": 1e-3, "affine": False, "bias": False}),
    (nn.MaxPool2d, {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "dilation": (2, 2)}
        | {"return_indices": True, "ceil_mode": True}),
    (nn.AvgPool2d, {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True}
        | {"count_include_pad": False, "divisor_override": 7}),
    (nn.AdaptiveAvgPool2d, {"output_size": (None, 3)}),
    *((kind, {"inplace": True}) for kind in (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid)),
    (nn.LeakyReLU, {"negative_slope": 0.2, "inplace": True}),
    (nn.GELU, {"approximate": "tanh"}),
    (nn.Softmax, {"dim": 1}),
    (nn.LogSoftmax, {"dim": 1}),
    (nn.TransformerEncoderLayer, {"d_model": 6, "nhead": 3, "dim_feedforward": 5, "dropout": 0.2}
        | {"activation": "gelu", "layer_norm_eps": 1e-3, "batch_first": True, "norm_first": True}
        | {"bias": False}),
    (nn.Softplus, {"beta": 2.0, "threshold": 5.0}),
    (nn.PReLU, {"num_parameters": 3, "init": 0.1}),
    (nn.ELU, {"alpha": 0.5, "inplace": True}),
    (nn.GLU, {"dim": 1}),
    (nn.Dropout, {"p": 0.25, "inplace": True}),
    (nn.StochasticDepth, {"p": 0.25, "mode": "row"}),
    (nn.LearnedPositions, {"num_positions": 7, "embedding_dim": 3, "cache": 2}),
    (nn.Embedding, {"num_embeddings": 7, "embedding_dim": 3, "padding_idx": 2, "norm_type": 1.0}
        | {"scale_grad_by_freq": True, "sparse": True}),
    (nn.MultiheadAttention, {"embed_dim": 6, "num_heads": 3, "dropout": 0.1, "bias": False}
        | {"kdim": 6, "vdim": 6, "batch_first": True}),
    (nn.ScaledDotProductAttention, {"num_heads": 3, "head_dim": 4, "causal": True, "cache": 2}),
    (nn.RotaryEmbedding, {"head_dim": 4}),
    (nn.SelfAttention, {"embed_dim": 24, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8}
        | {"bias": False, "causal": True, "cache": 5, "rotary": True}),
    (nn.RelativePositionBias, {"window_size": (2, 3), "num_heads": 3}),
    (nn.ShiftedWindowAttention, {"dim": 6, "window_size": (2, 3), "shift_size": (1, 1), "num_heads": 3}
        | {"qkv_bias": False, "proj_bias": False, "attention_dropout": 0.1, "dropout": 0.2}),
    (nn.SwiGLU, {"in_features": 3, "hidden_features": 5, "out_features": 4, "bias": False}),
    (nn.SqueezeExcitation, {"input_channels": 6, "squeeze_channels": 2}
        | {"activation": nn.SiLU(), "scale_activation": nn.Hardsigmoid()}),
    (nn.Flatten, {"start_dim": 2, "end_dim": 3}),
    (nn.Unflatten, {"dim": 1, "unflattened_size": (2, -1)}),
    (nn.Permute, {"dims": (1, 0)}),
    (nn.ChannelShuffle, {"groups": 3}),
    (nn.Slice, {"start": 1, "stop": 9, "step": 2, "dim": 2}),
    (nn.Select, {"dim": 1, "index": -2}),
    (nn.Mean, {"dim": (2, 3)}),
    (nn.Pad, {"pad": (1, 2)}),
    (nn.ZeroPad2d, {"padding": (1, 2, 3, 4)}),
    (nn.ClassToken, {"embed_dim": 6}),
]  # fmt: skip
every_layer = pytest.mark.parametrize(("kind", "given"), GIVEN, ids=[k.__name__ for k, _ in GIVEN])

MAY_BE_NOTHING = {"padding", "output_padding", "cache", "shift_size"}
UNCHECKED = {"scale_grad_by_freq", "sparse"}  # kept, and without any meaning for a count
ELSEWHERE = {"kdim", "vdim", "padding_idx", "step", "pad"}  # refused below
SIGNED = {"dims", "start_dim", "end_dim", "start", "stop", "index", "unflattened_size"}


def argument(name):
    """Match a message about an argument, or its first entry, or one of the layer inside."""
    return rf"^(name|{name}|{name.rpartition('_')[2]})(\[0\])? must be "


@every_layer
def test_a_layer_keeps_what_it_is_given(kind, given):
    layer = kind(**given)
    for name, parameter in inspect.signature(kind).parameters.items():
        assert vars(layer)[name] == given.get(name, parameter.default), name
    assert eval(repr(layer), vars(nn)) == layer
    for name, value in given.items():
        default = inspect.signature(kind).parameters[name].default
        if default is not inspect.Parameter.empty:
            assert value != default, name
            assert kind(**{n: v for n, v in given.items() if n != name}) != layer, name


@every_layer
def test_a_layer_refuses_what_is_too_small_or_no_whole_number(kind, given):
    for name, value in given.items():
        if (
            name in UNCHECKED | ELSEWHERE
            or isinstance(value, float | str | nn.Layer)
            or value is None
        ):
            continue
        signed = name in SIGNED or (name == "dim" and kind is not nn.ShiftedWindowAttention)
        signed = signed or (name == "padding" and kind is nn.ZeroPad2d)
        lowest = 0 if name in MAY_BE_NOTHING else 1
        wanted = (
            "an integer" if signed else f"a {'non-negative' if lowest == 0 else 'positive'} integer"
        )
        wrong = {2.0: TypeError, True: TypeError, "1": TypeError, lowest - 1: ValueError}
        if isinstance(value, bool):
            wanted = "True or False"
            wrong = {1: TypeError, None: TypeError, "yes": TypeError}
            if kind is nn.SelfAttention and name == "bias":
                with pytest.raises(ValueError, match="some letters of 'qkvo', got 'yes'"):
                    kind(**given | {name: "yes"})
                del wrong["yes"]  # some of the letters qkvo
            if name.endswith("bias"):
                del wrong[None]  # which is False there, as in torch
        elif signed:
            del wrong[lowest - 1]
        for bad, error in wrong.items():
            many = tuple(bad for _ in value) if isinstance(value, tuple) else bad
            with pytest.raises(error, match=f"{argument(name)}{wanted}, got"):
                kind(**given | {name: many})


@pytest.mark.parametrize(
    "refused",
    [
        lambda: nn.Slice(0, 4, 2.0),
        lambda: nn.Slice(0, 4, -1),
        lambda: nn.Pad((1, 1, 1)),
        lambda: nn.Pad((1, True)),
        lambda: nn.ZeroPad2d((1, 1, 1, 1, 1)),
        lambda: nn.Unflatten(1, (0, 3)),
        lambda: nn.Unflatten(1, (-2, 3)),
        lambda: nn.Embedding(5, 3, padding_idx=-6),
        lambda: nn.Embedding(5, 3, padding_idx=-7),
        lambda: nn.Embedding(5, 3, padding_idx=5),
        lambda: nn.Embedding(5, 3, padding_idx=6),
        lambda: nn.Embedding(5, 3, padding_idx=True),
        lambda: nn.MultiheadAttention(6, 3, kdim=12),
        lambda: nn.MultiheadAttention(6, 3, vdim=3),
        lambda: nn.MultiheadAttention(6, 3, add_bias_kv=True),
        lambda: nn.MultiheadAttention(6, 3, add_bias_kv=0),
        lambda: nn.MultiheadAttention(6, 3, add_zero_attn=0),
        lambda: nn.Dropout(-0.01),
        lambda: nn.Dropout(1.01),
        lambda: nn.Dropout(True),
        lambda: nn.Dropout("0.5"),
        lambda: nn.StochasticDepth(2, "row"),
        lambda: nn.MaxPool2d(3, padding=2),
        lambda: nn.MaxPool2d((4, 2), padding=(1, 2)),
        lambda: nn.AvgPool2d(3, padding=2),
        lambda: nn.AvgPool2d(3, divisor_override=2.0),
        lambda: nn.AdaptiveAvgPool2d((1,)),
        lambda: nn.ConvTranspose2d(4, 3, 3, stride=2, dilation=3, output_padding=3),
        lambda: nn.ConvTranspose2d(4, 3, 3, stride=(3, 2), output_padding=2),
        lambda: nn.ConvTranspose2d(4, 6, 3, groups=4),
        lambda: nn.ConvTranspose2d(3, 4, 3, groups=2),
        lambda: nn.ConvTranspose2d(4, 3, 3, output_padding=2),
        lambda: nn.Conv2d(4, 3, (3, 3, 3)),
        lambda: nn.Conv2d(4, 3, 3, stride=(1, 2), padding="same"),
        lambda: nn.Conv2d(4, 3, 3, stride=(1, 2), padding=text("sa", "me")),
        lambda: nn.RelativePositionBias((7,), 3),
        lambda: nn.SelfAttention(7, 2),
        lambda: nn.ShiftedWindowAttention(7, 2, 0, 2),
        lambda: nn.Residual(nn.ReLU(), shortcut=3),
        lambda: nn.Residual(nn.ReLU(), then=3),
        lambda: nn.Residual(nn.Sequential(then=nn.ReLU())),
        lambda: nn.Residual(nn.Sequential(shortcut=nn.ReLU())),
        lambda: nn.Shared(3),
        lambda: nn.NotRun(3),
        lambda: nn.Sequential(**{"": nn.ReLU()}),
        lambda: nn.Sequential({3: nn.ReLU()}),
        lambda: nn.Sequential({"a": nn.ReLU()}, nn.ReLU()),
        lambda: nn.Multiply(product2=nn.ReLU()),
        lambda: nn.Scale(0, 2),
        lambda: nn.Scale(2.0),
        lambda: nn.Softplus(0),
        lambda: nn.TransformerEncoderLayer(6, 4),
        lambda: nn.TransformerEncoderLayer(6, 0),
        lambda: nn.TransformerEncoderLayer(6, 2, 0),
        lambda: nn.TransformerEncoderLayer(6, 2, dropout=2),
        lambda: nn.TransformerEncoderLayer(6, 2, activation="tanh"),
        lambda: nn.TransformerEncoderLayer(6, 2, norm_first=1),
        lambda: nn.Softplus("1"),
        lambda: nn.Softplus(threshold=None),
        lambda: nn.ELU(True),
        lambda: nn.PReLU(0),
        lambda: nn.PReLU(init="0"),
        lambda: nn.GLU(1.5),
    ],
)
def test_what_else_a_layer_refuses(refused):
    with pytest.raises((TypeError, ValueError)):
        refused()


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        # one before the first dimension, and one after the last
        *((nn.Flatten(dim), (2, 3)) for dim in (-4, -3, 2, 3)),
        *((nn.Softmax(dim), (2, 3)) for dim in (-4, -3, 2, 3)),
        *((nn.GLU(dim), (2, 4)) for dim in (-4, -3, 2, 3)),
        (nn.GLU(), (2, 3)),
        (nn.PReLU(3), (2, 4)),
        (nn.PReLU(3), (3,)),
        *((nn.Concat(nn.ReLU(), dim=dim), (2, 3)) for dim in (-4, -3, 2, 3)),
        *((nn.Select(1, index), (2, 3)) for index in (-5, -4, 3, 4)),
        (nn.Slice(3, 5), (2, 3)),
        (nn.Flatten(2, 1), (2, 3, 5)),
        (nn.Unflatten(1, (4, -1)), (2, 6)),
        (nn.Unflatten(1, (2, 4)), (2, 16)),
        *((nn.Permute(dims), (2, 3)) for dims in ((0, 0), (1, 1), (0,), (0, 1, 1), (0, 2))),
        (nn.Permute((0, 1)), (2, 3, 5)),
        (nn.ChannelShuffle(3), (3, 4)),
        (nn.Mean((0, 0)), (2, 3)),
        (nn.ClassToken(3), (2, 3)),
        (nn.ClassToken(3), (1, 2, 4)),
        (nn.LearnedPositions(7, 3), (3,)),
        (nn.LearnedPositions(7, 3), (8, 3)),
        (nn.LearnedPositions(7, 3), (7, 4)),
        (nn.LearnedPositions(7, 3, cache=2), (6, 3)),
        (nn.LearnedPositions(7, 3, cache=3), (5, 3)),
        (nn.Unflatten(1, (2, 3)), (1, 0)),
        (nn.Scale(2), (3,)),
        (nn.Scale(1, 1), (3,)),
        (nn.Linear(3, 2), (3, 2)),
        (nn.RotaryEmbedding(4), ()),
        (nn.RotaryEmbedding(4), (4, 6)),
        (nn.LayerNorm((3, 5)), (3,)),
        (nn.LayerNorm(3), (3, 2)),
        (nn.LayerNorm2d(3), (3, 3, 3)),
        (nn.GroupNorm(2, 4), (4,)),
        (nn.GroupNorm(2, 4), (4, 2)),
        (nn.BatchNorm1d(3), (3,)),
        (nn.BatchNorm1d(3), (2, 2)),
        (nn.BatchNorm2d(3), (3, 2, 2, 2)),
        (nn.MultiheadAttention(6, 3), (6,)),
        (nn.MultiheadAttention(6, 3), (1, 1, 1, 6)),
        (nn.ScaledDotProductAttention(3, 4), (2, 12)),
        (nn.ScaledDotProductAttention(3, 4), (1, 2, 11)),
        (nn.SelfAttention(6, 3), (1, 2, 4)),
        (nn.ShiftedWindowAttention(6, 2, 0, 2), (1, 2, 2, 5)),
        (nn.Conv1d(3, 2, 1), (3,)),
        (nn.Conv1d(3, 2, 1), (1, 1, 3, 5)),
        (nn.Conv2d(3, 2, 3, padding=1), (3, 0, 5)),
        (nn.Conv2d(3, 2, 1), (1, 1, 3, 5, 5)),
        (nn.Conv2d(5, 2, 1), (5, 5)),
        (nn.Conv3d(3, 2, 1), (1, 1, 3, 5, 5, 5)),
        (nn.Conv3d(5, 2, 1), (5, 5, 5)),
        (nn.Conv2d(3, 2, 4), (3, 4, 3)),
        (nn.Conv2d(3, 2, 3, dilation=2), (3, 4, 5)),
        (nn.ConvTranspose2d(3, 2, 1), (3, 5)),
        (nn.ConvTranspose1d(3, 2, 1), (3,)),
        (nn.ConvTranspose1d(3, 2, 1), (2, 5)),
        (nn.ConvTranspose1d(3, 2, 1), (1, 1, 3, 5)),
        (nn.ConvTranspose3d(3, 2, 1), (3, 5, 5)),
        (nn.ConvTranspose3d(3, 2, 1), (1, 2, 5, 5, 5)),
        (nn.ConvTranspose2d(3, 2, 1), (2, 5, 5)),
        (nn.ConvTranspose2d(3, 2, 2, padding=(1, 0)), (3, 1, 1)),
        (nn.MaxPool2d(3), (1, 3, 2)),
        (nn.MaxPool2d(2), (3, 5)),
        (nn.AdaptiveAvgPool2d(1), (3, 5)),
        (nn.Residual(nn.Linear(3, 2)), (1, 3)),
        (nn.Residual(nn.Linear(3, 4)), (1, 3)),
        *((kind(5, 2, 1), (5,) * rank) for kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d) for rank in (0, 1)),
        (nn.Conv3d(5, 2, 1), (5, 5)),
        (nn.Add(nn.Linear(3, 2), nn.Linear(3, 4)), (1, 3)),
        (nn.Add(nn.Linear(3, 4), nn.Linear(3, 2)), (1, 3)),
        (nn.Add(nn.ReLU()), (1, 3)),
        (nn.Concat(nn.Linear(3, 2), nn.Flatten(0)), (2, 3)),
        # too small and too large, before the joined dimension and after it
        *((nn.Concat(nn.Linear(3, a), nn.Linear(3, b), dim=0), (1, 3)) for a, b in ((2, 4), (4, 2))),
        *((nn.Concat(nn.ReLU(), nn.Slice(0, 1, dim=0)), (2, 3)),),
        *((nn.Concat(nn.Slice(0, 1, dim=0), nn.ReLU()), (2, 3)),),
        (models.vit_b_16(), (1, 3, 224, 225)),
        (models.vit_b_16(), (1, 3, 225, 224)),
        (models.vit_b_16(), (1, 3, 224, 223)),
        (models.vit_b_16(), (1, 3, 223, 224)),
    ],
)  # fmt: skip
def test_what_else_does_not_fit(layer, x):
    with pytest.raises(nn.ShapeError):
        layer.output_shape(x)


@pytest.mark.parametrize(
    ("layer", "x", "y"),
    [
        # the last that is still right
        *((nn.Flatten(dim), (2, 3), (6,)) for dim in (-2, 0)),
        (nn.Flatten(1, 1), (2, 3), (2, 3)),
        *((nn.Softmax(dim), (2, 3), (2, 3)) for dim in (-2, -1, 0, 1)),
        *((nn.GLU(dim), (2, 4), (1, 4)) for dim in (-2, 0)),
        *((nn.GLU(dim), (2, 4), (2, 2)) for dim in (-1, 1)),
        (nn.PReLU(3), (2, 3), (2, 3)),
        *((nn.Concat(nn.ReLU(), nn.ReLU(), dim=dim), (2, 3), (4, 3)) for dim in (-2, 0)),
        *((nn.Concat(nn.ReLU(), nn.ReLU(), dim=dim), (2, 3), (2, 6)) for dim in (-1, 1)),
        *((nn.Select(1, index), (2, 3), (2,)) for index in (-3, 0, 2)),
        (nn.Slice(2, 5), (2, 3), (2, 1)),
        (nn.Slice(0, 9, 1), (2, 9), (2, 9)),
        (nn.Slice(None, None, 2, dim=-2), (5, 1), (3, 1)),
        (nn.Unflatten(1, (1, -1, 3)), (2, 6), (2, 1, 2, 3)),
        (nn.Unflatten(-1, (2, 3)), (2, 6), (2, 2, 3)),
        (nn.Mean(0), (2, 3), (3,)),
        (nn.Mean((0, 1)), (2, 3), ()),
        (nn.Pad((1, 2, 3, 4)), (5, 6), (12, 9)),
        (nn.ZeroPad2d((1, 2, 3, 4)), (5, 6), (12, 9)),
        (nn.ClassToken(3), (2, 4, 3), (2, 5, 3)),
        (nn.LearnedPositions(7, 3), (7, 3), (7, 3)),
        (nn.LearnedPositions(7, 3, cache=2), (1, 5, 3), (1, 5, 3)),
        (nn.Scale(1, 3), (2, 5, 3), (2, 5, 3)),
        (nn.Linear(3, 2), (3,), (2,)),
        (nn.RotaryEmbedding(2), (4,), (4,)),
        (nn.GroupNorm(2, 4), (1, 4), (1, 4)),
        (nn.MultiheadAttention(6, 3), (5, 6), (5, 6)),
        (nn.Conv2d(3, 2, 4), (3, 4, 4), (2, 1, 1)),
        (nn.Conv2d(3, 2, 4, padding="same"), (1, 3, 5, 4), (1, 2, 5, 4)),
        (nn.Conv2d(3, 2, 4, padding="valid"), (1, 3, 5, 4), (1, 2, 2, 1)),
        (nn.Conv2d(3, 2, 4, padding=text("sa", "me")), (1, 3, 5, 4), (1, 2, 5, 4)),
        (nn.Conv2d(3, 2, 4, padding=text("val", "id")), (1, 3, 5, 4), (1, 2, 2, 1)),
        (nn.ConvTranspose2d(3, 2, 2, padding=(0, 0), padding_mode=text("ze", "ros")), (3, 1, 1), (2, 2, 2)),
        (nn.ConvTranspose2d(3, 2, 3, padding=1), (3, 1, 1), (2, 1, 1)),
        (nn.ConvTranspose2d(3, 2, 3, stride=1, dilation=2, output_padding=1), (3, 1, 1), (2, 6, 6)),
        (nn.ConvTranspose2d(3, 2, 3, stride=2, dilation=1, output_padding=1), (3, 1, 1), (2, 4, 4)),
        (nn.MaxPool2d(2, padding=1), (1, 2, 2), (1, 2, 2)),
        (nn.MaxPool2d(3), (1, 3, 3), (1, 1, 1)),
        (nn.MaxPool2d(7, padding=3), (1, 7, 7), (1, 1, 1)),
        (nn.AvgPool2d(6, padding=3), (1, 6, 6), (1, 2, 2)),
        (nn.Flatten(0, 2), (2, 3, 5, 7), (30, 7)),
        (nn.Flatten(0, 0), (2, 3), (2, 3)),
        (nn.Flatten(1, 2), (2, 3, 5, 7), (2, 15, 7)),
        (nn.Dropout(0), (3,), (3,)),
        (nn.Dropout(1), (3,), (3,)),
        (nn.StochasticDepth(0.0, text("ba", "tch")), (3,), (3,)),
        (nn.GELU(text("ta", "nh")), (3,), (3,)),
        (nn.Embedding(5, 3, padding_idx=-5), (2,), (2, 3)),
        (nn.Embedding(5, 3, padding_idx=0), (2,), (2, 3)),
        (nn.Embedding(5, 3, padding_idx=4), (), (3,)),
        (nn.AdaptiveAvgPool2d(None), (3, 5, 7), (3, 5, 7)),
        (nn.AdaptiveAvgPool2d((None, 2)), (3, 5, 7), (3, 5, 2)),
        (nn.Add(nn.ReLU(), nn.Linear(3, 1)), (2, 3), (2, 3)),
        (nn.Add(nn.Linear(3, 1), nn.Identity()), (2, 3), (2, 3)),
        (nn.Concat(nn.Linear(3, 2)), (1, 3), (1, 2)),
        (nn.Add(nn.Identity(), nn.Select(0, 0)), (5, 3), (5, 3)),
        (nn.Add(nn.Identity(), nn.Linear(300, int(text("3", "00")))), (1, 300), (1, 300)),
        (nn.Add(nn.Select(0, 0), nn.Identity()), (5, 3), (5, 3)),
        (nn.Add(nn.Mean((0, 1)), nn.Identity()), (4, 5, 3), (4, 5, 3)),
        # at the first and at the last of four dimensions
        (nn.Flatten(0, 1), (2, 3, 5, 7), (6, 5, 7)),
        (nn.Flatten(2, 3), (2, 3, 5, 7), (2, 3, 35)),
        (nn.Unflatten(0, (1, 2)), (2, 3, 5, 7), (1, 2, 3, 5, 7)),
        (nn.Unflatten(3, (1, 7)), (2, 3, 5, 7), (2, 3, 5, 1, 7)),
        (nn.Unflatten(2, (1, 5)), (2, 3, 5, 7), (2, 3, 1, 5, 7)),
        *((nn.Slice(0, 1, dim=at), (2, 2, 2, 2), (2,) * at + (1,) + (2,) * (3 - at)) for at in range(4)),
        *((nn.Select(at, 0), (2, 3, 5, 7), (2, 3, 5, 7)[:at] + (2, 3, 5, 7)[at + 1 :]) for at in range(4)),
        *((nn.Concat(nn.ReLU(), nn.ReLU(), dim=at), (1,) * 4, (1,) * at + (2,) + (1,) * (3 - at)) for at in range(4)),
    ],
)  # fmt: skip
def test_what_just_fits(layer, x, y):
    assert layer.output_shape(x) == count(layer, x).output_shape == y


def test_gelu_by_tanh_has_no_erf_however_its_name_was_made():
    assert count(nn.GELU(text("ta", "nh")), (3,)).other["erfs"] == 0


def test_what_a_layer_says_of_the_axes():
    plain, first = nn.MultiheadAttention(6, 3), nn.MultiheadAttention(6, 3, batch_first=True)
    for layer, order in ((plain, "(L, E) or (L, N, E)"), (first, "(L, E) or (N, L, E)")):
        with pytest.raises(nn.ShapeError, match=f" of shape {re.escape(order)}, got 1 dimensions"):
            layer.output_shape((6,))
    assert plain.axes((5, 2, 6)) == "(position, batch, feature), batch_first=False"
    assert first.axes((2, 5, 6)) == "(batch, position, feature), batch_first=True"
    assert plain.axes((5, 6)) == first.axes((5, 6)) == "(position, feature)"
    attend = nn.ScaledDotProductAttention
    assert attend(3, 4).axes((1, 2, 12)) == (
        "(batch, position, feature); a position sees every position"
    )
    assert attend(3, 4, causal=True, cache=1000).axes((1, 2, 12)) == (
        "(batch, position, feature); a position sees itself and all before it, and 1,000 in the cache"
    )


@pytest.mark.parametrize(
    ("layer", "x", "message"),
    [
        (nn.Conv1d(3, 2, 1), (4, 5), "got 4 in (4, 5), read as (C, L)"),
        (nn.Conv1d(3, 2, 1), (1, 4, 5), "got 4 in (1, 4, 5), read as (N, C, L)"),
        (nn.Conv2d(3, 2, 1), (4, 5, 6), "got 4 in (4, 5, 6), read as (C, H, W)"),
        (nn.Conv2d(3, 2, 1), (1, 4, 5, 6), "got 4 in (1, 4, 5, 6), read as (N, C, H, W)"),
        (nn.Conv3d(3, 2, 1), (4, 5, 6, 7), "got 4 in (4, 5, 6, 7), read as (C, D, H, W)"),
        (nn.Conv3d(3, 2, 1), (1, 4, 5, 6, 7), "got 4 in (1, 4, 5, 6, 7), read as (N, C, D, H, W)"),
        *(
            (nn.LearnedPositions(7, 3), (1,) * before + (8, 3), f"7 positions at dimension {before}, got 8 in")
            for before in range(4)
        ),
        (nn.LearnedPositions(7, 3, 4), (5, 3), "got 5 after 4 in (5, 3)"),
        (nn.ConvTranspose2d(3, 2, 1), (4, 5, 6), "got 4 in (4, 5, 6), read as (C, H, W)"),
        (nn.ConvTranspose2d(3, 2, 1), (1, 4, 5, 6), "got 4 in (1, 4, 5, 6), read as (N, C, H, W)"),
    ],
)  # fmt: skip
def test_a_misfit_says_how_the_axes_are_read(layer, x, message):
    with pytest.raises(nn.ShapeError) as caught:
        layer.output_shape(x)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nn.Conv1d(3, 2, 2), (3, 5)),
        (nn.Conv2d(3, 2, 2), (3, 5, 6)),
        (nn.Conv3d(3, 2, 2), (3, 5, 6, 7)),
        (nn.ConvTranspose1d(3, 2, 2), (3, 5)),
        (nn.ConvTranspose2d(3, 2, 2), (3, 5, 6)),
        (nn.ConvTranspose3d(3, 2, 2), (3, 2, 5, 6)),
        (nn.MaxPool2d(2), (3, 5, 6)),
        (nn.MaxPool2d(2, ceil_mode=True), (3, 5, 6)),
        (nn.AdaptiveAvgPool2d(2), (3, 5, 6)),
        (nn.MultiheadAttention(6, 3, batch_first=True), (5, 6)),
        (nn.Linear(6, 3), (5, 6)),
        (nn.Softmax(-1), (5, 6)),
        (nn.LayerNorm(6), (5, 6)),
    ],
)
def test_a_batch_is_so_many_times_one_sample(layer, x):
    alone, batch = count(layer, x), count(layer, (7, *x))
    assert batch.operations == count(layer, (1, *x)).operations * 7 == alone.operations * 7
    assert batch.derivation.total == alone.derivation.total * 7
    assert batch.output_shape == (7, *alone.output_shape)


def test_a_network_may_be_long():
    long = nn.Sequential(*[nn.ReLU()] * 300)
    assert len(long) == len(count(long, (2,)).rows) == 300
    assert long[299] == long["299"] == nn.ReLU()


@pytest.mark.parametrize(
    ("kind", "given", "x"),
    [
        (nn.Linear, (3, 2), (5, 3)),
        (nn.Conv1d, (3, 2, 2), (1, 3, 5)),
        (nn.Conv2d, (3, 2, 2), (1, 3, 5, 5)),
        (nn.Conv3d, (3, 2, 2), (1, 3, 5, 5, 5)),
        (nn.ConvTranspose2d, (3, 2, 2), (1, 3, 5, 5)),
    ],
)
def test_a_bias_is_an_addition_an_output(kind, given, x):
    plain, biased = count(kind(*given, bias=False), x), count(kind(*given), x)
    assert biased.additions - plain.additions == math.prod(plain.output_shape)
    assert biased.multiplications == plain.multiplications


class Three:
    """A whole number of another kind, such as NumPy has."""

    def __index__(self):
        return 3


def test_a_whole_number_of_another_kind_is_one():
    assert nn.Linear(Three(), 2) == nn.Linear(3, 2)
    assert nn.Flatten(Three()) == nn.Flatten(3)
    for several in (np.array(3), np.array([3])):
        assert nn.Linear(np.int64(3), 2) == nn.Linear(3, 2)
        if several.ndim:
            with pytest.raises(TypeError):
                nn.Linear(several, 2)


def test_an_array_of_one_number_is_no_number():
    class Tensor(Three):  # as torch's, which can be an index
        ndim = 1

    with pytest.raises(TypeError, match=r"^in_features must be a positive integer, got "):
        nn.Linear(Tensor(), 2)


@pytest.mark.parametrize("wrong", ["full", "total", "", "SAME"])
def test_padding_in_words_has_two_words(wrong):
    with pytest.raises(ValueError, match=r"^padding must be integers, 'valid' or 'same', got"):
        nn.Conv2d(3, 2, 1, padding=wrong)
    for kind in (nn.Conv2d, nn.ConvTranspose2d):
        with pytest.raises(ValueError, match=r"^padding_mode must be "):
            kind(3, 2, 1, padding_mode=wrong or "zz")


def test_a_row_of_a_table_is_a_whole_number():
    for wrong in ("1", 1.0, True):
        with pytest.raises(TypeError, match=r"^padding_idx must be an integer, got"):
            nn.Embedding(5, 3, padding_idx=wrong)


def test_an_option_is_untouched_where_it_is_equal():
    untouched("a layer", option=(int(text("10", "00")), 1000))
    with pytest.raises(ValueError, match="option must be 1000, got 999: a layer is not counted"):
        untouched("a layer", option=(999, 1000))
    with pytest.raises(NotImplementedError):
        _OverLast._flags(None)


def test_what_is_not_made_of_layers_does_not_flow():
    with pytest.raises(NotImplementedError, match="ReLU is not made of other layers"):
        nn.ReLU().flow((3,), None)


@pytest.mark.parametrize(
    "thing",
    [
        nn.ReLU(),
        OpCount(additions=2),
        Part("sum", OpCount(additions=2)),
        Step("sum", (), (3,)),
        linear(3, 2),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_something_else_says_of_being_equal_counts(thing):
    assert thing == mock.ANY
    assert (thing == 3) is False
    assert (thing != 3) is True


def test_a_window_that_reaches_over_the_end_with_gaps():
    # starts 0 and 2 of 6: cells 0 2 4, and 2 4; so 9 cells once, 6 twice, 4 once
    layer = nn.MaxPool2d(3, stride=2, dilation=2, ceil_mode=True)
    assert count(layer, (1, 6, 6)).other["comparisons"] == 8 + 2 * 5 + 3
    # starts 0 and 3 of 7 with a border of 1: 0 3 6, and 3 6
    layer = nn.MaxPool2d(3, stride=3, padding=1, dilation=3, ceil_mode=True)
    assert count(layer, (1, 7, 7)).other["comparisons"] == 8 + 2 * 5 + 3


def test_a_pair_is_two():
    for wrong in ((1,), (1, 1, 1), ()):
        with pytest.raises(TypeError, match=r"^output_size must be one integer or a pair, got"):
            nn.AdaptiveAvgPool2d(wrong)


@pytest.mark.parametrize("sides", [(224, 223), (223, 224), (224, 225), (225, 224), (384, 384)])
def test_an_image_of_another_size_is_refused_at_the_door(sides):
    with pytest.raises(nn.ShapeError, match=r"^VisionTransformer.* is built for images of 224×224"):
        models.vit_b_16().output_shape((1, 3, *sides))


def test_an_image_without_a_batch_is_of_the_right_size():
    with pytest.raises(nn.ShapeError) as caught:
        models.vit_b_16().output_shape((3, 224, 224))
    assert "is built for images" not in str(caught.value)
    for x, side in (((384,), 384), ((1, 3, 384, 320), 320), ((), "…")):
        with pytest.raises(nn.ShapeError, match=rf"; build it with image_size={side}$"):
            models.vit_b_16().output_shape(x)


def test_a_norm_over_the_channels_has_one_axis():
    for x in ((2, 3, 5, 5), (2, 5, 3, 3), (1, 5, 5, 3)):
        with pytest.raises(
            nn.ShapeError, match=r"^LayerNorm2d\(\(3, 5\)\) normalises the channels"
        ):
            nn.LayerNorm2d((3, 5)).output_shape(x)
    assert nn.LayerNorm2d((3,)).output_shape((2, 3, 5, 4)) == (2, 3, 5, 4)


def test_there_may_be_many_axes():
    sides = (1,) * 300
    assert nn.Mean(tuple(range(300))).output_shape(sides) == ()
    with pytest.raises(nn.ShapeError, match=r"names a dimension of .* twice$"):
        nn.Mean((*range(299), 0)).output_shape(sides)


def test_a_mean_over_everything_is_one_number():
    report = count(nn.Mean((0, 1)), (2, 3))
    assert (report.additions, report.other["divisions"]) == (5, 1)
    assert count(nn.Softmax(0), (3, 2)).other["divisions"] == 6
    assert count(nn.Softmax(0), (3, 2)).additions == 2 * (3 + 2)
    assert count(nn.Softmax(1), (5, 3, 2)).additions == 10 * (3 + 2)


def test_the_block_of_a_convolution():
    conv, *_ = nn.Conv2dNormActivation(4, 6, (5, 7), dilation=(2, 3))
    assert conv.padding == (2 * 2, 3 * 3)
    conv, *_ = nn.Conv2dNormActivation(4, 6, (4, 6), dilation=(2, 3))
    assert conv.padding == (1 * 2, 2 * 3)
    conv, *_ = nn.Conv2dNormActivation(4, 6, (7, 5), dilation=(3, 2))
    assert conv.padding == (3 * 3, 2 * 2)
    assert conv == nn.Conv2d(4, 6, (7, 5), padding=(9, 4), dilation=(3, 2), bias=False)
    given = (4, 6, 3, 2, 0, 2, None, None, 1, True)
    assert list(nn.Conv2dNormActivation(*given)) == [nn.Conv2d(4, 6, 3, 2, 0, groups=2)]
    assert list(nn.Conv2dNormActivation(*given, bias=False)) == [
        nn.Conv2d(4, 6, 3, 2, 0, groups=2, bias=False)
    ]
    assert list(nn.Conv2dNormActivation(4, 6, bias=True)) == [
        nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
    ]  # fmt: skip


class Weighted(nn.Layer):
    """Five numbers, and a layer with seven; what it computes itself has additions alone."""

    weights: ClassVar = {"a": (5,)}

    def __init__(self):
        self._set(inside=nn.Linear(6, 1))

    def flow(self, x, run):
        return run("inside", self.inside, x)

    def cost(self, input_shape, output_shape):
        return nn.Sum().derivation(input_shape)


def test_a_layer_of_ones_own_adds_to_those_inside():
    assert Weighted().parameters == count(Weighted(), (1, 6)).parameters == 5 + 7
    report = count(Weighted(), (1, 6))
    assert (report.multiplications, report.additions, report.macs) == (6, 6 + 6, 6)
    assert report.other == {}


def test_how_a_layer_of_ones_own_is_written():
    class Strided(nn.Layer):
        def __init__(self, stride, dims, other=(), normalized_shape=()):
            self._set(stride=stride, dims=dims, other=other, normalized_shape=normalized_shape)

    assert repr(Strided((), ())) == "Strided((), ())"
    assert repr(Strided((2, 2), (2, 2))) == "Strided(2, (2, 2))"
    assert repr(Strided((2, 3), (2,))) == "Strided((2, 3), (2,))"
    assert repr(Strided(2, 2, (4, 4), (5,))) == "Strided(2, 2, other=(4, 4), normalized_shape=5)"
    assert repr(Strided(2, 2, (), (5, 5))) == "Strided(2, 2, normalized_shape=(5, 5))"


class Anything:
    """Equal to whatever it is compared with."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __repr__(self):
        return "anything"


def test_an_argument_may_be_equal_to_everything():
    class Keeping(nn.Layer):
        def __init__(self, given, default=Anything()):  # noqa: B008
            self._set(given=given, default=default)

    assert repr(Keeping(3)) == "Keeping(3)"
    assert repr(Keeping(Anything())) == "Keeping(anything)"


def test_a_window_of_attention_adds_its_own_bias():
    layer = nn.ShiftedWindowAttention(6, (2, 3), 0, 2)
    report = count(layer, (5, 4, 4, 6))  # two windows down, two across
    assert report["position_bias"].additions == 5 * 2 * 2 * 2 * 6 * 6
    assert report["qkv"].macs == 5 * 2 * 2 * 6 * 6 * 18
    assert report["attend"].macs == 5 * 2 * 2 * 2 * 6 * 6 * 6
    assert report["proj"].macs == 5 * 2 * 2 * 6 * 6 * 6


def test_weights_are_called_as_in_torch():
    both = {"weight", "bias"}
    for layer, names in (
        (nn.Linear(3, 2), both),
        (nn.Conv1d(3, 2, 1), both),
        (nn.ConvTranspose2d(3, 2, 1), both),
        (nn.BatchNorm2d(3), both),
        (nn.BatchNorm2d(3, bias=False), {"weight"}),
        (nn.BatchNorm2d(3, affine=False), set()),
        (nn.GroupNorm(1, 3), both),
        (nn.GroupNorm(1, 3, bias=False), {"weight"}),
        (nn.LayerNorm(3), both),
        (nn.RMSNorm(3), {"weight"}),
        (nn.Embedding(3, 2), {"weight"}),
        (nn.LearnedPositions(3, 2), {"weight"}),
        (nn.RelativePositionBias(2, 3), {"relative_position_bias_table"}),
        (nn.ClassToken(3), {"class_token"}),
        (nn.Scale(3), {"scale"}),
        (nn.PositionEmbedding(3), {"position"}),
        (nn.ReLU(), set()),
    ):
        assert layer.weights.keys() == names


def test_an_elementary_derivation_has_the_name_of_its_operation():
    assert each(2, operation=relu).name == each(2, operation=relu).steps[0].name == "ReLU"
    named = each(2, operation=relu, name="bend")
    assert (named.name, named.steps[0].name) == ("bend", "bend")


def test_nothing_is_averaged_over():
    with pytest.raises(ValueError, match=r"^n must be a positive integer"):
        nn.Mean(0).cost((3, 0), (0,))


def test_the_third_branch_is_joined_by_a_row_of_its_own():
    for kind, name in ((nn.Add, "sum"), (nn.Multiply, "product")):
        report = count(kind(nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.ReLU()), (3,))
        assert [row.path for row in report.rows][4:] == [name, f"{name}2", f"{name}3"]


# --- records and derivations ------------------------------------------------------


def test_sums_begin_with_0_and_with_nothing_else():
    record, layer = OpCount(additions=2), linear(3, 2)
    assert sum([record, record]) == 2 * record
    assert sum([layer, layer]) == layer + layer
    for wrong in (-1, 1, False, 0.0, None):
        for thing in (record, layer):
            with pytest.raises(TypeError):
                wrong + thing
            with pytest.raises(TypeError):
                thing + wrong


def test_records_are_not_multiplied_with_each_other():
    record, layer = OpCount(additions=2), linear(3, 2)
    for one, other in ((record, record), (layer, record), (record, layer), (layer, layer)):
        with pytest.raises(TypeError):
            one * other


def test_records_are_equal_in_every_kind():
    some = OpCount(additions=2, other={"divisions": 3})
    for other in (
        OpCount(additions=2),
        OpCount(additions=2, other={"divisions": 2}),
        OpCount(additions=2, other={"erfs": 3}),
        OpCount(additions=2, other={"divisions": 3, "erfs": 1}),
        OpCount(additions=1, other={"divisions": 3}),
        OpCount(additions=2, macs=1, other={"divisions": 3}),
        OpCount(additions=2, multiplications=1, other={"divisions": 3}),
    ):
        assert some != other
        assert other != some
    assert some == OpCount(additions=2, other={"divisions": 3, "erfs": 0})


def test_a_record_is_written_with_all_that_is_in_it():
    record = OpCount(additions=2, other={"divisions": 3})
    assert repr(record) == "OpCount(additions=2, other={'divisions': 3})"
    assert repr(OpCount()) == "OpCount()"
    more, less = sympy.symbols("more less", integer=True, positive=True)
    assert repr(OpCount(macs=more - less)) == "OpCount(macs=-less + more)"
    assert eval(repr(record)) == record
    with pytest.raises(TypeError):
        OpCount(3)


def test_what_is_recorded_cannot_change():
    part = Part("sum", OpCount(additions=1))
    step = Step("sum", (part,), (3,))
    run = training(models.gpt2_small, tokens=10, seq_len=10)
    for thing in (
        part.operations,
        part,
        step,
        Derivation((step,)),
        run,
        models.catalogue()["gpt3"],
    ):
        for name in thing.__dataclass_fields__:
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(thing, name, 3)


def test_steps_are_equal_by_name_unit_and_figures():
    def step(name="b", unit="b", additions=2, shape=(2, 3)):
        return Step(name, (Part("sum", OpCount(additions=additions)),), shape, unit)

    assert step() == step(shape=(3, 2)) == step(shape=(6,))
    for other in ({"name": "a"}, {"name": "c"}, {"unit": "a"}, {"unit": "c"}, {"additions": 1}):
        assert step() != step(**other)
    for shape in ((5,), (7,)):
        assert step() != step(shape=shape)
    assert step() != "a step"


def test_parts_are_equal_by_name_and_operations():
    one = OpCount(additions=2)
    assert Part("bc", one) == Part(text("b", "c"), one, terms=(2,))
    for name, operations in (("a", one), ("c", one), ("b", OpCount(additions=3)), ("b", OpCount())):
        assert Part("b", one) != Part(name, operations)
        assert hash(Part("b", one)) != hash(Part(name, operations))
    assert Part("b", one) != "b"


def test_the_name_of_a_derivation_is_not_compared():
    layer, nothing = linear(3, 2), Derivation(())
    assert Derivation(layer.steps, "a") == Derivation(layer.steps, "b") == layer
    assert hash(Derivation(layer.steps, "a")) == hash(Derivation(layer.steps, "b"))
    assert (nothing.named("a").name, nothing.named("a").steps) == ("a", ())
    assert nothing.name == ""
    two = (layer + layer).named("a")
    assert (two.name, [step.name for step in two.steps]) == ("a", ["linear", "linear"])
    assert ((layer + layer).name, (layer + nothing).name) == ("linear", "linear")
    assert (layer.named("a") + layer.named("b")).name == "a + b"


def test_what_is_given_as_a_list_is_kept_as_a_tuple():
    part = Part("sum", OpCount(additions=1))
    given, sides = [part], [np.int64(3), 2]
    step = Step("sum", given, sides)
    whole = [step]
    derivation = Derivation(whole)
    for grown in (given, sides, whole):
        grown.append(grown[0])
    assert (step.parts, step.shape, derivation.steps) == ((part,), (3, 2), (step,))
    assert [type(side) for side in step.shape] == [int, int]
    assert Derivation(step) == derivation
    assert Step("sum", part, (6,)) == step
    with pytest.raises(TypeError, match=r"^parts must be a tuple of Parts, got a str in it$"):
        Step("sum", [part, "sum"], (3,))
    with pytest.raises(TypeError, match=r"^steps must be a tuple of Steps, got a Part in it$"):
        Derivation([step, part])


def test_steps_and_derivations_show_themselves():
    layer = linear(3, 2)
    for thing in (layer, layer.steps[0]):
        assert "linear" in repr(thing)
        assert "dot product" in thing._repr_latex_()
        assert thing._repr_latex_().strip().startswith("$")


def test_a_step_has_no_negative_number_of_outputs():
    part = Part("sum", OpCount(additions=1))
    assert Step("none", (part,), (0, 3)).additions == 0
    with pytest.raises(ValueError, match="an entry of shape must be a non-negative integer"):
        Step("some", (part,), (3, -1))
    with pytest.raises(NotImplementedError):
        Figures().total  # noqa: B018


# --- models -----------------------------------------------------------------------


def test_mobilenet_has_the_channels_of_the_paper():
    # where nothing is rounded, no channel may be one off
    assert models.mobilenet_v2(round_nearest=1).parameters == 3_504_872


#: Those that have a paper of their own here; the others are in test_open_models.
LANGUAGE = [
    name for name in models.__all__
    if name.startswith(("gpt", "llama")) and not name.startswith(("gpt_oss", "llama3_2"))
]  # fmt: skip
OF_ANY_SIZE = {"gpt": (2, 8, 2), "llama": (2, 8, 2, 6)}
# torchvision's, and the options of the book
SIGNATURES = {
    "alexnet": "num_classes=1000",
    "mobilenet_v2": "num_classes=1000, width_mult=1.0, round_nearest=8",
    "resnet18": "num_classes=1000",
    "resnet34": "num_classes=1000",
    "vision_transformer": "image_size, patch_size, num_layers, num_heads, hidden_dim, mlp_dim, "
    "num_classes=1000",
    "vit_h_14": "image_size=518, num_classes=1000",
    **{
        name: f"num_classes=1000, groups={groups}, width_per_group={width}, stride_on='3x3'"
        for name, groups, width in [
            ("resnet50", 1, 64), ("resnet101", 1, 64), ("resnet152", 1, 64),
            ("resnext50_32x4d", 32, 4), ("resnext101_32x8d", 32, 8), ("resnext101_64x4d", 64, 4),
            ("wide_resnet50_2", 1, 128), ("wide_resnet101_2", 1, 128),
        ]
    },
    **{
        f"vit_{size}": "image_size=224, num_classes=1000"
        for size in ("b_16", "b_32", "l_16", "l_32")
    },
    "gpt": "num_layers, embed_dim, num_heads, num_positions, vocab_size=50257, causal=False, cache=0, "
    "logits='every'",
    "llama": "num_layers, embed_dim, num_heads, hidden_dim, num_kv_heads=None, vocab_size=32000, "
    "causal=False, cache=0, logits='every'",
}  # fmt: skip
EXPERTS_OPTION = "causal=False, cache=0, logits='every', all_experts=False"
SIGNATURES |= dict.fromkeys(
    ("mixtral_8x7b", "gpt_oss_20b", "gpt_oss_120b", "qwen3_30b_a3b"), EXPERTS_OPTION
)
SIGNATURES |= {
    "deepseek_v3": "causal=False, cache=0, logits='every', absorbed=False, all_experts=False",
    "language_model": "num_layers, embed_dim, vocab_size, mixer, ffn, norm='rms_norm', "
    "norms_after=False, num_positions=None, tied=False, names='llama', causal=False, cache=0, "
    "logits='every', absorbed=False, all_experts=False",
}
ONLY_BY_NAME = {
    *("mixer", "ffn", "norm", "norms_after", "tied", "names", "absorbed", "all_experts")
}
BUILDERS = sorted({*models.__all__} - {"Model", "build", "catalogue"})


@pytest.mark.parametrize("name", BUILDERS)
def test_the_options_of_a_model(name):
    parameters = inspect.signature(getattr(models, name)).parameters.values()
    written = ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters
    )
    by_name_only = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    options = {"causal", "cache", "logits", "num_positions", "num_kv_heads", *ONLY_BY_NAME}
    options |= set() if name == "language_model" else {"vocab_size"}
    assert by_name_only == {p.name for p in parameters} & options
    assert not [p for p in parameters if p.kind is p.POSITIONAL_ONLY]
    assert written == SIGNATURES.get(name, "causal=False, cache=0, logits='every'")


def attentions(layer):
    found = [layer] if isinstance(layer, nn.ScaledDotProductAttention) else []
    return found + [inner for kept in layer.kept for inner in attentions(kept)]


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_language_model_passes_its_options_on(name):
    build, sizes = getattr(models, name), OF_ANY_SIZE.get(name, ())
    positions = {"num_positions": 9} if name == "gpt" else {}
    plain = build(*sizes, **positions)
    asked = build(*sizes, **positions, causal=True, cache=3, logits="last")
    assert {(a.causal, a.cache) for a in attentions(plain)} == {(False, 0)}
    assert {(a.causal, a.cache) for a in attentions(asked)} == {(True, 3)}
    words = plain["lm_head"].output_shape(
        (
            1,
            plain["lm_head"].kept[0].in_features
            if plain["lm_head"].kept
            else plain["lm_head"].in_features,
        )
    )[-1]
    assert plain.output_shape((1, 4)) == (1, 4, words)
    assert asked.output_shape((1, 4)) == (1, words)
    if "wpe" in dict(plain.children):
        assert (plain["wpe"].cache, asked["wpe"].cache) == (0, 3)


# name: layers, width, heads, heads of keys, width inside, words, positions, from the papers
PAPERS = {
    "gpt2_small": (12, 768, 12, 12, 3072, 50257, 1024),
    "gpt2_medium": (24, 1024, 16, 16, 4096, 50257, 1024),
    "gpt2_large": (36, 1280, 20, 20, 5120, 50257, 1024),
    "gpt2_xl": (48, 1600, 25, 25, 6400, 50257, 1024),
    "gpt3": (96, 12288, 96, 96, 49152, 50257, 2048),
    "llama_7b": (32, 4096, 32, 32, 11008, 32000, 2048),
    "llama_13b": (40, 5120, 40, 40, 13824, 32000, 2048),
    "llama_33b": (60, 6656, 52, 52, 17920, 32000, 2048),
    "llama_65b": (80, 8192, 64, 64, 22016, 32000, 2048),
    "llama2_7b": (32, 4096, 32, 32, 11008, 32000, 4096),
    "llama2_13b": (40, 5120, 40, 40, 13824, 32000, 4096),
    "llama2_70b": (80, 8192, 64, 8, 28672, 32000, 4096),
    "llama3_8b": (32, 4096, 32, 8, 14336, 128256, 8192),
    "llama3_70b": (80, 8192, 64, 8, 28672, 128256, 8192),
}


@pytest.mark.parametrize("name", PAPERS)
def test_a_language_model_has_the_sizes_of_its_paper(name):
    depth, width, heads, kv_heads, inside, words, positions = PAPERS[name]
    model = getattr(models, name)()
    assert models.catalogue()[name].input_shape == (1, positions)
    assert {(a.num_heads, a.head_dim) for a in attentions(model)} == {(heads, width // heads)}
    assert len(attentions(model)) == depth
    attention = 2 * width**2 + 2 * width * kv_heads * width // heads
    if name.startswith("gpt"):  # biases, two norms of two vectors, a table of positions, tied words
        layer = attention + 4 * width + 2 * width * inside + inside + width + 4 * width
        owned = (words + positions) * width + depth * layer + 2 * width
    else:
        layer = attention + 3 * width * inside + 2 * width
        owned = 2 * words * width + depth * layer + width
    assert model.parameters == owned


@pytest.mark.parametrize("wrong", [-1, -0.5, 0, float("nan"), float("inf"), True, "1", None])
def test_a_width_multiplier_is_a_number_above_0(wrong):
    with pytest.raises((TypeError, ValueError), match=r"^width_mult must be a number above 0, got"):
        models.mobilenet_v2(width_mult=wrong)


def test_mobilenet_is_never_narrowed_by_more_than_a_tenth():
    rounded = models.mobilenet.rounded
    assert [rounded(n) for n in (1, 4, 8, 11, 12, 19, 20, 24)] == [8, 8, 8, 16, 16, 24, 24, 24]
    assert [rounded(n, 10) for n in (14, 16, 44.4, 44.5)] == [20, 20, 40, 50]
    assert rounded(27.5, 5) == 30
    assert rounded(80 / 9, 8) == 8  # exactly nine tenths of it is enough
    # a whole number is enough, and a width below 1 leaves the last 1280 channels alone
    assert models.mobilenet_v2(width_mult=1) == models.mobilenet_v2()
    assert models.mobilenet_v2(width_mult=0.1)["classifier"][1].in_features == 1280


def sums(model, x):
    return [row.path for row in count(model, x).rows if row.type == "Sum"]


def test_a_shortcut_is_there_where_the_shapes_agree():
    image = (1, 3, 224, 224)
    # the blocks of a stage after its first, where the stage has any: 0 1 2 3 2 2 0
    assert len(sums(models.mobilenet_v2(), image)) == 10
    assert len(sums(models.resnet18(), image)) == 8
    assert len(sums(models.resnet50(), image)) == 16
    wide = [int(text("3", "00")) for _ in range(2)]
    assert sums(models.mobilenet.inverted_residual(*wide, 1), (1, 300, 2, 2)) == ["sum"]
    assert sums(models.mobilenet.inverted_residual(4, 4, 1, 2), (1, 4, 2, 2)) == []
    assert sums(models.mobilenet.inverted_residual(4, 3, 1, 1), (1, 4, 2, 2)) == []
    for c_in, stride in ((6, 1), (3, 1), (4, 2)):  # a convolution on the way around
        for block, widen in ((models.resnet.basic_block, 1), (models.resnet.bottleneck, 4)):
            around = block(c_in * widen, 4, stride).shortcut
            assert around[0] == nn.Conv2d(c_in * widen, 4 * widen, 1, stride, bias=False)
            assert block(4 * widen, 4).shortcut is None


def test_alexnet_has_a_plane_of_six_by_six_before_its_mean():
    assert models.alexnet()["features"].output_shape((1, 3, 224, 224)) == (1, 256, 6, 6)
    # which makes one of a larger plane, too
    assert models.alexnet()["features"].output_shape((1, 3, 300, 400)) == (1, 256, 8, 11)
    assert models.alexnet().output_shape((1, 3, 300, 400)) == (1, 1000)


def test_the_layers_of_alexnet_and_the_stem_of_resnet():
    kinds = (nn.Conv2d, nn.MaxPool2d)
    features = [layer for layer in models.alexnet()["features"] if isinstance(layer, kinds)]
    assert features == [
        nn.Conv2d(3, 64, 11, 4, 2), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, 1, 2), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, 1, 1),
        nn.Conv2d(384, 256, 3, 1, 1),
        nn.Conv2d(256, 256, 3, 1, 1), nn.MaxPool2d(3, 2),
    ]  # fmt: skip
    assert models.alexnet()["avgpool"] == nn.AdaptiveAvgPool2d((6, 6))
    for resnet in (models.resnet18(), models.resnet50()):
        assert resnet["conv1"] == nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        assert resnet["maxpool"] == nn.MaxPool2d(3, 2, 1)
        assert resnet["avgpool"] == nn.AdaptiveAvgPool2d(1)


def test_the_parts_of_a_resnet_are_called_as_in_torchvision():
    for resnet in (models.resnet18(), models.resnet50()):
        assert [name for name, _ in resnet.children] == [
            "conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4",
            "avgpool", "flatten", "fc",
        ]  # fmt: skip


def test_the_parts_of_a_language_model():
    inner = {
        "feed-forward",
        "norms",
        "projections",
        "scores and weighted sum",
        "token table",
        "logits",
    }
    for build, expected in (
        (models.gpt2_small, inner | {"position table"}),
        (models.llama_7b, inner),
    ):
        found = parts(count(build(), (1, 1)))
        assert found.keys() == expected
        assert (found["token table"].macs, found["norms"].macs) == (0, 0)
    assert found["logits"] == (32000 * 4096, 32000 * 4096)
    assert parts(count(models.gpt2_small(), (1, 1)))["logits"] == (0, 50257 * 768)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("net18", "resnet18, resnet152 or resnet101"),
        ("gpt4", "gpt3 or gpt2_xl"),
        ("mobile", "mobilenet_v2"),
        ("VGG-11", None),
        ("LLaMA-7B", "llama_7b"),
    ],
)
def test_the_models_that_are_near(name, near):
    wanted = f"did you mean {near}?" if near else "`flopslib list` shows them all"
    with pytest.raises(ValueError, match=r"^no model") as caught:
        models.build(name)
    assert str(caught.value) == f"no model is called {name!r}; {wanted}"


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_llama_turns_its_queries_and_keys(name):
    build, sizes = getattr(models, name), OF_ANY_SIZE.get(name, ())
    model = build(*sizes, **({"num_positions": 9} if name == "gpt" else {}))
    turned = [row for row in count(model, (1, 1)).rows if row.type == "RotaryEmbedding"]
    assert len(turned) == (len(attentions(model)) if name.startswith("llama") else 0)
    for row in turned:  # every number of a query and of a key, two products each
        heads, shared = attentions(model)[0].num_heads, PAPERS.get(name, [0, 0, 2, 2])[3]
        assert row.multiplications == 2 * (heads + shared) * attentions(model)[0].head_dim


def test_the_defaults_of_a_block():
    written = {
        models.resnet.basic_block: {"stride": 1, "parts": None},
        models.resnet.bottleneck: {
            "stride": 1,
            "inner": None,
            "groups": 1,
            "stride_on": "3x3",
            "parts": None,
        },
        models.mobilenet.inverted_residual: {"stride": 1},
        models.mobilenet.rounded: {"divisor": 8},
    }
    for block, expected in written.items():
        parameters = inspect.signature(block).parameters.values()
        assert {p.name: p.default for p in parameters if p.default is not p.empty} == expected
        assert not [p for p in parameters if p.kind is p.POSITIONAL_ONLY]
    kinds = inspect.signature(models.resnet.bottleneck).parameters.values()
    wanted = ["inner", "groups", "stride_on", "parts"]
    assert [p.name for p in kinds if p.kind is p.KEYWORD_ONLY] == wanted


# what is run besides flattening and dropping out, layer by layer, from the papers
RUN = {
    "alexnet": {"Conv2d": 5, "ReLU": 7, "MaxPool2d": 3, "AdaptiveAvgPool2d": 1, "Linear": 3},
    # 17 blocks: 16 widen, and each but the last bends twice; a first and a last convolution
    "mobilenet_v2": {"Conv2d": 52, "BatchNorm2d": 52, "ReLU6": 35, "Sum": 10, "AdaptiveAvgPool2d": 1, "Linear": 1},
    "resnet18": {"Conv2d": 20, "BatchNorm2d": 20, "ReLU": 17, "Sum": 8, "MaxPool2d": 1, "AdaptiveAvgPool2d": 1, "Linear": 1},
    "resnet50": {"Conv2d": 53, "BatchNorm2d": 53, "ReLU": 49, "Sum": 16, "MaxPool2d": 1, "AdaptiveAvgPool2d": 1, "Linear": 1},
    "vit_b_16": {"Conv2d": 1, "PositionEmbedding": 1, "LayerNorm": 25, "MultiheadAttention": 12, "Linear": 25, "GELU": 12, "Sum": 24},
    "gpt2_small": {"LearnedPositions": 1, "LayerNorm": 25, "Linear": 72, "ScaledDotProductAttention": 12, "GELU": 12, "Sum": 24, "Shared": 1},
    "llama_7b": {"RMSNorm": 65, "Linear": 32 * 7 + 1, "RotaryEmbedding": 32, "ScaledDotProductAttention": 32, "SiLU": 32, "Product": 32, "Sum": 64},
}  # fmt: skip


@pytest.mark.parametrize("name", RUN)
def test_what_a_model_runs(name):
    entry = models.catalogue()[name]
    rows = count(entry.build(), entry.input_shape).rows
    costly = Counter(row.type for row in rows if any(row.operations.kinds().values()))
    assert costly == RUN[name]


def test_an_option_is_known_however_its_text_was_made():
    assert models.resnet50(stride_on=text("1x", "1")) == models.resnet50(stride_on="1x1")
    assert models.resnet50(stride_on="1x1") != models.resnet50()
    for build in (models.gpt2_small, models.llama_7b):
        assert build(logits=text("la", "st")) == build(logits="last") != build()
        assert build(logits=text("eve", "ry")) == build()
        inside = nn.Sequential(model=build())
        assert parts(count(inside, (1, 1))).keys() == parts(count(build(), (1, 1))).keys()


def test_a_vit_reads_the_class_token():
    assert models.vit_b_16()["class_position"] == nn.Select(1, 0)


def test_a_next_token_is_masked():
    rows = next_token(models.llama_7b, 3).rows
    seen = [row.layer for row in rows if isinstance(row.layer, nn.ScaledDotProductAttention)]
    assert {(layer.causal, layer.cache) for layer in seen} == {(True, 3)}


def test_what_is_run_besides_products():
    # 8 comparisons a window of 3 by 3, 27, 13 and 6 of them a side; 7 times a ReLU
    pools = 8 * (64 * 27**2 + 192 * 13**2 + 256 * 6**2)
    bent = 64 * 55**2 + 192 * 27**2 + (384 + 256 + 256) * 13**2 + 2 * 4096
    assert count(models.alexnet(), (1, 3, 224, 224)).other["comparisons"] == pools + bent
    # one token of GPT-2 small: the biases make the sums of a layer 12d² as the products are;
    # one score of 64 terms a head, a softmax of one; a table of positions; no bias in the logits
    d, words = 768, 50257
    gelu = count(nn.GELU("tanh"), (4 * d,)).additions
    norms = count(nn.LayerNorm(d), (d,)).additions
    layer = 12 * d * d + 2 * d + 12 * (63 + 1) + 2 * norms + gelu
    assert count(models.gpt2_small(), (1, 1)).additions == (
        d + 12 * layer + norms + words * (d - 1)
    )


def test_the_functions_of_language_models_take_their_options_by_name():
    for function, by_name in (
        (prompt, {"causal": False, "logits": "every", "batch": 1}),
        (next_token, {"batch": 1}),
        (training, {"tokens": None, "seq_len": None, "causal": False}),
    ):
        parameters = inspect.signature(function).parameters.values()
        found = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        assert {n: None if d is inspect.Parameter.empty else d for n, d in found.items()} == by_name
        assert not [p for p in parameters if p.kind is p.POSITIONAL_ONLY]


def dropouts(layer):
    found = [layer.p] if isinstance(layer, nn.Dropout) else []
    return found + [p for kept in layer.kept for p in dropouts(kept)]


def test_what_is_dropped_in_training():
    assert dropouts(models.vit_b_16()) == [0.0] * 24
    assert dropouts(models.mobilenet_v2()) == [0.2]
    assert dropouts(models.alexnet()) == [0.5, 0.5]
