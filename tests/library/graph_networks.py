"""Networks that others define, written with the layers and graphs of the library alone."""

from __future__ import annotations

from itertools import pairwise

from flopslib import layers as nn
from flopslib.models import resnet50


def double(inputs, outputs):
    parts = []
    for seen in (inputs, outputs):
        conv = nn.Conv2d(seen, outputs, 3, padding=1, bias=False)
        parts += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*parts)


def unet(classes=2, widths=(64, 128, 256, 512, 512)):
    """A U-Net that enlarges by bilinear interpolation."""
    nodes = {"level0": double(3, widths[0])}
    for at, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        nodes[f"pool{at}"] = (nn.MaxPool2d(2), f"level{at - 1}")
        nodes[f"level{at}"] = double(inputs, outputs)
    for at in reversed(range(len(widths) - 1)):
        nodes[f"up{at}"] = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        nodes[f"skip{at}"] = (nn.Cat(1), f"level{at}", f"up{at}")
        nodes[f"merge{at}"] = double(2 * widths[at], widths[max(at - 1, 0)])
    return nn.Graph(nodes, head=nn.Conv2d(widths[0], classes, 1))


def dilated_resnet50():
    """The ResNet-50 whose last two stages widen their windows instead of their strides."""
    base = resnet50()

    def stage(name, dilation, before):
        return nn.Sequential(
            *[
                rebuilt(block, dilation if at else before, at == 0)
                for at, block in enumerate(base[name])
            ]
        )

    def rebuilt(block, dilation, first):
        conv = block.body["conv2"]
        wide = nn.Conv2d(conv.in_channels, conv.out_channels, 3, 1, dilation, dilation, bias=False)
        body = {name: wide if name == "conv2" else each for name, each in block.body.children}
        shortcut = block.shortcut
        if first:
            around = shortcut[0]
            again = nn.Conv2d(around.in_channels, around.out_channels, 1, bias=False)
            shortcut = nn.Sequential(again, shortcut[1])
        return nn.Residual(nn.Sequential(body), shortcut, then=nn.ReLU())

    front = [
        each for name, each in base.children if not name.startswith(("layer", "avg", "fl", "fc"))
    ]
    return nn.Sequential(
        *front, base["layer1"], base["layer2"], stage("layer3", 2, 1), stage("layer4", 4, 2)
    )


def deeplabv3(classes=21, width=256):
    """DeepLabV3 on a ResNet-50: five views of the last plane, side by side."""

    def norm(inputs, kernel=1, **more):
        conv = nn.Conv2d(inputs, width, kernel, bias=False, **more)
        return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())

    views = {f"view{d}": (norm(2048, 3, padding=d, dilation=d), "plane") for d in (12, 24, 36)}
    return nn.Graph(
        {"plane": dilated_resnet50(), "view1": norm(2048), **views},
        mean=(nn.AdaptiveAvgPool2d(1), "plane"),
        of_mean=norm(2048),
        spread=nn.Upsample(65, mode="bilinear"),
        all=(nn.Cat(1), "view1", *views, "spread"),
        project=norm(5 * width),
        dropout=nn.Dropout(0.5),
        conv=norm(width, 3, padding=1),
        classes=nn.Conv2d(width, classes, 1),
        enlarge=nn.Upsample(520, mode="bilinear"),
    )


def lstm_language_model(words=10000, width=650):
    return nn.Sequential(
        tokens=nn.Embedding(words, width),
        lstm=nn.LSTM(width, width, num_layers=2),
        logits=nn.Linear(width, words),
    )


def mlp(*widths, last):
    layers = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1], last)


