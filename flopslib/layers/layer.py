"""What a layer is: a value that knows its shapes, its weights and what it costs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, NoReturn, TypeAlias

from flopslib.compiling import KINDS, compiled
from flopslib.derivation import Derivation

Shape: TypeAlias = tuple[int, ...]
Counts: TypeAlias = tuple[int, ...]
#: A function from sizes to a derivation, the sizes, and its fixed options.
Formula: TypeAlias = tuple[Callable[..., Derivation], tuple[int, ...], tuple[tuple[str, Any], ...]]
Run: TypeAlias = Callable[[str, "Layer", Shape], Shape]

FREE = Derivation(())
NO_COUNTS: Counts = (0,) * len(KINDS)


class ShapeError(ValueError):
    """A shape that does not fit a layer; the message begins with the layer's path."""

    def __init__(self, layer: Layer, problem: str, path: str = "") -> None:
        """Take the layer that refuses, what is wrong, and where the layer is."""
        self.layer = layer
        self.problem = problem
        self.path = path
        where = f"{path}: " if path else ""
        super().__init__(f"{where}{layer!r} {problem}")

    def inside(self, name: str) -> ShapeError:
        """Return the same error, seen from the layer around it."""
        return ShapeError(self.layer, self.problem, joined(name, self.path))

    def __reduce__(self) -> tuple[Any, ...]:
        return ShapeError, (self.layer, self.problem, self.path)


def joined(*names: str) -> str:
    """Join the names of a path, leaving out empty ones.

    >>> joined("layer1", "", "conv1")
    'layer1.conv1'
    """
    return ".".join(name for name in names if name)


class Layer:
    """The description of a layer: an immutable value, equal to any that is built alike.

    A layer of your own says how shapes pass through it, what it costs and which
    weights it has::

        class Swap(Layer):
            def __init__(self, channels):
                self._set(channels=channels)

            def output_shape(self, input_shape): ...   # refuse with self._refuse("needs …")
            def cost(self, input_shape, output_shape): ...     # a Derivation
            @property
            def weights(self): ...                     # {"weight": (channels,)}

    One that is made of other layers keeps them with ``_set`` and has ``flow`` in
    place of ``output_shape``; what it keeps counts among its parameters once.

    The same layer may be used in many places. As with numbers, what is used
    twice is there twice: each place has weights of its own, unless it says
    otherwise (:class:`flopslib.layers.Shared`).
    """

    _given: tuple[tuple[str, Any], ...] = ()

    def _set(self, **values: Any) -> None:
        """Keep the arguments of ``__init__``, under their names."""
        self.__dict__.update(values)
        self.__dict__["_given"] = tuple(values.items())

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a layer is a value: build another {type(self).__name__} instead")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layer):
            return NotImplemented
        return type(self) is type(other) and self._given == other._given

    def __hash__(self) -> int:
        return hash((type(self), self._given))

    def __repr__(self) -> str:
        shown = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = _short(self.__dict__.get(name, parameter.default))
            if parameter.default is parameter.empty:
                shown.append(repr(value))
            elif value != _short(parameter.default):
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    # --- what a layer says of itself

    @property
    def weights(self) -> Mapping[str, Shape]:
        """The shapes of what is learnt, by the names torch gives them."""
        return {}

    @cached_property
    def parameters(self) -> int:
        """How many numbers are learnt, here and in the layers that this one keeps."""
        inside = sum(layer.parameters for layer in _layers_in(self._given))
        return self.own_parameters + inside

    @property
    def own_parameters(self) -> int:
        """How many numbers are learnt here, the layers inside apart."""
        return sum(map(math.prod, self.weights.values()))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of what comes out.

        Raises:
            ShapeError: the layer cannot take such an input.
        """
        if self._flows():
            return self.flow(input_shape, _pass_through)
        return input_shape

    def flow(self, x: Shape, run: Run) -> Shape:
        """Run the layers that this one is made of, and return the shape of the result.

        ``run(name, layer, shape)`` returns the output shape of a layer inside. What
        is not run costs nothing: the sum of two branches is a layer too
        (:class:`flopslib.layers.Sum`).
        """
        raise NotImplementedError(f"{type(self).__name__} is not made of other layers")

    def cost(self, input_shape: Shape, output_shape: Shape) -> Derivation:
        """Return what the layer computes itself, the layers inside it apart."""
        formula = self._formula(input_shape, output_shape)
        if formula is None:
            return FREE
        derive, sizes, options = formula
        return derive(*sizes, **dict(options))

    def derivation(self, input_shape: Shape) -> Derivation:
        """Return what the layer costs, everything inside it included."""
        from flopslib.report import count

        return count(self, input_shape).derivation

    def axes(self, input_shape: Shape) -> str | None:
        """Return how the axes of the input are read, where there is more than one way."""
        return None

    # --- for the layers of this package

    def _formula(self, x: Shape, y: Shape) -> Formula | None:
        return None

    def _counts(self, x: Shape, y: Shape) -> Counts:
        if type(self).cost is not Layer.cost:
            kinds = self.cost(x, y).total.kinds()
            return tuple(kinds.get(kind, 0) for kind in KINDS)
        formula = self._formula(x, y)
        if formula is None:
            return NO_COUNTS
        derive, sizes, options = formula
        return compiled(derive, len(sizes), options)(*sizes)

    @classmethod
    def _flows(cls) -> bool:
        return cls.flow is not Layer.flow

    def _refuse(self, problem: str) -> NoReturn:
        raise ShapeError(self, problem)

    def _check_rank(self, x: Shape, ranks: Mapping[int, str]) -> None:
        if len(x) not in ranks:
            wanted = " or ".join(ranks.values())
            self._refuse(f"needs an input of shape {wanted}, got {len(x)} dimensions: {x}")

    def _check_size(
        self, x: Shape, axis: int, wanted: int, what: str, layouts: Mapping[int, str] | None = None
    ) -> None:
        if x[axis] != wanted:
            place = axis % len(x)
            read = f", read as {layouts[len(x)]}" if layouts else ""
            self._refuse(f"needs {wanted} {what} at dimension {place}, got {x[place]} in {x}{read}")


def _layers_in(value: Any) -> Iterator[Layer]:
    if isinstance(value, Layer):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _layers_in(entry)


def _short(value: Any) -> Any:
    if isinstance(value, tuple) and value and all(entry == value[0] for entry in value):
        return value[0]
    return value


def _pass_through(name: str, layer: Layer, x: Shape) -> Shape:
    try:
        return layer.output_shape(x)
    except ShapeError as error:
        raise error.inside(name) from None
