"""What readers write out of habit, and what is said to them: in one line, what is right here."""

from __future__ import annotations

import difflib
import inspect
from functools import cached_property
from types import FunctionType
from typing import Any, NoReturn

from flopslib.sizes.checks import shown

__all__ = [
    "OWN_LAYERS",
    "LayerType",
    "ParameterCount",
    "check_methods",
    "missing",
    "nearest",
    "no_layer",
]

#: Where the book says how a layer that is missing is added.
OWN_LAYERS = "the page 'Count your own network' says how to add a layer of your own"

#: What a layer may say of itself, and what is easily taken for it.
METHODS = ("output_shape", "flow", "cost", "weights", "axes", "loop")
ELSEWHERE = {"forward": "flow(x, run)", "call": "flow(x, run)", "compute_output_shape": ""}
NOT_NEEDED = ("device", "dtype")


class LayerType(type):
    """The type of the classes of layers: it says what is wrong with the arguments of a call."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """The arguments of ``__init__``, which is what a reader calls."""
        build = inspect.getattr_static(cls, "__init__")
        if build is object.__init__:
            return inspect.Signature()
        _, *parameters = inspect.signature(build).parameters.values()
        return inspect.Signature(parameters)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Build a layer.

        Raises:
            TypeError: arguments that the class does not take.
        """
        try:
            return super().__call__(*args, **kwargs)
        except TypeError:
            problem = _misfit(cls, args, kwargs)
            if problem is None:
                raise
        raise TypeError(f"{cls.__name__}(): {problem}")


def _misfit(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Return why a class cannot be called so, None where it can."""
    signature = inspect.signature(cls)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        extra = [name for name in NOT_NEEDED if name in kwargs]
        if extra:
            return f"leave out {extra[0]}: a layer is a description, and holds no numbers"
        bare = (p.replace(annotation=p.empty) for p in signature.parameters.values())
        takes = ", ".join(map(str, bare))
        return f"{error}; {_one_tuple(cls, signature, args)}it takes ({takes})"
    return None


def _one_tuple(cls: type, signature: inspect.Signature, args: tuple[Any, ...]) -> str:
    numbers = len(args) > 1 and all(type(each) is int for each in args)
    return f"write {cls.__name__}({args}); " if numbers and len(signature.parameters) == 1 else ""


class ParameterCount(int):
    """A whole number, which says what is wrong if it is called as torch's method is."""

    __slots__ = ()

    def __call__(self) -> NoReturn:
        """Refuse: it is a number already."""
        raise TypeError(
            f"parameters is a number here, not a method: write .parameters, which is {int(self)}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return int, (int(self),)


def check_methods(cls: type) -> None:
    """Check that a class has no method that nothing calls, such as one that is misspelt.

    Raises:
        TypeError: it has; the message has the name that is meant.
    """
    for name, value in vars(cls).items():
        if name in ELSEWHERE:
            raise TypeError(
                f"{cls.__name__} has a {name}, which nothing here calls: say in flow(x, run) "
                f"what runs, or in output_shape and cost what the layer does"
            )
        if name.startswith("_") or name in METHODS or not isinstance(value, CODE):
            continue
        meant = difflib.get_close_matches(name.lower(), METHODS, n=1, cutoff=0.8)
        if meant and not any(name in vars(base) for base in cls.__mro__[1:]):
            raise TypeError(
                f"{cls.__name__} has a {name}, which nothing here calls: is {meant[0]} meant?"
            )


CODE = (FunctionType, property, cached_property, staticmethod, classmethod)


def no_layer(name: str, given: Any) -> str:
    """Return what to say of a value that should be a layer and is none.

    >>> no_layer("model", 3)
    'model must be a layer of flopslib, got 3'
    """
    return f"{name} must be a layer of flopslib, got {shown(given)}{_hint(given)}"


def _hint(given: Any) -> str:
    if any(base.__module__.startswith("torch.") for base in type(given).__mro__):
        return "; that is a module of torch: build it from flopslib.layers by the same names"
    if isinstance(given, type) or hasattr(given, "__name__"):
        module = "torch." in f"{getattr(given, '__module__', '')}."
        arguments = "…" if isinstance(given, type) else ""
        where = "flopslib.layers has the same names; " if module else ""
        return f"; {where}call it: {given.__name__}({arguments})"
    if isinstance(given, list | tuple):
        return "; unpack it with a star: Sequential(*layers)"
    if isinstance(given, str):
        return "; build one from flopslib.layers, or call a builder of flopslib.models"
    return ""


def missing(module: str, name: str, known: Any, asked_by: str) -> Exception:
    """Return the error for a layer that there is not, for an attribute or for an import.

    Args:
        module: where it was looked for.
        name: what was looked for.
        known: the names that there are.
        asked_by: the file of the code that asked.
    """
    near = nearest(name, known)
    hint = f"near it are {', '.join(near)}" if near else "none is near it"
    said = f"{module} has no layer {name!r}; {hint}; {OWN_LAYERS}"
    # Python has a message of its own for an import that meets an AttributeError
    return (ImportError if asked_by == IMPORTING else AttributeError)(said)


IMPORTING = "<frozen importlib._bootstrap>"


def nearest(name: str, known: Any) -> list[str]:
    """Return the names that are most like one, whatever is written large.

    >>> nearest("Conv2D", ["Conv2d", "Conv3d", "Linear"])[0]
    'Conv2d'
    """
    by_small = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_small, cutoff=0.5)
    return [by_small[each] for each in found]
