"""Networks that are not in flopslib.models, written with its layers as a reader would."""

import math
from collections.abc import Callable

from flopslib.layers import (
    GELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Conv2dNormActivation,
    Dropout,
    Flatten,
    Hardsigmoid,
    Hardswish,
    Identity,
    Layer,
    LayerNorm,
    LayerNorm2d,
    Linear,
    MaxPool2d,
    Mean,
    NotRun,
    Permute,
    ReLU,
    Residual,
    Scale,
    ScaledDotProductAttention,
    Sequential,
    ShiftedWindowAttention,
    SiLU,
    Slice,
    SqueezeExcitation,
    Tanh,
)  # fmt: skip
from flopslib.models.mobilenet import rounded

# --- what many of them share


def conv_norm(c_in, c_out, kernel=1, stride=1, padding=None, groups=1, act=ReLU):
    return Conv2dNormActivation(c_in, c_out, kernel, stride, padding, groups, activation_layer=act)


def pooled(features, *classifier):
    """Features, a mean over the plane, a classifier."""
    head = Sequential(*classifier)
    return Sequential(
        features=features, avgpool=AdaptiveAvgPool2d(1), flatten=Flatten(), classifier=head
    )


# --- VGG

VGG = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


def _vgg(depth, norm):
    layers, c_in = [], 3
    for convs, c_out in zip(VGG[depth], (64, 128, 256, 512, 512), strict=True):
        for _ in range(convs):
            layers.append(Conv2d(c_in, c_out, 3, padding=1))
            layers += [BatchNorm2d(c_out), ReLU()] if norm else [ReLU()]
            c_in = c_out
        layers.append(MaxPool2d(2))
    classifier = Sequential(
        Linear(512 * 7 * 7, 4096),
        ReLU(),
        Dropout(),
        Linear(4096, 4096),
        ReLU(),
        Dropout(),
        Linear(4096, 1000),
    )
    return Sequential(
        features=Sequential(*layers),
        avgpool=AdaptiveAvgPool2d(7),
        flatten=Flatten(),
        classifier=classifier,
    )


def vgg11_bn():
    return _vgg(11, True)


def vgg16():
    return _vgg(16, False)


def vgg19():
    return _vgg(19, False)


# --- SqueezeNet


def fire(c_in, squeeze, expand):
    return Sequential(
        squeeze=Conv2d(c_in, squeeze, 1), relu=ReLU(),
        expand=Concat(
            expand1x1=Sequential(Conv2d(squeeze, expand, 1), ReLU()),
            expand3x3=Sequential(Conv2d(squeeze, expand, 3, padding=1), ReLU()),
        ),
    )  # fmt: skip


def _squeezenet(stem, plan):
    layers, c_in = list(stem), stem[0].out_channels
    for entry in plan:
        if entry == "pool":
            layers.append(MaxPool2d(3, stride=2, ceil_mode=True))
        else:
            layers.append(fire(c_in, *entry))
            c_in = 2 * entry[1]
    classifier = Sequential(Dropout(), Conv2d(512, 1000, 1), ReLU(), AdaptiveAvgPool2d(1))
    return Sequential(features=Sequential(*layers), classifier=classifier, flatten=Flatten())


def squeezenet1_0():
    fires = [
        (16, 64),
        (16, 64),
        (32, 128),
        "pool",
        (32, 128),
        (48, 192),
        (48, 192),
        (64, 256),
        "pool",
        (64, 256),
    ]
    return _squeezenet([Conv2d(3, 96, 7, stride=2), ReLU()], ["pool", *fires])


def squeezenet1_1():
    fires = [
        (16, 64),
        (16, 64),
        "pool",
        (32, 128),
        (32, 128),
        "pool",
        (48, 192),
        (48, 192),
        (64, 256),
        (64, 256),
    ]
    return _squeezenet([Conv2d(3, 64, 3, stride=2), ReLU()], ["pool", *fires])


# --- DenseNet


