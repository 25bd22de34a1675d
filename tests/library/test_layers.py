"""Layers: what each one counts is what its loop performs, on the shape it says it makes."""

import copy
import inspect
import math
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from witnesses import saw

from flopslib import conv_output_size, count, layers
from flopslib import layers as nn
from flopslib.costs.compiling import KINDS
from flopslib.layers import (
    GELU,
    GRU,
    LSTM,
    RNN,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Cat,
    ChannelShuffle,
    ClassToken,
    Concat,
    Conv1d,
    Conv2d,
    Conv2dNormActivation,
    Conv3d,
    ConvTranspose2d,
    CrossAttention,
    Dropout,
    Embedding,
    Flatten,
    Graph,
    GroupNorm,
    GRUCell,
    Hardsigmoid,
    Hardswish,
    Identity,
    LatentAttention,
    Layer,
    LayerNorm,
    LayerNorm2d,
    LeakyReLU,
    LearnedPositions,
    Linear,
    LSTMCell,
    MatMul,
    MaxPool2d,
    Mean,
    MixtureOfExperts,
    MultiheadAttention,
    Multiply,
    NotRun,
    Pad,
    Permute,
    PositionEmbedding,
    Product,
    RelativePositionBias,
    ReLU,
    ReLU6,
    Residual,
    RMSNorm,
    RNNCell,
    RotaryEmbedding,
    Scale,
    ScaledDotProductAttention,
    Select,
    SelfAttention,
    Sequential,
    ShapeError,
    Shared,
    ShiftedWindowAttention,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    SqueezeExcitation,
    StochasticDepth,
    Sum,
    SwiGLU,
    Tanh,
    Unflatten,
    ZeroPad2d,
)
from flopslib.loops.layers import run_layers


# (layer, input, output, parameters), each figure derived by hand
class Asking(Layer):
    """A sequence that asks a shorter and wider one."""

    def __init__(self, cross):
        self._set(cross=cross, widen=Linear(6, 8), shorten=Slice(0, 2, dim=1))

    def flow(self, x, run):
        memory = run("shorten", self.shorten, run("widen", self.widen, x))
        return run("cross", self.cross, x, memory)


