"""The calculator of language models: a prompt, an answer, a training run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import sympy

from flopsbook.labs.form import Choice, Flag, Form, Group, Ratio, Rule, Size
from flopsbook.labs.presets import title, walk
from flopsbook.labs.view import beginning_with
from flopslib.costs import feed_forward, gated_feed_forward, linear, multihead_attention
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand, external
from flopslib.derivation.primitives import layer_norm, rms_norm
from flopslib.derivation.steps import Step
from flopslib.hardware import chip
from flopslib.layers import Embedding, LayerNorm, LearnedPositions, RMSNorm
from flopslib.layers.layer import Node, measured
from flopslib.memory import Torch, kept, training_state
from flopslib.models.language import FLOPS_PER_MAC, PASSES
from flopslib.models.model_list import Model, catalogue

__all__ = ["calculator", "language_models"]

FAMILIES = ("GPT", "LLaMA")
GPT, LLAMA = range(2)
#: The switches, in the order of the fields.
SWITCHES = ("family", "cache", "causal")


class Sizes(NamedTuple):
    """The sizes of a model, numbers or symbols."""

    layers: Any
    width: Any
    heads: Any
    kv_heads: Any
    hidden: Any
    words: Any
    positions: Any


def _symbols(names: str) -> Any:
    return sympy.symbols(names, positive=True, integer=True)


MODEL = Sizes(*_symbols(" ".join(Sizes._fields)))
PROMPT, ANSWER, BATCH, BYTES, TOKENS, LENGTH, STEP, PEAK, BANDWIDTH = _symbols(
    "prompt answer batch bytes tokens length step peak bandwidth"
)


#: What PyTorch keeps for a gradient, in 16 bits.
KEEPER = Torch(16)


class Family:
    """A family of models on letters, from the derivations of its parts."""

    def __init__(self, family: int, sizes: Sizes) -> None:
        """Take which family, and the sizes, of which a GPT does without some."""
        self.gated = family == LLAMA
        if not self.gated:
            sizes = sizes._replace(kv_heads=sizes.heads, hidden=4 * sizes.width)
        self.sizes = sizes

    def layer(self, length: Any, seen: Any, batch: Any, causal: bool) -> list[Derivation]:
        """Return attention and FFN of one layer."""
        s, bias = self.sizes, not self.gated
        ffn: Any = gated_feed_forward if self.gated else feed_forward
        attention = multihead_attention(
            length, s.width, num_heads=s.heads, num_kv_heads=s.kv_heads, kv_seq_len=seen,
            causal=causal, batch=batch, bias=bias,
        )  # fmt: skip
        return [attention, ffn(length, s.width, d_ff=s.hidden, batch=batch, bias=bias)]

    def logits(self, predictions: Any) -> Derivation:
        """Return the last product."""
        return linear(self.sizes.width, self.sizes.words, batch=predictions, bias=False)

    def macs(
        self, length: Any, *, batch: Any, predictions: Any, causal: bool = True, seen: Any = None
    ) -> Any:
        """Return the MACs of a forward pass."""
        inside = sum(part.macs for part in self.layer(length, seen, batch, causal))
        return sympy.expand(self.sizes.layers * inside + self.logits(predictions).macs)

    @property
    def parameters(self) -> Any:
        """All that is learnt: the weights that the products read, tables and norms."""
        s = self.sizes
        layer = sum(_sizes_of("weight", part) for part in self.layer(1, None, 1, True))
        norm = (RMSNorm if self.gated else LayerNorm)(1).parameters * s.width
        tables = Embedding(1, 1).parameters * s.words * s.width
        if self.gated:
            tables += _sizes_of("weight", self.logits(1))
        else:  # the table of tokens makes the logits as well
            tables += LearnedPositions(1, 1).parameters * s.positions * s.width
        return sympy.expand(s.layers * (layer + 2 * norm) + norm + tables)

    @property
    def read(self) -> Any:
        """How many weights a step reads: of a table that only looks up, next to none."""
        s = self.sizes
        looked_up = s.words if self.gated else s.positions
        return sympy.expand(self.parameters - looked_up * s.width)

    def activations(self, length: Any) -> Any:
        """Return the bytes that all layers keep for the backward pass of one text, in 16 bits."""
        x, y = (Operand(name, (length, self.sizes.width)) for name in ("x", "y"))
        learnt = ["gamma"] if self.gated else ["gamma", "beta"]
        weights = (Operand(name, (self.sizes.width,), "weight") for name in learnt)
        norm = (rms_norm if self.gated else layer_norm)(self.sizes.width)
        step = Step("norm", (norm,), (length,), reads=(x, *weights), writes=y)
        parts = [*self.layer(length, None, 1, False), *[Derivation((step,))] * 2]
        return sympy.expand(self.sizes.layers * sum(kept(part, KEEPER).bytes for part in parts))

    def kept(self, length: Any, batch: Any) -> Any:
        """Return how many numbers of so many tokens are in the KV cache of all layers."""
        attention, _ = self.layer(1, length + 1, batch, True)
        return sympy.expand(self.sizes.layers * _sizes_of("cache", attention))


def _sizes_of(role: str, derivation: Derivation) -> Any:
    return sum(part.size for part in external(derivation.steps) if part.role == role)


def _results(family: int, cached: bool, causal: bool) -> dict[str, Any]:
    model = Family(family, MODEL)

    def step(number: Any) -> Any:
        length = PROMPT + number
        if cached:
            return model.macs(1, seen=length, batch=BATCH, predictions=BATCH)
        return model.macs(length, batch=BATCH, predictions=BATCH, causal=causal)

    prompt = model.macs(PROMPT, batch=BATCH, predictions=BATCH, causal=causal)
    answer = sympy.expand(sympy.summation(step(STEP), (STEP, 1, ANSWER)))
    text_of = model.macs(LENGTH, batch=1, predictions=LENGTH, causal=causal)
    macs = {
        "prompt_macs": prompt, "first_macs": step(1), "last_macs": step(ANSWER),
        "answer_macs": answer, "all_macs": prompt + answer,
        "training_macs": PASSES * text_of * TOKENS / LENGTH,
    }  # fmt: skip
    flops = {n.replace("macs", "flops"): FLOPS_PER_MAC * value for n, value in macs.items()}
    in_cache = model.kept(PROMPT + ANSWER, BATCH) if cached else sympy.S.Zero
    state = training_state(model.parameters)["all"]
    activations = model.activations(LENGTH)
    return macs | flops | {
        "parameters": model.parameters,
        "weight_bytes": BYTES * model.parameters,
        "kept": in_cache,
        "kept_bytes": BYTES * in_cache,
        "step_bytes": sympy.expand(BYTES * (model.read + in_cache)),
        "peak_": PEAK,
        "bandwidth_": BANDWIDTH,
        "state_bytes": sympy.expand(state),
        "activation_bytes": activations,
        "run_bytes": sympy.expand(state + activations),
        "rule": PASSES * FLOPS_PER_MAC * model.parameters * TOKENS,
    }  # fmt: skip


@cache
def _values() -> Mapping[str, Mapping[tuple[int, ...], Any]]:
    found: dict[str, dict[tuple[int, ...], Any]] = {}
    for key in product(range(2), repeat=3):
        family, cached, causal = key
        for name, value in _results(family, bool(cached), bool(causal)).items():
            found.setdefault(name, {})[key] = value
    return found


def language_models() -> dict[str, Model]:
    """Return the GPTs and LLaMAs of the library by the names that people know.

    >>> list(language_models())[:2]
    ['GPT-2 small', 'GPT-2 medium']
    """
    built_alike = ("flopslib.models.gpt_models", "flopslib.models.llama_models")
    return {
        title(entry): entry
        for entry in catalogue().values()
        if entry.build.__module__ in built_alike
    }


def _family(node: Node) -> int:
    kinds = {type(part.layer).__name__ for _, part in walk(node)}
    return LLAMA if "RMSNorm" in kinds else GPT


def setting(entry: Model) -> dict[str, Any]:
    """Return a model's sizes, read off its layers, and a sequence to begin with."""
    node = measured(entry.build(), entry.input_shape)
    layers: dict[str, Any] = {}
    for _, part in walk(node):
        layers.setdefault(type(part.layer).__name__, part.layer)
    attention, table = layers["SelfAttention"], layers["Embedding"]
    number = sum(type(part.layer).__name__ == "SelfAttention" for _, part in walk(node))
    family, usual = _family(node), entry.input_shape[1]
    width, heads = table.embedding_dim, attention.num_heads
    hidden = layers["SwiGLU"].hidden_features if family == LLAMA else 4 * width
    positions = layers["LearnedPositions"].num_positions if family == GPT else usual
    kv_heads = attention.__dict__.get("num_kv_heads") or heads
    sizes = Sizes(number, width, heads, kv_heads, hidden, table.num_embeddings, positions)
    texts = {"length": usual, "tokens": READ // usual * usual}
    return {"family": family, **sizes._asdict(), **USUAL, **texts}


#: What is asked of a model to begin with, and about how much it has read.
USUAL = {
    "peak": chip("H100 SXM").rate("bf16"), "bandwidth": chip("H100 SXM").bandwidth,
    "cache": True, "causal": False, "prompt": 512, "answer": 256, "batch": 1, "bytes": 2,
}  # fmt: skip
READ = 300 * 10**9

ONLY_GPT, ONLY_LLAMA = {"family": GPT}, {"family": LLAMA}
FIELDS = (
    Choice("family", "built like a", FAMILIES),
    Size("layers", "layers"),
    Size("width", "width of a token"),
    Size("heads", "heads of the queries"),
    Size("kv_heads", "heads of keys, values", ONLY_LLAMA),
    Size("hidden", "width inside the FFN", ONLY_LLAMA),
    Size("words", "tokens that it knows"),
    Size("positions", "longest sequence", ONLY_GPT),
    Size("prompt", "tokens of the prompt"),
    Size("answer", "new tokens"),
    Size("batch", "sequences at once"),
    Size("bytes", "bytes of a number"),
    Flag("cache", "with a KV cache"),
    Flag("causal", "causal pairs only"),
    Size("tokens", "training tokens"),
    Size("length", "tokens of one sequence"),
    Size("peak", "FLOP/s of a chip"),
    Size("bandwidth", "bytes/s of its memory"),
)
BOTH = ("MACs", "FLOPs")


def _both(label: str, name: str) -> Any:
    return label, (f"{name}_macs", f"{name}_flops")


GROUPS = (
    Group("the answer", BOTH, (
        _both("the prompt", "prompt"),
        _both("the first new token", "first"),
        _both("the last new token", "last"),
        _both("all new tokens", "answer"),
        _both("prompt and new tokens", "all"),
    )),
    Group("the memory", ("numbers", "bytes"), (
        ("parameters", ("parameters", "weight_bytes")),
        ("KV cache at the end", ("kept", "kept_bytes")),
    )),
    Group("the step of the last new token", ("this step", "the chip"), (
        ("bytes of weights and cache", ("step_bytes", None)),
        ("FLOPs for each byte",
         (Ratio("last_flops", "step_bytes"), Ratio("peak_", "bandwidth_"))),
        ("time of the products, at least", (Ratio("last_flops", "peak_", time=True), None)),
        ("time of the bytes, at least", (Ratio("step_bytes", "bandwidth_", time=True), None)),
    )),
    Group("the memory of a training", ("bytes",), (
        ("weights, gradients and Adam's states", ("state_bytes",)),
        ("activations of the layers, one text", ("activation_bytes",)),
        ("both", ("run_bytes",)),
    )),
    Group("the training", BOTH, (
        _both("exact count", "training"),
        ("6 · parameters · tokens", (None, "rule")),
        ("exact count over it", (None, Ratio("training_flops", "rule"))),
    )),
)  # fmt: skip
DIVIDES = (
    Rule(MODEL.width, MODEL.heads,
         "heads must divide the width, got {heads} heads and a width of {width}"),
    Rule(
        MODEL.width, 2 * MODEL.heads,
        "the width of a head must be even in a LLaMA, got {heads} heads and a width of {width}",
        ONLY_LLAMA,
    ),
    Rule(MODEL.heads, MODEL.kv_heads,
         "the heads of keys and values must divide those of the queries, "
         "got {kv_heads} and {heads}", ONLY_LLAMA),
    Rule(TOKENS, LENGTH,
         "training tokens must be a whole number of sequences, "
         "got {tokens} in sequences of {length}"),
)  # fmt: skip
LIMITS = (
    Rule(PROMPT + ANSWER, MODEL.positions,
         "prompt and new tokens must fit into the longest sequence, "
         "got {prompt} and {answer} for {positions}", ONLY_GPT),
    Rule(LENGTH, MODEL.positions,
         "a training sequence must fit into the longest sequence, "
         "got {length} for {positions}", ONLY_GPT),
)  # fmt: skip


COLUMNS = {
    "parameters": "parameters",
    "MACs of the prompt": "prompt_macs",
    "MACs of all new tokens": "answer_macs",
    "KV cache in bytes": "kept_bytes",
}


def calculator(preset: str = "LLaMA-7B") -> Form:
    """Make the calculator of language models.

    Args:
        preset: the model that it opens with.

    Raises:
        ValueError: no language model is called that.

    >>> print(repr(calculator("GPT-3 175B")).splitlines()[2])
    | GPT-3 175B | 174,604,259,328 | 89,679,534,698,496 | 45,075,164,823,552 | 3,623,878,656 |
    """
    models = beginning_with(preset, language_models())
    presets = {name: setting(entry) for name, entry in models.items()}
    return Form(
        "language_model",
        "Try it: what a language model costs",
        FIELDS,
        _values(),
        GROUPS,
        presets,
        COLUMNS,
        divides=DIVIDES,
        limits=LIMITS,
        begin="model",
        note="Logits are counted for the last token of the prompt and for every new token, and in "
        "training for every token. A training step costs three forward passes. Each new token is "
        "read by the model, the last one too. A step reads the cache and every weight that it "
        "multiplies. The training is in mixed precision with fused attention, and keeps the "
        "activations that PyTorch keeps.",
        room=("103.6rem", "143.9rem"),
    )
