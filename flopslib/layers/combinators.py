"""Layers made of layers: one after the other, side by side, around a shortcut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from flopslib.derivation.derivation import Derivation
from flopslib.layers.arguments import axis
from flopslib.layers.elementwise import Product, Sum, joint
from flopslib.layers.habits import no_layer
from flopslib.layers.layer import Counts, Layer, Run, Shape, measured
from flopslib.layers.values import view

Named: TypeAlias = tuple[tuple[str, Layer], ...]


def _named(layers: tuple[Any, ...], by_name: Mapping[str, Any]) -> Named:
    for only in layers if len(layers) == 1 else ():
        if isinstance(only, Mapping):  # a dict of layers, as torch takes an OrderedDict
            layers, by_name = (), {**only, **by_name}
    named = [(str(at), layer) for at, layer in enumerate(layers)] + list(by_name.items())
    if len({name for name, _ in named}) < len(named):
        raise ValueError(f"each layer needs a name of its own, got {[n for n, _ in named]}")
    for name, layer in named:
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"a layer's name must be text without a dot, got {name!r}")
        _check_layer(f"layer {name!r}", layer)
    return tuple(named)


def _check_layer(name: str, layer: Any) -> None:
    if not isinstance(layer, Layer):
        raise TypeError(no_layer(name, layer))


class _Collection(Layer):
    """Several layers, by number or by name."""

    def __init__(self, *layers: Any, **by_name: Layer) -> None:
        self._set(children=_named(layers, by_name))

    def __repr__(self) -> str:
        number = len(self.children)
        return f"{type(self).__name__}({number} layer{'' if number == 1 else 's'})"

    def __len__(self) -> int:
        return len(self.children)

    def __iter__(self) -> Iterator[Layer]:
        """Go through the layers in order."""
        return (layer for _, layer in self.children)

    @cached_property
    def _by_key(self) -> dict[int | str, Layer]:
        by_name: dict[int | str, Layer] = dict(self.children)
        by_number = dict(zip(range(-len(self), len(self)), 2 * list(by_name.values()), strict=True))
        return by_number | by_name

    def __getitem__(self, key: int | str) -> Layer:
        """Return a layer by its number or its name."""
        found = self._by_key.get(key)
        if found is None:
            known = ", ".join(name for name, _ in self.children)
            raise KeyError(f"no layer {key!r} here; there are {known}")
        return found


class Sequential(_Collection):
    """One layer after the other, as torch.nn.Sequential: in order, or by name.

    >>> from flopslib.layers import Linear, ReLU
    >>> Sequential(Linear(784, 100), ReLU(), Linear(100, 10)).parameters
    79510
    >>> Sequential(hidden=Linear(784, 100), head=Linear(100, 10))["head"]
    Linear(100, 10)
    """

    def __getitem__(self, key: int | str | slice) -> Layer:
        """Return a layer by its number or its name, or the layers of a slice."""
        if isinstance(key, slice):
            return Sequential(dict(self.children[key]))
        return super().__getitem__(key)

    def flow(self, x: Shape, run: Run) -> Shape:
        """Give each layer what the one before it returned."""
        for name, layer in self.children:
            x = run(name, layer, x)
        return x


SUM, PRODUCT = Sum(), Product()


class Residual(Layer):
    """body(x) + shortcut(x), and what the sum goes through; the sum is a row of its own.

    The layers of a body that is a ``Sequential`` are found under their own
    names, any other under ``body``, those of the shortcut under ``shortcut``, the
    last under ``then``.

    Args:
        body: the layer around which the shortcut leads.
        shortcut: what the input goes through on its way around; None: nothing.
        then: what the sum goes through, such as the ReLU of a ResNet; None: nothing.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> count(Residual(Linear(8, 8)), (1, 8)).additions
    72
    """

    def __init__(
        self, body: Layer, shortcut: Layer | None = None, then: Layer | None = None
    ) -> None:
        for name, layer in (("body", body), ("shortcut", shortcut), ("then", then)):
            if layer is not None or name == "body":
                _check_layer(name, layer)
        taken = {name for name, _ in getattr(body, "children", ())} & {"shortcut", "sum", "then"}
        if taken:
            raise ValueError(f"a body must not call a layer {min(taken)!r}: Residual has one")
        self._set(body=body, shortcut=shortcut, then=then)

    def flow(self, x: Shape, run: Run) -> Shape:
        """Run both, compare what comes out, and add."""
        y = run("" if isinstance(self.body, Sequential) else "body", self.body, x)
        around = x if self.shortcut is None else run("shortcut", self.shortcut, x)
        if joint(y, around) is None:
            self._refuse(f"adds shapes that differ: {y} from its body, {around} around it")
        y = run("sum", SUM, y, around)
        return y if self.then is None else run("then", self.then, y)


class Concat(_Collection):
    """The same input through several branches, joined along one axis; that is a copy, for nothing.

    >>> from flopslib.layers import Conv2d, Identity
    >>> Concat(Identity(), Conv2d(64, 32, 3, padding=1)).output_shape((1, 64, 56, 56))
    (1, 96, 56, 56)
    """

    def __init__(self, *layers: Any, dim: int = 1, **by_name: Layer) -> None:
        children = _named(layers, by_name)
        if not children:
            raise ValueError("Concat needs at least one layer, got none")
        self._set(children=children, dim=axis("dim", dim))

    def flow(self, x: Shape, run: Run) -> Shape:
        """Add up the joined axis; all others must agree."""
        shapes = {name: run(name, layer, x) for name, layer in self.children}
        first = next(iter(shapes.values()))
        if not -len(first) <= self.dim < len(first):
            self._refuse(f"has no dimension {self.dim} in a result of shape {first}")
        at = self.dim % len(first)
        for shape in shapes.values():
            if shape[:at] != first[:at] or shape[at + 1 :] != first[at + 1 :]:
                listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
                self._refuse(f"joins dimension {at} of shapes that differ elsewhere: {listed}")
        joined = sum(shape[at] for shape in shapes.values())
        return view((*first[:at], joined, *first[at + 1 :]), *shapes.values())


class _Joined(_Collection):
    NAME: ClassVar[str]
    ROW: ClassVar[Layer]

    def __init__(self, *layers: Any, **by_name: Layer) -> None:
        super().__init__(*layers, **by_name)
        taken = [name for name, _ in self.children if name.startswith(self.NAME)]
        if taken:
            raise ValueError(
                f"a layer of {type(self).__name__} must not be called {taken[0]!r}: "
                f"the {self.NAME}s are called so"
            )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Broadcast the results of all branches, as torch does, and join them one by one."""
        first, *others = [run(name, layer, x) for name, layer in self.children] or [x]
        if not others:
            self._refuse("needs two or more layers")
        for at, shape in enumerate(others, start=1):
            name = self.NAME if at == 1 else f"{self.NAME}{at}"
            if joint(first, shape) is None:
                self._refuse(f"joins results that do not broadcast together: {first} and {shape}")
            first = run(name, self.ROW, first, shape)
        return first


