"""Kernels that neither chatter nor listen to the user's own IPython start-up files."""

from __future__ import annotations

import os
from pathlib import Path

from flopsbook.roles import IN_THE_BOOK

# a cell's output is sent when the cell ends, not in pieces that a timer cuts
CONFIG = """\
from ipykernel.iostream import OutStream

c.IPKernelApp.log_level = 40  # errors only
OutStream.flush_interval = 3600
"""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for processes that start kernels; ``folder`` holds their profile."""
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(CONFIG)
    return os.environ | {"IPYTHONDIR": str(profile.parent), IN_THE_BOOK: "1"}
