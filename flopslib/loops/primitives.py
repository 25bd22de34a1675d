"""The naive loops of the elementary operations, named as in :mod:`flopslib.derivation.primitives`.

Each function takes the numbers it works on; constants such as 1/√d_k are plain
numbers computed beforehand, and count nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from flopslib.loops.counting import constant, term
from flopslib.loops.loop import dot


def total(numbers: Sequence[Any]) -> Any:
    """Add numbers up, one addition less than there are."""
    first, *others = numbers
    for number in others:
        first = first + number
    return first


def added_up(vectors: Sequence[Any]) -> list[Any]:
    """Add vectors up, number by number."""
    return [total(numbers) for numbers in zip(*vectors, strict=True)]


def _largest(numbers: Sequence[Any]) -> Any:
    largest = numbers[0]
    for number in numbers[1:]:
        if number > largest:
            largest = number
    return largest


def dot_product(x: Sequence[Any], w: Sequence[Any]) -> Any:
    """Multiply pairs and sum the products."""
    return dot(x, w)


def scatter(x: Any, w: Sequence[Any]) -> list[Any]:
    """Multiply one number with each weight, and add the products to sums that begin at 0."""
    sums: list[Any] = [0] * len(w)
    for place, weight in enumerate(w):
        sums[place] = sums[place] + term(x, weight)
    return sums


def bias(x: Any, b: Any) -> Any:
    """Add a bias to one output."""
    return x + b


def scaling(x: Any, d_k: int = 64) -> Any:
    """Multiply one score by the constant 1/√d_k."""
    constant = 1 / math.sqrt(d_k)
    return x * constant


def residual_sum(x: Any, y: Any) -> Any:
    """Add what went into a block to what came out of it."""
    return x + y


def difference(x: Any, y: Any) -> Any:
    """Subtract the second number from the first."""
    return x - y


def elementwise_product(x: Any, y: Any) -> Any:
    """Multiply two numbers that were both computed."""
    return x * y


def rotary(x: Any, y: Any, cos: float = 0.6, sin: float = 0.8) -> Any:
    """Compute one number of a rotated pair."""
    return x * cos + y * sin


def softmax(x: Sequence[Any]) -> list[Any]:
    """Subtract the largest, exponentiate, divide by the sum."""
    largest = _largest(x)
    weights = [(number - largest).exp() for number in x]
    whole = total(weights)
    return [weight / whole for weight in weights]


def log_softmax(x: Sequence[Any]) -> list[Any]:
    """Subtract the largest, and the logarithm of the sum of exponentials."""
    largest = _largest(x)
    shifted = [number - largest for number in x]
    whole = total([number.exp() for number in shifted]).log()
    return [number - whole for number in shifted]


def top_k(x: Sequence[Any], k: int = 1) -> list[Any]:
    """Find the largest, then the largest of the others, until there are k."""
    others, chosen = list(x), []
    for _ in range(k):
        largest = _largest(others)
        chosen.append(largest)
        others = [number for number in others if number is not largest]
    return chosen


def proportions(x: Sequence[Any]) -> list[Any]:
    """Divide each number by the sum of all."""
    whole = total(x)
    return [number / whole for number in x]


def cross_entropy(x: Sequence[Any], right: int = 0) -> Any:
    """Take the logarithm of the sum of exponentials, and subtract the score of the right class."""
    largest = _largest(x)
    shifted = [number - largest for number in x]
    return total([number.exp() for number in shifted]).log() - shifted[right]


def layer_norm(x: Any, gamma: Any = None, beta: Any = None, eps: float = 1e-5) -> Any:
    """Centre, divide by the deviation, scale by γ, shift by β."""
    mean = total(x) / len(x)
    centred = [number - mean for number in x]
    squares = [number * number for number in centred]
    deviation = (total(squares) / len(x) + eps).sqrt()
    scaled = [number / deviation for number in centred]
    if gamma is not None:
        scaled = [n * g for n, g in zip(scaled, gamma, strict=True)]
    if beta is None:
        return scaled
    return [n + b for n, b in zip(scaled, beta, strict=True)]


def rms_norm(x: Any, gamma: Any = None, eps: float = 1e-5) -> Any:
    """Divide by the root of the mean square, scale by γ."""
    root = (total([number * number for number in x]) / len(x) + eps).sqrt()
    scaled = [number / root for number in x]
    return scaled if gamma is None else [n * g for n, g in zip(scaled, gamma, strict=True)]


def gelu(x: Any) -> Any:
    """Compute x · (½ · (1 + erf(x / √2)))."""
    constant = 1 / math.sqrt(2)
    return x * (0.5 * (1 + (x * constant).erf()))


def gelu_tanh(x: Any) -> Any:
    """Compute x · sigmoid(2z), with z the argument that GELU by tanh has."""
    a = 2 * math.sqrt(2 / math.pi)
    b = a * 0.044715
    return x * sigmoid(x * (a + b * (x * x)))


def sigmoid(x: Any) -> Any:
    """Compute 1 / (1 + exp(−x))."""
    return 1 / (1 + (-x).exp())


def silu(x: Any) -> Any:
    """Compute x · sigmoid(x)."""
    return x * sigmoid(x)


def hardsigmoid(x: Any) -> Any:
    """Keep x + 3 between 0 and 6, and multiply by ⅙."""
    return relu6(x + 3) * (1 / 6)


def hardswish(x: Any) -> Any:
    """Compute x · hardsigmoid(x)."""
    return x * hardsigmoid(x)


def tanh(x: Any) -> Any:
    """Compute (e − 1) / (e + 1), with e = exp(2 · x)."""
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Compute log(1 + exp(β · x)) / β, and keep x where β · x is large."""
    scaled = x * beta
    y = (1 + scaled.exp()).log() / beta
    return x if scaled > threshold else y


