"""How large an output is: counting the places where a window fits."""

from __future__ import annotations

from typing import Any

from flopslib.sizes.checks import check_broadcast, shown, whole_number
from flopslib.sizes.exact import (
    Size,
    Sweep,
    entry_at,
    first_place,
    floor_quotient,
    is_expression,
    plain,
)

__all__ = ["conv_output_size"]


def conv_output_size(
    size: Size, kernel: Size, *, stride: Size = 1, padding: Size = 0, dilation: Size = 1
) -> Any:
    """Return how many places a convolution's window has along one side of its input.

    Args:
        size: H_in or W_in, the side of the input.
        kernel: K, the kernel along that side.
        stride: S, how far the window moves.
        padding: P, the zeros added on each of the two ends.
        dilation: D, the distance between neighbouring cells of the kernel.

    Raises:
        TypeError: an argument that is not a whole number.
        ValueError: one below 1 (padding: below 0), or a window wider than the
            padded input.

    >>> conv_output_size(224, 7, stride=2, padding=3)
    112
    """
    values = {"size": size, "kernel": kernel, "stride": stride, "dilation": dilation}
    checked = {name: whole_number(name, value) for name, value in values.items()}
    checked["padding"] = whole_number("padding", padding, minimum=0)
    check_broadcast(checked)
    zeros = 2 * checked["padding"]
    room = room_to_move(checked["size"], checked["kernel"], zeros, checked["dilation"])
    place = _negative_at(room)
    if place is not None:
        entries = (f"{name}={_at(value, place, room)}" for name, value in checked.items())
        where = f" (entry {list(place)})" if place else ""
        raise ValueError(
            f"the window does not fit into the padded input: {', '.join(entries)}{where}"
        )
    return plain(floor_quotient(room, checked["stride"]) + 1)


def room_to_move(size: Any, kernel: Any, zeros: Any, dilation: Any) -> Any:
    """Return how far a window can move along a side that has so many zeros at its ends.

    The window covers dilation·(kernel - 1) + 1 cells. Nothing is checked.

    >>> room_to_move(224, 7, 6, 1)
    223
    """
    return size + zeros - dilation * (kernel - 1) - 1


def _negative_at(room: Any) -> tuple[int, ...] | None:
    if isinstance(room, Sweep):
        return first_place(room.values < 0)
    is_negative = room.is_negative if is_expression(room) else room < 0
    return () if is_negative else None


def _at(value: Any, place: tuple[int, ...], room: Any) -> str:
    return shown(entry_at(value, place, room.values.shape) if place else value)
