"""A naive loop on numbers that know where they live: in memory, or on the chip.

The operands begin in memory. An elementary loop, such as a linear layer or a softmax, is a
*pass*: the first touch of a number from memory reads it, further ones find it on the chip.
What the elementary loop returns is written to memory, and the next pass has to read it again.
Passes that are fused hand their numbers on without going through memory.

>>> from flopslib import linear
>>> run_and_move(linear, 3, 2, batch=5).moved()
{'input': 15, 'weight': 8, 'result': 10}
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from flopslib.derivation.derivation import Derivation
from flopslib.derivation.operands import ROLES
from flopslib.loops import convolution, dense, primitives
from flopslib.loops.counting import CountingNumber, Tally, nested
from flopslib.loops.loop import Loop, dot
from flopslib.loops.running import bound, checked_arguments, loop_of

__all__ = ["Moves", "run_and_move"]

RESULT = "result"


def run_and_move(function: Callable[..., Derivation], *args: Any, **kwargs: Any) -> Moves:
    """Run the naive loop of a layer on numbers that know where they live.

    Args:
        function: a cost function, such as ``flopslib.linear``; its arguments follow. Use small
            sizes: every single operation is executed.

    Raises:
        TypeError: a function that has no naive loop, or a size that is not an int.
        ValueError: sizes the cost function refuses.

    >>> from flopslib import feed_forward
    >>> moves = run_and_move(feed_forward, 3, 4)
    >>> moves.passes
    ('linear', 'gelu', 'linear')
    >>> moves.moved(), moves.moved(fused=True)
    ({'input': 108, 'weight': 148, 'result': 108}, {'input': 12, 'weight': 148, 'result': 12})
    """
    cost, loop = loop_of(function)
    arguments = checked_arguments(cost, *args, **kwargs)
    operands = {o.name: o for o in cost.function(**arguments).operands}
    shapes, options = bound(loop, {name: o.shape for name, o in operands.items()}, arguments)
    moves = Moves()
    numbers = {
        name: None if shape is None else moves.operand(operands[name].role, shape)
        for name, shape in shapes.items()
    }
    moves.run(lambda: loop.function(**numbers, **options))
    return moves


class Moves:
    """What the passes of a run touched, and what they made.

    Attributes:
        passes: the elementary loop of each pass, in order.
    """

    def __init__(self) -> None:
        """Begin with nothing in memory."""
        self.passes: tuple[str, ...] = ()
        self._tally = _Moving(self)
        self._now: int | None = None
        self._touched: dict[_Located, set[int]] = {}
        self._result: set[_Located] = set()

    def operand(self, role: str, shape: tuple[int, ...]) -> Any:
        """Return nested lists of numbers that are in memory."""
        values = iter(range(1, sys.maxsize))
        return nested(shape, lambda: _Located(next(values), self._tally, role))

    def run(self, loop: Callable[[], Any]) -> None:
        """Run a loop, watching which elementary loops it calls."""
        watch = _Watch(self)
        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            result = loop()
        finally:
            sys.setprofile(before)
        self.passes = tuple(watch.names)
        self._result = set(_flat(result))

    def moved(self, *, fused: bool | Sequence[int] = False) -> dict[str, int]:
        """Return how many numbers are read, by role, and how many are written.

        Args:
            fused: False: every pass by itself. True: all together. Else the number of its
                group for each pass.

        Raises:
            ValueError: not one group for each pass.
        """
        group = self._grouping(fused)
        found: Counter[str] = Counter()
        for number, passes in self._touched.items():
            home = None if number.made is None else group[number.made]
            groups = {group[at] for at in passes} - {home}
            found[number.role] += len(groups)
            if home is not None and (groups or number in self._result):
                found[RESULT] += 1
        untouched = self._result - self._touched.keys()
        found[RESULT] += len(untouched)
        order = (*ROLES, RESULT)
        return {role: found[role] for role in order if found[role]}

    def _grouping(self, fused: bool | Sequence[int]) -> Sequence[int]:
        if fused is True or fused is False:
            return [0 if fused else at for at, _ in enumerate(self.passes)]
        if len(fused) != len(self.passes):
            raise ValueError(
                f"fused must have a group for each of the {len(self.passes)} passes, got {fused!r}"
            )
        return fused

    # --- called by the numbers and by the watch

    def touch(self, number: Any) -> None:
        """Note that a pass works with a number from memory."""
        if self._now is not None and isinstance(number, _Located) and number.role:
            self._touched.setdefault(number, set()).add(self._now)

    def begin(self, at: int) -> None:
        """Begin a pass, or go on with it."""
        self._now = at

    def end(self, at: int, made: Any) -> None:
        """Write what a pass has made to memory."""
        self._now = None
        self._store(made, at)

    def _store(self, made: Any, at: int) -> Any:
        if isinstance(made, list):
            made[:] = [self._store(part, at) for part in made]
            return made
        if not isinstance(made, _Located):  # a zero that no product was added to
            made = _Located(made, self._tally)
        elif made.role:  # chosen among what is in memory: read, and written to another place
            self._touched.setdefault(made, set()).add(at)
            made = _Located(made.value, self._tally)
        made.role, made.made = "input", at
        return made


class _Moving(Tally):
    """A tally whose numbers tell where they live."""

    def __init__(self, moves: Moves) -> None:
        super().__init__()
        self.moves = moves

    def number(self, value: Any) -> CountingNumber:
        return _Located(value, self)


class _Located(CountingNumber):
    """A number that is in memory, with a role, or on the chip, without one."""

    __slots__ = ("made", "role")

    def __init__(self, value: Any, tally: Any, role: str = "") -> None:
        super().__init__(value, tally)
        self.role = role
        self.made: int | None = None

    def _counted(self, kind: str, value: Any) -> CountingNumber:
        self._touch(self)
        return _Located(value, self.tally)

    def _touch(self, *numbers: Any) -> None:
        for number in numbers:
            self.tally.moves.touch(number)  # type: ignore[attr-defined]

    def __neg__(self) -> CountingNumber:
        """Read it, too, though that counts nothing."""
        self._touch(self)
        return _Located(-self.value, self.tally)


def _touching(name: str) -> Callable[..., Any]:
    of_plain_numbers = getattr(CountingNumber, name)

    def operation(self: _Located, *others: Any) -> Any:
        self._touch(self, *others)
        return of_plain_numbers(self, *others)

    return operation


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "gt", "lt"):
    setattr(_Located, f"__{_name}__", _touching(f"__{_name}__"))


#: What is done without going to memory in between, each by the code that it runs.
ELEMENTARY = {
    function.__code__
    for module in (primitives, dense, convolution)
    for thing in vars(module).values()
    for function in [thing.function if isinstance(thing, Loop) else thing]
    if getattr(function, "__module__", "") == module.__name__ and hasattr(function, "__code__")
} - {convolution.conv_transpose2d.function.__code__} - {
    convolution.depthwise_separable_conv2d.function.__code__
} | {dot.__code__}  # fmt: skip


class _Watch:
    """Tells where a pass begins and ends: two calls from one place of the loops are one pass."""

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self._inside: FrameType | None = None
        self._places: dict[tuple[Any, ...], int] = {}
        self.names: list[str] = []

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and self._inside is None and frame.f_code in ELEMENTARY:
            self._inside = frame
            self._moves.begin(self._pass(frame))
        elif event == "return" and frame is self._inside:
            self._inside = None
            self._moves.end(self._pass(frame), argument)

    def _pass(self, frame: FrameType) -> int:
        place = tuple(_places(frame))
        if place not in self._places:
            self._places[place] = len(self.names)
            self.names.append(frame.f_code.co_name)
        return self._places[place]


def _places(frame: FrameType) -> Iterator[Any]:
    """Yield where a call comes from, up to the loop that was run."""
    yield frame.f_code
    above = frame.f_back
    while above is not None and above.f_code is not Moves.run.__code__:
        yield above.f_code, above.f_lasti
        above = above.f_back


def _flat(nested_numbers: Any) -> Iterator[Any]:
    if isinstance(nested_numbers, list):
        for part in nested_numbers:
            yield from _flat(part)
    else:
        yield nested_numbers
