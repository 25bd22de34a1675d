"""Ask other tools what our subjects cost, and store their answers in ``flopsbook/data/peers.json``.

    make peers

Each question is asked in a process of its own, since several tools replace
functions of PyTorch while they count, and do not put them back when they fail.
A tool that cannot count a subject is on record with the error it raised.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import multiprocessing
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
STORED = ROOT / "flopsbook" / "data" / "peers.json"
sys.path[:0] = [str(HERE), str(ROOT)]
DEVICES = ("cpu", "meta")

Answer = dict[str, int]  # what the tool calls its figure, and the figure


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


def calflops(model: Any, x: Any) -> Answer:
    """Ask calflops, which asks the model's first parameter for the device."""
    import torch
    from calflops import calculate_flops

    if not list(model.parameters()):
        model.unused = torch.nn.Parameter(torch.zeros(1, device=x.device))
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


TOOLS: dict[str, Callable[[Any, Any], Answer]] = {
    tool.__name__: tool
    for tool in (
        flop_counter,
        flop_counter_no_grad,
        fvcore,
        ptflops,
        ptflops_aten,
        calflops,
        thop,
        torchinfo,
    )
}
PACKAGES = ("torch", "torchvision", "transformers", "fvcore", "ptflops", "calflops", "thop")
PACKAGES += ("torchinfo",)


def whole(figure: Any) -> int:
    """Return a figure as an integer; the tools have floats and numbers of NumPy."""
    assert figure is not None, "no figure"
    assert figure == int(figure), figure
    return int(figure)


def prepared(
    build: Callable[[], Any], input_shape: tuple[int, ...], device: str, *, tokens: bool = False
) -> tuple[Any, Any]:
    """Return a model, without values in its weights, and an input for it."""
    import torch

    with torch.device("meta"):  # no weight needs a value
        model = build().eval()
    kind = torch.long if tokens else torch.float32
    return model.to_empty(device=device), torch.zeros(input_shape, dtype=kind, device=device)


def measured(case: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Return what a tool says of one subject, a record a figure."""
    import torch
    from subjects import MODULES

    from flopsbook.peers import SUBJECTS

    tool, name, device = case
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    shape = SUBJECTS[name].input_shape
    model, x = prepared(MODULES[name], shape, device, tokens=name == "embedding")
    about = {"subject": name, "tool": tool, "device": device}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = TOOLS[tool](model, x)
        return [about | {"called": c, "value": whole(v)} for c, v in answer.items()]
    except Exception as error:  # what a tool cannot count is a finding as well
        return [about | {"called": None, "value": None, "error": type(error).__name__}]


def parameters() -> dict[str, int]:
    """Return how many parameters each subject has in PyTorch."""
    import torch
    from subjects import MODULES

    with torch.device("meta"):
        return {n: sum(p.numel() for p in build().parameters()) for n, build in MODULES.items()}


def written(data: dict[str, Any]) -> str:
    """Write the data with a line for each figure, so that a change is one line."""
    lines = [json.dumps(record, ensure_ascii=False) for record in data["figures"]]
    head = json.dumps({k: v for k, v in data.items() if k != "figures"}, indent=1)
    return head[:-2] + ',\n "figures": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"


def main() -> None:
    """Ask every tool and store what they say."""
    import subjects  # loaded once, before the processes divide

    from flopsbook.peers import SUBJECTS

    assert list(subjects.MODULES) == list(SUBJECTS)
    cases = [(tool, name, device) for tool in TOOLS for name in SUBJECTS for device in DEVICES]
    figures = []
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for records in pool.imap(measured, cases, chunksize=1):
            figures += records
    data = {
        "about": "What other tools report for the subjects of flopsbook.peers; `make peers` "
        "writes this file. 'called' is the tool's own word for its figure.",
        "python": sys.version.split()[0],
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "parameters": parameters(),
        "figures": figures,
    }
    STORED.write_text(written(data), encoding="utf-8")
    print(len(figures), "figures stored in", STORED.relative_to(ROOT))


if __name__ == "__main__":
    main()
