"""A million Transformer layers as arrays, and the same one by one as Python integers."""

import numpy as np
import pytest

from conftest import Turns, processor_time
from flopslib import transformer_layer

POINTS = 10**6
SAMPLE = 1000
ROUNDS = 3
TITLE = f"{POINTS:,} Transformer layers, 3 figures"
#: The batch decides whether a count fits into int64.
BATCHES = {"counts below 2^63": 2**6, "counts past 2^63": 2**24}


def configurations(points, largest_batch, seed):
    """Return random sizes, as arrays of so many entries."""
    random = np.random.default_rng(seed)
    heads = random.integers(1, 129, points)
    return {
        "seq_len": random.integers(1, 2**17, points),
        "d_model": heads * random.choice([32, 64, 96, 128, 256], points),
        "num_heads": heads,
        "d_ff": random.integers(1, 2**16, points),
        "batch": random.integers(1, largest_batch, points),
    }


def counted(sizes):
    layer = transformer_layer(**sizes, causal=True)
    return layer.macs, layer.flops, layer.exact_flops


def at(places, columns):
    """Return the entries at some places as Python integers, a tuple for each place."""
    return list(zip(*(column[places].tolist() for column in columns), strict=True))


@pytest.mark.parametrize("range_of_counts", BATCHES)
def test_sweep(benchmark, table, range_of_counts):
    points, sample = (100, 100) if benchmark.disabled else (POINTS, SAMPLE)
    places = np.linspace(0, points - 1, sample).astype(int)
    seeds = iter(range(ROUNDS))
    one_by_one, expected, swept = [], [], []

    def fresh():
        sizes = configurations(points, BATCHES[range_of_counts], seed=next(seeds))
        single = [dict(zip(sizes, row, strict=True)) for row in at(places, sizes.values())]
        start = processor_time()
        expected[:] = [counted(each) for each in single]
        one_by_one.append((processor_time() - start) * points / sample)
        return (sizes,), {}

    def sweep(sizes):
        swept[:] = counted(sizes)

    def check(_=None):
        assert at(places, swept) == expected

    benchmark.pedantic(sweep, setup=fresh, teardown=check, rounds=ROUNDS)
    check()  # for the one round of --benchmark-disable, which has no teardown
    assert (max(map(max, expected)) >= 2**63) == ("past" in range_of_counts)
    if not benchmark.disabled:
        turns = Turns(list(benchmark.stats.stats.data), one_by_one)
        rate = points / turns.medians()[0]
        table(TITLE, f"{range_of_counts}, {rate:,.0f} a second", turns, "one by one")
