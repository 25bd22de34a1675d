"""Chips and times as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flopsbook.tables import Table, comparison, percent
from flopslib.derivation.derivation import Derivation
from flopslib.hardware import Bounds, Chip, chips
from flopslib.traffic import Widths, traffic

__all__ = ["bounds_table", "chips_table", "decode_table", "widths_table"]


def chips_table(precision: str = "bf16") -> Table:
    """Return the chips of the library by their data sheets.

    >>> print(repr(chips_table()).splitlines()[3])
    | H100 SXM | 989 | 3,350 | 80 | 295 | 2022-11 |
    """
    rows = [
        [
            name,
            f"{chip.rate(precision) / 1e12:,.0f}",
            f"{chip.bandwidth / 1e9:,.0f}",
            f"{(chip.capacity or 0) / 1e9:,.0f}",
            f"{float(chip.balance(precision)):.0f}",
            chip.date,
        ]
        for name, chip in chips().items()
    ]
    header = ["chip", f"{precision} TFLOP/s", "GB/s", "GB", "FLOPs for each byte", "data sheet"]
    return comparison(header, rows)


def bounds_table(bounds: Bounds) -> Table:
    """Return what each step takes by itself, in microseconds, and what takes longest.

    >>> from flopslib import linear
    >>> from flopslib.hardware import bounds, chip
    >>> found = bounds(linear(4096, 4096), chip("H100 SXM"))
    >>> print(repr(bounds_table(found)).splitlines()[2])
    | linear | 0.0 | 0.0 | 10.0 | memory |
    """
    rows = []
    for name, span in bounds.steps:
        needs = (span.products, span.other, span.memory)
        times = ["–" if need is None else f"{float(need) * 1e6:.1f}" for need in needs]
        rows.append([name, *times, span.bound_by])
    return comparison(["step", "products, µs", "other, µs", "memory, µs", "longest"], rows)


def widths_table(what: str, layer: Derivation, kinds: Mapping[str, Widths], chip: Chip) -> Table:
    """Return what a layer moves at several widths, and how long that takes at least.

    >>> from flopslib import linear
    >>> from flopslib.hardware import chip
    >>> table = widths_table("a layer", linear(2, 3), {"bf16": Widths()}, chip("L4"))
    >>> print(repr(table).splitlines()[0])
    | a layer | bytes | FLOPs for each byte | µs at least |
    """
    rows: list[list[Any]] = []
    for name, widths in kinds.items():
        moved = traffic(layer, widths)
        least = f"{float(moved.bytes / chip.bandwidth) * 1e6:.1f}"
        rows.append([name, f"{moved.bytes:,}", f"{float(moved.intensity):.2f}", least])
    return comparison([what, "bytes", "FLOPs for each byte", "µs at least"], rows)


def decode_table(
    step: Callable[[int], tuple[int, int]],
    batches: Iterable[int],
    chip: Chip,
    precision: str = "bf16",
) -> Table:
    """Return what a step that writes one token of each sequence reaches on a chip at most.

    Args:
        step: the FLOPs and the bytes of a step, from the number of sequences.
        batches: numbers of sequences.
        chip: the chip.
        precision: that of the products.

    >>> from flopslib.hardware import chip
    >>> table = decode_table(lambda n: (n * 10**9, 10**9), [1], chip("H100 SXM"))
    >>> print(repr(table).splitlines()[2])
    | 1 | 1.0 | 1.0 | 3,350 | 0.3 % |
    """
    rows = []
    for batch in batches:
        flops, moved = step(batch)
        seconds = max(flops / chip.rate(precision), moved / chip.bandwidth)
        used = percent(flops / chip.rate(precision) / seconds, 1)
        numbers = (f"{moved / 1e9:,.1f}", f"{flops / moved:.1f}", f"{batch / seconds:,.0f}")
        rows.append([f"{batch:,}", *numbers, used])
    return comparison(
        ["sequences", "GB", "FLOPs for each byte", "tokens/s", "share of the peak"], rows
    )