class Multiply(_Joined):
    """The same input through several branches, multiplied number by number.

    >>> from flopslib import count
    >>> from flopslib.layers import Identity, Sigmoid
    >>> count(Multiply(Identity(), Sigmoid()), (1, 10)).multiplications
    10
    """

    NAME, ROW = "product", PRODUCT


class Add(_Joined):
    """The same input through several branches, added number by number."""

    NAME, ROW = "sum", SUM


class _Wrapper(Layer):
    def __init__(self, layer: Layer) -> None:
        _check_layer("layer", layer)
        self._set(layer=layer)


class Shared(_Wrapper):
    """A layer whose weights are another one's: it is run, and owns no parameters.

    >>> from flopslib.layers import Linear
    >>> Shared(Linear(768, 50257, bias=False)).parameters
    0
    """

    @property
    def parameters(self) -> int:
        """None: they are counted where they are owned."""
        return 0

    @property
    def idle_parameters(self) -> int:
        """None, either."""
        return 0

    def output_shape(self, input_shape: Shape) -> Shape:
        """Ask the layer."""
        shape: Shape = self.layer.output_shape(input_shape)
        return shape

    def cost(self, input_shape: Shape, output_shape: Shape) -> Derivation:
        """Ask the layer, everything inside it included."""
        derivation: Derivation = self.layer.derivation(input_shape)
        return derivation

    def training_cost(self, input_shape: Shape, output_shape: Shape) -> Derivation:
        """Ask the layer, as in training."""
        node = measured(self.layer, input_shape, training=True)
        return Derivation(tuple(node.steps()), type(self.layer).__name__)

    def _counts(self, x: Shape, y: Shape, training: bool = False) -> Counts:
        return measured(self.layer, x, training=training).total


class NotRun(_Wrapper):
    """A layer whose weights are there and which is not run, such as an auxiliary head.

    What comes in goes out again.

    >>> from flopslib.layers import Linear
    >>> NotRun(Linear(768, 1000)).parameters, NotRun(Linear(768, 1000)).output_shape((1, 9))
    (769000, (1, 9))
    """
