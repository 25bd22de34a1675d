"""What a mixture of experts costs: a router, and a few of many feed-forward networks."""

from __future__ import annotations

from typing import Any

from flopslib.costs.dense import biased, linear
from flopslib.costs.mlp import gated_feed_forward
from flopslib.costs.registry import Example, cost_function
from flopslib.derivation import primitives
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.operands import Operand
from flopslib.derivation.steps import Part, Step
from flopslib.sizes.exact import Size, product

AT_LEAST = {"num_experts": "top_k"}
MINOR = ("sigmoid",)


@cost_function(
    at_least=AT_LEAST,
    minor=MINOR,
    chapter="experts",
    example=Example(
        "Mixtral 8×7B, one token",
        {"seq_len": 1, "d_model": 4096, "d_ff": 14336, "num_experts": 8, "top_k": 2,
         "bias": False},
    ),
)  # fmt: skip
def mixture_of_experts(
    seq_len: Size,
    d_model: Size,
    d_ff: Size,
    num_experts: Size,
    top_k: Size,
    *,
    batch: Size = 1,
    bias: bool = True,
    all_experts: bool = False,
    sigmoid: bool = False,
) -> Derivation:
    """Count a mixture of experts: a router sends each position to a few feed-forward networks.

    Args:
        seq_len: L, the positions.
        d_model: d, the width of a position.
        d_ff: the width inside of an expert, of its gate and of what that lets through.
        num_experts: E, the experts that there are.
        top_k: the experts that a position visits, those with its largest scores.
        batch: B, how many sequences.
        bias: whether the router and the linear layers of the experts have biases.
        all_experts: whether every expert works on every position, and what was not asked
            for is multiplied by 0, as some programs do it; False: as it is designed.
        sigmoid: whether the shares of the experts are sigmoids that are made to sum up
            to 1, as in DeepSeek-V3; False: a softmax over the chosen scores.

    Shapes:
        the input and the output are (B, L, d), the scores (B·L, E), inside (B·L, top_k, d_ff).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: a size below 1, fewer experts than a position visits.

    Source:
        not in the notes; the chapter *Mixture of experts*.

    >>> mixture_of_experts(1, 4096, 14336, 8, 2, bias=False).macs
    352354304
    >>> mixture_of_experts(1, 4096, 14336, 8, 2, bias=False, all_experts=True).macs
    1409318912
    """
    x, y = (Operand(name, (batch, seq_len, d_model)) for name in ("x", "y"))
    tokens: Any = batch * seq_len
    route = _route(x, tokens, d_model, num_experts, top_k, bias, sigmoid)
    sizes = (d_model, d_ff, num_experts, top_k)
    work = _experts(route.result, x, y, tokens, sizes, bias, all_experts)
    return (route + work).named("mixture of experts")


@cost_function(
    at_least=AT_LEAST,
    minor=(*MINOR, "shared_gate"),
    chapter="experts",
    example=Example(
        "DeepSeek-V3, one token",
        {"seq_len": 1, "d_model": 7168, "d_ff": 2048, "shared_ff": 2048, "num_experts": 256,
         "top_k": 8, "bias": False, "sigmoid": True},
    ),
)  # fmt: skip
def shared_mixture_of_experts(
    seq_len: Size,
    d_model: Size,
    d_ff: Size,
    shared_ff: Size,
    num_experts: Size,
    top_k: Size,
    *,
    batch: Size = 1,
    bias: bool = True,
    all_experts: bool = False,
    sigmoid: bool = False,
    shared_gate: bool = False,
) -> Derivation:
    """Count a mixture of experts with one more expert that every position visits.

    Args:
        seq_len: as in :func:`flopslib.mixture_of_experts`, like all that are not named here.
        d_model: as there.
        d_ff: as there.
        shared_ff: the width inside of the shared expert; several shared experts are one that
            is as many times as wide.
        num_experts: as there; the shared expert is none of them.
        top_k: as there.
        batch: as there.
        bias: as there.
        all_experts: as there.
        sigmoid: as there.
        shared_gate: whether a gate of its own weighs what the shared expert gives, as in
            Qwen3-Next.

    Shapes:
        the input and the output are (B, L, d).

    Raises:
        TypeError: a size that is not a whole number, a flag that is not a bool.
        ValueError: a size below 1, fewer experts than a position visits.

    Source:
        not in the notes; the chapter *Mixture of experts*.

    >>> shared_mixture_of_experts(1, 7168, 2048, 2048, 256, 8, bias=False).macs
    398196736
    """
    routed = mixture_of_experts(
        seq_len, d_model, d_ff, num_experts, top_k,
        batch=batch, bias=bias, all_experts=all_experts, sigmoid=sigmoid,
    )  # fmt: skip
    x = next(each for each in routed.operands if each.name == "x")
    shared = gated_feed_forward(seq_len, d_model, shared_ff, batch=batch, bias=bias)
    renamed = {f"{kind}_{part}": f"{kind}_shared_{part}" for kind in "wb" for part in PARTS}
    shared = shared.on(x=x, y="of shared", **renamed)
    result, routed = shared.result, routed.on(y="of routed")
    if shared_gate:
        gate = _shared_gate(x, shared.result)
        shared, result = shared + gate, gate.result
    y = Operand("y", x.shape)
    reads = (routed.result, result)
    add = Step("sum", (primitives.residual_sum(),), y.shape, reads=reads, writes=y)
    return (routed + shared + Derivation((add,))).named("mixture of experts with a shared one")


PARTS = ("gate", "up", "down")


