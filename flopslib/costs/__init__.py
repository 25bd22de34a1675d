"""The cost functions, one module for each family of layers."""

from flopslib.costs.convolution import conv2d, depthwise_conv2d, pointwise_conv2d
from flopslib.costs.linear import linear, matmul

__all__ = ["conv2d", "depthwise_conv2d", "linear", "matmul", "pointwise_conv2d"]
