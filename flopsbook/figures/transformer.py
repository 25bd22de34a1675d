"""The figures of the feed-forward network and the Transformer layer, and the parts they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from flopsbook import palette
from flopsbook.figures.drawing import (
    BLUE,
    HATCHES,
    INK,
    QUIET,
    blank,
    plain_ticks,
    stacked,
)
from flopsbook.picture import Picture, canvas, finished
from flopslib.costs import feed_forward, transformer_layer
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.steps import Step

PROJECTION, SQUARE, FFN = palette.PROJECTION[0], palette.SQUARE[0], palette.FFN[0]
SQUARE_TINT = palette.SQUARE_TINT[0]

#: What the steps of a layer that have FLOPs are summed up as, and what they look like.
GROUPS: Mapping[str, tuple[str, str, Callable[[str], bool]]] = {
    "projections": (
        PROJECTION,
        palette.PROJECTION_TINT[0],
        lambda name: name.endswith("projection"),
    ),
    "feed-forward": (FFN, palette.FFN_TINT[0], lambda name: name.endswith("linear")),
    "scores and weighted sum": (
        SQUARE,
        SQUARE_TINT,
        lambda name: name.startswith(("scores", "weighted sum")),
    ),
}


def in_order(others: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the parts of a network of Transformer layers in the order of every figure.

    The part that grows with the square of the length is last, behind all that do not.

    >>> in_order(["logits"])
    ('projections', 'feed-forward', 'logits', 'scores and weighted sum')
    """
    *level, square = GROUPS
    return (*level, *others, square)


def look(part: str) -> tuple[str, str]:
    """Return the colour and the tint of a part; those outside of the layers are grey.

    >>> look("logits") == look("patches and head")
    True
    """
    return GROUPS[part][:2] if part in GROUPS else (QUIET, palette.FAINT[0])


# --- shares ----------------------------------------------------------------


def step_shares_data(
    layer: Callable[..., Derivation], lengths: Sequence[int], **sizes: Any
) -> dict[str, Any]:
    """Return which share of a layer's FLOPs each group of steps has, over the lengths.

    >>> from flopslib import transformer_layer
    >>> step_shares_data(transformer_layer, [8], d_model=4)["shares"]
    {'projections': [0.25], 'feed-forward': [0.5], 'scores and weighted sum': [0.25]}
    """
    layers = [layer(length, **sizes) for length in lengths]
    shares = {
        group: [
            sum(step.flops for step in one.steps if belongs(step.name)) / one.flops
            for one in layers
        ]
        for group, (_, _, belongs) in GROUPS.items()
    }
    shown = {group: values for group, values in shares.items() if any(values)}
    return {
        "layer": layers[0].name,
        "lengths": list(lengths),
        "shares": shown,
        "sizes": sizes,
    }


