"""The exercises of the chapter on the Transformer layer."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.catalogue.attention import cross
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, OneDigit, Ratio, Whole, Word
from flopslib import (
    feed_forward,
    formula,
    gated_feed_forward,
    linear,
    scaled_dot_product_attention,
    transformer_layer,
)
from flopslib.derivation import primitives

__all__ = ["EXERCISES"]


def head(tokens: int = 1, figure: str = "flops", *, layers: int = 32) -> int:
    """A text in the model of the first exercise."""
    return int(getattr(layers * transformer_layer(tokens, 4000, causal=True), figure))


def head_of(part: str, tokens: int = 1) -> int:
    """The projections, or the feed-forward networks, of that model."""
    if part == "feed-forward":
        return int((32 * feed_forward(tokens, 4000)).flops)
    return int((32 * 4 * linear(4000, 4000, batch=tokens)).flops)


def crossing(
    *,
    causal: bool = False,
    projections: int = 4,
    matrices: int = 3,
    usual: bool = False,
    products: int = 2,
) -> int:
    """The length at which the square of a layer costs as much as its matrices."""
    width, inner = 4096, 11008
    inside = matrices * linear(width, inner, bias=False).flops
    if matrices == 3:
        inside = gated_feed_forward(1, width, inner, bias=False).flops
    if usual:
        inside = feed_forward(1, width, bias=False).flops
    token = projections * linear(width, width, bias=False).flops + inside

    def behind(length: int) -> Any:
        square = scaled_dot_product_attention(length, width, causal=causal).flops
        return products * square - 2 * length * token

    return largest_within(0, behind)


def estimate(*, square: str = "causal", figure: str = "flops") -> Fraction:
    """A count of the reported model, as a ratio of the report's estimate."""
    layer = transformer_layer(2048, 2048, causal=square == "causal")
    if square == "none":
        layer = 2048 * (4 * linear(2048, 2048) + feed_forward(1, 2048))
    return Fraction(24 * int(getattr(layer, figure)), 12 * 24 * 2048 * 2048**2)


def saved(*, norms: int = 1, bias: bool = True, more: Callable[[Any], Any] = lambda d: 0) -> Any:
    """What is saved side by side, in letters: norms, and so much more a position."""
    from flopslib.notation import B, L, d

    norm = primitives.layer_norm(d, bias).operations.exact_flops
    return B * L * (norms * norm + more(d))


def saved_in_one(sample: bool) -> Any:
    """What is saved in one sample, or in one position."""
    from flopslib.notation import B, L

    return saved() / (B if sample else B * L)


def other_in_a_norm(d: Any) -> Any:
    """The divisions and the square root of a norm."""
    return sum(primitives.layer_norm(d).operations.other.values())


def macs_change() -> str:
    """Whether the norm that is saved has MACs."""
    return "yes" if primitives.layer_norm(7).operations.macs else "no"


def decoder(figure: str = "flops", *, causal: bool = True, **of_cross: Any) -> Any:
    """The decoder layer in letters."""
    return getattr(formula(transformer_layer, batch=1, causal=causal), figure) + cross(
        figure, **of_cross
    )


def half_decoder() -> Any:
    """The decoder layer with exactly half of the square."""
    from flopslib.notation import L, d

    square = scaled_dot_product_attention(L, d).flops
    return decoder(causal=False) - square / 2


def longest(width: int = 2048, figure: str = "flops", *, square: str = "causal") -> int:
    """The longest text that the budget pays for."""

    def cost(length: int) -> Any:
        if square == "none":
            return length * getattr(4 * linear(width, width) + feed_forward(1, width), figure)
        return getattr(transformer_layer(length, width, causal=square == "causal"), figure)

    return largest_within(10**12, cost)


