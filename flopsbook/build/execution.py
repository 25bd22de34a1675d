"""Running the chapters that have changed, several at a time, before Sphinx asks for them.

What they print goes into the cache that MyST-NB reads. A chapter that fails is not stored: MyST-NB
then runs it once more, and reports it with its place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TIMEOUT = 120


def not_in_cache(cache_path: Path, notebooks: Iterable[Path]) -> list[Path]:
    """Return the notebooks whose code has not been run as it is."""
    cache = _cache(cache_path)
    return [path for path in notebooks if not _is_cached(cache, path)]


def run_into_cache(cache_path: Path, notebooks: Sequence[Path]) -> None:
    """Run notebooks, and store what ran through."""
    from jupyter_cache.base import CacheBundleIn

    cache = _cache(cache_path)
    ordered = sorted(notebooks, key=lambda path: -path.stat().st_size)  # the last one is short
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, result in zip(ordered, pool.map(_run, ordered), strict=True):
            if result.err is None:
                stored = CacheBundleIn(
                    result.nb, str(path), data={"execution_seconds": result.time}
                )
                cache.cache_notebook_bundle(stored, check_validity=False, overwrite=True)


def _cache(path: Path) -> Any:
    from jupyter_cache import get_cache

    return get_cache(str(path))


def _is_cached(cache: Any, path: Path) -> bool:
    try:
        cache.match_cache_notebook(_read(path))
    except KeyError:
        return False
    return True


def _read(path: Path) -> Any:
    import nbformat

    return nbformat.v4.reads(path.read_text())


def _run(path: Path) -> Any:
    from jupyter_cache.executors.utils import single_nb_execution

    return single_nb_execution(
        _read(path), cwd=str(path.parent), timeout=TIMEOUT, allow_errors=False
    )
