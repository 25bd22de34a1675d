"""What a model that answers keeps: its weights, and the keys and values of what it has read."""

from __future__ import annotations

from typing import Any

from flopslib.derivation.operands import Operand, external
from flopslib.sizes.checks import whole_number
from flopslib.sizes.exact import plain, wrapped
from flopslib.traffic.widths import BF16, Widths

__all__ = ["cache_bytes", "weight_bytes"]


def weight_bytes(derivation: Any, widths: Widths = BF16) -> Any:
    """Return the bytes of the weights of a computation, with the scales of their groups.

    >>> from flopslib import gated_feed_forward
    >>> weight_bytes(gated_feed_forward(1, 4096, 11008, bias=False))
    270532608
    """
    learnt = (each for each in external(derivation.steps) if each.role == "weight")
    return plain(sum((wrapped(widths.bytes(each)) for each in learnt), start=0))


def cache_bytes(
    positions: Any,
    num_kv_heads: Any,
    head_dim: Any,
    *,
    layers: Any = 1,
    batch: Any = 1,
    page: Any = None,
    shared: Any = 0,
    widths: Widths = BF16,
) -> Any:
    """Return the bytes of a KV cache: a key and a value for each position, head and layer.

    Args:
        positions: how many positions of a sequence are kept, the newest included.
        num_kv_heads: the heads of keys and values.
        head_dim: the numbers of a head.
        layers: how many layers keep them.
        batch: how many sequences there are.
        page: how many positions are taken at a time; None: exactly as many as are kept.
        shared: how many of the positions, a common beginning, all sequences keep once.
        widths: the bits of a number, by role.

    Raises:
        TypeError, ValueError: a size that is none; more shared positions than there are.

    >>> cache_bytes(2048, 32, 128, layers=32)
    1073741824
    """
    kept = whole_number("positions", positions)
    common = whole_number("shared", shared, minimum=0)
    if isinstance(kept, int) and isinstance(common, int) and common > kept:
        raise ValueError(f"shared must be at most positions, got {common} of {kept}")
    sizes = [
        whole_number(name, size)
        for name, size in {
            "num_kv_heads": num_kv_heads, "head_dim": head_dim, "layers": layers, "batch": batch,
        }.items()
    ]  # fmt: skip
    heads, width, depth, sequences = sizes
    own, once = (_in_pages(size, page) for size in (kept - common, common))
    both = wrapped(own) * wrapped(sequences) + wrapped(once)
    size = plain(2 * both * wrapped(heads) * wrapped(width) * wrapped(depth))
    return widths.bytes(Operand("keys and values", (size,), "cache"))


def _in_pages(positions: Any, page: Any) -> Any:
    if page is None:
        return positions
    taken = whole_number("page", page)
    from flopslib.sizes.exact import floor_quotient

    return floor_quotient(positions + (taken - 1), taken) * taken
