"""A figure of any report."""

from __future__ import annotations

from typing import Any

from flopslib import palette
from flopslib.figures.drawing import BLUE, BLUE_TINT, QUIET
from flopslib.picture import Picture, canvas, finished
from flopslib.report import Report

__all__ = ["layer_shares", "layer_shares_data"]


def layer_shares_data(report: Report, depth: int | None = None) -> dict[str, list[Any]]:
    """Return which share of the parameters and of the MACs each part has, in percent.

    Args:
        report: what ``count`` returned.
        depth: down to which depth parts are shown; None: every layer. Parts that
            have neither are left out.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear, ReLU, Sequential
    >>> model = Sequential(Linear(4, 3, bias=False), ReLU(), Linear(3, 1, bias=False))
    >>> layer_shares_data(count(model, (1, 4)))
    {'paths': ['0', '2'], 'parameters': [80.0, 20.0], 'macs': [80.0, 20.0]}
    """
    parts = report.rows if depth is None else report.groups(depth)
    shown = [part for part in parts if part.parameters or part.macs]
    return {
        "paths": [part.path or part.type for part in shown],
        "parameters": [100 * part.parameters / max(report.parameters, 1) for part in shown],
        "macs": [100 * part.macs / max(report.macs, 1) for part in shown],
    }


def layer_shares(report: Report, depth: int | None = None) -> Picture:
    """Draw the share of the parameters and of the MACs that each part of a network has."""
    data = layer_shares_data(report, depth)
    looks = {"parameters": (QUIET, palette.FAINT[0]), "MACs": (BLUE, BLUE_TINT)}
    with canvas(5.4, 1.0 + 0.42 * len(data["paths"])) as (figure, axes):
        for at, (kind, (colour, tint)) in enumerate(looks.items()):
            places = [row + 0.37 * (at - 0.5) for row in range(len(data["paths"]))]
            axes.barh(places, data[kind.lower()], height=0.34, facecolor=tint, edgecolor=colour,
                      linewidth=1.2, label=kind, zorder=2)  # fmt: skip
        axes.set_yticks(range(len(data["paths"])), data["paths"])
        axes.invert_yaxis()
        axes.set_xlim(0)
        axes.set_title("share of the network, %")
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower right")
        most = {
            kind: max(zip(data[kind], data["paths"], strict=True))
            for kind in data
            if kind != "paths"
        }
        (owned, owner), (done, worker) = most["parameters"], most["macs"]
        lines = zip(data["paths"], data["parameters"], data["macs"], strict=True)
        return finished(
            figure,
            caption=f"Where the parameters are, and where the work is. {owner} owns "
            f"{owned:.0f} % of the parameters; {worker} has {done:.0f} % of the MACs.",
            alt="Two bars for each layer. "
            + "; ".join(f"{path}: {p:.1f} % of the parameters, {m:.1f} % of the MACs"
                        for path, p, m in lines)
            + ".",
            data=data,
        )  # fmt: skip
