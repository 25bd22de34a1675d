"""Integers derived by hand, with the derivation beside them."""

import pytest

from flopslib import (
    conv2d,
    conv_output_size,
    depthwise_conv2d,
    linear,
    matmul,
    pointwise_conv2d,
)


def figures(derivation):
    return (
        derivation.multiplications,
        derivation.additions,
        derivation.macs,
        derivation.flops,
        derivation.exact_flops,
    )


PINNED = [
    # 3 products an output, 2 outputs: 6; 2 sums and 1 bias an output: 6
    (linear(3, 2), (6, 6, 6, 12, 12)),
    # no bias: 2 sums an output, 2 outputs: 4
    (linear(3, 2, bias=False), (6, 4, 6, 12, 10)),
    # a single term needs no sum, and is still a MAC
    (linear(1, 1, bias=False), (1, 0, 1, 2, 1)),
    # 4 rows of the above 3 -> 2
    (linear(3, 2, batch=4), (24, 24, 24, 48, 48)),
    # 2*5 cells of 3 products: 30, and 2 sums each: 20
    (matmul(2, 3, 5), (30, 20, 30, 60, 50)),
    # 7 of those
    (matmul(2, 3, 5, batch=7), (210, 140, 210, 420, 350)),
    # window 3*7*7 = 147; pixels 64*112*112 = 802816; 147*802816 and 146*802816
    (
        conv2d(3, 64, 7, 112, 112, bias=False),
        (118013952, 117211136, 118013952, 236027904, 235225088),
    ),
    # window 2*3*5 = 30; pixels 3*2*2 = 12; a bias makes the sums 30 too
    (conv2d(2, 3, (3, 5), 2, 2), (360, 360, 360, 720, 720)),
    # 6 channels in 3 groups: window 2*1*1; pixels 9*2*2 = 36
    (conv2d(6, 9, 1, 2, 2, groups=3, bias=False), (72, 36, 72, 144, 108)),
    # window 3*3 = 9, pixels 32*112*112 = 401408
    (
        depthwise_conv2d(32, 3, 112, 112, bias=False),
        (3612672, 3211264, 3612672, 7225344, 6823936),
    ),
    # window 32, pixels 16*112*112 = 200704; 31 sums each
    (
        pointwise_conv2d(32, 16, 112, 112, bias=False),
        (6422528, 6221824, 6422528, 12845056, 12644352),
    ),
]


@pytest.mark.parametrize(("derivation", "expected"), PINNED, ids=lambda value: str(value)[:40])
def test_pinned(derivation, expected):
    assert figures(derivation) == expected
    assert derivation.other == {}


@pytest.mark.parametrize(
    ("size", "kernel", "settings", "expected"),
    [
        (224, 7, {"stride": 2, "padding": 3}, 112),  # 230 - 7 = 223 cells of room, 111 strides
        (5, 3, {}, 3),  # starts 0 1 2
        (5, 3, {"stride": 2}, 2),  # starts 0 2
        (7, 3, {"dilation": 2}, 3),  # a reach of 5: starts 0 1 2
        (7, 3, {"stride": 2, "padding": 1}, 4),  # 9 cells: starts 0 2 4 6
        (3, 3, {}, 1),
    ],
)
def test_output_size(size, kernel, settings, expected):
    assert conv_output_size(size, kernel, **settings) == expected


def test_the_ends_of_the_groups():
    # with one group it is the ordinary convolution, with C groups the depthwise one
    assert conv2d(12, 12, 3, 5, 5, groups=12).total == depthwise_conv2d(12, 3, 5, 5).total
    assert conv2d(12, 7, 1, 5, 5).total == pointwise_conv2d(12, 7, 5, 5).total
    assert conv2d(12, 12, 3, 5, 5).macs == 12 * depthwise_conv2d(12, 3, 5, 5).macs


def test_a_linear_layer_without_bias_is_a_product_of_matrices():
    assert linear(3, 5, batch=7, bias=False).total == matmul(7, 3, 5).total
