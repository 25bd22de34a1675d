"""Measures what PyTorch keeps for the backward pass, storage by storage, and stores it.

Run by `make peers`, in the environment of its own. Everything is run eagerly on a CPU.
"""

import json
import platform
from collections import Counter
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from transformers import GPT2Config, LlamaConfig
from transformers.models.gpt2.modeling_gpt2 import GPT2Block
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding
from vision import torchvision

STORED = Path(__file__).parents[3] / "flopsbook" / "data" / "saved_tensors.json"
#: Sizes of the blocks: samples, positions, width, heads, heads of keys, inner width, LoRA's rank.
SIZES = {"batch": 2, "length": 24, "width": 48, "heads": 4, "kv_heads": 2, "inner": 80, "rank": 3}
BATCH, LENGTH, WIDTH, HEADS, KV_HEADS, INNER, RANK = SIZES.values()
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def saved(run, apart):
    """Return the storages that are kept, parameters apart, as [numbers, bytes of one, how often]."""
    known = {tensor.untyped_storage().data_ptr() for tensor in apart}
    seen, alive = {}, []

    def pack(tensor):
        alive.append(tensor)  # so that no address is used twice
        storage = tensor.untyped_storage()
        if storage.nbytes() and storage.data_ptr() not in known:
            size = tensor.element_size()
            seen.setdefault(storage.data_ptr(), (storage.nbytes() // size, size))
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        alive.append(run())
    return sorted([*each, times] for each, times in Counter(seen.values()).items())


# --- the block of the published formula ----------------------------------------------------


class Block(nn.Module):
    """A layer in full: norms, one product for queries, keys and values, scores step by step."""

    def __init__(self, drop):
        super().__init__()
        d = WIDTH
        self.drop, self.n1, self.n2 = drop, nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.o = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.f1, self.f2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        samples, length, width = x.shape
        parts = self.qkv(self.n1(x)).split(width, -1)
        q, k, v = (t.view(samples, length, HEADS, -1).transpose(1, 2) for t in parts)
        scores = q @ k.transpose(-1, -2) * (width // HEADS) ** -0.5
        found = (self.drop(scores.softmax(-1)) @ v).transpose(1, 2).reshape(x.shape)
        x = x + self.drop(self.o(found))
        return x + self.drop(self.f2(functional.gelu(self.f1(self.n2(x)))))


DROPS = {
    "byte masks": lambda x: torch.native_dropout(x, 0.1, True)[0],
    "masks of a CPU": lambda x: functional.dropout(x, 0.1),
    "no dropout": lambda x: x,
}


class LoRA(nn.Module):
    """A frozen linear layer, and two narrow ones that are learnt beside it."""

    def __init__(self, inner, inputs, outputs):
        super().__init__()
        self.inner = inner
        self.down, self.up = nn.Linear(inputs, RANK, False), nn.Linear(RANK, outputs, False)

    def forward(self, x):
        return self.inner(x) + self.up(self.down(x))


def with_lora(module, names):
    """Freeze everything, and put LoRA beside the layers of these names."""
    module.requires_grad_(False)
    for path, layer in list(module.named_modules()):
        parent, _, name = path.rpartition(".")
        if name in names:
            outputs, inputs = layer.weight.shape
            if type(layer).__name__ == "Conv1D":  # transformers keeps it turned
                inputs, outputs = outputs, inputs
            setattr(module.get_submodule(parent), name, LoRA(layer, inputs, outputs))
    return module


def measured(module, dtype, *more, **options):
    module = module.to(dtype)
    x = torch.randn(BATCH, LENGTH, WIDTH, dtype=dtype, requires_grad=True)
    return saved(lambda: module(x, *more, **options), [*module.parameters(), *flat(options)])


def flat(options):
    for value in options.values():
        yield from value if isinstance(value, tuple) else ()


def gpt2(attention, dropout):
    config = GPT2Config(
        n_embd=WIDTH, n_head=HEADS, attn_pdrop=dropout, resid_pdrop=dropout, n_positions=LENGTH
    )
    config._attn_implementation = attention
    return GPT2Block(config, layer_idx=0).train()


def llama(attention):
    config = LlamaConfig(
        hidden_size=WIDTH, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS,
        intermediate_size=INNER, num_hidden_layers=1, vocab_size=9,
    )  # fmt: skip
    config._attn_implementation = attention
    return LlamaDecoderLayer(config, 0).train(), config


def of_llama(attention, dtype, change=lambda module: module):
    module, config = llama(attention)
    x = torch.zeros(BATCH, LENGTH, WIDTH, dtype=dtype)
    turns = LlamaRotaryEmbedding(config)(x, torch.arange(LENGTH)[None])
    return measured(change(module), dtype, position_embeddings=turns)


def frozen(module):
    return module.requires_grad_(False)


EVERYWHERE = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def subjects():
    """Yield the name and the storages of everything that is measured."""
    for name, dtype in DTYPES.items():
        for drop, dropping in DROPS.items():
            yield f"block, {name}, {drop}", measured(Block(dropping), dtype)
        for attention in ("eager", "sdpa"):
            for dropout in (0.0, 0.1):
                what = f"GPT-2 block, {name}, {attention}, dropout {dropout}"
                yield what, measured(gpt2(attention, dropout), dtype)
            what = f"GPT-2 block, {name}, {attention}, dropout 0.0"
            yield f"{what}, frozen", measured(frozen(gpt2(attention, 0.0)), dtype)
            lora = with_lora(gpt2(attention, 0.0), {"c_attn"})
            yield f"{what}, LoRA on c_attn", measured(lora, dtype)
            what = f"Llama block, {name}, {attention}"
            yield what, of_llama(attention, dtype)
            yield f"{what}, frozen", of_llama(attention, dtype, frozen)
            lora = of_llama(attention, dtype, lambda module: with_lora(module, EVERYWHERE))
            yield f"{what}, LoRA everywhere", lora
    image = torch.randn(1, 3, 224, 224)
    for name in ("resnet18", "vit_b_16"):
        model = getattr(torchvision.models, name)(weights=None).train()
        yield name, saved(lambda model=model: model(image), [*model.parameters(), *model.buffers()])


def main():
    torch.manual_seed(0)
    found = {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "device": "CPU, eager",
        "versions": {name: version(name) for name in ("torch", "torchvision", "transformers")},
        "sizes": SIZES,
        "saved": dict(subjects()),
    }
    text = json.dumps(found, indent=1)
    STORED.write_text(compact(text) + "\n")


def compact(text):
    """Put a list of three numbers into one line."""
    import re

    return re.sub(r"\[\s+(\d+),\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2, \3]", text)


if __name__ == "__main__":
    main()
