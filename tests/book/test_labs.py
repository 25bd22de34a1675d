"""The labs: what a page counts is what the library counts, to the last digit."""

import gzip
import json
import random
import re
from pathlib import Path

import pytest
import sympy
from bs4 import BeautifulSoup
from py_mini_racer import MiniRacer

from flopsbook.build import site
from flopsbook.build.labs import LOADED, SHARED
from flopsbook.labs import converter, crossover, explorer, lab
from flopsbook.labs.bigint import evaluate, javascript
from flopsbook.labs.crossing import BOTH
from flopsbook.labs.gradients import backward_of
from flopsbook.labs.model_explorer import FIGURES as EXPLORED
from flopsbook.labs.presets import PLACES, READ, presets
from flopsbook.labs.spec import FIGURES, Letters, checked, points, variants
from flopsbook.palette import VARIABLES
from flopslib import (
    conv2d,
    count,
    feed_forward,
    formula,
    linear,
    models,
    multihead_attention,
    registered,
)
from flopslib.costs.registry import CostFunction, Default
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.primitives import dot_product
from flopslib.derivation.rendering import short
from flopslib.derivation.steps import Step
from flopslib.models.model_list import catalogue
from flopslib.notation import L, d, h

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "chapters" / "_static"
BACK = backward_of(linear)
EVERY = {**registered(), BOTH.name: BOTH}
#: For each lab at least so many points, in JavaScript as a browser runs it.
POINTS = 200

# the page's own script, asked in JSON; a BigInt becomes a text
ASK = """
const shown = (value) => JSON.stringify(value, (_, v) => typeof v === "bigint" ? String(v) : v);
let one;
const begin = (spec) => {
  one = lab.engine(JSON.parse(spec));
  try { return one.wrong(); } catch (error) { return error.message; }
};
const counts = (points) => shown(JSON.parse(points).map((p) => one.count(one.point(p))));
const problem = (point) => one.problem(one.point(JSON.parse(point)));
const offered = (point, letter) => shown(one.offered(one.point(JSON.parse(point)), letter));
const crossing = (text, figure, axis) => {
  const point = one.point(JSON.parse(text));
  const rows = one.offered(point, axis).map((v) => [v, lab.along(one, point, figure, axis, v)]);
  return lab.crossing(one, point, figure, axis, rows);
};
const typed = (text, name) => {
  try { return shown(lab.typed(text, name)); } catch (error) { return error.message; }
};
"""


@pytest.fixture(scope="module")
def v8():
    """The page's script as a browser runs it; no browser is needed."""
    with MiniRacer() as engine:
        for script in (SHARED, "lab.js"):
            engine.eval((STATIC / script).read_text())
        engine.eval(ASK)
        yield engine


@pytest.fixture(scope="module")
def specs():
    made = lab(*registered().values()).data["functions"] + crossover().data["functions"]
    return {spec["name"]: spec for spec in made}


of_the_pages = pytest.mark.usefixtures("fresh_pages")
every_lab = pytest.mark.parametrize("cost", EVERY.values(), ids=EVERY)


def texts(point):
    return {name: v if isinstance(v, bool) else str(v) for name, v in point.items()}


def numbers(point):
    return {name: v if isinstance(v, bool) else int(v) for name, v in point.items()}


