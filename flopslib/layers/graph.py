"""Networks with branches, joins and skips, several inputs and several outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from flopslib.costs.dense import matmul
from flopslib.derivation.derivation import Derivation
from flopslib.layers.arguments import axis
from flopslib.layers.habits import nearest, no_layer
from flopslib.layers.layer import Formula, Layer, Run, Shape, several

#: The name of a node or an input, and which of its results, if it has several.
Source: TypeAlias = tuple[str, str]


class Cat(Layer):
    """Join several results along one axis, as torch.cat; that is a copy, for nothing.

    Shapes:
        several that differ along ``dim`` alone → their sum along ``dim``

    >>> Cat().output_shape(((1, 64, 28, 28), (1, 128, 28, 28)))
    (1, 192, 28, 28)
    """

    _takes = range(1, 10**6)

    def __init__(self, dim: int = 1) -> None:
        self._set(dim=axis("dim", dim))

    def output_shape(self, input_shape: Any) -> Shape:
        """Add up the joined axis; all others must agree."""
        first, *others = shapes = several(input_shape)
        if not -len(first) <= self.dim < len(first):
            self._refuse(f"has no dimension {self.dim} in an input of shape {first}")
        at = self.dim % len(first)
        around = (*first[:at], *first[at + 1 :])
        if any((*shape[:at], *shape[at + 1 :]) != around for shape in others):
            listed = ", ".join(map(str, shapes))
            self._refuse(f"joins dimension {at} of shapes that differ elsewhere: {listed}")
        return (*first[:at], sum(shape[at] for shape in shapes), *first[at + 1 :])


def _matmul(rows: Any, inner: Any, columns: Any, batch: Any) -> Derivation:
    return matmul(rows, inner, columns, batch=batch)


class MatMul(Layer):
    """The product of two results, as torch.matmul; the axes before the last two are a batch.

    Shapes:
        (…, m, k) and (…, k, n) → (…, m, n)

    >>> from flopslib import count
    >>> count(MatMul(), ((2, 3, 4), (2, 4, 5))).macs
    120
    """

    _takes = (2,)

    def output_shape(self, input_shape: Any) -> Shape:
        """Compare what meets, and drop it."""
        left, right = several(input_shape)
        fits = len(left) == len(right) >= 2 and left[:-2] == right[:-2] and left[-1] == right[-2]
        if not fits:
            self._refuse(f"needs shapes (…, m, k) and (…, k, n), got {left} and {right}")
        return (*left[:-1], right[-1])

    def _formula(self, x: Any, y: Shape) -> Formula:
        left, right = x
        batch = 1
        for side in left[:-2]:
            batch *= side
        return _matmul, (left[-2], left[-1], right[-1], batch), ()


class Graph(Layer):
    """Layers that feed each other by name: branches, joins, skips, several inputs and outputs.

    A node is a layer, or a tuple of a layer and the names of what it gets. Without names it gets
    what the node before it made; the first one gets the inputs. A layer joins what it gets
    (:class:`Cat`, :class:`Sum`, :class:`Product`, :class:`MatMul`), and checks that it fits.

    Args:
        nodes: the nodes by name, in the order in which they are run, as a dict or by keyword.
        inputs: what the inputs are called: one name, or several.
        outputs: the names of what comes out; None: what the last node makes.

    Of a node that makes several results, ``"node.0"`` is the first; of a graph inside,
    ``"node.name"`` is the output of that name.

    Raises:
        TypeError: a node that is no layer.
        ValueError: a name that is used twice, or that nothing before it has.

    A skip around an inner part that halves the image and doubles it again:

    >>> from flopslib import count
    >>> from flopslib.layers import Conv2d, ConvTranspose2d
    >>> net = Graph(
    ...     wide=Conv2d(3, 8, 3, padding=1),
    ...     deep=Conv2d(8, 16, 3, stride=2, padding=1),
    ...     up=ConvTranspose2d(16, 8, 2, stride=2),
    ...     skip=(Cat(1), "wide", "up"),
    ...     head=Conv2d(16, 2, 1),
    ... )
    >>> count(net, (1, 3, 32, 32))["skip"].output_shape
    (1, 16, 32, 32)

    Two inputs, and two outputs:

    >>> from flopslib.layers import Identity, Linear
    >>> both = Graph(
    ...     joined=(Cat(-1), "image", "text"), score=Linear(12, 1), mean=(Identity(), "joined"),
    ...     inputs=("image", "text"), outputs=("score", "mean"),
    ... )
    >>> report = count(both, {"image": (2, 8), "text": (2, 4)})
    >>> report.outputs
    {'score': (2, 1), 'mean': (2, 12)}
    """

    def __init__(
        self,
        nodes: Mapping[str, Any] | None = None,
        /,
        *,
        inputs: str | Iterable[str] = "x",
        outputs: str | Iterable[str] | None = None,
        **more: Any,
    ) -> None:
        named = {**(nodes or {}), **more}
        if not named:
            raise ValueError("Graph needs at least one node, got none")
        known = _names("inputs", inputs)
        before = known
        made: list[tuple[str, Layer, tuple[Source, ...]]] = []
        keys: dict[str, tuple[str, ...]] = {}
        for name, given in named.items():
            _check_name(name, known)
            layer, *sources = given if isinstance(given, tuple) else (given,)
            if not isinstance(layer, Layer):
                raise TypeError(no_layer(f"node {name!r}", layer))
            asked = tuple(_source(name, each, known, keys) for each in sources)
            made.append((name, layer, asked or tuple((each, "") for each in before)))
            keys[name] = layer.outputs if isinstance(layer, Graph) else ()
            known, before = (*known, name), (name,)
        wanted = before if outputs is None else _names("outputs", outputs)
        found = tuple(_source("outputs", each, known, keys) for each in wanted)
        self._set(inputs=_names("inputs", inputs), nodes=made, outputs=wanted, found=found)

    def __repr__(self) -> str:
        number = len(self.nodes)
        return f"Graph({number} node{'' if number == 1 else 's'})"

    def flow(self, x: Any, run: Run) -> Any:
        """Run every node on what it asks for."""
        given = several(x)
        if len(given) != len(self.inputs):
            named = ", ".join(self.inputs)
            self._refuse(f"needs {len(self.inputs)} inputs ({named}), got {len(given)}: {x}")
        results: dict[str, Any] = dict(zip(self.inputs, given, strict=True))
        for name, layer, sources in self.nodes:
            asked = (self._result(results, source) for source in sources)
            results[name] = run(name, layer, *(shape for each in asked for shape in several(each)))
        found = tuple(self._result(results, source) for source in self.found)
        return found[0] if len(found) == 1 else found

    def _result(self, results: Mapping[str, Any], source: Source) -> Any:
        name, key = source
        if not key:
            return results[name]
        shapes = several(results[name])
        if int(key) >= len(shapes):
            self._refuse(f"asks for {name}.{key}, and {name} makes {len(shapes)} results")
        return shapes[int(key)]


def _names(argument: str, given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise TypeError(f"{argument} must be a name or several, got {given!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"{argument} must differ from each other, got {names}")
    return names


def _check_name(name: Any, known: tuple[str, ...]) -> None:
    if not isinstance(name, str) or not name or "." in name:
        raise ValueError(f"a node's name must be text without a dot, got {name!r}")
    if name in known:
        raise ValueError(f"a node must not be called {name!r}: that name is taken")


def _source(
    asking: str, given: Any, known: tuple[str, ...], keys: Mapping[str, tuple[str, ...]]
) -> Source:
    """Return the name of a result, and its number where it is one of several."""
    if not isinstance(given, str):
        raise TypeError(f"{asking} must name what it gets, such as {known[-1]!r}, got {given!r}")
    name, _, key = given.partition(".")
    if name not in known:
        near = nearest(name, known)
        hint = f"near it are {', '.join(near)}" if near else f"there are {', '.join(known)}"
        raise ValueError(f"{asking} asks for {given!r}, which nothing before it makes; {hint}")
    if key in keys.get(name, ()):
        key = str(keys[name].index(key))
    if key and not key.isdecimal():
        outputs = ", ".join(keys.get(name, ())) or "numbers"
        raise ValueError(f"{asking} asks for {given!r}; the outputs of {name} are {outputs}")
    return name, key
