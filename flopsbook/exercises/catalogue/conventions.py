"""The exercises of the chapter on conventions."""

from __future__ import annotations

from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, Whole, Word
from flopslib import OpCount, linear
from flopslib.derivation.primitives import softmax
from flopslib.loops.counting import Tally

__all__ = ["EXERCISES"]


def ten(figure: str, terms: int = 10) -> int:
    """A figure of a dot product."""
    return int(getattr(linear(terms, 1, bias=False), figure))


def ten_questions() -> tuple[Question, ...]:
    """What the first exercise asks for."""
    return (
        Question(
            asks="the multiplications",
            kind=Whole(),
            expected=lambda: ten("multiplications"),
            mistakes=(
                Mistake(
                    "additions for multiplications",
                    lambda: ten("additions"),
                    "Each of the terms is a product; those between them are the additions.",
                ),
                Mistake(
                    "FLOPs for multiplications",
                    lambda: ten("flops"),
                    "That has the additions in it; each term is one product.",
                ),
            ),
        ),
        Question(
            asks="the additions",
            kind=Whole(),
            expected=lambda: ten("additions"),
            mistakes=(
                mistakes.one_addition_too_many(lambda: ten("multiplications")),
                Mistake(
                    "one addition too few",
                    lambda: ten("additions") - 1,
                    "That is one too few: put a plus sign between every two neighbours.",
                ),
            ),
        ),
        Question(
            asks="the MACs",
            kind=Whole(),
            expected=lambda: ten("macs"),
            mistakes=(
                mistakes.counted_flops(lambda: ten("flops")),
                Mistake(
                    "additions for MACs",
                    lambda: ten("additions"),
                    "The first product is added to nothing, and counts as a MAC all the same: "
                    "one for each term.",
                ),
            ),
        ),
        Question(
            asks="the FLOPs",
            kind=Whole(),
            expected=lambda: ten("flops"),
            mistakes=(
                mistakes.counted_macs(lambda: ten("macs")),
                mistakes.counted_exactly(lambda: ten("exact_flops")),
            ),
        ),
        Question(
            asks="the exact FLOPs",
            kind=Whole(),
            expected=lambda: ten("exact_flops"),
            mistakes=(
                mistakes.one_addition_too_many(lambda: ten("flops")),
                mistakes.additions_alone(lambda: ten("additions")),
                Mistake(
                    "MACs for exact FLOPs",
                    lambda: ten("macs"),
                    "Those are the multiplications alone, or the MACs; exact FLOPs are the "
                    "multiplications and the additions.",
                ),
            ),
        ),
    )


def unit_of(printed: float) -> str:
    """Whether a printed figure counts FLOPs or MACs, for a network of so many MACs."""
    record = OpCount(macs=5_660_000_000)
    figures = {"FLOPs": record.flops, "MACs": record.macs}
    return min(figures, key=lambda unit: abs(figures[unit] - printed))


def other_unit(printed: float) -> str:
    """The unit that it does not count in."""
    return "MACs" if unit_of(printed) == "FLOPs" else "FLOPs"


def of_softmax(kind: str, n: int = 4) -> int:
    """A figure of a softmax, or how many operations of another kind it has."""
    record = softmax(n).operations
    return int(getattr(record, kind) if hasattr(record, kind) else record.other[kind])


def all_of_softmax() -> int:
    """Everything in a softmax, of whatever kind."""
    record = softmax(4).operations
    return int(record.exact_flops + sum(record.other.values()))


