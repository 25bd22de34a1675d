"""Arrays of counting numbers in plain Python, with the names and the meaning that NumPy has.

The loops of layers move numbers about: they cut windows, join heads and turn axes. An array
holds its numbers in one list, row after row; each of these moves picks from it.

>>> x = array([[1, 2, 3], [4, 5, 6]])
>>> x.shape, x[:, 1:].tolist(), x.transpose(1, 0)[2].tolist()
((2, 3), [[2, 3], [5, 6]], [3, 6])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from math import prod
from operator import add, mul
from typing import Any

__all__ = [
    "Array",
    "array",
    "broadcast_to",
    "concatenate",
    "empty",
    "empty_like",
    "ndindex",
    "pad",
    "split",
    "stack",
]

Shape = tuple[int, ...]


class Array:
    """Numbers of any kind in rows and columns, and in further axes.

    Every index makes a copy; what is assigned to an index changes the array itself.
    """

    __slots__ = ("flat", "shape")

    def __init__(self, cells: list[Any], shape: Shape) -> None:
        """Hold the numbers, row after row, and the shape."""
        self.flat = cells
        self.shape = shape

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.flat)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.flat) if self.ndim == 1 else (self[at] for at in range(len(self)))

    def _at(self, index: Any) -> tuple[Shape, list[int]]:
        """Return the shape of what an index picks, and the places of its numbers."""
        given = index if isinstance(index, tuple) else (index,)
        given += (slice(None),) * (self.ndim - len(given))
        sides, places = [], [0]
        for part, side in zip(given, self.shape, strict=True):
            picked = range(side)[part]
            if isinstance(picked, range):
                sides.append(len(picked))
                places = [place * side + at for place in places for at in picked]
            else:
                places = [place * side + picked for place in places]
        return tuple(sides), places

    def __getitem__(self, index: Any) -> Any:
        sides, places = self._at(index)
        if not sides:
            return self.flat[places[0]]
        return Array([self.flat[place] for place in places], sides)

    def __setitem__(self, index: Any, value: Any) -> None:
        sides, places = self._at(index)
        cells = broadcast_to(value, sides).flat if sides else [value]
        for place, cell in zip(places, cells, strict=True):
            self.flat[place] = cell

    def reshape(self, *shape: Any) -> Array:
        """Return the same numbers in another shape; one side may be -1, and is then found.

        >>> array([1, 2, 3, 4]).reshape(2, -1).tolist()
        [[1, 2], [3, 4]]
        """
        sides: list[int] = list(shape[0] if isinstance(shape[0], tuple) else shape)
        if -1 in sides:
            known = -prod(sides)
            sides[sides.index(-1)] = self.size // known if known else 0
        if prod(sides) != self.size:
            raise ValueError(f"{self.size} numbers do not fill the shape {tuple(sides)}")
        return Array(self.flat, tuple(sides))

    def ravel(self) -> Array:
        """Return the numbers on one axis."""
        return self.reshape(-1)

    def transpose(self, *axes: int) -> Array:
        """Return the array with its axes in another order."""
        order = [range(self.ndim)[axis] for axis in axes]
        if sorted(order) != list(range(self.ndim)):
            raise ValueError(f"axes must name each of {self.ndim} axes once, got {axes}")
        steps = [prod(self.shape[axis + 1 :]) for axis in order]
        shape = tuple(self.shape[axis] for axis in order)
        return Array(_walked(self.flat, shape, steps), shape)

    def swapaxes(self, first: int, second: int) -> Array:
        """Return the array with two of its axes exchanged."""
        axes = list(range(self.ndim))
        axes[first], axes[second] = axes[second], axes[first]
        return self.transpose(*axes)

    def take(self, index: int, axis: int) -> Any:
        """Return the numbers at one place of an axis."""
        return self[(slice(None),) * (axis % self.ndim) + (index,)]

    def tolist(self) -> list[Any]:
        """Return nested lists."""
        return [part.tolist() if isinstance(part, Array) else part for part in self]

    def _with(self, other: Any, operation: Callable[[Any, Any], Any]) -> Array:
        others = broadcast_to(other, self.shape).flat
        return Array(list(map(operation, self.flat, others)), self.shape)

    def __add__(self, other: Any) -> Array:
        return self._with(other, add)

    def __mul__(self, other: Any) -> Array:
        return self._with(other, mul)


def _walked(cells: list[Any], shape: Shape, steps: Sequence[int]) -> list[Any]:
    """Return the cells that are met when each axis of a shape takes steps of its own."""
    places = [0]
    for side, step in zip(shape, steps, strict=True):
        places = [place + at * step for place in places for at in range(side)]
    return [cells[place] for place in places]


def array(nested: Any) -> Array:
    """Return an array of nested lists, or of arrays in a list."""
    if isinstance(nested, Array):
        return nested
    if nested and isinstance(nested[0], (list, tuple, Array)):
        return stack([array(part) for part in nested])
    return Array(list(nested), (len(nested),))


def empty(shape: Iterable[int]) -> Array:
    """Return an array to be filled."""
    sides = tuple(shape)
    return Array([None] * prod(sides), sides)


def empty_like(x: Array) -> Array:
    """Return an array to be filled, of the same shape."""
    return empty(x.shape)


def ndindex(*shape: int) -> Iterator[Shape]:
    """Return every place of a shape, in order.

    >>> list(ndindex(2, 2))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return product(*map(range, shape))


