"""Kernels that neither chatter nor listen to the user's own IPython start-up files.

Most of the time of a short chapter goes into starting Python and importing NumPy, SymPy and
Matplotlib. Inside :func:`warm` a process has imported them already, and each kernel is a fork
of it (:mod:`flopsbook.build.fork_server`). Our own packages are not among them: a chapter
always imports those afresh.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flopsbook.roles import IN_THE_BOOK

HERE = Path(__file__).parent

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


@contextmanager
def warm(folder: Path, *more: str) -> Iterator[dict[str, str]]:
    """Yield an environment whose kernels start at once, for as long as it lasts.

    Their process imports the modules that ``more`` names beside its own.
    """
    variables = environment(folder)
    if sys.platform != "linux":  # elsewhere, a fork of a process with numerical libraries may crash
        yield variables
        return
    with tempfile.TemporaryDirectory(prefix="kernels-") as place:  # a socket's path must be short
        socket = Path(place, "socket")
        command = [sys.executable, str(HERE / "fork_server.py"), str(socket), *more]
        server = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE)
        spec = Path(place, "kernels", "python3")
        spec.mkdir(parents=True)
        client = [sys.executable, "-I", "-S", str(HERE / "fork_client.py"), str(socket)]
        named = {"argv": [*client, "-f", "{connection_file}"], "display_name": "Python 3"}
        (spec / "kernel.json").write_text(json.dumps(named | {"language": "python"}))
        try:
            yield variables | {"JUPYTER_PATH": place}
        finally:
            server.kill()
            server.communicate()
