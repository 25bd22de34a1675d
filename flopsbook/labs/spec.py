"""What a lab needs to know of a cost function: its letters, its rules and its formulas.

Everything comes from the registry, the notation table and the derivation, and is checked
against the cost function itself on many points before it is handed out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from flopsbook.labs.bigint import evaluate, javascript
from flopslib.costs.registry import CostFunction, Default
from flopslib.costs.symbolic import formula
from flopslib.derivation.derivation import Derivation
from flopslib.notation import TABLE

__all__ = ["FIGURES", "Preset", "checked", "specification"]

#: The figures that a lab shows, by their names on a derivation.
FIGURES = {
    "macs": "MACs",
    "flops": "FLOPs",
    "exact_flops": "exact FLOPs",
    "multiplications": "multiplications",
    "additions": "additions",
}
#: What a step is made of; its other figures are sums and doubles of these.
OF_ONE_OUTPUT = ("macs", "multiplications", "additions")
#: How many points a formula has to get right before it is handed out, for each set of flags.
POINTS = 24
#: How many of them the page looks at again.
STORED_POINTS = 2
#: A slider ends at so many times the largest size among the presets.
ROOM = 16
LARGEST_KERNEL = 15

Preset = Mapping[str, Any]
Point = dict[str, Any]


class Letters:
    """The letters of a cost function, each with its argument, and calls in both.

    >>> from flopslib import registered
    >>> letters = Letters(registered()["conv2d"])
    >>> letters.names["K_w"]
    ('kernel_size', 1)
    >>> letters.of_arguments({"in_channels": 3, "kernel_size": 7, "bias": False})
    {'C_in': 3, 'K_h': 7, 'K_w': 7, 'bias': False}
    """

    def __init__(self, cost: CostFunction) -> None:
        """Take a cost function."""
        self.cost = cost
        self.names: dict[str, tuple[str, int | None]] = {}
        for name in cost.sizes:
            symbols = cost.symbols(name)
            for axis, symbol in enumerate(symbols):
                self.names[symbol.name] = (name, axis if len(symbols) > 1 else None)
        self.letter = {name: letter for letter, (name, axis) in self.names.items() if not axis}

    def of_arguments(self, arguments: Preset) -> Point:
        """Return a value for each letter and flag that a call gives."""
        point: Point = {}
        for letter, (name, axis) in self.names.items():
            value = arguments.get(name)
            if value is not None:
                several = axis is not None and isinstance(value, (tuple, list))
                point[letter] = value[axis] if several else value
        return point | {name: arguments[name] for name in self.cost.major if name in arguments}

    def arguments(self, point: Point) -> dict[str, Any]:
        """Return the arguments of the call that a point stands for."""
        arguments: dict[str, Any] = {}
        for letter, (name, axis) in self.names.items():
            if letter in point:
                value = point[letter]
                arguments[name] = value if axis is None else (*arguments.get(name, ()), value)
        return arguments | {name: point[name] for name in self.cost.major if name in point}


def specification(
    cost: CostFunction,
    presets: Mapping[str, Preset],
    series: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Return what the page has to know of a cost function, as plain values for JSON.

    Raises:
        ValueError: a formula differs from the cost function somewhere, or a preset is no call.
    """
    letters = Letters(cost)
    formulas: dict[str, int] = {}
    named = [
        {"what": what, "values": _texts(_completed(letters, arguments))}
        for what, arguments in presets.items()
    ]
    spec: dict[str, Any] = {
        "name": cost.name,
        "letters": [_letter(letters, letter, presets.values()) for letter in letters.names],
        "flags": dict(cost.major),
        "divides": _divides(letters),
        "atLeast": [[letters.letter[n], letters.letter[m]] for n, m in cost.at_least.items()],
        "presets": named,
        "variants": {
            key: _variant(formula(cost.function, **every_size(cost), **flags), formulas)
            for key, flags in variants(cost).items()
        },
    }
    spec["formulas"] = list(formulas)
    if series:
        spec["series"] = {name: list(steps) for name, steps in series.items()}
    spec["checks"] = [_check_point(letters, point) for point in _stored(letters, presets)]
    checked(spec, cost)
    return spec


