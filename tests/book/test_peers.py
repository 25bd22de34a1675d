"""What other tools report is stored, complete, and explained to the last operation; no torch."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import flopslib
from flopsbook import peers
from flopsbook.peers import LAYERS, MODELS, NETWORKS, SUBJECTS, Figure, asked, figures
from flopsbook.peers.subjects import EVERYWHERE
from flopslib.counters import TOOLS, predict, rules
from flopslib.models import gpt
from flopslib.report.report import count

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "tests" / "book" / "peers"
STORED = json.loads((ROOT / "flopsbook" / "data" / "peers.json").read_text(encoding="utf-8"))
FIGURES = figures()
COUNTED = [figure for figure in FIGURES if figure.error is None]
REQUIRED = ["resnet18", "resnet50", "mobilenet_v2", "vit_b_16", "gpt2_layer", "llama_layer"]

# the tracer of fvcore cannot run a convolution on the meta device
UNTRACED = {
    name
    for name, subject in SUBJECTS.items()
    if any(row.type in rules.WINDOWS for row in subject.report.rows)
}
REFUSED = {
    *(("fvcore", name, "meta") for name in UNTRACED),
    # it wants two axes of each factor
    *(("fvcore", "matrix_vector", device) for device in ("cpu", "meta")),
    # what torch.fx cannot trace, and a network without any module
    *(("torch_flops", name, "cpu") for name in ("gpt2_layer", "llama_layer")),
    *(
        ("torch_flops", name, "cpu")
        for name in ("scaled_dot_product_attention", "causal_attention")
    ),
    # its table cannot be made of a module that is scanned over
    ("flax", "loop_of_ten", "cpu"),
}


def identity(figure):
    return figure.subject, figure.tool, figure.device, figure.called


def expected():
    for tool, name, device in asked():
        fails = (tool, name, device) in REFUSED
        for called in [None] if fails else TOOLS[tool].means:
            yield name, tool, device, called


def test_every_tool_was_asked_about_every_subject_and_nothing_twice():
    assert Counter(map(identity, FIGURES)) == Counter(expected())
    assert set(REQUIRED) <= set(MODELS)
    for figure in FIGURES:
        assert (figure.value is None) == (figure.error is not None) == (figure.called is None)


def test_many_tools_of_many_ecosystems():
    packages = {tool.package for tool in TOOLS.values()}
    assert len(packages) >= 16
    assert {tool.framework for tool in TOOLS.values()} == set(EVERYWHERE)
    for name in NETWORKS:
        assert {figure.tool for figure in figures(name) if figure.error is None} == set(TOOLS)


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_figure_is_explained_to_the_last_operation(name):
    for figure in figures(name):
        if figure.error is None:
            assert type(figure.value) is int
            assert figure.value == figure.ours + sum(term.amount for term in figure.terms), figure
            assert figure.remainder == 0
            assert all(term.name and term.amount for term in figure.terms)


def test_the_subjects_are_the_same_in_pytorch():
    ours = {n: s.report.parameters for n, s in SUBJECTS.items() if "torch" in s.frameworks}
    # what a product is with belongs to the program, and is none of our layer's weights
    operands = {"broadcast_product": 2 * 4 * 5, "matrix_vector": 4}
    assert STORED["parameters"] == ours | operands


def test_no_other_figure_would_be_explained():
    """The terms come from our rows and never from the figure."""
    for figure in COUNTED:
        assert Figure(*identity(figure), figure.value + 1).remainder == 1


# --- hand-derived, so that the rules and the stored data cannot drift together -----------

PINNED = [
    # 9.93 M = 4 for each of 2,483,712 normalised numbers; 512 planes of 49 cells and 1
    ("resnet18", "thop", "cpu", "MACs", 1_814_073_344 + 4 * 2_483_712 + 512 * 50),
    # 2 for each normalised number, and 512*49 cells pooled
    ("resnet18", "fvcore", "cpu", "flops", 1_814_073_344 + 2 * 2_483_712 + 512 * 49),
    # the biases of the last layer
    ("resnet50", "ptflops_aten", "meta", "MACs", 4_089_184_256 + 1000),
    # 12 layers of 2*197^2*768 left out; 25 norms of 197*768 at 5 each
    ("vit_b_16", "fvcore", "cpu", "flops", 17_563_828_224 - 12 * 2 * 197**2 * 768 + 25 * 197 * 768 * 5),
    # all 12 attentions left out: 4*197*768^2 in projections and 2*197^2*768 inside
    ("vit_b_16", "flop_counter_no_grad", "cpu", "FLOPs", 2 * (17_563_828_224 - 12 * (4 * 197 * 768**2 + 2 * 197**2 * 768))),
    ("vit_b_16", "flop_counter", "meta", "FLOPs", 2 * 17_563_828_224),
    # 4*768^2 + 2*768*3072 weights for 128 tokens, and no pairs of them
    ("gpt2_layer", "calflops", "cpu", "MACs", 128 * (4 * 768**2 + 2 * 768 * 3072)),
    # (768 + 1)*2304 parameters for each of 2304 features, and so on; 2 norms of 2*768
    ("gpt2_layer", "torchinfo", "cpu", "mult-adds", 769 * 2304**2 + 769 * 768**2 + 769 * 3072**2 + 3073 * 768**2 + 2 * 2 * 768),
    # 4*4096^2 + 3*4096*11008 weights and two norms: the parameters
    ("llama_layer", "torchinfo", "cpu", "mult-adds", 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096),
    # the same weights for 128 tokens; 1 for each of 128*11008 numbers through SiLU
    ("llama_layer", "ptflops", "cpu", "MACs", 128 * (4 * 4096**2 + 3 * 4096 * 11008) + 128 * 11008),
    # 2*3*5*7 inputs scattered to 5*3*3; by 2*5*11*15 outputs it would be 3*3*3 each
    ("conv_transpose2d", "flop_counter", "cpu", "FLOPs", 2 * 210 * 45),
    ("conv_transpose2d", "thop", "cpu", "MACs", 1650 * 27),
    # (3*5*7 MACs and 3*7 biases of one sample of two)
    ("linear", "ptflops", "cpu", "MACs", 105 + 21),
    # one sum for each of two samples: 5*7 weights and 7 biases
    ("linear", "torchinfo", "cpu", "mult-adds", 2 * (35 + 7)),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "tool", "device", "called", "value"), PINNED)
def test_by_hand(subject, tool, device, called, value):
    found = {f.called: f.value for f in figures(subject, tool, device)}
    assert found[called] == value


def test_two_errors_can_hide_each_other():
    (figure,) = figures("transformer_layer", "fvcore", "cpu")
    assert figure.value == figure.ours
    # scores and weighted sums 2*5^2*6 left out; 2 norms of 5*6 numbers at 5 each
    assert [term.amount for term in figure.terms] == [-300, 300]


def test_a_tool_is_explained_by_its_habits_and_not_network_by_network():
    """Every habit of a tool is seen somewhere, and few explain much."""
    for key, tool in TOOLS.items():
        seen = {term.name for figure in COUNTED if figure.tool == key for term in figure.terms}
        habits = {rule.name for rule in rules_of(tool)}
        habits |= {rule.name for rule in rules.WHOLE_LAYER.get(key, ())}
        assert seen <= habits, key
        assert habits - seen == (UNSEEN if key == "flax" else set()), key


def rules_of(tool):
    for called in tool.means:
        for device in tool.devices:
            yield from tool.rules(called, device)


# Flax asks XLA, but makes no table of a module that is scanned over
UNSEEN = {"a loop's body, all times but one", "the counter of a loop"}


def test_the_layers_that_habits_concern_are_asked_about():
    """A kind that no subject has would be a habit that nothing shows."""
    for key, tool in TOOLS.items():
        kinds = {
            subject.kind(row, tool.framework)
            for subject in SUBJECTS.values()
            for row in subject.report.rows
        }
        for rule in rules_of(tool):
            assert not rule.kinds or kinds.intersection(rule.kinds), (key, rule.name)


def test_predictions_are_what_was_measured():
    """For whatever is written with the modules of our names."""
    for figure in COUNTED:
        subject = SUBJECTS[figure.subject]
        framework = TOOLS[figure.tool].framework
        written = subject.written if framework == "torch" else subject.elsewhere.get(framework)
        if not subject.one_operation or figure.tool not in rules.WHOLE_LAYER:
            found = predict(subject.report, figure.tool, figure.device, written=written)
            assert found[figure.called] == figure.value


def test_our_counts_need_no_explanation_where_a_tool_counts_products_alone():
    for figure in figures(tool="flop_counter", device="meta"):
        if figure.subject in ("matrix_vector", "causal_attention"):
            continue  # no rule for a vector, and none for a mask
        assert figure.terms == ()
        assert "FLOPs" in figure.equals
        assert figure.value == figure.ours


def test_the_versions_are_those_that_make_peers_installs():
    stored = peers.environments()
    requirements = {f.stem: f.read_text() for f in (PEERS / "requirements").glob("*.txt")}
    assert set(stored) == set(requirements)
    assert {tool.package for tool in TOOLS.values()} <= set(peers.versions())
    for environment, text in requirements.items():
        pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, flags=re.MULTILINE))
        for name, version in stored[environment]["versions"].items():
            # torch's own build adds where it was built; thop writes its post-release by a dash
            assert version.split("+")[0].replace("-", ".post") == pinned[name], name


def test_the_layer_of_gpt2_costs_what_the_one_in_the_book_does():
    whole = count(gpt(1, 768, 12, num_positions=1024), (1, 128))
    inside = whole["h"]
    layer = MODELS["gpt2_layer"].report
    assert layer.macs == inside.macs
    assert layer.parameters == inside.parameters


def test_every_layer_of_the_book_that_torch_has():
    """A layer that is added to the library is asked about, or has a reason not to be."""
    asked = {row.type for subject in SUBJECTS.values() for row in subject.report.rows}
    asked |= {type(SUBJECTS[name].build()).__name__ for name in LAYERS}
    ours = {
        name
        for name in flopslib.layers.__all__
        if name[0].isupper() and name not in ("Layer", "ShapeError")
    }
    assert ours - asked == NOT_ASKED


# containers, copies, what torch.nn has no module of its own for, and layers that came after
# the tools had been asked
NOT_ASKED = {
    "AdaptiveAvgPool1d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "Add", "AvgPool1d", "AvgPool3d", "BatchNorm3d", "Cat",
    "ChannelShuffle", "Concat", "ConstantFactor", "Conv2dNormActivation", "ConvTranspose1d",
    "ConvTranspose3d", "CrossAttention", "ELU", "Experts", "GLU", "GRU", "GRUCell", "Graph",
    "Hardtanh", "Identity", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LSTM",
    "LSTMCell", "LatentAttention", "LatentHeads", "LayerNorm2d", "LearnedPositions",
    "LogSoftmax", "MatMul", "MaxPool1d", "MaxPool3d", "Mean", "Mish", "MixtureOfExperts",
    "Multiply", "NotRun", "PReLU", "Pad", "PixelShuffle", "PixelUnshuffle", "RNN", "RNNCell",
    "RelativePositionBias", "Residual", "Scale", "SelfAttention", "ShiftedWindowAttention",
    "Slice", "Softplus", "StochasticDepth", "TransformerEncoderLayer", "Unflatten",
    "Upsample",
}  # fmt: skip


@pytest.mark.parametrize("asked", [("resnet81",), (None, "ptflop"), (None, None, "cuda")])
def test_a_name_that_is_none(asked):
    with pytest.raises(KeyError, match="there are"):
        figures(*asked)
