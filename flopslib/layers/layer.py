"""What a layer is: a value that knows its shapes, its weights and what it costs.

A layer may run other layers, so what it is and how a shape runs through it (:func:`measured`)
are told in one place.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias

from flopslib.costs.compiling import KINDS, compiled
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Step
from flopslib.layers.arguments import size
from flopslib.layers.habits import LayerType, ParameterCount, check_methods, no_layer
from flopslib.sizes.checks import shown

Shape: TypeAlias = tuple[int, ...]
Counts: TypeAlias = tuple[int, ...]
#: A function from sizes to a derivation, the sizes, and its fixed options.
Formula: TypeAlias = tuple[Callable[..., Derivation], tuple[int, ...], tuple[tuple[str, Any], ...]]
#: From a name, a layer and the shapes that it is given to the shape that comes out.
Run: TypeAlias = Callable[..., Shape]

FREE = Derivation(())
NO_COUNTS: Counts = (0,) * len(KINDS)


def several(shapes: Any) -> tuple[Any, ...]:
    """Return the shapes of several inputs or outputs, or of the one there is.

    >>> several((2, 3)), several(((2, 3), (4,)))
    (((2, 3),), ((2, 3), (4,)))
    """
    return shapes if shapes and isinstance(shapes[0], tuple) else (shapes,)


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


class Layer(metaclass=LayerType):
    """The description of a layer: an immutable value, equal to any that is built alike.

    A layer of your own keeps its arguments with one call of ``_set``, and says which
    weights it has, what shape comes out, and what it costs. The cost is a derivation:
    what a cost function returns, a sum of such, or steps of your own.

    >>> from flopslib import linear
    >>> class TwoTowers(Layer):
    ...     "Two linear layers on the same input, joined."
    ...     def __init__(self, width):
    ...         self._set(width=width)
    ...     @property
    ...     def weights(self):
    ...         return {"left": (self.width, self.width), "right": (self.width, self.width)}
    ...     def output_shape(self, input_shape):
    ...         samples, width = input_shape
    ...         if width != self.width:
    ...             self._refuse(f"needs {self.width} features, got {width}")
    ...         return (samples, 2 * width)
    ...     def cost(self, input_shape, output_shape):
    ...         return 2 * linear(self.width, self.width, batch=input_shape[0], bias=False)
    >>> from flopslib import count
    >>> report = count(TwoTowers(10), (4, 10))
    >>> report.macs, report.parameters, report.output_shape
    (800, 200, (4, 20))

    A layer that is made of other layers keeps them, and has ``flow`` in place of
    ``output_shape``; each layer that it keeps counts once among its parameters.

    >>> class Twice(Layer):
    ...     "A layer, and the same one with the same weights again."
    ...     def __init__(self, layer):
    ...         self._set(layer=layer)
    ...     def flow(self, x, run):
    ...         return run("second", self.layer, run("first", self.layer, x))

    A layer of several inputs is run with a shape for each, and gets all of them as one tuple.
    A shape that is made of results without an operation, as by cutting or joining, is told so
    with :func:`view`.

    The same layer may be used in many places. As with numbers, what is used
    twice is there twice: each place of a ``Sequential`` has weights of its own,
    unless it says otherwise (:class:`flopslib.layers.Shared`).
    """

    #: Arguments without a meaning at inference whose cost in training is not derived.
    _not_in_training: ClassVar[tuple[str, ...]] = ()
    #: How many inputs it can take.
    _takes: ClassVar[Sequence[int]] = (1,)

    _given: tuple[tuple[str, Any], ...] = ()
    #: The layers that this one keeps, in order; one that is kept twice is there twice.
    kept: tuple[Layer, ...] = ()
    _is_foreign: ClassVar[bool] = False
    _has_own_cost: ClassVar[bool] = False
    _is_made_of_layers: ClassVar[bool] = False

    if TYPE_CHECKING:  # what _set keeps

        def __getattr__(self, name: str) -> Any: ...

    def __init_subclass__(cls) -> None:
        # what somebody else has written is checked as it runs, and our own by the tests
        cls._is_foreign = not cls.__module__.startswith("flopslib.")
        cls._has_own_cost = cls.cost is not Layer.cost
        cls._is_made_of_layers = cls.flow is not Layer.flow
        check_methods(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a layer is not executed."""
        raise TypeError(
            f"{self!r} is a description, and is not called: count(layer, shape) counts it, "
            f"and in a flow run(name, layer, x) runs it"
        )

    def _set(self, **values: Any) -> None:
        """Keep the arguments of ``__init__``, under their names; lists become tuples.

        Raises:
            TypeError: a value that cannot be kept, such as a dict; called twice.
            ValueError: a name that every layer has.
        """
        if "_given" in self.__dict__:
            raise TypeError(f"{type(self).__name__} calls _set twice: keep everything at once")
        kept: list[Layer] = []
        for name, value in values.items():
            if type(value) not in PLAIN:
                values[name] = _frozen(type(self).__name__, name, value, kept)
        taken = _COMMON.intersection(values)
        if taken:
            raise ValueError(
                f"{type(self).__name__} cannot keep {min(taken)!r}: every layer has that name"
            )
        self.__dict__.update(values, kept=tuple(kept), _given=tuple(values.items()))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        if "_given" not in self.__dict__ and type(self).__init__ is not object.__init__:
            raise AttributeError(
                f"{type(self).__name__} keeps its arguments with one call: "
                f"self._set({name}={name}, …)"
            )
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
            value = _short(name, self.__dict__.get(name, parameter.default))
            if parameter.default is parameter.empty:
                shown.append("…" if value is parameter.empty else repr(value))
            elif value != _short(name, parameter.default):
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    # --- what a layer says of itself

    @property
    def weights(self) -> Mapping[str, Shape]:
        """The shapes of what is learnt, by the names torch gives them."""
        return {}

    @property
    def parameters(self) -> int:
        """How many numbers are learnt, here and in the layers that this one keeps."""
        known: int | None = self.__dict__.get("_parameters")
        if known is None:  # kept by hand: a cached_property locks, which takes longer than this
            known = self.own_parameters
            for layer in self.kept:
                known += layer.parameters
            known = self.__dict__["_parameters"] = ParameterCount(known)
        return known

    @property
    def active_parameters(self) -> int:
        """How many of them take part in the work on one position, without those of idle experts.

        >>> from flopslib.layers import Experts
        >>> Experts(2, 3, num_experts=5, top_k=1, bias=False).active_parameters
        18
        """
        return self.parameters - self.idle_parameters

    @property
    def idle_parameters(self) -> int:
        """How many numbers are learnt and have no part in the work on one position."""
        return sum(layer.idle_parameters for layer in self.kept)

    @property
    def own_parameters(self) -> int:
        """How many numbers are learnt here, the layers inside apart."""
        weights = self.weights
        return sum(map(math.prod, weights.values())) if weights else 0

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

        ``run(name, layer, shape)`` returns the output shape of a layer inside, and
        ``run(name, layer, one, other)`` that of a layer of two inputs. What
        is not run costs nothing: the sum of two branches is a layer too
        (:class:`flopslib.layers.Sum`).
        """
        raise NotImplementedError(f"{type(self).__name__} is not made of other layers")

    def cost(self, input_shape: Shape, output_shape: Shape) -> Derivation:
        """Return what the layer computes itself, the layers inside it apart."""
        return self._derived(self._formula(input_shape, output_shape), input_shape)

    def training_cost(self, input_shape: Shape, output_shape: Shape) -> Derivation:
        """Return the same for a pass whose gradients are wanted, where that differs."""
        if type(self).cost is not Layer.cost:
            return self.cost(input_shape, output_shape)
        return self._derived(self._training_formula(input_shape, output_shape), input_shape)

    def derivation(self, input_shape: Shape) -> Derivation:
        """Return what the layer costs, everything inside it included."""
        steps = measured(self, checked_shapes(self, input_shape)).steps()
        return Derivation(tuple(steps), type(self).__name__)

    def axes(self, input_shape: Shape) -> str | None:
        """Return how the axes of the input are read, where there is more than one way."""
        return None

    # --- for the layers of this package

    def _formula(self, x: Shape, y: Shape) -> Formula | None:
        return None

    def _training_formula(self, x: Shape, y: Shape) -> Formula | None:
        for name in self._not_in_training:
            if self.__dict__.get(name):
                self._refuse(
                    f"has {name}={self.__dict__[name]}, which is not counted in training: "
                    f"set it to 0, or add Dropout where it acts"
                )
        return self._formula(x, y)

    def _beside(self, x: Shape) -> tuple[Operand, ...]:
        """Return what an operation number by number reads beside the input."""
        return ()

    def _derived(self, formula: Formula | None, x: Shape) -> Derivation:
        if formula is None:
            return FREE
        derive, sizes, options = formula
        beside = self._beside(x)
        more: dict[str, Any] = {"beside": beside} if beside else {}
        return _with_input(derive(*sizes, **dict(options), **more), x)

    def _counts(self, x: Shape, y: Shape, training: bool = False) -> Counts:
        if self._has_own_cost:
            kinds = _operations(self, self.cost(x, y)).kinds()
            return tuple(kinds.get(kind, 0) for kind in KINDS)
        formula = self._training_formula(x, y) if training else self._formula(x, y)
        if formula is None:
            return NO_COUNTS
        derive, sizes, options = formula
        return compiled(derive, len(sizes), options)(*sizes)

    @classmethod
    def _flows(cls) -> bool:
        return cls._is_made_of_layers

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


#: Types that do not change, and need no second look.
PLAIN = frozenset({int, bool, float, str, type(None)})
_COMMON = frozenset(dir(Layer))


def _operations(layer: Layer, cost: Any) -> OpCount:
    if isinstance(cost, Derivation):
        return cost.total
    raise TypeError(
        f"the cost of {layer!r} must be a Derivation, such as flopslib.linear(…) returns, "
        f"got {cost!r}"
    )


#: The arguments that are one number for each axis, and may be written as one for all.
PER_AXIS = frozenset(
    {"kernel_size", "stride", "padding", "output_padding", "dilation", "output_size"}
    | {"window_size", "shift_size"}
)


def _short(name: str, value: Any) -> Any:
    alike = isinstance(value, tuple) and len(set(value)) == 1
    may_be_one = name in PER_AXIS or (name == "normalized_shape" and len(value or ()) == 1)
    return value[0] if alike and may_be_one else value


def _frozen(layer: str, name: str, value: Any, kept: list[Layer]) -> Any:
    """Return a value that cannot change, and note the layers in it."""
    if isinstance(value, Layer):
        kept.append(value)
        return value
    if isinstance(value, list | tuple):
        if PLAIN.issuperset(map(type, value)):
            return tuple(value)
        return tuple(_frozen(layer, name, entry, kept) for entry in value)
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"{layer} keeps values that do not change: {name} must be numbers, text, layers "
            f"or lists of them, got {type(value).__name__}"
        ) from None
    return value


def _with_input(derivation: Derivation, x: Shape) -> Derivation:
    """Say the shape of an input that windows slide over: what they cost does not tell it."""
    if not any(step.windowed for step in derivation.steps):
        return derivation
    return derivation.on(x=Operand("x", x))


def _pass_through(name: str, layer: Layer, *inputs: Shape) -> Shape:
    try:
        return layer.output_shape(_together(layer, inputs))
    except ShapeError as error:
        raise error.inside(name) from None


def _together(layer: Layer, inputs: tuple[Any, ...]) -> Any:
    """Return what a layer gets for its inputs: a shape, or several as one tuple."""
    if len(inputs) not in layer._takes and type(layer)._takes is not Layer._takes:
        wanted = " or ".join(map(str, layer._takes))
        layer._refuse(f"needs {wanted} inputs, got {len(inputs)}: {', '.join(map(str, inputs))}")
    if len(inputs) == 1:
        return inputs[0]
    if type(layer)._takes is Layer._takes and not (layer._is_foreign or layer._flows()):
        layer._refuse(f"takes one input, got {len(inputs)}: {', '.join(map(str, inputs))}")
    return inputs


# --- a shape runs through a layer -------------------------------------------------


def checked_shape(input_shape: Any) -> Shape:
    """Return the shape of an input as a tuple of positive integers, or refuse it.

    >>> checked_shape([1, 3, 224, 224])
    (1, 3, 224, 224)
    """
    return _checked("input_shape", input_shape)


def checked_shapes(layer: Layer, given: Any) -> Any:
    """Return the shape of the input of a network, or of several as a tuple.

    Args:
        layer: the network; the inputs of a graph have names.
        given: a shape, a tuple of shapes, or a dict from the names to shapes.

    Raises:
        TypeError: neither, or a dict for a network whose inputs have no names.
        ValueError: a name that is missing or too many, a size below 1.

    >>> from flopslib.layers import Sum
    >>> checked_shapes(Sum(), [(1, 3), [2, 3]])
    ((1, 3), (2, 3))
    """
    if isinstance(given, Mapping):
        names = layer.__dict__.get("inputs")
        if not isinstance(names, tuple):
            raise TypeError(
                f"the inputs of {layer!r} have no names: give the shapes as a tuple, in order"
            )
        if set(names) != set(given):
            raise ValueError(f"the inputs are {', '.join(names)}, got {', '.join(map(str, given))}")
        found = tuple(_checked(f"input_shape[{name!r}]", given[name]) for name in names)
        return found[0] if len(found) == 1 else found
    if isinstance(given, (tuple, list)) and given and isinstance(given[0], (tuple, list)):
        found = tuple(_checked(f"input_shape[{at}]", shape) for at, shape in enumerate(given))
        return _together(layer, found)
    return checked_shape(given)


def _checked(name: str, shape: Any) -> Shape:
    if not isinstance(shape, (tuple, list)):
        raise TypeError(
            f"{name} must be a tuple of positive integers such as (1, 3, 224, 224), "
            f"got {shown(shape)}"
        )
    return tuple(size(f"{name}[{at}]", side) for at, side in enumerate(shape))


class Node:
    """A layer at work on an input: what it made of it, and what that cost."""

    __slots__ = ("input_shape", "layer", "output_shape", "own", "parts", "total", "training")

    def __init__(
        self, layer: Layer, x: Shape, y: Shape, own: Counts, parts: Any, training: bool = False
    ) -> None:
        """Sum up what the layer and the parts of it cost."""
        self.layer = layer
        self.training = training
        self.input_shape = x
        self.output_shape = y
        self.own = own
        self.parts: list[tuple[str, Node]] = parts
        self.total: Counts = own
        if parts:
            self.total = tuple(map(sum, zip(own, *[part.total for _, part in parts], strict=True)))

    def derivation(self) -> Derivation:
        """Return what the layer computes itself, the parts apart."""
        cost = self.layer.training_cost if self.training else self.layer.cost
        return cost(self.input_shape, self.output_shape)

    def steps(self, path: str = "") -> Iterator[Step]:
        """Yield every step of what was computed, each named after its layer."""
        for name, part in self.parts:
            yield from part.steps(joined(path, name))
        for step in self.derivation().steps:
            yield replace(step, name=joined(path, step.name))


Seen: TypeAlias = dict[tuple[int, Shape], Node]


def measured(layer: Layer, x: Shape, *, training: bool = False) -> Node:
    """Run a shape through a layer. What meets the same shape again is not measured again."""
    return _measured(layer, x, {}, training)


def _measured(layer: Layer, x: Shape, seen: Seen, training: bool) -> Node:
    parts: list[tuple[str, Node]] = []
    if layer._is_made_of_layers:
        y = layer.flow(x, _running(layer, parts, seen, training))
    else:
        y = layer.output_shape(x)
    if layer._is_foreign:
        _check_output(layer, y)
        _check_own(layer)
    return Node(layer, x, y, layer._counts(x, y, training), parts, training)


def _running(layer: Layer, parts: list[tuple[str, Node]], seen: Seen, training: bool) -> Run:
    """Return what a layer runs its parts with; it notes them."""
    check = _Runs(layer) if layer._is_foreign else None

    def run(name: str, part: Layer, *inputs: Shape) -> Shape:
        if check is not None:
            check(name, part, inputs)
        try:
            shape = inputs[0] if len(inputs) == 1 else _together(part, inputs)
            key = (id(part), shape)  # a node keeps its layer, so no other one can get its id
            node = seen.get(key)
            if node is None:
                node = seen[key] = _measured(part, shape, seen, training)
        except ShapeError as error:
            raise error.inside(name) from None
        parts.append((name, node))
        return node.output_shape

    run.__qualname__ = "run"  # as Python calls it where the arguments are wrong
    return run


def _is_shape(shape: Any) -> bool:
    if not isinstance(shape, tuple):
        return False
    for side in shape:  # noqa: SIM110 (a generator takes as long as all the rest)
        if type(side) is not int or side < 1:
            return False
    return True


def _refuse_shape(what: str, shape: Any) -> NoReturn:
    if not isinstance(shape, tuple) or any(type(side) is not int for side in shape):
        raise TypeError(f"{what} must be a tuple of integers, got {shown(shape)}")
    raise ValueError(f"{what} must be positive integers, got {shape}")


def _check_output(layer: Layer, y: Any) -> None:
    for shape in several(y):
        if not _is_shape(shape):
            _refuse_shape(f"the output of {layer!r}", shape)


class _Runs:
    """Checks what a container of somebody else's hands to ``run``."""

    def __init__(self, layer: Layer) -> None:
        """Begin with no name used."""
        self.layer = layer
        self.names: set[str] = set()
        self.kept = set(map(id, layer.kept))

    def __call__(self, name: Any, part: Any, inputs: tuple[Any, ...]) -> None:
        layer = self.layer
        if not isinstance(name, str) or "." in name:
            raise TypeError(f"{layer!r} needs a name without a dot for what it runs, got {name!r}")
        if name in self.names:
            raise ValueError(
                f"{layer!r} runs two layers under the name {name!r}: each needs its own"
            )
        self.names.add(name)
        if not isinstance(part, Layer):
            raise TypeError(f"{layer!r} runs " + no_layer(f"{name!r}, which", part))
        if id(part) not in self.kept and part.parameters:
            raise TypeError(f"{layer!r} runs {name} without keeping it: give it to _set")
        if not inputs:
            raise TypeError(f"{layer!r} runs {name!r} on nothing: give it a shape")
        for shape in inputs:
            if not _is_shape(shape):
                _refuse_shape(f"the shape that {layer!r} gives to {name!r}", shape)


def _check_own(layer: Layer) -> None:
    """Check what a layer of somebody else's says of itself."""
    cls = type(layer)
    costs = layer._has_own_cost or cls._formula is not Layer._formula
    silent = not (costs or layer._is_made_of_layers)
    if layer.kept and silent and cls.output_shape is Layer.output_shape:
        raise TypeError(f"{layer!r} keeps layers and runs none: define flow(x, run)")
    weights = layer.weights
    if not isinstance(weights, Mapping):
        raise TypeError(f"the weights of {layer!r} must be a property that gives a dict of shapes")
    for name, shape in weights.items():
        if not _is_shape(shape):
            _refuse_shape(f"the shape of {name!r} in {layer!r}", shape)
    if weights and silent:
        raise TypeError(
            f"{layer!r} has weights and no cost: return from cost(input_shape, output_shape) what "
            f"it computes, and Derivation(()) if that is nothing"
        )
