"""Layers that treat every number by itself: activations, dropout, learnt factors and terms."""

from __future__ import annotations

from itertools import chain
from typing import Any, ClassVar

from flopslib.derivation import primitives
from flopslib.derivation.operands import Operand
from flopslib.layers.arguments import axis, flag, size
from flopslib.layers.layer import Formula, Layer, Shape
from flopslib.layers.operations import broadcast, each, halves, rows


class _Activation(Layer):
    OPTIONS: ClassVar[Any]

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return each, x, self.OPTIONS


class _InPlace(_Activation):
    def __init__(self, inplace: bool = False) -> None:
        self._set(inplace=flag("inplace", inplace))


class ReLU(_InPlace):
    """max(x, 0), as torch.nn.ReLU: one comparison a number."""

    OPTIONS = (("operation", primitives.relu),)


class ReLU6(_InPlace):
    """x between 0 and 6, as torch.nn.ReLU6: two comparisons a number."""

    OPTIONS = (("operation", primitives.relu6),)


class SiLU(_InPlace):
    """x · sigmoid(x), as torch.nn.SiLU."""

    OPTIONS = (("operation", primitives.silu),)


class Hardswish(_InPlace):
    """x · hardsigmoid(x), as torch.nn.Hardswish."""

    OPTIONS = (("operation", primitives.hardswish),)


class Hardsigmoid(_InPlace):
    """A straight line in place of the sigmoid, as torch.nn.Hardsigmoid."""

    OPTIONS = (("operation", primitives.hardsigmoid),)


class Sigmoid(_Activation):
    """1 / (1 + exp(−x)), as torch.nn.Sigmoid."""

    OPTIONS = (("operation", primitives.sigmoid),)


class Tanh(_Activation):
    """The hyperbolic tangent, as torch.nn.Tanh."""

    OPTIONS = (("operation", primitives.tanh),)


class LeakyReLU(_Activation):
    """max(x, a · x), as torch.nn.LeakyReLU: a multiplication and a comparison a number."""

    OPTIONS = (("operation", primitives.leaky_relu),)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self._set(negative_slope=negative_slope, inplace=flag("inplace", inplace))


class Hardtanh(_Activation):
    """x between two numbers, as torch.nn.Hardtanh: two comparisons a number."""

    OPTIONS = (("operation", primitives.relu6), ("name", "hard tanh"))

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        if not min_val < max_val:
            raise ValueError(
                f"min_val must be below max_val, got min_val={min_val} and max_val={max_val}"
            )
        self._set(min_val=min_val, max_val=max_val, inplace=flag("inplace", inplace))