def dlrm(tables=26, rows=1000, width=64):
    """A recommender: tables, and the product of every two of their vectors."""
    names = [f"table{at}" for at in range(tables)]
    pairs = (tables + 1) * tables // 2
    cells = (tables + 1) ** 2
    return nn.Graph(
        {
            "bottom": (mlp(13, 512, 256, width, last=nn.ReLU()), "dense"),
            **{
                name: (nn.Sequential(nn.Slice(at, at + 1), nn.Embedding(rows, width)), "sparse")
                for at, name in enumerate(names)
            },
            "row": (nn.Unflatten(1, (1, width)), "bottom"),
            "all": (nn.Cat(1), "row", *names),
            "turned": nn.Permute((0, 2, 1)),
            "products": (nn.MatMul(), "all", "turned"),
            "flat": nn.Flatten(),
            "pairs": nn.Slice(cells - pairs, None),
            "joined": (nn.Cat(1), "bottom", "pairs"),
            "top": mlp(width + pairs, 512, 256, 1, last=nn.Sigmoid()),
        },
        inputs=("dense", "sparse"),
    )


def piece(at, width):
    """A row of a conditioning vector, which every position gets."""
    return nn.Sequential(nn.Slice(at * width, (at + 1) * width), nn.Unflatten(1, (1, width)))


def modulated(name, source, at, width):
    """x · scale + shift, both cut from what conditions the block."""
    return {
        f"{name}_shift": (piece(at, width), "six"),
        f"{name}_scale": (piece(at + 1, width), "six"),
        f"{name}_scaled": (nn.Product(), source, f"{name}_scale"),
        f"{name}_in": (nn.Sum(), f"{name}_scaled", f"{name}_shift"),
    }


def dit_block(width, heads):
    def norm():
        return nn.LayerNorm(width, elementwise_affine=False)

    ffn = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
    nodes = {"six": (nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width)), "c")}
    before = "x"
    for at, (name, body) in enumerate(
        (("attention", nn.SelfAttention(width, heads)), ("ffn", ffn))
    ):
        nodes |= {f"{name}_norm": (norm(), before)}
        nodes |= modulated(name, f"{name}_norm", 3 * at, width)
        nodes |= {
            f"{name}_out": body,
            f"{name}_gate": (piece(3 * at + 2, width), "six"),
            f"{name}_gated": (nn.Product(), f"{name}_out", f"{name}_gate"),
            f"{name}_sum": (nn.Sum(), before, f"{name}_gated"),
        }
        before = f"{name}_sum"
    return nn.Graph(nodes, inputs=("x", "c"))


def dit_xl_2(width=1152, depth=28, heads=16):
    """DiT-XL/2 on latents of 4×32×32, which predicts noise and variance: 8 channels."""
    nodes = {
        "patches": (nn.Conv2d(4, width, 2, stride=2), "image"),
        "flat": nn.Flatten(2),
        "tokens": nn.Permute((0, 2, 1)),
        "time_mlp": (
            nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width)),
            "time",
        ),
        "label_row": (nn.Embedding(1001, width), "label"),
        "c": (nn.Sum(), "time_mlp", "label_row"),
    }
    before = "tokens"
    for at in range(depth):
        nodes[f"block{at}"] = (dit_block(width, heads), before, "c")
        before = f"block{at}"
    nodes |= {
        "six": (nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width)), "c"),
        "last_norm": (nn.LayerNorm(width, elementwise_affine=False), before),
        **modulated("last", "last_norm", 0, width),
        "head": nn.Linear(width, 2 * 2 * 8),
    }
    return nn.Graph(nodes, inputs=("image", "time", "label"))


def before(norm, body):
    """A body that gets its input normalised, and a way around both."""
    return nn.Residual(nn.Sequential(norm=norm, body=body))


