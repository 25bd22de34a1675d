"""Graphs: branches, joins and skips, several inputs and several outputs."""

import pickle

import pytest

from flopslib import count, layers
from flopslib.layers import (
    Cat,
    Conv2d,
    ConvTranspose2d,
    Embedding,
    Graph,
    Identity,
    Layer,
    Linear,
    MatMul,
    MaxPool2d,
    Permute,
    Product,
    ReLU,
    Sequential,
    ShapeError,
    Sum,
)
from flopslib.loops import run_layers


def unet(channels, depth):
    """A U-Net of one convolution a level: the skip is the last three lines of each level."""
    if not depth:
        return Conv2d(channels, channels, 3, padding=1)
    return Graph(
        wide=Conv2d(channels, channels, 3, padding=1),
        pool=MaxPool2d(2),
        deep=unet(channels, depth - 1),
        up=ConvTranspose2d(channels, channels, 2, stride=2),
        skip=(Cat(1), "wide", "up"),
        head=Conv2d(2 * channels, channels, 1),
    )


def two_towers():
    return Graph(
        left=(Linear(3, 4), "image"),
        table=(Embedding(11, 4), "word"),
        gate=(Product(), "left", "table"),
        score=Linear(4, 2),
        inputs=("image", "word"),
        outputs=("score", "gate"),
    )


def executed(model, x):
    report, tallies = count(model, x), run_layers(model, x)
    assert {row.path: row.operations for row in report.rows} == tallies
    return report


def test_a_skip():
    net = unet(2, 2)
    report = executed(net, (1, 2, 8, 8))
    assert report["skip"].output_shape == (1, 4, 8, 8)
    assert report["deep.skip"].output_shape == (1, 4, 4, 4)
    # 3*3*2*2 at 64 + 16 + 4 places, 4*2*2*... up: 2*2*2*2 at 16 + 4 inputs, heads 4*2 at 64 + 16
    assert report.macs == 36 * (64 + 16 + 4) + 16 * (16 + 4) + 8 * (64 + 16)
    assert report.parameters == sum(row.parameters for row in report.rows)
    with pytest.raises(
        ShapeError, match=r"^deep\.skip: Cat\(\) joins dimension 1 .*: \(1, 2, 3, 3\)"
    ):
        count(net, (1, 2, 6, 6))


def test_several_inputs_and_outputs():
    for shapes in ([(2, 3), (2,)], ((2, 3), (2,)), {"word": (2,), "image": [2, 3]}):
        report = executed(two_towers(), shapes)
        assert report.inputs == {"image": (2, 3), "word": (2,)}
        assert report.outputs == {"score": (2, 2), "gate": (2, 4)}
        assert report.output_shape == ((2, 2), (2, 4))
        assert (report.macs, report.multiplications) == (2 * 12 + 2 * 8, 2 * 12 + 2 * 8 + 2 * 4)
    said = "Inputs: image 2×3, word 2. Outputs: score 2×2, gate 2×4."
    assert said in repr(report)
    assert said in report.markdown()
    assert count(Linear(3, 2), (1, 3)).outputs == {"0": (1, 2)}
    assert "Outputs" not in repr(count(Linear(3, 2), (1, 3)))
    assert report.as_dict()["output_shape"] == ((2, 2), (2, 4))


def test_a_graph_inside_a_graph():
    outer = Graph(
        towers=(two_towers(), "image", "word"),
        again=(Linear(4, 4), "towers.gate"),
        first=(Identity(), "towers.0"),
        joined=(Cat(-1), "towers"),
        sum=(Sum(), "again", "towers.gate"),
        inputs=["image", "word"],
        outputs=["sum", "joined", "towers.score"],
    )
    report = executed(outer, ((2, 3), (2,)))
    assert report.output_shape == ((2, 4), (2, 6), (2, 2))
    assert list(report.outputs) == ["sum", "joined", "towers.score"]
    assert report["towers"].layers == 4
    assert len(report.groups(1)) == 5


def test_gradients_find_their_way_through_a_graph():
    report = count(unet(2, 1), (1, 2, 4, 4)).backward()
    forward = count(unet(2, 1), (1, 2, 4, 4))
    # each MAC once for the weight and once for the input, which the first layer does not need
    assert report.macs == 2 * forward.macs - forward["wide"].macs
    both = count(two_towers(), ((2, 3), (2,))).backward()
    assert both.macs == 2 * 12 + 2 * 8 * 2


def test_a_graph_is_a_value():
    assert two_towers() == two_towers()
    assert hash(two_towers()) == hash(two_towers())
    assert pickle.loads(pickle.dumps(two_towers())) == two_towers()
    assert Graph({"a": ReLU()}) == Graph(a=ReLU()) != Graph(b=ReLU())
    assert two_towers().parameters == 16 + 44 + 10
    assert repr(two_towers()) == "Graph(4 nodes)"


