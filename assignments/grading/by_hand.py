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
from hashlib import sha256
from pathlib import Path

from .answers import Cell

BEGIN, END = "<!-- BEGIN QUESTION -->", "<!-- END QUESTION -->"
PLACEHOLDER = "_Type your answer here, replacing this text._"
ELSEWHERE = "Text elsewhere in the notebook"
LONGEST = 50_000


@dataclass(frozen=True)
class Template:
    """The notebook that the students were given.

    Attributes:
        texts: its Markdown cells, with spaces and line ends made alike.
        questions: marked text → heading, of the questions that a person reads.
        points: heading → points, where the text says so.
    """

    texts: frozenset[str]
    questions: dict[str, str]
    points: dict[str, str]

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
    return Template(frozenset(map(squeezed, texts)), questions, points)


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


def answers(cells: Iterable[Cell], given: Template) -> list[list[str]]:
    """Return [heading, text] of what a student wrote in words.

    Found by the headings of the questions, however the cells were moved; a cell that the
    given notebook has as well ends an answer.
    """
    by_heading = {squeezed(name): name for name in given.headings}
    found: dict[str, list[str]] = {}
    at = None
    for kind, source, _ in cells:
        text = squeezed(source)
        if kind != "markdown" or text in ("", PLACEHOLDER):
            continue
        title = by_heading.get(squeezed(heading(source)))
        if title is not None:
            at = title
            own = beyond(source, given)
        elif text in given.texts:
            at, own = None, ""
        else:
            own = source.replace(END, "").strip()
        if own:
            found.setdefault(at or ELSEWHERE, []).append(own)
        if END in source:
            at = None
    if list(found) == [ELSEWHERE] and len(given.headings) == 1:  # no heading is left
        found = {given.headings[0]: found[ELSEWHERE]}
    return [
        [name, "\n\n".join(found[name])[:LONGEST]]
        for name in (*given.headings, ELSEWHERE)
        if name in found
    ]


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
.answer { white-space: pre-wrap; overflow-wrap: anywhere; }
.none { color: #666; font-style: italic; }
nav, .how { font: 15px/1.5 sans-serif; }
"""


def page(
    name: str,
    given: Template,
    people: Sequence[tuple[str, str, list[list[str]]]],
    mathjax: str | None,
    shuffled_by: str | None = None,
) -> str:
    """Return one page of all answers, question by question.

    Args:
        name: the set.
        given: the notebook that the students were given.
        people: (identifier, name, answers) of everybody on the roster.
        mathjax: where the page finds MathJax, if it does.
        shuffled_by: something that nobody guesses: then names are left out, and the order
            is drawn from it.
    """
    headings = [*given.headings]
    if any(title == ELSEWHERE for _, _, texts in people for title, _ in texts):
        headings.append(ELSEWHERE)
    sections = []
    for title in headings:
        points = f" ({given.points[title]} points)" if title in given.points else ""
        sections.append(f"<h2>{html.escape(title)}{points}</h2>")
        order = list(people)
        if shuffled_by is not None:
            order.sort(key=lambda one: _code(shuffled_by, title, one[0]))
        for identifier, person, texts in order:
            text = "\n\n".join(text for heading, text in texts if heading == title)
            if title == ELSEWHERE and not text:
                continue
            who = f"{identifier} {person}".strip()
            if shuffled_by is not None:
                who = _code(shuffled_by, "", identifier)[:8]
            shown = f'<div class="answer">{html.escape(text)}</div>'
            if not text:
                shown = '<div class="answer none">No answer was found.</div>'
            sections.append(f"<h3>{html.escape(who)}</h3>\n{shown}")
    if not headings:
        sections.append("<p>This set has no question that is graded by hand.</p>")
    return PAGE.format(
        title=html.escape(f"{name}: answers to be read"),
        style=STYLE,
        mathjax=MATHJAX.format(source=html.escape(mathjax)) if mathjax else "",
        sections="\n".join(sections),
    )


def _code(secret: str, title: str, identifier: str) -> str:
    return sha256(f"{secret}\n{title}\n{identifier}".encode()).hexdigest()


def key(secret: str, people: Iterable[str]) -> str:
    """Return a table that says whose is which code of a page without names."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["code", "id"])
    table.writerows(sorted((_code(secret, "", person)[:8], person) for person in people))
    return out.getvalue()


# what students wrote is text here, and nothing else: it is escaped, no script but MathJax
# runs, and of MathJax neither links nor styles nor further packages
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src file: 'unsafe-inline'; font-src file: data:; img-src data:; base-uri 'none'; \
form-action 'none'">
<title>{title}</title>
<style>{style}</style>
{mathjax}</head>
<body>
<h1>{title}</h1>
<p class="how">Give the points in the columns of grades.csv that are empty.</p>
{sections}
</body>
</html>
"""

MATHJAX = """<script>
window.MathJax = {{
  loader: {{load: []}},
  tex: {{packages: {{"[-]": ["html", "require", "autoload", "configmacros"]}},
         inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]], maxBuffer: 5120, maxMacros: 1000}},
  options: {{enableMenu: false, ignoreHtmlClass: ".*", processHtmlClass: "answer"}}
}};
</script>
<script defer src="{source}"></script>
"""