def _densenet(growth, depths, width):
    features = {
        "conv0": Conv2d(3, width, 7, stride=2, padding=3, bias=False),
        "norm0": BatchNorm2d(width), "relu0": ReLU(), "pool0": MaxPool2d(3, stride=2, padding=1),
    }  # fmt: skip
    for at, depth in enumerate(depths, 1):
        block = {}
        for layer in range(1, depth + 1):
            new = Sequential(
                norm1=BatchNorm2d(width), relu1=ReLU(), conv1=Conv2d(width, 4 * growth, 1, bias=False),
                norm2=BatchNorm2d(4 * growth), relu2=ReLU(),
                conv2=Conv2d(4 * growth, growth, 3, padding=1, bias=False),
            )  # fmt: skip
            block[f"denselayer{layer}"] = Concat(old=Identity(), new=new)
            width += growth
        features[f"denseblock{at}"] = Sequential(block)
        if at < len(depths):
            features[f"transition{at}"] = Sequential(
                norm=BatchNorm2d(width),
                relu=ReLU(),
                conv=Conv2d(width, width // 2, 1, bias=False),
                pool=AvgPool2d(2),
            )
            width //= 2
    features |= {"norm5": BatchNorm2d(width), "relu5": ReLU()}
    return pooled(Sequential(features), Linear(width, 1000))


def densenet121():
    return _densenet(32, (6, 12, 24, 16), 64)


def densenet161():
    return _densenet(48, (6, 12, 36, 24), 96)


# --- Inception v3 and GoogLeNet


def chain(c_in, *steps):
    """Convolutions one after the other, each (channels, kernel, stride, padding)."""
    layers = []
    for c_out, *rest in steps:
        layers.append(conv_norm(c_in, c_out, *rest))
        c_in = c_out
    return Sequential(*layers)


def inception_v3():
    conv, row, column = chain, (1, 7), (7, 1)

    def average(c_in, c_out):
        return Sequential(pool=AvgPool2d(3, stride=1, padding=1), conv=conv_norm(c_in, c_out))

    def a(c, pool):
        return Concat(
            conv(c, (64,)),
            conv(c, (48,), (64, 5)),
            conv(c, (64,), (96, 3), (96, 3)),
            average(c, pool),
        )

    def b(c):
        return Concat(
            conv(c, (384, 3, 2, 0)), conv(c, (64,), (96, 3), (96, 3, 2, 0)), MaxPool2d(3, stride=2)
        )

    def c(c, k):
        once = conv(c, (k,), (k, row), (192, column))
        twice = conv(c, (k,), (k, column), (k, row), (k, column), (192, row))
        return Concat(conv(c, (192,)), once, twice, average(c, 192))

    def d(c):
        once = conv(c, (192,), (320, 3, 2, 0))
        twice = conv(c, (192,), (192, row), (192, column), (192, 3, 2, 0))
        return Concat(once, twice, MaxPool2d(3, stride=2))

    def e(c):
        fork = Concat(conv_norm(384, 384, (1, 3)), conv_norm(384, 384, (3, 1)))
        once = Sequential(conv(c, (384,)), fork)
        twice = Sequential(conv(c, (448,), (384, 3)), fork)
        return Concat(conv(c, (320,)), once, twice, average(c, 192))

    auxiliary = Sequential(
        AvgPool2d(5, stride=3), conv_norm(768, 128), conv_norm(128, 768, 5, padding=0),
        AdaptiveAvgPool2d(1), Flatten(), Linear(768, 1000),
    )  # fmt: skip
    features = Sequential(
        conv(3, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3)), MaxPool2d(3, stride=2),
        conv(64, (80,), (192, 3, 1, 0)), MaxPool2d(3, stride=2),
        a(192, 32), a(256, 64), a(288, 64), b(288), c(768, 128), c(768, 160), c(768, 160), c(768, 192),
        NotRun(auxiliary), d(768), e(1280), e(2048),
    )  # fmt: skip
    return pooled(features, Dropout(), Linear(2048, 1000))


