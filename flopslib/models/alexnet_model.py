"""AlexNet, as torchvision has it: Krizhevsky, "One weird trick", 2014."""

from __future__ import annotations

from flopslib.layers import (
    AdaptiveAvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)
from flopslib.layers.arguments import size
from flopslib.layers.layer import Layer
from flopslib.models.model_list import model


@model()
def alexnet(num_classes: int = 1000) -> Layer:
    """AlexNet, the one-column version.

    >>> alexnet().parameters
    61100840
    """
    features = Sequential(
        Conv2d(3, 64, 11, stride=4, padding=2), ReLU(), MaxPool2d(3, stride=2),
        Conv2d(64, 192, 5, padding=2), ReLU(), MaxPool2d(3, stride=2),
        Conv2d(192, 384, 3, padding=1), ReLU(),
        Conv2d(384, 256, 3, padding=1), ReLU(),
        Conv2d(256, 256, 3, padding=1), ReLU(), MaxPool2d(3, stride=2),
    )  # fmt: skip
    classifier = Sequential(
        Dropout(), Linear(256 * 6 * 6, 4096), ReLU(),
        Dropout(), Linear(4096, 4096), ReLU(),
        Linear(4096, size("num_classes", num_classes)),
    )  # fmt: skip
    return Sequential(
        features=features, avgpool=AdaptiveAvgPool2d(6), flatten=Flatten(), classifier=classifier
    )
