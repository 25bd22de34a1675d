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
    """The questions of the first exercise."""
    return (
        Question(
            asks="the multiplications",
            kind=Whole(),
            expected=lambda: ten("multiplications"),
            mistakes=(
                Mistake(
                    "additions for multiplications",
                    lambda: ten("additions"),
                    "Those are the plus signs between the terms; each of the terms is a product.",
                ),
                Mistake(
                    "FLOPs for multiplications",
                    lambda: ten("flops"),
                    "That includes the additions; each term is one product.",
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
                    "That is one too few: there is a plus sign between every two neighbours.",
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
                    "Those are the additions; the first product is added to nothing and still "
                    "counts as a MAC, one for each term.",
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
                    "Those are the MACs, as many as multiplications; exact FLOPs are the "
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
    """The questions of the exercise on the softmax."""
    return (
        Question(
            asks="the additions",
            kind=Whole(),
            expected=lambda: of_softmax("additions"),
            mistakes=(
                Mistake(
                    "subtractions left out",
                    lambda: 4 - 1,
                    "Those are the sums alone; a subtraction counts as an addition, too.",
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
                    "You left out the largest score; its exponential is computed like the "
                    "others, although it is that of 0.",
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
                    "One reciprocal and four products would do, but the algorithm of the book "
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
                    "You counted the divisions; they are in `other`, not in `exact_flops`.",
                ),
                Mistake(
                    "nothing",
                    lambda: of_softmax("flops"),
                    "There is no product in a softmax, but there are additions.",
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
            "FLOPs and exact FLOPs differ by the one addition that a dot product without a bias "
            "does not need."
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
                    "That is one operation for each multiplication, so the additions are missing.",
                ),
            )
        ),
        worth_knowing=(
            "A count of the multiplications answers such a question; without one you have to "
            "ask the author of the table."
        ),
        hints=(
            "A dot product has about as many additions as multiplications.",
            "Divide the printed number by the number of multiplications.",
        ),
    ),
    Exercise(
        label="conventions-softmax",
        questions=softmax_questions(),
        worth_knowing=(
            "A count of operations says nothing about time: an exponential counts as one "
            "operation here, however many instructions a chip needs for it."
        ),
        hints=(
            "Four stages: the largest, the differences, the exponentials with their sum, the "
            "divisions.",
            "For each stage ask how many operations of each kind it takes; then which kinds are "
            "in `exact_flops` and in `flops`.",
        ),
    ),
    Exercise(
        label="conventions-bug",
        questions=(
            Question(
                asks="the right unit for the chip",
                kind=Word(("TFLOPs", "TFLOP/s")),
                expected=lambda: "TFLOP/s",
                mistakes=(
                    Mistake(
                        "a count for a rate",
                        lambda: "TFLOPs",
                        "That is a count; the chip performs that many *in a second*.",
                    ),
                ),
            ),
            Question(
                asks="the right unit for the model",
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
                asks="the upper limit in images a second if the model's count was in MACs",
                kind=Whole(),
                expected=lambda: ceiling(model("macs")),
                mistakes=(
                    Mistake(
                        "as printed",
                        lambda: ceiling(model("flops")),
                        "That is the limit if the count was in FLOPs; a MAC is two of them.",
                    ),
                    Mistake(
                        "halved for doubled",
                        lambda: ceiling(model("flops") // 2),
                        "You halved the work; a MAC is two FLOPs, so the work is doubled.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The quotient of a rate and a count is an upper limit: real programs also wait for "
            "memory."
        ),
        hints=(
            "Which of the two would change if you waited longer?",
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
                        "Those are the rounds, and most of them have several additions.",
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
            "The same argument counts the matches of a knock-out tournament: each match sends "
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
                        "That is the change of the exact count; the convention counts the terms "
                        "of dot products alone.",
                    ),
                    Mistake(
                        "bias as a term",
                        lambda: 2 * bias("exact_flops"),
                        "You counted each bias as a MAC, but it is not multiplied by anything.",
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
                        "That is the change of `flops`; the exact count has every addition, and a "
                        "bias is one for each output.",
                    ),
                    Mistake(
                        "bias as a term",
                        lambda: 2 * bias("exact_flops"),
                        "You counted each bias as a MAC, but it is not multiplied by anything.",
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
        worth_knowing="With a bias the two counts of a linear layer are the same.",
        hints=(
            "How many additions has one output without a bias, and how many with one?",
            "For which of them has the convention charged already?",
        ),
    ),
)
