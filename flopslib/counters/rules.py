"""What each tool counts otherwise than we do: one rule for each habit of a tool.

A rule belongs to a tool and not to a network. It names the kinds of layers that it
concerns, and computes the difference it makes from a row of our report. That the
rules of a tool explain its figures for every network to the last operation is what
``tests/book/test_peers.py`` shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from flopslib.derivation.steps import Step
from flopslib.layers import Conv2d
from flopslib.layers.layer import Layer, Shape, several
from flopslib.report.rows import Row

ATTENTION = ("MultiheadAttention", "ScaledDotProductAttention")
CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
TRANSPOSED = ("ConvTranspose2d",)
WINDOWS = (*CONVOLUTIONS, *TRANSPOSED)
BATCH_NORMS = ("BatchNorm1d", "BatchNorm2d")
POOLING = ("MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d")
POOLING_FUNCTION = ("adaptive_avg_pool2d, a function",)
CONV1D = ("Conv1D of transformers",)


@dataclass(frozen=True)
class Rule:
    """A habit of a tool: what it counts that we do not, or leaves out that we count.

    Attributes:
        name: the habit in a few words.
        kinds: the layers it concerns.
        amount: what it adds for a row; negative where something is left out.
    """

    name: str
    kinds: tuple[str, ...]
    amount: Callable[[Row], int]


# --- what a row has --------------------------------------------------------------


def numbers(row: Row) -> int:
    """Return how many numbers go into a layer; of several inputs, into the largest."""
    return max(map(math.prod, several(row.input_shape)))


def outputs(row: Row) -> int:
    """Return how many numbers come out of a layer."""
    return math.prod(row.output_shape)


def samples(row: Row) -> int:
    """Return the first axis of what goes in."""
    first: Shape = several(row.input_shape)[0]
    return first[0]


def learnt(row: Row, *names: str) -> int:
    """Return how many numbers of the weights with these names there are."""
    return sum(math.prod(shape) for name, shape in row.layer.weights.items() if name in names)


@lru_cache(maxsize=512)
def _steps(layer: Layer, input_shape: Shape, output_shape: Shape) -> tuple[Step, ...]:
    return layer.cost(input_shape, output_shape).steps


def steps_of(row: Row) -> tuple[Step, ...]:
    """Return the steps of a layer; those that are alike are derived once."""
    return _steps(row.layer, row.input_shape, row.output_shape)


def inside(row: Row) -> int:
    """Return the MACs of an attention's scores and weighted sums."""
    return sum(int(step.macs) for step in steps_of(row) if step.name in ("scores", "weighted sum"))


def scores(row: Row) -> int:
    """Return how many scores an attention has."""
    return sum(int(step.outputs) for step in steps_of(row) if step.name == "scores")


def biases(row: Row) -> int:
    """Return the additions of a layer's biases."""
    return sum(
        int(part.operations.additions * step.outputs)
        for step in steps_of(row)
        for part in step.parts
        if part.name == "bias"
    )


def pixels(row: Row) -> int:
    """Return how many output pixels a convolution has, the samples included."""
    return outputs(row) // row.output_shape[1]


def each(name: str, kinds: tuple[str, ...], times: int) -> Rule:
    """Return the rule that a layer costs so much for each number that goes in."""
    return Rule(f"{name}: {times} for each number", kinds, lambda row: times * numbers(row))


# --- PyTorch's FlopCounterMode -----------------------------------------------------


def flop_counter(called: str, device: str) -> tuple[Rule, ...]:
    """Products alone, 2 for each MAC; on the CPU attention is one kernel without a rule."""
    if device == "meta":
        return ()
    return (
        Rule(
            "scores and weighted sums, inside a fused kernel", ATTENTION, lambda r: -2 * inside(r)
        ),
    )


def flop_counter_no_grad(called: str, device: str) -> tuple[Rule, ...]:
    """Where no gradients are kept, nn.MultiheadAttention becomes one operation on the CPU."""
    if device == "meta":
        return ()
    return (
        Rule("attention, run as one operation", ATTENTION[:1], lambda r: -2 * r.macs),
        Rule(
            "scores and weighted sums, inside a fused kernel",
            ATTENTION[1:],
            lambda r: -2 * inside(r),
        ),
    )


