"""The exercises of the chapter on more layers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, Function, OneDigit, Ratio, Whole, Word
from flopslib import (
    Report,
    conv1d,
    conv2d,
    conv_transpose2d,
    count,
    feed_forward,
    formula,
    gated_feed_forward,
)
from flopslib.layers import ConvTranspose2d, Sequential
from flopslib.loops.operands import parameters
from flopslib.models import llama_7b

__all__ = ["EXERCISES"]


@cache
def generator() -> Report:
    """A generator in the manner of DCGAN, from one pixel to 64×64."""
    first = ConvTranspose2d(100, 512, 4, bias=False)
    others = [
        ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=False)
        for c_in, c_out in pairwise((512, 256, 128, 64, 3))
    ]
    return count(Sequential(first, *others), (1, 100, 1, 1))


def dearest(kernel: Any = 4, side: int = 4, figure: str = "macs") -> int:
    """A dearest layer of the generator: the one from 512 channels of 4×4 pixels to 256."""
    sizes = (512, 256, kernel, side, 4, 2 * side, 8)
    return int(getattr(conv_transpose2d(*sizes, bias=False), figure))


def as_dear() -> int:
    """How many layers of the generator cost the most."""
    costs = [row.macs for row in generator().rows]
    return costs.count(max(costs))


def by_output_pixels() -> int:
    """A kernel for each output pixel."""
    return int(conv2d(512, 256, 4, 8, 8, bias=False).macs)


def enlarged(side: int, kernel: int, padding: int) -> int:
    """The side that a transposed convolution with a stride of 2 makes of a side."""
    layer = ConvTranspose2d(2, 3, kernel, stride=2, padding=padding)
    return int(layer.output_shape((1, 2, side, side))[-1])


def doubling(kernel: int) -> int | None:
    """The padding at which a kernel doubles every side, or None."""
    for padding in range(kernel // 2 + 1):
        sides = range(kernel + 3, kernel + 7)
        if all(enlarged(side, kernel, padding) == 2 * side for side in sides):
            return padding
    return None


def even_doubling(kernel: int) -> int:
    """The same for a kernel for which there is one."""
    padding = doubling(kernel)
    assert padding is not None
    return padding


def even(sizes: Iterator[int]) -> tuple[int]:
    """An even kernel, now and then as narrow as the stride."""
    return (2 * max(next(sizes) - 4, 1),)


def odd_can_double() -> str:
    """Whether an odd kernel can double a side."""
    return "no" if all(doubling(kernel) is None for kernel in range(3, 12, 2)) else "yes"


def ears(
    figure: str = "flops", *, layers: tuple[int, ...] = (0, 1), kernel: int = 3, columns: int = 1500
) -> int:
    """The two convolutions on 30 seconds of sound."""
    sizes = ((80, 768, kernel, 3000), (768, 768, kernel, columns))
    return int(sum(getattr(conv1d(*sizes[at]), figure) for at in layers))


def dearer_ear() -> str:
    """Which of the two costs more."""
    return "first" if ears(layers=(0,)) > ears(layers=(1,)) else "second"


def letter(name: str) -> Any:
    """A letter of a formula."""
    import sympy

    return sympy.Symbol(name, positive=True, integer=True)


def same_price(network: Any = gated_feed_forward, plain: Any = feed_forward) -> Any:
    """The inner width at which a network costs what another one does, in the other's."""
    import sympy

    width = letter("w")
    costs = formula(network, d_ff=width).flops, formula(plain).flops
    other = formula(plain, d_ff=letter("d_ff")).flops
    [solved] = sympy.solve(sympy.expand(costs[0] - other), width)
    return solved


def part(network: Any, names: tuple[str, ...], *, figure: str = "exact_flops", **of: Any) -> Any:
    """The part that steps have of a network's operations, in letters."""
    import sympy

    layer = formula(network, d_ff=letter("w"), **of)
    steps = sum(step.exact_flops for step in layer.steps if step.name in names)
    return sympy.factor(steps / getattr(layer, figure))


GATE = ("SiLU", "gate")


def of_gated(names: tuple[str, ...] = GATE, **of: Any) -> Any:
    """The part that SiLU and gate have."""
    return part(gated_feed_forward, names, **of)


