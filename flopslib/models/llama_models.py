"""LLaMA: Touvron et al., 2023, twice; Llama 3, 2024.

RMS norms, RoPE, a gated feed-forward network, no biases, and a last layer with
weights of its own.
"""

from __future__ import annotations

from flopslib.layers.layer import Layer
from flopslib.models.building import language_model
from flopslib.models.model_list import model


def llama(
    num_layers: int,
    embed_dim: int,
    num_heads: int,
    hidden_dim: int,
    *,
    num_kv_heads: int | None = None,
    vocab_size: int = 32000,
    causal: bool = False,
    cache: int = 0,
    logits: str = "every",
) -> Layer:
    """Return a LLaMA of any size.

    Args:
        num_layers: how many layers.
        embed_dim: the width of a position.
        num_heads: the heads of the queries.
        hidden_dim: the width inside the feed-forward network.
        num_kv_heads: the heads of keys and values; None: as many.
        vocab_size: how many tokens it knows.
        causal: count only the pairs of positions that the mask leaves visible;
            False counts the full square, as a plain matrix product computes it.
        cache: how many tokens before the input are in the KV cache.
        logits: at which positions the next token is predicted, "every" or the "last".

    Shapes:
        (N, L) token numbers → (N, L, vocab_size), or (N, vocab_size) for the last

    Raises:
        TypeError, ValueError: a size that is none, other ``logits``.

    >>> llama(2, 128, 2, 352, vocab_size=1000).output_shape((1, 10))
    (1, 10, 1000)
    """
    heads = {"num_heads": num_heads, "num_kv_heads": num_kv_heads}
    return language_model(
        num_layers,
        embed_dim,
        vocab_size,
        mixer={"kind": "attention", **heads, "bias": False, "rotary": True},
        ffn={"kind": "gated", "hidden_dim": hidden_dim},
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 2048))
def llama_7b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """LLaMA-7B: 32 layers of width 4096.

    >>> llama_7b().parameters
    6738415616
    """
    return llama(32, 4096, 32, 11008, causal=causal, cache=cache, logits=logits)


@model((1, 2048))
def llama_13b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """LLaMA-13B: 40 layers of width 5120."""
    return llama(40, 5120, 40, 13824, causal=causal, cache=cache, logits=logits)


@model((1, 2048))
def llama_33b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """LLaMA-33B: 60 layers of width 6656."""
    return llama(60, 6656, 52, 17920, causal=causal, cache=cache, logits=logits)


@model((1, 2048))
def llama_65b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """LLaMA-65B: 80 layers of width 8192."""
    return llama(80, 8192, 64, 22016, causal=causal, cache=cache, logits=logits)


@model((1, 4096))
def llama2_7b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Llama-2-7B, which is LLaMA-7B for longer texts: 32 layers of width 4096."""
    return llama(32, 4096, 32, 11008, causal=causal, cache=cache, logits=logits)


@model((1, 4096))
def llama2_13b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Llama-2-13B: 40 layers of width 5120."""
    return llama(40, 5120, 40, 13824, causal=causal, cache=cache, logits=logits)


@model((1, 4096))
def llama2_70b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Llama-2-70B, with 8 heads of keys and values: 80 layers of width 8192."""
    return llama(80, 8192, 64, 28672, num_kv_heads=8, causal=causal, cache=cache, logits=logits)


@model((1, 8192))
def llama3_8b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Llama-3-8B, with 8 heads of keys and values: 32 layers of width 4096.

    >>> llama3_8b().parameters
    8030261248
    """
    return llama(
        32,
        4096,
        32,
        14336,
        num_kv_heads=8,
        vocab_size=128256,
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def llama3_70b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Llama-3-70B, with 8 heads of keys and values: 80 layers of width 8192."""
    return llama(
        80,
        8192,
        64,
        28672,
        num_kv_heads=8,
        vocab_size=128256,
        causal=causal,
        cache=cache,
        logits=logits,
    )
