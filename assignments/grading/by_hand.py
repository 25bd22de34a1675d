"""Answers that a person reads: found in the notebooks, collected on one page.

otter marks such a question in the text of a Markdown cell, and what a student wrote below
it is a cell that the notebook they were given does not have. Where the marks are gone, all
the text that the given notebook does not have is taken.
"""

import csv
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from flopsbook.build.katex import displayed, typeset

from .answers import Cell
from .totals import Part

BEGIN, END = "<!-- BEGIN QUESTION -->", "<!-- END QUESTION -->"
PLACEHOLDER = "_Type your answer here, replacing this text._"
ELSEWHERE = "Text elsewhere in the notebook"
LONGEST = 50_000
LONGEST_FORMULA = 5_000

#: Name → (type, Base64) of pictures.
Pictures = dict[str, tuple[str, str]]
#: Heading, text and pictures.
Answer = list[Any]


@dataclass(frozen=True)
class Template:
    """The notebook that the students were given.

    Attributes:
        texts: its Markdown cells, with spaces and line ends made alike.
        questions: marked text → heading, of the questions that a person reads.
        points: heading → points, where the text says so.
        codes: its code cells, with spaces and line ends made alike.
    """

    texts: frozenset[str]
    questions: dict[str, str]
    points: dict[str, str]
    codes: frozenset[str] = frozenset()

    @property
    def headings(self) -> list[str]:
        """The headings of the questions, in their order."""
        return list(self.questions.values())


def template(path: Path | None) -> Template:
    """Read the notebook that the students were given; an empty one where there is none."""
    if path is None:
        return Template(frozenset(), {}, {})
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    marked = [text for text in texts if BEGIN in text]
    questions = {squeezed(text): heading(text) for text in marked}
    points = {}
    for text in marked:
        found = re.search(r"_Points:_\s*([0-9.]+)", text)
        if found:
            points[heading(text)] = found[1]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return Template(
        frozenset(map(squeezed, texts)), questions, points, frozenset(map(squeezed, codes))
    )


def heading(text: str) -> str:
    """Return the first heading of a text, or its first words.

    >>> heading("<!-- BEGIN QUESTION -->\\n\\n## Question 8: zeros\\n\\nShow …")
    'Question 8: zeros'
    """
    lines = [line.strip() for line in text.replace(BEGIN, "").splitlines() if line.strip()]
    title = next((line for line in lines if line.startswith("#")), lines[0] if lines else "")
    return title.lstrip("# ")[:100] or "A question"


def squeezed(text: str) -> str:
    """Return a text with every run of white space as one space."""
    return " ".join(text.split())


def answers(cells: Iterable[Cell], given: Template) -> list[Answer]:
    """Return heading, text and pictures of what a student wrote in words.

    Found by the headings of the questions, however the cells were moved; a cell that the
    given notebook has as well ends an answer. Code that stands among the words is shown, too:
    who has changed the kind of the cell has written a derivation all the same.
    """
    by_heading = {squeezed(name): name for name in given.headings}
    found: dict[str, tuple[list[str], Pictures]] = {}
    at = None
    for kind, source, pictures in cells:
        text = squeezed(source)
        if text in ("", PLACEHOLDER):
            continue
        own = ""
        if kind == "code":
            if at is not None and text not in given.codes:
                own = f"```\n{source}\n```"
        elif (title := by_heading.get(squeezed(heading(source)))) is not None:
            at = title
            own = beyond(source, given)
        elif text in given.texts:
            at = None
        else:
            own = source.replace(END, "").strip()
        if own:
            words, shown = found.setdefault(at or ELSEWHERE, ([], {}))
            words.append(_renamed(own, pictures, len(shown)))
            shown.update(_numbered(pictures, len(shown)))
        if END in source:
            at = None
    if list(found) == [ELSEWHERE] and len(given.headings) == 1:  # no heading is left
        found = {given.headings[0]: found[ELSEWHERE]}
    return [
        [name, "\n\n".join(found[name][0])[:LONGEST], found[name][1]]
        for name in (*given.headings, ELSEWHERE)
        if name in found
    ]


def _renamed(text: str, pictures: Pictures, before: int) -> str:
    """Return a text that calls its pictures as `_numbered` does: each cell has an image.png."""
    for number, name in enumerate(pictures, start=before):
        for written in {name, quote(name)}:
            text = text.replace(f"attachment:{written}", f"attachment:{number}")
    return text


def _numbered(pictures: Pictures, before: int) -> Pictures:
    return {str(number): of for number, of in enumerate(pictures.values(), start=before)}


def beyond(source: str, given: Template) -> str:
    """Return what a cell holds after the question, which some write their answer into."""
    source = source.replace(BEGIN, "")
    text = squeezed(source)
    for marked in given.questions:
        question = squeezed(marked.replace(BEGIN, ""))
        if text.startswith(question):
            source = source[_length(source, question) :]
    return source.replace(PLACEHOLDER, "").replace(END, "").strip()


def _length(source: str, beginning: str) -> int:
    """Return how much of a text, white space included, its squeezed beginning takes."""
    want = len(beginning.replace(" ", ""))
    for place, character in enumerate(source):
        want -= not character.isspace()
        if want == 0:
            return place + 1
    return len(source)


# the page

STYLE = """
body { font: 17px/1.5 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h3 { font: bold 15px/1.4 sans-serif; margin: 2.5rem 0 .5rem; border-top: 1px solid #999; }
.answer { overflow-wrap: anywhere; }
.answer img { max-width: 100%; }
.answer pre { background: #f2f2f2; padding: .5rem; overflow-x: auto; }
.answer table { border-collapse: collapse; }
.answer th, .answer td { border: 1px solid #999; padding: .2rem .6rem; }
.none { color: #666; font-style: italic; }
nav, .how { font: 15px/1.5 sans-serif; }
"""


