"""The naive loops of gradients, named as in :mod:`flopslib.derivation.gradients`.

Each function runs an operation, keeps what its gradient needs, and returns the result with a
function that takes the gradient of the result and returns that of the input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from flopslib.loops import primitives
from flopslib.loops.counting import constant
from flopslib.loops.primitives import total

#: A result, and the function from its gradient to that of the input.
WithBack: TypeAlias = tuple[Any, Callable[[Any], Any]]


def summed(gradients: Sequence[Any]) -> Any:
    """Add up the gradients of one term that met many numbers."""
    return total(gradients)


def weighed(gradients: Sequence[Any], met: Sequence[Any]) -> Any:
    """Multiply each gradient with what the factor met, and add them up."""
    return total([g * number for g, number in zip(gradients, met, strict=True)])


def scaling(x: Any, d_k: int = 64) -> WithBack:
    """Multiply the gradient by the same constant."""
    factor = 1 / math.sqrt(d_k)
    return primitives.scaling(x, d_k), lambda g: g * factor


def rotary(x: Any, y: Any, cos: float = 0.6, sin: float = 0.8) -> WithBack:
    """Turn a pair back: one number of it, from the gradients of both."""
    return primitives.rotary(x, y, cos, sin), lambda g: g[0] * cos + g[1] * -sin


def softmax(x: Sequence[Any]) -> WithBack:
    """Compute p · (g − Σ g · p)."""
    weights = primitives.softmax(x)

    def back(g: Any) -> Any:
        mean = total([gradient * p for gradient, p in zip(g, weights, strict=True)])
        return [p * (gradient - mean) for gradient, p in zip(g, weights, strict=True)]

    return weights, back


def log_softmax(x: Sequence[Any]) -> WithBack:
    """Compute g − exp(y) · Σ g."""
    y = primitives.log_softmax(x)

    def back(g: Any) -> Any:
        whole = total(g)
        return [gradient - result.exp() * whole for gradient, result in zip(g, y, strict=True)]

    return y, back


def top_k(x: Sequence[Any], k: int = 1) -> WithBack:
    """Hand the gradients to the chosen ones; those of the others are 0."""
    chosen = primitives.top_k(x, k)

    def back(g: Any) -> Any:
        of = {id(number): one for number, one in zip(chosen, g, strict=True)}
        return [of.get(id(number), constant(g[0], 0)) for number in x]

    return chosen, back


def proportions(x: Sequence[Any]) -> WithBack:
    """Compute (g − Σ g · y) / sum."""
    whole = total(x)
    y = [number / whole for number in x]

    def back(g: Any) -> Any:
        along = total([gradient * share for gradient, share in zip(g, y, strict=True)])
        return [(gradient - along) / whole for gradient in g]

    return y, back


def cross_entropy(x: Sequence[Any], right: int = 0) -> WithBack:
    """Compute g · (e / Σ e), and one less for the right class."""
    largest = max(number.value for number in x)  # as the forward pass found it, and kept
    tallied = primitives.cross_entropy(x, right)
    kept = [math.exp(number.value - largest) for number in x]
    whole = sum(kept)

    def back(g: Any) -> Any:
        shares = [g.tally.number(e) / g.tally.number(whole) for e in kept]
        return [(p - 1 if at == right else p) * g for at, p in enumerate(shares)]

    return tallied, back


def layer_norm(x: Any, gamma: Any = None, beta: Any = None, eps: float = 1e-5) -> WithBack:
    """Compute (ĝ − mean of ĝ − x̂ · mean of ĝ · x̂) / deviation."""
    hat, deviation = _normalised(x, total(x) / len(x), eps)

    def back(g: Any) -> Any:
        at_hat = _at_hat(g, gamma)
        mean = total(at_hat) / len(x)
        along = total([one * n for one, n in zip(at_hat, hat, strict=True)]) / len(x)
        return [(one - mean - n * along) / deviation for one, n in zip(at_hat, hat, strict=True)]

    return _learnt(hat, gamma, beta), back


def rms_norm(x: Any, gamma: Any = None, eps: float = 1e-5) -> WithBack:
    """Compute (ĝ − x̂ · mean of ĝ · x̂) / root."""
    hat, root = _normalised(x, None, eps)

    def back(g: Any) -> Any:
        at_hat = _at_hat(g, gamma)
        along = total([one * n for one, n in zip(at_hat, hat, strict=True)]) / len(x)
        return [(one - n * along) / root for one, n in zip(at_hat, hat, strict=True)]

    return _learnt(hat, gamma, None), back


def _normalised(x: Any, mean: Any, eps: float) -> tuple[Any, Any]:
    centred = x if mean is None else [number - mean for number in x]
    deviation = (total([n * n for n in centred]) / len(x) + eps).sqrt()
    return [number / deviation for number in centred], deviation


def _at_hat(g: Any, gamma: Any) -> Any:
    return g if gamma is None else [one * factor for one, factor in zip(g, gamma, strict=True)]


def _learnt(hat: Any, gamma: Any, beta: Any) -> Any:
    scaled = _at_hat(hat, gamma)
    return scaled if beta is None else [n + b for n, b in zip(scaled, beta, strict=True)]


def gelu(x: Any) -> WithBack:
    """Compute g · (h + x · (c · exp(−½ · (x · x))))."""
    half = 0.5 * (1 + (x * (1 / math.sqrt(2))).erf())
    c = 1 / math.sqrt(2 * math.pi)
    return x * half, lambda g: g * (half + x * (c * (-0.5 * (x * x)).exp()))


def gelu_tanh(x: Any) -> WithBack:
    """Compute g · (s + y · (1 − s) · (a + 3b · (x · x)))."""
    a = 2 * math.sqrt(2 / math.pi)
    b = a * 0.044715
    s = primitives.sigmoid(x * (a + b * (x * x)))
    y = x * s
    return y, lambda g: g * (s + y * (1 - s) * (a + 3 * b * (x * x)))


def sigmoid(x: Any) -> WithBack:
    """Compute g · (y · (1 − y))."""
    y = primitives.sigmoid(x)
    return y, lambda g: g * (y * (1 - y))


def silu(x: Any) -> WithBack:
    """Compute g · (s + y · (1 − s))."""
    s = primitives.sigmoid(x)
    y = x * s
    return y, lambda g: g * (s + y * (1 - s))


def hardsigmoid(x: Any) -> WithBack:
    """Keep g · ⅙ where x + 3 is between 0 and 6."""
    moved = x + 3
    y = primitives.relu6(moved) * (1 / 6)
    return y, lambda g: _inside(moved, g * (1 / 6))


def hardswish(x: Any) -> WithBack:
    """Compute g · (h + x · ⅙), the last only where x + 3 is between 0 and 6."""
    moved = x + 3
    h = primitives.relu6(moved) * (1 / 6)
    return x * h, lambda g: g * (h + _inside(moved, x * (1 / 6)))


def tanh(x: Any) -> WithBack:
    """Compute g · (1 − y · y)."""
    y = primitives.tanh(x)
    return y, lambda g: g * (1 - y * y)


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> WithBack:
    """Compute g · (e / (e + 1)), and keep g where β · x is large."""
    scaled = x * beta
    e = scaled.exp()
    y = (1 + e).log() / beta

    def back(g: Any) -> Any:
        below = g * (e / (e + 1))
        return g if scaled > threshold else below

    return x if scaled > threshold else y, back


def elu(x: Any, alpha: float = 1.0) -> WithBack:
    """Keep g where x is above 0, and take g · (y + α) elsewhere."""
    y = primitives.elu(x, alpha)

    def back(g: Any) -> Any:
        below = g * (y + alpha)
        return g if x > 0 else below

    return y, back


def mish(x: Any) -> WithBack:
    """Compute g · (t + x · (1 − t · t) · (1 − 1 / (1 + e)))."""
    e = x.exp()
    t = 1 - 2 / (e * (e + 2) + 2)
    return x * t, lambda g: g * (t + x * (1 - t * t) * (1 - 1 / (1 + e)))


def glu(x: Sequence[Any]) -> WithBack:
    """Compute g · s for the number, and g · (z · (1 − s)) for its gate."""
    number, gate = x
    s = primitives.sigmoid(gate)
    z = number * s
    return z, lambda g: [g * s, g * (z * (1 - s))]


def batch_norm(x: Any, s: Any, t: Any) -> WithBack:
    """Multiply by the same factor."""
    return primitives.batch_norm(x, s, t), lambda g: g * s


def dropout(x: Any, factor: float = 1 / 0.9) -> WithBack:
    """Multiply the gradient by the same factor."""
    return primitives.dropout(x, factor), lambda g: g * factor


def relu(x: Any) -> WithBack:
    """Keep g where x is above 0."""
    return primitives.relu(x), lambda g: g if x > 0 else constant(g, 0)


def leaky_relu(x: Any, slope: float = 0.01) -> WithBack:
    """Keep g where x is above 0, and a small part of it elsewhere."""

    def back(g: Any) -> Any:
        part = g * slope
        return g if x > 0 else part

    return primitives.leaky_relu(x, slope), back


def prelu(x: Any, slope: Any) -> WithBack:
    """Keep g where x is above 0, and a learnt part of it elsewhere."""

    def back(g: Any) -> Any:
        part = g * slope
        return g if x > 0 else part

    return primitives.prelu(x, slope), back


def relu6(x: Any) -> WithBack:
    """Keep g where x is between 0 and 6."""
    return primitives.relu6(x), lambda g: _inside(x, g)


def _inside(x: Any, number: Any) -> Any:
    """Return a number where x is between 0 and 6: two comparisons, whatever x is."""
    above, below = x > 0, x < 6
    return number if above and below else constant(number, 0)


def max_pool(x: Sequence[Any]) -> WithBack:
    """Add g to the gradient of the largest cell; the others stay 0."""
    largest = primitives.max_pool(x)
    place = next(at for at, cell in enumerate(x) if cell is largest)

    def back(g: Any) -> Any:
        gradients: list[Any] = [0] * len(x)
        gradients[place] = gradients[place] + g
        return gradients

    return largest, back


def average_pool(x: Sequence[Any]) -> WithBack:
    """Divide g by n, and add that to the gradient of every cell, which began at 0."""

    def back(g: Any) -> Any:
        part = g / len(x)
        return [0 + part for _ in x]

    return primitives.average_pool(x), back