CASES = [
    # 3*2 weights and 2 biases
    (Linear(3, 2), (3,), (2,), 8),
    (Linear(3, 2, bias=False), (5, 7, 3), (5, 7, 2), 6),
    # 11 words of 3 numbers
    (Embedding(11, 3), (2, 5), (2, 5, 3), 33),
    # 6 in 2 groups: 4 kernels of 3*5 weights, 4 biases; (13 - 5)//2 + 1 = 5
    (Conv1d(6, 4, 5, stride=2, groups=2), (2, 6, 13), (2, 4, 5), 64),
    # reach 3*2 + 1 = 7; 7 + 2*2 - 7 + 1 = 5
    (Conv1d(2, 3, 3, padding=2, dilation=3, bias=False), (2, 7), (3, 5), 18),
    # (7 + 2*1 - 3)//2 + 1 = 4 and (5 + 2*2 - 5)//1 + 1 = 5; 3 kernels of 2*3*5, 3 biases
    (Conv2d(2, 3, (3, 5), stride=(2, 1), padding=(1, 2)), (2, 2, 7, 5), (2, 3, 4, 5), 93),
    # (8 - 2*(3-1) - 1)//3 + 1 = 2; 6 kernels of 2*9
    (
        Conv2d(4, 6, 3, stride=3, dilation=2, groups=2, bias=False),
        (4, 8, 8),
        (6, 2, 2),
        108,
    ),
    # an even kernel, dilated: "same" is the same all the same; 2 kernels of 3*4*2, 2 biases
    (Conv2d(3, 2, (4, 2), padding="same", dilation=(1, 3)), (1, 3, 5, 4), (1, 2, 5, 4), 50),
    (Conv2d(2, 3, 1, padding="valid", bias=False), (1, 2, 3, 2), (1, 3, 3, 2), 6),
    # (5 + 2 - 3)//2 + 1 = 3, 3 - 2 + 1 = 2, (5 - 3)//1 + 1 = 3; 4 kernels of 1*3*2*3, 4 biases
    (
        Conv3d(2, 4, (3, 2, 3), stride=(2, 1, 1), padding=(1, 0, 0), groups=2),
        (1, 2, 5, 3, 5),
        (1, 4, 3, 2, 3),
        76,
    ),
    # (3-1)*2 - 2 + (4-1) + 1 = 6 and (2-1)*2 - 2 + 3 + 1 = 4; 2*3 kernels of 4*4, 3 biases
    (ConvTranspose2d(2, 3, 4, stride=2, padding=1), (2, 2, 3, 2), (2, 3, 6, 4), 99),
    # (2-1)*3 + 2*(2-1) + 1 + 1 = 7; 4*(6/2) kernels of 2*2
    (
        ConvTranspose2d(4, 6, 2, 3, output_padding=1, groups=2, bias=False, dilation=2),
        (4, 2, 2),
        (6, 7, 7),
        48,
    ),
    # the margin that output_padding adds may lie outside every window: stride 3, kernel 1
    (ConvTranspose2d(1, 1, 1, 3, output_padding=2), (1, 2, 2), (1, 6, 6), 2),
    # (5-1)*2 - 2 + 2*(3-1) + 1 + 1 = 12; 4*(6/2) kernels of 3, 6 biases
    (nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, 2, dilation=2), (2, 4, 5), (2, 6, 12), 42),
    (nn.ConvTranspose1d(2, 3, 2, bias=False), (2, 4), (3, 5), 12),
    # (2-1)*2 + 3 = 5, (3-1) + 2 - 2 = 2 and (2-1)*3 + 1 + 2 = 6; 2*3 kernels of 3*2*1, 3 biases
    (
        nn.ConvTranspose3d(2, 3, (3, 2, 1), (2, 1, 3), (0, 1, 0), (0, 0, 2)),
        (1, 2, 2, 3, 2),
        (1, 3, 5, 2, 6),
        39,
    ),
    (nn.ConvTranspose3d(1, 2, 2, bias=False), (1, 2, 1, 2), (2, 3, 2, 3), 16),
    # 4 matrices of 6*6, 4 biases of 6
    (MultiheadAttention(6, 3), (5, 2, 6), (5, 2, 6), 168),
    (MultiheadAttention(6, 2, bias=False, batch_first=True), (2, 5, 6), (2, 5, 6), 144),
    (MultiheadAttention(6, 3), (5, 6), (5, 6), 168),
    (ScaledDotProductAttention(2, 3), (2, 5, 6), (2, 5, 6), 0),
    (ScaledDotProductAttention(2, 3, causal=True, cache=3), (2, 2, 6), (2, 2, 6), 0),
    # q 6*6, k and v 6*2 each, out 6*6: 36 + 12 + 12 + 36; biases 6 + 2 + 2 + 6
    (ScaledDotProductAttention(2, 3, True, value_dim=5), (2, 4, 6), (2, 4, 10), 0),
    (ScaledDotProductAttention(2, 3, True, 4, window=3, sinks=1), (2, 5, 6), (2, 5, 6), 0),
    (ScaledDotProductAttention(2, 3, window=2, sink_logits=True), (2, 5, 6), (2, 5, 6), 2),
    (ScaledDotProductAttention(2, 3, True, 5, chunk=4, scaled=False), (1, 9, 6), (1, 9, 6), 0),
    (ScaledDotProductAttention(2, 3, True, 1, chunk=4), (1, 2, 6), (1, 2, 6), 0),
    # 6·(12 + 12) + 6·6 of queries and their gate, keys, values; q and v have biases; two norms
    (
        SelfAttention(
            6, 3, 1, 4, "qv", True, 2, True, qk_norm=True, rotary_dim=2, gated=True, window=3
        ),
        (1, 3, 6),
        (1, 3, 6),
        6 * 24 + 24 + 6 * 4 + 6 * 4 + 4 + 2 * 4 + 12 * 6,
    ),
    # 6·8 + 8 of what is asked; q 6·6 + 6, k 8·6, v 8·6 + 6, out 6·6 + 6
    (Asking(CrossAttention(6, 3, 8, bias="qvo")), (2, 5, 6), (2, 5, 6), 56 + 42 + 48 + 54 + 42),
    (Asking(CrossAttention(6, 2, 8, 1, 5, False)), (1, 3, 6), (1, 3, 6), 56 + 60 + 40 + 40 + 60),
    # down 6·5 + 5, up 5·2·(3 + 2); latents 6·(4 + 2) + 4; their matrices 2·(3 + 7)·4; out 14·6
    (LatentAttention(6, 2, 5, 4, 3, 2, 7, True, 2), (2, 3, 6), (2, 3, 6), 35 + 50 + 40 + 80 + 84),
    (LatentAttention(6, 2, 5, 4, 3, 2, 7, False, 2, absorbed=True), (2, 3, 6), (2, 3, 6), 289),
    (LatentAttention(6, 2, None, 4, 3, 2, 7), (1, 3, 6), (1, 3, 6), 6 * 10 + 40 + 80 + 84),
    # a router 5·4 + 4, four experts of three matrices and their biases
    (MixtureOfExperts(5, 3, 4, 2), (2, 3, 5), (2, 3, 5), 24 + 4 * (45 + 3 + 3 + 5)),
    (MixtureOfExperts(5, 3, 4, 2, bias=False, all_experts=True), (7, 5), (7, 5), 20 + 4 * 45),
    (
        MixtureOfExperts(5, 3, 4, 2, 7, True, bias=False, sigmoid=True),
        (1, 2, 5),
        (1, 2, 5),
        20 + 4 * 45 + 3 * 35 + 5,
    ),
    (SelfAttention(6, 3, num_kv_heads=1, causal=True, rotary=True), (2, 5, 6), (2, 5, 6), 112),
    # q 5*2*4, k and v 5*1*4 each, out 2*4*5: 40 + 20 + 20 + 40
    (
        SelfAttention(5, 2, 1, head_dim=4, bias=False, cache=3),
        (1, 2, 5),
        (1, 2, 5),
        120,
    ),
    (RotaryEmbedding(4), (2, 3, 8), (2, 3, 8), 0),
    # (2*2-1) * (2*3-1) distances of 2 heads
    (RelativePositionBias((2, 3), 2), (3, 2, 6, 6), (3, 2, 6, 6), 30),
    # 4*12 + 12, 4*4 + 4, and 3*3 distances of 2 heads; a plane of 3*5 is padded to 2*3 windows
    (ShiftedWindowAttention(4, 2, 1, 2), (1, 3, 5, 4), (1, 3, 5, 4), 98),
    # 3 matrices of 5*7
    (SwiGLU(5, 7, bias=False), (2, 5), (2, 5), 105),
    # 2 matrices of 5*7 with 7 biases each, one of 7*3 with 3
    (SwiGLU(5, 7, 3), (2, 5), (2, 3), 108),
    # 6*2 + 2 and 2*6 + 6
    (SqueezeExcitation(6, 2), (2, 6, 3, 5), (2, 6, 3, 5), 32),
    (SqueezeExcitation(6, 2, SiLU, Hardsigmoid), (1, 6, 3, 2), (1, 6, 3, 2), 32),
    (BatchNorm2d(3), (2, 3, 5, 2), (2, 3, 5, 2), 6),
    (BatchNorm2d(3, affine=False), (1, 3, 2, 2), (1, 3, 2, 2), 0),
    (BatchNorm2d(3, bias=False), (1, 3, 2, 2), (1, 3, 2, 2), 3),
    (BatchNorm1d(3), (2, 3), (2, 3), 6),
    (BatchNorm1d(3), (2, 3, 5), (2, 3, 5), 6),
    (LayerNorm2d(3), (2, 3, 5, 2), (2, 3, 5, 2), 6),
    (Softmax(1), (2, 3, 5), (2, 3, 5), 0),
    (Softmax(-1), (2, 3), (2, 3), 0),
    # 2 kernels of 3*3*3, γ and β of 2
    (Conv2dNormActivation(3, 2), (1, 3, 4, 5), (1, 2, 4, 5), 58),
    # 2 kernels of 3*5, 2 biases; padding (3 - 1)//2 * 2
    (
        Conv2dNormActivation(3, 2, (1, 5), norm_layer=None, activation_layer=None, dilation=2),
        (1, 3, 2, 5),
        (1, 2, 2, 5),
        32,
    ),
    (LayerNorm(5), (2, 3, 5), (2, 3, 5), 10),
    (LayerNorm((3, 5), bias=False), (2, 3, 5), (2, 3, 5), 15),
    (LayerNorm(5, elementwise_affine=False), (3, 5), (3, 5), 0),
    (RMSNorm((2, 3)), (5, 2, 3), (5, 2, 3), 6),
    (RMSNorm(5, elementwise_affine=False), (2, 5), (2, 5), 0),
    (GroupNorm(3, 6), (2, 6, 5), (2, 6, 5), 12),
    (GroupNorm(2, 4, affine=False), (1, 4, 3, 2), (1, 4, 3, 2), 0),
    (GroupNorm(2, 4, bias=False), (1, 4, 3), (1, 4, 3), 4),
    (ReLU(), (2, 3), (2, 3), 0),
    (ReLU6(inplace=True), (2, 3), (2, 3), 0),
    (GELU(), (2, 3), (2, 3), 0),
    (GELU("tanh"), (2, 3), (2, 3), 0),
    (SiLU(), (5,), (5,), 0),
    (Sigmoid(), (5,), (5,), 0),
    (Tanh(), (5,), (5,), 0),
    (LeakyReLU(0.2), (5,), (5,), 0),
    (StochasticDepth(0.1, "row"), (5, 2), (5, 2), 0),
    (Hardswish(), (5,), (5,), 0),
    (Hardsigmoid(), (5,), (5,), 0),
    (Sum(), (2, 3), (2, 3), 0),
    (Product(), (2, 3), (2, 3), 0),
    (Scale(3, 1), (2, 3, 5), (2, 3, 5), 3),
    (PositionEmbedding(1, 5, 3), (2, 5, 3), (2, 5, 3), 15),
    # 7 positions of 3 numbers; 3 + 4 are no more than 7
    (LearnedPositions(7, 3, cache=4), (2, 3, 3), (2, 3, 3), 21),
    # (5 + 2 - 3)//2 + 1 = 3 and (4 + 2 - 3)//2 + 1 = 2
    (MaxPool2d(3, 2, 1), (2, 3, 5, 4), (2, 3, 3, 2), 0),
    # up: ceil((4 - 3)/2) + 1 = 2, and ceil((5 - 3)/2) + 1 = 2
    (MaxPool2d(3, stride=2, ceil_mode=True), (2, 4, 5), (2, 2, 2), 0),
    # reach 2*(2 - 1) + 1 = 3: 5 - 3 + 1 = 3
    (MaxPool2d(2, 1, dilation=2), (1, 2, 5, 3), (1, 2, 3, 1), 0),
    (AvgPool2d(2), (2, 3, 5, 4), (2, 3, 2, 2), 0),
    # up: ceil((5 + 2 - 2)/3) + 1 = 3, but a third window would begin at 6 - 1 = 5, past the end
    (AvgPool2d(2, 3, padding=1, ceil_mode=True), (1, 5, 4), (1, 2, 2), 0),
    # up: ceil(6/4) + 1 = 3 and ceil(5/3) + 1 = 3, but both third windows would begin past the end
    (AvgPool2d((3, 2), (4, 3), (1, 1), True, False), (1, 1, 7, 5), (1, 1, 2, 2), 0),
    # larger than the side, and still one window: ceil((2 - 3)/2) + 1 = 1
    (MaxPool2d(3, 2, ceil_mode=True), (1, 2, 2), (1, 1, 1), 0),
    (AdaptiveAvgPool2d(1), (2, 3, 5, 4), (2, 3, 1, 1), 0),
    (AdaptiveAvgPool2d((3, None)), (3, 7, 5), (3, 3, 5), 0),
    (AdaptiveAvgPool2d((6, 2)), (1, 2, 4, 5), (1, 2, 6, 2), 0),
    (Mean((2, 3)), (2, 3, 5, 4), (2, 3), 0),
    (Mean(1), (2, 3, 5), (2, 5), 0),
    (Mean((1, -1), keepdim=True), (2, 3, 5), (2, 1, 1), 0),
    (Identity(3, anything=True), (2, 3), (2, 3), 0),
    (Dropout(0.1), (2, 3), (2, 3), 0),
    (Flatten(), (2, 3, 5, 4), (2, 60), 0),
    (Flatten(0, 1), (2, 3, 5), (6, 5), 0),
    (Unflatten(-1, (2, -1)), (3, 10), (3, 2, 5), 0),
    (Permute((0, 2, -2)), (2, 3, 5), (2, 5, 3), 0),
    (ChannelShuffle(2), (1, 4, 3), (1, 4, 3), 0),
    (Slice(1, None, 2), (2, 7), (2, 3), 0),
    (Slice(-2, None, dim=0), (5, 3), (2, 3), 0),
    (Select(1, -1), (2, 5, 3), (2, 3), 0),
    (Pad((1, 0, 2, 3)), (2, 3, 5), (2, 8, 6), 0),
    (Pad((-1, 2, 1, -2)), (2, 3, 5), (2, 2, 6), 0),
    (ZeroPad2d(-1), (2, 3, 5), (2, 1, 3), 0),
    (ZeroPad2d(1), (2, 3, 5), (2, 5, 7), 0),
    (ZeroPad2d((0, 1, 2, 0)), (2, 3, 5), (2, 5, 6), 0),
    (ClassToken(3), (2, 5, 3), (2, 6, 3), 3),
    (NotRun(Linear(3, 2)), (2, 5), (2, 5), 8),
    (Shared(Linear(3, 2)), (5, 3), (5, 2), 0),
    (Sequential(Linear(3, 5), ReLU(), Linear(5, 2)), (7, 3), (7, 2), 32),
    (Sequential(), (7, 3), (7, 3), 0),
    # a 3*3*3*3 body, a 1*1 shortcut of 3*3, both with 3 biases
    (
        Residual(Conv2d(3, 3, 3, padding=1), Conv2d(3, 3, 1), then=ReLU()),
        (1, 3, 2, 5),
        (1, 3, 2, 5),
        96,
    ),
    # 4*1 and a bias; the sum is broadcast
    (Residual(Linear(4, 1)), (2, 4), (2, 4), 5),
    (nn.MaxPool1d(3, 2, 1), (2, 3, 5), (2, 3, 3), 0),
    (nn.MaxPool3d(2, ceil_mode=True), (1, 2, 3, 4, 2), (1, 2, 2, 2, 1), 0),
    (nn.AvgPool1d(2), (3, 5), (3, 2), 0),
    (nn.AvgPool3d((2, 1, 3), 1), (2, 3, 2, 4), (2, 2, 2, 2), 0),
    (nn.AdaptiveAvgPool1d(3), (1, 2, 7), (1, 2, 3), 0),
    (nn.AdaptiveAvgPool3d((2, None, 1)), (2, 3, 2, 4), (2, 2, 2, 1), 0),
    (nn.AdaptiveMaxPool1d(2), (2, 5), (2, 2), 0),
    (nn.AdaptiveMaxPool2d((3, None)), (1, 2, 7, 2), (1, 2, 3, 2), 0),
    (nn.AdaptiveMaxPool3d(2), (1, 3, 2, 4), (1, 2, 2, 2), 0),
    (nn.BatchNorm3d(3), (1, 3, 2, 2, 2), (1, 3, 2, 2, 2), 6),
    (nn.InstanceNorm1d(3), (2, 3, 5), (2, 3, 5), 0),
    (nn.InstanceNorm2d(3, affine=True), (2, 3, 2, 5), (2, 3, 2, 5), 6),
    (nn.InstanceNorm2d(3, affine=True), (3, 2, 5), (3, 2, 5), 6),
    (nn.InstanceNorm3d(2), (1, 2, 3, 2, 2), (1, 2, 3, 2, 2), 0),
    (nn.Upsample(scale_factor=2), (1, 2, 3), (1, 2, 6), 0),
    (nn.Upsample((5, 4), mode="bilinear"), (2, 3, 2, 3), (2, 3, 5, 4), 0),
    (nn.Upsample(scale_factor=1.5, mode="linear"), (1, 2, 5), (1, 2, 7), 0),
    (nn.Upsample(3, mode="trilinear"), (1, 2, 2, 2, 2), (1, 2, 3, 3, 3), 0),
    (nn.PixelShuffle(2), (1, 8, 3, 2), (1, 2, 6, 4), 0),
    (nn.PixelUnshuffle(2), (2, 6, 4), (8, 3, 2), 0),
    (nn.Hardtanh(-2.0, 3.0), (2, 3), (2, 3), 0),
    # 4*(6*6 + 6), 6*5 + 5 and 5*6 + 6, two norms of 2*6
    (nn.TransformerEncoderLayer(6, 2, 5), (3, 2, 6), (3, 2, 6), 263),
    (
        nn.TransformerEncoderLayer(
            6, 3, 4, 0.2, "gelu", batch_first=True, norm_first=True, bias=False
        ),
        (2, 3, 6),
        (2, 3, 6),
        204,
    ),
    (nn.TransformerEncoderLayer(4, 2, 3, activation=SiLU()), (3, 4), (3, 4), 127),
    (nn.LogSoftmax(1), (2, 3, 5), (2, 3, 5), 0),
    (nn.LogSoftmax(-1), (4,), (4,), 0),
    (nn.Softplus(), (2, 3), (2, 3), 0),
    (nn.Softplus(2.0, 5.0), (3,), (3,), 0),
    (nn.PReLU(), (2, 3, 5), (2, 3, 5), 1),
    (nn.PReLU(), (3,), (3,), 1),
    (nn.PReLU(3, 0.1), (2, 3, 2, 5), (2, 3, 2, 5), 3),
    (nn.ELU(), (2, 3), (2, 3), 0),
    (nn.ELU(0.5, True), (3,), (3,), 0),
    (nn.Mish(), (2, 3), (2, 3), 0),
    (nn.GLU(), (2, 6), (2, 3), 0),
    (nn.GLU(1), (2, 4, 3), (2, 2, 3), 0),
    (nn.ConstantFactor(0.5), (2, 3), (2, 3), 0),
    # 3*(2 + 3) weights and two biases of 3
    (RNN(2, 3), (5, 2), (5, 3), 21),
    (RNN(2, 3, nonlinearity="relu", bias=False, batch_first=True), (2, 5, 2), (2, 5, 3), 15),
    # 12*(2 + 3) weights and two biases of 12
    (LSTM(2, 3), (5, 2, 2), (5, 2, 3), 84),
    # layer 0: 12*(2 + 3) and 24 twice; layer 1: 12*(6 + 3) and 24 twice
    (LSTM(2, 3, 2, bidirectional=True), (2, 1, 2), (2, 1, 6), 432),
    # 20*2 + 20*2 + 2*5, and in the second layer 20*2 + 20*2 + 2*5
    (LSTM(2, 5, 2, bias=False, proj_size=2), (3, 2, 2), (3, 2, 2), 180),
    # 9*(2 + 3) and two biases of 9
    (GRU(2, 3, batch_first=True), (2, 5, 2), (2, 5, 3), 63),
    (GRU(2, 3, bias=False, bidirectional=True), (3, 2), (3, 6), 90),
    (RNNCell(2, 3), (5, 2), (5, 3), 21),
    (RNNCell(2, 3, nonlinearity="relu"), (2,), (3,), 21),
    (LSTMCell(2, 3, bias=False), (5, 2), (5, 3), 60),
    (GRUCell(2, 3), (2, 2), (2, 3), 63),
    (Cat(), ((2, 3, 5), (2, 1, 5), (2, 3, 5)), (2, 7, 5), 0),
    (Cat(-1), ((2, 3), (2, 5)), (2, 8), 0),
    (MatMul(), ((2, 3, 5), (2, 5, 7)), (2, 3, 7), 0),
    (MatMul(), ((3, 5), (5, 2)), (3, 2), 0),
    # 3*4 weights and 4 biases, 4*3 and 3
    (
        Graph(a=Linear(3, 4), b=(Linear(4, 3), "a"), sum=(Sum(), "x", "b")),
        (2, 3),
        (2, 3),
        31,
    ),
    (Concat(Identity(), Linear(3, 5), dim=-1), (2, 3), (2, 8), 20),
    (Multiply(Identity(), Sequential(Linear(3, 1), Sigmoid())), (2, 3), (2, 3), 4),
    (Add(Linear(3, 2), Linear(3, 2), Linear(3, 1)), (5, 3), (5, 2), 20),
]
every_case = pytest.mark.parametrize(
    ("layer", "x", "y", "parameters"), CASES, ids=lambda value: repr(value).replace(" ", "")
)


