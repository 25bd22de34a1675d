"""The command: what it prints, in a pipe and in a terminal, and what it says when it cannot."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from flopslib import command_line, count, registered
from flopslib.command_line import main
from flopslib.models import catalogue, resnet18, resnet50

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(capsys):
    def call(*words):
        status = main(list(words))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def test_count_in_a_pipe(run):
    status, out, err = run("count", "resnet18", "--input", "1,3,224,224")
    assert (status, err) == (0, "")
    total, rounded, _ = out.splitlines()[-3:]
    assert "1,814,073,344" in total
    assert rounded.split() == ["rounded", "1.81", "G", "11.7", "M", "3.63", "G", "3.63", "G"]
    assert "layer4.1" in out
    assert run("count", "resnet18") == (0, out, "")
    for written in ("(1x3x224x224)", "(1, 3, 224, 224,)", "[1, 3, 224, 224]", "1×3×224×224"):
        assert run("count", "resnet18", "--input", written) == (0, out, "")


def test_count_to_a_depth(run):
    assert len(run("count", "resnet18", "--depth", "0")[1].splitlines()) == 7
    assert "layer1.0.conv1" in run("count", "resnet18", "--all")[1]
    assert "layer1.0" not in run("count", "resnet18", "--depth", "1")[1]
    assert (
        "├─ layer1: Sequential(2 layers)" in run("count", "resnet18", "--tree", "--depth", "1")[1]
    )
    assert run("count", "resnet18", "--markdown")[1].startswith("| layer | type |")


def parts(model, depth):
    """The parts of the tree down to a depth, by their paths, as one would cut it by hand."""
    return list(dict.fromkeys(".".join(row.path.split(".")[:depth]) for row in model.rows))


@pytest.mark.parametrize("depth", [1, 2, 9])
def test_count_to_a_depth_as_data(run, depth):
    model = count(resnet18(), (1, 3, 224, 224))
    rows = list(
        csv.DictReader(io.StringIO(run("count", "resnet18", f"--depth={depth}", "--csv")[1]))
    )
    plain = json.loads(run("count", "resnet18", "--depth", str(depth), "--json")[1])
    assert [row["path"] for row in rows] == parts(model, depth)
    assert [layer["path"] for layer in plain["layers"]] == parts(model, depth)
    for figure, total in {"macs": 1_814_073_344, "parameters": 11_689_512}.items():
        assert sum(int(row[figure]) for row in rows) == total
        assert sum(layer[figure] for layer in plain["layers"]) == plain[figure] == total
    assert plain["depth"] == depth


def test_the_total_alone_as_data(run):
    header, total = csv.reader(io.StringIO(run("count", "resnet18", "--depth", "0", "--csv")[1]))
    named = dict(zip(header, total, strict=True))
    assert (named["macs"], named["parameters"]) == ("1814073344", "11689512")
    assert (named["input_shape"], named["output_shape"]) == ("1x3x224x224", "1x1000")
    (layer,) = json.loads(run("count", "resnet18", "--depth", "0", "--json")[1])["layers"]
    assert layer["macs"] == 1_814_073_344


def test_every_layer_as_data_unless_told_otherwise(run):
    out = run("count", "resnet18", "--csv")[1]
    assert len(out.splitlines()) == 70
    assert run("count", "resnet18", "--all", "--csv")[1] == out
    plain = json.loads(run("count", "resnet18", "--json")[1])
    assert len(plain["layers"]) == 69
    assert plain["depth"] is None


def test_a_depth_that_is_none(capsys):
    for written in ("x", "1.5", ""):
        with pytest.raises(SystemExit) as left:
            main(["count", "resnet18", "--depth", written])
        assert left.value.code == 2
        assert capsys.readouterr().err.endswith(
            f"argument --depth: must be a whole number of 0 or more, got {written!r}\n"
        )


@pytest.mark.parametrize("shown", [[], ["--csv"], ["--json"], ["--tree"], ["--markdown"]])
def test_a_depth_is_refused_in_every_format(run, shown):
    assert run("count", "resnet18", "--depth", "-1", *shown) == (
        2, "", "flopslib: --depth must be 0 or more, got -1\n",
    )  # fmt: skip
    assert run("count", "resnet18", "--depth", "3", "--all", *shown) == (
        2,
        "",
        "flopslib: --depth 3 and --all contradict each other: "
        "give one of them, as --all goes down to every layer\n",
    )


def test_a_bare_call_gives_help(run, capsys):
    status, out, err = run()
    assert (status, err) == (0, "")
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out == out
    for command in ("count", "check", "diff", "reconcile", "explain", "list"):
        assert re.search(rf"\n    {command}\s", out)


@pytest.mark.parametrize(
    "words", [[], *([c] for c in ("count", "check", "diff", "reconcile", "explain", "list"))]
)
def test_help_names_the_exit_codes(capsys, words):
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    shown = capsys.readouterr().out
    for code, meaning in EXIT_CODES.items():
        assert f"\n  {code}  {meaning}\n" in shown
        assert f"\n- {code}: {meaning}.\n" in command_line.__doc__


EXIT_CODES = {
    0: "done; every limit holds, A and B are equal, or somebody's rules give the figure",
    1: "a limit does not hold, A and B differ, or nobody's rules give the figure",
    2: "the call is wrong, such as an unknown model or a bad input; one line says what is",
}


def test_what_is_written_as_json_has_a_version(run):
    for words in [
        ["count", "alexnet"],
        ["check", "alexnet", "--max-macs", "1"],
        ["diff", "alexnet", "alexnet"],
        ["explain", "linear"],
        ["list"],
    ]:
        plain = json.loads(run(*words, "--json")[1])
        assert next(iter(plain.items())) == ("schema_version", 1), words


def test_what_count_writes_is_as_the_schema_says(run):
    schema = json.loads((files("flopslib.report") / "report.schema.json").read_text())
    for words in (["resnet18"], ["resnet18", "--depth", "1"], ["llama_7b", "-o", "causal=true"]):
        Draft202012Validator(schema).validate(json.loads(run("count", *words, "--json")[1]))


def test_count_as_data(run):
    plain = json.loads(run("count", "gpt3", "--json")[1])
    assert plain["parameters"] == 174_604_259_328
    assert len(plain["layers"]) > 1000
    rows = list(csv.DictReader(io.StringIO(run("count", "resnet50", "--csv")[1])))
    assert sum(int(row["macs"]) for row in rows) == 4_089_184_256


def test_options(run):
    paper = json.loads(run("count", "resnet50", "-o", "stride_on=1x1", "--json")[1])
    assert paper["macs"] == 3_857_973_248
    token = run(
        "count",
        "llama_7b",
        "--input",
        "1,1",
        "--option",
        "cache=2047",
        "-o",
        "causal=true",
        "--json",
    )
    assert json.loads(token[1])["flops"] == 14_287_896_576
    assert (
        json.loads(run("count", "mobilenet_v2", "-o", "width_mult=0.5", "--json")[1])["parameters"]
        == 1_968_680
    )


def test_a_model_of_ones_own(run, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from flopslib.layers import Linear\n"
        "def net(width=3):\n    return Linear(width, 2)\n"
        "fixed = Linear(5, 2)\n"
        "broken = 7\n"
    )
    assert json.loads(run("count", f"{file}:net", "--input", "1,3", "--json")[1])["macs"] == 6
    assert (
        json.loads(run("count", f"{file}:net", "--input", "1,4", "-o", "width=4", "--json")[1])[
            "macs"
        ]
        == 8
    )
    assert json.loads(run("count", f"{file}:fixed", "--input", "1,5", "--json")[1])["macs"] == 10
    for model, message in {
        f"{file}:nett": f"{file} has no 'nett'; it has net, fixed",
        f"{file}:broken": f"{file}:broken must give a layer of flopslib, got int",
    }.items():
        assert run("count", model, "--input", "1,3") == (2, "", f"flopslib: {message}\n")
    file.write_text("def net():\n    a, b = 1, 2, 3\n")
    assert run("count", f"{file}:net", "--input", "1,3")[2] == (
        f"flopslib: {file}, line 2: ValueError: too many values to unpack (expected 2)\n"
    )
    file.write_text("def net(:\n")
    assert f"{file}, line 1: SyntaxError" in run("count", f"{file}:net", "--input", "1,3")[2]
    assert run("count", str(file))[2] == (
        f"flopslib: name the function in the file, too, such as {file}:vgg16\n"
    )
    file.write_text("def net():\n    return 3\n")
    assert "--input must be given" in run("count", f"{file}:net")[2]
    assert "No such file" in run("count", "nowhere.py:net", "--input", "1,3")[2]


WRONG = [
    (["count", "resnet5O"], "no model is called 'resnet5O'; did you mean resnet50, resnet152 or resnet34?"),
    (["count", "resnet50", "--input", "1,3,224"], "conv1: Conv2d(3, 64, 7, stride=2, padding=3, bias=False) needs 3 channels at dimension 0, got 1 in (1, 3, 224), read as (C, H, W)"),
    (["count", "resnet50", "--input", "1,3,-1,224"], "input_shape[2] must be a positive integer, got -1"),
    (["count", "resnet50", "--input", "1,3,,224"], "--input must be integers such as 1,3,224,224, got '1,3,,224'"),
    (["count", "resnet50", "--input", ""], "--input must be integers such as 1,3,224,224, got ''"),
    (["count", "resnet50", "--input", "one"], "--input must be integers such as 1,3,224,224, got 'one'"),
    (["count", "resnet50", "-o", "depth"], "--option must be NAME=VALUE, got 'depth'"),
    (["count", "resnet50", "-o", "depth=3"], "resnet50 has no option 'depth'; it has num_classes, groups, width_per_group, stride_on"),
    (["count", "resnet50", "--depth", "-1"], "--depth must be 0 or more, got -1"),
    (["check", "resnet5O", "--max-macs", "1"], "no model is called 'resnet5O'; did you mean resnet50, resnet152 or resnet34?"),
    (["check", "resnet50"], "no limit is given for resnet50: give --max-parameters, --max-macs, --max-flops or --max-exact-flops, such as --max-macs 4.1G"),
    (["diff", "resnet5O", "resnet18"], "no model is called 'resnet5O'; did you mean resnet50, resnet152 or resnet34?"),
    (["diff", "net.py:net", "resnet18"], "--input must be given for net.py:net, such as --input 1,3,224,224"),
    (["diff", "vgg.py", "resnet18"], "name the function in the file, too, such as vgg.py:vgg16"),
    (["diff", "resnet18", "resnet18", "--input", "1,x"], "--input must be integers such as 1,3,224,224, got '1,x'"),
    (["diff", "resnet18", "resnet18", *["--input", "1,3,8,8"] * 3], "--input must be given once for both or twice, for A and for B, got it 3 times: 1,3,8,8, 1,3,8,8, 1,3,8,8"),
    (["diff", "nowhere.json", "resnet18"], "nowhere.json must be a report saved with `flopslib count MODEL --json`; it cannot be read: No such file or directory"),
    (["explain", "con2d"], "no layer is called 'con2d'; did you mean conv2d, conv3d or conv1d?"),
    (["explain", "linear", "3", "0"], "out_features must be a positive integer (an int, a SymPy expression or a NumPy integer array), got 0"),
    (["explain", "linear", "3", "2", "5"], "linear takes 2 arguments in order (in_features, out_features), got 3; name the others"),
    (["explain", "linear", "inputs=3"], "linear has no argument 'inputs'; it has in_features, out_features, batch, bias"),
    (["explain", "linear", "in_features=3", "2"], "'2' must come before the arguments that are named"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(w) for w, _ in WRONG])
def test_what_is_wrong_is_said_in_one_line(run, words, message):
    assert run(*words) == (2, "", f"flopslib: {message}\n")


# --- limits --------------------------------------------------------------------


def test_limits_that_hold(run):
    assert run("check", "resnet50", "--max-macs", "4.1G", "--max-parameters", "25.6M") == (
        0,
        "parameters: 25,557,032, at most 25,600,000 allowed: holds\n"
        "MACs: 4,089,184,256, at most 4,100,000,000 allowed: holds\n",
        "",
    )


def test_a_limit_that_does_not_hold(run):
    assert run("check", "resnet50", "--max-macs", "4G", "--max-parameters", "25.6M") == (
        1,
        "parameters: 25,557,032, at most 25,600,000 allowed: holds\n"
        "MACs: 4,089,184,256, at most 4,000,000,000 allowed: exceeded by 89,184,256\n",
        "",
    )


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("parameters", 25_557_032),
        ("macs", 4_089_184_256),
        ("flops", 2 * 4_089_184_256),
        ("exact-flops", count(resnet50(), (1, 3, 224, 224)).exact_flops),
    ],
)
def test_a_limit_is_exact(run, figure, value):
    assert run("check", "resnet50", f"--max-{figure}", str(value))[0] == 0
    assert run("check", "resnet50", f"--max-{figure}", str(value + 1))[0] == 0
    assert run("check", "resnet50", f"--max-{figure}", str(value - 1))[0] == 1


def test_limits_as_json(run):
    status, out, _ = run(
        "check", "resnet50", "--max-macs", "4G", "--max-parameters", "1T", "--json"
    )
    assert status == 1
    assert json.loads(out) == {
        "schema_version": 1,
        "name": "resnet50",
        "model": "Sequential(11 layers)",
        "input_shape": [1, 3, 224, 224],
        "holds": False,
        "limits": [
            {"figure": "parameters", "value": 25_557_032, "limit": 10**12, "holds": True},
            {"figure": "macs", "value": 4_089_184_256, "limit": 4 * 10**9, "holds": False},
        ],
    }
    assert json.loads(run("check", "resnet50", "--max-macs", "5G", "--json")[1])["holds"] is True


def test_limits_of_a_model_with_an_input_and_options(run, tmp_path):
    words = ["check", "resnet50", "--input", "2,3,224,224", "-o", "stride_on=1x1", "--max-macs"]
    assert run(*words, str(2 * 3_857_973_248))[0] == 0
    assert run(*words, str(2 * 3_857_973_248 - 1))[0] == 1
    file = tmp_path / "mine.py"
    file.write_text("from flopslib.layers import Linear\ndef net(n=2):\n    return Linear(3, n)\n")
    own = ["check", f"{file}:net", "--input", "1,3", "--max-macs"]
    assert [run(*own, "6")[0], run(*own, "5")[0], run(*own, "6", "-o", "n=4")[0]] == [0, 1, 1]
    assert run("check", f"{file}:net", "--max-macs", "6")[0] == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("4100000000", 4_100_000_000),
        ("4_100_000_000", 4_100_000_000),
        ("4.1G", 4_100_000_000),
        ("25.6M", 25_600_000),
        ("300k", 300_000),
        ("1", 1),
        ("0.001k", 1),
        ("1.0", 1),
        ("2T", 2 * 10**12),
        ("0.5P", 5 * 10**14),
        ("0009", 9),
        # floats would make 8100000000000000512 and 1234567890123456800000 of these
        ("8100.0000000000005P", 8_100_000_000_000_000_500),
        ("1234567.890123456789123P", 1_234_567_890_123_456_789_123),
        ("123456789012345678901234567890", 123_456_789_012_345_678_901_234_567_890),
    ],
)
def test_a_limit_is_read_exactly(run, written, read):
    out = run("check", "alexnet", "--max-macs", written, "--json")[1]
    assert json.loads(out)["limits"][0]["limit"] == read


@pytest.mark.parametrize(
    "written",
    [
        *("0", "0G", "0.0", "-5", "1.5", "1.0001k", "1e9", "4,1G", "4,100,000", "4.1 G", " 4G", "4K"),
        *("4g", "4m", "4GB", "4B", "G", ".5G", "5.G", "1__0", "_1", "1_", "1_.5k", "1.5_0k", "", "many"),
        *("0x10", "nan", "inf", "٣", "4²", "+4", "4.1.1G", "9" * 5000),
    ],
)  # fmt: skip
def test_a_limit_that_is_none(run, written):
    status, out, err = run("check", "alexnet", f"--max-parameters={written}")
    assert (status, out) == (2, "")
    got = repr(written) if len(written) < 50 else "'999999"
    assert err.startswith(
        "flopslib: --max-parameters must be a positive whole number such as 4100000000, "
        f"4_100_000_000, 4.1G, 25.6M or 300k, got {got}"
    )
    assert err.count("\n") == 1


# --- two models ------------------------------------------------------------------


@pytest.fixture
def save(run, tmp_path):
    def call(name, *words):
        file = tmp_path / name
        file.write_text(run("count", *words, "--json")[1])
        return str(file)

    return call


def test_limits_of_a_report_that_was_saved(run, save):
    file = save("kept.json", "resnet50", "-o", "stride_on=1x1")
    assert run("check", file, "--max-macs", "3857973248")[0] == 0
    assert run("check", file, "--max-macs", "3857973247")[0] == 1
    assert json.loads(run("check", file, "--max-macs", "4G", "--json")[1])["name"] == file
    for argument, value in {"--input": "1,3,9,9", "--option": "groups=2"}.items():
        assert run("check", file, "--max-macs", "4G", argument, value) == (
            2,
            "",
            f"flopslib: {argument} must be left out for {file}, which is counted already, "
            f"got {value!r}\n",
        )


def test_two_that_are_equal(run, save):
    status, out, err = run("diff", "resnet18", "resnet18")
    assert (status, err) == (0, "")
    assert "\nMACs         1,814,073,344  1,814,073,344           0    0.0 %\n" in out
    assert out.endswith("\nA and B are equal.\n")
    kept = save("kept.json", "resnet18")
    for pair in ([kept, "resnet18"], ["resnet18", kept], [kept, kept]):
        status, out, err = run("diff", *pair)
        assert (status, err) == (0, "")
        assert out.startswith(f"A: {pair[0]}, input 1×3×224×224\nB: {pair[1]}, input 1×3×224×224\n")
        plain = json.loads(run("diff", *pair, "--json")[1])
        assert (plain["equal"], plain["layers"]) == (True, [])


OLD = """
from flopslib.layers import GELU, Linear, ReLU, Sequential
def old():
    return Sequential(first=Linear(4, 8), act=ReLU(), drop=ReLU(), head=Linear(8, 3))
