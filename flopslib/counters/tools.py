"""The other programs that count, and what each would report for a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from flopslib.counters import ecosystems, rules
from flopslib.counters.rules import Rule
from flopslib.report.report import Report
from flopslib.report.rows import Row

__all__ = [
    "DEVICES",
    "MEANINGS",
    "TOOLS",
    "WRITTEN",
    "Term",
    "Tool",
    "kind_of",
    "predict",
    "terms_of",
]

DEVICES = ("cpu", "meta")
CPU = DEVICES[:1]


@dataclass(frozen=True)
class Tool:
    """Another program that counts.

    Attributes:
        title: its name, and how it was asked where there is more than one way.
        package: the package that has it.
        means: what it calls its figures, and which of ours each of them is.
        rules: the habits of the tool, for what it calls a figure and a device.
        devices: where it can run, or the ways to ask it.
        framework: whose programs it counts.
        foretold: whether its rules tell the figure of a network of yours. Those of a counter
            of kernels depend on how each kernel is unrolled; a newer version has the same rules.
    """

    title: str
    package: str
    means: Mapping[str, str]
    rules: Callable[[str, str], tuple[Rule, ...]]
    devices: tuple[str, ...] = DEVICES
    framework: str = "torch"
    foretold: bool = True


TOOLS = {
    "flop_counter": Tool("FlopCounterMode", "torch", {"FLOPs": "flops"}, rules.flop_counter),
    "flop_counter_no_grad": Tool(
        "FlopCounterMode, no gradients", "torch", {"FLOPs": "flops"}, rules.flop_counter_no_grad
    ),
    "fvcore": Tool("fvcore", "fvcore", {"flops": "macs"}, rules.fvcore),
    "ptflops": Tool("ptflops", "ptflops", {"MACs": "macs"}, rules.ptflops),
    "ptflops_aten": Tool("ptflops, aten", "ptflops", {"MACs": "macs"}, rules.ptflops_aten),
    "calflops": Tool("calflops", "calflops", {"MACs": "macs", "FLOPs": "flops"}, rules.calflops),
    "thop": Tool("THOP", "thop", {"MACs": "macs"}, rules.thop),
    "torchinfo": Tool("torchinfo", "torchinfo", {"mult-adds": "macs"}, rules.torchinfo),
    "flop_counter_newest": Tool(
        "FlopCounterMode, newer", "torch", {"FLOPs": "flops"}, rules.flop_counter, foretold=False
    ),
    "flop_counter_newest_no_grad": Tool(
        "FlopCounterMode, newer, no gradients",
        "torch",
        {"FLOPs": "flops"},
        rules.flop_counter_no_grad,
        foretold=False,
    ),
    "profiler": Tool("torch.profiler", "torch", {"flops": "flops"}, rules.profiler, CPU),
    "profiler_no_grad": Tool(
        "torch.profiler, no gradients", "torch", {"flops": "flops"}, rules.profiler_no_grad, CPU
    ),
    "mmengine": Tool("mmengine", "mmengine", {"flops": "macs"}, rules.fvcore, CPU),
    "deepspeed": Tool(
        "DeepSpeed", "deepspeed", {"MACs": "macs", "flops": "flops"}, rules.deepspeed, CPU
    ),
    "torchprofile": Tool(
        "torchprofile", "torchprofile", {"MACs": "macs"}, rules.torchprofile, CPU
    ),
    "torch_flops": Tool(
        "torch-flops", "torch-flops", {"FLOPs": "exact_flops"}, rules.torch_flops, CPU
    ),
    "flopth": Tool("flopth", "flopth", {"flops": "macs"}, rules.flopth, CPU),
    "ultralytics_thop": Tool(
        "ultralytics-thop", "ultralytics-thop", {"MACs": "macs"}, rules.ultralytics_thop, CPU
    ),
    "xla": Tool(
        "XLA", "jax", {"flops": "flops"}, ecosystems.xla,
        (ecosystems.LOWERED, ecosystems.COMPILED), "jax",
    ),
    "flax": Tool("Flax", "flax", {"flops": "flops"}, ecosystems.flax, CPU, "jax"),
    "tensorflow": Tool(
        "TensorFlow's profiler", "tensorflow-cpu", {"float_ops": "flops"}, ecosystems.tensorflow,
        (ecosystems.FIXED, ecosystems.OPEN), "tensorflow",
    ),
    "paddle": Tool(
        "paddle.flops", "paddlepaddle", {"FLOPs": "macs"}, ecosystems.paddle, CPU, "paddle"
    ),
    "onnx_tool": Tool(
        "onnx-tool", "onnx-tool", {"MACs": "macs"}, ecosystems.onnx_tool, CPU, "onnx"
    ),
    "tinygrad": Tool(
        "tinygrad", "tinygrad", {"ops": "flops"}, ecosystems.tinygrad,
        (ecosystems.OPTIMISED, ecosystems.NOT_OPTIMISED), "tinygrad", foretold=False,
    ),
}  # fmt: skip

#: Our word for each of our figures that a tool may mean.
MEANINGS = {"macs": "MACs", "flops": "FLOPs", "exact_flops": "exact FLOPs"}


RESNETS = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
    "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
)  # fmt: skip

#: How the program that most people run writes a model of ours, where a layer is not the module
#: or the function that the tools look out for; by the layer's path or the name of its class.
WRITTEN: Mapping[str, Mapping[str, str]] = {
    "mobilenet_v2": {"AdaptiveAvgPool2d": "adaptive_avg_pool2d, a function"},
    "llama_7b": {"RMSNorm": rules.LLAMA_NORM},
    **{name: {"Sum": rules.IN_PLACE, "*.relu*": rules.RELU_AGAIN} for name in RESNETS},
    "gpt2_layer": {"Linear": "Conv1D of transformers", "GELU": "arithmetic"},
}


@dataclass(frozen=True)
class Term:
    """A part of a difference that has a name."""

    name: str
    amount: int


def terms_of(habits: Iterable[Rule], rows: Sequence[tuple[Row, str]]) -> tuple[Term, ...]:
    """Return what the habits of a tool make of rows, each with what the tool meets there."""
    terms = []
    for habit in habits:
        concerned = (row for row, kind in rows if not habit.kinds or kind in habit.kinds)
        terms.append(Term(habit.name, sum(habit.amount(row) for row in concerned)))
    return tuple(term for term in terms if term.amount)


FORETOLD = tuple(name for name, tool in TOOLS.items() if tool.foretold)


def predict(
    report: Report,
    tool: str,
    device: str | None = None,
    *,
    written: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Return what a tool would report for a network of yours, by its own word.

    Without a device it is asked in the first of its ways.

    The network is taken to be written in PyTorch with the modules that our layers
    are named after. Where it is not, ``written`` says what takes the place of a
    layer, by the layer's path or the name of its class.

    Raises:
        KeyError: no tool or device has the name.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> report = count(Linear(5, 7), (1, 5))
    >>> predict(report, "flop_counter"), predict(report, "ptflops")
    ({'FLOPs': 70}, {'MACs': 42})
    """
    check_known(tool=(tool, TOOLS))
    asked = TOOLS[tool]
    device = asked.devices[0] if device is None else device
    check_known(device=(device, asked.devices))
    rows = [(row, kind_of(row, written or {})) for row in report.rows]
    return {
        called: int(getattr(report, ours))
        + sum(term.amount for term in terms_of(asked.rules(called, device), rows))
        for called, ours in asked.means.items()
    }


def kind_of(row: Row, written: Mapping[str, str]) -> str:
    """Return what a tool meets in the place of a row: by its path, with `*`, or its class."""
    for place, kind in written.items():
        if "*" in place and fnmatchcase(row.path, place):
            return kind
    return written.get(row.path, written.get(row.type, row.type))


def check_known(**asked: tuple[str | None, Iterable[str]]) -> None:
    """Raise a KeyError for a name that is given and not known."""
    for what, (name, known) in asked.items():
        if name is not None and name not in known:
            raise KeyError(f"no {what} {name!r}; there are {', '.join(known)}")