def kinds_of(record):
    return {kind: n for kind, n in record.kinds().items() if n}


def agrees(layer, x):
    """Assert that every row is what the loop performed, and return the report."""
    report, tallies = count(layer, x), run_layers(layer, x)
    assert {row.path for row in report.rows} >= set(tallies)
    for row in report.rows:
        tally = tallies.get(row.path)
        assert kinds_of(row.operations) == (kinds_of(tally) if tally else {}), row
        assert kinds_of(row.derivation.total) == kinds_of(row.operations), row
        saw("layers")
    return report


def agrees_at_random(layer, x):
    saw("random layers")
    return agrees(layer, x)


@every_case
def test_every_row_is_what_the_loop_performs(layer, x, y, parameters):
    report = agrees(layer, x)
    assert report.output_shape == y == layer.output_shape(x)
    assert kinds_of(report.operations) == kinds_of(report.derivation.total)


@every_case
def test_parameters(layer, x, y, parameters):
    assert layer.parameters == count(layer, x).parameters == parameters
    owned = sum(math.prod(shape) for shape in layer.weights.values())
    assert owned == layer.own_parameters
    if not isinstance(layer, Shared):
        assert sum(row.parameters for row in count(layer, x).rows) in (parameters, 0)


def test_every_layer_has_a_case():
    inside = {type(row.layer) for layer, x, *_ in CASES for row in count(layer, x).rows}
    kept = {type(part) for layer, *_ in CASES for part in layer.kept}
    tried = ({type(layer) for layer, *_ in CASES} | inside | kept) - {Asking}
    exported = {getattr(layers, name) for name in layers.__all__} - {Layer, ShapeError, layers.view}
    assert exported == tried


