"""What all kinds of attention share: which pairs are seen, projections, scores, weighted sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flopslib.costs.dense import linear, matmul
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
from flopslib.sizes.exact import exact_quotient, smaller

#: The projections of attention, by the letter that their weights have.
PROJECTIONS = {"q": "query", "k": "key", "v": "value", "out": "output"}

#: A logit of a head's own is copied to each of its rows, which is no operation.
COPY = Part("copy", OpCount(), takes=("term",))


# --- which pairs are seen ---------------------------------------------------------------


def seen_before(queries: Any, keys: Any) -> Any:
    """Count the pairs where each of the last positions sees itself and all before it.

    >>> seen_before(5, 5), seen_before(1, 5)
    (15, 5)
    """
    # the last position sees all keys, each one before it sees one fewer
    return exact_quotient(queries * (2 * keys - queries + 1), 2)


def seen_in_window(
    queries: Any, keys: Any, window: Any, sinks: Any = 0, causal: bool = True
) -> Any:
    """Count the pairs where each of the last positions sees at most so many, itself the first.

    Args:
        queries: the last positions, which ask.
        keys: all positions.
        window: how many a position sees at most, itself counted.
        sinks: so many of the first positions are seen from everywhere after them.
        causal: False: as many positions after it, too.

    >>> seen_in_window(2048, 2048, 1024)
    1573376
    >>> seen_in_window(1, 5, 3), seen_in_window(1, 5, 3, sinks=1)
    (3, 4)
    """

    def of_first(n: Any) -> Any:
        near = smaller(window, n)
        seen = _at_most(near, n)
        if type(sinks) is int and sinks == 0:
            return seen
        return seen + _at_most(smaller(sinks, n - near), n - near)

    pairs = of_first(keys) - of_first(keys - queries)
    return pairs if causal else pairs + _at_most(smaller(window, queries), queries) - queries


def _at_most(most: Any, n: Any) -> Any:
    """Add up 1, 2, 3 … n, each number only as far as the most."""
    return exact_quotient(most * (2 * n - most + 1), 2)


# --- scores, softmax, weighted sum --------------------------------------------------------


@dataclass(frozen=True)
class Heads:
    """The sizes of scores and weighted sums, and what is unusual about them.

    Attributes:
        batch: B, how many sequences.
        heads: h, the heads of the queries.
        queries: L, the positions that ask.
        keys: the positions that can be attended to.
        width: the width of a head of the queries and keys.
        value_width: that of a head of the values.
        visible: how many pairs of a head are seen; None: all of them.
        scaled: whether scores are multiplied by 1/√d_k.
        sink_logits: whether a learnt logit of each head takes part in the softmax.
    """

    batch: Any
    heads: Any
    queries: Any
    keys: Any
    width: Any
    value_width: Any
    visible: Any = None
    scaled: bool = True
    sink_logits: bool = False

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows of scores: one for each query of each head."""
        return (self.batch, self.heads, self.queries)

    def operand(self, name: str, *sizes: Any) -> Operand:
        """Return an operand of every head of every sample."""
        return Operand(name, (self.batch, self.heads, *sizes))

    @property
    def square(self) -> tuple[Any, ...]:
        """The scores of a head: queries × keys, or the visible pairs."""
        return (self.queries, self.keys) if self.visible is None else (self.visible,)

    def attend(self) -> Derivation:
        """Return scores, softmax and weighted sum, of queries, keys and values of all heads."""
        asked = self.operand("queries", self.queries, self.width)
        seen = self.operand("keys", self.keys, self.width)
        values = self.operand("values", self.keys, self.value_width)
        scores = self.scores(asked, seen)
        return scores + self.average(scores.result, values)

    def scores(self, asked: Operand, seen: Operand) -> Derivation:
        """Return the scores alone."""
        scores = self.operand("scores", *self.square)
        if self.visible is None:
            product = matmul(self.queries, self.width, self.keys, batch=self.batch * self.heads)
            return product.named("scores").on(left=asked, right=seen, y=scores)
        part, uneven = primitives.dot_product(self.width), (0, 1)
        return Derivation(
            (Step("scores", (part,), scores.shape, PAIR, (asked, seen), scores, uneven=uneven),)
        )

    def average(self, scores: Operand, values: Operand) -> Derivation:
        """Return what is done with the scores: scaling, softmax, and the weighted sum."""
        scaled = self.operand("scaled", *self.square)
        unit = "score" if self.visible is None else PAIR
        scaling = Step("scaling", (primitives.scaling(),), scores.shape, unit, (scores,), scaled)
        given = scaled if self.scaled else scores
        steps = (scaling,) if self.scaled else ()
        if self.sink_logits:
            given, more = self._with_sink(given)
            steps = (*steps, more)
        return Derivation(steps) + self._weighted(given, values)

    def _with_sink(self, scores: Operand) -> tuple[Operand, Step]:
        sink = Operand("sink", (self.heads,), "weight")
        column = Operand("sinks", (*self.rows, 1))
        copied = Step("sink logits", (COPY,), self.rows, "score row", (sink,), column)
        return Operand("scores and sinks", scores.shape, of=(scores, column)), copied

    def _weighted(self, given: Operand, values: Operand) -> Derivation:
        more = int(self.sink_logits)
        weights = self.operand("attention", *self.square)
        sums = self.operand("sums", self.queries, self.value_width)
        if self.visible is None:
            rows, part = self.rows, primitives.softmax(self.keys + more)
            softmax = Step("softmax", (part,), rows, "score row", (given,), weights)
            product = matmul(
                self.queries, self.keys, self.value_width, batch=self.batch * self.heads
            )
            sum_up = product.named("weighted sum").on(left=weights, right=values, y=sums)
            return Derivation((softmax,)) + sum_up
        further = self.visible - self.queries
        row: Any = {"reads": (given,), "writes": weights}
        add: Any = {"reads": (weights, values), "writes": sums, "uneven": (1,)}
        first, width = (*self.rows,), self.value_width
        rest = (self.batch, self.heads, further)
        of_first, of_row = "output's first product", "row's first score"
        dot, soft = primitives.dot_product(1), primitives.softmax(1 + more)
        return Derivation(
            (
                Step("softmax, first", (soft,), first, of_row, **row),
                Step("softmax, further", (ONE_MORE_SCORE,), rest, "further score", **row),
                Step("weighted sum, first", (dot,), (*first, width), of_first, **add),
                Step(
                    "weighted sum, further", (ONE_MORE_TERM,), (*rest, width), "further product",
                    **add,
                ),
            )
        )  # fmt: skip


