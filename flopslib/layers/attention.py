"""Attention: torch's module, and the one of language models row by row."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from flopslib.costs.attending import multihead_attention
from flopslib.costs.heads import Heads, seen_before, seen_in_window
from flopslib.costs.latent import latent_heads
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.steps import Step
from flopslib.layers.arguments import divides, flag, per_axis, size, untouched
from flopslib.layers.dense import Linear
from flopslib.layers.elementwise import Product, Sigmoid, probability
from flopslib.layers.layer import Formula, Layer, Run, Shape, several
from flopslib.layers.normalization import RMSNorm
from flopslib.layers.operations import each
from flopslib.layers.values import view
from flopslib.sizes.exact import smaller


def _multihead(batch: Any, length: Any, width: Any, heads: Any, bias: bool) -> Derivation:
    return multihead_attention(length, width, num_heads=heads, batch=batch, bias=bias)


def _multihead_dropped(batch: Any, length: Any, width: Any, heads: Any, bias: bool) -> Derivation:
    """Multiply each weight of the attention by a factor that was drawn, before it is used."""
    steps = _multihead(batch, length, width, heads, bias).steps
    at = [step.name for step in steps].index("softmax") + 1
    weights: Any = steps[at - 1].writes
    dropped = replace(weights, name="dropped")
    drop = Step("dropout", (primitives.dropout(),), weights.shape, "score", (weights,), dropped)
    later = Derivation(steps[at:]).on(**{weights.name: dropped}).steps
    return Derivation((*steps[:at], drop, *later), "attention")


def _heads(
    batch: Any, length: Any, keys: Any, heads: Any, width: Any, value_width: Any, *window: Any,
    causal: bool, scaled: bool, sink_logits: bool,
) -> Derivation:  # fmt: skip
    visible = seen_before(length, keys) if causal else None
    if window:
        near, sinks = window
        visible = seen_in_window(length, keys, near, sinks, causal)
        keys = length + smaller(keys - length, near - 1 + sinks)  # no others are kept
    return (
        Heads(batch, heads, length, keys, width, value_width, visible, scaled, sink_logits)
        .attend()
        .named("scores and sums")
    )


def _in_chunks(
    batch: Any, heads: Any, width: Any, value_width: Any, *pieces: Any, scaled: bool,
    sink_logits: bool,
) -> Derivation:  # fmt: skip
    """Attend inside each piece: of so many there are queries of a length, and keys."""
    found = Derivation(())
    for times, length, keys in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        visible = seen_before(length, keys)
        piece = Heads(
            batch * times, heads, length, keys, width, value_width, visible, scaled, sink_logits
        )
        found = found + piece.attend()
    return found.named("scores and sums")


class MultiheadAttention(Layer):
    """Self-attention with its four projections, as torch.nn.MultiheadAttention.

    Query, key and value are the one input. No mask: every position sees all.
    As in torch, the *first* axis is the position unless ``batch_first=True``.

    Shapes:
        (L, N, embed_dim) → the same; with ``batch_first`` (N, L, embed_dim);
        without a batch (L, embed_dim)

    >>> MultiheadAttention(768, 12, batch_first=True).parameters
    2362368
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        self._set(
            embed_dim=size("embed_dim", embed_dim),
            num_heads=size("num_heads", num_heads),
            dropout=probability(dropout),
            bias=flag("bias", bias),
            add_bias_kv=flag("add_bias_kv", add_bias_kv),
            add_zero_attn=flag("add_zero_attn", add_zero_attn),
            kdim=kdim,
            vdim=vdim,
            batch_first=flag("batch_first", batch_first),
        )
        divides("num_heads", self.num_heads, embed_dim=self.embed_dim)
        untouched(
            "self-attention",
            add_bias_kv=(add_bias_kv, False),
            add_zero_attn=(add_zero_attn, False),
        )
        for name, width in (("kdim", kdim), ("vdim", vdim)):
            if width not in (None, embed_dim):
                raise ValueError(
                    f"{name} must be embed_dim={embed_dim} or None, got {width!r}: "
                    f"keys and values come from the same input"
                )

    @property
    def weights(self) -> dict[str, Shape]:
        """Three projections in one matrix, the output's, and the biases of both."""
        d = self.embed_dim
        matrices: dict[str, Shape] = {"in_proj_weight": (3 * d, d), "out_proj.weight": (d, d)}
        biases: dict[str, Shape] = {"in_proj_bias": (3 * d,), "out_proj.bias": (d,)}
        return matrices | (biases if self.bias else {})

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        batched = "(N, L, E)" if self.batch_first else "(L, N, E)"
        self._check_rank(input_shape, {2: "(L, E)", 3: batched})
        self._check_size(input_shape, -1, self.embed_dim, "features")
        return input_shape

    def axes(self, input_shape: Shape) -> str:
        """Say which axis is taken for the positions."""
        if len(input_shape) == 2:
            return "(position, feature)"
        order = "(batch, position" if self.batch_first else "(position, batch"
        return f"{order}, feature), batch_first={self.batch_first}"

    def _formula(self, x: Shape, y: Shape) -> Formula:
        batch, length = (1, *x)[-3:-1] if self.batch_first or len(x) == 2 else (x[1], x[0])
        sizes = (batch, length, self.embed_dim, self.num_heads)
        return _multihead, sizes, (("bias", self.bias),)

    def _training_formula(self, x: Shape, y: Shape) -> Formula:
        derive, sizes, options = self._formula(x, y)
        return _multihead_dropped if self.dropout else derive, sizes, options


