"""What others wrote comes from one file each, with its place."""

import json
from pathlib import Path

import pytest

from flopsbook.quotes import Quotation, published
from flopsbook.tables import agreement


def test_a_quotation_has_its_section_and_its_language():
    quotation = Quotation("mac")
    assert quotation.section == "10"
    assert '<span lang="zh">' in quotation._repr_markdown_()
    assert "section 10*" in quotation._repr_markdown_()
    assert repr(quotation).startswith("The source notes, section 10: One multiply–add")


def test_a_formula_needs_no_translation():
    assert "span" not in Quotation("linear")._repr_markdown_()


def test_an_unknown_claim():
    with pytest.raises(KeyError, match="no claim 'nothing'; there are unit, mac"):
        Quotation("nothing")


def test_published_figures_have_a_place_and_a_unit():
    for row in published("resnet50"):
        assert row.keys() == {"where", "cite", "called", "value", "digits"}


def test_the_residual_networks_are_quoted_as_torchvision_prints_them():
    figures = json.loads(
        (Path(__file__).parents[1] / "library" / "torchvision_figures.json").read_text()
    )
    quoted = {row["model"]: row for row in published("resnets")}
    names = {name for name in figures["models"] if "resne" in name}  # resnet, resnext
    assert quoted.keys() == names
    for name, row in quoted.items():
        printed = figures["models"][name]["gmacs"]
        assert row["value"] == round(printed * 10**9)
        assert row["digits"] == len(str(printed).replace(".", ""))


def test_agreement_is_at_the_printed_digits():
    assert agreement(4_089_000_000, 4, 4_089_184_256) == "–"
    assert agreement(4_089_000_000, 7, 4_089_184_256) == "−0.00\xa0%"
    assert agreement(4_200_000_000, 2, 4_000_000_000) == "+5.00\xa0%"
