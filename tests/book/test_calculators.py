"""The calculators: what a page counts is what the library counts, to the last digit."""

import json
import random
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from py_mini_racer import MiniRacer

from flopsbook.build.labs import SHARED
from flopsbook.labs import calculator, converter, image_lab, memory_lab, roofline_lab, vision_lab
from flopsbook.labs.conversion import known
from flopsbook.labs.image_network import (
    PATCHED_SIDES,
    SIDES,
    built,
    networks,
    vision_built,
    vision_networks,
)
from flopsbook.labs.language_model import GPT, language_models
from flopslib import Derivation, count
from flopslib.derivation.rendering import short
from flopslib.memory import Torch, cache_bytes, kept, linked
from flopslib.models import gpt, llama
from flopslib.models.language import next_token, prompt, training
from flopslib.models.model_list import catalogue
from flopslib.traffic import traffic

STATIC = Path(__file__).parents[2] / "chapters" / "_static"
ASK = """
const shown = (value) => JSON.stringify(value, (_, v) => typeof v === "bigint" ? String(v) : v);
const said = (work) => { try { return shown(work()); } catch (error) { return error.message; } };
let one;
const begin = (data) => {
  one = calculator.engine(JSON.parse(data));
  try { return one.wrong(); } catch (error) { return error.message; }
};
const counts = (points) => said(() => JSON.parse(points).map((p) => one.count(one.point(p))));
const problem = (point) => one.problem(one.point(JSON.parse(point)));
const read = (text) => said(() => calculator.read(text, "amount"));
const recognised = (value, unit) => shown(one.recognised(BigInt(value), BigInt(unit)));
"""
FORMS = {
    "converter": converter,
    "language_model": calculator,
    "image_network": image_lab,
    "vision_transformer": vision_lab,
    "roofline": roofline_lab,
    "memory": memory_lab,
}
every_form = pytest.mark.parametrize("name", FORMS)


@pytest.fixture(scope="module")
def forms():
    return {name: make() for name, make in FORMS.items()}


@pytest.fixture(scope="module")
def datas(forms):
    return {name: form.data for name, form in forms.items()}


@pytest.fixture(scope="module")
def v8():
    """The page's script as a browser runs it; no browser is needed."""
    with MiniRacer() as engine:
        for script in (SHARED, "calculator.js"):
            engine.eval((STATIC / script).read_text())
        engine.eval(ASK)
        yield engine


def texts(point):
    return {name: v if isinstance(v, bool) else str(v) for name, v in point.items()}


def shown(v8, data, point):
    assert v8.call("begin", json.dumps(data)) == ""
    assert v8.call("problem", json.dumps(texts(point))) == ""
    (answer,) = json.loads(v8.call("counts", json.dumps([texts(point)])))
    return {name: int(value) for name, value in answer.items()}


# --- the calculator of language models --------------------------------------------


def by_the_library(build, point):
    """Count a setting with the library's own functions, step by step."""
    batch, causal, texts_ = point["batch"], point["causal"], {}

    def step(number):
        length = point["prompt"] + number
        if point["cache"]:
            return next_token(build, cache=length - 1, batch=batch).macs
        return prompt(build, length, causal=causal, logits="last", batch=batch).macs

    steps = [step(number) for number in range(1, point["answer"] + 1)]
    texts_["prompt_macs"] = prompt(
        build, point["prompt"], causal=causal, logits="last", batch=batch
    ).macs
    texts_["first_macs"], texts_["last_macs"] = steps[0], steps[-1]
    texts_["answer_macs"] = sum(steps)
    texts_["all_macs"] = texts_["prompt_macs"] + sum(steps)
    run = training(build, tokens=point["tokens"], seq_len=point["length"], causal=causal)
    flops = {name.replace("macs", "flops"): 2 * macs for name, macs in texts_.items()}
    return texts_ | flops | {
        "training_flops": run.flops,
        "training_macs": run.flops // 2,
        "rule": run.rule,
        "parameters": run.parameters,
        "weight_bytes": point["bytes"] * run.parameters,
        "state_bytes": 16 * run.parameters,
    }  # fmt: skip


