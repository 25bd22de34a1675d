"""What a page says of itself, and what it does without.

The theme gives every page all it has. Here a page gets a description, loads the scripts and style
sheets that it needs, in an order that never holds up its text, and names what it lets the reader
operate. When all pages are written, files that none of them loads are removed.
"""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: A file is loaded by the pages whose body holds what it is for.
ONLY_FOR = {
    "clipboard.min.js": 'class="highlight',
    "copybutton.js": 'class="highlight',
    "copybutton.css": 'class="highlight',
    "togglebutton.js": "dropdown",
    "togglebutton.css": "dropdown",
    "design-tabs.js": "sd-tab-set",
    "sphinx-design.min.css": 'class="sd-',
    "exercise.css": "exercise",
    "mystnb.": "cell",
}
#: The theme's own scripts take these for unset if nobody sets them.
IDLE_SETTINGS = ("DOCUMENTATION_OPTIONS.pagename", "DOCUMENTATION_OPTIONS.search_as_you_type")

#: Of what the theme brings, the pages load none of these; see ``templates/layout.html``.
UNUSED = (
    "_static/scripts/fontawesome.js*",
    "_static/vendor",
    "_static/**/*.map",
    "_static/webpack-macros.html",
    "_static/sbt-webpack-macros.html",
)

TITLE = "Counting FLOPs: what a neural network costs, and why"
DESCRIPTIONS = {
    "search": "Search the book on the cost of neural networks.",
    "genindex": "Every name of the library flopslib, in the order of the alphabet.",
    "py-modindex": "The modules of the library flopslib, which the book stands on.",
    "404": "There is no such page in this book; here is where to go instead.",
}
#: Search engines show about so many characters.
LONGEST = 180


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return whole sentences of a text if they are short enough, or else whole words.

    >>> shortened("One sentence. Another one.", longest=20)
    'One sentence.'
    >>> shortened("A sentence that is too long.", longest=20)
    'A sentence that is…'
    """
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    sentences = re.findall(rf"^.{{,{longest - 1}}}[.?!](?=\s)", text)
    if sentences and len(sentences[0]) >= longest // 2:
        return str(sentences[0])
    return text[: longest - 1].rpartition(" ")[0].rstrip(",;:") + "…"


def description(page: str, tree: Any) -> str:
    """Return what a page is about: its opening question, or its first paragraph in words."""
    from docutils import nodes

    if page in DESCRIPTIONS:
        return DESCRIPTIONS[page]
    if tree is None:
        return f"The source of {page.removeprefix('_modules/').replace('/', '.')}, with its tests."
    openings = [box for box in tree.findall(nodes.container) if "opening" in box["classes"]]
    paragraphs = [p for part in [*openings, tree] for p in part.findall(nodes.paragraph)]
    for paragraph in paragraphs:
        words = paragraph.astext()
        if len(words) > 40 and not list(paragraph.findall(nodes.math)):
            return shortened(words)
    return TITLE


def describe(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Give a page its title, its description and, once the book has an address, its card."""
    if page == app.config.root_doc:
        context["title"], context["titlesuffix"] = TITLE, ""
    if page == "404":
        # it is shown in the place of any page, however deep, and its links have to be right
        context["metatags"] = f'\n    <base href="{root_of(app)}" />' + context.get("metatags", "")
    title = html.unescape(re.sub("<[^>]*>", "", context.get("title", TITLE)))
    about = {"description": description(page, tree)}
    tags = [_meta("name", name, value) for name, value in about.items()]
    if app.config.html_baseurl and page != "404":
        base = app.config.html_baseurl.rstrip("/") + "/"
        card = {
            "og:type": "article",
            "og:site_name": app.config.html_title,
            "og:title": title,
            "og:description": about["description"],
            "og:url": f"{base}{app.builder.get_target_uri(page)}",
            "og:image": f"{base}_static/card.png",
            "og:image:width": "1200",
            "og:image:height": "630",
            "og:image:alt": CARD,
        }
        tags += [_meta("property", name, value) for name, value in card.items()]
        tags.append(_meta("name", "twitter:card", "summary_large_image"))
    context["metatags"] = context.get("metatags", "") + "".join(tags)


