"""What the counters of other ecosystems count otherwise than we do: XLA, TensorFlow, Paddle …

The rules have the form of those in :mod:`flopslib.counters.rules`. The name of a layer stands
for what the ecosystem runs in its place: Flax's modules, Keras' layers, Paddle's, ONNX's
operators.
"""

from __future__ import annotations

import math
from functools import cache

from flopslib.counters.rules import (
    ATTENTION,
    BATCH_NORMS,
    CONVOLUTIONS,
    POOLING,
    TRANSPOSED,
    Rule,
    biases,
    by_output_pixels,
    channels,
    each,
    hidden_pairs,
    inside,
    numbers,
    outputs,
    rows_of,
    scores,
    window,
)
from flopslib.report.rows import Row

# --- XLA, and Flax, which asks it -----------------------------------------------------

BEHIND_A_SUM = ("LayerNorm that others need", "LayerNorm behind a sum")
LOWERED, COMPILED = "lowered", "compiled for the CPU"


@cache
def _on_the_image(
    side: int, places: int, kernel: int, stride: int, dilation: int, padding: int
) -> int:
    """Return how many taps of all windows along an axis lie on the image."""
    return sum(
        0 <= place * stride + tap * dilation - padding < side
        for place in range(places)
        for tap in range(kernel)
    )


