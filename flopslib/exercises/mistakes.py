"""The mistakes that return in every chapter, so that each is described once.

Each function takes what the mistake gives: a callable without arguments, or, where a
function is asked for, the wrong function. One that fits a single exercise is a
:class:`~flopslib.exercises.exercise.Mistake` beside that exercise.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flopslib.exercises.exercise import Mistake

__all__ = [
    "added_a_bias",
    "additions_alone",
    "budget_in_flops",
    "budget_in_macs",
    "counted_exactly",
    "counted_flops",
    "counted_macs",
    "counted_parameters",
    "dropped_the_bias",
    "forgot_groups",
    "forgot_input_channels",
    "forgot_output_channels",
    "forgot_samples",
    "forgot_tokens",
    "forward_alone",
    "full_square",
    "half_square",
    "heads_multiplied",
    "in_percent",
    "input_pixels",
    "kernel_not_squared",
    "no_padding",
    "one_addition_too_many",
    "one_head",
    "one_layer",
    "one_of_two",
    "one_output",
    "one_side",
    "over_the_budget",
    "powers_of_ten",
    "powers_of_two",
    "upside_down",
]

Gives = Callable[..., Any]


def counted_macs(gives: Gives) -> Mistake:
    """MACs where FLOPs are asked for."""
    sentence = "That is exactly half: you counted MACs, and FLOPs are asked for, two for each MAC."
    return Mistake("MACs for FLOPs", gives, sentence, Fraction(1, 2))


def counted_flops(gives: Gives) -> Mistake:
    """FLOPs where MACs are asked for."""
    sentence = (
        "That is exactly double: you counted FLOPs, and MACs are asked for; "
        "a multiplication and its addition are one MAC."
    )
    return Mistake("FLOPs for MACs", gives, sentence, Fraction(2))


def counted_exactly(gives: Gives) -> Mistake:
    """n − 1 additions for n products, where the convention charges n."""
    sentence = (
        "You counted exactly, one addition less than products; "
        "the convention that is asked for charges two for each MAC."
    )
    return Mistake("exact for conventional", gives, sentence)


def one_addition_too_many(gives: Gives) -> Mistake:
    """N additions for n products, where n − 1 are performed."""
    sentence = (
        "That is one addition too many for each output: "
        "between n products there are n − 1 plus signs."
    )
    return Mistake("one addition too many", gives, sentence)


def additions_alone(gives: Gives) -> Mistake:
    """The additions without the multiplications."""
    return Mistake(
        "additions alone", gives, "You counted the additions and left out the multiplications."
    )


def dropped_the_bias(gives: Gives) -> Mistake:
    """No bias, where there is one."""
    sentence = "The bias is left out: it adds one number to each output."
    return Mistake("no bias", gives, sentence)


def added_a_bias(gives: Gives) -> Mistake:
    """A bias, where there is none."""
    sentence = "You added a bias, and this layer has none."
    return Mistake("a bias too many", gives, sentence)


def counted_parameters(gives: Gives) -> Mistake:
    """Weights, where operations are asked for."""
    sentence = (
        "Those are the parameters: each is stored once, but used again for every output it serves."
    )
    return Mistake("parameters for operations", gives, sentence)


def forgot_groups(gives: Gives) -> Mistake:
    """Every output sees all input channels."""
    sentence = (
        "You forgot to divide by the groups: an output sees the input channels of its group alone."
    )
    return Mistake("groups forgotten", gives, sentence)


def forgot_input_channels(gives: Gives) -> Mistake:
    """A window on one input channel."""
    sentence = "That is for a single input channel: the window reaches through all of them."
    return Mistake("one input channel", gives, sentence)


def forgot_output_channels(gives: Gives) -> Mistake:
    """One output channel."""
    sentence = "That is for a single output channel: each of them has a kernel of its own."
    return Mistake("one output channel", gives, sentence)


def kernel_not_squared(gives: Gives) -> Mistake:
    """K terms a channel instead of K²."""
    sentence = "The kernel is not squared: its cells fill an area, height times width."
    return Mistake("kernel not squared", gives, sentence)


def one_side(gives: Gives) -> Mistake:
    """One side of the image instead of its area."""
    sentence = "That is for a single row of pixels: the output is an area, height times width."
    return Mistake("one row of pixels", gives, sentence)


def one_output(gives: Gives) -> Mistake:
    """The cost of one output."""
    sentence = "That is what one output costs; now count how many outputs there are."
    return Mistake("one output", gives, sentence)


def input_pixels(gives: Gives) -> Mistake:
    """The input's pixels instead of the output's."""
    sentence = "You counted the pixels of the input; a dot product is formed for each *output*."
    return Mistake("input pixels", gives, sentence)


def no_padding(gives: Gives) -> Mistake:
    """The output without padding."""
    sentence = "That is without padding, which gives the window more places to stand at."
    return Mistake("no padding", gives, sentence)


def forgot_samples(gives: Gives) -> Mistake:
    """One sample instead of the batch."""
    sentence = "That is for one sample, and the question asks for the whole batch."
    return Mistake("batch forgotten", gives, sentence)


def forgot_tokens(gives: Gives) -> Mistake:
    """One token instead of the sequence."""
    sentence = "That is for one token, and the question asks for the whole sequence."
    return Mistake("one token", gives, sentence)


def one_head(gives: Gives) -> Mistake:
    """One head instead of all."""
    sentence = "That is for a single head, and the question asks for all of them."
    return Mistake("one head", gives, sentence)


def heads_multiplied(gives: Gives) -> Mistake:
    """The full width for each head."""
    sentence = (
        "You multiplied by the number of heads, but the heads *share* the width: "
        "each has its part of it."
    )
    return Mistake("heads multiplied", gives, sentence)


def full_square(gives: Gives) -> Mistake:
    """All pairs, although the future is masked."""
    sentence = "That is the full square of pairs: with a causal mask no token sees a later one."
    return Mistake("full square", gives, sentence)


def half_square(gives: Gives) -> Mistake:
    """Half of the square, where a token sees itself, too."""
    sentence = (
        "Half of the square is not quite it: every token sees itself, so the diagonal is whole."
    )
    return Mistake("half the square", gives, sentence)


def one_layer(gives: Gives) -> Mistake:
    """One of several layers."""
    sentence = "That is for one layer, and the question asks for all of them."
    return Mistake("one layer", gives, sentence)


def forward_alone(gives: Gives) -> Mistake:
    """The forward pass without the backward one."""
    sentence = "That is the forward pass alone; training goes backward, too, at twice its price."
    return Mistake("forward alone", gives, sentence)


def powers_of_ten(gives: Gives) -> Mistake:
    """Units of powers of ten where powers of two are asked for: GB for GiB."""
    sentence = "You used powers of ten, such as GB; the question asks for powers of two, as in GiB."
    return Mistake("GB for GiB", gives, sentence)


def powers_of_two(gives: Gives) -> Mistake:
    """Units of powers of two where powers of ten are asked for: GiB for GB."""
    sentence = "You used powers of two, such as GiB; the question asks for powers of ten, as in GB."
    return Mistake("GiB for GB", gives, sentence)


def upside_down(gives: Gives) -> Mistake:
    """The inverse ratio."""
    sentence = "The ratio is upside down: divide the other way round."
    return Mistake("upside down", gives, sentence)


def in_percent(gives: Gives) -> Mistake:
    """A hundred times the ratio."""
    sentence = "That is a percentage; the question asks for the ratio itself."
    return Mistake("percentage for ratio", gives, sentence, Fraction(100))


def one_of_two(gives: Gives) -> Mistake:
    """One of two equal parts."""
    sentence = "That is one of the two; the question asks for both together."
    return Mistake("one of the two", gives, sentence)


def budget_in_macs(gives: Gives) -> Mistake:
    """A budget of FLOPs, spent on MACs."""
    sentence = "You spent the budget on MACs; it is in FLOPs, two for each."
    return Mistake("budget in MACs", gives, sentence)


def budget_in_flops(gives: Gives) -> Mistake:
    """A budget of MACs, spent on FLOPs."""
    sentence = "You spent the budget on FLOPs; it is in MACs, and each of them is two FLOPs."
    return Mistake("budget in FLOPs", gives, sentence)


def over_the_budget(gives: Gives) -> Mistake:
    """The first that is too expensive."""
    sentence = "That costs a little more than the budget allows: round down."
    return Mistake("over the budget", gives, sentence)
