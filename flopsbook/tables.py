"""The tables of the book, generated: nothing in them is typed by hand."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flopsbook.roles import readable
from flopslib import notation
from flopslib.costs import linear, transformer_layer
from flopslib.costs.registry import CostFunction, registered
from flopslib.costs.symbolic import formula
from flopslib.derivation.approximation import relative_error, where_equal
from flopslib.derivation.derivation import Derivation
from flopslib.derivation.opcount import OpCount
from flopslib.derivation.primitives import PRIMITIVES, layer_norm, on_symbols
from flopslib.derivation.rendering import (
    COLOURED,
    additions_in_colour,
    is_nonzero,
    latex,
    multiplications_in_colour,
    terms_latex,
    text,
)
from flopslib.derivation.steps import Part
from flopslib.loops.operands import parameters
from flopslib.sizes.checks import shown

#: What SymPy calls a relation -> its sign.
RELATIONS = {"==": "=", "!=": r"\ne", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}

#: An approximation is called good while it misses no more than this share.
GOOD_WITHIN = 0.05


class Table:
    """A table that shows as Markdown in a notebook and as text everywhere else.

    >>> Table(["layer", "MACs"], [["linear", "6"]])
    | layer | MACs |
    | --- | --- |
    | linear | 6 |
    """

    def __init__(
        self, header: Sequence[str], rows: Iterable[Sequence[str]], align: Sequence[str] = ()
    ) -> None:
        """Take the header, the rows, and for each column "left" or "right".

        Raises:
            ValueError: a column without a name, which nobody hears who has the table read out.
        """
        self.header = list(header)
        if not all(map(str.strip, self.header)):
            raise ValueError(f"header must name every column, got {self.header}")
        self.rows = [list(row) for row in rows]
        self.align = list(align) or ["left"] * len(self.header)

    def __repr__(self) -> str:
        rules = ["---:" if align == "right" else "---" for align in self.align]
        lines = [self.header, rules, *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _repr_markdown_(self) -> str:
        return readable(repr(self))


def comparison(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table whose first column is text and whose other columns are figures.

    >>> comparison(["layer", "MACs"], [["linear", 60000]])
    | layer | MACs |
    | --- | ---: |
    | linear | 60,000 |
    """
    written = [
        [str(first), *(v if isinstance(v, str) else text(v) for v in rest)] for first, *rest in rows
    ]
    return Table(header, written, ["left"] + ["right"] * (len(header) - 1))


def agreement(printed: float, digits: int, ours: int) -> str:
    """Return how far a printed figure is from ours, at the digits it was printed with.

    >>> agreement(4.09e9, 3, 4089184256), agreement(3.8e9, 2, 3857973248)
    ('–', '−1.50\xa0%')
    """
    agrees = f"{printed:.{digits - 1}e}" == f"{ours:.{digits - 1}e}"
    return "–" if agrees else percent(printed / ours - 1, signed=True)


def percent(share: float, digits: int = 2, *, signed: bool = False) -> str:
    """Write a share in percent, with a true minus and a space that does not break.

    >>> percent(0.12345, 1)
    '12.3\xa0%'
    """
    sign = "+" if signed else ""
    return f"{float(share):{sign}.{digits}%}".replace("%", "\N{NO-BREAK SPACE}%").replace("-", "−")


def formulas(
    rows: Iterable[Sequence[Any]], header: Sequence[str] = ("quantity", "formula")
) -> Table:
    r"""Return a table of names and of what they are, as typeset mathematics.

    Args:
        rows: for each a name, a SymPy expression, an (in)equality of SymPy or an int, and if
            you like its unit; multiplications and additions are in their colours.
        header: what stands above the names and above the formulas.

    Raises:
        TypeError: a row is none of these.

    >>> from flopslib.notation import B, L, d
    >>> formulas([("query projection", 2 * B * L * d**2, "FLOPs"), ("heads", 12)])
    | quantity | formula |
    | --- | --- |
    | query projection | $2 B L d^{2}$ FLOPs |
    | heads | $12$ |
    """
    return Table(header, [[name, _typeset(*value)] for name, *value in map(_formula_row, rows)])


def _formula_row(row: Sequence[Any]) -> Sequence[Any]:
    import sympy

    is_row = isinstance(row, Sequence) and not isinstance(row, str) and len(row) in (2, 3)
    name, value, unit = [*row, ""][:3] if is_row else (None, None, None)
    whole = isinstance(value, int) and not isinstance(value, bool)
    mathematics = isinstance(value, (sympy.Expr, sympy.core.relational.Relational))
    if not (isinstance(name, str) and isinstance(unit, str) and (whole or mathematics)):
        raise TypeError(
            "every row of formulas must be a name, a SymPy expression or an int, and perhaps a "
            f"unit, got {shown(row)}"
        )
    return row