def every_size(cost: CostFunction) -> dict[str, Any]:
    """Return a symbol for each size that may be left out: a formula needs them all."""
    left = {*cost.defaults, *cost.from_zero}
    return {name: cost.symbols(name)[0] for name in cost.sizes if name in left}


def variants(cost: CostFunction) -> dict[str, dict[str, bool]]:
    """Return every setting of the flags, under a key of one digit a flag.

    >>> from flopslib import registered
    >>> variants(registered()["conv2d"])
    {'1': {'bias': True}, '0': {'bias': False}}
    """
    settings = (dict(zip(cost.major, s, strict=True)) for s in product(*[(True, False)] * _n(cost)))
    return {variant(setting): setting for setting in settings}


def _n(cost: CostFunction) -> int:
    return len(cost.major)


def variant(flags: Mapping[str, Any]) -> str:
    """Return the key of a setting of the flags."""
    return "".join(str(int(value)) for value in flags.values())


def _variant(derivation: Derivation, formulas: dict[str, int]) -> dict[str, Any]:
    def at(value: Any) -> int:
        return formulas.setdefault(javascript(value), len(formulas))

    steps = [
        {"name": step.name, "unit": step.unit, "outputs": at(step.outputs)}
        | {figure: at(getattr(step.per_output, figure)) for figure in OF_ONE_OUTPUT}
        for step in derivation.steps
    ]
    totals = {figure: at(getattr(derivation, figure)) for figure in FIGURES}
    return {"total": totals, "steps": steps}


def _letter(letters: Letters, letter: str, presets: Any) -> dict[str, Any]:
    name, axis = letters.names[letter]
    calls = [letters.cost.arguments(**arguments) for arguments in presets]
    largest = max(letters.of_arguments(call)[letter] for call in calls)
    about: dict[str, Any] = {
        "letter": letter,
        "argument": name if axis is None else f"{name}[{axis}]",
        "meaning": next(row.meaning for row in TABLE if row.letter == letter),
        "most": LARGEST_KERNEL if name == "kernel_size" else max(ROOM * largest, 64),
    }
    default = letters.cost.defaults.get(name)
    if default is not None:
        symbols = {n: letters.cost.symbols(n)[0] for n in (default.of, default.over) if n}
        about["default"] = javascript(default.value(symbols))
        about["usual"] = _usual(default, symbols)
    return about


def _usual(default: Default, symbols: Mapping[str, Any]) -> str:
    times = "" if default.times == 1 else f"{default.times}·"
    over = "" if default.over is None else f" / {symbols[default.over]}"
    return f"{times}{symbols[default.of]}{over}"


def _divides(letters: Letters) -> list[tuple[str, str, str | None]]:
    """Return triples: a divisor, its multiple, and the letter that makes up for it if given."""
    cost, letter = letters.cost, letters.letter
    stated = [(d, n, None) for d, names in cost.divides.items() for n in names]
    assumed = [(d.over, d.of, name) for name, d in cost.defaults.items() if d.over is not None]
    return [
        (letter[divisor], letter[n], None if unless is None else letter[unless])
        for divisor, n, unless in [*stated, *assumed]
    ]


def _completed(letters: Letters, arguments: Preset) -> Point:
    """Return a preset with every letter but those that it leaves to their defaults."""
    cost = letters.cost
    whole = cost.arguments(**arguments)
    left = {name for name in cost.defaults if arguments.get(name) is None}
    return letters.of_arguments({n: v for n, v in whole.items() if n not in left})


def _texts(point: Point) -> dict[str, Any]:
    """Return a point for JSON, whose numbers are doubles to JavaScript: sizes become text."""
    return {name: v if isinstance(v, bool) else str(v) for name, v in point.items()}


# --- the check against the cost function -------------------------------------


