"""A report as a table, a tree, Markdown, CSV and plain values."""

from __future__ import annotations

import csv as comma_separated
import html
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OTHER_KINDS
from flopslib.derivation.rendering import record_text, short, text
from flopslib.derivation.steps import Step
from flopslib.layers.layer import Layer, Node
from flopslib.report.rows import Group, Measured, Row, check_depth, parts_owned

#: The columns of a table, and whether their entries are figures.
COLUMNS = {
    "layer": False,
    "type": False,
    "output": False,
    "MACs": True,
    "share": True,
    "parameters": True,
    "one output × outputs": True,
    "FLOPs": True,
    "exact FLOPs": True,
}

SPACE = "\N{NO-BREAK SPACE}"

#: The version of every JSON that this library writes. It changes when a field goes or gets
#: another meaning; a new field may come without a new version.
SCHEMA_VERSION = 1


def shape_text(shape: Any) -> str:
    """Write a shape, or several.

    >>> shape_text((1, 64, 112, 112)), shape_text(((2, 3), (2, 5)))
    ('1×64×112×112', '2×3, 2×5')
    """
    if shape and not isinstance(shape[0], int):
        return ", ".join(map(shape_text, shape))
    return "×".join(map(str, shape)) if shape else ""


def share_text(part: int, whole: int) -> str:
    """Write a share in percent, and nothing where there is none.

    >>> share_text(1, 8), share_text(0, 8), share_text(1, 10**6)
    ('12.5\\xa0%', '', '<0.1\\xa0%')
    >>> share_text(9999, 10000), share_text(7, 7)
    ('>99.9\\xa0%', '100.0\\xa0%')
    """
    if not part:
        return ""
    share = part / whole
    if share < 0.0005:
        return f"<0.1{SPACE}%"
    if part < whole and share >= 0.9995:
        return f">99.9{SPACE}%"
    return f"{share:.1%}".replace("%", f"{SPACE}%")


def macs_text(derivation: Derivation) -> str:
    """Write the MACs of a derivation as one output × outputs, for each step that has any.

    >>> from flopslib import conv2d, linear
    >>> macs_text(conv2d(3, 64, 7, 112, 112))
    '147 × 802,816'
    >>> macs_text(linear(3, 2) + linear(2, 5)), macs_text(Derivation(()))
    ('2 products', '')
    """
    steps = [step for step in derivation.steps if step.macs]
    if len(steps) > 1:
        return f"{len(steps)} products"
    return "".join(f"{text(step.per_output.macs)} × {text(step.outputs)}" for step in steps)


def derivation_line(derivation: Derivation) -> str:
    """Write a derivation in one line: what one output costs × how many, step by step.

    >>> from flopslib import linear
    >>> derivation_line(linear(3, 2))
    '(3 multiplications, 3 additions) × 2 output elements'
    """
    return "; ".join(map(_step_line, derivation.steps))


def _step_line(step: Step) -> str:
    units = f"{text(step.outputs)} {step.unit}{'' if step.outputs == 1 else 's'}"
    return f"({record_text(step.per_output)}) × {units}"


