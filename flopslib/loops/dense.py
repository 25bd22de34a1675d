"""The naive loops of matrix products."""

from __future__ import annotations

from typing import Any

from flopslib.loops.loop import Operands, dot, runs_on


def _linear_operands(in_features: int, out_features: int, batch: int, bias: bool) -> Operands:
    return {
        "x": (batch, in_features),
        "weight": (out_features, in_features),
        "bias": (out_features,) if bias else None,
    }, {}


@runs_on(_linear_operands)
def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """Compute y = Wx + b for every x of a batch."""
    y = []
    for vector in x:
        outputs = []
        for j, row in enumerate(weight):
            total = dot(row, vector)
            outputs.append(total if bias is None else total + bias[j])
        y.append(outputs)
    return y


def _matmul_operands(rows: int, inner: int, columns: int, batch: int) -> Operands:
    return {"left": (batch, rows, inner), "right": (batch, inner, columns)}, {}


@runs_on(_matmul_operands, inputs=("left", "right"))
def matmul(left: Any, right: Any) -> Any:
    """Compute the product of each pair of matrices."""
    return [
        [[dot(row, column) for column in zip(*b, strict=True)] for row in a]
        for a, b in zip(left, right, strict=True)
    ]