def _number(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return value


class Softplus(_Activation):
    """log(1 + exp(β · x)) / β, as torch.nn.Softplus; x itself where β · x is large.

    >>> from flopslib import count
    >>> count(Softplus(), (10,)).other["logarithms"]
    10
    """

    OPTIONS = (("operation", primitives.softplus),)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        if not _number("beta", beta):
            raise ValueError("beta must not be 0, got 0")
        self._set(beta=beta, threshold=_number("threshold", threshold))


class ELU(_Activation):
    """x above 0, and α · (exp(x) − 1) elsewhere, as torch.nn.ELU; both are computed."""

    OPTIONS = (("operation", primitives.elu),)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self._set(alpha=_number("alpha", alpha), inplace=flag("inplace", inplace))


class Mish(_InPlace):
    """x · tanh(softplus(x)), as torch.nn.Mish: by one exponential and one division.

    >>> from flopslib import count
    >>> dict(count(Mish(), (10,)).other)
    {'divisions': 10, 'exponentials': 10}
    """

    OPTIONS = (("operation", primitives.mish),)


class PReLU(_Activation):
    """x above 0, and a learnt part of it elsewhere, as torch.nn.PReLU.

    Args:
        num_parameters: one factor for all numbers, or one for each channel.
        init: the factors that learning begins with.

    Shapes:
        (N, C, …) → the same; with one factor, any

    Raises:
        ShapeError: another number of channels.

    >>> PReLU(3).output_shape((2, 3, 5)), PReLU(3).parameters
    ((2, 3, 5), 3)
    """

    OPTIONS = (("operation", primitives.prelu),)

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self._set(num_parameters=size("num_parameters", num_parameters), init=_number("init", init))

    @property
    def weights(self) -> dict[str, Shape]:
        """The factors."""
        return {"weight": (self.num_parameters,)}

    def _beside(self, x: Shape) -> tuple[Operand, ...]:
        return (Operand("weight", (self.num_parameters,), "weight"),)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        channels = input_shape[1] if len(input_shape) > 1 else 1
        if self.num_parameters not in (1, channels):
            self._refuse(f"expects {self.num_parameters} channels, got {channels}")
        return input_shape


class GLU(Layer):
    """The first half times the sigmoid of the second, along one axis, as torch.nn.GLU.

    >>> from flopslib import count
    >>> GLU().output_shape((2, 6)), count(GLU(), (2, 6)).multiplications
    ((2, 3), 6)
    """

    def __init__(self, dim: int = -1) -> None:
        self._set(dim=axis("dim", dim))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Halve one side."""
        if not -len(input_shape) <= self.dim < len(input_shape):
            self._refuse(f"has no dimension {self.dim} in an input of shape {input_shape}")
        at = self.dim % len(input_shape)
        if input_shape[at] % 2:
            self._refuse(f"needs an even number to halve, got {input_shape[at]}")
        return (*input_shape[:at], input_shape[at] // 2, *input_shape[at + 1 :])

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return halves, y, (("operation", primitives.glu),)


class ConstantFactor(_Activation):
    """x times a constant, such as the √d of an embedding: one multiplication a number."""

    OPTIONS = (("operation", primitives.scaling), ("name", "constant factor"))

    def __init__(self, value: float) -> None:
        self._set(value=_number("value", value))


class Softmax(Layer):
    """Weights that sum to 1 along one axis, as torch.nn.Softmax.

    >>> from flopslib import count
    >>> count(Softmax(dim=1), (2, 1000)).other["exponentials"]
    2000
    """

    OPERATION: ClassVar[Any] = primitives.softmax

    def __init__(self, dim: int) -> None:
        self._set(dim=axis("dim", dim))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        if not -len(input_shape) <= self.dim < len(input_shape):
            self._refuse(f"has no dimension {self.dim} in an input of shape {input_shape}")
        return input_shape

    def _formula(self, x: Shape, y: Shape) -> Formula:
        at = self.dim % len(x)
        options = (("operation", type(self).OPERATION), ("unit", "row"))
        return rows, (x[at], *x[:at], *x[at + 1 :]), options


class LogSoftmax(Softmax):
    """The logarithm of a softmax, as torch.nn.LogSoftmax: one logarithm a row.

    >>> from flopslib import count
    >>> count(LogSoftmax(dim=1), (2, 1000)).other["logarithms"]
    2
    """

    OPERATION = primitives.log_softmax


class GELU(_Activation):
    """GELU as torch.nn.GELU, exact or by tanh.

    >>> from flopslib import count
    >>> count(GELU(), (10,)).other["erfs"], count(GELU("tanh"), (10,)).other["erfs"]
    (10, 0)
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
        self._set(approximate=approximate)

    def _formula(self, x: Shape, y: Shape) -> Formula:
        by_tanh = self.approximate == "tanh"
        return each, x, (("operation", primitives.gelu_tanh if by_tanh else primitives.gelu),)


class _OfTwo(Layer):
    OPTIONS: ClassVar[Any]
    _takes = (2,)

    def output_shape(self, input_shape: Any) -> Shape:
        """Repeat both shapes to fit each other, as torch does."""
        left, right = self._two(input_shape)
        joined = joint(left, right)
        if joined is None:
            self._refuse(f"needs shapes that fit each other, got {left} and {right}")
        return joined

    def _two(self, x: Any) -> tuple[Shape, Shape]:
        """Return both shapes; one alone stands for two that are alike."""
        shapes = x if x and isinstance(x[0], tuple) else (x, x)
        if len(shapes) != 2:
            self._refuse(f"needs two inputs, got {len(shapes)}: {', '.join(map(str, shapes))}")
        return shapes[0], shapes[1]

    def _formula(self, x: Any, y: Shape) -> Formula:
        left, right = self._two(x)
        if left == right:
            return each, y, self.OPTIONS
        return broadcast, (*chain(*_of_one_rank(left, right)), *y), self.OPTIONS


def joint(left: Shape, right: Shape) -> Shape | None:
    """Return the shape of two that are repeated to fit each other; None: they do not.

    >>> joint((2, 3, 1), (5,)), joint((2,), (3,))
    ((2, 3, 5), None)
    """
    if left == right:
        return tuple(left)
    sides = zip(*_of_one_rank(left, right), strict=True)
    joined = tuple(max(pair) if 1 in pair or pair[0] == pair[1] else 0 for pair in sides)
    return None if 0 in joined else joined


def _of_one_rank(left: Shape, right: Shape) -> tuple[Shape, Shape]:
    rank = max(len(left), len(right))
    return (1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right


class Sum(_OfTwo):
    """The sum of two results, as the row of a residual block: one addition a number.

    Shapes:
        two that fit each other, as in torch → the larger sides of both

    >>> Sum().output_shape(((2, 3, 5), (3, 1)))
    (2, 3, 5)
    """

    OPTIONS = (("operation", primitives.residual_sum),)


class Product(_OfTwo):
    """The product of two results, as the row of a gate: one multiplication a number.

    Shapes:
        two that fit each other, as in torch → the larger sides of both
    """

    OPTIONS = (("operation", primitives.elementwise_product),)


def probability(p: Any) -> float:
    """Return a number from 0 to 1.

    Raises:
        ValueError: it is none.
    """
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ValueError(f"p must be a number from 0 to 1, got {p!r}")
    return p


class _AtRandom(Layer):
    def _training_formula(self, x: Shape, y: Shape) -> Formula | None:
        return (each, x, (("operation", primitives.dropout),)) if self.p else None


class Dropout(_AtRandom):
    """Nothing at inference, as torch.nn.Dropout; in training a factor for every number.

    The factors, 0 and 1/(1 − p), are drawn beforehand, which is not counted. With p = 0 there
    are none, as in torch.

    >>> from flopslib import count
    >>> count(Dropout(0.1), (2, 3)).multiplications
    0
    >>> count(Dropout(0.1), (2, 3), training=True).multiplications
    6
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        self._set(p=probability(p), inplace=flag("inplace", inplace))


class StochasticDepth(_AtRandom):
    """Nothing at inference, as torchvision.ops.StochasticDepth; in training as dropout."""

    def __init__(self, p: float, mode: str) -> None:
        if mode not in ("batch", "row"):
            raise ValueError(f"mode must be 'batch' or 'row', got {mode!r}")
        self._set(p=probability(p), mode=mode)


class Identity(Layer):
    """Nothing at all, as torch.nn.Identity, which takes any arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._set()

    def __repr__(self) -> str:
        return "Identity()"


class _Learnt(Layer):
    """A learnt array that every sample meets; its shape broadcasts to that of the input."""

    WHAT: ClassVar[str]

    def __init__(self, *shape: int) -> None:
        self._set(shape=tuple(size(f"shape[{at}]", side) for at, side in enumerate(shape)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self.shape))})"

    @property
    def weights(self) -> dict[str, Shape]:
        """The array."""
        return {self.WHAT: self.shape}

    def _beside(self, x: Shape) -> tuple[Operand, ...]:
        return (Operand(self.WHAT, self.shape, "weight"),)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        ends = zip(reversed(self.shape), reversed(input_shape), strict=False)
        fits = len(self.shape) <= len(input_shape) and all(a in (1, b) for a, b in ends)
        if not fits:
            self._refuse(f"does not broadcast to an input of shape {input_shape}")
        return input_shape


