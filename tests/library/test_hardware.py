"""Chips, and bounds of the time that a computation takes on one."""

import pickle
from fractions import Fraction

import numpy as np
import pytest

from flopslib import (
    feed_forward,
    formula,
    linear,
    multihead_attention,
    scaled_dot_product_attention,
)
from flopslib.hardware import Chip, bounds, chip, chips, mbu, mfu
from flopslib.traffic import FP32, traffic

SMALL = Chip("small", {"bf16": 1000, "fp32": 500}, bandwidth=100, vector=50)
NO_VECTOR = Chip("mine", {"bf16": 1000}, bandwidth=100)


@pytest.mark.parametrize("one", chips().values(), ids=chips())
def test_a_data_sheet_is_whole(one):
    assert one.source
    assert one.date[:2] == "20"
    assert one.capacity > 10 * 10**9
    assert 50 < one.balance("bf16") < 600
    assert chip(one.name) is one
    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(one) == hash(pickle.loads(pickle.dumps(one)))
    with pytest.raises(TypeError):
        one.peak["bf16"] = 1


def test_pinned_data_sheets():
    h100 = chip("H100 SXM")
    assert h100.rate("bf16") == 989_400_000_000_000  # dense: 1,978.9 is with sparsity
    assert (h100.bandwidth, h100.capacity) == (3_350_000_000_000, 80_000_000_000)
    assert h100.rate("fp8") > 1.99 * h100.rate("bf16")
    assert float(h100.balance("bf16")) == pytest.approx(295.34, abs=0.01)
    assert chip("A100 SXM 80GB").rate("bf16") == 312 * 10**12
    assert chip("TPU v6e").vector is None


def test_steps_by_themselves_and_the_whole():
    layer = feed_forward(3, 4)
    found = bounds(layer, SMALL)
    passes = traffic(layer).passes
    expected = [
        max(Fraction(p.flops, 1000), Fraction(p.other, 50), Fraction(p.bytes, 100)) for p in passes
    ]
    assert [span.seconds for _, span in found.steps] == expected
    assert [name for name, _ in found.steps] == ["first linear", "GELU", "second linear"]
    assert found.step_by_step == sum(expected)
    whole = traffic(layer, fused=True)
    assert found.at_once == max(
        Fraction(whole.flops, 1000), Fraction(whole.other, 50), Fraction(whole.bytes, 100)
    )
    assert found.at_once <= found.step_by_step
    assert found.whole.bound_by == "other"
    assert not found.without


def test_a_chip_without_vector_peak_leaves_other_operations_out_and_says_so():
    found = bounds(feed_forward(3, 4), NO_VECTOR)
    assert found.whole.other is None
    assert found.whole.bound_by == "memory"
    assert found.without == "operations outside of the products"
    assert "without operations outside of the products" in repr(found)
    assert "without" not in repr(bounds(feed_forward(3, 4), SMALL))


def test_precision_and_widths():
    layer = linear(400, 400, batch=400, bias=False)
    assert (
        bounds(layer, SMALL, "fp32", FP32).whole.products == 2 * bounds(layer, SMALL).whole.products
    )
    assert bounds(layer, SMALL, "fp32", FP32).whole.memory == 2 * bounds(layer, SMALL).whole.memory
    assert bounds(layer, SMALL).whole.bound_by == "products"


def test_a_sweep_of_times():
    lengths = np.array([1, 64, 4096])
    swept = bounds(scaled_dot_product_attention(lengths, 64), chip("H100 SXM"))
    each = [bounds(scaled_dot_product_attention(int(n), 64), chip("H100 SXM")) for n in lengths]
    assert np.allclose(swept.step_by_step, [float(one.step_by_step) for one in each])
    assert np.allclose(swept.at_once, [float(one.at_once) for one in each])
    with pytest.raises(ValueError, match="bound_by is for one computation"):
        swept.whole.bound_by  # noqa: B018


def test_utilisation():
    assert mfu(500, 2, SMALL) == 0.25
    assert mfu(500, 2, SMALL, "fp32") == 0.5
    assert mbu(50, 2, SMALL) == 0.25
    for seconds in (0, -1):
        with pytest.raises(ValueError, match="seconds must be a positive time"):
            mfu(500, seconds, SMALL)
        with pytest.raises(ValueError, match="seconds must be a positive time"):
            mbu(500, seconds, SMALL)


def test_what_is_refused():
    with pytest.raises(ValueError, match="no chip is called 'H100'; is it 'H100 SXM'"):
        chip("H100")
    with pytest.raises(ValueError, match="no chip is called 3"):
        chip(3)
    with pytest.raises(ValueError, match="precision must be one of bf16, fp32 on small, got 'fp8'"):
        bounds(linear(3, 2), SMALL, "fp8")
    with pytest.raises(TypeError, match="chip must be a Chip such as"):
        bounds(linear(3, 2), "H100 SXM")
    with pytest.raises(TypeError, match="a formula has no time"):
        bounds(formula(multihead_attention), SMALL)
    for peak in ({}, 989, None):
        with pytest.raises(TypeError, match="peak must be FLOP/s by precision"):
            Chip("x", peak, bandwidth=1)
    for name, value in {"bandwidth": 0, "capacity": -1, "vector": 1.5}.items():
        with pytest.raises((TypeError, ValueError), match=f"{name} must be a positive integer"):
            Chip("x", {"bf16": 1}, **{"bandwidth": 1} | {name: value})
    with pytest.raises(TypeError, match=r"peak\['bf16'\] must be a positive integer"):
        Chip("x", {"bf16": 9.89e14}, bandwidth=1)
