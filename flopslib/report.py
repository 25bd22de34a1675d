"""Counting a whole network: a shape goes in at the front, a report comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flopslib.compiling import KINDS
from flopslib.derivation import Derivation
from flopslib.layers.layer import Counts, Layer, Shape, ShapeError, joined
from flopslib.opcount import MAIN_KINDS, OpCount
from flopslib.sizes import shown

if TYPE_CHECKING:
    import pandas

__all__ = ["Report", "Row", "count"]


class Node:
    """A layer at work on an input: what it made of it, and what that cost."""

    __slots__ = ("input_shape", "layer", "output_shape", "own", "parts", "total")

    def __init__(self, layer: Layer, x: Shape, y: Shape, own: Counts, parts: Any) -> None:
        """Sum up what the layer and the parts of it cost."""
        self.layer = layer
        self.input_shape = x
        self.output_shape = y
        self.own = own
        self.parts: list[tuple[str, Node]] = parts
        columns = zip(own, *[part.total for _, part in parts], strict=True)
        self.total: Counts = tuple(map(sum, columns)) if parts else own


def measured(layer: Layer, x: Shape, seen: dict[tuple[int, Shape], Node] | None = None) -> Node:
    """Run a shape through a layer. What meets the same shape again is not measured again."""
    seen = {} if seen is None else seen
    key = (id(layer), x)  # a node keeps its layer, so no other one can get its id
    node = seen.get(key)
    if node is None:
        node = seen[key] = _measured(layer, x, seen)
    return node


def _measured(layer: Layer, x: Shape, seen: dict[tuple[int, Shape], Node]) -> Node:
    parts: list[tuple[str, Node]] = []
    foreign = not type(layer).__module__.startswith("flopslib.")  # the tests check the library's

    def run(name: str, part: Layer, shape: Shape) -> Shape:
        if foreign:
            _check_run(layer, parts, name, part, shape)
        node = seen.get((id(part), shape))
        if node is None:
            try:
                node = seen[id(part), shape] = _measured(part, shape, seen)
            except ShapeError as error:
                raise error.inside(name) from None
        parts.append((name, node))
        return node.output_shape

    y = layer.flow(x, run) if layer._flows() else layer.output_shape(x)
    if foreign:
        _check_shape(f"the output of {layer!r}", y)
        _check_own(layer)
    return Node(layer, x, y, layer._counts(x, y), parts)


def _check_shape(what: str, shape: Any) -> None:
    if type(shape) is not tuple or any(type(side) is not int for side in shape):
        raise TypeError(f"{what} must be a tuple of integers, got {shown(shape)}")
    if any(side < 1 for side in shape):
        raise ValueError(f"{what} must be positive integers, got {shape}")


def _check_run(
    layer: Layer, parts: list[tuple[str, Node]], name: Any, part: Any, shape: Any
) -> None:
    """Check what a container of somebody else's hands to ``run``."""
    if not isinstance(name, str) or "." in name:
        raise TypeError(f"{layer!r} needs a name without a dot for what it runs, got {name!r}")
    if any(name == other for other, _ in parts):
        raise ValueError(f"{layer!r} runs two layers under the name {name!r}: each needs its own")
    if not isinstance(part, Layer):
        raise TypeError(f"{layer!r} runs {name!r}, which must be a layer, got {shown(part)}")
    if part.parameters and all(part is not kept for kept in layer.kept):
        raise TypeError(f"{layer!r} runs {name} without keeping it: give it to _set")
    _check_shape(f"the shape that {layer!r} gives to {name!r}", shape)


def _check_own(layer: Layer) -> None:
    """Check what a layer of somebody else's says of itself."""
    cls = type(layer)
    silent = cls.output_shape is Layer.output_shape and cls.cost is Layer.cost
    if layer.kept and silent and not layer._flows() and cls._formula is Layer._formula:
        raise TypeError(f"{layer!r} keeps layers and runs none: define flow(x, run)")
    weights = layer.weights
    if not isinstance(weights, Mapping):
        raise TypeError(f"the weights of {layer!r} must be a property that gives a dict of shapes")
    for name, shape in weights.items():
        _check_shape(f"the shape of {name!r} in {layer!r}", shape)


