"""The exercises of the chapter on other tools' figures."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Whole, Word
from flopsbook.peers import CLASSIC, SUBJECTS, Figure, figures
from flopslib import Report, count, multihead_attention
from flopslib.counters import TOOLS, predict
from flopslib.models import resnet18

__all__ = ["EXERCISES"]

#: The tools that the chapter asks, each in one way.
ASKED = CLASSIC
TITLES = tuple(TOOLS[name].title for name in ASKED)
COUNTED = ("MACs", "FLOPs", "MACs and biases", "parameters")


def stored(subject: str, tool: str, device: str = "cpu") -> Figure:
    """The first stored figure of a tool for a subject."""
    return figures(subject, tool, device)[0]


#: What the unknown counter prints.
PRINTS = {"conv2d": 11760, "linear": 252}


def unknown() -> str:
    """The tool that prints what the unknown counter prints."""
    [name] = [
        name
        for name in ASKED
        if all(stored(subject, name).value == value for subject, value in PRINTS.items())
    ]
    return TOOLS[name].title


def counted() -> str:
    """What it counts; the layer has a bias for each number that comes out."""
    report = SUBJECTS["linear"].report
    meanings = {
        report.macs: "MACs",
        report.flops: "FLOPs",
        report.macs + prod(report.rows[0].output_shape): "MACs and biases",
        report.parameters: "parameters",
    }
    return meanings[PRINTS["linear"]]


def beside_ours(tool: str) -> int:
    """What a tool reports more than our MACs for AlexNet."""
    return stored("alexnet", tool).difference


def twice() -> Figure:
    """A figure that looks like the FLOPs of ViT-B/16."""
    return stored("vit_b_16", "ptflops", "meta")


def of_twice(beginning: str) -> int:
    """The amount of the terms of its ledger that begin so."""
    return sum(term.amount for term in twice().terms if term.name.startswith(beginning))


def patches() -> int:
    """The MACs of the convolution that cuts the picture."""
    return int(sum(row.macs for row in twice().report.rows if row.type == "Conv2d"))


CAUSES = ("norms", "softmax", "activations", "products")


def cause() -> str:
    """What the largest term of the ledger is about."""
    largest = max(twice().terms, key=lambda term: term.amount)
    return next(word for word in CAUSES if word in largest.name)


#: The steps of an attention that are inside a fused kernel, by how their names begin.
INSIDE = ("scores", "weighted")


def inside(seq_len: int, width: int, names: tuple[str, ...] = INSIDE) -> int:
    """The MACs inside an attention."""
    steps = multihead_attention(seq_len, width).steps
    return int(sum(step.macs for step in steps if step.name.startswith(names)))


def normed(seq_len: int, width: int, *, each: int = 5, norms: int = 2) -> int:
    """What fvcore adds for the norms of a layer."""
    return norms * each * seq_len * width


def cancel_at(width: int = 6, *, each: int = 5, names: tuple[str, ...] = INSIDE) -> int:
    """The length at which both come to the same."""
    return next(
        length
        for length in range(1, 99)
        if inside(length, width, names) == normed(length, width, each=each)
    )


def depends_on_width() -> str:
    """Whether that length does."""
    return "yes" if len({cancel_at(width) for width in (6, 10, 64)}) > 1 else "no"


def too_low(seq_len: int = 50, width: int = 64, **parts: Any) -> int:
    """How much too low fvcore's figure is."""
    names = parts.pop("names", INSIDE)
    return inside(seq_len, width, names) - normed(seq_len, width, **parts)


@cache
def pictures(number: int) -> Report:
    """ResNet-18 on so many pictures."""
    return count(resnet18(), (number, 3, 224, 224))


FUNCTIONS = ("ReLU", "MaxPool2d", "AdaptiveAvgPool2d")


def more_for_eight(times: int = 7, kinds: tuple[str, ...] = FUNCTIONS) -> int:
    """So many times what is met as functions in one picture."""
    rows = (row for row in pictures(1).rows if row.type in kinds)
    return int(times * sum(prod(row.input_shape) for row in rows))


