"""Language models whose sizes are published, as data for :func:`language_model`.

Each entry has the sizes of its public configuration file (``config.json`` of the weights that
were published), under the names of the library's layers, and where they are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flopslib.layers.layer import Layer
from flopslib.models.building import language_model
from flopslib.models.model_list import model

__all__ = ["ARCHITECTURES", "Source"]

Source = str


def _attention(num_heads: int, num_kv_heads: int, head_dim: int, **more: Any) -> dict[str, Any]:
    heads = {"num_heads": num_heads, "num_kv_heads": num_kv_heads, "head_dim": head_dim}
    return {"kind": "attention", **heads, "bias": False, "rotary": True, **more}


def _gated(hidden_dim: int, **more: Any) -> dict[str, Any]:
    return {"kind": "gated", "hidden_dim": hidden_dim, **more}


def _experts(hidden_dim: int, num_experts: int, top_k: int, **more: Any) -> dict[str, Any]:
    sizes = {"hidden_dim": hidden_dim, "num_experts": num_experts, "top_k": top_k}
    return {"kind": "experts", **sizes, **more}


def _gemma(
    num_layers: int, embed_dim: int, heads: tuple[int, int], hidden_dim: int, window: int
) -> dict[str, Any]:
    near = _attention(*heads, 256, qk_norm=True, window=window)
    far = _attention(*heads, 256, qk_norm=True)
    return {
        "num_layers": num_layers, "embed_dim": embed_dim, "vocab_size": 262_144,
        "mixer": [near] * 5 + [far], "ffn": _gated(hidden_dim, activation="gelu_tanh"),
        "norms_after": True, "tied": True,
    }  # fmt: skip


def _qwen3(
    num_layers: int, embed_dim: int, num_heads: int, ffn: Mapping[str, Any], *,
    num_kv_heads: int = 8, tied: bool = False,
) -> dict[str, Any]:  # fmt: skip
    return {
        "num_layers": num_layers, "embed_dim": embed_dim, "vocab_size": 151_936,
        "mixer": _attention(num_heads, num_kv_heads, 128, qk_norm=True), "ffn": ffn, "tied": tied,
    }  # fmt: skip


def _gpt_oss(num_layers: int, num_experts: int) -> dict[str, Any]:
    heads = {"bias": True, "sink_logits": True}
    return {
        "num_layers": num_layers, "embed_dim": 2880, "vocab_size": 201_088,
        "mixer": [_attention(64, 8, 64, window=128, **heads), _attention(64, 8, 64, **heads)],
        "ffn": _experts(2880, num_experts, 4, bias=True),
    }  # fmt: skip


def _llama(
    num_layers: int, embed_dim: int, heads: tuple[int, int, int], hidden_dim: int, **more: Any
) -> dict[str, Any]:
    sizes = {"num_layers": num_layers, "embed_dim": embed_dim}
    return {**sizes, "mixer": _attention(*heads), "ffn": _gated(hidden_dim), **more}


LATENT = {
    "kind": "latent_attention", "num_heads": 128, "q_rank": 1536, "kv_rank": 512,
    "head_dim": 128, "rope_dim": 64, "value_dim": 128,
}  # fmt: skip

#: The arguments of :func:`language_model`, by the name of a model.
ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "stories15m": _llama(6, 288, (6, 6, 48), 768, vocab_size=32_000, tied=True),
    "llama3_2_1b": _llama(16, 2048, (32, 8, 64), 8192, vocab_size=128_256, tied=True),
    "llama3_2_3b": _llama(28, 3072, (24, 8, 128), 8192, vocab_size=128_256, tied=True),
    "gemma3_1b": _gemma(26, 1152, (4, 1), 6912, 512),
    "gemma3_270m": _gemma(18, 640, (4, 1), 2048, 512),
    "qwen3_0_6b": _qwen3(28, 1024, 16, _gated(3072), tied=True),
    "qwen3_4b": _qwen3(36, 2560, 32, _gated(9728), tied=True),
    "qwen3_8b": _qwen3(36, 4096, 32, _gated(12_288)),
    "qwen3_30b_a3b": _qwen3(48, 2048, 32, _experts(768, 128, 8), num_kv_heads=4),
    "mixtral_8x7b": {
        "num_layers": 32, "embed_dim": 4096, "vocab_size": 32_000,
        "mixer": _attention(32, 8, 128), "ffn": _experts(14_336, 8, 2),
    },
    "gpt_oss_20b": _gpt_oss(24, 32),
    "gpt_oss_120b": _gpt_oss(36, 128),
    "deepseek_v3": {
        "num_layers": 61, "embed_dim": 7168, "vocab_size": 129_280, "mixer": LATENT,
        "ffn": [_gated(18_432)] * 3
        + [_experts(2048, 256, 8, shared_features=2048, sigmoid=True)] * 58,
    },
}  # fmt: skip


@model((1, 256))
def stories15m(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """stories15M: 6 layers of width 288, trained on children's stories.

    llama2.c by Andrej Karpathy, 2023.

    >>> stories15m().parameters
    15191712
    """
    return language_model(
        **ARCHITECTURES["stories15m"],
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def llama3_2_1b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Llama-3.2-1B, whose last layer has the weights of its embedding: 16 layers of width 2048.

    https://huggingface.co/meta-llama/Llama-3.2-1B.

    >>> llama3_2_1b().parameters
    1235814400
    """
    return language_model(
        **ARCHITECTURES["llama3_2_1b"],
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def llama3_2_3b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Llama-3.2-3B, whose last layer has the weights of its embedding: 28 layers of width 3072.

    https://huggingface.co/meta-llama/Llama-3.2-3B.

    >>> llama3_2_3b().parameters
    3212749824
    """
    return language_model(
        **ARCHITECTURES["llama3_2_3b"],
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def gemma3_270m(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Gemma 3 270M: 18 layers of width 640, five of six with a window of 512.

    https://huggingface.co/google/gemma-3-270m.

    >>> gemma3_270m().parameters
    268098176
    """
    return language_model(
        **ARCHITECTURES["gemma3_270m"],
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def gemma3_1b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Gemma 3 1B: 26 layers of width 1152, five of six with a window of 512.

    https://huggingface.co/google/gemma-3-1b-pt.

    >>> gemma3_1b().parameters
    999885952
    """
    return language_model(
        **ARCHITECTURES["gemma3_1b"],
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def qwen3_0_6b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Qwen3-0.6B, which normalises queries and keys: 28 layers of width 1024.

    https://huggingface.co/Qwen/Qwen3-0.6B.

    >>> qwen3_0_6b().parameters
    596049920
    """
    return language_model(
        **ARCHITECTURES["qwen3_0_6b"],
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def qwen3_4b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Qwen3-4B, which normalises queries and keys: 36 layers of width 2560.

    https://huggingface.co/Qwen/Qwen3-4B.

    >>> qwen3_4b().parameters
    4022468096
    """
    return language_model(
        **ARCHITECTURES["qwen3_4b"],
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def qwen3_8b(*, causal: bool = False, cache: int = 0, logits: str = "every") -> Layer:
    """Qwen3-8B, which normalises queries and keys: 36 layers of width 4096.

    https://huggingface.co/Qwen/Qwen3-8B.

    >>> qwen3_8b().parameters
    8190735360
    """
    return language_model(
        **ARCHITECTURES["qwen3_8b"],
        causal=causal,
        cache=cache,
        logits=logits,
    )


@model((1, 8192))
def qwen3_30b_a3b(
    *, causal: bool = False, cache: int = 0, logits: str = "every", all_experts: bool = False
) -> Layer:
    """Qwen3-30B-A3B: 48 layers of 128 experts, of which a token visits 8.

    https://huggingface.co/Qwen/Qwen3-30B-A3B.

    >>> qwen3_30b_a3b().parameters
    30532122624
    """
    return language_model(
        **ARCHITECTURES["qwen3_30b_a3b"],
        causal=causal,
        cache=cache,
        logits=logits,
        all_experts=all_experts,
    )


@model((1, 2048))
def mixtral_8x7b(
    *, causal: bool = False, cache: int = 0, logits: str = "every", all_experts: bool = False
) -> Layer:
    """Mixtral 8×7B: 32 layers of 8 experts, of which a token visits 2.

    https://huggingface.co/mistralai/Mixtral-8x7B-v0.1.

    >>> mixtral_8x7b().parameters
    46702792704
    """
    return language_model(
        **ARCHITECTURES["mixtral_8x7b"],
        causal=causal,
        cache=cache,
        logits=logits,
        all_experts=all_experts,
    )


@model((1, 8192))
def gpt_oss_20b(
    *, causal: bool = False, cache: int = 0, logits: str = "every", all_experts: bool = False
) -> Layer:
    """gpt-oss-20b: 24 layers of 32 experts, of which a token visits 4; every other has a window.

    https://huggingface.co/openai/gpt-oss-20b.

    >>> gpt_oss_20b().parameters
    20914757184
    """
    return language_model(
        **ARCHITECTURES["gpt_oss_20b"],
        causal=causal,
        cache=cache,
        logits=logits,
        all_experts=all_experts,
    )


@model((1, 8192))
def gpt_oss_120b(
    *, causal: bool = False, cache: int = 0, logits: str = "every", all_experts: bool = False
) -> Layer:
    """gpt-oss-120b: 36 layers of 128 experts, of which a token visits 4; every other has a window.

    https://huggingface.co/openai/gpt-oss-120b.

    >>> gpt_oss_120b().parameters
    116829156672
    """
    return language_model(
        **ARCHITECTURES["gpt_oss_120b"],
        causal=causal,
        cache=cache,
        logits=logits,
        all_experts=all_experts,
    )


@model((1, 4096))
def deepseek_v3(
    *,
    causal: bool = False,
    cache: int = 0,
    logits: str = "every",
    absorbed: bool = False,
    all_experts: bool = False,
) -> Layer:
    """DeepSeek-V3: 61 layers with latent attention, 58 of them with 256 experts and a shared one.

    https://huggingface.co/deepseek-ai/DeepSeek-V3; without the layer that predicts two tokens.

    >>> deepseek_v3().parameters
    671026404352
    """
    return language_model(
        **ARCHITECTURES["deepseek_v3"],
        causal=causal,
        cache=cache,
        logits=logits,
        absorbed=absorbed,
        all_experts=all_experts,
    )
