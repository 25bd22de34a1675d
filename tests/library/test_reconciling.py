"""A quoted figure is taken back to whoever's rules give it, and to nobody's where none do."""

import json

import pytest

from flopslib import command_line, count
from flopslib import layers as nn
from flopslib.counters import TOOLS, predict, quoted, reconcile
from flopslib.counters.reconciling import readings, training_step
from flopslib.counters.tools import FORETOLD
from flopslib.models import gpt2_small, mobilenet_v2, resnet18, resnet50, vit_b_16

IMAGE = (1, 3, 224, 224)
RESNET = count(resnet50(), IMAGE)
PAPER = {"the stride on the first 1×1": count(resnet50(stride_on="1x1"), IMAGE)}


def products(found):
    return {match.product for match in found.matches if match.product}


def test_every_figure_that_is_quoted_for_resnet_50():
    named = {f: reconcile(f, RESNET, others=PAPER) for f in ("4.1G", "8.2G", "3.8G", "24.3G")}
    assert {"flopslib", "fvcore", "thop", "ptflops"} <= set(named["4.1G"].named)
    assert {"flopslib", "flop_counter", "calflops"} <= set(named["8.2G"].named)
    (step,) = named["24.3G"].matches
    assert (int(step.value), step.tools) == (24_299_077_632, ("flopslib",))
    # 3,857,973,248 rounds to 3.9; the paper cut it off
    ours = [m for m in named["3.8G"].matches if "flopslib" in m.tools]
    assert [(m.how, int(m.value)) for m in ours] == [("cut off, not rounded", 3_857_973_248)]


def test_products_of_rounded_figures_are_named_as_such():
    assert products(reconcile("24.6 GFLOPs", RESNET)) == {"6 × 4.1 G", "3 × 8.2 G"}
    # 3 × 8,178,368,512 = 24,535,105,536 is 24.5, and nothing has to be rounded before
    (thrice, *_) = reconcile("24.5G", RESNET).matches
    assert int(thrice.value) == 24_535_105_536
    assert thrice.how == "by a step"
    assert products(reconcile("24.5G", RESNET)) == set()


@pytest.mark.parametrize(
    ("net", "shape"),
    [(resnet18, (3, 3, 192, 160)), (mobilenet_v2, IMAGE), (vit_b_16, IMAGE), (gpt2_small, (2, 37))],
)
def test_whoever_reports_a_figure_is_named_and_one_more_is_nobodys(net, shape):
    report = count(net(), shape)
    for tool in FORETOLD:
        for device in TOOLS[tool].devices:
            for figure in filter(None, predict(report, tool, device).values()):
                assert tool in reconcile(figure, report).named
                assert reconcile(figure + 1, report).named == ()


def test_the_nearest_have_their_remainders():
    found = reconcile(8_178_368_500, RESNET, "flop_counter")
    assert found.matches == ()
    assert [(m.tools, int(m.remainder)) for m in found.nearest] == [(("flop_counter",), -12)]


def test_one_sample_of_a_batch_and_two_flops_for_each_mac():
    batch = count(resnet18(), (8, 3, 224, 224))
    (one,) = reconcile(1_814_073_344, batch, "flopslib").matches
    assert one.steps == ("for one of 8 samples",)
    # thop's figure times two, which is what its manual advises
    thop = predict(batch, "thop")["MACs"]
    (twice,) = reconcile(2 * thop, batch, "thop").matches
    assert twice.steps == ("two FLOPs for each MAC",)


def test_a_step_of_training():
    assert training_step(RESNET) == 24_299_077_632
    assert training_step(count(mobilenet_v2(), IMAGE)) == 1_782_969_600
    # a table of vectors is learnt, so the layer behind it needs both gradients
    text = nn.Sequential(nn.Embedding(11, 5), nn.Linear(5, 7))
    assert training_step(count(text, (2, 3))) == 3 * 2 * 2 * 3 * 5 * 7
    assert training_step(count(nn.Linear(5, 7), (2, 5))) == 2 * 2 * 2 * 5 * 7
    # only the first that learns goes without
    shifted = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 7))
    assert training_step(count(shifted, (2, 5))) == 2 * 2 * (2 * 5 * 5 + 3 * 5 * 7)