def some_setting(chance, longest):
    length = chance.randint(1, longest)
    return {
        "cache": chance.random() < 0.5, "causal": chance.random() < 0.5,
        "prompt": chance.randint(1, longest - 6), "answer": chance.randint(1, 6),
        "batch": chance.randint(1, 9), "bytes": chance.randint(1, 4), "length": length,
        "tokens": length * chance.randint(1, 10**10),
    }  # fmt: skip


@pytest.mark.parametrize("name", language_models())
def test_every_language_model_costs_what_the_library_counts(v8, forms, datas, name):
    entry, chance = language_models()[name], random.Random(name)
    for cache, causal in product((False, True), repeat=2):
        point = forms["language_model"].presets[name] | some_setting(chance, entry.input_shape[1])
        point |= {"cache": cache, "causal": causal}
        answer = shown(v8, datas["language_model"], point)
        wanted = by_the_library(entry.build, point)
        assert {key: answer[key] for key in wanted} == wanted, point
    assert wanted["training_flops"] > 2**53


@pytest.mark.parametrize("name", ["GPT-2 small", "LLaMA-7B", "Llama-3-8B"])
def test_bytes_and_activations_are_those_of_the_network(v8, forms, datas, name):
    """A step and a training, counted operand by operand in the whole network."""
    entry = language_models()[name]
    point = forms["language_model"].presets[name] | {"prompt": 3, "answer": 4, "length": 16}
    point |= {"tokens": 160, "batch": 2, "bytes": 2, "cache": True}
    answer = shown(v8, datas["language_model"], point)
    roles = traffic(linked(entry.build(causal=True, cache=6), (2, 1)), fused=True).by_role
    width = point["width"] // point["heads"]
    new = cache_bytes(1, point["kv_heads"], width, layers=point["layers"], batch=2)
    # the rows that are looked up: two of tokens, and in a GPT one of positions
    rows = 2 * point["width"] * (3 if "GPT" in name else 2)
    assert answer["step_bytes"] == roles["weight"] - rows + roles["cache"] + new
    inside = [
        step for step in linked(entry.build(), (1, 16), training=True).steps
        if step.name.startswith(("h.", "layers."))
    ]  # fmt: skip
    assert answer["activation_bytes"] == kept(Derivation(tuple(inside)), Torch(16)).bytes


def a_model(chance, family):
    heads = chance.randint(1, 6)
    sizes = {
        "layers": chance.randint(1, 5),
        "heads": heads,
        "width": heads * 2 * chance.randint(1, 9),
    }
    sizes |= {"words": chance.randint(1, 99), "positions": 64, "hidden": chance.randint(1, 50)}
    shared = chance.choice([n for n in range(1, heads + 1) if heads % n == 0])
    sizes |= {"family": family, "kv_heads": shared}

    def build(**options):
        layers, width = sizes["layers"], sizes["width"]
        if family == GPT:
            return gpt(layers, width, heads, num_positions=64, vocab_size=sizes["words"], **options)
        shape = {"num_kv_heads": shared, "vocab_size": sizes["words"]}
        return llama(layers, width, heads, sizes["hidden"], **shape, **options)

    return sizes, build


@pytest.mark.parametrize("family", [0, 1])
def test_own_sizes_cost_what_the_library_counts(v8, datas, family):
    chance = random.Random(family)
    for _ in range(50):
        sizes, build = a_model(chance, family)
        point = sizes | some_setting(chance, 64)
        answer = shown(v8, datas["language_model"], point)
        wanted = by_the_library(build, point)
        assert {key: answer[key] for key in wanted} == wanted, point
        kept = point["batch"] * (point["prompt"] + point["answer"])
        kept *= 2 * sizes["layers"] * sizes["width"]
        if family:
            kept = kept * sizes["kv_heads"] // sizes["heads"]
        assert answer["kept"] == (kept if point["cache"] else 0)
        assert answer["kept_bytes"] == point["bytes"] * answer["kept"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"heads": 33}, "heads must divide the width, got 33 heads and a width of 4,096"),
        ({"width": 4128}, "must be even in a LLaMA, got 32 heads and a width of 4,128"),
        ({"kv_heads": 3}, "must divide those of the queries, got 3 and 32"),
        ({"tokens": 2049}, "a whole number of sequences, got 2,049 in sequences of 2,048"),
    ],
)
def test_sizes_that_cannot_be_are_refused(v8, forms, datas, change, says):
    v8.call("begin", json.dumps(datas["language_model"]))
    point = forms["language_model"].presets["LLaMA-7B"] | change
    assert says in v8.call("problem", json.dumps(texts(point)))


