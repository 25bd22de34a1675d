"""The report: rows, groups, totals, and every way of showing them."""

import copy
import csv
import html
import io
import json
import subprocess
import sys
import tracemalloc
from importlib.resources import files

import pandas
import pytest
from bs4 import BeautifulSoup
from jsonschema import Draft202012Validator

from flopslib import Report, count, linear, models
from flopslib.derivation.opcount import OTHER_KINDS
from flopslib.derivation.rendering import short
from flopslib.layers import (
    Conv2d,
    Flatten,
    Layer,
    Linear,
    MultiheadAttention,
    ReLU,
    Residual,
    Sequential,
)

# one image of 1*2*2; 3*3 window, 2 kernels with bias; 8 numbers; 3 scores
SMALL = Sequential(
    conv=Conv2d(1, 2, 3, padding=1),
    block=Residual(Sequential(relu=ReLU())),
    flatten=Flatten(),
    fc=Linear(8, 3, bias=False),
)


@pytest.fixture
def report():
    return count(SMALL, (1, 1, 2, 2))


def test_rows(report):
    assert [(r.path, r.type, r.output_shape, r.parameters, r.macs, r.flops, r.exact_flops) for r in report.rows] == [
        # 9 products for each of 2*2*2 pixels, 8 sums and a bias
        ("conv", "Conv2d", (1, 2, 2, 2), 20, 72, 144, 144),
        ("block.relu", "ReLU", (1, 2, 2, 2), 0, 0, 0, 0),
        ("block.sum", "Sum", (1, 2, 2, 2), 0, 0, 0, 8),
        ("flatten", "Flatten", (1, 8), 0, 0, 0, 0),
        # 8 products, 7 sums for each of 3
        ("fc", "Linear", (1, 3), 24, 24, 48, 45),
    ]  # fmt: skip
    assert report.rows[0].input_shape == (1, 1, 2, 2)
    assert report.rows[0].derivation.steps[0].per_output.macs == 9
    assert dict(report.rows[1].other) == {"comparisons": 8}
    assert (
        repr(report.rows[0]) == "conv: Conv2d(1, 2, 3, padding=1) → 1×2×2×2, 20 parameters, 72 MACs"
    )


def test_totals(report):
    assert isinstance(report, Report)
    assert (report.parameters, report.macs, report.flops, report.exact_flops) == (44, 96, 192, 197)
    assert (report.multiplications, report.additions) == (96, 101)
    assert dict(report.other) == {"comparisons": 8}
    assert report.input_shape == (1, 1, 2, 2)
    assert report.output_shape == (1, 3)
    assert report.model == SMALL
    assert report.derivation.total == report.operations
    assert [step.name for step in report.derivation.steps] == [
        "conv.conv2d", "block.relu.ReLU", "block.sum.residual sum", "fc.linear",
    ]  # fmt: skip


def test_a_path(report):
    assert report["fc"] is report.rows[4]
    block = report["block"]
    assert (block.macs, block.exact_flops, block.layers, block.parameters) == (0, 8, 2, 0)
    resnet = count(models.resnet50(), (1, 3, 224, 224))
    assert resnet["layer1"].macs == sum(r.macs for r in resnet.rows if r.path.startswith("layer1."))
    assert resnet["layer1.0"].parameters == 75_008
    assert repr(resnet["layer1.0"]) == "layer1.0: 12 layers, 75,008 parameters, 231,211,008 MACs"
    # not layer1.10 and not layer10
    assert count(Sequential(*[ReLU()] * 12), (1,))["1"].path == "1"
    with pytest.raises(KeyError, match=r"no layer at 'block.rel'; near it are block.relu"):
        report["block.rel"]
    with pytest.raises(KeyError, match="no layer at 'zzz'"):
        report["zzz"]


def test_a_path_takes_everything_below_it():
    # 8*8*16 for the body, 8*8*9*16 around it
    model = Sequential(a=Residual(Conv2d(8, 8, 1), shortcut=Conv2d(8, 8, 3, padding=1)))
    report = count(model, (1, 8, 4, 4))
    assert report["a"].macs == 1024 + 9216 == report.groups(1)[0].macs