@every_case
def test_a_layer_is_a_value(layer, x, y, parameters):
    again = copy.deepcopy(layer)
    assert again == layer
    assert hash(again) == hash(layer)
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert layer != Sequential(layer)
    assert layer != "a layer"
    with pytest.raises(
        AttributeError, match=f"a layer is a value: build another {type(layer).__name__}"
    ):
        layer.stride = 2
    with pytest.raises(AttributeError):
        del layer.anything
    assert count(again, x).csv() == count(layer, x).csv()


PLAIN = [case[0] for case in CASES if type(case[0]).__mro__[1] is not Layer or not case[0]._flows()]


@pytest.mark.parametrize("layer", PLAIN, ids=repr)
def test_a_layer_is_written_as_the_call_that_builds_it(layer):
    if not isinstance(layer, Sequential | Concat | Multiply | Add | Identity | Graph):
        assert eval(repr(layer), vars(layers)) == layer


def test_layers_differ_by_their_arguments():
    assert Linear(3, 2) != Linear(3, 2, bias=False)
    assert Conv2d(3, 2, 1) == Conv2d(3, 2, (1, 1), stride=1)
    assert ReLU() != ReLU6()


# --- torch's names, order and defaults -----------------------------------------

SIGNATURES = {
    "Linear": "in_features, out_features, bias=True",
    "Conv1d": "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, "
    "bias=True, padding_mode='zeros'",
    "ConvTranspose2d": "in_channels, out_channels, kernel_size, stride=1, padding=0, "
    "output_padding=0, groups=1, bias=True, dilation=1, padding_mode='zeros'",
    "BatchNorm2d": "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, "
    "*bias=True",
    "LayerNorm": "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True",
    "GroupNorm": "num_groups, num_channels, eps=1e-05, affine=True, *bias=True",
    "LeakyReLU": "negative_slope=0.01, inplace=False",
    "Softplus": "beta=1.0, threshold=20.0",
    "PReLU": "num_parameters=1, init=0.25",
    "ELU": "alpha=1.0, inplace=False",
    "Mish": "inplace=False",
    "GLU": "dim=-1",
    "ZeroPad2d": "padding",
    "RMSNorm": "normalized_shape, eps=None, elementwise_affine=True",
    "ReLU": "inplace=False",
    "ReLU6": "inplace=False",
    "GELU": "approximate='none'",
    "SiLU": "inplace=False",
    "Sigmoid": "",
    "Hardswish": "inplace=False",
    "Hardsigmoid": "inplace=False",
    "MaxPool2d": "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, "
    "ceil_mode=False",
    "AvgPool2d": "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
    "divisor_override=None",
    "AdaptiveAvgPool2d": "output_size",
    "Flatten": "start_dim=1, end_dim=-1",
    "Unflatten": "dim, unflattened_size",
    "Dropout": "p=0.5, inplace=False",
    "Identity": "*args, **kwargs",
    "Embedding": "num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, "
    "scale_grad_by_freq=False, sparse=False",
    "MultiheadAttention": "embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, "
    "add_zero_attn=False, kdim=None, vdim=None, batch_first=False",
    "ChannelShuffle": "groups",
    "RNN": "input_size, hidden_size, num_layers=1, nonlinearity='tanh', bias=True, "
    "batch_first=False, dropout=0.0, bidirectional=False",
    "LSTM": "input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, "
    "bidirectional=False, proj_size=0",
    "GRU": "input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, "
    "bidirectional=False",
    "RNNCell": "input_size, hidden_size, bias=True, nonlinearity='tanh'",
    "LSTMCell": "input_size, hidden_size, bias=True",
    "GRUCell": "input_size, hidden_size, bias=True",
    # torchvision's
    "SqueezeExcitation": "input_channels, squeeze_channels, activation=ReLU, "
    "scale_activation=Sigmoid",
    "Permute": "dims",
    "ShiftedWindowAttention": "dim, window_size, shift_size, num_heads, qkv_bias=True, "
    "proj_bias=True, attention_dropout=0.0, dropout=0.0",
    "StochasticDepth": "p, mode",
    "Conv2dNormActivation": "in_channels, out_channels, kernel_size=3, stride=1, padding=None, "
    "groups=1, norm_layer=BatchNorm2d, activation_layer=ReLU, dilation=1, inplace=True, bias=None",
}
SIGNATURES |= {"Conv2d": SIGNATURES["Conv1d"], "Conv3d": SIGNATURES["Conv1d"]}
SIGNATURES |= {"BatchNorm1d": SIGNATURES["BatchNorm2d"], "Tanh": ""}


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_arguments_are_those_of_torch(name):
    parameters = inspect.signature(getattr(layers, name)).parameters.values()
    written = []
    for p in parameters:
        default = (
            "" if p.default is p.empty else f"={getattr(p.default, '__name__', repr(p.default))}"
        )
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**", p.KEYWORD_ONLY: "*"}.get(p.kind, "")
        written.append(f"{star}{p.name}{default}")
    assert ", ".join(written) == SIGNATURES[name]


