"""A tape: it runs operations on numbers, keeps what they did, and goes back through them.

Every operation is executed number by number, forward and backward. Where an operand is read
more than once, the gradients of its readings are added up; what needs no gradient gets none.

>>> from flopslib.loops.counting import Tally
>>> tape, tally = Tape(), Tally()
>>> x, w = (tape.operand([tally.number(n)]) for n in (2, 3))
>>> y = tape.product(x, w, {(0,): [((0,), (0,))]})
>>> gradients = tape.back(y, {(0,): tally.number(5)}, {x})
>>> gradients[x][0,].value
15
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Any, TypeAlias

from flopslib.loops.counting import nested, term
from flopslib.loops.gradients import summed, weighed
from flopslib.loops.loop import dot
from flopslib.loops.primitives import total

__all__ = ["Flat", "Made", "Tape", "flat", "nest"]

Place: TypeAlias = tuple[int, ...]
#: Numbers by their places.
Flat: TypeAlias = dict[Place, Any]
#: For each result, the places of the pairs whose products are added up.
Pairs: TypeAlias = Mapping[Place, list[tuple[Place, Place]]]


def flat(numbers: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every number of nested lists with its place.

    >>> dict(flat([[5, 7]]))
    {(0, 0): 5, (0, 1): 7}
    """
    if not isinstance(numbers, list):
        yield place, numbers
        return
    for at, part in enumerate(numbers):
        yield from flat(part, (*place, at))


def nest(found: Flat, shape: Iterable[int]) -> Any:
    """Return nested lists of what was found at each place, and 0 where there is nothing.

    >>> nest({(0, 1): 7}, (1, 2))
    [[0, 7]]
    """
    sides = tuple(shape)
    places = product(*map(range, sides))
    return nested(sides, lambda: found.get(next(places), 0))


def places(*sides: int) -> Iterator[Place]:
    """Yield the places of an array."""
    return product(*map(range, sides))


class Made:
    """Numbers on a tape, by their places, and those that they were made of."""

    def __init__(self, numbers: Flat, of: tuple[Made, ...] = ()) -> None:
        """Take the numbers, and what they were made of."""
        self.numbers = numbers
        self.of = of

    def __getitem__(self, place: Place) -> Any:
        """Return the number at a place."""
        return self.numbers[place]

    @property
    def shape(self) -> Place:
        """How long each axis is."""
        return tuple(1 + max(axis) for axis in zip(*self.numbers, strict=True))


Way: TypeAlias = Callable[[Flat, Made], Flat]


