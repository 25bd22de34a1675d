"""Whole networks and budgets: parameters, one token, a training run, a design."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from assignments.question import Question
from assignments.searching import doubled, halved, largest
from flopsbook.exercises import mistakes
from flopsbook.exercises.exercise import Mistake
from flopslib import count
from flopslib.layers import Layer
from flopslib.models import gpt, llama, mobilenet_v2, resnet50, vision_transformer
from flopslib.models.language import Training, next_token, training
from flopslib.models.resnet import basic_block

IMAGE_SIDE_STEP = 32
VOCABULARY = 50257
CONTEXT = 1024
TOKENS_PER_PARAMETER = 20


def _block(in_channels: int, width: int, side: int) -> list[int]:
    report = count(basic_block(in_channels, width, stride=2), (1, in_channels, side, side))
    return [report.parameters, report.macs]


def _vit(
    patch_size: int,
    image_size: int,
    num_layers: int,
    num_heads: int,
    hidden_dim: int,
    num_classes: int,
) -> list[int]:
    model = vision_transformer(
        image_size, patch_size, num_layers, num_heads, hidden_dim, 4 * hidden_dim, num_classes
    )
    report = count(model, (1, 3, image_size, image_size))
    positions = report["pos_embedding"].output_shape[1]
    return [positions, report.parameters, report.macs]


def _gpt_parameters(num_layers: int, d_model: int, vocab_size: int, num_positions: int) -> int:
    model = gpt(num_layers, d_model, 1, num_positions=num_positions, vocab_size=vocab_size)
    return int(model.parameters)  # a plain one


def _draw_gpt(random: Random) -> dict[str, int]:
    return {
        "num_layers": random.randrange(2, 30),
        "d_model": random.randrange(50, 500),
        "vocab_size": random.randrange(1000, 9000),
        "num_positions": random.randrange(501, 1000),
    }


def _one_token(
    num_layers: int,
    d_model: int,
    num_heads: int,
    num_kv_heads: int,
    d_ff: int,
    vocab_size: int,
    cached_tokens: int,
) -> int:
    build = partial(
        llama, num_layers, d_model, num_heads, d_ff, num_kv_heads=num_kv_heads,
        vocab_size=vocab_size,
    )  # fmt: skip
    return next_token(build, cached_tokens).macs


def _draw_llama(random: Random) -> dict[str, int]:
    kv_heads, shared = random.sample((2, 3, 4, 5), 2)
    d_model = kv_heads * shared * 2 * random.randrange(6, 20)
    return {
        "num_layers": random.randrange(2, 20),
        "d_model": d_model,
        "num_heads": kv_heads * shared,
        "num_kv_heads": kv_heads,
        "d_ff": random.randrange(d_model + 1, 4 * d_model),
        "vocab_size": random.randrange(4000, 9000),
        "cached_tokens": random.randrange(1000, 3000),
    }


def _training_run(
    num_layers: int, d_model: int, vocab_size: int, seq_len: int, texts: int
) -> list[int]:
    build = partial(gpt, num_layers, d_model, 1, num_positions=seq_len, vocab_size=vocab_size)
    run = training(build, tokens=texts * seq_len, seq_len=seq_len, causal=True)
    return [run.rule, run.flops]


def _run_of(design: Any) -> Training:
    """Return the training run that a design of question 6 asks for."""
    num_layers, d_model, num_heads = design
    build = partial(gpt, num_layers, d_model, num_heads, num_positions=CONTEXT)
    texts = -(-TOKENS_PER_PARAMETER * build().parameters // CONTEXT)
    return training(build, tokens=texts * CONTEXT, seq_len=CONTEXT, causal=True)


def _fits(design: Any, *, exa_flops: int, percent: int) -> bool:
    """Whether a design has the right form, keeps to the budget and uses so much of it."""
    if type(design) is not list or [type(size) for size in design] != [int] * 3:
        return False
    num_layers, d_model, num_heads = design
    # nothing beyond these could fit, and it would take long to say so
    if not (1 <= num_layers <= 1000 and 1 <= d_model <= 100_000):
        return False
    if d_model != 64 * num_heads or not 32 * num_layers <= d_model <= 128 * num_layers:
        return False
    budget = exa_flops * 10**18
    return percent * budget <= 100 * _run_of(design).flops <= 100 * budget


def _design(exa_flops: int) -> list[int]:
    """Return the design that uses most of the budget."""
    best = (0, [0, 0, 0])
    for num_heads in range(1, 60):
        d_model = 64 * num_heads
        shallowest = -(-d_model // 128)

        def fits(more: int, num_heads: int = num_heads, shallowest: int = shallowest) -> bool:
            shape = [shallowest + more - 1, 64 * num_heads, num_heads]
            return _fits(shape, exa_flops=exa_flops, percent=0)

        if not fits(1):
            break
        deepest = [shallowest + largest(fits) - 1, d_model, num_heads]
        best = max(best, (_run_of(deepest).flops, deepest))
    return best[1]


def _pictures(giga_macs: int, pictures: int) -> list[int]:
    def side(build: Callable[[], Layer]) -> int:
        model = build()

        def fits(steps: int) -> bool:
            pixels = IMAGE_SIDE_STEP * steps
            return count(model, (pictures, 3, pixels, pixels)).macs <= giga_macs * 10**9

        return IMAGE_SIDE_STEP * largest(fits)

    return [side(resnet50), side(mobilenet_v2)]


def _without_class_token(**sizes: int) -> list[int]:
    positions, parameters, macs = _vit(**sizes)
    return [positions - 1, parameters, macs]


QUESTIONS = (
    Question(
        name="networks-1",
        answer="networks_1",
        expected=_block,
        mistakes=(mistakes.counted_flops(doubled(_block)),),
    ),
    Question(
        name="networks-2",
        answer="networks_2",
        expected=_vit,
        mistakes=(
            mistakes.counted_flops(doubled(_vit)),
            Mistake(
                "class token forgotten",
                _without_class_token,
                "Besides the patches there is one more token, from which the class is read.",
            ),
        ),
    ),
    Question(
        name="networks-3",
        answer="networks_3",
        expected=_gpt_parameters,
        examples=({"num_layers": 1, "d_model": 2, "vocab_size": 3, "num_positions": 5},),
        draw=_draw_gpt,
        mistakes=(
            mistakes.one_layer(lambda **sizes: _gpt_parameters(**{**sizes, "num_layers": 1})),
        ),
    ),
    Question(
        name="networks-4",
        answer="networks_4",
        expected=_one_token,
        examples=(
            {"num_layers": 1, "d_model": 4, "num_heads": 2, "num_kv_heads": 1}
            | {"d_ff": 6, "vocab_size": 10, "cached_tokens": 2},
        ),
        draw=_draw_llama,
        mistakes=(
            mistakes.counted_flops(doubled(_one_token)),
            mistakes.one_layer(lambda **sizes: _one_token(**{**sizes, "num_layers": 1})),
        ),
    ),
    Question(
        name="networks-5",
        answer="networks_5",
        expected=_training_run,
        mistakes=(mistakes.counted_macs(halved(_training_run)),),
    ),
    Question(
        name="networks-6",
        answer="networks_6",
        expected=_design,
        conditions={
            "fits": partial(_fits, percent=50),
            "fits well": partial(_fits, percent=90),
        },
    ),
    Question(
        name="networks-7",
        answer="networks_7",
        expected=_pictures,
        mistakes=(
            mistakes.budget_in_flops(
                lambda giga_macs, pictures: _pictures(-(-giga_macs // 2), pictures)
            ),
        ),
    ),
)
