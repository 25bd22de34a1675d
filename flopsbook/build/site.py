"""Build the book strictly, and never leave a stale page.

    python -m flopsbook.build.site

What is built is decided by the contents of the files, not by their times: when
the library or the installed packages change, every notebook is run again; when
only text changes, what its notebooks print is taken from the cache; when nothing
changes, nothing is done.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from flopsbook.build.kernels import environment

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
STAMP = BUILD / "built-from.json"
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def _digest(paths: Iterable[Path], *extra: str) -> str:
    total = hashlib.sha256("\n".join(extra).encode())
    for path in sorted(paths):
        total.update(f"{path.relative_to(ROOT)}\n".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _files(*patterns: str) -> list[Path]:
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return [path for path in found if path.is_file() and not _is_by_product(path)]


def _is_by_product(path: Path) -> bool:
    # caches, checkpoints and the like come and go without a change to the book
    folders = path.relative_to(ROOT).parts
    return "__pycache__" in folders or any(name.startswith(".") for name in folders)


def sources() -> dict[str, str]:
    """Return a digest of what the pages say, and one of what their numbers come from."""
    installed = sorted(
        f"{package.name} {package.version}" for package in importlib.metadata.distributions()
    )
    texts = _files("chapters/**/*", "index.md", "_config.yml", "_toc.yml")
    # what makes pages out of chapters is no part of what the chapters count
    making = _files("flopsbook/build/**/*")
    counting = set(_files("flopslib/**/*", "pyproject.toml")) - set(making)
    return {
        "pages": _digest([*texts, *making]),
        "numbers": _digest(counting, sys.version, *installed),
    }


def is_fresh() -> bool:
    """Whether the built pages are those of the present sources."""
    return STAMP.exists() and json.loads(STAMP.read_text()) == sources()


def build() -> int:
    """Bring the book up to date; return the exit code of the strict build."""
    if is_fresh():
        print(f"the book is up to date: {BUILD / 'html' / 'index.html'}")
        return 0
    now = sources()
    before = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    STAMP.unlink(missing_ok=True)
    stale = ["html", ".doctrees", "jupyter_execute"]
    if before.get("numbers") != now["numbers"]:
        stale.append(".jupyter_cache")
    for folder in stale:
        shutil.rmtree(BUILD / folder, ignore_errors=True)
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(ROOT)]
    status = subprocess.call(
        [*command, "-W", "-n", "--keep-going"], cwd=ROOT, env=environment(BUILD)
    )
    if status == 0 and not (BUILD / "html" / "index.html").exists():
        print("the build ended without an error and without pages", file=sys.stderr)
        return 1
    if status == 0:
        STAMP.write_text(json.dumps(now, indent=1) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(build())