def count(model: Layer, input_shape: Any) -> Report:
    """Count a network, layer by layer, for an input of a given shape.

    Args:
        model: a layer, such as ``flopslib.models.resnet50()``.
        input_shape: the shape of the input, the batch included, such as
            (1, 3, 224, 224) for an image or (1, 2048) for a text of tokens.

    Raises:
        TypeError: a model that is no layer, a shape that is no tuple of integers.
        ValueError: a shape that does not fit; the message names the layer's path,
            what it got and what it needs.

    >>> from flopslib.models import resnet18
    >>> report = count(resnet18(), (1, 3, 224, 224))
    >>> report.macs, report.parameters
    (1814073344, 11689512)
    """
    return Report(measured(_layer(model), _checked(input_shape)))


def _layer(model: Any) -> Layer:
    if isinstance(model, Layer):
        return model
    hint = ""
    if any(base.__module__.startswith("torch.") for base in type(model).__mro__):
        hint = "; that is a module of torch: build it from flopslib.layers by the same names"
    elif isinstance(model, type) or hasattr(model, "__name__"):
        hint = f"; call it: {model.__name__}()"
    raise TypeError(f"model must be a layer of flopslib, got {shown(model)}{hint}")


def _checked(input_shape: Any) -> Shape:
    if not isinstance(input_shape, (tuple, list)):
        raise TypeError(
            f"input_shape must be a tuple of positive integers such as (1, 3, 224, 224), "
            f"got {shown(input_shape)}"
        )
    return tuple(_side(at, side) for at, side in enumerate(input_shape))


def _side(at: int, side: Any) -> int:
    from flopslib.layers.arguments import size

    return size(f"input_shape[{at}]", side)


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

    @property
    def derivation(self) -> Derivation:
        """What the layer costs, as "per output × outputs"."""
        return self.layer.cost(self.input_shape, self.output_shape)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.output_shape))
        return (
            f"{self.path or self.type}: {self.layer!r} → {shape}, "
            f"{self.parameters:,} parameters, {self.macs:,} MACs"
        )


@dataclass(frozen=True)
class Group(_Counted):
    """Layers of a report taken together: a stage, a block, or all of one type."""

    path: str
    type: str
    output_shape: Shape | None
    parameters: int
    layers: int
    _counts: Counts

    def __repr__(self) -> str:
        return (
            f"{self.path or self.type}: {self.layers} layers, "
            f"{self.parameters:,} parameters, {self.macs:,} MACs"
        )


