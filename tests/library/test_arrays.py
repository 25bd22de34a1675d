"""The arrays of the loops move numbers as NumPy's do."""

from itertools import product

import numpy as np
import pytest

from flopslib.loops import arrays

X = np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7)


def ours(x):
    return arrays.Array(x.ravel().tolist(), x.shape)


def same(found, expected):
    return (found.shape, found.tolist()) == (expected.shape, expected.tolist())


INDICES = [
    1,
    -2,
    slice(1, None),
    (0, slice(None, None, 2)),
    (slice(None), 1, slice(-3, None), 4),
    (1, slice(1, 3), slice(0, 5, 3), slice(6, 0, -2)),
    (slice(5, 9),),
]


@pytest.mark.parametrize("index", INDICES)
def test_an_index_picks_what_numpy_picks(index):
    assert same(ours(X)[index], X[index])


@pytest.mark.parametrize("index", INDICES)
def test_an_index_can_be_assigned_to(index):
    found, expected = ours(X), X.copy()
    found[index] = ours(-X[index])
    expected[index] = -X[index]
    assert same(found, expected)


def test_nested_lists_become_an_array():
    assert same(arrays.array(X.tolist()), X)
    assert same(arrays.array([]), np.array([]))


def test_a_single_number_is_itself_and_a_place_that_is_not_there_is_refused():
    assert ours(X)[1, 2, 3, 4] == X[1, 2, 3, 4]
    for index in (2, (0, 3), (0, 0, 0, -8)):
        with pytest.raises(IndexError):
            ours(X)[index]


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.reshape(6, -1),
        lambda x: x.reshape(x.shape),
        lambda x: x.reshape(-1),
        lambda x: x.ravel(),
        lambda x: x.transpose(0, 2, -1, 1),
        lambda x: x.swapaxes(1, -1),
        lambda x: x.take(2, axis=-2),
        lambda x: x + x,
        lambda x: x * x[0, :, :1],
        lambda x: x[1:] + 3,
    ],
)
def test_a_move_is_numpy_s(move):
    assert same(move(ours(X)), move(X))


@pytest.mark.parametrize("axis", range(4))
def test_joining_is_numpy_s(axis):
    parts = [X, X + 1000, X.take([0], axis=axis)]
    assert same(arrays.concatenate([*map(ours, parts)], axis=axis), np.concatenate(parts, axis))


def test_stacking_cutting_and_padding_are_numpy_s():
    assert same(arrays.stack([ours(X), ours(-X)]), np.stack([X, -X]))
    assert all(map(same, arrays.split(ours(X[0]), 3), np.split(X[0], 3)))
    for widths in product([(0, 0), (1, 2)], repeat=4):
        assert same(arrays.pad(ours(X), widths, 9), np.pad(X, widths, constant_values=9))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda x: x.reshape(4, 5), "210 numbers do not fill the shape"),
        (lambda x: x.reshape(4, -1), "210 numbers do not fill the shape"),
        (lambda x: x.transpose(0, 1, 2), "each of 4 axes once"),
        (lambda x: x.transpose(0, 1, 2, 2), "each of 4 axes once"),
        (lambda x: x + x[:, :2], "does not fit"),
        (lambda x: arrays.split(x, 3), "parts must divide 2, got 3"),
        (lambda x: arrays.stack([x, x[0]]), "one shape"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong(ours(X))


def test_the_order_of_the_numbers_is_kept_in_a_product():
    left, right = arrays.array(["a", "b"]), arrays.array(["c", "d"])
    assert (left + right).tolist() == ["ac", "bd"]
