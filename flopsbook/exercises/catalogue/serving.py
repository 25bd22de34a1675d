"""The exercises of the chapter on serving a language model."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Amount, Expression, Ratio, Whole, Word
from flopslib.hardware import chip
from flopslib.memory import cache_bytes
from flopslib.models import llama3_8b
from flopslib.traffic import Widths

__all__ = ["EXERCISES"]


def by_hand(**changes: int) -> int:
    """The bytes of a small cache, with something changed."""
    sizes: dict[str, Any] = {
        "positions": 3000,
        "num_kv_heads": 4,
        "head_dim": 64,
        "layers": 24,
    } | changes
    return int(cache_bytes(**sizes))


VOCABULARY, WIDTH = 128_256, 4096


def llama(positions: int, heads: int = 8, layers: int = 32) -> int:
    """The bytes of Llama-3-8B's cache."""
    return int(cache_bytes(positions, heads, 128, layers=layers))


def rate(*, table: bool = False, cache: int = 1, heads: int = 8, width: int = 2) -> Fraction:
    """Tokens a second of Llama-3-8B at most."""
    parameters = llama3_8b().parameters - (0 if table else VOCABULARY * WIDTH)
    moved = width * parameters + cache * llama(8192, heads)
    return Fraction(chip("H100 SXM").bandwidth, moved)


def limit(kind: str = "right") -> Any:
    """FLOPs for each byte of a decode step with a large batch."""
    import sympy

    p, a, c, s = sympy.symbols("P a c S", positive=True, integer=True)
    kinds = {
        "right": (2 * p + a * s) / (c * s),
        "weights alone": 2 * p / (c * s),
        "attention alone": a / c,
        "macs": (p + a * s) / (c * s),
    }
    return sympy.expand(kinds[kind])


def fitting(memory: int = 24 * 10**9, heads: int = 8, width: int = 2, more: int = 0) -> int:
    """How many sequences fit."""
    room = memory - width * llama3_8b().parameters
    return room // llama(4096, heads) + more


def in_pages(**changes: int) -> int:
    """How many positions take up room."""
    sizes: dict[str, Any] = {"positions": 500, "batch": 100, "shared": 320, "page": 32} | changes
    kept = cache_bytes(num_kv_heads=1, head_dim=1, widths=Widths(cache=8), **sizes)
    return int(kept) // 2


def tokens(guesses: int = 4, own: int = 1) -> Fraction:
    """The expected tokens of a step with so many guesses."""
    return sum((Fraction(4, 5) ** n for n in range(1, guesses + 1)), start=Fraction(own))


