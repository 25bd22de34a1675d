"""The networks that are timed: ours and PyTorch's, of another size in every round.

Nothing is imported before a network is built, so that each program that is timed
loads what it needs and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One network of one size, described twice.

    Attributes:
        ours: builds it from our layers.
        theirs: builds it from PyTorch's modules.
        shape: what goes in.
    """

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    shape: tuple[int, ...]


def of_torchvision(name: str, side: int, **options: Any) -> Case:
    """Return a network that both libraries have by one name, with the same options."""

    def ours() -> Any:
        from flopslib import models

        return getattr(models, name)(**options)

    def theirs() -> Any:
        from vision import torchvision

        return getattr(torchvision.models, name)(**options)

    return Case(ours, theirs, (1, 3, side, side))


def resnet18(number: int) -> Case:
    return of_torchvision("resnet18", 224 + 8 * number, num_classes=1000 + number)


def resnet50(number: int) -> Case:
    return of_torchvision("resnet50", 224 + 8 * number, width_per_group=64 + 2 * number)


def mobilenet_v2(number: int) -> Case:
    return of_torchvision("mobilenet_v2", 224 + 8 * number, width_mult=1 + number / 8)


def vit_b_16(number: int) -> Case:
    side, width = 224 + 16 * number, 12 * (64 + number)
    sizes = (side, 16, 12, 12, width, 4 * width)

    def ours() -> Any:
        from flopslib.models.vit import vision_transformer

        return vision_transformer(*sizes)

    def theirs() -> Any:
        from vision import torchvision

        return torchvision.models.VisionTransformer(*sizes)

    return Case(ours, theirs, (1, 3, side, side))


def gpt2_layer(number: int) -> Case:
    width = 12 * (64 + number)

    def ours() -> Any:
        from flopsbook.peers.subjects import gpt2_layer

        return gpt2_layer(width)

    def theirs() -> Any:
        from language import gpt2_layer

        return gpt2_layer(width)

    return Case(ours, theirs, (1, 128 + number, width))


def llama_layer(number: int) -> Case:
    width, inner, positions = 32 * (128 + 2 * number), 11008 + number, 128 + number

    def ours() -> Any:
        from flopsbook.peers.subjects import llama_layer

        return llama_layer(width, inner)

    def theirs() -> Any:
        from language import LlamaLayer

        return LlamaLayer(width, inner, positions)

    return Case(ours, theirs, (1, positions, width))


#: By the names they have in ``flopsbook.peers``; number 0 is the one that has the name.
NETWORKS: dict[str, Callable[[int], Case]] = {
    build.__name__: build
    for build in (resnet18, resnet50, mobilenet_v2, vit_b_16, gpt2_layer, llama_layer)
}
