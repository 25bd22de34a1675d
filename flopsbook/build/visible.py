"""What a reader sees of a notebook's code cells, as text: less code, data and drawings.

Of several forms of an output the pages show the richest, and so does this module. A value for
the prose (``glue``) is seen wherever its cell is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

#: Of a cell with one of these tags no output is on the page.
WITHOUT_OUTPUT = {"remove-cell", "remove-output"}
#: Of a cell with one of these tags the code is not on the page, or is folded.
WITHOUT_CODE = {"remove-cell", "remove-input", "hide-cell", "hide-input"}
#: From the richest form to the plainest.
FORMS = ("text/html", "text/markdown", "text/latex", "text/plain")
_GLUED = "application/papermill.record/"
# what takes the place of a letter that is not read
_HOLE = "\ufffc"

_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*(\{[\w:-]+\})?\s*")
#: Directives that hold code, or what a program reads.
_OF_CODE = {"{code-cell}", "{code-block}", "{math}", "{raw}", "{toctree}"}
#: Directives whose line goes on with a key.
_WITH_KEY = {"{solution-start}", "{solution-end}", "{image}", "{figure}", "{bibliography}"}
_CODE = re.compile(r"(?<!`)(`+)(?!`)[^`]*?\1(?!`)")
_ROLE = re.compile(r"\{([\w:.+-]+)\}`([^`]*)`")
_TARGET = re.compile(
    r"(?<=\])\([^)\s]*\)|<?https?://[^\s>)]+>?|<!--[\s\S]*?-->|</?[a-zA-Z][^<>]*>|^:[\w-]+:.*$",
    re.MULTILINE,
)
#: Roles whose text is read, when it is not a target; the text of all others is a key.
_READ = re.compile(r"(?:doc|ref|numref|download|term)")


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", _HOLE, found[0])


def _role(found: re.Match[str]) -> str:
    words = re.match(r"([^<]*\S)(?=\s*<)", found[2]) if _READ.fullmatch(found[1]) else None
    if words is None:
        return _blank(found)
    before = len(found[1]) + 3
    after = len(found[0]) - before - len(words[0])
    return _HOLE * before + words[0] + _HOLE * after


def _without_code(text: str) -> str:
    """Blank blocks of code, and the marks of directives."""
    lines, code, directives = [], "", [""]
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        mark, directive = (fence[1], fence[2]) if fence else ("", None)
        ends = bool(fence) and line.strip() == mark
        if code:
            code = "" if ends and mark.startswith(code) else code
            blank = len(line)
        elif fence and directive not in {None, *_OF_CODE}:
            directives.append(mark)
            blank = len(line) if directive in _WITH_KEY else fence.end()
        elif ends and directives[-1] and mark.startswith(directives[-1]):
            directives.pop()
            blank = len(line)
        else:
            code, blank = mark, len(line) if fence else 0
        lines.append(_HOLE * blank + line[blank:])
    return "\n".join(lines)


def in_words(text: str) -> str:
    """Blank what is not read as words in Markdown: code, targets and keys; every place is kept.

    >>> in_words("in {doc}`the loop <linear>` of `code` and").replace("\ufffc", "")
    'in the loop of  and'
    """
    text = _ROLE.sub(_role, _without_code(text))
    return _TARGET.sub(_blank, _CODE.sub(_blank, text))


def tags(cell: Mapping[str, Any]) -> set[str]:
    """Return a cell's tags, however they are spelled."""
    return {tag.replace("_", "-") for tag in cell["metadata"].get("tags", [])}


def shows_code(cell: Mapping[str, Any]) -> bool:
    """Is this a cell whose code a reader sees without opening anything?"""
    return cell["cell_type"] == "code" and not tags(cell) & WITHOUT_CODE


def outputs(cell: Mapping[str, Any]) -> Iterator[str]:
    """Return what is read of a cell's outputs, one text each."""
    hidden = bool(tags(cell) & WITHOUT_OUTPUT)
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        glued = {form.removeprefix(_GLUED): data[form] for form in data if form.startswith(_GLUED)}
        if glued or not hidden:
            yield from _read(glued or data or {"text/plain": output.get("text", "")})


def _read(data: Mapping[str, Any]) -> Iterator[str]:
    form = next((form for form in FORMS if form in data), None)
    if form is not None:
        text = "".join(data[form])
        readers = {"text/html": _html, "text/markdown": in_words}
        yield readers[form](text) if form in readers else text


def _html(text: str) -> str:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(text, "html.parser")
    for hidden in soup(["script", "style", "code", "pre", "svg", "template"]):
        hidden.replace_with(_HOLE)
    return soup.get_text(" ")
