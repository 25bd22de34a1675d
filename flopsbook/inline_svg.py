"""Put the book's figures into the page itself, where its style sheet reaches them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

#: Asks what makes the PDF how it shows an output, with the output and a folder for drawings.
FOR_PDF = "flopsbook-output-for-pdf"


class InlineSVG:
    """A MyST-NB renderer for the pictures of :mod:`flopsbook.picture`."""

    mime_priority_overrides: ClassVar[Sequence[tuple[str, str, int | None]]] = (
        ("latex", "image/svg+xml", 1),
        ("latex", "text/html", 55),  # after Markdown, before plain text
    )

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[Any] | None:
        """Return the picture as a figure, on a page or in the PDF; None for other outputs."""
        app = renderer.renderer.sphinx_env.app
        builder = app.builder
        if builder.format == "latex" and not inline:
            folder = Path(renderer.config.output_folder)
            shown: list[Any] | None = app.emit_firstresult(FOR_PDF, data, folder)
            return shown
        if inline or data.mime_type != "image/svg+xml" or builder.format != "html":
            return None
        from docutils import nodes

        return [nodes.raw("", figure_html(data.content), format="html")]


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
