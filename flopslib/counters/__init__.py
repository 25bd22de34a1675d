"""What other programs that count would say: their habits as rules, applied to our reports.

>>> from flopslib import count
>>> from flopslib.counters import predict
>>> from flopslib.layers import Linear
>>> predict(count(Linear(5, 7), (1, 5)), "ptflops")
{'MACs': 42}
"""

from flopslib.counters.quoting import Quoted, quoted
from flopslib.counters.reconciling import Match, Reading, Reconciliation, readings, reconcile
from flopslib.counters.rules import Rule
from flopslib.counters.tools import (
    DEVICES,
    MEANINGS,
    TOOLS,
    WRITTEN,
    Term,
    Tool,
    kind_of,
    predict,
    terms_of,
)

__all__ = [
    "DEVICES",
    "MEANINGS",
    "TOOLS",
    "WRITTEN",
    "Match",
    "Quoted",
    "Reading",
    "Reconciliation",
    "Rule",
    "Term",
    "Tool",
    "kind_of",
    "predict",
    "quoted",
    "readings",
    "reconcile",
    "terms_of",
]
