"""What multi-head latent attention costs: keys and values made from few numbers."""

from __future__ import annotations

from typing import Any

from flopslib.costs.dense import linear
from flopslib.costs.heads import PAIR, Heads, seen_before
from flopslib.costs.registry import Default, Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Step
from flopslib.sizes.exact import Size


@cost_function(
    at_least={"kv_seq_len": "seq_len"},
    defaults={
        "head_dim": Default("d_model", over="num_heads"),
        "value_dim": Default("head_dim"),
        "kv_seq_len": Default("seq_len"),
    },
    chapter="attention_today",
    example=Example(
        "DeepSeek-V3, one token after 4,095",
        {"seq_len": 1, "kv_seq_len": 4096, "d_model": 7168, "q_rank": 1536, "kv_rank": 512,
         "rope_dim": 64, "num_heads": 128, "head_dim": 128, "causal": True, "absorbed": True},
    ),
)  # fmt: skip
def latent_attention(
    seq_len: Size,
    d_model: Size,
    q_rank: Size,
    kv_rank: Size,
    rope_dim: Size,
    *,
    num_heads: Size = 1,
    head_dim: Size | None = None,
    value_dim: Size | None = None,
    kv_seq_len: Size | None = None,
    causal: bool = False,
    absorbed: bool = False,
    batch: Size = 1,
) -> Derivation:
    """Count multi-head latent attention (MLA): a position keeps one short vector for all heads.

    Keys and values of all heads are made from that vector, the latent. As projected, they
    are made at every call, for all positions. As absorbed, they are never made: the
    query is taken to the latents, and the sum of latents to the values.

    Args:
        seq_len: L, the new positions, which ask.
        d_model: d, the width of a position.
        q_rank: the numbers from which the queries of a position are made.
        kv_rank: the length of a latent.
        rope_dim: the numbers of a head that are turned by the position (RoPE); their keys
            are the same for all heads.
        num_heads: h, the heads.
        head_dim: the numbers of a head of queries and keys besides those; None: d_model / h.
        value_dim: the width of a head of the values; None: ``head_dim``.
        kv_seq_len: all positions that can be attended to; None: ``seq_len``, no cache.
        causal: whether a position sees only itself and what is before it.
        absorbed: whether the matrices that make keys and values are moved to the queries
            and to the sums.
        batch: B, how many sequences.

    Shapes:
        the input and the output are (B, L, d), the latents (B, kv_seq_len, kv_rank), the
        shared keys (B, kv_seq_len, rope_dim).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: a size below 1, num_heads that do not divide d_model (unless head_dim is
            given), a kv_seq_len below seq_len.

    Source:
        not in the notes; the chapter *Attention today*.

    >>> one = {"num_heads": 128, "head_dim": 128, "kv_seq_len": 4096, "causal": True}
    >>> latent_attention(1, 7168, 1536, 512, 64, **one).macs
    69057576960
    >>> latent_attention(1, 7168, 1536, 512, 64, absorbed=True, **one).macs
    757530624
    """
    keys: Any = kv_seq_len
    width: Any = head_dim
    visible = seen_before(seq_len, keys) if causal else None
    inside = Heads(batch, num_heads, seq_len, keys, width, value_dim, visible)
    return _Latent(inside, d_model, q_rank, kv_rank, rope_dim).derivation(absorbed)


def latent_heads(
    batch: Any, queries: Any, cache: Any, heads: Any, kv_rank: Any, head_dim: Any, rope_dim: Any,
    value_dim: Any, *, causal: bool, absorbed: bool,
) -> Derivation:  # fmt: skip
    """Return scores and sums of latent attention, of queries and latents that are there."""
    keys = queries + cache
    visible = seen_before(queries, keys) if causal else None
    inside = Heads(batch, heads, queries, keys, head_dim, value_dim, visible)
    latent = _Latent(inside, head_dim, kv_rank, kv_rank, rope_dim)
    content, position = (
        Operand(name, (*inside.rows, width))
        for name, width in (("queries", head_dim), ("turned queries", rope_dim))
    )
    latents, turned = (
        latent.with_past(name, Operand(name, (batch, queries, width)), width)
        for name, width in (("latents", kv_rank), ("turned_keys", rope_dim))
    )
    way = latent.absorbed if absorbed else latent.projected
    return way(content, position, latents, turned).named("scores and sums")


