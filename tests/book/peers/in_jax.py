"""The subjects in JAX, with Flax's modules where it has them; XLA's and Flax's own counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ["JAX_PLATFORMS"] = "cpu"

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen import summary

PACKAGES = ("jax", "jaxlib", "flax")
Answer = dict[str, int]


class ConvNet(nn.Module):
    """Convolution, norm, ReLU, pooling, linear."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Run it on (N, H, W, C)."""
        x = nn.Conv(5, (3, 3), padding=1)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=True)(x))
        x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(10)(x.reshape(x.shape[0], -1))


class TransformerLayer(nn.Module):
    """Attention and a feed-forward network, each with a norm behind it."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Run it on (N, L, d)."""
        attention = nn.MultiHeadDotProductAttention(num_heads=2)(x)
        x = nn.LayerNorm()(x + attention)
        return nn.LayerNorm()(x + nn.Dense(8)(nn.relu(nn.Dense(16)(x))))


class Function(nn.Module):
    """A function without weights."""

    function: Callable[..., Any]

    def __call__(self, *x: Any) -> Any:
        """Call it."""
        return self.function(*x)


class Step(nn.Module):
    """One of ten linear layers."""

    @nn.compact
    def __call__(self, x: Any, _: Any) -> Any:
        """Run it, and hand nothing on beside the result."""
        return nn.Dense(4, use_bias=False)(x), None


class Loop(nn.Module):
    """Ten linear layers, run by a loop of XLA's."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Scan over the layers."""
        steps = nn.scan(Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=10)
        return steps()(x, None)[0]


class Twice(nn.Module):
    """One linear layer, called twice."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Call it, and again."""
        layer = nn.Dense(4, use_bias=False)
        return layer(layer(x))


class PadBefore(nn.Module):
    """Zeros around the image, and a convolution without padding."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Pad, then convolve."""
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        return nn.Conv(5, (3, 3), padding="VALID", use_bias=False)(x)


def heads(x: Any) -> Any:
    """Cut (N, L, 6) into two heads."""
    return x.reshape(*x.shape[:2], 2, 3)


def attend(x: Any, causal: bool = False) -> Any:
    """Attend with two heads of width 3, without projections."""
    return jax.nn.dot_product_attention(*[heads(x)] * 3, is_causal=causal).reshape(x.shape)


def pool(x: Any, kind: str) -> Any:
    """Pool windows of 3x3, two apart."""
    return getattr(nn, f"{kind}_pool")(x, (3, 3), (2, 2))


ACTIVATIONS = {
    "relu": nn.relu, "relu6": nn.relu6, "leaky_relu": nn.leaky_relu,
    "gelu": partial(nn.gelu, approximate=False), "silu": nn.silu, "hardswish": nn.hard_swish,
    "hardsigmoid": nn.hard_sigmoid, "sigmoid": nn.sigmoid, "tanh": nn.tanh,
}  # fmt: skip

#: What is asked, by name: a module, and the shapes that go in where they are not ours.
MODULES: dict[str, Callable[[], nn.Module]] = {
    "conv_net": ConvNet,
    "post_norm_layer": TransformerLayer,
    "linear": lambda: nn.Dense(7),
    "conv2d": lambda: nn.Conv(5, (3, 3), 2, padding=1),
    "conv2d_grouped": lambda: nn.Conv(10, (3, 3), padding="VALID", feature_group_count=2),
    "conv2d_depthwise": lambda: nn.Conv(6, (3, 3), padding=1, feature_group_count=6),
    "conv2d_pointwise": lambda: nn.Conv(5, (1, 1)),
    "conv1d": lambda: nn.Conv(5, (4,), padding="VALID"),
    "conv3d": lambda: nn.Conv(5, (2, 3, 3), padding="VALID"),
    "conv_transpose2d": lambda: nn.ConvTranspose(5, (3, 3), (2, 2), padding="VALID"),
    "scaled_dot_product_attention": lambda: Function(attend),
    "layer_norm": nn.LayerNorm,
    "rms_norm": nn.RMSNorm,
    "batch_norm2d": lambda: nn.BatchNorm(use_running_average=True),
    "batch_norm1d": lambda: nn.BatchNorm(use_running_average=True),
    **{name: partial(Function, function) for name, function in ACTIVATIONS.items()},
    "softmax": lambda: Function(nn.softmax),
    "max_pool2d": lambda: Function(partial(pool, kind="max")),
    "avg_pool2d": lambda: Function(partial(pool, kind="avg")),
    "adaptive_avg_pool2d": lambda: Function(lambda x: x.mean((1, 2))),
    "embedding": lambda: nn.Embed(11, 7),
    "feed_forward": lambda: nn.Sequential([nn.Dense(24), ACTIVATIONS["gelu"], nn.Dense(6)]),
    "loop_of_ten": Loop,
    "one_layer_twice": Twice,
    "same_padding": lambda: nn.Conv(5, (3, 3), padding=1, use_bias=False),
    "padding_before": PadBefore,
    "broadcast_product": lambda: Function(lambda x: x @ jnp.zeros((2, 4, 5))),
    "matrix_vector": lambda: Function(lambda x: x @ jnp.zeros(4)),
    "causal_attention": lambda: Function(partial(attend, causal=True)),
    "bfloat16": lambda: nn.Dense(5, use_bias=False, dtype=jnp.bfloat16, param_dtype=jnp.bfloat16),
}


def prepared(name: str, shape: tuple[int, ...]) -> tuple[nn.Module, Any]:
    """Return a module and its input; the channels come last where there are some."""
    module = MODULES[name]()
    planes = len(shape) > 3 and name != "broadcast_product"
    if planes or name in ("conv1d", "batch_norm1d"):
        shape = (shape[0], *shape[2:], shape[1])
    kind = {"embedding": jnp.int32, "bfloat16": jnp.bfloat16}.get(name, jnp.float32)
    return module, jnp.zeros(shape, kind)


def flops(stage: Any) -> int:
    """Return what the cost analysis says; a key that would be 0 is not there."""
    return int(stage.cost_analysis().get("flops", 0))


def xla(name: str, shape: tuple[int, ...], device: str) -> Answer:
    """Ask XLA about the program as it is written, or as it is compiled for this CPU."""
    module, x = prepared(name, shape)
    variables = module.init(jax.random.key(0), x)
    lowered = jax.jit(module.apply).lower(variables, x)
    return {"flops": flops(lowered if device == "lowered" else lowered.compile())}


def flax(name: str, shape: tuple[int, ...], device: str) -> Answer:
    """Ask for the table of a module; its first row is the whole."""
    module, x = prepared(name, shape)
    found = summary._get_module_table(
        module, depth=None, show_repeated=True, compute_flops=True, compute_vjp_flops=False
    )
    return {"flops": int(next(iter(found(jax.random.key(0), x))).flops)}


TOOLS = {"xla": xla, "flax": flax}