class Tape:
    """What was computed, in order; see the module."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._done: list[tuple[Made, Way]] = []

    def operand(self, numbers: Any) -> Made:
        """Put nested lists of numbers on the tape."""
        return Made(dict(flat(numbers)))

    def _keep(self, numbers: Flat, of: tuple[Made, ...], way: Way) -> Made:
        made = Made(numbers, of)
        self._done.append((made, way))
        return made

    def back(self, result: Made, gradient: Flat, wanted: Collection[Made]) -> dict[Made, Flat]:
        """Return the gradients of what is wanted, from that of a result."""
        needed = set(wanted)
        for made, _ in self._done:
            if needed & set(made.of):
                needed.add(made)
        found: dict[Made, list[Flat]] = {result: [gradient]}
        for made, way in reversed(self._done):
            if made not in found:
                continue
            whole = _added(found.pop(made))
            for operand in made.of:
                if operand in needed:
                    found.setdefault(operand, []).append(way(whole, operand))
        return {made: _added(found[made]) for made in wanted if made in found}

    # --- moves, which are no operations

    def moved(self, x: Made, to: Mapping[Place, Place]) -> Made:
        """Put numbers elsewhere, or at several places: for each place, where it comes from."""

        def way(g: Flat, _: Made) -> Flat:
            found = _by(lambda place: to[place], g)
            return {source: summed([g[p] for p in each]) for source, each in found}

        return self._keep({place: x[source] for place, source in to.items()}, (x,), way)

    def spread(self, x: Made, over: Iterable[Place]) -> Made:
        """Put numbers among zeros."""

        def way(g: Flat, _: Made) -> Flat:
            return {place: g[place] for place in x.numbers}

        return self._keep({place: x.numbers.get(place, 0) for place in over}, (x,), way)

    def joined(self, first: Made, second: Made, shift: Callable[[Place], Place]) -> Made:
        """Put numbers beside others, each at its place shifted."""
        there = {shift(place): place for place in second.numbers}

        def way(g: Flat, operand: Made) -> Flat:
            if operand is second:
                return {source: g[place] for place, source in there.items() if place in g}
            return {place: g[place] for place in first.numbers if place in g}

        numbers = first.numbers | {place: second[source] for place, source in there.items()}
        return self._keep(numbers, (first, second), way)

    # --- products, sums, factors

    def product(self, left: Made, right: Made, pairs: Pairs, from_zero: Made | None = None) -> Made:
        """Add up the products of pairs, for each result.

        The gradient of each number is the sum over all its pairs. That of ``from_zero``
        begins at 0, and every product is added to it: which of its numbers take part is
        known only when it is run.
        """

        def way(g: Flat, operand: Made) -> Flat:
            met: dict[Place, list[tuple[Any, Any]]] = {}
            for place, terms in pairs.items():
                for a, b in terms if place in g else ():
                    mine, other = (a, right[b]) if operand is left else (b, left[a])
                    met.setdefault(mine, []).append((g[place], other))
            if operand is from_zero:
                return {at: _from_zero(each) for at, each in met.items()}
            return {at: dot(*map(list, zip(*each, strict=True))) for at, each in met.items()}

        numbers = {
            place: dot([left[a] for a, _ in terms], [right[b] for _, b in terms])
            for place, terms in pairs.items()
        }
        return self._keep(numbers, (left, right), way)

    def summed(self, x: Made, terms: Mapping[Place, list[Place]]) -> Made:
        """Add numbers up; the gradient of each is that of its sum."""

        def way(g: Flat, _: Made) -> Flat:
            return {source: g[place] for place, of in terms.items() for source in of}

        numbers = {place: total([x[source] for source in of]) for place, of in terms.items()}
        return self._keep(numbers, (x,), way)

    def term(
        self, x: Made, added: Made, at: Callable[[Place], Place], from_zero: bool = False
    ) -> Made:
        """Add to each number one of another operand, such as a bias."""

        def way(g: Flat, operand: Made) -> Flat:
            if operand is x:
                return g
            met = _by(at, g)
            if from_zero:
                return {place: _summed_from_zero([g[p] for p in each]) for place, each in met}
            return {place: summed([g[p] for p in each]) for place, each in met}

        return self._keep({p: n + added[at(p)] for p, n in x.numbers.items()}, (x, added), way)

    def factor(self, x: Made, by: Made, at: Callable[[Place], Place]) -> Made:
        """Multiply each number with one of another operand, such as γ; no MACs."""

        def way(g: Flat, operand: Made) -> Flat:
            if operand is x:
                return {place: g[place] * by[at(place)] for place in g}
            return {
                place: weighed([g[p] for p in each], [x[p] for p in each])
                for place, each in _by(at, g)
            }

        return self._keep({p: n * by[at(p)] for p, n in x.numbers.items()}, (x, by), way)

    # --- operations with a gradient of their own

    def each(self, x: Made, operation: Callable[[Any], tuple[Any, Callable[[Any], Any]]]) -> Made:
        """Run an operation on every number."""
        done = {place: operation(number) for place, number in x.numbers.items()}

        def way(g: Flat, _: Made) -> Flat:
            return {place: done[place][1](one) for place, one in g.items()}

        return self._keep({place: y for place, (y, _) in done.items()}, (x,), way)

    def rows(
        self, x: Made, operation: Callable[[Any], Any], keep: Mapping[Place, int] | None = None
    ) -> Made:
        """Run an operation on every row, which is what shares all axes but the last.

        Args:
            x: the numbers.
            operation: from a row to the results and the way back.
            keep: how many results of a row go on; None: all.
        """
        rows: dict[Place, list[Place]] = {}
        for place in sorted(x.numbers):
            rows.setdefault(place[:-1], []).append(place)
        done = {row: operation([x[p] for p in at]) for row, at in rows.items()}

        def way(g: Flat, _: Made) -> Flat:
            found: Flat = {}
            for row, at in rows.items():
                given = [g.get(place, 0) for place in at]
                found |= dict(zip(at, done[row][1](given), strict=True))
            return found

        numbers: Flat = {}
        for row, at in rows.items():
            kept = len(at) if keep is None else keep[row]
            numbers |= dict(list(zip(at, done[row][0], strict=True))[:kept])
        return self._keep(numbers, (x,), way)

    # --- layers

    def linear(self, x: Made, weight: Made, bias: Made | None = None) -> Made:
        """Multiply the last axis with a matrix, and add a bias."""
        outputs, inputs = weight.shape
        rows = dict.fromkeys(place[:-1] for place in x.numbers)
        y = self.product(
            x,
            weight,
            {
                (*row, o): [((*row, i), (o, i)) for i in range(inputs)]
                for row in rows
                for o in range(outputs)
            },
        )
        return y if bias is None else self.term(y, bias, lambda place: place[-1:])

    def norm(self, x: Made, gamma: Made | None, beta: Made | None, operation: Any) -> Made:
        """Normalise every row, multiply by γ, and add β."""
        learnt = [made for made in (gamma, beta) if made is not None]
        rows: dict[Place, list[Place]] = {}
        for place in x.numbers:
            rows.setdefault(place[:-1], []).append(place)
        given = [[made[i,] for i in range(len(made.numbers))] for made in learnt]
        done = {row: operation([x[p] for p in at], *given) for row, at in rows.items()}
        hats = {row: operation([x[p] for p in at])[0] for row, at in rows.items()}

        def way(g: Flat, operand: Made) -> Flat:
            if operand is x:
                found: Flat = {}
                for row, at in rows.items():
                    found |= dict(zip(at, done[row][1]([g[p] for p in at]), strict=True))
                return found
            met = _by(lambda place: place[-1:], g)
            if operand is beta:
                return {place: summed([g[p] for p in each]) for place, each in met}
            return {
                place: weighed([g[p] for p in each], [hats[p[:-1]][p[-1]] for p in each])
                for place, each in met
            }

        numbers: Flat = {}
        for row, at in rows.items():
            numbers |= dict(zip(at, done[row][0], strict=True))
        return self._keep(numbers, (x, *learnt), way)


def _by(at: Callable[[Place], Place], g: Flat) -> Iterable[tuple[Place, list[Place]]]:
    met: dict[Place, list[Place]] = {}
    for place in g:
        met.setdefault(at(place), []).append(place)
    return met.items()


def _from_zero(pairs: list[tuple[Any, Any]]) -> Any:
    whole: Any = 0
    for one, other in pairs:
        whole = whole + term(one, other)
    return whole


def _summed_from_zero(numbers: list[Any]) -> Any:
    return total([0, *numbers])


def _added(readings: list[Flat]) -> Flat:
    """Add up the gradients of one operand, number by number."""
    first, *others = readings
    if not others:
        return first
    everywhere = dict.fromkeys(place for one in readings for place in one)
    return {place: total([one.get(place, 0) for one in readings]) for place in everywhere}
