"""The exercises of the chapter on language models."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Amount, Expression, OneDigit, Ratio, Whole, Word, leading
from flopslib import linear, matmul
from flopslib.loops.operands import parameters
from flopslib.models import (
    gpt2_large,
    gpt2_medium,
    gpt2_small,
    gpt2_xl,
    gpt3,
    llama3_8b,
    llama_7b,
)
from flopslib.models.language import Training, next_token, parts, products, prompt, training

__all__ = ["EXERCISES"]


def head(*, tokens: int = 1000, causal: bool = True, figure: str = "flops") -> int:
    """A sequence that LLaMA-7B reads."""
    return int(getattr(prompt(llama_7b, tokens, causal=causal), figure))


def mask_matters() -> str:
    """Whether the mask changes the leading digit."""
    digits = {leading(Fraction(head(causal=causal))) for causal in (True, False)}
    return "yes" if len(digits) > 1 else "no"


def llama_run(*, causal: bool = True) -> Training:
    """The training of LLaMA-7B."""
    return training(llama_7b, tokens=10**12, seq_len=2048, causal=causal)


def largest_difference() -> str:
    """The name that is furthest from what the rule says."""
    found = llama_run().differences
    return max(found, key=lambda name: abs(found[name]))


def llama_with_products() -> int:
    """The training of LLaMA-7B by its weights with products alone."""
    return 6 * products(next_token(llama_7b)).weights * 10**12


def half_attention(
    *, layers_alone: bool = False, all_parameters: bool = False, times: int = 1
) -> int:
    """The tokens seen at which scores and weighted sums are half of a token's cost."""
    one = next_token(llama3_8b)
    work = one.parameters if all_parameters else products(one).weights
    if layers_alone:
        work -= parts(one)["logits"].macs
    return -(-times * work // products(one).attention)


PAGE_LENGTH = 2048


def page_claims() -> int:
    """What the page says that a sequence costs."""
    length, width = PAGE_LENGTH, 4096
    square = 32 * (matmul(length, width, length) + matmul(length, length, width))
    return int(length * (2 * llama_7b().parameters + square.flops))


def page_too_high(*, causal: bool = False) -> Fraction:
    """By what factor the page is too high."""
    return Fraction(page_claims(), prompt(llama_7b, PAGE_LENGTH, causal=causal).flops)


def counted_twice() -> str:
    """What the page's attention is too high by."""
    claimed = page_claims() - PAGE_LENGTH * 2 * llama_7b().parameters
    right = 2 * products(prompt(llama_7b, PAGE_LENGTH)).attention
    sizes = {PAGE_LENGTH: "the length", 32: "the layers", 4096: "the width"}
    return sizes[claimed // right]


def share(
    each: int, *, logits: int = 0, causal: bool = True, all_parameters: bool = False
) -> Fraction:
    """Some FLOPs for each weight inside GPT-2's layers, as a share of the exact sum.

    Args:
        each: FLOPs for each of those weights.
        logits: FLOPs for each product of the logits.
        causal: whether the exact sum has a causal square.
        all_parameters: whether the tables are counted as well.
    """
    run = training(gpt2_small, tokens=1024 * 10**6, seq_len=1024, causal=causal)
    piece = parts(run.forward)
    inside = piece["projections"].parameters + piece["feed-forward"].parameters
    if all_parameters:
        inside = run.parameters
    of_a_token = each * inside + logits * piece["logits"].macs // 1024
    return Fraction(of_a_token * run.tokens, run.flops)


def both_ends(*, look_up: bool = False, first: bool = True, last: bool = True) -> Any:
    """The MACs of a token at both ends of a model with one thin table, in letters."""
    v, d, e = letters()
    macs = 0
    if first:
        macs += linear(e, d, bias=False).macs
    if look_up:
        macs += linear(v, e, bias=False).macs
    if last:
        macs += (linear(d, e, bias=False) + linear(e, v, bias=False)).macs
    return macs


def owned(*, tables: int = 1, wideners: int = 1) -> Any:
    """The parameters of some thin tables and some matrices that widen, in letters."""
    v, d, e = letters()
    table = parameters(linear, e, v, bias=False)
    return tables * table + wideners * parameters(linear, e, d, bias=False)


def wide(times: int = 1) -> Any:
    """The weights of a table that is as wide as the model, in letters."""
    v, d, _ = letters()
    return times * parameters(linear, d, v, bias=False)


def letters() -> Any:
    """The vocabulary, the width, and the width of the thin table."""
    import sympy

    return sympy.symbols("V d e", positive=True, integer=True)


def pairs(*, beside: int = 2, layers: int = 32, matrices: int = 2, rank: int = 16) -> int:
    """The parameters of the thin pairs of LLaMA-7B."""
    return beside * layers * matrices * int(parameters(linear, 4096, rank, bias=False))


def with_pairs(frozen: int = 4) -> Fraction:
    """Training the pairs as a share of training all, at ``frozen`` FLOPs a frozen weight."""
    weights = products(next_token(llama_7b)).weights
    return Fraction(frozen * weights + 6 * pairs(), 6 * weights)


def rate(*, accelerators: int = 64, used: Fraction = Fraction(2, 5)) -> Fraction:
    """The FLOPs of a day."""
    return accelerators * 300 * 10**12 * used * 24 * 3600


def tokens_in_a_week(*, days: int = 7, figure: Fraction = Fraction(1), **of: Any) -> Fraction:
    """The tokens that LLaMA-7B can be trained on, if a token costs ``figure`` times as much."""
    text = training(llama_7b, tokens=2048, seq_len=2048, causal=True)
    return days * rate(**of) / (text.flops * figure) * 2048


def days_for_gpt3(*, exactly: bool = False, figure: Fraction = Fraction(1), **of: Any) -> Fraction:
    """The days that GPT-3 takes, if a token costs ``figure`` times what the rule says."""
    run = training(gpt3, tokens=300 * 10**9, seq_len=2048, causal=True)
    return (run.flops if exactly else run.rule) * figure / rate(**of)


GPT2: tuple[Callable[..., Any], ...] = (gpt2_small, gpt2_medium, gpt2_large, gpt2_xl)
NAMES = tuple(build.__name__ for build in GPT2)


def study(build: Callable[..., Any], *, causal: bool = True, each: int = 20) -> Training:
    """A model trained on ``each`` tokens for each parameter."""
    texts = -(-each * build().parameters // 1024)
    return training(build, tokens=texts * 1024, seq_len=1024, causal=causal)


def affordable() -> Callable[..., Any]:
    """The largest model of the family that the budget pays for."""
    return [build for build in GPT2 if study(build).flops <= 10**20][-1]


def of_the_budget(**of: Any) -> Fraction:
    """What it takes of the budget."""
    return Fraction(study(affordable(), **of).flops, 10**20)


def worst_for_the_rule() -> str:
    """The model for which the rule is furthest off."""
    runs = {build.__name__: study(build) for build in GPT2}
    return max(runs, key=lambda name: 1 - Fraction(runs[name].rule, runs[name].flops))


def words(sentences: dict[str, str]) -> tuple[Mistake, ...]:
    """A mistake for each wrong word."""
    return tuple(Mistake(word, word.strip, sentence) for word, sentence in sentences.items())


EXERCISES = (
    Exercise(
        label="language-head",
        questions=(
            Question(
                asks="the FLOPs for the sequence, to one digit",
                kind=OneDigit(),
                expected=head,
                mistakes=(
                    mistakes.counted_macs(lambda: head(figure="macs")),
                    mistakes.forgot_tokens(lambda: head(tokens=1)),
                    Mistake(
                        "training",
                        lambda: 3 * head(),
                        "That is training, three times a forward pass; here the model reads.",
                        Fraction(3),
                    ),
                    Mistake(
                        "parameters",
                        lambda: llama_7b().parameters,
                        "Those are the parameters: each costs two FLOPs for each token.",
                    ),
                ),
            ),
            Question(
                asks="does the mask matter",
                kind=Word(("yes", "no")),
                expected=mask_matters,
                mistakes=(
                    Mistake(
                        "the mask matters",
                        lambda: "yes",
                        "Compare one row of the square, 4·L·d in each layer, with two FLOPs for "
                        "each weight of the layer.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "With two FLOPs for each weight and token you can count a prompt in your head, as "
            "long as it is short compared with the length at which the square overtakes."
        ),
        hints=(
            "How many weights does a model called 7B have?",
            "Two FLOPs for each weight and each token.",
        ),
    ),
    Exercise(
        label="language-llama",
        questions=(
            Question(
                asks="the FLOPs by the rule",
                kind=Amount(),
                expected=lambda: llama_run().rule,
                mistakes=(
                    mistakes.counted_macs(lambda: llama_run().rule // 2),
                    mistakes.forward_alone(lambda: llama_run().rule // 3),
                    Mistake(
                        "one backward product",
                        lambda: llama_run().rule * 2 // 3,
                        "The backward pass has two products for each one of the forward pass.",
                        Fraction(2, 3),
                    ),
                    Mistake(
                        "weights with products",
                        llama_with_products,
                        "You took the weights that have products; the rule takes all "
                        "parameters, and that is its mistake.",
                    ),
                ),
            ),
            Question(
                asks="the exact FLOPs",
                kind=Amount(),
                expected=lambda: llama_run().flops,
                mistakes=(
                    mistakes.counted_macs(lambda: llama_run().flops // 2),
                    mistakes.forward_alone(lambda: llama_run().flops // 3),
                    mistakes.full_square(lambda: llama_run(causal=False).flops),
                    Mistake(
                        "no attention",
                        llama_with_products,
                        "Scores and weighted sums are missing.",
                    ),
                ),
            ),
            Question(
                asks="the largest difference",
                kind=Word(("token table", "norms", "attention")),
                expected=largest_difference,
                mistakes=words(
                    {
                        "token table": "The rule charges for the table, which costs nothing; a "
                        "part that it leaves out is larger.",
                        "norms": "Those are the smallest by far: a few numbers in each layer.",
                    },
                ),
            ),
        ),
        worth_knowing=(
            "Two mistakes of the rule have opposite signs here, so it looks better than it is."
        ),
        hints=(
            "`training` takes a builder, the tokens and the length of a sequence.",
            "Its result has `rule`, `flops` and `differences`.",
        ),
    ),
    Exercise(
        label="language-half",
        questions=(
            Question(
                asks="the tokens that one token must see",
                kind=Whole(),
                expected=half_attention,
                mistakes=(
                    Mistake(
                        "layers alone",
                        lambda: half_attention(layers_alone=True),
                        "You compared with the layers alone; the logits belong to all FLOPs, too.",
                    ),
                    Mistake(
                        "rounded down",
                        lambda: half_attention() - 1,
                        "With so many it is still a little less than half; or you gave the "
                        "tokens in the cache, without the token itself.",
                    ),
                    Mistake(
                        "all parameters",
                        lambda: half_attention(all_parameters=True),
                        "You took all parameters; the table of tokens is only looked up.",
                    ),
                    Mistake(
                        "shared heads",
                        lambda: half_attention(times=4),
                        "You counted the heads of keys and values; every head of queries has "
                        "scores of its own.",
                    ),
                    Mistake(
                        "FLOPs against MACs",
                        lambda: half_attention(times=2),
                        "You compared FLOPs of the weights with MACs of the scores and sums.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Shared keys and values make the cache smaller, but the number of scores stays, and "
            "so does the length at which they overtake."
        ),
        hints=(
            "Which part of a token's cost grows with the tokens it sees, and which does not?",
            "`products(next_token(llama3_8b))` gives both, for a token that sees itself alone.",
            "Divide, and round up.",
        ),
    ),
    Exercise(
        label="language-bug",
        questions=(
            Question(
                asks="what was counted twice",
                kind=Word(("the length", "the layers", "the width")),
                expected=counted_twice,
                mistakes=words(
                    {
                        "the layers": "The layers are in the page's attention once: does any "
                        "factor in it belong to the sequence, and not to a token?",
                        "the width": "A score has as many terms as the heads are wide, and the "
                        "width is in it once; look at the power of L.",
                    },
                ),
            ),
            Question(
                asks="by what factor the page is too high",
                kind=Ratio(within=Fraction(1, 50)),
                expected=page_too_high,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / page_too_high()),
                    Mistake(
                        "attention alone",
                        lambda: PAGE_LENGTH,
                        "That is the factor of attention alone; the weights are nearly right.",
                    ),
                    Mistake(
                        "against a causal square",
                        lambda: page_too_high(causal=True),
                        "You compared with the causal square; the question says the full one.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Before you multiply, ask whether a term belongs to a token, a sequence or a batch."
        ),
        hints=(
            "How many tokens does one token see, and how many pairs are there in the sequence?",
            "Which of the two is L²?",
        ),
    ),
    Exercise(
        label="language-four",
        questions=(
            Question(
                asks="the claim as a share of the exact sum",
                kind=Ratio(),
                expected=lambda: share(4),
                mistakes=(
                    mistakes.upside_down(lambda: 1 / share(4)),
                    mistakes.full_square(lambda: share(4, causal=False)),
                    Mistake(
                        "all parameters",
                        lambda: share(4, all_parameters=True),
                        "You counted the tables, too; the script counts the layers alone.",
                    ),
                ),
            ),
            Question(
                asks="with the backward pass put right",
                kind=Ratio(),
                expected=lambda: share(6),
                mistakes=(
                    mistakes.upside_down(lambda: 1 / share(6)),
                    mistakes.full_square(lambda: share(6, causal=False)),
                    Mistake(
                        "four again",
                        lambda: share(4),
                        "That is the claim once more: the backward pass has two products for "
                        "each one of the forward pass.",
                    ),
                    Mistake(
                        "all parameters",
                        lambda: share(6, all_parameters=True),
                        "You counted the tables, too; that is the next step, and only one of "
                        "them has products.",
                    ),
                ),
            ),
            Question(
                asks="with the logits as well",
                kind=Ratio(),
                expected=lambda: share(6, logits=6),
                mistakes=(
                    mistakes.upside_down(lambda: 1 / share(6, logits=6)),
                    mistakes.full_square(lambda: share(6, logits=6, causal=False)),
                    Mistake(
                        "logits forward",
                        lambda: share(6, logits=2),
                        "You counted the logits in the forward pass only.",
                    ),
                    Mistake(
                        "no logits",
                        lambda: share(6),
                        "The logits are still missing.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "In a small model the logits are a large part of the work, so whether they are "
            "counted matters more than the mask does."
        ),
        hints=(
            "How many products does the backward pass have for each one of the forward pass?",
            "`parts(run.forward)` has the parameters and MACs of the layers and of the logits.",
            "The logits multiply each token by a table that the script left out.",
        ),
    ),
    Exercise(
        label="language-tied",
        questions=(
            Question(
                asks="the parameters in V, d and e",
                kind=Expression(("V", "d", "e")),
                expected=owned,
                mistakes=(
                    Mistake(
                        "not tied",
                        lambda: owned(tables=2, wideners=2),
                        "You counted each matrix twice; both ends share them.",
                    ),
                    Mistake(
                        "one shared",
                        lambda: owned(wideners=2),
                        "You shared the table alone; the matrix that widens is shared, too.",
                    ),
                    Mistake(
                        "table alone",
                        lambda: owned(wideners=0),
                        "The matrix that widens is missing.",
                    ),
                    Mistake(
                        "a wide table",
                        wide,
                        "That table is as wide as the model; this one is thin.",
                    ),
                ),
            ),
            Question(
                asks="the FLOPs for one token in V, d and e",
                kind=Expression(("V", "d", "e")),
                expected=lambda: 2 * both_ends(),
                mistakes=(
                    mistakes.counted_macs(both_ends),
                    Mistake(
                        "the look-up",
                        lambda: 2 * both_ends(look_up=True),
                        "You multiplied by the table at the first end, where a row of it is only "
                        "read.",
                    ),
                    Mistake(
                        "logits alone",
                        lambda: 2 * both_ends(first=False),
                        "That is one end; at the first end the token is widened as well.",
                    ),
                    Mistake(
                        "two for each parameter",
                        lambda: 2 * owned(),
                        "You took two for each parameter, but the matrix that widens is stored "
                        "once and used at both ends.",
                    ),
                    Mistake(
                        "the first end alone",
                        lambda: 2 * both_ends(last=False),
                        "That is the first end alone; the logits cost far more.",
                    ),
                    Mistake(
                        "wide logits",
                        lambda: 2 * wide(),
                        "Those are the logits of a table as wide as the model.",
                    ),
                ),
                coincide=(("logits alone", "two for each parameter"),),
            ),
        ),
        worth_knowing=("Tying saves parameters and no FLOPs; a thin table saves both."),
        hints=(
            "Which matrices are there, and what are their sides?",
            "At the first end, by which of them is the token multiplied, and which is only read?",
            "At the other end, it is multiplied by both.",
        ),
    ),
    Exercise(
        label="language-lora",
        questions=(
            Question(
                asks="the parameters that are trained",
                kind=Whole(),
                expected=pairs,
                mistakes=(
                    mistakes.one_layer(lambda: pairs(layers=1)),
                    Mistake(
                        "one matrix of a pair",
                        lambda: pairs(matrices=1),
                        "A pair has two matrices, one that leads in and one that leads out.",
                    ),
                    Mistake(
                        "one pair",
                        lambda: pairs(beside=1),
                        "There is one pair for the queries and another for the values.",
                    ),
                    Mistake(
                        "all projections",
                        lambda: pairs(beside=4),
                        "Only the queries and the values have pairs.",
                    ),
                    Mistake(
                        "the projections",
                        lambda: pairs(matrices=1, rank=4096),
                        "Those are the projections themselves, and they are frozen.",
                    ),
                ),
                coincide=(("one matrix of a pair", "one pair"),),
            ),
            Question(
                asks="what is left of the FLOPs, as a ratio",
                kind=Ratio(),
                expected=with_pairs,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / with_pairs()),
                    Mistake(
                        "the pairs alone",
                        lambda: with_pairs(frozen=0),
                        "Those are the pairs alone; but a token still goes through the whole "
                        "model, and a gradient goes back through it.",
                    ),
                    Mistake(
                        "forward through the frozen",
                        lambda: with_pairs(frozen=2),
                        "You left out the gradient that goes back through the frozen weights; "
                        "the pairs of earlier layers need it.",
                    ),
                    Mistake(
                        "nothing saved",
                        lambda: with_pairs(frozen=6),
                        "A frozen weight needs no gradient of its own, which saves one product "
                        "of three.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The memory for gradients and for the optimiser becomes tiny. The FLOPs fall by a "
            "third at most."
        ),
        hints=(
            "Which sides do the matrices of a pair of rank r have, for a layer from d to d?",
            "For y = Wx there are three products: y, the gradient of x and the gradient of W.",
            "Which of them does a frozen W need, if a layer before it is trained?",
        ),
    ),
    Exercise(
        label="language-week",
        questions=(
            Question(
                asks="the tokens for LLaMA-7B",
                kind=Amount(),
                expected=tokens_in_a_week,
                mistakes=(
                    Mistake(
                        "full rate",
                        lambda: tokens_in_a_week(used=Fraction(1)),
                        "That is at the full rate, of which the program reaches only a part.",
                        Fraction(5, 2),
                    ),
                    Mistake(
                        "one day",
                        lambda: tokens_in_a_week(days=1),
                        "That is for one day.",
                        Fraction(1, 7),
                    ),
                    Mistake(
                        "one accelerator",
                        lambda: tokens_in_a_week(accelerators=1),
                        "That is for one accelerator.",
                        Fraction(1, 64),
                    ),
                    Mistake(
                        "reading for training",
                        lambda: tokens_in_a_week(figure=Fraction(1, 3)),
                        "That many tokens could be read; training costs three times as much.",
                        Fraction(3),
                    ),
                    Mistake(
                        "MACs for FLOPs",
                        lambda: tokens_in_a_week(figure=Fraction(1, 2)),
                        "You divided the rate by MACs; it is in FLOP/s, and a MAC is two FLOPs.",
                        Fraction(2),
                    ),
                ),
            ),
            Question(
                asks="the days for GPT-3",
                kind=Amount(),
                expected=days_for_gpt3,
                mistakes=(
                    Mistake(
                        "full rate",
                        lambda: days_for_gpt3(used=Fraction(1)),
                        "That is at the full rate, of which the program reaches only a part.",
                        Fraction(2, 5),
                    ),
                    Mistake(
                        "one accelerator",
                        lambda: days_for_gpt3(accelerators=1),
                        "That is for one accelerator.",
                        Fraction(64),
                    ),
                    Mistake(
                        "weeks",
                        lambda: days_for_gpt3() / 7,
                        "Those are weeks; days are asked for.",
                        Fraction(1, 7),
                    ),
                    mistakes.forward_alone(lambda: days_for_gpt3(figure=Fraction(1, 3))),
                    Mistake(
                        "exactly",
                        lambda: days_for_gpt3(exactly=True),
                        "That is the exact sum with a causal square; the question asks for 6PD.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Utilisation is the only number here that cannot be derived: it has to be measured."
        ),
        hints=(
            "How many FLOPs do all of them do in a day, at the rate they reach?",
            "Divide by the cost of one token of training; for GPT-3, divide its cost by a day.",
        ),
    ),
    Exercise(
        label="language-budget",
        questions=(
            Question(
                asks="the largest model that can be afforded",
                kind=Word(NAMES),
                expected=lambda: affordable().__name__,
                mistakes=words(
                    {
                        "gpt2_small": "A larger one can be afforded.",
                        "gpt2_medium": "The next larger one can be afforded, too.",
                        "gpt2_xl": "That costs more than the budget: with the parameters the "
                        "tokens grow, too.",
                    },
                ),
            ),
            Question(
                asks="what it takes of the budget, as a ratio",
                kind=Ratio(),
                expected=of_the_budget,
                mistakes=(
                    mistakes.counted_macs(lambda: of_the_budget() / 2),
                    mistakes.forward_alone(lambda: of_the_budget() / 3),
                    mistakes.full_square(lambda: of_the_budget(causal=False)),
                    Mistake(
                        "by the rule",
                        lambda: Fraction(study(affordable()).rule, 10**20),
                        "That is 6PD; count exactly.",
                    ),
                    Mistake(
                        "one token a parameter",
                        lambda: of_the_budget(each=1),
                        "That is one token for each parameter; the study has 20.",
                    ),
                    mistakes.upside_down(lambda: 1 / of_the_budget()),
                ),
            ),
            Question(
                asks="for which model 6PD is furthest off",
                kind=Word(NAMES),
                expected=worst_for_the_rule,
                mistakes=words(
                    {
                        "gpt2_medium": "It is close; but which model is the narrowest for the "
                        "same length?",
                        "gpt2_large": "The rule leaves out the square, and its share is larger in "
                        "a narrower model.",
                        "gpt2_xl": "The wider a model, the smaller is the share of the square.",
                    },
                ),
            ),
        ),
        worth_knowing=(
            "If the tokens grow with the parameters, a budget four times as large is enough for "
            "a model twice as large."
        ),
        hints=(
            "How many tokens is that for each of the four? Round up to whole sequences of 1024.",
            "`training(…)` gives the exact sum and the rule for each of them.",
        ),
    ),
)