class _Latent:
    """The steps of latent attention."""

    def __init__(self, inside: Heads, d: Any, q_rank: Any, kv_rank: Any, rope_dim: Any) -> None:
        self.inside, self.d = inside, d
        self.q_rank, self.rank, self.rope = q_rank, kv_rank, rope_dim
        self.x = Operand("x", (inside.batch, inside.queries, d))

    def derivation(self, absorbed: bool) -> Derivation:
        """Make queries and latents, attend in one of the two ways, project what was found."""
        size = self.inside
        queries, content, position = self._queries()
        made, latents, turned = self._latents()
        way = self.absorbed if absorbed else self.projected
        attend = way(content, position, latents, turned)
        inner = size.heads * size.value_width
        joined = Operand("joined", (size.batch, size.queries, inner), of=(attend.result,))
        y = Operand("y", self.x.shape)
        out = self._linear("output projection", joined, inner, self.d, "out").on(projected_out=y)
        return sum([queries, made, attend, out], start=Derivation(())).named("latent attention")

    def _linear(self, name: str, x: Operand, inner: Any, outer: Any, of: str) -> Derivation:
        positions = x.shape[0] * x.shape[1]
        project = linear(inner, outer, batch=positions, bias=False).named(name)
        return project.on(x=x, weight=f"w_{of}", y=f"projected_{of}")

    def _norm(self, x: Derivation, width: Any, of: str) -> Derivation:
        gamma, y = (
            Operand(f"gamma_{of}", (width,), "weight"),
            Operand(f"normed_{of}", x.result.shape),
        )
        part, rows = primitives.rms_norm(width), x.result.shape[:1]
        name = {"q": "query norm", "kv": "latent norm"}[of]
        return x + Derivation((Step(name, (part,), rows, "position", (x.result, gamma), y),))

    def _of_positions(self, made: Operand, *width: Any) -> Operand:
        return Operand(made.name, (self.inside.batch, self.inside.queries, *width), of=(made,))

    def _queries(self) -> tuple[Derivation, Operand, Operand]:
        size = self.inside
        down = self._linear("query down", self.x, self.d, self.q_rank, "q_down")
        down = self._norm(down, self.q_rank, "q")
        narrow = self._of_positions(down.result, self.q_rank)
        up = self._linear("query up", narrow, self.q_rank, size.heads * size.width, "q_up")
        of_rope = size.heads * self.rope
        turned = self._linear("position query up", narrow, self.q_rank, of_rope, "q_rope")
        content, position = (
            Operand(name, (*size.rows, width), of=(made.result,))
            for name, width, made in (
                ("queries", size.width, up),
                ("turned queries", self.rope, turned),
            )
        )
        return down + up + turned, content, position

    def _latents(self) -> tuple[Derivation, Operand, Operand]:
        down = self._linear("latent", self.x, self.d, self.rank, "kv_down")
        down = self._norm(down, self.rank, "kv")
        turned = self._linear("position key", self.x, self.d, self.rope, "k_rope")
        latents = self.with_past("latents", down.result, self.rank)
        return down + turned, latents, self.with_past("turned_keys", turned.result, self.rope)

    def with_past(self, name: str, new: Operand, width: Any) -> Operand:
        """Return what is new together with what is kept."""
        batch, keys = self.inside.batch, self.inside.keys
        past = Operand(f"past_{name}", (batch, keys - self.inside.queries, width), "cache")
        return Operand(name, (batch, keys, width), of=(new, past))

    def _scores(
        self, name: str, width: Any, reads: tuple[Operand, ...], writes: str, *more: Any
    ) -> Derivation:
        size = self.inside
        y = size.operand(writes, *size.square)
        parts = (primitives.dot_product(width), *more)
        masked: Any = {"uneven": (0, 1)} if size.visible is not None else {}
        return Derivation((Step(name, parts, y.shape, PAIR, reads, y, **masked),))

    def _both_scores(
        self, width: Any, content: tuple[Operand, Operand], position: tuple[Operand, Operand]
    ) -> Derivation:
        first = self._scores("scores of the content", width, content, "content scores")
        reads = (*position, first.result)
        added = primitives.bias()
        return first + self._scores("scores of the position", self.rope, reads, "scores", added)

    def projected(
        self, content: Operand, position: Operand, latents: Operand, turned: Operand
    ) -> Derivation:
        """Make keys and values from the latents of all positions."""
        size = self.inside
        keys = self._linear("key up", latents, self.rank, size.heads * size.width, "k_up")
        of_values = size.heads * size.value_width
        values = self._linear("value up", latents, self.rank, of_values, "v_up")
        k, v = (
            Operand(name, (size.batch, size.heads, size.keys, width), of=(made.result,))
            for name, width, made in (
                ("keys", size.width, keys),
                ("values", size.value_width, values),
            )
        )
        scores = self._both_scores(size.width, (content, k), (position, turned))
        return keys + values + scores + size.average(scores.result, v)

    def absorbed(
        self, content: Operand, position: Operand, latents: Operand, turned: Operand
    ) -> Derivation:
        """Take the queries to the latents, and the sums of latents to the values."""
        size = self.inside
        w_k, w_v = (
            Operand(f"w_{of}_up", (size.heads * width, self.rank), "weight")
            for of, width in (("k", size.width), ("v", size.value_width))
        )
        asked = size.operand("absorbed queries", size.queries, self.rank)
        found = size.operand("found", size.queries, size.value_width)
        absorb = _each_head("query to latents", size.width, (content, w_k), asked)
        scores = self._both_scores(self.rank, (asked, latents), (position, turned))
        over = Heads(
            size.batch, size.heads, size.queries, size.keys, size.width, self.rank, size.visible
        ).average(scores.result, latents)
        return absorb + scores + over + _each_head("value up", self.rank, (over.result, w_v), found)


def _each_head(name: str, width: Any, reads: tuple[Operand, ...], y: Operand) -> Derivation:
    return Derivation(
        (Step(name, (primitives.dot_product(width),), y.shape, reads=reads, writes=y),)
    )
