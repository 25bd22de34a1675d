"""The exercises of the chapter on depthwise separable convolutions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, OneDigit, Ratio, Whole, Word, leading
from flopslib import (
    Derivation,
    conv2d,
    depthwise_conv2d,
    depthwise_separable_conv2d,
    formula,
    pointwise_conv2d,
)

__all__ = ["EXERCISES"]


def against_ordinary(*halves: str, kernel: Any = 5) -> Fraction:
    """The halves of a separable layer that are named, against an ordinary one."""
    pair = depthwise_separable_conv2d(128, 128, kernel, 7, 7)
    counted = sum(step.macs for step in pair.steps if step.name.split()[0] in halves)
    return Fraction(counted, conv2d(128, 128, kernel, 7, 7).macs)


BOTH = ("depthwise", "pointwise")


def may_forget_smaller() -> str:
    """Whether the leading digit is the same without the smaller half."""
    same = leading(against_ordinary("pointwise")) == leading(against_ordinary(*BOTH))
    return "yes" if same else "no"


def equal_halves() -> Any:
    """The output channels at which both halves cost the same."""
    import sympy

    from flopslib.notation import C_out

    halves = formula(depthwise_separable_conv2d).steps
    [channels] = sympy.solve(halves[0].macs - halves[1].macs, C_out)
    return channels


def letters(*names: str) -> list[Any]:
    """Letters, as those of the notation table."""
    import sympy

    return [sympy.Symbol(name, positive=True, integer=True) for name in names]


def saved_by_mixing_first(figure: str = "macs", **sizes: Any) -> Any:
    """What a pointwise layer before the depthwise one saves, against the usual order."""
    from flopslib.notation import C_out

    usual = formula(depthwise_conv2d, batch=1, **sizes)
    mixed = formula(depthwise_conv2d, batch=1, channels=C_out, **sizes)
    return getattr(usual, figure) - getattr(mixed, figure)


def better_side() -> str:
    """Whether mixing first pays off where it leaves fewer channels, or more."""
    sizes = dict(zip(letters("C_in", "C_out"), (64, 32), strict=True))
    return "fewer" if saved_by_mixing_first().subs(sizes).is_positive else "more"


def slide(kind: str = "both") -> int:
    """The MACs of a separable layer, of a half of it, or of an ordinary one instead."""
    if kind == "ordinary":
        return int(conv2d(64, 128, 3, 56, 56, bias=False).macs)
    halves = depthwise_separable_conv2d(64, 128, 3, 56, 56, bias=False).steps
    return sum(int(h.macs) for h in halves if kind == "both" or h.name.startswith(kind))


def left_out() -> str:
    """The half that the number on the slide leaves out, which is the larger one."""
    return max(BOTH, key=slide)


def inverted(
    narrow: Any, t: Any, height: Any, width: Any, *, kernel: Any = 3, looking: Any = None
) -> Derivation:
    """An inverted residual: widen, look around, and narrow."""
    wide = t * narrow
    widen = pointwise_conv2d(narrow, wide, height, width, bias=False)
    look = looking or depthwise_conv2d(wide, kernel, height, width, bias=False)
    return widen + look + pointwise_conv2d(wide, narrow, height, width, bias=False)


def in_letters(figure: str = "macs", **changes: Any) -> Any:
    """The cost of an inverted residual as a formula, with something changed."""
    narrow, t, height, width = letters("C", "t", "H", "W")
    sizes = {"narrow": narrow, "t": t, "height": height, "width": width} | changes
    return getattr(inverted(**sizes), figure)


def looking_at(*, wide: bool, groups: bool) -> Any:
    """The block with another layer in the middle: on other channels, or without groups."""
    narrow, t, height, width = letters("C", "t", "H", "W")
    n = t * narrow if wide else narrow
    look = conv2d(n, n, 3, height, width, groups=n if groups else 1, bias=False)
    return in_letters(looking=look)


def not_narrowed() -> Any:
    """The block without its last layer."""
    steps = inverted(*letters("C", "t", "H", "W")).steps
    return steps[0].macs + steps[1].macs


def share_of_looking(pointwise: int = 2, itself: bool = True) -> Fraction:
    """The depthwise part, against the block or against some of the rest of it."""
    widen, look, _ = (step.macs for step in inverted(32, 6, 28, 28).steps)
    return Fraction(look, pointwise * widen + itself * look)


def widest(cost: Callable[..., Derivation], figure: str = "macs", **sizes: Any) -> int:
    """The most channels that a budget allows."""
    arguments = {"kernel_size": 3, "out_height": 28, "out_width": 28} | sizes
    return largest_within(50_000_000, lambda n: getattr(cost(n, n, **arguments), figure))


def mixing_alone() -> int:
    """The most channels that the budget allows to a pointwise layer."""
    return widest(lambda n, m, kernel_size, **sizes: pointwise_conv2d(n, m, **sizes))


EXERCISES = (
    Exercise(
        label="separable-head",
        questions=(
            Question(
                asks="the ratio of the separable layer's MACs to the ordinary one's, to one digit",
                kind=OneDigit("a ratio such as 0.5, of which one digit is enough"),
                expected=lambda: against_ordinary(*BOTH),
                mistakes=(
                    Mistake(
                        "mixing alone",
                        lambda: against_ordinary("pointwise"),
                        "That is the pointwise half alone, one over the cells of the kernel; the "
                        "depthwise half has to be added.",
                    ),
                    Mistake(
                        "looking alone",
                        lambda: against_ordinary("depthwise"),
                        "That is the depthwise half alone, one over the output channels; the other "
                        "half is the larger one.",
                    ),
                    Mistake(
                        "halves multiplied",
                        lambda: against_ordinary("depthwise") * against_ordinary("pointwise"),
                        "You multiplied the two terms; one half is computed after the other, "
                        "so they add.",
                    ),
                    mistakes.kernel_not_squared(lambda: against_ordinary(*BOTH, kernel=(5, 1))),
                    mistakes.upside_down(lambda: 1 / against_ordinary(*BOTH)),
                    mistakes.in_percent(lambda: 100 * against_ordinary(*BOTH)),
                ),
            ),
            Question(
                asks="could you have forgotten the smaller term",
                kind=Word(("yes", "no")),
                expected=may_forget_smaller,
                mistakes=(
                    Mistake(
                        "forgotten",
                        lambda: "yes",
                        "Look at the leading digit with the smaller term and without it.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Real layers have far more output channels than the kernel has cells, so one over the "
            "cells is a good first guess."
        ),
        hints=(
            "The ratio is a sum of two fractions, each with a one above the line.",
            "One of them has the cells of the kernel below it, the other the output channels.",
        ),
    ),
    Exercise(
        label="separable-half",
        questions=(
            Question(
                asks="the number of output channels at which both halves cost the same",
                kind=Expression(("C_in", "K_h", "K_w")),
                expected=equal_halves,
                mistakes=(
                    Mistake(
                        "input channels kept",
                        lambda: equal_halves() * letters("C_in")[0],
                        "The input channels are a factor of both halves, so they cancel.",
                    ),
                    mistakes.kernel_not_squared(lambda: letters("K_h")[0]),
                    Mistake(
                        "FLOPs against MACs",
                        lambda: 2 * equal_halves(),
                        "You doubled one of the halves: either both in FLOPs, or both in MACs.",
                        Fraction(2),
                    ),
                    Mistake(
                        "sides added",
                        lambda: sum(letters("K_h", "K_w")),
                        "You added the sides of the kernel; its cells are their product.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Real layers have far more channels than that, so nearly all of a separable "
            "convolution is its pointwise half."
        ),
        hints=(
            "Write down the MACs of both halves for one pixel.",
            "Set them equal, and divide by the common factors.",
        ),
    ),
    Exercise(
        label="separable-order",
        questions=(
            Question(
                asks="the MACs that mixing first saves, for one image",
                kind=Expression(("C_in", "C_out", "K_h", "K_w", "H_out", "W_out")),
                expected=saved_by_mixing_first,
                mistakes=(
                    Mistake(
                        "sign",
                        lambda: -saved_by_mixing_first(),
                        "The sign is wrong: that is what mixing first costs *more*.",
                        Fraction(-1),
                    ),
                    mistakes.counted_flops(lambda: saved_by_mixing_first("flops")),
                    mistakes.one_output(lambda: saved_by_mixing_first(out_height=1, out_width=1)),
                    Mistake(
                        "kernel forgotten",
                        lambda: saved_by_mixing_first(kernel_size=1),
                        "The kernel is missing: an output of the depthwise half has a term for "
                        "each cell of it.",
                    ),
                ),
            ),
            Question(
                asks="should the depthwise layer have the side with fewer or more channels",
                kind=Word(("fewer", "more")),
                expected=better_side,
                mistakes=(
                    Mistake(
                        "more channels",
                        lambda: "more",
                        "A depthwise layer pays for each channel that it works on.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The pointwise half costs the same in either order, so only the channels of the "
            "depthwise half matter."
        ),
        hints=(
            "Which of the two layers costs the same in both orders?",
            "On how many channels does the depthwise layer work, in the one order and in the "
            "other?",
        ),
    ),
    Exercise(
        label="separable-bug",
        questions=(
            Question(
                asks="the half that was left out",
                kind=Word(BOTH),
                expected=left_out,
                mistakes=(
                    Mistake(
                        "depthwise",
                        lambda: min(BOTH, key=slide),
                        "The number on the slide *is* that half.",
                    ),
                ),
            ),
            Question(
                asks="the ratio of the right number to the one on the slide",
                kind=Ratio(),
                expected=lambda: Fraction(slide(), slide("depthwise")),
                mistakes=(
                    Mistake(
                        "left out alone",
                        lambda: Fraction(slide("pointwise"), slide("depthwise")),
                        "That is the ratio of the other half to the one that was counted; the "
                        "layer has both.",
                    ),
                    Mistake(
                        "ordinary convolution",
                        lambda: Fraction(slide("ordinary"), slide("depthwise")),
                        "That is the ratio for an ordinary convolution; this one is separable.",
                    ),
                    Mistake(
                        "FLOPs against MACs",
                        lambda: Fraction(2 * slide(), slide("depthwise")),
                        "You compared FLOPs with MACs.",
                        Fraction(2),
                    ),
                    mistakes.upside_down(lambda: Fraction(slide("depthwise"), slide())),
                ),
            ),
        ),
        worth_knowing=(
            "A count of a separable layer has to be above that of its pointwise half, which has "
            "the product of both numbers of channels."
        ),
        hints=(
            "Compute both halves by themselves.",
            "The layer costs the sum of both.",
        ),
    ),
    Exercise(
        label="separable-inverted",
        questions=(
            Question(
                asks="the MACs of the block, in C, t, H and W",
                kind=Expression(("C", "t", "H", "W")),
                expected=in_letters,
                mistakes=(
                    mistakes.counted_flops(lambda: in_letters("flops")),
                    mistakes.kernel_not_squared(lambda: in_letters(kernel=(3, 1))),
                    mistakes.one_output(lambda: in_letters(height=1, width=1)),
                    Mistake(
                        "not narrowed",
                        not_narrowed,
                        "One pointwise layer is missing: the block widens *and* narrows.",
                    ),
                    Mistake(
                        "looking at narrow channels",
                        lambda: looking_at(wide=False, groups=True),
                        "The depthwise layer works on the *wide* channels, t times as many.",
                    ),
                    Mistake(
                        "ordinary in the middle",
                        lambda: looking_at(wide=True, groups=False),
                        "You counted an ordinary convolution in the middle; it is depthwise, "
                        "and each channel sees itself alone.",
                    ),
                ),
            ),
            Question(
                asks="the depthwise part as a ratio of the block",
                kind=Ratio(),
                expected=share_of_looking,
                mistakes=(
                    Mistake(
                        "one pointwise part",
                        lambda: share_of_looking(pointwise=1),
                        "Your block has one pointwise part; it has two.",
                    ),
                    Mistake(
                        "against the rest",
                        lambda: share_of_looking(itself=False),
                        "You compared with the rest of the block; the whole includes the "
                        "depthwise part.",
                    ),
                    Mistake(
                        "against a neighbour",
                        lambda: share_of_looking(pointwise=1, itself=False),
                        "You compared with one of the pointwise parts; compare with the block.",
                    ),
                    mistakes.upside_down(lambda: 1 / share_of_looking()),
                ),
            ),
        ),
        worth_knowing=(
            "The share of the depthwise part does not depend on t: widening multiplies the cost "
            "of all three parts by the same factor."
        ),
        hints=(
            "Three layers follow one another, so their costs add: how many channels go into "
            "each, and how many come out?",
            "For one pixel a pointwise layer costs the product of its channels; the depthwise "
            "one costs the cells of the kernel for each of the wide channels.",
        ),
    ),
    Exercise(
        label="separable-budget",
        questions=(
            Question(
                asks="the channels of an ordinary convolution",
                kind=Whole(),
                expected=lambda: widest(conv2d),
                mistakes=(
                    mistakes.budget_in_flops(lambda: widest(conv2d, "flops")),
                    mistakes.kernel_not_squared(lambda: widest(conv2d, kernel_size=(3, 1))),
                    mistakes.one_side(lambda: widest(conv2d, out_height=1)),
                    mistakes.over_the_budget(lambda: widest(conv2d) + 1),
                ),
            ),
            Question(
                asks="the channels of a separable one",
                kind=Whole(),
                expected=lambda: widest(depthwise_separable_conv2d),
                mistakes=(
                    mistakes.budget_in_flops(lambda: widest(depthwise_separable_conv2d, "flops")),
                    Mistake(
                        "depthwise half forgotten",
                        mixing_alone,
                        "You spent the whole budget on the pointwise half; the depthwise one has a "
                        "cost, too.",
                    ),
                    Mistake(
                        "three times as many",
                        lambda: 3 * widest(conv2d),
                        "At exactly a ninth of the cost there would be three times the channels, "
                        "but it is a little more than a ninth.",
                    ),
                    Mistake(
                        "nine times as many",
                        lambda: 9 * widest(conv2d),
                        "The cost grows with the *square* of the channels.",
                    ),
                    mistakes.over_the_budget(lambda: widest(depthwise_separable_conv2d) + 1),
                ),
                coincide=(("depthwise half forgotten", "three times as many"),),
            ),
        ),
        worth_knowing=(
            "With the same budget, the separable layer can have nearly three times as many "
            "channels."
        ),
        hints=(
            "With C for both numbers of channels, the cost for one pixel is a multiple of C "
            "squared; a separable layer adds a multiple of C.",
            "Divide the budget by the pixels first. Then try numbers, or solve for C.",
        ),
    ),
)
