"""Training and memory: gradients, frozen weights, the rule of thumb, bytes that have to fit."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from random import Random
from typing import Any

from assignments.question import Question
from assignments.searching import doubled, halved, largest
from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Mistake
from flopslib import Derivation, conv2d, count, feed_forward, linear, transformer_layer
from flopslib.layers import Linear, Sequential

#: Bytes for each parameter that is learnt: weight and gradient at 2, and three numbers at 4.
LEARNT, STORED, NUMBER = 16, 2, 2
#: Bytes for each token and number of its width, in a layer that is run again.
RUN_AGAIN = 34


def _linear(in_features: int, out_features: int, batch: int) -> list[int]:
    layer = linear(in_features, out_features, batch=batch)
    back = layer.backward()
    additions = {step.name.split()[-1]: step.additions for step in back.steps}
    return [
        additions["weight"],
        additions["x"],
        layer.macs + layer.backward(input_gradient=False).macs,
    ]


def _conv(
    groups: int, in_channels: int, out_channels: int, kernel_size: int, side: int, batch: int
) -> list[int]:
    layer = conv2d(
        in_channels, out_channels, kernel_size, side, side, groups=groups, batch=batch, bias=False
    )
    back = layer.backward()
    (weight,) = [step for step in back.steps if step.name.endswith("weight")]
    return [weight.per_output.macs, weight.outputs, layer.macs + back.macs]


def _chain(widths: Sequence[int], batch: int, frozen: Sequence[int]) -> int:
    layers = [Linear(a, b, bias=False) for a, b in pairwise(widths)]
    report = count(Sequential(*layers), (batch, widths[0]))
    macs: int = report.macs + report.backward(frozen=[str(place) for place in frozen]).macs
    return macs


def _products(widths: Sequence[int], batch: int) -> list[int]:
    return [linear(a, b, batch=batch, bias=False).macs for a, b in pairwise(widths)]


def _draw_chain(random: Random) -> dict[str, Any]:
    layers = random.randrange(4, 7)
    return {
        "widths": random.sample(range(20, 200), layers + 1),
        "batch": random.randrange(2, 20),
        "frozen": [0, 1, random.randrange(3, layers)],
    }


def _three_times(widths: Sequence[int], batch: int, frozen: Sequence[int]) -> int:
    return 3 * sum(_products(widths, batch))


def _none_frozen(widths: Sequence[int], batch: int, frozen: Sequence[int]) -> int:
    return _chain(widths, batch, [])


def _stopped_by_frozen(widths: Sequence[int], batch: int, frozen: Sequence[int]) -> int:
    """As if no gradient went back through a layer that is not learnt."""
    products = _products(widths, batch)
    learnt = [macs for place, macs in enumerate(products) if place not in frozen]
    return sum(products) + 2 * sum(learnt) - (0 if 0 in frozen else products[0])


def _back_to_the_data(widths: Sequence[int], batch: int, frozen: Sequence[int]) -> int:
    """As if every layer but the first handed a gradient to what lies before it."""
    products = _products(widths, batch)
    learnt = [macs for place, macs in enumerate(products) if place not in frozen]
    return 2 * sum(products) + sum(learnt) - products[0]


def _matrices(derivation: Derivation) -> int:
    """Return how many numbers the matrices have that a computation multiplies with."""
    found = {
        (step.name, operand.name): operand.shape
        for step in derivation.steps
        for operand in step.reads
        if operand.role == "weight" and len(operand.shape) == 2
    }
    return sum(map(prod, found.values()))


def _layer_parameters(d_model: int) -> int:
    return _matrices(transformer_layer(1, d_model, bias=False))


def _forward(num_layers: int, d_model: int, vocab_size: int, seq_len: int, causal: bool) -> int:
    layer = transformer_layer(seq_len, d_model, causal=causal, bias=False)
    logits = linear(d_model, vocab_size, batch=seq_len, bias=False)
    flops: int = num_layers * layer.flops + logits.flops
    return flops


def _rule(num_layers: int, d_model: int, vocab_size: int, seq_len: int) -> int:
    table = _matrices(linear(d_model, vocab_size, bias=False))
    return 6 * (num_layers * _layer_parameters(d_model) + 2 * table) * seq_len


def _thumb(
    num_layers: int, d_model: int, vocab_size: int, seq_len: int, causal: bool = True
) -> list[int]:
    sizes = {"num_layers": num_layers, "d_model": d_model, "vocab_size": vocab_size}

    def is_behind(length: int) -> bool:
        forward = _forward(**sizes, seq_len=length, causal=causal)
        return 3 * forward <= _rule(**sizes, seq_len=length)

    return [
        _rule(**sizes, seq_len=seq_len),
        3 * _forward(**sizes, seq_len=seq_len, causal=causal),
        largest(is_behind) + 1,
    ]


def _full_square(**sizes: int) -> list[int]:
    return _thumb(**sizes, causal=False)


def _half_thumb(**sizes: int) -> list[int | None]:
    rule, step, length = _thumb(**sizes)
    return [*halved(lambda: [rule, step])(), length]


def _forward_alone(**sizes: int) -> list[int]:
    rule, step, length = _thumb(**sizes)
    return [rule // 3, step // 3, length]


def _look_up_multiplied(**sizes: int) -> list[int]:
    """As if the look-up of a token were a product with its table."""
    rule, step, length = _thumb(**sizes)
    table = linear(sizes["d_model"], sizes["vocab_size"], batch=sizes["seq_len"], bias=False)
    return [rule, step + 3 * table.flops, length]


def _adapters(d_model: int, rank: int) -> int:
    """Return the parameters of two thin matrices beside each of the four of attention."""
    thin = (linear(d_model, rank, bias=False), linear(rank, d_model, bias=False))
    return 4 * sum(map(_matrices, thin))


def _states(
    num_layers: int, d_model: int, rank: int, learnt: int = LEARNT, stored: int = STORED
) -> list[int]:
    parameters = num_layers * _layer_parameters(d_model)
    adapters = num_layers * _adapters(d_model, rank)
    return [learnt * parameters, adapters, stored * parameters + learnt * adapters]


def _no_gradients(**sizes: int) -> list[int]:
    return _states(**sizes, learnt=LEARNT - 2)


def _no_copy(**sizes: int) -> list[int]:
    return _states(**sizes, learnt=LEARNT - 4)


def _all_learnt(**sizes: int) -> list[int]:
    return _states(**sizes, stored=LEARNT)


def _one_matrix(num_layers: int, d_model: int, rank: int) -> list[int]:
    full, adapters, both = _states(num_layers, d_model, rank)
    return [full, adapters // 2, both - LEARNT * adapters // 2]


def _blocks(
    num_layers: int, d_model: int, tokens: int, leave: str = "", width: int = NUMBER
) -> list[int]:
    block = feed_forward(tokens, d_model, bias=False)
    needed = {
        operand.name: width * prod(operand.shape)
        for step in block.steps
        for operand in step.reads
        if operand.role == "input" and operand.name != leave
    }
    entering = needed["x"]
    again = [step.macs for step in block.steps if step.writes and step.writes.name in needed]
    everything = sum(needed.values())
    return [
        num_layers * everything,
        num_layers * entering + everything - entering,
        num_layers * block.macs,
        num_layers * sum(again),
    ]


def _linear_inputs_alone(**sizes: int) -> list[int]:
    right, kept = _blocks(**sizes), _blocks(**sizes, leave="hidden")
    return [*kept[:2], *right[2:]]


def _one_byte(**sizes: int) -> list[int]:
    return _blocks(**sizes, width=1)


def _inputs_alone(**sizes: int) -> list[int]:
    kept, _, *again = _blocks(**sizes)
    block = sizes["num_layers"] * NUMBER * sizes["tokens"] * sizes["d_model"]
    return [kept, block, *again]


def _again_in_flops(**sizes: int) -> list[int]:
    *kept, whole, needed = _blocks(**sizes)
    return [*kept, 2 * whole, 2 * needed]


def _bytes(d_model: int, layers: int, tokens: int, learnt: int, again: int) -> int:
    states = layers * learnt * _layer_parameters(d_model)
    return states + layers * NUMBER * tokens * d_model + again * tokens * d_model


def _fits(
    giga_bytes: int, d_model: int, tokens: int,
    learnt: int = LEARNT, again: int = RUN_AGAIN, giga: int = 10**9,
) -> list[int]:  # fmt: skip
    room = giga_bytes * giga
    layers = largest(lambda n: _bytes(d_model, n, tokens, learnt, again) <= room)
    most = largest(lambda n: _bytes(d_model, layers, n, learnt, again) <= room)
    return [layers, most]


def _in_gib(**sizes: int) -> list[int]:
    return _fits(**sizes, giga=2**30)


def _weights_alone(**sizes: int) -> list[int]:
    return _fits(**sizes, learnt=STORED)


def _no_optimiser(**sizes: int) -> list[int]:
    return _fits(**sizes, learnt=2 * STORED)


def _nothing_run_again(**sizes: int) -> list[int]:
    return _fits(**sizes, again=0)


QUESTIONS = (
    Question(
        name="training-1",
        answer="training_1",
        expected=_linear,
        mistakes=(
            mistakes.one_addition_too_many(
                lambda **sizes: [*[linear(**sizes).macs] * 2, _linear(**sizes)[2]]
            ),
            Mistake(
                "the two exchanged",
                lambda **sizes: [*_linear(**sizes)[1::-1], _linear(**sizes)[2]],
                "You exchanged the two: a number of the weights' gradient is a sum over the "
                "batch, one of the input's a sum over the outputs.",
            ),
            Mistake(
                "a gradient of the data",
                lambda **sizes: [*_linear(**sizes)[:2], 3 * linear(**sizes).macs],
                "You counted the gradient of the input, too; the first layer reads data, which "
                "are not learnt.",
            ),
            mistakes.forward_alone(lambda **sizes: [*_linear(**sizes)[:2], linear(**sizes).macs]),
            mistakes.counted_flops(
                lambda **sizes: [*_linear(**sizes)[:2], 4 * linear(**sizes).macs]
            ),
        ),
    ),
    Question(
        name="training-2",
        answer="training_2",
        expected=_conv,
        mistakes=(
            mistakes.forgot_samples(
                lambda **sizes: [
                    _conv(**{**sizes, "batch": 1})[0],
                    _conv(**sizes)[1],
                    _conv(**{**sizes, "batch": 1})[2],
                ]
            ),
            mistakes.forgot_groups(
                lambda **sizes: [
                    _conv(**sizes)[0],
                    *(sizes["groups"] * n for n in _conv(**sizes)[1:]),
                ]
            ),
            mistakes.one_side(
                lambda **sizes: [_conv(**sizes)[0] // sizes["side"], *_conv(**sizes)[1:]]
            ),
            mistakes.forward_alone(lambda **sizes: [*_conv(**sizes)[:2], _conv(**sizes)[2] // 3]),
            mistakes.counted_flops(lambda **sizes: [*_conv(**sizes)[:2], 2 * _conv(**sizes)[2]]),
        ),
    ),
    Question(
        name="training-3",
        answer="training_3",
        expected=_chain,
        examples=(
            {"widths": [2, 3, 5], "batch": 7, "frozen": []},
            {"widths": [2, 3, 5], "batch": 7, "frozen": [0]},
            {"widths": [2, 3, 5], "batch": 7, "frozen": [1]},
        ),
        draw=_draw_chain,
        mistakes=(
            Mistake(
                "three times forward",
                _three_times,
                "That is three times the forward pass; data need no gradient, and neither do "
                "frozen weights.",
            ),
            Mistake(
                "frozen weights learnt",
                _none_frozen,
                "That is the step with all weights learnt; a frozen layer has no gradient of "
                "its weights.",
            ),
            Mistake(
                "stopped by frozen layers",
                _stopped_by_frozen,
                "A frozen layer hands its gradient on to what is learnt before it, and that is "
                "a product, too.",
            ),
            Mistake(
                "back to the data",
                _back_to_the_data,
                "The gradient has to go back only as far as something is learnt.",
            ),
            mistakes.counted_flops(doubled(_chain)),
        ),
    ),
    Question(
        name="training-4",
        answer="training_4",
        expected=_thumb,
        mistakes=(
            mistakes.counted_macs(_half_thumb),
            mistakes.full_square(_full_square),
            mistakes.forward_alone(_forward_alone),
            Mistake(
                "look-up multiplied",
                _look_up_multiplied,
                "Looking up a token is no product: the first table is read and not multiplied.",
            ),
        ),
    ),
    Question(
        name="training-5",
        answer="training_5",
        expected=_states,
        mistakes=(
            Mistake(
                "no gradients",
                _no_gradients,
                "You left out the gradients, which are stored beside the weights.",
            ),
            Mistake(
                "no precise copy",
                _no_copy,
                "You left out the copy of the weights in 4 bytes, which the optimiser changes.",
            ),
            Mistake(
                "frozen weights with states",
                _all_learnt,
                "Weights that are not learnt need no gradient and no optimiser: 2 bytes each.",
            ),
            Mistake(
                "one thin matrix",
                _one_matrix,
                "An adapter is two thin matrices: one down to the rank, and one up again.",
            ),
        ),
    ),
    Question(
        name="training-6",
        answer="training_6",
        expected=_blocks,
        mistakes=(
            Mistake(
                "the input of the GELU",
                _linear_inputs_alone,
                "You left out what the GELU has read: its slope depends on it.",
            ),
            Mistake(
                "one byte a number",
                _one_byte,
                "You counted numbers, and each of them is 2 bytes.",
            ),
            Mistake(
                "the block that is run again",
                _inputs_alone,
                "While a block goes backward, what it needs is there, too, besides the inputs "
                "of all blocks.",
            ),
            mistakes.counted_flops(_again_in_flops),
        ),
    ),
    Question(
        name="training-7",
        answer="training_7",
        expected=_fits,
        mistakes=(
            mistakes.powers_of_two(_in_gib),
            Mistake(
                "weights alone",
                _weights_alone,
                "You stored the weights alone; each has a gradient and three numbers of the "
                "optimiser besides.",
            ),
            Mistake(
                "no optimiser",
                _no_optimiser,
                "You left out what the optimiser keeps: three numbers of 4 bytes for each weight.",
            ),
            Mistake(
                "nothing run again",
                _nothing_run_again,
                "You left out what the layer needs that is run again.",
            ),
        ),
    ),
)
