"""The naive loops of a mixture of experts."""

from __future__ import annotations

from typing import Any

from flopslib.loops.dense import linear
from flopslib.loops.loop import loop
from flopslib.loops.mlp import gated_feed_forward
from flopslib.loops.primitives import (
    added_up,
    elementwise_product,
    proportions,
    residual_sum,
    sigmoid,
    silu,
    softmax,
    top_k,
)

_sigmoid = sigmoid


@loop()
def mixture_of_experts(
    x: Any, w_router: Any, b_router: Any, w_gate: Any, b_gate: Any, w_up: Any, b_up: Any,
    w_down: Any, b_down: Any, *, top_k: int, all_experts: bool, sigmoid: bool,
) -> Any:  # fmt: skip
    """Let a router choose the experts of each token, and add up what they give."""
    y = []
    for tokens in x:
        found = []
        for token in tokens:
            (scores,) = linear([token], w_router, b_router)
            found.append(
                visited(
                    scores, token, w_gate, b_gate, w_up, b_up, w_down, b_down,
                    top_k=top_k, all_experts=all_experts, sigmoid=sigmoid,
                )
            )  # fmt: skip
        y.append(found)
    return y


def visited(
    scores: Any, token: Any, w_gate: Any, b_gate: Any, w_up: Any, b_up: Any, w_down: Any,
    b_down: Any, *, top_k: int, all_experts: bool, sigmoid: bool,
) -> Any:  # fmt: skip
    """Let the experts with the largest scores work on a token, and add up what they give."""
    places, shares = _chosen(scores, top_k, sigmoid)
    if all_experts:
        every = range(len(w_gate))
        shares = [shares[places.index(e)] if e in places else 0 for e in every]
        places = list(every)
    gates = [linear([token], w_gate[e], _of(b_gate, e))[0] for e in places]
    bent = [[silu(number) for number in gate] for gate in gates]
    hidden = [linear([token], w_up[e], _of(b_up, e))[0] for e in places]
    passed = [
        [elementwise_product(n, g) for n, g in zip(*both, strict=True)]
        for both in zip(hidden, bent, strict=True)
    ]
    found = [
        linear([vector], w_down[e], _of(b_down, e))[0]
        for e, vector in zip(places, passed, strict=True)
    ]
    weighed = [
        [elementwise_product(number, share) for number in vector]
        for vector, share in zip(found, shares, strict=True)
    ]
    return added_up(weighed)


def _chosen(scores: Any, number: int, by_sigmoid: bool) -> Any:
    if by_sigmoid:
        scores = [_sigmoid(score) for score in scores]
    chosen = top_k(scores, number)
    return places_of(scores, chosen), proportions(chosen) if by_sigmoid else softmax(chosen)


def places_of(scores: Any, chosen: Any) -> list[int]:
    """Return where the chosen scores stand, which a program notes while it chooses.

    >>> places_of([3, 9, 9], [9, 9])
    [1, 2]
    """
    left = dict(enumerate(getattr(score, "value", score) for score in scores))
    found = []
    for one in chosen:
        value = getattr(one, "value", one)
        found.append(next(place for place, score in left.items() if score == value))
        del left[found[-1]]
    return found


def _of(biases: Any, expert: int) -> Any:
    return None if biases is None else biases[expert]


@loop(inside=mixture_of_experts)
def shared_mixture_of_experts(
    x: Any, w_shared_gate: Any, w_shared_up: Any, w_shared_down: Any, b_shared_gate: Any = None,
    b_shared_up: Any = None, b_shared_down: Any = None, w_opening: Any = None, **routed: Any,
) -> Any:  # fmt: skip
    """Add what one more expert gives, that every token visits."""
    found = mixture_of_experts(x, **routed)
    shared = gated_feed_forward(
        x, w_shared_gate, b_shared_gate, w_shared_up, b_shared_up, w_shared_down, b_shared_down
    )
    if w_opening is not None:
        opened = [[_sigmoid(row[0]) for row in linear(tokens, w_opening)] for tokens in x]
        shared = [
            [
                [elementwise_product(number, gate) for number in vector]
                for vector, gate in zip(*both, strict=True)
            ]
            for both in zip(shared, opened, strict=True)
        ]
    return [
        [
            [residual_sum(a, b) for a, b in zip(*vectors, strict=True)]
            for vectors in zip(*both, strict=True)
        ]
        for both in zip(found, shared, strict=True)
    ]
