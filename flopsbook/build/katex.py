r"""Formulas are typeset when the book is built, so a page brings none of the machinery for it.

KaTeX is a JavaScript library. ``vendor/katex`` beside this module has its files, and V8, which
runs inside Python through mini-racer, executes them: a builder needs neither Node.js nor a
network, and a reader needs no script. The page holds each formula twice, as KaTeX's own HTML for
the eye and as MathML, with the LaTeX it came from, for screen readers and for copying.

KaTeX is strict here. What it does not know is a warning that names the place, and the book is
built with warnings as errors. Should KaTeX or mini-racer ever fall away, take this module and
``html_math_renderer`` out of ``_config.yml``: Sphinx then falls back on MathJax in the reader's
browser, and nothing but the weight of the pages and their tests depends on the difference. (The
other candidate was MathML alone. It is lighter still, but its looks hang on the mathematical
fonts of the reader's machine, and browsers disagree on colours, boxes and aligned columns.)
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from flopsbook.palette import in_colour

VENDOR = Path(__file__).resolve().parent / "vendor" / "katex"
STYLE = "katex/katex.css"
#: The fonts of nearly every formula. Were they to come late, lines and columns would move.
EVERYWHERE = ("KaTeX_Main-Regular.woff2", "KaTeX_Math-Italic.woff2")
OPTIONS = {"strict": "error", "throwOnError": True}


class FormulaError(ValueError):
    """LaTeX that KaTeX cannot typeset, and why."""


#: Answers each line, a formula and its options, with a line: its HTML, or what is wrong with it.
ENGINE = """
import json, sys
from py_mini_racer import MiniRacer
engine = MiniRacer()
engine.eval(open(sys.argv[1], encoding="utf-8").read())
# a message instead of an exception, whose text would quote the whole of KaTeX
engine.eval(
    "const typeset = (latex, options) => { try { return [katex.renderToString(latex, options),"
    " null]; } catch (error) { return [null, error.message]; } }"
)
for line in sys.stdin:
    print(json.dumps(list(engine.call("typeset", *json.loads(line)))), flush=True)
