"""Put the book's figures into the page itself, where its style sheet reaches them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar


class InlineSVG:
    """A MyST-NB renderer for the pictures of :mod:`flopslib.picture`."""

    mime_priority_overrides: ClassVar[Sequence[tuple[str, str, int | None]]] = (
        ("latex", "image/svg+xml", 1),
        ("latex", "text/html", 55),  # after Markdown, before plain text
    )

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[Any] | None:
        """Return the picture as a figure, on a page or in the PDF; None for other outputs."""
        builder = renderer.renderer.sphinx_env.app.builder
        if builder.format == "latex" and not inline:
            return for_pdf(data, Path(renderer.config.output_folder))
        if inline or data.mime_type != "image/svg+xml" or builder.format != "html":
            return None
        from docutils import nodes

        return [nodes.raw("", figure_html(data.content), format="html")]


def for_pdf(data: Any, folder: Path) -> list[Any] | None:
    """Return a picture or an HTML output as the PDF shows it; None for every other output."""
    from flopslib.book import pdf

    if data.mime_type == "image/svg+xml":
        return [pdf.figure(data.content, folder)]
    return pdf.from_html(data.content) if data.mime_type == "text/html" else None


def figure_html(svg: str) -> str:
    """Return an SVG as a figure whose caption is the title of the SVG.

    >>> print(figure_html("<svg><title>A line</title><desc>It rises.</desc></svg>"))
    <figure class="picture">
    <svg aria-label="It rises."></svg>
    <figcaption>A line</figcaption>
    </figure>
    """
    caption, alt = (element(svg, name) for name in ("title", "desc"))
    # the caption is shown and the description read, so the page needs neither again as a tooltip
    bare = re.sub(r"<title>.*?</title><desc>.*?</desc>", "", svg, count=1, flags=re.DOTALL)
    label = html.escape(html.unescape(alt), quote=True)
    labelled = bare.replace("<svg", f'<svg aria-label="{label}"', 1)
    parts = ('<figure class="picture">', labelled, f"<figcaption>{caption}</figcaption>")
    return "\n".join((*parts, "</figure>"))


def element(svg: str, name: str) -> str:
    """Return what the first element of a name contains."""
    found = re.search(f"<{name}>(.*?)</{name}>", svg, flags=re.DOTALL)
    return found[1] if found else ""
