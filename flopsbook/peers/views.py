"""The tables of other tools' figures, for the chapter that compares them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flopsbook.peers import LAYERS, SUBJECTS, Figure, figures
from flopsbook.tables import Table, comparison, percent
from flopslib.counters import TOOLS
from flopslib.derivation.rendering import text


def signed(amount: int) -> str:
    """Write a difference with its sign, a true minus.

    >>> signed(-1200), signed(7), signed(0)
    ('−1,200', '+7', '0')
    """
    return f"{amount:+,}".replace("-", "−") if amount else "0"


def reported(found: Iterable[Figure]) -> Table:
    """Return figures as they are reported: who says it, in what word, and how far off.

    >>> reported(figures("resnet18", "flop_counter")).rows[0]
    ['FlopCounterMode', 'cpu', 'FLOPs', '3,628,146,688', '–']
    """
    rows = [
        [
            TOOLS[figure.tool].title,
            figure.device,
            str(figure.called),
            text(figure.value),
            _off(figure),
        ]
        for figure in found
        if figure.error is None
    ]
    header = ["tool", "on", "calls it", "reports", "off by"]
    return Table(header, rows, ["left", "left", "left", "right", "right"])


def _off(figure: Figure) -> str:
    """Say how far off a figure is: in percent, or in operations where that would round to 0."""
    if not figure.difference:
        return "–"
    share = percent(figure.difference / figure.ours, signed=True)
    return signed(figure.difference) if share[1:5] == "0.00" else share


def ledger(figure: Figure) -> Table:
    """Return one figure from ours to theirs, a line for each habit of the tool.

    >>> [row[1] for row in ledger(figures("conv2d", "torchinfo", "cpu")[0]).rows]
    ['11,340', '+420', '11,760', '11,760', '0']
    """
    sums: list[list[Any]] = [[f"our {figure.means}", figure.ours]]
    sums += [[term.name, signed(term.amount)] for term in figure.terms]
    sums += [["together", figure.ours + figure.explained]]
    sums += [[f"{TOOLS[figure.tool].title} reports", figure.value]]
    sums += [["left unexplained", signed(figure.remainder)]]
    return comparison([SUBJECTS[figure.subject].title, "operations"], sums)


def reconciled(found: Iterable[Figure]) -> Table:
    """Return a line for each figure: which of ours it is, what it adds, and what is left.

    >>> reconciled(figures("resnet18", "fvcore", "cpu")).rows[0][1:]
    ['MACs', '+4,992,512', 'batch norms; adaptive pooling', '0']
    """
    rows = []
    for figure in found:
        if figure.error is None:
            where = "" if figure.device == "cpu" else ", meta"
            names = "; ".join(_short(term.name) for term in figure.terms)
            rows.append(
                [
                    f"{TOOLS[figure.tool].title}{where}",
                    figure.means,
                    signed(figure.difference),
                    names or "–",
                    signed(figure.remainder),
                ]
            )
    header = ["tool", "our count", "extras", "made up of", "unexplained"]
    return Table(header, rows, ["left", "left", "right", "left", "right"])


def _short(name: str) -> str:
    return name.partition(":")[0]


#: The columns of the table of layers: a tool, and where it ran.
COLUMNS = (
    ("fvcore", "cpu", "fvcore"),
    ("ptflops", "cpu", "ptflops"),
    ("calflops", "cpu", "calflops"),
    ("thop", "cpu", "THOP"),
    ("torchinfo", "cpu", "torchinfo"),
)


def layers_table(subjects: Sequence[str] = tuple(LAYERS)) -> Table:
    """Return how far every tool is from ours for each layer; – where it agrees.

    >>> layers_table(["linear"]).rows
    [['Linear', '–', '−84', '–', '–', '−126']]
    """
    rows = []
    for name in subjects:
        cells = []
        for tool, device, _ in COLUMNS:
            figure = figures(name, tool, device)[-1]  # of calflops, the FLOPs
            cells.append(signed(figure.difference) if figure.difference else "–")
        rows.append([SUBJECTS[name].title, *cells])
    header = ["layer", *(title for *_, title in COLUMNS)]
    return Table(header, rows, ["left"] + ["right"] * len(COLUMNS))
