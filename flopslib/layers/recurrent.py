"""Recurrent layers: a state that is computed anew at every step of a sequence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from flopslib.costs import recurrent
from flopslib.costs.dense import linear
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.steps import Step
from flopslib.layers.arguments import flag, size
from flopslib.layers.elementwise import probability
from flopslib.layers.layer import Formula, Layer, Shape

CELLS = {
    "tanh": lambda cell: recurrent.rnn(cell, relu=False),
    "relu": lambda cell: recurrent.rnn(cell, relu=True),
    "LSTM": recurrent.lstm,
    "GRU": recurrent.gru,
}


def _over_time(
    times: Any, inputs: Any, hidden: Any, state: Any, *, kind: str, layers: int, ways: int,
    bias: bool, projects: bool,
) -> Derivation:  # fmt: skip
    """Run every cell once for each step of each sequence.

    The steps do not say what they write: a state feeds the step after it, and the gradients of
    that are not derived.
    """
    steps: list[Step] = []
    for layer in range(layers):
        for way in range(ways):
            seen = state * ways if layer else inputs
            cell = recurrent.Cell(seen, state, hidden, times, bias)
            found = CELLS[kind](cell)[0]
            if projects:
                found = found + linear(hidden, state, batch=times, bias=False).named("projection")
            place = f"layer {layer}{', backward in time' if way else ''}: "
            alone = layers * ways == 1
            steps += [
                replace(step, name=step.name if alone else place + step.name, writes=None)
                for step in found.steps
            ]
    return Derivation(tuple(steps), kind)


class _Recurrent(Layer):
    GATES: ClassVar[int]
    SINGLE: ClassVar[bool] = False
    _not_in_training = ("dropout",)

    def _keep(self, hidden: Any, layers: int, bias: Any, nonlinearity: str, **more: Any) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self._set(
            input_size=size("input_size", more.pop("input_size")),
            hidden_size=size("hidden_size", hidden),
            num_layers=size("num_layers", layers),
            bias=flag("bias", bias),
            nonlinearity=nonlinearity,
            **more,
        )

    @property
    def _state(self) -> int:
        """How many numbers go from one step to the next."""
        state: int = self.__dict__.get("proj_size", 0) or self.hidden_size
        return state

    @property
    def _ways(self) -> int:
        return 2 if self.__dict__.get("bidirectional", False) else 1

    def _cells(self) -> Iterator[tuple[str, int]]:
        """Yield the end of the names of every cell's weights, and how wide its input is."""
        for layer in range(self.num_layers):
            for way in range(self._ways):
                name = "" if self.SINGLE else f"_l{layer}{'_reverse' if way else ''}"
                yield name, self._state * self._ways if layer else self.input_size

    @property
    def weights(self) -> dict[str, Shape]:
        """The matrices of the input and of the state, gate below gate, and their biases."""
        found: dict[str, Shape] = {}
        rows = self.GATES * self.hidden_size
        for name, width in self._cells():
            found[f"weight_ih{name}"] = (rows, width)
            found[f"weight_hh{name}"] = (rows, self._state)
            if self.bias:
                found |= {f"bias_ih{name}": (rows,), f"bias_hh{name}": (rows,)}
            if self._state != self.hidden_size:
                found[f"weight_hr{name}"] = (self._state, self.hidden_size)
        return found

    def output_shape(self, input_shape: Shape) -> Shape:
        """Put the state in the place of what arrives at a step."""
        batched = "(N, L, I)" if self.__dict__.get("batch_first") else "(L, N, I)"
        ranks = {1: "(I)", 2: "(N, I)"} if self.SINGLE else {2: "(L, I)", 3: batched}
        self._check_rank(input_shape, ranks)
        self._check_size(input_shape, -1, self.input_size, "features")
        return (*input_shape[:-1], self._state * self._ways)

    def axes(self, input_shape: Shape) -> str | None:
        """Say which axis is taken for the steps."""
        if len(input_shape) < 3:
            return None
        order = "(batch, step" if self.batch_first else "(step, batch"
        return f"{order}, feature), batch_first={self.batch_first}"

    def _training_formula(self, x: Shape, y: Shape) -> Formula | None:
        # between layers, of which there has to be more than one
        return super()._training_formula(x, y) if self.num_layers > 1 else self._formula(x, y)

    def _formula(self, x: Shape, y: Shape) -> Formula:
        kind = type(self).__name__.removesuffix("Cell")
        options = (
            ("kind", self.nonlinearity if kind == "RNN" else kind),
            ("layers", self.num_layers),
            ("ways", self._ways),
            ("bias", self.bias),
            ("projects", self._state != self.hidden_size),
        )
        sizes = (math.prod(x[:-1]), self.input_size, self.hidden_size, self._state)
        return _over_time, sizes, options