def _typeset(value: Any, unit: str = "") -> str:
    sides = getattr(value, "rel_op", None)
    if sides:
        return f"${latex(value.lhs)} {RELATIONS[sides]} {latex(value.rhs)}$ {unit}".rstrip()
    coloured = COLOURED.get(unit, str)
    terms = (f"${coloured(term)}$" for term in terms_latex(value, as_sum=False))
    return " ".join([*terms, unit]).rstrip()


def notation_table() -> Table:
    """Return the notation table: letter, arguments, meaning."""
    rows = (
        [f"${row.latex}$", ", ".join(f"`{name}`" for name in row.arguments), row.meaning]
        for row in notation.TABLE
    )
    return Table(["letter", "argument", "meaning"], rows)


def conventions_table(*operations: str) -> Table:
    """Return what each elementary operation costs, and the algorithm behind the figures.

    Args:
        operations: the names of primitives, for a part of the table; none: all of it.

    Raises:
        KeyError: no primitive has the name.

    >>> conventions_table("elementwise_product").rows[0][1:]
    ['$\\\\textcolor{multiplication}{1}$', '–', '–', '–']
    """
    parts = []
    for name in operations or PRIMITIVES:
        parts.append(_labelled(PRIMITIVES[name]))
        if name == "layer_norm":
            parts.append(("**layer norm of $n$, no $\\beta$**", on_symbols(layer_norm, bias=False)))
    header = ["operation", "multiplications", "additions", "MACs", "other"]
    return Table(header, ([label, *_figures(part.operations)] for label, part in parts))


def _labelled(primitive: Callable[..., Part]) -> tuple[str, Part]:
    part = on_symbols(primitive)
    sized = {"n", "terms"} & set(inspect.signature(primitive).parameters)
    name = f"{part.name} of $n$" if sized else part.name
    algorithm = (inspect.getdoc(primitive) or "").partition("\n")[0]
    written = re.sub("``(.+?)``", lambda formula: f"${mathematics(formula[1])}$", algorithm)
    return f"**{name}**: {written[0].lower()}{written[1:]}", part


#: How the signs of a formula in a docstring are written in LaTeX.
SIGNS = {"·": r"\cdot", "−": "-", "½": r"\tfrac12", "⅙": r"\tfrac16", "γ": r"\gamma", "β": r"\beta"}


def mathematics(formula: str) -> str:
    r"""Write a formula of a docstring in LaTeX.

    >>> mathematics("½ · exp(−x) / √(d_k)")
    '\\tfrac12 \\cdot \\operatorname{exp}(-x) / \\sqrt{d_k}'
    """
    formula = re.sub(r"\b([a-z]{3,})\b", r"\\operatorname{\1}", formula)
    formula = re.sub(r"√\((\w+)\)", r"\\sqrt{\1}", formula)
    return "".join(SIGNS.get(sign, sign) for sign in formula)


def _figures(operations: OpCount) -> list[str]:
    return [
        _nonzero(operations.multiplications, multiplications_in_colour),
        _nonzero(operations.additions, additions_in_colour),
        _nonzero(operations.macs, str),
        _other(operations) or "–",
    ]


def _other(operations: OpCount) -> str:
    counted = operations.other.items()
    return ", ".join(f"${latex(n)}$ {_noun(kind, n)}" for kind, n in counted)


def _noun(kind: str, count: Any) -> str:
    """Return the word for so many operations of a kind.

    >>> _noun("square_roots", 1), _noun("square_roots", 2)
    ('square root', 'square roots')
    """
    word = kind.replace("_", " ")
    return word[:-1] if isinstance(count, int) and count == 1 else word


def _nonzero(count: Any, coloured: Callable[[str], str]) -> str:
    return f"${coloured(latex(count))}$" if is_nonzero(count) else "–"


# --- the cost table --------------------------------------------------------


def in_terms(value: Any, coloured: Callable[[str], str] = str) -> str:
    """Write a sum for a cell of a table, where it may wrap between its terms.

    >>> from flopslib.notation import L, d
    >>> in_terms(4 * L * (d - 1))
    '$4 L d$ ${} - 4 L$'
    """
    return " ".join(f"${coloured(term)}$" for term in terms_latex(value))


def _linked(label: str, cost: CostFunction) -> str:
    return f"{{doc}}`{label} <{cost.chapter}>`" if cost.chapter else label


def _layers() -> list[tuple[str, CostFunction, Derivation]]:
    derived = ((cost, formula(cost.function)) for cost in registered().values() if cost.chapter)
    return [(_linked(of.name, cost), cost, of) for cost, of in derived]


def cost_table() -> Table:
    """Return every layer, linked to its derivation, with its FLOPs and its MACs."""
    rows = ([layer, in_terms(of.flops), in_terms(of.macs)] for layer, _, of in _layers())
    return Table(["layer", "FLOPs", "MACs"], rows)


