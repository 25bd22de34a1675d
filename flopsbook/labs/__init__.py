"""Labs: a formula with sliders, counted in the reader's browser to the last digit.

``lab(conv2d)`` is all that a chapter says. The letters, their ranges and their rules come
from the registry and the notation table, the formulas from the derivation; so a new cost
function has a lab as soon as it is registered. ``converter()``, ``calculator()``,
``image_lab()`` and ``vision_lab()`` are forms to fill in, whose formulas and counts are the
library's as well.

>>> from flopslib import matmul
>>> from flopsbook.labs import lab
>>> lab(matmul).data["functions"][0]["formulas"][:3]
['B*m*n', 'k', 'k - 1n']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flopsbook.labs.crossing import crossover
from flopsbook.labs.form import Form
from flopsbook.labs.image_network import image_lab, vision_lab
from flopsbook.labs.model_explorer import Explorer, explorer
from flopsbook.labs.view import Lab, lab

if TYPE_CHECKING:
    from flopsbook.labs.conversion import converter
    from flopsbook.labs.language_model import calculator
    from flopsbook.labs.memories import memory_lab
    from flopsbook.labs.rooflines import roofline_lab

__all__ = [
    "Explorer", "Form", "Lab",
    "calculator", "converter", "crossover", "explorer", "image_lab", "lab", "memory_lab",
    "roofline_lab", "vision_lab",
]  # fmt: skip

#: These import SymPy, which most chapters that begin with a lab have no use for.
_LATER = {
    "calculator": "language_model",
    "converter": "conversion",
    "memory_lab": "memories",
    "roofline_lab": "rooflines",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