def test_weights_have_the_names_of_torch():
    assert list(MultiheadAttention(4, 2).weights) == [
        "in_proj_weight", "out_proj.weight", "in_proj_bias", "out_proj.bias",
    ]  # fmt: skip
    assert Conv2d(4, 6, 3, groups=2).weights == {"weight": (6, 2, 3, 3), "bias": (6,)}
    assert ConvTranspose2d(4, 6, 3, groups=2).weights == {"weight": (4, 3, 3, 3), "bias": (6,)}
    assert GroupNorm(2, 4).weights == {"weight": (4,), "bias": (4,)}


# --- random layers --------------------------------------------------------------

few = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
small = st.integers(1, 3)
pairs = st.tuples(small, small)


@few
@given(
    inputs=small, outputs=small, groups=small, kernel=pairs, stride=pairs, dilation=pairs,
    padding=st.one_of(st.tuples(st.integers(0, 2), st.integers(0, 2)), st.just("same")),
    sides=st.tuples(st.integers(1, 6), st.integers(1, 6)), bias=st.booleans(),
)  # fmt: skip
def test_any_convolution(inputs, outputs, groups, kernel, stride, dilation, padding, sides, bias):
    if padding == "same":
        stride = (1, 1)
    layer = Conv2d(
        inputs * groups, outputs * groups, kernel, stride, padding, dilation, groups, bias
    )
    x = (1, inputs * groups, *sides)
    windows = zip(
        sides, kernel, stride, dilation, (0, 0) if padding == "same" else padding, strict=True
    )
    rooms = [side + 2 * p - d * (k - 1) - 1 for side, k, _, d, p in windows]
    if padding != "same" and min(rooms) < 0:
        with pytest.raises(ShapeError, match="does not fit"):
            count(layer, x)
        return
    y = agrees_at_random(layer, x).output_shape
    if padding == "same":
        assert y[2:] == sides
    else:
        assert y[2:] == tuple(
            conv_output_size(side, k, stride=s, padding=p, dilation=d)
            for side, k, s, p, d in zip(sides, kernel, stride, padding, dilation, strict=True)
        )


@few
@given(
    inputs=small, outputs=small, groups=st.integers(1, 2), kernel=pairs, stride=pairs,
    dilation=pairs, padding=st.tuples(st.integers(0, 2), st.integers(0, 2)), extra=pairs,
    sides=pairs, bias=st.booleans(),
)  # fmt: skip
def test_any_transposed_convolution(
    inputs, outputs, groups, kernel, stride, dilation, padding, extra, sides, bias
):
    steps = [max(pair) for pair in zip(stride, dilation, strict=True)]
    extra = tuple(min(e, step) - 1 for e, step in zip(extra, steps, strict=True))
    layer = ConvTranspose2d(
        inputs * groups, outputs * groups, kernel, stride, padding, extra, groups, bias, dilation
    )
    x = (1, inputs * groups, *sides)
    made = [
        (side - 1) * step - 2 * p + d * (k - 1) + e + 1
        for side, step, p, d, k, e in zip(
            sides, stride, padding, dilation, kernel, extra, strict=True
        )
    ]
    if min(made) < 1:
        with pytest.raises(ShapeError, match="crops everything away"):
            count(layer, x)
        return
    report = agrees_at_random(layer, x)
    assert report.output_shape[2:] == tuple(made)
    # the full scatter, whatever is cropped: every input meets every kernel of its group
    macs = inputs * groups * outputs * math.prod(kernel) * math.prod(sides)
    assert report.macs == macs


