"""The Vision Transformer: Dosovitskiy et al., "An image is worth 16×16 words", 2020."""

from __future__ import annotations

from flopslib.layers import (
    GELU,
    ClassToken,
    Conv2d,
    Dropout,
    Flatten,
    LayerNorm,
    Linear,
    MultiheadAttention,
    Permute,
    PositionEmbedding,
    Residual,
    Select,
    Sequential,
)
from flopslib.layers.arguments import divides, size
from flopslib.layers.layer import Layer, Run, Shape
from flopslib.models.model_list import IMAGE, model


def encoder_layer(hidden_dim: int, num_heads: int, mlp_dim: int) -> Layer:
    """Attention and a feed-forward network, each after a norm and around a shortcut."""
    attention = Sequential(
        ln_1=LayerNorm(hidden_dim),
        self_attention=MultiheadAttention(hidden_dim, num_heads, batch_first=True),
        dropout=Dropout(0.0),
    )
    mlp = Sequential(
        ln_2=LayerNorm(hidden_dim),
        linear_1=Linear(hidden_dim, mlp_dim),
        gelu=GELU(),
        linear_2=Linear(mlp_dim, hidden_dim),
        dropout=Dropout(0.0),
    )
    return Sequential(attention=Residual(attention), mlp=Residual(mlp))


class VisionTransformer(Sequential):
    """The layers of a ViT, for square images of one size: its positions are learnt."""

    def __init__(self, image_size: int, **layers: Layer) -> None:
        self._set(children=tuple(layers.items()), image_size=image_size)

    def flow(self, x: Shape, run: Run) -> Shape:
        """Refuse images of another size, then give each layer what the one before it returned."""
        side = self.image_size
        if x[-2:] != (side, side):
            self._refuse(
                f"is built for images of {side}×{side}, got {x}; "
                f"build it with image_size={x[-1] if x else '…'}"
            )
        return super().flow(x, run)


def vision_transformer(
    image_size: int,
    patch_size: int,
    num_layers: int,
    num_heads: int,
    hidden_dim: int,
    mlp_dim: int,
    num_classes: int = 1000,
) -> Layer:
    """Return a ViT of any size, for square images of one size.

    Raises:
        ValueError: a patch that does not divide the image.

    >>> vision_transformer(32, 4, 6, 8, 512, 512).output_shape((1, 3, 32, 32))
    (1, 1000)
    """
    image_size = size("image_size", image_size)
    divides("patch_size", size("patch_size", patch_size), image_size=image_size)
    positions = (image_size // patch_size) ** 2 + 1
    layer = encoder_layer(hidden_dim, num_heads, mlp_dim)
    return VisionTransformer(
        image_size,
        conv_proj=Conv2d(3, hidden_dim, patch_size, stride=patch_size),
        flatten=Flatten(2),
        permute=Permute((0, 2, 1)),
        class_token=ClassToken(hidden_dim),
        pos_embedding=PositionEmbedding(1, positions, hidden_dim),
        layers=Sequential(*[layer] * size("num_layers", num_layers)),
        ln=LayerNorm(hidden_dim),
        class_position=Select(1, 0),
        head=Linear(hidden_dim, size("num_classes", num_classes)),
    )


@model()
def vit_b_16(image_size: int = 224, num_classes: int = 1000) -> Layer:
    """ViT-B/16: 12 layers, patches of 16×16.

    >>> vit_b_16().parameters
    86567656
    """
    return vision_transformer(image_size, 16, 12, 12, 768, 3072, num_classes)


@model()
def vit_b_32(image_size: int = 224, num_classes: int = 1000) -> Layer:
    """ViT-B/32: 12 layers, patches of 32×32."""
    return vision_transformer(image_size, 32, 12, 12, 768, 3072, num_classes)


@model()
def vit_l_16(image_size: int = 224, num_classes: int = 1000) -> Layer:
    """ViT-L/16: 24 layers, patches of 16×16."""
    return vision_transformer(image_size, 16, 24, 16, 1024, 4096, num_classes)


@model()
def vit_l_32(image_size: int = 224, num_classes: int = 1000) -> Layer:
    """ViT-L/32: 24 layers, patches of 32×32."""
    return vision_transformer(image_size, 32, 24, 16, 1024, 4096, num_classes)


@model((*IMAGE[:2], 518, 518))
def vit_h_14(image_size: int = 518, num_classes: int = 1000) -> Layer:
    """ViT-H/14: 32 layers, patches of 14×14, images of 518×518."""
    return vision_transformer(image_size, 14, 32, 16, 1280, 5120, num_classes)