def whisper_tiny(width=384, heads=6, depth=4, words=51865):
    """Whisper-tiny: sound through an encoder, text through a decoder that looks at it."""

    def ffn():
        return nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    encoder = nn.Sequential(
        conv1=nn.Conv1d(80, width, 3, padding=1), gelu1=nn.GELU(),
        conv2=nn.Conv1d(width, width, 3, stride=2, padding=1), gelu2=nn.GELU(),
        turned=nn.Permute((0, 2, 1)), places=nn.PositionEmbedding(1500, width),
        layers=nn.Sequential(*[
            nn.Sequential(
                before(nn.LayerNorm(width), nn.SelfAttention(width, heads, bias="qvo")),
                before(nn.LayerNorm(width), ffn()),
            )
        ] * depth),
        norm=nn.LayerNorm(width),
    )  # fmt: skip
    nodes = {
        "encoder": (encoder, "sound"),
        "tokens": (nn.Embedding(words, width), "text"),
        "places": nn.LearnedPositions(448, width),
    }
    last = "places"
    for at in range(depth):
        own = nn.SelfAttention(width, heads, bias="qvo", causal=False)
        nodes |= {
            f"self{at}": (before(nn.LayerNorm(width), own), last),
            f"norm{at}": nn.LayerNorm(width),
            f"cross{at}": (nn.CrossAttention(width, heads, bias="qvo"), f"norm{at}", "encoder"),
            f"sum{at}": (nn.Sum(), f"self{at}", f"cross{at}"),
            f"ffn{at}": before(nn.LayerNorm(width), ffn()),
        }
        last = f"ffn{at}"
    nodes |= {
        "norm": (nn.LayerNorm(width), last),
        "logits": nn.Shared(nn.Linear(width, words, bias=False)),
    }
    return nn.Graph(nodes, inputs=("sound", "text"))


def in_heads(heads, head_dim):
    return nn.Sequential(nn.Unflatten(2, (heads, head_dim)), nn.Permute((0, 2, 1, 3)))


def t5_attention(width, heads, head_dim, biased):
    """Unscaled attention of x to memory, with a bias for every distance if there is one."""

    def project():
        linear = nn.Linear(width, heads * head_dim, bias=False)
        return nn.Sequential(linear, in_heads(heads, head_dim))

    nodes = {
        "q": (project(), "x"), "k": (project(), "memory"), "v": (project(), "memory"),
        "turned": (nn.Permute((0, 1, 3, 2)), "k"),
        "scores": (nn.MatMul(), "q", "turned"),
    }  # fmt: skip
    if biased:
        nodes["biased"] = (nn.Sum(), "scores", "distances")
    nodes |= {
        "softmax": nn.Softmax(-1),
        "seen": (nn.MatMul(), "softmax", "v"),
        "beside": nn.Sequential(nn.Permute((0, 2, 1, 3)), nn.Flatten(2)),
        "out": nn.Linear(heads * head_dim, width, bias=False),
    }
    inputs = ("x", "memory", "distances") if biased else ("x", "memory")
    return nn.Graph(nodes, inputs=inputs)


def t5_small(width=512, heads=8, depth=6, words=32128):
    """T5-small; which bucket a distance is in comes in as numbers."""

    def ffn():
        inner = nn.Linear(width, 2048, bias=False), nn.ReLU(), nn.Linear(2048, width, bias=False)
        return before(nn.RMSNorm(width), nn.Sequential(*inner))

    def distances():
        return nn.Sequential(
            nn.Embedding(32, heads), nn.Permute((2, 0, 1)), nn.Unflatten(0, (1, heads))
        )

    def attention(name, last, memory, bias):
        biased = (bias,) if bias else ()
        looks = t5_attention(width, heads, 64, bool(bias))
        return {
            f"{name}_norm": (nn.RMSNorm(width), last),
            name: (looks, f"{name}_norm", memory or f"{name}_norm", *biased),
            f"{name}_sum": (nn.Sum(), last, name),
        }

    nodes = {
        "tokens": (nn.Embedding(words, width), "question"),
        "near": (distances(), "question_buckets"),
    }
    last = "tokens"
    for at in range(depth):
        nodes |= attention(f"look{at}", last, None, "near")
        nodes[f"ffn{at}"] = ffn()
        last = f"ffn{at}"
    nodes["encoded"] = nn.RMSNorm(width)
    nodes["answered"] = (nn.Shared(nn.Embedding(words, width)), "answer")
    nodes["before"] = (distances(), "answer_buckets")
    last = "answered"
    for at in range(depth):
        nodes |= attention(f"own{at}", last, None, "before")
        nodes |= attention(f"cross{at}", f"own{at}_sum", "encoded", None)
        nodes[f"answer_ffn{at}"] = ffn()
        last = f"answer_ffn{at}"
    nodes |= {
        "norm": nn.RMSNorm(width),
        "scaled": nn.ConstantFactor(width**-0.5),
        "logits": nn.Shared(nn.Linear(width, words, bias=False)),
    }
    return nn.Graph(nodes, inputs=("question", "question_buckets", "answer", "answer_buckets"))


