"""Where a chapter runs: a line above its exercises, and buttons once there is a public repository.

The buttons open the plain notebooks of :mod:`flopsbook.build.downloads`. Binder builds its
machine from the files in ``.binder``, which also write the notebooks there. Colab
opens notebooks that lie on GitHub, and the branch with the published pages has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from flopsbook.build.downloads import FOLDER, is_notebook


def addresses(page: str, repository: str, branch: str, services: Mapping[str, str]) -> list[Any]:
    """Return the places that run a page, as pairs of name and address.

    Args:
        page: its name in ``_toc.yml``.
        repository: the address of the public repository; "": there is none, nor any place.
        branch: the branch of the sources.
        services: ``binder`` and ``colab``, the addresses of the two, and ``pages_branch``,
            the branch of the published pages; what is left empty is not offered.

    >>> services = {"binder": "https://mybinder.org"}
    >>> addresses("chapters/linear", "https://github.com/a/b", "main", services)
    [('Binder', 'https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/notebooks/linear.ipynb')]
    >>> addresses("chapters/linear", "", "main", services)
    []
    """
    if not repository:
        return []
    repository = repository.removesuffix("/").removesuffix(".git")
    notebook = f"{FOLDER}/{Path(page).name}.ipynb"
    host, path = urlsplit(repository).netloc, urlsplit(repository).path.strip("/")
    found = []
    if binder := services.get("binder", "").rstrip("/"):
        kinds = {"github.com": f"gh/{path}", "gitlab.com": f"gl/{quote(path, safe='')}"}
        where = kinds.get(host, f"git/{quote(repository, safe='')}")
        at = quote(branch, safe="")
        found.append(("Binder", f"{binder}/v2/{where}/{at}?urlpath=lab/tree/{notebook}"))
    colab, pages = services.get("colab", "").rstrip("/"), services.get("pages_branch", "")
    if colab and pages and host == "github.com":
        found.append(("Colab", f"{colab}/github/{path}/blob/{quote(pages, safe='')}/{notebook}"))
    return found


ICONS = {"Binder": "_static/images/logo_binder.svg", "Colab": "_static/images/logo_colab.png"}


def add_buttons(app: Any, page: str, template: str, context: Any, doctree: Any) -> None:
    """Offer to run the chapter, at the head of its page."""
    options = app.config.html_theme_options
    if "header_buttons" not in context or not is_notebook(app, page):
        return
    repository, branch = options.get("repository_url", ""), options.get("repository_branch", "")
    services = options.get("launch_buttons") or {}
    places = addresses(page, repository, branch or "main", services)
    buttons = [
        {
            "type": "link",
            "url": address,
            "text": name,
            "tooltip": f"Run this chapter on {name}",
            "icon": ICONS[name],
        }
        for name, address in places
    ]
    if buttons:
        context["header_buttons"].append(
            {
                "type": "group",
                "tooltip": "Run this chapter in the browser",
                "icon": "fas fa-rocket",
                "buttons": buttons,
                "label": "launch-buttons",
            }
        )


#: The heading of the exercises, and what makes an exercise ask for an answer.
_EXERCISES = re.compile(r"<h2>Exercises<a [^>]*>[^<]*</a></h2>")
_CHECKED = re.compile(r"\bcheck\(")


def say_where_answers_are_checked(
    app: Any, page: str, template: str, context: Any, doctree: Any
) -> None:
    """Say above the exercises how an answer is checked, in the page and in the notebook."""
    body = context.get("body", "")
    heading = _EXERCISES.search(body)
    if not (heading and _CHECKED.search(body) and is_notebook(app, page)):
        return
    notebook = context["pathto"](f"{FOLDER}/{Path(page).name}.ipynb", 1)
    progress = context["pathto"]("chapters/progress")
    offer = (
        '<p class="to-run">Type your answer into the box below an exercise and press Check: '
        "Python runs in this page and checks it. Your answers stay in this browser, and "
        f'<a href="{progress}">your progress</a> lists them. You can also download '
        f'<a href="{notebook}" download>the notebook of this chapter</a> and call '
        "<code>check</code> there, as each exercise says.</p>"
    )
    context["body"] = body[: heading.end()] + offer + body[heading.end() :]


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", add_buttons, priority=590)
    app.connect("html-page-context", say_where_answers_are_checked, priority=590)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
