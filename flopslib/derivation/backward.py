"""From what a computation does to what its gradients cost, step by step, in reverse.

A product that is summed up has two factors, and each one that needs a gradient gets a product
of its own: for a linear layer, every weight sums over the batch, and every input over the
outputs. How long these sums are follows from the MACs, which are the same for both: so many
for each number of the operand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from flopslib.derivation import primitives
from flopslib.derivation.gradients import summed, weighed
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
from flopslib.sizes.exact import exact_quotient, plain, wrapped

__all__ = ["backward_steps"]

Group = tuple[Step, ...]
Reading = tuple[int, Operand, str, Part]

ONE_TERM = primitives.dot_product(1)
ONE_MORE_TERM = primitives.one_more(primitives.dot_product)
ADDED = Part("sum of gradients", OpCount(additions=1))


def backward_steps(steps: Iterable[Step], wanted: Callable[[Operand], bool]) -> tuple[Step, ...]:
    """Return the steps that compute the gradients, given that of the last result.

    Args:
        steps: what was computed, in order.
        wanted: whether the gradient of an operand from outside is asked for. None is computed
            of what nothing wanted lies before.

    Raises:
        ValueError: a step that does not say what it reads and writes, an operation without a
            gradient, an operand from a cache.
    """
    groups = [tuple(group) for _, group in groupby(map(_checked, steps), key=lambda s: s.writes)]
    needs = _needs(groups, wanted)
    left = Counter(
        source
        for group in groups
        for _, operand, _, _ in _readings(group[0])
        for source in operand.sources()
        if needs[source]
    )
    readers = dict(left)
    found: list[Step] = []
    for group in reversed(groups):
        for reading in _readings(group[0]):
            sources = [source for source in reading[1].sources() if needs[source]]
            if sources:
                found += _gradients(group, reading, sources)
            for source in sources:
                left[source] -= 1
                if not left[source] and readers[source] > 1:
                    found.append(_sum(source, readers[source]))
    return tuple(
        step for step in found if any(_is_any(n) for n in step.per_output.kinds().values())
    )


def _checked(step: Step) -> Step:
    if not step.reads or step.writes is None:
        raise ValueError(
            f"the step {step.name!r} does not say what it reads and writes, so it has no gradient: "
            f"give it reads=(Operand(…), …) and writes=Operand(…)"
        )
    for operand in (source for each in step.reads for source in each.sources()):
        if operand.role == "cache" and _is_any(operand.size):
            raise ValueError(
                f"{operand.name} is from a cache of shape {operand.shape}, and a training pass "
                f"keeps none: leave kv_seq_len at None"
            )
    return step


def _needs(groups: list[Group], wanted: Callable[[Operand], bool]) -> dict[Operand, bool]:
    """Say for every operand whether its gradient is needed."""
    needs: dict[Operand, bool] = {}
    for group in groups:
        sources = {source for each in group[0].reads for source in each.sources()}
        for source in sources:
            if source not in needs:
                needs[source] = wanted(source)
        made: Any = group[0].writes
        needs[made] = any(needs[source] for source in sources)
    return needs


def _readings(step: Step) -> Iterator[Reading]:
    """Yield each operand that a step reads: its place, how it is taken, and by which part."""
    taken = [(take, part) for part in step.parts for take in part.takes]
    through = len(step.reads) - len(taken)  # what a bias alone is added to
    taken = [("term", step.parts[0])] * through + taken
    for place, (operand, (take, part)) in enumerate(zip(step.reads, taken, strict=True)):
        if take != "index":  # a number of a row has no gradient
            yield place, operand, take, part


def _gradients(group: Group, reading: Reading, sources: list[Operand]) -> Iterator[Step]:
    place, operand, take, part = reading
    name = f"{group[0].name}, gradient of {operand.name}"
    if take == "function":
        yield from (_of_function(step, operand) for step in group)
    elif take == "product" and ((place == 0 and group[0].windowed) or place in group[0].chosen):
        for step in group:
            yield Step(name, (primitives.scatter(*part.terms),), step.shape, step.unit)
    elif take == "term" and place in group[0].chosen:  # the sums begin at 0
        for step in group:
            yield Step(name, (ADDED,), step.shape, step.unit)
    elif take == "product":
        yield from _of_product(group, place, operand, sources, name)
    elif take == "row":  # of a table: what comes back for a row is added to its gradient
        written: Any = group[0].writes
        yield Step(name, (ADDED,), written.shape, "number")
    else:
        writes: Any = group[0].writes
        met = exact_quotient(writes.size, operand.size)
        counted = weighed(met) if take == "factor" else summed(met)
        yield Step(name, (Part(f"gradient of a {take}", counted),), operand.shape, "number")


def _of_function(step: Step, operand: Operand) -> Step:
    backs = []
    for part in (part for part in step.parts if "function" in part.takes):
        if part.back is None:
            raise ValueError(f"{step.name}: no gradient is known of {part.name!r}")
        backs.append(Part(f"gradient of {part.name}", part.back()))
    return Step(f"{step.name}, gradient of {operand.name}", tuple(backs), step.shape, step.unit)


def _of_product(
    group: Group, place: int, operand: Operand, sources: list[Operand], name: str
) -> Iterator[Step]:
    macs = plain(sum(wrapped(step.macs) for step in group))
    if place in group[0].uneven:
        further = plain(wrapped(macs) - wrapped(operand.size))
        yield Step(f"{name}, first", (ONE_TERM,), operand.shape, "number's first product")
        yield Step(f"{name}, further", (ONE_MORE_TERM,), (further,), "further product")
        return
    part = primitives.dot_product(exact_quotient(macs, operand.size))
    is_whole = len(sources) == len([*operand.sources()])
    for shape in [operand.shape] if is_whole else [source.shape for source in sources]:
        yield Step(name, (part,), shape, "number")


def _sum(source: Operand, readers: int) -> Step:
    shape = (readers - 1, *source.shape)
    return Step(f"sum of the gradients of {source.name}", (ADDED,), shape, unit="number")


def _is_any(count: Any) -> bool:
    return bool(count != 0) if not hasattr(count, "any") else bool(count.any())
