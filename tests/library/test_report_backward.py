"""The backward pass of a whole network: what lies before, what is frozen, what comes back twice."""

import pytest

from flopslib import count, linear
from flopslib import layers as nn
from flopslib.derivation import Derivation, OpCount
from flopslib.layers import (
    LSTM,
    BatchNorm2d,
    Conv2d,
    Dropout,
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
    ShiftedWindowAttention,
    Sum,
    view,
)
from flopslib.models import catalogue, mobilenet_v2, resnet50


class LowRank(Layer):
    """A linear layer beside two narrow ones."""

    def __init__(self, width, rank):
        self._set(
            base=Linear(width, width, bias=False),
            down=Linear(width, rank, bias=False),
            up=Linear(rank, width, bias=False),
            sum=Sum(),
        )

    def flow(self, x, run):
        beside = run("up", self.up, run("down", self.down, x))
        return run("sum", self.sum, run("base", self.base, x), beside)


def both(report, **options):
    return report.flops + report.backward(**options).flops


def test_a_training_step_of_an_image_network():
    assert both(count(resnet50(), (1, 3, 224, 224), training=True)) == 24_299_077_632
    assert both(count(mobilenet_v2(), (1, 3, 224, 224), training=True)) == 1_782_969_600


def test_a_norm_comes_before_or_after():
    paths = {
        first: [
            row.path
            for row in count(nn.TransformerEncoderLayer(4, 2, 3, norm_first=first), (3, 4)).rows
        ]
        for first in (False, True)
    }
    ends = ["linear1", "activation", "dropout", "linear2", "dropout2", "sum2"]
    assert paths[False] == ["self_attn", "dropout1", "sum1", "norm1", *ends, "norm2"]
    assert paths[True] == ["norm1", "self_attn", "dropout1", "sum1", "norm2", *ends]


def test_dropouts_of_an_encoder_layer_are_in_training():
    layer = nn.TransformerEncoderLayer(4, 2, 5)
    plain, training = count(layer, (3, 4)), count(layer, (3, 4), training=True)
    # the weights of the attention, 3 * 3 of each of 2 heads, and three results of 3 tokens
    assert training.multiplications - plain.multiplications == 2 * 9 + 3 * (4 + 5 + 4)


def test_two_low_ranks_beside_frozen_weights():
    # forward 2 * (640 + 320); back: the second base its input, 640; 4 narrow products of each
    # layer but one, which lies first: 160 * 4 + 160 * 3
    report = count(Sequential(LowRank(8, 2), LowRank(8, 2)), (5, 8))
    assert both(report, frozen="*.base") == 3_680 == 1_920 + 640 + 4 * 160 + 3 * 160
    assert both(report, trainable=["*.up", "*.down"]) == 3_680
    assert both(report, frozen=["0.base", "1.base.weight"]) == 3_680
    assert both(report) == 3 * 1_920 - 640 - 160


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "mobilenet_v2", "vit_b_16", "gpt2_small"])
def test_every_row_is_its_derivation(name):
    entry = catalogue()[name]
    report = count(entry.build(), entry.input_shape, training=True)
    back = report.backward()
    assert [row.path for row in back.rows if row.path not in {r.path for r in report.rows}] == []
    distinct = {(row.type, row.input_shape, row.operations.macs): row for row in back.rows}
    for row in distinct.values():
        assert row.operations == row.derivation.total
    assert sum(row.macs for row in back.rows) == back.macs == back.derivation.macs
    assert back.macs < 2 * report.macs or not report.backward(input_gradient=True).macs < back.macs


def test_nothing_comes_back_through_what_nothing_learnt_lies_before():
    net = Sequential(Linear(4, 4), ReLU(), Linear(4, 4), ReLU(), Linear(4, 2))
    report = count(net, (3, 4))
    last = report.backward(trainable="4")
    assert [row.path for row in last.rows if row.exact_flops] == ["4"]
    assert last.macs == 3 * 4 * 2
    middle = report.backward(trainable="2")
    assert {row.path: row.macs for row in middle.rows} == {"0": 0, "1": 0, "2": 48, "3": 0, "4": 24}
    assert middle["3"].other["comparisons"] == 12
    assert report.backward(frozen="*").operations == OpCount()
    assert report.backward(input_gradient=True, frozen="*").macs == 48 + 48 + 24


