"""The exercises of the chapter on mixtures of experts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, Ratio, Whole
from flopslib import (
    formula,
    linear,
    mixture_of_experts,
    shared_mixture_of_experts,
)
from flopslib.layers import MixtureOfExperts, SwiGLU
from flopslib.notation import A, B, E, L, d, d_ff, d_sh

__all__ = ["EXERCISES"]

WIDTH, INSIDE, EXPERTS, VISITED = 1024, 2560, 16, 2


def layer(seq_len: int = 128, *, batch: int = 4, visited: int = VISITED, **more: Any) -> Any:
    """The layer that most exercises are about."""
    return mixture_of_experts(
        seq_len, WIDTH, INSIDE, EXPERTS, visited, batch=batch, bias=False, **more
    )


def owned(experts: int = EXPERTS) -> MixtureOfExperts:
    """The same as a layer, with so many experts."""
    return MixtureOfExperts(WIDTH, INSIDE, experts, VISITED, bias=False)


ROUTER = linear(WIDTH, EXPERTS, bias=False)
TWO_MATRICES = 2 * WIDTH * INSIDE


def in_letters(figure: str = "flops", **more: Any) -> Any:
    """The cost of a layer in letters."""
    return getattr(formula(mixture_of_experts, bias=False, **more), figure)


def shared(figure: str = "flops", *, gate: bool = True) -> Any:
    """What a shared expert with a gate adds for each token."""
    with_one = formula(shared_mixture_of_experts, bias=False, shared_gate=gate, shared_ff=d_sh)
    more = getattr(with_one, figure) - in_letters(figure)
    return (more / (B * L)).expand()


def read(tokens: int, *, width: int = 2, experts: int | None = None) -> int:
    """The bytes of the experts' weights that so many tokens need at most."""
    visited = min(EXPERTS, VISITED * tokens) if experts is None else experts
    return width * visited * SwiGLU(WIDTH, INSIDE, bias=False).parameters


def idle(tokens: int = 8, *, visited: int = VISITED) -> Fraction:
    """The share of experts that no token visits, on average, if all are equally likely."""
    return Fraction(EXPERTS - visited, EXPERTS) ** tokens


def times_the_design() -> Fraction:
    """The FLOPs of all experts on all tokens over those of the design."""
    return Fraction(layer(all_experts=True).flops, layer().flops)


