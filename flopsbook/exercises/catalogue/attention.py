"""The exercises of the chapter on attention."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.budgets import largest_within
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, Ratio, Whole, Word
from flopslib import Derivation, linear, matmul, multihead_attention, scaled_dot_product_attention
from flopslib.loops.operands import parameters

__all__ = ["EXERCISES"]


def halves(
    seq_len: int = 256, *, projections: int = 4, square: tuple[str, ...] = ("scores", "weighted")
) -> tuple[int, int]:
    """The FLOPs of the projections, and those of the square, or of a part of each."""
    steps = multihead_attention(seq_len, 512).steps
    projected = [step.flops for step in steps if "projection" in step.name]
    squared = [step.flops for step in steps if step.name.startswith(square)]
    return sum(projected[:projections]), sum(squared)


def times_the_square(**parts: Any) -> Fraction:
    """The projections as a multiple of the square."""
    return Fraction(*halves(**parts))


def equal_at(**parts: Any) -> int:
    """The length at which projections and square cost the same."""

    def behind(seq_len: int) -> int:
        projected, squared = halves(seq_len, **parts)
        return squared - projected

    return largest_within(0, behind)


def larger_half() -> str:
    """Which of the two costs more."""
    return "projections" if times_the_square() > 1 else "square"


def with_heads(figure: str, heads: int) -> Any:
    """A figure of a layer with so many heads."""
    if figure == "parameters":
        return parameters(multihead_attention, 128, 512, num_heads=heads)
    layer = multihead_attention(128, 512, num_heads=heads)
    return layer.other[figure] if figure in layer.other else getattr(layer, figure)


def changes(figure: str) -> str:
    """Whether twice the heads change a figure."""
    return "no" if with_heads(figure, 8) == with_heads(figure, 16) else "yes"


def changes_not(figure: str) -> str:
    """The other word."""
    return "yes" if changes(figure) == "no" else "no"


def question_of_change(figure: str, sentence: str) -> Question:
    """The question whether twice the heads change a figure, and what to say to the other word."""
    return Question(
        asks=f"do the {figure} change".replace("flops", "FLOPs").replace("macs", "MACs"),
        kind=Word(("yes", "no")),
        expected=lambda: changes(figure),
        mistakes=(Mistake(f"{figure}, the other word", lambda: changes_not(figure), sentence),),
    )


def one_more(figure: str = "flops", *, seen: int = 4001) -> int:
    """One more token, whose past is in the cache."""
    layer = multihead_attention(1, 4096, num_heads=32, kv_seq_len=seen, causal=True, bias=False)
    return int(getattr(layer, figure))


def past_projected_again() -> int:
    """One more token, for which all keys and values are computed anew."""
    return int(one_more() + 2 * linear(4096, 4096, batch=4000, bias=False).flops)


def for_each_head() -> int:
    """One more token, with the full width in each of 32 heads."""
    square = scaled_dot_product_attention(1, 4096, kv_seq_len=4001).flops
    return int(one_more() + 31 * square)


def all_again(figure: str = "flops", *, causal: bool = True) -> int:
    """The whole text once more."""
    layer = multihead_attention(4001, 4096, num_heads=32, causal=causal, bias=False)
    return int(getattr(layer, figure))


def projections_again() -> int:
    """The whole text once more, without the square."""
    return int(4 * linear(4096, 4096, batch=4001, bias=False).flops)


def half_again() -> int:
    """The whole text once more, with exactly half of the square."""
    return (projections_again() + all_again(causal=False)) // 2


#: What the tool may have left out, and how the names of its steps begin.
STEPS = {
    "projections": ("query", "key", "value", "output"),
    "output projection": ("output",),
    "scores and weighted sum": ("scores", "weighted"),
    "softmax": ("softmax",),
}
PARTS = tuple(STEPS)


def of_the_tool(*, causal: bool = False) -> dict[str, int]:
    """The MACs of each part of the tool's layer, and of the whole."""
    layer = multihead_attention(1024, 768, num_heads=12, causal=causal)
    parts = {
        part: sum(step.macs for step in layer.steps if step.name.startswith(names))
        for part, names in STEPS.items()
    }
    return parts | {"layer": layer.macs}


def left_out() -> str:
    """The part whose absence gives what the tool reports."""
    of = of_the_tool()
    return next(part for part in PARTS if of["layer"] - of[part] == of["projections"])


