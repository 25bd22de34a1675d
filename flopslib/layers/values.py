"""Shapes that know which results they belong to, for those who follow a network backward.

Counting passes plain shapes from layer to layer. Following gradients passes :class:`Value` in
their place: the same tuple, with a place to note who needs its gradient.
"""

from __future__ import annotations

import math
from typing import Any

from flopslib.layers.layer import Shape

__all__ = ["Value", "view"]


class Value(tuple[int, ...]):
    """A shape of one certain result.

    Attributes:
        needs: whether something learnt lies before it, so that its gradient is computed.
        of: the results it is made of without an operation; empty: it is a result itself.
        reads: how many gradients come back to it, from all that read it.
        back: how many numbers come back to it besides, from what is made of it.
        noted: whether the one who follows knows it already.
    """

    needs = False
    of: tuple[Value, ...] = ()
    reads = 0
    back = 0
    noted = False

    @classmethod
    def made(cls, shape: Shape, needs: bool, of: tuple[Value, ...] = ()) -> Value:
        """Return the shape of a new result."""
        value = cls(shape)
        if needs:
            value.needs = True
        if of:
            value.of = of
        return value

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self)

    def sums(self) -> int:
        """Return how many additions join what comes back, and pass that on to what it is of.

        Gradients that come back for different parts of it need no sum.
        """
        if not self.reads and not self.back:
            return 0
        for source in self.of:
            source.back += min(self.size, source.size)
        if not self.needs or (self.reads < 2 and not self.back):
            return 0
        return max(0, (self.reads - 1) * self.size + self.back)


def view(shape: Shape, *sources: Any) -> Shape:
    """Return a shape of numbers that other results have already: cut, joined or reordered.

    A container says with it where a shape comes from that no layer inside returned, so that
    gradients find their way: in a ``flow``, ``view((n, l, h, d // h), queries)``.

    >>> view((2, 8), (2, 3), (2, 5))
    (2, 8)
    """
    of = tuple(source for source in sources if isinstance(source, Value))
    return Value.made(shape, any(source.needs for source in of), of) if of else shape
