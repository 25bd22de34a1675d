"""What the gradients of the elementary operations cost: one fixed algorithm for each.

Given the gradient of a result, each function here states what it takes to compute that of
the input, for one output of the operation that has the same name in
:mod:`flopslib.derivation.primitives`. What the operation computed on its way is kept, where
that is said. The loop that performs it has the same name in ``flopslib.loops.gradients``.

A sum needs no operation: the gradient of each term is that of the result. That of a factor
is one product for each number, and where a weight meets many numbers, its gradients are
added up (:func:`summed`, :func:`weighed`). Where an operand is read twice, its gradients are
added, too.
"""

from __future__ import annotations

from collections.abc import Callable

from flopslib.derivation.opcount import OpCount
from flopslib.sizes.checks import flag, whole_number
from flopslib.sizes.exact import Size

#: Every gradient by the name of its operation.
GRADIENTS: dict[str, Callable[..., OpCount]] = {}


def _gradient(function: Callable[..., OpCount]) -> Callable[..., OpCount]:
    GRADIENTS[function.__name__] = function
    return function


def summed(n: Size) -> OpCount:
    """Add up n gradients of one term, such as a bias that n outputs have.

    >>> summed(5)
    OpCount(additions=4)
    """
    return OpCount(additions=whole_number("n", n) - 1)


def weighed(n: Size) -> OpCount:
    """Multiply n gradients with what the factor met, and add them up. They are no MACs.

    >>> weighed(5)
    OpCount(multiplications=5, additions=4)
    """
    n = whole_number("n", n)
    return OpCount(multiplications=n, additions=n - 1)


@_gradient
def scaling() -> OpCount:
    """Multiply by the same constant."""
    return OpCount(multiplications=1)


@_gradient
def rotary() -> OpCount:
    """Turn the pair back, with the same table."""
    return OpCount(multiplications=2, additions=1)


@_gradient
def softmax(n: Size) -> OpCount:
    """Compute p · (g − Σ g · p) for each of n, with the results p kept.

    >>> softmax(4).multiplications, softmax(4).additions
    (8, 7)
    """
    n = whole_number("n", n)
    return OpCount(multiplications=n * 2, additions=(n - 1) + n)


@_gradient
def log_softmax(n: Size) -> OpCount:
    """Compute g − p · Σ g for each of n, with p = exp(y) and the results y kept.

    >>> log_softmax(4)
    OpCount(multiplications=4, additions=7, other={'exponentials': 4})
    """
    n = whole_number("n", n)
    return OpCount(multiplications=n, additions=(n - 1) + n, other={"exponentials": n})


@_gradient
def top_k(n: Size, k: Size = 1) -> OpCount:
    """Hand the gradients to the chosen ones; those of the others are 0."""
    whole_number("n", n), whole_number("k", k)
    return OpCount()


@_gradient
def proportions(n: Size) -> OpCount:
    """Compute (g − Σ g · y) / sum for each of n, with the results y and their sum kept.

    >>> proportions(4)
    OpCount(multiplications=4, additions=7, other={'divisions': 4})
    """
    n = whole_number("n", n)
    return OpCount(multiplications=n, additions=(n - 1) + n, other={"divisions": n})


@_gradient
def cross_entropy(n: Size) -> OpCount:
    """Compute g · (e / Σ e) for each of n, and one less for the right class; all e are kept.

    >>> cross_entropy(4)
    OpCount(multiplications=4, additions=1, other={'divisions': 4})
    """
    n = whole_number("n", n)
    return OpCount(multiplications=n, additions=1, other={"divisions": n})


@_gradient
def layer_norm(n: Size, bias: bool = True, weight: bool = True) -> OpCount:
    """Compute (ĝ − mean of ĝ − x̂ · mean of ĝ · x̂) / deviation, with ĝ = g · γ; x̂ is kept.

    >>> layer_norm(4).multiplications, layer_norm(4, weight=False).multiplications
    (12, 8)
    """
    flag("bias", bias)  # the gradient of β needs nothing here
    n = whole_number("n", n)
    means, differences = (n - 1) * 2, n * 2
    multiplications = n * 3 if flag("weight", weight) else n * 2
    counted = {"multiplications": multiplications, "additions": means + differences}
    return OpCount(**counted, other={"divisions": n + 2})


@_gradient
def rms_norm(n: Size, weight: bool = True) -> OpCount:
    """Compute (ĝ − x̂ · mean of ĝ · x̂) / root, with ĝ = g · γ; x̂ and the root are kept.

    >>> rms_norm(4)
    OpCount(multiplications=12, additions=7, other={'divisions': 5})
    """
    n = whole_number("n", n)
    multiplications = n * 3 if flag("weight", weight) else n * 2
    counted = {"multiplications": multiplications, "additions": (n - 1) + n}
    return OpCount(**counted, other={"divisions": n + 1})