#: In place of the others, where PyTorch runs a whole subject as one operation.
ONE_OPERATION = Rule("the whole layer, run as one operation", (), lambda r: -2 * r.macs)


# --- fvcore -----------------------------------------------------------------------


def fvcore(called: str, device: str) -> tuple[Rule, ...]:
    """MACs, norms and one kind of pooling, as the tracer of PyTorch sees them."""
    return (
        Rule("scores and weighted sums, inside a fused kernel", ATTENTION, lambda r: -inside(r)),
        each("batch norms", BATCH_NORMS, 2),
        each("layer and group norms", ("LayerNorm", "GroupNorm"), 5),
        each("adaptive pooling", ("AdaptiveAvgPool2d", *POOLING_FUNCTION), 1),
    )


# --- ptflops ----------------------------------------------------------------------


def _mean(amount: Callable[[Row], int]) -> Callable[[Row], int]:
    """Return the mean over the samples: what ptflops makes of whatever its modules counted."""

    def of_a_sample(row: Row) -> int:
        whole = amount(row)
        assert whole % samples(row) == 0
        return whole // samples(row)

    return of_a_sample


#: On "meta" a leaky ReLU is computed by products of tensors, which are counted.
LEAKY_PRODUCT = Rule("leaky ReLU, as a product of tensors", ("LeakyReLU",), numbers)

#: Modules with products; their figures are divided by the samples.
_PRODUCTS = ("Linear", "MultiheadAttention", *WINDOWS)


def _twice_on_meta(row: Row) -> int:
    """Return the products with weights of a biased layer, which "meta" rewrites as a matmul."""
    has_bias = any(name.endswith("bias") for name in row.layer.weights)
    return row.macs - inside(row) if has_bias else 0


def ptflops(called: str, device: str) -> tuple[Rule, ...]:
    """Modules for one sample of the batch, and functions for all of it."""
    modules = (
        Rule("all samples but one", _PRODUCTS, lambda r: _mean(_macs)(r) - r.macs),
        Rule("biases", _PRODUCTS, _mean(biases)),
        Rule("biases, once for all positions", CONV1D, lambda r: learnt(r, "bias")),
        Rule("scaling of the queries", ATTENTION[:1], _mean(numbers)),
        Rule("softmax: 1 for each score", ATTENTION[:1], _mean(scores)),
        Rule("scores and weighted sums, inside a function", ATTENTION[1:], lambda r: -inside(r)),
        Rule(
            "batch and group norms: 2 for each number",
            (*BATCH_NORMS, "GroupNorm"),
            lambda r: 2 * _mean(numbers)(r),
        ),
        Rule("layer norms: 1 for each number", ("LayerNorm",), _mean(numbers)),
    )
    activations = ("ReLU", "ReLU6", "LeakyReLU", "GELU")
    functions = (
        Rule("activations, as modules", activations, _mean(numbers)),
        Rule("activations, as functions", ("ReLU", "GELU", "SiLU"), numbers),
        Rule("softmax, as a function", ("Softmax",), numbers),
        Rule("pooling, as modules", POOLING, _mean(numbers)),
        Rule("pooling, as functions", (*POOLING, *POOLING_FUNCTION), numbers),
    )
    rewritten = (
        Rule(
            "products with the weights of biased layers, again",
            ("Linear", "MultiheadAttention", *CONV1D),
            _twice_on_meta,
        ),
        LEAKY_PRODUCT,
    )
    return modules + functions + (rewritten if device == "meta" else ())


def _macs(row: Row) -> int:
    return row.macs


def ptflops_aten(called: str, device: str) -> tuple[Rule, ...]:
    """MACs and biases of what reaches the kernels; on "meta" fused attention is taken apart."""
    fused = Rule("scores and weighted sums, inside a fused kernel", ATTENTION, lambda r: -inside(r))
    counted = Rule("biases", (*_PRODUCTS, *CONV1D), biases)
    return (counted,) if device == "meta" else (counted, fused)


# --- calflops ---------------------------------------------------------------------


def _as_if_not_transposed(row: Row) -> int:
    """Return the biases of a transposed convolution, at the outputs of a plain one."""
    layer = row.layer
    plain = Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
    )
    return math.prod(plain.output_shape(row.input_shape)) if layer.bias else 0


