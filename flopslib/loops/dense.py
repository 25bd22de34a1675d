"""The naive loops of matrix products."""

from __future__ import annotations

from typing import Any

from flopslib.loops.loop import dot, loop


@loop()
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


@loop()
def matmul(left: Any, right: Any) -> Any:
    """Compute the product of each pair of matrices."""
    return [
        [[dot(row, column) for column in zip(*b, strict=True)] for row in a]
        for a, b in zip(left, right, strict=True)
    ]
