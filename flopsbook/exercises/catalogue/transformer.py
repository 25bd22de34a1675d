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
    """A sequence in the model of the first exercise."""
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
    """The length at which scores and weighted sum cost as much as the matrices."""
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
    """The decoder layer with exactly half of the pairs."""
    from flopslib.notation import L, d

    square = scaled_dot_product_attention(L, d).flops
    return decoder(causal=False) - square / 2


def longest(width: int = 2048, figure: str = "flops", *, square: str = "causal") -> int:
    """The longest sequence that the budget pays for."""

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
                        "much as they do.",
                    ),
                    Mistake(
                        "feed-forward alone",
                        lambda: head_of("feed-forward"),
                        "Those are the feed-forward networks; each layer has four projections, "
                        "too.",
                    ),
                ),
            ),
            Question(
                asks="the FLOPs for the sequence, to one digit",
                kind=OneDigit(),
                expected=lambda: head(1000),
                mistakes=(
                    mistakes.counted_macs(lambda: head(1000, "macs")),
                    mistakes.one_layer(lambda: head(1000, layers=1)),
                    mistakes.forgot_tokens(head),
                    Mistake(
                        "squared",
                        lambda: 1000 * 1000 * head(),
                        "You squared the length for everything; only the scores and the weighted "
                        "sum grow like that, and they are a small part here.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "As long as a sequence has fewer tokens than a token has numbers, the scores and the "
            "weighted sum hardly change the digit, and the weights alone give the cost."
        ),
        hints=(
            "A layer has twelve squares of the width in weights, and each costs two FLOPs.",
            "Round: twenty-four squares of four thousand, 32 times.",
            "For the sequence, multiply by its tokens, and ask whether the scores and the weighted "
            "sum change a digit.",
        ),
    ),
    Exercise(
        label="transformer-crossing",
        questions=(
            Question(
                asks="the length without a mask",
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
                        "You compared MACs of the matrices with FLOPs of the scores and the "
                        "weighted sum.",
                    ),
                ),
            ),
            Question(
                asks="the length under a causal mask",
                kind=Whole(),
                expected=lambda: crossing(causal=True),
                mistakes=(
                    mistakes.half_square(lambda: 2 * crossing()),
                    Mistake(
                        "no mask",
                        crossing,
                        "That is the length without a mask.",
                    ),
                    Mistake(
                        "halved",
                        lambda: crossing() // 2,
                        "A mask makes the scores cheaper, so the sequence has to be longer, not "
                        "shorter.",
                    ),
                    Mistake(
                        "not itself",
                        lambda: 2 * crossing() + 1,
                        "You did not let a token see itself.",
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
            "The rule holds for every layer whose heads together are as wide as the model. Only "
            "its weights and its width matter."
        ),
        hints=(
            "How many FLOPs does one token cost in the matrices, and how many for the scores and "
            "the weighted sum over L tokens?",
            "Add up the matrices: four of attention, three of the network.",
            "Under a causal mask a token sees (L + 1)/2 tokens on average.",
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
                        "without the scores",
                        lambda: estimate(square="none"),
                        "That is two FLOPs for each MAC. The estimate leaves out something else, "
                        "too.",
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
            "A count that is too small by about a factor of two often has two mistakes: the unit, "
            "and a small one that hides behind it."
        ),
        hints=(
            "Are the twelve squares of the width weights, MACs or FLOPs?",
            "The length equals the width here. How many squares of the width do the visible pairs "
            "add?",
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
                        "You saved a residual sum, too, but two results are still added to "
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
                        "Each of the two means adds up d numbers, with d − 1 plus signs.",
                    ),
                ),
            ),
            Question(
                asks="does any count of MACs change",
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
            "No count of MACs can tell the two layers apart: the norm that is saved has none."
        ),
        hints=(
            "Which step does the layer of this chapter have twice, and this one once?",
            "Look up the layer norm in the cost table: how many multiplications and additions does "
            "it have for d numbers?",
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
                        "The attention to the other sequence is missing.",
                    ),
                    Mistake(
                        "no projections of the second",
                        lambda: decoder() - cross(products=0),
                        "The second attention has projections of its own, for both sequences.",
                    ),
                    Mistake(
                        "keys of the first sequence",
                        lambda: decoder(answering="L"),
                        "You projected everything for the first sequence; the keys and values of "
                        "the second attention belong to the other one.",
                    ),
                    Mistake(
                        "pairs of the first sequence",
                        lambda: decoder(pairs="LL"),
                        "In the second attention each token looks at the tokens of the other "
                        "sequence, not of its own.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Looking at the other sequence is not all that it costs: its keys and values are "
            "projected again in every layer of the decoder."
        ),
        hints=(
            "Start with a layer of this chapter under a causal mask.",
            "The attention between two sequences is an exercise of the chapter on attention: add "
            "it.",
        ),
    ),
    Exercise(
        label="transformer-budget",
        questions=(
            Question(
                asks="the longest sequence",
                kind=Whole(),
                expected=longest,
                mistakes=(
                    mistakes.budget_in_macs(lambda: longest(figure="macs")),
                    mistakes.over_the_budget(lambda: longest() + 1),
                    mistakes.full_square(lambda: longest(square="full")),
                    Mistake(
                        "no square",
                        lambda: longest(square="none"),
                        "The scores and the weighted sum are missing: a sequence of that length "
                        "costs more.",
                    ),
                ),
            ),
            Question(
                asks="the longest sequence at half the width",
                kind=Whole(),
                expected=lambda: longest(1024),
                mistakes=(
                    mistakes.budget_in_macs(lambda: longest(1024, "macs")),
                    mistakes.over_the_budget(lambda: longest(1024) + 1),
                    mistakes.full_square(lambda: longest(1024, square="full")),
                    Mistake(
                        "no square",
                        lambda: longest(1024, square="none"),
                        "The scores and the weighted sum are missing: a sequence of that length "
                        "costs more.",
                    ),
                    Mistake(
                        "four times",
                        lambda: 4 * longest(),
                        "The weights are a quarter, but the scores and the weighted sum are only "
                        "halved.",
                    ),
                    Mistake(
                        "twice",
                        lambda: 2 * longest(),
                        "The scores and the weighted sum are halved, but the weights are a "
                        "quarter.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The longer the sequence, the less a narrow layer helps: the cost of the weights grows "
            "with the square of the width, that of the scores and the weighted sum does not."
        ),
        hints=(
            "The cost of a sequence is a quadratic in its length; solve it, or try lengths.",
            "Halving the width divides one of its two terms by four, and the other by two.",
        ),
    ),
)