def test_alike_layers_are_frozen_one_by_one():
    # a list with the same layer four times has four layers
    report = count(Sequential(*[Linear(4, 4, bias=False)] * 4), (3, 4))
    assert report.backward(trainable="3").macs == 48
    assert report.backward(trainable="0").macs == 4 * 48
    assert report.backward(frozen="0").macs == (3 + 2) * 48


def test_a_gradient_that_comes_back_twice_is_added_up():
    body = Residual(Linear(8, 8, bias=False))
    alone = count(Linear(8, 8, bias=False), (3, 8)).backward(input_gradient=True)
    around = count(Sequential(Linear(8, 8, bias=False), body), (3, 8)).backward()
    first = count(Linear(8, 8, bias=False), (3, 8)).backward()
    assert around.additions == first.additions + alone.additions + 3 * 8
    assert around["0"].derivation.steps[0].name == "sum of the gradients of the result"


def test_parts_of_a_result_need_no_sum():
    class Halves(Layer):
        def __init__(self):
            self._set(both=Linear(4, 8, bias=False), one=ReLU(), other=ReLU(), sum=Sum())

        def flow(self, x, run):
            joined = run("both", self.both, x)
            one = run("one", self.one, view((3, 4), joined))
            return run("sum", self.sum, one, run("other", self.other, view((3, 4), joined)))

    assert count(Halves(), (3, 4)).backward().additions == 4 * 8 * (3 - 1)


def test_a_shared_weight_is_added_once():
    table = Embedding(11, 4)
    tied = Sequential(table, Linear(4, 4, bias=False), Shared(Linear(4, 11, bias=False)))
    apart = Sequential(table, Linear(4, 4, bias=False), Linear(4, 11, bias=False))
    one, other = (count(net, (2, 3)).backward() for net in (tied, apart))
    assert one.macs == other.macs
    assert one.additions == other.additions + 11 * 4
    assert one["0"].additions == 2 * 3 * 4


def test_a_layer_that_is_run_twice():
    class Twice(Layer):
        def __init__(self, layer):
            self._set(layer=layer)

        def flow(self, x, run):
            return run("second", self.layer, run("first", self.layer, x))

    report = count(Twice(Linear(4, 4, bias=False)), (3, 4))
    back = report.backward()
    assert back.macs == 48 * 3
    assert back["second"].additions - report.backward(input_gradient=True)["first"].additions == 16
    assert report.backward(frozen="first").operations == OpCount()


def test_what_is_computed_once_more():
    net = Sequential(Linear(4, 4), SelfAttention(4, 2), Linear(4, 2))
    report = count(net, (2, 5, 4))
    plain, again = report.backward(), report.backward(checkpoint="1")
    assert again.macs - plain.macs == report["1"].macs
    scores = report.backward(checkpoint=["1.attend.scores", "1.attend.softmax"])
    assert scores.macs - plain.macs == 2 * 2 * 25 * 2  # batch, heads, pairs, width
    assert scores["1.attend"].operations == scores["1.attend"].derivation.total
    whole = report.backward(checkpoint="*")
    assert whole.macs == plain.macs + report.macs


def test_training_differs_where_it_says_so():
    net = Sequential(Conv2d(2, 3, 1), BatchNorm2d(3), Dropout(0.5))
    report = count(net, (2, 2, 4, 4), training=True)
    # of each channel's 32 numbers: as a layer norm, and a record of mean and variance
    assert report["1"].multiplications == 3 * (2 * 32 + 5)
    assert report["2"].multiplications == 96
    assert report.macs == count(net, (2, 2, 4, 4)).macs
    back = report.backward()
    assert back["1"].multiplications == 3 * (3 * 32 + 32)
    assert count(net, (2, 2, 4, 4)).backward()["1"].multiplications == 96


