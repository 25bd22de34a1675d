"""The mistakes that return in every chapter, so that each is described once.

Each takes what the mistake gives: a callable without arguments, or, where a
function is asked for, the wrong function. One that fits a single exercise is a
:class:`~flopsbook.exercises.exercise.Mistake` beside that exercise.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flopsbook.exercises.exercise import Mistake

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


def _usual(name: str, sentence: str, times: Fraction | None = None) -> Callable[[Gives], Mistake]:
    """Return what makes a mistake of this name, from what it gives."""

    def mistake(gives: Gives) -> Mistake:
        return Mistake(name, gives, sentence, times)

    return mistake


counted_macs = _usual(
    "MACs for FLOPs",
    "That is exactly half: you counted MACs, and FLOPs are asked for, two for each MAC.",
    Fraction(1, 2),
)
counted_flops = _usual(
    "FLOPs for MACs",
    "That is exactly double: you counted FLOPs, and MACs are asked for; a multiplication and "
    "its addition are one MAC.",
    Fraction(2),
)
counted_exactly = _usual(
    "exact for conventional",
    "You counted exactly, one addition less than products; the convention that is asked for "
    "charges two for each MAC.",
)
one_addition_too_many = _usual(
    "one addition too many",
    "That is one addition too many for each output: between n products there are n − 1 plus signs.",
)
additions_alone = _usual(
    "additions alone",
    "You counted the additions and left out the multiplications.",
)
dropped_the_bias = _usual(
    "no bias",
    "The bias is left out: it adds one number to each output.",
)
added_a_bias = _usual(
    "a bias too many",
    "You added a bias, and this layer has none.",
)
counted_parameters = _usual(
    "parameters for operations",
    "Those are the parameters: each is stored once, but used again for every output it serves.",
)
forgot_groups = _usual(
    "groups forgotten",
    "You forgot to divide by the groups: an output sees the input channels of its group alone.",
)
forgot_input_channels = _usual(
    "one input channel",
    "That is for a single input channel: the window reaches through all of them.",
)
forgot_output_channels = _usual(
    "one output channel",
    "That is for a single output channel: each of them has a kernel of its own.",
)
kernel_not_squared = _usual(
    "kernel not squared",
    "The kernel is not squared: its cells fill an area, height times width.",
)
one_side = _usual(
    "one row of pixels",
    "That is for a single row of pixels: the output is an area, height times width.",
)
one_output = _usual(
    "one output",
    "That is what one output costs; now count how many outputs there are.",
)
input_pixels = _usual(
    "input pixels",
    "You counted the pixels of the input; a dot product is formed for each *output*.",
)
no_padding = _usual(
    "no padding",
    "That is without padding, which gives the window more positions.",
)
forgot_samples = _usual(
    "batch forgotten",
    "That is for one sample, and the question asks for the whole batch.",
)
forgot_tokens = _usual(
    "one token",
    "That is for one token, and the question asks for the whole sequence.",
)
one_head = _usual(
    "one head",
    "That is for a single head, and the question asks for all of them.",
)
heads_multiplied = _usual(
    "heads multiplied",
    "You multiplied by the number of heads, but the heads *share* the width: each has its "
    "part of it.",
)
full_square = _usual(
    "full square",
    "That is the full square of pairs: with a causal mask no token sees a later one.",
)
half_square = _usual(
    "half the square",
    "Half of the square is not quite it: every token sees itself, so the diagonal is whole.",
)
one_layer = _usual(
    "one layer",
    "That is for one layer, and the question asks for all of them.",
)
forward_alone = _usual(
    "forward alone",
    "That is the forward pass alone; training goes backward, too, at twice its price.",
)
powers_of_ten = _usual(
    "GB for GiB",
    "You used powers of ten, such as GB; the question asks for powers of two, as in GiB.",
)
powers_of_two = _usual(
    "GiB for GB",
    "You used powers of two, such as GiB; the question asks for powers of ten, as in GB.",
)
upside_down = _usual(
    "upside down",
    "The ratio is upside down: divide the other way round.",
)
in_percent = _usual(
    "percentage for ratio",
    "That is a percentage; the question asks for the ratio itself.",
    Fraction(100),
)
one_of_two = _usual(
    "one of the two",
    "That is one of the two; the question asks for both together.",
)
budget_in_macs = _usual(
    "budget in MACs",
    "You spent the budget on MACs; it is in FLOPs, two for each.",
)
budget_in_flops = _usual(
    "budget in FLOPs",
    "You spent the budget on FLOPs; it is in MACs, and each of them is two FLOPs.",
)
over_the_budget = _usual(
    "over the budget",
    "That costs a little more than the budget allows: round down.",
)
