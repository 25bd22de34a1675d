"""What the page "How this book is checked" says is what was done."""

import copy
import json
from collections import Counter
from pathlib import Path

import pytest
from witnesses import SEEN, saw, shortfalls, unchecked

from flopsbook import checked

MUTANTS = Path(__file__).parents[1] / "library" / "mutants"
CHAPTERS = Path(__file__).parents[2] / "chapters"
CLAIMS = checked.stored()


@pytest.fixture(autouse=True)
def about_what_is_stored(request):
    if request.config.option.record:
        pytest.skip("what is stored is about to be replaced")


def done():
    return Counter(CLAIMS["compared"]), Counter(CLAIMS["passed"])


def test_every_kind_has_its_figure_and_none_is_empty():
    assert list(CLAIMS["compared"]) == list(checked.COMPARED)
    assert list(CLAIMS["passed"]) == [*checked.PASSED, "others"]
    assert min([*CLAIMS["compared"].values(), *CLAIMS["passed"].values()]) > 0


def test_every_notebook_was_run():
    assert CLAIMS["notebooks"] == len(list(CHAPTERS.glob("*.ipynb")))


def test_a_run_that_did_as_much_is_enough():
    assert shortfalls(CLAIMS, *done()) == []


@pytest.mark.parametrize("kind", checked.COMPARED)
def test_a_comparison_too_few_is_noticed_but_for_chance(kind):
    compared, passed = done()
    compared[kind] -= 1 + compared[kind] // 5
    (line,) = shortfalls(CLAIMS, compared, passed)
    assert line.startswith(f"{kind}: {CLAIMS['compared'][kind]} claimed")


@pytest.mark.parametrize("kind", [*checked.PASSED, "others"])
def test_a_test_too_few_is_noticed(kind):
    compared, passed = done()
    passed[kind] -= 1
    assert shortfalls(CLAIMS, compared, passed) == [
        f"{kind}: {CLAIMS['passed'][kind]} claimed, {CLAIMS['passed'][kind] - 1} passed"
    ]


def test_what_was_skipped_for_want_of_a_program_is_named_and_not_missed():
    compared, passed = done()
    kind, claimed = next(iter(CLAIMS["passed"].items()))
    passed[kind] -= 3
    skipped = Counter({kind: 3})
    assert shortfalls(CLAIMS, compared, passed, skipped) == []
    named = f"{kind} ({claimed} claimed, {claimed - 3} passed, 3 skipped)"
    assert unchecked(CLAIMS, passed, skipped) == [named]
    assert unchecked(CLAIMS, passed, Counter()) == []
    passed[kind] -= 1
    (line,) = shortfalls(CLAIMS, compared, passed, skipped)
    assert line == f"{kind}: {claimed} claimed, {claimed - 4} passed, 3 skipped"


def test_comparisons_are_counted():
    before = copy.copy(SEEN)
    saw("loops", 3)
    assert SEEN["loops"] == before["loops"] + 3
    SEEN["loops"] -= 3


def test_the_mutants_are_those_of_their_last_run():
    run = json.loads((MUTANTS / "results.json").read_text())
    assert {**run, "reviewed": CLAIMS["mutants"]["reviewed"]} == CLAIMS["mutants"]
    survivors = (MUTANTS / "survivors.toml").read_text().count("[[survivor]]")
    assert CLAIMS["mutants"]["reviewed"] == survivors


def test_what_is_recorded_is_what_was_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(checked, "__file__", str(tmp_path / "checked.py"))
    (tmp_path / "data").mkdir()
    compared, passed = done()
    compared["loops"] += 1
    checked.record(compared=compared, passed=passed, notebooks=3, mutants=CLAIMS["mutants"])
    written = json.loads((tmp_path / "data" / "checked.json").read_text())
    assert written["compared"].pop("loops") == CLAIMS["compared"]["loops"] + 1
    assert written["compared"].items() <= CLAIMS["compared"].items()
    assert written["passed"] == CLAIMS["passed"]
    assert written["notebooks"] == 3