PAIR = "visible pair"
ONE_MORE_SCORE = primitives.one_more(primitives.softmax)
ONE_MORE_TERM = primitives.one_more(primitives.dot_product)


# --- projections --------------------------------------------------------------------------


@dataclass(frozen=True)
class Projected:
    """Attention with its four projections, of a sequence to itself or to another one.

    Attributes:
        inside: scores and weighted sums.
        d_model: d, the width of a position.
        kv_heads: the heads of keys and values.
        biases: the letters of the projections that have biases.
        qk_norm: whether every head of queries and keys is normalised (RMS norm).
        memory: the width and the positions of the other sequence; None: it is the same one.
    """

    inside: Heads
    d_model: Any
    kv_heads: Any
    biases: frozenset[str] = field(default_factory=frozenset)
    qk_norm: bool = False
    memory: tuple[Any, Any] | None = None

    def derivation(self) -> Derivation:
        """Return all of it, step by step."""
        size = self.inside
        x, y = (Operand(name, (size.batch, size.queries, self.d_model)) for name in ("x", "y"))
        source, width, new = x, self.d_model, size.queries
        if self.memory is not None:
            width, new = self.memory
            source = Operand("memory", (size.batch, new, width))
        q = self._project("q", x, self.d_model, size.queries, size.heads, size.width)
        k = self._project("k", source, width, new, self.kv_heads, size.width)
        v = self._project("v", source, width, new, self.kv_heads, size.value_width)
        asked = (size.batch, size.heads, size.queries, size.width)
        attend = size.attend().on(
            queries=Operand("queries", asked, of=(q.result,)),
            keys=self._with_past("keys", k.result, new, size.width),
            values=self._with_past("values", v.result, new, size.value_width),
        )
        inner = size.heads * size.value_width
        joined = Operand("joined", (size.batch, size.queries, inner), of=(attend.result,))
        out = self._linear("out", joined, inner, self.d_model, size.queries).on(projected_out=y)
        return sum([q, k, v, attend, out], start=Derivation(())).named("attention")

    def _linear(self, letter: str, x: Operand, inner: Any, outer: Any, length: Any) -> Derivation:
        bias = letter in self.biases
        project = linear(inner, outer, batch=self.inside.batch * length, bias=bias)
        project = project.named(f"{PROJECTIONS[letter]} projection")
        return project.on(x=x, weight=f"w_{letter}", bias=f"b_{letter}", y=f"projected_{letter}")

    def _project(
        self, letter: str, x: Operand, inner: Any, length: Any, heads: Any, width: Any
    ) -> Derivation:
        project = self._linear(letter, x, inner, heads * width, length)
        if not self.qk_norm or letter == "v":
            return project
        gamma = Operand(f"gamma_{letter}", (width,), "weight")
        y = Operand(f"normed_{letter}", (self.inside.batch * length, heads, width))
        head = (self.inside.batch, length, heads)
        of_head, name = (project.result, gamma), f"{PROJECTIONS[letter]} norm"
        norm = Step(name, (primitives.rms_norm(width),), head, "head", of_head, y)
        return project + Derivation((norm,))

    def _with_past(self, name: str, new: Operand, length: Any, width: Any) -> Operand:
        size = self.inside
        past = (size.batch, self.kv_heads, size.keys - length, width)
        parts = (new,) if self.memory else (new, Operand(f"past_{name}", past, "cache"))
        return Operand(name, (size.batch, self.kv_heads, size.keys, width), of=parts)


def lettered(bias: bool, **one_by_one: bool) -> frozenset[str]:
    """Return the letters of the projections that have biases.

    >>> sorted(lettered(True, q=True, k=False))
    ['q']
    """
    return frozenset(letter for letter, own in one_by_one.items() if bias and own)


ALL = frozenset(PROJECTIONS)
