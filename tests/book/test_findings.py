"""The page of findings says what the scripts say today."""

import re
from pathlib import Path

import pytest

from flopsbook import findings

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "findings").glob("*.sh"))
HEAD = """#!/usr/bin/env bash
# A program counts nothing.
#
# Version: a 1.0 on Linux
# Seen: on 2026-02-28; below.
set -eu
"""


def test_what_is_stored_is_what_the_scripts_say(tmp_path, monkeypatch):
    monkeypatch.setattr(findings, "STORED", tmp_path / "findings.json")
    findings.main()
    kept = ROOT / "flopsbook" / "data" / "findings.json"
    # if not: python -m flopsbook.findings
    assert kept.read_text() == (tmp_path / "findings.json").read_text()
    assert [found["script"] for found in findings.stored()] == [path.name for path in SCRIPTS]


def test_the_table_has_the_first_lines_of_all_scripts():
    rows = findings.findings().rows
    assert len(rows) == len(SCRIPTS) >= 8
    for (finding, version, date), path in zip(rows, SCRIPTS, strict=True):
        lines = path.read_text().splitlines()
        assert finding == f"{lines[1].removeprefix('# ')} `{path.name}`"
        assert any(line.startswith("# Version:") and version in line for line in lines)
        assert any(line.startswith("# Seen:") and date in line for line in lines)
        # the versions that are said are those that the script installs
        pinned = set(re.findall(r"==([\d.]+)", path.read_text()))
        assert pinned & set(re.findall(r"[\d.]*\d", version))


def test_the_page_shows_what_is_stored():
    page = (ROOT / "chapters" / "findings.ipynb").read_text()
    for found in findings.stored():
        assert f"| {found['title']} `{found['script']}` |" in page


def test_a_head_is_read(tmp_path):
    script = tmp_path / "nothing.sh"
    script.write_text(HEAD)
    assert findings.head(script) == {
        "script": "nothing.sh",
        "title": "A program counts nothing.",
        "version": "a 1.0 on Linux",
        "date": "2026-02-28",
    }


@pytest.mark.parametrize(
    ("left_out", "instead", "message"),
    [
        ("# A program counts nothing.", "", "nothing.sh does not say its title"),
        ("# Version: a 1.0 on Linux", "#", "nothing.sh does not say its version"),
        ("on 2026-02-28; ", "", "nothing.sh does not say its date"),
        ("2026-02-28", "2026-02-30", "nothing.sh was seen on no day: 2026-02-30"),
    ],
)
def test_a_head_that_leaves_something_out_is_refused(left_out, instead, message, tmp_path):
    script = tmp_path / "nothing.sh"
    script.write_text(HEAD.replace(left_out, instead))
    with pytest.raises(ValueError, match=message):
        findings.head(script)
