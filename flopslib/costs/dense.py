"""What matrix products cost: a linear layer, and the product of two matrices."""

from __future__ import annotations

from flopslib.costs.registry import Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
from flopslib.sizes.exact import Size


def biased(part: Part, bias: bool) -> tuple[Part, ...]:
    """Return a part alone, or with a bias after it."""
    return (part, primitives.bias()) if bias else (part,)


def biases(bias: bool, outputs: Size) -> tuple[Operand, ...]:
    """Return the operand of a bias, one number for each of the outputs; none without."""
    return (Operand("bias", (outputs,), "weight"),) if bias else ()


@cost_function(
    chapter="linear",
    example=Example("the last layer of ResNet-50", {"in_features": 2048, "out_features": 1000}),
)
def linear(
    in_features: Size, out_features: Size, *, batch: Size = 1, bias: bool = True
) -> Derivation:
    """Count a linear layer, y = Wx + b.

    Args:
        in_features: I, the length of x.
        out_features: O, the length of y.
        batch: B, how many vectors x are multiplied. A sequence of L tokens
            makes it B·L.
        bias: whether b is added.

    Shapes:
        x is (B, I), W is (O, I), b is (O,), y is (B, O).

    Raises:
        TypeError: a size that is not a whole number, a bias that is not a bool.
        ValueError: a size below 1.

    Source:
        Section 10.1 of the notes; the chapter *The linear layer*.

    >>> linear(3, 2).macs
    6
    >>> linear(3, 2, bias=False).additions
    4
    """
    part = primitives.dot_product(in_features)
    weight = Operand("weight", (out_features, in_features), "weight")
    reads = (Operand("x", (batch, in_features)), weight, *biases(bias, out_features))
    y = Operand("y", (batch, out_features))
    step = Step("linear", biased(part, bias), y.shape, reads=reads, writes=y)
    return Derivation((step,), "linear")


@cost_function(
    chapter="linear",
    example=Example(
        "the scores of one head of GPT-2 small, 1024 tokens",
        {"rows": 1024, "inner": 64, "columns": 1024},
    ),
)
def matmul(rows: Size, inner: Size, columns: Size, *, batch: Size = 1) -> Derivation:
    """Count the product of two matrices, C = AB.

    Args:
        rows: m, the rows of A and of C.
        inner: k, the columns of A and the rows of B.
        columns: n, the columns of B and of C.
        batch: how many such products.

    Shapes:
        A is (batch, m, k), B is (batch, k, n), C is (batch, m, n).

    Raises:
        TypeError: a size that is not a whole number.
        ValueError: a size below 1.

    Source:
        Section 10.4 of the notes, steps 2 and 3; the chapter *The linear layer*.

    >>> matmul(2, 3, 5).macs
    30
    """
    reads = Operand("left", (batch, rows, inner)), Operand("right", (batch, inner, columns))
    y = Operand("y", (batch, rows, columns))
    step = Step("matmul", (primitives.dot_product(inner),), y.shape, reads=reads, writes=y)
    return Derivation((step,), "matmul")
