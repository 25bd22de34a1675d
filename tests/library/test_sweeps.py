"""Arrays and large integers: exact everywhere, and fast where that is proven enough."""

import time

import numpy as np
import pytest
import sympy

from flopslib import conv2d, conv_output_size, depthwise_conv2d, formula, linear, matmul
from flopslib.sizes.checks import whole_number
from flopslib.sizes.exact import INT64_MAX, Sweep, exact_quotient, floor_quotient, plain, product

FIGURES = ("multiplications", "additions", "macs", "flops", "exact_flops")


def test_integers_of_any_size():
    assert linear(2**70, 2**70).flops == 2**141
    assert linear(np.int64(2**40), np.int64(2**40)).flops == 2**81
    assert type(linear(np.int64(3), np.uint8(2)).flops) is int


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, object]
)
def test_an_array_is_its_entries_one_by_one(dtype):
    channels = np.array([[8], [64], [120]], dtype=dtype)
    pixels = np.array([7, 56, 100], dtype=dtype)
    swept = conv2d(channels, 64, 3, pixels, pixels, groups=8)
    for figure in FIGURES:
        expected = [[getattr(conv2d(c, 64, 3, p, p, groups=8), figure) for p in (7, 56, 100)]
                    for c in (8, 64, 120)]  # fmt: skip
        assert getattr(swept, figure).tolist() == expected


@pytest.mark.parametrize("width", [2**30, 2**31, 2**31 + 1, 2**32, 2**40, 2**62, 2**63 - 1])
def test_a_sweep_past_int64_is_exact(width):
    widths = np.array([1, 3, width])
    assert linear(widths, widths).flops.tolist() == [2, 18, 2 * width**2]
    assert linear(widths, widths, bias=False).exact_flops.tolist() == [
        n * (2 * n - 1) for n in (1, 3, width)
    ]


def test_unsigned_entries_past_int64():
    assert linear(np.array([2**64 - 1], dtype=np.uint64), 1).macs.tolist() == [2**64 - 1]


def test_an_object_array_of_numpy_integers_does_not_wrap():
    sizes = np.array([np.int64(2**62), 2**80], dtype=object)
    assert linear(sizes, 4).flops.tolist() == [2**65, 2**83]


def test_a_small_dtype_does_not_wrap():
    assert linear(np.array([200], dtype=np.uint8), np.array([200], dtype=np.uint8)).macs == 40000


def test_int64_only_where_it_is_proven():
    assert linear(np.array([2**31 - 1]), 2**31).flops.dtype == np.int64
    assert linear(np.array([2**31]), 2**31).flops.dtype == object


def test_broadcasting_and_grids():
    grid = matmul(np.array([1, 2])[:, None], 3, np.array([5, 7]))
    assert grid.macs.tolist() == [[15, 21], [30, 42]]
    assert grid.steps[0].outputs.tolist() == [[5, 7], [10, 14]]


def test_arrays_as_kernel_and_groups():
    kernels = conv2d(4, 4, np.array([1, 3]), 5, 5, groups=np.array([2, 4]), bias=False)
    assert kernels.macs.tolist() == [200, 900]
    pair = conv2d(4, 4, (np.array([1, 3]), 2), 5, 5, bias=False)
    assert pair.macs.tolist() == [800, 2400]


def test_zero_dimensional_and_empty_arrays():
    assert linear(np.array(3), 2).flops == 12
    assert linear(np.array([], dtype=int), 2).flops.tolist() == []
    assert linear(np.array([], dtype=object), 2).flops.tolist() == []


def test_a_matrix_is_swept_not_multiplied():
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[2, 3], [5, 7]])
    assert linear(matrix, matrix).macs.tolist() == [[4, 9], [25, 49]]


def test_results_are_neither_the_input_nor_writable():
    sizes = np.array([2, 3])
    layer = linear(sizes, 1)
    sizes[0] = 100
    assert layer.macs.tolist() == [2, 3]
    with pytest.raises(ValueError, match="read-only"):
        layer.macs[0] = 5
    assert sizes.flags.writeable


def test_derivations_of_arrays_add_and_multiply_exactly():
    layer = linear(np.array([2**31, 1]), 2**31)
    assert (layer + layer).flops.tolist() == [2**64, 2**33]
    assert (layer * np.array([2**10, 3])).flops.tolist() == [2**73, 3 * 2**32]
    assert (np.array([2, 3]) * linear(1, 1)).macs.tolist() == [2, 3]
    assert sum([layer, layer, layer]).macs.tolist() == [3 * 2**62, 3 * 2**31]


def test_equality_of_arrays():
    one, two = linear(np.array([2, 3]), 5), linear(np.array([2, 3]), 5)
    assert one == two
    assert one != linear(np.array([2, 4]), 5)
    assert one != linear(2, 5)
    assert depthwise_conv2d(np.array([2]), 3, 1, 1) != depthwise_conv2d(np.array([[2]]), 3, 1, 1)