def some_points(cost):
    each = -(-POINTS // len(variants(cost)))
    return [
        point | flags for flags in variants(cost).values() for point in points(cost, each, "test")
    ]


@every_lab
def test_a_page_counts_what_the_library_counts(v8, specs, cost):
    assert v8.call("begin", json.dumps(specs[cost.name])) == ""
    at = some_points(cost)
    assert len(at) >= POINTS
    largest = 0
    answers = json.loads(v8.call("counts", json.dumps([texts(point) for point in at])))
    for point, answer in zip(at, answers, strict=True):
        counted = cost.function(**Letters(cost).arguments(point))
        assert answer["total"] == {name: str(getattr(counted, name)) for name in FIGURES}, point
        for step, own in zip(answer["steps"], counted.steps, strict=True):
            assert (step["name"], step["unit"], step["outputs"]) == (
                own.name,
                own.unit,
                str(own.outputs),
            )
            assert step["one"] == {name: str(getattr(own.per_output, name)) for name in FIGURES}
        largest = max(largest, counted.flops)
    assert largest > 2**63


@every_lab
def test_the_independent_reader_of_the_texts_agrees(specs, cost):
    assert checked(specs[cost.name], cost, number=10) >= 10


def test_gpt3_to_the_last_digit(v8, specs):
    spec = specs["transformer_layer"]
    v8.call("begin", json.dumps(spec))
    gpt3 = next(one["values"] for one in spec["presets"] if one["what"].startswith("GPT-3"))
    # its training: the tokens of the paper, forward and backward, in all its layers
    training = gpt3 | {"B": str(300 * 10**9 // 2048 * 96 * 3), "causal": True}
    (answer,) = json.loads(v8.call("counts", json.dumps([training])))
    sizes = {
        "num_heads": 96,
        "batch": 300 * 10**9 // 2048 * 96 * 3,
        "causal": True,
        "tanh_gelu": True,
    }
    counted = registered()["transformer_layer"].function(2048, 12288, **sizes)
    assert answer["total"]["exact_flops"] == str(counted.exact_flops)
    assert counted.exact_flops > 3 * 10**23
    assert int(float(counted.exact_flops)) != counted.exact_flops  # a double would lose digits


@every_lab
def test_a_wrong_formula_is_noticed_in_the_page_and_before(v8, specs, cost):
    for at, code in enumerate(specs[cost.name]["formulas"]):
        spec = json.loads(json.dumps(specs[cost.name]))
        spec["formulas"][at] = f"{code} + 1n"
        with pytest.raises(ValueError, match="counts"):
            checked(spec, cost, number=2)
        # or, in the page, the sum of the steps is not the total any more
        assert re.search("counts|the steps sum to", v8.call("begin", json.dumps(spec)))


def test_a_wrong_stored_count_is_noticed_in_the_page(v8, specs):
    spec = json.loads(json.dumps(specs["conv2d"]))
    spec["checks"][0]["is"][1] = str(int(spec["checks"][0]["is"][1]) + 1)
    assert "in the library" in v8.call("begin", json.dumps(spec))


def refusal(cost, **arguments):
    with pytest.raises(ValueError, match="must") as caught:
        cost.arguments(**arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("conv2d", {"G": "5"}),
        ("conv2d", {"G": "3"}),
        ("multihead_attention", {"h": "5"}),
        ("multihead_attention", {"h_kv": "5"}),
        ("multihead_attention", {"L_kv": "1023"}),
        ("multihead_attention", {"h": "5", "d_k": "64"}),
        ("multihead_attention", {"h": "10", "h_kv": "4", "d_k": "64"}),
        ("transformer_layer", {"d": "769"}),
    ],
)
def test_the_page_refuses_in_the_words_of_the_library(v8, specs, name, change):
    cost, spec = registered()[name], specs[name]
    v8.call("begin", json.dumps(spec))
    point = spec["presets"][0]["values"] | change
    said = v8.call("problem", json.dumps(point))
    arguments = Letters(cost).arguments(numbers(point))
    if "h" in change and "d_k" in change and "h_kv" not in change:
        assert said == ""  # a width of its own frees the heads
        assert cost.arguments(**arguments)
    else:
        assert said == refusal(cost, **arguments)


@pytest.mark.parametrize("text", ["0", "-1", "3.5", "3.0", "1e3", "abc", "", "00", "٣", "0x10"])
def test_the_page_takes_positive_integers_only(v8, text):
    assert v8.call("typed", text, "batch").startswith("batch must be a positive integer")


def test_the_page_reads_numbers_as_people_write_them(v8):
    for text in ("12288", "12,288", "12 288", "12_288", " 12288 ", "012288"):
        assert v8.call("typed", text, "d_model") == '"12288"'
    assert "room here" in v8.call("typed", "9" * 31, "batch")


@every_lab
def test_sliders_offer_only_what_the_library_accepts(v8, specs, cost):
    spec, letters = specs[cost.name], Letters(cost)
    v8.call("begin", json.dumps(spec))
    chance = random.Random(cost.name)
    made_up = [texts(p) for p in points(cost, 6, "sliders")]
    for point in [preset["values"] for preset in spec["presets"]] + made_up:
        for letter in set(letters.names) & set(point):
            values = json.loads(v8.call("offered", json.dumps(point), letter))
            assert point[letter] in values
            assert values == [str(n) for n in sorted({int(value) for value in values})]
            for value in chance.sample(values, min(len(values), 12)):
                moved = point | {letter: value}
                cost.arguments(**letters.arguments(numbers(moved)))


def test_sliders_offer_every_divisor_and_enough_else(v8, specs):
    v8.call("begin", json.dumps(specs["conv2d"]))
    point = specs["conv2d"]["presets"][0]["values"] | {"C_in": "96", "C_out": "64"}
    assert json.loads(v8.call("offered", json.dumps(point), "G")) == [
        "1",
        "2",
        "4",
        "8",
        "16",
        "32",
    ]
    grouped = point | {"G": "32"}
    offered = json.loads(v8.call("offered", json.dumps(grouped), "C_in"))
    assert len(offered) > 10
    assert all(int(value) % 32 == 0 for value in offered)
    sides = json.loads(v8.call("offered", json.dumps(point), "H_out"))
    assert {"7", "14", "28", "56", "112", "224"} <= set(sides)


def test_a_new_cost_function_has_a_lab_by_itself(v8):
    def pairs(seq_len, num_heads, *, kv_seq_len=None, doubled=False):
        seen = seq_len * kv_seq_len * (2 if doubled else 1)
        return Derivation((Step("pairs", (dot_product(num_heads),), (seen,), "pair"),))

    defaults = {"kv_seq_len": Default("seq_len")}
    rules = {"divides": {"num_heads": ("seq_len",)}, "at_least": {"kv_seq_len": "seq_len"}}
    # as the registry's decorator does: the function sees checked and completed arguments
    entry = CostFunction("pairs", pairs, defaults=defaults, **rules)

    def whole(seq_len, num_heads, *, kv_seq_len=None, doubled=False):
        return pairs(**entry.arguments(seq_len, num_heads, kv_seq_len=kv_seq_len, doubled=doubled))

    cost = CostFunction("pairs", whole, defaults=defaults, **rules)
    made = lab(cost, presets={"a few": {"seq_len": 12, "num_heads": 3}})
    (spec,) = made.data["functions"]
    assert [about["letter"] for about in spec["letters"]] == ["L", "h", "L_kv"]
    assert set(spec["variants"]) == {"0", "1"}
    assert v8.call("begin", json.dumps(spec)) == ""
    (answer,) = json.loads(v8.call("counts", json.dumps([{"L": "12", "h": "3", "doubled": True}])))
    assert answer["total"]["macs"] == str(3 * 2 * 144)


def test_what_whole_numbers_cannot_express_is_refused():
    for odd in (sympy.sqrt(L), sympy.pi * L, sympy.floor(L / 2), L**d, sympy.oo):
        with pytest.raises(TypeError, match="whole numbers cannot"):
            javascript(odd)


def test_the_printer_writes_what_javascript_accepts(v8):
    for expression in (
        -(L**2) + d,
        -L,
        d - L**3,
        (L - d) ** 2 / h,
        -2 * L * (d - 1) / (2 * h),
        d / 3,
    ):
        code = javascript(expression)
        for sizes in ({"L": 6, "d": 12, "h": 3}, {"L": 10**12, "d": 6, "h": 2}):
            wanted = expression.subs({L: sizes["L"], d: sizes["d"], h: sizes["h"]})
            if wanted.is_Integer:
                assert evaluate(code, sizes) == wanted
                names = "".join(f"const {n} = {v}n;" for n, v in sizes.items())
                q = "const q = (a, b) => { if (a % b) throw 1; return a / b; };"
                assert v8.eval(f"(() => {{ {q} {names} return String({code}); }})()") == str(wanted)
            else:
                with pytest.raises(ValueError, match="does not divide"):
                    evaluate(code, sizes)


@pytest.mark.parametrize(
    "code", ["2*L", "L + 1", "-L**2n", "L / 2n", "f(L)", "L.x", "q(L)", "2.5n"]
)
def test_the_reader_refuses_what_is_no_bigint_expression(code):
    with pytest.raises((ValueError, SyntaxError)):
        evaluate(code, {"L": 4})


# --- presets -----------------------------------------------------------------


def test_presets_cost_what_the_models_count():
    image = (1, 3, 224, 224)
    first = presets("conv2d")["the first convolution of ResNet-18"]
    assert conv2d(**first).macs == count(models.resnet18(), image)["conv1"].macs
    assert set(PLACES) == set(READ) <= set(registered())


@pytest.mark.parametrize(
    ("name", "misread"),
    [("linear", {"batch": 3}), ("feed_forward", {"tanh_gelu": False})],
)
def test_a_preset_that_is_read_wrongly_is_refused(monkeypatch, name, misread):
    read = READ[name]
    monkeypatch.setitem(READ, name, lambda node: read(node) | misread)
    with pytest.raises(ValueError, match="the model"):
        presets(name)


@pytest.mark.parametrize("name", ["feed_forward", "transformer_layer"])
def test_a_preset_has_the_gelu_of_its_model(name):
    by_tanh = {what: layer["tanh_gelu"] for what, layer in presets(name).items()}
    assert by_tanh == {what: what.startswith("GPT") for what in by_tanh}


def test_a_preset_of_a_whole_layer_is_the_layer_of_the_model_to_the_last_operation():
    for place in PLACES["transformer_layer"]:
        report = count(catalogue()[place.model].build(), catalogue()[place.model].input_shape)
        layer = [row for row in report.rows if row.path.startswith(f"{place.paths[0]}.")]
        ours = registered()["transformer_layer"].function(
            **presets("transformer_layer")[place.what]
        )
        assert sum(row.exact_flops for row in layer) == ours.exact_flops
        for kind, number in ours.other.items():
            assert sum(row.other.get(kind, 0) for row in layer) == number, (place, kind)


# --- what a notebook and a page show -------------------------------------------


def test_a_lab_is_a_table_for_whoever_has_no_script():
    made = lab(linear)
    for row in made.table.rows:
        arguments = presets("linear")[row[0]]
        assert row[1:3] == [f"{linear(**arguments).macs:,}", f"{linear(**arguments).flops:,}"]
    document = BeautifulSoup(made._repr_html_(), "html.parser")
    assert document.select_one("[data-lab=linear] .lab-fallback table")
    assert made._repr_markdown_() == repr(made) == repr(lab(linear))
    assert made._repr_html_() == lab(linear)._repr_html_()


def test_a_lab_opens_with_the_example_of_the_text():
    name = "GPT-3, one layer"
    made = lab(multihead_attention, preset=name)
    usual = lab(multihead_attention)
    assert made.data["functions"][0]["presets"][0]["what"] == made.table.rows[0][0] == name
    assert usual.table.rows[0][0] != name
    assert sorted(made.table.rows) == sorted(usual.table.rows)
    assert crossover("GPT-3").table.rows[0][0] == "GPT-3"


@pytest.mark.parametrize("make", [lambda name: lab(linear, preset=name), crossover])
def test_an_example_that_is_unknown_is_refused_with_those_that_are(make):
    with pytest.raises(ValueError, match=r"preset must be one of '.*GPT.*, got 'GPT-9'"):
        make("GPT-9")


def test_long_numbers_are_said_as_the_library_says_them(v8):
    chance = random.Random(3)
    said = [chance.randrange(10**digits) for digits in range(1, 30) for _ in range(40)]
    edges = [10**n + k for n in range(31) for k in (-1, 0, 1, -(10**n) // 2000, -(10**n) // 1999)]
    for value in said + [edge for edge in edges if edge >= 0]:
        assert v8.eval(f"lab.human({value}n)") == short(value), value


def test_text_in_a_spec_cannot_end_the_script():
    sizes = {"in_features": 3, "out_features": 2}
    made = lab(linear, presets={"</script><b>": sizes}, name='a"b')
    document = BeautifulSoup(made._repr_html_(), "html.parser")
    spec = json.loads(document.script.get_text())
    assert spec["functions"][0]["presets"][0]["what"] == "</script><b>"
    assert document.div["data-lab"] == 'a"b'
    assert not document.find("b")


@pytest.mark.parametrize("wrong", [(), (len,), (3,)])
def test_only_cost_functions_have_labs(wrong):
    with pytest.raises(TypeError, match="lab takes"):
        lab(*wrong)


def crossing(v8, point, axis):
    return v8.call("crossing", json.dumps(point), "macs", axis)


def test_the_crossing_is_where_the_two_are_equal(v8, specs):
    spec = specs[BOTH.name]
    v8.call("begin", json.dumps(spec))
    named = {step for steps in spec["series"].values() for step in steps}
    for variant in spec["variants"].values():
        assert {step["name"] for step in variant["steps"]} <= named
    attention, ffn = formula(multihead_attention).macs, formula(feed_forward).macs
    (met,) = sympy.solve(attention - ffn, L)
    assert met == 2 * d
    point = {"L": "1024", "d": "768", "h": "12", "B": "1"}
    flags = {"causal": False, "gated": False, "bias": True, "tanh_gelu": True}
    assert crossing(v8, point | flags, "L") == (
        f"From L = {2 * 768 + 1:,} on, attention costs more than the FFN."
    )
    # a width has to be a multiple of the heads, the first one that is no longer below L / 2
    assert crossing(v8, point | flags, "d") == (
        f"From d = {-(-512 // 12) * 12} on, the FFN costs at least as much as attention."
    )
    causal = multihead_attention(3 * 768, 768, num_heads=12, causal=True).macs
    assert causal < feed_forward(3 * 768, 768).macs
    said = crossing(v8, point | flags | {"causal": True}, "L")
    length = int(re.search(r"L = ([\d,]+) ", said)[1].replace(",", ""))
    for further in (-1, 0):
        one = multihead_attention(length + further, 768, num_heads=12, causal=True).macs
        assert (one > feed_forward(length + further, 768).macs) == (further == 0)


# --- the model explorer ----------------------------------------------------------


@pytest.fixture(scope="module")
def explored():
    return explorer().data


@pytest.mark.parametrize("name", catalogue())
def test_the_explorer_has_the_counts_of_every_model(explored, name):
    entry = catalogue()[name]
    report = count(entry.build(), entry.input_shape)
    (number,) = [model["part"] for model in explored["models"] if model["name"] == name]
    figures = dict(zip(EXPLORED, explored["parts"][number][3], strict=True))
    assert figures == {figure: str(getattr(report, figure)) for figure in EXPLORED}


def test_every_part_is_the_sum_of_what_is_inside(explored):
    for layer, _, how, figures, runs in explored["parts"]:
        assert bool(how) or bool(runs) or figures[:2] == ["0", "0"], layer
        if runs:
            for at, figure in enumerate(EXPLORED):
                inside = sum(
                    times * int(explored["parts"][part][3][at]) for _, _, times, part in runs
                )
                own = int(figures[at]) - inside
                # a container may own a few numbers itself, and never an operation
                assert own == 0 if figure != "parameters" else own >= 0, layer


def test_equal_parts_are_stored_once(explored):
    written = [json.dumps(part) for part in explored["parts"]]
    assert len(written) == len(set(written))
    assert len(gzip.compress(json.dumps(explored).encode())) < 30_000


# --- the files of the pages ------------------------------------------------------


@pytest.mark.parametrize("name", sorted(name for names in LOADED.values() for name in names))
def test_the_files_are_small_and_ask_nobody(name):
    text = (STATIC / name).read_text()
    assert len(gzip.compress(text.encode())) < 10_000
    assert set(re.findall(r"https?://[^\"\s]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\bfetch\(|XMLHttpRequest|import\(", text)
    used = set(re.findall(r"--[a-z][a-z-]*", text)) - {"--pst-color-background", "--pst-color-link"}
    own = re.findall(r"(--[a-z-]+):", text + lab(linear)._repr_html_() + converter()._repr_html_())
    assert used <= {*VARIABLES, *own}


def built():
    return sorted((site.BUILD / "html").rglob("*.html"))


@of_the_pages
def test_the_files_are_on_the_pages_that_need_them_and_on_no_other():
    having = dict.fromkeys(LOADED, 0)
    for path in built():
        text = path.read_text()
        for mark, files in LOADED.items():
            having[mark] += mark in text
            for file in files:
                assert (f"_static/{file}" in text) == (mark in text), path
        loaded = re.findall(r'src="[^"]*_static/(\w+\.js)', text)
        scripts = [script for mark, (script, _) in LOADED.items() if mark in text]
        assert loaded.count(SHARED) == bool(scripts)
        assert all(loaded.index(SHARED) < loaded.index(script) for script in scripts)
    assert having == {
        '<div class="lab"': 12,
        '<div class="explorer"': 1,
        '<div class="calculator"': 7,
    }


def labs_of_the_pages():
    element = (
        r'<div class="lab" data-lab="([^"]*)".*?<script type="application/json">(.*?)</script>'
    )
    for path in built():
        for name, spec in re.findall(element, path.read_text(), flags=re.DOTALL):
            yield path.stem, name, json.loads(spec)


@of_the_pages
def test_every_chapter_that_derives_a_layer_has_its_lab():
    found = {}
    for chapter, _, spec in labs_of_the_pages():
        names = {one["name"] for one in spec["functions"]}
        found[chapter] = found.get(chapter, set()) | names
    assert found["cost_table"] == set(registered())
    assert BOTH.name in found["transformer"]
    for chapter in {cost.chapter for cost in registered().values()}:
        assert any(registered()[n].chapter == chapter for n in found[chapter] if n in registered())


@of_the_pages
def test_the_labs_of_the_built_pages_count_what_the_library_counts(v8):
    tried = 0
    for _, _, data in labs_of_the_pages():
        for spec in data["functions"]:
            assert v8.call("begin", json.dumps(spec)) == ""
            for preset in spec["presets"]:
                (answer,) = json.loads(v8.call("counts", json.dumps([preset["values"]])))
                cost = EVERY.get(spec["name"], BACK)
                arguments = Letters(cost).arguments(numbers(preset["values"]))
                assert answer["total"]["flops"] == str(cost.function(**arguments).flops)
                tried += 1
    assert tried > 40
