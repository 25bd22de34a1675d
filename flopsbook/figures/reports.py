"""A figure of any report."""

from __future__ import annotations

from typing import Any

from flopsbook.figures.networks import share_bars
from flopsbook.picture import Picture
from flopslib.report.report import Report

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
    """Draw the share of the MACs and of the parameters that each part of a network has."""
    data = layer_shares_data(report, depth)
    parts = zip(data["paths"], data["macs"], data["parameters"], strict=True)
    return share_bars(
        data,
        {path: {"macs": macs / 100, "parameters": owned / 100} for path, macs, owned in parts},
        lambda listed: f"Where the work is (blue), and where the parameters (grey). {listed}",
    )