class ReportTable:
    """The layers of a report, or its parts down to a depth, with the total below.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear, ReLU, Sequential
    >>> table = count(Sequential(fc=Linear(3, 2), act=ReLU()), (1, 3)).table()
    >>> table.rows[0][:7]
    ['fc', 'Linear', '1×2', '6', '100.0\xa0%', '8', '3 × 2']
    """

    def __init__(self, report: Measured, depth: int | None = None) -> None:
        """Take a report, and how deep to go; None: to every layer."""
        self.report = report
        self.entries: Sequence[Row | Group] = report.entries(depth)
        self.header = list(COLUMNS)
        self.rows = [self._row(entry) for entry in self.entries]

    def _row(self, entry: Row | Group) -> list[str]:
        return [
            entry.path or entry.type,
            entry.type,
            shape_text(entry.output_shape),
            text(entry.macs),
            share_text(entry.macs, self.report.macs),
            text(entry.parameters),
            entry.size if isinstance(entry, Group) else macs_text(entry.derivation),
            text(entry.flops),
            text(entry.exact_flops),
        ]

    @property
    def total(self) -> list[str]:
        """The row below the layers."""
        of = self.report
        return self._sums("total", shape_text(of.output_shape), share_text(of.macs, of.macs), text)

    @property
    def rounded(self) -> list[str]:
        """The total as one says it; nothing where that is no shorter."""
        row = self._sums("rounded", "", "", short)
        sums = (self.report.macs, self.report.parameters, self.report.exact_flops)
        return row if any(short(number) != text(number) for number in sums) else []

    def _sums(self, name: str, shape: str, share: str, written: Callable[[int], str]) -> list[str]:
        of = self.report
        macs, owned, *flops = map(written, (of.macs, of.parameters, of.flops, of.exact_flops))
        return [name, "", shape, macs, share, owned, "", *flops]

    @property
    def notes(self) -> list[str]:
        """The input, the operations that no column contains, and how the axes were read."""
        other = {kind: n for kind, n in self.report.other.items() if n}
        named = ", ".join(f"{text(n)} {kind.replace('_', ' ')}" for kind, n in other.items())
        left_out = f" In neither FLOP column: {named}." if named else ""
        idle = self.report.parameters - sum(row.parameters for row in self.report.rows)
        not_run = (
            f" {text(idle)} parameters are in layers that are kept and not run." if idle else ""
        )
        came_out = f" {_named('Output', of)}." if len(of := self.report.outputs) > 1 else ""
        first = f"{_named('Input', self.report.inputs)}.{came_out}{left_out}{not_run}"
        return [first, *(f"{said}." for said in self.report.assumptions)]

    def markdown(self) -> str:
        """Return the table as Markdown, its sums in bold."""
        rules = ["---:" if figures else "---" for figures in COLUMNS.values()]
        sums = [row for row in (self.total, self.rounded) if row]
        bold = ([f"**{cell}**" if cell else "" for cell in row] for row in sums)
        lines = [self.header, rules, *self.rows, *bold]
        table = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
        return "\n\n".join([table, *self.notes])

    def __repr__(self) -> str:
        sums = [row for row in (self.total, self.rounded) if row]
        aligned = aligned_lines([self.header, *self.rows, *sums], list(COLUMNS.values()))
        rule = "─" * max(map(len, aligned))
        layers, below = aligned[1 : -len(sums)], aligned[-len(sums) :]
        lines = [aligned[0], rule, *layers, rule, *below, *self.notes]
        return "\n".join(lines).replace(SPACE, " ")

    def _repr_html_(self) -> str:
        # in two lines: layer and type, MACs and one output × outputs, FLOPs and exact FLOPs
        layer, _, output, macs, share, owned, worked, *flops = map(html.escape, self.header)
        names = [layer, output, _over(macs, worked), share, owned, _over(*flops)]
        head = "".join(f'<th scope="col">{name}</th>' for name in names)
        body = "\n".join(
            _html_row(row, entry.macs / max(self.report.macs, 1), _title(entry))
            for row, entry in zip(self.rows, self.entries, strict=True)
        )
        foot = "".join(_html_row(row, 0, "") for row in (self.total, self.rounded) if row)
        notes = "".join(f'<p class="report-note">{html.escape(note)}</p>' for note in self.notes)
        return (
            f'<div class="report" tabindex="0" role="group" aria-label="layers and their cost">'
            f'<table class="table"><thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody>\n<tfoot>{foot}</tfoot></table></div>{notes}"
        )


def _named(what: str, shapes: Mapping[str, Any]) -> str:
    """Write one shape, or several with their names.

    >>> _named("Input", {"x": (1, 3)}), _named("Output", {"score": (1, 2), "mean": (1, 4)})
    ('Input: 1×3', 'Outputs: score 1×2, mean 1×4')
    """
    if len(shapes) == 1:
        return f"{what}: {shape_text(*shapes.values())}"
    return f"{what}s: {', '.join(f'{name} {shape_text(s)}' for name, s in shapes.items())}"


def _escaped(cell: str) -> str:
    # a reader's own class may be called anything
    return cell.replace("|", "\\|").replace("<", "&lt;")


