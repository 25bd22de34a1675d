"""The exercises of the chapter on training."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import OneDigit, Ratio, Whole, Word
from flopslib import count, depthwise_conv2d, linear
from flopslib.hardware import chip
from flopslib.layers import Layer, Linear, Sequential, Sum
from flopslib.models import llama_7b, resnet50
from flopslib.models.language import training

__all__ = ["EXERCISES"]


def head(passes: int = 3, figure: str = "flops") -> int:
    """So many passes through a square layer of 1,000 numbers, for 100 rows."""
    layer = linear(1000, 1000, batch=100, bias=False)
    return int(passes * getattr(layer, figure))


def first_layer(figure: str = "flops", *, times: int = 1) -> int:
    """The gradient of the picture that ResNet-50 does not need."""
    report = count(resnet50(), (1, 3, 224, 224))
    asked = report.backward(input_gradient=True)
    return times * int(getattr(asked, figure) - getattr(report.backward(), figure))


def four_layers(learnt: str | None, figure: str = "flops", *, forward: bool = False) -> int:
    """Backward through four square layers of which one is learnt; None: all."""
    net = Sequential(*[Linear(512, 512, bias=False) for _ in range(4)])
    report = count(net, (64, 512))
    back = report.backward(trainable=learnt)
    return int(getattr(back, figure) + forward * getattr(report, figure))


class _Beside(Layer):
    """A linear layer, and two narrow ones beside it."""

    def __init__(self, width: int, rank: int) -> None:
        self._set(
            base=Linear(width, width, bias=False),
            down=Linear(width, rank, bias=False),
            up=Linear(rank, width, bias=False),
            sum=Sum(),
        )

    def flow(self, x, run):  # type: ignore[no-untyped-def]
        """Run both, and add."""
        beside = run("up", self.up, run("down", self.down, x))
        return run("sum", self.sum, run("base", self.base, x), beside)


def low_rank(rank: int = 8, *, frozen: bool = True, forward: bool = True) -> Fraction:
    """A step with narrow layers beside a frozen one, as a ratio of a step of that one alone."""
    beside = count(_Beside(4096, rank), (2048, 4096))
    alone = count(Linear(4096, 4096, bias=False), (2048, 4096))
    options = {"frozen": "base"} if frozen else {}
    step = beside.backward(input_gradient=True, **options).flops + forward * beside.flops
    whole = alone.backward(input_gradient=True).flops + forward * alone.flops
    return Fraction(step, whole)


def recomputed(passes: int = 3, again: int = 1) -> Fraction:
    """A step with a forward pass more, as a ratio of one without."""
    return Fraction(passes + again, passes)


SECONDS, CHIPS = 50, 8


def utilisation(passes: Fraction = Fraction(3), *, chips: int = CHIPS) -> Fraction:
    """The share of the peak that a measured step of LLaMA-7B reaches."""
    step = training(llama_7b, tokens=2**22, seq_len=2048)
    flops = step.flops * passes / 3
    return flops / (SECONDS * chips * Fraction(chip("H100 SXM").rate("bf16")))


def depthwise_weight(*, ordinary: bool = False) -> int:
    """The MACs of the gradient of a depthwise kernel; ordinary: all channels meet all."""
    layer = depthwise_conv2d(32, 3, 112, 112, bias=False)
    (weight,) = (step for step in layer.backward().steps if step.name.endswith("weight"))
    return int(weight.macs * (32 if ordinary else 1))


def affordable(passes: int = 3, ratio: int = 20, budget: int = 10**20) -> int:
    """The millions of parameters that a budget trains with so many tokens each."""
    return isqrt(budget // (2 * passes * ratio)) // 10**6


EXERCISES = (
    Exercise(
        label="training-head",
        questions=(
            Question(
                asks="the FLOPs of forward and backward, one digit",
                kind=OneDigit(),
                expected=head,
                mistakes=(
                    mistakes.forward_alone(lambda: head(1)),
                    Mistake(
                        "backward alone",
                        lambda: head(2),
                        "Those are the two gradients. The forward pass is part of the step.",
                        Fraction(2, 3),
                    ),
                    mistakes.counted_macs(lambda: head(figure="macs")),
                ),
            ),
        ),
        worth_knowing="Three products of the same size: this is why people multiply by three.",
        hints=(
            "What does the forward pass of the layer cost?",
            "How many gradients are there, and what does each cost?",
        ),
    ),
    Exercise(
        label="training-first",
        questions=(
            Question(
                asks="how many FLOPs fewer than three times forward",
                kind=Whole(),
                expected=first_layer,
                mistakes=(
                    mistakes.counted_macs(lambda: first_layer("macs")),
                    Mistake(
                        "both gradients",
                        lambda: first_layer(times=2),
                        "The kernels of the first layer are learnt. Only the gradient of the "
                        "image is not needed.",
                        Fraction(2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The share is small here. In MobileNetV2 and in networks of few layers it is larger."
        ),
        hints=(
            "Whose gradient is of no use to anybody?",
            "The gradient of an input costs as many MACs as the forward pass of that layer.",
        ),
    ),
    Exercise(
        label="training-frozen",
        questions=(
            Question(
                asks="the FLOPs of the backward pass, the last layer learnt",
                kind=Whole(),
                expected=lambda: four_layers("3"),
                mistakes=(
                    mistakes.counted_macs(lambda: four_layers("3", "macs")),
                    Mistake(
                        "everything learnt",
                        lambda: four_layers(None),
                        "That is the backward pass with all four layers learnt.",
                    ),
                    Mistake(
                        "its input, too",
                        lambda: 2 * four_layers("3"),
                        "Nothing that is learnt lies before the last layer, so its input needs "
                        "no gradient.",
                        Fraction(2),
                    ),
                    Mistake(
                        "with the forward pass",
                        lambda: four_layers("3", forward=True),
                        "You added the forward pass. The question asks for the backward pass.",
                    ),
                ),
            ),
            Question(
                asks="the FLOPs of the backward pass, the first layer learnt",
                kind=Whole(),
                expected=lambda: four_layers("0"),
                mistakes=(
                    mistakes.counted_macs(lambda: four_layers("0", "macs")),
                    Mistake(
                        "the first layer alone",
                        lambda: four_layers("3"),
                        "Its gradient has to come through the three layers behind it.",
                    ),
                    Mistake(
                        "everything learnt",
                        lambda: four_layers(None),
                        "That is the backward pass with all four layers learnt.",
                    ),
                    Mistake(
                        "with the forward pass",
                        lambda: four_layers("0", forward=True),
                        "You added the forward pass. The question asks for the backward pass.",
                    ),
                ),
            ),
        ),
        worth_knowing="Where a weight is learnt matters more than how many weights are learnt.",
        hints=(
            "For each layer ask two questions: is its weight learnt, and does anything learnt "
            "lie before it?",
            "A product costs 2 · 64 · 512 · 512 FLOPs. How many products are there?",
        ),
    ),
    Exercise(
        label="training-lora",
        questions=(
            Question(
                asks="the step with LoRA as a ratio of the ordinary step",
                kind=Ratio(),
                expected=low_rank,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / low_rank()),
                    Mistake(
                        "nothing frozen",
                        lambda: low_rank(frozen=False),
                        "That is a step in which the wide weights are learnt as well.",
                    ),
                    Mistake(
                        "backward alone",
                        lambda: low_rank(forward=False),
                        "You compared the backward passes. The forward pass is part of a step.",
                    ),
                    Mistake(
                        "the share of the weights",
                        lambda: Fraction(2 * 8, 4096),
                        "That is the share of the weights that are learnt. The gradient still "
                        "has to go through the frozen ones.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "LoRA saves a third of the arithmetic. Its gain is memory: gradients and the state of "
            "the optimiser exist for the narrow weights alone."
        ),
        hints=(
            "Which of the three products of the frozen layer is left out?",
            "The narrow layers need all three of theirs, and they are small.",
        ),
    ),
    Exercise(
        label="training-again",
        questions=(
            Question(
                asks="by which factor the arithmetic grows",
                kind=Ratio(),
                expected=recomputed,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / recomputed()),
                    Mistake(
                        "against forward",
                        lambda: recomputed(1),
                        "You compared with the forward pass. A step has a backward pass, too.",
                    ),
                    Mistake(
                        "against backward",
                        lambda: recomputed(2),
                        "You compared with the backward pass alone.",
                    ),
                    Mistake(
                        "twice more",
                        lambda: recomputed(again=2),
                        "The forward pass is run once more, not twice.",
                    ),
                ),
            ),
        ),
        worth_knowing="This is the 4/3 by which HFU exceeds MFU when all is computed again.",
        hints=("Write a step in units of the forward pass.", "How many of them are added?"),
    ),
    Exercise(
        label="training-mfu",
        questions=(
            Question(
                asks="the MFU",
                kind=Ratio(),
                expected=utilisation,
                mistakes=(
                    mistakes.in_percent(lambda: 100 * utilisation()),
                    mistakes.forward_alone(lambda: utilisation(Fraction(1))),
                    Mistake(
                        "with the recomputation",
                        lambda: utilisation(Fraction(4)),
                        "Computing again is not part of the model's work. That is HFU.",
                        Fraction(4, 3),
                    ),
                    Mistake(
                        "one chip",
                        lambda: utilisation(chips=1),
                        "There are eight chips, and each could have worked at its peak.",
                        Fraction(8),
                    ),
                ),
            ),
            Question(
                asks="the HFU",
                kind=Ratio(),
                expected=lambda: utilisation(Fraction(4)),
                mistakes=(
                    mistakes.in_percent(lambda: 100 * utilisation(Fraction(4))),
                    Mistake(
                        "without the recomputation",
                        utilisation,
                        "That is MFU. The chips also ran the forward pass once more.",
                        Fraction(3, 4),
                    ),
                    Mistake(
                        "two forward passes more",
                        lambda: utilisation(Fraction(5)),
                        "The forward pass is run once more, so four passes altogether.",
                        Fraction(5, 4),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "MFU compares programs that do the same work; HFU says how busy the chips were."
        ),
        hints=(
            "How many FLOPs does the step have, and how many could the chips have performed?",
            "For HFU count what was performed: which pass was run twice?",
        ),
    ),
    Exercise(
        label="training-bug",
        questions=(
            Question(
                asks="the right number of MACs",
                kind=Whole(),
                expected=depthwise_weight,
                mistakes=(
                    mistakes.counted_flops(lambda: 2 * depthwise_weight()),
                    Mistake(
                        "as it was printed",
                        lambda: depthwise_weight(ordinary=True),
                        "That is the printed number, in which every channel meets every other.",
                        Fraction(32),
                    ),
                ),
            ),
            Question(
                asks="the argument that was forgotten",
                kind=Word(("groups", "stride", "bias", "padding")),
                expected=lambda: "groups",
                mistakes=(
                    Mistake("stride", lambda: "stride", "The places of the output are right."),
                    Mistake("bias", lambda: "bias", "The layer has no bias."),
                    Mistake("padding", lambda: "padding", "Padding does not change this count."),
                ),
            ),
        ),
        worth_knowing=(
            "A widely used counter makes this very mistake on the way back, and on the way forward "
            "it does not."
        ),
        hints=(
            "How many weights does a depthwise kernel have, and over how many places does the "
            "gradient of each sum?",
            "Divide the printed number by yours.",
        ),
    ),
    Exercise(
        label="training-budget",
        questions=(
            Question(
                asks="parameters in whole millions",
                kind=Whole(),
                expected=affordable,
                mistakes=(
                    mistakes.forward_alone(lambda: affordable(1)),
                    Mistake(
                        "a token for each parameter",
                        lambda: affordable(ratio=1),
                        "That is one token for each parameter, and twenty are asked for.",
                    ),
                    mistakes.over_the_budget(lambda: affordable() + 1),
                ),
            ),
        ),
        worth_knowing=(
            "Ten times the money buys about three times the parameters, and three times the tokens."
        ),
        hints=(
            "Write the budget as 6 · N · D with D in terms of N.",
            "Solve for N, and round down to millions.",
        ),
    ),
)
