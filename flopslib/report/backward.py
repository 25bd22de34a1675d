"""The backward pass of a whole network: what the gradients cost, layer by layer.

The network is run once more with shapes that know which results they belong to. So it is known
what lies before each layer, and whose gradients come back from more than one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from itertools import count, repeat
from typing import Any, NamedTuple

from flopslib.costs.compiling import KINDS, compiled, traced
from flopslib.derivation.backward import ADDED, backward_steps
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand, external
from flopslib.derivation.steps import Step
from flopslib.layers.combinators import Sequential, Shared
from flopslib.layers.layer import NO_COUNTS, Counts, Layer, Node, Shape, joined, measured, several
from flopslib.layers.values import Value
from flopslib.sizes.checks import flag, shown

__all__ = ["backward_root"]


class Patterns:
    """Paths that a caller named, some with stars; each has to be met."""

    def __init__(self, argument: str, given: Any) -> None:
        """Take what was given for an argument: a path, or several."""
        self.argument = argument
        self.given = (
            tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
        )
        for each in self.given:
            if not isinstance(each, str):
                raise TypeError(f"{argument} must be paths such as 'layer1.*', got {shown(each)}")
        self.met: set[str] = set()

    def has(self, path: str) -> bool:
        """Say whether a path, or something that it is inside, was named."""
        if not self.given:
            return False
        names = path.split(".")
        around = [".".join(names[: end + 1]) for end in range(len(names))]
        found = {each for each in self.given if any(fnmatchcase(p, each) for p in around)}
        self.met |= found
        return bool(found)

    def check(self, paths: Iterable[str]) -> None:
        """Refuse a path that nothing has.

        Raises:
            ValueError: one that met nothing; some of those that there are are named.
        """
        for each in self.given:
            if each not in self.met:
                near = get_close_matches(each, [*paths], cutoff=0.3) or [*paths][1:6]
                raise ValueError(
                    f"{self.argument} names {each!r}, which there is not; "
                    f"near it are {', '.join(near)}"
                )


def backward_root(
    root: Node, input_gradient: bool, frozen: Any, trainable: Any, checkpoint: Any
) -> Node:
    """Return the backward pass of a measured network, as a network that was measured.

    Args:
        root: the forward pass.
        input_gradient: whether the gradient of the network's input is computed, too.
        frozen: paths of layers, or of their weights, that are not learnt.
        trainable: paths of those that alone are learnt; None: all.
        checkpoint: paths of layers, or of steps of theirs, that are computed once more.

    Raises:
        TypeError: paths that are none, a flag that is none.
        ValueError: a path that nothing has; both frozen and trainable; a layer that does not say
            what it reads.
    """
    flag("input_gradient", input_gradient)
    left_out = Patterns("frozen", frozen)
    chosen = None if trainable is None else Patterns("trainable", trainable)
    if left_out.given and chosen:
        raise ValueError("give frozen or trainable, not both: each says what the other would")
    tracing = _Tracing(root.training, left_out, chosen, Patterns("checkpoint", checkpoint))
    inputs = [tracing.value(shape, input_gradient) for shape in several(root.input_shape)]
    found, y = tracing.run(root, inputs, owned=True)
    tracing.add_up(found, several(y))
    return found


class _Found(NamedTuple):
    """What the gradients of a layer cost, which inputs they are read for, and of its result."""

    needs: bool | None
    read: tuple[int, ...] = ()
    own: Counts = NO_COUNTS
    steps: Callable[[], Iterable[Step]] = tuple


class BackwardNode(Node):
    """A layer on the way back: what its gradients cost."""

    __slots__ = ("behind", "inside", "steps_of_its_own", "summed")

    def __init__(self, forward: Node) -> None:
        """Begin with nothing but what the layer did."""
        self.layer = forward.layer
        self.input_shape = forward.input_shape
        self.output_shape = forward.output_shape
        self.training = forward.training
        self.parts = []
        self.behind: list[BackwardNode] = []
        self.own = self.total = NO_COUNTS
        self.summed = 0
        self.inside: BackwardNode | None = None
        self.steps_of_its_own: Callable[[], Iterable[Step]] = tuple

    def derivation(self) -> Derivation:
        """Return what the gradients cost here, the parts apart."""
        name = f"backward of {type(self.layer).__name__}"
        inside = self.inside.steps() if self.inside else ()
        return Derivation((*self._sum(), *inside, *self.steps_of_its_own()), name)

    def _sum(self) -> tuple[Step, ...]:
        if not self.summed:
            return ()
        name = "sum of the gradients of the result"
        return (Step(name, (ADDED,), (self.summed,), unit="number"),)

    def add_up(self) -> Counts:
        """Add up what the layer and its parts cost, when all of it is known."""
        if self.inside:
            self.own = self.inside.add_up()
        if self.summed:
            multiplications, additions, *others = self.own
            self.own = (multiplications, additions + self.summed, *others)
        self.total = self.own
        if self.behind:
            totals = [
                part.add_up() if part.behind or part.summed or part.inside else part.total
                for part in self.behind
            ]
            columns = zip(self.own, *totals, strict=True)
            self.total = tuple(map(sum, columns))
        return self.total


# --- forward once more, with shapes that know whose they are ---------------------------


class _Tracing:
    def __init__(
        self, training: bool, frozen: Patterns, trainable: Patterns | None, again: Patterns
    ) -> None:
        self._training, self._again = training, again
        self._frozen, self._trainable = frozen, trainable
        self._is_plain = not frozen.given and trainable is None  # paths decide nothing
        self._made: list[tuple[Value, BackwardNode | None]] = []
        self._names: list[str] = []
        self._seen: dict[str, None] = {}
        self._learnt: dict[tuple[int, str], bool] = {}
        self._found: dict[Any, _Found] = {}

    @property
    def path(self) -> str:
        return joined(*self._names)

    def value(self, shape: Shape, needs: bool, of: tuple[Value, ...] = (), by: Any = None) -> Value:
        made = Value.made(shape, needs, of)
        made.noted = True
        if needs:
            self._made.append((made, by))
        return made

    def add_up(self, root: BackwardNode, outputs: Iterable[Value]) -> None:
        """Add up the gradients that come back from more than one place; check what was asked."""
        for patterns in (self._frozen, self._trainable, self._again):
            if patterns:
                patterns.check(self._seen)
        for value in outputs:
            value.reads += 1
        for value, by in reversed(self._made):
            additions = value.sums()
            if additions:
                (by or root).summed += additions
        root.add_up()

    def run(self, forward: Node, inputs: list[Value], owned: bool) -> tuple[BackwardNode, Any]:
        """Follow a layer that was run on other values, forward."""
        layer = forward.layer
        if isinstance(layer, Shared):
            return self._shared(layer, forward, inputs)
        if layer._flows():
            return self._flow(forward, inputs, owned)
        node = BackwardNode(forward)
        needs = self._own(node, forward, inputs, owned)
        of: tuple[Value, ...] = ()
        if needs is None:  # what comes out is what went in
            needs, of = any(value.needs for value in inputs), tuple(inputs)
        y: Any = forward.output_shape
        if y and isinstance(y[0], tuple):
            return node, tuple(self.value(shape, needs, of, node) for shape in y)
        return node, self.value(y, needs, of, node)

    def _shared(
        self, layer: Shared, forward: Node, inputs: list[Value]
    ) -> tuple[BackwardNode, Any]:
        """Follow the layer inside; its rows are one, as in the forward pass."""
        node = BackwardNode(forward)
        inner = measured(layer.layer, forward.input_shape, training=self._training)
        inside, y = self.run(inner, inputs, owned=False)
        node.inside = inside
        return node, y

    def _flow(self, forward: Node, inputs: list[Value], owned: bool) -> tuple[BackwardNode, Any]:
        layer, made, node = forward.layer, list(inputs), BackwardNode(forward)
        if type(layer) is Sequential and owned:
            return node, self._in_a_row(node, forward, inputs)
        kept = [id(each) for each in layer.kept]
        in_turn = iter(forward.parts)

        def run(name: str, part: Layer, *shapes: Shape) -> Any:
            _, node_before = next(in_turn)
            values = [
                shape if isinstance(shape, Value) and shape.noted else self._known(shape, made)
                for shape in shapes
            ]
            has_weights = id(part) in kept
            if has_weights:  # what is kept once and run again has its weights already
                kept.remove(id(part))
            self._names.append(name)
            inner, y = self.run(node_before, values, owned and has_weights)
            self._names.pop()
            node.parts.append((name, inner))
            node.behind.append(inner)
            made.extend(several(y))
            return y

        x: Any = inputs[0] if len(inputs) == 1 else tuple(inputs)
        y: Any = layer.flow(x, run)
        self._own(node, forward, inputs, owned)
        if y and isinstance(y[0], tuple):
            return node, tuple(self._known(shape, made) for shape in y)
        return node, self._known(y, made)

    def _in_a_row(self, node: BackwardNode, forward: Node, inputs: list[Value]) -> Any:
        """Follow a row of layers, each with weights of its own: the same, and quicker."""
        for name, before in forward.parts:
            self._names.append(name)
            inner, y = self.run(before, inputs, True)
            self._names.pop()
            node.parts.append((name, inner))
            node.behind.append(inner)
            inputs = [y] if isinstance(y, Value) else list(y)
        return inputs[0] if len(inputs) == 1 else tuple(inputs)

    def _known(self, shape: Shape, made: list[Value]) -> Value:
        """Return a result as it is; a shape of unknown origin may rest on all there is."""
        if not isinstance(shape, Value):
            return self.value(shape, any(value.needs for value in made))
        if not shape.noted:
            self._note(shape)
        return shape

    def _note(self, value: Value) -> None:
        for source in value.of:
            if not source.noted:
                self._note(source)
        value.noted = True
        self._made.append((value, None))

    # --- what one layer asks for

    def _own(
        self, node: BackwardNode, forward: Node, inputs: list[Value], owned: bool
    ) -> bool | None:
        """Note what the gradients of a layer cost, and whether its result needs one.

        None: the layer computes nothing.
        """
        asked: Any = inputs[0].needs if len(inputs) == 1 else tuple([v.needs for v in inputs])
        key = (id(forward), owned, asked)
        found = self._found.get(key)
        if found is None:
            found = self._asked(forward, inputs, owned)
            if self._is_plain:
                self._found[key] = found
        needs, read, node.own, node.steps_of_its_own = found
        node.total = node.own
        for at in read:
            inputs[at].reads += 1
        if self._again.given:
            self._once_more(node, forward)
        return needs

    def _asked(self, forward: Node, inputs: list[Value], owned: bool) -> _Found:
        cost = _cost(forward, owned)
        if cost is None:
            return _Found(None)
        needs = tuple([value.needs for value in inputs])
        try:
            if self._is_plain and isinstance(cost, _Formula):
                return cost.planned(needs)
            wanted, read = _wanted(
                cost, inputs, needs, lambda name: self._is_learnt(forward.layer, name, owned)
            )
            return _Found(True, read, *cost.backward(wanted, owned)) if wanted else _Found(False)
        except ValueError as error:
            raise ValueError(f"{self.path or type(forward.layer).__name__}: {error}") from None

    def _is_learnt(self, layer: Layer, name: str, owned: bool) -> bool:
        path, key = joined(self.path, name), (id(layer), name)
        self._seen[path] = None
        is_learnt = not self._frozen.has(path)
        if self._trainable is not None:
            is_learnt = self._trainable.has(path)
        if not owned and key in self._learnt:  # the weights of a layer that was run before
            return self._learnt[key]
        self._learnt[key] = is_learnt
        return is_learnt

    def _once_more(self, node: BackwardNode, forward: Node) -> None:
        """Add the steps of the forward pass that are computed again."""
        steps = [
            replace(step, name=f"{step.name}, once more")
            for step in forward.derivation().steps
            if self._is_again(joined(self.path, step.name))
        ]
        before = node.steps_of_its_own
        more = _counts(Derivation(tuple(steps)))
        node.own = node.total = tuple(map(sum, zip(node.own, more, strict=True)))
        node.steps_of_its_own = lambda: (*steps, *before())

    def _is_again(self, path: str) -> bool:
        self._seen[path] = None
        return self._again.has(path)


# --- what the gradients of one layer cost ----------------------------------------------


def _counts(derivation: Derivation) -> Counts:
    kinds = derivation.total.kinds()
    return tuple(kinds.get(kind, 0) for kind in KINDS)


def _wanted(
    cost: _Formula | _Derived,
    inputs: Sequence[Any],
    needs: tuple[bool, ...],
    is_learnt: Callable[[str], bool],
) -> tuple[tuple[bool, ...], tuple[int, ...]]:
    """Return of which operands the gradient is wanted, none if of no one, and of which inputs."""
    wanted: list[bool] = []
    read = []
    for operand, at in zip(cost.operands, cost.read(inputs), strict=True):
        if operand.role == "weight":
            wanted.append(is_learnt(operand.name))
        elif operand.role != "input":
            wanted.append(False)
        elif at is None:  # made inside, by a step that does not say so
            wanted.append(any(wanted) or any(needs))
        else:
            wanted.append(needs[at])
            read += [at] if needs[at] else []
    return (tuple(wanted), tuple(read)) if any(wanted) else ((), ())


class _Formula(NamedTuple):
    """The cost of a layer of the library, which sizes alone decide."""

    derive: Callable[..., Derivation]
    sizes: tuple[int, ...]
    options: tuple[tuple[str, Any], ...]

    def planned(self, needs: tuple[bool, ...]) -> _Found:
        """Return what is found where every weight is learnt."""
        derive, sizes, options = self
        read, back, counts = _plan(derive, len(sizes), options, needs)
        if back is None:
            return _Found(False)
        return _Found(True, read, counts(*sizes), lambda: back(*sizes, **dict(options)).steps)

    @property
    def operands(self) -> tuple[Operand, ...]:
        return _operands(self.derive, len(self.sizes), self.options)

    def read(self, inputs: Sequence[Any]) -> Iterator[int | None]:
        """Yield which of the inputs each operand is: all in turn, or each the only one."""
        in_turn = count() if len(inputs) > 1 else repeat(0)
        for operand in self.operands:
            yield next(in_turn) if operand.role == "input" else None

    def backward(
        self, wanted: tuple[bool, ...], owned: bool
    ) -> tuple[Counts, Callable[[], Iterable[Step]]]:
        derive = _backward(self.derive, wanted)
        counts = compiled(derive, len(self.sizes), self.options)(*self.sizes)
        return counts, lambda: derive(*self.sizes, **dict(self.options)).steps


@dataclass(frozen=True)
class _Derived:
    """The cost of any other layer, or of one whose weights were met before: a derivation."""

    derivation: Derivation

    @property
    def operands(self) -> tuple[Operand, ...]:
        return self.derivation.operands

    def read(self, inputs: Sequence[Value]) -> Iterator[int | None]:
        """Yield which of the inputs each operand is; None: none of them, by its size."""
        asked = [operand for operand in self.operands if operand.role == "input"]
        sizes = [value.size for value in inputs]
        for operand in self.operands:
            if operand in asked and len(asked) == len(inputs):
                yield asked.index(operand)
            else:
                yield sizes.index(operand.size) if operand.size in sizes else None

    def backward(
        self, wanted: tuple[bool, ...], owned: bool
    ) -> tuple[Counts, Callable[[], Iterable[Step]]]:
        asked = dict(zip(self.operands, wanted, strict=True))
        steps = backward_steps(self.derivation.steps, lambda operand: asked[operand])
        if not owned:  # its gradient joins that of the place where the weight is kept
            steps += tuple(
                Step(f"sum of the gradients of {o.name}", (ADDED,), o.shape, unit="number")
                for o, is_wanted in asked.items()
                if is_wanted and o.role == "weight"
            )
        return _counts(Derivation(steps)), lambda: steps


def _cost(forward: Node, owned: bool) -> _Formula | _Derived | None:
    layer, x = forward.layer, forward.input_shape
    kind = type(layer)
    unusual = kind.cost is not Layer.cost or kind._beside is not Layer._beside
    if unusual or (not owned and layer.weights):
        derivation = forward.derivation()
        return _Derived(derivation) if derivation.steps else None
    found = (layer._training_formula if forward.training else layer._formula)(
        x, forward.output_shape
    )
    return None if found is None else _Formula(*found)


@cache
def _plan(
    derive: Callable[..., Derivation], sizes: int, options: tuple[tuple[str, Any], ...],
    needs: tuple[bool, ...],
) -> tuple[tuple[int, ...], Callable[..., Derivation] | None, Callable[..., Counts]]:  # fmt: skip
    """Return which inputs are read for a gradient, what derives all gradients, and counts them."""
    cost = _Formula(derive, (1,) * sizes, options)
    wanted, read = _wanted(cost, needs, needs, lambda name: True)
    if not wanted:
        return read, None, lambda *_: NO_COUNTS
    back = _backward(derive, wanted)
    return read, back, compiled(back, sizes, options)


@cache
def _operands(
    derive: Callable[..., Derivation], sizes: int, options: tuple[tuple[str, Any], ...]
) -> tuple[Operand, ...]:
    names = [f"s{place}" for place in range(sizes)]
    operands: tuple[Operand, ...] = traced(derive, names, options)[1].operands
    return operands


@cache
def _backward(
    derive: Callable[..., Derivation], wanted: tuple[bool, ...]
) -> Callable[..., Derivation]:
    """Return a function from sizes to the backward pass of what they derive."""

    def backward(*sizes: Any, **options: Any) -> Derivation:
        steps = derive(*sizes, **options).steps
        asked = dict(zip(external(steps), wanted, strict=True))
        return Derivation(backward_steps(steps, lambda operand: asked[operand]))

    return backward
