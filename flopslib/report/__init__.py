"""Counting a network, and the report that comes of it.

>>> from flopslib.layers import Linear
>>> from flopslib.report import count
>>> count(Linear(3, 2), (1, 3)).macs
6
"""

from flopslib.report.report import Report, count
from flopslib.report.rows import Group, Row

__all__ = ["Group", "Report", "Row", "count"]