class ScaledDotProductAttention(Layer):
    """Scores, softmax and weighted sum of queries that are already projected.

    Args:
        num_heads: the heads of the queries.
        head_dim: the width of a head.
        causal: whether a position sees only itself and what is before it.
        cache: how many positions before the input can be attended to as well.
        value_dim: the width of a head of the values; None: ``head_dim``.
        window: how many positions one sees at most, itself counted; None: no window. Without
            ``causal`` it sees as many after it.
        sinks: so many of the first positions are seen besides the window.
        chunk: positions see only those of their own chunk of so many, and before them; None:
            no chunks.
        scaled: whether the scores are multiplied by 1/√d_k.
        sink_logits: whether a learnt logit of each head takes part in its softmax.

    Shapes:
        (N, L, num_heads · head_dim) → (N, L, num_heads · value_dim). Keys and values may be
        inputs of their own, (N, L, num_kv_heads · head_dim) and so on, each head shared by
        equally many heads of queries. Where nothing is masked, they may have another length.

    >>> from flopslib import count
    >>> count(ScaledDotProductAttention(12, 64), (1, 1024, 768)).macs
    1610612736
    >>> count(ScaledDotProductAttention(12, 64, True, window=256), (1, 1024, 768)).macs
    352518144
    """

    _takes = (1, 3)

    def __init__(
        self,
        num_heads: int,
        head_dim: int,
        causal: bool = False,
        cache: int = 0,
        *,
        value_dim: int | None = None,
        window: int | None = None,
        sinks: int = 0,
        chunk: int | None = None,
        scaled: bool = True,
        sink_logits: bool = False,
    ) -> None:
        self._set(
            num_heads=size("num_heads", num_heads),
            head_dim=size("head_dim", head_dim),
            causal=flag("causal", causal),
            cache=size("cache", cache, minimum=0),
            value_dim=None if value_dim is None else size("value_dim", value_dim),
            window=None if window is None else size("window", window),
            sinks=size("sinks", sinks, minimum=0),
            chunk=None if chunk is None else size("chunk", chunk),
            scaled=flag("scaled", scaled),
            sink_logits=flag("sink_logits", sink_logits),
        )
        if chunk is not None and (window is not None or not causal):
            raise ValueError(f"chunk={chunk} needs causal=True and no window")
        if sinks and window is None:
            raise ValueError(f"sinks={sinks} are seen besides a window, and there is none")

    @property
    def weights(self) -> dict[str, Shape]:
        """A logit of each head, if there are any."""
        return {"sinks": (self.num_heads,)} if self.sink_logits else {}

    @property
    def value_width(self) -> int:
        """The width of a head of the values."""
        return int(self.value_dim or self.head_dim)

    def output_shape(self, input_shape: Any) -> Shape:
        """Leave the queries' positions as they are."""
        queries, *seen = several(input_shape)
        self._check_rank(queries, {3: "(N, L, E)"})
        self._check_size(queries, -1, self.num_heads * self.head_dim, "features")
        widths = {"keys": self.head_dim, "values": self.value_width}
        for (name, width), shape in zip(widths.items(), seen, strict=False):
            heads = shape[-1] // width if len(shape) == 3 else 0
            whole = heads and shape[-1] == heads * width and self.num_heads % heads == 0
            places = slice(0, 2) if self.causal or self.window or self.cache else slice(0, 1)
            if not whole or shape[places] != queries[places] or shape[:2] != seen[0][:2]:
                self._refuse(f"needs {name} of the queries' positions in whole heads, got {shape}")
        return (*queries[:2], self.num_heads * self.value_width)

    def axes(self, input_shape: Any) -> str:
        """Say which axis is taken for the positions, and what a position sees."""
        seen = "itself and all before it" if self.causal else "every position"
        if self.window:
            seen = f"{self.window - 1:,} before it" + ("" if self.causal else " and after it")
            seen = f"itself, {seen}" + (f", and the first {self.sinks}" if self.sinks else "")
        if self.chunk:
            seen = f"itself and all before it in its chunk of {self.chunk:,}"
        past = f", and {self.cache:,} in the cache" if self.cache else ""
        return f"(batch, position, feature); a position sees {seen}{past}"

    def pieces(self, length: int) -> tuple[int, ...]:
        """Return the chunks that the last positions are in: how often, queries, keys."""
        found: list[int] = []
        start, end = self.cache, self.cache + length
        if start % self.chunk:
            first = min(self.chunk - start % self.chunk, length)
            found += [1, first, start % self.chunk + first]
            start += first
        whole, rest = divmod(end - start, self.chunk)
        found += [whole, self.chunk, self.chunk] * bool(whole) + [1, rest, rest] * bool(rest)
        return tuple(found)

    def _formula(self, x: Any, y: Shape) -> Formula:
        queries, *seen = several(x)
        batch, length = queries[:2]
        keys = (seen[0][1] if seen else length) + self.cache
        options = (("scaled", self.scaled), ("sink_logits", self.sink_logits))
        widths = (self.num_heads, self.head_dim, self.value_width)
        if self.chunk:
            return _in_chunks, (batch, *widths, *self.pieces(length)), options
        window = (self.window, self.sinks) if self.window else ()
        sizes = (batch, length, keys, *widths, *window)
        return _heads, sizes, (("causal", self.causal), *options)