def broadcast_to(x: Any, shape: Shape) -> Array:
    """Return an array, or a single number, repeated to fill a shape.

    >>> broadcast_to(array([[1], [2]]), (2, 3)).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    x = x if isinstance(x, Array) else Array([x], ())
    sides = (1,) * (len(shape) - x.ndim) + x.shape
    if len(sides) > len(shape) or any(s not in (1, w) for s, w in zip(sides, shape, strict=True)):
        raise ValueError(f"the shape {x.shape} does not fit {shape}")
    steps = [prod(sides[axis + 1 :]) if side > 1 else 0 for axis, side in enumerate(sides)]
    return Array(_walked(x.flat, shape, steps), shape)


def stack(arrays: Sequence[Array]) -> Array:
    """Return arrays of one shape on a new first axis."""
    if len({x.shape for x in arrays}) != 1:
        raise ValueError(f"arrays must have one shape, got {[x.shape for x in arrays]}")
    return Array([cell for x in arrays for cell in x.flat], (len(arrays), *arrays[0].shape))


def concatenate(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Return arrays joined along an axis.

    >>> concatenate([array([[1], [2]]), array([[3, 4], [5, 6]])], axis=1).tolist()
    [[1, 3, 4], [2, 5, 6]]
    """
    before = arrays[0].shape[:axis]
    rows = [x.reshape(*before, 1, -1) for x in arrays]
    side = sum(x.shape[axis] for x in arrays)
    cells = [cell for at in ndindex(*before) for x in rows for cell in x[at].flat]
    return Array(cells, (*before, side, *arrays[0].shape[axis + 1 :]))


def split(x: Array, parts: int) -> list[Array]:
    """Return equal parts of an array, cut along its first axis."""
    if len(x) % parts:
        raise ValueError(f"parts must divide {len(x)}, got {parts}")
    side = len(x) // parts
    return [x[at : at + side] for at in range(0, len(x), side)]


def pad(x: Array, widths: Sequence[tuple[int, int]], value: Any = 0) -> Array:
    """Return an array with a value before and after it along each axis.

    >>> pad(array([[1, 2]]), [(0, 0), (1, 2)]).tolist()
    [[0, 1, 2, 0, 0]]
    """
    sides = zip(x.shape, widths, strict=True)
    made = broadcast_to(value, tuple(before + side + after for side, (before, after) in sides))
    sides = zip(x.shape, widths, strict=True)
    made[tuple(slice(before, before + side) for side, (before, _) in sides)] = x
    return made
