"""Changes of a derivation that change what is kept: dropouts, and LoRA beside frozen layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand, Replacing
from flopslib.derivation.steps import Step
from flopslib.sizes.checks import whole_number

__all__ = ["dropped", "with_lora"]


def dropped(derivation: Derivation, *after: str) -> Derivation:
    """Return a derivation with a dropout after each of some steps.

    Args:
        derivation: what is computed.
        after: the names of the steps whose results go through a dropout.

    Raises:
        ValueError: a name that no step has.

    >>> from flopslib import feed_forward
    >>> [step.name for step in dropped(feed_forward(3, 4), "second linear").steps]
    ['first linear', 'GELU', 'second linear', 'second linear, dropout']
    """
    _check_names(derivation, after)

    def changed(group: list[Step]) -> Iterator[Step]:
        written: Any = group[0].writes
        yield from group
        masked = replace(written, name=f"dropped_{written.name}")
        name, part = f"{_name(group[0])}, dropout", primitives.dropout()
        yield Step(name, (part,), written.shape, "number", (written,), masked)

    return _changed(derivation, set(after), changed)


def with_lora(derivation: Derivation, rank: Any, *beside: str | tuple[str, ...]) -> Derivation:
    """Return a derivation with LoRA beside some linear layers: two narrow ones, and a sum.

    The weights of the narrow layers are called after the step, "… LoRA down" and "… LoRA up".
    Freeze the others to train these alone: :func:`flopslib.memory.kept` takes their names.

    Args:
        derivation: what is computed.
        rank: the width between the two narrow layers.
        beside: the names of the linear layers; those in one tuple read the same input, and
            share the first of the narrow layers.

    Raises:
        TypeError, ValueError: a rank that is none, a name that no step has, a step without
            a weight.

    >>> from flopslib import feed_forward
    >>> [step.name for step in with_lora(feed_forward(3, 4), 2, "second linear").steps][2:]
    ['second linear', 'second linear LoRA down', 'second linear LoRA up', 'second linear, sum']
    """
    width = whole_number("rank", rank)
    groups = [names if isinstance(names, tuple) else (names,) for names in beside]
    _check_names(derivation, tuple(name for names in groups for name in names))
    first = {name: names[0] for names in groups for name in names}
    narrow: dict[str, Operand] = {}

    def changed(group: list[Step]) -> Iterator[Step]:
        step = group[0]
        weights = [each for each in step.reads if each.role == "weight"]
        if not weights or step.windowed:
            raise ValueError(f"beside must be linear layers, and {_name(step)!r} is none")
        name, x, written = _name(step), step.reads[0], step.writes
        yield step
        leader = first[name]
        if leader not in narrow:
            inputs, rows = weights[0].shape[-1], step.shape[:-1]
            narrow[leader] = Operand(f"{leader}_narrow", (*rows, width))
            yield _product(f"{leader} LoRA down", x, (width, inputs), narrow[leader])
        assert written is not None
        up = Operand(f"{written.name}_lora", written.shape)
        outputs = (weights[0].shape[0], width)
        yield _product(f"{name} LoRA up", narrow[leader], outputs, up)
        summed = replace(written, name=f"summed_{written.name}")
        part = primitives.residual_sum()
        yield Step(f"{name}, sum", (part,), step.shape, reads=(written, up), writes=summed)

    return _changed(derivation, set(first), changed)


def _product(name: str, x: Operand, shape: tuple[Any, ...], y: Operand) -> Step:
    weight = Operand(name, shape, "weight")
    part = primitives.dot_product(shape[1])
    return Step(name, (part,), y.shape, reads=(x, weight), writes=y)


def _changed(derivation: Derivation, names: set[str], changed: Any) -> Derivation:
    """Put other steps in the place of some; later ones read what the last of them writes."""
    instead: dict[Operand, Operand] = {}
    steps: list[Step] = []
    for written, together in groupby(derivation.steps, key=lambda step: step.writes):
        group = [
            replace(step, reads=tuple(map(Replacing(instead), step.reads))) for step in together
        ]
        if written is None or _name(group[0]) not in names:
            steps += group
            continue
        steps += changed(group)
        instead[written] = steps[-1].writes  # type: ignore[assignment]
    return Derivation(tuple(steps), derivation.name)


def _name(step: Step) -> str:
    return step.name.partition(",")[0]


def _check_names(derivation: Derivation, wanted: tuple[str, ...]) -> None:
    known = dict.fromkeys(map(_name, derivation.steps))
    for name in wanted:
        if name not in known:
            raise ValueError(f"no step is called {name!r}; there are {', '.join(known)}")
