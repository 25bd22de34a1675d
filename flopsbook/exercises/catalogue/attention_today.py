"""The exercises of the chapter on today's attention."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Exercise, Mistake, Question
from flopsbook.exercises.kinds import Expression, Ratio, Whole
from flopslib import attention, formula, latent_attention, multihead_attention, windowed_attention
from flopslib.notation import d_k, d_v, h

__all__ = ["EXERCISES"]


def pairs(seq_len: int = 4096, window: int = 256, **more: Any) -> int:
    """The visible pairs of one head."""
    return scores(windowed_attention(seq_len, 1, window, **more))


def scores(derivation: Any) -> int:
    """How many scores there are."""
    return int(next(step.outputs for step in derivation.steps if step.name == "scores"))


def kept(window: int = 512, *, past: int = 10_000, heads: int = 4, sinks: int = 0) -> int:
    """The numbers of a cache that a new token can still see."""
    layer = windowed_attention(
        1, 4096, window, num_heads=32, num_kv_heads=heads, kv_seq_len=past + 1, sinks=sinks
    )
    return sum(each.size for each in layer.operands if each.role == "cache")


def square(figure: str = "flops", **more: Any) -> Any:
    """The scores and the weighted sums in letters, with a width of the values apart."""
    layer = formula(attention, bias=False, **{"head_dim": d_k, "value_dim": d_v, **more})
    inside = ("scores", "weighted sum")
    return sum(getattr(step, figure) for step in layer.steps if step.name in inside)


LATENT: dict[str, Any] = {
    "d_model": 7168, "q_rank": 1536, "kv_rank": 512, "rope_dim": 64, "num_heads": 128,
    "head_dim": 128, "causal": True,
}  # fmt: skip


def latent_cache(**more: Any) -> int:
    """The numbers that latent attention keeps of one token."""
    layer = latent_attention(1, kv_seq_len=2, **LATENT | more)
    return sum(each.size for each in layer.operands if each.role == "cache")


def shared_cache(heads: int = 8) -> int:
    """The numbers that eight heads of keys and values of 128 numbers are."""
    layer = multihead_attention(
        1, 7168, num_heads=128, num_kv_heads=heads, head_dim=128, kv_seq_len=2
    )
    return sum(each.size for each in layer.operands if each.role == "cache")


def of_a_pair(*, absorbed: bool) -> int:
    """The MACs of one pair of a token and a latent, for one head."""
    more, fewer = (
        latent_attention(1, kv_seq_len=seen, absorbed=absorbed, **LATENT) for seen in (3, 2)
    )
    made = 0 if absorbed else LATENT["kv_rank"] * 2 * LATENT["head_dim"]
    return int((more.macs - fewer.macs) // LATENT["num_heads"] - made)


def left(windowed: int = 5, *, full: int = 1, causal: bool = True) -> Fraction:
    """The share of pairs that is left in layers of which some have a window."""
    whole = pairs(8192, 8192) if causal else 8192**2
    return Fraction(windowed * pairs(8192, 1024) + full * whole, (windowed + full) * whole)


EXERCISES = (
    Exercise(
        label="today-pairs",
        questions=(
            Question(
                asks="the visible pairs",
                kind=Whole(),
                expected=pairs,
                mistakes=(
                    Mistake(
                        "a full window for all",
                        lambda: 4096 * 256,
                        "You gave every token a full window, but the first ones see fewer.",
                    ),
                    Mistake(
                        "half of it",
                        lambda: 4096 * 256 // 2,
                        "You halved the windows. Only the first tokens see less than a full one.",
                    ),
                    Mistake(
                        "itself besides",
                        lambda: pairs(window=257),
                        "That window is one token too wide: the token itself is one of the 256.",
                    ),
                    Mistake(
                        "no window",
                        lambda: pairs(window=4096),
                        "Those are the pairs under a causal mask, without a window.",
                    ),
                    Mistake(
                        "both sides",
                        lambda: pairs(causal=False),
                        "That window also looks ahead.",
                    ),
                ),
            ),
        ),
        worth_knowing="From the window's end on, every further token costs the same.",
        hints=(
            "How many tokens does a token see if there are enough before it?",
            "How many pairs do the first 255 tokens miss?",
        ),
    ),
    Exercise(
        label="today-cache",
        questions=(
            Question(
                asks="the tokens that it sees",
                kind=Whole(),
                expected=lambda: pairs(1, 512, kv_seq_len=10_001),
                mistakes=(
                    Mistake(
                        "all of them",
                        lambda: 10_001,
                        "Those are all tokens. The window hides the early ones.",
                    ),
                    Mistake(
                        "itself besides",
                        lambda: 513,
                        "The token itself is one of those in its window.",
                    ),
                    Mistake(
                        "not itself",
                        lambda: 511,
                        "The token sees itself, too.",
                    ),
                ),
            ),
            Question(
                asks="the numbers that have to be kept",
                kind=Whole(),
                expected=kept,
                mistakes=(
                    Mistake(
                        "a whole window",
                        lambda: kept(513),
                        "The new token is in the window itself, and its key is not from the cache.",
                    ),
                    Mistake(
                        "keys alone",
                        lambda: kept() // 2,
                        "Those are the keys. The values are kept as well.",
                        Fraction(1, 2),
                    ),
                    Mistake(
                        "heads of the queries",
                        lambda: kept(heads=32),
                        "You kept keys for each head of the queries. Eight of them share one.",
                        Fraction(8),
                    ),
                    Mistake(
                        "all of the past",
                        lambda: kept(20_000),
                        "Those are all tokens before it. The window hides the early ones.",
                    ),
                ),
            ),
        ),
        worth_knowing="The cache of a window does not grow with the text.",
        hints=(
            "How many of the tokens in the window are in the cache?",
            "How many numbers are kept of one token?",
        ),
    ),
    Exercise(
        label="today-sinks",
        questions=(
            Question(
                asks="the visible pairs with the sinks",
                kind=Whole(),
                expected=lambda: pairs(1000, 100, sinks=4),
                mistakes=(
                    Mistake(
                        "sinks for all",
                        lambda: pairs(1000, 100) + 4 * 1000,
                        "You gave the sinks to every token, but for the first ones they are in "
                        "the window already.",
                    ),
                    Mistake(
                        "no sinks",
                        lambda: pairs(1000, 100),
                        "Those are the pairs of the window alone.",
                    ),
                    Mistake(
                        "all at once",
                        lambda: pairs(1000, 100) + 4 * (1000 - 104),
                        "The sinks leave the window one by one, not all at the same token.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A window of 100 and 4 sinks have as many pairs as a window of 104. Which pairs they "
            "are is another matter: sinks keep a model stable when its window slides."
        ),
        hints=(
            "Which tokens do not see the first token through their window?",
            "And the second? Add up over the four.",
        ),
    ),
    Exercise(
        label="today-widths",
        questions=(
            Question(
                asks="the FLOPs of scores and weighted sums in B, L, h, d_k and d_v",
                kind=Expression(("B", "L", "h", "d_k", "d_v")),
                expected=square,
                mistakes=(
                    mistakes.counted_macs(lambda: square("macs")),
                    Mistake(
                        "one width",
                        lambda: square(value_dim=d_k),
                        "You took the width of the keys for both. The weighted sum has that of "
                        "the values.",
                    ),
                    Mistake(
                        "the other width",
                        lambda: square(value_dim=d_v, head_dim=d_v),
                        "You took the width of the values for both. A score has that of the keys.",
                    ),
                    mistakes.one_head(lambda: square() / h),
                ),
            ),
        ),
        worth_knowing="Scores cost the width of the keys, weighted sums that of the values.",
        hints=("How many terms has a score?", "How many numbers has the result of a head?"),
    ),
    Exercise(
        label="today-latents",
        questions=(
            Question(
                asks="how many times fewer numbers the latents are",
                kind=Ratio(),
                expected=lambda: Fraction(shared_cache(), latent_cache()),
                mistakes=(
                    mistakes.upside_down(lambda: Fraction(latent_cache(), shared_cache())),
                    Mistake(
                        "no part for the position",
                        lambda: Fraction(shared_cache(), 512),
                        "The turned part of the keys is kept, too.",
                    ),
                    Mistake(
                        "keys alone",
                        lambda: Fraction(shared_cache(), 2 * latent_cache()),
                        "Those are the keys. Shared heads keep values as well.",
                    ),
                    Mistake(
                        "a turned part for each head",
                        lambda: Fraction(shared_cache(), 512 + 128 * 64),
                        "The turned part of the keys is the same for all heads.",
                    ),
                    Mistake(
                        "heads that are not shared",
                        lambda: Fraction(shared_cache(128), latent_cache()),
                        "You kept keys and values for all 128 heads, and there are 8.",
                    ),
                ),
            ),
        ),
        worth_knowing="All heads of all queries read the same latents.",
        hints=(
            "How many numbers are kept of one token with 8 heads of keys and values?",
            "A latent, and the turned part of a key.",
        ),
    ),
    Exercise(
        label="today-absorbed",
        questions=(
            Question(
                asks="the MACs of a pair as projected",
                kind=Whole(),
                expected=lambda: of_a_pair(absorbed=False),
                mistakes=(
                    Mistake(
                        "no turned part",
                        lambda: of_a_pair(absorbed=False) - 64,
                        "The score has a part for the position, too.",
                    ),
                    Mistake(
                        "the score alone",
                        lambda: of_a_pair(absorbed=False) - 128,
                        "That is the score. The weighted sum takes a product for each value.",
                    ),
                ),
            ),
            Question(
                asks="the MACs of a pair as absorbed",
                kind=Whole(),
                expected=lambda: of_a_pair(absorbed=True),
                mistakes=(
                    Mistake(
                        "no turned part",
                        lambda: of_a_pair(absorbed=True) - 64,
                        "The score has a part for the position, too.",
                    ),
                    Mistake(
                        "the score alone",
                        lambda: of_a_pair(absorbed=True) - 512,
                        "That is the score. The weighted sum takes a product for each number of "
                        "a latent.",
                    ),
                ),
            ),
        ),
        worth_knowing=(
            "A pair costs more as absorbed. It pays where making keys and values would cost more "
            "than all the pairs: for a few new tokens."
        ),
        hints=(
            "How long are the two dot products of a score?",
            "How many numbers does one weight of the sum multiply?",
        ),
    ),
    Exercise(
        label="today-pattern",
        questions=(
            Question(
                asks="the share of the pairs that is left",
                kind=Ratio(),
                expected=left,
                mistakes=(
                    Mistake(
                        "the other way round",
                        lambda: left(1, full=5),
                        "You gave the window to one layer of six.",
                    ),
                    Mistake(
                        "all windows",
                        lambda: left(6, full=0),
                        "One layer of six sees everything.",
                    ),
                    Mistake(
                        "length by window",
                        lambda: (5 * Fraction(1024, 8192) + 1) / 6,
                        "You compared the windows with the full square. Under a causal mask a "
                        "token sees half of the text, on average.",
                    ),
                    Mistake(
                        "what is saved",
                        lambda: 1 - left(),
                        "That is the share that the windows save.",
                    ),
                ),
            ),
        ),
        worth_knowing="The few layers without a window soon are nearly all of the pairs.",
        hints=(
            "How many pairs are there in a layer with a window, and in one without?",
            "Add up six layers.",
        ),
    ),
)