def of_plain(**of: Any) -> Any:
    """The part that GELU has."""
    return part(feed_forward, ("GELU",), **of)


def unet(figure: str = "macs") -> int:
    """The first enlarging layer of a U-Net."""
    return int(getattr(conv_transpose2d(1024, 512, 2, 28, 28, 56, 56), figure))


def unet_claim() -> int:
    """The same by output pixels."""
    return int(conv2d(1024, 512, 2, 56, 56).macs)


def dearer_than_what_follows() -> str:
    """Whether the layer costs more than the two convolutions behind it."""
    follow = conv2d(1024, 512, 3, 54, 54) + conv2d(512, 512, 3, 52, 52)
    return "true" if unet() > follow.macs else "false"


@cache
def rotation(tokens: int = 1, *, figure: str = "exact_flops", of: str = "exact_flops") -> Fraction:
    """The share that the rotations have of a layer of LLaMA-7B."""
    rows = [row for row in count(llama_7b(), (1, tokens)).rows if row.path.startswith("layers.0.")]
    turned = sum(getattr(row, figure) for row in rows if row.type == "RotaryEmbedding")
    return Fraction(turned, sum(getattr(row, of) for row in rows))


EXERCISES = (
    Exercise(
        label="more-generator",
        questions=(
            Question(
                asks="the MACs of a dearest layer, to one digit",
                kind=OneDigit(),
                expected=lambda: max(row.macs for row in generator().rows),
                mistakes=(
                    mistakes.counted_flops(lambda: dearest(figure="flops")),
                    Mistake(
                        "output pixels",
                        by_output_pixels,
                        "You counted a kernel for every *output* pixel; a transposed convolution "
                        "paints one for every *input* pixel.",
                    ),
                    mistakes.kernel_not_squared(lambda: dearest(kernel=(4, 1))),
                    mistakes.counted_parameters(lambda: 512 * 256 * 4 * 4),
                    Mistake(
                        "first layer",
                        lambda: generator().rows[0].macs,
                        "That is the first layer: it has the most weights but one pixel to read.",
                    ),
                    Mistake(
                        "last layer",
                        lambda: generator().rows[-1].macs,
                        "That is the last layer: it paints the most pixels, but makes only three "
                        "channels.",
                    ),
                    Mistake(
                        "whole generator",
                        lambda: generator().macs,
                        "That is the whole generator, and one layer is asked for.",
                    ),
                ),
                # the one is four times, the other three times and a little
                coincide=(("output pixels", "whole generator"),),
            ),
            Question(
                asks="the number of layers that cost as much",
                kind=Whole(),
                expected=as_dear,
                mistakes=(
                    Mistake(
                        "one alone",
                        lambda: 1,
                        "It is not alone: what becomes of the channels, and of the input's "
                        "pixels, from a layer to the next?",
                    ),
                    Mistake(
                        "all that double",
                        lambda: 4,
                        "Not all that double the sides: one of them makes only three channels.",
                    ),
                    Mistake(
                        "all",
                        lambda: len(generator().rows),
                        "Those are all layers; look at the first and at the last.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Generators are balanced as classifiers are: channels fall as the pixels rise, and "
            "no layer in the middle is dearer than another."
        ),
        hints=(
            "One input pixel is painted over a whole kernel in each output channel.",
            "Write channels in, channels out, kernel and *input* pixels in a line for each "
            "layer, and look at the products.",
        ),
    ),
    Exercise(
        label="more-double",
        questions=(
            Question(
                asks="a function of (kernel) that returns the padding",
                kind=Function(("kernel",), draw=even),
                expected=even_doubling,
                mistakes=(
                    Mistake(
                        "half the kernel",
                        lambda kernel: kernel // 2,
                        "That is one too many: try a kernel as wide as the stride, which "
                        "paints without overlap.",
                    ),
                    Mistake(
                        "both sides together",
                        lambda kernel: 2 * even_doubling(kernel),
                        "That is the padding of both sides together; a layer is told one side's.",
                        Fraction(2),
                    ),
                    Mistake(
                        "stride forgotten",
                        lambda kernel: kernel - 1,
                        "That is what both sides together crop at a stride of 1, where the side is "
                        "kept; here it has to double.",
                    ),
                    Mistake(
                        "none",
                        lambda kernel: 0,
                        "Without padding only a kernel as wide as the stride doubles the side.",
                    ),
                ),
            ),
            Question(
                asks="can an odd kernel do it",
                kind=Word(("yes", "no")),
                expected=odd_can_double,
                mistakes=(
                    Mistake(
                        "odd kernels can",
                        lambda: "yes",
                        "Write the side of the output down: is it even or odd, if the kernel is "
                        "odd?",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A kernel that the stride does not divide paints some places more often than their "
            "neighbours, which shows as a chequered pattern in the picture."
        ),
        hints=(
            "The windows begin at the places 0, 2, 4 and so on. Where does the last one end?",
            "The padding is cropped on both sides, and twice the input has to remain.",
        ),
    ),
    Exercise(
        label="more-sound",
        questions=(
            Question(
                asks="which of the two costs more",
                kind=Word(("first", "second")),
                expected=dearer_ear,
                mistakes=(
                    Mistake(
                        "first",
                        lambda: "first",
                        "The first makes twice as many columns, but how many channels does it "
                        "read?",
                    ),
                ),
            ),
            Question(
                asks="the FLOPs for a second of sound",
                kind=Whole(),
                expected=lambda: ears() // 30,
                mistakes=(
                    mistakes.counted_macs(lambda: ears("macs") // 30),
                    Mistake(
                        "all the sound",
                        ears,
                        "That is for the whole half minute, and the question asks for a second.",
                        Fraction(30),
                    ),
                    Mistake(
                        "input columns",
                        lambda: ears(columns=3000) // 30,
                        "You counted the second convolution at every column it reads; with a "
                        "stride of 2 it writes half as many.",
                    ),
                    Mistake(
                        "second alone",
                        lambda: ears(layers=(1,)) // 30,
                        "That is the second convolution alone.",
                    ),
                    Mistake(
                        "first alone",
                        lambda: ears(layers=(0,)) // 30,
                        "That is the first convolution alone.",
                    ),
                    Mistake(
                        "kernel of an image",
                        lambda: ears(kernel=9) // 30,
                        "You squared the kernel: along a line it has three cells, and not nine.",
                        Fraction(3),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "These two layers are Whisper's ears, and they are cheap; what they pass on costs a "
            "Transformer layer after Transformer layer."
        ),
        hints=(
            "One output number is a dot product over three columns of all channels.",
            "How many columns come out of each of the two, in half a minute?",
        ),
    ),
    Exercise(
        label="more-thirds",
        questions=(
            Question(
                asks="the inner width of the gated network",
                kind=Expression(("d_ff",)),
                expected=same_price,
                mistakes=(
                    Mistake(
                        "the other way round",
                        lambda: same_price(feed_forward, gated_feed_forward),
                        "That would be the plain network's width, if the gated one's were given: "
                        "three matrices have to be narrower than two.",
                    ),
                    Mistake(
                        "half",
                        lambda: letter("d_ff") / 2,
                        "Half would do if the gate doubled the matrices; there are three for two.",
                    ),
                    Mistake(
                        "not cut",
                        lambda: letter("d_ff"),
                        "At the same width, three matrices cost half as much again as two.",
                    ),
                ),
            ),
            Question(
                asks="the part that SiLU and gate have",
                kind=Expression(("d",)),
                expected=of_gated,
                mistakes=(
                    Mistake(
                        "SiLU alone",
                        lambda: of_gated(("SiLU",)),
                        "You left out the product with the gate.",
                    ),
                    Mistake(
                        "gate alone",
                        lambda: of_gated(("gate",)),
                        "You left out the SiLU, a multiplication and an addition.",
                    ),
                    Mistake(
                        "part of the box",
                        lambda: of_gated(figure="flops"),
                        "You divided by the FLOPs of the box; the exact ones have SiLU and gate "
                        "in them.",
                    ),
                ),
            ),
            Question(
                asks="the part that GELU has",
                kind=Expression(("d",)),
                expected=of_plain,
                mistakes=(
                    Mistake(
                        "part of the box",
                        lambda: of_plain(figure="flops"),
                        "You divided by the FLOPs of the box; the exact ones have the GELU in "
                        "them.",
                    ),
                    Mistake(
                        "as in the gated one",
                        of_gated,
                        "That is the gated network's part: a GELU has four operations, and stands "
                        "beside two products for each hidden number and not three.",
                    ),
                    Mistake(
                        "the rest",
                        lambda: 1 - of_plain(),
                        "That is the part of all the rest.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The width has cancelled: what an activation costs, beside the matrices around it, "
            "depends on the width of the model alone."
        ),
        hints=(
            "Three matrices of d times the new width have to be two of d times the old one.",
            "Count for one hidden number: its dot products and its bias in, what SiLU and gate "
            "do, and its products with the last matrix.",
            "With biases, a dot product of d terms has d multiplications and d additions.",
        ),
    ),
    Exercise(
        label="more-bug",
        questions=(
            Question(
                asks="the right MACs",
                kind=Whole(),
                expected=unet,
                mistakes=(
                    Mistake(
                        "the claim",
                        unet_claim,
                        "That is what the report says: it counts a kernel at every *output* pixel.",
                    ),
                    mistakes.counted_flops(lambda: unet("flops")),
                    Mistake(
                        "one side",
                        lambda: unet_claim() // 2,
                        "The output is twice as high *and* twice as wide as the input.",
                    ),
                    Mistake(
                        "no kernel",
                        lambda: conv2d(1024, 512, 1, 28, 28).macs,
                        "You divided by the cells of the kernel, too: each input pixel is painted "
                        "over all of them.",
                    ),
                    mistakes.counted_parameters(
                        lambda: parameters(conv_transpose2d, 1024, 512, 2, 28, 28, 56, 56)
                    ),
                ),
                coincide=(("FLOPs for MACs", "one side"),),
            ),
            Question(
                asks="is the conclusion true",
                kind=Word(("true", "false")),
                expected=dearer_than_what_follows,
                mistakes=(
                    Mistake(
                        "believed",
                        lambda: "true",
                        "Count the two convolutions that follow: one output pixel of the first "
                        "is a dot product of nine times 1024 terms.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The mistake is the square of the stride, so the deeper a network shrinks in one go, "
            "the more of it such a report invents."
        ),
        hints=(
            "On which side of this layer are all pixels alike?",
            "One input pixel is painted over 2×2 places in each of 512 channels. How many "
            "input pixels are there?",
        ),
    ),
    Exercise(
        label="more-rope",
        questions=(
            Question(
                asks="the share for one token",
                kind=Ratio(),
                expected=rotation,
                mistakes=(
                    Mistake(
                        "queries alone",
                        lambda: rotation() / 2,
                        "You turned the queries alone; the keys are turned, too.",
                    ),
                    Mistake(
                        "multiplications alone",
                        lambda: rotation() * Fraction(2, 3),
                        "A turned number costs two multiplications *and* an addition.",
                    ),
                    Mistake(
                        "part of the MACs",
                        lambda: rotation(of="macs"),
                        "You divided by MACs; each of them is two operations.",
                    ),
                    mistakes.in_percent(lambda: 100 * rotation()),
                ),
            ),
            Question(
                asks="the share for 2048 tokens",
                kind=Ratio(),
                expected=lambda: rotation(2048),
                mistakes=(
                    Mistake(
                        "no square",
                        rotation,
                        "That is for one token. In a longer text there are scores, and they "
                        "make the rest larger.",
                    ),
                    Mistake(
                        "turned once for each pair",
                        lambda: rotation() * 2048,
                        "Each token is turned once, and not once for each other token.",
                    ),
                    Mistake(
                        "part of the MACs",
                        lambda: rotation(2048, of="macs"),
                        "You divided by MACs; each of them is two operations.",
                    ),
                    mistakes.in_percent(lambda: 100 * rotation(2048)),
                ),
            ),
        ),
        worth_knowing=(
            "Less than a ten-thousandth: how a model is told where in the text a token stands "
            "is no question of cost."
        ),
        hints=(
            "How many numbers have the queries and the keys of one token, and what does "
            "turning one cost?",
            "Beside it stand two operations for each weight of the layer's matrices.",
            "`count(llama_7b(), (1, tokens))` has a row for each rotation, of type "
            "`RotaryEmbedding`.",
        ),
    ),
)
