"""What the elementary operations cost: one fixed algorithm for each.

A tally is only a fact once the algorithm is fixed. Each function here states
what its algorithm performs, for one output; the loop that performs it has the
same name in ``flopslib.loops.primitives``, and a test runs the one
against the other. Layers are composed of these parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from inspect import signature
from typing import Any

from flopslib import notation
from flopslib.derivation.gradients import GRADIENTS
from flopslib.derivation.opcount import MAIN_KINDS, OpCount
from flopslib.derivation.steps import Part
from flopslib.sizes.checks import flag, whole_number
from flopslib.sizes.exact import Size, exact_quotient, plain, product, wrapped

#: Every primitive by name, in the order of the conventions table.
PRIMITIVES: dict[str, Callable[..., Part]] = {}


def _primitive(function: Callable[..., Part]) -> Callable[..., Part]:
    """Enrol a primitive; one that has a gradient of its own hands that on, to be asked for."""
    gradient = GRADIENTS.get(function.__name__)

    @wraps(function)
    def with_gradient(*args: Any, **kwargs: Any) -> Part:
        part = function(*args, **kwargs)
        return replace(part, back=partial(gradient, *args, **kwargs)) if gradient else part

    PRIMITIVES[function.__name__] = with_gradient
    return with_gradient


PRODUCT = ("product", "product")


@_primitive
def dot_product(*terms: Size) -> Part:
    """Multiply pairs and add the products up.

    n is the product of ``terms``, so that a window of 3 × 7 × 7 can be written as one.

    >>> dot_product(3, 7, 7).operations
    OpCount(multiplications=147, additions=146, macs=147)
    """
    factors = tuple(plain(whole_number("terms", term)) for term in terms)
    n = wrapped(product(factors))
    return Part(
        "dot product", OpCount(multiplications=n, additions=n - 1, macs=n), factors, PRODUCT
    )


@_primitive
def scatter(*terms: Size) -> Part:
    """Multiply one number with each of ``n`` weights, and add each product to a sum.

    The sums begin at 0, so that every product is added to something.

    >>> scatter(2, 3).operations
    OpCount(multiplications=6, additions=6, macs=6)
    """
    factors = tuple(plain(whole_number("terms", term)) for term in terms)
    n = product(factors)
    counted = OpCount(multiplications=n, additions=n, macs=n)
    return Part("scattered products", counted, factors, PRODUCT)


@_primitive
def bias() -> Part:
    """Add one number to an output.

    >>> bias().operations
    OpCount(additions=1)
    """
    return Part("bias", OpCount(additions=1), takes=("term",))


@_primitive
def scaling() -> Part:
    """Multiply by a constant, such as ``1 / √(d_k)``, computed beforehand.

    >>> scaling().operations
    OpCount(multiplications=1)
    """
    return Part("scaling", OpCount(multiplications=1))


@_primitive
def residual_sum() -> Part:
    """Add an output to what went into its block.

    >>> residual_sum().operations
    OpCount(additions=1)
    """
    return Part("residual sum", OpCount(additions=1), takes=("term", "term"))


@_primitive
def difference() -> Part:
    """Subtract a number from another one, such as a candidate from a state.

    >>> difference().operations
    OpCount(additions=1)
    """
    return Part("difference", OpCount(additions=1), takes=("term", "term"))


@_primitive
def elementwise_product() -> Part:
    """Multiply two numbers that were both computed, such as a gate and what it lets through.

    >>> elementwise_product().operations
    OpCount(multiplications=1)
    """
    takes = ("factor", "factor")
    return Part("elementwise product", OpCount(multiplications=1), takes=takes)


@_primitive
def rotary() -> Part:
    """Turn a pair of numbers: compute ``x · cos + y · sin`` for each, with sines from a table.

    >>> rotary().operations
    OpCount(multiplications=2, additions=1)
    """
    return Part("rotation", OpCount(multiplications=2, additions=1))


@_primitive
def softmax(n: Size) -> Part:
    """Subtract the largest score, exponentiate, divide by the sum.

    >>> softmax(4).operations.additions, dict(softmax(4).operations.other)
    (7, {'comparisons': 3, 'divisions': 4, 'exponentials': 4})
    """
    n = whole_number("n", n)
    other = {"comparisons": n - 1, "exponentials": n, "divisions": n}
    return Part("softmax", OpCount(additions=n + (n - 1), other=other))


@_primitive
def log_softmax(n: Size) -> Part:
    """Subtract the largest score, and the logarithm of the sum of exponentials.

    >>> log_softmax(4).operations.additions, dict(log_softmax(4).operations.other)
    (11, {'comparisons': 3, 'exponentials': 4, 'logarithms': 1})
    """
    n = whole_number("n", n)
    other = {"comparisons": n - 1, "exponentials": n, "logarithms": 1}
    return Part("log softmax", OpCount(additions=n + (n - 1) + n, other=other))


@_primitive
def top_k(n: Size, k: Size = 1) -> Part:
    """Find the largest, then the largest of the others, until there are ``k``; here 1.

    >>> top_k(8, 2).operations
    OpCount(other={'comparisons': 13})
    """
    n, k = whole_number("n", n), whole_number("k", k)
    comparisons = k * (n - 1) - exact_quotient(k * (k - 1), 2)
    return Part("top k", OpCount(other={"comparisons": comparisons}))


@_primitive
def proportions(n: Size) -> Part:
    """Divide each of ``n`` numbers by their sum.

    >>> proportions(4).operations
    OpCount(additions=3, other={'divisions': 4})
    """
    n = whole_number("n", n)
    return Part("proportions", OpCount(additions=n - 1, other={"divisions": n}))


@_primitive
def cross_entropy(n: Size) -> Part:
    """Compute ``log Σ exp(x − largest) − (x of the right class − largest)``.

    >>> cross_entropy(4).operations.additions, dict(cross_entropy(4).operations.other)
    (8, {'comparisons': 3, 'exponentials': 4, 'logarithms': 1})
    """
    n = whole_number("n", n)
    other = {"comparisons": n - 1, "exponentials": n, "logarithms": 1}
    return Part("cross-entropy", OpCount(additions=n + (n - 1) + 1, other=other))


@_primitive
def layer_norm(n: Size, bias: bool = True, weight: bool = True) -> Part:
    """Subtract the mean, divide by the deviation, scale by ``γ``, shift by ``β``.

    ``bias=False`` leaves out β and ``weight=False`` γ, as in torch.

    >>> layer_norm(4).operations.additions, layer_norm(4, bias=False).operations.additions
    (15, 11)
    """
    n = whole_number("n", n)
    mean, centre, variance, epsilon = n - 1, n, n - 1, 1
    additions = mean + centre + variance + epsilon
    if flag("bias", bias):
        additions = additions + n
    multiplications = n * 2 if flag("weight", weight) else n
    other = {"divisions": n + 2, "square_roots": 1}
    counted = OpCount(multiplications=multiplications, additions=additions, other=other)
    learnt = ("factor",) * weight + ("term",) * bias
    return Part("layer norm", counted, takes=("function", *learnt))


@_primitive
def rms_norm(n: Size, weight: bool = True) -> Part:
    """Divide by the root of the mean square, scale by ``γ``.

    ``weight=False`` leaves out γ, as in torch.

    >>> rms_norm(4).operations
    OpCount(multiplications=8, additions=4, other={'divisions': 5, 'square_roots': 1})
    """
    n = whole_number("n", n)
    sums, epsilon = n - 1, 1
    multiplications = n * 2 if flag("weight", weight) else n
    other = {"divisions": n + 1, "square_roots": 1}
    counted = OpCount(multiplications=multiplications, additions=sums + epsilon, other=other)
    return Part("RMS norm", counted, takes=("function", *("factor",) * weight))


@_primitive
def gelu() -> Part:
    """Compute ``x · (½ · (1 + erf(x · c)))``, with ``c = 1 / √(2)``.

    >>> gelu().operations
    OpCount(multiplications=3, additions=1, other={'erfs': 1})
    """
    return Part("GELU", OpCount(multiplications=3, additions=1, other={"erfs": 1}))


@_primitive
def gelu_tanh() -> Part:
    """Compute ``x · sigmoid(x · (a + b · (x · x)))``, GELU with tanh in place of erf.

    >>> gelu_tanh().operations.multiplications, gelu_tanh().operations.additions
    (4, 2)
    """
    other = {"divisions": 1, "exponentials": 1}
    return Part("GELU by tanh", OpCount(multiplications=4, additions=2, other=other))


@_primitive
def sigmoid() -> Part:
    """Compute ``1 / (1 + exp(−x))``.

    >>> sigmoid().operations
    OpCount(additions=1, other={'divisions': 1, 'exponentials': 1})
    """
    return Part("sigmoid", OpCount(additions=1, other={"divisions": 1, "exponentials": 1}))


@_primitive
def silu() -> Part:
    """Compute ``x · sigmoid(x)``, which is also called swish.

    >>> silu().operations.multiplications, silu().operations.additions
    (1, 1)
    """
    return Part("SiLU", OpCount(multiplications=1) + sigmoid().operations)


@_primitive
def hardsigmoid() -> Part:
    """Keep ``x + 3`` between 0 and 6, and multiply by the constant ``⅙``.

    >>> hardsigmoid().operations
    OpCount(multiplications=1, additions=1, other={'comparisons': 2})
    """
    return Part("hard sigmoid", OpCount(multiplications=1, additions=1) + relu6().operations)


@_primitive
def hardswish() -> Part:
    """Compute ``x · hardsigmoid(x)``.

    >>> hardswish().operations
    OpCount(multiplications=2, additions=1, other={'comparisons': 2})
    """
    return Part("hard swish", OpCount(multiplications=1) + hardsigmoid().operations)


@_primitive
def tanh() -> Part:
    """Compute ``(e − 1) / (e + 1)``, with ``e = exp(2 · x)``.

    >>> tanh().operations.multiplications, tanh().operations.additions
    (1, 2)
    """
    other = {"divisions": 1, "exponentials": 1}
    return Part("tanh", OpCount(multiplications=1, additions=2, other=other))


@_primitive
def softplus() -> Part:
    """Compute ``log(1 + exp(b · x)) / b``, and keep ``x`` where ``b · x`` is large.

    >>> softplus().operations.additions, softplus().operations.other["logarithms"]
    (1, 1)
    """
    other = {"comparisons": 1, "divisions": 1, "exponentials": 1, "logarithms": 1}
    return Part("softplus", OpCount(multiplications=1, additions=1, other=other))


@_primitive
def elu() -> Part:
    """Keep ``x`` above 0, and take ``a · (exp(x) − 1)`` elsewhere.

    >>> elu().operations
    OpCount(multiplications=1, additions=1, other={'comparisons': 1, 'exponentials': 1})
    """
    other = {"comparisons": 1, "exponentials": 1}
    return Part("ELU", OpCount(multiplications=1, additions=1, other=other))


@_primitive
def mish() -> Part:
    """Compute ``x · (1 − 2 / (e · (e + 2) + 2))``, with ``e = exp(x)``.

    It is x · tanh(softplus(x)), without a logarithm and a second exponential.

    >>> mish().operations
    OpCount(multiplications=2, additions=3, other={'divisions': 1, 'exponentials': 1})
    """
    other = {"divisions": 1, "exponentials": 1}
    return Part("Mish", OpCount(multiplications=2, additions=3, other=other))


@_primitive
def glu() -> Part:
    """Compute ``x · sigmoid(y)``, for a number of each half.

    >>> glu().operations.multiplications, glu().operations.additions
    (1, 1)
    """
    return Part("GLU", OpCount(multiplications=1) + sigmoid().operations)


@_primitive
def batch_norm() -> Part:
    """At inference: compute ``x · s + t``, with ``s`` and ``t`` folded beforehand.

    >>> batch_norm().operations
    OpCount(multiplications=1, additions=1)
    """
    takes = ("function", "factor", "term")
    return Part("batch norm", OpCount(multiplications=1, additions=1), takes=takes)


@_primitive
def dropout() -> Part:
    """In training: multiply by a factor drawn beforehand, 0 or ``1 / (1 − p)``.

    >>> dropout().operations
    OpCount(multiplications=1)
    """
    return Part("dropout", OpCount(multiplications=1))


@_primitive
def relu() -> Part:
    """Keep the larger of ``x`` and 0.

    >>> relu().operations
    OpCount(other={'comparisons': 1})
    """
    return Part("ReLU", OpCount(other={"comparisons": 1}))


@_primitive
def leaky_relu() -> Part:
    """Keep the larger of ``x`` and ``0.01 · x``.

    >>> leaky_relu().operations
    OpCount(multiplications=1, other={'comparisons': 1})
    """
    return Part("leaky ReLU", OpCount(multiplications=1, other={"comparisons": 1}))


@_primitive
def prelu() -> Part:
    """Keep ``x`` above 0, and take ``a · x`` elsewhere, where ``a`` is learnt.

    >>> prelu().operations
    OpCount(multiplications=1, other={'comparisons': 1})
    """
    counted = OpCount(multiplications=1, other={"comparisons": 1})
    return Part("PReLU", counted, takes=("function", "factor"))


@_primitive
def relu6() -> Part:
    """Keep ``x`` between 0 and 6.

    >>> relu6().operations
    OpCount(other={'comparisons': 2})
    """
    return Part("ReLU6", OpCount(other={"comparisons": 2}))


@_primitive
def max_pool(n: Size) -> Part:
    """Keep the largest of ``n`` cells.

    >>> max_pool(9).operations
    OpCount(other={'comparisons': 8})
    """
    n = whole_number("n", n)
    return Part("max pooling", OpCount(other={"comparisons": n - 1}))


@_primitive
def average_pool(n: Size) -> Part:
    """Take the mean of ``n`` cells.

    >>> average_pool(9).operations
    OpCount(additions=8, other={'divisions': 1})
    """
    n = whole_number("n", n)
    return Part("average pooling", OpCount(additions=n - 1, other={"divisions": 1}))


def one_more(primitive: Callable[..., Part]) -> Part:
    """Return what each number after the first adds to an operation on n of them.

    It is the way to count rows of different lengths, each as a first number and
    further ones, with no cost written down a second time.

    >>> one_more(dot_product).operations
    OpCount(multiplications=1, additions=1, macs=1)
    """
    one, two = primitive(1), primitive(2)
    grown = _growth(one.operations, two.operations)
    back = partial(_growth, one.back(), two.back()) if one.back and two.back else None
    return Part(f"{one.name}, one more", grown, takes=one.takes, back=back)


def _growth(one: OpCount, two: OpCount) -> OpCount:
    growth = {kind: n - one.kinds().get(kind, 0) for kind, n in two.kinds().items()}
    main = {kind: growth.pop(kind) for kind in MAIN_KINDS}
    return OpCount(**main, other=growth)


def on_symbols(primitive: Callable[..., Part], **flags: Any) -> Part:
    """Return a primitive with its size, if it has one, as the symbol n.

    >>> on_symbols(layer_norm).operations.additions
    4*n - 1
    """
    parameters = signature(primitive).parameters
    takes_size = "n" in parameters or "terms" in parameters
    return primitive(notation.n, **flags) if takes_size else primitive(**flags)
