"""The exercises of the chapter on the feed-forward network."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, OneDigit, Ratio, Whole, Word
from flopslib import feed_forward, gated_feed_forward, linear, multihead_attention
from flopslib.loops.operands import parameters

__all__ = ["EXERCISES"]


def head(figure: str = "flops", *, d_ff: int | None = None) -> int:
    """One token in the network of the first exercise."""
    return int(getattr(feed_forward(1, 2000, d_ff=d_ff), figure))


def head_with_attention() -> int:
    """One token in a whole layer."""
    attention = multihead_attention(1, 2000)
    return head() + int(sum(s.flops for s in attention.steps if "projection" in s.name))


def grows(d_model: int = 512, d_ff: int = 2048) -> Fraction:
    """A network of these widths as a ratio of one of 512 and 2048."""
    before = feed_forward(10, 512, d_ff=2048)
    return Fraction(feed_forward(10, d_model, d_ff=d_ff).flops, before.flops)


def grows_in_one_layer() -> Fraction:
    """The ratio, if only the first of the two layers grew."""
    before = feed_forward(10, 512, d_ff=2048).flops
    first = linear(512, 4096, batch=10).flops
    return Fraction(first + linear(2048, 512, batch=10).flops, before)


def wider_token() -> str:
    """The width whose growth makes the output wider."""
    outputs = {
        "d": feed_forward(1, 1024, d_ff=2048).steps[-1].outputs,
        "d_ff": feed_forward(1, 512, d_ff=4096).steps[-1].outputs,
    }
    return max(outputs, key=outputs.__getitem__)


def equal_weights(*, matrices: int = 3, flops_for_weights: bool = False) -> Any:
    """The inner width at which so many matrices have the weights of the usual network."""
    import sympy

    d = sympy.Symbol("d", positive=True, integer=True)
    usual = parameters(feed_forward, 1, d, bias=False)
    if flops_for_weights:
        usual = feed_forward(1, d, bias=False).flops
    return usual / (matrices * parameters(linear, d, 1, bias=False))


def gate_costs_more(figure: str = "flops", *, products: bool = False) -> int:
    """What LLaMA's gate costs a token more than the usual network."""
    usual = feed_forward(1, 4096, bias=False)
    gated = gated_feed_forward(1, 4096, 11008, bias=False)
    more = getattr(gated, figure) - getattr(usual, figure)
    return int(more + products * 11008)


def two_of_three() -> int:
    """The same, without the layer that makes the gate."""
    return int(gate_costs_more() - linear(4096, 11008, bias=False).flops)


