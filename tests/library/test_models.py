"""Models: parameters and MACs to the last one, against what is published elsewhere."""

import json
from pathlib import Path

import architectures
import pytest
from witnesses import saw

from flopslib import count, models
from flopslib.layers import Conv2d, Layer
from flopslib.layers.elementwise import _Activation
from flopslib.loops.layers import run_layers
from flopslib.models import catalogue
from flopslib.models.resnet import basic_block, bottleneck
from flopslib.models.vit import vision_transformer

IMAGE = (1, 3, 224, 224)
TORCHVISION = json.loads((Path(__file__).parent / "torchvision_figures.json").read_text())["models"]
BUILDERS = {name: getattr(models, name) for name in TORCHVISION if hasattr(models, name)}
WRITTEN = {name: build for name, (build, _) in architectures.NETWORKS.items()}

EXACT = [
    (models.resnet18(), IMAGE, 1_814_073_344, 11_689_512),
    (models.resnet50(), IMAGE, 4_089_184_256, 25_557_032),
    (models.resnet50(stride_on="1x1"), IMAGE, 3_857_973_248, 25_557_032),
    (models.mobilenet_v2(), IMAGE, 300_774_272, 3_504_872),
    (models.vit_b_16(), IMAGE, 17_563_828_224, 86_567_656),
    (models.alexnet(), IMAGE, 714_188_480, 61_100_840),
    (architectures.vgg16(), IMAGE, 15_470_264_320, 138_357_544),
    # 12 layers of 12*768^2 weights, the logits' 768*50257, and 2*768 for the one pair
    (models.gpt2_small(), (1, 1), 123_550_464, 124_439_808),
    # 6,607,077,376 weights in products, and 2*4096 for the one pair of each of 32 layers
    (models.llama_7b(), (1, 1), 6_607_339_520, 6_738_415_616),
    (models.llama2_7b(), (1, 2048), 14_630_806_093_824, 6_738_415_616),
    (models.llama3_8b(), (1, 1), 7_504_920_576, 8_030_261_248),
    # 96*12*12288^2 weights, 12288*50257 logits, 96*2*12288 for the pair
    (models.gpt3(), (1, 1), 174_566_092_800, 174_604_259_328),
]


@pytest.mark.parametrize(("model", "x", "macs", "parameters"), EXACT)
def test_to_the_last_mac_and_parameter(model, x, macs, parameters):
    report = count(model, x)
    assert report.macs == macs
    assert report.flops == 2 * macs
    assert report.parameters == model.parameters == parameters
    assert sum(row.macs for row in report.rows) == macs
    assert sum(row.parameters for row in report.rows) == parameters


def test_every_network_of_torchvision_is_built_or_written():
    assert set(BUILDERS) | set(WRITTEN) == set(TORCHVISION)
    assert len(WRITTEN) >= 20
    assert not set(BUILDERS) & set(WRITTEN)


@pytest.mark.parametrize("name", TORCHVISION)
def test_against_torchvision(name):
    build = BUILDERS.get(name) or WRITTEN[name]
    published = TORCHVISION[name]
    report = count(build(), tuple(published["input"]))
    assert report.parameters == published["parameters"]
    assert report.flops == published["flops"]
    saw("published", 2)
    # two networks print their last digit cut, not rounded
    digits = len(str(published["gmacs"]).partition(".")[2])
    assert abs(report.macs / 1e9 - published["gmacs"]) < 10**-digits
    assert report.output_shape == (1, 1000)
    assert sum(row.parameters for row in report.rows) == report.parameters


@pytest.mark.parametrize("name", BUILDERS)
def test_published_gigamacs_are_ours_rounded(name):
    published = TORCHVISION[name]["gmacs"]
    macs = count(BUILDERS[name](), tuple(TORCHVISION[name]["input"])).macs
    digits = len(str(published).partition(".")[2])
    assert round(macs / 1e9, digits) == published


def test_the_catalogue_has_every_builder():
    public = {name for name in models.__all__ if name.islower()} - {"build", "catalogue"}
    general = {"gpt", "language_model", "llama", "vision_transformer"}
    assert set(catalogue()) == public - general
    for name, entry in catalogue().items():
        assert entry.name == name
        assert entry.about.endswith(".")
        assert isinstance(entry.build(), Layer)
        assert count(entry.build(), entry.input_shape).macs > 0


# --- options ------------------------------------------------------------------

# as torchvision builds them
WIDTHS = [(0.5, 1_968_680), (0.75, 2_636_424), (1.4, 6_108_776)]


@pytest.mark.parametrize(("width", "parameters"), WIDTHS)
def test_the_width_multiplier(width, parameters):
    assert models.mobilenet_v2(width_mult=width).parameters == parameters


