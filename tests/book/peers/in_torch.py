"""What the counters of PyTorch say of the subjects, each asked in its own way."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

Answer = dict[str, int]  # what the tool calls its figure, and the figure

DEVICES = ("cpu", "meta")


def flop_counter(model: Any, x: Any) -> Answer:
    """Ask the counter that comes with PyTorch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(x)
    return {"FLOPs": counter.get_total_flops()}


def flop_counter_no_grad(model: Any, x: Any) -> Answer:
    """Ask it where no gradients are kept, as most people run a model."""
    import torch

    with torch.no_grad():
        return flop_counter(model, x)


def fvcore(model: Any, x: Any) -> Answer:
    """Ask fvcore."""
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model, x)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {"flops": analysis.total()}


def _ptflops(backend: str, model: Any, x: Any) -> Answer:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        model,
        tuple(x.shape),
        as_strings=False,
        print_per_layer_stat=False,
        input_constructor=lambda _: x,
        backend=backend,
    )
    return {"MACs": macs}


def ptflops(model: Any, x: Any) -> Answer:
    """Ask ptflops, which watches modules and functions."""
    return _ptflops("pytorch", model, x)


def ptflops_aten(model: Any, x: Any) -> Answer:
    """Ask ptflops, which watches what reaches PyTorch's kernels."""
    return _ptflops("aten", model, x)


def with_a_parameter(model: Any, x: Any) -> Any:
    """Return the model, with a parameter if it has none: some tools ask the first one."""
    import torch

    if not list(model.parameters()):
        model.unused = torch.nn.Parameter(torch.zeros(1, device=x.device))
    return model


def calflops(model: Any, x: Any) -> Answer:
    """Ask calflops, which asks the model's first parameter for the device."""
    from calflops import calculate_flops

    model = with_a_parameter(model, x)
    flops, macs, _ = calculate_flops(
        model, args=[x], print_results=False, print_detailed=False, output_as_string=False
    )
    return {"MACs": macs, "FLOPs": flops}


def thop(model: Any, x: Any) -> Answer:
    """Ask thop."""
    from thop import profile

    macs, _ = profile(model, inputs=(x,), verbose=False)
    return {"MACs": macs}


def torchinfo(model: Any, x: Any) -> Answer:
    """Ask torchinfo."""
    from torchinfo import summary

    found = summary(model, input_data=(x,), verbose=0, device=x.device)
    return {"mult-adds": found.total_mult_adds}


def _profiled(model: Any, x: Any) -> int:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as found:
        model(x)
    return sum(event.flops for event in found.events() if event.flops)


def profiler(model: Any, x: Any) -> Answer:
    """Ask the profiler that comes with PyTorch."""
    return {"flops": _profiled(model, x)}


def profiler_no_grad(model: Any, x: Any) -> Answer:
    """Ask it where no gradients are kept."""
    import torch

    with torch.no_grad():
        return profiler(model, x)


def mmengine(model: Any, x: Any) -> Answer:
    """Ask mmengine, whose counter came from fvcore."""
    from mmengine.analysis import FlopAnalyzer

    analysis = FlopAnalyzer(model, x)
    analysis.unsupported_ops_warnings(False)
    analysis.uncalled_modules_warnings(False)
    return {"flops": analysis.total()}


def deepspeed(model: Any, x: Any) -> Answer:
    """Ask DeepSpeed's profiler."""
    os.environ["DS_BUILD_OPS"] = "0"
    from deepspeed.profiling.flops_profiler import FlopsProfiler

    found = FlopsProfiler(model)
    found.start_profile()
    model(x)
    answer = {"MACs": found.get_total_macs(), "flops": found.get_total_flops()}
    found.end_profile()
    return answer


def torchprofile(model: Any, x: Any) -> Answer:
    """Ask torchprofile, which traces the model."""
    from torchprofile import profile_macs

    return {"MACs": profile_macs(model, x)}


def torch_flops(model: Any, x: Any) -> Answer:
    """Ask torch-flops; it asks CUDA for memory, which is not there on every machine."""
    import torch

    for name in (
        "reset_peak_memory_stats",
        "max_memory_allocated",
        "memory_allocated",
        "synchronize",
    ):
        setattr(torch.cuda, name, lambda *args, **kwargs: 0)
    from torch_flops import TorchFLOPsByFX

    # of a layer by itself it takes the inner workings apart
    counter = TorchFLOPsByFX(torch.nn.Sequential(with_a_parameter(model, x)))
    counter.propagate(x)
    return {"FLOPs": counter.print_total_flops(show=False)}


def flopth(model: Any, x: Any) -> Answer:
    """Ask flopth."""
    import torch
    from flopth import flopth as asked

    # of a layer by itself it counts nothing
    whole = torch.nn.Sequential(with_a_parameter(model, x))
    flops, _ = asked(whole, inputs=(x,), bare_number=True)
    return {"flops": flops}


Counter = Callable[[Any, Any], Answer]
EVERYWHERE = (
    flop_counter,
    flop_counter_no_grad,
    fvcore,
    ptflops,
    ptflops_aten,
    calflops,
    thop,
    torchinfo,
)
ON_THE_CPU = (profiler, profiler_no_grad, mmengine, deepspeed, torchprofile, torch_flops, flopth)


def prepared(
    build: Callable[[], Any], input_shape: tuple[int, ...], device: str, *, tokens: bool = False
) -> tuple[Any, Any]:
    """Return a model, without values in its weights, and an input for it."""
    import torch

    with torch.device("meta"):  # no weight needs a value
        model = build().eval()
    kind = torch.long if tokens else torch.float32
    return model.to_empty(device=device), torch.zeros(input_shape, dtype=kind, device=device)


def asking(counter: Counter, devices: tuple[str, ...] = DEVICES) -> Any:
    """Return the question put to a counter: of a subject by its name, on each device."""

    def ask(name: str, shape: tuple[int, ...], device: str) -> Answer:
        import torch
        from subjects import MODULES

        torch.set_num_threads(1)
        model, x = prepared(MODULES[name], shape, device, tokens=name == "embedding")
        return counter(model, x)

    ask.devices = devices  # type: ignore[attr-defined]
    return ask


PACKAGES = (
    "torch", "torchvision", "transformers", "fvcore", "ptflops", "calflops", "thop", "torchinfo",
    "mmengine", "deepspeed", "torchprofile", "torch-flops", "flopth",
)  # fmt: skip
TOOLS = {counter.__name__: asking(counter) for counter in EVERYWHERE}
TOOLS |= {counter.__name__: asking(counter, DEVICES[:1]) for counter in ON_THE_CPU}


def parameters() -> dict[str, int]:
    """Return how many parameters each subject has in PyTorch."""
    import torch
    from subjects import MODULES

    with torch.device("meta"):
        return {n: sum(p.numel() for p in build().parameters()) for n, build in MODULES.items()}
