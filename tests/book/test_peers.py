"""What other tools report is stored, complete, and explained to the last operation; no torch."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import flopslib
from flopsbook import peers
from flopsbook.peers import LAYERS, MODELS, SUBJECTS, Figure, figures
from flopslib.counters import DEVICES, TOOLS, predict, rules
from flopslib.models import gpt
from flopslib.report.report import count

ROOT = Path(__file__).parents[2]
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


def identity(figure):
    return figure.subject, figure.tool, figure.device, figure.called


def expected():
    for name in SUBJECTS:
        for key, tool in TOOLS.items():
            for device in DEVICES:
                fails = key == "fvcore" and device == "meta" and name in UNTRACED
                for called in [None] if fails else tool.means:
                    yield name, key, device, called


def test_every_tool_was_asked_about_every_subject_and_nothing_twice():
    assert Counter(map(identity, FIGURES)) == Counter(expected())
    assert set(REQUIRED) <= set(MODELS)
    assert len(UNTRACED) == 16
    for figure in FIGURES:
        assert (figure.value is None) == (figure.error is not None) == (figure.called is None)


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_figure_is_explained_to_the_last_operation(name):
    for figure in figures(name):
        if figure.error is None:
            assert type(figure.value) is int
            assert figure.value == figure.ours + sum(term.amount for term in figure.terms), figure
            assert figure.remainder == 0
            assert all(term.name and term.amount for term in figure.terms)


def test_the_subjects_are_the_same_in_pytorch():
    assert STORED["parameters"] == {n: s.report.parameters for n, s in SUBJECTS.items()}


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
        habits = {
            rule.name
            for called in tool.means
            for device in DEVICES
            for rule in tool.rules(called, device)
        }
        if key == "flop_counter_no_grad":
            habits.add(rules.ONE_OPERATION.name)
        assert seen == habits, key
        assert all(kind in KINDS for kind in kinds(tool)), key


def kinds(tool):
    return {
        kind
        for called in tool.means
        for device in DEVICES
        for rule in tool.rules(called, device)
        for kind in rule.kinds
    }


KINDS = {s.kind(row) for s in SUBJECTS.values() for row in s.report.rows}


def test_predictions_are_what_was_measured():
    """For whatever is written with the modules of our names."""
    for figure in COUNTED:
        subject = SUBJECTS[figure.subject]
        if not subject.written and not subject.one_operation:
            found = predict(subject.report, figure.tool, figure.device)
            assert found[figure.called] == figure.value


def test_our_counts_need_no_explanation_where_a_tool_counts_products_alone():
    for figure in figures(tool="flop_counter", device="meta"):
        assert figure.terms == ()
        assert "FLOPs" in figure.equals
        assert figure.value == figure.ours


def test_the_versions_are_those_that_make_peers_installs():
    text = (ROOT / "requirements-peers.txt").read_text()
    pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, flags=re.MULTILINE))
    assert {tool.package for tool in TOOLS.values()} <= set(peers.versions())
    for name, version in peers.versions().items():
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


# containers, copies and what torch.nn has no module of its own for
NOT_ASKED = {
    "Add", "ChannelShuffle", "Concat", "Identity", "LayerNorm2d", "LearnedPositions",
    "Mean", "Multiply", "NotRun", "Pad", "RelativePositionBias", "Residual", "SelfAttention",
    "Scale", "Shared", "ShiftedWindowAttention", "Slice",
    "StochasticDepth", "Unflatten", "ZeroPad2d", "Conv2dNormActivation",
}  # fmt: skip


@pytest.mark.parametrize("asked", [("resnet81",), (None, "ptflop"), (None, None, "cuda")])
def test_a_name_that_is_none(asked):
    with pytest.raises(KeyError, match="there are"):
        figures(*asked)
