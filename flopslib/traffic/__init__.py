"""What moves between the memory and the chip: each operand of a step in, its result out.

>>> from flopslib import linear
>>> from flopslib.traffic import traffic
>>> traffic(linear(3, 2, batch=5)).bytes
66
"""

from flopslib.traffic.passes import Moved, Pass, Traffic, traffic
from flopslib.traffic.widths import BF16, FP32, Widths

__all__ = ["BF16", "FP32", "Moved", "Pass", "Traffic", "Widths", "traffic"]
