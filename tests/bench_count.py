"""How long it takes to count a network, beside PyTorch's own counter where torch is installed.

    make bench                              # flopslib alone
    make bench PYTHON_WITH_TORCH=python3    # both in one run

Every round builds a new network, of another width, and counts it for another
input, so that no result of an earlier round can help. Times are medians; on a
busy machine only the ratios mean something.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # another interpreter may not have it installed

from flopslib import count
from flopslib.models import gpt3, resnet18, resnet50

HERE = Path(__file__).parent

OURS = f"""
import sys
sys.path.insert(0, {str(HERE.parent)!r})
import flopslib, flopslib.models
print(flopslib.count(flopslib.models.resnet50(), (1, 3, 224, 224)).macs)
"""

THEIRS = f"""
import sys
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]
import bench_count
print(bench_count.torch_macs(*bench_count.torch_model(64, 224)))
"""

# the kernel's own record of the highest mark, since the program began
PEAK = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def cases(rounds: int) -> Iterator[tuple[int, int]]:
    """Yield a width and an input size, different in every round."""
    return ((32 + 2 * at, 192 + 8 * (at * 7 % rounds)) for at in range(rounds))


def timed(function: Callable[[], object]) -> tuple[float, object]:
    """Return how long a call took, and what it returned."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


# --- PyTorch's counter ----------------------------------------------------------


def torch_model(width: int, side: int):
    """Build a ResNet-50 of a width on the meta device, and an input for it."""
    import torch
    from torch import nn

    def conv(c_in, c_out, kernel, stride=1):
        layer = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(c_out))

    class Bottleneck(nn.Module):
        def __init__(self, c_in, inner, c_out, stride):
            super().__init__()
            self.body = nn.Sequential(
                conv(c_in, inner, 1), nn.ReLU(), conv(inner, inner, 3, stride), nn.ReLU(), conv(inner, c_out, 1)
            )  # fmt: skip
            around = stride != 1 or c_in != c_out
            self.shortcut = conv(c_in, c_out, 1, stride) if around else nn.Identity()

        def forward(self, x):
            return torch.relu(self.body(x) + self.shortcut(x))

    with torch.device("meta"):
        layers, c_in = [conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
        for at, depth in enumerate((3, 4, 6, 3)):
            for place in range(depth):
                stride = 2 if place == 0 and at else 1
                layers.append(Bottleneck(c_in, width * 2**at, 256 * 2**at, stride))
                c_in = 256 * 2**at
        model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))
        return model.eval(), torch.empty(1, 3, side, side)


def torch_macs(model, x) -> int:
    """Count a model with torch.utils.flop_counter."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(x)
    return counter.get_total_flops() // 2


# --- whole processes --------------------------------------------------------------


def process(code: str) -> tuple[float, int, str]:
    """Run a script in a process of its own; return seconds, peak memory in bytes, and its output."""
    start = time.perf_counter()
    command = [sys.executable, "-c", code + PEAK]
    # compiled once and kept, as on a reader's machine
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seconds = time.perf_counter() - start
    printed, peak = done.stdout.split()
    return seconds, int(peak) * 1024, printed


# --- the comparison ---------------------------------------------------------------


def compare(rounds: int, with_torch: bool) -> None:
    """Time every round of both, and print medians and their ratios."""
    building, counting, theirs_building, theirs_counting = [], [], [], []
    resnet50()  # what is imported at the first call is not the network's doing
    for width, side in cases(rounds):
        seconds, model = timed(lambda width=width: resnet50(width_per_group=width))
        building.append(seconds)

        def figures(model=model, side=side):
            report = count(model, (1, 3, side, side))
            return report.macs, report.parameters

        seconds, (macs, _) = timed(figures)
        counting.append(seconds)
        if with_torch:
            seconds, built = timed(lambda width=width, side=side: torch_model(width, side))
            theirs_building.append(seconds)
            seconds, reported = timed(lambda built=built: torch_macs(*built))
            theirs_counting.append(seconds)
            assert reported == macs, (width, side, reported, macs)
    print(f"ResNet-50, {rounds} widths and input sizes, each built anew; medians")
    row("build", building, theirs_building)
    row("count, MACs and parameters", counting, theirs_counting)
    row("both", map(sum, zip(building, counting, strict=True)), map(sum, zip(theirs_building, theirs_counting, strict=True)))  # fmt: skip
    if with_torch:
        print("  every round: the same MACs")


def row(what: str, ours, theirs) -> None:
    """Print a line of the comparison."""
    mine, other = statistics.median(ours), list(theirs)
    line = f"  {what:28} flopslib {mine * 1e3:9.3f} ms"
    if other:
        median = statistics.median(other)
        line += f"   FlopCounterMode (meta) {median * 1e3:9.3f} ms   ratio {median / mine:6.0f}"
    print(line)


def sizes(rounds: int) -> None:
    """Show that a model of 96 layers takes no longer than one of 18."""
    print("other models: count, MACs and parameters; medians")
    for name, build, shapes in (
        ("ResNet-18", resnet18, ((1, 3, 192 + at, 224) for at in range(rounds))),
        ("GPT-3", gpt3, ((1, 512 + at) for at in range(rounds))),
    ):
        spent = []
        for shape in shapes:
            model = build()
            spent.append(timed(lambda m=model, x=shape: (count(m, x).macs, m.parameters))[0])
        print(f"  {name:28} flopslib {statistics.median(spent) * 1e3:9.3f} ms")


def processes(rounds: int, with_torch: bool) -> None:
    """Compare whole processes: start, import, build, count, print."""
    print("the whole process: start Python, import, build, count; medians")
    process(OURS)
    ours = [process(OURS) for _ in range(rounds)]
    theirs = [process(THEIRS) for _ in range(3)] if with_torch else []
    for at, what, unit, factor in ((0, "time", "ms", 1e3), (1, "peak memory", "MB", 1e-6)):
        mine = statistics.median(run[at] for run in ours)
        line = f"  {what:28} flopslib {mine * factor:9.1f} {unit}"
        if theirs:
            other = statistics.median(run[at] for run in theirs)
            line += f"   torch                  {other * factor:9.1f} {unit}   ratio {other / mine:6.1f}"  # fmt: skip
        print(line)
    if theirs:
        assert ours[0][2] == theirs[0][2]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rounds", type=int, default=41, help="how many networks to build and count"
    )
    rounds = parser.parse_args().rounds
    try:
        import torch

        print(f"Python {sys.version.split()[0]}, torch {torch.__version__}")
        torch_macs(*torch_model(32, 64))  # its own first call is slow
    except ImportError:
        torch = None
        print(f"Python {sys.version.split()[0]}; torch is not installed, so flopslib stands alone")
    compare(rounds, torch is not None)
    sizes(rounds)
    processes(min(rounds, 11), torch is not None)


if __name__ == "__main__":
    main()