class RotaryEmbedding(Layer):
    """RoPE: turn the pairs of numbers of every head by an angle that depends on the position.

    The angles' sines and cosines are a table made beforehand.

    Shapes:
        (…, heads · head_dim) → the same, for any number of heads

    >>> from flopslib import count
    >>> count(RotaryEmbedding(128), (1, 10, 32 * 128)).multiplications
    81920
    """

    def __init__(self, head_dim: int) -> None:
        self._set(head_dim=size("head_dim", head_dim))
        if self.head_dim % 2:
            raise ValueError(f"head_dim must be even, got {head_dim}: RoPE turns pairs")

    def output_shape(self, input_shape: Shape) -> Shape:
        """Leave the shape as it is."""
        if not input_shape or input_shape[-1] % self.head_dim:
            self._refuse(f"needs a last axis of whole heads, got {input_shape}")
        return input_shape

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return each, x, (("operation", primitives.rotary),)


class SelfAttention(Layer):
    """The attention of a language model, a row for each of its parts.

    Args:
        embed_dim: the width of a position.
        num_heads: the heads of the queries.
        num_kv_heads: the heads of keys and values; None: as many.
        head_dim: the width of a head; None: embed_dim / num_heads.
        bias: whether the projections have biases; or the letters of those that have, of
            "qkvo".
        causal: whether a position sees only itself and what is before it.
            False counts the full square, as a plain matrix product computes it.
        cache: how many positions before the input are kept in a KV cache.
        rotary: whether queries and keys are turned by their position (RoPE).
        value_dim: as in :class:`ScaledDotProductAttention`, like all up to ``sink_logits``.
        window: as there.
        sinks: as there.
        chunk: as there.
        scaled: as there.
        sink_logits: as there.
        qk_norm: whether every head of queries and keys is normalised (RMS norm).
        rotary_dim: how many numbers of a head are turned; None: all.
        gated: whether a gate, projected beside the queries, weighs what the heads found.

    Shapes:
        (N, L, embed_dim) → the same

    >>> from flopslib import count
    >>> layer = SelfAttention(4096, 32, num_kv_heads=8, bias=False)
    >>> layer.parameters, count(layer, (1, 1, 4096)).macs
    (41943040, 41951232)
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        num_kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool | str = True,
        causal: bool = False,
        cache: int = 0,
        rotary: bool = False,
        *,
        value_dim: int | None = None,
        window: int | None = None,
        sinks: int = 0,
        chunk: int | None = None,
        scaled: bool = True,
        sink_logits: bool = False,
        qk_norm: bool = False,
        rotary_dim: int | None = None,
        gated: bool = False,
    ) -> None:
        embed_dim, num_heads = size("embed_dim", embed_dim), size("num_heads", num_heads)
        if head_dim is None:
            divides("num_heads", num_heads, embed_dim=embed_dim)
        shared = num_heads if num_kv_heads is None else size("num_kv_heads", num_kv_heads)
        divides("num_kv_heads", shared, num_heads=num_heads)
        width = embed_dim // num_heads if head_dim is None else size("head_dim", head_dim)
        attend = ScaledDotProductAttention(
            num_heads, width, causal, cache, value_dim=value_dim, window=window, sinks=sinks,
            chunk=chunk, scaled=scaled, sink_logits=sink_logits,
        )  # fmt: skip
        has = _projections_with_bias(bias)
        inner = num_heads * width
        found = num_heads * attend.value_width
        turned = width if rotary_dim is None else size("rotary_dim", rotary_dim)
        if turned > width:
            raise ValueError(f"rotary_dim must be at most head_dim={width}, got {rotary_dim}")
        self._set(
            embed_dim=embed_dim,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            bias=bias,
            causal=causal,
            cache=cache,
            rotary=flag("rotary", rotary),
            value_dim=value_dim,
            window=window,
            sinks=sinks,
            chunk=chunk,
            scaled=scaled,
            sink_logits=sink_logits,
            qk_norm=flag("qk_norm", qk_norm),
            rotary_dim=rotary_dim,
            gated=flag("gated", gated),
            parts=(
                ("q_proj", Linear(embed_dim, inner + (found if gated else 0), "q" in has)),
                ("k_proj", Linear(embed_dim, shared * width, "k" in has)),
                ("v_proj", Linear(embed_dim, shared * attend.value_width, "v" in has)),
                ("q_norm", RMSNorm(width) if qk_norm else None),
                ("k_norm", RMSNorm(width) if qk_norm else None),
                ("rope", RotaryEmbedding(turned) if rotary else None),
                ("attend", attend),
                ("gate", Sigmoid() if gated else None),
                ("gated", Product() if gated else None),
                ("out_proj", Linear(found, embed_dim, "o" in has)),
            ),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Project, normalise, turn, attend, project."""
        parts = dict(self.parts)
        self._check_rank(x, {3: "(N, L, E)"})
        projected = run("q_proj", parts["q_proj"], x)
        keys = run("k_proj", parts["k_proj"], x)
        values = run("v_proj", parts["v_proj"], x)
        attend = parts["attend"]
        inner = attend.num_heads * attend.head_dim
        queries = view((*x[:-1], inner), projected) if self.gated else projected
        if self.qk_norm:
            queries = self._normed("q_norm", queries, run)
            keys = self._normed("k_norm", keys, run)
        if parts["rope"]:
            share = parts["rope"].head_dim, attend.head_dim
            width = (queries[-1] + keys[-1]) * share[0] // share[1]
            both = view((*x[:-1], width), queries, keys)
            turned = run("rope", parts["rope"], both)
            queries, keys = view(queries, turned), view(keys, turned)
        found = run("attend", attend, queries, keys, values)
        if self.gated:
            opened = run("gate", parts["gate"], view(found, projected))
            found = run("gated", parts["gated"], found, opened)
        return run("out_proj", parts["out_proj"], found)

    def _normed(self, name: str, vectors: Shape, run: Run) -> Shape:
        norm = dict(self.parts)[name]
        width = dict(self.parts)["attend"].head_dim
        heads = view((*vectors[:-1], vectors[-1] // width, width), vectors)
        return view(vectors, run(name, norm, heads))


def _projections_with_bias(bias: bool | str) -> str:
    if isinstance(bias, str):
        if not set(bias) <= set("qkvo") or len(set(bias)) < len(bias):
            raise ValueError(f"bias must be True, False or some letters of 'qkvo', got {bias!r}")
        return bias
    return "qkvo" if flag("bias", bias) else ""


class CrossAttention(Layer):
    """The attention of one sequence to another, such as a translation's to its source.

    Args:
        embed_dim: the width of a position that asks.
        num_heads: the heads of the queries.
        kv_dim: the width of a position of the other sequence; None: ``embed_dim``.
        num_kv_heads: the heads of keys and values; None: as many.
        head_dim: the width of a head; None: embed_dim / num_heads.
        bias: as in :class:`SelfAttention`.
        cached: whether keys and values of the other sequence are there from an earlier call.
        scaled: whether the scores are multiplied by 1/√d_k.

    Shapes:
        (N, L, embed_dim) and (N, S, kv_dim) → (N, L, embed_dim)

    >>> CrossAttention(384, 6, bias="qvo").output_shape(((1, 7, 384), (1, 1500, 384)))
    (1, 7, 384)
    """

    _takes = (2,)

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        kv_dim: int | None = None,
        num_kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool | str = True,
        cached: bool = False,
        scaled: bool = True,
    ) -> None:
        embed_dim, num_heads = size("embed_dim", embed_dim), size("num_heads", num_heads)
        if head_dim is None:
            divides("num_heads", num_heads, embed_dim=embed_dim)
        shared = num_heads if num_kv_heads is None else size("num_kv_heads", num_kv_heads)
        divides("num_kv_heads", shared, num_heads=num_heads)
        width = embed_dim // num_heads if head_dim is None else size("head_dim", head_dim)
        source = embed_dim if kv_dim is None else size("kv_dim", kv_dim)
        has = _projections_with_bias(bias)
        self._set(
            embed_dim=embed_dim,
            num_heads=num_heads,
            kv_dim=kv_dim,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            bias=bias,
            cached=flag("cached", cached),
            scaled=scaled,
            parts=(
                ("q_proj", Linear(embed_dim, num_heads * width, "q" in has)),
                ("k_proj", Linear(source, shared * width, "k" in has)),
                ("v_proj", Linear(source, shared * width, "v" in has)),
                ("attend", ScaledDotProductAttention(num_heads, width, scaled=scaled)),
                ("out_proj", Linear(num_heads * width, embed_dim, "o" in has)),
            ),
        )

    def flow(self, x: Any, run: Run) -> Shape:
        """Project both, attend, project."""
        parts = dict(self.parts)
        asked, memory = x
        self._check_rank(asked, {3: "(N, L, E)"})
        self._check_rank(memory, {3: "(N, S, E)"})
        queries = run("q_proj", parts["q_proj"], asked)
        if self.cached:
            seen = (*memory[:-1], parts["k_proj"].out_features)
            keys = values = view(seen)
        else:
            keys = run("k_proj", parts["k_proj"], memory)
            values = run("v_proj", parts["v_proj"], memory)
        found = run("attend", parts["attend"], queries, keys, values)
        return run("out_proj", parts["out_proj"], found)


class LatentHeads(Layer):
    """Scores and sums of latent attention, with the matrices that make keys and values.

    It has four inputs: queries and latents (queries last where nothing is absorbed), and the
    turned parts of queries and keys. See :class:`LatentAttention`.
    """

    _takes = (4,)

    def __init__(
        self,
        num_heads: int,
        kv_rank: int,
        head_dim: int,
        rope_dim: int,
        value_dim: int,
        causal: bool = False,
        cache: int = 0,
        absorbed: bool = False,
    ) -> None:
        self._set(
            num_heads=size("num_heads", num_heads),
            kv_rank=size("kv_rank", kv_rank),
            head_dim=size("head_dim", head_dim),
            rope_dim=size("rope_dim", rope_dim),
            value_dim=size("value_dim", value_dim),
            causal=flag("causal", causal),
            cache=size("cache", cache, minimum=0),
            absorbed=flag("absorbed", absorbed),
        )

    @property
    def weights(self) -> dict[str, Shape]:
        """The matrices that make the keys and the values of all heads."""
        heads, rank = self.num_heads, self.kv_rank
        return {
            "k_up.weight": (heads * self.head_dim, rank),
            "v_up.weight": (heads * self.value_dim, rank),
        }

    def output_shape(self, input_shape: Any) -> Shape:
        """Return the values that all heads found."""
        batch, length = input_shape[0][:2]
        return (batch, length, self.num_heads * self.value_dim)

    def _formula(self, x: Any, y: Shape) -> Formula:
        sizes = (*y[:2], self.cache, self.num_heads, self.kv_rank, self.head_dim)
        options = (("causal", self.causal), ("absorbed", self.absorbed))
        return latent_heads, (*sizes, self.rope_dim, self.value_dim), options


class LatentAttention(Layer):
    """Multi-head latent attention (MLA) of a language model, a row for each of its parts.

    Args:
        embed_dim: the width of a position.
        num_heads: the heads.
        q_rank: the numbers from which the queries of a position are made; None: they are made
            from the position itself.
        kv_rank: the length of a latent.
        head_dim: the numbers of a head of queries and keys besides the turned ones.
        rope_dim: the numbers of a head that are turned by the position.
        value_dim: the width of a head of the values.
        causal: whether a position sees only itself and what is before it.
        cache: how many latents of positions before the input are kept.
        absorbed: whether keys and values are never made; see
            :func:`flopslib.latent_attention`.

    Shapes:
        (N, L, embed_dim) → the same

    >>> LatentAttention(7168, 128, 1536, 512, 128, 64, 128).parameters
    187107328
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        q_rank: int | None,
        kv_rank: int,
        head_dim: int,
        rope_dim: int,
        value_dim: int,
        causal: bool = False,
        cache: int = 0,
        absorbed: bool = False,
    ) -> None:
        heads = LatentHeads(
            num_heads, kv_rank, head_dim, rope_dim, value_dim, causal, cache, absorbed
        )
        embed_dim, narrow = size("embed_dim", embed_dim), q_rank
        source = embed_dim if narrow is None else size("q_rank", narrow)
        down = None if narrow is None else Linear(embed_dim, source, bias=False)
        self._set(
            embed_dim=embed_dim,
            num_heads=num_heads,
            q_rank=q_rank,
            kv_rank=kv_rank,
            head_dim=head_dim,
            rope_dim=rope_dim,
            value_dim=value_dim,
            causal=causal,
            cache=cache,
            absorbed=absorbed,
            parts=(
                ("q_down", down),
                ("q_norm", None if down is None else RMSNorm(source)),
                ("q_up", Linear(source, num_heads * (head_dim + rope_dim), bias=False)),
                ("kv_down", Linear(embed_dim, kv_rank + rope_dim, bias=False)),
                ("kv_norm", RMSNorm(kv_rank)),
                ("rope", RotaryEmbedding(rope_dim)),
                ("attend", heads),
                ("out_proj", Linear(num_heads * value_dim, embed_dim, bias=False)),
            ),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Make queries and latents, turn a part of both, attend, project."""
        parts = dict(self.parts)
        self._check_rank(x, {3: "(N, L, E)"})
        narrow = x
        if self.q_rank is not None:
            narrow = run("q_norm", parts["q_norm"], run("q_down", parts["q_down"], x))
        queries = run("q_up", parts["q_up"], narrow)
        down = run("kv_down", parts["kv_down"], x)
        latents = run("kv_norm", parts["kv_norm"], view((*x[:-1], self.kv_rank), down))
        of_rope = self.num_heads * self.rope_dim
        both = view((*x[:-1], of_rope + self.rope_dim), queries, down)
        turned = run("rope", parts["rope"], both)
        content = view((*x[:-1], self.num_heads * self.head_dim), queries)
        first = (content, latents) if self.absorbed else (latents, content)
        of_queries, of_keys = (
            view((*x[:-1], of_rope), turned),
            view((*x[:-1], self.rope_dim), turned),
        )
        found = run("attend", parts["attend"], *first, of_queries, of_keys)
        return run("out_proj", parts["out_proj"], found)


class RelativePositionBias(Layer):
    """A learnt term for every score, by how far query and key of a window are apart.

    Shapes:
        the scores (windows, num_heads, L, L) → the same, with L the cells of a window

    >>> RelativePositionBias((7, 7), 3).parameters
    507
    """

    def __init__(self, window_size: int | tuple[int, ...], num_heads: int) -> None:
        self._set(
            window_size=per_axis("window_size", window_size, 2),
            num_heads=size("num_heads", num_heads),
        )

    @property
    def weights(self) -> dict[str, Shape]:
        """A term for each head and each distance, in both directions."""
        distances = math.prod(2 * side - 1 for side in self.window_size)
        return {"relative_position_bias_table": (distances, self.num_heads)}

    def _formula(self, x: Shape, y: Shape) -> Formula:
        return each, x, (("operation", primitives.residual_sum), ("name", "position bias"))


class ShiftedWindowAttention(Layer):
    """Attention inside the windows of a plane, as torchvision's ShiftedWindowAttention.

    The plane is padded to whole windows. Shifting it and masking what does not
    belong together are copies and fills, and cost nothing.

    Shapes:
        (N, H, W, dim) → the same

    >>> from flopslib import count
    >>> count(ShiftedWindowAttention(96, 7, 0, 3), (1, 56, 56, 96)).parameters
    37755
    """

    _not_in_training = ("attention_dropout", "dropout")

    def __init__(
        self,
        dim: int,
        window_size: int | tuple[int, int],
        shift_size: int | tuple[int, int],
        num_heads: int,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        dim, num_heads = size("dim", dim), size("num_heads", num_heads)
        divides("num_heads", num_heads, dim=dim)
        window = per_axis("window_size", window_size, 2)
        self._set(
            dim=dim,
            window_size=window,
            shift_size=per_axis("shift_size", shift_size, 2, minimum=0),
            num_heads=num_heads,
            qkv_bias=qkv_bias,
            proj_bias=proj_bias,
            attention_dropout=attention_dropout,
            dropout=dropout,
            parts=(
                ("qkv", Linear(dim, 3 * dim, qkv_bias)),
                ("position_bias", RelativePositionBias(window, num_heads)),
                ("attend", ScaledDotProductAttention(num_heads, dim // num_heads)),
                ("proj", Linear(dim, dim, proj_bias)),
            ),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Cut the plane into windows, attend inside each, put it together again."""
        self._check_rank(x, {4: "(N, H, W, C)"})
        samples, cells = x[0], math.prod(self.window_size)
        across = (-(-s // w) for s, w in zip(x[1:3], self.window_size, strict=True))
        windows = (samples * math.prod(across), cells, x[3])
        parts = dict(self.parts)
        joined = run("qkv", parts["qkv"], view(windows, x))
        scores = (windows[0], self.num_heads, cells, cells)
        run("position_bias", parts["position_bias"], scores)
        q, k, v = (view(windows, joined) for _ in range(3))
        found = run("attend", parts["attend"], q, k, v)
        return view(x, run("proj", parts["proj"], found))