def test_output_sizes_of_arrays():
    sizes = conv_output_size(np.array([224, 225]), 7, stride=2, padding=3)
    assert sizes.tolist() == [112, 113]
    assert conv_output_size(224, 7, stride=np.array([1, 2, 4]), padding=3).tolist() == [
        224,
        112,
        56,
    ]


def test_a_million_points_take_a_fraction_of_a_second():
    # generous: what is ruled out is a loop over Python integers, which takes many seconds
    widths = np.arange(1, 10**6 + 1)
    start = time.perf_counter()
    flops = linear(widths, 4096).flops
    assert time.perf_counter() - start < 2
    assert flops.dtype == np.int64
    assert flops[-1] == 2 * 10**6 * 4096


class TestSweep:
    def test_the_bound_decides(self):
        small = Sweep(np.array([-5, 3]))
        assert small.bound == 5
        assert (small * small).values.dtype == np.int64
        edge = Sweep(np.array([INT64_MAX]))
        assert (edge + 1).values.tolist() == [2**63]
        assert (edge * -1 - 1).values.tolist() == [-(2**63)]
        assert (1 - edge - 3).values.tolist() == [-(2**63) - 1]

    def test_powers(self):
        assert (Sweep(np.array([2, 10])) ** 30).values.tolist() == [2**30, 10**30]

    def test_a_large_scalar_times_zero(self):
        assert (Sweep(np.array([0, 0])) * 2**80).values.tolist() == [0, 0]

    def test_zeros_change_nothing_but_the_shape(self):
        sizes = Sweep(np.array([2, 3]))
        zeros, large = sizes * 0, sizes * 2**80
        assert (0 * large).values.tolist() == zeros.values.tolist() == [0, 0]
        assert (0 * large).values.dtype == np.int64
        for each in (sizes, large):
            for total in (each + 0, 0 + each, each + zeros, zeros + each):
                assert total.values.tolist() == each.values.tolist()
        assert (zeros + Sweep(np.array([[1], [5]]))).values.tolist() == [[1, 1], [5, 5]]
        assert (Sweep(np.array([[1]])) + zeros).values.tolist() == [[1, 1]]

    def test_the_least_entry(self):
        assert Sweep(np.array([3, -5, 7])).least == -5
        with pytest.raises(ValueError, match=r"positive integer .*, got .* at size\[1\]"):
            whole_number("size", Sweep(np.array([1, 0])))

    def test_quotients(self):
        twelve = Sweep(np.array([12, 24]))
        assert exact_quotient(twelve, 4).values.tolist() == [3, 6]
        assert exact_quotient(24, twelve).values.tolist() == [2, 1]
        with pytest.raises(ValueError, match=r"24 is not divisible by 7 \(entry \[1\]\)"):
            exact_quotient(twelve, Sweep(np.array([3, 7])))
        assert floor_quotient(twelve, 7).values.tolist() == [1, 3]
        assert floor_quotient(100, twelve).values.tolist() == [8, 4]

    def test_plain_gives_an_array_back(self):
        assert plain(Sweep(np.array([1]))).tolist() == [1]


class TestMixtures:
    """What meets inside, after each side was checked by itself."""

    def test_arrays_that_do_not_broadcast(self):
        two, three = (linear(np.arange(1, n + 1), 3) for n in (2, 3))
        with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\) do not broadcast"):
            (two + three).flops  # noqa: B018

    def test_arrays_and_expressions(self):
        with pytest.raises(TypeError, match="do not mix"):
            (formula(linear) * np.array([1, 2])).flops  # noqa: B018
        with pytest.raises(TypeError, match="do not mix"):
            (formula(linear) + linear(np.array([1, 2]), 3)).flops  # noqa: B018

    def test_numpy_numbers_become_integers(self):
        assert product([np.int64(2**62), np.int64(4)]) == 2**64
        assert product([np.array(2**62), 4]) == 2**64

    def test_quotients_of_every_kind(self):
        assert exact_quotient(np.array([4, 6]), 2).values.tolist() == [2, 3]
        assert exact_quotient(sympy.Integer(6), np.int64(2)) == 3
        with pytest.raises(ValueError, match="7 is not divisible by 2"):
            exact_quotient(sympy.Integer(7), 2)
        n = sympy.Symbol("n", positive=True, integer=True)
        assert exact_quotient(6, n) == 6 / n
        assert exact_quotient(n, 6) == n / 6
        assert floor_quotient(7, n) == sympy.floor(7 / n)
        with pytest.raises(ZeroDivisionError):
            exact_quotient(Sweep(np.array([4])), 0)


def test_a_result_cannot_be_thawed():
    macs = linear(np.array([2, 3]), 1).macs
    with pytest.raises(ValueError, match="WRITEABLE"):
        macs.flags.writeable = True


def test_a_window_that_just_fits_and_one_that_does_not():
    assert conv_output_size(np.array([3, 4]), 3).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"does not fit.*size=2, kernel=3.*\(entry \[2\]\)"):
        conv_output_size(np.array([5, 3, 2]), 3)
