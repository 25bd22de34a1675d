"""Single layers of language models, as transformers has them."""

from __future__ import annotations

import torch
import vision  # noqa: F401  transformers loads torchvision, and so it has to be loadable
from torch import nn
from transformers import GPT2Config, LlamaConfig
from transformers.models.gpt2.modeling_gpt2 import GPT2Block
from transformers.models.llama.modeling_llama import LlamaDecoderLayer


class LlamaLayer(nn.Module):
    """A layer of LLaMA-7B, or of another width, with the angles of its positions beside it."""

    def __init__(self, width: int = 4096, inner: int = 11008, positions: int = 128) -> None:
        super().__init__()
        heads = 32
        config = LlamaConfig(
            hidden_size=width,
            intermediate_size=inner,
            num_attention_heads=heads,
            attn_implementation="sdpa",
        )
        self.layer = LlamaDecoderLayer(config, 0)
        self.register_buffer("cos", torch.ones(1, positions, width // heads))
        self.register_buffer("sin", torch.ones(1, positions, width // heads))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the layer."""
        return self.layer(x, position_embeddings=(self.cos, self.sin))


def gpt2_layer(width: int = 768) -> nn.Module:
    """Return a layer of GPT-2 small, or of another width."""
    return GPT2Block(GPT2Config(n_embd=width, attn_implementation="sdpa"), 0)
