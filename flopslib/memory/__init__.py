"""What has to be in memory: weights, gradients, states of an optimiser, caches, activations.

>>> from flopslib.memory import training_state
>>> training_state(6_738_415_616, "Adam, mixed precision")["all"]
107814649856
"""

from flopslib.memory.changing import dropped, with_lora
from flopslib.memory.keeping import Kept, Needed, Storage, kept
from flopslib.memory.linking import linked
from flopslib.memory.serving import cache_bytes, weight_bytes
from flopslib.memory.states import RECIPES, Recipe, training_state
from flopslib.memory.torch_rules import TORCH_RULES, Torch

__all__ = [
    "RECIPES",
    "TORCH_RULES",
    "Kept",
    "Needed",
    "Recipe",
    "Storage",
    "Torch",
    "cache_bytes",
    "dropped",
    "kept",
    "linked",
    "training_state",
    "weight_bytes",
    "with_lora",
]
