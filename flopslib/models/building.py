"""One builder for language models: what one is, said in data.

A model is a stack of blocks, each with a *mixer*, which lets positions see each other, and
a *feed-forward network*, which works on each by itself. What these are is said by a dict:
its "kind", and the arguments of the layer that is meant. Several dicts are taken in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flopslib.layers import (
    GELU,
    Embedding,
    LatentAttention,
    LayerNorm,
    LearnedPositions,
    Linear,
    MixtureOfExperts,
    Residual,
    RMSNorm,
    SelfAttention,
    Sequential,
    Shared,
    SiLU,
    SwiGLU,
)
from flopslib.layers.arguments import flag, size
from flopslib.layers.layer import Layer
from flopslib.models.logits import of_positions
from flopslib.models.model_list import nearest

__all__ = ["language_model"]

#: What a part of a model is, in words.
Part = Mapping[str, Any]
Parts = dict[str, Layer]

NORMS: Mapping[str, Callable[[int], Layer]] = {"layer_norm": LayerNorm, "rms_norm": RMSNorm}
ACTIVATIONS: Mapping[str, Layer] = {"silu": SiLU(), "gelu": GELU(), "gelu_tanh": GELU("tanh")}

#: What the parts are called, by whose program it is.
NAMES: Mapping[str, Mapping[str, str]] = {
    "llama": {
        "tokens": "embed_tokens", "positions": "embed_positions", "blocks": "layers",
        "last_norm": "norm", "logits": "lm_head", "mixer": "self_attn", "mixer_norm": "norm",
        "mixer_block": "attention", "ffn_norm": "norm",
    },
    "gpt2": {
        "tokens": "wte", "positions": "wpe", "blocks": "h", "last_norm": "ln_f",
        "logits": "lm_head", "mixer": "attn", "mixer_norm": "ln_1", "mixer_block": "attention",
        "ffn_norm": "ln_2",
    },
}  # fmt: skip


def language_model(
    num_layers: int,
    embed_dim: int,
    vocab_size: int,
    *,
    mixer: Part | Sequence[Part],
    ffn: Part | Sequence[Part] | None,
    norm: str = "rms_norm",
    norms_after: bool = False,
    num_positions: int | None = None,
    tied: bool = False,
    names: str = "llama",
    causal: bool = False,
    cache: int = 0,
    logits: str = "every",
    absorbed: bool = False,
    all_experts: bool = False,
) -> Layer:
    """Return a language model that is told in data.

    Args:
        num_layers: how many blocks.
        embed_dim: the width of a position.
        vocab_size: how many tokens it knows.
        mixer: how positions see each other, one dict or several that are taken in turn.
            "attention" with the arguments of :class:`flopslib.layers.SelfAttention`, or
            "latent_attention" with those of :class:`flopslib.layers.LatentAttention`.
        ffn: what works on each position, one dict or several in turn: "mlp" or "gated" with
            "hidden_dim", "activation" and "bias", or "experts" with the arguments of
            :class:`flopslib.layers.MixtureOfExperts`; None: nothing.
        norm: "rms_norm" or "layer_norm".
        norms_after: whether there is a norm behind each mixer and network, too.
        num_positions: the longest text, if positions are learnt; None: they are not.
        tied: whether the last layer has the weights of the token embedding.
        names: whose names the parts have, "llama" or "gpt2".
        causal: count only the pairs of positions that the mask leaves visible, windows
            included; False counts the full square, as a plain matrix product computes it.
        cache: how many tokens before the input are in the cache.
        logits: at which positions the next token is predicted, "every" or the "last".
        absorbed: whether latent attention makes no keys and values.
        all_experts: whether every expert works on every position.

    Shapes:
        (N, L) token numbers → (N, L, vocab_size), or (N, vocab_size) for the last

    Raises:
        TypeError, ValueError: a size that is none, a kind or a name that there is not.

    >>> tiny = language_model(
    ...     2, 32, 100, mixer={"kind": "attention", "num_heads": 4},
    ...     ffn={"kind": "experts", "hidden_dim": 64, "num_experts": 8, "top_k": 2})
    >>> tiny.parameters, tiny.active_parameters, tiny.output_shape((1, 10))
    (113824, 40096, (1, 10, 100))
    """
    called = nearest("set of names", names, NAMES)
    normal = nearest("norm", norm, NORMS)
    masked = {"causal": flag("causal", causal), "cache": cache, "absorbed": absorbed}
    width = size("embed_dim", embed_dim)
    mixers = _once("mixer", mixer, lambda part: _mixer(part, width, masked))
    networks = _once("ffn", ffn, lambda part: _network(part, width, all_experts))
    blocks: dict[tuple[int, int], Layer] = {}
    stack = []
    for at in range(size("num_layers", num_layers)):
        inside = (mixers[at % len(mixers)], networks[at % len(networks)])
        which = (id(inside[0]), id(inside[1]))
        if which not in blocks:  # blocks alike are one value
            blocks[which] = _block(*inside, lambda: normal(width), norms_after, called)
        stack.append(blocks[which])
    last = Linear(width, vocab_size, bias=False)
    parts: Parts = {called["tokens"]: Embedding(vocab_size, width)}
    if num_positions is not None:
        parts[called["positions"]] = LearnedPositions(num_positions, width, cache)
    parts |= {called["blocks"]: Sequential(*stack), called["last_norm"]: normal(width)}
    parts |= of_positions(logits)
    return Sequential(**parts, **{called["logits"]: Shared(last) if tied else last})


def _once(name: str, parts: Any, build: Callable[[Part], Any]) -> list[Any]:
    """Build what a part says, once for parts that say the same."""
    if parts is None and name == "ffn":
        return [None]
    listed = [parts] if isinstance(parts, Mapping) else list(parts)
    for part in listed:
        if not isinstance(part, Mapping) or "kind" not in part:
            raise TypeError(f'{name} must be a dict with a "kind", or several, got {part!r}')
    if not listed:
        raise ValueError(f"{name} must be at least one dict, got none")
    built: list[tuple[Part, Any]] = []
    for part in listed:
        if all(part != other for other, _ in built):
            built.append((part, build(part)))
    return [next(made for other, made in built if other == part) for part in listed]


def _block(
    mixer: Layer, network: Parts | None, norm: Callable[[], Layer], after: bool, called: Any
) -> Layer:
    def residual(named: str, parts: Parts) -> Layer:
        behind: Parts = {"norm_after": norm()} if after else {}
        return Residual(Sequential({called[named]: norm(), **parts, **behind}))

    block = {called["mixer_block"]: residual("mixer_norm", {called["mixer"]: mixer})}
    if network is not None:
        block["mlp"] = residual("ffn_norm", network)
    return Sequential(**block)


# --- mixers -------------------------------------------------------------------------------


def _mixer(part: Part, width: int, masked: Mapping[str, Any]) -> Layer:
    arguments = dict(part)
    build = nearest("kind of mixer", arguments.pop("kind"), MIXERS)
    return build(width, masked, **arguments)


def _attention(width: int, masked: Mapping[str, Any], **arguments: Any) -> Layer:
    if not masked["causal"]:  # the full square, whatever a window would hide
        for hides in ("window", "sinks", "chunk"):
            arguments.pop(hides, None)
    seen = {"causal": masked["causal"], "cache": masked["cache"]}
    return SelfAttention(width, **arguments, **seen)


def _latent_attention(width: int, masked: Mapping[str, Any], **arguments: Any) -> Layer:
    return LatentAttention(width, **arguments, **masked)


MIXERS: dict[str, Callable[..., Layer]] = {
    "attention": _attention,
    "latent_attention": _latent_attention,
}


# --- feed-forward networks ----------------------------------------------------------------


def _network(part: Part, width: int, all_experts: bool) -> Parts:
    arguments = dict(part)
    kind = arguments.pop("kind")
    if kind == "experts":
        arguments["all_experts"] = all_experts
    return nearest("kind of feed-forward network", kind, NETWORKS)(width, **arguments)


def _mlp(
    width: int, hidden_dim: int | None = None, activation: str = "gelu_tanh", bias: bool = True
) -> Parts:
    inside = 4 * width if hidden_dim is None else hidden_dim
    bend = nearest("activation", activation, ACTIVATIONS)
    return {
        "c_fc": Linear(width, inside, bias),
        "gelu": bend,
        "c_proj": Linear(inside, width, bias),
    }


def _gated(width: int, hidden_dim: int, activation: str = "silu", bias: bool = False) -> Parts:
    bend = nearest("activation", activation, ACTIVATIONS)
    return {"mlp": SwiGLU(width, hidden_dim, bias=bias, activation=bend)}


def _experts(width: int, hidden_dim: int, bias: bool = False, **arguments: Any) -> Parts:
    return {"mlp": MixtureOfExperts(width, hidden_dim, bias=bias, **arguments)}


NETWORKS: Mapping[str, Callable[..., Parts]] = {
    "mlp": _mlp, "gated": _gated, "experts": _experts,
}  # fmt: skip
