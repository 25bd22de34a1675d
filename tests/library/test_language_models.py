"""A prompt, one more token and a training run: to the last MAC, and how they hang together."""

from fractions import Fraction

import pytest
from witnesses import saw

from flopslib import OpCount, count, matmul
from flopslib.loops.layers import run_layers
from flopslib.models import (
    gpt,
    gpt2_small,
    gpt3,
    llama,
    llama2_7b,
    llama2_70b,
    llama3_8b,
    llama3_70b,
    llama_7b,
    resnet18,
    vit_b_16,
)
from flopslib.models.language import (
    Piece,
    Products,
    Training,
    next_token,
    parts,
    products,
    prompt,
    training,
)


def tiny(**options):
    """One layer of width 2, one head, a gated network of 3, three words."""
    return llama(1, 2, 1, 3, vocab_size=3, **options)


def shared(**options):
    """Two layers of width 8; 4 heads of queries on 2 of keys and values."""
    return llama(2, 8, 4, 3, num_kv_heads=2, vocab_size=5, **options)


def with_table(**options):
    """A GPT with a table of 11 positions."""
    return gpt(2, 6, 3, num_positions=11, vocab_size=5, **options)


SMALL = (tiny, shared, with_table)
every_small = pytest.mark.parametrize("build", SMALL, ids=lambda build: build.__name__)
every_mask = pytest.mark.parametrize("causal", [False, True], ids=["full", "causal"])


# --- pinned integers ---------------------------------------------------------


def test_the_smallest_model_by_hand():
    # four projections of 2*2; a score of 2 terms, 2 sums of 1; three matrices of 2*3; 3 logits of 2
    assert parts(next_token(tiny)) == {
        "token table": Piece(3 * 2, 0),
        "norms": Piece(3 * 2, 0),
        "projections": Piece(4 * 2 * 2, 4 * 2 * 2),
        "scores and weighted sum": Piece(0, 2 + 2),
        "feed-forward": Piece(3 * 2 * 3, 3 * 2 * 3),
        "logits": Piece(3 * 2, 3 * 2),
    }
    # each position that is seen: 2 terms more in the scores, 2 in the weighted sum
    assert [next_token(tiny, cache).macs for cache in (0, 1, 7)] == [44, 48, 44 + 7 * 4]


def test_one_token_of_llama_7b():
    # 32 layers of 4 * 4096^2 in projections and 3 * 4096 * 11008 in the gated network,
    # 32000 logits of 4096
    weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096
    assert weights == 6_607_077_376
    for seen in (1, 512, 2048):
        # 4096 for the scores and 4096 for the weighted sum in each of 32 layers
        token = next_token(llama_7b, seen - 1)
        assert products(token) == Products(weights, seen * 32 * 2 * 4096)
    # all parameters but the table of 32000 rows and 65 norms
    assert token.parameters == 6_738_415_616 == weights + 32000 * 4096 + 65 * 4096


@pytest.mark.parametrize(
    ("seen", "flops"), [(1, 13_214_679_040), (512, 13_482_590_208), (2048, 14_287_896_576)]
)
def test_the_flops_of_a_token_of_llama_7b(seen, flops):
    # 13,214,154,752 + 524,288 a position
    assert next_token(llama_7b, seen - 1).flops == flops == 13_214_154_752 + 524_288 * seen


@pytest.mark.parametrize(
    ("causal", "logits", "macs"),
    [
        # 2048 * 6,607,077,376 and 32 * 2 * 4096 * 2048^2
        (False, "every", 14_630_806_093_824),
        # the visible pairs: 2048 * 2049 / 2
        (True, "every", 14_081_318_715_392),
        # 2047 positions without 32000 * 4096
        (False, "last", 14_362_501_709_824),
        (True, "last", 13_813_014_331_392),
    ],
)
def test_a_prompt_of_llama2_7b(causal, logits, macs):
    text = prompt(llama2_7b, 2048, causal=causal, logits=logits)
    pairs = 2048 * 2049 // 2 if causal else 2048**2
    predicted = 2048 if logits == "every" else 1
    by_hand = 2048 * (6_607_077_376 - 32000 * 4096) + predicted * 32000 * 4096 + pairs * 262_144
    assert text.macs == by_hand == macs
    assert text.output_shape == ((1, 2048, 32000) if logits == "every" else (1, 32000))