@few
@given(
    kernel=pairs, stride=pairs, dilation=pairs, sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    pad=st.booleans(), up=st.booleans(), mean=st.booleans(),
)  # fmt: skip
def test_any_pooling(kernel, stride, dilation, sides, pad, up, mean):
    padding = tuple(side // 2 if pad else 0 for side in kernel)
    reach = (1, 1) if mean else dilation
    covered = [r * (k - 1) + 1 for r, k in zip(reach, kernel, strict=True)]
    layer = (
        AvgPool2d(kernel, stride, padding, up)
        if mean
        else MaxPool2d(kernel, stride, padding, dilation, ceil_mode=up)
    )
    places = []
    for axis in (0, 1):
        # the places of the windows as PyTorch defines them
        room = sides[axis] + 2 * padding[axis] - covered[axis]
        step = stride[axis]
        there = (room + step - 1 if up else room) // step + 1
        if up and (there - 1) * step >= sides[axis] + padding[axis]:
            there -= 1
        places.append(there)
    if min(places) < 1:
        with pytest.raises(ShapeError, match="does not fit"):
            count(layer, (1, 2, *sides))
    else:
        assert agrees_at_random(layer, (1, 2, *sides)).output_shape == (1, 2, *places)


@few
@given(sides=st.tuples(st.integers(1, 9), st.integers(1, 9)), cells=pairs)
def test_any_adaptive_pooling(sides, cells):
    assert agrees_at_random(AdaptiveAvgPool2d(cells), (1, 2, *sides)).output_shape == (1, 2, *cells)


@few
@given(
    heads=small, shared=st.integers(1, 2), width=small, length=st.integers(1, 4),
    cache=st.integers(0, 3), causal=st.booleans(), bias=st.booleans(), rotary=st.booleans(),
)  # fmt: skip
def test_any_attention(heads, shared, width, length, cache, causal, bias, rotary):
    layer = SelfAttention(5, heads * shared, heads, 2 * width, bias, causal, cache, rotary)
    agrees_at_random(layer, (2, length, 5))


# --- what a layer refuses -------------------------------------------------------

REFUSED = [
    (lambda: Linear(0, 2), ValueError, "in_features must be a positive integer, got 0"),
    (lambda: Linear(3.0, 2), TypeError, "in_features must be a positive integer, got 3.0 of type float"),
    (lambda: Linear(True, 2), TypeError, "in_features must be a positive integer, got True of type bool"),
    (lambda: Linear(3, 2, bias=1), TypeError, "bias must be True or False, got 1 of type int"),
    (lambda: Conv2d(3, 4, (3, 3, 3)), TypeError, r"kernel_size must be one integer or a pair of them, got (3, 3, 3)"),
    (lambda: Conv2d(3, 4, 3, stride=0), ValueError, "stride must be a positive integer, got 0"),
    (lambda: Conv2d(3, 4, 3, padding=-1), ValueError, "padding must be a non-negative integer, got -1"),
    (lambda: Conv2d(3, 4, 3, padding="full"), ValueError, "padding must be integers, 'valid' or 'same', got 'full'"),
    (lambda: Conv2d(3, 4, 3, 2, "same"), ValueError, "padding='same' needs stride 1, got stride=2"),
    (lambda: Conv2d(3, 4, 3, groups=2), ValueError, "groups must divide in_channels, got groups=2 and in_channels=3"),
    (lambda: Conv2d(4, 3, 3, groups=2), ValueError, "groups must divide out_channels, got groups=2 and out_channels=3"),
    (lambda: Conv2d(4, 3, 3, padding_mode="same"), ValueError, "padding_mode must be one of ('zeros', 'reflect', 'replicate', 'circular'), got 'same'"),
    (lambda: Conv3d(4, 3, (3, 3)), TypeError, "kernel_size must be one integer or a triple of them, got (3, 3)"),
    (lambda: ConvTranspose2d(4, 3, 3, output_padding=1), ValueError, "output_padding must be smaller than stride or dilation, got output_padding=1, stride=1 and dilation=1"),
    (lambda: ConvTranspose2d(4, 3, 3, padding_mode="reflect"), ValueError, "padding_mode must be 'zeros', got 'reflect'"),
    (lambda: BatchNorm2d(3, track_running_stats=False), ValueError, "track_running_stats must be True, got False: the statistics of a batch are not counted"),
    (lambda: LayerNorm(()), ValueError, "normalized_shape must have at least one axis, got ()"),
    (lambda: LayerNorm((3, 0)), ValueError, "normalized_shape[1] must be a positive integer, got 0"),
    (lambda: GroupNorm(4, 6), ValueError, "num_groups must divide num_channels, got num_groups=4 and num_channels=6"),
    (lambda: GELU("exact"), ValueError, "approximate must be 'none' or 'tanh', got 'exact'"),
    (lambda: Dropout(1.5), ValueError, "p must be a number from 0 to 1, got 1.5"),
    (lambda: MaxPool2d(2, padding=2), ValueError, "padding must be at most half of kernel_size, got padding=2 and kernel_size=2"),
    (lambda: AdaptiveAvgPool2d((1, 1, 1)), TypeError, "output_size must be one integer or a pair, got (1, 1, 1)"),
    (lambda: MultiheadAttention(6, 4), ValueError, "num_heads must divide embed_dim, got num_heads=4 and embed_dim=6"),
    (lambda: MultiheadAttention(6, 3, kdim=5), ValueError, "kdim must be embed_dim=6 or None, got 5: keys and values come from the same input"),
    (lambda: MultiheadAttention(6, 3, add_zero_attn=True), ValueError, "add_zero_attn must be False, got True: self-attention is not counted otherwise"),
    (lambda: SelfAttention(6, 3, num_kv_heads=2), ValueError, "num_kv_heads must divide num_heads, got num_kv_heads=2 and num_heads=3"),
    (lambda: RotaryEmbedding(3), ValueError, "head_dim must be even, got 3: RoPE turns pairs"),
    (lambda: Embedding(5, 3, max_norm=1.0), ValueError, "max_norm must be None, got 1.0: Embedding is not counted otherwise"),
    (lambda: Unflatten(1, (-1, -1)), ValueError, "unflattened_size must be positive integers and at most one -1, got (-1, -1)"),
    (lambda: Slice(0, 4, 0), ValueError, "step must be a positive integer, got 0"),
    (lambda: Flatten("all"), TypeError, "start_dim must be an integer, got 'all'"),
    (lambda: Pad((1, 1, 1)), ValueError, "pad must have two numbers for each axis, got (1, 1, 1)"),
    (lambda: Pad(1), TypeError, "pad must be a tuple of integers, got 1"),
    (lambda: ZeroPad2d((1, 1)), TypeError, "padding must be one integer or four of them, got (1, 1)"),
    (lambda: Permute(3), TypeError, "dims must be a tuple of integers, got 3"),
    (lambda: Mean(()), ValueError, "dim must name at least one dimension, got ()"),
    (lambda: AvgPool2d(2, divisor_override=0), ValueError, "divisor_override must be a positive integer, got 0"),
    (lambda: Embedding(5, 3, padding_idx=5), ValueError, "padding_idx must be a row of the 5 there are, got 5"),
    (lambda: StochasticDepth(0.1, "all"), ValueError, "mode must be 'batch' or 'row', got 'all'"),
    (lambda: Residual(Sequential(sum=Linear(2, 2))), ValueError, "a body must not call a layer 'sum': Residual has one"),
    (lambda: Add(ReLU(), sum=ReLU()), ValueError, "a layer of Add must not be called 'sum': the sums are called so"),
    (lambda: Sequential([ReLU(), ReLU()]), TypeError, "layer '0' must be a layer of flopslib, got [ReLU(), ReLU()]; unpack it with a star: Sequential(*layers)"),
    (lambda: Conv2dNormActivation(3, 2, norm_layer=5), TypeError, "norm_layer must be a layer of flopslib such as ReLU, got 5"),
    (lambda: SqueezeExcitation(6, 2, activation="relu"), TypeError, "activation must be a layer of flopslib such as ReLU, got 'relu'"),
    (lambda: Sequential(Linear), TypeError, "layer '0' must be a layer of flopslib, got <class 'flopslib.layers.dense.Linear'>; call it: Linear(…)"),
    (lambda: Sequential(**{"a.b": Linear(3, 2)}), ValueError, "a layer's name must be text without a dot, got 'a.b'"),
    (lambda: Sequential(Linear(3, 2), **{"0": ReLU()}), ValueError, "each layer needs a name of its own, got ['0', '0']"),
    (lambda: Residual(None), TypeError, "body must be a layer of flopslib, got None"),
    (lambda: LSTM(3, 2, proj_size=2), ValueError, "proj_size must be smaller than hidden_size, got proj_size=2 and hidden_size=2"),
    (lambda: RNN(3, 2, nonlinearity="gelu"), ValueError, "nonlinearity must be 'tanh' or 'relu', got 'gelu'"),
    (lambda: Concat(), ValueError, "Concat needs at least one layer, got none"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "error", "message"), REFUSED, ids=[r[2][:40] for r in REFUSED])
def test_a_layer_refuses(build, error, message):
    with pytest.raises(error) as caught:
        build()
    assert str(caught.value) == message


MISFITS = [
    (Linear(3, 2), (5, 4), "Linear(3, 2) needs 3 features at dimension 1, got 4 in (5, 4)"),
    (Linear(3, 2), (), "Linear(3, 2) needs at least one dimension, got ()"),
    (Conv2d(3, 4, 3), (1, 4, 8, 8), "Conv2d(3, 4, 3) needs 3 channels at dimension 1, got 4 in (1, 4, 8, 8), read as (N, C, H, W)"),
    (Conv2d(3, 4, 3), (1, 3, 8), "Conv2d(3, 4, 3) needs 3 channels at dimension 0, got 1 in (1, 3, 8), read as (C, H, W)"),
    (Conv2d(3, 4, 3), (3, 8), "Conv2d(3, 4, 3) needs an input of shape (C, H, W) or (N, C, H, W), got 2 dimensions: (3, 8)"),
    (Conv2d(3, 4, 9), (1, 3, 8, 8), "Conv2d(3, 4, 9) has a window that does not fit into the padded sides of (8, 8)"),
    (ConvTranspose2d(3, 4, 1, padding=1), (1, 3, 2, 2), "ConvTranspose2d(3, 4, 1, padding=1) crops everything away from an input of shape (1, 3, 2, 2)"),
    (BatchNorm2d(3), (1, 3, 8), "BatchNorm2d(3) needs an input of shape (N, C, H, W), got 3 dimensions: (1, 3, 8)"),
    (LayerNorm((3, 5)), (2, 5, 3), "LayerNorm((3, 5)) needs an input that ends in (3, 5), got (2, 5, 3)"),
    (GroupNorm(2, 4), (1, 6, 3), "GroupNorm(2, 4) needs 4 channels at dimension 1, got 6 in (1, 6, 3)"),
    (GroupNorm(2, 4), (4,), "GroupNorm(2, 4) needs an input of shape (N, C, …), got (4,)"),
    (MaxPool2d(5), (1, 1, 3, 3), "MaxPool2d(5, stride=5) has a window that does not fit into a padded side of 3"),
    (AdaptiveAvgPool2d(1), (3, 5), "AdaptiveAvgPool2d(1) needs an input of shape (C, H, W) or (N, C, H, W), got 2 dimensions: (3, 5)"),
    (MultiheadAttention(6, 3), (2, 5, 4), "MultiheadAttention(6, 3) needs 6 features at dimension 2, got 4 in (2, 5, 4)"),
    (SelfAttention(6, 3), (5, 6), "SelfAttention(6, 3) needs an input of shape (N, L, E), got 2 dimensions: (5, 6)"),
    (RotaryEmbedding(4), (2, 6), "RotaryEmbedding(4) needs a last axis of whole heads, got (2, 6)"),
    (ShiftedWindowAttention(4, 2, 1, 2), (1, 4, 4), "ShiftedWindowAttention(4, 2, 1, 2) needs an input of shape (N, H, W, C), got 3 dimensions: (1, 4, 4)"),
    (Mean((1, -2)), (2, 3, 5), "Mean((1, -2)) names a dimension of (2, 3, 5) twice"),
    (Softmax(2), (2, 3), "Softmax(2) has no dimension 2 in an input of shape (2, 3)"),
    (BatchNorm1d(3), (2, 3, 5, 5), "BatchNorm1d(3) needs an input of shape (N, C) or (N, C, L), got 4 dimensions: (2, 3, 5, 5)"),
    (LayerNorm2d(3), (2, 5, 5, 3), "LayerNorm2d(3) needs 3 channels at dimension 1, got 5 in (2, 5, 5, 3)"),
    (Scale(3, 1), (2, 5, 5), "Scale(3, 1) does not broadcast to an input of shape (2, 5, 5)"),
    (Flatten(2, 1), (2, 3, 4), "Flatten(start_dim=2, end_dim=1) ends before it starts in an input of shape (2, 3, 4)"),
    (Flatten(4), (2, 3), "Flatten(start_dim=4) has no dimension 4 in an input of shape (2, 3)"),
    (Unflatten(1, (2, 2)), (1, 6), "Unflatten(1, (2, 2)) cannot cut dimension 1 of (1, 6)"),
    (Permute((0, 1)), (2, 3, 4), "Permute((0, 1)) does not name each dimension of (2, 3, 4) once"),
    (ChannelShuffle(2), (1, 3, 5), "ChannelShuffle(2) needs channels in 2 equal groups, got (1, 3, 5)"),
    (ChannelShuffle(2), (1, 4), "ChannelShuffle(2) needs an input of shape (N, C, L) or (N, C, H, W) …, got (1, 4)"),
    (Pad((-1, -2)), (2, 3), "Pad((-1, -2)) leaves nothing of dimension 1 of (2, 3)"),
    (Pad((-3, 5)), (2, 2), "Pad((-3, 5)) leaves nothing of dimension 1 of (2, 2)"),
    (Slice(4, None), (1, 3), "Slice(4, None) keeps nothing of dimension 1 of (1, 3)"),
    (Select(1, 3), (1, 3, 2), "Select(1, 3) has no entry 3 at dimension 1 of (1, 3, 2)"),
    (Concat(Linear(3, 2), Linear(3, 4), dim=0), (1, 3), "Concat(2 layers) joins dimension 0 of shapes that differ elsewhere: 0 (1, 2), 1 (1, 4)"),
    (Add(Linear(3, 2), Linear(3, 4)), (1, 3), "Add(2 layers) joins results that do not broadcast together: (1, 2) and (1, 4)"),
    (Cat(2), ((1, 3), (1, 2)), "Cat(dim=2) has no dimension 2 in an input of shape (1, 3)"),
    (Cat(0), ((1, 3), (1, 2)), "Cat(dim=0) joins dimension 0 of shapes that differ elsewhere: (1, 3), (1, 2)"),
    (LSTM(3, 2), (5, 2, 4), "LSTM(3, 2) needs 3 features at dimension 2, got 4 in (5, 2, 4)"),
    (GRU(3, 2), (3,), "GRU(3, 2) needs an input of shape (L, I) or (L, N, I), got 1 dimensions: (3,)"),
    (LSTMCell(3, 2), (5, 2, 3), "LSTMCell(3, 2) needs an input of shape (I) or (N, I), got 3 dimensions: (5, 2, 3)"),
    (MatMul(), ((2, 3), (2, 3)), "MatMul() needs shapes (…, m, k) and (…, k, n), got (2, 3) and (2, 3)"),
    (Graph(a=ReLU(), inputs=("x", "y")), (2, 3), "Graph(1 node) needs 2 inputs (x, y), got 1: (2, 3)"),
    (Graph(a=ReLU(), b=(ReLU(), "a.1")), (2, 3), "Graph(2 nodes) asks for a.1, and a makes 1 results"),
    (nn.AvgPool3d(3, 2, 1), (1, 3, 2, 4), "AvgPool3d(3, stride=2, padding=1) has a window that is larger than the sides of (1, 3, 2, 4)"),
    (nn.Upsample(2, mode="linear"), (1, 2, 3, 3), "Upsample(size=2, mode='linear') needs an input of shape (N, C, …) with 1 sides, got (1, 2, 3, 3)"),
    (nn.PixelShuffle(2), (1, 3, 2, 2), "PixelShuffle(2) needs channels in groups of 4, got (1, 3, 2, 2)"),
    (nn.PixelUnshuffle(2), (1, 3, 3, 2), "PixelUnshuffle(2) needs sides that 2 divides, got (1, 3, 3, 2)"),
    (Multiply(Linear(3, 2)), (1, 3), "Multiply(1 layer) needs two or more layers"),
    (Residual(Linear(3, 2)), (1, 3), "Residual(Linear(3, 2)) adds shapes that differ: (1, 2) from its body, (1, 3) around it"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "x", "message"), MISFITS, ids=[repr(m[0]) for m in MISFITS])
def test_a_shape_that_does_not_fit(layer, x, message):
    for attempt in (lambda: count(layer, x), lambda: layer.output_shape(x)):
        with pytest.raises(ShapeError) as caught:
            attempt()
        assert str(caught.value) == message
        assert caught.value.path == ""
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == message


def test_the_error_names_the_path():
    deep = Sequential(stem=ReLU(), stage=Sequential(Residual(Sequential(fc=Linear(3, 2)))))
    for attempt in (lambda: count(deep, (1, 4)), lambda: deep.output_shape((1, 4))):
        with pytest.raises(ShapeError) as caught:
            attempt()
        assert str(caught.value).startswith("stage.0.fc: Linear(3, 2) needs 3 features")
        assert caught.value.path == "stage.0.fc"
        assert caught.value.layer == Linear(3, 2)


# --- a layer of one's own -------------------------------------------------------


class Squared(Layer):
    """x · x · a, for learnt a."""

    def __init__(self, channels):
        self._set(channels=channels)

    def output_shape(self, input_shape):
        self._check_size(input_shape, 1, self.channels, "channels")
        return input_shape

    def cost(self, input_shape, output_shape):
        return 2 * Product().derivation(input_shape)

    @property
    def weights(self):
        return {"a": (self.channels,)}


def test_a_layer_of_ones_own():
    report = count(Sequential(Squared(3), Flatten()), (2, 3, 5))
    assert report.multiplications == 60
    assert report.parameters == 3
    assert report["0"].derivation.multiplications == 60
    with pytest.raises(ShapeError, match=r"^0: Squared\(3\) needs 3 channels at dimension 1"):
        count(Sequential(Squared(3)), (2, 4, 5))
    with pytest.raises(TypeError, match=r"Squared\(3\) has no naive loop"):
        run_layers(Squared(3), (2, 3))


class Twice(Layer):
    """The same layer again, and it costs something itself."""

    def __init__(self, layer):
        self._set(layer=layer)

    def flow(self, x, run):
        return run("second", self.layer, run("first", self.layer, x))


class TwiceScaled(Twice):
    def cost(self, input_shape, output_shape):
        return Product().derivation(input_shape)


def test_a_container_of_ones_own():
    report = agrees(Twice(Linear(3, 3)), (2, 3))
    assert [row.path for row in report.rows] == ["first", "second"]
    assert report.macs == 2 * 2 * 9
    # what it keeps counts among its parameters once, in the rows as in the total
    assert report.parameters == 12
    assert [row.parameters for row in report.rows] == [12, 0]
    inside = count(Sequential(a=Twice(Linear(3, 3)), b=Linear(3, 3)), (2, 3))
    assert [row.parameters for row in inside.rows] == [12, 0, 12]


def test_a_container_that_costs_something_itself():
    report = count(Sequential(a=TwiceScaled(Linear(3, 3))), (2, 3))
    assert report.multiplications == 2 * 2 * 9 + 6 == report.derivation.multiplications
    assert [row.path for row in report.rows] == ["a.first", "a.second", "a"]
    assert report["a"].multiplications == 42


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"cost": lambda self, x, y: 7}, TypeError, "the cost of Odd() must be a Derivation"),
        ({"output_shape": lambda self, x: [1, 2]}, TypeError, r"the output of Odd\(\) must be a tuple of integers, got \[1, 2\]"),
        ({"output_shape": lambda self, x: (0.5,)}, TypeError, "must be a tuple of integers"),
        ({"flow": lambda self, x, run: run("fc", Linear(2, 2), x)}, TypeError, r"runs fc without keeping it: give it to _set"),
    ],
)  # fmt: skip
def test_a_layer_of_ones_own_that_is_wrong(wrong, error, message):
    odd = type("Odd", (Layer,), {"__module__": "mine", **wrong})()
    with pytest.raises(error, match=message.replace("Odd()", r"Odd\(\)")):
        count(odd, (1, 2))


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (lambda self, x, run: run("a", self.fc, run("a", self.fc, x)), "runs two layers under the name 'a'"),
        (lambda self, x, run: run(0, self.fc, x), "needs a name without a dot for what it runs, got 0"),
        (lambda self, x, run: run("a.b", self.fc, x), "needs a name without a dot for what it runs, got 'a.b'"),
        (lambda self, x, run: run("a", "fc", x), "runs 'a', which must be a layer of flopslib, got 'fc'"),
        (lambda self, x, run: run("a", self.fc, (-1, 2)), "gives to 'a' must be positive integers, got (-1, 2)"),
        (lambda self, x, run: run("a", self.fc, [1, 2]), "gives to 'a' must be a tuple of integers, got [1, 2]"),
    ],
)  # fmt: skip
def test_a_container_of_ones_own_that_is_wrong(flow, message):
    kind = type(
        "Odd",
        (Layer,),
        {"__module__": "mine", "flow": flow, "__init__": lambda self: self._set(fc=Linear(2, 2))},
    )
    with pytest.raises((TypeError, ValueError)) as caught:
        count(kind(), (1, 2))
    assert message in str(caught.value)


