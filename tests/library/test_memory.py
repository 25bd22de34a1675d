"""What is kept in memory: derived, and storage by storage what PyTorch keeps."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import sympy
from witnesses import saw

from flopslib import (
    Operand,
    conv2d,
    feed_forward,
    formula,
    gated_feed_forward,
    linear,
    multihead_attention,
    scaled_dot_product_attention,
    transformer_layer,
)
from flopslib import layers as nn
from flopslib.memory import (
    RECIPES,
    TORCH_RULES,
    Needed,
    Recipe,
    Torch,
    cache_bytes,
    dropped,
    kept,
    linked,
    training_state,
    weight_bytes,
    with_lora,
)
from flopslib.models import llama_7b, resnet18, resnet50, vit_b_16
from flopslib.models.language import next_token
from flopslib.models.llama_models import llama
from flopslib.notation import B, L, d, h
from flopslib.traffic import Widths, traffic

DATA = Path(__file__).parents[2] / "flopsbook" / "data" / "saved_tensors.json"
MEASURED = json.loads(DATA.read_text())
BATCH, LENGTH, WIDTH, HEADS, KV_HEADS, INNER, RANK = MEASURED["sizes"].values()
BITS = {"fp32": 32, "bf16": 16}
PROJECTIONS = ("query projection", "key projection", "value projection")
DROPPED = ("softmax", "output projection", "second linear")


# --- what PyTorch keeps, storage by storage -----------------------------------------------


def block(**options):
    return transformer_layer(LENGTH, WIDTH, num_heads=HEADS, batch=BATCH, **options)


def names_of_weights(derivation):
    return {each.name for each in derivation.operands if each.role == "weight"}


def changed(derivation, keeper, how, *beside):
    """Keep what a derivation keeps as it is, frozen, or with LoRA beside linear layers."""
    if how == "frozen":
        return kept(derivation, keeper, frozen=True)
    if "LoRA" in how:
        frozen = names_of_weights(derivation)
        return kept(with_lora(derivation, RANK, *beside), keeper, frozen=frozen)
    return kept(derivation, keeper)


def of_block(bits, masks):
    derivation = block() if masks == "no dropout" else dropped(block(), *DROPPED)
    return kept(derivation, Torch(bits, attention="steps", byte_masks=masks == "byte masks"))


def of_gpt2(bits, attention, dropout, how=""):
    derivation = block(tanh_gelu=True)
    if dropout != "dropout 0.0":
        derivation = dropped(derivation, *DROPPED)
    falls_back = "math" if dropout != "dropout 0.0" else "fused"
    way = falls_back if attention == "sdpa" else "steps"
    keeper = Torch(bits, attention=way, packed=True, python=("GELU by tanh",))
    return changed(derivation, keeper, how, PROJECTIONS)


def of_llama(bits, attention, how=""):
    layer = llama(1, WIDTH, HEADS, INNER, num_kv_heads=KV_HEADS, vocab_size=9)["layers"]
    derivation = linked(layer, (BATCH, LENGTH, WIDTH))
    way = "fused" if attention == "sdpa" else "steps"
    keeper = Torch(bits, attention=way, wide_softmax=True)
    linears = [step.name for step in derivation.steps if step.name.endswith(".linear")]
    return changed(derivation, keeper, how, *linears)


IMAGE = (1, 3, 224, 224)
NETWORKS = {"resnet18": (resnet18, Torch()), "vit_b_16": (vit_b_16, Torch(packed=True))}


def predicted(subject):
    if subject in NETWORKS:
        build, keeper = NETWORKS[subject]
        return kept(linked(build(), IMAGE, training=True), keeper, input_gradient=False)
    of, width, *rest = subject.split(", ")
    return {"block": of_block, "GPT-2 block": of_gpt2, "Llama block": of_llama}[of](
        BITS[width], *rest
    )


@pytest.mark.parametrize("subject", MEASURED["saved"])
def test_every_storage_is_one_of_ours(subject):
    found = predicted(subject)
    ours = Counter((each.numbers, each.bits // 8) for each in found.storages)
    theirs = Counter({(n, size): times for n, size, times in MEASURED["saved"][subject]})
    assert ours - theirs == theirs - ours == Counter()
    assert found.bytes == sum(n * size * times for n, size, times in MEASURED["saved"][subject])
    saw("networks")


def test_published_totals():
    assert predicted("resnet18").bytes == 22_218_240
    assert predicted("vit_b_16").bytes == 118_160_680
    assert sum(predicted("resnet18").by_rule.values()) == 22_218_240
    two = kept(linked(resnet18(), (2, *IMAGE[1:]), training=True), Torch(), input_gradient=False)
    assert two.bytes == 2 * 22_218_240 - 38_400  # the statistics of a batch norm are there once


def test_every_rule_is_used_and_has_a_sentence():
    used = {
        storage.rule for subject in MEASURED["saved"] for storage in predicted(subject).storages
    }
    assert used <= TORCH_RULES.keys()
    unused = TORCH_RULES.keys() - used
    assert unused <= {"numbers of rows, 8 bytes each"}  # the models' first layer, see below
    tokens = linked(llama(1, 8, 2, 9, vocab_size=7), (3, 5), training=True)
    assert kept(tokens, Torch()).by_rule["numbers of rows, 8 bytes each"] == 3 * 5 * 8


def test_keys_are_repeated_only_where_heads_share_them():
    repeated = "keys and values repeated for the heads that share them"
    for heads, is_repeated in ((KV_HEADS, True), (HEADS, False)):
        layer = llama(1, WIDTH, HEADS, INNER, num_kv_heads=heads, causal=True, vocab_size=9)
        network = linked(layer["layers"], (BATCH, LENGTH, WIDTH))
        rules = kept(network, Torch(attention="steps")).by_rule
        assert (repeated in rules) == is_repeated
        if is_repeated:  # keys and values, four bytes a number
            assert rules[repeated] == 2 * 4 * BATCH * LENGTH * WIDTH


def test_the_published_formula_of_a_block_is_derived():
    layer = dropped(formula(transformer_layer), *DROPPED)
    statistics = 8 * B * L  # which the paper leaves out

    def of(bits, byte_masks):
        keeper = Torch(bits, attention="steps", byte_masks=byte_masks)
        return kept(layer, keeper).bytes

    def formula_of(a, b):
        return a * B * L * d + b * B * h * L**2

    assert sympy.expand(of(16, True) - formula_of(34, 5) - statistics) == 0
    assert sympy.expand(of(16, False) - formula_of(36, 6) - statistics) == 0
    assert sympy.expand(of(32, True) - formula_of(66, 9) - 2 * statistics) == 0
    without = kept(formula(transformer_layer), Torch(16, attention="steps")).bytes
    assert sympy.expand(without - formula_of(32, 2) - statistics) == 0
    saw("letters", 4)


# --- what the gradients need ---------------------------------------------------------------


def items(derivation, keeper=None, **options):
    found = kept(derivation, keeper, **options)
    return [(each.name, each.numbers, each.bits) for each in found.storages]


def test_a_linear_layer_needs_its_input_for_the_weight_alone():
    assert items(linear(3, 2, batch=5)) == [("x", 15, 16)]
    assert items(linear(3, 2, batch=5), frozen=["weight"]) == []
    assert items(linear(3, 2, batch=5), input_gradient=False) == [("x", 15, 16)]
    assert items(conv2d(2, 3, 2, 4, 4), frozen=True) == []
    assert items(conv2d(2, 3, 2, 4, 4), Torch(), frozen=True) == [("x", 50, 32)]


def test_a_tensor_that_two_need_is_kept_once():
    network = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    # the second layer keeps the result of ReLU, which says on which side it was
    assert [n for _, n, _ in items(linked(network, (7, 3)))] == [21, 35]
    alone = nn.Sequential(nn.Linear(3, 5), nn.ReLU())
    assert [(n, bits) for _, n, bits in items(linked(alone, (7, 3)))] == [(21, 16), (35, 1)]
    assert kept(linked(alone, (7, 3))).bytes == 42 + 5  # 35 bits are 4⅜ bytes


def test_functions_need_their_argument_or_their_result():
    def of(layer, shape=(2, 6)):
        return [(n, bits) for _, n, bits in items(linked(layer, shape, training=True))]

    assert of(nn.GELU()) == of(nn.SiLU()) == of(nn.Sigmoid()) == [(12, 16)]
    assert of(nn.Softmax(1)) == of(nn.LogSoftmax(1)) == [(12, 16)]
    assert of(nn.Softplus()) == of(nn.ELU()) == of(nn.Mish()) == of(nn.GLU()) == [(12, 16)]
    assert of(nn.PReLU()) == [(12, 16)]  # its factor needs what it met, which tells the side
    assert of(nn.LayerNorm(6)) == [(12, 16), (4, 32)]
    assert of(nn.RMSNorm(6)) == [(12, 16), (2, 32)]
    assert of(nn.Dropout(0.1)) == [(12, 1)]
    assert of(nn.Dropout(0.0)) == []
    assert of(nn.ReLU6()) == [(12, 1)]
    assert of(nn.MaxPool2d(2), (1, 3, 4, 4)) == [(12, 2)]  # one of four places
    assert of(nn.AvgPool2d(2), (1, 3, 4, 4)) == []
    assert of(nn.BatchNorm2d(3), (2, 3, 4, 4)) == [(96, 16), (6, 32)]


def test_attention_fused_keeps_no_square():
    attention = scaled_dot_product_attention(8, 4, num_heads=3)
    assert [n for _, n, _ in items(attention, Torch())] == [96, 96, 96, 96, 24]
    assert 3 * 64 in [n for _, n, _ in items(attention, Torch(attention="steps"))]
    causal = scaled_dot_product_attention(8, 4, num_heads=3, causal=True)
    assert items(causal, Torch()) == items(attention, Torch())
    assert (3 * 36, 16) in [(n, bits) for _, n, bits in items(causal)]


def test_checkpoints_keep_what_they_begin_with():
    layer = transformer_layer(8, 12, num_heads=3)
    whole, again = kept(layer), kept(layer, checkpoint=True)
    assert [(each.name, each.bytes) for each in again.storages] == [("x", 8 * 12 * 2)]
    assert again.again == whole.bytes
    assert again.peak == again.bytes + whole.bytes
    assert whole.peak == whole.bytes
    part = nn.Sequential(linear=nn.Linear(6, 6), gelu=nn.GELU())
    stack = linked(nn.Sequential(a=part, b=part, c=part), (5, 6))
    each = kept(stack, checkpoint=["a", "b", "c"])
    assert each.bytes == 3 * 5 * 6 * 2
    assert each.again == 2 * 5 * 6 * 2
    with pytest.raises(ValueError, match="checkpoint names 'nine', and no step is called that"):
        kept(stack, checkpoint="nine")


def test_lora_keeps_more_than_frozen_layers_and_no_less_than_all():
    layer = transformer_layer(8, 12, num_heads=3)
    frozen = names_of_weights(layer)
    all_of_it, none = kept(layer).bytes, kept(layer, frozen=True).bytes
    everywhere = ("first linear", "second linear", "output projection", PROJECTIONS)
    lora = kept(with_lora(layer, 2, *everywhere), frozen=frozen).bytes
    assert none < all_of_it < lora
    assert lora - all_of_it == 4 * 8 * 2 * 2  # four narrow results of 2 numbers a position


def test_a_network_is_one_derivation():
    network = linked(resnet50(), IMAGE)
    assert network.macs == 4_089_184_256
    assert [each.name for each in network.operands if each.role == "input"] == ["input"]
    made = {step.writes for step in network.steps}
    assert all(source in made or source.role != "input" or source.name == "input"
               for step in network.steps for each in step.reads for source in each.sources())  # fmt: skip


# --- the other parts of memory -------------------------------------------------------------


def test_one_token_of_llama_7b():
    report = next_token(llama_7b, cache=2047)
    assert report.flops == 14_287_896_576
    network = linked(llama_7b(causal=True, cache=2047), (1, 1))
    assert network.flops == report.flops
    roles = traffic(network, fused=True).by_role
    weights = 2 * (llama_7b().parameters - 32_000 * 4096)
    assert weights == 13_214_687_232
    assert roles["weight"] == weights + 2 * 4096  # and one row of the token table
    cache = cache_bytes(2048, 32, 128, layers=32)
    assert cache == 1_073_741_824
    assert roles["cache"] == cache - cache_bytes(1, 32, 128, layers=32)
    assert weights + cache == 14_288_429_056
    assert weight_bytes(network) == 2 * llama_7b().parameters


def test_states_of_an_optimiser():
    assert RECIPES["Adam, mixed precision"].bytes == 16
    assert training_state(7)["all"] == 7 * 16
    assert training_state(7, "SGD, fp32")["all"] == 7 * 8
    assert training_state(7, Recipe({"weights": 2}), frozen=3)["weights"] == 20
    assert training_state(0, frozen=5)["all"] == 10
    n = sympy.Symbol("n", positive=True, integer=True)
    assert training_state(n)["all"] == 16 * n
    assert training_state(np.array([1, 10**18]))["all"].tolist() == [16, 16 * 10**18]


def test_the_cache():
    assert cache_bytes(2048, 8, 128, layers=32) * 4 == cache_bytes(2048, 32, 128, layers=32)
    assert cache_bytes(17, 1, 1, page=16) == 2 * 2 * 32
    assert cache_bytes(100, 1, 1, batch=5) == 2 * 2 * 500
    assert cache_bytes(100, 1, 1, batch=5, shared=60) == 2 * 2 * (5 * 40 + 60)
    assert cache_bytes(100, 1, 1, batch=5, shared=60, page=16) == 2 * 2 * (5 * 48 + 64)
    assert cache_bytes(10, 1, 4, widths=Widths(cache=8)) == 2 * 40
    attention = formula(multihead_attention, seq_len=1, kv_seq_len=L)
    read = next(n for role, n in traffic(attention, fused=True).by_role.items() if role == "cache")
    assert (
        sympy.expand(cache_bytes(L, h, d / h, batch=B) - read - cache_bytes(1, h, d / h, batch=B))
        == 0
    )


# --- what is refused -----------------------------------------------------------------------


def test_what_is_refused():
    with pytest.raises(ValueError, match="recipe must be one of 'SGD, fp32'"):
        training_state(7, "Adam")
    with pytest.raises(ValueError, match="parameters must be a non-negative integer"):
        training_state(-1)
    with pytest.raises(ValueError, match=r"parts\['weights'\] must be a positive integer"):
        Recipe({"weights": 0})
    with pytest.raises(ValueError, match="shared must be at most positions, got 9 of 8"):
        cache_bytes(8, 1, 1, shared=9)
    with pytest.raises(ValueError, match="head_dim must be a positive integer"):
        cache_bytes(8, 1, 0)
    with pytest.raises(ValueError, match="frozen must be weights of the derivation: b_1, b_2, w_1"):
        kept(feed_forward(3, 4), frozen=["w"])
    with pytest.raises(TypeError, match="input_gradient must be True or False"):
        kept(feed_forward(3, 4), input_gradient=1)
    with pytest.raises(
        ValueError, match="attention must be one of fused, steps, math, got 'flash'"
    ):
        Torch(attention="flash")
    with pytest.raises(TypeError, match="bits must be a positive integer"):
        Torch(16.0)
    with pytest.raises(ValueError, match="no step is called 'GeLU'; there are first linear, GELU"):
        dropped(feed_forward(3, 4), "GeLU")
    with pytest.raises(ValueError, match="beside must be linear layers, and 'GELU' is none"):
        with_lora(feed_forward(3, 4), 2, "GELU")
    with pytest.raises(ValueError, match="rank must be a positive integer"):
        with_lora(feed_forward(3, 4), 0, "first linear")
    with pytest.raises(TypeError, match="model must be a layer of flopslib"):
        linked(resnet18, IMAGE)
    with pytest.raises(TypeError, match="derivation must be a derivation"):
        kept(gated_feed_forward)


def test_a_cache_is_no_part_of_what_is_kept_for_nothing():
    assert Operand("x", (3,)).role == "input"
    assert repr(kept(linear(3, 2))) == "Kept(6 bytes in 1 tensors)"
    assert Needed(32).bits == 32