def test_the_training_of_gpt3():
    run = training(gpt3, tokens=300 * 10**9, seq_len=2048)
    d, layers, words, tokens = 12288, 96, 50257, 300 * 10**9
    assert run.sequences == 146_484_375
    assert run.tokens == tokens
    assert run.parameters == 174_604_259_328
    assert run.rule == 314_287_666_790_400_000_000_000
    assert dict(run.differences) == {
        # looked up, not multiplied; the same weights then make the logits
        "token table": -6 * tokens * words * d,
        "logits by the token table": 6 * tokens * words * d,
        "position table": -6 * tokens * 2048 * d,
        # two norms a layer and one at the end, with two numbers for each entry
        "norms": -6 * tokens * (2 * layers + 1) * 2 * d,
        # query, key, value, output, 4d hidden, output
        "biases": -6 * tokens * layers * (3 + 1 + 4 + 1) * d,
        # 2 * 2048 * d MACs a token and layer, six FLOPs each
        "attention": 6 * tokens * layers * 2 * 2048 * d,
    }
    assert run.flops == 322_912_029_081_600_000_000_000


def test_the_training_of_gpt3_under_a_mask():
    run = training(gpt3, tokens=300 * 10**9, seq_len=2048, causal=True)
    # (2048 + 1) / 2 positions are seen on average: 2 * 12288 MACs each, in 96 layers
    assert run.differences["attention"] == 6 * 300 * 10**9 * 96 * 12288 * 2049
    assert run.flops == 318_565_498_060_800_000_000_000


@pytest.mark.parametrize(
    ("build", "length"),
    [
        # a layer's weights over 2d: (4 * 4096 + 3 * 11008) / 2
        (llama_7b, 24_704),
        # keys and values a quarter as wide: (2.5 * 4096 + 3 * 14336) / 2
        (llama3_8b, 26_624),
        # an eighth: (2.25 * 8192 + 3 * 28672) / 2
        (llama2_70b, 52_224),
        (llama3_70b, 52_224),
    ],
)
def test_where_the_square_equals_the_rest_of_the_layers(build, length):
    for seq_len, causal in ((length, False), (2 * length - 1, True)):
        found = parts(prompt(build, seq_len, causal=causal))
        rest = found["projections"].macs + found["feed-forward"].macs
        assert found["scores and weighted sum"].macs == rest


def test_shared_heads_shrink_two_projections_and_nothing_else():
    alone = parts(next_token(lambda **o: llama(32, 4096, 32, 14336, vocab_size=128256, **o)))
    found = parts(next_token(llama3_8b))
    # 4 d^2 against 2 d^2 and 2 d^2 / 4
    assert Fraction(found["projections"].macs, alone["projections"].macs) == Fraction(5, 8)
    del found["projections"], alone["projections"]
    assert found == alone


# --- identities ----------------------------------------------------------------


@every_small
@pytest.mark.parametrize("length", [1, 2, 5, 11])
def test_a_causal_prompt_is_its_tokens_one_after_another(build, length):
    steps = (next_token(build, cache).operations for cache in range(length))
    assert prompt(build, length, causal=True).operations == sum(steps, start=OpCount())


@pytest.mark.parametrize("build", [gpt2_small, llama_7b, llama3_8b])
def test_so_it_is_in_real_models(build):
    steps = sum(next_token(build, cache).macs for cache in range(100))
    assert prompt(build, 100, causal=True).macs == steps


@every_small
@every_mask
@pytest.mark.parametrize("logits", ["every", "last"])
def test_every_row_is_what_its_loop_performs(build, causal, logits):
    for report in (
        prompt(build, 5, causal=causal, logits=logits, batch=2),
        next_token(build, 3, batch=2),
    ):
        executed = run_layers(report.model, report.input_shape)
        assert all(row.operations == executed[row.path] for row in report.rows)
        saw("networks")


@every_small
def test_texts_of_a_batch_cost_the_same_each(build):
    for one, seven in (
        (prompt(build, 5, causal=True), prompt(build, 5, causal=True, batch=7)),
        (next_token(build, 4), next_token(build, 4, batch=7)),
    ):
        assert seven.operations == one.operations * 7
        assert seven.parameters == one.parameters
        assert products(seven) == Products(*(7 * macs for macs in products(one)))


@every_small
@every_mask
def test_the_parts_and_the_products_are_the_whole(build, causal):
    report = prompt(build, 7, causal=causal)
    found = parts(report)
    assert sum(piece.macs for piece in found.values()) == report.macs
    assert sum(piece.parameters for piece in found.values()) == report.parameters
    weights, attention = products(report)
    assert weights + attention == report.macs
    assert attention == found["scores and weighted sum"].macs


@every_small
def test_the_mask_touches_the_square_alone(build):
    full, causal = (products(prompt(build, 7, causal=mask)) for mask in (False, True))
    assert full.weights == causal.weights
    # 7 * 8 / 2 of 7 * 7 pairs
    assert causal.attention * 49 == full.attention * 28


def test_parts_and_products_of_a_model_with_torchs_attention():
    # 12 layers of 2 * 197^2 * 768
    report = count(vit_b_16(), (1, 3, 224, 224))
    assert products(report).attention == 12 * 2 * 197**2 * 768


# --- training --------------------------------------------------------------------


