"""What the last run of `make mutants` left: raw counts, and a reason for every survivor."""

import json
import tomllib
from collections import Counter
from pathlib import Path

MUTANTS = Path(__file__).parent / "mutants"
SURVIVORS = tomllib.loads((MUTANTS / "survivors.toml").read_text())["survivor"]
RUN = json.loads((MUTANTS / "results.json").read_text())
LIVED = json.loads((MUTANTS / "survived.json").read_text())


def test_a_reason_is_a_sentence():
    for survivor in SURVIVORS:
        assert {*survivor} - {"rewritten"} == {"module", "before", "after", "reason"}
        assert survivor["reason"].endswith(".")
        assert survivor["after"]


def test_what_survived_is_what_has_a_reason():
    listed = [(s["module"], s["before"], after) for s in SURVIVORS for after in s["after"]]
    assert {tuple(change) for *change, _ in LIVED} == set(listed)
    assert len(listed) == len(set(listed))


def test_what_survivors_change_is_in_the_code():
    """A line that was rewritten since the last run says so, and what is there now waits for one."""
    for survivor in SURVIVORS:
        code = (MUTANTS.parents[2] / survivor["module"]).read_text()
        is_there = survivor["before"] in " ".join(code.split())
        assert is_there != survivor.get("rewritten", False), survivor["before"]


def test_the_last_run_is_good_enough():
    config = tomllib.loads((MUTANTS / "config.toml").read_text())
    assert list(RUN["places"]) == config["places"]
    for place, found in RUN["places"].items():
        generated = found["killed"] + found["survived"] + found["timeout"]
        assert 100 * found["killed"] >= config["aim"] * generated > 0, place
        alive = Counter(outcome for module, *_, outcome in LIVED if module.startswith(place))
        assert alive == Counter({name: found[name] for name in ("survived", "timeout")}), place
    assert config["aim"] >= 97
    pinned = (MUTANTS.parents[2] / "requirements-mutants.txt").read_text()
    assert f"cosmic-ray=={RUN['cosmic-ray']}\n" in pinned
