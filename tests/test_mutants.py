"""What only a mutant asked for: changes of the code that no other test noticed (`make mutants`).

Each test says what is right by another route than the code, or refuses what is
wrong. The changes that nothing can notice are in tests/mutants/survivors.toml.
"""

import tomllib
from pathlib import Path

import pytest

from flopslib import count, registered
from flopslib import layers as nn
from flopslib import models

MUTANTS = Path(__file__).parent / "mutants"


def text(*parts):
    """Return a text that is not the same object as any that the code has."""
    return "".join(parts)


# --- the examples of the cost functions -------------------------------------------

PIXELS = 112 * 112
LENGTH, WIDTH = 1024, 768  # GPT-2 small
EXAMPLES = {
    # name: MACs, additions, both from the published sizes of the layer that is named
    "linear": (2048 * 1000, 2048 * 1000),
    "matmul": (LENGTH * 64 * LENGTH, LENGTH * 63 * LENGTH),
    "conv2d": (64 * PIXELS * 147, 64 * PIXELS * 146),
    "depthwise_conv2d": (32 * PIXELS * 9, 32 * PIXELS * 8),
    "pointwise_conv2d": (64 * PIXELS * 32, 64 * PIXELS * 31),
    "depthwise_separable_conv2d": (PIXELS * (32 * 9 + 64 * 32), PIXELS * (32 * 8 + 64 * 31)),
    "conv1d": (768 * 1500 * 3 * 768, 768 * 1500 * 3 * 768),
    "conv3d": (64 * 16 * 56 * 56 * 441, 64 * 16 * 56 * 56 * 440),
    "conv_transpose2d": (64 * 32 * 32 * 48, 64 * 32 * 32 * 48),
    "multihead_attention": (
        4 * LENGTH * WIDTH**2 + 2 * LENGTH**2 * WIDTH,
        # four biased projections; scores and sums lack one term each; a softmax of n scores has 2n - 1
        4 * LENGTH * WIDTH**2
        + 12 * LENGTH * (LENGTH * 63 + 2 * LENGTH - 1 + 64 * (LENGTH - 1)),
    ),
    "scaled_dot_product_attention": (
        2 * LENGTH**2 * WIDTH,
        12 * LENGTH * (LENGTH * 63 + 2 * LENGTH - 1 + 64 * (LENGTH - 1)),
    ),
    "feed_forward": (8 * LENGTH * WIDTH**2, 8 * LENGTH * WIDTH**2 + 4 * LENGTH * WIDTH),
    # no biases: the sums lack one term an output; SiLU adds once
    "gated_feed_forward": (3 * 4096 * 11008, 2 * 11008 * 4095 + 4096 * 11007 + 11008),
    "transformer_layer": (12 * LENGTH * WIDTH**2 + 2 * LENGTH**2 * WIDTH, None),
}  # fmt: skip


@pytest.mark.parametrize("name", registered())
def test_an_example_is_the_layer_that_it_names(name):
    cost = registered()[name]
    derivation = cost.function(**cost.example.arguments)
    macs, additions = EXAMPLES[name]
    assert derivation.macs == macs
    assert additions in (derivation.additions, None)


def test_the_generator_of_dcgan_doubles_the_sides():
    given = registered()["conv_transpose2d"].example.arguments
    assert given["out_height"] == given["out_width"] == 2 * given["in_height"] == 64


# --- models -----------------------------------------------------------------------


def test_mobilenet_has_the_channels_of_the_paper():
    # where nothing is rounded, no channel may be one off
    assert models.mobilenet_v2(round_nearest=1).parameters == 3_504_872


# --- the list of what may survive ---------------------------------------------------


def test_every_survivor_has_a_reason():
    for survivor in tomllib.loads((MUTANTS / "survivors.toml").read_text()).get("survivor", []):
        assert set(survivor) == {"module", "before", "after", "reason"}
        assert survivor["module"].startswith("flopslib/")
        assert survivor["reason"].endswith(".")
        assert survivor["after"]
