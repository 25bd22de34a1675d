"""Layers: linear, convolutional, depthwise separable."""

from random import Random
from typing import Any

from assignments.question import Question
from assignments.searching import doubled, halved, largest
from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Mistake
from flopslib import (
    conv2d,
    conv_output_size,
    count,
    depthwise_conv2d,
    depthwise_separable_conv2d,
    linear,
    pointwise_conv2d,
)
from flopslib.layers import Linear, ReLU, Sequential


def _tally(in_features: int, out_features: int, batch: int) -> list[int]:
    layer = linear(in_features, out_features, batch=batch, bias=False)
    return [layer.multiplications, layer.additions, layer.flops]


def _strided(
    in_channels: int, out_channels: int, kernel_size: int, side: int, stride: int, padding: int
) -> list[int]:
    out = conv_output_size(side, kernel_size, stride=stride, padding=padding)
    return [out, conv2d(in_channels, out_channels, kernel_size, out, out, bias=False).flops]


def _split(
    in_channels: int, out_channels: int, kernel_size: int, out_height: int, out_width: int
) -> list[int]:
    pixels: Any = {"out_height": out_height, "out_width": out_width, "bias": False}
    dense = conv2d(in_channels, out_channels, kernel_size, **pixels)
    depthwise = depthwise_conv2d(in_channels, kernel_size, **pixels)
    pointwise = pointwise_conv2d(in_channels, out_channels, **pixels)
    return [dense.macs, depthwise.macs, pointwise.macs]


def _grouped_flops(**sizes: int) -> int:
    flops: int = conv2d(**sizes, bias=False).flops
    return flops


def _draw_grouped(random: Random) -> dict[str, int]:
    groups = random.choice((2, 3, 4, 6))
    inside, outside = random.sample(range(2, 14), 2)
    height, width = random.sample(range(5, 40), 2)
    return {
        "in_channels": groups * inside,
        "out_channels": groups * outside,
        "kernel_size": random.choice((2, 3, 5, 7)),
        "out_height": height,
        "out_width": width,
        "groups": groups,
    }


def _exactly(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    in_height: int,
    in_width: int,
    stride: int,
    padding: int,
    dilation: int,
    bias: bool,
) -> int:
    height, width = (
        conv_output_size(side, kernel_size, stride=stride, padding=padding, dilation=dilation)
        for side in (in_height, in_width)
    )
    layer = conv2d(in_channels, out_channels, kernel_size, height, width, bias=bias)
    operations: int = layer.exact_flops
    return operations


def _draw_exact(random: Random) -> dict[str, Any]:
    in_channels, out_channels = random.sample(range(2, 20), 2)
    height, width = random.sample(range(20, 50), 2)
    return {
        "in_channels": in_channels,
        "out_channels": out_channels,
        "kernel_size": random.choice((2, 3, 4, 5)),
        "in_height": height,
        "in_width": width,
        "stride": random.choice((1, 2, 3)),
        "padding": random.choice((0, 1, 2)),
        "dilation": random.choice((1, 2, 3)),
        "bias": random.choice((False, True)),
    }


def _two_linears(
    in_features: int, hidden_features: int, out_features: int, batch: int
) -> list[int]:
    network = Sequential(
        Linear(in_features, hidden_features), ReLU(), Linear(hidden_features, out_features)
    )
    report = count(network, (batch, in_features))
    return [report.parameters, report.macs, report.other["comparisons"]]


def _most_channels(mega_flops: int, side: int, kernel_size: int, groups: int) -> list[int]:
    budget = mega_flops * 10**6

    def flops(layer: Any, channels: int, **options: int) -> int:
        cost: int = layer(channels, channels, kernel_size, side, side, bias=False, **options).flops
        return cost

    dense = largest(lambda c: flops(conv2d, c) <= budget)
    grouped = largest(lambda c: flops(conv2d, groups * c, groups=groups) <= budget)
    separable = largest(lambda c: flops(depthwise_separable_conv2d, c) <= budget)
    return [dense, groups * grouped, separable]


def _tally_with_bias(in_features: int, out_features: int, batch: int) -> list[int]:
    layer = linear(in_features, out_features, batch=batch)
    return [layer.multiplications, layer.additions, layer.flops]


def _without_stride(in_channels: int, out_channels: int, **sizes: int) -> list[int]:
    return _strided(in_channels, out_channels, **{**sizes, "stride": 1})


def _without_padding(in_channels: int, out_channels: int, **sizes: int) -> list[int]:
    return _strided(in_channels, out_channels, **{**sizes, "padding": 0})


NO_STRIDE = Mistake("stride forgotten", _without_stride, "You let the window move by one pixel.")
NO_DILATION = Mistake(
    "dilation forgotten",
    lambda **sizes: _exactly(**{**sizes, "dilation": 1}),
    "You left out the dilation, which makes the window wider and the output smaller.",
)

QUESTIONS = (
    Question(
        name="layers-1",
        answer="layers_1",
        expected=_tally,
        mistakes=(
            mistakes.one_addition_too_many(_tally_with_bias),
            mistakes.counted_macs(halved(_tally)),
            mistakes.forgot_samples(lambda **sizes: _tally(**{**sizes, "batch": 1})),
        ),
    ),
    Question(
        name="layers-2",
        answer="layers_2",
        expected=_strided,
        mistakes=(
            mistakes.counted_macs(halved(_strided)),
            mistakes.no_padding(_without_padding),
            NO_STRIDE,
        ),
    ),
    Question(
        name="layers-3",
        answer="layers_3",
        expected=_split,
        mistakes=(mistakes.counted_flops(doubled(_split)),),
    ),
    Question(
        name="layers-4",
        answer="layers_4",
        expected=_grouped_flops,
        examples=(
            {"in_channels": 2, "out_channels": 4, "kernel_size": 3}
            | {"out_height": 5, "out_width": 7, "groups": 1},
            {"in_channels": 6, "out_channels": 4, "kernel_size": 3}
            | {"out_height": 5, "out_width": 7, "groups": 2},
        ),
        draw=_draw_grouped,
        mistakes=(
            mistakes.counted_macs(halved(_grouped_flops)),
            mistakes.forgot_groups(lambda **sizes: _grouped_flops(**{**sizes, "groups": 1})),
        ),
    ),
    Question(
        name="layers-5",
        answer="layers_5",
        expected=_exactly,
        examples=(
            {"in_channels": 2, "out_channels": 3, "kernel_size": 2}
            | {"in_height": 4, "in_width": 5, "stride": 1, "padding": 0, "dilation": 1}
            | {"bias": False},
            {"in_channels": 2, "out_channels": 3, "kernel_size": 2}
            | {"in_height": 4, "in_width": 7, "stride": 2, "padding": 1, "dilation": 3}
            | {"bias": True},
        ),
        draw=_draw_exact,
        draws=8,
        mistakes=(
            mistakes.dropped_the_bias(lambda **sizes: _exactly(**{**sizes, "bias": False})),
            NO_DILATION,
        ),
    ),
    Question(
        name="layers-6",
        answer="layers_6",
        expected=_two_linears,
        mistakes=(
            mistakes.counted_flops(doubled(_two_linears)),
            mistakes.forgot_samples(lambda **sizes: _two_linears(**{**sizes, "batch": 1})),
        ),
    ),
    Question(
        name="layers-7",
        answer="layers_7",
        expected=_most_channels,
        mistakes=(
            mistakes.budget_in_macs(
                lambda mega_flops, **sizes: _most_channels(2 * mega_flops, **sizes)
            ),
        ),
    ),
)