def _shared_gate(x: Operand, found: Operand) -> Derivation:
    batch, seq_len, width = x.shape
    tokens = batch * seq_len
    gate = linear(width, 1, batch=tokens, bias=False).named("shared gate")
    gate = gate.on(x=x, weight="w_opening", y="openings")
    opened, y = Operand("opened", (tokens, 1)), Operand("let through", found.shape)
    steps = (
        Step("sigmoid", (primitives.sigmoid(),), (tokens,), "position", (gate.result,), opened),
        Step("shared share", (primitives.elementwise_product(),), found.shape,
             reads=(found, opened), writes=y),
    )  # fmt: skip
    return gate + Derivation(steps)


def routed_experts(
    *sizes: Any, positions: int, bias: bool, all_experts: bool, sigmoid: bool
) -> Derivation:
    """Return the work of experts for positions whose scores are there.

    >>> options = {"bias": False, "all_experts": False, "sigmoid": False}
    >>> routed_experts(1, 1, 4096, 14336, 8, 2, positions=2, **options).macs
    352321536
    """
    places, (d_model, _, num_experts, top_k) = sizes[:positions], sizes[positions:]
    tokens = product(places)
    x, y = (Operand(name, (*places, d_model)) for name in ("x", "y"))
    scores = Operand("expert scores", (tokens, num_experts))
    choose = _choose(scores, tokens, num_experts, top_k, sigmoid)
    work = _experts(choose.result, x, y, tokens, sizes[positions:], bias, all_experts)
    return (choose + work).named("experts")


def _experts(
    shares: Operand, x: Operand, y: Operand, tokens: Any, sizes: tuple[Any, ...], bias: bool,
    all_experts: bool,
) -> Derivation:  # fmt: skip
    d_model, d_ff, num_experts, top_k = sizes
    if all_experts:
        shares = Operand("all shares", (tokens, num_experts), of=(shares,))
    visited = num_experts if all_experts else top_k
    experts = _Experts(tokens, d_model, d_ff, num_experts, visited, bias, gathered=not all_experts)
    return experts.derivation(x, shares, y)


def _route(
    x: Operand, tokens: Any, d_model: Any, num_experts: Any, top_k: Any, bias: bool, sigmoid: bool
) -> Derivation:
    """Score the experts, choose a few, and give each of them its share."""
    score = linear(d_model, num_experts, batch=tokens, bias=bias).named("router")
    score = score.on(x=x, weight="w_router", bias="b_router", y="expert scores")
    return score + _choose(score.result, tokens, num_experts, top_k, sigmoid)


def _choose(
    scores: Operand, tokens: Any, num_experts: Any, top_k: Any, sigmoid: bool
) -> Derivation:
    """Choose a few experts by their scores, and give each of them its share."""
    steps: list[Step] = []

    def step(name: str, part: Part, shape: tuple[Any, ...], made: str, *sizes: Any) -> None:
        reads: Any = (steps[-1].writes if steps else scores,)
        unit = "position" if len(shape) == 1 else "score"
        steps.append(Step(name, (part,), shape, unit, reads, Operand(made, (tokens, *sizes))))

    if sigmoid:
        every = (tokens, num_experts)
        step("sigmoid of the scores", primitives.sigmoid(), every, "affinities", num_experts)
    step("choice", primitives.top_k(num_experts, top_k), (tokens,), "chosen", top_k)
    part = primitives.proportions(top_k) if sigmoid else primitives.softmax(top_k)
    step("shares", part, (tokens,), "shares", top_k)
    return Derivation(tuple(steps))


class _Experts:
    """The steps of the experts that positions visit."""

    def __init__(
        self, tokens: Any, d: Any, d_ff: Any, experts: Any, visited: Any, bias: bool, *,
        gathered: bool,
    ) -> None:  # fmt: skip
        self.tokens, self.d, self.d_ff = tokens, d, d_ff
        self.experts, self.visited, self.bias = experts, visited, bias
        self.gathered = gathered

    def derivation(self, x: Operand, shares: Operand, y: Operand) -> Derivation:
        """Widen, bend, narrow in every visited expert; weigh what they give, and add it up."""
        gate = self._linear("gate", x, self.d, self.d_ff)
        bent = self._inside("expert SiLU", primitives.silu(), "bent", gate.writes)
        up = self._linear("up", x, self.d, self.d_ff)
        times = primitives.elementwise_product()
        passed = self._inside("expert product", times, "passed", up.writes, bent.writes)
        down = self._linear("down", passed.writes, self.d_ff, self.d)
        weigh = self._inside("share of each", times, "weighed", down.writes, shares)
        # the gradient of a sum is that of each term
        added = Part("sum", OpCount(additions=self.visited - 1), back=OpCount)
        reads: Any = (weigh.writes,)
        add = Step("sum over experts", (added,), (self.tokens, self.d), "number", reads, y)
        return Derivation((gate, bent, up, passed, down, weigh, add))

    def _linear(self, name: str, x: Operand | None, inner: Any, outer: Any) -> Step:
        weight = Operand(f"w_{name}", (self.experts, outer, inner), "weight")
        biases = (Operand(f"b_{name}", (self.experts, outer), "weight"),) if self.bias else ()
        y = Operand(f"expert {name}", (self.tokens, self.visited, outer))
        parts = biased(primitives.dot_product(inner), self.bias)
        every = {1: y.size * inner, 2: y.size} if self.gathered else {}
        chosen = {place: n for place, n in every.items() if place <= 1 + len(biases)}
        reads: Any = (x, weight, *biases)
        return Step(f"expert {name}", parts, y.shape, reads=reads, writes=y, chosen=chosen)

    def _inside(self, name: str, part: Part, made: str, *reads: Any) -> Step:
        y = Operand(made, reads[0].shape)
        return Step(name, (part,), y.shape, "number", reads, y)
