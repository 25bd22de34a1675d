"""The labs of image networks: the size of the image, and the network that looks at it.

A convolution's output is rounded down where the stride does not fit, and so there is no formula
that holds for every image. The library counts every network for every size that is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from flopsbook.figures.vision import vit_parts
from flopsbook.labs.form import Choice, Form, Group, Ratio
from flopsbook.labs.presets import title
from flopsbook.labs.view import beginning_with
from flopslib.layers.layer import Layer
from flopslib.models.model_list import build, catalogue, find
from flopslib.report.report import Report, count

__all__ = ["image_lab", "vision_lab"]

USUAL_SIDE = 224
#: Sides of images that people train with, and odd ones, where strides round down.
SIDES = (64, 96, 128, 160, 192, 224, 225, 256, 288, 299, 320, 384, 448, 512)
NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnext50_32x4d", "wide_resnet50_2")
WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.4)
#: Sides that can be cut into whole patches of 16 and of 32.
PATCHED_SIDES = (96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512, 768, 1024, 1536, 2048)
VISION_NAMES = ("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32")
COUNTS = {"macs": "MACs", "flops": "FLOPs", "exact_flops": "exact FLOPs"}


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


def built(what: str, _side: int = USUAL_SIDE) -> Layer:
    """Build one of the networks, which take images of any size."""
    name, options = networks()[what]
    return catalogue()[name].build(**options)


def vision_networks() -> dict[str, str]:
    """Return the Vision Transformers that are offered, by their names on the page.

    >>> list(vision_networks())[:2]
    ['ViT-B/16', 'ViT-B/32']
    """
    return {title(find(name)): name for name in VISION_NAMES}


def vision_built(what: str, side: int) -> Layer:
    """Build one of the Vision Transformers for images of one size."""
    return build(vision_networks()[what], image_size=side)


Measure = Callable[[Report, int], int]


class Row(NamedTuple):
    """A row of results: its name, its label, and how a report is asked for it."""

    name: str
    label: str
    measure: Measure


def _counted(name: str) -> Measure:
    return lambda report, _side: getattr(report, name)


COUNTED = tuple(Row(name, label, _counted(name)) for name, label in COUNTS.items())
PARAMETERS = Row("parameters", "parameters", _counted("parameters"))
ROWS = (*COUNTED, Row("pixels", "pixels", lambda _report, side: side**2), PARAMETERS)
VISION_ROWS = (
    *COUNTED,
    Row("between", "scores and weighted sum", lambda r, _: vit_parts(r)["scores and weighted sum"]),
    Row("tokens", "tokens", lambda r, _side: r["class_token"].output_shape[1]),  # type: ignore[index]
    PARAMETERS,
)


@cache
def image_lab(preset: str = "ResNet-50") -> Form:
    """Make the lab of convolutional networks.

    Args:
        preset: the network that it opens with.

    Raises:
        ValueError: no network here is called that.

    >>> print(repr(image_lab()).splitlines()[2])
    | ResNet-50 | 4,089,184,256 | 8,178,368,512 | 25,557,032 |
    """
    form = _Sizes(
        "image_network", "the size of the image and the width of the network", SIDES, ROWS
    )
    note = "A stride that does not fit rounds down: the MACs do not follow the pixels exactly."
    return form.make(beginning_with(preset, networks()), networks(), built, note)


@cache
def vision_lab(preset: str = "ViT-B/16") -> Form:
    """Make the lab of Vision Transformers.

    Args:
        preset: the network that it opens with.

    Raises:
        ValueError: no network here is called that.

    >>> print(repr(vision_lab()).splitlines()[2])
    | ViT-B/16 | 17,563,828,224 | 35,127,656,448 | 86,567,656 |
    """
    form = _Sizes(
        "vision_transformer", "the image of a Vision Transformer", PATCHED_SIDES, VISION_ROWS
    )
    note = "Only sides that can be cut into whole patches of 16 and of 32 pixels are offered."
    return form.make(
        beginning_with(preset, vision_networks()), vision_networks(), vision_built, note
    )


class _Sizes(NamedTuple):
    """A lab in which networks look at images of several sides."""

    name: str
    about: str
    sides: Sequence[int]
    rows: Sequence[Row]

    def make(
        self,
        order: Mapping[str, Any],
        offered: Mapping[str, Any],
        builder: Callable[[str, int], Layer],
        note: str,
    ) -> Form:
        names, usual = list(offered), self.sides.index(USUAL_SIDE)
        return Form(
            self.name,
            f"Try it: {self.about}",
            (
                Choice("network", "network", tuple(names)),
                Choice("side", "image", tuple(f"{side} × {side} pixels" for side in self.sides)),
            ),
            self._values(names, builder),
            (Group("one image", ("this network", f"at {USUAL_SIDE} × {USUAL_SIDE}", "ratio"),
                   tuple(map(_shown, self.rows))),),
            {name: {"network": names.index(name), "side": usual} for name in order},
            {"MACs": "macs", "FLOPs": "flops", "parameters": "parameters"},
            begin="network, at 224 × 224",
            pick=False,
            note=note,
            room=("27.2rem", "30rem"),
        )  # fmt: skip

    def _values(
        self, names: Sequence[str], builder: Callable[[str, int], Layer]
    ) -> dict[str, dict[tuple[int, ...], int]]:
        values: dict[str, dict[tuple[int, ...], int]] = {}
        for n, what in enumerate(names):
            measured = {side: self._measured(builder(what, side), side) for side in self.sides}
            for at, side in enumerate(self.sides):
                for name, value in measured[side].items():
                    values.setdefault(name, {})[n, at] = value
                    values.setdefault(f"usual_{name}", {})[n, at] = measured[USUAL_SIDE][name]
        return values

    def _measured(self, layer: Layer, side: int) -> dict[str, int]:
        report = count(layer, (1, 3, side, side))
        return {row.name: row.measure(report, side) for row in self.rows}


def _shown(row: Row) -> tuple[str, tuple[str | Ratio, ...]]:
    usual = f"usual_{row.name}"
    return row.label, (row.name, usual, Ratio(row.name, usual))
