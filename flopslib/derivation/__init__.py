"""A derivation as a value, and how it is written: "what one output costs × how many outputs".

>>> from flopslib.derivation import OpCount, Part, Step
>>> Step("sums", (Part("shift", OpCount(additions=1)),), shape=(2, 5)).additions
10
"""

from flopslib.derivation.approximation import relative_error, where_equal
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OTHER_KINDS, OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.rendering import latex, text
from flopslib.derivation.steps import Part, Step

__all__ = [
    "OTHER_KINDS",
    "Derivation",
    "OpCount",
    "Operand",
    "Part",
    "Step",
    "latex",
    "relative_error",
    "text",
    "where_equal",
]
