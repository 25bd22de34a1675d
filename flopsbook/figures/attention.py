"""The figures of attention: the square of scores, the row of a cache, and the way through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flopsbook import palette
from flopsbook.figures.drawing import FAINT, QUIET, blank, subscript
from flopsbook.figures.transformer import PROJECTION, SQUARE, SQUARE_TINT
from flopsbook.picture import Picture, canvas, finished
from flopslib.costs import multihead_attention
from flopslib.derivation.derivation import Derivation

PROJECTION_TINT = palette.PROJECTION_TINT[0]

#: How a cell looks: the edge, the inside, and the width of the edge.
Look = tuple[str, str, float]
SCORE: Look = (SQUARE, SQUARE_TINT, 1)
PROJECTED: Look = (PROJECTION, PROJECTION_TINT, 1)
KEPT: Look = (QUIET, FAINT, 1)
EMPTY: Look = (FAINT, "none", 0.8)
PLAIN: Look = (QUIET, "none", 1)


def _cell(axes: Any, x: float, y: float, look: Look, side: float = 1) -> None:
    from matplotlib.patches import Rectangle

    edge, inside, width = look
    front = 1 if look is EMPTY else 2
    axes.add_patch(
        Rectangle((x, y), side, side, facecolor=inside, edgecolor=edge, linewidth=width,
                  zorder=front)
    )  # fmt: skip


def _scores(attention: Derivation) -> Any:
    return next(step.outputs for step in attention.steps if step.name == "scores")


# --- the square ------------------------------------------------------------


def attention_square_data(seq_len: int) -> dict[str, Any]:
    """Return which keys each query sees without and with a causal mask, and how many pairs.

    >>> attention_square_data(3)
    {'keys': 3, 'seen': {'full': [3, 3, 3], 'causal': [1, 2, 3]}, 'pairs': {'full': 9, 'causal': 6}}
    """
    seen = {"full": [seq_len] * seq_len, "causal": list(range(1, seq_len + 1))}
    pairs = {
        mask: _scores(multihead_attention(seq_len, 1, causal=mask == "causal")) for mask in seen
    }
    return {"keys": seq_len, "seen": seen, "pairs": pairs}


#: From the left edge to the first cell, and from one square to the next.
MARGIN, APART = 1.0, 2.2


def attention_square(seq_len: int) -> Picture:
    """Draw the square of scores without and with a causal mask."""
    data = attention_square_data(seq_len)
    pairs, wide = data["pairs"], 2 * seq_len + MARGIN + APART + 0.1
    with canvas(5.4, 5.4 * (seq_len + 2.1) / wide) as (figure, axes):
        blank(axes, wide, seq_len + 1.9)
        for left, mask in ((MARGIN, "full"), (MARGIN + seq_len + APART, "causal")):
            title = "no mask" if mask == "full" else "causal mask"
            axes.text(left, 0.3, f"{title}: {pairs[mask]} scores", va="center")
            _square(axes, left, data["seen"][mask], seq_len)
        return finished(
            figure,
            caption="A cell is one pair of a query (row) and a key (column), and so one score. "
            f"Without a mask every pair has a score, {pairs['full']} in all. With a causal mask "
            f"a token sees itself and the tokens before it, which leaves {pairs['causal']} pairs: "
            "half of the square and half of its diagonal.",
            alt=f"Two grids of {seq_len} rows, q₁ to q{subscript(seq_len)}, and {seq_len} columns, "
            f"k₁ to k{subscript(seq_len)}. In the first every cell is filled, {pairs['full']}. In "
            f"the second the rows have {', '.join(map(str, data['seen']['causal']))} filled cells "
            f"from the left, {pairs['causal']} together.",
            data=data,
        )


def _square(axes: Any, left: float, seen: list[int], keys: int) -> None:
    for at in range(keys):
        number = subscript(at + 1)
        axes.text(left + at + 0.5, 0.95, f"k{number}", ha="center", va="center", color=QUIET)
        axes.text(left - 0.15, at + 1.8, f"q{number}", ha="right", va="center", color=QUIET)
    for row, visible in enumerate(seen):
        for column in range(keys):
            _cell(axes, left + column, row + 1.3, SCORE if column < visible else EMPTY)


# --- the cache -------------------------------------------------------------


def cached_row_data(cached: int) -> dict[str, int]:
    """Return how many scores a new token needs, and how many keys are projected for it.

    >>> cached_row_data(3)
    {'cached': 3, 'row': 4, 'again': 10, 'new_keys': 1}
    """
    token = multihead_attention(1, 1, kv_seq_len=cached + 1, causal=True)
    (keys,) = (step.outputs for step in token.steps if step.name == "key projection")
    whole = _scores(multihead_attention(cached + 1, 1, causal=True))
    return {"cached": cached, "row": _scores(token), "again": whole, "new_keys": keys}


def cached_row(cached: int) -> Picture:
    """Draw the row of scores of a new token, whose past is in a cache."""
    data = cached_row_data(cached)
    row, left = data["row"], 2.2
    wide, past = row + left + 4.6, data["again"] - data["row"]
    with canvas(5.4, 5.4 * (row + 2.6) / wide) as (figure, axes):
        blank(axes, wide, row + 2.4)
        for at in range(row):
            key = PROJECTED if at >= cached else KEPT
            _cell(axes, left + at + 0.1, 0.5, key, side=0.8)
            number = subscript(at + 1)
            axes.text(left + at + 0.5, 0.92, f"k{number}", ha="center", va="center",
                      color=key[0])  # fmt: skip
            is_new = at >= cached
            if is_new:
                _cell(axes, left - 1.3, at + 2.0, PROJECTED, side=0.8)
            axes.text(left - 0.9, at + 2.42, f"q{number}", ha="center", va="center",
                      color=PROJECTION if is_new else QUIET)  # fmt: skip
            for column in range(at + 1):
                _cell(axes, left + column, at + 1.9, SCORE if is_new else EMPTY)
        for y, words, colour in (
            (0.9, "keys: cached, new", QUIET),
            (1.9 + cached / 2, f"{past} scores of the past:\nnot computed again", QUIET),
            (row + 1.4, f"{row} new scores", SQUARE),
        ):
            axes.text(left + row + 0.35, y, words, va="center", color=colour, linespacing=1.4)
        return finished(
            figure,
            caption=f"A new token, the {_ordinal(row)}, after {cached} whose keys are in the "
            "cache (grey). Only its own query and key are projected (ochre), and only its row "
            f"of the square is computed: {row} scores (purple) instead of the "
            f"{data['again']} of the whole triangle. The cache holds values in the same way.",
            alt=f"A row of {row} keys, {cached} of them grey and the last one ochre, above a "
            f"triangle of {data['again']} cells. The {past} cells in the upper rows are only "
            f"outlined. The last row, of the new query, has {row} filled cells.",
            data=data,
        )


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    is_teen = number // 10 % 10 == 1
    return f"{number}{'th' if is_teen else endings.get(number % 10, 'th')}"


# --- the way through -------------------------------------------------------


def attention_flow_data(seq_len: int, d_model: int, num_heads: int) -> dict[str, Any]:
    """Return the sizes of all that attention computes, and the MACs of its steps.

    >>> data = attention_flow_data(3, 4, 2)
    >>> data["sizes"]["scores"], data["macs"]["scores"], data["in all"]
    ((3, 3), 36, 264)
    """
    attention = multihead_attention(seq_len, d_model, num_heads=num_heads, bias=False)
    macs = {step.name: step.macs for step in attention.steps if step.macs}
    of_head = (seq_len, d_model // num_heads)
    sizes = {"token vectors": (seq_len, d_model), "of a head": of_head}
    sizes |= {"scores": (seq_len, seq_len), "weights": (d_model, d_model)}
    return {"heads": num_heads, "sizes": sizes, "macs": macs, "in all": attention.macs}


#: The side of a cell, the height of a box, and the length of an arrow, in units of the drawing.
SIDE, BOX, ARROW = 0.8, 2.2, 1.1
#: From the top of a lane to its matrices, and the room in which two of them meet.
HEADER, MEETING = 2.3, 1.8
#: The room to the right of a matrix for its name, and the one between two lanes.
NAME, BETWEEN = 3.4, 0.7


class _Places(NamedTuple):
    """Where everything of the drawing is; a lane's places count from its left edge and its top."""

    rows: float
    slice: float
    wide: float
    lane: float
    heads: int

    @property
    def middle(self) -> float:
        return self.wide / 2

    @property
    def left_middle(self) -> float:
        """The middle between Q and K, above the scores."""
        return 0.6 + self.slice + 1.3

    @property
    def scores(self) -> float:
        return HEADER + self.rows + MEETING

    @property
    def weights(self) -> float:
        return self.scores + self.rows + 1.5

    @property
    def sums(self) -> float:
        return self.weights + self.rows + MEETING

    @property
    def long(self) -> float:
        """How long a lane is."""
        return self.sums + self.rows + 0.5


