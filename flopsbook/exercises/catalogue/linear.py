"""The exercises of the chapter on linear layers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, Function, OneDigit, Whole, Word
from flopslib import Derivation, linear

__all__ = ["EXERCISES"]


def first(in_features: int = 28 * 28, out_features: int = 128) -> Derivation:
    """The first layer of a classifier of images."""
    return linear(in_features, out_features)


def last_that_is_off(against: str = "exact_flops", outputs: int = 7) -> int:
    """The most inputs at which the convention is off by a hundredth of a count."""

    def left_to_a_hundredth(i: int) -> Any:
        layer = linear(i, outputs, bias=False)
        return getattr(layer, against) - 100 * (layer.flops - layer.exact_flops)

    return largest_within(0, left_to_a_hundredth)


def depends_on_outputs() -> str:
    """Whether that depends on the number of outputs."""
    return "yes" if len({last_that_is_off(outputs=outputs) for outputs in (2, 3, 11)}) > 1 else "no"


def thin(n: Any, r: Any) -> Derivation:
    """Two thin layers, one after the other."""
    return linear(n, r, bias=False) + linear(r, n, bias=False)


def thin_in_letters(figure: str = "flops") -> Any:
    """The cost of the two thin layers as a formula."""
    return getattr(thin(*_letters()), figure)


def multiplied_in_letters() -> Any:
    """The cost of one of the thin layers times the other's."""
    n, r = _letters()
    return 2 * linear(n, r, bias=False).macs * linear(r, n, bias=False).macs


def _letters() -> tuple[Any, Any]:
    import sympy

    n, r = sympy.symbols("n r", positive=True, integer=True)
    return n, r


def highest_rank(layers: int = 2, equal: bool = False) -> int:
    """The highest rank at which the thin layers are cheaper, or as cheap."""
    n = 1024
    wide = linear(n, n, bias=False).flops
    budget = wide if equal else wide - 1
    return largest_within(budget, lambda r: layers * linear(n, r, bias=False).flops)


