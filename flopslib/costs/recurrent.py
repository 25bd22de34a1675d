"""What one step of a recurrent layer costs: gates of the input and of the state."""

from __future__ import annotations

from typing import Any

from flopslib.costs.dense import linear
from flopslib.costs.registry import Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
from flopslib.sizes.exact import Size

SMALL = {"input_size": 650, "hidden_size": 650}


class Cell:
    """The operands of a step that several gates share, and the gates themselves."""

    def __init__(self, input_size: Any, state_size: Any, hidden_size: Any, batch: Any, bias: bool):
        """Take the sizes; ``state_size`` is what comes from the step before."""
        self.x = Operand("x", (batch, input_size))
        self.h = Operand("h", (batch, state_size))
        self.shape = (batch, hidden_size)
        self._bias = bias

    def operand(self, name: str) -> Operand:
        """Return a new result, of one number for each of the state's."""
        return Operand(name, self.shape)

    def of(self, source: Operand, letters: str, writes: Operand) -> Derivation:
        """Multiply the input or the state with a matrix of its own."""
        batch, width = source.shape
        product = linear(width, self.shape[1], batch=batch, bias=self._bias)
        named = product.named(f"W_{letters} {source.name}")
        return named.on(x=source, weight=f"w_{letters}", bias=f"b_{letters}", y=writes)

    def summed(self, letter: str) -> tuple[Derivation, Operand]:
        """Add what a gate makes of the input to what it makes of the state."""
        of_x, of_h, both = (self.operand(f"{name}_{letter}") for name in ("x", "h", "sum"))
        parts = self.of(self.x, f"i{letter}", of_x) + self.of(self.h, f"h{letter}", of_h)
        added = self.each(f"sum {letter}", primitives.residual_sum(), (of_x, of_h), both)
        return parts + added, both

    def gate(self, letter: str, part: Part) -> tuple[Derivation, Operand]:
        """Return a gate: the sum of both, and what bends it."""
        both, total = self.summed(letter)
        bent = self.operand(letter)
        return both + self.each(f"{part.name} {letter}", part, (total,), bent), bent

    def each(
        self, name: str, part: Part, reads: tuple[Operand, ...], writes: Operand
    ) -> Derivation:
        """Do one operation for every number of the state."""
        return Derivation((Step(name, (part,), self.shape, "number", reads, writes),))


def rnn(cell: Cell, relu: bool) -> tuple[Derivation, Operand]:
    """Return the steps of a plain recurrent cell, and the new state."""
    total, both = cell.summed("h")
    y = cell.operand("y")
    part = primitives.relu() if relu else primitives.tanh()
    return total + cell.each(part.name, part, (both,), y), y


def lstm(cell: Cell) -> tuple[Derivation, Operand]:
    """Return the steps of an LSTM cell, and the new state."""
    (of_i, i), (of_f, f) = (cell.gate(letter, primitives.sigmoid()) for letter in "if")
    of_g, g = cell.gate("g", primitives.tanh())
    of_o, o = cell.gate("o", primitives.sigmoid())
    kept, new, memory, bent, y = map(cell.operand, ("kept", "new", "memory", "bent", "y"))
    product, added = primitives.elementwise_product(), primitives.residual_sum()
    steps = (
        cell.each("forget", product, (f, cell.operand("c")), kept)
        + cell.each("remember", product, (i, g), new)
        + cell.each("memory", added, (kept, new), memory)
        + cell.each("tanh of the memory", primitives.tanh(), (memory,), bent)
        + cell.each("output", product, (o, bent), y)
    )
    return of_i + of_f + of_g + of_o + steps, y


def gru(cell: Cell) -> tuple[Derivation, Operand]:
    """Return the steps of a GRU cell, and the new state."""
    (of_r, r), (of_z, z) = (cell.gate(g, primitives.sigmoid()) for g in "rz")
    of_x, of_h, reset, both, n = map(cell.operand, ("x_n", "h_n", "reset", "sum_n", "n"))
    apart, part, y = map(cell.operand, ("apart", "part", "y"))
    product, added = primitives.elementwise_product(), primitives.residual_sum()
    steps = (
        cell.of(cell.x, "in", of_x)
        + cell.of(cell.h, "hn", of_h)
        + cell.each("reset", product, (r, of_h), reset)
        + cell.each("sum n", added, (of_x, reset), both)
        + cell.each("tanh n", primitives.tanh(), (both,), n)
        + cell.each("difference", primitives.difference(), (cell.h, n), apart)
        + cell.each("update", product, (z, apart), part)
        + cell.each("new state", added, (n, part), y)
    )
    return of_r + of_z + steps, y


@cost_function(
    chapter="more_layers",
    example=Example("a layer of a small language model, one word", SMALL),
)
def rnn_cell(
    input_size: Size,
    hidden_size: Size,
    *,
    batch: Size = 1,
    bias: bool = True,
) -> Derivation:
    """Count one step of a plain recurrent layer: h' = tanh(W x + b + U h + b').

    Args:
        input_size: I, the numbers that arrive at a step.
        hidden_size: H, the numbers of the state.
        batch: B, how many sequences; or sequences times steps, for all steps at once.
        bias: whether both products have a bias.

    Shapes:
        x is (B, I), h and h' are (B, H).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: a size below 1.

    Source:
        not in the notes; the chapter *More layers*.

    >>> rnn_cell(3, 2).macs
    10
    """
    cell = Cell(input_size, hidden_size, hidden_size, batch, bias)
    return rnn(cell, relu=False)[0].named("RNN cell")


@cost_function(
    chapter="more_layers",
    example=Example("a layer of a small language model, one word", SMALL),
)
def lstm_cell(
    input_size: Size, hidden_size: Size, *, batch: Size = 1, bias: bool = True
) -> Derivation:
    """Count one step of an LSTM: three gates, a candidate, and a memory besides the state.

    Args:
        input_size: I, the numbers that arrive at a step.
        hidden_size: H, the numbers of the state, and of the memory.
        batch: B, how many sequences; or sequences times steps, for all steps at once.
        bias: whether all eight products have a bias.

    Shapes:
        x is (B, I); h, h' and the memory c are (B, H).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: a size below 1.

    Source:
        not in the notes; the chapter *More layers*.

    >>> lstm_cell(64, 64, batch=100).macs
    3276800
    """
    return lstm(Cell(input_size, hidden_size, hidden_size, batch, bias))[0].named("LSTM cell")


@cost_function(
    chapter="more_layers",
    example=Example("a layer of a small language model, one word", SMALL),
)
def gru_cell(
    input_size: Size, hidden_size: Size, *, batch: Size = 1, bias: bool = True
) -> Derivation:
    """Count one step of a GRU: a reset, an update, and a candidate that sees what is not reset.

    The new state is n + z · (h − n), which is how PyTorch computes (1 − z) · n + z · h.

    Args:
        input_size: I, the numbers that arrive at a step.
        hidden_size: H, the numbers of the state.
        batch: B, how many sequences; or sequences times steps, for all steps at once.
        bias: whether all six products have a bias.

    Shapes:
        x is (B, I), h and h' are (B, H).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: a size below 1.

    Source:
        not in the notes; the chapter *More layers*.

    >>> gru_cell(64, 64, batch=100).macs
    2457600
    """
    return gru(Cell(input_size, hidden_size, hidden_size, batch, bias))[0].named("GRU cell")