EXERCISES = (
    Exercise(
        label="transformer-head",
        questions=(
            Question(
                asks="the FLOPs for one token, to one digit",
                kind=OneDigit(),
                expected=head,
                mistakes=(
                    mistakes.counted_macs(lambda: head(figure="macs")),
                    mistakes.one_layer(lambda: head(layers=1)),
                    Mistake(
                        "attention alone",
                        lambda: head_of("projections"),
                        "Those are the projections; the feed-forward network costs twice as "
                        "much again.",
                    ),
                    Mistake(
                        "feed-forward alone",
                        lambda: head_of("feed-forward"),
                        "Those are the feed-forward networks; a layer has four projections, too.",
                    ),
                ),
            ),
            Question(
                asks="the FLOPs for the text, to one digit",
                kind=OneDigit(),
                expected=lambda: head(1000),
                mistakes=(
                    mistakes.counted_macs(lambda: head(1000, "macs")),
                    mistakes.one_layer(lambda: head(1000, layers=1)),
                    mistakes.forgot_tokens(head),
                    Mistake(
                        "squared",
                        lambda: 1000 * 1000 * head(),
                        "You squared the length for everything; only the square of attention "
                        "grows like that, and it is small here.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "As long as a text has fewer tokens than the width has numbers, the square hardly "
            "changes the digit, and the weights tell the cost."
        ),
        hints=(
            "A layer is worth twelve squares of the width in weights, and two FLOPs for each.",
            "Round: twenty-four squares of four thousand, 32 times.",
            "For the text, multiply by the tokens, and ask whether the square changes a digit.",
        ),
    ),
    Exercise(
        label="transformer-crossing",
        questions=(
            Question(
                asks="the crossing for the full square",
                kind=Whole(),
                expected=crossing,
                mistakes=(
                    Mistake(
                        "no gate",
                        lambda: crossing(matrices=2),
                        "You counted two matrices of the network; with its gate it has three.",
                    ),
                    Mistake(
                        "the usual network",
                        lambda: crossing(usual=True),
                        "That is for the usual network of twelve squares in all; this one has "
                        "an inner width of its own.",
                    ),
                    Mistake(
                        "network alone",
                        lambda: crossing(projections=0),
                        "You left the projections out: they are matrices of the layer, too.",
                    ),
                    Mistake(
                        "scores alone",
                        lambda: crossing(products=1),
                        "You counted the scores alone: the weighted sum costs as much again.",
                    ),
                    Mistake(
                        "MACs against FLOPs",
                        lambda: crossing(products=4),
                        "You compared MACs of the matrices with FLOPs of the square.",
                    ),
                ),
            ),
            Question(
                asks="the crossing under a causal mask",
                kind=Whole(),
                expected=lambda: crossing(causal=True),
                mistakes=(
                    mistakes.half_square(lambda: 2 * crossing()),
                    Mistake(
                        "no mask",
                        crossing,
                        "That is the crossing without a mask.",
                    ),
                    Mistake(
                        "halved",
                        lambda: crossing() // 2,
                        "A mask makes the square cheaper, so the text has to be longer, not "
                        "shorter.",
                    ),
                    Mistake(
                        "not itself",
                        lambda: 2 * crossing() + 1,
                        "You let no token see itself.",
                    ),
                    Mistake(
                        "the usual network",
                        lambda: crossing(usual=True, causal=True),
                        "That is for the usual network of twelve squares in all.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The rule holds for every layer whose heads together are as wide as the model: its "
            "weights and its width are all that matters."
        ),
        hints=(
            "What does one token cost in the matrices, and what does it cost in a square of L "
            "positions?",
            "Add up the matrices: four of attention, three of the network.",
            "Under a mask a token sees (L + 1)/2 positions on average.",
        ),
    ),
    Exercise(
        label="transformer-bug",
        questions=(
            Question(
                asks="the causal count as a ratio of the estimate",
                kind=Ratio(),
                expected=estimate,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / estimate()),
                    mistakes.full_square(lambda: estimate(square="full")),
                    Mistake(
                        "without the square",
                        lambda: estimate(square="none"),
                        "That is two for each MAC, and nothing else; what did the estimate "
                        "leave out besides?",
                    ),
                    Mistake(
                        "MACs",
                        lambda: estimate(figure="macs"),
                        "You counted MACs; the report says FLOPs.",
                        Fraction(1, 2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "That a figure is short by nearly, but not quite, a factor of two is typical: one "
            "mistake for the unit, and a small one that hides behind it."
        ),
        hints=(
            "What are the twelve squares of the width: weights, MACs or FLOPs?",
            "The length equals the width here: how many squares is the visible half of the "
            "square worth?",
        ),
    ),
    Exercise(
        label="transformer-parallel",
        questions=(
            Question(
                asks="the exact FLOPs that are saved, in B, L and d",
                kind=Expression(("B", "L", "d")),
                expected=saved,
                mistakes=(
                    Mistake(
                        "one position",
                        lambda: saved_in_one(sample=False),
                        "That is for one position; a norm is computed at each of them.",
                    ),
                    Mistake(
                        "one sample",
                        lambda: saved_in_one(sample=True),
                        "That is for one sample, and the layer treats a batch of them.",
                    ),
                    Mistake(
                        "both norms",
                        lambda: saved(norms=2),
                        "One norm is saved; the other feeds both parts.",
                    ),
                    Mistake(
                        "a residual sum",
                        lambda: saved(more=lambda d: d),
                        "You saved a residual sum, too; but two results are still added to "
                        "the bypass.",
                    ),
                    Mistake(
                        "no shift",
                        lambda: saved(bias=False),
                        "The shift by β is missing: one addition for each number.",
                    ),
                    Mistake(
                        "divisions and root",
                        lambda: saved(more=other_in_a_norm),
                        "You counted the divisions and the root; exact FLOPs are "
                        "multiplications and additions.",
                    ),
                    Mistake(
                        "sums of d additions",
                        lambda: saved(more=lambda d: 2),
                        "Each of the two means sums d numbers, with d − 1 plus signs.",
                    ),
                ),
            ),
            Question(
                asks="does any figure of MACs change",
                kind=Word(("yes", "no")),
                expected=macs_change,
                mistakes=(
                    Mistake(
                        "norms have MACs",
                        lambda: "yes",
                        "A norm multiplies and adds, but by the usual convention it has no MACs.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "No counter of MACs can tell the two layers apart, and yet one of them runs faster."
        ),
        hints=(
            "What is there twice in the layer of this chapter, and once here?",
            "Look a norm up in the table of conventions: how many multiplications and "
            "additions has it for d numbers?",
        ),
    ),
    Exercise(
        label="transformer-decoder",
        questions=(
            Question(
                asks="the FLOPs in L, M and d",
                kind=Expression(("L", "M", "d")),
                expected=decoder,
                mistakes=(
                    mistakes.counted_macs(lambda: decoder("macs")),
                    mistakes.full_square(lambda: decoder(causal=False)),
                    mistakes.half_square(half_decoder),
                    Mistake(
                        "no second attention",
                        lambda: formula(transformer_layer, batch=1, causal=True).flops,
                        "The attention to the other text is missing.",
                    ),
                    Mistake(
                        "no projections of the second",
                        lambda: decoder() - cross(products=0),
                        "The second attention has projections of its own, for both texts.",
                    ),
                    Mistake(
                        "keys of its own text",
                        lambda: decoder(answering="L"),
                        "You projected all for the first text; the keys and values of the "
                        "second attention belong to the other one.",
                    ),
                    Mistake(
                        "a square of its own text",
                        lambda: decoder(pairs="LL"),
                        "In the second attention each token looks at the tokens of the other "
                        "text, not of its own.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The other text costs more than to be looked at: its keys and values are projected "
            "anew in every layer of the decoder."
        ),
        hints=(
            "Start with a layer of this chapter under a causal mask.",
            "The attention between two texts is an exercise of the chapter on attention: add it.",
        ),
    ),
    Exercise(
        label="transformer-budget",
        questions=(
            Question(
                asks="the longest text",
                kind=Whole(),
                expected=longest,
                mistakes=(
                    mistakes.budget_in_macs(lambda: longest(figure="macs")),
                    mistakes.over_the_budget(lambda: longest() + 1),
                    mistakes.full_square(lambda: longest(square="full")),
                    Mistake(
                        "no square",
                        lambda: longest(square="none"),
                        "The square is missing: a text of that length costs more.",
                    ),
                ),
            ),
            Question(
                asks="the longest text at half the width",
                kind=Whole(),
                expected=lambda: longest(1024),
                mistakes=(
                    mistakes.budget_in_macs(lambda: longest(1024, "macs")),
                    mistakes.over_the_budget(lambda: longest(1024) + 1),
                    mistakes.full_square(lambda: longest(1024, square="full")),
                    Mistake(
                        "no square",
                        lambda: longest(1024, square="none"),
                        "The square is missing: a text of that length costs more.",
                    ),
                    Mistake(
                        "four times",
                        lambda: 4 * longest(),
                        "The weights are a quarter, but the square is only halved.",
                    ),
                    Mistake(
                        "twice",
                        lambda: 2 * longest(),
                        "The square is halved, but the weights are a quarter.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The longer the text, the less a narrow layer helps: the width is in the square "
            "once, and in the weights twice."
        ),
        hints=(
            "The cost of a text is a quadratic in its length; solve it, or try.",
            "Halving the width divides one of its two terms by four, and the other by two.",
        ),
    ),
)