def test_a_gpt_refuses_more_tokens_than_its_longest_sequence(v8, forms, datas):
    v8.call("begin", json.dumps(datas["language_model"]))
    point = forms["language_model"].presets["GPT-2 small"]
    for answer, refused in ((512, False), (513, True)):
        said = v8.call("problem", json.dumps(texts(point | {"answer": answer})))
        assert ("fit into the longest sequence" in said) == refused
    gpt2 = language_models()["GPT-2 small"].build
    assert next_token(gpt2, cache=1023)
    with pytest.raises(ValueError, match="position"):
        next_token(gpt2, cache=1024)


def test_a_calculator_opens_with_the_model_of_the_text():
    assert calculator("GPT-3 175B").table.rows[0][0] == "GPT-3 175B"
    assert image_lab("MobileNetV2, width 0.5").table.rows[0][0] == "MobileNetV2, width 0.5"
    with pytest.raises(ValueError, match=r"preset must be one of 'GPT-2 small', .*got 'GPT-9'"):
        calculator("GPT-9")
    with pytest.raises(ValueError, match=r"preset must be one of 'ResNet-18', .*got 'ResNet-5'"):
        image_lab("ResNet-5")
    assert vision_lab("ViT-L/32").table.rows[0][0] == "ViT-L/32"
    with pytest.raises(ValueError, match=r"preset must be one of 'ViT-B/16', .*got 'ViT'"):
        vision_lab("ViT")


# --- the lab of image networks ------------------------------------------------------


@pytest.mark.parametrize("what", networks())
def test_every_network_costs_what_the_library_counts_at_every_size(v8, datas, what):
    data, network = datas["image_network"], list(networks()).index(what)
    assert v8.call("begin", json.dumps(data)) == ""
    points = [{"network": str(network), "side": str(at)} for at in range(len(SIDES))]
    answers = json.loads(v8.call("counts", json.dumps(points)))
    for side, answer in zip(SIDES, answers, strict=True):
        report = count(built(what), (1, 3, side, side))
        for name in ("macs", "flops", "exact_flops", "parameters"):
            assert answer[name] == str(getattr(report, name)), side
        assert answer["pixels"] == str(side * side)
    assert {224, 225, 299} <= set(SIDES)


