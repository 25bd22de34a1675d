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
    """A generator like that of DCGAN, from one pixel to 64×64."""
    first = ConvTranspose2d(100, 512, 4, bias=False)
    others = [
        ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=False)
        for c_in, c_out in pairwise((512, 256, 128, 64, 3))
    ]
    return count(Sequential(first, *others), (1, 100, 1, 1))


def expensive(kernel: Any = 4, side: int = 4, figure: str = "macs") -> int:
    """The MACs of its most expensive layers: the one from 512 channels of 4×4 pixels to 256."""
    sizes = (512, 256, kernel, side, 4, 2 * side, 8)
    return int(getattr(conv_transpose2d(*sizes, bias=False), figure))


def as_expensive() -> int:
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


def more_expensive_ear() -> str:
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


def costs_more_than_the_next() -> str:
    """Whether the layer costs more than the two convolutions after it."""
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
                asks="the MACs of the most expensive layer, to one digit",
                kind=OneDigit(),
                expected=lambda: max(row.macs for row in generator().rows),
                mistakes=(
                    mistakes.counted_flops(lambda: expensive(figure="flops")),
                    Mistake(
                        "output pixels",
                        by_output_pixels,
                        "You counted a kernel for every *output* pixel; a transposed convolution "
                        "takes one for every *input* pixel.",
                    ),
                    mistakes.kernel_not_squared(lambda: expensive(kernel=(4, 1))),
                    mistakes.counted_parameters(lambda: 512 * 256 * 4 * 4),
                    Mistake(
                        "first layer",
                        lambda: generator().rows[0].macs,
                        "That is the first layer, which has only one pixel to read.",
                    ),
                    Mistake(
                        "last layer",
                        lambda: generator().rows[-1].macs,
                        "That is the last layer: it makes the most pixels, but only three "
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
                expected=as_expensive,
                mistakes=(
                    Mistake(
                        "one alone",
                        lambda: 1,
                        "It is not the only one. How do the channels and the pixels of the input "
                        "change from a layer to the next?",
                    ),
                    Mistake(
                        "all that double",
                        lambda: 4,
                        "Not all layers that double the sides: one of them makes only three "
                        "channels.",
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
            "As in a classifier, no layer in the middle costs more than another: where the pixels "
            "grow fourfold, the channels are halved on both sides."
        ),
        hints=(
            "One input pixel is multiplied by a whole kernel for each output channel.",
            "Write input channels, output channels, kernel and *input* pixels in a line for each "
            "layer, and compare the products.",
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
                        "That is one too many: try a kernel as wide as the stride, whose windows "
                        "do not overlap.",
                    ),
                    Mistake(
                        "both sides together",
                        lambda kernel: 2 * even_doubling(kernel),
                        "That is the padding of both sides together; a layer takes that of one "
                        "side.",
                        Fraction(2),
                    ),
                    Mistake(
                        "stride forgotten",
                        lambda kernel: kernel - 1,
                        "That is the padding of both sides together at a stride of 1, which keeps "
                        "the side; here it has to double.",
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
                        "Write down the side of the output: is it even or odd, if the kernel is "
                        "odd?",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "If the stride does not divide the kernel, some places receive more products than "
            "their neighbours, and the image can show a chequered pattern."
        ),
        hints=(
            "The windows begin at the places 0, 2, 4 and so on. Where does the last one end?",
            "The padding is removed on both sides, and twice the input has to remain.",
        ),
    ),
    Exercise(
        label="more-sound",
        questions=(
            Question(
                asks="which of the two costs more",
                kind=Word(("first", "second")),
                expected=more_expensive_ear,
                mistakes=(
                    Mistake(
                        "first",
                        lambda: "first",
                        "The first makes twice as many columns. But how many channels does it "
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
                        "You squared the kernel: along a line it has three cells, not nine.",
                        Fraction(3),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "These two layers are Whisper's ears, and they are cheap compared with the Transformer "
            "layers that follow."
        ),
        hints=(
            "One number of the output is a dot product over three columns of all channels.",
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
                        "That is the width of the plain network for a given width of the gated "
                        "one. Three matrices have to be narrower than two.",
                    ),
                    Mistake(
                        "half",
                        lambda: letter("d_ff") / 2,
                        "Half would be right if the gate doubled the matrices; but there are three "
                        "instead of two.",
                    ),
                    Mistake(
                        "not cut",
                        lambda: letter("d_ff"),
                        "At the same width, three matrices cost 3/2 of two.",
                    ),
                ),
            ),
            Question(
                asks="the share of SiLU and gate",
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
                        "You divided by the conventional FLOPs; the exact FLOPs include SiLU and "
                        "gate.",
                    ),
                ),
            ),
            Question(
                asks="the share of GELU",
                kind=Expression(("d",)),
                expected=of_plain,
                mistakes=(
                    Mistake(
                        "part of the box",
                        lambda: of_plain(figure="flops"),
                        "You divided by the conventional FLOPs; the exact FLOPs include the GELU.",
                    ),
                    Mistake(
                        "as in the gated one",
                        of_gated,
                        "That is the share in the gated network. A GELU has four operations, and "
                        "the plain network has two matrices instead of three.",
                    ),
                    Mistake(
                        "the rest",
                        lambda: 1 - of_plain(),
                        "That is the share of all the rest.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The inner width has cancelled: the share of an activation depends on the width of the "
            "model alone."
        ),
        hints=(
            "Three matrices of d times the new width have to be as large as two of d times the old "
            "one.",
            "Count for one hidden number: the dot products and biases that make it, SiLU and gate, "
            "and its products with the last matrix.",
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
                        "That is the number of the report: it counts a kernel at every *output* "
                        "pixel.",
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
                        "You divided by the cells of the kernel, too, but each input pixel is "
                        "multiplied by all of them.",
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
                expected=costs_more_than_the_next,
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
            "The mistake is a factor of about the square of the stride, so it is largest where a "
            "layer enlarges its input by a lot."
        ),
        hints=(
            "On which side of this layer are all pixels alike?",
            "One input pixel is multiplied by 2×2 weights for each of 512 channels. How many "
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
                        "You turned only the queries; the keys are turned, too.",
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
                        "That is for one token. In a longer sequence the scores make the rest "
                        "larger.",
                    ),
                    Mistake(
                        "turned once for each pair",
                        lambda: rotation() * 2048,
                        "Each token is turned once, not once for each other token.",
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
            "The share is below a ten-thousandth: RoPE marks the positions of the tokens with "
            "almost no operations."
        ),
        hints=(
            "How many numbers do the queries and the keys of one token have, and how many "
            "operations turn one of them?",
            "The matrices of the layer take two operations for each weight.",
            "`count(llama_7b(), (1, tokens))` has a row for each rotation, of type "
            "`RotaryEmbedding`.",
        ),
    ),
)
