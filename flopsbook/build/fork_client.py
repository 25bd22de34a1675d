"""The process that Jupyter takes for a kernel: it stands for one that the server forked.

    python -I -S fork_client.py SOCKET -f CONNECTION_FILE

Where no server answers, it becomes an ordinary kernel itself.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time


def main(path: str, *arguments: str) -> None:
    """Ask for a kernel, pass signals on to it, and end as it ends."""
    server = reached(path)
    if server is None:
        os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *arguments])
    asked = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: server.sendall(bytes([number])))
    socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
    sys.exit(abs(int(server.recv(16) or b"1")))


def reached(path: str, patience: float = 10) -> socket.socket | None:
    """Return a connection to the server, which may still be starting; None: there is none."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(path)
            return server
        except FileNotFoundError:
            time.sleep(0.05)
        except OSError:
            return None
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
