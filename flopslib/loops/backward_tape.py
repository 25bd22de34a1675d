"""The naive loops of backward passes that are written on a tape: it finds the way back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any

from flopslib.loops import gradients
from flopslib.loops.attending import visible
from flopslib.loops.backward import BACKWARD, Gradients, WithBack
from flopslib.loops.tape import Made, Tape, flat, nest, places

Operands = Mapping[str, Made | None]


def _on_tape(forward: Callable[..., Made]) -> Callable[..., WithBack]:
    """Make a backward loop of a function that runs a layer on a tape, and enrol it."""

    @wraps(forward)
    def with_back(**given: Any) -> WithBack:
        tape = Tape()
        operands: dict[str, Made] = {}
        options = {}
        for name, value in given.items():
            if isinstance(value, list):
                operands[name] = tape.operand(value)
            elif value is not None:
                options[name] = value
        result = forward(tape, operands, **options)

        def back(g: Any, wanted: Collection[str]) -> Gradients:
            sought = {operands[name] for name in wanted}
            found = tape.back(result, dict(flat(g)), sought)
            return {
                name: nest(found[made], made.shape)
                for name, made in operands.items()
                if name in wanted and made in found
            }

        return nest(result.numbers, result.shape), back

    BACKWARD[forward.__name__] = with_back
    return with_back


# --- attention ----------------------------------------------------------------------------


def in_heads(tape: Tape, x: Made, heads: int) -> Made:
    """Cut the last axis into heads, which become the second axis."""
    batch, length, all_of = x.shape
    width = all_of // heads
    return tape.moved(
        x,
        {
            (b, head, i, c): (b, i, head * width + c)
            for b, head, i, c in places(batch, heads, length, width)
        },
    )


def _joined(tape: Tape, heads: Made) -> Made:
    """Put the heads beside each other again."""
    batch, number, length, width = heads.shape
    return tape.moved(
        heads,
        {
            (b, i, head * width + c): (b, head, i, c)
            for b, head, i, c in places(batch, number, length, width)
        },
    )


def _project(tape: Tape, operands: Operands, letter: str, x: Made, heads: int) -> Made:
    weight: Any = operands[f"w_{letter}"]
    y = in_heads(tape, tape.linear(x, weight, operands.get(f"b_{letter}")), heads)
    gamma = operands.get(f"gamma_{letter}")
    return y if gamma is None else tape.norm(y, gamma, None, gradients.rms_norm)


def attended(
    tape: Tape,
    scores: Made,
    values: Made,
    *,
    width: int | None,
    sink: Made | None = None,
) -> Made:
    """Scale scores, take their softmax, and sum up the values; each head may share its own."""
    shared = values.shape[1]
    batch, heads, queries, _ = scores.shape
    if width is not None:
        scores = tape.each(scores, lambda score: gradients.scaling(score, width))
    seen: dict[tuple[int, ...], list[int]] = {}
    for b, head, i, j in scores.numbers:
        seen.setdefault((b, head, i), []).append(j)
    if sink is not None:
        behind = max(j for row in seen.values() for j in row) + 1
        column = tape.moved(sink, {(*row, behind): (row[1],) for row in seen})
        scores = tape.joined(scores, column, lambda place: place)
    kept = {row: len(of) for row, of in seen.items()}
    weights = tape.rows(scores, gradients.softmax, kept)
    return tape.product(
        weights,
        values,
        {
            (b, head, i, c): [
                ((b, head, i, j), (b, head * shared // heads, j, c)) for j in seen[b, head, i]
            ]
            for b, head, i, c in places(batch, heads, queries, values.shape[3])
        },
    )


def _heads(
    tape: Tape,
    operands: Operands,
    memory: Made,
    *,
    num_heads: int,
    num_kv_heads: int,
    causal: bool = False,
    window: int | None = None,
    sinks: int = 0,
    scaled: bool = True,
) -> Made:
    x: Any = operands["x"]
    q = _project(tape, operands, "q", x, num_heads)
    k = _project(tape, operands, "k", memory, num_kv_heads)
    v = _project(tape, operands, "v", memory, num_kv_heads)
    batch, _, queries, width = q.shape
    keys = k.shape[2]
    scores = tape.product(
        q,
        k,
        {
            (b, head, i, j): [
                ((b, head, i, c), (b, head * num_kv_heads // num_heads, j, c)) for c in range(width)
            ]
            for b, head, i in places(batch, num_heads, queries)
            for j in visible(i, queries, keys, causal=causal, window=window, sinks=sinks)
        },
    )
    sums = attended(tape, scores, v, width=width if scaled else None, sink=operands.get("sink"))
    weight: Any = operands["w_out"]
    return tape.linear(_joined(tape, sums), weight, operands.get("b_out"))


@_on_tape
def attention(tape: Tape, operands: Operands, **options: Any) -> Made:
    """Go back through projections, norms and heads."""
    x: Any = operands["x"]
    return _heads(tape, operands, x, **options)


@_on_tape
def windowed_attention(tape: Tape, operands: Operands, **options: Any) -> Made:
    """The same, for the pairs that a window leaves."""
    x: Any = operands["x"]
    return _heads(tape, operands, x, **options)


@_on_tape
def cross_attention(tape: Tape, operands: Operands, **options: Any) -> Made:
    """The same, with keys and values of another sequence."""
    memory: Any = operands["memory"]
    return _heads(tape, operands, memory, **options)


@_on_tape
def latent_attention(
    tape: Tape, operands: Operands, *, num_heads: int, causal: bool, absorbed: bool
) -> Made:
    """Go back through either form."""
    w: Any = operands
    x = w["x"]
    narrow = tape.norm(tape.linear(x, w["w_q_down"]), w["gamma_q"], None, gradients.rms_norm)
    latents = tape.norm(tape.linear(x, w["w_kv_down"]), w["gamma_kv"], None, gradients.rms_norm)
    turned = tape.linear(x, w["w_k_rope"])
    queries = in_heads(tape, tape.linear(narrow, w["w_q_up"]), num_heads)
    asked = in_heads(tape, tape.linear(narrow, w["w_q_rope"]), num_heads)
    scaled_by = queries.shape[3] + asked.shape[3]
    if absorbed:
        queries = _each_head(tape, queries, w["w_k_up"], num_heads, transposed=True)
        keys = values = _one_head(tape, latents)
    else:
        keys = in_heads(tape, tape.linear(latents, w["w_k_up"]), num_heads)
        values = in_heads(tape, tape.linear(latents, w["w_v_up"]), num_heads)
    scores = _scores(tape, queries, keys, causal)
    more = _scores(tape, asked, _one_head(tape, turned), causal)
    both = tape.term(more, scores, lambda place: place)
    sums = attended(tape, both, values, width=scaled_by)
    if absorbed:
        sums = _each_head(tape, sums, w["w_v_up"], num_heads, transposed=False)
    return tape.linear(_joined(tape, sums), w["w_out"])


def _one_head(tape: Tape, x: Made) -> Made:
    return tape.moved(x, {(b, 0, i, c): (b, i, c) for b, i, c in x.numbers})


def _scores(tape: Tape, queries: Made, keys: Made, causal: bool) -> Made:
    batch, heads, length, width = queries.shape
    shared, positions = keys.shape[1:3]
    return tape.product(
        queries,
        keys,
        {
            (b, head, i, j): [
                ((b, head, i, c), (b, head * shared // heads, j, c)) for c in range(width)
            ]
            for b, head, i in places(batch, heads, length)
            for j in visible(i, length, positions, causal=causal)
        },
    )


def _each_head(tape: Tape, x: Made, weight: Made, heads: int, *, transposed: bool) -> Made:
    """Multiply every head with its rows of a matrix, or with their columns."""
    rows, columns = weight.shape[0] // heads, weight.shape[1]
    outputs, inputs = (columns, rows) if transposed else (rows, columns)

    def cell(head: int, o: int, i: int) -> tuple[int, int]:
        return (head * rows + i, o) if transposed else (head * rows + o, i)

    return tape.product(
        x,
        weight,
        {
            (b, head, at, o): [((b, head, at, i), cell(head, o, i)) for i in range(inputs)]
            for b, head, at in dict.fromkeys(place[:3] for place in x.numbers)
            for o in range(outputs)
        },
    )


# --- experts ------------------------------------------------------------------------------


@_on_tape
def mixture_of_experts(
    tape: Tape, operands: Operands, *, top_k: int, all_experts: bool, sigmoid: bool
) -> Made:
    """Go back through the experts that were visited, and through the router."""
    return _experts(tape, operands, top_k, all_experts, sigmoid)


def _experts(
    tape: Tape, operands: Operands, visited: int, all_experts: bool, sigmoid: bool
) -> Made:
    w: Any = operands
    x = w["x"]
    shares, places_of = _routed(tape, w, visited, sigmoid)
    if all_experts:
        experts = w["w_gate"].shape[0]
        to = {(*t, e): (*t, of.index(e)) for t, of in places_of.items() for e in of}
        shares = tape.spread(
            tape.moved(shares, to), [(*t, e) for t in places_of for e in range(experts)]
        )
        places_of = {token: list(range(experts)) for token in places_of}
    zero = not all_experts
    gates = tape.each(_expert(tape, x, w, "gate", places_of, zero), gradients.silu)
    hidden = _expert(tape, x, w, "up", places_of, zero)
    passed = tape.factor(hidden, gates, lambda place: place)
    found = _expert(tape, passed, w, "down", places_of, zero)
    weighed = tape.factor(found, shares, lambda place: place[:-1])
    return _summed_up(tape, weighed)


def _routed(tape: Tape, w: Any, visited: int, sigmoid: bool) -> tuple[Made, Any]:
    """Return the shares of the chosen experts, and which ones they are."""
    scores = tape.linear(w["x"], w["w_router"], w.get("b_router"))
    if sigmoid:
        scores = tape.each(scores, gradients.sigmoid)
    chosen = tape.rows(
        scores,
        lambda row: _padded(gradients.top_k(row, visited), len(row)),
        {place[:-1]: visited for place in scores.numbers},
    )
    places_of = {
        token: [
            next(e for e in range(scores.shape[-1]) if scores[*token, e] is chosen[*token, at])
            for at in range(visited)
        ]
        for token in dict.fromkeys(place[:-1] for place in scores.numbers)
    }
    return tape.rows(chosen, gradients.proportions if sigmoid else gradients.softmax), places_of


def _padded(done: Any, length: int) -> Any:
    """Let a choice have as many places as there were to choose from."""
    chosen, back = done
    return chosen + [0] * (length - len(chosen)), lambda g: back(g[: len(chosen)])


def _expert(tape: Tape, x: Made, w: Any, part: str, places_of: Any, from_zero: bool) -> Made:
    """Let each chosen expert multiply with its own matrix."""
    weight, bias = w[f"w_{part}"], w.get(f"b_{part}")
    _, outputs, inputs = weight.shape
    own = len(x.shape) == 4  # what an expert made itself, or what all of them are given
    y = tape.product(
        x,
        weight,
        {
            (*token, at, o): [
                ((*token, at, i) if own else (*token, i), (e, o, i)) for i in range(inputs)
            ]
            for token, of in places_of.items()
            for at, e in enumerate(of)
            for o in range(outputs)
        },
        from_zero=weight if from_zero else None,
    )
    if bias is None:
        return y
    return tape.term(
        y, bias, lambda place: (places_of[place[:2]][place[2]], place[3]), from_zero=from_zero
    )


def _summed_up(tape: Tape, x: Made) -> Made:
    """Add up over the last axis but one."""
    batch, length, number, width = x.shape
    return tape.summed(
        x,
        {
            (b, i, c): [(b, i, at, c) for at in range(number)]
            for b, i, c in places(batch, length, width)
        },
    )


@_on_tape
def shared_mixture_of_experts(
    tape: Tape, operands: Operands, *, top_k: int, all_experts: bool, sigmoid: bool
) -> Made:
    """The same, and through the expert that every token visits."""
    w: Any = operands
    routed = _experts(tape, operands, top_k, all_experts, sigmoid)

    def linear(part: str, x: Made) -> Made:
        return tape.linear(x, w[f"w_shared_{part}"], w.get(f"b_shared_{part}"))

    gates = tape.each(linear("gate", w["x"]), gradients.silu)
    passed = tape.factor(linear("up", w["x"]), gates, lambda place: place)
    shared = linear("down", passed)
    if "w_opening" in operands:
        opened = tape.each(tape.linear(w["x"], w["w_opening"]), gradients.sigmoid)
        shared = tape.factor(shared, opened, lambda place: (*place[:-1], 0))
    return tape.term(routed, shared, lambda place: place)


# --- recurrent layers ---------------------------------------------------------------------


def _summed_parts(tape: Tape, w: Any, letter: str) -> Made:
    """Add what a gate makes of the input to what it makes of the state."""
    of_x, of_h = (_part(tape, w, side, letter) for side in ("i", "h"))
    return tape.term(of_x, of_h, _same)


def _part(tape: Tape, w: Any, side: str, letter: str) -> Made:
    source = w["x" if side == "i" else "h"]
    return tape.linear(source, w[f"w_{side}{letter}"], w.get(f"b_{side}{letter}"))


def _same(place: tuple[int, ...]) -> tuple[int, ...]:
    return place


def _negative(number: Any) -> Any:
    return -number, lambda g: -g


@_on_tape
def rnn_cell(tape: Tape, operands: Operands) -> Made:
    """Mix the input with the state, and bend it."""
    return tape.each(_summed_parts(tape, operands, "h"), gradients.tanh)


@_on_tape
def lstm_cell(tape: Tape, operands: Operands) -> Made:
    """Forget a part of the memory, add a new part, and let a part of it out."""
    bends = {"i": gradients.sigmoid, "f": gradients.sigmoid, "o": gradients.sigmoid}
    i, f, o, g = (
        tape.each(_summed_parts(tape, operands, letter), bend)
        for letter, bend in (bends | {"g": gradients.tanh}).items()
    )
    w: Any = operands
    memory = tape.term(tape.factor(f, w["c"], _same), tape.factor(i, g, _same), _same)
    return tape.factor(o, tape.each(memory, gradients.tanh), _same)


@_on_tape
def gru_cell(tape: Tape, operands: Operands) -> Made:
    """Keep a part of the state, and replace the rest by a candidate."""
    r, z = (tape.each(_summed_parts(tape, operands, g), gradients.sigmoid) for g in "rz")
    w: Any = operands
    reset = tape.factor(r, _part(tape, w, "h", "n"), _same)
    n = tape.each(tape.term(_part(tape, w, "i", "n"), reset, _same), gradients.tanh)
    apart = tape.term(w["h"], tape.each(n, _negative), _same)
    return tape.term(n, tape.factor(z, apart, _same), _same)