EXERCISES = (
    Exercise(
        label="experts-parameters",
        questions=(
            Question(
                asks="all parameters of the layer",
                kind=Whole(),
                expected=lambda: owned().parameters,
                mistakes=(
                    Mistake(
                        "no router",
                        lambda: owned().parameters - ROUTER.macs,
                        "Those are the experts alone. The router has weights, too.",
                    ),
                    Mistake(
                        "two matrices",
                        lambda: EXPERTS * TWO_MATRICES + ROUTER.macs,
                        "An expert with a gate has three matrices, not two.",
                    ),
                    Mistake(
                        "one expert",
                        lambda: owned(2).parameters // 2,
                        "That is one expert. Every expert has weights of its own.",
                    ),
                ),
            ),
            Question(
                asks="the active ones",
                kind=Whole(),
                expected=lambda: owned().active_parameters,
                mistakes=(
                    Mistake(
                        "all of them",
                        lambda: owned().parameters,
                        "Those are all parameters. A token visits only a few of the experts.",
                    ),
                    Mistake(
                        "a part of the router",
                        lambda: owned().parameters * VISITED // EXPERTS,
                        "You also cut the router. It scores all experts for every token.",
                    ),
                    Mistake(
                        "no router",
                        lambda: owned().active_parameters - ROUTER.macs,
                        "Those are the experts alone. The router works for every token, too.",
                    ),
                ),
            ),
        ),
        worth_knowing="Memory is bought for all parameters, and MACs for the active ones.",
        hints=(
            "How many matrices has an expert, and of which shape is each?",
            "The router is a linear layer from the width to the number of experts.",
        ),
    ),
    Exercise(
        label="experts-flops",
        questions=(
            Question(
                asks="the FLOPs of the layer",
                kind=Whole(),
                expected=lambda: layer().flops,
                mistakes=(
                    mistakes.counted_macs(lambda: layer().macs),
                    mistakes.counted_exactly(lambda: layer().exact_flops),
                    mistakes.forgot_samples(lambda: layer(batch=1).flops),
                    mistakes.forgot_tokens(lambda: layer(1).flops),
                    Mistake(
                        "all experts",
                        lambda: layer(all_experts=True).flops,
                        "That lets every expert work on every token.",
                    ),
                    Mistake(
                        "no router",
                        lambda: layer().flops - 4 * 128 * ROUTER.flops,
                        "Those are the experts alone. The router costs something as well.",
                    ),
                ),
            ),
        ),
        worth_knowing="The router is a few thousandths of the layer here.",
        hints=("What does one token cost?", "How many tokens are there in all sequences?"),
    ),
    Exercise(
        label="experts-formula",
        questions=(
            Question(
                asks="the FLOPs in B, L, d, d_ff, E and A",
                kind=Expression(("B", "L", "d", "d_ff", "E", "A")),
                expected=in_letters,
                mistakes=(
                    mistakes.counted_macs(lambda: in_letters("macs")),
                    Mistake(
                        "all experts",
                        lambda: in_letters(all_experts=True),
                        "You multiplied by all experts. A token visits A of them.",
                    ),
                    Mistake(
                        "two matrices",
                        lambda: in_letters() - 2 * B * L * A * d * d_ff,
                        "An expert with a gate has three matrices, not two.",
                    ),
                    Mistake(
                        "no router",
                        lambda: in_letters() - 2 * B * L * d * E,
                        "Those are the experts alone. The router scores all E of them.",
                    ),
                    mistakes.forgot_samples(lambda: in_letters(batch=1)),
                ),
            ),
        ),
        worth_knowing="The number of experts occurs in the router alone.",
        hints=("What does one visit of one token cost?", "What does the router cost for a token?"),
    ),
    Exercise(
        label="experts-shared",
        questions=(
            Question(
                asks="the FLOPs that come on top for a token, in d and d_sh",
                kind=Expression(("d", "d_sh")),
                expected=shared,
                mistakes=(
                    mistakes.counted_macs(lambda: shared("macs")),
                    Mistake(
                        "no gate",
                        lambda: shared(gate=False),
                        "That is the expert alone. Its gate is a linear layer, too.",
                    ),
                    Mistake(
                        "two matrices",
                        lambda: shared() - 2 * d * d_sh,
                        "An expert with a gate inside has three matrices, not two.",
                    ),
                    Mistake(
                        "a gate as wide as the model",
                        lambda: shared() - 2 * d + 2 * d**2,
                        "The gate has one output for each token, not one for each number.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The product with the gate and the sum of both results have no MACs, so they are in "
            "the exact count alone."
        ),
        hints=(
            "Which matrices does a token meet in the shared expert?",
            "The gate is a linear layer with one output.",
        ),
    ),
    Exercise(
        label="experts-bytes",
        questions=(
            Question(
                asks="the bytes for one token",
                kind=Whole(),
                expected=lambda: read(1),
                mistakes=(
                    Mistake(
                        "all experts",
                        lambda: read(1, experts=EXPERTS),
                        "Those are the weights of all experts. One token visits a few.",
                    ),
                    Mistake(
                        "numbers",
                        lambda: read(1, width=1),
                        "Those are numbers. Each takes up two bytes.",
                        Fraction(1, 2),
                    ),
                    Mistake(
                        "one expert",
                        lambda: read(1, experts=1),
                        "That is one expert. A token visits two.",
                        Fraction(1, 2),
                    ),
                ),
                coincide=(("numbers", "one expert"),),
            ),
            Question(
                asks="the bytes for 64 tokens at most",
                kind=Whole(),
                expected=lambda: read(64),
                mistakes=(
                    Mistake(
                        "each token its own",
                        lambda: 64 * read(1),
                        "You read the weights once for each visit. An expert that many tokens "
                        "visit is read once.",
                    ),
                    Mistake(
                        "as for one token",
                        lambda: read(1),
                        "That is enough only if all tokens visit the same experts.",
                    ),
                    Mistake(
                        "numbers",
                        lambda: read(64, width=1),
                        "Those are numbers. Each takes up two bytes.",
                        Fraction(1, 2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Few tokens already need all experts, so a small batch reads nearly as much as a "
            "large one."
        ),
        hints=(
            "How many experts are visited at most?",
            "No expert is read more than once.",
        ),
    ),
    Exercise(
        label="experts-balance",
        questions=(
            Question(
                asks="the share of experts without a token, on average",
                kind=Ratio(),
                expected=idle,
                mistakes=(
                    Mistake(
                        "with a token",
                        lambda: 1 - idle(),
                        "That is the share of experts that do have a token.",
                    ),
                    Mistake(
                        "one visit",
                        lambda: idle(visited=1),
                        "You let each token visit one expert. It visits two.",
                    ),
                    Mistake(
                        "one token",
                        lambda: idle(1),
                        "That is for one token, and there are eight.",
                    ),
                    Mistake(
                        "no chance",
                        lambda: Fraction(0),
                        "There are as many visits as experts, but chance does not spread them "
                        "evenly.",
                    ),
                ),
            ),
        ),
        worth_knowing="Routers are trained with a penalty for visits that are spread unevenly.",
        hints=(
            "What is the chance that one token passes by a certain expert?",
            "All tokens have to pass by it.",
        ),
    ),
    Exercise(
        label="experts-all",
        questions=(
            Question(
                asks="how many times the FLOPs of the design that takes",
                kind=Ratio(),
                expected=times_the_design,
                mistakes=(
                    mistakes.upside_down(lambda: 1 / times_the_design()),
                    Mistake(
                        "as many as there are",
                        lambda: Fraction(EXPERTS),
                        "That compares all experts with one. A token visits two.",
                    ),
                    Mistake(
                        "those that are left out",
                        lambda: Fraction(EXPERTS - VISITED, VISITED),
                        "Those are the experts that are not asked for, over those that are.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "It needs no sorting of tokens, and it is how some programs train or test small "
            "models; a counter that runs them reports it."
        ),
        hints=(
            "Which part of the layer costs the same in both programs?",
            "Divide all of one by all of the other.",
        ),
    ),
)