"""


@cache
def _engine(process: int) -> subprocess.Popen[str]:
    """Return the process with JavaScript in it. Sphinx forks, which V8 does not survive."""
    return subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(VENDOR / "katex.min.js")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@cache
def _rendered(latex: str, display: bool) -> tuple[str | None, str]:
    engine = _engine(os.getpid())
    assert engine.stdin is not None
    assert engine.stdout is not None
    engine.stdin.write(json.dumps([latex, {**OPTIONS, "displayMode": display}]) + "\n")
    engine.stdin.flush()
    html, fault = json.loads(engine.stdout.readline())
    return html, fault


def typeset(latex: str, *, display: bool = False) -> str:
    r"""Return the HTML of a formula.

    >>> "<mi>x</mi>" in typeset("x^2")
    True
    >>> typeset(r"\nosuch{x}")
    Traceback (most recent call last):
    flopsbook.build.katex.FormulaError: Undefined control sequence: \nosuch at position 1: ...
    """
    html, fault = _rendered(in_colour(latex), display)
    if html is None:
        # KaTeX underlines the place with combining characters
        plain = re.sub("[\u0332\u0300-\u036f]", "", fault)
        raise FormulaError(plain.removeprefix("KaTeX parse error: "))
    return html


def displayed(latex: str) -> str:
    r"""Return LaTeX of a display as one formula: blank lines part it, and rows are aligned.

    These are Sphinx's own rules for what stands in a display. Besides, the rows of an array get
    the air between them that aligned rows have.

    >>> displayed("a = b")
    'a = b'
    >>> displayed("a &= b \\\\ c &= d")
    '\\begin{aligned}a &= b \\\\ c &= d\\end{aligned}'
    >>> displayed("a\n\nb")
    '\\begin{aligned}a\\\\b\\end{aligned}'
    >>> displayed("\\begin{array}{l}\na \\\\\nb\n\\end{array}")
    '\\begin{array}{l}\na \\\\[3pt]\nb\n\\end{array}'
    """
    if r"\begin{array}" in latex:
        return with_room(latex.strip())
    parts = [part.strip() for part in latex.split("\n\n") if part.strip()]
    rows = [_aligned(part) if r"\\" in part else part for part in parts]
    return rows[0] if len(rows) == 1 else _aligned(r"\\".join(rows))


def with_room(array: str) -> str:
    r"""Return an array whose rows do not touch.

    The room below a row is measured from its line of text, and a fraction or a box hangs lower.

    >>> print(with_room("a \\\\\n\\frac{b}{c} \\\\[6pt]\nd"))
    a \\[3pt]
    \frac{b}{c} \\[11pt]
    d
    """
    return re.sub(r"(.*\\\\)(?:\[(\d+)pt\])?(?=\n)", _roomy, array)


def _roomy(row: re.Match[str]) -> str:
    points = int(row[2] or 3) + 5 * (r"\frac" in row[1]) + 3 * (r"\boxed" in row[1])
    return f"{row[1]}[{points}pt]"


def _aligned(rows: str) -> str:
    return rf"\begin{{aligned}}{rows}\end{{aligned}}"


# --- Sphinx ----------------------------------------------------------------


def keep_together(app: Any, document: Any, page: str) -> None:
    """Put a formula in a text and the signs that touch it in one piece, which no line ends in."""
    from docutils import nodes

    if app.builder.format != "html":
        return
    for formula in list(document.findall(nodes.math)):
        around, at = formula.parent, formula.parent.index(formula)
        before = around[at - 1] if at else nodes.Text("")
        after = around[at + 1] if at + 1 < len(around) else nodes.Text("")
        opening, closing = _found(r"[(\[“‘]+$", before), _found(r"^[.,;:!?)\]”’…]+", after)
        if opening:
            around[at - 1] = nodes.Text(before[: -len(opening)])
        if closing:
            around[at + 1] = nodes.Text(after[len(closing) :])
        if opening or closing:
            piece = nodes.inline("", classes=["together"])
            around[at] = piece
            piece += [nodes.Text(opening), formula, nodes.Text(closing)]


def _found(pattern: str, neighbour: Any) -> str:
    found = re.search(pattern, neighbour) if isinstance(neighbour, str) else None
    return found[0] if found else ""


def _typeset_node(translator: Any, node: Any, latex: str, *, display: bool) -> str:
    from sphinx.util import logging

    try:
        return typeset(latex, display=display)
    except FormulaError as fault:
        logging.getLogger(__name__).warning("a formula: %s", fault, location=node)
        return f"<code>{translator.encode(latex)}</code>"


def visit_math(self: Any, node: Any) -> None:
    """Write a formula in a line of text."""
    from docutils import nodes

    latex = node.astext().strip()
    if r"\frac" in latex and _is_in_a_table(node):
        latex = rf"\displaystyle {latex}"  # there is room, and a small fraction is hard to read
    html = _typeset_node(self, node, latex, display=False)
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(f"{html}</span>")
    raise nodes.SkipNode


def _is_in_a_table(node: Any) -> bool:
    from docutils import nodes

    while node is not None and not isinstance(node, nodes.entry):
        node = node.parent
    return node is not None


def visit_math_block(self: Any, node: Any) -> None:
    """Write a formula on a line of its own, with its number if it has one."""
    from docutils import nodes
    from sphinx.locale import _
    from sphinx.util.math import get_node_equation_number

    latex = node.astext()
    html = _typeset_node(
        self, node, latex if node.get("nowrap") else displayed(latex), display=True
    )
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append(f"{html}</div>\n")
    raise nodes.SkipNode


def copy_files(app: Any) -> None:
    """Copy the style sheet, reduced to WOFF2, and the fonts into the pages' folder."""
    if app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / Path(STYLE).parent
    shutil.copytree(VENDOR / "fonts", folder / "fonts", dirs_exist_ok=True)
    shutil.copy(VENDOR / "LICENSE", folder)
    css = (VENDOR / "katex.min.css").read_text(encoding="utf-8")
    css = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("[a-z]+"\)', "", css)
    (folder / Path(STYLE).name).write_text(css, encoding="utf-8")


def add_style(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Load the style sheet on the pages that have formulas, and at once the fonts of most."""
    if 'class="katex' in context.get("body", ""):
        app.add_css_file(STYLE, priority=400)
        for font in EVERYWHERE:
            path = context["pathto"](f"_static/katex/fonts/{font}", 1)
            early = f'<link rel="preload" as="font" type="font/woff2" crossorigin href="{path}" />'
            context["metatags"] = f"{context.get('metatags', '')}\n    {early}"


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.connect("builder-inited", copy_files)
    app.connect("doctree-resolved", keep_together)
    app.connect("html-page-context", add_style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