def test_a_path_that_is_none_names_what_there_is(report):
    with pytest.raises(KeyError, match=r"no layer at 'zz'; the outermost are conv, block, "):
        report["zz"]
    with pytest.raises(KeyError, match=r"no layer at 'blocks.relu'; near it are block.relu"):
        report["blocks.relu"]
    with pytest.raises(TypeError, match=r"such as 'layer1.0.conv1', got 0; .rows"):
        report[0]
    assert "block" in report
    assert "block.relu" in report
    assert "bl" not in report
    assert 0 not in report


@pytest.mark.parametrize("depth", [-1, 1.5, "1", True])
def test_a_depth_that_is_none(report, depth):
    for show in (report.groups, report.table, report.tree, report.csv, report.as_dict):
        with pytest.raises(ValueError, match="depth must be a non-negative integer, got"):
            show(depth)


def test_parameters_that_are_never_run_are_named():
    class Kept(Layer):
        def __init__(self):
            self._set(used=Linear(3, 2), spare=Linear(5, 7))

        def flow(self, x, run):
            return run("used", self.used, x)

    report = count(Kept(), (1, 3))
    assert report.parameters == 8 + 42
    assert sum(row.parameters for row in report.rows) == 8
    assert "42 parameters are in layers that are kept and not run." in report.table().notes[0]
    assert "not run" not in count(Linear(3, 2), (1, 3)).table().notes[0]


class Twice(Layer):
    """A layer run twice with the same weights, and weights and a cost of its own around it."""

    def __init__(self, layer):
        self._set(layer=layer, spare=Linear(5, 7))

    @property
    def weights(self):
        return {"scale": (3, 3)}

    def flow(self, x, run):
        return run("second", self.layer, run("first", self.layer, x))

    def cost(self, input_shape, output_shape):
        return linear(3, 3, bias=False)


# 12 parameters, 9 of its own, 42 that are not run; 9 MACs each time and 9 of its own
SHARING = Sequential(twice=Twice(Sequential(fc=Linear(3, 3), act=ReLU())), last=Linear(3, 2))


@pytest.mark.parametrize("depth", [None, 0, 1, 2, 3, 9])
def test_parts_make_up_the_total_at_any_depth(depth):
    report = count(SHARING, (1, 3))
    assert (report.parameters, report.macs) == (12 + 9 + 42 + 8, 9 + 9 + 9 + 6)
    plain = report.as_dict(depth)
    rows = list(csv.DictReader(io.StringIO(report.csv(depth))))
    for name in ("macs", "flops", "exact_flops", "multiplications", "additions"):
        assert sum(layer[name] for layer in plain["layers"]) == plain[name]
        assert sum(int(row[name]) for row in rows) == plain[name]
        assert report.to_frame(depth)[name].sum() == plain[name]
    listed = sum(layer["parameters"] for layer in plain["layers"])
    assert listed + plain["parameters_not_listed"] == report.parameters
    # what is not run is inside what keeps it, and nowhere once that is taken apart
    assert plain["parameters_not_listed"] == (0 if depth in (0, 1) else 42)
    assert [row["path"] for row in rows] == [layer["path"] for layer in plain["layers"]]


def test_parts_of_what_is_shared_or_costs_something_itself():
    report = count(SHARING, (1, 3))
    assert [(g.path, g.parameters, g.macs) for g in report.groups(2)] == [
        ("twice.first", 12, 9), ("twice.second", 0, 9), ("twice", 9, 9), ("last", 8, 6),
    ]  # fmt: skip
    assert [g.path for g in report.groups(9)] == [row.path for row in report.rows]
    assert [g.parameters for g in report.groups(1)] == [12 + 9 + 42, 8]
    # 3 rows each: without the layer's own, no depth ever had more than 40
    assert count(Sequential(*[Twice(Linear(3, 3))] * 14), (1, 3)).fitting_depth() == 1