def too_small(*, causal: bool = False) -> Fraction:
    """By what factor the tool's figure is too small."""
    return Fraction(of_the_tool(causal=causal)["layer"], of_the_tool()["projections"])


def letters(names: str) -> Any:
    """Letters of a formula."""
    import sympy

    return sympy.symbols(names, positive=True, integer=True)


def cross(
    figure: str = "flops",
    *,
    asking: str = "L",
    answering: str = "M",
    pairs: str = "LM",
    products: int = 2,
) -> Any:
    """Attention between two texts, in letters: who asks, who answers, and which pairs there are."""
    length, other, d = letters("L M d")
    text = {"L": length, "M": other}
    layer: Derivation = 2 * linear(d, d, batch=text[asking])
    layer += 2 * linear(d, d, batch=text[answering])
    layer += products * matmul(text[pairs[0]], d, text[pairs[1]])
    return getattr(layer, figure)


def both_as_one() -> Any:
    """The attention of one text that consists of both."""
    length, other, d = letters("L M d")
    return multihead_attention(length + other, d).flops


def four_each() -> Any:
    """Attention between two texts, for each of which all is projected."""
    length, other, d = letters("L M d")
    return cross() + 2 * linear(d, d, batch=length + other).flops


def visible(length: Any, window: Any) -> Any:
    """The pairs within a window: the first tokens see what there is, the others a window."""
    first = scaled_dot_product_attention(window, 1, causal=True).steps[0].outputs
    return first + matmul(length - window, 1, window).macs


def pairs(*, more: int = 0) -> Any:
    """The visible pairs in letters, of a window that may be wider."""
    length, window = letters("L w")
    return visible(length, window + more)


def window_letter() -> Any:
    """The width of the window as a letter."""
    return letters("L w")[1]


def window_for_all() -> Any:
    """A full window for each token, in letters."""
    length, window = letters("L w")
    return matmul(length, 1, window).macs


def both_sides() -> Any:
    """The pairs of a window that looks forwards as well as back, in letters."""
    return 2 * pairs() - letters("L w")[0]


def unwindowed(*, causal: bool) -> Any:
    """All pairs in letters."""
    length, _ = letters("L w")
    return scaled_dot_product_attention(length, 1, causal=causal).steps[0].outputs


def shrinks(*, causal: bool = True, beginning: bool = True) -> Fraction:
    """By what factor a window shrinks the scores."""
    whole = scaled_dot_product_attention(4096, 1, causal=causal).steps[0].outputs
    return Fraction(whole, visible(4096, 128) if beginning else 4096 * 128)


