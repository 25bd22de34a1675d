"""The activations that a forward pass keeps for the backward pass, tensor by tensor.

A gradient needs some of what the forward pass computed: a product needs its other factor, a
softmax its result, a sum nothing. :class:`Needed` says what each operation needs by its
mathematics, and :class:`~flopslib.memory.torch_rules.Torch` what PyTorch keeps. A tensor that
two operations need is kept once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, NamedTuple

from flopslib.derivation.operands import Operand, external
from flopslib.derivation.steps import Part, Step
from flopslib.sizes.checks import flag, shown, whole_number
from flopslib.sizes.exact import plain, wrapped
from flopslib.traffic.passes import step_groups
from flopslib.traffic.widths import whole_bytes

__all__ = ["Item", "Kept", "Needed", "Storage", "kept"]


class Item(NamedTuple):
    """Something that an operation keeps: an operand, or numbers beside the operands.

    Attributes:
        rule: why it is kept.
        operand: the tensor; None: numbers that are no operand.
        numbers: how many they are, where they are no operand.
        bits: the width of each; None: that of an activation.
        copy: whether it is a tensor of its own, as a cast makes one.
    """

    rule: str
    operand: Operand | None = None
    numbers: Any = 0
    bits: int | None = None
    copy: bool = False


@dataclass(frozen=True, eq=False)
class Storage:
    """A tensor that is kept.

    Attributes:
        name: the operand, or what it is beside the operands.
        step: the first step that keeps it.
        rule: why.
        numbers: how many numbers it holds.
        bits: the width of each.
    """

    name: str
    step: str
    rule: str
    numbers: Any
    bits: int

    @property
    def bytes(self) -> Any:
        """How many bytes it takes up."""
        size = wrapped(self.numbers) * self.bits
        return plain(wrapped(self.numbers) * (self.bits // 8)) if self.bits % 8 == 0 else (
            whole_bytes(plain(size))
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Kept:
    """What a forward pass keeps.

    Attributes:
        storages: the tensors, in the order in which they are first kept.
        again: the most that one checkpoint keeps while it is computed once more.
    """

    storages: tuple[Storage, ...]
    again: Any = 0

    @property
    def bytes(self) -> Any:
        """The bytes of all tensors."""
        return plain(sum((wrapped(each.bytes) for each in self.storages), start=0))

    @property
    def peak(self) -> Any:
        """The bytes of all tensors, and of the checkpoint that is computed once more."""
        return plain(wrapped(self.bytes) + wrapped(self.again))

    @property
    def by_rule(self) -> dict[str, Any]:
        """The bytes by the reason for which they are kept, the largest first."""
        found: dict[str, Any] = {}
        for each in self.storages:
            found[each.rule] = plain(wrapped(found.get(each.rule, 0)) + wrapped(each.bytes))
        if all(isinstance(n, int) for n in found.values()):
            return dict(Counter(found).most_common())
        return found

    def __repr__(self) -> str:
        return f"Kept({self.bytes} bytes in {len(self.storages)} tensors)"


Group = list[Step]


class Keeper:
    """Says what each operation keeps.

    Attributes:
        bits: the width of an activation.
    """

    def __init__(self, bits: int = 16) -> None:
        """Take the width of an activation, in bits."""
        self.bits = int(whole_number("bits", bits))

    def prepared(self, steps: list[Step]) -> list[Step]:
        """Return the steps as they are run."""
        return steps

    def items(self, step: Step, needs: Callable[[Operand], bool]) -> Iterator[Item]:
        """Yield what a step keeps, given which operands need a gradient."""
        raise NotImplementedError

    def size(self, operand: Operand) -> Any:
        """Return how many numbers are kept where an operand is."""
        return operand.size

    def width(self, operand: Operand) -> int:
        """Return the width of an operand's numbers."""
        return self.bits


FACTOR = "the other factor of a product"
ARGUMENT = "the argument of a function"
RESULT = "the result of a function"
STATISTICS = "mean and deviation of a norm"
SIGN = "a bit that says on which side"
MASK = "the mask of a dropout"
PLACE = "the place of the largest"

#: What the gradient of a function needs: its argument, its result, or a bit a number.
OF_ARGUMENT = {"GELU", "GELU by tanh", "SiLU", "Mish", "GLU", "hard swish", "softplus",
               "layer norm", "RMS norm"}  # fmt: skip