def softmax_questions() -> tuple[Question, ...]:
    """What the exercise on the softmax asks for."""
    return (
        Question(
            asks="the additions",
            kind=Whole(),
            expected=lambda: of_softmax("additions"),
            mistakes=(
                Mistake(
                    "subtractions left out",
                    lambda: 4 - 1,
                    "Those are the sums alone; a subtraction counts as an addition.",
                ),
                Mistake(
                    "subtractions alone",
                    lambda: 4,
                    "Those are the subtractions alone; the exponentials have to be summed, too.",
                ),
                Mistake(
                    "a sum too many",
                    lambda: 4 + 4,
                    "One sum too many: between n numbers there are n − 1 plus signs.",
                ),
            ),
        ),
        Question(
            asks="the comparisons",
            kind=Whole(),
            expected=lambda: of_softmax("comparisons"),
            mistakes=(
                Mistake(
                    "a comparison too many",
                    lambda: 4,
                    "One too many: the first score is the largest so far without a comparison.",
                ),
            ),
        ),
        Question(
            asks="the exponentials",
            kind=Whole(),
            expected=lambda: of_softmax("exponentials"),
            mistakes=(
                Mistake(
                    "no exponential of the largest",
                    lambda: 4 - 1,
                    "You left out the largest score; its exponential is that of 0, but it is "
                    "computed like the others.",
                ),
            ),
        ),
        Question(
            asks="the divisions",
            kind=Whole(),
            expected=lambda: of_softmax("divisions"),
            mistakes=(
                Mistake(
                    "one reciprocal",
                    lambda: 1,
                    "One reciprocal and some products would do, but the algorithm of the book "
                    "divides each exponential.",
                ),
                Mistake(
                    "last by difference",
                    lambda: 4 - 1,
                    "One too few: each of the exponentials is divided by their sum.",
                ),
            ),
        ),
        Question(
            asks="the `exact_flops`",
            kind=Whole(),
            expected=lambda: of_softmax("exact_flops"),
            mistakes=(
                Mistake(
                    "everything",
                    all_of_softmax,
                    "You counted every operation; exact FLOPs are multiplications and additions "
                    "alone.",
                ),
                Mistake(
                    "divisions as multiplications",
                    lambda: of_softmax("exact_flops") + of_softmax("divisions"),
                    "You counted the divisions; they are a kind of their own.",
                ),
                Mistake(
                    "nothing",
                    lambda: of_softmax("flops"),
                    "There is no product, but there are additions.",
                ),
            ),
        ),
        Question(
            asks="the `flops`",
            kind=Whole(),
            expected=lambda: of_softmax("flops"),
            mistakes=(
                Mistake(
                    "exact for conventional",
                    lambda: of_softmax("exact_flops"),
                    "Those are exact; the usual convention charges two for each MAC, and a MAC "
                    "is a term of a dot product.",
                ),
                Mistake(
                    "everything",
                    all_of_softmax,
                    "You counted every operation; the usual convention looks at dot products "
                    "alone.",
                ),
            ),
        ),
    )


def ceiling(operations: int) -> int:
    """The most images a second on a chip of 20 TFLOP/s, for so many operations each."""
    return 20 * 10**12 // operations


def model(figure: str) -> int:
    """The FLOPs of a model that is said to need 10 G of them, or of MACs."""
    if figure == "flops":
        return 10 * 10**9
    return int(OpCount(macs=10 * 10**9).flops)


