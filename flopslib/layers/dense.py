"""Layers of vectors: linear, embedding."""

from __future__ import annotations

import math
from typing import Any

from flopslib.costs.dense import linear
from flopslib.derivation.derivation import Derivation
from flopslib.layers.arguments import axis, flag, size, untouched
from flopslib.layers.layer import Formula, Layer, Shape
from flopslib.layers.operations import looked_up


def _linear(positions: Any, in_features: Any, out_features: Any, bias: bool) -> Derivation:
    return linear(in_features, out_features, batch=positions, bias=bias)


class Linear(Layer):
    """A linear layer on the last axis, as torch.nn.Linear.

    Shapes:
        (…, in_features) → (…, out_features)

    >>> Linear(2048, 1000).parameters
    2049000
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self._set(
            in_features=size("in_features", in_features),
            out_features=size("out_features", out_features),
            bias=flag("bias", bias),
        )

    @property
    def weights(self) -> dict[str, Shape]:
        """The matrix, and the bias if there is one."""
        found: dict[str, Shape] = {"weight": (self.out_features, self.in_features)}
        return found | ({"bias": (self.out_features,)} if self.bias else {})

    def output_shape(self, input_shape: Shape) -> Shape:
        """Replace the last axis."""
        if not input_shape:
            self._refuse("needs at least one dimension, got ()")
        self._check_size(input_shape, -1, self.in_features, "features")
        return (*input_shape[:-1], self.out_features)

    def _formula(self, x: Shape, y: Shape) -> Formula:
        sizes = (math.prod(x[:-1]), self.in_features, self.out_features)
        return _linear, sizes, (("bias", self.bias),)


def _row(number: Any, rows: int) -> int | None:
    if number is not None and not -rows <= axis("padding_idx", number) < rows:
        raise ValueError(f"padding_idx must be a row of the {rows} there are, got {number}")
    return number if number is None else axis("padding_idx", number)


class Embedding(Layer):
    """A table of vectors, looked up by number, as torch.nn.Embedding. It costs nothing.

    Shapes:
        (…) whole numbers → (…, embedding_dim)

    >>> Embedding(50257, 768).parameters
    38597376
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> None:
        untouched("Embedding", max_norm=(max_norm, None))
        self._set(
            num_embeddings=size("num_embeddings", num_embeddings),
            embedding_dim=size("embedding_dim", embedding_dim),
            padding_idx=_row(padding_idx, num_embeddings),
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )

    @property
    def weights(self) -> dict[str, Shape]:
        """The table."""
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Put a vector in the place of each number."""
        return (*input_shape, self.embedding_dim)

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return looked_up, (self.num_embeddings, self.embedding_dim, *x), ()
