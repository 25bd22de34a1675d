"""The figures of the chapter of further layers: scattering, and the gate."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from string import ascii_lowercase
from typing import Any

from flopsbook import palette
from flopsbook.figures.drawing import (
    BLUE,
    BLUE_TINT,
    INK,
    ORANGE,
    ORANGE_TINT,
    QUIET,
    blank,
    cell,
    plain_ticks,
)
from flopsbook.picture import Picture, canvas, finished
from flopslib.costs import conv1d, conv2d, conv_transpose2d, feed_forward, gated_feed_forward
from flopslib.layers import ConvTranspose2d
from flopslib.loops.convolution import scattered, window_starts

__all__ = [
    "gated_weights",
    "gated_weights_data",
    "gather_scatter",
    "gather_scatter_data",
    "painted_windows",
    "painted_windows_data",
    "scatter_growth",
    "scatter_growth_data",
]


# --- a line ------------------------------------------------------------------


def gather_scatter_data(size: int, kernel: int, stride: int) -> dict[str, Any]:
    """Return the products of a transposed convolution of a line, and of the opposite one.

    >>> gather_scatter_data(2, kernel=2, stride=1)["lines"]
    [(0, 0), (0, 1), (1, 1), (1, 2)]
    """
    wide = len(scattered([([[1] * size], [[1] * kernel])], stride)[0])
    starts = window_starts(wide, kernel, stride)
    lines = [(pixel, start + at) for pixel, start in enumerate(starts) for at in range(kernel)]
    return {
        "narrow": size,
        "wide": wide,
        "lines": lines,
        "gathered": conv1d(1, 1, kernel, size, bias=False).macs,
        "scattered": conv_transpose2d(1, 1, (1, kernel), 1, size, 1, wide, bias=False).macs,
        "arriving": {
            "narrow": [sum(pixel == at for pixel, _ in lines) for at in range(size)],
            "wide": [sum(place == at for _, place in lines) for at in range(wide)],
        },
    }


def gather_scatter(size: int, kernel: int, stride: int) -> Picture:
    """Draw a convolution of a line and the transposed one: the same lines, run both ways."""
    data = gather_scatter_data(size, kernel, stride)
    wide = data["wide"]
    inset = (wide - size) / 2
    with canvas(5.4, 2.5) as (figure, axes):
        blank(axes, 2 * wide + 1.8, 5.6)
        for left, what in ((0.1, "gathered"), (wide + 1.7, "scattered")):
            gathers = what == "gathered"
            word = "convolution gathers" if gathers else "transposed one scatters"
            axes.text(left, 0.4, f"a {word}:", va="center", fontsize=9)
            axes.text(left, 1.05, f"{data[what]} products", va="center", color=BLUE, fontsize=9)
            broad, slim = (1.6, 4.4) if gathers else (4.4, 1.6)
            for pixel, place in data["lines"]:
                ends = [(left + place + 0.5, broad), (left + inset + pixel + 0.5, slim)]
                start, end = sorted(ends, key=lambda end: end[1])
                axes.plot(
                    [start[0], end[0]], [start[1] + 1, end[1]], "-", color=BLUE, linewidth=1.4
                )
            for count, x, y in _row_of_cells(data, left, inset, broad, slim):
                receives = y > 2
                many = receives and count > 1
                look = {"facecolor": ORANGE_TINT if many else BLUE_TINT} if receives else {}
                label = str(count) if receives else ""
                cell(axes, x, y, label, edgecolor=QUIET, colour=ORANGE if many else INK, **look)
        arriving = data["arriving"]
        return finished(
            figure,
            caption=f"Each line is one product of a pixel and a weight: {kernel} for a window, "
            f"{data['scattered']} in all. Turn the convolution upside down, and the same lines "
            "are a transposed convolution. The numbers say how many products arrive; where more "
            "than one does, they are added (orange).",
            alt=f"Left, {wide} cells above {size}; {kernel} lines run down to each of the {size}. "
            f"Right, {size} cells above {wide}, and the same {len(data['lines'])} lines run down "
            f"from the {size}. On the {wide} arrive {', '.join(map(str, arriving['wide']))}.",
            data=data,
        )


def _row_of_cells(
    data: dict[str, Any], left: float, inset: float, broad: float, slim: float
) -> list[tuple[int, float, float]]:
    arriving = data["arriving"]
    wide = [(count, left + at, broad) for at, count in enumerate(arriving["wide"])]
    narrow = [(count, left + inset + at, slim) for at, count in enumerate(arriving["narrow"])]
    return wide + narrow


# --- a plane -----------------------------------------------------------------


def painted_windows_data(
    side: int, kernel: int, stride: int = 1, padding: int = 0
) -> dict[str, Any]:
    """Return which input pixels land on each output of a transposed convolution.

    ``landed`` is the plane before it is cropped. The loop itself says what lands
    where: it is run once for each pixel, with all the others at 0.

    >>> painted_windows_data(2, kernel=2)["landed"]
    [['a', 'ab', 'b'], ['ac', 'abcd', 'bd'], ['c', 'cd', 'd']]
    >>> painted_windows_data(2, kernel=2, padding=1)["kept"]
    4
    """
    names = dict(zip(product(range(side), repeat=2), ascii_lowercase, strict=False))
    ones = [[1] * kernel for _ in range(kernel)]
    painted = {}
    for place, name in names.items():
        alone = [[int((y, x) == place) for x in range(side)] for y in range(side)]
        painted[name] = scattered([(alone, ones)], stride)
    whole = range(len(painted["a"]))
    landed = [
        ["".join(name for name, plane in painted.items() if plane[y][x]) for x in whole]
        for y in whole
    ]
    inside = range(padding, len(whole) - padding)
    out = len(inside)
    return {
        "side": side,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "landed": landed,
        "products": conv_transpose2d(1, 1, kernel, side, side, out, out, bias=False).macs,
        "kept": sum(len(landed[y][x]) for y in inside for x in inside),
        "outputs": out**2,
    }


def painted_windows(side: int, kernel: int, stride: int = 1, padding: int = 0) -> Picture:
    """Draw where the pixels of a small image land, letter by letter."""
    data = painted_windows_data(side, kernel, stride, padding)
    landed, whole = data["landed"], len(data["landed"])
    with canvas(5.4, 3.6) as (figure, axes):
        left, top = side + 1.2, 1.3
        blank(axes, left + whole + 0.2, whole + top + 0.2)
        axes.text(0.1, 0.7, "input", va="center")
        axes.text(left, 0.7, f"{data['products']} products on {whole}×{whole} sums", va="center")
        height = top + (whole - side) / 2
        for at in range(side**2):
            row, column = divmod(at, side)
            look = {"facecolor": BLUE_TINT, "edgecolor": QUIET, "colour": BLUE}
            cell(axes, 0.1 + column, height + row, ascii_lowercase[at], **look)
        for y, x in product(range(whole), repeat=2):
            cropped = not padding <= min(y, x) <= max(y, x) < whole - padding
            _landed(axes, left + x, top + y, landed[y][x], cropped)
        for row, column in product(range(side), repeat=2):
            shift = 0.04 + 0.08 * (row * side + column)
            corner = (left + column * stride + shift / 2, top + row * stride + shift / 2)
            _window(axes, corner, kernel - shift)
        most = max(len(letters) for row in landed for letters in row)
        crop = ""
        if padding:
            crop = (
                f" A padding of {padding} removes the dotted border, and with it "
                f"{data['products'] - data['kept']} products that were computed."
            )
        return finished(
            figure,
            caption=f"Each of the {side**2} pixels is multiplied by {kernel**2} weights, and the "
            f"products are added to a window of {kernel}×{kernel} sums; the windows are {stride} "
            f"apart. A letter is one product. Where windows overlap (orange), up to {most} "
            f"products are added in one sum.{crop}",
            alt=f"A grid of {side} by {side} letters, and one of {whole} by {whole} sums: "
            + "; ".join(", ".join(row) for row in landed)
            + ".",
            data=data,
        )


def _window(axes: Any, corner: tuple[float, float], size: float) -> None:
    from matplotlib.patches import Rectangle

    look: Any = {"facecolor": "none", "edgecolor": BLUE, "linewidth": 1.8}
    axes.add_patch(Rectangle(corner, size, size, **look))


def _landed(axes: Any, x: float, y: float, letters: str, cropped: bool) -> None:
    many = len(letters) > 1
    look: dict[str, Any] = {"edgecolor": QUIET, "colour": ORANGE if many else BLUE}
    if cropped:
        look |= {"linestyle": ":", "colour": QUIET}
    else:
        look |= {"facecolor": ORANGE_TINT if many else BLUE_TINT}
    cell(axes, x, y, letters, **look)


# --- the stride --------------------------------------------------------------


def scatter_growth_data(
    strides: Sequence[int], *, channels: int, kernel: int, side: int
) -> dict[str, Any]:
    """Return the MACs of a transposed convolution over its stride, by input and by output.

    >>> scatter_growth_data([2], channels=1, kernel=2, side=3)["by_output"]
    [144]
    """
    outs = [
        ConvTranspose2d(1, 1, kernel, stride).output_shape((1, side, side))[-1]
        for stride in strides
    ]
    sizes = (channels, channels, kernel)
    return {
        "strides": list(strides),
        "outs": outs,
        "by_input": [conv_transpose2d(*sizes, side, side, out, out).macs for out in outs],
        "by_output": [conv2d(*sizes, out, out).macs for out in outs],
    }


def scatter_growth(strides: Sequence[int], *, channels: int, kernel: int, side: int) -> Picture:
    """Draw how the stride moves the wrong count and leaves the right one alone."""
    data = scatter_growth_data(strides, channels=channels, kernel=kernel, side=side)
    with canvas(5.4, 3.3) as (figure, axes):
        for name, style, colour, said in (
            ("by_output", "--", QUIET, "by output pixels: wrong"),
            ("by_input", "-", INK, "by input pixels: right"),
        ):
            macs = [n / 1e6 for n in data[name]]
            axes.plot(strides, macs, style, color=colour, marker="o", markersize=5)
            axes.annotate(said, (strides[-1], macs[-1]), xytext=(-12, 8), ha="right",
                          textcoords="offset points", color=colour)  # fmt: skip
        axes.set_xlabel("S, stride")
        axes.set_title(f"million MACs, {channels} → {channels} channels, {side}×{side} pixels in")
        plain_ticks(axes, strides)
        axes.set_ylim(0, 1.15 * data["by_output"][-1] / 1e6)
        times = data["by_output"][-1] / data["by_input"][-1]
        return finished(
            figure,
            caption=f"A transposed convolution with a {kernel}×{kernel} kernel. A larger stride "
            "spreads the same products over more outputs, and costs nothing more. A count by "
            f"output pixels is too large by about the square of the stride, {times:.0f} times at "
            f"S = {strides[-1]}.",
            alt=f"A level line, and above it one that rises ever more steeply, from "
            f"{data['by_output'][0] / data['by_input'][0]:.1f} times the level at "
            f"S = {strides[0]} to {times:.1f} times at S = {strides[-1]}.",
            data=data,
        )


# --- the gate ----------------------------------------------------------------


def gated_weights_data(d_model: int) -> dict[str, Any]:
    """Return the matrices of a plain and of a gated network that cost the same.

    ``d_model`` is a multiple of 3, so that 8d/3 is a whole number.

    >>> gated_weights_data(3)
    {'d': 3, 'plain': [12, 12], 'gated': [8, 8, 8], 'macs': {'plain': 72, 'gated': 72}}
    """
    wide, narrow = 4 * d_model, 8 * d_model // 3
    return {
        "d": d_model,
        "plain": [wide] * 2,
        "gated": [narrow] * 3,
        "macs": {
            "plain": feed_forward(1, d_model, d_ff=wide).macs,
            "gated": gated_feed_forward(1, d_model, narrow).macs,
        },
    }


def gated_weights(d_model: int) -> Picture:
    """Draw the weights of a plain and of a gated network, a square each."""
    data = gated_weights_data(d_model)
    with canvas(5.4, 1.9) as (figure, axes):
        across = max(sum(data[kind]) + len(data[kind]) for kind in ("plain", "gated"))
        blank(axes, across + 0.4, 2 * d_model + 5.2)
        for kind, top in (("plain", 0.0), ("gated", d_model + 2.8)):
            number, width = len(data[kind]), data[kind][0]
            said = f"{kind}: {number} × {d_model}·{width} = {data['macs'][kind]} weights"
            axes.text(0.1, top + 0.9, said, va="center")
            for at in range(number):
                _matrix(axes, 0.1 + at * (width + 1), top + 1.9, d_model, width)
        return finished(
            figure,
            caption=f"All weights of two networks of width {d_model}, a square for each. The plain "
            f"network widens a token to 4d = {data['plain'][0]} numbers. The gated network has a "
            f"third matrix; its inner width is cut to 8d/3 = {data['gated'][0]}, so that it has as "
            "many weights, and as many MACs for each token.",
            alt=f"Above, 2 grids of {d_model} by {data['plain'][0]} squares; below, 3 grids of "
            f"{d_model} by {data['gated'][0]}: {data['macs']['plain']} squares in either row.",
            data=data,
        )


def _matrix(axes: Any, x: float, y: float, rows: int, columns: int) -> None:
    from matplotlib.patches import Rectangle

    look: Any = {
        "facecolor": palette.FFN_TINT[0],
        "edgecolor": palette.FFN[0],
        "linewidth": 0.8,
    }
    for i, j in product(range(rows), range(columns)):
        axes.add_patch(Rectangle((x + j, y + i), 1, 1, **look))
