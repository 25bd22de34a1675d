"""Derivations of layers that are one elementary operation, many times.

What an operation reads beside the numbers it goes over follows from the way it takes its
operands: a second result, or learnt factors and terms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.primitives import layer_norm
from flopslib.derivation.steps import Part, Step

__all__ = ["broadcast", "each", "halves", "looked_up", "rows", "windows"]


def each(
    *shape: Any, operation: Callable[[], Part], name: str = "", beside: tuple[Operand, ...] = ()
) -> Derivation:
    """Do one operation for every number of a shape.

    Args:
        shape: the sizes of the result, and of what is gone over.
        operation: what is done.
        name: what the step is called; empty: as the operation.
        beside: what else is read; none: what the operation takes besides has the same shape.

    >>> from flopslib.derivation.primitives import relu, residual_sum
    >>> each(2, 3, operation=relu).other["comparisons"]
    6
    >>> [operand.name for operand in each(2, 3, operation=residual_sum).operands]
    ['x', 'second']
    """
    part = operation()
    reads = (Operand("x", shape), *beside)
    if len(part.takes) == 2 and not beside:
        reads = (*reads, Operand("second", shape))
    return _one(Step(name or part.name, (part,), shape, "number", reads, Operand("y", shape)))


def broadcast(*shapes: Any, operation: Callable[[], Part], name: str = "") -> Derivation:
    """Do one operation on two shapes that are repeated to fit each other.

    Args:
        shapes: the sizes of one, of the other and of the result, all of one rank.
        operation: what is done.
        name: what the step is called; empty: as the operation.

    >>> from flopslib.derivation.primitives import elementwise_product
    >>> gate = broadcast(1, 3, 1, 1, 3, 5, 1, 3, 5, operation=elementwise_product)
    >>> gate.multiplications, [operand.size for operand in gate.operands]
    (15, [3, 15])
    """
    rank = len(shapes) // 3
    part, y = operation(), Operand("y", shapes[2 * rank :])
    reads = Operand("x", shapes[:rank]), Operand("second", shapes[rank : 2 * rank])
    return _one(Step(name or part.name, (part,), y.shape, "number", reads, y))


def halves(*shape: Any, operation: Callable[[], Part]) -> Derivation:
    """Do one operation on a number of each half, for every number of a shape.

    Args:
        shape: the sizes of the result, which is half of what is read.
        operation: what is done with a pair.

    >>> from flopslib.derivation.primitives import glu
    >>> halves(2, 3, operation=glu).operands[0].size
    12
    """
    part = operation()
    x, y = Operand("x", (2, *shape)), Operand("y", shape)
    return _one(Step(part.name, (part,), shape, "number", (x,), y))


def by_channel(
    samples: Any, channels: Any, *sides: Any, operation: Callable[[], Part]
) -> Derivation:
    """Do one operation for every number, with constants that each channel has of its own.

    >>> from flopslib.derivation.primitives import batch_norm
    >>> [operand.shape for operand in by_channel(2, 3, 5, operation=batch_norm).operands]
    [(2, 3, 5), (3,), (3,)]
    """
    names = ("factor", "term")
    beside = tuple(Operand(name, (channels,), "constant") for name in names)
    return each(samples, channels, *sides, operation=operation, beside=beside)


def rows(
    n: Any, *shape: Any, operation: Callable[..., Part], unit: str, per: str = "number",
    **flags: Any,
) -> Derivation:  # fmt: skip
    """Do one operation on n numbers for every entry of a shape.

    Args:
        n: how many numbers a row has.
        shape: how many rows there are.
        operation: what is done with a row.
        unit: what a row is called.
        per: what has a learnt factor and term of its own: a "number" of the row, a "row", or a
            "channel", how many of which there are stands last in ``shape`` then.
        flags: what the operation is told.

    >>> from flopslib.derivation.primitives import softmax
    >>> rows(4, 2, 3, operation=softmax, unit="row").other["exponentials"]
    24
    """
    part = operation(n, **flags)
    learnt = (n,) if per == "number" else shape[-1:]
    if per == "channel":
        shape = shape[:-1]
    names = {"factor": "weight", "term": "bias"}
    weights = (Operand(names[take], learnt, "weight") for take in part.takes[1:])
    reads = (Operand("x", (*shape, n)), *weights)
    return _one(Step(part.name, (part,), shape, unit, reads, Operand("y", (*shape, n))))


def windows(channels: Any, *classes: Any, operation: Callable[..., Part]) -> Derivation:
    """Do one operation on every window, for classes of equal windows.

    Args:
        channels: how many planes there are, over all samples.
        classes: alternately the cells of a window, and how many such windows
            there are in a plane.
        operation: what is done, from the cells of a window.

    >>> from flopslib.derivation.primitives import max_pool
    >>> windows(2, 9, 4, 6, 1, operation=max_pool).other["comparisons"]
    74
    """
    number = sum(classes[3::2], start=classes[1])
    x, y = Operand("x", (channels, *classes[:1], number)), Operand("y", (channels, number))
    steps = []
    for cells, count in zip(classes[::2], classes[1::2], strict=True):
        part = operation(cells)
        name = part.name if len(classes) == 2 else f"{part.name} of {cells} cells"
        steps.append(Step(name, (part,), (channels, count), "window", (x,), y, windowed=True))
    return Derivation(tuple(steps), steps[0].parts[0].name)


def of_batch(n: Any, channels: Any, *, weight: bool, bias: bool) -> Derivation:
    """Normalise the n numbers of each channel by their own mean and variance, and keep a record.

    The record of means and variances moves by a part of the difference. A variance that is kept
    is that of n − 1, which takes one more product.

    >>> of_batch(8, 3, weight=True, bias=True).multiplications
    63
    """
    norm = rows(
        n, channels, operation=layer_norm, unit="channel", per="row", weight=weight, bias=bias
    )
    moved = OpCount(multiplications=2 * 2 + 1, additions=2)
    seen = Operand("statistics", (2, channels), "constant")
    part = Part("running statistics", moved, takes=("function",), back=OpCount)
    kept = Step(part.name, (part,), (channels,), "channel", (seen,), Operand("kept", (2, channels)))
    return Derivation((kept, *norm.steps), "batch norm")


LOOK_UP = Part("look-up", OpCount(), takes=("index", "row"))


def looked_up(rows: Any, width: Any, *shape: Any) -> Derivation:
    """Take a row of a table for every entry of a shape. It costs nothing.

    >>> looked_up(50257, 768, 2, 10).operands[1].shape
    (50257, 768)
    """
    reads = Operand("numbers", shape), Operand("weight", (rows, width), "weight")
    return _one(Step("look-up", (LOOK_UP,), shape, "row", reads, Operand("y", (*shape, width))))


def _one(step: Step) -> Derivation:
    return Derivation((step,), step.name)