def test_a_layer_that_runs_nothing_has_what_it_keeps():
    class Idle(Layer):
        weights = {"scale": (3, 3)}  # noqa: RUF012

        def __init__(self):
            self._set(spare=Linear(5, 7))

        def flow(self, x, run):
            return x

    report = count(Idle(), (1, 3))
    assert [part.parameters for part in report.groups(0)] == [report.parameters] == [9 + 42]
    assert [row.parameters for row in report.rows] == [9]


def test_a_group_says_how_many_layers_it_has():
    assert "  1 layer  " in repr(count(Sequential(fc=Linear(3, 2)), (1, 3)).table(0))
    assert "  1,156 layers  " in repr(count(models.gpt3(), (1, 4)).table(0))
    assert repr(count(models.gpt3(), (1, 4)).groups(0)[0]).startswith("Sequential: 1,156 layers, ")


def test_groups(report):
    assert [group.path for group in report.groups()] == ["conv", "block", "flatten", "fc"]
    assert [group.path for group in report.groups(2)] == [row.path for row in report.rows]
    for depth in (0, 1, 2, 5):
        groups = report.groups(depth)
        assert sum(group.macs for group in groups) == report.macs
        assert sum(group.exact_flops for group in groups) == report.exact_flops
        assert sum(group.parameters for group in groups) == report.parameters
    (whole,) = report.groups(0)
    assert (whole.layers, whole.output_shape) == (5, (1, 3))


def test_by_type():
    types = count(models.resnet18(), (1, 3, 224, 224)).by_type()
    assert [t.type for t in types][:2] == ["Conv2d", "Linear"]
    assert types[0].layers == 20
    assert sum(t.macs for t in types) == 1_814_073_344
    assert sum(t.parameters for t in types) == 11_689_512


def test_the_axes_are_said():
    first = count(MultiheadAttention(6, 2), (5, 2, 6))
    second = count(MultiheadAttention(6, 2, batch_first=True), (2, 5, 6))
    assert first.assumptions == (
        "MultiheadAttention reads (5, 2, 6) as (position, batch, feature), batch_first=False",
    )
    assert second.assumptions[0].endswith("(batch, position, feature), batch_first=True")
    assert first.macs == second.macs == 2 * (4 * 5 * 36 + 2 * 25 * 6)
    # the mistake that the sentence is there to find
    assert count(MultiheadAttention(6, 2), (2, 5, 6)).macs != first.macs
    for shown in (repr(first), first._repr_html_(), first.markdown()):
        assert "batch_first=False" in shown
    llama = count(models.llama_7b(causal=True, cache=9), (1, 1))
    assert "a position sees itself and all before it, and 9 in the cache" in llama.assumptions[0]


# --- showing it ----------------------------------------------------------------


def test_as_text(report):
    lines = repr(report).splitlines()
    squeezed = [" ".join(line.split()) for line in lines]
    assert squeezed[0] == (
        "layer type output MACs share parameters one output × outputs FLOPs exact FLOPs"
    )
    assert squeezed[2] == "conv Conv2d 1×2×2×2 72 75.0 % 20 9 × 8 144 144"
    assert squeezed[-2] == "total 1×3 96 100.0 % 44 192 197"
    assert lines[-1] == "Input: 1×1×2×2. In neither FLOP column: 8 comparisons."
    # figures end in one column
    ends = {line.index(" %") for line in lines[1:-1] if " %" in line}
    assert len(ends) == 1


