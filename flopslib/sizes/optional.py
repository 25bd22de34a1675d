"""Packages that need not be installed: what is said where one is missing.

>>> needed("math", "frames").isqrt(16)
4
>>> needed("nosuch", "frames")
Traceback (most recent call last):
ModuleNotFoundError: nosuch is not installed: pip install 'flopslib[frames]'
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["needed"]


def needed(module: str, extra: str, package: str = "flopslib") -> Any:
    """Return a module that need not be installed.

    Args:
        module: its name, which is also the name that it is installed under.
        extra: the extra of ``package`` that installs it.
        package: the package that needs it.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:  # it is there, and misses something itself
            raise
        command = f"pip install '{package}[{extra}]'"
        raise ModuleNotFoundError(f"{module} is not installed: {command}", name=module) from None
