"""The exercises of the chapter on convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Function, OneDigit, Ratio, Whole, Word
from flopslib import conv2d, conv_output_size, depthwise_conv2d

__all__ = ["EXERCISES"]

CELLS = 3 * 3


def head(c_in: int = 32, c_out: int = 96, kernel: Any = 3, height: int = 40) -> Any:
    """The layer of the first exercise."""
    return conv2d(c_in, c_out, kernel, height, 40, bias=False)


def small_against_large(
    small: Any = 3, large: Any = 5, layers: int = 2, channels: int = 64
) -> Fraction:
    """Small kernels one after another, as a ratio of a large one."""
    one, other = (conv2d(channels, channels, k, 56, 56, bias=False).macs for k in (small, large))
    return Fraction(layers * one, other)


def depends_on_channels() -> str:
    """Whether that ratio does."""
    ratios = {small_against_large(channels=channels) for channels in (2, 7, 64)}
    return "yes" if len(ratios) > 1 else "no"


def side(dilation: int = 4, padding: int = 0) -> int:
    """The side of the output in the exercise on dilation."""
    size: int = conv_output_size(32, 3, dilation=dilation, padding=padding)
    return size


def padding_for(wanted: int, dilation: int = 4) -> int:
    """The padding that gives an output of a certain side."""
    return next(p for p in range(32) if side(dilation, p) == wanted)


def groups_as_printed() -> int:
    """The number of groups at which the printed figure is right."""
    printed = depthwise_conv2d(32, 3, 112, 112, bias=False).macs
    return next(
        groups
        for groups in (1, 2, 4, 8, 16, 32)
        if conv2d(32, 32, 3, 112, 112, groups=groups, bias=False).macs == printed
    )


def apart(figure: str = "macs", **wrong: Any) -> Callable[..., int]:
    """A count of a grouped and dilated convolution, from its input, with some sizes wrong."""

    def count(c_in: int, c_out: int, kernel: int, side: int, dilation: int, groups: int) -> int:
        given = {"c_in": c_in, "c_out": c_out, "dilation": dilation, "groups": groups} | wrong
        out = wrong.get("out") or conv_output_size(side, kernel, dilation=given["dilation"])
        layer = conv2d(
            given["c_in"], given["c_out"], kernel, out, out, groups=given["groups"], bias=False
        )
        return int(getattr(layer, figure))

    return count


def spread_windows(sizes: Iterator[int]) -> tuple[Any, ...]:
    """Sizes for it: groups that divide both channels, an image that the window fits into."""
    groups, inside, outside, kernel, dilation, room = (next(sizes) for _ in range(6))
    side = dilation * (kernel - 1) + 1 + room
    return groups * inside, groups * outside, kernel, side, dilation, groups


def whole_image(c_in: int, c_out: int, kernel: int, side: int, _: int, groups: int) -> int:
    """As many outputs as the input has pixels."""
    return int(conv2d(c_in, c_out, kernel, side, side, groups=groups, bias=False).macs)


def cell_too_far(c_in: int, c_out: int, kernel: int, side: int, dilation: int, groups: int) -> int:
    """A window that reaches over D·K pixels."""
    out = side - dilation * kernel + 1
    if out < 1:
        return 0
    return int(conv2d(c_in, c_out, kernel, out, out, groups=groups, bias=False).macs)


def one_group(c_in: int, c_out: int, kernel: int, side: int, dilation: int, groups: int) -> int:
    """The channels of a single group."""
    return apart()(c_in // groups, c_out // groups, kernel, side, dilation, 1)


def filled(c_in: int, c_out: int, kernel: int, side: int, dilation: int, groups: int) -> int:
    """A window without holes: every pixel that it covers is multiplied."""
    out = conv_output_size(side, kernel, dilation=dilation)
    covered = dilation * (kernel - 1) + 1
    return int(conv2d(c_in, c_out, covered, out, out, groups=groups, bias=False).macs)


def most_channels(
    step: int = 1, groups: int = 1, figure: str = "flops", kernel: Any = 3, height: int = 56
) -> int:
    """The most channels that a budget allows."""

    def cost(n: int) -> Any:
        layer = conv2d(n, n, kernel, height, 56, groups=groups, bias=False)
        return getattr(layer, figure)

    return largest_within(500_000_000, cost, step=step)


EXERCISES = (
    Exercise(
        label="conv2d-head",
        questions=(
            Question(
                asks="the MACs, to one digit",
                kind=OneDigit(),
                expected=lambda: head().macs,
                mistakes=(
                    mistakes.counted_flops(lambda: head().flops),
                    mistakes.kernel_not_squared(lambda: head(kernel=(3, 1)).macs),
                    mistakes.forgot_input_channels(lambda: head(c_in=1).macs),
                    mistakes.forgot_output_channels(lambda: head(c_out=1).macs),
                    mistakes.one_side(lambda: head(height=1).macs),
                    mistakes.one_output(lambda: head().steps[0].per_output.macs),
                    mistakes.counted_parameters(lambda: 96 * head().steps[0].per_output.macs),
                ),
                coincide=(("one input channel", "one row of pixels"),),
            ),
        ),
        worth_knowing=(
            "You can multiply numbers of one digit in your head, and most mistakes change the "
            "first digit of the result."
        ),
        hints=(
            "One output pixel is a dot product over the window: how many terms has it?",
            "Round the terms, the pixels of one channel and the channels to one digit each.",
        ),
    ),
    Exercise(
        label="conv2d-vgg",
        questions=(
            Question(
                asks="the cost of the two small ones as a ratio of the large one's",
                kind=Ratio(),
                expected=small_against_large,
                mistakes=(
                    mistakes.one_of_two(lambda: small_against_large(layers=1)),
                    mistakes.upside_down(lambda: 1 / small_against_large()),
                    mistakes.kernel_not_squared(lambda: small_against_large((3, 1), (5, 1))),
                ),
            ),
            Question(
                asks="does the ratio depend on the channels",
                kind=Word(("yes", "no")),
                expected=depends_on_channels,
                mistakes=(
                    Mistake(
                        "channels do not cancel",
                        lambda: "yes",
                        "Write both products down; the channels are in both, so they cancel.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The two small ones also have fewer weights, in the same ratio, and a "
            "nonlinearity between them."
        ),
        hints=(
            "Which factors do the layers have in common? They cancel.",
            "Count the terms that one output has in each channel, and remember that there are "
            "two small layers.",
        ),
    ),
    Exercise(
        label="conv2d-dilation",
        questions=(
            Question(
                asks="the cost with dilation as a ratio of the cost without",
                kind=Ratio(),
                expected=lambda: Fraction(side() ** 2, side(dilation=1) ** 2),
                mistakes=(
                    Mistake(
                        "sides for areas",
                        lambda: Fraction(side(), side(dilation=1)),
                        "That is the ratio of the sides; pixels fill an area.",
                    ),
                    mistakes.upside_down(lambda: Fraction(side(dilation=1) ** 2, side() ** 2)),
                    Mistake(
                        "holes counted",
                        lambda: Fraction(side() ** 2 * 9**2, side(dilation=1) ** 2 * CELLS),
                        "You counted the holes as terms: a dilated kernel is wider, but it has "
                        "no more cells than before.",
                    ),
                    Mistake(
                        "holes counted, pixels kept",
                        lambda: Fraction(9**2, CELLS),
                        "You counted the holes as terms, and the output as unchanged: the "
                        "kernel has no more cells than before, and it has fewer places.",
                    ),
                    Mistake(
                        "output unchanged",
                        lambda: Fraction(1),
                        "A pixel costs as much as before, but there are fewer pixels.",
                    ),
                ),
            ),
            Question(
                asks="the padding on each side that restores the output",
                kind=Whole(),
                expected=lambda: padding_for(side(dilation=1)),
                mistakes=(
                    Mistake(
                        "input restored",
                        lambda: padding_for(32),
                        "That makes the output as large as the *input*; without dilation and "
                        "padding it was smaller than that.",
                    ),
                    Mistake(
                        "both ends together",
                        lambda: 2 * padding_for(side(dilation=1)),
                        "That is the padding of both ends together; the question asks for one.",
                        Fraction(2),
                    ),
                    Mistake(
                        "dense padding",
                        lambda: padding_for(32, dilation=1),
                        "That would do for a kernel without holes.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Dilation makes the window wider without any cost: with the output restored, the "
            "layer costs as much as before."
        ),
        hints=(
            "How many terms has one output, with and without dilation?",
            "How wide is the dilated kernel, from its first cell to its last? "
            "`conv_output_size` knows how often it fits.",
        ),
    ),
    Exercise(
        label="conv2d-bug",
        questions=(
            Question(
                asks="the number of groups",
                kind=Whole(),
                expected=groups_as_printed,
                mistakes=(
                    Mistake(
                        "channels of a group",
                        lambda: 32 // groups_as_printed(),
                        "That is the number of channels in each group.",
                    ),
                    Mistake(
                        "divided twice",
                        lambda: groups_as_printed() ** 2,
                        "You divided by the groups twice: an output sees fewer input channels, "
                        "but the number of outputs is the same.",
                    ),
                    Mistake(
                        "cells of the kernel",
                        lambda: CELLS,
                        "That is the number of cells of the kernel, and none of them is missing.",
                    ),
                ),
            ),
            Question(
                asks="the kind of layer",
                kind=Word(("ordinary", "pointwise", "depthwise")),
                expected=lambda: "depthwise" if groups_as_printed() == 32 else "ordinary",
                mistakes=(
                    Mistake(
                        "ordinary",
                        lambda: "ordinary",
                        "An ordinary convolution has one group, and the number is far too "
                        "small for it.",
                    ),
                    Mistake(
                        "pointwise",
                        lambda: "pointwise",
                        "A pointwise convolution has a kernel of one cell; this one has more.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "When a published number is too small by exactly the number of channels, look for "
            "groups that were not mentioned."
        ),
        hints=(
            "Divide the number that the formula gives by the one that was printed.",
            "Groups divide the input channels that one output sees.",
        ),
    ),
    Exercise(
        label="conv2d-apart",
        questions=(
            Question(
                asks=(
                    "a function of (c_in, c_out, kernel, side, dilation, groups) that returns "
                    "the MACs"
                ),
                kind=Function(
                    ("c_in", "c_out", "kernel", "side", "dilation", "groups"), draw=spread_windows
                ),
                expected=apart(),
                mistakes=(
                    mistakes.counted_flops(apart("flops")),
                    mistakes.counted_exactly(apart("exact_flops")),
                    mistakes.forgot_groups(apart(groups=1)),
                    mistakes.input_pixels(whole_image),
                    mistakes.one_output(lambda i, _o, k, _s, _d, g: i // g * k * k),
                    mistakes.counted_parameters(lambda i, o, k, _s, _d, g: i // g * o * k * k),
                    Mistake(
                        "one group",
                        one_group,
                        "Those are the MACs of a single group: you divided both numbers of "
                        "channels, and there are as many groups as you divided by.",
                    ),
                    Mistake(
                        "dilation forgotten",
                        apart(dilation=1),
                        "You left the cells side by side: dilated, the window reaches further and "
                        "has fewer places.",
                    ),
                    Mistake(
                        "one cell too far",
                        cell_too_far,
                        "Your window reaches one dilation too far: between K cells there are "
                        "K − 1 steps.",
                    ),
                    Mistake(
                        "holes filled",
                        filled,
                        "You multiplied the pixels in the holes, too: a dilated window covers "
                        "them and does not read them.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The two settings are independent: groups change the cost of one output, dilation "
            "changes the number of outputs."
        ),
        hints=(
            "Ask the first question alone: how many pixels does one output read, and from which "
            "channels?",
            "Then the second: over how many pixels does the window reach, and how many places "
            "has it along a side?",
            "K cells that are D apart reach over D(K − 1) + 1 pixels.",
        ),
    ),
    Exercise(
        label="conv2d-budget",
        questions=(
            Question(
                asks="the channels with one group",
                kind=Whole(),
                expected=most_channels,
                mistakes=(
                    mistakes.budget_in_macs(lambda: most_channels(figure="macs")),
                    mistakes.kernel_not_squared(lambda: most_channels(kernel=(3, 1))),
                    mistakes.one_side(lambda: most_channels(height=1)),
                    mistakes.over_the_budget(lambda: most_channels() + 1),
                ),
            ),
            Question(
                asks="the channels with 8 groups",
                kind=Whole(),
                expected=lambda: most_channels(step=8, groups=8),
                mistakes=(
                    mistakes.budget_in_macs(lambda: most_channels(step=8, groups=8, figure="macs")),
                    mistakes.forgot_groups(lambda: most_channels(step=8)),
                    Mistake(
                        "groups times channels",
                        lambda: 8 * most_channels(),
                        "A layer with groups is cheaper in proportion to them, but its cost "
                        "grows with the *square* of the channels.",
                    ),
                    mistakes.over_the_budget(lambda: most_channels(step=8, groups=8) + 8),
                ),
            ),
        ),
        worth_knowing=(
            "For a fixed budget the channels grow with the square root of the groups, but each "
            "output sees fewer of them."
        ),
        hints=(
            "Write the cost with C for both numbers of channels, and solve for C.",
            "With groups an output sees C divided by the groups; channels have to be a "
            "multiple of the groups.",
        ),
    ),
)
