"""The figures of the convolutional networks: where the operations are, and the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flopsbook.figures.drawing import BLUE, FAINT, INK, QUIET, blank
from flopsbook.picture import Picture, canvas, finished
from flopslib.report.report import Report, Row

__all__ = [
    "kind_bars",
    "kind_bars_data",
    "shapes_picture",
    "shapes_picture_data",
    "stage_bars",
    "stage_bars_data",
]

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
    stages = {
        f"{path}, {shape[-2]}×{shape[-1]}" if len(shape) == 4 else path: [macs, parameters]
        for path, shape, macs, parameters in _stages(report)
    }
    return {"stages": _shares(report, stages)}


def _stages(report: Report) -> Iterator[tuple[str, tuple[int, ...], int, int]]:
    """Yield the path, the output, the MACs and the parameters of each part that has MACs.

    A part without MACs belongs to the part before it.
    """
    stages: list[Any] = []
    for part in report.groups():
        if part.macs or not stages:
            stages.append([part.path, part.output_shape or (), 0, 0])
        stages[-1][2] += part.macs
        stages[-1][3] += part.parameters
    yield from map(tuple, stages)


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
            f"stage's share of both, with the size of its image. {listed}"
        ),
    )


def shapes_picture_data(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Return the output of each stage, less the batch, its MACs and its parameters.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> shapes_picture_data(count(Linear(2, 3), (1, 2)))["stages"]
    [{'path': 'Linear', 'shape': (3,), 'macs': 6, 'parameters': 9}]
    """
    keys = ("path", "shape", "macs", "parameters")
    whole = type(report.model).__name__
    stages = ((path or whole, shape[1:], *sums) for path, shape, *sums in _stages(report))
    return {"stages": [dict(zip(keys, stage, strict=True)) for stage in stages]}


#: How far it is from box to box, how high the highest and how long the longest of them is, and how
#: much of its height a box is drawn to the side.
PITCH, HIGHEST, LONGEST, SLANT = 4.4, 6.5, 3.0, 0.25


def shapes_picture(report: Report) -> Picture:
    """Draw an image on its way through a network: a box for the output of each stage."""
    data = shapes_picture_data(report)
    floor = HIGHEST * (1 + SLANT) + 4.4
    with canvas(5.4, 3.2) as (figure, axes):
        blank(axes, PITCH * len(data["stages"]) + 0.2, floor + 4.2)
        _words(axes, 0.1, 0.5, ("MACs", BLUE), weight="bold")
        _words(axes, 0.7 * PITCH, 0.5, ("parameters", QUIET), weight="bold")
        for at, (path, shape, macs, parameters) in enumerate(map(dict.values, data["stages"])):
            x, (channels, *sides) = PITCH * at + 0.1, shape
            _words(axes, x, 1.9, (_short(macs), BLUE), (_short(parameters), QUIET))
            _box(axes, x, floor, *_sizes(shape, data))
            size = (f"{channels:,} ×", "×".join(map(str, sides))) if sides else (f"{channels:,}",)
            _words(axes, x, floor + 1, (path, INK), *((line, QUIET) for line in size))
        listed = "; ".join(
            f"{stage['path']}: {'×'.join(map(str, stage['shape']))}, {stage['macs']:,} MACs, "
            f"{stage['parameters']:,} parameters"
            for stage in data["stages"]
        )
        return finished(
            figure,
            caption="An image on its way through the network. Each box is the output of the part "
            "named below it: as high as the image, and the longer the more channels it has. Above "
            "the box are the MACs (blue) and the parameters (grey) of that part.",
            alt=f"A row of boxes, from high and short ones to low and long ones. {listed}.",
            data=data,
        )


def _sizes(shape: tuple[int, ...], data: dict[str, list[dict[str, Any]]]) -> tuple[float, float]:
    """Return how long and how high a box is drawn; what is no image is a thin one."""
    shapes = [stage["shape"] for stage in data["stages"]]
    tallest = max((sides[-1] for _, *sides in shapes if sides), default=1)
    high = max(shape[-1] / tallest, 0.02) if len(shape) == 3 else 0.02
    return LONGEST * (shape[0] / max(shape[0] for shape in shapes)) ** 0.5, HIGHEST * high


def _box(axes: Any, x: float, floor: float, long: float, high: float) -> None:
    """Draw the front of a box, its top and its side."""
    from matplotlib.patches import Polygon

    aside = SLANT * high
    top, end, back = floor - high, x + long, floor - high - aside
    front = [(x, floor), (end, floor), (end, top), (x, top)]
    lid = [(x, top), (end, top), (end + aside, back), (x + aside, back)]
    side = [(end, floor), (end + aside, floor - aside), (end + aside, back), (end, top)]
    for corners, fill in ((front, FAINT), (lid, "none"), (side, "none")):
        axes.add_patch(Polygon(corners, facecolor=fill, edgecolor=INK, linewidth=1))


def _words(axes: Any, x: float, y: float, *lines: tuple[str, str], **look: Any) -> None:
    """Write lines below each other, each in its colour."""
    for down, (line, colour) in enumerate(lines):
        axes.text(x, y + 1.3 * down, line, va="center", color=colour, fontsize=9, **look)


def _short(number: int) -> str:
    return f"{number:,}" if number < 10**6 else f"{number / 10**6:,.1f} M"


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
