"""The book's own Sphinx extension: one address switches on what needs one."""

from __future__ import annotations

import hashlib
import os
from copy import deepcopy
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
    env.numbers_of_sphinx = deepcopy(env.toc_fignumbers)
    for figures in env.toc_fignumbers.values():
        for number, label in enumerate(figures.get("exercise", {}), start=1):
            figures["exercise"][label] = (number,)


def number_as_sphinx(app: Any, env: Any, pages: list[str]) -> None:
    """Put back Sphinx's own numbers: it writes every page again whose numbers it sees changed."""
    env.toc_fignumbers = getattr(env, "numbers_of_sphinx", env.toc_fignumbers)
    app.changed_pages = set(pages)


def on_all_cores(app: Any, env: Any) -> None:
    """Let Sphinx write on all cores. It reads on one: in order, so that every build is the same."""
    app.parallel = os.cpu_count() or 1


def what_pages_share(env: Any) -> str:
    """Return a digest of what a page may say of another one: titles, labels, numbers, names."""
    standard, python = env.get_domain("std"), env.get_domain("py")
    shared = (
        sorted((page, title.astext()) for page, title in env.titles.items()),
        sorted(standard.labels.items()),
        sorted(standard.anonlabels.items()),
        sorted(standard._terms.items()),
        sorted(python.objects),
        sorted((page, repr(toc)) for page, toc in env.toctree_includes.items()),
        sorted((page, sorted(map(str, found.items()))) for page, found in numbers(env).items()),
    )
    return hashlib.sha256(repr(shared).encode()).hexdigest()


def numbers(env: Any) -> dict[str, dict[str, Any]]:
    """Return the numbers of figures, exercises and equations, page by page."""
    equations = env.get_domain("math").equations.items()
    found = {page: dict(of) for page, of in env.toc_fignumbers.items()}
    for label, (page, number) in equations:
        found.setdefault(page, {})[f"equation {label}"] = number
    return found


def write_what_shows_it(app: Any, env: Any) -> list[str]:
    """Have all pages written again when one of them changed what others show of it."""
    before, env.shared_by_pages = getattr(env, "shared_by_pages", None), what_pages_share(env)
    if before == env.shared_by_pages:
        return []
    app.changed_pages = set(env.found_docs)
    return sorted(env.found_docs)


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    os.environ[IN_THE_BOOK] = "1"  # for the kernels that it starts
    app.add_event(FOR_PDF)
    app.setup_extension("flopsbook.build.downloads")
    app.setup_extension("flopsbook.build.launch")
    app.setup_extension("flopsbook.build.llms")
    app.setup_extension("flopsbook.build.python_in_page")
    app.connect("config-inited", repository_buttons, priority=100)
    app.connect("env-check-consistency", number_by_chapter)
    app.connect("env-before-read-docs", number_as_sphinx)
    app.connect("env-get-updated", write_what_shows_it, priority=900)  # once all is numbered
    app.connect("env-updated", on_all_cores)
    app.connect("html-page-context", load_what_is_needed)
    app.connect("html-collect-pages", pages.missing_page)
    # after the theme and the other extensions, which add to a page until priority 500
    for handler in (pages.describe, pages.lighten, pages.mend):
        app.connect("html-page-context", handler, priority=900)
    app.connect("build-finished", pages.remove_unused)
    app.connect("build-finished", pages.write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