def test_attention_written_as_a_graph():
    net = Graph(
        q=(Linear(4, 4, bias=False), "x"), k=(Linear(4, 4, bias=False), "x"),
        turned=Permute((0, 2, 1)), v=(Linear(4, 4, bias=False), "x"),
        scores=(MatMul(), "q", "turned"), softmax=layers.Softmax(-1), y=(MatMul(), "softmax", "v"),
    )  # fmt: skip
    assert executed(net, (2, 3, 4)).macs == 3 * 2 * 3 * 16 + 2 * 2 * 9 * 4


class Halves(Layer):
    """A layer of one's own with two results."""

    def output_shape(self, input_shape):
        n, width = input_shape
        return (n, width // 2), (n, width - width // 2)


class Glued(Layer):
    """One of three inputs, with a loop of its own."""

    def output_shape(self, input_shape):
        return input_shape[0]

    def cost(self, input_shape, output_shape):
        return 2 * Sum().derivation((input_shape[0], input_shape[0]))

    def loop(self, x, weights):
        return x[0] + x[1] + x[2]


def test_layers_of_ones_own_in_a_graph():
    net = Graph(
        halves=Halves(), sum=(Sum(), "halves"), one=(ReLU(), "halves.1"),
        all=(Glued(), "sum", "one", "halves.0"),
    )  # fmt: skip
    report, tallies = count(net, (2, 6)), run_layers(net, (2, 6))
    assert report.additions == sum(t.additions for t in tallies.values()) == 6 + 12
    assert report["halves"].output_shape == ((2, 3), (2, 3))


WRONG = [
    (lambda: Graph(), ValueError, "Graph needs at least one node, got none"),
    (lambda: Graph(a=3), TypeError, "node 'a' must be a layer of flopslib, got 3"),
    (lambda: Graph(a=(ReLU(), 3)), TypeError, "a must name what it gets, such as 'x', got 3"),
    (lambda: Graph(a=(ReLU(), "b")), ValueError, "a asks for 'b', which nothing before it makes; there are x"),
    (lambda: Graph(deep=ReLU(), b=(ReLU(), "dep")), ValueError, "b asks for 'dep', which nothing before it makes; near it are deep"),
    (lambda: Graph(a=ReLU(), outputs="b"), ValueError, "outputs asks for 'b', which nothing before it makes; there are x, a"),
    (lambda: Graph(x=ReLU()), ValueError, "a node must not be called 'x': that name is taken"),
    (lambda: Graph({"a.b": ReLU()}), ValueError, "a node's name must be text without a dot, got 'a.b'"),
    (lambda: Graph(a=ReLU(), inputs=()), TypeError, "inputs must be a name or several, got ()"),
    (lambda: Graph(a=ReLU(), outputs=(1,)), TypeError, "outputs must be a name or several, got (1,)"),
    (lambda: Graph(a=ReLU(), inputs=("x", "x")), ValueError, "inputs must differ from each other, got ('x', 'x')"),
    (lambda: Graph(t=(two_towers(), "x"), b=(ReLU(), "t.gat")), ValueError, "b asks for 't.gat'; the outputs of t are score, gate"),
    (lambda: count(two_towers(), {"image": (2, 3)}), ValueError, "the inputs are image, word, got image"),
    (lambda: count(two_towers(), ((2, 3), (2, 0))), ValueError, "input_shape[1][1] must be a positive integer, got 0"),
    (lambda: count(two_towers(), {"image": (2, 3), "word": 2}), TypeError, "input_shape['word'] must be a tuple of positive integers such as (1, 3, 224, 224), got 2"),
    (lambda: count(Linear(3, 2), {"x": (1, 3)}), TypeError, "the inputs of Linear(3, 2) have no names: give the shapes as a tuple, in order"),
    (lambda: count(Linear(3, 2), ((1, 3), (1, 3))), ShapeError, "Linear(3, 2) takes one input, got 2: (1, 3), (1, 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("attempt", "error", "message"), WRONG, ids=[w[2][:40] for w in WRONG])
def test_what_a_graph_refuses(attempt, error, message):
    with pytest.raises(error) as caught:
        attempt()
    assert str(caught.value) == message


def test_joins_are_compared():
    """Linear(3, 4) and Linear(3, 5) have no sum, however it is written."""

    class Own(Layer):
        def __init__(self):
            self._set(a=Linear(3, 4), b=Linear(3, 5))

        def flow(self, x, run):
            return run("sum", Sum(), run("a", self.a, x), run("b", self.b, x))

    in_a_graph = Graph(a=Linear(3, 4), b=(Linear(3, 5), "x"), sum=(Sum(), "a", "b"))
    for model in (Own(), in_a_graph):
        with pytest.raises(ShapeError, match=r"sum: Sum\(\) needs shapes that fit each other, got"):
            count(Sequential(model), (1, 3))
