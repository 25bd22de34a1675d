"""A mixture of experts, row by row: router, experts, and one that every position visits."""

from __future__ import annotations

from typing import Any

from flopslib.costs.experts import routed_experts
from flopslib.layers.arguments import flag, size
from flopslib.layers.blocks import SwiGLU
from flopslib.layers.combinators import PRODUCT, SUM
from flopslib.layers.dense import Linear
from flopslib.layers.elementwise import Sigmoid
from flopslib.layers.layer import Formula, Layer, Run, Shape

SIGMOID = Sigmoid()


class Experts(Layer):
    """Gated feed-forward networks, of which each position visits those with the largest scores.

    Args:
        in_features: the width of a position.
        hidden_features: the width inside of an expert.
        num_experts: how many experts there are.
        top_k: how many of them a position visits.
        bias: whether their linear layers have biases.
        all_experts: whether every expert works on every position.
        sigmoid: whether shares are sigmoids that are made to sum up to 1; False: a softmax.

    Shapes:
        the scores (…, num_experts) and (…, in_features) → (…, in_features)

    >>> Experts(4096, 14336, 8, 2, bias=False).parameters
    1409286144
    >>> Experts(4096, 14336, 8, 2, bias=False).active_parameters
    352321536
    """

    _takes = (2,)

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_experts: int,
        top_k: int,
        bias: bool = True,
        all_experts: bool = False,
        sigmoid: bool = False,
    ) -> None:
        self._set(
            in_features=size("in_features", in_features),
            hidden_features=size("hidden_features", hidden_features),
            num_experts=size("num_experts", num_experts),
            top_k=size("top_k", top_k),
            bias=flag("bias", bias),
            all_experts=flag("all_experts", all_experts),
            sigmoid=flag("sigmoid", sigmoid),
        )
        if top_k > num_experts:
            raise ValueError(f"top_k must be at most num_experts={num_experts}, got {top_k}")

    @property
    def weights(self) -> dict[str, Shape]:
        """Three matrices of each expert, and their biases."""
        number, d, inside = self.num_experts, self.in_features, self.hidden_features
        widths = {"gate": (inside, d), "up": (inside, d), "down": (d, inside)}
        matrices: dict[str, Shape] = {f"{p}.weight": (number, *of) for p, of in widths.items()}
        biases: dict[str, Shape] = {f"{p}.bias": (number, of[0]) for p, of in widths.items()}
        return matrices | (biases if self.bias else {})

    @property
    def idle_parameters(self) -> int:
        """The weights of the experts that a position does not visit."""
        idle: int = self.num_experts - self.top_k
        return int(self.own_parameters // self.num_experts * idle)

    def output_shape(self, input_shape: Any) -> Shape:
        """Leave the shape of the positions as it is."""
        scores, x = input_shape
        self._check_size(scores, -1, self.num_experts, "scores")
        self._check_size(x, -1, self.in_features, "features")
        return tuple(x)

    def _formula(self, x: Any, y: Shape) -> Formula:
        sizes = (*y[:-1], self.in_features, self.hidden_features, self.num_experts, self.top_k)
        flags = ("bias", "all_experts", "sigmoid")
        positions = ("positions", len(y) - 1)
        return routed_experts, sizes, (positions, *((name, getattr(self, name)) for name in flags))


class MixtureOfExperts(Layer):
    """A router, experts, and perhaps one that every position visits.

    Args:
        in_features: the width of a position.
        hidden_features: the width inside of an expert.
        num_experts: how many experts there are.
        top_k: how many of them a position visits.
        shared_features: the width inside of the shared expert, several counting as one that is
            as many times as wide; None: there is none.
        shared_gate: whether a gate weighs what the shared expert gives.
        bias: as in :class:`Experts`, like all that follow; of the router, too.
        all_experts: as there.
        sigmoid: as there.

    Shapes:
        (…, in_features) → the same

    >>> layer = MixtureOfExperts(4096, 14336, 8, 2, bias=False)
    >>> layer.parameters, layer.active_parameters
    (1409318912, 352354304)
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_experts: int,
        top_k: int,
        shared_features: int | None = None,
        shared_gate: bool = False,
        bias: bool = True,
        all_experts: bool = False,
        sigmoid: bool = False,
    ) -> None:
        experts = Experts(
            in_features, hidden_features, num_experts, top_k, bias, all_experts, sigmoid
        )
        shared = None
        if shared_features is not None:
            shared = SwiGLU(in_features, size("shared_features", shared_features), bias=bias)
        elif flag("shared_gate", shared_gate):
            raise ValueError("shared_gate=True weighs a shared expert, and shared_features is None")
        self._set(
            in_features=in_features,
            hidden_features=hidden_features,
            num_experts=num_experts,
            top_k=top_k,
            shared_features=shared_features,
            shared_gate=shared_gate,
            bias=bias,
            all_experts=all_experts,
            sigmoid=sigmoid,
            router=Linear(in_features, num_experts, bias),
            experts=experts,
            shared_expert=shared,
            opening=Linear(in_features, 1, bias=False) if shared_gate else None,
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Score, visit, and add what the shared expert gives."""
        found = run("experts", self.experts, run("router", self.router, x), x)
        if self.shared_expert is None:
            return found
        shared = run("shared_expert", self.shared_expert, x)
        if self.opening is not None:
            opened = run("opened", SIGMOID, run("shared_gate", self.opening, x))
            shared = run("weighed", PRODUCT, opened, shared)
        return run("sum", SUM, found, shared)
