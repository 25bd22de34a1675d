"""GPT-2 and GPT-3, with the GELU by tanh that their programs compute.

Radford et al., "Language models are unsupervised multitask learners", 2019;
Brown et al., "Language models are few-shot learners", 2020.

The last layer has the weights of the token embedding, so it owns none.
"""

from __future__ import annotations

from flopslib.layers.layer import Layer
from flopslib.models.building import language_model
from flopslib.models.model_list import model

VOCABULARY = 50257


def gpt(
    num_layers: int,
    embed_dim: int,
    num_heads: int,
    *,
    num_positions: int,
    vocab_size: int = VOCABULARY,
    causal: bool = False,
    cache: int = 0,
    logits: str = "every",
) -> Layer:
    """Return a GPT of any size.

    Args:
        num_layers: how many layers.
        embed_dim: the width of a position.
        num_heads: the heads of a layer.
        num_positions: the longest text that it has positions for.
        vocab_size: how many tokens it knows.
        causal: count only the pairs of positions that the mask leaves visible;
            False counts the full square, as a plain matrix product computes it.
        cache: how many tokens before the input are in the KV cache.
        logits: at which positions the next token is predicted, "every" or the "last".

    Shapes:
        (N, L) token numbers → (N, L, vocab_size), or (N, vocab_size) for the last

    Raises:
        TypeError, ValueError: a size that is none, other ``logits``.

    >>> gpt(2, 128, 2, num_positions=64).output_shape((1, 10))
    (1, 10, 50257)
    """
    return language_model(
        num_layers,
        embed_dim,
        vocab_size,
        mixer={"kind": "attention", "num_heads": num_heads},
        ffn={"kind": "mlp"},
        norm="layer_norm",
        num_positions=num_positions,
        tied=True,
        names="gpt2",
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 1024))
def gpt2_small(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """GPT-2 small: 12 layers of width 768.

    >>> gpt2_small().parameters
    124439808
    """
    return gpt(12, 768, 12, num_positions=1024, causal=causal, cache=cache, logits=logits)


@model((1, 1024))
def gpt2_medium(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """GPT-2 medium: 24 layers of width 1024."""
    return gpt(24, 1024, 16, num_positions=1024, causal=causal, cache=cache, logits=logits)


@model((1, 1024))
def gpt2_large(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """GPT-2 large: 36 layers of width 1280."""
    return gpt(36, 1280, 20, num_positions=1024, causal=causal, cache=cache, logits=logits)


@model((1, 1024))
def gpt2_xl(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """GPT-2 XL: 48 layers of width 1600."""
    return gpt(48, 1600, 25, num_positions=1024, causal=causal, cache=cache, logits=logits)


@model((1, 2048))
def gpt3(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """GPT-3 175B: 96 layers of width 12288.

    Its layers are counted as dense, though the paper alternates dense and sparse ones.

    >>> gpt3().parameters
    174604259328
    """
    return gpt(96, 12288, 96, num_positions=2048, causal=causal, cache=cache, logits=logits)