def new():
    return Sequential(first=Linear(4, 8), act=GELU(), head=Linear(8, 5), extra=Linear(5, 1))
"""


@pytest.fixture
def two(tmp_path):
    file = tmp_path / "nets.py"
    file.write_text(OLD)
    return [f"{file}:old", f"{file}:new", "--input", "1,4"]


def test_two_that_differ(run, two):
    status, out, err = run("diff", *two)
    assert (status, err) == (1, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    # 4*8 + 8*3 and 4*8 + 8*5 + 5 MACs; 8 + 3 and 8 + 5 + 1 biases
    assert lines[:2] == [f"A: {two[0]}, input 1×4", f"B: {two[1]}, input 1×4"]
    assert lines[3] == "total A B difference percent"
    assert lines[5:8] == [
        "parameters 67 91 +24 +35.8 %",
        "MACs 56 77 +21 +37.5 %",
        "FLOPs 112 154 +42 +37.5 %",
    ]
    assert lines[10] == "Layers that differ, were removed or were added: 4 of 5."
    table = [line.split(" ") for line in lines[14:]]
    assert [row[:2] for row in table] == [
        ["act", "differs"],
        ["drop", "removed"],
        ["head", "differs"],
        ["extra", "added"],
    ]
    assert "ReLU(): 1×8 → 1×8 GELU(): 1×8 → 1×8 0 0 0 +" in lines[14]
    assert lines[14].endswith("-8 comparisons, +8 erfs")
    assert lines[15].endswith("removed ReLU(): 1×8 → 1×8 0 0 0 0 -8 comparisons")
    # 2 outputs more: 16 products, 14 sums and 2 biases
    assert lines[16].endswith("Linear(8, 3): 1×8 → 1×3 Linear(8, 5): 1×8 → 1×5 +18 +16 +32 +32")
    assert lines[17].endswith("added Linear(5, 1): 1×5 → 1×1 +6 +5 +10 +10")


def test_two_that_differ_as_json(run, two):
    status, out, _ = run("diff", *two, "--json")
    plain = json.loads(out)
    assert (status, plain["equal"], plain["depth"]) == (1, False, None)
    assert plain["a"] == {"name": two[0], "model": "Sequential(4 layers)", "input_shape": [1, 4]}
    assert plain["b"]["name"] == two[1]
    assert plain["totals"]["macs"] == {"a": 56, "b": 77, "difference": 21, "percent": 37.5}
    assert list(plain["totals"]) == ["parameters", "macs", "flops", "exact_flops"]
    assert [(layer["path"], layer["change"]) for layer in plain["layers"]] == [
        ("act", "differs"), ("drop", "removed"), ("head", "differs"), ("extra", "added"),
    ]  # fmt: skip
    assert plain["layers"][1]["b"] is plain["layers"][3]["a"] is None
    assert (plain["layers"][2]["a"]["macs"], plain["layers"][2]["b"]["macs"]) == (24, 40)
    back = json.loads(run("diff", two[1], two[0], *two[2:], "--json")[1])
    assert back["totals"]["macs"] == {"a": 77, "b": 56, "difference": -21, "percent": -27.3}


def test_two_inputs(run):
    both = json.loads(run("diff", "resnet18", "resnet18", "--input", "2,3,64,64", "--json")[1])
    assert (both["equal"], both["a"]["input_shape"]) == (True, [2, 3, 64, 64])
    assert both["b"]["input_shape"] == [2, 3, 64, 64]
    words = ["diff", "resnet18", "resnet18", "--input", "2,3,224,224", "--input", "1x3x224x224"]
    each = json.loads(run(*words, "--json")[1])
    assert each["totals"]["macs"]["percent"] == -50.0
    assert each["totals"]["parameters"]["difference"] == 0
    # every layer got another shape
    assert (len(each["layers"]), each["layers"][0]["change"]) == (69, "differs")


def test_an_input_beside_a_report_that_was_saved(run, save):
    kept = save("kept.json", "resnet18", "--input", "1,3,64,64")
    assert run("diff", kept, "resnet18", "--input", "1,3,64,64")[0] == 0
    assert run("diff", "resnet18", kept, "--input", "1,3,64,64")[0] == 0
    assert run("diff", "resnet18", kept)[0] == 1
    message = f"flopslib: --input must be left out for {kept}, which is counted already, got "
    for words in (
        [kept, kept, "--input", "1,3,64,64"],
        [kept, "resnet18", "--input", "1,3,64,64", "--input", "1,3,8,8"],
        ["resnet18", kept, "--input", "1,3,8,8", "--input", "1,3,64,64"],
    ):
        assert run("diff", *words) == (2, "", f"{message}'1,3,64,64'\n")


def test_reports_that_were_saved_to_a_depth(run, save):
    one, two = (save(f"{depth}.json", "resnet18", "--depth", str(depth)) for depth in (1, 2))
    assert run("diff", one, "resnet18")[0] == 0
    plain = json.loads(run("diff", "resnet34", one, "--json")[1])
    assert [layer["path"] for layer in plain["layers"]] == ["layer1", "layer2", "layer3", "layer4"]
    assert plain["depth"] == 1
    assert run("diff", one, two) == (
        2,
        "",
        f"flopslib: the layers must go to the same depth, got depth 1 in {one} "
        f"and depth 2 in {two}\n",
    )
    every = save("every.json", "resnet18")
    assert "got every layer in" in run("diff", every, one)[2]


ODD = """
from flopslib import linear
from flopslib.layers import Layer, Linear, ReLU, Sequential
class Both(Layer):
    def __init__(self, inner, n): self._set(inner=inner, n=n)
    def flow(self, x, run): return run('', self.inner, x)
    def cost(self, x, y): return linear(self.n, 2)