def page(
    name: str,
    given: Template,
    people: Sequence[tuple[str, str, list[Answer]]],
    style: str | None,
    shuffled_by: str | None = None,
    rubric: Sequence[Part] = (),
) -> str:
    """Return one page of all answers, question by question.

    Args:
        name: the set.
        given: the notebook that the students were given.
        people: (identifier, name, answers) of everybody on the roster.
        style: where the page finds the style sheet of its formulas.
        shuffled_by: something that nobody guesses: then names are left out, and the order
            is drawn from it.
        rubric: the parts of an answer with their points.
    """
    headings = [*given.headings]
    if any(title == ELSEWHERE for _, _, texts in people for title, *_ in texts):
        headings.append(ELSEWHERE)
    sections = []
    for title in headings:
        points = f" ({given.points[title]} points)" if title in given.points else ""
        sections.append(f"<h2>{html.escape(title)}{points}</h2>")
        if title in given.headings and rubric:
            parts = "".join(f"<li>{html.escape(part.column)}</li>" for part in rubric)
            sections.append(f'<ul class="how">{parts}</ul>')
        order = list(people)
        if shuffled_by is not None:
            order.sort(key=lambda one: _code(shuffled_by, title, one[0]))
        for identifier, person, texts in order:
            found = [answer for answer in texts if answer[0] == title]
            if title == ELSEWHERE and not found:
                continue
            who = f"{identifier} {person}".strip()
            if shuffled_by is not None:
                who = code_of(shuffled_by, identifier)
            shown = "".join(f'<div class="answer">{rendered(*one[1:])}</div>' for one in found)
            if not found:
                shown = '<div class="answer none">No answer was found.</div>'
            sections.append(f"<h3>{html.escape(who)}</h3>\n{shown}")
    if not headings:
        sections.append("<p>This set has no question that is graded by hand.</p>")
    return PAGE.format(
        title=html.escape(f"{name}: answers to be read"),
        style=STYLE,
        sheet=f'<link rel="stylesheet" href="{html.escape(style)}">\n' if style else "",
        sections="\n".join(sections),
    )


def rendered(text: str, pictures: Pictures) -> str:
    """Return a student's Markdown as HTML: no link, no HTML and no script of the student's.

    >>> rendered("**so** *b* <b>", {})
    '<p><strong>so</strong> <em>b</em> &lt;b&gt;</p>\\n'
    """
    environment = {"pictures": pictures, "shown": set()}
    page: str = _markdown().render(text, environment)
    left = [name for name in pictures if name not in environment["shown"]]
    return page + "".join(f"<p>{_image(name, pictures)}</p>" for name in left)


@cache
def _markdown() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.disable(["link", "autolink", "reference", "html_block", "html_inline"])
    reader.use(dollarmath_plugin, double_inline=True).use(amsmath_plugin)

    def inline(_: Any, tokens: Any, at: int, *__: Any) -> str:
        return formula(tokens[at].content, display=False)

    def block(_: Any, tokens: Any, at: int, *__: Any) -> str:
        return f"<p>{formula(tokens[at].content, display=True)}</p>"

    def image(_: Any, tokens: Any, at: int, ___: Any, env: Any) -> str:
        name = str(tokens[at].attrs.get("src", "")).removeprefix("attachment:")
        env["shown"].add(name)
        return _image(name, env["pictures"])

    for kind, rule in (
        ("math_inline", inline),
        ("math_inline_double", block),
        ("math_block", block),
        ("math_block_label", block),
        ("amsmath", block),
        ("image", image),
    ):
        reader.add_render_rule(kind, rule)
    return reader


def formula(latex: str, *, display: bool) -> str:
    """Return a formula typeset; one that cannot be is shown as it was written.

    >>> formula(r"\\frac{1}{<", display=False)
    '<code>$\\\\frac{1}{&lt;$</code>'
    """
    signs = "$$" if display else "$"
    try:
        if len(latex) <= LONGEST_FORMULA:
            own = display and r"\begin{" not in latex
            return typeset(displayed(latex) if own else latex.strip(), display=display)
    except ValueError:  # KaTeX's own, or no answer from it
        pass
    return f"<code>{html.escape(signs + latex + signs)}</code>"


def _image(name: str, pictures: Pictures) -> str:
    if name not in pictures:
        said = f"[a picture that is not in the notebook: {name[:100]}]"
        return f'<span class="none">{html.escape(said)}</span>'
    kind, data = pictures[name]
    return f'<img alt="a picture of the answer" src="data:{kind};base64,{data}">'


def _code(secret: str, title: str, identifier: str) -> str:
    return sha256(f"{secret}\n{title}\n{identifier}".encode()).hexdigest()


def code_of(secret: str, identifier: str) -> str:
    """Return what a person is called on a page without names."""
    return _code(secret, "", identifier)[:8]


def key(secret: str, people: Iterable[str]) -> str:
    """Return a table that says whose is which code of a page without names."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["code", "id"])
    table.writerows(sorted((code_of(secret, person), person) for person in people))
    return out.getvalue()


# what students wrote is text and formulas here, and nothing else: the page runs no script at all
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src file: \
'unsafe-inline'; font-src file:; img-src data:; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<style>{style}</style>
{sheet}</head>
<body>
<h1>{title}</h1>
<p class="how">Give the points and a comment in by-hand.csv, and run make grade again: they
go into grades.csv and into feedback/. Nothing is overwritten that you have filled in.</p>
{sections}
</body>
</html>
"""