class Scale(_Learnt):
    """A learnt factor for each number of a shape, such as ConvNeXt's ``layer_scale``.

    >>> from flopslib import count
    >>> count(Scale(96, 1, 1), (1, 96, 56, 56)).multiplications
    301056
    """

    WHAT = "scale"

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return each, x, (("operation", primitives.elementwise_product), ("name", "learnt factor"))


class PositionEmbedding(_Learnt):
    """A learnt term for each number of a shape, such as ViT's (1, positions, width).

    >>> from flopslib import count
    >>> report = count(PositionEmbedding(1, 197, 768), (1, 197, 768))
    >>> report.additions, report.parameters
    (151296, 151296)
    """

    WHAT = "position"

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return each, x, _POSITION_SUM


class LearnedPositions(Layer):
    """A table of vectors, of which a sequence adds as many as it is long, as GPT does.

    Args:
        num_positions: how many there are at most.
        embedding_dim: the width of a position.
        cache: how many positions of the sequence came before.

    Shapes:
        (…, L, embedding_dim) → the same; L + cache is at most num_positions

    >>> LearnedPositions(1024, 768).output_shape((1, 1025, 768))
    Traceback (most recent call last):
    ...
    flopslib.layers.layer.ShapeError: LearnedPositions(1024, 768) needs at most 1024 positions \
at dimension 1, got 1025 in (1, 1025, 768)
    """

    def __init__(self, num_positions: int, embedding_dim: int, cache: int = 0) -> None:
        self._set(
            num_positions=size("num_positions", num_positions),
            embedding_dim=size("embedding_dim", embedding_dim),
            cache=size("cache", cache, minimum=0),
        )

    @property
    def weights(self) -> dict[str, Shape]:
        """The table."""
        return {"weight": (self.num_positions, self.embedding_dim)}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        if len(input_shape) < 2:
            self._refuse(f"needs an input of shape (…, L, E), got {input_shape}")
        self._check_size(input_shape, -1, self.embedding_dim, "features")
        if input_shape[-2] + self.cache > self.num_positions:
            place, after = len(input_shape) - 2, f" after {self.cache}" if self.cache else ""
            self._refuse(
                f"needs at most {self.num_positions} positions at dimension {place}, "
                f"got {input_shape[-2]}{after} in {input_shape}"
            )
        return input_shape

    def _beside(self, x: Shape) -> tuple[Operand, ...]:
        return (Operand("weight", (x[-2], self.embedding_dim), "weight"),)  # the rows it takes

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return each, x, _POSITION_SUM


_POSITION_SUM = (("operation", primitives.residual_sum), ("name", "position sum"))
