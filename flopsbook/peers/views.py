"""The tables of other tools' figures, for the chapter that compares them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flopsbook.peers import LAYERS, SUBJECTS, Figure, environments, figures
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


#: The same for other ecosystems: what each column leaves open is not asked there.
ELSEWHERE = (
    ("xla", "lowered", "XLA"),
    ("tensorflow", "batch fixed", "TensorFlow"),
    ("paddle", "cpu", "Paddle"),
    ("onnx_tool", "cpu", "onnx-tool"),
)

#: And for the other counters of PyTorch.
FURTHER_COLUMNS = (
    ("profiler", "cpu", "torch.profiler"),
    ("deepspeed", "cpu", "DeepSpeed"),
    ("torchprofile", "cpu", "torchprofile"),
    ("torch_flops", "cpu", "torch-flops"),
    ("flopth", "cpu", "flopth"),
    ("ultralytics_thop", "cpu", "ultralytics-thop"),
)


def everyone(subject: str) -> Table:
    """Return what all tools say of a subject, one line for an answer and a word, and its parts.

    >>> [row[:4] for row in everyone("conv_net").rows if row[0] == "onnx-tool"]
    [['onnx-tool', 'ONNX', 'MACs', '40,660']]
    """
    rows: list[list[str]] = []
    for figure in figures(subject):
        tool = TOOLS[figure.tool]
        if figure.error is not None or (not tool.foretold and figure.tool != "tinygrad"):
            continue
        usual = tool.devices[0] == figure.device == "cpu"
        name = tool.title + ("" if usual else f", {figure.device}")
        parts = "; ".join(f"{signed(term.amount)} {_short(term.name)}" for term in figure.terms)
        base = f"{figure.ours:,} {figure.means}"
        made = f"{base}; {parts}" if parts else base
        line = [name, FRAMEWORKS[tool.framework], str(figure.called), text(figure.value), made]
        if not any(line[2:] == row[2:] and name.startswith(row[0]) for row in rows):
            rows.append(line)
    header = ["tool", "counts programs of", "calls it", "reports", "made up of"]
    return Table(header, rows, ["left", "left", "left", "right", "left"])


FRAMEWORKS = {
    "torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow", "paddle": "Paddle",
    "onnx": "ONNX", "tinygrad": "tinygrad",
}  # fmt: skip


def disagreeing(names: Sequence[str]) -> Table:
    """Return who is right about small programs, and who says what instead.

    >>> disagreeing(["matrix_vector"]).rows[0][:2]
    ['a matrix by a vector', '24']
    """
    rows = []
    for name in names:
        otherwise: dict[str, str] = {}
        for figure in figures(name):
            tool = TOOLS[figure.tool]
            if figure.error is None and tool.foretold and figure.value != figure.ours:
                unit = "" if figure.means == "FLOPs" else f" {figure.means}"
                otherwise.setdefault(tool.title, f"{tool.title} {figure.value:,}{unit}")
        subject = SUBJECTS[name]
        rows.append([subject.title, text(subject.report.flops), "; ".join(otherwise.values())])
    return Table(
        ["program", "FLOPs performed", "who says otherwise"], rows, ["left", "right", "left"]
    )


def measured_with() -> Table:
    """Return the environments in which the figures were measured, and their versions.

    >>> [row[0] for row in measured_with().rows][:2]
    ['torch', 'ultralytics']
    """
    rows = [
        [name, where["python"], ", ".join(f"{n} {v}" for n, v in where["versions"].items())]
        for name, where in sorted(environments().items(), key=lambda pair: _place(pair[0]))
    ]
    return Table(["environment", "Python", "versions"], rows, ["left", "left", "left"])


def _place(name: str) -> tuple[int, str]:
    return (
        0 if name == "torch" else 2 if name == "torch_newest" else 1,
        "" if name == "ultralytics" else name,
    )


def layers_table(
    subjects: Sequence[str] = tuple(LAYERS), columns: Sequence[tuple[str, str, str]] = COLUMNS
) -> Table:
    """Return how far every tool is from ours for each layer; – where it agrees.

    Where a tool was not asked, or refused, the cell is empty.

    >>> layers_table(["linear"]).rows
    [['Linear', '–', '−84', '–', '–', '−126']]
    """
    rows = []
    for name in subjects:
        cells = []
        for tool, device, _ in columns:
            found = [f for f in figures(name, tool, device) if f.error is None]
            cells.append(_difference(found[-1]) if found else "")  # of calflops, the FLOPs
        if any(cells):
            rows.append([SUBJECTS[name].title, *cells])
    header = ["layer", *(title for *_, title in columns)]
    return Table(header, rows, ["left"] + ["right"] * len(columns))


def _difference(figure: Figure) -> str:
    return signed(figure.difference) if figure.difference else "–"
