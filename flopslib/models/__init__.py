"""Whole networks, short enough to read: each builder returns a layer to count.

>>> from flopslib import count
>>> from flopslib.models import mobilenet_v2
>>> count(mobilenet_v2(), (1, 3, 224, 224)).macs
300774272
"""

from flopslib.models.alexnet_model import alexnet
from flopslib.models.building import language_model
from flopslib.models.gpt_models import gpt, gpt2_large, gpt2_medium, gpt2_small, gpt2_xl, gpt3
from flopslib.models.llama_models import (
    llama,
    llama2_7b,
    llama2_13b,
    llama2_70b,
    llama3_8b,
    llama3_70b,
    llama_7b,
    llama_13b,
    llama_33b,
    llama_65b,
)
from flopslib.models.mobilenet import mobilenet_v2
from flopslib.models.model_list import Model, build, catalogue
from flopslib.models.open_models import (
    deepseek_v3,
    gemma3_1b,
    gemma3_270m,
    gpt_oss_20b,
    gpt_oss_120b,
    llama3_2_1b,
    llama3_2_3b,
    mixtral_8x7b,
    qwen3_0_6b,
    qwen3_4b,
    qwen3_8b,
    qwen3_30b_a3b,
    stories15m,
)
from flopslib.models.resnet import (
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    resnext101_32x8d,
    resnext101_64x4d,
    wide_resnet50_2,
    wide_resnet101_2,
)
from flopslib.models.vit import vision_transformer, vit_b_16, vit_b_32, vit_h_14, vit_l_16, vit_l_32

__all__ = [
    "Model",
    "alexnet",
    "build",
    "catalogue",
    "deepseek_v3",
    "gemma3_1b",
    "gemma3_270m",
    "gpt",
    "gpt2_large",
    "gpt2_medium",
    "gpt2_small",
    "gpt2_xl",
    "gpt3",
    "gpt_oss_20b",
    "gpt_oss_120b",
    "language_model",
    "llama",
    "llama2_7b",
    "llama2_13b",
    "llama2_70b",
    "llama3_2_1b",
    "llama3_2_3b",
    "llama3_8b",
    "llama3_70b",
    "llama_7b",
    "llama_13b",
    "llama_33b",
    "llama_65b",
    "mixtral_8x7b",
    "mobilenet_v2",
    "qwen3_0_6b",
    "qwen3_4b",
    "qwen3_8b",
    "qwen3_30b_a3b",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "stories15m",
    "vision_transformer",
    "vit_b_16",
    "vit_b_32",
    "vit_h_14",
    "vit_l_16",
    "vit_l_32",
    "wide_resnet50_2",
    "wide_resnet101_2",
]
