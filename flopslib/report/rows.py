"""What is in a report: a row for each layer, groups of rows, and the sums over all of them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from flopslib.costs.compiling import KINDS
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import MAIN_KINDS, OpCount
from flopslib.layers.layer import Counts, Layer, Node, Shape, joined, several
from flopslib.sizes.checks import shown

__all__ = ["Group", "Measured", "Row"]


class _Counted:
    """The figures of whatever has counts in the order of ``KINDS``."""

    _counts: Counts

    @property
    def operations(self) -> OpCount:
        """All operations as one record."""
        named = dict(zip(KINDS, self._counts, strict=True))
        main = {kind: named.pop(kind) for kind in MAIN_KINDS}
        return OpCount(**main, other=named)

    @property
    def multiplications(self) -> int:
        """Multiplications, exactly as performed."""
        return self._counts[0]

    @property
    def additions(self) -> int:
        """Additions and subtractions, exactly as performed."""
        return self._counts[1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates, one per term of every dot product."""
        return self._counts[2]

    @property
    def flops(self) -> int:
        """FLOPs by the usual convention, 2 for each MAC."""
        return 2 * self._counts[2]

    @property
    def exact_flops(self) -> int:
        """Multiplications plus additions, exactly as performed."""
        return self._counts[0] + self._counts[1]

    @property
    def other(self) -> Any:
        """A read-only mapping from every other kind of operation to its count."""
        return self.operations.other


@dataclass(frozen=True)
class Row(_Counted):
    """One layer of a report.

    Attributes:
        path: where the layer is, as in "layer1.0.conv1".
        type: the name of its class.
        layer: the layer.
        input_shape: the shape that went in.
        output_shape: the shape that came out.
        parameters: how many numbers are learnt there.
    """

    path: str
    type: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: int
    _counts: Counts
    _node: Node = field(compare=False, repr=False)

    @property
    def derivation(self) -> Derivation:
        """What the layer costs, as "per output × outputs"."""
        return self._node.derivation()

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.output_shape))
        return (
            f"{self.path or self.type}: {self.layer!r} → {shape}, "
            f"{self.parameters:,} parameters, {self.macs:,} MACs"
        )


@dataclass(frozen=True)
class Group(_Counted):
    """Layers of a report taken together: a stage, a block, or all of one type.

    Attributes:
        path: where they are, as in "layer1.0"; empty for all of one type.
        type: the name of a class: theirs, or that of the layer they are in.
        output_shape: the shape that came out of the layer they are in.
        parameters: how many numbers are learnt there.
        layers: how many layers are taken together.
        layer: the layer they are in; None for all of one type, or below a path.
        input_shape: the shape that went into it.
    """

    path: str
    type: str
    output_shape: Shape | None
    parameters: int
    layers: int
    _counts: Counts
    layer: Layer | None = None
    input_shape: Shape | None = None

    @property
    def size(self) -> str:
        """How many layers there are, in words."""
        return f"{self.layers:,} layer{'' if self.layers == 1 else 's'}"

    def __repr__(self) -> str:
        return (
            f"{self.path or self.type}: {self.size}, "
            f"{self.parameters:,} parameters, {self.macs:,} MACs"
        )


