"""The figures of the chapters, each drawn from a function that returns its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flopslib import palette, primitives
from flopslib.costs import conv2d, linear
from flopslib.picture import Picture, canvas, finished
from flopslib.reference import loops
from flopslib.reference.convolution import window_starts
from flopslib.shapes import conv_output_size

BLUE, ORANGE = palette.MULTIPLICATION[0], palette.ADDITION[0]
INK, QUIET, FAINT = palette.INK[0], palette.QUIET[0], palette.FAINT[0]
BLUE_TINT, ORANGE_TINT = palette.MULTIPLICATION_TINT[0], palette.ADDITION_TINT[0]


# --- drawing ---------------------------------------------------------------


def _blank(axes: Any, width: float, height: float) -> None:
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.axis("off")


def _cell(axes: Any, x: float, y: float, label: str, **style: Any) -> None:
    from matplotlib.patches import Rectangle

    colour = style.pop("colour", INK)
    look: Any = {"facecolor": "none", "edgecolor": FAINT, "linewidth": 1} | style
    axes.add_patch(Rectangle((x, y), 1, 1, **look))
    axes.text(x + 0.5, y + 0.52, label, ha="center", va="center", color=colour)


def _frame(axes: Any, x: float, y: float, width: float, height: float) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((x, y), width, height, facecolor="none", edgecolor=BLUE, linewidth=2.5)
    )


def _disc(axes: Any, x: float, y: float, sign: str) -> None:
    from matplotlib.patches import Circle

    colour, tint = (BLUE, BLUE_TINT) if sign == "×" else (ORANGE, ORANGE_TINT)
    axes.add_patch(Circle((x, y), 0.34, facecolor=tint, edgecolor=colour, linewidth=1.5))
    axes.text(x, y + 0.02, sign, ha="center", va="center", color=colour, fontsize=12)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-", "color": QUIET, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def _plain_ticks(axes: Any, values: Sequence[int], label: Callable[[int], str] = str) -> None:
    axes.set_xticks(values, [label(value) for value in values])
    axes.minorticks_off()


# --- what counts as one operation? -----------------------------------------


def dot_product_data(terms: int) -> dict[str, Any]:
    """Return how many multiplications and additions a dot product draws.

    >>> dot_product_data(3)
    {'terms': 3, 'multiplications': 3, 'additions': 2}
    """
    cost = primitives.dot_product(terms).operations
    return {
        "terms": terms,
        "multiplications": cost.multiplications,
        "additions": cost.additions,
    }


def dot_product_picture(terms: int) -> Picture:
    """Draw a dot product as a circuit: a disc for every operation."""
    data = dot_product_data(terms)
    products, sums = data["multiplications"], data["additions"]
    with canvas(5, 2.6) as (figure, axes):
        _blank(axes, 2 * products + 1.2, 4)
        for j in range(products):
            x = 2 * j + 1
            axes.text(x, 0.35, f"w{_subscript(j + 1)}   x{_subscript(j + 1)}", ha="center")
            _arrow(axes, (x - 0.3, 0.6), (x - 0.12, 1.2))
            _arrow(axes, (x + 0.3, 0.6), (x + 0.12, 1.2))
            _disc(axes, x, 1.5, "×")
            if j:
                _arrow(axes, (x, 1.84), (x, 2.66))
                _arrow(axes, (x - 1.66, 3), (x - 0.34, 3))
            else:
                axes.plot([x, x, x + 0.34], [1.84, 3, 3], color=QUIET, linewidth=1)
        for j in range(sums):
            _disc(axes, 2 * j + 3, 3, "+")
        _arrow(axes, (2 * products - 0.66, 3), (2 * products + 0.2, 3))
        axes.text(2 * products + 0.35, 3.04, "y", ha="left", va="center")
        return finished(
            figure,
            caption=f"A dot product of {products} terms: {products} multiplications, "
            f"but only {sums} additions, because the first product has nothing to join.",
            alt=f"A circuit. {products} discs marked × each take one weight and one input. "
            f"Their results are joined from left to right by {sums} discs marked +, giving y.",
            data=data,
        )


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def convention_gap_data(terms: Sequence[int]) -> dict[str, list[Any]]:
    """Return by how much 2·MACs exceeds the exact count of one output without a bias.

    >>> convention_gap_data([3, 50])["percent"]
    [20.0, 1.0101010101010102]
    """
    layers = [linear(size, 1, bias=False) for size in terms]
    excess = [layer.flops - layer.exact_flops for layer in layers]
    percent = [100 * gap / layer.exact_flops for gap, layer in zip(excess, layers, strict=True)]
    return {"terms": list(terms), "excess": excess, "percent": percent}


def convention_gap(terms: Sequence[int]) -> Picture:
    """Draw how fast the difference between the two conventions vanishes."""
    data = convention_gap_data(terms)
    first, last = (f"{data['percent'][at]:.2g} %" for at in (0, -1))
    with canvas(5, 3) as (figure, axes):
        axes.loglog(data["terms"], data["percent"], color=ORANGE, marker="o", markersize=5)
        axes.set_xlabel("n, terms of the dot product")
        axes.set_title("2·MACs above the exact count, %")
        _plain_ticks(axes, data["terms"])
        axes.set_yticks([10, 1, 0.1, 0.01], ["10", "1", "0.1", "0.01"])
        return finished(
            figure,
            caption="The one addition that 2·MACs counts too many for each output without a "
            "bias, as a share of the exact count.",
            alt=f"A falling straight line on logarithmic axes, from {first} at "
            f"n = {terms[0]} to {last} at n = {terms[-1]:,}.",
            data=data,
        )


# --- the linear layer ------------------------------------------------------


def linear_grid_data(in_features: int, out_features: int) -> dict[str, int]:
    """Return what the grid of a linear layer draws: a × in each cell, + signs between.

    >>> linear_grid_data(3, 2)
    {'rows': 2, 'columns': 3, 'multiplications': 6, 'additions': 6}
    """
    layer = linear(in_features, out_features)
    return {
        "rows": layer.steps[0].outputs,
        "columns": layer.steps[0].per_output.multiplications,
        "multiplications": layer.multiplications,
        "additions": layer.additions,
    }


def linear_grid(in_features: int, out_features: int) -> Picture:
    """Draw every product of a linear layer, an output a row."""
    data = linear_grid_data(in_features, out_features)
    columns, rows = data["columns"], data["rows"]
    step = 1.5
    with canvas(4, 0.3 + 0.6 * rows) as (figure, axes):
        _blank(axes, step * (columns + 1) + 1.1, 1.25 * rows + 0.2)
        for i in range(rows):
            y = 0.1 + 1.25 * i
            for j in range(columns):
                label = f"w{_subscript(i + 1)}{_subscript(j + 1)}·x{_subscript(j + 1)}"
                style = {"facecolor": BLUE_TINT, "edgecolor": BLUE, "colour": BLUE}
                _wide_cell(axes, 0.1 + step * j, y, label, **style)
                _plus(axes, 0.1 + step * j + 1.35, y)
            style = {"facecolor": ORANGE_TINT, "edgecolor": ORANGE, "colour": ORANGE}
            _wide_cell(axes, 0.1 + step * columns, y, f"b{_subscript(i + 1)}", **style)
            axes.text(step * (columns + 1) + 0.1, y + 0.52, f"=  y{_subscript(i + 1)}", va="center")
        return finished(
            figure,
            caption=f"All the arithmetic of a linear layer from {columns} to {rows}: a row "
            f"is one output, a blue cell one multiplication, a plus sign one addition.",
            alt=f"{rows} rows of {columns} blue cells, each holding a product of a weight and "
            f"an input, and one orange cell with the bias. A plus sign stands after every blue "
            f"cell: {data['multiplications']} products and {data['additions']} plus signs.",
            data=data,
        )


def _wide_cell(axes: Any, x: float, y: float, label: str, *, colour: str, **look: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), 1.2, 1, linewidth=1.2, **look))
    axes.text(x + 0.6, y + 0.52, label, ha="center", va="center", color=colour)


def _plus(axes: Any, x: float, y: float) -> None:
    axes.text(x, y + 0.5, "+", ha="center", va="center", color=ORANGE, fontsize=13)


def linear_growth_data(widths: Sequence[int], batches: Sequence[int]) -> dict[str, Any]:
    """Return the FLOPs of square linear layers, for each batch a list over the widths.

    >>> linear_growth_data([10, 20], [1])["flops"]
    {1: [200, 800]}
    """
    flops = {
        batch: [linear(width, width, batch=batch).flops for width in widths] for batch in batches
    }
    return {"widths": list(widths), "flops": flops}


def linear_growth(widths: Sequence[int], batches: Sequence[int]) -> Picture:
    """Draw how the FLOPs of a square linear layer grow with its width and batch."""
    data = linear_growth_data(widths, batches)
    with canvas(5, 3.4) as (figure, axes):
        styles = ("-", "--", ":")
        for (batch, flops), style in zip(data["flops"].items(), styles, strict=False):
            axes.loglog(widths, flops, style, color=BLUE, marker="o", markersize=4)
            axes.annotate(
                f"B = {batch}", (widths[-1], flops[-1]), xytext=(6, 0),
                textcoords="offset points", va="center", color=INK,
            )  # fmt: skip
        axes.set_xlabel("I = O, the width of the layer")
        axes.set_title("FLOPs of one forward pass")
        _plain_ticks(axes, widths)
        growth = data["flops"][batches[0]][1] / data["flops"][batches[0]][0]
        return finished(
            figure,
            caption=f"Doubling the width of a square layer multiplies its FLOPs by "
            f"{growth:.0f}; the batch only lifts the line.",
            alt=f"Parallel rising lines on logarithmic axes, for batches of "
            f"{', '.join(map(str, batches))}, from width {widths[0]} to {widths[-1]}.",
            data=data,
        )


# --- convolution -----------------------------------------------------------


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
        _blank(axes, across * width - 0.6, len(places) // across * height)
        for at, place in enumerate(places):
            x, y = (at % across) * width + 0.8, (at // across) * height + 0.1
            top, left = place["corner"]
            for i, row in enumerate(image):
                for j, value in enumerate(row):
                    inside = top <= i < top + rows and left <= j < left + columns
                    look = {"facecolor": BLUE_TINT, "colour": BLUE} if inside else {}
                    label = f"{value}·{kernel[i - top][j - left]}" if inside else str(value)
                    _cell(axes, x + j, y + i, label, **look)
            _frame(axes, x + left, y + top, columns, rows)
            _sum_of_products(axes, x + side / 2, y + len(image) + 0.5, place)
        products = len(places[0]["factors"])
        return finished(
            figure,
            caption=f"A {rows}×{columns} kernel on a {len(image)}×{side} image has "
            f"{len(places)} places, and so the output has {len(places)} pixels. Each costs "
            f"{products} products of a pixel and a weight, whatever its place.",
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
        _blank(axes, widest + 0.2, tallest)
        y = 0.6
        for case in data:
            axes.text(0.1, y, f"{_setting(case)}: {case['places']} places", va="center")
            y += 0.45
            length = case["size"] + 2 * case["padding"]
            for cell in range(length):
                padded = not case["padding"] <= cell < length - case["padding"]
                look = {"linestyle": ":", "colour": QUIET} if padded else {"edgecolor": QUIET}
                _cell(axes, 0.1 + cell, y, "0" if padded else "", **look)
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
    axes.plot([cell + 0.6 for cell in cells], [y] * len(cells), "s", color=BLUE, markersize=8)


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
        _plain_ticks(axes, kernels)
        return finished(
            figure,
            caption="The cost grows with the area of the kernel, K·K, and is divided by the "
            "number of groups.",
            alt=f"Curves rising with the kernel from K = {kernels[0]} to {kernels[-1]}, one "
            f"below the other for {', '.join(map(str, groups))} groups.",
            data=data,
        )