class RNN(_Recurrent):
    """A plain recurrent layer, as torch.nn.RNN; it returns the states of all steps.

    Args:
        input_size: the numbers that arrive at a step.
        hidden_size: the numbers of the state.
        num_layers: how many such layers follow each other.
        nonlinearity: "tanh" or "relu".
        bias: whether there are two biases, as torch has them.
        batch_first: whether the first axis is the batch, and not the step.
        dropout: is kept, and costs nothing at inference.
        bidirectional: whether a second cell goes through the sequence from its end.

    Shapes:
        (L, N, input_size) → (L, N, ways · hidden_size); with ``batch_first`` (N, L, …);
        without a batch (L, …)

    >>> RNN(64, 32, bidirectional=True).output_shape((100, 1, 64))
    (100, 1, 64)
    """

    GATES = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        self._keep(
            hidden_size,
            num_layers,
            bias,
            nonlinearity,
            input_size=input_size,
            batch_first=flag("batch_first", batch_first),
            dropout=probability(dropout),
            bidirectional=flag("bidirectional", bidirectional),
        )


class LSTM(_Recurrent):
    """A long short-term memory, as torch.nn.LSTM; it returns the states of all steps.

    Args:
        input_size: the numbers that arrive at a step.
        hidden_size: the numbers of the memory, and of the state.
        num_layers: how many such layers follow each other.
        bias: whether there are two biases, as torch has them.
        batch_first: whether the first axis is the batch, and not the step.
        dropout: is kept, and costs nothing at inference.
        bidirectional: whether a second cell goes through the sequence from its end.
        proj_size: to how many numbers a state is projected; 0: it is not.

    Shapes:
        (L, N, input_size) → (L, N, ways · state); with ``batch_first`` (N, L, …);
        without a batch (L, …)

    >>> from flopslib import count
    >>> report = count(LSTM(64, 64), (100, 1, 64))
    >>> report.macs, report.parameters
    (3276800, 33280)
    """

    GATES = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:
        if size("proj_size", proj_size, 0) >= size("hidden_size", hidden_size):
            raise ValueError(
                f"proj_size must be smaller than hidden_size, "
                f"got proj_size={proj_size} and hidden_size={hidden_size}"
            )
        self._keep(
            hidden_size,
            num_layers,
            bias,
            "tanh",
            input_size=input_size,
            batch_first=flag("batch_first", batch_first),
            dropout=probability(dropout),
            bidirectional=flag("bidirectional", bidirectional),
            proj_size=proj_size,
        )


class GRU(_Recurrent):
    """Gated recurrent units, as torch.nn.GRU; it returns the states of all steps.

    Args:
        input_size: the numbers that arrive at a step.
        hidden_size: the numbers of the state.
        num_layers: how many such layers follow each other.
        bias: whether there are two biases, as torch has them.
        batch_first: whether the first axis is the batch, and not the step.
        dropout: is kept, and costs nothing at inference.
        bidirectional: whether a second cell goes through the sequence from its end.

    Shapes:
        (L, N, input_size) → (L, N, ways · hidden_size); with ``batch_first`` (N, L, …);
        without a batch (L, …)

    >>> GRU(64, 64).parameters
    24960
    """

    GATES = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        self._keep(
            hidden_size,
            num_layers,
            bias,
            "tanh",
            input_size=input_size,
            batch_first=flag("batch_first", batch_first),
            dropout=probability(dropout),
            bidirectional=flag("bidirectional", bidirectional),
        )


class RNNCell(_Recurrent):
    """One step of a plain recurrent layer, as torch.nn.RNNCell; it returns the new state.

    Shapes:
        (N, input_size) → (N, hidden_size); the N may be left out

    >>> RNNCell(10, 20).parameters
    640
    """

    GATES, SINGLE = 1, True

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"
    ) -> None:
        self._keep(hidden_size, 1, bias, nonlinearity, input_size=input_size)


class LSTMCell(_Recurrent):
    """One step of an LSTM, as torch.nn.LSTMCell; it returns the new state, the memory stays inside.

    Shapes:
        (N, input_size) → (N, hidden_size); the N may be left out

    >>> LSTMCell(10, 20).parameters
    2560
    """

    GATES, SINGLE = 4, True

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        self._keep(hidden_size, 1, bias, "tanh", input_size=input_size)


class GRUCell(_Recurrent):
    """One step of a GRU, as torch.nn.GRUCell; it returns the new state.

    Shapes:
        (N, input_size) → (N, hidden_size); the N may be left out

    >>> GRUCell(10, 20).parameters
    1920
    """

    GATES, SINGLE = 3, True

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        self._keep(hidden_size, 1, bias, "tanh", input_size=input_size)