class Measured(_Counted):
    """A network that was run with shapes: its rows, its groups and its totals."""

    def __init__(self, root: Node) -> None:
        """Take the measured network."""
        self._root = root
        self._counts = root.total

    @property
    def model(self) -> Layer:
        """The network that was counted."""
        return self._root.layer

    @property
    def input_shape(self) -> Shape:
        """The shape that went in."""
        return self._root.input_shape

    @property
    def output_shape(self) -> Shape:
        """The shape that came out."""
        return self._root.output_shape

    @property
    def outputs(self) -> dict[str, Shape]:
        """The shapes that came out, by the names of a graph's outputs; without names, by number.

        >>> from flopslib import count
        >>> from flopslib.layers import Linear
        >>> count(Linear(3, 2), (1, 3)).outputs
        {'0': (1, 2)}
        """
        return _by_name(self._root.layer.__dict__.get("outputs"), self.output_shape)

    @property
    def inputs(self) -> dict[str, Shape]:
        """The shapes that went in, in the same way."""
        return _by_name(self._root.layer.__dict__.get("inputs"), self.input_shape)

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return int(self._root.layer.parameters)

    @property
    def active_parameters(self) -> int:
        """How many of them work on one position, all but those of idle experts."""
        return int(self._root.layer.active_parameters)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for each layer, in the order in which they are run."""
        return tuple(_rows("", self._root, owned=True))

    @property
    def derivation(self) -> Derivation:
        """Everything, step by step; each step is named after its layer."""
        return Derivation(tuple(self._root.steps()), type(self.model).__name__)

    def __getitem__(self, path: str) -> Row | Group:
        """Return a layer's row, or what the layers inside a path cost together.

        Raises:
            KeyError: there is no such path; the nearest ones are named.
            TypeError: a path that is no text.
        """
        if not isinstance(path, str):
            raise TypeError(
                "a layer is found by its path, a text such as 'layer1.0.conv1', "
                f"got {shown(path)}; .rows has the layers in order"
            )
        if not path:
            return _whole("", self._root, owned=True)
        inside = [row for row in self.rows if is_inside(row.path, path)]
        if len(inside) == 1 and inside[0].path == path:
            return inside[0]
        if not inside:
            raise KeyError(f"no layer at {path!r}; {self._near(path)}")
        return _together(path, "", inside)

    def _near(self, path: str) -> str:
        outer = dict.fromkeys(group.path for group in self.groups())
        every = outer | dict.fromkeys(row.path for row in self.rows)
        near = difflib.get_close_matches(path, every, cutoff=0.4)
        if near:
            return f"near it are {', '.join(near)}"
        return f"the outermost are {', '.join(outer)}"

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and any(is_inside(row.path, path) for row in self.rows)

    def groups(self, depth: int = 1) -> tuple[Row | Group, ...]:
        """Return the parts of the network down to a depth, each with all that is inside.

        >>> from flopslib import count
        >>> from flopslib.models import resnet18
        >>> [group.path for group in count(resnet18(), (1, 3, 224, 224)).groups()][4:6]
        ['layer1', 'layer2']
        """
        check_depth(depth)
        return tuple(_groups("", self._root, depth))

    def entries(self, depth: int | None = None) -> tuple[Row | Group, ...]:
        """Return what a table shows: the parts down to a depth, or else every layer.

        >>> from flopslib import count
        >>> from flopslib.models import resnet18
        >>> report = count(resnet18(), (1, 3, 224, 224))
        >>> len(report.entries(0)), len(report.entries(1)), len(report.entries())
        (1, 11, 69)
        """
        return self.rows if depth is None else self.groups(depth)

    def by_type(self) -> tuple[Group, ...]:
        """Return what the layers of each type cost together, the most expensive first."""
        types: dict[str, list[Row]] = {}
        for row in self.rows:
            types.setdefault(row.type, []).append(row)
        groups = [_together("", name, rows) for name, rows in types.items()]
        return tuple(sorted(groups, key=lambda group: (-group.macs, -group.exact_flops)))

    @property
    def assumptions(self) -> tuple[str, ...]:
        """How axes were read where there is more than one way, once for each way."""
        said: dict[str, str] = {}
        for row in self.rows:
            axes = row.layer.axes(row.input_shape)
            if axes and axes not in said:
                said[axes] = f"{row.path or row.type} reads {row.input_shape} as {axes}"
        return tuple(said.values())

    def fitting_depth(self, most: int = 40) -> int | None:
        """Return how deep a table can go with so many rows; None: to every layer."""
        if len(self.rows) <= most:
            return None
        depth = 1
        while len(self.groups(depth + 1)) <= most:
            depth += 1
        return depth


def _by_name(names: Any, shapes: Any) -> dict[str, Shape]:
    listed = several(shapes)
    named = isinstance(names, tuple) and len(names) == len(listed)
    return dict(zip(names if named else map(str, range(len(listed))), listed, strict=True))


def is_inside(path: str, outer: str) -> bool:
    """Say whether a path is another one, or lies inside; the empty one is the whole network.

    >>> is_inside("layer1.0", "layer1"), is_inside("layer10", "layer1"), is_inside("fc", "")
    (True, False, True)
    """
    return not outer or f"{path}.".startswith(f"{outer}.")


def check_depth(depth: Any) -> None:
    """Check how deep a report is to go.

    Raises:
        ValueError: no whole number of at least 0.

    >>> check_depth(-1)
    Traceback (most recent call last):
    ...
    ValueError: depth must be a non-negative integer, got -1
    """
    if type(depth) is not int or depth < 0:
        raise ValueError(f"depth must be a non-negative integer, got {shown(depth)}")


def _rows(path: str, node: Node, owned: bool) -> Iterator[Row]:
    for name, part, has_weights in parts_owned(node, owned):
        yield from _rows(joined(path, name), part, has_weights)
    yield from _own_row(path, node, owned)


def parts_owned(node: Node, owned: bool) -> Iterator[tuple[str, Node, bool]]:
    """Yield the parts of a layer by name, and whether their weights are counted there."""
    kept = Counter(id(layer) for layer in node.layer.kept)
    for name, part in node.parts:
        # what is kept once and run again has its weights already
        yield name, part, owned and kept[id(part.layer)] > 0
        kept[id(part.layer)] -= 1


def _own_row(path: str, node: Node, owned: bool) -> Iterator[Row]:
    layer, about = node.layer, (node.layer, node.input_shape, node.output_shape)
    parameters = int(layer.own_parameters if layer._flows() else layer.parameters)
    if not layer._flows() or parameters or any(node.own):
        owns = parameters if owned else 0
        yield Row(path, type(layer).__name__, *about, owns, node.own, node)


def _groups(path: str, node: Node, depth: int, owned: bool = True) -> Iterator[Row | Group]:
    if depth == 0 or not node.parts:
        yield _whole(path, node, owned)
        return
    for name, part, has_weights in parts_owned(node, owned):
        inner = joined(path, name)
        # a nameless part, such as the body of a residual block, is no level of its own
        yield from _groups(inner, part, depth - 1 if name else depth, has_weights)
    yield from _own_row(path, node, owned)


def _whole(path: str, node: Node, owned: bool) -> Row | Group:
    """Return a layer with all that is inside, what is kept there and not run included."""
    rows = list(_rows(path, node, owned))
    parameters = int(node.layer.parameters) if owned else 0
    if len(rows) == 1 and (rows[0].path, rows[0].parameters) == (path, parameters):
        return rows[0]
    about = (node.output_shape, parameters, len(rows), node.total, node.layer, node.input_shape)
    return Group(path, type(node.layer).__name__, *about)


def _together(path: str, kind: str, rows: list[Row]) -> Group:
    counts = tuple(map(sum, zip((0,) * len(KINDS), *(row._counts for row in rows), strict=True)))
    return Group(path, kind, None, sum(row.parameters for row in rows), len(rows), counts)