def _places(data: Mapping[str, Any]) -> _Places:
    rows, inner = (SIDE * size for size in data["sizes"]["of a head"])
    lane = 0.6 + 2 * inner + 2.6 + NAME + inner + 0.6
    heads = data["heads"]
    return _Places(rows, inner, heads * lane + (heads - 1) * BETWEEN, lane, heads)


def attention_flow(seq_len: int, d_model: int, num_heads: int) -> Picture:
    """Draw the way of a sequence through attention, with a lane for each of one or two heads."""
    data = attention_flow_data(seq_len, d_model, num_heads)
    at = _places(data)
    height = 0.4 + 3 * at.rows + 2 * BOX + 4 * ARROW + at.long + MEETING
    with canvas(5.4, 5.4 * height / at.wide) as (figure, axes):
        blank(axes, at.wide, height)
        lanes = _before(axes, at, data)
        for head in range(num_heads):
            _lane(axes, at, data, head, lanes)
        _after(axes, at, data, lanes + at.long)
        return finished(figure, caption=_way_through(data), alt=_described(data), data=data)


def _way_through(data: Mapping[str, Any]) -> str:
    tokens, width = data["sizes"]["token vectors"]
    return (
        f"The way of {tokens} tokens of {width} numbers through {data['heads']} heads. A matrix "
        "has the colour of the step that computes it: ochre for the projections, purple for the "
        "scores, their weights and the weighted sums. Each head works on its own slice of "
        f"{data['sizes']['of a head'][1]} columns. All steps together take {data['in all']:,} MACs."
    )


