"""What PyTorch keeps for the backward pass: its habits, each a named rule.

One rule predicts nearly all of it: an operation that is written once, in C++, keeps the tensors
that its backward formula names; an operation that is put together in Python keeps them for every
step of it. The rules here are those of PyTorch 2.13 run eagerly on a CPU, and with
``byte_masks`` those of a GPU's dropout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
from flopslib.memory.keeping import (
    ARGUMENT,
    FACTOR,
    MASK,
    OF_RESULT,
    PLACE,
    RESULT,
    STATISTICS,
    Item,
    Keeper,
    function_of,
    other_factors,
)
from flopslib.sizes.exact import plain, product, same, wrapped

__all__ = ["TORCH_RULES", "Torch"]

ATTENTIONS = ("fused", "steps", "math")
#: Functions whose backward formula in C++ names the argument, and nothing else.
OF_ARGUMENT_IN_TORCH = {"GELU", "SiLU", "Mish", "GLU", "ELU", "softplus", "hard swish", "ReLU6",
                        "leaky ReLU", "PReLU", "hard sigmoid"}  # fmt: skip
LOG_SUM_EXP = "the log-sum-exp of fused attention"
FUSED = "the operands and the result of fused attention"
IN_PYTHON = "a step of an operation written in Python"
CAST = "a copy in 32 bits"
INDEX = "numbers of rows, 8 bytes each"
CONVOLVED = "the input of a convolution, whatever is frozen"
NORMED = "the input of a norm, whatever is frozen"
EXPANDED = "keys and values repeated for the heads that share them"

#: Every rule, and what PyTorch does there.
TORCH_RULES: Mapping[str, str] = MappingProxyType(
    {
        FACTOR: "a product keeps each factor whose partner needs a gradient",
        ARGUMENT: "GELU and SiLU keep their argument",
        RESULT: "ReLU, softmax, sigmoid and tanh keep their result, not a bit of each number",
        STATISTICS: "a norm keeps mean and 1/deviation of each row, at its own width on a CPU",
        NORMED: "a layer norm keeps its input even where its weights are frozen",
        CONVOLVED: "a convolution keeps its input even where its weights are frozen",
        MASK: "dropout keeps its mask: at the width of its input on a CPU, as a byte on a GPU",
        PLACE: "max pooling keeps its input, and an index of 8 bytes for each result",
        LOG_SUM_EXP: "fused attention keeps one number of 4 bytes for each row of scores",
        FUSED: "fused attention keeps queries, keys, values and its result, never the scores",
        IN_PYTHON: "GELU by tanh and RMS norm written in Python keep a tensor for each step",
        CAST: "what is computed in 32 bits keeps copies in 32 bits",
        INDEX: "an embedding keeps the numbers of its rows",
        EXPANDED: "attention step by step keeps keys and values repeated for every head",
    }
)


class Torch(Keeper):
    """What PyTorch keeps.

    Attributes:
        bits: the width of an activation, 32 or 16.
        attention: "fused" is one kernel; "steps" keeps the square of scores; "math" is what
            the fused one falls back to with a dropout on a CPU, in 32 bits.
        packed: whether queries, keys and values are one tensor, cut without a copy.
        byte_masks: whether a mask is a byte, as on a GPU.
        python: the functions that are put together in Python: "GELU by tanh", "RMS norm".
        wide_softmax: whether softmax is computed in 32 bits and cast.
    """

    def __init__(
        self,
        bits: int = 32,
        *,
        attention: str = "fused",
        packed: bool = False,
        byte_masks: bool = False,
        python: tuple[str, ...] = ("RMS norm",),
        wide_softmax: bool = False,
    ) -> None:
        """Take how the model is run."""
        super().__init__(bits)
        if attention not in ATTENTIONS:
            raise ValueError(f"attention must be one of {', '.join(ATTENTIONS)}, got {attention!r}")
        self.attention, self.packed, self.byte_masks = attention, packed, byte_masks
        self.python, self.wide_softmax = python, wide_softmax
        self._maps: set[Operand | None] = set()

    def prepared(self, steps: list[Step]) -> list[Step]:
        """Fuse attention where it is one kernel."""
        named = ((step, function_of(step)) for step in steps)
        self._maps = {step.writes for step, part in named if part and part.name == "softmax"}
        return list(_with_fused_attention(steps)) if self.attention == "fused" else steps

    def items(self, step: Step, needs: Callable[[Operand], bool]) -> Iterator[Item]:
        """Yield what a step keeps."""
        written: Any = step.writes
        if step.parts == (ATTENTION,):
            if any(map(needs, step.reads)):
                yield from self._of_attention(step, written)
            return
        part = function_of(step)
        if part is None:
            yield from self._of_products(step, needs)
        elif needs(step.reads[0]) or any(map(needs, step.reads)):
            yield from self._of_function(step, part, needs)

    @property
    def _is_math(self) -> bool:
        return self.attention == "math"

    def _of_attention(self, step: Step, written: Operand) -> Iterator[Item]:
        if self.packed:
            size = sum(wrapped(each.size) for each in step.reads)
            yield Item(FUSED, None, plain(size), self.bits)
        else:
            yield from (Item(FUSED, each) for each in step.reads)
        yield Item(FUSED, written)
        yield Item(LOG_SUM_EXP, None, product(written.shape[:-1]), 32)

    def _of_products(self, step: Step, needs: Callable[[Operand], bool]) -> Iterator[Item]:
        if step.windowed and any(map(needs, step.reads)):
            yield Item(CONVOLVED, step.reads[0])
            return
        if step.parts[0].takes == ("index", "row") and needs(step.reads[1]):
            yield Item(INDEX, None, step.reads[0].size, 64)
        of_square = "product" in step.parts[0].takes and not has_weight(step)
        for item in other_factors(step, needs):
            yield from self._of_square(step, item) if of_square else (item,)

    def _of_square(self, step: Step, item: Item) -> Iterator[Item]:
        """Yield a factor of scores or of a weighted sum."""
        operand: Any = item.operand
        is_shared = operand is step.reads[1]
        if self._is_math:
            yield item._replace(rule=CAST, bits=32, copy=True)
        elif is_shared and (repeated := _repeated(step, operand)):
            yield Item(EXPANDED, None, repeated, self.bits)
        else:
            yield item

    def _of_function(
        self, step: Step, part: Part, needs: Callable[[Operand], bool]
    ) -> Iterator[Item]:
        x, y = step.reads[0], step.writes
        name = part.name
        size: Any = x.size
        if name in OF_ARGUMENT_IN_TORCH:
            yield Item(ARGUMENT, x)
        elif name == "GELU by tanh":
            yield Item(ARGUMENT, x)
            if name in self.python:
                yield from (Item(IN_PYTHON, None, size, self.bits) for _ in range(3))
        elif name == "layer norm":
            yield Item(NORMED, x)
            yield from (Item(STATISTICS, None, step.outputs, self.bits) for _ in range(2))
        elif name == "RMS norm":
            yield from self._of_rms_norm(step, needs)
        elif name == "softmax" and self.bits < 32 and (self.wide_softmax or self._is_math):
            yield Item(CAST, None, size, 32)
        elif name in OF_RESULT or name == "ReLU":
            yield Item(RESULT, y)
        elif name == "dropout":
            wide = self._is_math and x in self._maps
            yield Item(MASK, None, size, 8 if self.byte_masks else 32 if wide else self.bits)
        elif name == "max pooling":
            yield Item(PLACE, x)
            yield Item(PLACE, None, y.size if y else 0, 64)
        elif name == "batch norm":
            yield Item(NORMED, x)

    def _of_rms_norm(self, step: Step, needs: Callable[[Operand], bool]) -> Iterator[Item]:
        """Yield what x · 1/√(mean of x²) · γ keeps, computed in 32 bits and cast."""
        x = step.reads[0]
        if self.bits < 32:
            yield Item(CAST, None, x.size, 32)
        else:
            yield Item(IN_PYTHON, x)
        yield Item(STATISTICS, None, step.outputs, 32)
        if any(map(needs, step.reads[1:])):
            yield Item(IN_PYTHON, None, x.size, self.bits)


ATTENTION = Part("fused attention", OpCount(), takes=("term", "term", "term"))


def has_weight(step: Step) -> bool:
    """Return whether a step reads something that is learnt."""
    return any(each.role == "weight" for operand in step.reads for each in operand.sources())


def _with_fused_attention(steps: list[Step]) -> Iterator[Step]:
    """Put one step in the place of scores, scaling, softmax and weighted sum."""
    made = {step.writes: step for step in steps}
    squares: dict[Operand | None, tuple[Operand, Operand]] = {}
    inside: set[Operand | None] = set()
    for step in steps:
        if (part := function_of(step)) and part.name == "softmax":
            before = step
            while (before := made[before.reads[0]]) and function_of(before):
                inside.add(before.writes)
            if "product" in before.parts[0].takes and not has_weight(before):
                inside |= {before.writes, step.writes}
                squares[step.writes] = (before.reads[0], before.reads[1])
    done: set[Operand | None] = set()
    for step in steps:
        weights = step.reads[0]
        if weights in squares:
            if step.writes not in done:
                done.add(step.writes)
                reads = (*squares[weights], step.reads[1])
                written: Any = step.writes
                yield Step("fused attention", (ATTENTION,), written.shape, reads=reads,
                           writes=written)  # fmt: skip
        elif step.writes not in inside:
            yield step


def _repeated(step: Step, keys: Operand) -> Any:
    """Return the numbers of keys or values repeated for every head; 0: none are shared."""
    size = product((*step.reads[0].shape[:2], *keys.shape[-2:]))
    return 0 if same(size, _before(keys)) else size


def _before(operand: Operand) -> Any:
    """Return how many numbers an operand is made of: a view of one may have fewer or more."""
    if not operand.of:
        return operand.size
    sizes = [_before(source) for source in operand.of]
    if len(sizes) > 1:
        return plain(sum(map(wrapped, sizes)))
    return min(operand.size, *sizes) if isinstance(operand.size, int) else sizes[0]
