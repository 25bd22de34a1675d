"""The list of models: what each is called, what goes into it, where it is from."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flopslib.layers.layer import Layer, Shape

__all__ = ["IMAGE", "Model", "build", "catalogue", "model"]

Builder = TypeVar("Builder", bound=Callable[..., Layer])
Found = TypeVar("Found")

IMAGE = (1, 3, 224, 224)

_CATALOGUE: dict[str, Model] = {}


@dataclass(frozen=True)
class Model:
    """An entry of the list.

    Attributes:
        name: the name of the builder.
        build: the builder; its arguments are the model's options.
        input_shape: an input that it is usually counted with.
    """

    name: str
    build: Callable[..., Layer]
    input_shape: Shape

    @property
    def about(self) -> str:
        """What it is, from the first line of the builder's docstring."""
        return (self.build.__doc__ or "").partition("\n")[0]


def model(input_shape: Shape = IMAGE) -> Callable[[Builder], Builder]:
    """Put a builder on the list, with an input that it is usually counted with."""

    def enrol(builder: Builder) -> Builder:
        name = builder.__name__
        _CATALOGUE[name] = Model(name, builder, input_shape)
        return builder

    return enrol


def catalogue() -> dict[str, Model]:
    """Return all models by name.

    >>> catalogue()["resnet50"].input_shape
    (1, 3, 224, 224)
    """
    return dict(_CATALOGUE)


def find(name: str) -> Model:
    """Return the entry of a model.

    Raises:
        ValueError: there is none of that name; the nearest names are given.

    >>> find("resnet5O")
    Traceback (most recent call last):
    ...
    ValueError: no model is called 'resnet5O'; did you mean resnet50, resnet152 or resnet34?
    """
    return nearest("model", name, catalogue())


def nearest(kind: str, name: str, known: Mapping[str, Found]) -> Found:
    """Return what is known by a name.

    Raises:
        ValueError: nothing is; the nearest names are given.

    >>> nearest("layer", "liner", {"linear": 1})
    Traceback (most recent call last):
    ...
    ValueError: no layer is called 'liner'; did you mean linear?
    """
    if name in known:
        return known[name]
    plain = name.lower().replace("-", "_")
    near = [plain] if plain in known else difflib.get_close_matches(plain, known, cutoff=0.5)
    *others, last = near or ["`flopslib list` shows them all"]
    wanted = f"{', '.join(others)} or {last}" if others else last
    raise ValueError(
        f"no {kind} is called {name!r}; {f'did you mean {wanted}?' if near else wanted}"
    )


def build(name: str, **options: object) -> Layer:
    """Build a model by its name.

    Raises:
        ValueError: no model has that name.
        TypeError: an option that the builder does not have.

    >>> build("resnet18").parameters
    11689512
    >>> build("resnet18", classes=10)
    Traceback (most recent call last):
    ...
    TypeError: resnet18 has no option 'classes'; it has num_classes
    """
    found = find(name)
    known = inspect.signature(found.build).parameters
    for option in options:
        if option not in known:
            raise TypeError(f"{name} has no option {option!r}; it has {', '.join(known)}")
    return found.build(**options)
