"""The figures of the convolutional networks: where the operations are, and the parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flopsbook.figures.drawing import BLUE, FAINT, INK, QUIET
from flopsbook.picture import Picture, canvas, finished
from flopslib.report.report import Report, Row

__all__ = ["kind_bars", "kind_bars_data", "stage_bars", "stage_bars_data"]

Shares = dict[str, dict[str, float]]


def stage_bars_data(report: Report) -> dict[str, Shares]:
    """Return each stage's share of the MACs and of the parameters.

    A part without MACs, such as a norm, belongs to the stage before it.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear, Sequential
    >>> network = Sequential(wide=Linear(2, 3, bias=False), narrow=Linear(3, 1, bias=False))
    >>> stage_bars_data(count(network, (1, 2)))["stages"]["narrow"]["macs"]
    0.3333333333333333
    """
    stages: dict[str, list[int]] = {}
    name = ""
    for part in report.groups():
        if part.macs or not name:
            shape = part.output_shape or ()
            name = f"{part.path}, {shape[-2]}×{shape[-1]}" if len(shape) == 4 else part.path
        sums = stages.setdefault(name, [0, 0])
        sums[0] += part.macs
        sums[1] += part.parameters
    return {"stages": _shares(report, stages)}


def _shares(report: Report, sums: dict[str, list[int]]) -> Shares:
    return {
        name: {"macs": macs / report.macs, "parameters": owned / report.parameters}
        for name, (macs, owned) in sums.items()
    }


def stage_bars(report: Report) -> Picture:
    """Draw each stage's share of the MACs, and below it its share of the parameters."""
    data = stage_bars_data(report)
    return share_bars(
        data,
        data["stages"],
        lambda listed: (
            "Where the operations are (blue), and where the parameters (grey): each "
            f"stage's share of both, with the size of its picture. {listed}"
        ),
    )


def kind_bars_data(report: Report) -> dict[str, Shares]:
    """Return the share of the MACs and of the parameters in each kind of layer.

    >>> from flopslib import count
    >>> from flopslib.layers import Conv2d, Sequential
    >>> layers = (Conv2d(4, 4, 3, groups=4, bias=False), Conv2d(4, 3, 1, bias=False))
    >>> list(kind_bars_data(count(Sequential(*layers), (1, 4, 3, 3)))["kinds"].values())
    [{'macs': 0.75, 'parameters': 0.75}, {'macs': 0.25, 'parameters': 0.25}]
    """
    kinds: dict[str, list[int]] = {}
    for row in report.rows:
        if row.macs or row.parameters:
            sums = kinds.setdefault(_kind(row), [0, 0])
            sums[0] += row.macs
            sums[1] += row.parameters
    by_macs = sorted(kinds.items(), key=lambda kind: kind[1], reverse=True)
    return {"kinds": _shares(report, dict(by_macs))}


def _kind(row: Row) -> str:
    if row.type != "Conv2d":
        return "norms" if "Norm" in row.type else row.type.lower()
    layer = row.layer
    size = "×".join(map(str, layer.kernel_size))
    if layer.groups == layer.in_channels > 1:
        return f"{size} depthwise"
    return f"{size} grouped" if layer.groups > 1 else size


def kind_bars(report: Report) -> Picture:
    """Draw the share of the MACs in each kind of layer, and that of the parameters."""
    data = kind_bars_data(report)
    return share_bars(
        data,
        data["kinds"],
        lambda listed: f"The same two shares by kind of layer, the most expensive first. {listed}",
    )


def share_bars(data: dict[str, Any], shares: Shares, caption: Callable[[str], str]) -> Picture:
    """Draw two bars for each part, the share of the MACs and that of the parameters."""
    with canvas(5, 0.55 * len(shares) + 0.75) as (figure, axes):
        for at, (name, of) in enumerate(shares.items()):
            looks = (("macs", BLUE, BLUE, -0.19), ("parameters", QUIET, FAINT, 0.19))
            for what, colour, fill, down in looks:
                percent = 100 * of[what]
                axes.barh(at + down, percent, height=0.36, facecolor=fill, edgecolor=colour)
                axes.annotate(
                    _percent(of[what]), (percent, at + down), xytext=(4, 0),
                    textcoords="offset points", va="center", color=colour, fontsize=9,
                )  # fmt: skip
            axes.annotate(
                name, (0, at), xytext=(-6, 0), textcoords="offset points",
                ha="right", va="center", color=INK,
            )  # fmt: skip
        axes.set_yticks([])
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        most = max(max(of.values()) for of in shares.values())
        axes.set_xlim(0, 118 * most)
        axes.text(0, 1.02, "MACs", color=BLUE, transform=axes.transAxes, weight="bold")
        axes.text(0.18, 1.02, "parameters", color=QUIET, transform=axes.transAxes, weight="bold")
        listed = "; ".join(
            f"{name}: {_percent(of['macs'])} of the MACs, "
            f"{_percent(of['parameters'])} of the parameters"
            for name, of in shares.items()
        )
        return finished(
            figure,
            caption=caption(_largest(shares)),
            alt=f"Two bars for each part, in percent. {listed}.",
            data=data,
        )


def _largest(shares: Shares) -> str:
    macs, owned = (max(shares, key=lambda n: shares[n][what]) for what in ("macs", "parameters"))
    if macs == owned:
        return f"The largest share of either is in {macs}."
    return f"The largest share of the MACs is in {macs}, that of the parameters in {owned}."


def _percent(share: float) -> str:
    if not share:
        return "none"
    least = 0.001
    return f"{100 * share:.1f} %" if share >= least / 2 else f"under {100 * least:.1f} %"