def googlenet():
    """With its two auxiliary heads, which torchvision counts among the parameters only if it is asked to."""

    def inception(c, c1, r3, c3, r5, c5, proj):
        pool = Sequential(MaxPool2d(3, stride=1, padding=1, ceil_mode=True), conv_norm(c, proj))
        return Concat(chain(c, (c1,)), chain(c, (r3,), (c3, 3)), chain(c, (r5,), (c5, 3)), pool)

    def auxiliary(c):
        layers = [Flatten(), Linear(2048, 1024), ReLU(), Dropout(0.7), Linear(1024, 1000)]
        return NotRun(Sequential(AdaptiveAvgPool2d(4), conv_norm(c, 128), *layers))

    features = Sequential(
        conv_norm(3, 64, 7, 2), MaxPool2d(3, stride=2, ceil_mode=True),
        conv_norm(64, 64), conv_norm(64, 192, 3), MaxPool2d(3, stride=2, ceil_mode=True),
        inception(192, 64, 96, 128, 16, 32, 32), inception(256, 128, 128, 192, 32, 96, 64),
        MaxPool2d(3, stride=2, ceil_mode=True),
        inception(480, 192, 96, 208, 16, 48, 64), auxiliary(512),
        inception(512, 160, 112, 224, 24, 64, 64), inception(512, 128, 128, 256, 24, 64, 64),
        inception(512, 112, 144, 288, 32, 64, 64), auxiliary(528), inception(528, 256, 160, 320, 32, 128, 128),
        MaxPool2d(2, stride=2, ceil_mode=True),
        inception(832, 256, 160, 320, 32, 128, 128), inception(832, 384, 192, 384, 48, 128, 128),
    )  # fmt: skip
    return pooled(features, Dropout(0.2), Linear(1024, 1000))


# --- inverted residuals: MobileNetV3, EfficientNet, MNASNet


def inverted(c_in, inner, c_out, kernel, stride, act, squeeze=None):
    widen = [] if inner == c_in else [conv_norm(c_in, inner, act=act)]
    around = conv_norm(inner, inner, kernel, stride, groups=inner, act=act)
    squeeze = [] if squeeze is None else [squeeze]
    body = Sequential(*widen, around, *squeeze, conv_norm(inner, c_out, act=None))
    return Residual(body) if stride == 1 and c_in == c_out else body


V3_LARGE = (  # kernel, inner, out, squeeze-excitation, hard swish, stride
    (3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2), (5, 120, 40, 1, 0, 1),
    (5, 120, 40, 1, 0, 1), (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1), (3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1), (5, 672, 160, 1, 1, 2),
    (5, 960, 160, 1, 1, 1), (5, 960, 160, 1, 1, 1),
)  # fmt: skip
V3_SMALL = (
    (3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1), (5, 96, 40, 1, 1, 2), (5, 240, 40, 1, 1, 1),
    (5, 240, 40, 1, 1, 1), (5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1), (5, 288, 96, 1, 1, 2),
    (5, 576, 96, 1, 1, 1), (5, 576, 96, 1, 1, 1),
)  # fmt: skip


