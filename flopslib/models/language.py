"""What a language model costs: a prompt, one more token, a training run.

Each function takes a builder, such as ``flopslib.models.llama_7b``, builds the
model for the case in question, and counts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from itertools import chain
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from flopslib.layers.arguments import size
from flopslib.layers.layer import Layer
from flopslib.report.pieces import Pieces, Share
from flopslib.report.report import Report, Row, count
from flopslib.sizes.checks import shown

__all__ = [
    "Piece",
    "Products",
    "Training",
    "next_token",
    "parts",
    "products",
    "prompt",
    "training",
]

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
        TypeError, ValueError: no builder, a size that is none, other ``logits``, a
            text for which the model has too few positions. (A LLaMA's are not a
            table, so it takes a text of any length.)

    >>> from flopslib.models import llama2_7b
    >>> prompt(llama2_7b, 2048).macs
    14630806093824
    """
    shape = (size("batch", batch), size("seq_len", seq_len))
    return count(_builder(build)(causal=causal, logits=logits), shape)


def _builder(build: Any) -> Builder:
    is_built = isinstance(build, Layer)
    if callable(build) and not is_built:
        return _of_language(build)
    hint = ", the function without a call" if is_built else ""
    raise TypeError(
        f"build must be a builder such as flopslib.models.llama_7b{hint}, got {shown(build)}"
    )


def _of_language(build: Builder) -> Builder:
    parameters = signature(build).parameters
    if "causal" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return build
    name = getattr(build, "__name__", shown(build))
    raise TypeError(
        f"build must be the builder of a language model, which takes causal=…, got {name}; "
        f"count({name}(…), input_shape) counts any network"
    )


def next_token(build: Builder, cache: int = 0, *, batch: int = 1) -> Report:
    """Count one more token, when the keys and values of ``cache`` tokens are kept.

    The new token sees itself and the cache, so ``cache + 1`` positions. Its logits
    are counted.

    Raises:
        TypeError, ValueError: no builder, a size that is none, a cache for which the
            model has too few positions.

    >>> from flopslib.models import llama_7b
    >>> next_token(llama_7b, cache=2047).flops
    14287896576
    """
    return count(_builder(build)(causal=True, cache=cache), (size("batch", batch), 1))


class Products(NamedTuple):
    """The MACs of a model, by what is multiplied.

    Attributes:
        weights: MACs of a number with a weight. They do not depend on what is seen.
        attention: MACs of a number with a number: scores and weighted sums.
    """

    weights: int
    attention: int


def products(report: Report) -> Products:
    """Return the MACs with weights, and those of scores and weighted sums.

    The first are what a token costs "without context". What is a weight and what is not, the
    operands of each product tell.

    Raises:
        ValueError: a step of a layer of your own multiplies and does not say what.

    >>> from flopslib.models import llama_7b
    >>> products(next_token(llama_7b))
    Products(weights=6607077376, attention=262144)
    """
    found = Pieces(report).products
    return Products(
        sum(sum(row.weights.values()) for row in found),
        sum(sum(row.square.values()) for row in found),
    )


class Piece(NamedTuple):
    """A part of a language model: what it owns, and what it multiplies.

    Attributes:
        parameters: how many numbers are learnt there.
        macs: what it costs.
    """

    parameters: int
    macs: int


def parts(report: Report) -> dict[str, Piece]:
    """Return what a language model owns and costs, by what it is for.

    The product that makes the output of the network is "logits". One beside a square of scores,
    in the layer that has both, is a "projection"; another one in a block that has a square is
    "feed-forward". Weights that cannot be told from their operands and their place are
    "other weights". What has neither parameters nor MACs (RoPE, GELU, sums) is left out.

    Raises:
        ValueError: a step of a layer of your own multiplies and does not say what.

    >>> from flopslib.models import llama_7b
    >>> parts(next_token(llama_7b))["logits"]
    Piece(parameters=131072000, macs=131072000)
    """
    return summed(chain.from_iterable(Pieces(report).shares))


def summed(shares: Iterable[Share]) -> dict[str, Piece]:
    """Add up shares of rows that are for the same, in the order in which each comes first.

    >>> from flopslib.report.pieces import Share
    >>> summed([Share("norms", 4, 0), Share("logits", 6, 6), Share("norms", 2, 0)])
    {'norms': Piece(parameters=6, macs=0), 'logits': Piece(parameters=6, macs=6)}
    """
    found: dict[str, Piece] = {}
    for share in shares:
        owned, macs = found.get(share.name, (0, 0))
        found[share.name] = Piece(owned + share.parameters, macs + share.macs)
    return found


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
        """6·N·D, which is two FLOPs for every parameter and token, three times."""
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
        found: Counter[str] = Counter()
        for name, missing in filter(itemgetter(1), _missing(self.forward)):
            total = PASSES * FLOPS_PER_MAC * self.sequences * missing
            found[name] += total
        return MappingProxyType({name: flops for name, flops in found.items() if flops})


def _missing(forward: Report) -> Iterator[tuple[str, int]]:
    """Yield what the MACs of a text are more than its tokens times the parameters, by reason."""
    length, pieces = forward.input_shape[1], Pieces(forward)
    for row, products, shares in zip(forward.rows, pieces.products, pieces.shares, strict=True):
        macs = sum(products.weights.values())
        owned = min(products.matrices, row.parameters)
        yield "attention", sum(products.square.values())
        if macs:
            yield _name_of_use(row, shares), macs - length * owned
            yield "biases", length * (owned - row.parameters)
        for share in () if macs else shares:
            yield share.name, -length * share.parameters
    yield "not run", -length * pieces.not_run


def _name_of_use(row: Row, shares: Iterable[Share]) -> str:
    """Name the products with weights that not every token meets, or with weights met again."""
    if row.parameters:
        return "weights that not every token meets once"
    is_logits = any(share.name == "logits" for share in shares)
    return "logits by the token table" if is_logits else "weights that are met again"


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
        TypeError, ValueError: no builder, a size that is none, tokens that are no
            whole texts, a text for which the model has too few positions.

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
