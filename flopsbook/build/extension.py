"""The book's own Sphinx extension: one address switches on what needs one."""

from __future__ import annotations

import os
from typing import Any

from flopsbook.build import pages
from flopsbook.build import references as references  # the style that the bibliography names
from flopsbook.build.labs import load_what_is_needed
from flopsbook.inline_svg import FOR_PDF
from flopsbook.roles import IN_THE_BOOK

BUTTONS = ("use_repository_button", "use_issues_button", "use_edit_page_button")


def repository_buttons(app: Any, config: Any) -> None:
    """Show the links to the repository if, and only if, its address is set.

    >>> from types import SimpleNamespace
    >>> config = SimpleNamespace(html_theme_options={"repository_url": ""})
    >>> repository_buttons(None, config)
    >>> any(config.html_theme_options.get(button) for button in BUTTONS)
    False
    """
    options = config.html_theme_options
    options.update(dict.fromkeys(BUTTONS, bool(options.get("repository_url"))))


def number_by_chapter(app: Any, env: Any) -> None:
    """Give the exercises of each chapter the numbers that ``check`` knows them by.

    >>> from types import SimpleNamespace
    >>> env = SimpleNamespace(toc_fignumbers={"conv2d": {"exercise": {"a": (7,), "b": (8,)}}})
    >>> number_by_chapter(None, env)
    >>> env.toc_fignumbers["conv2d"]["exercise"]
    {'a': (1,), 'b': (2,)}
    """
    for figures in env.toc_fignumbers.values():
        for number, label in enumerate(figures.get("exercise", {}), start=1):
            figures["exercise"][label] = (number,)


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    os.environ[IN_THE_BOOK] = "1"  # for the kernels that it starts
    app.add_event(FOR_PDF)
    app.setup_extension("flopsbook.build.downloads")
    app.setup_extension("flopsbook.build.launch")
    app.setup_extension("flopsbook.build.llms")
    app.connect("config-inited", repository_buttons, priority=100)
    app.connect("env-check-consistency", number_by_chapter)
    app.connect("html-page-context", load_what_is_needed)
    app.connect("html-collect-pages", pages.missing_page)
    # after the theme and the other extensions, which add to a page until priority 500
    for handler in (pages.describe, pages.lighten, pages.mend):
        app.connect("html-page-context", handler, priority=900)
    app.connect("build-finished", pages.remove_unused)
    app.connect("build-finished", pages.write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
