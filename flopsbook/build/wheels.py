"""The two wheels: flopslib, the library alone, and flopsbook, what the book's notebooks need of it.

    python -m flopsbook.build.wheels dist

Each is built from a copy, so that nothing is left in the repository, and equal sources give
equal files. Both carry the licence. The README becomes the library's page on a package index, where
a link to a file of the repository leads nowhere unless it has the repository's address.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD_WHEEL = "import sys; from setuptools.build_meta import build_wheel as b; b(sys.argv[1])"
#: The beginning of the archives' own time, so that equal contents are equal files.
LONG_AGO = 315_532_800
BY_PRODUCTS = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")


def build_wheels(folder: Path, root: Path = ROOT) -> tuple[Path, Path]:
    """Build the library and the book's code into a folder; return the paths of their wheels."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        library, book = pool.map(lambda copy: _wheel(copy, folder, root), (_library, _book))
    return library, book


def kept_wheels(folder: Path, root: Path = ROOT) -> tuple[Path, Path]:
    """Copy the wheels into a folder, and build them first if their sources have changed."""
    kept = root / "_build" / "wheels" / _digest(root)
    if not kept.exists():
        shutil.rmtree(kept.parent, ignore_errors=True)
        build_wheels(kept, root)
    folder.mkdir(parents=True, exist_ok=True)
    library, book = (
        Path(shutil.copy(next(kept.glob(f"{name}-*.whl")), folder))
        for name in ("flopslib", "flopsbook")
    )
    return library, book


def _digest(root: Path) -> str:
    names = ("flopslib", "flopsbook", "pyproject.toml", "README.md", "LICENSE", "_config.yml")
    found = [path for name in names for path in (root / name, *(root / name).rglob("*"))]
    total = hashlib.sha256()
    for path in sorted(path for path in found if path.is_file() and path.suffix != ".pyc"):
        total.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return total.hexdigest()[:16]


def _library(root: Path, copy: Path) -> None:
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(root / name, copy)
    readme = for_an_index((root / "README.md").read_text(), *_repository(root))
    (copy / "README.md").write_text(readme)
    shutil.copytree(root / "flopslib", copy / "flopslib", ignore=BY_PRODUCTS)


def _book(root: Path, copy: Path) -> None:
    shutil.copytree(root / "flopsbook", copy, ignore=BY_PRODUCTS, dirs_exist_ok=True)
    shutil.rmtree(copy / "build")  # it makes the pages, and needs the repository
    shutil.copy(root / "LICENSE", copy)


#: A link or a picture whose target is a file of the repository.
RELATIVE = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?![a-z]+:|#)(?P<file>[^)]+)\)")


def for_an_index(readme: str, repository: str = "", branch: str = "main") -> str:
    """Return a README for a page that stands alone, as that of a package index does.

    Without an address of the repository, a link to one of its files becomes plain words, and a
    picture is left out.

    >>> readme = "Read [the rules](RULES.md).\\n\\n![A page](page.png)\\n\\nThat is all."
    >>> for_an_index(readme)
    'Read the rules.\\n\\nThat is all.'
    >>> print(for_an_index(readme, "https://git.test/book"))
    Read [the rules](https://git.test/book/blob/main/RULES.md).
    <BLANKLINE>
    ![A page](https://git.test/book/raw/main/page.png)
    <BLANKLINE>
    That is all.
    """

    def addressed(link: re.Match[str]) -> str:
        if not repository:
            return "" if link["picture"] else link["text"]
        kind = "raw" if link["picture"] else "blob"
        address = f"{repository.rstrip('/')}/{kind}/{branch}/{link['file']}"
        return f"{link['picture']}[{link['text']}]({address})"

    return re.sub(r"\n{3,}", "\n\n", RELATIVE.sub(addressed, readme))


def _repository(root: Path) -> tuple[str, str]:
    import yaml

    settings = yaml.safe_load((root / "_config.yml").read_text())["repository"]
    return settings["url"], settings["branch"]


def _wheel(copied: Callable[[Path, Path], None], folder: Path, root: Path) -> Path:
    with tempfile.TemporaryDirectory() as place:
        copy, made = Path(place) / "copy", Path(place) / "made"
        for new in (copy, made):
            new.mkdir()
        copied(root, copy)
        result = subprocess.run(
            [sys.executable, "-c", BUILD_WHEEL, str(made)],
            cwd=copy,
            env=os.environ | {"SOURCE_DATE_EPOCH": str(LONG_AGO)},
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise RuntimeError(f"a wheel could not be built:\n{result.stderr}")
        (wheel,) = made.glob("*.whl")
        return Path(shutil.copy(wheel, folder))


if __name__ == "__main__":
    print(*build_wheels(Path(sys.argv[1])), sep="\n")
