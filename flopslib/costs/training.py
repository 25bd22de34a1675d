"""What training costs beside the two passes: the loss, and the step of an optimiser."""

from __future__ import annotations

from typing import Any

from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
from flopslib.sizes.checks import shown, whole_number
from flopslib.sizes.exact import Size

__all__ = ["OPTIMIZERS", "cross_entropy", "optimizer_step"]


def sgd() -> Part:
    """Compute ``w − η · g`` for a weight ``w`` and its gradient ``g``.

    >>> sgd().operations
    OpCount(multiplications=1, additions=1)
    """
    return Part("SGD", OpCount(multiplications=1, additions=1))


def momentum() -> Part:
    """Compute ``v = μ · v + g`` and ``w − η · v``.

    >>> momentum().operations
    OpCount(multiplications=2, additions=2)
    """
    return Part("momentum", OpCount(multiplications=1, additions=1) + sgd().operations)


def adam() -> Part:
    """Compute the two means, and move by one over the root of the other.

    m = β₁ · m + (1 − β₁) · g, v = β₂ · v + (1 − β₂) · (g · g), w − η · (m / (√v · c + ε)).

    >>> adam().operations
    OpCount(multiplications=7, additions=4, other={'divisions': 1, 'square_roots': 1})
    """
    first = OpCount(multiplications=2, additions=1)
    second = OpCount(multiplications=3, additions=1)
    moved = OpCount(multiplications=2, additions=2, other={"divisions": 1, "square_roots": 1})
    return Part("Adam", first + second + moved)


def adamw() -> Part:
    """Compute the same as Adam, after ``w · (1 − η · λ)``.

    >>> adamw().operations.multiplications
    8
    """
    return Part("AdamW", adam().operations + OpCount(multiplications=1))


#: What an optimiser does with one weight, and how many numbers it keeps for it.
OPTIMIZERS: dict[str, tuple[Any, int]] = {
    "sgd": (sgd, 0),
    "momentum": (momentum, 1),
    "adam": (adam, 2),
    "adamw": (adamw, 2),
}


def cross_entropy(num_classes: Size, *, batch: Size = 1) -> Derivation:
    """Count the loss of a classification: softmax and cross-entropy, and the mean of all rows.

    Args:
        num_classes: n, the scores of a row; of a language model the tokens that it knows.
        batch: B, the rows; of a language model the tokens of all sequences.

    Shapes:
        the scores are (B, n), the loss is one number.

    Raises:
        TypeError: a size that is not a whole number.
        ValueError: a size below 1.

    Source:
        The chapter *Training*; torch.nn.CrossEntropyLoss.

    >>> loss = cross_entropy(1000, batch=32)
    >>> loss.macs, loss.other["exponentials"], loss.other["logarithms"]
    (0, 32000, 32)
    >>> loss.backward().other["divisions"]
    32001
    """
    n, batch = whole_number("num_classes", num_classes), whole_number("batch", batch)
    scores, losses = Operand("scores", (batch, n)), Operand("losses", (batch,))
    part, mean = primitives.cross_entropy(n), primitives.average_pool(batch)
    return Derivation(
        (
            Step("cross-entropy", (part,), (batch,), "row", (scores,), losses),
            Step("mean", (mean,), (1,), "loss", (losses,), Operand("loss", ())),
        ),
        "cross-entropy",
    )


def optimizer_step(parameters: Size, *, optimizer: str = "adamw") -> Derivation:
    """Count one step of an optimiser, once the gradients are there.

    Args:
        parameters: N, how many numbers are learnt.
        optimizer: "sgd", "momentum" (SGD with it), "adam" or "adamw" (with weight decay). How
            far a step goes, and the corrections of Adam's first steps, are constants of the step.

    Raises:
        TypeError: a size that is not a whole number.
        ValueError: a size below 1, an optimiser that there is not.

    Source:
        The chapter *Training*; torch.optim.

    >>> step = optimizer_step(124_439_808)
    >>> step.exact_flops == 12 * 124_439_808
    True
    >>> [state.name for state in step.operands]
    ['weight', 'gradient', 'state 1', 'state 2']
    """
    if optimizer not in OPTIMIZERS:
        known = ", ".join(OPTIMIZERS)
        raise ValueError(f"optimizer must be one of {known}, got {shown(optimizer)}")
    operation, states = OPTIMIZERS[optimizer]
    n = whole_number("parameters", parameters)
    part: Part = operation()
    kept = (Operand(f"state {at + 1}", (n,), "constant") for at in range(states))
    reads = (Operand("weight", (n,), "weight"), Operand("gradient", (n,)), *kept)
    step = Step(part.name, (part,), (n,), "weight", reads, Operand("moved", (n,), "weight"))
    return Derivation((step,), part.name)
