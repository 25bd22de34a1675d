"""What a size may be: an exact integer, an array of them, or a letter; and what is refused.

>>> from flopslib.sizes import exact_quotient, whole_number
>>> whole_number("batch", 3), exact_quotient(12, 4)
(3, 3)
"""

from flopslib.sizes.checks import (
    check_at_least,
    check_broadcast,
    check_divides,
    flag,
    pair,
    several,
    shown,
    whole_number,
)
from flopslib.sizes.exact import Size, exact_quotient, floor_quotient, plain, product, smaller
from flopslib.sizes.shapes import conv_output_size

__all__ = [
    "Size",
    "check_at_least",
    "check_broadcast",
    "check_divides",
    "conv_output_size",
    "exact_quotient",
    "flag",
    "floor_quotient",
    "pair",
    "plain",
    "product",
    "several",
    "shown",
    "smaller",
    "whole_number",
]
