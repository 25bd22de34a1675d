"""The lab of memory: does a training run fit?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

import sympy

from flopsbook.labs.form import Choice, Form, Group, Ratio, Rule, Size
from flopsbook.labs.language_model import language_models, setting
from flopslib.costs import transformer_layer
from flopslib.hardware import chip
from flopslib.memory import RECIPES, Torch, dropped, kept, training_state

__all__ = ["memory_lab"]

PARAMETERS, LAYERS, WIDTH, HEADS, LENGTH, BATCH, CAPACITY = sympy.symbols(
    "parameters layers width heads length batch capacity", positive=True, integer=True
)
ATTENTION = ("fused", "steps")
ATTENTIONS = ("fused", "step by step, with dropout")
#: Where the layers of a model drop numbers.
DROPPED = ("softmax", "output projection", "second linear")


def layer_keeps(attention: int) -> Any:
    """Return the bytes that one layer keeps in 16 bits, as PyTorch does on a GPU."""
    layer = transformer_layer(LENGTH, WIDTH, num_heads=HEADS, batch=BATCH)
    if attention:
        layer = dropped(layer, *DROPPED)
    keeper = Torch(16, attention=ATTENTION[attention], byte_masks=True)
    return sympy.expand(kept(layer, keeper).bytes)


@cache
def _values() -> Mapping[str, Mapping[tuple[int, ...], Any]]:
    found: dict[str, dict[tuple[int, ...], Any]] = {}
    for key in product(range(len(RECIPES)), range(2), range(2)):
        recipe, attention, again = key
        state = training_state(PARAMETERS, list(RECIPES)[recipe])
        once = layer_keeps(attention)
        begin = 2 * BATCH * LENGTH * WIDTH
        activations = LAYERS * begin + once if again else LAYERS * once
        values = {
            "weights": state["weights"],
            "gradients": state["gradients"],
            "others": state["all"] - state["weights"] - state["gradients"],
            "activations": activations,
            "all": state["all"] + activations,
            "capacity_": CAPACITY,
        }
        for name, value in values.items():
            found.setdefault(name, {})[key] = sympy.expand(value)
    return found


GROUPS = (
    Group("in memory", ("bytes",), (
        ("weights", ("weights",)),
        ("gradients", ("gradients",)),
        ("what the optimiser keeps", ("others",)),
        ("activations of all layers", ("activations",)),
        ("all of it", ("all",)),
        ("all of it over the memory", (Ratio("all", "capacity_"),)),
    )),
)  # fmt: skip


def memory_lab(preset: str = "GPT-2 small") -> Form:
    """Make the lab of memory.

    >>> print(repr(memory_lab()).splitlines()[2])
    | GPT-2 small | 6,833,885,184 | 4,842,848,256 |
    """
    usual = {
        "recipe": list(RECIPES).index("Adam, mixed precision"), "attention": 0, "again": 0,
        "batch": 16, "capacity": chip("H100 SXM").capacity,
    }  # fmt: skip
    presets = {}
    for name, entry in language_models().items():
        sizes = setting(entry)
        presets[name] = usual | {
            "parameters": entry.build().parameters,
            "layers": sizes["layers"], "width": sizes["width"], "heads": sizes["heads"],
            "length": sizes["length"],
        }  # fmt: skip
    chosen = {preset: presets[preset], **presets}
    return Form(
        "memory",
        "Try it: does the training fit?",
        (
            Choice("recipe", "optimiser", tuple(RECIPES)),
            Choice("attention", "attention", ATTENTIONS),
            Choice("again", "activations", ("kept", "computed once more, layer by layer")),
            Size("parameters", "parameters"),
            Size("layers", "layers"),
            Size("width", "width of a token"),
            Size("heads", "heads"),
            Size("length", "tokens of a sequence"),
            Size("batch", "sequences at once"),
            Size("capacity", "bytes of the memory"),
        ),
        _values(),
        GROUPS,
        chosen,
        {"all of it": "all", "activations": "activations"},
        divides=(Rule(WIDTH, HEADS, "heads must divide the width, got {heads} and {width}"),),
        begin="model",
        note="Activations are those of layers built like a GPT's, in 16 bits, with masks of a "
        "byte, as PyTorch keeps them on a GPU. Logits, buffers and fragments come on top.",
        room=("46.4rem", "54.4rem"),
    )