class Report(_Counted):
    """What a network costs, layer by layer.

    The totals have the names they have on a derivation: ``multiplications``,
    ``additions``, ``macs``, ``flops``, ``exact_flops``, ``other``.
    """

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
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return self._root.layer.parameters

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for each layer, in the order in which they are run."""
        return tuple(_rows("", self._root))

    @property
    def derivation(self) -> Derivation:
        """Everything, step by step; each step is named after its layer."""
        steps = [_stepped(row.path, step) for row in self.rows for step in row.derivation.steps]
        return Derivation(tuple(steps), type(self.model).__name__)

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
        inside = [row for row in self.rows if f"{row.path}.".startswith(f"{path}.")]
        if len(inside) == 1 and inside[0].path == path:
            return inside[0]
        if not inside:
            raise KeyError(f"no layer at {path!r}; {self._near(path)}")
        return _grouped(path, "", inside)

    def _near(self, path: str) -> str:
        import difflib

        outer = dict.fromkeys(group.path for group in self.groups())
        every = outer | dict.fromkeys(row.path for row in self.rows)
        near = difflib.get_close_matches(path, every, cutoff=0.4)
        if near:
            return f"near it are {', '.join(near)}"
        return f"the outermost are {', '.join(outer)}"

    def __contains__(self, path: object) -> bool:
        return any(f"{row.path}.".startswith(f"{path}.") for row in self.rows)

    def groups(self, depth: int = 1) -> tuple[Row | Group, ...]:
        """Return the parts of the network down to a depth, each with all that is inside.

        >>> from flopslib.models import resnet18
        >>> [group.path for group in count(resnet18(), (1, 3, 224, 224)).groups()][4:6]
        ['layer1', 'layer2']
        """
        if type(depth) is not int or depth < 0:
            raise ValueError(f"depth must be a non-negative integer, got {shown(depth)}")
        return tuple(_groups("", self._root, depth))

    def by_type(self) -> tuple[Group, ...]:
        """Return what the layers of each type cost together, the most expensive first."""
        types: dict[str, list[Row]] = {}
        for row in self.rows:
            types.setdefault(row.type, []).append(row)
        groups = [_grouped("", name, rows) for name, rows in types.items()]
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

    # --- showing it; the drawing is elsewhere, and imported when it is asked for

    def table(self, depth: int | None = None) -> Any:
        """Return a table of the layers, or of the parts down to a depth."""
        from flopslib.report_views import ReportTable

        return ReportTable(self, depth)

    def tree(self, depth: int | None = None) -> Any:
        """Return the network as a tree, with the MACs and parameters of every part."""
        from flopslib.report_views import Tree

        return Tree(self._root, depth)

    def markdown(self, depth: int | None = None) -> str:
        """Return the table as Markdown."""
        return str(self.table(depth).markdown())

    def csv(self) -> str:
        """Return every row and figure as CSV, with a header and no total."""
        from flopslib.report_views import csv

        return csv(self)

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas DataFrame, a row a layer; pandas has to be installed.

        Counts past 64 bits are Python integers in a column of objects.
        """
        import pandas

        from flopslib.report_views import FIELDS, records

        return pandas.DataFrame(records(self), columns=list(FIELDS)).set_index("path")

    def as_dict(self) -> dict[str, Any]:
        """Return totals and rows as plain values, for JSON."""
        from flopslib.report_views import as_dict

        return as_dict(self)

    def __repr__(self) -> str:
        return repr(self.table(self.fitting_depth()))

    def _repr_html_(self) -> str:
        html: str = self.table(self.fitting_depth())._repr_html_()
        return html

    def fitting_depth(self, most: int = 40) -> int | None:
        """Return how deep a table can go with so many rows; None: to every layer."""
        if len(self.rows) <= most:
            return None
        depth = 1
        while len(self.groups(depth + 1)) <= most:
            depth += 1
        return depth


def _stepped(path: str, step: Any) -> Any:
    from dataclasses import replace

    return replace(step, name=joined(path, step.name) if path else step.name)


def _rows(path: str, node: Node, owned: bool = True) -> Iterator[Row]:
    kept = Counter(id(layer) for layer in node.layer.kept)
    for name, part in node.parts:
        # what is kept once and run again has its weights already
        yield from _rows(joined(path, name), part, owned and kept[id(part.layer)] > 0)
        kept[id(part.layer)] -= 1
    layer, about = node.layer, (node.layer, node.input_shape, node.output_shape)
    parameters = layer.own_parameters if layer._flows() else layer.parameters
    if not layer._flows() or parameters or any(node.own):
        yield Row(path, type(layer).__name__, *about, parameters if owned else 0, node.own)


def _groups(path: str, node: Node, depth: int) -> Iterator[Row | Group]:
    if depth == 0 or not node.parts:
        rows = list(_rows(path, node))
        yield from (
            rows
            if len(rows) == 1 and rows[0].path == path
            else [_grouped(path, type(node.layer).__name__, rows, node.output_shape)]
        )
        return
    for name, part in node.parts:
        inner = joined(path, name)
        # a nameless part, such as the body of a residual block, is no level of its own
        yield from _groups(inner, part, depth - 1 if name else depth)


def _grouped(path: str, kind: str, rows: list[Row], shape: Shape | None = None) -> Group:
    counts = tuple(map(sum, zip((0,) * len(KINDS), *(row._counts for row in rows), strict=True)))
    parameters = sum(row.parameters for row in rows)
    return Group(path, kind, shape, parameters, len(rows), counts)
