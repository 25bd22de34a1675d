"""Attention: torch's module, and the one of language models row by row."""

from __future__ import annotations

import math
from typing import Any

from flopslib.costs.attention import multihead_attention, scaled_dot_product_attention
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.layers.arguments import divides, flag, per_axis, size, untouched
from flopslib.layers.dense import Linear
from flopslib.layers.layer import Formula, Layer, Run, Shape, several
from flopslib.layers.operations import each
from flopslib.layers.values import view


def _multihead(batch: Any, length: Any, width: Any, heads: Any, bias: bool) -> Derivation:
    return multihead_attention(length, width, num_heads=heads, batch=batch, bias=bias)


def _scaled(
    batch: Any, length: Any, all_positions: Any, heads: Any, head_dim: Any, causal: bool
) -> Derivation:
    return scaled_dot_product_attention(
        length, head_dim, num_heads=heads, kv_seq_len=all_positions, causal=causal, batch=batch
    )


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
            dropout=dropout,
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


class ScaledDotProductAttention(Layer):
    """Scores, softmax and weighted sum of queries that are already projected.

    Args:
        num_heads: the heads of the queries.
        head_dim: the width of a head.
        causal: whether a position sees only itself and what is before it.
        cache: how many positions before the input can be attended to as well.

    Shapes:
        (N, L, num_heads · head_dim) → the same. Keys and values may be inputs of their own,
        (N, L, num_kv_heads · head_dim) both, each head shared by equally many heads of queries.

    >>> from flopslib import count
    >>> count(ScaledDotProductAttention(12, 64), (1, 1024, 768)).macs
    1610612736
    """

    _takes = (1, 3)

    def __init__(self, num_heads: int, head_dim: int, causal: bool = False, cache: int = 0) -> None:
        self._set(
            num_heads=size("num_heads", num_heads),
            head_dim=size("head_dim", head_dim),
            causal=flag("causal", causal),
            cache=size("cache", cache, minimum=0),
        )

    def output_shape(self, input_shape: Any) -> Shape:
        """Leave the shape of the queries as it is."""
        queries, *seen = several(input_shape)
        self._check_rank(queries, {3: "(N, L, E)"})
        self._check_size(queries, -1, self.num_heads * self.head_dim, "features")
        for name, shape in zip(("keys", "values"), seen, strict=False):
            heads = shape[-1] // self.head_dim if len(shape) == 3 else 0
            whole = heads and shape[-1] == heads * self.head_dim and self.num_heads % heads == 0
            if not whole or shape[:2] != queries[:2] or shape != seen[0]:
                self._refuse(f"needs {name} of the queries' positions in whole heads, got {shape}")
        return tuple(queries)

    def axes(self, input_shape: Any) -> str:
        """Say which axis is taken for the positions, and what a position sees."""
        seen = "itself and all before it" if self.causal else "every position"
        past = f", and {self.cache:,} in the cache" if self.cache else ""
        return f"(batch, position, feature); a position sees {seen}{past}"

    def _formula(self, x: Any, y: Shape) -> Formula:
        batch, length, _ = y
        sizes = (batch, length, length + self.cache, self.num_heads, self.head_dim)
        return _scaled, sizes, (("causal", self.causal),)


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
        bias: whether the projections have biases.
        causal: whether a position sees only itself and what is before it.
            False counts the full square, as a plain matrix product computes it.
        cache: how many positions before the input are kept in a KV cache.
        rotary: whether queries and keys are turned by their position (RoPE).

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
        bias: bool = True,
        causal: bool = False,
        cache: int = 0,
        rotary: bool = False,
    ) -> None:
        embed_dim, num_heads = size("embed_dim", embed_dim), size("num_heads", num_heads)
        if head_dim is None:
            divides("num_heads", num_heads, embed_dim=embed_dim)
        shared = num_heads if num_kv_heads is None else size("num_kv_heads", num_kv_heads)
        divides("num_kv_heads", shared, num_heads=num_heads)
        width = embed_dim // num_heads if head_dim is None else size("head_dim", head_dim)
        attend = ScaledDotProductAttention(num_heads, width, causal, cache)
        narrow = Linear(embed_dim, shared * width, bias)
        self._set(
            embed_dim=embed_dim,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            bias=bias,
            causal=causal,
            cache=cache,
            rotary=flag("rotary", rotary),
            parts=(
                ("q_proj", Linear(embed_dim, num_heads * width, bias)),
                ("k_proj", narrow),
                ("v_proj", narrow),
                ("rope", RotaryEmbedding(width) if rotary else None),
                ("attend", attend),
                ("out_proj", Linear(num_heads * width, embed_dim, bias)),
            ),
        )

    def flow(self, x: Shape, run: Run) -> Shape:
        """Project, turn, attend, project."""
        parts = dict(self.parts)
        self._check_rank(x, {3: "(N, L, E)"})
        queries = run("q_proj", parts["q_proj"], x)
        keys = run("k_proj", parts["k_proj"], x)
        values = run("v_proj", parts["v_proj"], x)
        if parts["rope"]:
            both = view((*x[:-1], queries[-1] + keys[-1]), queries, keys)
            turned = run("rope", parts["rope"], both)
            queries, keys = view(queries, turned), view(keys, turned)
        found = run("attend", parts["attend"], queries, keys, values)
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
