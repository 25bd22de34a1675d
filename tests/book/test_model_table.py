"""The notes' table of models: every row of it, and nothing left unexplained."""

import json
from importlib.resources import files

import pytest

from flopsbook.model_table import TABLE, model_table, remainder_table
from flopsbook.quotes import Quotation

BY_CLAIM = {entry.claim: entry for entry in TABLE}


def test_every_row_of_the_notes_is_there():
    notes = json.loads(files("flopsbook").joinpath("data", "source_notes.json").read_text())
    rows = [n for n, c in notes["claims"].items() if c["section"] == "10.5.2"]
    assert sorted(BY_CLAIM) == sorted(rows)
    assert len(model_table().rows) == len(remainder_table().rows) == 6


@pytest.mark.parametrize(
    ("claim", "macs"),
    [
        ("resnet18", 1_814_073_344),
        ("resnet50", 4_089_184_256),
        ("mobilenet-v2", 300_774_272),
        ("vit", 17_563_828_224),
        # 6,607,077,376 with weights, and 32 * 2*4096 for each of 2048 positions
        ("llama", 6_607_077_376 + 32 * 2 * 4096 * 2048),
        # three times 367,402,130,866,176 for each of 146,484,375 texts
        ("gpt3", 3 * 367_402_130_866_176 * 146_484_375),
    ],
)
def test_our_figures(claim, macs):
    entry = BY_CLAIM[claim]
    assert (entry.macs, entry.flops) == (macs, 2 * macs)
    ours = entry.macs if entry.nearest == "MACs" else entry.flops
    assert ours + entry.remainder == entry.says == Quotation(claim).value


def test_what_the_notes_figures_are():
    kinds = {claim: entry.kind for claim, entry in BY_CLAIM.items()}
    assert [claim for claim, kind in kinds.items() if kind == "FLOPs"] == ["gpt3"]
    assert [claim for claim, kind in kinds.items() if kind is None] == ["llama"]


def test_published_figures_are_ours_at_their_digits():
    for claim in ("resnet18", "mobilenet-v2"):
        entry = BY_CLAIM[claim]
        for row in entry.published:
            digits = row["digits"] - 1
            assert f"{entry.macs:.{digits}e}" == f"{row['value']:.{digits}e}"
    assert BY_CLAIM["llama"].published == []


def test_the_cells():
    rows = {row[0]: row for row in model_table().rows}
    assert rows["ResNet-18"][1:] == [
        "1.8\xa0G, MACs", "1.814\xa0G {cite}`torchvision`", "1,814,073,344", "3,628,146,688",
    ]  # fmt: skip
    assert rows["GPT-3, training"][4] == "3.229·10²³"
    left = {row[0]: row for row in remainder_table().rows}
    assert left["ViT-B/16"][1:4] == ["MACs", "−563,828,224", "−3.2\xa0%"]
    assert all(row[4] for row in left.values())
