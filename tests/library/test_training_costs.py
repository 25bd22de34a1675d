"""The loss and the optimisers, executed on counting numbers."""

import math

import pytest

from flopslib.costs.training import OPTIMIZERS, cross_entropy, optimizer_step
from flopslib.loops import gradients, primitives
from flopslib.loops.counting import Tally
from flopslib.notation import B


@pytest.mark.parametrize(("n", "batch"), [(2, 1), (5, 3), (7, 11)])
def test_the_loss_is_what_is_executed(n, batch):
    tally = Tally()
    rows = [[tally.number(at * 3 % 7 / 5) for at in range(n)] for _ in range(batch)]
    found = [gradients.cross_entropy(row, 1) for row in rows]
    mean = primitives.average_pool([loss for loss, _ in found])
    assert cross_entropy(n, batch=batch).total == tally.record()
    p = math.exp(0.6) / sum(math.exp(number.value) for number in rows[0])
    assert math.isclose(mean.value, -math.log(p))
    tally.forget()
    _, mean_back = gradients.average_pool([loss for loss, _ in found])
    tally.forget()
    for (_, back), g in zip(found, mean_back(tally.number(1.0)), strict=True):
        back(g)
    assert cross_entropy(n, batch=batch).backward().total == tally.record()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_moves_a_weight_as_torch_does(name):
    # two steps from w = 1 with the gradients 0.5 and 0.25, on paper
    tally = Tally()
    w, state = tally.number(1.0), [tally.number(0.0) for _ in range(OPTIMIZERS[name][1])]
    for at, gradient in enumerate((0.5, 0.25), start=1):
        more = {"step": at} if name.startswith("adam") else {}
        moved = getattr(primitives, name)(w, tally.number(gradient), *state, **more)
        w, *state = moved if isinstance(moved, tuple) else (moved,)
    shrunk = 1 - 1e-5 if name == "adamw" else 1.0
    first = shrunk - 1e-3
    second = (0.9 * 0.05 + 0.1 * 0.25) / (1 - 0.81)
    root = math.sqrt((0.999 * 0.00025 + 0.001 * 0.0625) / (1 - 0.999**2))
    wanted = {"sgd": 0.925, "momentum": 1 - 0.05 - 0.1 * (0.45 + 0.25)}
    moved_twice = first * shrunk - 1e-3 * second / root
    assert math.isclose(w.value, wanted.get(name, moved_twice), rel_tol=1e-6)
    assert tally.record() == optimizer_step(2, optimizer=name).total


def test_letters():
    assert str(cross_entropy(B).total.other["logarithms"]) == "1"
    assert optimizer_step(B).exact_flops == 12 * B


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizer_step(3, optimizer="adamm"), "optimizer must be one of sgd, momentum"),
        (lambda: optimizer_step(0), "parameters must be a positive integer"),
        (lambda: cross_entropy(0), "num_classes must be a positive integer"),
        (lambda: cross_entropy(3, batch=-1), "batch must be a positive integer"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match="must be") as caught:
        call()
    assert message in str(caught.value)