def test_dropout_inside_attention():
    # a factor for each of 2 * 3 * 5 * 5 weights of the attention, there and back
    plain, dropping = (
        count(MultiheadAttention(6, 3, p, batch_first=True), (2, 5, 6), training=True)
        for p in (0.0, 0.1)
    )
    assert dropping.multiplications - plain.multiplications == 2 * 3 * 25
    assert dropping.macs == plain.macs
    back = [report.backward(input_gradient=True) for report in (plain, dropping)]
    assert back[1].multiplications - back[0].multiplications == 2 * 3 * 25
    assert back[1].macs == back[0].macs
    steps = {step.name: step for step in dropping.rows[0].derivation.steps}
    assert steps["dropout"].reads == (steps["softmax"].writes,)
    assert steps["weighted sum"].reads[0] is steps["dropout"].writes
    still = count(MultiheadAttention(6, 3, 0.1, batch_first=True), (2, 5, 6))
    assert still.multiplications == plain.multiplications


@pytest.mark.parametrize(
    ("layer", "shape", "name"),
    [
        (LSTM(3, 4, 2, dropout=0.1), (5, 2, 3), "dropout=0.1"),
        (ShiftedWindowAttention(4, 2, 0, 2, dropout=0.2), (1, 4, 4, 4), "dropout=0.2"),
        (
            ShiftedWindowAttention(4, 2, 0, 2, attention_dropout=0.3), (1, 4, 4, 4),
            "attention_dropout=0.3",
        ),
    ],
)  # fmt: skip
def test_dropout_that_is_not_derived_is_refused_in_training_alone(layer, shape, name):
    assert count(layer, shape).macs
    with pytest.raises(ValueError, match=f"has {name}, which is not counted in training"):
        count(layer, shape, training=True)
    alone = LSTM(3, 4, dropout=0.1)  # acts between layers, of which there is one
    assert count(alone, (5, 2, 3), training=True).macs == count(alone, (5, 2, 3)).macs


def test_a_layer_of_ones_own_says_what_it_reads():
    class Own(Layer):
        def __init__(self, cost):
            self._set(cost_of=cost)

        def cost(self, input_shape, output_shape):
            return self.cost_of(input_shape[0])

        def output_shape(self, input_shape):
            return input_shape

    two = Own(lambda n: linear(4, 6, batch=n, bias=False) + linear(6, 4, batch=n, bias=False))
    back = count(two, (3, 4)).backward()
    # the second input is made inside, whose gradient is needed
    assert back.macs == 3 * 24 * 3
    assert count(two, (3, 4)).backward(input_gradient=True).macs == 3 * 24 * 4
    silent = Own(lambda n: Derivation(linear(4, 4).steps[:0]))
    assert count(silent, (3, 4)).backward().macs == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"frozen": "2"}, ValueError, "frozen names '2', which there is not; near it are"),
        ({"trainable": ["0", "fc"]}, ValueError, "trainable names 'fc', which there is not"),
        ({"checkpoint": "0.scores"}, ValueError, "checkpoint names '0.scores'"),
        ({"frozen": 3}, TypeError, "frozen must be paths such as 'layer1.*', got 3"),
        ({"frozen": [3]}, TypeError, "frozen must be paths such as 'layer1.*', got 3"),
        ({"frozen": "0", "trainable": "1"}, ValueError, "give frozen or trainable, not both"),
        ({"input_gradient": 1}, TypeError, "input_gradient must be True or False"),
    ],
)
def test_bad_input(options, error, message):
    report = count(Sequential(Linear(4, 4), LayerNorm(4)), (3, 4))
    with pytest.raises(error) as caught:
        report.backward(**options)
    assert message in str(caught.value)


def test_three_inputs_of_attention_are_one_result():
    report = count(Sequential(Linear(4, 4), MultiheadAttention(4, 2, batch_first=True)), (2, 3, 4))
    back = report.backward()
    assert back["1"].macs == 2 * report["1"].macs
    assert back["0"].macs == report["0"].macs
