"""What other programs that count would say: their habits as rules, applied to our reports.

>>> from flopslib import count
>>> from flopslib.counters import predict
>>> from flopslib.layers import Linear
>>> predict(count(Linear(5, 7), (1, 5)), "ptflops")
{'MACs': 42}
"""

from flopslib.counters.rules import Rule
from flopslib.counters.tools import DEVICES, TOOLS, Term, Tool, predict, terms_of

__all__ = ["DEVICES", "TOOLS", "Rule", "Term", "Tool", "predict", "terms_of"]
