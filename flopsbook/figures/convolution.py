"""The figures of the convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flopsbook.figures.drawing import (
    BLUE,
    BLUE_TINT,
    INK,
    ORANGE,
    QUIET,
    blank,
    cell,
    frame,
    plain_ticks,
)
from flopsbook.picture import Picture, canvas, finished
from flopslib.costs import (
    conv2d,
    depthwise_conv2d,
    depthwise_separable_conv2d,
    pointwise_conv2d,
)
from flopslib.loops import loops
from flopslib.loops.convolution import window_starts
from flopslib.sizes.shapes import conv_output_size

__all__ = [
    "kernel_growth",
    "kernel_growth_data",
    "separable_ratio",
    "separable_ratio_data",
    "separable_weights",
    "separable_weights_data",
    "sliding_window",
    "sliding_window_data",
    "window_places",
    "window_places_data",
]


def sliding_window_data(image: Any, kernel: Any) -> list[dict[str, Any]]:
    """Return, for each place of the window, its corner, its products and their sum.

    >>> sliding_window_data([[1, 2], [3, 4]], [[5]])[-1]
    {'corner': (1, 1), 'factors': [(4, 5)], 'output': 20}
    """
    rows, columns = len(kernel), len(kernel[0])
    places = []
    for top in window_starts(len(image), rows, 1, 0, 1):
        for left in window_starts(len(image[0]), columns, 1, 0, 1):
            cells = [image[top + i][left + j] for i in range(rows) for j in range(columns)]
            weights = [weight for row in kernel for weight in row]
            factors = list(zip(cells, weights, strict=True))
            places.append({"corner": (top, left), "factors": factors})
    outputs = loops()["conv2d"]([[image]], [[kernel]])[0][0]
    values = (value for row in outputs for value in row)
    return [place | {"output": value} for place, value in zip(places, values, strict=True)]


def sliding_window(image: Any, kernel: Any) -> Picture:
    """Draw every place of a sliding window, with its products."""
    places = sliding_window_data(image, kernel)
    rows, columns, side = len(kernel), len(kernel[0]), len(image[0])
    across = side - columns + 1
    with canvas(5, 3.9) as (figure, axes):
        width, height = side + 3.2, len(image) + 1.9
        blank(axes, across * width - 0.6, len(places) // across * height)
        for at, place in enumerate(places):
            x, y = (at % across) * width + 0.8, (at // across) * height + 0.1
            top, left = place["corner"]
            for i, row in enumerate(image):
                for j, value in enumerate(row):
                    inside = top <= i < top + rows and left <= j < left + columns
                    look = {"facecolor": BLUE_TINT, "colour": BLUE} if inside else {}
                    label = f"{value}·{kernel[i - top][j - left]}" if inside else str(value)
                    cell(axes, x + j, y + i, label, **look)
            frame(axes, x + left, y + top, columns, rows)
            _sum_of_products(axes, x + side / 2, y + len(image) + 0.5, place)
        products = len(places[0]["factors"])
        return finished(
            figure,
            caption=f"A {rows}×{columns} kernel on a {len(image)}×{side} image has "
            f"{len(places)} places, and so the output has {len(places)} pixels. Each costs "
            f"{products} products of a pixel and a weight, wherever its window is.",
            alt="; ".join(_place_in_words(place) for place in places) + ".",
            data={"places": places},
        )


def _sum_of_products(axes: Any, x: float, y: float, place: dict[str, Any]) -> None:
    pieces = [(f"{a}·{b}", BLUE) for a, b in place["factors"]]
    separated = [piece for pair in pieces for piece in (("+", ORANGE), pair)][1:]
    separated.append((f"= {place['output']}", INK))
    glyph = 0.195  # the width of a character, in cells
    left = x - glyph * sum(len(text) + 1 for text, _ in separated) / 2
    for text, colour in separated:
        axes.text(left, y, text, color=colour, va="center", ha="left", fontsize=9)
        left += glyph * (len(text) + 1)


def _place_in_words(place: dict[str, Any]) -> str:
    row, column = place["corner"]
    products = " + ".join(f"{a}·{b}" for a, b in place["factors"])
    return f"window at row {row + 1}, column {column + 1}: {products} = {place['output']}"


def window_places_data(cases: Sequence[dict[str, int]]) -> list[dict[str, Any]]:
    """Return where a window starts along one side, for each setting.

    >>> window_places_data([{"size": 5, "kernel": 3, "stride": 2}])[0]["starts"]
    [0, 2]
    """
    defaults = {"stride": 1, "padding": 0, "dilation": 1}
    settings = [defaults | case for case in cases]
    return [{**s, "starts": list(window_starts(**s)), "places": conv_output_size(**s)}
            for s in settings]  # fmt: skip


def window_places(cases: Sequence[dict[str, int]]) -> Picture:
    """Draw the places of a window along one side, for several settings."""
    data = window_places_data(cases)
    widest = max(case["size"] + 2 * case["padding"] for case in data)
    tallest = sum(len(case["starts"]) * 0.62 + 2.7 for case in data)
    with canvas(5, 0.42 * tallest) as (figure, axes):
        blank(axes, widest + 0.2, tallest)
        y = 0.6
        for case in data:
            axes.text(0.1, y, f"{_setting(case)}: {case['places']} places", va="center")
            y += 0.45
            length = case["size"] + 2 * case["padding"]
            for at in range(length):
                padded = not case["padding"] <= at < length - case["padding"]
                look = {"linestyle": ":", "colour": QUIET} if padded else {"edgecolor": QUIET}
                cell(axes, 0.1 + at, y, "0" if padded else "", **look)
            y += 1.35
            for start in case["starts"]:
                _window_row(axes, y, start, case)
                y += 0.62
            y += 0.9
        counts = ", ".join(f"{_setting(case)}: {case['places']}" for case in data)
        return finished(
            figure,
            caption="One side of the input (boxes; zeros of padding dotted) and, below it, "
            "every place where the window fits. Their number is the side of the output.",
            alt=f"Rows of windows under a row of cells. Places of the window: {counts}.",
            data={"cases": data},
        )


def _setting(case: dict[str, Any]) -> str:
    names = ("stride", "padding", "dilation")
    return ", ".join(f"{name} {case[name]}" for name in names)


def _window_row(axes: Any, y: float, start: int, case: dict[str, Any]) -> None:
    cells = [start + case["dilation"] * at for at in range(case["kernel"])]
    axes.plot([cells[0] + 0.6, cells[-1] + 0.6], [y, y], color=BLUE, linewidth=1.5)
    axes.plot([at + 0.6 for at in cells], [y] * len(cells), "s", color=BLUE, markersize=8)


def kernel_growth_data(
    kernels: Sequence[int], groups: Sequence[int], *, channels: int, side: int
) -> dict[str, Any]:
    """Return the MACs of a convolution over kernel sizes, for each number of groups.

    >>> kernel_growth_data([1, 3], [1, 2], channels=4, side=5)["macs"]
    {1: [400, 3600], 2: [200, 1800]}
    """
    macs = {
        group: [
            conv2d(channels, channels, kernel, side, side, groups=group).macs for kernel in kernels
        ]
        for group in groups
    }
    return {"kernels": list(kernels), "macs": macs, "channels": channels, "side": side}


def kernel_growth(
    kernels: Sequence[int], groups: Sequence[int], *, channels: int, side: int
) -> Picture:
    """Draw how the MACs of a convolution grow with its kernel and shrink with its groups."""
    data = kernel_growth_data(kernels, groups, channels=channels, side=side)
    with canvas(5, 3.4) as (figure, axes):
        for (group, macs), style in zip(data["macs"].items(), ("-", "--", ":"), strict=False):
            axes.semilogy(kernels, macs, style, color=BLUE, marker="o", markersize=4)
            axes.annotate(
                f"G = {group}", (kernels[-1], macs[-1]), xytext=(6, 0),
                textcoords="offset points", va="center", color=INK,
            )  # fmt: skip
        axes.set_xlabel("K, side of the square kernel")
        axes.set_title(f"MACs, {channels} → {channels} channels, {side}×{side} pixels")
        plain_ticks(axes, kernels)
        return finished(
            figure,
            caption="The cost grows with the area of the kernel, K·K, and is divided by the "
            "number of groups.",
            alt=f"Curves rising with the kernel from K = {kernels[0]} to {kernels[-1]}, one "
            f"below the other for {', '.join(map(str, groups))} groups.",
            data=data,
        )


# --- depthwise separable convolution ---------------------------------------


def separable_weights_data(in_channels: int, out_channels: int, kernel: int) -> dict[str, int]:
    """Return the multiplications at one place of the window, ordinary and separable.

    >>> separable_weights_data(3, 4, 3)
    {'ordinary': 108, 'depthwise': 27, 'pointwise': 12, 'separable': 39}
    """
    layers = {
        "ordinary": conv2d(in_channels, out_channels, kernel, 1, 1),
        "depthwise": depthwise_conv2d(in_channels, kernel, 1, 1),
        "pointwise": pointwise_conv2d(in_channels, out_channels, 1, 1),
        "separable": depthwise_separable_conv2d(in_channels, out_channels, kernel, 1, 1),
    }
    return {name: layer.multiplications for name, layer in layers.items()}


def separable_weights(in_channels: int, out_channels: int, kernel: int) -> Picture:
    """Draw every multiplication at one place of the window: a small square each."""
    data = separable_weights_data(in_channels, out_channels, kernel)
    block, gap = kernel * 0.34, 0.34
    pitch = block + gap
    left = in_channels * pitch + 2.2
    with canvas(5.4, 3.5) as (figure, axes):
        blank(axes, left + in_channels * pitch + 0.6, out_channels * pitch + 1.7)
        axes.text(0, 0.5, f"ordinary: {data['ordinary']} products", va="center")
        axes.text(left, 0.5, f"separable: {data['separable']} products", va="center")
        for column in range(in_channels):
            for row in range(out_channels):
                _block(axes, column * pitch, 1 + row * pitch, kernel)
                _block(axes, left + column * pitch + 0.34, 2.9 + row * 0.55 + block, 1)
            _block(axes, left + column * pitch, 1.5, kernel)
        axes.text(left, 1.17, f"depthwise: {data['depthwise']}", va="center", color=QUIET)
        between = 2.55 + block
        axes.text(left, between, f"pointwise: {data['pointwise']}", va="center", color=QUIET)
        return finished(
            figure,
            caption=f"From {in_channels} channels to {out_channels}, at one place of the window: "
            f"a square is one multiplication. The ordinary layer has a row of blocks for every "
            f"output channel. The separable layer has a single row of blocks, and then one "
            f"product for each pair of channels.",
            alt=f"Left, {out_channels} rows of {in_channels} blocks of {kernel} by {kernel} "
            f"squares: {data['ordinary']}. Right, one row of {in_channels} such blocks, "
            f"{data['depthwise']} squares, and below it {out_channels} rows of {in_channels} "
            f"single squares, {data['pointwise']}: {data['separable']} together.",
            data=data,
        )


def _block(axes: Any, x: float, y: float, side: int) -> None:
    from matplotlib.patches import Rectangle

    look: Any = {"facecolor": BLUE_TINT, "edgecolor": BLUE, "linewidth": 0.8}
    for i in range(side):
        for j in range(side):
            axes.add_patch(Rectangle((x + 0.34 * j, y + 0.34 * i), 0.34, 0.34, **look))


def separable_ratio_data(
    out_channels: Sequence[int], kernels: Sequence[int], *, in_channels: int
) -> dict[str, Any]:
    """Return the cost of the separable convolution as a share of the ordinary one's.

    >>> separable_ratio_data([9], [3], in_channels=1)["macs"]
    {3: [0.2222222222222222]}
    """

    def share(figure: str, kernel: int, outputs: int) -> float:
        sizes = (in_channels, outputs, kernel, 1, 1)
        separable = depthwise_separable_conv2d(*sizes, bias=False)
        return float(getattr(separable, figure) / getattr(conv2d(*sizes, bias=False), figure))

    return {
        "out_channels": list(out_channels),
        "in_channels": in_channels,
        "macs": {k: [share("macs", k, n) for n in out_channels] for k in kernels},
        "exact": {k: [share("exact_flops", k, n) for n in out_channels] for k in kernels},
    }


def separable_ratio(
    out_channels: Sequence[int], kernels: Sequence[int], *, in_channels: int
) -> Picture:
    """Draw the cost of the separable convolution as a share of the ordinary one's."""
    data = separable_ratio_data(out_channels, kernels, in_channels=in_channels)
    with canvas(5.4, 3.5) as (figure, axes):
        for kernel in kernels:
            shares = [100 * share for share in data["macs"][kernel]]
            axes.loglog(out_channels, shares, "-", color=BLUE)
            exact = [100 * share for share in data["exact"][kernel]]
            axes.loglog(out_channels, exact, ":", color=ORANGE)
            axes.annotate(
                f"{kernel}×{kernel}", (out_channels[-1], shares[-1]), xytext=(6, 0),
                textcoords="offset points", va="center", color=INK,
            )  # fmt: skip
        axes.set_xlabel("C_out, output channels")
        axes.set_title(f"separable / ordinary, % ({in_channels} input channels)")
        plain_ticks(axes, out_channels)
        axes.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
        last = {k: f"{100 * data['macs'][k][-1]:.1f} %" for k in kernels}
        return finished(
            figure,
            caption="The cost of a separable convolution as a share of an ordinary one: solid for "
            f"MACs and FLOPs, dotted for the exact count without biases and with {in_channels} "
            "input channels. With more output channels the solid curves approach one over the "
            "cells of the kernel, and the dotted ones a little less.",
            alt="Falling curves on logarithmic axes, one for each kernel, that level off. At "
            f"C_out = {out_channels[-1]} they reach "
            + ", ".join(f"{share} for {k}×{k}" for k, share in last.items())
            + ". The exact shares run closely along them.",
            data=data,
        )
