"""The exercises of the chapter on counting a network of one's own."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Ratio, Whole, Word
from flopslib import (
    Report,
    count,
    linear,
    multihead_attention,
    scaled_dot_product_attention,
)
from flopslib import layers as nn
from flopslib.layers.layer import Layer
from flopslib.models import gpt2_small

__all__ = ["EXERCISES"]


@cache
def vit_attention(*, batch_first: bool = True) -> Report:
    """The attention of a ViT, read in one order of the axes or the other."""
    layer = nn.MultiheadAttention(768, 12, batch_first=batch_first)
    return count(layer, (1, 197, 768))


def steps_of_attention(names: tuple[str, ...]) -> int:
    """The MACs of some steps of it."""
    steps = multihead_attention(197, 768, num_heads=12).steps
    return int(sum(step.macs for step in steps if step.name.startswith(names)))


def texts_counted() -> int:
    """How many texts the student has counted: all that share one token's cost."""
    one = multihead_attention(1, 768, num_heads=12).macs
    return int(vit_attention(batch_first=False).macs // one)


VGG = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def vgg16(*, padding: int = 1, kernel: int = 3, pools: bool = True, inner: int = 4096) -> Layer:
    """VGG-16, or one of which something is forgotten."""
    layers: list[Layer] = []
    channels = 3
    for times, width in VGG:
        for _ in range(times):
            layers += [nn.Conv2d(channels, width, kernel, padding=padding), nn.ReLU()]
            channels = width
        if pools:
            layers.append(nn.MaxPool2d(2))
    layers += [nn.AdaptiveAvgPool2d(7), nn.Flatten()]
    sizes = (channels * 7 * 7, inner, inner)
    for width in sizes[:2]:
        layers += [nn.Linear(width, inner), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*layers, nn.Linear(inner, 1000))


@cache
def vgg(**forgotten: Any) -> Report:
    """Its report for a picture."""
    return count(vgg16(**forgotten), (1, 3, 224, 224))


def vgg_part(kind: str) -> int:
    """The MACs of its layers of one type."""
    return sum(row.macs for row in vgg().rows if row.type == kind)


def vgg_biases() -> int:
    """An operation for each bias that is added."""
    steps = [step for row in vgg().rows if row.macs for step in row.derivation.steps]
    return int(vgg().macs + sum(step.outputs for step in steps if step.macs))


def conv(inputs: int, outputs: int, kernel: int = 1) -> Layer:
    """A convolution that keeps the size, without a bias."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)


def inception(branches: tuple[int, ...] = (0, 1, 2, 3), *, narrow: bool = True) -> Report:
    """GoogLeNet's first block, or a part of it; or wide kernels on all the channels."""
    pool = nn.MaxPool2d(3, stride=1, padding=1)
    looks = (
        (conv(192, 96), conv(96, 128, 3), conv(192, 128, 3)),
        (conv(192, 16), conv(16, 32, 5), conv(192, 32, 5)),
    )
    chosen = [nn.Sequential(*(look[:2] if narrow else look[2:])) for look in looks]
    every = (conv(192, 64), *chosen, nn.Sequential(pool, conv(192, 32)))
    return count(nn.Concat(*[every[at] for at in branches]), (1, 192, 28, 28))


def printed(what: int) -> int:
    """What the paper's table prints of the block: 0 the parameters, 1 the operations."""
    from flopsbook.quotes import published

    return int(published("inception_3a")[what]["value"])


def unit() -> str:
    """What the paper calls operations."""
    return "MACs" if round(inception().macs, -6) == printed(1) else "FLOPs"


def thousand() -> int:
    """What the paper calls a thousand of parameters."""
    fits = (n for n in (1000, 1024) if inception().parameters // n == printed(0) // 1000)
    return next(fits)


def conv_norm(inputs: int, outputs: int, kernel: int, **options: Any) -> Layer:
    """A convolution and its norm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, bias=False, **options)
    return nn.Sequential(conv=convolution, norm=nn.BatchNorm2d(outputs))


@cache
def mobile(*, groups: int = 120) -> Report:
    """A block of MobileNetV3."""
    body = nn.Sequential(
        expand=conv_norm(40, 120, 1),
        relu=nn.ReLU(),
        depthwise=conv_norm(120, 120, 5, padding=2, groups=groups),
        relu_2=nn.ReLU(),
        squeeze=nn.SqueezeExcitation(120, 32, scale_activation=nn.Hardsigmoid),
        project=conv_norm(120, 40, 1),
    )
    return count(nn.Residual(body), (1, 40, 28, 28))


def squeezed(figure: str, *, groups: int = 120, beside: bool = False) -> Fraction:
    """The share of the squeeze, or what it is beside all the rest."""
    report = mobile(groups=groups)
    own, whole = getattr(report["squeeze"], figure), getattr(report, figure)
    return Fraction(own, whole - own if beside else whole)


def squeezed_everywhere() -> Fraction:
    """The share if the squeeze worked on every pixel."""
    own = mobile()["squeeze"].macs
    return Fraction(own * 28 * 28, mobile().macs + own * (28 * 28 - 1))


def dense_layer(inputs: int, inner: int = 128) -> Report:
    """What the layers of a dense block add to so many channels."""
    new = nn.Sequential(conv(inputs, inner), conv(inner, 32, 3))
    return count(new, (1, inputs, 56, 56))


def dense_macs(number: int) -> int:
    """The MACs of one of the six layers, counted from 1."""
    return int(dense_layer(64 + 32 * (number - 1)).macs)


def dearest_of_six() -> str:
    """Whether the first or the last of the six costs most, or all the same."""
    first, last = dense_macs(1), dense_macs(6)
    return "none" if first == last else "last" if last > first else "first"


def language_model(*, shared: bool = True, positions: bool = True) -> Layer:
    """A GPT with 12 layers, or one of which something is forgotten."""
    width, words = 768, 50257
    layer = nn.Sequential(
        nn.Residual(
            nn.Sequential(nn.LayerNorm(width), nn.SelfAttention(width, 12, causal=True)),
        ),
        nn.Residual(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, 4 * width),
                nn.GELU("tanh"),
                nn.Linear(4 * width, width),
            ),
        ),
    )
    logits = nn.Linear(width, words, bias=False)
    front: list[Layer] = [nn.Embedding(words, width)]
    if positions:
        front.append(nn.LearnedPositions(1024, width))
    return nn.Sequential(
        *front,
        *[layer] * 12,
        nn.LayerNorm(width),
        nn.Shared(logits) if shared else logits,
    )


@cache
def own(**forgotten: bool) -> Report:
    """Its report for a text of 1024 tokens."""
    return count(language_model(**forgotten), (1, 1024))


@cache
def theirs(*, causal: bool = True) -> Report:
    """The library's GPT-2 for the same text."""
    return count(gpt2_small(causal=causal), (1, 1024))


def logits_macs() -> int:
    """The MACs of the logits."""
    return int(linear(768, 50257, batch=1024, bias=False).macs)


def half_of_the_square() -> int:
    """The MACs of the model with exactly half of each square."""
    square = scaled_dot_product_attention(1024, 64, num_heads=12).macs
    return int(theirs(causal=False).macs - 12 * square // 2)


EXERCISES = (
    Exercise(
        label="own-bug",
        questions=(
            Question(
                asks="the number of texts that have been counted",
                kind=Whole(),
                expected=texts_counted,
                mistakes=(
                    Mistake(
                        "one text",
                        lambda: 1,
                        "One text is what was meant; the report says how it read the axes.",
                    ),
                    Mistake(
                        "features",
                        lambda: 768,
                        "Those are the features of a position; they come last in both orders.",
                    ),
                    Mistake(
                        "heads",
                        lambda: 12,
                        "Those are the heads, which are not an axis of the input.",
                    ),
                ),
            ),
            Question(
                asks="the right MACs",
                kind=Whole(),
                expected=lambda: vit_attention().macs,
                mistakes=(
                    Mistake(
                        "as counted",
                        lambda: vit_attention(batch_first=False).macs,
                        "That is the student's figure, in which each position sees itself alone.",
                    ),
                    mistakes.counted_flops(lambda: vit_attention().flops),
                    Mistake(
                        "projections alone",
                        lambda: steps_of_attention(("query", "key", "value", "output")),
                        "Those are the projections alone; scores and weighted sums are missing.",
                    ),
                    Mistake(
                        "square alone",
                        lambda: steps_of_attention(("scores", "weighted")),
                        "Those are the scores and the weighted sums alone; four projections are "
                        "missing.",
                    ),
                    Mistake(
                        "no weighted sum",
                        lambda: vit_attention().macs - steps_of_attention(("weighted",)),
                        "The weighted sum of the values is missing: it costs what the scores cost.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A figure that is too good and comes without an error is read twice; the line of "
            "assumptions below a report is there for that."
        ),
        hints=(
            "`report.assumptions` has what the report had to assume.",
            "`batch_first` is False unless you say otherwise, as in torch. What is the first "
            "axis then?",
        ),
    ),
    Exercise(
        label="own-vgg",
        questions=(
            Question(
                asks="the MACs of VGG-16",
                kind=Whole(),
                expected=lambda: vgg().macs,
                mistakes=(
                    mistakes.counted_flops(lambda: vgg().flops),
                    mistakes.counted_parameters(lambda: vgg().parameters),
                    mistakes.no_padding(lambda: vgg(padding=0).macs),
                    Mistake(
                        "no pooling",
                        lambda: vgg(pools=False).macs,
                        "The pooling is forgotten: after each of the five groups the sides are "
                        "halved.",
                    ),
                    Mistake(
                        "convolutions alone",
                        lambda: vgg_part("Conv2d"),
                        "Those are the convolutions alone; three linear layers follow.",
                    ),
                    Mistake(
                        "linear layers alone",
                        lambda: vgg_part("Linear"),
                        "Those are the linear layers alone.",
                    ),
                    Mistake(
                        "biases counted",
                        vgg_biases,
                        "You counted the biases: each is an addition, and no MAC.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The first linear layer alone has most of the parameters, and not one in a hundred "
            "of the MACs."
        ),
        hints=(
            "A list that grows in a loop, and `*` to hand it to `Sequential`: look at how the "
            "chapter builds AlexNet.",
            "The parameters have to agree with torchvision's to the last one; then look at the "
            "MACs.",
        ),
    ),
    Exercise(
        label="own-inception",
        questions=(
            Question(
                asks="the MACs of the block",
                kind=Whole(),
                expected=lambda: inception().macs,
                mistakes=(
                    mistakes.counted_flops(lambda: inception().flops),
                    mistakes.counted_parameters(lambda: inception().parameters),
                    Mistake(
                        "no pooling branch",
                        lambda: inception((0, 1, 2)).macs,
                        "The branch behind the pooling is missing: it has a convolution of 1×1.",
                    ),
                    Mistake(
                        "not narrowed",
                        lambda: inception(narrow=False).macs,
                        "You gave the wide kernels all the channels; a 1×1 convolution narrows "
                        "them first.",
                    ),
                    Mistake(
                        "no narrow branch",
                        lambda: inception((1, 2, 3)).macs,
                        "The first branch is missing, the 1×1 convolution without a partner.",
                    ),
                ),
            ),
            Question(
                asks="what the table calls operations",
                kind=Word(("MACs", "FLOPs")),
                expected=unit,
                mistakes=(
                    Mistake(
                        "FLOPs",
                        lambda: "FLOPs",
                        "Compare the table with `macs` and with `flops`: which of them rounds to "
                        "what is printed?",
                    ),
                ),
            ),
            Question(
                asks="the thousand in which the table counts parameters",
                kind=Whole(),
                expected=thousand,
                mistakes=(
                    Mistake(
                        "thousand",
                        lambda: 1000,
                        "With an ordinary thousand the parameters of the table are too few.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Narrowing the channels before a wide kernel is what makes four branches affordable; "
            "on all the channels they would cost more than twice as much."
        ),
        hints=(
            "`Concat` takes a branch after the other; two layers of a branch are a `Sequential`.",
            "A 3×3 convolution needs a padding of 1 and a 5×5 one of 2, so that all branches "
            "come out alike.",
            "Divide the parameters by what the table prints.",
        ),
    ),
    Exercise(
        label="own-mobilenet",
        questions=(
            Question(
                asks="the share of the parameters",
                kind=Ratio(),
                expected=lambda: squeezed("parameters"),
                mistakes=(
                    Mistake(
                        "of the rest",
                        lambda: squeezed("parameters", beside=True),
                        "You divided by all the rest; a share is of the whole.",
                    ),
                    Mistake(
                        "not depthwise",
                        lambda: squeezed("parameters", groups=1),
                        "Your 5×5 convolution is not depthwise: it needs as many groups as "
                        "channels.",
                    ),
                    mistakes.in_percent(lambda: 100 * squeezed("parameters")),
                    Mistake(
                        "share of the MACs",
                        lambda: squeezed("macs"),
                        "That is its share of the MACs; the parameters are asked for first.",
                    ),
                ),
            ),
            Question(
                asks="the share of the MACs",
                kind=Ratio(),
                expected=lambda: squeezed("macs"),
                mistakes=(
                    Mistake(
                        "at every pixel",
                        squeezed_everywhere,
                        "You used the squeeze at every pixel; it sees one number for each channel.",
                    ),
                    Mistake(
                        "not depthwise",
                        lambda: squeezed("macs", groups=1),
                        "Your 5×5 convolution is not depthwise: it needs as many groups as "
                        "channels.",
                    ),
                    mistakes.in_percent(lambda: 100 * squeezed("macs")),
                    Mistake(
                        "share of the parameters",
                        lambda: squeezed("parameters"),
                        "That is its share of the parameters; it uses them much less often.",
                    ),
                    Mistake(
                        "exact operations",
                        lambda: squeezed("exact_flops"),
                        "That is its share of the exact operations, with the means and the "
                        "products at every pixel; they have no MACs.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The squeeze has to wait for the mean of every plane before it can begin, so its time "
            "is not to be read off its MACs."
        ),
        hints=(
            "`conv_norm` of the chapter takes `groups` and `padding`, too.",
            "Give the body's layers names: then `report[\"squeeze\"]` has the squeeze's figures.",
        ),
    ),
    Exercise(
        label="own-dense",
        questions=(
            Question(
                asks="which layer costs most",
                kind=Word(("first", "last", "none")),
                expected=dearest_of_six,
                mistakes=(
                    Mistake(
                        "first",
                        lambda: "first",
                        "The first layer sees the fewest channels of all.",
                    ),
                    Mistake(
                        "none",
                        lambda: "none",
                        "All six *make* as many channels, but do they all read as many?",
                    ),
                ),
            ),
            Question(
                asks="its MACs",
                kind=Whole(),
                expected=lambda: dense_macs(6),
                mistakes=(
                    mistakes.counted_flops(lambda: 2 * dense_macs(6)),
                    Mistake(
                        "the first layer alone",
                        lambda: dense_macs(1),
                        "That is the first layer, or your `Concat` has lost the channels that "
                        "came in.",
                    ),
                    Mistake(
                        "its own channels",
                        lambda: dense_macs(7),
                        "You let the last layer read its own 32 channels, too: it sees the five "
                        "layers before it.",
                    ),
                    Mistake(
                        "no 1×1",
                        lambda: count(conv(128, 32, 3), (1, 128, 56, 56)).macs,
                        "That is its 3×3 convolution alone, which costs the same in all six.",
                    ),
                    Mistake(
                        "whole block",
                        lambda: sum(map(dense_macs, range(1, 7))),
                        "That is the whole block, and one layer is asked for.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The cost of a layer grows along a straight line and that of the block with the "
            "square of its depth; the narrow 1×1 convolutions keep the line flat."
        ),
        hints=(
            "`Concat(old=Identity(), new=…)` puts new channels next to those of the input.",
            "How many channels does each of the six read? Begin with 64 and add.",
        ),
    ),
    Exercise(
        label="own-language",
        questions=(
            Question(
                asks="the parameters",
                kind=Whole(),
                expected=lambda: theirs().parameters,
                mistakes=(
                    Mistake(
                        "table counted twice",
                        lambda: own(shared=False).parameters,
                        "You counted the table of words twice: the logits share its weights.",
                    ),
                    Mistake(
                        "no positions",
                        lambda: own(positions=False).parameters,
                        "The table of positions is missing.",
                    ),
                    Mistake(
                        "without the table",
                        lambda: theirs().parameters - 50257 * 768,
                        "The table of words is missing: shared or not, it is there once.",
                    ),
                ),
            ),
            Question(
                asks="the MACs",
                kind=Whole(),
                expected=lambda: theirs().macs,
                mistakes=(
                    mistakes.counted_flops(lambda: theirs().flops),
                    mistakes.full_square(lambda: theirs(causal=False).macs),
                    mistakes.half_square(half_of_the_square),
                    Mistake(
                        "no logits",
                        lambda: theirs().macs - logits_macs(),
                        "The logits are missing: their weights are shared, but they are "
                        "multiplied.",
                    ),
                    Mistake(
                        "words multiplied",
                        lambda: theirs().macs + logits_macs(),
                        "You multiplied by the table of words at the front, too; there it is "
                        "looked up.",
                    ),
                    Mistake(
                        "parameters times tokens",
                        lambda: theirs().parameters * 1024,
                        "You took each parameter once for each token: that leaves the attention's "
                        "square out, and multiplies by tables that are only looked up.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "In a model of this size the table of words has a third of the parameters, and used "
            "as logits nearly as large a part of the MACs."
        ),
        hints=(
            "One function for a layer, one for the model; `[layer] * 12` is twelve layers.",
            "`nn.Shared(layer)` runs a layer and has no weights.",
            "Compare the reports row by row: the first row that differs is the answer.",
        ),
    ),
)
