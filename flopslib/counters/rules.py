"""What each tool counts otherwise than we do: one rule for each habit of a tool.

A rule belongs to a tool and not to a network. It names the kinds of layers that it
concerns, and computes the difference it makes from a row of our report. That the
rules of a tool explain its figures for every network to the last operation is what
``tests/book/test_peers.py`` shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
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
LLAMA_NORM = "LlamaRMSNorm of transformers"
CALLED_TWICE, RELU_AGAIN = "Linear, called again later", "ReLU, called again later"
IN_PLACE, BY_CHANNEL = "an addition in place", "a product with one number a channel"
BROADCAST, BY_VECTOR = "a product that is broadcast", "a matrix by a vector"


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
    layer = row.layer.layer if row.type == "Shared" else row.layer
    return sum(math.prod(shape) for name, shape in layer.weights.items() if name in names)


@lru_cache(maxsize=512)
def _steps(layer: Layer, input_shape: Shape, output_shape: Shape) -> tuple[Step, ...]:
    return layer.cost(input_shape, output_shape).steps


def steps_of(row: Row) -> tuple[Step, ...]:
    """Return the steps of a layer; those that are alike are derived once."""
    return _steps(row.layer, row.input_shape, row.output_shape)


def inside(row: Row) -> int:
    """Return the MACs of an attention's scores and weighted sums."""
    if row.type == "ScaledDotProductAttention":
        return row.macs
    return sum(int(step.macs) for step in steps_of(row) if step.name in ("scores", "weighted sum"))


def scores(row: Row) -> int:
    """Return how many scores an attention has."""
    return sum(int(step.outputs) for step in steps_of(row) if step.name == "scores")


def hidden_pairs(row: Row) -> int:
    """Return the MACs inside attention of the pairs that a causal mask hides."""
    samples_, length, width = row.output_shape
    return 2 * samples_ * length**2 * width - row.macs


def biases(row: Row) -> int:
    """Return the additions of a layer's biases."""
    return sum(
        int(part.operations.additions * step.outputs)
        for step in steps_of(row)
        for part in step.parts
        if part.name == "bias"
    )


def channels(row: Row) -> int:
    """Return how many channels go in."""
    return row.input_shape[1]


def rows_of(row: Row) -> int:
    """Return how many vectors along the last axis go in."""
    return math.prod(row.input_shape[:-1])


def window(row: Row) -> int:
    """Return how many cells a window of a pooling has."""
    layer = row.layer
    if row.type == "AdaptiveAvgPool2d":
        return numbers(row) // outputs(row)
    return int(math.prod(layer.kernel_size))


def pixels(row: Row) -> int:
    """Return how many output pixels a convolution has, the samples included."""
    return outputs(row) // row.output_shape[1]


def each(name: str, kinds: tuple[str, ...], times: int) -> Rule:
    """Return the rule that a layer costs so much for each number that goes in."""
    return Rule(f"{name}: {times} for each number", kinds, lambda row: times * numbers(row))


# --- PyTorch's FlopCounterMode -----------------------------------------------------


_FUSED = Rule(
    "scores and weighted sums, inside a fused kernel", ATTENTION, lambda r: -2 * inside(r)
)
_BY_VECTOR_UNSEEN = Rule("a matrix by a vector", (BY_VECTOR,), lambda r: -r.flops)
_HIDDEN = Rule("pairs that a causal mask hides", ATTENTION[1:], lambda r: 2 * hidden_pairs(r))


def flop_counter(called: str, device: str) -> tuple[Rule, ...]:
    """Products alone, 2 for each MAC; on the CPU attention is one kernel without a rule."""
    if device == "meta":
        return (_BY_VECTOR_UNSEEN, _HIDDEN)
    return (_FUSED, _BY_VECTOR_UNSEEN)


