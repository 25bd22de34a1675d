"""The naive loops: what each layer does, one scalar at a time.

They are written to be read and to be obviously right, never to be fast, and
they work on nested lists of any numbers: floats, or numbers that count.
"""

from collections.abc import Mapping

from flopslib.reference import attention, convolution, feed_forward, linear, transformer
from flopslib.reference.loop import Loop

__all__ = ["loops"]


def loops() -> Mapping[str, Loop]:
    """Return the naive loop of every layer, by the name of its cost function.

    >>> loops()["linear"].function([[1, 2, 3]], [[4, 5, 6]], [7])
    [[39]]
    """
    modules = (linear, convolution, attention, feed_forward, transformer)
    found = (value for module in modules for value in vars(module).values())
    return {loop.function.__name__: loop for loop in found if isinstance(loop, Loop)}
