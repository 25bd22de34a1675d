"""Build the book strictly, and never leave a stale page.

    python -m flopsbook.build.site

What is built is decided by the contents of the files, not by their times:

- nothing changed: nothing is done;
- text of chapters changed: Sphinx reads those chapters again and writes what depends on them;
- anything else of the pages changed: every page is written anew, from the outputs in the cache;
- the library, the book's code or the installed packages changed: every chapter is run again.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from flopsbook.build.downloads import pages
from flopsbook.build.execution import not_in_cache, run_into_cache
from flopsbook.build.kernels import environment, warm

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
STAMP = BUILD / "built-from.json"
LOCK = ROOT / "requirements.lock"
CACHE = ".jupyter_cache"

#: What the pages are made of, and what their numbers come from.
PAGES = ("chapters/**/*", "index.md", "_config.yml", "_toc.yml", "flopsbook/build/**/*")
NUMBERS = ("flopslib/**/*", "flopsbook/**/*", "pyproject.toml")
INSTALLED = "the installed packages"


def sources() -> dict[str, str]:
    """Return a digest of everything that the pages come from, by its path."""
    files = {path.relative_to(ROOT) for pattern in PAGES + NUMBERS for path in ROOT.glob(pattern)}
    digests = {
        path.as_posix(): hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
        for path in sorted(files)
        if (ROOT / path).is_file() and not _is_by_product(path)
    }
    installed = "\n".join([sys.version, *sorted(_packages())])
    return digests | {INSTALLED: hashlib.sha256(installed.encode()).hexdigest()}


def _packages() -> Iterator[str]:
    """Yield the packages that the book is built with, and not those for its maintainers."""
    locked = set(re.findall(r"^([\w.-]+)==", LOCK.read_text(), flags=re.MULTILINE))
    for package in importlib.metadata.distributions():
        if re.sub(r"[-_.]+", "-", package.name).lower() in locked:
            yield f"{package.name} {package.version}"


def _is_by_product(path: Path) -> bool:
    # caches, checkpoints and the like come and go without a change to the book
    return any(name.startswith(".") or name in BY_PRODUCTS for name in path.parts) or any(
        name.endswith(".egg-info") for name in path.parts
    )


BY_PRODUCTS = frozenset({"__pycache__"})


def built_from() -> dict[str, str]:
    """Return the digests that the pages were built from; empty where there are none."""
    if not STAMP.exists():
        return {}
    stored: dict[str, str] = json.loads(STAMP.read_text())
    return stored


def changed(before: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """Return what differs, by its path: added, changed or removed.

    >>> changed({"a": "1", "b": "1"}, {"b": "2", "c": "1"})
    {'a': 'removed', 'b': 'changed', 'c': 'added'}
    """
    differing = sorted(name for name in before | now if before.get(name) != now.get(name))
    return {
        name: "added" if name not in before else "changed" if name in now else "removed"
        for name in differing
    }


def stale() -> list[str]:
    """Return the files that differ from those that the pages were built from, and how.

    Where there are no pages at all, that is said instead.
    """
    before = built_from()
    if not before:
        return ["the book has not been built"]
    return [f"{name} ({how})" for name, how in changed(before, sources()).items()]


def is_fresh() -> bool:
    """Whether the built pages are those of the present sources."""
    return not stale()


def _is_text(name: str) -> bool:
    return name == "index.md" or (name.startswith("chapters/") and name.endswith((".ipynb", ".md")))


def _is_number(name: str) -> bool:
    ours = name.startswith(("flopslib/", "flopsbook/")) and not name.startswith("flopsbook/build/")
    return ours or name in {"pyproject.toml", INSTALLED}


def _make_room(differing: dict[str, str]) -> None:
    """Remove what was built before and cannot be used any more."""
    outdated = []
    if not all(_is_text(name) and how == "changed" for name, how in differing.items()):
        outdated += ["html", ".doctrees", "jupyter_execute"]
    if any(map(_is_number, differing)):
        outdated.append(CACHE)
    for folder in outdated:
        shutil.rmtree(BUILD / folder, ignore_errors=True)


def build() -> int:
    """Bring the book up to date; return the exit code of the strict build."""
    before, now = built_from(), sources()
    differing = changed(before, now)
    if not differing:
        print(f"the book is up to date: {BUILD / 'html' / 'index.html'}")
        return 0
    STAMP.unlink(missing_ok=True)
    _make_room(differing)
    unrun = not_in_cache(BUILD / CACHE, [p for p in pages().values() if p.suffix == ".ipynb"])
    with warm(BUILD) if unrun else nullcontext(environment(BUILD)) as variables:
        os.environ.update(variables)
        run_into_cache(BUILD / CACHE, unrun)
        status = _write_pages()
    if status == 0 and not (BUILD / "html" / "index.html").exists():
        print("the build ended without an error and without pages", file=sys.stderr)
        return 1
    if status == 0:
        STAMP.write_text(json.dumps(now, indent=1) + "\n")
        print(f"the book is in {BUILD / 'html' / 'index.html'}")
    return status


def _write_pages() -> int:
    """Let Jupyter Book and Sphinx build the pages, as strictly as they can."""
    gc.disable()  # trees of documents are large, and stay
    from jupyter_book.sphinx import build_sphinx  # slow to import, and not needed every time

    status = build_sphinx(
        ROOT,
        BUILD / "html",
        noconfig=True,
        path_config=ROOT / "_config.yml",
        confoverrides={"nitpicky": True, "latex_individualpages": False},
        warningiserror=True,
        keep_going=True,
    )
    return status if isinstance(status, int) else 1


if __name__ == "__main__":
    sys.exit(build())
