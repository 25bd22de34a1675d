"""Layers of a reader's own: what is run twice, what costs something besides, what is misspelt."""

import gc
import pickle
import time

import pytest
from witnesses import saw

from flopslib import Derivation, conv2d, count, layers, linear
from flopslib.layers import (
    Conv2d,
    Embedding,
    Flatten,
    Identity,
    Layer,
    Linear,
    Permute,
    Product,
    ReLU,
    Sequential,
    Shared,
    Sum,
)
from flopslib.layers.habits import missing
from flopslib.loops import run_layers
from flopslib.loops.loop import dot


class Twice(Layer):
    def __init__(self, layer):
        self._set(layer=layer)

    def flow(self, x, run):
        return run("second", self.layer, run("first", self.layer, x))


class Stack(Layer):
    """25 small layers, and a convolution of its own besides."""

    def __init__(self, layers_):
        self._set(layers=layers_)

    def flow(self, x, run):
        for at, layer in enumerate(self.layers):
            x = run(str(at), layer, x)
        return x


class Besides(Stack):
    def cost(self, input_shape, output_shape):
        return conv2d(8, 8, 3, 14, 14)


class Dot(Layer):
    """The sum of what every number is, times a weight: a linear layer of one output."""

    def __init__(self, width):
        self._set(width=width)

    @property
    def weights(self):
        return {"w": (self.width,)}

    def output_shape(self, input_shape):
        return (*input_shape[:-1], 1)

    def cost(self, input_shape, output_shape):
        return linear(self.width, 1, batch=input_shape[0], bias=False)


def executed_dot(layer, x, weights):
    return [[dot(list(row), list(weights["w"]))] for row in x]


class DotWithLoop(Dot):
    def loop(self, x, weights):
        return executed_dot(self, x, weights)


# --- what is run twice (A), and what is built alike (F) -------------------------


def tree_parameters(report, depth=1):
    """Return the parameters in the lines of a tree at one depth, folded lines times their number."""
    found = 0
    for line in repr(report.tree(depth)).splitlines()[1:]:
        times = int(line.partition("(")[2].split()[0]) if "alike" in line else 1
        found += times * int(line.split(" parameters")[0].split()[-1].replace(",", ""))
    return found


def of_a_table(table):
    column = table.header.index("parameters")
    return sum(int(row[column].replace(",", "")) for row in table.rows)


@pytest.mark.parametrize(
    "model",
    [
        Twice(Linear(10, 10)),
        Twice(Sequential(Linear(10, 10), ReLU())),
        Sequential(Twice(Twice(Linear(10, 10))), Linear(10, 10)),
        Sequential(*[Twice(Linear(10, 10))] * 3),
        Twice(Stack([Linear(10, 10)] * 25)),
    ],
    ids=repr,
)
def test_every_view_owns_what_is_run_twice_once(model):
    report = count(model, (1, 10))
    for depth in (0, 1, 2, 3):
        assert sum(group.parameters for group in report.groups(depth)) == report.parameters
        assert of_a_table(report.table(depth)) == report.parameters
        assert sum(entry["parameters"] for entry in report.as_dict(depth)["layers"]) == (
            report.parameters
        )
    assert tree_parameters(report) == report.parameters
    assert sum(row.parameters for row in report.rows) == report.parameters


def test_a_tree_says_where_the_weights_are():
    drawn = repr(count(Twice(Linear(10, 10)), (1, 10)).tree()).splitlines()
    assert drawn[0].endswith("110 parameters  200 MACs")
    assert [line.split()[-4:] for line in drawn[1:]] == [
        ["110", "parameters", "100", "MACs"],
        ["0", "parameters", "100", "MACs"],
    ]


def block(width):
    return Sequential(fc=Linear(width, width), act=ReLU())


def test_a_tree_folds_what_is_built_alike():
    same, alike = block(4), [block(4) for _ in range(4)]
    folded = repr(count(Sequential(*[same] * 4), (1, 4)).tree())
    assert "0 … 3 (4 alike, each)" in folded
    assert repr(count(Sequential(*alike), (1, 4)).tree()) == folded
    other = Sequential(*alike[:2], Linear(4, 4), *alike[2:])
    lines = repr(count(other, (1, 4)).tree(1)).splitlines()
    assert [line.split(":")[0][3:] for line in lines[1:]] == [
        "0 … 1 (2 alike, each)", "2", "3 … 4 (2 alike, each)",
    ]  # fmt: skip