@_gradient
def gelu() -> OpCount:
    """Compute g · (h + x · (c · exp(−½ · (x · x)))), with h = ½ · (1 + erf(x/√2)) kept.

    >>> gelu()
    OpCount(multiplications=5, additions=1, other={'exponentials': 1})
    """
    return OpCount(multiplications=5, additions=1, other={"exponentials": 1})


@_gradient
def gelu_tanh() -> OpCount:
    """Compute g · (s + y · (1 − s) · (a + 3b · (x · x))), with the sigmoid s and y = x · s kept.

    >>> gelu_tanh()
    OpCount(multiplications=5, additions=3)
    """
    return OpCount(multiplications=5, additions=3)


@_gradient
def sigmoid() -> OpCount:
    """Compute g · (y · (1 − y)), with the result y kept.

    >>> sigmoid()
    OpCount(multiplications=2, additions=1)
    """
    return OpCount(multiplications=2, additions=1)


@_gradient
def silu() -> OpCount:
    """Compute g · (s + y · (1 − s)), with the sigmoid s and the result y kept.

    >>> silu()
    OpCount(multiplications=2, additions=2)
    """
    return OpCount(multiplications=2, additions=2)


@_gradient
def hardsigmoid() -> OpCount:
    """Keep g · ⅙ where x + 3 is between 0 and 6, and 0 elsewhere."""
    return OpCount(multiplications=1, other={"comparisons": 2})


@_gradient
def hardswish() -> OpCount:
    """Compute g · (h + x · ⅙), without x · ⅙ where x + 3 is not between 0 and 6; h is kept."""
    return OpCount(multiplications=2, additions=1, other={"comparisons": 2})


@_gradient
def tanh() -> OpCount:
    """Compute g · (1 − y · y), with the result y kept."""
    return OpCount(multiplications=2, additions=1)


@_gradient
def softplus() -> OpCount:
    """Compute g · (e / (e + 1)) with e = exp(b · x) kept, and keep g where b · x is large.

    >>> softplus()
    OpCount(multiplications=1, additions=1, other={'comparisons': 1, 'divisions': 1})
    """
    return OpCount(multiplications=1, additions=1, other={"comparisons": 1, "divisions": 1})


@_gradient
def elu() -> OpCount:
    """Keep g where x is above 0, and take g · (y + a) elsewhere, with the result y kept.

    >>> elu()
    OpCount(multiplications=1, additions=1, other={'comparisons': 1})
    """
    return OpCount(multiplications=1, additions=1, other={"comparisons": 1})


@_gradient
def mish() -> OpCount:
    """Compute g · (t + x · (1 − t · t) · (1 − 1 / (1 + e))), with e = exp(x) kept.

    Kept as well is t = tanh(softplus(x)), which x was multiplied by.

    >>> mish()
    OpCount(multiplications=4, additions=4, other={'divisions': 1})
    """
    return OpCount(multiplications=4, additions=4, other={"divisions": 1})


@_gradient
def glu() -> OpCount:
    """Compute g · s and g · (z · (1 − s)), with the sigmoid s and the result z kept.

    >>> glu()
    OpCount(multiplications=3, additions=1)
    """
    return OpCount(multiplications=3, additions=1)


@_gradient
def batch_norm() -> OpCount:
    """At inference: multiply by the same factor s."""
    return OpCount(multiplications=1)


@_gradient
def dropout() -> OpCount:
    """In training: multiply by the same factor."""
    return OpCount(multiplications=1)


@_gradient
def relu() -> OpCount:
    """Keep g where x is above 0."""
    return OpCount(other={"comparisons": 1})


@_gradient
def leaky_relu() -> OpCount:
    """Keep g where x is above 0, and 0.01 · g elsewhere; both are computed."""
    return OpCount(multiplications=1, other={"comparisons": 1})


@_gradient
def prelu() -> OpCount:
    """Keep g where x is above 0, and a · g elsewhere; both are computed."""
    return OpCount(multiplications=1, other={"comparisons": 1})


@_gradient
def relu6() -> OpCount:
    """Keep g where x is between 0 and 6."""
    return OpCount(other={"comparisons": 2})


@_gradient
def max_pool(n: Size) -> OpCount:
    """Add g to the gradient of the cell that was the largest; it began at 0."""
    whole_number("n", n)
    return OpCount(additions=1)


@_gradient
def average_pool(n: Size) -> OpCount:
    """Divide g by n, and add that to the gradients of n cells, which began at 0.

    >>> average_pool(9)
    OpCount(additions=9, other={'divisions': 1})
    """
    return OpCount(additions=whole_number("n", n), other={"divisions": 1})
