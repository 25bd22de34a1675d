"""A network as one derivation: what one layer returns is what the next one reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand, Replacing
from flopslib.derivation.steps import Step
from flopslib.layers.attention import ScaledDotProductAttention
from flopslib.layers.combinators import Shared
from flopslib.layers.layer import Layer, Node, Shape, checked_shape, joined, measured
from flopslib.layers.values import Value

__all__ = ["linked"]


def linked(model: Layer, input_shape: Any, *, training: bool = False) -> Derivation:
    """Return all steps of a network as one derivation, each named after its layer.

    A report has the cost of each layer by itself. Here an operand that one layer writes is the
    one that another reads, so that it is known what has to be kept, and how long.

    Args:
        model: a layer, such as ``flopslib.models.resnet18()``.
        input_shape: the shape of the input, the batch included.
        training: whether dropout and norms do what they do in training.

    Raises:
        TypeError: a model that is no layer, a shape that is none.
        ValueError: a shape that does not fit.

    >>> from flopslib.layers import Linear, ReLU, Sequential
    >>> network = linked(Sequential(Linear(3, 5), ReLU(), Linear(5, 2)), (7, 3))
    >>> [step.name for step in network.steps]
    ['0.linear', '1.ReLU', '2.linear']
    >>> network.steps[1].reads[0] is network.steps[0].writes
    True
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model must be a layer of flopslib, got {model!r}")
    root = measured(model, checked_shape(input_shape), training=training)
    linking = _Linking(training)
    linking.run(root, [linking.value(root.input_shape, Operand("input", root.input_shape))], "")
    return Derivation(tuple(linking.steps), type(model).__name__)


class _Linking:
    """Runs a network on shapes that know which operand they are."""

    def __init__(self, training: bool) -> None:
        self.steps: list[Step] = []
        self._training = training
        self._operands: dict[int, Operand] = {}
        self._values: list[Value] = []  # so that no two get one id

    def value(self, shape: Shape, operand: Operand) -> Value:
        value = Value.made(shape, True)
        self._values.append(value)
        self._operands[id(value)] = operand
        return value

    def operand(self, value: Value, path: str) -> Operand:
        """Return which operand a shape is, or what it is made of."""
        if id(value) not in self._operands:
            of = tuple(self.operand(source, path) for source in value.of)
            self._values.append(value)
            self._operands[id(value)] = Operand(joined(path, "view"), (*value,), of=of)
        return self._operands[id(value)]

    def run(self, node: Node, inputs: list[Value], path: str) -> Value:
        layer = node.layer
        if isinstance(layer, Shared):
            inner = measured(layer.layer, node.input_shape, training=self._training)
            return self.run(inner, inputs, path)
        if layer._flows():
            return self._flow(node, inputs, path)
        return self._leaf(node, inputs, path)

    def _flow(self, node: Node, inputs: list[Value], path: str) -> Value:
        in_turn = iter(node.parts)

        def run(name: str, part: Layer, *shapes: Shape) -> Value:
            _, inner = next(in_turn)
            known = [self._known(shape, inputs, path) for shape in shapes]
            return self.run(inner, known, joined(path, name))

        given: Any = inputs[0] if len(inputs) == 1 else (*inputs,)
        y = node.layer.flow(given, run)
        return self._known(y, inputs, path)

    def _known(self, shape: Shape, inputs: list[Value], path: str) -> Value:
        """Return a result as it is; a shape of unknown origin is cut out of the input."""
        if isinstance(shape, Value):
            return shape
        of = tuple(self.operand(value, path) for value in inputs)
        return self.value(shape, Operand(joined(path, "view"), (*shape,), of=of))

    def _leaf(self, node: Node, inputs: list[Value], path: str) -> Value:
        read = [self.operand(value, path) for value in inputs]
        derivation = node.derivation()
        shape = node.output_shape
        if not derivation.steps:  # what comes out is what went in
            return self.value(shape, Operand(joined(path, "view"), shape, of=tuple(read)))
        asked = [each for each in derivation.operands if each.role == "input"]
        instead = dict(zip(asked, _seen_as(asked, read, path), strict=False))
        if isinstance(node.layer, ScaledDotProductAttention) and node.layer.cache:
            instead |= dict(_with_past(instead, node, path))
        replacing = Replacing(instead | dict(_named(derivation, instead, path)))
        for step in derivation.steps:
            writes = None if step.writes is None else replacing(step.writes)
            reads = tuple(map(replacing, step.reads))
            name = joined(path, step.name)
            self.steps.append(replace(step, name=name, reads=reads, writes=writes))
        return self.value(shape, replacing(derivation.result))


def _seen_as(asked: list[Operand], read: list[Operand], path: str) -> Iterator[Operand]:
    """Yield what a layer reads for each of its operands: the same numbers, in its own shape."""
    if len(read) == 1:
        read = read * len(asked)
    for operand, source in zip(asked, read, strict=False):
        if operand.shape == source.shape:
            yield source
        else:
            yield Operand(joined(path, operand.name), operand.shape, operand.role, of=(source,))


def _with_past(
    instead: dict[Operand, Operand], node: Node, path: str
) -> Iterator[tuple[Operand, Operand]]:
    """Yield keys and values with those that a cache holds of the positions before."""
    for asked, new in instead.items():
        if asked.name in ("keys", "values"):
            source = new.of[0] if new.of else new
            (samples, positions, _), layer = node.output_shape, node.layer
            heads = source.size // (samples * positions * layer.head_dim)
            shape = (samples, heads, layer.cache, layer.head_dim)
            past = Operand(joined(path, f"past_{asked.name}"), shape, "cache")
            yield asked, replace(new, shape=asked.shape, of=(source, past))


def _named(
    derivation: Derivation, instead: dict[Operand, Operand], path: str
) -> Iterator[tuple[Operand, Operand]]:
    for operand in {each for step in derivation.steps for each in (*step.reads, step.writes)}:
        if operand is not None and operand not in instead and not operand.of:
            yield operand, replace(operand, name=joined(path, operand.name))