@pytest.mark.parametrize("what", vision_networks())
def test_every_vision_transformer_costs_what_the_library_counts(v8, datas, what):
    data, network = datas["vision_transformer"], list(vision_networks()).index(what)
    assert v8.call("begin", json.dumps(data)) == ""
    points = [{"network": str(network), "side": str(at)} for at in range(len(PATCHED_SIDES))]
    answers = json.loads(v8.call("counts", json.dumps(points)))
    for side, answer in zip(PATCHED_SIDES, answers, strict=True):
        report = count(vision_built(what, side), (1, 3, side, side))
        for name in ("macs", "flops", "exact_flops", "parameters"):
            assert answer[name] == str(getattr(report, name)), side
        # one token for each patch and the class token; d products for a score, d for its part
        # of a weighted sum, in every layer
        tokens = (side // int(what[-2:])) ** 2 + 1
        layers, width = (24, 1024) if "L/" in what else (12, 768)
        assert answer["tokens"] == str(tokens)
        assert answer["between"] == str(layers * 2 * tokens**2 * width)


# --- the converter -----------------------------------------------------------------


def test_the_converter_doubles_and_halves(v8, datas):
    for unit, amount in ((0, 4_089_184_257), (1, 8_178_368_512), (0, 3 * 10**29 + 1)):
        answer = shown(v8, datas["converter"], {"unit": unit, "amount": amount, "rate": 7})
        macs = amount if unit == 0 else amount // 2
        assert answer == {"macs": macs, "flops": 2 * macs, "rate": 7}
    odd = texts({"unit": 1, "amount": 8_178_368_511, "rate": 7})
    assert "even, got 8,178,368,511" in v8.call("problem", json.dumps(odd))


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("4.1 G", 4_100_000_000, 10**8), ("4,089,184,256", 4_089_184_256, 1), ("1.8e9", 18 * 10**8, 10**8),
        ("7 B", 7 * 10**9, 10**9), ("3000", 3000, 1000), ("312T", 312 * 10**12, 10**12), ("0.3 k", 300, 100),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(v8, text, value, unit):
    assert json.loads(v8.call("read", text)) == {"value": str(value), "unit": str(unit)}


@pytest.mark.parametrize("text", ["", "0", "-3", "4.1", "1e", "many", "4.1 Q", "0.0001 k", "٣"])
def test_what_is_no_number_is_refused(v8, text):
    assert v8.call("read", text).startswith("amount must be a positive whole number such as")


def test_a_known_number_is_recognised_in_either_reading(v8, datas):
    v8.call("begin", json.dumps(datas["converter"]))

    def found(text):
        read = json.loads(v8.call("read", text))
        every = json.loads(v8.call("recognised", read["value"], read["unit"]))
        return {(one["title"], one["reading"]) for one in every}

    assert ("ResNet-50", "MACs") in found("4.1 G")
    assert ("ResNet-50", "FLOPs") in found("8.2 G")
    assert found("4,089,184,256") == {("ResNet-50", "MACs")}
    assert found("4,089,184,255") == set()
    assert len(known()) == len(catalogue())
    for title, macs in known().items():
        assert (title, "MACs") in found(str(macs))
        assert (title, "FLOPs") in found(str(2 * macs))


def test_times_and_ratios_are_rounded_to_three_digits(v8):
    assert v8.eval("calculator.duration(8178368512n, 10n ** 13n)") == "818 µs"
    assert v8.eval("calculator.duration(3n * 10n ** 23n, 10n ** 15n)") == "9.51 years"
    assert v8.eval("calculator.duration(90n, 1n)") == "1.50 minutes"
    chance = random.Random(5)
    for _ in range(300):
        above, below = (chance.randrange(1, 10 ** chance.randint(1, 25)) for _ in range(2))
        said = v8.eval(f"calculator.ratio({above}n, {below}n)")
        exact = Fraction(above, below)
        if Fraction(1, 10**9) < exact < 9999:
            assert abs(Fraction(said.replace(",", "")) / exact - 1) <= Fraction(1, 200)


def test_a_long_number_is_said_as_the_library_says_it(v8):
    for value in (0, 9_999, 10_000, 14_630_806_093_824, 9_995 * 10**18, 3 * 10**30):
        assert v8.eval(f"calculator.human({value}n)") == short(value)


# --- all of them ----------------------------------------------------------------------


@every_form
def test_a_wrong_stored_count_is_noticed_in_the_page(v8, datas, name):
    data = json.loads(json.dumps(datas[name]))
    data["checks"][0]["is"][1] = str(int(data["checks"][0]["is"][1]) + 1)
    assert "in the library" in v8.call("begin", json.dumps(data))


@every_form
def test_a_wrong_formula_is_noticed_in_the_page(v8, datas, name):
    data = json.loads(json.dumps(datas[name]))
    key = ".".join(str(int(data["checks"][0]["at"][switch])) for switch in data["switches"])
    for of in datas[name]["values"].values():
        data["formulas"] = list(datas[name]["formulas"])
        data["formulas"][of[key]] += " + 1n"
        assert "in the library" in v8.call("begin", json.dumps(data))


@every_form
def test_a_calculator_is_a_table_for_whoever_has_no_script(forms, name):
    form = forms[name]
    document = BeautifulSoup(form._repr_html_(), "html.parser")
    rows = document.select(f"#calculator-{name} .lab-fallback tbody tr")
    assert [[cell.text for cell in row.select("td")] for row in rows] == form.table.rows
    assert form._repr_markdown_() == repr(form)
    for what, *cells in form.table.rows:
        counted = form.count(form.presets[what])
        assert cells == [f"{counted[value]:,}" for value in form.columns.values()]
