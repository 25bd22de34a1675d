"""The whole book as one PDF.

    python -m flopsbook.build.pdf

Sphinx writes LaTeX from the same chapters and the same outputs as the pages, and
XeLaTeX sets it. What a page shows in its own way is put into another form here:
figures become PDF drawings, tables of HTML become tables, folded solutions stand at
the end of their chapter, and colours and Chinese words are spelt as LaTeX wants them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

from flopsbook.build.katex import with_room
from flopsbook.build.kernels import environment
from flopsbook.build.site import BUILD, ROOT
from flopsbook.inline_svg import FOR_PDF, element
from flopsbook.palette import in_colour

LATEX = BUILD / "latex"
NAME = "counting-flops"
PDF = BUILD / "pdf" / f"{NAME}.pdf"

TEXT_WIDTH, TALLEST = 450, 400  # points
#: Debian's packages, and what shows that each is there.
PACKAGES = {
    "texlive-xetex": "xelatex",
    "texlive-latex-extra": "tabulary.sty",
    "texlive-latex-recommended": "booktabs.sty",
    "texlive-fonts-recommended": "t1phv.fd",
    "latexmk": "latexmk",
    "librsvg2-bin": "rsvg-convert",
    "poppler-utils": "pdftotext",
    "fonts-freefont-otf": "FreeSerif.otf",
    "fonts-texgyre-math": "texgyretermes-math.otf",
    "fonts-dejavu-core": "DejaVuSansMono.ttf",
    "fonts-wqy-microhei": "wqy-microhei.ttc",
}

PREAMBLE = r"""
\usepackage{unicode-math}
\setmathfont{texgyretermes-math.otf}
\newfontfamily\chinese{wqy-microhei.ttc}[Scale=0.9]
\newcommand{\zh}[1]{{\chinese\XeTeXlinebreaklocale "zh"\XeTeXlinebreakskip=0pt plus 1pt #1}}
\setcounter{tocdepth}{1}
\AtBeginDocument{\addto\captionsenglish{\renewcommand{\contentsname}{Contents}}}
\usepackage{newunicodechar}
\newunicodechar{ᵀ}{\textsuperscript{T}}
\usepackage{etoolbox,needspace}
\AtBeginEnvironment{sphinxadmonition}{\needspace{7\baselineskip}}
\setlength{\tabcolsep}{4pt}
\newcommand{\roomy}{\vrule width 0pt height 13pt depth 9pt}
\newcommand{\tablespacing}{\renewcommand{\arraystretch}{1.25}}
\sphinxsetup{VerbatimColor={gray}{0.95}, VerbatimBorderColor={gray}{0.95}}
\newenvironment{sphinxclasscell_output}{%
  \sphinxsetup{VerbatimColor={gray}{1}, VerbatimBorderColor={gray}{0.8}}%
  \abovedisplayskip=0pt \abovedisplayshortskip=0pt}{\par}
\newenvironment{sphinxclassopening}{\begin{quote}\itshape}{\end{quote}}
\newenvironment{sphinxclasstakeaway}{\begin{quote}\bfseries}{\end{quote}}
\emergencystretch=3em
"""

FONTS = r"""
\setmainfont{FreeSerif}[Extension=.otf, UprightFont=*, ItalicFont=*Italic,
  BoldFont=*Bold, BoldItalicFont=*BoldItalic]
\setsansfont{FreeSans}[Extension=.otf, UprightFont=*, ItalicFont=*Oblique,
  BoldFont=*Bold, BoldItalicFont=*BoldOblique]
\setmonofont{DejaVuSansMono}[Extension=.ttf, UprightFont=*, ItalicFont=*-Oblique,
  BoldFont=*-Bold, BoldItalicFont=*-BoldOblique, Scale=0.8]
"""


# --- what has to be installed ----------------------------------------------------------


def missing() -> list[str]:
    """Return the Debian packages that are not there."""
    return [package for package, sign in PACKAGES.items() if not _is_there(sign)]


def _is_there(sign: str) -> bool:
    kind = Path(sign).suffix
    if not kind:
        return shutil.which(sign) is not None
    if kind in {".otf", ".ttf", ".ttc"}:
        return _answers("fc-list", ":", "file", contains=f"/{sign}")
    return _answers("kpsewhich", sign, contains=sign)


def _answers(program: str, *arguments: str, contains: str) -> bool:
    if not shutil.which(program):
        return False
    result = subprocess.run([program, *arguments], capture_output=True, text=True)
    return contains in result.stdout


# --- figures ---------------------------------------------------------------------------


def figure(svg: str, folder: Path) -> Any:
    """Return a figure of the book as a node for LaTeX, with its caption."""
    from docutils import nodes

    caption, alt = unescape(element(svg, "title")), unescape(element(svg, "desc"))
    box = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', svg)
    width, height = (float(box[1]), float(box[2])) if box else (TEXT_WIDTH, 1)
    scale = min(0.85, TEXT_WIDTH / width, TALLEST / height)
    image = nodes.image(uri=drawing(svg, folder), alt=alt, width=f"{width * scale:.0f}pt")
    return nodes.figure("", image, nodes.caption("", caption), align="center")


def output(app: Any, data: Any, folder: Path) -> list[Any] | None:
    """Return a picture or an HTML output as the PDF shows it; None for every other output."""
    if data.mime_type == "image/svg+xml":
        return [figure(data.content, folder)]
    return from_html(data.content) if data.mime_type == "text/html" else None


def drawing(svg: str, folder: Path) -> str:
    """Write a figure as a PDF drawing in the colours of a light page; return its address."""
    light = re.sub(r"var\(--[\w-]+, ([^()]+)\)", r"\1", svg)
    light = re.sub(r"system-ui.*?'DejaVu Sans'", "'DejaVu Sans'", light)
    target = folder / f"{hashlib.sha256(light.encode()).hexdigest()[:20]}.pdf"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        command = ["rsvg-convert", "--format", "pdf", "--output", str(target)]
        subprocess.run(command, input=light, text=True, check=True)
    return f"/{os.path.relpath(target, ROOT)}"


# --- tables and other HTML -------------------------------------------------------------


def from_html(html: str) -> list[Any]:
    """Return what an output shows as HTML, its tables and paragraphs, as nodes."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for control in soup.find_all(["script", "style", "form", "button", "svg", "template"]):
        control.decompose()
    for title in soup.select(".admonition-title"):  # it begins the text, so that they stay together
        if text := title.find_next_sibling("p"):
            heading = soup.new_tag("strong")
            heading.string = f"{title.get_text().rstrip('.')}."
            text.insert(0, heading, " ")
            title.decompose()
    shown: list[Any] = []
    for tag in soup.find_all(["table", "p"]):
        if tag.name == "table":
            shown.append(_table(tag))
        elif not tag.find_parent("table") and tag.get_text().strip():
            shown.append(_paragraph(tag))
    return shown or [_paragraph(soup)]


def _paragraph(tag: Any) -> Any:
    from docutils import nodes

    kinds = {"strong": nodes.strong, "b": nodes.strong, "em": nodes.emphasis, "code": nodes.literal}
    paragraph = nodes.paragraph()
    for part in tag.children:
        if part.name == "br":
            paragraph += nodes.raw("", BREAK, format="latex")
            continue
        words = re.sub(r"\s+", " ", part.get_text())
        kind = kinds.get(part.name)
        paragraph += kind("", words) if kind else nodes.Text(words)
    return paragraph


def _table(tag: Any) -> Any:
    from docutils import nodes

    lines = [row.find_all(["th", "td"]) for row in tag.find_all("tr")]
    head = len(tag.thead.find_all("tr")) if tag.thead else 0
    columns = max(map(len, lines))
    group = nodes.tgroup("", *(nodes.colspec("", colwidth=1) for _ in range(columns)), cols=columns)
    rows = [nodes.row("", *map(_entry, line)) for line in lines]
    if head:
        group += nodes.thead("", *rows[:head])
    group += nodes.tbody("", *rows[head:])
    return nodes.table("", group)


def _entry(cell: Any) -> Any:
    from docutils import nodes

    if not cell.get_text().strip():
        return nodes.entry()
    paragraph = _paragraph(cell)
    if "number" not in (cell.get("class") or []):
        return nodes.entry("", paragraph)
    for text in list(paragraph.findall(nodes.Text)):
        text.parent.replace(text, nodes.Text(text.replace(" ", "\N{NO-BREAK SPACE}")))
    return nodes.entry("", paragraph, classes=["text-right"])


DIGIT = 4.3  # points, in the size of the tables
GAP = 8.5  # points, between two columns
BREAK = r"\linebreak{}"


def columns(table: Any) -> str:
    """Return what LaTeX is told of the columns of a table, so that they share the page.

    A table that fits keeps its natural widths. In a wider one each column gets what its
    longest word needs, and of the rest the more, the longer its longest cell is.
    """
    from docutils import nodes

    rows = [list(row.findall(nodes.entry)) for row in table.findall(nodes.row)]
    by_column = list(zip(*rows, strict=True))
    right = ["text-right" in column[-1].get("classes", []) for column in by_column]
    lines = [[line for entry in column for line in _lines(entry)] for column in by_column]
    natural = [max(sum(line) + len(line) - 1 for line in column) * DIGIT for column in lines]
    room = TEXT_WIDTH - GAP * len(by_column)
    broken = any(BREAK in entry.astext() for entry in table.findall(nodes.entry))
    if sum(natural) <= room and not broken:  # a line cannot be broken in such columns
        return "".join("r" if flag else "l" for flag in right)
    least = [max(max(line, default=1) for line in column) * DIGIT for column in lines]
    scale = min(1, room / sum(least))
    spare = min(1, max(0, room - sum(least)) / max(sum(natural) - sum(least), 1))
    widths = [w * scale + (n - w) * spare for n, w in zip(natural, least, strict=True)]
    return "".join(
        rf">{{\ragged{'left' if flag else 'right'}\arraybackslash}}p{{{width:.0f}pt}}"
        for flag, width in zip(right, widths, strict=True)
    )


def _lines(entry: Any) -> list[list[float]]:
    """Return about how many digits wide each piece of a cell is that does not break, by line."""
    from docutils import nodes

    wide: list[float] = []
    lines = [wide]
    for text in entry.findall(nodes.Text):
        if text == BREAK:
            wide = []
            lines.append(wide)
            continue
        if isinstance(text.parent, nodes.math):
            # a fraction is as wide as the wider of its halves; commands are no letters
            flat = re.sub(
                r"\\frac\{(.*?)\}\{(.*?)\}", lambda f: max(f[1], f[2], key=len), str(text)
            )
            flat = re.sub(
                r"_\{\\text\{(.*?)\}\}", lambda f: f[1][: len(f[1]) * 2 // 3].lower(), flat
            )
            flat = re.sub(r"\\textcolor\{#?\w+\}|\\[a-zA-Z]+|[{}_^$ ]", "", flat)
            wide.append(_width(flat) * 0.95)
        else:
            mono = 1.2 if isinstance(text.parent, nodes.literal) else 1.0
            wide += [_width(word) * mono for word in text.split(" ")]
    return lines


def _width(word: str) -> float:
    return sum(1.5 if letter.isupper() else 1.15 if letter == "×" else 1 for letter in word)


# --- words and colours -----------------------------------------------------------------

CHINESE = re.compile(r"[⺀-鿿　-〿＀-￯]+")


def for_latex(mathematics: str) -> str:
    r"""Spell colours and Chinese words in a formula as LaTeX wants them.

    >>> for_latex(r"\textcolor{#0b62a8}{2}")
    '\\textcolor[HTML]{0B62A8}{2}'
    """
    coloured = re.sub(
        r"\\textcolor\{#([0-9a-f]{6})\}",
        lambda colour: rf"\textcolor[HTML]{{{colour[1].upper()}}}",
        in_colour(mathematics),
    )
    if r"\begin{array}" in coloured:
        coloured = with_room(coloured)
    return CHINESE.sub(lambda words: rf"\zh{{{words[0]}}}", coloured)


def _chinese_apart(text: str) -> Iterator[Any]:
    from docutils import nodes

    at = 0
    for words in CHINESE.finditer(text):
        if words.start() > at:
            yield nodes.Text(text[at : words.start()])
        yield nodes.raw("", rf"\zh{{{words[0]}}}", format="latex")
        at = words.end()
    if at < len(text):
        yield nodes.Text(text[at:])


# --- Sphinx ----------------------------------------------------------------------------


def arrange(document: Any, captions: list[str | None]) -> None:
    """Make the first page a chapter of its own, and the captions of the contents parts."""
    from docutils import nodes

    book = document[0]
    contents = [node for node in book if "toctree-wrapper" in node.get("classes", [])]
    opening = [node for node in book[1:] if node not in contents]
    for node in opening:
        book.remove(node)
    first = nodes.section("", nodes.title("", "About this book"), *opening, ids=["about-this-book"])
    book.insert(1, first)
    for part, caption in zip(contents, captions, strict=True):
        heading = nodes.raw("", rf"\part{{{caption}}}", format="latex")
        book.insert(book.index(part), heading)


def leave_out_empty_chapters(document: Any) -> None:
    """Leave out a page whose list of references LaTeX sets by itself, under its own heading."""
    from docutils import nodes
    from sphinx.addnodes import start_of_file

    for page in list(document.findall(start_of_file)):
        section = next(page.findall(nodes.section))
        if not any(node.astext().strip() for node in section if not isinstance(node, nodes.title)):
            page.parent.remove(page)


def gather_solutions(document: Any) -> None:
    """Move the solutions of each chapter to its end, where nobody reads them by accident."""
    from docutils import nodes
    from sphinx.addnodes import start_of_file
    from sphinx_exercise.nodes import solution_node

    for chapter in document.findall(start_of_file):
        solutions = list(chapter.findall(solution_node))
        for solution in solutions:
            solution.parent.remove(solution)
        if solutions:
            (section,) = (node for node in chapter if isinstance(node, nodes.section))
            name = f"solutions-{chapter['docname'].replace('/', '-')}"
            heading = nodes.title("", "Solutions")
            section += nodes.section("", heading, *solutions, ids=[name])


def list_cards(document: Any) -> None:
    """Make the cards of a page a list: what a card leads to, and what it says."""
    from docutils import nodes

    def has(name: str) -> Any:
        return lambda node: name in getattr(node, "attributes", {}).get("classes", [])

    for grid in list(document.findall(has("sd-container-fluid"))):
        items = nodes.definition_list()
        for card in grid.findall(has("sd-card")):
            title = next(card.findall(has("sd-card-title"))).astext()
            link = next(card.findall(nodes.reference), None)
            term = link.deepcopy() if link else nodes.inline()
            term.children = [nodes.Text(title)]
            texts = [text.deepcopy() for text in card.findall(has("sd-card-text"))]
            items += nodes.definition_list_item(
                "", nodes.term("", "", term), nodes.definition("", *texts)
            )
        grid.replace_self(items)


def lay_out_tables(document: Any) -> None:
    """Tell LaTeX how wide the columns of each table are."""
    from docutils import nodes
    from sphinx.addnodes import tabular_col_spec

    for table in list(document.findall(nodes.table)):
        before = nodes.raw("", r"\begingroup\footnotesize\tablespacing", format="latex")
        after = nodes.raw("", r"\endgroup", format="latex")
        spec = tabular_col_spec(spec=columns(table))
        table.replace_self([before, spec, table, after])


def respell(document: Any) -> None:
    """Spell colours and Chinese words as LaTeX wants them, in the whole document."""
    from docutils import nodes

    for formula in document.findall(lambda node: isinstance(node, nodes.math | nodes.math_block)):
        spelt = for_latex(formula.astext())
        if r"\frac{" in spelt and isinstance(formula.parent.parent, nodes.entry):
            # a table is set small, and its rows are low
            spelt = spelt.replace(r"\frac{", r"\dfrac{") + r"\roomy"
        formula.children = [nodes.Text(spelt)]
    for text in list(document.findall(nodes.Text)):
        inside = text.parent
        if isinstance(inside, nodes.math | nodes.math_block | nodes.literal_block | nodes.raw):
            continue
        if CHINESE.search(text):
            inside.replace(text, list(_chinese_apart(str(text))))


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx; only the build of the PDF does."""
    from sphinx.transforms.post_transforms import SphinxPostTransform

    class ForLatex(SphinxPostTransform):
        default_priority = 900
        formats = ("latex",)

        def run(self, **options: Any) -> None:
            captions = [tree.caption for tree in app.config.external_site_map.root.subtrees]
            list_cards(self.document)
            leave_out_empty_chapters(self.document)
            gather_solutions(self.document)
            lay_out_tables(self.document)
            arrange(self.document, captions)
            respell(self.document)

    app.add_post_transform(ForLatex)
    app.connect(FOR_PDF, output)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def settings() -> dict[str, Any]:
    """Return the configuration of the book, as the PDF wants it."""
    from jupyter_book.config import get_final_config

    import flopslib

    config: dict[str, Any]
    config, _ = get_final_config(
        user_yaml=ROOT / "_config.yml",
        sourcedir=ROOT,
        cli_config={
            "latex_individualpages": False,
            "external_toc_path": str(ROOT / "_toc.yml"),
            "nitpicky": True,
        },
    )
    others = [name for name in config["extensions"] if name != "sphinx_jupyterbook_latex"]
    author = config["author"]
    return config | {
        "extensions": [*others, __name__],
        "nb_execution_cache_path": str(BUILD / ".jupyter_cache"),
        "latex_engine": "xelatex",
        "latex_use_xindy": False,
        "latex_toplevel_sectioning": "chapter",
        "latex_domain_indices": False,
        "latex_documents": [("index", f"{NAME}.tex", config["html_title"], author, "manual")],
        "latex_elements": {
            "papersize": "a4paper",
            "pointsize": "10pt",
            "extraclassoptions": "openany,oneside",
            "fontpkg": FONTS,
            "preamble": PREAMBLE,
            "figure_align": "H",
            "printindex": "",
            "fncychap": "",
        },
        "today": f"Version {flopslib.__version__}",
        "numfig": True,
    }


def write_latex() -> int:
    """Let Sphinx write the book as LaTeX; return its exit code."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    os.environ.update(environment(BUILD))
    for folder in (LATEX, BUILD / ".doctrees-latex"):
        shutil.rmtree(folder, ignore_errors=True)
    with patch_docutils(None), docutils_namespace():
        app = Sphinx(
            srcdir=ROOT,
            confdir=None,
            outdir=LATEX,
            doctreedir=BUILD / ".doctrees-latex",
            buildername="latex",
            confoverrides=settings(),
            warningiserror=True,
            keep_going=True,
        )
        app.build(force_all=True)
        return int(app.statuscode)


def typeset() -> int:
    """Let XeLaTeX set the book, as often as the references need; return its exit code."""
    command = ["latexmk", "-xelatex", "-interaction=nonstopmode", "-quiet", f"{NAME}.tex"]
    status = subprocess.call(command, cwd=LATEX)
    if status == 0:
        PDF.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(LATEX / f"{NAME}.pdf", PDF)
    return status


def main() -> int:
    """Write the PDF; return the exit code."""
    lacking = missing()
    if lacking:
        print("The PDF is set by TeX. On Debian or Ubuntu, what is missing is installed by\n")
        print(f"    apt-get install --no-install-recommends {' '.join(lacking)}\n")
        return 1
    status = write_latex() or typeset()
    print(f"the book is in {PDF}" if status == 0 else f"no PDF; see {LATEX / NAME}.log")
    return status


if __name__ == "__main__":
    sys.exit(main())