def test_a_tree_does_not_fold_what_meets_another_shape():
    pools = Sequential(*[layers.MaxPool2d(2) for _ in range(3)])
    lines = repr(count(pools, (1, 1, 8, 8)).tree()).splitlines()
    assert len(lines) == 4


# --- a cost beside a flow (B) ---------------------------------------------------


@pytest.mark.parametrize("where", ["alone", "nested"])
def test_a_cost_beside_a_flow_is_in_every_view(where):
    own = Besides([Sequential(Conv2d(8, 8, 1), ReLU()) for _ in range(25)])
    model, at = (own, "") if where == "alone" else (Sequential(own, ReLU()), "0")
    report = count(model, (1, 8, 14, 14))
    # 25 convolutions of 8*8 weights and one of 8*8*9, each at 14*14 places
    macs = (25 * 64 + 576) * 196
    assert report.macs == report.derivation.macs == report[at].macs == macs == 426496
    assert report[at].parameters == report.parameters == 25 * 72
    for depth in (0, 1, 2, None):
        assert sum(entry.macs for entry in report.entries(depth)) == macs
        shares = [row[4] for row in report.table(depth).rows if row[4]]
        assert sum(float(share.split("\xa0")[0]) for share in shares) == pytest.approx(100, abs=2)
    lines = repr(count(own, (1, 8, 14, 14)).tree(1)).splitlines()
    assert lines[-1].split() == [
        "└─", "Besides", "itself", "0", "parameters", "112,896", "MACs",
    ]  # fmt: skip


def test_the_empty_path_is_the_whole_network():
    report = count(Sequential(a=Linear(3, 2), b=ReLU()), (1, 3))
    assert report[""].macs == report.macs
    assert report[""].layers == 2
    assert count(Linear(3, 2), (1, 3))[""] == count(Linear(3, 2), (1, 3)).rows[0]
    assert "" in report
    assert 3 not in report
    assert repr(report[""]) == "Sequential: 2 layers, 8 parameters, 6 MACs"


# --- count and run_layers (C) ---------------------------------------------------


def same(model, x, **loops):
    report, tallies = count(model, x), run_layers(model, x, **loops)
    assert {row.path: row.operations for row in report.rows if any(row._counts)} == {
        path: tally for path, tally in tallies.items() if any(tally.kinds().values())
    }
    saw("layers", len(tallies))
    return tallies


def test_count_and_run_layers_have_the_same_paths():
    assert list(run_layers(Linear(3, 2), (1, 3))) == [""]
    same(Linear(3, 2), (1, 3))
    same(Sequential(Sequential(), Twice(Linear(3, 3))), (1, 3))


def test_what_is_shared_is_executed_whole():
    inner = Sequential(Linear(3, 3), Twice(Shared(Linear(3, 3))), ReLU())
    tallies = same(Sequential(inner, Shared(inner), Shared(Shared(inner))), (2, 3))
    assert tallies["1"].macs == tallies["2"].macs == 3 * 2 * 9
    same(Shared(inner), (2, 3))


class ScaledStack(Stack):
    def cost(self, input_shape, output_shape):
        return Product().derivation(input_shape)

    def loop(self, x, weights):
        return x * 2


def test_a_cost_beside_a_flow_is_executed():
    stack = ScaledStack([Linear(3, 3)])
    assert same(stack, (2, 3))[""].multiplications == 6
    assert same(Sequential(a=stack, b=Shared(stack)), (2, 3))["b"].multiplications == 6 + 18
    with pytest.raises(TypeError, match=r"Besides\(.*\) has no naive loop: give Besides a method"):
        run_layers(Besides([ReLU()]), (1, 8, 14, 14))


def test_a_loop_of_ones_own():
    model = Sequential(Linear(3, 3), Dot(3), Linear(1, 2))
    with pytest.raises(TypeError, match=r"hand in loops=\{Dot: …\}"):
        run_layers(model, (2, 3))
    assert same(model, (2, 3), loops={Dot: executed_dot})["1"].macs == 6
    same(Sequential(Linear(3, 3), DotWithLoop(3)), (2, 3))
    # a loop that does something else is found out
    wrong = {Dot: lambda layer, x, weights: executed_dot(layer, x, weights)[:1]}
    tallies = run_layers(model, (2, 3), loops=wrong)
    assert tallies["2"].macs != count(model, (2, 3))["2"].macs


