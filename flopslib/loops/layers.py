"""The naive loops of layers: a whole network, executed number by number.

Where a layer knows its shapes, its loop is given an input of the shape that
arrives and the weights it says it has. What is counted is what the loop does,
and the shape that goes on is that of the result it made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from flopslib import layers as kinds
from flopslib.derivation.opcount import OpCount
from flopslib.layers.layer import Layer, Shape, checked_shapes, joined, several
from flopslib.loops import arrays, primitives, recurrent
from flopslib.loops.arrays import Array
from flopslib.loops.attending import attend, in_heads
from flopslib.loops.counting import Tally, term
from flopslib.loops.dense import linear
from flopslib.loops.experts import visited
from flopslib.loops.latent import latent_heads
from flopslib.loops.loop import dot

__all__ = ["run_layers"]

Weights = Mapping[str, Array]
Loop = Callable[[Any, Any, Weights], Array]

_LOOPS: dict[type[Layer], Loop] = {}


def run_layers(
    model: Layer, input_shape: Shape, *, loops: Mapping[type[Layer], Loop | None] | None = None
) -> dict[str, OpCount]:
    """Run every layer of a network on counting numbers; return a tally for each path.

    Use small sizes: every single operation is executed. A layer of your own is executed by
    its method ``loop(x, weights)``, or by what is handed in. What says that it costs nothing
    needs no loop.

    Args:
        model: a layer, such as ``flopslib.models.resnet18()``.
        input_shape: the shape of the input, the batch included.
        loops: for a class of layers, a function of the layer, its input and its weights,
            which returns the output; arrays are those of ``flopslib.loops.arrays``, and
            weights go by name. None: such layers are not executed, and have no tally.

    Raises:
        ValueError: a shape that does not fit, two layers under one path.
        TypeError: a layer without a naive loop.

    >>> from flopslib import count
    >>> from flopslib.layers import Conv2d, ReLU, Sequential
    >>> tiny = Sequential(conv=Conv2d(1, 2, 3, padding=1), relu=ReLU())
    >>> tallies = run_layers(tiny, (1, 1, 2, 2))
    >>> tallies["conv"].macs, dict(tallies["relu"].other)
    (72, {'comparisons': 8})
    >>> all(row.operations == tallies[row.path] for row in count(tiny, (1, 1, 2, 2)).rows)
    True
    """
    run = _Run(loops or {})
    run.at("", model, *several(checked_shapes(model, input_shape)))
    return run.tallies


class _Run:
    """A network that is executed: the tally of every path, and the loops of the reader."""

    def __init__(self, loops: Mapping[type[Layer], Loop | None]) -> None:
        self.loops = loops
        self.tallies: dict[str, OpCount] = {}

    def at(self, path: str, layer: Layer, *shapes: Shape, shared: Tally | None = None) -> Shape:
        """Run a layer, and what is inside; ``shared``: the tally of the layer around it."""
        shape: Any = shapes[0] if len(shapes) == 1 else shapes
        if self.loops.get(type(layer), layer) is None:
            return layer.output_shape(shape)
        tally = Tally() if shared is None else shared
        is_shared, own = isinstance(layer, kinds.Shared), True
        if is_shared:
            y = self.at(path, layer.layer, *shapes, shared=tally)
        elif layer._flows():
            y = layer.flow(
                shape,
                lambda name, part, *x: self.at(joined(path, name), part, *x, shared=shared),
            )
            own = any(layer._counts(shape, y))  # what it does besides
        if own and not is_shared:
            y = self._executed(layer, shape, tally)
        if own and shared is None:
            self._done(path, tally)
        return y

    def _done(self, path: str, tally: Tally) -> None:
        if path in self.tallies:
            raise ValueError(f"two layers have the path {path!r}: each needs its own")
        self.tallies[path] = tally.record()

    def _executed(self, layer: Layer, shape: Any, tally: Tally) -> Shape:
        y = layer.output_shape(shape)  # refuse what does not fit before a loop stumbles over it
        loop = self._loop(layer, shape, y)
        if loop is None:
            return y
        weights = {name: _numbers(sides, tally) for name, sides in layer.weights.items()}
        several = isinstance(shape[0], tuple) if shape else False
        given: Any = tuple(_numbers(s, tally) for s in shape) if several else _numbers(shape, tally)
        return arrays.array(loop(layer, given, weights)).shape

    def _loop(self, layer: Layer, x: Shape, y: Shape) -> Loop | None:
        kind = type(layer)
        if kind in self.loops:
            return self.loops[kind]
        loop = getattr(kind, "loop", None) or _LOOPS.get(kind)
        if loop is None and any(layer._counts(x, y)):
            raise TypeError(
                f"{layer!r} has no naive loop: give {kind.__name__} a method loop(x, weights), "
                f"or hand in loops={{{kind.__name__}: …}}"
            )
        return loop


def _numbers(shape: Shape, tally: Tally) -> Array:
    made = arrays.empty(shape)
    for at, place in enumerate(arrays.ndindex(*shape)):
        made[place] = tally.number((at * 7 % 11 - 5) / 50)
    return made


def _loop(*of: type[Layer]) -> Callable[[Loop], Loop]:
    def enrol(loop: Loop) -> Loop:
        _LOOPS.update(dict.fromkeys(of, loop))
        return loop

    return enrol


def _each(x: Array, function: Callable[[Any], Any]) -> Array:
    y = arrays.empty_like(x)
    for place in arrays.ndindex(*x.shape):
        y[place] = function(x[place])
    return y


def _each_last(x: Array, function: Callable[[list[Any]], list[Any]]) -> Array:
    rows = [function(list(row)) for row in x.reshape(-1, x.shape[-1])]
    return arrays.array(rows).reshape(*x.shape[:-1], len(rows[0]))


def _batched(x: Array, rank: int) -> Array:
    return x if x.ndim == rank else x.reshape(1, *x.shape)


# --- products with weights ---------------------------------------------------


@_loop(kinds.Linear)
def _linear(layer: kinds.Linear, x: Array, weights: Weights) -> Array:
    return _each_last(x, lambda row: linear([row], weights["weight"], weights.get("bias"))[0])


@_loop(kinds.Conv1d, kinds.Conv2d, kinds.Conv3d)
def _convolution(layer: kinds.Conv2d, x: Array, weights: Weights) -> Array:
    kernel = weights["weight"]
    axes = kernel.ndim - 2
    inside = arrays.pad(
        _batched(x, axes + 2),
        [(0, 0), (0, 0), *_ends(layer)],
        value=kernel.flat[0].tally.number(0),
    )
    sides = zip(inside.shape[2:], layer.kernel_size, layer.dilation, layer.stride, strict=True)
    starts = [range(0, side - d * (k - 1), s) for side, k, d, s in sides]
    seen, inputs = len(kernel) // layer.groups, kernel.shape[1]
    y = arrays.empty((len(inside), len(kernel), *map(len, starts)))
    for image, c in product(range(len(inside)), range(len(kernel))):
        first = c // seen * inputs
        channels = inside[image, first : first + inputs]
        for place in arrays.ndindex(*y.shape[2:]):
            corner = [start[at] for start, at in zip(starts, place, strict=True)]
            window = tuple(
                slice(at, at + d * (k - 1) + 1, d)
                for at, k, d in zip(corner, layer.kernel_size, layer.dilation, strict=True)
            )
            total = dot(list(kernel[c].flat), list(channels[:, *window].flat))
            y[image, c, *place] = total + weights["bias"][c] if layer.bias else total
    return y if x.ndim == axes + 2 else y[0]


def _ends(layer: kinds.Conv2d) -> list[tuple[int, int]]:
    if layer.padding != "same":
        return [(p, p) for p in layer.padding]
    zeros = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    return [(z // 2, z - z // 2) for z in zeros]


@_loop(kinds.ConvTranspose1d, kinds.ConvTranspose2d, kinds.ConvTranspose3d)
def _transposed(layer: Any, x: Array, weights: Weights) -> Array:
    kernel = weights["weight"]
    images = _batched(x, kernel.ndim)
    inputs, outputs = len(kernel) // layer.groups, kernel.shape[1]
    sums: dict[tuple[int, ...], Any] = {}
    for image, c, *at in arrays.ndindex(*images.shape):
        for channel, *tap in arrays.ndindex(*kernel.shape[1:]):
            steps = zip(at, layer.stride, tap, layer.dilation, strict=True)
            place = (
                image,
                c // inputs * outputs + channel,
                *(a * s + t * d for a, s, t, d in steps),
            )
            made = term(images[image, c, *at], kernel[c, channel, *tap])
            sums[place] = sums.get(place, 0) + made
    y = arrays.empty((len(images), *layer.output_shape(images.shape)[1:]))
    for image, c, *at in arrays.ndindex(*y.shape):
        place = (image, c, *(a + p for a, p in zip(at, layer.padding, strict=True)))
        cell = sums.get(place, kernel.flat[0].tally.number(0))
        y[image, c, *at] = cell + weights["bias"][c] if layer.bias else cell
    return y if x.ndim == kernel.ndim else y[0]


# --- attention ---------------------------------------------------------------


@_loop(kinds.MultiheadAttention)
def _multihead(layer: kinds.MultiheadAttention, x: Array, weights: Weights) -> Array:
    d = layer.embed_dim
    texts = _batched(x, 3) if layer.batch_first or x.ndim == 2 else x.swapaxes(0, 1)
    matrices = [*arrays.split(weights["in_proj_weight"], 3), weights["out_proj.weight"]]
    biases: list[Any] = [None] * 4
    if layer.bias:
        biases = [*arrays.split(weights["in_proj_bias"], 3), weights["out_proj.bias"]]
    y = []
    for text in texts:
        q, k, v = (linear(text, w, b) for w, b in zip(matrices[:3], biases[:3], strict=True))
        heads = zip(*(in_heads(vectors, layer.num_heads) for vectors in (q, k, v)), strict=True)
        found = arrays.concatenate([arrays.array(attend(*head)) for head in heads], axis=1)
        y.append(linear(found, matrices[3], biases[3]))
    made = arrays.array(y).reshape(-1, texts.shape[1], d)
    return made[0] if x.ndim == 2 else made if layer.batch_first else made.swapaxes(0, 1)


@_loop(kinds.ScaledDotProductAttention)
def _scaled(layer: kinds.ScaledDotProductAttention, x: Any, weights: Weights) -> Array:
    if isinstance(x, tuple):
        queries, keys, values = x
    else:
        queries = keys = x
        values = _numbers((*x.shape[:2], layer.num_heads * layer.value_width), x.flat[0].tally)
    shared = layer.num_heads * layer.head_dim // keys.shape[2]  # so many heads have one of keys
    past_keys, past_values = (
        _numbers((len(keys), layer.cache, new.shape[2]), keys.flat[0].tally)
        for new in (keys, values)
    )
    y = []
    for asked, *seen in zip(queries, keys, values, past_keys, past_values, strict=True):
        k, v = (
            in_heads([*old, *new], layer.num_heads // shared)
            for new, old in zip(seen[:2], seen[2:], strict=True)
        )
        found = [
            _attended(layer, q, k[at // shared], v[at // shared], weights, at)
            for at, q in enumerate(in_heads(asked, layer.num_heads))
        ]
        y.append(arrays.concatenate([arrays.array(head) for head in found], axis=1))
    return arrays.stack(y)


def _attended(
    layer: kinds.ScaledDotProductAttention, q: Any, k: Any, v: Any, weights: Weights, head: int
) -> Any:
    sink = weights["sinks"][head] if layer.sink_logits else None
    if not layer.chunk:
        return attend(
            q, k, v, layer.causal, layer.window, layer.sinks, scaled=layer.scaled, sink=sink
        )
    found = []
    for at, query in enumerate(q):  # one by one: what is before its chunk is cut off
        end = len(k) - len(q) + at + 1
        seen = slice((end - 1) // layer.chunk * layer.chunk, end)
        found += attend([query], k[seen], v[seen], scaled=layer.scaled, sink=sink)
    return found


@_loop(kinds.LatentHeads)
def _latent(layer: kinds.LatentHeads, x: Any, weights: Weights) -> Array:
    first, second, asked, turned = x
    queries, latents = (first, second) if layer.absorbed else (second, first)
    matrices = [[list(row) for row in weights[f"{of}_up.weight"]] for of in "kv"]
    tally, y = queries.flat[0].tally, []
    for q, new, a, new_turned in zip(queries, latents, asked, turned, strict=True):
        old, old_turned = (
            [list(row) for row in _numbers((layer.cache, of.shape[1]), tally)]
            for of in (new, new_turned)
        )
        in_pieces = [in_heads([list(row) for row in of], layer.num_heads) for of in (q, a)]
        all_of = [old + [list(row) for row in new], old_turned + [list(row) for row in new_turned]]
        options: Any = {"causal": layer.causal, "absorbed": layer.absorbed}
        heads = latent_heads(*in_pieces, *all_of, *matrices, **options)
        y.append(arrays.concatenate([arrays.array(head) for head in heads], axis=1))
    return arrays.stack(y)


@_loop(kinds.Experts)
def _experts(layer: kinds.Experts, x: Any, weights: Weights) -> Array:
    scores, positions = x
    parts = ("gate", "up", "down")
    matrices = {p: [[list(row) for row in of] for of in weights[f"{p}.weight"]] for p in parts}
    biases = {p: [list(of) for of in weights[f"{p}.bias"]] if layer.bias else None for p in parts}
    rows = zip(
        scores.reshape(-1, layer.num_experts), positions.reshape(-1, layer.in_features), strict=True
    )
    found = [
        visited(
            list(row), list(token), *(each for p in parts for each in (matrices[p], biases[p])),
            top_k=layer.top_k, all_experts=layer.all_experts, sigmoid=layer.sigmoid,
        )
        for row, token in rows
    ]  # fmt: skip
    return arrays.array(found).reshape(*positions.shape)


@_loop(kinds.RotaryEmbedding)
def _rotary(layer: kinds.RotaryEmbedding, x: Array, weights: Weights) -> Array:
    half = layer.head_dim // 2

    def turned(row: list[Any]) -> list[Any]:
        pairs = [(n, row[at ^ 1]) for at, n in enumerate(row)]
        return [primitives.rotary(*pair) for pair in pairs]

    assert half * 2 == layer.head_dim
    return _each_last(x, turned)


@_loop(kinds.RelativePositionBias)
def _position_bias(layer: kinds.RelativePositionBias, x: Array, weights: Weights) -> Array:
    table = weights["relative_position_bias_table"].flat[0]
    return _each(x, lambda score: primitives.residual_sum(score, table))


# --- recurrent layers --------------------------------------------------------


@_loop(
    kinds.RNN, kinds.LSTM, kinds.GRU, kinds.RNNCell, kinds.LSTMCell, kinds.GRUCell
)  # fmt: skip
def _recurrent(layer: Any, x: Array, weights: Weights) -> Array:
    first = layer.__dict__.get("batch_first", False) and x.ndim == 3
    steps = _batched(x, 2) if layer.SINGLE else x.swapaxes(0, 1) if first else x
    texts = steps.reshape(1, *steps.shape) if layer.SINGLE else steps
    rows = texts.reshape(len(texts), -1, texts.shape[-1]).tolist()
    for at, (name, _) in enumerate(cells := list(layer._cells())):
        if at % layer._ways == 0:
            given, rows = rows, [[[] for _ in step] for step in rows]
        backward = at % layer._ways == 1
        states = _through_time(layer, given[::-1] if backward else given, name, weights)
        for step, made in zip(rows, states[::-1] if backward else states, strict=True):
            for row, state in zip(step, made, strict=True):
                row += state
    assert len(cells) == layer.num_layers * layer._ways
    made = arrays.array(rows).reshape(*texts.shape[:-1], -1)
    return made.reshape(layer.output_shape(x.shape)) if not first else made.swapaxes(0, 1)


def _through_time(layer: Any, steps: list[Any], name: str, weights: Weights) -> list[Any]:
    """Run a cell along a sequence, from a state that is nothing but zeros."""
    found = (weights.get(f"{kind}{name}") for kind in KINDS)
    gates = list(zip(*(_cut(each, layer.GATES) for each in found), strict=True))
    zero = next(iter(weights.values())).flat[0].tally.number
    state, memory = ([[zero(0) for _ in range(n)] for _ in steps[0]] for n in _widths(layer))
    states = []
    for step in steps:
        state, memory = _next(layer, step, state, memory, gates)
        if layer._state != layer.hidden_size:
            state = linear(state, weights[f"weight_hr{name}"])
        states.append(state)
    return states


KINDS = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")


def _widths(layer: Any) -> tuple[int, int]:
    return layer._state, layer.hidden_size


def _cut(weight: Array | None, gates: int) -> list[Any]:
    return (
        [None] * gates
        if weight is None
        else [part.tolist() for part in arrays.split(weight, gates)]
    )


def _next(layer: Any, x: Any, h: Any, c: Any, gates: list[Any]) -> tuple[Any, Any]:
    if layer.GATES == 1:
        bend = primitives.relu if layer.nonlinearity == "relu" else primitives.tanh
        return recurrent.gate(bend, x, h, *gates[0]), c
    if layer.GATES == 3:
        return recurrent.gru_cell(x, h, *(each for gate in gates for each in gate)), c
    return recurrent.remember(x, h, c, gates)


# --- norms -------------------------------------------------------------------


@_loop(kinds.BatchNorm1d, kinds.BatchNorm2d, kinds.BatchNorm3d)
def _batch_norm(layer: kinds.BatchNorm2d, x: Array, weights: Weights) -> Array:
    return _each(x, lambda number: primitives.batch_norm(number, 2, 3))


def _over_last(layer: Any, x: Array, norm: Callable[[list[Any]], list[Any]]) -> Array:
    axes = len(layer.normalized_shape)
    flat = x.reshape(*x.shape[: x.ndim - axes], -1)
    return _each_last(flat, norm).reshape(x.shape)


@_loop(kinds.LayerNorm)
def _layer_norm(layer: kinds.LayerNorm, x: Array, weights: Weights) -> Array:
    gamma, beta = (_flat(weights, name) for name in ("weight", "bias"))
    return _over_last(layer, x, lambda row: primitives.layer_norm(row, gamma, beta))


@_loop(kinds.LayerNorm2d)
def _layer_norm_of_pixels(layer: kinds.LayerNorm2d, x: Array, weights: Weights) -> Array:
    gamma, beta = (_flat(weights, name) for name in ("weight", "bias"))
    last = x.transpose(0, 2, 3, 1)
    normed = _each_last(last, lambda row: primitives.layer_norm(row, gamma, beta))
    return normed.transpose(0, 3, 1, 2)


@_loop(kinds.Softmax, kinds.LogSoftmax)
def _softmax(layer: kinds.Softmax, x: Array, weights: Weights) -> Array:
    is_log = isinstance(layer, kinds.LogSoftmax)
    operation = primitives.log_softmax if is_log else primitives.softmax
    return _each_last(x.swapaxes(layer.dim, -1), operation).swapaxes(layer.dim, -1)


@_loop(kinds.RMSNorm)
def _rms_norm(layer: kinds.RMSNorm, x: Array, weights: Weights) -> Array:
    gamma = _flat(weights, "weight")
    return _over_last(layer, x, lambda row: primitives.rms_norm(row, gamma))


def _flat(weights: Weights, name: str) -> list[Any] | None:
    return list(weights[name].ravel()) if name in weights else None


@_loop(kinds.InstanceNorm1d, kinds.InstanceNorm2d, kinds.InstanceNorm3d)
def _instance_norm(layer: Any, x: Array, weights: Weights) -> Array:
    y = arrays.empty_like(x)
    planes = x.ndim - (min(layer.INPUTS) - 1)
    for at in arrays.ndindex(*x.shape[:planes]):
        cells = list(x[at].ravel())
        gamma, beta = (
            [weights[name][at[-1]]] * len(cells) if name in weights else None
            for name in ("weight", "bias")
        )
        y[at] = arrays.array(primitives.layer_norm(cells, gamma, beta)).reshape(x[at].shape)
    return y


@_loop(kinds.GroupNorm)
def _group_norm(layer: kinds.GroupNorm, x: Array, weights: Weights) -> Array:
    y = arrays.empty_like(x)
    size = layer.num_channels // layer.num_groups
    for image, group in arrays.ndindex(len(x), layer.num_groups):
        channels = slice(group * size, (group + 1) * size)
        cells = x[image, channels].size // size
        gamma, beta = (
            [w for w in weights[name][channels] for _ in range(cells)] if name in weights else None
            for name in ("weight", "bias")
        )
        row = primitives.layer_norm(list(x[image, channels].ravel()), gamma, beta)
        y[image, channels] = arrays.array(row).reshape(x[image, channels].shape)
    return y


# --- number by number --------------------------------------------------------

_ELEMENTWISE: dict[type[Layer], Callable[..., Any]] = {
    kinds.ReLU: primitives.relu,
    kinds.ReLU6: primitives.relu6,
    kinds.SiLU: primitives.silu,
    kinds.Sigmoid: primitives.sigmoid,
    kinds.Tanh: primitives.tanh,
    kinds.Hardtanh: primitives.relu6,
    kinds.ConstantFactor: primitives.scaling,
    kinds.LeakyReLU: primitives.leaky_relu,
    kinds.Mish: primitives.mish,
    kinds.Hardswish: primitives.hardswish,
    kinds.Hardsigmoid: primitives.hardsigmoid,
}


@_loop(*_ELEMENTWISE)
def _elementwise(layer: Layer, x: Array, weights: Weights) -> Array:
    return _each(x, _ELEMENTWISE[type(layer)])


@_loop(kinds.Softplus)
def _softplus(layer: kinds.Softplus, x: Array, weights: Weights) -> Array:
    return _each(x, lambda n: primitives.softplus(n, layer.beta, layer.threshold))


@_loop(kinds.ELU)
def _elu(layer: kinds.ELU, x: Array, weights: Weights) -> Array:
    return _each(x, lambda number: primitives.elu(number, layer.alpha))


@_loop(kinds.PReLU)
def _prelu(layer: kinds.PReLU, x: Array, weights: Weights) -> Array:
    y, slopes = arrays.empty_like(x), weights["weight"]
    for place in arrays.ndindex(*x.shape):
        channel = place[1] if layer.num_parameters > 1 else 0
        y[place] = primitives.prelu(x[place], slopes[channel])
    return y


@_loop(kinds.GLU)
def _glu(layer: kinds.GLU, x: Array, weights: Weights) -> Array:
    y, at = arrays.empty(layer.output_shape(x.shape)), layer.dim % x.ndim
    for place in arrays.ndindex(*y.shape):
        gate = (*place[:at], place[at] + y.shape[at], *place[at + 1 :])
        y[place] = primitives.glu([x[place], x[gate]])
    return y


@_loop(kinds.Sum, kinds.Product)
def _of_two(layer: kinds.Sum | kinds.Product, x: Any, weights: Weights) -> Array:
    given = x if isinstance(x, tuple) else (x, x)
    shape = layer.output_shape(tuple(each.shape for each in given))
    left, right = (arrays.broadcast_to(each, shape) for each in given)
    return left + right if isinstance(layer, kinds.Sum) else left * right


@_loop(kinds.GELU)
def _gelu(layer: kinds.GELU, x: Array, weights: Weights) -> Array:
    return _each(x, primitives.gelu if layer.approximate == "none" else primitives.gelu_tanh)


@_loop(kinds.Scale, kinds.PositionEmbedding, kinds.LearnedPositions)
def _learnt(layer: Layer, x: Array, weights: Weights) -> Array:
    (values,) = weights.values()
    if isinstance(layer, kinds.LearnedPositions):
        values = values[layer.cache : layer.cache + x.shape[-2]]
    return x * values if isinstance(layer, kinds.Scale) else x + values


@_loop(kinds.Embedding)
def _embedding(layer: kinds.Embedding, x: Array, weights: Weights) -> Array:
    return arrays.stack([weights["weight"][0]] * x.size).reshape(*x.shape, layer.embedding_dim)


# --- windows -----------------------------------------------------------------


@_loop(
    kinds.MaxPool1d, kinds.MaxPool2d, kinds.MaxPool3d,
    kinds.AvgPool1d, kinds.AvgPool2d, kinds.AvgPool3d,
)  # fmt: skip
def _pool(layer: Any, x: Array, weights: Weights) -> Array:
    is_max = isinstance(layer, kinds.MaxPool2d)
    operation = primitives.max_pool if is_max else primitives.average_pool
    axes = layer.AXES
    reach = layer.dilation if is_max else (1,) * axes
    zero = x.flat[0].tally.number(0)
    sides = x.shape[-axes:]
    places = [_pool_windows(layer, axis, sides[axis], reach[axis]) for axis in range(axes)]

    def cell(plane: Array, place: tuple[int, ...]) -> Any:
        inside = all(0 <= at < side for at, side in zip(place, sides, strict=True))
        return plane[place] if inside else zero

    return _planes(
        x, places, lambda plane, *of: operation([cell(plane, place) for place in product(*of)])
    )


def _pool_windows(layer: Any, axis: int, side: int, reach: int) -> list[list[int]]:
    """Return the cells of each window along a side; the padding has cells too."""
    kernel, stride, pad = (v[axis] for v in (layer.kernel_size, layer.stride, layer.padding))
    windows, start = [], -pad
    while start + reach * (kernel - 1) < side + pad:
        windows.append([start + reach * k for k in range(kernel)])
        start += stride
    cells = [start + reach * k for k in range(kernel)]
    left_over = windows[-1][-1] < side + pad - 1 if windows else cells[-1] < side + pad + stride - 1
    if layer.ceil_mode and start < side and left_over:
        windows.append([cell for cell in cells if cell < side + pad])
    return windows


@_loop(
    kinds.AdaptiveAvgPool1d, kinds.AdaptiveAvgPool2d, kinds.AdaptiveAvgPool3d,
    kinds.AdaptiveMaxPool1d, kinds.AdaptiveMaxPool2d, kinds.AdaptiveMaxPool3d,
)  # fmt: skip
def _adaptive(layer: Any, x: Array, weights: Weights) -> Array:
    is_max = "Max" in type(layer).__name__
    operation = primitives.max_pool if is_max else primitives.average_pool
    places = []
    for side, cells in zip(x.shape[-layer.AXES :], layer.output_size, strict=True):
        n = side if cells is None else cells
        places.append([list(range(c * side // n, -(-(c + 1) * side // n))) for c in range(n)])
    return _planes(
        x, places, lambda plane, *of: operation([plane[place] for place in product(*of)])
    )


def _planes(x: Array, places: list[list[list[int]]], function: Callable[..., Any]) -> Array:
    axes = len(places)
    y = arrays.empty((*x.shape[:-axes], *map(len, places)))
    for at in arrays.ndindex(*x.shape[:-axes]):
        for cell in arrays.ndindex(*map(len, places)):
            windows = (of[n] for of, n in zip(places, cell, strict=True))
            y[(*at, *cell)] = function(x[at], *windows)
    return y


@_loop(kinds.Upsample)
def _upsample(layer: kinds.Upsample, x: Array, weights: Weights) -> Array:
    y = arrays.empty(layer.output_shape(x.shape))
    sides = list(zip(x.shape[2:], y.shape[2:], strict=True))
    for place in arrays.ndindex(*y.shape):
        starts = [at * old // new for at, (old, new) in zip(place[2:], sides, strict=True)]
        if layer.mode.startswith("nearest"):
            y[place] = x[(*place[:2], *starts)]
        else:
            ends = [(at, min(at + 1, old - 1)) for at, (old, _) in zip(starts, sides, strict=True)]
            y[place] = _between([x[(*place[:2], *each)] for each in product(*ends)])
    return y


def _between(corners: list[Any]) -> Any:
    """Weigh two neighbours along one axis after the other, until one number is left."""
    while len(corners) > 1:
        corners = [
            primitives.residual_sum(primitives.scaling(a), primitives.scaling(b))
            for a, b in zip(corners[::2], corners[1::2], strict=True)
        ]
    return corners[0]


@_loop(kinds.PixelShuffle)
def _pixel_shuffle(layer: kinds.PixelShuffle, x: Array, weights: Weights) -> Array:
    return _shuffled(x, layer.output_shape(x.shape), layer.upscale_factor, up=True)


@_loop(kinds.PixelUnshuffle)
def _pixel_unshuffle(layer: kinds.PixelUnshuffle, x: Array, weights: Weights) -> Array:
    return _shuffled(x, layer.output_shape(x.shape), layer.downscale_factor, up=False)


def _shuffled(x: Array, shape: Shape, r: int, *, up: bool) -> Array:
    y = arrays.empty(shape)
    small = x if up else y
    for *at, c, row, column in arrays.ndindex(*small.shape):
        deep = (*at, c, row, column)
        wide = (*at, c // r**2, row * r + c // r % r, column * r + c % r)
        y[wide if up else deep] = x[deep if up else wide]
    return y


@_loop(kinds.Mean)
def _mean(layer: kinds.Mean, x: Array, weights: Weights) -> Array:
    dropped = sorted(dim % x.ndim for dim in layer.dim)
    kept = [axis for axis in range(x.ndim) if axis not in dropped]
    rows = x.transpose(*kept, *dropped).reshape(*(x.shape[axis] for axis in kept), -1)
    y = arrays.empty(rows.shape[:-1])
    for place in arrays.ndindex(*y.shape):
        y[place] = primitives.average_pool(list(rows[place]))
    return y.reshape(layer.output_shape(x.shape))


@_loop(kinds.MatMul)
def _matmul(layer: kinds.MatMul, x: tuple[Array, Array], weights: Weights) -> Array:
    left, right = (each.reshape(-1, *each.shape[-2:]) for each in x)
    products = [
        [[dot(list(row), list(column)) for column in b.swapaxes(0, 1)] for row in a]
        for a, b in zip(left, right, strict=True)
    ]
    return arrays.array(products).reshape(*x[0].shape[:-1], x[1].shape[-1])


# --- moves -------------------------------------------------------------------


@_loop(kinds.Identity, kinds.Dropout, kinds.StochasticDepth, kinds.ChannelShuffle, kinds.NotRun)
def _unchanged(layer: Layer, x: Array, weights: Weights) -> Array:
    return x


@_loop(kinds.Cat)
def _cat(layer: kinds.Cat, x: Array | tuple[Array, ...], weights: Weights) -> Array:
    parts = [x] if isinstance(x, Array) else list(x)
    return arrays.concatenate(parts, axis=layer.dim % parts[0].ndim)


@_loop(kinds.Flatten)
def _flatten(layer: kinds.Flatten, x: Array, weights: Weights) -> Array:
    first, last = layer.start_dim % x.ndim, layer.end_dim % x.ndim
    return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])


@_loop(kinds.Unflatten)
def _unflatten(layer: kinds.Unflatten, x: Array, weights: Weights) -> Array:
    at = layer.dim % x.ndim
    return x.reshape(*x.shape[:at], *layer.unflattened_size, *x.shape[at + 1 :])


@_loop(kinds.Permute)
def _permute(layer: kinds.Permute, x: Array, weights: Weights) -> Array:
    return x.transpose(*layer.dims)


@_loop(kinds.Slice)
def _slice(layer: kinds.Slice, x: Array, weights: Weights) -> Array:
    at = layer.dim % x.ndim
    found: Array = x[(slice(None),) * at + (slice(layer.start, layer.stop, layer.step),)]
    return found


@_loop(kinds.Select)
def _select(layer: kinds.Select, x: Array, weights: Weights) -> Array:
    found: Array = x.take(layer.index, axis=layer.dim)
    return found


@_loop(kinds.Pad, kinds.ZeroPad2d)
def _pad(layer: kinds.Pad, x: Array, weights: Weights) -> Array:
    ends = [(0, 0)] * (x.ndim - len(layer.pad) // 2)
    ends += list(zip(layer.pad[::2], layer.pad[1::2], strict=True))[::-1]
    padded = arrays.pad(x, [(max(before, 0), max(after, 0)) for before, after in ends])
    sides = zip(ends, padded.shape, strict=True)
    kept: Array = padded[tuple(slice(max(-b, 0), side - max(-a, 0)) for (b, a), side in sides)]
    return kept


@_loop(kinds.ClassToken)
def _class_token(layer: kinds.ClassToken, x: Array, weights: Weights) -> Array:
    token = arrays.broadcast_to(weights["class_token"], (len(x), 1, x.shape[2]))
    return arrays.concatenate([token, x], axis=1)