def additions_of(order: str, count: int = 8) -> int:
    """The additions that a sum takes, counted: from left to right, or in pairs."""
    tally = Tally()
    numbers = list(tally.numbers((count,)))
    while len(numbers) > 1:
        if order == "pairs":
            numbers = [a + b for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
        else:
            numbers = [numbers[0] + numbers[1], *numbers[2:]]
    return int(tally.record().additions)


def terms() -> Any:
    """The letter n."""
    from flopslib.notation import n

    return n


def sum_of_terms() -> Any:
    """The additions in a sum of n numbers: those of a dot product."""
    return linear(terms(), 1, bias=False).additions


def bias(figure: str, outputs: int = 256, inputs: int = 1024) -> int:
    """By how much a bias changes a figure."""
    both = (linear(inputs, outputs, bias=bias) for bias in (True, False))
    with_bias, without = (int(getattr(layer, figure)) for layer in both)
    return with_bias - without


EXERCISES = (
    Exercise(
        label="conventions-ten",
        questions=ten_questions(),
        worth_knowing=(
            "The two figures differ by the one addition that a dot product without a bias does "
            "not need."
        ),
        hints=(
            "Write the ten products in a row, and a plus sign wherever one is needed.",
            "A MAC is a term of the dot product; the convention makes two FLOPs of each.",
        ),
    ),
    Exercise(
        label="conventions-whose",
        questions=tuple(
            Question(
                asks=f"what {printed} counts",
                kind=Word(("MACs", "FLOPs")),
                expected=expected,
                mistakes=(Mistake("the other unit", other, sentence),),
            )
            for printed, expected, other, sentence in (
                (
                    "11.3",
                    lambda: unit_of(11.3e9),
                    lambda: other_unit(11.3e9),
                    "Divide by the multiplications: how many operations is that for each of them?",
                ),
                (
                    "5.7",
                    lambda: unit_of(5.7e9),
                    lambda: other_unit(5.7e9),
                    "That is one operation for each multiplication; and where are the additions?",
                ),
            )
        ),
        worth_knowing=(
            "A count of the multiplications settles such a question quickly; without one you "
            "have to ask who counted."
        ),
        hints=(
            "A dot product has about as many additions as multiplications.",
            "Divide the printed figure by the number of multiplications.",
        ),
    ),
    Exercise(
        label="conventions-softmax",
        questions=softmax_questions(),
        worth_knowing=(
            "On a real chip an exponential may take as long as many additions; a count of "
            "operations says nothing about that."
        ),
        hints=(
            "Four stages: the largest, the differences, the exponentials with their sum, the "
            "divisions.",
            "For each stage ask how many operations of which kind it is; then which kinds the "
            "two figures look at.",
        ),
    ),
    Exercise(
        label="conventions-bug",
        questions=(
            Question(
                asks="the right unit of the chip's figure",
                kind=Word(("TFLOPs", "TFLOP/s")),
                expected=lambda: "TFLOP/s",
                mistakes=(
                    Mistake(
                        "a count for a rate",
                        lambda: "TFLOPs",
                        "That is a count; a chip can do so many *in a second*.",
                    ),
                ),
            ),
            Question(
                asks="the right unit of the model's figure",
                kind=Word(("GFLOPs", "GFLOP/s")),
                expected=lambda: "GFLOPs",
                mistakes=(
                    Mistake(
                        "a rate for a count",
                        lambda: "GFLOP/s",
                        "That is a rate; the model needs its operations once for each image, "
                        "however long that takes.",
                    ),
                ),
            ),
            Question(
                asks="the ceiling in images a second if the model's figure was in MACs",
                kind=Whole(),
                expected=lambda: ceiling(model("macs")),
                mistakes=(
                    Mistake(
                        "as printed",
                        lambda: ceiling(model("flops")),
                        "That is the ceiling if the figure was in FLOPs; a MAC is two of them.",
                    ),
                    Mistake(
                        "halved for doubled",
                        lambda: ceiling(model("flops") // 2),
                        "You halved the work; a MAC is *more* than a FLOP.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A quotient of a rate and a count is a ceiling: real programs also wait for memory."
        ),
        hints=(
            "Which of the two figures would change if you waited longer?",
            "How many FLOPs does the chip do for one MAC?",
        ),
    ),
    Exercise(
        label="conventions-tree",
        questions=(
            Question(
                asks="the additions from left to right",
                kind=Whole(),
                expected=lambda: additions_of("left"),
                mistakes=(mistakes.one_addition_too_many(lambda: 8),),
            ),
            Question(
                asks="the additions in pairs",
                kind=Whole(),
                expected=lambda: additions_of("pairs"),
                mistakes=(
                    mistakes.one_addition_too_many(lambda: 8),
                    Mistake(
                        "first round",
                        lambda: 8 // 2,
                        "Those are the additions of the first round; the pairs have to be added, "
                        "too.",
                    ),
                    Mistake(
                        "rounds",
                        lambda: (8).bit_length() - 1,
                        "Those are the rounds, and each has several additions at once.",
                    ),
                ),
            ),
            Question(
                asks="the additions in any order, for n products",
                kind=Expression(("n",)),
                expected=sum_of_terms,
                mistakes=(
                    mistakes.one_addition_too_many(terms),
                    Mistake(
                        "half of them",
                        lambda: terms() / 2,
                        "Those are the pairs of the first round; their sums have to be added, too.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The same argument counts the matches of a knock-out tournament: each of them sends "
            "one player home."
        ),
        hints=(
            "How many numbers fewer are there after one addition?",
            "With how many do you begin, and with how many do you end?",
        ),
    ),
    Exercise(
        label="conventions-choice",
        questions=(
            Question(
                asks="what the bias adds to `flops`",
                kind=Whole(),
                expected=lambda: bias("flops"),
                mistakes=(
                    Mistake(
                        "exact for conventional",
                        lambda: bias("exact_flops"),
                        "That is what the exact figure does; the convention looks at the terms "
                        "of dot products alone.",
                    ),
                    Mistake(
                        "bias as a term",
                        lambda: 2 * bias("exact_flops"),
                        "You counted each bias as a MAC; but it is multiplied by nothing.",
                    ),
                ),
            ),
            Question(
                asks="what it adds to `exact_flops`",
                kind=Whole(),
                expected=lambda: bias("exact_flops"),
                mistakes=(
                    Mistake(
                        "conventional for exact",
                        lambda: bias("flops"),
                        "The exact figure counts every addition, and a bias is one for each "
                        "output.",
                    ),
                    Mistake(
                        "bias as a term",
                        lambda: 2 * bias("exact_flops"),
                        "You counted each bias as a MAC; but it is multiplied by nothing.",
                    ),
                    Mistake(
                        "one for each input",
                        lambda: bias("exact_flops", outputs=1024, inputs=256),
                        "That is one for each input; a bias is added to each *output*.",
                    ),
                    mistakes.one_output(lambda: bias("exact_flops", outputs=1)),
                ),
            ),
        ),
        worth_knowing="With a bias the two figures of a linear layer are the same.",
        hints=(
            "How many additions has one output without a bias, and how many with one?",
            "For which of them had the convention charged already?",
        ),
    ),
)