def padding_taps(row: Row) -> int:
    """Return the products of a convolution whose one factor is a zero of the padding.

    >>> from flopslib import count
    >>> from flopslib.layers import Conv2d
    >>> (row,) = count(Conv2d(3, 5, 3, padding=1), (2, 3, 8, 8)).rows
    >>> padding_taps(row) == 2 * 3 * 5 * (8**2 * 3**2 - 22**2)
    True
    """
    layer = row.layer
    valid = 1
    for axis, kernel in enumerate(layer.kernel_size):
        side, places = row.input_shape[2 + axis], row.output_shape[2 + axis]
        stride, dilation = layer.stride[axis], layer.dilation[axis]
        padding = dilation * (kernel - 1) // 2 if layer.padding == "same" else layer.padding[axis]
        valid *= _on_the_image(side, places, kernel, stride, dilation, padding)
    taps = math.prod(layer.kernel_size) * math.prod(row.output_shape[2:])
    return int(row.macs // taps * (taps - valid))


#: XLA's flops for a number that goes through an activation, as written and as compiled.
ACTIVATIONS = {
    "ReLU": (1, 1), "ReLU6": (2, 1), "LeakyReLU": (3, 3), "GELU": (66, 64), "SiLU": (4, 4),
    "Hardswish": (5, 4), "Hardsigmoid": (4, 3), "Sigmoid": (3, 3),
}  # fmt: skip


def _per_row(times: int, more: int, row: Row) -> int:
    return times * numbers(row) + more * rows_of(row)


def _all_scores(row: Row) -> int:
    """Return how many scores there are, those that a mask hides included."""
    return int(row.output_shape[0] * row.layer.num_heads * row.output_shape[1] ** 2)


def _softmax(row: Row) -> int:
    """Return a comparison, a difference, a sum and a division for each score, less one a row."""
    return 4 * _all_scores(row) - _all_scores(row) // row.output_shape[1]


def _mask(row: Row) -> int:
    """Return a selection for each score, and two operations for each pair of positions."""
    return _all_scores(row) + 2 * row.output_shape[1] ** 2 if row.layer.causal else 0


def _conversions(row: Row) -> int:
    """Return one for each number that is converted: input, weights, result, before and after."""
    weights = sum(map(math.prod, row.layer.weights.values()))
    return numbers(row) + weights + outputs(row)


def xla(called: str, device: str) -> tuple[Rule, ...]:
    """Nearly everything, at the price of the program; padding inside a convolution is free."""
    compiled = device == COMPILED
    rules = (
        Rule("taps on the padding of a convolution", CONVOLUTIONS, lambda r: -2 * padding_taps(r)),
        Rule("biases", ("Linear", *ATTENTION, *CONVOLUTIONS, *TRANSPOSED), biases),
        Rule(
            "batch norms: 3 for each number, 2 for each channel",
            BATCH_NORMS,
            lambda r: 3 * numbers(r) + 2 * channels(r),
        ),
        Rule(
            "layer norms: 7 for each number, 5 a row as compiled"
            if compiled
            else "layer norms: 7 for each number, 4 a row",
            ("LayerNorm", *BEHIND_A_SUM),
            lambda r: _per_row(7, 5 if compiled else 4, r),
        ),
        Rule("RMS norms: 4 for each number, 1 a row", ("RMSNorm",), lambda r: _per_row(4, 1, r)),
        *(each(kind, (kind,), both[compiled]) for kind, both in ACTIVATIONS.items()),
        Rule(
            "softmax: 4 for each number, less 1 a row", ("Softmax",), lambda r: _per_row(4, -1, r)
        ),
        Rule("softmax of the scores", ATTENTION, _softmax),
        Rule("scaling of the queries", ATTENTION[:1], numbers),
        Rule("scaling of the scores", ATTENTION[1:], _all_scores),
        Rule("pairs that a causal mask hides", ATTENTION[1:], lambda r: 2 * hidden_pairs(r)),
        Rule("a causal mask", ATTENTION[1:], _mask),
        Rule("residual sums", ("Sum",), numbers),
        Rule(
            "max pooling: a comparison less than a window has cells",
            ("MaxPool2d",),
            lambda r: outputs(r) * (window(r) - 1),
        ),
        Rule(
            "average pooling: a window and a division",
            ("AvgPool2d", "AdaptiveAvgPool2d"),
            lambda r: outputs(r) * (window(r) - 1) + outputs(r),
        ),
        Rule(
            "embeddings: 6 for each look-up, 1 for each number",
            ("Embedding",),
            lambda r: 6 * numbers(r) + outputs(r),
        ),
        Rule("a loop's body, all times but one", ("a later step of a loop",), lambda r: -r.flops),
        Rule("the counter of a loop", ("the first step of a loop",), lambda r: 2),
    )
    as_compiled = (
        Rule("differences of the softmax, again", ATTENTION[1:], _all_scores),
        Rule(
            "a bias and a sum before a norm, again in two kernels",
            BEHIND_A_SUM,
            lambda r: 4 * numbers(r),
        ),
        Rule(
            "the end of a norm, again in three kernels",
            BEHIND_A_SUM[:1],
            lambda r: 3 * _per_row(6, 1, r),
        ),
        Rule("a causal mask, again", ATTENTION[1:], lambda r: r.layer.causal * _all_scores(r)),
        Rule("conversions from and to 16 bits", ("Linear in bfloat16",), _conversions),
        Rule("taps on the padding before it", ("Conv2d behind a padding",), _padded_before),
    )
    as_written = (Rule("the number that is padded with", ("ZeroPad2d",), lambda r: 1),)
    return rules + (as_compiled if compiled else as_written)


def _padded_before(row: Row) -> int:
    """Return minus the FLOPs on a border of one zero, which a padding has put there."""
    height, width = row.input_shape[2:]
    taps = row.macs // math.prod(row.output_shape[2:]) // math.prod(row.layer.kernel_size)
    valid = math.prod(
        sum(0 < place + tap < side - 1 for place in range(side - 2) for tap in range(3))
        for side in (height, width)
    )
    return int(2 * taps * valid - row.flops)


# --- TensorFlow ------------------------------------------------------------------------

FIXED, OPEN = "batch fixed", "batch left open"


def _by_outputs_over_strides(row: Row) -> int:
    """Return what is counted for a transposed convolution, less its FLOPs."""
    kernel = math.prod(row.layer.kernel_size) * row.layer.in_channels
    return int(2 * outputs(row) * kernel // math.prod(row.layer.stride) - row.flops)


def tensorflow(called: str, device: str) -> tuple[Rule, ...]:
    """The operations of the graph that have a rule and whose shapes are known."""
    folding = Rule(
        "folding of batch norms: 6 for each channel", BATCH_NORMS, lambda r: 6 * channels(r)
    )
    if device == OPEN:
        return (Rule("products of an unknown size", (), lambda r: -r.flops), folding)
    return (
        folding,
        Rule("biases", ("Linear", *ATTENTION, *CONVOLUTIONS, *TRANSPOSED, GROUPED), biases),
        Rule(
            "a grouped convolution, a function that is not entered", (GROUPED,), lambda r: -r.flops
        ),
        Rule(
            "a transposed convolution by outputs over strides", TRANSPOSED, _by_outputs_over_strides
        ),
        Rule("scores and weighted sums, as einsum", ATTENTION, lambda r: -2 * inside(r)),
        Rule("scaling of the scores", ATTENTION[:1], scores),
        Rule("softmax of the scores: 5 each", ATTENTION[:1], lambda r: 5 * scores(r)),
        each("batch norms", BATCH_NORMS, 2),
        Rule(
            "layer norms: 9 for each number, 4 a row", ("LayerNorm",), lambda r: _per_row(9, 4, r)
        ),
        Rule("RMS norms: 4 for each number, 3 a row", ("RMSNorm",), lambda r: _per_row(4, 3, r)),
        each("GELU", ("GELU",), 4),
        each("SiLU and hard sigmoid", ("SiLU", "Hardsigmoid"), 2),
        each("hard swish", ("Hardswish",), 3),
        each("softmax", ("Softmax",), 5),
        Rule("pooling: 1 for each cell of a window", POOLING, lambda r: outputs(r) * window(r)),
        Rule("embeddings: 2 for each look-up", ("Embedding",), lambda r: 2 * numbers(r)),
        Rule("residual sums", ("Sum",), numbers),
        Rule("a loop's body, a function that is not entered", LOOP, lambda r: -r.flops),
    )


GROUPED = "a grouped convolution of Keras"
LOOP = ("the first step of a loop", "a later step of a loop")


# --- Paddle ----------------------------------------------------------------------------


def _mean_of_windows(row: Row) -> int:
    return outputs(row) * (window(row) + 1)


def paddle(called: str, device: str) -> tuple[Rule, ...]:
    """The layers that it has a rule for, where they are inside another."""
    return (
        Rule("scores and weighted sums", ATTENTION, lambda r: -inside(r)),
        Rule("biases of convolutions", (*CONVOLUTIONS, *TRANSPOSED), biases),
        Rule("a transposed convolution by its output pixels", TRANSPOSED, by_output_pixels),
        each("batch norms of images", ("BatchNorm2d",), 2),
        each("leaky ReLU", ("LeakyReLU",), 1),
        Rule("average pooling: 1 for each output", ("AvgPool2d",), outputs),
        Rule(
            "adaptive pooling: 1 for each number and output",
            ("AdaptiveAvgPool2d",),
            _mean_of_windows,
        ),
    )


# --- onnx-tool -------------------------------------------------------------------------


def onnx_tool(called: str, device: str) -> tuple[Rule, ...]:
    """Everything, each operation at a price of its own, added up as MACs."""
    prices = {
        "ReLU": 1, "LeakyReLU": 2, "GELU": 34, "Hardswish": 5, "Hardsigmoid": 4, "Sigmoid": 32,
        "Tanh": 76, "Softmax": 36, "Sum": 1,
    }  # fmt: skip
    return (
        Rule("biases", ("Linear", *ATTENTION, *CONVOLUTIONS, *TRANSPOSED), biases),
        each("batch norms, 24 of it a square root", BATCH_NORMS, 31),
        Rule(
            "layer norms: 7 for each number, 29 a row", ("LayerNorm",), lambda r: _per_row(7, 29, r)
        ),
        *(each(kind, (kind,), times) for kind, times in prices.items()),
        Rule("softmax of the scores: 36 each", ATTENTION[:1], lambda r: 36 * scores(r)),
        Rule("division of the scores: 4 each", ATTENTION[:1], lambda r: 4 * scores(r)),
        Rule(
            "pooling: 1 for each cell of a window",
            ("MaxPool2d", "AvgPool2d"),
            lambda r: outputs(r) * window(r),
        ),
        Rule(
            "global pooling: 1 for each number, 4 for each output",
            ("AdaptiveAvgPool2d",),
            lambda r: numbers(r) + 4 * outputs(r),
        ),
        Rule(
            "a transposed convolution by output pixels and output channels",
            TRANSPOSED,
            _by_output_channels,
        ),
        Rule(
            "a product that is broadcast, by the first factor's batch",
            ("MatrixProduct",),
            lambda r: (
                r.macs * math.prod(r.input_shape[:-2]) // math.prod(r.output_shape[:-2]) - r.macs
            ),
        ),
    )


def _by_output_channels(row: Row) -> int:
    """Return what is counted for a transposed convolution, less its MACs."""
    return int(outputs(row) * math.prod(row.layer.kernel_size) * row.layer.out_channels - row.macs)


# --- tinygrad --------------------------------------------------------------------------

OPTIMISED, NOT_OPTIMISED = "optimised", "NOOPT=1"
LOOPED = "Linear in a loop"


def _tests(row: Row) -> int:
    """Return the tests whether a tap of a padded convolution lies on the image, all repeated."""
    layer = row.layer
    if not any(layer.padding):
        return 0
    height, width = layer.kernel_size
    return int(outputs(row) * layer.in_channels // layer.groups * 4 * (height + height * width))


def _tests_of_a_tile(row: Row) -> int:
    """Return them where a tile of the plane is unrolled; as measured for planes of 8 by 8."""
    return 25 * outputs(row) // 4 if any(row.layer.padding) else 0


def _softmax_kernels(row: Row, optimised: bool) -> int:
    """Return a softmax and the weighted sum's share of it: its last kernel is inside the sum.

    A row costs its maximum, the sum of exponentials (difference, product, power, sum) and one
    reciprocal; then 3 for each score again, for each output where nothing is unrolled; each
    output is multiplied by the reciprocal.
    """
    found, length = scores(row), row.input_shape[-2]
    rows, width = found // length, row.layer.embed_dim // row.layer.num_heads
    if optimised:
        return int(8 * found - rows + rows * width)
    return int(5 * found + rows + 3 * found * width + rows * width)


def tinygrad(called: str, device: str) -> tuple[Rule, ...]:
    """Every instruction of the kernels that it writes, unrolled or not."""
    optimised = device == OPTIMISED
    unrolled = (
        Rule(
            "sums that are unrolled: an addition less for each output",
            ("Linear", "MatrixProduct", "Conv2d of one cell"),
            lambda r: -outputs(r),
        ),
        Rule(
            "sums inside attention that are unrolled",
            ATTENTION[:1],
            lambda r: -(4 + 1) * numbers(r) - scores(r),
        ),
        Rule("tests at the border of the image", ("Conv2d",), _tests_of_a_tile),
    )
    looped = (Rule("tests at the border of the image, for each tap", ("Conv2d",), _tests),)
    first = 1 if optimised else 0
    return (
        Rule("biases", ("Linear", LOOPED, *ATTENTION, *CONVOLUTIONS, "Conv2d of one cell"), biases),
        Rule(
            "batch norms: 4 for each number, 6 for each channel",
            BATCH_NORMS,
            lambda r: 4 * numbers(r) + 6 * channels(r),
        ),
        Rule(
            "layer norms: 8 for each number, 3 a row"
            if optimised
            else "layer norms: 8 for each number, 5 a row",
            ("LayerNorm",),
            lambda r: _per_row(8, 5 - 2 * first, r),
        ),
        each("ReLU", ("ReLU",), 1),
        each("GELU", ("GELU",), 9),
        Rule("residual sums", ("Sum",), numbers),
        Rule("scaling of the scores", ATTENTION[:1], scores),
        Rule(
            "softmax, its last kernel inside the weighted sum",
            ATTENTION[:1],
            lambda r: _softmax_kernels(r, optimised),
        ),
        Rule(
            "max pooling: a comparison less than a window has cells"
            if optimised
            else "max pooling: 1 for each cell of a window",
            ("MaxPool2d",),
            lambda r: outputs(r) * (window(r) - first),
        ),
        Rule(
            "global pooling: 1 for each number and output",
            ("AdaptiveAvgPool2d",),
            lambda r: numbers(r) + outputs(r),
        ),
        *(unrolled if optimised else looped),
    )


def flax(called: str, device: str) -> tuple[Rule, ...]:
    """Ask XLA about the program as it is written."""
    return xla(called, LOWERED)