def test_what_need_not_be_executed():
    tallies = run_layers(Sequential(Linear(3, 3), Dot(3), Linear(1, 2)), (2, 3), loops={Dot: None})
    assert list(tallies) == ["0", "2"]

    class Turned(Layer):
        def output_shape(self, input_shape):
            return input_shape[::-1]

    same(Sequential(Turned(), Linear(2, 2)), (2, 3))


# --- how long it takes (D) ------------------------------------------------------


class Experts(Layer):
    def __init__(self, experts):
        self._set(experts=experts)

    def flow(self, x, run):
        for at, expert in enumerate(self.experts):
            y = run(str(at), expert, x)
        return y


def expert():
    return Sequential(Linear(4, 4), Linear(4, 4), Linear(4, 4))


def seconds(model):
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        count(model, (1, 4))
        best = min(best, time.process_time() - begun)
    return best


def test_counting_takes_as_long_per_layer_however_many_there_are():
    few, many = (Experts([expert() for _ in range(n)]) for n in (150, 3000))
    # a quadratic one would take twenty times as long
    assert seconds(many) / 3000 < 3 * seconds(few) / 150


def test_a_layer_that_is_right_is_not_written(monkeypatch):
    monkeypatch.setattr(Layer, "__repr__", lambda self: pytest.fail("written for no reason"))
    count(Experts([expert() for _ in range(5)]), (1, 4))


def test_counting_leaves_the_collector_as_it_was():
    for was_on in (True, False):
        (gc.enable if was_on else gc.disable)()
        try:
            count(Linear(3, 2), (1, 3))
            with pytest.raises(ValueError, match="needs 3 features"):
                count(Linear(3, 2), (1, 4))
            assert gc.isenabled() is was_on
        finally:
            gc.enable()


def test_a_layer_of_a_collection_is_found_at_once(monkeypatch):
    many = Sequential(*[Linear(2, 2) for _ in range(50)])
    assert many[7] is many["7"]
    assert many._by_key is many._by_key
    assert pickle.loads(pickle.dumps(many)) == many


# --- what is misspelt, or forgotten (G) -----------------------------------------


def shape_of(self, x):
    return x


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("outputs_shape", shape_of, "output_shape"),
        ("output_shapes", shape_of, "output_shape"),
        ("outputShape", shape_of, "output_shape"),
        ("costs", shape_of, "cost"),
        ("Cost", shape_of, "cost"),
        ("flows", shape_of, "flow"),
        ("weight", property(shape_of), "weights"),
        ("loops", staticmethod(shape_of), "loop"),
    ],
)
def test_a_misspelt_method_is_refused(name, value, meant):
    with pytest.raises(TypeError, match=f"Odd has a {name}, .* is {meant} meant"):
        type("Odd", (Layer,), {name: value})


@pytest.mark.parametrize("name", ["forward", "call", "compute_output_shape"])
def test_a_method_of_other_libraries_is_refused(name):
    with pytest.raises(TypeError, match=f"Odd has a {name}, which nothing here calls: say in flow"):
        type("Odd", (Layer,), {name: shape_of})


def test_other_methods_are_a_readers_own():
    kind = type("Fine", (Layer,), {"width": 3, "heads": shape_of, "_costs": shape_of})
    type("Finer", (kind,), {"heads": shape_of})
    assert count(kind(), (1, 2)).macs == 0


def test_weights_without_a_cost_are_refused():
    class Table(Layer):
        @property
        def weights(self):
            return {"rows": (5, 3)}

    class Free(Table):
        def cost(self, input_shape, output_shape):
            return Derivation(())

    with pytest.raises(TypeError, match=r"Table\(\) has weights and no cost: return from cost"):
        count(Sequential(Table()), (1, 2))
    assert count(Free(), (1, 2)).parameters == 15


# --- torch's habits (H, I) ------------------------------------------------------


