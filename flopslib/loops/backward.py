"""The naive loops of backward passes: the gradient of every operand, number by number.

Each function runs a layer, keeps what its gradients need, and returns the result with a
function from the gradient of the result to those of the operands, by name. A gradient that
is not wanted is not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import product
from typing import Any, TypeAlias

from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.loops import gradients
from flopslib.loops.attending import in_heads
from flopslib.loops.counting import Tally, nested, term
from flopslib.loops.gradients import summed, weighed
from flopslib.loops.loop import dot
from flopslib.loops.primitives import total
from flopslib.loops.running import bound, loop_of, loops
from flopslib.loops.tape import Flat, flat, nest

__all__ = ["run_backward"]

Gradients: TypeAlias = dict[str, Any]
#: From the gradient of the result, and the operands whose gradients are wanted.
Back: TypeAlias = Callable[[Any, Collection[str]], Gradients]
WithBack: TypeAlias = tuple[Any, Back]


def run_backward(
    function: Callable[..., Derivation],
    *args: Any,
    input_gradient: bool = True,
    frozen: Collection[str] = (),
    **kwargs: Any,
) -> OpCount:
    """Run a layer forward and then backward on counting numbers; return what backward counted.

    Args:
        function: a cost function, such as ``flopslib.linear``; its arguments follow.
        input_gradient: whether the gradients of the inputs are computed, too.
        frozen: the names of weights that are not learnt.

    Raises:
        TypeError: a function that has no naive loop.
        ValueError: sizes the cost function refuses.

    >>> from flopslib import linear
    >>> run_backward(linear, 3, 2, batch=5) == linear(3, 2, batch=5).backward().total
    True
    """
    cost, loop = loop_of(function)
    arguments = cost.arguments(*args, **kwargs)
    derivation = cost.function(**arguments)
    tally = Tally()
    shapes, options = bound(loop, {o.name: o.shape for o in derivation.operands}, arguments)
    numbers = {n: None if shape is None else small(tally, shape) for n, shape in shapes.items()}
    wanted = {
        operand.name
        for operand in derivation.operands
        if (operand.role == "weight" and operand.name not in frozen)
        or (operand.role == "input" and input_gradient)
    }
    y, back = BACKWARD[cost.name](**numbers, **options)
    tally.forget()
    back(_like(y, tally), wanted)
    return tally.record()


def small(tally: Tally, shape: tuple[int, ...]) -> Any:
    """Return nested lists of numbers around 0, for operations that large ones would overflow."""
    values = ((at * 7 % 11 - 5) / 50 for at in range(10**9))
    return nested(shape, lambda: tally.number(next(values)))


def _like(y: Any, tally: Tally) -> Any:
    return [_like(part, tally) for part in y] if isinstance(y, list) else tally.number(0.5)


# --- matrix products ----------------------------------------------------------------


def linear(x: Any, weight: Any, bias: Any = None) -> WithBack:
    """Sum over the outputs for x, and over the batch for the weight and the bias."""

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        found = {}
        if "x" in wanted:
            columns = list(zip(*weight, strict=True))
            found["x"] = [[dot(row, column) for column in columns] for row in g]
        if "weight" in wanted:
            met = list(zip(*x, strict=True))
            found["weight"] = [[dot(of, column) for column in met] for of in zip(*g, strict=True)]
        if "bias" in wanted:
            found["bias"] = [summed(of) for of in zip(*g, strict=True)]
        return found

    return loops()["linear"](x, weight, bias), back


def matmul(left: Any, right: Any) -> WithBack:
    """Multiply the gradient with each factor, turned."""

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        found: Gradients = {}
        if "left" in wanted:
            found["left"] = [
                [[dot(row, of) for of in b] for row in rows]
                for rows, b in zip(g, right, strict=True)
            ]
        if "right" in wanted:
            found["right"] = [
                [
                    [dot(of, with_) for with_ in zip(*rows, strict=True)]
                    for of in zip(*a, strict=True)
                ]
                for rows, a in zip(g, left, strict=True)
            ]
        return found

    return loops()["matmul"](left, right), back


# --- convolutions -------------------------------------------------------------------


def shape_of(numbers: Any) -> tuple[int, ...]:
    """Return the sizes of nested lists.

    >>> shape_of([[5, 7, 9]])
    (1, 3)
    """
    return (len(numbers), *shape_of(numbers[0])) if isinstance(numbers, list) else ()


def _added(places: Any, shift: Any) -> tuple[int, ...]:
    return tuple(place + more for place, more in zip(places, shift, strict=True))


def _convolution(
    forward: Callable[..., Any], x: Any, weight: Any, bias: Any, groups: int
) -> WithBack:
    """Scatter the gradients over the windows, and sum over all places for each weight."""
    inputs, outputs = len(weight[0]), len(weight) // groups
    windows = list(product(*map(range, shape_of(weight)[2:])))

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        given, cells, kernel = dict(flat(g)), dict(flat(x)), dict(flat(weight))
        found: Gradients = {}
        if "x" in wanted:
            sums: Flat = {}
            for (sample, o, *place), one in given.items():
                for c, window in product(range(inputs), windows):
                    cell = (sample, o // outputs * inputs + c, *_added(place, window))
                    sums[cell] = sums.get(cell, 0) + term(one, kernel[o, c, *window])
            found["x"] = nest(sums, shape_of(x))
        if "weight" in wanted:
            made = {}
            for o, c, *shift in kernel:
                met = [(at, one) for at, one in given.items() if at[1] == o]
                channel = o // outputs * inputs + c
                under = [cells[at[0], channel, *_added(at[2:], shift)] for at, _ in met]
                made[o, c, *shift] = dot([one for _, one in met], under)
            found["weight"] = nest(made, shape_of(weight))
        if "bias" in wanted:
            found["bias"] = _of_channels(given, len(weight))
        return found

    return forward(x, weight, bias), back


def _of_channels(given: Flat, channels: int) -> list[Any]:
    return [summed([one for at, one in given.items() if at[1] == c]) for c in range(channels)]


def conv2d(x: Any, weight: Any, bias: Any = None, *, groups: int = 1) -> WithBack:
    """A convolution over two axes."""
    return _convolution(partial(loops()["conv2d"], groups=groups), x, weight, bias, groups)


def conv1d(x: Any, weight: Any, bias: Any = None, *, groups: int = 1) -> WithBack:
    """A convolution along one axis."""
    return _convolution(partial(loops()["conv1d"], groups=groups), x, weight, bias, groups)


def conv3d(x: Any, weight: Any, bias: Any = None, *, groups: int = 1) -> WithBack:
    """A convolution along three axes."""
    return _convolution(partial(loops()["conv3d"], groups=groups), x, weight, bias, groups)


def depthwise_conv2d(x: Any, weight: Any, bias: Any = None) -> WithBack:
    """A group for each channel."""
    return _convolution(loops()["depthwise_conv2d"], x, weight, bias, len(weight))


def pointwise_conv2d(x: Any, weight: Any, bias: Any = None) -> WithBack:
    """Windows of one cell."""
    cells = [[[[number]] for number in row] for row in weight]
    y, whole = _convolution(loops()["conv2d"], x, cells, bias, 1)

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        found = whole(g, wanted)
        if "weight" in found:
            found["weight"] = [[window[0][0] for window in row] for row in found["weight"]]
        return found

    return y, back


def depthwise_separable_conv2d(
    x: Any, w_depthwise: Any, b_depthwise: Any, w_pointwise: Any, b_pointwise: Any
) -> WithBack:
    """Go back through the pointwise part, and through the depthwise one."""
    seen, first = depthwise_conv2d(x, w_depthwise, b_depthwise)
    y, second = pointwise_conv2d(seen, w_pointwise, b_pointwise)

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        depthwise = {"x": "x", "weight": "w_depthwise", "bias": "b_depthwise"}
        pointwise = {"weight": "w_pointwise", "bias": "b_pointwise"}
        inner = _wanted(depthwise, wanted)
        found = second(g, _wanted(pointwise, wanted) | ({"x"} if inner else set()))
        earlier = first(found.pop("x"), inner) if inner else {}
        return _named(pointwise, found) | _named(depthwise, earlier)

    return y, back


def _of_part(part: str) -> dict[str, str]:
    """Return the names that the operands of a linear layer have in a larger one."""
    return {"x": "x", "weight": f"w_{part}", "bias": f"b_{part}"}


def _wanted(names: Mapping[str, str], wanted: Collection[str]) -> set[str]:
    return {inner for inner, outer in names.items() if outer in wanted}


def _named(names: Mapping[str, str], found: Gradients) -> Gradients:
    return {names[inner]: gradient for inner, gradient in found.items()}


def conv_transpose2d(
    x: Any, weight: Any, bias: Any = None, *, size: tuple[int, int], groups: int = 1
) -> WithBack:
    """Gather what each input was scattered to; what was cropped away has a gradient of 0."""
    inputs, outputs = len(weight) // groups, len(weight[0])

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        given, cells, kernel = dict(flat(g)), dict(flat(x)), dict(flat(weight))

        def at(sample: int, c: int, o: int, *place: int) -> Any:
            return given.get((sample, c // inputs * outputs + o, *place), 0)

        found: Gradients = {}
        if "x" in wanted:
            windows = list(product(*map(range, shape_of(weight)[1:])))
            found["x"] = nest(
                {
                    (sample, c, *place): dot(
                        [kernel[c, o, *window] for o, *window in windows],
                        [at(sample, c, o, *_added(place, window)) for o, *window in windows],
                    )
                    for sample, c, *place in cells
                },
                shape_of(x),
            )
        if "weight" in wanted:
            made = {}
            for c, o, *window in kernel:
                met = [place for place in cells if place[1] == c]
                reached = [at(s, c, o, *_added(place, window)) for s, _, *place in met]
                made[c, o, *window] = dot([cells[place] for place in met], reached)
            found["weight"] = nest(made, shape_of(weight))
        if "bias" in wanted:
            found["bias"] = _of_channels(given, outputs * groups)
        return found

    return loops()["conv_transpose2d"](x, weight, bias, size=size, groups=groups), back


# --- attention ----------------------------------------------------------------------


def _heads(queries: Any, keys: Any, values: Any, causal: bool) -> WithBack:
    """Attend with every head of a sample; several may share their keys and values."""
    shared = [head * len(keys) // len(queries) for head in range(len(queries))]
    sums, softmaxes, scalings = [], [], []
    for head, vectors in enumerate(queries):
        rows = [_row(head, i, vectors, keys[shared[head]], causal) for i in range(len(vectors))]
        softmaxes.append([(weights, back) for weights, back, _ in rows])
        scalings.append([scale for _, _, scale in rows])
        sums.append([_average(weights, values[shared[head]]) for weights, _, _ in rows])

    def pairs(of: int, key: int) -> list[tuple[int, int]]:
        """Return the queries that see a key: the head and the place of each."""
        return [
            (head, i)
            for head, rows in enumerate(softmaxes)
            for i, (weights, _) in enumerate(rows)
            if shared[head] == of and key < len(weights)
        ]

    def over_queries(left: Any, right: Any) -> Any:
        """Sum over all queries that see a key, for every number of every key."""
        return [
            [
                [
                    dot(
                        [left[head][i][key] for head, i in pairs(of, key)],
                        [right[head][i][number] for head, i in pairs(of, key)],
                    )
                    for number in range(len(vector))
                ]
                for key, vector in enumerate(vectors)
            ]
            for of, vectors in enumerate(keys)
        ]

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        found: Gradients = {}
        kept = [[weights for weights, _ in rows] for rows in softmaxes]
        if "values" in wanted:
            found["values"] = over_queries(kept, g)
        if not {"queries", "keys"} & set(wanted):
            return found
        scores = []
        for head, rows in enumerate(softmaxes):
            seen = values[shared[head]]
            of_head = []
            for i, (weights, through) in enumerate(rows):
                of_weights = [dot(g[head][i], value) for value in seen[: len(weights)]]
                of_head.append([scalings[head][i](one) for one in through(of_weights)])
            scores.append(of_head)
        if "queries" in wanted:
            found["queries"] = [
                [_average(row, keys[shared[head]]) for row in rows]
                for head, rows in enumerate(scores)
            ]
        if "keys" in wanted:
            found["keys"] = over_queries(scores, queries)
        return found

    return sums, back


def _row(head: int, i: int, vectors: Any, keys: Any, causal: bool) -> tuple[Any, Any, Any]:
    visible = len(keys) - (len(vectors) - 1 - i) if causal else len(keys)
    raw = [dot(vectors[i], key) for key in keys[:visible]]
    scaled = [gradients.scaling(score, len(vectors[i])) for score in raw]
    weights, back = gradients.softmax([score for score, _ in scaled])
    return weights, back, scaled[0][1]


def _average(weights: Any, vectors: Any) -> Any:
    return [dot(weights, column) for column in zip(*vectors[: len(weights)], strict=True)]


def scaled_dot_product_attention(queries: Any, keys: Any, values: Any, *, causal: bool) -> WithBack:
    """Every head attends to keys and values of its own."""
    samples = [_heads(*one, causal) for one in zip(queries, keys, values, strict=True)]

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        each = [of(one, wanted) for (_, of), one in zip(samples, g, strict=True)]
        return {name: [found[name] for found in each] for name in each[0]}

    return [sums for sums, _ in samples], back


def _joined(heads: Any) -> Any:
    return [[n for piece in pieces for n in piece] for pieces in zip(*heads, strict=True)]


def multihead_attention(
    x: Any, w_q: Any, b_q: Any, w_k: Any, b_k: Any, w_v: Any, b_v: Any, w_out: Any, b_out: Any,
    past_keys: Any, past_values: Any, *, num_heads: int, num_kv_heads: int, causal: bool,
) -> WithBack:  # fmt: skip
    """Go back through the output projection, the heads, and the three projections."""
    length, positions = len(x[0]), [position for tokens in x for position in tokens]
    ways = {
        "q": (linear(positions, w_q, b_q), num_heads),
        "k": (linear(positions, w_k, b_k), num_kv_heads),
        "v": (linear(positions, w_v, b_v), num_kv_heads),
    }
    samples = []
    for at in range(len(x)):
        q, k, v = (in_heads(_cut(y, at, length), heads) for (y, _), heads in ways.values())
        samples.append(_heads(q, k, v, causal))
    found = [position for sums, _ in samples for position in _joined(sums)]
    y, out = linear(found, w_out, b_out)

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        flat_g = [position for tokens in g for position in tokens]
        names = {
            letter: {"x": "x", "weight": f"w_{letter}", "bias": f"b_{letter}"} for letter in ways
        }
        inner = {letter: _wanted(names[letter], wanted) for letter in ways}
        named = {"weight": "w_out", "bias": "b_out"}
        through = {"x"} if any(inner.values()) else set()
        made = out(flat_g, _wanted(named, wanted) | through)
        of_sums = made.pop("x", None)
        result = _named(named, made)
        if not through:
            return result
        full = {"q": "queries", "k": "keys", "v": "values"}
        needed = {full[letter] for letter in ways if inner[letter]}
        each = [
            of(in_heads(_cut(of_sums, at, length), num_heads), needed)
            for at, (_, of) in enumerate(samples)
        ]
        of_x = []
        for letter, ((_, project), _) in ways.items():
            if inner[letter]:
                rows = [row for one in each for row in _joined(one[full[letter]])]
                passed = project(rows, inner[letter])
                of_x += [passed.pop("x")] if "x" in passed else []
                result |= _named(names[letter], passed)
        if of_x:
            summed_up = _sums(of_x)
            result["x"] = [_cut(summed_up, at, length) for at in range(len(x))]
        return result

    return [_cut(y, at, length) for at in range(len(x))], back


def _cut(rows: Any, at: int, length: int) -> Any:
    return rows[at * length : (at + 1) * length]


def _sums(gradients_of_one: list[Any]) -> Any:
    """Add gradients of the same operand, number by number."""
    return [
        [total(numbers) for numbers in zip(*rows, strict=True)]
        for rows in zip(*gradients_of_one, strict=True)
    ]


# --- feed-forward networks and a whole layer ------------------------------------------


def _each(rows: Any, function: Callable[[Any], Any]) -> tuple[Any, Callable[[Any], Any]]:
    """Run an operation on every number; return the results, and the way back."""
    done = [[function(number) for number in row] for row in rows]

    def back(g: Any) -> Any:
        return [
            [way(one) for (_, way), one in zip(*both, strict=True)]
            for both in zip(done, g, strict=True)
        ]

    return [[y for y, _ in row] for row in done], back


def feed_forward(
    x: Any, w_1: Any, b_1: Any, w_2: Any, b_2: Any, *, tanh_gelu: bool = False
) -> WithBack:
    """Go back through both linear layers and what is between them."""
    length, positions = len(x[0]), [position for tokens in x for position in tokens]
    hidden, first = linear(positions, w_1, b_1)
    bent, unbend = _each(hidden, gradients.gelu_tanh if tanh_gelu else gradients.gelu)
    y, second = linear(bent, w_2, b_2)

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        outer, inner = {"weight": "w_2", "bias": "b_2"}, _of_part("1")
        earlier = _wanted(inner, wanted)
        flat_g = [position for tokens in g for position in tokens]
        found = second(flat_g, _wanted(outer, wanted) | ({"x"} if earlier else set()))
        through = first(unbend(found.pop("x")), earlier) if earlier else {}
        made = _named(outer, found) | _named(inner, through)
        if "x" in made:
            made["x"] = [_cut(made["x"], at, length) for at in range(len(x))]
        return made

    return [_cut(y, at, length) for at in range(len(x))], back


def gated_feed_forward(
    x: Any, w_gate: Any, b_gate: Any, w_up: Any, b_up: Any, w_down: Any, b_down: Any
) -> WithBack:
    """Go back through the gate and what it let through."""
    length, positions = len(x[0]), [position for tokens in x for position in tokens]
    (raw, gate), (up, widen) = linear(positions, w_gate, b_gate), linear(positions, w_up, b_up)
    gates, unbend = _each(raw, gradients.silu)
    y, narrow = linear(_times(up, gates), w_down, b_down)

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        names = {part: _of_part(part) for part in ("gate", "up")}
        last = {"weight": "w_down", "bias": "b_down"}
        inner = {part: _wanted(names[part], wanted) for part in names}
        through = {"x"} if any(inner.values()) else set()
        flat_g = [position for tokens in g for position in tokens]
        found = narrow(flat_g, _wanted(last, wanted) | through)
        of_passed = found.pop("x", None)
        made, of_x = _named(last, found), []
        for part, way, met in (("up", widen, gates), ("gate", gate, up)):
            if inner[part]:
                of_part = _times(of_passed, met)
                passed = way(unbend(of_part) if part == "gate" else of_part, inner[part])
                of_x += [passed.pop("x")] if "x" in passed else []
                made |= _named(names[part], passed)
        if of_x:
            summed_up = _sums(of_x)
            made["x"] = [_cut(summed_up, at, length) for at in range(len(x))]
        return made

    return [_cut(y, at, length) for at in range(len(x))], back


def _times(left: Any, right: Any) -> Any:
    return [[a * b for a, b in zip(*both, strict=True)] for both in zip(left, right, strict=True)]


def _norm(x: Any, gamma: Any, beta: Any) -> WithBack:
    """Normalise every position of every sequence."""
    done = [[gradients.layer_norm(position, gamma, beta) for position in tokens] for tokens in x]
    hats = [[gradients.layer_norm(position)[0] for position in tokens] for tokens in x]

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        rows = [position for tokens in g for position in tokens]
        kept = [position for tokens in hats for position in tokens]
        found: Gradients = {}
        if "gamma" in wanted:
            columns = zip(zip(*rows, strict=True), zip(*kept, strict=True), strict=True)
            found["gamma"] = [weighed(of, met) for of, met in columns]
        if "beta" in wanted:
            found["beta"] = [summed(of) for of in zip(*rows, strict=True)]
        if "x" in wanted:
            found["x"] = [
                [way(one) for (_, way), one in zip(*both, strict=True)]
                for both in zip(done, g, strict=True)
            ]
        return found

    return [[y for y, _ in tokens] for tokens in done], back


def transformer_layer(
    x: Any, gamma_1: Any, beta_1: Any, gamma_2: Any, beta_2: Any,
    w_1: Any, b_1: Any, w_2: Any, b_2: Any, *, tanh_gelu: bool = False, **attention: Any,
) -> WithBack:  # fmt: skip
    """Go back through both blocks; around each one the gradient passes as it is, and is added."""
    first, norm_1 = _norm(x, gamma_1, beta_1)
    looked, look = multihead_attention(first, **attention)
    seen = _plus(x, looked)
    second, norm_2 = _norm(seen, gamma_2, beta_2)
    made, work = feed_forward(second, w_1, b_1, w_2, b_2, tanh_gelu=tanh_gelu)

    def back(g: Any, wanted: Collection[str]) -> Gradients:
        early = {"x", "gamma_1", "beta_1", *attention} & set(wanted)
        g, found = _around(g, wanted, work, norm_2, "2", through=bool(early))
        if not early:
            return found
        g, more = _around(g, wanted, look, norm_1, "1", through="x" in wanted)
        return found | more | ({"x": g} if "x" in wanted else {})

    return _plus(seen, made), back


def _around(
    g: Any, wanted: Collection[str], block: Back, norm: Back, number: str, *, through: bool
) -> tuple[Any, Gradients]:
    """Go back through a block and its norm, and add what passed around them."""
    names = {"gamma": f"gamma_{number}", "beta": f"beta_{number}"}
    of_norm = _wanted(names, wanted) | ({"x"} if through else set())
    found = block(g, (set(wanted) - {"x"}) | ({"x"} if of_norm else set()))
    if not of_norm:
        return None, found
    learnt = norm(found.pop("x"), of_norm)
    passed = _plus(g, learnt.pop("x")) if through else None
    return passed, found | _named(names, learnt)


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, list):
        return [_plus(a, b) for a, b in zip(left, right, strict=True)]
    return left + right


BACKWARD: dict[str, Callable[..., WithBack]] = {
    function.__name__: function
    for function in (
        linear, matmul, conv2d, depthwise_conv2d, pointwise_conv2d, depthwise_separable_conv2d,
        conv1d, conv3d, conv_transpose2d, multihead_attention, scaled_dot_product_attention,
        feed_forward, gated_feed_forward, transformer_layer,
    )
}  # fmt: skip
