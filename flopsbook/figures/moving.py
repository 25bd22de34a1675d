"""The figures of bytes: where they come from, and the roof that a chip puts over every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flopsbook.figures.drawing import (
    BLUE,
    BLUE_TINT,
    INK,
    ORANGE,
    ORANGE_TINT,
    QUIET,
    stacked,
)
from flopsbook.palette import PROJECTION, PROJECTION_TINT, SQUARE, SQUARE_TINT
from flopsbook.picture import Picture, canvas, finished
from flopslib.derivation.derivation import Derivation
from flopslib.hardware import Chip
from flopslib.memory import linked, training_state
from flopslib.traffic import BF16, Widths, traffic

__all__ = [
    "memory_bars",
    "memory_bars_data",
    "moved_shares", "moved_shares_data", "roofline", "roofline_data",
    "serving_shares", "serving_shares_data",
]  # fmt: skip

LOOK = {
    "weights": (PROJECTION[0], PROJECTION_TINT[0]),
    "cache": (SQUARE[0], SQUARE_TINT[0]),
    "activations read": (BLUE, BLUE_TINT),
    "results written": (ORANGE, ORANGE_TINT),
}
ROLES = {"weight": "weights", "cache": "cache", "input": "activations read",
         "result": "results written"}  # fmt: skip


def moved_shares_data(
    layers: Mapping[str, Derivation], widths: Widths = BF16
) -> dict[str, dict[str, float]]:
    """Return by what each layer moves its bytes, as shares.

    >>> from flopslib import linear
    >>> moved_shares_data({"one": linear(2, 2, bias=False)})["one"]["weights"]
    0.5
    """
    found = {}
    for name, layer in layers.items():
        moved = traffic(layer, widths)
        roles = moved.by_role
        found[name] = {
            what: float(roles[role] / moved.bytes) for role, what in ROLES.items() if role in roles
        }
    return found


def moved_shares(layers: Mapping[str, Derivation], widths: Widths = BF16) -> Picture:
    """Draw a bar for each layer: the shares of its bytes."""
    data = moved_shares_data(layers, widths)
    kinds = [kind for kind in LOOK if any(kind in shares for shares in data.values())]
    shares = {kind: [each.get(kind, 0.0) for each in data.values()] for kind in kinds}
    with canvas(6.4, 0.9 + 0.42 * len(data)) as (figure, axes):
        stacked(axes, list(data), shares, LOOK.__getitem__)
        lines = (
            f"{name}: " + ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in each.items())
            for name, each in data.items()
        )
        first, *_, last = data.values()
        return finished(
            figure,
            caption="What the bytes of a layer are. At the top nearly all of them are "
            f"{max(first, key=first.__getitem__)}, "
            f"at the bottom {max(last, key=last.__getitem__)} are the largest part.",
            alt="Bars divided into shares. " + "; ".join(lines) + ".",
            data=data,
        )


def roofline_data(
    chip: Chip, layers: Mapping[str, Derivation], precision: str = "bf16", fused: Any = False
) -> dict[str, dict[str, float]]:
    """Return for each layer its FLOPs for each byte, and the most FLOP/s that it can reach.

    >>> from flopslib import linear
    >>> from flopslib.hardware import chip
    >>> at = roofline_data(chip("H100 SXM"), {"one": linear(4096, 4096)})["one"]
    >>> at["reachable"] < 0.01 * chip("H100 SXM").rate("bf16")
    True
    """
    found = {}
    for name, layer in layers.items():
        intensity = float(traffic(layer, fused=fused).intensity)
        reachable = min(float(chip.rate(precision)), intensity * chip.bandwidth)
        found[name] = {"intensity": intensity, "reachable": reachable}
    return found


def roofline(
    chip: Chip, layers: Mapping[str, Derivation], precision: str = "bf16", fused: Any = False
) -> Picture:
    """Draw the roof of a chip, and where layers touch it."""
    data = roofline_data(chip, layers, precision, fused)
    balance, peak = float(chip.balance(precision)), chip.rate(precision)
    low = min(0.5, *(each["intensity"] for each in data.values()))
    high = max(4 * balance, *(2 * each["intensity"] for each in data.values()))
    with canvas(6.4, 3.9) as (figure, axes):
        axes.plot([low, balance, high], [low * chip.bandwidth, peak, peak], color=INK)
        ordered = sorted(data.items(), key=lambda item: item[1]["intensity"])
        for at, (name, each) in enumerate(ordered):
            x, y = each["intensity"], each["reachable"]
            axes.plot([x], [y], "o", markersize=8, markerfacecolor=BLUE_TINT, markeredgecolor=BLUE)
            axes.annotate(f"{at + 1}", (x, y), xytext=(0, -15), textcoords="offset points",
                          ha="center", color=BLUE, fontsize=10)  # fmt: skip
            axes.plot([], [], " ", label=f"{at + 1}  {name}, {x:,.0f}")
        axes.axvline(balance, color=QUIET, linewidth=1, linestyle=":")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("FLOPs for each byte")
        axes.set_ylabel("FLOP/s at most")
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=1, fontsize=9,
                    handlelength=0, borderpad=0)  # fmt: skip
        below = sum(each["intensity"] < balance for each in data.values())
        lines = (
            f"{name}: {each['intensity']:,.0f} FLOPs for each byte, at most "
            f"{each['reachable'] / 1e12:.3g} TFLOP/s"
            for name, each in ordered
        )
        return finished(
            figure,
            caption=f"The roof of {chip.name}: no layer comes above the line. Left of the dotted "
            f"line, at {balance:.0f} FLOPs for each byte, the memory decides; {below} of the "
            f"{len(data)} layers are there.",
            alt="A line that rises and then is level, both axes logarithmic. "
            + "; ".join(lines)
            + ".",
            data=data,
        )


def serving_shares_data(
    build: Any, batches: Sequence[int], seen: int
) -> dict[str, dict[str, float]]:
    """Return by what a decode step moves its bytes, for each batch.

    >>> from flopslib.models import llama_7b
    >>> serving_shares_data(llama_7b, [1], 2048)["1 sequence"]["cache"] < 0.1
    True
    """
    found = {}
    for batch in batches:
        step = linked(build(causal=True, cache=seen - 1), (batch, 1))
        moved = traffic(step, fused=True)
        roles = {ROLES[role]: n for role, n in moved.by_role.items() if role in ("weight", "cache")}
        name = f"{batch:,} sequence{'' if batch == 1 else 's'}"
        found[name] = {what: n / sum(roles.values()) for what, n in roles.items()}
    return found


def serving_shares(build: Any, batches: Sequence[int], seen: int) -> Picture:
    """Draw a bar for each batch: weights and caches among the bytes of a decode step."""
    data = serving_shares_data(build, batches, seen)
    shares = {kind: [each[kind] for each in data.values()] for kind in ("weights", "cache")}
    with canvas(6.4, 0.9 + 0.42 * len(data)) as (figure, axes):
        stacked(axes, list(data), shares, LOOK.__getitem__)
        lines = (
            f"{name}: weights {100 * each['weights']:.0f} %, cache {100 * each['cache']:.0f} %"
            for name, each in data.items()
        )
        first, *_, last = data.values()
        return finished(
            figure,
            caption=f"The bytes of one decode step of a model at a context of {seen:,} tokens. "
            f"The cache is {100 * first['cache']:.0f} % of them at the top and "
            f"{100 * last['cache']:.0f} % at the bottom.",
            alt="Bars divided into shares. " + "; ".join(lines) + ".",
            data=data,
        )


STATES = {
    "weights": (PROJECTION[0], PROJECTION_TINT[0]),
    "gradients": (ORANGE, ORANGE_TINT),
    "optimiser": (SQUARE[0], SQUARE_TINT[0]),
    "activations": (BLUE, BLUE_TINT),
}


def memory_bars_data(
    parameters: int, activations: Mapping[str, int], recipe: str = "Adam, mixed precision"
) -> dict[str, dict[str, float]]:
    """Return the shares of the memory of a training run, for several sets of activations.

    >>> memory_bars_data(10, {"none": 0})["none"]["optimiser"]
    0.75
    """
    state = training_state(parameters, recipe)
    rest = state["all"] - state["weights"] - state["gradients"]
    found = {}
    for name, number in activations.items():
        parts = {"weights": state["weights"], "gradients": state["gradients"],
                 "optimiser": rest, "activations": number}  # fmt: skip
        found[name] = {part: size / sum(parts.values()) for part, size in parts.items()}
    return found


def memory_bars(
    parameters: int, activations: Mapping[str, int], recipe: str = "Adam, mixed precision"
) -> Picture:
    """Draw a bar for each set of activations: the shares of the memory of a training run."""
    data = memory_bars_data(parameters, activations, recipe)
    shares = {part: [each[part] for each in data.values()] for part in STATES}
    with canvas(6.4, 1.1 + 0.42 * len(data)) as (figure, axes):
        stacked(axes, list(data), shares, STATES.__getitem__)
        lines = (
            f"{name}: " + ", ".join(f"{part} {100 * n:.0f} %" for part, n in each.items())
            for name, each in data.items()
        )
        first, *_, last = data.values()
        return finished(
            figure,
            caption="The memory of a training run with Adam in mixed precision. Activations are "
            f"{100 * first['activations']:.0f} % of it at the top and "
            f"{100 * last['activations']:.0f} % at the bottom.",
            alt="Bars divided into shares. " + "; ".join(lines) + ".",
            data=data,
        )
