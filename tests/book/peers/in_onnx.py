"""The subjects as graphs of ONNX, operator by operator; onnx-tool counts them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_tool as asked
from onnx import helper, numpy_helper

PACKAGES = ("onnx-tool", "onnx")
Answer = dict[str, int]


class Graph:
    """A graph that grows by an operator at a time."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, *shape: int, values: Any = None) -> str:
        """Add weights, zeros where no values are given, and return their name."""
        name = f"w{len(self.constants)}"
        array = np.zeros(shape, np.float32) if values is None else np.asarray(values)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def __call__(self, operator: str, *inputs: str, **options: Any) -> str:
        """Add an operator and return the name of its result."""
        name = f"y{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **options))
        return name

    def linear(self, x: str, wide: int, narrow: int) -> str:
        """Add a linear layer as exporters write it where there are positions."""
        return self("Add", self("MatMul", x, self.constant(wide, narrow)), self.constant(narrow))

    def reshape(self, x: str, *shape: int) -> str:
        """Add a new shape."""
        return self("Reshape", x, self.constant(values=np.array(shape, np.int64)))


def norm(g: Graph, x: str, channels: int) -> str:
    """Add a batch norm."""
    return g("BatchNormalization", x, *(g.constant(channels) for _ in range(4)))


def conv_net(g: Graph, x: str) -> str:
    """Convolution, norm, ReLU, pooling, linear."""
    x = g("Conv", x, g.constant(5, 3, 3, 3), g.constant(5), pads=[1] * 4, kernel_shape=[3, 3])
    x = g("MaxPool", g("Relu", norm(g, x, 5)), kernel_shape=[2, 2], strides=[2, 2])
    return g("Gemm", g("Flatten", x), g.constant(80, 10), g.constant(10))


def post_norm_layer(g: Graph, x: str) -> str:
    """Attention and a feed-forward network, each with a norm behind it."""
    q, k, v = (
        g("Transpose", g.reshape(g.linear(x, 8, 8), 2, 5, 2, 4), perm=perm)
        for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    )
    weights = g("Softmax", g("Div", g("MatMul", q, k), g.constant(values=np.float32(2))), axis=-1)
    found = g.reshape(g("Transpose", g("MatMul", weights, v), perm=[0, 2, 1, 3]), 2, 5, 8)
    x = layer_norm(g, g("Add", x, g.linear(found, 8, 8)), 8)
    return layer_norm(g, g("Add", x, g.linear(g("Relu", g.linear(x, 8, 16)), 16, 8)), 8)


def layer_norm(g: Graph, x: str, width: int) -> str:
    """Add a layer norm."""
    return g("LayerNormalization", x, g.constant(width), g.constant(width), axis=-1)


def feed_forward(g: Graph, x: str) -> str:
    """Two linear layers and a GELU."""
    return g.linear(g("Gelu", g.linear(x, 6, 24)), 24, 6)


def conv(operator: str, *sizes: int, bias: int = 0, **options: Any) -> Callable[[Graph, str], str]:
    """Return what adds a convolution."""

    def add(g: Graph, x: str) -> str:
        weights = [g.constant(*sizes)] + ([g.constant(bias)] if bias else [])
        return g(operator, x, *weights, kernel_shape=list(sizes[2:]), **options)

    return add


def unary(operator: str, **options: Any) -> Callable[[Graph, str], str]:
    """Return what adds an operator without weights."""
    return lambda g, x: g(operator, x, **options)


WINDOW = {"kernel_shape": [3, 3], "strides": [2, 2]}
GRAPHS: dict[str, Callable[[Graph, str], str]] = {
    "conv_net": conv_net,
    "post_norm_layer": post_norm_layer,
    "linear": lambda g, x: g.linear(x, 5, 7),
    "conv2d": conv("Conv", 5, 3, 3, 3, bias=5, strides=[2, 2], pads=[1] * 4),
    "conv2d_grouped": conv("Conv", 10, 3, 3, 3, bias=10, group=2),
    "conv2d_depthwise": conv("Conv", 6, 1, 3, 3, bias=6, group=6, pads=[1] * 4),
    "conv2d_pointwise": conv("Conv", 5, 3, 1, 1, bias=5),
    "conv1d": conv("Conv", 5, 3, 4, bias=5),
    "conv_transpose2d": conv("ConvTranspose", 3, 5, 3, 3, bias=5, strides=[2, 2]),
    "batch_norm2d": lambda g, x: norm(g, x, 3),
    "layer_norm": lambda g, x: layer_norm(g, x, 7),
    "relu": unary("Relu"),
    "leaky_relu": unary("LeakyRelu"),
    "gelu": unary("Gelu"),
    "hardswish": unary("HardSwish"),
    "hardsigmoid": unary("HardSigmoid"),
    "sigmoid": unary("Sigmoid"),
    "tanh": unary("Tanh"),
    "softmax": unary("Softmax", axis=-1),
    "max_pool2d": unary("MaxPool", **WINDOW),
    "avg_pool2d": unary("AveragePool", **WINDOW),
    "adaptive_avg_pool2d": unary("GlobalAveragePool"),
    "feed_forward": feed_forward,
    "same_padding": conv("Conv", 5, 4, 3, 3, pads=[1] * 4),
    "broadcast_product": lambda g, x: g("MatMul", x, g.constant(2, 4, 5)),
}


def onnx_tool(name: str, shape: tuple[int, ...], device: str) -> Answer:
    """Write the graph and ask about it."""
    g = Graph()
    last = GRAPHS[name](g, "x")
    ends = [
        helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, sizes)
        for end, sizes in (("x", shape), (last, None))
    ]
    graph = helper.make_graph(g.nodes, name, ends[:1], ends[1:], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    with tempfile.TemporaryDirectory() as place:
        file = os.path.join(place, "model.onnx")
        onnx.save(model, file)
        counted = asked.Model(file)
        counted.graph.shape_infer(None)
        counted.graph.profile()
    macs = counted.graph.macs
    return {"MACs": macs[0] if isinstance(macs, (list, tuple)) else macs}


TOOLS = {"onnx_tool": onnx_tool}