def too_small(claimed: int = 16, right: int = 16 * 128) -> int:
    """By what factor a count for some rows is too small for others."""
    rows, all_rows = (linear(1024, 1024, batch=batch).flops for batch in (claimed, right))
    return int(all_rows // rows)


def bilinear(m: int, n: int, outputs: int) -> Derivation:
    """A bilinear layer: for each output a linear layer, and a dot product with the rest."""
    return outputs * (linear(n, m, bias=False) + linear(m, 1, bias=False))


def all_pairs(m: int, n: int, outputs: int) -> int:
    """Every u·v by itself, and then the dot product with the weights, for each output."""
    return int(outputs * (linear(1, m * n, bias=False) + linear(m * n, 1, bias=False)).macs)


def other_order(m: int, n: int, outputs: int) -> int:
    """The weights with u first."""
    return int(bilinear(n, m, outputs).macs)


def widest(layers: int, figure: str = "flops") -> int:
    """The widest square layers that a budget pays for."""

    def cost(width: int) -> Any:
        return getattr(layers * linear(width, width, bias=False), figure)

    return largest_within(10**8, cost)


EXERCISES = (
    Exercise(
        label="linear-head",
        questions=(
            Question(
                asks="the FLOPs for one image, to one digit",
                kind=OneDigit(),
                expected=lambda: first().flops,
                mistakes=(
                    mistakes.counted_macs(lambda: first().macs),
                    Mistake(
                        "weights for operations",
                        lambda: first().macs,
                        "It is the number of weights; each of them takes part in a "
                        "multiplication and in an addition.",
                    ),
                    mistakes.one_output(lambda: first(out_features=1).flops),
                    Mistake(
                        "one row of pixels",
                        lambda: first(in_features=28).flops,
                        "That is for one row of pixels: flattened, the image has all of them.",
                    ),
                    Mistake(
                        "doubled twice",
                        lambda: 2 * first().flops,
                        "You doubled twice: each weight takes part in one multiplication and "
                        "one addition.",
                    ),
                ),
                coincide=(("MACs for FLOPs", "weights for operations"),),
            ),
        ),
        worth_knowing=(
            "With a bias the convention is exact: the bias supplies the addition that a dot "
            "product by itself does not have."
        ),
        hints=(
            "How many numbers has the image, roughly? Round before you multiply.",
            "One output takes as many multiplications as there are inputs; how many additions?",
        ),
    ),
    Exercise(
        label="linear-percent",
        questions=(
            Question(
                asks="the largest I at which the excess is a hundredth or more",
                kind=Whole(),
                expected=last_that_is_off,
                mistakes=(
                    Mistake(
                        "against MACs",
                        lambda: last_that_is_off("macs"),
                        "You compared the excess with the MACs; the exact count has nearly two "
                        "operations for each of them.",
                    ),
                    Mistake(
                        "against additions",
                        lambda: last_that_is_off("additions"),
                        "You compared the excess with the additions alone; the exact count has "
                        "the multiplications, too.",
                    ),
                    Mistake(
                        "one further",
                        lambda: last_that_is_off() + 1,
                        "There the excess is already below a hundredth.",
                    ),
                ),
            ),
            Question(
                asks="does the answer depend on O or B",
                kind=Word(("yes", "no")),
                expected=depends_on_outputs,
                mistakes=(
                    Mistake(
                        "outputs do not cancel",
                        lambda: "yes",
                        "All outputs are alike, in both counts, so their number cancels in the "
                        "ratio.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The layers of real networks have hundreds or thousands of inputs, so the "
            "convention is never far from the exact count."
        ),
        hints=(
            "By how much do the two counts of *one* output differ?",
            "Divide the excess by the exact count of one output, and ask when the quotient is "
            "a hundredth.",
        ),
    ),
    Exercise(
        label="linear-lowrank",
        questions=(
            Question(
                asks="the FLOPs of the pair for one sample, in n and r",
                kind=Expression(("n", "r")),
                expected=thin_in_letters,
                mistakes=(
                    mistakes.counted_macs(lambda: thin_in_letters("macs")),
                    mistakes.one_of_two(lambda: linear(*_letters(), bias=False).flops),
                    mistakes.counted_exactly(lambda: thin_in_letters("exact_flops")),
                    Mistake(
                        "the wide layer",
                        lambda: linear(_letters()[0], _letters()[0], bias=False).flops,
                        "That is the wide layer, which the pair replaces.",
                    ),
                    Mistake(
                        "multiplied",
                        multiplied_in_letters,
                        "You multiplied the two layers; one is computed after the other, so "
                        "their costs add.",
                    ),
                ),
                coincide=(("MACs for FLOPs", "one of the two"),),
            ),
            Question(
                asks="the largest r at which the pair is cheaper, for n = 1024",
                kind=Whole(),
                expected=highest_rank,
                mistakes=(
                    Mistake(
                        "as cheap",
                        lambda: highest_rank(equal=True),
                        "There both cost the same, and the pair has to be cheaper.",
                    ),
                    mistakes.one_of_two(lambda: highest_rank(layers=1)),
                    Mistake(
                        "four for two",
                        lambda: highest_rank(layers=4),
                        "You doubled on one side only: either both in FLOPs, or both in MACs.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "In LoRA the rank is often 8 or 16 and the width is in the thousands, so the pair "
            "costs next to nothing compared with the layer."
        ),
        hints=(
            "Each of the two is a linear layer: how many inputs has it, and how many outputs?",
            "Set the pair equal to the wide layer, and divide by the common factors.",
        ),
    ),
    Exercise(
        label="linear-bug",
        questions=(
            Question(
                asks="the factor by which the number is too small",
                kind=Whole(),
                expected=too_small,
                mistakes=(
                    Mistake(
                        "the sequences",
                        lambda: too_small(claimed=1, right=16),
                        "The number includes the sequences already; each of them has many tokens.",
                    ),
                    Mistake(
                        "all rows",
                        lambda: too_small(claimed=1),
                        "Those are all rows, but the number includes the sequences already.",
                    ),
                    Mistake(
                        "doubled again",
                        lambda: 2 * too_small(),
                        "The number begins with a 2, so it counts FLOPs already.",
                        Fraction(2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The bias is no part of the mistake: by the usual convention it does not change the "
            "FLOPs."
        ),
        hints=(
            "How many rows has the matrix that the layer is applied to?",
            "A linear layer sees one token at a time.",
        ),
    ),
    Exercise(
        label="linear-bilinear",
        questions=(
            Question(
                asks="a function of (m, n, outputs) that returns the MACs",
                kind=Function(("m", "n", "outputs")),
                expected=lambda m, n, outputs: bilinear(m, n, outputs).macs,
                mistakes=(
                    mistakes.counted_flops(lambda m, n, outputs: bilinear(m, n, outputs).flops),
                    mistakes.one_output(lambda m, n, outputs: bilinear(m, n, 1).macs),
                    mistakes.counted_parameters(lambda m, n, outputs: m * n * outputs),
                    Mistake(
                        "no dot product with u",
                        lambda m, n, outputs: outputs * linear(n, m, bias=False).macs,
                        "You left out the dot product with u, which follows W·v for each output.",
                    ),
                    Mistake(
                        "the other order",
                        other_order,
                        "That is with u first; here W·v comes first and leaves m terms.",
                    ),
                    Mistake(
                        "every pair by itself",
                        all_pairs,
                        "You formed every product of a u and a v by itself; with W·v first, each "
                        "weight needs one MAC.",
                    ),
                ),
                coincide=(("parameters for operations", "no dot product with u"),),
            ),
        ),
        worth_knowing=(
            "The order matters: if you sum over the longer of the two vectors first, fewer numbers "
            "are left for the second sum."
        ),
        hints=(
            "For one output, W·v is a linear layer: from how many numbers to how many?",
            "Then comes a dot product of m terms; and all of it for each of the outputs.",
        ),
    ),
    Exercise(
        label="linear-budget",
        questions=(
            Question(
                asks="the width of one layer",
                kind=Whole(),
                expected=lambda: widest(1),
                mistakes=(
                    mistakes.budget_in_macs(lambda: widest(1, "macs")),
                    mistakes.over_the_budget(lambda: widest(1) + 1),
                ),
            ),
            Question(
                asks="the width of each of two layers",
                kind=Whole(),
                expected=lambda: widest(2),
                mistakes=(
                    Mistake(
                        "half the width",
                        lambda: widest(1) // 2,
                        "That is half the width, but the cost grows with the square of the width.",
                    ),
                    mistakes.budget_in_macs(lambda: widest(2, "macs")),
                    mistakes.one_layer(lambda: widest(1)),
                    mistakes.over_the_budget(lambda: widest(2) + 1),
                ),
                coincide=(("budget in MACs", "one layer"),),
            ),
        ),
        worth_knowing=(
            "Depth is cheaper than width: with twice the budget you may double the layers, but "
            "not nearly the width."
        ),
        hints=(
            "Write the cost with n for both sizes, and solve for n.",
            "Two layers get half the budget each.",
        ),
    ),
)