def calculated_with(per_width: int = 2) -> int:
    """The inner width at which the calculator is right, with so many MACs a number of it and d."""
    printed = feed_forward(1, 4096).macs
    return int(printed // (per_width * 4096))


def too_high() -> Fraction:
    """By what factor the calculator is too high."""
    return Fraction(feed_forward(1, 4096).flops, feed_forward(1, 4096, d_ff=11008).flops)


def with_experts(used: int = 2, *, router: bool = True) -> Fraction:
    """The FLOPs of so many experts, as a ratio of one network's."""
    one = feed_forward(1, 4096, bias=False)
    chooses = linear(4096, 8, bias=False).flops if router else 0
    return Fraction(used * one.flops + chooses, one.flops)


def held_by_experts(held: int = 8) -> Fraction:
    """The weights of so many experts and their router, as a ratio of one network's."""
    one = parameters(feed_forward, 1, 4096, bias=False)
    return Fraction(held * one + parameters(linear, 4096, 8, bias=False), one)


def widest(
    design: str, figure: str = "flops", *, layers: int = 24, rounds: str = "up", step: int = 64
) -> int:
    """The widest model of a design that the budget pays for."""

    def inner(width: int) -> int:
        if rounds == "usual":
            return 4 * width
        if rounds == "no":
            return max(1, 8 * width // 3)
        blocks = -(-8 * width // (3 * 256)) if rounds == "up" else 8 * width // (3 * 256)
        return 256 * max(1, blocks)

    def cost(width: int) -> Any:
        usual = design == "usual"
        one = feed_forward(1, width) if usual else gated_feed_forward(1, width, inner(width))
        return layers * getattr(one, figure)

    return largest_within(10**9, cost, step=step)


def wider_design() -> str:
    """The design that allows the wider model."""
    return max(("usual", "gated"), key=widest)


EXERCISES = (
    Exercise(
        label="ffn-head",
        questions=(
            Question(
                asks="the FLOPs for one token, to one digit",
                kind=OneDigit(),
                expected=head,
                mistakes=(
                    mistakes.counted_macs(lambda: head("macs")),
                    mistakes.counted_parameters(lambda: parameters(feed_forward, 1, 2000)),
                    Mistake(
                        "one of two layers",
                        lambda: linear(2000, 8000).flops,
                        "That is one of the two layers. The second leads back to the width.",
                    ),
                    Mistake(
                        "not widened",
                        lambda: head(d_ff=2000),
                        "Inside, the usual network is four times as wide as the model.",
                    ),
                    Mistake(
                        "attention as well",
                        head_with_attention,
                        "That is a whole layer, attention included. The question asks for the "
                        "feed-forward network alone.",
                    ),
                    Mistake(
                        "one number",
                        lambda: linear(2000, 1).flops,
                        "That is a single one of the hidden numbers.",
                    ),
                ),
                coincide=(("MACs for FLOPs", "parameters for operations", "one of two layers"),),
            ),
        ),
        worth_knowing=(
            "This is 16d². The attention of the same layer has 8d², half as much, as long as the "
            "sequence is short."
        ),
        hints=(
            "How wide is the usual network inside, and how many weights has each layer of it?",
            "There are two FLOPs for each weight. You can square two thousand in your head.",
        ),
    ),
    Exercise(
        label="ffn-width",
        questions=(
            Question(
                asks="the factor, if d is doubled",
                kind=Ratio(),
                expected=lambda: grows(d_model=1024),
                mistakes=(
                    Mistake(
                        "both doubled",
                        lambda: grows(d_model=1024, d_ff=4096),
                        "That would be right if the inner width grew as well. Here it stays.",
                    ),
                    Mistake(
                        "one of two layers",
                        grows_in_one_layer,
                        "You let one of the two layers grow, but d is a side of both.",
                    ),
                    Mistake(
                        "nothing",
                        grows,
                        "Each hidden number is a dot product of d terms. How many terms has it "
                        "now?",
                    ),
                ),
            ),
            Question(
                asks="the factor, if d_ff is doubled",
                kind=Ratio(),
                expected=lambda: grows(d_ff=4096),
                mistakes=(
                    Mistake(
                        "both doubled",
                        lambda: grows(d_model=1024, d_ff=4096),
                        "That would be right if the width of the model grew as well. Here it "
                        "stays.",
                    ),
                    Mistake(
                        "one of two layers",
                        grows_in_one_layer,
                        "You let one of the two layers grow, but the inner width is a side of "
                        "both.",
                    ),
                    Mistake(
                        "nothing",
                        grows,
                        "There are twice as many hidden numbers now, and each has its cost.",
                    ),
                ),
            ),
            Question(
                asks="which of the two makes the token wider",
                kind=Word(("d", "d_ff")),
                expected=wider_token,
                mistakes=(
                    Mistake(
                        "the inner width",
                        lambda: "d_ff",
                        "The hidden numbers are gone after the second layer. How wide is its "
                        "output?",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "So a designer may change the inner width without touching any other layer."
        ),
        hints=(
            "Write the cost as a product. Which letters does it contain, and to which power?",
            "Compare the shapes of the input and the output.",
        ),
    ),
    Exercise(
        label="ffn-gate",
        questions=(
            Question(
                asks="the inner width with as many weights, in d",
                kind=Expression(("d",)),
                expected=equal_weights,
                mistakes=(
                    Mistake(
                        "two matrices",
                        lambda: equal_weights(matrices=2),
                        "That is the usual inner width, for two matrices. A gate needs a third "
                        "one.",
                    ),
                    Mistake(
                        "four matrices",
                        lambda: equal_weights(matrices=4),
                        "You counted four matrices. Two widen the token, but only one narrows it.",
                    ),
                    Mistake(
                        "FLOPs for weights",
                        lambda: equal_weights(flops_for_weights=True),
                        "You set the FLOPs of one equal to the weights of the other.",
                    ),
                ),
            ),
            Question(
                asks="how many FLOPs more LLaMA-7B's takes for a token",
                kind=Whole(),
                expected=gate_costs_more,
                mistakes=(
                    mistakes.counted_macs(lambda: gate_costs_more("macs")),
                    mistakes.counted_exactly(lambda: gate_costs_more("exact_flops")),
                    Mistake(
                        "products of the gate",
                        lambda: gate_costs_more(products=True),
                        "By the usual convention the products of the gate are not MACs, and so "
                        "not FLOPs either.",
                    ),
                    Mistake(
                        "two of three matrices",
                        two_of_three,
                        "You counted two of its three matrices.",
                    ),
                    Mistake(
                        "the other way round",
                        lambda: -gate_costs_more(),
                        "That is the usual network's cost minus LLaMA's.",
                        Fraction(-1),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Two thirds of 4d is not a whole number here, and LLaMA rounds it up to a multiple of "
            "256. Only because of that does its network cost more."
        ),
        hints=(
            "How many matrices are there, and how many weights does each have for an inner width "
            "x?",
            "Set that equal to the weights of the usual network, and solve for x.",
            "Without biases a token costs two FLOPs for each weight.",
        ),
    ),
    Exercise(
        label="ffn-bug",
        questions=(
            Question(
                asks="the inner width it calculated with",
                kind=Whole(),
                expected=calculated_with,
                mistakes=(
                    Mistake(
                        "FLOPs for MACs",
                        lambda: 2 * calculated_with(),
                        "Each weight costs two FLOPs, so halve the printed number before you "
                        "divide.",
                        Fraction(2),
                    ),
                    Mistake(
                        "a gate",
                        lambda: calculated_with(3),
                        "That would be right for a network of three matrices. This one has no "
                        "gate.",
                    ),
                    Mistake(
                        "what it was asked for",
                        lambda: 11008,
                        "With the width that it was given, it would have printed less.",
                    ),
                    Mistake(
                        "the width of the model",
                        lambda: calculated_with(8),
                        "That is the width of the model. Divide by it to find the other width.",
                    ),
                ),
            ),
            Question(
                asks="by which factor it is too high",
                kind=Ratio(),
                expected=too_high,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / too_high()),
                    Mistake(
                        "the excess",
                        lambda: too_high() - 1,
                        "That is the excess. The question asks for the quotient.",
                    ),
                    Mistake(
                        "FLOPs by MACs",
                        lambda: 2 * too_high(),
                        "You divided FLOPs by MACs.",
                        Fraction(2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A program that accepts a setting and does not use it gives no warning. You find it by "
            "asking for which sizes its result would be right."
        ),
        hints=(
            "For which inner width would the printed number be right?",
            "Divide it by two FLOPs, by two matrices, and by the width of the model.",
        ),
    ),
    Exercise(
        label="ffn-experts",
        questions=(
            Question(
                asks="the FLOPs as a ratio",
                kind=Ratio(),
                expected=with_experts,
                mistakes=(
                    Mistake(
                        "all experts",
                        lambda: with_experts(8),
                        "A token goes through two of the networks. The others are not computed for "
                        "it.",
                    ),
                    Mistake(
                        "one expert",
                        lambda: with_experts(1),
                        "A token goes through two of the networks, not one.",
                    ),
                    Mistake(
                        "a share of the eight",
                        lambda: with_experts() / 8,
                        "That is the ratio to all eight networks. Compare with one network.",
                    ),
                ),
            ),
            Question(
                asks="the weights as a ratio",
                kind=Ratio(),
                expected=held_by_experts,
                mistakes=(
                    Mistake(
                        "those in use",
                        lambda: held_by_experts(2),
                        "Those are the weights that one token uses. The model has all eight "
                        "networks, and other tokens use the others.",
                    ),
                    Mistake(
                        "against those in use",
                        lambda: held_by_experts() / with_experts(),
                        "That compares all weights with those that one token uses. Compare with "
                        "one "
                        "network.",
                    ),
                    Mistake(
                        "one expert",
                        lambda: held_by_experts(1),
                        "That is one network and the layer that chooses. There are eight networks.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "This is why such models are built: the knowledge of a model grows with its weights, "
            "and the cost of a token does not. But all weights have to be held in memory."
        ),
        hints=(
            "Which networks are computed for one token?",
            "Which of them have to be there, because some token may need them?",
            "The layer that chooses has only eight outputs. How many weights is that, compared "
            "with "
            "one network?",
        ),
    ),
    Exercise(
        label="ffn-budget",
        questions=(
            Question(
                asks="the width with the usual network",
                kind=Whole(),
                expected=lambda: widest("usual"),
                mistakes=(
                    mistakes.budget_in_macs(lambda: widest("usual", "macs")),
                    mistakes.one_layer(lambda: widest("usual", layers=1)),
                    mistakes.over_the_budget(lambda: widest("usual") + 64),
                    Mistake(
                        "no multiple",
                        lambda: widest("usual", step=1),
                        "The width has to be a multiple of 64.",
                    ),
                ),
            ),
            Question(
                asks="the width with the gated one",
                kind=Whole(),
                expected=lambda: widest("gated"),
                mistakes=(
                    mistakes.budget_in_macs(lambda: widest("gated", "macs")),
                    mistakes.one_layer(lambda: widest("gated", layers=1)),
                    mistakes.over_the_budget(lambda: widest("gated") + 64),
                    Mistake(
                        "not rounded up",
                        lambda: widest("gated", rounds="no"),
                        "You did not round the inner width. It is rounded up to a multiple of 256.",
                    ),
                    Mistake(
                        "rounded down",
                        lambda: widest("gated", rounds="down"),
                        "You rounded the inner width down. It is rounded up.",
                    ),
                    Mistake(
                        "as wide as the usual one",
                        lambda: widest("gated", rounds="usual"),
                        "You took four times the width inside. A gated network of that inner "
                        "width has 1.5 times as many weights.",
                    ),
                ),
                coincide=(("over the budget", "not rounded up", "rounded down"),),
            ),
            Question(
                asks="the design that allows the wider model",
                kind=Word(("usual", "gated")),
                expected=wider_design,
                mistakes=(
                    Mistake(
                        "the gated one",
                        lambda: "gated",
                        "Rounding up makes the gated network cost more at most widths.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Two designs that cost the same on paper can differ by a whole step once sizes are "
            "rounded to multiples that suit the hardware."
        ),
        hints=(
            "What does one token cost in one network of each design, as a multiple of d²?",
            "Divide the budget by the number of layers, and solve for d. Then round down to a "
            "multiple.",
            "For the gated design, compute the rounded inner width at that d. Is the cost still "
            "within the budget?",
        ),
    ),
)