def exact_table() -> Table:
    """Return every layer with its multiplications and additions, exactly."""
    rows = (
        [
            layer,
            in_terms(of.multiplications, multiplications_in_colour),
            in_terms(of.additions, additions_in_colour),
        ]
        for layer, _, of in _layers()
    )
    return Table(["layer", "multiplications", "additions"], rows)


def other_table() -> Table:
    """Return the operations that are neither, for every layer that has any."""
    rows = ([layer, _other(of.total)] for layer, _, of in _layers() if of.other)
    return Table(["layer", "neither multiplications nor additions"], rows)


def worked_table() -> Table:
    """Return a real layer for each cost function: the call that counts it, and its figures."""
    rows = []
    for layer, cost, _ in _layers():
        if cost.example is not None:
            real = cost.function(**cost.example.arguments)
            figures = (real.macs, real.flops, real.exact_flops)
            what = f"{layer}: {cost.example.what}, `{_call(cost, cost.example.arguments)}`"
            rows.append([what, *map(text, figures)])
    header = ["layer", "MACs", "FLOPs", "exact FLOPs"]
    return Table(header, rows, ["left", "right", "right", "right"])


def _call(cost: CostFunction, arguments: Mapping[str, Any]) -> str:
    required = inspect.signature(cost.function).parameters.values()
    positional = {p.name for p in required if p.default is p.empty}
    written = (f"{v}" if name in positional else f"{name}={v}" for name, v in arguments.items())
    return f"{cost.name}({', '.join(written)})"


def steps_table(derivation: Derivation) -> Table:
    """Return a derivation step by step: what one output costs, and how many there are.

    >>> from flopslib import linear
    >>> steps_table(linear(3, 2)).rows[0][2:]
    ['$2$ output elements', '$12$']
    """
    rows = (
        [
            step.name,
            _record(step.per_output),
            f"${latex(step.outputs)}$ {step.unit}s",
            f"${latex(step.flops)}$" if is_nonzero(step.macs) else "–",
        ]
        for step in derivation.steps
    )
    return Table(["step", "one costs", "how many", "FLOPs"], rows)


def _record(operations: OpCount) -> str:
    parts = []
    for kind, coloured in COLOURED.items():
        count = getattr(operations, kind)
        if is_nonzero(count):
            parts.append(f"${coloured(latex(count))}$ {_noun(kind, count)}")
    return ", ".join([*parts, _other(operations)] if operations.other else parts)


def variants_table(
    variants: Mapping[str, tuple[Callable[..., Derivation], Mapping[str, Any]]],
) -> Table:
    """Return the FLOPs of cost functions with some arguments replaced.

    >>> from flopslib import linear
    >>> variants_table({"three inputs": (linear, {"in_features": 3})}).rows
    [['{doc}`three inputs <linear>`', '$6 B O$']]
    """
    rows = (
        [
            _linked(what, registered()[function.__name__]),
            in_terms(formula(function, **replaced).flops),
        ]
        for what, (function, replaced) in variants.items()
    )
    return Table(["variant", "FLOPs"], rows)


def approximations_table() -> Table:
    """Return the short formulas for Transformers, their error, and where it is below 5 %."""
    import sympy

    from flopslib.notation import B, L, d, h

    full, causal = (formula(transformer_layer, causal=flag) for flag in (False, True))
    per_token, masked = (sympy.expand(layer.flops / (B * L)) for layer in (full, causal))
    short = per_token.coeff(L, 0)
    owned = parameters(transformer_layer, L, d, num_heads=h)
    layers, words = sympy.symbols("N V", positive=True, integer=True)
    model = layers * short
    logits = linear(d, words, bias=False).flops
    rows = [
        ("parameters of a layer", owned.coeff(d, 2) * d**2, owned, d, r"\ge"),
        ("FLOPs of a token in a layer", short, per_token, L, r"\le"),
        ("FLOPs of a token in a layer, causal", short, masked, L, r"\le"),
        ("FLOPs of a token, short text, no logits", model, model + logits, words, r"\le"),
    ]
    return Table(
        ["of what", "short", "in full", "error", f"within {100 * GOOD_WITHIN:.0f} %"],
        (_approximation(*row) for row in rows),
    )


def _approximation(what: str, short: Any, full: Any, letter: Any, sign: str) -> list[str]:
    import sympy

    error = relative_error(short, full)
    limit = where_equal(error, sympy.Rational(str(GOOD_WITHIN)), letter)
    limit = sympy.ceiling(limit) if limit.is_number else limit
    formulas = (in_terms(short), in_terms(full), f"${latex(error)}$")
    return [what, *formulas, f"${letter} {sign} {sympy.latex(limit)}$"]
