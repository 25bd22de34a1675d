"""Language models as data: published parameters, active ones, and MACs of a stated input."""

import pytest
from witnesses import saw

from flopslib import count, models
from flopslib.layers import SelfAttention
from flopslib.loops.layers import run_layers
from flopslib.models import language_model
from flopslib.models.open_models import ARCHITECTURES

#: Parameters as the publishers or the files of weights have them; active ones, where they differ.
PUBLISHED = {
    "stories15m": (15_191_712, None),
    "llama3_2_1b": (1_235_814_400, None),
    "llama3_2_3b": (3_212_749_824, None),
    "gemma3_270m": (268_098_176, None),
    "gemma3_1b": (999_885_952, None),
    "qwen3_0_6b": (596_049_920, None),
    "qwen3_4b": (4_022_468_096, None),
    "qwen3_8b": (8_190_735_360, None),
    "qwen3_30b_a3b": (30_532_122_624, 3_353_032_704),
    "mixtral_8x7b": (46_702_792_704, 12_879_925_248),
    "gpt_oss_20b": (20_914_757_184, 4_187_440_704),
    "gpt_oss_120b": (116_829_156_672, 5_711_982_912),
    "deepseek_v3": (671_026_404_352, 37_552_282_624),
}


def test_every_architecture_has_a_builder_and_a_published_figure():
    assert ARCHITECTURES.keys() == PUBLISHED.keys() <= set(models.__all__)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name):
    total, active = PUBLISHED[name]
    model = getattr(models, name)()
    assert model.parameters == total
    assert model.active_parameters == (total if active is None else active)
    report = count(model, (1, 2), training=False)
    assert (report.parameters, report.active_parameters) == (total, model.active_parameters)


def test_a_token_of_mixtral():
    report = count(models.mixtral_8x7b(), (1, 2048))
    # 32 layers of 2·4096² + 2·4096·1024 in projections, 2·2048·4096 for the full square,
    # 8·4096 in the router and 2·3·4096·14,336 in experts; 4096·32,000 logits
    layer = 33_554_432 + 8_388_608 + 16_777_216 + 32_768 + 352_321_536
    assert report.macs == 2048 * (32 * layer + 131_072_000) == 2048 * 13_285_457_920


def test_all_experts_on_all_tokens():
    designed, run = (
        count(models.mixtral_8x7b(all_experts=every), (1, 1)).macs for every in (False, True)
    )
    assert run - designed == 32 * 6 * 3 * 4096 * 14_336


def test_windows_hide_pairs_only_where_the_mask_counts():
    full, seen = (
        count(models.gpt_oss_20b(causal=causal), (1, 2048)).macs for causal in (False, True)
    )
    square, triangle = 2048**2, 2048 * 2049 // 2
    window = 128 * 2048 - 128 * 127 // 2
    hidden = 12 * (square - triangle) + 12 * (square - window)
    assert full - seen == hidden * 2 * 64 * 64


def test_latent_attention_of_one_token_in_two_forms():
    projected, absorbed = (
        count(models.deepseek_v3(cache=4095, causal=True, absorbed=form), (1, 1)).macs
        for form in (False, True)
    )
    # per layer: keys and values of 4,096 latents of 512, against 1,088 for 320 numbers a pair,
    # and the two matrices once for the one token
    made = 4096 * 512 * 128 * 256
    pairs = 128 * 4096 * ((512 + 64 + 512) - (128 + 64 + 128))
    assert projected - absorbed == 61 * (made - pairs - 128 * 256 * 512)


SMALL = {
    "mixer": [
        {"kind": "attention", "num_heads": 2, "window": 2, "qk_norm": True, "rotary": True},
        {"kind": "latent_attention", "num_heads": 2, "q_rank": 3, "kv_rank": 2, "head_dim": 2,
         "rope_dim": 2, "value_dim": 3},
    ],
    "ffn": [
        {"kind": "experts", "hidden_dim": 3, "num_experts": 3, "top_k": 2, "shared_features": 2},
        {"kind": "gated", "hidden_dim": 3, "activation": "gelu_tanh"},
        {"kind": "mlp", "activation": "gelu"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"causal": True, "cache": 3, "absorbed": True, "all_experts": True, "logits": "last"}])  # fmt: skip
def test_a_model_of_everything_is_what_its_loops_perform(options):
    model = language_model(
        3, 4, 5, **SMALL, norms_after=True, num_positions=9, tied=True, **options
    )
    report, tallies = count(model, (1, 4)), run_layers(model, (1, 4))
    assert {row.path for row in report.rows} == tallies.keys()
    for row in report.rows:
        assert row.operations == tallies[row.path], row.path
        saw("loops")


def test_blocks_alike_are_one_value():
    model = models.deepseek_v3()
    blocks = [*model["layers"]]
    assert len({id(block) for block in blocks}) == 2
    assert [block is blocks[0] for block in blocks] == [True] * 3 + [False] * 58


def test_the_data_are_arguments_of_the_layers():
    model = models.qwen3_4b()
    attention = dict(dict(model["layers"][0].children)["attention"].body.children)["self_attn"]
    assert attention == SelfAttention(2560, 32, 8, 128, bias=False, qk_norm=True, rotary=True)


ATTENTION = {"kind": "attention", "num_heads": 2}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"mixer": {"kind": "atention"}}, ValueError, "no kind of mixer is called 'atention'; did you mean attention"),
        ({"ffn": {"kind": "expert"}}, ValueError, "no kind of feed-forward network is called 'expert'; did you mean experts?"),
        ({"mixer": {"num_heads": 2}}, TypeError, """mixer must be a dict with a "kind", or several, got {'num_heads': 2}"""),
        ({"mixer": "attention"}, TypeError, """mixer must be a dict with a "kind", or several, got 'a'"""),
        ({"mixer": []}, ValueError, "mixer must be at least one dict, got none"),
        ({"norm": "rmsnorm"}, ValueError, "no norm is called 'rmsnorm'; did you mean rms_norm"),
        ({"names": "bert"}, ValueError, "no set of names is called 'bert'"),
        ({"ffn": {"kind": "mlp", "activation": "silo"}}, ValueError, "no activation is called 'silo'; did you mean silu?"),
        ({"causal": 1}, TypeError, "causal must be True or False, got 1"),
        ({"logits": "some"}, ValueError, "logits must be 'every' or 'last', got 'some'"),
        ({"mixer": {"kind": "attention", "heads": 2}}, TypeError, "heads"),
    ],
)  # fmt: skip
def test_what_is_refused(given, error, message):
    with pytest.raises(error) as caught:
        language_model(2, 4, 5, **{"mixer": ATTENTION, "ffn": None, **given})
    assert message in str(caught.value)