def calflops(called: str, device: str) -> tuple[Rule, ...]:
    """MACs exactly as seen; FLOPs with what the small layers cost."""
    per_mac = 2 if called == "FLOPs" else 1
    fused = Rule(
        "scores and weighted sums, inside a fused kernel",
        ATTENTION,
        lambda r: -per_mac * inside(r),
    )
    if called == "MACs":
        return (fused,)
    return (
        fused,
        Rule("biases of convolutions", CONVOLUTIONS, biases),
        Rule(
            "biases of a transposed convolution, for the outputs of a plain one",
            TRANSPOSED,
            _as_if_not_transposed,
        ),
        Rule("biases, once for all positions", CONV1D, lambda r: learnt(r, "bias")),
        each("batch norms", BATCH_NORMS, 2),
        each("layer and group norms", ("LayerNorm", "GroupNorm"), 5),
        each("activations", ("ReLU", "LeakyReLU", "GELU", "SiLU"), 1),
        each("softmax", ("Softmax",), 1),
        each("pooling", (*POOLING, *POOLING_FUNCTION), 1),
    ) + ((LEAKY_PRODUCT,) if device == "meta" else ())


# --- thop -------------------------------------------------------------------------


def _by_output_pixels(row: Row) -> int:
    """Return what a transposed convolution would cost if each output met the whole window."""
    layer = row.layer
    window: int = math.prod(layer.kernel_size) * layer.in_channels // layer.groups
    return outputs(row) * window - row.macs


def _softmax(row: Row) -> int:
    """Return an exponential and a division for each number, and the sum."""
    width: int = row.input_shape[row.layer.dim]
    return numbers(row) // width * (3 * width - 1)


def _mean_of_windows(row: Row) -> int:
    """Return a sum and a division for each window of a pooling that fits the plane."""
    window = numbers(row) // outputs(row)
    return outputs(row) * (window + 1)


def thop(called: str, device: str) -> tuple[Rule, ...]:
    """The modules it has a rule for, and no function."""
    return (
        Rule("attention", ATTENTION, lambda r: -r.macs),
        Rule("linear layers that are no nn.Linear", CONV1D, lambda r: -r.macs),
        Rule("a transposed convolution by its output pixels", TRANSPOSED, _by_output_pixels),
        each("batch and layer norms", (*BATCH_NORMS, "LayerNorm"), 4),
        Rule("softmax: 3 for each number, less 1", ("Softmax",), _softmax),
        Rule("pooling: 1 for each output", ("AvgPool2d",), outputs),
        Rule(
            "adaptive pooling: 1 for each number and output",
            ("AdaptiveAvgPool2d",),
            _mean_of_windows,
        ),
    )


# --- torchinfo --------------------------------------------------------------------


def _once_for_a_sample(row: Row) -> int:
    """Return the weights of a linear layer, once for each sample, less its MACs."""
    return samples(row) * learnt(row, "weight") - row.macs


def _features_for_pixels(row: Row) -> int:
    """Return the weights, once for each output feature, less the MACs."""
    return samples(row) * row.output_shape[-1] * learnt(row, "weight") - row.macs


_NORMS = (*BATCH_NORMS, "LayerNorm", "GroupNorm", "RMSNorm")


def torchinfo(called: str, device: str) -> tuple[Rule, ...]:
    """Parameters, times the pixels of a convolution and the samples of everything else."""
    return (
        Rule("attention", ATTENTION, lambda r: -r.macs),
        Rule("linear layers, only for the first axis", ("Linear",), _once_for_a_sample),
        Rule("linear layers taken for a convolution", CONV1D, _features_for_pixels),
        Rule("a transposed convolution by its output pixels", TRANSPOSED, _by_output_pixels),
        Rule("biases of convolutions", WINDOWS, biases),
        Rule("biases, once for each sample", ("Linear",), lambda r: samples(r) * learnt(r, "bias")),
        Rule(
            "biases, once for each output feature",
            CONV1D,
            lambda r: samples(r) * r.output_shape[-1] * learnt(r, "bias"),
        ),
        Rule("parameters of norms", _NORMS, lambda r: samples(r) * r.layer.parameters),
        Rule("the table of an embedding", ("Embedding",), lambda r: samples(r) * r.parameters),
    )
