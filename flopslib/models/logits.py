"""At which positions a language model predicts the next token."""

from __future__ import annotations

from flopslib.layers import Select
from flopslib.layers.layer import Layer


def of_positions(logits: str) -> dict[str, Layer]:
    """Return what stands between the last norm and the logits: nothing, or one selection.

    Raises:
        ValueError: neither "every" nor "last".

    >>> of_positions("every"), of_positions("last")
    ({}, {'last_position': Select(1, -1)})
    """
    if logits not in ("every", "last"):
        raise ValueError(f"logits must be 'every' or 'last', got {logits!r}")
    return {"last_position": Select(1, -1)} if logits == "last" else {}
