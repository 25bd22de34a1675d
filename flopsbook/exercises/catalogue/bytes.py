"""The exercises of the chapter on bytes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, OneDigit, Ratio, Whole, Word
from flopslib import Operand, feed_forward, formula, linear, scaled_dot_product_attention
from flopslib.hardware import Chip, chip
from flopslib.traffic import BF16, FP32, Widths, traffic

__all__ = ["EXERCISES"]


def by_hand(kind: str = "bytes", batch: int = 5) -> int:
    """The bytes of a small layer without a bias, or a part of them."""
    moved = traffic(linear(7, 3, batch=batch, bias=False), FP32)
    parts = {"read": moved.read, "numbers": moved.bytes // 4, "half": moved.bytes // 2}
    return int(parts.get(kind, moved.bytes))


def wide(batch: int, bytes_each: int = 2) -> Fraction:
    """FLOPs for each byte of a wide layer."""
    widths = Widths(activation=8 * bytes_each, weight=8 * bytes_each)
    return Fraction(traffic(linear(6000, 2000, batch=batch, bias=False), widths).intensity)


def in_letters(*, numbers: bool = False, macs: bool = False) -> Any:
    """FLOPs for each byte of a linear layer at 2 bytes a number."""
    import sympy

    layer = formula(linear, bias=False)
    above = layer.macs if macs else layer.flops
    below = traffic(layer).bytes
    return sympy.cancel(above / (below / 2 if numbers else below))


def no_results() -> Any:
    """The same, with the results left out of the bytes."""
    layer = formula(linear, bias=False)
    return layer.flops / traffic(layer).read


def saved_by_fusing(times: Fraction = Fraction(1), width: int = 3072) -> int:
    """The bytes that GELU no longer moves when it is fused with the layer before it."""
    ffn = feed_forward(1024, 768, d_ff=width, bias=False)
    together = traffic(ffn, fused=[("first linear", "GELU")])
    return int((traffic(ffn).bytes - together.bytes) * times)


ONE_BYTE = Widths(activation=8, weight=8)
OWN = Chip("the chip", {"int8": 200 * 10**12}, bandwidth=500 * 10**9)


def bound_by_memory(widths: Widths = ONE_BYTE) -> int:
    """The largest batch at which the memory of a chip takes longer than its products."""

    def over(batch: int) -> int:
        moved = traffic(linear(8192, 8192, batch=batch, bias=False), widths)
        takes_longer = moved.flops * OWN.bandwidth < moved.bytes * OWN.rate("int8")
        return 0 if takes_longer else 1

    return largest_within(0, over)


def by_weights_alone() -> int:
    """The batch at which the weights alone take as long as the products."""
    return int(OWN.balance("int8") / 2)


def int4(group_size: int | None = 64, scale: int = 16) -> int:
    """The bytes of a matrix of 4-bit weights."""
    widths = Widths(weight=4, group_size=group_size, scale=scale)
    return int(widths.bytes(Operand("weight", (5120, 13824), "weight")))


def fewer_bytes(length: int = 4096, fused: Any = True) -> Fraction:
    """How many times fewer bytes fused attention moves."""
    attention = scaled_dot_product_attention(length, 128, num_heads=32)
    return Fraction(traffic(attention).bytes, traffic(attention, fused=fused).bytes)


def squares_alone() -> Fraction:
    """The same, with the queries, keys, values and sums forgotten in the bytes before."""
    attention = scaled_dot_product_attention(4096, 128, num_heads=32)
    inside = traffic(attention, fused=True).bytes
    return Fraction(traffic(attention).bytes - inside, inside)


REPORTED = (3 * 10**15, 10)  # FLOPs of a step, and seconds


def utilisation(sparse: int = 1, macs: int = 1) -> Fraction:
    """The MFU of a measured step, against the dense peak or twice as much."""
    flops, seconds = REPORTED
    return Fraction(flops, macs * seconds * sparse * chip("H100 SXM").rate("bf16"))


EXERCISES = (
    Exercise(
        label="bytes-fingers",
        questions=(
            Question(
                asks="the bytes that the layer moves",
                kind=Whole(),
                expected=by_hand,
                mistakes=(
                    Mistake(
                        "results forgotten",
                        lambda: by_hand("read"),
                        "You counted the bytes that are read; the results are written as well.",
                    ),
                    Mistake(
                        "numbers for bytes",
                        lambda: by_hand("numbers"),
                        "Those are numbers, and each of them has 4 bytes.",
                        Fraction(1, 4),
                    ),
                    Mistake(
                        "two bytes",
                        lambda: by_hand("half"),
                        "That is for 2 bytes a number; fp32 has more.",
                        Fraction(1, 2),
                    ),
                    mistakes.forgot_samples(lambda: by_hand(batch=1)),
                    Mistake(
                        "weights read again",
                        lambda: 5 * by_hand(batch=1),
                        "You read the weights once for each sample; once is enough for all.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The weights are read once, however large the batch is. So a larger batch has more "
            "FLOPs for each byte."
        ),
        hints=(
            "Three tensors are moved. How many numbers has each of them?",
            "A number of fp32 has 32 bits, and a byte has 8.",
        ),
    ),
    Exercise(
        label="bytes-intensity",
        questions=(
            Question(
                asks="the FLOPs for each byte of one sample, to one digit",
                kind=OneDigit("a number, of which one digit is enough"),
                expected=lambda: wide(1),
                mistakes=(
                    Mistake(
                        "MACs for FLOPs",
                        lambda: wide(1) / 2,
                        "You counted MACs; a byte is compared with FLOPs, two for each MAC.",
                        Fraction(1, 2),
                    ),
                    Mistake(
                        "numbers for bytes",
                        lambda: 2 * wide(1),
                        "That is for each number; each of them has 2 bytes.",
                        Fraction(2),
                    ),
                ),
            ),
            Question(
                asks="the FLOPs for each byte of 500 samples, to one digit",
                kind=OneDigit("a number, of which one digit is enough"),
                expected=lambda: wide(500),
                mistakes=(
                    Mistake(
                        "activations forgotten",
                        lambda: 500 * wide(1),
                        "At this batch the activations are no longer small next to the weights.",
                    ),
                    Mistake(
                        "numbers for bytes",
                        lambda: 2 * wide(500),
                        "That is for each number; each of them has 2 bytes.",
                        Fraction(2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "At 2 bytes a weight a small batch of B samples has B FLOPs for each byte. It is the "
            "first thing to know of any program that serves a model."
        ),
        hints=(
            "With one sample nearly all bytes are weights. What is done with each weight?",
            "With many samples write down all three tensors; the weights are the largest still.",
        ),
    ),
    Exercise(
        label="bytes-letters",
        questions=(
            Question(
                asks="the FLOPs for each byte of a linear layer without a bias",
                kind=Expression(("B", "I", "O")),
                expected=in_letters,
                mistakes=(
                    Mistake(
                        "numbers for bytes",
                        lambda: in_letters(numbers=True),
                        "That is for each number; each of them has 2 bytes.",
                        Fraction(2),
                    ),
                    Mistake(
                        "MACs for FLOPs",
                        lambda: in_letters(macs=True),
                        "You counted MACs, and FLOPs are asked for, two for each MAC.",
                    ),
                    Mistake(
                        "results forgotten",
                        no_results,
                        "The results are missing below the line: they are written to memory.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The three sizes play the same part, and the smallest of them limits the intensity: "
            "it can never be larger than any of the three."
        ),
        hints=(
            "Above the line are 2BIO FLOPs.",
            "Below it are three tensors, each at 2 bytes a number.",
        ),
    ),
    Exercise(
        label="bytes-fuse",
        questions=(
            Question(
                asks="the bytes that fusing saves",
                kind=Whole(),
                expected=saved_by_fusing,
                mistakes=(
                    Mistake(
                        "one way",
                        lambda: saved_by_fusing(Fraction(1, 2)),
                        "You counted one way: the hidden numbers are written *and* read again.",
                        Fraction(1, 2),
                    ),
                    Mistake(
                        "GELU's own result",
                        lambda: saved_by_fusing(Fraction(3, 2)),
                        "The result of GELU still has to be written: the next layer reads it.",
                        Fraction(3, 2),
                    ),
                    Mistake(
                        "narrow",
                        lambda: saved_by_fusing(width=768),
                        "GELU works on the hidden numbers, and the layer is wider inside.",
                        Fraction(1, 4),
                    ),
                    Mistake(
                        "numbers for bytes",
                        lambda: saved_by_fusing(Fraction(1, 4)),
                        "You counted the hidden numbers once; each of them has 2 bytes, and it "
                        "goes out and in.",
                        Fraction(1, 4),
                    ),
                ),
                coincide=(("narrow", "numbers for bytes"),),
            ),
        ),
        worth_knowing=(
            "A step that works number by number costs next to nothing once it is fused with the "
            "step before it. That is the first thing a compiler does."
        ),
        hints=(
            "Which tensor is handed from the first layer to GELU?",
            "Unfused it goes to memory and comes back.",
        ),
    ),
    Exercise(
        label="bytes-batch",
        questions=(
            Question(
                asks="the largest batch at which the bytes still take longer",
                kind=Whole(),
                expected=bound_by_memory,
                mistakes=(
                    Mistake(
                        "weights alone",
                        by_weights_alone,
                        "You moved the weights alone; inputs and results are moved, too.",
                    ),
                    Mistake(
                        "two bytes",
                        lambda: bound_by_memory(BF16),
                        "That is for 2 bytes a number; an int8 number has one.",
                    ),
                    Mistake(
                        "past the balance",
                        lambda: bound_by_memory() + 1,
                        "At that batch the products take longer already: round down.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The weights alone would give half the balance at one byte a weight. Inputs and "
            "results push the limit up, the more the narrower the layer is."
        ),
        hints=(
            "The balance of the chip is 400 operations for each byte.",
            "Write the intensity with B, at one byte a number, and set it equal to the balance.",
        ),
    ),
    Exercise(
        label="bytes-int4",
        questions=(
            Question(
                asks="the bytes of the matrix",
                kind=Whole(),
                expected=int4,
                mistakes=(
                    Mistake(
                        "no scales",
                        lambda: int4(None),
                        "The scales are missing: each group of weights has one.",
                    ),
                    Mistake(
                        "scales of a byte",
                        lambda: int4(scale=8),
                        "A scale has 16 bits here, and that is 2 bytes.",
                    ),
                    Mistake(
                        "a byte a weight",
                        lambda: 2 * int4(),
                        "A weight has 4 bits: two of them share a byte.",
                        Fraction(2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "With groups of 64 a 4-bit weight takes up 4.25 bits. A zero point of 16 bits for "
            "each group makes it 4.5."
        ),
        hints=(
            "How many groups are in a row of the matrix, and how many rows are there?",
            "Half a byte for each weight, 2 bytes for each group.",
        ),
    ),
    Exercise(
        label="bytes-attention",
        questions=(
            Question(
                asks="how many times fewer bytes are moved",
                kind=Ratio(),
                expected=fewer_bytes,
                mistakes=(
                    Mistake(
                        "square forgotten",
                        lambda: fewer_bytes(fused=[("scores", "scaling")]),
                        "Softmax and weighted sum are fused as well: no score goes to memory.",
                    ),
                    Mistake(
                        "squares alone",
                        squares_alone,
                        "Queries, keys, values and sums are moved in both cases.",
                    ),
                    mistakes.upside_down(lambda: 1 / fewer_bytes()),
                ),
            ),
            Question(
                asks="how many times fewer FLOPs are performed",
                kind=Whole(),
                expected=lambda: 1,
                mistakes=(
                    Mistake(
                        "as the bytes",
                        lambda: round(fewer_bytes()),
                        "Fusing moves less; every product is still formed.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Fused attention is faster with the same FLOPs. Anyone who knows only FLOPs cannot "
            "explain why it was such a success."
        ),
        hints=(
            "The square is written and read three times each when the steps are by themselves.",
            "Fused, the four narrow tensors are all that moves.",
        ),
    ),
    Exercise(
        label="bytes-bug",
        questions=(
            Question(
                asks="which figure of the data sheet was taken",
                kind=Word(("dense", "with sparsity")),
                expected=lambda: "with sparsity",
                mistakes=(
                    Mistake(
                        "dense",
                        lambda: "dense",
                        "Compute the MFU with the dense peak and compare it with the report.",
                    ),
                ),
            ),
            Question(
                asks="the MFU of the run",
                kind=Ratio(),
                expected=utilisation,
                mistakes=(
                    Mistake(
                        "as reported",
                        lambda: utilisation(sparse=2),
                        "That is the reported figure, which is half of the right one.",
                        Fraction(1, 2),
                    ),
                    Mistake(
                        "MACs for FLOPs",
                        lambda: utilisation(sparse=2, macs=2),
                        "You halved twice: the peak is in FLOP/s, and so is the rate.",
                        Fraction(1, 4),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Data sheets print the rate with sparsity first, which is twice as high. It holds for "
            "weights of which two in every four are zero, and hardly any model has such weights."
        ),
        hints=(
            "Divide the FLOPs by the seconds, and compare with both peaks.",
            'The dense peak of an H100 in bf16 is in `chip("H100 SXM").rate("bf16")`.',
        ),
    ),
)