def step_shares(layer: Callable[..., Derivation], lengths: Sequence[int], **sizes: Any) -> Picture:
    """Draw, for each length, how a layer's FLOPs divide into groups of steps."""
    data = step_shares_data(layer, lengths, **sizes)
    lines = -(-len(data["shares"]) // 2)  # of the legend
    with canvas(5.4, 0.6 + 0.3 * lines + 0.42 * len(lengths)) as (figure, axes):
        stacked(axes, [f"L = {n:,}" for n in lengths], data["shares"], look)
        rows = (
            f"L = {length:,}: "
            + ", ".join(f"{g} {100 * s[at]:.0f} %" for g, s in data["shares"].items())
            for at, length in enumerate(lengths)
        )
        return finished(
            figure,
            caption=_grows(data),
            alt="Bars divided into shares. " + "; ".join(rows) + ".",
            data=data,
        )


def _grows(data: dict[str, Any]) -> str:
    """Say how the shares of a layer change from the shortest to the longest sequence."""
    shares, lengths = data["shares"], data["lengths"]
    square = [f"{100 * shares['scores and weighted sum'][at]:.0f} %" for at in (0, -1)]
    what, level = data["layer"], "The projections cost"
    if "feed-forward" in shares:
        what, times = f"a {what}", shares["feed-forward"][0] / shares["projections"][0]
        level = (
            f"The feed-forward network costs {times:.0f} times as much as the projections at every "
            "length, and both cost"
        )
    return (
        f"Where the FLOPs of {what} are, at d = {data['sizes']['d_model']:,}. "
        f"{level} the same for every token; the scores and the weighted sum cost more for each "
        f"token the longer the sequence is, and their share grows from {square[0]} at "
        f"L = {lengths[0]:,} to {square[1]} at L = {lengths[-1]:,}."
    )


# --- the feed-forward network ----------------------------------------------


def ffn_lines_data(d_model: int, d_ff: int) -> dict[str, int]:
    """Return the columns of numbers of a feed-forward network, and its multiplications.

    >>> ffn_lines_data(2, 8)
    {'in': 2, 'hidden': 8, 'out': 2, 'first': 16, 'second': 16}
    """
    first, gelu, second = feed_forward(1, d_model, d_ff=d_ff).steps
    return {
        "in": first.per_output.macs,
        "hidden": gelu.outputs,
        "out": second.outputs,
        "first": first.macs,
        "second": second.macs,
    }


def ffn_lines(d_model: int, d_ff: int) -> Picture:
    """Draw a feed-forward network with a line for every multiplication by a weight."""
    data = ffn_lines_data(d_model, d_ff)
    with canvas(5, 3.2) as (figure, axes):
        blank(axes, 16, d_ff + 1.6)
        columns = {"in": 1.0, "hidden": 8.0, "out": 15.0}
        places = {
            name: [(x, 1.3 + d_ff / 2 + (i - (data[name] - 1) / 2)) for i in range(data[name])]
            for name, x in columns.items()
        }
        for left, right in (("in", "hidden"), ("hidden", "out")):
            for start in places[left]:
                for end in places[right]:
                    axes.plot(*zip(start, end, strict=True), color=BLUE, linewidth=0.9, zorder=1)
        for name, dots in places.items():
            axes.plot(*zip(*dots, strict=True), "o", color=INK, markersize=8, zorder=2)
            axes.text(columns[name], 0.3, f"{data[name]}", ha="center", va="center")
        axes.text(4.5, 0.3, f"{data['first']} products", ha="center", va="center", color=BLUE)
        axes.text(11.5, 0.3, f"{data['second']} products", ha="center", va="center", color=BLUE)
        return finished(
            figure,
            caption=f"One token on its way through a feed-forward network that widens "
            f"{data['in']} numbers to {data['hidden']} and narrows them again. A dot is a number, "
            f"a line a multiplication by a weight. Both layers have equally many.",
            alt=f"Three columns of {data['in']}, {data['hidden']} and {data['out']} dots. Every "
            f"dot is joined to every dot of the next column: {data['first']} lines, then "
            f"{data['second']}.",
            data=data,
        )


def gelu_share_data(widths: Sequence[int]) -> dict[str, list[Any]]:
    """Return GELU's part of the multiplications and additions of an FFN, in percent.

    >>> gelu_share_data([4])["percent"]
    [20.0]
    """
    layers = [feed_forward(1, width) for width in widths]
    shares = [100 * layer.steps[1].exact_flops / layer.exact_flops for layer in layers]
    return {"widths": list(widths), "percent": shares}


def gelu_share(widths: Sequence[int]) -> Picture:
    """Draw how GELU's part of the operations falls with the width."""
    data = gelu_share_data(widths)
    first, last = (f"{data['percent'][at]:.2g} %" for at in (0, -1))
    with canvas(5, 3) as (figure, axes):
        axes.loglog(data["widths"], data["percent"], color=FFN, marker="o", markersize=5)
        axes.set_xlabel("d, width of a token")
        axes.set_title("GELU's share of the exact FLOPs, %")
        plain_ticks(axes, data["widths"], lambda n: f"{n:,}")
        axes.set_yticks([10, 1, 0.1, 0.01], ["10", "1", "0.1", "0.01"])
        return finished(
            figure,
            caption="Doubling the width nearly halves GELU's share: its cost grows with d, that of "
            "the two linear layers with d².",
            alt=f"A falling straight line on logarithmic axes, from {first} at d = {widths[0]} "
            f"to {last} at d = {widths[-1]:,}.",
            data=data,
        )


# --- the layer -------------------------------------------------------------

ATTENTION, ADDITION = "attention", "+"


def transformer_flow_data(seq_len: int, d_model: int, **options: Any) -> dict[str, Any]:
    """Return the blocks of a Transformer layer in their order, and the MACs of their parts.

    >>> data = transformer_flow_data(1, 2)
    >>> [block for block, _ in data["blocks"]]
    ['norm', 'attention', '+', 'norm', 'feed-forward', '+']
    >>> data["blocks"][1], data["macs"]
    (('attention', {'projections': 16, 'scores and weighted sum': 4}), 52)
    """
    layer = transformer_layer(seq_len, d_model, **options)
    blocks = [
        (
            block,
            {
                group: macs
                for group, (_, _, belongs) in GROUPS.items()
                if (macs := sum(step.macs for step in steps if belongs(step.name)))
            },
        )
        for block, steps in (
            (block, list(found)) for block, found in groupby(layer.steps, _block_of)
        )
    ]
    return {"L": seq_len, "d": d_model, "blocks": blocks, "macs": layer.macs}


def _block_of(step: Step) -> str:
    if "norm" in step.name:
        return "norm"
    if "residual" in step.name:
        return ADDITION
    is_ffn = step.name.endswith("linear") or step.name == "GELU"
    return "feed-forward" if is_ffn else ATTENTION


#: The height of a block of the drawing, in cells, and of the way from one to the next.
HEIGHTS = {"norm": 0.95, ATTENTION: 2.9, ADDITION: 0.8, "feed-forward": 1.6}
GAP = 0.55
#: Where the blocks are, how wide they are, where their bars begin, and how long one of all is.
LEFT, WIDE, RIGHT, LONGEST = 1.6, 5.0, 7.4, 8.0
MILLION = 10**6


def transformer_flow(seq_len: int, d_model: int, *, name: str = "", **options: Any) -> Picture:
    """Draw a Transformer layer block by block, with the bypasses and the share of the MACs."""
    data = transformer_flow_data(seq_len, d_model, **options)
    tokens = "1 token" if seq_len == 1 else f"{seq_len:,} tokens"
    ends = f"{tokens} of {d_model:,} numbers"
    height = 1.7 + GAP + sum(GAP + HEIGHTS[block] for block, _ in data["blocks"])
    with canvas(5.4, 5.4 * height / 16.2) as (figure, axes):
        blank(axes, 16.2, height)
        axes.text(LEFT + WIDE / 2, 0.45, ends, ha="center", va="center")
        y = begun = 0.9
        for block, parts in data["blocks"]:
            top = y + GAP
            y = top + HEIGHTS[block]
            _down(axes, top - GAP, top)
            if block == ADDITION:
                _bypass(axes, begun, top + HEIGHTS[block] / 2)
                begun = y
            _block(axes, block, top)
            _parts(axes, parts, data["macs"], top)
        _down(axes, y, y + GAP)
        axes.text(LEFT + WIDE / 2, y + GAP + 0.4, ends, ha="center", va="center")
        written = {g: m for _, parts in data["blocks"] for g, m in parts.items()}
        said = ", ".join(f"{g} {m:,} MACs ({_share(m, data)})" for g, m in written.items())
        return finished(
            figure,
            caption=f"A Transformer layer{name and ' of ' + name} with {tokens} of width "
            f"{d_model:,}. A bypass leads around each half, and its numbers are added to the "
            "result (+). The numbers are MACs, the bars their shares of the layer's "
            f"{data['macs']:,}; norms and additions have none.",
            alt="From top to bottom: norm, attention, an addition, norm, feed-forward, an "
            f"addition. A line leads around norm and attention to the first addition, another "
            f"around norm and feed-forward to the second. Bars: {said}.",
            data=data,
        )


def _share(macs: int, data: Mapping[str, Any]) -> str:
    return f"{100 * macs / data['macs']:.0f} %"


def _down(axes: Any, start: float, end: float) -> None:
    """Draw the way from one block to the next."""
    style = {"arrowstyle": "->", "color": QUIET, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    middle = LEFT + WIDE / 2
    axes.annotate("", xy=(middle, end), xytext=(middle, start), arrowprops=style)


def _bypass(axes: Any, start: float, end: float) -> None:
    """Draw the way around a half of the layer, from above its norm to its addition."""
    middle, aside = LEFT + WIDE / 2, LEFT - 0.9
    branch = start + GAP / 3
    axes.plot([middle, aside, aside], [branch, branch, end], color=QUIET, linewidth=1.2)
    style = {"arrowstyle": "->", "color": QUIET, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(middle - 0.4, end), xytext=(aside, end), arrowprops=style)


def _block(axes: Any, block: str, top: float) -> None:
    from matplotlib.patches import Circle, Rectangle

    height, middle = HEIGHTS[block], LEFT + WIDE / 2
    if block == ADDITION:
        axes.add_patch(Circle((middle, top + height / 2), height / 2, facecolor="none",
                              edgecolor=QUIET, linewidth=1.4))  # fmt: skip
    else:
        axes.add_patch(Rectangle((LEFT, top), WIDE, height, facecolor="none", edgecolor=INK,
                                 linewidth=1.4))  # fmt: skip
    axes.text(middle, top + height / 2, block, ha="center", va="center")


def _parts(axes: Any, parts: Mapping[str, int], whole: int, top: float) -> None:
    """Draw a bar for each part of a block, its name and its share above it."""
    from matplotlib.patches import Rectangle

    for at, (group, macs) in enumerate(parts.items()):
        colour, tint = look(group)
        y = top + 0.1 + 1.5 * at
        share = macs / whole
        axes.text(RIGHT, y + 0.25, f"{group} {100 * share:.0f} %", va="center", color=colour)
        hatch = HATCHES.get(group)
        bar: Any = {"facecolor": tint, "edgecolor": colour, "linewidth": 1.4, "hatch": hatch}
        axes.add_patch(Rectangle((RIGHT, y + 0.6), LONGEST * share, 0.6, **bar))
        number = f"{macs:,}" if macs < MILLION else f"{macs / MILLION:,.0f} million"
        axes.text(RIGHT + LONGEST * share + 0.2, y + 0.9, number, va="center", fontsize=9)


def terms_per_token_data(ratios: Sequence[int]) -> dict[str, Any]:
    """Return the parts of a layer's FLOPs per token, in units of d², over L/d.

    The line begins at zero: a token that sees none forms no score.

    >>> terms_per_token_data([2])["square"], terms_per_token_data([2])["against"]
    ([0.0, 8.0], {'projections': 8.0, 'feed-forward': 16.0, 'both': 24.0})
    """
    d = 2  # every d gives the same figure
    layers = [transformer_layer(ratio * d, d) for ratio in ratios]

    def of(layer: Derivation, group: str) -> float:
        belongs = GROUPS[group][2]
        flops = sum(step.flops for step in layer.steps if belongs(step.name))
        tokens = layer.steps[0].outputs
        return float(flops / tokens / d**2)

    flat = {group: of(layers[0], group) for group in ("projections", "feed-forward")}
    square = [of(layer, "scores and weighted sum") for layer in layers]
    return {
        "ratios": [0, *ratios],
        "square": [0.0, *square],
        "against": flat | {"both": sum(flat.values())},
        "crossings": {
            name: level * ratios[-1] / square[-1]
            for name, level in (flat | {"both": sum(flat.values())}).items()
        },
    }


def terms_per_token(ratios: Sequence[int]) -> Picture:
    """Draw where the term with L² overtakes the others."""
    data = terms_per_token_data(ratios)
    colours = {"projections": PROJECTION, "feed-forward": FFN, "both": INK}
    with canvas(5.4, 3.6) as (figure, axes):
        axes.plot(data["ratios"], data["square"], color=SQUARE)
        last = (data["ratios"][-2], data["square"][-2])
        axes.annotate("scores and weighted sum", last, xytext=(-8, 2), ha="right", color=SQUARE,
                      textcoords="offset points")  # fmt: skip
        for (name, level), style in zip(data["against"].items(), ("--", "-.", ":"), strict=True):
            at = data["crossings"][name]
            axes.plot([0, ratios[-1]], [level] * 2, style, color=colours[name])
            # on the side where the rising line leaves room for it
            side, gap, edge = ("left", 4, 0) if 2 * at >= ratios[-1] else ("right", -4, ratios[-1])
            axes.annotate(f"{name}: {level:.0f} d²", (edge, level), xytext=(gap, 4), ha=side,
                          textcoords="offset points", fontsize=9,
                          color=colours[name])  # fmt: skip
            axes.plot([at], [level], "o", color=SQUARE, markersize=8)
            axes.annotate(f"L = {at:.0f}d", (at, level), xytext=(4, -14),
                          textcoords="offset points", color=INK)  # fmt: skip
        axes.set_xlabel("L/d, length of the sequence in widths")
        axes.set_title("FLOPs of one token in one layer, in d² (no mask)")
        axes.set_xlim(0, ratios[-1])
        axes.set_ylim(0)
        crossed = "; ".join(f"{name} at L = {at:.0f}d" for name, at in data["crossings"].items())
        return finished(
            figure,
            caption="The longer the sequence, the more the scores and the weighted sum cost for "
            "each token; everything else costs the same for each. The rising line meets the "
            "others at three places, so the question where L² dominates has three answers, and "
            "L = d is none of them.",
            alt=f"A line that rises from the origin and three level ones. It crosses {crossed}.",
            data=data,
        )


def crossings_data(widths: Sequence[int], lengths: Sequence[int]) -> dict[str, Any]:
    """Return the share of the L² term in a layer over the length, for each width.

    >>> crossings_data([4], [24])["shares"]
    {4: [0.5]}
    """
    shares = {d: _square_shares(lengths, d) for d in widths}
    marks = {d: {times: _square_shares([times * d], d)[0] for times in (2, 4, 6)} for d in widths}
    return {"lengths": list(lengths), "shares": shares, "marks": marks}


def _square_shares(lengths: Sequence[int], d: int) -> list[float]:
    data = step_shares_data(transformer_layer, lengths, d_model=d)
    shares: list[float] = data["shares"]["scores and weighted sum"]
    return shares


def crossings(widths: Sequence[int], lengths: Sequence[int]) -> Picture:
    """Draw the share of the L² term over the length, a curve for each width."""
    data = crossings_data(widths, lengths)
    with canvas(5.4, 3.7) as (figure, axes):
        for (d, shares), style in zip(data["shares"].items(), ("-", "--", ":"), strict=False):
            axes.semilogx(
                lengths, [100 * s for s in shares], style, color=SQUARE, label=f"d = {d:,}"
            )
            for times, marker in ((2, "o"), (4, "s"), (6, "^")):
                axes.plot([times * d], [100 * data["marks"][d][times]], marker, color=INK,
                          markersize=6)  # fmt: skip
        first = widths[0]
        for times in (2, 4, 6):
            axes.annotate(f"{times}d", (times * first, 100 * data["marks"][first][times]),
                          xytext=(-7, 3), textcoords="offset points", ha="right")  # fmt: skip
        axes.legend(loc="upper left")
        axes.set_xlabel("L, length of the sequence")
        axes.set_title("scores and weighted sum, % of FLOPs (no mask)")
        plain_ticks(axes, lengths[::2], lambda n: f"{n:,}")
        axes.set_ylim(0, 100)
        marked = data["marks"][first]
        return finished(
            figure,
            caption="The same three crossings for layers of different widths: at L = 2d (circle) "
            "the term with L² equals the projections, at 4d (square) the feed-forward network, at "
            "6d (triangle) all the rest of the layer. The curve of a wider layer is the same, "
            "further to the right.",
            alt="Rising S-shaped curves, one for each width of "
            f"{', '.join(f'{d:,}' for d in widths)}, shifted to the right as the width grows. "
            "On each the marks are at "
            + ", ".join(f"{100 * share:.0f} % for L = {t}d" for t, share in marked.items())
            + ".",
            data=data,
        )


def approximation_error_data(ratios: Sequence[float], d_model: int) -> dict[str, Any]:
    """Return how far 24d² and 12d² are from a layer's FLOPs per token, over L/d, in percent.

    >>> approximation_error_data([1.5], 64)["errors"]["24d², no mask"]
    [20.0]
    """
    lengths = [round(ratio * d_model) for ratio in ratios]

    def errors(factor: int, causal: bool) -> list[float]:
        full = [transformer_layer(n, d_model, causal=causal).flops / n for n in lengths]
        return [100 * abs(factor * d_model**2 - cost) / cost for cost in full]

    return {
        "ratios": [length / d_model for length in lengths],
        "errors": {
            "12d², no mask": errors(12, causal=False),
            "24d², no mask": errors(24, causal=False),
            "24d², causal": errors(24, causal=True),
        },
    }


def approximation_error(ratios: Sequence[float], d_model: int) -> Picture:
    """Draw the errors of the usual approximations over the length."""
    data = approximation_error_data(ratios, d_model)
    styles = {"12d², no mask": (QUIET, "-."), "24d², no mask": (SQUARE, "-")}
    styles["24d², causal"] = (SQUARE, "--")
    with canvas(5.4, 3.6) as (figure, axes):
        levels = (1, 5, 20)
        for level in levels:
            axes.axhline(level, color=QUIET, linewidth=0.8, linestyle=":")
        for name, errors in data["errors"].items():
            colour, style = styles[name]
            axes.loglog(data["ratios"], errors, style, color=colour, label=name)
        axes.legend(loc="lower right")
        axes.set_xlabel("L/d, length of the sequence in widths")
        axes.set_title("error of the approximation, % of the layer's FLOPs")
        ticks = [0.01, 0.03, 0.1, 0.3, 1, 3, 10]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_yticks([0.1, 1, 5, 20, 50, 100], ["0.1", "1", "5", "20", "50", "100"])
        axes.minorticks_off()
        worst = data["errors"]["12d², no mask"][0]
        return finished(
            figure,
            caption="The error of 24d² FLOPs for each token and layer is small while the sequence "
            "is short compared with the width. With a causal mask, sequences may be twice as "
            "long for the same error. The error of 12d² is never small, since those are MACs.",
            alt="Two parallel rising lines for 24d², the causal one below, which pass "
            f"{levels[0]}, {levels[1]} and {levels[2]} percent; above them a line for 12d² that "
            f"begins at {worst:.0f} percent.",
            data=data,
        )