def on_plane(side, *layers):
    """Layers on the plane that positions stand for, and back to positions."""
    plane = nn.Permute((0, 2, 1)), nn.Unflatten(2, (side, -1))
    return nn.Sequential(*plane, *layers, nn.Flatten(2), nn.Permute((0, 2, 1)))


def segformer_block(width, heads, reduction, side):
    wide = 4 * width
    around = on_plane(side, nn.Conv2d(wide, wide, 3, padding=1, groups=wide))
    ffn = nn.Sequential(nn.Linear(width, wide), around, nn.GELU(), nn.Linear(wide, width))
    if reduction == 1:
        attention = nn.SelfAttention(width, heads)
    else:
        fewer = on_plane(side, nn.Conv2d(width, width, reduction, stride=reduction))
        attention = nn.Graph(
            fewer=fewer,
            norm=nn.LayerNorm(width),
            look=(nn.CrossAttention(width, heads), "x", "norm"),
        )
    return nn.Sequential(before(nn.LayerNorm(width), attention), before(nn.LayerNorm(width), ffn))


def segformer_b0(classes=150, side=256, width=256):
    """SegFormer-B0: four stages of attention with fewer keys, joined at a quarter of the side."""
    nodes, plane, seen = {}, "x", 3
    stages = ((32, 1, 8, 7, 4), (64, 2, 4, 3, 2), (160, 5, 2, 3, 2), (256, 8, 1, 3, 2))
    for at, (wide, heads, reduction, kernel, stride) in enumerate(stages):
        side //= stride
        block = segformer_block(wide, heads, reduction, side)
        nodes |= {
            f"patches{at}": (nn.Conv2d(seen, wide, kernel, stride, kernel // 2), plane),
            f"flat{at}": nn.Sequential(nn.Flatten(2), nn.Permute((0, 2, 1))),
            f"norm{at}": nn.LayerNorm(wide),
            f"blocks{at}": nn.Sequential(block, block),
            f"last_norm{at}": nn.LayerNorm(wide),
            f"stage{at}": nn.Sequential(nn.Permute((0, 2, 1)), nn.Unflatten(2, (side, side))),
        }
        plane, seen = f"stage{at}", wide
    for at, (wide, *_) in enumerate(stages):
        nodes[f"view{at}"] = (on_plane_of(wide, width), f"stage{at}")
        nodes[f"large{at}"] = nn.Upsample(64, mode="bilinear")
    return nn.Graph(
        nodes,
        all=(nn.Cat(1), *(f"large{at}" for at in reversed(range(4)))),
        fuse=nn.Conv2d(4 * width, width, 1, bias=False),
        norm=nn.BatchNorm2d(width),
        relu=nn.ReLU(),
        head=nn.Conv2d(width, classes, 1),
    )


def on_plane_of(inputs, outputs):
    """A linear layer on the channels of every pixel."""
    turn, back = nn.Permute((0, 2, 3, 1)), nn.Permute((0, 3, 1, 2))
    return nn.Sequential(turn, nn.Linear(inputs, outputs), back)
