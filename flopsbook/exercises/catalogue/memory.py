"""The exercises of the chapter on memory."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, Ratio, Whole, Word
from flopslib import Operand, formula, gated_feed_forward, transformer_layer
from flopslib.layers import GELU, Linear, Sequential
from flopslib.memory import Torch, dropped, kept, linked, training_state
from flopslib.traffic import Widths

__all__ = ["EXERCISES"]

PARAMETERS = 1_300_000_000
LEARNT, FROZEN = 20_000_000, 6_738_415_616


def states(recipe: str = "Adam, mixed precision", parameters: int = PARAMETERS) -> int:
    """The bytes of weights, gradients and states."""
    return int(training_state(parameters, recipe)["all"])


def small(bits: int = 16, samples: int = 5) -> int:
    """The bytes that a small network keeps."""
    from flopslib.memory import Needed

    network = Sequential(Linear(8, 16), GELU(), Linear(16, 4))
    return int(kept(linked(network, (samples, 8)), Needed(bits)).bytes)


def gated(part: str = "") -> Any:
    """The bytes that a gated network keeps, or the numbers, or without a tensor."""
    import sympy

    from flopslib.notation import B, L, d

    inner = sympy.Symbol("f", positive=True, integer=True)
    whole = sympy.expand(kept(formula(gated_feed_forward, d_ff=inner)).bytes)
    tokens = B * L
    changes = {
        "": 0,
        "numbers": whole / 2,
        "input": 2 * tokens * d,
        "product": 2 * tokens * inner,
    }
    return sympy.expand(whole - changes[part])


def of_layer(keeper: Torch | None = None, **options: Any) -> int:
    """The bytes that a layer keeps."""
    layer = transformer_layer(2048, 2048, num_heads=16)
    return int(kept(layer, keeper or Torch(16), **options).bytes)


def fitting(
    *, memory: int = 80 * 10**9, state: int | None = None, layers: int = 24, keeper: Any = None
) -> int:
    """How many sequences fit."""
    room = memory - (states() if state is None else state)
    return room // (layers * of_layer(keeper))


def inputs(layers: int = 24) -> int:
    """The bytes of the inputs of all layers."""
    return layers * of_layer(checkpoint=True)


def with_lora(frozen: int = FROZEN, learnt: int = LEARNT) -> int:
    """The bytes of weights, gradients and states with LoRA."""
    return int(training_state(learnt, frozen=frozen)["all"])


def in_front(bits: int = 32, *, byte_masks: bool = True, drop: bool = True) -> int:
    """The number in front of BLd."""
    import sympy

    from flopslib.notation import B, L, d, h

    layer = formula(transformer_layer)
    if drop:
        layer = dropped(layer, "softmax", "output projection", "second linear")
    found = kept(layer, Torch(bits, attention="steps", byte_masks=byte_masks)).bytes
    return int(sympy.Poly(sympy.expand(found), L, B, d, h).coeff_monomial(B * L * d))


def left(group_size: int | None = 128, bits: int = 4) -> int:
    """The bytes that are left for a cache."""
    widths = Widths(weight=bits, group_size=group_size)
    return 4 * 10**9 - int(widths.bytes(Operand("weight", (46_875_000, 128), "weight")))


EXERCISES = (
    Exercise(
        label="memory-states",
        questions=(
            Question(
                asks="the bytes of weights, gradients and states",
                kind=Whole(),
                expected=states,
                mistakes=(
                    Mistake(
                        "weights alone",
                        lambda: 2 * PARAMETERS,
                        "Those are the weights in bf16; training keeps gradients and states, too.",
                        Fraction(1, 8),
                    ),
                    Mistake(
                        "no exact weights",
                        lambda: 12 * PARAMETERS,
                        "A copy of the weights in fp32 is missing; small updates need it.",
                        Fraction(3, 4),
                    ),
                    Mistake(
                        "one moment",
                        lambda: states("SGD with momentum, fp32"),
                        "That is SGD with one moment; Adam keeps two, and an exact weight.",
                        Fraction(3, 4),
                    ),
                ),
                coincide=(("no exact weights", "one moment"),),
            ),
        ),
        worth_knowing=(
            "None of it depends on the batch. All of it is there before the first sample, and so "
            "it is the first number to compute."
        ),
        hints=(
            "Adam keeps two moments, in fp32.",
            "In mixed precision there are two copies of each weight, of 2 and of 4 bytes.",
        ),
    ),
    Exercise(
        label="memory-small",
        questions=(
            Question(
                asks="the bytes that the backward pass needs",
                kind=Whole(),
                expected=small,
                mistakes=(
                    Mistake(
                        "GELU's argument forgotten",
                        lambda: small() - 2 * 5 * 16,
                        "The slope of GELU depends on its argument, which has to be kept as well.",
                    ),
                    Mistake(
                        "outputs kept",
                        lambda: small() + 2 * 5 * 4,
                        "Nobody needs the results of the last layer on the way back.",
                    ),
                    Mistake(
                        "four bytes",
                        lambda: small(32),
                        "That is for fp32; a number of bf16 has 2 bytes.",
                        Fraction(2),
                    ),
                    mistakes.forgot_samples(lambda: small(samples=1)),
                ),
            ),
        ),
        worth_knowing=(
            "With ReLU in place of GELU the argument is not needed: the next layer keeps the "
            "result anyway, and its zeros tell the side."
        ),
        hints=(
            "Which tensors does each of the three gradients need?",
            "Two tensors of sixteen numbers a sample are kept, and one of eight.",
        ),
    ),
    Exercise(
        label="memory-gated",
        questions=(
            Question(
                asks="the bytes that the backward pass needs",
                kind=Expression(("B", "L", "d", "f")),
                expected=gated,
                mistakes=(
                    Mistake(
                        "numbers for bytes",
                        lambda: gated("numbers"),
                        "Those are numbers; each has 2 bytes.",
                    ),
                    Mistake(
                        "input forgotten",
                        lambda: gated("input"),
                        "Gate and up need their common input.",
                    ),
                    Mistake(
                        "one tensor too few",
                        lambda: gated("product"),
                        "One of the wide tensors is missing: count SiLU's argument, both factors, "
                        "and the input of the last layer.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Four wide tensors are kept where an ordinary network has two. A compiler may compute "
            "two of them once more from the others."
        ),
        hints=(
            "Go through the steps and ask each what its gradient needs.",
            "The product of gate and up needs both of its factors.",
        ),
    ),
    Exercise(
        label="memory-batch",
        questions=(
            Question(
                asks="the number of sequences",
                kind=Whole(),
                expected=fitting,
                mistakes=(
                    Mistake(
                        "no states",
                        lambda: fitting(state=0),
                        "The states have to be in the memory as well.",
                    ),
                    Mistake(
                        "one layer",
                        lambda: fitting(layers=1),
                        "That is for one layer; all 24 keep their activations.",
                    ),
                    Mistake(
                        "the square kept",
                        lambda: fitting(keeper=Torch(16, attention="steps")),
                        "Fused attention keeps no square.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The logits and the fragments between tensors are not in it, so a real run fits a "
            "little less."
        ),
        hints=(
            "First take 16 bytes for each parameter from the memory.",
            "`24 * kept(layer, Torch(16)).bytes` is one sequence.",
        ),
    ),
    Exercise(
        label="memory-again",
        questions=(
            Question(
                asks="the bytes of the inputs that are kept",
                kind=Whole(),
                expected=inputs,
                mistakes=(
                    Mistake(
                        "one layer",
                        lambda: inputs(1),
                        "That is the input of one layer; each of the 24 keeps its own.",
                    ),
                    Mistake(
                        "numbers for bytes",
                        lambda: inputs() // 2,
                        "Those are numbers; each has 2 bytes.",
                        Fraction(1, 2),
                    ),
                ),
            ),
            Question(
                asks="how many times fewer bytes are kept",
                kind=Ratio(),
                expected=lambda: Fraction(24 * of_layer(), inputs()),
                mistakes=(
                    mistakes.upside_down(lambda: Fraction(inputs(), 24 * of_layer())),
                    Mistake(
                        "numbers for bytes",
                        lambda: 2 * Fraction(24 * of_layer(), inputs()),
                        "Compare bytes with bytes.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The price is one more forward pass: training then takes four passes' worth of FLOPs "
            "where it took three."
        ),
        hints=(
            "The input of a layer has one number for each number of each token.",
            "Divide what a layer keeps by its input.",
        ),
    ),
    Exercise(
        label="memory-lora",
        questions=(
            Question(
                asks="the bytes of weights, gradients and states",
                kind=Whole(),
                expected=with_lora,
                mistakes=(
                    Mistake(
                        "frozen forgotten",
                        lambda: with_lora(frozen=0),
                        "The frozen weights are in memory, too, at 2 bytes each.",
                    ),
                    Mistake(
                        "everything learnt",
                        lambda: with_lora(frozen=0, learnt=FROZEN + LEARNT),
                        "Frozen weights have no gradients and no states.",
                    ),
                ),
            ),
            Question(
                asks="are fewer activations kept",
                kind=Word(("yes", "no")),
                expected=lambda: "no",
                mistakes=(
                    Mistake(
                        "yes",
                        lambda: "yes",
                        "The narrow matrices need the same inputs as the frozen ones next to them.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "With LoRA next to some layers only, the others keep no inputs, and then activations "
            "are saved."
        ),
        hints=(
            "Which of the 16 bytes does a frozen parameter need?",
            "What does the gradient of the first narrow matrix need?",
        ),
    ),
    Exercise(
        label="memory-bug",
        questions=(
            Question(
                asks="which tensors stay as they are",
                kind=Word(("masks", "statistics", "inputs")),
                expected=lambda: "masks",
                mistakes=(
                    Mistake(
                        "statistics",
                        lambda: "statistics",
                        "The statistics of the norms are in neither number.",
                    ),
                    Mistake(
                        "inputs",
                        lambda: "inputs",
                        "Inputs are floats, and a float of fp32 has twice the bytes.",
                    ),
                ),
            ),
            Question(
                asks="the number in front of BLd",
                kind=Whole(),
                expected=in_front,
                mistakes=(
                    Mistake(
                        "doubled",
                        lambda: 2 * in_front(16),
                        "That is twice the published number, masks included.",
                    ),
                    Mistake(
                        "no masks",
                        lambda: in_front(drop=False),
                        "The masks are kept, a byte each.",
                    ),
                    Mistake(
                        "masks of a CPU",
                        lambda: in_front(byte_masks=False),
                        "That is for a CPU, where a mask has the width of its input.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The five in front of the square becomes nine, not ten, for the same reason."
        ),
        hints=(
            "How many bytes of the 34 are masks?",
            "Double the others.",
        ),
    ),
    Exercise(
        label="memory-phone",
        questions=(
            Question(
                asks="the bytes that are left for the cache",
                kind=Whole(),
                expected=left,
                mistakes=(
                    Mistake(
                        "no scales",
                        lambda: left(None),
                        "Each group has a scale of 2 bytes.",
                    ),
                    Mistake(
                        "groups of 64",
                        lambda: left(64),
                        "That is for groups of 64 weights.",
                    ),
                    Mistake(
                        "three bits",
                        lambda: left(bits=3),
                        "A weight has four bits here.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The scales seem small, and yet they take away about a tenth of the room that is left."
        ),
        hints=(
            "Half a byte for each weight.",
            "How many groups are there?",
        ),
    ),
)
