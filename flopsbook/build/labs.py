"""The script and the style of the labs, on the pages that have one and on no other."""

from __future__ import annotations

from typing import Any

#: What a page has in it → what it then loads from ``chapters/_static``, after what all share.
SHARED = "shared.js"
LOADED = {
    '<div class="lab"': ("lab.js", "lab.css"),
    '<div class="explorer"': ("explorer.js", "explorer.css"),
    '<div class="calculator"': ("calculator.js", "calculator.css"),
}


def load_what_is_needed(app: Any, page: str, template: str, context: Any, doctree: Any) -> None:
    """Add the files of the labs to a page with a lab."""
    if doctree is None:
        return
    from docutils import nodes

    written = [node.astext() for node in doctree.findall(nodes.raw)]
    found = [files for mark, files in LOADED.items() if any(mark in text for text in written)]
    for script in [SHARED, *(script for script, _ in found)] if found else []:
        app.add_js_file(script, loading_method="defer")
    for _, style in found:
        app.add_css_file(style)
