"""The lab of image networks: the size of the image and the width of the network.

A convolution's output is rounded down where the stride does not fit, and so there is no formula
that holds for every image. The library counts every network for every size that is offered.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from flopsbook.labs.form import Choice, Form, Group, Ratio
from flopsbook.labs.presets import title
from flopsbook.labs.view import beginning_with
from flopslib.layers.layer import Layer
from flopslib.models.model_list import catalogue, find
from flopslib.report.report import Report, count

__all__ = ["image_lab"]

#: Sides of images that people train with, and odd ones, where strides round down.
SIDES = (64, 96, 128, 160, 192, 224, 225, 256, 288, 299, 320, 384, 448, 512)
USUAL_SIDE = 224
NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnext50_32x4d", "wide_resnet50_2")
WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.4)
FIGURES = {"macs": "MACs", "flops": "FLOPs", "exact_flops": "exact FLOPs"}


def networks() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return what is offered: its name on the page, its builder, and the builder's options.

    >>> networks()["MobileNetV2, width 0.5"]
    ('mobilenet_v2', {'width_mult': 0.5})
    """
    plain: dict[str, tuple[str, dict[str, Any]]] = {title(find(name)): (name, {}) for name in NAMES}
    wide: dict[str, tuple[str, dict[str, Any]]] = {
        f"MobileNetV2, width {width:g}": ("mobilenet_v2", {"width_mult": width}) for width in WIDTHS
    }
    return plain | wide


def built(what: str) -> Layer:
    """Build one of the networks."""
    name, options = networks()[what]
    return catalogue()[name].build(**options)


@cache
def _counted() -> dict[tuple[int, int], Report]:
    layers = [built(what) for what in networks()]
    return {
        (n, at): count(layer, (1, 3, side, side))
        for n, layer in enumerate(layers)
        for at, side in enumerate(SIDES)
    }


GROUPS = (
    Group(
        "one image",
        ("this network", "at 224 × 224", "ratio"),
        (
            *(
                (label, (name, f"usual_{name}", Ratio(name, f"usual_{name}")))
                for name, label in FIGURES.items()
            ),
            ("pixels", ("pixels", "usual_pixels", Ratio("pixels", "usual_pixels"))),
            ("parameters", ("parameters", "parameters", None)),
        ),
    ),
)


def image_lab(preset: str = "ResNet-50") -> Form:
    """Make the lab of image networks.

    Args:
        preset: the network that it opens with.

    Raises:
        ValueError: no network here is called that.

    >>> print(repr(image_lab()).splitlines()[2])
    | ResNet-50 | 4,089,184,256 | 8,178,368,512 | 25,557,032 |
    """
    names, order = list(networks()), list(beginning_with(preset, networks()))
    usual = SIDES.index(USUAL_SIDE)
    values: dict[str, dict[tuple[int, ...], int]] = {}
    for (n, at), report in _counted().items():
        there = _counted()[n, usual]
        for name in FIGURES:
            values.setdefault(name, {})[n, at] = getattr(report, name)
            values.setdefault(f"usual_{name}", {})[n, at] = getattr(there, name)
        values.setdefault("parameters", {})[n, at] = report.parameters
        values.setdefault("pixels", {})[n, at] = SIDES[at] ** 2
        values.setdefault("usual_pixels", {})[n, at] = USUAL_SIDE**2
    return Form(
        "image_network",
        "Try it: the size of the image and the width of the network",
        (
            Choice("network", "network", tuple(names)),
            Choice("side", "image", tuple(f"{side} × {side} pixels" for side in SIDES)),
        ),
        values,
        GROUPS,
        {name: {"network": names.index(name), "side": usual} for name in order},
        {"MACs": "macs", "FLOPs": "flops", "parameters": "parameters"},
        begin="network, at 224 × 224",
        pick=False,
        note="A stride that does not fit rounds down: the MACs do not follow the pixels exactly.",
        room=("27.2rem", "30rem"),
    )