def aligned_lines(lines: Sequence[Sequence[str]], figures: Sequence[bool]) -> list[str]:
    """Write the lines of a table, figures to the right and everything else to the left.

    >>> aligned_lines([["layer", "MACs"], ["fc", "6"]], [False, True])
    ['layer  MACs', 'fc        6']
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [_aligned(line, widths, figures) for line in lines]


def _aligned(line: Sequence[str], widths: Sequence[int], figures: Sequence[bool]) -> str:
    cells = zip(line, widths, figures, strict=True)
    padded = (cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells)
    return "  ".join(padded).rstrip()


def _title(entry: Row | Group) -> str:
    return derivation_line(entry.derivation) if isinstance(entry, Row) else ""


# the fall-back is for notebooks, which do not have the book's colours
BAR = (
    "background-image:linear-gradient"
    "(90deg,var(--bar,rgba(42,125,200,.3)) {share:.2%},transparent 0)"
)


def _html_row(cells: list[str], share: float, title: str) -> str:
    name, kind, output, macs, part, owned, worked, *flops = map(html.escape, cells)
    hover = f' title="{html.escape(title)}"' if title else ""
    bar = f' style="{BAR.format(share=share)}"' if share else ""
    layer = _over(name, kind) if kind != name else name
    both = _over(*flops) if flops != ["0", "0"] else "0"
    numbers = "".join(f'<td class="number">{figure}</td>' for figure in (owned, both))
    return (
        f'<tr{hover}><th scope="row">{layer}</th><td>{output}</td>'
        f'<td class="number">{_over(macs, worked)}</td><td class="number"{bar}>{part}</td>'
        f"{numbers}</tr>"
    )


def _over(above: str, below: str) -> str:
    return f'{above}<br><span class="beneath">{below}</span>' if below else above


class Tree:
    """A network as a tree, equal neighbours drawn once.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear, Sequential
    >>> layer = Linear(4, 4)
    >>> count(Sequential(body=Sequential(*[layer] * 3)), (1, 4)).tree()
    Sequential(1 layer)                        60 parameters  48 MACs
    └─ body: Sequential(3 layers)              60 parameters  48 MACs
       └─ 0 … 2 (3 alike, each): Linear(4, 4)  20 parameters  16 MACs
    """

    def __init__(self, root: Node, depth: int | None = None) -> None:
        """Take what was measured, and how deep to go; None: to every layer."""
        if depth is not None:
            check_depth(depth)
        self.lines = list(_branches("", root, depth, owned=True))
        self.root = root

    def __repr__(self) -> str:
        lines = [Branch("", repr(self.root.layer), self.root, True), *self.lines]
        width = max(len(line.label) for line in lines)
        return "\n".join(f"{line.label:{width}}  {line.figures}" for line in lines)


class Branch(NamedTuple):
    """A line of a tree: what is drawn before it, what it says, and what it stands for."""

    drawn: str
    name: str
    node: Node
    owned: bool
    #: whether it is what the layer computes besides its parts
    itself: bool = False

    @property
    def label(self) -> str:
        """What is drawn and said."""
        return f"{self.drawn}{self.name}"

    @property
    def figures(self) -> str:
        """What stands behind it."""
        layer = self.node.layer
        has = layer.own_parameters if self.itself else layer.parameters
        counts = self.node.own if self.itself else self.node.total
        return f"{text(has if self.owned else 0)} parameters  {text(counts[2])} MACs"


def _branches(indent: str, node: Node, depth: int | None, owned: bool) -> Iterator[Branch]:
    if depth == 0 or not node.parts:
        return
    runs = [list(run) for _, run in groupby(named_parts(node, owned), key=_likeness)]
    itself = bool(node.layer.own_parameters) or any(node.own)
    for at, run in enumerate(runs):
        last = at == len(runs) - 1 and not itself
        (first, part, has_weights), (end, *_) = run[0], run[-1]
        name = first if len(run) == 1 else f"{first} … {end} ({len(run)} alike, each)"
        drawn = f"{indent}{'└─ ' if last else '├─ '}"
        yield Branch(drawn, f"{name}: {part.layer!r}", part, has_weights)
        deeper = None if depth is None else depth - 1
        yield from _branches(indent + ("   " if last else "│  "), part, deeper, has_weights)
    if itself:
        yield Branch(f"{indent}└─ ", f"{type(node.layer).__name__} itself", node, owned, True)


class _likeness:  # noqa: N801  a key for groupby
    """Equal to that of a part that is built alike, gets the same shape and owns as much."""

    __slots__ = ("node", "owned")

    def __init__(self, part: tuple[str, Node, bool]) -> None:
        _, self.node, self.owned = part

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _likeness):
            return NotImplemented
        if self.owned != other.owned or self.node.input_shape != other.node.input_shape:
            return False
        return self.node is other.node or self.node.layer == other.node.layer


def named_parts(node: Node, owned: bool = True) -> Iterator[tuple[str, Node, bool]]:
    """Yield the parts of a layer: their names, and whether their weights are counted there.

    What is inside a nameless part, such as the body of a residual block, is among them.
    """
    for name, part, has_weights in parts_owned(node, owned):
        if name or not part.parts:
            yield name or type(part.layer).__name__, part, has_weights
        else:
            yield from named_parts(part, has_weights)


def records(report: Measured, depth: int | None = None) -> list[dict[str, Any]]:
    """Return a mapping for each layer, or part down to a depth, from a column to a plain value.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> records(count(Linear(3, 2), (1, 3)))[0]["macs"]
    6
    """
    return [{name: of(entry) for name, of in FIELDS.items()} for entry in report.entries(depth)]


def _other(kind: str) -> Callable[[Row | Group], int]:
    return lambda entry: entry.other[kind]


def _derivation(entry: Row | Group) -> str | None:
    return derivation_line(entry.derivation) if isinstance(entry, Row) else None


#: The columns of a record. Layers taken together have no derivation.
FIELDS: Mapping[str, Callable[[Row | Group], Any]] = {
    "path": lambda entry: entry.path or entry.type,
    "type": attrgetter("type"),
    "layer": lambda entry: repr(entry.layer),
    **{name: attrgetter(name) for name in ("input_shape", "output_shape", "parameters")},
    **{name: attrgetter(name) for name in ("macs", "flops", "exact_flops")},
    **{name: attrgetter(name) for name in ("multiplications", "additions")},
    **{kind: _other(kind) for kind in OTHER_KINDS},
    "derivation": _derivation,
}


def csv(report: Measured, depth: int | None = None) -> str:
    """Return layers, or parts down to a depth, as CSV, shapes as 1x64x112x112.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> csv(count(Linear(3, 2), (1, 3))).splitlines()[1]
    'Linear,Linear,"Linear(3, 2)",1x3,1x2,8,6,12,12,6,6,0,0,0,0,0,0,\
"(3 multiplications, 3 additions) × 2 output elements"'
    """
    written = io.StringIO()
    writer = comma_separated.DictWriter(written, list(FIELDS), lineterminator="\n")
    writer.writeheader()
    for line in records(report, depth):
        shapes = {k: shape_text(line[k]).replace("×", "x") for k in ("input_shape", "output_shape")}
        writer.writerow(line | shapes)
    return written.getvalue()


def as_dict(report: Measured, depth: int | None = None) -> dict[str, Any]:
    """Return totals, assumptions and layers as values that JSON can hold.

    The file ``report.schema.json`` in this package describes them, as a JSON Schema. The
    parameters of all layers and ``parameters_not_listed`` make up the total.

    >>> from flopslib import count
    >>> from flopslib.layers import Linear
    >>> plain = as_dict(count(Linear(3, 2), (1, 3)))
    >>> plain["schema_version"], plain["flops"]
    (1, 12)
    """
    model: Layer = report.model
    layers = records(report, depth)
    return {
        "schema_version": SCHEMA_VERSION,
        "model": repr(model),
        "input_shape": report.input_shape,
        "output_shape": report.output_shape,
        "parameters": report.parameters,
        "macs": report.macs,
        "flops": report.flops,
        "exact_flops": report.exact_flops,
        "multiplications": report.multiplications,
        "additions": report.additions,
        "other": dict(report.other),
        "assumptions": list(report.assumptions),
        "depth": depth,
        "parameters_not_listed": report.parameters - sum(entry["parameters"] for entry in layers),
        "layers": layers,
    }
