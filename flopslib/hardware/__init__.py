"""Chips by their data sheets, and two bounds of the time that a computation takes on one.

>>> from flopslib.hardware import chip
>>> float(round(chip("H100 SXM").balance("bf16"), 1))
295.3
"""

from flopslib.hardware.data_sheets import Chip, chip, chips
from flopslib.hardware.times import Bounds, Span, bounds, mbu, mfu

__all__ = ["Bounds", "Chip", "Span", "bounds", "chip", "chips", "mbu", "mfu"]