def test_no_bias_may_be_none():
    assert Linear(3, 2, bias=None) == Linear(3, 2, bias=False)
    assert Conv2d(3, 2, 1, bias=None).parameters == 6
    assert layers.SwiGLU(3, 2, bias=None) == layers.SwiGLU(3, 2, bias=False)


class Mine(Layer):
    def __init__(self, width, wide=True):
        self._set(width=width, wide=wide)


def two_inputs():
    return count(Linear(3, 2), (1, 3), (1, 3))


def torch_module():
    kind = type("Conv2d", (), {"__module__": "torch.nn.modules.conv"})
    return Sequential(kind())


SAID = [
    (lambda: Linear(3, 2, device="cpu"), "Linear(): leave out device: a layer is a description, and holds no numbers"),
    (lambda: Conv2d(3, 2, 1, dtype=None), "Conv2d(): leave out dtype: a layer is a description, and holds no numbers"),
    (lambda: Conv2d(3), "Conv2d(): missing a required argument: 'out_channels'; it takes (in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode='zeros')"),
    (lambda: ReLU(3, 4), "ReLU(): too many positional arguments; write ReLU((3, 4)); it takes (inplace=False)"),
    (lambda: Flatten(begin=1), "Flatten(): got an unexpected keyword argument 'begin'; it takes (start_dim=1, end_dim=-1)"),
    (lambda: Mine(), "Mine(): missing a required argument: 'width'; it takes (width, wide=True)"),
    (lambda: Permute(0, 2, 1), "Permute(): too many positional arguments; write Permute((0, 2, 1)); it takes (dims)"),
    (lambda: Linear(3, 2)((1, 3)), "Linear(3, 2) is a description, and is not called: count(layer, shape) counts it, and in a flow run(name, layer, x) runs it"),
    (lambda: Linear(3, 2).parameters(), "parameters is a number here, not a method: write .parameters, which is 8"),
    (two_inputs, "count takes the shapes of several inputs as one tuple: ((1, 3), (1, 3))"),
    (lambda: count("resnet50", (1, 3)), "model must be a layer of flopslib, got 'resnet50'; build one from flopslib.layers, or call a builder of flopslib.models"),
    (lambda: Sequential("relu"), "layer '0' must be a layer of flopslib, got 'relu'; build one from flopslib.layers, or call a builder of flopslib.models"),
]  # fmt: skip


@pytest.mark.parametrize(("attempt", "message"), SAID, ids=[said[:50] for _, said in SAID])
def test_one_helpful_line(attempt, message):
    with pytest.raises(TypeError) as caught:
        attempt()
    assert str(caught.value) == message


def test_a_module_of_torch_inside():
    with pytest.raises(TypeError, match=r"layer '0' must be .*; that is a module of torch: build"):
        torch_module()


def test_parameters_are_a_number():
    found = Linear(3, 2).parameters
    assert (found, found + 1, type(found + 1)) == (8, 9, int)
    assert type(pickle.loads(pickle.dumps(found))) is int
    report = count(Sequential(Linear(3, 2), Sequential(ReLU())), (1, 3))
    numbers = [report.parameters, *(e.parameters for e in [*report.rows, *report.groups()])]
    assert {type(number) for number in numbers} == {int}


def test_a_missing_layer_names_the_nearest():
    with pytest.raises(AttributeError, match=r"no layer 'Conv2D'; near it are Conv2d.*; the page"):
        layers.Conv2D  # noqa: B018
    with pytest.raises(ImportError, match=r"no layer 'GeLU'; near it are GELU.*Count your own net"):
        from flopslib.layers import GeLU  # noqa: F401
    with pytest.raises(AttributeError, match="no layer 'Qqqq'; none is near it"):
        raise missing("flopslib.layers", "Qqqq", ["Linear"], "mine.py")
    assert not hasattr(layers, "__wrapped__")


def test_no_private_name_shows():
    class Forgetful(Layer):
        def __init__(self):
            self._set(fc=Linear(2, 2))

        def flow(self, x, run):
            return run(self.fc, x)

    with pytest.raises(TypeError) as caught:
        count(Forgetful(), (1, 2))
    assert "locals" not in str(caught.value)
    assert "run" in str(caught.value)


def test_what_is_still_a_layer():
    assert count(Sequential(Identity(), Embedding(5, 3), Sum()), (1, 2)).additions == 6
