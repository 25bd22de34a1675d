"""What a language model costs: a prompt, one more token, a training run.

Each function takes a builder, such as ``flopslib.models.llama_7b``, builds the
model for the case in question, and counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from flopslib.layers.arguments import size
from flopslib.layers.attention import ScaledDotProductAttention
from flopslib.layers.layer import Layer
from flopslib.report import Report, Row, count

__all__ = ["Products", "Training", "next_token", "products", "prompt", "training"]

Builder = Callable[..., Layer]


def prompt(
    build: Builder,
    seq_len: int,
    *,
    causal: bool = False,
    logits: str = "every",
    batch: int = 1,
) -> Report:
    """Count a forward pass over a whole text.

    Args:
        build: the builder of a language model.
        seq_len: L, the tokens of the text.
        causal: count only the visible pairs, L(L+1)/2; False counts the full
            square L², as a plain matrix product computes it.
        logits: at which positions the next token is predicted, "every" or the "last".
        batch: B, how many texts.

    Raises:
        TypeError, ValueError: a size that is none, other ``logits``, a text
            that is too long for the model.

    >>> from flopslib.models import llama2_7b
    >>> prompt(llama2_7b, 2048).macs
    14630806093824
    """
    shape = (size("batch", batch), size("seq_len", seq_len))
    return count(build(causal=causal, logits=logits), shape)


def next_token(build: Builder, cache: int = 0, *, batch: int = 1) -> Report:
    """Count one more token, when the keys and values of ``cache`` tokens are kept.

    The new token sees itself and the cache, so ``cache + 1`` positions.

    Raises:
        TypeError, ValueError: a size that is none, a cache too long for the model.

    >>> from flopslib.models import llama_7b
    >>> next_token(llama_7b, cache=2047).flops
    14287896576
    """
    return count(build(causal=True, cache=cache), (size("batch", batch), 1))


class Products(NamedTuple):
    """The MACs of a language model, by what is multiplied.

    Attributes:
        weights: MACs of a number with a weight. They do not depend on what is seen.
        attention: MACs of a number with a number: scores and weighted sums.
    """

    weights: int
    attention: int


def products(report: Report) -> Products:
    """Return the MACs with weights, and those of scores and weighted sums.

    The first are what a token costs "without context".

    >>> from flopslib.models import llama_7b
    >>> products(next_token(llama_7b))
    Products(weights=6607077376, attention=262144)
    """
    attend = sum(row.macs for row in report.rows if _attends(row))
    return Products(report.macs - attend, attend)


def _attends(row: Row) -> bool:
    return isinstance(row.layer, ScaledDotProductAttention)


#: Backward needs the gradients of both factors of every product: two products more.
PASSES = 3
FLOPS_PER_MAC = 2


@dataclass(frozen=True)
class Training:
    """What a training run costs, by the rule of thumb and by the exact sum.

    Attributes:
        forward: the report of one text.
        sequences: how many texts there are, repetitions included.
    """

    forward: Report
    sequences: int

    @property
    def parameters(self) -> int:
        """N, all that is learnt."""
        return self.forward.parameters

    @property
    def tokens(self) -> int:
        """D, the tokens of all texts."""
        return self.sequences * self.forward.input_shape[1]

    @property
    def rule(self) -> int:
        """6·N·D: two FLOPs for every parameter and token, three times."""
        return PASSES * FLOPS_PER_MAC * self.parameters * self.tokens

    @property
    def flops(self) -> int:
        """Two FLOPs for each MAC of a forward pass, three times, for every text."""
        return PASSES * self.sequences * self.forward.flops

    @property
    def differences(self) -> Mapping[str, int]:
        """What the rule leaves out (positive) and adds in vain (negative), by its name.

        ``rule`` and all of them sum to ``flops``.

        >>> from flopslib.models import gpt2_small
        >>> run = training(gpt2_small, tokens=1024 * 1000, seq_len=1024)
        >>> run.rule + sum(run.differences.values()) == run.flops
        True
        """
        length = self.forward.input_shape[1]
        found: dict[str, int] = {}
        for row in self.forward.rows:
            reason = "attention" if _attends(row) else _REASONS.get(row.type, row.type)
            missing = row.macs - length * row.parameters
            if missing:
                total = PASSES * FLOPS_PER_MAC * self.sequences * missing
                found[reason] = found.get(reason, 0) + total
        return MappingProxyType(found)


_REASONS = {
    "Embedding": "token table",
    "LearnedPositions": "position table",
    "Linear": "biases",
    "LayerNorm": "norms",
    "RMSNorm": "norms",
    "Shared": "logits by the token table",
}


def training(build: Builder, *, tokens: int, seq_len: int, causal: bool = False) -> Training:
    """Count a training run on texts of one length.

    A forward pass is followed by a backward pass, which costs twice as much:
    for y = Wx the gradients of x and of W are a product each, and the same holds
    for the products inside attention. What an optimiser adds for each parameter
    and step, and recomputing activations, are not counted.

    Args:
        build: the builder of a language model.
        tokens: D, the tokens of all texts, repetitions included.
        seq_len: L, the tokens of one text.
        causal: count only the visible pairs; False counts the full square.

    Raises:
        TypeError, ValueError: a size that is none, tokens that are no whole texts.

    >>> from flopslib.models import gpt3
    >>> training(gpt3, tokens=300 * 10**9, seq_len=2048).rule
    314287666790400000000000
    """
    sequences, left = divmod(size("tokens", tokens), size("seq_len", seq_len))
    if left:
        raise ValueError(
            f"tokens must be a whole number of texts, got tokens={tokens} and seq_len={seq_len}"
        )
    return Training(prompt(build, seq_len, causal=causal), sequences)