EXERCISES = (
    Exercise(
        label="attention-half",
        questions=(
            Question(
                asks="which of the two costs more",
                kind=Word(("projections", "square")),
                expected=larger_half,
                mistakes=(
                    Mistake(
                        "square",
                        lambda: "square",
                        "The square costs more only if the sequence is long compared with the "
                        "width. How long is this one?",
                    ),
                ),
            ),
            Question(
                asks="by which factor",
                kind=Ratio(),
                expected=times_the_square,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / times_the_square()),
                    Mistake(
                        "scores alone",
                        lambda: times_the_square(square=("scores",)),
                        "You counted the scores alone. The weighted sum costs as much again.",
                    ),
                    Mistake(
                        "three projections",
                        lambda: times_the_square(projections=3),
                        "You counted three projections. The output has one, too.",
                    ),
                    Mistake(
                        "one projection",
                        lambda: times_the_square(projections=1),
                        "That is one projection, and there are four.",
                    ),
                ),
            ),
            Question(
                asks="the length at which both cost the same",
                kind=Whole(),
                expected=equal_at,
                mistakes=(
                    Mistake(
                        "length is width",
                        lambda: equal_at(projections=2),
                        "At a length of d the projections still cost more: they are four "
                        "products, and the square is two.",
                    ),
                    Mistake(
                        "scores alone",
                        lambda: equal_at(square=("scores",)),
                        "You counted the scores alone. The weighted sum costs as much again.",
                    ),
                    Mistake(
                        "three projections",
                        lambda: equal_at(projections=3),
                        "You counted three projections. The output has one, too.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A projection treats each token on its own. So for twice the length the projections "
            "cost twice as much, and the square costs four times as much."
        ),
        hints=(
            "Write both as products of L and d.",
            "A projection is a linear layer from d to d for each of L tokens. The scores are L by "
            "L dot products of d terms.",
            "Divide one by the other. Only d, L and a number remain.",
        ),
    ),
    Exercise(
        label="attention-heads",
        questions=(
            question_of_change(
                "macs",
                "There are twice as many heads, each half as wide. How many terms has a score "
                "now, and how many scores are there?",
            ),
            question_of_change(
                "flops",
                "There are two FLOPs for each MAC, so the FLOPs change only if the MACs do.",
            ),
            question_of_change(
                "multiplications",
                "The number of products in dot products stays the same. But is there anything "
                "that is multiplied once for each score?",
            ),
            question_of_change(
                "exponentials",
                "The softmax takes one for each score, and each head has its own scores.",
            ),
            question_of_change(
                "parameters",
                "The heads cut the same matrices into narrower slices.",
            ),
        ),
        worth_knowing=(
            "The exponentials double, and so does the scaling of the scores. Neither shows in MACs "
            "or FLOPs, and yet a program has to perform them."
        ),
        hints=(
            "The width of a head is the width of the model, divided by the number of heads.",
            "How many scores are there altogether? Which operations happen once for each score, "
            "and not once for each of its terms?",
        ),
    ),
    Exercise(
        label="attention-decode",
        questions=(
            Question(
                asks="the FLOPs with the cache",
                kind=Whole(),
                expected=one_more,
                mistakes=(
                    mistakes.counted_macs(lambda: one_more("macs")),
                    mistakes.counted_exactly(lambda: one_more("exact_flops")),
                    mistakes.heads_multiplied(for_each_head),
                    Mistake(
                        "blind to itself",
                        lambda: one_more(seen=4000),
                        "The new token sees not only the cache, but itself, too.",
                    ),
                    Mistake(
                        "keys and values of the past",
                        past_projected_again,
                        "You projected the keys and values of the past once more. The cache "
                        "holds them already.",
                    ),
                    Mistake(
                        "projections alone",
                        lambda: 4 * linear(4096, 4096, bias=False).flops,
                        "Those are the projections alone. The new token also needs scores and a "
                        "weighted sum.",
                    ),
                ),
            ),
            Question(
                asks="the FLOPs without a cache",
                kind=Whole(),
                expected=all_again,
                mistakes=(
                    mistakes.counted_macs(lambda: all_again("macs")),
                    mistakes.full_square(lambda: all_again(causal=False)),
                    mistakes.half_square(half_again),
                    Mistake(
                        "projections alone",
                        projections_again,
                        "Those are the projections alone. The scores and the weighted sums are "
                        "computed again as well.",
                    ),
                    Mistake(
                        "as many times as tokens",
                        lambda: 4001 * one_more(),
                        "That lets every token of the past see as much as the last one does.",
                    ),
                ),
                coincide=(("full square", "as many times as tokens"),),
            ),
        ),
        worth_knowing=(
            "Without a cache a sequence of L tokens, written one by one, costs about L²/2 times "
            "the projections of one token. That is why everybody keeps a cache."
        ),
        hints=(
            "With a cache, how many tokens are projected, and how many does the new token see?",
            "Without a cache each token sees itself and all before it. How many pairs are there?",
        ),
    ),
    Exercise(
        label="attention-bug",
        questions=(
            Question(
                asks="which part was left out",
                kind=Word(PARTS),
                expected=left_out,
                mistakes=(
                    Mistake(
                        "projections",
                        lambda: "projections",
                        "The projections are the only part that was counted. Divide the reported "
                        "number by L·d².",
                    ),
                    Mistake(
                        "output projection",
                        lambda: "output projection",
                        "Divide the reported number by L·d². The result is the number of "
                        "projections in it.",
                    ),
                    Mistake(
                        "softmax",
                        lambda: "softmax",
                        "The softmax has no MACs, so leaving it out changes nothing here.",
                    ),
                ),
            ),
            Question(
                asks="by which factor its count is too small",
                kind=Ratio(),
                expected=too_small,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / too_small()),
                    Mistake(
                        "the share that is missing",
                        lambda: 1 - 1 / too_small(),
                        "That is the share of the layer that is missing. The question asks for "
                        "the factor between the whole and the reported number.",
                    ),
                    Mistake(
                        "FLOPs against MACs",
                        lambda: 2 * too_small(),
                        "You compared FLOPs with MACs, and the tool reports MACs.",
                        Fraction(2),
                    ),
                    Mistake(
                        "with a mask",
                        lambda: too_small(causal=True),
                        "That is for a causal mask, and this layer has none.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A counter that watches layers does not see into a fused kernel. The longer the "
            "sequence, the more it misses."
        ),
        hints=(
            "Divide the reported number by L·d². Which part of the layer occurs that many times?",
            "Add the missing part, and compare.",
        ),
    ),
    Exercise(
        label="attention-cross",
        questions=(
            Question(
                asks="the FLOPs in L, M and d",
                kind=Expression(("L", "M", "d")),
                expected=cross,
                mistakes=(
                    mistakes.counted_macs(lambda: cross("macs")),
                    Mistake(
                        "one product",
                        lambda: cross(products=1),
                        "You counted the scores alone. The weighted sum costs as much again.",
                    ),
                    Mistake(
                        "keys of the first text",
                        lambda: cross(answering="L"),
                        "You projected everything for the first sequence. Keys and values belong "
                        "to the second.",
                    ),
                    Mistake(
                        "queries of the second text",
                        lambda: cross(asking="M"),
                        "You projected everything for the second sequence. Queries and outputs "
                        "belong to the first.",
                    ),
                    Mistake(
                        "the square of the first text",
                        lambda: cross(pairs="LL"),
                        "You counted pairs within the first sequence. Here each token of one "
                        "sequence looks at each token of the other.",
                    ),
                    Mistake(
                        "both texts as one",
                        both_as_one,
                        "You treated both sequences as one of L + M tokens, in which every token "
                        "looks at every token.",
                    ),
                    Mistake(
                        "each with four projections",
                        four_each,
                        "You gave each sequence all four projections. Each needs two of them.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The keys and values of the second sequence are the same for every new token of the "
            "first, so they are projected once and kept."
        ),
        hints=(
            "For which sequence is each of the four projections computed?",
            "How many pairs are there, and how many terms has the score of one?",
        ),
    ),
    Exercise(
        label="attention-window",
        questions=(
            Question(
                asks="the visible pairs in L and w",
                kind=Expression(("L", "w")),
                expected=pairs,
                mistakes=(
                    Mistake(
                        "no beginning",
                        window_for_all,
                        "You gave every token a full window, but the first tokens have fewer "
                        "tokens before them.",
                    ),
                    Mistake(
                        "itself counted twice",
                        lambda: pairs(more=1),
                        "That window is one token too wide: the token itself is one of the w.",
                    ),
                    Mistake(
                        "too much missing",
                        lambda: pairs() - window_letter(),
                        "The first tokens miss w − 1, w − 2, … pairs, and the last of these "
                        "terms is 0, not w.",
                    ),
                    Mistake(
                        "both sides",
                        both_sides,
                        "That window also looks ahead. Here no token sees a later one.",
                    ),
                    Mistake(
                        "causal, no window",
                        lambda: unwindowed(causal=True),
                        "Those are the pairs under a causal mask, without a window.",
                    ),
                    Mistake(
                        "full square",
                        lambda: unwindowed(causal=False),
                        "Those are all pairs, without mask and window.",
                    ),
                ),
            ),
            Question(
                asks="by which factor the window reduces the scores",
                kind=Ratio(),
                expected=shrinks,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / shrinks()),
                    mistakes.full_square(lambda: shrinks(causal=False)),
                    Mistake(
                        "no beginning",
                        lambda: shrinks(beginning=False),
                        "You gave every token a full window, but the first tokens have fewer "
                        "tokens before them.",
                    ),
                    Mistake(
                        "length by window",
                        lambda: Fraction(4096, 128),
                        "That is the length divided by the window. But under a causal mask a "
                        "token sees only half of the sequence, on average.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "With a window the cost grows with the length of the sequence, no longer with its "
            "square, and a cache never has to hold more than w tokens."
        ),
        hints=(
            "How many tokens does the i-th token see, while i is below w? And after that?",
            "Give every token w pairs, and subtract those that the first tokens do not have.",
            "Under a causal mask without a window, L tokens have L(L + 1)/2 pairs.",
        ),
    ),
)