def eight() -> int:
    """How much larger ptflops' figure is for eight pictures."""
    batch, single = (predict(pictures(n), "ptflops")["MACs"] for n in (8, 1))
    return batch - single


def undivided() -> str:
    """Where the batch is forgotten."""
    return "functions" if eight() == more_for_eight() else "modules"


def with_sums(figure: str = "macs", times: int = 1, *, stages: tuple[str, ...] = ("layer",)) -> int:
    """ResNet-18 with its residual sums counted so many times."""
    report = pictures(1)
    sums = (row for row in report.rows if row.type == "Sum" and row.path.startswith(stages))
    return int((getattr(report, figure) if figure else 0) + times * sum(r.additions for r in sums))


def with_norms() -> int:
    """ResNet-18 with an addition for each number that is normalised."""
    rows = (row for row in pictures(1).rows if row.type == "BatchNorm2d")
    return int(pictures(1).macs + sum(row.additions for row in rows))


EXERCISES = (
    Exercise(
        label="tools-unknown",
        questions=(
            Question(
                asks="what it counts",
                kind=Word(COUNTED),
                expected=counted,
                mistakes=(
                    Mistake(
                        "MACs",
                        lambda: "MACs",
                        "The convolution has fewer MACs than what is printed; so has the linear "
                        "layer. By how many do both differ?",
                    ),
                    Mistake(
                        "FLOPs",
                        lambda: "FLOPs",
                        "FLOPs would be twice the MACs, and the figures are hardly above them.",
                    ),
                    Mistake(
                        "parameters",
                        lambda: "parameters",
                        "It has seen the positions and the pixels; parameters know of neither.",
                    ),
                ),
            ),
            Question(
                asks="the tool",
                kind=Word(TITLES),
                expected=unknown,
                mistakes=(
                    Mistake(
                        "torchinfo",
                        lambda: TOOLS["torchinfo"].title,
                        "It prints the same for the convolution, but it does not see the "
                        "positions of a linear layer.",
                    ),
                    Mistake(
                        "ptflops by modules",
                        lambda: TOOLS["ptflops"].title,
                        "Asked in its usual way, it divides by the samples; both figures would "
                        "be half of what is printed.",
                    ),
                    Mistake(
                        "calflops",
                        lambda: TOOLS["calflops"].title,
                        "Its MACs have no biases in them, and its FLOPs are about twice as large.",
                    ),
                    Mistake(
                        "fvcore",
                        lambda: TOOLS["fvcore"].title,
                        "It counts neither biases of convolutions nor of linear layers.",
                    ),
                    Mistake(
                        "THOP",
                        lambda: TOOLS["thop"].title,
                        "It counts no bias: it prints the MACs of both.",
                    ),
                    Mistake(
                        "PyTorch",
                        lambda: TOOLS["flop_counter"].title,
                        "It prints FLOPs, two for each MAC, and no biases.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Two layers of different kinds were enough to tell seven counters apart; one layer "
            "was not."
        ),
        hints=(
            "Subtract the MACs. How many numbers come out of each of the two layers?",
            "`layers_table()` has what each tool adds for a convolution and for a linear layer.",
        ),
    ),
    Exercise(
        label="tools-alexnet",
        questions=(
            Question(
                asks="by how much fvcore exceeds our MACs",
                kind=Whole(),
                expected=lambda: beside_ours("fvcore"),
                mistakes=(
                    Mistake(
                        "one plane",
                        lambda: 6 * 6,
                        "That is one plane; there are 256.",
                    ),
                    Mistake(
                        "one for each plane",
                        lambda: 256,
                        "You counted 1 for each plane; it is 1 for each number that goes in.",
                    ),
                    Mistake(
                        "biases",
                        lambda: beside_ours("ptflops_aten"),
                        "Those are the biases, and fvcore does not count them.",
                    ),
                    Mistake(
                        "THOP's habit",
                        lambda: beside_ours("thop"),
                        "That is THOP's habit; fvcore takes 1 for each number that goes in, and "
                        "nothing for what comes out.",
                    ),
                ),
            ),
            Question(
                asks="by how much THOP exceeds our MACs",
                kind=Whole(),
                expected=lambda: beside_ours("thop"),
                mistakes=(
                    Mistake(
                        "fvcore's habit",
                        lambda: beside_ours("fvcore"),
                        "That is fvcore's habit; THOP takes a sum and a division for each window.",
                    ),
                    Mistake(
                        "biases",
                        lambda: beside_ours("ptflops_aten"),
                        "Those are the biases, and THOP does not count them.",
                    ),
                    Mistake(
                        "one window for each plane",
                        lambda: beside_ours("fvcore") + 256,
                        "You took one window for each plane. The pooling makes 6×6 of 6×6: how "
                        "many windows are there?",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A pooling that changes nothing costs our report nothing that is a product, and yet "
            "two tools charge for it: a rule knows the type of a layer, not what it does."
        ),
        hints=(
            "Neither tool counts biases, activations or max pooling; which layer is left?",
            "By fvcore's habit it costs 1 for each number that goes in; by THOP's, 1 more for each "
            "that comes out.",
        ),
    ),
    Exercise(
        label="tools-twice",
        questions=(
            Question(
                asks="what makes the figure so large",
                kind=Word(CAUSES),
                expected=cause,
                mistakes=(
                    Mistake(
                        "norms",
                        lambda: "norms",
                        "The norms are in the ledger, but with some millions; what the figure "
                        "calls itself is the clue.",
                    ),
                    Mistake(
                        "softmax",
                        lambda: "softmax",
                        "The softmax is in the ledger, but with some millions; what the figure "
                        "calls itself is the clue.",
                    ),
                    Mistake(
                        "activations",
                        lambda: "activations",
                        "Activations are met twice, too, but all of them are some millions.",
                    ),
                ),
            ),
            Question(
                asks="how much of it that is",
                kind=Whole(),
                expected=lambda: of_twice("products"),
                mistakes=(
                    Mistake(
                        "whole difference",
                        lambda: twice().difference,
                        "That is all that the figure exceeds our MACs by; biases, norms and "
                        "activations are in it, too.",
                    ),
                    Mistake(
                        "against the FLOPs",
                        lambda: twice().report.flops - (twice().value or 0),
                        "That is what the figure lacks of the FLOPs. But it is made of MACs.",
                    ),
                    Mistake(
                        "all products",
                        lambda: twice().report.macs,
                        "Not all products are met again: those between positions are not, nor "
                        "those of the convolution.",
                    ),
                    Mistake(
                        "convolution included",
                        lambda: of_twice("products") + patches(),
                        "The convolution that cuts the picture is not met a second time.",
                    ),
                    Mistake(
                        "products of positions included",
                        lambda: twice().report.macs - patches(),
                        "Scores and weighted sums have no weights, and are not met a second time.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A figure close to the right one, under another word, has been taken for it more "
            "often than any that is far off."
        ),
        hints=(
            "By what word does the tool call what it prints? Compare with our number of that name.",
            "`ledger(twice)` names all that is added. Which line is nearly as large as the whole?",
        ),
    ),
    Exercise(
        label="tools-five",
        questions=(
            Question(
                asks="the positions at which both cancel",
                kind=Whole(),
                expected=cancel_at,
                mistakes=(
                    Mistake(
                        "one product",
                        lambda: cancel_at(names=("scores",)),
                        "You left out the scores or the weighted sums; both are inside the kernel.",
                    ),
                    Mistake(
                        "one for each number",
                        lambda: cancel_at(each=1),
                        "You took 1 for each number of a norm; the habit is 5.",
                    ),
                ),
            ),
            Question(
                asks="does the width matter",
                kind=Word(("yes", "no")),
                expected=depends_on_width,
                mistakes=(
                    Mistake(
                        "width matters",
                        lambda: "yes",
                        "Write both down: which letters does each of them have?",
                    ),
                ),
            ),
            Question(
                asks="how much too low the figure is at 50 positions and a width of 64",
                kind=Whole(),
                expected=too_low,
                mistakes=(
                    Mistake(
                        "norms forgotten",
                        lambda: too_low(norms=0),
                        "That is what is left out; the norms give some of it back.",
                    ),
                    Mistake(
                        "norms taken off",
                        lambda: too_low(norms=-2),
                        "The two have different signs: one is left out, the other added.",
                    ),
                    Mistake(
                        "one product",
                        lambda: too_low(names=("scores",)),
                        "You left out the scores or the weighted sums; both are inside the kernel.",
                    ),
                    Mistake(
                        "one norm",
                        lambda: too_low(norms=1),
                        "You took one norm, and a layer has two.",
                    ),
                    Mistake(
                        "in FLOPs",
                        lambda: 2 * inside(50, 64) - normed(50, 64),
                        "You counted two for each product; fvcore's flops are MACs.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "What is left out grows with the square of the length and what is added with the "
            "length alone, so two wrongs cancel at one length and no other."
        ),
        hints=(
            "Scores and weighted sums have L²d MACs each. How many numbers go into the norms?",
            "Set 2·L²·d equal to 2·5·L·d.",
        ),
    ),
    Exercise(
        label="tools-batch",
        questions=(
            Question(
                asks="by how much the figure is larger",
                kind=Whole(),
                expected=eight,
                mistakes=(
                    Mistake(
                        "eight for seven",
                        lambda: more_for_eight(8),
                        "That is all that the eight pictures add; one of them was in the single "
                        "picture's figure already.",
                    ),
                    Mistake(
                        "one picture",
                        lambda: more_for_eight(1),
                        "That is what one picture adds.",
                    ),
                    Mistake(
                        "activations alone",
                        lambda: more_for_eight(kinds=("ReLU",)),
                        "Those are the ReLUs alone; the poolings are functions, too.",
                    ),
                    Mistake(
                        "poolings alone",
                        lambda: more_for_eight(kinds=FUNCTIONS[1:]),
                        "Those are the poolings alone; the ReLUs are functions, too.",
                    ),
                    Mistake(
                        "a whole batch",
                        lambda: 7 * pictures(1).macs,
                        "Then nothing would be divided at all, but most of the figure is.",
                    ),
                ),
            ),
            Question(
                asks="what is not divided by the batch",
                kind=Word(("modules", "functions")),
                expected=undivided,
                mistakes=(
                    Mistake(
                        "modules",
                        lambda: "modules",
                        "Were the modules not divided, the convolutions would be there eight "
                        "times.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Ask a counter about a batch of one and of two: a figure for one picture has to stay, "
            "and one for a batch has to double. This one does neither."
        ),
        hints=(
            '`predict(report, "ptflops")` for one picture and for eight; subtract.',
            "The difference is seven times something: the numbers that go into which layers?",
        ),
    ),
    Exercise(
        label="tools-own",
        questions=(
            Question(
                asks="what the counter prints for ResNet-18",
                kind=Whole(),
                expected=with_sums,
                mistakes=(
                    Mistake(
                        "FLOPs and sums",
                        lambda: with_sums("flops"),
                        "You added the sums to FLOPs; the counter counts MACs otherwise.",
                    ),
                    Mistake(
                        "both summands",
                        lambda: with_sums(times=2),
                        "You took 1 for each of the two summands; the sum has half as many "
                        "numbers.",
                    ),
                    Mistake(
                        "sums alone",
                        lambda: with_sums(""),
                        "That is what the habit adds; what does the counter print?",
                    ),
                    Mistake(
                        "one stage",
                        lambda: with_sums(stages=("layer1",)),
                        "Those are the sums of the first stage alone; there are four.",
                    ),
                    Mistake(
                        "no habit",
                        lambda: pictures(1).macs,
                        "Those are the MACs, without the habit.",
                    ),
                    Mistake(
                        "norms for sums",
                        with_norms,
                        "You took the norms' additions; the habit is about the sums behind the "
                        "shortcuts.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A habit is a type of layer, and an amount for each of its numbers. Every tool of "
            "this chapter is a list of such lines."
        ),
        hints=(
            "`flopslib.counters.rules.each` makes a habit of a name, a type and an amount.",
            "The rows of type `Sum` are the shortcuts; one number that comes out of them is one "
            "addition.",
        ),
    ),
)