def test_a_network_whose_gradients_are_not_derived_has_no_training_step():
    recurrent = count(nn.LSTM(3, 4), (5, 2, 3))
    with pytest.raises(ValueError, match="no gradient"):
        training_step(recurrent)
    assert not [r for r in readings(recurrent, "flopslib") if "training step" in r.called]
    assert reconcile(recurrent.flops, recurrent, "flopslib").named == ("flopslib",)


@pytest.mark.parametrize(
    ("written", "value", "digits"),
    [
        ("4.1G", 41 * 10**8, 2), ("24.6 GFLOPs", 246 * 10**8, 3), ("3.8e9", 38 * 10**8, 2),
        ("3.8·10^9", 38 * 10**8, 2), ("3.80×10⁹", 38 * 10**8, 3), ("600 M", 6 * 10**8, 3),
        ("8,178,368,512", 8_178_368_512, 10), ("8_178", 8178, 4), (" 17 ", 17, 2),
        ("1.8 billion", 18 * 10**8, 2), ("0.30 GMACs", 3 * 10**8, 2), ("2 * 10**6 MACs", 2 * 10**6, 1),
    ],
)  # fmt: skip
def test_how_a_figure_may_be_written(written, value, digits):
    assert (quoted(written).value, quoted(written).digits) == (value, digits)


@pytest.mark.parametrize("figure", ["", "-3", "0", "4,1", "1,23,456", "G", "4.1X", "nan", "1e999"])
def test_what_is_no_figure(figure):
    with pytest.raises(ValueError, match=r"figure must be a positive number such as '4\.1G'"):
        reconcile(figure, RESNET)


@pytest.mark.parametrize("figure", [4.1e9, True, None])
def test_a_figure_that_has_lost_its_digits(figure):
    with pytest.raises(TypeError, match="figure must be an integer, or text"):
        reconcile(figure, RESNET)


def test_half_a_unit_of_the_last_digit():
    rounded = quoted("4.1G")
    assert rounded.holds(4_050_000_000)
    assert rounded.holds(4_150_000_000)
    assert not rounded.holds(4_049_999_999)
    assert not rounded.holds(4_150_000_001)
    assert quoted("17").holds(17)
    assert not quoted("17.0").holds(18)


def test_an_integer_of_many_zeros_may_be_rounded():
    assert "flopslib" in reconcile(4_100_000_000, RESNET).named
    assert reconcile(4_089_184_300, RESNET).named == ()  # two zeros are no sign of rounding


def run(capsys, *arguments):
    status = command_line.main(["reconcile", *arguments])
    return status, *capsys.readouterr()


def test_the_command(capsys):
    status, out, _ = run(capsys, "3.8G", "--model", "resnet50", "--tool", "flopslib")
    assert status == 0
    assert "3,857,973,248 (cut off, not rounded" in out
    assert "flopslib: MACs (the stride on the first 1×1, as in the paper)" in out
    status, out, _ = run(capsys, "3.8G", "--model", "resnet50", "-o", "stride_on=1x1", "--json")
    assert status == 0
    assert json.loads(out)["matches"][0]["how"] == "cut off, not rounded"
    status, out, _ = run(capsys, "17", "--model", "resnet18", "--input", "2,3,64,64")
    assert (status, "is no figure that these rules give" in out) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-1", "--model", "resnet18"), "figure must be a positive number"),
        (("1G", "--model", "resnet18", "--tool", "thob"), "no tool is called 'thob'; did you mean"),
        (("1G", "--model", "resnet81"), "no model is called 'resnet81'"),
    ],
)
def test_what_the_command_refuses(capsys, arguments, message):
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert message in err


def test_a_network_without_products():
    report = count(nn.ReLU(), (2, 3))
    assert {"calflops", "flopth", "xla", "torch_flops"} <= set(reconcile(6, report).named)
    assert reconcile(9, report).named == ("ptflops",)  # the mean of the samples, and all
    assert reconcile(5, report).named == ()
