"""Labs: a formula with sliders, counted in the reader's browser to the last digit.

``lab(conv2d)`` is all that a chapter says. The letters, their ranges and their rules come
from the registry and the notation table, the formulas from the derivation; so a new cost
function has a lab as soon as it is registered.

>>> from flopslib import matmul
>>> from flopslib.labs import lab
>>> lab(matmul).data["functions"][0]["formulas"][:3]
['B*m*n', 'k', 'k - 1n']
"""

from flopslib.labs.crossover import crossover
from flopslib.labs.explorer import Explorer, explorer
from flopslib.labs.view import Lab, lab

__all__ = ["Explorer", "Lab", "crossover", "explorer", "lab"]