def _mobilenet_v3(blocks, last):
    layers, c_in = [conv_norm(3, 16, 3, 2, act=Hardswish())], 16
    for kernel, inner, c_out, squeezes, hard, stride in blocks:
        squeeze = (
            SqueezeExcitation(inner, rounded(inner // 4), ReLU, Hardsigmoid) if squeezes else None
        )
        layers.append(
            inverted(c_in, inner, c_out, kernel, stride, Hardswish() if hard else ReLU(), squeeze)
        )
        c_in = c_out
    layers.append(conv_norm(c_in, 6 * c_in, act=Hardswish()))
    return pooled(
        Sequential(*layers), Linear(6 * c_in, last), Hardswish(), Dropout(0.2), Linear(last, 1000)
    )


def mobilenet_v3_small():
    return _mobilenet_v3(V3_SMALL, 1024)


def mobilenet_v3_large():
    return _mobilenet_v3(V3_LARGE, 1280)


def fused(c_in, inner, c_out, kernel, stride):
    if inner == c_in:
        body = Sequential(conv_norm(c_in, c_out, kernel, stride, act=SiLU()))
    else:
        body = Sequential(
            conv_norm(c_in, inner, kernel, stride, act=SiLU()), conv_norm(inner, c_out, act=None)
        )
    return Residual(body) if stride == 1 and c_in == c_out else body


def _efficientnet(stages, last, dropout, fused_stages=0):
    c_in = stages[0][3]
    layers = [conv_norm(3, c_in, 3, 2, act=SiLU())]
    for at, (widen, kernel, stride, _, channels, depth) in enumerate(stages):
        stage = []
        for step in (stride, *[1] * (depth - 1)):
            inner = rounded(c_in * widen)
            if at < fused_stages:
                stage.append(fused(c_in, inner, channels, kernel, step))
            else:
                squeeze = SqueezeExcitation(inner, max(1, c_in // 4), SiLU)
                stage.append(inverted(c_in, inner, channels, kernel, step, SiLU(), squeeze))
            c_in = channels
        layers.append(Sequential(*stage))
    last = last or 4 * c_in
    layers.append(conv_norm(c_in, last, act=SiLU()))
    return pooled(Sequential(*layers), Dropout(dropout), Linear(last, 1000))


B0 = (  # widening, kernel, stride, in, out, depth
    (1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3), (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1),
)  # fmt: skip
V2_S = (
    (1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4), (4, 3, 2, 64, 128, 6), (6, 3, 1, 128, 160, 9),
    (6, 3, 2, 160, 256, 15),
)  # fmt: skip


def _scaled(width, depth):
    return [
        (w, k, s, rounded(i * width), rounded(o * width), math.ceil(n * depth))
        for w, k, s, i, o, n in B0
    ]


def efficientnet_b0():
    return _efficientnet(B0, None, 0.2)


def efficientnet_b7():
    return _efficientnet(_scaled(2.0, 3.1), None, 0.5)


def efficientnet_v2_s():
    return _efficientnet(V2_S, 1280, 0.2, fused_stages=3)


def mnasnet1_0():
    stages = (
        (16, 24, 3, 2, 3, 3),
        (24, 40, 5, 2, 3, 3),
        (40, 80, 5, 2, 6, 3),
        (80, 96, 3, 1, 6, 2),
    )
    stages += ((96, 192, 5, 2, 6, 4), (192, 320, 3, 1, 6, 1))
    layers = [conv_norm(3, 32, 3, 2), conv_norm(32, 32, 3, groups=32), conv_norm(32, 16, act=None)]
    for c_in, c_out, kernel, stride, widen, depth in stages:
        first = inverted(c_in, widen * c_in, c_out, kernel, stride, ReLU())
        layers.append(
            Sequential(
                first, *[inverted(c_out, widen * c_out, c_out, kernel, 1, ReLU())] * (depth - 1)
            )
        )
    layers.append(conv_norm(320, 1280))
    return Sequential(
        layers=Sequential(*layers),
        mean=Mean((2, 3)),
        classifier=Sequential(Dropout(0.2), Linear(1280, 1000)),
    )


# --- ConvNeXt


def convnext_tiny():
    def block(dim):
        return Residual(
            Sequential(
                Conv2d(dim, dim, 7, padding=3, groups=dim), Permute((0, 2, 3, 1)), LayerNorm(dim),
                Linear(dim, 4 * dim), GELU(), Linear(4 * dim, dim), Permute((0, 3, 1, 2)), layer_scale=Scale(dim, 1, 1),
            )
        )  # fmt: skip

    dims, layers = (96, 192, 384, 768), []
    layers.append(Sequential(Conv2d(3, 96, 4, stride=4), LayerNorm2d(96)))
    for at, (dim, depth) in enumerate(zip(dims, (3, 3, 9, 3), strict=True)):
        layers.append(Sequential(*[block(dim)] * depth))
        if at < 3:
            layers.append(Sequential(LayerNorm2d(dim), Conv2d(dim, dims[at + 1], 2, stride=2)))
    return Sequential(
        features=Sequential(*layers), avgpool=AdaptiveAvgPool2d(1),
        classifier=Sequential(LayerNorm2d(768), Flatten(), Linear(768, 1000)),
    )  # fmt: skip


# --- RegNet


def _regnet(depth, w_0, w_a, w_m, group_width, squeezes):
    steps = [round(math.log((w_0 + w_a * at) / w_0) / math.log(w_m)) for at in range(depth)]
    widths = [round(w_0 * w_m**step / 8) * 8 for step in steps]
    stages, c_in = {}, 32
    for at, raw in enumerate(dict.fromkeys(widths), 1):
        group = min(group_width, raw)
        width = rounded(raw, group)
        blocks = []
        for place in range(widths.count(raw)):
            stride = 1 if place else 2
            squeeze = {"se": SqueezeExcitation(width, round(0.25 * c_in))} if squeezes else {}
            body = Sequential(
                a=conv_norm(c_in, width), b=conv_norm(width, width, 3, stride, groups=width // group),
                **squeeze, c=conv_norm(width, width, act=None),
            )  # fmt: skip
            shortcut = None if place else conv_norm(c_in, width, 1, 2, act=None)
            blocks.append(Residual(body, shortcut, then=ReLU()))
            c_in = width
        stages[f"block{at}"] = Sequential(*blocks)
    return Sequential(
        stem=conv_norm(3, 32, 3, 2), trunk_output=Sequential(stages), avgpool=AdaptiveAvgPool2d(1),
        flatten=Flatten(), fc=Linear(c_in, 1000),
    )  # fmt: skip


def regnet_y_400mf():
    return _regnet(16, 48, 27.89, 2.09, 8, True)


def regnet_x_400mf():
    return _regnet(22, 24, 24.48, 2.54, 16, False)


def regnet_x_32gf():
    return _regnet(23, 320, 69.86, 2.0, 168, False)


# --- ShuffleNetV2


def shufflenet_v2_x1_0():
    def branch(c_in, half, stride):
        return Sequential(
            conv_norm(c_in, half),
            conv_norm(half, half, 3, stride, groups=half, act=None),
            conv_norm(half, half),
        )

    stages, c_in = {}, 24
    for name, depth, width in (("stage2", 4, 116), ("stage3", 8, 232), ("stage4", 4, 464)):
        half = width // 2
        shrunk = Sequential(
            conv_norm(c_in, c_in, 3, 2, groups=c_in, act=None), conv_norm(c_in, half)
        )
        first = Sequential(Concat(shrunk, branch(c_in, half, 2)), ChannelShuffle(2))
        other = Concat(
            Slice(0, half), Sequential(half=Slice(half, None), convs=branch(half, half, 1))
        )
        stages[name] = Sequential(first, *[Sequential(other, ChannelShuffle(2))] * (depth - 1))
        c_in = width
    return Sequential(
        conv1=conv_norm(3, 24, 3, 2), maxpool=MaxPool2d(3, stride=2, padding=1), **stages,
        conv5=conv_norm(464, 1024), mean=Mean((2, 3)), fc=Linear(1024, 1000),
    )  # fmt: skip


# --- Swin, Swin v2, MaxViT


class PatchMerging(Layer):
    """Four neighbours become one position of 4·dim numbers, which a linear layer halves."""

    def __init__(self, dim: int, norm_last: bool = False) -> None:
        narrow, norm = (
            Linear(4 * dim, 2 * dim, bias=False),
            LayerNorm(2 * dim if norm_last else 4 * dim),
        )
        body = (
            Sequential(reduction=narrow, norm=norm)
            if norm_last
            else Sequential(norm=norm, reduction=narrow)
        )
        self._set(dim=dim, norm_last=norm_last, body=body)

    def flow(self, x, run):
        n, h, w, c = x
        return run("", self.body, (n, -(-h // 2), -(-w // 2), 4 * c))


class ShiftedWindowAttentionV2(Layer):
    """Swin v2's: cosine scores with a learnt factor for each head, and a bias that a small network computes."""

    def __init__(self, dim: int, window: int, num_heads: int) -> None:
        self._set(
            dim=dim, window=window, num_heads=num_heads,
            qkv=Linear(dim, 3 * dim), proj=Linear(dim, dim),
            cpb_mlp=Sequential(Linear(2, 512), ReLU(), Linear(512, num_heads, bias=False)),
            attend=ScaledDotProductAttention(num_heads, dim // num_heads),
        )  # fmt: skip

    @property
    def weights(self):
        return {"logit_scale": (self.num_heads, 1, 1)}

    def flow(self, x, run):
        n, h, w, c = x
        side = self.window
        windows = (n * -(-h // side) * -(-w // side), side * side, c)
        run("cpb_mlp", self.cpb_mlp, (1, 2 * side - 1, 2 * side - 1, 2))
        run("qkv", self.qkv, windows)
        run("attend", self.attend, windows)
        run("proj", self.proj, windows)
        return x


def _swin(window, v2):
    def block(dim, heads, shift):
        attention = (
            ShiftedWindowAttentionV2(dim, window, heads)
            if v2
            else ShiftedWindowAttention(dim, window, shift, heads)
        )
        mlp = Sequential(
            Linear(dim, 4 * dim), GELU(), Dropout(0.0), Linear(4 * dim, dim), Dropout(0.0)
        )
        norm1, norm2 = {"norm1": LayerNorm(dim)}, {"norm2": LayerNorm(dim)}
        first = Sequential(attn=attention, **norm1) if v2 else Sequential(**norm1, attn=attention)
        second = Sequential(mlp=mlp, **norm2) if v2 else Sequential(**norm2, mlp=mlp)
        return Sequential(Residual(first), Residual(second))

    layers = [Sequential(Conv2d(3, 96, 4, stride=4), Permute((0, 2, 3, 1)), LayerNorm(96))]
    for at, depth in enumerate((2, 2, 6, 2)):
        dim, heads = 96 * 2**at, 3 * 2**at
        layers.append(
            Sequential(*[block(dim, heads, place % 2 * (window // 2)) for place in range(depth)])
        )
        if at < 3:
            layers.append(PatchMerging(dim, norm_last=v2))
    return Sequential(
        features=Sequential(*layers), norm=LayerNorm(768), permute=Permute((0, 3, 1, 2)),
        avgpool=AdaptiveAvgPool2d(1), flatten=Flatten(), head=Linear(768, 1000),
    )  # fmt: skip


def swin_t():
    return _swin(7, v2=False)


def swin_v2_t():
    return _swin(8, v2=True)


def maxvit_t():
    """The grid's attention costs what the window's does: 7 × 7 positions, and as many groups."""

    def mbconv(c_in, c_out, stride):
        inner = 4 * c_out
        body = Sequential(
            pre_norm=BatchNorm2d(c_in), conv_a=conv_norm(c_in, inner, act=GELU()),
            conv_b=conv_norm(inner, inner, 3, stride, groups=inner, act=GELU()),
            squeeze_excitation=SqueezeExcitation(inner, c_out // 4, SiLU), conv_c=Conv2d(inner, c_out, 1),
        )  # fmt: skip
        pool = [AvgPool2d(3, stride=2, padding=1)] if stride == 2 else []
        shortcut = Sequential(*pool, Conv2d(c_in, c_out, 1)) if pool or c_in != c_out else None
        return Residual(body, shortcut)

    def attention(dim):
        mlp = Sequential(LayerNorm(dim), Linear(dim, 4 * dim), GELU(), Linear(4 * dim, dim))
        attend = Sequential(LayerNorm(dim), ShiftedWindowAttention(dim, 7, 0, dim // 32))
        return Sequential(
            Permute((0, 2, 3, 1)), Residual(attend), Residual(mlp), Permute((0, 3, 1, 2))
        )

    blocks, c_in = [], 64
    for c_out, depth in zip((64, 128, 256, 512), (2, 2, 5, 2), strict=True):
        block = []
        for place in range(depth):
            conv = mbconv(c_in, c_out, 1 if place else 2)
            block.append(
                Sequential(
                    MBconv=conv, window_attention=attention(c_out), grid_attention=attention(c_out)
                )
            )
            c_in = c_out
        blocks.append(Sequential(*block))
    return Sequential(
        stem=Sequential(conv_norm(3, 64, 3, 2, act=GELU()), Conv2d(64, 64, 3, padding=1)),
        blocks=Sequential(*blocks),
        classifier=Sequential(
            AdaptiveAvgPool2d(1), Flatten(), LayerNorm(512), Linear(512, 512), Tanh(), Linear(512, 1000, bias=False)
        ),
    )  # fmt: skip


IMAGE = (1, 3, 224, 224)
NETWORKS: dict[str, tuple[Callable[[], Layer], tuple[int, ...]]] = {
    builder.__name__: (builder, IMAGE)
    for builder in (
        vgg11_bn, vgg16, vgg19, squeezenet1_0, squeezenet1_1, densenet121, densenet161, inception_v3, googlenet,
        mobilenet_v3_small, mobilenet_v3_large, efficientnet_b0, efficientnet_b7, efficientnet_v2_s, convnext_tiny,
        regnet_y_400mf, regnet_x_400mf, regnet_x_32gf, shufflenet_v2_x1_0, mnasnet1_0, swin_t, swin_v2_t, maxvit_t,
    )
} | {
    "inception_v3": (inception_v3, (1, 3, 299, 299)), "efficientnet_b7": (efficientnet_b7, (1, 3, 600, 600)),
    "efficientnet_v2_s": (efficientnet_v2_s, (1, 3, 384, 384)), "swin_v2_t": (swin_v2_t, (1, 3, 256, 256)),
}  # fmt: skip
