"""The subjects in tinygrad; nothing is computed, the kernels are written and counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

PACKAGES = ("tinygrad",)
Answer = dict[str, int]

PROGRAM = """
import sys
sys.path.insert(0, {here!r})
import in_tinygrad
print(in_tinygrad.counted({name!r}, {shape!r}))
"""


def tinygrad(name: str, shape: tuple[int, ...], device: str) -> Answer:
    """Ask in a process of its own, since the switch is read when tinygrad is imported."""
    here = os.path.dirname(__file__)
    switches = {"DEV": "NULL", "NOOPT": "1" if device == "NOOPT=1" else "0"}
    program = PROGRAM.format(here=here, name=name, shape=shape)
    said = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | switches, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return {"ops": int(said.stdout)}


def counted(name: str, shape: tuple[int, ...]) -> int:
    """Return the operations of the kernels that a subject becomes."""
    from tinygrad import GlobalCounters, Tensor, dtypes

    kind = dtypes.bfloat16 if name == "bfloat16" else dtypes.float32
    weights = [Tensor.empty(*sizes, dtype=kind).realize() for sizes in WEIGHTS.get(name, ())]
    x = Tensor.empty(*shape, dtype=kind).realize()
    GlobalCounters.reset()
    FUNCTIONS[name](x, *weights).realize()
    return int(GlobalCounters.global_ops)


def conv_net(x: Any, *w: Any) -> Any:
    """Convolution, norm, ReLU, pooling, linear."""
    normed = x.conv2d(w[0], w[1], padding=1).batchnorm(w[2], w[3], w[4], (w[5] + 1e-5).rsqrt())
    return normed.relu().max_pool2d(2).flatten(1).linear(w[6], w[7])


def post_norm_layer(x: Any, *w: Any) -> Any:
    """Attention and a feed-forward network, each with a norm behind it."""
    q, k, v = (
        x.linear(w[2 * i], w[2 * i + 1]).reshape(2, 5, 2, 4).transpose(1, 2) for i in range(3)
    )
    attended = q.scaled_dot_product_attention(k, v).transpose(1, 2).reshape(2, 5, 8)
    x = (x + attended.linear(w[6], w[7])).layernorm() * w[8] + w[9]
    wide = x.linear(w[10], w[11]).relu()
    return (x + wide.linear(w[12], w[13])).layernorm() * w[14] + w[15]


SQUARE, VECTOR = (8, 8), (8,)
WEIGHTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "conv_net": ((5, 3, 3, 3), *((5,),) * 5, (80, 10), (10,)),
    "post_norm_layer": (
        *(SQUARE, VECTOR) * 4, VECTOR, VECTOR, (8, 16), (16,), (16, 8), VECTOR, VECTOR, VECTOR,
    ),
    "linear": ((5, 7), (7,)),
    "conv2d_grouped": ((10, 3, 3, 3), (10,)),
    "conv2d_pointwise": ((5, 3, 1, 1), (5,)),
    "feed_forward": ((6, 24), (24,), (24, 6), (6,)),
    "same_padding": ((5, 4, 3, 3),),
    "broadcast_product": ((2, 4, 5),),
    "matrix_vector": ((4,),),
    "bfloat16": ((4, 5),),
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv_net": conv_net,
    "post_norm_layer": post_norm_layer,
    "linear": lambda x, w, b: x.linear(w, b),
    "conv2d_grouped": lambda x, w, b: x.conv2d(w, b, groups=2),
    "conv2d_pointwise": lambda x, w, b: x.conv2d(w, b),
    "relu": lambda x: x.relu(),
    "max_pool2d": lambda x: x.max_pool2d(3, 2),
    "adaptive_avg_pool2d": lambda x: x.mean((2, 3)),
    "feed_forward": lambda x, w, b, v, c: x.linear(w, b).gelu().linear(v, c),
    "same_padding": lambda x, w: x.conv2d(w, padding=1),
    "broadcast_product": lambda x, w: x @ w,
    "matrix_vector": lambda x, w: x @ w,
    "bfloat16": lambda x, w: x @ w,
}

TOOLS = {"tinygrad": tinygrad}