class Kept(Layer):
    def __init__(self, n): self._set(used=Linear(2, 2), spare=Linear(n, n))
    def flow(self, x, run): return run('used', self.used, x)
def both(n=2): return Both(Both(Sequential(fc=Linear(2, 2)), n), 2)
def another(): return both(3)
def kept(n=5): return Kept(n)
def kept_more(): return kept(6)
def named(): return Sequential(fc=Linear(2, 2))
def renamed(): return Sequential(head=Linear(2, 2))
"""


@pytest.fixture
def odd(run, tmp_path):
    file = tmp_path / "odd.py"
    file.write_text(ODD)

    def call(a, b):
        status, out, _ = run("diff", f"{file}:{a}", f"{file}:{b}", "--input", "1,2", "--json")
        plain = json.loads(out)
        assert plain["equal"] == (status == 0)
        changes = [(layer["path"], layer["change"]) for layer in plain["layers"]]
        return status, plain["totals"]["parameters"]["difference"], changes

    return call


def test_paths_that_are_there_twice(odd):
    # the inner one costs more, and the outer one says what is in it
    assert odd("both", "another") == (1, 0, [("Both", "differs"), ("Both", "differs")])
    assert odd("both", "both") == (0, 0, [])


def test_only_the_total_differs(odd):
    assert odd("kept", "kept_more") == (1, 42 - 30, [])


def test_only_a_name_differs(odd):
    assert odd("named", "renamed") == (1, 0, [("fc", "removed"), ("head", "added")])


def test_what_makes_a_layer_another_one(run, save):
    file = Path(save("kept.json", "alexnet"))
    plain = json.loads(file.read_text())
    for name, value in plain["layers"][0].items():
        plain["layers"][0][name] = [9] if name.endswith("shape") else 9 if name in NUMBERS else "9"
        file.write_text(json.dumps(plain))
        # a derivation may be put in other words
        assert run("diff", str(file), "alexnet")[0] == (0 if name == "derivation" else 1), name
        plain["layers"][0][name] = value


NUMBERS = {
    *("parameters", "macs", "flops", "exact_flops", "multiplications", "additions"),
    *("comparisons", "divisions", "exponentials", "square_roots", "erfs", "logarithms"),
}


SPOILT = {
    "schema_version is missing": lambda plain: plain.pop("schema_version"),
    "schema_version must be 1, got 2": lambda plain: plain.update(schema_version=2),
    "schema_version must be 1, got True": lambda plain: plain.update(schema_version=True),
    "schema_version must be 1, got '1'": lambda plain: plain.update(schema_version="1"),
    "layers is missing": lambda plain: plain.pop("layers"),
    "macs is missing": lambda plain: plain.pop("macs"),
    "macs must be a whole number, got '6'": lambda plain: plain.update(macs="6"),
    "macs must be a whole number, got True": lambda plain: plain.update(macs=True),
    "macs must be a whole number, got 6.0": lambda plain: plain.update(macs=6.0),
    "parameters must be at least 0, got -1": lambda plain: plain.update(parameters=-1),
    "depth must be a whole number or null, got 'all'": lambda plain: plain.update(depth="all"),
    "input_shape[1] must be at least 1, got 0": lambda plain: plain.update(input_shape=[1, 0]),
    "other.divisions must be a whole number, got None": lambda plain: plain.update(
        other={"divisions": None}
    ),
    "layers must be a list, got {}": lambda plain: plain.update(layers={}),
    "layers[1] must be an object, got 7": lambda plain: plain["layers"].insert(1, 7),
    "layers[0].erfs is missing": lambda plain: plain["layers"][0].pop("erfs"),
    "layers[0].path must be text, got None": lambda plain: plain["layers"][0].update(path=None),
}


@pytest.mark.parametrize("message", SPOILT)
def test_a_report_that_is_not_ours(run, save, message):
    file = save("spoilt.json", "alexnet")
    plain = json.loads(Path(file).read_text())
    SPOILT[message](plain)
    Path(file).write_text(json.dumps(plain))
    wanted = f"{file} must be a report saved with `flopslib count MODEL --json`"
    for words in (
        ["diff", file, "alexnet"],
        ["diff", "alexnet", file],
        ["check", file, "--max-macs=1"],
    ):
        assert run(*words) == (2, "", f"flopslib: {wanted}; {message}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"path,type\n", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"\xff\xff", "it is not JSON: 'utf-8' codec can't decode byte 0xff in position 0"),
        (b"[" * 10**6, "it is not JSON: "),
        (b"[1]", "it must be an object, got [1]"),
        (b"null", "it must be an object, got None"),
        (b"{}", "schema_version is missing"),
    ],
    ids=range(7),
)
def test_a_file_that_is_no_report(run, tmp_path, content, message):
    file = tmp_path / "spoilt.json"
    file.write_bytes(content)
    status, out, err = run("diff", str(file), "alexnet")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"`flopslib count MODEL --json`; {message}" in err


def test_other_outputs_are_no_report(run, tmp_path):
    for words in (["explain", "linear"], ["list"], ["diff", "alexnet", "alexnet"]):
        file = tmp_path / "other.json"
        file.write_text(run(*words, "--json")[1])
        status, _, err = run("check", str(file), "--max-macs", "1")
        assert status == 2
        assert err.endswith(" is missing\n")


def test_a_report_that_a_windows_shell_saved(run, save):
    file = Path(save("kept.json", "alexnet"))
    file.write_text(file.read_text(), encoding="utf-16")
    assert run("diff", str(file), "alexnet")[0] == 0


def squeezed(text):
    return "".join(f"{' '.join(line.split())}\n" for line in text.splitlines())


def test_percentages(run, tmp_path):
    file = tmp_path / "nets.py"
    file.write_text(
        "from flopslib.layers import Linear, ReLU\n"
        "def relu(): return ReLU()\n"
        "def many(): return Linear(1, 10000)\n"
        "def more(): return Linear(1, 10001)\n"
    )
    words = [f"{file}:many", f"{file}:more", "--input", "1,1"]
    assert "MACs 10,000 10,001 +1 +<0.1 %\n" in squeezed(run("diff", *words)[1])
    words = [f"{file}:relu", f"{file}:many", "--input", "1,1"]
    assert "MACs 0 10,000 +10,000\n" in squeezed(run("diff", *words)[1])
    assert json.loads(run("diff", *words, "--json")[1])["totals"]["macs"]["percent"] is None
    # more than a float can hold
    words = ["alexnet", "alexnet", "--input", "1,3,224,224", "--input", f"{10**400},3,224,224"]
    status, out, err = run("diff", *words, "--json")
    assert (status, err) == (1, "")
    assert json.loads(out)["totals"]["macs"]["percent"] is None
    assert run("diff", *words)[0] == 1


def test_explain_with_numbers(run):
    out = run("explain", "conv2d", "3", "64", "7", "112", "112", "bias=False")[1]
    assert out.splitlines()[0] == (
        "conv2d: each output pixel 147 multiplications, 146 additions; "
        "output pixels 1 × 64 × 112 × 112 = 802,816"
    )
    assert "118,013,952 MACs" in out
    plain = json.loads(run("explain", "conv2d", "3", "64", "7,5", "112", "112", "--json")[1])
    assert plain["macs"] == 3 * 7 * 5 * 64 * 112 * 112
    assert plain["steps"][0]["per_output"]["macs"] == 105


@pytest.mark.parametrize("name", registered())
def test_explain_with_letters(run, name):
    status, out, err = run("explain", name)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1].startswith("total: ")
    plain = json.loads(run("explain", name, "--json")[1])
    assert isinstance(plain["flops"], str)
    assert "boxed" in run("explain", name, "--latex")[1]


def test_explain_with_some_of_both(run):
    assert "3*B*O MACs" in run("explain", "linear", "3")[1]
    assert "O" not in run("explain", "linear", "3", "2")[1].replace("OPs", "")


def test_list(run):
    out = run("list")[1]
    for name in [*catalogue(), *registered()]:
        assert name in out
    assert out.splitlines()[0].split() == ["model", "input", "parameters", "MACs", "about"]
    plain = json.loads(run("list", "--json")[1])
    assert {model["name"] for model in plain["models"]} == set(catalogue())
    rows = list(csv.DictReader(io.StringIO(run("list", "--csv")[1])))
    assert len(rows) == len(catalogue())
    assert next(r for r in rows if r["name"] == "resnet50")["input"] == "1x3x224x224"


def in_a_terminal(columns, *words, status=0):
    leader, follower = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "flopslib", *words], stdout=follower, env=environment, cwd=ROOT
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert process.wait() == status
    os.close(leader)
    return shown.decode()


@pytest.mark.parametrize("columns", [60, 100, 200])
def test_in_a_terminal(columns):
    shown = in_a_terminal(columns, "count", "resnet18")
    assert "1,814,073,344" in shown
    assert "layer4.1" in shown
    assert ("Residual" in shown) == (columns > 60)
    assert ("exact FLOPs" in shown) == (columns == 200)
    listed = in_a_terminal(columns, "list")
    for whole in ("resnext101_32x8d", "303,439,439,462,400", "68,976,648,192"):
        assert whole in listed
    assert ("of bottlenecks" in listed) == (columns == 200)


@pytest.mark.parametrize("columns", [80, 200])
def test_two_in_a_terminal(columns):
    shown = in_a_terminal(columns, "diff", "resnet18", "resnet34", status=1)
    for whole in ("layer1.2.conv1", "added", "+115,605,504", "3,663,761,408", "56 of 125"):
        assert whole in shown
    assert ("exact FLOPs" in shown.partition("56 of 125")[2]) == (columns == 200)
    assert "A and B are equal." in in_a_terminal(columns, "diff", "alexnet", "alexnet")


def test_a_reader_who_has_seen_enough_of_what_differs():
    # the status is the one of the command, whatever became of what it printed
    for words, status in {"gpt3 gpt3 --input 1,4 --input 1,5": 1, "alexnet alexnet": 0}.items():
        command = [sys.executable, "-m", "flopslib", "diff", *words.split(), "--json"]
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=ROOT, **piped) as process:
            process.stdout.close()  # before a word is read
            assert process.stderr.read() == ""
        assert process.returncode == status


def test_a_reader_who_has_seen_enough():
    command = f"{sys.executable} -m flopslib count gpt3 --csv | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith("path,")
    assert done.stderr == ""


def test_another_code_page():
    command = [sys.executable, "-m", "flopslib", "count", "alexnet", "--depth", "1"]
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, check=True)
    assert "one output × outputs" in done.stdout.decode()


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("flopslib")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("flopslib 0.")


def test_the_commands_of_the_readme_run(capsys):
    block = (ROOT / "README.md").read_text().partition("```\nflopslib ")[2].partition("```")[0]
    for command in f"flopslib {block}".splitlines():
        status = main(command.split()[1:])
        out, err = capsys.readouterr()
        assert out
        assert not err
        assert status == (" diff " in command), command