def points(cost: CostFunction, number: int, seed: str = "") -> Iterator[Point]:
    """Make up calls of a cost function that it accepts, the same ones every time.

    The sizes go up to a billion, so that most counts are past 2**63.

    >>> from flopslib import registered
    >>> for point in points(registered()["multihead_attention"], 9):
    ...     assert point["h"] % point.get("h_kv", 1) == 0
    """
    letters = Letters(cost)
    chance = random.Random(f"{cost.name} {seed}")
    rules = _divides(letters)
    for _ in range(number):
        left_out = {letters.letter[name] for name in cost.defaults if chance.random() < 0.5}
        point: Point = {name: chance.random() < 0.5 for name in cost.major}
        for letter in _divisors_first(letters, rules):
            size = chance.randint(1, 2 ** chance.randint(1, 30))
            for divisor, multiple, unless in rules:
                if multiple == letter and (unless is None or unless in left_out):
                    size *= point.get(divisor, 1)
            point[letter] = size
            if letter in left_out:
                del point[letter]
        for name, least in cost.at_least.items():
            bigger, smaller = letters.letter[name], letters.letter[least]
            if bigger in point:
                point[bigger] += point[smaller]
        yield point


def _divisors_first(letters: Letters, rules: list[tuple[str, str, str | None]]) -> list[str]:
    order: list[str] = []

    def place(letter: str) -> None:
        for divisor, multiple, _ in rules:
            if multiple == letter:
                place(divisor)
        if letter not in order:
            order.append(letter)

    for letter in letters.names:
        place(letter)
    return order


def _stored(letters: Letters, presets: Mapping[str, Preset]) -> list[Point]:
    cost = letters.cost
    first = _completed(letters, next(iter(presets.values())))
    made_up = list(points(cost, STORED_POINTS, "stored"))
    return [p | flags for flags in variants(cost).values() for p in (first, *made_up)]


def _check_point(letters: Letters, point: Point) -> dict[str, Any]:
    counted = letters.cost.function(**letters.arguments(point))
    return {"at": _texts(point), "is": [str(getattr(counted, figure)) for figure in FIGURES]}


def checked(spec: dict[str, Any], cost: CostFunction, number: int = POINTS) -> int:
    """Compare what a page would count with the cost function; return on how many points.

    The steps are compared one by one, and their sum with the totals.

    Raises:
        ValueError: they differ; the message says where.
    """
    letters = Letters(cost)
    seen = 0
    for flags in variants(cost).values():
        for made_up in points(cost, number, "checked"):
            point = made_up | flags
            _compare(spec, letters, point)
            seen += 1
    return seen


def _compare(spec: dict[str, Any], letters: Letters, point: Point) -> None:
    counted = letters.cost.function(**letters.arguments(point))
    shown = counts(spec, point)
    wanted = {figure: getattr(counted, figure) for figure in FIGURES}
    if shown["total"] != wanted:
        raise ValueError(f"the lab {spec['name']} counts {shown['total']} at {point}, not {wanted}")
    for step, own in zip(shown["steps"], counted.steps, strict=True):
        figures = {figure: getattr(own.per_output, figure) for figure in OF_ONE_OUTPUT}
        if step != figures | {"name": own.name, "unit": own.unit, "outputs": own.outputs}:
            raise ValueError(f"the lab {spec['name']} counts {step} at {point}, not {own!r}")


def counts(spec: dict[str, Any], point: Point) -> dict[str, Any]:
    """Count what the page would, from the texts that it gets."""
    sizes = {name: value for name, value in point.items() if name not in spec["flags"]}
    for about in spec["letters"]:
        if about["letter"] not in sizes:
            sizes[about["letter"]] = evaluate(about["default"], sizes)
    chosen = spec["variants"][variant({name: point[name] for name in spec["flags"]})]

    def worked(which: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: at if isinstance(at, str) else evaluate(spec["formulas"][at], sizes)
            for name, at in which.items()
        }

    return {"total": worked(chosen["total"]), "steps": [worked(s) for s in chosen["steps"]]}
