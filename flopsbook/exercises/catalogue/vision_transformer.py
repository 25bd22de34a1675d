"""The exercises of the chapter on Vision Transformers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import OneDigit, Ratio, Whole, Word
from flopsbook.figures.vision import vit_parts
from flopsbook.quotes import published
from flopslib import Report, count, feed_forward, layers, linear, matmul, transformer_layer
from flopslib.models import vit_b_16, vit_b_32, vit_l_16
from flopslib.models.vit import encoder_layer

__all__ = ["EXERCISES"]

Builder = Callable[..., Any]


def counted(build: Builder = vit_b_16, side: int = 224) -> Report:
    """A network that looks at an image of a certain side."""
    return count(build(side), (1, 3, side, side))


def large_layers(tokens: int = 197, depth: int = 24) -> int:
    """The MACs of so many layers of ViT-L, of their weights alone."""
    return depth * tokens * int((4 * linear(1024, 1024) + feed_forward(1, 1024)).macs)


def right_to_estimate(part: str | None = None) -> Fraction:
    """The right number at 384 pixels, or that of a part, as a ratio of the estimate."""
    before, after = counted(), counted(side=384)
    if part is None:
        return Fraction(after.macs * 224**2, before.macs * 384**2)
    return Fraction(vit_parts(after)[part] * 224**2, vit_parts(before)[part] * 384**2)


def short_by() -> Fraction:
    """The share of the right number that the estimate is short of."""
    return 1 - 1 / right_to_estimate()


PARTS = tuple(vit_parts(counted()))


def faster_than_pixels() -> str:
    """The part that grows faster than the pixels do."""
    return max(PARTS, key=right_to_estimate)


def added(*, by: str = "fvcore", to: str = "number") -> int:
    """The operations that a program adds for each number of a norm, or of something else."""
    report = counted()
    printed = next(row["value"] for row in published("vit_b_16") if row["where"] == by)
    attention = sum(row.macs for row in report.rows if row.type == "MultiheadAttention")
    unseen = attention if by == "THOP" else vit_parts(report)["scores and weighted sum"]
    norms = [row for row in report.rows if row.type == "LayerNorm"]
    treated = {"number": len(norms) * 197 * 768, "token": len(norms) * 197, "norm": 197 * 768}
    return int((printed - (report.macs - unseen)) // treated[to])


def unread(*, parts: tuple[str, ...] = ("attention", "feed-forward"), of: str = "macs") -> Fraction:
    """The share of the network's MACs that nobody reads, of some parts of its last layer."""
    ffn = feed_forward(197, 768).macs - feed_forward(1, 768).macs
    attention = 2 * linear(768, 768, batch=196).macs
    attention += matmul(196, 768, 197).macs + matmul(196, 197, 768).macs
    found = {"attention": attention, "feed-forward": ffn}
    return Fraction(sum(found[part] for part in parts), getattr(counted(), of))


def last_layer() -> Fraction:
    """The last layer as a share of the network."""
    return Fraction(transformer_layer(197, 768, num_heads=12).macs, counted().macs)