OF_RESULT = {"softmax", "log softmax", "sigmoid", "tanh", "ELU"}
OF_SIDE = {"ReLU", "leaky ReLU", "PReLU", "ReLU6", "hard sigmoid"}
OF_NOTHING = {"scaling", "rotation", "average pooling", "batch norm", "running statistics",
              "look-up"}  # fmt: skip
#: How many numbers a norm keeps for each row.
OF_A_ROW = {"layer norm": 2, "RMS norm": 1}


def function_of(step: Step) -> Part | None:
    """Return the part of a step that is a function, its name without ", one more"; None: none."""
    for part in step.parts:
        if "function" in part.takes:
            return replace(part, name=part.name.partition(",")[0])
    return None


class Needed(Keeper):
    """What the gradients need by their mathematics, and no more than that."""

    def items(self, step: Step, needs: Callable[[Operand], bool]) -> Iterator[Item]:
        """Yield what a step keeps."""
        yield from other_factors(step, needs)
        part = function_of(step)
        if part is None or not needs(step.reads[0]):
            return
        yield from self.of_function(step, part)

    def of_function(self, step: Step, part: Part) -> Iterator[Item]:
        """Yield what a function keeps whose argument needs a gradient."""
        written: Any = step.writes
        if part.name in OF_ARGUMENT:
            yield Item(ARGUMENT, step.reads[0])
        elif part.name in OF_RESULT:
            yield Item(RESULT, written)
        elif part.name in OF_SIDE:
            yield Item(SIGN, None, written.size, 1)
        elif part.name == "dropout":
            yield Item(MASK, None, written.size, 1)
        elif part.name == "max pooling":
            cells = part.operations.other["comparisons"] + 1
            yield Item(PLACE, None, written.size, max(1, (cells - 1).bit_length()))
        elif part.name not in OF_NOTHING:
            raise ValueError(f"{step.name}: nobody knows what the gradient of {part.name!r} needs")
        if part.name in OF_A_ROW:
            yield Item(STATISTICS, None, plain(OF_A_ROW[part.name] * wrapped(step.outputs)), 32)


def other_factors(step: Step, needs: Callable[[Operand], bool]) -> Iterator[Item]:
    """Yield the factors of products whose other factor needs a gradient."""
    taken = readings(step)
    for kind in ("product", "factor"):
        factors = [operand for operand, take in taken if take == kind]
        if kind == "factor" and len(factors) == 1:  # a function's result times what is learnt
            factors.insert(0, step.reads[0])
        for operand in factors:
            if any(needs(each) for each in factors if each is not operand):
                yield Item(FACTOR, operand)


def readings(step: Step) -> list[tuple[Operand, str]]:
    """Return each operand that a step reads, and how it is taken."""
    takes = [take for part in step.parts for take in part.takes]
    return list(zip(step.reads, ["term"] * (len(step.reads) - len(takes)) + takes, strict=True))


def kept(
    derivation: Any,
    keeper: Keeper | None = None,
    *,
    frozen: bool | Iterable[str] = (),
    input_gradient: bool = True,
    checkpoint: Any = False,
) -> Kept:
    """Return the activations that a forward pass keeps for the backward pass.

    Weights are not among them, nor what is there before, such as tables of sines.

    Args:
        derivation: the forward pass.
        keeper: what each operation keeps; None: what its gradient needs, at 16 bits.
        frozen: the names of weights that are not learnt; True: none is.
        input_gradient: whether the gradient of the input is wanted.
        checkpoint: steps that are computed once more on the way back, so that only what
            they read from outside is kept: names, as ``fused`` of
            :func:`flopslib.traffic.traffic` takes them, or True for all together.

    Raises:
        TypeError: no derivation, a flag that is none.
        ValueError: a step that does not say what it reads and writes, a frozen name that no
            weight has, a function whose gradient's needs are not known.

    >>> from flopslib import feed_forward, formula
    >>> kept(formula(feed_forward)).bytes
    18*B*L*d
    """
    flag("input_gradient", input_gradient)
    if not hasattr(derivation, "steps"):
        raise TypeError(
            f"derivation must be a derivation such as flopslib.linear(…) returns, "
            f"got {shown(derivation)}"
        )
    keeper = Needed() if keeper is None else keeper
    steps = keeper.prepared(list(derivation.steps))
    groups = list(step_groups(steps, checkpoint, "checkpoint"))
    needs = _needs(steps, _wanted(steps, frozen, input_gradient))
    inside = [_storages(group, keeper, needs) for group in groups]
    if checkpoint is False:
        return Kept(tuple(_storages(steps, keeper, needs).values()))
    found: dict[Any, Storage] = {}
    again = []
    for group, own in zip(groups, inside, strict=True):
        alone = len({step.writes for step in group}) == 1
        if not alone:
            again.append(plain(sum((wrapped(each.bytes) for each in own.values()), start=0)))
            own = _entering(group, keeper, needs)
        found |= {key: each for key, each in own.items() if key not in found}
    most = max(again, default=0) if all(isinstance(n, int) for n in again) else again[0]
    return Kept(tuple(found.values()), most)


