"""Whole networks, written with layers and graphs alone, against what torch says of them."""

import json
from pathlib import Path

import graph_networks as networks
import pytest

from flopslib import count

FIGURES = json.loads((Path(__file__).parent / "network_figures.json").read_text())["networks"]


@pytest.mark.parametrize("name", FIGURES)
def test_a_network_is_as_torch_has_it(name):
    said = FIGURES[name]
    shapes = tuple(map(tuple, said["input"]))
    report = count(getattr(networks, name)(), shapes if len(shapes) > 1 else shapes[0])
    assert report.flops == said["flops"]
    assert report.parameters == said["parameters"]
    assert sum(row.parameters for row in report.rows) == report.parameters


def test_a_unet_names_its_skips():
    report = count(networks.unet(), (1, 3, 64, 64))
    assert report["skip0"].output_shape == (1, 128, 64, 64)
    assert report["skip3"].output_shape == (1, 1024, 8, 8)


def test_dit_xl_2():
    d, tokens = 1152, 256
    block = 12 * d * d * tokens + 2 * tokens**2 * d + 6 * d * d
    ends = tokens * d * (16 + 32) + 256 * d + d * d + 2 * d * d
    report = count(networks.dit_xl_2(), ((1, 4, 32, 32), (1, 256), (1,)))
    assert report.macs == 28 * block + ends == 118_621_421_568
