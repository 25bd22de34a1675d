"""What only a mutant asked for: changes of the code that no other test noticed (`make mutants`).

Each test says what is right by another route than the code, or refuses what is
wrong. The changes that nothing can notice are in tests/mutants/survivors.toml.
"""

import inspect
import tomllib
from pathlib import Path

import pytest

from flopslib import count, models, registered
from flopslib import layers as nn

MUTANTS = Path(__file__).parent / "mutants"


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
    "feed_forward": (8 * LENGTH * WIDTH**2, 8 * LENGTH * WIDTH**2 + 4 * LENGTH * WIDTH),
    # no biases: the sums lack one term an output; SiLU adds once
    "gated_feed_forward": (3 * 4096 * 11008, 2 * 11008 * 4095 + 4096 * 11007 + 11008),
    "transformer_layer": (12 * LENGTH * WIDTH**2 + 2 * LENGTH**2 * WIDTH, None),
}  # fmt: skip


@pytest.mark.parametrize("name", registered())
def test_an_example_is_the_layer_that_it_names(name):
    cost = registered()[name]
    derivation = cost.function(**cost.example.arguments)
    macs, additions = EXAMPLES[name]
    assert derivation.macs == macs
    assert additions in (derivation.additions, None)


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
    *((kind, {"inplace": True}) for kind in (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Hardsigmoid)),
    (nn.LeakyReLU, {"negative_slope": 0.2, "inplace": True}),
    (nn.GELU, {"approximate": "tanh"}),
    (nn.Softmax, {"dim": 1}),
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
    for name, value in given.items():
        assert getattr(layer, name) == value, name
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
        lowest = 0 if name in MAY_BE_NOTHING else 1
        wanted = (
            "an integer" if signed else f"a {'non-negative' if lowest == 0 else 'positive'} integer"
        )
        wrong = {2.0: TypeError, True: TypeError, "1": TypeError, lowest - 1: ValueError}
        if isinstance(value, bool):
            wanted = "True or False"
            wrong = {1: TypeError, None: TypeError, "yes": TypeError}
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
        lambda: nn.Pad((1, -1)),
        lambda: nn.Pad((1, True)),
        lambda: nn.ZeroPad2d(-1),
        lambda: nn.Unflatten(1, (0, 3)),
        lambda: nn.Unflatten(1, (-2, 3)),
        lambda: nn.Embedding(5, 3, padding_idx=-6),
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
        lambda: nn.Conv2d(4, 3, (3, 3, 3)),
        lambda: nn.Conv2d(4, 3, 3, stride=(1, 2), padding="same"),
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
        lambda: nn.Multiply(product2=nn.ReLU()),
        lambda: nn.Scale(0, 2),
        lambda: nn.Scale(2.0),
    ],
)
def test_what_else_a_layer_refuses(refused):
    with pytest.raises((TypeError, ValueError)):
        refused()


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        # one before the first dimension, and one after the last
        *((nn.Flatten(dim), (2, 3)) for dim in (-3, 2)),
        *((nn.Softmax(dim), (2, 3)) for dim in (-3, 2)),
        *((nn.Concat(nn.ReLU(), dim=dim), (2, 3)) for dim in (-3, 2)),
        *((nn.Select(1, index), (2, 3)) for index in (-4, 3)),
        (nn.Slice(3, 5), (2, 3)),
        (nn.Flatten(2, 1), (2, 3, 5)),
        (nn.Unflatten(1, (4, -1)), (2, 6)),
        (nn.Unflatten(1, (2, 4)), (2, 16)),
        (nn.Permute((0, 0)), (2, 3)),
        (nn.Permute((0, 1)), (2, 3, 5)),
        (nn.ChannelShuffle(3), (3, 4)),
        (nn.Mean((0, 0)), (2, 3)),
        (nn.ClassToken(3), (2, 3)),
        (nn.ClassToken(3), (1, 2, 4)),
        (nn.LearnedPositions(7, 3), (3,)),
        (nn.LearnedPositions(7, 3), (8, 3)),
        (nn.LearnedPositions(7, 3), (7, 4)),
        (nn.LearnedPositions(7, 3, cache=2), (6, 3)),
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
        (nn.Conv2d(3, 2, 4), (3, 4, 3)),
        (nn.Conv2d(3, 2, 3, dilation=2), (3, 4, 5)),
        (nn.ConvTranspose2d(3, 2, 1), (3, 5)),
        (nn.ConvTranspose2d(3, 2, 1), (2, 5, 5)),
        (nn.ConvTranspose2d(3, 2, 2, padding=(1, 0)), (3, 1, 1)),
        (nn.MaxPool2d(3), (1, 3, 2)),
        (nn.MaxPool2d(2), (3, 5)),
        (nn.AdaptiveAvgPool2d(1), (3, 5)),
        (nn.Residual(nn.Linear(3, 2)), (1, 3)),
        (nn.Add(nn.Linear(3, 2), nn.Linear(3, 4)), (1, 3)),
        (nn.Add(nn.ReLU()), (1, 3)),
        (nn.Concat(nn.Linear(3, 2), nn.Flatten(0)), (2, 3)),
        (models.vit_b_16(), (1, 3, 224, 225)),
        (models.vit_b_16(), (1, 3, 225, 224)),
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
    ],
)  # fmt: skip
def test_what_just_fits(layer, x, y):
    assert layer.output_shape(x) == count(layer, x).output_shape == y


def test_gelu_by_tanh_has_no_erf_however_its_name_was_made():
    assert count(nn.GELU(text("ta", "nh")), (3,)).other["erfs"] == 0


# --- models -----------------------------------------------------------------------


def test_mobilenet_has_the_channels_of_the_paper():
    # where nothing is rounded, no channel may be one off
    assert models.mobilenet_v2(round_nearest=1).parameters == 3_504_872


LANGUAGE = [name for name in models.__all__ if name.startswith(("gpt", "llama"))]
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
BUILDERS = sorted({*models.__all__} - {"Model", "build", "catalogue"})


@pytest.mark.parametrize("name", BUILDERS)
def test_the_options_of_a_model(name):
    parameters = inspect.signature(getattr(models, name)).parameters.values()
    written = ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters
    )
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
    assert rounded(80 / 9, 8) == 8  # exactly nine tenths of it is enough
    # a whole number is enough, and a width below 1 leaves the last 1280 channels alone
    assert models.mobilenet_v2(width_mult=1) == models.mobilenet_v2()
    assert models.mobilenet_v2(width_mult=0.1)["classifier"][1].in_features == 1280


# --- the list of what may survive ---------------------------------------------------


def test_every_survivor_has_a_reason():
    for survivor in tomllib.loads((MUTANTS / "survivors.toml").read_text()).get("survivor", []):
        assert set(survivor) == {"module", "before", "after", "reason"}
        assert survivor["module"].startswith("flopslib/")
        assert survivor["reason"].endswith(".")
        assert survivor["after"]