def test_what_a_layer_of_ones_own_must_not_do():
    with pytest.raises(TypeError, match="Odd has a forward, which nothing here calls"):
        type("Odd", (Layer,), {"forward": lambda self, x: x})
    keeps = type(
        "Odd", (Layer,), {"__module__": "mine", "__init__": lambda self: self._set(fc=Linear(2, 2))}
    )
    with pytest.raises(TypeError, match="keeps layers and runs none"):
        count(keeps(), (1, 2))
    for weights in ({"w": (5, -1)}, {"w": 5}):
        odd = type(
            "Odd", (Layer,), {"__module__": "mine", "weights": property(lambda self, w=weights: w)}
        )
        with pytest.raises((TypeError, ValueError), match="the shape of 'w'"):
            count(odd(), (1, 2))
    with pytest.raises(
        AttributeError, match=r"Odd keeps its arguments with one call: self\._set\(width=width"
    ):
        type("Odd", (Layer,), {"__init__": lambda self: setattr(self, "width", 3)})()


def test_every_row_has_a_path_of_its_own():
    nested = count(Residual(Residual(Linear(3, 3))), (1, 3))
    assert [row.path for row in nested.rows] == ["body.body", "body.sum", "sum"]
    tallies = run_layers(Residual(Residual(Linear(3, 3))), (1, 3))
    assert sum(tally.exact_flops for tally in tallies.values()) == nested.exact_flops == 24
    with pytest.raises(ValueError, match="two layers have the path 'first'"):
        run_layers(
            type(
                "Same",
                (Twice,),
                {"flow": lambda s, x, run: run("first", s.layer, run("first", s.layer, x))},
            )(Linear(2, 2)),
            (1, 2),
        )


