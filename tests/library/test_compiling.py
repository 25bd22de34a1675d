"""A cost function as a plain function of integers: the same formula, whatever the sizes."""

import itertools

import pytest
import shapes

from flopslib import conv2d, linear, registered
from flopslib.costs.compiling import KINDS, compiled
from flopslib.sizes import exact
from flopslib.sizes.traced import Trace, Traced, code

SOME = list(registered().values())


@pytest.mark.parametrize("cost", SOME, ids=lambda cost: cost.name)
def test_the_compiled_formula_gives_the_same_integers(cost):
    axes = shapes.axes(cost)

    def on_sizes(*sizes, **flags):
        made = {}
        for axis, size in zip(axes, sizes, strict=True):
            name = axis.partition(".")[0]
            made[name] = (*made.get(name, ()), size) if cost.axes(name) > 1 else size
        return cost.function(**made, **flags)

    for flags in shapes.flag_settings(cost):
        quick = compiled(on_sizes, len(axes), tuple(sorted(flags.items())))
        tried = 0
        for case in shapes.cases(cost):
            whole = cost.arguments(**case)
            named = {n: whole[n] for n in cost.sizes}
            flat = itertools.chain.from_iterable(
                value if isinstance(value, tuple) else (value,) for value in named.values()
            )
            sizes = tuple(exact.plain(size) for size in flat)
            kinds = cost.function(**named, **flags).total.kinds()
            assert quick(*sizes) == tuple(kinds.get(kind, 0) for kind in KINDS), (case, flags)
            tried += 1
        assert tried > 10


def test_a_formula_is_compiled_once_and_no_result_is_kept():
    one = compiled(linear, 2, (("bias", False),))
    assert one is compiled(linear, 2, (("bias", False),))
    assert one is not compiled(linear, 2, (("bias", True),))
    assert one(3, 2) != one(3, 5) == one(3, 5)


def test_integers_of_any_size():
    macs = compiled(linear, 2)(2**70, 3)[KINDS.index("macs")]
    assert macs == 3 * 2**70


def test_an_exact_division_is_checked_whenever_it_is_run():
    def grouped(c_in, c_out, groups):
        return conv2d(c_in, c_out, 1, 1, 1, groups=groups, bias=False)

    quick = compiled(grouped, 3)
    assert quick(6, 4, 2)[KINDS.index("macs")] == 12
    with pytest.raises(ValueError, match="7 is not divisible by 2"):
        quick(7, 4, 2)


def test_notes():
    trace = Trace()
    a, b = Traced(trace, "a"), Traced(trace, "b")
    total = (a + b) * 2 - 1
    assert trace.lines == {"a + b": "t0", "t0 * 2": "t1", "t1 - 1": "t2"}
    assert code(total) == "t2"
    assert code(a + b) == "t0"  # noted once
    assert (a + 0, a * 1, 0 + a, 1 * a) == (a, a, a, a)
    assert a * 0 == 0
    assert not a < 1
    assert code(7 - a) == "t3"
    assert divmod(a, b)[1] == 0
    assert divmod(6, b)[0].code == "t5"
    assert trace.lines["integer_quotient(6, b)"] == "t5"
