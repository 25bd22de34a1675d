"""What a network multiplies with weights and what not: operands tell, whatever a layer is called."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flopslib import (
    Step,
    count,
    linear,
    matmul,
    scaled_dot_product_attention,
    transformer_layer,
)
from flopslib.derivation import Derivation
from flopslib.derivation.primitives import dot_product
from flopslib.layers import (
    Embedding,
    Layer,
    LayerNorm,
    Linear,
    MultiheadAttention,
    ReLU,
    Residual,
    SelfAttention,
    Sequential,
    Shared,
)
from flopslib.models import resnet50
from flopslib.models.language import (
    Piece,
    Training,
    next_token,
    parts,
    products,
    prompt,
    training,
)


class Experts(Layer):
    """Keeps several layers and runs the first few of them."""

    def __init__(self, experts, active):
        self._set(experts=tuple(experts), active=active)

    def flow(self, x, run):
        for at, expert in enumerate(self.experts[: self.active]):
            y = run(f"e{at}", expert, x)
        return y


class Latent(Layer):
    """Attention of a reader's own: keys of 192 numbers, values of 128, in one row."""

    def __init__(self, width, heads):
        self._set(width=width, heads=heads)

    @property
    def weights(self):
        return {"down": (64, self.width), "out": (self.width, self.heads * 128)}

    def output_shape(self, input_shape):
        return input_shape

    def cost(self, input_shape, output_shape):
        batch, length, _ = input_shape
        return (
            linear(self.width, 64, batch=batch * length, bias=False)
            + matmul(length, 192, length, batch=batch * self.heads)
            + matmul(length, length, 128, batch=batch * self.heads)
            + linear(self.heads * 128, self.width, batch=batch * length, bias=False)
        )


def test_attention_of_a_readers_own():
    # 16 heads of 1024 * 1024 pairs, of 192 and of 128 terms
    report = count(Sequential(whatever=Latent(512, 16)), (1, 1024, 512))
    assert products(report).attention == 5_368_709_120 == 16 * 1024**2 * (192 + 128)
    assert products(report).weights == 1024 * (512 * 64 + 2048 * 512)


def test_a_layer_that_shares_all_its_weights():
    # a layer's square: 2 * 50^2 * 64 = 320,000, three times
    layer = SelfAttention(64, 4)
    report = count(Sequential(layer, Shared(layer), Shared(layer)), (1, 50, 64))
    assert products(report).attention == 960_000 == 3 * 2 * 50**2 * 64
    assert products(report).weights == 3 * 50 * 4 * 64**2


@pytest.mark.parametrize("name", ["lm_head", "logits", "q_proj", "anything"])
def test_the_logits_are_the_product_that_makes_the_output(name):
    block = Residual(Sequential(attend=SelfAttention(8, 2)))
    mlp = Residual(Sequential(up=Linear(8, 12), act=ReLU(), down=Linear(12, 8)))
    blocks = Sequential(Sequential(a=block, b=mlp), Sequential(a=block, b=mlp))
    net = Sequential(Embedding(11, 8), blocks, LayerNorm(8), **{name: Linear(8, 11)})
    found = parts(count(net, (2, 5)))
    assert found == {
        "token table": Piece(11 * 8, 0),
        "projections": Piece(2 * (4 * 64 + 4 * 8), 2 * 5 * 2 * 4 * 64),
        "scores and weighted sum": Piece(0, 2 * 2 * 2 * 25 * 8),
        "feed-forward": Piece(2 * (2 * 96 + 20), 2 * 5 * 2 * 2 * 96),
        "norms": Piece(16, 0),
        "logits": Piece(99, 2 * 5 * 88),
    }


def test_what_cannot_be_told_is_not_guessed():
    side_by_side = Sequential(
        q=Linear(8, 8), attend=Square(8), out=Linear(8, 8), up=Linear(8, 32), down=Linear(32, 8)
    )
    blocks = Sequential(side_by_side, side_by_side)
    found = parts(count(Sequential(h=blocks, head=Linear(8, 3)), (1, 3, 8)))
    assert found.keys() == {"other weights", "scores and weighted sum", "logits"}
    whole = parts(count(Sequential(h=Sequential(Whole(8), Whole(8)), head=Linear(8, 3)), (1, 3, 8)))
    assert whole.keys() == {"other weights", "scores and weighted sum", "logits"}
    alone = parts(count(SelfAttention(8, 2), (1, 3, 8)))
    assert alone.keys() == {"other weights", "scores and weighted sum", "logits"}


class Square(Layer):
    """Scores and sums alone."""

    def __init__(self, width):
        self._set(width=width)

    def cost(self, input_shape, output_shape):
        batch, length, width = input_shape
        return scaled_dot_product_attention(length, width, batch=batch)


class Whole(Layer):
    """All of a Transformer layer in one row."""

    def __init__(self, width):
        self._set(width=width)

    def cost(self, input_shape, output_shape):
        batch, length, width = input_shape
        return transformer_layer(length, width, batch=batch)


