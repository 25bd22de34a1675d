"""The command: what it prints, in a pipe and in a terminal, and what it says when it cannot."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from flopslib import registered
from flopslib.command_line import main
from flopslib.models import catalogue

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
    assert "1,814,073,344" in out.splitlines()[-2]
    assert "layer4.1" in out
    assert run("count", "resnet18") == (0, out, "")
    assert run("count", "resnet18", "--input", "(1x3x224x224)") == (0, out, "")


def test_count_to_a_depth(run):
    assert len(run("count", "resnet18", "--depth", "0")[1].splitlines()) == 6
    assert "layer1.0.conv1" in run("count", "resnet18", "--all")[1]
    assert "layer1.0" not in run("count", "resnet18", "--depth", "1")[1]
    assert (
        "├─ layer1: Sequential(2 layers)" in run("count", "resnet18", "--tree", "--depth", "1")[1]
    )
    assert run("count", "resnet18", "--markdown")[1].startswith("| layer | type |")


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
    (["count", "resnet50", "--input", "one"], "--input must be integers such as 1,3,224,224, got 'one'"),
    (["count", "resnet50", "-o", "depth"], "--option must be NAME=VALUE, got 'depth'"),
    (["count", "resnet50", "-o", "depth=3"], "resnet50 has no option 'depth'; it has num_classes, groups, width_per_group, stride_on"),
    (["count", "resnet50", "--depth", "-1"], "--depth must be 0 or more, got -1"),
    (["explain", "con2d"], "no layer is called 'con2d'; did you mean conv2d, conv3d or conv1d?"),
    (["explain", "linear", "3", "0"], "out_features must be a positive integer (an int, a SymPy expression or a NumPy integer array), got 0"),
    (["explain", "linear", "3", "2", "5"], "linear takes 2 arguments in order (in_features, out_features), got 3; name the others"),
    (["explain", "linear", "inputs=3"], "linear has no argument 'inputs'; it has in_features, out_features, batch, bias"),
    (["explain", "linear", "in_features=3", "2"], "'2' must come before the arguments that are named"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(w) for w, _ in WRONG])
def test_what_is_wrong_is_said_in_one_line(run, words, message):
    assert run(*words) == (2, "", f"flopslib: {message}\n")


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


def in_a_terminal(columns, *words):
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
    assert process.wait() == 0
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