def overlapping(stride: int, *, margin: int = 16) -> Report:
    """The network whose window moves by so many pixels, and stops so far from the edge."""
    tokens = ((224 - margin) // stride + 1) ** 2 + 1
    network = layers.Sequential(
        patches=layers.Conv2d(3, 768, 16, stride=stride),
        flatten=layers.Flatten(2),
        turn=layers.Permute((0, 2, 1)),
        token=layers.ClassToken(768),
        places=layers.PositionEmbedding(1, tokens, 768),
        layers=layers.Sequential(*[encoder_layer(768, 12, 3072)] * 12),
        norm=layers.LayerNorm(768),
        first=layers.Select(1, 0),
        head=layers.Linear(768, 1000),
    )
    return count(network, (1, 3, 224, 224))


def tokens_of(report: Report) -> int:
    """The tokens of a network."""
    shape: Any = report["token"].output_shape
    return int(shape[1])


def denser() -> Fraction:
    """By what factor the MACs grow with patches that overlap."""
    return Fraction(overlapping(8).macs, counted().macs)


def more_tokens(power: int = 1) -> Fraction:
    """By what factor the tokens grow, or a power of that."""
    ratio = Fraction(tokens_of(overlapping(8)), tokens_of(overlapping(16)))
    return Fraction(ratio.numerator**power, ratio.denominator**power)


PATCHES: dict[Builder, int] = {vit_b_32: 32, vit_b_16: 16, vit_l_16: 16}
NAMES = tuple(build.__name__ for build in PATCHES)


def largest(build: Builder, figure: str = "macs", *, budget: int = 10**11) -> int:
    """The largest side that a budget pays for."""
    step = PATCHES[build]
    return largest_within(budget, lambda side: getattr(counted(build, side), figure), step=step)


def most_tokens() -> str:
    """The network that makes most tokens of its largest image."""
    return max(PATCHES, key=lambda build: largest(build) // PATCHES[build]).__name__


def question_of_side(called: str, build: Builder) -> Question:
    """The question how large an image may be."""
    return Question(
        asks=f"the side for {called}",
        kind=Whole(),
        expected=lambda: largest(build),
        mistakes=(
            mistakes.budget_in_flops(lambda: largest(build, "flops")),
            mistakes.over_the_budget(lambda: largest(build) + PATCHES[build]),
            Mistake(
                "patches",
                lambda: largest(build) // PATCHES[build],
                "That is the number of patches along a side; the side is asked for, in pixels.",
            ),
        ),
    )


EXERCISES = (
    Exercise(
        label="vit-head",
        questions=(
            Question(
                asks="the MACs, to one digit",
                kind=OneDigit(),
                expected=lambda: counted(vit_l_16).macs,
                mistakes=(
                    mistakes.counted_flops(lambda: counted(vit_l_16).flops),
                    mistakes.counted_parameters(lambda: counted(vit_l_16).parameters),
                    mistakes.one_layer(lambda: large_layers(depth=1)),
                    Mistake(
                        "one token",
                        lambda: large_layers(1),
                        "That is for one token, and the image has many of them.",
                    ),
                    Mistake(
                        "half the depth",
                        lambda: large_layers(depth=12),
                        "Twelve squares in each of 24 layers: you took one of the two numbers "
                        "for the other.",
                    ),
                    Mistake(
                        "pixels for tokens",
                        lambda: large_layers(224 * 224),
                        "You counted the pixels; a token is a whole patch of them.",
                    ),
                ),
                coincide=(("parameters for operations", "one token"),),
            ),
        ),
        worth_knowing=(
            "Weights and tokens give nearly all of it: the patches, the head and the products "
            "between tokens do not change the first digit."
        ),
        hints=(
            "How many weights is a square of the width, roughly, and how many squares are there?",
            "Each weight is used once for each token.",
        ),
    ),
    Exercise(
        label="vit-bug",
        questions=(
            Question(
                asks="the right number as a ratio of the estimate",
                kind=Ratio(),
                expected=right_to_estimate,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / right_to_estimate()),
                    Mistake(
                        "the share that is missing",
                        short_by,
                        "That is the share that is missing; the question asks for the quotient.",
                    ),
                    Mistake(
                        "all as the square",
                        lambda: right_to_estimate("scores and weighted sum"),
                        "You let everything grow as the products between tokens do; most "
                        "of it does not.",
                    ),
                    Mistake(
                        "the pixels",
                        lambda: Fraction(384**2, 224**2),
                        "That is the ratio of the pixels, which the estimate has already.",
                    ),
                    Mistake(
                        "against the smaller image",
                        lambda: right_to_estimate() * Fraction(384**2, 224**2),
                        "That compares with the smaller image; compare with the estimate.",
                    ),
                ),
                coincide=(("all as the square", "the pixels"),),
            ),
            Question(
                asks="the part that makes the difference",
                kind=Word(PARTS),
                expected=faster_than_pixels,
                mistakes=tuple(
                    Mistake(part, part.strip, sentence)
                    for part, sentence in {
                        "projections": "Each token has its projections, however many others "
                        "there are, so they grow as the tokens do.",
                        "feed-forward": "Each token goes through it by itself, so it grows "
                        "as the tokens do.",
                        "patches and head": "The patches grow exactly as the pixels do, and the "
                        "head not at all.",
                    }.items()
                ),
            ),
        ),
        worth_knowing=(
            "The costs of one Vision Transformer at two sizes are not in the ratio of the pixels; "
            "where they are printed so, one of them was not counted."
        ),
        hints=(
            "`count` takes the shape of the image, and `vit_b_16(384)` has tokens for it.",
            "Which part has something to do for each *pair* of tokens?",
        ),
    ),
    Exercise(
        label="vit-fvcore",
        questions=(
            Question(
                asks="what it adds for each number",
                kind=Whole(),
                expected=added,
                mistakes=(
                    Mistake(
                        "what THOP adds",
                        lambda: added(by="THOP"),
                        "That is what THOP adds; the two differ.",
                    ),
                    Mistake(
                        "one norm",
                        lambda: added(to="norm"),
                        "You divided by the numbers of one norm; there are many norms.",
                    ),
                    Mistake(
                        "a token",
                        lambda: added(to="token"),
                        "That is for each token; divide by the width as well.",
                    ),
                    mistakes.counted_flops(lambda: 2 * added()),
                ),
            ),
        ),
        worth_knowing=(
            "When a difference can be divided by a size of the network without a remainder, you "
            "have most likely found its cause."
        ),
        hints=(
            "By how much does the number differ from the MACs without the products between tokens?",
            "How many numbers go through the norms of the network? Divide.",
        ),
    ),
    Exercise(
        label="vit-unread",
        questions=(
            Question(
                asks="the share that is never read, as a ratio",
                kind=Ratio(),
                expected=unread,
                mistakes=(
                    Mistake(
                        "the whole last layer",
                        last_layer,
                        "That is the whole last layer; keys and values of all tokens are "
                        "needed, and every step of the class token.",
                    ),
                    Mistake(
                        "a share of the last layer",
                        lambda: unread() / last_layer(),
                        "That is the share of the last layer; the question asks for that of "
                        "the network.",
                    ),
                    Mistake(
                        "feed-forward alone",
                        lambda: unread(parts=("feed-forward",)),
                        "In attention, too, the queries of the other tokens, their scores and "
                        "their outputs are not needed.",
                    ),
                    Mistake(
                        "attention alone",
                        lambda: unread(parts=("attention",)),
                        "The feed-forward network of all other tokens is not needed either.",
                    ),
                    Mistake(
                        "MACs of FLOPs",
                        lambda: unread(of="flops"),
                        "You divided MACs by FLOPs.",
                        Fraction(1, 2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Networks that average over all tokens instead of reading one have nothing to "
            "leave out."
        ),
        hints=(
            "Which numbers of the last layer does the class token need from the others?",
            "Keys and values for all; one query, one row of scores, and one token after that.",
            "Subtract that from the layer, and divide by the network.",
        ),
    ),
    Exercise(
        label="vit-overlap",
        questions=(
            Question(
                asks="the tokens",
                kind=Whole(),
                expected=lambda: tokens_of(overlapping(8)),
                mistakes=(
                    Mistake(
                        "no class token",
                        lambda: tokens_of(overlapping(8)) - 1,
                        "Those are the patches; the class token is a token, too.",
                    ),
                    Mistake(
                        "over the edge",
                        lambda: (224 // 8) ** 2 + 1,
                        "That window would hang over the edge: where does the last one begin?",
                    ),
                    Mistake(
                        "four times",
                        lambda: 4 * tokens_of(overlapping(16)),
                        "Not quite four times: the window has to fit in, and there is only one "
                        "class token.",
                    ),
                    Mistake(
                        "without overlap",
                        lambda: tokens_of(overlapping(16)),
                        "Those are the tokens without overlap.",
                    ),
                ),
            ),
            Question(
                asks="the factor for the MACs",
                kind=Ratio(),
                expected=denser,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / denser()),
                    Mistake(
                        "as the tokens",
                        more_tokens,
                        "That is how many times more tokens there are; the products between them "
                        "grow faster.",
                    ),
                    Mistake(
                        "as the pairs",
                        lambda: more_tokens(2),
                        "That is how many times more pairs of tokens there are; most of the "
                        "network has nothing to do with pairs.",
                    ),
                    Mistake(
                        "four times",
                        lambda: 4,
                        "Half the step makes nearly four times the windows; but which part "
                        "grows with their square?",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The parameters hardly change, only the position table grows: overlap is paid for "
            "in operations."
        ),
        hints=(
            "How often does a window of 16 fit into 224, if it moves by 8?",
            "Change the stride of the first layer and the length of the position table; "
            "everything else follows.",
        ),
    ),
    Exercise(
        label="vit-budget",
        questions=(
            question_of_side("ViT-B/32", vit_b_32),
            question_of_side("ViT-B/16", vit_b_16),
            question_of_side("ViT-L/16", vit_l_16),
            Question(
                asks="the side for ViT-B/16 with a quarter of the budget",
                kind=Whole(),
                expected=lambda: largest(vit_b_16, budget=10**11 // 4),
                mistakes=(
                    mistakes.budget_in_flops(
                        lambda: largest(vit_b_16, "flops", budget=10**11 // 4)
                    ),
                    mistakes.over_the_budget(lambda: largest(vit_b_16, budget=10**11 // 4) + 16),
                    Mistake(
                        "half",
                        lambda: largest(vit_b_16) // 2,
                        "Half the side would be no whole number of patches; and it would leave "
                        "something of the budget.",
                    ),
                    Mistake(
                        "a quarter",
                        lambda: largest(vit_b_16) // 4,
                        "A quarter of the budget is not a quarter of the side: pixels fill an "
                        "area.",
                    ),
                ),
            ),
            Question(
                asks="the network with most tokens",
                kind=Word(NAMES),
                expected=most_tokens,
                mistakes=(
                    Mistake(
                        "the largest image",
                        lambda: "vit_b_32",
                        "Its image is the largest, but so are its patches: divide.",
                    ),
                    Mistake(
                        "the largest network",
                        lambda: "vit_l_16",
                        "Its layers are the most expensive, so it can afford the fewest.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Smaller patches or a larger image: to the layers both are the same, more "
            "tokens, and only the first layer can tell them apart."
        ),
        hints=(
            "Write a loop that makes the image larger by one patch, as long as the budget "
            "pays for it.",
            "For the tokens, divide the side by the patch.",
        ),
    ),
)
