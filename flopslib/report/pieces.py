"""What a network multiplies, and what for: told by operands and places, never by a layer's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from flopslib.derivation.steps import Step
from flopslib.layers.layer import Shape, joined
from flopslib.report.rows import Measured, Row, is_inside

__all__ = ["OTHER_WEIGHTS", "Pieces", "Share"]

SQUARE = "scores and weighted sum"
LOGITS = "logits"
OTHER_WEIGHTS = "other weights"


class Products(NamedTuple):
    """The products of one layer on one input, by where they are inside it.

    Attributes:
        weights: MACs of a number with a weight, by place.
        square: MACs of a number with a number, by place.
        order: the place of every product, in order, and whether it has a weight.
        matrices: how many weights take part in a product.
    """

    weights: Mapping[str, int]
    square: Mapping[str, int]
    order: tuple[tuple[str, bool], ...]
    matrices: int


class Share(NamedTuple):
    """A part of a row: what it is for, what it owns and what it multiplies.

    Attributes:
        name: what it is for.
        parameters: how many numbers are learnt there.
        macs: what it costs.
    """

    name: str
    parameters: int
    macs: int


@dataclass(frozen=True)
class Pieces:
    """The rows of a report, each cut into shares by what they are for."""

    report: Measured

    @cached_property
    def products(self) -> tuple[Products, ...]:
        """The products of every row."""
        seen: dict[tuple[int, Shape], Products] = {}  # a row keeps its layer
        found = []
        for row in self.report.rows:
            key = id(row.layer), row.input_shape
            if key not in seen:
                seen[key] = _products(row)
            found.append(seen[key])
        return tuple(found)

    @cached_property
    def shares(self) -> tuple[tuple[Share, ...], ...]:
        """The shares of every row; those of a row are the whole row."""
        named = _Places(self)
        return tuple(
            tuple(_shares(row, products, named))
            for row, products in zip(self.report.rows, self.products, strict=True)
        )

    @property
    def not_run(self) -> int:
        """How many parameters belong to layers that are kept and in no row."""
        return self.report.parameters - sum(row.parameters for row in self.report.rows)


def _products(row: Row) -> Products:
    weights: Counter[str] = Counter()
    square: Counter[str] = Counter()
    order, matrices = [], {}
    for step in row.derivation.steps:
        if step.macs:
            found = _weights_of(row, step)
            place = step.name.rpartition(".")[0]
            (weights if found else square)[place] += step.macs
            order.append((place, bool(found)))
            matrices.update(found)
    return Products(weights, square, tuple(order), sum(matrices.values()))


def _weights_of(row: Row, step: Step) -> dict[object, int]:
    """Return the weights that a product multiplies with, and how many numbers each holds."""
    if not step.reads:
        raise ValueError(
            f"{row.path or row.type}: the step {step.name!r} does not say what it multiplies; "
            f"give it reads=(Operand(…), Operand(…)), or take a cost function such as linear"
        )
    factors = (source for operand in step.reads[:2] for source in operand.sources())
    return {each: each.size for each in factors if each.role == "weight"}


# --- what the products are for ------------------------------------------------------


class _Places:
    """Names a product by where it is: at the end, beside a square, or in a block that has one."""

    def __init__(self, pieces: Pieces) -> None:
        self._last = _last_product(pieces)
        order = [
            (joined(row.path, place), has_weight)
            for row, products in zip(pieces.report.rows, pieces.products, strict=True)
            for place, has_weight in products.order
        ]
        squares = dict.fromkeys(place for place, has_weight in order if not has_weight)
        both = {place for place, has_weight in order if has_weight} & set(squares)
        self._regions = tuple(dict.fromkeys(p if p in both else _around(p) for p in squares))
        self._unclear = {region for region in self._regions if _is_unclear(region, order)}
        self._blocks = _blocks(self._regions)

    def name(self, place: str, row: Row) -> str:
        if row is self._last:
            return LOGITS
        regions = [region for region in self._regions if is_inside(place, region)]
        if regions:
            return OTHER_WEIGHTS if self._unclear.intersection(regions) else "projections"
        in_block = any(is_inside(place, block) for block in self._blocks)
        return "feed-forward" if in_block else OTHER_WEIGHTS


def _last_product(pieces: Pieces) -> Row | None:
    """Return the row whose product is the output of the network, if it is one."""
    rows = pieces.report.rows
    if not rows:
        return None
    last, products = rows[-1], pieces.products[-1]
    is_the_end = last.output_shape == pieces.report.output_shape and not products.square
    return last if is_the_end and len(products.weights) == 1 else None


def _is_unclear(region: str, order: Iterable[tuple[str, bool]]) -> bool:
    """Say whether more than one product follows a square, as where all of a block is side by side.

    At the top of a network nothing tells what stands beside the square from what is around it.
    """
    have_weights = [has_weight for place, has_weight in order if is_inside(place, region)]
    return not region or have_weights[::-1].index(False) > 1


def _blocks(regions: tuple[str, ...]) -> set[str]:
    """Return the blocks that have a square each: where the paths of all regions part."""
    paths = [region.split(".") for region in regions]
    if not paths:
        return set()
    common = 0
    while all(len(path) > common + 1 and path[common] == paths[0][common] for path in paths):
        common += 1
    if len(paths) == 1:  # a single layer: whatever has a name of its own around it
        return {paths[0][0]} if common else set()
    return {".".join(path[: common + 1]) for path in paths}


def _around(path: str) -> str:
    return path.rpartition(".")[0]


def _shares(row: Row, products: Products, places: _Places) -> Iterable[Share]:
    if products.square:
        yield Share(SQUARE, 0, sum(products.square.values()))
    if not products.weights:
        if row.parameters:
            yield Share(_without_product(row), row.parameters, 0)
        return
    named: Counter[str] = Counter()
    for place, macs in products.weights.items():
        named[places.name(joined(row.path, place), row)] += macs
    name = next(iter(named)) if len(named) == 1 else OTHER_WEIGHTS
    for part, macs in named.items():
        yield Share(part, row.parameters if part == name else 0, macs)
    if name not in named:
        yield Share(name, row.parameters, 0)


def _without_product(row: Row) -> str:
    """Name weights that are in no product by what is done with them."""
    done = row.operations
    if not any(done.kinds().values()):
        looked_up = row.output_shape[:-1] == row.input_shape
        return "token table" if looked_up else OTHER_WEIGHTS
    if done.other["square_roots"]:
        return "norms"
    only_added = done.additions and not done.multiplications and not done.other
    return "position table" if only_added else OTHER_WEIGHTS