#: What ``_static/card.png`` shows.
CARD = "Two outputs, each written out as the sum of three products and a bias"


def _meta(key: str, name: str, value: str) -> str:
    return f'\n    <meta {key}="{name}" content="{html.escape(value)}" />'


def lighten(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Leave out the scripts and styles that a page does not need, and defer the scripts."""
    body = context.get("body", "")

    def is_needed(file: Any) -> bool:
        name = Path(str(getattr(file, "filename", file) or "")).name
        marks = [mark for start, mark in ONLY_FOR.items() if name.startswith(start)]
        return all(mark in body for mark in marks)

    context["css_files"] = [file for file in context["css_files"] if is_needed(file)]
    scripts = [file for file in context["script_files"] if is_needed(file)]
    context["script_files"] = [
        file
        for file in scripts
        if not (file.attributes.get("body") or "").startswith(IDLE_SETTINGS)
    ]
    for file in context["script_files"]:
        if file.filename and page != "search":  # its own scripts wait for nothing
            file.attributes["defer"] = "defer"
        else:
            file.attributes.pop("defer", None)


#: What others write into a page's body, and what says the same to everybody.
MENDED = (
    # the name of a control is what is written on it
    ('<summary aria-label="Toggle hidden content">', "<summary>"),
    # an entry of a list is one
    ('role="doc-biblioentry"', 'role="listitem"'),
)


def mend(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Mend what the tools that made a page's body get wrong."""
    body = context.get("body", "")
    for old, new in MENDED:
        body = body.replace(old, new)
    # the space before a link is no part of it
    body = re.sub(r"(Solution to)(<a [^>]*>) ", r"\1 \2", body)
    if page == "_modules/index":
        # a list stands inside an entry, not between two
        body = re.sub(r"</li>\s*<ul>(.*?)</ul>", r"<ul>\1</ul></li>", body, flags=re.DOTALL)
    elif page.startswith("_modules/"):
        # a link back to a name that is documented under its module
        names = app.env.get_domain("py").objects
        module = page.removeprefix("_modules/").replace("/", ".")

        def documented(link: re.Match[str]) -> str:
            full = f"{module}.{link[1].partition('.')[2]}"
            return link[0] if link[1] in names or full not in names else f'#{full}"'

        body = re.sub(r'#(flops(?:lib|book)[\w.]*)"', documented, body)
    if body:
        context["body"] = body


def remove_unused(app: Any, failure: Exception | None) -> None:
    """Remove what no page loads, and the rules for a thousand icons from the theme's style."""
    if failure or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for pattern in UNUSED:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    style = folder / "_static" / "styles" / "pydata-sphinx-theme.css"
    css = style.read_text(encoding="utf-8")
    css = re.sub(r'(?:\.fa-[\w-]+:before,?)+\{content:"[^"]*"\}', "", css)
    css = re.sub(r"@font-face\{[^}]*Font Awesome[^}]*\}", "", css)
    style.write_text(css, encoding="utf-8")


def write_sitemap(app: Any, failure: Exception | None) -> None:
    """List the pages for search engines, once the book has an address."""
    if failure or app.builder.format != "html" or not app.config.html_baseurl:
        return
    base = app.config.html_baseurl.rstrip("/") + "/"
    pages = sorted(app.builder.get_target_uri(page) for page in app.env.found_docs)
    urls = "".join(f"<url><loc>{html.escape(base + page)}</loc></url>\n" for page in pages)
    (Path(app.outdir) / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )


def missing_page(app: Any) -> list[tuple[str, dict[str, str], str]]:
    """Return the page that a server shows in the place of one that does not exist."""
    home, search = (app.builder.get_target_uri(page) for page in (app.config.root_doc, "search"))
    body = (
        "<h1>There is no such page</h1>"
        "<p>It may have moved, or its address may have been copied with a slip.</p>"
        f'<p><a href="{home}">Begin at the beginning</a>, <a href="{search}">search the book</a>, '
        "or pick a chapter from the list.</p>"
    )
    return [("404", {"title": "There is no such page", "body": body}, "page.html")]


def root_of(app: Any) -> str:
    """Return the path at which the book is served: that of its address, or the server's root."""
    return urlsplit(app.config.html_baseurl or "").path.rstrip("/") + "/"