def test_other_classes_and_sizes():
    # 10 rows of 512 weights and a bias in place of 1000
    assert models.resnet18(num_classes=10).parameters == 11_689_512 - 990 * 513
    four = count(models.resnet50(), (1, 3, 448, 448)).macs
    # four times the pixels, and the one linear layer as before
    assert four == 4 * (4_089_184_256 - 2_048_000) + 2_048_000
    batch = count(models.resnet50(), (7, 3, 224, 224))
    assert (batch.macs, batch.parameters) == (7 * 4_089_184_256, 25_557_032)
    # 24*24 + 1 positions
    assert count(models.vit_b_16(image_size=384), (1, 3, 384, 384)).macs > 3 * 17_563_828_224


#: The activations of each family, as its paper or its published configuration has them:
#: ReLU6 after every convolution of MobileNetV2 but the projections; "gelu_new" in GPT-2's
#: configuration, and GPT-3 has the architecture of GPT-2; torchvision's ViT has torch's own
#: GELU; "silu" in LLaMA's, inside the network with a gate.
ACTIVATIONS = {
    "alexnet": {"ReLU()"},
    "resnet": {"ReLU()"},
    "resnext": {"ReLU()"},
    "wide_resnet": {"ReLU()"},
    "mobilenet": {"ReLU6()"},
    "vit": {"GELU()"},
    "gpt2": {"GELU(approximate='tanh')"},
    "gpt3": {"GELU(approximate='tanh')"},
    "llama": {"SiLU()"},
    "stories": {"SiLU()"},
    "gemma3": {"GELU(approximate='tanh')"},
    "qwen3_30b": set(),  # inside of experts
    "qwen3": {"SiLU()"},
    "mixtral": set(),
    "gpt_oss": set(),
    "deepseek": {"SiLU()"},
}


@pytest.mark.parametrize("name", catalogue())
def test_a_model_has_the_activations_of_its_publication(name):
    entry = catalogue()[name]
    family = next(family for family in ACTIVATIONS if name.startswith(family))
    bent = {
        repr(row.layer)
        for row in count(entry.build(), entry.input_shape).rows
        if isinstance(row.layer, _Activation) and row.type not in ("Sum", "Product")
    }
    assert bent == ACTIVATIONS[family]


def test_a_layer_of_gpt2_to_the_last_operation():
    # 1024 tokens of width 768, 12 heads of 64: the products of 4 + 8 squares of 768², whose
    # biases make as many additions; a score and a weighted number per pair and head, with a
    # scaling and a softmax; two norms of 6d - 1 and two sums; GELUs of 4 products and 2 sums
    tokens, d, heads, pairs = 1024, 768, 12, 12 * 1024**2
    squares = 2 * tokens * 12 * d * d
    scores = pairs * (64 + 63 + 1 + 2) - heads * tokens + 2 * pairs * 64 - tokens * d
    around = tokens * (2 * (6 * d - 1) + 2 * d + 6 * 4 * d)
    rows = count(models.gpt2_small(), (1, tokens)).rows
    layer = [row for row in rows if row.path.startswith("h.0.")]
    assert sum(row.exact_flops for row in layer) == squares + scores + around
    assert not any("erfs" in row.other for row in rows)


def test_resnext_and_wide_are_resnet50_with_other_numbers():
    assert models.resnext50_32x4d() == models.resnet50(groups=32, width_per_group=4)
    assert models.wide_resnet50_2() == models.resnet50(width_per_group=128)
    assert models.resnet101() != models.resnet152()


def test_models_are_values():
    assert models.llama_7b() == models.llama2_7b()
    assert hash(models.resnet18()) == hash(models.resnet18())
    assert models.resnet18() != models.resnet34()


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: models.resnet50(stride_on="5x5"), ValueError, "stride_on must be '3x3' or '1x1', got '5x5'"),
        (lambda: models.resnet50(groups=0), ValueError, "groups must be a positive integer, got 0"),
        (lambda: models.resnet50(width_per_group=1.5), TypeError, "width_per_group must be a positive integer, got 1.5 of type float"),
        (lambda: models.resnet18(num_classes=0), ValueError, "num_classes must be a positive integer, got 0"),
        (lambda: models.mobilenet_v2(width_mult=0), ValueError, "width_mult must be a number above 0, got 0"),
        (lambda: models.mobilenet_v2(width_mult=float("inf")), ValueError, "width_mult must be a number above 0, got inf"),
        (lambda: models.mobilenet_v2(width_mult="1"), TypeError, "width_mult must be a number above 0, got '1'"),
        (lambda: models.mobilenet_v2(round_nearest=0), ValueError, "round_nearest must be a positive integer, got 0"),
        (lambda: models.vit_b_16(image_size=225), ValueError, "patch_size must divide image_size, got patch_size=16 and image_size=225"),
        (lambda: vision_transformer(32.0, 4, 1, 1, 8, 8), TypeError, "image_size must be a positive integer, got 32.0 of type float"),
        (lambda: vision_transformer(32, 4, -1, 1, 8, 8), ValueError, "num_layers must be a positive integer, got -1"),
        (lambda: models.gpt(2, 12, 5, num_positions=8), ValueError, "num_heads must divide embed_dim, got num_heads=5 and embed_dim=12"),
        (lambda: models.gpt2_small(logits="first"), ValueError, "logits must be 'every' or 'last', got 'first'"),
        (lambda: models.llama_7b(causal="yes"), TypeError, "causal must be True or False, got 'yes' of type str"),
        (lambda: models.llama(2, 12, 3, 8, num_kv_heads=2), ValueError, "num_kv_heads must divide num_heads, got num_kv_heads=2 and num_heads=3"),
        (lambda: models.llama(0, 12, 3, 8), ValueError, "num_layers must be a positive integer, got 0"),
        (lambda: models.build("resnet5O"), ValueError, "no model is called 'resnet5O'; did you mean resnet50, resnet152 or resnet34?"),
        (lambda: models.build("ResNet50"), None, None),
        (lambda: models.build("xxxxxx"), ValueError, "no model is called 'xxxxxx'; `flopslib list` shows them all"),
        (lambda: models.build("resnet18", depth=3), TypeError, "resnet18 has no option 'depth'; it has num_classes"),
    ],
)  # fmt: skip
def test_what_a_builder_refuses(build, error, message):
    if error is None:
        error, message = ValueError, "no model is called 'ResNet50'; did you mean resnet50?"
    with pytest.raises(error) as caught:
        build()
    assert str(caught.value) == message


