"""Derivations as text and as LaTeX, written the way one writes them on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from flopslib import notation
from flopslib.derivation.opcount import OpCount
from flopslib.sizes.exact import is_array, is_expression

HUGE = 10**60


class WrittenPart(Protocol):
    """What has to be known of a part to write it."""

    @property
    def name(self) -> str:
        """What the operations are for."""
        ...

    @property
    def operations(self) -> OpCount:
        """The record of them, for one output."""
        ...

    @property
    def terms(self) -> tuple[Any, ...]:
        """Of a dot product, the factors of its length."""
        ...


class WrittenStep(Protocol):
    """What has to be known of a step to write it."""

    @property
    def name(self) -> str:
        """What it computes."""
        ...

    @property
    def unit(self) -> str:
        """What one output is called, in the singular."""
        ...

    @property
    def parts(self) -> Sequence[WrittenPart]:
        """What one output costs, reason by reason."""
        ...

    @property
    def shape(self) -> tuple[Any, ...]:
        """How many outputs there are, factor by factor."""
        ...

    @property
    def per_output(self) -> OpCount:
        """What one output costs."""
        ...

    @property
    def outputs(self) -> Any:
        """How many outputs there are."""
        ...

    @property
    def total(self) -> OpCount:
        """What all outputs cost."""
        ...


class WrittenDerivation(Protocol):
    """What has to be known of a derivation to write it."""

    @property
    def name(self) -> str:
        """What is computed."""
        ...

    @property
    def steps(self) -> Sequence[WrittenStep]:
        """The steps, in order."""
        ...

    @property
    def total(self) -> OpCount:
        """All steps together."""
        ...


# --- one value -------------------------------------------------------------


def text(value: Any) -> str:
    """Write a value as text: thousands apart, an expression in the order of the notation.

    >>> text(118013952)
    '118,013,952'
    """
    if is_expression(value):
        return _expression_text(value)
    if is_array(value):
        return _array_text(value)
    # Python refuses to write very long integers, and nobody could read them
    return f"about 2^{value.bit_length() - 1}" if value >= HUGE else f"{value:,}"


#: How many zeros a letter before a unit stands for.
_LETTERS = {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def short(value: int, digits: int = 3) -> str:
    """Write a number as one says it: to a few digits, with a letter for the zeros.

    >>> short(14630806093824), short(86567656), short(9408)
    ('14.6\xa0T', '86.6\xa0M', '9,408')
    >>> short(314 * 10**21), short(1814073344, digits=4), short(300774272, digits=1)
    ('3.14·10²³', '1.814\xa0G', '301\xa0M')
    """
    if value < 10_000:
        return text(value)
    for letter, zeros in _LETTERS.items():
        for decimals in reversed(range(digits)):
            # rounded exactly: a float has 53 bits
            scaled = (2 * value * 10**decimals + 10**zeros) // (2 * 10**zeros)
            if scaled < 10 ** (digits if decimals else 3):
                return f"{scaled / 10**decimals:.{decimals}f}\N{NO-BREAK SPACE}{letter}"
    power = len(str(value)) - digits
    scaled = (2 * value + 10**power) // (2 * 10**power)
    if scaled == 10**digits:
        scaled, power = scaled // 10, power + 1
    after = digits - 1
    raised = str(power + after).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{scaled / 10**after:.{after}f}·10{raised}"


def latex(value: Any, *, as_sum: bool = False) -> str:
    r"""Write a value as LaTeX: thousands apart, an expression in the order of the notation.

    An expression is written as short as possible, or ``as_sum`` of its terms.

    >>> latex(118013952)
    '118{,}013{,}952'
    >>> from flopslib.notation import B, C_in, K_h
    >>> latex(2 * K_h * C_in * B)
    '2 B C_{\\text{in}} K_h'
    """
    if is_expression(value):
        return _expression_latex(value.expand() if as_sum else simplest(value))
    if is_array(value):
        return rf"\text{{{_array_text(value)}}}"
    if value >= HUGE:
        return rf"\approx 2^{{{value.bit_length() - 1}}}"
    return f"{value:,}".replace(",", "{,}")


def terms_latex(value: Any, *, as_sum: bool = True) -> list[str]:
    r"""Write a value as LaTeX term by term, signs included, so that a long sum can wrap.

    >>> from flopslib.notation import L, d
    >>> terms_latex(4 * L * (d - 1)), terms_latex(4 * L * (d - 1), as_sum=False)
    (['4 L d', '{} - 4 L'], ['4 L \\left(d - 1\\right)'])
    """
    first, *others = _outermost_terms(latex(value, as_sum=as_sum))
    return [first, *(f"{{}} {term}" for term in others)]


def _outermost_terms(body: str) -> Iterator[str]:
    depth = start = 0
    for found in re.finditer(r"[{(]|[})]| (?=[+-] )", body):
        if found[0] == " " and not depth:
            yield body[start : found.start()]
            start = found.end()
        depth += (found[0] in "{(") - (found[0] in "})")
    yield body[start:]


def _array_text(value: Any) -> str:
    if not value.size:
        return f"no entries, shape {value.shape}"
    return f"{int(value.min()):,} … {int(value.max()):,} in an array of shape {value.shape}"


def simplest(expression: Any) -> Any:
    """Return the shortest of an expression as it is, expanded, and factored.

    >>> from flopslib.notation import I, O
    >>> simplest(I * O + O * (I - 1))
    2*I*O - O
    """
    import sympy

    forms = (expression, sympy.expand(expression), sympy.factor(expression))
    return min(forms, key=sympy.count_ops)


def _in_order(expression: Any) -> tuple[Any, dict[Any, str], dict[Any, str]]:
    # SymPy prints the factors of a product in the order of their names, so each
    # symbol is renamed after its place in the notation table and printed by its own name.
    import sympy

    places = {
        symbol: sympy.Symbol(f"{place:03d}{symbol}", positive=True, integer=True)
        for place, symbol in enumerate(notation.latex_names())
    }
    latex_names = {places[symbol]: name for symbol, name in notation.latex_names().items()}
    text_names = {place: str(symbol) for symbol, place in places.items()}
    return expression.xreplace(places), latex_names, text_names


def _begin_with_a_plus(terms: list[Any]) -> list[Any]:
    """Put the first term that is added before those that are subtracted."""
    first = next((term for term in terms if not term.could_extract_minus_sign()), terms[0])
    return [first, *(term for term in terms if term is not first)]


def _expression_latex(expression: Any) -> str:
    from sympy.printing.latex import LatexPrinter

    ordered, names, _ = _in_order(expression)

    class Printer(LatexPrinter):  # type: ignore[misc]
        def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
            return _begin_with_a_plus(super()._as_ordered_terms(expr, order=order))

        def _print_Integer(self, number: Any) -> str:  # noqa: N802
            return latex(int(number))

    return str(Printer({"symbol_names": names}).doprint(ordered))


def _expression_text(expression: Any) -> str:
    from sympy.printing.str import StrPrinter

    ordered, _, names = _in_order(simplest(expression))

    class Printer(StrPrinter):  # type: ignore[misc]
        def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
            return _begin_with_a_plus(super()._as_ordered_terms(expr, order=order))

        def _print_Symbol(self, symbol: Any) -> str:  # noqa: N802
            return names.get(symbol, str(symbol))

        def _print_Integer(self, number: Any) -> str:  # noqa: N802
            return text(int(number))

    return str(Printer().doprint(ordered))


# --- text ------------------------------------------------------------------


def _counted(value: Any, noun: str) -> str:
    return f"{text(value)} {noun[:-1] if _is_one(value) else noun}"


def _is_one(value: Any) -> bool:
    return isinstance(value, int) and value == 1


def is_nonzero(value: Any) -> bool:
    """Whether there is anything to show: every array counts as something."""
    return is_array(value) or value != 0


def record_text(record: OpCount) -> str:
    """Write what a record holds, leaving out what it does not and the MACs.

    >>> record_text(OpCount(multiplications=3, additions=1, macs=3))
    '3 multiplications, 1 addition'
    """
    figures = {name: count for name, count in record.kinds().items() if name != "macs"}
    named = [_counted(n, kind.replace("_", " ")) for kind, n in figures.items() if is_nonzero(n)]
    return ", ".join(named) or "nothing"


def _outputs_text(step: WrittenStep) -> str:
    return " × ".join(map(text, step.shape)) or "1"


def step_text(step: WrittenStep) -> str:
    """Write a step as one line: its name, what one output costs, and the outputs."""
    return (
        f"{step.name}: each {step.unit} {record_text(step.per_output)}; "
        f"{step.unit}s {_outputs_text(step)} = {text(step.outputs)}"
    )


def derivation_text(derivation: WrittenDerivation) -> str:
    """Write a derivation as text: a line for each step, then what they sum to."""
    total = derivation.total
    sums = f"{text(total.macs)} MACs, {text(total.flops)} FLOPs ({text(total.exact_flops)} exactly)"
    lines = [*map(step_text, derivation.steps), f"total: {record_text(total)}; {sums}"]
    return "\n".join(lines)


# --- LaTeX -----------------------------------------------------------------


def displayed(body: str) -> str:
    """Wrap LaTeX in the dollar signs that make a notebook display it."""
    return f"$$\n{body}\n$$"


def multiplications_in_colour(body: str) -> str:
    """Mark LaTeX as multiplications: the colour has that name, and whoever shows it defines it."""
    return rf"\textcolor{{multiplication}}{{{body}}}"


def additions_in_colour(body: str) -> str:
    """Mark LaTeX as additions, by the name of their colour."""
    return rf"\textcolor{{addition}}{{{body}}}"


COLOURED = {"multiplications": multiplications_in_colour, "additions": additions_in_colour}


def _coloured(kind: str, value: Any) -> str:
    return COLOURED.get(kind, str)(latex(value))


def _counted_latex(kind: str, value: Any) -> str:
    noun = kind.replace("_", " ")
    return rf"{_coloured(kind, value)}\text{{ {noun[:-1] if _is_one(value) else noun}}}"


def _part_lines(part: WrittenPart) -> Iterator[str]:
    label = rf"\quad\text{{{part.name}}}"
    for kind, count in part.operations.kinds().items():
        if kind == "macs" or not is_nonzero(count):
            continue
        worked = _worked(part.terms) if kind == "multiplications" else ""
        yield f"{label} & {worked}{_counted_latex(kind, count)}"
        label = ""


def _worked(factors: tuple[Any, ...]) -> str:
    # letters side by side are a product already; numbers have to be worked out
    if len(factors) < 2 or any(map(is_expression, factors)):
        return ""
    return r" \times ".join(map(latex, factors)) + " = "


def _factor(value: Any) -> str:
    written = latex(value)
    is_sum = is_expression(value) and simplest(value).is_Add
    return rf"\left({written}\right)" if is_sum else written


def _product_lines(step: WrittenStep, kind: str) -> Iterator[str]:
    reasons = [getattr(part.operations, kind) for part in step.parts]
    reasons = [count for count in reasons if is_nonzero(count)]
    if not reasons:
        return
    each = " + ".join(map(latex, reasons)) if len(reasons) > 1 else _factor(reasons[0])
    each = rf"\left({each}\right)" if len(reasons) > 1 else each
    coloured = COLOURED[kind]
    yield rf"\quad\text{{{kind}}} & {coloured(each)} \times {_factor(step.outputs)}"
    yield f"& {{}} = {coloured(latex(getattr(step.total, kind)))}"


def _sum_lines(total: OpCount) -> Iterator[str]:
    yield rf"\quad\text{{MACs}} & {latex(total.macs, as_sum=True)}"
    yield r"\quad\text{FLOPs} & 2 \times \text{MACs}"
    yield rf"& {{}} = \boxed{{{latex(total.flops, as_sum=True)}}}"
    yield rf"\quad\text{{exact FLOPs}} & {latex(total.exact_flops)}"
    for kind, count in total.other.items():
        yield rf"\quad\text{{{kind.replace('_', ' ')}}} & {latex(count)}"


def _listed(lines: list[str]) -> str:
    # a heading may reach over the second column, and opens a gap above itself
    body = " \\\\\n".join(line.replace("&", r"& \displaystyle", 1) for line in lines)
    body = body.replace("\\\\\n\\rlap", "\\\\[6pt]\n\\rlap")
    return f"\\begin{{array}}{{ll}}\n{body}\n\\end{{array}}"


def _heading(words: str) -> str:
    words = words.replace("×", r"$\times$")  # a sign of mathematics, also amid words
    return rf"\rlap{{\textbf{{{words}}}}} &"


def _step_lines(step: WrittenStep) -> list[str]:
    lines = [_heading(f"one {step.unit}")]
    for part in step.parts:
        lines += _part_lines(part)
    return [
        *lines,
        _heading(f"how many {step.unit}s"),
        f"& {_worked(step.shape)}{latex(step.outputs)}",
        _heading("together"),
        *_product_lines(step, "multiplications"),
        *_product_lines(step, "additions"),
    ]


def step_latex(step: WrittenStep) -> str:
    """Write one step as a worked derivation."""
    return _listed([*_step_lines(step), *_sum_lines(step.total)])


def _short_step(step: WrittenStep) -> str:
    each, outputs = _factor(step.per_output.flops), _factor(step.outputs)
    return rf"\quad\text{{{step.name}}} & {each} \times {outputs} = {latex(step.total.flops)}"


def _record_lines(step: WrittenStep) -> Iterator[str]:
    label = rf"\quad\text{{{step.name}}}"
    for kind, count in step.per_output.kinds().items():
        if is_nonzero(count):
            yield rf"{label} & {_counted_latex(kind, count)} \times {_factor(step.outputs)}"
            label = ""


def derivation_latex(derivation: WrittenDerivation) -> str:
    """Write a derivation: one step in full, several as FLOPs per output × outputs."""
    if len(derivation.steps) == 1:
        return step_latex(derivation.steps[0])
    steps = [_short_step(step) for step in derivation.steps if is_nonzero(step.total.flops)]
    apart = [step for step in derivation.steps if not is_nonzero(step.total.flops)]
    without = [line for step in apart for line in _record_lines(step)]
    lines = [_heading("FLOPs of one output × outputs"), *steps]
    if without:
        lines += [_heading("not in FLOPs: one output × outputs"), *without]
    lines += [_heading("together"), *_sum_lines(derivation.total)]
    return _listed(lines)


def box_latex(derivation: WrittenDerivation) -> str:
    """Write the boxed result alone."""
    name = rf"_{{\text{{{derivation.name}}}}}" if derivation.name else ""
    return rf"\boxed{{\text{{FLOPs}}{name} = {latex(derivation.total.flops, as_sum=True)}}}"