def test_as_html(report):
    page = BeautifulSoup(report._repr_html_(), "html.parser")
    rows = [[cell.get_text("|") for cell in row.select("th, td")] for row in page.select("tr")]
    shown = "|".join(rows[0]).split("|")
    assert sorted(shown) == sorted(name for name in report.table().header if name != "type")
    assert rows[0][2] == "MACs|one output × outputs"
    assert rows[1] == ["conv|Conv2d", "1×2×2×2", "72|9 × 8", "75.0\xa0%", "20", "144|144"]
    assert rows[-1] == ["total", "1×3", "96", "100.0\xa0%", "44", "192|197"]
    bars = [cell["style"] for cell in page.select("tbody td[style]")]
    assert "75.00%" in bars[0]
    assert "25.00%" in bars[1]
    assert len(bars) == 2
    hovers = [row["title"] for row in page.select("tr[title]")]
    assert hovers[0] == "(9 multiplications, 9 additions) × 8 output pixels"
    assert "http" not in report._repr_html_()


@pytest.mark.parametrize(
    ("width", "rounded"),
    [
        (70, []),
        (80, ["6,400", "6,480"]),
        (100, ["10.0\xa0k", "10.1\xa0k"]),
        (4096, ["16.8\xa0M", "16.8\xa0M"]),
    ],
)
def test_long_sums_are_rounded_below(width, rounded):
    table = count(Linear(width, width), (1, width)).table()
    assert [table.rounded[at] for at in (3, 5)] == rounded if rounded else table.rounded == []
    assert table.markdown().count("**rounded**") == bool(rounded)
    lines = [line.split()[0] for line in repr(table).splitlines()[-3:-1]]
    assert (lines == ["total", "rounded"]) == bool(rounded)
    page = BeautifulSoup(table._repr_html_(), "html.parser")
    assert len(page.select("tfoot tr")) == 1 + bool(rounded)
    assert count(Linear(width, width), (1, width)).csv().count("\n") == 2


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (9_999, "9,999"),
        (10_000, "10.0\xa0k"),
        (99_949, "99.9\xa0k"),
        (99_950, "100\xa0k"),
        (999_499, "999\xa0k"),
        (999_500, "1.00\xa0M"),
        (4_089_184_256, "4.09\xa0G"),
        # more digits than a float has
        (10**18 - 5 * 10**14 - 1, "999\xa0P"),
        (10**18 - 5 * 10**14, "1.00\xa0E"),
        (314 * 10**21, "3.14·10²³"),
    ],
)
def test_short_numbers(value, written):
    assert short(value) == written


def test_html_is_escaped():
    page = count(Sequential(**{"<b>": ReLU()}), (1,))._repr_html_()
    assert "<b>" not in page
    assert html.escape("<b>") in page


def test_markdown_is_escaped():
    table = count(Sequential(**{"<b>|": ReLU()}), (1,)).markdown()
    assert "| &lt;b>\\| | ReLU |" in table


def test_as_markdown(report):
    lines = report.markdown().splitlines()
    assert lines[1] == "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert lines[2] == "| conv | Conv2d | 1×2×2×2 | 72 | 75.0\xa0% | 20 | 9 × 8 | 144 | 144 |"
    assert lines[7].startswith("| **total** |  |")
    assert report.markdown(1).count("\n| ") == 6
    assert "| block | Residual | 1×2×2×2 | 0 |  | 0 | 2 layers |" in report.markdown(1)


def test_as_csv(report):
    rows = list(csv.DictReader(io.StringIO(report.csv())))
    assert [row["path"] for row in rows] == [row.path for row in report.rows]
    assert sum(int(row["macs"]) for row in rows) == report.macs
    assert sum(int(row["exact_flops"]) for row in rows) == report.exact_flops
    assert sum(int(row["comparisons"]) for row in rows) == 8
    assert rows[0]["output_shape"] == "1x2x2x2"
    assert rows[0]["layer"] == "Conv2d(1, 2, 3, padding=1)"
    assert rows[0]["derivation"] == "(9 multiplications, 9 additions) × 8 output pixels"
    assert set(OTHER_KINDS) <= set(rows[0])


def test_as_frame(report):
    frame = report.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.index) == [row.path for row in report.rows]
    assert frame["macs"].sum() == 96
    assert frame.loc["conv", "output_shape"] == (1, 2, 2, 2)
    big = count(models.gpt3(), (10**6, 2048)).to_frame()
    assert sum(big["exact_flops"].tolist()) == count(models.gpt3(), (10**6, 2048)).exact_flops


