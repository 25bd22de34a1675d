"""Kernels that neither chatter nor listen to the user's own IPython start-up files."""

from __future__ import annotations

import os
from pathlib import Path

QUIET = "c.IPKernelApp.log_level = 40  # errors only\n"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for processes that start kernels; ``folder`` holds their profile."""
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(QUIET)
    return os.environ | {"IPYTHONDIR": str(profile.parent)}