def elu(x: Any, alpha: float = 1.0) -> Any:
    """Keep x above 0, and take α · (exp(x) − 1) elsewhere."""
    below = alpha * (x.exp() - 1)
    return x if x > 0 else below


def mish(x: Any) -> Any:
    """Compute x · (1 − 2 / (e · (e + 2) + 2)), with e = exp(x)."""
    e = x.exp()
    return x * (1 - 2 / (e * (e + 2) + 2))


def glu(x: Sequence[Any]) -> Any:
    """Compute x · sigmoid(y) of a pair."""
    number, gate = x
    return number * sigmoid(gate)


def batch_norm(x: Any, s: Any, t: Any) -> Any:
    """Compute x · s + t."""
    return x * s + t


def dropout(x: Any, factor: float = 1 / 0.9) -> Any:
    """Multiply by a factor drawn beforehand."""
    return x * factor


def relu(x: Any) -> Any:
    """Keep the larger of x and 0."""
    return x if x > 0 else 0


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """Keep the larger of x and a small part of it."""
    part = x * slope
    return x if x > part else part


def prelu(x: Any, slope: Any) -> Any:
    """Keep x above 0, and a learnt part of it elsewhere."""
    part = x * slope
    return x if x > 0 else part


def relu6(x: Any) -> Any:
    """Keep x between 0 and 6: two comparisons, whatever x is."""
    above, below = x > 0, x < 6
    if not above:
        return constant(x, 0)
    return x if below else constant(x, 6)


def max_pool(x: Sequence[Any]) -> Any:
    """Keep the largest cell of a window."""
    return _largest(x)


def average_pool(x: Sequence[Any]) -> Any:
    """Take the mean of a window."""
    return total(x) / len(x)


def sgd(w: Any, g: Any, rate: float = 0.1) -> Any:
    """Move a weight against its gradient."""
    return w - g * rate


def momentum(w: Any, g: Any, v: Any, mu: float = 0.9) -> tuple[Any, Any]:
    """Move a weight against a mean of its gradients; return that, too."""
    v = v * mu + g
    return sgd(w, v), v


def adam(w: Any, g: Any, m: Any, v: Any, step: int = 1) -> tuple[Any, Any, Any]:
    """Move a weight by the mean of its gradients over the root of that of their squares."""
    b1, b2, eps, rate = 0.9, 0.999, 1e-8, 1e-3
    m = m * b1 + g * (1 - b1)
    v = v * b2 + (g * g) * (1 - b2)
    c, first = 1 / math.sqrt(1 - b2**step), rate / (1 - b1**step)
    return w - (m / (v.sqrt() * c + eps)) * first, m, v


def adamw(w: Any, g: Any, m: Any, v: Any, step: int = 1) -> tuple[Any, Any, Any]:
    """Shrink a weight a little, and go on as Adam."""
    return adam(w * (1 - 1e-3 * 0.01), g, m, v, step)