def _described(data: Mapping[str, Any]) -> str:
    sizes, macs = data["sizes"], data["macs"]
    tokens, head, scores = (_by(sizes[name]) for name in ("token vectors", "of a head", "scores"))
    return (
        f"From top to bottom. x, {tokens}, goes into the query, key and value projections, "
        f"{_by(sizes['weights'])} weights and {macs['query projection']:,} MACs each. The results "
        f"are divided among {data['heads']} heads, each with Q, K and V of {head}. In each head "
        f"the dot products of Q and K are the scores, {scores}, softmax makes them weights, "
        f"{scores}, and the weighted sum of V is {head}; scores and sum take "
        f"{_of_a_head(data, 'scores'):,} and {_of_a_head(data, 'weighted sum'):,} MACs. The "
        f"results of the heads side by side are {tokens}, and the output projection with "
        f"{macs['output projection']:,} MACs gives y, {tokens}."
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _of_a_head(data: Mapping[str, Any], step: str) -> int:
    macs: int = data["macs"][step] // data["heads"]
    return macs


def _before(axes: Any, at: _Places, data: Mapping[str, Any]) -> float:
    """Draw the input and the three projections; return where the lanes begin."""
    _whole(axes, at, data, 0.2, PLAIN, "x")
    top = 0.2 + at.rows + ARROW
    _way(axes, (at.middle, top - ARROW), (at.middle, top))
    each = (
        f"{_by(data['sizes']['weights'])} weights, {data['macs']['query projection']:,} MACs each"
    )
    _box(axes, at, top, "query, key and value projections", each)
    for head in range(at.heads):
        middle = head * (at.lane + BETWEEN) + at.lane / 2
        _way(axes, (middle, top + BOX), (middle, top + BOX + ARROW))
    return top + BOX + ARROW


def _lane(axes: Any, at: _Places, data: Mapping[str, Any], head: int, top: float) -> None:
    """Draw the way through one head."""
    from matplotlib.patches import Rectangle

    left = head * (at.lane + BETWEEN)
    axes.add_patch(Rectangle((left + 0.05, top), at.lane - 0.1, at.long, facecolor="none",
                             edgecolor=FAINT, linewidth=1.4))  # fmt: skip
    of_head, square = data["sizes"]["of a head"], data["sizes"]["scores"]
    axes.text(left + 0.6, top + 0.75, f"head {head + 1}: {_by(of_head)} each", va="center")
    pair = left + at.left_middle
    query, key = pair - at.slice / 2 - 1.3, pair + at.slice / 2 + 1.3
    value = left + at.lane - 0.6 - at.slice / 2
    below = top + HEADER + at.rows
    for name, middle in zip("QKV", (query, key, value), strict=True):
        axes.text(middle, top + HEADER - 0.5, f"{name}{subscript(head + 1)}", ha="center",
                  va="center", color=PROJECTION)  # fmt: skip
        _matrix(axes, middle, top + HEADER, of_head, PROJECTED)
    for middle in (query, key):
        _way(axes, (middle, below), (pair, top + at.scores))
    _macs(axes, data, "scores", key - 0.2, top + at.scores - 0.8)
    for name, start in (("scores", at.scores), ("weights", at.weights)):
        _matrix(axes, pair, top + start, square, SCORE)
        _named(axes, pair + at.rows / 2, top + start + at.rows / 2, name, _by(square))
    _way(axes, (pair, top + at.scores + at.rows), (pair, top + at.weights))
    axes.text(pair + 0.4, top + at.weights - 0.75, "softmax", va="center", fontsize=9,
              color=SQUARE)  # fmt: skip
    _sum(axes, at, data, (pair, value), (top, below))


def _sum(
    axes: Any, at: _Places, data: Mapping[str, Any], sides: tuple[float, float],
    heights: tuple[float, float],
) -> None:  # fmt: skip
    """Draw how the weights of a head meet its values."""
    (pair, value), (top, below) = sides, heights
    middle, meeting = (pair + value) / 2, top + at.weights + at.rows
    axes.plot([value, value], [below, meeting], color=QUIET, linewidth=1.2)
    for x in (pair, value):
        _way(axes, (x, meeting), (middle, top + at.sums))
    _matrix(axes, middle, top + at.sums, data["sizes"]["of a head"], SCORE)
    y = top + at.sums + at.rows / 2
    axes.text(middle - at.slice / 2 - 0.3, y - 0.45, "weighted sum", ha="right", va="center")
    _macs(axes, data, "weighted sum", middle - at.slice / 2 - 0.3, y + 0.5, ha="right")


def _macs(
    axes: Any, data: Mapping[str, Any], step: str, x: float, y: float, ha: str = "left"
) -> None:
    words = f"{_of_a_head(data, step):,} MACs"
    axes.text(x, y, words, ha=ha, va="center", fontsize=9, color=SQUARE)


def _named(axes: Any, x: float, y: float, name: str, size: str) -> None:
    axes.text(x + 0.3, y - 0.45, name, va="center")
    axes.text(x + 0.3, y + 0.5, size, va="center", fontsize=9, color=QUIET)


def _after(axes: Any, at: _Places, data: Mapping[str, Any], end: float) -> None:
    """Draw the output projection, and its input and output."""
    top = end + MEETING
    columns = SIDE * data["sizes"]["token vectors"][1]
    for head in range(at.heads):
        left = head * (at.lane + BETWEEN)
        value = left + at.lane - 0.6 - at.slice / 2
        start = (left + at.left_middle + value) / 2
        to = at.middle - columns / 2 + (head + 0.5) * at.slice
        _way(axes, (start, end - 0.5), (to, top))
    _whole(axes, at, data, top, SCORE, "side by side")
    for head in range(1, at.heads):
        x = at.middle - columns / 2 + head * at.slice
        axes.plot([x, x], [top, top + at.rows], color=QUIET, linewidth=2.4, zorder=3)
    box = top + at.rows + ARROW
    words = f"{_by(data['sizes']['weights'])} weights, {data['macs']['output projection']:,} MACs"
    _box(axes, at, box, "output projection", words)
    for y in (box - ARROW, box + BOX):
        _way(axes, (at.middle, y), (at.middle, y + ARROW))
    _whole(axes, at, data, box + BOX + ARROW, PROJECTED, "y")


def _whole(
    axes: Any, at: _Places, data: Mapping[str, Any], top: float, look: Look, name: str
) -> None:
    """Draw the vectors of all tokens."""
    size = data["sizes"]["token vectors"]
    _matrix(axes, at.middle, top, size, look)
    _named(axes, at.middle + SIDE * size[1] / 2, top + at.rows / 2, name, _by(size))


def _box(axes: Any, at: _Places, top: float, name: str, words: str) -> None:
    from matplotlib.patches import Rectangle

    half = min(9.0, at.middle - 0.1)
    axes.add_patch(Rectangle((at.middle - half, top), 2 * half, BOX, facecolor=PROJECTION_TINT,
                             edgecolor=PROJECTION, linewidth=1.4))  # fmt: skip
    axes.text(at.middle, top + 0.72, name, ha="center", va="center")
    axes.text(at.middle, top + 1.55, words, ha="center", va="center", fontsize=9,
              color=PROJECTION)  # fmt: skip


def _matrix(axes: Any, middle: float, top: float, size: tuple[int, int], look: Look) -> None:
    rows, columns = size
    for row in range(rows):
        for column in range(columns):
            left = middle + SIDE * (column - columns / 2)
            _cell(axes, left, top + SIDE * row, look, side=SIDE)


def _way(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow."""
    style = {"arrowstyle": "->", "color": QUIET, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)
