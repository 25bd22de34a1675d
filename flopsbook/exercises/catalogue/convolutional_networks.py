"""The exercises of the chapter on convolutional networks."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Ratio, Whole, Word
from flopslib import Report, count
from flopslib.layers import Conv2d, ReLU, Residual, Sequential
from flopslib.layers.layer import Layer
from flopslib.models import mobilenet_v2, resnet18, resnet34, resnet50
from flopslib.models.resnet import bottleneck

__all__ = ["EXERCISES"]

NETWORKS = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "mobilenet_v2": mobilenet_v2,
}


@cache
def network(name: str, height: int = 224, width: int = 224) -> Report:
    """A network on one image."""
    return count(NETWORKS[name](), (1, 3, height, width))


def longer(blocks: int, block: str = "layer2.1") -> int:
    """ResNet-18 with so many blocks more."""
    return int(network("resnet18").macs + blocks * network("resnet18")[block].macs)


def wider(times: Fraction = Fraction(2), *, head: int = 1) -> int:
    """ResNet-18 with so many times the places, and so many times its last layer."""
    once = network("resnet18")
    last = once["fc"].macs
    return round((once.macs - last) * times) + head * last


def scales_with_area(width: int) -> str:
    """Whether the MACs of another width follow from the area."""
    predicted = wider(Fraction(width, 224))
    return "yes" if predicted == network("resnet18", width=width).macs else "no"


def stride_on_last(
    times: int = 3, stages: tuple[int, ...] = (2, 3, 4), figure: str = "macs"
) -> int:
    """ResNet-50 with 3×3 convolutions that work on so many times more places."""
    today = network("resnet50")
    more = sum(getattr(today[f"layer{stage}.0.conv2"], figure) for stage in stages)
    return int(getattr(today, figure) + times * more)


def stride_on_first() -> int:
    """ResNet-50 as in the paper."""
    return int(count(resnet50(stride_on="1x1"), (1, 3, 224, 224)).macs)


def of_the_stride(said: int) -> str:
    """The convolution of the block whose stride gives a figure."""
    figures = {
        "first": stride_on_first(),
        "second": network("resnet50").macs,
        "third": stride_on_last(),
    }
    return next(place for place, macs in figures.items() if macs == said)


def training(
    figure: str = "flops",
    *,
    passes: int = 3,
    first: int = 1,
    undivided: int = 0,
    kind: str = "depthwise",
) -> int:
    """A step of MobileNetV2; in some passes a kind of layer is not divided by its groups."""
    report = network("mobilenet_v2")
    total = passes * getattr(report, figure) - first * getattr(report["features.0.0"], figure)
    for row in report.rows:
        if kind_of(row.layer) == kind:
            total += undivided * getattr(row, figure) * (getattr(row.layer, "groups", 1) - 1)
    return int(total)


KINDS = ("depthwise", "pointwise", "linear")


def kind_of(layer: Layer) -> str:
    """The kind of a layer, as the exercise names it."""
    if not isinstance(layer, Conv2d):
        return "linear"
    return "depthwise" if layer.groups > 1 else "pointwise"


def forgotten() -> tuple[str, int]:
    """The kind of layer, and the passes, that give what the counter reports."""
    from flopsbook.quotes import published

    (said,) = published("mobilenet_v2-training")
    return next(
        (kind, passes)
        for kind in KINDS
        for passes in (1, 2, 3)
        if training(undivided=passes, kind=kind) == said["value"]
    )


@cache
def steps_within(side: int, budget: int, figure: str = "macs") -> int:
    """The widest MobileNetV2 within a budget, in twentieths."""

    def cost(step: int) -> Any:
        return getattr(count(mobilenet_v2(width_mult=step / 20), (1, 3, side, side)), figure)

    return largest_within(budget, cost)


def widest(side: int = 224, *, figure: str = "macs", more: int = 0) -> Fraction:
    """The widest MobileNetV2 for 150 million."""
    return Fraction(steps_within(side, 150 * 10**6, figure) + more, 20)


def by_a_rule(power: int, side: int = 224) -> Fraction:
    """The width if MACs grew with the area and a power of the width, and nothing else."""
    report = network("mobilenet_v2")

    def cost(step: int) -> Fraction:
        return Fraction(report.macs * side**2, 224**2) * Fraction(step, 20) ** power

    return Fraction(largest_within(150 * 10**6, cost), 20)


def block(inner: int = 64, *, depthwise: bool = True) -> Layer:
    """A bottleneck without norms, with a depthwise convolution in it or an ordinary one."""
    groups = inner if depthwise else 1
    return Residual(
        Sequential(
            Conv2d(256, inner, 1, bias=False),
            Conv2d(inner, inner, 3, padding=1, groups=groups, bias=False),
            Conv2d(inner, 256, 1, bias=False),
        ),
        then=ReLU(),
    )


def of_block(figure: str, inner: int = 64, *, depthwise: bool = True) -> int:
    """A figure of such a block on 14×14 pixels."""
    return int(getattr(count(block(inner, depthwise=depthwise), (1, 256, 14, 14)), figure))


def of_original(figure: str) -> int:
    """A figure of the bottleneck, its norms included."""
    return int(getattr(count(bottleneck(256, 64), (1, 256, 14, 14)), figure))


def saved(figure: str) -> int:
    """What a depthwise convolution in its middle saves."""
    return of_block(figure, depthwise=False) - of_block(figure)


def middle(figure: str, *, depthwise: bool = False) -> int:
    """The 3×3 convolution alone."""
    layer = Conv2d(64, 64, 3, padding=1, groups=64 if depthwise else 1, bias=False)
    return int(getattr(count(layer, (1, 64, 14, 14)), figure))


def inner_width(*, depthwise: bool = True, figure: str = "macs") -> int:
    """The widest inner layers for the price of the original."""
    return largest_within(
        of_original("macs"), lambda inner: of_block(figure, inner, depthwise=depthwise)
    )


EXERCISES = (
    Exercise(
        label="networks-34",
        questions=(
            Question(
                asks="the MACs of ResNet-34",
                kind=Whole(),
                expected=lambda: network("resnet34").macs,
                mistakes=(
                    mistakes.counted_flops(lambda: network("resnet34").flops),
                    Mistake(
                        "all blocks added",
                        lambda: longer(3 + 4 + 6 + 3),
                        "You added all the blocks of ResNet-34; ResNet-18 has some of them "
                        "already.",
                    ),
                    Mistake(
                        "twice ResNet-18",
                        lambda: 2 * network("resnet18").macs,
                        "Twice the blocks are not twice the network: its first and its last "
                        "layer, and the blocks that halve the image, are there once.",
                    ),
                    Mistake(
                        "half a block",
                        lambda: longer(8, "layer2.1.conv1"),
                        "A block has two convolutions; you added one of each.",
                    ),
                    Mistake(
                        "blocks that halve",
                        lambda: longer(8, "layer2.0"),
                        "The added blocks are plain; a block that halves the image is cheaper, "
                        "and each stage has it once.",
                    ),
                    Mistake(
                        "blocks of ResNet-50",
                        lambda: network("resnet50").macs,
                        "The depths are those of ResNet-50, too, but its blocks are other ones: "
                        "this is its total.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The cost of a family of networks is a straight line: each further block adds the "
            "same price."
        ),
        hints=(
            "How many blocks has ResNet-34 more, and which ones are they?",
            'The price of a plain block is in the report: `small["layer2.1"]`.',
        ),
    ),
    Exercise(
        label="networks-wide",
        questions=(
            Question(
                asks="the MACs for an image of 224×448",
                kind=Whole(),
                expected=lambda: network("resnet18", width=448).macs,
                mistakes=(
                    mistakes.counted_flops(lambda: network("resnet18", width=448).flops),
                    Mistake(
                        "last layer doubled",
                        lambda: wider(head=2),
                        "You doubled everything; one layer gets a mean of each channel, however "
                        "large the image was.",
                    ),
                    Mistake(
                        "both sides doubled",
                        lambda: wider(Fraction(4)),
                        "Only one side is twice as long, so there are twice as many places.",
                    ),
                    Mistake(
                        "last layer left out",
                        lambda: wider(head=0),
                        "The last layer does not grow, but it is still there.",
                    ),
                    Mistake(
                        "not larger",
                        lambda: network("resnet18").macs,
                        "That is the cost of the square image.",
                    ),
                ),
            ),
            Question(
                asks="does the method work for 224×300",
                kind=Word(("yes", "no")),
                expected=lambda: scales_with_area(300),
                mistakes=(
                    Mistake(
                        "any side will do",
                        lambda: "yes",
                        "Halve that side as often as the network does. What happens to a half?",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Between two multiples of 32 the cost climbs in steps, one at each place where a "
            "halved side is rounded up."
        ),
        hints=(
            "Which layers of the table see the image, and which one does not?",
            "Split the total in two parts, and double one of them. How often is a side halved?",
        ),
    ),
    Exercise(
        label="networks-stride",
        questions=(
            Question(
                asks="the convolution that has her stride",
                kind=Word(("first", "second", "third")),
                expected=lambda: of_the_stride(stride_on_last()),
                mistakes=(
                    Mistake(
                        "stride of the paper",
                        lambda: "first",
                        "With the stride on the first, as in the paper, her network would cost "
                        "less than that of this chapter.",
                    ),
                    Mistake(
                        "stride of the libraries",
                        lambda: "second",
                        "That is the network of this chapter, and hers costs more.",
                    ),
                ),
            ),
            Question(
                asks="her MACs",
                kind=Whole(),
                expected=stride_on_last,
                mistakes=(
                    mistakes.counted_flops(lambda: stride_on_last(figure="flops")),
                    Mistake(
                        "added four times",
                        lambda: stride_on_last(4),
                        "Those convolutions cost four times as much as before, and one of the "
                        "four times was counted already.",
                    ),
                    Mistake(
                        "twice the places",
                        lambda: stride_on_last(1),
                        "An image that is not halved has twice the height *and* twice the width.",
                    ),
                    Mistake(
                        "one stage",
                        lambda: stride_on_last(stages=(2,)),
                        "That is one stage alone; three of the four begin with a stride.",
                    ),
                    Mistake(
                        "stride of the paper",
                        stride_on_first,
                        "That is the network of the paper, whose stride is on the first "
                        "convolution.",
                    ),
                    Mistake(
                        "stride of the libraries",
                        lambda: network("resnet50").macs,
                        "That is the network of this chapter, whose stride is on the second "
                        "convolution.",
                    ),
                ),
                # the three convolutions cost the same, so three times one is one times three
                coincide=(("twice the places", "one stage"),),
            ),
        ),
        worth_knowing=(
            "Three networks have one name and the same parameters; if nobody says where the "
            "stride is, only the MACs tell them apart."
        ),
        hints=(
            "Her figure is above that of the chapter: which layer works on a larger image "
            "than it does there?",
            "Behind the stride everything is as it was. In how many blocks is there a stride, "
            "and how many times the places has the layer in front of it?",
        ),
    ),
    Exercise(
        label="networks-groups",
        questions=(
            Question(
                asks="the FLOPs of a training step",
                kind=Whole(),
                expected=training,
                mistakes=(
                    mistakes.counted_macs(lambda: training("macs")),
                    mistakes.forward_alone(lambda: network("mobilenet_v2").flops),
                    Mistake(
                        "three whole passes",
                        lambda: training(first=0),
                        "Nobody needs the gradient of the image: the first layer goes back "
                        "only once.",
                    ),
                    Mistake(
                        "backward as forward",
                        lambda: training(passes=2, first=0),
                        "The backward pass costs two forward ones: inputs and weights both need "
                        "a gradient.",
                    ),
                    mistakes.forgot_groups(lambda: training(undivided=1)),
                ),
            ),
            Question(
                asks="the kind of layer that is counted wrongly",
                kind=Word(KINDS),
                expected=lambda: forgotten()[0],
                mistakes=(
                    Mistake(
                        "pointwise",
                        lambda: "pointwise",
                        "ResNet-50 has pointwise convolutions, too, and is counted correctly.",
                    ),
                    Mistake(
                        "linear",
                        lambda: "linear",
                        "ResNet-50 ends in a linear layer, too, and is counted correctly.",
                    ),
                ),
            ),
            Question(
                asks="the number of passes in which it is",
                kind=Whole(),
                expected=lambda: forgotten()[1],
                mistakes=(
                    Mistake(
                        "both ways back",
                        lambda: 2,
                        "If both gradients were wrong, the report would be nearly twice as "
                        "far off.",
                    ),
                    Mistake(
                        "all passes",
                        lambda: 3,
                        "The exercise says that the forward pass is counted correctly.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A check on networks without groups could never have found it: a counter has to be "
            "asked about every kind of layer you use."
        ),
        hints=(
            "The cost of a training step is in the chapter: three passes, less one gradient.",
            "In MobileNetV2 most 3×3 convolutions are depthwise. What would one cost if every "
            "output channel saw every input channel?",
            "Multiply each layer of a pass by its groups, and compare with the report: is one "
            "such pass enough?",
        ),
    ),
    Exercise(
        label="networks-width",
        questions=(
            Question(
                asks="the width at 224×224",
                kind=Ratio(),
                expected=widest,
                mistakes=(
                    Mistake(
                        "budget in FLOPs",
                        lambda: widest(figure="flops"),
                        "You spent the budget on FLOPs; it is in MACs, and each of them is two.",
                    ),
                    mistakes.over_the_budget(lambda: widest(more=1)),
                    Mistake(
                        "square",
                        lambda: by_a_rule(2),
                        "You took the MACs to grow with the square of the width. Below a width "
                        "of 1 they are above the square; count.",
                    ),
                    Mistake(
                        "proportional",
                        lambda: by_a_rule(1),
                        "You took the MACs to grow with the width; most of them grow with its "
                        "square.",
                    ),
                ),
            ),
            Question(
                asks="the width at 160×160",
                kind=Ratio(),
                expected=lambda: widest(160),
                mistakes=(
                    Mistake(
                        "budget in FLOPs",
                        lambda: widest(160, figure="flops"),
                        "You spent the budget on FLOPs; it is in MACs, and each of them is two.",
                    ),
                    mistakes.over_the_budget(lambda: widest(160, more=1)),
                    Mistake(
                        "a smaller image forgotten",
                        widest,
                        "That is the width for the larger image; a smaller one leaves more.",
                    ),
                    Mistake(
                        "width for side",
                        lambda: Fraction(round(widest() * 224 / 160 * 20), 20),
                        "You multiplied the width by the ratio of the sides, as if the MACs grew "
                        "with the square of the width. They grow more slowly, so the budget "
                        "pays for more.",
                    ),
                ),
                # half the budget and half the area are nearly the same
                coincide=(("budget in FLOPs", "a smaller image forgotten"),),
            ),
        ),
        worth_knowing=(
            "Two knobs, the width and the side of the image, turn one price; no count can "
            "tell which of them loses less accuracy."
        ),
        hints=(
            "`mobilenet_v2(width_mult=…)` builds one; `count` tells its MACs.",
            "Go through the widths in a loop, and keep the last that the budget allows.",
        ),
    ),
    Exercise(
        label="networks-block",
        questions=(
            Question(
                asks="the MACs saved",
                kind=Whole(),
                expected=lambda: saved("macs"),
                mistakes=(
                    mistakes.counted_flops(lambda: saved("flops")),
                    Mistake(
                        "whole convolution saved",
                        lambda: middle("macs"),
                        "You saved the whole 3×3 convolution; a depthwise one stays in its place.",
                    ),
                    Mistake(
                        "cost for saving",
                        lambda: of_block("macs"),
                        "That is what the new block costs; what does it save?",
                    ),
                    Mistake(
                        "one place",
                        lambda: saved("parameters"),
                        "Those are the weights that are saved; each of them was used at every "
                        "place of the image.",
                    ),
                ),
            ),
            Question(
                asks="the weights saved",
                kind=Whole(),
                expected=lambda: saved("parameters"),
                mistakes=(
                    Mistake(
                        "whole convolution saved",
                        lambda: middle("parameters"),
                        "You saved the whole 3×3 convolution; a depthwise one stays in its place.",
                    ),
                    Mistake(
                        "norms taken away",
                        lambda: of_original("parameters") - of_block("parameters"),
                        "You compared a block with norms and one without: the norms' parameters "
                        "are not saved.",
                    ),
                    Mistake(
                        "MACs for weights",
                        lambda: saved("macs"),
                        "Those are the MACs that are saved, one for each weight at each place.",
                    ),
                    Mistake(
                        "cost for saving",
                        lambda: of_block("parameters"),
                        "Those are the weights of the new block; how many does it save?",
                    ),
                ),
            ),
            Question(
                asks="the inner width",
                kind=Whole(),
                expected=inner_width,
                mistakes=(
                    mistakes.over_the_budget(lambda: inner_width() + 1),
                    Mistake(
                        "budget in FLOPs",
                        lambda: inner_width(figure="flops"),
                        "You compared MACs with FLOPs: count both blocks in one unit.",
                    ),
                    Mistake(
                        "exactly twice",
                        lambda: 2 * 64,
                        "Twice as wide is nearly it, but there is a little left to spend.",
                    ),
                    Mistake(
                        "not depthwise",
                        lambda: inner_width(depthwise=False),
                        "Then nothing was saved: the middle convolution has to be depthwise.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "MACs and weights are saved in one ratio, since every weight of the block is used at "
            "the same places; where a stride is between them, the two ratios differ."
        ),
        hints=(
            "The two 1×1 convolutions stay as they are. What does the 3×3 cost before and after?",
            "A depthwise convolution has one kernel of nine weights for each channel.",
            "For the last part, write the cost with n for the inner width: it is linear in n.",
        ),
    ),
)