EXERCISES = (
    Exercise(
        label="serving-cache",
        questions=(
            Question(
                asks="the bytes of the cache",
                kind=Whole(),
                expected=by_hand,
                mistakes=(
                    Mistake(
                        "heads of the queries",
                        lambda: by_hand(num_kv_heads=16),
                        "You took the heads of the queries; keys and values have fewer.",
                        Fraction(4),
                    ),
                    Mistake(
                        "keys alone",
                        lambda: by_hand() // 2,
                        "That is for the keys alone, or for numbers: both keys and values are "
                        "kept, at two bytes a number.",
                        Fraction(1, 2),
                    ),
                    Mistake(
                        "one head",
                        lambda: by_hand(num_kv_heads=1),
                        "That is for a single head of keys and values.",
                        Fraction(1, 4),
                    ),
                    mistakes.one_layer(lambda: by_hand(layers=1)),
                ),
            ),
        ),
        worth_knowing=(
            "With a head for keys and values for each head of queries it would be four times as "
            "large. That is why nearly all newer models share them."
        ),
        hints=(
            "How many numbers does one position keep in one layer?",
            "A key and a value in each of the four heads.",
        ),
    ),
    Exercise(
        label="serving-speed",
        questions=(
            Question(
                asks="the tokens a second at most",
                kind=Amount(),
                expected=rate,
                mistakes=(
                    Mistake(
                        "table read",
                        lambda: rate(table=True),
                        "You read the whole token table; a step reads one row of it.",
                    ),
                    Mistake(
                        "no cache",
                        lambda: rate(cache=0),
                        "You left out the cache, which is read as a whole in every step.",
                    ),
                    Mistake(
                        "heads of the queries",
                        lambda: rate(heads=32),
                        "You took the heads of the queries for the cache.",
                    ),
                    Mistake(
                        "a byte a weight",
                        lambda: rate(width=1),
                        "That is for weights of one byte; a number of bf16 has two.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "No FLOPs are needed for that bound. It is the first number to compute before you "
            "choose a chip for one user."
        ),
        hints=(
            "Time of a step: its bytes over the bandwidth.",
            "The table has 128,256 rows of 4,096 numbers.",
        ),
    ),
    Exercise(
        label="serving-limit",
        questions=(
            Question(
                asks="the FLOPs for each byte in the limit",
                kind=Expression(("P", "a", "c", "S")),
                expected=limit,
                mistakes=(
                    Mistake(
                        "weights alone",
                        lambda: limit("weights alone"),
                        "The FLOPs of the attention are missing.",
                    ),
                    Mistake(
                        "attention alone",
                        lambda: limit("attention alone"),
                        "The products with weights remain: every sequence needs them.",
                    ),
                    Mistake(
                        "MACs of the weights",
                        lambda: limit("macs"),
                        "You counted one for each weight; a MAC is two FLOPs.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The batch is gone from the formula: a longer context can only make it worse, and a "
            "smaller cache for each position is the only remedy."
        ),
        hints=(
            "Write down FLOPs and bytes of N sequences; the weights are read once.",
            "Divide both by N, and let N grow.",
        ),
    ),
    Exercise(
        label="serving-fits",
        questions=(
            Question(
                asks="the number of sequences",
                kind=Whole(),
                expected=fitting,
                mistakes=(
                    Mistake(
                        "GiB for GB",
                        lambda: fitting(24 * 2**30),
                        "You took GiB; the memory is given in powers of ten.",
                    ),
                    Mistake(
                        "no weights",
                        lambda: fitting(width=0),
                        "The weights have to be in the memory as well.",
                    ),
                    Mistake(
                        "heads of the queries",
                        lambda: fitting(heads=32),
                        "You took the heads of the queries for the cache.",
                    ),
                    Mistake(
                        "one too many",
                        lambda: fitting(more=1),
                        "The last one does not fit as a whole: round down.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Two thirds of the memory are weights here. With int8 weights the batch would double, "
            "and with it the tokens a second."
        ),
        hints=(
            "First take the weights, two bytes each, from the memory.",
            "Then divide by the cache of one sequence.",
        ),
    ),
    Exercise(
        label="serving-pages",
        questions=(
            Question(
                asks="the positions that take up room",
                kind=Whole(),
                expected=in_pages,
                mistakes=(
                    Mistake(
                        "no pages",
                        lambda: in_pages(page=1),
                        "You counted the positions themselves; a page is taken as a whole.",
                    ),
                    Mistake(
                        "not shared",
                        lambda: in_pages(shared=0),
                        "The common beginning is kept once, not by each sequence.",
                    ),
                    Mistake(
                        "beginning forgotten",
                        lambda: in_pages() - 320,
                        "The common beginning takes up room once.",
                    ),
                    Mistake(
                        "one sequence",
                        lambda: in_pages(batch=1),
                        "That is the beginning and a single sequence.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Pages waste half a page for each sequence on average, 16 positions here. Room that is "
            "reserved for the longest answer wastes hundreds."
        ),
        hints=(
            "How many positions does each sequence keep for itself?",
            "How many pages are that, and how many positions do those pages have?",
        ),
    ),
    Exercise(
        label="serving-guess",
        questions=(
            Question(
                asks="the tokens of one step on average",
                kind=Ratio(),
                expected=tokens,
                mistakes=(
                    Mistake(
                        "its own forgotten",
                        lambda: tokens(own=0),
                        "The step of the large model yields a token of its own, too.",
                    ),
                    Mistake(
                        "all alike",
                        lambda: 1 + 4 * Fraction(4, 5),
                        "A guess counts only if all before it were accepted.",
                    ),
                    Mistake(
                        "one guess fewer",
                        lambda: tokens(3),
                        "There are four guesses, and then the large model's own token.",
                    ),
                ),
            ),
            Question(
                asks="how many times as fast decoding is",
                kind=Ratio(),
                expected=lambda: tokens() / Fraction(6, 5),
                mistakes=(
                    Mistake(
                        "guesses for free",
                        tokens,
                        "The small model takes time as well: a fifth of a step.",
                    ),
                    Mistake(
                        "a fifth less",
                        lambda: tokens() * Fraction(4, 5),
                        "The time is 1.2 times as long; that is no fifth less of the tokens.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "The text is the same as without guesses: the large model decides on every token. "
            "Guesses only change how many it decides on at once."
        ),
        hints=(
            "The second guess is used only if the first was right.",
            "Add the probabilities that at least n guesses are accepted.",
        ),
    ),
    Exercise(
        label="serving-bug",
        questions=(
            Question(
                asks="which of the four is wrong",
                kind=Word(("heads", "values", "width", "layers")),
                expected=lambda: "heads",
                mistakes=(
                    Mistake(
                        "values",
                        lambda: "values",
                        "Keys alone would make the result too small.",
                    ),
                    Mistake(
                        "width",
                        lambda: "width",
                        "Numbers of fp32 would double the result; compare the factor.",
                    ),
                    Mistake(
                        "layers",
                        lambda: "layers",
                        "The model has 32 layers; the script has as many.",
                    ),
                ),
            ),
            Question(
                asks="how many times too large the result is",
                kind=Whole(),
                expected=lambda: llama(8192, 32) // llama(8192),
                mistakes=(
                    Mistake(
                        "keys alone",
                        lambda: llama(8192, 32) // llama(8192) // 2,
                        "Compare with keys and values, not with the keys alone.",
                        Fraction(1, 2),
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "Configurations have both numbers, `num_attention_heads` and `num_key_value_heads`. "
            "Only the second one belongs to the cache."
        ),
        hints=(
            "Compute the right number and divide.",
            "Which size of the model has that factor in it?",
        ),
    ),
)