def test_backward_is_two_products_as_large_as_forward():
    forward, of_input, of_weights = matmul(7, 3, 5), matmul(7, 5, 3), matmul(3, 7, 5)
    assert forward.macs == of_input.macs == of_weights.macs == 7 * 3 * 5


@pytest.mark.parametrize(
    "build", [*SMALL, gpt2_small, llama_7b, llama3_8b, gpt3], ids=lambda build: build.__name__
)
@every_mask
@pytest.mark.parametrize("seq_len", [1, 10])
def test_the_differences_leave_nothing_over(build, causal, seq_len):
    run = training(build, tokens=130, seq_len=seq_len, causal=causal)
    assert run.tokens == 130
    assert run.rule == 6 * run.parameters * 130
    assert run.flops == 3 * run.sequences * prompt(build, seq_len, causal=causal).flops
    assert run.rule + sum(run.differences.values()) == run.flops


def test_the_table_is_counted_in_vain_unless_it_makes_the_logits():
    tied = training(gpt2_small, tokens=1024, seq_len=1024).differences
    assert tied["token table"] + tied["logits by the token table"] == 0
    own = training(llama_7b, tokens=1024, seq_len=1024).differences
    assert set(own) == {"token table", "norms", "attention"}
    assert own["token table"] == -6 * 1024 * 32000 * 4096


def test_a_run_is_a_value_that_shows_what_it_counted():
    run = training(tiny, tokens=12, seq_len=4)
    assert run == Training(run.forward, 3)
    with pytest.raises(TypeError):
        run.differences["attention"] = 0
    with pytest.raises(AttributeError):
        run.sequences = 4


def test_more_texts_cost_as_many_times():
    one, ten = (training(tiny, tokens=4 * n, seq_len=4) for n in (1, 10))
    assert ten.flops == 10 * one.flops
    assert ten.rule == 10 * one.rule


# --- what is refused ---------------------------------------------------------------

POSITIONS = "needs at most 1024 positions at dimension 1, got"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: prompt(llama_7b, 0), ValueError, "seq_len must be a positive integer, got 0"),
        (lambda: prompt(llama_7b, 2.0), TypeError, "seq_len must be a positive integer, got 2.0 of type float"),
        (lambda: prompt(llama_7b, True), TypeError, "seq_len must be a positive integer, got True of type bool"),
        (lambda: prompt(llama_7b, 5, batch=0), ValueError, "batch must be a positive integer, got 0"),
        (lambda: prompt(llama_7b, 5, causal=1), TypeError, "causal must be True or False, got 1 of type int"),
        (lambda: prompt(llama_7b, 5, logits="first"), ValueError, "logits must be 'every' or 'last', got 'first'"),
        (lambda: prompt(llama_7b(), 5), TypeError, "build must be a builder such as flopslib.models.llama_7b, the function without a call, got "),
        (lambda: prompt("llama_7b", 5), TypeError, "build must be a builder such as flopslib.models.llama_7b, got 'llama_7b'"),
        (lambda: prompt(gpt2_small, 1025), ValueError, f"{POSITIONS} 1025 in"),
        (lambda: next_token(gpt2_small, 1024), ValueError, f"{POSITIONS} 1 after 1024 in"),
        (lambda: next_token(llama_7b, -1), ValueError, "cache must be a non-negative integer, got -1"),
        (lambda: next_token(llama_7b, 1.0), TypeError, "cache must be a non-negative integer, got 1.0 of type float"),
        (lambda: next_token(llama_7b, batch="2"), TypeError, "batch must be a positive integer, got '2'"),
        (lambda: training(gpt3, tokens=3e11, seq_len=2048), TypeError, "tokens must be a positive integer, got 300000000000.0 of type float"),
        (lambda: training(gpt3, tokens=0, seq_len=2048), ValueError, "tokens must be a positive integer, got 0"),
        (lambda: training(gpt3, tokens=10, seq_len=0), ValueError, "seq_len must be a positive integer, got 0"),
        (lambda: training(gpt3, tokens=5, seq_len=2), ValueError, "tokens must be a whole number of texts, got tokens=5 and seq_len=2"),
        (lambda: training(gpt3, tokens=2049, seq_len=2049), ValueError, "needs at most 2048 positions"),
        (lambda: training(gpt3, tokens=5, seq_len=1, causal="no"), TypeError, "causal must be True or False, got 'no' of type str"),
    ],
)  # fmt: skip
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("call", [prompt, next_token])
def test_a_model_that_reads_no_text(call):
    with pytest.raises(TypeError):
        call(resnet18, 5)


def test_the_last_position_of_a_table_is_allowed():
    assert next_token(gpt2_small, 1023).output_shape == (1, 1, 50257)
    assert prompt(gpt2_small, 1024).output_shape == (1, 1024, 50257)