class Unsaid(Layer):
    """Multiplies, and does not say what."""

    def __init__(self):
        self._set()

    def cost(self, input_shape, output_shape):
        return Derivation((Step("mystery", (dot_product(4),), (2,)),))


def test_a_step_that_does_not_say_what_it_multiplies_is_named():
    report = count(Sequential(a=Linear(4, 4), b=Unsaid()), (1, 4))
    with pytest.raises(ValueError, match=r"b: the step 'mystery' does not say what it multiplies"):
        products(report)


def test_torchs_attention_has_projections_and_a_square_in_one_row():
    layer = Sequential(mha=MultiheadAttention(8, 2, batch_first=True), mlp=Linear(8, 8))
    found = parts(count(Sequential(h=Sequential(layer, layer), head=Linear(8, 3)), (1, 5, 8)))
    assert found["projections"] == Piece(2 * (4 * 64 + 32), 2 * 5 * 4 * 64)
    assert found["scores and weighted sum"] == Piece(0, 2 * 2 * 25 * 8)
    assert found["feed-forward"] == Piece(2 * 72, 2 * 5 * 64)


# --- the rule of thumb, and what it leaves out ----------------------------------------------


def run_of(model, tokens, batch=1):
    return Training(count(model, (batch, tokens)), 1)


def test_experts_that_are_not_run_are_no_cost():
    # 4 tokens: 2*2 in the one expert that is run, 2*10 logits; forward and twice backward
    model = Sequential(Embedding(10, 2), Experts([Linear(2, 2), Linear(2, 2)], 1), Linear(2, 10))
    run = run_of(model, 4)
    assert run.flops == 576 == 3 * 2 * 4 * (4 + 20)
    assert run.rule == 6 * 4 * (20 + 2 * 6 + 30)
    assert run.differences["not run"] == -6 * 4 * 6
    assert run.rule + sum(run.differences.values()) == run.flops


NAMES = st.sampled_from(["lm_head", "q_proj", "attend", "mlp", "x", "scores", "wte", "logits"])


@st.composite
def models(draw):
    """A small model of blocks with any names: experts, shared layers, squares, norms."""
    width, heads = draw(st.sampled_from([(4, 1), (4, 2), (6, 3)]))
    plain = {
        "linear": lambda: Linear(width, width, bias=draw(st.booleans())),
        "norm": lambda: LayerNorm(width),
        "attention": lambda: SelfAttention(width, heads, bias=draw(st.booleans())),
        "torch": lambda: MultiheadAttention(width, heads, batch_first=True),
        "square": lambda: Square(width),
        "latent": lambda: Latent(width, heads),
        "experts": lambda: Experts([Linear(width, width)] * 3, draw(st.integers(1, 3))),
        "shared": lambda: Shared(draw(st.sampled_from([Linear(width, width), shared]))),
    }
    shared = Sequential(SelfAttention(width, heads), Linear(width, width))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    block = Sequential({name: plain[draw(st.sampled_from(sorted(plain)))]() for name in names})
    blocks = Sequential(*[block] * draw(st.integers(1, 3)))
    head = Linear(width, 5) if draw(st.booleans()) else LayerNorm(width)
    return Sequential({"embed": Embedding(5, width), draw(NAMES): blocks, "end": head})


def by_hand(node):
    """The MACs with and without a weight, by walking through what the layers are."""
    weights = square = 0
    for _, part in node.parts:
        more = by_hand(part)
        weights, square = weights + more[0], square + more[1]
    layer, x = node.layer, node.input_shape
    own = node.own[2]
    if isinstance(layer, Shared):
        return by_hand(count(layer.layer, x)._root)
    if isinstance(layer, MultiheadAttention | Latent):
        batch, length, width = x
        pairs = batch * length**2
        both = 2 * width if isinstance(layer, MultiheadAttention) else layer.heads * 320
        return own - pairs * both, pairs * both
    if own and not isinstance(layer, Linear):
        return weights, square + own
    return weights + own, square


@settings(max_examples=150, deadline=None)
@given(models(), st.integers(1, 5), st.integers(1, 3))
def test_any_model_under_any_names(model, tokens, batch):
    report = count(model, (batch, tokens))
    assert tuple(products(report)) == by_hand(report._root)
    found = parts(report)
    assert sum(piece.macs for piece in found.values()) == report.macs
    owned = sum(piece.parameters for piece in found.values())
    assert owned == sum(row.parameters for row in report.rows)
    run = run_of(model, tokens)
    assert run.rule + sum(run.differences.values()) == run.flops
    assert 0 not in run.differences.values()


@pytest.mark.parametrize("call", [prompt, training, next_token], ids=lambda call: call.__name__)
def test_a_network_that_is_no_language_model(call):
    more = {"tokens": 8, "seq_len": 4} if call is training else {}
    arguments = (4,) if call is prompt else ()
    with pytest.raises(TypeError) as raised:
        call(resnet50, *arguments, **more)
    assert str(raised.value) == (
        "build must be the builder of a language model, which takes causal=…, got resnet50; "
        "count(resnet50(…), input_shape) counts any network"
    )