def test_as_json(report):
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["macs"] == 96
    assert plain["other"] == {"comparisons": 8}
    assert plain["input_shape"] == [1, 1, 2, 2]
    assert [layer["path"] for layer in plain["layers"]] == [row.path for row in report.rows]
    assert plain["layers"][0]["derivation"].startswith("(9 multiplications")


SCHEMA = json.loads((files("flopslib.report") / "report.schema.json").read_text())


def written(report, depth=None):
    return json.loads(json.dumps(report.as_dict(depth)))


REAL = [
    count(SMALL, (1, 1, 2, 2)),
    count(SHARING, (1, 3)),
    count(Linear(3, 2), (7, 3)),
    count(Sequential(), (2, 3)),
    count(models.resnet50(), (1, 3, 224, 224)),
    count(models.gpt2_small(), (10**30, 5)),
    count(models.llama_7b(causal=True, cache=9), (1, 1)),
]


@pytest.mark.parametrize("depth", [None, 0, 1, 3])
@pytest.mark.parametrize("report", REAL, ids=lambda report: repr(report.model))
def test_the_schema_describes_what_is_written(report, depth):
    Draft202012Validator.check_schema(SCHEMA)
    plain = written(report, depth)
    Draft202012Validator(SCHEMA).validate(plain)
    # it says that fields may be added, and has all that there are
    assert list(plain) == list(SCHEMA["properties"]) == SCHEMA["required"]
    fields = SCHEMA["$defs"]["layer"]
    later = ["logarithms"]  # were added after the first reports had been saved
    assert [n for n in fields["properties"] if n not in later] == fields["required"]
    assert all(list(layer) == list(fields["properties"]) for layer in plain["layers"])
    assert plain["schema_version"] == SCHEMA["properties"]["schema_version"]["const"]


def described(schema):
    nested = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    yield from ((schema, "description" in schema), *(x for part in nested for x in described(part)))


def test_the_schema_says_what_each_field_means():
    kinds = SCHEMA["$defs"].values()
    silent = [part for part, said in described(SCHEMA) if not said and part not in kinds]
    assert silent == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"macs": "96"},
        {"macs": 1.5},
        {"parameters": -1},
        {"input_shape": [1, 0]},
        {"other": {"comparisons": None}},
        {"layers": [{}]},
        {"depth": -1},
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_wrong(report, change):
    assert not Draft202012Validator(SCHEMA).is_valid(written(report) | change)


def test_as_data_to_a_depth(report):
    block = report.as_dict(1)["layers"][1]
    assert (block["path"], block["type"], block["layer"]) == (
        "block", "Residual", "Residual(Sequential(1 layer))",
    )  # fmt: skip
    assert (block["input_shape"], block["output_shape"]) == ((1, 2, 2, 2), (1, 2, 2, 2))
    assert (block["exact_flops"], block["comparisons"], block["derivation"]) == (8, 8, None)
    # a single layer keeps its derivation
    assert report.as_dict(1)["layers"][3] == report.as_dict()["layers"][4]
    assert (report.as_dict(1)["depth"], report.as_dict()["depth"]) == (1, None)
    (whole,) = csv.DictReader(io.StringIO(report.csv(0)))
    assert [whole[k] for k in ("path", "input_shape", "output_shape", "derivation")] == [
        "Sequential", "1x1x2x2", "1x3", "",
    ]  # fmt: skip
    assert list(report.to_frame(1).index) == ["conv", "block", "flatten", "fc"]


def test_as_tree():
    tree = str(count(models.gpt2_small(), (1, 4)).tree())
    assert "0 … 11 (12 alike, each): Sequential(2 layers)" in tree
    assert tree.count("c_fc") == 1
    # 4 tokens by 12*12*768^2 + 768*50257 weights, and 12*2*768 for each of 16 pairs
    assert tree.splitlines()[0].endswith("  124,439,808 parameters  494,423,040 MACs")
    assert len(str(count(models.gpt2_small(), (1, 4)).tree(1)).splitlines()) == 6