def test_what_a_layer_keeps():
    class Keeps(Layer):
        def __init__(self, **values):
            self._set(**values)

    kept = Keeps(many=[Linear(2, 2), [Linear(2, 2)]])
    assert kept.many == (Linear(2, 2), (Linear(2, 2),))
    assert kept.parameters == 12
    with pytest.raises(
        TypeError, match="many must be numbers, text, layers or lists of them, got dict"
    ):
        Keeps(many={"a": Linear(2, 2)})
    with pytest.raises(
        ValueError, match="Keeps cannot keep 'parameters': every layer has that name"
    ):
        Keeps(parameters=3)
    with pytest.raises(TypeError, match="Keeps calls _set twice"):
        kept._set(more=1)


def test_a_module_of_torch_is_recognised():
    module = type("Linear", (), {"__module__": "torch.nn.modules.linear"})()
    with pytest.raises(
        TypeError, match=r"that is a module of torch: build it from flopslib\.layers"
    ):
        count(module, (1, 2))
    with pytest.raises(
        TypeError, match=r"must be a layer of flopslib, got .*; call it: Linear\(…\)"
    ):
        count(Linear, (1, 2))


def test_sequential_as_a_collection():
    layers_ = Sequential(Linear(3, 5), act=ReLU(), fc=Linear(5, 2))
    assert len(layers_) == 3
    assert list(layers_) == [Linear(3, 5), ReLU(), Linear(5, 2)]
    assert layers_[0] == layers_["0"] == layers_[-3] == Linear(3, 5)
    assert layers_[1:] == Sequential(act=ReLU(), fc=Linear(5, 2))
    assert Sequential({"act": ReLU()}) == Sequential(act=ReLU())
    for key in (3, "bn"):
        with pytest.raises(KeyError, match="there are 0, act, fc"):
            layers_[key]


def test_compiled_counts_are_those_of_the_derivation():
    assert len(KINDS) == 9
    for layer, x, y, _ in CASES:
        if not layer._flows() and not isinstance(layer, Shared):
            kinds = layer.cost(x, y).total.kinds()
            assert layer._counts(x, y) == tuple(kinds.get(kind, 0) for kind in KINDS)
