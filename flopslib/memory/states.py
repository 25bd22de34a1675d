"""What training keeps for each parameter, whatever the batch is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flopslib.sizes.checks import shown, whole_number
from flopslib.sizes.exact import plain, wrapped

__all__ = ["RECIPES", "Recipe", "training_state"]


@dataclass(frozen=True)
class Recipe:
    """What is kept for each parameter, in bytes.

    Attributes:
        parts: bytes a parameter, by what is kept.

    >>> RECIPES["SGD, fp32"].bytes
    8
    """

    parts: Mapping[str, int]

    def __post_init__(self) -> None:
        parts = {name: int(whole_number(f"parts[{name!r}]", n)) for name, n in self.parts.items()}
        object.__setattr__(self, "parts", MappingProxyType(parts))

    @property
    def bytes(self) -> int:
        """The bytes of a parameter, all together."""
        return sum(self.parts.values())


_ADAM = {"first moment": 4, "second moment": 4}

#: The usual ways to train, by name.
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "SGD, fp32": Recipe({"weights": 4, "gradients": 4}),
        "SGD with momentum, fp32": Recipe({"weights": 4, "gradients": 4, "momentum": 4}),
        "Adam, fp32": Recipe({"weights": 4, "gradients": 4, **_ADAM}),
        "Adam, mixed precision": Recipe(
            {"weights": 2, "gradients": 2, "master weights": 4, **_ADAM}
        ),
        "Adam, mixed precision, fp32 gradients": Recipe(
            {"weights": 2, "gradients": 4, "master weights": 4, **_ADAM}
        ),
        "Adam, 8-bit states": Recipe(
            {"weights": 2, "gradients": 2, "master weights": 4}
            | {"first moment": 1, "second moment": 1}
        ),
        "Adam, bf16 alone": Recipe(
            {"weights": 2, "gradients": 2, "first moment": 2, "second moment": 2}
        ),
    }
)


def training_state(
    parameters: Any, recipe: str | Recipe = "Adam, mixed precision", *, frozen: Any = 0
) -> dict[str, Any]:
    """Return the bytes that training keeps for the parameters, by what they are, and "all".

    Args:
        parameters: how many numbers are learnt.
        recipe: the name of a way to train, or one of your own.
        frozen: how many further numbers are not learnt: of them there are only the weights.

    Raises:
        TypeError, ValueError: a number that is none, a recipe that there is not.

    >>> training_state(10)
    {'weights': 20, 'gradients': 20, 'master weights': 40, 'first moment': 40, \
'second moment': 40, 'all': 160}
    >>> training_state(10, frozen=1000)["all"]
    2160
    """
    learnt = whole_number("parameters", parameters, minimum=0)
    still = whole_number("frozen", frozen, minimum=0)
    if isinstance(recipe, str) and recipe in RECIPES:
        recipe = RECIPES[recipe]
    if not isinstance(recipe, Recipe):
        known = ", ".join(map(repr, RECIPES))
        raise ValueError(f"recipe must be one of {known} or a Recipe, got {shown(recipe)}")
    found = {name: wrapped(learnt) * n for name, n in recipe.parts.items()}
    if "weights" in found:
        found["weights"] = found["weights"] + wrapped(still) * recipe.parts["weights"]
    return {name: plain(n) for name, n in found.items()} | {"all": plain(sum(found.values()))}