def test_a_long_report_is_shown_no_deeper_than_it_fits():
    assert len(repr(count(models.gpt3(), (1, 4))).splitlines()) < 20
    assert count(SMALL, (1, 1, 2, 2)).fitting_depth() is None
    deep = count(models.resnet50(), (1, 3, 224, 224))
    assert deep.fitting_depth() == 2
    assert len(deep.table().rows) == len(deep.rows) == 4 + 4 * 12 + 12 * 10 + 3
    assert deep.fitting_depth(200) is None


def test_a_single_layer_is_a_model():
    report = count(Linear(3, 2), (1, 3))
    assert report.rows[0].path == ""
    assert repr(report).splitlines()[2].startswith("Linear  Linear  1×2")


def test_empty():
    report = count(Sequential(), (2, 3))
    assert (report.macs, report.parameters, report.rows) == (0, 0, ())
    assert "total" in repr(report)
    assert report.csv().startswith("path,type,layer,")
    assert report.csv().count("\n") == 1
    assert list(report.to_frame().columns) == list(count(SMALL, (1, 1, 2, 2)).to_frame().columns)


# --- no hidden state, and quick ---------------------------------------------------


def test_counting_leaves_no_trace():
    model = models.resnet18()
    before = copy.deepcopy(model)
    one = count(model, (1, 3, 224, 224))
    other = count(model, (2, 3, 64, 64))
    assert count(model, (1, 3, 224, 224)).csv() == one.csv() != other.csv()
    assert model == before


def test_the_same_layer_in_two_places():
    fc = Linear(4, 4)
    twice = count(Sequential(fc, fc), (1, 4))
    apart = count(Sequential(Linear(4, 4), Linear(4, 4)), (1, 4))
    assert twice.csv() == apart.csv()
    assert twice.parameters == 40


def test_equal_layers_are_measured_once():
    # what makes 96 layers as quick as one: a layer that met the same shape is not asked again
    asked = []

    class Asked(Linear):
        def output_shape(self, x):
            asked.append(x)
            return super().output_shape(x)

    layer = Asked(4, 4)
    assert count(Sequential(*[Sequential(layer)] * 50), (1, 4)).macs == 50 * 16
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ("1,3,224,224", TypeError, "input_shape must be a tuple of positive integers such as (1, 3, 224, 224), got '1,3,224,224'"),
        (224, TypeError, "input_shape must be a tuple of positive integers such as (1, 3, 224, 224), got 224"),
        ((1, 3, 0, 224), ValueError, "input_shape[2] must be a positive integer, got 0"),
        ((1, 3, 224.0, 224), TypeError, "input_shape[2] must be a positive integer, got 224.0 of type float"),
        ((True, 3), TypeError, "input_shape[0] must be a positive integer, got True of type bool"),
    ],
)  # fmt: skip
def test_a_shape_that_is_none(shape, error, message):
    with pytest.raises(error) as caught:
        count(models.resnet18(), shape)
    assert str(caught.value) == message


def test_a_model_that_is_none():
    with pytest.raises(
        TypeError,
        match=r"model must be a layer of flopslib, got <function resnet18.*; call it: resnet18\(\)",
    ):
        count(models.resnet18, (1, 3, 224, 224))
    with pytest.raises(TypeError, match="model must be a layer of flopslib, got 'resnet18'"):
        count("resnet18", (1, 3, 224, 224))


def test_counting_needs_no_array_library():
    code = (
        "import sys, flopslib, flopslib.models as m;"
        "r = flopslib.count(m.resnet50(), (1, 3, 224, 224)); r.macs, r.parameters, r.rows, str(r);"
        "print([n for n in ('numpy', 'sympy', 'pandas', 'matplotlib', 'rich') if n in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_counting_is_lean():
    count(models.resnet50(), (1, 3, 224, 224))
    tracemalloc.start()
    count(models.gpt3(), (1, 2048))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