def flop_counter_no_grad(called: str, device: str) -> tuple[Rule, ...]:
    """Where no gradients are kept, nn.MultiheadAttention becomes one operation on the CPU."""
    if device == "meta":
        return (_BY_VECTOR_UNSEEN, _HIDDEN)
    return (
        Rule("attention, run as one operation", ATTENTION[:1], lambda r: -2 * r.macs),
        replace(_FUSED, kinds=ATTENTION[1:]),
        _BY_VECTOR_UNSEEN,
    )


#: In place of the others, where PyTorch runs a whole subject as one operation.
ONE_OPERATION = Rule("the whole layer, run as one operation", (), lambda r: -2 * r.macs)


#: The same for a counter that does not know the module.
UNKNOWN_LAYER = Rule("a layer that it does not know", (), lambda r: -r.exact_flops)


# --- fvcore -----------------------------------------------------------------------


def fvcore(called: str, device: str) -> tuple[Rule, ...]:
    """MACs, norms and one kind of pooling, as the tracer of PyTorch sees them."""
    return (
        Rule("scores and weighted sums, inside a fused kernel", ATTENTION, lambda r: -inside(r)),
        each("batch norms", BATCH_NORMS, 2),
        each("layer and group norms", ("LayerNorm", "GroupNorm"), 5),
        each("adaptive pooling", ("AdaptiveAvgPool2d", *POOLING_FUNCTION), 1),
        *_by_the_first_batch(1),
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

#: What is written as ``x @ y`` is neither a module nor a function.
_PRODUCTS_UNSEEN = Rule("products that are operators", (BROADCAST, BY_VECTOR), lambda r: -r.macs)

#: Modules with products; their figures are divided by the samples.
_PRODUCTS = (CALLED_TWICE, "Linear", "MultiheadAttention", *WINDOWS)


def _twice_on_meta(row: Row) -> int:
    """Return the products with weights of a biased layer, which "meta" rewrites as a matmul."""
    has_bias = any(name.endswith("bias") for name in row.layer.weights)
    return row.macs - inside(row) - _strided(row) * row.input_shape[-1] if has_bias else 0


def _strided(row: Row) -> int:
    """Return how many numbers an attention projects its inputs to, if there are several samples.

    With the batch in front these do not lie one behind the other in memory; PyTorch then
    multiplies first, and adds the biases by themselves.
    """
    return 3 * numbers(row) if row.type == "MultiheadAttention" and samples(row) > 1 else 0


def ptflops(called: str, device: str) -> tuple[Rule, ...]:
    """Modules for one sample of the batch, and functions for all of it."""
    modules = (
        Rule("all samples but one", _PRODUCTS, lambda r: _mean(_macs)(r) - r.macs),
        Rule("biases", _PRODUCTS, _mean(biases)),
        Rule("biases, once for all positions", CONV1D, lambda r: learnt(r, "bias")),
        Rule("scaling of the queries", ATTENTION[:1], _mean(numbers)),
        Rule("softmax: 1 for each score", ATTENTION[:1], _mean(scores)),
        Rule("scores and weighted sums, inside a function", ATTENTION[1:], lambda r: -inside(r)),
        _PRODUCTS_UNSEEN,
        Rule(
            "batch and group norms: 2 for each number",
            (*BATCH_NORMS, "GroupNorm"),
            lambda r: 2 * _mean(numbers)(r),
        ),
        Rule("layer norms: 1 for each number", ("LayerNorm",), _mean(numbers)),
    )
    activations = ("ReLU", RELU_AGAIN, "ReLU6", "LeakyReLU", "GELU")
    functions = (
        Rule("activations, as modules", activations, _mean(numbers)),
        Rule("activations, as functions", ("ReLU", RELU_AGAIN, "GELU", "SiLU"), numbers),
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
    counted = (
        Rule("biases", (*_PRODUCTS, *CONV1D), lambda r: biases(r) - _strided(r)),
        Rule("a matrix by a vector", (BY_VECTOR,), lambda r: -r.macs),
    )
    hidden = Rule("pairs that a causal mask hides", ATTENTION[1:], hidden_pairs)
    return (*counted, hidden) if device == "meta" else (*counted, fused)


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
    unseen = Rule(
        "products that are operators", (BROADCAST, BY_VECTOR), lambda r: -per_mac * r.macs
    )
    if called == "MACs":
        return (fused, unseen)
    return (
        fused,
        unseen,
        Rule("biases of convolutions", CONVOLUTIONS, biases),
        Rule(
            "biases of a transposed convolution, for the outputs of a plain one",
            TRANSPOSED,
            _as_if_not_transposed,
        ),
        Rule("biases, once for all positions", CONV1D, lambda r: learnt(r, "bias")),
        each("batch norms", BATCH_NORMS, 2),
        each("layer and group norms", ("LayerNorm", "GroupNorm"), 5),
        each("activations", ("ReLU", RELU_AGAIN, "LeakyReLU", "GELU", "SiLU"), 1),
        each("softmax", ("Softmax",), 1),
        each("pooling", (*POOLING, *POOLING_FUNCTION), 1),
    ) + ((LEAKY_PRODUCT,) if device == "meta" else ())


# --- thop -------------------------------------------------------------------------


def by_output_pixels(row: Row) -> int:
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
        _PRODUCTS_UNSEEN,
        Rule("a transposed convolution by its output pixels", TRANSPOSED, by_output_pixels),
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


_NORMS = (*BATCH_NORMS, "LayerNorm", "GroupNorm", "RMSNorm", LLAMA_NORM)


def torchinfo(called: str, device: str) -> tuple[Rule, ...]:
    """Parameters, times the pixels of a convolution and the samples of everything else."""
    return (
        Rule("attention", ATTENTION, lambda r: -r.macs),
        Rule("linear layers, only for the first axis", ("Linear",), _once_for_a_sample),
        _PRODUCTS_UNSEEN,
        Rule("linear layers taken for a convolution", CONV1D, _features_for_pixels),
        Rule("a transposed convolution by its output pixels", TRANSPOSED, by_output_pixels),
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


# --- PyTorch's profiler -------------------------------------------------------------

_PROFILED = (
    Rule(
        "convolutions that are not of images", ("Conv1d", "Conv3d", *TRANSPOSED), lambda r: -r.flops
    ),
    Rule("residual sums, and of positions", ("Sum", "PositionEmbedding"), numbers),
    Rule("elementwise products", ("Product",), numbers),
    Rule(
        "products with one number a channel", (BY_CHANNEL,), lambda r: math.prod(r.output_shape[:2])
    ),
    Rule(
        "rotations of positions: 3 for each number", ("RotaryEmbedding",), lambda r: 3 * numbers(r)
    ),
    Rule("RMS norms: 2 for each number", ("RMSNorm",), lambda r: 2 * numbers(r)),
    Rule(
        "RMS norms: 1 for each number, weight and row",
        (LLAMA_NORM,),
        lambda r: numbers(r) + r.parameters + rows_of(r),
    ),
    Rule("GELU, as arithmetic: 6 for each number", ("arithmetic",), lambda r: 6 * numbers(r)),
    _BY_VECTOR_UNSEEN,
)


def profiler(called: str, device: str) -> tuple[Rule, ...]:
    """Products of images and matrices, and each addition and multiplication of tensors."""
    return (_FUSED, *_PROFILED)


def profiler_no_grad(called: str, device: str) -> tuple[Rule, ...]:
    """Where no gradients are kept, nn.MultiheadAttention is taken apart into products."""
    return (replace(_FUSED, kinds=ATTENTION[1:]), *_PROFILED)


#: In place of the others, where PyTorch runs a whole Transformer layer as one operation.
FUSED_PRODUCT = Rule(
    "the product that is fused with its activation",
    ("Linear",),
    lambda r: -r.flops if r.layer.out_features > r.layer.in_features else 0,
)


# --- DeepSpeed ----------------------------------------------------------------------


def deepspeed(called: str, device: str) -> tuple[Rule, ...]:
    """As calflops, which came from it; and it sees fused attention."""
    otherwise = ("fused kernel", "operators", "biases of convolutions", "transposed convolution")
    same = [r for r in calflops(called, device) if not any(n in r.name for n in otherwise)]
    per_mac = 2 if called == "flops" else 1
    return (
        *same,
        *([Rule("biases of convolutions", WINDOWS, biases)] if per_mac == 2 else []),
        Rule("pairs that a causal mask hides", ATTENTION[1:], lambda r: per_mac * hidden_pairs(r)),
        Rule(
            "a matrix by a vector, by the wrong axis",
            (BY_VECTOR,),
            lambda r: per_mac * r.macs * (r.input_shape[-1] - 1),
        ),
        *_by_the_first_batch(per_mac),
    )


def _by_the_first_batch(per_mac: int) -> tuple[Rule, ...]:
    """Return what is missing where the batch of the first factor stands for both."""
    return (
        Rule(
            "a product that is broadcast, by the first factor's batch",
            (BROADCAST,),
            lambda r: per_mac * (_first_batch(r) - r.macs),
        ),
    )


def _first_batch(row: Row) -> int:
    """Return the MACs of a product as if the first factor had the whole batch."""
    return row.macs * math.prod(row.input_shape[:-2]) // math.prod(row.output_shape[:-2])


# --- torchprofile -------------------------------------------------------------------


def torchprofile(called: str, device: str) -> tuple[Rule, ...]:
    """MACs as the tracer sees them, and 1 for each number that a norm or a product has."""
    return (
        Rule("a transposed convolution by its output pixels", TRANSPOSED, by_output_pixels),
        each("batch, layer and group norms", (*BATCH_NORMS, "LayerNorm", "GroupNorm"), 1),
        each("leaky ReLU", ("LeakyReLU",), 1),
        each("elementwise products", ("Product", BY_CHANNEL), 1),
        each("GELU, as arithmetic", ("arithmetic",), 4),
        each("rotations of positions", ("RotaryEmbedding",), 2),
        Rule(
            "RMS norms: 2 for each number, 1 a row",
            (LLAMA_NORM,),
            lambda r: 2 * numbers(r) + rows_of(r),
        ),
        Rule(
            "average pooling: 1 for each output",
            ("AvgPool2d", "AdaptiveAvgPool2d", *POOLING_FUNCTION),
            outputs,
        ),
        Rule("pairs that a causal mask hides", ATTENTION[1:], hidden_pairs),
        Rule("products of sizes, inside attention", ATTENTION[:1], lambda r: 4),
        Rule("a product of sizes: patches across and down", ("PositionEmbedding",), lambda r: 1),
    )


# --- torch-flops --------------------------------------------------------------------


def _instead(name: str, kinds: tuple[str, ...], amount: Callable[[Row], int]) -> Rule:
    """Return the rule that a layer costs so much in place of what it performs."""
    return Rule(name, kinds, lambda row: amount(row) - row.exact_flops)


def torch_flops(called: str, device: str) -> tuple[Rule, ...]:
    """Products exactly, and some of the small layers at a price."""
    silent = ("RMSNorm", "SiLU", "Hardswish", "Hardsigmoid", "Sigmoid", "Tanh", "Softmax")
    return (
        _instead("attention", ATTENTION, lambda r: 0),
        _instead("transposed convolutions", TRANSPOSED, lambda r: 0),
        _instead("norms and activations that it does not know", silent, lambda r: 0),
        _instead(
            "norms: 4 for each number",
            (*BATCH_NORMS, "LayerNorm", "GroupNorm"),
            lambda r: 4 * numbers(r),
        ),
        _instead("GELU and ReLU: 1 for each number", ("GELU", "ReLU", RELU_AGAIN), numbers),
        _instead("leaky ReLU: 4 for each number", ("LeakyReLU",), lambda r: 4 * numbers(r)),
        _instead(
            "max pooling: the side of a window, less 1",
            ("MaxPool2d",),
            lambda r: outputs(r) * (r.layer.kernel_size[0] - 1),
        ),
        _instead(
            "average pooling: the side of a window",
            ("AvgPool2d",),
            lambda r: outputs(r) * r.layer.kernel_size[0],
        ),
        _instead("adaptive pooling: 1 for each number", ("AdaptiveAvgPool2d",), numbers),
        _instead("adaptive pooling, a function", POOLING_FUNCTION, lambda r: 0),
        Rule("sizes of an image and its patches", ("PositionEmbedding",), lambda r: 16),
    )


# --- flopth -------------------------------------------------------------------------


def _by_axis_1(row: Row) -> int:
    """Return a linear layer with axis 1 for its features, less its MACs."""
    return samples(row) * row.input_shape[1] * row.output_shape[1] - row.macs


def flopth(called: str, device: str) -> tuple[Rule, ...]:
    """The modules it has a rule for, the last call of each; a linear layer by axis 1."""
    activations = ("ReLU", "ReLU6", "LeakyReLU", "GELU", "Hardswish", "Hardsigmoid", "Tanh")
    return (
        Rule("attention", ATTENTION, lambda r: -r.macs),
        Rule("linear layers, axis 1 taken for the features", ("Linear",), _by_axis_1),
        Rule("linear layers that are no nn.Linear", CONV1D, lambda r: -r.macs),
        Rule("a layer that is called again", (CALLED_TWICE,), lambda r: -r.macs),
        _PRODUCTS_UNSEEN,
        Rule("biases of convolutions", WINDOWS, biases),
        Rule("a transposed convolution by its output pixels", TRANSPOSED, by_output_pixels),
        each("batch and group norms", (*BATCH_NORMS, "GroupNorm"), 2),
        each("layer norms", ("LayerNorm",), 1),
        each("activations", activations, 1),
        each("pooling", POOLING, 1),
    )


# --- ultralytics-thop ---------------------------------------------------------------


def _softmax_of_scores(row: Row) -> int:
    """Return an exponential and a division for each score, and the sum of a row."""
    return 3 * scores(row) - scores(row) // row.input_shape[-2]


def ultralytics_thop(called: str, device: str) -> tuple[Rule, ...]:
    """As thop; and it sees attention and products that are operators, and every kind of norm."""
    norms = (*BATCH_NORMS, "LayerNorm", "GroupNorm", "RMSNorm")
    return (
        Rule("linear layers that are no nn.Linear", CONV1D, lambda r: -r.macs),
        each("norms", norms, 4),
        Rule("softmax: 3 for each number, less 1", ("Softmax",), _softmax),
        Rule("softmax of the scores: 3 for each, less 1", ATTENTION[:1], _softmax_of_scores),
        Rule("pairs that a causal mask hides", ATTENTION[1:], hidden_pairs),
        Rule(
            "pooling: 1 for each cell of a window and output",
            ("AvgPool2d",),
            lambda r: outputs(r) * (window(r) + 1),
        ),
        Rule(
            "adaptive pooling: 1 for each number and output",
            ("AdaptiveAvgPool2d",),
            _mean_of_windows,
        ),
    )


#: What takes the place of a tool's rules, where PyTorch runs a whole Transformer layer as one
#: operation, or the tool takes it for one.
WHOLE_LAYER = {
    "flop_counter_no_grad": (ONE_OPERATION,),
    "flop_counter_newest_no_grad": (ONE_OPERATION,),
    "profiler_no_grad": (FUSED_PRODUCT,),
    "torch_flops": (UNKNOWN_LAYER,),
}
