"""Real layers to begin a lab with, read off the library's own models.

No size is typed here: a preset names a model and a place in it, and the sizes are those of
the layer that works there. What is read has to cost what the model counts there, but for the
norms and sums around it.

>>> presets("conv2d")["the first convolution of ResNet-18"]["kernel_size"]
(7, 7)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flopslib.costs.compiling import KINDS
from flopslib.costs.registry import registered
from flopslib.layers.layer import Layer, Node, joined, measured
from flopslib.models.model_list import Model, catalogue

__all__ = ["presets", "title"]

Arguments = dict[str, Any]

#: What neither a norm nor a sum performs, so that a layer has it alone or with them around it.
COMPARED = ("macs", "exponentials", "erfs")


class Place(NamedTuple):
    """A layer of a model: what it is called there, the model, and the paths of its parts."""

    what: str
    model: str
    paths: tuple[str, ...]


def presets(name: str) -> dict[str, Arguments]:
    """Return what a cost function can be tried with: real layers, or else its own example.

    Raises:
        ValueError: what was read off a model does not cost what the model counts.

    >>> list(presets("matmul"))
    ['the scores of one head of GPT-2 small, 1024 tokens']
    """
    example = registered()[name].example
    if name not in PLACES and example is not None:
        return {example.what: dict(example.arguments)}
    return {place.what: _read(name, place) for place in PLACES.get(name, ())}


def title(entry: Model) -> str:
    """Return what people call a model, from its first line.

    >>> title(catalogue()["llama2_7b"])
    'Llama-2-7B'
    """
    return entry.about.partition(":")[0].partition(",")[0].rstrip(".")


def _read(name: str, place: Place) -> Arguments:
    entry = catalogue()[place.model]
    root = measured(entry.build(), entry.input_shape)
    nodes = [node_at(root, path) for path in place.paths]
    arguments = READ[name](*nodes)
    counted = registered()[name].function(**arguments).total.kinds()
    for kind in COMPARED:
        ours, there = counted.get(kind, 0), sum(n.total[KINDS.index(kind)] for n in nodes)
        if ours != there:
            raise ValueError(f"{place.what}: {name} counts {ours} {kind}, the model {there}")
    return arguments


def node_at(root: Node, path: str) -> Node:
    """Return what works at a path of a measured model.

    Raises:
        KeyError: nothing does.
    """
    found = _find(root, "", path)
    if found is None:
        raise KeyError(f"no layer at {path!r}")
    return found


def _find(node: Node, here: str, path: str) -> Node | None:
    for name, part in node.parts:
        inner = joined(here, name)
        if name and inner == path:
            return part
        if not name or path.startswith(f"{inner}."):
            found = _find(part, inner, path)
            if found is not None:
                return found
    return None


# --- how the arguments of a cost function are read off a layer -----------------


def _linear(node: Node) -> Arguments:
    layer = getattr(node.layer, "layer", node.layer)  # one that shares its weights is wrapped
    sizes = {"in_features": layer.in_features, "out_features": layer.out_features}
    return sizes | {"batch": math.prod(node.input_shape[:-1]), "bias": layer.bias}


def _plane(node: Node) -> Arguments:
    batch, _, height, width = node.output_shape
    plane = {"out_height": height, "out_width": width, "batch": batch}
    return plane | {"bias": node.layer.bias}


def _conv2d(node: Node) -> Arguments:
    layer = node.layer
    channels = {"in_channels": layer.in_channels, "out_channels": layer.out_channels}
    window = {"kernel_size": layer.kernel_size, "groups": layer.groups}
    return channels | window | _plane(node)


def _depthwise(node: Node) -> Arguments:
    layer = node.layer
    return {"channels": layer.in_channels, "kernel_size": layer.kernel_size} | _plane(node)


def _pointwise(node: Node) -> Arguments:
    layer = node.layer
    channels = {"in_channels": layer.in_channels, "out_channels": layer.out_channels}
    return channels | _plane(node)


def _separable(depthwise: Node, pointwise: Node) -> Arguments:
    return {"kernel_size": depthwise.layer.kernel_size} | _pointwise(pointwise)


def _attention(node: Node) -> Arguments:
    layer = node.layer
    batch, seq_len, width = node.input_shape
    given = {"seq_len": seq_len, "d_model": width, "num_heads": layer.num_heads}
    kept = layer.__dict__
    options = {name: kept[name] for name in ("num_kv_heads", "head_dim") if kept.get(name)}
    return given | options | {"causal": kept.get("causal", False), "batch": batch} | _bias(layer)


def _bias(layer: Layer) -> Arguments:
    return {"bias": layer.bias}


def _feed_forward(node: Node) -> Arguments:
    batch, seq_len, width = node.input_shape
    first, bend = (_first(node, kind) for kind in ("Linear", "GELU"))
    sizes = {"seq_len": seq_len, "d_model": width, "d_ff": first.out_features, "batch": batch}
    usual = {"d_ff": None} if first.out_features == 4 * width else {}
    return sizes | usual | _bias(first) | {"tanh_gelu": bend.approximate == "tanh"}


def _first(node: Node, *kinds: str) -> Any:
    return next(part.layer for _, part in walk(node) if type(part.layer).__name__ in kinds)


def _gated(node: Node) -> Arguments:
    batch, seq_len, width = node.input_shape
    sizes = {"seq_len": seq_len, "d_model": width, "d_ff": node.layer.hidden_features}
    return sizes | {"batch": batch} | _bias(node.layer)


def _layer(node: Node) -> Arguments:
    kinds = ("SelfAttention", "MultiheadAttention")
    attention = next(part for _, part in walk(node) if type(part.layer).__name__ in kinds)
    mlp = node_at(node, "mlp")
    return _attention(attention) | _feed_forward(mlp)


def walk(node: Node) -> list[tuple[str, Node]]:
    """Return everything that works inside a node, in the order in which it is run."""
    return [found for part in node.parts for found in [part, *walk(part[1])]]


READ: Mapping[str, Callable[..., Arguments]] = {
    "linear": _linear,
    "conv2d": _conv2d,
    "depthwise_conv2d": _depthwise,
    "pointwise_conv2d": _pointwise,
    "depthwise_separable_conv2d": _separable,
    "multihead_attention": _attention,
    "feed_forward": _feed_forward,
    "gated_feed_forward": _gated,
    "transformer_layer": _layer,
}

GPT_LAYER, GPT_ATTENTION, GPT_FFN = "h.0", "h.0.attention.attn", "h.0.mlp"

PLACES: Mapping[str, tuple[Place, ...]] = {
    "linear": (
        Place("the last layer of ResNet-18", "resnet18", ("fc",)),
        Place("the first linear layer of AlexNet's classifier", "alexnet", ("classifier.1",)),
        Place("GPT-3: the first linear layer of an FFN", "gpt3", (f"{GPT_FFN}.c_fc",)),
        Place("GPT-3: the logits of all its tokens", "gpt3", ("lm_head",)),
    ),
    "conv2d": (
        Place("the first convolution of ResNet-18", "resnet18", ("conv1",)),
        Place("a 3×3 convolution of ResNet-18, stage 1", "resnet18", ("layer1.0.conv1",)),
        Place("the last 3×3 convolution of ResNet-18", "resnet18", ("layer4.1.conv2",)),
        Place("a grouped convolution of ResNeXt-50", "resnext50_32x4d", ("layer1.0.conv2",)),
        Place("the patches of ViT-B/16", "vit_b_16", ("conv_proj",)),
    ),
    "depthwise_conv2d": (
        Place("the first depthwise one of MobileNetV2", "mobilenet_v2", ("features.1.0.0",)),
    ),
    "pointwise_conv2d": (
        Place("the first pointwise one of MobileNetV2", "mobilenet_v2", ("features.1.1",)),
    ),
    "depthwise_separable_conv2d": (
        Place("the first pair of MobileNetV2", "mobilenet_v2", ("features.1.0.0", "features.1.1")),
        Place("the last pair of MobileNetV2", "mobilenet_v2", ("features.17.1.0", "features.17.2")),
    ),
    "multihead_attention": (
        Place("GPT-2 small, one layer", "gpt2_small", (GPT_ATTENTION,)),
        Place("GPT-3, one layer", "gpt3", (GPT_ATTENTION,)),
        Place("ViT-B/16, one layer", "vit_b_16", ("layers.0.attention.self_attention",)),
        Place("LLaMA-7B, one layer", "llama_7b", ("layers.0.attention.self_attn",)),
        Place("Llama-3-8B, one layer", "llama3_8b", ("layers.0.attention.self_attn",)),
        Place("Llama-3-70B, one layer", "llama3_70b", ("layers.0.attention.self_attn",)),
    ),
    "feed_forward": (
        Place("GPT-2 small, one layer", "gpt2_small", (GPT_FFN,)),
        Place("GPT-3, one layer", "gpt3", (GPT_FFN,)),
        Place("ViT-B/16, one layer", "vit_b_16", ("layers.0.mlp",)),
    ),
    "gated_feed_forward": (
        Place("LLaMA-7B, one layer", "llama_7b", ("layers.0.mlp.mlp",)),
        Place("Llama-3-8B, one layer", "llama3_8b", ("layers.0.mlp.mlp",)),
        Place("Llama-3-70B, one layer", "llama3_70b", ("layers.0.mlp.mlp",)),
    ),
    "transformer_layer": (
        Place("GPT-2 small, one layer", "gpt2_small", (GPT_LAYER,)),
        Place("GPT-2 XL, one layer", "gpt2_xl", (GPT_LAYER,)),
        Place("GPT-3, one layer", "gpt3", (GPT_LAYER,)),
        Place("ViT-B/16, one layer", "vit_b_16", ("layers.0",)),
    ),
}