MISFITS = [
    (models.resnet50(), (1, 3, 224), "conv1: Conv2d(3, 64, 7, stride=2, padding=3, bias=False) needs 3 channels at dimension 0, got 1 in (1, 3, 224), read as (C, H, W)"),
    (models.resnet50(), (1, 224, 224, 3), "conv1: Conv2d(3, 64, 7, stride=2, padding=3, bias=False) needs 3 channels at dimension 1, got 224 in (1, 224, 224, 3), read as (N, C, H, W)"),
    (models.alexnet(), (1, 3, 16, 16), "features.5: MaxPool2d(3, stride=2) has a window that does not fit into a padded side of 1"),
    (models.vit_b_16(), (1, 3, 384, 384), "VisionTransformer(9 layers) is built for images of 224×224, got (1, 3, 384, 384); build it with image_size=384"),
    (models.gpt2_small(), (1, 1025), "wpe: LearnedPositions(1024, 768) needs at most 1024 positions at dimension 1, got 1025 in (1, 1025, 768)"),
    (models.llama_7b(), (7,), "layers.0.attention.norm: RMSNorm(4096)"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "x", "message"), MISFITS)
def test_a_wrong_input_is_one_line_that_says_where(model, x, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        count(model, x)
    assert "\n" not in str(caught.value)
    if model != models.llama_7b():
        assert str(caught.value) == message


def test_a_mismatch_deep_inside():
    broken = models.resnet._stage(bottleneck, 64, 64, 256, 2, 1)
    inner = bottleneck(128, 64)
    from flopslib.layers import Sequential

    network = Sequential(stem=Conv2d(3, 64, 1), layer1=broken, layer2=Sequential(inner))
    with pytest.raises(
        ValueError,
        match=r"^layer2\.0\.conv1: Conv2d\(128, 64, 1, bias=False\) needs 128 channels at dimension 1, got 256",
    ):
        count(network, (1, 3, 8, 8))


# --- whole networks, executed number by number -----------------------------------

TINY = [
    (basic_block(2, 3, 2), (1, 2, 5, 5)),
    (bottleneck(2, 3, 2, inner=4, groups=2), (1, 2, 5, 4)),
    (bottleneck(12, 3, inner=3), (2, 12, 3, 2)),
    (bottleneck(2, 3, 2, stride_on="1x1"), (1, 2, 4, 4)),
    (models.mobilenet.inverted_residual(3, 3, 2), (1, 3, 4, 3)),
    (models.mobilenet.inverted_residual(3, 5, 1, 2), (1, 3, 4, 3)),
    (vision_transformer(6, 3, 2, 2, 4, 6, num_classes=3), (2, 3, 6, 6)),
    (models.gpt(2, 6, 3, num_positions=7, vocab_size=5), (2, 3)),
    (models.gpt(1, 4, 2, num_positions=7, vocab_size=5, causal=True, cache=4, logits="last"), (1, 3)),
    (models.llama(2, 8, 4, 6, num_kv_heads=2, vocab_size=5), (2, 3)),
    (models.llama(1, 4, 2, 6, vocab_size=5, causal=True, cache=2, logits="last"), (1, 2)),
    (architectures.fire(4, 2, 3), (1, 4, 3, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("model", "x"), TINY)
def test_a_whole_network_is_what_its_loops_perform(model, x):
    report = count(model, x)
    tallies = run_layers(model, x)
    assert set(tallies) <= {row.path for row in report.rows}
    for row in report.rows:
        assert row.operations == tallies.get(row.path, row.operations)
    executed = sum(tally.macs for tally in tallies.values())
    assert executed == report.macs
    saw("networks")