CHECKPOINT = "what a checkpoint begins with"


def _entering(group: Group, keeper: Keeper, needs: dict[Operand, bool]) -> dict[Any, Storage]:
    found: dict[Any, Storage] = {}
    for operand in external(group):
        if operand.role == "input" and any(needs[step.writes] for step in group if step.writes):
            found[operand] = _storage(Item(CHECKPOINT, operand), operand, group[0], keeper)
    return found


def _storages(steps: Group, keeper: Keeper, needs: dict[Operand, bool]) -> dict[Any, Storage]:
    found: dict[Any, Storage] = {}
    turned = {step.writes for step in steps if is_rotation(step)}
    free: list[tuple[Step, Item]] = []

    def is_needed(operand: Operand) -> bool:
        return any(needs.get(source, False) for source in operand.sources())

    for _, together in groupby(steps, key=lambda step: step.writes):
        group = list(together)
        step = replace(group[0], shape=(plain(sum(wrapped(s.outputs) for s in group)),))
        for item in keeper.items(step, is_needed):
            if item.rule == SIGN:
                free.append((step, item))
                continue
            for operand in _tensors(item, turned):
                new = operand is None or item.copy
                key: Any = (step.writes, item.rule, len(found)) if new else operand
                found.setdefault(key, _storage(item, operand, step, keeper))
    for step, item in free:  # what is kept anyway tells the side
        if step.writes not in found and step.reads[0] not in found:
            found[step.writes, item.rule] = _storage(item, None, step, keeper)
    return {key: each for key, each in found.items() if not is_zero(each.numbers)}


def _tensors(item: Item, turned: set[Any]) -> Iterator[Operand | None]:
    """Yield the tensors that an item is about: a view holds all that it is cut out of."""
    if item.operand is None:
        yield None
        return
    for part in _cut(item.operand, turned):
        if part.role in ("input", "cache"):
            yield part


def _cut(operand: Operand, turned: set[Any]) -> Iterator[Operand]:
    """Yield what an operand is made of; queries and keys are turned one by one, and so apart."""
    if not operand.of or operand.of[0] in turned:
        yield operand
    else:
        for part in operand.of:
            yield from _cut(part, turned)


def is_rotation(step: Step) -> bool:
    """Return whether a step turns pairs of numbers."""
    part = function_of(step)
    return part is not None and part.name == "rotation"


def is_zero(number: Any) -> bool:
    """Return whether a number is known to be 0."""
    return isinstance(number, int) and number == 0


def _storage(item: Item, operand: Operand | None, step: Step, keeper: Keeper) -> Storage:
    name = step.name.partition(",")[0]
    if operand is None:
        return Storage(item.rule, name, item.rule, item.numbers, item.bits or keeper.bits)
    bits = item.bits or keeper.width(operand)
    return Storage(operand.name, name, item.rule, keeper.size(operand), bits)


def _wanted(
    steps: list[Step], frozen: bool | Iterable[str], input_gradient: bool
) -> Callable[[Operand], bool]:
    weights = {each.name for each in external(steps) if each.role == "weight"}
    left_out = weights if frozen is True else set() if frozen is False else set(frozen)
    for name in sorted(left_out - weights):
        known = ", ".join(sorted(weights)) or "none"
        raise ValueError(f"frozen must be weights of the derivation: {known}, got {name!r}")

    def wanted(operand: Operand) -> bool:
        if operand.role == "weight":
            return operand.name not in left_out
        return operand.role == "input" and input_gradient

    return wanted


def _needs(steps: list[Step], wanted: Callable[[Operand], bool]) -> dict[Operand, bool]:
    """Say for every operand whether its gradient is needed."""
    needs: dict[Operand, bool] = {}
    for step in steps:
        sources = [
            source
            for operand, take in readings(step)
            if take != "index"
            for source in operand.sources()
        ]
        for source in sources:
            needs.setdefault(source, wanted(source))
        made: Any = step.writes
        needs[made] = needs.get(made, False) or any(needs[source] for source in sources)
    return needs
